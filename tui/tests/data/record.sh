#!/bin/sh
# Records outage.journal: 12 sessions that reconnect, and a gateway that is killed after 12 s and comes back 6 s later.
#   cargo build -p clw-bench -p clw-gateway && tui/tests/data/record.sh
# The test over it (tests/replay.rs) compares three moments as text, so its snapshots are to be reviewed afterwards.
set -eu
cd "$(dirname "$0")"
bin=../../../target/debug
address=127.0.0.1:${PORT:-39471}
gateway=

start_gateway() {
    "$bin/clw-gateway" --listen "$address" --tick 5s >gateway.out 2>/dev/null &
    gateway=$!
    until grep -q listening gateway.out 2>/dev/null; do sleep 0.05; done
}

trap 'kill "$gateway" 2>/dev/null || true; rm -f gateway.out' EXIT
start_gateway
"$bin/clw-bench" -q -c 12 -d 40s --heartbeat 2s --reconnect on --retries 20 --backoff 500ms --backoff-max 3s \
    --threshold 'error_rate<1%' --threshold 'uptime>=99%' --journal outage.journal "ws://$address" &
bench=$!
sleep 12
kill -9 "$gateway"
rm gateway.out
sleep 6
start_gateway
wait "$bench" || true
