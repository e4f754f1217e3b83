# SPDX-License-Identifier: Apache-2.0
"""Bytes that are not UTF-8 go through every program as they are: in commands, paths, names, variables and comments.

`\\udce9` is how Python writes the byte 0xe9 of a word of the system.
"""
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from conftest import OPENSSH, UNDER_TEST, make_key, run, wait_until

E = "\udce9"
PAIRS = [(UNDER_TEST, OPENSSH), (OPENSSH, UNDER_TEST), (UNDER_TEST, UNDER_TEST)]
pairs = pytest.mark.parametrize("client, host", PAIRS, ids=lambda suite: suite.name)


def settings(server, key=None, **changes):
    return server.client_config(key, Hostname="127.0.0.1", HostKeyAlias=f"[127.0.0.1]:{server.port}", **changes)


def write(path, text, mode=0o644):
    path.write_bytes(os.fsencode(text))
    path.chmod(mode)
    return path


def lines_of(tmp_path, text):
    """An `Include` of lines of any bytes."""
    return f"Include {write(tmp_path / 'lines', text)}"


def clean(**changes):
    environment = dict(os.environ, LC_ALL="C.UTF-8")
    environment.pop("SSH_AUTH_SOCK", None)
    return environment | changes


@pytest.fixture
def latin(home):
    """A folder whose name is not UTF-8, in a short place."""
    path = home / f"d{E}"
    path.mkdir()
    return path


# ---- sessions


@pairs
def test_a_command_is_the_bytes_that_were_typed(serve, key, client, host):
    server = serve(host)
    config = settings(server, key)
    result = run([client.ssh, "-F", config, "h", f"printf %s caf{E} \udcff\udcc3 é \U0010ffe9"])
    assert result.stdout == b"caf\xe9\xff\xc3\xc3\xa9" + "\U0010ffe9".encode(), result.stderr


@pairs
def test_a_command_through_a_master(serve, key, home, client, host):
    server = serve(host)
    config = settings(server, key, ControlPath=home / "m")
    master = subprocess.Popen([client.ssh, "-F", config, "-M", "-N", "h"])
    try:
        wait_until((home / "m").exists, "the master's socket")
        result = run([client.ssh, "-F", config, "h", f"printf %s {E}"])
        assert result.stdout == b"\xe9", result.stderr
        # The one of the other suite as a guest.
        guest = OPENSSH if client is not OPENSSH else UNDER_TEST
        result = run([guest.ssh, "-F", config, "h", f"printf %s {E}"])
        assert result.stdout == b"\xe9", result.stderr
    finally:
        master.terminate()
        master.wait(10)


@pairs
def test_variables_by_all_ways(serve, key, tmp_path, client, host):
    server = serve(host, "AcceptEnv W* V*", lines_of(tmp_path, f"Match all\nSetEnv S=a{E} T=b{E}\n"))
    folder = tmp_path / "client"
    folder.mkdir()
    config = settings(server, key)
    write(folder / "c", f'Include "{config}"\nSetEnv V1={E} "V2=x {E}"\nSendEnv W{E}* W*\n')
    result = run(
        [client.ssh, "-F", folder / "c", "h", "printf '%s ' \"$V1\" \"$V2\" \"$W1\" \"$S\" \"$T\""],
        env=clean(W1=f"w{E}"),
    )
    assert result.stdout == b"\xe9 x \xe9 w\xe9 a\xe9 b\xe9 ", result.stderr


@pairs
def test_forced_commands(serve, key, tmp_path, client, host):
    server = serve(host, "PermitUserEnvironment yes")
    line = pathlib.Path(f"{key}.pub").read_text()
    options = f'command="printf \'{E} %s %s\' \\"$SSH_ORIGINAL_COMMAND\\" \\"$K\\"",environment="K=k{E}"'
    write(server.authorized_keys, f"{options} {line}")
    result = run([client.ssh, "-F", settings(server, key), "h", f"x{E}"])
    assert result.stdout == b"\xe9 x\xe9 k\xe9", result.stderr
    other = serve(host, lines_of(tmp_path, f"ForceCommand printf '%s {E}' \"$SSH_ORIGINAL_COMMAND\"\n"))
    result = run([client.ssh, "-F", settings(other, key), "h", f"y{E}"])
    assert result.stdout == b"y\xe9 \xe9", result.stderr


@pairs
def test_paths_in_both_configurations(serve, key, tmp_path, home, latin, client, host):
    shutil.copy(f"{key}.pub", latin / f"keys{E}")
    write(latin / f"banner{E}", f"b{E}nner\n")
    own = write(latin / f"more{E}.conf", f"AuthorizedKeysFile {latin}/keys{E}\nBanner {latin}/banner{E}\n")
    server = serve(host, lines_of(tmp_path, f"Include {own.parent}/m*{E}.conf\n"))
    server.config.write_text(
        "".join(l for l in server.config.read_text().splitlines(True) if "AuthorizedKeysFile" not in l)
    )
    server.stop()
    server.start()
    for name in ("", ".pub"):
        shutil.copy(f"{key}{name}", latin / f"key{E}{name}")
    config = settings(server, 
        UserKnownHostsFile=f"{home}/none", ControlPath=f"{home}/none", IdentityFile=f"{home}/none"
    )
    shutil.copy(server.known_hosts(), latin / f"hosts{E}")
    text = config.read_text()
    for unwanted in ("UserKnownHostsFile", "ControlPath", "IdentityFile"):
        text = "".join(l for l in text.splitlines(True) if unwanted not in l)
    write(
        latin / f"in{E}",
        f"UserKnownHostsFile {latin}/hosts{E}\nIdentityFile {latin}/key{E}\nControlPath {latin}/s%n{E}\nControlMaster auto\n",
    )
    outer = write(latin / f"c{E}", f"Host h\nHostname 127.0.0.1\nInclude {latin}/i*{E}\n{text}")
    result = run([client.ssh, "-F", outer, "h", f"echo {E}"], env=clean())
    assert result.stdout == b"\xe9\n", result.stderr
    assert b"b\\351nner" in result.stderr
    # An identity on the command line, a log file and a proxy with such names.
    proxy = write(latin / f"proxy{E}", f"#!/bin/sh\nexec nc 127.0.0.1 {server.port}\n", 0o755)
    config = settings(server, ControlPath="none")
    result = run(
        [client.ssh, "-F", config, "-i", latin / f"key{E}", "-E", latin / f"log{E}", "-v"]
        + (["-o", f"ProxyCommand={proxy}"] if shutil.which("nc") else [])
        + ["h", "true"]
    )
    assert result.returncode == 0, (latin / f"log{E}").read_bytes()
    assert b"k\\351" in (latin / f"log{E}").read_bytes() or b"key\\351" in (latin / f"log{E}").read_bytes()


@pairs
def test_a_user_that_is_not_there(serve, key, client, host):
    server = serve(host)
    result = run([client.ssh, "-F", settings(server, key), "-l", f"us{E}r", "h", "true"])
    assert result.returncode == 255
    wait_until(lambda: "Invalid user us\\351r from" in server.log_text(), "the refusal in the log")


@pytest.mark.skipif(os.getuid() != 0, reason="chroot needs root")
@pytest.mark.parametrize("host", [OPENSSH, UNDER_TEST], ids=lambda suite: suite.name)
def test_a_changed_root_and_an_own_server_of_files(serve, key, tmp_path, host):
    top = pathlib.Path(f"/usr/local/hw{os.getpid()}{E}")
    top.mkdir(mode=0o755)
    (top / f"in{E}").mkdir()
    try:
        server = serve(
            host,
            "Subsystem sftp internal-sftp",
            lines_of(tmp_path, f"ChrootDirectory {top}\nForceCommand internal-sftp -d /in{E}\n"),
        )
        batch = write(tmp_path / "batch", f"put {key}.pub n{E}\nls -1\n")
        result = run([UNDER_TEST.sftp, "-F", settings(server, key), "-b", batch, "h"])
        assert result.returncode == 0, result.stderr
        assert (top / f"in{E}" / f"n{E}").exists()
    finally:
        shutil.rmtree(top)


@pairs
def test_a_socket_forwarded_to_a_socket(serve, key, home, latin, client, host):
    server = serve(host)
    echo = subprocess.Popen(
        ["python3", "-c", "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen()\n"
         "c,_=s.accept()\nc.sendall(c.recv(9)[::-1])", latin / f"t{E}"]
    )
    config = settings(server, key)
    link = subprocess.Popen(
        [client.ssh, "-F", config, "-N", "-L", f"{latin}/l{E}:{latin}/t{E}", "h"]
    )
    try:
        wait_until(lambda: (latin / f"l{E}").exists() and (latin / f"t{E}").exists(), "both sockets")
        import socket

        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(10)
            probe.connect(os.fsencode(latin / f"l{E}"))
            probe.sendall(b"abc")
            assert probe.recv(9) == b"cba"
    finally:
        for process in (link, echo):
            process.kill()
            process.wait()


# ---- what goes over ssh


@pairs
def test_git_clones_a_path(serve, key, tmp_path, client, host):
    git = dict(os.environ, GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null")
    for part in ("AUTHOR", "COMMITTER"):
        git |= {f"GIT_{part}_NAME": "n", f"GIT_{part}_EMAIL": "e"}
    source = tmp_path / f"caf{E}"
    for words in (["init", "-q", source], ["-C", source, "commit", "-q", "--allow-empty", "-m", "m"]):
        assert run(["git", *words], env=git).returncode == 0
    server = serve(host)
    git["GIT_SSH_COMMAND"] = f"{client.ssh} -F {settings(server, key)}"
    result = run(["git", "clone", "-q", f"h:{source}", tmp_path / f"copy{E}"], env=git)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / f"copy{E}" / ".git").is_dir()


@pytest.mark.skipif(not shutil.which("rsync"), reason="no rsync")
@pairs
def test_rsync_copies_names(serve, key, tmp_path, client, host):
    server = serve(host)
    source, target = tmp_path / f"from{E}", tmp_path / f"to{E}"
    source.mkdir()
    write(source / f"f{E}", "content")
    shell = f"{client.ssh} -F {settings(server, key)}"
    for words in ([f"{source}/", f"h:{target}"], [f"h:{target}/f{E}", f"{tmp_path}/back{E}"]):
        result = run(["rsync", "-r", "-e", shell, "--old-args", *words])
        assert result.returncode == 0, result.stderr
    assert (tmp_path / f"back{E}").read_bytes() == b"content"


@pytest.mark.parametrize("old", [False, True], ids=["sftp", "legacy"])
@pairs
def test_scp_copies_names(serve, key, tmp_path, client, host, old):
    server = serve(host, f"Subsystem sftp {'internal-sftp'}")
    config = settings(server, key)
    folder = tmp_path / f"d{E}"
    folder.mkdir()
    write(folder / f"f{E}", "content")
    flags = ["-O"] if old else []
    environment = dict(os.environ, PATH=f"{pathlib.Path(client.scp).parent}:{os.environ['PATH']}")
    for words in ([folder / f"f{E}", f"h:{folder}/g{E}"], ["-r", f"h:{folder}", tmp_path / f"c{E}"]):
        result = run([client.scp, "-q", *flags, "-S", client.ssh, "-F", config, *words], env=environment)
        assert result.returncode == 0, result.stderr
    assert (tmp_path / f"c{E}" / f"g{E}").read_bytes() == b"content"


# ---- keys


@pytest.mark.parametrize("tool", [OPENSSH, UNDER_TEST], ids=lambda suite: suite.name)
def test_names_and_comments_of_keys(tool, latin):
    key = latin / f"k{E}"
    assert run([tool.ssh_keygen, "-q", "-t", "ed25519", "-N", "", "-f", key, "-C", f"c{E}"]).returncode == 0
    public = pathlib.Path(f"{key}.pub")
    assert public.read_bytes().endswith(b" c\xe9\n")
    assert run([tool.ssh_keygen, "-yf", key]).stdout == public.read_bytes()
    assert b" c\\351 (" in run([tool.ssh_keygen, "-lf", key], env=clean()).stdout
    result = run([tool.ssh_keygen, "-cf", key, "-C", f"n{E}"])
    assert result.stdout == b"Old comment: c\xe9\nComment 'n\xe9' applied\n", result.stderr
    result = run([tool.ssh_keygen, "-s", key, "-I", f"i{E}", "-n", f"p{E},q", "-O", f"force-command=f{E}", public])
    assert b"-cert.pub: id \"i\\351\" serial 0 for p\\351,q valid forever" in result.stderr
    assert b"/k\\351-cert.pub" in result.stderr
    shown = run([tool.ssh_keygen, "-Lf", latin / f"k{E}-cert.pub"]).stdout
    for part in (b'Key ID: "i\xe9"', b"  p\xe9\n", b"force-command f\xe9\n"):
        assert part in shown
    result = run([tool.ssh_keygen, "-yf", f"{key}.none"])
    assert result.stderr.endswith(b"/k\\351.none: No such file or directory\r\n")


@pytest.mark.parametrize("tool", [OPENSSH, UNDER_TEST], ids=lambda suite: suite.name)
def test_signers_and_hosts(tool, latin):
    key = make_key(latin, f"k{E}")
    public = os.fsdecode(pathlib.Path(f"{key}.pub").read_bytes()).split()
    data = write(latin / f"f{E}", "data")
    signers = write(latin / f"s{E}", f'p{E} namespaces="n{E}" {public[0]} {public[1]}\n')
    assert run([tool.ssh_keygen, "-Y", "sign", "-f", key, "-n", f"n{E}", data]).returncode == 0
    signature = f"{data}.sig"
    result = run([tool.ssh_keygen, "-Y", "find-principals", "-s", signature, "-f", signers])
    assert result.stdout == b"p\xe9\n", result.stderr
    with data.open("rb") as file:
        result = run(
            [tool.ssh_keygen, "-Y", "verify", "-f", signers, "-I", f"p{E}", "-n", f"n{E}", "-s", signature],
            stdin=file,
        )
    assert result.returncode == 0, result.stderr
    hosts = write(latin / f"h{E}", f"h{E}st,[h{E}]:22 {public[0]} {public[1]} c{E}\n")
    before = hosts.read_bytes()
    result = run([tool.ssh_keygen, "-F", f"h{E}st", "-f", hosts])
    assert result.stdout == b"# Host h\xe9st found: line 1 \n" + before
    assert run([tool.ssh_keygen, "-H", "-f", hosts]).returncode == 0
    assert hosts.read_bytes().startswith(b"|1|") and hosts.read_bytes().endswith(b" c\xe9\n")
    assert run([OPENSSH.ssh_keygen, "-F", f"h{E}st", "-f", hosts]).returncode == 0
    assert run([tool.ssh_keygen, "-R", f"h{E}st", "-f", hosts]).returncode == 0


@pytest.mark.parametrize("agent", [OPENSSH, UNDER_TEST], ids=lambda suite: suite.name)
@pytest.mark.parametrize("tool", [OPENSSH, UNDER_TEST], ids=lambda suite: suite.name)
def test_an_agent_and_its_keys(tool, agent, latin):
    key = latin / f"k{E}"
    made = [OPENSSH.ssh_keygen, "-q", "-t", "ed25519", "-N", "", "-f", key, "-C", f"c{E}"]
    assert run(made).returncode == 0
    socket = latin / f"a{E}"
    process = subprocess.Popen([agent.ssh_agent, "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        wait_until(socket.exists, "the agent's socket")
        environment = clean(SSH_AUTH_SOCK=str(socket))
        result = run([tool.ssh_add, key], env=environment)
        assert result.returncode == 0, result.stderr
        assert b" c\xe9 (" in run([tool.ssh_add, "-l"], env=environment).stdout
        assert run([tool.ssh_add, "-L"], env=environment).stdout.endswith(b" c\xe9\n")
        assert run([tool.ssh_add, "-T", f"{key}.pub"], env=environment).returncode == 0
        assert run([tool.ssh_add, "-d", key], env=environment).returncode == 0
    finally:
        process.terminate()
        process.wait(10)
    result = run([agent.ssh_agent, "-a", latin / f"b{E}", "sh", "-c", f"printf '%s {E}' \"$SSH_AUTH_SOCK\""])
    assert result.stdout == os.fsencode(f"{latin}/b{E} {E}")


# ---- what the configurations say


@pytest.mark.parametrize(
    "line",
    [
        f"IdentityFile ~/{E}",
        f'SetEnv "A=x {E}" B=\udcff',
        f"SendEnv L{E}*",
        f"ProxyCommand nc {E} %p",
        f"UserKnownHostsFile /{E} /é",
        f"User {E}",
        f"ControlPath /tmp/{E}%n",
        f"LocalCommand {E}",
        f"Hostname {E}%h",
    ],
)
def test_the_listing_of_the_client(tmp_path, line):
    config = write(tmp_path / f"c{E}", f"Host h{E}*\n{line}\n")
    name = f"h{E}st"

    def listing(suite):
        result = run([suite.ssh, "-G", "-F", config, name])
        keyword = line.split()[0].lower().encode() + b" "
        return [l for l in result.stdout.splitlines() if l.startswith((keyword, b"host "))]

    assert b"\xe9" in b"".join(listing(UNDER_TEST))
    # 9.2 does not list the name that was asked for.
    assert [l for l in listing(UNDER_TEST) if not l.startswith(b"host ")] == [
        l for l in listing(OPENSSH) if not l.startswith(b"host ")
    ]


def test_a_pattern_takes_one_byte_for_a_question_mark(tmp_path):
    config = write(tmp_path / "c", f"Host h?\nPort 77\nMatch originalhost h\udcff\nPort 78\nHost h{E}{E}\nPort 79\n")
    for name, port in ((f"h{E}", 77), (f"h{E}{E}", 79), ("hé", 22), ("h\udcff", 77)):
        for suite in (OPENSSH, UNDER_TEST):
            result = run([suite.ssh, "-G", "-F", config, name])
            assert f"port {port}".encode() in result.stdout.splitlines(), (suite, name)
