# SPDX-License-Identifier: Apache-2.0
"""What client and server say, side by side with OpenSSH: the same scenario, the same words.

The log of sshd, line by line, for logins that succeed and that fail in every way; what ssh prints
where nobody can be asked, where the host's key is another one, and where a signal ends a session.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import termios
import time

import pytest
from conftest import OPENSSH, OURS, UNDER_TEST, Server, free_port, make_key, run, wait_until
from test_manual_daemon import syslog  # noqa: F401
from test_prompts import Dialogue

SUITES = (UNDER_TEST, OPENSSH)


def words(key):
    return " ".join(open(f"{key}.pub").read().split()[:2])


# MARK: The server's log


class Scene:
    """A server of each suite, one after the other, with the same files."""

    def __init__(self, folder, account):
        self.folder = folder
        self.account, self.password = account
        self.key = make_key(folder)
        self.other = make_key(folder, "other")
        self.authority = make_key(folder, "authority")
        for name, principal, validity in (
            ("good", "root", "always:forever"), ("foreign", "nobody", "always:forever"),
            ("expired", "root", "20200101:20210101"),
        ):
            key = make_key(folder, name)
            run([OPENSSH.ssh_keygen, "-q", "-s", self.authority, "-I", f"id {name}", "-n", principal,
                 "-V", validity, "-z", "7", f"{key}.pub"])
        askpass = folder / "askpass"
        askpass.write_text("#!/bin/sh\necho $ANSWER\n")
        askpass.chmod(0o755)
        self.environment = dict(os.environ, SSH_ASKPASS=str(askpass), SSH_ASKPASS_REQUIRE="force")

    def log(self, suite, extra, lines, act, arguments):
        shutil.rmtree(self.folder / "server", ignore_errors=True)
        expanded = [line.replace("FOLDER", str(self.folder)) for line in extra]
        server = Server(suite, self.folder / "server", "root", arguments=arguments,
                        extra=("LogLevel VERBOSE", "PasswordAuthentication yes", *expanded))
        text = f"{words(self.key)}\n" if lines is None else lines
        server.authorized_keys.write_text(
            text.replace("AUTHORITY", words(self.authority)).replace("KEY", words(self.key)))
        server.start()
        # The probe of `start` has been told of.
        time.sleep(0.2)
        begin = len(server.log_text())
        act(self, server)
        time.sleep(0.4)
        server.stop()
        return self.alike(server.log_text()[begin:], suite)

    def alike(self, text, suite):
        text = re.sub(r"port \d{4,5}", "port N", text)
        text = re.sub(r"\]:\d{4,5}", "]:N", text)
        text = re.sub(r"/dev/pts/\d+|pts/\d+", "PTS", text)
        # When a session's channel is gone is a matter of moments; bytes are not the same ones; the
        # process is another; there is no wtmp everywhere.
        passing = r"Close session|Transferred|User child is on pid|syslogin_perform_logout"
        return [line for line in text.replace("\r", "").splitlines() if not re.search(passing, line)]

    def ssh(self, server, *arguments, key=None, user="root", password=None, command="true", **options):
        options = {
            "Port": server.port, "UserKnownHostsFile": "/dev/null", "StrictHostKeyChecking": "no",
            "GlobalKnownHostsFile": "/dev/null", "IdentitiesOnly": "yes", "IdentityAgent": "none",
        } | ({"BatchMode": "yes"} if password is None else {}) | (
            {"IdentityFile": key or self.key} if password is None else {"PubkeyAuthentication": "no"}
        ) | options
        return run(
            [OPENSSH.ssh, "-F", "none", *(f"-o{name}={value}" for name, value in options.items()),
             *arguments, f"{user}@127.0.0.1", *([command] if command else [])],
            env=dict(self.environment, ANSWER=password or ""))


@pytest.fixture(scope="module")
def scene(tmp_path_factory, account):
    return Scene(tmp_path_factory.mktemp("scene"), account)


def login(*arguments, **options):
    def act(scene, server):
        given = {name: scene.password if value == "RIGHT" else scene.account if value == "ACCOUNT"
                 else scene.folder / value if name == "key" else value
                 for name, value in options.items()}
        scene.ssh(server, *(word.replace("PORT", str(server.port)) for word in arguments), **given)
    return act


def raw(*parts, reset=False):
    """Bytes from someone who is no client; a number is a pause."""
    def act(scene, server):
        with socket.create_connection(("127.0.0.1", server.port)) as peer:
            for part in parts:
                if isinstance(part, bytes):
                    peer.sendall(part)
                else:
                    time.sleep(part)
            time.sleep(0.3)
            if not reset:
                # What the server has said is taken, so that the end is a plain one.
                peer.setblocking(False)
                try:
                    while peer.recv(65536):
                        pass
                except OSError:
                    pass
    return act


AUTHORITY = ["TrustedUserCAKeys FOLDER/authority.pub"]
SCENES = {
    # name: (configuration, authorized_keys or None, what happens)
    "nothing": ([], None, lambda scene, server: None),
    "a command": ([], None, login()),
    "a failing command": ([], None, login(command="exit 3")),
    "a terminal": ([], None, login("-tt")),
    "a shell": ([], None, login(command=None)),
    "a subsystem": (["Subsystem foo /bin/true"], None, login("-s", command="foo")),
    "no subsystem": ([], None, login("-s", command="nosuch")),
    "a forced command": (["ForceCommand echo hi"], None, login()),
    "a command of the key": ([], 'command="echo hi" KEY', login()),
    "a restricted key": ([], "restrict,pty KEY comment", login("-tt")),
    "a key from elsewhere": ([], 'from="10.0.0.1" KEY comment', login()),
    "a key whose time is over": ([], 'expiry-time="20200101" KEY comment', login()),
    "another key": ([], None, login(key="other", PasswordAuthentication="no")),
    "an unknown user's key": ([], None, login(user="nosuchuser")),
    "an unknown user's passwords": ([], None, login(user="nosuchuser", password="x")),
    "wrong passwords": ([], None, login(user="ACCOUNT", password="x")),
    "too many wrong passwords": (["MaxAuthTries 3"], None, login(user="ACCOUNT", password="x")),
    "a right password": ([], None, login(user="ACCOUNT", password="RIGHT")),
    "a password of root": ([], None, login(password="x", NumberOfPasswordPrompts=1)),
    "no root": (["PermitRootLogin no"], None, login()),
    "another's list": (["AllowUsers nobody"], None, login()),
    "a denied group": (["DenyGroups root"], None, login()),
    "two methods": (["AuthenticationMethods publickey,password"], None, login()),
    "a method without PAM": (["AuthenticationMethods keyboard-interactive"], None,
                             login(user="ACCOUNT", password="x")),
    "too many keys": (["MaxAuthTries 1"], None, login(key="other")),
    "a certificate": (AUTHORITY, "", login(key="good")),
    "a certificate for another": (AUTHORITY, "", login(key="foreign")),
    "an expired certificate": (AUTHORITY, "", login(key="expired")),
    "an authority of the file": ([], "cert-authority AUTHORITY\n", login(key="good")),
    "an authority for others": ([], 'cert-authority,principals="a,b" AUTHORITY\n', login(key="good")),
    "a revoked key": (["RevokedKeys FOLDER/id.pub"], None, login()),
    "a revoked authority": ([*AUTHORITY, "RevokedKeys FOLDER/authority.pub"], "", login(key="good")),
    "no list of revoked keys": (["RevokedKeys /nowhere/keys"], None, login()),
    "a program's keys": (["AuthorizedKeysFile none", "AuthorizedKeysCommand /bin/cat FOLDER/id.pub",
                          "AuthorizedKeysCommandUser root"], None, login()),
    "a program that fails": (["AuthorizedKeysFile none", "AuthorizedKeysCommand /bin/false",
                              "AuthorizedKeysCommandUser root"], None, login()),
    "a kind of key that is not accepted": (["PubkeyAcceptedAlgorithms ecdsa-sha2-nistp256"], None, login()),
    "no cipher": (["Ciphers aes128-ctr"], None, login(Ciphers="aes256-ctr")),
    "no MAC": (["MACs hmac-sha1"], None, login(MACs="hmac-sha2-256", Ciphers="aes128-ctr")),
    "no key exchange": (["KexAlgorithms curve25519-sha256"], None, login(KexAlgorithms="ecdh-sha2-nistp256")),
    "no host key": ([], None, login(HostKeyAlgorithms="rsa-sha2-256")),
    "a connection that is closed": ([], None, raw()),
    "a connection that is closed later": ([], None, raw(b"SSH-2.0-x\r\n")),
    "a connection that is reset": ([], None, raw(reset=True)),
    "a connection that is reset later": ([], None, raw(b"SSH-2.0-x\r\n", reset=True)),
    "another protocol": ([], None, raw(b"GET / HTTP/1.0\r\n\r\n")),
    "a first line of zeros": ([], None, raw(b"\x00\x16\x03\xff" * 20 + b"\n")),
    "protocol 1": ([], None, raw(b"SSH-1.5-x\r\n")),
    "protocol 3": ([], None, raw(b"SSH-3.0-x\r\n")),
    "a packet of a bad length": ([], None, raw(b"SSH-2.0-x\r\n", 0.2, b"\xff" * 100)),
    "a packet of no length": ([], None, raw(b"SSH-2.0-x\r\n", 0.2, b"\0" * 100)),
    "a client that does not know the host": ([], None, login(StrictHostKeyChecking="yes")),
    "a forward that is off": (["AllowTcpForwarding no"], None, login("-W", "127.0.0.1:1", command=None)),
    "a forward to nobody": ([], None, login("-W", "127.0.0.1:1", command=None)),
    "a forward to elsewhere": (["PermitOpen 127.0.0.1:2"], None, login("-W", "127.0.0.1:1", command=None)),
    "a port that is taken": ([], None, login("-R", "PORT:127.0.0.1:1", "-oExitOnForwardFailure=yes")),
    "a tunnel": ([], None, login("-w", "any")),
    "no sessions": (["MaxSessions 0"], None, login()),
    "a quiet server": ([], None, login()),
}


@pytest.mark.skipif(os.getuid() != 0, reason="an sshd for all accounts is root's")
@pytest.mark.parametrize("name", SCENES)
def test_the_log_of_the_server(scene, name):
    extra, lines, act = SCENES[name]
    arguments = ["-q"] if name == "a quiet server" else []
    ours, theirs = (scene.log(suite, extra, lines, act, arguments) for suite in SUITES)
    assert ours == theirs
    assert bool(theirs) == (name != "a quiet server")


# MARK: Nobody to ask


@pytest.mark.parametrize("variables", [
    {}, {"DISPLAY": ":9"}, {"DISPLAY": ":9", "SSH_ASKPASS": "/nowhere/x"},
    {"SSH_ASKPASS": "/nowhere/x"}, {"SSH_ASKPASS_REQUIRE": "force"},
    {"SSH_ASKPASS_REQUIRE": "never", "DISPLAY": ":9", "SSH_ASKPASS": "/bin/true"},
    {"DISPLAY": ":9", "SSH_ASKPASS": "/bin/false"},
], ids=lambda variables: " ".join(f"{name}={value}" for name, value in variables.items()) or "nothing")
@pytest.mark.parametrize("asks", ["password", "key", "host", "ssh-add", "lock", "show", "change"])
def test_nobody_to_ask(serve, tmp_path, asks, variables):
    locked = make_key(tmp_path, "locked", passphrase="secret")
    peer = serve(OPENSSH, "PasswordAuthentication yes")
    changes = {"BatchMode": "no", "UserKnownHostsFile": tmp_path / "hosts"}
    if asks != "host":
        shutil.copy(peer.known_hosts(), tmp_path / "hosts")
    changes |= {
        "password": {"PubkeyAuthentication": "no"},
        "key": {"IdentityFile": locked, "PreferredAuthentications": "publickey"},
        "host": {"StrictHostKeyChecking": "ask"},
    }.get(asks, {})
    config = peer.client_config(**changes)
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "DISPLAY", "WAYLAND_DISPLAY",
                                   "SSH_AUTH_SOCK")} | variables

    def outcome(suite):
        command = {
            "ssh-add": [OPENSSH.ssh_agent, suite.ssh_add, locked],
            "lock": [OPENSSH.ssh_agent, suite.ssh_add, "-x"],
            "show": [suite.ssh_keygen, "-y", "-f", locked],
            "change": [suite.ssh_keygen, "-p", "-f", locked],
        }.get(asks, [suite.ssh, "-F", config, "127.0.0.1", "true"])
        # Without a terminal of its own.
        result = run(["setsid", "-w", *command], env=environment)
        return result.returncode, result.stdout, result.stderr

    assert outcome(UNDER_TEST) == outcome(OPENSSH)


# MARK: A host that may be another


@pytest.mark.parametrize("arguments", [
    (), ("-A",), ("-X",), ("-w", "any"), ("-LPORT:127.0.0.1:1",), ("-W", "127.0.0.1:1"),
    ("-A", "-X", "-w", "any", "-LPORT:127.0.0.1:1", "-oUpdateHostKeys=yes"),
    ("-A", "-oExitOnForwardFailure=yes"), ("-X", "-oExitOnForwardFailure=yes"),
    ("-w", "any", "-oExitOnForwardFailure=yes"),
    ("-LPORT:127.0.0.1:1", "-oExitOnForwardFailure=yes"),
    ("-oPasswordAuthentication=no",), ("-oKbdInteractiveAuthentication=no",),
    ("-oUpdateHostKeys=yes",), ("-oUpdateHostKeys=ask",),
], ids=" ".join)
def test_what_a_changed_host_does_not_get(serve, key, tmp_path, arguments):
    peer = serve(OPENSSH)
    other = make_key(tmp_path, "other")
    hosts = tmp_path / "hosts"
    port = str(free_port())
    environment = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}

    def outcome(suite):
        hosts.write_text(f"[127.0.0.1]:{peer.port} {words(other)}\n")
        config = peer.client_config(
            key, UserKnownHostsFile=hosts, StrictHostKeyChecking="no", IdentityAgent="SSH_AUTH_SOCK")
        given = [word.replace("PORT", port) for word in arguments]
        result = run([suite.ssh, "-F", config, *given, "127.0.0.1", "echo in"], env=environment)
        return result.returncode, result.stdout, result.stderr

    assert outcome(UNDER_TEST) == outcome(OPENSSH)


# MARK: The end of a session


@pytest.mark.parametrize("level", ["INFO", "VERBOSE", "QUIET"])
@pytest.mark.parametrize("terminal", ["-tt", "-T"])
@pytest.mark.parametrize(
    "number", [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_a_session(serve, key, number, terminal, level):
    config = serve(OPENSSH).client_config(key)

    def outcome(suite):
        dialogue = Dialogue([suite.ssh, "-F", config, terminal, f"-oLogLevel={level}", "127.0.0.1",
                             "echo mark-$((40+2)); sleep 5"])
        dialogue.expect("mark-42")
        inside = os.open(os.readlink(f"/proc/{dialogue.pid}/fd/0"), os.O_RDWR | os.O_NOCTTY)
        os.kill(dialogue.pid, number)
        while dialogue.read(0.5):
            pass
        _, status = os.waitpid(dialogue.pid, 0)
        restored = termios.tcgetattr(inside) == dialogue.before
        os.close(inside)
        os.close(dialogue.terminal)
        text = re.sub(rb"\[127.0.0.1\]:\d+", b"HOST", dialogue.text)
        return os.waitstatus_to_exitcode(status), text, restored

    ours, theirs = outcome(UNDER_TEST), outcome(OPENSSH)
    assert ours == theirs
    assert theirs[2] == (number != signal.SIGKILL or terminal == "-T")


@pytest.mark.parametrize("terminal", ["-tt", "-T"])
def test_a_session_s_end_in_numbers(serve, key, terminal):
    config = serve(OPENSSH).client_config(key)

    def outcome(suite):
        result = run([suite.ssh, "-F", config, terminal, "-oLogLevel=VERBOSE", "127.0.0.1", "exit 7"])
        text = re.sub(r"\d+\.\d|\b\d{3,}\b", "N", result.stderr.decode())
        return result.returncode, text

    assert outcome(UNDER_TEST) == outcome(OPENSSH)


# MARK: Escapes


@pytest.mark.parametrize("keys, shown", [
    ("~?", True), ("~#", True), ("~B", True), ("~R", True), ("~v", True), ("~V", True), ("~V~V~V~V", True),
    ("~~", True), ("~x", True), ("~C", True), ("~.", True), ("a~.", True), ("~a~?", True),
    ("\x01?", True), ("\x01.", True),
], ids=repr)
def test_escapes(serve, key, keys, shown):
    config = serve(OPENSSH).client_config(key)
    character = ["-e", "^A"] if "\x01" in keys else []

    def outcome(suite):
        dialogue = Dialogue([suite.ssh, "-F", config, *character, "-tt", "127.0.0.1",
                             "stty -echo; echo mark-$((40+2)); while read x; do echo got:$x; "
                             "[ $x = bye ] && exit 5; done 2>&-; exit 9"])
        dialogue.expect("mark-42\r\n")
        time.sleep(0.2)
        dialogue.answer("\r" + keys)
        while dialogue.read(0.5):
            pass
        if not keys.endswith("."):
            dialogue.answer("\rbye\r")
        elif keys == "a~.":
            dialogue.answer("\rbye\r")
        status = dialogue.finish()
        text = dialogue.text.decode()
        # ~I is of 10.3; the numbers of a channel are those of the moment.
        text = re.sub(r"(?m)^ .I   - .*\n", "", text)
        text = re.sub(r"\(t4 \[session\] .*\)", "(t4 [session])", text)
        text = re.sub(r"(?m)^(Transferred|Bytes per second): .*", r"\1", text)
        return status, text

    assert outcome(UNDER_TEST) == outcome(OPENSSH)


# MARK: Libraries of tokens


@pytest.mark.parametrize("library", ["/no/such.so", "/lib/x86_64-linux-gnu/libz.so.1", "/etc/passwd"])
def test_a_library_that_is_no_provider(library, serve, key, tmp_path):
    """It is said what it lacks, and it is not opened: that would run its code."""
    server = serve(OPENSSH)
    told = []
    for suite in SUITES:
        results = [
            run([suite.ssh, "-F", server.client_config(key), "-I", library, "127.0.0.1", "echo in"]),
            run([suite.ssh_keygen, "-D", library]),
            run([suite.ssh_keygen, "-q", "-t", "ed25519-sk", "-w", library, "-N", "",
                 "-f", tmp_path / "new"]),
        ]
        told.append([(each.returncode, each.stdout, each.stderr) for each in results])
    assert told[0] == told[1]
    assert told[0][0][:2] == (0, b"in\n") and library.encode() in told[0][0][2]


# MARK: The client's log


@pytest.mark.parametrize("words", [["-y"], ["-y", "-v"], ["-yq"], ["-y", "-o", "SyslogFacility=LOCAL3"]])
def test_y_writes_to_the_systems_log(words, syslog, serve, key):  # noqa: F811
    binds, heard = syslog
    server = serve(OPENSSH)
    told = []
    for suite in SUITES:
        heard.clear()
        command = [suite.ssh, "-F", server.client_config(key), *words, "-o", "Ciphers=aes128-ctr",
                   "-o", "SendEnv=NONE", "-L", f"{server.port}:127.0.0.1:1", "127.0.0.1", "echo in"]
        result = run(["unshare", "--mount", "sh", "-c", binds + 'exec "$0" "$@"', *command])
        stamp = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d |\[\d+\]"
        # By the name that the program was called by.
        lines = [re.sub(stamp, "", line).replace(str(suite.ssh), "ssh", 1) for line in heard]
        told.append((result.returncode, result.stdout, result.stderr, lines))
    if "-v" in words:
        # Each says its own debug lines; their form is the same, and nothing goes to the terminal.
        for _, _, stderr, lines in told:
            assert stderr == b"" and len(lines) > 20
            assert all(re.match(r"<\d+>ssh: debug1: |<\d+>ssh: ", line) for line in lines), lines
        assert {line[:9] for line in told[0][3]} == {line[:9] for line in told[1][3]}
    else:
        assert told[0] == told[1]
        assert bool(told[0][3]) == (words != ["-yq"])
