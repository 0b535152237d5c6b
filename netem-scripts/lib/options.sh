# shellcheck shell=bash
# The command line: options anywhere before --, into OPT_*; words into WORDS_GIVEN, what follows -- into COMMAND.

parse_options() {
  WORDS_GIVEN=() COMMAND=()
  OPT_NETNS='' OPT_DEV='' OPT_PORTS='' OPT_ADDRESS='' OPT_ADDRESS_FAMILY='' OPT_SHARE='' OPT_DIRECTION='' OPT_SECONDS=''
  OPT_SERVER='' OPT_CLIENT='' OPT_WAIT='' OPT_JSON='' OPT_DRY_RUN='' OPT_I_KNOW='' OPT_QUIET='' OPT_VERBOSE=''
  while [[ $# -gt 0 ]]; do
    case $1 in
      --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}"; continue ;;
      --netns | --dev | --port | --address | --share | --direction | --seconds | --server | --client | --wait)
        [[ $# -gt 1 ]] || usage_error "$1 needs a value"
        option_value "$1" "$2"
        shift 2
        continue
        ;;
      --json) OPT_JSON=1 ;;
      --dry-run) OPT_DRY_RUN=1 ;;
      --i-know) OPT_I_KNOW=1 ;;
      -q | --quiet) OPT_QUIET=1 ;;
      -v | --verbose) OPT_VERBOSE=1 ;;
      -h | --help) print_help; exit 0 ;;
      --version) printf 'netem %s\n' "$NETEM_VERSION"; exit 0 ;;
      --)
        shift
        [[ $# -gt 0 ]] || usage_error "-- needs a command after it"
        COMMAND=("$@")
        [[ ${WORDS_GIVEN[0]:-} == run ]] || usage_error "only run takes -- COMMAND"
        return
        ;;
      -*) usage_error "unknown option ${1//[[:cntrl:]]/?}" ;;
      *) WORDS_GIVEN+=("$1") ;;
    esac
    shift
  done
}

option_value() {
  local value=$2
  case $1 in
    --netns) [[ $value =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$ ]] || usage_error "--netns takes the name of a namespace"; OPT_NETNS=$value ;;
    --dev) [[ $value =~ ^[A-Za-z0-9._-]{1,15}$ && $value != -* ]] || usage_error "--dev takes the name of an interface"; OPT_DEV=$value ;;
    --port) is_port "$value" || usage_error "--port takes a number from 1 to 65535"; OPT_PORTS+=${OPT_PORTS:+ }$value ;;
    --address) is_address "$value" || usage_error "--address takes an IPv4 or IPv6 address, with or without /LENGTH"; OPT_ADDRESS=$value OPT_ADDRESS_FAMILY=$REPLY ;;
    --share)
      if ! share_ppm "$value" || ((REPLY < 100)); then usage_error "--share takes a share from 0.01% to 100%"; fi
      if ((REPLY < 1000000)); then OPT_SHARE=$value; fi
      ;;
    --direction) is_direction "$value" || usage_error "--direction takes out, in or both"; OPT_DIRECTION=$value ;;
    --seconds) [[ $value =~ ^[1-9][0-9]{0,6}$ ]] || usage_error "--seconds takes a whole number"; OPT_SECONDS=$value ;;
    --wait) is_port "$value" || usage_error "--wait takes a port"; OPT_WAIT=$value ;;
    --server) OPT_SERVER=$value ;;
    --client) OPT_CLIENT=$value ;;
  esac
}
