//! The progress line on standard error.

use crate::source::CaptureSummary;
use clw_core::units::{show_bytes, show_count};
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// Packets between two looks at the clock.
const PACKETS: u64 = 65_536;
/// Time between two progress lines.
const PERIOD: Duration = Duration::from_millis(100);

/// The progress line, if standard error is a terminal.
pub(super) struct Progress {
    is_on: bool,
    began: Instant,
    shown: Instant,
}

impl Progress {
    pub(super) fn new(quiet: bool) -> Self {
        let now = Instant::now();
        Self {
            is_on: !quiet && std::io::stderr().is_terminal(),
            began: now,
            shown: now,
        }
    }

    /// To be called for every packet.
    #[inline]
    pub(super) fn packet(&mut self, summary: &CaptureSummary) {
        if self.is_on && summary.packets.is_multiple_of(PACKETS) {
            self.show(summary);
        }
    }

    #[cold]
    fn show(&mut self, summary: &CaptureSummary) {
        let now = Instant::now();
        if now - self.shown < PERIOD {
            return;
        }
        self.shown = now;
        let seconds = (now - self.began).as_secs_f64().max(0.001);
        let rate = summary.packets as f64 / seconds / 1e6;
        let mut line = format!("{} packets · {rate:.1} M/s", show_count(summary.packets));
        if let Some(total) = summary.bytes_total.filter(|total| *total > 0) {
            let share = (summary.bytes_read as f64 / total as f64).min(1.0);
            let left = seconds * (1.0 - share) / share.max(0.001);
            line = format!(
                "{:>3.0} % of {} · {line} · {left:.0} s left",
                share * 100.0,
                show_bytes(total)
            );
        }
        eprint!("\r\x1b[K{line}");
    }

    pub(super) fn clear(&self) {
        if self.is_on {
            eprint!("\r\x1b[K");
        }
    }
}
