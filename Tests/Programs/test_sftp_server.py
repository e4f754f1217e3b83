# SPDX-License-Identifier: Apache-2.0
"""sftp-server against clients of others: OpenSSH's sftp, paramiko, and raw packets."""
import os
import select
import struct
import subprocess

import paramiko
import pytest

from conftest import OPENSSH, OURS_ONLY, PREFIX, SECONDS, UNDER_TEST, run

SERVER = (
    "/usr/lib/openssh/sftp-server" if UNDER_TEST is OPENSSH else str(PREFIX / "libexec/sftp-server")
)


def string(value):
    return struct.pack(">I", len(value)) + value


class Raw:
    """Packets as they are, one request at a time."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [SERVER, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.number = 0
        self.send(b"\x01" + struct.pack(">I", 3))
        self.greeting = self.receive()

    def send(self, packet):
        self.process.stdin.write(string(packet))
        self.process.stdin.flush()

    def receive(self):
        head = self.read(4)
        return self.read(struct.unpack(">I", head)[0]) if len(head) == 4 else None

    def read(self, count):
        """So many bytes, or what came before the end; a server that says nothing fails the test."""
        data = b""
        while len(data) < count:
            ready, _, _ = select.select([self.process.stdout], [], [], SECONDS)
            if not ready:
                self.process.kill()
                pytest.fail(f"no answer within {SECONDS} s")
            more = os.read(self.process.stdout.fileno(), count - len(data))
            if not more:
                break
            data += more
        return data

    def ask(self, kind, body):
        self.number += 1
        self.send(bytes([kind]) + struct.pack(">I", self.number) + body)
        return self.receive()

    def extended(self, name, body):
        return self.ask(200, string(name) + body)

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        log = self.process.stderr.read().decode(errors="replace")
        self.process.stderr.close()
        return self.process.wait(10), log


def status(answer):
    assert answer[0] == 101, answer
    return struct.unpack(">I", answer[5:9])[0]


def name(answer):
    assert answer[0] == 104, answer
    length = struct.unpack(">I", answer[9:13])[0]
    return answer[13 : 13 + length]


@pytest.fixture
def raw():
    server = Raw("-e")
    yield server
    if server.process.poll() is None:
        server.end()


EXTENSIONS = [
    (b"posix-rename@openssh.com", b"1"),
    (b"statvfs@openssh.com", b"2"),
    (b"fstatvfs@openssh.com", b"2"),
    (b"hardlink@openssh.com", b"1"),
    (b"fsync@openssh.com", b"1"),
    (b"lsetstat@openssh.com", b"1"),
    (b"limits@openssh.com", b"1"),
    (b"expand-path@openssh.com", b"1"),
    (b"copy-data", b"1"),
    (b"home-directory", b"1"),
    (b"users-groups-by-id@openssh.com", b"1"),
]


def test_greeting_tells_every_extension(raw):
    assert raw.greeting[:5] == b"\x02\x00\x00\x00\x03"
    for extension, version in EXTENSIONS:
        assert string(extension) + string(version) in raw.greeting


def test_limits(raw):
    answer = raw.extended(b"limits@openssh.com", b"")
    packet, read, write, handles = struct.unpack(">QQQQ", answer[5:])
    assert (packet, read, write) == (262144, 261120, 261120)
    assert handles > 0


def test_expand_path_and_home(raw):
    assert name(raw.extended(b"expand-path@openssh.com", string(b"~"))) == os.getcwd().encode()
    assert name(raw.extended(b"expand-path@openssh.com", string(b"~root/x"))) == b"/root/x"
    assert status(raw.extended(b"expand-path@openssh.com", string(b"~nosuch"))) == 2
    assert name(raw.extended(b"home-directory", string(b"root"))) == b"/root"
    assert status(raw.extended(b"home-directory", string(b""))) == 4


def test_names_of_numbers(raw):
    answer = raw.extended(
        b"users-groups-by-id@openssh.com",
        string(struct.pack(">II", 0, 99999)) + string(struct.pack(">II", 0, 99999)),
    )
    names = string(b"root") + string(b"")
    assert answer[5:] == string(names) + string(names)


def test_realpath(raw, tmp_path):
    base = bytes(tmp_path)
    (tmp_path / "x").mkdir()
    assert name(raw.ask(16, string(base + b"/x/../missing"))) == base + b"/missing"
    assert status(raw.ask(16, string(base + b"/missing/below"))) == 2
    assert name(raw.ask(16, string(b"/"))) == b"/"
    assert name(raw.ask(16, string(b"/nosuch"))) == b"/nosuch"


def test_open_read_write_close(raw, tmp_path):
    path = string(bytes(tmp_path / "file"))
    answer = raw.ask(3, path + struct.pack(">III", 0x1A, 4, 0o640))
    assert answer[0] == 102
    handle = answer[5:]
    data = os.urandom(100_000)
    assert status(raw.ask(6, handle + struct.pack(">Q", 0) + string(data))) == 0
    assert status(raw.ask(6, handle + struct.pack(">Q", 100_000) + string(b"end"))) == 0
    assert status(raw.ask(4, handle)) == 0
    assert (tmp_path / "file").read_bytes() == data + b"end"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640 & ~0o022
    answer = raw.ask(3, path + struct.pack(">II", 1, 0))
    handle = answer[5:]
    answer = raw.ask(5, handle + struct.pack(">QI", 99_990, 1 << 31))
    assert answer[0] == 103 and answer[9:] == data[99_990:] + b"end"
    assert status(raw.ask(5, handle + struct.pack(">QI", 100_003, 10))) == 1
    assert status(raw.ask(4, handle)) == 0
    assert status(raw.ask(4, handle)) != 0


def test_rename_never_replaces_but_posix_rename_does(raw, tmp_path):
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    both = string(bytes(tmp_path / "a")) + string(bytes(tmp_path / "b"))
    assert status(raw.ask(18, both)) == 4
    assert (tmp_path / "b").read_text() == "b"
    assert status(raw.extended(b"posix-rename@openssh.com", both)) == 0
    assert (tmp_path / "b").read_text() == "a"
    (tmp_path / "d").mkdir()
    both = string(bytes(tmp_path / "d")) + string(bytes(tmp_path / "e"))
    assert status(raw.ask(18, both)) == 0
    assert (tmp_path / "e").is_dir()


def test_copy_data(raw, tmp_path):
    data = os.urandom(300_000)
    (tmp_path / "from").write_bytes(data)
    source = raw.ask(3, string(bytes(tmp_path / "from")) + struct.pack(">II", 1, 0))[5:]
    target = raw.ask(3, string(bytes(tmp_path / "to")) + struct.pack(">II", 0x1A, 0))[5:]
    body = source + struct.pack(">QQ", 0, 0) + target + struct.pack(">Q", 0)
    assert status(raw.extended(b"copy-data", body)) == 0
    assert (tmp_path / "to").read_bytes() == data
    body = source + struct.pack(">QQ", 10, 20) + target + struct.pack(">Q", 300_000)
    assert status(raw.extended(b"copy-data", body)) == 0
    assert (tmp_path / "to").read_bytes() == data + data[10:30]


@pytest.mark.parametrize(
    "packet",
    [
        b"",  # no type
        b"\x03\x00\x00\x00\x01\xff\xff\xff\xff",  # a string beyond the packet
        b"\x06\x00\x00\x00\x01",  # a write of nothing
        b"\xc8\x00\x00\x00\x01\x00\x00\x00\x02a",  # a name cut short
    ],
)
def test_a_malformed_packet_ends_the_session(packet):
    if UNDER_TEST is OPENSSH and packet == b"":
        pytest.skip("OpenSSH waits for a fifth byte before it looks at the length")
    server = Raw("-e")
    server.send(packet)
    assert server.receive() is None
    code, _ = server.end()
    assert code > 0


def test_a_packet_beyond_the_limit_ends_the_session():
    server = Raw("-e")
    server.process.stdin.write(struct.pack(">I", 262145) + b"\x01")
    server.process.stdin.flush()
    assert server.receive() is None
    code, _ = server.end()
    assert code > 0


def test_a_path_with_a_zero_byte_is_refused(raw):
    if UNDER_TEST is OPENSSH:
        pytest.skip("OpenSSH takes it for a malformed packet")
    assert status(raw.ask(17, string(b"/etc\0/passwd"))) == 5


def test_read_only(tmp_path):
    server = Raw("-R", "-e")
    assert b"posix-rename" not in server.greeting
    path = string(bytes(tmp_path / "new"))
    assert status(server.ask(3, path + struct.pack(">II", 0x1A, 0))) == 3
    assert status(server.ask(14, path + struct.pack(">I", 0))) == 3
    assert list(tmp_path.iterdir()) == []
    server.end()


@OURS_ONLY
def test_names_in_the_log_are_escaped(tmp_path):
    server = Raw("-e", "-l", "INFO")
    server.ask(13, string(b"/nosuch/\x1b]0;title\x07\xff\n"))
    code, log = server.end()
    assert code == 0
    assert 'remove name "/nosuch/\\033]0;title\\007\\377\\012"' in log
    assert "session closed for local user" in log


def test_requests_are_listed():
    listed = run([SERVER, "-Q", "requests"])
    assert listed.returncode == 0
    names = listed.stdout.decode().split()
    assert names[:4] == ["open", "close", "read", "write"]
    assert {"posix-rename", "copy-data", "users-groups-by-id"} <= set(names)
    assert run([SERVER, "-Q", "other"]).returncode == 1


def test_umask_and_start_directory(tmp_path):
    server = Raw("-u", "077", "-d", str(tmp_path))
    answer = server.ask(3, string(b"file") + struct.pack(">III", 0x1A, 4, 0o666))
    assert answer[0] == 102
    server.end()
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_openssh_sftp(tmp_path):
    data = os.urandom(1_500_000)
    (tmp_path / "big").write_bytes(data)
    script = "\n".join(
        [
            f"cd {tmp_path}",
            "put big copy",
            "get copy back",
            "mkdir dir",
            "rename copy dir/moved",
            "ln dir/moved hard",
            "ln -s dir/moved soft",
            "cp hard third",
            "chmod 600 third",
            "ls -l",
            "df -h .",
            "rm third",
        ]
    )
    result = run(
        [OPENSSH.sftp, "-D", SERVER, "-b", "-"],
        input=(f"lcd {tmp_path}\n" + script + "\n").encode(),
    )
    assert result.returncode == 0, result.stderr
    for place in ["back", "dir/moved", "hard", "soft"]:
        assert (tmp_path / place).read_bytes() == data
    assert not (tmp_path / "third").exists()


class Pipes:
    """A server's pipes, as paramiko wants a channel."""

    def __init__(self):
        self.process = subprocess.Popen(
            [SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

    def send(self, data):
        return self.process.stdin.write(data)

    def recv(self, count):
        return self.process.stdout.read(count)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)

    def get_name(self):
        return "pipes"


def test_paramiko(tmp_path):
    client = paramiko.SFTPClient(Pipes())
    data = os.urandom(700_001)
    with client.open(str(tmp_path / "file"), "wb") as file:
        file.set_pipelined(True)
        file.write(data)
    with client.open(str(tmp_path / "file"), "rb") as file:
        file.prefetch()
        assert file.read() == data
    for number in range(1500):
        (tmp_path / f"entry{number:04}-{'x' * 60}").touch()
    assert len(client.listdir(str(tmp_path))) == 1501
    assert client.stat(str(tmp_path / "file")).st_size == 700_001
    client.truncate(str(tmp_path / "file"), 10)
    assert client.stat(str(tmp_path / "file")).st_size == 10
    client.utime(str(tmp_path / "file"), (1_000_000, 2_000_000))
    assert (tmp_path / "file").stat().st_mtime == 2_000_000
    client.symlink("file", str(tmp_path / "link"))
    assert client.readlink(str(tmp_path / "link")) == "file"
    assert client.lstat(str(tmp_path / "link")).st_mode & 0o170000 == 0o120000
    client.close()


@pytest.mark.parametrize("path,real", [
    ("file/", "file"), ("nothere", "nothere"), ("nothere/", None), ("nothere/x", None), ("link", "file"),
    ("dangling", "nowhere"), ("twice", "nowhere"), ("loop", None), ("away", None), ("folder/../nothere", "nothere"),
])
def test_realpath_of_what_is_not_there(raw, tmp_path, path, real):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    for link, target in (("link", "file"), ("dangling", "nowhere"), ("twice", tmp_path / "dangling"),
                         ("loop", "loop"), ("away", "nowhere/x")):
        (tmp_path / link).symlink_to(target)
    answer = raw.ask(16, string(os.fsencode(tmp_path / path) + (b"/" if path.endswith("/") else b"")))
    if real is None:
        assert status(answer) != 0
    else:
        assert name(answer) == os.fsencode(tmp_path / real)
