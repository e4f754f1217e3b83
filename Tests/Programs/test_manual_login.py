# SPDX-License-Identifier: Apache-2.0
"""What sshd(8) says of logins, keys and host files, each test named after its row of docs/features.md (M-074 to M-190)."""
import os
import pathlib
import pwd
import re
import shutil
import struct
import subprocess
import time

import pexpect
import pytest
from conftest import OPENSSH, OURS, UNDER_TEST, Server, make_key, mounted, run, wait_until
from test_server_files import etc, serve_with  # noqa: F401
from test_server_rows import own, person, public, ssh  # noqa: F401

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="accounts are root's")
BOTH = pytest.mark.parametrize("suite", [UNDER_TEST, OPENSSH], ids=repr)
CLIENTS = pytest.mark.parametrize("client", [OURS, OPENSSH], ids=repr)


# The system's records, each server with a /run and a /var/log of its own


RECORD = struct.Struct("<hxxi32s4s32s256shhiii4I20x")


def records(path):
    """utmp(5): kind, pid, line, user, host, address."""
    data = path.read_bytes()
    found = []
    for start in range(0, len(data) - RECORD.size + 1, RECORD.size):
        kind, pid, line, _, user, host, _, _, _, _, _, *address = RECORD.unpack_from(data, start)
        text = [field.split(b"\0")[0].decode() for field in (line, user, host)]
        found.append((kind, pid, *text, address[0].to_bytes(4, "little")))
    return found


@pytest.fixture
def recorded(tmp_path, key):
    """start(suite, words, lines…, user=…): (server, folder of the records), all of them empty files."""
    servers = []

    def start(suite, *lines, user, words=(), also="true"):
        place = tmp_path / f"records{len(servers)}"
        (place / "run/sshd").mkdir(parents=True, mode=0o755)
        (place / "log").mkdir()
        for name in ("run/utmp", "log/wtmp", "log/btmp", "log/lastlog"):
            (place / name).touch(mode=0o660 if "btmp" in name else 0o664)
        mounts = f"{also} && mount --bind {place}/run /run && mount --bind {place}/log /var/log"
        peer = Server(suite, tmp_path / f"server{len(servers)}", user, extra=lines, arguments=words)
        peer.suite = mounted(suite, tmp_path / f"sshd{len(servers)}", mounts)
        peer.allow(key)
        servers.append(peer)
        return peer.start(), place

    yield start
    for peer in servers:
        peer.stop()


@BOTH
@pytest.mark.parametrize("usepam", ["no", "yes"])
def test_m079_m083_a_terminals_login_is_recorded(suite, usepam, recorded, person, key):
    name, home = person
    own(name, home / ".ssh/keys", public(key), 0o600)
    peer, place = recorded(suite, f"UsePAM {usepam}", f"AuthorizedKeysFile {home}/.ssh/keys", "PrintLastLog yes", user=name)
    # A command without a terminal leaves no line.
    assert ssh(peer, key, "true").returncode == 0
    assert [r for r in records(place / "log/wtmp") if r[0] == 7] == []
    texts = []
    for _ in range(2):
        child = pexpect.spawn(f"{OPENSSH.ssh} -F {peer.client_config(key)} 127.0.0.1", timeout=15, encoding="utf-8")
        child.expect(r"[$#] ")
        texts.append(child.before)
        child.sendline("echo tty=$(tty) pid=$$ end")
        child.expect(r"tty=/dev/(\S+) pid=(\d+) end")
        tty = child.match.group(1)
        begun = [r for r in records(place / "run/utmp") if r[0] == 7]
        assert [r[2:5] for r in begun] == [(tty, name, "127.0.0.1")]
        assert begun[0][5] == bytes([127, 0, 0, 1])
        child.sendline("exit")
        child.expect(pexpect.EOF)
        # Logging out closes both.
        wait_until(lambda: [r for r in records(place / "run/utmp") if r[0] == 7] == [], "the end in utmp")
        wait_until(lambda: [r for r in records(place / "log/wtmp") if r[0] == 8 and r[2] == tty], "the end in wtmp")
        assert (7, tty, name, "127.0.0.1") in [(r[0], *r[2:5]) for r in records(place / "log/wtmp")]
        time.sleep(1)
    assert "Last login" not in texts[0]
    assert re.search(r"Last login: .* from 127\.0\.0\.1", texts[1])
    entry = pwd.getpwnam(name)
    data = (place / "log/lastlog").read_bytes()[entry.pw_uid * 292:][:292]
    seconds, line, host = struct.unpack("<I32s256s", data)
    assert time.time() - 60 < seconds <= time.time()
    assert line.split(b"\0")[0].decode() == tty and host.split(b"\0")[0] == b"127.0.0.1"


@BOTH
def test_m083_failed_logins_are_in_btmp(suite, recorded, account, askpass):
    name, _ = account
    peer, place = recorded(suite, "UsePAM no", "PasswordAuthentication yes", user=name)
    environment, _ = askpass("wrong")
    for user in (name, "nobody-knows"):
        config = peer.client_config(None, name=f"c{user}", User=user, BatchMode="no", NumberOfPasswordPrompts=1,
                                    PreferredAuthentications="password")
        assert run([OPENSSH.ssh, "-F", config, "127.0.0.1", "true"], env=environment).returncode == 255
    wait_until(lambda: len(records(place / "log/btmp")) >= 2, "two records")
    found = [(r[3], r[4], r[5]) for r in records(place / "log/btmp")]
    assert (name, "127.0.0.1", bytes([127, 0, 0, 1])) in found
    assert [r for r in found if r[0] in ("nobody-knows", "UNKNOWN")], found


@BOTH
@pytest.mark.parametrize("words,expected", [(["-u0"], "127.0.0.1"), (["-u5"], "127.0.0.1"), ([], "a-long-name.example")])
def test_m074_the_width_of_hosts_in_utmp(suite, words, expected, recorded, person, key):
    name, home = person
    own(name, home / ".ssh/keys", public(key), 0o600)
    hosts = home / "hosts"
    hosts.write_text("127.0.0.1 a-long-name.example\n")
    # The name comes from a hosts file that only this server sees.
    peer, place = recorded(
        suite, "UseDNS yes", f"AuthorizedKeysFile {home}/.ssh/keys", user=name, words=words, also=f"mount --bind {hosts} /etc/hosts")
    child = pexpect.spawn(f"{OPENSSH.ssh} -F {peer.client_config(key)} 127.0.0.1", timeout=15, encoding="utf-8")
    child.expect(r"[$#] ")
    begun = [r for r in records(place / "run/utmp") if r[0] == 7]
    child.sendline("exit")
    child.expect(pexpect.EOF)
    assert [r[4] for r in begun] == [expected]


@BOTH
def test_m084_m092_nologin_stops_all_but_root(suite, serve_with, etc, key, person, tmp_path):
    name, home = person
    own(name, home / ".ssh/rc", "echo rc ran\n", 0o600)
    own(name, home / ".ssh/keys", public(key), 0o600)
    peer = serve_with(suite, f"AuthorizedKeysFile {home}/.ssh/keys {tmp_path}/server0/authorized_keys", user=name)
    (etc / "nologin").write_text("closed for tonight\n")
    result = ssh(peer, key, "echo in")
    assert result.returncode == 254
    said = result.stdout + result.stderr
    assert b"closed for tonight" in said and b"rc ran" not in said and b"in\n" not in result.stdout.splitlines(True)
    config = peer.client_config(key, name="root", User="root")
    assert run([OPENSSH.ssh, "-F", config, "127.0.0.1", "echo in"]).stdout.endswith(b"in\n")


@BOTH
@pytest.mark.parametrize("permit,found", [("no", b"[][]"), ("yes", b"[1][2]"), ("A*", b"[1][]"), ("B,!A", b"[][2]")])
def test_m087_which_variables_a_file_may_set(suite, permit, found, serve, person, key):
    name, home = person
    own(name, home / ".ssh/environment", "AA=1\nB=2\n", 0o600)
    own(name, home / ".ssh/keys", public(key), 0o600)
    peer = serve(suite, f"AuthorizedKeysFile {home}/.ssh/keys", f"PermitUserEnvironment {permit}", user=name)
    assert ssh(peer, key, "echo [$AA][$B]").stdout.strip() == found


@BOTH
def test_m088_a_home_that_is_not_there(suite, serve, account, key, tmp_path):
    name, _ = account
    peer = serve(suite, user=name)
    peer.authorized_keys.chmod(0o644)
    for folder in [peer.folder, *peer.folder.parents]:
        if folder.stat().st_uid == 0 and str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    home = pwd.getpwnam(name).pw_dir
    os.rename(home, home + ".away")
    try:
        result = ssh(peer, key, "pwd")
    finally:
        os.rename(home + ".away", home)
    assert result.stdout == b"/\n", peer.log_text()
    assert f"Could not chdir to home directory {home}: No such file or directory".encode() in result.stderr


@BOTH
def test_m091_how_the_shell_is_called(suite, serve, key):
    peer = serve(suite)
    assert ssh(peer, key, "echo $0 $-").stdout.split()[0] in (b"bash", b"/bin/bash", b"-bash")
    result = run([OPENSSH.ssh, "-F", peer.client_config(key), "-T", "127.0.0.1"], input=b"echo $0\n")
    assert b"-bash" in result.stdout


# Lines of authorized_keys


@BOTH
def test_m110_a_line_that_is_too_long_is_none(suite, serve, key):
    """Its tail, which would be a good line, is not read as one."""
    peer = serve(suite)
    peer.authorized_keys.write_text("#" + "x" * (8 << 20) + " " + public(key))
    assert ssh(peer, key, "true").returncode == 255
    peer.authorized_keys.write_text("ssh-rsa " + "A" * 70000 + "\n" + public(key))
    assert ssh(peer, key, "true").returncode == 0, peer.log_text()


@BOTH
def test_m111_m105_lines_of_every_kind_as_the_pub_files_have_them(suite, serve, tmp_path):
    peer = serve(suite)
    keys = [make_key(tmp_path, f"id_{kind}", kind) for kind in ("rsa", "ecdsa", "ed25519")]
    peer.authorized_keys.write_text("".join(public(one) for one in keys))
    for one in keys:
        assert ssh(peer, one, "true").returncode == 0, peer.log_text()


@BOTH
def test_m112_small_keys_are_refused(suite, serve, tmp_path):
    peer = serve(suite, "RequiredRSASize 3072")
    for bits, allowed in ((2048, False), (3072, True)):
        key = make_key(tmp_path, f"rsa{bits}", "rsa", bits=bits)
        peer.allow(key)
        assert (ssh(peer, key, "true").returncode == 0) == allowed, peer.log_text()


@BOTH
def test_m123_no_agent_forwarding(suite, serve, key, home):
    agent = subprocess.Popen([OPENSSH.ssh_agent, "-D", "-a", home / "agent"], stdout=subprocess.DEVNULL)
    try:
        wait_until((home / "agent").exists, "the agent")
        peer = serve(suite)
        words = {"options": ["-A", "-o", f"IdentityAgent={home}/agent"]}
        assert ssh(peer, key, "test -S $SSH_AUTH_SOCK && echo there", **words).stdout == b"there\n"
        for word in ("no-agent-forwarding", "restrict"):
            peer.authorized_keys.write_text(f"{word} {public(key)}")
            assert ssh(peer, key, 'echo "[$SSH_AUTH_SOCK]"', **words).stdout == b"[]\n"
        peer.authorized_keys.write_text(f"restrict,agent-forwarding {public(key)}")
        assert ssh(peer, key, "test -S $SSH_AUTH_SOCK && echo there", **words).stdout == b"there\n"
    finally:
        agent.terminate()
        agent.wait()


@BOTH
def test_m126_m127_the_manuals_examples(suite, serve, key):
    peer = serve(suite)
    peer.authorized_keys.write_text(f'from="*.niksula.hut.fi,!pc.niksula.hut.fi,127.0.0.1" {public(key)}')
    assert ssh(peer, key, "true").returncode == 0
    peer.authorized_keys.write_text(f'from="!127.0.0.1,*" {public(key)}')
    assert ssh(peer, key, "true").returncode == 255
    peer.authorized_keys.write_text(f'command="echo dump /home",no-pty,no-port-forwarding {public(key)}')
    assert ssh(peer, key, "anything").stdout == b"dump /home\n"
    assert b"PTY allocation request failed" in ssh(peer, key, "anything", options=["-tt"]).stderr
    result = ssh(peer, key, options=["-N", "-R", "0:127.0.0.1:1", "-o", "ExitOnForwardFailure=yes"])
    assert result.returncode == 255 and b"remote port forwarding failed" in result.stderr


# known_hosts (M-130 to M-148)


@CLIENTS
@pytest.mark.parametrize("own_file,global_file,known", [
    ("{h} {k}\n", "", True),                                            # M-130
    ("", "{h} {k}\n", True),
    ("{h}   \t {t}\t{b}   a comment of words\n", "", True),             # M-135, M-141
    ("\n# comment\n   # another\n{h} {k}\n", "", True),                 # M-142
    ("[127.0.0.?]:{p} {k}\n", "", True),                                # M-136
    ("nobody,[127.*]:{p},other {k}\n", "", True),
    ("[127.*]:{p},!{h} {k}\n", "", False),                              # M-139
    ("{h} {w}\n{h} {k}\n", "", True),                                   # M-143, M-144
    ("{h} {k}\n{h} {w}\n", "", True),
    ("{h} {w}\n", "{h} {k}\n", True),                                   # M-145
    ("{h} {w}\n", "", False),
    ("no.such.host {k}\n", "", False),
    ("{h} {k} " + "x" * 4000 + "\n", "", True),                              # M-146
    ("{h},10.0.0.1 {t} {b}\n", "", True),                               # M-148
    ("nonsense\n{h} ssh-ed25519 broken\n{h} {k}\n", "", True),
], ids=range(15))
def test_m130_to_m148_host_keys(client, own_file, global_file, known, serve, key, tmp_path):
    peer = serve(OPENSSH)
    kind, blob = public(peer.host_keys[0]).split()[:2]
    wrong = " ".join(public(make_key(tmp_path, "wrong")).split()[:2])
    host = f"[127.0.0.1]:{peer.port}"
    files = []
    for name, text in (("own", own_file), ("global", global_file)):
        files.append(tmp_path / name)
        files[-1].write_text(text.replace("{h}", host).replace("{k}", f"{kind} {blob}").replace("{t}", kind)
                             .replace("{b}", blob).replace("{w}", wrong).replace("{p}", str(peer.port)))
    config = peer.client_config(key, UserKnownHostsFile=files[0], GlobalKnownHostsFile=files[1])
    before = [path.read_text() for path in files]
    result = run([client.ssh, "-F", config, "127.0.0.1", "echo in"])
    assert (result.stdout == b"in\n") == known, result.stderr
    assert [path.read_text() for path in files] == before               # M-131


@CLIENTS
def test_m132_new_hosts_are_written_down(client, serve, key, tmp_path):
    peer = serve(OPENSSH)
    folder = tmp_path / "new"
    shared = tmp_path / "global"
    shared.write_text("# global\n")
    config = peer.client_config(
        key, UserKnownHostsFile=folder / "known", GlobalKnownHostsFile=shared, StrictHostKeyChecking="accept-new")
    folder.mkdir(mode=0o700)
    result = run([client.ssh, "-F", config, "127.0.0.1", "echo in"])
    assert result.stdout == b"in\n"
    assert f"Permanently added '[127.0.0.1]:{peer.port}' (ED25519) to the list of known hosts.".encode() in result.stderr
    kind, blob = public(peer.host_keys[0]).split()[:2]
    assert (folder / "known").read_text() == f"[127.0.0.1]:{peer.port} {kind} {blob}\n"
    assert (folder / "known").stat().st_mode & 0o777 in (0o600, 0o644) and shared.read_text() == "# global\n"


@CLIENTS
def test_m138_m147_the_name_that_was_typed_counts(client, serve, key, tmp_path):
    """And lines of ssh-keyscan are good as they are."""
    peer = serve(OPENSSH, "ListenAddress 127.0.0.1")
    scanned = run([OURS.ssh_keyscan, "-p", str(peer.port), "localhost"]).stdout
    assert scanned
    (tmp_path / "known").write_bytes(scanned)
    config = peer.client_config(key, UserKnownHostsFile=tmp_path / "known")
    assert run([client.ssh, "-F", config, "localhost", "echo in"]).stdout == b"in\n"
    assert run([client.ssh, "-F", config, "127.0.0.1", "echo in"]).returncode == 255


# Files of the user and the system


@BOTH
def test_m165_m168_what_is_no_trust(suite, tmp_path):
    """A lone plus is no wildcard, and the manual warns of rsh's programs."""
    if suite is OPENSSH:
        pytest.skip("asked of ours in test_server_hostbased.py")
    text = (pathlib.Path(__file__).parent.parent.parent / "man/sshd.8").read_text()
    for word in ("rshd", "rlogind", "rexecd"):
        assert word in text


@BOTH
def test_m171_lines_of_the_environment_file(suite, serve, person, key):
    name, home = person
    own(name, home / ".ssh/environment", "# x\n\nGOOD=1\nnonsense\n  BLANKS=2\n" + "".join(
        f"V{i}={i}\n" for i in range(900)), 0o600)
    own(name, home / ".ssh/keys", public(key), 0o600)
    peer = serve(suite, f"AuthorizedKeysFile {home}/.ssh/keys", "PermitUserEnvironment yes", user=name)
    result = ssh(peer, key, "echo $GOOD $BLANKS $V100 $V899")
    assert result.stdout == b"1 2 100 899\n", result
    assert result.stderr == f"Bad line 4 in {home}/.ssh/environment\n".encode()
    with (home / ".ssh/environment").open("a") as file:
        file.write("".join(f"W{i}={i}\n" for i in range(100)))
    assert ssh(peer, key, "echo in").returncode == 255
    if suite is OPENSSH:  # which tells nobody why
        return
    wait_until(lambda: f"Too many lines in environment file {home}/.ssh/environment" in peer.log_text(), "the reason")


@BOTH
def test_m172_what_rc_prints_spoils_a_copy(suite, serve, person, key, tmp_path):
    name, home = person
    own(name, home / ".ssh/rc", "echo noise\n", 0o600)
    own(name, home / ".ssh/keys", public(key), 0o600)
    peer = serve(suite, f"AuthorizedKeysFile {home}/.ssh/keys", user=name)
    (tmp_path / "file").write_text("x")
    config = peer.client_config(key)
    assert run([OPENSSH.scp, "-O", "-F", config, tmp_path / "file", "127.0.0.1:there"]).returncode != 0
    assert ssh(peer, key, "echo in").stdout == b"noise\nin\n"


@BOTH
def test_m186_limits_and_environment_through_pam(suite, serve_with, etc, person, key):
    name, home = person
    own(name, home / ".ssh/keys", public(key), 0o600)
    (etc / "pam.d/sshd").write_text(
        "auth required pam_permit.so\naccount required pam_permit.so\n"
        "session required pam_limits.so\nsession required pam_env.so envfile=/etc/hw-env\n")
    (etc / "security/limits.d/hw.conf").write_text(f"{name} hard nofile 321\n{name} soft nofile 123\n")
    (etc / "hw-env").write_text("FROM_PAM=here\n")
    peer = serve_with(suite, "UsePAM yes", f"AuthorizedKeysFile {home}/.ssh/keys", user=name)
    assert ssh(peer, key, "echo $(ulimit -Sn) $(ulimit -Hn) $FROM_PAM").stdout == b"123 321 here\n", peer.log_text()


# Programs that read the log


FOUND = {}


@BOTH
def test_fail2ban_finds_what_it_looks_for(suite, serve, person, askpass, key, tmp_path):
    if not shutil.which("fail2ban-regex"):
        pytest.skip("no fail2ban")
    name, home = person
    own(name, home / ".ssh/keys", public(key), 0o600)
    peer = serve(suite, "PasswordAuthentication yes", f"AuthorizedKeysFile {home}/.ssh/keys", "MaxAuthTries 2", user=name)
    environment, _ = askpass("wrong")
    for user in (name, "nobody-knows"):
        config = peer.client_config(None, name=f"c{user}", User=user, BatchMode="no", NumberOfPasswordPrompts=3,
                                    PreferredAuthentications="password")
        run([OPENSSH.ssh, "-F", config, "127.0.0.1", "true"], env=environment)
    assert ssh(peer, key, "true").returncode == 0
    peer.stop()
    # As syslog would write them; but who only looked whether the server answers is none of them, and
    # how often that was depends on the machine.
    stamp = time.strftime("%b %d %H:%M:%S")
    log = tmp_path / "auth.log"
    probes = re.compile(r"kex_exchange_identification|^Connection (closed|reset) by \S+ port \d+( \[preauth\])?\s*$")
    lines = [line.rstrip() for line in peer.log_text().splitlines() if not probes.search(line)]
    log.write_text("".join(f"{stamp} host sshd[123]: {line}\n" for line in lines))
    found = {}
    for mode in ("normal", "aggressive"):
        result = run(["fail2ban-regex", log, f"sshd[mode={mode}]"])
        match = re.search(r"Failregex: (\d+) total", result.stdout.decode())
        found[mode] = int(match.group(1))
    # Two wrong passwords each, and the name that nobody knows; the same of both servers.
    assert found["normal"] >= 4, log.read_text()
    FOUND[suite.name] = found
    if len(FOUND) == 2:
        assert FOUND["ours"] == FOUND["openssh"]
