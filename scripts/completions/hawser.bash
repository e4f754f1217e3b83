# SPDX-License-Identifier: Apache-2.0
# What bash offers behind the names of Hawser's programs. Written by scripts/generate-completions.

# _hawser: called by complete; the word is taken from the line, since bash splits it at colons.
_hawser() {
    local program=${1##*/} line=${COMP_LINE:0:COMP_POINT} cur kind='' words letter before=() operands=0
    COMPREPLY=()
    _hawser_split "$line"
    cur=${before[-1]}
    unset 'before[-1]'
    _hawser_place "$program"
    if [ -n "$kind" ]; then
        _hawser_kind "$kind" "$cur"
    elif [[ $cur == -* ]]; then
        _hawser_options "$program"
        _hawser_words "$words" "$cur" ' '
    else
        _hawser_operand "$program"
        if [[ $program == ssh && $operands -gt 0 ]]; then kind=file; fi
        _hawser_kind "$kind" "$cur"
    fi
    _hawser_trim "$cur"
}

# _hawser_split LINE: its words in `before`, the last of which is the one under the cursor.
_hawser_split() {
    local rest=$1 word='' quote='' character
    before=()
    while [ -n "$rest" ]; do
        character=${rest:0:1}
        rest=${rest:1}
        case $quote$character in
            "''" | '""') quote='' ;;
            \'* | \"*) word+=$character ;;
            \' | \") quote=$character ;;
            \\) word+=${rest:0:1} rest=${rest:1} ;;
            [[:space:]])
                [ -n "$word" ] && before+=("$word")
                word=''
                ;;
            *) word+=$character ;;
        esac
    done
    before+=("$word")
}

# _hawser_place PROGRAM: whether the word is the value of an option, whose kind is put into `kind`;
# how many operands stand before it.
_hawser_place() {
    local word index letters
    kind=''
    for ((index = 1; index < ${#before[@]}; index++)); do
        word=${before[index]}
        kind=''
        if [[ $word == -?* && $word != --* ]]; then
            letters=${word:1}
            while [ -n "$letters" ]; do
                _hawser_value "$1" "${letters:0:1}"
                letters=${letters:1}
                [ -n "$kind" ] && break
            done
            # The value is attached, or the next word.
            if [ -n "$kind" ] && { [ -n "$letters" ] || ((++index < ${#before[@]})); }; then kind=''; fi
        else
            operands=$((operands + 1))
        fi
    done
    # The value attached to the letter under the cursor.
    if [[ -z $kind && $cur == -??* && $cur != --* ]]; then
        _hawser_value "$1" "${cur:1:1}"
        if [ -n "$kind" ]; then
            attached=${cur:0:2}
            _hawser_kind "$kind" "${cur:2}"
            COMPREPLY=("${COMPREPLY[@]/#/$attached}")
            kind=done
        fi
    fi
}

# _hawser_options PROGRAM: its options in `words`.
_hawser_options() {
    words=''
    case $1 in
        # @OPTIONS@
    esac
}

# _hawser_value PROGRAM LETTER: what the value of an option is, in `kind`; nothing without one.
_hawser_value() {
    kind=''
    case $1:$2 in
        # @VALUES@
    esac
}

# _hawser_operand PROGRAM: what stands behind the options, in `kind`.
_hawser_operand() {
    kind=file
    case $1 in
        # @OPERANDS@
    esac
}

# _hawser_kind KIND WORD: candidates of a kind.
_hawser_kind() {
    case $1 in
        done) ;;
        =*) _hawser_words "${1#=}" "$2" ' ' ;;
        cipher | mac) _hawser_words "$(ssh -Q "$1" 2>/dev/null)" "$2" ' ' ;;
        command) _hawser_replies '' ' ' < <(compgen -c -- "$2") ;;
        directory) _hawser_replies '' / < <(compgen -d -- "$2") ;;
        host) _hawser_host "$2" ' ' ;;
        interface) _hawser_words "$(command ls /sys/class/net 2>/dev/null)" "$2" ' ' ;;
        option) _hawser_setting "$2" ;;
        remote) _hawser_remote "$2" ;;
        user) _hawser_replies '' ' ' < <(compgen -u -- "$2") ;;
        file) compopt -o default 2>/dev/null ;;
    esac
}

# _hawser_words LIST WORD END: those of a list that begin with the word; END is put behind a whole
# one that does not end as something does that goes on.
_hawser_words() {
    local word
    for word in $1; do
        [[ $word == "$2"* ]] || continue
        if [[ $word == *[=:,] ]]; then COMPREPLY+=("$word"); else COMPREPLY+=("$word$3"); fi
    done
}

# _hawser_replies PREFIX END: each line of the standard input is a candidate.
_hawser_replies() {
    local line
    while IFS= read -r line; do COMPREPLY+=("$1$line$2"); done
}

# _hawser_setting WORD: keyword=value behind -o.
_hawser_setting() {
    local language=client keyword kind='' name
    [ "$program" = sshd ] && language=server
    if [[ $1 != *=* ]]; then
        for name in $(_hawser_keywords "$language"); do
            [[ ${name,,} == "${1,,}"* ]] && COMPREPLY+=("$name=")
        done
        return
    fi
    keyword=${1%%=*}
    case $language:${keyword,,} in
        # @KEYWORD VALUES@
    esac
    local list='' value=${1#*=}
    case $kind in
        -Q*)
            # A list with commas: its last name is completed.
            [[ $value == *,* ]] && list=${value%,*},
            [[ $value == [-+^]* && -z $list ]] && list=${value:0:1}
            # shellcheck disable=SC2086
            kind=$(ssh $kind 2>/dev/null)
            _hawser_words "$kind" "${value#"$list"}" ''
            ;;
        *) _hawser_words "$kind" "$value" ' ' ;;
    esac
    COMPREPLY=("${COMPREPLY[@]/#/$keyword=$list}")
    [ "${COMPREPLY[*]}" = "$keyword=$list" ] && COMPREPLY=()
}

_hawser_keywords() {
    case $1 in
        client) cat <<'KEYWORDS' ;;
# @CLIENT KEYWORDS@
KEYWORDS
        server) cat <<'KEYWORDS' ;;
# @SERVER KEYWORDS@
KEYWORDS
    esac
}

# _hawser_host WORD END: hosts, perhaps behind user@ or a list of jump hosts.
_hawser_host() {
    local prefix='' host
    [[ $1 == *[@,]* ]] && prefix=${1%"${1##*[@,]}"}
    while IFS= read -r host; do
        [[ $host == "${1#"$prefix"}"* ]] && COMPREPLY+=("$prefix$host$2")
    done < <(_hawser_hosts)
}

# The hosts of ssh_config(5) and those of known_hosts whose names are not hashed, each once.
_hawser_hosts() {
    local config=("$HOME/.ssh/config" /etc/ssh/ssh_config) index
    for ((index = 1; index < ${#before[@]}; index++)); do
        case ${before[index]} in
            -F) config=("${before[index + 1]}") ;;
            -F?*) config=("${before[index]#-F}") ;;
        esac
    done
    {
        for file in "${config[@]}"; do _hawser_configured "$file" 0; done
        _hawser_known "$HOME/.ssh/known_hosts" "$HOME/.ssh/known_hosts2" \
            /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2
    } | sort -u
}

# _hawser_configured FILE DEPTH: the names of its Host lines, and of the files that it includes.
_hawser_configured() {
    local keyword rest word file folder=$HOME/.ssh
    [[ $1 == /etc/* ]] && folder=/etc/ssh
    [[ -r $1 && $2 -lt 8 ]] || return
    while read -r keyword rest; do
        # keyword=value
        [[ $keyword == *=* ]] && rest="${keyword#*=} $rest" keyword=${keyword%%=*}
        [[ $rest == =* ]] && rest=${rest#=}
        rest=${rest//\"/}
        set -f
        case ${keyword,,} in
            host) for word in $rest; do [[ $word == *[*?!]* ]] || echo "$word"; done ;;
            include)
                for word in $rest; do
                    [[ $word == "~/"* ]] && word=$HOME/${word#"~/"}
                    [[ $word == /* ]] || word=$folder/$word
                    set +f
                    for file in $word; do _hawser_configured "$file" $(($2 + 1)); done
                    set -f
                done
                ;;
        esac
        set +f
    done <"$1"
}

_hawser_known() {
    local file names name rest
    for file in "$@"; do
        [ -r "$file" ] || continue
        while read -r names rest; do
            [[ $names == @cert-authority || $names == @revoked ]] && continue
            [[ $names == \#* || $names == \|* ]] && continue
            for name in ${names//,/ }; do
                [[ $name == \[*\]:* ]] && name=${name#\[} name=${name%%\]*}
                [[ $name == *[*?!]* ]] || echo "$name"
            done
        done <"$file"
    done
}

# _hawser_remote WORD: files here, hosts, and behind host: the files there, if a master is there to
# ask, so that no completion ever makes a connection.
_hawser_remote() {
    local host path folder name
    if [[ $1 != *:* || ${1%%:*} == */* ]]; then
        local end=:
        [ "$program" = sftp ] && end=' '
        [[ $1 == */* ]] || _hawser_host "$1" "$end"
        while IFS= read -r name; do
            [ -d "$name" ] && name+=/
            printf -v name '%q' "$name"
            if [[ $name == */ ]]; then COMPREPLY+=("$name"); else COMPREPLY+=("$name "); fi
        done < <(compgen -f -- "$1")
        return
    fi
    host=${1%%:*}
    path=${1#*:}
    _hawser_over "$host" -O check </dev/null &>/dev/null || return
    folder=${path%"${path##*/}"}
    while IFS= read -r name; do
        [[ $name == "${path##*/}"* ]] || continue
        [[ $name == .* && ${path##*/} != .* ]] && continue
        printf -v name '%q' "$folder$name"
        if [[ $name == */ ]]; then COMPREPLY+=("$host:$name"); else COMPREPLY+=("$host:$name "); fi
    done < <(_hawser_over "$host" -- "ls -1ap -- $(_hawser_quoted "${folder:-.}")" </dev/null 2>/dev/null)
}

# For a shell there; a tilde at the start stays one.
_hawser_quoted() {
    case $1 in
        '~/'*) printf '~/%q' "${1#\~/}" ;;
        *) printf '%q' "$1" ;;
    esac
}

# _hawser_over HOST WORD...: ssh to a host over its master only. Should the master go away, no key is
# known for a connection of its own.
_hawser_over() {
    local host=$1 given=() index
    shift
    for ((index = 1; index < ${#before[@]}; index++)); do
        case ${before[index]} in
            -F | -o | -J) given+=("${before[index]}" "${before[index + 1]}") ;;
            -P) given+=(-p "${before[index + 1]}") ;;
            -F?* | -o?* | -J?*) given+=("${before[index]}") ;;
        esac
    done
    local words=()
    while [ $# -gt 0 ] && [ "$1" != -- ]; do words+=("$1") && shift; done
    [ "$1" = -- ] && shift
    ssh "${given[@]}" -T -o BatchMode=yes -o ControlMaster=no -o ConnectTimeout=1 \
        -o StrictHostKeyChecking=yes -o UserKnownHostsFile=none -o GlobalKnownHostsFile=none \
        -o ClearAllForwardings=yes "${words[@]}" "$host" "$@"
}

# _hawser_trim WORD: takes from the candidates what stands before the last sign at which bash splits
# the word.
_hawser_trim() {
    local prefix='' sign
    for sign in : = @; do
        [[ $COMP_WORDBREAKS == *"$sign"* && $1 == *"$sign"* ]] || continue
        local until=${1%"${1##*"$sign"}"}
        # readline leaves this one at the start of the word.
        [ $sign = @ ] && until=${until%@}
        [ ${#until} -gt ${#prefix} ] && prefix=$until
    done
    [ -n "$prefix" ] && COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
    [ "${COMPREPLY[*]}" = '' ] && COMPREPLY=()
}

# @PROGRAMS@
