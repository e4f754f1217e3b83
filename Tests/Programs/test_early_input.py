# SPDX-License-Identifier: Apache-2.0
"""Input from a file goes out before the user is known to be in (docs/protocol/early-session.md)."""
import hashlib
import os
import socket
import subprocess
import threading
import time

import pytest
from conftest import OPENSSH, OURS, make_key, run, wait_until

SIZE = 5_000_000
servers = pytest.mark.parametrize("server", [OPENSSH, OURS], ids=lambda suite: suite.name)


@pytest.fixture
def content(tmp_path):
    path = tmp_path / "content"
    path.write_bytes(os.urandom(SIZE))
    return path


def digest(data):
    return hashlib.sha256(data).hexdigest()


def sent(peer, config, content, command="sha256sum", **options):
    with content.open("rb") as file:
        return run([OURS.ssh, "-F", config, "127.0.0.1", command], stdin=file, **options)


class Withholding:
    """A path on which the server is not heard from once the client has changed keys."""

    def __init__(self, port):
        self.from_client = 0
        self.isOpen = threading.Event()
        self.hasKeys = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, args=(port,), daemon=True).start()

    def serve(self, port):
        client = self.listener.accept()[0]
        server = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=self.answers, args=(server, client), daemon=True).start()
        plain = b""
        while data := client.recv(1 << 16):
            if not self.hasKeys.is_set():
                plain += data
                if self.ends_with_new_keys(plain):
                    self.hasKeys.set()
            self.from_client += len(data)
            server.sendall(data)
        server.shutdown(socket.SHUT_WR)

    @staticmethod
    def ends_with_new_keys(plain):
        """RFC 4253: the line, then packets; 21 is the last that is not encrypted."""
        at = plain.find(b"\n") + 1
        while at and len(plain) >= at + 6:
            if plain[at + 5] == 21:
                return True
            at += 4 + int.from_bytes(plain[at:at + 4], "big")
        return False

    def answers(self, server, client):
        try:
            while data := server.recv(1 << 16):
                if self.hasKeys.is_set():
                    self.isOpen.wait(30)
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def test_a_file_is_on_its_way_before_the_server_has_answered(serve, key, content):
    peer = serve(OURS)
    path = Withholding(peer.port)
    config = peer.client_config(key, Port=path.port, HostKeyAlias=f"[127.0.0.1]:{peer.port}")
    with content.open("rb") as file:
        client = subprocess.Popen(
            [OURS.ssh, "-F", config, "127.0.0.1", "sha256sum"],
            stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        wait_until(lambda: path.from_client > SIZE, "the whole file")
        path.isOpen.set()
        output, errors = client.communicate(timeout=20)
    assert (client.returncode, errors) == (0, b"")
    assert output.split()[0].decode() == digest(content.read_bytes())


def test_input_that_may_be_others_waits_for_the_answer(serve, key, content):
    peer = serve(OURS)
    path = Withholding(peer.port)
    config = peer.client_config(key, Port=path.port, HostKeyAlias=f"[127.0.0.1]:{peer.port}")
    with subprocess.Popen(["cat", content], stdout=subprocess.PIPE) as source:
        client = subprocess.Popen(
            [OURS.ssh, "-F", config, "127.0.0.1", "sha256sum"],
            stdin=source.stdout, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        source.stdout.close()
        assert path.hasKeys.wait(10)
        time.sleep(0.3)
        assert path.from_client < 20_000
        path.isOpen.set()
        output, errors = client.communicate(timeout=20)
    assert (client.returncode, errors) == (0, b"")
    assert output.split()[0].decode() == digest(content.read_bytes())


@servers
def test_it_arrives_once_when_the_first_keys_are_refused(serve, key, content, tmp_path, server):
    peer = serve(server)
    others = [make_key(tmp_path, f"other{number}") for number in range(3)]
    config = peer.client_config(f"{others[0]}")
    names = "".join(f"    IdentityFile {each}\n" for each in [*others[1:], key])
    config.write_text(config.read_text() + names)
    result = sent(peer, config, content)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.split()[0].decode() == digest(content.read_bytes())


@servers
def test_it_arrives_once_behind_a_password(serve, account, askpass, content, tmp_path, server):
    name, password = account
    peer = serve(server, "UsePAM yes", user=name)
    environment, asked = askpass(password)
    config = peer.client_config(make_key(tmp_path, "other"), BatchMode="no")
    result = sent(peer, config, content, env=environment)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split()[0].decode() == digest(content.read_bytes())
    assert len(asked()) == 1


@servers
def test_the_file_is_left_to_others_when_nobody_is_let_in(serve, content, tmp_path, server):
    peer = serve(server)
    config = peer.client_config(make_key(tmp_path, "other"))
    with content.open("rb", buffering=0) as file:
        file.seek(1000)
        result = run([OURS.ssh, "-F", config, "127.0.0.1", "cat"], stdin=file)
        assert result.returncode == 255
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 1000


@servers
def test_a_command_that_does_not_read_it_ends(serve, key, content, server):
    peer = serve(server)
    result = sent(peer, peer.client_config(key), content, "head -c 5; exit 3")
    assert (result.returncode, result.stderr) == (3, b"")
    assert result.stdout == content.read_bytes()[:5]


@servers
def test_a_session_that_is_refused_drops_it(serve, key, content, server):
    peer = serve(server, "MaxSessions 0")
    result = sent(peer, peer.client_config(key), content)
    assert result.returncode == 255
    assert result.stdout == b""


@servers
def test_input_that_is_not_asked_for_stays(serve, key, content, server):
    peer = serve(server)
    config = peer.client_config(key)
    with content.open("rb", buffering=0) as file:
        result = run([OURS.ssh, "-F", config, "-n", "127.0.0.1", "cat; echo here"], stdin=file)
        assert (result.returncode, result.stdout) == (0, b"here\n")
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 0
