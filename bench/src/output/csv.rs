//! CSV: one row per interval.

use clw_core::snapshot::Snapshot;
use clw_core::tally::Counters;
use clw_core::uptime::errors;
use std::io::{self, Write};

/// The columns. Counts are cumulative; `_per_s` and percentiles are of the interval; a percentile of nothing is empty.
pub const COLUMNS: [&str; 22] = [
    "elapsed_s",
    "phase",
    "connecting",
    "ready",
    "reconnecting",
    "open",
    "started",
    "ended",
    "errors",
    "dropped",
    "skipped_starts",
    "starts_per_s",
    "ends_per_s",
    "errors_per_s",
    "bytes_sent_per_s",
    "bytes_received_per_s",
    "ready_p50_us",
    "ready_p99_us",
    "heartbeat_rtt_p50_us",
    "heartbeat_rtt_p99_us",
    "schedule_lag_p50_us",
    "schedule_lag_p99_us",
];

/// Writes rows.
#[derive(Debug)]
pub struct CsvWriter<W> {
    out: W,
    before: Counters,
}

impl<W: Write> CsvWriter<W> {
    /// Writes the heading.
    pub fn new(mut out: W) -> io::Result<Self> {
        writeln!(out, "{}", COLUMNS.join(","))?;
        Ok(Self {
            out,
            before: Counters::default(),
        })
    }

    /// Writes an interval and flushes.
    pub fn row(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let (now, before, gauges) = (&snapshot.counters, &self.before, &snapshot.gauges);
        let seconds = snapshot.interval_us as f64 / 1e6;
        let rate = |now: u64, before: u64| {
            let rate = if seconds > 0.0 {
                now.saturating_sub(before) as f64 / seconds
            } else {
                0.0
            };
            format!("{rate:.1}")
        };
        let mut cells = vec![
            format!("{:.3}", snapshot.elapsed_us as f64 / 1e6),
            snapshot.phase.name().to_owned(),
        ];
        let counts = [
            gauges.connecting,
            gauges.ready,
            gauges.reconnecting,
            gauges.open,
            now.sessions.started,
            now.sessions.ended,
            errors(now),
            now.sessions.dropped,
            now.sessions.skipped_starts,
        ];
        cells.extend(counts.map(|count| count.to_string()));
        cells.extend([
            rate(now.sessions.started, before.sessions.started),
            rate(now.sessions.ended, before.sessions.ended),
            rate(errors(now), errors(before)),
            rate(now.bytes.sent, before.bytes.sent),
            rate(now.bytes.received, before.bytes.received),
        ]);
        for name in ["ready", "heartbeat_rtt", "schedule_lag"] {
            let histogram = snapshot.histograms.get(name);
            cells.extend([0.5, 0.99].map(|q| {
                histogram
                    .map(|h| h.quantile_us(q).to_string())
                    .unwrap_or_default()
            }));
        }
        writeln!(self.out, "{}", cells.join(","))?;
        self.out.flush()?;
        self.before = snapshot.counters.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clw_core::histogram::Histogram;

    #[test]
    fn a_row_has_a_cell_for_each_column_and_rates_of_its_interval() {
        let mut out = Vec::new();
        let mut csv = CsvWriter::new(&mut out).unwrap();
        let mut snapshot = Snapshot::default();
        snapshot.elapsed_us = 2_000_000;
        snapshot.interval_us = 2_000_000;
        snapshot.counters.sessions.started = 100;
        let mut ready = Histogram::new();
        ready.record_us(1500);
        snapshot.histograms.insert("ready", ready);
        csv.row(&snapshot).unwrap();
        snapshot.counters.sessions.started = 130;
        csv.row(&snapshot).unwrap();
        let text = String::from_utf8(out).unwrap();
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert!(rows.iter().all(|row| row.len() == COLUMNS.len()), "{text}");
        let column = |name| COLUMNS.iter().position(|column| *column == name).unwrap();
        assert_eq!(rows[1][column("starts_per_s")], "50.0");
        assert_eq!(rows[2][column("starts_per_s")], "15.0");
        assert_eq!(rows[2][column("ready_p99_us")], "1500");
        assert_eq!(rows[2][column("heartbeat_rtt_p50_us")], "");
    }
}
