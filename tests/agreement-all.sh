#!/usr/bin/env bash
# Every reproducible verdict, seen by the client, the gateway, the packets and the dashboard: runs each in a network namespace
# of its own with tcpdump, joins the capture with the client's journal, shows it to clw-tui, and prints who saw what. Needs root,
# tcpdump and jq.
# usage: agreement-all.sh PATH-TO-BINARIES [DIALECT VERDICT]
set -euo pipefail
bin=$(cd "${1:?usage: agreement-all.sh PATH-TO-BINARIES [DIALECT VERDICT]}" && pwd)
for tool in unshare ip tcpdump jq; do
  command -v "$tool" >/dev/null || { echo "agreement-all.sh: $tool is missing" >&2; exit 1; }
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# Runs in the namespace: the capture must be on before the first SYN, and off after the last packet: when the file holds as
# many as the interface has seen, for at SIGINT tcpdump leaves without what it has not read yet.
# shellcheck disable=SC2016
inside='
  ip link set lo up
  tcpdump -i lo -s 0 -B 16384 --immediate-mode -U -w "$1.pcap" tcp 2>"$1.tcpdump" &
  capture=$!
  until grep -q "listening on" "$1.tcpdump" 2>/dev/null; do
    kill -0 $capture 2>/dev/null || { cat "$1.tcpdump" >&2; exit 1; }
  done
  "$2" reproduce "$4" --dialect "$3" --json "$1.client" --journal "$1.journal" --color never >/dev/null
  status=$?
  until=$((SECONDS + 10))
  until [ "$(tcpdump -n -r "$1.pcap" 2>/dev/null | wc -l)" -ge "$(awk "\$1 == \"lo:\" { print \$3 }" /proc/net/dev)" ]; do
    [ $SECONDS -lt $until ] || break
  done
  kill -INT $capture
  wait $capture
  exit $status
'
failed=0 done=0
row='%-9s %-26s %-8s %-8s %-8s %s\n'
# shellcheck disable=SC2059
say() { printf "$row" "$@"; }

# The endings that the dashboard ranks when it is shown the packets; what is still open is no ending.
on_dashboard() {
  "$bin/clw-tui" --replay "$1" --port "$2" --dialect "$3" --once --color never --size 160x60 |
    sed -nE 's/^│.?(clw-[a-z-]+|ok|incomplete) +[0-9].*/\1/p' | sort | paste -sd' '
}
say dialect verdict client gateway packets dashboard
while read -r dialect verdict; do
  run=$dir/$dialect-$verdict
  if ! unshare -n bash -c "$inside" - "$run" "$bin/clw-bench" "$dialect" "$verdict"; then
    failed=$((failed + 1))
    printf '%-9s %-26s NOT reproduced\n' "$dialect" "$verdict"
    continue
  fi
  # Where nobody says a word, nothing in the packets tells the dialect.
  "$bin/clw-analyze" -q "$run.pcap" --dialect "$dialect" --journal "$run.journal" --json "$run.json"
  wire=$(jq -r '.summary.by_verdict | to_entries | map("\(.value)×\(.key)") | join(" ")' "$run.json")
  # Two endings need a word more. A socket that never connected has no address to join by, and the gateway that drops SYNs
  # fills its backlog with a connection of its own. A generator that leaves healthy sessions cuts them: the run's word for
  # them is open, and the packets show the client's FIN or RST.
  # shellcheck disable=SC2016
  alike='
    .summary.by_verdict as $seen | .journal.disagree as $against
    | if $v == "clw-conn-timeout" then $against == 0 and $seen[$v] >= 6
      elif $v == "open" then all(.connections[]; .verdict == "open" or (.verdict == "clw-auth-disconnected" and .ending.by == "client"))
      else $against + .journal.undecided == 0 and ($seen | keys == [$v]) and $seen[$v] >= 6 end'
  gateway=$(jq -r 'if (.gateway // {}) == {} then "–" else "✓" end' "$run.client")
  named=$(jq -r '.summary.by_verdict | keys - ["open"] | sort | join(" ")' "$run.json")
  shown=$(on_dashboard "$run.pcap" "$(jq -r '.connections[0].server | split(":")[-1]' "$run.json")" "$dialect")
  if ! jq -e --arg v "$verdict" "$alike" "$run.json" >/dev/null; then
    failed=$((failed + 1))
    say "$dialect" "$verdict" ✓ "$gateway" "✗ $wire" ""
    jq -r '.journal.disagreements[:2][] | "          wire:   \(.wire_evidence | join("; "))", "          client: \(.other_evidence | join("; "))"' "$run.json"
  elif [ "$shown" != "$named" ]; then
    failed=$((failed + 1))
    say "$dialect" "$verdict" ✓ "$gateway" ✓ "✗ $shown (packets: $named)"
  else
    done=$((done + 1))
    say "$dialect" "$verdict" ✓ "$gateway" ✓ ✓
  fi
done < <(if [ $# -ge 3 ]; then echo "$2 $3"; else "$bin/clw-bench" reproduce --list; fi)
echo "$done seen alike, $failed not"
[ "$done" -gt 0 ] && [ "$failed" -eq 0 ]
