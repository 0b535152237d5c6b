# shellcheck shell=bash
# Times, shares and rates as tc writes them.  Results are left in REPLY, as whole numbers: microseconds, millionths, bits
# per second.  Everything is matched against a pattern before it comes near arithmetic, which would execute a hostile word.

readonly TIME_PATTERN='^([0-9]{1,9})(\.([0-9]{1,6}))?(s|ms|us)$'
readonly SHARE_PATTERN='^([0-9]{1,3})(\.([0-9]{1,4}))?%$'
readonly RATE_PATTERN='^([0-9]{1,9})(\.([0-9]{1,3}))?([kKmMgG]?)bit$'
readonly COUNT_PATTERN='^[0-9]{1,9}$'

# scaled WHOLE FRACTION SCALE: WHOLE.FRACTION × SCALE, SCALE a power of ten.
scaled() {
  local whole=$1 fraction=$2 scale=$3
  fraction=${fraction}000000000
  fraction=${fraction:0:$((${#scale} - 1))}
  REPLY=$((10#$whole * scale + 10#0$fraction))
}

time_us() {
  [[ $1 =~ $TIME_PATTERN ]] || return 1
  case ${BASH_REMATCH[4]} in
    s) scaled "${BASH_REMATCH[1]}" "${BASH_REMATCH[3]}" 1000000 ;;
    ms) scaled "${BASH_REMATCH[1]}" "${BASH_REMATCH[3]}" 1000 ;;
    us) scaled "${BASH_REMATCH[1]}" "${BASH_REMATCH[3]}" 1 ;;
  esac
}

time_ms() { time_us "$1" && REPLY=$((REPLY / 1000)); }

share_ppm() {
  [[ $1 =~ $SHARE_PATTERN ]] || return 1
  scaled "${BASH_REMATCH[1]}" "${BASH_REMATCH[3]}" 10000
  ((REPLY <= 1000000))
}

rate_bits() {
  [[ $1 =~ $RATE_PATTERN ]] || return 1
  case ${BASH_REMATCH[4]} in
    '') scaled "${BASH_REMATCH[1]}" "${BASH_REMATCH[3]}" 1 ;;
    [kK]) scaled "${BASH_REMATCH[1]}" "${BASH_REMATCH[3]}" 1000 ;;
    [mM]) scaled "${BASH_REMATCH[1]}" "${BASH_REMATCH[3]}" 1000000 ;;
    [gG]) scaled "${BASH_REMATCH[1]}" "${BASH_REMATCH[3]}" 1000000000 ;;
  esac
}

is_count() { [[ $1 =~ $COUNT_PATTERN ]]; }

is_port() { [[ $1 =~ ^[0-9]{1,5}$ ]] && ((10#$1 >= 1 && 10#$1 <= 65535)); }

# is_address ADDR[/LENGTH]: IPv4 or IPv6 by its alphabet; tc judges the rest.  REPLY is the family as tc names it.
is_address() {
  if [[ $1 =~ ^[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?$ ]]; then
    REPLY=ip
  elif [[ $1 == *:* && $1 =~ ^[0-9a-fA-F:.]{2,45}(/[0-9]{1,3})?$ ]]; then
    REPLY=ipv6
  else
    return 1
  fi
}
