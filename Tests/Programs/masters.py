# SPDX-License-Identifier: Apache-2.0
"""Masters and those who ride them: what the tests of multiplexing have in common."""
import re
import socket
import subprocess

import pytest
from conftest import OPENSSH, OURS, run, wait_until

# (master, passenger): who owns the connection, who rides it.
PAIRS = [(OURS, OURS), (OURS, OPENSSH), (OPENSSH, OURS)]
pairs = pytest.mark.parametrize("master,passenger", PAIRS, ids=lambda suite: suite.name)


class Line:
    """A server, a configuration with a control path, and masters that are ended afterwards."""

    def __init__(self, serve, key, home, **changes):
        self.server = serve(changes.pop("server", OPENSSH), *changes.pop("extra", ()))
        self.socket = home / "ctl"
        self.config = self.server.client_config(key, ControlPath=self.socket, **changes)

    def ssh(self, suite, *words, **options):
        return run([suite.ssh, "-F", self.config, *words], **options)

    def open_master(self, suite, *options):
        result = self.ssh(suite, "-M", "-Nnf", *options, "127.0.0.1")
        assert result.returncode == 0, result.stderr
        wait_until(self.socket.exists, "the control socket")

    def check(self, suite=OPENSSH):
        return self.ssh(suite, "-O", "check", "127.0.0.1")

    def master_pid(self, suite=OPENSSH):
        match = re.search(rb"Master running \(pid=(\d+)\)", self.check(suite).stderr)
        return int(match[1]) if match else None

    def logins(self):
        return self.server.log_text().count("Accepted publickey")

    def close(self):
        if self.socket.exists():
            self.ssh(OPENSSH, "-O", "exit", "127.0.0.1")
        # Those that ask a person first, and those whose path another master has taken.
        run(["pkill", "-f", f"ssh .*-F {re.escape(str(self.config))} "])


@pytest.fixture
def line(serve, key, home):
    lines = []

    def make(**changes):
        lines.append(Line(serve, key, home, **changes))
        return lines[-1]

    yield make
    for each in lines:
        each.close()


def greeting(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
            return peer.recv(8)
    except OSError:
        return b""


def at_once(it, count, command="true", *options):
    children = [
        subprocess.Popen(
            [OURS.ssh, "-F", it.config, *options, "127.0.0.1", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(count)
    ]
    return [(*child.communicate(timeout=60), child.returncode) for child in children]
