# SPDX-License-Identifier: Apache-2.0
"""As other programs use ssh: editors, Ansible, git, rsync and tmux."""
import os
import re
import shlex
import shutil
import socket
import struct
import subprocess
import time

import pytest
from conftest import OPENSSH, OURS, UNDER_TEST, free_port, run, wait_until
from masters import line  # noqa: F401

MASTERS = pytest.mark.parametrize(
    "master, client", [(OURS, OURS), (OPENSSH, OURS), (OURS, OPENSSH)], ids=lambda suite: suite.name
)


@pytest.mark.parametrize("rides", [False, True], ids=["alone", "over a master"])
def test_an_editor_starts_its_server_and_reaches_it(rides, line):
    """`ssh -T -D PORT host bash`, a script on standard input, SOCKS 5 for the rest of the day."""
    it = line()
    if rides:
        it.open_master(OURS)
    door = free_port()
    editor = subprocess.Popen(
        [UNDER_TEST.ssh, "-F", it.config, "-v", "-T", "-D", str(door),
         "-o", "ConnectTimeout=15", "127.0.0.1", "bash"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    script = "echo '%%start%%'; uname -s; echo listeningOn=here; while read x; do echo got $x; done\n"
    editor.stdin.write(script.encode())
    editor.stdin.flush()
    said = [editor.stdout.readline() for _ in range(3)]
    assert said == [b"%%start%%\n", b"Linux\n", b"listeningOn=here\n"]
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", door), timeout=10) as peer:
            peer.sendall(b"\5\1\0")
            assert peer.recv(2) == b"\5\0"
            peer.sendall(b"\5\1\0\1\x7f\0\0\1" + struct.pack(">H", it.server.port))
            assert peer.recv(10)[:2] == b"\5\0"
            assert peer.recv(8) == b"SSH-2.0-"
    editor.stdin.write(b"keep-alive\n")
    editor.stdin.close()
    assert editor.stdout.read() == b"got keep-alive\n"
    assert editor.wait(10) == 0


ANSIBLE = [
    "-C", "-o", "ControlMaster=auto", "-o", "ControlPersist=60s",
    "-o", "KbdInteractiveAuthentication=no",
    "-o", "PreferredAuthentications=gssapi-with-mic,gssapi-keyex,hostbased,publickey",
    "-o", "PasswordAuthentication=no", "-o", "ConnectTimeout=10",
]


def test_ansible_s_calls(line):
    """A module is a folder made, a file put and a program run, again and again."""
    it = line(extra=["Subsystem sftp internal-sftp"])
    words = [*ANSIBLE, "-o", f"ControlPath={it.socket}"]
    place = it.socket.parent / "module"
    try:
        for number in range(3):
            made = it.ssh(
                UNDER_TEST, *words, "127.0.0.1",
                f"/bin/sh -c '( umask 77 && mkdir -p \"` echo {place} `\" && echo made ) && sleep 0'",
            )
            assert (made.returncode, made.stdout) == (0, b"made\n"), made.stderr
            source = it.socket.parent / f"source{number}"
            source.write_bytes(os.urandom(200_000))
            put = run(
                [UNDER_TEST.sftp, "-F", it.config, "-b", "-", *words, "[127.0.0.1]"],
                input=f"put {source} {place}/file\n".encode(),
            )
            assert put.returncode == 0, put.stderr
            assert (place / "file").read_bytes() == source.read_bytes()
            # -tt: Ansible asks for a terminal, and tells errors by the status.
            ran = it.ssh(
                UNDER_TEST, *words, "-tt", "127.0.0.1",
                f"/bin/sh -c 'cksum < {place}/file && exit {number}'",
            )
            assert ran.returncode == number
            assert ran.stdout.replace(b"\r", b"") == run(["cksum"], input=source.read_bytes()).stdout
        assert it.logins() == 1
    finally:
        it.ssh(UNDER_TEST, "-S", it.socket, "-O", "exit", "127.0.0.1")


@MASTERS
def test_git_over_a_master(master, client, line, tmp_path):
    it = line()
    it.open_master(master)
    command = shlex.join([client.ssh, "-F", str(it.config)])
    environment = dict(
        os.environ, GIT_SSH_COMMAND=command, GIT_CONFIG_GLOBAL="/dev/null", HOME=str(tmp_path),
        GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@example.org",
        GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@example.org",
    )

    def git(*words, folder=tmp_path):
        result = run(["git", "-C", folder, *words], env=environment)
        assert result.returncode == 0, result.stderr
        return result.stdout.decode()

    there, here = tmp_path / "there.git", tmp_path / "here"
    git("init", "--quiet", "--bare", "--initial-branch=main", there)
    git("init", "--quiet", "--initial-branch=main", here)
    for number in range(100):
        (here / f"file{number}").write_bytes(os.urandom(5000))
    git("add", ".", folder=here)
    git("commit", "--quiet", "--message=one", folder=here)
    git("push", "--quiet", f"127.0.0.1:{there}", "main", folder=here)
    git("clone", "--quiet", f"127.0.0.1:{there}", "copy")
    assert git("rev-parse", "HEAD", folder=tmp_path / "copy") == git("rev-parse", "main", folder=here)
    git("commit", "--quiet", "--allow-empty", "--message=two", folder=here)
    git("push", "--quiet", f"127.0.0.1:{there}", "main", folder=here)
    git("fetch", "--quiet", folder=tmp_path / "copy")
    assert git("rev-parse", "origin/main", folder=tmp_path / "copy") == git(
        "rev-parse", "main", folder=here
    )
    assert it.logins() == 1


@pytest.mark.skipif(not shutil.which("rsync"), reason="needs rsync")
@MASTERS
def test_rsync_over_a_master(master, client, line, tmp_path):
    it = line()
    it.open_master(master)
    shell = shlex.join([client.ssh, "-F", str(it.config)])
    source = tmp_path / "source"
    source.mkdir()
    for number in range(200):
        (source / f"file{number}").write_bytes(os.urandom(number * 100))
    for there, here in ((f"127.0.0.1:{tmp_path}/far/", f"{source}/"),
                        (f"{tmp_path}/near/", f"127.0.0.1:{tmp_path}/far/")):
        result = run(["rsync", "-a", "-e", shell, here, there])
        assert result.returncode == 0, result.stderr
    assert run(["diff", "-r", source, tmp_path / "near"]).returncode == 0
    assert it.logins() == 1


@pytest.mark.skipif(not shutil.which("tmux"), reason="needs tmux")
@pytest.mark.parametrize("rides", [False, True], ids=["alone", "over a master"])
def test_inside_tmux(rides, line, home):
    """What OpenSSH 10.5's own test of terminals asks for: -tt, ^C, ^D, ~. and ~?."""
    it = line()
    if rides:
        it.open_master(OURS)

    def tmux(*words):
        return run(["tmux", "-S", home / "tmux", "-f", "/dev/null", *words])

    # To the end of its line: a command that was typed may be broken before any of its words.
    def shows(text):
        def seen():
            return re.search(text, tmux("capture-pane", "-p").stdout.decode(), re.M)

        wait_until(seen, text, seconds=30)

    def enter(command):
        tmux("clear-history")
        tmux("send-keys", "-R", command, "Enter")

    ssh = shlex.join([UNDER_TEST.ssh, "-F", str(it.config), "-tt", "127.0.0.1"])
    tmux("new-session", "-d", "-x", "90", "-y", "30", "sh")
    try:
        shows("[#$>]")
        enter(f"{ssh} 'trap \"echo; echo caught; exit 3\" INT; echo far; sleep 60 & wait'; echo got=$?")
        shows("^far$")
        tmux("send-keys", "C-c")
        shows("^caught$")
        shows("^got=3$")
        enter(f"{ssh} 'echo far; cat'; echo got=$?")
        shows("^far$")
        tmux("send-keys", "C-d")
        shows("^got=0$")
        enter(f"{ssh} 'echo far; cat'; echo got=$?")
        shows("^far$")
        tmux("send-keys", "Enter", "~?")
        shows("^Supported escape sequences:$")
        tmux("send-keys", "Enter", "~.")
        shows("^got=255$")
        # The terminal is as before.
        enter("stty -a | grep -c ' icanon'; echo done")
        shows("^1\ndone$")
    finally:
        tmux("kill-server")
