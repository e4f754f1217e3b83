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

complete -c sftp -l atomic -d 'each file is written under another name and renamed when it is …'
complete -c sftp -l verify -d 'the hashes of both files are compared at the end'
complete -c sftp -s 1 -d 'refused'
complete -c sftp -s 2 -d 'without effect'
complete -c sftp -s 4 -d 'IPv4 or IPv6 addresses only'
complete -c sftp -s 6 -d 'IPv4 or IPv6 addresses only'
complete -c sftp -s A -d 'forwards the agent, which is otherwise not done'
complete -c sftp -s a -d 'goes on with files that were copied in part, without asking each …'
complete -c sftp -s B -x -d 'bytes of each request'
complete -c sftp -s b -r -F -d 'takes commands from a file, - being the standard input, asks for …'
complete -c sftp -s C -d 'compresses'
complete -c sftp -s c -x -a '(ssh -Q cipher 2>/dev/null)' -d 'as for ssh(1)'
complete -c sftp -s D -r -F -d 'talks to a server started here, with its arguments, instead of …'
complete -c sftp -s F -r -F -d 'as for ssh(1)'
complete -c sftp -s f -d 'asks the writing end to bring each file to the disk'
complete -c sftp -s h -d 'shows the usage'
complete -c sftp -s i -r -F -d 'as for ssh(1)'
complete -c sftp -s J -x -a '(__hawser_hosts)' -d 'goes over other hosts, as ssh(1) does'
complete -c sftp -s l -x -d 'no faster than so many Kbit/s'
complete -c sftp -s N -d 'talks as usual in spite of -b'
complete -c sftp -s o -x -a '(__hawser_options)' -d 'a keyword and its value for ssh(1), as in ssh_config(5)'
complete -c sftp -s P -x -d 'the port'
complete -c sftp -s p -d 'keeps times and modes'
complete -c sftp -s q -d 'no progress meter, and no word that is not a mistake'
complete -c sftp -s R -x -d 'how many requests are under way at once'
complete -c sftp -s r -d 'copies directories with all that is in them'
complete -c sftp -s S -r -F -d 'the program that connects, in place of ssh(1)'
complete -c sftp -s s -x -d 'the subsystem to ask for, or with a slash in it a program to run …'
complete -c sftp -s v -d 'tells what it does'
complete -c sftp -s X -x -a 'nrequests= buffer=' -d 'nrequests= n as -R'
complete -c sftp -a '(__hawser_remotes)'
