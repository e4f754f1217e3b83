# SPDX-License-Identifier: Apache-2.0
"""Every question at a terminal, byte by byte as OpenSSH asks it, and the terminal afterwards.

Each dialogue runs in a pty of its own, once with the programs under test and once with OpenSSH's;
what stood on the terminal, the exit status and the terminal's modes must be the same.
"""
import os
import pty
import re
import select
import shutil
import signal
import termios
import time

import pytest
from conftest import OPENSSH, UNDER_TEST, make_key, run, wait_until
from test_client_auth import Asking

CONTROL_C, CONTROL_D, CONTROL_Z, CONTROL_U = "\x03", "\x04", "\x1a", "\x15"


class Dialogue:
    """A program in a terminal of its own."""

    def __init__(self, command, environment=None):
        self.text = b""
        self.looked = 0
        variables = dict(os.environ, LC_ALL="C.UTF-8", **(environment or {}))
        for name in ("SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "DISPLAY", "SSH_AUTH_SOCK"):
            variables.pop(name, None)
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execvpe(str(command[0]), [str(word) for word in command], variables)
        self.before = termios.tcgetattr(self.terminal)
        self.status = None

    def read(self, seconds):
        if not select.select([self.terminal], [], [], seconds)[0]:
            return None
        try:
            data = os.read(self.terminal, 65536)
        except OSError:
            data = b""
        self.text += data
        return data

    def expect(self, wanted, seconds=8):
        """Waits for a text behind what was waited for before."""
        end = time.monotonic() + seconds
        while True:
            found = self.text.find(wanted.encode(), self.looked)
            if found >= 0:
                self.looked = found + len(wanted.encode())
                return self
            data = self.read(max(0, end - time.monotonic()))
            if not data:
                pytest.fail(f"{wanted!r} did not come, only {self.text[self.looked:]!r}")

    def answer(self, text):
        os.write(self.terminal, text.encode())
        return self

    def echoes(self):
        return bool(termios.tcgetattr(self.terminal)[3] & termios.ECHO)

    def finish(self, seconds=10):
        end = time.monotonic() + seconds
        while self.read(max(0, end - time.monotonic())):
            pass
        status = None
        while status is None:
            pid, ended = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                status = os.waitstatus_to_exitcode(ended)
            elif time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                status = "does not end"
            else:
                time.sleep(0.02)
        os.close(self.terminal)
        return status


def talk(command, steps, environment=None):
    """Answers what is asked, in order; returns the terminal's text and the exit status."""
    dialogue = Dialogue(command, environment)
    for wanted, answer in steps:
        dialogue.expect(wanted).answer(answer)
    status = dialogue.finish()
    return dialogue.text.decode(), status


def same(make_command, steps, environment=None, alike=lambda text: text):
    """The dialogue with the programs under test and with OpenSSH's: nothing differs."""
    seen = [talk(make_command(suite), steps, environment) for suite in (UNDER_TEST, OPENSSH)]
    if seen[1][1] == "does not end":
        # OpenSSH can miss a ^C that comes at once behind its question.
        seen[1] = talk(make_command(OPENSSH), steps, environment)
    seen = [(alike(text), status) for text, status in seen]
    assert seen[0] == seen[1]
    return seen[0]


# MARK: Host keys

@pytest.mark.parametrize("steps", [
    [("])? ", "no\n")], [("])? ", "NO\n")], [("])? ", "Yes\n")], [("])? ", "\n")],
    [("])? ", "y\n"), ("int: ", "n\n"), ("int: ", "SHA256:x\n"), ("int: ", "yes\n")],
    [("])? ", "yes please\n")], [("])? ", "no\tyes\n")], [("])? ", "yes \n")], [("])? ", "\tyes\n")],
    [("])? ", CONTROL_D)], [("])? ", "FINGERPRINT\n")], [("])? ", " FINGERPRINT \n")],
    [("])? ", "ye" + CONTROL_U + "no\n")],
    [("])? ", CONTROL_C)],
], ids=repr)
def test_answers_about_a_host_key(serve, key, tmp_path, steps):
    peer = serve(OPENSSH)
    fingerprint = run([OPENSSH.ssh_keygen, "-lf", f"{peer.host_keys[0]}.pub"]).stdout.split()[1]
    steps = [(wanted, text.replace("FINGERPRINT", fingerprint.decode())) for wanted, text in steps]
    hosts = tmp_path / "hosts"

    def command(suite):
        hosts.write_text("")
        config = peer.client_config(key, UserKnownHostsFile=hosts, StrictHostKeyChecking="ask",
                                    BatchMode="no")
        return [suite.ssh, "-F", config, "127.0.0.1", "echo in; exit 3"]

    same(command, steps)


# MARK: Passwords

PASSWORD = "'s password: "


@pytest.mark.parametrize("steps", [
    [(PASSWORD, "wrong\n"), (PASSWORD, "bad\n"), (PASSWORD, "false\n")],
    [(PASSWORD, "wrong\n"), (PASSWORD, "RIGHT\n")],
    [(PASSWORD, "\n"), (PASSWORD, "RIGHT\n")],
    [(PASSWORD, "not" + CONTROL_U + "RIGHT\n")],
    [(PASSWORD, CONTROL_D), (PASSWORD, CONTROL_C)],
    [(PASSWORD, CONTROL_D), (PASSWORD, "RIGHT\n")],
    [(PASSWORD, CONTROL_D), (PASSWORD, CONTROL_D), (PASSWORD, CONTROL_D)],
    [(PASSWORD, "RIGHT" + CONTROL_D + CONTROL_D)],
    [(PASSWORD, CONTROL_C)],
    [(PASSWORD, "half" + CONTROL_C)],
    [(PASSWORD, "wrong\n"), (PASSWORD, CONTROL_C)],
], ids=repr)
def test_passwords(serve, account, steps):
    name, password = account
    peer = serve(OPENSSH, "PasswordAuthentication yes", user=name)
    steps = [(wanted, text.replace("RIGHT", password)) for wanted, text in steps]

    def command(suite):
        config = peer.client_config(BatchMode="no", PreferredAuthentications="password",
                                    PubkeyAuthentication="no")
        return [suite.ssh, "-F", config, "127.0.0.1", "echo in; exit 3"]

    same(command, steps)


@pytest.mark.parametrize("steps", [
    [("Colour: ", "red\n"), ("Secret: ", "x\n"), ("Token: ", "answer\n")],
    [("Colour: ", "\n"), ("Secret: ", "\n"), ("Token: ", "\n")],
    [("Colour: ", "red\n"), ("Secret: ", CONTROL_C)],
    [("Colour: ", CONTROL_D), ("Secret: ", CONTROL_D), ("Token: ", "answer\n")],
], ids=repr)
def test_several_prompts_of_keyboard_interactive(tmp_path, steps):
    pytest.importorskip("asyncssh")
    servers = []

    def command(suite):
        servers.append(Asking(tmp_path, "kbdint"))
        server = servers[-1]
        return [suite.ssh, "-F", "none", "-p", server.port, "-o",
                f"UserKnownHostsFile={server.hosts}", "-o", "GlobalKnownHostsFile=none",
                "-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1",
                "someone@127.0.0.1", "x"]

    try:
        same(command, steps)
    finally:
        for server in servers:
            server.process.kill()
            server.process.wait()


# MARK: The terminal meanwhile

def test_what_is_typed_at_once_is_not_lost_and_not_shown(serve, account):
    """Programs such as sshpass and expect answer in the moment the question comes."""
    name, password = account
    peer = serve(OPENSSH, "PasswordAuthentication yes", "MaxAuthTries 20", user=name)
    config = peer.client_config(BatchMode="no", PreferredAuthentications="password",
                                NumberOfPasswordPrompts=12, PubkeyAuthentication="no")
    dialogue = Dialogue([UNDER_TEST.ssh, "-F", config, "127.0.0.1", "echo in; exit 3"])
    for _ in range(8):
        dialogue.expect(PASSWORD)
        assert not dialogue.echoes()
        dialogue.answer("wrong\n")
    dialogue.expect(PASSWORD).answer(password + "\n")
    assert dialogue.finish() == 3
    assert b"wrong" not in dialogue.text


@pytest.mark.parametrize("suite", [UNDER_TEST, OPENSSH], ids=lambda suite: suite.name)
def test_a_question_can_be_suspended(suite, serve, account):
    name, password = account
    peer = serve(OPENSSH, "PasswordAuthentication yes", user=name)
    config = peer.client_config(BatchMode="no", PreferredAuthentications="password",
                                PubkeyAuthentication="no")
    shell = Dialogue(["bash", "--norc", "-i"], {"PS1": "$ "})
    shell.expect("$ ").answer(f"{suite.ssh} -F {config} 127.0.0.1 'echo in-again'\n")
    shell.expect(PASSWORD).answer("ha" + CONTROL_Z)
    shell.expect("Stopped").expect("$ ")
    # The shell's line editor has taken the terminal: what is typed is shown again.
    shell.answer("echo $((40+2))\n").expect("42").expect("$ ").answer("fg\n")
    shell.expect(PASSWORD)
    assert not shell.echoes()
    shell.answer(password + "\n").expect("in-again\r\n").expect("$ ").answer("exit\n")
    shell.finish()
    assert password not in shell.text.decode()


@pytest.mark.parametrize("suite", [UNDER_TEST, OPENSSH], ids=lambda suite: suite.name)
def test_a_question_from_the_background_waits(suite, serve, account):
    name, password = account
    peer = serve(OPENSSH, "PasswordAuthentication yes", user=name)
    config = peer.client_config(BatchMode="no", PreferredAuthentications="password",
                                PubkeyAuthentication="no")
    shell = Dialogue(["bash", "--norc", "-i"], {"PS1": "$ "})
    shell.expect("$ ").answer(f"set -b; {suite.ssh} -F {config} 127.0.0.1 'echo in-again' &\n")
    shell.expect("Stopped").answer("\n").expect("$ ").answer("fg\n")
    shell.expect(PASSWORD)
    assert not shell.echoes()
    shell.answer(password + "\n").expect("in-again\r\n").expect("$ ").answer("exit\n")
    shell.finish()
    assert shell.text.count(PASSWORD.encode()) == 1


def rests(pid):
    """Whether a process sleeps, and still does a moment later."""
    def state():
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0]

    if state() != "S":
        return False
    time.sleep(0.2)
    return state() == "S"


def ended(pid):
    found, status = os.waitpid(pid, os.WNOHANG)
    return (found, status) if found else None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_at_a_question_restores_the_terminal(serve, account, number):
    name, _ = account
    peer = serve(OPENSSH, "PasswordAuthentication yes", user=name)
    config = peer.client_config(BatchMode="no", PreferredAuthentications="password",
                                PubkeyAuthentication="no")
    seen = []
    for suite in (UNDER_TEST, OPENSSH):
        dialogue = Dialogue([suite.ssh, "-F", config, "127.0.0.1"])
        dialogue.expect(PASSWORD)
        other = os.open(os.ttyname(os.open(os.readlink(f"/proc/{dialogue.pid}/fd/0"),
                                           os.O_RDWR | os.O_NOCTTY)), os.O_RDWR | os.O_NOCTTY)
        # A signal between question and reading is one that OpenSSH waits after: it must sleep first.
        wait_until(lambda: rests(dialogue.pid), "its rest")
        os.kill(dialogue.pid, number)
        status = wait_until(lambda: ended(dialogue.pid), "its end")[1]
        seen.append((os.waitstatus_to_exitcode(status), termios.tcgetattr(other)[3] & termios.ECHO))
        os.close(other)
        os.close(dialogue.terminal)
    assert seen[0] == seen[1]
    assert seen[0][1]


# MARK: ssh-keygen and ssh-add


def key_words(text):
    text = re.sub(r"SHA256:\S+", "DIGEST", text)
    text = re.sub(r"(?s)\+--.*\+----\S*\+\r\n", "ART\n", text)
    # The file's name is told since 9.6.
    return re.sub(r'passphrase for "[^"]*" \(empty', "passphrase (empty", text)


FIRST, AGAIN, OLD = "passphrase): ", "again: ", "old passphrase: "


@pytest.mark.parametrize("words, kept, steps", [
    ("-t ed25519 -C c -f FILE", None, [(FIRST, "abcde\n"), (AGAIN, "abcde\n")]),
    ("-t ed25519 -C c -f FILE", None, [(FIRST, "abcde\n"), (AGAIN, "x\n"), (FIRST, "\n"), (AGAIN, "\n")]),
    ("-t ed25519 -C c -f FILE", None, [(FIRST, "abc\n"), (AGAIN, "abc\n")]),
    ("-t ed25519 -C c -f FILE", "plain", [("(y/n)? ", "n\n")]),
    ("-t ed25519 -C c -f FILE", "plain", [("(y/n)? ", CONTROL_D)]),
    ("-t ed25519 -C c -f FILE", "plain", [("(y/n)? ", "Yes\n"), (FIRST, "\n"), (AGAIN, "\n")]),
    ("-p -f FILE", "plain", [(FIRST, "secret2\n"), (AGAIN, "secret2\n")]),
    ("-p -f FILE", "locked", [(OLD, "wrong\n")]),
    ("-p -f FILE", "locked", [(OLD, "secret\n"), (FIRST, "\n"), (AGAIN, "\n")]),
    ("-p -f FILE", "locked", [(OLD, "secret\n"), (FIRST, "abcde\n"), (AGAIN, "x\n")]),
    ("-c -f FILE", "plain", [("New comment: ", "new\n")]),
    ("-c -f FILE", "locked", [("passphrase: ", "wrong\n")]),
    ("-y -f FILE", "locked", [("passphrase: ", "secret\n")]),
    ("-y -f FILE", "locked", [("passphrase: ", "wrong\n")]),
], ids=repr)
def test_questions_of_ssh_keygen(tmp_path, words, kept, steps):
    make_key(tmp_path, "plain")
    make_key(tmp_path, "locked", passphrase="secret")
    file = tmp_path / "file"

    def command(suite):
        for suffix in ("", ".pub"):
            file.with_name("file" + suffix).unlink(missing_ok=True)
            if kept:
                shutil.copy(tmp_path / (kept + suffix), tmp_path / ("file" + suffix))
        return [suite.ssh_keygen, *words.replace("FILE", str(file)).split()]

    same(command, steps, alike=key_words)


@pytest.mark.parametrize("lines, steps", [
    (["ADD locked", "ADD -l"], [("locked: ", "secret\n")]),
    (["ADD locked", "ADD -l"], [("locked: ", "wrong\n"), (": ", "secret\n")]),
    (["ADD locked", "ADD -l"], [("locked: ", "\n")]),
    (["ADD -q plain", "ADD -x", "ADD -l", "ADD -X", "ADD -X", "ADD -l"],
     [("password: ", "p\n"), (AGAIN.capitalize(), "p\n"), ("password: ", "q\n"), ("password: ", "p\n")]),
    (["ADD -x", "echo $?"], [("password: ", "p\n"), ("Again: ", "q\n")]),
    (["ADD -x", "ADD -x"], [("password: ", "p\n"), ("Again: ", "p\n"), ("password: ", "q\n"), ("Again: ", "q\n")]),
    (["ADD -t 1h -c -v plain", "ADD -l -E md5", "ADD -d plain", "ADD -D", "ADD -l"], []),
    (["ADD -q plain", "ADD -T plain.pub", "ADD -T locked.pub", "ADD -vT plain.pub"], []),
], ids=repr)
def test_questions_of_ssh_add(tmp_path, lines, steps):
    make_key(tmp_path, "plain")
    make_key(tmp_path, "locked", passphrase="secret")
    script = f"cd {tmp_path}; " + "; ".join(lines)

    def command(suite):
        return [OPENSSH.ssh_agent, "sh", "-c", script.replace("ADD", suite.ssh_add)]

    same(command, steps, alike=key_words)
