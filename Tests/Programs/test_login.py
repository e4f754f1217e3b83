# SPDX-License-Identifier: Apache-2.0
"""Logging in and running commands, with OpenSSH as either end."""
import hashlib
import os

import pytest
from conftest import OPENSSH, OURS, UNDER_TEST, make_key, run

PAIRS = [(OURS, OURS), (OURS, OPENSSH), (OPENSSH, OURS)]
pairs = pytest.mark.parametrize("client,server", PAIRS, ids=lambda suite: suite.name)


@pairs
@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_exit_status_is_the_commands(client, server, status, serve, key):
    peer = serve(server)
    result = run([client.ssh, "-F", peer.client_config(key), "127.0.0.1", f"exit {status}"])
    assert result.returncode == status, result.stderr


@pairs
def test_ten_megabytes_each_way(client, server, serve, key):
    peer = serve(server)
    data = os.urandom(10_000_000)
    result = run([client.ssh, "-F", peer.client_config(key), "127.0.0.1", "cat"], input=data)
    assert result.returncode == 0, result.stderr
    assert hashlib.sha256(result.stdout).digest() == hashlib.sha256(data).digest()


@pairs
def test_stdout_and_stderr_stay_apart(client, server, serve, key):
    peer = serve(server)
    result = run(
        [client.ssh, "-F", peer.client_config(key), "127.0.0.1", "echo out; echo err >&2"]
    )
    assert (result.stdout, result.stderr) == (b"out\n", b"err\n")


@pairs
@pytest.mark.parametrize(
    "kind,bits",
    [("ed25519", None), ("rsa", 2048), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521)],
)
def test_every_key_type_identifies_user_and_host(client, server, kind, bits, serve, tmp_path):
    name = f"{kind}_{bits}"
    user_key = make_key(tmp_path, name, kind, bits=bits)
    peer = serve(server, host_key_kinds=(kind,))
    peer.allow(user_key)
    result = run([client.ssh, "-F", peer.client_config(user_key), "127.0.0.1", "echo in"])
    assert result.stdout == b"in\n", result.stderr
    assert "Accepted publickey for" in peer.log_text()


@pairs
def test_a_key_that_is_not_listed_is_refused(client, server, serve, tmp_path, me):
    peer = serve(server)
    stranger = make_key(tmp_path, "stranger")
    result = run([client.ssh, "-F", peer.client_config(stranger), "127.0.0.1", "true"])
    assert result.returncode == 255
    assert f"{me}@127.0.0.1: Permission denied (publickey" in result.stderr.decode()


@pairs
@pytest.mark.parametrize("usepam", ["no", "yes"])
def test_password(client, server, usepam, serve, account, askpass):
    name, password = account
    peer = serve(server, f"UsePAM {usepam}", "PasswordAuthentication yes", user=name)
    environment, asked = askpass(password)
    config = peer.client_config(BatchMode="no", PreferredAuthentications="password")
    result = run([client.ssh, "-F", config, "127.0.0.1", "id -un"], env=environment)
    assert result.stdout.decode().strip() == name, result.stderr
    assert asked() == [f"{name}@127.0.0.1's password: "]
    assert f"Accepted password for {name} from 127.0.0.1 port" in peer.log_text()


@pairs
def test_wrong_password(client, server, serve, account, askpass):
    name, password = account
    peer = serve(server, "PasswordAuthentication yes", user=name)
    environment, asked = askpass(password + "x")
    config = peer.client_config(BatchMode="no", PreferredAuthentications="password")
    result = run([client.ssh, "-F", config, "127.0.0.1", "true"], env=environment)
    assert result.returncode == 255
    assert len(asked()) == 3
    assert result.stderr.decode().count("Permission denied, please try again.") == 2
    assert f"Failed password for {name} from 127.0.0.1 port" in peer.log_text()


@pairs
def test_keyboard_interactive_through_pam(client, server, serve, account, askpass):
    name, password = account
    peer = serve(server, "UsePAM yes", "KbdInteractiveAuthentication yes", user=name)
    environment, asked = askpass(password)
    config = peer.client_config(BatchMode="no", PreferredAuthentications="keyboard-interactive")
    result = run([client.ssh, "-F", config, "127.0.0.1", "id -un"], env=environment)
    assert result.stdout.decode().strip() == name, result.stderr
    assert len(asked()) == 1 and "Password:" in asked()[0]


@pairs
def test_rekeying_under_load_keeps_every_byte(client, server, serve, key):
    peer = serve(server)
    data = os.urandom(6_000_000)
    config = peer.client_config(key, RekeyLimit="256K", KexAlgorithms="curve25519-sha256")
    result = run([client.ssh, "-v", "-F", config, "127.0.0.1", "cat"], input=data)
    assert result.returncode == 0, result.stderr
    assert result.stdout == data
    assert result.stderr.decode().count("NEWKEYS sent") > 10


@pairs
def test_a_passphrase_is_asked_for(client, server, serve, tmp_path, askpass):
    locked = make_key(tmp_path, "locked", passphrase="open sesame")
    peer = serve(server)
    peer.allow(locked)
    environment, asked = askpass("open sesame")
    config = peer.client_config(locked, BatchMode="no")
    result = run([client.ssh, "-F", config, "127.0.0.1", "echo in"], env=environment)
    assert result.stdout == b"in\n", result.stderr
    assert asked() == [f"Enter passphrase for key '{locked}': "]


def test_the_environment_of_a_session(serve, key, me):
    peer = serve(UNDER_TEST, "AcceptEnv HW_*", "SetEnv FROM_SERVER=1 SHLVL=3")
    config = peer.client_config(key, SetEnv="HW_A=b")
    result = run([OPENSSH.ssh, "-F", config, "127.0.0.1", "env"])
    values = dict(line.split("=", 1) for line in result.stdout.decode().splitlines() if "=" in line)
    assert values["USER"] == values["LOGNAME"] == me
    assert values["HW_A"] == "b" and values["FROM_SERVER"] == "1"
    assert values["SSH_CLIENT"].split()[0] == "127.0.0.1"
    assert values["SSH_CONNECTION"].split()[3] == str(peer.port)
    assert {"HOME", "SHELL", "PATH", "MAIL"} <= set(values)
    assert "SSH_TTY" not in values
