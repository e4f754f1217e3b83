# SPDX-License-Identifier: Apache-2.0
"""ssh-copy-id: keys that get in, and those that are there already."""
import os

import pytest
from conftest import OURS, ROOT, make_key, run

SCRIPT = ROOT / "contrib/ssh-copy-id"


@pytest.mark.parametrize("way", [[], ["-s"]], ids=["shell", "sftp"])
def test_a_key_is_let_in_once(serve, key, tmp_path, way):
    peer = serve(OURS, "Subsystem sftp internal-sftp")
    target = tmp_path / "new folder" / "it's keys"
    new = make_key(tmp_path, "new")
    config = peer.client_config(key, BatchMode="no")
    environment = dict(os.environ, PATH=f"{OURS.prefix}/bin:{os.environ['PATH']}")

    def copy(*words):
        return run(
            [SCRIPT, *way, "-F", config, "-t", str(target), *words, "127.0.0.1"], env=environment
        )

    if way:
        target.parent.mkdir()
        target.write_text("# no end of line")
    result = copy("-f", "-i", new)
    assert result.returncode == 0, result.stderr
    assert b"Number of key(s) added: 1" in result.stdout
    line = (tmp_path / "new.pub").read_text()
    assert target.read_text().endswith("\n" + line if way else line)
    assert target.stat().st_mode & 0o077 == 0

    # Another account file that already lets it in.
    peer.allow(new)
    config = peer.client_config(None, BatchMode="no")
    before = target.read_text()
    result = copy("-i", new)
    assert result.returncode == 0, result.stderr
    assert b"All keys were skipped" in result.stderr
    assert target.read_text() == before


def test_a_dry_run_changes_nothing(serve, key, tmp_path):
    peer = serve(OURS)
    new = make_key(tmp_path, "new")
    environment = dict(os.environ, PATH=f"{OURS.prefix}/bin:{os.environ['PATH']}")
    result = run(
        [SCRIPT, "-n", "-F", peer.client_config(None), "-t", str(tmp_path / "f"), "-i", f"{new}.pub",
         "127.0.0.1"],
        env=environment,
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "new.pub").read_text().encode() in result.stdout
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize("words", [
    ["-fn", "-i", "KEY"], ["-nfiKEY"], ["-fni", "KEY"], ["-fnp22", "-iKEY"], ["-nfs", "-tfoo", "-i", "KEY"]])
def test_letters_may_share_a_word(tmp_path, words):
    new = make_key(tmp_path, "new")
    result = run([SCRIPT, *[word.replace("KEY", f"{new}.pub") for word in words], "nobody.invalid"])
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "new.pub").read_text().encode() in result.stdout


def test_line_ends_of_windows(tmp_path):
    new = make_key(tmp_path, "new")
    line = (tmp_path / "new.pub").read_bytes()
    (tmp_path / "new.pub").write_bytes(line.replace(b"\n", b"\r\n"))
    result = run([SCRIPT, "-fn", "-i", f"{new}.pub", "nobody.invalid"])
    assert line in result.stdout


def test_a_file_that_cannot_be_fetched_is_left_alone(tmp_path):
    """Else what is put back would be the new key alone."""
    place = tmp_path / "place"
    place.mkdir()
    (place / "ssh-copy-id").write_text(SCRIPT.read_text())
    (place / "ssh-copy-id").chmod(0o755)
    # It lists a file of 100 bytes, and fetches nothing of it.
    (place / "sftp").write_text(f"""#!/bin/sh
while [ $# -gt 2 ]; do [ "$1" != -b ] || batch=$2; shift; done
cat "$batch" >> {place}/batches
echo 'sftp> ls -ln keys'
echo '-rw-------    1 0        0             100 Nov 21 22:00 keys'
""")
    (place / "sftp").chmod(0o755)
    new = make_key(tmp_path, "new")
    result = run([place / "ssh-copy-id", "-f", "-s", "-t", "keys", "-i", f"{new}.pub", "nobody.invalid"])
    assert result.returncode == 1
    assert b"keys is there and could not be fetched; nothing was changed" in result.stderr
    assert "put" not in (place / "batches").read_text()


def test_mistakes(tmp_path):
    twice = make_key(tmp_path, "twice")
    assert run([SCRIPT, "-fn", "-i", f"{twice}.pub", "-i", f"{twice}.pub", "nobody.invalid"]).returncode == 1
    assert run([SCRIPT]).returncode == 1
    assert run([SCRIPT, "-h"]).returncode == 0
    private = make_key(tmp_path, "new")
    os.rename(private, str(private) + "2.pub")
    result = run([SCRIPT, "-i", f"{private}2.pub", "127.0.0.1"])
    assert result.returncode == 1
    assert b"private key" in result.stderr
