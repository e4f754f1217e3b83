# SPDX-License-Identifier: Apache-2.0
"""Security keys that keep their keys, ask for a PIN and know who touches them.

The token is token.c, a middleware library of our own. ssh-keygen runs beside OpenSSH's, each with a
token of its own in its folder, and must say, ask, leave and want of the token the same.
"""
import os
import re
import shutil

import pytest
from conftest import OPENSSH, OURS, ROOT, UNDER_TEST, run
from test_agent import start_agent  # noqa: F401
from test_keygen import Twins

pytestmark = [
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
    pytest.mark.skipif(UNDER_TEST is OPENSSH, reason="compares the two"),
]
KINDS = ("ecdsa-sk", "ed25519-sk")


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """The middleware library of token.c."""
    path = tmp_path_factory.mktemp("token") / "token.so"
    source = ROOT / "Tests/Programs/token.c"
    result = run(["cc", "-O1", "-shared", "-fPIC", "-o", path, source, "-lcrypto"])
    if result.returncode != 0 and b"openssl/" in result.stderr:
        pytest.skip("needs libssl-dev")
    assert result.returncode == 0, result.stderr
    return path


class Token:
    """A token's folder, and a person who answers its questions."""

    def __init__(self, folder, library, pin=None):
        self.folder = folder
        folder.mkdir(parents=True)
        if pin is not None:
            (folder / "pin").write_text(pin + "\n")
        ask = folder / "ask"
        ask.write_text(f'#!/bin/sh\necho "$1" >> {folder}/asked\ncat {folder}/answer\n')
        ask.chmod(0o755)
        self.answer(pin or "")
        self.environment = {
            "HAWSER_TOKEN": str(folder),
            "SSH_SK_PROVIDER": str(library),
            "SSH_ASKPASS": str(ask),
            "SSH_ASKPASS_REQUIRE": "force",
        }

    def answer(self, text):
        (self.folder / "answer").write_text(text + "\n")

    def fail(self, number):
        (self.folder / "fail").write_text(f"{number}\n")

    def taken(self, name):
        """The lines of a note since it was last taken."""
        path = self.folder / name
        text = path.read_text() if path.exists() else ""
        path.unlink(missing_ok=True)
        return text.splitlines()


def masked(text):
    text = re.sub(r"SHA256:[A-Za-z0-9+/]{43}", "DIGEST", text)
    text = re.sub(r"^\|.{17}\|\n", "", text, flags=re.M)
    return re.sub(r"[0-9a-zA-Z+/=]{60,}", "KEY", text)


class TokenTwins(Twins):
    """Two folders, each with a token in `token`."""

    def __init__(self, folder, library, pin=None):
        super().__init__(folder)
        self.start()
        self.tokens = {
            suite: Token(place / "token", library, pin) for suite, place in self.folders.items()
        }

    def run(self, suite, command):
        place, token = self.folders[suite], self.tokens[suite]
        os.environ.update(token.environment)
        try:
            # OpenSSH's fatal errors leave unsaid what still waits for the end of a line.
            text = super().run(suite, command.replace("KG", "stdbuf -oL KG"))
        finally:
            for name in token.environment:
                os.environ.pop(name)
        calls = [re.sub("challenge=(?!fixed)[0-9a-f]{8}", "challenge=C", line) for line in token.taken("calls")]
        lines = [masked(text), "token:", *calls, "asked:", *token.taken("asked")]
        return masked("\n".join(lines)).replace(str(place), "FOLDER")


ENROLMENTS = [
    ("1234", "1234", "-O resident"),
    ("1234", "1234", "-O resident -O verify-required"),
    ("1234", "1234", "-O verify-required"),
    ("1234", "1234", "-O resident -O user=joe -O application=ssh:work"),
    ("1234", "1234", "-O RESIDENT -O User=joe -O Application=ssh:work -O No-Touch-Required"),
    ("1234", "1234", "-O no-touch-required -O device=token"),
    ("1234", "1234", "-O device=other"),
    ("1234", "1234", "-O write-attestation=att -O challenge=challenge"),
    ("1234", "1234", "-O challenge=none"),
    ("1234", "1234", "-O write-attestation=none/att"),
    ("1234", "wrong", "-O resident"),
    ("1234", "wrong", "-O verify-required"),
    ("1234", "", "-O verify-required"),
    ("1234", "1234", "-q -O resident"),
    (None, "", "-O resident"),
    (None, "", "-O verify-required"),
    (None, "", "-O resident=yes"),
    (None, "", "-O user"),
    (None, "", "-O user="),
    (None, "", "-O application=https://x"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pin, answer, words", ENROLMENTS)
def test_enrolment(tmp_path, library, kind, pin, answer, words):
    twins = TokenTwins(tmp_path, library, pin)
    for token in twins.tokens.values():
        token.answer(answer)
        (token.folder.parent / "challenge").write_text("challenge")
    twins.compare(
        f"""
        KG -t {kind} -N '' -C comment -f id {words}
        ls -l id id.pub att | cut -c1-10
        cat id.pub
        KG -lf id
        KG -yf id
        od -c att
        cut -d' ' -f1-4 token/keys
        """
    )


@pytest.mark.parametrize("number", [-1, -2, -3, -4, -5, -6])
def test_failures_of_a_token(tmp_path, library, number):
    twins = TokenTwins(tmp_path, library, "1234")
    twins.compare("KG -q -t ed25519-sk -N '' -C comment -f id -O no-touch-required")
    for token in twins.tokens.values():
        token.fail(number)
    twins.compare(
        """
        KG -t ed25519-sk -N '' -C comment -f other
        KG -t ed25519-sk -N '' -C comment -f other -O resident
        KG -K -N ''
        """
    )
    # Ours asks for a PIN where a token wants one that its key's file does not mention.
    if number != -3:
        twins.compare("echo text | KG -Y sign -n file -f id")
    else:
        assert "asked:\nEnter PIN for ED25519-SK key: " in twins.run(OURS, "echo text | KG -Y sign -n file -f id")


def test_a_resident_key_is_not_overwritten_without_the_question(tmp_path, library):
    twins = TokenTwins(tmp_path, library, "1234")
    twins.compare(
        """
        KG -t ed25519-sk -N '' -C comment -f one -O resident
        KG -t ed25519-sk -N '' -C comment -f two -O resident
        echo n | KG -t ed25519-sk -N '' -C comment -f two -O resident
        echo | KG -t ed25519-sk -N '' -C comment -f two -O resident
        cut -d' ' -f1-4 token/keys
        ls
        echo y | KG -t ecdsa-sk -N '' -C comment -f two -O resident
        echo yes | KG -q -t ecdsa-sk -N '' -C comment -f three -O resident -O user=joe
        echo Yes | KG -q -t ecdsa-sk -N '' -C comment -f four -O resident -O user=joe
        cut -d' ' -f1-4 token/keys
        ls
        """
    )


FILL = """
KG -q -t ed25519-sk -N '' -C comment -f a -O resident
KG -q -t ecdsa-sk -N '' -C comment -f b -O resident -O user=joe
KG -q -t ed25519-sk -N '' -C comment -f c -O resident -O application=ssh:work -O verify-required
KG -q -t ecdsa-sk -N '' -C comment -f d -O resident -O application=ssh:a.b-c_d+e -O user=j.o.e@x -O no-touch-required
"""


def test_download(tmp_path, library):
    twins = TokenTwins(tmp_path, library, "1234")
    twins.compare(
        FILL
        + """
        mkdir down; cd down; KG -K -N ''
        cd down; ls -l | sed 's/ .* / /'
        cd down; cut -d' ' -f1,3- *.pub
        cd down; for f in *rk*; do KG -lf $f; done
        cd down; KG -K -N ''
        cd down; yes | KG -K -N '' -q
        cd down; rm *; KG -K -N 'secret!' -a 4 -Z aes128-ctr -q
        cd down; for f in *_rk; do KG -y -P 'secret!' -f $f; done
        """
    )
    # What a token says never leaves the folder; OpenSSH 9.2 takes it for a path.
    assert "=> 0" in twins.run(OURS, "mkdir -p id_ed25519_sk_rk_..; KG -q -t ed25519-sk -N '' -f e -O resident -O application=ssh:../../x/y")
    assert "=> 0" in twins.run(OURS, "mkdir safe; cd safe; KG -q -K -N ''")
    assert (twins.folders[OURS] / "safe/id_ed25519_sk_rk_.._.._x_y").exists()
    # Each of our files is the key that was made.
    ours = twins.folders[OURS]
    for made, file in [("a", "id_ed25519_sk_rk"), ("b", "id_ecdsa_sk_rk_joe")]:
        assert (ours / f"{made}.pub").read_text().split()[:2] == (ours / f"down/{file}.pub").read_text().split()[:2]


@pytest.mark.parametrize("pin, answer", [("1234", "wrong"), ("1234", ""), (None, ""), (None, "1234")])
def test_download_that_fails(tmp_path, library, pin, answer):
    twins = TokenTwins(tmp_path, library, pin)
    for token in twins.tokens.values():
        token.answer(answer)
    twins.compare("KG -K -N ''\nKG -K -q\nls")


def test_download_of_nothing(tmp_path, library):
    twins = TokenTwins(tmp_path, library, "1234")
    twins.compare("KG -K -N ''\nKG -K -q -N ''\nls")


@pytest.mark.parametrize("words", ["", "-O no-touch-required", "-O verify-required", "-O resident"])
@pytest.mark.parametrize("kind", KINDS)
def test_signing_files(tmp_path, library, kind, words):
    twins = TokenTwins(tmp_path, library, "1234")
    twins.compare(
        f"""
        KG -q -t {kind} -N '' -C comment -f id {words}
        echo text > text; KG -Y sign -n file -f id text
        KG -q -Y sign -n file -f id < text > text2.sig; wc -l text2.sig
        KG -Y check-novalidate -n file -s text.sig < text
        """
    )
    for token in twins.tokens.values():
        token.answer("wrong")
    twins.compare("KG -Y sign -n file -f id text < /dev/null\nrm -f text.sig; KG -Y sign -n file -f id text")


@pytest.mark.parametrize("words", ["", "-O verify-required", "-O no-touch-required"])
def test_a_security_key_as_an_authority(tmp_path, library, words):
    twins = TokenTwins(tmp_path, library, "1234")
    twins.compare(
        f"""
        KG -q -t ed25519-sk -N '' -C comment -f ca {words}
        KG -q -t ed25519 -N '' -C comment -f user
        KG -s ca -I name -n me -V 20200101:20300101 user.pub
        KG -Lf user-cert.pub
        """
    )


@pytest.mark.parametrize("answer", ["1234", "wrong", ""])
def test_the_agent_loads_resident_keys(start_agent, tmp_path, library, answer):  # noqa: F811
    twins_folder = tmp_path / "twins"
    twins_folder.mkdir()
    twins = TokenTwins(twins_folder, library, "1234")
    results = {}
    for suite in (OPENSSH, OURS):
        for line in FILL.strip().splitlines():
            assert twins.run(suite, line).splitlines()[1] == "=> 0", line
        token = twins.tokens[suite]
        token.answer(answer)
        folder = tmp_path / suite.name
        folder.mkdir()
        agent = start_agent(suite, "-P", library, **token.environment)
        outputs = []
        for words in (["-K"], ["-l"], ["-K", "-q"], ["-K", "-t", "60", "-c"], ["-L"]):
            result = agent.add(suite, *words, timeout=20)
            outputs.append(
                masked(f"{words} {result.returncode}\n{result.stdout.decode()}--\n{result.stderr.decode()}")
            )
        results[suite] = "\n".join(outputs + ["asked:", *token.taken("asked"), "calls:", *token.taken("calls")])
    assert results[OURS] == results[OPENSSH]


def enroll(suite, folder, token, kind, *words):
    path = folder / f"{kind}-{len(list(folder.iterdir()))}"
    command = [suite.ssh_keygen, "-q", "-t", kind, "-N", "", "-f", path, "-C", "token", *words]
    result = run(command, env={**os.environ, **token.environment}, start_new_session=True)
    assert result.returncode == 0, result.stderr
    return path


# A key's words for its making, what else its line of authorized_keys says, what sshd_config says,
# and who gets in.
RULES = [
    ((), "", "", True),
    (("-O", "no-touch-required"), "", "", False),
    (("-O", "no-touch-required"), "no-touch-required", "", True),
    (("-O", "no-touch-required"), "no-touch-required", "PubkeyAuthOptions touch-required", False),
    ((), "", "PubkeyAuthOptions touch-required", True),
    ((), "", "PubkeyAuthOptions verify-required", False),
    ((), "verify-required", "", False),
    (("-O", "verify-required"), "", "", True),
    (("-O", "verify-required"), "verify-required", "", True),
    (("-O", "verify-required"), "", "PubkeyAuthOptions verify-required", True),
    (("-O", "verify-required"), "", "PubkeyAuthOptions touch-required verify-required", True),
    (("-O", "verify-required", "-O", "no-touch-required"), "", "PubkeyAuthOptions verify-required", False),
    (
        ("-O", "verify-required", "-O", "no-touch-required"),
        "no-touch-required,verify-required",
        "PubkeyAuthOptions verify-required",
        True,
    ),
    (("-O", "resident"), "", "PubkeyAuthOptions none", True),
]


@pytest.mark.parametrize("client, server", [(OURS, OURS), (OPENSSH, OURS), (OURS, OPENSSH)], ids=str)
@pytest.mark.parametrize("making, line, setting, gets_in", RULES)
def test_who_must_touch_and_be_known(serve, tmp_path, library, client, server, making, line, setting, gets_in):
    token = Token(tmp_path / "token", library, "1234")
    key = enroll(OPENSSH, tmp_path, token, "ed25519-sk", *making)
    host = serve(server, *([setting] if setting else []))
    blank = " " if line else ""
    host.authorized_keys.write_text(f"{line}{blank}{key.with_suffix('.pub').read_text()}")
    token.taken("asked")
    config = host.client_config(key, BatchMode="no", SecurityKeyProvider=library)
    result = run(
        [client.ssh, "-F", config, "127.0.0.1", "echo in"],
        env={**os.environ, **token.environment},
        start_new_session=True,
    )
    assert (result.stdout == b"in\n") == gets_in, result.stderr + host.log_text().encode()
    asked = [text for text in token.taken("asked") if "PIN" in text]
    digest = run([OPENSSH.ssh_keygen, "-lf", key]).stdout.decode().split()[1]
    wanted = [f"Enter PIN for ED25519-SK key {key}: "] if "verify-required" in making else []
    assert asked == wanted or asked == [text.replace(str(key), digest) for text in wanted]


@pytest.mark.parametrize("option, gets_in", [("", False), ("no-touch-required", True)])
def test_certificates_that_need_no_touch(serve, tmp_path, library, option, gets_in):
    token = Token(tmp_path / "token", library, "1234")
    key = enroll(OURS, tmp_path, token, "ecdsa-sk", "-O", "no-touch-required")
    authority = tmp_path / "ca"
    run([OURS.ssh_keygen, "-q", "-t", "ed25519", "-N", "", "-f", authority])
    for suite in (OURS, OPENSSH):
        host = serve(suite, f"TrustedUserCAKeys {authority}.pub")
        words = ["-O", option] if option else []
        command = [OURS.ssh_keygen, "-q", "-s", authority, "-I", "i", "-n", host.user, *words, f"{key}.pub"]
        assert run(command).returncode == 0
        config = host.client_config(key, SecurityKeyProvider=library)
        result = run(
            [OURS.ssh, "-F", config, "127.0.0.1", "echo in"], env={**os.environ, **token.environment}
        )
        assert (result.stdout == b"in\n") == gets_in, (suite, result.stderr)


@pytest.mark.parametrize("answer, status", [("1234", 0), ("wrong", 1), ("", 1)])
def test_the_agent_asks_for_a_pin(start_agent, tmp_path, library, answer, status):  # noqa: F811
    token = Token(tmp_path / "token", library, "1234")
    key = enroll(OURS, tmp_path, token, "ed25519-sk", "-O", "verify-required")
    token.taken("asked")
    token.taken("calls")
    agent = start_agent(OURS, "-P", library, **token.environment)
    assert agent.add(OURS, key).returncode == 0
    token.answer(answer)
    result = agent.add(OURS, "-T", f"{key}.pub", timeout=20)
    assert result.returncode == status, result.stderr
    digest = run([OPENSSH.ssh_keygen, "-lf", key]).stdout.decode().split()[1]
    assert f"Enter PIN for ED25519-SK key {digest}: " in token.taken("asked")
    calls = token.taken("calls")
    assert all(call == f"sign algorithm=1 application=ssh: flags=05 pin={answer}" for call in calls)
    assert len(calls) == (1 if answer else 0)


HELPERS = {OURS: str(OURS.prefix / "libexec/ssh-sk-helper"), OPENSSH: "/usr/lib/openssh/ssh-sk-helper"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suite, helper", [(OURS, OPENSSH), (OPENSSH, OURS)], ids=str)
def test_each_speaks_to_the_helper_of_the_other(start_agent, tmp_path, library, kind, suite, helper):  # noqa: F811
    token = Token(tmp_path / "token", library, "1234")
    token.environment["SSH_SK_HELPER"] = HELPERS[helper]
    words = ("-O", "resident", "-O", "user=joe", "-O", "application=ssh:work", "-O", f"challenge={library}")
    key = enroll(suite, tmp_path, token, kind, *words, "-O", f"write-attestation={tmp_path}/att")
    assert (tmp_path / "att").read_bytes().startswith(b"\0\0\0\x11ssh-sk-attest-v01\0\0\0\x0bcertificate")
    again = enroll(suite, tmp_path, token, kind, "-O", "verify-required")
    signed = tmp_path / "signed"
    environment = {**os.environ, **token.environment}
    for each in (key, again):
        signed.write_text("text")
        result = run(
            [suite.ssh_keygen, "-Y", "sign", "-n", "file", "-f", each, signed],
            env=environment,
            start_new_session=True,
        )
        assert result.returncode == 0, result.stderr
        signed.with_name("signed.sig").unlink()
    agent = start_agent(suite, "-P", library, **token.environment)
    result = agent.add(suite, "-K")
    assert result.returncode == 0, result.stderr
    result = agent.add(suite, "-T", f"{key}.pub")
    assert result.returncode == 0, result.stderr
    down = tmp_path / "down"
    down.mkdir()
    result = run([suite.ssh_keygen, "-K", "-N", ""], env=environment, cwd=down, start_new_session=True)
    assert result.returncode == 0, result.stderr
    assert (down / f"id_{kind.replace('-', '_')}_rk_work_joe").exists()
    for number, message in [
        (-2, "requested feature not supported"),
        (-3, "incorrect passphrase supplied to decrypt private key"),
        (-4, "device not found"),
        (-9, "invalid format"),
    ]:
        token.fail(number)
        result = run([suite.ssh_keygen, "-K"], env=environment, cwd=down, start_new_session=True)
        assert f"Unable to load resident keys: {message}" in result.stderr.decode()
