@COMPDEF@
# SPDX-License-Identifier: Apache-2.0
# What zsh offers behind the names of Hawser's programs. Written by scripts/generate-completions.

# The hosts of ssh_config(5) and those of known_hosts whose names are not hashed.
_hawser_host_names() {
    local file line
    local -a names
    for file in ~/.ssh/config /etc/ssh/ssh_config; do
        [[ -r $file ]] || continue
        for line in "${(@f)$(<$file)}"; do
            [[ ${(L)line} == [[:space:]]#host[[:space:]=]* ]] || continue
            names+=(${${=line}[2,-1]})
        done
    done
    for file in ~/.ssh/known_hosts /etc/ssh/ssh_known_hosts; do
        [[ -r $file ]] || continue
        for line in "${(@f)$(<$file)}"; do
            [[ $line == [\#@\|]* ]] && continue
            names+=(${(s:,:)${line%% *}})
        done
    done
    names=(${${names#\[}%%\]*})
    reply=(${(u)names:#*[*?!]*})
}

_hawser_hosts() {
    setopt local_options extended_glob
    local -a reply
    compset -P '*[@,]'
    _hawser_host_names
    _wanted hosts expl host compadd "$@" -a reply
}

# Files here, hosts, and behind host: the files there, if a master is there to ask.
_hawser_remote() {
    setopt local_options extended_glob
    local -a reply expl
    if compset -P 1 '*:'; then
        local host=${IPREFIX%:} folder=
        host=${host##* }
        ssh -O check -- $host &>/dev/null || return 1
        [[ $PREFIX == */* ]] && folder=${PREFIX%/*}/
        local -a only=(-T -o BatchMode=yes -o ControlMaster=no -o ConnectTimeout=1
            -o StrictHostKeyChecking=yes -o UserKnownHostsFile=none -o GlobalKnownHostsFile=none
            -o ClearAllForwardings=yes)
        reply=(${(f)"$(ssh $only $host "ls -1ap -- ${(q)${folder:-.}}" </dev/null 2>/dev/null)"})
        reply=($folder$^reply)
        _wanted remote-files expl 'file there' compadd -S '' -a reply
        return
    fi
    _hawser_host_names
    _alternative 'files:file:_files' \
        "hosts:host:compadd -S : -a reply"
}

_hawser_query() {
    local -a names=(${(f)"$(ssh -Q $1 2>/dev/null)"})
    _values -s , $1 $names
}

_hawser_option() {
    local kind
    local -a names
    local language=client
    [[ $service == sshd ]] && language=server
    if compset -P 1 '*='; then
        local keyword=${(L)${IPREFIX%=}##* }
        keyword=${keyword#-o}
        case $language:$keyword in
        # @KEYWORD VALUES@
        esac
        [[ $kind == -Q* ]] && { _hawser_query ${kind#-Q }; return }
        names=(${=kind})
        _wanted values expl value compadd -a names
        return
    fi
    if [[ $language == client ]]; then
        names=(
# @CLIENT KEYWORDS@
        )
    else
        names=(
# @SERVER KEYWORDS@
        )
    fi
    _wanted keywords expl keyword compadd -S = -M 'm:{a-zA-Z}={A-Za-z}' -a names
}

_hawser() {
    local -a arguments
    case $service in
# @CASES@
    esac
    _arguments -s -S $arguments
}

_hawser "$@"
