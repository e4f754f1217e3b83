# SPDX-License-Identifier: Apache-2.0
"""What the process that speaks with a stranger has and may do: nothing that is worth stealing."""
import base64
import os
import pathlib
import pwd
import re
import shutil
import socket
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from conftest import OPENSSH, UNDER_TEST, run, wait_until

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="privileges are root's to give up")


def children(pid):
    result = []
    for path in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            if re.search(rf"^PPid:\s+{pid}$", path.read_text(), re.M):
                result.append(int(path.parent.name))
        except OSError:
            pass
    return result


@pytest.fixture
def stranger(serve):
    """A connection that has said who it is and nothing more: (socket, monitor, network process)."""
    peer = serve(UNDER_TEST)
    # The probe that found the server ready has processes of its own.
    wait_until(
        lambda: "Connection closed by" in peer.log_text() and not children(peer.process.pid),
        "the probe's end",
    )
    connection = socket.create_connection(("127.0.0.1", peer.port), timeout=10)
    connection.sendall(b"SSH-2.0-stranger\r\n")
    assert connection.recv(4096).startswith(b"SSH-2.0-")

    def find():
        for monitor in children(peer.process.pid):
            for process in children(monitor):
                try:
                    title = pathlib.Path(f"/proc/{process}/cmdline").read_bytes()
                    status = pathlib.Path(f"/proc/{process}/status").read_text()
                except OSError:
                    continue
                if title.startswith(b"sshd: [net]") and re.search(r"Seccomp:\s+2", status):
                    return monitor, process
        return None

    monitor, process = wait_until(find, "the network process")
    yield peer, connection, monitor, process
    connection.close()


def status(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.split() for name, value in (line.split(":", 1) for line in lines)}


def test_it_has_no_privilege(stranger):
    _, _, _, process = stranger
    facts = status(process)
    account = pwd.getpwnam("sshd")
    assert facts["Uid"] == [str(account.pw_uid)] * 4
    assert facts["Gid"] == [str(account.pw_gid)] * 4
    assert facts["Groups"] == [str(account.pw_gid)]
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(facts[name][0], 16) == 0
    assert facts["NoNewPrivs"] == ["1"]
    assert facts["Seccomp"] == ["2"]  # a filter is in force


def test_it_sees_no_file(stranger):
    _, _, _, process = stranger
    root = pathlib.Path(f"/proc/{process}/root")
    assert list(root.iterdir()) == []
    entry = root.stat()
    assert entry.st_uid == 0 and entry.st_mode & 0o022 == 0
    targets = {
        os.readlink(path) for path in pathlib.Path(f"/proc/{process}/fd").iterdir()
    }
    assert all(
        target.startswith("socket:") or target == "/dev/null" for target in targets
    ), targets
    limits = pathlib.Path(f"/proc/{process}/limits").read_text()
    assert re.search(r"Max processes\s+0\s+0", limits)
    assert re.search(r"Max core file size\s+0\s+0", limits)


def memory(pid):
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, permissions = line.split()[:2]
        if "r" not in permissions or "[v" in line:
            continue
        start, end = (int(part, 16) for part in span.split("-"))
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
            file.seek(start)
            rest = end - start
            while rest > 0:
                try:
                    chunk = file.read(min(rest, 1 << 22))
                except OSError:
                    break
                if not chunk:
                    break
                yield chunk
                rest -= len(chunk)


def test_it_never_holds_a_host_key(stranger):
    peer, _, monitor, process = stranger
    text = peer.host_keys[0].read_bytes()
    key = serialization.load_ssh_private_key(text, password=None)
    seed = key.private_bytes(
        serialization.Encoding.Raw,
        serialization.PrivateFormat.Raw,
        serialization.NoEncryption(),
    )
    line = text.splitlines()[3]
    assert len(base64.b64decode(line + b"==")) > 20
    # Not in the memory of any process that lives on: children read it, and sign with it. Their
    # copies are only in a file without a name, which the one that speaks with strangers has not.
    for owner in (peer.process.pid, monitor, process):
        for chunk in memory(owner):
            assert seed not in chunk and line not in chunk, owner

    def files(pid):
        return [os.readlink(path) for path in pathlib.Path(f"/proc/{pid}/fd").iterdir()]

    assert any("memfd:" in name for name in files(monitor))
    assert not any("memfd:" in name for name in files(process))


def call(process, expression):
    """Makes the process call a function, as whoever had taken it over could."""
    if not shutil.which("gdb"):
        pytest.skip("no gdb")
    return subprocess.run(
        ["gdb", "-nx", "-batch", "-p", str(process), "-ex", "set confirm off",
         "-ex", f"print {expression}"],
        capture_output=True, text=True, timeout=60,
    )


@pytest.mark.parametrize("expression", [
    '(int)open("/etc/passwd", 0)',
    "(int)socket(2, 1, 0)",
    "(int)fork()",
    "(int)kill(1, 0)",
    "(int)setuid(0)",
    "(long)ptrace(16, 1, 0, 0)",
])
def test_a_forbidden_call_is_its_end(expression, stranger):
    peer, connection, monitor, process = stranger
    result = call(process, expression)
    if "ptrace: Operation not permitted" in result.stderr:
        pytest.skip("no debugger may attach here")
    assert "SIGSYS" in result.stdout + result.stderr, result
    wait_until(lambda: not pathlib.Path(f"/proc/{process}").exists(), "its end")
    wait_until(lambda: not pathlib.Path(f"/proc/{monitor}").exists(), "its monitor's end")


FORGED = {
    # uint32 length, then the kind and its fields (MonitorRequest).
    "handOver": b"\0\0\0\5\6\0\0\0\0",
    "openTerminal": b"\0\0\0\11\7\0\0\0\0\0\0\0\0",
    "releaseTerminal": b"\0\0\0\5\10\0\0\0\0",
    "authenticate": b"\0\0\0\2\5\1",
}


@pytest.mark.parametrize("request_name", FORGED)
def test_the_monitor_refuses_what_is_not_due(request_name, stranger):
    peer, connection, monitor, process = stranger
    message = FORGED[request_name]
    octal = "".join(f"\\{byte:03o}" for byte in message)
    result = call(process, f'(long)write(3, "{octal}", {len(message)})')
    if "Operation not permitted" in result.stderr:
        pytest.skip("no debugger may attach here")
    assert f"= {len(message)}" in result.stdout, result
    wait_until(lambda: not pathlib.Path(f"/proc/{monitor}").exists(), "the monitor's end")
    assert f"monitor: request {request_name} in phase keyExchange" in peer.log_text()


def test_nonsense_ends_the_monitor(stranger):
    peer, _, monitor, process = stranger
    result = call(process, '(long)write(3, "\\377\\377\\377\\377\\001", 5)')
    if "Operation not permitted" in result.stderr:
        pytest.skip("no debugger may attach here")
    wait_until(lambda: not pathlib.Path(f"/proc/{monitor}").exists(), "the monitor's end")


def test_the_users_process_is_the_users(serve, key, account, home):
    name, _ = account
    home.chmod(0o755)
    (home / "keys").write_text(pathlib.Path(f"{key}.pub").read_text())
    peer = serve(UNDER_TEST, f"AuthorizedKeysFile {home}/keys", user=name)
    entry = pwd.getpwnam(name)
    result = run(
        [OPENSSH.ssh, "-F", peer.client_config(key), "127.0.0.1",
         "cat /proc/$PPID/status; ls /proc/self/fd"],
    )
    text = result.stdout.decode()
    assert re.search(rf"^Uid:\s+{entry.pw_uid}\s+{entry.pw_uid}\s+{entry.pw_uid}", text, re.M)
    assert re.search(r"^CapEff:\s+0+$", text, re.M)
    # Nothing of the server's is left open in the user's program: 0, 1, 2 and the listing itself.
    assert text.split("\n")[-5:-1] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("usepam", ["no", "yes"])
def test_the_users_process_has_nothing_of_the_hosts(usepam, serve, key, account, home):
    """It is a copy of the monitor, or the program started anew: neither has keys or passwords."""
    name, _ = account
    home.chmod(0o755)
    (home / "keys").write_text(pathlib.Path(f"{key}.pub").read_text())
    peer = serve(UNDER_TEST, f"AuthorizedKeysFile {home}/keys", f"UsePAM {usepam}", user=name)
    session = subprocess.Popen(
        [OPENSSH.ssh, "-F", peer.client_config(key), "127.0.0.1", "echo $PPID; sleep 30"],
        stdout=subprocess.PIPE,
    )
    try:
        process = int(session.stdout.readline())
        files = [os.readlink(path) for path in pathlib.Path(f"/proc/{process}/fd").iterdir()]
        assert not any("memfd" in file or "shadow" in file for file in files), files
        # The client, the monitor, and what the loop waits with; no socket that listens.
        inodes = {file[8:-1] for file in files if file.startswith("socket:")}
        listening = {
            line.split()[9] for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()
            if line.split()[3] == "0A"
        }
        assert not inodes & listening
        key_line = peer.host_keys[0].read_bytes().splitlines()[3]
        hashes = [
            line.split(":")[1].encode() for line in
            pathlib.Path("/etc/shadow").read_text().splitlines() if len(line.split(":")[1]) > 20
        ]
        assert hashes
        for chunk in memory(process):
            assert key_line not in chunk
            assert not any(one in chunk for one in hashes)
    finally:
        session.kill()
        session.wait()
