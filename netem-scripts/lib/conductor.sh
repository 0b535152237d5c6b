# shellcheck shell=bash
# Plays a timeline: a process beside the command that changes the conditions when their moment comes.

# conduct PARENT CHANGE: calls CHANGE whenever something else holds than before, until PARENT is gone.
conduct() {
  local parent=$1 change=$2 parent_start origin now next event_begin event_end
  process_start "$parent" || return 0
  parent_start=$REPLY
  now_ms
  origin=$REPLY now=0
  while timeline_next "$now"; do
    next=$REPLY
    timeline_state "$next"  # worked out beforehand: what is left for the moment itself is to call tc
    while now_ms && now=$((REPLY - origin)) && ((now < next)); do
      # in pieces, so that a killed parent is noticed
      wait_ms $((next - now < 500 ? next - now : 500))
      is_alive "$parent" "$parent_start" || return 0
    done
    now=$next
    event_begin=$EPOCHREALTIME
    "$change"
    event_end=$EPOCHREALTIME
    note "$(((now + 500) / 1000)) s: $(condition_text)"
    [[ ! ${OPT_EVENTS:-} ]] || printf '%s %s %s %s\n' "$event_begin" "$event_end" "$now" "$(condition_text)" >>"$OPT_EVENTS"
  done
}

# now_ms: the time in milliseconds, in REPLY.
now_ms() {
  REPLY=${EPOCHREALTIME/[.,]/}
  REPLY=$((REPLY / 1000))
}

wait_ms() {
  local seconds
  printf -v seconds '%d.%03d' $(($1 / 1000)) $(($1 % 1000))
  pause "$seconds"
}

# condition_text: what SHAPE says now, in words.
condition_text() {
  local side text='' words=''
  for side in $TIMELINE_SIDES; do
    netem_words "$side"
    text="${WORDS[*]:2}"
    words+="${words:+; }$side ${text:-untouched}"
  done
  [[ ! ${RST_NOW:-} ]] || words+="${words:+; }resets $RST_NOW"
  printf '%s' "${words:-untouched}"
}

# change_run: the conductor's change inside a run.
change_run() {
  local side
  for side in $TIMELINE_SIDES; do
    netem_words "$side"
    change_egress "$(side_netns "$side")" eth0
  done
  [[ ! ${TIMELINE_RST:-} || ${LAST_RST-none yet} == "$RST_NOW" ]] || box_resets "$RST_NOW"
  LAST_RST=$RST_NOW
}

# change_device: the same for apply, on OPT_NETNS and OPT_DEV.
change_device() {
  local side dev
  for side in $TIMELINE_SIDES; do
    netem_words "$side"
    dev=$OPT_DEV
    if [[ $side == in ]]; then
      mirror_name "$OPT_NETNS" "$OPT_DEV"
      dev=$REPLY
    fi
    change_egress "$OPT_NETNS" "$dev"
  done
}

# print_timeline CHANGE: what --dry-run shows of it: the calls of the first --seconds, or of the first minute.
print_timeline() {
  local now=0 until=$((${OPT_SECONDS:-60} * 1000))
  while timeline_next "$now" && ((REPLY <= until)); do
    now=$REPLY
    timeline_state "$now"
    printf '# at %d.%03d s\n' $((now / 1000)) $((now % 1000))
    "$1"
  done
  base_again
}
