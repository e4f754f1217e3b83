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
    # @SETTINGS@
end

# @COMPLETE@
