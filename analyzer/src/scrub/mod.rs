//! `clw-analyze scrub`: the same capture without tokens, keys and message bodies, fit to be attached to a report.
//!
//! Everything that is not known to be harmless and needed is replaced by as many bytes: a token may be cut by segments, sent
//! twice or out of order, so streams are put together first and frames are rewritten from them in a second pass. Sizes,
//! times, headers and checksums stay right, so the scrubbed capture gives the same verdicts.

mod deflate;
mod direction;
mod frame;
mod http;
mod json;
mod streams;
mod writer;

use crate::decode::{Decoded, Decoder, FragmentLimits};
use crate::output::whole::WriteError;
use crate::source::{Capture, Item, SourceError};
use direction::Blanked;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use streams::Streams;
use thiserror::Error;
use writer::{Format, Packed, Writer};

/// Payloads of more than that are not held in memory.
const MAX_KEPT_BYTES: u64 = 4 << 30;

/// Why a capture could not be scrubbed.
#[derive(Debug, Error)]
pub enum ScrubError {
    /// It cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The result cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Two passes are needed.
    #[error("scrub reads a capture twice, so it takes no `-`: save it to a file first")]
    Stdin,
    /// The capture would be overwritten while it is read.
    #[error("{}: input and output are the same file; give another name", .0.display())]
    SameFile(PathBuf),
    /// Too much to hold.
    #[error(
        "{}: its streams hold more than {} GiB; cut it by time first (editcap -A … -B …)",
        .0.display(),
        MAX_KEPT_BYTES >> 30
    )]
    TooLarge(PathBuf),
    /// Somebody writes to it.
    #[error("{}: it changed between the two passes; stop the capture first", .0.display())]
    Changed(PathBuf),
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Frames written.
    pub packets: u64,
    /// What was blanked in streams.
    pub blanked: Blanked,
    /// Blocks of TLS secrets that were left out.
    pub secrets: u64,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            packets,
            blanked,
            secrets,
        } = self;
        write!(f, "{packets} packets, {} texts blanked", blanked.texts)?;
        if blanked.messages > 0 {
            write!(f, ", {} messages blanked whole", blanked.messages)?;
        }
        if blanked.unknown_bytes > 0 {
            write!(
                f,
                ", {} bytes of streams that are neither HTTP, WebSocket nor TLS blanked",
                blanked.unknown_bytes
            )?;
        }
        if *secrets > 0 {
            write!(f, ", {secrets} blocks of TLS secrets left out")?;
        }
        Ok(())
    }
}

/// Scrubs `input` into `output`, which appears when it is whole.
pub fn scrub(input: &Path, output: &Path) -> Result<Summary, ScrubError> {
    if input == Path::new("-") {
        return Err(ScrubError::Stdin);
    }
    if let (Ok(a), Ok(b)) = (fs::metadata(input), fs::metadata(output))
        && (a.dev(), a.ino()) == (b.dev(), b.ino())
    {
        return Err(ScrubError::SameFile(input.to_owned()));
    }
    let inputs = [input.to_owned()];
    let (streams, format) = first_pass(&inputs)?;
    let mut summary = Summary {
        blanked: streams.blanked(),
        ..Summary::default()
    };
    let packed = Packed::create(output)?;
    let named = |cause| WriteError {
        path: output.to_owned(),
        cause,
    };
    let mut capture = Capture::open(&inputs)?;
    let mut decoder = Decoder::new(FragmentLimits::default());
    let mut writer = None;
    let mut packed = Some(packed);
    let (mut segments, mut data) = (0, Vec::new());
    while let Some(item) = capture.next()? {
        let frame = match item {
            Item::Frame(frame) => frame,
            Item::Secrets(_) => {
                summary.secrets += 1;
                continue;
            }
        };
        data.clear();
        data.extend_from_slice(frame.data);
        let is_segment = matches!(decoder.decode(&frame), Decoded::Tcp(_));
        frame::blank(
            frame.link,
            frame.original_len,
            &mut data,
            |payload| streams.replace(if is_segment { segments } else { usize::MAX }, payload),
            |payload| streams.blank_datagram(payload),
        );
        segments += usize::from(is_segment);
        // What is needed of the frame, without the capture's bytes.
        let frame = crate::source::Frame { data: &[], ..frame };
        let about = capture.summary();
        if let Some(packed) = packed.take() {
            writer = Some(Writer::new(packed, format, about).map_err(named)?);
        }
        if let Some(writer) = &mut writer {
            writer.frame(&frame, &data, about).map_err(named)?;
        }
        summary.packets += 1;
    }
    let about = capture.summary();
    let writer = match (writer, packed) {
        (Some(writer), _) => writer,
        (None, Some(packed)) => Writer::new(packed, format, about).map_err(named)?,
        (None, None) => return Err(ScrubError::Changed(input.to_owned())),
    };
    if segments != streams.segments() {
        return Err(ScrubError::Changed(input.to_owned()));
    }
    writer.finish(about).map_err(named)?.finish(output)?;
    Ok(summary)
}

/// Puts the streams together; the format that holds what was read.
fn first_pass(inputs: &[PathBuf]) -> Result<(Streams, Format), ScrubError> {
    let mut capture = Capture::open(inputs)?;
    let mut decoder = Decoder::new(FragmentLimits::default());
    let mut streams = Streams::default();
    let mut nanoseconds = false;
    while let Some(item) = capture.next()? {
        if let Item::Frame(frame) = item {
            nanoseconds |= frame.at_ns % 1000 != 0;
            if let Decoded::Tcp(segment) = decoder.decode(&frame) {
                streams.feed(&segment);
            }
        }
        if streams.kept_bytes() > MAX_KEPT_BYTES {
            return Err(ScrubError::TooLarge(inputs[0].clone()));
        }
    }
    streams.finish();
    Ok((streams, Format::of(capture.summary(), nanoseconds)))
}
