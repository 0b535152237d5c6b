#!/usr/bin/env bats
# shellcheck source-path=SCRIPTDIR/.. disable=SC2034,SC2016
# What netem reads: quantities, netem's words, profiles, timelines.  Needs neither root nor netem.

setup() {
  bats_require_minimum_version 1.5.0
  cd "$BATS_TEST_DIRNAME/.." || return
  NETEM=$PWD/netem
}

# parts: the functions of netem in this shell.
parts() {
  # shellcheck source=netem
  . "$NETEM"
  parse_options
  set +f
}

not() { if "$@"; then return 1; fi; }  # bash forgives a failing `! command`

gives() {  # VALUE COMMAND…
  "${@:2}"
  [ "$REPLY" = "$1" ]
}

profile() { cat >"$BATS_TEST_TMPDIR/p.conf"; }

refused() {  # WORDS…: the profile is refused with status 2 and these words
  run "$NETEM" run "$BATS_TEST_TMPDIR/p.conf" --dry-run -- true
  [ "$status" -eq 2 ]
  [[ $output == *"$*"* ]]
}

@test "times are read to the microsecond" {
  parts
  gives 1500000 time_us 1.5s
  gives 250 time_us 0.25ms
  gives 7 time_us 007us
  gives 8090000 time_us 08.09s
  not time_us 5
  not time_us -5ms
  not time_us 1e3ms
}

@test "shares are read to the millionth and end at 100 %" {
  parts
  gives 1 share_ppm 0.0001%
  gives 123000 share_ppm 12.3%
  gives 1000000 share_ppm 100%
  not share_ppm 100.1%
  not share_ppm 5
}

@test "rates are decimal" {
  parts
  gives 1600000 rate_bits 1.6mbit
  gives 2000000000 rate_bits 2Gbit
  not rate_bits 5mbps
}

@test "a word that would execute in arithmetic is refused before arithmetic" {
  parts
  touch_me=$BATS_TEST_TMPDIR/executed
  not time_us "a[\$(touch $touch_me)]s"
  not share_ppm "a[\$(touch $touch_me)]%"
  not is_port "a[\$(touch $touch_me)]"
  run "$NETEM" apply delay "a[\$(touch $touch_me)]ms" --dev x --i-know --dry-run
  [ "$status" -eq 2 ]
  run "$NETEM" apply 3g --port "a[\$(touch $touch_me)]" --dev x --i-know --dry-run
  [ "$status" -eq 2 ]
  run "$NETEM" run 3g --seconds "a[\$(touch $touch_me)]" --dry-run -- true
  [ "$status" -eq 2 ]
  [ ! -e "$touch_me" ]
}

@test "a profile is never executed" {
  touch_me=$BATS_TEST_TMPDIR/executed
  profile <<P
title = \$(touch $touch_me) \`touch $touch_me\` ; touch $touch_me
source = * ? [a-z]
delay = 10ms
P
  run --separate-stderr "$NETEM" run "$BATS_TEST_TMPDIR/p.conf" --dry-run -- true
  [ "$status" -eq 0 ]
  for line in "delay = \$(touch $touch_me)" "loss = 1%; touch $touch_me" "at \$(touch $touch_me) loss 1%" \
    "every a[\$(touch $touch_me)]s for 1s blackhole" "idle = a[\$(touch $touch_me)]s" "expect.mean = a[\$(touch $touch_me)]s" \
    "out.loss[\$(touch $touch_me)] = 1%" "at 1s rst a[\$(touch $touch_me)]%" "limit = a[\$(touch $touch_me)]"; do
    profile <<<"$line"
    refused "p.conf:1:"
  done
  [ ! -e "$touch_me" ]
}

@test "a profile's error names file and line, and what would be right" {
  profile <<'P'
title = x

delay = fast
P
  refused "p.conf:3: delay takes TIME [JITTER [CORRELATION%]]"
  profile <<<'colour = red'
  refused "p.conf:1: unknown key colour"
  profile <<<'loss 5%'
  refused "p.conf:1: 'loss 5%' is neither KEY = VALUE"
  profile <<<'distribution = normal'
  refused "distribution needs a jitter"
  profile <<<'reorder = 25%'
  refused "reorder needs a delay"
  profile <<<'every 5s for 5s blackhole'
  refused "the window must be shorter than the period"
  printf 'title = \033[2J\n' | profile
  refused "p.conf:1: a control character"
}

@test "a huge profile is refused, and one without a last newline is read whole" {
  head -c 70000 /dev/zero | tr '\0' '#' | profile
  refused "larger than 65536 bytes"
  printf 'delay = 10ms\nloss = 1%%' | profile
  run --separate-stderr "$NETEM" run "$BATS_TEST_TMPDIR/p.conf" --dry-run -- true
  [[ $output == *"delay 10ms loss 1%"* ]]
}

@test "a profile's name cannot leave the folder" {
  for name in ../profiles/3g .. "3g.conf/" "" "a b" "-3g"; do
    run "$NETEM" run --dry-run "$name" -- true
    [ "$status" -eq 2 ]
  done
}

@test "out.KEY and in.KEY win over KEY wherever they stand" {
  profile <<'P'
out.delay = 10ms
delay = 20ms
P
  run --separate-stderr "$NETEM" run "$BATS_TEST_TMPDIR/p.conf" --dry-run -- true
  [[ $output == *"netem-0-client qdisc add"*"delay 10ms"* ]]
  [[ $output == *"netem-0-server qdisc add"*"delay 20ms"* ]]
}

@test "every loss model of netem is accepted, and nonsense is not" {
  parts
  check_words loss 1%
  check_words loss random 1% 25%
  check_words loss gemodel 1% 10% 70% 0.1%
  check_words loss state 1% 20%
  not check_words loss gemodel
  not check_words loss 1
  not check_words loss 101%
  check_words slot 20ms 40ms packets 5
  check_words rate 1mbit 20 0 0
  not check_words rate 1mb
}

@test "a keyword given twice is refused, not silently the last" {
  run "$NETEM" apply delay 10ms delay 20ms --dev x --i-know --dry-run
  [ "$status" -eq 2 ]
  [[ $output == *"delay is given twice"* ]]
}

@test "the queue holds what a fast line sends during the delay, and little on a slow line" {
  parts
  profile_from_words delay 500ms
  queue_limit out
  [ "$REPLY" -gt 41000 ]  # 1 Gbit/s for 500 ms in full frames
  profile_from_words delay 100ms rate 1mbit
  queue_limit out
  [ "$REPLY" -ge 50 ]
  [ "$REPLY" -le 200 ]
  profile_from_words delay 1ms
  queue_limit out
  [ "$REPLY" -ge 1000 ]
  profile_from_words delay 1s limit 7
  queue_limit out
  [ "$REPLY" = 7 ]
}

@test "a share is one in N after one in N, exact to a tenth of a per cent" {
  parts
  for share in 0.5% 1% 10% 30% 33.3% 50% 75% 99% 99.9%; do
    share_ppm "$share"
    wanted=$REPLY
    share_steps "$share"
    # shellcheck disable=SC2086
    awk -v wanted="$wanted" 'BEGIN { left = 1; for (i = 1; i < ARGC; i++) left *= 1 - 1 / ARGV[i]; d = (1 - left) * 1e6 - wanted; exit (d < 0 ? -d : d) > 1000 }' $REPLY
  done
}

# held MS: what the timeline holds then, as "out words | in words".
held() {
  timeline_state "$1"
  RESET='' netem_words out
  printf '%s' "${WORDS[*]:2}"
  RESET='' netem_words in
  printf ' | %s' "${WORDS[*]:2}"
}

@test "a timeline holds the base, then at lines, and over them the open windows" {
  parts
  profile <<'P'
delay = 10ms
at 60s clear
at 30s loss 5%
every 20s for 5s blackhole in
P
  profile_load "$BATS_TEST_TMPDIR/p.conf"
  [ "$(held 0)" = "delay 10ms | delay 10ms" ]
  [ "$(held 19999)" = "delay 10ms | delay 10ms" ]
  [ "$(held 20000)" = "delay 10ms | delay 10ms loss 100%" ]
  [ "$(held 24999)" = "delay 10ms | delay 10ms loss 100%" ]
  [ "$(held 25000)" = "delay 10ms | delay 10ms" ]
  [ "$(held 30000)" = "delay 10ms loss 5% | delay 10ms loss 5%" ]
  [ "$(held 41000)" = "delay 10ms loss 5% | delay 10ms loss 100%" ]
  [ "$(held 60000)" = " | loss 100%" ]
  [ "$(held 66000)" = " | " ]
}

@test "a timeline's moments come in order and never stand still" {
  parts
  profile <<'P'
delay = 10ms
at 7s loss 1%
every 4s for 1s blackhole
every 6s for 2s delay 1s
P
  profile_load "$BATS_TEST_TMPDIR/p.conf"
  now=0 moments=''
  while timeline_next "$now" && [ "$REPLY" -le 16000 ]; do now=$REPLY moments+=" $now"; done
  [ "$moments" = " 4000 5000 6000 7000 8000 9000 12000 13000 14000 16000" ]
}

@test "a change names the options that another moment sets, since tc would keep them" {
  parts
  profile <<'P'
delay = 10ms
at 1s rate 1mbit corrupt 1%
at 2s clear
P
  profile_load "$BATS_TEST_TMPDIR/p.conf"
  timeline_state 2000
  netem_words out
  [[ "${WORDS[*]}" == *"corrupt 0%"* ]]
  [[ "${WORDS[*]}" == *"rate 0bit"* ]]
}

@test "every profile that we ship says what it is, where its numbers are from, and what ping will see" {
  for file in profiles/*.conf; do
    for key in title source expect.loss expect.mean expect.spread; do grep -q "^$key = ." "$file" || { echo "$file: no $key"; return 1; }; done
    run --separate-stderr "$NETEM" run "$(basename "$file" .conf)" --dry-run -- true
    [ "$status" -eq 0 ]
  done
}

@test "list shows every profile" {
  run --separate-stderr "$NETEM" list
  [ "$status" -eq 0 ]
  [ "${#lines[@]}" -eq $(($(find profiles -name '*.conf' | wc -l) + 1)) ]
}
