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
    echo AcceptEnv=
    printf '%s\n' AddressFamily={any,inet,inet6}
    printf '%s\n' AllowAgentForwarding={yes,no}
    echo AllowGroups=
    printf '%s\n' AllowStreamLocalForwarding={yes,all,no,remote,local}
    printf '%s\n' AllowTcpForwarding={yes,all,no,remote,local}
    echo AllowUsers=
    echo AuthenticationMethods=
    echo AuthorizedKeysCommand=
    echo AuthorizedKeysCommandUser=
    echo AuthorizedKeysFile=
    echo AuthorizedPrincipalsCommand=
    echo AuthorizedPrincipalsCommandUser=
    echo AuthorizedPrincipalsFile=
    echo Banner=
    for word in (ssh -Q key-ca-sign 2>/dev/null); echo CASignatureAlgorithms=$word; end
    echo ChannelTimeout=
    echo ChrootDirectory=
    for word in (ssh -Q cipher 2>/dev/null); echo Ciphers=$word; end
    echo ClientAliveCountMax=
    echo ClientAliveInterval=
    printf '%s\n' Compression={yes,delayed,no}
    echo DenyGroups=
    echo DenyUsers=
    printf '%s\n' DisableForwarding={yes,no}
    echo EventLog=
    printf '%s\n' ExposeAuthInfo={yes,no}
    printf '%s\n' FingerprintHash={sha256,md5}
    echo ForceCommand=
    printf '%s\n' GatewayPorts={clientspecified,yes,no}
    printf '%s\n' GSSAPIAuthentication={yes,no}
    printf '%s\n' GSSAPICleanupCredentials={yes,no}
    printf '%s\n' GSSAPIDelegateCredentials={yes,no}
    printf '%s\n' GSSAPIStrictAcceptorCheck={yes,no}
    for word in (ssh -Q key-sig 2>/dev/null); echo HostbasedAcceptedAlgorithms=$word; end
    printf '%s\n' HostbasedAuthentication={yes,no}
    printf '%s\n' HostbasedUsesNameFromPacketOnly={yes,no}
    echo HostCertificate=
    echo HostKey=
    echo HostKeyAgent=
    for word in (ssh -Q key-sig 2>/dev/null); echo HostKeyAlgorithms=$word; end
    printf '%s\n' IgnoreRhosts={yes,no,shosts-only}
    printf '%s\n' IgnoreUserKnownHosts={yes,no}
    echo IPQoS=
    printf '%s\n' KbdInteractiveAuthentication={yes,no}
    printf '%s\n' KerberosAuthentication={yes,no}
    printf '%s\n' KerberosOrLocalPasswd={yes,no}
    printf '%s\n' KerberosTicketCleanup={yes,no}
    for word in (ssh -Q kex 2>/dev/null); echo KexAlgorithms=$word; end
    echo ListenAddress=
    echo LoginGraceTime=
    printf '%s\n' LogLevel={QUIET,FATAL,ERROR,INFO,VERBOSE,DEBUG,DEBUG1,DEBUG2,DEBUG3}
    echo LogVerbose=
    for word in (ssh -Q mac 2>/dev/null); echo MACs=$word; end
    echo MaxAuthTries=
    echo MaxSessions=
    echo MaxStartups=
    echo ModuliFile=
    echo PAMServiceName=
    printf '%s\n' PasswordAuthentication={yes,no}
    printf '%s\n' PermitEmptyPasswords={yes,no}
    echo PermitListen=
    echo PermitOpen=
    printf '%s\n' PermitRootLogin={without-password,prohibit-password,forced-commands-only,yes,no}
    printf '%s\n' PermitTTY={yes,no}
    echo PermitTunnel=
    echo PermitUserEnvironment=
    printf '%s\n' PermitUserRC={yes,no}
    echo PerSourceMaxStartups=
    echo PerSourceNetBlockSize=
    echo PerSourcePenalties=
    echo PerSourcePenaltyExemptList=
    echo PidFile=
    echo Port=
    printf '%s\n' PrintLastLog={yes,no}
    printf '%s\n' PrintMotd={yes,no}
    for word in (ssh -Q key-sig 2>/dev/null); echo PubkeyAcceptedAlgorithms=$word; end
    printf '%s\n' PubkeyAuthentication={yes,no}
    echo PubkeyAuthOptions=
    echo RDomain=
    printf '%s\n' RefuseConnection={yes,no}
    echo RekeyLimit=
    echo RequiredRSASize=
    echo RevokedKeys=
    echo SecurityKeyProvider=
    echo SetEnv=
    echo SshdAuthPath=
    echo SshdSessionPath=
    echo StreamLocalBindMask=
    printf '%s\n' StreamLocalBindUnlink={yes,no}
    printf '%s\n' StrictModes={yes,no}
    echo Subsystem=
    printf '%s\n' SyslogFacility={DAEMON,USER,AUTH,AUTHPRIV,LOCAL0,LOCAL1,LOCAL2,LOCAL3,LOCAL4,LOCAL5,LOCAL6,LOCAL7}
    printf '%s\n' TCPKeepAlive={yes,no}
    echo TrustedUserCAKeys=
    echo UnusedConnectionTimeout=
    printf '%s\n' UseDNS={yes,no}
    printf '%s\n' UsePAM={yes,no}
    echo VersionAddendum=
    echo X11DisplayOffset=
    printf '%s\n' X11Forwarding={yes,no}
    printf '%s\n' X11UseLocalhost={yes,no}
    echo XAuthLocation=
end

complete -c sshd -l explain -d 'says whether this user could log in, from this address and with …'
complete -c sshd -l json -d 'with -T or -G'
complete -c sshd -l origin -d 'with -T or -G'
complete -c sshd -s 4 -d 'IPv4 or IPv6 addresses only'
complete -c sshd -s 6 -d 'IPv4 or IPv6 addresses only'
complete -c sshd -s b -x -d 'without effect'
complete -c sshd -s C -x -a 'addr= user= host= laddr= lport= rdomain= invalid-user' -d 'for -T and -G'
complete -c sshd -s c -r -F -d 'as HostCertificate in sshd_config(5)'
complete -c sshd -s D -d 'stays in the foreground'
complete -c sshd -s d -d 'serves one connection in the foreground and tells about it'
complete -c sshd -s E -r -F -d 'writes the log to the end of a file'
complete -c sshd -s e -d 'writes the log to the standard error output'
complete -c sshd -s f -r -F -d 'the configuration, in place of /etc/ssh/sshd_config'
complete -c sshd -s G -d 'checks the configuration and shows what it amounts to'
complete -c sshd -s g -x -d 'as LoginGraceTime'
complete -c sshd -s h -r -F -d 'as HostKey'
complete -c sshd -s i -d 'serves one connection, which is its standard input and output'
complete -c sshd -s k -x -d 'without effect'
complete -c sshd -s o -x -a '(__hawser_options)' -d 'a keyword and its value, before those of the file'
complete -c sshd -s p -x -d 'the port'
complete -c sshd -s Q -x -d 'without effect'
complete -c sshd -s q -d 'logs nothing'
complete -c sshd -s r -d 'without effect'
complete -c sshd -s T -d 'as -G, and checks the host keys too'
complete -c sshd -s t -d 'checks the configuration and the host keys'
complete -c sshd -s u -x -d 'without effect, as are -b, -k, -Q and -r'
complete -c sshd -s V -d 'shows the version'
complete -c sshd -f
