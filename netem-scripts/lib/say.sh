# shellcheck shell=bash
# Messages, and the meaning of every exit status.

readonly STATUS_FAILED=1 STATUS_USAGE=2 STATUS_NO_ROOT=3 STATUS_NO_TOOL=4 STATUS_NO_KERNEL=5 STATUS_FOREIGN=6

# say TEXT…: one line for the reader, on standard error.
say() { printf 'netem: %s\n' "$*" >&2; }

# note TEXT…: the same, unless --quiet.
note() { [[ ${OPT_QUIET:-} ]] || say "$@"; }

# die STATUS TEXT…: ends the program; whatever was set up is undone by the EXIT trap.
die() {
  local status=$1
  shift
  say "$@"
  exit "$status"
}

usage_error() { die "$STATUS_USAGE" "$* (netem --help lists everything)"; }

# need_tool TOOL…: ends with the package's name when one is missing.
need_tool() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || die "$STATUS_NO_TOOL" "$tool is missing: apt-get install $(package_of "$tool") (dnf: the same name)"
  done
}

package_of() {
  case $1 in
    tc | ip | ss) echo iproute2 ;;
    nft) echo nftables ;;
    ping) echo iputils-ping ;;
    flock) echo util-linux ;;
    *) echo "$1" ;;
  esac
}

need_root() {
  [[ $(id -u) == 0 ]] || die "$STATUS_NO_ROOT" "this needs root (CAP_NET_ADMIN and CAP_SYS_ADMIN): run it with sudo; --dry-run works without"
}
