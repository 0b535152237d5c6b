#!/usr/bin/env bats
# shellcheck source-path=SCRIPTDIR/.. disable=SC2034,SC2016
# Arguments, messages and exit statuses.  Needs neither root nor netem.

setup() {
  bats_require_minimum_version 1.5.0
  cd "$BATS_TEST_DIRNAME/.." || return
  NETEM=$PWD/netem
  export NETEM_RUNTIME_DIR=$BATS_TEST_TMPDIR/runtime
}

not() { if "$@"; then return 1; fi; }  # bash forgives a failing `! command`

usage() {  # WORDS -- ARGUMENTS: status 2, these words, nothing on standard output
  local words=$1
  shift 2
  run --separate-stderr "$NETEM" "$@"
  [ "$status" -eq 2 ]
  [ -z "$output" ]
  # shellcheck disable=SC2154  # bats sets it
  [[ $stderr == *"$words"* ]]
}

# as_nobody ARGUMENTS: netem without root, from a place that everybody can read.
as_nobody() {
  if [ "$(id -u)" = 0 ]; then
    cp -r "$BATS_TEST_DIRNAME/../netem" "$BATS_TEST_DIRNAME/../lib" "$BATS_TEST_DIRNAME/../profiles" "$BATS_TEST_TMPDIR/"
    chmod -R a+rX "$BATS_TEST_TMPDIR"
    (umask 022; chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR" "$(dirname "$BATS_TEST_TMPDIR")")
    setpriv --reuid 65534 --regid 65534 --clear-groups "$BATS_TEST_TMPDIR/netem" "$@"
  else
    "$NETEM" "$@"
  fi
}

@test "help lists every option that is parsed, and every exit status" {
  run --separate-stderr "$NETEM" --help
  [ "$status" -eq 0 ]
  while read -r option; do
    [[ $output == *"$option"* ]] || { echo "$option"; return 1; }
  done < <(grep -oE -- '--[a-z][a-z-]+' lib/options.sh | sort -u)
  for number in 1 2 3 4 5 6; do [[ $output == *" $number "* ]]; done
}

@test "version" {
  run --separate-stderr "$NETEM" --version
  [ "$output" = "netem 0.1.0" ]
}

@test "usage errors have status 2 and say what is right" {
  usage "Usage:" --
  usage "no command 'frobnicate'" -- frobnicate
  usage "unknown option --frob" -- list --frob
  usage "--port takes a number from 1 to 65535" -- run 3g --port 70000 -- true
  usage "--direction takes out, in or both" -- run 3g --direction up -- true
  usage "no profile '4g'" -- run 4g -- true
  usage "run what?" -- run 3g
  usage "-- needs a command" -- run 3g --
  usage "only run takes" -- apply 3g -- true
  usage "run makes its own namespaces" -- run 3g --dev eth0 -- true
  usage "give one" -- run 3g --client true -- true
  usage "--netns needs a value" -- show --netns
  usage "a profile stands alone" -- run 3g lte -- true
  usage "loss takes P%" -- apply loss 5% 5% 5%
  printf 'out.loss = 1%%\n' >"$BATS_TEST_TMPDIR/p.conf"
  usage "does nothing in the direction in" -- apply "$BATS_TEST_TMPDIR/p.conf" --direction in --dev x --i-know --dry-run
}

@test "the host's interfaces are left alone unless told so twice" {
  usage "takes both --dev IF and --i-know" -- apply 3g --dev eth0 --dry-run
  usage "takes both --dev IF and --i-know" -- apply 3g --i-know --dry-run
  usage "takes both --dev IF and --i-know" -- apply 3g --netns somebodys --dry-run
}

@test "without root: status 3, and what works without" {
  run --separate-stderr as_nobody run 3g -- true
  [ "$status" -eq 3 ]
  [[ $stderr == *"sudo"*"--dry-run"* ]]
  run --separate-stderr as_nobody apply 3g --dev lo --i-know
  [ "$status" -eq 3 ]
  run --separate-stderr as_nobody run 3g --dry-run -- true
  [ "$status" -eq 0 ]
}

@test "a missing tool: status 4, and its package" {
  mkdir "$BATS_TEST_TMPDIR/bin"
  for tool in bash dirname readlink stat sort ip; do ln -s "$(command -v "$tool")" "$BATS_TEST_TMPDIR/bin/"; done
  run --separate-stderr env PATH="$BATS_TEST_TMPDIR/bin" "$NETEM" apply 3g --dev lo --i-know
  [ "$status" -eq 4 ]
  [[ $stderr == *"tc is missing: apt-get install iproute2"* ]]
}

@test "an error of tc is shown in tc's words, with what the kernel lacks by name" {
  # shellcheck source=netem
  . "$NETEM"
  explain "Error: Specified qdisc kind is unknown." tc qdisc add dev x root handle 4e45: netem limit 1000
  [ "$EXPLAINED" = 5 ]
  [[ $REPLY == *"sch_netem (CONFIG_NET_SCH_NETEM)"*"linux-modules-extra"*"netem-vm.sh"* ]]
  explain "Error: Unknown device type." ip link add nifb3 type ifb
  [[ $REPLY == *"no ifb (CONFIG_IFB)"* ]]
  explain "Error: Exclusivity flag on, cannot modify." tc qdisc add dev x root handle 4e45: netem limit 9
  [ "$EXPLAINED" = 6 ]
  not explain "something else" tc qdisc add
}

@test "a process that is gone is told from one that got its number again" {
  # shellcheck source=netem
  . "$NETEM"
  process_start $$
  is_alive $$ "$REPLY"
  not is_alive $$ 1
  not is_alive 999999999 1
  not is_alive '' ''
  STATE=([pid]=$$ [start]=1)
  is_leftover
  STATE=([kind]=apply)
  not is_leftover
}

@test "a state file that somebody filled with nonsense harms nothing" {
  # shellcheck source=netem
  . "$NETEM"
  mkdir -p "$NETEM_RUNTIME_DIR"
  printf 'kind=$(touch %s)\npid=x y\nnoise\n=\n' "$BATS_TEST_TMPDIR/executed" >"$NETEM_RUNTIME_DIR/odd.state"
  parse_options
  [ "$(state_names)" = odd ]
  state_read odd
  is_leftover
  [ ! -e "$BATS_TEST_TMPDIR/executed" ]
}

@test "what died is undone: its namespaces, its file; what lives is left" {
  # shellcheck source=netem
  . "$NETEM"
  parse_options
  mkdir -p "$NETEM_RUNTIME_DIR"
  undone=''
  netns_remove() { undone+=" $1"; }
  process_start $$
  state_write run-1 kind=run pid=$$ "start=$REPLY" "namespaces=alive-c alive-s"
  state_write run-2 kind=run pid=999999999 start=5 "namespaces=dead-c dead-s"
  sweep
  [ "$undone" = " dead-c dead-s" ]
  [ "$(state_names)" = run-1 ]
}
