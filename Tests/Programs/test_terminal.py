# SPDX-License-Identifier: Apache-2.0
"""What a person at a terminal sees: ptys, questions, escapes, the terminal restored."""
import fcntl
import os
import pty
import re
import signal
import subprocess
import termios
import time

import pexpect
import pytest
from conftest import OPENSSH, OURS, UNDER_TEST, make_key, run, wait_until

PAIRS = [(OURS, OURS), (OURS, OPENSSH), (OPENSSH, OURS)]
pairs = pytest.mark.parametrize("client,server", PAIRS, ids=lambda suite: suite.name)


def spawn(client, config, *words, **options):
    options.setdefault("dimensions", (33, 99))
    child = pexpect.spawn(
        client.ssh, ["-F", str(config), *words], timeout=15, encoding="utf-8", echo=False, **options
    )
    return child


def finish(child):
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


@pairs
def test_a_shell_with_a_terminal_of_the_right_size(client, server, serve, key):
    peer = serve(server)
    child = spawn(client, peer.client_config(key), "127.0.0.1")
    child.sendline("PS1=; stty size; tty; echo term=$TERM")
    child.expect("33 99\r\n/dev/pts/[0-9]+\r\nterm=")
    child.setwinsize(40, 120)
    time.sleep(0.5)
    child.sendline("stty size")
    child.expect("40 120")
    child.sendline("exit 7")
    assert finish(child) == 7


@pairs
def test_control_c_reaches_the_remote_job(client, server, serve, key):
    peer = serve(server)
    child = spawn(client, peer.client_config(key), "-tt", "127.0.0.1", "echo ready; sleep 30")
    child.expect("ready")
    time.sleep(0.3)
    child.send("\x03")
    assert finish(child) in (130, 255)


@pairs
def test_tilde_dot_disconnects(client, server, serve, key):
    peer = serve(server)
    child = spawn(client, peer.client_config(key), "127.0.0.1")
    child.sendline("echo marker-$((40+2))")
    child.expect("marker-42")
    time.sleep(0.3)
    child.send("\r~.")
    child.expect("Connection to 127.0.0.1 closed")
    assert finish(child) == 255


@pairs
def test_escape_help(client, server, serve, key):
    peer = serve(server)
    child = spawn(client, peer.client_config(key), "127.0.0.1")
    child.sendline("echo marker-$((40+2))")
    child.expect("marker-42")
    time.sleep(0.3)
    child.send("\r~?")
    child.expect("Supported escape sequences:\r\n")
    child.expect("terminate connection")
    child.send("\r~#")
    child.expect("The following connections are open:")
    child.send("\rexit\r")
    finish(child)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP, None])
def test_the_terminal_is_restored_however_ssh_ends(ending, serve, key):
    peer = serve(OPENSSH)
    parent, child_side = pty.openpty()
    before = termios.tcgetattr(child_side)
    config = str(peer.client_config(key))
    command = [UNDER_TEST.ssh, "-F", config, "-tt", "127.0.0.1", "sleep 60" if ending else "sleep 1"]
    child = subprocess.Popen(
        command, stdin=child_side, stdout=child_side, stderr=child_side, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    raw = lambda: not termios.tcgetattr(child_side)[3] & termios.ICANON
    wait_until(raw, "raw mode")
    if ending:
        child.send_signal(ending)
    child.wait(15)
    assert termios.tcgetattr(child_side) == before
    os.close(parent)
    os.close(child_side)


def unknown_host_config(peer, key, tmp_path):
    hosts = tmp_path / "hosts"
    config = peer.client_config(
        key, UserKnownHostsFile=hosts, StrictHostKeyChecking="ask", BatchMode="no"
    )
    return config, hosts


@pytest.mark.parametrize("answer", ["yes", "fingerprint", "no"])
def test_the_question_about_an_unknown_host(answer, serve, key, tmp_path):
    peer = serve(OPENSSH)
    config, hosts = unknown_host_config(peer, key, tmp_path)
    fingerprint = run([OPENSSH.ssh_keygen, "-lf", f"{peer.host_keys[0]}.pub"]).stdout.split()[1]
    child = spawn(UNDER_TEST, config, "127.0.0.1", "echo in")
    child.expect_exact(
        f"The authenticity of host '[127.0.0.1]:{peer.port} ([127.0.0.1]:{peer.port})' "
        "can't be established.\r\n"
        f"ED25519 key fingerprint is {fingerprint.decode()}.\r\n"
        "This key is not known by any other names.\r\n"
        "Are you sure you want to continue connecting (yes/no/[fingerprint])? "
    )
    child.sendline("what")
    child.expect_exact("Please type 'yes', 'no' or the fingerprint: ")
    child.sendline(fingerprint.decode() if answer == "fingerprint" else answer)
    if answer == "no":
        child.expect("Host key verification failed.")
        assert finish(child) == 255
        assert not hosts.exists() or hosts.read_text() == ""
        return
    child.expect_exact(
        f"Warning: Permanently added '[127.0.0.1]:{peer.port}' (ED25519) to the list of known hosts."
    )
    child.expect("in\r\n")
    assert finish(child) == 0
    assert run([OPENSSH.ssh_keygen, "-F", f"[127.0.0.1]:{peer.port}", "-f", hosts]).returncode == 0


@pytest.mark.parametrize("strict", ["yes", "ask", "accept-new"])
def test_a_changed_host_key_is_refused_loudly(strict, serve, key, tmp_path):
    peer = serve(OPENSSH)
    other = make_key(tmp_path, "other_host")
    hosts = tmp_path / "hosts"
    kind, blob = (tmp_path / "other_host.pub").read_text().split()[:2]
    hosts.write_text(f"[127.0.0.1]:{peer.port} {kind} {blob}\n")
    config = peer.client_config(key, UserKnownHostsFile=hosts, StrictHostKeyChecking=strict)
    result = run([UNDER_TEST.ssh, "-F", config, "127.0.0.1", "true"])
    text = result.stderr.decode()
    assert result.returncode == 255
    assert "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!" in text
    assert f"Offending ED25519 key in {hosts}:1" in text
    assert text.rstrip().endswith("Host key verification failed.")


@pairs
def test_a_password_typed_at_the_terminal_is_not_shown(client, server, serve, account):
    name, password = account
    peer = serve(server, "PasswordAuthentication yes", user=name)
    config = peer.client_config(BatchMode="no", PreferredAuthentications="password")
    child = pexpect.spawn(
        client.ssh, ["-F", str(config), "127.0.0.1", "id -un"], timeout=15, encoding="utf-8"
    )
    child.expect_exact(f"{name}@127.0.0.1's password: ")
    time.sleep(0.2)
    child.sendline(password)
    child.expect(f"{name}\r\n")
    assert password not in child.before
    assert finish(child) == 0


def test_the_servers_title_lists_the_terminals(serve, key, home, me):
    peer = serve(UNDER_TEST)
    config = peer.client_config(key, ControlPath=home / "ctl", ControlMaster="auto")
    first = spawn(OPENSSH, config, "127.0.0.1")
    first.sendline("echo marker-$((40+2))")
    first.expect("marker-42")
    second = spawn(OPENSSH, config, "127.0.0.1")
    second.sendline("echo marker-$((40+2))")
    second.expect("marker-42")
    titles = run(["ps", "-eo", "args"]).stdout.decode()
    assert any(
        re.match(rf"sshd: {me}@pts/\d+,pts/\d+\s*$", line)
        for line in titles.splitlines()
    ), [line for line in titles.splitlines() if "sshd:" in line]
    for child in (second, first):
        child.sendline("exit")
        finish(child)
