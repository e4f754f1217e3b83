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

complete -c ssh-agent -s a -r -F -d 'listens at this path'
complete -c ssh-agent -s c -d 'prints commands for csh(1)'
complete -c ssh-agent -s D -d 'stays in the foreground'
complete -c ssh-agent -s d -d 'stays in the foreground and tells on the standard error output …'
complete -c ssh-agent -s E -x -a 'sha256 md5' -d 'what fingerprints are made with'
complete -c ssh-agent -s k -d 'ends the agent whose process number is in SSH_AGENT_PID'
complete -c ssh-agent -s O -x -a 'allow-remote-pkcs11 no-restrict-websafe websafe-allow=' -d 'may be repeated'
complete -c ssh-agent -s P -x -d 'patterns, with commas between, of the paths of PKCS#11 libraries …'
complete -c ssh-agent -s s -d 'prints commands for a Bourne shell'
complete -c ssh-agent -s T -d 'puts the socket into a directory of its own below TMPDIR'
complete -c ssh-agent -s t -x -d 'how long keys stay that come without a time of their own'
complete -c ssh-agent -s U -d 'leaves alone what dead agents have left in ~/.ssh/agent'
complete -c ssh-agent -s u -d 'removes them, and starts no agent'
complete -c ssh-agent -s V -d 'prints the version'
complete -c ssh-agent -x -a '(__fish_complete_subcommand)'
