# SPDX-License-Identifier: Apache-2.0
"""ssh-keyscan against OpenSSH's sshd: what it prints, where, and with which status."""
import socket
import threading
import time

import pytest
from conftest import OPENSSH, UNDER_TEST, free_port, run

KINDS = ("rsa", "ecdsa", "ed25519")


@pytest.fixture
def server(serve):
    return serve(OPENSSH, host_key_kinds=KINDS)


def scan(port, *words, **options):
    return run([UNDER_TEST.ssh_keyscan, "-p", port, *words], **options)


def public_key(server, kind):
    return server.folder.joinpath(f"host_{kind}.pub").read_text().split()[:2]


def printed(result):
    return sorted(result.stdout.decode().splitlines())


def lines(server, *names, kinds=KINDS):
    return sorted(
        " ".join([f"[{name}]:{server.port}", *public_key(server, kind)])
        for name in names
        for kind in kinds
    )


def test_every_key_is_printed(server):
    result = scan(server.port, "127.0.0.1")
    assert result.returncode == 0
    assert printed(result) == lines(server, "127.0.0.1")
    banners = set(result.stderr.decode().splitlines())
    assert len(banners) == 1
    assert banners.pop().startswith(f"# 127.0.0.1:{server.port} SSH-2.0-OpenSSH")


@pytest.mark.parametrize("kind", KINDS)
def test_one_kind(server, kind):
    assert printed(scan(server.port, "-t", kind, "localhost")) == lines(
        server, "localhost", kinds=[kind]
    )


def test_hosts_of_a_file_with_their_names(server, tmp_path):
    file = tmp_path / "hosts"
    file.write_text("# all\n\n127.0.0.1 One,two\n  127.0.0.1,alias # both\n")
    expected = lines(server, "one", "two", "127.0.0.1", "alias", kinds=["ed25519"])
    assert printed(scan(server.port, "-t", "ed25519", "-f", file)) == expected
    result = scan(server.port, "-t", "ed25519", "-f", "-", input=file.read_bytes())
    assert printed(result) == expected


def test_a_range_of_addresses(server):
    result = scan(server.port, "-t", "ed25519", "127.0.0.0/29")
    assert printed(result) == lines(server, "127.0.0.1", kinds=["ed25519"])


def test_hashed_names_are_found_again(server, tmp_path):
    result = scan(server.port, "-H", "-t", "ed25519", "127.0.0.1")
    assert result.stdout.startswith(b"|1|")
    known = tmp_path / "known"
    known.write_bytes(result.stdout)
    found = run([OPENSSH.ssh_keygen, "-F", f"[127.0.0.1]:{server.port}", "-f", known])
    assert found.returncode == 0


@pytest.mark.parametrize("kind", KINDS)
def test_records_are_those_of_ssh_keygen(server, kind):
    result = scan(server.port, "-D", "-t", kind, "127.0.0.1")
    key = server.folder / f"host_{kind}.pub"
    expected = run([OPENSSH.ssh_keygen, "-r", "127.0.0.1", "-f", key])
    assert result.stdout == expected.stdout
    assert result.stderr.startswith(b"; 127.0.0.1:")


def test_certificates(serve, tmp_path):
    server = serve(OPENSSH, f"HostCertificate {tmp_path}/server0/host_rsa-cert.pub", host_key_kinds=["rsa"])
    run([OPENSSH.ssh_keygen, "-q", "-s", server.host_keys[0], "-I", "x", "-h", str(server.host_keys[0]) + ".pub"])
    server.stop()
    server.start()
    result = scan(server.port, "-c", "-t", "rsa", "127.0.0.1")
    blob = server.folder.joinpath("host_rsa-cert.pub").read_text().split()[:2]
    assert result.stdout.decode().split() == blob


def test_many_hosts_at_once_take_no_longer_than_one():
    silent = socket.create_server(("127.0.0.1", 0), backlog=300)
    port = silent.getsockname()[1]
    begin = time.monotonic()
    result = scan(port, "-T", "1", "-t", "rsa", "127.0.0.0/24")
    assert result.returncode == 1
    assert result.stdout == b""
    assert time.monotonic() - begin < 5


def test_nobody_there():
    result = scan(free_port(), "127.0.0.1")
    assert (result.returncode, result.stdout, result.stderr) == (1, b"", b"")


@pytest.mark.parametrize(
    "answer, message",
    [
        (b"", b"127.0.0.1: Connection closed by remote host\r\n"),
        (b"SSH-1.5-old\r\n", b""),
        (b"SSH-2.0-x\x1b[1m\r\n" + b"\xff" * 64, b"Bad packet length 4294967295.\r\n"),
    ],
)
def test_peers_that_are_no_ssh_servers(answer, message):
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(5)
            try:
                while connection.recv(65536):
                    pass
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    result = scan(listener.getsockname()[1], "-t", "rsa", "127.0.0.1")
    assert result.returncode == 1
    assert result.stderr.endswith(message)
    # OpenSSH hands escape sequences on to the terminal.
    assert UNDER_TEST is OPENSSH or b"\x1b" not in result.stderr


@pytest.mark.parametrize(
    "words, status, message",
    [
        (["-t", "no-such", "127.0.0.1"], 255, b'Unknown key type "no-such"\r\n'),
        (["-T", "0", "127.0.0.1"], 1, b"Bad timeout '0'\n"),
        (["-p", "65536", "127.0.0.1"], 1, b"Bad port '65536'\n"),
        (["-z"], 1, b"unknown option -- z\r\nusage: ssh-keyscan"),
        ([], 1, b"usage: ssh-keyscan"),
        (["-f", "/no/such"], 255, b"/no/such: No such file or directory\r\n"),
        (["no-such.invalid"], 1, b"getaddrinfo no-such.invalid: "),
    ],
)
def test_mistakes(words, status, message):
    result = run([UNDER_TEST.ssh_keyscan, *words])
    assert result.returncode == status
    assert message in result.stderr
