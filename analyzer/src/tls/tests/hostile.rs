//! Bytes that nobody honest sends: whatever they are, no panic, and no more memory than promised.

use super::keys_of;
use super::pair::{Capture, Ends, Settings};
use crate::tls::{KeyLog, TlsEvent, TlsSession, looks_like_tls};
use clw_core::verdict::Side;
use proptest::prelude::*;
use std::sync::OnceLock;

/// What a side may keep: bytes that wait, and a record.
const MAX_KEPT: usize = (1 << 16) + (1 << 14) + 256 + 5;

fn captures() -> &'static [Capture; 2] {
    static CAPTURES: OnceLock<[Capture; 2]> = OnceLock::new();
    CAPTURES.get_or_init(|| {
        [&rustls::version::TLS12, &rustls::version::TLS13].map(|version| {
            let mut pair = Ends::new(Settings::version(version)).connect();
            pair.run()
                .say(Side::Client, b"one")
                .say(Side::Server, b"two")
                .close()
                .capture()
        })
    })
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![
        Just(Side::Client),
        Just(Side::Server),
        Just(Side::Middlebox),
        Just(Side::Unknown)
    ]
}

/// Bytes that get far: records with honest headers around anything.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let record = (
        19_u8..26,
        0_u8..5,
        proptest::collection::vec(any::<u8>(), 0..80),
        0_u16..3,
    )
        .prop_map(|(kind, minor, body, lie)| {
            let len = u16::try_from(body.len()).unwrap() + lie;
            [&[kind, 3, minor][..], &len.to_be_bytes(), &body].concat()
        });
    prop_oneof![record, proptest::collection::vec(any::<u8>(), 0..200)]
}

#[derive(Clone, Debug)]
enum Step {
    Bytes(Side, Vec<u8>),
    Gap(Side, Option<u64>),
    /// The next piece of a real session, spoilt at one place.
    Real {
        spoil_at: usize,
        mask: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![
        Just(None),
        (0_u64..2000).prop_map(Some),
        any::<u64>().prop_map(Some)
    ];
    prop_oneof![
        3 => (side(), piece()).prop_map(|(side, bytes)| Step::Bytes(side, bytes)),
        1 => (side(), size).prop_map(|(side, len)| Step::Gap(side, len)),
        6 => (0_usize..3000, prop_oneof![Just(0_u8), any::<u8>()])
            .prop_map(|(spoil_at, mask)| Step::Real { spoil_at, mask }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_and_gaps_in_any_order_are_survived(
        which in 0_usize..2,
        keyed: bool,
        steps in proptest::collection::vec(step(), 1..24),
    ) {
        let capture = &captures()[which];
        let keys = if keyed { keys_of(capture) } else { KeyLog::new() };
        let mut session = TlsSession::new();
        let mut events = Vec::new();
        let mut real = capture.wire.iter().cycle();
        for step in steps {
            match step {
                Step::Bytes(side, bytes) => session.feed(side, &bytes, &keys, &mut events),
                Step::Gap(side, missing) => session.gap(side, missing, &keys, &mut events),
                Step::Real { spoil_at, mask } => {
                    let (side, bytes) = real.next().unwrap();
                    let mut bytes = bytes.clone();
                    if let Some(byte) = bytes.get_mut(spoil_at) {
                        *byte ^= mask;
                    }
                    session.feed(*side, &bytes, &keys, &mut events);
                }
            }
            for side in [Side::Client, Side::Server] {
                prop_assert!(session.kept_len(side) <= MAX_KEPT);
            }
        }
        let said: usize = events.iter().map(|event| match event {
            TlsEvent::Data { bytes, .. } => bytes.len(),
            _ => 0,
        }).sum();
        prop_assert!(said <= 3 * 24, "only what was said can be heard");
    }

    #[test]
    fn looking_at_any_first_bytes_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..10)) {
        looks_like_tls(&bytes);
    }
}

#[test]
fn streams_that_never_get_anywhere_keep_no_more_than_promised() {
    let capture = &captures()[1];
    let keys = keys_of(capture);
    let record = |kind: u8, body: &[u8]| {
        [
            &[kind, 3, 3][..],
            &u16::try_from(body.len()).unwrap().to_be_bytes(),
            body,
        ]
        .concat()
    };
    // A ClientHello of 60 000 bytes that never ends; application data before any answer; half a record.
    let endless_hello = [
        record(22, &[1, 0, 0xea, 0x60]),
        record(22, &[0; 16_000]).repeat(3),
    ]
    .concat();
    let unanswered = [&capture.wire[0].1[..], &record(23, &[0; 16_384]).repeat(20)].concat();
    let half = [&[23, 3, 3, 0x41, 0][..], &[0; 16_000]].concat();
    for bytes in [endless_hello, unanswered, half] {
        for chunk in [1, 1000, bytes.len()] {
            let mut session = TlsSession::new();
            let mut events = Vec::new();
            for bytes in bytes.chunks(chunk) {
                session.feed(Side::Client, bytes, &keys, &mut events);
                assert!(session.kept_len(Side::Client) <= MAX_KEPT);
            }
        }
    }
}

#[test]
fn trials_after_a_loss_are_limited() {
    let capture = &captures()[1];
    let keys = keys_of(capture);
    let mut session = TlsSession::new();
    let mut events = Vec::new();
    for (side, bytes) in &capture.wire[..4] {
        session.feed(*side, bytes, &keys, &mut events);
    }
    let forged = [&[23, 3, 3, 0, 40][..], &[0; 40]].concat();
    for _ in 0..100 {
        session.feed(Side::Server, &forged, &keys, &mut events);
    }
    assert!(events.contains(&TlsEvent::DecryptionLost { side: Side::Server }));
    assert!(events.contains(&TlsEvent::DecryptionStopped { side: Side::Server }));
    assert!(events.ends_with(&[TlsEvent::Encrypted {
        side: Side::Server,
        record_len: 40
    }]));
}
