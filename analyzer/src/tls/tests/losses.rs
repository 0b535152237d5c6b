//! Captures that lack something: bytes, a direction, the start, keys that come late or in part.

use super::pair::{Capture, Ends, Settings};
use super::{Seen, keys_of, read};
use crate::tls::{KeyLog, NoKeys, TlsEvent, TlsSession, Version};
use clw_core::verdict::Side;
use proptest::prelude::*;
use rustls::SupportedProtocolVersion;
use std::ops::Range;
use std::sync::OnceLock;

const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];
const BOTH: [Side; 2] = [Side::Client, Side::Server];

/// No four bytes of it occur twice at places that are multiples of four.
fn text(from: u32, words: u32) -> Vec<u8> {
    (from..from + words).flat_map(u32::to_be_bytes).collect()
}

/// Ten messages each way, a record each, then an orderly end.
fn captures() -> &'static [Capture; 2] {
    static CAPTURES: OnceLock<[Capture; 2]> = OnceLock::new();
    CAPTURES.get_or_init(|| {
        VERSIONS.map(|version| {
            let mut pair = Ends::new(Settings::version(version)).connect();
            pair.run();
            for part in 0..10 {
                pair.say(Side::Client, &text(part * 100, 100))
                    .say(Side::Server, &text(part * 100, 100));
            }
            pair.close().capture()
        })
    })
}

fn everything() -> Vec<u8> {
    text(0, 1000)
}

/// One direction's bytes as they were sent.
fn sent(capture: &Capture, side: Side) -> Vec<u8> {
    let parts = capture
        .wire
        .iter()
        .filter(|(from, _)| *from == side)
        .map(|(_, bytes)| bytes.as_slice());
    parts.collect::<Vec<_>>().concat()
}

/// The records of a stream that is whole: where each begins and ends.
fn records(stream: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < stream.len() {
        let end = at + 5 + usize::from(u16::from_be_bytes([stream[at + 3], stream[at + 4]]));
        found.push(at..end);
        at = end;
    }
    found
}

/// Reads `capture` without the bytes `missing` of one side's stream.
fn read_without(capture: &Capture, side: Side, missing: Range<usize>, told: bool, keys: &KeyLog) -> Seen {
    let mut session = TlsSession::new();
    let mut events = Vec::new();
    let mut at = 0;
    for (from, bytes) in &capture.wire {
        if *from != side {
            session.feed(*from, bytes, keys, &mut events);
            continue;
        }
        let within = |end: usize| end.clamp(at, at + bytes.len()) - at;
        let (before, after) = (within(missing.start), within(missing.end));
        session.feed(side, &bytes[..before], keys, &mut events);
        if (at..at + bytes.len()).contains(&missing.start) {
            let len = u64::try_from(missing.len()).unwrap();
            session.gap(side, told.then_some(len), keys, &mut events);
        }
        session.feed(side, &bytes[after..], keys, &mut events);
        at += bytes.len();
    }
    Seen {
        events,
        info: session.info().clone(),
    }
}

#[test]
fn bytes_missing_within_a_record_cost_that_record_only() {
    for capture in captures() {
        for side in BOTH {
            let all = records(&sent(capture, side));
            // The fourth message: the records before the last ten and the close_notify are the handshake's.
            let record = all[all.len() - 11 + 3].clone();
            for missing in [
                record.start + 5..record.end,
                record.start + 7..record.start + 8,
                record.end - 1..record.end,
            ] {
                let seen = read_without(capture, side, missing, true, &keys_of(capture));
                let expected = [text(0, 300), text(400, 600)].concat();
                assert_eq!(seen.said(side), expected);
                assert!(seen.has(&TlsEvent::DataLost {
                    side,
                    bytes: Some(400)
                }));
                assert!(
                    !seen.has(&TlsEvent::DecryptionLost { side }),
                    "its place was never lost"
                );
                assert!(seen.has(&TlsEvent::CloseNotify { side }));
            }
        }
    }
}

#[test]
fn after_a_loss_of_records_decryption_finds_its_place_again() {
    for capture in captures() {
        for side in BOTH {
            let all = records(&sent(capture, side));
            let first = all.len() - 11;
            let missing = all[first + 3].start + 100..all[first + 5].start + 3;
            for told in [true, false] {
                let seen = read_without(capture, side, missing.clone(), told, &keys_of(capture));
                assert_eq!(seen.said(side), [text(0, 300), text(600, 400)].concat());
                let about_it: Vec<_> = seen
                    .events
                    .iter()
                    .filter(|event| {
                        matches!(
                            event,
                            TlsEvent::FramingLost { .. }
                                | TlsEvent::DecryptionLost { .. }
                                | TlsEvent::DecryptionResumed { .. }
                                | TlsEvent::DataLost { .. }
                        )
                    })
                    .collect();
                let expected = [
                    TlsEvent::FramingLost { side },
                    TlsEvent::DecryptionLost { side },
                    TlsEvent::DecryptionResumed { side },
                    TlsEvent::DataLost { side, bytes: None },
                ];
                assert_eq!(about_it, expected.iter().collect::<Vec<_>>());
                assert!(seen.has(&TlsEvent::CloseNotify { side }));
            }
        }
    }
}

#[test]
fn without_keys_framing_is_found_again_after_a_loss() {
    for capture in captures() {
        let side = Side::Server;
        let all = records(&sent(capture, side));
        let first = all.len() - 11;
        let missing = all[first + 3].start + 100..all[first + 5].start + 3;
        let count = |seen: &Seen| {
            let records = seen.events.iter().filter(|event| {
                matches!(event, TlsEvent::Encrypted { side: Side::Server, record_len } if *record_len > 400)
            });
            records.count()
        };
        let whole = count(&read(&capture.wire, &KeyLog::new()));
        let seen = read_without(capture, side, missing, false, &KeyLog::new());
        assert_eq!(count(&seen), whole - 3);
    }
}

#[test]
fn a_handshake_with_a_hole_still_leads_to_the_data() {
    for capture in captures() {
        let side = Side::Server;
        let stream = sent(capture, side);
        let all = records(&stream);
        let hello = all[0].clone();
        let first_data = all[all.len() - 11].clone();
        // Everything between the ServerHello's record and the first message; then only the middle of it.
        let whole = hello.end..first_data.start;
        let middle = hello.end + 30..first_data.start - 20;
        // The first flight ends before the tickets, which in TLS 1.3 are under the same keys as the data.
        let first_flight = hello.end..capture.wire[1].1.len();
        for missing in [whole, middle, first_flight.clone()] {
            for told in [true, false] {
                let seen = read_without(capture, side, missing.clone(), told, &keys_of(capture));
                assert_eq!(
                    seen.said(side),
                    everything(),
                    "{:?} without {missing:?}",
                    seen.info.version
                );
                assert_eq!(seen.said(Side::Client), everything());
                let told_lost = seen
                    .events
                    .iter()
                    .any(|event| matches!(event, TlsEvent::DataLost { .. }));
                assert!(!told_lost || missing != first_flight, "no data was lost");
            }
        }
    }
}

#[test]
fn keys_that_come_late_open_what_follows() {
    for capture in captures() {
        for at in [1, 2, 3, 8, 14] {
            let (before, after) = capture.wire.split_at(at);
            let mut session = TlsSession::new();
            let mut events = Vec::new();
            for (side, bytes) in before {
                session.feed(*side, bytes, &KeyLog::new(), &mut events);
            }
            let keys = keys_of(capture);
            for (side, bytes) in after {
                session.feed(*side, bytes, &keys, &mut events);
            }
            let seen = Seen {
                events,
                info: session.info().clone(),
            };
            for side in BOTH {
                // The last of them is the close_notify, the ten before it are the messages.
                let messages = after.iter().filter(|(from, _)| *from == side).count() - 1;
                let expected = &everything()[400 * (10 - messages.min(10))..];
                assert_eq!(seen.said(side), expected, "{side:?} from {at}");
                let lost = seen.has(&TlsEvent::DataLost { side, bytes: None });
                assert!(
                    lost || expected.len() == everything().len(),
                    "a late beginning is told"
                );
                assert!(seen.has(&TlsEvent::CloseNotify { side }));
            }
        }
    }
}

/// Only some lines of the key log.
fn keys_with(capture: &Capture, wanted: impl Fn(&str) -> bool) -> KeyLog {
    let lines: Vec<_> = capture.key_log.lines().filter(|line| wanted(line)).collect();
    let mut keys = KeyLog::new();
    assert!(keys.add(lines.join("\n").as_bytes()) >= 2);
    keys
}

#[test]
fn without_the_handshake_secrets_the_application_ones_are_enough() {
    let capture = &captures()[1];
    let keys = keys_with(capture, |line| line.contains("TRAFFIC_SECRET_0"));
    let seen = read(&capture.wire, &keys);
    for side in BOTH {
        assert_eq!(seen.said(side), everything());
        assert!(seen.info.handshake_done(side));
    }
    assert!(seen.has(&TlsEvent::HandshakeDone));
}

#[test]
fn without_the_application_secrets_the_handshake_is_read_and_the_data_is_not() {
    let capture = &captures()[1];
    let keys = keys_with(capture, |line| line.contains("HANDSHAKE"));
    let seen = read(&capture.wire, &keys);
    assert!(seen.has(&TlsEvent::HandshakeDone) && seen.has(&TlsEvent::NoKeys(NoKeys::NotInKeyLog)));
    assert!(BOTH.into_iter().all(|side| seen.said(side).is_empty()));
    assert_eq!(
        seen.events
            .iter()
            .filter(|event| matches!(event, TlsEvent::NoKeys(_)))
            .count(),
        1,
        "told once"
    );
}

#[test]
fn one_sides_secrets_open_its_direction() {
    let capture = &captures()[1];
    let keys = keys_with(capture, |line| line.starts_with("CLIENT"));
    let seen = read(&capture.wire, &keys);
    assert_eq!(seen.said(Side::Client), everything());
    assert_eq!(seen.said(Side::Server), b"");
    assert!(!seen.info.is_side_decrypted(Side::Server));
}

#[test]
fn directions_captured_in_the_wrong_order_give_what_the_right_one_gives() {
    for capture in captures() {
        let mut wire = capture.wire.clone();
        // The client's second flight before the server's first; then the server's first before the client's hello.
        for swapped in [(1, 2), (0, 1)] {
            wire.swap(swapped.0, swapped.1);
            let seen = read(&wire, &keys_of(capture));
            for side in BOTH {
                assert_eq!(
                    seen.said(side),
                    everything(),
                    "{:?} {swapped:?}",
                    seen.info.version
                );
            }
            assert!(seen.has(&TlsEvent::HandshakeDone));
            assert!(
                !seen
                    .events
                    .iter()
                    .any(|event| matches!(event, TlsEvent::NoKeys(_)))
            );
            wire.swap(swapped.0, swapped.1);
        }
    }
}

#[test]
fn one_direction_alone_tells_what_it_can() {
    for capture in captures() {
        for side in BOTH {
            let mut wire: Vec<_> = capture
                .wire
                .iter()
                .filter(|(from, _)| *from == side)
                .cloned()
                .collect();
            for longer in [false, true] {
                if longer {
                    // More than may wait for the other side.
                    let record = [&[23, 3, 3, 0x40, 0][..], &[0; 1 << 14]].concat();
                    wire.extend(std::iter::repeat_n((side, record), 5));
                }
                let seen = read(&wire, &keys_of(capture));
                assert_eq!(seen.info.server_name.is_some(), side == Side::Client);
                assert_eq!(seen.info.cipher_suite.is_some(), side == Side::Server);
                assert!(seen.has(&TlsEvent::NoKeys(NoKeys::HelloMissing)));
                let encrypted = seen
                    .events
                    .iter()
                    .filter(|event| matches!(event, TlsEvent::Encrypted { .. }));
                assert!(encrypted.count() >= 10);
            }
        }
    }
}

#[test]
fn a_gap_in_place_of_the_answer_lets_the_other_direction_go_on() {
    for capture in captures() {
        let keys = keys_of(capture);
        let mut session = TlsSession::new();
        let mut events = Vec::new();
        let encrypted = |events: &[TlsEvent]| {
            events
                .iter()
                .any(|event| matches!(event, TlsEvent::Encrypted { .. }))
        };
        for (_, bytes) in capture.wire.iter().filter(|(from, _)| *from == Side::Client) {
            session.feed(Side::Client, bytes, &keys, &mut events);
        }
        assert!(!encrypted(&events), "the answer may still come");
        session.gap(Side::Server, None, &keys, &mut events);
        assert!(encrypted(&events));
    }
}

#[test]
fn packets_cut_short_by_a_snap_length_still_show_the_records() {
    for capture in captures() {
        let keys = keys_of(capture);
        let mut session = TlsSession::new();
        let mut events = Vec::new();
        let snap_length = 300;
        for (side, bytes) in &capture.wire {
            let kept = snap_length.min(bytes.len());
            session.feed(*side, &bytes[..kept], &keys, &mut events);
            session.gap(*side, u64::try_from(bytes.len() - kept).ok(), &keys, &mut events);
        }
        session.end(&keys, &mut events);
        let seen = Seen {
            events,
            info: session.info().clone(),
        };
        assert!(seen.info.version.is_some() && seen.info.server_name.is_some());
        assert_ne!(seen.info.resumed, Some(true));
        let lost = seen.events.iter().filter(|event| {
            matches!(
                event,
                TlsEvent::DataLost {
                    side: Side::Client,
                    bytes: Some(400)
                }
            )
        });
        assert_eq!(lost.count(), 10, "{:?}", seen.events);
        assert!(seen.has(&TlsEvent::CloseNotify { side: Side::Client }));
    }
}

#[test]
fn a_capture_that_begins_in_the_middle_shows_records_and_no_more() {
    for capture in captures() {
        let keys = keys_of(capture);
        let mut session = TlsSession::new();
        let mut events = Vec::new();
        for side in BOTH {
            session.gap(side, None, &keys, &mut events);
        }
        for (side, bytes) in &capture.wire[6..] {
            session.feed(*side, bytes, &keys, &mut events);
        }
        assert!(events.contains(&TlsEvent::NoKeys(NoKeys::HelloMissing)));
        assert!(
            events
                .iter()
                .filter(|event| matches!(event, TlsEvent::Encrypted { .. }))
                .count()
                >= 10
        );
        assert_eq!(session.info().version, None);
    }
}

#[test]
fn junk_between_records_costs_nothing_but_itself() {
    for capture in captures() {
        let mut wire = capture.wire.clone();
        let at = wire.len() - 6;
        wire.insert(
            at,
            (wire[at].0, b"some bytes that nobody should have sent".to_vec()),
        );
        let side = wire[at].0;
        let seen = read(&wire, &keys_of(capture));
        assert_eq!(seen.said(side), everything());
        assert!(seen.has(&TlsEvent::FramingLost { side }));
    }
}

#[test]
fn a_record_that_was_altered_is_lost_and_the_next_is_not() {
    for capture in captures() {
        let mut wire = capture.wire.clone();
        let at = wire.len() - 6;
        let (side, bytes) = &mut wire[at];
        *bytes.last_mut().unwrap() ^= 1;
        let side = *side;
        let seen = read(&wire, &keys_of(capture));
        assert_eq!(seen.said(side).len(), everything().len() - 400);
        assert!(seen.has(&TlsEvent::DataLost {
            side,
            bytes: Some(400)
        }));
        assert!(seen.has(&TlsEvent::DecryptionResumed { side }));
        assert!(seen.has(&TlsEvent::CloseNotify { side }));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_one_loss_costs_a_stretch_of_data_and_nothing_else(
        which in 0_usize..2,
        side in prop_oneof![Just(Side::Client), Just(Side::Server)],
        start in 0.0_f64..1.0,
        len in 1_usize..3000,
        told: bool,
    ) {
        let capture = &captures()[which];
        let stream = sent(capture, side);
        let hello_end = records(&stream)[0].end;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let start = (start * stream.len() as f64) as usize;
        let end = (start + len).min(stream.len());
        let seen = read_without(capture, side, start..end, told, &keys_of(capture));
        let (all, said) = (everything(), seen.said(side));
        let kept = all.iter().zip(&said).take_while(|(a, b)| a == b).count();
        prop_assert!(all.ends_with(&said[kept..]), "what follows the loss is the end of what was said");
        // The end of what was said is there: then what is missing is told, and where nothing is, no loss is.
        let told_lost = seen.events.iter().any(|event| matches!(event, TlsEvent::DataLost { .. }));
        if said.len() < all.len() && kept < said.len() {
            prop_assert!(told_lost);
        }
        // (TLS 1.3 hides that a record was the close_notify.)
        if said.len() == all.len() && side == Side::Client && end + 24 <= stream.len() {
            prop_assert!(!told_lost);
        }
        // With both hellos and a record or two after the loss, decryption goes on.
        if start >= hello_end && end + 900 < stream.len() {
            prop_assert!(!said.is_empty() && seen.has(&TlsEvent::CloseNotify { side }), "{:?}", seen.events);
        }
        if start < hello_end && seen.info.version == Some(Version::TLS_1_3) {
            prop_assert!(said.is_empty());
        }
    }
}
