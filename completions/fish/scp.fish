# SPDX-License-Identifier: Apache-2.0
# What fish offers behind the name of this program. Written by scripts/generate-completions.

# The hosts of ssh_config(5) and those of known_hosts whose names are not hashed.
function __hawser_hosts
    set -l token (commandline -ct)
    set -l prefix (string match -r '.*[@,]' -- $token)
    for file in ~/.ssh/config /etc/ssh/ssh_config
        test -r $file; or continue
        for line in (string match -ri '^\s*host[\s=]+.*' <$file)
            for name in (string split -n ' ' -- (string replace -ri '^\s*host[\s=]+' '' -- $line))
                string match -q '*[*?!]*' -- $name; or echo "$prefix$name"
            end
        end
    end
    for file in ~/.ssh/known_hosts /etc/ssh/ssh_known_hosts
        test -r $file; or continue
        for names in (string match -r '^[^#@| ][^ ]*' <$file)
            for name in (string split , -- $names)
                set name (string replace -r '^\[(.*)\]:\d+$' '$1' -- $name)
                string match -qr '[*?!]' -- $name; or echo "$prefix$name"
            end
        end
    end
end

# Hosts, and behind host: the files there, if a master is there to ask.
function __hawser_remotes
    set -l token (commandline -ct)
    if not string match -q '*:*' -- $token
        __hawser_hosts | string replace -r '$' ':'
        return
    end
    set -l host (string replace -r ':.*' '' -- $token)
    set -l path (string replace -r '^[^:]*:' '' -- $token)
    ssh -O check -- $host >/dev/null 2>&1 </dev/null; or return
    set -l folder (string match -r '.*/' -- $path)
    set -l only -T -o BatchMode=yes -o ControlMaster=no -o ConnectTimeout=1 \
        -o StrictHostKeyChecking=yes -o UserKnownHostsFile=none -o GlobalKnownHostsFile=none \
        -o ClearAllForwardings=yes
    set -l where .
    test -n "$folder"; and set where $folder
    for name in (ssh $only $host "ls -1ap -- "(string escape -- $where) </dev/null 2>/dev/null)
        echo "$host:$folder$name"
    end
end

function __hawser_options
    echo AddKeysToAgent=
    printf '%s\n' AddressFamily={any,inet,inet6}
    printf '%s\n' BatchMode={yes,no}
    echo BindAddress=
    echo BindInterface=
    echo CanonicalDomains=
    printf '%s\n' CanonicalizeFallbackLocal={yes,no}
    printf '%s\n' CanonicalizeHostname={yes,no,always}
    echo CanonicalizeMaxDots=
    echo CanonicalizePermittedCNAMEs=
    for word in (ssh -Q key-ca-sign 2>/dev/null); echo CASignatureAlgorithms=$word; end
    echo CertificateFile=
    echo ChannelTimeout=
    printf '%s\n' CheckHostIP={yes,no}
    for word in (ssh -Q cipher 2>/dev/null); echo Ciphers=$word; end
    printf '%s\n' ClearAllForwardings={yes,no}
    printf '%s\n' Compression={yes,no}
    echo ConnectionAttempts=
    echo ConnectTimeout=
    printf '%s\n' ControlMaster={yes,no,auto,ask,autoask}
    printf '%s\n' ControlOverflow={pool,queue,direct}
    echo ControlPath=
    echo ControlPersist=
    printf '%s\n' ControlReuse={same-identity,any}
    echo DynamicForward=
    printf '%s\n' EnableEscapeCommandline={yes,no}
    printf '%s\n' EnableSSHKeysign={yes,no}
    echo EscapeChar=
    printf '%s\n' ExitOnForwardFailure={yes,no}
    printf '%s\n' FingerprintHash={sha256,md5}
    printf '%s\n' ForkAfterAuthentication={yes,no}
    echo ForwardAgent=
    printf '%s\n' ForwardX11={yes,no}
    echo ForwardX11Timeout=
    printf '%s\n' ForwardX11Trusted={yes,no}
    printf '%s\n' GatewayPorts={yes,no}
    echo GlobalKnownHostsFile=
    printf '%s\n' GSSAPIAuthentication={yes,no}
    printf '%s\n' GSSAPIDelegateCredentials={yes,no}
    printf '%s\n' HashKnownHosts={yes,no}
    for word in (ssh -Q key-sig 2>/dev/null); echo HostbasedAcceptedAlgorithms=$word; end
    printf '%s\n' HostbasedAuthentication={yes,no}
    for word in (ssh -Q key-sig 2>/dev/null); echo HostKeyAlgorithms=$word; end
    echo HostKeyAlias=
    echo Hostname=
    printf '%s\n' IdentitiesOnly={yes,no}
    echo IdentityAgent=
    echo IdentityFile=
    echo IgnoreUnknown=
    echo IPQoS=
    printf '%s\n' KbdInteractiveAuthentication={yes,no}
    echo KbdInteractiveDevices=
    for word in (ssh -Q kex 2>/dev/null); echo KexAlgorithms=$word; end
    echo KnownHostsCommand=
    echo LocalCommand=
    echo LocalForward=
    printf '%s\n' LogLevel={QUIET,FATAL,ERROR,INFO,VERBOSE,DEBUG,DEBUG1,DEBUG2,DEBUG3}
    echo LogVerbose=
    for word in (ssh -Q mac 2>/dev/null); echo MACs=$word; end
    printf '%s\n' NoHostAuthenticationForLocalhost={yes,no}
    echo NumberOfPasswordPrompts=
    echo ObscureKeystrokeTiming=
    printf '%s\n' PasswordAuthentication={yes,no}
    printf '%s\n' PermitLocalCommand={yes,no}
    echo PermitRemoteOpen=
    echo PKCS11Provider=
    echo Port=
    echo PreferredAuthentications=
    echo ProxyCommand=
    echo ProxyJump=
    printf '%s\n' ProxyUseFdpass={yes,no}
    for word in (ssh -Q key-sig 2>/dev/null); echo PubkeyAcceptedAlgorithms=$word; end
    printf '%s\n' PubkeyAuthentication={yes,no,unbound,host-bound}
    echo RefuseConnection=
    echo RekeyLimit=
    echo RemoteCommand=
    echo RemoteForward=
    printf '%s\n' RequestTTY={yes,no,force,auto}
    echo RequiredRSASize=
    echo RevokedHostKeys=
    echo SecurityKeyProvider=
    echo SendEnv=
    echo ServerAliveCountMax=
    echo ServerAliveInterval=
    printf '%s\n' SessionType={none,subsystem,default}
    echo SetEnv=
    printf '%s\n' StdinNull={yes,no}
    echo StreamLocalBindMask=
    printf '%s\n' StreamLocalBindUnlink={yes,no}
    printf '%s\n' StrictHostKeyChecking={yes,no,off,ask,accept-new}
    printf '%s\n' SyslogFacility={DAEMON,USER,AUTH,AUTHPRIV,LOCAL0,LOCAL1,LOCAL2,LOCAL3,LOCAL4,LOCAL5,LOCAL6,LOCAL7}
    echo Tag=
    printf '%s\n' TCPKeepAlive={yes,no}
    printf '%s\n' Tunnel={ethernet,point-to-point,yes,no}
    echo TunnelDevice=
    printf '%s\n' UpdateHostKeys={yes,no,ask}
    echo User=
    echo UserKnownHostsFile=
    printf '%s\n' VerifyHostKeyDNS={yes,no,ask}
    echo VersionAddendum=
    printf '%s\n' VisualHostKey={yes,no}
    printf '%s\n' WarnWeakCrypto={yes,no,no-pq-kex}
    echo XAuthLocation=
end

complete -c scp -l atomic -d 'writes each file under another name beside its place and renames …'
complete -c scp -l json -d 'tells on the standard output what happens, as one JSON object a …'
complete -c scp -l resume -d 'goes on where an earlier copy stopped, after comparing what is …'
complete -c scp -l verify -d 'compares the hashes of both files at the end'
complete -c scp -s 1 -d 'refused'
complete -c scp -s 2 -d 'without effect'
complete -c scp -s 3 -d 'a copy between two other hosts goes through this one, which is …'
complete -c scp -s 4 -d 'IPv4 or IPv6 addresses only'
complete -c scp -s 6 -d 'IPv4 or IPv6 addresses only'
complete -c scp -s A -d 'forwards the agent, which is otherwise not done'
complete -c scp -s B -d 'asks for no passwords and no passphrases'
complete -c scp -s C -d 'compresses'
complete -c scp -s c -x -a '(ssh -Q cipher 2>/dev/null)' -d 'as for ssh(1)'
complete -c scp -s D -r -F -d 'talks to a server started here instead of one on a host'
complete -c scp -s F -r -F -d 'as for ssh(1)'
complete -c scp -s i -r -F -d 'as for ssh(1)'
complete -c scp -s J -x -a '(__hawser_hosts)' -d 'goes over other hosts, as ssh(1) does'
complete -c scp -s l -x -d 'no faster than so many Kbit/s'
complete -c scp -s M -x -a 'scp sftp' -d 'the protocol'
complete -c scp -s O -d 'the old protocol of rcp'
complete -c scp -s o -x -a '(__hawser_options)' -d 'a keyword and its value for ssh(1), as in ssh_config(5)'
complete -c scp -s P -x -d 'the port'
complete -c scp -s p -d 'keeps times and modes'
complete -c scp -s q -d 'no progress meter, and no word of ssh(1) that is not a mistake'
complete -c scp -s R -d 'a copy between two other hosts is done by a on the first of them …'
complete -c scp -s r -d 'copies directories with all that is in them, and follows symbolic …'
complete -c scp -s S -r -F -d 'the program that connects, in place of ssh(1)'
complete -c scp -s s -d 'SFTP, which is the default'
complete -c scp -s T -d 'in the old protocol'
complete -c scp -s v -d 'tells what it does'
complete -c scp -s X -x -a 'nrequests= buffer=' -d 'nrequests= n requests are under way at once'
complete -c scp -a '(__hawser_remotes)'
