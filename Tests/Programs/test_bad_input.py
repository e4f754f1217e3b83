# SPDX-License-Identifier: Apache-2.0
"""What a mistake or a hostile peer gets: a clear error, the right status, and no hang."""
import os
import re
import socket
import struct
import threading

import pytest
from conftest import OPENSSH, UNDER_TEST, make_key, run, wait_until


def fake_server(answer):
    """Listens once and sends `answer` to whoever connects; returns the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.sendall(answer)
            connection.settimeout(10)
            try:
                while connection.recv(65536):
                    pass
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def connect(port, *options):
    return run(
        [UNDER_TEST.ssh, "-F", "none", "-o", "BatchMode=yes", "-o", "UserKnownHostsFile=/dev/null"]
        + ["-o", "StrictHostKeyChecking=no", "-p", port, *options, "127.0.0.1", "true"],
        timeout=20,
    )


def test_a_peer_that_is_not_ssh():
    result = connect(fake_server(b"HTTP/1.0 200 OK\r\n" * 1100), "-o", "ConnectTimeout=5")
    assert result.returncode == 255
    assert b"banner" in result.stderr or b"identification" in result.stderr


def test_a_peer_of_protocol_1_only():
    result = connect(fake_server(b"SSH-1.5-old\r\n"))
    assert result.returncode == 255
    assert b"Protocol major versions differ: 2 vs. 1" in result.stderr


@pytest.mark.parametrize("length", [0, 1, 0x7FFF_FFFF, 0xFFFF_FFFF])
def test_a_packet_of_a_bad_length(length):
    result = connect(fake_server(b"SSH-2.0-x\r\n" + struct.pack(">I", length) + b"\0" * 64))
    assert result.returncode == 255
    assert b"Bad packet length" in result.stderr


def test_a_peer_that_hangs_up():
    port = fake_server(b"")
    result = connect(port, "-o", "ConnectTimeout=2")
    assert result.returncode == 255
    assert b"timed out" in result.stderr.lower()


def test_nobody_listens():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    result = connect(port)
    assert result.returncode == 255
    assert result.stderr.decode() == (
        f"ssh: connect to host 127.0.0.1 port {port}: Connection refused\r\n"
    )


def test_an_unknown_host_name():
    result = run([UNDER_TEST.ssh, "-F", "none", "no.such.host.invalid", "true"])
    assert result.returncode == 255
    assert result.stderr.startswith(b"ssh: Could not resolve hostname no.such.host.invalid: ")


def test_no_common_algorithm(serve, key):
    peer = serve(OPENSSH, "KexAlgorithms curve25519-sha256")
    config = peer.client_config(key, KexAlgorithms="ecdh-sha2-nistp256")
    result = run([UNDER_TEST.ssh, "-F", config, "127.0.0.1", "true"])
    assert result.returncode == 255
    assert result.stderr.decode().strip() == (
        f"Unable to negotiate with 127.0.0.1 port {peer.port}: no matching key exchange method "
        "found. Their offer: curve25519-sha256,kex-strict-s-v00@openssh.com"
    )


def test_an_unknown_keyword_names_file_and_line(tmp_path):
    config = tmp_path / "config"
    config.write_text("Host *\n  Port 22\n  Prot 23\n")
    result = run([UNDER_TEST.ssh, "-F", config, "127.0.0.1", "true"])
    assert result.returncode == 255
    assert f"{config}: line 3: Bad configuration option: prot" in result.stderr.decode()
    assert f"{config}: terminating, 1 bad configuration options" in result.stderr.decode()


def test_an_unknown_keyword_of_the_server(tmp_path):
    config = tmp_path / "config"
    config.write_text("Port 22\nPermitRotLogin no\n")
    result = run([UNDER_TEST.sshd, "-t", "-f", config])
    assert result.returncode == 255
    assert f"{config}: line 2: Bad configuration option: PermitRotLogin" in result.stderr.decode()


def test_an_unknown_option_prints_the_usage():
    result = run([UNDER_TEST.ssh, "-9", "127.0.0.1"])
    assert result.returncode == 255
    assert b"unknown option -- 9" in result.stderr
    assert b"usage: ssh" in result.stderr


@pytest.mark.parametrize("cipher", ["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com"])
def test_a_bit_flipped_on_the_way_is_noticed(cipher, serve, key):
    peer = serve(OPENSSH)
    listener = socket.create_server(("127.0.0.1", 0))

    def relay():
        client, _ = listener.accept()
        server = socket.create_connection(("127.0.0.1", peer.port))

        def pump(source, target, flip_at=None):
            seen = 0
            try:
                while data := source.recv(65536):
                    if flip_at is not None and seen <= flip_at < seen + len(data):
                        data = bytearray(data)
                        data[flip_at - seen] ^= 1
                    seen += len(data)
                    target.sendall(data)
            except OSError:
                pass
            for end in (source, target):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

        threading.Thread(target=pump, args=(client, server), daemon=True).start()
        pump(server, client, flip_at=6000)

    threading.Thread(target=relay, daemon=True).start()
    config = peer.client_config(key, Ciphers=cipher, Port=listener.getsockname()[1],
        StrictHostKeyChecking="no", UserKnownHostsFile="/dev/null")
    result = run([UNDER_TEST.ssh, "-F", config, "127.0.0.1", "head -c 100000 /dev/zero"])
    assert result.returncode == 255
    assert re.search(rb"message authentication code incorrect|Bad packet length|Corrupted MAC",
        result.stderr)


def test_a_private_key_that_others_can_read_is_not_used(serve, key):
    peer = serve(OPENSSH)
    config = peer.client_config(key)
    key.chmod(0o644)
    result = run([UNDER_TEST.ssh, "-F", config, "127.0.0.1", "true"])
    text = result.stderr.decode()
    assert result.returncode == 255
    assert "WARNING: UNPROTECTED PRIVATE KEY FILE!" in text
    assert f"Permissions 0644 for '{key}' are too open." in text
    assert f'Load key "{key}": bad permissions' in text


def test_a_truncated_key(serve, tmp_path, key):
    peer = serve(OPENSSH)
    broken = make_key(tmp_path, "broken")
    peer.allow(broken)
    broken.write_text(broken.read_text()[:150])
    result = run([UNDER_TEST.ssh, "-F", peer.client_config(broken), "127.0.0.1", "true"])
    assert result.returncode == 255
    assert f'Load key "{broken}": ' in result.stderr.decode()


def test_a_wrong_passphrase(serve, tmp_path, askpass):
    locked = make_key(tmp_path, "locked", passphrase="right one")
    peer = serve(OPENSSH)
    peer.allow(locked)
    environment, asked = askpass("wrong one")
    config = peer.client_config(locked, BatchMode="no", PreferredAuthentications="publickey")
    result = run([UNDER_TEST.ssh, "-F", config, "127.0.0.1", "true"], env=environment)
    assert result.returncode == 255
    assert len(asked()) == 3


# The server's side.


def dialogue(port, *chunks, seconds=10):
    """Sends chunks to a server and returns all it says until it hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        for chunk in chunks:
            connection.sendall(chunk)
        received = b""
        try:
            while data := connection.recv(65536):
                received += data
        except ConnectionResetError:
            pass
        return received


def test_the_server_tells_a_peer_that_is_not_ssh(serve):
    peer = serve(UNDER_TEST)
    assert b"Invalid SSH identification string." in dialogue(peer.port, b"GET / HTTP/1.0\r\n\r\n")
    assert peer.answers()


def test_the_server_refuses_protocol_1(serve):
    peer = serve(UNDER_TEST)
    assert b"Protocol major versions differ." in dialogue(peer.port, b"SSH-1.5-old\r\n")


def test_the_server_survives_junk(serve):
    peer = serve(UNDER_TEST)
    for seed in range(20):
        junk = bytes((seed * 7 + index * index) & 0xFF for index in range(3000))
        dialogue(peer.port, b"SSH-2.0-junk\r\n", junk)
    assert peer.answers()


def test_a_mute_client_is_dropped(serve):
    peer = serve(UNDER_TEST, "LoginGraceTime 1")
    dialogue(peer.port, seconds=6)
    wait_until(lambda: "Timeout before authentication" in peer.log_text(), "the log line")
