# SPDX-License-Identifier: Apache-2.0
"""What a person at a terminal sees: ptys, questions, escapes, the terminal restored."""
import fcntl
import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import termios
import time

import pexpect
import pytest
from conftest import OPENSSH, OURS, UNDER_TEST, free_port, make_key, run, wait_until
from masters import line  # noqa: F401

PAIRS = [(OURS, OURS), (OURS, OPENSSH), (OPENSSH, OURS)]
pairs = pytest.mark.parametrize("client,server", PAIRS, ids=lambda suite: suite.name)
servers = pytest.mark.parametrize("server", [OPENSSH, OURS], ids=lambda suite: suite.name)


def spawn(client, config, *words, **options):
    options = {"dimensions": (33, 99), "echo": False, **options}
    return pexpect.spawn(
        client.ssh, ["-F", str(config), *words], timeout=15, encoding="utf-8", **options
    )


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


def test_a_passengers_terminal_has_the_modes_of_this_one(line):
    """The passenger makes its own raw as soon as it is let in; the far one must not follow."""
    it = line()
    it.open_master(OURS)
    modes = set()
    for _ in range(40):
        child = spawn(OURS, it.config, "-tt", "127.0.0.1", "stty -a; echo end", echo=True)
        child.expect("end\r?\n")
        words = child.before.replace(";", " ").split()
        modes.add(tuple(w for w in words if w.lstrip("-") in ("isig", "icanon", "echo", "opost")))
        assert finish(child) == 0
    assert modes == {("opost", "isig", "icanon", "echo")}
    assert it.logins() == 1


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


def test_a_question_about_further_host_keys_has_the_terminal(serve, key, tmp_path):
    """It may come before the session or in its midst, when the terminal is raw."""
    peer = serve(OPENSSH, host_key_kinds=("ed25519", "ecdsa"))
    hosts = tmp_path / "hosts"
    first = peer.known_hosts().read_text().splitlines()[0] + "\n"
    config = peer.client_config(
        key, UserKnownHostsFile=hosts, UpdateHostKeys="ask", BatchMode="no"
    )
    for _ in range(8):
        hosts.write_text(first)
        child = spawn(UNDER_TEST, config, "127.0.0.1", echo=True)
        child.expect_exact("Accept updated hostkeys? (yes/no): ")
        time.sleep(0.1)
        child.send("no\r")
        child.expect_exact("no\r\n")
        child.send("exit $((1+6))\r")
        assert finish(child) == 7
        assert hosts.read_text() == first


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


# MARK: Escapes


def shell(child):
    """A prompt that cannot be mistaken, after which the session is at the start of a line."""
    child.sendline("PS1=; stty -echo; echo marker-$((40+2))")
    child.expect("marker-42")
    time.sleep(0.3)


def still_works(child):
    child.send("\recho again-$((40+3))\r")
    child.expect("again-43")


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def command_line(child, line):
    child.send("\r~C")
    child.expect_exact("ssh> ")
    child.send(line + "\r")


@servers
def test_the_command_line(server, serve, key):
    peer = serve(server)
    child = spawn(
        OURS, peer.client_config(key, EnableEscapeCommandline="yes"), "127.0.0.1"
    )
    shell(child)
    for kind in "LRD":
        port = free_port()
        target = "" if kind == "D" else f":127.0.0.1:{peer.port}"
        command_line(child, f"-{kind}{port}{target}")
        child.expect("Forwarding port")
        wait_until(lambda: listens(port), f"-{kind}")
        command_line(child, f"-K{kind}{port}")
        child.expect("Canceled forwarding")
        wait_until(lambda: not listens(port), f"-K{kind}")
    command_line(child, "-KL1")
    child.expect("Unknown port forwarding")
    command_line(child, "nonsense")
    child.expect("Invalid command")
    command_line(child, "?")
    child.expect("Request remote forward")
    # What is rubbed out was never there.
    command_line(child, "-X\x7f\x7f-h")
    child.expect("Cancel dynamic forward")
    still_works(child)
    child.send("exit\r")
    finish(child)


def test_no_command_line_unless_it_is_enabled(serve, key):
    child = spawn(OURS, serve(OPENSSH).client_config(key), "127.0.0.1")
    shell(child)
    child.send("\r~C")
    child.expect("commandline disabled")
    still_works(child)
    child.send("exit\r")
    finish(child)


@servers
def test_the_other_escapes(server, serve, key):
    peer = serve(server)
    child = spawn(OURS, peer.client_config(key), "127.0.0.1")
    shell(child)
    child.send("\r~I")
    child.expect(rf"-> 127.0.0.1:{peer.port}\r\n")
    child.expect(r"kexalgorithm \S+\r\n")
    child.expect(r"cipher \S+\r\n")
    child.send("\r~v")
    child.expect_exact("~v [LogLevel VERBOSE]")
    child.send("\r~V")
    child.expect_exact("~V [LogLevel INFO]")
    child.send("\r~R")
    still_works(child)
    child.send("\r~B")
    still_works(child)
    child.send("\recho ~~tilde\r")
    child.expect_exact("~~tilde")
    child.send("\r~~\r")
    # The shell got one character, the home folder: not a command.
    child.expect("[Ii]s a directory")
    child.send("\r~x\r")
    child.expect("~x")
    still_works(child)
    child.send("exit\r")
    finish(child)


def job(config, after, *words):
    """ssh as a shell's job: alone on a terminal, it could neither stop nor be left behind."""
    ssh = shlex.join([OURS.ssh, "-F", str(config), *words])
    return pexpect.spawn(
        "/bin/bash", ["--norc", "-mc", f"{ssh}; {after}"], timeout=15, encoding="utf-8", echo=False
    )


def test_suspended_and_continued(serve, key):
    config = serve(OPENSSH).client_config(key)
    child = job(config, "echo stopped-$((40+2)); fg", "127.0.0.1")
    shell(child)
    child.send("\r~\x1a")
    child.expect_exact("~^Z [suspend ssh]")
    child.expect("stopped-42")
    still_works(child)
    child.send("exit\r")
    finish(child)


def test_put_in_the_background(serve, key):
    """ssh leaves the terminal and stays for the forwarded connections it has."""
    peer = serve(OPENSSH)
    port = free_port()
    config = peer.client_config(key)
    child = job(
        config, "echo left-$((40+2)); read x", f"-L{port}:127.0.0.1:{peer.port}", "127.0.0.1"
    )
    shell(child)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as open_one:
        assert open_one.recv(8) == b"SSH-2.0-"
        child.send("\r~&")
        child.expect_exact("~& [backgrounded]")
        child.expect("left-42")
        found = run(["pgrep", "-f", f"^{OURS.ssh} .*-L{port}:"]).stdout.split()
        assert len(found) == 1
        open_one.sendall(b"SSH-2.0-probe\r\n")
        assert open_one.recv(4096)
    wait_until(lambda: not os.path.exists(f"/proc/{int(found[0])}"), "its end")
    child.send("\r")
    finish(child)


@pytest.mark.parametrize("master,passenger", PAIRS, ids=lambda suite: suite.name)
def test_escapes_inside_passengers(master, passenger, serve, key, home):
    peer = serve(OPENSSH)
    config = peer.client_config(key, ControlPath=home / "ctl")
    result = run([master.ssh, "-F", config, "-oControlMaster=yes",
                  *(["-oEnableEscapeCommandline=yes"] if master is OURS else []),
                  "-Nnf", "127.0.0.1"])
    assert result.returncode == 0, result.stderr
    try:
        child = spawn(passenger, config, "127.0.0.1")
        shell(child)
        child.send("\r~?")
        child.expect("Supported escape sequences:\r\n")
        child.expect("terminate session")
        child.send("\r~#")
        child.expect("The following connections are open:")
        child.send("\r~\x1a")
        child.expect("escape not available to multiplexed sessions")
        child.send("\r~&")
        child.expect("escape not available to multiplexed sessions")
        if master is OURS:
            port = free_port()
            command_line(child, f"-L{port}:127.0.0.1:{peer.port}")
            child.expect("Forwarding port")
            wait_until(lambda: listens(port), "the forward")
            command_line(child, f"-KL{port}")
            child.expect("Canceled forwarding")
            child.send("\r~I")
            child.expect("kexalgorithm")
        child.setwinsize(41, 121)
        time.sleep(0.5)
        child.send("\rstty size\r")
        child.expect("41 121")
        child.send("\r~.")
        child.expect("Shared connection to 127.0.0.1 closed")
        assert finish(child) == 255
        assert run([OURS.ssh, "-F", config, "-O", "check", "127.0.0.1"]).returncode == 0
    finally:
        run([OURS.ssh, "-F", config, "-O", "exit", "127.0.0.1"])
