//! The live line while a run goes on.

use super::words::{cut, pct, us, width};
use clw_core::snapshot::{Phase, Snapshot};
use clw_core::units::show_count;
use clw_core::uptime::error_rate_pct;
use clw_core::verdict::Verdict;

/// One line of at most `columns`, without colours and newline. Less needed pieces are left out where it is narrow.
pub fn line(snapshot: &Snapshot, columns: usize) -> String {
    let counters = &snapshot.counters;
    let gauges = &snapshot.gauges;
    let sessions = &counters.sessions;
    // Pieces with their rank: the highest number goes first when there is no room.
    let mut pieces: Vec<(u8, String)> = vec![(0, us(snapshot.elapsed_us))];
    if !matches!(snapshot.phase, Phase::Steady | Phase::Other) {
        pieces.push((6, snapshot.phase.name().to_owned()));
    }
    pieces.push((3, format!("{} connecting", show_count(gauges.connecting))));
    pieces.push((0, format!("{} ready", show_count(gauges.ready))));
    if gauges.reconnecting > 0 {
        pieces.push((4, format!("{} reconnecting", show_count(gauges.reconnecting))));
    }
    pieces.push((1, ended(sessions.ended, sessions.planned)));
    if snapshot.interval_us > 0 {
        let became_ready = snapshot
            .histograms
            .get("ready")
            .map_or(0, clw_core::histogram::Histogram::count);
        pieces.push((
            5,
            format!("{:.0}/s", became_ready as f64 * 1e6 / snapshot.interval_us as f64),
        ));
    }
    pieces.push((2, format!("errors {}", pct(error_rate_pct(counters)))));
    if let Some((verdict, count)) = top_error(&counters.verdicts) {
        pieces.push((4, format!("{verdict} × {}", show_count(count))));
    }
    while pieces.len() > 1 && length(&pieces) > columns {
        let Some(worst) = pieces.iter().map(|(rank, _)| *rank).max() else {
            break;
        };
        if let Some(at) = pieces.iter().rposition(|(rank, _)| *rank == worst) {
            pieces.remove(at);
        }
    }
    let all: Vec<&str> = pieces.iter().map(|(_, text)| text.as_str()).collect();
    cut(&all.join(JOINT), columns)
}

const JOINT: &str = "  ";

fn length(pieces: &[(u8, String)]) -> usize {
    pieces.iter().map(|(_, text)| width(text)).sum::<usize>() + width(JOINT) * (pieces.len() - 1)
}

fn ended(ended: u64, planned: u64) -> String {
    if planned > 0 {
        format!("{}/{} ended", show_count(ended), show_count(planned))
    } else {
        format!("{} ended", show_count(ended))
    }
}

fn top_error(verdicts: &[u64; Verdict::COUNT]) -> Option<(Verdict, u64)> {
    let errors = Verdict::ALL.into_iter().filter(|verdict| verdict.is_error());
    // The first of the rules wins among equals, so that the line does not flicker.
    errors
        .rev()
        .map(|verdict| (verdict, verdicts[verdict.index()]))
        .max_by_key(|(_, count)| *count)
        .filter(|(_, n)| *n > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clw_core::histogram::Histogram;
    use proptest::prelude::*;

    fn snapshot() -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.elapsed_us = 12_300_000;
        snapshot.interval_us = 500_000;
        snapshot.phase = Phase::Ramp;
        snapshot.gauges.connecting = 32;
        snapshot.gauges.ready = 468;
        snapshot.counters.sessions.started = 2000;
        snapshot.counters.sessions.ended = 1500;
        snapshot.counters.sessions.planned = 10_000;
        snapshot.counters.verdicts[Verdict::AuthFailed.index()] = 3;
        let mut ready = Histogram::new();
        for _ in 0..250 {
            ready.record_us(900);
        }
        snapshot.histograms.insert("ready", ready);
        snapshot
    }

    #[test]
    fn a_wide_line_says_all_and_a_narrow_one_what_matters() {
        assert_eq!(
            line(&snapshot(), 120),
            "12.3 s  ramp  32 connecting  468 ready  1 500/10 000 ended  500/s  errors 0.15 %  clw-auth-failed × 3"
        );
        assert_eq!(
            line(&snapshot(), 60),
            "12.3 s  468 ready  1 500/10 000 ended  errors 0.15 %"
        );
        assert_eq!(line(&snapshot(), 20), "12.3 s  468 ready");
    }

    proptest! {
        #[test]
        fn a_line_never_wraps(columns in 0_usize..140) {
            prop_assert!(width(&line(&snapshot(), columns)) <= columns);
        }
    }
}
