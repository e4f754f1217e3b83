# SPDX-License-Identifier: Apache-2.0
"""ssh-keygen beside OpenSSH's: the same command lines on the same files must say and leave the same."""
import base64
import difflib
import os
import re
import shutil
import socket
import subprocess
import threading

import pexpect
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
KG -s ca -I x -z +3 -z 4 u.pub e.pub
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


NAMES = r"""
KG -q -s ca -I $'\xff' -n $'J\xf6rg,\xe9' -O critical:$'\xfe'=$'\xfd' u.pub; KG -Lf u-cert.pub | xxd
KG -s ca -I $'\xff' -n $'a\xf6,\xe9' u.pub 2>&1 | grep -v valid; KG -Lf u-cert.pub | grep -a -A2 Principals | xxd
KG -s ca -I $'\xf4\x8f\xbf\xbf' -n $'\xf4\x8f\xbe\x80' u.pub >/dev/null 2>&1; KG -Lf u-cert.pub | grep -a -A2 Principals | xxd
KG -q -s ca -I x -n $'a,\xcc\x81b' u.pub; KG -Lf u-cert.pub | grep -a -A3 Principals | xxd
KG -q -s ca -I $'\xff' u.pub; printf 'id: \xff\n' > s; KG -q -kf k -s ca.pub s; tail -c +33 k | xxd; KG -Qf k u-cert.pub
printf 'id: \xfe\n' > s; KG -q -kf k -s ca.pub s; tail -c +33 k | xxd; KG -Qf k u-cert.pub
KG -q -Y sign -f u -n $'\xff' - < f > n.sig; cat n.sig; for n in $'\xff' $'\xfe' $'\xef\xbf\xbd' $'\xf4\x8f\xbf\xbf'; do KG -Y check-novalidate -n "$n" -s n.sig < f 2>/dev/null | xxd; done
KG -q -Y sign -f u -n $'e\xcc\x81' - < f > n.sig; KG -Y check-novalidate -n $'\xc3\xa9' -s n.sig < f
KG -q -Y sign -f u -n file - < f > n.sig; printf 'J\xf6rg %s\n' "$(cat u.pub)" > s; for n in $'J\xf6rg' $'J\xfcrg' $'J\xef\xbf\xbdrg' $'J\xf4\x8f\xbf\xb6rg'; do KG -Y verify -f s -I "$n" -n file -s n.sig < f 2>/dev/null | xxd; KG -Y match-principals -f s -I "$n" | xxd; done; KG -Y find-principals -f s -s n.sig | xxd
printf 'a namespaces="\xff" %s\n' "$(cat u.pub)" > s; for n in $'\xff' $'\xfe'; do KG -q -Y sign -f u -n "$n" - < f > n.sig;  KG -Y verify -f s -I a -n "$n" -s n.sig < f 2>/dev/null | xxd; done
"""


def test_names_that_are_not_utf_8_are_the_bytes_that_were_typed(twins):
    """No two of them may be taken for the same name."""
    (twins.seed / "f").write_text("hello\n")
    twins.start()
    twins.compare(NAMES)


def test_blocks_before_a_private_key_are_passed_over(twins):
    """`openssl ecparam -genkey` writes the curve before the key; others put a certificate there."""
    twins.start()
    twins.compare(
        r"""
(printf -- '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n'; cp e k; KG -q -p -m PEM -N '' -f k >/dev/null; cat k) > p; chmod 600 p; KG -yf p; KG -lf p; KG -q -p -N '' -f p; head -1 p
(printf -- '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'; cp rca k; KG -q -p -m PKCS8 -N '' -f k >/dev/null; cat k) > p; chmod 600 p; KG -yf p; KG -lf p
printf -- '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n' > p; chmod 600 p; KG -yf p
"""
    )


@pytest.mark.parametrize("bits", [1024, 1025, 2222])
def test_an_rsa_key_has_the_bits_that_were_asked_for(twins, bits):
    twins.start()
    assert twins.run(OURS, f"KG -q -t rsa -b {bits} -N '' -f k") == "--\n=> 0"
    place = twins.folders[OURS]
    for suite in (OURS, OPENSSH):
        assert twins.run(suite, f"KG -lf {place}/k").startswith(f"{bits} SHA256:")
        (place / "f").write_text("hello\n")
        signed = twins.run(suite, f"KG -Y sign -f {place}/k -n file - < {place}/f > f.sig")
        assert signed.endswith("=> 0")
        for other in (OURS, OPENSSH):
            signature = twins.folders[suite] / "f.sig"
            check = f"KG -Y check-novalidate -n file -s {signature} < {place}/f"
            assert twins.run(other, check).endswith("=> 0")


@pytest.mark.parametrize(
    "answer", ["05", "1e", "66", "06", "63", "0c00000003", "0c00000000", ""], ids=lambda text: text or "none"
)
def test_an_agent_that_answers_otherwise(twins, tmp_path, answer):
    """What it said is told: a refusal, nonsense, no keys, or that it went away."""
    path = tmp_path / "agent"
    answer = bytes.fromhex(answer)

    def serve():
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            with connection:
                if answer and connection.recv(65536):
                    connection.sendall(len(answer).to_bytes(4, "big") + answer)
                    connection.recv(1)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        threading.Thread(target=serve, daemon=True).start()
        twins.start()
        told = {
            suite: twins.run(suite, f"SSH_AUTH_SOCK={path} KG -Us ca.pub -I x u.pub")
            for suite in (OURS, OPENSSH)
        }
        listener.shutdown(socket.SHUT_RDWR)
    # How much of a list is missing has words of its own in OpenSSH.
    assert told[OURS] == told[OPENSSH].replace("incomplete message", "invalid format")


LISTS = r"""
KG -kf empty.krl /dev/null; tail -c +33 empty.krl | xxd; KG -Ql -f empty.krl | grep -v Generated
KG -kf a2.krl u.pub; tail -c +33 a2.krl | xxd; head -c 28 a2.krl | head -c 20 | xxd
KG -Qf a.krl u.pub e.pub
KG -Qlf a.krl u.pub e.pub
KG -kf b.krl u1-cert.pub u2-cert.pub u3-cert.pub u100-cert.pub u5000-cert.pub; tail -c +33 b.krl | xxd;  KG -Qlf b.krl | grep -v Gen
KG -kf c.krl u0-cert.pub e-cert.pub; KG -Qlf c.krl u0-cert.pub e-cert.pub u.pub u1-cert.pub| grep -v Gen; tail -c +33 c.krl | xxd
(echo '# comment'; echo;  printf 'serial: 1-4\nserial: 10\nserial:0x20\nserial: 030\nserial: 1000-2000\nserial: 18446744073709551615\nid: hello\nid: world  \n'; echo "key: $(cat u.pub)"; echo "sha1: $(cat e.pub)"; echo "sha256: $(cat e.pub)"; echo "hash: $(KG -lf rca.pub | cut -d' ' -f2)") > spec
KG -kf d.krl -s ca.pub -z 77 spec; KG -Qlf d.krl| grep -v Gen; tail -c +33 d.krl | xxd;
KG -kf d.krl -s NONE spec; KG -Qlf d.krl| grep -v Gen; tail -c +33 d.krl | xxd;
KG -kuf d.krl u5000-cert.pub; KG -Qlf d.krl| grep -v Gen; tail -c +33 d.krl | xxd;
KG -kuf d.krl -s rca.pub spec; KG -Qlf d.krl| grep -v Gen; tail -c +33 d.krl | xxd;
KG -kf o.krl u.pub e.pub p384.pub rca.pub ca.pub; tail -c +33 o.krl | xxd; KG -Qlf o.krl | grep -v Gen
printf 'id: b\nid: a\nid: aa\nid: B\nid: bbbb\nid: \303\251\nid: z\nid: b\n' > s; KG -kf t.krl -s ca.pub s; tail -c +33 t.krl | xxd
for x in garbage 'serial: 0' 'serial: 5-3' 'serial: abc' 'serial:' 'serial: 5-' 'serial: 5x' 'serial: 18446744073709551616' 'serial: 1-18446744073709551615' 'id:' 'id:   ' 'key: junk' 'hash: MD5:00' 'hash: SHA256:short' 'hash: junk' 'sha1: junk' 'sha256:' "key: $(cat u1-cert.pub)" "sha1: $(cat u1-cert.pub)" "Serial: 4" "KEY: $(cat u.pub)" "  serial: 4" "serial: 4 # comment" "id: foo # comment" "#" "   # x" "ssh-ed25519 junk" "cert-authority $(cat u.pub)" "serial: 1-"; do echo "## $x"; echo "$x" > s; KG -q -kf t.krl -s ca.pub s; echo "=> $?"; tail -c +33 t.krl | xxd; done
KG -k u.pub
KG -kf t.krl
KG -kuf nosuch.krl u.pub
KG -Q
KG -Qf nosuch
KG -Qf u.pub u.pub
KG -Qf t.krl nosuch
KG -kf t.krl -s nosuch s
KG -kf t.krl -s ca.pub -z 5 u.pub; KG -kuf t.krl e.pub; KG -Qlf t.krl | grep -v Gen
KG -kuf t.krl -z 3 e.pub; KG -Qlf t.krl | grep -v Gen
head -c 40 a.krl > trunc; KG -Qf trunc u.pub
head -c 100 a.krl > trunc; KG -Qf trunc u.pub;KG -kuf trunc u.pub;KG -Qlf trunc
KG -kf t.krl -C comment u.pub;KG -Qlf t.krl | grep -v Gen
KG -kqf t.krl - < u.pub
KG -kf t.krl - < u.pub
cat u.pub e.pub >two; KG -Qf t.krl two
KG -kf t.krl -s ca.pub e.pub u1-cert.pub; KG -Qlf t.krl | grep -v Gen
echo 'serial: 1-18446744073709551615' > s; KG -q -kf all.krl -s NONE s; KG -Qlf all.krl u1-cert.pub u0-cert.pub | grep -v Gen
KG -kf ca.krl ca.pub; KG -Qf ca.krl u1-cert.pub u.pub e-cert.pub
for f in a b c d o; do KG -Qf $f.krl u.pub e.pub p384.pub u0-cert.pub u1-cert.pub u2-cert.pub u3-cert.pub u100-cert.pub u5000-cert.pub e-cert.pub; done
"""


def test_revocation_lists_are_the_same_byte_by_byte(twins):
    make_key(twins.seed, "p384", "ecdsa", bits=384)
    for serial, signer, key in [
        (0, "ca", "u"), (1, "ca", "u"), (2, "ca", "u"), (3, "ca", "u"), (100, "ca", "u"),
        (5000, "ca", "u"), (7, "rca", "e"),
    ]:
        command = f"KG -q -s {signer} -I id{serial} -z {serial} {key}.pub"
        place = twins.seed
        subprocess.run(
            command.replace("KG", OPENSSH.ssh_keygen).split(), cwd=place, check=True
        )
        if key == "u":
            (place / "u-cert.pub").rename(place / f"u{serial}-cert.pub")
    subprocess.run([OPENSSH.ssh_keygen, "-q", "-kf", "a.krl", "u.pub"], cwd=twins.seed, check=True)
    twins.start()
    twins.compare(LISTS)


def test_a_large_list_costs_what_the_file_does(twins):
    """A million serial numbers far apart: 8 MB, found without making more of them."""
    body = b"".join((number * 1000003).to_bytes(8, "big") for number in range(1, 1000001))
    section = b"\0\0\0\0" + b"\0\0\0\0" + b"\x20" + len(body).to_bytes(4, "big") + body
    header = b"SSHKRL\n\0" + (1).to_bytes(4, "big") + bytes(24) + bytes(8)
    krl = twins.seed / "krl"
    krl.write_bytes(header + b"\x01" + len(section).to_bytes(4, "big") + section)
    twins.start()
    def memory(command):
        result = subprocess.run(
            ["/usr/bin/python3", "-c",
             "import resource,subprocess,sys;p=subprocess.run(sys.argv[1:]);"
             "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,p.returncode)",
             *command.replace("KG", OURS.ssh_keygen).split()],
            cwd=twins.folders[OURS], capture_output=True, timeout=60, check=True,
        )
        return [int(word) for word in result.stdout.split()[-2:]]
    for serial, status in [(1000003 * 777777, 1), (1000003 * 777777 + 1, 0)]:
        twins.run(OURS, f"KG -q -s ca -I id -z {serial} u.pub")
        least, _ = memory("KG -lf u-cert.pub")
        used, result = memory("KG -Qf krl u-cert.pub")
        assert result == status
        assert used - least < 2 * krl.stat().st_size / 1024


SIGNATURES = r"""
KG -Y sign -f u -n file g; cat g.sig
KG -Y sign -f u -n file g
KG -Y sign -f u -n file < f
KG -Y sign -f u f
KG -Y sign -n x f
KG -Y sign -f nosuch -n x f
KG -Y sign -f u -n x nosuchfile
KG -Y bogus
KG -Y sign -f u -n "" f
KG -Y sign -f u -n x -O hashalg=sha1 g
KG -Y sign -f u -n x -O bogus g
rm g.sig; KG -Y sign -f rca -n x -O hashalg=sha256 g; cat g.sig
rm g.sig; KG -q -Y sign -f u-cert.pub -n x g; cat g.sig
KG -Y verify -f as -I a@b -n file -s f.sig < f
KG -Y verify -f as -I c@z -n file -s f.sig <f
KG -Y verify -f as -I q@z -n file -s f.sig <f
KG -Y verify -f as -I a@b -n git -s f.sig <f
KG -Y verify -q -f as -I a@b -n file -s f.sig <f
KG -Y verify -f as -I a@b -n file -s f.sig -O print-pubkey <f
KG -Y verify -q -f as -I a@b -n file -s f.sig -O print-pubkey <f
KG -Y verify -f as -I a@b -n file <f
KG -Y verify -f as -I a@b -s f.sig <f
KG -Y verify -f as -n file -s f.sig <f
KG -Y verify -I a@b -n file -s f.sig <f
KG -Y verify -f nosuch -I a@b -n file -s f.sig <f
KG -Y verify -f as -I a@b -n file -s nosuch <f
KG -Y verify -f as -I a@b -n file -s f <f
KG -Y verify -f as -I a@b -n file -s f.sig -r u.pub <f
KG -Y verify -f as -I a@b -n file -s f.sig -r e.pub <f
KG -q -kf u.krl u.pub; KG -Y verify -f as -I a@b -n file -s f.sig -r u.krl <f
KG -Y verify -f as -I a@b -n file -s f.sig < g
KG -Y find-principals -s f.sig -f as
KG -Y find-principals -s g -f as
KG -Y check-novalidate -n file -s f.sig <f
KG -Y check-novalidate -n git -s f.sig <f
KG -Y check-novalidate -n file -s f.sig <g
KG -q -Y check-novalidate -n file -s f.sig <f
KG -Y match-principals -I c@z -f as
KG -Y match-principals -I nobody -f as
KG -Y match-principals -f as
KG -Y match-principals -I x
KG -Y find-principals -s f.sig
KG -Y find-principals -f as
KG -Y check-novalidate -s f.sig
KG -Y check-novalidate -n file
KG -Y verify -f cas -I joe@x -n file -s cert.sig <f
KG -Y verify -f cas -I joe@x -n file -s cert.sig -Overify-time=20200601<f
KG -Y verify -f cas -I bob@x -n file -s cert.sig -Overify-time=20200601<f
KG -Y verify -f cas2 -I joe@x -n file -s cert.sig -Overify-time=20200601Z<f
KG -Y verify -f cas2 -I ann@x -n file -s cert.sig -Overify-time=20200601Z<f
KG -Y verify -f cas2 -I joe@x -n file -s cert.sig -Overify-time=bad<f
KG -Y find-principals -s cert.sig -f cas -Overify-time=20200601
KG -Y find-principals -s cert.sig -f cas2 -Overify-time=20200601
KG -Y find-principals -s cert.sig -f cas
KG -Y verify -f cas -I joe@x -n file -s cert.sig -Overify-time=20200601 -r ca.pub<f
KG -Y verify -f cas -I joe@x -n file -s cert.sig -Overify-time=20200601 -r u.pub<f
K="$(cat u.pub)"; for x in "a@b octopus $K" "a@b valid-after=\"bad\" $K" "a@b valid-after=20200101 $K" "a@b namespaces=\"git\" $K" "a@b namespaces=\"f*,!git\" $K" "a@b namespaces= $K" "a@b cert-authority $K" "$(printf '%s\n%s' "a@b $K" "a@b namespaces=\"file\" $K")" "$(printf '%s\n%s' garbage "a@b $K")" "$(printf '%s\n%s' 'a@b ssh-ed25519 junk' "a@b $K")" "a@b" "\"a@b,x y\" $K" "!a@b,* $K" "a@b,!a@b $K" "A@B $K" "a@b valid-after=\"20200101\",valid-before=\"20100101\" $K" "a@b namespaces=\"a\",namespaces=\"b\" $K" "a@b NAMESPACES=\"file\",valid-after=\"20100101Z\",valid-before=\"20990101\" $K" "  a@b   $K" "a@b $(cat ca.pub)" "a@b,c@d,a@b $K" "*@b,a@* $K"; do echo "$x" > s; echo "## $x"; for o in "verify -n file -I a@b" "find-principals"; do KG -Y $o -Overify-time=20260101 -s f.sig -f s < f 2>&1; echo "=> $?"; done; KG -Y match-principals -I a@b -f s 2>&1; echo "=> $?"; done
for x in 'valid-after="20200101"' 'valid-before="20200101"'; do echo "a@b $x $(cat u.pub)" > s; for t in 20190101 20200101 202001010001 20210101; do KG -Y verify -Overify-time=$t -f s -s f.sig -n file -I a@b < f;  KG -Y find-principals -Overify-time=$t -f s -s f.sig < f;done; done
head -3 f.sig > h.sig; KG -Y check-novalidate -n file -s h.sig <f
(echo; cat f.sig) > h.sig;  KG -Y check-novalidate -n file -s h.sig <f
(cat f.sig; echo trailing) > h.sig;  KG -Y check-novalidate -n file -s h.sig <f
sed 's/^U1/U2/' f.sig > h.sig;  KG -Y check-novalidate -n file -s h.sig <f
tr '\n' '\r' <f.sig > h.sig;  KG -Y check-novalidate -n file -s h.sig <f
sed 's/$/\r/' <f.sig > h.sig;  KG -Y check-novalidate -n file -s h.sig <f
KG -Y verify -O bogus -f u.pub -I x -n x -s f.sig
KG -Y sign -f u -n x - < f
cp u.pub z.pub; KG -Y sign -f z.pub -n x f; cp ca z;  KG -Y sign -f z.pub -n x f
KG -Y sign -f eca -P bad -n x g; rm g.sig; KG -Y sign -f eca -P secret -n x g; cat g.sig
KG -U -Y sign -f u -n x g
cp g g2; KG -Y sign -f u -n x g2 - < f; ls g2.sig
cp g ./-; KG -Y sign -f u -n x - g2 < f; ls g2.sig ./-.sig
KG -Y sign -f u -n x - - < f
"""


def test_signatures_are_made_and_checked_as_openssh_does(twins):
    place = twins.seed

    def openssh(*words):
        subprocess.run([OPENSSH.ssh_keygen, "-q", *words], cwd=place, check=True)

    (place / "f").write_text("hello\n")
    (place / "g").write_text("hi\n")
    openssh(*"-s ca -I id -n joe@x,ann@x -V 20200101:20210101 u.pub".split())
    openssh(*"-Y sign -f u-cert.pub -n file f".split())
    (place / "f.sig").rename(place / "cert.sig")
    openssh(*"-Y sign -f u -n file f".split())
    keys = {name: (place / f"{name}.pub").read_text() for name in ["ca", "u", "e", "rca"]}
    (place / "cas").write_text(f"*@x cert-authority {keys['ca']}")
    (place / "cas2").write_text(f'joe@x cert-authority,namespaces="file" {keys["ca"]}')
    (place / "as").write_text(
        "# comment\n"
        f"a@b,c@* {keys['u']}"
        f'x@y namespaces="file,git" {keys["e"]}'
        f'old@x valid-before="20200101" {keys["rca"]}'
        f'new@x valid-after="20990101Z" {keys["rca"]}'
        f"*@ca cert-authority {keys['ca']}"
    )
    twins.start()
    twins.compare(SIGNATURES)


def test_signing_with_a_key_in_the_agent(twins, agent):
    (twins.seed / "f").write_text("hello\n")
    twins.start()
    twins.compare(
        f"""
{agent} KG -U -Y sign -f u.pub -n x f
chmod 600 u rca; {agent} ssh-add -q u rca; {agent} KG -U -Y sign -f u.pub -n x f; cat f.sig; rm f.sig
mv u away; {agent} KG -Y sign -f u.pub -n x f; rm f.sig
mv rca away; {agent} KG -Y sign -f rca.pub -n x f; KG -Y check-novalidate -s f.sig -n x < f
{agent} KG -U -Y sign -f e.pub -n x f
"""
    )


def test_each_verifies_the_signatures_of_the_other(twins):
    make_key(twins.seed, "p384", "ecdsa", bits=384)
    make_key(twins.seed, "p521", "ecdsa", bits=521)
    (twins.seed / "f").write_text("hello\n")
    twins.start()
    for key in ["ca", "rca", "u", "e", "p384", "p521"]:
        for signer, verifier in [(OURS, OPENSSH), (OPENSSH, OURS)]:
            signature = twins.folders[signer] / "f.sig"
            signature.unlink(missing_ok=True)
            assert twins.run(signer, f"KG -q -Y sign -f {key} -n n f") == "--\n=> 0"
            checked = twins.run(verifier, f"KG -q -Y check-novalidate -n n -s {signature} < f")
            assert checked == "--\n=> 0"
            text = signature.read_text().splitlines()
            text[2] = text[2][:5] + ("A" if text[2][5] != "A" else "B") + text[2][6:]
            signature.write_text("\n".join(text) + "\n")
            checked = twins.run(verifier, f"KG -q -Y check-novalidate -n n -s {signature} < f")
            assert checked.endswith("=> 255")


def test_groups_are_found_and_pass_the_tests_of_openssh(twins):
    twins.start()
    text = twins.run(OURS, "KG -M generate -O bits=512 candidates")
    assert text.endswith("=> 0"), text
    candidates = twins.folders[OURS] / "candidates"
    assert twins.run(OURS, "KG -M screen -f candidates groups").endswith("=> 0")
    assert twins.run(OPENSSH, f"KG -M screen -f {candidates} groups").endswith("=> 0")

    def groups(suite, name="groups"):
        lines = (twins.folders[suite] / name).read_text().splitlines()
        return [line.split(" ", 1)[1] for line in lines]

    assert groups(OURS) == groups(OPENSSH)
    # Parts make the whole.
    lines = len(candidates.read_text().splitlines())
    half = lines // 2
    twins.run(OURS, f"KG -M screen -f candidates -O lines={half} first")
    twins.run(OURS, f"KG -M screen -f candidates -O start-line={half} second")
    assert groups(OURS, "first") + groups(OURS, "second") == groups(OURS)
    # A checkpoint goes on where it stands, and vanishes with the work.
    twins.run(OURS, f"cp first resumed; echo {half} > point")
    twins.run(OURS, "KG -M screen -f candidates -O checkpoint=point resumed")
    assert groups(OURS, "resumed") == groups(OURS)
    assert not (twins.folders[OURS] / "point").exists()
    # One that stands behind the end leaves nothing to do.
    twins.run(OURS, "echo 9223372036854775807 > point")
    text = twins.run(OURS, "KG -M screen -f candidates -O lines=5 -O checkpoint=point resumed")
    assert "Found 0 safe primes of 0 candidates" in text and text.endswith("=> 0")


MODULI = r"""
KG -M generate -O bits=256 out
KG -M bogus x
KG -M generate
KG -M screen -O bogus=1 -f /dev/null x
KG -M generate -O generator=4 -O bits=512 x
KG -M screen -f nosuch x
KG -M screen -O prime-tests=1 -f /dev/null x
"""


def test_mistakes_in_making_groups(twins):
    twins.start()
    twins.compare(MODULI)


def make_every_format(folder):
    """Keys of every type that OpenSSH 9.2 makes, plain and encrypted, in every format."""
    for kind, bits in [
        ("ed25519", None), ("rsa", 2048), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521),
        ("dsa", None),
    ]:
        name = kind + (str(bits) if kind == "ecdsa" and bits != 256 else "")
        for form in ["", "PEM", "PKCS8"]:
            for passphrase, prefix in [("", ""), ("secret", "e")]:
                path = folder / (prefix + name + ("." + form if form else ""))
                words = ["-q", "-t", kind, "-N", passphrase, "-a", "1", "-C", f"{name} c"]
                words += ["-b", str(bits)] if bits else []
                words += ["-m", form] if form else []
                subprocess.run([OPENSSH.ssh_keygen, *words, "-f", path], check=True)
                if form:
                    os.remove(f"{path}.pub")
        for form in ["RFC4716", "PKCS8", "PEM"]:
            result = subprocess.run(
                [OPENSSH.ssh_keygen, "-e", "-m", form, "-f", folder / name], capture_output=True
            )
            if result.returncode == 0:
                (folder / f"{name}.{form}.exported").write_bytes(result.stdout)


FORMATS = r"""
for f in *.pub; do for o in -l -B -lv "-l -E md5" "-Bv" "-r host" "-r host -g" -e "-e -m pem" "-e -m pkcs8"; do echo "## $f $o"; KG $o -f $f 2>&1; echo "=> $?"; done; done
for f in ed25519 rsa ecdsa ecdsa384 ecdsa521 dsa *.PEM *.PKCS8; do for o in -y -l -B "-l -E md5" "-l -E sha1" "-l -E sha512" -e "-P secret -y" "-P bad -y" "-P bad -e" "-P secret -e -m PEM"; do echo "## $f $o"; KG $o -f $f 2>&1; echo "=> $?"; done; done
for f in *.RFC4716.exported *.PKCS8.exported rsa.PEM.exported; do m=${f%.exported}; KG -i -m ${m##*.} -f $f 2>&1; echo "=> $?"; done
for f in rsa ecdsa ed25519 dsa; do KG -q -s ca -I id $f.pub; for m in PKCS8 PEM; do KG -e -m $m -f $f-cert.pub; done; done
KG -E foo -lf rsa.pub
KG -m foo -e -f rsa
KG -Z foo -p -f rsa
KG -a 0 -p -f rsa
KG -a x -p -f rsa
KG -t foo -f x -N ''
KG -t rsa -b 512 -f x -N ''
KG -t rsa -b 99999 -f x -N ''
KG -t rsa -b abc -f x -N ''
KG -t ecdsa -b 300 -f x -N ''
KG -q -t ed25519 -b 77 -C c -f x -N ''; ls -l x x.pub | cut -c1-10
KG -t ed25519 -N '' -f x
echo n | KG -t ed25519 -N '' -f x
echo y | KG -q -t ed25519 -N '' -f x
KG -q -t ed25519 -N '' -f /nonexistent/x 2>&1 | sed 's/x\..*: /x: /'
KG -p -f nosuch -N x
KG -p -f rsa -a 1 -N newpass1; KG -y -P newpass1 -f rsa; KG -y -P bad -f rsa
KG -p -f rsa -P bad -N ''
KG -p -f rsa -P newpass1 -N ''
KG -p -f rsa -N '' -m PEM; head -1 rsa
KG -p -f rsa -N newpass1 -m PEM; head -2 rsa
KG -p -f rsa -P newpass1 -N newpass2 -m PKCS8; head -1 rsa; KG -y -P newpass2 -f rsa
KG -p -f rsa -P newpass2 -N ''; head -1 rsa
for z in aes128-cbc aes192-cbc aes256-cbc aes128-ctr aes192-ctr aes256-ctr aes128-gcm@openssh.com aes256-gcm@openssh.com chacha20-poly1305@openssh.com 3des-cbc; do KG -q -p -f ecdsa -N newpass1 -Z $z -a 1; KG -y -P newpass1 -f ecdsa; KG -q -p -f ecdsa -P newpass1 -N ''; done
KG -q -p -f ed25519 -N newpass1 -m PEM -a 1; head -1 ed25519; KG -y -P newpass1 -f ed25519
KG -c -f ecdsa384 -C newcomment; KG -lf ecdsa384; cut -d' ' -f3- ecdsa384.pub
KG -c -f ecdsa384 -C newcomment
KG -c -f ecdsa384 -C ""; KG -lf ecdsa384; cut -d' ' -f3- ecdsa384.pub; rm ecdsa384.pub; KG -lf ecdsa384
KG -c -f ersa -P bad -C x
KG -c -f ersa -P secret -C x -a 1; KG -lf ersa
KG -c -f rsa.PEM -C x
KG -c -f rsa.PKCS8 -C x
KG -y -f nosuch
KG -l -f nosuch
KG -B -f nosuch
KG -e -f nosuch
KG -i -f nosuch
KG -l -f /dev/null
KG -y -f /dev/null
KG -y -f rsa.pub
chmod 644 ecdsa; KG -y -f ecdsa; KG -lf ecdsa; KG -p -N '' -f ecdsa; chmod 600 ecdsa
cat rsa.pub ecdsa.pub > two; echo "# comment" >> two; echo junk >> two; KG -lf two; KG -lvf two
cat two | KG -lf -
cat ed25519 | KG -lf -
echo "ssh-rsa AAAAB3NzaC1yc2EAAAA x" > bad; KG -lf bad
mkdir -p pre/etc/ssh; KG -A -f pre > /dev/null 2>&1; ls -l pre/etc/ssh | grep -v 'mldsa\|total' | sed 's/ .* / /'
KG -r host -f nosuch
KG -l -f rsa extra
KG -?
KG -F host -f nosuch
KG -R host -f nosuch
KG -H -f nosuch
KG -i -f rsa.PEM -m PEM
"""


def test_every_format_is_read_shown_and_written_as_openssh_does(twins):
    make_every_format(twins.seed)
    twins.start()
    twins.compare(FORMATS)


SUITE = "/usr/lib/openssh/regress/unittests/sshsig/testdata"


@pytest.mark.skipif(not os.path.isdir(SUITE), reason="needs the package openssh-tests")
@pytest.mark.parametrize(
    "name", ["rsa", "dsa", "ecdsa", "ed25519", "ecdsa_sk", "ed25519_sk", "ecdsa_sk_webauthn"]
)
def test_the_signatures_of_openssh_s_own_tests(name):
    def check(message):
        namespace = open(f"{SUITE}/namespace").read().strip()
        return subprocess.run(
            [OURS.ssh_keygen, "-Y", "check-novalidate", "-n", namespace, "-s",
             f"{SUITE}/{name}.sig"],
            input=message, capture_output=True, timeout=30,
        )

    message = open(f"{SUITE}/signed-data", "rb").read()
    good = check(message)
    assert good.returncode == 0 and good.stdout.startswith(b'Good "unittest" signature'), good
    assert check(message + b".").returncode == 255


def test_composite_keys_do_everything(twins):
    """ssh-mldsa44-ed25519@openssh.com, which OpenSSH 9.2 does not know, among our own tools."""
    twins.start()
    kind = "ssh-mldsa44-ed25519@openssh.com"

    def ours(command, status=0):
        text = twins.run(OURS, command)
        assert text.endswith(f"=> {status}"), text
        return text

    ours("KG -q -t mldsa44-ed25519 -N '' -C one -f m")
    ours(f"KG -q -t {kind} -N secret -a 1 -C two -f n")
    line = ours("KG -y -f m").split("\n")[0]
    assert line.startswith(kind + " ") and line.endswith(" one")
    assert line == (twins.folders[OURS] / "m.pub").read_text().strip()
    assert re.match(r"10752 SHA256:\S{43} one \(MLDSA44-ED25519\)", ours("KG -lf m"))
    ours("KG -p -f n -P secret -N '' -a 1; KG -y -f n; KG -c -C three -f n")
    assert " three (MLDSA44-ED25519)" in ours("KG -lf n")
    assert ours("KG -e -f m | KG -i -f /dev/stdin").split()[:2] == line.split()[:2]
    for authority, key in [("m", "u"), ("ca", "m"), ("m", "n")]:
        ours(f"KG -q -s {authority} -I id -n a -z 5 {key}.pub")
        assert "user certificate" in ours(f"KG -Lf {key}-cert.pub")
    assert "ssh-mldsa44-ed25519-cert-v01@openssh.com user" in ours("KG -Lf n-cert.pub")
    ours("echo hello > f; KG -q -Y sign -f n-cert.pub -n x f; KG -Y check-novalidate -n x -s f.sig < f")
    ours("(echo -n 'a cert-authority '; cat m.pub) > as")
    assert "MLDSA44-ED25519-CERT" in ours("KG -Y verify -n x -I a -f as -s f.sig < f")
    ours("KG -q -kf krl m.pub n-cert.pub; KG -Qf krl ca.pub")
    ours("KG -Qf krl m.pub", 1)
    ours("KG -Qf krl n-cert.pub", 1)


both = pytest.mark.parametrize("suite", [OURS, OPENSSH], ids=lambda suite: suite.name)


def ask(suite, folder, words, talk):
    """Runs on a terminal; `talk` is what is expected and what is then typed. The exit status."""
    child = pexpect.spawn(
        suite.ssh_keygen, words, cwd=str(folder), timeout=30, encoding="utf-8", echo=False
    )
    for expected, answer in talk:
        child.expect(expected)
        child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


@both
def test_questions_for_a_new_key(suite, tmp_path):
    words = ["-t", "ed25519", "-C", "c", "-a", "1"]
    assert ask(suite, tmp_path, words, [
        ("Enter file in which to save the key", str(tmp_path / "k")),
        ("Enter passphrase .*: ", "secret1"), ("Enter same passphrase again: ", "other"),
        ("Passphrases do not match.  Try again.", ""), ("again: ", ""),
    ]) in (0, None)
    (tmp_path / "k").unlink()
    assert ask(suite, tmp_path, [*words, "-f", "k"], [
        ("Enter passphrase .*: ", "secret1"), ("Enter same passphrase again: ", "secret1"),
    ]) == 0
    before = (tmp_path / "k").read_bytes()
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "k.pub").stat().st_mode & 0o777 == 0o644
    # Nothing is overwritten without a yes.
    for answer in ["n", "", "No"]:
        assert ask(suite, tmp_path, [*words, "-f", "k"], [
            (r"k already exists.\r\nOverwrite \(y/n\)\? ", answer),
        ]) == 1
        assert (tmp_path / "k").read_bytes() == before
    assert ask(suite, tmp_path, [*words, "-f", "k", "-N", ""], [
        (r"Overwrite \(y/n\)\? ", "y"),
    ]) == 0
    assert (tmp_path / "k").read_bytes() != before


@both
def test_questions_for_changes(suite, tmp_path):
    make_key(tmp_path, "k", passphrase="secret1")
    change = ["-p", "-f", "k", "-a", "1"]
    assert ask(suite, tmp_path, change, [("Enter old passphrase: ", "wrong")]) == 255
    assert ask(suite, tmp_path, change, [
        ("Enter old passphrase: ", "secret1"),
        (r"Enter new passphrase \(empty for no passphrase\): ", "secret2"),
        ("Enter same passphrase again: ", "secret2"),
    ]) == 0
    assert ask(suite, tmp_path, ["-y", "-f", "k"], [("Enter passphrase.*: ", "secret2")]) == 0
    assert ask(suite, tmp_path, ["-c", "-f", "k", "-a", "1"], [
        ("Enter passphrase.*: ", "secret2"), ("Old comment: k", "new"),
    ]) == 0


@both
def test_the_question_before_a_signature_is_overwritten(suite, tmp_path):
    make_key(tmp_path, "k")
    (tmp_path / "f").write_text("one")
    words = ["-Y", "sign", "-f", "k", "-n", "x", "f"]
    assert ask(suite, tmp_path, words, []) == 0
    before = (tmp_path / "f.sig").read_text()
    (tmp_path / "f").write_text("two")
    assert ask(suite, tmp_path, words, [(r"Overwrite \(y/n\)\? ", "n")]) == 0
    assert (tmp_path / "f.sig").read_text() == before
    assert ask(suite, tmp_path, words, [(r"Overwrite \(y/n\)\? ", "y")]) == 0
    assert (tmp_path / "f.sig").read_text() != before


@pytest.mark.skipif(not os.path.isdir(SUITE), reason="needs the package openssh-tests")
def test_flags_of_a_security_key_file(twins):
    """-O touch-required and no-verify-required with -p, since OpenSSH 10.5."""
    for name in ["ed25519_sk", "ecdsa_sk"]:
        shutil.copy(f"{SUITE}/{name}", twins.seed / name)
        (twins.seed / name).chmod(0o600)
    twins.start()
    place = twins.folders[OURS]
    for name in ["ed25519_sk", "ecdsa_sk"]:
        line = twins.run(OURS, f"KG -y -f {name}")

        def flags():
            """The byte after the application, in the private half."""
            blob = base64.b64decode("".join((place / name).read_text().splitlines()[1:-1]))
            return blob[blob.rindex(b"\0\0\0\4ssh:") + 8]

        text = twins.run(OURS, f"KG -q -p -N '' -O touch-required -O no-verify-required -f {name}")
        assert text.endswith("=> 0"), text
        assert flags() & 5 == 1
        assert twins.run(OURS, f"KG -y -f {name}") == line
        assert twins.run(OPENSSH, f"KG -y -f {place / name}") == line
    assert twins.run(OURS, "KG -p -N '' -O touch-required -f ca").endswith("=> 255")
    assert twins.run(OURS, "KG -p -N '' -O bogus -f ecdsa_sk").endswith("=> 255")


HALF_HASHED = r"""
for h in '|1|6zD9D2WCfOBQ4srKgPifdw92/QQ=|K9wHz' '|1|6zD9D2WCfOBQ4srKgPifdw92/QQ=|K9wHzCD1GZTDtuRSr+8H+OrQ0Ws=,a' '|1|6zD9D2WCfOBQ4srKgPifdw92/QQ=|,?'; do printf 'b %s\n%s %s\n' "$(cat u.pub)" "$h" "$(cat u.pub)" > kh; KG -R a -f kh; KG -R b -f kh; wc -l < kh; done
"""


def test_a_broken_hash_of_a_host_is_no_mistake(twins):
    """A line with one does not keep -R from editing the others."""
    twins.start()
    twins.compare(HALF_HASHED)
