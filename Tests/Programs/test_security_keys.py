# SPDX-License-Identifier: Apache-2.0
"""FIDO keys behind ssh-agent and ssh-sk-helper, with the dummy token of OpenSSH's test package."""
import os
import shutil
import struct

import pytest
from conftest import OPENSSH, OURS, UNDER_TEST, run
from test_agent import script, start_agent  # noqa: F401

PROVIDER = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so"
KINDS = ("ecdsa-sk", "ed25519-sk")
pytestmark = [
    pytest.mark.skipif(not os.path.exists(PROVIDER), reason="needs openssh-tests"),
    # OpenSSH's programs and ours each speak to helpers of their own.
    pytest.mark.skipif(UNDER_TEST is OPENSSH, reason="ours only"),
]


def make_token_key(folder, kind, *words):
    path = folder / kind
    command = [OPENSSH.ssh_keygen, "-q", "-t", kind, "-w", PROVIDER, "-N", "", "-f", path, "-C", kind]
    result = run([*command, *words])
    assert result.returncode == 0, result.stderr
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("add_suite", [OURS, OPENSSH], ids=lambda suite: suite.name)
def test_a_token_signs(start_agent, tmp_path, kind, add_suite):  # noqa: F811
    agent = start_agent(UNDER_TEST, "-P", f"{PROVIDER}")
    key = make_token_key(tmp_path, kind)
    result = agent.add(add_suite, "-S", PROVIDER, key)
    assert result.returncode == 0, result.stderr
    assert result.stderr.decode() == f"Identity added: {key} ({kind})\n"
    assert agent.add(add_suite, "-L").stdout == key.with_suffix(".pub").read_bytes()
    # Both verify what came from the token.
    for suite in (OURS, OPENSSH):
        result = agent.add(suite, "-T", f"{key}.pub")
        assert result.returncode == 0, result.stderr
    assert PROVIDER not in open(f"/proc/{agent.process.pid}/maps").read()


def test_a_provider_must_be_allowed(start_agent, tmp_path):  # noqa: F811
    key = make_token_key(tmp_path, "ed25519-sk")
    copy = tmp_path / "dummy.so"
    shutil.copy(PROVIDER, copy)
    assert start_agent().add(UNDER_TEST, "-S", copy, key).returncode == 1
    assert start_agent(UNDER_TEST, "-P", f"{tmp_path}/*").add(UNDER_TEST, "-S", copy, key).returncode == 0
    # Where it leads counts, not its name.
    link = tmp_path / "link.so"
    link.symlink_to(PROVIDER)
    assert start_agent(UNDER_TEST, "-P", f"{tmp_path}/*").add(UNDER_TEST, "-S", link, key).returncode == 1


def test_a_touch_is_announced(start_agent, tmp_path):  # noqa: F811
    log = tmp_path / "log"
    askpass = script(tmp_path / "ask", f'echo "$SSH_ASKPASS_PROMPT: $1" >> {log}')
    agent = start_agent(UNDER_TEST, "-P", PROVIDER, SSH_ASKPASS=askpass, SSH_ASKPASS_REQUIRE="force")
    key = make_token_key(tmp_path, "ed25519-sk")
    agent.add(UNDER_TEST, "-S", PROVIDER, key)
    assert agent.add(UNDER_TEST, "-T", f"{key}.pub").returncode == 0
    digest = run([OPENSSH.ssh_keygen, "-lf", f"{key}.pub"]).stdout.decode().split()[1]
    expected = f"none: Confirm user presence for key ED25519-SK {digest}\n"
    # The token may be faster than the announcement.
    assert not log.exists() or log.read_text() in ("", expected)


def test_keys_of_the_web_sign_for_ssh_alone(start_agent, tmp_path):  # noqa: F811
    key = make_token_key(tmp_path, "ed25519-sk", "-O", "application=ssh:web")
    text = key.with_suffix(".pub").read_text().split()
    agent = start_agent(UNDER_TEST, "-P", PROVIDER, "-O", "websafe-allow=ssh:other")
    assert agent.add(UNDER_TEST, "-S", PROVIDER, key).returncode == 0
    # Anything at all is refused, a signed file is not.
    assert agent.add(UNDER_TEST, "-T", f"{key}.pub").returncode == 1
    import base64

    def string(value):
        return struct.pack(">I", len(value)) + value

    file = b"SSHSIG" + string(b"file") + string(b"") + string(b"sha512") + string(b"x" * 64)
    blob = base64.b64decode(text[1])
    answer = agent.raw(b"\x0d" + string(blob) + string(file) + b"\0\0\0\0", seconds=10)
    assert answer[0] == 14
    free = start_agent(UNDER_TEST, "-P", PROVIDER, "-O", "no-restrict-websafe")
    free.add(UNDER_TEST, "-S", PROVIDER, key)
    assert free.add(UNDER_TEST, "-T", f"{key}.pub").returncode == 0


def test_resident_keys_that_a_token_does_not_have(start_agent, tmp_path):  # noqa: F811
    agent = start_agent(UNDER_TEST, "-P", PROVIDER)
    ask = {"SSH_ASKPASS": str(script(tmp_path / "pin", "echo 1234")), "SSH_ASKPASS_REQUIRE": "force"}
    result = agent.add(UNDER_TEST, "-K", "-S", PROVIDER, environment=ask)
    assert result.returncode == 1
    assert b"Unable to load resident keys: requested feature not supported" in result.stderr
    result = agent.add(UNDER_TEST, "-K", "-S", tmp_path / "none.so", environment=ask)
    assert result.returncode == 1
    assert b"is not an OpenSSH FIDO library" in result.stderr


# ssh-keygen, ssh and sshd


@pytest.mark.parametrize("kind", KINDS)
def test_enrolment(tmp_path, kind):
    path = tmp_path / "id"
    result = run([OURS.ssh_keygen, "-t", kind, "-w", PROVIDER, "-N", "", "-C", "c", "-f", path])
    assert result.returncode == 0, result.stderr
    assert b"You may need to touch your authenticator to authorize key generation.\n" in result.stdout
    # OpenSSH reads both files, and its own token code signs with ours.
    shown = run([OPENSSH.ssh_keygen, "-lf", path]).stdout.decode()
    assert shown.endswith(f" c ({kind.upper()})\n")
    assert run([OPENSSH.ssh_keygen, "-yf", path]).stdout.split() == path.with_suffix(".pub").read_bytes().split()
    text = tmp_path / "text"
    for signer, checker in [(OPENSSH, OURS), (OURS, OPENSSH)]:
        text.write_text("text")
        result = run(
            [signer.ssh_keygen, "-Y", "sign", "-n", "file", "-f", path, text],
            env={**os.environ, "SSH_SK_PROVIDER": PROVIDER},
        )
        assert result.returncode == 0, result.stderr
        signature = tmp_path / "text.sig"
        result = run(
            [checker.ssh_keygen, "-Y", "check-novalidate", "-n", "file", "-s", signature],
            input=b"text",
        )
        assert result.returncode == 0, result.stderr
        signature.unlink()


@pytest.mark.parametrize(
    "option, status, message",
    [
        ("no-touch-required", 0, b""),
        ("resident", 0, b""),
        ("application=ssh:mine", 0, b""),
        ("application=mine", 255, b'FIDO application string must begin with "ssh:"\r\n'),
        ("bogus", 255, b'Option "bogus" is unsupported for FIDO authenticator enrollment\r\n'),
    ],
)
def test_words_of_an_enrolment(tmp_path, option, status, message):
    path = tmp_path / "id"
    command = [OURS.ssh_keygen, "-q", "-t", "ed25519-sk", "-w", PROVIDER, "-N", "", "-f", path, "-O", option]
    result = run(command)
    assert (result.returncode, result.stderr) == (status, message)
    theirs = run([OPENSSH.ssh_keygen, *command[1:-3], tmp_path / "theirs", "-O", option])
    assert (theirs.returncode, theirs.stderr) == (status, message)


def test_attestation(tmp_path):
    path, attestation = tmp_path / "id", tmp_path / "att"
    command = [OURS.ssh_keygen, "-q", "-t", "ed25519-sk", "-w", PROVIDER, "-N", "", "-f", path]
    assert run([*command, "-O", f"write-attestation={attestation}"]).returncode == 0
    # The dummy attests with nothing: five empty fields behind the name.
    assert attestation.read_bytes() == b"\0\0\0\x11ssh-sk-attest-v01" + bytes(20)


def test_no_token(tmp_path):
    command = [OURS.ssh_keygen, "-q", "-t", "ed25519-sk", "-N", "", "-f", tmp_path / "id"]
    result = run([*command, "-w", tmp_path / "none.so"])
    assert result.returncode == 255
    assert b"Key enrollment failed: invalid format" in result.stderr


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("client, server", [(OURS, OPENSSH), (OPENSSH, OURS), (OURS, OURS)], ids=str)
def test_login_with_a_token(serve, tmp_path, kind, client, server):
    key = make_token_key(tmp_path, kind)
    host = serve(server)
    host.authorized_keys.write_text(key.with_suffix(".pub").read_text())
    config = host.client_config(key, SecurityKeyProvider=PROVIDER)
    result = run([client.ssh, "-F", config, "127.0.0.1", "echo in"])
    assert result.stdout == b"in\n", result.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_host_key_in_a_token(serve, tmp_path, key, kind):
    host_key = make_token_key(tmp_path, kind)
    host = serve(OURS, f"HostKey {host_key}", f"SecurityKeyProvider {PROVIDER}")
    host.host_keys = [host_key]
    for client in (OURS, OPENSSH):
        config = host.client_config(key, HostKeyAlgorithms=host_key.with_suffix(".pub").read_text().split()[0])
        result = run([client.ssh, "-F", config, "127.0.0.1", "echo in"])
        assert result.stdout == b"in\n", result.stderr
