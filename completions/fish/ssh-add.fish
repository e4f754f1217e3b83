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

complete -c ssh-add -s C -d 'certificates only, no plain keys'
complete -c ssh-add -s c -d 'the agent asks before each use of the key'
complete -c ssh-add -s D -d 'removes all keys'
complete -c ssh-add -s d -d 'removes keys'
complete -c ssh-add -s E -x -a 'sha256 md5' -d 'what fingerprints are made with'
complete -c ssh-add -s e -r -F -d 'removes the keys of a PKCS#11 library'
complete -c ssh-add -s H -r -F -d 'where -h finds host keys'
complete -c ssh-add -s h -x -a '(__hawser_hosts)' -d 'the key may be used only to log in at this host'
complete -c ssh-add -s K -d 'adds the resident keys of FIDO tokens'
complete -c ssh-add -s k -d 'plain keys only, no certificates'
complete -c ssh-add -s L -d 'lists the public keys that the agent holds'
complete -c ssh-add -s l -d 'lists their fingerprints'
complete -c ssh-add -s M -x -d 'without effect'
complete -c ssh-add -s m -x -d 'without effect'
complete -c ssh-add -s N -d 'a certificate stays after it has expired'
complete -c ssh-add -s Q -d 'lists the extensions of its protocol that the agent knows'
complete -c ssh-add -s q -d 'says nothing when all goes well'
complete -c ssh-add -s S -r -F -d 'middleware for the keys of FIDO tokens, in place of the one that …'
complete -c ssh-add -s s -r -F -d 'adds the keys of a PKCS#11 library, asking for its PIN'
complete -c ssh-add -s T -d 'tests whether the agent can sign with the keys in these files'
complete -c ssh-add -s t -x -d 'how long the agent keeps the key'
complete -c ssh-add -s v -d 'says more'
complete -c ssh-add -s X -d 'unlocks the agent'
complete -c ssh-add -s x -d 'locks the agent with a password'
