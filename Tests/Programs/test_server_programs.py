# SPDX-License-Identifier: Apache-2.0
"""What sshd starts anew (SshdAuthPath, SshdSessionPath), and host keys in tokens."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess

import pytest
from conftest import OPENSSH, OURS, OURS_ONLY, UNDER_TEST, Server, run, wait_until

PROVIDER = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so"
BOTH = pytest.mark.parametrize("suite", [UNDER_TEST, OPENSSH], ids=repr)


def login(peer, key, suite=OPENSSH, options=()):
    return run([suite.ssh, "-F", peer.client_config(key), *options, "127.0.0.1", "echo in"])


@pytest.fixture
def copy(tmp_path):
    """Our sshd under another name."""
    shutil.copy(OURS.sshd, tmp_path / "another")
    return tmp_path / "another"


def files_of_children(pid):
    """The programs' files of all processes below one."""
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True)
    found = []
    for child in children.stdout.split():
        try:
            found.append(os.readlink(f"/proc/{int(child)}/exe"))
        except OSError:
            continue
        found += files_of_children(int(child))
    return found


@OURS_ONLY
def test_the_program_that_speaks_with_strangers(serve, copy, key):
    peer = serve(UNDER_TEST, f"SshdAuthPath {copy}")
    with socket.create_connection(("127.0.0.1", peer.port)) as stranger:
        assert stranger.recv(64).startswith(b"SSH-2.0-")
        assert files_of_children(peer.process.pid).count(str(copy)) == 1
    assert login(peer, key).stdout == b"in\n", peer.log_text()


@OURS_ONLY
@pytest.mark.parametrize("word", ["UsePAM no", "UsePAM yes"])
def test_the_program_of_the_user(serve, copy, key, word):
    if os.getuid() != 0 and word == "UsePAM yes":
        pytest.skip("PAM is root's")
    peer = serve(UNDER_TEST, f"SshdSessionPath {copy}", word)
    held = subprocess.Popen(
        [OPENSSH.ssh, "-F", peer.client_config(key), "127.0.0.1", "echo in; exec cat"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )
    assert held.stdout.readline() == b"in\n", peer.log_text()
    assert files_of_children(peer.process.pid).count(str(copy)) == 1
    held.communicate(timeout=20)


@OURS_ONLY
@pytest.mark.parametrize("keyword", ["SshdAuthPath", "SshdSessionPath"])
def test_a_program_that_cannot_be(serve, keyword, tmp_path, key):
    peer = serve(UNDER_TEST)
    before = peer.config.read_text()
    plain = tmp_path / "plain"
    plain.write_text("not a program\n")
    for path in (tmp_path / "missing", plain, tmp_path):
        peer.config.write_text(f"{keyword} {path}\n{before}")
        result = run([UNDER_TEST.sshd, "-t", "-f", peer.config])
        assert result.returncode == 255
        assert f"{path} does not exist or is not executable" in result.stderr.decode()
        # A reload keeps what was in force.
        os.kill(peer.process.pid, signal.SIGHUP)
        wait_until(lambda: f"{path} does not exist" in peer.log_text(), "a line in the log")
        assert login(peer, key).stdout == b"in\n", peer.log_text()
    # Printing needs no programs.
    printed = run([UNDER_TEST.sshd, "-G", "-f", peer.config])
    assert f"{keyword.lower()} {tmp_path}\n" in printed.stdout.decode()


@OURS_ONLY
@pytest.mark.parametrize("keyword", ["SshdAuthPath", "SshdSessionPath"])
def test_a_program_of_another_server_has_no_effect(serve, keyword, key):
    peer = serve(UNDER_TEST, f"{keyword} {OPENSSH.sshd}")
    assert f"{keyword} {OPENSSH.sshd} is not Hawser" in peer.log_text()
    assert "it has no effect" in peer.log_text()
    assert login(peer, key).stdout == b"in\n", peer.log_text()


@BOTH
@pytest.mark.parametrize("kind", ["ed25519-sk", "ecdsa-sk"])
@pytest.mark.skipif(not pathlib.Path(PROVIDER).exists(), reason="needs openssh-tests")
def test_a_host_key_in_a_token(suite, kind, tmp_path, me, key):
    host = tmp_path / "host_token"
    made = run([OPENSSH.ssh_keygen, "-q", "-t", kind, "-w", PROVIDER, "-N", "", "-f", host])
    assert made.returncode == 0, made.stderr
    for number, (provider, works) in enumerate([(PROVIDER, True), ("/nonexistent.so", False)]):
        peer = Server(
            suite, tmp_path / f"server{number}", me,
            extra=[f"SecurityKeyProvider {provider}"], host_key_kinds=(),
        )
        peer.config.write_text(peer.config.read_text() + f"HostKey {host}\n")
        peer.host_keys = [host]
        peer.allow(key)
        peer.start()
        try:
            for client in (OURS, OPENSSH):
                result = login(peer, key, client)
                assert (result.stdout == b"in\n") == works, (client, result, peer.log_text())
        finally:
            peer.stop()
