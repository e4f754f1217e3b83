# SPDX-License-Identifier: Apache-2.0
"""Kerberos logins, `gssapi-with-mic` (RFC 4462 §3), between OpenSSH's programs and ours."""
import json
import os
import pathlib
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time

import pytest
from conftest import OPENSSH, OURS, UNDER_TEST, Server, run, wait_until
from kerberos import OTHER_HOST, OWN_HOST, REALM, Realm

pytestmark = pytest.mark.skipif(
    shutil.which("krb5kdc", path="/usr/sbin:/usr/bin") is None, reason="krb5-kdc is not installed"
)

PASSWORD = "one-two-three"


@pytest.fixture(scope="module")
def realm():
    # Everyone has to read the realm's configuration, as in /etc.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hwrealm"))
    folder.chmod(0o755)
    realm = Realm(folder)
    realm.add("stranger", PASSWORD)
    yield realm
    realm.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def in_realm(realm, monkeypatch):
    """Servers that are started from here on know the realm."""
    for name, value in realm.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("KRB5CCNAME", raising=False)
    return realm


@pytest.fixture
def mine(in_realm, me, tmp_path):
    """The environment of someone with tickets of an own principal."""
    if not getattr(in_realm, "has_me", False):
        in_realm.add(me, PASSWORD)
        in_realm.has_me = True
    return in_realm.tickets(tmp_path / "mine", me, PASSWORD)


def client(suite, server, environment, *words, host=OWN_HOST, command="echo in", **changes):
    """Logs in to a server under a name of this host, whatever its address is called."""
    options = {
        "GSSAPIAuthentication": "yes",
        "PreferredAuthentications": "gssapi-with-mic",
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
        "ProxyCommand": f"nc 127.0.0.1 {server.port}",
        "LogLevel": "ERROR",
    }
    config = server.client_config(**(options | changes))
    return run([suite.ssh, "-F", config, *words, host, command], env=environment)


PAIRS = [(OURS, OPENSSH), (OPENSSH, OURS), (OURS, OURS)]
PAIRS = [p for p in PAIRS if UNDER_TEST is OURS] or [(OPENSSH, OPENSSH)]
BOTH = pytest.mark.parametrize("ours,theirs", PAIRS, ids=repr)
AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="another account needs root")
ONLY_OURS = pytest.mark.skipif(UNDER_TEST is not OURS, reason="not in OpenSSH 9.2")


def gone(path, seconds=10):
    """Whether a file goes away within a time."""
    end = time.monotonic() + seconds
    while path.exists() and time.monotonic() < end:
        time.sleep(0.02)
    return not path.exists()


@BOTH
def test_a_ticket_lets_its_owner_in(ours, theirs, serve, mine, me):
    server = serve(theirs, "GSSAPIAuthentication yes")
    result = client(ours, server, mine, command="echo in; echo x${KRB5CCNAME}x")
    assert result.stdout == b"in\nxx\n", result.stderr
    assert result.stderr == b""
    log = server.log_text()
    assert f"Authorized to {me}, krb5 principal {me}@{REALM} (krb5_kuserok)" in log
    assert f"Accepted gssapi-with-mic for {me} from 127.0.0.1 port " in log
    assert f" ssh2: {me}@{REALM}\n" in log


@BOTH
@pytest.mark.parametrize("words,changes,delegates", [
    (["-K"], {}, True),
    ([], {"GSSAPIDelegateCredentials": "yes"}, True),
    (["-k"], {"GSSAPIDelegateCredentials": "yes"}, False),
    (["-K"], {"GSSAPIAuthentication": "no"}, True),
    ([], {}, False),
])
def test_credentials_are_handed_over_where_wanted(
    ours, theirs, words, changes, delegates, serve, mine, me
):
    server = serve(theirs, "GSSAPIAuthentication yes")
    result = client(
        ours, server, mine, *words, command="echo $KRB5CCNAME; klist | head -2", **changes
    )
    assert result.returncode == 0, result.stderr
    name, *listing = result.stdout.decode().splitlines()
    if not delegates:
        assert name == ""
        return
    assert listing == [f"Ticket cache: {name}", f"Default principal: {me}@{REALM}"]
    assert name.startswith(f"FILE:/tmp/krb5cc_{os.getuid()}_")
    # The session's tickets go with it.
    assert gone(pathlib.Path(name.removeprefix("FILE:")))


@BOTH
@pytest.mark.parametrize("strict,works", [("yes", False), ("no", True)])
def test_a_strict_server_takes_tickets_for_its_own_name_only(
    ours, theirs, strict, works, serve, mine
):
    if OTHER_HOST == OWN_HOST:
        pytest.skip("this host has one name only")
    server = serve(theirs, "GSSAPIAuthentication yes", f"GSSAPIStrictAcceptorCheck {strict}")
    result = client(ours, server, mine, host=OTHER_HOST)
    assert (result.returncode == 0) == works, result.stderr
    if not works:
        # The reason comes from the server, in a token.
        detail = client(ours, server, mine, host=OTHER_HOST, LogLevel="DEBUG1").stderr
        assert b"The ticket isn't for us\n" in detail


@BOTH
def test_another_principal_is_refused(ours, theirs, serve, in_realm, mine, me, tmp_path):
    server = serve(theirs, "GSSAPIAuthentication yes")
    strangers = in_realm.tickets(tmp_path / "strangers", "stranger", PASSWORD)
    result = client(ours, server, strangers)
    assert result.returncode == 255
    assert b"Permission denied (" in result.stderr
    assert "Authorized to" not in server.log_text()


@BOTH
def test_without_credentials_the_next_method_follows_in_silence(
    ours, theirs, serve, mine, key, in_realm, tmp_path
):
    server = serve(theirs, "GSSAPIAuthentication yes", "LogLevel DEBUG1")
    nothing = dict(in_realm.environment, KRB5CCNAME=f"FILE:{tmp_path}/nothing")
    old = in_realm.tickets(tmp_path / "old", "stranger", PASSWORD, "-l", "1s")
    # Times of tickets are whole seconds.
    time.sleep(2.5)
    for environment in (nothing, old):
        result = client(
            ours, server, environment, PreferredAuthentications="gssapi-with-mic,publickey",
            IdentityFile=key, LogLevel="INFO",
        )
        errors = [
            line for line in result.stderr.splitlines() if b"Permanently added" not in line
        ]
        assert (result.stdout, errors) == (b"in\n", [])
    # Nothing was asked of the server; OpenSSH asks before it looks at a ticket's time.
    if ours is OURS:
        assert "method gssapi-with-mic" not in server.log_text()
    detail = client(ours, server, nothing, LogLevel="DEBUG1").stderr.decode()
    assert "debug1: Next authentication method: gssapi-with-mic" in detail
    assert f"No Kerberos credentials available (default cache: FILE:{tmp_path}/nothing)" in detail
    assert "debug1: No more authentication methods to try." in detail
    detail = client(ours, server, old, LogLevel="DEBUG1").stderr.decode()
    assert "Ticket expired" in detail


@BOTH
@pytest.mark.parametrize("order", ["gssapi-with-mic,publickey", "publickey,gssapi-with-mic"])
def test_a_ticket_is_one_of_two_methods(ours, theirs, order, serve, mine, key, tmp_path):
    server = serve(theirs, "GSSAPIAuthentication yes", f"AuthenticationMethods {order}")
    changes = {"PreferredAuthentications": "gssapi-with-mic,publickey", "IdentityFile": key}
    result = client(ours, server, mine, **changes)
    assert result.stdout == b"in\n", result.stderr
    assert "Partial " + order.split(",")[0] in server.log_text()
    nothing = dict(mine, KRB5CCNAME=f"FILE:{tmp_path}/nothing")
    assert client(ours, server, nothing, **changes).returncode == 255
    changes["IdentityFile"] = "none"
    assert client(ours, server, mine, **changes).returncode == 255


@BOTH
def test_a_host_without_a_key_in_the_realm(ours, theirs, serve, mine):
    server = serve(theirs, "GSSAPIAuthentication yes")
    result = client(ours, server, mine, host="elsewhere.invalid", LogLevel="DEBUG1")
    assert result.returncode == 255
    assert b"not found in Kerberos database" in result.stderr


@pytest.mark.skipif(UNDER_TEST is not OURS, reason="OpenSSH is linked with the library")
def test_a_client_without_the_library_goes_on(serve, mine, key, tmp_path):
    server = serve(OPENSSH, "GSSAPIAuthentication yes")
    # A file that is no library stands in its way.
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libgssapi_krb5.so.2").write_text("")
    environment = dict(mine, LD_LIBRARY_PATH=str(tmp_path / "lib"))
    changes = {"PreferredAuthentications": "gssapi-with-mic,publickey", "IdentityFile": key}
    result = client(OURS, server, environment, **changes)
    assert result.stdout == b"in\n"
    assert b'Unsupported option "gssapiauthentication"' in result.stderr


@pytest.mark.skipif(UNDER_TEST is not OURS, reason="OpenSSH is linked with the library")
def test_who_does_not_use_it_does_not_load_it(serve, mine, key):
    server = serve(OPENSSH, "GSSAPIAuthentication yes")
    changes = {
        "PreferredAuthentications": "gssapi-with-mic,publickey",
        "IdentityFile": key,
        "ProxyCommand": "none",
        "HostName": "127.0.0.1",
    }
    environment = dict(mine, LD_DEBUG="files")
    for wanted in ("no", "yes"):
        result = client(OURS, server, environment, **changes, GSSAPIAuthentication=wanted)
        assert b"in\n" in result.stdout
        assert (b"libgssapi_krb5" in result.stderr) == (wanted == "yes")


# What a server is told to do with it.


@ONLY_OURS
def test_a_server_may_take_no_credentials(serve, mine):
    server = serve(OURS, "GSSAPIAuthentication yes", "GSSAPIDelegateCredentials no")
    result = client(OPENSSH, server, mine, "-K", command="echo x${KRB5CCNAME}x")
    assert result.stdout == b"xx\n", result.stderr


def test_credentials_may_stay(serve, mine):
    server = serve(UNDER_TEST, "GSSAPIAuthentication yes", "GSSAPICleanupCredentials no")
    result = client(OPENSSH, server, mine, "-K", command="echo $KRB5CCNAME")
    path = pathlib.Path(result.stdout.decode().strip().removeprefix("FILE:"))
    server.stop()
    time.sleep(0.2)
    assert path.stat().st_mode & 0o777 == 0o600
    path.unlink()


def test_authentication_info_names_the_principal(serve, mine, me):
    server = serve(UNDER_TEST, "GSSAPIAuthentication yes", "ExposeAuthInfo yes")
    result = client(OPENSSH, server, mine, command="cat $SSH_USER_AUTH")
    assert result.stdout.decode() == f"gssapi-with-mic {me}@{REALM}\n"


@ONLY_OURS
def test_the_event_log_says_who_and_why(serve, mine, me, in_realm, tmp_path):
    file = tmp_path / "events"
    server = serve(OURS, "GSSAPIAuthentication yes", f"EventLog {file}")
    strangers = in_realm.tickets(tmp_path / "strangers", "stranger", PASSWORD)
    assert client(OURS, server, strangers).returncode == 255
    assert client(OURS, server, mine).returncode == 0
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    attempts = [
        line for line in lines
        if line.get("method") == "gssapi-with-mic" and line["result"] != "postponed"
    ]
    assert [line["result"] for line in attempts] == ["failed", "accepted"]
    assert attempts[0]["reason"] == f"stranger@{REALM} is not authorized"
    assert attempts[1]["principal"] == f"{me}@{REALM}"


@AS_ROOT
def test_a_server_of_one_user(in_realm, account, tmp_path, realm):
    """Without root, with a keytab of the user's own."""
    name, _ = account
    record = pwd.getpwnam(name)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hwown"))
    keytab = folder / "own.keytab"
    shutil.copy(realm.keytab, keytab)
    in_realm.admin("addprinc", "-pw", PASSWORD, name)
    tickets = in_realm.tickets(tmp_path / "own", name, PASSWORD)
    # Its listener is started as the user.
    server = Server(
        UNDER_TEST, folder / "server", name, extra=["GSSAPIAuthentication yes"],
    )
    for path in [folder, keytab, *folder.glob("server"), *folder.glob("server/*")]:
        os.chown(path, record.pw_uid, record.pw_gid)
    environment = {
        "KRB5_CONFIG": realm.variables["KRB5_CONFIG"], "KRB5_KTNAME": f"FILE:{keytab}",
        "KRB5RCACHEDIR": str(folder), "PATH": os.environ["PATH"],
    }
    try:
        server.process = subprocess.Popen(
            [server.suite.sshd, "-D", "-f", server.config, "-E", server.log],
            user=record.pw_uid, group=record.pw_gid, extra_groups=[], env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        wait_until(server.answers, "the user's sshd")
        command = "id -un; echo $KRB5CCNAME; klist | head -2 | tail -1"
        result = client(OPENSSH, server, tickets, "-K", command=command)
        who, cache, principal = result.stdout.decode().splitlines()
        assert (who, principal) == (name, f"Default principal: {name}@{REALM}")
        assert gone(pathlib.Path(cache.removeprefix("FILE:")))
    finally:
        server.stop()
        in_realm.admin("delprinc", name)
        shutil.rmtree(folder)


def test_a_match_block_may_allow_it(serve, mine, me):
    server = serve(
        UNDER_TEST, f"Match User nobody,{me}", "    GSSAPIAuthentication yes",
        "Match User other", "    GSSAPIAuthentication no",
    )
    assert client(OPENSSH, server, mine).returncode == 0
    server = serve(UNDER_TEST, "Match User nobody", "    GSSAPIAuthentication yes")
    result = client(OPENSSH, server, mine)
    assert result.returncode == 255
    assert b"gssapi-with-mic" not in result.stderr


@AS_ROOT
def test_k5login_says_who_may_be_an_account(serve, in_realm, account, tmp_path):
    name, _ = account
    server = serve(UNDER_TEST, "GSSAPIAuthentication yes", user=name)
    tickets = in_realm.tickets(tmp_path / "strangers", "stranger", PASSWORD)
    assert client(OPENSSH, server, tickets).returncode == 255
    file = pathlib.Path(f"~{name}/.k5login").expanduser()
    file.write_text(f"stranger@{REALM}\n")
    shutil.chown(file, name)
    # Only its owner may read it, so that it must be read with the owner's rights.
    file.chmod(0o600)
    try:
        command = "id -un; klist | head -2; stat -c %U ${KRB5CCNAME#FILE:}"
        result = client(OPENSSH, server, tickets, "-K", command=command)
        who, cache, principal, owner = result.stdout.decode().splitlines()
        assert (who, owner, principal) == (name, name, f"Default principal: stranger@{REALM}")
        assert gone(pathlib.Path(cache.split(":")[-1].strip()))
        # Somebody else's file counts for nothing.
        shutil.chown(file, "nobody")
        file.chmod(0o644)
        assert client(OPENSSH, server, tickets).returncode == 255
    finally:
        file.unlink()


@AS_ROOT
@ONLY_OURS  # CVE-2018-15919 is open in OpenSSH
def test_a_user_who_does_not_exist_takes_the_same_steps(serve, mine):
    server = serve(UNDER_TEST, "GSSAPIAuthentication yes", user="nosuchuser")
    result = client(OPENSSH, server, mine, LogLevel="DEBUG3")
    assert result.returncode == 255
    # The mechanism, a token, and then the refusal.
    assert b"receive packet: type 60" in result.stderr
    assert b"receive packet: type 61" in result.stderr
    assert "Authorized to" not in server.log_text()


@AS_ROOT
@ONLY_OURS  # and CVE-2026-106553 in 9.2
def test_credentials_of_a_refused_login_do_not_stay(serve, mine, me, key):
    # Root may log in by its key for one command only, and by nothing else (CVE-2026-106553).
    server = serve(
        UNDER_TEST, "GSSAPIAuthentication yes", "PermitRootLogin forced-commands-only"
    )
    line = server.authorized_keys.read_text()
    server.authorized_keys.write_text('command="echo x${KRB5CCNAME}x" ' + line)
    result = client(
        OPENSSH, server, mine, "-K", PreferredAuthentications="gssapi-with-mic,publickey",
        IdentityFile=key,
    )
    if me == "root":
        assert "ROOT LOGIN REFUSED" in server.log_text()
    assert result.stdout == b"xx\n"


@pytest.fixture
def password_client(askpass, in_realm):
    """Logs in with a password: run(server, password, command)."""

    def run_it(server, password, command="echo x${KRB5CCNAME}x"):
        environment, _ = askpass(password)
        return client(
            OPENSSH, server, dict(environment, **in_realm.variables), command=command,
            PreferredAuthentications="password", BatchMode="no", NumberOfPasswordPrompts=1,
            GSSAPIAuthentication="no",
        )

    return run_it


@AS_ROOT
@pytest.mark.parametrize("pam", ["no", "yes"])
def test_a_password_is_the_realms(pam, serve, in_realm, account, password_client):
    name, local = account
    in_realm.admin("addprinc", "-pw", "realm-" + PASSWORD, name)
    try:
        server = serve(
            UNDER_TEST, "KerberosAuthentication yes", f"UsePAM {pam}", "LogLevel DEBUG1",
            user=name,
        )
        command = "klist | head -2; stat -c %U ${KRB5CCNAME#FILE:}"
        result = password_client(server, "realm-" + PASSWORD, command)
        cache, principal, owner = result.stdout.decode().splitlines()
        assert (principal, owner) == (f"Default principal: {name}@{REALM}", name)
        assert gone(pathlib.Path(cache.split(":")[-1].strip()))
        # This machine's own password is as good, and has no tickets.
        assert password_client(server, local).stdout == b"xx\n"
        assert "Kerberos password authentication failed: " in server.log_text()
        assert password_client(server, "neither").returncode == 255
        server = serve(
            UNDER_TEST, "KerberosAuthentication yes", "KerberosOrLocalPasswd no",
            "KerberosTicketCleanup no", f"UsePAM {pam}", user=name,
        )
        assert password_client(server, local).returncode == 255
        result = password_client(server, "realm-" + PASSWORD, "echo $KRB5CCNAME")
        path = pathlib.Path(result.stdout.decode().strip().removeprefix("FILE:"))
        time.sleep(0.2)
        path.unlink()
    finally:
        in_realm.admin("delprinc", name)


@AS_ROOT
def test_without_a_key_server_this_machine_decides(
    serve, in_realm, account, password_client, monkeypatch, tmp_path
):
    name, local = account
    # Nobody listens there.
    text = pathlib.Path(in_realm.variables["KRB5_CONFIG"]).read_text()
    file = tmp_path / "krb5.conf"
    file.write_text(text.replace(f"127.0.0.1:{in_realm.port}", "127.0.0.1:1"))
    monkeypatch.setenv("KRB5_CONFIG", str(file))
    server = serve(UNDER_TEST, "KerberosAuthentication yes", user=name)
    assert password_client(server, local).returncode == 0


def test_a_server_without_keys_offers_it_in_vain(serve, mine, key, monkeypatch, tmp_path):
    monkeypatch.setenv("KRB5_KTNAME", f"FILE:{tmp_path}/none")
    server = serve(UNDER_TEST, "GSSAPIAuthentication yes")
    result = client(
        OPENSSH, server, mine, PreferredAuthentications="gssapi-with-mic,publickey",
        IdentityFile=key,
    )
    assert result.stdout == b"in\n"


@ONLY_OURS
def test_a_server_without_the_libraries_says_so(serve, mine, key, monkeypatch, tmp_path):
    (tmp_path / "lib").mkdir()
    for name in ("libgssapi_krb5.so.2", "libkrb5.so.3"):
        (tmp_path / "lib" / name).write_text("")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path / "lib"))
    server = serve(OURS, "GSSAPIAuthentication yes", "KerberosAuthentication yes")
    monkeypatch.delenv("LD_LIBRARY_PATH")
    assert "Unsupported option GSSAPIAuthentication" in server.log_text()
    assert "Unsupported option KerberosAuthentication" in server.log_text()
    result = client(OURS, server, mine)
    assert result.returncode == 255
    assert b"gssapi-with-mic" not in result.stderr
    result = client(OURS, server, mine, PreferredAuthentications="publickey", IdentityFile=key)
    assert result.stdout == b"in\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root's server gives rights up")
@ONLY_OURS
def test_only_the_monitor_has_the_library(serve, mine, key, in_realm):
    """The process that speaks with the client gets neither the library nor the host's keys."""
    server = serve(OURS, "GSSAPIAuthentication yes")
    with socket.create_connection(("127.0.0.1", server.port)):
        end = time.monotonic() + 10
        maps = {}
        while len(maps) < 2 and time.monotonic() < end:
            maps = processes_of(server)
            time.sleep(0.05)
        assert len(maps) == 2, maps
        network = [pid for pid in maps if pathlib.Path(f"/proc/{pid}").stat().st_uid != 0]
        assert len(network) == 1
        assert "libgssapi" not in maps[network[0]] and "libkrb5" not in maps[network[0]]
    assert client(OURS, server, mine).returncode == 0


@AS_ROOT
@ONLY_OURS
def test_the_users_process_does_not_have_the_hosts_keys(serve, mine, in_realm):
    """It is not a copy of the monitor, whose library has read them."""
    listing = in_realm.do("klist", "-k", "-K", in_realm.keytab).decode()
    keys = [bytes.fromhex(key) for key in re.findall(r"\(0x([0-9a-f]+)\)", listing)]
    assert keys
    server = serve(OURS, "GSSAPIAuthentication yes")
    config = server.client_config(
        GSSAPIAuthentication="yes", PreferredAuthentications="gssapi-with-mic",
        StrictHostKeyChecking="no", UserKnownHostsFile="/dev/null", LogLevel="ERROR",
        ProxyCommand=f"nc 127.0.0.1 {server.port}",
    )
    session = subprocess.Popen(
        [OPENSSH.ssh, "-F", config, OWN_HOST, "echo $PPID; sleep 30"],
        stdout=subprocess.PIPE, env=mine,
    )
    try:
        process = int(session.stdout.readline())
        assert "libkrb5" not in pathlib.Path(f"/proc/{process}/maps").read_text()
        for chunk in memory(process):
            assert not any(key in chunk for key in keys)
    finally:
        session.kill()
        session.wait()


def memory(pid):
    """What a process may read of its own memory, piece by piece."""
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, permissions = line.split()[:2]
        if "r" not in permissions or "[v" in line:
            continue
        start, end = (int(part, 16) for part in span.split("-"))
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
            file.seek(start)
            try:
                yield file.read(end - start)
            except OSError:
                continue


def processes_of(server):
    """The maps of a connection's monitor and network process."""
    found = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            found[int(folder.name)] = parent, (folder / "maps").read_text()
        except (OSError, IndexError):
            continue
    family = {server.process.pid}
    for _ in range(3):
        family |= {pid for pid, (parent, _) in found.items() if parent in family}
    return {pid: found[pid][1] for pid in family - {server.process.pid}}


@ONLY_OURS
def test_keywords_of_kerberos(tmp_path, key):
    file = tmp_path / "config"
    file.write_text(f"HostKey {key}\nKerberosGetAFSToken yes\nKerberosTgtPassing yes\n")
    result = run([OURS.sshd, "-T", "-f", file])
    assert b"line 2: Unsupported option KerberosGetAFSToken" in result.stderr
    assert b"line 3: Deprecated option KerberosTgtPassing" in result.stderr
    shown = result.stdout.decode().splitlines()
    for line in [
        "kerberosauthentication no", "kerberosorlocalpasswd yes", "kerberosticketcleanup yes",
        "gssapiauthentication no", "gssapicleanupcredentials yes",
        "gssapidelegatecredentials yes", "gssapistrictacceptorcheck yes",
    ]:
        assert line in shown
