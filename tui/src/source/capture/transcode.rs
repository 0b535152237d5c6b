//! A capture file as a telemetry stream, to be replayed like any other recording.

use super::{Ledger, Narrow};
use clw_analyzer::source::{Capture, Item, SourceError};
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use thiserror::Error;

/// One interval of the capture's time, in nanoseconds.
const INTERVAL_NS: u64 = 1_000_000_000;
/// In a silence, intervals that are told one by one; the rest of it is told as one.
const TOLD_OF_A_SILENCE: u64 = 4;

/// Why a capture cannot be replayed.
#[derive(Debug, Error)]
pub enum TranscodeError {
    /// It cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// What it is made into needs room.
    #[error("cannot write to a temporary file: {0} (TMPDIR names the folder)")]
    Temporary(#[from] io::Error),
    /// Nothing in it.
    #[error("{path}: {packets} packets, and no session in them{hint}")]
    NoSession {
        /// The file.
        path: String,
        /// How many there were.
        packets: u64,
        /// What may help.
        hint: &'static str,
    },
}

/// Reads `path` through and writes a snapshot for each second of it into an unnamed temporary file.
pub fn transcode(path: &Path, narrow: Narrow) -> Result<File, TranscodeError> {
    let mut capture = Capture::open(&[path.to_owned()])?;
    let mut ledger = Ledger::new(path.display().to_string(), narrow);
    let mut out = BufWriter::new(tempfile::tempfile()?);
    while let Some(item) = capture.next()? {
        match item {
            Item::Secrets(text) => ledger.secrets(text),
            Item::Frame(frame) => {
                ledger.begin(frame.at_ns);
                let mut told = 0;
                while frame.at_ns.saturating_sub(ledger.told_ns()) >= INTERVAL_NS {
                    told += 1;
                    let next_ns = ledger.told_ns() + INTERVAL_NS;
                    let at_ns = if told <= TOLD_OF_A_SILENCE {
                        next_ns
                    } else {
                        frame.at_ns
                    };
                    writeln!(out, "{}", ledger.tell(at_ns).to_line())?;
                }
                ledger.feed(&frame);
            }
        }
    }
    let dropped = capture.summary().dropped().unwrap_or(0);
    ledger.dropped(dropped);
    let last = ledger.end();
    if last.counters.sessions.started == 0 {
        return Err(TranscodeError::NoSession {
            path: path.display().to_string(),
            packets: ledger.packets(),
            hint: if narrow.port.is_some() {
                " on that --port"
            } else {
                ": encrypted sessions are found by --port N"
            },
        });
    }
    writeln!(out, "{}", last.to_line())?;
    out.into_inner().map_err(|e| e.into_error().into())
}
