# SPDX-License-Identifier: Apache-2.0
"""What ssh asks of the domain name system: canonical host names (ssh_config(5), CanonicalizeHostname and
its companions) and fingerprints of host keys (RFC 4255). Each against OpenSSH first."""
import os
import pathlib
import shutil
import subprocess

import pytest
from conftest import OPENSSH, OURS, make_key, run, wait_until
from name_server import Namespace

suites = pytest.mark.parametrize("suite", [OPENSSH, OURS], ids=lambda suite: suite.name)

NAMES = {
    "web.example.net": [("A", "127.0.0.1")],
    "six.example.net": [("AAAA", "::1")],
    "both.example.org": [("A", "127.0.0.2")],
    "both.example.net": [("A", "127.0.0.1")],
    "deep.er.example.net": [("A", "127.0.0.1")],
    "alias.example.net": [("CNAME", "real.example.net.")],
    "chain.example.net": [("CNAME", "alias.example.net.")],
    "abroad.example.net": [("CNAME", "host.elsewhere.example.")],
    "real.example.net": [("A", "127.0.0.1")],
    "host.elsewhere.example": [("A", "127.0.0.1")],
    "whole.example": [("A", "127.0.0.1")],
    "alone": [("A", "127.0.0.1")],
}


@pytest.fixture
def names(tmp_path):
    if os.getuid() != 0 or not shutil.which("unshare"):
        pytest.skip("needs root and unshare")
    opened = []

    def make(records=NAMES, **options):
        folder = tmp_path / f"names{len(opened)}"
        folder.mkdir()
        try:
            opened.append(Namespace(folder, records, **options))
        except RuntimeError as error:
            pytest.skip(f"no namespaces here: {error}")
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def shown(suite, place, config, host, *keywords, options=()):
    """The lines of `ssh -G` for some keywords, as a dictionary."""
    result = run(place.within + [suite.ssh, "-G", "-F", config, *options, host])
    assert result.returncode == 0, result.stderr
    lines = [line.partition(" ") for line in result.stdout.decode().splitlines()]
    return [value for name, _, value in lines if name in keywords]


@suites
@pytest.mark.parametrize("host,keywords,expected", [
    ("web", "CanonicalDomains example.net", "web.example.net"),
    ("WEB", "CanonicalDomains example.net", "web.example.net"),
    ("six", "CanonicalDomains example.net", "six.example.net"),
    ("six", "CanonicalDomains example.net\nAddressFamily inet", "six"),
    # The first domain that has the name counts.
    ("both", "CanonicalDomains example.org example.net", "both.example.org"),
    ("both", "CanonicalDomains nowhere.example example.net example.org", "both.example.net"),
    ("nobody", "CanonicalDomains example.net", "nobody"),
    ("web", "CanonicalDomains none", "web"),
    # Dots.
    ("deep.er", "CanonicalDomains example.net", "deep.er.example.net"),
    ("deep.er", "CanonicalDomains example.net\nCanonicalizeMaxDots 0", "deep.er"),
    ("web.example.net", "CanonicalDomains example.org", "web.example.net"),
    ("whole.example.", "CanonicalDomains example.net", "whole.example"),
    ("127.0.0.1", "CanonicalDomains example.net", "127.0.0.1"),
    # Aliases.
    ("alias", "CanonicalDomains example.net", "alias.example.net"),
    ("alias", "CanonicalDomains example.net\nCanonicalizePermittedCNAMEs *:*.example.net",
     "real.example.net"),
    ("alias", "CanonicalDomains example.net\nCanonicalizePermittedCNAMEs *", "real.example.net"),
    ("chain", "CanonicalDomains example.net\nCanonicalizePermittedCNAMEs *.example.net:real.*",
     "real.example.net"),
    ("abroad", "CanonicalDomains example.net\nCanonicalizePermittedCNAMEs *:*.example.net",
     "abroad.example.net"),
    ("abroad", "CanonicalDomains example.net\n"
     "CanonicalizePermittedCNAMEs x.*:* *.example.net,!web.*:*.elsewhere.example",
     "host.elsewhere.example"),
    ("abroad", "CanonicalDomains example.net\n"
     "CanonicalizePermittedCNAMEs *,!abroad.*:*.elsewhere.example", "abroad.example.net"),
    ("alias.example.net", "CanonicalDomains example.net\nCanonicalizeMaxDots 5\n"
     "CanonicalizePermittedCNAMEs *:*.example.net", "real.example.net"),
    ("web.example.net", "CanonicalizeFallbackLocal no", "web.example.net"),
    ("nobody.", "CanonicalDomains example.net", "nobody."),
    # With rules, whatever is not found under the domains is looked up as the resolver does.
    ("alias.example.net", "CanonicalizePermittedCNAMEs *:*.example.net", "real.example.net"),
    ("alias.example.net", "CanonicalizePermittedCNAMEs *:*.example.net\n"
     "CanonicalizeFallbackLocal no", "real.example.net"),
    ("alias.example.net", "CanonicalizePermittedCNAMEs *:*\nProxyCommand x", "alias.example.net"),
    ("web.example.net", "CanonicalizePermittedCNAMEs *:*", "web.example.net"),
    ("alias.example.net.", "CanonicalDomains example.net\n"
     "CanonicalizePermittedCNAMEs *:*.example.net", "real.example.net"),
    # Proxies.
    ("web", "CanonicalDomains example.net\nProxyCommand x", "web"),
    ("web", "CanonicalDomains example.net\nProxyJump y", "web"),
    ("web", "CanonicalDomains example.net\nProxyCommand none", "web.example.net"),
])
def test_a_name_becomes_canonical(suite, host, keywords, expected, names, tmp_path):
    config = tmp_path / "config"
    config.write_text(f"CanonicalizeHostname yes\n{keywords}\n")
    assert shown(suite, names(), config, host, "hostname") == [expected]


@suites
def test_always_means_through_proxies_too(suite, names, tmp_path):
    config = tmp_path / "config"
    config.write_text(
        "CanonicalizeHostname always\nCanonicalDomains example.net\nProxyCommand connect %h\n"
    )
    assert shown(suite, names(), config, "web", "hostname") == ["web.example.net"]


@suites
def test_the_files_are_read_again_for_the_new_name(suite, names, tmp_path):
    config = tmp_path / "config"
    config.write_text("""\
CanonicalizeHostname yes
CanonicalDomains example.net
Host web.example.net
    User full
    Port 77
Host web
    User short
Match canonical host *.example.net
    Compression yes
Match final
    ServerAliveInterval 9
Match canonical originalhost web
    ConnectTimeout 3
Host *.example.net
    Include ${HOME}/more
""")
    (tmp_path / "more").write_text("BindAddress 127.0.0.9\n")
    place = names()
    environment = dict(os.environ, HOME=str(tmp_path))
    result = run(place.within + [suite.ssh, "-G", "-F", config, "web"], env=environment)
    lines = set(result.stdout.decode().splitlines())
    assert {"host web", "hostname web.example.net", "user short", "port 77", "compression yes",
            "serveraliveinterval 9", "connecttimeout 3"} <= lines, result.stderr
    if suite is OURS:  # 9.2 knows no variables in Include.
        assert "bindaddress 127.0.0.9" in lines
    # Not found: the second reading sees the name as it was, and still is canonical and final.
    result = run(place.within + [suite.ssh, "-G", "-F", config, "nobody"], env=environment)
    lines = set(result.stdout.decode().splitlines())
    assert {"hostname nobody", "serveraliveinterval 9", "compression no", "port 22"} <= lines


@suites
def test_no_fallback_is_an_end(suite, names, tmp_path):
    config = tmp_path / "config"
    config.write_text(
        "CanonicalizeHostname yes\nCanonicalDomains example.net\nCanonicalizeFallbackLocal no\n"
    )
    place = names()
    assert shown(suite, place, config, "web", "hostname") == ["web.example.net"]
    for host in ("nobody", "nobody."):
        result = run(place.within + [suite.ssh, "-G", "-F", config, host])
        assert result.returncode == 255
        assert f'Could not resolve host "{host}"'.encode() in result.stderr


@suites
def test_an_alias_that_is_to_be_followed_must_be_known(suite, names, tmp_path):
    config = tmp_path / "config"
    config.write_text("CanonicalizeHostname yes\nCanonicalizePermittedCNAMEs *:*\n")
    place = names()
    result = run(place.within + [suite.ssh, "-G", "-F", config, "nobody.example.net"])
    assert result.returncode == 255
    assert result.stderr.strip() == (
        b"ssh: Could not resolve hostname nobody.example.net: Name or service not known"
    )
    config.write_text("CanonicalizeHostname yes\nCanonicalizePermittedCNAMEs *:*.example.net\n")
    place = names(search="example.net")
    assert shown(suite, place, config, "alias", "hostname") == ["real.example.net"]


@suites
def test_without_the_keyword_nobody_is_asked(suite, names, tmp_path):
    config = tmp_path / "config"
    config.write_text("CanonicalDomains example.net\nCanonicalizeMaxDots 3\n")
    place = names()
    assert shown(suite, place, config, "web", "hostname") == ["web"]
    assert place.questions() == []


@suites
def test_a_search_list_is_no_canonical_domain(suite, names, tmp_path):
    """A name under CanonicalDomains is whole: the resolver's own domains are not tried after it."""
    config = tmp_path / "config"
    config.write_text("CanonicalizeHostname yes\nCanonicalDomains example.org\n")
    place = names(search="example.net")
    assert shown(suite, place, config, "web", "hostname") == ["web"]
    asked = [line.split()[0] for line in place.questions()]
    assert "web.example.org" in asked and "web.example.org.example.net" not in asked


# MARK: VerifyHostKeyDNS


@pytest.fixture
def server(tmp_path, me, key, names):
    """A server inside of the namespace: server(suite, records(host key file), **namespace)."""
    processes = []

    def start(records, **options):
        host_key = make_key(tmp_path, "host_key")
        fingerprints = run([OPENSSH.ssh_keygen, "-r", "x", "-f", f"{host_key}.pub"]).stdout.decode()
        wanted = records([line.split("SSHFP ")[1] for line in fingerprints.splitlines()])
        place = names(
            {"host.example": [("A", "127.0.0.1")] + [("SSHFP", each) for each in wanted]}, **options
        )
        config = tmp_path / "sshd_config"
        authorized = tmp_path / "authorized"
        authorized.write_text(pathlib.Path(f"{key}.pub").read_text())
        config.write_text(
            "Port 22\nListenAddress 127.0.0.1\nUsePAM no\nStrictModes no\nPrintLastLog no\n"
            f"HostKey {host_key}\nAuthorizedKeysFile {authorized}\nPidFile {tmp_path}/pid\n"
            "SetEnv SHLVL=3\n"
        )
        pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        processes.append(
            subprocess.Popen(
                place.within + [OPENSSH.sshd, "-D", "-e", "-f", str(config)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )
        )
        assert b"listening" in processes[-1].stderr.readline()

        def client(suite, *words, strict="yes"):
            return run(place.within + [
                suite.ssh, "-v", "-F", "none", "-i", key, "-o", "IdentitiesOnly=yes",
                "-o", f"UserKnownHostsFile={tmp_path}/known", "-o", "GlobalKnownHostsFile=none",
                "-o", f"StrictHostKeyChecking={strict}", "-o", "BatchMode=yes", *words,
                f"{me}@host.example", "echo in",
            ])

        return client

    yield start
    for process in processes:
        process.terminate()
        process.wait(10)
        process.stderr.close()


def test_a_secure_fingerprint_is_trust_enough(server):
    """Signed, and resolv.conf trusts the resolver that says so."""
    client = server(lambda own: own, secure=True, options="trust-ad edns0")
    for suite in (OPENSSH, OURS):
        result = client(suite, "-o", "VerifyHostKeyDNS=yes")
        assert b"matching host key fingerprint found in DNS" in result.stderr, result.stderr
        assert (result.returncode, result.stdout) == (0, b"in\n"), result.stderr
        # `ask` only tells of it.
        result = client(suite, "-o", "VerifyHostKeyDNS=ask")
        assert result.returncode == 255
        assert b"Host key verification failed" in result.stderr


@pytest.mark.parametrize("secure,options", [(False, "trust-ad edns0"), (True, "edns0")])
def test_an_unsigned_fingerprint_is_not(secure, options, server):
    """Nor one of whose signatures a resolver says something that resolv.conf does not trust."""
    client = server(lambda own: own, secure=secure, options=options)
    for suite in (OPENSSH, OURS):
        result = client(suite, "-o", "VerifyHostKeyDNS=yes")
        assert result.returncode == 255
        assert b"insecure fingerprints in DNS" in result.stderr, result.stderr
        assert b"matching host key fingerprint found in DNS" in result.stderr


@pytest.mark.parametrize("strict", ["yes", "no"])
def test_a_wrong_fingerprint_warns(strict, server):
    client = server(lambda own: [own[1][:4] + "00" * 32], secure=True, options="trust-ad edns0")
    for suite in (OPENSSH, OURS):
        result = client(suite, "-o", "VerifyHostKeyDNS=yes", strict=strict)
        assert b"mismatching host key fingerprint found in DNS" in result.stderr, result.stderr
        assert b"WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!" in result.stderr
        assert (result.returncode == 0) == (strict == "no"), result.stderr


def test_no_fingerprint_is_as_if_nobody_asked(server):
    client = server(lambda own: [], options="trust-ad edns0")
    for suite in (OPENSSH, OURS):
        result = client(suite, "-o", "VerifyHostKeyDNS=yes")
        assert result.returncode == 255
        assert b"Host key verification failed" in result.stderr
