# SPDX-License-Identifier: Apache-2.0
"""The configuration that a new installation has: what ssh-audit says of it, and who can log in."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from conftest import OPENSSH, OURS, ROOT, UNDER_TEST, run

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="UsePAM is root's")
CONFIGURATION = ROOT / "packaging" / "sshd_config"


@pytest.fixture
def installed(serve):
    """A server with the lines of the installed configuration and host keys of every usual kind."""
    lines = [
        line for line in CONFIGURATION.read_text().splitlines()
        if line and not line.startswith(("#", "Include"))
    ]
    return serve(UNDER_TEST, *lines, host_key_kinds=("ed25519", "rsa", "ecdsa"))


def ssh_audit():
    beside = pathlib.Path(sys.executable).parent / "ssh-audit"
    found = str(beside) if beside.exists() else shutil.which("ssh-audit")
    return found or pytest.skip("ssh-audit is not installed")


def test_ssh_audit_says_nothing_against_it(installed):
    result = run([ssh_audit(), "-j", f"127.0.0.1:{installed.port}"], timeout=60)
    report = json.loads(result.stdout)
    against = [
        (family, entry["algorithm"], level, entry["notes"][level])
        for family in ("kex", "key", "enc", "mac") for entry in report[family]
        for level in ("fail", "warn") if entry.get("notes", {}).get(level)
    ]
    assert against == []
    assert not report.get("cves")
    assert {entry["algorithm"] for entry in report["kex"]} >= {
        "mlkem768x25519-sha256", "sntrup761x25519-sha512"
    }
    assert result.returncode == 0, result.stdout


def test_the_audit_finds_something_with_the_builtin_lists(serve):
    peer = serve(UNDER_TEST)
    result = run([ssh_audit(), "-j", f"127.0.0.1:{peer.port}"], timeout=60)
    notes = {
        entry["algorithm"]: entry.get("notes", {}) for entry in json.loads(result.stdout)["kex"]
    }
    assert notes["ecdh-sha2-nistp256"]["fail"]


@pytest.mark.parametrize("client", [OPENSSH, OURS], ids=repr)
def test_ssh_logs_in(client, installed, key):
    config = installed.client_config(key)
    assert run([client.ssh, "-F", config, "127.0.0.1", "echo in"]).stdout == b"in\n"


def test_putty_logs_in(installed, key, tmp_path, me):
    if not shutil.which("plink"):
        pytest.skip("no plink")
    private = tmp_path / "key.ppk"
    assert run(["puttygen", key, "-o", private, "-O", "private"]).returncode == 0
    fingerprint = run(
        [OPENSSH.ssh_keygen, "-lf", f"{installed.host_keys[0]}.pub"]
    ).stdout.decode().split()[1]
    result = run(
        ["plink", "-batch", "-ssh", "-P", str(installed.port), "-i", private, "-hostkey",
         fingerprint, f"{me}@127.0.0.1", "echo in"],
    )
    assert result.stdout == b"in\n", result.stderr


def test_paramiko_logs_in(installed, key, me):
    paramiko = pytest.importorskip("paramiko")
    if "mlkem768x25519-sha256" not in paramiko.Transport._preferred_kex:
        pytest.skip("this paramiko has no key exchange that quantum computers do not break")
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect(
        "127.0.0.1", installed.port, me, key_filename=str(key), allow_agent=False,
        look_for_keys=False,
    )
    try:
        assert client.exec_command("echo in")[1].read() == b"in\n"
    finally:
        client.close()


def test_asyncssh_logs_in(installed, key, me):
    asyncssh = pytest.importorskip("asyncssh")
    import asyncio
    from asyncssh.kex import get_kex_algs

    if b"mlkem768x25519-sha256" not in get_kex_algs():
        pytest.skip("this asyncssh has no key exchange that quantum computers do not break")

    async def login():
        async with asyncssh.connect(
            "127.0.0.1", installed.port, username=me, client_keys=[str(key)], known_hosts=None,
            agent_path=None, config=None,
        ) as connection:
            return (await connection.run("echo in")).stdout

    assert asyncio.run(login()) == "in\n"


def test_an_old_dropbear_needs_the_lines_taken_away(serve, key, tmp_path, me):
    if not shutil.which("dbclient"):
        pytest.skip("no dbclient")
    converted = tmp_path / "dropbear"
    result = run(["dropbearconvert", "openssh", "dropbear", key, converted])
    assert result.returncode == 0, result.stderr
    lines = [
        line for line in CONFIGURATION.read_text().splitlines()
        if line and not line.startswith(("#", "Include", "Kex", "MACs", "HostKeyAlgorithms"))
    ]
    peer = serve(UNDER_TEST, *lines)
    result = run(
        ["dbclient", "-y", "-y", "-i", converted, "-p", str(peer.port), f"{me}@127.0.0.1", "echo in"],
        env=dict(os.environ, HOME=str(tmp_path)),
    )
    assert result.stdout == b"in\n", result.stderr


def test_it_is_installed_where_there_is_none(tmp_path):
    """By scripts/install, into a folder of its own."""
    script = (ROOT / "scripts" / "install").read_text()
    part = script[script.index('if [ -n "$configuration" ]'):script.index('echo "installed')]
    folder = tmp_path / "etc"
    command = ["bash", "-ec", f"configuration={folder}; cd {ROOT}; {part}"]
    assert run(command).returncode == 0
    assert (folder / "sshd_config").read_text() == CONFIGURATION.read_text()
    (folder / "sshd_config").write_text("Port 2222\n")
    assert run(command).returncode == 0
    assert (folder / "sshd_config").read_text() == "Port 2222\n"
    result = subprocess.run([UNDER_TEST.sshd, "-G", "-f", CONFIGURATION], capture_output=True)
    assert result.returncode == 0, result.stderr
