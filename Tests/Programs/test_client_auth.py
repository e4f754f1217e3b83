# SPDX-License-Identifier: Apache-2.0
"""Which keys, certificates and methods ssh tries, in which order, and which host keys it takes."""
import base64
import os
import re
import shutil
import struct
import subprocess
import sys
import time

import pytest

from conftest import OPENSSH, PREFIX, UNDER_TEST, free_port, make_key, run, wait_until


def certify(folder, authority, key, *arguments):
    result = run(
        [OPENSSH.ssh_keygen, "-q", "-s", authority, "-I", "test", *arguments, f"{key}.pub"]
    )
    assert result.returncode == 0, result.stderr
    return key.parent / f"{key.name}-cert.pub"


@pytest.fixture
def agent(home):
    """An ssh-agent of OpenSSH; gives the environment and a function that adds keys."""
    path = home / "agent"
    process = subprocess.Popen(
        [OPENSSH.ssh_agent, "-D", "-a", str(path)], stdout=subprocess.DEVNULL
    )
    environment = dict(os.environ, SSH_AUTH_SOCK=str(path))

    def add(*keys):
        for _ in range(100):
            result = run([OPENSSH.ssh_add, "-q", *keys], env=environment)
            if result.returncode == 0:
                return
        pytest.fail(result.stderr)

    add.environment = environment
    yield add
    process.terminate()
    process.wait(10)


def ssh(server, *words, suite=UNDER_TEST, env=None, input=b"", **options):
    config = server.folder / "client_config"
    settings = server.client_options() | options
    lines = []
    for keyword, value in settings.items():
        for each in value if isinstance(value, list) else [value]:
            if each is not None:
                lines.append(f"    {keyword} {each}\n")
    config.write_text("Host *\n" + "".join(lines))
    return run([suite.ssh, "-F", config, *words], env=env, input=input)


def offers(result):
    return re.findall(
        r"debug1: Offering public key: (\S+ \S+ \S+.*?)\r?$",
        result.stderr.decode(),
        re.MULTILINE,
    )


@pytest.fixture
def keys(tmp_path):
    """An authority, three keys, the first two certified."""
    folder = tmp_path / "keys"
    folder.mkdir()
    authority = make_key(folder, "authority")
    made = [make_key(folder, f"id{index}", kind) for index, kind in
            enumerate(["ed25519", "rsa", "ecdsa", "ed25519"])]
    for key in made[:2]:
        certify(folder, authority, key, "-n", "root")
    return authority, made


@pytest.mark.parametrize("case", ["files", "agent", "only", "certificate", "algorithms"])
def test_keys_are_offered_in_the_order_of_openssh(serve, keys, agent, case):
    _, (a, b, c, d) = keys
    server = serve(OPENSSH, "MaxAuthTries 20")
    server.authorized_keys.write_text("")
    agent(b, d)
    options = dict(IdentityFile=[a, b, c], IdentitiesOnly="no", IdentityAgent=None)
    if case == "files":
        options["IdentityAgent"] = "none"
    if case == "only":
        options["IdentitiesOnly"] = "yes"
    if case == "certificate":
        options["CertificateFile"] = [f"{b}-cert.pub", f"{a}-cert.pub"]
    if case == "algorithms":
        options["PubkeyAcceptedAlgorithms"] = "ssh-ed25519,rsa-sha2-512-cert-v01@openssh.com"
    results = [
        ssh(server, "-v", "127.0.0.1", "true", suite=suite, env=agent.environment, **options)
        for suite in (UNDER_TEST, OPENSSH)
    ]
    assert [result.returncode for result in results] == [255, 255]
    assert offers(results[0]) == offers(results[1])
    assert len(offers(results[0])) >= 3
    # -Z says so without a connection.
    server.stop()
    listed = ssh(server, "-Z", "127.0.0.1", env=agent.environment, **options)
    assert (listed.returncode, listed.stderr) == (0, b"")
    assert listed.stdout.decode().splitlines() == offers(results[0])


def test_a_certificate_beside_the_key_is_used(serve, keys):
    authority, (a, *_) = keys
    server = serve(OPENSSH)
    server.authorized_keys.write_text(
        "cert-authority " + (authority.parent / "authority.pub").read_text()
    )
    os.remove(f"{a}.pub")
    assert ssh(server, "127.0.0.1", "true", IdentityFile=a).returncode == 0


@pytest.mark.parametrize("holder", ["file", "agent", "nobody"])
def test_a_certificate_file_needs_its_private_key(serve, keys, agent, holder):
    authority, (a, _, _, d) = keys
    server = serve(OPENSSH)
    server.authorized_keys.write_text(
        "cert-authority " + (authority.parent / "authority.pub").read_text()
    )
    options = dict(CertificateFile=f"{a}-cert.pub", IdentityFile=d)
    if holder == "file":
        options["IdentityFile"] = a
    if holder == "agent":
        run([OPENSSH.ssh_add, "-q", "-k", a], env=agent.environment)
        options |= dict(IdentitiesOnly="no", IdentityAgent=None)
    result = ssh(server, "127.0.0.1", "echo", "in", env=agent.environment, **options)
    assert (result.stdout == b"in\n") == (holder != "nobody"), result.stderr


@pytest.mark.parametrize("mode", ["yes", "unbound", "host-bound"])
def test_signatures_name_the_host_key_unless_unbound(serve, key, mode):
    server = serve(OPENSSH, "LogLevel DEBUG3")
    result = ssh(server, "127.0.0.1", "true", IdentityFile=key, PubkeyAuthentication=mode)
    assert result.returncode == 0, result.stderr
    bound = "publickey-hostbound-v00@openssh.com" in server.log_text()
    assert bound == (mode != "unbound")


@pytest.mark.parametrize("form", ["PEM", "PKCS8"])
def test_a_locked_key_without_its_public_half_is_tried(serve, tmp_path, askpass, form):
    path = tmp_path / "locked"
    run([OPENSSH.ssh_keygen, "-q", "-t", "ecdsa", "-N", "open sesame", "-m", form, "-f", path])
    server = serve(OPENSSH)
    server.allow(path)
    os.remove(f"{path}.pub")
    environment, asked = askpass("open sesame")
    result = ssh(
        server, "-v", "127.0.0.1", "true", IdentityFile=path, BatchMode="no", env=environment,
        PreferredAuthentications="publickey",
    )
    assert result.returncode == 0, result.stderr
    assert asked() == [f"Enter passphrase for key '{path}': "]


def test_two_keys_can_be_wanted(serve, keys):
    _, (a, b, c, _) = keys
    server = serve(OPENSSH, "AuthenticationMethods publickey,publickey")
    server.allow(a)
    server.allow(c)
    options = dict(IdentityFile=[a, b, c])
    assert ssh(server, "127.0.0.1", "true", **options).returncode == 0
    assert ssh(server, "127.0.0.1", "true", IdentityFile=[a, b]).returncode == 255


# Host keys


class Host:
    """A server of OpenSSH with a host certificate, and what stands in known_hosts."""

    def __init__(self, serve, folder, key, *lines, **options):
        self.key = key
        self.authority = make_key(folder, "host_authority")
        self.other = make_key(folder, "other_authority")
        self.server = serve(
            OPENSSH, f"HostCertificate {folder}/server0/host_ed25519-cert.pub", *lines, **options
        )
        self.name = f"[127.0.0.1]:{self.server.port}"
        self.file = folder / "hosts"

    def certify(self, *arguments, kind="-h"):
        words = [word for word in (kind,) if word] + list(arguments)
        certify(None, self.authority, self.server.host_keys[0], *words)

    def know(self, *lines):
        self.file.write_text("".join(line + "\n" for line in lines))

    def log_in(self, suite=UNDER_TEST, **options):
        options = {"UserKnownHostsFile": self.file, "IdentityFile": self.key} | options
        return ssh(self.server, "127.0.0.1", "echo", "in", suite=suite, **options)


def line(path):
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


@pytest.fixture
def host(serve, tmp_path, key):
    authority = tmp_path / "server0"
    authority.mkdir()
    made = Host.__new__(Host)
    Host.__init__(made, serve, tmp_path, key)
    made.certify("-n", "127.0.0.1")
    yield made


HOST_CASES = {
    "trusted authority": (["-n", "127.0.0.1"], "@cert-authority * {authority}", {}),
    "other authority": (["-n", "127.0.0.1"], "@cert-authority * {other}", {}),
    "plain key known": (["-n", "127.0.0.1"], "{name} {plain}", {}),
    "authority revoked": (
        ["-n", "127.0.0.1"],
        "@cert-authority * {authority}\n@revoked * {authority}",
        {},
    ),
    "key revoked": (["-n", "127.0.0.1"], "@cert-authority * {authority}\n@revoked * {plain}", {}),
    "other name": (["-n", "elsewhere"], "@cert-authority * {authority}", {}),
    "expired": (
        ["-V", "19800101:19900101", "-n", "127.0.0.1"], "@cert-authority * {authority}", {}
    ),
    "not yet": (["-V", "20700101:20710101", "-n", "127.0.0.1"], "@cert-authority * {authority}", {}),
    "critical option": (
        ["-O", "force-command=false", "-n", "127.0.0.1"], "@cert-authority * {authority}", {}
    ),
    "alias": (
        ["-n", "harbour"], "@cert-authority harbour {authority}", {"HostKeyAlias": "Harbour"}
    ),
    "disallowed algorithm": (
        ["-n", "127.0.0.1"],
        "@cert-authority * {authority}",
        {"CASignatureAlgorithms": "rsa-sha2-512"},
    ),
    "new key": (["-n", "127.0.0.1"], "", {"StrictHostKeyChecking": "accept-new"}),
    "unknown": (["-n", "127.0.0.1"], "", {}),
    "without port": (["-n", "127.0.0.1"], "127.0.0.1 {plain}", {}),
    "changed": (["-n", "127.0.0.1"], "{name} {other}", {}),
    "changed, no check": (
        ["-n", "127.0.0.1"], "{name} {other}", {"StrictHostKeyChecking": "no"}
    ),
    "revocation list": (
        ["-n", "127.0.0.1"],
        "@cert-authority * {authority}",
        {"RevokedHostKeys": "{authority_file}.pub"},
    ),
    "no revocation list": (
        ["-n", "127.0.0.1"], "@cert-authority * {authority}", {"RevokedHostKeys": "/nonexistent"}
    ),
}


def test_host_certificates_are_judged_as_by_openssh(host):
    plain = host.server.host_keys[0]
    values = dict(
        name=host.name, authority=line(host.authority), other=line(host.other), plain=line(plain),
        authority_file=host.authority,
    )
    for title, (arguments, known, options) in HOST_CASES.items():
        host.certify(*arguments, kind="-h")
        host.server.stop()
        host.server.start()
        options = {name: value.format(**values) for name, value in options.items()}
        seen = []
        for suite in (UNDER_TEST, OPENSSH):
            host.know(*known.format(**values).splitlines())
            result = host.log_in(suite, **options)
            lines = result.stderr.decode().replace("\r", "").splitlines()
            seen.append((result.stdout, result.returncode, lines, host.file.read_text()))
        assert seen[0] == seen[1], title


def test_a_user_certificate_is_none_for_a_host(host):
    host.certify("-n", "127.0.0.1", kind=None)
    host.server.stop()
    host.server.start()
    host.know(f"@cert-authority * {line(host.authority)}")
    result = host.log_in()
    assert result.returncode == 255
    assert b"Certificate invalid: not a host certificate" in result.stderr


def test_further_host_keys_are_learned_and_old_ones_forgotten(serve, tmp_path, key):
    server = serve(OPENSSH, host_key_kinds=("ed25519", "ecdsa", "rsa"))
    gone = make_key(tmp_path, "gone")
    name = f"[127.0.0.1]:{server.port}"
    file = tmp_path / "hosts"
    others = f"other.example {line(make_key(tmp_path, 'foreign'))}"
    file.write_text(
        f"# mine\n{others}\n{name} {line(server.host_keys[0])}\n{name},twin {line(gone)}\n"
    )
    options = dict(UserKnownHostsFile=file, UpdateHostKeys="yes", IdentityFile=key)
    assert ssh(server, "127.0.0.1", "sleep", "0.5", **options).returncode == 0
    lines = file.read_text().splitlines()
    assert lines[:3] == ["# mine", others, f"{name} {line(server.host_keys[0])}"]
    assert f"{name} {line(server.host_keys[1])}" in lines
    assert f"{name} {line(server.host_keys[2])}" in lines
    assert f"twin {line(gone)}" in lines
    assert not any(name in each and line(gone) in each for each in lines)
    again = file.read_text()
    assert ssh(server, "127.0.0.1", "sleep", "0.3", **options).returncode == 0
    assert file.read_text() == again


@pytest.mark.parametrize("why", ["no", "wildcard", "authority", "new"])
def test_host_keys_are_not_learned(serve, tmp_path, key, why):
    server = serve(OPENSSH, host_key_kinds=("ed25519", "ecdsa"))
    name = f"[127.0.0.1]:{server.port}"
    file = tmp_path / "hosts"
    known = f"{name} {line(server.host_keys[0])}"
    options = dict(UserKnownHostsFile=file, UpdateHostKeys="yes", IdentityFile=key)
    if why == "no":
        options["UpdateHostKeys"] = "no"
    if why == "wildcard":
        known = f"[127.0.0.*]:{server.port} {line(server.host_keys[0])}"
    if why == "authority":
        known += f"\n@cert-authority * {line(make_key(tmp_path, 'someone'))}"
    if why == "new":
        known = "# nobody"
        options["StrictHostKeyChecking"] = "accept-new"
    file.write_text(known + "\n")
    assert ssh(server, "127.0.0.1", "sleep", "0.3", **options).returncode == 0
    assert line(server.host_keys[1]) not in file.read_text()


def test_a_command_tells_host_keys(serve, tmp_path, key):
    server = serve(OPENSSH)
    notes = tmp_path / "notes"
    command = tmp_path / "hosts command"
    known = f"[127.0.0.1]:{server.port} {line(server.host_keys[0])}"
    command.write_text(f'#!/bin/sh\necho "$@" >> {notes}\necho "{known}"\nexit ${{STATUS:-0}}\n')
    command.chmod(0o755)
    options = dict(
        UserKnownHostsFile="none", IdentityFile=key,
        KnownHostsCommand=f'"{command}" %I %H %t %f %K "%h x" %n %r',
    )
    assert ssh(server, "127.0.0.1", "true", **options).returncode == 0
    kind, blob = line(server.host_keys[0]).split()
    fingerprint = run([OPENSSH.ssh_keygen, "-lf", server.host_keys[0]]).stdout.decode().split()[1]
    end = f"127.0.0.1 x 127.0.0.1 {server.user}"
    assert notes.read_text().splitlines() == [
        f"ORDER 127.0.0.1 NONE NONE NONE {end}",
        f"HOSTNAME [127.0.0.1]:{server.port} {kind} {fingerprint} {blob} {end}",
    ]
    result = ssh(server, "127.0.0.1", "true", env=dict(os.environ, STATUS="3"), **options)
    assert result.returncode == 255
    assert b"failed, status 3" in result.stderr and b"KnownHostsCommand failed" in result.stderr


@pytest.mark.parametrize("kinds", [("rsa", "ed25519"), ("ecdsa", "ed25519")])
def test_a_known_kind_of_key_is_asked_for_first(serve, tmp_path, key, kinds):
    server = serve(OPENSSH, host_key_kinds=kinds)
    file = tmp_path / "hosts"
    file.write_text(f"[127.0.0.1]:{server.port} {line(server.host_keys[0])}\n")
    options = dict(UserKnownHostsFile=file, IdentityFile=key)
    assert ssh(server, "127.0.0.1", "true", **options).returncode == 0


def test_mldsa_keys_serve_hosts_and_users_where_asked_for(serve, tmp_path):
    kind = "ssh-mldsa44-ed25519@openssh.com"
    server = serve(UNDER_TEST, f"HostKeyAlgorithms {kind}", f"PubkeyAcceptedAlgorithms {kind}",
                   host_key_kinds=())
    mine = make_key(tmp_path, "composite", "mldsa44-ed25519", suite=UNDER_TEST)
    server.allow(mine)
    host_key = make_key(server.folder, "host_composite", "mldsa44-ed25519", suite=UNDER_TEST)
    with server.config.open("a") as config:
        config.write(f"HostKey {host_key}\n")
    server.stop()
    server.start()
    file = tmp_path / "hosts"
    file.write_text(f"[127.0.0.1]:{server.port} {line(host_key)}\n")
    options = dict(UserKnownHostsFile=file, IdentityFile=mine)
    assert ssh(server, "127.0.0.1", "true", **options).returncode == 255
    options |= dict(HostKeyAlgorithms=kind, PubkeyAcceptedAlgorithms=kind)
    assert ssh(server, "127.0.0.1", "true", **options).returncode == 0


# hostbased


HOSTBASED = """
set -e
mount --bind {etc} /etc/ssh
[ -z "{over}" ] || mount --bind {over}
exec {ssh} -F {config} -v localhost 'echo in'
"""


@pytest.mark.parametrize("asks, signs", [("ours", "ours"), ("ours", "theirs"), ("theirs", "ours")])
@pytest.mark.parametrize("enabled", ["yes", "no"])
def test_a_host_vouches_for_its_user(tmp_path, home, me, asks, signs, enabled):
    if os.getuid() != 0 or run(["unshare", "-m", "true"]).returncode != 0:
        pytest.skip("needs a mount namespace")
    etc = home / "etc"
    etc.mkdir(mode=0o755)
    host_key = make_key(etc, "ssh_host_ed25519_key")
    name = os.uname().nodename
    (etc / "ssh_known_hosts").write_text(f"{name},localhost {line(host_key)}\n")
    (etc / "shosts.equiv").write_text(name + "\n")
    (etc / "ssh_config").write_text(f"EnableSSHKeysign {enabled}\n")
    (etc / "sshd_config").write_text(
        f"HostKey {host_key}\nHostbasedAuthentication yes\nHostbasedUsesNameFromPacketOnly yes\n"
        "IgnoreRhosts no\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n"
    )
    # Root is not let in by shosts.equiv, only by a file of its own.
    config = tmp_path / "config"
    config.write_text(
        "Host *\n    HostbasedAuthentication yes\n    PreferredAuthentications hostbased\n"
        "    UserKnownHostsFile none\n    StrictHostKeyChecking yes\n    BatchMode yes\n"
        f"    ProxyCommand {OPENSSH.sshd} -i -f {etc}/sshd_config\n"
        f"    User {me}\n"
    )
    ours = PREFIX / "libexec/ssh-keysign"
    # Our ssh looks beside its own file.
    ours = ours.resolve()
    theirs = "/usr/lib/openssh/ssh-keysign"
    over = ""
    if (asks, signs) == ("ours", "theirs"):
        over = f"{theirs} {ours}"
    if (asks, signs) == ("theirs", "ours"):
        over = f"{ours} {theirs}"
    suite = UNDER_TEST if asks == "ours" else OPENSSH
    rhosts = os.path.expanduser("~/.shosts")
    if os.path.exists(rhosts):
        pytest.skip("~/.shosts is there")
    script = HOSTBASED.format(etc=etc, over=over, ssh=suite.ssh, config=config)
    # A home of its own in the namespace, for ~/.shosts.
    (home / ".shosts").write_text(f"{name} {me}\n")
    script = f"mount --bind {home} {os.path.expanduser('~')}\n" + script
    result = run(["unshare", "-m", "sh", "-c", script])
    if enabled == "yes":
        assert result.stdout == b"in\n", result.stderr
        assert b'using "hostbased"' in result.stderr
    else:
        assert result.returncode == 255
        assert b"not enabled in /etc/ssh/ssh_config" in result.stderr


def test_keysign_signs_nothing_else(tmp_path, home):
    if os.getuid() != 0 or run(["unshare", "-m", "true"]).returncode != 0:
        pytest.skip("needs a mount namespace")
    etc = home / "etc"
    etc.mkdir()
    key = make_key(etc, "ssh_host_ed25519_key")
    (etc / "ssh_config").write_text("EnableSSHKeysign yes\n")
    blob = base64.b64decode(line(key).split()[1])

    def text(value):
        value = value if isinstance(value, bytes) else value.encode()
        return struct.pack(">I", len(value)) + value

    def ask(host=os.uname().nodename + ".", user="root", method="hostbased", session=32,
            algorithm="ssh-ed25519", tail=b"", descriptor=3, version=2):
        data = (
            text(bytes(session)) + b"\x32" + text("someone") + text("ssh-connection")
            + text(method) + text(algorithm) + text(blob) + text(host) + text(user) + tail
        )
        message = bytes([version]) + struct.pack(">I", descriptor) + text(data)
        keysign = PREFIX / "libexec/ssh-keysign"
        script = f"mount --bind {etc} /etc/ssh; exec {keysign} 3</dev/null"
        result = run(
            ["unshare", "-m", "sh", "-c", script], input=struct.pack(">I", len(message)) + message
        )
        if result.returncode != 0:
            # What ssh passes on names who speaks.
            assert result.stderr.startswith(b"ssh-keysign: "), result.stderr
        return result.returncode == 0 and len(result.stdout) > 64

    assert ask()
    assert not ask(host="elsewhere.")
    assert not ask(user="daemon")
    assert not ask(method="publickey")
    assert not ask(session=5)
    assert not ask(algorithm="rsa-sha2-512")
    assert not ask(tail=b"\0")
    assert not ask(descriptor=9)
    assert not ask(version=1)
    assert not ask(descriptor=1)
    (etc / "ssh_config").write_text("EnableSSHKeysign yes\nBogus yes\n")
    script = f"mount --bind {etc} /etc/ssh; exec "
    for keysign in ("/usr/lib/openssh/ssh-keysign", PREFIX / "libexec/ssh-keysign"):
        result = run(["unshare", "-m", "sh", "-c", f"{script}{keysign} 3</dev/null"])
        assert result.returncode == 255
        assert result.stderr == (
            b"/etc/ssh/ssh_config: line 1: Bad configuration option: bogus\r\n"
            b"/etc/ssh/ssh_config: terminating, 1 bad configuration options\r\n"
        ).replace(b"line 1", b"line 2")


# AddKeysToAgent


@pytest.mark.parametrize(
    "wish, answer, added",
    [("yes", "", True), ("no", "", False), ("ask", "yes", True), ("ask", "no", False),
     ("confirm", "", True), ("1h", "", True)],
)
def test_keys_are_added_to_the_agent(serve, key, agent, askpass, wish, answer, added):
    server = serve(OPENSSH)
    environment, asked = askpass(answer)
    environment["SSH_AUTH_SOCK"] = agent.environment["SSH_AUTH_SOCK"]
    for _ in range(100):
        if os.path.exists(environment["SSH_AUTH_SOCK"]):
            break
        time.sleep(0.05)
    result = ssh(
        server, "127.0.0.1", "true", IdentityFile=key, AddKeysToAgent=wish, IdentityAgent=None,
        env=environment,
    )
    assert result.returncode == 0, result.stderr
    listed = run([OPENSSH.ssh_add, "-L"], env=environment).stdout.decode()
    assert (line(key) in listed) == added
    assert len(asked()) == (1 if wish == "ask" else 0)
    if wish == "ask":
        assert asked() == [f"Add key {key} ({key.name}) to agent?"]


# The way to the server


def write_config(path, *blocks):
    path.write_text("".join(f"Host {host}\n" + "".join(
        f"    {keyword} {value}\n" for keyword, value in options.items()
    ) for host, options in blocks))
    return path


@pytest.mark.parametrize("hops", [1, 2])
def test_jump_hosts_carry_the_connection(serve, tmp_path, key, hops):
    names = ["last", "first", "second"][: hops + 1]
    servers = {name: serve(UNDER_TEST) for name in names}
    common = dict(
        HostName="127.0.0.1", IdentityFile=key, IdentitiesOnly="yes", IdentityAgent="none",
        BatchMode="yes", GlobalKnownHostsFile="/dev/null", StrictHostKeyChecking="yes",
    )
    config = write_config(tmp_path / "jumps", *[
        (name, common | dict(Port=server.port, UserKnownHostsFile=server.known_hosts()))
        for name, server in servers.items()
    ])
    jump = ",".join(names[1:])
    result = run([UNDER_TEST.ssh, "-F", config, "-J", jump, "last", "echo $SSH_CONNECTION"])
    assert result.returncode == 0, result.stderr
    # The last hop's sshd sees a connection from this machine, to its own port.
    assert result.stdout.split()[3] == str(servers["last"].port).encode()
    for name in names:
        assert "Accepted publickey" in servers[name].log_text()
    # A jump host that refuses is told by name.
    servers["first"].authorized_keys.write_text("")
    result = run([UNDER_TEST.ssh, "-F", config, "-J", jump, "last", "true"])
    assert result.returncode == 255
    assert b"Permission denied (publickey" in result.stderr


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["-b", "192.0.2.77"], "bind 192.0.2.77: Cannot assign requested address"),
        (["-B", "nosuch0"], "getifaddrs: nosuch0: no suitable addresses"),
        (["-b", "::1"], "getaddrinfo: ::1: Address family for hostname not supported"),
    ],
)
def test_an_address_that_cannot_be_bound_is_said(serve, key, arguments, message):
    server = serve(OPENSSH)
    ours, theirs = (
        ssh(server, *arguments, "127.0.0.1", "true", IdentityFile=key, suite=suite)
        for suite in (UNDER_TEST, OPENSSH)
    )
    assert ours.returncode == 255
    assert message in ours.stderr.decode()
    assert ours.stderr == theirs.stderr


@pytest.mark.parametrize("arguments", [["-b", "127.0.0.9"], ["-B", "lo"]])
def test_the_connection_comes_from_the_bound_address(serve, key, arguments):
    server = serve(OPENSSH)
    result = ssh(server, *arguments, "127.0.0.1", "echo $SSH_CLIENT", IdentityFile=key)
    assert result.stdout.split()[0] == (b"127.0.0.9" if "-b" in arguments else b"127.0.0.1")


def lingering(server, tmp_path):
    """A ProxyCommand that does not end with its input, and the process that it is."""
    note = tmp_path / "helper"
    script = tmp_path / "lingers"
    script.write_text(
        f"#!/bin/sh\necho $$ > {note}\n[ $1 = 0 ] || nc 127.0.0.1 $1\nwhile :; do sleep 0.2; done\n"
    )
    script.chmod(0o755)
    return script, lambda: os.path.exists(f"/proc/{note.read_text().strip()}")


def test_a_proxy_command_ends_with_its_connection(serve, tmp_path, key):
    server = serve(OPENSSH)
    script, is_there = lingering(server, tmp_path)
    result = ssh(
        server, "127.0.0.1", "echo in", IdentityFile=key, ProxyCommand=f"{script} {server.port}"
    )
    assert (result.returncode, result.stdout) == (0, b"in\n"), result.stderr
    wait_until(lambda: not is_there(), "the end of the command")
    result = ssh(server, "127.0.0.1", ProxyCommand=f"{script} 0", ConnectTimeout=1)
    assert result.returncode == 255
    wait_until(lambda: not is_there(), "the end of the command")


def test_a_proxy_command_belongs_to_the_master_in_the_background(serve, tmp_path, key, home):
    server = serve(OPENSSH)
    script, is_there = lingering(server, tmp_path)
    options = dict(
        IdentityFile=key, ProxyCommand=f"{script} {server.port}", ControlMaster="auto",
        ControlPersist="yes", ControlPath=home / "m",
    )
    try:
        for _ in range(2):
            result = ssh(server, "127.0.0.1", "echo in", **options)
            assert (result.returncode, result.stdout) == (0, b"in\n"), result.stderr
            assert is_there()
    finally:
        ssh(server, "-O", "exit", "127.0.0.1", **options)
    wait_until(lambda: not is_there(), "the end of the command")


def test_a_proxy_command_hands_over_its_connection(serve, key, tmp_path):
    server = serve(OPENSSH)
    dialer = tmp_path / "dialer"
    dialer.write_text(
        "import socket, sys, array\n"
        "ours = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "way = socket.socket(fileno=1)\n"
        "fds = array.array('i', [ours.fileno()])\n"
        "way.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])\n"
    )
    options = dict(
        IdentityFile=key, ProxyUseFdpass="yes", ProxyCommand=f"python3 {dialer} %h %p"
    )
    result = ssh(server, "-v", "127.0.0.1", "echo", "in", **options)
    assert result.stdout == b"in\n", result.stderr
    assert f"([127.0.0.1]:{server.port})".encode() in result.stderr
    options["ProxyCommand"] = "true"
    result = ssh(server, "127.0.0.1", "true", **options)
    assert result.returncode == 255
    assert b"proxy dialer did not pass back a connection" in result.stderr


def test_passwords_of_any_length_make_packets_of_one_size(serve, account, askpass, tmp_path):
    import socket
    import threading

    name, _ = account
    server = serve(OPENSSH, "UsePAM no", "PasswordAuthentication yes", "PubkeyAuthentication no",
                   "KbdInteractiveAuthentication no", user=name)
    sizes = {}
    for word in ("a", "a password of some length"):
        sent = []
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def relay():
                client, _ = listener.accept()
                upstream = socket.create_connection(("127.0.0.1", server.port))

                def back():
                    while data := upstream.recv(65536):
                        client.sendall(data)
                    client.close()

                threading.Thread(target=back, daemon=True).start()
                while data := client.recv(65536):
                    sent.append(len(data))
                    upstream.sendall(data)
                upstream.close()

            threading.Thread(target=relay, daemon=True).start()
            environment, _ = askpass(word)
            result = ssh(
                server, "127.0.0.1", "true", env=environment, BatchMode="no",
                Port=listener.getsockname()[1], HostKeyAlias=f"[127.0.0.1]:{server.port}",
                NumberOfPasswordPrompts=1, PreferredAuthentications="password",
            )
            assert result.returncode == 255
            assert b"Permission denied (password)" in result.stderr, result.stderr
        sizes[word] = sent
    first, second = sizes.values()
    assert first[-1] == second[-1]
    assert sum(first) == sum(second)


@pytest.mark.parametrize("why", ["changed", "revoked"])
@pytest.mark.parametrize("strict", ["no", "off", "accept-new", "yes"])
def test_nothing_is_forwarded_to_a_changed_host(serve, key, agent, tmp_path, strict, why):
    server = serve(OPENSSH)
    file = tmp_path / "hosts"
    other = make_key(tmp_path, "changed")
    agent(key)
    results = []
    for suite in (UNDER_TEST, OPENSSH):
        name = f"[127.0.0.1]:{server.port}"
        file.write_text(
            f"{name} {line(other)}\n" if why == "changed"
            else f"@revoked {name} {line(server.host_keys[0])}\n"
        )
        results.append(ssh(
            server, "-A", "-X", "-L", f"{free_port()}:127.0.0.1:9", "127.0.0.1", "echo in $SSH_AUTH_SOCK",
            suite=suite, env=agent.environment, UserKnownHostsFile=file, IdentityAgent=None,
            StrictHostKeyChecking=strict, IdentityFile=key,
        ))
    assert results[0].stdout == results[1].stdout == (
        b"in\n" if strict in ("no", "off") else b""
    )
    assert results[0].stderr == results[1].stderr
    assert (b"Port forwarding is disabled" in results[0].stderr) == (strict in ("no", "off"))


def test_submethods_are_asked_for(serve, account, askpass):
    name, _ = account
    server = serve(OPENSSH, "LogLevel DEBUG2", "UsePAM yes", "KbdInteractiveAuthentication yes",
                   user=name)
    environment, _ = askpass("wrong")
    ssh(server, "127.0.0.1", "true", env=environment, BatchMode="no",
        PreferredAuthentications="keyboard-interactive", NumberOfPasswordPrompts=1,
        KbdInteractiveDevices="pam,bsdauth")
    assert "keyboard-interactive devs pam,bsdauth" in server.log_text()


# Passwords and questions, asked by a server of asyncssh

SERVER = '''
import asyncio, sys, asyncssh

class Server(asyncssh.SSHServer):
    def __init__(self):
        self.round = 0

    def connection_made(self, connection):
        self.connection = connection

    def begin_auth(self, username):
        return True

    def password_auth_supported(self):
        return "password" in MODE

    def validate_password(self, username, password):
        print("password", password, flush=True)
        if password == "old":
            raise asyncssh.PasswordChangeRequired("Your password has expired.")
        return password == "right"

    def change_password(self, username, old, new):
        print("change", old, new, flush=True)
        return old == "old" and new == "new"

    def kbdint_auth_supported(self):
        return "kbdint" in MODE

    def get_kbdint_challenge(self, username, lang, submethods):
        return "Name", "Instruction", "", [("Colour: ", True), ("Secret: ", False)]

    def validate_kbdint_response(self, username, responses):
        self.round += 1
        print("answers", *responses, flush=True)
        if self.round == 1:
            return "", "More", "", [("Token: ", False)]
        return list(responses) == ["answer"]

async def main():
    def session(process):
        process.stdout.write("in\\n")
        process.exit(0)
    server = await asyncssh.create_server(
        Server, "127.0.0.1", 0, server_host_keys=[sys.argv[1]], process_factory=session
    )
    print("port", server.get_port(), flush=True)
    await asyncio.Event().wait()

MODE = sys.argv[2]
asyncio.run(main())
'''


class Asking:
    """A server of asyncssh that asks for passwords or answers."""

    def __init__(self, folder, mode):
        self.key = make_key(folder, f"asking_host{time.monotonic_ns()}")
        script = folder / "server.py"
        script.write_text(SERVER)
        self.process = subprocess.Popen(
            [sys.executable, script, str(self.key), mode], stdout=subprocess.PIPE, text=True
        )
        self.port = int(self.process.stdout.readline().split()[1])
        self.hosts = folder / "asking_hosts"
        self.hosts.write_text(f"[127.0.0.1]:{self.port} {line(self.key)}\n")

    def log_in(self, environment, *words, suite=UNDER_TEST):
        return run(
            [suite.ssh, "-F", "none", "-p", self.port, "-o", f"UserKnownHostsFile={self.hosts}",
             "-o", "GlobalKnownHostsFile=none", "-o", "PubkeyAuthentication=no", *words,
             "someone@127.0.0.1", "x"],
            env=environment,
        )

    def heard(self):
        self.process.terminate()
        return self.process.stdout.read().splitlines()


@pytest.fixture
def asking(tmp_path):
    pytest.importorskip("asyncssh")
    made = []

    def start(mode):
        made.append(Asking(tmp_path, mode))
        return made[-1]

    yield start
    for each in made:
        each.process.kill()
        each.process.wait(10)


@pytest.fixture
def answers(tmp_path):
    """SSH_ASKPASS with one answer after the other; tells what it was asked."""

    def make(*texts):
        folder = tmp_path / f"answers{time.monotonic_ns()}"
        folder.mkdir()
        (folder / "left").write_text("".join(text + "\n" for text in texts))
        script = folder / "askpass"
        script.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$1" >> {folder}/asked\n'
            f'head -n 1 {folder}/left\nsed -i 1d {folder}/left\n'
        )
        script.chmod(0o755)
        environment = dict(os.environ, SSH_ASKPASS=str(script), SSH_ASKPASS_REQUIRE="force")
        return environment, lambda: (folder / "asked").read_text().splitlines()

    return make


def test_an_expired_password_is_changed(asking, answers):
    texts = ("old", "old", "new", "knew", "new", "new")
    seen = []
    for suite in (UNDER_TEST, OPENSSH):
        server = asking("password")
        environment, asked = answers(*texts)
        result = server.log_in(environment, suite=suite)
        assert result.stdout == b"in\n", result.stderr
        seen.append((asked(), result.stderr.decode().replace("\r", ""), server.heard()))
    assert seen[0] == seen[1]
    assert seen[0][2][-1] == "change old new"


@pytest.mark.parametrize("prompts", [1, 2, 3])
def test_passwords_are_asked_for_so_often(asking, answers, prompts):
    seen = []
    for suite in (UNDER_TEST, OPENSSH):
        server = asking("password")
        environment, asked = answers("wrong", "false", "bad", "right")
        result = server.log_in(
            environment, "-o", f"NumberOfPasswordPrompts={prompts}", suite=suite
        )
        assert result.returncode == 255
        seen.append((asked(), result.stderr.decode().replace("\r", ""), server.heard()))
    assert seen[0] == seen[1]
    assert len(seen[0][2]) == prompts


def test_questions_are_asked_in_rounds(asking, answers):
    seen = []
    for suite in (UNDER_TEST, OPENSSH):
        server = asking("kbdint")
        environment, asked = answers("blue", "word", "answer")
        result = server.log_in(environment, suite=suite)
        assert result.stdout == b"in\n", result.stderr
        seen.append((asked(), result.stderr.decode().replace("\r", ""), server.heard()))
    assert seen[0] == seen[1]
    assert seen[0][2] == ["answers blue word", "answers answer"]


@pytest.mark.parametrize(
    "order, first", [("password,keyboard-interactive", "password"),
                     ("keyboard-interactive,password", "answers")]
)
def test_methods_are_tried_in_the_order_that_is_preferred(asking, answers, order, first):
    server = asking("password+kbdint")
    environment, _ = answers(*["wrong"] * 12)
    words = ["-o", f"PreferredAuthentications={order}", "-o", "NumberOfPasswordPrompts=1"]
    result = server.log_in(environment, *words)
    assert result.returncode == 255
    heard = server.heard()
    assert heard[0].split()[0] == first
    assert {each.split()[0] for each in heard} == {"password", "answers"}


def test_nobody_is_asked_in_batch_mode(asking, answers):
    server = asking("password+kbdint")
    environment, asked = answers("right")
    result = server.log_in(environment, "-o", "BatchMode=yes")
    assert result.returncode == 255
    assert server.heard() == []


# What OpenSSH 10 does otherwise than 9.2


def test_a_host_certificate_names_its_hosts_by_patterns_and_not_by_silence(host):
    host.know(f"@cert-authority * {line(host.authority)}")
    for principals, succeeds in ((["-n", "127.*"], True), (["-n", "*.1,x"], True),
                                 (["-n", "128.*"], False), ([], False)):
        host.certify(*principals)
        host.server.stop()
        host.server.start()
        result = host.log_in()
        assert (result.stdout == b"in\n") == succeeds, (principals, result.stderr)
    assert b"Certificate lacks principal list" in result.stderr


def test_several_files_revoke_host_keys(host, tmp_path):
    host.certify("-n", "127.0.0.1")
    host.server.stop()
    host.server.start()
    host.know(f"@cert-authority * {line(host.authority)}")
    plain = host.server.host_keys[0]
    empty = tmp_path / "empty"
    empty.write_text("# nothing\n")

    def revocation_list(name, *keys):
        path = tmp_path / name
        result = run([OPENSSH.ssh_keygen, "-k", "-f", path, *keys])
        assert result.returncode == 0, result.stderr
        return path

    key_list = revocation_list("keys", f"{plain}.pub")
    other_list = revocation_list("others", f"{host.other}.pub")
    certificates = revocation_list("certificates", f"{plain}-cert.pub")
    authorities = revocation_list("authorities", f"{host.authority}.pub")
    broken = tmp_path / "broken"
    broken.write_bytes(key_list.read_bytes()[:-3])
    assert host.log_in(RevokedHostKeys=f"{empty} {other_list}").returncode == 0
    for path in (key_list, certificates, authorities, f"{host.authority}.pub", f"{plain}.pub"):
        result = host.log_in(RevokedHostKeys=f"{empty} {other_list} {path}")
        assert result.returncode == 255
        assert f"revoked by file {path}".encode() in result.stderr
    for path in (broken, tmp_path / "absent"):
        result = host.log_in(RevokedHostKeys=f"{empty} {path}")
        assert result.returncode == 255
        assert b"Error checking host key" in result.stderr


def test_a_line_is_added_after_one_without_its_end(serve, tmp_path, key):
    server = serve(OPENSSH)
    file = tmp_path / "hosts"
    file.write_text("# no end")
    options = dict(UserKnownHostsFile=file, IdentityFile=key, StrictHostKeyChecking="accept-new")
    assert ssh(server, "127.0.0.1", "true", **options).returncode == 0
    assert file.read_text() == (
        f"# no end\n[127.0.0.1]:{server.port} {line(server.host_keys[0])}\n"
    )


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_the_user_may_be_asked_about_further_host_keys(serve, tmp_path, key, answers, answer):
    server = serve(OPENSSH, host_key_kinds=("ed25519", "ecdsa"))
    file = tmp_path / "hosts"
    file.write_text(f"[127.0.0.1]:{server.port} {line(server.host_keys[0])}\n")
    environment, asked = answers(answer)
    result = ssh(
        server, "127.0.0.1", UserKnownHostsFile=file, IdentityFile=key,
        UpdateHostKeys="ask", BatchMode="no", env=environment, input=b"sleep 0.5\n",
    )
    assert result.returncode == 0
    assert asked() == ["Accept updated hostkeys? (yes/no): "]
    fingerprint = run([OPENSSH.ssh_keygen, "-lf", f"{server.host_keys[1]}.pub"]).stdout.split()[1]
    assert result.stderr.endswith(
        b"The server has updated its host keys.\r\n"
        b"These changes were verified by the server's existing trusted key.\r\n"
        b"Learned new hostkey: ECDSA " + fingerprint + b"\r\n"
    )
    assert (line(server.host_keys[1]) in file.read_text()) == (answer == "yes")


@pytest.mark.parametrize("words,options", [
    (["127.0.0.1", "sleep 0.5"], {}),
    (["-tt", "127.0.0.1", "sleep 0.5"], {}),
    (["-T", "127.0.0.1"], {}),
    (["127.0.0.1"], {"LogLevel": "ERROR"}),
])
def test_a_program_is_not_held_up_by_a_question_about_further_host_keys(
    serve, tmp_path, key, answers, words, options
):
    server = serve(OPENSSH, host_key_kinds=("ed25519", "ecdsa"))
    file = tmp_path / "hosts"
    before = f"[127.0.0.1]:{server.port} {line(server.host_keys[0])}\n"
    file.write_text(before)
    environment, asked = answers("yes")
    result = ssh(
        server, *words, UserKnownHostsFile=file, IdentityFile=key, UpdateHostKeys="ask",
        BatchMode="no", env=environment, input=b"sleep 0.5\n", **options,
    )
    assert result.returncode == 0
    assert b"hostkey" not in result.stderr
    assert file.read_text() == before


ADDRESS_CASES = {
    "nothing known": ("", "", "no"),
    "host known": ("host", "", "yes"),
    "address known": ("", "host", "accept-new"),
    "address has another key": ("host", "other", "no"),
    "address has another key, strict": ("host", "other", "yes"),
    "host has another key": ("other", "host", "yes"),
    "both have another key": ("other", "other", "yes"),
    "host has another key, address unknown": ("other", "", "yes"),
}


def test_addresses_are_checked_too(tmp_path, home, key):
    """CheckHostIP, in a network of its own where a name has an address that is not loopback's."""
    if os.getuid() != 0 or not shutil.which("ip") or run(["unshare", "-mn", "true"]).returncode:
        pytest.skip("needs namespaces")
    host_key, other = make_key(home, "host_key"), make_key(home, "other")
    (home / "hosts").write_text("127.0.0.1 localhost\n192.0.2.9 harbour\n")
    port = 2222
    (home / "sshd_config").write_text(
        f"Port {port}\nListenAddress 192.0.2.9\nHostKey {host_key}\nStrictModes no\nUsePAM no\n"
        f"AuthorizedKeysFile {key}.pub\nPidFile none\n"
    )
    lines = {"host": line(host_key), "other": line(other)}
    script = [
        f"mount --bind {home}/hosts /etc/hosts", "ip link set lo up",
        "ip address add 192.0.2.9/32 dev lo", "mkdir -p /run/sshd",
        f"{OPENSSH.sshd} -D -f {home}/sshd_config 2>/dev/null & server=$!", "sleep 1",
    ]
    for number, (of_host, of_address, strict) in enumerate(ADDRESS_CASES.values()):
        for suite in (UNDER_TEST, OPENSSH):
            known = home / f"known{number}"
            text = ""
            if of_host:
                text += f"[harbour]:{port} {lines[of_host]}\n"
            if of_address:
                text += f"[192.0.2.9]:{port} {lines[of_address]}\n"
            script += [
                f"cat > {known} <<'END'\n{text}END",
                f"{suite.ssh} -F none -p {port} -i {key} -o IdentityAgent=none -o BatchMode=yes"
                f" -o UserKnownHostsFile={known} -o GlobalKnownHostsFile=none -o CheckHostIP=yes"
                f" -o UpdateHostKeys=no -o StrictHostKeyChecking={strict} harbour echo in"
                f" > {home}/{suite.name}{number} 2>&1",
                f"echo $? >> {home}/{suite.name}{number}",
                f"cat {known} >> {home}/{suite.name}{number}",
            ]
    script.append("kill $server")
    run(["unshare", "-mn", "sh", "-c", "\n".join(script)], timeout=120)
    for number, title in enumerate(ADDRESS_CASES):
        ours, theirs = (
            (home / f"{suite.name}{number}").read_text() for suite in (UNDER_TEST, OPENSSH)
        )
        assert ours == theirs, title
        assert ("in\n" in ours) == ("other" not in ADDRESS_CASES[title]
                                    or ADDRESS_CASES[title][2] == "no"), title
