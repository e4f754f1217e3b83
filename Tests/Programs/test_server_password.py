# SPDX-License-Identifier: Apache-2.0
"""A password that has expired is changed at the login, with PAM and without."""
import os
import secrets
import subprocess

import pexpect
import pytest
from conftest import OPENSSH, UNDER_TEST

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="making an account needs root")


@pytest.fixture
def expired():
    """An account whose password must be changed: (name, password)."""
    name = f"hwold{secrets.token_hex(3)}"
    password = "Old-" + secrets.token_hex(6)
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/bash", name], check=True)
    subprocess.run(["chpasswd"], input=f"{name}:{password}\n".encode(), check=True)
    subprocess.run(["chage", "-d", "0", name], check=True)
    yield name, password
    subprocess.run(["pkill", "-KILL", "-u", name])
    subprocess.run(["userdel", "--remove", name], capture_output=True)


@pytest.mark.parametrize("method,usepam", [
    ("keyboard-interactive", "yes"), ("password", "yes"), ("password", "no"),
])
def test_an_expired_password_is_changed(method, usepam, serve, expired):
    name, password = expired
    new = "New-" + secrets.token_hex(6)
    peer = serve(
        UNDER_TEST, f"UsePAM {usepam}", "KbdInteractiveAuthentication yes", user=name
    )
    config = peer.client_config(BatchMode="no", PreferredAuthentications=method)
    # In the dialogue of PAM the login goes on; passwd(1) ends it.
    command = ["echo", "logged-in"] if method == "keyboard-interactive" else []
    client = pexpect.spawn(
        OPENSSH.ssh, ["-tt", "-F", str(config), "127.0.0.1", *command], timeout=15
    )
    client.expect("assword: ")
    client.sendline(password)
    if method == "password":
        client.expect("WARNING: Your password has expired.")
    client.expect("(?i)current.*password: ")
    client.sendline(password)
    for _ in range(2):
        client.expect("(?i)new.*password: ")
        client.sendline(new)
    client.expect("logged-in" if command else "password updated successfully")
    client.expect(pexpect.EOF)
    client.close()
    client = pexpect.spawn(
        OPENSSH.ssh, ["-F", str(config), "127.0.0.1", "echo", "in", "again"], timeout=15
    )
    client.expect("assword: ")
    client.sendline(new)
    client.expect("in again")
    client.close()
