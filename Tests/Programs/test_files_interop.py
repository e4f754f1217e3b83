# SPDX-License-Identifier: Apache-2.0
"""Other people's file clients at our server, ours at theirs, and programs that run over our ssh."""
import asyncio
import os
import shutil
import threading

import asyncssh
import paramiko
import pytest
from conftest import OURS, SERVERS, free_port, make_key, run, same, tree

DATA = os.urandom(5_000_000)


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


@pytest.fixture(params=["internal-sftp", SERVERS["ours"]], ids=["internal", "program"])
def peer(serve, request):
    return serve(OURS, f"Subsystem sftp {request.param}")


@pytest.fixture
def here(here):
    (here / "file").write_bytes(DATA)
    return here


def test_paramiko(peer, key, here, there):
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect(
        "127.0.0.1",
        peer.port,
        peer.user,
        pkey=paramiko.Ed25519Key.from_private_key_file(str(key)),
        allow_agent=False,
        look_for_keys=False,
    )
    with client, client.open_sftp() as sftp:
        sftp.put(str(here / "file"), str(there / "file"))
        sftp.get(str(there / "file"), str(here / "back"))
        sftp.posix_rename(str(there / "file"), str(there / "renamed"))
        assert sftp.listdir(str(there)) == ["renamed"]
    assert (here / "back").read_bytes() == DATA


def test_asyncssh(peer, key, here, there):
    tree(here / "tree", files=60)
    # asyncssh takes names for UTF-8.
    for odd in (here / "tree").glob("odd*"):
        shutil.rmtree(odd)

    async def copy():
        async with asyncssh.connect(
            "127.0.0.1", peer.port, username=peer.user, client_keys=[str(key)], known_hosts=None,
            config=None,
        ) as connection:
            async with connection.start_sftp_client() as sftp:
                await sftp.put(str(here / "tree"), str(there / "copy"), recurse=True)
                await sftp.get(str(there / "copy"), str(here / "back"), recurse=True)
                usage = await sftp.statvfs(str(there))
                assert usage.blocks > 0
                await sftp.link(str(there / "copy/d0/e0/f0"), str(there / "hard"))
                await sftp.copy(str(there / "copy/d0/e0/f0"), str(there / "copied"))

    asyncio.run(asyncio.wait_for(copy(), 60))
    assert same(here / "tree", here / "back")
    assert (there / "hard").stat().st_nlink == 2


@needs("curl")
def test_curl(peer, key, here, there):
    if "sftp" not in run(["curl", "--version"]).stdout.decode():
        pytest.skip("this curl has no SFTP")
    address = f"sftp://{peer.user}@127.0.0.1:{peer.port}{there}/file"
    login = ["--insecure", "--key", key, "--pubkey", f"{key}.pub", "--silent", "--show-error"]
    result = run(["curl", *login, "-T", here / "file", address])
    assert result.returncode == 0, result.stderr
    result = run(["curl", *login, "-o", here / "back", address])
    assert result.returncode == 0, result.stderr
    assert (here / "back").read_bytes() == DATA


def putty_login(peer, key, folder):
    private = folder / "key.ppk"
    converted = run(["puttygen", key, "-o", private, "-O", "private"])
    assert converted.returncode == 0, converted.stderr
    line = run([OURS.ssh_keygen, "-lf", str(peer.host_keys[0]) + ".pub"]).stdout.decode()
    return ["-batch", "-hostkey", line.split()[1], "-i", private, "-P", str(peer.port)]


@needs("psftp")
def test_psftp(peer, key, here, there, tmp_path):
    script = tmp_path / "script"
    script.write_text(
        f"lcd {here}\ncd {there}\nput file copy\nget copy back\nmv copy moved\nls\nquit\n"
    )
    result = run(
        ["psftp", *putty_login(peer, key, tmp_path), "-b", script, f"{peer.user}@127.0.0.1"],
        env=dict(os.environ, HOME=str(tmp_path)),
    )
    assert result.returncode == 0, result.stderr
    assert (here / "back").read_bytes() == DATA
    assert (there / "moved").exists()


@needs("pscp")
@pytest.mark.parametrize("protocol", ["-sftp", "-scp"])
def test_pscp(peer, key, here, there, tmp_path, protocol):
    tree(here / "tree", files=30)
    for odd in (here / "tree").glob("odd*"):
        shutil.rmtree(odd)
    peer_path = f"{peer.user}@127.0.0.1:"
    options = [protocol, "-q", "-r", *putty_login(peer, key, tmp_path)]
    environment = dict(os.environ, HOME=str(tmp_path))
    result = run(
        ["pscp", *options, here / "tree", f"{peer_path}{there}/"], env=environment, timeout=60
    )
    assert result.returncode == 0, result.stderr
    result = run(
        ["pscp", *options, f"{peer_path}{there}/tree", here / "back"], env=environment, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert same(here / "tree", there / "tree")


@needs("lftp")
def test_lftp(peer, key, here, there):
    tree(here / "tree", files=60)
    for odd in (here / "tree").glob("odd*"):
        shutil.rmtree(odd)
    config = peer.client_config(key)
    result = run(
        [
            "lftp",
            "-c",
            f"set sftp:connect-program '{OURS.ssh} -a -x -F {config}'; set net:max-retries 1; "
            f"open -u {peer.user},x -p {peer.port} sftp://127.0.0.1; "
            f"mirror -R {here}/tree {there}/copy; mirror {there}/copy {here}/back",
        ],
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert same(here / "tree", there / "copy")
    assert same(here / "tree", here / "back")


@needs("rsync")
def test_rsync(peer, key, here, there):
    tree(here / "tree", files=60)
    config = peer.client_config(key)
    for source, target in [
        (f"{here}/tree/", f"127.0.0.1:{there}/copy/"),
        (f"127.0.0.1:{there}/copy/", f"{here}/back/"),
    ]:
        result = run(["rsync", "-a", "-e", f"{OURS.ssh} -F {config}", source, target], timeout=60)
        assert result.returncode == 0, result.stderr
    assert same(here / "tree", here / "back")


@needs("git")
def test_git(peer, key, here, there):
    config = peer.client_config(key)
    environment = dict(
        os.environ,
        GIT_SSH_COMMAND=f"{OURS.ssh} -F {config}",
        GIT_CONFIG_NOSYSTEM="1",
        GIT_CONFIG_GLOBAL="/dev/null",
    )
    author = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    assert run(["git", "init", "-q", "--bare", there / "bare.git"], env=environment).returncode == 0
    assert run(["git", "init", "-q", "-b", "main", here], env=environment).returncode == 0
    for words in [
        ["add", "file"],
        [*author, "commit", "-q", "-m", "one"],
        ["push", "-q", f"127.0.0.1:{there}/bare.git", "main"],
        ["clone", "-q", "-b", "main", f"127.0.0.1:{there}/bare.git", here / "clone"],
    ]:
        result = run(["git", *words], env=environment, cwd=here, timeout=60)
        assert result.returncode == 0, result.stderr
    assert (here / "clone" / "file").read_bytes() == DATA


@needs("sshfs")
@pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="there is no /dev/fuse")
def test_sshfs(peer, key, here, there):
    point = here / "point"
    point.mkdir()
    mounted = run(
        ["sshfs", "-F", peer.client_config(key), "-o", f"ssh_command={OURS.ssh}",
         f"127.0.0.1:{there}", point],
        timeout=20,
    )
    if b"fuse: mount failed" in mounted.stderr or b"Operation not permitted" in mounted.stderr:
        pytest.skip("nothing may be mounted here")
    assert mounted.returncode == 0, mounted.stderr
    try:
        shutil.copy(here / "file", point / "file")
        (point / "folder").mkdir()
        (point / "file").rename(point / "folder" / "moved")
        assert (point / "folder" / "moved").read_bytes() == DATA
        assert sorted(os.listdir(point)) == ["folder"]
    finally:
        run(["fusermount", "-u", point])
        run(["umount", "-l", point])
    assert (there / "folder" / "moved").read_bytes() == DATA


def test_our_clients_at_asyncssh(key, here, there, tmp_path):
    """Its SFTP server knows other extensions and limits than OpenSSH's."""
    host_key = make_key(tmp_path, "asyncssh_host")
    port = free_port()
    ready = threading.Event()
    loop = asyncio.new_event_loop()

    async def serve_forever():
        await asyncssh.create_server(
            asyncssh.SSHServer,
            "127.0.0.1",
            port,
            server_host_keys=[str(host_key)],
            authorized_client_keys=f"{key}.pub",
            sftp_factory=True,
            allow_scp=True,
        )
        ready.set()

    def serve():
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve_forever())
        loop.run_forever()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(10)
    config = tmp_path / "config"
    config.write_text(
        f"Host *\n Port {port}\n IdentityFile {key}\n IdentitiesOnly yes\n IdentityAgent none\n"
        f" StrictHostKeyChecking no\n UserKnownHostsFile /dev/null\n BatchMode yes\n"
    )
    try:
        tree(here / "tree", files=60)
        for words in [
            ["-r", "tree", f"127.0.0.1:{there}/copy"],
            ["-r", f"127.0.0.1:{there}/copy", "back"],
            ["-O", f"127.0.0.1:{there}/copy/d1/e1/f1", "old"],
            # The old protocol: answers before they are due, and a size with a zero before it.
            ["-O", "-r", f"127.0.0.1:{there}/copy/d2", "many"],
            ["-O", "-r", "-p", "tree/d2", f"127.0.0.1:{there}/many"],
            ["--atomic", "--verify", "file", f"127.0.0.1:{there}/file"],
        ]:
            result = run([OURS.scp, "-F", config, *words], cwd=here, timeout=60)
            assert result.returncode == 0, result.stderr
        assert same(here / "tree", here / "back")
        assert (here / "old").read_bytes() == (here / "tree/d1/e1/f1").read_bytes()
        assert (there / "file").read_bytes() == DATA
        assert same(here / "tree/d2", here / "many")
        assert same(here / "tree/d2", there / "many")
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
