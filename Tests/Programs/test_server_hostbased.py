# SPDX-License-Identifier: Apache-2.0
"""hostbased (RFC 4252 §9): a host vouches for its user; asyncssh is that host."""
import asyncio
import os
import pathlib
import pwd

import asyncssh
import pytest
from conftest import UNDER_TEST, make_key


@pytest.fixture
def visitor(account):
    """The account's home without anything that trusts a host: (name, home)."""
    name = account[0]
    home = pathlib.Path(pwd.getpwnam(name).pw_dir)
    for path in (".shosts", ".rhosts", ".ssh/known_hosts"):
        (home / path).unlink(missing_ok=True)
    return name, home


def put(name, path, text, mode=0o600):
    entry = pwd.getpwnam(name)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    for item in (path.parent, path):
        if item != pathlib.Path(entry.pw_dir):
            os.chown(item, entry.pw_uid, entry.pw_gid)


def login(peer, host_key, user, client_user="friend", client_host="ship.example"):
    """What `id -un` says there, or None when the server refuses."""

    async def go():
        try:
            async with asyncssh.connect(
                "127.0.0.1",
                peer.port,
                username=user,
                known_hosts=None,
                client_keys=None,
                agent_path=None,
                client_host_keys=[str(host_key)],
                client_host=client_host,
                client_username=client_user,
                preferred_auth="hostbased",
            ) as connection:
                result = await connection.run("id -un")
                return result.stdout.strip()
        except asyncssh.PermissionDenied:
            return None

    return asyncio.run(asyncio.wait_for(go(), 20))


OPTIONS = (
    "HostbasedAuthentication yes",
    "HostbasedUsesNameFromPacketOnly yes",
    "IgnoreRhosts no",
    "StrictModes yes",
)


def known(host_key, host="ship.example", marker=""):
    return f"{marker}{host} " + pathlib.Path(f"{host_key}.pub").read_text()


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_trusted_host_lets_its_user_in(kind, serve, visitor, tmp_path):
    name, home = visitor
    host_key = make_key(tmp_path, "client_host", kind)
    put(name, home / ".shosts", "ship.example friend\n")
    put(name, home / ".ssh/known_hosts", known(host_key))
    peer = serve(UNDER_TEST, *OPTIONS)
    assert login(peer, host_key, name) == name, peer.log_text()
    log = peer.log_text()
    assert f"Accepted hostbased for {name} from 127.0.0.1" in log
    assert 'client user "friend", client host "ship.example' in log
    assert login(peer, host_key, name, client_user="stranger") is None
    assert login(peer, host_key, name, client_host="other.example") is None


@pytest.mark.parametrize(
    "change",
    ["IgnoreRhosts yes", "IgnoreUserKnownHosts yes", "HostbasedAuthentication no",
     "HostbasedAcceptedAlgorithms rsa-sha2-512", "HostbasedUsesNameFromPacketOnly no"],
)
def test_the_configuration_can_forbid_it(change, serve, visitor, tmp_path):
    name, home = visitor
    host_key = make_key(tmp_path, "client_host")
    put(name, home / ".shosts", "ship.example friend\n")
    put(name, home / ".ssh/known_hosts", known(host_key))
    options = [line for line in OPTIONS if line.split()[0] != change.split()[0]] + [change]
    assert login(serve(UNDER_TEST, *options), host_key, name) is None


@pytest.mark.parametrize("file,policy,allowed", [
    (".rhosts", "no", True),
    (".rhosts", "shosts-only", False),
    (".shosts", "shosts-only", True),
])
def test_which_file_counts(file, policy, allowed, serve, visitor, tmp_path):
    name, home = visitor
    host_key = make_key(tmp_path, "client_host")
    put(name, home / file, "ship.example friend\n")
    put(name, home / ".ssh/known_hosts", known(host_key))
    options = [line for line in OPTIONS if "IgnoreRhosts" not in line]
    peer = serve(UNDER_TEST, *options, f"IgnoreRhosts {policy}")
    assert login(peer, host_key, name) == (name if allowed else None), peer.log_text()


@pytest.mark.parametrize("what", ["writable file", "unknown key", "revoked key", "wrong key"])
def test_what_makes_trust_void(what, serve, visitor, tmp_path):
    name, home = visitor
    host_key = make_key(tmp_path, "client_host")
    other = make_key(tmp_path, "other_host")
    put(name, home / ".shosts", "ship.example friend\n", 0o666 if "writable" in what else 0o600)
    lines = {
        "writable file": known(host_key),
        "unknown key": "",
        "revoked key": known(host_key) + known(host_key, marker="@revoked "),
        "wrong key": known(other),
    }
    put(name, home / ".ssh/known_hosts", lines[what])
    peer = serve(UNDER_TEST, *OPTIONS)
    assert login(peer, host_key, name) is None
