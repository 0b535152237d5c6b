//! Reading captures: formats, inputs, damage, and the laws that hold for all of them.
#![allow(clippy::unwrap_used, reason = "what tests share may panic")]

mod damage;
mod formats;
mod inputs;
mod laws;
mod pcapng;
mod writer;

use clw_analyzer::source::{Capture, CaptureSummary, Item, SourceError};

/// A frame without its borrow.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    number: u64,
    at_ns: u64,
    interface: u32,
    link: u16,
    data: Vec<u8>,
    original_len: u32,
}

/// Everything a capture holds.
struct Everything {
    frames: Vec<Seen>,
    secrets: Vec<Vec<u8>>,
    summary: CaptureSummary,
}

fn everything(capture: Result<Capture, SourceError>) -> Result<Everything, SourceError> {
    let mut capture = capture?;
    let (mut frames, mut secrets) = (Vec::new(), Vec::new());
    while let Some(item) = capture.next()? {
        match item {
            Item::Frame(frame) => frames.push(Seen {
                number: frame.number,
                at_ns: frame.at_ns,
                interface: frame.interface,
                link: frame.link.0,
                data: frame.data.to_vec(),
                original_len: frame.original_len,
            }),
            Item::Secrets(text) => secrets.push(text.to_vec()),
        }
    }
    Ok(Everything {
        frames,
        secrets,
        summary: capture.summary().clone(),
    })
}

fn read(bytes: &[u8]) -> Result<Everything, SourceError> {
    everything(Capture::from_reader("test", std::io::Cursor::new(bytes.to_vec())))
}

fn times_and_data(frames: &[Seen]) -> Vec<(u64, Vec<u8>)> {
    frames
        .iter()
        .map(|frame| (frame.at_ns, frame.data.clone()))
        .collect()
}
