# SPDX-License-Identifier: Apache-2.0
"""Files that one suite writes and the other reads, and what OpenSSH has learned since 9.2."""
import itertools
import os
import pathlib
import shlex
import subprocess

import pytest
from conftest import OPENSSH, OURS, UNDER_TEST, make_key, run
from test_agent import start_agent  # noqa: F401
from test_pkcs11 import LIBRARY, PIN, asks, token  # noqa: F401

pytestmark = pytest.mark.skipif(UNDER_TEST is OPENSSH, reason="compares the two")
KINDS = [("ed25519", None), ("rsa", 2048), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521)]
CIPHERS = [
    "3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc", "aes128-ctr", "aes192-ctr", "aes256-ctr",
    "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com",
]
WAYS = [(), ("-m", "PEM"), ("-m", "PKCS8")]


@pytest.mark.parametrize("writer, reader", [(OURS, OPENSSH), (OPENSSH, OURS)], ids=str)
@pytest.mark.parametrize("kind, bits", KINDS)
def test_private_keys(tmp_path, writer, reader, kind, bits):
    size = ["-b", str(bits)] if bits else []
    cases = [(way, passphrase) for way in WAYS for passphrase in ("", "secret")]
    cases += [(("-Z", cipher), "secret") for cipher in (CIPHERS if kind == "ed25519" else CIPHERS[-1:])]
    if kind == "ed25519" and writer is OURS:
        # 9.2 does not read Ed25519 keys in PKCS #8.
        cases = [case for case in cases if case[0] != ("-m", "PKCS8")]
    for number, (way, passphrase) in enumerate(cases):
        path = tmp_path / f"k{number}"
        command = [writer.ssh_keygen, "-q", "-t", kind, *size, "-N", passphrase, "-a", "1", "-C", "c d"]
        result = run([*command, *way, "-f", path])
        assert result.returncode == 0, (way, result.stderr)
        public = path.with_suffix(".pub").read_text()
        shown = [run([suite.ssh_keygen, "-y", "-P", passphrase, "-f", path]) for suite in (writer, reader)]
        assert shown[0].stdout == shown[1].stdout != b"", (way, shown[1].stderr)
        assert shown[1].stdout.decode().split()[:2] == public.split()[:2]
        listed = [run([suite.ssh_keygen, "-lf", path]).stdout for suite in (writer, reader)]
        assert listed[0] == listed[1] != b"", way
        if passphrase:
            wrong = run([reader.ssh_keygen, "-y", "-P", "wrong", "-f", path])
            assert wrong.returncode == 255 and b"incorrect passphrase" in wrong.stderr, way
        # The reader changes what the writer made, and the writer reads that again.
        result = run([reader.ssh_keygen, "-q", "-p", "-P", passphrase, "-N", "other", "-a", "1", "-f", path])
        assert result.returncode == 0, (way, result.stderr)
        again = run([writer.ssh_keygen, "-y", "-P", "other", "-f", path])
        assert again.stdout.split()[:2] == public.encode().split()[:2], (way, again.stderr)


@pytest.mark.parametrize("writer, reader", [(OURS, OPENSSH), (OPENSSH, OURS)], ids=str)
def test_revocation_lists(tmp_path, writer, reader):
    authority = make_key(tmp_path, "ca")
    keys = [make_key(tmp_path, f"k{number}") for number in range(4)]
    for number, key in enumerate(keys):
        run([OPENSSH.ssh_keygen, "-q", "-s", authority, "-I", f"id{number}", "-z", str(number + 1), f"{key}.pub"])
    spec = tmp_path / "spec"
    spec.write_text(f"serial: 1\nserial: 100-2000\nid: id1\nsha256: {keys[2].with_suffix('.pub').read_text()}")
    krl = tmp_path / "krl"
    words = ["-k", "-f", krl, "-s", f"{authority}.pub", "-z", "7", spec]
    assert run([writer.ssh_keygen, *words]).returncode == 0
    files = [f"{key}{end}" for key in keys for end in (".pub", "-cert.pub")]
    for words in (["-Qlf", krl], ["-Qf", krl, *files]):
        answers = [run([suite.ssh_keygen, *words]) for suite in (writer, reader)]
        assert answers[0].stdout == answers[1].stdout != b""
        assert answers[0].returncode == answers[1].returncode
    revoked = run([reader.ssh_keygen, "-Qf", krl, *files]).stdout.decode()
    assert [line.endswith(": REVOKED") for line in revoked.splitlines()] == [
        False, True, False, True, True, True, False, False,
    ]


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_every_flipped_byte_of_a_krl_and_a_certificate(tmp_path, kind):
    """A changed file is an error, or says the same or something else in order; nothing crashes."""
    authority = make_key(tmp_path, "ca", kind)
    key = make_key(tmp_path, "k", kind)
    run([OPENSSH.ssh_keygen, "-q", "-s", authority, "-I", "id", "-z", "9", f"{key}.pub"])
    spec = tmp_path / "spec"
    spec.write_text("serial: 5-20\nid: id\n")
    krl = tmp_path / "krl"
    run([OPENSSH.ssh_keygen, "-q", "-k", "-f", krl, "-s", f"{authority}.pub", spec, f"{key}.pub"])
    good = krl.read_bytes()
    step = max(1, len(good) // 60)
    for index in range(0, len(good), step):
        damaged = bytearray(good)
        damaged[index] ^= 0xFF
        krl.write_bytes(damaged)
        answer = run([OURS.ssh_keygen, "-Qf", krl, f"{key}-cert.pub"])
        assert answer.returncode in (0, 1, 255), index
        theirs = run([OPENSSH.ssh_keygen, "-Qf", krl, f"{key}-cert.pub"])
        assert (answer.returncode == 0) == (theirs.returncode == 0), (index, answer, theirs)
    for length in range(0, len(good), step):
        krl.write_bytes(good[:length])
        assert run([OURS.ssh_keygen, "-Qf", krl, f"{key}-cert.pub"]).returncode in (1, 255)


# What OpenSSH 10.5's regression tests ask for beyond those of 9.2.


@pytest.mark.parametrize(
    "words, algorithms",
    [((), [1, 2]), (("-O", "hashalg=sha1"), [1]), (("-O", "hashalg=sha256"), [2]), (("-Ohashalg=sha256",), [2])],
)
def test_sshfp_records_of_one_digest(tmp_path, words, algorithms):
    key = make_key(tmp_path)
    result = run([OURS.ssh_keygen, "-r", "test", *words, "-f", f"{key}.pub"])
    assert [int(line.split()[4]) for line in result.stdout.splitlines()] == algorithms
    assert [int(line.split()[3]) for line in result.stdout.splitlines()] == [4] * len(algorithms)


def test_sshfp_records_of_no_digest(tmp_path):
    key = make_key(tmp_path)
    result = run([OURS.ssh_keygen, "-r", "test", "-O", "hashalg=sha3", "-f", f"{key}.pub"])
    assert (result.returncode, result.stdout) == (255, b"")
    assert b'Unsupported hash algorithm "sha3"' in result.stderr


@pytest.mark.parametrize("keyword", ["AuthorizedKeysFile", "AuthorizedPrincipalsFile"])
def test_patterns_for_a_users_files(serve, tmp_path, keyword):
    key = make_key(tmp_path, "mine")
    folder = tmp_path / "files"
    folder.mkdir()
    names = {name: folder / f"keys_{name}" for name in ("a", "b")}
    if keyword == "AuthorizedKeysFile":
        names["b"].write_text(key.with_suffix(".pub").read_text())
        host = serve(OURS, f"AuthorizedKeysFile {folder}/keys_*")
    else:
        authority = make_key(tmp_path, "ca")
        run([OURS.ssh_keygen, "-q", "-s", authority, "-I", "i", "-n", "someone", f"{key}.pub"])
        names["b"].write_text("someone\n")
        host = serve(
            OURS,
            f"TrustedUserCAKeys {authority}.pub",
            f"AuthorizedPrincipalsFile {folder}/keys_*",
            "AuthorizedKeysFile none",
        )
    names["a"].write_text("# nobody\n")
    command = [OURS.ssh, "-F", host.client_config(key), "127.0.0.1", "echo in"]
    result = run(command)
    assert result.stdout == b"in\n", result.stderr + host.log_text().encode()
    names["b"].unlink()
    assert run(command).stdout == b""


@pytest.mark.parametrize("principals, gets_in", [("", False), ("127.0.0.*", True), ("*", True), ("other", False)])
def test_principals_of_host_certificates(serve, tmp_path, principals, gets_in):
    """10.x: none is none, and a pattern is a pattern."""
    authority = make_key(tmp_path, "ca")
    key = make_key(tmp_path, "user_key2")
    host = serve(OURS)
    host.allow(key)
    host.stop()
    words = ["-n", principals] if principals else []
    made = run([OURS.ssh_keygen, "-q", "-h", "-s", authority, "-I", "h", *words, f"{host.host_keys[0]}.pub"])
    assert made.returncode == 0, made.stderr
    host.config.write_text(host.config.read_text() + f"HostCertificate {host.host_keys[0]}-cert.pub\n")
    host.start()
    config = host.client_config(key)
    known = pathlib.Path(host.folder / "known_hosts")
    known.write_text(f"@cert-authority * {authority.with_suffix('.pub').read_text()}")
    result = run([OURS.ssh, "-F", config, "127.0.0.1", "echo in"])
    assert (result.stdout == b"in\n") == gets_in, result.stderr


@pytest.mark.parametrize("through, works", [(False, True), (True, False)])
def test_keys_of_a_token_with_a_destination(start_agent, serve, token, tmp_path, through, works):  # noqa: F811
    host = serve(OURS)
    for kind in token.keys:
        host.allow(token.keys[kind])
    known = host.known_hosts()
    agent = start_agent(OURS, **token.environment)
    name = f"[127.0.0.1]:{host.port}" if not through else "elsewhere"
    if through:
        with open(known, "a") as file:
            file.write(f"elsewhere {make_key(tmp_path, 'other').with_suffix('.pub').read_text()}")
    result = agent.add(OURS, "-H", known, "-h", name, "-s", LIBRARY, environment=asks(tmp_path, PIN))
    assert result.returncode == 0, result.stderr
    config = host.client_config(IdentityAgent=agent.socket, IdentitiesOnly="no", UserKnownHostsFile=known)
    result = run([OURS.ssh, "-F", config, "127.0.0.1", "echo in"])
    assert (result.stdout == b"in\n") == works, result.stderr


def test_an_ed25519_key_of_a_token(start_agent, token, serve, tmp_path):  # noqa: F811
    path = tmp_path / "ed"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", path], check=True)
    words = ["--token", "tok", "--pin", PIN, "--import", path, "--label", "my ed", "--id", "77"]
    result = run(["softhsm2-util", *words], env={**os.environ, **token.environment})
    if result.returncode != 0:
        pytest.skip("this softhsm2 imports no Ed25519 keys")
    agent = start_agent(OURS, **token.environment)
    assert agent.add(OURS, "-s", LIBRARY, environment=asks(tmp_path, PIN)).returncode == 0
    lines = agent.add(OURS, "-L").stdout.decode().splitlines()
    public = [line for line in lines if line.startswith("ssh-ed25519")]
    assert len(public) == 1, lines
    (tmp_path / "ed.pub").write_text(public[0] + "\n")
    assert agent.add(OURS, "-T", tmp_path / "ed.pub").returncode == 0
    host = serve(OURS)
    host.authorized_keys.write_text(public[0] + "\n")
    config = host.client_config(IdentityAgent=agent.socket, IdentitiesOnly="no")
    assert run([OURS.ssh, "-F", config, "127.0.0.1", "echo in"]).stdout == b"in\n"


@pytest.mark.parametrize("level", ["-v", "-vv", "-vvv"])
def test_what_verbose_says(tmp_path, level):
    """The lines of `-v` that tell a user why, each as OpenSSH has it."""
    keys = {name: make_key(tmp_path, name, kind) for name, kind in
            (("id", "ed25519"), ("rsa", "rsa"), ("ec", "ecdsa"), ("authority", "ed25519"))}
    public = {name: " ".join(open(f"{key}.pub").read().split()[:2]) for name, key in keys.items()}
    run([OPENSSH.ssh_keygen, "-q", "-s", keys["authority"], "-I", "id", "-n", "person", f"{keys['ec']}.pub"])
    text = tmp_path / "text"
    text.write_text("text")
    (tmp_path / "allowed").write_text(
        f"# comment\nyou {public['rsa']}\nme,m* namespaces=\"file,x*\",valid-after=\"20200101\" {public['id']}\n"
        f"p* nonsense {public['ec']}\np* valid-before=\"x\" {public['ec']}\np* garbage here\np*\n"
        f"p* cert-authority,valid-before=\"20200101\" {public['authority']}\n"
        f"p* cert-authority {public['authority']}\nec valid-before=\"20200101\" {public['ec']}\n"
        f"ec namespaces=\"other\" {public['ec']}\n")
    (tmp_path / "spec").write_text("serial: 1\n")
    run([OPENSSH.ssh_keygen, "-q", "-k", "-f", tmp_path / "krl", "-s", f"{keys['authority']}.pub",
         tmp_path / "spec", f"{keys['rsa']}.pub"])
    environment = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}
    # 9.2 takes its key twice from a certificate's name.
    signers = ["id", "rsa", "ec", "id.pub"]
    for name in (*signers, "ec-cert.pub"):
        run([OPENSSH.ssh_keygen, "-q", "-Y", "sign", "-n", "file", "-f", tmp_path / name, text])
        text.with_suffix(".sig").rename(tmp_path / f"{name}.sig")
    commands = [["-Y", "match-principals", "-I", name, "-f", "allowed"] for name in ("me", "ec", "nobody", "p")]
    for name in (*signers, "ec-cert.pub"):
        signature = tmp_path / f"{name}.sig"
        commands.append(["-Y", "find-principals", "-s", signature, "-f", "allowed"])
        commands.append(["-Y", "check-novalidate", "-n", "file", "-s", signature])
        for who in ("me", "you", "ec", "person"):
            commands += [["-Y", "verify", "-n", "file", "-I", who, "-s", signature, "-f", "allowed", *more]
                         for more in ([], ["-r", "krl"])]
        commands.append(["-Y", "verify", "-n", "other", "-I", "me", "-s", signature, "-f", "allowed"])
    commands += [["-Y", "sign", "-n", "file", "-f", name] for name in signers]
    commands += [["-Qf", "krl", f"{key}.pub"] for key in keys.values()]
    commands += [["-s", keys["authority"], "-I", "x", "-O", "force-command=a b", "-O", "no-pty", f"{keys['id']}.pub"],
                 ["-k", "-f", "krl2", "-s", f"{keys['authority']}.pub", "spec", f"{keys['rsa']}.pub"]]
    for words in commands:
        seen = []
        for suite in (OURS, OPENSSH):
            result = run([suite.ssh_keygen, level, *words], env=environment, cwd=tmp_path, input=b"text")
            seen.append((result.returncode, result.stderr.decode()))
        assert seen[0] == seen[1], words
    for wrong in ("id", "rsa"):
        seen = [run([suite.ssh_keygen, level, "-Y", "check-novalidate", "-n", "file", "-s", f"{wrong}.sig"],
                    cwd=tmp_path, input=b"another").stderr for suite in (OURS, OPENSSH)]
        assert seen[0] == seen[1]


def test_many_logins_at_once_with_host_keys_in_an_agent(start_agent, serve, key, tmp_path):  # noqa: F811
    """hostkey-agent of 10.5: one agent signs for several connections and all types of keys."""
    kinds = ("ed25519", "rsa", "ecdsa")
    agent = start_agent(OURS)
    host = serve(OURS, f"HostKeyAgent {agent.socket}", host_key_kinds=kinds)
    host.stop()
    for path in host.host_keys:
        assert agent.add(OURS, path).returncode == 0
        path.unlink()
    host.config.write_text(host.config.read_text().replace("/host_", "/./host_"))
    text = host.config.read_text()
    for path in host.host_keys:
        text = text.replace(f"{path.parent}/./{path.name}", f"{path}.pub")
    host.config.write_text(text)
    host.start()
    config = host.client_config(key)
    algorithms = ["ssh-ed25519", "rsa-sha2-256", "rsa-sha2-512", "ecdsa-sha2-nistp256"]
    running = [
        subprocess.Popen(
            [OURS.ssh, "-F", config, "-o", f"HostKeyAlgorithms={name}", "127.0.0.1", f"echo {name}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for name in algorithms * 2
    ]
    for process, name in zip(running, algorithms * 2):
        output, errors = process.communicate(timeout=60)
        assert output.decode() == f"{name}\n", errors


HOPS = {
    # Where a key may be used, and whether it logs in from the first host to the second.
    "first only": (["-h", "first"], False, False),
    "both hops": (["-h", "first", "-h", "first>second"], True, True),
    "no constraint": ([], True, True),
    "second only": (["-h", "second"], False, False),
    "another user": (["-h", "first", "-h", "first>nobody@second"], True, False),
    "any user": (["-h", "first", "-h", "first>*@second"], True, True),
    "not the way there": (["-h", "first>second"], False, False),
}


@pytest.mark.parametrize(
    "agent_suite, client, first, inner, shared",
    [(OURS, *suites, False) for suites in itertools.product((OURS, OPENSSH), repeat=3)]
    + [(OPENSSH, OURS, OURS, OURS, False), (OURS, OURS, OPENSSH, OPENSSH, True)]
    + [(OURS, OPENSSH, OURS, OURS, True)],
    ids=lambda value: getattr(value, "name", "shared" if value else "alone"),
)
def test_destinations_over_two_hops(
    start_agent, serve, key, tmp_path, agent_suite, client, first, inner, shared  # noqa: F811
):
    """A forwarded agent shows the keys that may go on, and signs with those that may go there."""
    hosts = {"first": serve(first), "second": serve(OPENSSH if inner is OURS else OURS)}
    known = tmp_path / "known"
    known.write_text(
        "".join(
            f"{name} {host.host_keys[0].with_suffix('.pub').read_text()}"
            for name, host in hosts.items()
        )
    )
    agent = start_agent(agent_suite)
    keys = {name: make_key(tmp_path, f"key{number}") for number, name in enumerate(HOPS)}
    for name, path in keys.items():
        hosts["second"].allow(path)
        added = agent.add(OURS, "-q", "-H", known, *HOPS[name][0], path)
        assert added.returncode == 0, added.stderr

    def command(suite, name, identity, *words):
        options = [
            f"HostKeyAlias={name}", f"UserKnownHostsFile={known}", "StrictHostKeyChecking=yes",
            "BatchMode=yes", "IdentitiesOnly=yes", f"IdentityFile={identity}", "LogLevel=ERROR",
        ]
        return [
            str(suite.ssh), "-F", "none", *(word for option in options for word in ("-o", option)),
            "-p", str(hosts[name].port), *words, "127.0.0.1",
        ]

    through = command(client, "first", key, "-A")
    if shared:
        path = tmp_path / "master"
        master = command(client, "first", key, "-A", "-M", "-S", str(path), "-f", "-N")
        assert run(master, env=agent.environment).returncode == 0
        through[-1:-1] = ["-S", str(path)]
    script = [f"{OPENSSH.ssh_add} -L | cut -d' ' -f2; echo --"]
    for path in keys.values():
        words = command(inner, "second", f"{path}.pub")
        script.append(shlex.join([*words, "echo in"]) + " </dev/null || echo out")
    try:
        result = run([*through, "; ".join(script)], env=agent.environment)
    finally:
        if shared:
            run([str(client.ssh), "-S", str(tmp_path / "master"), "-O", "exit", "x"])
    listed, outcomes = result.stdout.decode().split("--\n")
    shown = [
        name for name, path in keys.items()
        if path.with_suffix(".pub").read_text().split()[1] in listed.split()
    ]
    assert shown == [name for name in HOPS if HOPS[name][1]], result.stderr
    assert outcomes.split() == ["in" if HOPS[name][2] else "out" for name in HOPS], result.stderr
