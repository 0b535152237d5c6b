#!/usr/bin/env bash
# The dashboard on live packets: sessions of a gateway that resets a third of them, seen by tcpdump | clw-tui --capture -, must
# show the endings that the load generator itself has counted. Needs root, tcpdump, tmux and jq.
#   tests/capture-live.sh [FOLDER OF THE BINARIES, default target/release]
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(cd "${1:-target/release}" && pwd)
for tool in unshare ip tcpdump tmux jq; do
  command -v "$tool" >/dev/null || { echo "capture-live.sh: $tool is missing" >&2; exit 1; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export BIN=$bin FOLDER=$folder

# In a namespace of its own nothing else is on the wire.
# shellcheck disable=SC2016
unshare -n bash -c '
  set -eu
  ip link set lo up
  "$BIN/clw-gateway" --listen 127.0.0.1:18789 --token t --quiet --fault rst:30%@ready+2s >"$FOLDER/gateway" &
  trap "kill %1; tmux -S $FOLDER/sock kill-server" EXIT
  wait_for() { # seconds, words, command…
    local tries=$(($1 * 10)) words=$2
    shift 2
    until "$@"; do
      ((tries-- > 0)) || { echo "capture-live: never: $words" >&2; tmux -S "$FOLDER/sock" capture-pane -p -t d >&2; exit 1; }
      read -r -t 0.1 <> <(:) || true
    done
  }
  screen() { tmux -S "$FOLDER/sock" capture-pane -p -t d | grep -Eq "$1"; }
  wait_for 10 "the gateway listens" grep -q listening "$FOLDER/gateway"
  tmux -S "$FOLDER/sock" -f /dev/null new-session -d -s d -x 100 -y 36 \
    "tcpdump -i lo -U --immediate-mode -w - port 18789 2>$FOLDER/tcpdump | $BIN/clw-tui --capture -"
  wait_for 10 "the capture is on" grep -q "listening on" "$FOLDER/tcpdump"
  "$BIN/clw-bench" -q -c 30 -n 30 --hold 6s --ramp 1s --token t --json "$FOLDER/run.json" ws://127.0.0.1:18789
  bad=$(jq ".verdicts[\"clw-auth-disconnected\"]" "$FOLDER/run.json")
  [ "$bad" -gt 0 ]
  wait_for 15 "$bad sessions reset, the others well" screen "clw-auth-disconnected +$bad "
  wait_for 15 "$((30 - bad)) sessions ended ok" screen "ok +$((30 - bad)) "
  echo "$bad resets and $((30 - bad)) good endings, live and in the run"
'
