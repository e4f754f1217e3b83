# SPDX-License-Identifier: Apache-2.0
"""Many calls, many connections, many faults: nothing hangs, nothing is lost, nothing is left over.

Each test has a short form, which runs with the others, and its whole form with HAWSER_STRESS=full
(`scripts/stress`), which prints what it measured.
"""
import asyncio
import collections
import concurrent.futures
import hashlib
import os
import pathlib
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest
from conftest import OURS, free_port, run, wait_until
from masters import Line, at_once, line  # noqa: F401

IS_FULL = os.environ.get("HAWSER_STRESS") == "full"
SEED = int(os.environ.get("HAWSER_STRESS_SEED", "0")) or random.randrange(1 << 32)
# The longest that a call may take, in seconds.
LIMIT = 10


def times(full, short):
    return full if IS_FULL else short


def tell(text):
    """A figure for who watches (`-s`)."""
    print(f"    {text}", flush=True)


def processes(config):
    """Those whose command line names a configuration: pid, and whether it is a master by itself."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if str(config).encode() in words:
                pid = int(entry.name)
                found.append((pid, os.getsid(pid) == pid))
        except OSError:
            pass
    return found


def masters(config):
    return [pid for pid, is_master in processes(config) if is_master]


def descendants(pid):
    found = []
    for child in run(["pgrep", "-P", pid]).stdout.split():
        found += [int(child), *descendants(int(child))]
    return found


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident(pid):
    for text in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if text.startswith("VmRSS:"):
            return int(text.split()[1])
    return 0


def nothing_is_left(it, seconds=20):
    """Every master ends when its time is over; no file stays, nor a session at the server."""
    wait_until(lambda: not processes(it.config), "every ssh to end", seconds=seconds)
    left = list(it.socket.parent.glob("ctl*"))
    assert not left
    pid = it.server.process.pid
    wait_until(lambda: not descendants(pid), "the server's sessions to end", seconds=seconds)


# MARK: Masters killed, frozen and expiring


class Faults(threading.Thread):
    """What goes wrong, at random moments; `log` says when and for how long."""

    def __init__(self, it, path, dice, pause):
        super().__init__(daemon=True)
        self.it, self.path, self.dice, self.pause = it, path, dice, pause
        self.is_over = threading.Event()
        # Cleared while nobody calls, so that masters expire.
        self.may_call = threading.Event()
        self.may_call.set()
        self.log = []
        self.stopped = []

    def run(self):
        kinds = ["kill", "stop", "stop for good", "strand", "cut", "expire", "terminate"]
        while not self.is_over.wait(self.dice.uniform(*self.pause)):
            kind = self.dice.choice(kinds)
            begin = time.monotonic()
            self.log.append([kind, begin, begin])
            getattr(self, kind.replace(" ", "_"))()
            self.log[-1][2] = time.monotonic()
            self.end_stops(begin)
        self.end_stops(None)

    def signal_one(self, number):
        found = [pid for pid in masters(self.it.config) if pid not in dict(self.stopped)]
        if not found:
            return None
        pid = self.dice.choice(found)
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return None
        return pid

    def kill(self):
        self.signal_one(signal.SIGKILL)

    def terminate(self):
        self.signal_one(signal.SIGTERM)

    def stop(self):
        pid = self.signal_one(signal.SIGSTOP)
        if pid:
            self.stopped.append((pid, (signal.SIGCONT, time.monotonic() + self.dice.uniform(1, 2.5))))

    def stop_for_good(self):
        pid = self.signal_one(signal.SIGSTOP)
        if pid:
            self.stopped.append((pid, (signal.SIGKILL, time.monotonic() + self.dice.uniform(1, 2.5))))

    def end_stops(self, now):
        """Goes on with what was stopped, or ends it, when its time has come."""
        left = []
        for pid, (number, moment) in self.stopped:
            if now is not None and now < moment:
                left.append((pid, (number, moment)))
                continue
            self.log.append([f"end of stop {number}", time.monotonic(), time.monotonic()])
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        self.stopped = left

    def strand(self):
        self.path("strand")

    def cut(self):
        self.path("cut")

    def expire(self):
        self.may_call.clear()
        time.sleep(self.dice.uniform(0.8, 1.6))
        self.may_call.set()

    def touched(self, begin, end):
        """Whether something that ends sessions happened while a call ran, or just before it."""
        return any(
            kind not in ("expire", "stop") and first <= end and begin - 5 <= last
            for kind, first, last in self.log
        )


def test_masters_killed_frozen_and_expiring(serve, key, home, relay):
    it = Line(serve, key, home, server=OURS, extra=("MaxStartups 1000", "MaxSessions 100"))
    path = relay(it.server.port)
    it.config = it.server.client_config(
        key,
        ControlPath=it.socket,
        ControlMaster="auto",
        ControlPersist="1",
        ConnectTimeout="3",
        ServerAliveInterval="1",
        ServerAliveCountMax="3",
        Port=path.port,
        HostKeyAlias=f"[127.0.0.1]:{it.server.port}",
    )
    dice = random.Random(SEED)
    tell(f"seed {SEED}")
    faults = Faults(it, path, dice, (0.1, 0.6))
    started = home / "started"
    started.mkdir()
    calls = times(2000, 80)

    def call(number):
        time.sleep(random.Random(SEED + number).uniform(0, times(1.5, 0.5)))
        faults.may_call.wait()
        begin = time.monotonic()
        try:
            result = it.ssh(
                OURS, "127.0.0.1", f": > {started}/{number}; echo {number}", timeout=30
            )
            status, output, error = result.returncode, result.stdout, result.stderr
        except subprocess.TimeoutExpired as expired:
            status, output, error = None, expired.stdout or b"", expired.stderr or b""
        return number, begin, time.monotonic(), status, output, error

    faults.start()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(call, range(calls)))
    faults.is_over.set()
    faults.join()
    took = sorted(end - begin for _, begin, end, *_ in results)
    longest = took[-1]
    failed = [each for each in results if each[3] != 0 or each[4] != b"%d\n" % each[0]]
    # What a fault took after it had begun is lost, and must not be done twice; anything else is not.
    wrong = [
        each
        for each in failed
        if not faults.touched(each[1], each[2]) or each[3] is None
        or b"master" in each[5] and not (started / str(each[0])).exists()
    ]
    kinds = collections.Counter(kind for kind, *_ in faults.log)
    tell(f"{calls} calls, {len(failed)} of them hit while they ran, longest {longest:.1f} s")
    tell(
        f"half within {took[calls // 2]:.2f} s, 99 of 100 within {took[calls * 99 // 100]:.1f} s, "
        f"{sum(each > 5 for each in took)} longer than 5 s"
    )
    tell("faults: " + ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())))
    tell(f"logins: {it.logins()}")
    late = [each for each in results if each[2] - each[1] > LIMIT]
    assert not wrong, wrong
    assert not late, late
    # Nobody waits for what is stranded any more.
    result = it.ssh(OURS, "127.0.0.1", "echo in")
    assert (result.stdout, result.returncode) == (b"in\n", 0), result.stderr
    wait_until(lambda: not processes(it.config), "every ssh to end", seconds=20)
    path("cut")
    nothing_is_left(it)


def test_calls_around_the_end_of_a_master(line):
    it = line(ControlMaster="auto", ControlPersist="1", server=OURS)
    dice = random.Random(SEED)
    lanes, calls = 6, times(50, 3)
    pauses = [[dice.uniform(0.85, 1.15) for _ in range(calls)] for _ in range(lanes)]

    def lane(number):
        results = []
        for pause in pauses[number]:
            results.append(it.ssh(OURS, "-S", f"{it.socket}{number}", "127.0.0.1", "echo in"))
            time.sleep(pause)
        return results

    with concurrent.futures.ThreadPoolExecutor(lanes) as pool:
        results = sum(pool.map(lane, range(lanes)), [])
    assert [(r.returncode, r.stdout, r.stderr) for r in results] == [(0, b"in\n", b"")] * len(results)
    tell(f"{len(results)} calls around the end of ControlPersist 1, {it.logins()} logins, no failure")
    nothing_is_left(it)


def test_twenty_at_once_without_a_master_again_and_again(line):
    it = line(ControlMaster="auto", ControlPersist="10", server=OURS)
    rounds = times(20, 1)
    for number in range(rounds):
        assert at_once(it, 20) == [(b"", b"", 0)] * 20
        assert it.logins() == number + 1
        it.ssh(OURS, "-O", "exit", "127.0.0.1")
        wait_until(lambda: not it.socket.exists(), "the end of the master")
    tell(f"{rounds} times 20 at once: one login each, nothing on stderr")


def test_twenty_five_at_once_beyond_max_sessions(line):
    it = line(ControlMaster="auto", ControlPersist="1", extra=["MaxSessions 10"], server=OURS)
    rounds = times(10, 1)
    most = 0
    for _ in range(rounds):
        before = it.logins()
        results = at_once(it, 25, "sleep 3; echo done")
        assert results == [(b"done\n", b"", 0)] * 25
        most = max(most, it.logins() - before)
        wait_until(lambda: not processes(it.config), "every master to end")
    assert most <= 3
    tell(f"{rounds} times 25 sessions, MaxSessions 10: at most {most} logins")
    nothing_is_left(it)


# MARK: Forwarded connections


class Service(threading.Thread):
    """Connections in an event loop of their own: `answer(reader, writer)` serves each."""

    def __init__(self, answer):
        super().__init__(daemon=True)
        self.answer = answer
        self.loop = asyncio.new_event_loop()
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        asyncio.set_event_loop(self.loop)

        async def serve(reader, writer):
            try:
                await self.answer(reader, writer)
            except (OSError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        self.loop.run_until_complete(
            asyncio.start_server(serve, sock=self.listener, backlog=1000)
        )
        self.loop.run_forever()

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.join()
        self.listener.close()


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def pour(reader, writer):
    block = bytes(65536)
    while True:
        writer.write(block)
        await writer.drain()


@pytest.fixture
def service():
    made = []

    def start(answer):
        made.append(Service(answer))
        return made[-1]

    yield start
    for each in made:
        each.close()


def forwarded(it, service):
    """A port that leads to a service by way of a master; and the master's process."""
    it.open_master(OURS)
    port = free_port()
    result = it.ssh(OURS, "-O", "forward", f"-L{port}:127.0.0.1:{service.port}", "127.0.0.1")
    assert result.returncode == 0, result.stderr
    return port, it.master_pid(OURS)


def channels(it):
    text = it.ssh(OURS, "-O", "channels", "127.0.0.1").stdout.decode()
    return [each for each in text.splitlines() if each.startswith("  #")]


def test_many_forwarded_connections_through_one_master(line, service):
    it = line(server=OURS)
    port, pid = forwarded(it, service(echo))
    before = descriptors(pid)
    count, lanes = times(10_000, 300), 8

    def lane(number):
        for each in range(number, count, lanes):
            with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as peer:
                word = b"connection %d" % each
                peer.sendall(word)
                peer.shutdown(socket.SHUT_WR)
                answer = b""
                while part := peer.recv(4096):
                    answer += part
                assert answer == word

    with concurrent.futures.ThreadPoolExecutor(lanes) as pool:
        list(pool.map(lane, range(lanes)))
        middle = resident(pid)
        begin = time.monotonic()
        list(pool.map(lane, range(lanes)))
        seconds = time.monotonic() - begin
    wait_until(lambda: not channels(it), "every channel to be closed")
    wait_until(lambda: descriptors(pid) <= before, "every descriptor to be closed")
    tell(
        f"twice {count} connections through one master, {count / seconds:.0f} a second, "
        f"{resident(pid) - middle} KiB more after the second half"
    )
    assert resident(pid) - middle < 2048


def test_channels_closed_in_mid_flow(line, service):
    it = line(server=OURS)
    port, pid = forwarded(it, service(pour))
    before = descriptors(pid)
    count, lanes = times(1000, 60), 8

    def lane(number):
        dice = random.Random(SEED + number)
        for _ in range(number, count, lanes):
            if dice.random() < 0.15:
                child = subprocess.Popen(
                    [OURS.ssh, "-F", it.config, "127.0.0.1", "cat /dev/zero"],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
                child.stdout.read(dice.randrange(1, 300_000))
                if dice.random() < 0.5:
                    child.kill()
                child.stdout.close()
                try:
                    child.wait(LIMIT)
                finally:
                    child.kill()
                continue
            peer = socket.create_connection(("127.0.0.1", port), timeout=LIMIT)
            left = dice.randrange(1, 300_000)
            while left > 0:
                left -= len(peer.recv(min(left, 65536)))
            if dice.random() < 0.5:
                # A reset rather than an end.
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()

    with concurrent.futures.ThreadPoolExecutor(lanes) as pool:
        list(pool.map(lane, range(lanes)))
    wait_until(lambda: not channels(it), "every channel to be closed")
    wait_until(lambda: descriptors(pid) <= before, "every descriptor to be closed")
    assert it.ssh(OURS, "127.0.0.1", "echo in").stdout == b"in\n"
    tell(f"{count} channels closed in mid-flow, the master holds {resident(pid)} KiB")


# MARK: Bytes

PUMP = """
import hashlib, os, random, sys, threading
count, seed, source, sink = map(int, sys.argv[1:])
dice = random.Random(seed)
block = random.Random(seed).randbytes(1 << 20)
sent, received = hashlib.sha256(), hashlib.sha256()
def send():
    left, place = count, 0
    while left:
        size = min(left, dice.randint(1, 1000), len(block) - place)
        part = block[place:place + size]
        os.write(sink, part)
        sent.update(part)
        left -= size
        place = (place + size) % len(block)
    os.close(sink)
sender = threading.Thread(target=send)
sender.start()
while data := os.read(source, 65536):
    received.update(data)
sender.join()
print(sent.hexdigest(), received.hexdigest())
"""


def test_every_byte_while_keys_change(line):
    it = line(server=OURS, RekeyLimit="64K", extra=["RekeyLimit 64K"])
    it.open_master(OURS)
    count = times(100_000_000, 1_000_000)
    begin = time.monotonic()
    pairs = []
    for number in range(8):
        to_ssh, from_ssh = os.pipe(), os.pipe()
        session = subprocess.Popen(
            [OURS.ssh, "-F", it.config, "127.0.0.1", "cat"], stdin=to_ssh[0], stdout=from_ssh[1]
        )
        os.close(to_ssh[0])
        os.close(from_ssh[1])
        pump = subprocess.Popen(
            [sys.executable, "-c", PUMP, *map(str, (count, SEED + number, from_ssh[0], to_ssh[1]))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            pass_fds=(from_ssh[0], to_ssh[1]),
        )
        os.close(from_ssh[0])
        os.close(to_ssh[1])
        pairs.append((session, pump))
    for session, pump in pairs:
        output, _ = pump.communicate(timeout=times(3000, 120))
        sent, received = output.split()
        assert sent == received
        assert session.wait(LIMIT) == 0
    seconds = time.monotonic() - begin
    tell(f"8 channels, {count} bytes each way, a new key every 64 KiB: hashes equal, {seconds:.0f} s")
