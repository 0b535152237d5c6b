# shellcheck shell=bash
# netem apply and clear: an interface that is there already.

# choose_device: fills OPT_DEV, and refuses what was not allowed.
choose_device() {
  local line
  OPT_NETNS=${OPT_NETNS:-}
  if [[ $OPT_NETNS && ! ${OPT_DRY_RUN:-} ]]; then
    netns_exists "$OPT_NETNS" || die "$STATUS_FAILED" "there is no namespace $OPT_NETNS: ip netns list shows them"
  fi
  if [[ ! $OPT_NETNS ]] || ! own_netns "$OPT_NETNS"; then
    [[ ${OPT_DEV:-} && ${OPT_I_KNOW:-} ]] ||
      usage_error "${OPT_NETNS:-the host} was not made by netem run: shaping an interface there can cut you off, so it takes both --dev IF and --i-know"
  fi
  if [[ ! ${OPT_DEV:-} ]]; then
    while IFS= read -r line; do
      line=${line#*: }
      line=${line%%[@:]*}
      [[ $line == lo || $line == nifb* ]] || { [[ ! ${OPT_DEV:-} ]] || usage_error "more than one interface in $OPT_NETNS: --dev says which"; OPT_DEV=$line; }
    done < <(ip -n "$OPT_NETNS" -o link show)
    [[ ${OPT_DEV:-} ]] || die "$STATUS_FAILED" "no interface in $OPT_NETNS"
  elif [[ ! ${OPT_DRY_RUN:-} ]]; then
    ip ${OPT_NETNS:+-n "$OPT_NETNS"} link show dev "$OPT_DEV" >/dev/null 2>&1 ||
      die "$STATUS_FAILED" "there is no interface $OPT_DEV in ${OPT_NETNS:-the host}: ip ${OPT_NETNS:+-n $OPT_NETNS }link shows them"
  fi
  APPLY_NAME=apply-${OPT_NETNS:-host}-$OPT_DEV
}

apply_command() {
  need_tool ip tc flock
  condition_load "$@"
  ! needs_box || usage_error "'${PROFILE[name]}' sends resets or forgets idle connections, which takes a middlebox: only netem run makes one"
  [[ $TIMELINE_SIDES ]] || usage_error "'${PROFILE[name]}' does nothing in the direction ${PROFILE[direction]}"
  [[ ${OPT_DRY_RUN:-} ]] || need_root
  choose_device
  if [[ ${OPT_DRY_RUN:-} ]]; then
    device_apply "$OPT_NETNS" "$OPT_DEV"
    ! has_timeline || print_timeline change_device
    return
  fi
  lock
  sweep
  APPLYING=''
  trap apply_failed EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  local -a state=(kind=apply "netns=$OPT_NETNS" "dev=$OPT_DEV" "profile=${PROFILE[name]}")
  check_foreign
  APPLYING=1
  # until it stands it belongs to this process: half of it would be a leftover
  process_start $$
  state_write "$APPLY_NAME" "${state[@]}" "pid=$$" "start=$REPLY"
  device_apply "$OPT_NETNS" "$OPT_DEV"
  warn_offloads
  has_end || state_write "$APPLY_NAME" "${state[@]}"
  unlock
  note "$OPT_DEV in ${OPT_NETNS:-the host}: $(condition_text)"
  if has_end; then
    note "holding until ${OPT_SECONDS:+$OPT_SECONDS s are over, or }Ctrl-C; then it is taken away"
    apply_hold
  fi
  APPLYING=''
}

# has_end: is somebody needed to change or to end it?
has_end() { has_timeline || [[ ${OPT_SECONDS:-} ]]; }

# check_foreign: before anything is written down, so that a refused apply leaves no trace.
check_foreign() {
  refuse_foreign root_owner "$OPT_NETNS" "$OPT_DEV" root
  refuse_foreign ingress_owner "$OPT_NETNS" "$OPT_DEV" ingress
}

# apply_hold: conditions with an end stay in the foreground, so that somebody is there to end them.
apply_hold() {
  local until_ms=''
  now_ms
  [[ ! ${OPT_SECONDS:-} ]] || until_ms=$((REPLY + OPT_SECONDS * 1000))
  if has_timeline; then
    conduct $$ change_device &
    CONDUCTOR_PID=$!
    disown "$CONDUCTOR_PID"  # so that bash says nothing when it is ended
  fi
  while now_ms && [[ ! $until_ms || $REPLY -lt $until_ms ]]; do pause 0.2; done
  exit 0
}

# apply_failed: rolls back on every way out but success.
apply_failed() {
  local status=$?
  trap '' INT TERM HUP
  trap - EXIT
  [[ ! ${CONDUCTOR_PID:-} ]] || kill -KILL "$CONDUCTOR_PID" 2>/dev/null || true
  if [[ $APPLYING ]]; then
    device_clear "$OPT_NETNS" "$OPT_DEV" || true
    state_remove "$APPLY_NAME"
    [[ ! $CLEARED ]] || note "$OPT_DEV is as it was before"
  fi
  exit "$status"
}

warn_offloads() {
  local on
  command -v ethtool >/dev/null || return 0
  on=$({ if [[ $OPT_NETNS ]]; then ip netns exec "$OPT_NETNS" ethtool -k "$OPT_DEV"; else ethtool -k "$OPT_DEV"; fi; } 2>/dev/null |
    grep -cE '^(tcp-segmentation-offload|generic-segmentation-offload|generic-receive-offload): on') || true
  [[ ! $on || $on == 0 ]] ||
    note "offloads are on: loss will hit packets of up to 64 KiB, not those on the wire; ethtool -K $OPT_DEV tso off gso off gro off changes that"
}

clear_command() {
  local name count=0
  [[ $# == 0 ]] || usage_error "clear takes no words, only --netns and --dev"
  need_tool ip tc flock
  [[ ${OPT_DRY_RUN:-} ]] || need_root
  if [[ ${OPT_NETNS:-}${OPT_DEV:-} ]]; then
    clear_one
    return
  fi
  lock
  sweep
  for name in $(state_names); do
    state_read "$name"
    [[ ${STATE[kind]} == apply ]] || continue
    device_clear "${STATE[netns]}" "${STATE[dev]}"
    state_remove "$name"
    count=$((count + 1))
  done
  note "$count interfaces cleared"
}

clear_one() {
  OPT_NETNS=${OPT_NETNS:-}
  if [[ ! ${OPT_DEV:-} ]] || ! state_read "apply-${OPT_NETNS:-host}-$OPT_DEV"; then choose_device; fi
  APPLY_NAME=apply-${OPT_NETNS:-host}-$OPT_DEV
  lock
  sweep
  check_foreign
  device_clear "$OPT_NETNS" "$OPT_DEV"
  state_remove "$APPLY_NAME"
  if [[ $CLEARED ]]; then note "$OPT_DEV cleared"; else note "$OPT_DEV: nothing of ours was there"; fi
}
