# SPDX-License-Identifier: Apache-2.0
"""Connections over paths that are long, narrow, or break."""
import os
import re
import subprocess
import time

import pytest
from conftest import OPENSSH, OURS, OURS_ONLY, UNDER_TEST, make_key, run


def through(server, relay, key, **changes):
    """A configuration for `server` by way of a relay, and that relay."""
    path = relay(server.port)
    changes = {"HostKeyAlias": f"[127.0.0.1]:{server.port}", "Port": path.port} | changes
    return server.client_config(key, **changes), path


def test_every_byte_over_a_long_and_narrow_path(serve, key, relay):
    server = serve(UNDER_TEST)
    config, path = through(server, relay, key)
    path("delay 25")
    path("rate 20000000")
    data = os.urandom(8_000_000)
    begin = time.monotonic()
    result = run([UNDER_TEST.ssh, "-F", config, "127.0.0.1", "cat"], input=data)
    assert (result.returncode, result.stdout == data) == (0, True), result.stderr
    # Four round trips at the least, and 0.4 s of sending.
    assert time.monotonic() - begin > 0.2 + 0.4


def test_a_cut_connection_is_noticed(serve, key, relay):
    server = serve(UNDER_TEST)
    config, path = through(server, relay, key)
    session = subprocess.Popen(
        [UNDER_TEST.ssh, "-F", config, "127.0.0.1", "echo up; read x"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert session.stdout.readline() == b"up\n"
    path("cut")
    _, error = session.communicate(timeout=10)
    assert session.returncode == 255
    assert b"Connection to 127.0.0.1 closed by remote host." in error or b"reset" in error


def test_a_dead_path_is_noticed_by_keep_alives(serve, key, relay):
    server = serve(UNDER_TEST)
    config, path = through(server, relay, key, ServerAliveInterval=1, ServerAliveCountMax=2)
    session = subprocess.Popen(
        [UNDER_TEST.ssh, "-F", config, "127.0.0.1", "echo up; sleep 60"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert session.stdout.readline() == b"up\n"
    path("freeze")
    _, error = session.communicate(timeout=15)
    assert session.returncode == 255
    assert error.endswith(b"Timeout, server 127.0.0.1 not responding.\r\n"), error


def test_a_path_that_stands_still_for_a_while_loses_nothing(serve, key, relay):
    server = serve(UNDER_TEST)
    config, path = through(server, relay, key)
    data = os.urandom(4_000_000)
    session = subprocess.Popen(
        [UNDER_TEST.ssh, "-F", config, "127.0.0.1", "cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    path("rate 8000000")
    session.stdin.write(data[:1_000_000])
    path("freeze")
    time.sleep(1)
    path("thaw")
    output, _ = session.communicate(data[1_000_000:], timeout=20)
    assert output == data


@pytest.mark.parametrize("count", [100, 400, 1300, 2600])
def test_a_login_that_stands_still_is_given_up(count, serve, stalled):
    """In the key exchange or behind it: no keep-alive can be asked for yet."""
    config = stalled(serve(OPENSSH), count, ServerAliveInterval=1, ServerAliveCountMax=2)
    begin = time.monotonic()
    result = run([UNDER_TEST.ssh, "-F", config, "127.0.0.1", "true"], timeout=30)
    assert result.returncode == 255
    assert re.search(rb"Connection to 127.0.0.1 port \d+ timed out\r\n$", result.stderr)
    assert 1.9 < time.monotonic() - begin < 20


@OURS_ONLY
@pytest.mark.parametrize("count", [100, 400])
def test_connect_timeout_is_for_the_key_exchange_as_well(count, serve, stalled):
    """As ssh_config(5) says; OpenSSH waits for ever."""
    config = stalled(serve(OPENSSH), count, ConnectTimeout=2)
    begin = time.monotonic()
    result = run([OURS.ssh, "-F", config, "127.0.0.1", "true"], timeout=30)
    assert result.returncode == 255
    assert re.search(rb"Connection to 127.0.0.1 port \d+ timed out\r\n$", result.stderr)
    assert 1.9 < time.monotonic() - begin < 20


@OURS_ONLY
@pytest.mark.parametrize("suite, trips", [(OURS, 4), (OPENSSH, 6)], ids=str)
def test_a_login_costs_few_round_trips(serve, key, relay, suite, trips):
    """A round trip is a second here, so that a busy machine does not matter."""
    server = serve(suite)
    config, path = through(server, relay, key, KexAlgorithms="curve25519-sha256")
    path("delay 500")
    begin = time.monotonic()
    result = run([OURS.ssh, "-F", config, "127.0.0.1", "echo up"])
    took = time.monotonic() - begin
    assert (result.returncode, result.stdout) == (0, b"up\n"), result.stderr
    assert took < trips + 0.9


@OURS_ONLY
def test_a_session_behind_a_key_that_is_refused(serve, key, relay, tmp_path):
    """What went out behind the first key is dropped, and goes out again behind the second."""
    server = serve(OURS)
    other = make_key(tmp_path, "other")
    config = server.client_config(key)
    words = ["-o", f"IdentityFile={other}", "-o", f"IdentityFile={key}"]
    lines = config.read_text().replace(f"    IdentityFile {key}\n", "")
    config.write_text(lines)
    data = os.urandom(200_000)
    result = run([OURS.ssh, "-F", config, *words, "127.0.0.1", "cat"], input=data)
    assert (result.returncode, result.stdout == data) == (0, True), result.stderr


@OURS_ONLY
@pytest.mark.parametrize("subsystem", [[], ["-s"]], ids=["command", "subsystem"])
def test_a_login_that_fails_leaves_descriptors_as_they_were(serve, tmp_path, subsystem):
    server = serve(OURS, "Subsystem sftp internal-sftp")
    config = server.client_config(make_key(tmp_path, "other"))
    pipes = [os.pipe() for _ in range(3)]
    ours = [pipes[0][0], pipes[1][1], pipes[2][1]]
    session = subprocess.Popen(
        [OURS.ssh, "-F", config, *subsystem, "127.0.0.1", "sftp"],
        stdin=ours[0],
        stdout=ours[1],
        stderr=ours[2],
    )
    assert session.wait(20) == 255
    assert [os.get_blocking(number) for number in ours] == [True] * 3
    for number in sum(pipes, ()):
        os.close(number)
