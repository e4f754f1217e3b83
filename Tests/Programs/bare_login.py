# SPDX-License-Identifier: Apache-2.0
"""A client that does as it is told at the login (RFC 4252) and tells what the server answers."""
import base64
import logging
import pathlib
import queue
import socket
import time

import paramiko
from paramiko.message import Message

logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False


class Anything(dict):
    """Takes every message that paramiko has no use for."""

    def __init__(self, queue):
        super().__init__()
        self.queue = queue

    def __contains__(self, number):
        return True

    def __getitem__(self, number):
        return lambda *arguments: self.queue.put((number, arguments[-1]))


class Answers:
    def __init__(self):
        self.queue = queue.Queue()
        self._handler_table = self._client_handler_table = Anything(self.queue)

    def abort(self):
        pass

    def is_authenticated(self):
        return True


class BareLogin:
    """Each request returns the answer: `in`, `no METHODS`, `partly METHODS`, `key`, `ask PROMPTS`, or `end TEXT`."""

    def __init__(self, port, user):
        self.user = user
        self.farewell = self.banner = ""
        self.transport = paramiko.Transport(socket.create_connection(("127.0.0.1", port), 20))
        self.transport._parse_disconnect = self.take_farewell
        self.transport.start_client(timeout=20)
        self.answers = Answers()
        self.transport.auth_handler = self.answers
        self.transport._handler_table = {
            number: act for number, act in self.transport._handler_table.items() if number < 50}
        self.ask(5, "ssh-userauth")

    def take_farewell(self, message):
        message.get_int()
        self.farewell = message.get_text()

    def ask(self, number, *words):
        message = Message()
        message.add_byte(bytes([number]))
        for word in words:
            {bool: message.add_boolean, int: message.add_int}.get(type(word), message.add_string)(word)
        try:
            self.transport._send_message(message)
        except OSError:
            pass
        return self.answer()

    def answer(self, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                number, message = self.answers.queue.get(timeout=0.1)
            except queue.Empty:
                # What came before the end may have come just now.
                if self.transport.is_alive() or not self.answers.queue.empty():
                    continue
                return f"end {self.farewell}"
            if number == 53:
                self.banner += message.get_text()
                continue
            if number == 51:
                methods = message.get_text()
                return f"{'partly' if message.get_boolean() else 'no'} {methods}"
            if number == 60 and self.method == "keyboard-interactive":
                _, self.instruction, _ = message.get_text(), message.get_text(), message.get_text()
                self.questions = [
                    f"{message.get_text()}{message.get_boolean() or ''}" for _ in range(message.get_int())]
                return "ask " + "|".join(self.questions)
            return {6: "service", 52: "in", 60: "key"}.get(number, str(number))
        return "silence"

    def request(self, method, *words, user=None, service="ssh-connection"):
        self.method = method
        return self.ask(50, user or self.user, service, method, *words)

    def none(self, **options):
        return self.request("none", **options)

    def password(self, password, new=None, **options):
        return self.request("password", new is not None, password, *([] if new is None else [new]), **options)

    def interactive(self, devices="", **options):
        return self.request("keyboard-interactive", "", devices, **options)

    def respond(self, *responses):
        return self.ask(61, len(responses), *responses)

    def key(self, path, user=None, certificate=None, damaged=False):
        text = pathlib.Path(certificate or f"{path}.pub").read_text()
        kind, blob = text.split()[0], base64.b64decode(text.split()[1])
        signed = Message()
        signed.add_string(self.transport.session_id)
        signed.add_byte(bytes([50]))
        for word in (user or self.user, "ssh-connection", "publickey"):
            signed.add_string(word)
        signed.add_boolean(True)
        signed.add_string(kind)
        signed.add_string(blob)
        signature = paramiko.PKey.from_path(path).sign_ssh_data(signed.asbytes() + (b"x" if damaged else b""))
        return self.request("publickey", True, kind, blob, getattr(signature, "asbytes", lambda: signature)(), user=user)

    def close(self):
        self.transport.close()
