# Judges one ping log (ping -n -D -O) against a promise, for the pings sent from `from` to `to` seconds after the first.
#
# loss (0..1), mean and spread in ms; `bursty` for a model whose losses come in groups.  Tolerances: 4 standard errors, plus what
# the guest's own scheduling adds: on a busy machine it stands still for up to a second now and then, so up to 3 % of the pings
# may lie beyond mean + 8 spreads + 20 ms, and do not count for mean and spread.  Prints one line and fails when the promise is
# not kept.

function field(key,    at, rest) {
  at = index($0, key)
  if (!at) return -1
  rest = substr($0, at + length(key))
  return rest + 0
}

{ stamp = substr($1, 2) + 0 }
/bytes from/ {
  seq = field("icmp_seq=")
  rtt[seq] = field("time=")
  sent[seq] = stamp - rtt[seq] / 1000
}
/no answer yet/ {
  seq = field("icmp_seq=")
  if (!(seq in sent)) sent[seq] = stamp - interval
}

END {
  first = 1e18
  for (seq in sent) if (sent[seq] < first) first = sent[seq]
  for (seq in sent) {
    if (sent[seq] - first < from || sent[seq] - first >= to) continue
    n++
    if (!(seq in rtt)) continue
    got++
    if (loss < 1 && rtt[seq] > mean + 8 * spread + 20) { late++; continue }
    kept++
    sum += rtt[seq]
    squares += rtt[seq] * rtt[seq]
  }
  if (n < 20) { printf "# BAD  %-18s only %d pings between %s and %s s\n", name, n, from, to; exit 1 }
  lost = 1 - got / n
  # losses in groups of g scatter like n / g independent ones; our models' groups are under 7
  tolerance = 4 * sqrt(loss * (1 - loss) * (bursty ? 7 : 1) / n)
  said = (lost < loss - tolerance - 1e-9 || lost > loss + tolerance + 1e-9) ? " LOSS" : ""
  if (late > 3 + 0.03 * got) said = said " LATE"
  if (kept > 1) {
    m = sum / kept
    s = squares / kept - m * m
    s = s > 0 ? sqrt(s) : 0
    if (loss < 1) {
      if (m < mean - 4 * spread / sqrt(got) - mean * 0.005 - 0.5 || m > mean + 4 * spread / sqrt(got) + mean * 0.005 + 2) said = said " MEAN"
      if (s < spread * (1 - 0.1 - 4 / sqrt(2 * got)) - 0.2 || s > spread * (1 + 0.1 + 4 / sqrt(2 * got)) + 2) said = said " SPREAD"
    }
  }
  printf "# %s %-18s %3s-%-3s s %5d pings  lost %6.2f %% (promised %.2f ± %.2f)  mean %8.2f ms (%.2f)  spread %7.2f ms (%.2f)  %d late%s\n", \
    said ? "BAD " : "ok  ", name, from, to, n, 100 * lost, 100 * loss, 100 * tolerance, m, mean, s, spread, late, said
  exit said != ""
}
