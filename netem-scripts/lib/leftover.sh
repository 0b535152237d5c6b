# shellcheck shell=bash
# What netem has set up and not yet undone: one file each in the runtime directory, written before the first change and
# removed after the last.  A process that was killed with -9 leaves its file; the next call finds that the process (by number
# and start time) is gone, and undoes the rest.

runtime_dir() { REPLY=${NETEM_RUNTIME_DIR:-/run/clw-netem}; }

# lock: one netem changes things at a time.  unlock before a command is started, which would inherit the lock.
lock() {
  [[ ! ${OPT_DRY_RUN:-} ]] || return 0
  runtime_dir
  (umask 077 && mkdir -p -- "$REPLY") || die "$STATUS_FAILED" "$REPLY: cannot be made; NETEM_RUNTIME_DIR names another place"
  exec {LOCK}>"$REPLY/lock"
  flock -w 30 "$LOCK" || die "$STATUS_FAILED" "another netem has been changing things for 30 s ($REPLY/lock)"
}
unlock() {
  [[ ! ${LOCK:-} ]] || exec {LOCK}>&-
  LOCK=''
}

# process_start PID: its start time in clock ticks since boot, in REPLY; fails when there is no such process.
process_start() {
  local stat
  # a builtin: this is asked often, and a process each time would cost more than the answer
  { IFS= read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  # the name before the last parenthesis may hold anything; the start is the 22nd field of all
  read -ra stat <<<"${stat##*) }"
  REPLY=${stat[19]}
  [[ ${stat[0]} != Z ]]
}

is_alive() { [[ $1 && $2 ]] && process_start "$1" && [[ $REPLY == "$2" ]]; }

# state_write NAME KEY=VALUE…: replaces the whole file at once.
state_write() {
  local name=$1
  shift
  [[ ! ${OPT_DRY_RUN:-} ]] || return 0
  runtime_dir
  printf '%s\n' "$@" >"$REPLY/$name.new"
  mv -f -- "$REPLY/$name.new" "$REPLY/$name.state"
}
state_remove() {
  [[ ! ${OPT_DRY_RUN:-} ]] || return 0
  runtime_dir
  rm -f -- "$REPLY/$1.state"
}

# state_names: every state, one a line.
state_names() {
  local file
  runtime_dir
  set +f
  for file in "$REPLY"/*.state; do
    [[ ! -f $file ]] || { file=${file##*/}; printf '%s\n' "${file%.state}"; }
  done
  set -f
}

# state_read NAME: fills STATE.
declare -gA STATE=()
state_read() {
  local key value
  STATE=()
  runtime_dir
  [[ -f $REPLY/$1.state ]] || return 1
  while IFS='=' read -r key value; do [[ ! $key ]] || STATE[$key]=$value; done <"$REPLY/$1.state"
}

# is_leftover: does STATE belong to a process that is gone?  What plain apply did belongs to nobody and stays.
is_leftover() {
  [[ ${STATE[pid]:-} ]] || return 1
  ! is_alive "${STATE[pid]}" "${STATE[start]:-}"
}

# sweep: undoes what dead processes left, and forgets what vanished with its namespace.
sweep() {
  local name
  [[ ! ${OPT_DRY_RUN:-} ]] || return 0
  for name in $(state_names); do
    state_read "$name" || continue
    if is_leftover; then
      note "process ${STATE[pid]} is gone and left its ${STATE[kind]} behind: removed"
      undo_state "$name"
    elif [[ ${STATE[kind]} == apply && ${STATE[netns]} ]] && ! netns_exists "${STATE[netns]}"; then
      state_remove "$name"
    fi
  done
}

# undo_state NAME: STATE is read already.
undo_state() {
  local netns
  if [[ ${STATE[conductor]:-} ]] && is_alive "${STATE[conductor]}" "${STATE[conductor_start]:-}"; then kill -KILL "${STATE[conductor]}" 2>/dev/null || true; fi
  case ${STATE[kind]} in
    run) for netns in ${STATE[namespaces]}; do netns_remove "$netns"; done ;;
    apply) device_clear "${STATE[netns]}" "${STATE[dev]}" ;;
  esac
  state_remove "$1"
}

# own_netns NETNS: did a netem run make it?
own_netns() {
  local name
  for name in $(state_names); do
    if state_read "$name" && [[ ${STATE[kind]} == run && " ${STATE[namespaces]} " == *" $1 "* ]]; then return 0; fi
  done
  return 1
}

netns_exists() { [[ -e /run/netns/$1 || -e /var/run/netns/$1 ]]; }

# netns_remove NETNS: ends what runs inside, then the namespace; its interfaces and their queues go with it.
netns_remove() {
  local pids
  netns_exists "$1" || return 0
  pids=$(ip netns pids "$1" 2>/dev/null) || pids=''
  # shellcheck disable=SC2086  # process numbers
  [[ ! $pids ]] || end_processes $pids
  ip netns del "$1" 2>/dev/null || say "the namespace $1 could not be removed: ip netns del $1"
  # what was applied to its interfaces went with it
  runtime_dir
  set +f
  rm -f -- "$REPLY/apply-$1-"*.state
  set -f
}

# end_processes PID…: asks, waits up to 5 s, then insists.
end_processes() {
  local pid tries=50 left
  kill -TERM "$@" 2>/dev/null || true
  while ((tries-- > 0)); do
    left=''
    for pid in "$@"; do ! process_start "$pid" || left=1; done
    [[ $left ]] || return 0
    pause 0.1
  done
  kill -KILL "$@" 2>/dev/null || true
}

# pause SECONDS: sleeps without a child process that could be left behind.
pause() {
  [[ ${PAUSE_FD:-} ]] || exec {PAUSE_FD}<> <(:)
  read -r -t "$1" -u "$PAUSE_FD" || true
}
