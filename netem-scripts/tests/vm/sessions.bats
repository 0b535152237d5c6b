#!/usr/bin/env bats
# Sessions under real conditions, captured beside the client: the packets must name what the condition causes, and where a
# client can know, it must agree.  Needs the release binaries; tests/run starts it in the guests (the middlebox in qemu's only).
# shellcheck disable=SC2016  # programs for an inner shell

setup_file() {
  bats_require_minimum_version 1.5.0
  export NETEM=$BATS_TEST_DIRNAME/../../netem
  export NETEM_RUNTIME_DIR=/run/clw-netem
  mkdir -p "$NETEM_RUNTIME_DIR"
  export BIN=${CLW_BIN:-$BATS_TEST_DIRNAME/../../../target/release}
  local tool
  for tool in clw-bench clw-gateway clw-analyze; do
    [ -x "$BIN/$tool" ] || { echo "$BIN/$tool is missing: cargo build --release" >&2; return 1; }
  done
  for tool in tcpdump jq; do
    command -v "$tool" >/dev/null || { echo "$tool is missing" >&2; return 1; }
  done
}

# sessions CONDITION GATEWAY-COMMAND BENCH-OPTION…: five sessions under a condition; leaves seen.json, journal and capture behind
sessions() {
  local gateway=$2
  printf 'delay = 5ms\n%s\n' "$1" >"$BATS_TEST_TMPDIR/p.conf"
  shift 2
  export OUT=$BATS_TEST_TMPDIR
  # No checksum offload on the pair, so what is captured is what is sent.  The capture is on before the first SYN.
  "$NETEM" -q run "$OUT/p.conf" --port 7000 --server "exec $gateway --listen 0.0.0.0:7000 --token test-token --quiet" --wait 7000 -- bash -c '
    tcpdump -i eth0 -s 0 -B 4096 --immediate-mode -U -w "$OUT/a.pcap" tcp port 7000 or udp port 9 2>"$OUT/tcpdump" &
    capture=$!
    until grep -q "listening on" "$OUT/tcpdump"; do kill -0 $capture || exit 1; done
    "$BIN/clw-bench" -q -c 5 -n 5 --token test-token --journal "$OUT/a.journal" --json "$OUT/a.json" "$@" "ws://$NETEM_SERVER:7000"
    # What a cut path has held back still comes out, if the path is there again.
    while [ "${RECOVERS:-}" ] && [ "$(ss -Htan state fin-wait-1 "dport = :7000")" ]; do read -r -t 0.2 <> <(:) || true; done
    # At SIGINT tcpdump leaves without what it has not read: a last packet, seen in the file, shows that all before it are there.
    until=$((SECONDS + 20))
    until [ "$(tcpdump -r "$OUT/a.pcap" udp port 9 2>/dev/null)" ]; do
      [ $SECONDS -lt $until ] || { echo "the last packet was not captured" >&2; break; }
      echo >"/dev/udp/$NETEM_SERVER/9"
    done
    kill -INT $capture
    wait $capture
    exit 0
  ' bash "$@"
  "$BIN/clw-analyze" -q "$OUT/a.pcap" --journal "$OUT/a.journal" --json "$OUT/seen.json"
  jq -c '{wire: .summary.by_verdict, journal: (.journal | {agree, disagree, undecided})}' "$OUT/seen.json"
  jq -c '{client: .verdicts}' "$OUT/a.json"
}

seen() { jq -r ".summary.by_verdict[\"$1\"] // 0" "$OUT/seen.json"; }
client() { jq -r ".verdicts[\"$1\"] // 0" "$OUT/a.json"; }
disagree() { jq -r '.journal.disagree' "$OUT/seen.json"; }

# A sender's queue drops before anybody can capture it: with both ways cut there is nothing to see until the path is back.
@test "a path that is cut and comes back is a heartbeat miss, for the client and in its packets" {
  [[ ${CLW_GUEST:-uml} = uml ]] || skip "runs in the other guest"
  RECOVERS=1 sessions $'at 2s blackhole\nat 7s clear' "$BIN/clw-gateway --dialect clw" --dialect clw --hold 12s --heartbeat 500ms --heartbeat-timeout 1s
  [ "$(client clw-heartbeat-miss)" -eq 5 ]
  [ "$(seen clw-heartbeat-miss)" -eq 5 ]
  [ "$(disagree)" -eq 0 ]
}

@test "a path on which nothing comes back is a heartbeat miss, for the client and in its packets" {
  [[ ${CLW_GUEST:-uml} = uml ]] || skip "runs in the other guest"
  sessions 'at 2s blackhole in' "$BIN/clw-gateway --dialect clw" --dialect clw --hold 12s --heartbeat 500ms --heartbeat-timeout 1s
  [ "$(client clw-heartbeat-miss)" -eq 5 ]
  [ "$(seen clw-heartbeat-miss)" -eq 5 ]
  [ "$(disagree)" -eq 0 ]
}

@test "a gateway that is told to stop says so, and both see a restart" {
  [[ ${CLW_GUEST:-uml} = uml ]] || skip "runs in the other guest"
  sessions '' "timeout --preserve-status -s TERM 4 $BIN/clw-gateway" --hold 20s
  [ "$(client clw-server-restart)" -eq 5 ]
  [ "$(seen clw-server-restart)" -eq 5 ]
  [ "$(disagree)" -eq 0 ]
}

@test "a middlebox that resets is not taken for the gateway by the packets, while the client cannot tell" {
  [[ ${CLW_GUEST:-uml} = qemu ]] || skip "needs nft's bridge family: runs in the other guest"
  # Late enough for sessions to be ready in an emulated CPU that others share.
  sessions 'at 10s rst 100%' "$BIN/clw-gateway --dialect clw" --dialect clw --hold 25s --timeout 20s --heartbeat 500ms --heartbeat-timeout 5s
  [ "$(seen clw-injected-reset)" -eq 5 ]
  [ "$(client clw-auth-disconnected)" -eq 5 ]
  run jq -e 'all(.connections[]; .ending.by == "middlebox")' "$OUT/seen.json"
  [ "$status" -eq 0 ]
}
