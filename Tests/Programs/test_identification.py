# SPDX-License-Identifier: Apache-2.0
"""What the programs call themselves on the wire, and what peers do who know the name."""
import re
import socket
import subprocess
import threading

import pytest
from conftest import OPENSSH, OURS_ONLY, SECONDS, UNDER_TEST, run

LINE = rb"SSH-2\.0-OpenSSH_10\.5 Hawser_[0-9.]+"


def line_of_server(server):
    with socket.create_connection(("127.0.0.1", server.port), SECONDS) as peer:
        peer.sendall(b"SSH-2.0-test\r\n")
        return peer.makefile("rb").readline()


def line_of_client(*options):
    """What the client says to a server that hangs up behind it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(SECONDS)
        found = []

        def answer():
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(SECONDS)
                peer.sendall(b"SSH-2.0-test\r\n")
                found.append(peer.makefile("rb").readline())

        thread = threading.Thread(target=answer)
        thread.start()
        run([UNDER_TEST.ssh, "-F", "none", "-p", listener.getsockname()[1], *options, "127.0.0.1"])
        thread.join()
        return found[0]


@OURS_ONLY
@pytest.mark.parametrize("addendum", [None, "Debian-1"])
def test_the_lines_of_both_sides(addendum, serve):
    """The protocol family first, the program as the comment, then the administrator's words."""
    server = serve(UNDER_TEST, *([f"VersionAddendum {addendum}"] if addendum else []))
    options = ["-o", f"VersionAddendum={addendum}"] if addendum else []
    expected = LINE + (b" " + addendum.encode() if addendum else b"") + rb"\r\n"
    assert re.fullmatch(expected, line_of_server(server))
    assert re.fullmatch(expected, line_of_client(*options))


@pytest.mark.parametrize("client", [OPENSSH, UNDER_TEST], ids=["openssh", "ours"])
def test_a_remote_program_learns_that_nobody_reads(client, serve, key):
    """OpenSSH's client sends `eow@openssh.com` only to servers that call themselves OpenSSH."""
    server = serve()
    remote = subprocess.Popen(
        [client.ssh, "-F", server.client_config(key), "127.0.0.1", "yes"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    head = subprocess.run(["head", "-n", "1"], stdin=remote.stdout, capture_output=True)
    remote.stdout.close()
    assert head.stdout == b"y\n"
    try:
        # 128 + SIGPIPE, or the exit-signal's 255.
        assert remote.wait(SECONDS) in (141, 255)
    finally:
        remote.kill()


def test_no_session_more_behind_the_first(serve, key):
    """`no-more-sessions@openssh.com` too goes to OpenSSH only; our server takes it."""
    server = serve()
    result = run([OPENSSH.ssh, "-v", "-F", server.client_config(key), "127.0.0.1", "true"])
    assert result.returncode == 0, result.stderr
    assert b"Requesting no-more-sessions@openssh.com" in result.stderr
