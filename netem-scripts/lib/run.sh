# shellcheck shell=bash
# netem run: a network made for one command, and taken away with it.

run_command() {
  need_tool ip tc ethtool flock
  [[ ${#COMMAND[@]} -gt 0 || ${OPT_CLIENT:-}${OPT_SERVER:-} ]] || usage_error "run what? … -- COMMAND, or --server CMD and --client CMD"
  [[ ! ${OPT_CLIENT:-} || ${#COMMAND[@]} -eq 0 ]] || usage_error "--client CMD and -- COMMAND are the same: give one"
  [[ ! ${OPT_NETNS:-}${OPT_DEV:-} ]] || usage_error "run makes its own namespaces and interfaces: no --netns, no --dev (apply has them)"
  condition_load "$@"
  [[ ! ${OPT_WAIT:-} ]] || need_tool ss
  [[ ! ${PROFILE[idle]:-} ]] || need_tool nft
  [[ ! ${OPT_CLIENT:-} ]] || COMMAND=(bash -c "$OPT_CLIENT")

  if [[ ${OPT_DRY_RUN:-} ]]; then
    world_names 0
    world_make
    world_shape
    ! has_timeline || print_timeline change_run
    run_print
    return
  fi
  need_root
  trap run_finish EXIT
  trap 'run_interrupted INT 130' INT
  trap 'run_interrupted TERM 143' TERM
  trap 'run_interrupted HUP 129' HUP
  lock
  sweep
  world_names $$
  RUN_NAME=run-$$
  process_start $$
  RUN_START=$REPLY
  RUN_STATE=(kind=run "pid=$$" "start=$RUN_START" "namespaces=$NAMESPACES" "profile=${PROFILE[name]}")
  state_write "$RUN_NAME" "${RUN_STATE[@]}"
  world_make
  world_shape
  unlock
  note "offloads are off on the veth pair; limit and conditions: $(condition_text)"
  run_environment
  run_server
  run_conductor
  run_client
}

run_environment() {
  export NETEM_SERVER=$SERVER_ADDRESS NETEM_SERVER6=$SERVER_ADDRESS6 NETEM_CLIENT=$CLIENT_ADDRESS NETEM_CLIENT6=$CLIENT_ADDRESS6
  export NETEM_NETNS_SERVER=$SERVER_NETNS NETEM_NETNS_CLIENT=$CLIENT_NETNS NETEM_PROFILE=${PROFILE[name]}
}

run_server() {
  local tries=100
  SERVER_PID=''
  [[ ${OPT_SERVER:-} ]] || return 0
  env --default-signal=INT,QUIT ip netns exec "$SERVER_NETNS" bash -c "$OPT_SERVER" </dev/null &
  SERVER_PID=$!
  [[ ${OPT_WAIT:-} ]] || return 0
  until [[ $(ip netns exec "$SERVER_NETNS" ss -Htln "sport = :$OPT_WAIT") ]]; do
    kill -0 "$SERVER_PID" 2>/dev/null || die "$STATUS_FAILED" "the server ended before it listened on port $OPT_WAIT"
    ((tries-- > 0)) || die "$STATUS_FAILED" "nothing listens on the server's port $OPT_WAIT after 10 s"
    pause 0.1
  done
}

run_conductor() {
  CONDUCTOR_PID=''
  has_timeline || return 0
  conduct $$ change_run </dev/null &
  CONDUCTOR_PID=$!
  disown "$CONDUCTOR_PID"  # so that bash says nothing when it is ended
  process_start "$CONDUCTOR_PID" || return 0
  state_write "$RUN_NAME" "${RUN_STATE[@]}" "conductor=$CONDUCTOR_PID" "conductor_start=$REPLY"
}

# run_client: the command, or where there is none the server; its status becomes ours.
#
# In the background, so that a signal to this process is seen at once; with its own input, and with INT and QUIT as they
# were before bash set them to be ignored.
run_client() {
  local status=0
  if [[ ${#COMMAND[@]} -gt 0 ]]; then
    env --default-signal=INT,QUIT ip netns exec "$CLIENT_NETNS" "${COMMAND[@]}" <&0 &
    CLIENT_PID=$!
  else
    CLIENT_PID=$SERVER_PID
  fi
  if [[ ${OPT_SECONDS:-} ]]; then
    (
      pause "$OPT_SECONDS"
      # the number may be another's by then, if this process was killed and its command ended
      ! is_alive $$ "$RUN_START" || kill -TERM "$CLIENT_PID" 2>/dev/null || true
    ) </dev/null >/dev/null 2>&1 &
    ALARM_PID=$!
    disown "$ALARM_PID"
  fi
  wait "$CLIENT_PID" || status=$?
  CLIENT_PID=''
  RUN_STATUS=$status
  exit "$status"
}

# run_interrupted SIGNAL STATUS: passes the signal on and waits for the command to end in its own way.
run_interrupted() {
  trap '' INT TERM HUP
  if [[ ${CLIENT_PID:-} ]]; then
    # the terminal sends INT to everyone in the foreground by itself, and twice means "at once" to many programs
    [[ $1 == INT ]] && in_foreground || kill -"$1" "$CLIENT_PID" 2>/dev/null || true
    local tries=100
    while ((tries-- > 0)) && process_start "$CLIENT_PID"; do pause 0.1; done
  fi
  exit "$2"
}

# in_foreground: is this process group the terminal's?
in_foreground() {
  local stat
  stat=$(<"/proc/$$/stat")
  read -ra stat <<<"${stat##*) }"
  [[ ${stat[2]} == "${stat[5]}" ]]
}

# run_finish: on every way out.
run_finish() {
  local status=$? netns
  trap '' INT TERM HUP
  trap - EXIT
  set +e
  [[ ! ${ALARM_PID:-} ]] || kill "$ALARM_PID" 2>/dev/null
  [[ ! ${CONDUCTOR_PID:-} ]] || kill -KILL "$CONDUCTOR_PID" 2>/dev/null
  [[ ! ${RUN_STATUS+set} ]] || run_counters
  for netns in ${NAMESPACES:-}; do netns_remove "$netns"; done
  [[ ! ${RUN_NAME:-} ]] || state_remove "$RUN_NAME"
  exit "$status"
}

# run_counters: what tc counted, said at the end.
run_counters() {
  local side line
  for side in $TIMELINE_SIDES; do
    while IFS= read -r line; do
      if [[ $line =~ Sent\ ([0-9]+)\ bytes\ ([0-9]+)\ pkt\ \(dropped\ ([0-9]+) ]]; then
        note "$side: ${BASH_REMATCH[2]} packets passed, ${BASH_REMATCH[3]} dropped (tc's counters)"
        break
      fi
    done < <(ask_tc "$(side_netns "$side")" -s qdisc show dev eth0)
  done
}

run_print() {
  [[ ! ${OPT_SERVER:-} ]] || print_call ip netns exec "$SERVER_NETNS" bash -c "$OPT_SERVER"
  [[ ${#COMMAND[@]} -eq 0 ]] || print_call ip netns exec "$CLIENT_NETNS" "${COMMAND[@]}"
  local netns
  for netns in $NAMESPACES; do print_call ip netns del "$netns"; done
}
