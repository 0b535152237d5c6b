#!/usr/bin/env bats
# shellcheck source-path=SCRIPTDIR/.. disable=SC2034,SC2016
# The exact calls, as --dry-run prints them.  Needs neither root nor netem.

setup() {
  bats_require_minimum_version 1.5.0
  cd "$BATS_TEST_DIRNAME/.." || return
  NETEM=$PWD/netem
}

dry() { run --separate-stderr "$NETEM" "$@" --dry-run; }

@test "run builds two namespaces, turns the offloads off before anything is shaped, and takes everything away" {
  run --separate-stderr "$NETEM" run 3g --dry-run -- curl "http://x/?a=b c"
  [ "$status" -eq 0 ]
  [ "${lines[0]}" = "ip netns add netem-0-client" ]
  [ "${lines[1]}" = "ip netns add netem-0-server" ]
  [[ $output == *"netem-0-client ethtool -K eth0 tx off tso off gso off gro off"*"netem-0-client qdisc add"* ]]
  [[ $output == *"ip netns exec netem-0-client curl http://x/\\?a=b\\ c"* ]]
  [ "${lines[-1]}" = "ip netns del netem-0-server" ]
  [[ $output != *" -n  "* ]]
}

@test "the article's command comes out as the article wrote it, plus a limit" {
  dry apply delay 500ms loss 1% --dev eth7 --i-know
  [ "$status" -eq 0 ]
  [[ ${lines[0]} =~ ^tc\ qdisc\ add\ dev\ eth7\ root\ handle\ 4e45:\ netem\ limit\ [0-9]+\ delay\ 500ms\ loss\ 1%$ ]]
  [ "${#lines[@]}" -eq 1 ]
}

@test "a port filter leaves the rest in a band without netem" {
  dry apply loss 100% --port 7777 --dev eth7 --i-know
  [[ ${lines[0]} == *"root handle 4e45: prio bands 2 priomap 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0" ]]
  [[ ${lines[1]} == *"parent 4e45:2 handle 4e46: netem"* ]]
  for match in "protocol ip pref 1 flower ip_proto tcp dst_port 7777" "ip_proto tcp src_port 7777" "ip_proto udp dst_port 7777" \
    "protocol ipv6 pref 5 flower ip_proto tcp dst_port 7777"; do
    [[ $output == *"$match classid 4e45:2"* ]]
  done
  [ "${#lines[@]}" -eq 10 ]
}

@test "an address is matched in its own family only" {
  dry apply loss 1% --address fd00::1 --dev eth7 --i-know
  [[ $output == *"protocol ipv6 pref 1 flower dst_ip fd00::1 classid"* ]]
  [[ $output == *"protocol ipv6 pref 2 flower src_ip fd00::1 classid"* ]]
  [[ $output != *"protocol ip "* ]]
}

@test "direction in goes through an ifb, and both shapes both" {
  dry apply delay 50ms --direction in --dev eth7 --i-know
  [[ $output == *"type ifb"*"qdisc add dev nifb"*"root handle 4e45: netem"*"handle ffff: ingress"*"mirred egress redirect dev nifb"* ]]
  [[ $output != *"dev eth7 root"* ]]
  dry apply delay 50ms --direction both --dev eth7 --i-know
  [[ $output == *"dev eth7 root handle 4e45: netem"*"redirect dev nifb"* ]]
}

@test "a blackhole one way shapes one side only" {
  printf 'blackhole = in\n' >"$BATS_TEST_TMPDIR/p.conf"
  run --separate-stderr "$NETEM" run "$BATS_TEST_TMPDIR/p.conf" --dry-run -- true
  [[ $output == *"netem-0-server qdisc add dev eth0 root handle 4e45: netem limit 1000 loss 100%"* ]]
  [[ $output != *"netem-0-client qdisc"* ]]
}

@test "a timeline prints the calls of its first minute, or of --seconds" {
  run --separate-stderr "$NETEM" run vpn-flap --dry-run -- true
  [[ $output == *"# at 30.000 s"*"qdisc change"*"loss 100%"*"# at 36.000 s"*"# at 60.000 s"* ]]
  [[ $output != *"# at 66"* ]]
  run --separate-stderr "$NETEM" run vpn-flap --seconds 31 --dry-run -- true
  [[ $output != *"# at 36"* ]]
}

@test "resets and idle connections take a middlebox: a bridge, rules printed whole" {
  run --separate-stderr "$NETEM" run rst-box --port 18789 --dry-run -- true
  [[ $output == *"ip netns add netem-0-box"*"link add box type bridge"* ]]
  [[ $output == *"tcp dport { 18789 } tcp flags & (syn | fin | rst | ack) == ack numgen random mod 1000000 < 5000 counter reject with tcp reset"* ]]
  run --separate-stderr "$NETEM" run proxy-idle --dry-run -- true
  [[ $output == *"flags dynamic,timeout; timeout 60s;"*"counter drop"* ]]
  if command -v nft >/dev/null && [ "$(id -u)" = 0 ] && unshare -n nft add table bridge probe 2>/dev/null; then
    sed -n '/^ip netns exec netem-0-box nft/,/^EOF/p' <<<"$output" | sed '1d;$d' | unshare -n nft -c -f -
  fi
  run "$NETEM" apply rst-box --dev eth7 --i-know --dry-run
  [ "$status" -eq 2 ]
  [[ $output == *"only netem run makes one"* ]]
}

@test "a dry run changes nothing, not even the runtime directory" {
  NETEM_RUNTIME_DIR=$BATS_TEST_TMPDIR/none run "$NETEM" run 3g --dry-run -- true
  [ "$status" -eq 0 ]
  [ ! -e "$BATS_TEST_TMPDIR/none" ]
}

@test "the same dry run prints the same twice" {
  one=$("$NETEM" run seed-unstable --port 80 --dry-run -- true)
  two=$("$NETEM" run seed-unstable --port 80 --dry-run -- true)
  [ "$one" = "$two" ]
}
