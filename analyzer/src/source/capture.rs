//! Several files as one capture in time order.
//!
//! A rotated set can have thousands of files. Each is looked at once, for its first timestamp, and opened again only when
//! the merge has come to that time; files that follow each other are open one at a time.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{collections::VecDeque, fs};

use super::error::SourceError;
use super::file::{CaptureFile, Record, name_of};
use super::inputs::{self, Inputs};
use super::link_type::LinkType;
use super::summary::CaptureSummary;

/// Captures open at the same moment. With their windows they stay below 64 MiB.
pub(super) const OPEN_FILES_MAX: usize = 200;
/// Window of a single input, in bytes: what is read stays in a core's cache until it is decoded.
const ROOM_ALONE: usize = 256 << 10;
/// Window of each of several inputs, in bytes.
const ROOM_AMONG_MANY: usize = 256 << 10;

/// What a capture consists of.
#[derive(Clone, Debug)]
pub enum Item<'a> {
    /// A packet.
    Frame(Frame<'a>),
    /// TLS secrets from the capture itself, as key log text (`SSLKEYLOGFILE`). They come before the packets they open.
    Secrets(&'a [u8]),
}

/// A packet as it was captured.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    /// From 1, over all files in time order.
    pub number: u64,
    /// When it was captured, in nanoseconds since the Unix epoch.
    pub at_ns: u64,
    /// Interface it was captured on: index in [`CaptureSummary::interfaces`].
    pub interface: u32,
    /// What its bytes begin with.
    pub link: LinkType,
    /// Its bytes, as far as they were captured.
    pub data: &'a [u8],
    /// Its length on the wire.
    pub original_len: u32,
    /// File it is from: index in [`CaptureSummary::files`].
    pub file: u32,
}

/// One or more captures, read as one.
///
/// ```no_run
/// # fn main() -> Result<(), clw_analyzer::source::SourceError> {
/// use clw_analyzer::source::{Capture, Item};
/// let mut capture = Capture::open(&["incident.pcapng".into()])?;
/// while let Some(item) = capture.next()? {
///     if let Item::Frame(frame) = item {
///         println!("{} {} bytes", frame.number, frame.data.len());
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct Capture {
    /// Not opened yet, by first timestamp.
    waiting: VecDeque<Waiting>,
    active: Vec<Active>,
    /// Index in `active` of the file whose record was handed out last.
    current: usize,
    room: usize,
    read: Arc<AtomicU64>,
    summary: CaptureSummary,
}

struct Waiting {
    path: PathBuf,
    file: u32,
    /// Place among all files by first timestamp: decides between equal times.
    rank: usize,
    first_ns: u64,
    /// Already open, because it can be read only once.
    open: Option<CaptureFile>,
}

struct Active {
    reader: CaptureFile,
    file: u32,
    rank: usize,
    head: Option<Record>,
}

impl Capture {
    /// Opens files, folders (their captures, by name) and standard input (`-`).
    ///
    /// # Errors
    /// Whatever is named must exist and be a capture; the error names the file and says what is there instead.
    pub fn open(inputs: &[PathBuf]) -> Result<Self, SourceError> {
        let Inputs {
            files: paths,
            passed_over,
        } = inputs::expand(inputs)?;
        let mut capture = Self::empty(if paths.len() == 1 {
            ROOM_ALONE
        } else {
            ROOM_AMONG_MANY
        });
        capture.summary.files_passed_over = passed_over;
        capture.summary.bytes_total = paths.iter().map(|path| size_of(path)).sum();
        capture.summary.files = paths.iter().map(|path| name_of(path)).collect();
        if let [path] = paths.as_slice() {
            let reader = capture.open_file(path, 0)?;
            capture.activate(reader, 0, 0);
            return Ok(capture);
        }
        let mut waiting = Vec::with_capacity(paths.len());
        for (path, file) in paths.into_iter().zip(0..) {
            waiting.push(capture.look_at(path, file)?);
        }
        waiting.sort_by_key(|waiting| waiting.first_ns);
        for (rank, waiting) in waiting.iter_mut().enumerate() {
            waiting.rank = rank;
        }
        capture.waiting = waiting.into();
        Ok(capture)
    }

    /// A capture from any reader, called `name` in messages.
    pub fn from_reader(name: &str, reader: impl Read + Send + 'static) -> Result<Self, SourceError> {
        let mut capture = Self::empty(ROOM_ALONE);
        capture.summary.files = vec![name.to_owned()];
        let reader = CaptureFile::new(
            Box::new(reader),
            name,
            0,
            capture.room,
            &capture.read,
            &mut capture.summary,
        )?;
        capture.activate(reader, 0, 0);
        Ok(capture)
    }

    fn empty(room: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            active: Vec::new(),
            current: 0,
            room,
            read: Arc::new(AtomicU64::new(0)),
            summary: CaptureSummary::default(),
        }
    }

    /// The next packet or secrets in time order; `None` at the end of all inputs.
    ///
    /// Standard input is read no further than the packet handed out.
    #[allow(clippy::should_implement_trait)] // An iterator's items cannot borrow from it.
    pub fn next(&mut self) -> Result<Option<Item<'_>>, SourceError> {
        let record = self.next_record()?;
        self.summary.bytes_read = self.read.load(Ordering::Relaxed);
        let Some(record) = record else { return Ok(None) };
        let Some(Active { reader, file, .. }) = self.active.get(self.current) else {
            return Ok(None);
        };
        let frame = match record {
            Record::Secrets(range) => return Ok(Some(Item::Secrets(reader.bytes(range)))),
            Record::Frame(frame) => frame,
        };
        let data = reader.bytes(frame.data);
        let summary = &mut self.summary;
        summary.packets += 1;
        summary.bytes += data.len() as u64;
        summary.first_ns = Some(
            summary
                .first_ns
                .map_or(frame.at_ns, |first| first.min(frame.at_ns)),
        );
        summary.last_ns = Some(summary.last_ns.map_or(frame.at_ns, |last| last.max(frame.at_ns)));
        summary.truncated_packets += u64::from((data.len() as u64) < u64::from(frame.original_len));
        if let Some(interface) = summary.interface_mut(frame.interface) {
            interface.packets += 1;
        }
        Ok(Some(Item::Frame(Frame {
            number: summary.packets,
            at_ns: frame.at_ns,
            interface: frame.interface,
            link: frame.link,
            data,
            original_len: frame.original_len,
            file: *file,
        })))
    }

    /// Whether the next item can be handed out without waiting for anybody. What cannot be told without reading counts as no.
    #[inline]
    pub fn is_at_hand(&self) -> bool {
        let may_wait = self.waiting.front().is_some_and(|waiting| waiting.open.is_some());
        !may_wait
            && self
                .active
                .iter()
                .all(|active| active.head.is_some() || active.reader.is_at_hand())
    }

    /// What is known about the capture so far.
    pub fn summary(&self) -> &CaptureSummary {
        &self.summary
    }

    /// Notes that so many packets that were handed out are not analysed.
    pub fn count_skipped(&mut self, reason: &'static str, packets: u64) {
        self.summary.skip_many(reason, packets);
    }

    /// The record with the smallest time, leaving its file's index in `current`.
    #[inline]
    fn next_record(&mut self) -> Result<Option<Record>, SourceError> {
        if let [only] = self.active.as_mut_slice()
            && self.waiting.is_empty()
        {
            self.current = 0;
            return Ok(match only.head.take() {
                Some(head) => Some(head),
                None => only.reader.next(&mut self.summary),
            });
        }
        self.merge()
    }

    fn merge(&mut self) -> Result<Option<Record>, SourceError> {
        // Only the file handed out last lacks its head; taking it before now would wait on a pipe for nothing.
        let summary = &mut self.summary;
        self.active.retain_mut(|active| {
            if active.head.is_none() {
                active.head = active.reader.next(summary);
            }
            active.head.is_some()
        });
        loop {
            let earliest = self
                .active
                .iter()
                .enumerate()
                .min_by_key(|(_, active)| active.key());
            let is_due = match (&earliest, self.waiting.front()) {
                (Some((_, active)), Some(waiting)) => waiting.first_ns <= active.key().0,
                (None, Some(_)) => true,
                (_, None) => false,
            };
            if is_due {
                self.open_next()?;
                continue;
            }
            let Some((index, _)) = earliest else {
                return Ok(None);
            };
            self.current = index;
            return Ok(self.active.get_mut(index).and_then(|active| active.head.take()));
        }
    }

    /// Opens the next waiting file and takes its first record.
    fn open_next(&mut self) -> Result<(), SourceError> {
        let Some(waiting) = self.waiting.pop_front() else {
            return Ok(());
        };
        if self.active.len() >= OPEN_FILES_MAX {
            return Err(SourceError::TooManyAtOnce {
                name: name_of(&waiting.path),
            });
        }
        let mut reader = match waiting.open {
            Some(open) => open,
            None => self.open_file(&waiting.path, waiting.file)?,
        };
        if let Some(head) = reader.next(&mut self.summary) {
            self.activate(reader, waiting.file, waiting.rank);
            if let Some(active) = self.active.last_mut() {
                active.head = Some(head);
            }
        }
        Ok(())
    }

    fn open_file(&mut self, path: &Path, file: u32) -> Result<CaptureFile, SourceError> {
        CaptureFile::open(path, file, self.room, &self.read, &mut self.summary)
    }

    fn activate(&mut self, reader: CaptureFile, file: u32, rank: usize) {
        self.active.push(Active {
            reader,
            file,
            rank,
            head: None,
        });
    }

    /// Finds a file's first timestamp. What can be read only once stays open.
    fn look_at(&mut self, path: PathBuf, file: u32) -> Result<Waiting, SourceError> {
        if size_of(&path).is_none() {
            let open = self.open_file(&path, file)?;
            return Ok(Waiting {
                path,
                file,
                rank: 0,
                first_ns: 0,
                open: Some(open),
            });
        }
        let mut scratch = CaptureSummary::default();
        let uncounted = Arc::new(AtomicU64::new(0));
        let mut reader = CaptureFile::open(&path, file, self.room, &uncounted, &mut scratch)?;
        let first_ns = loop {
            match reader.next(&mut scratch) {
                Some(Record::Frame(frame)) => break frame.at_ns,
                Some(Record::Secrets(_)) => {}
                // Without frames it may still have secrets: they are wanted before everything else.
                None => break 0,
            }
        };
        Ok(Waiting {
            path,
            file,
            rank: 0,
            first_ns,
            open: None,
        })
    }
}

impl Active {
    /// Time and rank of the head; secrets come before everything.
    fn key(&self) -> (u64, usize) {
        match &self.head {
            Some(Record::Frame(frame)) => (frame.at_ns, self.rank),
            Some(Record::Secrets(_)) | None => (0, self.rank),
        }
    }
}

/// Size of a regular file; nothing else has one.
fn size_of(path: &Path) -> Option<u64> {
    fs::metadata(path)
        .ok()
        .filter(fs::Metadata::is_file)
        .map(|metadata| metadata.len())
}
