//! One snapshot and its line of JSON.

use super::format::{self, FormatError, Name, Tag};
use crate::Dialect;
use crate::histogram::Named;
use crate::tally::{Counters, Gauges, Tally};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The schema of a line.
pub const SCHEMA: &str = "clw.snapshot/1";

/// A longer line is not read: some forty full histograms.
pub const MAX_LINE_BYTES: usize = 8 << 20;

/// What the run is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Checks before the first session.
    #[default]
    Starting,
    /// Sessions are being started towards the number asked for.
    Ramp,
    /// The load asked for is up.
    Steady,
    /// No more starts: sessions log out.
    Drain,
    /// Over.
    Done,
    /// A phase of a later release.
    #[serde(other)]
    Other,
}

impl Phase {
    /// The name used in snapshots.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ramp => "ramp",
            Self::Steady => "steady",
            Self::Drain => "drain",
            Self::Done => "done",
            Self::Other => "other",
        }
    }
}

/// What is loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its URL, without credentials.
    pub url: String,
    /// What is spoken.
    pub dialect: Dialect,
    /// The server's version, where it told one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_version: Option<String>,
}

/// What the generator's process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Generator {
    /// CPU time, user and system, since its start.
    pub cpu_us: u64,
    /// Resident memory now.
    pub rss_bytes: u64,
    /// The most resident memory there was.
    pub rss_peak_bytes: u64,
    /// Open file descriptors.
    pub open_fds: u64,
}

impl Generator {
    /// Adds another process's.
    pub fn merge(&mut self, other: &Self) {
        self.cpu_us = self.cpu_us.saturating_add(other.cpu_us);
        self.rss_bytes = self.rss_bytes.saturating_add(other.rss_bytes);
        self.rss_peak_bytes = self.rss_peak_bytes.saturating_add(other.rss_peak_bytes);
        self.open_fds = self.open_fds.saturating_add(other.open_fds);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct SnapshotName;

impl Name for SnapshotName {
    const NAME: &'static str = SCHEMA;
}

/// The state of a source at one instant: cumulative counters, gauges, and the histograms of the interval before it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    schema: Tag<SnapshotName>,
    /// Who says so: `worker-3`, `run`; unique within what is aggregated.
    pub source: String,
    /// Rises by one with each snapshot of the source.
    pub seq: u64,
    /// Since the start of the run.
    pub elapsed_us: u64,
    /// How long the interval was that the histograms are of.
    pub interval_us: u64,
    /// What the run is doing.
    pub phase: Phase,
    /// What is loaded.
    pub target: Target,
    /// What is the case now.
    pub gauges: Gauges,
    /// Since the start of the run.
    pub counters: Counters,
    /// Of the interval; those with values only.
    pub histograms: Named,
    /// What the generator uses.
    pub generator: Generator,
    /// Up to three evidence texts for each verdict, since the start of the run.
    pub samples: BTreeMap<String, Vec<String>>,
    /// What happened in the interval, for people.
    pub notes: Vec<String>,
}

/// What a snapshot says besides counters and histograms.
#[derive(Clone, Debug, Default)]
pub struct Stamp {
    /// See [`Snapshot::source`].
    pub source: String,
    /// See [`Snapshot::seq`].
    pub seq: u64,
    /// See [`Snapshot::elapsed_us`].
    pub elapsed_us: u64,
    /// See [`Snapshot::interval_us`].
    pub interval_us: u64,
    /// See [`Snapshot::phase`].
    pub phase: Phase,
    /// See [`Snapshot::target`].
    pub target: Target,
    /// See [`Snapshot::generator`].
    pub generator: Generator,
    /// See [`Snapshot::notes`].
    pub notes: Vec<String>,
}

impl Snapshot {
    /// A snapshot of a worker's tally. Takes the interval's histograms out of it.
    pub fn take(tally: &mut Tally, stamp: Stamp) -> Self {
        let samples = tally.samples().iter();
        let samples = samples
            .map(|(verdict, texts)| (verdict.name().to_owned(), texts.clone()))
            .collect();
        Self {
            gauges: tally.gauges,
            counters: tally.counters.clone(),
            histograms: tally.interval().histograms,
            samples,
            ..Self::stamped(stamp)
        }
    }

    /// A snapshot with nothing counted.
    pub fn stamped(stamp: Stamp) -> Self {
        Self {
            source: stamp.source,
            seq: stamp.seq,
            elapsed_us: stamp.elapsed_us,
            interval_us: stamp.interval_us,
            phase: stamp.phase,
            target: stamp.target,
            generator: stamp.generator,
            notes: stamp.notes,
            ..Self::default()
        }
    }

    /// One line of JSON, without the newline.
    pub fn to_line(&self) -> String {
        // Only maps whose keys are no strings fail, and there are none.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads one line. Unknown fields are ignored. No more memory is taken than the line and its histograms need.
    pub fn parse_line(line: &str) -> Result<Self, FormatError> {
        let length = line.len();
        if length > MAX_LINE_BYTES {
            return Err(FormatError::TooLong {
                expected: SCHEMA,
                length,
                limit: MAX_LINE_BYTES,
            });
        }
        format::read(line, SCHEMA)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Metric;
    use crate::verdict::Verdict;
    use proptest::prelude::*;
    use std::time::Duration;

    fn sample() -> Snapshot {
        let mut tally = Tally::new(&["health".to_owned()]);
        tally.record(Metric::Ready, Duration::from_millis(3));
        tally.rpc_answered(0, Duration::from_millis(4), Duration::from_millis(2), true);
        tally
            .counters
            .ending(Verdict::AuthFailed, crate::Stage::Auth, true);
        tally.sample(Verdict::AuthFailed, || "close 1008".to_owned());
        Snapshot::take(
            &mut tally,
            Stamp {
                source: "worker-1".to_owned(),
                seq: 4,
                elapsed_us: 4_000_000,
                interval_us: 1_000_000,
                phase: Phase::Ramp,
                notes: vec!["a note".to_owned()],
                ..Stamp::default()
            },
        )
    }

    #[test]
    fn a_line_reads_back_as_it_was_written() {
        let snapshot = sample();
        let line = snapshot.to_line();
        assert!(
            line.starts_with(r#"{"schema":"clw.snapshot/1","source":"worker-1","seq":4"#),
            "{line}"
        );
        assert!(!line.contains('\n'));
        assert_eq!(Snapshot::parse_line(&line).unwrap(), snapshot);
    }

    #[test]
    fn unknown_fields_and_phases_are_passed_over() {
        let line = r#"{"schema":"clw.snapshot/1","seq":2,"phase":"warp","new":{"x":[1]},"gauges":{"ready":3,"z":1}}"#;
        let read = Snapshot::parse_line(line).unwrap();
        assert_eq!((read.seq, read.phase, read.gauges.ready), (2, Phase::Other, 3));
    }

    #[test]
    fn every_wrong_line_has_words_of_its_own() {
        let words = |line: &str| Snapshot::parse_line(line).unwrap_err().to_string();
        assert!(words("hello").contains("not a JSON object"));
        assert!(words("").contains("empty"));
        assert!(words("{}").contains("no text field `schema`"));
        assert!(words(r#"{"schema":"clw.bench/1"}"#).contains("its schema is `clw.bench/1`"));
        assert!(words(r#"{"schema":"clw.snapshot/0"}"#).contains("older"));
        assert!(words(r#"{"schema":"clw.snapshot/12"}"#).contains("update this tool"));
        assert!(words(r#"{"schema":"clw.snapshot/1","seq":"x"}"#).contains("wrong field"));
        let line = sample().to_line();
        assert!(matches!(
            Snapshot::parse_line(&line[..line.len() - 3]),
            Err(FormatError::Cut { .. })
        ));
        assert!(matches!(
            Snapshot::parse_line(&" ".repeat(MAX_LINE_BYTES + 1)),
            Err(FormatError::TooLong { .. })
        ));
    }

    #[test]
    fn a_line_cut_anywhere_is_called_cut() {
        let line = sample().to_line();
        for end in 1..line.len() {
            let error = Snapshot::parse_line(&line[..end]).unwrap_err();
            assert!(matches!(error, FormatError::Cut { .. }), "{end}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_read_but_never_panics(text in ".{0,200}") {
            prop_assert!(Snapshot::parse_line(&text).is_err());
        }

        #[test]
        fn a_changed_byte_is_refused_or_read_but_never_panics(at in 0_usize..2000, byte in 0x20_u8..0x7f) {
            let mut line = sample().to_line().into_bytes();
            let at = at % line.len();
            line[at] = byte;
            if let Ok(read) = Snapshot::parse_line(std::str::from_utf8(&line).unwrap()) {
                let schema_first = read.to_line().starts_with(r#"{"schema":"clw.snapshot/1""#);
                prop_assert!(schema_first);
            }
        }
    }
}
