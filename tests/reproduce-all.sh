#!/usr/bin/env bash
# Reproduces every verdict that a dialect can give, one after another; fails if any comes out otherwise.
# usage: reproduce-all.sh PATH-TO-clw-bench
set -euo pipefail
bench=${1:?usage: reproduce-all.sh PATH-TO-clw-bench}
failed=0 done=0
while read -r dialect verdict; do
  if out=$("$bench" reproduce "$verdict" --dialect "$dialect" --color never 2>&1); then
    done=$((done + 1))
    printf '%-9s %-26s reproduced\n' "$dialect" "$verdict"
  else
    failed=$((failed + 1))
    printf '%-9s %-26s NOT reproduced (exit %s)\n%s\n' "$dialect" "$verdict" "$?" "$out"
  fi
done < <("$bench" reproduce --list)
echo "$done reproduced, $failed not"
[ "$done" -gt 0 ] && [ "$failed" -eq 0 ]
