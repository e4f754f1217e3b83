# SPDX-License-Identifier: Apache-2.0
"""A name server of a test's own (RFC 1035), in network and mount namespaces where nothing else is:
there resolv.conf names it, /etc/hosts is empty, and the machine's own are as they were."""
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import threading

TYPES = {"A": 1, "CNAME": 5, "AAAA": 28, "SSHFP": 44}


def encoded(name):
    labels = [label for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def data_of(kind, value):
    if kind == "A":
        return socket.inet_aton(value)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == "CNAME":
        return encoded(value)
    algorithm, hash_type, digest = value.split()
    return bytes([int(algorithm), int(hash_type)]) + bytes.fromhex(digest)


def answer(message, zone, questions):
    """The reply to a query: aliases are followed, as a resolver does for its clients."""
    identifier, flags = struct.unpack(">HH", message[:4])
    name, place = [], 12
    while length := message[place]:
        name.append(message[place + 1:place + 1 + length].decode().lower())
        place += 1 + length
    name = ".".join(name)
    kind = struct.unpack(">H", message[place + 1:place + 3])[0]
    question = message[12:place + 5]
    questions(f"{name} {kind}")
    records, exists = [], name in zone["names"]
    while True:
        own = zone["names"].get(name, [])
        records += [(name, t, v) for t, v in own if TYPES[t] == kind]
        alias = next((v for t, v in own if t == "CNAME"), None)
        if alias is None or kind == TYPES["CNAME"]:
            break
        records.append((name, "CNAME", alias))
        name = alias.rstrip(".")
    body = b""
    for owner, record, value in records:
        data = data_of(record, value)
        body += encoded(owner) + struct.pack(">HHIH", TYPES[record], 1, 60, len(data)) + data
    # Response, recursion available; authenticated where the zone says so; no such name.
    reply = 0x8180 | flags & 0x0100 | (0x20 if zone["secure"] else 0) | (0 if exists else 3)
    return struct.pack(">HHHHHH", identifier, reply, 1, len(records), 0, 0) + question + body


def serve(zone, log):
    """Runs in the namespace, for ever."""
    noted = open(log, "a", buffering=1)

    def note(text):
        noted.write(text + "\n")

    def datagrams(peer):
        while True:
            message, whom = peer.recvfrom(4096)
            peer.sendto(answer(message, zone, note), whom)

    def streams(listener):
        while True:
            peer, _ = listener.accept()
            with peer:
                size = peer.recv(2)
                if len(size) == 2:
                    reply = answer(peer.recv(struct.unpack(">H", size)[0]), zone, note)
                    peer.sendall(struct.pack(">H", len(reply)) + reply)

    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagram.bind(("127.0.0.1", 53))
    listener = socket.socket()
    listener.bind(("127.0.0.1", 53))
    listener.listen(8)
    for each in (lambda: datagrams(datagram), lambda: streams(listener)):
        threading.Thread(target=each, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


class Namespace:
    """Where the machine's name server is ours. `names`: {name: [(type, value)]}."""

    def __init__(self, folder, names, secure=False, options="", search=""):
        folder = pathlib.Path(folder)
        self.log = folder / "questions"
        resolver = folder / "resolv.conf"
        resolver.write_text(f"nameserver 127.0.0.1\noptions {options}\n"
                            + (f"search {search}\n" if search else ""))
        (folder / "hosts").write_text("127.0.0.1 localhost\n")
        (folder / "nsswitch.conf").write_text(
            "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n"
        )
        zone = folder / "zone"
        zone.write_text(json.dumps({"names": names, "secure": secure}))
        setup = " && ".join([
            "mount --make-rprivate /",
            f"mount --bind {resolver} $(realpath /etc/resolv.conf)",
            f"mount --bind {folder}/hosts /etc/hosts",
            f"mount --bind {folder}/nsswitch.conf /etc/nsswitch.conf",
            "ip link set lo up",
            f"exec {sys.executable} {__file__} {zone} {self.log}",
        ])
        self.process = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c", setup],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        if self.process.stdout.readline() != b"ready\n":
            raise RuntimeError(self.process.stderr.read().decode())

    @property
    def within(self):
        """What comes before a command that is to run there."""
        return ["nsenter", f"--target={self.process.pid}", "--net", "--mount", "--"]

    def questions(self):
        return self.log.read_text().splitlines() if self.log.exists() else []

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


if __name__ == "__main__":
    serve(json.loads(pathlib.Path(sys.argv[1]).read_text()), sys.argv[2])
