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

complete -c ssh -l json -d 'with -G'
complete -c ssh -l origin -d 'with -G'
complete -c ssh -s 1 -d 'refused'
complete -c ssh -s 2 -d 'without effect'
complete -c ssh -s 4 -d 'IPv4 or IPv6 addresses only'
complete -c ssh -s 6 -d 'IPv4 or IPv6 addresses only'
complete -c ssh -s A -d 'forwards the agent, or does not'
complete -c ssh -s a -d 'forwards the agent, or does not'
complete -c ssh -s B -x -a '(command ls /sys/class/net 2>/dev/null)' -d 'connects from an address of this interface, or from this address'
complete -c ssh -s b -x -d 'connects from an address of this interface, or from this address'
complete -c ssh -s C -d 'compresses'
complete -c ssh -s c -x -a '(ssh -Q cipher 2>/dev/null)' -d 'as Ciphers'
complete -c ssh -s D -x -d 'as DynamicForward'
complete -c ssh -s E -r -F -d 'writes messages to the end of a file'
complete -c ssh -s e -x -d 'as EscapeChar'
complete -c ssh -s F -r -F -d 'reads this configuration and no other'
complete -c ssh -s f -d 'goes to the background just before the command is run, after all …'
complete -c ssh -s G -d 'shows the configuration for the destination, and ends'
complete -c ssh -s g -d 'as GatewayPorts'
complete -c ssh -s I -r -F -d 'as PKCS11Provider'
complete -c ssh -s i -r -F -d 'as IdentityFile'
complete -c ssh -s J -x -a '(__hawser_hosts)' -d 'as ProxyJump'
complete -c ssh -s K -d 'as GSSAPIAuthentication with GSSAPIDelegateCredentials'
complete -c ssh -s k -d 'the server gets no tickets, whatever GSSAPIDelegateCredentials …'
complete -c ssh -s L -x -d 'as LocalForward'
complete -c ssh -s l -x -a '(__fish_complete_users)' -d 'the user there'
complete -c ssh -s M -d 'is the master for later calls'
complete -c ssh -s m -x -a '(ssh -Q mac 2>/dev/null)' -d 'as MACs'
complete -c ssh -s N -d 'runs no command'
complete -c ssh -s n -d 'reads nothing from the standard input'
complete -c ssh -s O -x -a 'check conninfo channels forward cancel proxy exit stop list sessions kill: signal:' -d 'asks a master for something'
complete -c ssh -s o -x -a '(__hawser_options)' -d 'a keyword and its value, as in ssh_config(5)'
complete -c ssh -s P -x -d 'as Tag'
complete -c ssh -s p -x -d 'the port'
complete -c ssh -s Q -x -a 'cipher cipher-auth compression kex key key-cert key-plain key-sig key-ca-sign mac protocol-version sig help' -d 'shows the names that are known, one a line'
complete -c ssh -s q -d 'tells nothing but what ends it'
complete -c ssh -s R -x -d 'as RemoteForward'
complete -c ssh -s S -r -F -d 'as ControlPath'
complete -c ssh -s s -d 'the command is the name of a subsystem'
complete -c ssh -s T -d 'no terminal'
complete -c ssh -s t -d 'no terminal'
complete -c ssh -s V -d 'shows the version'
complete -c ssh -s v -d 'tells what it does'
complete -c ssh -s W -x -d 'leads the standard input and output to this place through the …'
complete -c ssh -s w -x -d 'as Tunnel and TunnelDevice'
complete -c ssh -s X -d 'forwards the display, does not, forwards it with all rights'
complete -c ssh -s x -d 'forwards the display, does not, forwards it with all rights'
complete -c ssh -s Y -d 'forwards the display, does not, forwards it with all rights'
complete -c ssh -s y -d 'writes messages to syslog(3), with the facility of SyslogFacility'
complete -c ssh -s Z -d 'lists the public keys that a login would try, in their order, and …'
complete -c ssh -f -a '(__hawser_hosts)'
