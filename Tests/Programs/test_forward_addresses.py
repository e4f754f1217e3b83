# SPDX-License-Identifier: Apache-2.0
"""Where forwarded ports listen, and which forwards a server allows: the same as OpenSSH, at once and
over a master."""
import pathlib
import re
import socket
import subprocess
import time

import pytest
from conftest import OPENSSH, OURS, free_port, run, wait_until
from masters import greeting, line  # noqa: F401

BOTH = (OPENSSH, OURS)


def listening(port):
    """The addresses where someone listens on a port, sorted."""
    found = set()
    for name, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for entry in pathlib.Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            _, local, _, state, *_ = entry.split()
            address, number = local.split(":")
            if state == "0A" and int(number, 16) == port:
                words = [bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8)]
                found.add(socket.inet_ntop(family, b"".join(words)))
    return sorted(found)


PLACES = {
    "none": "{port}",
    "empty": ":{port}",
    "star": "*:{port}",
    "localhost": "localhost:{port}",
    "loopback": "127.0.0.1:{port}",
    "another loopback": "127.0.0.2:{port}",
    "loopback of IPv6": "[::1]:{port}",
    "any": "0.0.0.0:{port}",
    "any of IPv6": "[::]:{port}",
}


def forward(place, port):
    return f"{place.format(port=port)}:127.0.0.1:9"


def seen(it, master, client, words, port):
    """Where a forward that is asked for listens, the status and what was said of it."""
    port = port or free_port()
    if master is None:
        child = subprocess.Popen(
            [client.ssh, "-F", it.config, "-N", "-oExitOnForwardFailure=yes", *words(port),
             "127.0.0.1"],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        wait_until(lambda: child.poll() is not None or listening(port), "the forward")
        # IPv6 may come a moment later.
        time.sleep(0.1)
        found, status = listening(port), child.poll()
        child.kill()
        text = child.communicate()[1]
        wait_until(lambda: not listening(port), "the port to be free")
        return found, status or 0, re.sub(rb"\d{4,}", b"N", text)
    it.open_master(master)
    result = it.ssh(client, "-O", "forward", *words(port), "127.0.0.1")
    found = listening(port)
    it.ssh(client, "-O", "exit", "127.0.0.1")
    wait_until(lambda: not it.socket.exists(), "the end of the master")
    wait_until(lambda: not listening(port), "the port to be free")
    return found, result.returncode, re.sub(rb"\d{4,}", b"N", result.stderr)


@pytest.mark.parametrize("gateway", [[], ["-g"]], ids=["", "gateway"])
@pytest.mark.parametrize("kind", ["L", "D"])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_local_ports(place, kind, gateway, line):
    def words(port):
        text = place.format(port=port) if kind == "D" else forward(place, port)
        return [*gateway, f"-{kind}", text]

    it = line()
    expected = seen(it, None, OPENSSH, words, None)
    assert expected[0]
    assert seen(it, None, OURS, words, None) == expected
    # A master's own GatewayPorts counts where no address is given.
    expected = seen(it, OPENSSH, OPENSSH, words, None)[:2]
    for master, client in ((OPENSSH, OURS), (OURS, OPENSSH)):
        assert seen(it, master, client, words, None)[:2] == expected, (master, client)


@pytest.mark.parametrize("gateway", ["no", "yes", "clientspecified"])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_remote_ports(place, gateway, serve, key, home, line):
    def words(port):
        return ["-R", forward(place, port)]

    results = {}
    for server in BOTH:
        it = line(server=server, extra=[f"GatewayPorts {gateway}"])
        for master, client in ((None, OPENSSH), (None, OURS), (OURS, OPENSSH), (OPENSSH, OURS)):
            results[server, master, client] = seen(it, master, client, words, None)[:2]
    expected = results[OPENSSH, None, OPENSSH]
    assert expected[0]
    assert results == dict.fromkeys(results, expected)


RULES = [
    [],
    ["AllowTcpForwarding no"],
    ["AllowTcpForwarding local"],
    ["AllowTcpForwarding remote"],
    ["AllowStreamLocalForwarding no"],
    ["AllowStreamLocalForwarding local"],
    ["AllowStreamLocalForwarding remote"],
    ["DisableForwarding yes"],
    ["PermitOpen none"],
    ["PermitOpen 127.0.0.1:*"],
    ["PermitOpen localhost:1 127.0.0.1:2"],
    ["PermitListen none"],
    ["PermitListen 127.0.0.1:1"],
    ["PermitListen localhost:*"],
    ["PermitListen 127.0.0.2:*", "GatewayPorts clientspecified"],
]


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: ", ".join(rules) or "default")
def test_what_a_server_allows(rules, line, home):
    """Both ways, ports and sockets: our server says yes and no as OpenSSH's does."""

    def answers(server):
        it = line(server=server, extra=rules)
        it.open_master(OURS)
        target = f"127.0.0.1:{it.server.port}"
        found = {}
        port = free_port()
        it.ssh(OURS, "-O", "forward", f"-L{port}:{target}", "127.0.0.1")
        found["local"] = greeting(port)[:4]
        path = home / "service"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as service:
            service.bind(str(path))
            service.listen()
            result = it.ssh(OURS, "-W", target, "127.0.0.1", input=b"\n")
            found["standard"] = result.stdout[:4]
            port = free_port()
            it.ssh(OURS, "-O", "forward", f"-L{port}:{path}", "127.0.0.1")
            with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
                service.settimeout(0.7)
                try:
                    far, _ = service.accept()
                    far.sendall(b"in")
                    far.close()
                except TimeoutError:
                    pass
                found["local socket"] = peer.recv(2)
        for name, where in (
            ("remote", "{}"), ("remote localhost", "localhost:{}"), ("remote 127.0.0.1", "127.0.0.1:{}"),
            ("remote 127.0.0.2", "127.0.0.2:{}"),
        ):
            port = free_port()
            result = it.ssh(OURS, "-O", "forward", f"-R{where.format(port)}:{target}", "127.0.0.1")
            found[name] = result.returncode, listening(port)
        path = home / f"door{server.name}"
        result = it.ssh(OURS, "-O", "forward", f"-R{path}:{target}", "127.0.0.1")
        found["remote socket"] = result.returncode, path.exists()
        return found

    assert answers(OURS) == answers(OPENSSH)
