//! Writing the journal.

use clw_core::journal::{Header, Record, SessionRecord, Trailer};
use clw_core::snapshot::Snapshot;
use std::io::{self, BufWriter, Write};

/// Writes records through a buffer that is flushed at each interval, so that a killed run loses one interval at most.
#[derive(Debug)]
pub struct JournalWriter<W: Write> {
    out: BufWriter<W>,
    sessions: u64,
}

impl<W: Write> JournalWriter<W> {
    /// Writes the header.
    pub fn new(out: W, header: Header) -> io::Result<Self> {
        let mut writer = Self {
            out: BufWriter::with_capacity(64 << 10, out),
            sessions: 0,
        };
        writer.write(&Record::Header(Box::new(header)))?;
        writer.out.flush()?;
        Ok(writer)
    }

    /// Writes a connection that ended.
    pub fn session(&mut self, session: SessionRecord) -> io::Result<()> {
        self.sessions += 1;
        self.write(&Record::Session(Box::new(session)))
    }

    /// Writes the state of the run, and flushes.
    pub fn interval(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        self.out.write_all(snapshot.to_line().as_bytes())?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }

    /// Writes the trailer, and flushes.
    pub fn finish(mut self, elapsed_us: u64, interrupted: bool) -> io::Result<()> {
        let sessions = self.sessions;
        self.write(&Record::Trailer(Trailer {
            elapsed_us,
            sessions,
            interrupted,
        }))?;
        self.out.flush()
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        self.out.write_all(record.to_line().as_bytes())?;
        self.out.write_all(b"\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clw_core::journal::Reader;

    const SESSION: &str = r#"{"session":4,"stage":"auth","verdict":"clw-auth-failed"}"#;

    #[test]
    fn what_is_written_reads_back() {
        let mut out = Vec::new();
        let mut journal = JournalWriter::new(&mut out, Header::default()).unwrap();
        let session: SessionRecord = serde_json::from_str(SESSION).unwrap();
        journal.session(session.clone()).unwrap();
        journal.interval(&Snapshot::default()).unwrap();
        journal.finish(7, true).unwrap();
        let mut reader = Reader::new("memory", &out[..]);
        let records: Vec<Record> = reader.by_ref().map(Result::unwrap).collect();
        assert!(reader.warnings().is_empty());
        assert_eq!(records[1], Record::Session(Box::new(session)));
        assert_eq!(
            records[3],
            Record::Trailer(Trailer {
                elapsed_us: 7,
                sessions: 1,
                interrupted: true
            })
        );
    }

    #[test]
    fn an_interval_brings_everything_before_it_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal =
            JournalWriter::new(std::fs::File::create(&path).unwrap(), Header::default()).unwrap();
        journal.session(serde_json::from_str(SESSION).unwrap()).unwrap();
        journal.interval(&Snapshot::default()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3);
    }
}
