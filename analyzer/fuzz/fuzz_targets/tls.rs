//! Any conversation in TLS, with any keys: no panic, and no memory without end.
//!
//! The input is text as in tests/data/tls: lines of `client HEX`, `server HEX` and `keys LINE`.

#![no_main]

use clw_analyzer::tls::{KeyLog, TlsSession};
use clw_core::verdict::Side;
use libfuzzer_sys::fuzz_target;

fn unhex(text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or(0) as u8;
    text.chunks(2)
        .map(|pair| digit(pair[0]) << 4 | pair.get(1).map_or(0, |low| digit(*low)))
        .collect()
}

fuzz_target!(|bytes: &[u8]| {
    let mut keys = KeyLog::with_limit(64);
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    for line in &lines {
        if let Some(line) = line.strip_prefix(b"keys ") {
            keys.add(line);
        }
    }
    let mut session = TlsSession::new();
    let mut events = Vec::new();
    for line in lines {
        let (side, hex) = match line {
            _ if line.starts_with(b"client ") => (Side::Client, &line[7..]),
            _ if line.starts_with(b"server ") => (Side::Server, &line[7..]),
            _ if line.starts_with(b"gap ") => {
                let missing = line.get(5).map(|byte| u64::from(*byte));
                let side = if line.get(4) == Some(&b'c') { Side::Client } else { Side::Server };
                session.gap(side, missing, &keys, &mut events);
                continue;
            }
            _ => continue,
        };
        session.feed(side, &unhex(hex), &keys, &mut events);
        events.clear();
    }
    session.end(&keys, &mut events);
});
