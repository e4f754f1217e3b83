# SPDX-License-Identifier: Apache-2.0
"""ssh_config(5) and sshd_config(5) as OpenSSH reads them: the same text, read by both, must show the
same with `ssh -G` and `sshd -T`, up to the differences between 9.2 and 10.5 that are listed here."""
import json
import os
import re
import socket
import subprocess

import pytest
from conftest import OPENSSH, OURS, OURS_ONLY, run
from configurations import CLIENT, SERVER, Maker

COUNT = int(os.environ.get("HAWSER_CONFIGURATIONS", "2000"))

# What only one of the two shows, or shows with another default.
CLIENT_DIFFERS = {
    "gssapikeyexchange", "gssapitrustdns", "gssapirenewalforcesrekey", "gssapikexalgorithms",
    "gssapiclientidentity", "gssapiserveridentity", "warnweakcrypto", "obscurekeystroketiming",
    "revokedhostkeys", "channeltimeout", "logverbose",
}
# Defaults of 9.2 and of 10.5 (and of Debian and of us).
CLIENT_DEFAULTS = {
    "forwardx11trusted": ("yes", "no"),
    "ipqos": ("lowdelay throughput", "ef cs0"),
}
LISTS = {
    "ciphers", "hostkeyalgorithms", "hostbasedacceptedalgorithms", "kexalgorithms", "macs",
    "casignaturealgorithms", "pubkeyacceptedalgorithms",
}
SERVER_DIFFERS = {
    "gssapikeyexchange", "gssapistorecredentialsonrekey", "gssapikexalgorithms", "pamservicename",
    "gssapidelegatecredentials", "refuseconnection", "persourcepenalties", "persourcepenaltyexemptlist",
    "rdomain", "logverbose", "hostkey",
}


def lines_of(text, differs, defaults, base_lists):
    result = []
    for line in text.decode(errors="replace").split("\n"):
        keyword, _, value = line.partition(" ")
        if not keyword or keyword in differs:
            continue
        # Classes of service that mean nothing any more.
        if keyword == "ipqos":
            value = re.sub("lowdelay|throughput|reliability", "none", value)
        if keyword in defaults and value in [
            re.sub("lowdelay|throughput|reliability", "none", v) for v in defaults[keyword]
        ]:
            continue
        if keyword in LISTS and value == base_lists.get(keyword):
            continue
        # 9.2 shows a local forwarding to a Unix socket as a dynamic one as well.
        if line == "dynamicforward 83":
            continue
        # Debian's, for BatchMode.
        if line == "serveraliveinterval 300":
            value = "0"
        if keyword == "identityfile" and re.match("~/.ssh/id_", value):
            continue
        if keyword == "permitrootlogin":
            value = value.replace("prohibit-password", "without-password")
        # 10.5 shows a default that 9.2 leaves out.
        if line == "channeltimeout none":
            continue
        if keyword == "pidfile":
            value = value.replace("/var/run/", "/run/")
        result.append(f"{keyword} {value}")
    return result


def mistakes_of(text):
    """Places and what is wrong there."""
    result = set()
    for line in text.decode(errors="replace").replace("\r", "").split("\n"):
        match = re.match(r".*?:? line (\d+): (.*)", line)
        if match:
            result.add((int(match[1]), re.sub(r" \([A-Za-z0-9]+\?\)$", "", match[2]).strip()))
    return result


def base(suite, command):
    result = run(command)
    assert result.returncode == 0, (suite, result.stderr)
    return {
        line.partition(" ")[0]: line.partition(" ")[2]
        for line in result.stdout.decode().split("\n")
    }


@pytest.mark.parametrize("part", range(10))
def test_ssh_g_like_openssh(part, tmp_path, accepted_by_ssh):
    file = tmp_path / "config"
    empty = tmp_path / "empty"
    empty.write_text("")
    bases = {s: base(s, [s.ssh, "-G", "-F", empty, "a"]) for s in (OURS, OPENSSH)}
    differences = []
    for seed in range(part * COUNT // 10, (part + 1) * COUNT // 10):
        text = Maker(seed, accepted_by_ssh).client()
        file.write_text(text, newline="")
        shown, statuses, wrong = {}, {}, {}
        for suite in (OURS, OPENSSH):
            result = run([suite.ssh, "-G", "-F", file, "a"])
            statuses[suite] = result.returncode
            shown[suite] = lines_of(
                result.stdout, CLIENT_DIFFERS, CLIENT_DEFAULTS, bases[suite]
            )
            wrong[suite] = mistakes_of(result.stderr)
        if statuses[OURS] != statuses[OPENSSH] or shown[OURS] != shown[OPENSSH]:
            differences.append(difference(seed, text, shown, statuses, wrong))
        elif not {n for n, _ in wrong[OPENSSH]} <= {n for n, _ in wrong[OURS]}:
            differences.append(difference(seed, text, shown, statuses, wrong))
    assert not differences, "\n".join(differences[:12]) + f"\n{len(differences)} differ"


def difference(seed, text, shown, statuses, wrong):
    if statuses[OURS] != statuses[OPENSSH]:
        shown = {OURS: [], OPENSSH: []}
    ours = [line for line in shown[OURS] if line not in shown[OPENSSH]]
    theirs = [line for line in shown[OPENSSH] if line not in shown[OURS]]
    return (
        f"seed {seed}: statuses {statuses[OURS]} {statuses[OPENSSH]}\n{text}\n"
        f"only ours: {ours} {sorted(wrong[OURS] - wrong[OPENSSH])}\n"
        f"only OpenSSH's: {theirs} {sorted(wrong[OPENSSH] - wrong[OURS])}\n"
    )


SUBJECTS = [
    [],
    ["-C", "user=root,host=h.example,addr=10.0.0.5,laddr=127.0.0.1,lport=22,rdomain=r"],
    ["-C", "user=a,host=x,addr=2001:db8::1,laddr=::1,lport=23,rdomain=q"],
]


@pytest.mark.parametrize("part", range(10))
def test_sshd_t_like_openssh(part, tmp_path, host_key, accepted_by_sshd):
    file = tmp_path / "config"
    file.write_text(f"HostKey {host_key}\n")
    bases = {s: base(s, [s.sshd, "-T", "-f", file]) for s in (OURS, OPENSSH)}
    differences = []
    for seed in range(part * COUNT // 10, (part + 1) * COUNT // 10):
        maker = Maker(seed, accepted_by_sshd)
        text = f"HostKey {host_key}\n" + maker.server()
        file.write_text(text, newline="")
        subject = maker.random.choice(SUBJECTS)
        if "localport" in text and not subject:
            subject = SUBJECTS[1]
        shown, statuses, wrong = {}, {}, {}
        for suite in (OURS, OPENSSH):
            result = run([suite.sshd, "-T", "-f", file, *subject], cwd=tmp_path)
            statuses[suite] = result.returncode
            shown[suite] = lines_of(
                result.stdout,
                SERVER_DIFFERS,
                {"ipqos": CLIENT_DEFAULTS["ipqos"]},
                bases[suite],
            )
            wrong[suite] = mistakes_of(result.stderr)
        if listed(text):
            continue
        if statuses[OURS] != statuses[OPENSSH] or shown[OURS] != shown[OPENSSH]:
            differences.append(difference(seed, text + str(subject), shown, statuses, wrong))
    assert not differences, "\n".join(differences[:12]) + f"\n{len(differences)} differ"


def listed(text):
    """What 10.5 does otherwise than 9.2."""
    lower = text.lower()
    # The first MaxStartups and IPQoS count, no longer the last. `any` stands alone in its own line.
    return any(
        lower.count(word) > 1 for word in ("maxstartups", "authenticationmethods", "ipqos")
    )


@pytest.fixture(scope="session")
def host_key(tmp_path_factory):
    path = tmp_path_factory.mktemp("host") / "key"
    assert run([OPENSSH.ssh_keygen, "-q", "-t", "ed25519", "-N", "", "-f", path]).returncode == 0
    return path


def accepted(table, folder, command):
    """The keywords and values that OpenSSH takes without a mistake."""
    file = folder / "one"
    result = set()
    for keyword, values in table.items():
        for value in values:
            file.write_text(f"{keyword} {value}\n")
            if run([*command, file] + (["a"] if "-G" in command else [])).returncode == 0:
                result.add((keyword, value))
    return result


@pytest.fixture(scope="session")
def accepted_by_ssh(tmp_path_factory):
    return accepted(CLIENT, tmp_path_factory.mktemp("ssh"), [OPENSSH.ssh, "-G", "-F"])


@pytest.fixture(scope="session")
def accepted_by_sshd(tmp_path_factory, host_key):
    return accepted(
        SERVER, tmp_path_factory.mktemp("sshd"), [OPENSSH.sshd, "-h", host_key, "-T", "-f"]
    )


CONFIG = """Host foo
  User a
  IdentityFile /x
Match host foo
  User b
IdentityFile /y
"""


def test_explain(tmp_path):
    file = tmp_path / "config"
    file.write_text(CONFIG)
    command = [OURS.ssh, "-G", "-F", file, "-o", "Port=7", "-C", "foo"]
    plain = run(command).stdout.decode()
    shown = run(command[:2] + ["--origin"] + command[2:]).stdout.decode()
    # The explanation is a comment, and what it explains is the same.
    assert "".join(x + "\n" for x in shown.splitlines() if not x.startswith("#")) == plain
    before = dict(zip(shown.splitlines()[1:], shown.splitlines()))
    assert before["user a"] == f"# {file}:2, Host foo"
    assert f"#   hides {file}:5, Match host foo" in shown
    assert before["port 7"] == "# command line, -o"
    assert before["compression yes"] == "# command line"
    assert before["identityfile /y"] == f"# {file}:6, Match host foo"
    assert before["batchmode no"] == "# default"
    told = json.loads(run(command[:2] + ["--json"] + command[2:]).stdout)
    origin = {"kind": "file", "file": str(file), "line": 2, "block": "Host foo"}
    assert told["user"]["values"] == [{"value": "a", "origin": origin}]
    assert told["user"]["hides"][0]["line"] == 5
    assert told["batchmode"]["values"][0]["origin"] == {"kind": "default"}


@OURS_ONLY
def test_long_options_stand_where_options_may(tmp_path, serve, key):
    file = tmp_path / "config"
    file.write_text(CONFIG)
    for words in [["--json", "-G", "foo"], ["-G", "foo", "--json"], ["foo", "-G", "--json"]]:
        assert "user" in json.loads(run([OURS.ssh, "-F", file, *words]).stdout), words
    for words in [["-O", "list", "--json"], ["--json", "-O", "list"], ["-Olist", "--json"]]:
        assert isinstance(json.loads(run([OURS.ssh, "-F", file, *words]).stdout), list), words
    # A command's words are its own.
    config = serve(OURS).client_config(key)
    for words in [["-G", "--json"], ["-O", "list", "--json", "--origin"]]:
        result = run([OURS.ssh, "-F", config, "127.0.0.1", "echo", *words])
        assert (result.returncode, result.stdout.decode().split()) == (0, words), result.stderr
    result = run([OURS.ssh, "-F", config, "--json", "127.0.0.1", "true"])
    assert result.returncode == 255 and result.stderr.startswith(b"unknown option -- -\r\n")


def test_explain_sshd(tmp_path, host_key):
    file = tmp_path / "config"
    file.write_text(f"HostKey {host_key}\nBanner /a\nMatch user x\nBanner /b\nBanner /c\n")
    command = [OURS.sshd, "-T", "-f", file, "-C", "user=x"]
    shown = run([*command, "--origin"]).stdout.decode().splitlines()
    place = shown.index("banner /b")
    assert shown[place - 1] == f"# {file}:4, Match user x"
    assert shown[place + 1 : place + 3] == [
        f"#   hides {file}:5, Match user x",
        f"#   hides {file}:2",
    ]
    told = json.loads(run([*command, "--json"]).stdout)
    assert told["banner"]["values"][0]["origin"]["line"] == 4
    assert told["maxauthtries"]["values"][0] == {"value": "6", "origin": {"kind": "default"}}


@pytest.mark.parametrize(
    "content, message",
    [
        (b"\x00\xff\xfe junk\n", "line 1: Bad configuration option: "),
        (b"User " + b"x " * 500_000 + b"\n", "line 1: keyword user extra arguments"),
        (b"U" * 1_000_000 + b"\n", "line 1: no argument after keyword"),
        (b'User "open\n', "line 1: invalid quotes"),
        (b"ControlMastr yes\n", "(ControlMaster?)"),
        (b"Port 1\nMatch zz\n", "line 2: Bad Match condition"),
    ],
    ids=["binary", "long arguments", "long word", "quote", "misspelt", "match"],
)
def test_bad_files(tmp_path, content, message):
    file = tmp_path / "config"
    file.write_bytes(content)
    result = run([OURS.ssh, "-G", "-F", file, "a"])
    assert result.returncode == 255
    assert message.encode() in result.stderr
    assert b"terminating, 1 bad configuration options" in result.stderr


@pytest.mark.parametrize(
    "content, message",
    [
        (b"\x01\xff\xfe junk\n", "line 1: Bad configuration option: \\001"),
        (b"U" * 1_000_000 + b" x\n", "line 1: Bad configuration option: UUUU"),
        (b'Banner "open\n', "line 1: invalid quotes"),
        (b"Prot 22\n", "line 1: Bad configuration option: Prot (Port?)"),
        (b"Match zz\n", "line 1: Bad Match condition"),
        (b"PermitRotLogin no\n", "(PermitRootLogin?)"),
    ],
    ids=["binary", "long word", "quote", "misspelt", "match", "issue"],
)
def test_bad_files_of_sshd(tmp_path, content, message):
    file = tmp_path / "config"
    file.write_bytes(content)
    result = run([OURS.sshd, "-t", "-f", file])
    assert result.returncode == 255
    assert message.encode() in result.stderr and str(file).encode() in result.stderr
    assert b"terminating, 1 bad configuration options" in result.stderr


def test_a_megabyte_in_one_value(tmp_path, host_key):
    file = tmp_path / "config"
    value = "x" * 1_000_000
    file.write_text(f"HostKey {host_key}\nBanner /{value}\n")
    assert f"\nbanner /{value}\n".encode() in run([OURS.sshd, "-T", "-f", file]).stdout
    file.write_text(f"HostName {value}\n")
    assert f"\nhostname {value}\n".encode() in run([OURS.ssh, "-G", "-F", file, "a"]).stdout


def test_what_a_file_says_cannot_steer_a_terminal(tmp_path):
    file = tmp_path / "config"
    file.write_bytes(b"\x1b]0;title\x07 x\nUser \x1b[2J y\n")
    for command in ([OURS.ssh, "-G", "-F", file, "a"], [OURS.sshd, "-t", "-f", file]):
        result = run(command)
        assert result.returncode == 255
        assert b"\x1b" not in result.stderr and re.search(rb"\\033]0;title\\(007|a)", result.stderr)


def test_included_folders_are_passed_over(tmp_path, host_key):
    folder = tmp_path / "more"
    (folder / "sub").mkdir(parents=True)
    (folder / "one").write_text("Port 77\n")
    file = tmp_path / "config"
    for suite in (OPENSSH, OURS):
        file.write_text(f"Include {folder}/*\n")
        result = run([suite.ssh, "-G", "-F", file, "a"])
        assert result.returncode == 0 and b"\nport 77\n" in result.stdout, result.stderr
        file.write_text(f"Include {folder}/*\nHostKey {host_key}\n")
        result = run([suite.sshd, "-T", "-f", file])
        assert result.returncode == 0 and b"port 77\n" in result.stdout, result.stderr


def test_files_that_one_may_not_read(home, account, host_key):
    name, _ = account
    home.chmod(0o755)
    (home / "secret").write_text("Port 77\n")
    (home / "secret").chmod(0)
    file = home / "config"
    file.write_text(f"Include {home}/secret\nInclude {home}/absent\n")
    file.chmod(0o644)
    for command in (f"{OURS.ssh} -G -F {file} a", f"{OURS.sshd} -t -f {file}"):
        result = run(["su", name, "-s", "/bin/sh", "-c", command])
        assert result.returncode == 255
        assert f"{file} line 1: " in result.stderr.decode()
        assert f"{home}/secret: Permission denied" in result.stderr.decode()
        assert b"absent" not in result.stderr
    for command in (f"{OURS.ssh} -G -F {home}/secret a", f"{OURS.sshd} -t -f {home}/secret"):
        result = run(["su", name, "-s", "/bin/sh", "-c", command])
        assert result.returncode != 0
        assert f"{home}/secret: Permission denied" in result.stderr.decode()


def test_none_is_no_file(host_key):
    for suite in (OPENSSH, OURS):
        result = run([suite.sshd, "-T", "-f", "none", "-h", host_key, "-o", "Port=5"])
        assert result.returncode == 0 and b"port 5\n" in result.stdout, result.stderr


def test_ten_thousand_blocks(tmp_path, host_key, key, me, serve):
    """Each is for someone; the last is for who logs in."""
    blocks = "".join(
        f"Match User u{number} Address 10.{number % 200}.0.0/16\nBanner /b{number}\nX11Forwarding no\n"
        for number in range(10_000)
    )
    file = tmp_path / "config"
    file.write_text(f"HostKey {host_key}\n{blocks}Match User {me}\nSetEnv LAST=yes\n")
    result = run([OURS.sshd, "-T", "-f", file, "-C", "user=u777,host=a,addr=10.177.1.1"])
    assert b"\nbanner /b777\n" in result.stdout, result.stderr
    peer = serve(OURS, *blocks.splitlines(), f"Match User {me}", "SetEnv LAST=yes")
    result = run([OPENSSH.ssh, "-F", peer.client_config(key), "127.0.0.1", "echo $LAST"])
    assert (result.returncode, result.stdout) == (0, b"yes\n"), result.stderr
    lines = "".join(f"Match host h{n} user u\nPort {n % 60000 + 1}\n" for n in range(10_000))
    file.write_text(lines + "Match originalhost a\nPort 7\n")
    assert b"\nport 7\n" in run([OURS.ssh, "-G", "-F", file, "a"]).stdout


@pytest.mark.parametrize("suite", [OPENSSH, OURS], ids=lambda suite: suite.name)
@pytest.mark.parametrize(
    "pattern, user",
    [
        ("~/more", "one"),
        ('"~/more"', "one"),
        ("~/m*", "one"),
        ("~/nope ~/more", "one"),
        ("~root/..{home}/more", "one"),
        ("~no-such-user/more", None),
    ],
)
def test_a_tilde_of_an_include_is_home(tmp_path, suite, pattern, user):
    """That of the environment (glob(3)), not that of the account as elsewhere."""
    (tmp_path / "more").write_text("User one\n")
    config = tmp_path / "config"
    config.write_text(f"Include {pattern.format(home=tmp_path)}\n")
    result = run([suite.ssh, "-G", "-F", config, "h"], env=dict(os.environ, HOME=str(tmp_path)))
    assert result.returncode == 0, result.stderr
    assert (b"user one\n" in result.stdout) == (user is not None)


def test_a_file_that_includes_itself(tmp_path):
    file = tmp_path / "config"
    file.write_text(f"Include {file}\n")
    for command in ([OURS.ssh, "-G", "-F", file, "a"], [OURS.sshd, "-t", "-f", file]):
        result = run(command)
        assert result.returncode == 255
        assert result.stderr.count(b"Too many recursive configuration includes") == 1


def test_an_included_file_that_others_may_write(tmp_path):
    (tmp_path / "inner").write_text("User x\n")
    (tmp_path / "inner").chmod(0o666)
    (tmp_path / "config").write_text(f"Include {tmp_path}/inner\n")
    result = run([OURS.ssh, "-G", "-F", tmp_path / "config", "a"])
    assert result.returncode == 255
    assert b"Bad owner or permissions on" in result.stderr


def test_no_such_file(tmp_path):
    result = run([OURS.ssh, "-G", "-F", tmp_path / "none", "a"])
    assert result.returncode == 255
    assert b"Can't open user config file" in result.stderr
    assert b"No such file or directory" in result.stderr


def test_every_mistake_is_listed(tmp_path, host_key):
    file = tmp_path / "config"
    file.write_text("PermitRotLogin no\nPort x\nMatch user a\nPort 1\n")
    result = run([OURS.sshd, "-t", "-f", file])
    assert result.returncode == 255
    text = result.stderr.decode()
    assert f"{file}: line 1: Bad configuration option: PermitRotLogin (PermitRootLogin?)" in text
    assert f"{file} line 2: Badly formatted port number." in text
    assert f"{file} line 4: Directive 'Port' is not allowed within a Match block" in text


@pytest.mark.parametrize("address", [
    "2001:DB8::0001", "0:0:0:0:0:0:0:1", "127.1", "::ffff:1.2.3.4", "[::1]", "[::1]:23", "localhost", "*",
    "0", "127.0.0.1:77",
])
def test_addresses_are_shown_as_the_resolver_writes_them(address, tmp_path, host_key):
    file = tmp_path / "config"
    file.write_text(f"ListenAddress {address}\nHostKey {host_key}\n")
    shown = [
        [line for line in run([suite.sshd, "-T", "-f", file]).stdout.decode().splitlines()
         if line.startswith("listenaddress ")]
        for suite in (OURS, OPENSSH)
    ]
    assert shown[0] == shown[1] and shown[0]


@pytest.mark.parametrize("options", [["-p", "99"], ["-p", "98", "-o", "Port=97", "-p", "96"], ["-o", "Port=95"]])
def test_ports_of_the_command_line_replace_those_of_all_files(options, tmp_path, host_key):
    file, more = tmp_path / "config", tmp_path / "more"
    more.write_text("Port 77\n")
    file.write_text(f"Include {more}\nPort 78\nHostKey {host_key}\n")
    shown = [
        [line for line in run([suite.sshd, "-T", *options, "-f", file]).stdout.decode().splitlines()
         if line.startswith("port ") or line.startswith("listenaddress ")]
        for suite in (OURS, OPENSSH)
    ]
    assert shown[0] == shown[1] and shown[0]


@pytest.mark.parametrize("suite", [OPENSSH, OURS], ids=lambda suite: suite.name)
@pytest.mark.parametrize("hop", [
    "a;b", "a`b", "user$(x)@h", "-x", "h|x", "u;v@h", "a\\b", "ssh://u@h:22", "ssh://u@h", "h:22", "[::1]:22",
    "u@[::1]", "a,,b", "h:0", "h:x", "@h", "u@", ",a", "none", "a/b", "h*", "a,h",
])
def test_jump_hosts(suite, hop, tmp_path):
    """What could harm a shell is taken from a file, but not from the command line."""
    file = tmp_path / "config"
    file.write_text(f"ProxyJump {hop}\n")

    def outcome(*words):
        result = run([suite.ssh, "-G", *words, "target"])
        shown = re.findall(r"^proxyjump .*", result.stdout.decode(), re.M)
        said = [line.strip() for line in result.stderr.decode().splitlines() if "nvalid" in line]
        return result.returncode, shown, said

    wrong = hop in ("a,,b", "h:0", "h:x", "@h", "u@", ",a", "a/b")
    harmful = hop[:1] == "-" or any(sign in hop for sign in ";`$|\\")
    plain = [] if hop == "none" else [f"proxyjump {hop.removeprefix('ssh://')}"]
    expected = (255, []) if wrong else (0, plain)
    assert outcome("-F", file)[:2] == expected
    status, shown, said = outcome("-F", "none", "-J", hop)
    assert (status, shown) == ((255, []) if wrong or harmful else (0, plain))
    if wrong or harmful:
        assert said[-1] == "Invalid -J argument"
    if harmful:
        assert said[0].startswith("parse_jump: invalid ")
    status, shown, said = outcome("-F", "none", "-o", f"ProxyJump={hop}")
    assert (status, shown) == ((255, []) if wrong or harmful else (0, plain))


@pytest.mark.parametrize("suite", [OPENSSH, OURS], ids=lambda suite: suite.name)
@pytest.mark.parametrize("order", [("ProxyJump", "ProxyCommand"), ("ProxyCommand", "ProxyJump")])
@pytest.mark.parametrize("where", ["file", "options", "both"])
def test_the_first_of_a_jump_and_a_command_counts(suite, order, where, tmp_path):
    file = tmp_path / "config"
    lines = [f"{name} {'hop' if name == 'ProxyJump' else 'nc %h %p'}" for name in order]
    words = ["-F", file]
    if where == "file":
        file.write_text("\n".join(lines) + "\n")
    elif where == "options":
        file.write_text("")
        words += ["-o", lines[0], "-o", lines[1]]
    else:
        file.write_text(lines[1] + "\n")
        words += ["-o", lines[0]]
    shown = run([suite.ssh, "-G", *words, "target"]).stdout.decode()
    found = re.findall(r"^(?:proxyjump|proxycommand) .*", shown, re.M)
    assert found == [lines[0].lower()]


@pytest.mark.parametrize("jump,host", [
    ("hop", "hop"), ("u@hop:2222", "hop"), ("ssh://u@hop:2222", "hop"), ("a,ssh://b:23", "b"), ("a,[::1]:22", "::1"),
    ("none", ""),
])
def test_the_token_of_the_last_jump_host(jump, host, tmp_path):
    """`%j`, which OpenSSH 9.2 does not know."""
    file = tmp_path / "config"
    file.write_text(f'ProxyJump {jump}\nMatch exec "test \'%j\' = \'{host}\'"\n  User found\n')
    for words in (["-F", file], ["-F", file, "-J", jump]):
        shown = run([OURS.ssh, "-G", *words, "-o", "ControlPath=/x/%j", "target"]).stdout.decode()
        assert f"controlpath /x/{host}\n" in shown
        assert "user found\n" in shown


@pytest.mark.parametrize("jump", ["ssh://u@hop:2222/", "a,ssh://b/", "SSH://hop", "ssh://[::1]:22"])
def test_jump_hosts_as_addresses_are_read_again(jump, tmp_path):
    """OpenSSH 9.2 shows the slash at the end, or refuses these; what it shows it does not read again."""
    shown = run([OURS.ssh, "-G", "-F", "none", "-J", jump, "target"])
    assert shown.returncode == 0
    (tmp_path / "config").write_bytes(b"Host target\n" + shown.stdout[shown.stdout.index(b"\n") + 1:])
    again = run([OURS.ssh, "-G", "-F", tmp_path / "config", "target"])
    assert again.stdout == shown.stdout, again.stderr


def shown(suite, *words):
    """What -G says beyond what it always says, and the status."""
    def lines(*more):
        result = run([suite.ssh, "-G", "-F", "none", *more])
        return result.returncode, result.stdout.decode("latin1").splitlines()

    usual = lines("h")[1]
    status, found = lines(*words)
    return status, [line for line in found if line not in usual and not line.startswith("host ")]


@pytest.mark.parametrize("words", [
    ["127.1"], ["0x7f.1"], ["22"], ["010.1.1.1"], ["1.2.3.4."], ["::FFFF"], ["0:0::1"], ["::ffff:127.0.0.1"],
    ["fe80::1%lo"], ["FE80::1%lo"], ["UPPER.Example"], ["AB:C"], ["-4", "0::1"], ["-6", "127.1"],
    ["-oHostname=127.1", "x"], ["-oHostname=UP%%", "x"], ["-oHostname=UP%h", "X"], ["-oHostname=\u00c4B", "x"],
    ["-oCanonicalizeHostname=yes", "127.1"], ["-oProxyCommand=x", "127.1"], ["-J", "j", "127.1"],
], ids=" ".join)
def test_how_a_host_is_spelled(words):
    assert shown(OURS, *words) == shown(OPENSSH, *words)


def test_the_second_reading_sees_an_address_as_the_system_writes_it(tmp_path):
    (tmp_path / "c").write_text("Host 127.0.0.1\n User her\nMatch final host 127.0.0.1\n Port 98\n")
    for suite in (OURS, OPENSSH):
        found = run([suite.ssh, "-G", "-F", tmp_path / "c", "127.1"]).stdout.decode()
        assert "\nuser her\n" in found and "\nport 98\n" in found


@pytest.mark.parametrize("words", [
    ["-R", "/run/s"], ["-D", "/run/s"], ["-L", "run/s:h:1"], ["-R", "run/s"], ["-L", "80:run/s"],
    ["-o", "LocalForward ${HOME}/s h:1"], ["-o", "RemoteForward ${HOME}/s ${HOME}/t"], ["-o", "DynamicForward ${HOME}/s"],
    ["-o", "RemoteForward ${HOME}/s"], ["-L", "${HOME}/s:h:1"], ["-o", "RemoteForward /run/s ${HOME}"],
    ["-L", "80:${HOME}"], ["-o", "LocalForward 80 ${NAME}:80"], ["-D", "${NAME}:80"], ["-L", "80:${NOT_SET}"],
    ["-o", "LocalForward ${NOT_SET} h:80"], ["-L", "/run/s"], ["-L", "s"], ["-R", "s"],
], ids=" ".join)
def test_sockets_that_are_forwarded(words, monkeypatch):
    """Whatever holds a slash is a socket. OpenSSH 9.2 shows a local one twice, the second time as dynamic."""
    monkeypatch.setenv("NAME", "some.host")
    status, found = shown(OPENSSH, *words, "h")
    if "D" not in words[0] and "Dynamic" not in words[1]:
        found = [line for line in found if not line.startswith("dynamicforward")]
    assert shown(OURS, *words, "h") == (status, found)


@pytest.mark.parametrize("keyword", [
    "CanonicalDomains", "CanonicalizePermittedCNAMEs", "GlobalKnownHostsFile", "UserKnownHostsFile", "SetEnv", "SendEnv",
    "LogVerbose", "IdentityFile", "Ciphers", "PermitRemoteOpen", "User", "LocalForward",
])
def test_nothing_but_a_comment(keyword, tmp_path):
    (tmp_path / "c").write_text(f"{keyword} # x\n")
    ours, theirs = (run([suite.ssh, "-G", "-F", tmp_path / "c", "h"]).returncode for suite in (OURS, OPENSSH))
    assert ours == theirs


@pytest.mark.parametrize("keyword", [
    "AcceptEnv", "AuthorizedKeysFile", "SetEnv", "LogVerbose", "ChannelTimeout", "AllowUsers", "Ciphers", "PermitOpen", "Port",
])
def test_nothing_but_a_comment_for_the_server(keyword, tmp_path, host_key):
    (tmp_path / "c").write_text(f"HostKey {host_key}\n{keyword} # x\n")
    ours, theirs = (run([suite.sshd, "-t", "-f", tmp_path / "c"]).returncode for suite in (OURS, OPENSSH))
    assert ours == theirs


@pytest.mark.parametrize("line", [
    "Host H", "Host h", "Match host H", "Match host *.EXAMPLE", "Match originalhost H", "Match originalhost h",
    "Match user ROOT", "Match host !H,*", "Match host h all", "Match final all", "Match canonical all", "Match user * all",
    "Match user * host * all", "Match all host h", "Match all", "Match !all", "Match exec true !all",
])
def test_criteria_and_the_case_of_letters(line, tmp_path):
    (tmp_path / "c").write_text(f"{line}\n  Port 77\n")
    for host in ("h", "H", "h.Example"):
        ours, theirs = (run([suite.ssh, "-G", "-F", tmp_path / "c", host]) for suite in (OURS, OPENSSH))
        assert ours.returncode == theirs.returncode
        assert (b"\nport 77\n" in ours.stdout) == (b"\nport 77\n" in theirs.stdout), host


@pytest.mark.parametrize("line", [
    "AuthorizedKeysFile ~/x y", "AuthorizedPrincipalsFile ~/x", "Banner ~/b", "HostKey ~/k", "RevokedKeys ~root/x",
    "PidFile ~", "TrustedUserCAKeys %h/x", "Banner b", "ModuliFile ~no-such-user/x", "ChrootDirectory ~/x",
    "Subsystem sftp internal-sftp -f X # it's", "Subsystem sftp /a 'b' # c",
])
def test_files_of_the_server(line, tmp_path, host_key):
    """A tilde is the home of whoever starts sshd; other relative paths begin where it was started."""
    (tmp_path / "c").write_text(f"HostKey {host_key}\n{line}\n")
    keyword = line.split()[0].lower().encode()

    def outcome(suite):
        result = run([suite.sshd, "-T", "-f", tmp_path / "c"], cwd=tmp_path)
        return result.returncode, [text for text in result.stdout.splitlines() if text.startswith(keyword + b" ")]

    status, lines = outcome(OURS)
    if "'b'" in line:  # since OpenSSH 9.5 quotes are kept
        lines = [text.replace(b"'", b"") for text in lines]
    assert (status, lines) == outcome(OPENSSH)


@pytest.mark.parametrize("line", [
    "Ciphers aes128-ctr,", "Ciphers ,aes128-ctr,,aes256-ctr", "MACs hmac-sha2-256,", "KexAlgorithms curve25519-sha256,",
    "HostKeyAlgorithms ssh-ed25519,", "PubkeyAcceptedAlgorithms ssh-ed25519,,rsa-sha2-256", "KexAlgorithms ,",
    "ForceCommand NONE", "ForceCommand none x", "VersionAddendum None", "AuthorizedPrincipalsFile NONE",
    "UnusedConnectionTimeout NONE", "PubkeyAuthOptions TOUCH-Required", "LogLevel DEBUG3",
    "AuthorizedKeysCommand /bin/true\nAuthorizedKeysCommandUser none",
    "DenyUsers u@10.0.0.0/8,192.168.0.0/16", "DenyUsers u@10.0.0.0/8,192.168.0.1/16", "AllowUsers u@a,", "AllowUsers u@!",
    "Match address 10.0.0.5,\nBanner /b", "Match address 10.*,!\nBanner /b", "Match address 10.0.0.5\nBanner /b",
    "Match localaddress 127.0.0.1,\nBanner /b", "Match user= root\nBanner /b", "Match user =root\nBanner /b",
    "Match user = root host=h\nBanner /b", "Match user=\nBanner /b", "Match user root,\nBanner /b",
])
def test_odd_values_of_the_server(line, tmp_path, host_key):
    """Commas too many, `none` in every spelling, blanks around an equals sign."""
    (tmp_path / "c").write_text(f"HostKey {host_key}\n{line}\n")
    keyword = "banner" if "Banner" in line else line.split()[0].lower()

    def outcome(suite):
        result = run([suite.sshd, "-T", "-f", tmp_path / "c", "-C", "user=root,host=h,addr=10.0.0.5,laddr=127.0.0.1,lport=22"])
        said = result.stderr if result.returncode == 0 else b""
        return result.returncode, said, [text for text in result.stdout.split(b"\n") if text.startswith(f"{keyword} ".encode())]

    assert outcome(OURS) == outcome(OPENSSH)


@pytest.mark.parametrize("line", [
    'LocalCommand = = a "b" # c', '"LocalCommand" = a', "RemoteCommand==a", '"ProxyCommand"= a=b', "KnownHostsCommand  =a",
])
def test_equals_signs_before_a_command(line):
    assert shown(OURS, "-o", line, "h") == shown(OPENSSH, "-o", line, "h")


@pytest.mark.parametrize("suite", [OPENSSH, OURS], ids=lambda suite: suite.name)
@pytest.mark.parametrize("words,loops", [
    (["-J", "h", "h"], True), (["-J", "h:22", "h"], True), (["-J", "u@h", "h"], False),
    (["-J", "u@h", "u@h"], True), (["-J", "h", "-p", "23", "h"], False), (["-J", "h:23", "-p", "23", "h"], True),
    (["-J", "a,h", "h"], True), (["-J", "h,a", "h"], False), (["-o", "Hostname=x", "-J", "x", "h"], True),
    (["-o", "Hostname=x", "-J", "h", "h"], False),
])
def test_a_jump_host_that_is_the_destination(suite, words, loops):
    result = run([suite.ssh, "-G", "-F", "none", *words])
    assert result.returncode == (255 if loops else 0)
    assert (b"jumphost loop via" in result.stderr) == loops


def test_a_refused_connection_says_where(tmp_path):
    file = tmp_path / "config"
    file.write_text("Host a\nRefuseConnection \"not this one\"\nHost *\nPort 5\n")
    result = run([OURS.ssh, "-F", file, "a"])
    assert result.returncode == 255
    assert result.stderr.decode().strip() == f"{file} line 2: RefuseConnection: not this one"
    assert run([OURS.ssh, "-G", "-F", file, "b"]).returncode == 0


def test_canonical_names(tmp_path):
    """Through the resolver's own files: localhost is known everywhere."""
    file = tmp_path / "config"
    file.write_text("CanonicalizeHostname yes\nHost localhost\nHostname %h\nMatch canonical\nPort 7\n")
    assert b"\nport 7\n" in run([OURS.ssh, "-G", "-F", file, "localhost"]).stdout
    file.write_text("CanonicalizeHostname yes\nCanonicalizeFallbackLocal no\n")
    result = run([OURS.ssh, "-G", "-F", file, "no-such-host-anywhere"])
    assert result.returncode == 255
    assert b'Could not resolve host "no-such-host-anywhere"' in result.stderr


@pytest.mark.parametrize(
    "criteria, holds",
    [
        ("tagged t", True), ("tagged x", False), ("sessiontype exec", True),
        ("sessiontype shell", False), ('command "ls*"', True), ("command x", False),
        ("version OpenSSH_10.*", True), ("version OpenSSH_9.*", False),
        ("localnetwork 127.0.0.0/8", True), ("localnetwork 198.51.100.0/24", False),
        ("!localnetwork 198.51.100.0/24", True), ("host=a", True), ("user=x,y", False),
    ],
)
def test_criteria_that_9_2_does_not_know(tmp_path, criteria, holds):
    file = tmp_path / "config"
    file.write_text(f"Match {criteria}\nPort 7\n")
    shown = run([OURS.ssh, "-G", "-F", file, "-P", "t", "a", "ls", "-l"]).stdout
    assert (b"\nport 7\n" in shown) == holds


def test_refuse_connection(tmp_path):
    file = tmp_path / "config"
    file.write_text("Host old.*\nRefuseConnection use the new one\n")
    result = run([OURS.ssh, "-F", file, "old.example"])
    assert result.returncode == 255
    assert b"use the new one" in result.stderr
    assert run([OURS.ssh, "-G", "-F", file, "new.example"]).returncode == 0


def identification(*options):
    """What ssh says first to a server that says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        client = subprocess.Popen(
            [OURS.ssh, "-F", "none", "-p", str(listener.getsockname()[1]), *options, "127.0.0.1"],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"SSH-2.0-test\r\n")
            connection.settimeout(20)
            line = connection.recv(4096).split(b"\r\n")[0]
        client.communicate(timeout=20)
    return line


def test_version_addendum():
    line = identification("-o", "VersionAddendum=for %h %%")
    plain = identification("-o", "VersionAddendum=none")
    assert line == plain + b" for 127.0.0.1 %" and plain.startswith(b"SSH-2.0-")


def test_log_to_one_place():
    result = run([OURS.ssh, "-y", "-E", "/dev/null", "-G", "a"])
    assert result.returncode == 255
    assert result.stderr == b"Can't specify both -y and -E\r\n"


def test_one_command_only():
    result = run([OURS.ssh, "-G", "-F", "none", "-o", "RemoteCommand=x", "a", "ls"])
    assert result.returncode == 255
    assert result.stderr == b"Cannot execute command-line and remote command.\r\n"


def test_tokens_of_commands():
    shown = run([OURS.ssh, "-G", "-F", "none", "-o", "RemoteCommand=echo %n %% $HOME", "a"]).stdout
    assert b"\nremotecommand echo a % $HOME\n" in shown
    result = run([OURS.ssh, "-G", "-F", "none", "-o", "RemoteCommand=%z", "a"])
    assert result.returncode == 255
    assert b"unknown key %z" in result.stderr


# What 10.5's own tests ask and 9.2's do not


def test_of_several_max_startups_the_first_counts(tmp_path, host_key):
    (tmp_path / "c").write_text(f"HostKey {host_key}\nMaxStartups 1:2:3\nMaxStartups 4:5:6\n")
    assert b"\nmaxstartups 1:2:3\n" in run([OURS.sshd, "-T", "-f", tmp_path / "c"]).stdout


def test_tokens_in_values_of_set_env_and_what_else_takes_them(monkeypatch):
    monkeypatch.setenv("NAMED", "value")
    for option, line in [
        ("SetEnv=HOST=%h-%n-%p%%", "setenv HOST=target-target-22%"),
        ("SetEnv=%h=x", "setenv %h=x"),
        ("SetEnv=A=${NAMED}", "setenv A=value"),
        ("RevokedHostKeys=/r/%h /r/${NAMED}", "revokedhostkeys /r/target /r/value"),
        ("User=u-%n-${NAMED}", "user u-target-value"),
    ]:
        shown = run([OURS.ssh, "-G", "-F", "none", "-o", option, "target"])
        assert line in shown.stdout.decode().splitlines(), (option, shown)
    # Of several lines of one variable the first counts; what is typed is not expanded.
    shown = run([OURS.ssh, "-G", "-F", "none", "-o", "SetEnv=A=1 B=2", "-o", "SetEnv=A=3", "target"]).stdout.decode()
    assert "setenv A=1\n" in shown and "A=3" not in shown
    for words in (["-l", "%n", "target"], ["%n@target"]):
        assert "user %n\n" in run([OURS.ssh, "-G", "-F", "none", *words]).stdout.decode()


@pytest.mark.parametrize("lines,shown", [
    ("ProxyJump a\nProxyCommand b\n", ["proxyjump a"]), ("ProxyCommand b\nProxyJump a\n", ["proxycommand b"]),
    ("ProxyJump none\nProxyCommand b\n", ["proxycommand b"]), ("ProxyCommand none\nProxyJump a\n", []),
])
def test_of_a_jump_and_a_command_the_first_counts(lines, shown, tmp_path):
    (tmp_path / "c").write_text(lines)
    found = run([OURS.ssh, "-G", "-F", tmp_path / "c", "target"]).stdout.decode().splitlines()
    assert [line for line in found if line.startswith(("proxyjump ", "proxycommand "))] == shown


@pytest.mark.parametrize("verbosity", ["-v", "-vv", "-vvv"])
def test_what_is_read_and_what_applies_is_told_as_openssh_tells_it(verbosity, tmp_path):
    (tmp_path / "one").write_text("Host b*\n  User x\nMatch host target\n  Compression no\n")
    (tmp_path / "two").write_text("Compression no\n")
    (tmp_path / "c").write_text(f"""User first
Host foo a* tar* target
    Port 1
Host !target t?r* *
    Compression yes
Host other
    Include {tmp_path}/two
Include {tmp_path}/one {tmp_path}/t* {tmp_path}/none
Match host target,b*
    Port 3
Include {tmp_path}/one
Match exec "true" user first
Match exec "false %h" !exec "exit 0"
Match !host target user root exec "true"
Match originalhost target final
    Port 5
Match localuser * all
Match canonical
Match all
    Include {tmp_path}/two
""")
    told = []
    for suite in (OURS, OPENSSH):
        lines = run([suite.ssh, verbosity, "-G", "-F", tmp_path / "c", "target"]).stderr.decode().split("\r\n")
        # What ours does not tell: a command's exit status. What is about the session is not told with -G.
        told.append([
            line for line in lines[1:]
            if line and not re.search("command returned status|Pseudo-terminal|expanded User", line)
        ])
        assert "OpenSSH_" in lines[0]
    assert told[0] == told[1]
    assert len(told[0]) > 5
