@COMPDEF@
# SPDX-License-Identifier: Apache-2.0
# What zsh offers behind the names of Hawser's programs. Written by scripts/generate-completions.

# The hosts of ssh_config(5), or of -F's file, and those of known_hosts whose names are not hashed.
_hawser_host_names() {
    setopt local_options extended_glob
    local file line index
    local -a names config=(~/.ssh/config /etc/ssh/ssh_config)
    for ((index = 2; index < CURRENT; index++)); do
        case $words[index] in
            -F) config=(${(Q)words[index + 1]}) ;;
            -F?*) config=(${(Q)words[index]#-F}) ;;
        esac
    done
    for file in $config; do _hawser_configured $file 0; done
    for file in ~/.ssh/known_hosts ~/.ssh/known_hosts2 /etc/ssh/ssh_known_hosts; do
        [[ -r $file ]] || continue
        for line in "${(@f)$(<$file)}"; do
            [[ $line == [\#@\|]* ]] && continue
            names+=(${(s:,:)${line%% *}})
        done
    done
    names=(${${names#\[}%%\]*})
    reply=(${(u)names:#*[*?!]*})
}

# The names of a file's Host lines, and of the files that it includes, into `names`.
_hawser_configured() {
    local line keyword rest word file folder=$HOME/.ssh
    [[ $1 == /etc/* ]] && folder=/etc/ssh
    [[ -r $1 && $2 -lt 8 ]] || return
    for line in "${(@f)$(<$1)}"; do
        line=${line##[[:space:]]#}
        keyword=${line%%[[:space:]=]*}
        rest=${${line#$keyword}##[[:space:]=]#}
        rest=${rest//\"/}
        case ${(L)keyword} in
            host) names+=(${=rest}) ;;
            include)
                for word in ${=rest}; do
                    [[ $word == '~/'* ]] && word=$HOME/${word#'~/'}
                    [[ $word == /* ]] || word=$folder/$word
                    for file in ${~word}(N.); do _hawser_configured $file $(($2 + 1)); done
                done
                ;;
        esac
    done
}

_hawser_hosts() {
    setopt local_options extended_glob
    local -a reply
    compset -P '*[@,]'
    _hawser_host_names
    _wanted hosts expl host compadd "$@" -a reply
}

# Files here, hosts, and behind host: the files there, if a master is there to ask, so that no
# completion ever makes a connection.
_hawser_remote() {
    setopt local_options extended_glob
    local -a reply expl
    if compset -P 1 '[^/]#:'; then
        local host=${${(Q)IPREFIX}%:} folder= index
        local typed=${(Q)PREFIX}
        local -a given
        for ((index = 2; index < CURRENT; index++)); do
            case $words[index] in
                -F | -o | -J) given+=($words[index] ${(Q)words[index + 1]}) ;;
                -P) given+=(-p ${(Q)words[index + 1]}) ;;
                -F?* | -o?* | -J?*) given+=(${(Q)words[index]}) ;;
            esac
        done
        # Should the master go away, no key is known for a connection of its own.
        given+=(-T -o BatchMode=yes -o ControlMaster=no -o ConnectTimeout=1
            -o StrictHostKeyChecking=yes -o UserKnownHostsFile=none -o GlobalKnownHostsFile=none
            -o ClearAllForwardings=yes)
        ssh $given -O check -- $host &>/dev/null </dev/null || return 1
        [[ $typed == */* ]] && folder=${typed%/*}/
        local there=${(q)${folder:-.}}
        [[ $folder == '~/'* ]] && there="~/${(q)folder#'~/'}"
        reply=(${(f)"$(ssh $given -- $host "ls -1ap -- $there" </dev/null 2>/dev/null)"})
        [[ ${typed##*/} == .* ]] || reply=(${reply:#.*})
        reply=(${reply:#(.|..)/})
        local -a folders=(${(M)reply:#*/}) plain=(${reply:#*/})
        (($#folders)) && folders=($folder$^folders)
        (($#plain)) && plain=($folder$^plain)
        _wanted remote-files expl 'file there' compadd -S '' -a folders
        _wanted remote-files expl 'file there' compadd -a plain
        return
    fi
    local expl_end=':'
    [[ $service == sftp ]] && expl_end=' '
    _alternative 'files:file:_files' 'hosts:host:_hawser_remote_hosts'
}

_hawser_remote_hosts() {
    local -a reply
    compset -P '*@'
    _hawser_host_names
    compadd -S "$expl_end" "$@" -a reply
}

# The names of a family, as the last of a list; + - ^ at its start change the default.
_hawser_query() {
    local -a names=(${(f)"$(ssh -Q $1 2>/dev/null)"})
    compset -P '*,' || compset -P '[-+^]'
    _wanted names expl $1 compadd -S '' -a names
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
