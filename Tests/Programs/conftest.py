# SPDX-License-Identifier: Apache-2.0
"""Real programs on loopback: what the tests in this folder stand on.

HAWSER_PREFIX names the installation under test (default: .build/install). Each server runs on a port
of its own with throwaway keys below pytest's temporary folder; nothing reads or writes ~/.ssh or
/etc/ssh. Tests that need a second account make one and remove it.
"""
import os
import pathlib
import pty
import pwd
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PREFIX = pathlib.Path(os.environ.get("HAWSER_PREFIX", ROOT / ".build/install"))
SECONDS = 30

# Who runs the tests in the background has these ignored, and so would every program that is tested.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


class Suite:
    """One installation of ssh programs."""

    def __init__(self, name, prefix):
        self.name = name
        self.prefix = pathlib.Path(prefix)

    def __repr__(self):
        return self.name

    def __getattr__(self, program):
        folder = "sbin" if program == "sshd" else "bin"
        return str(self.prefix / folder / program.replace("_", "-"))


OURS = Suite("ours", PREFIX)
OPENSSH = Suite("openssh", "/usr")
UNDER_TEST = OPENSSH if os.environ.get("HAWSER_UNDER_TEST") == "openssh" else OURS


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(command, timeout=SECONDS, **options):
    """Runs to the end and returns the result; the caller looks at its status."""
    options.setdefault("stdin", subprocess.DEVNULL if "input" not in options else None)
    if "input" in options:
        options.pop("stdin")
    return subprocess.run(
        [str(word) for word in command], timeout=timeout, capture_output=True, **options
    )


def wait_until(condition, what, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    pytest.fail(f"not within {seconds} s: {what}")


def make_key(folder, name="id", kind="ed25519", passphrase="", suite=OPENSSH, bits=None):
    path = pathlib.Path(folder) / name
    command = [suite.ssh_keygen, "-q", "-t", kind, "-N", passphrase, "-f", path, "-C", name]
    if bits:
        command += ["-b", str(bits)]
    result = run(command)
    assert result.returncode == 0, result.stderr
    return path


def mounted(suite, script, mounts):
    """`suite` with an sshd in a mount namespace of its own, where the shell has run `mounts`; `script` starts it."""
    script.write_text(f"#!/bin/sh\nexec unshare --mount sh -c '{mounts} && exec {suite.sshd} \"$@\"' sh \"$@\"\n")
    script.chmod(0o755)

    class Wrapped:
        prefix = suite.prefix
        sshd = str(script)

    return Wrapped


class Server:
    """An sshd of a suite on its own port."""

    def __init__(self, suite, folder, user, extra=(), host_key_kinds=("ed25519",), arguments=()):
        self.suite = suite
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.user = user
        self.port = free_port()
        self.log = self.folder / "sshd.log"
        self.authorized_keys = self.folder / "authorized_keys"
        self.authorized_keys.touch()
        self.config = self.folder / "sshd_config"
        self.host_keys = [make_key(self.folder, f"host_{kind}", kind) for kind in host_key_kinds]
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"PidFile {self.folder}/sshd.pid",
            f"AuthorizedKeysFile {self.authorized_keys}",
            "StrictModes no",
            "LogLevel VERBOSE",
            "UsePAM no",
            "PrintMotd no",
            "PrintLastLog no",
            # bash reads ~/.bashrc for a command of sshd only at the outermost level; what stands
            # there (a version manager's lock, say) is not what these tests are about.
            "SetEnv SHLVL=3",
        ]
        if suite is OURS:
            # Tests fail to log in on purpose; OpenSSH 9.2 knows no penalties.
            lines.append("PerSourcePenalties no")
        extra_names = {line.split()[0].lower() for line in extra}
        lines = [line for line in lines if line.split()[0].lower() not in extra_names]
        lines += [f"HostKey {key}" for key in self.host_keys]
        self.config.write_text("\n".join(list(lines) + list(extra)) + "\n")
        self.arguments = list(arguments)
        self.process = None

    def start(self):
        pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.process = subprocess.Popen(
            [self.suite.sshd, "-D", "-f", str(self.config), "-E", str(self.log)] + self.arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(self.answers, f"sshd on port {self.port}: {self.log_text()}")
        return self

    def answers(self):
        if self.process.poll() is not None:
            pytest.fail(f"sshd ended with {self.process.returncode}: {self.log_text()}")
        return self.is_open()

    def is_open(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                pytest.fail("sshd did not end on SIGTERM")
            # A process that it has just forked still has its socket for a moment.
            wait_until(lambda: not self.is_open(), "the end of the port")

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def allow(self, key):
        with self.authorized_keys.open("a") as file:
            file.write(pathlib.Path(str(key) + ".pub").read_text())

    def known_hosts(self, name="known_hosts"):
        path = self.folder / name
        lines = []
        for key in self.host_keys:
            kind, blob = pathlib.Path(str(key) + ".pub").read_text().split()[:2]
            lines.append(f"[127.0.0.1]:{self.port} {kind} {blob}\n")
        path.write_text("".join(lines))
        return path

    def client_options(self, key=None):
        options = {
            "Port": self.port,
            "User": self.user,
            "UserKnownHostsFile": self.known_hosts(),
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
        }
        if key:
            options["IdentityFile"] = key
        return options

    def client_config(self, key=None, name="ssh_config", **changes):
        path = self.folder / name
        options = self.client_options(key) | changes
        path.write_text("Host *\n" + "".join(f"    {k} {v}\n" for k, v in options.items()))
        return path


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Where programs keep what they can do without; each test begins without it."""
    path = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))
    return path


@pytest.fixture
def home(tmp_path):
    """A folder that stands for HOME, short enough for control sockets."""
    path = pathlib.Path("/tmp") / f"hw{secrets.token_hex(4)}"
    path.mkdir(mode=0o700)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def me():
    return pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def key(tmp_path):
    return make_key(tmp_path, "user_key")


@pytest.fixture
def serve(tmp_path, me, key):
    """Starts servers: serve(suite, extra lines...) returns one that accepts `key`."""
    servers = []

    def start(suite=UNDER_TEST, *extra, user=None, **options):
        server = Server(
            suite, tmp_path / f"server{len(servers)}", user or me, extra=extra, **options
        )
        server.allow(key)
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def account():
    """An account with a password, removed at the end: (name, password)."""
    if os.getuid() != 0:
        pytest.skip("making an account needs root")
    name = f"hwtest{secrets.token_hex(3)}"
    password = secrets.token_urlsafe(12)
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/bash", name], check=True)
    subprocess.run(["chpasswd"], input=f"{name}:{password}\n".encode(), check=True)
    yield name, password
    subprocess.run(["pkill", "-KILL", "-u", name])
    for _ in range(50):
        if subprocess.run(["userdel", "--remove", name], capture_output=True).returncode == 0:
            break
        time.sleep(0.1)


@pytest.fixture
def askpass(tmp_path):
    """A program for SSH_ASKPASS that answers with `answer` and notes each question."""

    def make(answer):
        notes = tmp_path / "asked"
        secret = tmp_path / "answer"
        secret.write_text(answer + "\n")
        script = tmp_path / "askpass"
        script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >> {notes}\ncat {secret}\n')
        script.chmod(0o755)
        environment = dict(os.environ, SSH_ASKPASS=str(script), SSH_ASKPASS_REQUIRE="force")
        return environment, lambda: notes.read_text().splitlines() if notes.exists() else []

    return make


class Relay:
    """A path to a port of this machine with delay, rate and faults (Tests/Relay)."""

    def __init__(self, port):
        folders = [ROOT / ".build" / kind for kind in ("release", "debug")]
        found = [folder / "relay" for folder in folders if (folder / "relay").exists()]
        if not found:
            pytest.skip("relay is not built: scripts/build")
        self.process = subprocess.Popen(
            [max(found, key=lambda path: path.stat().st_mtime), "127.0.0.1", str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.port = int(self.process.stdout.readline())

    def __call__(self, command):
        self.process.stdin.write(f"{command}\n".encode())
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer == b"ok\n", answer

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


@pytest.fixture
def relay():
    """relay(port): a Relay to it; call it with `delay 50`, `rate 1000000`, `freeze`, `cut`…"""
    relays = []

    def make(port):
        relays.append(Relay(port))
        return relays[-1]

    yield make
    for each in relays:
        each.close()


# Displays and network devices.


@pytest.fixture
def display(home):
    if not all(map(shutil.which, ["Xvfb", "xauth", "xdpyinfo"])):
        pytest.skip("needs Xvfb, xauth and xdpyinfo")
    # What an X server left that was killed could be in the way.
    free = [
        number for number in range(100, 1000)
        if not os.path.lexists(f"/tmp/.X{number}-lock")
        and not os.path.lexists(f"/tmp/.X11-unix/X{number}")
    ]
    number = secrets.choice(free)
    authority = home / "authority"
    authority.touch()
    environment = dict(os.environ, XAUTHORITY=str(authority), DISPLAY=f":{number}")
    cookie = secrets.token_hex(16)
    run(["xauth", "add", f":{number}", "MIT-MAGIC-COOKIE-1", cookie], env=environment)
    child = subprocess.Popen(
        ["Xvfb", f":{number}", "-auth", str(authority), "-nolisten", "tcp", "-noreset"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(pathlib.Path(f"/tmp/.X11-unix/X{number}").exists, "the X server")
    wait_until(
        lambda: run(["xdpyinfo"], env=environment).returncode == 0, "the X server's answer"
    )
    yield environment
    # It takes its files along.
    child.terminate()
    child.wait()


def makes_devices():
    """Root in a place where network devices may be made (`ip`)."""
    if os.getuid() != 0 or not shutil.which("ip"):
        return False
    name = f"hwprobe{secrets.token_hex(2)}"
    made = run(["ip", "tuntap", "add", "dev", name, "mode", "tun"]).returncode == 0
    run(["ip", "link", "del", name])
    return made


@pytest.fixture
def apart():
    """apart(here, there, space, address, peer): two devices of which the second is in a network of
    its own, so that packets cannot take another way."""
    if not makes_devices():
        pytest.skip("network devices are made by root, with ip")
    made = []

    def make(here, there, space, address, peer):
        made.append((here, space))
        for command in (
            f"ip netns add {space}",
            f"ip link set {there} netns {space}",
            f"ip -n {space} addr add {peer} dev {there}",
            f"ip -n {space} link set {there} up",
            f"ip addr add {address} dev {here}",
            f"ip link set {here} up",
        ):
            result = run(command.split())
            if result.returncode != 0:
                pytest.skip(f"{command}: {result.stderr.decode()}")

    yield make
    for here, space in made:
        run(["ip", "netns", "del", space])
        run(["ip", "link", "del", here])


class Stall(threading.Thread):
    """A way to a server on which only so many bytes of what the server says ever arrive."""

    def __init__(self, port, count):
        super().__init__(daemon=True)
        self.target, self.count = port, count
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.held = []
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            self.held += [client, server]
            for source, sink, left in ((client, server, 1 << 40), (server, client, self.count)):
                threading.Thread(target=self.move, args=(source, sink, left), daemon=True).start()

    def move(self, source, sink, left):
        try:
            while left and (data := source.recv(min(left, 65536))):
                sink.sendall(data)
                left -= len(data)
        except OSError:
            pass

    def close(self):
        self.listener.close()
        for each in self.held:
            each.close()


@pytest.fixture
def stalled(key):
    """stalled(server, bytes, **options): a configuration whose logins stand still there."""
    made = []

    def make(server, count, **options):
        made.append(Stall(server.port, count))
        return server.client_config(
            key, HostKeyAlias=f"[127.0.0.1]:{server.port}", Port=made[-1].port, **options
        )

    yield make
    for each in made:
        each.close()


# Files: two folders, servers that need no ssh, trees, and a person at a terminal.

OURS_ONLY = pytest.mark.skipif(UNDER_TEST is OPENSSH, reason="of ours")
SERVERS = {
    "ours": str(PREFIX / "libexec/sftp-server"),
    "openssh": "/usr/lib/openssh/sftp-server",
}
FAKE = f"{sys.executable} {pathlib.Path(__file__).parent / 'sftp_fake.py'}"


@pytest.fixture(params=SERVERS)
def server(request):
    return SERVERS[request.param]


@pytest.fixture
def there(tmp_path):
    folder = tmp_path / "there"
    folder.mkdir()
    return folder


@pytest.fixture
def here(tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


def tree(folder, files=300):
    """A tree with empty files, blocks' edges, links and odd names."""
    folder.mkdir()
    sizes = [0, 1, 4096, 32768, 32769, 261119, 261120, 261121, 700_000]
    for index in range(files):
        place = folder / f"d{index % 7}" / f"e{index % 3}"
        place.mkdir(parents=True, exist_ok=True)
        size = sizes[index % len(sizes)] if index < 60 else index
        (place / f"f{index}").write_bytes(os.urandom(size))
    odd = folder / "odd * [names] ? \\ \"quoted\" 'single'"
    odd.mkdir()
    (odd / "-dash").write_text("x")
    (odd / "new\nline").write_text("y")
    with open(os.path.join(os.fsencode(odd), b"not\xffutf8"), "wb") as file:
        file.write(b"z")
    (folder / "empty").mkdir()


def same(first, second):
    return subprocess.run(["diff", "-r", first, second], capture_output=True).stdout == b""


def on_terminal(command, steps, cwd):
    """Runs a command on a terminal; each step waits for a text and types another."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(cwd)
        os.environ["TERM"] = "vt100"
        os.execv(command[0], command)
    output = b""
    start = 0
    try:
        for expected, typed in steps:
            end = time.monotonic() + 15
            while expected not in output[start:]:
                assert time.monotonic() < end, output
                if select.select([terminal], [], [], 0.2)[0]:
                    try:
                        output += os.read(terminal, 65536)
                    except OSError:
                        break
            start = output.index(expected, start) + len(expected)
            # The editor shows its prompt before it takes the terminal over.
            time.sleep(0.2)
            os.write(terminal, typed)
        while True:
            try:
                data = os.read(terminal, 65536)
            except OSError:
                break
            if not data:
                break
            output += data
    finally:
        os.close(terminal)
        try:
            _, status = os.waitpid(child, os.WNOHANG)
            if status == 0 and _ == 0:
                time.sleep(0.5)
                _, status = os.waitpid(child, os.WNOHANG)
                if _ == 0:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
        except ChildProcessError:
            status = 0
    return output, status
