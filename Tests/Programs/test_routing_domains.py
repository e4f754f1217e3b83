# SPDX-License-Identifier: Apache-2.0
"""Routing domains of sshd (sshd_config(5), ListenAddress … rdomain, RDomain, Match RDomain). Linux knows
them as network interfaces: in a network namespace of the test's own, a VRF where the kernel has them and
any other interface where it has not."""
import glob
import os
import pathlib
import shutil
import subprocess

import pytest
from conftest import OPENSSH, OURS, make_key, run, wait_until

BOUND = (
    "import socket;s=socket.socket();"
    "print(s.getsockopt(socket.SOL_SOCKET,socket.SO_BINDTODEVICE,16).rstrip(bytes(1)).decode())"
)


class Space:
    """A network namespace with the interfaces `near` and `far`, joined to each other."""

    def __init__(self):
        self.process = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo ready && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        assert self.process.stdout.readline() == b"ready\n"
        for words in (
            "link add near type veth peer name far", "addr add 10.77.0.1/24 dev near",
            "link set near up", "link set far up",
        ):
            assert self.run("ip", *words.split()).returncode == 0
        self.has_vrf = self.run("ip", "link", "add", "blue", "type", "vrf", "table", "77").returncode == 0
        if self.has_vrf:
            for words in ("link set blue up", "addr add 127.0.0.1/8 dev blue", "link set near master blue"):
                assert self.run("ip", *words.split()).returncode == 0

    @property
    def within(self):
        return ["nsenter", f"--target={self.process.pid}", "--net", "--"]

    def run(self, *words, **options):
        return run(self.within + list(words), **options)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


@pytest.fixture
def space():
    if os.getuid() != 0 or not shutil.which("nsenter") or not shutil.which("ip"):
        pytest.skip("needs root, nsenter and ip")
    made = Space()
    yield made
    made.close()
    for mount in {line.split()[1] for line in open("/proc/mounts") if line.split()[2] == "cgroup2"}:
        for folder in glob.glob(f"{mount}/**/hawser-rdomain/*", recursive=True):
            try:
                os.rmdir(folder)
                os.rmdir(os.path.dirname(folder))
            except OSError:
                pass


@pytest.fixture
def serve(space, tmp_path, key, me, home):
    """serve(suite, lines) starts a server there; returns a function that runs a client."""
    processes = []

    def start(suite, *lines):
        host_key = make_key(tmp_path, "host_key")
        home.chmod(0o755)
        (home / "authorized").write_text(pathlib.Path(f"{key}.pub").read_text())
        config = tmp_path / "sshd_config"
        config.write_text(
            f"Port 2222\nUsePAM no\nStrictModes no\nPrintLastLog no\nHostKey {host_key}\n"
            f"AuthorizedKeysFile {home}/authorized\nPidFile {tmp_path}/pid\nSetEnv SHLVL=3\n"
            + "LogLevel VERBOSE\n" + "".join(f"{line}\n" for line in lines)
        )
        pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        log = tmp_path / "log"
        processes.append(
            subprocess.Popen(
                space.within + [suite.sshd, "-D", "-f", str(config), "-E", str(log)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
        )
        count = sum(line.startswith("ListenAddress") for line in lines)
        wait_until(
            lambda: log.exists() and log.read_text().count("listening on") == count, "the server"
        )

        def client(address, *words, port=2222, before=(), user=me):
            return space.run(
                *before, OPENSSH.ssh, "-F", "none", "-p", str(port), "-i", key, "-o", "IdentitiesOnly=yes",
                "-o", f"UserKnownHostsFile={tmp_path}/known", "-o", "StrictHostKeyChecking=no",
                "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", f"{user}@{address}", *words,
            )

        client.log = lambda: log.read_text()
        return client

    yield start
    for process in processes:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize("suite", [OPENSSH, OURS], ids=lambda suite: suite.name)
def test_an_address_of_one_domain(suite, serve):
    client = serve(
        suite, "ListenAddress 0.0.0.0 rdomain lo",
        "Match rdomain lo", "SetEnv WHERE=lo", "Match rdomain *", "ForceCommand echo $WHERE",
    )
    result = client("127.0.0.1", "x")
    assert (result.returncode, result.stdout) == (0, b"lo\n"), result.stderr
    assert "Server listening on 0.0.0.0 port 2222 rdomain lo." in client.log()
    assert 'port 2222 rdomain "lo"' in client.log()


@pytest.mark.parametrize("suite", [OPENSSH, OURS], ids=lambda suite: suite.name)
def test_others_are_elsewhere(suite, serve, space):
    client = serve(
        suite, "ListenAddress 0.0.0.0:2223 rdomain near", "ListenAddress 127.0.0.1",
        "Match rdomain near", "ForceCommand echo in a domain",
    )
    result = client("127.0.0.1", "echo in none")
    assert (result.returncode, result.stdout) == (0, b"in none\n"), result.stderr
    assert 'rdomain ""' in client.log()
    result = client("10.77.0.1", "x", port=2223)
    assert (result.returncode, result.stdout) == (0, b"in a domain\n"), result.stderr
    assert client("127.0.0.1", "true", port=2223).returncode == 255


@pytest.mark.parametrize("suite", [OPENSSH, OURS], ids=lambda suite: suite.name)
@pytest.mark.parametrize("line,text", [
    ("ListenAddress 127.0.0.1 rdomain nowhere", "bad routing domain"),
    ("ListenAddress 127.0.0.1 rdomain", "bad ListenAddress syntax"),
    ("ListenAddress 127.0.0.1 vrf lo", "bad ListenAddress syntax"),
])
def test_mistakes(suite, line, text, tmp_path, space):
    file = tmp_path / "config"
    file.write_text(f"HostKey {make_key(tmp_path, 'host')}\n{line}\n")
    result = space.run(suite.sshd, "-t", "-f", file)
    assert result.returncode == 255
    assert f"{file} line 2: {text}" in result.stderr.decode()


def test_a_domain_must_be_there(tmp_path):
    file, host_key = tmp_path / "config", make_key(tmp_path, "host")
    file.write_text(f"HostKey {host_key}\nRDomain nowhere\n")
    result = run([OURS.sshd, "-t", "-f", file])
    assert result.returncode == 255
    assert f"{file} line 2: bad routing domain" in result.stderr.decode()
    for value in ("none", "%D", "lo"):
        file.write_text(f"HostKey {host_key}\nRDomain {value}\n")
        result = run([OURS.sshd, "-T", "-f", file])
        assert result.returncode == 0 and f"\nrdomain {value}\n".encode() in result.stdout
    # Where nobody says anything, nothing is shown that OpenSSH for Linux would refuse.
    file.write_text(f"HostKey {host_key}\n")
    assert b"rdomain" not in run([OURS.sshd, "-T", "-f", file]).stdout


needs_groups = pytest.mark.skipif(
    not any(line.split()[2] == "cgroup2" for line in open("/proc/mounts")),
    reason="needs control groups of version 2",
)


@needs_groups
@pytest.mark.parametrize("line,expected", [
    ("RDomain lo", b"lo\n"), ("RDomain %D", b"lo\n"), ("RDomain near", b"near\n"),
    ("RDomain none", b"\n"), ("Match rdomain near\nRDomain near", b"\n"),
    ("Match rdomain lo\nRDomain near", b"near\n"),
])
def test_what_a_session_opens_is_in_its_domain(line, expected, serve):
    client = serve(OURS, "ListenAddress 127.0.0.1 rdomain lo", line)
    result = client("127.0.0.1", f"python3 -c '{BOUND}'")
    assert (result.returncode, result.stdout) == (0, expected), (result.stderr, client.log())


@needs_groups
def test_outside_of_any_domain_the_token_means_none(serve):
    client = serve(OURS, "ListenAddress 127.0.0.1", "RDomain %D")
    result = client("127.0.0.1", f"python3 -c '{BOUND}'")
    assert (result.returncode, result.stdout) == (0, b"\n"), (result.stderr, client.log())


@needs_groups
@pytest.mark.parametrize("domain,reached", [("lo", True), ("near", False)])
def test_what_is_forwarded_is_in_the_domain_too(domain, reached, serve, space):
    client = serve(OURS, "ListenAddress 127.0.0.1", f"RDomain {domain}", "LoginGraceTime 5")
    service = subprocess.Popen(
        space.within + ["python3", "-c",
                        "import socket;l=socket.create_server(('127.0.0.1',2300));print(1,flush=True)\n"
                        "while True: l.accept()[0].sendall(b'here')"],
        stdout=subprocess.PIPE,
    )
    try:
        assert service.stdout.readline() == b"1\n"
        result = client("127.0.0.1", "-o", "ConnectTimeout=5", "-W", "127.0.0.1:2300")
        assert (result.stdout == b"here") == reached, (result.stderr, client.log())
    finally:
        service.terminate()
        service.wait(10)
        service.stdout.close()


@needs_groups
def test_the_user_may_be_anyone(serve, account, tmp_path):
    """The domain is entered before the privileges are given up."""
    name, _ = account
    client = serve(OURS, "ListenAddress 127.0.0.1 rdomain lo", f"Match User {name}", "RDomain near")
    result = client("127.0.0.1", f"id -un; python3 -c '{BOUND}'", user=name)
    assert (result.returncode, result.stdout) == (0, f"{name}\nnear\n".encode()), (
        result.stderr, client.log()
    )


@needs_groups
def test_a_vrf(serve, space):
    if not space.has_vrf:
        pytest.skip("this kernel has no VRF (CONFIG_NET_VRF)")
    client = serve(OURS, "ListenAddress 127.0.0.1 rdomain blue", "RDomain %D")
    result = client("127.0.0.1", f"python3 -c '{BOUND}'", before=["ip", "vrf", "exec", "blue"])
    assert (result.returncode, result.stdout) == (0, b"blue\n"), (result.stderr, client.log())
    assert client("127.0.0.1", "true").returncode == 255
