
# What explain takes: the names on the engine that the command line means.
_dockersweep_names() {
  local -a engine=()
  local index name
  for ((index = 1; index < COMP_CWORD; index++)); do
    case ${COMP_WORDS[index]} in
      -H | --host | -c | --context | --tlscacert | --tlscert | --tlskey)
        engine+=("${COMP_WORDS[index]}" "${COMP_WORDS[index + 1]}")
        ;;
      --tlsverify) engine+=(--tlsverify) ;;
    esac
  done
  while IFS= read -r name; do
    [[ $name == "$1"* ]] && printf '%s\n' "$name"
  done < <(dockersweep completion names "${engine[@]}" 2>/dev/null </dev/null)
}

# bash cuts words at colons and equal signs, which names of images, addresses of engines and flags have in them. Here
# words end at spaces, and a long flag is cut from its value.
_dockersweep() {
  local line=${COMP_LINE:0:COMP_POINT} word current
  local -a given words=()
  read -a given <<<"$line"
  [[ $line == *[[:space:]] ]] && given+=("")
  for word in "${given[@]}"; do
    case $word in
      --*=*) words+=("${word%%=*}" "${word#*=}") ;;
      *) words+=("$word") ;;
    esac
  done
  local -a COMP_WORDS=("${words[@]}")
  local COMP_CWORD=$((${#words[@]} - 1))
  _shtab_dockersweep
  current=${words[COMP_CWORD]}
  # Only what stands behind the last colon is replaced.
  if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
    COMPREPLY=("${COMPREPLY[@]#"${current%"${current##*:}"}"}")
  fi
}

complete -o bashdefault -F _dockersweep dockersweep
