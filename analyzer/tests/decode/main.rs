//! From frames to segments: link types, IP in all its forms, and what is broken.
#![allow(clippy::unwrap_used, reason = "what tests share may panic")]

mod fragments;
mod frames;
mod laws;
mod links;
mod network;
mod transport;

use clw_analyzer::decode::{Decoded, Decoder, FragmentLimits};
use clw_analyzer::source::{Frame, LinkType};

fn frame(link: LinkType, data: &[u8]) -> Frame<'_> {
    let original_len = u32::try_from(data.len()).unwrap();
    Frame {
        number: 1,
        at_ns: 1_000,
        interface: 3,
        link,
        data,
        original_len,
        file: 0,
    }
}

/// The decoded frame in words, so that it outlives the decoder.
fn decoded(frame: &Frame<'_>) -> String {
    in_words(&Decoder::new(FragmentLimits::default()).decode(frame))
}

fn in_words(decoded: &Decoded<'_>) -> String {
    match decoded {
        Decoded::Tcp(s) => format!(
            "{} > {} {:?} of {}",
            s.source,
            s.destination,
            String::from_utf8_lossy(s.payload),
            s.payload_len
        ),
        Decoded::Udp(d) => format!(
            "udp {} > {} {:?} of {}",
            d.source,
            d.destination,
            String::from_utf8_lossy(d.payload),
            d.payload_len
        ),
        Decoded::Other(reason) => (*reason).to_owned(),
    }
}
