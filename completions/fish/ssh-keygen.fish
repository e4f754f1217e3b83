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

complete -c ssh-keygen -s A -d 'makes a host key of each of the types rsa, ecdsa, ed25519 and …'
complete -c ssh-keygen -s a -x -d 'how many rounds bcrypt_pbkdf makes of a passphrase'
complete -c ssh-keygen -s B -d 'shows the digest of a key as a bubblebabble word'
complete -c ssh-keygen -s b -x -d 'the size of a new key'
complete -c ssh-keygen -s C -x -d 'the comment of a new key, or the new comment for -c'
complete -c ssh-keygen -s c -d 'changes the comment of a key, in both files'
complete -c ssh-keygen -s D -r -F -d 'shows the public keys of the token behind a PKCS#11 library'
complete -c ssh-keygen -s E -x -a 'sha256 md5' -d 'what fingerprints are made with'
complete -c ssh-keygen -s e -d 'reads a key and writes its public half to the standard output in …'
complete -c ssh-keygen -s F -x -a '(__hawser_hosts)' -d 'looks a host up in known_hosts, hashed names included'
complete -c ssh-keygen -s f -r -F -d 'the file to work on'
complete -c ssh-keygen -s g -d 'records of -r in the generic form of RFC 3597'
complete -c ssh-keygen -s H -d 'replaces each name in known_hosts by a hash of it, so that the …'
complete -c ssh-keygen -s h -d 'the certificate of -s is for a host, not for a user'
complete -c ssh-keygen -s I -x -d 'the name of a certificate, which servers write into their logs'
complete -c ssh-keygen -s i -d 'reads a key in the format of -m and writes it to the standard …'
complete -c ssh-keygen -s K -d 'gets the resident keys of a FIDO token and writes a pair of files …'
complete -c ssh-keygen -s k -d 'writes a list of revoked keys'
complete -c ssh-keygen -s L -d 'shows what certificates say'
complete -c ssh-keygen -s l -d 'shows the size, fingerprint, comment and type of each key in a …'
complete -c ssh-keygen -s M -x -a 'generate screen' -d 'makes candidates for the groups of Diffie-Hellman group exchange …'
complete -c ssh-keygen -s m -x -a 'RFC4716 PKCS8 PEM' -d 'rFC4716 (the default for -i and -e'
complete -c ssh-keygen -s N -x -d 'the new passphrase'
complete -c ssh-keygen -s n -x -d 'users or hosts that a certificate is for, with commas between'
complete -c ssh-keygen -s O -x -a 'application= bits= challenge= checkpoint= clear critical: device= extension: force-command= generator= hashalg= lines= no-agent-forwarding no-port-forwarding no-pty no-touch-required no-user-rc no-x11-forwarding permit-agent-forwarding permit-port-forwarding permit-pty permit-user-rc permit-X11-forwarding print-pubkey prime-tests= resident source-address= start= start-line= user= verify-required verify-time= write-attestation=' -d 'one more setting'
complete -c ssh-keygen -s o -d 'without effect'
complete -c ssh-keygen -s P -x -d 'the passphrase that the key has now'
complete -c ssh-keygen -s p -d 'changes the passphrase of a private key, and with it format …'
complete -c ssh-keygen -s Q -d 'tells for each key in the files whether it is on the revocation …'
complete -c ssh-keygen -s q -d 'says nothing that is not a mistake'
complete -c ssh-keygen -s R -x -a '(__hawser_hosts)' -d 'removes a host from known_hosts'
complete -c ssh-keygen -s r -x -d 'shows SSHFP records (RFC 4255) of a public key, for the zone of …'
complete -c ssh-keygen -s s -r -F -d 'certifies public keys with the key of an authority'
complete -c ssh-keygen -s t -x -a 'ed25519 ecdsa rsa mldsa44-ed25519 ecdsa-sk ed25519-sk' -d 'the type of a new key'
complete -c ssh-keygen -s U -d 'the key of -s or -Y -Cm -sign is held by ssh-agent(1)'
complete -c ssh-keygen -s u -d 'adds to a revocation list instead of writing a new one'
complete -c ssh-keygen -s V -x -d 'when a certificate is valid'
complete -c ssh-keygen -s v -d 'says more'
complete -c ssh-keygen -s w -r -F -d 'the library that speaks to FIDO tokens, in place of the one that …'
complete -c ssh-keygen -s X -d 'the same as -i'
complete -c ssh-keygen -s Y -x -a 'sign verify check-novalidate find-principals match-principals' -d 'signatures over files'
complete -c ssh-keygen -s y -d 'writes the public half of a private key to the standard output'
complete -c ssh-keygen -s Z -x -a '(ssh -Q cipher 2>/dev/null)' -d 'what a private key is encrypted with'
complete -c ssh-keygen -s z -x -d 'the serial number of a certificate, 0 unless given'
