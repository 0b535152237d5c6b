#!/usr/bin/env bats
# Every profile does to ping what its file promises.  Runs in a guest with sch_netem (tests/run starts it).

setup_file() {
  bats_require_minimum_version 1.5.0
  export NETEM_RUNTIME_DIR=/run/clw-netem
  for kind in steady changing; do "$BATS_TEST_DIRNAME/measure" "$BATS_FILE_TMPDIR/$kind" "$kind"; done
}

# promise PROFILE: its expectations, as variables for judge.awk
promise() {
  awk -F ' *= *' '
    function ms(t) { return t ~ /us$/ ? t / 1000 : t ~ /ms$/ ? t + 0 : t * 1000 }
    $1 == "expect.loss" { loss = $2 / 100 }
    $1 == "expect.mean" { mean = ms($2) }
    $1 == "expect.spread" { spread = ms($2) }
    /gemodel/ { bursty = 1 }
    END { printf "loss=%s mean=%s spread=%s bursty=%d", loss, mean, spread, bursty }' "$BATS_TEST_DIRNAME/../../profiles/$1.conf"
}

# judge KIND PROFILE PART FROM TO [VARIABLE=VALUE…]: against the promise, or against other values
judge() {
  local kind=$1 profile=$2 part=$3 from=$4 to=$5 word
  local -a variables=()
  shift 5
  for word in $(promise "$profile") "$@"; do variables+=(-v "$word"); done
  awk -v name="$profile" -v part="$part" -v from="$from" -v to="$to" -v interval="$(cat "$BATS_FILE_TMPDIR/$kind/$profile.interval")" \
    "${variables[@]}" -f "$BATS_TEST_DIRNAME/judge.awk" "$BATS_FILE_TMPDIR/$kind/$profile.ping" | tee -a "${MEASURED:-/dev/null}" >&3
  return "${PIPESTATUS[0]}"
}

# judge_after N PROFILE [VARIABLE=VALUE…]: what was sent after the timeline's Nth change was complete and before the next
# began, as the events file says; N is 0 for the time before the first.  What is on its way at a change is left out.
judge_after() {
  local n=$1 profile=$2 from to
  shift 2
  read -r from to < <(awk -v n="$n" 'NR == n { from = $2 + 0.1 } NR == n + 1 { to = $1 - 0.5 } END { printf "%.6f %.6f\n", from, to ? to : 1e10 }' \
    "$BATS_FILE_TMPDIR/changing/$profile.events")
  judge changing "$profile" "change $n" "$from" "$to" "$@"
}

@test "a profile that does not change keeps its promise of loss, mean and spread" {
  bad=0 judged=0
  for file in "$BATS_FILE_TMPDIR"/steady/*.ping; do
    judge steady "$(basename "$file" .ping)" whole 0 1e10 || bad=$((bad + 1))
    judged=$((judged + 1))
  done
  [ "$judged" -eq "$(grep -LE '^(at|every) ' "$BATS_TEST_DIRNAME"/../../profiles/*.conf | wc -l)" ]
  [ "$bad" -eq 0 ]
}

@test "IPv6 is shaped like IPv4" {
  for profile in seed-500ms 3g transatlantic; do
    promised=$(promise "$profile" | grep -oE 'mean=[0-9]+')
    measured=$(awk -F/ '/^rtt/ { print int($5) }' "$BATS_FILE_TMPDIR/steady/$profile.ping6")
    echo "$profile: $measured ms, $promised"
    [ "$measured" -ge $((${promised#mean=} * 8 / 10)) ]
    [ "$measured" -le $((${promised#mean=} * 12 / 10 + 5)) ]
  done
}

@test "a TCP transfer arrives whole under every profile, and no faster than the line allows" {
  for file in "$BATS_FILE_TMPDIR"/steady/*.transfer; do
    profile=$(basename "$file" .transfer)
    [ "$profile" != rst-box ] || continue  # it may be reset: behaviour.bats has that
    seconds=$(cat "$file")
    echo "$profile: ${seconds:-nothing} s; $(tail -n 3 "$BATS_FILE_TMPDIR/steady/$profile.log")"
    [ "$(cat "$BATS_FILE_TMPDIR/steady/$profile.status")" -eq 0 ]
    # one round trip to connect, one to ask and be answered; then the bytes at the line's rate
    rate=$(awk -F ' *= *' '$1 == "rate" || $1 == "in.rate" { r = $2; sub("mbit", "", r); print r }' "$BATS_TEST_DIRNAME/../../profiles/$profile.conf")
    awk -v s="$seconds" -v bytes="$(cat "$BATS_FILE_TMPDIR/steady/$profile.bytes")" -v rate="${rate:-100000}" -v promise="$(promise "$profile")" 'BEGIN {
      match(promise, /mean=[0-9.]+/); mean = substr(promise, RSTART + 5, RLENGTH - 5)
      match(promise, /spread=[0-9.]+/); spread = substr(promise, RSTART + 7, RLENGTH - 7)
      least = 2 * (mean - 2 * spread) / 1000
      if (bytes * 8 / rate / 1e6 > least) least = bytes * 8 / rate / 1e6
      exit !(s >= least)
    }'
  done
}

@test "flapping: the base before, nothing during, the base after" {
  judge_after 0 vpn-flap
  judge_after 1 vpn-flap loss=1
  judge_after 2 vpn-flap
}

@test "a tunnel: the open track before, nothing inside, the open track after" {
  judge_after 0 train-tunnel
  judge_after 1 train-tunnel loss=1
  judge_after 2 train-tunnel
}

@test "latency spikes of 5 to 10 s, and the base around them" {
  judge_after 0 seed-spikes
  judge_after 1 seed-spikes mean=7520 spread=693
  judge_after 2 seed-spikes
}

@test "hand-overs: a short gap every 15 s is part of the promised loss" {
  # a gap lasts as long as tc needs for the change on top, which on a busy machine is not nothing: the events file says how long
  # they were; half a round trip more, in which answers on their way were lost
  loss=$(awk 'NR % 2 { begin = $1; end = $2 } NR % 2 == 0 { gaps += ($2 - begin + $1 - end) / 2 + 0.024 } END { print 0.008 + gaps / 61 }' \
    "$BATS_FILE_TMPDIR/changing/sat-leo.events")
  echo "expected with these gaps: $loss"
  awk -v loss="$loss" 'BEGIN { exit !(loss >= 0.018 && loss < 0.1) }'
  judge changing sat-leo whole 0 1e10 loss="$loss"
}

@test "a blackhole one way: what is sent still leaves, nothing comes back" {
  judge_after 0 one-way-blackhole
  judge_after 1 one-way-blackhole loss=1
  log=$(cat "$BATS_FILE_TMPDIR/changing/one-way-blackhole.log")
  echo "$log"
  [[ $log =~ out:\ ([0-9]+)\ packets\ passed,\ ([0-9]+)\ dropped ]]
  [ "${BASH_REMATCH[1]}" -ge 400 ]
  [ "${BASH_REMATCH[2]}" -eq 0 ]
  [[ $log =~ in:\ [0-9]+\ packets\ passed,\ ([0-9]+)\ dropped ]]
  [ "${BASH_REMATCH[1]}" -ge 150 ]
}

@test "a blackhole both ways" {
  judge_after 0 blackhole
  judge_after 1 blackhole loss=1
}

@test "nothing is left of all these runs" {
  [ -z "$(ip netns list)" ]
  [ -z "$(find /run/clw-netem -name '*.state')" ]
}
