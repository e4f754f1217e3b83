# SPDX-License-Identifier: Apache-2.0
"""Command lines about keys that succeed: what they print, and the files that they leave, are OpenSSH's.

Each runs with the programs under test and with OpenSSH's, in copies of one folder.
"""
import os
import re
import shutil
import subprocess
import time

import pytest
from conftest import OPENSSH, UNDER_TEST

MAKE = r"""
for t in "rsa -b 2048" ecdsa ed25519; do n=k_${t%% *}; ssh-keygen -q -t $t -N '' -C "c $n" -f $n; done
ssh-keygen -q -t ecdsa -b 521 -N '' -C "c k_ecdsa521" -f k_ecdsa521
ssh-keygen -q -t dsa -N '' -C dsa -f k_dsa
ssh-keygen -q -t ed25519 -N secret -a 1 -f locked
ssh-keygen -q -t ed25519 -N '' -f ca
ssh-keygen -q -s ca -I id -n a,b -V 20200101:20300101 -z 7 k_ed25519.pub
ssh-keygen -q -h -s ca -I hostid -n h.example k_ecdsa.pub
plain() { cut -d' ' -f1,2 $1.pub; }
printf 'h.example,192.0.2.1 %s\n[h2]:2222 %s\n@cert-authority *.x %s\n@revoked * %s\n# c\n' \
    "$(plain k_ed25519)" "$(plain k_rsa)" "$(plain ca)" "$(plain k_ecdsa)" > kh
cp kh kh_hashed; ssh-keygen -H -f kh_hashed; rm kh_hashed.old
printf 'a,b namespaces="file,git" %s\n*@x cert-authority %s\nz valid-after="20200101",valid-before="20210101" %s\n' \
    "$(plain k_ed25519)" "$(plain ca)" "$(plain k_rsa)" > signers
echo hello > msg
ssh-keygen -q -Y sign -n file -f k_ed25519 msg; mv msg.sig sig_ed
ssh-keygen -q -Y sign -n file -f k_rsa msg; mv msg.sig sig_rsa
printf 'serial: 1-10\nserial: 20\nid: foo\n' > spec1
printf 'key: %s\nsha1: %s\nsha256: %s\n' "$(cat k_rsa.pub)" "$(cat k_ecdsa.pub)" "$(cat k_ed25519.pub)" > spec2
ssh-keygen -q -k -f krl -s ca.pub -z 3 spec1; ssh-keygen -q -k -f krl2 spec2
ssh-keygen -e -f k_rsa.pub > rfc; ssh-keygen -e -m pem -f k_rsa.pub > rsa.pem
ssh-keygen -e -m pkcs8 -f k_ecdsa.pub > ec.p8; ssh-keygen -f k_rsa -e -m pkcs8 > rsa.p8
cat k_rsa.pub k_ecdsa.pub k_ed25519.pub > many.pub
(echo 'command="x y",no-pty '"$(cat k_rsa.pub)"; echo '# c'; cat k_ed25519.pub) > auth
printf '#!/bin/sh\necho "ask: $1" >> asked\necho secret\n' > asks; chmod 755 asks
mkdir .ssh; chmod 700 .ssh
"""

#: What a user may have made of files.
ODD = r"""
(cat kh; echo 'h.example ssh-rsa AAAA'; printf 'tab.host\tssh-rsa\t%s\n' $(cut -d' ' -f2 k_rsa.pub); echo 'cut ssh-rsa') > kh_odd
(cat kh_odd; echo 'bad line'; echo; echo '|1|x|y ssh-rsa AAAA'; echo '@foo a ssh-rsa AAAA') > kh_bad
(cat kh; echo 'broken ssh-ed25519 AAAAC3Nza') > kh_cut
printf '%s c\001\033[0m\351\303\251x\n' "$(cut -d' ' -f1,2 k_ed25519.pub)" > odd.pub
cp k_ed25519 bare; cp k_ed25519 open; chmod 644 open; cp k_rsa pem; ssh-keygen -q -p -m PEM -N secret -f pem
printf 'serial: 0-3\n' > spec_zero; ln -s bare link; ln -s kh kh_link; cp k_rsa.pub bare_other; mkdir full; cp bare full/key
printf '%s\n# c\n\n' "$(plain k_rsa)" > revoked; cp revoked revoked_bad; echo "x $(plain k_ecdsa)" >> revoked_bad
"""

KEYGEN = r"""
-l -f k_rsa
-l -f k_ed25519.pub
-l -v -f k_ecdsa521
-lv -E md5 -f k_rsa.pub
-l -E md5 -f auth
-l -f many.pub
-l -f kh
-lv -f kh
-l -f k_ed25519-cert.pub
-l -f k_dsa.pub
-B -f k_rsa
-B -f many.pub
-L -f k_ed25519-cert.pub
-L -f k_ecdsa-cert.pub
-L -E md5 -f k_ecdsa-cert.pub
-L -f k_rsa.pub
-y -f k_rsa
-y -f k_ecdsa
-y -f locked -P secret
-e -f k_ed25519.pub
-e -f k_rsa -m rfc4716
-e -f k_rsa.pub -m pem
-e -f k_ecdsa.pub -m pkcs8
-e -f k_ecdsa.pub -m pem
-e -f k_ed25519.pub -m pkcs8
-e -f k_ed25519-cert.pub
-e -f k_dsa.pub -m pem
-i -f rfc
-i -m pem -f rsa.pem
-i -m pkcs8 -f ec.p8
-i -m pkcs8 -f rsa.p8
-X -f rfc
-F h.example -f kh
-F h.example -l -f kh
-F h.example -lv -f kh
-F 192.0.2.1 -f kh
-F [h2]:2222 -f kh
-F h2 -f kh
-F foo.x -f kh
-F anything -f kh
-F h.example -f kh_hashed
-F H.EXAMPLE -f kh
-F h.example,192.0.2.1 -f kh
-q -F h.example -f kh
-R h.example -f kh
-R [h2]:2222 -f kh
-R foo.x -f kh
-R h.example -f kh_hashed
-H -f kh
-r host -f k_rsa.pub
-r host -f k_ed25519.pub
-r host -g -f k_ecdsa.pub
-r host -f k_ed25519-cert.pub
-r host -f k_dsa.pub
-p -f k_rsa -P '' -N secret1
-p -f locked -P secret -N ''
-p -m PEM -f k_rsa -N ''
-p -m PKCS8 -f k_ecdsa -N ''
-p -m PEM -f k_ed25519 -N ''
-p -Z aes128-gcm@openssh.com -a 1 -f k_ecdsa -N secret1
-p -Z 3des-cbc -a 1 -f k_ecdsa -N secret1
-c -f k_rsa -C 'new comment' -P ''
-c -f k_ed25519 -C ''
-s ca -I id2 -n u1,u2 -V +1h -z 5 -O clear -O permit-pty k_rsa.pub
-s ca -I id2 -O force-command=ls -O source-address=10.0.0.0/8,::1 k_rsa.pub
-s ca -I id2 -O critical:x@y=z -O extension:e@y=w -O extension:f@y k_rsa.pub
-s ca -I id2 -O no-pty -O no-agent-forwarding -O no-user-rc -O no-x11-forwarding -O no-port-forwarding k_rsa.pub
-s ca -I id2 -O no-touch-required -O verify-required k_rsa.pub
-s ca -h -I id2 -n h1 k_rsa.pub k_ecdsa521.pub
-s ca -q -I id2 -z +10 k_rsa.pub k_ecdsa521.pub
-s k_rsa -t rsa-sha2-256 -I id2 k_ecdsa521.pub
-s ca -I '' k_rsa.pub
-s ca -I 'a b' -n '' k_rsa.pub
-s ca -I id -V 20200101:20200101 k_rsa.pub
-s ca -I id -V -1w:+1d k_rsa.pub
-s ca -I id -V 20200101000000Z:20300101Z k_rsa.pub
-s ca -I id -V 20200101UTC:20300101120000utc k_rsa.pub
-s ca -I id -V 20200101:20300101GMT k_rsa.pub
-s ca -I id -n $(seq -s, 257) k_rsa.pub
-s ca -I id -V 0x10:0xffffffffffffffff k_rsa.pub
-s ca -I id -V always:20300101 k_rsa.pub
-s ca -I id -n a k_ed25519-cert.pub
-k -f out -s ca.pub spec1
-k -f out spec2
-k -f out k_rsa.pub k_ed25519-cert.pub
-k -u -f krl k_rsa.pub
-k -q -f out -s ca.pub spec_zero
-k -f out -z 99 k_rsa.pub
-k -f out
-Q -f krl k_ed25519-cert.pub
-Q -f krl k_rsa.pub k_ecdsa-cert.pub
-Q -f krl2 k_rsa.pub k_ecdsa.pub k_ed25519.pub k_ecdsa521.pub
-Q -l -f krl
-Q -l -f krl2
-Q -q -f krl2 k_rsa.pub
-Y sign -n file -f k_rsa msg
-Y sign -n file -O hashalg=sha256 -f k_ecdsa msg
-Y sign -q -n file -f k_ed25519 msg
-Y sign -n file -f k_ed25519
-Y verify -f signers -I a -n file -s sig_ed < msg
-Y verify -f signers -I b -n file -s sig_ed -O print-pubkey < msg
-Y verify -f signers -I c -n file -s sig_ed < msg
-Y verify -f signers -I a -n git -s sig_ed < msg
-Y verify -f signers -I z -n file -s sig_rsa < msg
-Y verify -f signers -I z -n file -s sig_rsa -O verify-time=20200601 < msg
-Y verify -f signers -I z -n file -s sig_rsa -O verify-time=20190601 < msg
-Y verify -q -f signers -I a -n file -s sig_ed < msg
-Y verify -f signers -I a -n file -s sig_ed -r krl2 < msg
-Y verify -f signers -I a -n file -s sig_ed < kh
-Y find-principals -f signers -s sig_ed
-Y find-principals -f signers -s sig_rsa
-Y find-principals -f signers -s sig_rsa -O verify-time=20200601
-Y match-principals -f signers -I a
-Y match-principals -f signers -I q@x
-Y match-principals -f signers -I q
-Y check-novalidate -n file -s sig_ed < msg
-Y check-novalidate -n file -s sig_ed -O print-pubkey < msg
-Y check-novalidate -n x -s sig_ed < msg
-Y check-novalidate -q -n file -s sig_ed < msg
-q -t ed25519 -N '' -f sub/new
-q -t ed25519 -N '' -C x -f new
-t ecdsa -b 384 -N '' -C x -f new
-t rsa -b 1024 -N '' -f new
-t ecdsa -b 384 -N abcde -a 2 -Z aes256-gcm@openssh.com -f new
-t rsa -b 2048 -N abcde -m PEM -f new
-q -t ed25519 -N ''
"""

#: Under an agent of the same suite.
AGENT = r"""
ssh-add k_rsa k_ecdsa; ssh-add -l; ssh-add -L; ssh-add -l -E md5; ssh-add -d k_rsa; ssh-add -l; ssh-add -D; ssh-add -l
ssh-add -q k_rsa; ssh-add -q -d k_rsa; ssh-add -d k_rsa
ssh-add -k k_ed25519; ssh-add -l
ssh-add -t 1 k_rsa; ssh-add -l; sleep 1.5; ssh-add -l
ssh-add -t 1h -c k_rsa; ssh-add -l
ssh-add -v k_rsa; ssh-add -vv -l
ssh-add -T k_rsa.pub; ssh-add k_rsa k_ecdsa k_ecdsa521; ssh-add -T k_rsa.pub k_ecdsa.pub k_ecdsa521.pub; echo $?
ssh-add - < k_rsa; ssh-add -l; ssh-add -d - < k_rsa.pub; ssh-add -l
ssh-add; echo $?
ssh-add -h h.example -H kh k_rsa; echo $?; ssh-add -l
ssh-add -h 'h.example>user@h2' -H kh k_rsa; echo $?
ssh-add -h 'nothere' -H kh k_rsa; echo $?
ssh-add -h '[h2]:2222' -H kh k_rsa; echo $?
ssh-add locked </dev/null; echo $?
SSH_ASKPASS=./asks SSH_ASKPASS_REQUIRE=force ssh-add locked; echo $?; ssh-add -l
SSH_ASKPASS=./asks SSH_ASKPASS_REQUIRE=force ssh-add -x; ssh-add -l; ssh-add k_rsa; SSH_ASKPASS=./asks SSH_ASKPASS_REQUIRE=force ssh-add -X; ssh-add -l
ssh-add k_rsa.pub; echo $?
ssh-add -q -k k_ecdsa; ssh-add -d k_ecdsa; echo $?; ssh-add -k k_ecdsa; ssh-add -d k_ecdsa.pub; echo $?; ssh-add -l
ssh-add -q k_ecdsa; ssh-add -d k_ecdsa.pub; echo $?; ssh-add -l; ssh-add -d k_ecdsa; echo $?; ssh-add -d k_ecdsa; echo $?
ssh-add -q k_ecdsa; ssh-add -d k_ecdsa-cert.pub; ssh-add -d k_ecdsa; echo $?; ssh-add -l
ssh-add -s /usr/lib/none.so; echo $?; ssh-add -e /usr/lib/none.so; echo $?
SSH_AUTH_SOCK=/nowhere ssh-add -l; echo $?; SSH_AUTH_SOCK= ssh-add -l; echo $?; env -u SSH_AUTH_SOCK ssh-add -l; echo $?
ssh-add -D -q; ssh-add -q -D; ssh-add -l -q; echo $?
ssh-add k_dsa; ssh-add -l
ssh-add k_ecdsa-cert.pub; echo $?
ssh-keygen -Y sign -n x -f k_rsa.pub msg; ssh-add -q k_rsa; rm k_rsa; ssh-keygen -q -Y sign -n x -f k_rsa.pub msg; ls msg.sig
ssh-add -q ca; ssh-keygen -Us ca.pub -I x k_rsa.pub; ssh-keygen -L -f k_rsa-cert.pub | grep -v Valid
ssh-agent -t 1 sh -c 'ssh-add -q k_rsa; sleep 1.5; ssh-add -l'
ssh-agent sh -c 'exit 3'; echo $?
cp k_rsa .ssh/id_rsa; cp k_ecdsa .ssh/id_ecdsa; cp k_ed25519 .ssh/id_ed25519; cp k_rsa.pub .ssh/id_rsa.pub; ssh-add; ssh-add -l; ssh-add -d; ssh-add -l
"""


#: With the files of `ODD`; `ssh-keygen` is that of the suite.
SCRIPTS = r"""
ssh-keygen -l -f kh_odd; ssh-keygen -lv -f kh_odd
ssh-keygen -l -f odd.pub; ssh-keygen -q -s ca -I x odd.pub; cut -d' ' -f3- odd-cert.pub | od -c
ssh-keygen -l -f rsa.pem; ssh-keygen -lv -f rfc; ssh-keygen -l -f sig_ed
ssh-keygen -l -f open; ssh-keygen -l -v -f open; ssh-keygen -lv -f pem; ssh-keygen -lv -f bare
ssh-keygen -r h -f bare; ssh-keygen -r h -f k_rsa; ssh-keygen -r h -f pem; ssh-keygen -r h -f msg
ssh-keygen -q -s ca -I x k_ed25519; cut -d' ' -f3- k_ed25519-cert.pub
ssh-keygen -Q -f krl msg; ssh-keygen -Q -f krl k_rsa
ssh-keygen -k -f out -s nothere spec1; ssh-keygen -k -f out -s msg spec1
ssh-keygen -F h.example -f kh_odd; ssh-keygen -F tab.host -f kh_odd; ssh-keygen -F h.example -l -f kh_odd
ssh-keygen -R h.example -f kh_odd; ssh-keygen -R broken -f kh_cut; ssh-keygen -F broken -f kh_cut
ssh-keygen -R h.example -f kh_bad; ssh-keygen -H -f kh_bad
ssh-keygen -H -f kh_cut > /dev/null; wc kh_cut; ssh-keygen -F broken -f kh_cut | wc -l
ssh-keygen -l -R h.example -f kh 2>&1 | head -1; ssh-keygen -l -H -f kh 2>&1 | head -1
ssh-keygen -q -t ed25519 -N '' -C "$(printf 'd\351')" -f new; cut -d' ' -f3 new.pub | od -c; ssh-keygen -y -f new | cut -d' ' -f3 | od -c
p=$(printf 'p\351ss1'); q=$(printf 'p\350ss1'); ssh-keygen -q -p -a 1 -P '' -N "$p" -f bare; PATH=/usr/bin:$PATH ssh-keygen -q -p -a 1 -P "$p" -N "$q" -f bare; ssh-keygen -y -P "$p" -f bare; ssh-keygen -y -P "$q" -f bare; ssh-keygen -q -p -a 1 -P "$q" -N "$p" -f bare; /usr/bin/ssh-keygen -y -P "$p" -f bare
ssh-keygen -p -N '' -f link; ls -l link bare | cut -c1-10; ssh-keygen -c -C new -f link; ssh-keygen -y -f bare
chmod 644 kh; umask 077; ssh-keygen -R h.example -f kh; stat -c %a kh kh.old
umask 077; ssh-keygen -u -k -f krl k_rsa.pub; stat -c %a krl; ssh-keygen -k -f out k_rsa.pub; stat -c %a out
echo y | ssh-keygen -Y sign -n x -f k_ed25519 msg; chmod 640 msg.sig; echo y | ssh-keygen -Y sign -n x -f k_ed25519 msg; stat -c %a msg.sig
ssh-keygen -q -k -f /dev/stdout k_rsa.pub | ssh-keygen -Q -f /dev/stdin k_rsa.pub k_ecdsa.pub
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    subprocess.run(["bash", "-c", MAKE + ODD], cwd=folder, check=True, env=environment, capture_output=True)
    return folder


def files(folder):
    found = {}
    for place, _, names in os.walk(folder):
        for name in filter(lambda name: os.path.isfile(os.path.join(place, name)), names):
            path = os.path.join(place, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = (oct(os.lstat(path).st_mode), file.read())
    return found


def outcome(suite, command, made, place):
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(made, place, symlinks=True)
    before = files(place)
    bins = f"{suite.prefix}/bin"
    environment = {"PATH": f"{bins}:/usr/bin:/bin", "HOME": str(place), "LC_ALL": "C.UTF-8",
                   "SWIFT_BACKTRACE": "enable=no"}
    result = subprocess.run(command, cwd=place, env=environment, stdin=subprocess.DEVNULL,
                            capture_output=True, timeout=60, start_new_session=True)
    after = files(place)
    changed = {name: (mode, len(content)) for name, (mode, content) in after.items()
               if before.get(name) != (mode, content)}
    changed |= {name: None for name in before if name not in after}
    return result.returncode, shown(result.stdout, bins), shown(result.stderr, bins), changed


def shown(output, bins):
    text = output.decode("utf-8", "backslashreplace").replace(f"{bins}/", "")
    text = re.sub(r"/tmp/ssh-\w+/agent\.\d+|\S*/\.ssh/agent/s\.\S+|(?i:pid )\d+", "NAME", text)
    # What was now: the two runs are not at the same second.
    now = f"{time.gmtime().tm_year}-"
    return re.sub(now + r"\d\d-\d\dT\d\d:\d\d(:\d\d)?", "NOW", text)


def each(text):
    return [line for line in text.strip().splitlines() if line]


@pytest.mark.parametrize("line", each(KEYGEN))
def test_keygen(line, made, tmp_path):
    seen = [outcome(suite, ["sh", "-c", f"ssh-keygen {line}"], made, tmp_path / "here")
            for suite in (UNDER_TEST, OPENSSH)]
    if "-t " in line and "-s " not in line or line.startswith("-H"):
        # New keys and salts: the picture and the fingerprint are their own.
        seen = [(status, re.sub(r"(?m)^(SHA256:\S+|[|].*)", "X", out), errors, sorted(changed))
                for status, out, errors, changed in seen]
    if "-f k_ecdsa" in line and "-Y sign" in line:
        seen = [(status, out, errors, sorted(changed)) for status, out, errors, changed in seen]
    assert seen[0] == seen[1]


@pytest.mark.parametrize("script", each(SCRIPTS))
def test_script(script, made, tmp_path):
    seen = [outcome(suite, ["sh", "-c", script], made, tmp_path / "here") for suite in (UNDER_TEST, OPENSSH)]
    seen = [(status, re.sub(r"(?m)^([|].*|[+]-.*)", "X", out), errors, changed)
            for status, out, errors, changed in seen]
    assert seen[0] == seen[1]


@pytest.mark.parametrize("file,good", [
    ("revoked", True), ("revoked_bad", False), ("msg", False), ("k_rsa", False), ("auth", False), ("kh", False)])
def test_a_file_of_revoked_keys_with_other_lines_revokes_all(file, good, made, tmp_path):
    line = f"ssh-keygen -Y verify -f signers -I a -n file -s sig_ed -r {file} < msg"
    seen = [outcome(suite, ["sh", "-c", line], made, tmp_path / "here") for suite in (UNDER_TEST, OPENSSH)]
    assert [status for status, *_ in seen] == ([0, 0] if good else [255, 255])
    assert seen[0][1] == seen[1][1]
    if UNDER_TEST is not OPENSSH:
        assert seen[0][2] == ("" if good else f"Invalid revoked keys file {file}: invalid format\r\n")


@pytest.mark.parametrize("words,content", [
    ("-i", "rfc"), ("-y", "k_rsa"), ("-l", "k_rsa.pub"), ("-L", "k_ed25519-cert.pub"), ("-e", "k_rsa.pub"),
    ("-F h.example", "kh"), ("-r h", "k_rsa.pub")])
def test_a_named_pipe_is_opened_once(words, content, made, tmp_path):
    """Whoever writes into it gets rid of it all, and it is read."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    writer = subprocess.Popen(["dd", f"if={made}/{content}", f"of={pipe}", "bs=16"], stderr=subprocess.DEVNULL)
    try:
        piped = subprocess.run([UNDER_TEST.ssh_keygen, *words.split(), "-f", pipe], capture_output=True, timeout=30)
        assert writer.wait(10) == 0
    finally:
        writer.kill()
    plain = subprocess.run([UNDER_TEST.ssh_keygen, *words.split(), "-f", made / content], capture_output=True)
    shown = plain.stdout.replace(bytes(made / content), bytes(pipe))
    assert (piped.returncode, piped.stdout) == (plain.returncode, shown)
    assert plain.returncode == 0


def owner_and_mode(path):
    status = os.stat(path)
    return status.st_uid, status.st_gid, oct(status.st_mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
@pytest.mark.parametrize("words", [
    "-p -N x12345 -a 1 -f bare", "-c -C new -f k_rsa", "-R h.example -f kh", "-k -u -f krl k_rsa.pub"])
def test_files_of_others_stay_theirs(words, made, tmp_path):
    """Root changes a user's key: the user can still read it."""
    place = tmp_path / "here"
    shutil.copytree(made, place, symlinks=True)
    file = place / words.split("-f ")[1].split()[0]
    others = [file] + [path for path in [file.with_name(file.name + ".pub")] if path.exists()]
    for path in others:
        os.chown(path, 12345, 23456)
    before = {path: (owner_and_mode(path), path.read_bytes()) for path in others}
    subprocess.run([UNDER_TEST.ssh_keygen, *words.split()], cwd=place, check=True, capture_output=True)
    for path in others:
        assert owner_and_mode(path) == before[path][0]
    assert file.read_bytes() != before[file][1]
    if "-R" in words:
        assert owner_and_mode(place / "kh.old") == before[file][0]


def test_a_key_where_no_file_can_be_made(made, tmp_path):
    """A file that another is mounted on, as containers have it: what it holds is changed in place."""
    mounting = ["unshare", "-m", "sh", "-c"]
    if subprocess.run([*mounting, "true"], capture_output=True).returncode != 0:
        pytest.skip("needs a mount namespace")
    place = tmp_path / "here"
    shutil.copytree(made, place, symlinks=True)
    script = f"""mount --bind {place}/bare {place}/full/key
        {UNDER_TEST.ssh_keygen} -p -N x12345 -a 1 -f {place}/full/key"""
    result = subprocess.run([*mounting, script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    opened = subprocess.run([UNDER_TEST.ssh_keygen, "-y", "-P", "x12345", "-f", place / "bare"],
                            capture_output=True, text=True)
    assert opened.returncode == 0
    assert sorted(os.listdir(place / "full")) == ["key"]


@pytest.mark.parametrize("script", each(AGENT))
def test_agent(script, made, tmp_path):
    script = f"{script}; cat asked 2>/dev/null"
    seen = [outcome(suite, ["ssh-agent" if suite is OPENSSH else suite.ssh_agent, "sh", "-c", script],
                    made, tmp_path / "here") for suite in (UNDER_TEST, OPENSSH)]
    assert seen[0] == seen[1]
