//! Whole sessions, nothing lost: every suite, and every way to begin and to end.

use super::pair::{Capture, Ends, Pair, Settings};
use super::{Seen, keys_of, read};
use crate::tls::opener::Opener;
use crate::tls::{CipherSuite, KeyLog, NoKeys, TlsEvent, TlsSession, Version};
use clw_core::verdict::Side;
use proptest::prelude::*;
use rustls::crypto::ring::{self, ALL_CIPHER_SUITES, kx_group};
use rustls::{HandshakeKind, SupportedCipherSuite, SupportedProtocolVersion};
use std::io::Write as _;
use std::sync::{Arc, OnceLock};

/// More than one record can hold.
fn long_text() -> Vec<u8> {
    (0..40_000_u32).flat_map(u32::to_be_bytes).collect()
}

/// A session that says something both ways and ends in order.
fn talk(pair: &mut Pair) -> Capture {
    pair.run();
    pair.say(Side::Client, b"ping")
        .say(Side::Server, &long_text())
        .say(Side::Client, b"bye")
        .close();
    assert!(!pair.failed);
    pair.capture()
}

fn version_number(version: &SupportedProtocolVersion) -> Version {
    Version(version.version.into())
}

/// The suites for which rcgen can make a certificate: it makes no RSA keys.
fn suites() -> impl Iterator<Item = &'static SupportedCipherSuite> {
    ALL_CIPHER_SUITES
        .iter()
        .filter(|suite| !format!("{:?}", suite.suite()).contains("_RSA_"))
}

const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

fn ends_of(version: &'static SupportedProtocolVersion) -> Ends {
    Ends::new(Settings::version(version))
}

fn alerts(seen: &Seen) -> Vec<(Side, &'static str)> {
    let alerts = seen.events.iter().filter_map(|event| match event {
        TlsEvent::Alert { side, alert } => Some((*side, alert.name())),
        _ => None,
    });
    alerts.collect()
}

#[test]
fn every_suite_is_decrypted_in_both_directions() {
    assert_eq!(suites().count(), 6);
    for suite in suites() {
        let mut ends = Ends::new(Settings::suite(*suite));
        ends.client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        ends.server.alpn_protocols = vec![b"http/1.1".to_vec()];
        let capture = talk(&mut ends.connect());
        let seen = read(&capture.wire, &keys_of(&capture));
        assert_eq!(seen.said(Side::Client), b"pingbye", "{suite:?}");
        assert_eq!(seen.said(Side::Server), long_text(), "{suite:?}");
        let in_order = [
            TlsEvent::ClientHello,
            TlsEvent::ServerHello,
            TlsEvent::HandshakeDone,
            TlsEvent::CloseNotify { side: Side::Client },
            TlsEvent::CloseNotify { side: Side::Server },
        ];
        assert_eq!(
            seen.without_data(),
            in_order.iter().collect::<Vec<_>>(),
            "{suite:?}"
        );
        let info = &seen.info;
        assert_eq!(info.version, Some(version_number(suite.version())));
        assert_eq!(info.offered_version, info.version);
        assert_eq!(info.cipher_suite, Some(CipherSuite(suite.suite().into())));
        assert_eq!(info.server_name.as_deref(), Some("localhost"));
        assert_eq!(info.alpn_offered, ["h2", "http/1.1"]);
        assert_eq!(info.alpn_selected.as_deref(), Some("http/1.1"));
        assert_eq!(info.resumed, Some(false));
        assert!(info.is_side_decrypted(Side::Client) && info.is_side_decrypted(Side::Server));
        assert!(info.handshake_done(Side::Client) && info.handshake_done(Side::Server));
        assert!(!info.hello_retried && !info.early_data_offered);
        assert!(info.tickets > 0);
    }
}

#[test]
fn without_keys_the_hellos_the_end_of_the_handshake_and_the_records_are_seen() {
    for version in VERSIONS {
        let capture = talk(&mut ends_of(version).connect());
        let seen = read(&capture.wire, &KeyLog::new());
        assert!(seen.has(&TlsEvent::NoKeys(NoKeys::NotInKeyLog)));
        assert!(seen.has(&TlsEvent::HandshakeDone));
        assert!(!seen.info.is_decrypted());
        assert_eq!(seen.said(Side::Client), b"");
        assert_eq!(seen.info.version, Some(version_number(version)));
        let certain = version.version == rustls::ProtocolVersion::TLSv1_2;
        for side in [Side::Client, Side::Server] {
            assert!(seen.info.handshake_done(side));
            assert!(
                seen.has(&TlsEvent::EncryptedAlert { side, certain }),
                "{version:?} {side:?}"
            );
            let records = seen
                .events
                .iter()
                .filter(|event| matches!(event, TlsEvent::Encrypted { side: from, .. } if *from == side));
            assert!(records.count() >= 2);
        }
    }
}

#[test]
fn the_handshake_is_not_done_before_the_client_has_finished() {
    for version in VERSIONS {
        let capture = talk(&mut ends_of(version).connect());
        for keys in [KeyLog::new(), keys_of(&capture)] {
            // client hello, then all that the server answers to it
            let seen = read(&capture.wire[..2], &keys);
            assert!(!seen.info.handshake_done(Side::Client));
            assert!(!seen.has(&TlsEvent::HandshakeDone));
        }
    }
}

#[test]
fn resumed_sessions_are_told_and_decrypted() {
    for version in VERSIONS {
        let ends = ends_of(version);
        talk(&mut ends.connect());
        let mut second = ends.connect();
        let capture = talk(&mut second);
        assert_eq!(second.client.handshake_kind(), Some(HandshakeKind::Resumed));
        let seen = read(&capture.wire, &keys_of(&capture));
        assert_eq!(seen.info.resumed, Some(true));
        assert_eq!(seen.said(Side::Client), b"pingbye");
        assert_eq!(seen.said(Side::Server), long_text());
        assert_eq!(
            read(&capture.wire, &KeyLog::new()).info.resumed,
            Some(true),
            "visible without keys"
        );
    }
}

#[test]
fn a_retried_hello_is_told_and_the_session_decrypted() {
    let mut settings = Settings::version(&rustls::version::TLS13);
    settings.server.kx_groups = vec![kx_group::SECP384R1];
    let capture = talk(&mut Ends::new(settings).connect());
    let seen = read(&capture.wire, &keys_of(&capture));
    assert!(seen.info.hello_retried);
    let beginning = [
        TlsEvent::ClientHello,
        TlsEvent::HelloRetryRequest,
        TlsEvent::ClientHello,
        TlsEvent::ServerHello,
    ];
    assert_eq!(seen.events[..4], beginning);
    assert_eq!(seen.said(Side::Server), long_text());
    assert!(read(&capture.wire, &KeyLog::new()).has(&TlsEvent::HandshakeDone));
}

#[test]
fn keys_may_be_renewed_by_either_side_again_and_again() {
    let mut pair = ends_of(&rustls::version::TLS13).connect();
    pair.run();
    for (round, side) in [Side::Client, Side::Server, Side::Client, Side::Client]
        .into_iter()
        .enumerate()
    {
        pair.end(side).refresh_traffic_keys().unwrap();
        pair.say(side, format!("round {round};").as_bytes())
            .say(Side::Server, b"ok;");
    }
    let capture = pair.close().capture();
    let seen = read(&capture.wire, &keys_of(&capture));
    assert_eq!(seen.said(Side::Client), b"round 0;round 2;round 3;");
    assert_eq!(seen.said(Side::Server), b"ok;round 1;ok;ok;ok;");
    for side in [Side::Client, Side::Server] {
        let updates = seen
            .events
            .iter()
            .filter(|event| **event == TlsEvent::KeyUpdate { side });
        assert_eq!(
            updates.count(),
            4,
            "the other side answers an update with its own"
        );
        assert!(seen.has(&TlsEvent::CloseNotify { side }));
    }
}

#[test]
fn messages_that_take_many_records_are_joined() {
    for version in VERSIONS {
        let mut ends = ends_of(version);
        // Hellos, certificates and data alike, protection included.
        ends.client.max_fragment_size = Some(64);
        ends.server.max_fragment_size = Some(64);
        let capture = talk(&mut ends.connect());
        let seen = read(&capture.wire, &keys_of(&capture));
        assert_eq!(seen.said(Side::Client), b"pingbye");
        assert_eq!(seen.said(Side::Server), long_text());
        assert_eq!(seen.info.server_name.as_deref(), Some("localhost"));
        assert_eq!(seen.info.resumed, Some(false));
        assert!(read(&capture.wire, &KeyLog::new()).has(&TlsEvent::HandshakeDone));
    }
}

#[test]
fn early_data_is_left_out_and_the_rest_decrypted() {
    let mut ends = ends_of(&rustls::version::TLS13);
    ends.client.enable_early_data = true;
    ends.server.max_early_data_size = 10_000;
    // Tickets that hold early data need the server's memory.
    ends.server.ticketer = Arc::new(NoTickets);
    ends.server.send_half_rtt_data = false;
    talk(&mut ends.connect());
    for accepted in [true, false] {
        if !accepted {
            ends.server.max_early_data_size = 0;
        }
        let mut second = ends.connect();
        let rustls::Connection::Client(client) = &mut second.client else {
            panic!("a client")
        };
        client.early_data().unwrap().write_all(b"too early").unwrap();
        let capture = talk(&mut second);
        let rustls::Connection::Client(client) = &mut second.client else {
            panic!("a client")
        };
        assert_eq!(client.is_early_data_accepted(), accepted);
        let seen = read(&capture.wire, &keys_of(&capture));
        assert!(seen.info.early_data_offered);
        assert_eq!(seen.said(Side::Client), b"pingbye");
        assert_eq!(seen.said(Side::Server), long_text());
        assert!(seen.events.iter().any(|event| matches!(
            event,
            TlsEvent::Encrypted {
                side: Side::Client,
                ..
            }
        )));
        assert!(!seen.has(&TlsEvent::DecryptionLost { side: Side::Client }));
        let blind = read(&capture.wire, &KeyLog::new());
        assert!(blind.has(&TlsEvent::HandshakeDone));
    }
}

/// Makes the server remember its sessions itself.
#[derive(Debug)]
struct NoTickets;

impl rustls::server::ProducesTickets for NoTickets {
    fn enabled(&self) -> bool {
        false
    }
    fn lifetime(&self) -> u32 {
        0
    }
    fn encrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
    fn decrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

#[test]
fn a_client_that_does_not_trust_the_certificate_says_so() {
    for version in VERSIONS {
        let mut pair = Ends::new(Settings {
            trusting: false,
            ..Settings::version(version)
        })
        .connect();
        assert!(pair.run().failed);
        let capture = pair.capture();
        let seen = read(&capture.wire, &keys_of(&capture));
        assert_eq!(alerts(&seen), [(Side::Client, "unknown_ca")]);
        let blind = read(&capture.wire, &KeyLog::new());
        if version.version == rustls::ProtocolVersion::TLSv1_2 {
            assert_eq!(alerts(&blind), [(Side::Client, "unknown_ca")], "still in clear");
        } else {
            assert!(blind.has(&TlsEvent::EncryptedAlert {
                side: Side::Client,
                certain: false
            }));
        }
        assert!(
            !blind.info.handshake_done(Side::Client),
            "an alert is no Finished"
        );
        assert!(!seen.has(&TlsEvent::HandshakeDone));
    }
}

#[test]
fn ends_without_anything_in_common_part_with_an_alert() {
    let no_common_version = Settings {
        server_versions: vec![&rustls::version::TLS13],
        ..Settings::version(&rustls::version::TLS12)
    };
    let mut no_common_suite = Settings::suite(ring::cipher_suite::TLS13_AES_128_GCM_SHA256);
    no_common_suite.server.cipher_suites = vec![
        ring::cipher_suite::TLS13_AES_256_GCM_SHA384,
        ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    ];
    let mut no_common_protocol = Ends::new(Settings::default());
    no_common_protocol.client.alpn_protocols = vec![b"h2".to_vec()];
    no_common_protocol.server.alpn_protocols = vec![b"http/1.1".to_vec()];
    for (ends, alert) in [
        (Ends::new(no_common_version), "protocol_version"),
        (Ends::new(no_common_suite), "handshake_failure"),
        (no_common_protocol, "no_application_protocol"),
    ] {
        let mut pair = ends.connect();
        assert!(pair.run().failed);
        let capture = pair.capture();
        let seen = read(&capture.wire, &keys_of(&capture));
        assert_eq!(alerts(&seen), [(Side::Server, alert)]);
        assert!(seen.info.offered_version.is_some());
    }
}

#[test]
fn plain_http_is_not_tls() {
    let wire = [
        (Side::Client, b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        (Side::Server, b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        (Side::Client, b"GET / HTTP/1.1\r\n\r\n".to_vec()),
    ];
    let seen = read(&wire, &KeyLog::new());
    let expected = [
        TlsEvent::NotTls { side: Side::Client },
        TlsEvent::NotTls { side: Side::Server },
    ];
    assert_eq!(seen.events, expected);
}

fn two_captures() -> &'static [Capture; 2] {
    static CAPTURES: OnceLock<[Capture; 2]> = OnceLock::new();
    CAPTURES.get_or_init(|| VERSIONS.map(|version| talk(&mut ends_of(version).connect())))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cut_gives_the_same_events(which in 0_usize..2, keyed: bool, cuts in proptest::collection::vec(1_usize..3000, 1..40)) {
        let capture = &two_captures()[which];
        let keys = if keyed { keys_of(capture) } else { KeyLog::new() };
        let mut lengths = cuts.iter().copied().cycle();
        let mut wire = Vec::new();
        for (side, bytes) in &capture.wire {
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (now, later) = rest.split_at(lengths.next().unwrap().min(rest.len()));
                wire.push((*side, now.to_vec()));
                rest = later;
            }
        }
        let (whole, cut) = (read(&capture.wire, &keys), read(&wire, &keys));
        prop_assert_eq!(whole.events, cut.events);
        prop_assert_eq!(whole.info, cut.info);
    }
}

#[test]
fn a_session_that_rests_between_packets_tells_the_same_and_is_small() {
    for capture in two_captures() {
        let keys = keys_of(capture);
        let mut session = TlsSession::new();
        let mut events = Vec::new();
        for (side, bytes) in &capture.wire {
            session.feed(*side, bytes, &keys, &mut events);
            session.rest();
        }
        assert_eq!(events, read(&capture.wire, &keys).events);
    }
    assert!(
        size_of::<TlsSession>() + 2 * size_of::<Opener>() <= 1024,
        "an idle session, names apart"
    );
}

#[test]
fn one_byte_at_a_time_gives_the_same_events() {
    for capture in two_captures() {
        let keys = keys_of(capture);
        let wire: Vec<_> = capture
            .wire
            .iter()
            .flat_map(|(side, bytes)| bytes.iter().map(|byte| (*side, vec![*byte])))
            .collect();
        assert_eq!(read(&wire, &keys).events, read(&capture.wire, &keys).events);
    }
}
