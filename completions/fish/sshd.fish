# SPDX-License-Identifier: Apache-2.0
# What fish offers behind the name of this program. Written by scripts/generate-completions.

# The hosts of ssh_config(5), or of -F's file, and those of known_hosts whose names are not hashed.
function __hawser_hosts
    set -l token (commandline -ct)
    set -l prefix (string match -r '.*[@,]' -- $token)
    set -l config ~/.ssh/config /etc/ssh/ssh_config
    set -l words (commandline -opc)
    for index in (seq 2 (count $words))
        switch $words[$index]
            case -F
                set -q words[(math $index + 1)]; and set config $words[(math $index + 1)]
            case '-F*'
                set config (string sub -s 3 -- $words[$index])
        end
    end
    for file in $config
        for name in (__hawser_configured $file 0)
            string match -q '*[*?!]*' -- $name; or echo "$prefix$name"
        end
    end
    for file in ~/.ssh/known_hosts ~/.ssh/known_hosts2 /etc/ssh/ssh_known_hosts
        test -r $file; or continue
        for names in (string match -r '^[^#@| ][^ ]*' <$file)
            for name in (string split , -- $names)
                set name (string replace -r '^\[(.*)\]:\d+$' '$1' -- $name)
                string match -qr '[*?!]' -- $name; or echo "$prefix$name"
            end
        end
    end
end

# The names of a file's Host lines, and of the files that it includes.
function __hawser_configured -a path depth
    test -r "$path" -a $depth -lt 8; or return
    set -l folder ~/.ssh
    string match -q '/etc/*' -- $path; and set folder /etc/ssh
    for line in (string match -ri '^\s*(?:host|include)[\s=]+.*' <$path)
        set -l words (string split -n ' ' -- (string replace -ra '[\s="]+' ' ' -- $line))
        if test (string lower -- $words[1]) = host
            printf '%s\n' $words[2..]
            continue
        end
        for word in $words[2..]
            set word (string replace -r '^~/' "$HOME/" -- $word)
            string match -q '/*' -- $word; or set word $folder/$word
            # A pattern, taken apart where a shell would: the last part may have wildcards.
            set -l last (string replace -r '.*/' '' -- $word)
            for file in (string replace -r '/[^/]*$' '' -- $word)/*
                string match -q -- "$last" (string replace -r '.*/' '' -- $file); or continue
                __hawser_configured $file (math $depth + 1)
            end
        end
    end
end

function __hawser_is_remote
    string match -qr '^[^/]*:' -- (commandline -ct)
end

# Hosts, and behind host: the files there, if a master is there to ask, so that no completion ever
# makes a connection.
function __hawser_remotes -a ending
    set -l token (commandline -ct)
    if not __hawser_is_remote
        __hawser_hosts | string replace -r '$' "$ending"
        return
    end
    set -l host (string replace -r ':.*' '' -- $token)
    set -l path (string unescape -- (string replace -r '^[^:]*:' '' -- $token))
    set -l given
    set -l words (commandline -opc)
    for index in (seq 2 (count $words))
        set -l next
        set -q words[(math $index + 1)]; and set next $words[(math $index + 1)]
        switch $words[$index]
            case -F -o -J
                set -a given $words[$index] $next
            case -P
                set -a given -p $next
            case '-F*' '-o*' '-J*'
                set -a given $words[$index]
        end
    end
    # Should the master go away, no key is known for a connection of its own.
    set -a given -T -o BatchMode=yes -o ControlMaster=no -o ConnectTimeout=1 \
        -o StrictHostKeyChecking=yes -o UserKnownHostsFile=none -o GlobalKnownHostsFile=none \
        -o ClearAllForwardings=yes
    ssh $given -O check -- $host >/dev/null 2>&1 </dev/null; or return
    set -l folder (string match -r '.*/' -- $path)
    set -l where .
    test -n "$folder"; and set where (string escape -- $folder)
    # A tilde at the start is for the shell there.
    set where (string replace -r '^\'?~/' '~/\'' -- $where)
    for name in (ssh $given -- $host "ls -1ap -- $where" </dev/null 2>/dev/null)
        string match -qr '^\.{1,2}/$' -- $name; and continue
        string match -q '.*' -- $name; and not string match -q '*/.*' -- /$path; and continue
        echo "$host:$folder$name"
    end
end

# Keyword=name for a family of names, also as the last of a list, and behind + - ^.
function __hawser_family -a keyword family
    set -l token (commandline -ct)
    set -l prefix (string replace -r "^(?:-o)?$keyword=" '' -- $token)
    test "$prefix" = "$token"; and set prefix ''
    set prefix (string match -r '.*,|^[-+^]' -- $prefix)
    for name in (ssh -Q $family 2>/dev/null)
        echo "$keyword=$prefix$name"
    end
end

function __hawser_server_options
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
    __hawser_family CASignatureAlgorithms key-ca-sign
    echo ChannelTimeout=
    echo ChrootDirectory=
    __hawser_family Ciphers cipher
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
    __hawser_family HostbasedAcceptedAlgorithms key-sig
    printf '%s\n' HostbasedAuthentication={yes,no}
    printf '%s\n' HostbasedUsesNameFromPacketOnly={yes,no}
    echo HostCertificate=
    echo HostKey=
    echo HostKeyAgent=
    __hawser_family HostKeyAlgorithms key-sig
    printf '%s\n' IgnoreRhosts={yes,no,shosts-only}
    printf '%s\n' IgnoreUserKnownHosts={yes,no}
    echo IPQoS=
    printf '%s\n' KbdInteractiveAuthentication={yes,no}
    printf '%s\n' KerberosAuthentication={yes,no}
    printf '%s\n' KerberosOrLocalPasswd={yes,no}
    printf '%s\n' KerberosTicketCleanup={yes,no}
    __hawser_family KexAlgorithms kex
    echo ListenAddress=
    echo LoginGraceTime=
    printf '%s\n' LogLevel={QUIET,FATAL,ERROR,INFO,VERBOSE,DEBUG,DEBUG1,DEBUG2,DEBUG3}
    echo LogVerbose=
    __hawser_family MACs mac
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
    __hawser_family PubkeyAcceptedAlgorithms key-sig
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
complete -c sshd -s o -x -a '(__hawser_server_options)' -d 'a keyword and its value, before those of the file'
complete -c sshd -s p -x -d 'the port'
complete -c sshd -s Q -x -d 'without effect'
complete -c sshd -s q -d 'logs nothing'
complete -c sshd -s r -d 'without effect'
complete -c sshd -s T -d 'as -G, and checks the host keys too'
complete -c sshd -s t -d 'checks the configuration and the host keys'
complete -c sshd -s u -x -d 'without effect, as are -b, -k, -Q and -r'
complete -c sshd -s V -d 'shows the version'
complete -c sshd -f
