# SPDX-License-Identifier: Apache-2.0
"""-L, -R, -D and -W in every combination, agents and displays, against both servers."""
import hashlib
import os
import pathlib
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest
from conftest import OPENSSH, OURS, UNDER_TEST, free_port, run, wait_until

servers = pytest.mark.parametrize("server", [OPENSSH, OURS], ids=lambda suite: suite.name)


class Echo:
    """A service on a TCP port or a Unix socket that gives back what it gets, then ends."""

    def __init__(self, path=None):
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.listener.bind(str(path) if path else ("127.0.0.1", 0))
        self.listener.listen(64)
        threading.Thread(target=self.serve, daemon=True).start()

    @property
    def target(self):
        return str(self.path) if self.path else "127.0.0.1:%d" % self.listener.getsockname()[1]

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(peer,), daemon=True).start()

    @staticmethod
    def answer(peer):
        with peer:
            try:
                while data := peer.recv(65536):
                    peer.sendall(data)
                # The other direction is still open: half-closing is right both ways.
                peer.sendall(b"<end>")
            except OSError:
                pass

    def close(self):
        self.listener.close()


@pytest.fixture
def echo():
    services = []

    def make(path=None):
        services.append(Echo(path))
        return services[-1]

    yield make
    for each in services:
        each.close()


@pytest.fixture
def ssh(key):
    """Starts clients that stay until the test ends."""
    children = []

    def start(server, *words, **changes):
        config = server.client_config(key, **changes)
        child = subprocess.Popen(
            [UNDER_TEST.ssh, "-F", str(config), *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


def dial(place):
    """A connection to a port number or a path, as soon as someone listens there."""

    def attempt():
        peer = socket.socket(socket.AF_UNIX if isinstance(place, pathlib.Path) else socket.AF_INET)
        try:
            peer.connect(str(place) if isinstance(place, pathlib.Path) else ("127.0.0.1", place))
            peer.settimeout(20)
            return peer
        except OSError:
            peer.close()
            return None

    return wait_until(attempt, f"someone listening on {place}")


def exchange(peer, data):
    """Sends `data`, ends that direction, and returns everything that comes back."""

    def send():
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    received = b""
    while chunk := peer.recv(65536):
        received += chunk
    sender.join()
    peer.close()
    return received


@servers
@pytest.mark.parametrize("direction", ["L", "R"])
@pytest.mark.parametrize("listens", ["tcp", "unix"])
@pytest.mark.parametrize("connects", ["tcp", "unix"])
def test_tcp_and_unix_sockets_in_every_combination(
    server, direction, listens, connects, serve, echo, ssh, home
):
    service = echo(home / "service" if connects == "unix" else None)
    place = home / "listen" if listens == "unix" else free_port()
    peer = serve(server)
    ssh(peer, f"-{direction}{place}:{service.target}", "-N", "127.0.0.1")
    data = os.urandom(300_000)
    assert exchange(dial(place), data) == data + b"<end>"
    if listens == "unix" and direction == "L":
        assert os.stat(place).st_mode & 0o777 == 0o600


class Parting:
    """A service that says its word, ends that direction at once, and keeps what it gets after it."""

    def __init__(self, path=None):
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.listener.bind(str(path) if path else ("127.0.0.1", 0))
        self.listener.listen()
        self.target = str(path or "127.0.0.1:%d" % self.listener.getsockname()[1])
        self.got = b""
        self.is_over = threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        peer, _ = self.listener.accept()
        with peer:
            peer.sendall(b"last word")
            peer.shutdown(socket.SHUT_WR)
            while data := peer.recv(65536):
                self.got += data
        self.listener.close()
        self.is_over.set()


@servers
@pytest.mark.parametrize("direction", ["L", "R", "D"])
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_the_far_end_may_be_the_first_to_end(server, direction, kind, serve, ssh, home):
    is_socket = kind == "unix" and direction != "D"
    service = Parting(home / "service" if is_socket else None)
    place = home / "listen" if is_socket else free_port()
    target = "" if direction == "D" else f":{service.target}"
    ssh(serve(server), f"-{direction}{place}{target}", "-N", "127.0.0.1")
    peer = dial(place)
    if direction == "D":
        assert socks5(peer, "127.0.0.1", int(service.target.split(":")[1]))
    heard = b""
    while chunk := peer.recv(65536):
        heard += chunk
    assert heard == b"last word"
    time.sleep(0.3)
    data = os.urandom(300_000)
    peer.sendall(data)
    peer.close()
    assert service.is_over.wait(20)
    assert service.got == data


@servers
def test_the_port_that_the_server_chose_is_told(server, serve, echo, ssh):
    service = echo()
    child = ssh(serve(server), f"-R0:{service.target}", "-N", "127.0.0.1")
    line = child.stderr.readline().decode()
    assert line.startswith("Allocated port ")
    assert line.rstrip().endswith(f"for remote forward to {service.target}")
    assert exchange(dial(int(line.split()[2])), b"hello") == b"hello<end>"


def socks4(peer, host, port):
    address = socket.inet_aton(host) if host[0].isdigit() else b"\0\0\0\1"
    name = b"" if host[0].isdigit() else host.encode() + b"\0"
    peer.sendall(struct.pack(">BBH", 4, 1, port) + address + b"someone\0" + name)
    return peer.recv(8)[1:2] == b"\x5a"


def socks5(peer, host, port):
    peer.sendall(b"\5\2\0\2")
    assert peer.recv(2) == b"\5\0"
    if host[0].isdigit():
        where = b"\1" + socket.inet_aton(host)
    else:
        where = b"\3" + bytes([len(host)]) + host.encode()
    peer.sendall(b"\5\1\0" + where + struct.pack(">H", port))
    return peer.recv(10)[1:2] == b"\0"


@servers
@pytest.mark.parametrize("direction", ["D", "R"])
@pytest.mark.parametrize("version", [socks4, socks5])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_socks(server, direction, version, host, serve, echo, ssh):
    service = echo()
    port = free_port()
    ssh(serve(server), f"-{direction}{port}", "-N", "127.0.0.1")
    peer = dial(port)
    assert version(peer, host, int(service.target.split(":")[1]))
    assert exchange(peer, b"through") == b"through<end>"


@pytest.mark.parametrize("pause", [0, 0.3, 2.5], ids=["at once", "a rest", "a long rest"])
def test_socks_however_a_request_is_cut(pause, serve, echo, ssh):
    """Requests of single bytes and ones that more follows, also after the loop has rested."""
    service = echo()
    port = free_port()
    ssh(serve(), f"-D{port}", "-N", "127.0.0.1")
    where = struct.pack(">H", int(service.target.split(":")[1]))
    address = socket.inet_aton("127.0.0.1")
    version4 = b"\4\1" + where + address + b"u" * 400 + b"\0"
    version5 = b"\5\1\0\5\1\0\1" + address + where
    for request, answer in ((version4, 8), (version5, 12)):
        for is_cut in (False, True):
            time.sleep(pause)
            peer = dial(port)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if is_cut:
                for index in range(0, len(request)):
                    peer.sendall(request[index : index + 1])
                time.sleep(pause)
            else:
                # It speaks before it knows that it may.
                peer.sendall(request + b"early ")
                time.sleep(0.05)
            told = b""
            while len(told) < answer and (part := peer.recv(answer - len(told))):
                told += part
            assert len(told) == answer
            early = b"" if is_cut else b"early "
            assert exchange(peer, b"through") == early + b"through<end>"


def test_socks_tells_of_a_refused_connection(serve, ssh):
    port = free_port()
    ssh(serve(), f"-D{port}", "-N", "127.0.0.1")
    assert not socks5(dial(port), "127.0.0.1", free_port())


def test_permit_remote_open(serve, echo, ssh):
    service, other = echo(), echo()
    port = free_port()
    ssh(serve(), f"-R{port}", "-N", "127.0.0.1", PermitRemoteOpen=service.target)
    allowed = dial(port)
    assert socks5(allowed, "127.0.0.1", int(service.target.split(":")[1]))
    refused = dial(port)
    assert not socks5(refused, "127.0.0.1", int(other.target.split(":")[1]))


@pytest.mark.parametrize("version", [socks4, socks5])
@pytest.mark.parametrize("rule,allowed", [
    ("any", True), ("none", False), ("127.0.0.1:*", True), ("127.0.0.1:1 localhost:*", False),
])
def test_permit_remote_open_of_every_kind(rule, allowed, version, serve, echo, ssh):
    service = echo()
    port = free_port()
    ssh(serve(), f"-R{port}", "-N", "127.0.0.1", PermitRemoteOpen=rule)
    peer = dial(port)
    assert version(peer, "127.0.0.1", int(service.target.split(":")[1])) == allowed


@servers
@pytest.mark.parametrize("how", ["L", "R"])
def test_exit_on_forward_failure(server, how, serve, ssh):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        spec = f"-{how}127.0.0.1:{busy.getsockname()[1]}:127.0.0.1:1"
        peer = serve(server, "GatewayPorts clientspecified")
        child = ssh(peer, spec, "127.0.0.1", "echo in")
        assert child.communicate(timeout=20)[0] == b"in\n"
        child = ssh(peer, spec, "-oExitOnForwardFailure=yes", "127.0.0.1", "echo in")
        output, words = child.communicate(timeout=20)
        assert (child.returncode, output) == (255, b""), words


def test_clear_all_forwardings(serve, ssh, key):
    port = free_port()
    child = ssh(serve(), f"-L{port}:127.0.0.1:1", "-oClearAllForwardings=yes", "127.0.0.1",
                f"ss -ltn | grep -c ':{port} '; true")
    assert child.communicate(timeout=20)[0] == b"0\n"


def test_standard_input_and_output_forwarded(serve, echo, ssh, key):
    config = serve().client_config(key)
    result = run([UNDER_TEST.ssh, "-F", config, "-W", echo().target, "127.0.0.1"], input=b"abc")
    assert (result.returncode, result.stdout) == (0, b"abc<end>")


def test_a_refused_connection_is_told(serve, key):
    config = serve().client_config(key)
    result = run([UNDER_TEST.ssh, "-F", config, "-W", "127.0.0.1:1", "127.0.0.1"])
    assert result.returncode == 255
    assert b"open failed: connect failed: Connection refused" in result.stderr
    assert b"stdio forwarding failed" in result.stderr


def test_ssh_waits_for_forwarded_connections(serve, echo, ssh):
    port = free_port()
    child = ssh(serve(), f"-L{port}:{echo().target}", "127.0.0.1", "sleep 1")
    peer = dial(port)
    time.sleep(1.5)
    assert child.poll() is None
    assert exchange(peer, b"late") == b"late<end>"
    assert child.wait(10) == 0


def test_a_slow_reader_costs_no_memory(serve, ssh):
    """50 MB for a reader that does not read: it waits, and others do not."""
    source = socket.socket()
    source.bind(("127.0.0.1", 0))
    source.listen()

    def feed():
        while True:
            try:
                peer, _ = source.accept()
            except OSError:
                return
            threading.Thread(target=pour, args=(peer,), daemon=True).start()

    def pour(peer):
        try:
            for _ in range(50):
                peer.sendall(bytes(1 << 20))
            peer.close()
        except OSError:
            pass

    threading.Thread(target=feed, daemon=True).start()
    port = free_port()
    child = ssh(serve(), f"-L{port}:127.0.0.1:{source.getsockname()[1]}", "-N", "127.0.0.1")
    slow = dial(port)
    slow.recv(1)
    before = resident(child.pid)
    fast = dial(port)
    total = 0
    while chunk := fast.recv(1 << 20):
        total += len(chunk)
    assert total == 50 << 20
    assert resident(child.pid) - before < 40 << 20
    slow.close()
    source.close()


def sessions_of(server):
    """The processes of a server that serve a user."""
    found, left = [], [server.process.pid]
    while left:
        children = run(["pgrep", "-P", left.pop()]).stdout.split()
        found += map(int, children)
        left += map(int, children)
    return found


@pytest.mark.parametrize("direction", ["L", "R", "D"])
def test_a_slow_reader_costs_no_memory_at_either_end(direction, serve, ssh):
    """Half a gigabyte waits at its source: what is under way is bounded by a window."""
    source = socket.create_server(("127.0.0.1", 0))
    sent = [0]

    def pour():
        peer, _ = source.accept()
        with peer:
            try:
                while sent[0] < 512 << 20:
                    sent[0] += peer.send(bytes(1 << 20))
            except OSError:
                pass

    threading.Thread(target=pour, daemon=True).start()
    port = free_port()
    server = serve(OURS)
    target = source.getsockname()[1]
    to = "" if direction == "D" else f":127.0.0.1:{target}"
    child = ssh(server, f"-{direction}{port}{to}", "-N", "127.0.0.1")
    slow = dial(port)
    if direction == "D":
        assert socks5(slow, "127.0.0.1", target)
    slow.recv(1)
    before = 0
    # Until nothing moves any more.
    while sent[0] != before:
        before = sent[0]
        time.sleep(1)
    assert sent[0] < 64 << 20
    for pid in (child.pid, *sessions_of(server)):
        assert resident(pid) < 48 << 20
    slow.close()
    source.close()


def resident(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    return 0


@servers
def test_many_connections_at_once(server, serve, echo, ssh):
    port = free_port()
    service = echo()
    ssh(serve(server), f"-L{port}:{service.target}", "-N", "127.0.0.1")
    dial(port).close()
    peers = [dial(port) for _ in range(100)]
    for number, peer in enumerate(peers):
        data = secrets.token_bytes(1000 + number)
        assert exchange(peer, data) == data + b"<end>"


@pytest.mark.parametrize("mask,mode", [(None, 0o600), ("0111", 0o666), ("0117", 0o660)])
@pytest.mark.parametrize("rides", [False, True], ids=["direct", "over a master"])
def test_the_mode_of_a_socket_of_ours(rides, mask, mode, serve, ssh, home):
    path = home / "listen"
    options = [f"-oStreamLocalBindMask={mask}"] if mask else []
    server = serve()
    if rides:
        options += ["-S", home / "ctl"]
        ssh(server, "-M", *options, "-N", "127.0.0.1")
        wait_until((home / "ctl").exists, "the master")
    ssh(server, *options, f"-L{path}:127.0.0.1:1", "-N", "127.0.0.1")
    wait_until(path.exists, "the socket")
    assert os.stat(path).st_mode & 0o777 == mode


@pytest.mark.parametrize("unlinks", ["yes", "no"])
def test_an_old_socket_of_ours_makes_room_or_stays(unlinks, serve, echo, ssh, home):
    path = home / "listen"
    service = echo()
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    child = ssh(serve(), f"-oStreamLocalBindUnlink={unlinks}", "-oExitOnForwardFailure=yes",
                f"-L{path}:{service.target}", "-N", "127.0.0.1")
    if unlinks == "yes":
        assert exchange(dial(path), b"hello") == b"hello<end>"
    else:
        assert child.wait(20) == 255
        assert b"unix_listener: cannot bind to path" in child.communicate()[1]


def test_a_socket_of_ours_goes_with_us(serve, ssh, home):
    path = home / "listen"
    child = ssh(serve(), f"-L{path}:127.0.0.1:1", "-N", "127.0.0.1")
    wait_until(path.exists, "the socket")
    child.send_signal(signal.SIGTERM)
    child.wait(10)
    assert not path.exists()


# MARK: Tunnels


@pytest.mark.parametrize("client,server", [(OURS, OPENSSH), (OURS, OURS), (OPENSSH, OURS)],
                         ids=lambda suite: suite.name)
@pytest.mark.parametrize("kind", ["tun", "tap"])
def test_a_tunnel(kind, client, server, serve, key, apart):
    unit = secrets.randbelow(50) * 2 + 100
    here, there, space = f"{kind}{unit}", f"{kind}{unit + 1}", f"hwspace{unit}"
    network = f"10.{unit % 250}.{secrets.randbelow(250)}"
    peer = serve(server, "PermitTunnel yes")
    child = subprocess.Popen(
        [client.ssh, "-F", peer.client_config(key, ExitOnForwardFailure="yes"), "-N",
         "-o", f"Tunnel={'ethernet' if kind == 'tap' else 'point-to-point'}",
         "-w", f"{unit}:{unit + 1}", "127.0.0.1"],
    )
    try:
        for name in (here, there):
            wait_until(pathlib.Path(f"/sys/class/net/{name}").exists, name)
        apart(here, there, space, f"{network}.1/24", f"{network}.2/24")
        code = (
            "import socket;s=socket.create_server(('',9));print('up',flush=True);c,_=s.accept()\n"
            "while d:=c.recv(65536):c.sendall(d)\n"
        )
        service = subprocess.Popen(
            ["ip", "netns", "exec", space, "python3", "-c", code], stdout=subprocess.PIPE
        )
        try:
            assert service.stdout.readline() == b"up\n"
            data = os.urandom(300_000)
            probe = socket.create_connection((f"{network}.2", 9), timeout=20)
            assert exchange(probe, data) == data
        finally:
            service.kill()
            service.wait()
    finally:
        child.kill()
        child.wait()


# MARK: Agents


@pytest.fixture
def agent(home, key):
    path = home / "agent"
    child = subprocess.Popen(
        [OPENSSH.prefix / "bin/ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL
    )
    wait_until(path.exists, "the agent")
    environment = dict(os.environ, SSH_AUTH_SOCK=str(path))
    assert run(["/usr/bin/ssh-add", key], env=environment).returncode == 0
    yield path
    child.kill()
    child.wait()


@servers
@pytest.mark.parametrize("how", ["-A", "path", "variable"])
def test_the_agent_is_there(server, how, agent, serve, key):
    config = serve(server).client_config(key, IdentityAgent="SSH_AUTH_SOCK")
    environment = dict(os.environ, SSH_AUTH_SOCK=str(agent), OTHER=str(agent))
    words = {
        "-A": ["-A"],
        "path": ["-o", f"ForwardAgent={agent}"],
        "variable": ["-o", "ForwardAgent=$OTHER"],
    }[how]
    if how != "-A":
        del environment["SSH_AUTH_SOCK"]
    result = run(
        [UNDER_TEST.ssh, "-F", config, *words, "127.0.0.1", "/usr/bin/ssh-add -L"],
        env=environment,
    )
    assert result.stdout.split()[1] == pathlib.Path(f"{key}.pub").read_bytes().split()[1]


@servers
def test_no_agent_without_being_asked(server, agent, serve, key):
    config = serve(server).client_config(key)
    environment = dict(os.environ, SSH_AUTH_SOCK=str(agent))
    result = run(
        [UNDER_TEST.ssh, "-F", config, "127.0.0.1", "echo \"<$SSH_AUTH_SOCK>\""], env=environment
    )
    assert result.stdout == b"<>\n"


# MARK: X11


@servers
@pytest.mark.parametrize("option", ["-X", "-Y"])
def test_a_client_reaches_the_display(server, option, display, serve, key):
    config = serve(server, "X11Forwarding yes").client_config(key)
    result = run(
        [UNDER_TEST.ssh, "-F", config, option, "127.0.0.1", "xdpyinfo && xauth list $DISPLAY"],
        env=display,
    )
    assert result.returncode == 0, result.stderr
    assert b"version number:    11.0" in result.stdout
    # The server never learns the display's own cookie.
    cookie = result.stdout.split()[-1].decode()
    assert cookie not in run(["xauth", "list"], env=display).stdout.decode()


def test_another_cookie_is_refused(display, serve, key):
    config = serve(OPENSSH, "X11Forwarding yes").client_config(key)
    result = run(
        [
            UNDER_TEST.ssh, "-F", config, "-Y", "127.0.0.1",
            f"xauth add $DISPLAY MIT-MAGIC-COOKIE-1 {'0' * 32}; xdpyinfo",
        ],
        env=display,
    )
    assert result.returncode != 0
    assert b"X11 connection rejected because of wrong authentication." in result.stderr


def test_a_display_is_lent_for_a_time(display, serve, key):
    config = serve(OPENSSH, "X11Forwarding yes").client_config(key, ForwardX11Timeout="1")
    result = run(
        [
            UNDER_TEST.ssh, "-F", config, "-X", "127.0.0.1",
            "xdpyinfo >/dev/null && echo first; sleep 2; xdpyinfo >/dev/null && echo second",
        ],
        env=display,
    )
    assert result.stdout == b"first\n"
    assert b"Rejected X11 connection after ForwardX11Timeout expired" in result.stderr


@servers
def test_a_passengers_display_and_agent_are_its_own(server, display, agent, serve, key, home):
    peer = serve(server, "X11Forwarding yes")
    config = peer.client_config(key, ControlPath=home / "ctl", IdentityAgent="SSH_AUTH_SOCK")
    bare = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "SSH_AUTH_SOCK")}
    result = run([UNDER_TEST.ssh, "-F", config, "-MNf", "127.0.0.1"], env=bare)
    assert result.returncode == 0, result.stderr
    try:
        environment = dict(display, SSH_AUTH_SOCK=str(agent))
        result = run(
            [UNDER_TEST.ssh, "-F", config, "-A", "-X", "127.0.0.1",
             "xdpyinfo | head -1; /usr/bin/ssh-add -L"],
            env=environment,
        )
        assert b"name of display:" in result.stdout, result.stderr
        assert pathlib.Path(f"{key}.pub").read_bytes().split()[1] in result.stdout
    finally:
        run([UNDER_TEST.ssh, "-F", config, "-O", "exit", "127.0.0.1"])


@servers
@pytest.mark.parametrize("direction", ["L", "R"])
def test_a_slow_reader_gets_all_of_it(direction, server, serve, ssh, home):
    """Whoever sends closes both directions at once; what is under way still arrives."""
    data = os.urandom(1_500_000)
    source = socket.create_server(("127.0.0.1", 0))

    def feed():
        peer, _ = source.accept()
        peer.settimeout(20)
        while not peer.recv(1) == b"":
            pass
        peer.sendall(data)
        peer.close()

    threading.Thread(target=feed, daemon=True).start()
    place = home / "listen"
    ssh(serve(server), f"-{direction}{place}:127.0.0.1:{source.getsockname()[1]}", "-N", "127.0.0.1")
    peer = dial(place)
    peer.shutdown(socket.SHUT_WR)
    received = peer.recv(1000)
    time.sleep(1)
    while part := peer.recv(65536):
        received += part
    assert received == data
    source.close()
