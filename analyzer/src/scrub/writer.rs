//! Writing a capture: pcap where one interface without a name was read, pcapng otherwise. No comments, no names, no secrets.

use crate::output::whole::{Whole, WriteError};
use crate::source::{CaptureSummary, Frame};
use std::io::{self, Write};
use std::path::Path;

const SECTION: u32 = 0x0A0D_0D0A;
const BYTE_ORDER: u32 = 0x1A2B_3C4D;
const NANOSECONDS: u32 = 0xA1B2_3C4D;
const MICROSECONDS: u32 = 0xA1B2_C3D4;
const SNAP_LENGTH: u32 = 262_144;

/// Which format a capture is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Pcap { nanoseconds: bool },
    Pcapng,
}

impl Format {
    /// The one that holds what was read.
    pub(super) fn of(summary: &CaptureSummary, nanoseconds: bool) -> Self {
        match summary.interfaces.as_slice() {
            [only] if only.name.is_none() => Self::Pcap { nanoseconds },
            _ => Self::Pcapng,
        }
    }
}

/// A file that is whole or not there, packed if its name says so.
pub(super) enum Packed {
    Plain(Sink),
    Gzip(flate2::write::GzEncoder<Sink>),
    Zstd(zstd::stream::write::Encoder<'static, Sink>),
}

/// [`Whole`] as a writer: its errors name the file already, and are kept for later.
pub(super) struct Sink {
    whole: Whole,
    failed: Option<WriteError>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.whole.write(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                let kind = error.cause.kind();
                self.failed.get_or_insert(error);
                Err(kind.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Packed {
    pub(super) fn create(path: &Path) -> Result<Self, WriteError> {
        let sink = Sink {
            whole: Whole::create(path)?,
            failed: None,
        };
        Ok(match path.extension().and_then(|e| e.to_str()) {
            Some("gz") => Self::Gzip(flate2::write::GzEncoder::new(
                sink,
                flate2::Compression::default(),
            )),
            Some("zst") => match zstd::stream::write::Encoder::new(sink, 0) {
                Ok(encoder) => Self::Zstd(encoder),
                Err(cause) => {
                    return Err(WriteError {
                        path: path.to_owned(),
                        cause,
                    });
                }
            },
            _ => Self::Plain(sink),
        })
    }

    /// Makes the file appear.
    pub(super) fn finish(self, path: &Path) -> Result<(), WriteError> {
        let named = |cause| WriteError {
            path: path.to_owned(),
            cause,
        };
        let sink = match self {
            Self::Plain(sink) => sink,
            Self::Gzip(encoder) => encoder.finish().map_err(named)?,
            Self::Zstd(encoder) => encoder.finish().map_err(named)?,
        };
        match sink.failed {
            Some(error) => Err(error),
            None => sink.whole.finish(),
        }
    }
}

impl Write for Packed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Gzip(out) => out.write(bytes),
            Self::Zstd(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes frames.
pub(super) struct Writer<W> {
    out: W,
    format: Format,
    interfaces: usize,
    block: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins a capture.
    pub(super) fn new(mut out: W, format: Format, summary: &CaptureSummary) -> io::Result<Self> {
        let mut head = Vec::new();
        match format {
            Format::Pcap { nanoseconds } => {
                let link = summary.interfaces.first().map_or(0, |interface| interface.link.0);
                put(&mut head, if nanoseconds { NANOSECONDS } else { MICROSECONDS });
                head.extend_from_slice(&[2, 0, 4, 0]);
                head.extend_from_slice(&[0; 8]);
                put(&mut head, SNAP_LENGTH);
                put(&mut head, link.into());
            }
            Format::Pcapng => {
                let mut body = Vec::new();
                put(&mut body, BYTE_ORDER);
                body.extend_from_slice(&[1, 0, 0, 0]);
                body.extend_from_slice(&[0xFF; 8]);
                block(&mut head, SECTION, &body);
            }
        }
        out.write_all(&head)?;
        Ok(Self {
            out,
            format,
            interfaces: 0,
            block: Vec::new(),
        })
    }

    /// Writes a frame with these bytes. `summary` knows its interface.
    pub(super) fn frame(
        &mut self,
        frame: &Frame<'_>,
        data: &[u8],
        summary: &CaptureSummary,
    ) -> io::Result<()> {
        let captured = u32::try_from(data.len()).unwrap_or(u32::MAX);
        self.block.clear();
        match self.format {
            Format::Pcap { nanoseconds } => {
                let seconds = frame.at_ns / 1_000_000_000;
                let fraction = frame.at_ns % 1_000_000_000 / if nanoseconds { 1 } else { 1000 };
                put(&mut self.block, u32::try_from(seconds).unwrap_or(u32::MAX));
                put(&mut self.block, u32::try_from(fraction).unwrap_or(0));
                put(&mut self.block, captured);
                put(&mut self.block, frame.original_len);
                self.out.write_all(&self.block)?;
                self.out.write_all(data)
            }
            Format::Pcapng => {
                self.describe(summary)?;
                let mut body = Vec::with_capacity(data.len() + 24);
                put(&mut body, frame.interface);
                time(&mut body, frame.at_ns);
                put(&mut body, captured);
                put(&mut body, frame.original_len);
                body.extend_from_slice(data);
                block(&mut self.block, 6, &body);
                self.out.write_all(&self.block)
            }
        }
    }

    /// Ends the capture with what the capturing side counted.
    pub(super) fn finish(mut self, summary: &CaptureSummary) -> io::Result<W> {
        if self.format == Format::Pcapng {
            self.describe(summary)?;
            for (number, interface) in (0..).zip(&summary.interfaces) {
                let counts = interface.statistics;
                let options = [
                    (4, counts.received),
                    (5, counts.dropped_by_interface),
                    (7, counts.dropped_by_system),
                ];
                if options.iter().all(|(_, count)| count.is_none()) {
                    continue;
                }
                let mut body = Vec::new();
                put(&mut body, number);
                time(&mut body, summary.last_ns.unwrap_or(0));
                for (code, count) in options {
                    if let Some(count) = count {
                        option(&mut body, code, &count.to_le_bytes());
                    }
                }
                option(&mut body, 0, &[]);
                self.block.clear();
                block(&mut self.block, 5, &body);
                self.out.write_all(&self.block)?;
            }
        }
        Ok(self.out)
    }

    /// Describes the interfaces that have come since the last frame.
    fn describe(&mut self, summary: &CaptureSummary) -> io::Result<()> {
        for interface in summary.interfaces.get(self.interfaces..).unwrap_or_default() {
            let mut body = Vec::new();
            body.extend_from_slice(&interface.link.0.to_le_bytes());
            body.extend_from_slice(&[0, 0]);
            put(&mut body, interface.snap_length);
            if let Some(name) = &interface.name {
                let name = name.as_bytes();
                option(&mut body, 2, &name[..name.len().min(256)]);
            }
            option(&mut body, 9, &[9]);
            option(&mut body, 0, &[]);
            let mut described = Vec::new();
            block(&mut described, 1, &body);
            self.out.write_all(&described)?;
        }
        self.interfaces = summary.interfaces.len();
        Ok(())
    }
}

fn put(out: &mut Vec<u8>, word: u32) {
    out.extend_from_slice(&word.to_le_bytes());
}

/// Nanoseconds, the upper half first (pcapng section 4.3).
fn time(out: &mut Vec<u8>, at_ns: u64) {
    put(out, u32::try_from(at_ns >> 32).unwrap_or(0));
    put(out, u32::try_from(at_ns & 0xFFFF_FFFF).unwrap_or(0));
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    out.extend_from_slice(&code.to_le_bytes());
    out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(0).to_le_bytes());
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

fn block(out: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let padded = body.len().next_multiple_of(4);
    let length = u32::try_from(padded + 12).unwrap_or(u32::MAX);
    put(out, kind);
    put(out, length);
    out.extend_from_slice(body);
    out.resize(out.len() + padded - body.len(), 0);
    put(out, length);
}
