# SPDX-License-Identifier: Apache-2.0
"""ssh-keygen beside OpenSSH's: the same command lines on the same files must say and leave the same."""
import base64
import difflib
import os
import re
import shutil
import subprocess

import pytest

from conftest import OPENSSH, OURS, make_key

pytestmark = pytest.mark.skipif(
    not os.path.exists(OPENSSH.ssh_keygen), reason="needs OpenSSH's ssh-keygen to compare with"
)


class Twins:
    """Two folders with the same files, one for each program."""

    def __init__(self, folder):
        self.seed = folder / "seed"
        self.seed.mkdir()
        self.folders = {OURS: folder / "ours", OPENSSH: folder / "openssh"}

    def start(self):
        for place in self.folders.values():
            shutil.copytree(self.seed, place)

    def run(self, suite, command):
        """The output, both streams and the status, of a shell command in which KG is ssh-keygen."""
        place = self.folders[suite]
        result = subprocess.run(
            ["setsid", "-w", "bash", "-c", command.replace("KG", str(suite.ssh_keygen))],
            cwd=place,
            env={**os.environ, "TZ": "UTC", "HOME": str(place)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
        )
        text = (result.stdout + b"--\n" + result.stderr).decode(errors="replace")
        text = text.replace("\r", "").replace(str(suite.ssh_keygen), "KG")
        text = text.replace(str(place), "FOLDER")
        text = re.sub(r"usage: ssh-keygen.*", "USAGE\n", text, flags=re.S)
        return f"{text}=> {result.returncode}"

    def compare(self, commands):
        differences = []
        for command in commands.strip().splitlines():
            openssh, ours = self.run(OPENSSH, command), self.run(OURS, command)
            if openssh != ours:
                lines = difflib.unified_diff(
                    openssh.splitlines(), ours.splitlines(), "openssh", "ours", lineterm="", n=0
                )
                differences.append("\n".join([f"$ {command}", *lines]))
        assert not differences, "\n".join(differences)


@pytest.fixture
def twins(tmp_path):
    twins = Twins(tmp_path)
    make_key(twins.seed, "ca")
    make_key(twins.seed, "rca", "rsa", bits=2048)
    make_key(twins.seed, "u")
    make_key(twins.seed, "e", "ecdsa")
    make_key(twins.seed, "eca", passphrase="secret")
    return twins


CERTIFICATES = r"""
KG -s ca -I "my id" -n a,b,c -V 20240101:20250101 -z 5 -O force-command="ls -l" -O source-address=10.0.0.0/8,::1/128 -O no-x11-forwarding -O verify-required -O no-touch-required -O critical:foo@bar=baz -O extension:zed@x -O extension:zed2@x=val u.pub
KG -Lf u-cert.pub
KG -h -s rca -I host -n h1 -z +7 u.pub e.pub; KG -Lf e-cert.pub
KG -q -s rca -I host -O clear -t rsa-sha2-256 -V always:20300101 e.pub; KG -Lf e-cert.pub
KG -q -s rca -I host -O clear -t ssh-rsa -V always:20300101 e.pub; KG -Lf e-cert.pub
KG -Lf e-cert.pub -E md5
KG -s ca -I x
KG -s ca -I x nofile.pub
KG -s ca u.pub
KG -s nosuch -I x u.pub
KG -s ca -I x -O bogus u.pub
KG -s ca -I x -O source-address=10.0.0.1/8 u.pub
KG -s ca -I x -O source-address= u.pub
KG -s ca -I x -O force-command= u.pub
KG -s ca -I x -O force-command=a -O force-command=b u.pub
KG -s ca -I x -V bad u.pub
KG -s ca -I x -V +1w:bad u.pub
KG -s ca -I x -V 20250101:20240101 u.pub
KG -s ca -I x -z bad u.pub
KG -s ca -I x -z -1 u.pub
KG -s ca -h -I x -O force-command=x u.pub; KG -Lf u-cert.pub
KG -s ca -I x -t bad u.pub
KG -s ca -I x -t rsa-sha2-256 u.pub
KG -s rca -I x -t ssh-ed25519 u.pub
KG -s ca -I x -n a,,b u.pub
KG -s ca -I "" u.pub
KG -s ca -I x u-cert.pub
KG -s ca -I x -V 0x10:0x20 u.pub; KG -Lf u-cert.pub
KG -s ca -I x -n '' u.pub
KG -s ca -I x -V 20240101Z:20240201120000 u.pub
TZ=America/New_York KG -s ca -I x -V 20240101Z:20240201120000 u.pub; TZ=America/New_York KG -Lf u-cert.pub
KG -s ca -I x -V :+1w u.pub
KG -s ca -I x -V always:forever u.pub
KG -s ca -I x -V forever u.pub
KG -s ca -I x -V 20240101 u.pub
KG -Lf u.pub
KG -Lf ca
KG -L -f nosuch
cat u-cert.pub e-cert.pub u.pub | KG -L -f -
KG -Us ca.pub -I x u.pub
KG -s ca -I x -V +bad u.pub
KG -s ca -I x -V -bad:+1d u.pub
KG -s ca -I x -V 0xzz:+1d u.pub
KG -s ca -I x -V 20240101:always u.pub
KG -s ca -I x -V 19690101:+1d u.pub
KG -s ca -I x -V 0x5:forever u.pub
KG -s ca -I x -O NO-PTY u.pub; KG -Lf u-cert.pub
KG -s ca -I x -O permit-pty=yes u.pub
KG -s ca -I x -O extension: -O extension:a= -O critical:a=b=c u.pub; KG -Lf u-cert.pub
KG -s ca -I x -O Force-Command=x u.pub; KG -Lf u-cert.pub
KG -s ca -I x -O clear -O permit-pty -h u.pub; KG -Lf u-cert.pub
KG -s eca -P secret -I x u.pub
KG -s eca -P bad -I x u.pub
KG -L u.pub -f u-cert.pub
KG -s ca -I x -z +18446744073709551615 u.pub e.pub
KG -s ca -I x -z + u.pub
cp u.pub nopub; KG -s ca -I x nopub; ls nopub*
KG -s u.pub -I x u.pub
KG -s ca -I x -n a u.pub e.pub; cat u-cert.pub e-cert.pub > two; KG -L -f two
(cat u-cert.pub; echo junk) > two; KG -L -f two
(cat u-cert.pub; echo; echo '# x') > two; KG -L -f two
(echo '# x'; cat u-cert.pub) > two; KG -L -f two
(cat u.pub u-cert.pub) > two; KG -L -f two
(echo "cert-authority $(cat u-cert.pub)") > two; KG -L -f two
KG -lf u-cert.pub
KG -Bf u-cert.pub
KG -r h -f u-cert.pub
KG -e -m pem -f u-cert.pub
KG -e -m pkcs8 -f u-cert.pub
"""


def test_certificates_are_made_and_shown_as_openssh_does(twins):
    twins.start()
    twins.compare(CERTIFICATES)


def test_each_reads_the_certificates_of_the_other(twins):
    make_key(twins.seed, "p384", "ecdsa", bits=384)
    make_key(twins.seed, "p521", "ecdsa", bits=521)
    twins.start()
    options = "-n a,b -V 20240101:20340101 -z 9 -O force-command=x -O no-pty"
    keys = ["ca", "rca", "u", "e", "p384", "p521"]
    for authority in keys:
        files = " ".join(f"{key}.pub" for key in keys)
        for suite in (OURS, OPENSSH):
            text = twins.run(suite, f"KG -q -s {authority} -I id {options} {files}")
            assert text == "--\n=> 0"
        for key in keys:
            ours = twins.folders[OURS] / f"{key}-cert.pub"
            for maker in (OURS, OPENSSH):
                path = twins.folders[maker] / f"{key}-cert.pub"
                for option in ("-L", "-l"):
                    shown = {
                        twins.run(suite, f"KG {option} -f {path}").replace("FOLDER", folder)
                        for suite in (OURS, OPENSSH)
                        for folder in [str(twins.folders[suite])]
                    }
                    assert len(shown) == 1, shown
            assert ours.read_text().split()[2] == key


def test_a_damaged_certificate_is_no_certificate(twins):
    twins.start()
    assert twins.run(OURS, "KG -q -s ca -I id -n a u.pub") == "--\n=> 0"
    place = twins.folders[OURS]
    name, blob, comment = (place / "u-cert.pub").read_text().split()
    whole = base64.b64decode(blob)
    for index in range(0, len(whole), 11):
        damaged = bytearray(whole)
        damaged[index] ^= 0x10
        for bytes_ in (bytes(damaged), whole[:index]):
            (place / "bad").write_text(f"{name} {base64.b64encode(bytes_).decode()} {comment}\n")
            assert twins.run(OURS, "KG -L -f bad").endswith("=> 1")
            assert twins.run(OURS, "KG -l -f bad").endswith("is not a public key file.\n=> 255")


@pytest.fixture
def agent(tmp_path):
    """The environment of an agent of OpenSSH's."""
    socket = tmp_path / "agent"
    process = subprocess.Popen(
        ["/usr/bin/ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL
    )
    while not socket.exists():
        assert process.poll() is None
    yield f"SSH_AUTH_SOCK={socket}"
    process.terminate()
    process.wait()


def test_an_authority_in_the_agent(twins, agent):
    twins.start()
    twins.compare(
        f"""
{agent} KG -Us ca.pub -I x u.pub
chmod 600 ca rca; {agent} ssh-add -q ca rca; {agent} KG -Us ca.pub -I x -n a u.pub; KG -Lf u-cert.pub
{agent} KG -Us rca -I x u.pub; KG -Lf u-cert.pub
{agent} KG -Us rca.pub -t rsa-sha2-256 -I x u.pub; KG -Lf u-cert.pub
{agent} KG -Us eca.pub -I x u.pub
SSH_AUTH_SOCK=/nonexistent KG -Us ca.pub -I x u.pub
"""
    )
