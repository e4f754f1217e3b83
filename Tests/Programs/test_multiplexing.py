# SPDX-License-Identifier: Apache-2.0
"""One connection, many sessions: rows T-001 to T-055 that need no scp, sftp, X11 or agent."""
import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest
from conftest import OPENSSH, OURS, UNDER_TEST, free_port, make_key, run, wait_until
from masters import at_once, greeting, line, pairs  # noqa: F401


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
        [UNDER_TEST.ssh, "-F", it.config, "-M", "127.0.0.1", "read x"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    with master:
        wait_until(it.socket.exists, "the control socket")
        passenger = subprocess.Popen(
            [UNDER_TEST.ssh, "-F", it.config, "127.0.0.1", "echo up; sleep 2; echo late"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert passenger.stdout.readline() == b"up\n"
        master.stdin.close()
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


# MARK: Every request, both ways


@pairs
def test_forwards_over_a_master(master, passenger, line):
    it = line()
    it.open_master(master)
    port = free_port()
    target = f"127.0.0.1:{it.server.port}"
    for kind in "LR":
        words = [f"-{kind}{port}:{target}", "127.0.0.1"]
        result = it.ssh(passenger, "-O", "forward", *words)
        assert (result.returncode, result.stderr) == (0, b"")
        assert greeting(port).startswith(b"SSH-2.0-")
        result = it.ssh(passenger, "-O", "cancel", *words)
        assert (result.returncode, result.stderr) == (0, b"")
        wait_until(lambda: not greeting(port), "the port to be free")
        result = it.ssh(passenger, "-O", "cancel", *words)
        assert b"port not forwarded" in result.stderr
    result = it.ssh(passenger, "-O", "forward", f"-R0:{target}", "127.0.0.1")
    assert greeting(int(result.stdout)).startswith(b"SSH-2.0-")
    result = it.ssh(passenger, "-O", "forward", "-R/no/such/place:a:1", "127.0.0.1")
    assert result.returncode == 255
    assert b"remote port forwarding failed for listen path /no/such/place" in result.stderr


@pairs
def test_standard_forward_over_a_master(master, passenger, line):
    it = line()
    it.open_master(master)
    result = it.ssh(passenger, "-W", f"127.0.0.1:{it.server.port}", "127.0.0.1", input=b"x\n")
    assert result.stdout.startswith(b"SSH-2.0-"), result.stderr
    result = it.ssh(passenger, "-W", "127.0.0.1:1", "127.0.0.1")
    assert result.returncode == 255
    assert b"Stdio forwarding request failed: Session open refused by peer" in result.stderr
    assert it.logins() == 1


@pairs
def test_a_proxy_client(master, passenger, line):
    it = line()
    it.open_master(master)
    for status in (0, 44):
        result = it.ssh(passenger, "-O", "proxy", "127.0.0.1", f"echo out; exit {status}")
        assert (result.returncode, result.stdout) == (status, b"out\n"), result.stderr
    data = os.urandom(3_000_000)
    result = it.ssh(passenger, "-O", "proxy", "127.0.0.1", "cat", input=data)
    assert result.stdout == data
    port = free_port()
    target = f"127.0.0.1:{it.server.port}"
    child = subprocess.Popen(
        [passenger.ssh, "-F", it.config, "-O", "proxy", "-N", f"-R{port}:{target}", "127.0.0.1"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: greeting(port).startswith(b"SSH-2.0-"), "the forward")
    finally:
        child.kill()
        child.wait()
    assert it.logins() == 1


@pytest.mark.parametrize("master", [OURS, OPENSSH], ids=lambda suite: suite.name)
def test_what_a_proxy_client_sent_last_arrives(master, line):
    """The far end says nothing, and reads when the client has closed its channel and gone."""
    it = line()
    it.open_master(master)
    data = os.urandom(5_000_000)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        child = subprocess.Popen(
            [OURS.ssh, "-F", it.config, "-O", "proxy", "-W",
             f"127.0.0.1:{listener.getsockname()[1]}", "127.0.0.1"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        )
        listener.settimeout(10)
        far, _ = listener.accept()
        with far:
            far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
            far.shutdown(socket.SHUT_WR)
            far.settimeout(10)
            sending = threading.Thread(target=child.communicate, args=(data,), daemon=True)
            sending.start()
            time.sleep(1)
            arrived = b""
            while piece := far.recv(65536):
                arrived += piece
    assert arrived == data
    assert child.wait(10) == 0


def test_a_forward_asked_for_with_a_session_ends_with_it(line):
    it = line()
    it.open_master(OURS)
    port = free_port()
    forward = f"-L{port}:127.0.0.1:{it.server.port}"
    sessions = [
        subprocess.Popen(
            [OURS.ssh, "-F", it.config, forward, "127.0.0.1", "read x"],
            stdin=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    wait_until(lambda: greeting(port), "the forward")
    time.sleep(1)
    sessions[0].communicate(b"\n", timeout=10)
    assert greeting(port).startswith(b"SSH-2.0-")
    sessions[1].communicate(b"\n", timeout=10)
    wait_until(lambda: not greeting(port), "the forward to end")


def test_information_about_a_master(line):
    it = line()
    it.open_master(OURS)
    result = it.ssh(OURS, "-O", "conninfo", "127.0.0.1")
    head, *lines = result.stdout.decode().splitlines()
    assert "127.0.0.1" in head and str(it.master_pid()) in head
    # OpenSSH 10.3: two blanks, a name, a value.
    shown = dict(re.fullmatch(r"  (\w+) (.+)", each).groups() for each in lines)
    assert re.fullmatch(rf"127\.0\.0\.1:\d+ -> 127\.0\.0\.1:{it.server.port}", shown["tcp"])
    assert re.fullmatch(r"(\d+h)?(\d+m)?\d+s", shown["duration"])
    assert shown["hostkeyalgorithm"] == "ssh-ed25519" and shown["compression"] == "none"
    assert {"kexalgorithm", "cipher", "mac"} < shown.keys() and "compressed" not in shown
    assert re.fullmatch(
        r"\d+ pkts \d+ blks \S+ in, \d+ pkts \d+ blks \S+ out", shown["traffic"]
    )
    assert b"The following connections are open" in it.ssh(
        OURS, "-O", "channels", "127.0.0.1"
    ).stdout
    listed = json.loads(run([OURS.ssh, "-O", "list", "--json"]).stdout)
    mine = [each for each in listed if each["path"] == str(it.socket)]
    assert len(mine) == 1 and mine[0]["port"] == it.server.port and mine[0]["rtt_ms"] is not None
    child = subprocess.Popen(
        [OURS.ssh, "-F", it.config, "127.0.0.1", "read x"], stdin=subprocess.PIPE
    )

    def row():
        head, *rows = run([OURS.ssh, "-O", "list"]).stdout.decode().splitlines()
        names = head.split()
        assert names == ["PID", "AGE", "RTT", "SESSIONS", "PEER", "PATH"]
        # Each cell begins below its head.
        starts = [head.index(name) for name in names] + [None]
        found = [
            [each[start:end].strip() for start, end in zip(starts, starts[1:])]
            for each in rows if each.endswith(str(it.socket))
        ]
        assert len(found) == 1
        return found[0] if found[0][3] == "1" else None

    pid, age, trip, _, peer, _ = wait_until(row, "the session in the list", seconds=30)
    assert int(pid) == it.master_pid() and re.fullmatch(r"\d+ s", age)
    assert re.fullmatch(r"\d+\.\d ms", trip)
    assert peer.endswith(f"@127.0.0.1:{it.server.port}")
    child.communicate(b"\n", timeout=10)


@pytest.mark.parametrize("cipher", ["aes128-ctr", "chacha20-poly1305@openssh.com"])
def test_information_follows_what_was_agreed(cipher, line):
    it = line(Compression="yes", Ciphers=cipher, KexAlgorithms="curve25519-sha256", RekeyLimit="1M")
    it.open_master(OURS)
    assert len(it.ssh(OURS, "127.0.0.1", "head -c 3000000 /dev/zero").stdout) == 3_000_000
    assert len(it.ssh(OURS, "127.0.0.1", "head -c 3000000 /dev/urandom").stdout) == 3_000_000
    text = it.ssh(OURS, "-O", "conninfo", "127.0.0.1").stdout.decode()
    assert f"\n  cipher {cipher}\n" in text
    assert "\n  kexalgorithm curve25519-sha256\n" in text
    assert "\n  compression zlib@openssh.com\n" in text
    # All keys count, not those of the last mebibyte.
    plain, wire = re.search(r"\n  compressed (\d+)KB to (\d+)KB in", text).groups()
    assert 5700 < int(plain) < 6100 and 2900 < int(wire) < 3100
    assert int(re.search(r"traffic \d+ pkts \d+ blks (\d+)KB in", text)[1]) > 2900


def test_sessions_are_seen_and_ended(line):
    it = line(server=OURS)
    it.open_master(OURS)

    def sessions():
        text = it.ssh(OURS, "-O", "sessions", "127.0.0.1").stdout.decode()
        return [entry.split("\t") for entry in text.splitlines()[1:]]

    for end in ("kill:{}", "signal:TERM:{}"):
        child = subprocess.Popen([OURS.ssh, "-F", it.config, "127.0.0.1", "exec sleep 60"],
                                 stdin=subprocess.DEVNULL)
        found = wait_until(sessions, "the session")
        assert found[0][4] == "exec sleep 60" and int(found[0][1]) == child.pid
        time.sleep(0.5)
        result = it.ssh(OURS, "-O", end.format(found[0][0]), "127.0.0.1")
        assert result.returncode == 0, result.stderr
        assert child.wait(10) == 255
        wait_until(lambda: not sessions(), "the session to be gone")
    assert it.ssh(OURS, "-O", "kill:99", "127.0.0.1").returncode == 255


# MARK: Masters that heal themselves


def test_twenty_at_once_make_one_login(line):
    it = line(ControlMaster="auto", ControlPersist="10")
    assert at_once(it, 20) == [(b"", b"", 0)] * 20
    assert it.logins() == 1


def test_beyond_max_sessions(line):
    it = line(ControlMaster="auto", ControlPersist="3", extra=["MaxSessions 10"])
    results = at_once(it, 25, "sleep 3; echo done")
    assert [status for _, _, status in results] == [0] * 25
    assert it.logins() <= 3
    it.close()
    wait_until(lambda: not list(it.socket.parent.glob("ctl*")), "every socket to be gone")


def test_beyond_max_sessions_in_a_queue(line):
    it = line(ControlMaster="auto", ControlPersist="10", ControlOverflow="queue",
              extra=["MaxSessions 4"], server=OURS)
    results = at_once(it, 10, "sleep 0.5; echo done")
    assert results == [(b"done\n", b"", 0)] * 10
    assert it.logins() == 1


@pytest.mark.parametrize("mode", ["auto", "yes"])
def test_the_socket_of_a_killed_master_is_replaced(mode, line):
    it = line(ControlMaster=mode, ControlPersist="10")
    result = it.ssh(OURS, "-Nnf", "127.0.0.1")
    assert result.returncode == 0, result.stderr
    pid = wait_until(lambda: it.master_pid(OURS), "the master")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not it.master_pid(OURS), "its end")
    assert it.socket.exists()
    result = it.ssh(OURS, "127.0.0.1", "echo in")
    assert (result.stdout, result.stderr, result.returncode) == (b"in\n", b"", 0)
    assert it.master_pid(OURS) not in (None, pid)


def test_a_master_whose_server_is_gone_says_so_and_steps_aside(line):
    it = line(ControlMaster="auto", ControlPersist="60")
    assert it.ssh(OURS, "127.0.0.1", "true").returncode == 0
    first = it.master_pid()
    old = subprocess.Popen(
        [OURS.ssh, "-F", it.config, "127.0.0.1", "cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    old.stdin.write(b"before\n")
    old.stdin.flush()
    assert old.stdout.readline() == b"before\n"
    children = subprocess.run(
        ["pgrep", "-P", str(it.server.process.pid)], capture_output=True
    ).stdout.split()
    for child in children:
        os.kill(int(child), signal.SIGSTOP)
    try:
        result = it.check(OURS)
        assert result.returncode == 255
        assert b"its server does not answer" in result.stderr
        start = time.monotonic()
        result = it.ssh(OURS, "-oConnectTimeout=3", "127.0.0.1", "echo in")
        assert (result.stdout, result.returncode) == (b"in\n", 0), result.stderr
        assert time.monotonic() - start < 5
        assert it.master_pid() not in (None, first)
        # The old one was left to its sessions: they go on when the way to the server does.
        for child in children:
            os.kill(int(child), signal.SIGCONT)
        assert old.communicate(b"after\n", timeout=10)[0] == b"after\n"
        assert old.returncode == 0
    finally:
        old.kill()
        for child in children:
            try:
                os.kill(int(child), signal.SIGKILL)
            except ProcessLookupError:
                pass


@pytest.mark.parametrize("mode", ["auto", "no"])
@pytest.mark.parametrize("master", [OURS, OPENSSH], ids=lambda suite: suite.name)
def test_a_stopped_master_is_left_and_holds_nothing(master, mode, line):
    it = line(ControlMaster="auto", ControlPersist="60")
    assert it.ssh(master, "127.0.0.1", "true").returncode == 0
    pid = wait_until(lambda: it.master_pid(master), "the master")
    os.kill(pid, signal.SIGSTOP)
    try:
        start = time.monotonic()
        # Its output is a pipe, which we read to its end.
        result = it.ssh(OURS, f"-oControlMaster={mode}", "-oControlPersist=1", "127.0.0.1", "echo in")
        assert (result.stdout, result.returncode) == (b"in\n", 0), result.stderr
        assert time.monotonic() - start < 10
        start = time.monotonic()
        result = it.ssh(OURS, f"-oControlMaster={mode}", "127.0.0.1", "echo in")
        assert (result.stdout, result.returncode) == (b"in\n", 0), result.stderr
        # Who leads has taken its place.
        assert time.monotonic() - start < (2 if mode == "auto" else 10)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_stopped_masters_keep_nobody_from_a_list(line):
    it = line(ControlMaster="auto", ControlPersist="60")
    paths = [f"{it.socket}{number}" for number in range(4)]
    pids = []
    try:
        for path in paths:
            assert it.ssh(OURS, "-S", path, "127.0.0.1", "true").returncode == 0
            said = it.ssh(OURS, "-S", path, "-O", "check", "127.0.0.1").stderr
            pids.append(int(re.search(rb"pid=(\d+)", said)[1]))
        for pid in pids[:3]:
            os.kill(pid, signal.SIGSTOP)
        start = time.monotonic()
        listed = json.loads(run([OURS.ssh, "-O", "list", "--json"]).stdout)
        assert time.monotonic() - start < 8
        assert [each["path"] for each in listed if each["path"] in paths] == paths[3:]
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for path in paths:
            pathlib.Path(path).unlink(missing_ok=True)


def started(it, config, *words):
    return subprocess.Popen(
        [OURS.ssh, "-F", config, *words, "127.0.0.1", "echo in"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_login_that_stands_still_holds_the_others_up_for_a_while_only(line, stalled):
    it = line(ControlMaster="auto", ControlPersist="10")
    config = stalled(it.server, 1300, ControlMaster="auto", ControlPath=it.socket)
    first = started(it, config)
    try:
        wait_until(it.socket.with_name("ctl.lock").exists, "the first one's attempt")
        start = time.monotonic()
        # The configuration is the stalled one by now.
        words = ["-p", str(it.server.port), "-oConnectTimeout=2", "127.0.0.1", "echo in"]
        result = it.ssh(OURS, *words)
        assert (result.stdout, result.returncode) == (b"in\n", 0), result.stderr
        assert time.monotonic() - start < 10
    finally:
        first.kill()
        first.wait()


def test_those_who_wait_for_logins_that_fail_do_not_wait_for_one_after_the_other(line, stalled):
    it = line()
    config = stalled(
        it.server, 400, ControlMaster="auto", ControlPath=it.socket, ConnectTimeout=2
    )
    start = time.monotonic()
    sessions = [started(it, config) for _ in range(8)]
    for session in sessions:
        _, error = session.communicate(timeout=60)
        assert session.returncode == 255 and error.endswith(b"timed out\r\n"), error
    # Not eight times two seconds.
    assert time.monotonic() - start < 12
    assert not list(it.socket.parent.glob("ctl*"))


@pytest.mark.parametrize("name", ["n" * 20, "n" * 150])
def test_a_long_control_path(name, line, home):
    folder = home / ("d" * 100) / ("e" * 100)
    folder.mkdir(parents=True)
    it = line(ControlMaster="auto", ControlPersist="10")
    path = folder / name
    for _ in range(2):
        result = it.ssh(OURS, "-S", path, "127.0.0.1", "echo in")
        assert (result.stdout, result.stderr) == (b"in\n", b"")
    assert it.logins() == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    it.ssh(OURS, "-S", path, "-O", "exit", "127.0.0.1")
    wait_until(lambda: not list(folder.iterdir()), "the socket to be gone")


def test_a_client_with_another_key_does_not_ride(line, tmp_path, key):
    it = line(ControlMaster="auto", ControlPersist="10")
    other = make_key(tmp_path, "other")
    it.server.allow(other)
    assert it.ssh(OURS, "127.0.0.1", "true").returncode == 0
    assert it.ssh(OURS, "-i", key, "127.0.0.1", "true").returncode == 0
    assert it.logins() == 1
    assert it.ssh(OURS, "-i", other, "127.0.0.1", "true").returncode == 0
    assert it.logins() == 2
    assert it.ssh(OURS, "-i", other, "-oControlReuse=any", "127.0.0.1", "true").returncode == 0
    assert it.logins() == 2


@pytest.mark.parametrize("jumps", ["one", "two"])
@pytest.mark.parametrize("persists", ["30", "yes"])
def test_masters_behind_jump_hosts(persists, jumps, line):
    """ControlPersist with ProxyJump: the master keeps its way, and nobody's pipes."""
    it = line(ControlMaster="auto", ControlPersist=persists)
    folder = it.socket.parent
    config = it.config.read_text().replace(f"ControlPath {it.socket}", f"ControlPath {folder}/c-%n")
    hops = {"one": "jump", "two": "jump,other"}[jumps]
    config += f"    HostName 127.0.0.1\n    HostKeyAlias [127.0.0.1]:{it.server.port}\n"
    it.config.write_text(f"Host far\n    ProxyJump {hops}\n{config}")
    try:
        for number in range(3):
            start = time.monotonic()
            # Standard error is a pipe as well, and its end is waited for.
            result = it.ssh(OURS, "far", f"echo {number}; exit {number}")
            assert (result.stdout, result.stderr) == (b"%d\n" % number, b"")
            assert result.returncode == number
            assert time.monotonic() - start < 15
        names = sorted(path.name for path in folder.glob("c-*"))
        # A jump host of -W has a master of its own, which is another's to use.
        assert "c-far" in names
        logins = it.logins()
        assert logins == {"one": 2, "two": 3}[jumps]
        assert it.ssh(OURS, "jump", "echo in").stdout == b"in\n"
    finally:
        for path in folder.glob("c-*"):
            it.ssh(OURS, "-S", path, "-O", "exit", "far")
    wait_until(lambda: not list(folder.glob("c-*")), "the end of every master")
    found = run(["pgrep", "-f", str(it.config)]).stdout.split()
    wait_until(lambda: not run(["pgrep", "-f", str(it.config)]).stdout.split(), f"all to end: {found}")


def test_a_background_master_holds_nothing_of_its_callers(line):
    it = line(ControlMaster="auto", ControlPersist="60")
    read, write = os.pipe()
    child = subprocess.Popen(
        [OURS.ssh, "-F", it.config, "127.0.0.1", "echo in"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[write],
    )
    os.close(write)
    assert child.communicate(timeout=20)[0] == b"in\n"
    assert os.read(read, 1) == b""
    os.close(read)


def test_a_passenger_that_never_reads_is_let_go(line):
    """It asks and asks and takes no answer; others are served meanwhile."""
    it = line()
    it.open_master(OURS)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.connect(str(it.socket))
        deaf.setblocking(False)
        check = bytes.fromhex("00000008" "10000004" "00000001")
        try:
            deaf.sendall(bytes.fromhex("00000008" "00000001" "00000004"))
            for _ in range(200_000):
                deaf.send(check)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass
        assert it.ssh(OURS, "127.0.0.1", "echo in").stdout == b"in\n"


def test_nothing_is_left_over(line):
    it = line(ControlMaster="auto", ControlPersist="1")
    for _ in range(3):
        assert [status for _, _, status in at_once(it, 10, "echo x")] == [0] * 10
    pid = it.master_pid()
    if pid:
        wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "the master's end")
    wait_until(lambda: not list(it.socket.parent.glob("ctl*")), "files to be gone")


@pytest.mark.parametrize("server", [OPENSSH, OURS], ids=lambda suite: suite.name)
@pytest.mark.parametrize("rides", [False, True], ids=["alone", "rides"])
def test_a_program_ends_when_nobody_reads_its_output(server, rides, line):
    # OpenSSH's client says eow@openssh.com only to servers that call themselves OpenSSH.
    it = line(server=server)
    if rides:
        it.open_master(OURS)
    child = subprocess.Popen(
        [OURS.ssh, "-F", it.config, "127.0.0.1", "cat /dev/zero"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    try:
        assert child.stdout.read(100_000) == bytes(100_000)
        child.stdout.close()
        assert child.wait(10) == 255
    finally:
        child.kill()
        child.wait()
