#!/usr/bin/env bash
# What an attached dashboard costs: CPU of the load generator for one session, with and without clw-tui attached, in
# alternating pairs; and the dashboard's own share of a core.  tui/benches/attach-cost.sh FOLDER-OF-BINARIES [PAIRS] [SESSIONS]
set -euo pipefail
bin=$(cd "${1:?the folder of the binaries, such as target/release}" && pwd)
pairs=${2:-6} sessions=${3:-20000}
folder=$(mktemp -d)
terminal=clw-attach-cost-$$
alone='' attached='' share=''
trap 'tmux -L "$terminal" kill-server 2>/dev/null || true; rm -rf "$folder"' EXIT

# run attached|alone: microseconds of CPU for a session
run() {
  local socket=$folder/telemetry.sock result=$folder/result.json
  if [[ $1 == attached ]]; then
    tmux -L "$terminal" new-session -d -x 200 -y 60 "'$bin/clw-tui' --attach '$socket'"
  fi
  "$bin/clw-bench" -q -c 200 -n "$sessions" --telemetry "$socket" --json "$result" >/dev/null
  if [[ $1 == attached ]]; then
    dashboard=$(tmux -L "$terminal" list-panes -F '#{pane_pid}')
    ticks=$(awk '{ print $14 + $15 }' "/proc/$dashboard/stat")
    seconds=$(jq .duration_s "$result")
    share=$(awk -v t="$ticks" -v h="$(getconf CLK_TCK)" -v s="$seconds" 'BEGIN { printf "%.2f", 100 * t / h / s }')
    tmux -L "$terminal" kill-server
  fi
  jq '.generator.cpu_s * 1e6 / .sessions.completed' "$result" >"$folder/cost"
}

for ((pair = 1; pair <= pairs; pair++)); do
  order=(alone attached)
  ((pair % 2)) || order=(attached alone)
  for what in "${order[@]}"; do
    run "$what"
    declare "$what=$(cat "$folder/cost")"
  done
  awk -v p="$pair" -v a="$alone" -v b="$attached" -v s="$share" \
    'BEGIN { printf "pair %d: alone %.1f us, attached %.1f us a session, ratio %.4f; the dashboard took %s %% of a core\n", p, a, b, b / a, s }' | tee -a "$folder/ratios"
done
sed 's/.*ratio \([0-9.]*\);.*/\1/' "$folder/ratios" | sort -n | awk '{ r[NR] = $1 } END { printf "median ratio %.4f\n", (r[int((NR + 1) / 2)] + r[int(NR / 2) + 1]) / 2 }'
