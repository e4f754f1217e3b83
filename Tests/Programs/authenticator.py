# SPDX-License-Identifier: Apache-2.0
"""A FIDO2 authenticator in software at the other end of a terminal: CTAPHID and CTAP 2.0 with PIN
protocol 1, resident keys, credProtect and the management of credentials (FIDO CTAP 2.1 §6, §11.2).

It is for tests: its keys live in memory, a touch is taken for granted, and `log` notes every command.
"""
import hashlib
import hmac
import os
import pty
import struct
import threading
import tty

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BROADCAST = 0xFFFFFFFF
INIT, CBOR, CANCEL, ERROR = 0x06, 0x10, 0x11, 0x3F
MAKE, ASSERT, INFO, PIN, NEXT, MANAGE, MANAGE_PREVIEW = 0x01, 0x02, 0x04, 0x06, 0x08, 0x0A, 0x41
UP, UV, AT, ED = 0x01, 0x04, 0x40, 0x80
ES256, EDDSA = -7, -8


class Refusal(Exception):
    """A status of CTAP §8.2."""


INVALID_CBOR, EXCLUDED, UNSUPPORTED, NO_CREDENTIALS = 0x12, 0x19, 0x26, 0x2E
PIN_INVALID, PIN_AUTH_INVALID, PIN_NOT_SET, PIN_REQUIRED, NOT_ALLOWED = 0x31, 0x33, 0x35, 0x36, 0x30


def encode(value):
    """CBOR, RFC 8949, in the canonical form of CTAP as long as maps are given in order."""
    def head(kind, number):
        if number < 24:
            return bytes([kind << 5 | number])
        for code, form, limit in ((24, ">B", 1 << 8), (25, ">H", 1 << 16), (26, ">I", 1 << 32)):
            if number < limit:
                return bytes([kind << 5 | code]) + struct.pack(form, number)
        raise ValueError(number)

    if value is False:
        return b"\xf4"
    if value is True:
        return b"\xf5"
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(encode(each) for each in value)
    return head(5, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())


def decode(data, at=0):
    """A value and where it ends."""
    kind, number = data[at] >> 5, data[at] & 31
    at += 1
    if kind == 7:
        return {20: False, 21: True, 22: None}[number], at
    if number >= 24:
        size = 1 << (number - 24)
        number = int.from_bytes(data[at : at + size], "big")
        at += size
    if kind == 0:
        return number, at
    if kind == 1:
        return -1 - number, at
    if kind in (2, 3):
        raw = data[at : at + number]
        return (bytes(raw) if kind == 2 else raw.decode()), at + number
    values = []
    for _ in range(number * (2 if kind == 5 else 1)):
        value, at = decode(data, at)
        values.append(value)
    return (values if kind == 4 else dict(zip(values[::2], values[1::2]))), at


class Credential:
    def __init__(self, application, user, algorithm, protection, is_resident):
        self.application = application
        self.user = user
        self.algorithm = algorithm
        self.protection = protection
        self.is_resident = is_resident
        self.handle = os.urandom(48)
        if algorithm == EDDSA:
            self.key = ed25519.Ed25519PrivateKey.generate()
        else:
            self.key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public(self):
        if self.algorithm == EDDSA:
            raw = self.key.public_key().public_bytes(
                serialization.Encoding.Raw, serialization.PublicFormat.Raw
            )
            return {1: 1, 3: EDDSA, -1: 6, -2: raw}
        return cose_point(self.key.public_key(), ES256)

    def sign(self, message):
        if self.algorithm == EDDSA:
            return self.key.sign(message)
        return self.key.sign(message, ec.ECDSA(hashes.SHA256()))


def cose_point(key, algorithm):
    numbers = key.public_numbers()
    return {1: 2, 3: algorithm, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}


class Authenticator:
    """One token; `path` is its device."""

    def __init__(self, pin=None):
        self.pin = pin
        self.credentials = []
        self.counter = 0
        self.log = []
        self.agreement = ec.generate_private_key(ec.SECP256R1())
        self.token = os.urandom(32)
        self.listing = []
        self.assertions = []
        # A token that nobody touches lets its callers wait, until they cancel.
        self.is_touched = True
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self):
        os.close(self.slave)

    # CTAPHID

    def serve(self):
        pending = b""
        message, wanted, command = b"", 0, 0
        try:
            while True:
                pending += os.read(self.master, 4096)
                while len(pending) >= 65:
                    packet, pending = pending[1:65], pending[65:]
                    channel = packet[:4]
                    if packet[4] & 0x80:
                        command, wanted = packet[4] & 0x7F, struct.unpack(">H", packet[5:7])[0]
                        message = packet[7:]
                    else:
                        message += packet[5:]
                    if len(message) >= wanted:
                        self.handle(channel, command, message[:wanted])
        except OSError:
            os.close(self.master)

    def handle(self, channel, command, message):
        if command == INIT:
            self.send(channel, INIT, message[:8] + b"\0\0\0\1" + bytes([2, 1, 0, 0, 0x04 | 0x08]))
        elif command == CBOR:
            try:
                self.send(channel, CBOR, b"\0" + self.carry_out(message[0], message[1:]))
            except Refusal as refusal:
                self.log.append(f"refused {refusal.args[0]:#x}")
                if self.log[-2] != "not touched":
                    self.send(channel, CBOR, bytes([refusal.args[0]]))
        elif command != CANCEL:
            self.send(channel, ERROR, b"\x01")

    def send(self, channel, command, message):
        packet = bytes([command | 0x80]) + struct.pack(">H", len(message)) + message[:57]
        os.write(self.master, (channel + packet).ljust(64, b"\0"))
        rest, sequence = message[57:], 0
        while rest:
            os.write(self.master, (channel + bytes([sequence]) + rest[:59]).ljust(64, b"\0"))
            rest, sequence = rest[59:], sequence + 1

    # CTAP

    def carry_out(self, command, data):
        request = decode(data)[0] if data else {}
        methods = {
            MAKE: self.make,
            ASSERT: self.assertion,
            INFO: self.info,
            PIN: self.client_pin,
            MANAGE: self.manage,
            MANAGE_PREVIEW: self.manage,
            NEXT: self.next_assertion,
        }
        if command not in methods:
            raise Refusal(0x01)
        self.log.append(methods[command].__name__)
        answer = methods[command](request)
        return encode(answer) if answer else b""

    def info(self, request):
        return {
            1: ["FIDO_2_0", "FIDO_2_1_PRE"],
            2: ["credProtect"],
            3: bytes(16),
            4: {
                "rk": True,
                "up": True,
                "plat": False,
                "clientPin": self.pin is not None,
                "credentialMgmtPreview": True,
            },
            5: 1200,
            6: [1],
        }

    def check_pin(self, proof, message):
        """Whether the user is known by the PIN; a wrong proof ends the request."""
        if proof is None:
            return False
        if hmac.new(self.token, message, hashlib.sha256).digest()[:16] != proof:
            raise Refusal(PIN_AUTH_INVALID)
        return True

    def pin_cipher(self, request):
        numbers = request[3]
        point = ec.EllipticCurvePublicNumbers(
            int.from_bytes(numbers[-2], "big"), int.from_bytes(numbers[-3], "big"), ec.SECP256R1()
        ).public_key()
        secret = hashlib.sha256(self.agreement.exchange(ec.ECDH(), point)).digest()
        return Cipher(algorithms.AES(secret), modes.CBC(bytes(16)))

    def client_pin(self, request):
        if request[2] == 1:
            return {3: 8}
        if request[2] == 2:
            return {1: cose_point(self.agreement.public_key(), -25)}
        if request[2] != 5:
            raise Refusal(UNSUPPORTED)
        if self.pin is None:
            raise Refusal(PIN_NOT_SET)
        cipher = self.pin_cipher(request)
        given = cipher.decryptor().update(request[6])
        if given != hashlib.sha256(self.pin.encode()).digest()[:16]:
            self.agreement = ec.generate_private_key(ec.SECP256R1())
            raise Refusal(PIN_INVALID)
        return {2: cipher.encryptor().update(self.token)}

    def make(self, request):
        if request.get(8) == b"":
            # CTAP 2.0 §5.1: asks for nothing but a touch.
            self.log.append("touched" if self.is_touched else "not touched")
            raise Refusal(PIN_NOT_SET if self.pin is None else PIN_INVALID)
        options = request.get(7, {})
        is_verified = self.check_pin(request.get(8), request[1])
        if self.pin is not None and not is_verified and (options.get("rk") or options.get("uv")):
            raise Refusal(PIN_REQUIRED)
        if options.get("uv") and self.pin is None:
            raise Refusal(0x2C)
        application = request[2]["id"]
        held = {each.handle for each in self.credentials if each.application == application}
        if any(entry["id"] in held for entry in request.get(5, [])):
            raise Refusal(EXCLUDED)
        algorithm = next((p["alg"] for p in request[4] if p["alg"] in (ES256, EDDSA)), None)
        if algorithm is None:
            raise Refusal(UNSUPPORTED)
        extensions = request.get(6, {})
        made = Credential(
            application, request[3], algorithm, extensions.get("credProtect", 1), bool(options.get("rk"))
        )
        if made.is_resident:
            self.credentials = [
                each
                for each in self.credentials
                if not (each.is_resident and (each.application, each.user["id"]) == (application, made.user["id"]))
            ]
        self.credentials.append(made)
        self.log.append(
            f"made {application} user={made.user.get('name')} alg={algorithm} resident={made.is_resident} "
            f"protection={made.protection} verified={is_verified}"
        )
        flags = UP | AT | (UV if is_verified else 0) | (ED if "credProtect" in extensions else 0)
        data = self.authenticator_data(application, flags)
        data += bytes(16) + struct.pack(">H", len(made.handle)) + made.handle + encode(made.public)
        if "credProtect" in extensions:
            data += encode({"credProtect": made.protection})
        return {1: "packed", 2: data, 3: {"alg": algorithm, "sig": made.sign(data + request[1])}}

    def authenticator_data(self, application, flags):
        self.counter += 1
        return hashlib.sha256(application.encode()).digest() + bytes([flags]) + struct.pack(">I", self.counter)

    def assertion(self, request):
        options = request.get(5, {})
        is_verified = self.check_pin(request.get(6), request[2])
        if options.get("uv"):
            raise Refusal(PIN_REQUIRED if self.pin is not None else 0x2C)
        allowed = {entry["id"] for entry in request.get(3, [])}
        answers = []
        for each in self.credentials:
            is_named = each.handle in allowed
            least = 3 if is_named else 2
            if each.application != request[1] or each.protection >= least and not is_verified:
                continue
            if not is_named and (allowed or not each.is_resident):
                continue
            flags = (UP if options.get("up", True) else 0) | (UV if is_verified else 0)
            self.log.append(f"signed {each.application} flags={flags}")
            data = self.authenticator_data(each.application, flags)
            answer = {
                1: {"id": each.handle, "type": "public-key"},
                2: data,
                3: each.sign(data + request[2]),
            }
            answers.append(answer if is_named else {**answer, 4: {"id": each.user["id"]}})
        if not answers:
            raise Refusal(NO_CREDENTIALS)
        self.assertions = answers[1:]
        return answers[0] if len(answers) == 1 else {**answers[0], 5: len(answers)}

    def next_assertion(self, request):
        if not self.assertions:
            raise Refusal(NOT_ALLOWED)
        return self.assertions.pop(0)

    def manage(self, request):
        command = request[1]
        if command in (3, 5):
            if not self.listing:
                raise Refusal(NOT_ALLOWED)
            return self.listing.pop(0)
        message = bytes([command]) + (encode(request[2]) if 2 in request else b"")
        if not self.check_pin(request.get(4), message):
            raise Refusal(PIN_REQUIRED)
        resident = [each for each in self.credentials if each.is_resident]
        if command == 1:
            return {1: len(resident), 2: 25}
        if command == 2:
            names = sorted({each.application for each in resident})
            answers = [{3: {"id": name}, 4: hashlib.sha256(name.encode()).digest()} for name in names]
            total = 5
        elif command == 4:
            answers = [
                {
                    6: each.user,
                    7: {"id": each.handle, "type": "public-key"},
                    8: each.public,
                    10: each.protection,
                }
                for each in resident
                if hashlib.sha256(each.application.encode()).digest() == request[2][1]
            ]
            total = 9
        else:
            raise Refusal(UNSUPPORTED)
        if not answers:
            raise Refusal(NO_CREDENTIALS)
        first = {**answers[0], total: len(answers)}
        self.listing = answers[1:]
        return dict(sorted(first.items()))

