# SPDX-License-Identifier: Apache-2.0
"""ssh-agent and ssh-add, each against OpenSSH's other half and against clients of other makers.

Runs against OpenSSH as well (HAWSER_UNDER_TEST=openssh), but for what came after its 9.2.
"""
import asyncio
import base64
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import time

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from conftest import OPENSSH, OURS, UNDER_TEST, make_key, run, wait_until

KINDS = ("ed25519", "ecdsa", "rsa")
PAIRS = [
    pytest.param(agent, add, id=f"{agent.name}-agent-{add.name}-add")
    for agent, add in [(UNDER_TEST, OPENSSH), (OPENSSH, UNDER_TEST), (UNDER_TEST, UNDER_TEST)]
]
newer_than_9_2 = pytest.mark.skipif(UNDER_TEST is OPENSSH, reason="came after 9.2")
ours_alone = pytest.mark.skipif(UNDER_TEST is OPENSSH, reason="OpenSSH 9.2 does it in another way")


class Agent:
    """An agent in the foreground, with a home directory of its own."""

    def __init__(self, suite, folder, *words, **environment):
        self.socket = str(folder / "agent.sock")
        self.home = folder / "home"
        (self.home / ".ssh").mkdir(parents=True, exist_ok=True)
        self.environment = {
            **os.environ,
            "HOME": str(self.home),
            "SSH_AUTH_SOCK": self.socket,
            **{name: str(value) for name, value in environment.items()},
        }
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_AGENT_PID", "SSH_SK_PROVIDER"):
            if name not in environment:
                self.environment.pop(name, None)
        self.process = subprocess.Popen(
            [suite.ssh_agent, "-D", "-a", self.socket, *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self.listens, "the agent's socket")

    def listens(self):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(self.socket) == 0

    def add(self, suite, *words, **options):
        environment = {**self.environment, **options.pop("environment", {})}
        return run([suite.ssh_add, *words], env=environment, start_new_session=True, **options)

    def count(self, suite=OPENSSH):
        result = self.add(suite, "-L")
        return len(result.stdout.splitlines()) if result.returncode == 0 else 0

    def raw(self, message, seconds=5):
        """One message's answer, None when the agent hangs up."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(seconds)
            client.connect(self.socket)
            client.sendall(struct.pack(">I", len(message)) + message)
            head = client.recv(4)
            if len(head) < 4:
                return None
            wanted = struct.unpack(">I", head)[0]
            answer = b""
            while len(answer) < wanted:
                answer += client.recv(wanted - len(answer))
            return answer

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)


@pytest.fixture
def start_agent(tmp_path):
    agents = []

    def start(suite=UNDER_TEST, *words, **environment):
        folder = tmp_path / f"agent{len(agents)}"
        folder.mkdir()
        agents.append(Agent(suite, folder, *words, **environment))
        return agents[-1]

    yield start
    for agent in agents:
        agent.stop()


def script(path, text):
    path.write_text("#!/bin/sh\n" + text + "\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("agent_suite, add_suite", PAIRS)
def test_add_list_sign_remove(start_agent, tmp_path, agent_suite, add_suite, kind):
    agent = start_agent(agent_suite)
    key = make_key(tmp_path, "id", kind)
    assert agent.add(add_suite, "-l").returncode == 1
    result = agent.add(add_suite, key)
    assert result.returncode == 0
    assert result.stderr.decode() == f"Identity added: {key} (id)\n"
    assert agent.add(add_suite, "-L").stdout == key.with_suffix(".pub").read_bytes()
    assert agent.add(add_suite, "-l").stdout == run([OPENSSH.ssh_keygen, "-lf", key]).stdout
    assert agent.add(add_suite, "-T", f"{key}.pub").returncode == 0
    result = agent.add(add_suite, "-d", key)
    assert result.returncode == 0
    shown = kind.upper()
    assert result.stderr.decode() == f"Identity removed: {key} {shown} (id)\n"
    assert agent.add(add_suite, "-T", f"{key}.pub").returncode == 1
    result = agent.add(add_suite, "-l")
    assert (result.returncode, result.stdout) == (1, b"The agent has no identities.\n")


@pytest.mark.parametrize("agent_suite, add_suite", PAIRS)
def test_certificates_beside_their_keys(start_agent, tmp_path, agent_suite, add_suite):
    agent = start_agent(agent_suite)
    key, authority = make_key(tmp_path, "id"), make_key(tmp_path, "ca")
    run([OPENSSH.ssh_keygen, "-qs", authority, "-I", "name", "-n", "me", f"{key}.pub"])
    result = agent.add(add_suite, key)
    assert result.stderr.decode().splitlines() == [
        f"Identity added: {key} (id)",
        f"Certificate added: {key}-cert.pub (name)",
    ]
    types = [line.split()[0] for line in agent.add(add_suite, "-L").stdout.decode().splitlines()]
    assert types == ["ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com"]
    assert agent.add(add_suite, "-qdk", key).returncode == 0
    assert agent.count() == 1
    assert agent.add(add_suite, "-D").stderr == b"All identities removed.\n"
    assert agent.add(add_suite, "-qk", key).returncode == 0
    assert agent.count() == 1


@newer_than_9_2
def test_only_certificates(start_agent, tmp_path):
    agent = start_agent()
    key, authority = make_key(tmp_path, "id"), make_key(tmp_path, "ca")
    run([OPENSSH.ssh_keygen, "-qs", authority, "-I", "name", "-n", "me", f"{key}.pub"])
    assert agent.add(OURS, "-qC", key).returncode == 0
    assert agent.add(OURS, "-L").stdout.startswith(b"ssh-ed25519-cert-v01@openssh.com")
    assert agent.count() == 1


@newer_than_9_2
@pytest.mark.parametrize("option, kept", [((), 1), (("-N",), 2)])
def test_expired_certificates_go_at_once(start_agent, tmp_path, option, kept):
    agent = start_agent()
    key, authority = make_key(tmp_path, "id"), make_key(tmp_path, "ca")
    command = [OPENSSH.ssh_keygen, "-qs", authority, "-I", "x", "-V", "19840101:19860101"]
    run([*command, f"{key}.pub"])
    agent.add(OURS, *option, key)
    time.sleep(1.5)
    assert agent.count() == kept


@pytest.mark.parametrize("agent_suite, add_suite", PAIRS)
def test_lifetime(start_agent, tmp_path, agent_suite, add_suite):
    agent = start_agent(agent_suite, "-t", "1h")
    key, other = make_key(tmp_path, "id"), make_key(tmp_path, "other")
    result = agent.add(add_suite, "-t", "1", key)
    assert result.stderr.decode().splitlines()[1] == "Lifetime set to 1 seconds"
    agent.add(add_suite, other)
    time.sleep(2.2)
    assert agent.count(add_suite) == 1


@pytest.mark.parametrize("agent_suite, add_suite", PAIRS)
def test_lock(start_agent, tmp_path, agent_suite, add_suite):
    agent = start_agent(agent_suite)
    agent.add(add_suite, make_key(tmp_path))
    words = {
        name: {"SSH_ASKPASS_REQUIRE": "force", "SSH_ASKPASS": script(tmp_path / name, f"echo {name}")}
        for name in ("right", "wrong")
    }
    result = agent.add(add_suite, "-x", environment=words["right"])
    assert (result.returncode, result.stderr) == (0, b"Agent locked.\n")
    assert agent.count(add_suite) == 0
    assert agent.add(add_suite, "-D").returncode == 1
    result = agent.add(add_suite, "-X", environment=words["wrong"])
    assert result.returncode == 1
    assert result.stderr == b"Failed to unlock agent: agent refused operation\n"
    result = agent.add(add_suite, "-X", environment=words["right"])
    assert (result.returncode, result.stderr) == (0, b"Agent unlocked.\n")
    assert agent.count(add_suite) == 1


@pytest.mark.parametrize("agent_suite", [UNDER_TEST, OPENSSH], ids=lambda suite: suite.name)
def test_guesses_over_many_connections_are_no_faster(start_agent, agent_suite):
    """The waits after wrong passphrases add up, whoever asks: 0.1 s, 0.2 s and so on."""
    agent = start_agent(agent_suite)

    def message(number, word):
        body = bytes([number]) + len(word).to_bytes(4, "big") + word
        return len(body).to_bytes(4, "big") + body

    def connect():
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(30)
        connection.connect(agent.socket)
        return connection

    owner = connect()
    owner.sendall(message(22, b"right"))
    assert owner.recv(5)[4] == 6
    # Who goes away without waiting has not guessed more for it.
    start = time.monotonic()
    guessers = [connect() for _ in range(6)]
    for guesser in guessers:
        guesser.sendall(message(23, b"wrong"))
    for guesser in guessers:
        assert guesser.recv(5)[4] == 5
    assert time.monotonic() - start > 0.1 * (1 + 2 + 3 + 4 + 5)
    owner.sendall(message(23, b"right"))
    assert owner.recv(5)[4] == 6


@pytest.mark.parametrize("answer, works", [("exit 0", 0), ("echo yes", 0), ("exit 1", 1), ("echo no", 1)])
@pytest.mark.parametrize("agent_suite, add_suite", PAIRS)
def test_confirmation(start_agent, tmp_path, agent_suite, add_suite, answer, works):
    asked = tmp_path / "asked"
    askpass = script(tmp_path / "ask", f'echo "$1" > {asked}; echo $SSH_ASKPASS_PROMPT >> {asked}; {answer}')
    agent = start_agent(agent_suite, SSH_ASKPASS=askpass, SSH_ASKPASS_REQUIRE="force")
    key = make_key(tmp_path, "id")
    assert agent.add(add_suite, "-c", key).returncode == 0
    assert agent.add(add_suite, "-T", f"{key}.pub").returncode == works
    digest = run([OPENSSH.ssh_keygen, "-lf", key]).stdout.decode().split()[1]
    assert asked.read_text() == f"Allow use of key id?\nKey fingerprint {digest}.\nconfirm\n"


@ours_alone
def test_a_question_does_not_stop_the_others(start_agent, tmp_path):
    askpass = script(tmp_path / "ask", "sleep 5")
    agent = start_agent(SSH_ASKPASS=askpass, SSH_ASKPASS_REQUIRE="force")
    key = make_key(tmp_path, "id")
    agent.add(OPENSSH, "-c", key)
    waiting = subprocess.Popen(
        [OPENSSH.ssh_add, "-T", f"{key}.pub"], env=agent.environment, stderr=subprocess.DEVNULL
    )
    try:
        begin = time.monotonic()
        assert agent.count() == 1
        assert time.monotonic() - begin < 2
        assert waiting.poll() is None
    finally:
        waiting.kill()
        waiting.wait()


@pytest.mark.parametrize("agent_suite", [UNDER_TEST, OPENSSH], ids=lambda suite: suite.name)
def test_every_question_is_asked(start_agent, tmp_path, agent_suite):
    """However many there are at once; those that are too many wait."""
    asks = script(tmp_path / "ask", "sleep 0.1")
    agent = start_agent(agent_suite, SSH_ASKPASS=asks, SSH_ASKPASS_REQUIRE="force")
    key = make_key(tmp_path)
    agent.add(OPENSSH, "-c", key)
    blob = base64.b64decode(key.with_suffix(".pub").read_text().split()[1])
    body = b"\x0d" + len(blob).to_bytes(4, "big") + blob + b"\0\0\0\1x" + bytes(4)
    # Behind the signature a list is asked for: it comes second.
    message = len(body).to_bytes(4, "big") + body + b"\0\0\0\1\x0b"
    clients = []
    for _ in range(40):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(60)
        client.connect(agent.socket)
        client.sendall(message)
        clients.append(client)
    for client in clients:
        with client, client.makefile("rb") as answers:
            for number in (14, 12):
                size = int.from_bytes(answers.read(4), "big")
                assert answers.read(size)[0] == number


@pytest.mark.parametrize("add_suite", [UNDER_TEST, OPENSSH])
def test_passphrases(start_agent, tmp_path, add_suite):
    agent = start_agent()
    first = make_key(tmp_path, "one", passphrase="same")
    second = make_key(tmp_path, "two", passphrase="same")
    log = tmp_path / "log"
    askpass = script(
        tmp_path / "ask", f'echo "$1" >> {log}; [ $(wc -l < {log}) = 2 ] && echo same || echo wrong'
    )
    environment = {"SSH_ASKPASS": askpass, "SSH_ASKPASS_REQUIRE": "force"}
    assert agent.add(add_suite, first, second, environment=environment).returncode == 0
    # The second key is opened by what has opened the first.
    assert log.read_text().splitlines() == [
        f"Enter passphrase for {first}: ",
        f"Bad passphrase, try again for {first}: ",
    ]
    assert agent.count() == 2
    # Without a terminal the passphrase may come on standard input.
    agent.add(add_suite, "-D")
    result = agent.add(add_suite, first, input=b"same\n")
    assert result.returncode == 0
    assert agent.count() == 1


@pytest.mark.parametrize("add_suite", [UNDER_TEST, OPENSSH])
def test_key_on_standard_input(start_agent, tmp_path, add_suite):
    agent = start_agent()
    key = make_key(tmp_path, "id")
    result = agent.add(add_suite, "-", input=key.read_bytes())
    assert (result.returncode, result.stderr) == (0, b"Identity added: (stdin) (id)\n")
    public = key.with_suffix(".pub").read_bytes()
    result = agent.add(add_suite, "-d", "-", input=b"# a comment\n\n" + public)
    assert (result.returncode, result.stderr) == (0, b"Identity removed: (stdin) ED25519 (id)\n")


@pytest.mark.parametrize("add_suite", [UNDER_TEST, OPENSSH])
def test_files_that_others_may_read(start_agent, tmp_path, add_suite):
    agent = start_agent()
    key = make_key(tmp_path, "id")
    key.chmod(0o640)
    result = agent.add(add_suite, key)
    assert result.returncode == 1
    assert b"UNPROTECTED PRIVATE KEY FILE" in result.stderr
    assert f"Permissions 0640 for '{key}' are too open.".encode() in result.stderr
    assert agent.count() == 0


@pytest.mark.parametrize("add_suite", [UNDER_TEST, OPENSSH])
def test_exit_statuses(start_agent, tmp_path, add_suite):
    agent = start_agent()
    assert agent.add(add_suite, "-l").returncode == 1
    assert agent.add(add_suite, tmp_path / "none").returncode == 1
    gone = {"SSH_AUTH_SOCK": str(tmp_path / "none")}
    result = agent.add(add_suite, "-l", environment=gone)
    assert result.returncode == 2
    assert result.stderr == b"Error connecting to agent: No such file or directory\n"
    environment = {k: v for k, v in agent.environment.items() if k != "SSH_AUTH_SOCK"}
    result = run([add_suite.ssh_add, "-l"], env=environment)
    assert result.returncode == 2
    assert result.stderr == b"Could not open a connection to your authentication agent.\n"


@newer_than_9_2
def test_extensions_are_listed(start_agent):
    result = start_agent().add(OURS, "-Q")
    assert result.returncode == 0
    assert b"session-bind@openssh.com\n" in result.stdout


@newer_than_9_2
def test_a_signal_removes_all_keys(start_agent, tmp_path):
    agent = start_agent()
    agent.add(OPENSSH, make_key(tmp_path))
    assert agent.count() == 1
    agent.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: agent.count() == 0, "no keys")
    assert agent.process.poll() is None


def test_the_socket_goes_with_the_agent(start_agent):
    agent = start_agent()
    mode = os.stat(agent.socket).st_mode & 0o777
    assert mode == 0o600
    agent.stop()
    assert agent.process.returncode == 2
    assert not os.path.exists(agent.socket)


# Starting and announcing


def started(tmp_path, *words, shell="/bin/sh", **environment):
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True, exist_ok=True)
    all_of_it = {**os.environ, "HOME": str(home), "SHELL": shell, "TMPDIR": str(tmp_path), **environment}
    for name in ("SSH_AUTH_SOCK", "SSH_AGENT_PID"):
        if name not in environment:
            all_of_it.pop(name, None)
    return run([UNDER_TEST.ssh_agent, *words], env=all_of_it)


@pytest.mark.parametrize(
    "words, shell, pattern",
    [
        ((), "/bin/sh", r"SSH_AUTH_SOCK=(\S+); export SSH_AUTH_SOCK;\nSSH_AGENT_PID=(\d+); export SSH_AGENT_PID;\necho Agent pid \2;\n"),
        (("-s",), "/bin/csh", r"SSH_AUTH_SOCK=(\S+); export SSH_AUTH_SOCK;\nSSH_AGENT_PID=(\d+); export SSH_AGENT_PID;\necho Agent pid \2;\n"),
        ((), "/bin/tcsh", r"setenv SSH_AUTH_SOCK (\S+);\nsetenv SSH_AGENT_PID (\d+);\necho Agent pid \2;\n"),
        (("-c",), "/bin/sh", r"setenv SSH_AUTH_SOCK (\S+);\nsetenv SSH_AGENT_PID (\d+);\necho Agent pid \2;\n"),
    ],
)
def test_announcement_and_kill(tmp_path, words, shell, pattern):
    result = started(tmp_path, *words, shell=shell)
    found = re.fullmatch(pattern, result.stdout.decode())
    assert found, result.stdout
    path, pid = found.groups()
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700
    result = started(tmp_path, "-k", *words, shell=shell, SSH_AGENT_PID=pid)
    assert result.returncode == 0
    unset = "unset" if "export" in pattern else "unsetenv"
    assert result.stdout.decode() == (
        f"{unset} SSH_AUTH_SOCK;\n{unset} SSH_AGENT_PID;\necho Agent pid {pid} killed;\n"
    )
    wait_until(lambda: not os.path.exists(path), "the socket is gone")


@newer_than_9_2
def test_where_the_socket_is(home):
    for words, place in [((), "home/.ssh/agent/s."), (("-T",), "ssh-")]:
        result = started(home, *words, "sh", "-c", "echo $SSH_AUTH_SOCK")
        path = result.stdout.decode().strip()
        assert path.startswith(f"{home}/{place}")
        wait_until(lambda: not os.path.exists(path), "the socket is gone")


@newer_than_9_2
def test_stale_sockets_are_cleaned_up(home):
    result = started(home, "-D", "-Z")
    assert result.returncode == 1
    folder = home / "home/.ssh/agent"
    result = started(home, "sh", "-c", "echo $SSH_AUTH_SOCK; kill -9 $SSH_AGENT_PID")
    stale = pathlib.Path(result.stdout.decode().strip())
    assert stale.exists()
    other = folder / "s.otherhost.agent.xyz"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(other))
    # An agent that lives stays.
    assert started(home, "-U", "true").returncode == 0
    assert stale.exists()

    # The killed one may take a moment to be gone.
    def is_removed():
        assert started(home, "-u").returncode == 0
        return not stale.exists()

    wait_until(is_removed, "the stale socket is gone")
    assert other.exists()
    assert started(home, "-uu").returncode == 0
    assert not other.exists()


def test_a_command_and_its_status(tmp_path):
    result = started(tmp_path, "sh", "-c", "echo $SSH_AGENT_PID; exit 7")
    assert result.returncode == 7
    pid = int(result.stdout)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the agent ends", seconds=15)


@pytest.mark.parametrize(
    "words, status, message",
    [
        (("-t", "x"), 1, b"Invalid lifetime\n"),
        (("-E", "foo"), 255, b'Invalid hash algorithm "foo"\r\n'),
        (("-O", "foo"), 255, b"Unknown -O option\r\n"),
        (("-k",), 1, b"SSH_AGENT_PID not set, cannot kill agent\n"),
        (("-a", "/nonexistent/x"), 1, b"unix_listener: cannot bind to path /nonexistent/x: No such file or directory\r\n"),
        (("/nonexistent",), 1, b"/nonexistent: No such file or directory\n"),
    ],
)
def test_wrong_words(tmp_path, words, status, message):
    result = started(tmp_path, *words)
    assert result.returncode == status
    assert result.stderr.startswith(message)


@newer_than_9_2
def test_socket_activation(tmp_path):
    path = str(tmp_path / "handed")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def hand_over():
            os.dup2(listener.fileno(), 3, inheritable=True)
            os.environ["LISTEN_PID"] = str(os.getpid())
            os.environ["LISTEN_FDS"] = "1"

        # env(1) with the process number that only the child knows.
        command = f'LISTEN_FDS=1 LISTEN_PID=$$ exec {UNDER_TEST.ssh_agent} -D'
        agent = subprocess.Popen(
            ["sh", "-c", command], preexec_fn=hand_over, close_fds=False, stdin=subprocess.DEVNULL
        )
    try:
        result = run([OPENSSH.ssh_add, "-l"], env={**os.environ, "SSH_AUTH_SOCK": path})
        assert result.stdout == b"The agent has no identities.\n"
    finally:
        agent.terminate()
        agent.wait(10)


@ours_alone
def test_nobody_else_may_look_into_it(start_agent):
    agent = start_agent()
    for name in ("mem", "environ", "maps"):
        assert os.stat(f"/proc/{agent.process.pid}/{name}").st_uid == 0
    with open(f"/proc/{agent.process.pid}/limits") as limits:
        core = next(line for line in limits if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]


# Clients of other makers


def test_paramiko(start_agent, tmp_path, monkeypatch):
    agent = start_agent()
    keys = [make_key(tmp_path, kind, kind) for kind in KINDS]
    agent.add(UNDER_TEST, *keys)
    monkeypatch.setenv("SSH_AUTH_SOCK", agent.socket)
    client = paramiko.Agent()
    try:
        found = client.get_keys()
        assert [key.comment for key in found] == list(KINDS)
        for held, path in zip(found, keys):
            for algorithm in ["rsa-sha2-256", "rsa-sha2-512"] if "rsa" in path.name else [None]:
                blob = held.sign_ssh_data(b"data", algorithm)
                public = paramiko.PKey.from_type_string(held.get_name(), held.asbytes())
                assert public.verify_ssh_sig(b"data", paramiko.Message(blob))
    finally:
        client.close()


def test_asyncssh(start_agent, tmp_path):
    import asyncssh

    agent = start_agent()
    keys = [asyncssh.read_private_key(str(make_key(tmp_path, kind, kind))) for kind in KINDS]

    async def talk():
        async with asyncssh.connect_agent(agent.socket) as client:
            await client.add_keys(keys, lifetime=100)
            found = await client.get_keys()
            assert len(found) == len(keys)
            for pair, key in zip(found, keys):
                signature = await client.sign(pair.public_data, b"data", 0)
                if key.algorithm != b"ssh-rsa":
                    public = key.convert_to_public()
                    assert public.verify(b"data", signature)
            await client.lock("word")
            assert list(await client.get_keys()) == []
            await client.unlock("word")
            await client.remove_keys([found[0]])
            assert len(await client.get_keys()) == len(keys) - 1
            await client.remove_all()
            assert list(await client.get_keys()) == []

    asyncio.run(talk())


# Bad input


@pytest.mark.parametrize(
    "message",
    [b"\x99", b"\x0d\0\0", b"\x11\0\0\0\x07ssh-foo", b"\x12\0\0\0\x04junk", b"\x1b", b"\x1b\0\0\0\x03foo",
     b"\x1b\0\0\0\x18session-bind@openssh.com\xff\xff\xff\xff", b"\x19\0\0\0\x0bssh-ed25519", b"\x14\0\0\0\xff"],
)
def test_nonsense_is_refused(start_agent, message):
    agent = start_agent()
    assert agent.raw(message) == b"\x05"
    assert agent.raw(b"\x0b") == b"\x0c\0\0\0\0"


def test_odd_requests_are_answered_as_by_openssh(start_agent, tmp_path):
    """Both flags of RSA, unknown flags, bytes behind the last field, and a lifetime of nothing."""
    def string(content):
        return struct.pack(">I", len(content)) + content

    pairs = {kind: make_key(tmp_path, kind, kind) for kind in ("rsa", "ed25519")}
    blobs = {kind: base64.b64decode(path.with_name(path.name + ".pub").read_text().split()[1])
             for kind, path in pairs.items()}
    secret = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
    public = secret.public_key().public_bytes_raw()
    blob = string(b"ssh-ed25519") + string(public)
    fields = string(b"ssh-ed25519") + string(public) + string(b"s" * 32 + public) + string(b"comment")

    def sign(blob, flags, behind=b""):
        return b"\x0d" + string(blob) + string(b"data") + struct.pack(">I", flags) + behind

    messages = [sign(blobs["rsa"], flags) for flags in (0, 1, 2, 4, 6, 8, 0xFFFFFFFF)]
    messages += [sign(blobs[kind], 0, b"behind") for kind in pairs]
    messages += [b"\x0bx", b"\x19" + fields + b"\x01\0\0\0\0", sign(blob, 0), b"\x0b",
                 b"\x19" + fields + b"\x01\0\0\0\x09", sign(blob, 0), b"\x12" + string(blob) + b"x", b"\x0b",
                 b"\x12" + string(blob), b"\x13x", b"\x0b"]
    answers = []
    for suite in (UNDER_TEST, OPENSSH):
        agent = start_agent(suite)
        for path in pairs.values():
            assert agent.add(OPENSSH, path).returncode == 0
        answers.append([agent.raw(message) for message in messages])
    assert answers[0] == answers[1]


@ours_alone
def test_too_long_a_message_ends_its_connection(start_agent):
    agent = start_agent()
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(agent.socket)
        client.sendall(b"\xff\xff\xff\xff")
        assert client.recv(4) == b""
    assert agent.raw(b"\x0b") == b"\x0c\0\0\0\0"


def test_many_clients(start_agent):
    agent = start_agent()
    clients = []
    try:
        for _ in range(200):
            client = socket.socket(socket.AF_UNIX)
            client.connect(agent.socket)
            client.settimeout(10)
            clients.append(client)
        for client in clients:
            client.sendall(b"\0\0\0\x01\x0b")
        for client in clients:
            assert client.recv(64) == b"\0\0\0\x05\x0c\0\0\0\0"
    finally:
        for client in clients:
            client.close()


# Logging in


@pytest.mark.parametrize("client", [UNDER_TEST, OPENSSH])
@pytest.mark.parametrize("kind", KINDS)
def test_login_with_a_key_of_the_agent(start_agent, serve, tmp_path, client, kind):
    server = serve(OPENSSH)
    agent = start_agent()
    key = make_key(tmp_path, "id", kind)
    server.authorized_keys.write_text(key.with_suffix(".pub").read_text())
    agent.add(UNDER_TEST, key)
    key.unlink()
    options = ["-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={tmp_path}/known"]
    result = run(
        [client.ssh, "-F", "none", *options, "-o", "BatchMode=yes", "-p", server.port, "127.0.0.1", "echo in"],
        env=agent.environment,
    )
    assert result.stdout == b"in\n", result.stderr


@pytest.mark.parametrize("agent_suite, add_suite", PAIRS)
def test_destination_constraints_in_a_login(start_agent, serve, tmp_path, agent_suite, add_suite):
    server = serve(OPENSSH)
    agent = start_agent(agent_suite)
    key = make_key(tmp_path, "id")
    server.authorized_keys.write_text(key.with_suffix(".pub").read_text())
    known = tmp_path / "known"
    host = server.host_keys[0].with_suffix(".pub").read_text()
    known.write_text(f"here {host}there {key.with_suffix('.pub').read_text()}")
    command = [
        OPENSSH.ssh, "-F", "none", "-o", f"UserKnownHostsFile={known}", "-o", "HostKeyAlias=here",
        "-o", "BatchMode=yes", "-o", "IdentityFile=none", "-p", server.port, "127.0.0.1", "echo in",
    ]
    for destination, works in [("here", True), ("there", False), ("nobody@here", False), ("*@here", True)]:
        assert agent.add(add_suite, "-h", destination, "-H", known, key).returncode == 0
        result = run(command, env=agent.environment)
        assert (result.stdout == b"in\n") == works, (destination, result.stderr)
    # Nothing else gets a signature.
    assert agent.add(add_suite, "-T", f"{key}.pub").returncode == 1


@ours_alone
def test_messages_of_any_length(start_agent, tmp_path):
    """Each request cut short at every length, and with junk behind: an answer or a hang-up, and the
    agent goes on."""
    import random

    agent = start_agent()
    key = make_key(tmp_path)
    agent.add(UNDER_TEST, key)
    agent.add(UNDER_TEST, "-t", "100", "-c", make_key(tmp_path, "other", "ecdsa"))
    blob = agent.raw(b"\x0b")[9:]
    chance = random.Random(3)
    messages = [bytes([number]) + blob for number in range(0, 40)]
    for message in messages:
        for length in {1, 2, 5, 9, len(message) // 2, len(message) - 1, chance.randrange(1, len(message))}:
            agent.raw(message[:length])
        agent.raw(message + chance.randbytes(chance.randrange(1, 4000)))
    for _ in range(200):
        agent.raw(chance.randbytes(chance.randrange(0, 300)))
    assert agent.process.poll() is None
    assert agent.listens()


@ours_alone
def test_its_memory_stays_in_memory(start_agent):
    agent = start_agent()
    status = open(f"/proc/{agent.process.pid}/status").read()
    assert int(re.search(r"VmLck:\s+(\d+) kB", status)[1]) > 0
    limits = open(f"/proc/{agent.process.pid}/limits").read()
    assert re.search(r"Max core file size +0 +0 ", limits)
    # Not dumpable: what /proc shows of it belongs to root whoever runs it.
    assert os.stat(f"/proc/{agent.process.pid}/environ").st_uid == 0
