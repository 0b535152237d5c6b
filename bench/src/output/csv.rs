//! `--csv`: one row an interval, for spreadsheets and plots.

use clw_core::snapshot::Snapshot;
use std::io::{self, Write};

/// Column names.
pub const HEADER: &str = "elapsed_s,connecting,ready,reconnecting,open,started,ended,errors,dropped,reconnected,\
heartbeats_missed,ready_p50_us,ready_p99_us,heartbeat_rtt_p50_us,heartbeat_rtt_p99_us,schedule_lag_p99_us,\
bytes_sent,bytes_received";

/// Writes the row of one interval. Counts run from the start, percentiles are of the interval.
pub fn write_row(out: &mut impl Write, s: &Snapshot) -> io::Result<()> {
    let quantile = |name: &str, q: f64| s.interval.get(name).map_or(0, |h| h.at_quantile_us(q));
    let errors: u64 = s.counters.errors().iter().sum();
    let c = &s.counters;
    writeln!(
        out,
        "{:.3},{},{},{},{},{},{},{errors},{},{},{},{},{},{},{},{},{},{}",
        s.elapsed_us as f64 / 1e6,
        s.gauges.connecting,
        s.gauges.ready,
        s.gauges.reconnecting,
        s.gauges.open,
        c.sessions.started,
        c.sessions.ended,
        c.sessions.dropped,
        c.sessions.reconnected,
        c.heartbeat.missed,
        quantile("ready", 0.5),
        quantile("ready", 0.99),
        quantile("heartbeat_rtt", 0.5),
        quantile("heartbeat_rtt", 0.99),
        quantile("schedule_lag", 0.99),
        c.bytes.sent,
        c.bytes.received,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_as_many_fields_as_the_header() {
        let mut row = Vec::new();
        write_row(&mut row, &Snapshot::default()).unwrap();
        let row = String::from_utf8(row).unwrap();
        assert_eq!(row.trim().split(',').count(), HEADER.split(',').count());
    }
}
