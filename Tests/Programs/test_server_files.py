# SPDX-License-Identifier: Apache-2.0
"""The system's own files that say who gets in, each server with an /etc of its own (mount namespace)."""
import os
import pathlib
import shutil
import subprocess

import pytest
from conftest import OPENSSH, UNDER_TEST, Server, make_key, mounted, run
from test_server_hostbased import OPTIONS, known, login as hostbased, put, visitor  # noqa: F401

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="mounting is root's")
BOTH = pytest.mark.parametrize("suite", [UNDER_TEST, OPENSSH], ids=repr)


@pytest.fixture
def etc(tmp_path):
    """A copy of /etc to write to."""
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("no mount namespaces here")
    folder = tmp_path / "etc"
    subprocess.run(["cp", "-a", "/etc", folder], check=True)
    return folder


@pytest.fixture
def serve_with(etc, tmp_path, me, key):
    """serve_with(suite, lines…, user=…): a server that sees `etc` as /etc."""
    servers = []

    def start(suite, *lines, user=None):
        peer = Server(suite, tmp_path / f"server{len(servers)}", user or me, extra=lines)
        peer.suite = mounted(suite, tmp_path / f"sshd{len(servers)}", f"mount --bind {etc} /etc")
        peer.allow(key)
        servers.append(peer)
        return peer.start()

    yield start
    for peer in servers:
        peer.stop()


def login(peer, key):
    config = peer.client_config(key)
    return run([OPENSSH.ssh, "-F", config, "127.0.0.1", "echo in"]).stdout == b"in\n"


# hosts_access(5)


@BOTH
@pytest.mark.parametrize("allow,deny,allowed", [
    ("# nothing\n", "# nothing\n", True),
    ("", "ALL: ALL\n", False),
    ("", "sshd: 127.0.0.1\n", False),
    ("", "sshd: 127.\n", False),
    ("", "in.telnetd: ALL\n", True),
    ("", "sshd: 10.0.0.0/255.0.0.0\n", True),
    ("sshd: 127.0.0.1\n", "ALL: ALL\n", True),
    ("sshd: ALL EXCEPT 127.0.0.1\n", "ALL: ALL\n", False),
    ("ALL: ALL: deny\n", "", False),
    ("sshd: 127.0.0.1: allow\nALL: ALL: deny\n", "", True),
])
def test_hosts_allow_and_deny(suite, allow, deny, allowed, serve_with, etc, key):
    (etc / "hosts.allow").write_text(allow)
    (etc / "hosts.deny").write_text(deny)
    peer = serve_with(suite)
    assert login(peer, key) == allowed, peer.log_text()
    if suite is UNDER_TEST:  # libwrap itself tells only syslog
        text = "refused connect from 127.0.0.1 (127.0.0.1)"
        assert (text in peer.log_text()) == (not allowed)


# hosts.equiv(5) with netgroup(5)


def test_hosts_equiv_with_netgroups_users_and_negation(serve_with, etc, tmp_path, visitor):
    """One server after the other reads another hosts.equiv; what each line allows is hosts.equiv(5)."""
    name, home = visitor
    host_key = make_key(tmp_path, "client_host")
    put(name, home / ".ssh/known_hosts", known(host_key))
    (etc / "nsswitch.conf").write_text(
        (etc / "nsswitch.conf").read_text().replace("netgroup:", "#netgroup:")
        + "netgroup: files\n"
    )
    (etc / "netgroup").write_text(
        f"ships (ship.example,,)\nfriends (,friend,)\nfleet ships\nmine (,{name},)\n"
    )
    # OpenSSH's own name for the same user on both sides, or one that the line names.
    cases = [
        ("ship.example\n", name, True),
        ("ship.example\n", "friend", False),
        ("+@ships\n", name, True),
        ("+@fleet\n", name, True),
        ("+@nobody\n", name, False),
        ("-@ships\nship.example\n", name, False),
        ("-ship.example\n+@ships\n", name, False),
        ("ship.example friend\n", "friend", True),
        ("ship.example friend\n", "stranger", False),
        ("+@ships +@friends\n", "friend", True),
        ("+@ships +@friends\n", "stranger", False),
        ("+@ships -@friends\n+@ships friend\n", "friend", False),
        ("ship.example -friend\nship.example friend\n", "friend", False),
        ("# ship.example\n\n", name, False),
        # A lone plus is no wildcard.
        ("+\n", name, False),
        ("+ +\n", name, False),
        ("ship.example +\n", "friend", False),
        ("+@ships\n", name, True),
    ]
    peer = serve_with(UNDER_TEST, *[line.replace("IgnoreRhosts no", "IgnoreRhosts yes")
                                    for line in OPTIONS])
    for file in ("hosts.equiv", "ssh/shosts.equiv"):
        for text, client_user, allowed in cases:
            (etc / file).write_text(text)
            found = hostbased(peer, host_key, name, client_user=client_user)
            assert found == (name if allowed else None), (file, text, client_user, peer.log_text())
        (etc / file).unlink()
        # What is no file is none.
        (etc / file).mkdir()
        assert hostbased(peer, host_key, name, client_user=name) is None
        (etc / file).rmdir()


# nologin(5)


@BOTH
def test_nologin(suite, serve_with, etc, key, account, home):
    name, _ = account
    home.chmod(0o755)
    (home / "keys").write_text(pathlib.Path(f"{key}.pub").read_text())
    peer = serve_with(suite, f"AuthorizedKeysFile {home}/keys", user=name)
    (etc / "nologin").write_text("closed for tonight\n")
    config = peer.client_config(key)
    result = run([OPENSSH.ssh, "-F", config, "127.0.0.1", "echo in"])
    assert result.returncode == 254
    assert b"closed for tonight" in result.stdout + result.stderr and b"in\n" != result.stdout
    (etc / "nologin").unlink()
    assert login(peer, key)


# environment(7)


@BOTH
def test_the_servers_time_zone(suite, serve, key, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    peer = serve(suite)
    result = run([OPENSSH.ssh, "-F", peer.client_config(key), "127.0.0.1", 'echo "$TZ"'])
    assert result.stdout == b"Asia/Tokyo\n"
