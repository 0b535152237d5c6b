//! Any bytes as a few frames of any link type: no panic, and no payload longer than the headers say.
//!
//! The first byte is the link type, the second the number of bytes in each frame; fragments meet in one decoder.

#![no_main]

use clw_analyzer::decode::{Decoded, Decoder, FragmentLimits};
use clw_analyzer::source::{Frame, LinkType};
use libfuzzer_sys::fuzz_target;

const LINKS: [LinkType; 8] = [
    LinkType::RAW,
    LinkType::ETHERNET,
    LinkType::NULL,
    LinkType::LOOP,
    LinkType::LINUX_SLL,
    LinkType::IPV4,
    LinkType::IPV6,
    LinkType::LINUX_SLL2,
];

fuzz_target!(|bytes: &[u8]| {
    let [link, size, bytes @ ..] = bytes else { return };
    let mut decoder = Decoder::new(FragmentLimits {
        memory_bytes: 4096,
        wait_ns: 1_000,
    });
    for (data, number) in bytes.chunks(usize::from(*size).max(1)).zip(1_u64..) {
        let frame = Frame {
            number,
            at_ns: number * 100,
            interface: 0,
            link: LINKS[usize::from(*link) % LINKS.len()],
            data,
            original_len: u32::from(*size) * 2,
            file: 0,
        };
        match decoder.decode(&frame) {
            Decoded::Tcp(segment) => assert!(segment.payload.len() <= segment.payload_len as usize),
            Decoded::Udp(datagram) => assert!(datagram.payload.len() <= datagram.payload_len as usize),
            Decoded::Other(reason) => assert!(!reason.is_empty()),
        }
    }
});
