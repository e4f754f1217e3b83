# SPDX-License-Identifier: Apache-2.0
"""What sshd(8) says, row by row, of OpenSSH's server and of ours."""
import os
import pathlib
import pwd
import re
import signal
import socket
import struct
import subprocess
import time

import pexpect
import pytest
from conftest import OPENSSH, UNDER_TEST, free_port, make_key, run, wait_until
from test_server_files import etc, login, serve_with  # noqa: F401

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="accounts are root's")
BOTH = pytest.mark.parametrize("suite", [UNDER_TEST, OPENSSH], ids=repr)


def ssh(peer, key, *words, options=(), **more):
    return run([OPENSSH.ssh, "-F", peer.client_config(key), *options, "127.0.0.1", *words], **more)


@pytest.fixture
def person(account):
    """(name, home), with nothing in ~/.ssh but what the test puts there."""
    name, _ = account
    home = pathlib.Path(pwd.getpwnam(name).pw_dir)
    subprocess.run(["rm", "-rf", home / ".ssh", home / ".hushlogin"], check=True)
    (home / ".ssh").mkdir(mode=0o700)
    own(name, home / ".ssh")
    yield name, home
    subprocess.run(["rm", "-rf", home / ".ssh", home / ".hushlogin"], check=True)


def own(name, path, text=None, mode=None):
    if text is not None:
        path.write_text(text)
    if mode is not None:
        path.chmod(mode)
    entry = pwd.getpwnam(name)
    os.chown(path, entry.pw_uid, entry.pw_gid)


def public(key):
    return pathlib.Path(f"{key}.pub").read_text()


# Options (M-002, M-056 to M-077)


@BOTH
@pytest.mark.parametrize("words,expected", [
    (["-TDe", "-p2222"], "port 2222\n"),
    (["-T", "-D", "-e", "-p", "2222"], "port 2222\n"),
    (["-T", "-o", "Port 2223"], "port 2223\n"),
    (["-T", "-oPort=2223"], "port 2223\n"),
    (["-T", "-g", "7"], "logingracetime 7\n"),
    (["-T", "-p", "2222", "-p", "2223"], "port 2222\nport 2223\n"),
    (["-tq4"], ""),
])
def test_options_group_and_win_over_the_file(suite, words, expected, tmp_path):
    host = make_key(tmp_path, "host")
    (tmp_path / "c").write_text(f"Port 1\nHostKey {host}\n")
    result = run([suite.sshd, *words, "-f", tmp_path / "c"])
    assert result.returncode == 0, result.stderr
    assert expected in result.stdout.decode()
    # -p takes the place of the file's ports, -o adds to them, as for every keyword that adds up.
    if "-p" in words or "-p2222" in words:
        assert "port 1\n" not in result.stdout.decode()


@BOTH
def test_what_is_refused_at_the_start(suite, tmp_path):
    host = make_key(tmp_path, "host")
    config = tmp_path / "c"
    config.write_text(f"HostKey {host}\n")
    result = run([suite.sshd, "-t", "-f", "/nonexistent"])
    assert result.returncode == 1 and b"/nonexistent: No such file or directory" in result.stderr
    assert run([suite.sshd, "-t", "-f", config]).returncode == 0
    config.write_text(f"HostKey {host}\nNoSuch yes\n")
    result = run([suite.sshd, "-t", "-f", config])
    assert result.returncode == 255
    assert b"c: line 2: Bad configuration option: NoSuch" in result.stderr
    config.write_text(f"HostKey {host}\n")
    host.chmod(0o640)
    result = run([suite.sshd, "-t", "-f", config])
    assert result.returncode == 1
    assert b"UNPROTECTED PRIVATE KEY FILE" in result.stderr
    assert b"no hostkeys available" in result.stderr
    config.write_text("HostKey /nonexistent\n")
    assert run([suite.sshd, "-t", "-f", config]).returncode == 1


@BOTH
def test_debug_mode_serves_one_client_and_ends(suite, tmp_path, key, me):
    host, port = make_key(tmp_path, "host"), free_port()
    (tmp_path / "keys").write_text(public(key))
    (tmp_path / "c").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host}\nStrictModes no\nUsePAM no\n"
        f"AuthorizedKeysFile {tmp_path}/keys\nPidFile {tmp_path}/pid\nPermitRootLogin yes\n"
    )
    (tmp_path / "known").write_text(
        f"[127.0.0.1]:{port} " + " ".join(public(host).split()[:2]) + "\n"
    )
    for words in (["-d"], ["-ddd"]):
        server = subprocess.Popen(
            [suite.sshd, *words, "-f", tmp_path / "c"], stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )
        text = b""
        while b"Server listening on 127.0.0.1" not in text:
            line = server.stderr.readline()
            assert line, text
            text += line
        result = run(
            [OPENSSH.ssh, "-F", "none", "-i", key, "-o", f"UserKnownHostsFile={tmp_path}/known",
             "-o", "BatchMode=yes", "-o", "IdentityAgent=none", "-p", str(port),
             f"{me}@127.0.0.1", "echo in"],
        )
        text += server.communicate(timeout=20)[1]
        assert result.stdout == b"in\n", text
        assert b"debug1: " in text and (b"debug3: " in text) == (words == ["-ddd"])
        assert not (tmp_path / "pid").exists()


@BOTH
def test_daemon_detaches_writes_its_pid_and_removes_the_file(suite, tmp_path):
    host, port = make_key(tmp_path, "host"), free_port()
    (tmp_path / "c").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host}\nPidFile {tmp_path}/pid\n"
    )
    result = run([suite.sshd, "-f", tmp_path / "c"])
    assert result.returncode == 0, result.stderr
    pid = int(wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(),
                         "the pid file"))
    assert os.getsid(pid) == pid
    os.kill(pid, signal.SIGHUP)
    time.sleep(0.5)
    assert int((tmp_path / "pid").read_text()) == pid
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        assert connection.recv(100).startswith(b"SSH-2.0-")
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not (tmp_path / "pid").exists(), "the file's end")


@BOTH
def test_families(suite, tmp_path):
    host = make_key(tmp_path, "host")
    for word, family, other in (("-4", "0.0.0.0", "::"), ("-6", "::", "0.0.0.0")):
        port = free_port()
        (tmp_path / "c").write_text(f"Port {port}\nHostKey {host}\nPidFile none\n")
        server = subprocess.Popen(
            [suite.sshd, "-D", "-e", word, "-f", tmp_path / "c"], stderr=subprocess.PIPE
        )
        line = server.stderr.readline().decode()
        if "Cannot bind" in line or "Address family" in line:
            server.kill()
            pytest.skip("no IPv6 here")
        assert f"Server listening on {family} port {port}." in line
        server.terminate()
        rest = server.communicate(timeout=10)[1].decode()
        assert f"Server listening on {other} " not in rest


# The login process (M-079 to M-092)


@BOTH
def test_the_steps_of_a_terminal_login(suite, serve_with, etc, person, key):
    name, home = person
    (etc / "motd").write_text("message of the day\n")
    (etc / "ssh/sshrc").unlink(missing_ok=True)
    own(name, home / ".ssh/rc", 'echo "rc: $FROMFILE $USER"\n', 0o600)
    own(name, home / ".ssh/environment",
        "# comment\n\nFROMFILE=file\nnonsense\nPATH=/usr/bin:/bin\n", 0o600)
    peer = serve_with(
        suite, "PrintMotd yes", "PrintLastLog yes", "PermitUserEnvironment yes",
        "AuthorizedKeysFile .ssh/keys", user=name,
    )
    own(name, home / ".ssh/keys", public(key), 0o600)
    command = f"{OPENSSH.ssh} -F {peer.client_config(key)} 127.0.0.1"

    def terminal():
        child = pexpect.spawn(command, timeout=15, encoding="utf-8", dimensions=(24, 80))
        child.expect(r"[$#] ")
        text = child.before
        child.sendline('echo "[$0]" "[$FROMFILE]" "$(tty)" "$SSH_TTY" "$(id -un)" "$TERM" end')
        child.expect(r"\[(\S+)\] \[(\S*)\] (\S+) (\S+) (\S+) (\S+) end")
        found = child.match.groups()
        record = run(["who"]).stdout.decode()
        child.sendline("exit")
        child.expect(pexpect.EOF)
        return text, found, record

    terminal()
    text, found, record = terminal()
    # 1: last login and message; rc before the shell, after the environment; 2: the record.
    assert re.search(r"Last login: \w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4} from 127\.0\.0\.1", text)
    assert "message of the day" in text
    assert f"rc: file {name}" in text
    shell, variable, tty, ssh_tty, user, _ = found
    assert shell == "-bash" and variable == "file" and tty == ssh_tty and user == name
    if os.path.exists("/run/utmp"):
        assert re.search(rf"^{name} +{tty[5:]} .*127\.0\.0\.1", record, re.M), record
        assert not re.search(rf"^{name} +{tty[5:]} ", run(["who"]).stdout.decode(), re.M)
    if os.path.exists("/var/log/wtmp"):
        def closed():
            lines = run(["last", "-w", "-n", "5", name]).stdout.decode().splitlines()
            return lines and tty[5:] in lines[0] and "127.0.0.1" in lines[0] and " - " in lines[0]
        wait_until(closed, "the record and its end")
    # Neither with a command, nor with .hushlogin, which keeps rc.
    result = ssh(peer, key, "echo $0")
    assert b"Last login" not in result.stdout and b"of the day" not in result.stdout
    own(name, home / ".hushlogin", "")
    text = terminal()[0]
    assert "Last login" not in text and "of the day" not in text and "rc: file" in text
    # Without rc of one's own the system's.
    (home / ".ssh/rc").unlink()
    (etc / "ssh/sshrc").write_text('echo "sshrc: $(id -un)"\n')
    assert f"sshrc: {name}" in terminal()[0]


def test_the_environment_is_openssh_s(serve, person, key, monkeypatch):
    name, home = person
    own(name, home / ".ssh/keys", public(key), 0o600)
    monkeypatch.setenv("SECRET_OF_THE_STARTER", "1")
    names = {}
    for suite in (UNDER_TEST, OPENSSH):
        for usepam in ("no", "yes"):
            peer = serve(suite, f"UsePAM {usepam}", f"AuthorizedKeysFile {home}/.ssh/keys",
                         "AcceptEnv MINE*", user=name)
            result = ssh(peer, key, "env -0", options=["-o", "SetEnv=MINE=1 YOURS=2"])
            pairs = [line.split("=", 1) for line in result.stdout.decode().split("\0") if line]
            names[suite, usepam] = {
                n: re.sub(r"\b\d{4,5}\b", "N", v) for n, v in pairs
                if n not in ("_", "SHLVL", "PWD", "OLDPWD") and not n.startswith("XDG_")
            }
    for usepam in ("no", "yes"):
        assert names[UNDER_TEST, usepam] == names[OPENSSH, usepam]
    assert names[UNDER_TEST, "no"]["MINE"] == "1"
    assert names[UNDER_TEST, "no"]["MAIL"] == f"/var/mail/{name}"


# authorized_keys (M-100 to M-128)


@BOTH
@pytest.mark.parametrize("line,allowed", [
    ("{k}", True),
    ("# comment\n\n   # comment\n   {k}", True),
    ("{k} and a \"comment\" of Überlänge", True),
    ('from="127.0.0.1" {k}', True),
    ('FROM="127.0.0.1" {k}', True),
    ('from="127.0.0.2" {k}', False),
    ('from="127.0.0.?" {k}', True),
    ('from="127.*,!127.0.0.1" {k}', False),
    ('from="127.0.0.0/8" {k}', True),
    ('no-pty, no-X11-forwarding {k}', False),
    ('no-pty,no-such-option {k}', False),
    ('2048abc {k}', False),
    ('expiry-time="20200101" {k}', False),
    ('expiry-time="29990101" {k}', True),
    ('expiry-time="202001011200Z" {k}', False),
    ('cert-authority {k}', False),
    ('no-touch-required,verify-required {k}', True),
    ("{k}" + " x" * 4000, True),
    ("{head}\n{tail}", False),
    ('command="unterminated {k}', False),
])
def test_lines_of_authorized_keys(suite, line, allowed, serve, key):
    peer = serve(suite)
    text = public(key).split(" id")[0].rsplit(" ", 1)[0].strip()
    middle = len(text) // 2
    peer.authorized_keys.write_text(
        line.format(k=text, head=text[:middle], tail=text[middle:]) + "\n"
    )
    assert (ssh(peer, key, "true").returncode == 0) == allowed, peer.log_text()


@BOTH
def test_forced_commands_and_environment_of_a_line(suite, serve, key):
    peer = serve(suite, "PermitUserEnvironment yes")
    peer.authorized_keys.write_text(
        r'command="echo \"forced: $SSH_ORIGINAL_COMMAND $A\"",environment="A=first",'
        r'environment="A=second",no-pty,no-port-forwarding ' + public(key)
    )
    assert ssh(peer, key, "asked for").stdout == b"forced: asked for first\n"
    assert ssh(peer, key).stdout == b"forced:  first\n"
    result = ssh(peer, key, options=["-tt"])
    assert b"PTY allocation request failed on channel 0" in result.stderr


@BOTH
def test_what_wins_of_key_file_and_configuration(suite, serve, person, key):
    name, home = person
    own(name, home / ".ssh/environment", "A=file\nA=again\nB=file\nC=file\n", 0o600)
    own(name, home / ".ssh/keys", 'environment="A=key",environment="B=key" ' + public(key), 0o600)
    peer = serve(suite, f"AuthorizedKeysFile {home}/.ssh/keys", "PermitUserEnvironment yes",
                 "SetEnv C=configuration", user=name)
    assert ssh(peer, key, "echo $A $B $C").stdout == b"again file configuration\n"


@BOTH
def test_modes_of_authorized_keys_and_home(suite, serve, person, key):
    name, home = person
    own(name, home / ".ssh/authorized_keys", public(key), 0o600)
    peer = serve(suite, "AuthorizedKeysFile .ssh/authorized_keys", "StrictModes yes", user=name)
    assert ssh(peer, key, "true").returncode == 0
    (home / ".ssh/authorized_keys").chmod(0o666)
    assert ssh(peer, key, "true").returncode == 255
    text = f"Authentication refused: bad ownership or modes for file {home}/.ssh/authorized_keys"
    wait_until(lambda: text in peer.log_text(), text)
    (home / ".ssh/authorized_keys").chmod(0o600)
    home.chmod(0o777)
    assert ssh(peer, key, "true").returncode == 255
    text = f"Authentication refused: bad ownership or modes for directory {home}"
    wait_until(lambda: text in peer.log_text(), text)
    home.chmod(0o755)
    assert ssh(peer, key, "true").returncode == 0


@BOTH
def test_locked_and_shell_less_accounts(suite, serve, person, key):
    name, home = person
    own(name, home / ".ssh/keys", public(key), 0o600)
    peer = serve(suite, f"AuthorizedKeysFile {home}/.ssh/keys", user=name)
    assert ssh(peer, key, "true").returncode == 0
    run(["usermod", "-L", name])
    try:
        assert ssh(peer, key, "true").returncode == 255
        text = f"User {name} not allowed because account is locked"
        wait_until(lambda: text in peer.log_text(), text)
    finally:
        run(["usermod", "-U", name])
    run(["usermod", "-s", "/nonexistent", name])
    try:
        assert ssh(peer, key, "true").returncode == 255
        text = f"User {name} not allowed because shell /nonexistent does not exist"
        wait_until(lambda: text in peer.log_text(), text)
    finally:
        run(["usermod", "-s", "/bin/bash", name])
    run(["chage", "-E", "0", name])
    try:
        assert ssh(peer, key, "true").returncode == 255
    finally:
        run(["chage", "-E", "-1", name])
    assert ssh(peer, key, "true").returncode == 0


# Group exchange (M-153, M-188)


@pytest.mark.parametrize("suite,request_packet", [
    # OpenSSH has forgotten the form of 2002.
    (UNDER_TEST, b"\x1e" + struct.pack(">I", 2048)),
    (UNDER_TEST, b"\x22" + struct.pack(">III", 1024, 2048, 8192)),
    (OPENSSH, b"\x22" + struct.pack(">III", 1024, 2048, 8192)),
], ids=["ours, one size", "ours, three sizes", "openssh, three sizes"])
def test_both_forms_of_a_group_request(suite, request_packet, serve):
    from test_server_load import VERSION, offer, packet

    peer = serve(suite, "KexAlgorithms +diffie-hellman-group-exchange-sha256",
                 "ModuliFile /nonexistent")
    with socket.create_connection(("127.0.0.1", peer.port), timeout=10) as connection:
        connection.sendall(
            VERSION + offer(b"diffie-hellman-group-exchange-sha256") + packet(request_packet)
        )
        file = connection.makefile("rb")
        assert file.readline().startswith(b"SSH-2.0-")
        for expected in (20, 31):
            length, padding = struct.unpack(">IB", file.read(5))
            payload = file.read(length - 1)
            assert payload[0] == expected, peer.log_text()
        size = struct.unpack(">I", payload[1:5])[0]
        assert 2048 // 8 <= size <= 8192 // 8 + 1
