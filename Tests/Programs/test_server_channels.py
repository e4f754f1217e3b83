# SPDX-License-Identifier: Apache-2.0
"""Channels of a server: many idle ones, timeouts, displays and agents; OpenSSH is the client."""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest
from conftest import OPENSSH, UNDER_TEST, free_port, run, wait_until

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Echo:
    """A server that keeps its connections open and sends back what it gets."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port = self.listener.getsockname()[1]
        self.open = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(connection)
            threading.Thread(target=self.echo, args=(connection,), daemon=True).start()

    @staticmethod
    def echo(connection):
        try:
            while data := connection.recv(65536):
                connection.sendall(data)
        except OSError:
            pass

    def close(self):
        self.listener.close()
        for connection in self.open:
            connection.close()


@pytest.fixture
def echo():
    server = Echo()
    yield server
    server.close()


def session_process(peer):
    """The process of sshd that serves the user."""
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            title = path.read_bytes()
        except OSError:
            continue
        if title.startswith(b"sshd: ") and b"@notty" in title:
            parent = int(re.search(r"PPid:\s+(\d+)", (path.parent / "status").read_text())[1])
            grandparent = re.search(
                r"PPid:\s+(\d+)", pathlib.Path(f"/proc/{parent}/status").read_text()
            )
            if int(grandparent[1]) == peer.process.pid:
                return int(path.parent.name)
    return None


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def test_a_thousand_idle_channels_cost_nothing(serve, key, echo):
    peer = serve(UNDER_TEST)
    port = free_port()
    config = peer.client_config(key)
    client = subprocess.Popen(
        [OPENSSH.ssh, "-F", config, "-N", "-L", f"{port}:127.0.0.1:{echo.port}", "127.0.0.1"]
    )
    idle = []
    try:
        wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, "the forward")
        pid = wait_until(lambda: session_process(peer), "the session's process")

        def exchange(count):
            with socket.create_connection(("127.0.0.1", port)) as probe:
                before = cpu_seconds(pid)
                for _ in range(count):
                    probe.sendall(b"x" * 64)
                    assert probe.recv(64)
                return cpu_seconds(pid) - before

        exchange(50)
        alone = exchange(2000)
        for _ in range(1000):
            idle.append(socket.create_connection(("127.0.0.1", port)))
        wait_until(lambda: len(echo.open) >= 1000, "a thousand connections", 30)
        time.sleep(0.5)
        crowded = exchange(2000)
        before = cpu_seconds(pid)
        time.sleep(1)
        assert cpu_seconds(pid) - before <= 0.02
        # A ratio of small numbers: what must not be is a cost that grows with the channels.
        assert crowded <= alone * 3 + 0.2, (alone, crowded)
    finally:
        for connection in idle:
            connection.close()
        client.terminate()
        client.wait(10)


@pytest.mark.parametrize("rule,ends", [
    ("session:command=1", True),
    ("session:*=1", True),
    ("session:shell=1", False),
    ("direct-tcpip=1", False),
    ("global=1", True),
    ("session:command=0", False),
])
def test_channel_timeout(rule, ends, serve, key):
    peer = serve(UNDER_TEST, f"ChannelTimeout {rule}")
    begin = time.monotonic()
    result = run(
        [OPENSSH.ssh, "-F", peer.client_config(key), "127.0.0.1", "sleep 3; echo end"]
    )
    assert (result.returncode == 255) == ends, result.stderr
    assert (time.monotonic() - begin < 2.9) == ends


def test_activity_keeps_a_channel(serve, key):
    peer = serve(UNDER_TEST, "ChannelTimeout session:command=1")
    result = run(
        [OPENSSH.ssh, "-F", peer.client_config(key), "127.0.0.1",
         "for i in 1 2 3 4 5; do echo $i; sleep 0.5; done"]
    )
    assert result.stdout == b"1\n2\n3\n4\n5\n"


def test_the_agents_socket_is_the_users_alone_and_goes_with_the_session(
    serve, key, home, account
):
    name, _ = account
    home.chmod(0o755)
    keys = home / "keys"
    keys.write_text(pathlib.Path(f"{key}.pub").read_text())
    agent = subprocess.Popen(
        ["/usr/bin/ssh-agent", "-D", "-a", str(home / "agent")], stdout=subprocess.DEVNULL
    )
    try:
        wait_until((home / "agent").exists, "the agent")
        environment = dict(os.environ, SSH_AUTH_SOCK=str(home / "agent"))
        added = run(["/usr/bin/ssh-add", "-q", str(key)], env=environment)
        assert added.returncode == 0
        peer = serve(UNDER_TEST, f"AuthorizedKeysFile {keys}", user=name)
        config = peer.client_config(key, IdentityAgent="SSH_AUTH_SOCK")
        result = run(
            [OPENSSH.ssh, "-A", "-F", config, "127.0.0.1",
             "stat -c %a $SSH_AUTH_SOCK; echo $SSH_AUTH_SOCK; /usr/bin/ssh-add -l"],
            env=environment,
        )
        assert len(result.stdout.splitlines()) == 3, (result, peer.log_text())
        mode, path, listed = result.stdout.decode().splitlines()
        assert mode == "600" and "ED25519" in listed, result.stderr
        assert path.startswith(f"/home/{name}/.ssh/agent/s.")
        wait_until(lambda: not pathlib.Path(path).exists(), "the socket is gone")
    finally:
        agent.terminate()
        agent.wait(10)


FAKE_XAUTH = """#!/bin/sh
cat >> {notes}
"""


@pytest.fixture
def xauth(tmp_path):
    """Stands for xauth(1): notes what it is told."""
    notes = tmp_path / "xauth.notes"
    program = tmp_path / "xauth"
    program.write_text(FAKE_XAUTH.format(notes=notes))
    program.chmod(0o755)
    return program, notes


@pytest.fixture
def display(home):
    """Stands for an X server that says what it was sent: a Unix socket."""
    number = 70 + os.getpid() % 900
    path = pathlib.Path(f"/tmp/.X11-unix/X{number}")
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    received = []

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            received.append(connection.recv(4096))
            connection.sendall(b"display says hello")
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    yield f":{number}", received
    listener.close()
    path.unlink()


X_SETUP = (
    "import os,socket,sys;"
    "n=int(os.environ['DISPLAY'].split(':')[1].split('.')[0]);"
    "s=socket.create_connection(('127.0.0.1',6000+n));"
    "name=b'MIT-MAGIC-COOKIE-1';cookie=bytes.fromhex(sys.argv[1]);"
    "s.sendall(b'l\\0\\13\\0\\0\\0'+len(name).to_bytes(2,'little')"
    "+len(cookie).to_bytes(2,'little')+b'\\0\\0'+name+b'\\0\\0'+cookie);"
    "print(os.environ['DISPLAY'],s.recv(100).decode())"
)


@pytest.mark.parametrize("options,allowed", [
    (["X11Forwarding yes"], True),
    (["X11Forwarding yes", "X11DisplayOffset 137"], True),
    (["X11Forwarding no"], False),
    (["X11Forwarding yes", "DisableForwarding yes"], False),
])
def test_x11(options, allowed, serve, key, xauth, display, tmp_path):
    program, notes = xauth
    name, received = display
    peer = serve(UNDER_TEST, f"XAuthLocation {program}", *options)
    script = tmp_path / "client.py"
    script.write_text(X_SETUP)
    # The cookie that the client made up is what xauth was told.
    command = (
        f"test -n \"$DISPLAY\" && python3 {script} "
        f"$(tail -1 {notes} | cut -d' ' -f4)"
    )
    result = run(
        [OPENSSH.ssh, "-Y", "-F", peer.client_config(key, XAuthLocation="/bin/false"),
         "127.0.0.1", command],
        env=dict(os.environ, DISPLAY=name),
    )
    assert (result.returncode == 0) == allowed, (result.stderr, peer.log_text())
    if not allowed:
        return
    offset = 137 if "137" in options[-1] else 10
    number = int(re.match(rb"localhost:(\d+)\.0 display says hello", result.stdout)[1])
    assert offset <= number < offset + 1000
    assert received and received[0][:1] == b"l"
    told = notes.read_text().splitlines()
    assert told[0] == f"remove unix:{number}.0"
    assert told[1].startswith(f"add unix:{number}.0 MIT-MAGIC-COOKIE-1 ")


def test_rc_file_takes_the_place_of_xauth(serve, key, display, account, home):
    name, _ = account
    # Where the account can look too.
    home.chmod(0o755)
    keys = home / "keys"
    keys.write_text(pathlib.Path(f"{key}.pub").read_text())
    xauth = home / "xauth"
    xauth.write_text(FAKE_XAUTH.format(notes=home / "xauth.notes"))
    xauth.chmod(0o755)
    folder = pathlib.Path(f"/home/{name}/.ssh")
    notes = folder / "rc.notes"
    folder.mkdir(exist_ok=True)
    (folder / "rc").write_text(f"read proto cookie; echo $DISPLAY $proto > {notes}\n")
    shutil.chown(folder, name)
    peer = serve(
        UNDER_TEST,
        f"XAuthLocation {xauth}",
        "X11Forwarding yes",
        f"AuthorizedKeysFile {keys}",
        user=name,
    )
    try:
        for program in ("-Y", "-x"):
            result = run(
                [OPENSSH.ssh, program, "-F",
                 peer.client_config(key, XAuthLocation="/bin/false"), "127.0.0.1",
                 f"cat {notes}; rm {notes}"],
                env=dict(os.environ, DISPLAY=display[0]),
            )
            words = result.stdout.decode().split()
            assert result.returncode == 0, (result.stderr, peer.log_text())
            if program == "-Y":
                assert words[0].startswith("localhost:") and words[1] == "MIT-MAGIC-COOKIE-1"
        assert not (home / "xauth.notes").exists()
    finally:
        (folder / "rc").unlink()


@pytest.mark.parametrize("mode,allowed", [
    ("point-to-point", True), ("yes", True), ("ethernet", False), ("no", False),
])
def test_packets_through_a_tunnel(mode, allowed, serve, key, apart):
    base = 40 + os.getpid() % 40 * 2
    here, there = f"tun{base}", f"tun{base + 1}"
    space = f"hwtun{base}"
    peer = serve(UNDER_TEST, f"PermitTunnel {mode}")
    client = subprocess.Popen(
        [OPENSSH.ssh, "-N", "-F", peer.client_config(key, ExitOnForwardFailure="yes"),
         "-w", f"{base}:{base + 1}", "127.0.0.1"],
        stderr=subprocess.PIPE,
    )
    try:
        if not allowed:
            assert client.wait(10) == 255
            return
        wait_until(
            lambda: all(pathlib.Path(f"/sys/class/net/{name}").exists() for name in (here, there)),
            "both devices",
        )
        network = f"10.{base}.77"
        apart(here, there, space, f"{network}.1/32 peer {network}.2", f"{network}.2/32 peer {network}.1")
        server = subprocess.Popen(
            ["ip", "netns", "exec", space, "python3", "-c",
             "import socket;s=socket.create_server(('0.0.0.0',9));print('up',flush=True);"
             "c,_=s.accept();d=b''\n"
             "while len(d)<200000:d+=c.recv(65536)\n"
             "c.sendall(d[::-1]);c.close()"],
            stdout=subprocess.PIPE,
        )
        try:
            assert server.stdout.readline() == b"up\n"
            data = os.urandom(200_000)
            with socket.create_connection((f"{network}.2", 9), timeout=20) as probe:
                probe.sendall(data)
                back = b""
                while chunk := probe.recv(65536):
                    back += chunk
            assert back == data[::-1]
        finally:
            server.kill()
            server.wait()
    finally:
        client.terminate()
        client.wait(10)


@pytest.mark.parametrize("mask,mode", [("0177", "600"), ("0111", "666"), ("0007", "770")])
def test_stream_local_bind_mask(mask, mode, serve, key, home):
    peer = serve(UNDER_TEST, f"StreamLocalBindMask {mask}", "StreamLocalBindUnlink yes")
    path = home / "forwarded"
    path.write_text("in the way")
    result = run(
        [OPENSSH.ssh, "-F", peer.client_config(key), "-o", "ExitOnForwardFailure=yes",
         "-R", f"{path}:127.0.0.1:9", "127.0.0.1", f"stat -c %a {path}"]
    )
    assert result.stdout.decode().strip() == mode, result.stderr
