#!/usr/bin/env bash
# A live run under the dashboard: the gateway's token is changed in mid-run, and the screen must show the rate rising, an
# incident, and clw-auth-failed on top of the endings. Needs tmux.
#   tests/dashboard-live.sh [FOLDER OF THE BINARIES, default target/release]
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${1:-target/release}
folder=$(mktemp -d)
tmux=(tmux -S "$folder/tmux.sock" -f /dev/null)
gateway='' bench=''

# shellcheck disable=SC2317 # the trap calls it
cleanup() {
  "${tmux[@]}" kill-server 2>/dev/null || true
  for process in "$bench" "$gateway"; do
    if [ -n "$process" ]; then kill "$process" 2>/dev/null || true; fi
  done
  rm -rf "$folder"
}
trap cleanup EXIT

start_gateway() { # address, token
  : >"$folder/gateway.out"
  CLW_TOKEN=$2 "$bin/clw-gateway" --listen "$1" >"$folder/gateway.out" 2>/dev/null &
  gateway=$!
  for _ in $(seq 200); do
    if grep -q '^listening' "$folder/gateway.out"; then return; fi
    sleep 0.05
  done
  echo "dashboard-live: the gateway does not listen on $1" >&2
  exit 1
}

screen() { "${tmux[@]}" capture-pane -p -t dashboard; }

# Waits until the screen has a line that matches.
until_screen() { # pattern
  for _ in $(seq 300); do
    if screen | grep -Eq "$1"; then return; fi
    sleep 0.1
  done
  echo "dashboard-live: no \"$1\" on the screen:" >&2
  screen >&2
  exit 1
}

start_gateway 127.0.0.1:0 before
address=$(sed -n 's|^listening ws://\([0-9.:]*\).*|\1|p' "$folder/gateway.out")
CLW_TOKEN=before "$bin/clw-bench" -q -r 20 -d 5m --hold 1s --telemetry "$folder/run.sock" "ws://$address" 2>/dev/null &
bench=$!
"${tmux[@]}" new-session -d -s dashboard -x 120 -y 40 "$bin/clw-tui --attach '$folder/run.sock'"

until_screen 'LIVE .*running'
until_screen ' ok +[0-9]'
until_screen 'now 0 %'
# Long enough for the errors that come to leave a baseline.
until_screen 'running +1[2-9]s'
if screen | grep -q INCIDENT; then
  echo "dashboard-live: an incident without a cause:" >&2
  screen >&2
  exit 1
fi

kill "$gateway"
wait "$gateway" || true
start_gateway "$address" after

until_screen 'INCIDENT since'
until_screen 'now 100 %'
# The first line under the heading of the endings.
until_screen 'first clw-auth-failed'
for _ in $(seq 300); do
  if screen | grep -A1 -E '│ ending +run' | grep -q '!clw-auth-failed'; then top=yes; break; fi
  sleep 0.1
done
screen
if [ -z "${top:-}" ]; then
  echo "dashboard-live: clw-auth-failed is not on top" >&2
  exit 1
fi
"${tmux[@]}" send-keys -t dashboard Enter
until_screen 'First to try'
"${tmux[@]}" send-keys -t dashboard q
for _ in $(seq 100); do
  if ! "${tmux[@]}" has-session -t dashboard 2>/dev/null; then echo "dashboard-live: as it should be"; exit 0; fi
  sleep 0.1
done
echo "dashboard-live: q does not leave" >&2
exit 1
