# SPDX-License-Identifier: Apache-2.0
"""Kerberos logins, `gssapi-with-mic` (RFC 4462 §3), between OpenSSH's programs and ours."""
import os
import pathlib
import shutil
import time

import pytest
from conftest import OPENSSH, OURS, UNDER_TEST, run
from kerberos import OTHER_HOST, OWN_HOST, REALM, Realm

pytestmark = pytest.mark.skipif(
    shutil.which("krb5kdc", path="/usr/sbin:/usr/bin") is None, reason="krb5-kdc is not installed"
)

PASSWORD = "one-two-three"


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    realm = Realm(tmp_path_factory.mktemp("realm"))
    realm.add("stranger", PASSWORD)
    yield realm
    realm.stop()


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


PAIRS = [(OURS, OPENSSH)]
PAIRS = [p for p in PAIRS if UNDER_TEST is OURS] or [(OPENSSH, OPENSSH)]
BOTH = pytest.mark.parametrize("ours,theirs", PAIRS)


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
    path = pathlib.Path(name.removeprefix("FILE:"))
    end = time.monotonic() + 10
    while path.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert not path.exists()


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
    time.sleep(1.1)
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
