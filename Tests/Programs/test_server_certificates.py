# SPDX-License-Identifier: Apache-2.0
"""Certificates of users and hosts, with OpenSSH's client and ssh-keygen on the other side."""
import pathlib
import subprocess

import pytest
from conftest import OPENSSH, UNDER_TEST, make_key, run


@pytest.fixture
def authority(tmp_path):
    return make_key(tmp_path, "authority")


def certify(authority, key, *options, name="id"):
    """A certificate beside the key, as ssh-keygen names it."""
    result = run([OPENSSH.ssh_keygen, "-q", "-s", authority, "-I", name, *options, f"{key}.pub"])
    assert result.returncode == 0, result.stderr
    return pathlib.Path(f"{key}-cert.pub")


def login(peer, key, command="echo in", **changes):
    config = peer.client_config(key, **changes)
    return run([OPENSSH.ssh, "-F", config, "127.0.0.1", command])


@pytest.fixture
def user_key(tmp_path):
    """A key that no file of the server lists."""
    return make_key(tmp_path, "certified")


@pytest.mark.parametrize(
    "options,reason",
    [
        (["-n", "{me}"], None),
        (["-n", "other,{me}"], None),
        (["-n", "other"], "Certificate invalid: name is not a listed principal"),
        ([], "Certificate lacks principal list"),
        (["-n", "{me}", "-V", "19800101:19900101"], "Certificate invalid: expired"),
        (["-n", "{me}", "-V", "20990101:21000101"], "Certificate invalid: not yet valid"),
        (["-n", "{me}", "-O", "source-address=127.0.0.0/8"], None),
        (
            ["-n", "{me}", "-O", "source-address=10.0.0.0/8"],
            "not from a permitted source address (127.0.0.1).",
        ),
        (
            ["-n", "{me}", "-O", "critical:foo=bar"],
            'Certificate critical option "foo" is not supported',
        ),
    ],
)
@pytest.mark.parametrize("place", ["TrustedUserCAKeys", "cert-authority"])
def test_a_certificate_lets_in_whom_it_names(
    place, options, reason, serve, authority, user_key, me
):
    certify(authority, user_key, *[word.format(me=me) for word in options])
    peer = serve(
        UNDER_TEST,
        *([f"TrustedUserCAKeys {authority}.pub"] if place == "TrustedUserCAKeys" else []),
    )
    if place == "cert-authority":
        peer.authorized_keys.write_text(
            "cert-authority " + pathlib.Path(f"{authority}.pub").read_text()
        )
    result = login(peer, user_key)
    assert (result.stdout == b"in\n") == (reason is None), (result.stderr, peer.log_text())
    if reason:
        assert reason in peer.log_text()
    else:
        assert 'Accepted certificate ID "id" (serial 0) signed by' in peer.log_text()


def test_what_the_certificate_does_not_permit_is_refused(serve, authority, user_key, me):
    certify(authority, user_key, "-n", me, "-O", "clear")
    peer = serve(UNDER_TEST, f"TrustedUserCAKeys {authority}.pub")
    config = peer.client_config(user_key)
    result = run([OPENSSH.ssh, "-tt", "-F", config, "127.0.0.1", "tty"])
    assert b"PTY allocation request failed" in result.stderr


def test_forced_commands_of_certificate_and_line_must_agree(serve, authority, user_key, me):
    certify(authority, user_key, "-n", me, "-O", "force-command=echo forced")
    peer = serve(UNDER_TEST)
    public = pathlib.Path(f"{authority}.pub").read_text()
    peer.authorized_keys.write_text(f"cert-authority {public}")
    assert login(peer, user_key).stdout == b"forced\n"
    peer.authorized_keys.write_text(f'cert-authority,command="echo forced" {public}')
    assert login(peer, user_key).stdout == b"forced\n"
    peer.authorized_keys.write_text(f'cert-authority,command="echo other" {public}')
    assert login(peer, user_key).returncode == 255
    assert "forced command options do not match" in peer.log_text()


@pytest.mark.parametrize(
    "lines,allowed",
    [
        ("deploy\n", True),
        ("# deploy\n", False),
        ("ops\ndeploy # the robots\n", True),
        ("deploy#x\r\n", True),
        ("deploy\t# from='x'\n", True),
        ('from="127.0.0.1 #" deploy\n', False),
        ("deployer\n", False),
        ('command="echo forced" deploy\n', True),
        ("nonsense deploy\n", False),
        ("nonsense deploy\ndeploy\n", True),
        # The first line of a principal counts.
        ('from="10.0.0.1" deploy\ndeploy\n', None),
        ('expiry-time="20200101" deploy\ndeploy\n', None),
        ("cert-authority deploy\n", None),
        ('principals="deploy" deploy\n', None),
        ('from="10.0.0.1" deploy\n', None),
        ("", False),
    ],
)
def test_principals_files(lines, allowed, serve, authority, user_key, tmp_path):
    certify(authority, user_key, "-n", "deploy")
    principals = tmp_path / "principals"
    principals.write_text(lines)
    peer = serve(
        UNDER_TEST,
        f"TrustedUserCAKeys {authority}.pub",
        f"AuthorizedPrincipalsFile {principals}",
    )
    result = login(peer, user_key)
    assert (result.returncode == 0) == bool(allowed), peer.log_text()
    if "command" in lines:
        assert result.stdout == b"forced\n"
    if allowed is None:
        assert "Refused by certificate principals options" in peer.log_text()
    elif not allowed:
        assert "Certificate does not contain an authorized principal" in peer.log_text()


@pytest.mark.parametrize("place", ["file", "option"])
@pytest.mark.parametrize("listed, allowed", [("caf\u00e9", True), ("cafe\u0301", False)], ids=ascii)
def test_principals_that_look_the_same(listed, allowed, place, serve, authority, user_key, tmp_path):
    """One letter or two, the bytes decide: authorities may well know both names."""
    certify(authority, user_key, "-n", "caf\u00e9")
    principals = tmp_path / "principals"
    principals.write_text(f"{listed}\n")
    if place == "file":
        trust = f"TrustedUserCAKeys {authority}.pub"
        peer = serve(UNDER_TEST, trust, f"AuthorizedPrincipalsFile {principals}")
    else:
        peer = serve(UNDER_TEST)
        public = pathlib.Path(f"{authority}.pub").read_text()
        peer.authorized_keys.write_text(f'cert-authority,principals="{listed}" {public}')
    assert (login(peer, user_key).returncode == 0) == allowed, peer.log_text()
    if not allowed:
        assert "Certificate does not contain an authorized principal" in peer.log_text()


@pytest.mark.parametrize("revoked", ["key", "certificate", "authority", "nothing", "missing"])
def test_revoked_keys(revoked, serve, authority, user_key, me, tmp_path):
    certificate = certify(authority, user_key, "-n", me)
    path = tmp_path / "revoked"
    sources = {
        "key": f"{user_key}.pub",
        "certificate": certificate,
        "authority": f"{authority}.pub",
    }
    if revoked != "missing":
        path.write_text(
            "# a comment\n\n"
            + (pathlib.Path(sources[revoked]).read_text() if revoked in sources else "")
        )
    peer = serve(UNDER_TEST, f"TrustedUserCAKeys {authority}.pub", f"RevokedKeys {path}")
    assert (login(peer, user_key).returncode == 0) == (revoked == "nothing"), peer.log_text()


@pytest.mark.parametrize("kind,ca_algorithms,allowed", [
    ("rsa", "rsa-sha2-512,rsa-sha2-256", True),
    ("rsa", "ssh-ed25519", False),
    ("ed25519", "ssh-ed25519", True),
])
def test_ca_signature_algorithms(kind, ca_algorithms, allowed, serve, user_key, me, tmp_path):
    authority = make_key(tmp_path, "ca2", kind)
    certify(authority, user_key, "-n", me)
    peer = serve(
        UNDER_TEST,
        f"TrustedUserCAKeys {authority}.pub",
        f"CASignatureAlgorithms {ca_algorithms}",
    )
    assert (login(peer, user_key).returncode == 0) == allowed, peer.log_text()


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_host_certificates(kind, serve, authority, key, tmp_path):
    folder = tmp_path / "server0"
    folder.mkdir()
    peer = serve(
        UNDER_TEST,
        f"HostCertificate {folder}/host_{kind}-cert.pub",
        host_key_kinds=(kind,),
    )
    certify(authority, folder / f"host_{kind}", "-h", "-n", "127.0.0.1")
    peer.stop()
    peer.start()
    known = tmp_path / "known_authorities"
    known.write_text("@cert-authority * " + pathlib.Path(f"{authority}.pub").read_text())
    result = login(peer, key, UserKnownHostsFile=known, HostKeyAlgorithms="*-cert-v01@openssh.com")
    assert result.stdout == b"in\n", (result.stderr, peer.log_text())


def test_host_keys_are_announced_and_proved(serve, key, tmp_path):
    peer = serve(UNDER_TEST, host_key_kinds=("ed25519", "rsa", "ecdsa"))
    known = tmp_path / "known"
    known.write_text(peer.known_hosts().read_text().splitlines()[0] + "\n")
    for algorithms in ("ssh-ed25519", "rsa-sha2-256"):
        result = login(
            peer,
            key,
            UserKnownHostsFile=known,
            UpdateHostKeys="yes",
            HostKeyAlgorithms=f"{algorithms},ssh-ed25519,rsa-sha2-512,ecdsa-sha2-nistp256",
        )
        assert result.returncode == 0, result.stderr
        kinds = sorted(line.split()[1] for line in known.read_text().splitlines())
        assert kinds == ["ecdsa-sha2-nistp256", "ssh-ed25519", "ssh-rsa"], result.stderr


def test_host_keys_in_an_agent(serve, key, home, tmp_path):
    agent = subprocess.Popen(
        ["/usr/bin/ssh-agent", "-D", "-a", str(home / "agent")], stdout=subprocess.DEVNULL
    )
    try:
        host_key = make_key(tmp_path, "kept_by_agent", "rsa")
        for _ in range(100):
            if (home / "agent").exists():
                break
            subprocess.run(["sleep", "0.02"])
        added = run(
            ["/usr/bin/ssh-add", "-q", str(host_key)],
            env={"SSH_AUTH_SOCK": str(home / "agent"), "PATH": "/usr/bin:/bin"},
        )
        assert added.returncode == 0, added.stderr
        host_key.unlink()
        peer = serve(
            UNDER_TEST,
            f"HostKeyAgent {home}/agent",
            f"HostKey {host_key}.pub",
        )
        known = tmp_path / "known"
        kind, blob = pathlib.Path(f"{host_key}.pub").read_text().split()[:2]
        known.write_text(f"[127.0.0.1]:{peer.port} {kind} {blob}\n")
        result = login(
            peer, key, UserKnownHostsFile=known, HostKeyAlgorithms="rsa-sha2-512,rsa-sha2-256"
        )
        assert result.stdout == b"in\n", (result.stderr, peer.log_text())
    finally:
        agent.terminate()
        agent.wait(10)


def test_two_keys_are_two_factors_only_when_they_differ(serve, key, tmp_path):
    second = make_key(tmp_path, "second")
    peer = serve(UNDER_TEST, "AuthenticationMethods publickey,publickey")
    assert login(peer, key).returncode == 255
    peer.allow(second)
    config = peer.client_config(key)
    with config.open("a") as file:
        file.write(f"    IdentityFile {second}\n")
    result = run([OPENSSH.ssh, "-F", config, "127.0.0.1", "echo in"])
    assert result.stdout == b"in\n", result.stderr
    assert "Partial publickey for" in peer.log_text()
