//! `--journal`: lines as they come, pushed out once an interval so that a crash loses at most one.

use super::file::WriteError;
use clw_core::journal::{Header, Line, SessionRecord, Trailer};
use clw_core::snapshot::Snapshot;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A journal being written.
pub struct Journal {
    out: BufWriter<Box<dyn Write>>,
    path: PathBuf,
    sessions: u64,
}

impl Journal {
    /// Begins one; `-` is standard output.
    pub fn create(path: &Path, header: Header) -> Result<Self, WriteError> {
        let out: Box<dyn Write> = if path == Path::new("-") {
            Box::new(io::stdout())
        } else {
            Box::new(File::create(path).map_err(|e| WriteError::new(path, e))?)
        };
        let mut journal = Self {
            out: BufWriter::new(out),
            path: path.to_owned(),
            sessions: 0,
        };
        journal.line(&Line::Header(header))?;
        Ok(journal)
    }

    /// A connection's line.
    pub fn session(&mut self, record: Box<SessionRecord>) -> Result<(), WriteError> {
        self.sessions += 1;
        self.line(&Line::Session(record))
    }

    /// The run so far; everything before it is on disk when this returns.
    pub fn snapshot(&mut self, snapshot: &Snapshot) -> Result<(), WriteError> {
        // Its connections have lines of their own.
        let snapshot = Snapshot {
            recent: Vec::new(),
            ..snapshot.clone()
        };
        self.line(&Line::Snapshot(Box::new(snapshot)))?;
        self.out
            .flush()
            .or_else(ignore_broken_pipe)
            .map_err(|e| WriteError::new(&self.path, e))
    }

    /// The end.
    pub fn finish(mut self, interrupted: bool) -> Result<(), WriteError> {
        let sessions = self.sessions;
        self.line(&Line::Trailer(Trailer {
            sessions,
            interrupted,
        }))?;
        self.out
            .flush()
            .or_else(ignore_broken_pipe)
            .map_err(|e| WriteError::new(&self.path, e))
    }

    fn line(&mut self, line: &Line) -> Result<(), WriteError> {
        let written = serde_json::to_writer(&mut self.out, line)
            .map_err(io::Error::from)
            .and_then(|()| self.out.write_all(b"\n"));
        written
            .or_else(ignore_broken_pipe)
            .map_err(|e| WriteError::new(&self.path, e))
    }
}

fn ignore_broken_pipe(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        Ok(())
    } else {
        Err(error)
    }
}
