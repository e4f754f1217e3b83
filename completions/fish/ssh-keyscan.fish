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

complete -c ssh-keyscan -s 4 -d 'IPv4 or IPv6 addresses only'
complete -c ssh-keyscan -s 6 -d 'IPv4 or IPv6 addresses only'
complete -c ssh-keyscan -s c -d 'asks for certificates instead of plain keys'
complete -c ssh-keyscan -s D -d 'prints SSHFP records for a zone of the domain name system'
complete -c ssh-keyscan -s f -r -F -d 'reads hosts from a file, one a line'
complete -c ssh-keyscan -s H -d 'hashes the names'
complete -c ssh-keyscan -s O -x -a 'hashalg=sha1 hashalg=sha256' -d 'one kind of digest in the records of -D'
complete -c ssh-keyscan -s p -x -d 'the port'
complete -c ssh-keyscan -s q -d 'prints no comments with the version of each server'
complete -c ssh-keyscan -s T -x -d 'how long a host may be silent, in seconds or such as 1m'
complete -c ssh-keyscan -s t -x -a 'ed25519 ecdsa rsa mldsa44-ed25519 ecdsa-sk ed25519-sk' -d 'types of keys, with commas between'
complete -c ssh-keyscan -s v -d 'says more'
complete -c ssh-keyscan -f -a '(__hawser_hosts)'
