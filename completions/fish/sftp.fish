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
    __hawser_family CASignatureAlgorithms key-ca-sign
    echo CertificateFile=
    echo ChannelTimeout=
    printf '%s\n' CheckHostIP={yes,no}
    __hawser_family Ciphers cipher
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
    printf '%s\n' GuessKeyExchange={yes,no}
    printf '%s\n' HashKnownHosts={yes,no}
    __hawser_family HostbasedAcceptedAlgorithms key-sig
    printf '%s\n' HostbasedAuthentication={yes,no}
    __hawser_family HostKeyAlgorithms key-sig
    echo HostKeyAlias=
    echo Hostname=
    printf '%s\n' IdentitiesOnly={yes,no}
    echo IdentityAgent=
    echo IdentityFile=
    echo IgnoreUnknown=
    echo IPQoS=
    printf '%s\n' KbdInteractiveAuthentication={yes,no}
    echo KbdInteractiveDevices=
    __hawser_family KexAlgorithms kex
    echo KnownHostsCommand=
    echo LocalCommand=
    echo LocalForward=
    printf '%s\n' LogLevel={QUIET,FATAL,ERROR,INFO,VERBOSE,DEBUG,DEBUG1,DEBUG2,DEBUG3}
    echo LogVerbose=
    __hawser_family MACs mac
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
    __hawser_family PubkeyAcceptedAlgorithms key-sig
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
complete -c sftp -a '(__hawser_remotes \'\')'
complete -c sftp -n __hawser_is_remote -f
