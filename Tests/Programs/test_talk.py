# SPDX-License-Identifier: Apache-2.0
"""The 2006 talk on multiplexing, row by row (T-001 to T-055) where test_multiplexing.py has no test.

A row's number is in its test's name. An account of its own stands for the talk's user, so that
~/.ssh is a real one and its files are used as they are.
"""
import os
import pathlib
import re
import shutil
import signal
import stat
import statistics
import subprocess
import time

import pexpect
import pytest
from conftest import OPENSSH, OURS, UNDER_TEST, Server, make_key, run, wait_until
from masters import Line, line  # noqa: F401  (a fixture)

THREE_LINES = "Host *\n    ControlPath ~/.ssh/ctl-%r-%h-%p\n    ControlMaster auto\n"


class Person:
    """An account with a ~/.ssh of its own that may log in to `server`."""

    def __init__(self, name, server, folder):
        self.name = name
        self.server = server
        self.ssh_folder = pathlib.Path(f"/home/{name}/.ssh")
        shutil.rmtree(self.ssh_folder, ignore_errors=True)
        self.ssh_folder.mkdir(mode=0o700)
        key = make_key(folder, f"key-of-{name}")
        for source, target in (
            (key, "id_ed25519"),
            (f"{key}.pub", "id_ed25519.pub"),
            (f"{key}.pub", "authorized_keys"),
        ):
            shutil.copy(source, self.ssh_folder / target)
        shutil.copy(server.known_hosts(), self.ssh_folder / "known_hosts")
        self.own()

    def own(self):
        subprocess.run(["chown", "-R", self.name, self.ssh_folder], check=True)
        subprocess.run(["chmod", "-R", "go-rwx", self.ssh_folder], check=True)

    def write_config(self, text):
        (self.ssh_folder / "config").write_text(text)
        self.own()

    def command(self, program, *words):
        return ["runuser", "-u", self.name, "--", program, *map(str, words)]

    def ssh(self, *words, **options):
        return run(self.command(UNDER_TEST.ssh, "-p", self.server.port, *words), **options)

    def sockets(self):
        return sorted(path.name for path in self.ssh_folder.glob("ctl*"))

    def end(self):
        subprocess.run(["pkill", "-u", self.name], capture_output=True)


@pytest.fixture
def person(account, tmp_path):
    name, _ = account
    people = []

    def make(suite=UNDER_TEST, *extra):
        # Its own file: sshd reads it with the account's rights.
        extra = ("AuthorizedKeysFile .ssh/authorized_keys", *extra)
        server = Server(suite, tmp_path / "talk", name, extra=extra).start()
        people.append(Person(name, server, tmp_path))
        return people[-1]

    yield make
    for each in people:
        each.end()
        each.server.stop()


def popen(it, *words, **options):
    options.setdefault("stdin", subprocess.PIPE)
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.Popen([UNDER_TEST.ssh, "-F", it.config, *words], **options)


def connections(port):
    """Established TCP connections to 127.0.0.1:port, counted at the server's end."""
    wanted = f"0100007F:{port:04X}"
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(1 for text in lines if text.split()[1] == wanted and text.split()[3] == "01")


def test_t001_one_tcp_connection(line):
    it = line(server=UNDER_TEST)
    it.open_master(UNDER_TEST)
    sessions = [popen(it, "127.0.0.1", "echo up; read x") for _ in range(2)]
    for each in sessions:
        assert each.stdout.readline() == b"up\n"
    assert connections(it.server.port) == 1
    for each in sessions:
        each.communicate(b"\n", timeout=10)


def test_t004_a_passenger_needs_no_network(line):
    it = line()
    it.open_master(UNDER_TEST)
    result = run(
        ["unshare", "--net", UNDER_TEST.ssh, "-F", it.config, "127.0.0.1", "echo through"]
    )
    assert (result.returncode, result.stdout) == (0, b"through\n"), result.stderr


def test_t005_an_interactive_passenger(line):
    it = line(server=UNDER_TEST)
    it.open_master(UNDER_TEST)
    shells = [
        pexpect.spawn(
            UNDER_TEST.ssh, ["-F", str(it.config), "127.0.0.1"], timeout=15, dimensions=(30, 90)
        )
        for _ in range(2)
    ]
    terminals = []
    for shell in shells:
        shell.sendline("PS1=; echo tty=`tty`")
        shell.expect(r"tty=(/dev/pts/\d+)")
        terminals.append(shell.match[1])
    assert terminals[0] != terminals[1]
    shells[1].setwinsize(41, 101)
    time.sleep(0.5)
    shells[1].sendline("stty size")
    shells[1].expect("41 101")
    for shell, status in zip(shells, (7, 8)):
        shell.sendline(f"exit {status}")
        shell.expect(pexpect.EOF)
        shell.close()
        assert shell.exitstatus == status


@pytest.mark.parametrize("suite", [OPENSSH, OURS], ids=lambda suite: suite.name)
def test_t010_any_server(suite, line):
    it = line(server=suite)
    it.open_master(UNDER_TEST)
    assert it.ssh(UNDER_TEST, "127.0.0.1", "echo any").stdout == b"any\n"


def test_t011_authenticate_once(person, account, askpass):
    it = person()
    environment, asked = askpass(account[1])
    for path in ("id_ed25519", "id_ed25519.pub"):
        (it.ssh_folder / path).unlink()
    it.write_config(THREE_LINES)
    # The notes are written by the account.
    notes = pathlib.Path(environment["SSH_ASKPASS"]).parent
    for folder in [notes, *notes.parents]:
        if str(folder) in ("/", "/tmp"):
            break
        folder.chmod(0o777 if folder == notes else 0o755)
    result = it.ssh("-o", "PreferredAuthentications=password", "-Nnf", "127.0.0.1", env=environment)
    assert result.returncode == 0, result.stderr
    for _ in range(3):
        assert it.ssh("127.0.0.1", "true", env=environment).returncode == 0
    assert len(asked()) == 1


def test_t013_t014_one_login_one_key_exchange(line):
    it = line(server=UNDER_TEST, extra=("LogLevel DEBUG1",))
    it.open_master(UNDER_TEST)
    for _ in range(5):
        assert it.ssh(UNDER_TEST, "127.0.0.1", "true").returncode == 0
    log = it.server.log_text()
    assert log.count("Accepted publickey") == 1
    assert log.count("Starting session") == 5
    # One that only looks whether the port is open gets an offer too.
    assert log.count("SSH2_MSG_KEXINIT received") == 1


def test_t015_rsa_keys_are_long(tmp_path):
    path = make_key(tmp_path, kind="rsa", suite=UNDER_TEST)
    result = run([UNDER_TEST.ssh_keygen, "-l", "-f", path])
    assert int(result.stdout.split()[0]) == 3072


def test_t018_another_user_cannot_ride(line, account):
    it = line()
    it.open_master(UNDER_TEST)
    it.socket.chmod(0o666)
    it.socket.parent.chmod(0o755)
    result = run(
        ["runuser", "-u", account[0], "--", UNDER_TEST.ssh, "-F", "/dev/null", "-S", it.socket]
        + ["-O", "check", "127.0.0.1"]
    )
    assert result.returncode == 255
    assert b"Master running" not in result.stderr
    assert it.check().returncode == 0


def test_t019_the_masters_shell_ends_first(line):
    it = line()
    master = popen(it, "-M", "127.0.0.1", "read x; true")
    wait_until(it.socket.exists, "the control socket")
    passenger = popen(it, "127.0.0.1", "echo up; read x; echo late")
    assert passenger.stdout.readline() == b"up\n"
    master.stdin.close()
    time.sleep(0.5)
    assert master.poll() is None
    output, _ = passenger.communicate(b"\n", timeout=10)
    assert output == b"late\n"
    assert master.wait(10) == 0


def test_t020_new_keys_in_a_long_life(line):
    it = line(RekeyLimit="1M 5s", LogLevel="DEBUG1")
    log = it.socket.parent / "log"
    it.open_master(UNDER_TEST, "-E", log)
    data = os.urandom(7_000_000)
    sessions = [popen(it, "127.0.0.1", "cat", stderr=subprocess.DEVNULL) for _ in range(3)]
    for each in sessions:
        output, _ = each.communicate(data, timeout=60)
        assert output == data
    assert log.read_text(errors="replace").count("SSH2_MSG_NEWKEYS sent") >= 10


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_t021_t051_ask_is_answered_for_each_passenger(answer, line, tmp_path):
    notes = tmp_path / "asked"
    script = tmp_path / "askpass"
    status = 0 if answer == "yes" else 1
    script.write_text(
        f'#!/bin/sh\necho "$SSH_ASKPASS_PROMPT: $1" >> {notes}\necho {answer}\nexit {status}\n'
    )
    script.chmod(0o755)
    environment = dict(
        os.environ, SSH_ASKPASS=str(script), SSH_ASKPASS_REQUIRE="force", DISPLAY=":99"
    )
    it = line(ControlMaster="autoask")
    result = it.ssh(UNDER_TEST, "-Nnf", "127.0.0.1", env=environment)
    assert result.returncode == 0, result.stderr
    wait_until(it.socket.exists, "the control socket")
    for count in (1, 2):
        result = it.ssh(UNDER_TEST, "127.0.0.1", "echo in", timeout=20)
        asked = notes.read_text().splitlines()
        assert len(asked) == count
        assert asked[-1].startswith("confirm: ")
        assert result.stdout == b"in\n", result.stderr
    # Who is refused says so and makes a connection of its own.
    assert it.logins() == (1 if answer == "yes" else 3)
    if answer == "no":
        assert b"Permission denied" in result.stderr


def test_t023_t024_nine_besides_the_masters(line):
    it = line(server=UNDER_TEST)
    shells = []
    for number in range(10):
        words = ["-F", str(it.config)] + (["-M"] if number == 0 else []) + ["127.0.0.1"]
        shell = pexpect.spawn(UNDER_TEST.ssh, words, timeout=20)
        shell.sendline("echo alive=$((40+2))")
        shell.expect("alive=42")
        shells.append(shell)
    assert it.logins() == 1
    result = it.ssh(UNDER_TEST, "127.0.0.1", "echo eleventh")
    assert result.stdout == b"eleventh\n"
    assert b"ession open refused by peer" in result.stderr
    assert it.logins() == 2
    for shell in reversed(shells):
        shell.sendline("exit")
        shell.expect(pexpect.EOF)
        shell.close()


def test_t025_each_step_alone(person):
    it = person()
    it.write_config("")
    # Sessions without a configuration, a master without a control path: plain connections.
    assert it.ssh("127.0.0.1", "echo plain").stdout == b"plain\n"
    assert it.ssh("-M", "127.0.0.1", "echo plain").stdout == b"plain\n"
    # A control path without a master: a plain connection too, and no socket.
    assert it.ssh("-S", "~/.ssh/ctl", "127.0.0.1", "echo plain").stdout == b"plain\n"
    assert it.sockets() == []


def test_t026_for_one_host_only(person):
    it = person()
    it.write_config(
        "Host 127.0.0.1\n    ControlMaster auto\n    ControlPath ~/.ssh/ctl-%h\n"
        "Host other\n    Hostname 127.0.0.1\n    HostKeyAlias 127.0.0.1\n"
    )
    options = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null")
    assert it.ssh(*options, "-Nnf", "127.0.0.1").returncode == 0
    assert it.ssh(*options, "other", "true").returncode == 0
    assert it.sockets() == ["ctl-127.0.0.1"]
    assert it.server.log_text().count("Accepted publickey") == 2


def test_t027_t031_t035_t043_the_three_lines(person):
    it = person()
    it.write_config(THREE_LINES)
    socket = f"ctl-{it.name}-127.0.0.1-{it.server.port}"
    master = subprocess.Popen(
        it.command(UNDER_TEST.ssh, "-p", it.server.port, "127.0.0.1", "echo up; read x"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert master.stdout.readline() == b"up\n"
    assert it.sockets() == [socket]
    found = (it.ssh_folder / socket).lstat()
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert it.ssh("127.0.0.1", "echo second").stdout == b"second\n"
    assert it.server.log_text().count("Accepted publickey") == 1
    assert b"Master running (pid=" in it.ssh("-O", "check", "127.0.0.1").stderr
    master.communicate(b"\n", timeout=10)
    wait_until(lambda: it.sockets() == [], "the socket to disappear")


@pytest.mark.parametrize(
    "spelling,shown",
    [("yes", "true"), ("no", "false"), ("ask", "ask"), ("auto", "auto"), ("autoask", "autoask")],
)
def test_t029_five_spellings(spelling, shown):
    result = run([UNDER_TEST.ssh, "-F", "/dev/null", "-o", f"ControlMaster={spelling}", "-G", "h"])
    assert f"controlmaster {shown}\n" in result.stdout.decode()


def test_t030_another_path_is_another_master(line):
    it = line()
    it.open_master(UNDER_TEST)
    result = it.ssh(UNDER_TEST, "-S", f"{it.socket}2", "-O", "check", "127.0.0.1")
    assert result.returncode == 255
    assert b"No such file or directory" in result.stderr


def test_t032_t033_t034_tokens(person):
    it = person()
    it.write_config(
        "Host Alias\n    Hostname LOCALHOST\n    HostKeyAlias [127.0.0.1]:%s\n"
        "    ControlPath ~/.ssh/ctl-%%r-%%h-%%p\n" % it.server.port
    )
    result = it.ssh("-l", it.name, "-M", "-Nnf", "Alias")
    assert result.returncode == 0, result.stderr
    assert it.sockets() == [f"ctl-{it.name}-localhost-{it.server.port}"]


def test_t036_a_plain_shell_becomes_master(line):
    it = line(ControlMaster="auto")
    shell = pexpect.spawn(UNDER_TEST.ssh, ["-F", str(it.config), "127.0.0.1"], timeout=15)
    shell.sendline("echo ready=$((1+1))")
    shell.expect("ready=2")
    assert it.check().returncode == 0
    shell.sendline("exit 5")
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 5


def test_t037_t038_a_background_master(line):
    it = line(server=UNDER_TEST)
    begin = time.monotonic()
    it.open_master(UNDER_TEST)
    assert time.monotonic() - begin < 10
    pid = it.master_pid()
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    assert fields[3] == str(pid)  # a session of its own
    assert fields[4] == "0"  # no terminal
    assert "Starting session" not in it.server.log_text()


def test_t039_no_input(line):
    it = line()
    result = run(
        ["sh", "-c", f"echo x | {{ {UNDER_TEST.ssh} -F {it.config} -n 127.0.0.1 cat; cat; }}"]
    )
    assert result.stdout == b"x\n"


def test_t040_the_background_begins_after_authentication(person, account, tmp_path):
    it = person()
    for path in ("id_ed25519", "id_ed25519.pub"):
        (it.ssh_folder / path).unlink()
    script = it.ssh_folder.parent / "slow-askpass"
    script.write_text(f"#!/bin/sh\nsleep 2\necho '{account[1]}'\n")
    script.chmod(0o755)
    environment = dict(os.environ, SSH_ASKPASS=str(script), SSH_ASKPASS_REQUIRE="force")
    begin = time.monotonic()
    options = ("-o", "PreferredAuthentications=password", "-M", "-S", "~/.ssh/ctl")
    result = it.ssh(*options, "-Nnf", "127.0.0.1", env=environment)
    assert result.returncode == 0, result.stderr
    assert time.monotonic() - begin >= 2
    assert "Accepted password" in it.server.log_text()
    assert it.sockets() == ["ctl"]
    script.unlink()


def test_t044_two_masters(line):
    first, second = line(), line()
    second.socket = first.socket.parent / "ctl2"
    second.config.write_text(second.config.read_text().replace(f"{first.socket}\n", f"{second.socket}\n"))
    first.open_master(UNDER_TEST)
    second.open_master(UNDER_TEST)
    assert first.master_pid() != second.master_pid()
    assert first.ssh(UNDER_TEST, "-O", "exit", "127.0.0.1").returncode == 0
    wait_until(lambda: not first.socket.exists(), "the first socket to disappear")
    assert second.check(UNDER_TEST).returncode == 0


def test_t047_the_same_command_lines(line):
    it = line(server=UNDER_TEST)
    script = [
        ["127.0.0.1", "echo a; echo b >&2; exit 4"],
        ["127.0.0.1", "kill -TERM $$"],
        ["127.0.0.1", "/does/not/exist"],
        ["-n", "127.0.0.1", "cat; echo end"],
        ["-q", "127.0.0.1", "false"],
        ["-tt", "-e", "none", "127.0.0.1", "test -t 0 && echo terminal"],
    ]

    def outcome():
        results = [it.ssh(UNDER_TEST, *words) for words in script]
        shared = re.compile(rb"(Shared c|C)onnection to 127.0.0.1 closed.")
        return [(r.returncode, r.stdout, shared.sub(b"closed", r.stderr)) for r in results]

    alone = outcome()
    it.open_master(UNDER_TEST)
    assert outcome() == alone


def server_processes(server, user):
    """(pid, user, tty, state, arguments) of the processes below `server` whose title names the user."""
    found = []
    for text in run(["ps", "-ww", "-eo", "pid,ppid,user:32,tty,stat,args"]).stdout.decode().splitlines():
        pid, ppid, owner, tty, state, arguments = text.split(None, 5)
        if re.match(rf"sshd(-session)?: {user}(@| \[priv\])", arguments):
            found.append((pid, ppid, owner, tty, state, arguments.rstrip()))
    return found


def test_t048_t049_t050_t055_the_title_follows_the_sessions(person):
    it = person()
    it.write_config("")
    path = ("-S", f"/home/{it.name}/.ssh/ctl")
    assert it.ssh(*path, "-M", "-Nnf", "127.0.0.1").returncode == 0

    def titles():
        return [p for p in server_processes(it.server, it.name) if "[priv]" not in p[5]]

    wait_until(lambda: [p[5] for p in titles()] == [f"sshd: {it.name}"] or
               [p[5] for p in titles()] == [f"sshd: {it.name}@notty"], "the title without a tty")
    shells = []
    for _ in range(2):
        shell = pexpect.spawn(
            "runuser",
            ["-u", it.name, "--", UNDER_TEST.ssh, *path, "-p", str(it.server.port), "127.0.0.1"],
            timeout=15,
        )
        shell.sendline("echo ready=$((1+1))")
        shell.expect("ready=2")
        shells.append(shell)
    (pid, _, owner, tty, state, title), = titles()
    assert re.fullmatch(rf"sshd: {it.name}@pts/\d+,pts/\d+", title), title
    assert (owner, tty, state[0]) == (it.name, "?", "S")
    shells[1].sendline("exit")
    shells[1].expect(pexpect.EOF)
    wait_until(lambda: re.fullmatch(rf"sshd: {it.name}@pts/\d+", titles()[0][5]), "one tty")
    shells[0].sendline("exit")
    shells[0].expect(pexpect.EOF)
    wait_until(lambda: titles()[0][5] == f"sshd: {it.name}@notty", "no tty")
    for shell in shells:
        shell.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_t052_the_socket_is_removed(number, line):
    it = line()
    it.open_master(UNDER_TEST)
    os.kill(it.master_pid(), number)
    wait_until(lambda: not it.socket.exists(), "the socket to disappear")


def test_t009_the_agent_through_a_master(line, key, home):
    it = line(server=UNDER_TEST, IdentityAgent=str(home / "agent"))
    agent = subprocess.Popen([UNDER_TEST.ssh_agent, "-D", "-a", str(home / "agent")],
                             stdout=subprocess.DEVNULL)
    try:
        wait_until((home / "agent").exists, "the agent's socket")
        environment = dict(os.environ, SSH_AUTH_SOCK=str(home / "agent"))
        assert run([UNDER_TEST.ssh_add, "-q", key], env=environment).returncode == 0
        it.open_master(UNDER_TEST)
        there = it.ssh(UNDER_TEST, "-A", "127.0.0.1", f"{UNDER_TEST.ssh_add} -l", env=environment)
        here = run([UNDER_TEST.ssh_add, "-l"], env=environment)
        assert there.stdout == here.stdout != b""
        assert it.logins() == 1
    finally:
        agent.terminate()
        agent.wait(10)


def test_t017_completion_asks_often(line):
    """What bash and zsh send for the paths of scp; how fast is told by the benchmarks."""
    it = line(server=UNDER_TEST)
    it.open_master(UNDER_TEST)
    here = subprocess.run("command ls -d1FL -- /etc/*", shell=True, capture_output=True).stdout
    for _ in range(20):
        result = it.ssh(UNDER_TEST, "-o", "Batchmode yes", "127.0.0.1", "command ls -d1FL -- /etc/*")
        assert result.stdout == here
    assert it.logins() == 1


def test_t028_both_files_and_the_users_wins(person):
    """The system's file, in a mount namespace of its own."""
    who = person()
    system = who.server.folder / "system_config"
    system.write_text(f"Host *\n  ControlPath /tmp/{who.name}-%p\n  ControlMaster auto\n"
                      "  ControlPersist 30\n")
    script = 'mount --bind "$1" /etc/ssh/ssh_config || exit 77; shift; exec "$@"'

    def ssh(*words):
        result = run(["unshare", "--mount", "sh", "-c", script, "sh", system,
                      *who.command(UNDER_TEST.ssh, "-p", who.server.port, *words)])
        if result.returncode == 77:
            pytest.skip("no mount namespace here")
        return result

    socket_ = pathlib.Path(f"/tmp/{who.name}-{who.server.port}")
    assert ssh("127.0.0.1", "true").returncode == 0
    assert stat.S_ISSOCK(socket_.stat().st_mode)
    assert ssh("-O", "exit", "127.0.0.1").returncode == 0
    who.write_config("Host *\n  ControlPath ~/.ssh/ctl-own\n")
    assert ssh("127.0.0.1", "true").returncode == 0
    assert who.sockets() == ["ctl-own"] and not socket_.exists()
    assert ssh("-O", "exit", "127.0.0.1").returncode == 0
    who.write_config("Host *\n  ControlMaster no\n")
    assert ssh("127.0.0.1", "true").returncode == 0
    assert not socket_.exists() and who.sockets() == []


def test_t041_an_option_is_enough(serve, key, home):
    """-M with a path makes the master; without a path it is an ordinary session."""
    peer = serve(UNDER_TEST)
    config = peer.client_config(key)
    path = home / "x"
    master = subprocess.Popen([UNDER_TEST.ssh, "-F", config, "-M", "-S", path, "127.0.0.1", "cat"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        wait_until(path.exists, "the socket")
        check = run([UNDER_TEST.ssh, "-F", config, "-S", path, "-O", "check", "127.0.0.1"])
        assert check.returncode == 0 and f"pid={master.pid}".encode() in check.stderr
        assert run([UNDER_TEST.ssh, "-F", config, "-S", path, "127.0.0.1", "exit 3"]).returncode == 3
        assert peer.log_text().count("Accepted publickey") == 1
    finally:
        master.communicate(b"", timeout=10)
    assert not path.exists()
    alone = run([UNDER_TEST.ssh, "-F", config, "-M", "127.0.0.1", "echo in; exit 4"])
    assert (alone.returncode, alone.stdout) == (4, b"in\n")
    assert list(home.iterdir()) == []
