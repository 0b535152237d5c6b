//! `--hdr`: an HdrHistogram interval log (format 1.3), one line a metric and interval, the metric as its tag.

use clw_core::snapshot::Snapshot;
use hdrhistogram::serialization::V2Serializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

/// Appends intervals to a log.
pub struct HdrLog<W: Write> {
    out: W,
    begun: bool,
    started: SystemTime,
}

impl<W: Write> HdrLog<W> {
    /// A log of a run that started at `started`.
    pub fn new(out: W, started: SystemTime) -> Self {
        Self {
            out,
            begun: false,
            started,
        }
    }

    /// Writes one interval's histograms. Values are microseconds; the column of maxima is in milliseconds.
    pub fn write(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let mut buffer = Vec::new();
        let mut serializer = V2Serializer::new();
        let mut builder = IntervalLogWriterBuilder::new();
        if !self.begun {
            self.begun = true;
            builder.add_comment("clw-bench, values in microseconds");
            builder.with_start_time(self.started);
            builder.with_max_value_divisor(1000.0);
        }
        let mut log = builder
            .begin_log_with(&mut buffer, &mut serializer)
            .map_err(|e| io::Error::other(format!("{e:?}")))?;
        let start = Duration::from_micros(snapshot.elapsed_us.saturating_sub(snapshot.interval_us));
        let length = Duration::from_micros(snapshot.interval_us);
        for (name, histogram) in &snapshot.interval {
            log.write_histogram(histogram.inner(), start, length, Tag::new(name))
                .map_err(|e| io::Error::other(format!("{e:?}")))?;
        }
        // Later blocks repeat the format's head lines; only the first may stand in the file.
        let text = String::from_utf8_lossy(&buffer);
        for line in text.lines() {
            let head = line.starts_with('#') || line.starts_with("\"StartTimestamp\"");
            if !head || snapshot.seq == 0 {
                writeln!(self.out, "{line}")?;
            }
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clw_core::histogram::Histogram;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    #[test]
    fn the_log_reads_back_with_its_tags() {
        let mut out = Vec::new();
        let mut log = HdrLog::new(&mut out, SystemTime::UNIX_EPOCH);
        for seq in 0..2 {
            let mut snapshot = Snapshot {
                seq,
                elapsed_us: (seq + 1) * 1_000_000,
                interval_us: 1_000_000,
                ..Snapshot::default()
            };
            let mut histogram = Histogram::new();
            histogram.record(Duration::from_millis(5));
            snapshot.interval.insert("ready".to_owned(), histogram);
            log.write(&snapshot).unwrap();
        }
        let tags: Vec<_> = IntervalLogIterator::new(&out)
            .filter_map(|entry| match entry.unwrap() {
                LogEntry::Interval(i) => Some((i.tag().unwrap().as_str().to_owned(), i.start_timestamp())),
                _ => None,
            })
            .collect();
        assert_eq!(
            tags,
            [
                ("ready".to_owned(), Duration::ZERO),
                ("ready".to_owned(), Duration::from_secs(1))
            ]
        );
    }
}
