# SPDX-License-Identifier: Apache-2.0
"""Unix sockets that a server makes for a client: StreamLocalBindMask and StreamLocalBindUnlink."""
import pytest
from conftest import OPENSSH, OURS, run

servers = pytest.mark.parametrize("server", [OPENSSH, OURS], ids=lambda suite: suite.name)


@servers
@pytest.mark.parametrize("mask,mode", [(None, "600"), ("0111", "666"), ("0117", "660")])
def test_the_mode_of_a_socket(serve, key, tmp_path, server, mask, mode):
    lines = [f"StreamLocalBindMask {mask}"] if mask else []
    config = serve(server, *lines).client_config(key)
    socket = tmp_path / "s"
    result = run([
        OURS.ssh, "-F", config, "-R", f"{socket}:127.0.0.1:9", "127.0.0.1",
        f"stat -c %a {socket}",
    ])
    assert result.stdout.decode().strip() == mode, result


@servers
@pytest.mark.parametrize("unlinks", ["yes", "no"])
def test_an_old_socket_makes_room_or_stays(serve, key, tmp_path, server, unlinks):
    config = serve(server, f"StreamLocalBindUnlink {unlinks}").client_config(key)
    path = tmp_path / "s"
    path.write_text("here already")
    result = run([
        OURS.ssh, "-F", config, "-o", "ExitOnForwardFailure=yes", "-R", f"{path}:127.0.0.1:9",
        "127.0.0.1", f"test -S {path} && echo socket",
    ])
    if unlinks == "yes":
        assert result.stdout == b"socket\n", result
    else:
        assert result.returncode == 255, result
        assert path.read_text() == "here already"
