# SPDX-License-Identifier: Apache-2.0
"""The daemon: who is let in how often, reloads, service managers, events; OpenSSH is the client."""
import contextlib
import fcntl
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest
from conftest import OPENSSH, OURS_ONLY, UNDER_TEST, Server, free_port, make_key, run, wait_until


def login(peer, key, command="echo in", *options, **changes):
    config = peer.client_config(key, **changes)
    return run([OPENSSH.ssh, "-F", config, *options, "127.0.0.1", command])


def hello(port, seconds=5):
    """The first line that a new connection gets, or what came instead."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        try:
            return connection.recv(200)
        except ConnectionResetError:
            return b""


# Penalties and limits


def test_failed_logins_keep_a_source_out_for_a_while(serve, key, tmp_path):
    stranger = make_key(tmp_path, "stranger")
    peer = serve(UNDER_TEST, "PerSourcePenalties authfail:2s noauth:0 min:3s max:3s")
    assert login(peer, key).returncode == 0
    for _ in range(2):
        assert login(peer, stranger).returncode == 255
    wait_until(lambda: hello(peer.port).startswith(b"Not allowed at this time"), "the penalty")
    assert login(peer, key).returncode == 255
    log = peer.log_text()
    assert "activating ipv4 penalty of" in log
    assert "penalty: failed authentication" in log and "drop connection #" in log
    time.sleep(3.2)
    assert login(peer, key).returncode == 0, peer.log_text()


def test_connections_without_a_login_cost_too_and_exempt_ones_do_not(serve):
    peer = serve(UNDER_TEST, "PerSourcePenalties noauth:2s min:3s")
    for _ in range(3):
        socket.create_connection(("127.0.0.1", peer.port)).close()
        time.sleep(0.3)
    wait_until(lambda: hello(peer.port).startswith(b"Not allowed"), "the penalty")
    peer = serve(
        UNDER_TEST,
        "PerSourcePenalties noauth:60s min:1s",
        "PerSourcePenaltyExemptList 127.0.0.0/8",
    )
    for _ in range(3):
        socket.create_connection(("127.0.0.1", peer.port)).close()
        time.sleep(0.3)
    assert hello(peer.port).startswith(b"SSH-2.0-")


def test_per_source_max_startups(serve, key):
    peer = serve(UNDER_TEST, "PerSourceMaxStartups 2")
    # The probe that found the server ready counts until its monitor has ended.
    wait_until(lambda: "Connection closed by" in peer.log_text(), "the probe's end")
    time.sleep(0.2)
    first = [socket.create_connection(("127.0.0.1", peer.port)) for _ in range(2)]
    for connection in first:
        assert connection.recv(100).startswith(b"SSH-2.0-")
    assert hello(peer.port).startswith(b"Exceeded MaxStartups")
    assert "past PerSourceMaxStartups" in peer.log_text()
    for connection in first:
        connection.close()
    wait_until(lambda: hello(peer.port).startswith(b"SSH-2.0-"), "room again")


BOTH = pytest.mark.parametrize("suite", [UNDER_TEST, OPENSSH], ids=repr)


@BOTH
@pytest.mark.parametrize("level,lines", [("INFO", 1), ("VERBOSE", 7)])
def test_one_line_of_the_log_for_many_connections_too_many(suite, level, lines, serve):
    peer = serve(suite, "MaxStartups 2", f"LogLevel {level}")
    time.sleep(0.5)
    connections = [socket.create_connection(("127.0.0.1", peer.port)) for _ in range(9)]
    said = [connection.recv(100) for connection in connections]
    assert [each.startswith(b"SSH-2.0-") for each in said] == [True] * 2 + [False] * 7
    assert said[2:] == [b"Exceeded MaxStartups\r\n"] * 7
    for connection in connections:
        connection.close()
    time.sleep(0.5)
    wait_until(lambda: hello(peer.port).startswith(b"SSH-2.0-"), "room again")
    wait_until(lambda: "7 connections dropped" in peer.log_text(), "the end's line")
    assert peer.log_text().count("beginning MaxStartups throttling") == 1
    assert peer.log_text().count("past MaxStartups") == lines


@BOTH
def test_a_listener_without_descriptors_rests(suite, serve, key):
    peer = serve(suite)
    wait_until(lambda: "Connection closed by" in peer.log_text(), "the probe's end")
    title = pathlib.Path(f"/proc/{peer.process.pid}/cmdline")
    wait_until(lambda: b" 0 of " in title.read_bytes(), "the end of the pipe to the probe's process")
    open_now = len(os.listdir(f"/proc/{peer.process.pid}/fd"))
    before = resource.prlimit(peer.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(peer.process.pid, resource.RLIMIT_NOFILE, (open_now, before[1]))
    with socket.create_connection(("127.0.0.1", peer.port)):
        time.sleep(1)
        count = peer.log_text().count("accept: Too many open files")
        assert 1 <= count <= 12, count
    resource.prlimit(peer.process.pid, resource.RLIMIT_NOFILE, before)
    assert login(peer, key).stdout == b"in\n"


def test_refuse_connection(serve, key):
    peer = serve(UNDER_TEST, "Match Address 127.0.0.1", "    RefuseConnection yes")
    assert login(peer, key).returncode == 255


@pytest.mark.parametrize("stage", ["nothing", "identification", "half a packet"])
def test_a_mute_client_is_dropped_in_time(stage, serve):
    peer = serve(UNDER_TEST, "LoginGraceTime 2")
    with socket.create_connection(("127.0.0.1", peer.port), timeout=10) as connection:
        if stage != "nothing":
            connection.sendall(b"SSH-2.0-mute\r\n")
        if stage == "half a packet":
            connection.sendall(b"\0\0\1")
        begin = time.monotonic()
        while connection.recv(4096):
            pass
        assert 1 < time.monotonic() - begin < 5
    assert "Timeout before authentication for 127.0.0.1" in peer.log_text()


# Reload


def hang_up(peer, text):
    before = peer.log_text().count(text)
    os.kill(peer.process.pid, signal.SIGHUP)
    wait_until(lambda: peer.log_text().count(text) > before, f"the log says: {text}")


def test_a_wrong_configuration_changes_nothing(serve, key):
    peer = serve(UNDER_TEST)
    good = peer.config.read_text()
    peer.config.write_text(good + "\nNoSuchKeyword yes\n")
    hang_up(peer, "The new configuration is wrong; the old one stays in force.")
    assert "Bad configuration option: NoSuchKeyword" in peer.log_text()
    assert str(peer.config) in peer.log_text()
    assert login(peer, key).returncode == 0
    peer.config.write_text(good + "\nForceCommand echo new\n")
    hang_up(peer, "Received SIGHUP; restarting.")
    wait_until(lambda: login(peer, key).stdout == b"new\n", "the new configuration")


def test_contradictions_change_nothing(serve, key):
    peer = serve(UNDER_TEST)
    peer.config.write_text(
        peer.config.read_text() + "\nPasswordAuthentication no\nAuthenticationMethods password\n")
    hang_up(peer, "The new configuration is wrong; the old one stays in force.")
    assert "AuthenticationMethods cannot be satisfied by enabled authentication methods" in peer.log_text()
    assert login(peer, key).stdout == b"in\n"


def test_a_port_that_is_taken_leaves_the_old_one_open(serve, key):
    peer = serve(UNDER_TEST)
    with socket.create_server(("127.0.0.1", 0)) as other:
        text = peer.config.read_text().replace(f"Port {peer.port}", f"Port {other.getsockname()[1]}")
        peer.config.write_text(text)
        hang_up(peer, "Cannot bind any address")
        assert login(peer, key).stdout == b"in\n"
    hang_up(peer, "Received SIGHUP; restarting.")
    wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", peer.port)) != 0, "it is closed")


@BOTH
def test_a_reload_opens_the_log_again(suite, serve, key):
    peer = serve(suite)
    old = peer.log.rename(peer.folder / "old.log")
    os.kill(peer.process.pid, signal.SIGHUP)
    wait_until(lambda: "Server listening" in peer.log_text(), "a new log")
    assert "Received SIGHUP; restarting." in old.read_text()
    assert login(peer, key).stdout == b"in\n"
    assert "Accepted publickey" in peer.log_text() and "Accepted publickey" not in old.read_text()


def test_reloads_leave_nothing_open(serve, tmp_path):
    peer = serve(UNDER_TEST, f"EventLog {tmp_path}/events")

    def opened():
        return len(os.listdir(f"/proc/{peer.process.pid}/fd"))

    wait_until(lambda: "Connection closed by" in peer.log_text(), "the probe's end")
    counts = []
    for _ in range(4):
        hang_up(peer, "Server listening")
        wait_until(lambda: (tmp_path / "events").read_text().count('"reload"') > len(counts), "the reload's end")
        counts.append(opened())
    assert len(set(counts)) == 1, counts


def test_addresses_come_and_go_with_a_reload(serve, key):
    peer = serve(UNDER_TEST)
    other = free_port()
    good = peer.config.read_text()
    peer.config.write_text(good + f"\nListenAddress 127.0.0.1:{other}\n")
    hang_up(peer, f"Server listening on 127.0.0.1 port {other}.")
    assert hello(other).startswith(b"SSH-2.0-") and hello(peer.port).startswith(b"SSH-2.0-")
    peer.config.write_text(good)
    hang_up(peer, "Received SIGHUP; restarting.")
    wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", other)) != 0, "it is closed")
    assert login(peer, key).returncode == 0


def test_no_login_is_refused_during_reloads(serve, key):
    peer = serve(UNDER_TEST, "MaxStartups 100")
    config = peer.client_config(key)
    failures = []

    def clients():
        for _ in range(8):
            result = run([OPENSSH.ssh, "-F", config, "127.0.0.1", "true"])
            if result.returncode != 0:
                failures.append(result.stderr)

    threads = [threading.Thread(target=clients) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        os.kill(peer.process.pid, signal.SIGHUP)
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    assert not failures


def test_a_replaced_program_takes_over_with_the_next_reload(tmp_path, me, key, request):
    folder = pathlib.Path("/tmp") / f"hwp{os.getpid()}"
    folder.mkdir()
    request.addfinalizer(lambda: shutil.rmtree(folder))
    program = folder / "sshd"
    shutil.copy(os.path.realpath(UNDER_TEST.sshd), program)

    class Copied:
        prefix = UNDER_TEST.prefix
        sshd = str(program)

    peer = Server(UNDER_TEST, tmp_path / "server", me)
    peer.suite = Copied
    peer.allow(key)
    peer.start()
    try:
        # Overwritten as a package manager does it: under another name, then renamed.
        shutil.copy(program, folder / "new")
        os.rename(folder / "new", program)
        assert login(peer, key).returncode == 0
        hang_up(peer, "Replaced by the program at")
        wait_until(
            lambda: os.path.samefile(f"/proc/{peer.process.pid}/exe", program), "the new program"
        )
        assert login(peer, key).returncode == 0
        # One that does not work is not taken.
        program.unlink()
        program.write_text("#!/bin/sh\nexit 1\n")
        program.chmod(0o755)
        hang_up(peer, "does not work; this one stays.")
        assert login(peer, key).returncode == 0
    finally:
        peer.suite = UNDER_TEST
        peer.stop()


# Service managers


def test_sockets_and_readiness_of_a_service_manager(tmp_path, me, key, home):
    peer = Server(UNDER_TEST, tmp_path / "server", me)
    peer.allow(key)
    notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notices.bind(str(home / "notify"))
    notices.settimeout(10)
    program = home / "sshd"
    shutil.copy(os.path.realpath(UNDER_TEST.sshd), program)
    listener = socket.create_server(("127.0.0.1", 0))
    configured = peer.port
    peer.port = listener.getsockname()[1]

    def give():
        os.dup2(listener.fileno(), 3)
        os.environ["LISTEN_PID"] = str(os.getpid())

    # Through a shell, which keeps its number when it becomes the program.
    process = subprocess.Popen(
        ["/bin/sh", "-c",
         f"LISTEN_PID=$$ exec {program} -D -f {peer.config} -E {peer.log}"],
        env=dict(os.environ, LISTEN_FDS="1", NOTIFY_SOCKET=str(home / "notify")),
        pass_fds=[3] if listener.fileno() == 3 else [],
        preexec_fn=None if listener.fileno() == 3 else give,
        close_fds=listener.fileno() == 3,
    )
    peer.process = process
    listener.close()
    try:
        assert notices.recv(100) == b"READY=1"
        assert login(peer, key).stdout == b"in\n", peer.log_text()
        os.kill(process.pid, signal.SIGHUP)
        assert notices.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert notices.recv(100) == b"READY=1"
        assert login(peer, key).stdout == b"in\n", peer.log_text()
        assert socket.socket().connect_ex(("127.0.0.1", configured)) != 0
        # A program that takes this one's place has the sockets, and knows whose they are.
        shutil.copy(program, home / "new")
        os.rename(home / "new", program)
        os.kill(process.pid, signal.SIGHUP)
        wait_until(lambda: notices.recv(100) == b"READY=1", "the new program")
        wait_until(lambda: "Replaced by the program" in peer.log_text(), "the new program's line")
        assert os.path.samefile(f"/proc/{process.pid}/exe", program)
        assert login(peer, key).stdout == b"in\n", peer.log_text()
        assert socket.socket().connect_ex(("127.0.0.1", configured)) != 0
    finally:
        process.terminate()
        process.wait(10)
    assert notices.recv(100) == b"STOPPING=1"


# Events


def test_events(serve, key, tmp_path, me):
    events = tmp_path / "events"
    peer = serve(UNDER_TEST, f"EventLog {events}")
    stranger = make_key(tmp_path, "stranger")
    assert login(peer, stranger).returncode == 255
    assert login(peer, key, "echo in").returncode == 0
    hang_up(peer, "Received SIGHUP; restarting.")

    def lines():
        return [json.loads(line) for line in events.read_text().splitlines()]

    wait_until(lambda: [line for line in lines() if line["event"] == "reload"], "the reload")
    wait_until(
        lambda: len([line for line in lines() if line["event"] == "disconnect"]) >= 2, "the ends"
    )
    accepted = next(line for line in lines() if line.get("result") == "accepted")
    assert accepted["user"] == me and accepted["method"] == "publickey"
    assert "SHA256:" in accepted["key"]
    mine = [line for line in lines() if line.get("reference") == accepted["reference"]]
    kinds = [line["event"] for line in mine]
    assert [kind for kind in kinds if kind != "authentication"] == [
        "connect", "login", "session", "session-end", "disconnect"
    ]
    session = next(line for line in mine if line["event"] == "session")
    assert session["command"] == "echo in" and session["kind"] == "session:command"
    end = mine[-1]
    assert end["user"] == me and end["bytes_in"] > 50 and end["bytes_out"] > 50
    failed = next(line for line in lines() if line.get("result") == "failed")
    assert failed["user"] == me and failed["reference"] != accepted["reference"]


@pytest.mark.parametrize("is_reader_slow", [False, True], ids=["reader", "slow reader"])
@pytest.mark.parametrize("kind", ["unix", "fd", "pipe"])
def test_events_go_to_a_socket_or_a_descriptor(kind, is_reader_slow, tmp_path, me, key, home):
    with contextlib.ExitStack() as held:
        if kind == "unix":
            door = held.enter_context(socket.socket(socket.AF_UNIX))
            door.bind(str(home / "events"))
            door.listen(1)
            target, given = f"unix:{home}/events", ()
        else:
            inside, outside = socket.socketpair()
            held.enter_context(outside)
            if kind == "pipe":
                read, write = os.pipe()
                if is_reader_slow:
                    fcntl.fcntl(write, 1031, 4096)  # F_SETPIPE_SZ
                inside, outside = held.enter_context(open(write, "wb")), held.enter_context(open(read, "rb"))
                outside.recv, outside.settimeout = outside.read, lambda _: None
            target, given = f"fd:{inside.fileno()}", (inside.fileno(),)
        peer = Server(UNDER_TEST, tmp_path / "server", me, extra=[f"EventLog {target}"])
        peer.allow(key)
        peer.process = subprocess.Popen(
            [UNDER_TEST.sshd, "-D", "-f", peer.config, "-E", peer.log], pass_fds=given,
        )
        try:
            wait_until(peer.answers, "sshd")
            if kind == "unix":
                outside = held.enter_context(door.accept()[0])
            else:
                inside.close()
            if is_reader_slow:
                # Nobody reads: no login waits for that.
                if kind != "pipe":
                    outside.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
                for _ in range(6):
                    assert login(peer, key, "for i in 1 2 3; do echo in; done").returncode == 0
                return
            assert login(peer, key).stdout == b"in\n"
            hang_up(peer, "Received SIGHUP; restarting.")
            assert login(peer, key).stdout == b"in\n"
            if kind == "unix":
                second = held.enter_context(door.accept()[0])
        finally:
            peer.process.terminate()
            peer.process.wait(10)
        said = b""
        for end in [outside] + ([second] if kind == "unix" else []):
            end.settimeout(10)
            while data := end.recv(65536):
                said += data
        lines = [json.loads(line) for line in said.splitlines()]
        assert len([line for line in lines if line["event"] == "login" and line["user"] == me]) == 2
        assert [line["result"] for line in lines if line["event"] == "reload"] == ["done"]


def test_a_reader_of_events_that_goes_is_missed_by_nobody(serve, key, home):
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(home / "events"))
        door.listen(1)
        peer = serve(UNDER_TEST, f"EventLog unix:{home}/events")
        door.accept()[0].close()
    for _ in range(3):
        assert login(peer, key).stdout == b"in\n", peer.log_text()


def test_a_refused_client_can_name_the_event(serve, tmp_path):
    events = tmp_path / "events"
    peer = serve(UNDER_TEST, f"EventLog {events}", "MaxAuthTries 1")
    result = login(peer, make_key(tmp_path, "stranger"))
    said = result.stderr.decode()
    reference = said.split("(reference ")[1].split(")")[0]
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    failed = next(line for line in lines if line.get("result") == "failed")
    assert failed["reference"] == reference


def noted(events, kind):
    # A line that is being written has no end yet.
    text = events.read_text().rpartition("\n")[0]
    lines = [json.loads(line) for line in text.splitlines()]
    return [line for line in lines if line["event"] == kind]


def test_a_dropped_client_can_name_the_event(serve, tmp_path):
    events = tmp_path / "events"
    peer = serve(UNDER_TEST, f"EventLog {events}", "PerSourcePenalties noauth:5s min:1s")
    for _ in range(2):
        socket.create_connection(("127.0.0.1", peer.port)).close()
        time.sleep(0.3)
    said = wait_until(
        lambda: next(
            (line for line in [hello(peer.port)] if line.startswith(b"Not allowed")), None
        ), "the penalty",
    ).decode()
    reference = said.split("(reference ")[1].split(")")[0]
    assert [
        line for line in noted(events, "dropped")
        if line["reference"] == reference and line["address"] == "127.0.0.1"
        and "penalty" in line["reason"]
    ]
    penalty = noted(events, "penalty")[0]
    assert penalty["address"] == "127.0.0.1" and penalty["source"] == "127.0.0.1/32"
    assert penalty["reason"] == "connections without attempting authentication"


def test_events_of_a_reload_that_is_refused(serve, tmp_path):
    events = tmp_path / "events"
    peer = serve(UNDER_TEST, f"EventLog {events}")
    peer.config.write_text(peer.config.read_text() + "NoSuchKeyword yes\n")
    hang_up(peer, "the old one stays in force")
    assert [line["result"] for line in noted(events, "reload")] == ["refused"]


def test_events_of_forwardings(serve, key, tmp_path, me):
    events = tmp_path / "events"
    with socket.create_server(("127.0.0.1", 0)) as target:
        allowed = target.getsockname()[1]
        peer = serve(UNDER_TEST, f"EventLog {events}", f"PermitOpen 127.0.0.1:{allowed}")
        target.settimeout(10)
        taken = threading.Thread(target=lambda: target.accept()[0].close())
        taken.start()
        for port in (allowed, 1):
            run([OPENSSH.ssh, "-F", peer.client_config(key), "-W", f"127.0.0.1:{port}",
                 "127.0.0.1"])
        taken.join()
    wait_until(lambda: len(noted(events, "forward")) == 2, "both events")
    found = {line["target"]: line["result"] for line in noted(events, "forward")}
    assert found == {f"127.0.0.1:{allowed}": "allowed", "127.0.0.1:1": "refused"}
    assert all(line["user"] == me and line["reference"] for line in noted(events, "forward"))


@pytest.mark.parametrize("kind", ["internal-sftp", "sftp-server"])
def test_events_of_files(kind, serve, key, tmp_path, me):
    events = tmp_path / "events"
    program = pathlib.Path(UNDER_TEST.sshd).parent.parent / "libexec" / "sftp-server"
    command = kind if kind == "internal-sftp" else program
    peer = serve(UNDER_TEST, f"EventLog {events}", f"Subsystem sftp {command}")
    (tmp_path / "source").write_bytes(bytes(300_000))
    folder = tmp_path / 'a "folder"'
    batch = [
        f"get {tmp_path}/source {tmp_path}/copy", f"mkdir '{folder}'",
        f"put {tmp_path}/copy '{folder}/copy'", f"chmod 600 '{folder}/copy'",
        f"rename '{folder}/copy' '{folder}/other'", f"symlink other '{folder}/link'",
        f"rm '{folder}/other'", f"rm '{folder}/link'", f"rmdir '{folder}'",
        "-rm /nonexistent/file",
    ]
    result = run(
        ["/usr/bin/sftp", "-F", peer.client_config(key), "-S", OPENSSH.ssh, "-b", "-",
         "127.0.0.1"],
        input="\n".join(batch).encode(),
    )
    assert result.returncode == 0, result.stderr
    wait_until(lambda: noted(events, "disconnect"), "the end")
    done = noted(events, "sftp")
    assert all(line["user"] == me and line["reference"] for line in done)
    assert {line["reference"] for line in done} == {noted(events, "login")[0]["reference"]}

    def one(operation, path):
        return next(
            line for line in done
            if line["operation"] == operation and line["path"] == str(path)
        )

    assert one("open", tmp_path / "source")["detail"] == "READ"
    end = one("close", tmp_path / "source")
    assert (end["bytes_read"], end["bytes_written"]) == (300_000, 0)
    assert one("close", folder / "copy")["bytes_written"] == 300_000
    assert one("mkdir", folder)["result"] == "done"
    assert "mode 0600" in one("setstat", folder / "copy")["detail"]
    renamed = [line for line in done if line["operation"].endswith("rename")]
    assert [line["target"] for line in renamed] == [str(folder / "other")]
    assert one("symlink", folder / "link")["target"] == "other"
    assert one("rmdir", folder)["result"] == "done"
    assert one("remove", "/nonexistent/file")["result"] == "No such file"


# Files without a program


@pytest.mark.parametrize("lines", [
    ["Subsystem sftp internal-sftp"],
    ["Subsystem sftp /bin/false", "ForceCommand internal-sftp"],
])
def test_internal_sftp(lines, serve, key, tmp_path):
    peer = serve(UNDER_TEST, *lines)
    (tmp_path / "source").write_bytes(os.urandom(300_000))
    batch = f"get {tmp_path}/source {tmp_path}/copy\n"
    result = run(
        ["/usr/bin/sftp", "-F", peer.client_config(key), "-S", OPENSSH.ssh, "-b", "-",
         "127.0.0.1"],
        input=batch.encode(),
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "source").read_bytes()


def test_internal_sftp_in_a_changed_root(serve, key, account, home):
    name, _ = account
    home.chmod(0o755)
    root = pathlib.Path(f"/opt/hwroot{os.getpid()}")
    root.mkdir(mode=0o755)
    try:
        (root / "note").write_text("inside\n")
        (home / "keys").write_text(pathlib.Path(f"{key}.pub").read_text())
        peer = serve(
            UNDER_TEST,
            f"AuthorizedKeysFile {home}/keys",
            f"ChrootDirectory {root}",
            "Subsystem sftp internal-sftp",
            "ForceCommand internal-sftp -d /",
            user=name,
        )
        result = run(
            ["/usr/bin/sftp", "-F", peer.client_config(key), "-S", OPENSSH.ssh, "-b", "-",
             "127.0.0.1"],
            input=b"ls -1\n",
        )
        if "bad ownership or modes" in peer.log_text():
            pytest.skip("/opt may be written by others")
        assert result.returncode == 0, (result.stderr, peer.log_text())
        assert result.stdout.decode().splitlines()[-1] == "note"
    finally:
        shutil.rmtree(root)


@OURS_ONLY
@pytest.mark.skipif(os.getuid() != 0, reason="makes a device")
def test_a_device_as_pid_file_stays(serve, tmp_path):
    """OpenSSH removes whatever it finds there, /dev/null too."""
    null = tmp_path / "null"
    os.mknod(null, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    server = serve(UNDER_TEST, f"PidFile {null}")
    server.stop()
    assert stat.S_ISCHR(null.lstat().st_mode)
