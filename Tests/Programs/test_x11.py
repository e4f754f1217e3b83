# SPDX-License-Identifier: Apache-2.0
"""A real X client, a real display and real xauth, at once and over masters: rows T-008 and M-174 to
M-181. The client's home is not the display's owner's, so that nothing works but by what sshd did."""
import os
import re
import shutil
import socket

import pytest
from conftest import OPENSSH, OURS, UNDER_TEST, run, wait_until
from test_server_files import etc, serve_with  # noqa: F401
from test_server_rows import own, person, public  # noqa: F401

pytestmark = [
    pytest.mark.skipif(os.getuid() != 0, reason="accounts are root's"),
    pytest.mark.skipif(
        not all(map(shutil.which, ["Xvfb", "xauth", "xdpyinfo"])),
        reason="needs Xvfb, xauth and xdpyinfo",
    ),
]
servers = pytest.mark.parametrize("server", [OURS, OPENSSH], ids=lambda suite: suite.name)
# Who makes the connection, and who rides it if anyone does.
WAYS = {
    "ours": (None, OURS),
    "over ours": (OURS, OURS),
    "openssh over ours": (OURS, OPENSSH),
    "over openssh": (OPENSSH, OURS),
}
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)

# sshd(8), SSHRC.
SCRIPT = """\
if read proto cookie && [ -n "$DISPLAY" ]; then
\tif [ `echo $DISPLAY | cut -c1-10` = 'localhost:' ]; then
\t\t# X11UseLocalhost=yes
\t\techo add unix:`echo $DISPLAY |
\t\t    cut -c11-` $proto $cookie
\telse
\t\t# X11UseLocalhost=no
\t\techo add $DISPLAY $proto $cookie
\tfi | xauth -q -
fi
"""
PROBE = "xdpyinfo | grep -c 'version number:    11.0'; echo $DISPLAY; xauth list"


@pytest.fixture
def ask(display, person, key, home):
    """ask(peer, way, command): what a program with -Y at the far end says."""
    made = []

    def call(peer, way, command, option="-Y"):
        config = peer.client_config(key, ControlPath=home / "ctl", ConnectTimeout=10)
        master, client = way
        if master:
            # OpenSSH's master lends displays only when it was to have one itself.
            own_display = ["-Y"] if master is OPENSSH else []
            result = run(
                [master.ssh, "-F", config, *own_display, "-MNf", "127.0.0.1"], env=display
            )
            assert result.returncode == 0, result.stderr
            made.append((master, config))
            wait_until((home / "ctl").exists, "the master")
        return run([client.ssh, "-F", config, option, "127.0.0.1", command], env=display)

    yield call
    for master, config in made:
        run([master.ssh, "-F", config, "-O", "exit", "127.0.0.1"])


@pytest.fixture
def peer_of(person, serve, key):
    """peer_of(suite, lines…): a server for the person, whose folder holds no cookie."""
    name, home = person

    def make(suite, *lines, start=serve):
        own(name, home / ".ssh/keys", public(key), 0o600)
        (home / ".Xauthority").unlink(missing_ok=True)
        return start(
            suite, "X11Forwarding yes", "AuthorizedKeysFile .ssh/keys", *lines, user=name
        )

    yield make
    (home / ".Xauthority").unlink(missing_ok=True)


def parts(result):
    """Whether the client reached the display, DISPLAY, and the names of cookies."""
    reached, shown, *listed = result.stdout.decode().splitlines() or ["", ""]
    return reached == "1", shown, [each.split()[0] for each in listed]


@servers
@ways
def test_t008_a_display_over_every_way(way, server, peer_of, ask, display):
    result = ask(peer_of(server), way, PROBE)
    reached, shown, listed = parts(result)
    assert reached, result.stderr
    number = re.fullmatch(r"localhost:(\d+)\.0", shown)[1]
    # M-175: stored for the Unix socket that there would be.
    assert [each.split("/")[-1] for each in listed] == [f"unix:{number}"]
    # M-181: the cookie of the far end is none of the display's.
    cookie = result.stdout.split()[-1].decode()
    assert re.fullmatch("[0-9a-f]{32}", cookie)
    assert cookie not in run(["xauth", "list"], env=display).stdout.decode()


@servers
@pytest.mark.parametrize("localhost", ["yes", "no"])
def test_m174_to_m176_the_script_of_the_manual(localhost, server, peer_of, ask, person):
    name, home = person
    peer = peer_of(server, f"X11UseLocalhost {localhost}")
    # M-179: its owner's alone is enough.
    own(name, home / ".ssh/rc", SCRIPT, 0o600)
    result = ask(peer, WAYS["ours"], PROBE)
    reached, shown, listed = parts(result)
    assert reached, result.stderr
    if localhost == "yes":
        assert re.fullmatch(r"localhost:\d+\.0", shown)
        assert listed[0].split("/")[-1] == "unix:" + shown.split(":")[1].split(".")[0]
    else:
        assert shown.split(":")[0] == socket.gethostname()
        assert listed[0].split(":")[-1] == shown.split(":")[1].split(".")[0]


@servers
def test_m177_nothing_is_added_where_there_is_a_script(server, peer_of, ask, person):
    name, home = person
    peer = peer_of(server)
    own(name, home / ".ssh/rc", "", 0o600)
    reached, shown, listed = parts(ask(peer, WAYS["ours"], PROBE))
    assert not reached and shown.startswith("localhost:") and listed == []


@servers
def test_m178_m180_the_system_s_script(server, peer_of, ask, person, etc, serve_with):
    script = f"id -un > ~/.ssh/who\n{SCRIPT}"
    (etc / "ssh/sshrc").write_text(script)
    _, home = person
    peer = peer_of(server, start=serve_with)
    reached, _, listed = parts(ask(peer, WAYS["ours"], PROBE))
    assert reached and len(listed) == 1
    assert (home / ".ssh/who").read_text().strip() == person[0]


@ways
def test_m181_another_cookie_is_refused(way, peer_of, ask):
    wrong = f"xauth add $DISPLAY MIT-MAGIC-COOKIE-1 {'0' * 32}; {PROBE}"
    result = ask(peer_of(UNDER_TEST), way, wrong)
    assert not parts(result)[0]
    if way[0] is None:
        assert b"X11 connection rejected because of wrong authentication.\r\n" in result.stderr
