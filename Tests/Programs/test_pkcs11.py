# SPDX-License-Identifier: Apache-2.0
"""PKCS#11 tokens (SoftHSM) behind ssh-agent and ssh-pkcs11-helper."""
import os
import pathlib
import shutil
import signal

import pytest
from conftest import OPENSSH, OURS, UNDER_TEST, make_key, run, wait_until
from test_agent import PAIRS, newer_than_9_2, script, start_agent  # noqa: F401

LIBRARY = "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"
PIN = "1234"
pytestmark = pytest.mark.skipif(
    not (os.path.exists(LIBRARY) and shutil.which("softhsm2-util")), reason="needs softhsm2"
)


class Token:
    """A SoftHSM token with a key of each kind."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "tokens").mkdir()
        config = folder / "softhsm2.conf"
        config.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n")
        self.environment = {"SOFTHSM2_CONF": str(config)}
        self.util("--init-token", "--free", "--label", "tok", "--pin", PIN, "--so-pin", "12345678")
        self.keys = {}
        for number, (kind, words) in enumerate(
            {
                "rsa": ["-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048"],
                "ecdsa": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
            }.items()
        ):
            path = folder / kind
            run(["openssl", "genpkey", *words, "-out", path])
            path.chmod(0o600)
            self.util("--token", "tok", "--pin", PIN, "--import", path, "--label", f"my {kind}", "--id", f"0{number}")
            public = run([OPENSSH.ssh_keygen, "-y", "-f", path]).stdout
            path.with_suffix(".pub").write_bytes(public)
            self.keys[kind] = path

    def util(self, *words):
        result = run(["softhsm2-util", *words], env={**os.environ, **self.environment})
        assert result.returncode == 0, result.stderr

    def public(self, kind):
        return self.keys[kind].with_suffix(".pub").read_text().split()[:2]


@pytest.fixture
def token(tmp_path):
    folder = tmp_path / "hsm"
    folder.mkdir()
    return Token(folder)


def asks(tmp_path, pin):
    return {
        "SSH_ASKPASS_REQUIRE": "force",
        "SSH_ASKPASS": str(script(tmp_path / f"pin{pin}", f"echo {pin}")),
    }


def listed(agent):
    lines = agent.add(UNDER_TEST, "-L").stdout.decode().splitlines()
    return [line.split(None, 2) for line in lines if not line.startswith("The agent")]


@pytest.mark.parametrize("agent_suite, add_suite", PAIRS)
def test_keys_of_a_token(start_agent, token, tmp_path, agent_suite, add_suite):  # noqa: F811
    agent = start_agent(agent_suite, **token.environment)
    result = agent.add(add_suite, "-s", LIBRARY, environment=asks(tmp_path, PIN))
    assert result.returncode == 0
    assert result.stderr.decode() == f"Card added: {LIBRARY}\n"
    shown = listed(agent)
    expected = [[*token.public(kind), f"my {kind}"] for kind in token.keys]
    assert sorted(shown) == sorted(expected)
    for kind in token.keys:
        assert agent.add(add_suite, "-T", token.keys[kind].with_suffix(".pub")).returncode == 0
    result = agent.add(add_suite, "-e", LIBRARY)
    assert (result.returncode, result.stderr.decode()) == (0, f"Card removed: {LIBRARY}\n")
    assert listed(agent) == []
    assert agent.add(add_suite, "-e", LIBRARY).returncode == 1


def test_a_wrong_pin(start_agent, token, tmp_path):  # noqa: F811
    agent = start_agent(**token.environment)
    result = agent.add(UNDER_TEST, "-s", LIBRARY, environment=asks(tmp_path, "0000"))
    assert result.returncode == 1
    assert result.stderr.decode() == f'Could not add card "{LIBRARY}": agent refused operation\n'
    assert listed(agent) == []
    assert agent.add(UNDER_TEST, "-s", LIBRARY, environment=asks(tmp_path, PIN)).returncode == 0


def test_libraries_elsewhere_are_not_loaded(start_agent, token, tmp_path):  # noqa: F811
    copy = tmp_path / "lib.so"
    shutil.copy(LIBRARY, copy)
    for words, works in [((), 1), (("-P", f"{tmp_path}/*"), 0), (("-P", "/nowhere/*"), 1)]:
        agent = start_agent(UNDER_TEST, *words, **token.environment)
        result = agent.add(UNDER_TEST, "-s", copy, environment=asks(tmp_path, PIN))
        assert result.returncode == works


@newer_than_9_2
@pytest.mark.parametrize("words, count", [((), 3), (("-C",), 1)])
def test_certificates_for_the_keys_of_a_token(start_agent, token, tmp_path, words, count):  # noqa: F811
    agent = start_agent(UNDER_TEST, **token.environment)
    authority = make_key(tmp_path, "ca")
    public = token.keys["ecdsa"].with_suffix(".pub")
    run([OPENSSH.ssh_keygen, "-qs", authority, "-I", "x", "-n", "me", public])
    certificate = str(public)[:-4] + "-cert.pub"
    result = agent.add(
        UNDER_TEST, *words, "-s", LIBRARY, certificate, environment=asks(tmp_path, PIN)
    )
    assert result.returncode == 0, result.stderr
    types = [line[0] for line in listed(agent)]
    assert len(types) == count
    assert "ecdsa-sha2-nistp384-cert-v01@openssh.com" in types
    assert agent.add(UNDER_TEST, "-T", certificate).returncode == 0


def test_login_with_a_token(start_agent, token, serve, tmp_path):  # noqa: F811
    server = serve(OPENSSH)
    agent = start_agent(UNDER_TEST, **token.environment)
    agent.add(UNDER_TEST, "-s", LIBRARY, environment=asks(tmp_path, PIN))
    for kind in token.keys:
        server.authorized_keys.write_text(" ".join(token.public(kind)) + "\n")
        result = run(
            [OPENSSH.ssh, "-F", "none", "-o", f"UserKnownHostsFile={server.known_hosts()}", "-o", "BatchMode=yes",
             "-p", server.port, "127.0.0.1", "echo in"],
            env=agent.environment,
        )
        assert result.stdout == b"in\n", result.stderr


def helpers_of(agent):
    children = pathlib.Path(f"/proc/{agent.process.pid}/task/{agent.process.pid}/children")
    return [int(pid) for pid in children.read_text().split()]


@newer_than_9_2
def test_the_helper_dies_and_goes(start_agent, token, tmp_path):  # noqa: F811
    agent = start_agent(UNDER_TEST, **token.environment)
    agent.add(UNDER_TEST, "-s", LIBRARY, environment=asks(tmp_path, PIN))
    (helper,) = helpers_of(agent)
    # The library is in the helper, not in the agent.
    assert LIBRARY in pathlib.Path(f"/proc/{helper}/maps").read_text()
    assert LIBRARY not in pathlib.Path(f"/proc/{agent.process.pid}/maps").read_text()
    os.kill(helper, signal.SIGKILL)
    wait_until(lambda: not helpers_of(agent), "the helper is buried")
    assert agent.add(UNDER_TEST, "-T", token.keys["rsa"].with_suffix(".pub")).returncode == 1
    # It can be added anew; without keys of its library it goes.
    agent.add(UNDER_TEST, "-D")
    assert agent.add(UNDER_TEST, "-s", LIBRARY, environment=asks(tmp_path, PIN)).returncode == 0
    assert agent.add(UNDER_TEST, "-T", token.keys["rsa"].with_suffix(".pub")).returncode == 0
    agent.add(UNDER_TEST, "-D")
    wait_until(lambda: not helpers_of(agent), "the helper has gone")


# ssh-keygen and ssh


def test_the_public_keys_of_a_token(token):
    environment = {**os.environ, **token.environment}
    printed = run([UNDER_TEST.ssh_keygen, "-D", LIBRARY], env=environment)
    assert printed.returncode == 0
    expected = [[*token.public(kind), f"my {kind}"] for kind in token.keys]
    assert sorted(line.split(None, 2) for line in printed.stdout.decode().splitlines()) == sorted(expected)
    ours, theirs = (
        sorted(run([suite.ssh_keygen, "-l", "-D", LIBRARY], env=environment).stdout.splitlines())
        for suite in (UNDER_TEST, OPENSSH)
    )
    assert ours == theirs
    assert run([UNDER_TEST.ssh_keygen, "-D", "/nonexistent.so"], env=environment).returncode == 255


def test_a_certification_authority_in_a_token(token, tmp_path):
    key = make_key(tmp_path)
    environment = {**os.environ, **token.environment, **asks(tmp_path, PIN)}
    authority = token.keys["ecdsa"].with_suffix(".pub")
    command = [UNDER_TEST.ssh_keygen, "-q", "-s", authority, "-D", LIBRARY, "-I", "x", "-n", "me", f"{key}.pub"]
    result = run(command, env=environment)
    assert result.returncode == 0, result.stderr
    shown = run([OPENSSH.ssh_keygen, "-L", "-f", f"{key}-cert.pub"]).stdout.decode()
    assert "Signing CA: ECDSA" in shown


@pytest.mark.parametrize("pin, works", [(PIN, True), ("0000", False), (None, False)])
@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_login_by_pkcs11_provider(token, serve, tmp_path, kind, pin, works):
    server = serve(OPENSSH)
    server.authorized_keys.write_text(" ".join(token.public(kind)) + "\n")
    environment = {**os.environ, **token.environment, "SSH_ASKPASS_REQUIRE": "never"}
    environment.pop("SSH_AUTH_SOCK", None)
    if pin:
        environment.update(asks(tmp_path, pin))
    config = server.client_config(
        PKCS11Provider=LIBRARY, IdentitiesOnly="no", BatchMode="no", PreferredAuthentications="publickey"
    )
    result = run(
        [UNDER_TEST.ssh, "-F", config, "127.0.0.1", "echo in"], env=environment, start_new_session=True
    )
    assert (result.stdout == b"in\n") == works, result.stderr
    assert works or result.returncode == 255


HELPERS = {OURS: str(OURS.prefix / "libexec/ssh-pkcs11-helper"), OPENSSH: "/usr/lib/openssh/ssh-pkcs11-helper"}


@pytest.mark.skipif(UNDER_TEST is OPENSSH, reason="ours with OpenSSH's")
@pytest.mark.parametrize("agent_suite, helper", [(OURS, OPENSSH), (OPENSSH, OURS)], ids=str)
def test_each_agent_uses_the_helper_of_the_other(start_agent, token, tmp_path, agent_suite, helper):  # noqa: F811
    agent = start_agent(agent_suite, SSH_PKCS11_HELPER=HELPERS[helper], **token.environment)
    for _ in range(2):
        result = agent.add(OURS, "-s", LIBRARY, environment=asks(tmp_path, PIN))
        assert result.returncode == 0, result.stderr
        assert sorted(line[:2] for line in listed(agent)) == sorted(token.public(kind) for kind in token.keys)
        for kind in token.keys:
            for add_suite in (OURS, OPENSSH):
                result = agent.add(add_suite, "-T", f"{token.keys[kind]}.pub")
                assert result.returncode == 0, result.stderr
        assert agent.add(OURS, "-e", LIBRARY).returncode == 0
        assert listed(agent) == []


@pytest.mark.skipif(UNDER_TEST is OPENSSH, reason="came after 9.2")
@pytest.mark.parametrize("words, works", [((), False), (("-O", "allow-remote-pkcs11"), True)])
def test_libraries_for_those_far_away(start_agent, token, serve, key, tmp_path, words, works):  # noqa: F811
    """Only the user's own machine may load a library, unless the agent is told otherwise."""
    host = serve(OURS)
    agent = start_agent(OURS, *words, **token.environment)
    assert agent.add(OURS, key).returncode == 0
    ask = asks(tmp_path, PIN)["SSH_ASKPASS"]
    config = host.client_config(
        key, IdentityAgent=agent.socket, ForwardAgent="yes", IdentitiesOnly="no"
    )
    remote = f"SSH_ASKPASS={ask} SSH_ASKPASS_REQUIRE=force {OURS.ssh_add} -s {LIBRARY}"
    result = run([OURS.ssh, "-F", config, "127.0.0.1", remote])
    assert (result.returncode == 0) == works, result.stderr
    assert len(listed(agent)) == (3 if works else 1)
    # What came over no forwarding may always.
    if not works:
        assert agent.add(OURS, "-s", LIBRARY, environment=asks(tmp_path, PIN)).returncode == 0
