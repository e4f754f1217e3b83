# SPDX-License-Identifier: Apache-2.0
"""scp: both protocols, hosts, names, and servers that cannot be trusted."""
import json
import os
import pathlib
import stat
import subprocess

import pytest
from conftest import FAKE, OPENSSH, OURS, OURS_ONLY, SERVERS, UNDER_TEST, run, same, tree

SCP = UNDER_TEST.scp


@pytest.fixture
def wrapper(tmp_path):
    """Stands for ssh: runs the remote command here, with one scp or the other."""

    def make(suite=UNDER_TEST, answer=None):
        path = tmp_path / f"ssh-{suite}"
        folder = str(suite.prefix / "bin")
        last = 'for word; do :; done\n'
        body = f'PATH={folder}:/usr/bin:/bin exec sh -c "$word"\n'
        if answer is not None:
            (tmp_path / "answer").write_bytes(answer)
            body = f"cat {tmp_path}/answer; exec >&-; cat > /dev/null\n"
        path.write_text("#!/bin/sh\n" + last + body)
        path.chmod(0o755)
        return path

    return make


MODES = ["sftp", "openssh-sftp", "scp", "scp-to-openssh"]


@pytest.fixture(params=MODES)
def mode(request, wrapper):
    """The options of one way to the other side."""
    return {
        "sftp": ["-D", SERVERS["ours"]],
        "openssh-sftp": ["-D", SERVERS["openssh"]],
        "scp": ["-O", "-S", wrapper()],
        "scp-to-openssh": ["-O", "-S", wrapper(OPENSSH)],
    }[request.param]


def scp(here, *words, **more):
    return run([SCP, *words], cwd=here, **more)


def test_trees_go_both_ways(mode, here, there):
    tree(here / "tree", files=120)
    if "-O" in mode:
        # The old protocol has no way to send a name of two lines.
        (here / "tree" / "odd * [names] ? \\ \"quoted\" 'single'" / "new\nline").unlink()
    result = scp(here, *mode, "-r", "tree", f"host:{there}/copy")
    assert result.returncode == 0, result.stderr
    result = scp(here, *mode, "-r", f"host:{there}/copy", "back")
    assert result.returncode == 0, result.stderr
    assert same(here / "tree", there / "copy")
    assert same(here / "tree", here / "back")


def test_into_a_directory_and_under_a_name(mode, here, there):
    (here / "file").write_text("x")
    for target, place in [("", "there/file"), ("/other", "there/other")]:
        assert scp(here, *mode, "file", f"host:{there}{target}").returncode == 0
        assert (there.parent / place).read_text() == "x"
    (here / "dir").mkdir()
    assert scp(here, *mode, f"host:{there}/other", "dir").returncode == 0
    assert (here / "dir" / "other").read_text() == "x"


def test_times_and_modes_are_kept(mode, here, there):
    file = here / "file"
    file.write_text("x")
    file.chmod(0o640)
    os.utime(file, (1_000_000, 2_000_000))
    assert scp(here, *mode, "-p", "file", f"host:{there}/copy").returncode == 0
    assert scp(here, *mode, "-p", f"host:{there}/copy", "back").returncode == 0
    for copy in [there / "copy", here / "back"]:
        assert copy.stat().st_mtime == 2_000_000
        assert stat.S_IMODE(copy.stat().st_mode) == 0o640


def test_several_need_a_directory(mode, here, there):
    for name in ["a", "b"]:
        (here / name).write_text(name)
        (there / name).write_text(name + name)
    (there / "file").write_text("old")
    assert scp(here, *mode, "a", "b", f"host:{there}/file").returncode != 0
    assert (there / "file").read_text() == "old"
    assert scp(here, *mode, f"host:{there}/a", f"host:{there}/b", "a").returncode != 0
    assert (here / "a").read_text() == "a"
    (here / "dir").mkdir()
    assert scp(here, *mode, f"host:{there}/a", f"host:{there}/b", "dir").returncode == 0
    assert (here / "dir" / "b").read_text() == "bb"


def test_wildcards_of_the_other_side(mode, here, there):
    for name in ["one.txt", "two.txt", "three.log"]:
        (there / name).write_text(name)
    result = scp(here, *mode, f"host:{there}/*.txt", ".")
    assert result.returncode == 0, result.stderr
    assert sorted(p.name for p in here.iterdir()) == ["one.txt", "two.txt"]


def test_several_make_a_directory_that_is_not_there(server, here, there):
    for name in ("f1", "f2", "other"):
        (there / name).write_text(name)
    result = scp(here, "-D", server, f"h:{there}/f*", "new")
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in (here / "new").iterdir()) == ["f1", "f2"]
    (here / "file").write_text("x")
    result = scp(here, "-D", server, f"h:{there}/f*", "file")
    assert result.returncode == 1 and b"is not a directory" in result.stderr


def test_a_link_to_nowhere(server, here, there):
    (there / "dangling").symlink_to("nowhere")
    result = scp(here, "-D", server, f"h:{there}/dangling", ".")
    assert result.returncode == 1
    assert b"stat remote: No such file or directory" in result.stderr


def test_what_is_not_there(mode, here, there):
    result = scp(here, *mode, f"host:{there}/nosuch", "copy")
    assert result.returncode == 1
    assert b"No such file or directory" in result.stderr
    assert not (here / "copy").exists()
    result = scp(here, *mode, "nosuch", f"host:{there}/copy")
    assert result.returncode != 0
    assert not (there / "copy").exists()


def test_a_directory_needs_the_option(mode, here, there):
    (here / "dir").mkdir()
    result = scp(here, *mode, "dir", f"host:{there}/copy")
    assert result.returncode == 1
    assert b"not a regular file" in result.stderr


def test_onto_itself(mode, here):
    data = os.urandom(300_000)
    (here / "file").write_bytes(data)
    assert scp(here, *mode, "file", f"host:{here}/file").returncode == 0
    assert scp(here, *mode, f"host:{here}/file", "file").returncode == 0
    assert (here / "file").read_bytes() == data


def test_links_are_followed(mode, here, there):
    (there / "tree").mkdir()
    (there / "outside").mkdir()
    (there / "outside" / "file").write_text("x")
    (there / "tree" / "link").symlink_to("../outside")
    result = scp(here, *mode, "-r", f"host:{there}/tree", "copy")
    assert result.returncode == 0, result.stderr
    assert (here / "copy" / "link" / "file").read_text() == "x"


def test_a_loop_of_links_ends(mode, here, there):
    (there / "tree").mkdir()
    (there / "tree" / "loop").symlink_to(".")
    result = scp(here, *mode, "-r", f"host:{there}/tree", "copy", timeout=60)
    assert result.returncode == 1


def test_from_host_to_host(here, there, wrapper):
    tree(here / "tree", files=60)
    (here / "tree" / "odd * [names] ? \\ \"quoted\" 'single'" / "new\nline").unlink()
    result = scp(here, "-3", "-r", "-D", SERVERS["ours"], f"a:{here}/tree", f"b:{there}/copy")
    assert result.returncode == 0, result.stderr
    assert same(here / "tree", there / "copy")
    result = scp(here, "-3", "-O", "-r", "-S", wrapper(), f"a:{here}/tree", f"b:{there}/copy2")
    assert result.returncode == 0, result.stderr
    assert same(here / "tree", there / "copy2")


def test_here_alone(here):
    (here / "-file").write_text("x")
    (here / "`touch hacked`").write_text("y")
    (here / "dir").mkdir()
    assert scp(here, "--", "./-file", "copy").returncode == 0
    assert (here / "copy").read_text() == "x"
    assert scp(here, "`touch hacked`", "dir").returncode == 0
    assert (here / "dir" / "`touch hacked`").read_text() == "y"
    assert not (here / "hacked").exists()


def test_a_file_with_a_colon(here):
    (here / "a:b").write_text("x")
    assert scp(here, "./a:b", "copy").returncode == 0
    assert (here / "copy").read_text() == "x"


# The old protocol's known attacks.

ATTACKS = {
    "path": b"C0644 2 ../escaped\nx\n\0",
    "absolute": b"C0644 2 /tmp/hawser-scp-absolute\nx\n\0",
    "other name": b"C0644 2 unasked\nx\n\0",
    "dot": b"D0777 0 .\n",
    "nothing": b"D0777 0 \n",
    "directory unasked": b"D0755 0 file\nC0644 2 inner\nx\n\0E\n",
    "no record": b"hello from a shell\n",
    "bad mode": b"Cxyz 2 file\nx\n\0",
    "no size": b"C0644 file\n",
    "huge size": b"C0644 99999999999999999999999 file\n",
    "negative size": b"C0644 -1 file\n",
    "bad times": b"T1 0 0\nC0644 2 file\nx\n\0",
    "cut short": b"C0644 1000 file\nabc",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hostile_source(here, wrapper, attack):
    inside = here / "inside"
    inside.mkdir(mode=0o755)
    program = wrapper(answer=ATTACKS[attack])
    result = scp(inside, "-O", "-p", "-S", program, "host:file", ".", timeout=20)
    assert result.returncode != 0
    assert {p.name for p in inside.iterdir()} <= {"file"}
    assert [p.name for p in here.iterdir()] == ["inside"]
    assert not pathlib.Path("/tmp/hawser-scp-absolute").exists()
    assert inside.stat().st_mode & 0o777 == 0o755
    if attack == "no record":
        assert b"hello from a shell" in result.stderr


@pytest.mark.parametrize("mode", ["scp", "scp-to-openssh"], indirect=True)
@pytest.mark.parametrize("direction", ["to us", "from us"])
def test_what_cannot_be_written_is_refused_and_the_rest_copied(mode, direction, here, there):
    (here / "tree" / "inner").mkdir(parents=True)
    (here / "tree" / "inner" / "file").write_text("inner")
    for number in range(400):
        (here / "tree" / f"f{number}").write_bytes(os.urandom(number * 11))
    refused = "f200"
    target = there / "copy" / "tree"
    (target / refused).mkdir(parents=True)
    (target / "inner").write_text("a file where a directory should go")
    if direction == "to us":
        result = scp(here, *mode, "-r", f"host:{here}/tree", there / "copy", timeout=60)
    else:
        result = scp(here, *mode, "-r", "tree", f"host:{there}/copy", timeout=60)
    assert result.returncode == 1
    assert result.stderr.count(b"Is a directory") == 1, result.stderr
    assert result.stderr.count(b"Not a directory") == 1, result.stderr
    (target / refused).rmdir()
    (target / "inner").unlink()
    (here / "tree" / refused).unlink()
    (here / "tree" / "inner" / "file").unlink()
    (here / "tree" / "inner").rmdir()
    assert same(here / "tree", target)


HASTY_SOURCE = """
import os, sys
def answer():
    assert os.read(0, 65536)[:1] == bytes(1)
def out(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
answer()
for number in range(5):
    out(b"C0644 6 file%d\\n" % number)
    answer()
    out(b"text %d" % number + bytes(1))
    answer()
"""


def test_a_source_that_throws_early_answers_away(here, tmp_path):
    """It reads all that is there and takes it for one answer, as the programs of some devices do."""
    program = tmp_path / "ssh"
    program.write_text(f"#!/bin/sh\nexec python3 -c '{HASTY_SOURCE}'\n")
    program.chmod(0o755)
    result = scp(here, "-O", "-T", "-S", program, "host:file*", ".", timeout=60)
    assert result.returncode == 0, result.stderr
    assert [(here / f"file{n}").read_text() for n in range(5)] == [f"text {n}" for n in range(5)]


def test_an_unasked_name_can_be_let_in(here, wrapper):
    program = wrapper(answer=b"C0644 2 other\nx\n\0")
    assert scp(here, "-O", "-T", "-S", program, "host:file", ".").returncode == 0
    assert (here / "other").read_text() == "x\n"


def test_text_of_the_other_side_does_not_steer_the_terminal(here, wrapper):
    program = wrapper(answer=b"\x01\x1b]0;title\x07\n")
    result = scp(here, "-O", "-S", program, "host:file", ".")
    assert result.returncode != 0
    assert b"\x1b" not in result.stderr and b"title" in result.stderr


def test_names_that_lead_out_are_refused(here):
    (here / "inside").mkdir()
    result = scp(here / "inside", "-r", "-D", f"{FAKE} evil-names", "h:tree", ".")
    assert result.returncode != 0
    assert [p.name for p in here.iterdir()] == ["inside"]
    assert not pathlib.Path("/tmp/hawser-absolute").exists()


def test_what_ssh_gets(here, tmp_path):
    """The words that wrappers and configurations rely on."""
    note = tmp_path / "note"
    program = tmp_path / "ssh"
    program.write_text(
        f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {note}\nexec {SERVERS['ours']}\n"
    )
    program.chmod(0o755)
    (here / "file").write_text("x")
    options = ["-C", "-c", "aes128-ctr", "-i", "id", "-J", "jump", "-F", "conf", "-o", "A=b", "-4"]
    assert scp(here, "-S", program, *options, "-P", "33", "file", f"me@there:{here}/x").returncode == 0
    words = note.read_text().splitlines()
    assert words[:5] == [
        "-x",
        "-oPermitLocalCommand=no",
        "-oClearAllForwardings=yes",
        "-oRemoteCommand=none",
        "-oRequestTTY=no",
    ]
    assert words[5:17] == options
    assert words[17:] == [
        "-oForwardAgent=no", "-p", "33", "-l", "me", "-s", "--", "there", "sftp",
    ]
    assert scp(here, "-S", program, f"scp://you@[::1]:44/{here}/file", "y").returncode == 0
    words = note.read_text().splitlines()
    assert words[5:] == ["-oForwardAgent=no", "-p", "44", "-l", "you", "-s", "--", "::1", "sftp"]


@OURS_ONLY
def test_json(here, there):
    name = b"not\xffutf8"
    with open(os.fsencode(there) + b"/" + name, "wb") as file:
        file.write(b"z" * 10)
    (there / "plain").write_text("x")
    result = scp(here, "--json", "-D", SERVERS["ours"], f"h:{there}/*", ".")
    assert result.returncode == 0
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert {event["event"] for event in events} >= {"start", "end"}
    ends = [event for event in events if event["event"] == "end"]
    assert len(ends) == 2 and all(event["ok"] for event in ends)
    odd = next(event for event in ends if "sourceBytes" in event)
    assert bytes.fromhex(odd["sourceBytes"]).endswith(name)
    assert odd["done"] == 10
    result = scp(here, "--json", "-D", SERVERS["ours"], f"h:{there}/nosuch", ".")
    assert result.returncode == 1
    assert json.loads(result.stdout.splitlines()[0])["event"] == "error"


@OURS_ONLY
@pytest.mark.parametrize("server", SERVERS)
def test_resume_atomic_verify(here, there, server):
    data = os.urandom(2_000_000)
    (there / "f").write_bytes(data)
    (here / "f").write_bytes(data[:1_234_567])
    result = scp(here, "--resume", "--verify", "-D", SERVERS[server], f"h:{there}/f", "f")
    assert result.returncode == 0, result.stderr
    assert b"Verified" in result.stderr and b"starting over" not in result.stderr
    assert (here / "f").read_bytes() == data
    result = scp(here, "--atomic", "-p", "-D", SERVERS[server], "f", f"h:{there}/g")
    assert result.returncode == 0, result.stderr
    assert (there / "g").read_bytes() == data
    assert sorted(p.name for p in there.iterdir()) == ["f", "g"]


# Over real connections.


def test_over_our_server_and_a_master(serve, key, here, there, home):
    peer = serve(UNDER_TEST, f"Subsystem sftp {SERVERS['ours']}")
    config = peer.client_config(
        key, ControlMaster="auto", ControlPath=f"{home}/c", ControlPersist="60"
    )
    tree(here / "tree", files=60)
    common = ["-F", config, "-S", UNDER_TEST.ssh]
    try:
        assert scp(here, *common, "-r", "tree", f"x@127.0.0.1:{there}/a".replace("x@", "")).returncode == 0
        assert scp(here, *common, "-r", f"127.0.0.1:{there}/a", "back").returncode == 0
        result = run(
            [UNDER_TEST.sftp, *common, "-b", "-", "127.0.0.1"],
            input=f"put -r tree {there}/b\n".encode(),
            cwd=here,
        )
        assert result.returncode == 0, result.stderr
    finally:
        run([UNDER_TEST.ssh, "-F", config, "-O", "exit", "127.0.0.1"])
    assert same(here / "tree", there / "a")
    assert same(here / "tree", here / "back")
    assert same(here / "tree", there / "b")
    assert peer.log_text().count("Accepted publickey") == 1


@pytest.mark.parametrize("subsystem", ["internal-sftp", SERVERS["ours"]])
@pytest.mark.parametrize("client", [OURS, OPENSSH], ids=str)
def test_ours_and_theirs(serve, key, here, there, client, subsystem):
    peer = serve(OURS, f"Subsystem sftp {subsystem}")
    config = peer.client_config(key)
    (here / "file").write_bytes(os.urandom(5_000_000))
    tree(here / "tree", files=60)
    for words in [
        ["file", f"127.0.0.1:{there}/file"],
        ["-r", "tree", f"127.0.0.1:{there}/tree"],
        ["-r", f"127.0.0.1:{there}/tree", "back"],
        [f"127.0.0.1:{there}/file", "file2"],
    ]:
        result = run([client.scp, "-F", config, *words], cwd=here, timeout=60)
        assert result.returncode == 0, result.stderr
    assert (here / "file").read_bytes() == (here / "file2").read_bytes()
    assert same(here / "tree", here / "back")


def test_ours_at_openssh(serve, key, here, there):
    peer = serve(OPENSSH, f"Subsystem sftp {SERVERS['openssh']}")
    config = peer.client_config(key)
    tree(here / "tree", files=60)
    for words in [
        ["-r", "tree", f"127.0.0.1:{there}/tree"],
        ["-r", f"127.0.0.1:{there}/tree", "back"],
        ["-O", "-r", f"127.0.0.1:{there}/tree/d1", "old"],
    ]:
        result = run([OURS.scp, "-F", config, *words], cwd=here, timeout=60)
        assert result.returncode == 0, result.stderr
    assert same(here / "tree", here / "back")
    assert same(here / "tree" / "d1", here / "old")


def test_a_long_path_costs_its_delay_once(serve, key, here, there, relay):
    """400 files over a path of 50 ms: file after file would take a minute."""
    peer = serve(OURS, "Subsystem sftp internal-sftp")
    path = relay(peer.port)
    path("delay 25")
    config = peer.client_config(key, Port=path.port, HostKeyAlias=f"[127.0.0.1]:{peer.port}")
    (here / "many").mkdir()
    for index in range(400):
        (here / "many" / f"f{index}").write_bytes(os.urandom(4096))
    for words in [
        ["-r", "many", f"127.0.0.1:{there}/copy"],
        ["-r", f"127.0.0.1:{there}/copy", "back"],
        ["-O", "-r", f"127.0.0.1:{there}/copy", "old"],
    ]:
        result = run([OURS.scp, "-F", config, *words], cwd=here, timeout=12)
        assert result.returncode == 0, result.stderr
    assert same(here / "many", here / "back")
    assert same(here / "many", here / "old")


def test_a_cut_connection_is_an_error(serve, key, here, there, relay):
    peer = serve(OURS, "Subsystem sftp internal-sftp")
    path = relay(peer.port)
    path("rate 2000000")
    config = peer.client_config(key, Port=path.port, HostKeyAlias=f"[127.0.0.1]:{peer.port}")
    (there / "file").write_bytes(os.urandom(4_000_000))
    client = subprocess.Popen(
        [OURS.scp, "-F", config, "--atomic", f"127.0.0.1:{there}/file", "file"],
        cwd=here,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    import time

    time.sleep(1)
    path("cut")
    _, errors = client.communicate(timeout=20)
    assert client.returncode == 255, errors
    assert not (here / "file").exists()
    result = run([OURS.scp, "-F", peer.client_config(key), "--resume", f"127.0.0.1:{there}/file", "."], cwd=here)
    assert result.returncode == 0
    assert (here / "file").read_bytes() == (there / "file").read_bytes()


@pytest.mark.parametrize("direction", ["get", "put"])
def test_links_back_to_where_they_are_have_an_end(mode, direction, here, there):
    """Two such links would be followed 2^40 times."""
    if "-O" in mode and direction == "get" and "ssh-openssh" in str(mode[-1]):
        pytest.skip("OpenSSH's scp follows them")
    source, target = (there, here) if direction == "get" else (here, there)
    (source / "tree").mkdir()
    (source / "tree" / "file").write_text("x")
    for name in ("one", "two"):
        (source / "tree" / name).symlink_to(".")
    # Round about, through links that lead out of the tree.
    for name, link, other in (("A", "l", "B"), ("B", "m", "A")):
        (source / name / "deep").mkdir(parents=True)
        (source / name / "deep" / link).symlink_to(f"../../{other}")
        (source / name / link).symlink_to(f"../{other}")
    (source / "tree" / "A").symlink_to("../A")
    ends = [f"host:{there}/tree", "copy"] if direction == "get" else ["tree", f"host:{there}/copy"]
    result = scp(here, *mode, "-r", *ends, timeout=60)
    assert result.returncode == 1
    assert b"Too many levels of symbolic links" in result.stderr
    found = sorted(str(path.relative_to(target / "copy")) for path in (target / "copy").rglob("*"))
    assert found == ["A", "A/deep", "A/deep/l", "A/deep/l/deep", "A/l", "A/l/deep", "file"]


@pytest.mark.parametrize("suite", [UNDER_TEST, OPENSSH], ids=str)
def test_several_from_host_to_host_need_a_directory(suite, here, there):
    for name in "ab":
        (here / name).write_text(name)
    result = run(
        [suite.scp, "-3", "-D", SERVERS["openssh"], f"a:{here}/a", f"a:{here}/b", f"b:{there}/new"], cwd=here
    )
    assert result.returncode == 1
    assert result.stderr.count(b"/new: destination is not a directory\r\n") == 2
    assert not (there / "new").exists()


@pytest.mark.parametrize("suite", [UNDER_TEST, OPENSSH], ids=str)
def test_a_file_is_no_directory(suite, here, there):
    (there / "file").write_text("x")
    result = run([suite.scp, "-D", SERVERS["openssh"], f"a:{there}/file/", "."], cwd=here)
    assert result.returncode == 1
    assert not (here / "file").exists()


@pytest.mark.parametrize("suite", [UNDER_TEST, OPENSSH], ids=str)
@pytest.mark.parametrize("server", SERVERS)
def test_the_home_of_nobody(suite, server, here):
    result = run([suite.scp, "-D", SERVERS[server], "a:~hwnobody/x", "."], cwd=here)
    assert result.returncode != 0
    assert result.stderr.endswith(b": expand ~hwnobody/x: no such user\r\n")
