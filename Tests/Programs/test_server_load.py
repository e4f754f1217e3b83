# SPDX-License-Identifier: Apache-2.0
"""Held load: logins while things change, and clients that say nothing more.

Few of each by default; HAWSER_LOAD=full takes the numbers that are promised (docs/held-load.md), and with
-s says what was measured.
"""
import os
import pathlib
import resource
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest
from conftest import OPENSSH, UNDER_TEST, Server, make_key, run, wait_until

FULL = os.environ.get("HAWSER_LOAD") == "full"


def count(few, full):
    return full if FULL else few


def logins(peer, key, total, parallel, until=None):
    """So many logins, so many at once; what failed, and the seconds each took."""
    config = peer.client_config(key)
    failures, seconds, left = [], [], list(range(total))

    def client():
        while True:
            try:
                left.pop()
            except IndexError:
                return
            begin = time.monotonic()
            result = run([OPENSSH.ssh, "-F", config, "127.0.0.1", "echo in"], timeout=120)
            seconds.append(time.monotonic() - begin)
            if result.returncode != 0 or result.stdout != b"in\n":
                failures.append((result.returncode, result.stderr))

    threads = [threading.Thread(target=client) for _ in range(parallel)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures, sorted(seconds)


def say(text):
    print("\nheld load:", text)


# Programs and configurations that change


def test_programs_overwritten_during_logins(tmp_path, me, key, request):
    """As `make install` does it: another file under the same name, the old one gone."""
    folder = pathlib.Path("/tmp") / f"hwo{os.getpid()}"
    folder.mkdir(mode=0o755)
    request.addfinalizer(lambda: shutil.rmtree(folder))
    program, files = folder / "sshd", folder / "sftp-server"
    shutil.copy(os.path.realpath(UNDER_TEST.sshd), program)
    server = pathlib.Path(UNDER_TEST.sshd).parent.parent / "libexec" / "sftp-server"
    shutil.copy(os.path.realpath(server), files)

    class Copied:
        prefix = UNDER_TEST.prefix
        sshd = str(program)

    peer = Server(
        UNDER_TEST, tmp_path / "server", me, extra=["MaxStartups 500", f"Subsystem sftp {files}"]
    )
    peer.suite = Copied
    peer.allow(key)
    peer.start()
    replaced = 0
    stop = threading.Event()

    def overwrite():
        nonlocal replaced
        while not stop.is_set():
            for path in (program, files):
                shutil.copy(path, f"{path}.new")
                os.rename(f"{path}.new", path)
            replaced += 1
            stop.wait(0.05)

    thread = threading.Thread(target=overwrite)
    thread.start()
    try:
        failures, _ = logins(peer, key, count(24, 200), 4)
        copy = run(
            ["/usr/bin/sftp", "-F", peer.client_config(key), "-S", OPENSSH.ssh, "-b", "-",
             "127.0.0.1"], input=b"pwd\n",
        )
        stop.set()
        thread.join()
        assert not failures, failures
        assert copy.returncode == 0, copy.stderr
        assert replaced > 3
        # And with no file of that name at all.
        program.unlink()
        assert not logins(peer, key, 3, 1)[0]
        say(f"{count(24, 200)} logins while the programs were replaced {replaced} times: none failed")
    finally:
        stop.set()
        peer.suite = UNDER_TEST
        peer.stop()


def test_reloads_during_logins(serve, key):
    peer = serve(UNDER_TEST, "MaxStartups 500")
    stop = threading.Event()
    reloads = 0

    def reload():
        nonlocal reloads
        while not stop.is_set() and reloads < 20:
            os.kill(peer.process.pid, signal.SIGHUP)
            reloads += 1
            stop.wait(count(0.1, 0.5))

    thread = threading.Thread(target=reload)
    thread.start()
    failures, _ = logins(peer, key, count(24, 400), 4)
    stop.set()
    thread.join()
    assert not failures, failures
    say(f"{count(24, 400)} logins during {reloads} reloads: none failed")


def test_many_logins_one_after_the_other_and_at_once(serve, key):
    peer = serve(UNDER_TEST, "MaxStartups 500")
    for total, parallel in ((count(20, 2000), 1), (count(30, 200), count(30, 200))):
        failures, seconds = logins(peer, key, total, parallel)
        assert not failures, failures
        say(
            f"{total} logins, {parallel} at once: none failed; "
            f"median {seconds[total // 2] * 1000:.0f} ms, longest {seconds[-1] * 1000:.0f} ms"
        )


def pss(pids):
    total = 0
    for pid in pids:
        try:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += int(text.split("Pss:")[1].split()[0])
    return total


def test_many_connections_open_at_once(serve, key):
    """None is refused or lost, and what one of them needs does not grow with their number."""
    total = count(30, 1000)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    peer = serve(UNDER_TEST, "MaxStartups 2000")
    config = peer.client_config(key)

    def ours():
        found = subprocess.run(
            ["pgrep", "-s", str(peer.process.pid)], capture_output=True, text=True
        ).stdout.split()
        return [pid for pid in found if program(pid).startswith("sshd")]

    def program(pid):
        try:
            return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
        except OSError:
            return ""  # it has ended

    before = pss(ours())
    clients = []
    try:
        for index in range(total):
            clients.append(subprocess.Popen(
                [OPENSSH.ssh, "-F", config, "127.0.0.1", "echo in; exec sleep 600"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
            ))
            if index % 10 == 9:
                for client in clients[-10:]:
                    assert client.stdout.readline() == b"in\n", client.stderr.read()
        for client in clients:
            assert client.poll() is None
        time.sleep(1)
        each = (pss(ours()) - before) / total
        say(f"{total} connections open at once: {each:.0f} KiB each")
        # Programs with everything in them need less (docs/held-load.md); three processes would not.
        assert each < 1800
    finally:
        for client in clients:
            client.kill()
        for client in clients:
            client.communicate()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# Mute clients


def packet(payload):
    padding = 8 - (5 + len(payload)) % 8
    padding += 8 if padding < 4 else 0
    return struct.pack(">IB", 1 + len(payload) + padding, padding) + payload + bytes(padding)


def names(text):
    return struct.pack(">I", len(text)) + text


def offer(method):
    lists = [
        method, b"ssh-ed25519", b"aes128-ctr", b"aes128-ctr", b"hmac-sha2-256", b"hmac-sha2-256",
        b"none", b"none", b"", b"",
    ]
    return packet(b"\x14" + bytes(16) + b"".join(map(names, lists)) + bytes(5))


VERSION = b"SSH-2.0-mute\r\n"
X25519 = b"curve25519-sha256"
STAGES = {
    "nothing": b"",
    "half a version": VERSION[:7],
    "version": VERSION,
    "half a packet": VERSION + b"\0\0\1",
    "KEXINIT": VERSION + offer(X25519),
    "half a key exchange message": VERSION + offer(X25519) + packet(b"\x1e" + names(bytes(32)))[:9],
    # 9 is the curve's base point: a public key like any other.
    "key exchange without NEWKEYS":
        VERSION + offer(X25519) + packet(b"\x1e" + names(b"\x09" + bytes(31))),
    "group asked for": VERSION + offer(b"diffie-hellman-group-exchange-sha256")
        + packet(b"\x22" + struct.pack(">III", 2048, 3072, 8192)),
}


def test_mute_clients_are_dropped_in_time_at_every_stage(serve, account):
    paramiko = pytest.importorskip("paramiko")
    grace = 3
    peer = serve(
        UNDER_TEST, f"LoginGraceTime {grace}", "MaxStartups 100", "UsePAM yes",
        "KexAlgorithms +diffie-hellman-group-exchange-sha256",
    )
    held, lasted = {}, {}

    def watch(stage, connection, begin):
        try:
            while connection.recv(4096):
                pass
        except OSError:
            pass
        lasted[stage] = time.monotonic() - begin

    def plain(stage, sent):
        begin = time.monotonic()
        connection = socket.create_connection(("127.0.0.1", peer.port), timeout=30)
        held[stage] = connection
        connection.sendall(sent)
        watch(stage, connection, begin)

    def dripping(stage):
        begin = time.monotonic()
        connection = socket.create_connection(("127.0.0.1", peer.port), timeout=30)
        held[stage] = connection
        try:
            for index in range(200):
                connection.sendall(VERSION[:-2][index:index + 1] or b"x")
                time.sleep(0.1)
        except OSError:
            pass
        lasted[stage] = time.monotonic() - begin

    def after_keys(stage, further):
        begin = time.monotonic()
        connection = socket.create_connection(("127.0.0.1", peer.port), timeout=30)
        transport = paramiko.Transport(connection)
        held[stage] = transport
        transport.start_client(timeout=10)
        further(transport)
        while transport.is_active() and time.monotonic() - begin < 30:
            time.sleep(0.02)
        lasted[stage] = time.monotonic() - begin

    def service(transport):
        message = paramiko.Message()
        message.add_byte(b"\x05")
        message.add_string("ssh-userauth")
        transport._send_message(message)

    def none(transport):
        with pytest.raises(paramiko.BadAuthenticationType):
            transport.auth_none(account[0])

    def question(transport):
        def mute(title, instructions, prompts):
            time.sleep(30)
            return []

        with pytest.raises((paramiko.SSHException, EOFError)):
            transport.auth_interactive(account[0], mute)

    works = [(plain, stage, sent) for stage, sent in STAGES.items()] + [
        (dripping, "a byte at a time"),
        (after_keys, "NEWKEYS", lambda transport: None),
        (after_keys, "service request", service),
        (after_keys, "a refused method", none),
    ]
    threads = [threading.Thread(target=work, args=rest, daemon=True) for work, *rest in works]
    # The answer to a question is given by the client's own thread, which must not be waited for.
    asked = threading.Thread(
        target=after_keys, args=("a question", question), daemon=True
    )
    begin = time.monotonic()
    for thread in threads + [asked]:
        thread.start()
    for thread in threads:
        thread.join(20)
    expected = {stage for _, stage, *_ in works}
    assert lasted.keys() >= expected, (expected - lasted.keys(), peer.log_text())
    wait_until(
        lambda: peer.log_text().count("Timeout before authentication for 127.0.0.1")
        >= len(works) + 1, f"every client is dropped: {lasted} {peer.log_text()}",
    )
    over = time.monotonic() - begin
    for connection in held.values():
        connection.close()
    for stage in expected:
        assert grace - 0.5 < lasted[stage] < grace + 5, (stage, lasted[stage])
    say(
        f"LoginGraceTime {grace}: {len(works) + 1} mute clients dropped within {over:.1f} s, each "
        f"in its stage: " + ", ".join(f"{s} {lasted[s]:.1f}" for s in sorted(expected))
    )
    wait_until(
        lambda: subprocess.run(["pgrep", "-P", str(peer.process.pid)]).returncode == 1,
        "no process of theirs is left",
    )


@pytest.mark.parametrize("lines,says", [
    (["ClientAliveInterval 1", "ClientAliveCountMax 2"], "Timeout, client not responding"),
    (["UnusedConnectionTimeout 2s"], "terminating inactive connection"),
])
def test_mute_after_the_login(lines, says, serve, key):
    peer = serve(UNDER_TEST, *lines)
    client = subprocess.Popen(
        [OPENSSH.ssh, "-F", peer.client_config(key), "-N", "127.0.0.1"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )
    try:
        wait_until(lambda: "Accepted publickey" in peer.log_text(), "the login")
        time.sleep(0.3)
        client.send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        wait_until(lambda: says in peer.log_text(), says)
        say(f"{' '.join(lines)}: a mute client was dropped after {time.monotonic() - begin:.1f} s")
        assert 0.5 < time.monotonic() - begin < 8
    finally:
        client.send_signal(signal.SIGCONT)
        client.kill()
        client.communicate()
