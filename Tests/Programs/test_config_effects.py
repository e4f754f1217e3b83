# SPDX-License-Identifier: Apache-2.0
"""Keywords of ssh_config(5) and sshd_config(5) whose effect is seen only while a connection lives:
WarnWeakCrypto, ChannelTimeout of the client, LogVerbose."""
import os
import re
import shutil
import socket
import subprocess
import time

import pytest
from conftest import OPENSSH, OURS, UNDER_TEST, free_port, run, wait_until

WARNING = (
    b"** WARNING: connection is not using a post-quantum key exchange algorithm.\r\n"
    b'** This session may be vulnerable to "store now, decrypt later" attacks.\r\n'
    b"** The server may need to be upgraded. See https://openssh.com/pq.html\r\n"
)

# MARK: WarnWeakCrypto


@pytest.mark.parametrize("options,offered,warns", [
    ([], "curve25519-sha256", True),
    (["-oWarnWeakCrypto=yes"], "ecdh-sha2-nistp256", True),
    (["-oWarnWeakCrypto=no"], "curve25519-sha256", False),
    (["-oWarnWeakCrypto=no-pq-kex"], "curve25519-sha256", False),
    (["-q"], "curve25519-sha256", False),
    (["-oLogLevel=ERROR"], "curve25519-sha256", False),
    (["-oKexAlgorithms=curve25519-sha256"], "curve25519-sha256", False),
    ([], "mlkem768x25519-sha256", False),
    ([], "sntrup761x25519-sha512@openssh.com", False),
])
def test_a_key_exchange_that_a_quantum_computer_breaks(options, offered, warns, serve, key):
    peer = serve(OURS, f"KexAlgorithms {offered}")
    config = peer.client_config(key, BatchMode="yes")
    result = run([OURS.ssh, "-F", config, *options, "127.0.0.1", "echo in"])
    assert (result.returncode, result.stdout) == (0, b"in\n"), result.stderr
    assert result.stderr == (WARNING if warns else b"")


def test_it_is_said_once_however_often_keys_change(serve, key):
    peer = serve(OURS, "KexAlgorithms curve25519-sha256")
    result = run(
        [OURS.ssh, "-F", peer.client_config(key), "-oRekeyLimit=64K", "127.0.0.1",
         "head -c 1000000 /dev/zero"]
    )
    assert len(result.stdout) == 1000000
    assert result.stderr == WARNING


# MARK: ChannelTimeout


def seconds(function):
    begin = time.monotonic()
    value = function()
    return value, time.monotonic() - begin


@pytest.mark.parametrize("rule,ends", [
    ("session=1", True),
    ("session*=1", True),
    ("session:command=1", True),
    ("session:shell=1", False),
    ("session=0", False),
    ("direct-tcpip=1", False),
    ("global=1", True),
])
def test_an_idle_session_is_closed(rule, ends, serve, key):
    config = serve(OPENSSH).client_config(key, ChannelTimeout=rule)
    result, took = seconds(
        lambda: run([OURS.ssh, "-F", config, "127.0.0.1", "sleep 4; echo end"])
    )
    assert (result.returncode == 255) == ends, result.stderr
    assert (result.stdout == b"end\n") != ends
    assert (took < 3.9) == ends
    if ends:
        assert took >= 1


def test_what_moves_is_not_idle(serve, key):
    config = serve(OPENSSH).client_config(key, ChannelTimeout="session=2")
    result = run(
        [OURS.ssh, "-F", config, "127.0.0.1", "for i in 1 2 3 4 5 6; do echo $i; sleep 0.6; done"]
    )
    assert (result.returncode, result.stdout) == (0, b"1\n2\n3\n4\n5\n6\n")


class Client:
    """ssh in the background, with one forwarding that is ready."""

    def __init__(self, config, *options):
        self.process = subprocess.Popen(
            [OURS.ssh, "-F", str(config), "-N", *options, "127.0.0.1"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)


def connected(port):
    def attempt():
        peer = socket.socket()
        if peer.connect_ex(("127.0.0.1", port)) == 0:
            return peer
        peer.close()
        return None
    return wait_until(attempt, f"port {port}")


@pytest.fixture
def sink():
    """A service that takes connections and says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        yield listener


@pytest.mark.parametrize("rule,ends", [
    ("direct-tcpip=1", True), ("direct-*=1", True), ("global=1", True),
    ("forwarded-tcpip=1", False), ("session=1", False),
])
def test_an_idle_forwarded_connection_is_closed(rule, ends, serve, key, sink):
    port = free_port()
    config = serve(OPENSSH).client_config(key, ChannelTimeout=rule)
    with Client(config, "-L", f"{port}:127.0.0.1:{sink.getsockname()[1]}") as client:
        with connected(port) as peer:
            far, _ = sink.accept()
            far.sendall(b"word")
            assert peer.recv(4) == b"word"
            peer.settimeout(3)
            if ends:
                rest, took = seconds(lambda: peer.recv(1))
                assert rest == b"" and took >= 0.9
                far.settimeout(5)
                assert far.recv(1) == b""
            else:
                with pytest.raises(TimeoutError):
                    peer.recv(1)
        # The forwarding itself stays.
        with connected(port):
            sink.accept()
        assert client.process.poll() is None


@pytest.mark.parametrize("dynamic", [False, True], ids=["target", "socks"])
def test_an_idle_connection_from_the_server_is_closed(dynamic, serve, key, sink):
    port, target = free_port(), sink.getsockname()[1]
    config = serve(OPENSSH).client_config(key, ChannelTimeout="forwarded-tcpip=1")
    option = f"{port}" if dynamic else f"{port}:127.0.0.1:{target}"
    with Client(config, "-R", option), connected(port) as peer:
        if dynamic:
            peer.sendall(b"\x05\x01\x00")
            assert peer.recv(2) == b"\x05\x00"
            peer.sendall(b"\x05\x01\x00\x01\x7f\x00\x00\x01" + target.to_bytes(2, "big"))
            assert peer.recv(10)[:2] == b"\x05\x00"
        far, _ = sink.accept()
        peer.sendall(b"word")
        assert far.recv(4) == b"word"
        peer.settimeout(5)
        assert peer.recv(1) == b""


def test_a_socket_forwarding_has_a_type_of_its_own(serve, key, home):
    config = serve(OPENSSH).client_config(key, ChannelTimeout="direct-streamlocal@openssh.com=1")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(home / "far"))
        listener.listen(4)
        with Client(config, "-L", f"{home}/near:{home}/far"):
            wait_until((home / "near").exists, "the socket")
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(str(home / "near"))
                listener.accept()
                peer.settimeout(5)
                assert peer.recv(1) == b""


def test_an_idle_standard_forward_is_closed(serve, key, sink):
    config = serve(OPENSSH).client_config(key, ChannelTimeout="direct-tcpip=1")
    target = f"127.0.0.1:{sink.getsockname()[1]}"
    client = subprocess.Popen(
        [OURS.ssh, "-F", str(config), "-W", target, "127.0.0.1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    with client:
        sink.accept()
        assert client.stdout.read() == b""
        client.wait(5)


def test_all_together_are_idle_only_when_each_is(serve, key, sink):
    """`global`: one channel that moves keeps the session."""
    port = free_port()
    config = serve(OPENSSH).client_config(key, ChannelTimeout="global=2")
    client = subprocess.Popen(
        [OURS.ssh, "-F", str(config), "-L", f"{port}:127.0.0.1:{sink.getsockname()[1]}",
         "127.0.0.1", "sleep 60"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    with client, connected(port) as peer:
        far, _ = sink.accept()
        for _ in range(8):
            peer.sendall(b"x")
            assert far.recv(1) == b"x"
            time.sleep(0.5)
        assert client.poll() is None
        assert client.wait(10) == 255


def test_an_idle_agent_connection_is_closed(serve, key, home, tmp_path):
    config = serve(OPENSSH).client_config(
        key, ForwardAgent="yes", ChannelTimeout="agent-connection=1", IdentityAgent=f"{home}/agent"
    )
    agent = subprocess.Popen(
        ["/usr/bin/ssh-agent", "-D", "-a", str(home / "agent")], stdout=subprocess.DEVNULL
    )
    script = (
        "import os,socket;s=socket.socket(socket.AF_UNIX);s.connect(os.environ['SSH_AUTH_SOCK']);"
        "s.settimeout(10);print(len(s.recv(1)))"
    )
    try:
        wait_until((home / "agent").exists, "the agent")
        result, took = seconds(
            lambda: run([OURS.ssh, "-F", config, "127.0.0.1", f'python3 -c "{script}"'])
        )
        assert (result.returncode, result.stdout) == (0, b"0\n"), result.stderr
        assert 1 <= took < 8
    finally:
        agent.terminate()
        agent.wait()


def test_an_idle_display_is_closed(serve, key, tmp_path):
    if not shutil.which("xauth"):
        pytest.skip("needs xauth")
    number = next(n for n in range(400, 500) if not os.path.exists(f"/tmp/.X11-unix/X{n}"))
    os.makedirs("/tmp/.X11-unix", exist_ok=True)
    path = f"/tmp/.X11-unix/X{number}"
    config = serve(OPENSSH, "X11Forwarding yes").client_config(
        key, ForwardX11="yes", ForwardX11Trusted="yes", ChannelTimeout="x11-connection=1"
    )
    # What an X client sends first: its byte order and the cookie, then it waits.
    script = tmp_path / "client.py"
    script.write_text(
        "import os,socket,struct,subprocess\n"
        "name=os.environ['DISPLAY']\n"
        "line=subprocess.check_output(['xauth','list',name]).decode().split()\n"
        "kind,value=line[1].encode(),bytes.fromhex(line[2])\n"
        "pad=lambda b:b+bytes(-len(b)%4)\n"
        "s=socket.create_connection(('127.0.0.1',6000+int(name.split(':')[1].split('.')[0])))\n"
        "s.sendall(struct.pack('<BxHHHHxx',0x6c,11,0,len(kind),len(value))+pad(kind)+pad(value))\n"
        "s.settimeout(10)\n"
        "print(s.recv(4),len(s.recv(1)))\n"
    )
    with socket.socket(socket.AF_UNIX) as display:
        display.bind(path)
        try:
            display.listen(4)
            client = subprocess.Popen(
                [OURS.ssh, "-F", str(config), "127.0.0.1", f"python3 {script}"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=dict(os.environ, DISPLAY=f":{number}", XAUTHORITY=str(tmp_path / "none")),
            )
            display.settimeout(10)
            far, _ = display.accept()
            far.sendall(b"word")
            output, error = client.communicate(timeout=15)
            assert output == b"b'word' 0\n", error
        finally:
            os.unlink(path)


def test_a_masters_passengers_have_its_limits(serve, key, home):
    path = home / "master"
    config = serve(OPENSSH).client_config(
        key, ControlPath=path, ChannelTimeout="session=1", ControlPersist="yes"
    )
    started = run([OURS.ssh, "-F", config, "-M", "-N", "-f", "127.0.0.1"])
    assert started.returncode == 0, started.stderr
    try:
        result, took = seconds(
            lambda: run([OURS.ssh, "-F", config, "127.0.0.1", "sleep 5; echo end"])
        )
        assert (result.returncode, result.stdout) == (255, b""), result.stderr
        assert 1 <= took < 4.9
        # The master lives, and so does what moves.
        result = run([OURS.ssh, "-F", config, "127.0.0.1", "echo here"])
        assert (result.returncode, result.stdout) == (0, b"here\n")
    finally:
        run([OURS.ssh, "-F", config, "-O", "exit", "127.0.0.1"])


# MARK: LogVerbose


@pytest.mark.parametrize("pattern,place", [
    ("ClientLoop+Events.swift:*", r"ClientLoop\+Events\.swift:handle\(\):\d+"),
    ("a:b,*:handle():*", r"\S+\.swift:handle\(\):\d+"),
    ("nothing Transport+KeyExchange.swift:*", r"Transport\+KeyExchange\.swift:\w+\(\):\d+"),
    ("*,!ClientLoop*", r"(?!ClientLoop)\S+\.swift:\w+\(\):\d+"),
])
@pytest.mark.parametrize("level", ["INFO", "QUIET"])
def test_places_in_the_client_that_tell_everything(pattern, place, level, serve, key):
    config = serve(OPENSSH).client_config(key, LogVerbose=pattern, LogLevel=level)
    result = run([OURS.ssh, "-F", config, "127.0.0.1", "true"])
    lines = result.stderr.decode().splitlines()
    assert result.returncode == 0 and lines
    for line in lines:
        assert re.match(rf"(debug[123]: )?{place} \(bin=ssh, pid=\d+\): \S", line), line


def test_a_place_can_be_one_line(serve, key):
    peer = serve(OPENSSH)
    config = peer.client_config(key, LogVerbose="ClientLoop+Events.swift:handle():*")
    result = run([OURS.ssh, "-F", config, "127.0.0.1", "true"])
    place = re.search(rb"(ClientLoop\+Events.swift:handle\(\):\d+) \(bin", result.stderr)[1].decode()
    result = run([OURS.ssh, "-F", peer.client_config(key, LogVerbose=place), "127.0.0.1", "true"])
    lines = result.stderr.decode().splitlines()
    assert len(lines) == 1 and place in lines[0]


def test_none_overrides_nothing(serve, key):
    config = serve(OPENSSH).client_config(key, LogVerbose="none")
    assert run([OURS.ssh, "-F", config, "127.0.0.1", "true"]).stderr == b""


@pytest.mark.parametrize("pattern,program", [
    ("*", "sshd-auth"), ("*", "sshd-session"), ("*", "sshd"), ("SessionProcess.swift:*", "sshd-session"),
])
def test_places_in_the_server_that_tell_everything(pattern, program, serve, key):
    peer = serve(OURS, f"LogVerbose {pattern}", "LogLevel FATAL")
    result = run([OPENSSH.ssh, "-F", peer.client_config(key), "127.0.0.1", "true"])
    assert result.returncode == 0
    expected = re.compile(
        rf"^(debug[123]: )?\S+\.swift:\w+\(\):\d+ \(bin={program}, pid=\d+\): \S", re.M
    )
    wait_until(lambda: expected.search(peer.log_text()), "a line of that program")
    for line in peer.log_text().splitlines():
        assert re.match(r"(debug[123]: )?\S+\.swift:\w+\(\):\d+ \(bin=", line), line


def test_a_match_block_turns_it_on_for_some(serve, key, me):
    peer = serve(OURS, "LogLevel FATAL", f"Match User {me}", "LogVerbose SessionProcess.swift:*")
    result = run([OPENSSH.ssh, "-F", peer.client_config(key), "127.0.0.1", "true"])
    assert result.returncode == 0
    wait_until(lambda: "SessionProcess.swift" in peer.log_text(), "its lines")
    peer = serve(OURS, "LogLevel FATAL", "Match User nobody-else", "LogVerbose *")
    result = run([OPENSSH.ssh, "-F", peer.client_config(key), "127.0.0.1", "true"])
    assert result.returncode == 0
    assert peer.log_text() == ""


# MARK: LocalCommand


@pytest.mark.parametrize("suite", [OPENSSH, OURS], ids=lambda suite: suite.name)
def test_local_command_names_the_tunnels_interface(suite, serve, key):
    if os.getuid() != 0 or not os.path.exists("/dev/net/tun"):
        pytest.skip("needs root and /dev/net/tun")
    config = serve(OPENSSH, "PermitTunnel yes").client_config(
        key, PermitLocalCommand="yes", LocalCommand="echo %T"
    )
    # OpenSSH's client stays for its tunnel when the command has ended.
    client = subprocess.Popen(
        [suite.ssh, "-F", str(config), "-w", "71:72", "127.0.0.1", "true"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )
    with client:
        assert client.stdout.readline() == b"tun71\n"
        client.terminate()
    result = run([suite.ssh, "-F", config, "127.0.0.1", "true"])
    assert (result.returncode, result.stdout) == (0, b"NONE\n"), result.stderr


@pytest.mark.parametrize("suite", [OPENSSH, OURS], ids=lambda suite: suite.name)
def test_remote_command_does_not(suite, serve, key):
    config = serve(OPENSSH).client_config(key, RemoteCommand="echo %T")
    result = run([suite.ssh, "-F", config, "127.0.0.1"])
    assert result.returncode == 255
    assert b"vdollar_percent_expand: unknown key %T" in result.stderr
