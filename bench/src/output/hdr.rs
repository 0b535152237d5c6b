//! The HdrHistogram interval log, format 1.3: one line per interval and metric, which other HDR tools read.
//!
//! Values are microseconds. `Interval_Max` is in milliseconds, as the comment in the head says; the payload is the
//! deflated V2 encoding, the only one that the Java reader takes.

use clw_core::snapshot::Snapshot;
use std::io::{self, Write};

/// Writes intervals.
#[derive(Debug)]
pub struct HdrLogWriter<W> {
    out: W,
}

/// `Interval_Max` is the largest value divided by this.
const MAX_VALUE_DIVISOR: f64 = 1000.0;

impl<W: Write> HdrLogWriter<W> {
    /// Writes the head. `started_at_unix_s` is the start of the run in seconds since 1970, `started_at` the same for
    /// people.
    pub fn new(mut out: W, started_at_unix_s: f64, started_at: &str) -> io::Result<Self> {
        writeln!(out, "#[Values are microseconds; Interval_Max is milliseconds]")?;
        writeln!(out, "#[Histogram log format version 1.3]")?;
        writeln!(
            out,
            "#[StartTime: {started_at_unix_s:.3} (seconds since epoch), {}]",
            one_line(started_at)
        )?;
        writeln!(out, "#[BaseTime: {started_at_unix_s:.3} (seconds since epoch)]")?;
        writeln!(out, "#[MaxValueDivisor: {MAX_VALUE_DIVISOR:.3}]")?;
        writeln!(
            out,
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\""
        )?;
        Ok(Self { out })
    }

    /// Writes an interval's histograms and flushes.
    pub fn interval(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let start = snapshot.elapsed_us.saturating_sub(snapshot.interval_us) as f64 / 1e6;
        let length = snapshot.interval_us as f64 / 1e6;
        for (name, histogram) in snapshot.histograms.iter() {
            let max = histogram.summary().max as f64 / MAX_VALUE_DIVISOR;
            let payload = histogram.to_log_base64();
            writeln!(
                self.out,
                "Tag={},{start:.3},{length:.3},{max:.3},{payload}",
                tag(name)
            )?;
        }
        self.out.flush()
    }
}

/// Tags hold no comma and no white space.
fn tag(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c == ',' || c.is_whitespace() || c.is_control() {
                '_'
            } else {
                c
            }
        })
        .collect()
}

fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use clw_core::histogram::Histogram;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    #[test]
    fn another_hdr_reader_reads_the_log() {
        let mut out = Vec::new();
        let mut log = HdrLogWriter::new(&mut out, 1_700_000_000.25, "2023-11-14T22:13:20Z").unwrap();
        let mut snapshot = Snapshot::default();
        snapshot.elapsed_us = 3_000_000;
        snapshot.interval_us = 1_000_000;
        for (name, us) in [("ready", 1500), ("rpc.a b,c", 99)] {
            let mut histogram = Histogram::new();
            histogram.record_us(us);
            snapshot.histograms.insert(name, histogram);
        }
        log.interval(&snapshot).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("#[Histogram log format version 1.3]") && text.contains(",HISTF"),
            "{text}"
        );
        // The Rust reader knows no legend line; the Java one expects it.
        let plain: String = text
            .lines()
            .filter(|l| !l.starts_with('"'))
            .map(|l| l.to_owned() + "\n")
            .collect();
        let mut read = Vec::new();
        for entry in IntervalLogIterator::new(plain.as_bytes()) {
            if let LogEntry::Interval(interval) = entry.unwrap() {
                let bytes = base64::engine::general_purpose::STANDARD
                    .decode(interval.encoded_histogram())
                    .unwrap();
                let histogram: hdrhistogram::Histogram<u64> =
                    Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
                assert_eq!(
                    (
                        interval.start_timestamp().as_secs(),
                        interval.duration().as_secs()
                    ),
                    (2, 1)
                );
                read.push((
                    interval.tag().unwrap().as_str().to_owned(),
                    histogram.len(),
                    histogram.max(),
                    interval.max(),
                ));
            }
        }
        assert_eq!(read[0], ("ready".to_owned(), 1, 1500, 1.5));
        assert_eq!(read[1].0, "rpc.a_b_c");
        assert_eq!(read.len(), 2);
    }
}
