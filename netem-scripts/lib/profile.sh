# shellcheck shell=bash
# Profile files: plain text, read line by line and never executed.
#
#   key = value                      title, source (repeatable), direction, blackhole, rst, idle, expect.loss|mean|spread,
#                                    and netem's options in tc's words; out.KEY and in.KEY are for one side
#   at 30s loss 5%                   from then on
#   every 20s for 5s blackhole       again and again, the first time after 20 s

readonly PROFILE_MAX_BYTES=65536

declare -gA PROFILE=()  # title, source, direction, rst, idle, expect.*

profile_dir() { printf '%s\n' "${NETEM_PROFILES:-$NETEM_HOME/profiles}"; }

# profile_path NAME|FILE: the file, in REPLY.
profile_path() {
  if [[ $1 == */* ]]; then
    REPLY=$1
  elif [[ $1 =~ ^[a-z0-9][a-z0-9._-]{0,63}$ ]]; then
    REPLY=$(profile_dir)/$1.conf
  else
    return 1
  fi
  [[ -f $REPLY ]]
}

# profile_load NAME|FILE: fills PROFILE, SHAPE and the timeline, or ends with file and line.
profile_load() {
  local file name=$1
  profile_path "$name" || usage_error "no profile '${name//[[:cntrl:]]/?}': netem list shows them, a file is given as ./NAME.conf"
  file=$REPLY
  [[ -r $file ]] || die "$STATUS_FAILED" "$file: cannot be read"
  (($(stat -Lc %s -- "$file") <= PROFILE_MAX_BYTES)) || usage_error "$file: larger than $PROFILE_MAX_BYTES bytes, which is no profile"
  PROFILE=([name]=$name [file]=$file) SHAPE=()
  timeline_reset
  profile_lines "$file" || usage_error "$file:$LINE_NUMBER: $REPLY"
  profile_sides || usage_error "$file${LINE_NUMBER:+:$LINE_NUMBER}: $REPLY"
}

# profile_lines FILE: every line, in two passes, since out.KEY and in.KEY win over KEY wherever they stand.
profile_lines() {
  local line key value
  local -a side_lines=() side_numbers=()
  LINE_NUMBER=0
  while IFS= read -r line || [[ $line ]]; do
    LINE_NUMBER=$((LINE_NUMBER + 1))
    line=${line//$'\t'/ }
    line=${line%$'\r'}
    [[ $line != *[[:cntrl:]]* ]] || { REPLY="a control character"; return 1; }
    line=${line#"${line%%[! ]*}"}
    line=${line%"${line##*[! ]}"}
    case $line in
      '' | '#'*) continue ;;
      'at '* | 'every '*) timeline_line "$line" || return 1; continue ;;
    esac
    [[ $line =~ ^([a-z][a-z.]*)\ *=\ *(.*)$ ]] || { REPLY="'$line' is neither KEY = VALUE, nor at TIME …, nor every TIME for TIME …"; return 1; }
    key=${BASH_REMATCH[1]} value=${BASH_REMATCH[2]}
    if [[ $key == out.* || $key == in.* ]]; then
      side_lines+=("$key $value") side_numbers+=("$LINE_NUMBER")
    else
      profile_key "$key" "$value" || return 1
    fi
  done <"$1"
  local i
  for ((i = 0; i < ${#side_lines[@]}; i++)); do
    LINE_NUMBER=${side_numbers[i]} key=${side_lines[i]%% *} value=${side_lines[i]#* }
    is_shape_key "${key#*.}" || { REPLY="unknown key $key"; return 1; }
    # shellcheck disable=SC2086  # the value is a list of words
    shape_words "${key%%.*}" "${key#*.}" $value || return 1
  done
}

profile_key() {
  local key=$1 value=$2
  if is_shape_key "$key"; then
    # shellcheck disable=SC2086  # the value is a list of words; globbing is off for the whole program
    shape_words "out in" "$key" $value
    return
  fi
  case $key in
    title) PROFILE[title]=$value ;;
    source) PROFILE[source]+=${PROFILE[source]:+; }$value ;;
    direction) is_direction "$value" || { REPLY="direction takes out, in or both"; return 1; }; PROFILE[direction]=$value ;;
    blackhole)
      is_direction "$value" || { REPLY="blackhole takes out, in or both"; return 1; }
      sides_of "$value"
      shape_words "$REPLY" loss 100%
      ;;
    rst) share_ppm "$value" || { REPLY="rst takes the share of segments that are answered by a reset, such as 1%"; return 1; }; PROFILE[rst]=$value ;;
    idle) [[ $value =~ ^[1-9][0-9]{0,5}s$ ]] || { REPLY="idle takes whole seconds, such as 60s"; return 1; }; PROFILE[idle]=$value ;;
    expect.loss) share_ppm "$value" || { REPLY="expect.loss takes a share such as 1%"; return 1; }; PROFILE[$key]=$value ;;
    expect.mean | expect.spread) time_us "$value" || { REPLY="$key takes a time such as 200ms"; return 1; }; PROFILE[$key]=$value ;;
    *) REPLY="unknown key $key"; return 1 ;;
  esac
}

is_direction() { [[ $1 == out || $1 == in || $1 == both ]]; }

# sides_of out|in|both: as a list of sides, in REPLY.
sides_of() { if [[ $1 == both ]]; then REPLY="out in"; else REPLY=$1; fi; }

# profile_sides: keeps what the direction (the profile's, or --direction) leaves.
profile_sides() {
  local direction=${OPT_DIRECTION:-${PROFILE[direction]:-both}} side key
  PROFILE[direction]=$direction LINE_NUMBER=''
  for side in "${SIDES[@]}"; do
    if [[ $direction != both && $direction != "$side" ]]; then
      for key in "${SHAPE_KEYS[@]}"; do unset "SHAPE[$side.$key]"; done
    else
      shape_consistent "$side" || return 1
    fi
  done
  timeline_check
}

# profile_from_words WORDS…: the same from tc's words on the command line.
profile_from_words() {
  PROFILE=([name]="$*" [title]="$*") SHAPE=()
  timeline_reset
  shape_words "out in" "$@" || usage_error "$REPLY"
  PROFILE[direction]=out  # as tc itself does
  [[ ! ${OPT_DIRECTION:-} ]] || PROFILE[direction]=$OPT_DIRECTION
  profile_sides || usage_error "$REPLY"
}

# condition_load PROFILE|WORDS…: whichever the words are.
condition_load() {
  [[ $# -gt 0 && $1 ]] || usage_error "which profile? netem list shows them"
  if [[ $# == 1 ]] && ! is_shape_key "$1"; then
    profile_load "$1"
  elif is_shape_key "$1"; then
    profile_from_words "$@"
  else
    usage_error "'${1//[[:cntrl:]]/?}' is no netem option (${SHAPE_KEYS[*]}), and a profile stands alone"
  fi
}

# profile_list: every profile, one a line: name, promise, title.
profile_list() {
  local file name
  set +f
  local -a files=("$(profile_dir)"/*.conf)
  set -f
  printf '%-22s %-8s %-9s %-9s %s\n' PROFILE LOSS "PING MEAN" SPREAD "WHAT IT IS"
  for file in "${files[@]}"; do
    [[ -f $file ]] || die "$STATUS_FAILED" "no profiles in $(profile_dir)"
    profile_load "$file"
    name=${file##*/}
    printf '%-22s %-8s %-9s %-9s %s\n' "${name%.conf}" "${PROFILE[expect.loss]:--}" "${PROFILE[expect.mean]:--}" \
      "${PROFILE[expect.spread]:--}" "${PROFILE[title]:-}"
  done
}
