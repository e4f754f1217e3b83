#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An SFTP server that misbehaves as its first argument says; the rest is protocol 3 as it should be.

    evil-names FOLDER   a directory whose names lead out of it
    short-reads         gives a third of what is asked for
    die BYTES           ends in the middle of an answer after so many bytes of data
    long-names          names with terminal escapes and line ends
    endless             a file that never ends grows while it is read
    no-extensions       speaks none of the extensions
    huge-packet         an answer beyond every limit
    wrong-id            answers a request that was not asked
"""
import os
import struct
import sys

MODE = sys.argv[1]
DATA = bytes(range(256)) * 4096


def string(value):
    return struct.pack(">I", len(value)) + value


def send(kind, body):
    sys.stdout.buffer.write(string(bytes([kind]) + body))
    sys.stdout.buffer.flush()


def attributes(mode, size=0):
    return struct.pack(">IQIIIII", 0xF, size, os.getuid(), os.getgid(), mode, 1, 1)


NAMES = {
    "evil-names": [b"../escaped", b"..", b"/tmp/hawser-absolute", b"a/b", b"", b"good"],
    "long-names": [b"\x1b]0;title\x07", b"line\nend", b"\xff\xfe", b"good"],
}.get(MODE, [b"good"])

sent = 0
listed = False
while True:
    head = sys.stdin.buffer.read(4)
    if len(head) < 4:
        break
    packet = sys.stdin.buffer.read(struct.unpack(">I", head)[0])
    kind = packet[0]
    if kind == 1:
        send(2, struct.pack(">I", 3))
        continue
    number = packet[1:5]
    if MODE == "wrong-id" and kind != 16:
        number = b"\0\0\xff\xff"
    rest = packet[5:]
    text = b""
    if len(rest) >= 4:
        count = struct.unpack(">I", rest[:4])[0]
        text, rest = rest[4 : 4 + count], rest[4 + count :]
    is_directory = text.rstrip(b"/").endswith(b"tree") or text in (b".", b"/", b"")
    if kind in (7, 17):
        if is_directory:
            send(105, number + attributes(0o40755))
        elif b"missing" in text:
            send(101, number + struct.pack(">I", 2) + string(b"No such file") + string(b""))
        else:
            send(105, number + attributes(0o100644, 0 if MODE == "endless" else len(DATA)))
    elif kind == 16:
        name = text if text.startswith(b"/") else b"/" + (b"" if text == b"." else text)
        send(104, number + struct.pack(">I", 1) + string(name) + string(name) + attributes(0))
    elif kind in (3, 11):
        listed = False
        send(102, number + string(b"handle"))
    elif kind == 12:
        if listed:
            send(101, number + struct.pack(">I", 1) + string(b"End of file") + string(b""))
        else:
            listed = True
            body = number + struct.pack(">I", len(NAMES))
            for name in NAMES:
                body += string(name) + string(name) + attributes(0o100644, len(DATA))
            send(104, body)
    elif kind == 5:
        offset, count = struct.unpack(">QI", rest[:12])
        if MODE == "huge-packet":
            sys.stdout.buffer.write(struct.pack(">I", 0x7FFFFFFF) + b"g" * 1000)
            sys.stdout.buffer.flush()
            continue
        if MODE == "short-reads":
            count = max(1, count // 3)
        data = DATA[offset : offset + count]
        if MODE == "die":
            sent += len(data)
            if sent > int(sys.argv[2]):
                sys.stdout.buffer.write(struct.pack(">I", len(data) + 9) + b"\x67" + number)
                sys.stdout.buffer.flush()
                os._exit(1)
        if data:
            send(103, number + string(data))
        else:
            send(101, number + struct.pack(">I", 1) + string(b"End of file") + string(b""))
    else:
        send(101, number + struct.pack(">I", 0) + string(b"Success") + string(b""))
