# SPDX-License-Identifier: Apache-2.0
"""Command lines that cannot succeed, or need no peer: told as OpenSSH tells them.

Each line runs with the programs under test and with OpenSSH's, in folders of the same contents; what
they print on both outputs and their exit status must be equal. Usage texts are those of OpenSSH 10.5
and so differ from 9.2's; that one is printed, and where, is compared all the same.
"""
import os
import re
import signal
import subprocess

import pytest
from conftest import OPENSSH, UNDER_TEST, make_key

#: Where OpenSSH 9.2 is another version: defaults that -G and -T print, versions, keywords and options of 10.5.
OTHER_VERSION = """
    ssh -i absent -G h
    ssh -o Protocol=2 -G h
    ssh -o UsePrivilegedPort=yes -G h
    ssh -o RSAAuthentication=yes -G h
    ssh -o Tag=a h
    ssh -e ^[ -G h
    ssh -J a -o ProxyCommand=x -G h
    ssh -2 -G h
    ssh -4 -6 -G h
    ssh -t -T -G h
    ssh -v -V
    ssh -V
    ssh -V h
    ssh -F none -G -p 22 -p 23 h
    ssh -F none -G -l a b@h
    ssh -F none -G a@b@h
    ssh -F none -G -oPort=5 -p 6 ssh://h:7
    ssh -F none -G [::1]
    ssh -F none -G ::1
    ssh -F none -G H.Example
    ssh -F none -G -vvv -q h
    ssh -F none -G -o Ciphers=-aes* h
    ssh -F none -G -o Ciphers=-* h
    ssh -F none -G -o KexAlgorithms=-* h
    ssh -F none -G -o HostKeyAlgorithms=-* h
    ssh -F none -G -o RekeyLimit=1G 1h h
    ssh -F none -G -o ConnectTimeout=1h30m h
    ssh-keygen -l
    ssh-keygen -L
    ssh-keygen -A -f /nowhere/dir
    ssh-keygen -V x
    ssh-keygen -U
    ssh-keygen -g
    ssh-keygen -h
    ssh-keygen -o
    ssh-keygen -v
    ssh-keygen -u
    ssh-add -C plain
    ssh-keyscan -O
    ssh-keyscan -O nothing 127.0.0.1
    ssh-keyscan -O hashalg=x 127.0.0.1
    ssh-keyscan -q -p 1 127.0.0.1
    sshd --help
    sshd -z
    sshd -?
    sshd -f
    sshd -f server_config -T
    sshd -f server_config -t -C
    sshd -f server_config -T -C user=a
    sshd -f server_config -T -C user=a,host=h
    sshd -f server_config -T -C user=a,host=h,addr=1.2.3.4
    sshd -f server_config -t -E
    sshd -f server_config -t -V
    sshd -f server_config -G
    sshd -V
    sshd -t -D -o
    sshd -o
    sshd -p
    sshd -h
    sftp-server -Q requests
    ssh -F none -G -o User=%x h
    ssh-keygen -b 10 -q -f new -N x
    ssh-keygen -r h -O hashalg=sha1 -f plain.pub
    ssh-keygen -r h -O hashalg=nothing -f plain.pub
"""

#: sshd goes on behind a wrong value, to tell every mistake of a file at once.
ALL_MISTAKES = """
    sshd -f server_bad_value -t
    sshd -f server_two_bad -t
    sshd -f server_match_bad -t
    sshd -f server_methods_bad -t
"""

#: Ours differ on purpose: a folder is no configuration, and is told rather than read as an empty file; a
#: number that is none is an error (9.2 reads it as 0, or prints other memory); what is wrong with an option is said
#: to who started the program, not to syslog; what ssh-add 9.2 takes `-m` for is no more.
ON_PURPOSE = """
    ssh -F . h
    sshd -f folder -t
    ssh-keygen -M generate -O bits=x new
    ssh-keygen -M screen -O lines=x -f text new
    sftp-server -f nothing
    sftp-server -l loud
    sftp-server -u x
    sftp-server -u 9
    sftp-server -u -1
    sftp-server -u 1777
    ssh-add -m x plain
    ssh-keyscan -p 1 -v 127.0.0.1
"""

#: 9.2 leaves without writing what it has printed to a pipe: its standard output is not compared.
OUTPUT_LOST = """
    ssh-keygen -k -f new_krl absent
    ssh-keygen -k -f new_krl text
    ssh-keygen -k -f new_krl krl_spec
    ssh-keygen -k -f new_krl krl_bad_spec
    ssh-keygen -k -f /nowhere/krl plain.pub
"""

#: The mistake is found before, not behind, the line about the missing terminal.
SOONER = """
    ssh -F none -p 1 -o ControlPath=%q 127.0.0.1
    ssh -F none -p 1 -o ControlPath=%C% 127.0.0.1
    ssh -F none -p 1 -o UserKnownHostsFile=%q 127.0.0.1
    ssh -F none -p 1 -o IdentityAgent=%q 127.0.0.1
    ssh -F none
    ssh -F none u@
"""

#: Not yet the same.
NOT_YET = """
    sshd -D -d -d -d -f absent
    sshd -o ListenAddress=nohost.invalid -t -f server_config
    sshd -o HostKeyAgent=/nowhere -t -f server_config
"""

DIFFERENCES = {
    line.strip() for line in (OTHER_VERSION + ALL_MISTAKES + ON_PURPOSE).splitlines() if line.strip()
}
UNEQUAL = {line.strip() for line in NOT_YET.splitlines() if line.strip()}
LOST = {line.strip() for line in OUTPUT_LOST.splitlines() if line.strip()}
WITHOUT_TERMINAL = {line.strip() for line in SOONER.splitlines() if line.strip()}


def lines(program, text):
    """One command line a line; words are split at blanks, `''` is an empty word."""
    for line in text.strip().splitlines():
        line = line.strip()
        if line and not line.startswith("#"):
            yield (program, *("" if word == "''" else word for word in line.split()))


SSH = """
-Y1
--help
-?
-z
-k9
-Q
-Q nothing
-Q cipher
-Q mac
-Q help
-Q protocol-version
-Q key-ca-sign-algorithms
-p
-p 0 h
-p 65536 h
-p x h
-p -1 h
-l
-l '' h
-i
-i absent -G h
-i absent -F none -o BatchMode=yes 127.0.0.1 -p 1
-b
-b nonsense -F none 127.0.0.1
-B nonsense0 -F none 127.0.0.1
-c
-c nothing h
-c aes128-ctr,nothing h
-c +nothing h
-m nothing h
-m +nothing h
-m
-o
-o '' h
-o Nothing h
-o Nothing=1 h
-o Port h
-o Port= h
-o Port=0 h
-o Port=x h
-o Port=65536 h
-o BatchMode=maybe h
-o BatchMode h
-o ConnectTimeout=x h
-o ConnectTimeout=-1 h
-o Ciphers=nothing h
-o MACs=nothing h
-o KexAlgorithms=nothing h
-o HostKeyAlgorithms=nothing h
-o PubkeyAcceptedAlgorithms=nothing h
-o StrictHostKeyChecking=maybe h
-o LogLevel=loud h
-o SyslogFacility=none h
-o ControlMaster=perhaps h
-o ControlPersist=x h
-o ControlPath= h
-o AddressFamily=x h
-o IPQoS=x h
-o LocalForward=1 h
-o LocalForward=x:y h
-o RemoteForward=x:y:z h
-o DynamicForward=x:y:z:w h
-o RekeyLimit=x h
-o RekeyLimit=1 h
-o RekeyLimit=1Z h
-o EscapeChar=xyz h
-o EscapeChar= h
-o Tunnel=maybe h
-o TunnelDevice=x h
-o NumberOfPasswordPrompts=x h
-o ServerAliveInterval=x h
-o ServerAliveCountMax=-1 h
-o RequestTTY=x h
-o SessionType=x h
-o AddKeysToAgent=x h
-o UpdateHostKeys=x h
-o VerifyHostKeyDNS=x h
-o CanonicalizeHostname=x h
-o CanonicalDomains= h
-o CanonicalizePermittedCNAMEs=x h
-o FingerprintHash=x h
-o StreamLocalBindMask=9 h
-o StreamLocalBindMask=x h
-o PermitRemoteOpen=x h
-o RequiredRSASize=x h
-o KnownHostsCommand=x h
-o GlobalKnownHostsFile= h
-o ProxyJump=a,none h
-o ProxyJump=@ h
-o ProxyCommand= h
-o Match=all h
-o Host=x h
-o Include= h
-o SetEnv=x h
-o SendEnv=a=b h
-o PreferredAuthentications= h
-o Compression=true h
-o CompressionLevel=5 h
-o Protocol=1 h
-o Protocol=2 -G h
-o UsePrivilegedPort=yes -G h
-o RSAAuthentication=yes -G h
-o GSSAPIAuthentication=x h
-o User h
-o PermitLocalCommand=x h
-o EnableEscapeCommandline=x h
-o ForwardX11Timeout=x h
-o ForwardAgent= h
-o CASignatureAlgorithms=x h
-o IdentitiesOnly=x h
-o NoHostAuthenticationForLocalhost=x h
-o LogVerbose= h
-o Tag=a h
-F absent h
-F . h
-F bad_config h
-F bad_value h
-F bad_quotes h
-F two_bad h
-F included_bad h
-F bad_match h
-F garbage_after h
-E
-E /nowhere/log h
-E . -F none -p 1 127.0.0.1
-e
-e ab h
-e ^ h
-e ^[ -G h
-J
-J '' h
-J a,,b h
-J user@ h
-J ssh://a/b h
-J a -J b h
-J a -o ProxyCommand=x -G h
-W
-W x h
-W x:y h
-W a:0 h
-W a:22 -N h
-W a:22 h cmd
-L
-L 1 h
-L x:1:2 h
-L 1:2:3:4:5 h
-L 0:h:1 h
-L 1:h:0 h
-L 1:h:x h
-R
-R x h
-R 1:2:3:4:5 h
-D
-D x h
-D a:b:c h
-D 70000 h
-O
-O nothing h
-O check h
-O check -S none h
-O check -S absent h
-O exit -S absent h
-O check -S absent
-O check -S . h
-S
-w
-w x h
-w any:x h
-w 1:2:3 h
-I
-1 h
-2 -G h
-1
-4 -6 -G h
-t -T -G h
-N -s h
-s h
-s
-n
-f h
-f -F none -p 1 127.0.0.1
-N -F none -p 1 127.0.0.1
-q -F none -p 1 127.0.0.1
-v -V
-V
-V h
-G
-G -p 1
-g
-X
-y -F none -p 1 127.0.0.1
-K
-M
-F none -p 1 127.0.0.1
-F none -p 1 127.0.0.1 true
-F none -p 1 localhost
-F none -p 1 -4 ::1
-F none -p 1 -6 127.0.0.1
-F none nohost.invalid
-F none -o ConnectionAttempts=2 -p 1 127.0.0.1
-F none -o ConnectTimeout=1 -p 1 127.0.0.1
-F none -o BindAddress=192.0.2.1 -p 1 127.0.0.1
-F none -b 192.0.2.1 -p 1 127.0.0.1
-F none -b nohost.invalid -p 1 127.0.0.1
-F none -o BindInterface=nothing0 -p 1 127.0.0.1
-F none -o ProxyCommand=false h
-F none -o ProxyCommand=exit\\ 3 h
-F none -o ProxyCommand=/nowhere/x h
-F none -o ProxyCommand=true h
-F none -o ProxyCommand=echo\\ SSH-1.5-x h
-F none -o ProxyCommand=echo\\ SSH-2.0 h
-F none -o ProxyJump=127.0.0.1:1 h
-F none -o UserKnownHostsFile=/nowhere/x -p 1 127.0.0.1
-F none -p 1 -o ControlMaster=yes -o ControlPath=/nowhere/%h 127.0.0.1
-F none -p 1 -o ControlPath=%q 127.0.0.1
-F none -p 1 -o ControlPath=%C% 127.0.0.1
-F none -p 1 -o UserKnownHostsFile=%q 127.0.0.1
-F none -p 1 -o IdentityFile=%q 127.0.0.1
-F none -p 1 -o ProxyCommand=%q 127.0.0.1
-F none -p 1 -o RemoteCommand=ls 127.0.0.1 ls
-F none -p 1 -o RemoteCommand=%q 127.0.0.1
-F none -p 1 -o LocalCommand=%q -o PermitLocalCommand=yes 127.0.0.1
-F none -p 1 -o IdentityAgent=%q 127.0.0.1
-F none -p 1 -o IdentityAgent=$NOPE_X 127.0.0.1
-F none -p 1 -o IdentityFile=${NOPE_X} 127.0.0.1
-F none -p 1 -o ForwardAgent=${NOPE_X} 127.0.0.1
-F none -p 1 -o CertificateFile=%q 127.0.0.1
-F none -p 1 -o HostKeyAlias=a 127.0.0.1
-F none -p 1 -o CanonicalizeHostname=yes -o CanonicalDomains=invalid -o CanonicalizeFallbackLocal=no nohost
-F none -p 1 -o RemoteForward=1 -o ExitOnForwardFailure=yes 127.0.0.1
-F none -i unreadable_dir/x -p 1 127.0.0.1
-F none -i group_key -o BatchMode=yes -p 1 127.0.0.1
-F none -I /nowhere/lib.so -p 1 127.0.0.1
-F none ssh://
-F none ssh://h:x
-F none ssh://h:0
-F none ssh://h/path
-F none ssh://u@
-F none ssh://127.0.0.1:1
-F none sftp://127.0.0.1:1
-F none ''
-F none @h
-F none u@
-F none -- -h
-F none -l -x h
-F none -- h;x
-F none -- h`x`
-F none -- u'x@h
-F none -- u;x@127.0.0.1 -p 1
-F none -p 1 -l u;x 127.0.0.1
-F none -p 1 127.0.0.1 -l -x
-F none -G -p 22 -p 23 h
-F none -G -l a b@h
-F none -G a@b@h
-F none -G -oPort=5 -p 6 ssh://h:7
-F none -G [::1]
-F none -G ::1
-F none -G H.Example
-F none -G -vvv -q h
-F none -G -o Ciphers=-aes* h
-F none -G -o Ciphers=-* h
-F none -G -o Ciphers= h
-F none -G -o KexAlgorithms=-* h
-F none -G -o HostKeyAlgorithms=-* h
-F none -G -o RekeyLimit=1G\\ 1h h
-F none -G -o User=%x h
-F none -G -o ConnectTimeout=1h30m h
-F none -G -o ConnectTimeout=99999999999 h
-F none -G -o ServerAliveInterval=99999999999999999999 h
-F none -G -o NumberOfPasswordPrompts=99999999999 h
-F none -G -o Port=99999999999999999999 h
"""

SCP = """
--help
-?
-z
''
a
a b c
absent b
absent absent2/x
absent h:
-P
-P x absent h:x
-P 0 text h:x
-P 70000 text h:x
-l
-l x text h:x
-l 0 text h:x
-l -5 text h:x
-o
-o Nothing=1 text 127.0.0.1:x
-S
-S /nowhere/x text h:x
-D
-D /nowhere/x text h:x
-X
-X nothing=1 text h:x
-X buffer text h:x
-X buffer=x text h:x
-X nrequests=0 text h:x
-c
-i
-F
-J
-t
-f
-t -d absent
-f absent
text folder/absent/x
text text/x
folder target
-r folder text
-r absent target
-T
-3
-3 a:x
-O
-s
-R
text scp://
text scp://h:x/y
text scp://u@h:99999/y
text -F x
-- -x y
:x y
h: y
text h:x h:y
-P 1 -F none text 127.0.0.1:x
-O -P 1 -F none text 127.0.0.1:x
-P 1 -F none 127.0.0.1:x y
-O -P 1 -F none 127.0.0.1:x y
-q -P 1 -F none 127.0.0.1:x y
-3 -P 1 -F none 127.0.0.1:x 127.0.0.1:y
-P 1 -F none 127.0.0.1:x 127.0.0.1:y
-P 1 -F none text nohost.invalid:x
-F none text u;x@h:y
-F none text -x@h:y
-F none text -h:y
-F none text @h:y
-F none text [::1:y
-d folder text
text text
unreadable h:x
"""

SFTP = """
--help
-?
-z
''
-V
a b c
-b
-b absent h
-b . h
-B
-B 0 h
-B x h
-B 99999999999 h
-R
-R 0 h
-R x h
-l
-l x h
-l 0 h
-P
-P x h
-P 0 h
-P 70000 h
-X
-X nothing=1 h
-X buffer=0 h
-X nrequests=x h
-D
-D /nowhere/x
-D false
-D true
-D cat
-D true h
-s
-S
-S /nowhere/x h
-o
-o Nothing=1 h
-c
-i
-J
-F
-F absent h
-P 1 -F none 127.0.0.1
-P 1 -F none -q 127.0.0.1
-P 1 -F none -b text 127.0.0.1
-P 1 -F none -b - 127.0.0.1
-P 1 -F none 127.0.0.1:x y
-F none nohost.invalid
-F none sftp://
-F none sftp://h:x
-F none sftp://127.0.0.1:1/x
-F none sftp://h:99999
-F none u;x@127.0.0.1
-F none -x@h
-F none @h
-F none [::1
-1 h
-4 -6 -P 1 -F none ::1
-t h
"""

KEYGEN = """
--help
-z
-t
-t nothing -f new -N x
-t rsa1 -f new -N x
-t dsa1 -f new -N x
-t ed25519 -b 1 -q -f new1 -N 1234x
-t rsa -b 100 -f new -N x
-t rsa -b 1023 -f new -N x
-t rsa -b 20000 -f new -N x
-t rsa -b x -f new -N x
-t rsa -b 0 -f new -N x
-t ecdsa -b 100 -f new -N x
-t ecdsa -b 257 -f new -N x
-b
-b 10 -q -f new -N x
-t ed25519 -f /nowhere/new -N '' -q
-t ed25519 -f folder -N '' -q
-t ed25519 -f locked/x -N '' -q
-q -t ed25519 -f new2 -N 1
-q -t ed25519 -f new3 -N 12345
-q -t ed25519 -f new4 -N '' -Z nothing
-q -t ed25519 -f new4 -N 12345 -Z nothing
-q -t ed25519 -f new5 -N 12345 -a 0
-q -t ed25519 -f new5 -N 12345 -a x
-q -t ed25519 -f new6 -N '' -m nothing
-q -t ed25519 -f new7 -N '' -O nothing
-q -t ed25519 -f new8 -N '' extra
-q -t ed25519-sk -f new -N '' -w /nowhere/lib.so
-E nothing -lf plain.pub
-E
-l
-l -f absent
-l -f folder
-l -f text
-l -f empty
-l -f garbage
-l -f unreadable
-l -f plain
-l -f plain.pub
-l -f locked
-l -f group_key
-l -v -f plain.pub
-l -E md5 -f plain.pub
-l -E sha1 -f plain.pub
-l -f hosts
-l -f plain.pub extra
-B -f plain.pub
-B -f plain
-B -f absent
-y -f absent
-y -f folder
-y -f text
-y -f empty
-y -f garbage
-y -f plain.pub
-y -f plain
-y -f locked -P secret
-y -f locked -P wrong
-y -f locked -P ''
-y -f group_key
-y -f truncated
-y -f badbase64
-e -f absent
-e -f plain.pub
-e -f plain
-e -f text
-e -m nothing -f plain.pub
-e -m pem -f plain.pub
-e -m pkcs8 -f plain.pub
-e -m rfc4716 -f plain.pub
-e -m pem -f rsa.pub
-e -m pkcs8 -f rsa.pub
-e -m PEM -f rsa
-i -f absent
-i -f text
-i -f plain.pub
-i -f empty
-i -m nothing -f text
-i -m pem -f text
-i -m pkcs8 -f text
-i -m pem -f rsa_public.pem
-i -f rfc4716
-p -f absent
-p -f text -N x
-p -f plain.pub -N x
-p -f locked -P wrong -N x
-p -f locked -P secret -N abc
-p -f plain -N abc
-p -f plain -N ''
-p -f group_key -N x
-c -f absent -C x
-c -f plain -C x
-c -f locked -P wrong -C x
-c -f locked -P secret -C changed
-c -f rsa -C changed
-c -f plain.pub -C x
-F
-F h
-F h -f absent
-F known.example -f hosts
-F absent.example -f hosts
-F known.example -l -f hosts
-F known.example -H -f hosts
-F hashed.example -f hosts
-F h -f folder
-F h -f garbage
-F h -f text
-H -f absent
-H -f hosts
-H -f bad_hosts
-H -f text
-H -f folder
-R
-R known.example -f hosts
-R absent.example -f hosts
-R h -f absent
-R h -f folder
-R known.example -f bad_hosts
-r h -f absent
-r h -f plain.pub
-r h -f text
-r h -g -f plain.pub
-r h -O hashalg=sha1 -f plain.pub
-r h -O hashalg=nothing -f plain.pub
-r h -O nothing -f plain.pub
-D
-D /nowhere/lib.so
-s
-s absent -I x plain.pub
-s plain plain.pub
-s plain -I x
-s plain -I x absent.pub
-s plain -I x text
-s plain -I x empty
-s plain.pub -I x plain.pub
-s locked -P wrong -I x plain.pub
-s plain -I x -n a,,b -V nonsense plain.pub
-s plain -I x -V 2020 plain.pub
-s plain -I x -V 20200101:2019 plain.pub
-s plain -I x -V 20210101:20200101 plain.pub
-s plain -I x -V : plain.pub
-s plain -I x -V -1x:+1 plain.pub
-s plain -I x -V always:forever -q plain.pub
-s plain -I x -z x plain.pub
-s plain -I x -z +x plain.pub
-s plain -I x -z -1 plain.pub
-s plain -I x -O nothing plain.pub
-s plain -I x -O force-command plain.pub
-s plain -I x -O force-command= plain.pub
-s plain -I x -O source-address= plain.pub
-s plain -I x -O source-address=x plain.pub
-s plain -I x -O source-address=1.2.3.4/33 plain.pub
-s plain -I x -O critical plain.pub
-s plain -I x -O critical: plain.pub
-s plain -I x -O extension: plain.pub
-s plain -I x -O force-command=a -O force-command=b plain.pub
-s plain -I x -h -O no-pty plain.pub
-s plain -I x -t nothing plain.pub
-s plain -I x -t rsa-sha2-256 plain.pub
-s rsa -I x -t nothing plain.pub
-s rsa -I x -t ssh-rsa plain.pub
-s plain -I x -D /nowhere/lib.so plain.pub
-s plain -U -I x plain.pub
-L
-L -f absent
-L -f plain.pub
-L -f text
-L -f empty
-L -f folder
-k
-k -f
-k -f new_krl absent
-k -f new_krl plain.pub
-k -f new_krl text
-k -f new_krl krl_spec
-k -f new_krl krl_bad_spec
-k -u -f absent plain.pub
-k -s absent -f new_krl krl_spec
-k -z x -f new_krl plain.pub
-k -f /nowhere/krl plain.pub
-Q
-Q -f absent plain.pub
-Q -f text plain.pub
-Q -f empty plain.pub
-Q -f plain.pub plain.pub
-Q -l -f absent
-M
-M nothing
-M generate
-M generate -O bits=x new
-M generate -O bits=10 new
-M generate -O nothing new
-M screen
-M screen -f absent new
-M screen -f text new
-M screen -O generator=x -f text new
-M screen -O nothing -f text new
-M screen -O lines=x -f text new
-A -f /nowhere/dir
-K
-K -w /nowhere/lib.so
-Y
-Y nothing
-Y sign
-Y sign -n x
-Y sign -f plain
-Y sign -f absent -n x text
-Y sign -f plain -n x absent
-Y sign -f plain -n '' text
-Y sign -f plain -n x -O nothing text
-Y sign -f plain -n x -O hashalg=nothing text
-Y sign -f text -n x text
-Y sign -f locked -P wrong -n x text
-Y sign -f plain.pub -n x text
-Y verify
-Y verify -f absent
-Y verify -f signers -I a -n x
-Y verify -f signers -I a -n x -s absent
-Y verify -f signers -I a -n x -s text
-Y verify -f signers -I a -n x -s empty
-Y verify -f signers -I a -s signature
-Y verify -f absent -I a -n file -s signature
-Y verify -f signers -I nobody -n file -s signature
-Y verify -f signers -I a -n other -s signature
-Y verify -f signers -I a -n file -s signature
-Y verify -f bad_signers -I a -n file -s signature
-Y verify -f signers -I a -n file -s signature -O nothing
-Y verify -f signers -I a -n file -s signature -O verify-time=x
-Y verify -f signers -I a -n file -s signature -r absent
-Y verify -f signers -I a -n file -s signature -r plain.pub
-Y find-principals
-Y find-principals -f signers
-Y find-principals -f absent -s signature
-Y find-principals -f signers -s absent
-Y find-principals -f signers -s signature
-Y find-principals -f bad_signers -s signature
-Y check-novalidate
-Y check-novalidate -n file -s signature
-Y check-novalidate -n other -s signature
-Y check-novalidate -s signature
-Y match-principals
-Y match-principals -I a
-Y match-principals -I a -f absent
-Y match-principals -I a -f signers
-Y match-principals -I nobody -f signers
-V x
-O
-n
-N
-P
-C
-x
-a
-w
-I
-U
-g
-h
-j
-o
-v
-u
"""

AGENT = """
--help
-z
-?
-k
-k extra
-a
-a /nowhere/socket
-a folder
-a text
-t
-t x
-t -1 true
-E
-E nothing
-P
-P /x/* false
-O
-O nothing
-O allow-remote-pkcs11 true
-s -c true
-c -k
-d -D true
true
false
/nowhere/x
folder
-- false
sh -c exit\\ 7
-a socket1 sh -c test\\ -S\\ socket1
sh -c test\\ -n\\ "$SSH_AGENT_PID"
"""

ADD = """
--help
-z
-?
-E
-E nothing -l
-t
-t x plain
-t -1 plain
-t 0 plain
-h
-h nothing plain
-h a>b plain
-h >b plain
-h a> plain
-H absent -h h plain
-S
-S /nowhere/lib.so -K
-s
-s /nowhere/lib.so
-e
-e /nowhere/lib.so
-T
-T absent
-T plain.pub
-T text
-l
-L
-l extra
-D
-D extra
-d
-d absent
-d plain
-d text
-x extra
-K
-K -d
absent
folder
text
empty
garbage
plain.pub
unreadable
group_key
truncated
plain absent
absent text
-k absent
-q absent
-v absent
-C plain
-c absent
-M
-p
-m
-m x plain
"""

KEYSCAN = """
--help
-z
-?
''
-p
-p 0 127.0.0.1
-p x 127.0.0.1
-p 70000 127.0.0.1
-p 1 127.0.0.1
-T
-T x 127.0.0.1
-T 0 127.0.0.1
-T -1 127.0.0.1
-t
-t nothing 127.0.0.1
-t rsa,nothing 127.0.0.1
-t rsa1 127.0.0.1
-t dsa -p 1 127.0.0.1
-f
-f absent
-f folder
-f empty
-f bad_hosts_list
-O
-O nothing 127.0.0.1
-O hashalg=x 127.0.0.1
nohost.invalid
-4 ::1
-6 127.0.0.1
-p 1 -v 127.0.0.1
-q -p 1 127.0.0.1
-H -p 1 127.0.0.1
-D -p 1 127.0.0.1
-c -p 1 127.0.0.1
-p 1 127.0.0.1 localhost
"""

SSHD = """
--help
-z
-?
-f
-f absent
-f absent -t
-f folder -t
-f text -t
-f empty -t
-f server_config -t
-f server_config -T
-f server_bad -t
-f server_bad_value -t
-f server_two_bad -t
-f server_match_bad -t
-f server_garbage -t
-f server_no_key -t
-f server_include_bad -t
-f server_methods_bad -t
-f server_config -t -p 0
-f server_config -t -p x
-f server_config -t -p 70000
-f server_config -t -b 1
-f server_config -t -g x
-f server_config -t -g 0
-f server_config -t -k 1
-f server_config -t -o Nothing=1
-f server_config -t -o Port=x
-f server_config -t -o Port
-f server_config -t -o ''
-f server_config -t -c absent
-f server_config -t -h absent
-f server_config -t -h text
-f server_config -t -h plain.pub
-f server_config -t -h group_key
-f server_config -t -h locked
-f server_config -t -C
-f server_config -T -C x
-f server_config -T -C user
-f server_config -T -C user=a
-f server_config -T -C user=a,host=h
-f server_config -T -C user=a,host=h,addr=1.2.3.4
-f server_config -T -C user=a,host=h,addr=1.2.3.4,lport=x
-f server_config -T -C nothing=a
-f server_config -t extra
-f server_config -t -u 99
-f server_config -t -u x
-f server_config -t -E
-f server_config -t -E /nowhere/log
-f server_config -t -4 -6
-f server_config -t -q
-f server_config -t -V
-f server_config -G
-V
-t -D -o
-o
-p
-h
-h absent -t
-i -f absent
-D -f absent
-D -d -d -d -f absent
-o Ciphers=x -t -f server_config
-o Ciphers= -t -f server_config
-o MACs=x -t -f server_config
-o KexAlgorithms=x -t -f server_config
-o HostKeyAlgorithms=x -t -f server_config
-o PubkeyAcceptedAlgorithms=x -t -f server_config
-o CASignatureAlgorithms=x -t -f server_config
-o ListenAddress=:: -t -f server_config
-o ListenAddress= -t -f server_config
-o ListenAddress=nohost.invalid -t -f server_config
-o ListenAddress=1.2.3.4:x -t -f server_config
-o AddressFamily=x -t -f server_config
-o PermitRootLogin=x -t -f server_config
-o LogLevel=x -t -f server_config
-o SyslogFacility=x -t -f server_config
-o LoginGraceTime=x -t -f server_config
-o LoginGraceTime=-1 -t -f server_config
-o MaxAuthTries=x -t -f server_config
-o MaxStartups=x -t -f server_config
-o MaxStartups=10:200:5 -t -f server_config
-o MaxStartups=10:20:5 -t -f server_config
-o MaxSessions=x -t -f server_config
-o ClientAliveInterval=x -t -f server_config
-o Subsystem=x -t -f server_config
-o Subsystem= -t -f server_config
-o AllowTcpForwarding=x -t -f server_config
-o GatewayPorts=x -t -f server_config
-o PermitTunnel=x -t -f server_config
-o PermitOpen=x -t -f server_config
-o PermitOpen= -t -f server_config
-o PermitListen=x -t -f server_config
-o AuthenticationMethods=x -t -f server_config
-o AuthenticationMethods= -t -f server_config
-o AuthorizedKeysCommand=x -t -f server_config
-o AuthorizedKeysCommand=/bin/true -t -f server_config
-o AuthorizedPrincipalsCommand=x -t -f server_config
-o AuthorizedKeysCommandUser=nobody-there -t -f server_config
-o ChrootDirectory=x -t -f server_config
-o ForceCommand= -t -f server_config
-o X11DisplayOffset=x -t -f server_config
-o Compression=x -t -f server_config
-o IPQoS=x -t -f server_config
-o RekeyLimit=x -t -f server_config
-o PerSourceMaxStartups=x -t -f server_config
-o PerSourceNetBlockSize=x -t -f server_config
-o PerSourceNetBlockSize=33 -t -f server_config
-o SetEnv=x -t -f server_config
-o AcceptEnv=a=b -t -f server_config
-o StreamLocalBindMask=x -t -f server_config
-o FingerprintHash=x -t -f server_config
-o ExposeAuthInfo=x -t -f server_config
-o PermitUserEnvironment=x -t -f server_config
-o PermitUserEnvironment=LANG,LC_* -t -f server_config
-o PubkeyAuthOptions=x -t -f server_config
-o UsePrivilegeSeparation=yes -t -f server_config
-o Protocol=1 -t -f server_config
-o KeyRegenerationInterval=1h -t -f server_config
-o RSAAuthentication=yes -t -f server_config
-o UseLogin=yes -t -f server_config
-o AllowUsers= -t -f server_config
-o AllowUsers=a@b@c -t -f server_config
-o AllowUsers=@1.2.3.4/33 -t -f server_config
-o HostCertificate=absent -t -f server_config
-o HostKey=absent -t -f server_config
-o HostKeyAgent=/nowhere -t -f server_config
-o TrustedUserCAKeys=absent -t -f server_config
-o RevokedKeys=absent -t -f server_config
-o ModuliFile=absent -t -f server_config
-o VersionAddendum=x -t -f server_config
-o Banner=absent -t -f server_config
-o PidFile=none -t -f server_config
-o Match=x -t -f server_config
-o Match=all -t -f server_config
-o Include=absent -t -f server_config
-o RequiredRSASize=x -t -f server_config
-o RequiredRSASize=100 -t -f server_config
-o UnusedConnectionTimeout=x -t -f server_config
-o ChannelTimeout=x -t -f server_config
-o ChannelTimeout=x=y -t -f server_config
"""

SFTP_SERVER = """
--help
-z
-?
-Q
-Q nothing
-Q requests
-P
-P nothing
-p nothing
-p ''
-P open,nothing
-d
-d nothing%q
-f
-f nothing
-l
-l loud
-u
-u x
-u 9
-u -1
-u 1777
extra
-h
-e -R extra
"""

KEYSIGN = """
''
extra
"""

CASES = [
    case
    for program, text in (
        ("ssh", SSH), ("scp", SCP), ("sftp", SFTP), ("ssh-keygen", KEYGEN), ("ssh-agent", AGENT),
        ("ssh-add", ADD), ("ssh-keyscan", KEYSCAN), ("sshd", SSHD), ("sftp-server", SFTP_SERVER),
        ("ssh-keysign", KEYSIGN),
    )
    for case in lines(program, text)
] + [(program,) for program in
     ("ssh", "scp", "sftp", "ssh-keyscan", "ssh-keysign", "sftp-server")]


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    """The files that the command lines name, made once."""
    folder = tmp_path_factory.mktemp("contents")
    plain = make_key(folder, "plain")
    make_key(folder, "locked", passphrase="secret")
    make_key(folder, "rsa", "rsa", bits=2048)
    make_key(folder, "group_key").chmod(0o640)
    text = {
        "text": "a line of text\n", "empty": "", "garbage": "\x00\x01\x02\xff" * 100,
        "truncated": "".join(plain.read_text().splitlines(True)[:4]),
        "badbase64": plain.read_text().replace("A", "*"),
        "bad_config": "Host *\n  Nothing yes\n", "bad_value": "Host *\n  BatchMode maybe\n",
        "bad_quotes": 'Host *\n  User "a\n', "two_bad": "Nothing 1\nNeither 2\nPort x\n",
        "included_bad": "Include $PWD/bad_config\n", "bad_match": "Match nothing x\nUser a\n",
        "garbage_after": "Port 22 23\n",
        "hosts": f"known.example {words(plain)}\n", "bad_hosts": f"nonsense\nknown.example {words(plain)}\n",
        "bad_hosts_list": "127.0.0.1:x\n",
        "signers": f"a namespaces=\"file\" {words(plain)}\n", "bad_signers": "a nonsense\n",
        "krl_spec": "serial: 5\n", "krl_bad_spec": "nothing: 5\n",
        "server_config": "HostKey plain_abs\nPort 2222\n",
        "server_bad": "HostKey plain_abs\nNothing yes\n", "server_bad_value": "HostKey plain_abs\nPort x\n",
        "server_two_bad": "Nothing 1\nNeither 2\nPort x\n",
        "server_match_bad": "HostKey plain_abs\nMatch nothing x\n",
        "server_garbage": "HostKey plain_abs\nPort 22 23\n",
        "server_no_key": "HostKey /nowhere/key\n", "server_include_bad": "Include PWD/server_bad\n",
        "server_methods_bad": "HostKey plain_abs\nAuthenticationMethods nothing\n",
    }
    for name, value in text.items():
        (folder / name).write_text(value, encoding="latin-1")
    for program, words_, output in (
        ("ssh_keygen", ["-e", "-m", "pem", "-f", "rsa.pub"], "rsa_public.pem"),
        ("ssh_keygen", ["-e", "-f", "plain.pub"], "rfc4716"),
    ):
        result = subprocess.run([getattr(OPENSSH, program), *words_], cwd=folder, capture_output=True)
        (folder / output).write_bytes(result.stdout)
    subprocess.run([OPENSSH.ssh_keygen, "-q", "-Y", "sign", "-n", "file", "-f", "plain", "text"],
                   cwd=folder, check=True, capture_output=True)
    (folder / "text.sig").rename(folder / "signature")
    (folder / "folder").mkdir()
    (folder / "folder" / "inside").write_text("x")
    return folder


def words(key):
    return " ".join(open(f"{key}.pub").read().split()[:2])


def program_path(suite, program):
    if program in ("sftp-server", "ssh-keysign"):
        return f"/usr/lib/openssh/{program}" if suite is OPENSSH else str(suite.prefix / "libexec" / program)
    return getattr(suite, program.replace("-", "_"))


def outcome(suite, case, contents, place):
    """What a command line does, with what must differ taken out."""
    subprocess.run(["rm", "-rf", place], check=True)
    subprocess.run(["cp", "-a", contents, place], check=True)
    for file in place.glob("server_*"):
        file.write_text(file.read_text().replace("plain_abs", f"{place}/plain").replace("PWD", str(place)))
    (place / "included_bad").write_text(f"Include {place}/bad_config\n")
    program, *arguments = case
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(place), "LC_ALL": "C.UTF-8"}
    path = program_path(suite, program)
    command = [path, *(argument.replace("\\\\ ", " ").replace("\\ ", " ") for argument in arguments)]
    if program == "ssh-add":
        command = [OPENSSH.ssh_agent, *command]
    try:
        result = subprocess.run(command, cwd=place, env=environment, stdin=subprocess.DEVNULL,
                                capture_output=True, timeout=60, start_new_session=True)
        status, out, errors = result.returncode, result.stdout, result.stderr
    except subprocess.TimeoutExpired as late:
        status, out, errors = "does not end", late.stdout or b"", late.stderr or b""
    return status, alike(out, path), alike(errors, path)


def alike(output, path):
    text = output.decode("utf-8", "backslashreplace")
    if os.path.basename(path) not in ("scp", "sftp"):
        text = text.replace("\r", "")
    text = text.replace(path, "PROGRAM")
    # Usage and lists of algorithms are those of 10.5.
    text = re.sub(r"(?im)^usage:.*", "USAGE", text, flags=re.S)
    # What -G and -T print: defaults of 10.5, and keywords that one of the two does not know.
    # A name is hashed with a salt of its own.
    text = re.sub(r"\|1\|[^|]+\|\S+", "|1|HASH", text)
    # What a signal handler of sftp 9.2 says when it runs in time; "Connection closed" follows anyway.
    text = re.sub(r"(?m)^\r?Connection closed\.  \n", "", text)
    # A proxy that ends at once: what is noticed first, in either suite.
    text = text.replace(
        "banner exchange: Connection to UNKNOWN port 65535: Broken pipe\n",
        "kex_exchange_identification: Connection closed by remote host\n"
        "Connection closed by UNKNOWN port 65535\n",
    )
    # ssh-keyscan 9.2 looks a name up for each kind of key, and tells it each time.
    text = re.sub(r"(?m)^(getaddrinfo .*\n)\1+", r"\1", text)
    text = re.sub(r"(?m)^(forwardx11trusted|gss\S+|warnweakcrypto|refuseconnection) .*\n", "", text)
    return text


def blanks_joined(case):
    """`\\ ` in a table stands for a blank inside a word."""
    joined, word = [], ""
    for part in case:
        if part.endswith("\\"):
            word += part[:-1] + " "
        else:
            joined.append(word + part)
            word = ""
    return tuple(joined)


CASES = [blanks_joined(case) for case in CASES]


def named(case):
    name = " ".join(case)
    marks = [pytest.mark.xfail(reason="not yet as OpenSSH says it")] if name.strip() in UNEQUAL else []
    return pytest.param(case, id=name, marks=marks)


@pytest.mark.parametrize("case", [named(case) for case in dict.fromkeys(CASES)])
def test_a_command_line(case, contents, tmp_path):
    ours = outcome(UNDER_TEST, case, contents, tmp_path / "here")
    theirs = outcome(OPENSSH, case, contents, tmp_path / "here")
    # Its sftp dies of SIGPIPE when its ssh was quicker to end than itself to greet.
    for _ in range(20):
        if theirs[0] != -signal.SIGPIPE:
            break
        theirs = outcome(OPENSSH, case, contents, tmp_path / "here")
    name = " ".join(case).strip()
    if name in DIFFERENCES:
        return
    if name in LOST:
        ours, theirs = (ours[0], ours[2]), (theirs[0], theirs[2])
    if name in WITHOUT_TERMINAL:
        line = "Pseudo-terminal will not be allocated because stdin is not a terminal.\n"
        theirs = (theirs[0], theirs[1], theirs[2].replace(line, ""))
    assert ours == theirs
