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
    # @SETTINGS@
end

# @COMPLETE@
