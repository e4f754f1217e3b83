# SPDX-License-Identifier: Apache-2.0
"""Every message of the control-socket protocol (PROTOCOL.mux), on the wire.

A client of a few lines asks a master each request that there is, and OpenSSH's master and ours must
give the same answers. A master of a few lines notes what OpenSSH's client and ours ask, and must
hear the same.
"""
import array
import os
import re
import socket
import struct
import subprocess
import threading
import time

import pytest
from conftest import OPENSSH, OURS, free_port, run, wait_until
from masters import greeting, line  # noqa: F401

HELLO, NEW_SESSION, ALIVE_CHECK, TERMINATE = 0x1, 0x10000002, 0x10000004, 0x10000005
OPEN_FORWARD, CLOSE_FORWARD, NEW_STDIO = 0x10000006, 0x10000007, 0x10000008
STOP_LISTENING, PROXY = 0x10000009, 0x1000000F
ANSWERS = {
    0x1: "hello", 0x80000001: "ok", 0x80000002: "denied", 0x80000003: "failure",
    0x80000004: "exit", 0x80000005: "alive", 0x80000006: "opened", 0x80000007: "port",
    0x80000008: "no terminal", 0x8000000F: "proxy",
}
LOCAL, REMOTE, DYNAMIC = 1, 2, 3
SOCKET = 0xFFFFFFFE
masters = pytest.mark.parametrize("master", [OURS, OPENSSH], ids=lambda suite: suite.name)


def string(text):
    text = text.encode() if isinstance(text, str) else text
    return struct.pack(">I", len(text)) + text


def numbers(*values):
    return struct.pack(f">{len(values)}I", *values)


def take_string(data):
    size = int.from_bytes(data[:4])
    return data[4 : 4 + size], data[4 + size :]


class Client:
    """One connection to a master."""

    def __init__(self, path, greets=True):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(15)
        self.socket.connect(str(path))
        if greets:
            self.send(HELLO, numbers(4))
            kind, body = self.receive()
            assert (kind, body[:4]) == ("hello", numbers(4))

    def send(self, kind, body=b""):
        self.socket.sendall(string(numbers(kind) + body))

    def lend(self, *descriptors):
        for each in descriptors:
            self.socket.sendmsg(
                [b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [each]))]
            )

    def exactly(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                return None
            data += part
        return data

    def receive(self):
        """The next message: its kind and what follows; None at the end."""
        try:
            size = self.exactly(4)
            message = size and self.exactly(int.from_bytes(size))
        except ConnectionResetError:
            return None
        if not message:
            return None
        kind = int.from_bytes(message[:4])
        return ANSWERS.get(kind, hex(kind)), message[4:]

    def ask(self, kind, body=b"", identifier=77):
        """The answer to a request: its kind, and the text or number in it."""
        self.send(kind, numbers(identifier) + body)
        return self.answer(identifier)

    def answer(self, identifier=77):
        received = self.receive()
        if received is None:
            return None
        kind, body = received
        assert body[:4] == numbers(identifier), (kind, body)
        if kind in ("failure", "denied"):
            return kind, take_string(body[4:])[0].decode()
        return kind, *struct.unpack(f">{len(body[4:]) // 4}I", body[4:])

    def close(self):
        self.socket.close()


def session(command, terminal=0, x11=0, agent=0, subsystem=0, escape=0xFFFFFFFF, environment=()):
    flags = numbers(terminal, x11, agent, subsystem, escape)
    return string("") + flags + string("vt100") + string(command) + b"".join(map(string, environment))


def ridden(it, body, data=b""):
    """What comes of a session over a master: answers, output, errors."""
    client = Client(it.socket)
    pipes = [os.pipe() for _ in range(3)]
    client.send(NEW_SESSION, numbers(5) + body)
    client.lend(pipes[0][0], pipes[1][1], pipes[2][1])
    for mine in (pipes[0][0], pipes[1][1], pipes[2][1]):
        os.close(mine)
    answers = [client.answer(5)]
    os.write(pipes[0][1], data)
    os.close(pipes[0][1])
    if answers[0][0] != "opened":
        client.close()
        return answers, b"", b""
    number = answers[0][1]
    while received := client.receive():
        kind, rest = received
        assert rest[:4] == numbers(number), (kind, rest)
        answers.append((kind, *struct.unpack(f">{len(rest[4:]) // 4}I", rest[4:])))
    output = []
    for descriptor in (pipes[1][0], pipes[2][0]):
        with os.fdopen(descriptor, "rb") as file:
            output.append(file.read())
    client.close()
    answers[0] = ("opened",)
    return answers, *output


# MARK: Masters


@masters
def test_the_greeting(master, line):
    it = line()
    it.open_master(master)
    # Nothing but a greeting may come first, and of another version is none.
    for first in (numbers(ALIVE_CHECK, 1), numbers(HELLO, 3), numbers(HELLO)):
        client = Client(it.socket, greets=False)
        assert client.receive()[0] == "hello"
        client.socket.sendall(string(first))
        assert client.receive() is None
    # An extension that nobody knows is passed over.
    client = Client(it.socket, greets=False)
    client.send(HELLO, numbers(4) + string("what@example.org") + string("ever"))
    assert client.receive()[0] == "hello"
    assert client.ask(ALIVE_CHECK)[0] == "alive"


@masters
def test_is_there_a_master(master, line):
    it = line()
    it.open_master(master)
    client = Client(it.socket)
    for identifier in (0, 1, 0xFFFFFFFF):
        assert client.ask(ALIVE_CHECK, b"", identifier) == ("alive", it.master_pid())


@masters
def test_sessions(master, line):
    it = line(SendEnv="HWMUX_*", extra=["AcceptEnv HWMUX_*"])
    it.open_master(master)
    assert ridden(it, session("cat; echo e >&2; exit 7"), b"data") == (
        [("opened",), ("exit", 7)], b"data", b"e\n",
    )
    assert ridden(it, session("echo $HWMUX_A", environment=["HWMUX_A=x y", "odd"])) == (
        [("opened",), ("exit", 0)], b"x y\n", b"",
    )
    # By a signal: no status is told.
    answers, *_ = ridden(it, session("kill -9 $$"))
    assert answers[0] == ("opened",) and answers[1:] in ([], [("exit", 255)])
    assert ridden(it, session("no-such-subsystem", subsystem=1))[0][0] == ("opened",)


@masters
def test_a_subsystem(master, line):
    it = line(extra=["Subsystem twice sh -c 'cat; echo done'"])
    it.open_master(master)
    assert ridden(it, session("twice", subsystem=1), b"in\n")[:2] == (
        [("opened",), ("exit", 0)], b"in\ndone\n",
    )


@masters
def test_a_terminal_that_the_server_refuses(master, line):
    it = line(extra=["PermitTTY no"])
    it.open_master(master)
    answers, output, _ = ridden(it, session("echo in", terminal=1))
    assert answers == [("opened",), ("no terminal",), ("exit", 0)]
    assert output == b"in\n"


@masters
def test_one_session_for_each_client(master, line):
    it = line()
    it.open_master(master)
    client = Client(it.socket)
    inner, outer = os.pipe()
    null = os.open("/dev/null", os.O_RDWR)
    client.send(NEW_SESSION, numbers(1) + session("cat"))
    client.lend(inner, null, null)
    assert client.answer(1)[0] == "opened"
    client.send(NEW_SESSION, numbers(2) + session("true"))
    client.lend(null, null, null)
    assert client.answer(2) == ("failure", "Multiple sessions not supported")
    os.close(outer)


@masters
def test_a_standard_forward(master, line):
    it = line()
    it.open_master(master)
    mine, theirs = socket.socketpair()
    client = Client(it.socket)
    place = string("") + string("127.0.0.1") + numbers(it.server.port)
    client.send(NEW_STDIO, numbers(9) + place)
    client.lend(theirs.fileno(), theirs.fileno())
    assert client.answer(9)[0] == "opened"
    theirs.close()
    mine.settimeout(15)
    assert mine.recv(8) == b"SSH-2.0-"
    mine.close()
    client.close()
    client = Client(it.socket)
    null = os.open("/dev/null", os.O_RDWR)
    client.send(NEW_STDIO, numbers(9) + string("") + string("127.0.0.1") + numbers(1))
    client.lend(null, null)
    # Ours says why.
    why = ": connect failed: Connection refused" if master is OURS else ""
    assert client.answer(9) == ("failure", "Session open refused by peer" + why)


@masters
def test_forwards(master, line, home):
    it = line()
    it.open_master(master)
    client = Client(it.socket)
    door, path = free_port(), f"{home}/door"
    target = string("127.0.0.1") + numbers(it.server.port)
    nowhere = string("/no/such/place") + numbers(SOCKET)

    def reaches():
        return greeting(door).startswith(b"SSH-2.0-")

    def socket_reaches():
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(path)
            return peer.recv(8) == b"SSH-2.0-"

    for kind in (LOCAL, REMOTE):
        forward = numbers(kind) + string("127.0.0.1") + numbers(door) + target
        assert client.ask(OPEN_FORWARD, forward) == ("ok",)
        # Once more is no mistake.
        assert client.ask(OPEN_FORWARD, forward) == ("ok",)
        assert reaches()
        assert client.ask(CLOSE_FORWARD, forward) == ("ok",)
        wait_until(lambda: not greeting(door), "the port to be free")
        assert client.ask(CLOSE_FORWARD, forward) == ("failure", "port not forwarded")
        forward = numbers(kind) + string(path) + numbers(SOCKET) + target
        assert client.ask(OPEN_FORWARD, forward) == ("ok",)
        assert socket_reaches()
        assert client.ask(CLOSE_FORWARD, forward) == ("ok",)
        if os.path.exists(path):
            os.unlink(path)
    anywhere = string("socks") + numbers(0)
    forward = numbers(DYNAMIC) + string("127.0.0.1") + numbers(door) + anywhere
    assert client.ask(OPEN_FORWARD, forward) == ("ok",)
    with socket.create_connection(("127.0.0.1", door), timeout=10) as peer:
        peer.sendall(b"\4\1" + struct.pack(">H", it.server.port) + b"\x7f\0\0\1\0")
        assert peer.recv(8)[:2] == b"\0\x5a"
    assert client.ask(CLOSE_FORWARD, forward) == ("ok",)
    # The server chooses a port.
    forward = numbers(REMOTE) + string("127.0.0.1") + numbers(0) + target
    kind, port = client.ask(OPEN_FORWARD, forward)
    assert kind == "port" and greeting(port).startswith(b"SSH-2.0-")
    forward = numbers(REMOTE) + nowhere + target
    assert client.ask(OPEN_FORWARD, forward) == (
        "failure", "remote port forwarding failed for listen path /no/such/place",
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        forward = numbers(REMOTE) + string("127.0.0.1") + numbers(port) + target
        assert client.ask(OPEN_FORWARD, forward) == (
            "failure", f"remote port forwarding failed for listen port {port}",
        )
        forward = numbers(LOCAL) + string("127.0.0.1") + numbers(port) + target
        # Ours says why, to who asked.
        why = f": bind [127.0.0.1]:{port}: Address already in use" if master is OURS else ""
        assert client.ask(OPEN_FORWARD, forward) == ("failure", "Port forwarding failed" + why)
        if master is OURS:
            forward = numbers(LOCAL) + nowhere + target
            assert client.ask(OPEN_FORWARD, forward) == (
                "failure",
                "Port forwarding failed: unix_listener: cannot bind to path /no/such/place: "
                "No such file or directory",
            )
    for wrong in (
        numbers(LOCAL) + string("127.0.0.1") + numbers(70_000) + target,
        numbers(LOCAL) + string("127.0.0.1") + numbers(door) + string("a") + numbers(70_000),
        numbers(LOCAL) + string("127.0.0.1") + numbers(door) + string("a") + numbers(0),
    ):
        for request in (OPEN_FORWARD, CLOSE_FORWARD):
            answer = Client(it.socket).ask(request, wrong)
            assert answer is None or answer[0] == "failure"
    assert client.ask(ALIVE_CHECK)[0] == "alive"


def test_a_forward_of_no_kind(line):
    """OpenSSH's master ends of it."""
    it = line()
    it.open_master(OURS)
    wrong = numbers(9) + string("127.0.0.1") + numbers(4444) + string("h") + numbers(9)
    assert Client(it.socket).ask(OPEN_FORWARD, wrong) is None
    assert it.master_pid()


@masters
def test_a_request_that_nobody_knows(master, line):
    it = line()
    it.open_master(master)
    client = Client(it.socket)
    assert client.ask(0x10000FFF) == ("failure", "unsupported request")
    assert client.ask(ALIVE_CHECK)[0] == "alive"


@masters
def test_a_message_cut_short_ends_its_client_alone(master, line):
    it = line()
    it.open_master(master)
    for broken in (numbers(OPEN_FORWARD, 1), numbers(NEW_SESSION, 1, 0, 1), b"\0", b""):
        client = Client(it.socket)
        client.socket.sendall(string(broken))
        assert client.receive() is None
    client = Client(it.socket)
    client.socket.sendall(numbers(0x7FFFFFFF))
    assert client.receive() is None
    assert it.master_pid()


@masters
def test_the_end_of_a_master(master, line):
    it = line()
    it.open_master(master)
    pid = it.master_pid()
    client = Client(it.socket)
    assert client.ask(STOP_LISTENING) == ("ok",)
    wait_until(lambda: not it.socket.exists(), "the socket to be gone")
    # Who is in may go on.
    assert client.ask(ALIVE_CHECK) == ("alive", pid)
    # OpenSSH's master is gone before its answer is.
    assert client.ask(TERMINATE) in (("ok",), None)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "its end")


@masters
@pytest.mark.parametrize("allowed", [True, False])
def test_a_master_that_asks(master, allowed, line, askpass, home):
    it = line(ControlMaster="ask", BatchMode="no")
    environment, questions = askpass("yes" if allowed else "no")
    if not allowed:
        script = environment["SSH_ASKPASS"]
        with open(script, "a") as file:
            file.write("exit 1\n")
    result = it.ssh(master, "-Nnf", "127.0.0.1", env=environment)
    assert result.returncode == 0, result.stderr
    wait_until(it.socket.exists, "the control socket")
    forward = numbers(LOCAL) + string("127.0.0.1") + numbers(free_port()) + string("h") + numbers(9)
    client = Client(it.socket)
    expected = ("ok",) if allowed else ("denied", "Permission denied")
    assert client.ask(OPEN_FORWARD, forward) == expected
    assert client.ask(ALIVE_CHECK)[0] == "alive"
    answers, output, _ = ridden(it, session("echo in"))
    if allowed:
        assert (answers, output) == ([("opened",), ("exit", 0)], b"in\n")
    else:
        assert answers == [("denied", "Permission denied")]
    mine, theirs = socket.socketpair()
    other = Client(it.socket)
    place = string("") + string("127.0.0.1") + numbers(it.server.port)
    other.send(NEW_STDIO, numbers(77) + place)
    other.lend(theirs.fileno(), theirs.fileno())
    assert other.answer()[0] == ("opened" if allowed else "denied")
    proxy = Client(it.socket)
    assert proxy.ask(PROXY) == (("proxy",) if allowed else expected)
    proxy.close()
    assert client.ask(STOP_LISTENING) == expected
    assert client.ask(TERMINATE) in ((expected, None) if allowed else (expected,))
    asked = [re.sub(r"\d+", "N", each) for each in questions()]
    assert asked == [
        "Open local forward N.N.N.N:N -> h:N on N.N.N.N?",
        "Allow shared connection to N.N.N.N? ",
        "Allow forward to N.N.N.N:N? ",
        "Allow multiplex proxy connection?",
        "Disable further multiplexing on shared connection to N.N.N.N? ",
        "Terminate shared connection to N.N.N.N? ",
    ]


# MARK: Proxy mode (§9)


def packet(payload):
    return struct.pack(">IB", len(payload) + 1, 0) + payload


class Proxy:
    """The connection protocol in the clear."""

    def __init__(self, it):
        self.client = Client(it.socket)
        assert self.client.ask(PROXY) == ("proxy",)

    def send(self, payload):
        self.client.socket.sendall(packet(payload))

    def receive(self):
        size = int.from_bytes(self.client.exactly(4))
        body = self.client.exactly(size)
        return body[1:]


@masters
def test_a_proxied_session(master, line):
    it = line()
    it.open_master(master)
    proxy = Proxy(it)
    for mine in (0, 4):
        proxy.send(b"\x5a" + string("session") + numbers(mine, 1 << 20, 32768))
        opened = proxy.receive()
        assert opened[0] == 91 and opened[1:5] == numbers(mine)
        theirs = opened[5:9]
        proxy.send(b"\x62" + theirs + string("env") + b"\0" + string("LANG") + string("C"))
        proxy.send(b"\x62" + theirs + string("exec") + b"\1" + string("cat; echo e >&2; exit 9"))
        proxy.send(b"\x5e" + theirs + string("in\n"))
        proxy.send(b"\x60" + theirs)
        seen = {}
        while (message := proxy.receive())[0] != 97:
            assert message[1:5] == numbers(mine)
            if message[0] == 94:
                seen["out"] = seen.get("out", b"") + take_string(message[5:])[0]
            elif message[0] == 95:
                seen["error"] = seen.get("error", b"") + take_string(message[9:])[0]
            elif message[0] == 98 and take_string(message[5:])[0] == b"exit-status":
                seen["status"] = message[-4:]
            elif message[0] in (96, 99):
                seen[message[0]] = True
        proxy.send(b"\x61" + theirs)
        assert seen == {
            "out": b"in\n", "error": b"e\n", "status": numbers(9), 96: True, 99: True,
        }


@masters
def test_proxied_connections(master, line):
    it = line()
    it.open_master(master)
    proxy = Proxy(it)
    origin = string("127.0.0.1") + numbers(1)
    place = string("127.0.0.1") + numbers(it.server.port) + origin
    proxy.send(b"\x5a" + string("direct-tcpip") + numbers(3, 1 << 20, 32768) + place)
    opened = proxy.receive()
    assert opened[0] == 91 and opened[1:5] == numbers(3)
    data = proxy.receive()
    assert data[0] == 94 and take_string(data[5:])[0].startswith(b"SSH-2.0-")
    place = string("127.0.0.1") + numbers(1) + origin
    proxy.send(b"\x5a" + string("direct-tcpip") + numbers(5, 1 << 20, 32768) + place)
    while (refused := proxy.receive())[1:5] != numbers(5):
        pass
    assert refused[0] == 92 and refused[5:9] == numbers(2)
    door = free_port()
    proxy.send(b"\x50" + string("tcpip-forward") + b"\0" + string("127.0.0.1") + numbers(door))
    peer = wait_until(lambda: connected(door), "the server to listen")
    while (opening := proxy.receive())[0] != 90:
        pass
    kind, rest = take_string(opening[1:])
    assert kind == b"forwarded-tcpip"
    proxy.send(b"\x5b" + rest[:4] + numbers(6, 1 << 20, 32768))
    proxy.send(b"\x5e" + rest[:4] + string("hello"))
    peer.settimeout(10)
    assert peer.recv(5) == b"hello"
    peer.close()


def connected(port):
    try:
        return socket.create_connection(("127.0.0.1", port), timeout=5)
    except OSError:
        return None


# MARK: Clients


class Master(threading.Thread):
    """Answers what it is told to answer, and notes what it was asked."""

    def __init__(self, path, extensions=b""):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(5)
        self.extensions = extensions
        self.heard = []
        self.refuses = None
        self.start()

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                try:
                    self.serve(peer)
                except (OSError, ValueError):
                    pass

    def serve(self, peer):
        peer.settimeout(10)
        peer.sendall(string(numbers(HELLO, 4) + self.extensions))
        while True:
            size = peer.recv(4, socket.MSG_WAITALL)
            if len(size) < 4:
                return
            message = peer.recv(int.from_bytes(size), socket.MSG_WAITALL)
            kind = int.from_bytes(message[:4])
            if kind == HELLO:
                assert message[4:8] == numbers(4)
                continue
            identifier, body = message[4:8], message[8:]
            lent = []
            for _ in range({NEW_SESSION: 3, NEW_STDIO: 2}.get(kind, 0)):
                _, descriptors, _, _ = socket.recv_fds(peer, 1, 1)
                lent += descriptors
            if kind == ALIVE_CHECK:
                # OpenSSH asks before a session, ours only where it must know whom to signal.
                peer.sendall(string(numbers(0x80000005) + identifier + numbers(os.getpid())))
                continue
            self.heard.append((hex(kind), body, len(lent)))
            if self.refuses:
                answer, text = self.refuses
                peer.sendall(string(numbers(answer) + identifier + string(text)))
            elif kind in (NEW_SESSION, NEW_STDIO):
                peer.sendall(string(numbers(0x80000006) + identifier + numbers(3)))
                if kind == NEW_SESSION:
                    os.write(lent[1], b"out\n")
                    peer.sendall(string(numbers(0x80000004, 3, 42)))
            elif kind == OPEN_FORWARD and body.startswith(numbers(REMOTE)):
                port = int.from_bytes(take_string(body[4:])[1][:4])
                if port == 0:
                    peer.sendall(string(numbers(0x80000007) + identifier + numbers(4711)))
                else:
                    peer.sendall(string(numbers(0x80000001) + identifier))
            else:
                peer.sendall(string(numbers(0x80000001) + identifier))
            for each in lent:
                os.close(each)
            if kind in (NEW_SESSION, NEW_STDIO):
                return

    def close(self):
        self.listener.close()


@pytest.fixture
def fake(home):
    """fake(suite, words…): what a client printed and what its master heard."""
    made = []

    def ask(suite, *words, refuses=None, **options):
        path = home / f"m{len(made)}"
        made.append(Master(path))
        made[-1].refuses = refuses
        result = run([suite.ssh, "-F", "none", "-S", path, *words], **options)
        return (result.returncode, result.stdout, result.stderr), made[-1].heard

    yield ask
    for each in made:
        each.close()


CALLS = {
    "command": ["h", "echo", "a  b"],
    "no command": ["h"],
    "standard input is nobody's": ["-n", "h", "cat"],
    "no terminal": ["-T", "h", "true"],
    "escape character": ["-e", "^b", "h", "true"],
    "no escape character": ["-e", "none", "h", "true"],
    "a terminal": ["-tt", "h", "tty"],
    "a display": ["-X", "h", "true"],
    "agent": ["-A", "h", "true"],
    "subsystem": ["-s", "h", "sftp"],
    "environment": ["-oSendEnv=HWMUX_*", "-oSetEnv=HWMUX_C=three", "h", "true"],
    "remote command": ["-oRemoteCommand=uptime", "h"],
    "standard forward": ["-W", "there:99", "h"],
    "forward with a session": ["-L", "127.0.0.1:4444:there:99", "h", "true"],
    "exit": ["-O", "exit", "h"],
    "stop": ["-O", "stop", "h"],
    "check": ["-O", "check", "h"],
    "local": ["-O", "forward", "-L", "4444:there:99", "h"],
    "local, address": ["-O", "forward", "-L", "localhost:4444:there:99", "h"],
    "local, every address": ["-O", "forward", "-L", "*:4444:[2001:db8::1]:99", "h"],
    "local, gateway": ["-O", "forward", "-g", "-L", "4444:there:99", "h"],
    "local, socket": ["-O", "forward", "-L", "/a/b:/c/d", "h"],
    "local, port to socket": ["-O", "forward", "-L", "4444:/c/d", "h"],
    "remote": ["-O", "forward", "-R", "4444:there:99", "h"],
    "remote, any port": ["-O", "forward", "-R", "0:there:99", "h"],
    "remote, socket": ["-O", "forward", "-R", "/a/b:there:99", "h"],
    "remote, every address": ["-O", "forward", "-R", ":4444:there:99", "h"],
    "remote dynamic": ["-O", "forward", "-R", "4444", "h"],
    "dynamic": ["-O", "forward", "-D", "4444", "h"],
    "dynamic, address": ["-O", "forward", "-D", "127.0.0.1:4444", "h"],
    "cancel": ["-O", "cancel", "-L", "4444:there:99", "h"],
    "cancel remote": ["-O", "cancel", "-R", "4444:there:99", "h"],
    "cancel dynamic": ["-O", "cancel", "-D", "4444", "h"],
    "two": ["-O", "forward", "-L", "4444:there:99", "-R", "5555:there:99", "h"],
}


@pytest.mark.parametrize("words", CALLS.values(), ids=CALLS)
def test_clients_ask_the_same(words, fake):
    environment = dict(os.environ, HWMUX_A="one", HWMUX_B="two words", TERM="vt220", DISPLAY=":9")
    theirs = fake(OPENSSH, *words, env=environment)
    ours = fake(OURS, *words, env=environment)
    assert ours == theirs
    if words[:2] != ["-O", "check"]:
        assert ours[1]


@pytest.mark.parametrize("answer", [0x80000002, 0x80000003], ids=["denied", "failure"])
@pytest.mark.parametrize("name", ["standard forward", "exit", "stop", "local", "remote", "cancel"])
def test_clients_say_the_same_when_they_are_refused(name, answer, fake):
    said = [fake(suite, *CALLS[name], refuses=(answer, "a reason")) for suite in (OPENSSH, OURS)]
    assert said[0] == said[1]


@pytest.mark.parametrize("answer", [0x80000002, 0x80000003], ids=["denied", "failure"])
def test_clients_whose_session_is_refused_connect_themselves(answer, fake):
    said = [
        fake(suite, "-p", "1", "-oHostName=127.0.0.1", "h", "true", refuses=(answer, "a reason"))
        for suite in (OPENSSH, OURS)
    ]
    assert said[0] == said[1]
    assert said[0][0][2].endswith(b"Connection refused\r\n")


# MARK: Masters that say nothing


class SilentMaster(Master):
    """Greets, and opens no session until it is told to; `health` is what it says of its server."""

    def __init__(self, path, extensions=b"", health=None):
        self.health = health
        self.may_open = threading.Event()
        super().__init__(path, extensions)

    def run(self):
        def serve(peer):
            with peer:
                try:
                    self.serve(peer)
                except (OSError, ValueError):
                    pass

        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        peer.sendall(string(numbers(HELLO, 4) + self.extensions))
        while size := peer.recv(4, socket.MSG_WAITALL):
            message = peer.recv(int.from_bytes(size), socket.MSG_WAITALL)
            kind, identifier = int.from_bytes(message[:4]), message[4:8]
            self.heard.append(kind)
            if kind == 0x20000001 and self.health:
                peer.sendall(string(numbers(0x90000001) + identifier + string(self.health)))
            elif kind == NEW_SESSION:
                lent = [socket.recv_fds(peer, 1, 1)[1][0] for _ in range(3)]
                if self.may_open.wait(30):
                    peer.sendall(string(numbers(0x80000006) + identifier + numbers(3)))
                    os.write(lent[1], b"out\n")
                    peer.sendall(string(numbers(0x80000004, 3, 42)))
                for each in lent:
                    os.close(each)
                return


HEALTH = string("health@hawser") + string("")
SILENT = {
    # Extensions, what it says of its server, options, after how many seconds we are elsewhere.
    "ours that is stopped": (HEALTH, None, [], (5, 12)),
    "ours that is stopped, in a hurry": (HEALTH, None, ["-oConnectTimeout=2"], (1, 5)),
    "ours that opens nothing": (HEALTH, "alive 100", ["-oConnectTimeout=2"], (1.5, 6)),
    "OpenSSH's that opens nothing": (b"", None, [], (9, 20)),
    "OpenSSH's that opens nothing, in a hurry": (b"", None, ["-oConnectTimeout=2"], (1.5, 6)),
}


@pytest.mark.parametrize("extensions,health,options,seconds", SILENT.values(), ids=SILENT)
def test_a_session_that_a_silent_master_does_not_open(extensions, health, options, seconds, home):
    path = home / "m"
    master = SilentMaster(path, extensions, health)
    begin = time.monotonic()
    words = ["-F", "none", "-S", path, "-p", "1", "-oHostName=127.0.0.1", *options, "h", "true"]
    # A master that has been lent a pipe may hold it.
    with open(home / "error", "w+b") as error:
        child = subprocess.run([OURS.ssh, *words], stdin=subprocess.DEVNULL, stdout=error,
                               stderr=error, timeout=60)
        took = time.monotonic() - begin
        error.seek(0)
        assert error.read().endswith(b"Connection refused\r\n")
    master.close()
    assert child.returncode == 255
    assert seconds[0] <= took < seconds[1]
    assert NEW_SESSION in master.heard


def test_a_person_may_take_their_time(home):
    path = home / "m"
    master = SilentMaster(path, HEALTH + string("asks@hawser") + string(""), "alive 100")
    child = subprocess.Popen(
        [OURS.ssh, "-F", "none", "-S", path, "-p", "1", "-oHostName=127.0.0.1",
         "-oConnectTimeout=1", "h", "true"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    wait_until(lambda: master.heard.count(0x20000001) >= 4, "the questions whether it is there")
    assert child.poll() is None
    master.may_open.set()
    output, error = child.communicate(timeout=20)
    master.close()
    assert (child.returncode, output, error) == (42, b"out\n", b"")
