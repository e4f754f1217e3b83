# SPDX-License-Identifier: Apache-2.0
"""What ssh borrows from its caller: pipes and terminals that others use at the same time."""
import fcntl
import os
import pty
import signal
import socket
import struct
import subprocess
import termios
import time

import pexpect
import pytest
from conftest import OPENSSH, OURS, wait_until
from masters import line  # noqa: F401

rides = pytest.mark.parametrize("rides", [False, True], ids=["alone", "over a master"])


def waits(descriptor):
    return not fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_NONBLOCK


def start(it, *words, **options):
    # The runtime of a debug build prints a backtrace on SIGQUIT where a toolchain is installed.
    options["env"] = dict(os.environ, SWIFT_BACKTRACE="enable=no")
    return subprocess.Popen([OURS.ssh, "-F", str(it.config), *words], **options)


def others_go_on(it):
    """Another session of the same master is not held up."""
    result = it.ssh(OURS, "127.0.0.1", "echo there", timeout=20)
    assert (result.stdout, it.logins()) == (b"there\n", 1)


@pytest.fixture
def here(line, tmp_path):
    """here(rides): a server, with a master if the sessions are to ride one, and a file per session."""

    def make(rides):
        it = line()
        if rides:
            it.open_master(OURS)
        return it

    return make


@rides
@pytest.mark.parametrize("how", ["session", "-W"])
def test_those_who_share_a_pipe_with_ssh_see_nothing_of_it(how, rides, here, tmp_path):
    """O_NONBLOCK belongs to the open file: another writer would fail with EAGAIN."""
    it = here(rides)
    mark = tmp_path / "mark"
    inside, outside = os.pipe(), os.pipe()
    words = ["127.0.0.1", f"touch {mark}; sleep 60"]
    if how == "-W":
        words = ["-W", f"127.0.0.1:{it.server.port}", "127.0.0.1"]
    child = start(it, *words, stdin=inside[0], stdout=outside[1], stderr=outside[1])
    try:
        if how == "-W":
            assert os.read(outside[0], 4) == b"SSH-"
        else:
            wait_until(mark.exists, "the session")
            time.sleep(0.1)
        assert waits(inside[0]) and waits(outside[1])
    finally:
        child.kill()
        child.wait()
        for end in inside + outside:
            os.close(end)


def test_a_pipe_that_two_sessions_write_to_stops_neither_the_master_nor_others(here):
    """The one that ends must not let the other one wait in a write."""
    it = here(True)
    ours, theirs = os.pipe()
    fast = start(it, "127.0.0.1", "sleep 0.5", stdin=subprocess.DEVNULL, stdout=theirs)
    slow = start(it, "127.0.0.1", "sleep 1; yes", stdin=subprocess.DEVNULL, stdout=theirs)
    try:
        assert fast.wait(20) == 0
        time.sleep(1.5)
        others_go_on(it)
    finally:
        slow.kill()
        slow.wait()
        os.close(ours)
        os.close(theirs)


def test_a_terminal_that_nobody_reads_stops_nobody_else(here):
    it = here(True)
    ours, theirs = pty.openpty()
    stuck = start(it, "-tt", "127.0.0.1", "yes", stdin=theirs, stdout=theirs, stderr=theirs)
    try:
        os.read(ours, 1)
        time.sleep(1)
        others_go_on(it)
    finally:
        stuck.kill()
        stuck.wait()
        os.close(ours)
        os.close(theirs)


@rides
def test_a_socket_is_given_back_as_it_was_when_the_server_goes(rides, here, tmp_path):
    it = here(rides)
    mark = tmp_path / "mark"
    ours, theirs = socket.socketpair()
    child = start(it, "127.0.0.1", f"echo $PPID > {mark}; sleep 60", stdin=theirs, stdout=theirs)
    try:
        wait_until(lambda: mark.exists() and mark.read_text().strip(), "the session")
        os.kill(int(mark.read_text()), signal.SIGKILL)
        assert child.wait(20) == 255
        assert waits(theirs)
    finally:
        child.kill()
        ours.close()
        theirs.close()


@rides
@pytest.mark.parametrize("when", [0, 0.01, 0.03, 0.06, 0.1])
def test_a_window_that_changes_while_ssh_starts(when, rides, here):
    it = here(rides)
    for _ in range(4):
        child = pexpect.spawn(
            OURS.ssh,
            ["-F", str(it.config), "-tt", "127.0.0.1", "read line; stty size"],
            dimensions=(20, 70),
            timeout=20,
        )
        time.sleep(when)
        child.setwinsize(50, 120)
        time.sleep(0.5)
        child.send("\r")
        child.expect(r"(\d+ \d+)\r\n")
        assert child.match[1] == b"50 120"
        child.expect(pexpect.EOF)
        child.close()


def test_a_window_that_changes_at_the_question_for_a_password(serve, account):
    name, password = account
    peer = serve(OURS, "PasswordAuthentication yes", user=name)
    config = peer.client_config(None, BatchMode="no", PubkeyAuthentication="no")
    child = pexpect.spawn(
        OURS.ssh,
        ["-F", str(config), "-tt", "127.0.0.1", "stty size"],
        dimensions=(20, 70),
        timeout=20,
    )
    child.expect("password: ")
    child.setwinsize(50, 120)
    time.sleep(0.2)
    child.sendline(password)
    child.expect(r"(\d+ \d+)\r\n")
    assert child.match[1] == b"50 120"
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


@rides
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM])
def test_a_signal_at_any_moment_leaves_no_raw_terminal(number, rides, here):
    it = here(rides)
    for step in range(24):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 70, 0, 0))
        before = termios.tcgetattr(theirs)
        child = start(it, "-tt", "127.0.0.1", "sleep 20", stdin=theirs, stdout=theirs, stderr=theirs)
        time.sleep(0.005 * step)
        child.send_signal(number)
        child.wait(20)
        assert termios.tcgetattr(theirs) == before
        os.close(ours)
        os.close(theirs)


def test_who_asks_with_its_output_closed_holds_up_nobody_else(line, tmp_path):
    """The master hears the end of the program's output, and must not wait for the program itself."""
    it = line()
    mark, script = tmp_path / "asked", tmp_path / "asks"
    script.write_text(f"#!/bin/sh\nexec >&-\ntouch {mark}\nsleep 4\n")
    script.chmod(0o755)
    environment = dict(os.environ, SSH_ASKPASS=str(script), SSH_ASKPASS_REQUIRE="force")
    assert it.ssh(OURS, "-MMNnf", "127.0.0.1", env=environment).returncode == 0
    wait_until(it.socket.exists, "the control socket")
    child = start(it, "127.0.0.1", "echo in", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    wait_until(mark.exists, "the question")
    time.sleep(0.3)
    assert it.check(OPENSSH).returncode == 0
    # Who would have had to wait comes when the question is over.
    assert child.poll() is None
    time.sleep(1)
    assert child.poll() is None
    assert child.communicate(timeout=20) == (b"in\n", None)
    assert child.returncode == 0
    script.write_text("#!/bin/sh\n")
