#!/usr/bin/env bats
# What netem does to traffic and what it leaves behind.  Runs in a guest with sch_netem (tests/run starts it).
# shellcheck disable=SC2016  # programs for an inner shell

setup_file() {
  bats_require_minimum_version 1.5.0
  export NETEM=$BATS_TEST_DIRNAME/../../netem TRANSFER=$BATS_TEST_DIRNAME/transfer.py
  export NETEM_RUNTIME_DIR=/run/clw-netem
  mkdir -p "$NETEM_RUNTIME_DIR"
}

setup() { before=$(host); }

# Whatever a test did, the host's interfaces, queues and namespaces are as they were.
teardown() {
  [ "$(host)" = "$before" ] || { echo "left behind:"; diff <(echo "$before") <(host); }
  [ "$(host)" = "$before" ]
}

host() { ip -o link | cut -d ' ' -f 2 | grep -v '^d[0-9]:'; tc qdisc show | grep -v 'dev d[0-9]'; ip netns list; find "$NETEM_RUNTIME_DIR" -name '*.state' 2>/dev/null; }

profile() { cat >"$BATS_TEST_TMPDIR/p.conf"; }
P() { printf '%s' "$BATS_TEST_TMPDIR/p.conf"; }

# until_true COMMAND…: waits for a condition, at most 20 s
until_true() {
  local tries=200
  until "$@"; do
    ((tries-- > 0)) || { echo "never true: $*"; return 1; }
    read -r -t 0.1 <> <(:) || true
  done
}

# dummy: an interface of the "host" to apply to, where nothing can be cut off
dummy() { ip link add "$1" type dummy && ip link set "$1" up; }

# in_background COMMAND…: a running netem, its number in PID, its words in $BATS_TEST_TMPDIR/log
in_background() {
  # INT as a shell's foreground job would have it
  env --default-signal=INT,QUIT "$@" >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- </dev/null &
  PID=$!
}

# inside NAME: does a process with this word in its command line run in the client's namespace of PID?
inside() {
  local pid
  for pid in $(ip netns pids "netem-$PID-client" 2>/dev/null); do
    if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q "$1"; then return 0; fi
  done
  return 1
}

@test "the command's own status, its input and its output come through" {
  run --separate-stderr "$NETEM" -q run clean -- sh -c 'exit 42'
  [ "$status" -eq 42 ]
  [ "$(echo through | "$NETEM" -q run clean -- cat)" = through ]
  run --separate-stderr "$NETEM" -q run clean -- no-such-command
  [ "$status" -ne 0 ]
}

@test "offloads are off: what netem sees is wire packets" {
  profile <<<'delay = 1ms'
  run "$NETEM" run "$(P)" --server "exec $TRANSFER serve 7000" --wait 7000 -- sh -c 'ethtool -k eth0 | grep -E "^(tcp-seg|generic-seg|generic-rec|tx-checksumming)"; '"$TRANSFER"' fetch $NETEM_SERVER 7000 1000000'
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output != *": on"* ]]
  [[ $output =~ in:\ ([0-9]+)\ packets ]]
  [ "${BASH_REMATCH[1]}" -ge 690 ]  # 1 000 000 bytes in segments of at most 1448
}

@test "half a second of delay needs no more than its own queue: nothing is dropped" {
  profile <<<'delay = 500ms'
  run "$NETEM" run "$(P)" --server "exec $TRANSFER serve 7000" --wait 7000 -- sh -c "$TRANSFER"' fetch $NETEM_SERVER 7000 1000000'
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output =~ in:\ [0-9]+\ packets\ passed,\ 0\ dropped ]]
}

@test "a port filter cuts that port, and nothing else" {
  profile <<<'loss = 100%'
  run "$NETEM" run "$(P)" --port 7777 --server "$TRANSFER serve 7777 & exec $TRANSFER serve 7778" --wait 7778 -- sh -c '
    for a in $NETEM_SERVER $NETEM_SERVER6; do
      '"$TRANSFER"' fetch $a 7778 10000 5 && echo open || echo closed
      '"$TRANSFER"' fetch $a 7777 10000 2 2>/dev/null && echo open || echo closed
      ping -q -c 3 -i 0.1 $a | grep " 0% packet loss"
    done'
  echo "$output"
  [ "$(grep -cE '^(open|closed)$' <<<"$output")" -eq 4 ]
  [ "$(grep -E '^(open|closed)$' <<<"$output" | tr '\n' ' ')" = "open closed open closed " ]
  [ "$(grep -c ' 0% packet loss' <<<"$output")" -eq 2 ]
}

@test "a share of the traffic: 30 % to 4 standard errors" {
  profile <<<'out.loss = 100%'
  run "$NETEM" run "$(P)" --share 30% -- sh -c 'ping -q -i 0.002 -c 1000 $NETEM_SERVER'
  echo "$output"
  [[ $output =~ ([0-9.]+)%\ packet\ loss ]]
  awk -v p="${BASH_REMATCH[1]}" 'BEGIN { exit !(p > 30 - 5.8 && p < 30 + 5.8) }'
}

@test "apply shapes what comes in through an ifb, IPv4 and IPv6, and clear takes all of it away" {
  "$NETEM" -q run clean --server 'sleep 100' -- bash -c '
    netem=$1
    delay() { ping -q -c 5 -i 0.05 $1 | awk -F/ "/^rtt/ { print int(\$5) }"; }
    $netem -q apply delay 40ms --netns $NETEM_NETNS_CLIENT --direction in
    echo "in $(delay $NETEM_SERVER) $(delay $NETEM_SERVER6)"
    $netem -q apply delay 30ms --netns $NETEM_NETNS_CLIENT --direction both
    echo "both $(delay $NETEM_SERVER)"
    $netem show --json | python3 -m json.tool >/dev/null && echo json
    $netem -q clear --netns $NETEM_NETNS_CLIENT
    echo "clear $(delay $NETEM_SERVER)"
    ip -n $NETEM_NETNS_CLIENT link | grep -c nifb || true
  ' - "$NETEM" >"$BATS_TEST_TMPDIR/out"
  cat "$BATS_TEST_TMPDIR/out"
  read -r _ v4 v6 <"$BATS_TEST_TMPDIR/out"
  [ "$v4" -ge 40 ] && [ "$v4" -le 48 ]
  [ "$v6" -ge 40 ] && [ "$v6" -le 48 ]
  [ "$(sed -n 's/both //p' "$BATS_TEST_TMPDIR/out")" -ge 60 ]
  grep -qx json "$BATS_TEST_TMPDIR/out"
  [ "$(sed -n 's/clear //p' "$BATS_TEST_TMPDIR/out")" -le 8 ]
  [ "$(tail -n 1 "$BATS_TEST_TMPDIR/out")" = 0 ]
}

@test "apply twice is apply once, and another apply replaces it whole" {
  dummy d1
  "$NETEM" -q apply 3g --dev d1 --i-know
  once=$(tc qdisc show dev d1)
  "$NETEM" -q apply 3g --dev d1 --i-know
  [ "$(tc qdisc show dev d1)" = "$once" ]
  "$NETEM" -q apply loss 5% --port 80 --dev d1 --i-know
  run tc qdisc show dev d1
  [[ $output == *"netem 4e46:"*"loss 5%"* ]]
  [[ $output != *rate* && $output != *ingress* ]]
  "$NETEM" -q clear
  run tc qdisc show dev d1
  [[ $output != *netem* && $output != *prio* ]]
  ip link del d1
}

@test "what somebody took away is not called set up: show says so, apply sets it up again, clear has nothing to do" {
  dummy d3
  "$NETEM" -q apply delay 40ms --dev d3 --i-know
  tc qdisc del dev d3 root
  run "$NETEM" show
  [ "$status" -eq 0 ]
  [[ $output == *"d3: delay 40ms was applied and is gone"* ]]
  "$NETEM" -q apply delay 50ms --dev d3 --i-know
  [[ $(tc qdisc show dev d3) == *"netem"*"delay 50ms"* ]]
  tc qdisc del dev d3 root
  run "$NETEM" -q clear
  echo "$output"
  [ "$status" -eq 0 ]
  # and where the interface itself is gone
  "$NETEM" -q apply delay 40ms --dev d3 --i-know
  ip link del d3
  run "$NETEM" -q clear
  echo "$output"
  [ "$status" -eq 0 ]
  run "$NETEM" doctor
  [[ $output == *"Nothing is shaped, nothing is left over."* ]]
}

# pings CONDITION COUNT SECONDS-BETWEEN: what ping saw under it
pings() {
  profile <<<"$1"
  "$NETEM" -q run "$(P)" -- ping -n -i "$3" -c "$2" 10.78.69.2 || true
}

# within WHAT NUMBER LOW HIGH
within() {
  echo "# $1: $2 (from $3 to $4)" >&3
  awk -v n="$2" -v low="$3" -v high="$4" 'BEGIN { exit !(n >= low && n <= high) }'
}

@test "duplicate, corrupt, reorder and slot do what they are called, to 4 standard errors" {
  run pings 'out.duplicate = 20%' 500 0.004
  [[ $output =~ \+([0-9]+)\ duplicates ]]
  within duplicates "${BASH_REMATCH[1]}" 64 136
  # one changed bit in 17 is in the sender's hardware address, which nobody looks at
  run pings 'out.corrupt = 20%' 1000 0.004
  [[ $output =~ ([0-9.]+)%\ packet\ loss ]]
  within "% corrupted" "${BASH_REMATCH[1]}" 13 25.1
  run pings $'out.delay = 40ms\nout.reorder = 25%' 400 0.004
  within "of 400 overtook" "$(grep -oE 'time=[0-9.]+' <<<"$output" | awk -F= '$2 < 20 { n++ } END { print n + 0 }')" 65 135
  run pings 'out.slot = 100ms 100ms' 200 0.01
  [[ $output =~ =\ ([0-9.]+)/([0-9.]+)/([0-9.]+)/ ]]
  within "ms in the middle of a slot of 100 ms" "${BASH_REMATCH[2]}" 35 70
}

@test "somebody else's root or ingress is refused with status 6, and stays" {
  dummy d2
  tc qdisc add dev d2 root handle 7: prio
  run "$NETEM" apply 3g --dev d2 --i-know
  [ "$status" -eq 6 ]
  [[ $output == *"not ours (prio 7:)"* ]]
  run "$NETEM" clear --dev d2 --i-know
  [ "$status" -eq 6 ]
  [[ $(tc qdisc show dev d2) == *"prio 7:"* ]]
  tc qdisc del dev d2 root
  tc qdisc add dev d2 clsact
  run "$NETEM" apply 3g --dev d2 --i-know
  [ "$status" -eq 6 ]
  [[ $(tc qdisc show dev d2) == *clsact* && $(tc qdisc show dev d2) != *netem* ]]
  ip link del d2
}

@test "resets come from the box: the client sees one, with a TTL that no host uses" {
  profile <<'C'
delay = 5ms
rst = 100%
C
  run "$NETEM" run "$(P)" --port 7000 --server "exec $TRANSFER serve 7000" --wait 7000 -- python3 -c '
import os, socket
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
raw.settimeout(5)
try:
    with socket.create_connection((os.environ["NETEM_SERVER"], 7000), 5) as c:
        c.sendall(b"1000\n")
        print("got", len(c.recv(1000)))
except ConnectionResetError:
    print("reset")
while True:
    packet = raw.recv(2000)
    if packet[33] & 4:
        print("ttl", packet[8])
        break
'
  echo "$output"
  [[ $output == *reset*"ttl 61"* ]]
  profile <<<'rst = 100%'
  run "$NETEM" -q run "$(P)" --port 7001 --server "exec $TRANSFER serve 7000" --wait 7000 -- sh -c "$TRANSFER"' fetch $NETEM_SERVER 7000 100000 5'
  [ "$status" -eq 0 ]
}

@test "one segment in 20 is reset, to 4 standard errors" {
  profile <<<'rst = 5%'
  run "$NETEM" -q run "$(P)" --server 'exec python3 -c "
import socket
s = socket.create_server((\"\", 7000))
while True:
    c, _ = s.accept()
    try:
        while c.recv(1): c.sendall(b\"y\")
    except OSError: pass
"' --wait 7000 -- python3 -c '
import os, socket
resets, exchanges, c = 0, 0, None
while exchanges < 1000:
    try:
        if c is None:
            c = socket.create_connection((os.environ["NETEM_SERVER"], 7000), 10)
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        exchanges += 1
        c.sendall(b"x")
        c.recv(1)
    except ConnectionResetError:
        resets, c = resets + 1, None
print("resets", resets)
'
  echo "$output"
  [[ $output =~ resets\ ([0-9]+) ]]
  # every exchange is one segment of the server: 50 expected, give or take 4 x 6.9
  [ "${BASH_REMATCH[1]}" -ge 23 ]
  [ "${BASH_REMATCH[1]}" -le 77 ]
}

@test "an idle connection is forgotten, one with heartbeats is not" {
  profile <<<'idle = 2s'
  run "$NETEM" run "$(P)" --server 'exec python3 -c "
import socket, threading
def echo(c):
    while (b := c.recv(10)): c.sendall(b)
s = socket.create_server((\"::\", 7000), family=socket.AF_INET6, dualstack_ipv6=True)
while True: threading.Thread(target=echo, args=(s.accept()[0],), daemon=True).start()
"' --wait 7000 -- python3 -c '
import os, socket, time
def ask(c):
    try:
        c.sendall(b"x")
        return len(c.recv(10)) == 1
    except TimeoutError:
        return False
for a in os.environ["NETEM_SERVER"], os.environ["NETEM_SERVER6"]:
    busy, idle = (socket.create_connection((a, 7000), 1.5) for _ in range(2))
    first = ask(busy), ask(idle)
    beats = []
    for _ in range(5):
        time.sleep(0.8)
        beats.append(ask(busy))
    print(first == (True, True), all(beats), ask(idle))
'
  echo "$output"
  [ "$(grep -c 'True True False' <<<"$output")" -eq 2 ]
}

@test "a change leaves nothing of the condition before: rate and corruption end" {
  profile <<'C'
delay = 10ms
at 1s rate 50kbit corrupt 5%
at 3s clear
C
  run "$NETEM" run "$(P)" -- bash -c '
    ask() { tc qdisc show dev eth0; }
    until_seen() { for _ in $(seq 150); do if ask | grep -q "$1"; then return; fi; read -r -t 0.1 <> <(:) || true; done; return 1; }
    until_seen rate && until_seen "corrupt 5%" && until [[ $(ask) != *rate* ]]; do read -r -t 0.1 <> <(:) || true; done
    ask'
  echo "$output"
  [[ $output == *"netem 4e45:"* ]]
  last=$(grep 'qdisc netem' <<<"$output" | tail -n 1)
  [[ $last != *rate* && $last != *corrupt* && $last != *delay* ]]
}

@test "kill -9 in the middle of a run: doctor says so, the next call removes everything" {
  in_background "$NETEM" run vpn-flap -- sleep 31.5
  until_true inside 'sleep 31.5'
  victim=$PID
  sleeper=$(ip netns pids "netem-$victim-client" | head -n 1)
  kill -KILL "$victim"
  wait "$victim" || true
  ip netns list | grep -q "netem-$victim-client"
  run "$NETEM" doctor
  [[ $output == *"leftover run-$victim"* ]]
  run "$NETEM" run clean -- true
  [ "$status" -eq 0 ]
  [[ $output == *"process $victim is gone and left its run behind: removed"* ]]
  [ -z "$(ip netns list)" ]
  [ ! -e "/proc/$sleeper" ]
}

@test "kill -9 of an apply with an end: the next call clears the interface" {
  dummy d3
  in_background "$NETEM" apply 3g --dev d3 --i-know --seconds 100
  until_true grep -q holding "$BATS_TEST_TMPDIR/log"
  kill -KILL "$PID"
  wait "$PID" || true
  [[ $(tc qdisc show dev d3) == *netem* ]]
  "$NETEM" -q clear
  [[ $(tc qdisc show dev d3) != *netem* && $(tc qdisc show dev d3) != *ingress* ]]
  ip link del d3
}

# broken TOOL K fails|kills: a TOOL that at its K-th changing call fails, or does it and kills netem
broken() {
  mkdir -p "$BATS_TEST_TMPDIR/bin"
  rm -f "$BATS_TEST_TMPDIR/count"
  cat >"$BATS_TEST_TMPDIR/bin/$1" <<TOOL
#!/bin/bash
tool=$(command -v "$1")
case "\$*" in *" show "*) exec \$tool "\$@" ;; esac
printf x >>"$BATS_TEST_TMPDIR/count"
if [ "\$(wc -c <"$BATS_TEST_TMPDIR/count")" -eq $2 ]; then
  if [ $3 = fails ]; then echo "RTNETLINK answers: the test says no" >&2; exit 2; fi
  \$tool "\$@"
  kill -KILL \$(sed -n "s/^pid=//p" $NETEM_RUNTIME_DIR/*.state)
  exit
fi
exec \$tool "\$@"
TOOL
  chmod +x "$BATS_TEST_TMPDIR/bin/$1"
}

@test "killed at any call of the set-up: the next call removes the half that was there" {
  for k in 1 2 3 9; do
    broken ip "$k" kills
    run env PATH="$BATS_TEST_TMPDIR/bin:$PATH" "$NETEM" -q run 3g -- true
    [ "$status" -eq 137 ]
    "$NETEM" -q run clean -- true
    [ -z "$(ip netns list)$(find "$NETEM_RUNTIME_DIR" -name '*.state')" ]
  done
}

@test "a set-up that fails at any call is rolled back at once, with the tool's words" {
  for k in 1 2 3 9; do
    broken ip "$k" fails
    run env PATH="$BATS_TEST_TMPDIR/bin:$PATH" "$NETEM" -q run 3g -- true
    [ "$status" -eq 1 ]
    [[ $output == *"it said: RTNETLINK answers: the test says no"* ]]
    [ -z "$(ip netns list)$(find "$NETEM_RUNTIME_DIR" -name '*.state')" ]
  done
}

@test "a kernel without sch_netem: status 5, the module by name, nothing left" {
  mkdir "$BATS_TEST_TMPDIR/bin"
  printf '#!/bin/sh\necho "Error: Specified qdisc kind is unknown." >&2\nexit 2\n' >"$BATS_TEST_TMPDIR/bin/tc"
  chmod +x "$BATS_TEST_TMPDIR/bin/tc"
  run env PATH="$BATS_TEST_TMPDIR/bin:$PATH" "$NETEM" run 3g -- true
  [ "$status" -eq 5 ]
  [[ $output == *"Specified qdisc kind is unknown"*"no sch_netem (CONFIG_NET_SCH_NETEM)"* ]]
}

@test "INT and TERM reach the command, which ends in its own way; then nothing is left" {
  for signal in INT TERM; do
    in_background "$NETEM" run 3g -- bash -c "trap 'echo heard $signal; exit 0' $signal; while :; do read -r -t 0.2 <> <(:) || true; done"
    until_true inside 'heard'
    kill -s "$signal" "$PID"
    result=0
    wait "$PID" || result=$?
    cat "$BATS_TEST_TMPDIR/log"
    [ "$result" -eq "$([ "$signal" = INT ] && echo 130 || echo 143)" ]
    grep -q "heard $signal" "$BATS_TEST_TMPDIR/log"
    [ -z "$(ip netns list)" ]
  done
}

@test "--seconds ends a command that would go on" {
  run "$NETEM" -q run clean --seconds 1 -- sleep 100
  [ "$status" -eq 143 ]
}

@test "a server that dies before it listens ends the run with status 1" {
  run "$NETEM" -q run clean --server 'exit 3' --wait 7000 -- true
  [ "$status" -eq 1 ]
  [[ $output == *"ended before it listened on port 7000"* ]]
}

@test "what the command leaves running is ended with its namespace" {
  "$NETEM" -q run clean -- bash -c 'sleep 77.5 & disown; echo $! >'"$BATS_TEST_TMPDIR/pid"
  [ ! -e "/proc/$(cat "$BATS_TEST_TMPDIR/pid")" ]
}

@test "a timeline changes what a port filter selects, and nothing else" {
  profile <<'C'
delay = 1ms
at 1s blackhole
C
  run "$NETEM" run "$(P)" --port 7777 --server "$TRANSFER serve 7777 & exec $TRANSFER serve 7778" --wait 7777 -- bash -c '
    until [[ $(tc qdisc show dev eth0) == *"loss 100%"* ]]; do read -r -t 0.1 <> <(:) || true; done
    '"$TRANSFER"' fetch $NETEM_SERVER 7778 1000 5 >/dev/null && echo open
    '"$TRANSFER"' fetch $NETEM_SERVER 7777 1000 2 2>/dev/null || echo closed'
  echo "$output"
  [[ $output == *open*closed* ]]
}

@test "apply of a profile that changes: it changes, and INT clears it" {
  dummy d4
  profile <<'C'
delay = 1ms
at 1s loss 5%
C
  in_background "$NETEM" apply "$(P)" --dev d4 --i-know
  shows_loss() { [[ $(tc qdisc show dev d4) == *"loss 5%"* ]]; }
  until_true shows_loss
  kill -INT "$PID"
  result=0
  wait "$PID" || result=$?
  [ "$result" -eq 130 ]
  [[ $(tc qdisc show dev d4) != *netem* && $(tc qdisc show dev d4) != *ingress* ]]
  # killed with -9 the player of the timeline ends by itself
  in_background "$NETEM" apply "$(P)" --dev d4 --i-know
  until_true shows_loss
  kill -KILL "$PID"
  wait "$PID" || true
  nobody_plays() { ! grep -zqs "$(P)" /proc/[0-9]*/cmdline; }
  until_true nobody_plays
  "$NETEM" -q clear
  ip link del d4
}

@test "apply killed at any call: the next call clears the half; apply that fails at any call leaves nothing" {
  dummy d5
  for how in kills fails; do
    for k in 1 2 3 4; do
      broken tc "$k" "$how"
      run env PATH="$BATS_TEST_TMPDIR/bin:$PATH" "$NETEM" -q apply 3g --dev d5 --i-know
      echo "$how at call $k: $status $output"
      if [ "$how" = kills ]; then
        [ "$status" -eq 137 ]
        "$NETEM" -q clear
      else
        [ "$status" -eq 1 ]
      fi
      [[ $(tc qdisc show dev d5) != *netem* && $(tc qdisc show dev d5) != *ingress* ]]
      [ -z "$(ip -o link | grep nifb)$(find "$NETEM_RUNTIME_DIR" -name '*.state')" ]
    done
  done
  ip link del d5
}
