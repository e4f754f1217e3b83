# SPDX-License-Identifier: Apache-2.0
"""GuessKeyExchange: the second login to a server begins with what the first one agreed on."""
import os
import re
import socket
import threading
import time

import paramiko
import pytest
from conftest import OPENSSH, OURS, OURS_ONLY, make_key, run

pytestmark = OURS_ONLY

GUESSED = "guessed key exchange: {} with {}"
RIGHT = GUESSED.format("curve25519-sha256", "ssh-ed25519")
KEX = "curve25519-sha256"
OTHER_FIRST = "KexAlgorithms ecdh-sha2-nistp256,curve25519-sha256"


def login(config, *options, code=0):
    result = run([OURS.ssh, "-v", "-F", config, *options, "127.0.0.1", "echo up"])
    log = result.stderr.decode()
    assert result.returncode == code, log
    assert code or result.stdout == b"up\n"
    return log


def memory(cache):
    return cache / "hawser" / "key-exchanges"


def restart(server, *extra):
    """The same port and keys, with other lines."""
    server.stop()
    names = {line.split()[0] for line in extra}
    kept = [each for each in server.config.read_text().splitlines() if each.split()[0] not in names]
    server.config.write_text("\n".join(kept + list(extra)) + "\n")
    server.start()


def connections(server):
    return len(re.findall(r"^Connection from ", server.log_text(), re.M))


@pytest.mark.parametrize("suite", [OURS, OPENSSH], ids=repr)
def test_the_second_login_guesses(suite, serve, key, cache):
    server = serve(suite, f"KexAlgorithms {KEX}")
    config = server.client_config(key, KexAlgorithms=KEX)
    assert "guessed" not in login(config)
    kept = memory(cache).read_text()
    assert kept.endswith(f" {KEX} ssh-ed25519\n") and "127.0.0.1" not in kept
    assert memory(cache).stat().st_mode & 0o777 == 0o600
    assert cache.stat().st_mode & 0o777 == 0o700
    before = memory(cache).stat().st_ino
    assert RIGHT in login(config)
    assert memory(cache).stat().st_ino == before, "written anew without need"
    other = server.folder / "known_alias"
    other.write_text(server.known_hosts().read_text().replace(f"[127.0.0.1]:{server.port}", "alias"))
    options = ["-oHostKeyAlias=alias", f"-oUserKnownHostsFile={other}"]
    assert "guessed" not in login(config, *options), "another name is another host"
    assert RIGHT in login(config, *options)
    assert len(memory(cache).read_text().splitlines()) == 3


def test_the_defaults_of_both_sides_fit(serve, key):
    config = serve(OURS).client_config(key)
    login(config)
    assert GUESSED.format("mlkem768x25519-sha256", "ssh-ed25519") in login(config)


def test_a_guess_saves_a_round_trip(serve, key, relay):
    """A round trip is a second here, so that a busy machine does not matter."""
    server = serve(OURS)
    path = relay(server.port)
    config = server.client_config(key, Port=path.port, HostKeyAlias=f"[127.0.0.1]:{server.port}")
    login(config)
    path("delay 500")
    begin = time.monotonic()
    assert "guessed" in login(config)
    assert time.monotonic() - begin < 3.9


def test_a_session_with_much_data_and_new_keys_behind_a_guess(serve, key):
    config = serve(OURS).client_config(key, RekeyLimit="256K")
    login(config)
    data = os.urandom(2_000_000)
    result = run([OURS.ssh, "-F", config, "127.0.0.1", "cat"], input=data)
    assert (result.returncode, result.stdout == data) == (0, True), result.stderr


@pytest.mark.parametrize("suite", [OURS, OPENSSH], ids=repr)
def test_a_server_skips_a_wrong_guess(suite, serve, key, cache):
    server = serve(suite, f"KexAlgorithms {KEX}")
    config = server.client_config(key, KexAlgorithms=KEX)
    login(config)
    restart(server, OTHER_FIRST)
    before = connections(server)
    log = login(config)
    assert RIGHT in log and "the guess was wrong: the server skips it" in log
    assert connections(server) - before <= 2, "it has connected once more (one is the test's)"
    assert "ssh-ed25519" not in memory(cache).read_text()
    assert "guessed" not in login(config)


class Paramiko(threading.Thread):
    """A server that takes a wrong guess for the real message, on a port and with a key of its own."""

    class Rules(paramiko.ServerInterface):
        def check_auth_publickey(self, username, key):
            return paramiko.AUTH_SUCCESSFUL

        def get_allowed_auths(self, username):
            return "publickey"

        def check_channel_request(self, kind, chanid):
            return paramiko.OPEN_SUCCEEDED

        def check_channel_exec_request(self, channel, command):
            def answer():
                channel.sendall(b"up\n")
                channel.send_exit_status(0)
                channel.close()

            threading.Timer(0.1, answer).start()
            return True

    def __init__(self, port, key):
        super().__init__(daemon=True)
        self.key = paramiko.Ed25519Key.from_private_key_file(key)
        self.listener = socket.create_server(("127.0.0.1", port))
        self.transports = []
        self.start()

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(peer)
            transport.add_server_key(self.key)
            transport.get_security_options().kex = ("ecdh-sha2-nistp256", "curve25519-sha256@libssh.org")
            # Answered beside the next one: it may take paramiko long to see that a client has gone.
            transport.start_server(event=threading.Event(), server=self.Rules())
            self.transports.append(transport)


def test_a_server_that_cannot_skip_is_asked_again(serve, key):
    server = serve(OURS, f"KexAlgorithms {KEX}")
    config = server.client_config(key, KexAlgorithms=f"{KEX},curve25519-sha256@libssh.org")
    login(config)
    server.stop()
    other = Paramiko(server.port, str(server.host_keys[0]))
    log = login(config)
    other.listener.close()
    assert RIGHT in log and "the server's key exchange methods have changed" in log
    assert len(other.transports) == 2, "one connection with the guess, one without"


def test_a_host_certificate_that_is_new_is_seen(serve, key, tmp_path, cache):
    """With the plain key's algorithm in front it would not be asked for."""
    server = serve(OURS)
    config = server.client_config(key)
    login(config)
    authority = make_key(tmp_path, "authority")
    public = f"{server.host_keys[0]}.pub"
    run([OPENSSH.ssh_keygen, "-q", "-s", authority, "-h", "-I", "host", "-n", "127.0.0.1", public])
    certificate = str(server.host_keys[0]) + "-cert.pub"
    restart(server, f"HostCertificate {certificate}")
    known = server.folder / "known_hosts"
    blob = (tmp_path / "authority.pub").read_text()
    options = [f"-oUserKnownHostsFile={known}2", "-oHostKeyAlias=127.0.0.1"]
    (server.folder / "known_hosts2").write_text(f"@cert-authority 127.0.0.1 {blob}")
    kept = memory(cache).read_text()
    assert kept.endswith("ssh-ed25519\n")
    log = login(config)
    assert "the server's host key algorithms have changed" in log
    assert "Server host certificate: ssh-ed25519-cert-v01@openssh.com" in log
    assert "Server host certificate" in login(config, *options)
    assert GUESSED.format("mlkem768x25519-sha256", "ssh-ed25519-cert-v01@openssh.com") in login(
        config, *options
    )


def test_it_can_be_switched_off(serve, key, cache):
    config = serve(OURS).client_config(key, GuessKeyExchange="no")
    login(config)
    assert not cache.exists()
    login(config, "-oGuessKeyExchange=yes")
    config = serve(OURS).client_config(key)
    assert memory(cache).exists()


def test_other_algorithms_of_ours_are_no_guess(serve, key, cache):
    config = serve(OURS).client_config(key)
    login(config)
    kept = memory(cache).read_text()
    assert "guessed" not in login(config, f"-oKexAlgorithms={KEX}")
    assert memory(cache).read_text() == kept


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\x00\xff", b"hawser-key-exchanges 1 \n\n  \n a b\n", b"x" * 300_000],
    ids=["empty", "bytes", "short", "long"],
)
def test_a_memory_that_is_none_is_made_anew(content, serve, key, cache):
    config = serve(OURS).client_config(key)
    memory(cache).parent.mkdir(parents=True)
    memory(cache).write_bytes(content)
    assert "guessed" not in login(config)
    assert "guessed" in login(config)


def test_what_others_may_write_is_not_read(serve, key, cache):
    config = serve(OURS).client_config(key)
    login(config)
    memory(cache).chmod(0o666)
    assert "guessed" not in login(config)
    assert memory(cache).stat().st_mode & 0o777 == 0o600
    assert "guessed" in login(config)


def test_a_cache_that_cannot_be_written_is_no_matter(serve, key, cache):
    cache.write_text("no folder")
    config = serve(OURS).client_config(key)
    result = run([OURS.ssh, "-F", config, "127.0.0.1", "echo up"])
    assert (result.returncode, result.stdout, result.stderr) == (0, b"up\n", b"")


def test_hosts_are_kept_up_to_a_bound(serve, key, cache):
    config = serve(OURS).client_config(key)
    login(config)
    first, line = memory(cache).read_text().splitlines()
    others = [f"{number:024d} {KEX} ssh-ed25519" for number in range(500)]
    memory(cache).write_text("\n".join([first] + others) + "\n")
    login(config)
    assert memory(cache).read_text().splitlines() == [first] + others[1:] + [line]


def test_jumps_and_commands_guess_too(serve, key, cache):
    first, last = serve(OURS), serve(OURS)
    config = first.folder / "jump"
    config.write_text(
        f"Host jump\n    HostName 127.0.0.1\n    Port {first.port}\n"
        f"    HostKeyAlias [127.0.0.1]:{first.port}\n"
        f"Host last\n    HostName 127.0.0.1\n    Port {last.port}\n    ProxyJump jump\n"
        f"    HostKeyAlias [127.0.0.1]:{last.port}\n"
        + last.client_config(key).read_text().replace(f"    Port {last.port}\n", "")
    )
    with last.known_hosts().open("a") as file:
        file.write(first.known_hosts().read_text())
    for times in range(2):
        result = run([OURS.ssh, "-v", "-F", config, "last", "echo up"])
        assert (result.returncode, result.stdout) == (0, b"up\n"), result.stderr
        assert result.stderr.count(b"guessed") == 2 * times
