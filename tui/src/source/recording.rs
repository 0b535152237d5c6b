//! A file to be replayed: a journal (`clw-bench --journal`), a saved telemetry stream, or a capture, which is made into one.
//!
//! Opening reads the file once, to know its times, its sources and where incidents begin. Snapshots are read again when
//! they are due: their histograms take megabytes, and hours of them would not fit.

use super::capture::{Narrow, TranscodeError, transcode};
use super::packed::{Packing, unpack};
use super::{LineError, read_line, within_bounds};
use crate::model::Model;
use clw_core::journal::{self, SessionRecord};
use clw_core::snapshot::{Snapshot, SnapshotError};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// First bytes of captures: pcap in both byte orders and resolutions, pcapng.
const CAPTURE_MAGIC: [[u8; 4]; 5] = [
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x0a, 0x0d, 0x0d, 0x0a],
];
/// Sources of one file at most.
const MAX_SOURCES: usize = 32;

/// A line, when it is due.
#[derive(Debug)]
pub enum Entry {
    /// A source told where it is.
    Snapshot(usize, Box<Snapshot>),
    /// A session is over.
    Record(Box<SessionRecord>),
}

/// Why a file cannot be replayed.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// Reading failed.
    #[error("cannot read {path}: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// A line is no entry.
    #[error("{path}, line {line}: {cause}")]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        cause: String,
    },
    /// Packets.
    #[error(transparent)]
    Capture(#[from] TranscodeError),
    /// Something packed that cannot be unpacked.
    #[error("{path}: cannot be unpacked: {cause}")]
    Unpacking {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Nothing to show.
    #[error(
        "{0} holds no snapshot: is it a journal (clw-bench --journal), a saved telemetry stream or a capture?"
    )]
    Empty(PathBuf),
}

#[derive(Clone, Copy, Debug)]
enum What {
    Snapshot(usize),
    Record,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    offset: u64,
    bytes: usize,
    what: What,
    at_us: u64,
}

/// An indexed file.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    file: File,
    places: Vec<Place>,
    labels: Vec<String>,
    incidents_us: Vec<u64>,
    /// The run's start as the journal's header tells it; 0 without one.
    began_unix_us: u64,
    /// What was wrong at its end, in words: a file that was cut is replayed as far as it goes.
    pub cut: Option<String>,
}

/// A line of a journal is told by its `type`.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    ended_us: u64,
}

impl Recording {
    /// Reads a file through. `narrow` says which connections of a capture count.
    pub fn open(path: &Path, narrow: Narrow) -> Result<Self, RecordingError> {
        let io = |cause| RecordingError::Io {
            path: path.to_owned(),
            cause,
        };
        let mut file = File::open(path).map_err(io)?;
        let mut magic = magic_of(&file).map_err(io)?;
        if let Some(packing) = Packing::of(magic) {
            let cannot = |cause| RecordingError::Unpacking {
                path: path.to_owned(),
                cause,
            };
            file.rewind().map_err(io)?;
            file = unpack(&file, packing).map_err(cannot)?;
            magic = magic_of(&file).map_err(io)?;
        }
        if CAPTURE_MAGIC.contains(&magic) {
            // The analyzer unpacks by itself.
            file = transcode(path, narrow)?;
        }
        (&file).rewind().map_err(io)?;
        let mut recording = Self {
            path: path.to_owned(),
            file: file.try_clone().map_err(io)?,
            places: Vec::new(),
            labels: Vec::new(),
            incidents_us: Vec::new(),
            began_unix_us: 0,
            cut: None,
        };
        recording.index(&file)?;
        if recording.labels.is_empty() {
            return Err(RecordingError::Empty(path.to_owned()));
        }
        Ok(recording)
    }

    /// The sources' names.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// When each entry happened, in microseconds since the run's start.
    pub fn times_us(&self) -> impl Iterator<Item = u64> {
        self.places.iter().map(|p| p.at_us)
    }

    /// When each incident is raised.
    pub fn incidents_us(&self) -> Vec<u64> {
        self.incidents_us.clone()
    }

    fn index(&mut self, file: &File) -> Result<(), RecordingError> {
        let mut from = BufReader::with_capacity(1 << 16, file);
        let mut line = String::new();
        let mut sources: BTreeMap<String, usize> = BTreeMap::new();
        let mut scout = Model::new((0..MAX_SOURCES).map(|i| i.to_string()));
        let (mut offset, mut number) = (0, 0);
        loop {
            number += 1;
            match read_line(&mut from, &mut line) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                // A run that was killed leaves half a line; what is before it is good.
                Err(LineError::Cut) if !self.places.is_empty() => {
                    self.cut = Some(format!("the file is cut off in line {number}"));
                    return Ok(());
                }
                Err(error) => return Err(self.wrong(number, &error)),
            }
            let bytes = line.len();
            let start = offset;
            offset = from.stream_position().map_err(|cause| RecordingError::Io {
                path: self.path.clone(),
                cause,
            })?;
            if line.trim().is_empty() {
                continue;
            }
            let head: Head = serde_json::from_str(&line)
                .map_err(|e| self.wrong(number, &format_args!("neither journal nor telemetry: {e}")))?;
            // A session's end may be told a little after the snapshot that was taken after it: lines are due in order.
            let latest = self.places.last().map_or(0, |p| p.at_us);
            let place = |what, at_us: u64| Place {
                offset: start,
                bytes,
                what,
                at_us: at_us.max(latest),
            };
            match head.kind.as_deref() {
                Some("header") => self.take_header(number, &line)?,
                Some("trailer") => {}
                Some("session") => self.places.push(place(What::Record, head.ended_us)),
                _ => {
                    let snapshot = scan(&line).map_err(|e| self.wrong(number, &e))?;
                    if !within_bounds(&snapshot) {
                        return Err(self.wrong(number, &"figures that no run can have"));
                    }
                    let next = sources.len();
                    if next >= MAX_SOURCES && !sources.contains_key(&snapshot.source) {
                        return Err(self.wrong(number, &"more than 32 sources"));
                    }
                    let source = *sources.entry(snapshot.source.clone()).or_insert(next);
                    if source == next {
                        self.labels.push(label(&snapshot.source));
                    }
                    let at_us = snapshot.elapsed_us;
                    self.places.push(place(What::Snapshot(source), at_us));
                    let before = scout.incidents().all().len();
                    scout.absorb(source, snapshot, Duration::from_micros(at_us));
                    if scout.incidents().all().len() > before {
                        self.incidents_us.push(at_us.max(latest));
                    }
                }
            }
        }
    }

    /// Reads an entry again.
    pub fn entry(&mut self, index: usize) -> Result<Option<Entry>, RecordingError> {
        let Some(place) = self.places.get(index).copied() else {
            return Ok(None);
        };
        let io = |cause| RecordingError::Io {
            path: self.path.clone(),
            cause,
        };
        let mut bytes = vec![0; place.bytes];
        self.file.seek(SeekFrom::Start(place.offset)).map_err(io)?;
        self.file.read_exact(&mut bytes).map_err(io)?;
        let text = String::from_utf8_lossy(&bytes);
        let wrong = |cause: String| RecordingError::Line {
            path: self.path.clone(),
            line: index + 1,
            cause,
        };
        Ok(match place.what {
            What::Snapshot(source) => {
                let mut snapshot = Snapshot::parse_line(&text).map_err(|e| wrong(e.to_string()))?;
                if snapshot.began_unix_us == 0 {
                    snapshot.began_unix_us = self.began_unix_us;
                }
                within_bounds(&snapshot).then(|| Entry::Snapshot(source, Box::new(snapshot)))
            }
            What::Record => {
                let record = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
                Some(Entry::Record(Box::new(record)))
            }
        })
    }

    fn take_header(&mut self, number: usize, line: &str) -> Result<(), RecordingError> {
        let header: journal::Header = serde_json::from_str(line).map_err(|e| self.wrong(number, &e))?;
        if header.schema == journal::SCHEMA {
            self.began_unix_us = header.started_unix_us;
            return Ok(());
        }
        let says = format!(
            "a journal of schema {}, this release reads {}: use the same release on both sides",
            header.schema,
            journal::SCHEMA
        );
        Err(self.wrong(number, &says))
    }

    fn wrong(&self, line: usize, cause: &dyn std::fmt::Display) -> RecordingError {
        let cause: String = cause
            .to_string()
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect();
        RecordingError::Line {
            path: self.path.clone(),
            line,
            cause,
        }
    }
}

/// The first bytes, or zeros.
fn magic_of(mut file: &File) -> io::Result<[u8; 4]> {
    let mut magic = [0; 4];
    match file.read_exact(&mut magic) {
        Ok(()) => Ok(magic),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok([0; 4]),
        Err(e) => Err(e),
    }
}

/// A source's name, fit to be shown.
fn label(source: &str) -> String {
    source.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// A snapshot without its histograms, which are most of the work.
fn scan(line: &str) -> Result<Snapshot, SnapshotError> {
    let mut value: serde_json::Value =
        serde_json::from_str(line).map_err(|e| SnapshotError::NotTelemetry(e.to_string()))?;
    if let Some(object) = value.as_object_mut() {
        object.remove("interval");
    }
    Snapshot::parse_line(&value.to_string())
}
