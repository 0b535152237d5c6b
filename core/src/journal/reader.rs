//! Reading a journal, whole or cut.

use super::record::{Record, SCHEMA};
use crate::snapshot::{FormatError, MAX_LINE_BYTES};
use std::io::{self, BufRead, Read as _};
use thiserror::Error;

/// How many warnings are kept; more are only counted.
pub const MAX_WARNINGS: usize = 20;

/// A file that cannot be read as a journal.
#[derive(Debug, Error)]
pub enum JournalError {
    /// Its first line is no journal's header.
    #[error("{name}, line 1: {source}")]
    Header {
        /// The file.
        name: String,
        /// What is wrong.
        #[source]
        source: FormatError,
    },
    /// Reading failed.
    #[error("{name}, line {line}: cannot be read: {source}")]
    Io {
        /// The file.
        name: String,
        /// The line.
        line: u64,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Reads records one by one. Lines that cannot be read are passed over with a warning that names file and line.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    name: String,
    line: u64,
    buffer: Vec<u8>,
    warnings: Vec<String>,
    more_warnings: u64,
    ended: bool,
    trailer_seen: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads from `input`, which people know as `name`.
    pub fn new(name: impl Into<String>, input: R) -> Self {
        Self {
            input,
            name: name.into(),
            line: 0,
            buffer: Vec::new(),
            warnings: Vec::new(),
            more_warnings: 0,
            ended: false,
            trailer_seen: false,
        }
    }

    /// What was passed over so far, at most [`MAX_WARNINGS`] lines, one text that counts the rest, and one on the end.
    pub fn warnings(&self) -> Vec<String> {
        let mut all = self.warnings.clone();
        if self.more_warnings > 0 {
            all.push(format!(
                "{}: {} more lines could not be read",
                self.name, self.more_warnings
            ));
        }
        all
    }

    fn warn(&mut self, text: String) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(text);
        } else {
            self.more_warnings += 1;
        }
    }

    /// Reads the next line into the buffer. `Some(whole)` says whether its newline was there.
    fn next_line(&mut self) -> io::Result<Option<bool>> {
        self.buffer.clear();
        let limit = MAX_LINE_BYTES as u64 + 1;
        if self
            .input
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut self.buffer)?
            == 0
        {
            return Ok(None);
        }
        self.line += 1;
        let whole = self.buffer.ends_with(b"\n");
        if !whole && self.buffer.len() > MAX_LINE_BYTES {
            // Too long to keep: pass over the rest of it, piece by piece.
            loop {
                let available = self.input.fill_buf()?;
                let newline = available.iter().position(|&byte| byte == b'\n');
                let (used, last) = (newline.map_or(available.len(), |at| at + 1), available.is_empty());
                self.input.consume(used);
                if newline.is_some() || last {
                    return Ok(Some(true));
                }
            }
        }
        Ok(Some(whole))
    }

    fn end(&mut self) {
        self.ended = true;
        if self.line == 0 {
            self.warnings.push(format!("{}: it is empty", self.name));
        } else if !self.trailer_seen {
            self.warnings.push(format!(
                "{}, line {}: the journal has no trailer: the run was killed, or is still going",
                self.name, self.line
            ));
        }
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Record, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let whole = match self.next_line() {
                Ok(Some(whole)) => whole,
                Ok(None) => {
                    self.end();
                    return None;
                }
                Err(source) => {
                    self.ended = true;
                    let (name, line) = (self.name.clone(), self.line + 1);
                    return Some(Err(JournalError::Io { name, line, source }));
                }
            };
            if self.buffer.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let record = match std::str::from_utf8(&self.buffer) {
                Ok(text) => Record::parse_line(text.trim_end()),
                Err(_) => Err(FormatError::Invalid {
                    expected: SCHEMA,
                    what: "it is not UTF-8".to_owned(),
                }),
            };
            let line = self.line;
            match record {
                Ok(Record::Unknown) => {}
                Ok(record) => {
                    if line == 1 && !matches!(record, Record::Header(_)) {
                        self.ended = true;
                        let found = "its first line is no header".to_owned();
                        let source = FormatError::NotOurs {
                            expected: SCHEMA,
                            found,
                        };
                        return Some(Err(JournalError::Header {
                            name: self.name.clone(),
                            source,
                        }));
                    }
                    self.trailer_seen |= matches!(record, Record::Trailer(_));
                    return Some(Ok(record));
                }
                Err(source) if line == 1 => {
                    self.ended = true;
                    return Some(Err(JournalError::Header {
                        name: self.name.clone(),
                        source,
                    }));
                }
                Err(_) if !whole => {
                    let name = self.name.clone();
                    self.warn(format!(
                        "{name}, line {line}: the last line is cut; it was passed over"
                    ));
                }
                Err(error) => {
                    let name = self.name.clone();
                    self.warn(format!("{name}, line {line}: passed over: {error}"));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Close, Header, Heartbeats, SessionRecord, Trailer};
    use super::*;
    use crate::Stage;
    use crate::snapshot::{Snapshot, Target};
    use crate::verdict::{EndingKind, Side, Verdict};
    use proptest::prelude::*;

    fn records() -> Vec<Record> {
        let session = SessionRecord {
            session: 7,
            attempt: 1,
            identity: "sha256:0011aabb".to_owned(),
            role: "operator".to_owned(),
            client: "127.0.0.1:41234".to_owned(),
            server: "127.0.0.1:18789".to_owned(),
            scheduled_us: 10,
            started_us: 12,
            stages_us: [(Stage::Upgrade, 300), (Stage::Ready, 900)].into(),
            ended_us: 5_000_000,
            stage: Stage::Ready,
            verdict: Verdict::ServerRestart,
            confidence: 0.9,
            by: Side::Server,
            close: Some(Close {
                code: Some(1012),
                reason: "service restart".to_owned(),
                by: Side::Server,
            }),
            ending: EndingKind::Fin,
            evidence: vec!["close 1012 from the server".to_owned()],
            heartbeats: Heartbeats { sent: 3, missed: 0 },
            reconnect_after_ms: Some(250),
        };
        let header = Header::new(
            "0.1.0".to_owned(),
            "2026-01-01T00:00:00Z".to_owned(),
            Target::default(),
            serde_json::json!({"seed": 1}),
        );
        vec![
            Record::Header(Box::new(header)),
            Record::Session(Box::new(session)),
            Record::Snapshot(Box::default()),
            Record::Trailer(Trailer {
                elapsed_us: 9,
                sessions: 1,
                interrupted: false,
            }),
        ]
    }

    fn text() -> String {
        records().iter().map(|record| record.to_line() + "\n").collect()
    }

    fn read(text: &[u8]) -> (Vec<Record>, Vec<String>, Option<JournalError>) {
        let mut reader = Reader::new("run.journal", text);
        let (mut records, mut error) = (Vec::new(), None);
        for record in reader.by_ref() {
            match record {
                Ok(record) => records.push(record),
                Err(failed) => error = Some(failed),
            }
        }
        (records, reader.warnings(), error)
    }

    #[test]
    fn a_journal_reads_back_as_it_was_written() {
        let (read, warnings, error) = read(text().as_bytes());
        assert_eq!(read, records());
        assert!(warnings.is_empty() && error.is_none(), "{warnings:?} {error:?}");
        assert!(
            text().starts_with(r#"{"record":"header","schema":"clw.journal/1""#),
            "{}",
            text()
        );
    }

    #[test]
    fn a_journal_cut_anywhere_gives_its_whole_lines_and_a_warning() {
        let text = text();
        let first = text.find('\n').unwrap();
        for end in first + 1..text.len() - 1 {
            let (read, warnings, error) = read(&text.as_bytes()[..end]);
            assert!(error.is_none());
            let newlines = text[..end].matches('\n').count();
            // A last line that only lacks its newline is whole.
            assert!(read.len() == newlines || read.len() == newlines + 1, "{end}");
            assert_eq!(read[..], records()[..read.len()]);
            let last = newlines + usize::from(!text[..end].ends_with('\n'));
            assert!(
                warnings
                    .iter()
                    .any(|w| w.starts_with(&format!("run.journal, line {last}: "))),
                "{end} {warnings:?}"
            );
        }
    }

    #[test]
    fn lines_that_cannot_be_read_are_passed_over_and_named() {
        let mut lines: Vec<String> = text().lines().map(str::to_owned).collect();
        lines.insert(1, r#"{"record":"session","session":"x"}"#.to_owned());
        lines.insert(2, r#"{"record":"of a later release","a":1}"#.to_owned());
        lines.insert(3, "x".repeat(MAX_LINE_BYTES + 10));
        let (read, warnings, _) = read(lines.join("\n").as_bytes());
        assert_eq!(read, records());
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(
            warnings[0].starts_with("run.journal, line 2: ")
                && warnings[1].starts_with("run.journal, line 4: ")
        );
    }

    #[test]
    fn what_is_no_journal_is_refused_at_its_first_line() {
        for text in [
            "hello\n",
            "{\"schema\":\"clw.bench/1\"}\n",
            "{\"record\":\"trailer\"}\n",
        ] {
            let (read, _, error) = read(text.as_bytes());
            assert!(read.is_empty());
            assert!(
                error.unwrap().to_string().starts_with("run.journal, line 1: "),
                "{text}"
            );
        }
        let newer = text().replace("clw.journal/1", "clw.journal/2");
        assert!(read(newer.as_bytes()).2.unwrap().to_string().contains("newer"));
        assert_eq!(read(b"").1, ["run.journal: it is empty"]);
    }

    #[test]
    fn warnings_are_bounded() {
        let bad = "{\"record\":\"session\"}\n".repeat(500);
        let (_, warnings, _) = read((records()[0].to_line() + "\n" + &bad).as_bytes());
        assert_eq!(warnings.len(), MAX_WARNINGS + 2);
        assert!(warnings[MAX_WARNINGS + 1].contains("480 more"), "{warnings:?}");
    }

    #[test]
    fn a_snapshot_line_is_the_same_as_in_the_telemetry() {
        assert_eq!(
            Record::Snapshot(Box::default()).to_line(),
            Snapshot::default().to_line()
        );
    }

    proptest! {
        #[test]
        fn any_bytes_end_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let (_, warnings, error) = read(&[records()[0].to_line().as_bytes(), b"\n", &bytes].concat());
            prop_assert!(error.is_none());
            prop_assert!(!warnings.is_empty());
        }
    }
}
