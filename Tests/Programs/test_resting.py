# SPDX-License-Identifier: Apache-2.0
"""Processes that wait with less memory, and wake up as they were (docs/decisions/0011-resting.md)."""
import fcntl
import os
import pathlib
import pty
import re
import signal
import struct
import subprocess
import termios
import time

import pytest
from conftest import OURS, PREFIX, run, wait_until
from masters import line  # noqa: F401

PROGRAM = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+ +/\S+/(ssh|sshd)( \(deleted\))?$")


def relocated_kib(pid):
    """What is the process's own of the program's file."""
    total, counts = 0, False
    for text in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", text):
            counts = PROGRAM.match(text) is not None
        elif counts and text.startswith("Private_Dirty:"):
            total += int(text.split()[1])
    return total


def can_rest(program):
    return b"DT_RELR" in subprocess.run(["readelf", "-V", program], capture_output=True).stdout


def rests(pid, beginning):
    """Waits until the process has given pages back; a debug build has none to give."""
    if not can_rest(PREFIX / "bin/ssh"):
        return time.sleep(0.5)
    wait_until(lambda: relocated_kib(pid) < beginning / 2, f"{pid} to rest", 20)


def opened(command, **options):
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )
    assert child.stdout.readline() == b"open\n"
    return child, relocated_kib(child.pid)


TALK = "echo open; while read x; do echo got $x; [ $x = end ] && exit 7; done"


@pytest.fixture(params=["alone", "passenger"])
def command(request, line):
    it = line(server=OURS, ControlMaster="no")
    if request.param == "alone":
        return [OURS.ssh, "-F", it.config, "-S", "none", "127.0.0.1"]
    it.open_master(OURS)
    return [OURS.ssh, "-F", it.config, "127.0.0.1"]


def test_a_session_goes_on_after_rests(command):
    child, beginning = opened([*command, TALK])
    for word in (b"one", b"two"):
        rests(child.pid, beginning)
        child.stdin.write(word + b"\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"got " + word + b"\n"
    child.stdin.write(b"end\n")
    child.stdin.flush()
    assert child.wait(10) == 7
    assert (child.stdout.read(), child.stderr.read()) == (b"got end\n", b"")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_one_that_rests(command, number):
    child, beginning = opened([*command, TALK])
    rests(child.pid, beginning)
    child.send_signal(number)
    assert child.wait(10) in (255, -number)


def test_signals_that_mean_nothing_wake_no_one_for_good(command):
    child, beginning = opened([*command, TALK])
    for number in (signal.SIGWINCH, signal.SIGCHLD, signal.SIGURG, signal.SIGCONT):
        rests(child.pid, beginning)
        child.send_signal(number)
        time.sleep(0.1)
    child.stdin.write(b"end\n")
    child.stdin.flush()
    assert child.wait(10) == 7


def test_one_that_rests_can_be_stopped(command):
    def state():
        text = pathlib.Path(f"/proc/{child.pid}/stat").read_text()
        return text.rsplit(")", 1)[1].split()[0]

    # A group of its own, with a parent outside it: no orphan may be stopped so.
    child, beginning = opened([*command, TALK], process_group=0)
    rests(child.pid, beginning)
    child.send_signal(signal.SIGTSTP)
    wait_until(lambda: state() == "T", "the process to stop")
    child.send_signal(signal.SIGCONT)
    wait_until(lambda: state() != "T", "the process to go on")
    child.stdin.write(b"end\n")
    child.stdin.flush()
    assert child.wait(10) == 7


def test_a_terminals_new_size_comes_through_a_rest(command):
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [*command[:1], "-tt", *command[1:], "echo open; read x; stty size; exit 3"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen = b""
    while b"open" not in seen:
        seen += os.read(ours, 4096)
    rests(child.pid, 300)
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    child.send_signal(signal.SIGWINCH)
    time.sleep(1)
    os.write(ours, b"\n")
    while b"33 77" not in seen:
        seen += os.read(ours, 4096)
    assert child.wait(10) == 3
    os.close(ours)


def test_a_master_that_rests_serves(line):
    it = line(server=OURS)
    it.open_master(OURS)
    pid = it.master_pid(OURS)
    for _ in range(2):
        time.sleep(2.5)
        result = run([OURS.ssh, "-F", it.config, "127.0.0.1", "echo out; exit 4"])
        assert (result.returncode, result.stdout) == (4, b"out\n")
    assert it.master_pid(OURS) == pid and it.logins() == 1


@pytest.mark.skipif(os.getuid() != 0, reason="PAM on behalf of others needs root")
def test_a_session_process_that_was_started_anew_rests(serve, key):
    server = serve(OURS, "UsePAM yes")
    config = server.client_config(key)
    child = subprocess.Popen(
        [OURS.ssh, "-F", config, "127.0.0.1", TALK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout.readline() == b"open\n"
    for word in (b"one", b"two"):
        time.sleep(2.6)
        child.stdin.write(word + b"\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"got " + word + b"\n"
    time.sleep(1)
    child.stdin.write(b"end\n")
    child.stdin.flush()
    assert child.wait(10) == 7


def test_what_may_not_be_written_is_not_after_a_rest(command):
    """The pages that the dynamic linker protects (PT_GNU_RELRO) are protected again."""
    if not can_rest(OURS.ssh):
        pytest.skip("a debug build does not rest")

    def writable():
        text = pathlib.Path(f"/proc/{child.pid}/maps").read_text()
        return [row.split()[1] for row in text.splitlines() if PROGRAM.match(row)]

    child, beginning = opened([*command, TALK])
    before = writable()
    rests(child.pid, beginning)
    child.stdin.write(b"one\n")
    child.stdin.flush()
    assert child.stdout.readline() == b"got one\n"
    if "-S" in command:
        assert writable() == before
    child.stdin.write(b"end\n")
    child.stdin.flush()
    assert child.wait(10) == 7
