# SPDX-License-Identifier: Apache-2.0
"""ssh_config(5) and sshd_config(5) as OpenSSH reads them: the same text, read by both, must show the
same with `ssh -G` and `sshd -T`, up to the differences between 9.2 and 10.5 that are listed here."""
import os
import re

import pytest
from conftest import OPENSSH, OURS, run
from configurations import CLIENT, SERVER, Maker

COUNT = int(os.environ.get("HAWSER_CONFIGURATIONS", "1000"))

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
    # The first MaxStartups counts, no longer the last. `any` stands alone in its own line.
    return lower.count("maxstartups") > 1 or lower.count("authenticationmethods") > 1


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
