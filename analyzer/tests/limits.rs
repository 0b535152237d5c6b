//! What a hostile capture can make the analysis remember, and what it cannot.

#![expect(clippy::expect_used, reason = "a helper of a test may panic")]

use clw_analyzer::engine::{Engine, Options};
use clw_analyzer::segment::{Flags, Options as TcpOptions, Segment};
use flate2::{Compress, Compression, FlushCompress};

const LIMIT: usize = 1 << 20;

/// A packet from or to the `n`-th client; `number` is its frame's and its time's.
fn packet(n: u32, number: u64, is_up: bool, flags: u8, seq: u32, payload: &[u8]) -> Segment<'_> {
    let [_, a, b, c] = n.to_be_bytes();
    let (client, server) = (([10, a, b, c], 40_000).into(), ([10, 0, 0, 1], 443).into());
    let (source, destination) = if is_up { (client, server) } else { (server, client) };
    Segment {
        number,
        at_ns: number * 1000,
        interface: 0,
        source,
        destination,
        ttl: 64,
        ip_id: None,
        seq,
        ack: 1,
        flags: Flags(flags),
        window: 1000,
        options: TcpOptions::default(),
        payload,
        payload_len: u32::try_from(payload.len()).expect("small"),
    }
}

/// Plays the same packets, by side, on each of many connections at once, and looks whether the limit holds.
fn flood(connections: u32, script: &[(bool, &[u8])]) -> Engine {
    let mut engine = Engine::new(Options {
        max_held_bytes: LIMIT,
        ..Options::default()
    });
    let mut seq = [1, 1];
    let mut number = 0;
    let syn: (bool, &[u8]) = (true, &[]);
    for (is_up, payload) in [syn].iter().chain(script) {
        let at = &mut seq[usize::from(!is_up)];
        for n in 0..connections {
            number += 1;
            let segment = match payload {
                [] => packet(n, number, true, Flags::SYN, 0, &[]),
                _ => packet(n, number, *is_up, Flags::ACK, *at, payload),
            };
            engine.feed(&segment, &mut |_| {});
            assert!(engine.held_bytes() <= LIMIT, "{}", engine.held_bytes());
        }
        *at += u32::try_from(payload.len()).expect("small");
    }
    engine
}

#[test]
fn records_of_tls_that_never_end_stay_within_the_limit() {
    let mut begun = vec![22, 3, 1, 0x40, 0];
    begun.extend([1; 8000]);
    let mut engine = flood(1000, &[(true, &begun)]);
    assert!(engine.held_bytes() > LIMIT / 2, "{}", engine.held_bytes());
    let mut judged = 0;
    engine.end(&mut |_| judged += 1);
    assert_eq!((judged, engine.held_bytes()), (1000, 0));
}

#[test]
fn contexts_of_compressed_messages_stay_within_the_limit() {
    let request = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
    let answer = b"HTTP/1.1 101 Go\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let mut compress = Compress::new(Compression::default(), false);
    let mut message = |text: &str| {
        let mut out = vec![0xC1, 0];
        out.reserve(256);
        compress
            .compress_vec(text.as_bytes(), &mut out, FlushCompress::Sync)
            .expect("room for it");
        out.truncate(out.len() - 4);
        out[1] = u8::try_from(out.len() - 2).expect("compressed well");
        out
    };
    let tick = r#"{"type":"event","event":"tick","payload":{}}"#;
    let (first, second) = (
        message(&format!(r#"{{"text":"{}"}}"#, "x".repeat(20_000))),
        message(tick),
    );
    // Forty megabytes of text that later messages may refer to; an eighth of it counts.
    let script: [(bool, &[u8]); 4] = [
        (true, request),
        (false, answer),
        (false, &first),
        (false, &second),
    ];
    let mut engine = flood(2000, &script);
    assert!(engine.held_bytes() > LIMIT / 2, "{}", engine.held_bytes());
    let texts = |engine: &Engine| -> u32 {
        let sessions = engine.connections().filter_map(|live| live.session.as_deref());
        sessions
            .filter_map(|session| Some(session.opcodes()?[1][1]))
            .sum()
    };
    assert_eq!(texts(&engine), 4000, "their framing goes on");
    engine.end(&mut |_| {});
    assert_eq!(engine.held_bytes(), 0);
}

#[test]
fn a_million_half_open_connections_stay_within_the_limit() {
    let mut engine = Engine::new(Options {
        max_open: 1000,
        ..Options::default()
    });
    let mut judged = 0u64;
    for n in 0..1_000_000u32 {
        engine.feed(
            &packet(n, u64::from(n) + 1, true, Flags::SYN, 0, &[]),
            &mut |_| judged += 1,
        );
        assert!(engine.open() <= 1000);
    }
    engine.end(&mut |_| judged += 1);
    assert_eq!((judged, engine.evicted()), (1_000_000, 999_000));
}

#[test]
fn a_hole_in_each_of_many_connections_stays_within_the_limit() {
    let mut engine = Engine::new(Options {
        max_held_bytes: LIMIT,
        ..Options::default()
    });
    let payload = vec![b'x'; 1400];
    let mut judged = 0u64;
    let mut number = 0u64;
    // Every connection begins a message, loses a byte, and goes on: sixty megabytes that all wait.
    for round in 0..22u32 {
        for n in 0..2000u32 {
            number += 1;
            let (flags, seq, payload): (u8, u32, &[u8]) = match round {
                0 => (Flags::SYN, 0, &[]),
                1 => (Flags::ACK, 1, b"GET / HTTP/1.1\r\n"),
                _ => (Flags::ACK, 1000 + round * 1400, &payload),
            };
            let segment = packet(n, number, true, flags, seq, payload);
            engine.feed(&segment, &mut |_| judged += 1);
            assert!(engine.held_bytes() <= LIMIT, "{}", engine.held_bytes());
        }
    }
    let missing: u64 = engine
        .connections()
        .map(|live| live.connection.halves[0].missing_bytes)
        .sum();
    assert!(missing > 0, "what was given up is told");
    engine.end(&mut |_| judged += 1);
    assert_eq!((judged, engine.held_bytes()), (2000, 0));
}
