//! Figures that no run can have are refused, so that adding up those of many sources never overflows.

use clw_core::snapshot::Snapshot;

/// More than a million events a second for ten days.
const MAX_COUNT: u64 = 1 << 40;
/// Bytes and microseconds of sessions, which grow with the number of sessions.
const MAX_SUM: u64 = 1 << 56;

/// Whether every figure is one that a run may have.
pub fn within_bounds(snapshot: &Snapshot) -> bool {
    let c = &snapshot.counters;
    let (s, g) = (&c.sessions, &snapshot.gauges);
    let counts = [
        s.planned,
        s.started,
        s.ready,
        s.completed,
        s.failed,
        s.dropped,
        s.reconnected,
        s.ended,
        s.skipped_starts,
        c.heartbeat.sent,
        c.heartbeat.answered,
        c.heartbeat.missed,
        c.heartbeat.udp.sent,
        c.heartbeat.udp.answered,
        c.heartbeat.udp.lost,
        c.heartbeat.udp.one_way,
        c.reconnect.attempts,
        c.reconnect.succeeded,
        c.refreshes.done,
        c.refreshes.refused,
        s.helpers,
        c.pairing.asked,
        c.pairing.approved,
        c.pairing.tokens,
        c.pairing.fallbacks,
        c.pairing.unkept,
        c.notifications.new,
        c.notifications.duplicates,
        c.frames.sent,
        c.frames.received,
        c.broadcasts_lost,
        g.open,
        g.connecting,
        g.ready,
        g.reconnecting,
        g.peak_open,
        g.active,
    ];
    let sums = [
        c.bytes.sent,
        c.bytes.received,
        c.uptime.ready_us,
        c.uptime.meant_us,
        snapshot.elapsed_us,
        snapshot.interval_us,
        snapshot.usage.cpu_us,
        snapshot.usage.rss_peak_bytes,
    ];
    let calls = c.calls.values().flat_map(|e| [e.failed, e.unanswered]);
    let few = c.close_codes.len() <= 1000
        && c.ends.len() <= 1000
        && c.calls.len() <= 1000
        && c.generator_errors.len() <= 1000
        && snapshot.thresholds.len() <= 1000
        && snapshot.recent.len() <= 1000;
    few && counts
        .into_iter()
        .chain(c.verdicts)
        .chain(c.drops)
        .chain(c.stages)
        .chain(c.close_codes.values().copied())
        .chain(c.ends.values().copied())
        .chain(c.generator_errors.values().copied())
        .chain(calls)
        .all(|n| n <= MAX_COUNT)
        && sums.into_iter().all(|n| n <= MAX_SUM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_run_can_have_is_refused() {
        let mut snapshot = Snapshot::default();
        snapshot.counters.sessions.started = 100_000_000;
        assert!(within_bounds(&snapshot));
        snapshot.counters.close_codes.insert(1006, u64::MAX);
        assert!(!within_bounds(&snapshot));
        let endless = Snapshot {
            elapsed_us: u64::MAX,
            ..Snapshot::default()
        };
        assert!(!within_bounds(&endless));
    }
}
