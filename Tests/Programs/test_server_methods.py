# SPDX-License-Identifier: Apache-2.0
"""What is answered to each request for authentication, request by request, by OpenSSH's server and by ours."""
import os
import pathlib
import re

import pytest
from bare_login import BareLogin
from conftest import OPENSSH, UNDER_TEST, make_key, run, wait_until
from test_server_files import etc, serve_with  # noqa: F401

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="accounts are root's")
BOTH = pytest.mark.parametrize("suite", [UNDER_TEST, OPENSSH], ids=repr)


class Talk:
    """A server, an account and keys; `steps` names what the client does."""

    def __init__(self, start, account, key, folder):
        self.start, self.key, self.folder = start, key, folder
        self.name, self.password = account

    def answers(self, suite, lines, steps):
        keys = self.folder / "keys"
        keys.write_text("".join(pathlib.Path(f"{key}.pub").read_text() for key in (self.key, self.other)))
        self.peer = self.start(suite, f"AuthorizedKeysFile {keys}", *lines, user=self.name)
        client = BareLogin(self.peer.port, self.name)
        try:
            answers = [self.step(client, step) for step in steps.split()]
            self.banner = client.banner
            return answers
        finally:
            client.close()

    def step(self, client, step):
        answer = {
            "none": client.none,
            "key": lambda: client.key(self.key),
            "other": lambda: client.key(self.other),
            "certificate": lambda: client.key(self.key, certificate=f"{self.key}-cert.pub"),
            "damaged": lambda: client.key(self.key, damaged=True),
            "right": lambda: client.password(self.password),
            "wrong": lambda: client.password("wrong"),
            "empty": lambda: client.password(""),
            "change": lambda: client.password(self.password, new="New-" + self.password),
            "ask": client.interactive,
            "ask:bsdauth": lambda: client.interactive("bsdauth"),
            "ask:pam": lambda: client.interactive("bsdauth,pam"),
            "reply": lambda: client.respond(self.password),
            "style": lambda: client.password(self.password, user=self.name + ":style"),
            "name": lambda: client.password(self.password, user="root"),
            "service": lambda: client.password(self.password, service="ssh-other"),
        }[step]()
        if answer.startswith("ask ") and not client.questions:  # OpenSSH tells so how it went.
            client.banner += client.instruction
            answer = client.respond()
        return answer.replace(self.name, "NAME")


@pytest.fixture
def talk(serve_with, account, key, tmp_path, home):  # noqa: F811
    home.chmod(0o755)
    it = Talk(serve_with, account, key, home)
    it.other = make_key(tmp_path, "other")
    return it


ALL = "publickey,password,keyboard-interactive"
INTERACTIVE = "keyboard-interactive"
ONE = [
    # configuration, what the client does, what it is answered
    (["AuthenticationMethods publickey,keyboard-interactive:pam"], "key ask reply",
     [f"partly {INTERACTIVE}", "ask Password: ", "in"]),
    (["AuthenticationMethods keyboard-interactive:bsdauth publickey"], "ask key",
     [f"no publickey,{INTERACTIVE}", "in"]),
    (["AuthenticationMethods keyboard-interactive:bsdauth,publickey keyboard-interactive:pam"], "ask reply",
     ["ask Password: ", "in"]),
    ([], "ask:bsdauth ask:pam reply", [f"no {ALL}", "ask Password: ", "in"]),
    (["AuthenticationMethods none"], "none right key", ["no ", "no ", "no "]),
    (["AuthenticationMethods none publickey"], "none right key", ["no publickey", "no publickey", "in"]),
    (["Match user NAME", "PubkeyAuthentication no", "AuthenticationMethods publickey"], "none",
     ["end no authentication methods enabled"]),
    (["AuthenticationMethods publickey password", "Match user NAME", "PubkeyAuthentication no"], "none key right",
     ["no password", "no password", "in"]),
    (["MaxAuthTries 0"], "key", ["end Too many authentication failures"]),
    (["MaxAuthTries 0"], "none", ["end Too many authentication failures"]),
    (["MaxAuthTries 1"], "none key", [f"no {ALL}", "in"]),
    (["MaxAuthTries 3", "AuthenticationMethods publickey,password"], "key wrong wrong wrong",
     ["partly password", "no password", "no password", "end Too many authentication failures"]),
    ([], "change right", [f"no {ALL}", "in"]),
    ([], "none style", [f"no {ALL}", "in"]),
    ([], "none name",
     [f"no {ALL}", "end Change of username or service not allowed: (NAME,ssh-connection) -> (root,ssh-connection)"]),
    ([], "none service",
     [f"no {ALL}", "end Change of username or service not allowed: (NAME,ssh-connection) -> (NAME,ssh-other)"]),
    (["AuthenticationMethods publickey,publickey"], "key key other", ["partly publickey", "no publickey", "in"]),
    (["AuthenticationMethods publickey,publickey", "TrustedUserCAKeys CA"], "certificate key other",
     ["partly publickey", "no publickey", "in"]),
]


@BOTH
@pytest.mark.parametrize("lines,steps,answers", ONE, ids=lambda value: value if isinstance(value, str) else "")
def test_answers(suite, lines, steps, answers, talk):
    if "TrustedUserCAKeys CA" in lines:
        authority = make_key(talk.folder, "authority")
        run([OPENSSH.ssh_keygen, "-q", "-s", authority, "-I", "id", "-n", talk.name, f"{talk.key}.pub"])
    lines = [line.replace("NAME", talk.name).replace(" CA", f" {talk.folder}/authority.pub") for line in lines]
    assert talk.answers(suite, ["UsePAM yes", *lines], steps) == answers, talk.peer.log_text()


@BOTH
@pytest.mark.parametrize("usepam", ["yes", "no"])
@pytest.mark.parametrize("lines,steps,answers", [
    ([], "none", ["in"]),
    (["AuthenticationMethods none"], "none", ["in"]),
    (["AuthenticationMethods none publickey"], "none", ["in"]),
    (["AuthenticationMethods none,publickey"], "none empty key", ["partly publickey", "no publickey", "in"]),
    (["AuthenticationMethods publickey,none"], "none key none", ["no publickey", "partly ", "in"]),
    (["AuthenticationMethods publickey"], "none key", ["no publickey", "in"]),
    # That it is right is no partial success of what nobody asked for.
    (["AuthenticationMethods password,publickey"], "none", ["no password"]),
    (["PasswordAuthentication no"], "none", [f"no publickey,{INTERACTIVE}"]),
    (["PermitEmptyPasswords no", "AuthenticationMethods none"], "none", ["no "]),
], ids=lambda value: value if isinstance(value, str) else "")
def test_answers_to_who_has_no_password(suite, usepam, lines, steps, answers, talk, etc):  # noqa: F811
    shadow = (etc / "shadow").read_text()
    (etc / "shadow").write_text(re.sub(rf"(?m)^{talk.name}:[^:]*:", f"{talk.name}::", shadow))
    lines = [f"UsePAM {usepam}", *lines, "PermitEmptyPasswords yes"]
    if lines[1] == "PasswordAuthentication no":
        lines = ["PasswordAuthentication no", *lines]
    assert talk.answers(suite, lines, steps) == answers, talk.peer.log_text()


@BOTH
@pytest.mark.parametrize("lines,steps,line", [
    (["AuthenticationMethods publickey,publickey"], "key key", "refusing previously-used ED25519 key [preauth]"),
    ([], "change", "password change not supported [preauth]"),
    (["PermitEmptyPasswords yes"], "none", "Failed none for NAME from 127.0.0.1 port N ssh2"),
    ([], "ask right", "Failed keyboard-interactive/pam for NAME from 127.0.0.1 port N ssh2"),
    ([], "ask", "Postponed keyboard-interactive for NAME from 127.0.0.1 port N ssh2 [preauth]"),
    ([], "none name", "Disconnecting authenticating user NAME 127.0.0.1 port N: Change of username or service "
     "not allowed: (NAME,ssh-connection) -> (root,ssh-connection) [preauth]"),
    (["Match user NAME", "PubkeyAuthentication no", "AuthenticationMethods publickey"], "none",
     "No AuthenticationMethods left after eliminating disabled methods [preauth]"),
    (["AuthenticationMethods publickey password", "Match user NAME", "PubkeyAuthentication no"], "none",
     'Authentication methods list "publickey" contains disabled method, skipping [preauth]'),
])
def test_what_is_logged(suite, lines, steps, line, talk):
    lines = [each.replace("NAME", talk.name) for each in lines]
    talk.answers(suite, ["UsePAM yes", *lines], steps)

    def log():
        return re.sub(r"port \d+", "port N", talk.peer.log_text()).replace(talk.name, "NAME").splitlines()

    wait_until(lambda: line in log(), f"{line} in {log()}")
    # Nobody has answered anything wrong, and a signature is not what is asked for here.
    assert not re.search("PAM: Auth|key verification failed", talk.peer.log_text())


@BOTH
def test_a_wrong_signature_is_told_once(suite, talk):
    assert talk.answers(suite, ["UsePAM no"], "damaged") == [f"no {ALL}"]
    assert "Failed publickey" in talk.peer.log_text() and "verification" not in talk.peer.log_text()


@pytest.mark.parametrize("lists,usepam", [
    ("password,publickey", "no"), ("keyboard-interactive,publickey", "yes"), ("password,publickey,publickey", "no"),
])
@pytest.mark.parametrize("client", [UNDER_TEST, OPENSSH], ids=repr)
@BOTH
def test_a_client_whose_key_is_not_wanted_first(suite, client, lists, usepam, talk, askpass):
    keys = talk.folder / "keys"
    keys.write_text("".join(pathlib.Path(f"{key}.pub").read_text() for key in (talk.key, talk.other)))
    peer = talk.start(
        suite, f"UsePAM {usepam}", f"AuthenticationMethods {lists}", f"AuthorizedKeysFile {keys}", user=talk.name)
    environment, _ = askpass(talk.password)
    config = peer.client_config(talk.key, BatchMode="no")
    result = run([client.ssh, "-F", config, "-i", talk.other, "127.0.0.1", "echo in"], env=environment)
    assert result.stdout == b"in\n", result.stderr


# PAM


NOTE = "Mind the gap.\n"
TELLS = "account optional pam_echo.so file=/etc/note\n"
DENIES = "account required pam_deny.so\n"


@BOTH
@pytest.mark.parametrize("rules,lines,steps,answers,told", [
    # Whoever gets in is told before, with a command too; once.
    (TELLS, [], "key", ["in"], NOTE),
    (TELLS, [], "right", ["in"], NOTE),
    (TELLS, [], "ask reply", ["ask Password: ", "in"], NOTE),
    (TELLS, ["AuthenticationMethods publickey,password"], "key right", ["partly password", "in"], NOTE),
    ("auth optional pam_echo.so file=/etc/note\n", [], "right", ["in"], NOTE),
    # Only who has shown all learns that the account is of no use.
    (DENIES, ["AuthenticationMethods publickey,password"], "key right", ["partly password", "end"], ""),
    (TELLS + DENIES, [], "key", ["end"], NOTE),
    (TELLS + DENIES, [], "ask reply", ["ask Password: ", f"no {ALL}"], NOTE),
])
def test_what_pam_says_of_an_account(suite, rules, lines, steps, answers, told, talk, etc):  # noqa: F811
    (etc / "note").write_text(NOTE)
    (etc / "pam.d/sshd").write_text(rules + (etc / "pam.d/sshd").read_text())
    given = talk.answers(suite, ["UsePAM yes", *lines], steps)
    assert [each.split(" ")[0] if each.startswith("end") else each for each in given] == answers, talk.peer.log_text()
    assert talk.banner == told
    if answers == ["end"]:
        wait_until(lambda: "by PAM account configuration [preauth]" in talk.peer.log_text(), "the reason")
        assert f"Failed publickey for {talk.name} from" in talk.peer.log_text()
