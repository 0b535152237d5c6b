# shellcheck shell=bash
# What is done to packets: SHAPE[SIDE.KEY]=WORDS, SIDE out (client to server) or in, KEY a netem option in tc's own words.

declare -gA SHAPE=()
readonly SHAPE_KEYS=(delay distribution loss duplicate corrupt reorder gap rate slot ecn limit queue)
readonly SIDES=(out in)

is_shape_key() { [[ " ${SHAPE_KEYS[*]} " == *" $1 "* ]]; }

# check_words KEY WORDS…: is this what tc takes after KEY?  On failure REPLY says what would be.
check_words() {
  local key=$1 pattern
  local time='[0-9]+(\.[0-9]+)?(s|ms|us)' share='[0-9]+(\.[0-9]+)?%' word
  shift
  case $key in
    delay) pattern="^$time( $time( $share)?)?\$" REPLY="TIME [JITTER [CORRELATION%]], such as 100ms 20ms 25%" ;;
    distribution) pattern='^(normal|pareto|paretonormal|uniform|experimental)$' REPLY="normal, pareto, paretonormal, uniform or experimental" ;;
    loss) pattern="^((random )?$share( $share)?|(state|gemodel)( $share){1,5})\$" REPLY="P% [CORRELATION%], gemodel P% [R% [1-H% [1-K%]]] or state P13% …" ;;
    duplicate | corrupt | reorder) pattern="^$share( $share)?\$" REPLY="P% [CORRELATION%]" ;;
    gap | limit) pattern='^[1-9][0-9]{0,8}$' REPLY="a number of packets" ;;
    rate) pattern='^[0-9]+(\.[0-9]+)?[kKmMgG]?bit( -?[0-9]{1,4}){0,3}$' REPLY="a rate such as 2mbit [OVERHEAD [CELL [CELLOVERHEAD]]]" ;;
    slot) pattern="^$time( $time)?( packets [0-9]{1,9})?( bytes [0-9]{1,9})?\$" REPLY="MIN [MAX] [packets N] [bytes N]" ;;
    ecn) pattern='^(on)?$' REPLY="on" ;;
    queue) pattern="^$time\$" REPLY="the time that a full queue takes to drain, such as 250ms" ;;
    *) REPLY="one of ${SHAPE_KEYS[*]}"; return 1 ;;
  esac
  [[ "$*" =~ $pattern ]] || return 1
  for word in "$@"; do
    case $word in
      *%) share_ppm "$word" || { REPLY="a share of at most 100% with at most four decimals"; return 1; } ;;
      *s) [[ $word == packets || $word == bytes ]] || time_us "$word" || { REPLY="a time with at most nine digits and six decimals"; return 1; } ;;
      *bit) rate_bits "$word" || { REPLY="a rate with at most nine digits and three decimals"; return 1; } ;;
    esac
  done
}

# shape_words "SIDE…" WORDS…: sets keys from a netem option list.  On failure REPLY says why.
shape_words() {
  local sides=$1 key='' side word
  local -A given=()
  shift
  for word in "$@"; do
    if is_shape_key "$word"; then
      key=$word
      [[ ! ${given[$key]+set} ]] || { REPLY="$key is given twice"; return 1; }
      given[$key]=
    elif [[ ! $key ]]; then
      REPLY="'$word' is no netem option (${SHAPE_KEYS[*]})"
      return 1
    else
      given[$key]+=${given[$key]:+ }$word
    fi
  done
  for key in "${!given[@]}"; do
    # shellcheck disable=SC2086  # the value is a list of words
    check_words "$key" ${given[$key]} || { REPLY="$key takes $REPLY, not '${given[$key]}'"; return 1; }
    for side in $sides; do SHAPE[$side.$key]=${given[$key]:-on}; done
  done
}

# shape_consistent SIDE: what single options cannot show.  On failure REPLY says why.
shape_consistent() {
  local side=$1 delay=${SHAPE[$1.delay]:-}
  if [[ ${SHAPE[$side.distribution]:-} && $delay != *\ * ]]; then
    REPLY="distribution needs a jitter: delay TIME JITTER"
    return 1
  fi
  if [[ ${SHAPE[$side.reorder]:-} && ! $delay ]]; then
    REPLY="reorder needs a delay: packets overtake those that wait"
    return 1
  fi
  if [[ ${SHAPE[$side.gap]:-} && ! ${SHAPE[$side.reorder]:-} ]]; then
    REPLY="gap needs reorder"
    return 1
  fi
}

# has_shape SIDE: is anything done to this side's packets?
has_shape() {
  local key
  for key in "${SHAPE_KEYS[@]}"; do [[ ! ${SHAPE[$1.$key]+set} ]] || return 0; done
  return 1
}

# queue_limit SIDE: the packets that netem must be able to hold, in REPLY.
#
# netem keeps every delayed packet in one queue; its default of 1000 is a second limit that nobody asked for.  Held at once are
# the line's rate × (delay + 4 × jitter), and for a limited rate also what waits its turn (key queue, 250 ms if not given).
# A packet is taken to be 512 bytes: between an acknowledgement and a full frame.  A line of no stated rate counts as 1 Gbit/s.
queue_limit() {
  local side=$1 bits=1000000000 wait_us=0 floor=1000 words
  if [[ ${SHAPE[$side.limit]:-} ]]; then
    REPLY=${SHAPE[$side.limit]}
    return
  fi
  read -ra words <<<"${SHAPE[$side.delay]:-0ms}"
  time_us "${words[0]}"
  wait_us=$REPLY
  if [[ ${words[1]:-} ]]; then
    time_us "${words[1]}"
    wait_us=$((wait_us + 4 * REPLY))
  fi
  if [[ ${SHAPE[$side.rate]:-} ]]; then
    rate_bits "${SHAPE[$side.rate]%% *}"
    bits=$REPLY floor=50
    time_us "${SHAPE[$side.queue]:-250ms}"
    wait_us=$((wait_us + REPLY))
  fi
  # milliseconds first: bits × microseconds would leave 64 bits for a fast line
  REPLY=$(((bits / 1000) * (wait_us / 1000 + 1) / (8 * 512) + 1))
  ((REPLY >= floor)) || REPLY=$floor
  ((REPLY <= 1000000)) || REPLY=1000000
}

# netem_words SIDE: the arguments of `tc … netem`, in the array WORDS.
#
# `tc qdisc change` leaves rate, corruption, reordering and slots as they were when they are not named, so a change (RESET
# holds the keys that some moment of a timeline sets) names them with a value that means "none".
netem_words() {
  local side=$1 key value
  queue_limit "$side"
  WORDS=(limit "$REPLY")
  for key in delay distribution loss duplicate corrupt reorder gap rate slot; do
    value=${SHAPE[$side.$key]:-}
    if [[ ! $value && " ${RESET:-} " == *" $key "* ]]; then
      case $key in
        corrupt | reorder) value=0% ;;
        rate) value=0bit ;;
        slot) value="0us 0us" ;;
      esac
    fi
    # shellcheck disable=SC2206  # the value is a list of words, each of which was matched against a pattern
    [[ ! $value ]] || WORDS+=("$key" $value)
  done
  [[ ! ${SHAPE[$side.ecn]:-} ]] || WORDS+=(ecn)
}
