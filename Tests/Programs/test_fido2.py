# SPDX-License-Identifier: Apache-2.0
"""The system's libfido2 as the middleware: authenticator.py is a token at the other end of a terminal,
which fido_device.c shows to libfido2 as a device on USB. OpenSSH's programs speak to it just the same."""
import ctypes.util
import os
import shutil

import pytest
from authenticator import Authenticator
from conftest import OPENSSH, OURS, ROOT, UNDER_TEST, run
from test_agent import start_agent  # noqa: F401

pytestmark = [
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
    pytest.mark.skipif(ctypes.util.find_library("fido2") is None, reason="needs libfido2"),
    pytest.mark.skipif(UNDER_TEST is OPENSSH, reason="compares the two"),
]
BOTH = pytest.mark.parametrize("suite", [OURS, OPENSSH], ids=str)
KINDS = ("ecdsa-sk", "ed25519-sk")


@pytest.fixture(scope="session")
def preload(tmp_path_factory):
    path = tmp_path_factory.mktemp("device") / "fido_device.so"
    source = ROOT / "Tests/Programs/fido_device.c"
    result = run(["cc", "-O1", "-shared", "-fPIC", "-o", path, source, "-ldl"])
    assert result.returncode == 0, result.stderr
    return path


class Desk:
    """Tokens, a person with a PIN, and a folder for keys."""

    def __init__(self, folder, preload, pin, tokens):
        self.folder = folder
        self.tokens = [Authenticator(pin) for _ in range(tokens)]
        self.token = self.tokens[0]
        self.ask = folder / "ask"
        self.answer(pin or "")
        self.environment = {
            **os.environ,
            "LD_PRELOAD": str(preload),
            "HAWSER_DEVICES": ":".join(token.path for token in self.tokens),
            "SSH_ASKPASS": str(self.ask),
            "SSH_ASKPASS_REQUIRE": "force",
        }
        self.environment.pop("SSH_SK_PROVIDER", None)

    def answer(self, text):
        self.ask.write_text(f"#!/bin/sh\necho '{text}'\n")
        self.ask.chmod(0o755)

    def run(self, suite, *words, **options):
        command = [suite.ssh_keygen, *words]
        return run(command, env=self.environment, cwd=self.folder, start_new_session=True, **options)

    def enroll(self, suite, name, kind, *words, status=0, **options):
        self.token.log.clear()
        result = self.run(suite, "-q", "-t", kind, "-N", "", "-C", "c", "-f", name, *words, **options)
        assert result.returncode == status, result.stderr
        return result

    def sign(self, suite, name):
        text = self.folder / "text"
        text.write_text("text")
        self.token.log.clear()
        result = self.run(suite, "-Y", "sign", "-n", "file", "-f", name, text)
        if result.returncode == 0:
            for checker in (OURS, OPENSSH):
                check = self.run(
                    checker, "-Y", "check-novalidate", "-n", "file", "-s", f"{text}.sig", input=b"text"
                )
                assert check.returncode == 0, check.stderr
            (self.folder / "text.sig").unlink()
        return result


@pytest.fixture
def desk(tmp_path, preload):
    desks = []

    def make(pin="1234", tokens=1):
        desks.append(Desk(tmp_path, preload, pin, tokens))
        return desks[-1]

    yield make
    for each in desks:
        for token in each.tokens:
            token.close()


def made(token):
    return [line for line in token.log if line.startswith("made ")]


@BOTH
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pin", [None, "1234"])
def test_a_key_is_made_and_signs(desk, suite, kind, pin):
    here = desk(pin)
    here.enroll(suite, "id", kind)
    number = -7 if kind == "ecdsa-sk" else -8
    assert made(here.token) == [
        f"made ssh: user=openssh alg={number} resident=False protection=1 verified=False"
    ]
    assert here.sign(suite, "id").returncode == 0
    assert "signed ssh: flags=1" in here.token.log


@BOTH
@pytest.mark.parametrize(
    "words, expected, signed",
    [
        (("-O", "no-touch-required"), "ssh: user=openssh alg=-8 resident=False protection=1 verified=False", 0),
        (("-O", "resident"), "ssh: user=openssh alg=-8 resident=True protection=2 verified=True", 1),
        (("-O", "verify-required"), "ssh: user=openssh alg=-8 resident=False protection=3 verified=False", 5),
        (
            ("-O", "resident", "-O", "verify-required", "-O", "user=joe", "-O", "application=ssh:work"),
            "ssh:work user=openssh alg=-8 resident=True protection=3 verified=True",
            5,
        ),
    ],
)
def test_what_a_token_is_asked_for(desk, suite, words, expected, signed):
    here = desk()
    device = ("-O", f"device={here.token.path}")
    here.enroll(suite, "id", "ed25519-sk", *words, *device)
    assert made(here.token) == [f"made {expected}"]
    result = here.sign(suite, "id")
    assert result.returncode == 0, result.stderr
    application = expected.split()[0]
    assert f"signed {application} flags={signed}" in here.token.log


@BOTH
def test_wrong_pins_and_no_token(desk, suite, tmp_path):
    here = desk()
    here.enroll(suite, "id", "ed25519-sk", "-O", "resident", "-O", "verify-required")
    here.answer("wrong")
    result = here.enroll(suite, "other", "ed25519-sk", "-O", "resident", status=255)
    assert b"PIN incorrect" in result.stderr and b"Too many incorrect PINs" in result.stderr
    assert b"incorrect passphrase" in here.sign(suite, "id").stderr
    result = here.run(suite, "-K", "-N", "")
    assert b"Unable to load resident keys: incorrect passphrase" in result.stderr
    here.environment["HAWSER_DEVICES"] = ""
    result = here.enroll(suite, "other", "ed25519-sk", status=255)
    assert b"device not found" in result.stderr
    assert here.sign(suite, "id").returncode == 255


@BOTH
def test_a_resident_key_is_replaced_after_a_question(desk, suite):
    here = desk()
    words = ("ed25519-sk", "-O", "resident", "-O", "user=joe")
    here.enroll(suite, "one", *words)
    result = here.enroll(suite, "two", *words, status=255, input=b"n\n")
    assert b"A resident key scoped to 'ssh:' with user id 'joe' already exists." in result.stdout
    here.enroll(suite, "three", "ed25519-sk", "-O", "resident", "-O", "user=jane")
    here.enroll(suite, "two", *words, input=b"y\n")
    assert len(here.token.credentials) == 2


@BOTH
@pytest.mark.parametrize("kind", KINDS)
def test_resident_keys_come_back(desk, start_agent, tmp_path, suite, kind):  # noqa: F811
    here = desk()
    here.enroll(suite, "a", kind, "-O", "resident")
    here.enroll(suite, "b", kind, "-O", "resident", "-O", "user=joe", "-O", "application=ssh:work")
    here.enroll(suite, "c", kind, "-O", "resident", "-O", "verify-required", "-O", "application=ssh:safe")
    result = here.run(suite, "-K", "-N", "")
    assert result.returncode == 0, result.stderr
    stem = f"id_{kind.replace('-', '_')}_rk"
    for name, found in [("a", stem), ("b", f"{stem}_work_joe"), ("c", f"{stem}_safe")]:
        public = [(tmp_path / f"{each}.pub").read_text().split()[:2] for each in (name, found)]
        assert public[0] == public[1]
        assert here.sign(suite, found).returncode == 0
    assert "signed ssh:safe flags=5" in here.token.log
    if suite is OPENSSH:
        return  # its agent is set-gid: no preloading
    names = ("LD_PRELOAD", "HAWSER_DEVICES", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE")
    agent = start_agent(suite, **{name: here.environment[name] for name in names})
    result = agent.add(suite, "-K")
    assert result.returncode == 0, result.stderr
    for name in "abc":
        result = agent.add(suite, "-T", f"{tmp_path}/{name}.pub")
        assert result.returncode == 0, result.stderr


@BOTH
def test_the_token_that_is_touched_makes_the_key(desk, suite):
    here = desk(tokens=3)
    for token in here.tokens:
        token.is_touched = False
    here.tokens[1].is_touched = True
    here.enroll(suite, "id", "ed25519-sk")
    assert [len(made(token)) for token in here.tokens] == [0, 1, 0]
    # A signature finds its token by itself.
    assert here.sign(suite, "id").returncode == 0
    assert "signed ssh: flags=1" in here.tokens[1].log


def test_attestation(desk, tmp_path):
    here = desk()
    challenge = tmp_path / "challenge"
    challenge.write_bytes(b"challenge")
    here.enroll(OURS, "id", "ed25519-sk", "-O", f"challenge={challenge}", "-O", "write-attestation=att")
    data = (tmp_path / "att").read_bytes()
    assert data.startswith(b"\0\0\0\x11ssh-sk-attest-v01\0\0\0\0\0\0\0\x40")


@pytest.mark.parametrize("kind", KINDS)
def test_login(desk, serve, kind):
    here = desk()
    here.enroll(OURS, "id", kind, "-O", "verify-required")
    host = serve(OURS, "PubkeyAuthOptions verify-required")
    host.authorized_keys.write_text((here.folder / "id.pub").read_text())
    config = host.client_config(here.folder / "id", BatchMode="no")
    result = run(
        [OURS.ssh, "-F", config, "127.0.0.1", "echo in"], env=here.environment, start_new_session=True
    )
    assert result.stdout == b"in\n", result.stderr
