# SPDX-License-Identifier: Apache-2.0
"""Other people's clients at our server, and our client at other people's servers."""
import asyncio
import os
import shutil
import socket
import subprocess
import threading

import asyncssh
import paramiko
import pytest
from conftest import OURS, UNDER_TEST, free_port, make_key, run, wait_until

MEGABYTES = os.urandom(10_000_000)


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


# Clients of ours.


@needs("dbclient")
def test_dropbears_client(serve, tmp_path):
    peer = serve(UNDER_TEST)
    key = tmp_path / "dropbear_key"
    made = run(["dropbearkey", "-t", "ed25519", "-f", key])
    line = next(l for l in made.stdout.decode().splitlines() if l.startswith("ssh-ed25519"))
    with peer.authorized_keys.open("a") as file:
        file.write(line + "\n")
    base = ["dbclient", "-y", "-y", "-T", "-i", key, "-p", peer.port, f"{peer.user}@127.0.0.1"]
    result = run([*base, "cat; exit 5"], input=MEGABYTES)
    assert result.returncode == 5, result.stderr
    assert result.stdout == MEGABYTES


@needs("plink")
def test_plink(serve, key, tmp_path, me):
    peer = serve(UNDER_TEST)
    private = tmp_path / "plink.ppk"
    converted = run(["puttygen", key, "-o", private, "-O", "private"])
    assert converted.returncode == 0, converted.stderr
    fingerprint = run([OURS.ssh_keygen, "-lf", str(peer.host_keys[0]) + ".pub"])
    hostkey = fingerprint.stdout.decode().split()[1]
    base = ["plink", "-batch", "-ssh", "-hostkey", hostkey, "-i", private, "-P", peer.port]
    result = run(
        [*base, f"{me}@127.0.0.1", "cat; exit 6"],
        input=MEGABYTES,
        env=dict(os.environ, HOME=str(tmp_path)),
    )
    assert result.returncode == 6, result.stderr
    assert result.stdout == MEGABYTES


def paramiko_client(peer, **login):
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect(
        "127.0.0.1", peer.port, peer.user, allow_agent=False, look_for_keys=False, timeout=20, **login
    )
    return client


def test_paramiko_by_key(serve, key):
    peer = serve(UNDER_TEST)
    client = paramiko_client(peer, pkey=paramiko.Ed25519Key.from_private_key_file(str(key)))
    with client:
        stdin, stdout, _ = client.exec_command("cat; exit 9")
        writer = threading.Thread(target=lambda: (stdin.write(MEGABYTES), stdin.channel.shutdown_write()))
        writer.start()
        assert stdout.read() == MEGABYTES
        writer.join()
        assert stdout.channel.recv_exit_status() == 9


def test_paramiko_by_password(serve, account):
    name, password = account
    peer = serve(UNDER_TEST, "PasswordAuthentication yes", user=name)
    with paramiko_client(peer, password=password) as client:
        _, stdout, _ = client.exec_command("id -un")
        assert stdout.read().decode().strip() == name


def test_paramiko_rekeys(serve, key):
    peer = serve(UNDER_TEST)
    client = paramiko_client(peer, pkey=paramiko.Ed25519Key.from_private_key_file(str(key)))
    with client:
        for _ in range(3):
            _, stdout, _ = client.exec_command("head -c 100000 /dev/zero")
            assert len(stdout.read()) == 100_000
            # paramiko answers a channel's end from the thread that exchanges keys: let it have done so.
            wait_until(lambda: stdout.channel.closed, "the channel to close")
            client.get_transport().global_request("keepalive@openssh.com", wait=True)
            client.get_transport().renegotiate_keys()


def test_paramiko_gets_a_terminal(serve, key):
    peer = serve(UNDER_TEST)
    client = paramiko_client(peer, pkey=paramiko.Ed25519Key.from_private_key_file(str(key)))
    with client:
        _, stdout, _ = client.exec_command("tty; stty size", get_pty=True)
        lines = stdout.read().decode().split()
        assert lines[0].startswith("/dev/pts/") and lines[1:] == ["24", "80"]


def test_asyncssh_by_key(serve, key):
    peer = serve(UNDER_TEST)

    async def session():
        async with asyncssh.connect(
            "127.0.0.1", peer.port, username=peer.user, client_keys=[str(key)], known_hosts=None,
            rekey_bytes="2M", agent_path=None, config=None,
        ) as connection:
            return await connection.run("cat; exit 4", input=MEGABYTES, encoding=None)

    result = asyncio.run(asyncio.wait_for(session(), 60))
    assert (result.exit_status, result.stdout) == (4, MEGABYTES)


def test_asyncssh_by_password(serve, account):
    name, password = account
    peer = serve(UNDER_TEST, "PasswordAuthentication yes", user=name)

    async def session():
        async with asyncssh.connect(
            "127.0.0.1", peer.port, username=name, password=password, known_hosts=None,
            client_keys=None, agent_path=None, config=None,
        ) as connection:
            return await connection.run("id -un")

    assert asyncio.run(asyncio.wait_for(session(), 30)).stdout.strip() == name


# Servers for ours.


def client_config(tmp_path, port, user, key, **changes):
    options = {
        "Port": port, "User": user, "IdentityFile": key, "IdentitiesOnly": "yes",
        "IdentityAgent": "none", "StrictHostKeyChecking": "accept-new", "BatchMode": "yes",
        "UserKnownHostsFile": tmp_path / "hosts", "GlobalKnownHostsFile": "/dev/null",
    } | changes
    path = tmp_path / "client_config"
    path.write_text("Host *\n" + "".join(f"    {k} {v}\n" for k, v in options.items()))
    return path


@needs("dropbear")
@pytest.mark.parametrize("rekey", ["default none", "1M"])
def test_dropbears_server(rekey, tmp_path, account, key):
    name, _ = account
    folder = f"/home/{name}/.ssh"
    subprocess.run(["install", "-d", "-m", "700", "-o", name, folder], check=True)
    subprocess.run(
        ["install", "-m", "600", "-o", name, f"{key}.pub", f"{folder}/authorized_keys"], check=True
    )
    host_key = tmp_path / "dropbear_host"
    run(["dropbearkey", "-t", "ed25519", "-f", host_key])
    port = free_port()
    server = subprocess.Popen(
        ["dropbear", "-F", "-E", "-r", host_key, "-p", f"127.0.0.1:{port}", "-P", tmp_path / "pid"],
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, "dropbear")
        config = client_config(tmp_path, port, name, key, RekeyLimit=rekey)
        result = run([UNDER_TEST.ssh, "-F", config, "127.0.0.1", "cat; exit 3"], input=MEGABYTES)
        assert result.returncode == 3, result.stderr
        assert result.stdout == MEGABYTES
    finally:
        server.terminate()
        server.wait()


class _AsyncServer(asyncssh.SSHServer):
    def begin_auth(self, username):
        return True

    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        return (username, password) == ("guest", "let me in")


def test_asyncsshs_server(tmp_path, key, askpass):
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    started = threading.Event()
    state = {}

    async def echo(process):
        data = await process.stdin.read()
        process.stdout.write(data)
        process.exit(8)

    async def serve():
        state["loop"] = asyncio.get_running_loop()
        state["done"] = asyncio.Event()
        server = await asyncssh.create_server(
            _AsyncServer, "127.0.0.1", 0, server_host_keys=[host_key],
            authorized_client_keys=str(key) + ".pub", process_factory=echo, encoding=None,
            rekey_bytes="2M",
        )
        state["port"] = server.get_port()
        started.set()
        await state["done"].wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert started.wait(10)
        config = client_config(tmp_path, state["port"], "guest", key)
        result = run([UNDER_TEST.ssh, "-F", config, "127.0.0.1", "x"], input=MEGABYTES)
        assert result.returncode == 8, result.stderr
        assert result.stdout == MEGABYTES
        environment, asked = askpass("let me in")
        config = client_config(
            tmp_path, state["port"], "guest", key, BatchMode="no", PreferredAuthentications="password"
        )
        result = run([UNDER_TEST.ssh, "-F", config, "127.0.0.1", "x"], input=b"hi", env=environment)
        assert (result.returncode, result.stdout) == (8, b"hi"), result.stderr
        assert len(asked()) == 1
    finally:
        state["loop"].call_soon_threadsafe(state["done"].set)
        thread.join()


class _ParamikoServer(paramiko.ServerInterface):
    def __init__(self, blob):
        self.blob = blob

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED

    def get_allowed_auths(self, username):
        return "publickey"

    def check_auth_publickey(self, username, key):
        same = key.asbytes() == self.blob
        return paramiko.AUTH_SUCCESSFUL if same else paramiko.AUTH_FAILED

    def check_channel_exec_request(self, channel, command):
        threading.Thread(target=self.echo, args=(channel,)).start()
        return True

    @staticmethod
    def echo(channel):
        while data := channel.recv(65536):
            channel.sendall(data)
        channel.send_exit_status(2)
        channel.close()


def test_paramikos_server(tmp_path, key):
    host_key = make_key(tmp_path, "paramiko_host")
    user_key = paramiko.Ed25519Key.from_private_key_file(str(key))
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        transport = paramiko.Transport(connection)
        transport.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(host_key)))
        transport.start_server(server=_ParamikoServer(user_key.asbytes()))
        channel = transport.accept(20)
        transport.join(60)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    config = client_config(tmp_path, listener.getsockname()[1], "guest", key)
    result = run([UNDER_TEST.ssh, "-F", config, "127.0.0.1", "x"], input=MEGABYTES, timeout=90)
    assert result.returncode == 2, result.stderr
    assert result.stdout == MEGABYTES
