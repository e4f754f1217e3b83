# SPDX-License-Identifier: Apache-2.0
"""Who gets in and with what, keyword by keyword of sshd_config(5) and authorized_keys, of OpenSSH's server and of ours."""
import os
import pathlib
import re
import statistics
import subprocess
import time

import pytest
from conftest import OPENSSH, UNDER_TEST, make_key, run, wait_until
from test_server_files import etc, serve_with  # noqa: F401
from test_server_rows import own, person, public, ssh  # noqa: F401

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="accounts are root's")
BOTH = pytest.mark.parametrize("suite", [UNDER_TEST, OPENSSH], ids=repr)


@pytest.fixture
def ready(person, key):
    """(name, home), with the key in ~/.ssh/keys."""
    name, home = person
    own(name, home / ".ssh/keys", public(key), 0o600)
    return name, home


def in_home(home):
    return f"AuthorizedKeysFile {home}/.ssh/keys"


def by_password(peer, env, **changes):
    config = peer.client_config(
        None, name=f"p{time.monotonic_ns()}", BatchMode="no", NumberOfPasswordPrompts=1,
        PreferredAuthentications="password", **changes)
    return run([OPENSSH.ssh, "-F", config, "127.0.0.1", "echo in"], env=env)


@BOTH
@pytest.mark.parametrize("policy,line,key_in", [
    ("yes", "{k}", True), ("no", "{k}", False), ("prohibit-password", "{k}", True), ("without-password", "{k}", True),
    ("forced-commands-only", "{k}", False), ("forced-commands-only", 'command="echo in" {k}', True),
])
def test_root(suite, policy, line, key_in, serve, key):
    peer = serve(suite, f"PermitRootLogin {policy}", user="root")
    peer.authorized_keys.write_text(line.format(k=public(key)))
    assert (ssh(peer, key, "echo in").stdout == b"in\n") == key_in, peer.log_text()


@BOTH
def test_a_session_that_pam_does_not_open(suite, serve_with, etc, ready, key):  # noqa: F811
    """Nothing is run then and nothing is forwarded."""
    name, home = ready
    (etc / "pam.d/sshd").write_text(
        "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_deny.so\n"
    )
    peer = serve_with(suite, in_home(home), "UsePAM yes", "Subsystem sftp internal-sftp", user=name)
    for words, options in ((["echo in"], []), (["echo in"], ["-tt"]), (["sftp"], ["-s"])):
        result = ssh(peer, key, *words, options=options, input=b"")
        assert result.returncode == 254 and b"in" not in result.stdout, (words, peer.log_text())
    result = ssh(peer, key, "true", options=["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1"])
    assert result.returncode == 255, peer.log_text()
    result = run([OPENSSH.ssh, "-F", peer.client_config(key), "-W", f"127.0.0.1:{peer.port}", "127.0.0.1"], input=b"")
    assert result.stdout == b"", result.stdout
    assert "PAM: pam_open_session(): " in peer.log_text()


@BOTH
def test_a_key_needs_no_fresh_password(suite, serve, ready, key):
    """Without PAM; who shows a password that is over has to change it (test_server_password.py)."""
    name, home = ready
    peer = serve(suite, in_home(home), "UsePAM no", user=name)
    run(["chage", "-d", "0", name])
    try:
        assert ssh(peer, key, "echo in").stdout == b"in\n", peer.log_text()
    finally:
        run(["chage", "-d", "20000", name])


@BOTH
@pytest.mark.parametrize("names", ["yes", "no"])
def test_where_a_key_may_come_from(suite, names, serve, ready, key):
    """A negated name keeps out whose address is listed; a list that cannot be read permits nobody."""
    name, home = ready
    peer = serve(suite, f"UseDNS {names}", in_home(home), user=name)
    for allowed, line in (
        (True, 'from="127.0.0.1"'), (True, 'from="10.0.0.0/8,127.0.0.0/8"'), (names == "yes", 'from="LOCALHOST"'),
        (names == "no", 'from="!localhost,127.0.0.1"'), (names == "no", 'from="127.0.0.1,!LOCAL*"'), (False, 'from="!127.0.0.1,*"'),
        (False, 'from="127.0.0.1/8"'), (False, 'from="*,10.0.0.1/8"'), (False, 'from="*,!10.0.0.1/8"'),
        (False, 'from="127.0.0.1,"'), (False, 'from=""'), (False, 'from="*,!"'), (False, 'from="127.0.0.+1"'),
    ):
        own(name, home / ".ssh/keys", f"{line} {public(key)}", 0o600)
        result = ssh(peer, key, "echo in")
        assert (result.stdout == b"in\n") == allowed, (line, peer.log_text())


@BOTH
def test_principals_are_of_authorities_alone(suite, serve, ready, key):
    name, home = ready
    peer = serve(suite, "LogLevel DEBUG1", in_home(home), user=name)
    for line, reason in (
        (f'principals="{name}"', "principals on non-CA key"),
        (f'from="10.0.0.1",principals="{name}"', "principals on non-CA key"),
        ("no-such-option", "bad key options: unknown key option"),
        ('tunnel="x"', "bad key options: invalid tun device"),
    ):
        own(name, home / ".ssh/keys", f"{line} {public(key)}", 0o600)
        assert ssh(peer, key, "echo in").returncode == 255, line
        wait_until(lambda: f"/.ssh/keys:1: {reason}" in peer.log_text(), peer.log_text())


def serve_with_limit(suite, serve, ready, key, where, keyword, value):
    """A server that limits forwards by its configuration, or by the options of the key."""
    name, home = ready
    peer = serve(suite, *([f"{keyword} {value}"] if where == "configuration" else []), in_home(home), user=name)
    if where == "key":
        own(name, home / ".ssh/keys", f'{keyword.lower()}="{value}" {public(key)}', 0o600)
    return peer


@BOTH
@pytest.mark.parametrize("target,permitted", [
    ("localhost:*", True), ("*:*", True), ("loc*:*", False), ("localhos?:*", False), ("127.0.0.1:*", False), ("localhost:1", False),
])
@pytest.mark.parametrize("where", ["key", "configuration"])
def test_hosts_to_connect_to_are_no_patterns(suite, where, target, permitted, serve, ready, key):
    peer = serve_with_limit(suite, serve, ready, key, where, "PermitOpen", target)
    client = subprocess.Popen(
        [OPENSSH.ssh, "-F", peer.client_config(key), "-W", f"localhost:{peer.port}", "127.0.0.1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )
    try:
        assert (client.stdout.read(4) == b"SSH-") == permitted, peer.log_text()
    finally:
        client.kill()
        client.communicate()
    if not permitted:
        text = f"to connect to host localhost port {peer.port}, but the request was denied."
        wait_until(lambda: text in peer.log_text(), peer.log_text())


@BOTH
@pytest.mark.parametrize("listed,permitted", [("localhost:*", True), ("loc*:*", True), ("127.*:*", False), ("1", False)])
@pytest.mark.parametrize("where", ["key", "configuration"])
def test_hosts_to_listen_for_may_be_patterns(suite, where, listed, permitted, serve, ready, key):
    peer = serve_with_limit(suite, serve, ready, key, where, "PermitListen", listed)
    result = ssh(peer, key, "echo in", options=["-o", "ExitOnForwardFailure=yes", "-R", "LOCALHOST:0:127.0.0.1:1"])
    assert (result.stdout == b"in\n") == permitted, peer.log_text()
    if not permitted:
        text = "to remote forward to host LOCALHOST port 0, but the request was denied."
        wait_until(lambda: text in peer.log_text(), peer.log_text())


@BOTH
@pytest.mark.parametrize("hosts,listed", [
    ("127.0.0.1,10.0.0.1", True), ("10.0.0.0/8,127.0.0.0/8", True), ("10.0.0.1,10.0.0.2", False),
    ("*,!127.0.0.1", False), ("!10.0.0.1,127.*", True),
])
@pytest.mark.parametrize("keyword", ["AllowUsers", "DenyUsers"])
def test_several_hosts_of_a_user(suite, keyword, hosts, listed, serve, ready, key):
    name, home = ready
    peer = serve(suite, f"{keyword} {name}@{hosts}", in_home(home), user=name)
    assert (ssh(peer, key, "echo in").stdout == b"in\n") == (listed == (keyword == "AllowUsers")), peer.log_text()


@BOTH
@pytest.mark.parametrize("word,wanted", [("yes", True), ("no", False)])
def test_empty_passwords(suite, word, wanted, serve, ready, askpass):
    name, _ = ready
    before = subprocess.run(["getent", "shadow", name], capture_output=True, text=True).stdout.split(":")[1]
    subprocess.run(["passwd", "-d", name], check=True, capture_output=True)
    try:
        peer = serve(suite, f"PermitEmptyPasswords {word}", "UsePAM no", user=name)
        environment, _ = askpass("")
        assert (by_password(peer, environment).stdout == b"in\n") == wanted, peer.log_text()
        # Nor is anyone let in by the method none unless it is allowed.
        config = peer.client_config(None, name="none", PreferredAuthentications="none")
        assert (run([OPENSSH.ssh, "-F", config, "127.0.0.1", "echo in"]).stdout == b"in\n") == wanted
    finally:
        subprocess.run(["usermod", "-p", before, name], check=True)


@BOTH
@pytest.mark.parametrize("method", ["SHA512", "SHA256", "YESCRYPT", "MD5", "DES"])
def test_the_systems_ways_to_keep_passwords(suite, method, serve, ready, askpass):
    name, _ = ready
    before = subprocess.run(["getent", "shadow", name], capture_output=True, text=True).stdout.split(":")[1]
    # chpasswd without PAM uses crypt(3) with the method that it is told.
    if run(["chpasswd", "-c", method], input=f"{name}:secret12\n".encode()).returncode != 0:
        pytest.skip(f"no {method} here")
    try:
        peer = serve(suite, "UsePAM no", user=name)
        for word, wanted in (("secret12", True), ("secret13", False)):
            environment, _ = askpass(word)
            assert (by_password(peer, environment).stdout == b"in\n") == wanted, peer.log_text()
    finally:
        subprocess.run(["usermod", "-p", before, name], check=True)


@BOTH
@pytest.mark.parametrize("lines,allowed", [
    (["AllowGroups {g}"], True), (["AllowGroups nobody-s"], False), (["DenyGroups {g}"], False),
    (["DenyGroups other"], True), (["AllowUsers {u}"], True), (["AllowUsers {u}@127.0.0.*"], True),
    (["AllowUsers {u}@10.*"], False), (["AllowUsers {u}@127.0.0.0/8"], True), (["DenyUsers {u}@127.0.0.1"], False),
    (["AllowUsers {u}", "DenyUsers {u}"], False), (["AllowUsers other", "AllowUsers {u}"], True),
    (["AllowUsers !{u},*"], False), (["AllowUsers {u}", "AllowGroups other"], False), (["AllowGroups *"], True),
])
def test_allowed_and_denied(suite, lines, allowed, serve, ready, key):
    name, home = ready
    group = run(["id", "-gn", name]).stdout.decode().strip()
    peer = serve(suite, in_home(home), *[line.format(u=name, g=group) for line in lines], user=name)
    assert (ssh(peer, key, "echo in").stdout == b"in\n") == allowed, peer.log_text()


@BOTH
@pytest.mark.parametrize("tries", [1, 2, 4])
def test_so_many_tries(suite, tries, serve, key, tmp_path, ready):
    name, home = ready
    peer = serve(suite, in_home(home), f"MaxAuthTries {tries}", user=name)
    wrong = [make_key(tmp_path, f"wrong{index}") for index in range(4)]
    for count in range(4):
        config = peer.client_config(key, name=f"t{count}")
        keys = "".join(f"    IdentityFile {one}\n" for one in wrong[:count])
        config.write_text(config.read_text().replace("    IdentityFile", keys + "    IdentityFile", 1))
        result = run([OPENSSH.ssh, "-F", config, "127.0.0.1", "echo in"])
        assert (result.stdout == b"in\n") == (count < tries), (count, result.stderr)
        if count >= tries:
            assert b"Too many authentication failures" in result.stderr


@BOTH
@pytest.mark.parametrize("lines,option,pty", [
    (["PermitTTY no"], "", False), (["PermitTTY yes"], "", True), ([], "restrict ", False), ([], "restrict,pty ", True),
    (["PermitTTY no"], "restrict,pty ", False),
])
def test_terminals(suite, lines, option, pty, serve, key):
    peer = serve(suite, *lines)
    peer.authorized_keys.write_text(option + public(key))
    result = ssh(peer, key, "tty || true", options=["-tt"])
    assert (b"/dev/pts/" in result.stdout) == pty
    assert (b"PTY allocation request failed" in result.stderr) != pty


@BOTH
@pytest.mark.parametrize("lines,option,runs", [
    ([], "", True), (["PermitUserRC no"], "", False), ([], "no-user-rc ", False), ([], "restrict ", False),
    ([], "restrict,user-rc ", True),
])
def test_whether_rc_runs(suite, lines, option, runs, serve, ready, key):
    name, home = ready
    own(name, home / ".ssh/rc", "echo rc\n", 0o600)
    own(name, home / ".ssh/keys", option + public(key), 0o600)
    peer = serve(suite, in_home(home), *lines, user=name)
    assert ssh(peer, key, "echo in").stdout == (b"rc\nin\n" if runs else b"in\n")


@BOTH
def test_several_files_of_keys_with_tokens(suite, serve, ready, key, tmp_path):
    name, home = ready
    other = make_key(tmp_path, "other")
    own(name, home / f"keys-{name}", public(other), 0o600)
    peer = serve(suite, f"AuthorizedKeysFile /nonexistent %h/.ssh/keys {home}/keys-%u .ssh/more%%", user=name)
    try:
        for one in (key, other):
            assert ssh(peer, one, "echo in").stdout == b"in\n", peer.log_text()
        own(name, home / ".ssh/more%", public(make_key(tmp_path, "third")), 0o600)
        assert ssh(peer, tmp_path / "third", "echo in").stdout == b"in\n"
    finally:
        (home / f"keys-{name}").unlink()


def test_files_of_keys_by_pattern(serve, ready, key, tmp_path):
    """OpenSSH 9.4 and later."""
    name, home = ready
    for index in range(3):
        one = make_key(tmp_path, f"p{index}")
        own(name, home / f".ssh/set_{index}", public(one), 0o600)
    peer = serve(UNDER_TEST, "AuthorizedKeysFile .ssh/set_*", user=name)
    for index in range(3):
        assert ssh(peer, tmp_path / f"p{index}", "echo in").stdout == b"in\n", peer.log_text()
    assert ssh(peer, key, "echo in").returncode == 255


@BOTH
@pytest.mark.parametrize("fault", ["foreign", "writable", "folder", "relative", None])
def test_a_command_that_tells_keys(suite, fault, serve, ready, key):
    name, _ = ready
    place = pathlib.Path(f"/usr/local/hw{os.getpid()}")
    place.mkdir(mode=0o755)
    try:
        program = place / "keys"
        program.write_text(
            f'#!/bin/sh\n[ "$1" = {name} ] && [ "$(id -un)" = nobody ] && [ "$PATH" != "" ] && [ -z "$SECRET" ] &&\n'
            f"echo '{public(key).strip()}'\n")
        program.chmod(0o755)
        if fault == "foreign":
            os.chown(program, 65534, 65534)
        elif fault == "writable":
            program.chmod(0o757)
        elif fault == "folder":
            place.chmod(0o777)
        os.environ["SECRET"] = "1"
        lines = [f"AuthorizedKeysCommand {'keys' if fault == 'relative' else program} %u", "AuthorizedKeysCommandUser nobody"]
        if fault == "relative":
            (place / "c").write_text("HostKey /dev/null\n" + "\n".join(lines) + "\n")
            result = run([suite.sshd, "-t", "-f", place / "c"])
            assert result.returncode == 255 and b"must be an absolute path" in result.stderr
            return
        peer = serve(suite, *lines, "AuthorizedKeysFile none", user=name)
        assert (ssh(peer, key, "echo in").stdout == b"in\n") == (fault is None), peer.log_text()
        if fault:
            assert f'Unsafe AuthorizedKeysCommand "{program}"' in peer.log_text()
    finally:
        os.environ.pop("SECRET", None)
        subprocess.run(["rm", "-rf", place])


@BOTH
def test_authentication_methods_in_turn(suite, serve, ready, account, key, askpass):
    name, home = ready
    peer = serve(suite, in_home(home), "AuthenticationMethods publickey,password", "UsePAM no", user=name)
    assert ssh(peer, key, "echo in").returncode == 255
    environment, _ = askpass(account[1])
    assert by_password(peer, environment).returncode == 255
    config = peer.client_config(key, name="both", BatchMode="no", NumberOfPasswordPrompts=1,
                                PreferredAuthentications="publickey,password")
    result = run([OPENSSH.ssh, "-v", "-F", config, "127.0.0.1", "echo in"], env=environment)
    assert result.stdout == b"in\n" and b'partial success' in result.stderr


@BOTH
def test_what_a_program_may_learn_of_the_login(suite, serve, ready, key):
    name, home = ready
    peer = serve(suite, in_home(home), "ExposeAuthInfo yes", user=name)
    said = ssh(peer, key, "cat $SSH_USER_AUTH; stat -c '%a %U' $SSH_USER_AUTH; echo $SSH_USER_AUTH").stdout.decode()
    kind, blob = public(key).split()[:2]
    lines = said.splitlines()
    assert lines[:2] == [f"publickey {kind} {blob}", f"600 {name}"]
    wait_until(lambda: not os.path.exists(lines[2]), "the file's end")


@BOTH
@pytest.mark.parametrize("fault", [None, "writable", "foreign", "missing"])
def test_a_changed_root(suite, fault, serve, ready, key):
    name, home = ready
    place = pathlib.Path(f"/usr/local/hwroot{os.getpid()}")
    place.mkdir(mode=0o755)
    try:
        for folder in ("bin", "lib", "lib64", "usr", "dev"):
            (place / folder).mkdir()
        script = f"for f in bin lib lib64 usr; do mount --bind $(realpath /$f) {place}/$f; done"
        if fault == "writable":
            place.chmod(0o775)
        elif fault == "foreign":
            os.chown(place, 65534, 0)
        where = place / "not-there" if fault == "missing" else place
        if fault is None:
            subprocess.run(["sh", "-c", script], check=True)
        peer = serve(suite, in_home(home), f"ChrootDirectory {where}", user=name)
        result = ssh(peer, key, "pwd; ls /; echo $0")
        if fault is None:
            assert set(result.stdout.decode().split()) >= {"/", "bin", "usr"} and b"etc" not in result.stdout, peer.log_text()
        else:
            assert result.returncode == 255 and result.stdout == b""
            text = {"missing": f'"{where}"'}.get(fault, f'bad ownership or modes for chroot directory "{place}"')
            wait_until(lambda: text in peer.log_text(), text)
    finally:
        if fault is None:
            subprocess.run(["sh", "-c", f"umount {place}/bin {place}/lib {place}/lib64 {place}/usr"])
        assert not os.path.ismount(place / "usr")
        subprocess.run(["rm", "-rf", "--one-file-system", place])


def test_names_that_nobody_has_take_as_long(serve, account, askpass):
    """The median of tries by password differs by less than what a network makes of it."""
    name, _ = account
    peer = serve(UNDER_TEST, "UsePAM no", "MaxAuthTries 100", "LoginGraceTime 0")
    environment, _ = askpass("wrong")
    import paramiko

    def seconds(user):
        transport = paramiko.Transport(("127.0.0.1", peer.port))
        transport.start_client(timeout=20)
        try:
            start = time.monotonic()
            with pytest.raises(paramiko.AuthenticationException):
                transport.auth_password(user, "wrong", fallback=False)
            return time.monotonic() - start
        finally:
            transport.close()

    found = {name: [], "nobody-knows": []}
    for _ in range(9):
        for user in found:
            found[user].append(seconds(user))
    first, second = (statistics.median(times) for times in found.values())
    assert 0.5 < first / second < 2, found


@BOTH
def test_the_name_of_the_service_for_pam(suite, serve_with, etc, ready, key):
    name, home = ready
    if suite is OPENSSH:
        pytest.skip("PAMServiceName came with 10.0")
    permit = "auth required pam_permit.so\naccount required {}.so\nsession required pam_permit.so\n"
    (etc / "pam.d/hw-good").write_text(permit.format("pam_permit"))
    (etc / "pam.d/hw-bad").write_text(permit.format("pam_deny"))
    for service, allowed in (("hw-good", True), ("hw-bad", False)):
        peer = serve_with(suite, in_home(home), "UsePAM yes", f"PAMServiceName {service}", user=name)
        assert (ssh(peer, key, "echo in").stdout == b"in\n") == allowed, peer.log_text()


# MARK: What a client is told


def remote_notes(peer, config, *keys):
    """The status, and what `ssh -v` shows as told by the server, each line once."""
    names = [word for each in keys for word in ("-i", each)]
    result = run([OPENSSH.ssh, "-F", config, "-v", *names, "127.0.0.1", "true"])
    told = re.findall(r"debug1: Remote: (.*)", result.stderr.decode().replace("\r", ""))
    # 9.2 forgets a blank, and tells of a key again when it is signed with.
    told = [line.replace("environmentexpires", "environment expires").rstrip() for line in told]
    return result.returncode, [line.replace(f"{peer.folder}/", "") for line in dict.fromkeys(told)]


@BOTH
def test_a_client_that_is_in_is_told_of_its_keys(serve, key, tmp_path, suite):
    peer = serve(suite, "PermitUserEnvironment yes")
    others = [make_key(tmp_path, name) for name in ("old", "elsewhere", "stranger")]
    lines = [pathlib.Path(f"{each}.pub").read_text() for each in [*others, key]]
    peer.authorized_keys.write_text(
        f'expiry-time="20000101" {lines[0]}from="10.0.0.1" {lines[1]}bogus {lines[2]}'
        f'no-pty,command="true",permitopen="a:1",environment="A=b",expiry-time="20990101" {lines[3]}'
    )
    config = peer.client_config()
    assert remote_notes(peer, config, *others[:2], key) == (0, [
        "authorized_keys:1: entry expired at 2000-01-01T00:00:00",
        "Refused by key options",
        "authorized_keys:3: bad key options: unknown key option",
        "authorized_keys:2: Your host '127.0.0.1' is not permitted to use this key for login.",
        "authorized_keys:4: key options: agent-forwarding command environment expires permitopen "
        "port-forwarding user-rc x11-forwarding",
        "authorized_keys:4: environment: A=b",
    ])
    # Strangers are told nothing.
    assert remote_notes(peer, config, *others) == (255, [])


@BOTH
def test_a_forced_internal_sftp_runs_no_command(serve, key, suite):
    peer = serve(suite, "ForceCommand internal-sftp")
    for words in ([], ["ls"]):
        result = run([OPENSSH.ssh, "-F", peer.client_config(key), "-T", "127.0.0.1", *words])
        said = b"This service allows sftp connections only.\n"
        assert (result.returncode, result.stdout, result.stderr) == (1, said, b"")
