# SPDX-License-Identifier: Apache-2.0
"""What OpenSSH 10.5's own tests ask of a server and 9.2's do not (Tests/Conformance has those)."""
import os
import pathlib
import socket
import subprocess
import time

import pytest
from conftest import OPENSSH, OURS, ROOT, UNDER_TEST, make_key, run, wait_until

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="accounts are root's")


def ssh(peer, key, *words, options=(), client=OPENSSH, **more):
    config = peer.client_config(key, name=f"config{time.monotonic_ns()}")
    return run([client.ssh, "-F", config, *options, "127.0.0.1", *words], **more)


# password and keyboard-interactive


def answers(tmp_path, *texts):
    """An askpass that gives one answer after the other, and the environment that forces it."""
    for index, text in enumerate(texts):
        (tmp_path / f"answer{index}").write_text(text + "\n")
    script = tmp_path / "askpass"
    script.write_text(
        f'#!/bin/sh\nn=$(cat {tmp_path}/n 2>/dev/null || echo 0)\necho $((n + 1)) > {tmp_path}/n\n'
        f'echo "$1" >> {tmp_path}/asked\ncat {tmp_path}/answer$n 2>/dev/null\n'
    )
    script.chmod(0o755)
    for name in ("n", "asked"):
        (tmp_path / name).unlink(missing_ok=True)
    return dict(os.environ, SSH_ASKPASS=str(script), SSH_ASKPASS_REQUIRE="force")


METHODS = pytest.mark.parametrize("method,usepam", [
    ("password", "no"), ("password", "yes"), ("keyboard-interactive", "yes"),
])


def by(method, tries=3):
    return ["-o", "BatchMode=no", "-o", f"PreferredAuthentications={method}",
            "-o", f"NumberOfPasswordPrompts={tries}"]


@needs_root
@METHODS
def test_answers_that_are_right_wrong_and_empty(method, usepam, serve, account, tmp_path):
    name, password = account
    peer = serve(UNDER_TEST, f"UsePAM {usepam}", "KbdInteractiveAuthentication yes", user=name)

    def login(*texts, tries=3):
        return ssh(peer, None, "echo in", options=by(method, tries),
                   env=answers(tmp_path, *texts)).stdout == b"in\n"

    assert login(password)
    assert login("wrong", password)
    assert login("", "wrong", password)
    assert not login("wrong", "wrong", "wrong")
    assert not login("", tries=1)
    assert not login("x" * 100, tries=1)
    assert not login(password + " ", tries=1)
    assert not login(password + "x" * 1000, tries=1)


@needs_root
def test_more_answers_than_questions_are_refused(serve, account):
    """As many as a client may send, and far too many; the monitor lives on or ends, nobody gets in."""
    paramiko = pytest.importorskip("paramiko")
    name, password = account
    peer = serve(UNDER_TEST, "UsePAM yes", "KbdInteractiveAuthentication yes", user=name)
    for count in (0, 2, 100, 2000):
        transport = paramiko.Transport(("127.0.0.1", peer.port))
        transport.start_client(timeout=20)
        try:
            with pytest.raises((paramiko.SSHException, EOFError)):
                transport.auth_interactive(name, lambda *question: [password] * count)
            assert not transport.is_authenticated()
        finally:
            transport.close()
    assert "Accepted" not in peer.log_text()
    transport = paramiko.Transport(("127.0.0.1", peer.port))
    transport.start_client(timeout=20)
    transport.auth_interactive(name, lambda title, text, prompts: [password] * len(prompts))
    assert transport.is_authenticated()
    transport.close()


# Penalties


def greeting(peer):
    with socket.create_connection(("127.0.0.1", peer.port), timeout=10) as connection:
        try:
            return connection.recv(200)
        except ConnectionResetError:
            return b""


def is_out(peer):
    return greeting(peer).startswith(b"Not allowed at this time")


def settle(peer, ends):
    """Waits until the listener has learnt of so many ends of connections."""
    wait_until(lambda: peer.log_text().count("Connection closed by") >= ends
               or peer.log_text().count("Disconnected") >= ends, "the ends")
    time.sleep(0.3)


def test_penalties_below_the_minimum_are_without_effect(serve, key, tmp_path):
    stranger = make_key(tmp_path, "stranger")
    peer = serve(UNDER_TEST, "PerSourcePenalties authfail:300s noauth:0 min:350s max:900s")
    settle(peer, 1)
    assert ssh(peer, stranger, "true").returncode == 255
    time.sleep(0.5)
    assert ssh(peer, key, "true").returncode == 0, peer.log_text()  # 300 s are below the minimum
    assert ssh(peer, stranger, "true").returncode == 255
    wait_until(lambda: is_out(peer), "600 s are not")
    assert ssh(peer, key, "true").returncode == 255


def test_penalties_end(serve, key, tmp_path):
    stranger = make_key(tmp_path, "stranger")
    peer = serve(UNDER_TEST, "PerSourcePenalties authfail:4s noauth:0 min:1s max:4s")
    settle(peer, 1)
    assert ssh(peer, stranger, "true").returncode == 255
    begin = time.monotonic()
    wait_until(lambda: is_out(peer), "the penalty")
    wait_until(lambda: not is_out(peer), "its end", 15)
    assert 2 < time.monotonic() - begin < 12
    assert ssh(peer, key, "true").returncode == 0, peer.log_text()


def test_a_scan_of_keys_is_a_connection_without_a_login(serve, key):
    peer = serve(UNDER_TEST, "PerSourcePenalties noauth:100s min:99s max:900s")
    # The probe that found the server ready was one as well, or this is.
    run([OPENSSH.ssh_keyscan, "-t", "ed25519", "-p", str(peer.port), "127.0.0.1"])
    wait_until(lambda: is_out(peer), "the penalty")
    assert "connections without attempting authentication" in peer.log_text()
    assert ssh(peer, key, "true").returncode == 255


# Configurations


def test_ten_thousand_match_blocks(serve, key):
    lines = []
    for index in range(10_000):
        lines += [f"Match Address 10.{index // 256}.{index % 256}.1", f"    SetEnv X={index}"]
    lines += ["Match Address 127.0.0.1", "    SetEnv X=found SHLVL=3"]
    begin = time.monotonic()
    peer = serve(UNDER_TEST, *lines)
    started = time.monotonic() - begin
    begin = time.monotonic()
    assert ssh(peer, key, "echo $X").stdout == b"found\n"
    assert started < 20 and time.monotonic() - begin < 20


@pytest.mark.parametrize("client", [OPENSSH, OURS], ids=repr)
def test_subsystems_under_match(client, serve, key, me):
    """In force where the block holds, the first of a name counts; its exit status is ssh -s's."""
    peer = serve(
        UNDER_TEST,
        "Subsystem outside /bin/sh -c 'echo outside; exit 23'",
        "Subsystem both /bin/sh -c 'echo global; exit 24'",
        f"Match User {me}",
        "    Subsystem inside /bin/sh -c 'echo inside; exit 25'",
        "    Subsystem both /bin/sh -c 'echo matched; exit 26'",
        "Match User nobody-else",
        "    Subsystem other /bin/sh -c 'exit 27'",
        f"Match User {me}",
        "    Subsystem both /bin/sh -c 'echo later; exit 28'",
    )
    for name, text, status in (("outside", b"outside\n", 23), ("inside", b"inside\n", 25),
                               ("both", b"matched\n", 26)):
        result = ssh(peer, key, name, options=["-s"], client=client)
        assert (result.stdout, result.returncode) == (text, status), (name, peer.log_text())
    result = ssh(peer, key, "other", options=["-s"], client=client)
    assert result.returncode not in (0, 27)
    refused = f"subsystem request for other by user {me} failed, subsystem not found"
    wait_until(lambda: refused in peer.log_text(), refused)


def test_wrong_subsystems_are_found_at_the_start(tmp_path):
    host = make_key(tmp_path, "host")
    for lines, is_good in (("Subsystem a /bin/true\n", True), ("Subsystem a\n", False),
                           ("Match user x\nSubsystem a /bin/true\n", True),
                           ("Match user x\nSubsystem a\n", False),
                           ("Match user=x\nSubsystem a /bin/true\n", True)):
        (tmp_path / "c").write_text(f"HostKey {host}\n{lines}")
        result = run([UNDER_TEST.sshd, "-t", "-f", tmp_path / "c"])
        assert (result.returncode == 0) == is_good, (lines, result.stderr)


# Timeouts over one connection


@pytest.fixture
def master(key, home):
    """master(peer): a master of OpenSSH's; master.options rides on it."""
    started = []

    def start(peer):
        options = ["-S", str(home / "m")]
        process = subprocess.Popen(
            [OPENSSH.ssh, "-F", peer.client_config(key), "-M", "-N", *options, "127.0.0.1"],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        started.append(process)
        wait_until(lambda: (home / "m").exists(), "the master")
        return process, options

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_unused_connections_end_and_used_ones_do_not(serve, key, master):
    peer = serve(UNDER_TEST, "UnusedConnectionTimeout 2")
    process, options = master(peer)
    result = ssh(peer, key, "sleep 4; echo lasted", options=options)
    assert result.stdout == b"lasted\n"
    begin = time.monotonic()
    process.wait(15)
    assert time.monotonic() - begin > 0.8
    # A port that is listened on is no use of it.
    process = subprocess.Popen(
        [OPENSSH.ssh, "-F", peer.client_config(key), "-N", "-R", "0:127.0.0.1:1", "127.0.0.1"],
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(15)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("lines,command,ends", [
    (["ChannelTimeout session:command=1"], ["sleep 5; exit 23"], True),
    (["ChannelTimeout session:*=1"], ["sleep 5; exit 23"], True),
    (["ChannelTimeout session:shell=1"], ["sleep 2; exit 23"], False),
    (["ChannelTimeout session:command=10"], ["sleep 1; exit 23"], False),
    (["Match User *", "    ChannelTimeout session:command=1"], ["sleep 5; exit 23"], True),
    (["ChannelTimeout none"], ["sleep 2; exit 23"], False),
    (["ChannelTimeout global=1"], ["sleep 5; exit 23"], True),
    (["ChannelTimeout global=10"], ["sleep 2; exit 23"], False),
    (["Subsystem s /bin/sh -c 'sleep 5; exit 23'", "ChannelTimeout session:subsystem:s=1"],
     ["-s", "s"], True),
    (["Subsystem s /bin/sh -c 'sleep 2; exit 23'", "ChannelTimeout session:subsystem:t=1"],
     ["-s", "s"], False),
])
@pytest.mark.parametrize("rides", [False, True], ids=["alone", "on a master"])
def test_idle_channels_end(lines, command, ends, rides, serve, key, master):
    peer = serve(UNDER_TEST, *lines)
    options = master(peer)[1] if rides else []
    flags = [word for word in command if word == "-s"]
    words = [word for word in command if word != "-s"]
    result = ssh(peer, key, *words, options=[*options, *flags])
    assert result.returncode == (255 if ends else 23), peer.log_text()
