# SPDX-License-Identifier: Apache-2.0
"""Copies that are disturbed: full disks, files that change, lost rights, broken paths, signals.

What must hold: the exit status and a message say so, a name that was promised whole (`--atomic`) never
holds a part, nothing of ours stays behind, and a resumed copy ends with the same bytes.
"""
import hashlib
import os
import random
import shutil
import signal
import subprocess
import threading
import time

import pytest
from conftest import OURS, OURS_ONLY, SERVERS, on_terminal, run, same, wait_until

pytestmark = OURS_ONLY
TOOLS = ["scp", "sftp"]


@pytest.fixture(params=SERVERS)
def server(request):
    return SERVERS[request.param]


def command(tool, direct, direction, options=(), file="f"):
    """The words of a copy of `file` between the current folder and `there`, and sftp's input."""
    program = str(getattr(OURS, tool))
    server, there = direct
    if tool == "scp":
        ends = [f"h:{there}/{file}", file] if direction == "get" else [file, f"h:{there}/{file}"]
        return [program, *options, "-D", server, *ends], b""
    ends = f"{there}/{file} {file}" if direction == "get" else f"{file} {there}/{file}"
    return [program, *options, "-D", server, "-b", "-"], f"{direction} {ends}\n".encode()


def start(words, typed, here, **more):
    process = subprocess.Popen(
        words, cwd=here, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more
    )
    process.stdin.write(typed)
    process.stdin.close()
    process.stdin = None
    return process


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def part(folder):
    """The file that is being written under another name."""
    return next((path for path in folder.iterdir() if path.name.endswith(".part")), None)


# Signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda s: s.name)
@pytest.mark.parametrize("direction", ["get", "put"])
@pytest.mark.parametrize("tool", TOOLS)
def test_a_signal_leaves_no_part_behind(tool, direction, number, server, here, there):
    source, target = (there, here) if direction == "get" else (here, there)
    (source / "f").write_bytes(os.urandom(8_000_000))
    (target / "f").write_text("old")
    words, typed = command(tool, (server, there), direction, ["--atomic", "-l", "8000"])
    process = start(words, typed, here, start_new_session=True)
    wait_until(lambda: part(target) and part(target).stat().st_size > 0, "a part of the file")
    # From a terminal, the whole group gets it.
    os.killpg(process.pid, number) if number == signal.SIGINT and "ssh" in words else process.send_signal(number)
    process.communicate(timeout=15)
    assert process.returncode == -number
    assert [path.name for path in target.iterdir()] == ["f"]
    assert (target / "f").read_text() == "old"


def test_an_interrupt_from_the_terminal_reaches_ssh_too(serve, key, here, there):
    peer = serve(OURS, "Subsystem sftp internal-sftp")
    (here / "f").write_bytes(os.urandom(8_000_000))
    process = start(
        [OURS.scp, "-F", peer.client_config(key), "--atomic", "-l", "8000", "f", f"127.0.0.1:{there}/f"],
        b"",
        here,
        start_new_session=True,
    )
    wait_until(lambda: part(there) and part(there).stat().st_size > 0, "a part of the file")
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=15)
    assert process.returncode == -signal.SIGINT
    assert list(there.iterdir()) == []


@pytest.mark.parametrize("tool", ["scp", "sftp"])
def test_an_interrupt_while_ssh_still_connects_ends_both(tool, here, tmp_path):
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    ssh.chmod(0o755)
    (here / "f").write_text("x")
    words = [OURS.scp, "--atomic", "-S", ssh, "f", "h:f"] if tool == "scp" else [
        OURS.sftp, "--atomic", "-b", "-", "-S", ssh, "h"]
    process = start(words, b"put f\n", here)
    pid = int(wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "ssh"))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGINT
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "ssh's end")


def test_an_interrupt_ends_a_connection_that_hangs(here, tmp_path):
    """At the keyboard, before the first prompt."""
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\necho trying >&2\nexec sleep 60\n")
    ssh.chmod(0o755)
    began = time.monotonic()
    on_terminal([OURS.sftp, "-S", str(ssh), "h"], [(b"trying", b"\x03")], here)
    assert time.monotonic() - began < 20
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "ssh's end")


def test_an_interrupt_at_any_instant_of_the_start_is_heard(here, tmp_path):
    """Also in the moment in which ssh is started, which must not hear it itself."""
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\nexec sleep 20\n")
    ssh.chmod(0o755)
    (here / "f").write_text("x")
    for step in range(60):
        process = start([OURS.scp, "--atomic", "-S", ssh, "f", "h:f"], b"", here)
        time.sleep(step * 0.0005)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
        assert process.returncode == -signal.SIGINT, step


# Disks


@pytest.fixture
def small(tmp_path):
    """A file system of 1 MiB: run(words…) runs in a mount namespace that has it at `place`."""
    place = tmp_path / "small"
    place.mkdir()
    keep = tmp_path / "kept"
    keep.mkdir()

    def inside(words, typed, here):
        script = 'mount -t tmpfs -o size=1m none "$1" || exit 77; shift; "$@"; s=$?; '
        script += f"ls -A {place} > {keep}/names; exit $s"
        result = run(
            ["unshare", "--mount", "sh", "-c", script, "sh", place, *words], input=typed, cwd=here
        )
        if result.returncode == 77 or b"unshare failed" in result.stderr:
            pytest.skip("no mount namespace here")
        return result, (keep / "names").read_text().split()

    inside.place = place
    return inside


@pytest.mark.parametrize("atomic", [False, True], ids=["plain", "atomic"])
@pytest.mark.parametrize("direction", ["get", "put"])
@pytest.mark.parametrize("tool", TOOLS)
def test_a_full_disk(tool, direction, atomic, server, here, there, small):
    options = ["--atomic"] if atomic else []
    source, target = (there, small.place) if direction == "get" else (here, small.place)
    (source / "f").write_bytes(os.urandom(3_000_000))
    words, typed = command(tool, (server, there if direction == "get" else small.place), direction, options)
    result, names = small(words if direction == "put" else ["env", "-C", str(small.place), *words], typed, here)
    assert result.returncode == 1, result.stderr
    if direction == "get":
        assert b"No space left on device" in result.stderr
    else:
        # SFTP 3 has no number for it; OpenSSH's server says no more than "Failure".
        assert b"write remote" in result.stderr or b"close remote" in result.stderr
    assert names == ([] if atomic else ["f"])
    del target


@pytest.mark.parametrize("direction", ["get", "put"])
def test_a_full_disk_in_the_old_protocol(direction, here, there, small, tmp_path):
    """Each file that found no room is told, once, though many are under way."""
    program = tmp_path / "ssh"
    program.write_text(
        f'#!/bin/sh\nfor word; do :; done\nPATH={OURS.prefix}/bin:$PATH exec sh -c "$word"\n'
    )
    program.chmod(0o755)
    tree = (there if direction == "get" else here) / "tree"
    tree.mkdir()
    for number in range(300):
        (tree / f"f{number}").write_bytes(os.urandom(4096))
    ends = [f"h:{tree}", small.place] if direction == "get" else [tree, f"h:{small.place}"]
    result, _ = small([OURS.scp, "-O", "-r", "-S", program, *ends], b"", here)
    assert result.returncode == 1, result.stderr
    lines = result.stderr.splitlines()
    assert all(b"No space left on device" in line for line in lines), lines
    assert 0 < len(lines) == len(set(lines)) < 300


@pytest.fixture
def quota(tmp_path):
    """The environment in which no file may grow beyond 300000 bytes: few kernels have quotas."""
    source, library = tmp_path / "quota.c", tmp_path / "quota.so"
    source.write_text(
        """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        #include <unistd.h>
        ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
            ssize_t (*next)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
            if (offset + (off_t)count > 300000) { errno = EDQUOT; return -1; }
            return next(fd, bytes, count, offset);
        }
        ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t offset) {
            return pwrite(fd, bytes, count, offset);
        }
        """
    )
    compiler = shutil.which("cc") or shutil.which("clang")
    if not compiler:
        pytest.skip("no C compiler")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return dict(os.environ, LD_PRELOAD=str(library))


@pytest.mark.parametrize("direction", ["get", "put"])
@pytest.mark.parametrize("tool", TOOLS)
def test_a_quota(tool, direction, here, there, quota):
    source, target = (there, here) if direction == "get" else (here, there)
    (source / "f").write_bytes(os.urandom(900_000))
    words, typed = command(tool, (SERVERS["ours"], there), direction, ["--atomic"])
    result = run(words, input=typed, cwd=here, env=quota)
    assert result.returncode == 1, result.stderr
    assert (b"Disk quota exceeded" if direction == "get" else b"write remote") in result.stderr
    assert list(target.iterdir()) == []


# Files that change


@pytest.mark.parametrize("direction", ["get", "put"])
@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("change", ["grow", "shrink", "replace"])
def test_a_file_that_changes_under_the_copy(tool, direction, change, server, here, there):
    source, target = (there, here) if direction == "get" else (here, there)
    first = os.urandom(2_000_000)
    (source / "f").write_bytes(first)
    words, typed = command(tool, (server, there), direction, ["-l", "8000"])
    process = start(words, typed, here)
    wait_until(lambda: (target / "f").exists() and (target / "f").stat().st_size > 300_000, "a beginning")
    if change == "grow":
        with open(source / "f", "ab") as file:
            file.write(os.urandom(500_000))
    elif change == "shrink":
        os.truncate(source / "f", 1_000_000)
    else:
        (source / "new").write_bytes(os.urandom(2_000_000))
        os.rename(source / "new", source / "f")
    _, errors = process.communicate(timeout=20)
    got = (target / "f").read_bytes()
    if change == "replace":
        # The file that was opened is the one that is copied.
        assert process.returncode == 0, errors
        assert got == first
    elif change == "grow":
        # No hang; at least what was there, and nothing but what is there.
        assert process.returncode == 0, errors
        assert len(got) >= 2_000_000
        assert (source / "f").read_bytes().startswith(got)
    else:
        # What is left of it, or a failure: never bytes that the source has not had.
        assert first.startswith(got[:1_000_000])
        assert len(got) <= 2_000_000
        if process.returncode == 0:
            assert first.startswith(got)


@pytest.mark.parametrize("direction", ["get", "put"])
def test_verify_sees_a_change(direction, here, there):
    source, target = (there, here) if direction == "get" else (here, there)
    (source / "f").write_bytes(os.urandom(2_000_000))
    words, typed = command("scp", (SERVERS["ours"], there), direction, ["-l", "8000", "--verify"])
    process = start(words, typed, here)
    wait_until(lambda: (target / "f").exists() and (target / "f").stat().st_size > 600_000, "a beginning")
    with open(source / "f", "r+b") as file:
        file.write(b"changed after it was read")
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert b"differs at byte 0" in errors


# Trees


def slow_tree(folder, files=40):
    folder.mkdir()
    for index in range(files):
        place = folder / f"d{index % 4}"
        place.mkdir(exist_ok=True)
        (place / f"f{index}").write_bytes(os.urandom(60_000))
    return folder


def copy_tree(tool, direction, server, here, there, options=()):
    words, typed = command(tool, (server, there), direction, [*options, "-r", "-l", "8000"], "tree")
    return words, typed


@pytest.mark.parametrize("direction", ["get", "put"])
@pytest.mark.parametrize("tool", TOOLS)
def test_a_source_that_is_removed_under_the_copy(tool, direction, server, here, there):
    source, target = (there, here) if direction == "get" else (here, there)
    slow_tree(source / "tree")
    words, typed = copy_tree(tool, direction, server, here, there)
    process = start(words, typed, here)
    wait_until(lambda: (target / "tree").exists() and any((target / "tree").rglob("f*")), "a first file")
    shutil.rmtree(source / "tree")
    _, errors = process.communicate(timeout=20)
    # Everything may have been open already; otherwise it is said and told by the status.
    if process.returncode:
        assert process.returncode == 1
        assert b"No such file or directory" in errors
    else:
        assert sum(1 for path in (target / "tree").rglob("f*") if path.is_file()) > 0


@pytest.mark.parametrize("direction", ["get", "put"])
@pytest.mark.parametrize("tool", TOOLS)
def test_rights_that_are_lost_under_the_copy(tool, direction, here, there, account):
    name, _ = account
    source, target = (there, here) if direction == "get" else (here, there)
    slow_tree(source / "tree", files=200)
    for folder in (here, there):
        subprocess.run(["chown", "-R", name, str(folder)], check=True)
    for parent in [here.parent, *here.parent.parents]:
        if parent != parent.parent:
            parent.chmod(parent.stat().st_mode | 0o011)
    words, typed = copy_tree(tool, direction, SERVERS["ours"], here, there)
    process = start(["setpriv", f"--reuid={name}", "--clear-groups", *words], typed, here)
    wait_until(lambda: (target / "tree").exists() and any((target / "tree").rglob("f*")), "a first file")
    for folder in (source / "tree").iterdir():
        folder.chmod(0)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1, errors
    assert b"Permission denied" in errors
    for folder in (source / "tree").iterdir():
        folder.chmod(0o755)
    # What was said to be copied is whole.
    for path in (target / "tree").rglob("f*"):
        if path.is_file() and path.stat().st_size:
            other = source / "tree" / path.relative_to(target / "tree")
            assert other.read_bytes().startswith(path.read_bytes())


# Paths that break


@pytest.mark.parametrize("direction", ["get", "put"])
@pytest.mark.parametrize("fault", ["cut", "freeze"])
def test_a_broken_path_and_then_the_rest(serve, key, relay, here, there, fault, direction):
    peer = serve(OURS, "Subsystem sftp internal-sftp")
    path = relay(peer.port)
    path("rate 3000000")
    config = peer.client_config(
        key,
        "broken",
        Port=path.port,
        HostKeyAlias=f"[127.0.0.1]:{peer.port}",
        ServerAliveInterval=1,
        ServerAliveCountMax=2,
    )
    source, target = (there, here) if direction == "get" else (here, there)
    (source / "f").write_bytes(os.urandom(4_000_000))
    ends = [f"127.0.0.1:{there}/f", "f"] if direction == "get" else ["f", f"127.0.0.1:{there}/f"]
    process = start([OURS.scp, "-F", config, *ends], b"", here)
    wait_until(lambda: (target / "f").exists() and (target / "f").stat().st_size > 500_000, "a beginning")
    path(fault)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 255, errors
    assert b"Connection closed" in errors
    if fault == "freeze":
        assert b"Timeout, server" in errors
        time.sleep(0.5)
    assert 0 < (target / "f").stat().st_size < 4_000_000
    result = run([OURS.scp, "-F", peer.client_config(key), "--resume", "--verify", *ends], cwd=here)
    assert result.returncode == 0, result.stderr
    assert b"starting over" not in result.stderr
    assert digest(here / "f") == digest(there / "f")


@pytest.mark.parametrize("seed", range(20))
def test_a_path_that_is_cut_at_a_random_point(serve, key, relay, here, there, seed):
    """In the login, at the start, in the middle or near the end of the file."""
    chance = random.Random(seed)
    direction, atomic = ("get", "put")[seed % 2], seed % 4 < 2
    peer = serve(OURS, "Subsystem sftp internal-sftp")
    path = relay(peer.port)
    path("rate 8000000")
    config = peer.client_config(
        key, "cut", Port=path.port, HostKeyAlias=f"[127.0.0.1]:{peer.port}"
    )
    source, target = (there, here) if direction == "get" else (here, there)
    (source / "f").write_bytes(os.urandom(4_000_000))
    ends = [f"127.0.0.1:{there}/f", "f"] if direction == "get" else ["f", f"127.0.0.1:{there}/f"]
    options = ["--atomic"] if atomic else []
    process = start([OURS.scp, *options, "-F", config, *ends], b"", here)
    time.sleep(chance.random() * 0.8)
    path("cut")
    _, errors = process.communicate(timeout=30)
    if process.returncode:
        assert process.returncode == 255 and b"Connection closed" in errors, errors
        assert not (atomic and (target / "f").exists())
    else:
        assert digest(here / "f") == digest(there / "f")
    result = run([OURS.scp, "-F", peer.client_config(key), "--resume", "--verify", *ends], cwd=here)
    assert result.returncode == 0, result.stderr
    assert b"starting over" not in result.stderr
    assert digest(here / "f") == digest(there / "f")
    if direction == "get":
        assert [place.name for place in here.iterdir()] == ["f"]


def test_a_path_that_stands_still_for_a_while(serve, key, relay, here, there):
    peer = serve(OURS, "Subsystem sftp internal-sftp")
    path = relay(peer.port)
    path("rate 8000000")
    config = peer.client_config(key, "slow", Port=path.port, HostKeyAlias=f"[127.0.0.1]:{peer.port}")
    slow_tree(here / "tree", files=60)
    process = start([OURS.scp, "-r", "-F", config, "tree", f"127.0.0.1:{there}/tree"], b"", here)
    wait_until(lambda: (there / "tree").exists(), "a beginning")
    path("freeze")
    time.sleep(1.5)
    path("thaw")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert same(here / "tree", there / "tree")


def test_the_meter_says_that_the_path_stands_still(serve, key, relay, here, there):
    peer = serve(OURS, "Subsystem sftp internal-sftp")
    path = relay(peer.port)
    path("rate 1000000")
    config = peer.client_config(key, "slow", Port=path.port, HostKeyAlias=f"[127.0.0.1]:{peer.port}")
    (there / "f").write_bytes(os.urandom(4_000_000))

    def stand_still():
        wait_until(lambda: (here / "f").exists() and (here / "f").stat().st_size, "a beginning")
        path("freeze")
        time.sleep(8)
        path("thaw")

    faults = threading.Thread(target=stand_still)
    faults.start()
    words = [OURS.scp, "-F", str(config), f"127.0.0.1:{there}/f", "f"]
    output, _ = on_terminal(words, [(b"- stalled -", b"")], here)
    faults.join()
    assert b"100%" in output
    assert (here / "f").read_bytes() == (there / "f").read_bytes()
