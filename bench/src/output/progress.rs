//! The live line.

use clw_core::snapshot::{Phase, Snapshot};
use clw_core::units::{show_count, show_duration};
use clw_core::verdict::Verdict;
use std::time::Duration;

/// One line for `snapshot`, at most `width` characters; `before` gives the rate.
pub fn line(snapshot: &Snapshot, before: Option<&Snapshot>, planned: Option<u64>, width: usize) -> String {
    let counters = &snapshot.counters;
    let elapsed = Duration::from_micros(snapshot.elapsed_us);
    let of = planned.map(|n| format!("/{}", show_count(n))).unwrap_or_default();
    let mut parts = vec![
        match snapshot.phase {
            Phase::Running => show_duration(Duration::from_millis(
                u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX) / 100 * 100,
            )),
            Phase::Draining => "logging out".to_owned(),
            Phase::Done => "done".to_owned(),
        },
        format!("{}{of} ended", show_count(counters.sessions.ended)),
        format!("{} ready", show_count(snapshot.gauges.ready)),
    ];
    let errors = counters.errors();
    let failed: u64 = errors.iter().sum();
    if failed > 0 {
        let share = failed as f64 * 100.0 / counters.sessions.started.max(1) as f64;
        parts.push(format!("{share:.1} % errors"));
        let most = Verdict::ALL.iter().max_by_key(|v| errors[v.index()]);
        let top = most.map_or("", |v| v.name());
        parts.push(format!("most {top}"));
    }
    if snapshot.gauges.reconnecting > 0 {
        parts.push(format!(
            "{} reconnecting",
            show_count(snapshot.gauges.reconnecting)
        ));
    }
    parts.push(format!("{} connecting", show_count(snapshot.gauges.connecting)));
    if let Some(before) = before {
        let seconds = snapshot.elapsed_us.saturating_sub(before.elapsed_us) as f64 / 1e6;
        let ready = counters
            .sessions
            .ready
            .saturating_sub(before.counters.sessions.ready);
        if seconds > 0.0 {
            parts.push(format!("{:.0}/s", ready as f64 / seconds));
        }
    }
    // The least needed go first when there is no room.
    while parts.len() > 1 && parts.join(" \u{b7} ").chars().count() > width {
        parts.pop();
    }
    parts.join(" \u{b7} ").chars().take(width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_fits_any_width() {
        let mut snapshot = Snapshot {
            elapsed_us: 12_345_678,
            ..Snapshot::default()
        };
        snapshot.gauges.ready = 12_000;
        snapshot.counters.sessions.started = 13_000;
        snapshot.counters.sessions.ended = 500;
        snapshot.counters.verdicts[Verdict::AuthFailed.index()] = 500;
        for width in 0..200 {
            assert!(line(&snapshot, None, Some(20_000), width).chars().count() <= width);
        }
        let whole = line(&snapshot, None, Some(20_000), 200);
        assert_eq!(
            whole,
            "12.3 s \u{b7} 500/20 000 ended \u{b7} 12 000 ready \u{b7} 3.8 % errors \u{b7} most clw-auth-failed \u{b7} \
             0 connecting"
        );
    }
}
