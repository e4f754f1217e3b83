# SPDX-License-Identifier: Apache-2.0
"""What bash offers: completions/bash/hawser, called as readline calls it."""
import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest
from conftest import OURS, ROOT, run, wait_until

SCRIPT = """
source "$SCRIPT"
COMP_LINE=$1
COMP_POINT=${#COMP_LINE}
_hawser "${COMP_LINE%% *}"
[ ${#COMPREPLY[@]} -eq 0 ] || printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def complete(tmp_path):
    """A function: the candidates for the end of a line, in a home of its own."""
    home = tmp_path / "user"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh/config").write_text(
        "Host alpha beta *.example !gamma\n"
        "Match user me\n"
        "  Port 23\n"
        "host=delta\n"
        "Include more\n"
    )
    (home / ".ssh/more").write_text('Host "epsilon"\n')
    (home / ".ssh/known_hosts").write_text(
        "[alfred]:2222,10.9.8.7 ssh-ed25519 AAAA\n"
        "|1|aaaa|bbbb ssh-ed25519 AAAA\n"
        "@revoked zeta ssh-ed25519 AAAA\n"
    )
    (tmp_path / "work").mkdir()
    (tmp_path / "work/alone.txt").touch()
    (tmp_path / "work/folder").mkdir()

    def ask(line, breaks=" \t\n\"'><=;|&(:"):
        result = subprocess.run(
            ["bash", "--norc", "-c", f"COMP_WORDBREAKS=$BREAKS\n{SCRIPT}", "bash", line],
            env={
                "HOME": str(home),
                "PATH": f"{OURS.prefix}/bin:{os.environ['PATH']}",
                "SCRIPT": str(ROOT / "completions/bash/hawser"),
                "BREAKS": breaks,
            },
            cwd=tmp_path / "work",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert result.stderr == "", result.stderr
        return result.stdout.split("\n")[:-1]

    return ask


def environment(tmp_path):
    (tmp_path / "user/.ssh").mkdir(parents=True)
    (tmp_path / "user/.ssh/config").write_text("Host alpha alter beta *.example\n")
    (tmp_path / "user/.ssh/known_hosts").write_text("[gamma]:22,delta ssh-rsa AAAA\n")
    return {
        "HOME": str(tmp_path / "user"), "PATH": f"{OURS.prefix}/bin:{os.environ['PATH']}",
        "TERM": "dumb", "LANG": "C.UTF-8",
    }


CASES = [
    ("ssh al", {"alpha", "alter"}),
    ("ssh ga", {"gamma"}),
    ("ssh -O ch", {"check", "channels"}),
    ("ssh -c aes128-g", {"aes128-gcm@openssh.com"}),
    ("ssh-keygen -t ed", {"ed25519", "ed25519-sk"}),
]


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish")
@pytest.mark.parametrize("line,wanted", CASES + [
    ("ssh -o ControlMaster=au", {"ControlMaster=auto", "ControlMaster=autoask"}),
    ("scp be", {"beta:"}),
])
def test_fish(tmp_path, line, wanted):
    command = f"set -p fish_complete_path {ROOT}/completions/fish; complete -C '{line}'"
    result = run(["fish", "--no-config", "-c", command], env=environment(tmp_path), cwd=tmp_path)
    words = {text.split("\t")[0] for text in result.stdout.decode().splitlines()}
    assert words == wanted, result


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish")
def test_fish_keeps_the_keywords_of_both_ends_apart(tmp_path):
    command = f"set -p fish_complete_path {ROOT}/completions/fish; for i in 1 2\n" + "".join(
        f"for word in (complete -C '{name} -o '); echo {name} $word; end\n" for name in ("ssh", "sshd")
    ) + "end"
    result = run(["fish", "--no-config", "-c", command], env=environment(tmp_path), cwd=tmp_path)
    words = [line.split("\t")[0] for line in result.stdout.decode().splitlines()]
    for line, times in [("ssh BatchMode=yes", 2), ("sshd AcceptEnv=", 2), ("ssh AcceptEnv=", 0), ("sshd BatchMode=yes", 0)]:
        assert words.count(line) == times, (line, result)


@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh")
@pytest.mark.parametrize("line,wanted", CASES + [("ssh -o ControlMaster=au", {"auto", "autoask"})])
def test_zsh(tmp_path, line, wanted):
    variables = environment(tmp_path)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execvpe("zsh", ["zsh", "-f", "-i"], variables)
    seen = ""

    def read_until(pattern, seconds=20):
        nonlocal seen
        end = time.monotonic() + seconds
        while time.monotonic() < end and not re.search(pattern, seen):
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    seen += os.read(terminal, 65536).decode(errors="replace")
                except OSError:
                    break
        assert re.search(pattern, seen), seen

    try:
        os.write(terminal, f"fpath=({ROOT}/completions/zsh $fpath)\n".encode())
        os.write(terminal, b"autoload -Uz compinit; compinit -u -D; echo rea''dy\n")
        read_until("\nready|ready\r")
        seen = ""
        # Twice: the second shows the list when there are several.
        os.write(terminal, line.encode() + b"\t\t")
        for word in wanted:
            read_until(re.escape(word))
    finally:
        os.close(terminal)
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def test_hosts(complete):
    assert complete("ssh al") == ["alfred ", "alpha "]
    assert complete("ssh -p 22 de") == ["delta "]
    assert complete("ssh ep") == ["epsilon "]
    assert complete("ssh 10.") == ["10.9.8.7 "]
    # Behind a user, and in a list of jump hosts.
    assert complete("ssh me@be") == ["me@beta "]
    assert complete("ssh -J alpha,be") == ["alpha,beta "]
    assert "alpha" not in " ".join(complete("ssh nowhere al"))
    # Hashed names, revoked keys and patterns are no hosts.
    assert not [host for host in complete("ssh ") if host[0] in "*!|@#z"]


def test_hosts_of_another_configuration(complete, tmp_path):
    (tmp_path / "other").write_text("Host omega\n")
    assert complete(f"ssh -F {tmp_path}/other om") == ["omega "]
    assert complete("ssh om") == []


def test_options(complete):
    assert {"-J ", "-L ", "-G "} <= set(complete("ssh -"))
    assert complete("scp --a") == ["--atomic "]
    assert "-Y " in complete("ssh-keygen -")
    # The other end's letters of a copy are not offered.
    assert "-t " not in complete("scp -")


def test_values(complete):
    assert complete("ssh -O ch") == ["check ", "channels "]
    assert complete("ssh-keygen -t ed") == ["ed25519 ", "ed25519-sk "]
    assert complete("ssh-keygen -Y ver") == ["verify "]
    # Attached, and behind other letters.
    assert complete("ssh -Och") == ["-Ocheck ", "-Ochannels "]
    assert complete("ssh -vO st") == ["stop "]
    assert complete("ssh -c aes128-g") == ["aes128-gcm@openssh.com "]


def test_keywords_and_their_values(complete):
    assert complete("ssh -o controlm", breaks=" ") == ["ControlMaster="]
    assert complete("ssh -o ControlMaster=aut", breaks=" ") == [
        "ControlMaster=auto ", "ControlMaster=autoask ",
    ]
    assert complete("scp -oStrictHostKeyChecking=acc", breaks=" ") == [
        "-oStrictHostKeyChecking=accept-new ",
    ]
    assert complete("sshd -o PermitRootLogin=proh", breaks=" ") == [
        "PermitRootLogin=prohibit-password ",
    ]
    # Names of algorithms, also as a list and as a change of the default.
    assert set(complete("ssh -o Ciphers=aes128-c", breaks=" ")) == {
        "Ciphers=aes128-ctr", "Ciphers=aes128-cbc",
    }
    assert complete("ssh -o Ciphers=aes128-ctr,chacha", breaks=" ") == [
        "Ciphers=aes128-ctr,chacha20-poly1305@openssh.com",
    ]
    assert complete("ssh -o MACs=-umac-64@", breaks=" ") == ["MACs=-umac-64@openssh.com"]


def test_where_bash_splits_at_a_colon_only_the_rest_is_given(complete):
    assert complete("ssh -o ControlMaster=aut") == ["auto ", "autoask "]


def test_every_algorithm_and_program_name_is_known(complete):
    for program in ["ssh", "scp", "sftp", "ssh-keygen", "ssh-agent", "ssh-add", "ssh-keyscan", "sshd"]:
        assert complete(f"{program} -"), program


def test_copies_offer_files_and_hosts(complete):
    assert complete("scp al") == ["alfred:", "alpha:", "alone.txt "]
    assert complete("scp ./al") == ["./alone.txt "]
    assert complete("scp fol") == ["folder/"]
    assert complete("sftp be") == ["beta "]


def test_files_over_a_master_and_never_without(complete, serve, key, home, tmp_path):
    server = serve(OURS)
    config = server.client_config(key, ControlPath=home / "ctl")
    there = tmp_path / "there"
    (there / "sub folder").mkdir(parents=True)
    for name in ["one", "other", ".hidden"]:
        (there / name).touch()
    line = f"scp -F {config} 127.0.0.1:{there}/o"
    # No master: no connection is made.
    # (The one that is there is that of the fixture, which asks whether the server answers.)
    wait_until(lambda: "Connection closed" in server.log_text(), "the fixture's connection")
    assert complete(line, breaks=" ") == []
    assert server.log_text().count("Connection from") == 1
    opened = run([OURS.ssh, "-F", config, "-M", "-Nnf", "127.0.0.1"])
    assert opened.returncode == 0, opened.stderr
    try:
        wait_until((home / "ctl").exists, "the control socket")
        prefix = f"127.0.0.1:{there}/"
        assert complete(line, breaks=" ") == [prefix + "one ", prefix + "other "]
        assert complete(f"scp -F {config} {prefix}s", breaks=" ") == [prefix + "sub\\ folder/"]
        assert complete(f"scp -F {config} {prefix}.h", breaks=" ") == [prefix + ".hidden "]
        assert complete(line) == [f"{there}/one ", f"{there}/other "]
        assert server.log_text().count("Accepted publickey") == 1
    finally:
        run([OURS.ssh, "-F", config, "-O", "exit", "127.0.0.1"])


# MARK: Tab in a shell of each kind

SHELLS = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        f"bind 'set enable-bracketed-paste off'; PS1='% '; source {ROOT}/completions/bash/hawser",
    ),
    "zsh": (
        ["zsh", "-f", "-i"],
        f"PS1='% '; fpath=({ROOT}/completions/zsh $fpath); autoload -Uz compinit; compinit -u -D",
    ),
    "fish": (
        ["fish", "--no-config", "-i"],
        f"set -p fish_complete_path {ROOT}/completions/fish; function fish_prompt; echo -n '% '; end",
    ),
}


class Shell:
    """An interactive shell with our completions, at a terminal of its own."""

    def __init__(self, name, variables, folder):
        words, setup = SHELLS[name]
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(words[0], words, variables)
        self.seen = ""
        self.type(setup + "; echo rea''dy\r")
        self.read_until(r"[\r\n]ready")

    def type(self, text):
        os.write(self.terminal, text.encode())

    def read_until(self, pattern, seconds=20):
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.seen)):
            assert time.monotonic() < end, self.seen
            if select.select([self.terminal], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.terminal, 65536).decode(errors="replace")
                except OSError:
                    break
        assert found, self.seen
        self.seen = self.seen[found.end():]
        return found

    def completed(self, line):
        """The words that the line has become after one Tab, as a program would get them."""
        self.type(line + "\t")
        # The shell asks ssh; what is typed meanwhile waits.
        self.type("\x01printf '<%s>' begin \x05 end\r")
        self.read_until(r"<begin>")
        return re.findall("<([^>]*)>", self.read_until(r"(?:<[^>]*>)*<end>")[0])[:-1]

    def close(self):
        os.close(self.terminal)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)


@pytest.fixture(params=list(SHELLS))
def shell(request, tmp_path):
    if not shutil.which(request.param):
        pytest.skip(f"no {request.param}")
    variables = environment(tmp_path)
    (tmp_path / "user/.ssh/config").write_text(
        "Host alpha beta *.example\nInclude more.d/*\nhost = delta\n"
    )
    (tmp_path / "user/.ssh/more.d").mkdir()
    (tmp_path / "user/.ssh/more.d/one").write_text("Host epsilon\n  Port 22\n")
    (tmp_path / "other").write_text("Host omega\n")
    shells = []

    def start():
        shells.append(Shell(request.param, variables, tmp_path))
        return shells[-1]

    yield start
    for each in shells:
        each.close()


@pytest.mark.parametrize("line,words", [
    ("ssh alp", ["ssh", "alpha"]),
    ("ssh me@be", ["ssh", "me@beta"]),
    ("ssh -J alpha,be", ["ssh", "-J", "alpha,beta"]),
    ("ssh gam", ["ssh", "gamma"]),
    ("ssh del", ["ssh", "delta"]),
    ("ssh eps", ["ssh", "epsilon"]),
    ("ssh -p 22 -v eps", ["ssh", "-p", "22", "-v", "epsilon"]),
    ("ssh -F other om", ["ssh", "-F", "other", "omega"]),
    ("ssh -Q key-pl", ["ssh", "-Q", "key-plain"]),
    ("ssh -O conn", ["ssh", "-O", "conninfo"]),
    ("ssh -c chacha", ["ssh", "-c", "chacha20-poly1305@openssh.com"]),
    ("ssh -o WarnWeakCrypto=no-", ["ssh", "-o", "WarnWeakCrypto=no-pq-kex"]),
    ("ssh -o warnweakcrypto=no-", ["ssh", "-o", "warnweakcrypto=no-pq-kex"]),
    ("scp -o StrictHostKeyChecking=acc", ["scp", "-o", "StrictHostKeyChecking=accept-new"]),
    ("sshd -o PermitRootLogin=proh", ["sshd", "-o", "PermitRootLogin=prohibit-password"]),
    ("ssh -o KexAlgorithms=mlkem768x", ["ssh", "-o", "KexAlgorithms=mlkem768x25519-sha256"]),
    ("ssh -o Ciphers=aes128-ctr,chac", ["ssh", "-o", "Ciphers=aes128-ctr,chacha20-poly1305@openssh.com"]),
    ("ssh -o Ciphers=+3des", ["ssh", "-o", "Ciphers=+3des-cbc"]),
    ("ssh-keygen -Y find-p", ["ssh-keygen", "-Y", "find-principals"]),
    ("sftp bet", ["sftp", "beta"]),
])
def test_a_tab_completes(shell, line, words):
    got = shell().completed(line)
    # fish writes a keyword as it is.
    assert [word.lower() for word in got] == [word.lower() for word in words], line


@pytest.mark.parametrize("line,words", [
    ("ssh -o ControlPers", ["ssh", "-o", "ControlPersist="]),
    ("ssh -o controlpers", ["ssh", "-o", "ControlPersist="]),
    ("sshd -o Authenticationm", ["sshd", "-o", "AuthenticationMethods="]),
    ("scp bet", ["scp", "beta:"]),
])
def test_a_tab_leaves_the_word_open(shell, line, words):
    """The next letter goes on with it."""
    at = shell()
    at.type(line + "\t")
    got = at.completed("x")
    assert got == words[:-1] + [words[-1] + "x"]


def test_a_tab_asks_a_master_for_files_there(shell, serve, key, home, tmp_path):
    there = home / "there"
    (there / "deep/sub folder").mkdir(parents=True)
    for name in ["one file", "two", ".hidden", "deep/three"]:
        (there / name).touch()
    # What is relative there is not here, so that nobody takes files of this machine.
    server = serve(OURS, f'ForceCommand cd {there} && eval "$SSH_ORIGINAL_COMMAND"')
    config = server.client_config(key, ControlPath=home / "ctl")
    port = server.port
    opened = run([OURS.ssh, "-F", config, "-M", "-Nnf", "127.0.0.1"])
    assert opened.returncode == 0, opened.stderr
    try:
        wait_until((home / "ctl").exists, "the control socket")
        for typed, word in [
            (f"scp -F {config} 127.0.0.1:tw", "127.0.0.1:two"),
            (f"scp -F{config} -P {port} 127.0.0.1:o", "127.0.0.1:one file"),
            (f"scp -F {config} 127.0.0.1:.h", "127.0.0.1:.hidden"),
            (f"scp -F {config} file root@127.0.0.1:tw", "root@127.0.0.1:two"),
            (f"sftp -F {config} 127.0.0.1:deep/th", "127.0.0.1:deep/three"),
            (f"scp -F {config} 127.0.0.1:{there}/deep/th", f"127.0.0.1:{there}/deep/three"),
        ]:
            assert shell().completed(typed)[-1:] == [word], typed
        at = shell()
        at.type(f"scp -F {config} 127.0.0.1:deep/s\t")
        assert at.completed("x")[-1] == "127.0.0.1:deep/sub folder/x"
        at = shell()
        at.type(f"scp -F {config} 127.0.0.1:d\t")
        assert at.completed("th")[-1] == "127.0.0.1:deep/three"
        assert server.log_text().count("Accepted publickey") == 1
    finally:
        run([OURS.ssh, "-F", config, "-O", "exit", "127.0.0.1"])
