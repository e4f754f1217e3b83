# SPDX-License-Identifier: Apache-2.0
"""sshd --explain, and sshd as an ordinary user."""
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest
from conftest import OPENSSH, UNDER_TEST, free_port, make_key, run, wait_until


def explain(peer, *words):
    result = run([UNDER_TEST.sshd, "-f", peer.config, "--explain", *words])
    return result.returncode, result.stdout.decode()


def test_a_login_that_would_be_allowed(serve, key, me):
    peer = serve(UNDER_TEST)
    status, text = explain(peer, f"user={me},addr=127.0.0.1", f"key={key}.pub")
    assert status == 0, text
    assert text.startswith(f"yes: {me} from 127.0.0.1 could log in\n")
    assert f"found at {peer.authorized_keys}:1" in text


@pytest.mark.parametrize("lines,words,expected", [
    (["DenyUsers {me}"], [], ["listed in DenyUsers", "{config}:{line}: DenyUsers {me}",
                              "fix: take {me} off DenyUsers"]),
    (["AllowUsers somebody"], [], ["not listed in AllowUsers", "fix: add {me} to AllowUsers"]),
    (["PermitRootLogin no"], [], ["root may not log in", "{config}:{line}: PermitRootLogin no"]),
    (["PubkeyAuthentication no"], [], ["{config}:{line}: PubkeyAuthentication no"]),
    (["PubkeyAcceptedAlgorithms rsa-sha2-512"], [],
     ["{config}:{line}: PubkeyAcceptedAlgorithms rsa-sha2-512", "add one of ssh-ed25519 to it"]),
    (["Match Address 127.0.0.1", "  RefuseConnection yes"], [],
     ["{config}:{next} under Match Address 127.0.0.1: RefuseConnection yes"]),
])
def test_what_keeps_someone_out(lines, words, expected, serve, key, me):
    peer = serve(UNDER_TEST)
    before = peer.config.read_text()
    number = before.count("\n") + 1
    names = {"me": me, "config": peer.config, "line": number, "next": number + 1}
    peer.config.write_text(before + "\n".join(lines).format(**names) + "\n")
    status, text = explain(peer, f"user={me},addr=127.0.0.1", f"key={key}.pub", *words)
    assert status == 1 and text.startswith("no: "), text
    for part in expected:
        assert part.format(**names) in text, text


def test_a_stranger_and_a_key_that_nobody_lists(serve, tmp_path, me):
    peer = serve(UNDER_TEST)
    status, text = explain(peer, "user=nosuchuser")
    assert status == 1 and "no account of this name" in text
    stranger = make_key(tmp_path, "stranger")
    status, text = explain(peer, f"user={me}", f"key={stranger}.pub")
    assert status == 1 and "nothing lets this key in" in text
    assert "fix: append the key to" in text


@pytest.mark.parametrize("known", [True, False])
def test_an_ordinary_user_serves_itself_alone(known, key, account, tmp_path):
    """As an account, and as a number that no database knows."""
    name, _ = account
    folder = pathlib.Path(f"/tmp/hwu{os.getpid()}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o755)
    identity = name if known else 54321
    try:
        shutil.copy(os.path.realpath(UNDER_TEST.sshd), folder / "sshd")
        keys = folder / "keys"
        keys.write_text(pathlib.Path(f"{key}.pub").read_text())
        port = free_port()
        log = tmp_path / "log"
        user = name if known else "guest"
        with log.open("w") as stream:
            process = subprocess.Popen(
                [folder / "sshd", "-D", "-e", "-f", "/dev/null", "-p", str(port),
                 "-o", "HostKey=new", "-o", f"AuthorizedKeysFile={keys}", "-o", "PidFile=none",
                 "-o", "ListenAddress=127.0.0.1", "-o", "StrictModes=no"],
                stderr=stream, user=identity, group=identity if not known else None,
                extra_groups=[],
                env={"USER": user, "HOME": "/", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"},
            )
        try:
            said = wait_until(
                lambda: re.search(r"New host key: (\S+ \S+)", log.read_text()), "a host key"
            )
            wait_until(lambda: "Server listening" in log.read_text(), "the server")
            hosts = tmp_path / "known"
            hosts.write_text(f"[127.0.0.1]:{port} {said[1]}\n")
            options = ["-o", f"UserKnownHostsFile={hosts}", "-o", "StrictHostKeyChecking=yes",
                       "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o",
                       "IdentityAgent=none", "-i", key, "-p", str(port), "-F", "/dev/null"]
            result = run([OPENSSH.ssh, *options, f"{user}@127.0.0.1", "id -u"])
            wanted = subprocess.check_output(["id", "-u", name]).strip() if known else b"54321"
            assert result.stdout.strip() == wanted, (result.stderr, log.read_text())
            result = run([OPENSSH.ssh, *options, "root@127.0.0.1", "id -u"])
            assert result.returncode == 255
            assert "cannot become it" in log.read_text()
        finally:
            process.terminate()
            process.wait(10)
    finally:
        shutil.rmtree(folder)
