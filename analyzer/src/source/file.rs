//! One input: unpacked if need be, recognised, and read record by record.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::SourceError;
use super::link_type::LinkType;
use super::pcap::Pcap;
use super::pcapng::Pcapng;
use super::summary::{CaptureSummary, WarningKind};
use super::window::Window;

/// A record, with its bytes as a range of the window.
pub(super) enum Record {
    Frame(FrameRecord),
    /// TLS key log text.
    Secrets(Range<usize>),
}

pub(super) struct FrameRecord {
    pub(super) at_ns: u64,
    /// Over all files.
    pub(super) interface: u32,
    pub(super) link: LinkType,
    pub(super) original_len: u32,
    pub(super) data: Range<usize>,
}

/// An open capture file.
pub(super) struct CaptureFile {
    file: u32,
    window: Window,
    format: Format,
    /// Size of the record handed out last: its bytes stay until the next one is asked for.
    handed_out: usize,
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

/// What the first bytes say.
enum Start {
    Pcap,
    Pcapng,
    Gzip,
    Zstd,
    Unknown,
}

impl CaptureFile {
    /// Opens `path`, or standard input for `-`. `read` counts the bytes taken from it.
    pub(super) fn open(
        path: &Path,
        file: u32,
        room: usize,
        read: &Arc<AtomicU64>,
        summary: &mut CaptureSummary,
    ) -> Result<Self, SourceError> {
        let reader: Box<dyn Read + Send> = if path == Path::new("-") {
            Box::new(io::stdin())
        } else {
            let open = File::open(path).map_err(|error| SourceError::Unreadable {
                name: name_of(path),
                error,
            })?;
            Box::new(open)
        };
        Self::new(reader, &name_of(path), file, room, read, summary)
    }

    /// Recognises what `reader` gives.
    pub(super) fn new(
        reader: Box<dyn Read + Send>,
        name: &str,
        file: u32,
        room: usize,
        read: &Arc<AtomicU64>,
        summary: &mut CaptureSummary,
    ) -> Result<Self, SourceError> {
        let counted = Counted {
            reader,
            read: Arc::clone(read),
        };
        let mut window = Window::new(Box::new(counted), room);
        let mut start = recognise(&mut window, name)?;
        if matches!(start, Start::Gzip | Start::Zstd) {
            window = unpack(window, &start, room).map_err(|error| unpacking(name, error))?;
            start = recognise(&mut window, name)?;
        }
        let format = match start {
            Start::Pcap => Pcap::open(&mut window, file, summary).map(Format::Pcap),
            Start::Pcapng => Pcapng::open(&mut window, file).map(Format::Pcapng),
            Start::Gzip | Start::Zstd | Start::Unknown => {
                return Err(SourceError::NoCapture {
                    name: name.to_owned(),
                    start: quote(window.want(24)),
                });
            }
        };
        let format = format.map_err(|what| SourceError::BrokenHeader {
            name: name.to_owned(),
            what,
        })?;
        Ok(Self {
            file,
            window,
            format,
            handed_out: 0,
        })
    }

    /// The next record, or nothing at the end of the file.
    #[inline]
    pub(super) fn next(&mut self, summary: &mut CaptureSummary) -> Option<Record> {
        self.window.consume(self.handed_out);
        self.handed_out = 0;
        let next = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.window, summary),
            Format::Pcapng(pcapng) => pcapng.next(&mut self.window, summary),
        };
        if let Some((record, size)) = next {
            self.handed_out = size;
            return Some(record);
        }
        self.warn_of_failure(summary);
        None
    }

    /// Whether the next record is in memory as a whole.
    #[inline]
    pub(super) fn is_at_hand(&self) -> bool {
        let bytes = self.window.bytes().get(self.handed_out..).unwrap_or_default();
        let size = match &self.format {
            Format::Pcap(pcap) => pcap.size_of(bytes),
            Format::Pcapng(pcapng) => pcapng.size_of(bytes),
        };
        size.is_some_and(|size| size <= bytes.len())
    }

    /// Bytes of the record handed out last.
    #[inline]
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.window.bytes().get(range).unwrap_or_default()
    }

    #[cold]
    fn warn_of_failure(&mut self, summary: &mut CaptureSummary) {
        let Some(error) = self.window.take_failure() else {
            return;
        };
        let offset = self.window.offset();
        // The unpackers' own complaints carry no system error number.
        let (kind, what) = if error.raw_os_error().is_some() {
            (
                WarningKind::ReadFailure,
                format!("reading stopped: {error}; everything before is analysed"),
            )
        } else {
            (
                WarningKind::CutOff,
                format!("unpacking stopped: {error}; everything before is analysed"),
            )
        };
        summary.warn(kind, self.file, offset, || what);
    }
}

/// A path as error messages and reports name it.
pub(super) fn name_of(path: &Path) -> String {
    if path == Path::new("-") {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    }
}

/// Whether `path` looks like a capture by its first bytes, unpacked if need be.
pub(super) fn is_capture(path: &Path) -> Result<bool, SourceError> {
    let reader = File::open(path).map_err(|error| SourceError::Unreadable {
        name: name_of(path),
        error,
    })?;
    let mut window = Window::new(Box::new(reader), 4096);
    let mut start = Start::of(window.want(4));
    if matches!(start, Start::Gzip | Start::Zstd) {
        let Ok(mut unpacked) = unpack(window, &start, 4096) else {
            return Ok(false);
        };
        start = Start::of(unpacked.want(4));
    }
    Ok(matches!(start, Start::Pcap | Start::Pcapng))
}

fn recognise(window: &mut Window, name: &str) -> Result<Start, SourceError> {
    let start = Start::of(window.want(4));
    if matches!(start, Start::Unknown)
        && let Some(error) = window.take_failure()
    {
        return Err(if error.raw_os_error().is_some() {
            SourceError::Unreadable {
                name: name.to_owned(),
                error,
            }
        } else {
            unpacking(name, error)
        });
    }
    if window.bytes().is_empty() {
        return Err(SourceError::Empty {
            name: name.to_owned(),
        });
    }
    Ok(start)
}

fn unpacking(name: &str, error: io::Error) -> SourceError {
    SourceError::Unpacking {
        name: name.to_owned(),
        error,
    }
}

fn unpack(window: Window, start: &Start, room: usize) -> io::Result<Window> {
    let reader: Box<dyn Read + Send> = match start {
        Start::Zstd => Box::new(zstd::stream::read::Decoder::new(window.into_reader())?),
        _ => Box::new(flate2::read::MultiGzDecoder::new(window.into_reader())),
    };
    Ok(Window::new(reader, room))
}

impl Start {
    fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0x0a, 0x0d, 0x0d, 0x0a, ..] => Self::Pcapng,
            [0xd4, 0xc3, 0xb2, 0xa1, ..]
            | [0x4d, 0x3c, 0xb2, 0xa1, ..]
            | [0xa1, 0xb2, 0xc3, 0xd4, ..]
            | [0xa1, 0xb2, 0x3c, 0x4d, ..]
            | [0x34, 0xcd, 0xb2, 0xa1, ..] => Self::Pcap,
            // The second is a skippable frame, with which pzstd begins.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0x1f, 0x8b, ..] => Self::Gzip,
            _ => Self::Unknown,
        }
    }
}

/// The first bytes for an error message.
fn quote(bytes: &[u8]) -> String {
    let bytes = bytes.get(..24).unwrap_or(bytes);
    if bytes
        .iter()
        .all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n'))
    {
        return format!("{:?}", String::from_utf8_lossy(bytes));
    }
    let mut hex = String::from("bytes");
    for byte in bytes.iter().take(8) {
        let _ = write!(hex, " {byte:02x}");
    }
    hex
}

/// Counts what is taken from an input, for the progress bar.
struct Counted<R> {
    reader: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
