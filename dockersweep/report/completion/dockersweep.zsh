# What explain takes: the names on the engine that the command line means.
_dockersweep_names() {
  local -a given engine names
  local -i index
  given=("${(@Q)${(z)LBUFFER}}")
  for ((index = 1; index < $#given; index++)); do
    case $given[index] in
      (-H|--host|-c|--context|--tlscacert|--tlscert|--tlskey) engine+=("$given[index]" "$given[index + 1]") ;;
      (--tlsverify|--host=*|--context=*|--tlscacert=*|--tlscert=*|--tlskey=*) engine+=("$given[index]") ;;
    esac
  done
  names=(${(f)"$(dockersweep completion names $engine 2>/dev/null </dev/null)"})
  compadd "$@" -a names
}
