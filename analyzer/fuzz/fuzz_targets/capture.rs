//! Any bytes as a capture file: no panic, and never more bytes in packets than in the file (unless it is packed).

#![no_main]

use std::io::Cursor;

use clw_analyzer::decode::{Decoded, Decoder, FragmentLimits};
use clw_analyzer::source::{Capture, Item};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut capture) = Capture::from_reader("fuzz", Cursor::new(bytes.to_vec())) else {
        return;
    };
    let mut decoder = Decoder::new(FragmentLimits::default());
    let mut number = 0;
    while let Ok(Some(item)) = capture.next() {
        let Item::Frame(frame) = item else { continue };
        number += 1;
        assert_eq!(frame.number, number);
        if let Decoded::Tcp(segment) = decoder.decode(&frame) {
            assert!(segment.payload.len() <= segment.payload_len as usize);
        }
    }
    let summary = capture.summary();
    let is_packed = bytes.starts_with(&[0x1f, 0x8b])
        || matches!(bytes, [_, 0xb5, 0x2f, 0xfd, ..] | [_, 0x2a, 0x4d, 0x18, ..]);
    assert!(is_packed || summary.bytes <= bytes.len() as u64);
    for warning in &summary.warnings {
        assert!(is_packed || warning.offset <= bytes.len() as u64);
    }
});
