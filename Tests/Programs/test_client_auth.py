# SPDX-License-Identifier: Apache-2.0
"""Which keys, certificates and methods ssh tries, in which order, and which host keys it takes."""
import os
import re
import subprocess

import pytest

from conftest import OPENSSH, UNDER_TEST, make_key, run


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


def ssh(server, *words, suite=UNDER_TEST, env=None, **options):
    config = server.folder / "client_config"
    settings = server.client_options() | options
    lines = []
    for keyword, value in settings.items():
        for each in value if isinstance(value, list) else [value]:
            if each is not None:
                lines.append(f"    {keyword} {each}\n")
    config.write_text("Host *\n" + "".join(lines))
    return run([suite.ssh, "-F", config, *words], env=env)


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
