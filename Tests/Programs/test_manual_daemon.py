# SPDX-License-Identifier: Apache-2.0
"""What sshd(8) says of the daemon, each test named after its row of docs/features.md (M-001 to M-078)."""
import contextlib
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time

import paramiko
import pexpect
import pytest
from conftest import OPENSSH, OURS, ROOT, UNDER_TEST, Server, free_port, make_key, run, wait_until
from test_server_files import etc, serve_with  # noqa: F401

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="accounts are root's")
BOTH = pytest.mark.parametrize("suite", [UNDER_TEST, OPENSSH], ids=repr)


def ssh(peer, key, *words, options=(), client=OPENSSH, **more):
    return run([client.ssh, "-F", peer.client_config(key), *options, "127.0.0.1", *words], **more)


def held(peer, key, command="echo in; exec cat"):
    """A connection that stays: the client, whose program has begun."""
    client = subprocess.Popen(
        [OPENSSH.ssh, "-F", peer.client_config(key), "127.0.0.1", command],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )
    assert client.stdout.readline() == b"in\n", peer.log_text()
    return client


def children(pid):
    listing = run(["ps", "-o", "pid=", "--ppid", pid]).stdout.split()
    return [int(number) for number in listing if int(number)]


class Tap:
    """Between a client and a server: keeps every byte of both directions."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.target = port
        self.seen = bytearray()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        client = self.listener.accept()[0]
        server = socket.create_connection(("127.0.0.1", self.target))
        while True:
            for ready in select.select([client, server], [], [])[0]:
                data = ready.recv(65536)
                if not data:
                    client.close()
                    return server.close()
                self.seen += data
                (server if ready is client else client).sendall(data)


@BOTH
@pytest.mark.parametrize("compression", ["yes", "no"])
def test_m004_nothing_of_a_session_is_readable(suite, compression, serve, key):
    peer = serve(suite, "Compression yes")
    tap = Tap(peer.port)
    config = peer.client_config(key, Port=tap.port, HostKeyAlias=f"[127.0.0.1]:{peer.port}", Compression=compression)
    result = run([OPENSSH.ssh, "-F", config, "127.0.0.1", "for i in 1 2 3 4 5; do echo MARKER-OF-THIS-TEST; done"])
    assert result.stdout.count(b"MARKER-OF-THIS-TEST") == 5
    assert b"SSH-2.0-" in tap.seen and b"MARKER" not in tap.seen and peer.user.encode() + b"\0" not in tap.seen


def test_m005_m006_m150_a_fresh_install_serves(tmp_path, etc, key):
    """scripts/install into a folder, keys from ssh-keygen -A, no word of configuration: every address of a machine of its own."""
    prefix, system = tmp_path / "prefix", tmp_path / "etc/ssh"
    shutil.rmtree(system)
    made = run([ROOT / "scripts/install", prefix, system], env=dict(os.environ, HAWSER_BUILT=OURS.prefix))
    if made.returncode != 0 or not (prefix / "sbin/sshd").exists():
        pytest.skip("no release build to install")
    assert not list(system.glob("ssh_host_*"))
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    shutil.copy(f"{key}.pub", home / ".ssh/authorized_keys")
    (etc / "passwd").write_text(re.sub(
        r"(?m)^root:.*", f"root:x:0:0:root:{home}:/bin/bash", (etc / "passwd").read_text()))
    script = f"""
        set -e
        ip link set lo up
        mount --bind {etc} /etc
        {prefix}/bin/ssh-keygen -A
        {prefix}/sbin/sshd
        for i in 1 2 3 4 5 6 7 8 9 10; do ss -Hltn 'sport = 22' | grep -q 22 && break; sleep 0.5; done
        for address in 127.0.0.1 127.0.0.3 ::1; do
            {prefix}/bin/ssh -F none -i {key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=none -o BatchMode=yes \
                root@$address 'echo "in: $SSH_CONNECTION"' || true
        done
        kill $(cat /run/sshd.pid /var/run/sshd.pid 2>/dev/null | head -1)
    """
    result = run(["unshare", "--mount", "--net", "sh", "-c", script], timeout=60)
    said = result.stdout.decode()
    for address in ("127.0.0.1", "127.0.0.3", "::1"):
        assert re.search(rf"^in: \S+ \d+ {address} 22$", said, re.M), (said, result.stderr)
    assert sorted(path.name for path in system.glob("ssh_host_*_key"))


def test_m007_the_unit_for_systemd_is_without_a_mistake(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze")
    for unit in (ROOT / "packaging/systemd").glob("*"):
        text = unit.read_text()
        for name in ("sshd", "ssh-keygen"):
            text = re.sub(rf"(?<==)(-?)\S*/{name}\b", rf"\g<1>{getattr(OURS, name.replace('-', '_'))}", text)
        (tmp_path / unit.name).write_text(text)
    units = [path for path in tmp_path.glob("*") if path.suffix in (".service", ".socket")]
    assert units
    result = run(["systemd-analyze", "verify", "--man=no", *units])
    mine = [line for line in result.stderr.decode().splitlines() if str(tmp_path) in line]
    assert mine == []


@BOTH
def test_m008_m009_each_connection_has_processes_of_its_own(suite, serve, key):
    peer = serve(suite)
    before = set(children(peer.process.pid))
    clients, processes = [], []
    for _ in range(3):
        clients.append(held(peer, key))
        new = set(children(peer.process.pid)) - before
        assert len(new) == 1
        processes += new
        before |= new
    # One that stalls before it has logged in keeps nobody waiting.
    with socket.create_connection(("127.0.0.1", peer.port)) as stalled:
        assert stalled.recv(8) == b"SSH-2.0-"
        assert ssh(peer, key, "echo in").stdout == b"in\n"
        for child in children(processes[1]) + [processes[1]]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        clients[1].wait(10)
        for index in (0, 2):
            clients[index].stdin.write(b"still\n")
            clients[index].stdin.flush()
            assert clients[index].stdout.readline() == b"still\n"
    for client in clients:
        client.kill()


@pytest.mark.parametrize("ends", [(OURS, OPENSSH), (OPENSSH, OURS), (OURS, OURS)], ids=str)
def test_m034_to_m043_ciphers_and_macs(ends, serve, key):
    client, server = ends
    known = [set(run([suite.ssh, "-Q", kind]).stdout.decode().split()) for kind in ("cipher", "mac") for suite in ends]
    ciphers, macs = known[0] & known[1], known[2] & known[3]
    assert {"aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc", "aes128-ctr", "aes128-gcm@openssh.com"} <= ciphers
    assert {"hmac-sha1", "hmac-md5", "hmac-sha2-256", "umac-64@openssh.com"} <= macs
    peer = serve(server, "Ciphers " + ",".join(ciphers), "MACs " + ",".join(macs))
    for cipher in sorted(ciphers):
        result = ssh(peer, key, "echo in", client=client, options=["-c", cipher, "-v"])
        assert result.stdout == b"in\n", (cipher, result.stderr)
        assert f"cipher: {cipher} ".encode() in result.stderr
    for mac in sorted(macs):
        result = ssh(peer, key, "echo in", client=client, options=["-c", "aes128-ctr", "-m", mac, "-v"])
        assert result.stdout == b"in\n" and f"MAC: {mac} ".encode() in result.stderr


@BOTH
def test_m041_the_clients_order_counts(suite, serve, key):
    peer = serve(suite, "Ciphers aes256-ctr,aes128-ctr,aes192-ctr")
    for wanted, chosen in (("aes192-ctr,aes256-ctr", "aes192-ctr"), ("chacha20-poly1305@openssh.com,aes128-ctr", "aes128-ctr")):
        for client in (OURS, OPENSSH):
            result = ssh(peer, key, "true", client=client, options=["-c", wanted, "-v"])
            assert f"cipher: {chosen} ".encode() in result.stderr


@BOTH
def test_m048_requests_in_any_order_and_unknown_ones(suite, serve, key, me):
    peer = serve(suite, "AcceptEnv A")
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect("127.0.0.1", peer.port, me, key_filename=str(key), look_for_keys=False, allow_agent=False)
    with client:
        def unknown(channel):
            message = paramiko.Message()
            message.add_byte(bytes([98]))
            message.add_int(channel.remote_chanid)
            message.add_string("nonsense@example.org")
            message.add_boolean(True)
            message.add_string(b"\0" * 20)
            channel._event_pending()
            channel.transport._send_user_message(message)
            with pytest.raises(paramiko.SSHException):
                channel._wait_for_event()

        orders = [
            [lambda c: c.get_pty("vt100", 90, 30), lambda c: c.set_environment_variable("A", "1")],
            [lambda c: c.set_environment_variable("A", "1"), lambda c: c.get_pty("vt100", 90, 30)],
        ]
        for order in orders:
            channel = client.get_transport().open_session()
            for step in order:
                step(channel)
            channel.exec_command("echo $A $(stty size) $TERM")
            assert channel.makefile().read().split() == b"1 30 90 vt100".split()
            assert channel.recv_exit_status() == 0
        # OpenSSH closes nothing because of a request that it does not know, whoever made the channel.
        result = client.get_transport().global_request("nonsense@example.org", wait=True)
        assert result is None
        channel = client.get_transport().open_session()
        with contextlib.suppress(paramiko.SSHException, EOFError):
            unknown(channel)
        assert client.exec_command("echo still")[1].read() == b"still\n"


@BOTH
def test_m049_the_terminals_modes_arrive(suite, serve, key):
    peer = serve(suite)
    for local in ("-echo erase ^H", "echo -icrnl intr ^X", "-isig cs7 -ixon"):
        child = pexpect.spawn(
            "/bin/sh", ["-c", f"stty {local}; exec {OPENSSH.ssh} -F {peer.client_config(key)} -tt 127.0.0.1 'stty -a; tty'"],
            encoding="utf-8", dimensions=(33, 77), timeout=15,
        )
        child.expect(pexpect.EOF)
        text = child.before
        assert "rows 33; columns 77" in text and "/dev/pts/" in text
        for word in re.sub(r"(\w+) (\^\w)", r"\1 = \2;", local).split(" "):
            if word in ("=", "cs7") or word.startswith("^"):
                continue
            assert re.search(rf"(?<![\w-]){re.escape(word)}(?!\w)", text), (word, text)
        if "^" in local:
            name, sign = re.search(r"(\w+) (\^\w)", local).groups()
            assert f"{name} = {sign};" in text


@BOTH
def test_m057_a_reload_changes_the_banner_and_keeps_sessions(suite, serve, key, tmp_path):
    (tmp_path / "old").write_text("old banner\n")
    (tmp_path / "new").write_text("new banner\n")
    peer = serve(suite, f"Banner {tmp_path}/old")
    client = held(peer, key)
    peer.config.write_text(peer.config.read_text().replace("/old", "/new"))
    os.kill(peer.process.pid, signal.SIGHUP)
    wait_until(lambda: b"new banner" in ssh(peer, key, "true").stderr, "the new banner")
    assert peer.process.poll() is None
    client.stdin.write(b"still\n")
    client.stdin.flush()
    assert client.stdout.readline() == b"still\n"
    client.kill()
    # A name without its folder could be another program after the next change of folder.
    result = run(["sh", "-c", f"cd {peer.suite.prefix}/sbin && exec ./sshd -D -f {peer.config} -p 1"])
    assert result.returncode != 0 and b"re-exec requires execution with an absolute path" in result.stderr


@BOTH
def test_m059_m060_debug_mode(suite, tmp_path, key, me):
    host, port = make_key(tmp_path, "host"), free_port()
    (tmp_path / "c").write_text(f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host}\nPidFile none\n")
    lines = {}
    for words in ("-dd", "-ddd", "-dddd"):
        server = subprocess.Popen([suite.sshd, words, "-f", tmp_path / "c"], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        text = b""
        while b"listening on" not in text:
            text += server.stderr.readline()
        with socket.create_connection(("127.0.0.1", port)) as first:
            assert first.recv(8) == b"SSH-2.0-"
            # It serves this one alone.
            with pytest.raises(OSError):
                with socket.create_connection(("127.0.0.1", port), timeout=1) as second:
                    second.settimeout(1)
                    if second.recv(1) == b"":
                        raise OSError("closed")
        text += server.communicate(timeout=20)[1]
        lines[words] = {n for n in (1, 2, 3) if f"debug{n}: ".encode() in text}
    assert lines == {"-dd": {1, 2}, "-ddd": {1, 2, 3}, "-dddd": {1, 2, 3}}


@BOTH
def test_no_session_keeps_the_output_of_a_daemon_in_the_foreground(suite, serve, key):
    """`sshd -D -e | tee log` ends with the daemon, whatever sessions live on."""
    peer = serve(suite)
    peer.stop()
    reading, writing = os.pipe()
    peer.process = subprocess.Popen(
        [suite.sshd, "-D", "-e", "-f", str(peer.config)],
        stdin=subprocess.DEVNULL, stdout=writing, stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    wait_until(peer.answers, "sshd")
    client = held(peer, key)
    peer.stop()
    with open(reading, "rb") as output:
        assert select.select([output], [], [], 10)[0] and output.read(1) == b""
    client.stdin.write(b"still\n")
    client.stdin.flush()
    assert client.stdout.readline() == b"still\n"
    client.kill()
    client.wait()


@pytest.fixture
def syslog(tmp_path):
    """A /dev of our own: `sh` text that puts it in place, and the lines that its log hears."""
    device = tmp_path / "dev"
    device.mkdir()
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind(str(device / "log"))
    heard = []

    def listen():
        # Few lines fit into the queue: who does not read holds the writer up.
        with contextlib.suppress(OSError):
            while True:
                heard.append(log.recv(8192).decode())

    threading.Thread(target=listen, daemon=True).start()
    binds = ""
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        (device / name).touch()
        binds += f"mount --bind /dev/{name} {device}/{name} && "
    (device / "pts").mkdir()
    (device / "ptmx").symlink_to("pts/ptmx")
    binds += f"mount --rbind /dev/pts {device}/pts && mount --rbind {device} /dev && "
    yield binds, heard
    log.shutdown(socket.SHUT_RDWR)
    log.close()


@pytest.fixture
def with_syslog(syslog, tmp_path):
    """start(suite, words, lines…): an sshd with a /dev of its own whose log we read."""
    binds, heard = syslog
    servers = []

    def start(suite, words, *lines):
        host, port = make_key(tmp_path, f"host{len(servers)}"), free_port()
        config = tmp_path / f"c{len(servers)}"
        config.write_text(f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host}\nPidFile none\n" + "\n".join(lines) + "\n")
        server = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", binds + f"exec {suite.sshd} -D {words} -f {config}"],
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        )
        servers.append(server)

        def answers():
            assert server.poll() is None, server.stderr.read()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_until(answers, "sshd")

        def end():
            server.terminate()
            return server.communicate(timeout=10)[1].decode()

        return port, end

    yield start, lambda: heard
    for server in servers:
        server.kill()


def greet(port):
    with socket.create_connection(("127.0.0.1", port)) as stranger:
        assert stranger.recv(8) == b"SSH-2.0-"
        stranger.sendall(b"SSH-2.0-test\r\n")
    time.sleep(0.5)


@BOTH
@pytest.mark.parametrize("words,lines,in_syslog,on_stderr", [
    ("", [], True, False),
    ("-e", [], False, True),
    ("-q", [], False, False),
    ("", ["LogLevel QUIET"], False, False),
])
def test_m062_m071_m072_where_the_log_goes(suite, words, lines, in_syslog, on_stderr, with_syslog):
    start, said = with_syslog
    port, end = start(suite, words, "LogLevel VERBOSE" if not lines else "", *lines)
    greet(port)
    errors, logged = end(), said()
    for text, wanted in (("".join(logged), in_syslog), (errors, on_stderr)):
        assert ("Server listening on 127.0.0.1 port" in text) == wanted, (errors, logged)
        assert ("Connection from 127.0.0.1 port" in text) == wanted
    if in_syslog:
        # auth.info, the program's name and number.
        assert any(re.match(r"<38>(\w{3} [ \d]\d \S+ )?sshd[\w-]*\[\d+\]: Server listening", line) for line in logged), logged


@BOTH
def test_m061_debug_lines_reach_the_systems_log(suite, with_syslog):
    start, said = with_syslog
    port, end = start(suite, "-o LogLevel=DEBUG -o SyslogFacility=LOCAL3")
    greet(port)
    end()
    # 19 * 8 + debug
    assert any(re.match(r"<159>.*debug1: ", line) for line in said())


@BOTH
def test_m064_time_to_log_in(suite, tmp_path):
    host = make_key(tmp_path, "host")
    for seconds in (2, 0):
        port = free_port()
        (tmp_path / "c").write_text(f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host}\nPidFile none\n")
        server = subprocess.Popen(
            [suite.sshd, "-D", "-e", "-g", str(seconds), "-f", tmp_path / "c"], stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, "sshd")
            with socket.create_connection(("127.0.0.1", port)) as idle:
                idle.sendall(b"SSH-2.0-test\r\n")
                start = time.monotonic()
                idle.settimeout(8 if seconds else 5)
                try:
                    while idle.recv(65536):
                        pass
                    assert seconds and 1 < time.monotonic() - start < 6
                except TimeoutError:
                    assert not seconds
                except ConnectionResetError:
                    assert seconds
        finally:
            server.terminate()
            server.wait(10)


@BOTH
def test_m065_host_keys_of_the_command_line(suite, tmp_path, key, account):
    """As a user who is not root, with keys of two kinds."""
    folder = pathlib.Path(f"/tmp/hwh{os.getpid()}")
    folder.mkdir(mode=0o755)
    name = account[0]
    try:
        words = []
        for kind in ("ed25519", "ecdsa"):
            words += ["-h", make_key(folder, kind, kind)]
        shutil.copy(f"{key}.pub", folder / "keys")
        (folder / "keys").chmod(0o644)
        shutil.copy(os.path.realpath(suite.sshd), folder / "sshd")
        for path in folder.glob("*"):
            shutil.chown(path, name)
        port = free_port()
        server = subprocess.Popen(
            [folder / "sshd", "-D", "-e", "-f", "/dev/null", "-p", str(port), *words, "-o", "PidFile=none", "-o",
             "ListenAddress=127.0.0.1", "-o", f"AuthorizedKeysFile={folder}/keys", "-o", "StrictModes=no"],
            user=name, extra_groups=[], stderr=subprocess.PIPE,
        )
        try:
            wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, "sshd")
            for kind, algorithm in (("ed25519", "ssh-ed25519"), ("ecdsa", "ecdsa-sha2-nistp256")):
                (tmp_path / "known").write_text(
                    f"[127.0.0.1]:{port} " + (folder / f"{kind}.pub").read_text())
                result = run([
                    OPENSSH.ssh, "-F", "none", "-i", key, "-p", str(port), "-o", f"UserKnownHostsFile={tmp_path}/known",
                    "-o", "StrictHostKeyChecking=yes", "-o", f"HostKeyAlgorithms={algorithm}", "-o", "BatchMode=yes",
                    "-o", "IdentitiesOnly=yes", f"{name}@127.0.0.1", "echo in"])
                assert result.stdout == b"in\n", result.stderr
        finally:
            server.kill()
            server.wait()
    finally:
        shutil.rmtree(folder)


@BOTH
def test_m066_under_inetd(suite, serve, key, tmp_path):
    """socat listens and starts a server for each connection, as inetd does."""
    if not shutil.which("socat"):
        pytest.skip("no socat")
    peer = serve(suite)
    port = free_port()
    listener = subprocess.Popen(
        ["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,fork", f"EXEC:{suite.sshd} -i -f {peer.config} -E {tmp_path}/log"],
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, "socat")
        config = peer.client_config(key, name="inetd", Port=port, HostKeyAlias=f"[127.0.0.1]:{peer.port}")
        for _ in range(2):
            result = run([OPENSSH.ssh, "-F", config, "127.0.0.1", "echo in; exit 7"])
            assert (result.stdout, result.returncode) == (b"in\n", 7), result.stderr
    finally:
        listener.terminate()
        listener.wait(10)


@pytest.mark.parametrize("accepts", [False, True], ids=["a listening socket", "a socket a connection"])
def test_m066_m007_started_by_systemds_socket(accepts, serve, key, tmp_path):
    if not shutil.which("systemd-socket-activate"):
        pytest.skip("no systemd-socket-activate")
    peer = serve(UNDER_TEST)
    port = free_port()
    words = ["--accept", "--inetd"] if accepts else []
    listener = subprocess.Popen(
        ["systemd-socket-activate", *words, "-l", f"127.0.0.1:{port}", UNDER_TEST.sshd, "-i" if accepts else "-D",
         "-f", peer.config, "-o", f"ListenAddress=127.0.0.1:{port}", "-E", tmp_path / "log"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )
    try:
        # A first try would already start it: wait for the listener in the system's table.
        wait_until(lambda: f":{port:04X} " in pathlib.Path("/proc/net/tcp").read_text(), "the socket")
        config = peer.client_config(key, name="activated", Port=port, HostKeyAlias=f"[127.0.0.1]:{peer.port}")
        for _ in range(2):
            result = run([OPENSSH.ssh, "-F", config, "127.0.0.1", "echo in"])
            assert result.stdout == b"in\n", (result.stderr, (tmp_path / "log").read_text())
    finally:
        os.killpg(listener.pid, signal.SIGTERM)
        listener.wait(10)


@BOTH
def test_m069_m070_ports_and_what_an_option_cannot_be(suite, tmp_path):
    host = make_key(tmp_path, "host")
    (tmp_path / "c").write_text(f"ListenAddress 127.0.0.1\nHostKey {host}\nPidFile none\n")
    result = run([suite.sshd, "-t", "-f", tmp_path / "c", "-o", "Match all"])
    assert result.returncode == 255 and b"Match directive not supported as a command-line option" in result.stderr
    ports = [free_port(), free_port()]
    server = subprocess.Popen(
        [suite.sshd, "-D", "-e", "-p", str(ports[0]), f"-p{ports[1]}", "-f", tmp_path / "c"], stderr=subprocess.DEVNULL)
    try:
        for port in ports:
            wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, f"port {port}")
    finally:
        server.terminate()
        server.wait(10)


@BOTH
def test_m073_a_key_that_cannot_be_read(suite, tmp_path):
    (tmp_path / "key").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nnonsense\n")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "c").write_text(f"HostKey {tmp_path}/key\n")
    result = run([suite.sshd, "-t", "-f", tmp_path / "c"])
    assert result.returncode == 1 and f'"{tmp_path}/key"'.encode() in result.stderr
    assert b"no hostkeys available" in result.stderr


@BOTH
def test_m152_only_the_private_half_of_a_host_key_is_needed(suite, serve, key, tmp_path):
    peer = serve(suite)
    config = peer.client_config(key)
    pathlib.Path(f"{peer.host_keys[0]}.pub").unlink()
    os.kill(peer.process.pid, signal.SIGHUP)
    wait_until(lambda: peer.log_text().count("Server listening") > (1 if suite is OPENSSH else 0), "the reload")
    wait_until(peer.answers, "sshd")
    assert run([OPENSSH.ssh, "-F", config, "127.0.0.1", "echo in"]).stdout == b"in\n"


@BOTH
@pytest.mark.parametrize("fault", ["writable", "foreign", "missing"])
def test_m154_the_empty_folder_must_be_roots(suite, fault, tmp_path):
    host = make_key(tmp_path, "host")
    (tmp_path / "c").write_text(f"ListenAddress 127.0.0.1\nPort {free_port()}\nHostKey {host}\nPidFile none\n")
    # OpenSSH's as Debian builds it, and ours where there is no /var/empty.
    place = "/var/empty" if suite is UNDER_TEST and pathlib.Path("/var/empty").exists() else "/run/sshd"
    run_folder = tmp_path / "run"
    (run_folder / "sshd").mkdir(parents=True, mode=0o755)
    if fault == "writable":
        (run_folder / "sshd").chmod(0o777)
    elif fault == "foreign":
        os.chown(run_folder / "sshd", 65534, 65534)
    else:
        (run_folder / "sshd").rmdir()
    if place == "/var/empty" and fault == "missing":
        pytest.skip("/var/empty is there")
    source = run_folder / "sshd" if place == "/var/empty" else run_folder
    target = place if place == "/var/empty" else "/run"
    result = run(["unshare", "--mount", "sh", "-c", f"mount --bind {source} {target} && exec {suite.sshd} -t -f {tmp_path}/c"])
    assert result.returncode == 255
    expected = {"missing": f"Missing privilege separation directory: {place}"}.get(
        fault, f"{place} must be owned by root and not group or world-writable.")
    assert expected in result.stderr.decode()
