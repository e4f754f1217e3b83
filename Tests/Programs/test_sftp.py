# SPDX-License-Identifier: Apache-2.0
"""sftp: its commands, trees, resuming, and servers that cannot be trusted."""
import os
import pathlib
import random
import resource
import signal
import subprocess
import time

import pytest
from conftest import FAKE, OPENSSH, OURS_ONLY, SERVERS, UNDER_TEST, on_terminal, run, same, tree

SFTP = UNDER_TEST.sftp


def batch(server, here, *commands, options=(), **more):
    return run(
        [SFTP, "-D", server, *options, "-b", "-"],
        input="".join(command + "\n" for command in commands).encode("utf-8", "surrogateescape"),
        cwd=here,
        **more,
    )


def test_trees_go_both_ways(server, here, there):
    tree(here / "tree")
    result = batch(server, here, f"put -r tree {there}/copy", f"get -r {there}/copy back")
    assert result.returncode == 0, result.stderr
    assert same(here / "tree", there / "copy")
    assert same(here / "tree", here / "back")


def test_times_and_modes_are_kept(server, here, there):
    (here / "dir").mkdir(mode=0o750)
    file = here / "dir" / "file"
    file.write_text("x")
    file.chmod(0o641)
    os.utime(file, (1_000_000, 2_000_000))
    os.utime(here / "dir", (3_000_000, 4_000_000))
    result = batch(server, here, f"put -rp dir {there}/dir", f"get -rp {there}/dir back")
    assert result.returncode == 0, result.stderr
    for folder in [there / "dir", here / "back"]:
        assert (folder / "file").stat().st_mode & 0o7777 == 0o641
        assert (folder / "file").stat().st_mtime == 2_000_000
        assert folder.stat().st_mtime == 4_000_000
        assert folder.stat().st_mode & 0o7777 == 0o750


def test_a_directory_that_cannot_be_written_is_still_filled(server, here, there):
    (here / "dir").mkdir()
    (here / "dir" / "file").write_text("x")
    (here / "dir").chmod(0o555)
    assert batch(server, here, f"put -r dir {there}/dir").returncode == 0
    assert (there / "dir" / "file").read_text() == "x"
    assert (there / "dir").stat().st_mode & 0o777 == 0o555


@pytest.mark.parametrize("block", ["7", "1000", "32768", "250000"])
@pytest.mark.parametrize("requests", ["1", "3", "64"])
def test_blocks_and_requests(server, here, there, block, requests):
    data = os.urandom(50_001)
    (here / "file").write_bytes(data)
    result = batch(
        server, here, f"put file {there}/f", f"get {there}/f back",
        options=["-B", block, "-R", requests],
    )
    assert result.returncode == 0, result.stderr
    assert (here / "back").read_bytes() == data


def test_sizes_that_are_not_known(here, there):
    # Files of the kernel's say that they are empty.
    result = batch(SERVERS["ours"], here, "get /proc/cpuinfo cpus")
    assert result.returncode == 0, result.stderr
    assert b"processor" in (here / "cpus").read_bytes()


def test_an_empty_file_and_one_of_whole_blocks(server, here, there):
    for size in [0, 261120, 522240]:
        (here / "file").write_bytes(b"x" * size)
        assert batch(server, here, f"put file {there}/f", f"get {there}/f back").returncode == 0
        assert (here / "back").stat().st_size == size


def test_a_longer_target_is_cut(server, here, there):
    (here / "long").write_bytes(b"x" * 600_000)
    (here / "short").write_bytes(b"y" * 5)
    result = batch(
        server, here, f"put long {there}/f", f"put short {there}/f", f"get {there}/f long"
    )
    assert result.returncode == 0
    assert (here / "long").read_bytes() == b"y" * 5


def test_rate_limit(here, there):
    (here / "file").write_bytes(os.urandom(250_000))
    start = time.monotonic()
    result = batch(SERVERS["ours"], here, f"put file {there}/f", options=["-l", "1000"])
    assert result.returncode == 0
    assert 1.2 < time.monotonic() - start < 6  # 2 Mbit at 1 Mbit/s


@OURS_ONLY
@pytest.mark.parametrize("direction", ["get", "put"])
def test_resume_goes_on_only_after_the_same_bytes(server, here, there, direction):
    data = os.urandom(3_000_000)
    source, target = (there / "f", here / "f") if direction == "get" else (here / "f", there / "f")
    source.write_bytes(data)
    command = f"get -a {there}/f f" if direction == "get" else f"put -a f {there}/f"
    # The same beginning.
    target.write_bytes(data[:1_700_001])
    result = batch(server, here, command)
    assert result.returncode == 0, result.stderr
    assert target.read_bytes() == data
    assert b"starting over" not in result.stderr
    # Nothing to do.
    before = target.stat().st_mtime_ns
    result = batch(server, here, command)
    assert b"was not modified" in result.stderr
    assert target.stat().st_mtime_ns == before
    # Another end.
    target.write_bytes(data[:1_500_000] + b"different")
    result = batch(server, here, command)
    assert result.returncode == 0, result.stderr
    assert b"starting over" in result.stderr
    assert target.read_bytes() == data


@OURS_ONLY
def test_resume_sees_a_difference_far_from_the_end(here, there):
    data = bytearray(os.urandom(5_000_000))
    (there / "f").write_bytes(data)
    data[100] ^= 1
    (here / "f").write_bytes(data[:4_000_000])
    result = batch(SERVERS["ours"], here, f"get -a {there}/f f")
    assert b"differs at byte 0: starting over" in result.stderr
    assert (here / "f").read_bytes() == (there / "f").read_bytes()


@OURS_ONLY
@pytest.mark.parametrize("direction", ["get", "put"])
def test_atomic(server, here, there, direction):
    source, target = (there, here) if direction == "get" else (here, there)
    (source / "f").write_bytes(os.urandom(300_000))
    (target / "f").write_text("old")
    command = f"get {there}/f f" if direction == "get" else f"put f {there}/f"
    inode = (target / "f").stat().st_ino
    result = batch(server, here, command, options=["--atomic", "--verify"])
    assert result.returncode == 0, result.stderr
    assert (target / "f").read_bytes() == (source / "f").read_bytes()
    assert (target / "f").stat().st_ino != inode
    assert [p.name for p in target.iterdir()] == ["f"]
    assert b"Verified" in result.stderr


@OURS_ONLY
def test_atomic_leaves_no_part_behind(here):
    (here / "good").write_text("old")
    result = batch(f"{FAKE} die 300000", here, "get good", options=["--atomic"])
    assert result.returncode == 255
    assert (here / "good").read_text() == "old"


@pytest.mark.parametrize("seed", range(20))
def test_a_server_that_dies_is_an_error(here, seed):
    after = random.Random(seed).randrange(1, 1_000_000)
    result = batch(f"{FAKE} die {after}", here, "get good", timeout=20)
    assert result.returncode == 255
    if UNDER_TEST is not OPENSSH:
        assert b"Connection closed" in result.stderr


@OURS_ONLY
def test_resume_after_a_cut_ends_with_the_same_bytes(here):
    batch(f"{FAKE} die 500000", here, "get good")
    assert (here / "good").exists()
    result = batch(f"{FAKE} no-extensions", here, "get -a good")
    assert result.returncode == 0, result.stderr
    assert (here / "good").read_bytes() == bytes(range(256)) * 4096


def test_names_that_lead_out_are_refused(here):
    (here / "inside").mkdir()
    result = batch(f"{FAKE} evil-names", here / "inside", "get -r tree")
    assert result.returncode != 0
    assert b"suspect path" in result.stderr
    assert [p.name for p in here.iterdir()] == ["inside"]
    assert {p.name for p in (here / "inside" / "tree").iterdir()} <= {"good"}
    assert not pathlib.Path("/tmp/hawser-absolute").exists()


def test_a_server_that_gives_little(here):
    result = batch(f"{FAKE} short-reads", here, "get good", "get -r tree")
    assert result.returncode == 0, result.stderr
    assert (here / "good").read_bytes() == bytes(range(256)) * 4096
    assert (here / "tree" / "good").read_bytes() == bytes(range(256)) * 4096


@pytest.mark.parametrize("mode", ["huge-packet", "wrong-id"])
def test_a_server_that_breaks_the_protocol(here, mode):
    result = batch(f"{FAKE} {mode}", here, "get good", timeout=20)
    assert result.returncode == 255
    assert not (here / "good").exists() or (here / "good").stat().st_size == 0


def test_names_do_not_steer_the_terminal(here):
    result = batch(f"{FAKE} long-names", here, "ls -1", "ls", "ls -l", "get -r tree")
    for output in [result.stdout, result.stderr]:
        assert b"\x1b" not in output
        assert b"\x07" not in output
    assert b"\\033]0;title\\007" in result.stdout


def test_a_full_disk_is_an_error(here, there):
    (here / "f").write_bytes(os.urandom(3_000_000))

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    result = batch(SERVERS["ours"], here, f"put f {there}/f", preexec_fn=limit)
    assert result.returncode == 1
    assert b"write remote" in result.stderr
    result = batch(SERVERS["ours"], here, "get f g", preexec_fn=limit)
    assert result.returncode == 1
    assert b"write local" in result.stderr
    assert b"File too large" in result.stderr


def test_a_tree_with_what_may_not_be_read(here, there, account):
    name, _ = account
    tree(there / "tree", files=20)
    secret = there / "tree" / "d0" / "secret"
    secret.write_text("x")
    secret.chmod(0)
    for folder in [there, here]:
        subprocess.run(["chown", "-R", name, str(folder)], check=True)
    folder = there.parent
    for parent in [folder, *folder.parents]:
        if parent != pathlib.Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    result = run(
        ["su", name, "-c", f"cd {here} && exec {SFTP} -D {SERVERS['ours']} -b -"],
        input=f"get -r {there}/tree\n".encode(),
    )
    assert result.returncode == 1, result.stderr
    assert b"Permission denied" in result.stderr
    secret.unlink()
    (here / "tree" / "d0" / "secret").unlink(missing_ok=True)
    assert same(here / "tree", there / "tree")


def test_links_in_a_tree_are_not_followed(server, here, there):
    (there / "tree").mkdir()
    (there / "tree" / "file").write_text("x")
    (there / "tree" / "loop").symlink_to("..")
    result = batch(server, here, f"get -r {there}/tree")
    assert (here / "tree" / "file").read_text() == "x"
    assert not (here / "tree" / "loop").exists()
    assert b"not a regular file" in result.stderr


def test_prefixes_of_a_batch(here):
    server = SERVERS["ours"]
    assert batch(server, here, "-rm nosuch", "@pwd").returncode == 0
    assert batch(server, here, "rm nosuch", "!touch reached").returncode == 1
    assert not (here / "reached").exists()
    assert b"sftp> pwd" not in batch(server, here, "@pwd").stdout
    assert b"sftp> pwd" in batch(server, here, "pwd").stdout
    assert batch(server, here, "-@rm nosuch").returncode == 0


def test_listing_order(here, there):
    for index, name in enumerate(["b", "a", "c", ".hidden"]):
        (there / name).write_bytes(b"x" * (10 - index))
        os.utime(there / name, (index, 1000 + index))
    server = SERVERS["ours"]

    def names(flags):
        output = batch(server, here, f"cd {there}", f"ls -1{flags}").stdout.decode()
        return output.splitlines()[2:]

    assert names("") == ["a", "b", "c"]
    assert names("r") == ["c", "b", "a"]
    assert names("t") == ["c", "a", "b"]
    assert names("S") == ["b", "a", "c"]
    assert names("a") == [".", "..", ".hidden", "a", "b", "c"]


@OURS_ONLY
def test_listing_a_tree(server, here, there):
    (there / "b" / "deep").mkdir(parents=True)
    (there / "a").mkdir()
    (there / "a" / "one").touch()
    (there / "b" / "deep" / "two").touch()
    (there / "loop").symlink_to(there)
    result = batch(server, here, f"@cd {there}", "@ls -1R", "@ls -1R b", "@ls -1R nothing", options=["-q"])
    assert result.returncode == 1
    assert result.stdout.decode() == (
        "a\nb\nloop\n\na:\none\n\nb:\ndeep\n\nb/deep:\ntwo\n"
        "b/deep\n\nb/deep:\ntwo\n"
    )


def test_wildcards_fetch_many(server, here, there):
    for index in range(200):
        (there / f"file{index}.txt").write_text(str(index))
        (there / f"other{index}").write_text("no")
    (there / ".file.txt").write_text("hidden")
    result = batch(server, here, f"get {there}/f*[0-9].tx?")
    assert result.returncode == 0, result.stderr
    assert len(list(here.iterdir())) == 200
    assert (here / "file77.txt").read_text() == "77"



def test_a_person_at_a_terminal(here, there):
    (there / "file").write_bytes(os.urandom(400_000))
    output, status = on_terminal(
        [SFTP, "-D", SERVERS["ours"]],
        [
            (b"sftp> ", f"get {there}/file\r".encode()),
            (b"100%", b""),
            (b"sftp> ", b"nonsen\x03"),
            (b"sftp> ", b"pwd\r"),
            (b"Remote working directory", b""),
            (b"sftp> ", b"bye\r"),
        ],
        here,
    )
    assert os.waitstatus_to_exitcode(status) == 0
    assert b"Fetching" in output
    assert b"391KB" in output
    assert (here / "file").stat().st_size == 400_000


def test_an_interrupted_copy_comes_back_to_the_prompt(here, there):
    (there / "file").write_bytes(os.urandom(4_000_000))
    output, status = on_terminal(
        [SFTP, "-l", "1000", "-D", SERVERS["ours"]],
        [
            (b"sftp> ", f"get {there}/file\r".encode()),
            (b"ETA", b"\x03"),
            (b"sftp> ", b"pwd\r"),
            (b"Remote working directory", b""),
            (b"sftp> ", b"bye\r"),
        ],
        here,
    )
    assert os.waitstatus_to_exitcode(status) == 0, output
    assert not (here / "file").exists() or (here / "file").stat().st_size < 4_000_000


@OURS_ONLY
def test_completion_and_history(here, there):
    (there / "a long name.txt").write_text("x")
    (there / "another").mkdir()
    (here / "local file").write_text("y")
    output, status = on_terminal(
        [SFTP, "-D", SERVERS["ours"]],
        [
            (b"sftp> ", f"cd {there}\r".encode()),
            (b"sftp> ", b"lp\t\r"),
            (b"Local working directory", b""),
            (b"sftp> ", b"get a\t\t"),
            (b"another", b"\x7fa\\ l\t\r"),
            (b"Fetching", b""),
            (b"sftp> ", b"put loc\t copy\r"),
            (b"Uploading", b""),
            (b"sftp> ", b"\x1b[A\x7f\x7f\x7f\x7fsecond\r"),
            (b"Uploading", b""),
            (b"sftp> ", b"bye\r"),
        ],
        here,
    )
    assert os.waitstatus_to_exitcode(status) == 0, output
    assert (here / "a long name.txt").read_text() == "x"
    assert (there / "copy").read_text() == "y"
    assert (there / "second").read_text() == "y"


@pytest.mark.parametrize("text", ["Welcome to this host", "x" * 300_000])
@pytest.mark.parametrize("program", ["sftp", "scp"])
def test_a_shell_that_talks(program, text, here):
    """What a start-up file of the remote shell prints instead of the server's greeting."""
    shell = here / "talks"
    shell.write_text(f"#!/bin/sh\necho '{text}'\n")
    shell.chmod(0o755)
    if program == "sftp":
        result = run([UNDER_TEST.sftp, "-S", shell, "h"], cwd=here)
    else:
        result = run([UNDER_TEST.scp, "-S", shell, "talks", "h:x"], cwd=here)
    assert result.returncode == 255
    said = result.stderr.decode()
    number = int.from_bytes(text[:4].encode(), "big")
    assert f"Received message too long {number}" in said
    assert "Ensure the remote shell produces no output for non-interactive sessions." in said


def test_what_a_copy_must_not_take_over(server, here, there):
    """Set-id bits; and a tree that finds a file in its place leaves that file's mode alone."""
    (here / "file").write_text("x")
    (here / "file").chmod(0o6755)
    (here / "tree").mkdir(mode=0o711)
    for place in (here, there):
        (place / "taken").write_text("there")
        (place / "taken").chmod(0o640)
    (there / "other").mkdir(mode=0o711)
    batch(server, here, f"put -p file {there}/file")
    assert (there / "file").stat().st_mode & 0o7777 == 0o755
    (there / "file").chmod(0o6755)
    batch(server, here, f"get -p {there}/file back")
    assert (here / "back").stat().st_mode & 0o7777 == 0o755
    batch(server, here, f"-put -rp tree/ {there}/taken", f"-get -rp {there}/other/ taken")
    for place in (here, there):
        assert (place / "taken").stat().st_mode & 0o7777 == 0o640


def test_columns_are_as_wide_as_what_they_show(here, there):
    for name in ("中文", "e\x1b[1m", "café", "plain"):
        (there / name).write_text("")
    result = batch(SERVERS["ours"], here, f"cd {there}", "ls", env=os.environ | {"LC_ALL": "C.UTF-8"})
    assert "café      e\\033[1m  plain     中文      ".rstrip() in result.stdout.decode()
