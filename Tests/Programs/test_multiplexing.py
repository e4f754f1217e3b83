# SPDX-License-Identifier: Apache-2.0
"""One connection, many sessions: rows T-001 to T-055 that need no scp, sftp, X11 or agent."""
import os
import pathlib
import re
import signal
import stat
import subprocess
import time

import pytest
from conftest import OPENSSH, OURS, UNDER_TEST, run, wait_until

# (master, passenger): who owns the connection, who rides it.
PAIRS = [(OURS, OURS), (OURS, OPENSSH), (OPENSSH, OURS)]
pairs = pytest.mark.parametrize("master,passenger", PAIRS, ids=lambda suite: suite.name)


class Line:
    """A server, a configuration with a control path, and masters that are ended afterwards."""

    def __init__(self, serve, key, home, **changes):
        self.server = serve(changes.pop("server", OPENSSH), *changes.pop("extra", ()))
        self.socket = home / "ctl"
        self.config = self.server.client_config(key, ControlPath=self.socket, **changes)

    def ssh(self, suite, *words, **options):
        return run([suite.ssh, "-F", self.config, *words], **options)

    def open_master(self, suite, *options):
        result = self.ssh(suite, "-M", "-Nnf", *options, "127.0.0.1")
        assert result.returncode == 0, result.stderr
        wait_until(self.socket.exists, "the control socket")

    def check(self, suite=OPENSSH):
        return self.ssh(suite, "-O", "check", "127.0.0.1")

    def master_pid(self):
        match = re.search(rb"Master running \(pid=(\d+)\)", self.check().stderr)
        return int(match[1]) if match else None

    def logins(self):
        return self.server.log_text().count("Accepted publickey")

    def close(self):
        if self.socket.exists():
            self.ssh(OPENSSH, "-O", "exit", "127.0.0.1")


@pytest.fixture
def line(serve, key, home):
    lines = []

    def make(**changes):
        lines.append(Line(serve, key, home, **changes))
        return lines[-1]

    yield make
    for each in lines:
        each.close()


@pairs
def test_sessions_ride_the_masters_connection(master, passenger, line):
    it = line()
    it.open_master(master)
    for status in (0, 3):
        result = it.ssh(passenger, "127.0.0.1", f"echo out; echo err >&2; exit {status}")
        assert (result.returncode, result.stdout, result.stderr) == (status, b"out\n", b"err\n")
    assert it.logins() == 1


@pairs
def test_ten_megabytes_through_a_master(master, passenger, line):
    it = line()
    it.open_master(master)
    data = os.urandom(10_000_000)
    result = it.ssh(passenger, "127.0.0.1", "cat", input=data)
    assert result.returncode == 0, result.stderr
    assert result.stdout == data
    assert it.logins() == 1


@pairs
def test_check_and_exit(master, passenger, line):
    it = line()
    it.open_master(master)
    result = it.check(passenger)
    assert result.returncode == 0
    match = re.fullmatch(rb"Master running \(pid=(\d+)\)\r\n", result.stderr)
    assert match, result.stderr
    pid = int(match[1])
    result = it.ssh(passenger, "-O", "exit", "127.0.0.1")
    assert (result.returncode, result.stderr) == (0, b"Exit request sent.\r\n")
    wait_until(lambda: not it.socket.exists(), "the socket to disappear")
    wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "the master to end")


@pairs
def test_stop_lets_sessions_live(master, passenger, line):
    it = line()
    it.open_master(master)
    session = subprocess.Popen(
        [passenger.ssh, "-F", it.config, "127.0.0.1", "read x; exit $x"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    time.sleep(0.5)
    result = it.ssh(passenger, "-O", "stop", "127.0.0.1")
    assert (result.returncode, result.stderr) == (0, b"Stop listening request sent.\r\n")
    wait_until(lambda: not it.socket.exists(), "the socket to disappear")
    session.communicate(b"7\n", timeout=10)
    assert session.returncode == 7


def test_no_master_to_check(line):
    it = line()
    result = it.check(UNDER_TEST)
    assert result.returncode == 255
    assert (
        result.stderr.decode()
        == f"Control socket connect({it.socket}): No such file or directory\r\n"
    )


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_the_socket_is_the_owners_alone(umask, line):
    it = line()
    result = run(
        ["sh", "-c", f'umask {umask:o}; exec "$@"', "sh", UNDER_TEST.ssh, "-F", it.config]
        + ["-M", "-Nnf", "127.0.0.1"]
    )
    assert result.returncode == 0, result.stderr
    found = it.socket.lstat()
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert found.st_uid == os.getuid()


def test_no_authentication_after_the_master(line):
    it = line()
    it.open_master(UNDER_TEST)
    it.server.authorized_keys.write_text("")
    assert it.ssh(UNDER_TEST, "127.0.0.1", "true").returncode == 0


def test_auto_uses_or_creates(line):
    it = line(ControlMaster="auto", ControlPersist="60")
    for _ in range(3):
        assert it.ssh(UNDER_TEST, "127.0.0.1", "true").returncode == 0
    assert it.logins() == 1
    assert it.master_pid()


def test_the_callers_pipes_are_not_held_by_a_persistent_master(line):
    it = line(ControlMaster="auto", ControlPersist="60")
    begin = time.monotonic()
    result = it.ssh(UNDER_TEST, "127.0.0.1", "echo done")
    assert result.stdout == b"done\n"
    assert time.monotonic() - begin < 10


def test_control_persist_ends_an_idle_master(line):
    it = line(ControlMaster="auto", ControlPersist="1")
    assert it.ssh(UNDER_TEST, "127.0.0.1", "true").returncode == 0
    assert it.socket.exists()
    wait_until(lambda: not it.socket.exists(), "the idle master to end", seconds=8)


def test_a_stale_socket_is_replaced(line):
    it = line(ControlMaster="auto", ControlPersist="60")
    assert it.ssh(UNDER_TEST, "127.0.0.1", "true").returncode == 0
    os.kill(it.master_pid(), signal.SIGKILL)
    result = it.ssh(UNDER_TEST, "127.0.0.1", "echo again")
    assert result.stdout == b"again\n", result.stderr
    assert it.check().returncode == 0
    assert it.logins() == 2


def test_beyond_max_sessions_the_client_connects_itself(line):
    it = line(extra=("MaxSessions 2",))
    it.open_master(UNDER_TEST)
    sleepers = [
        subprocess.Popen(
            [UNDER_TEST.ssh, "-F", it.config, "127.0.0.1", "read x"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    time.sleep(1)
    result = it.ssh(UNDER_TEST, "127.0.0.1", "echo alone")
    assert result.stdout == b"alone\n"
    assert b"session request failed: Session open refused by peer" in result.stderr
    assert it.logins() == 2
    for each in sleepers:
        each.communicate(b"x\n", timeout=10)


def test_the_master_outlives_its_own_session(line):
    it = line()
    master = subprocess.Popen(
        [UNDER_TEST.ssh, "-F", it.config, "-M", "127.0.0.1", "true"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    with master:
        wait_until(it.socket.exists, "the control socket")
        passenger = subprocess.Popen(
            [UNDER_TEST.ssh, "-F", it.config, "127.0.0.1", "sleep 2; echo late"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert passenger.communicate(timeout=10)[0] == b"late\n"
        master.wait(10)


def test_killing_the_master_ends_every_session(line):
    it = line()
    it.open_master(UNDER_TEST)
    session = subprocess.Popen(
        [UNDER_TEST.ssh, "-F", it.config, "127.0.0.1", "sleep 60"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(0.7)
    os.kill(it.master_pid(), signal.SIGKILL)
    assert session.wait(5) == 255


def test_the_socket_goes_when_the_master_is_terminated(line):
    it = line()
    it.open_master(UNDER_TEST)
    os.kill(it.master_pid(), signal.SIGTERM)
    wait_until(lambda: not it.socket.exists(), "the socket to disappear")


def test_the_example_of_the_2006_talk(serve, key, home, me):
    server = serve(UNDER_TEST)
    folder = home / ".ssh"
    folder.mkdir(mode=0o700)
    (folder / "config").write_text(
        "Host *\n    ControlPath ~/.ssh/ctl-%r-%h-%p\n    ControlMaster auto\n"
    )
    (folder / "config").chmod(0o600)
    socket = home / ".ssh" / f"ctl-{me}-127.0.0.1-{server.port}"
    environment = dict(os.environ, HOME=str(home))
    options = [
        "-o", f"UserKnownHostsFile={server.known_hosts()}", "-i", str(key), "-p", str(server.port)
    ]
    # The file is written with ~ of the account, which ssh takes from the password database.
    config = (folder / "config").read_text().replace("~", str(home))
    (folder / "config").write_text(config)
    base = [UNDER_TEST.ssh, "-F", str(folder / "config"), *options]
    result = run([*base, "-Nnf", "127.0.0.1"], env=environment)
    assert result.returncode == 0, result.stderr
    assert stat.S_ISSOCK(socket.lstat().st_mode)
    assert run([*base, "127.0.0.1", "true"], env=environment).returncode == 0
    assert server.log_text().count("Accepted publickey") == 1
    assert run([*base, "-O", "exit", "127.0.0.1"], env=environment).returncode == 0


def test_two_hundred_sessions_at_once(line):
    it = line(extra=("MaxSessions 300", "MaxStartups 300"), server=UNDER_TEST)
    it.open_master(UNDER_TEST)
    sessions = [
        subprocess.Popen(
            [UNDER_TEST.ssh, "-F", it.config, "127.0.0.1", f"exit {number % 200}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for number in range(200)
    ]
    assert [each.wait(60) for each in sessions] == [number % 200 for number in range(200)]
    assert it.logins() == 1
