# shellcheck shell=bash
# Conditions that change while they hold.  What holds at a moment is a pure function of the profile and the milliseconds since
# the start: the base, over it the `at` lines that are past, over them the `every` lines whose window is open.

timeline_reset() { AT_MS=() AT_WORDS=() AT_LINE=() EVERY_MS=() EVERY_FOR_MS=() EVERY_WORDS=() EVERY_LINE=() RESET='' BASE_RST=''; }
timeline_reset

has_timeline() { ((${#AT_MS[@]} + ${#EVERY_MS[@]} > 0)); }

# timeline_line LINE: one `at` or `every` line of a profile.
timeline_line() {
  local period text length words
  if [[ $1 =~ ^at\ +([^ ]+)\ +(.+)$ ]]; then
    words=${BASH_REMATCH[2]}
    time_ms "${BASH_REMATCH[1]}" || { REPLY="at takes a time such as 30s"; return 1; }
    AT_MS+=("$REPLY") AT_WORDS+=("$words") AT_LINE+=("$LINE_NUMBER")
  elif [[ $1 =~ ^every\ +([^ ]+)\ +for\ +([^ ]+)\ +(.+)$ ]]; then
    text=${BASH_REMATCH[1]} length=${BASH_REMATCH[2]} words=${BASH_REMATCH[3]}
    time_ms "$text" || { REPLY="every takes a time such as 20s"; return 1; }
    period=$REPLY
    time_ms "$length" || { REPLY="for takes a time such as 5s"; return 1; }
    ((REPLY > 0 && REPLY < period)) || { REPLY="every $text for $length: the window must be shorter than the period, and not empty"; return 1; }
    EVERY_MS+=("$period") EVERY_FOR_MS+=("$REPLY") EVERY_WORDS+=("$words") EVERY_LINE+=("$LINE_NUMBER")
  else
    REPLY="'$1' is neither at TIME CONDITION nor every TIME for TIME CONDITION"
    return 1
  fi
}

# overlay WORDS…: lays a condition over SHAPE: [out|in|both] clear | blackhole | rst SHARE | netem's options.
overlay() {
  local sides side key
  sides_of "${PROFILE[direction]:-both}"
  sides=$REPLY
  if is_direction "${1:-}"; then
    sides_of "$1"
    sides=$REPLY
    shift
  fi
  if [[ ${1:-} == blackhole && $# == 2 ]] && is_direction "$2"; then
    sides_of "$2"
    sides=$REPLY
    set -- blackhole
  fi
  # --direction has the last word
  if [[ ${OPT_DIRECTION:-both} != both ]]; then
    [[ " $sides " == *" $OPT_DIRECTION "* ]] && sides=$OPT_DIRECTION || sides=''
  fi
  case ${1:-} in
    blackhole)
      [[ $# == 1 ]] || { REPLY="blackhole takes out, in or both"; return 1; }
      for side in $sides; do SHAPE[$side.loss]=100%; done
      ;;
    clear)
      [[ $# == 1 ]] || { REPLY="clear takes nothing"; return 1; }
      for side in $sides; do
        for key in "${SHAPE_KEYS[@]}"; do unset "SHAPE[$side.$key]"; done
      done
      RST_NOW=''
      ;;
    rst)
      if [[ $# != 2 ]] || ! share_ppm "$2"; then
        REPLY="rst takes a share such as 100%"
        return 1
      fi
      RST_NOW=$2
      ;;
    *) shape_words "$sides" "$@" || return 1 ;;
  esac
}

# timeline_check: tries every line on the base once; notes in RESET which options come and go, in TIMELINE_SIDES which sides
# are ever touched, in TIMELINE_RST whether resets are ever sent.
timeline_check() {
  local words key side i
  local -a conditions=("" "${AT_WORDS[@]}" "${EVERY_WORDS[@]}") lines=("" "${AT_LINE[@]}" "${EVERY_LINE[@]}")
  declare -gA BASE=()
  BASE_RST=${PROFILE[rst]:-} RST_NOW=${PROFILE[rst]:-}
  for key in "${!SHAPE[@]}"; do BASE[$key]=${SHAPE[$key]}; done
  TIMELINE_SIDES='' TIMELINE_RST=${PROFILE[rst]:-} RESET=''
  for ((i = 0; i < ${#conditions[@]}; i++)); do
    words=${conditions[i]} LINE_NUMBER=${lines[i]}
    base_again
    # shellcheck disable=SC2086  # words
    [[ ! $words ]] || overlay $words || { REPLY="'$words': $REPLY"; return 1; }
    for side in "${SIDES[@]}"; do
      shape_consistent "$side" || { REPLY="'$words': $REPLY"; return 1; }
      if has_shape "$side" && [[ " $TIMELINE_SIDES " != *" $side "* ]]; then TIMELINE_SIDES+="${TIMELINE_SIDES:+ }$side"; fi
    done
    [[ ! $RST_NOW ]] || TIMELINE_RST=$RST_NOW
    if has_timeline; then
      for key in corrupt reorder rate slot; do
        if [[ ${SHAPE[out.$key]:-}${SHAPE[in.$key]:-} && " $RESET " != *" $key "* ]]; then RESET+="${RESET:+ }$key"; fi
      done
    fi
  done
  base_again
}

base_again() {
  local key
  SHAPE=()
  for key in "${!BASE[@]}"; do SHAPE[$key]="${BASE[$key]}"; done
  RST_NOW=$BASE_RST
}

# timeline_state MS: leaves in SHAPE and RST_NOW what holds then.
timeline_state() {
  local now=$1 i
  base_again
  # at lines hold in the order of their time, so a later one wins over an earlier one
  for i in $(at_order); do
    # shellcheck disable=SC2086  # words
    ((AT_MS[i] > now)) || overlay ${AT_WORDS[i]}
  done
  for ((i = 0; i < ${#EVERY_MS[@]}; i++)); do
    # shellcheck disable=SC2086  # words
    ((now < EVERY_MS[i] || now % EVERY_MS[i] >= EVERY_FOR_MS[i])) || overlay ${EVERY_WORDS[i]}
  done
}

at_order() {
  local i
  for ((i = 0; i < ${#AT_MS[@]}; i++)); do printf '%s %s\n' "${AT_MS[i]}" "$i"; done | sort -n -k1,1 -k2,2 | while read -r _ i; do printf '%s ' "$i"; done
}

# timeline_next MS: the next moment after MS at which something changes, in REPLY; fails when nothing ever will.
timeline_next() {
  local now=$1 next='' i moment
  for ((i = 0; i < ${#AT_MS[@]}; i++)); do
    if ((AT_MS[i] > now)) && [[ ! $next || ${AT_MS[i]} -lt $next ]]; then next=${AT_MS[i]}; fi
  done
  for ((i = 0; i < ${#EVERY_MS[@]}; i++)); do
    moment=$((now / EVERY_MS[i] * EVERY_MS[i]))
    if ((moment >= EVERY_MS[i] && moment + EVERY_FOR_MS[i] > now)); then
      moment=$((moment + EVERY_FOR_MS[i]))
    else
      moment=$((moment + EVERY_MS[i]))
    fi
    if [[ ! $next || $moment -lt $next ]]; then next=$moment; fi
  done
  REPLY=$next
  [[ $next ]]
}
