//! Sessions that OpenSSL spoke (`tests/data/tls`): RSA certificates and key exchanges, renegotiation, padding, client
//! certificates, and what cannot be decrypted.

use super::pair::Capture;
use super::{Seen, keys_of, read};
use crate::tls::{NoKeys, TlsEvent, Version};
use clw_core::verdict::Side;

macro_rules! recorded {
    ($name:literal) => {
        recorded(include_str!(concat!("../../../tests/data/tls/", $name, ".txt")))
    };
}

fn recorded(text: &str) -> Capture {
    let mut capture = Capture {
        wire: Vec::new(),
        key_log: String::new(),
    };
    for line in text.lines() {
        let (what, rest) = line.split_once(' ').unwrap();
        match what {
            "client" => capture.wire.push((Side::Client, unhex(rest))),
            "server" => capture.wire.push((Side::Server, unhex(rest))),
            "keys" => capture.key_log.extend([rest, "\n"]),
            _ => panic!("{line}"),
        }
    }
    capture
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn read_with_keys(capture: &Capture) -> Seen {
    read(&capture.wire, &keys_of(capture))
}

fn assert_heard(seen: &Seen, client: &str, server: &str) {
    assert_eq!(String::from_utf8(seen.said(Side::Client)).unwrap(), client);
    assert_eq!(String::from_utf8(seen.said(Side::Server)).unwrap(), server);
    assert!(seen.has(&TlsEvent::HandshakeDone));
    assert!(seen.has(&TlsEvent::CloseNotify { side: Side::Client }));
    assert_eq!(seen.info.server_name.as_deref(), Some("gateway.example"));
}

#[test]
fn suites_with_rsa_certificates_are_decrypted_whatever_the_key_exchange() {
    for (capture, suite) in [
        (
            recorded!("tls12-rsa-aes128gcm"),
            "TLS_RSA_WITH_AES_128_GCM_SHA256",
        ),
        (
            recorded!("tls12-dhe-rsa-aes128gcm"),
            "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
        ),
        (
            recorded!("tls12-ecdhe-rsa-aes256gcm"),
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        ),
        (
            recorded!("tls12-ecdhe-rsa-chacha20"),
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        ),
    ] {
        let seen = read_with_keys(&capture);
        assert_heard(&seen, "first line\nsecond line\n", "enil tsrif\nenil dnoces\n");
        assert_eq!(seen.info.cipher_suite.unwrap().to_string(), suite);
        assert_eq!(seen.info.version, Some(Version::TLS_1_2));
    }
}

#[test]
fn a_renegotiated_session_is_decrypted_under_its_second_keys() {
    let seen = read_with_keys(&recorded!("tls12-renegotiated"));
    assert_heard(&seen, "first line\nsecond line\n", "enil tsrif\nenil dnoces\n");
    assert_eq!(
        seen.events
            .iter()
            .filter(|event| **event == TlsEvent::ServerHello)
            .count(),
        2
    );
}

#[test]
fn padding_is_taken_off_and_key_updates_are_followed() {
    let seen = read_with_keys(&recorded!("tls13-padded-updated"));
    assert_heard(
        &seen,
        "first line\nsecond line\nthird line\n",
        "enil tsrif\nenil dnoces\nenil driht\n",
    );
    let updates = |side| {
        seen.events
            .iter()
            .filter(|event| **event == TlsEvent::KeyUpdate { side })
            .count()
    };
    assert_eq!(
        (updates(Side::Client), updates(Side::Server)),
        (2, 1),
        "only one of the client's asked for an answer"
    );
}

#[test]
fn a_client_certificate_changes_nothing() {
    let seen = read_with_keys(&recorded!("tls13-client-certificate"));
    assert_heard(&seen, "first line\nsecond line\n", "enil tsrif\nenil dnoces\n");
}

#[test]
fn suites_and_versions_that_cannot_be_decrypted_are_named() {
    for (capture, why) in [
        (
            recorded!("tls12-ecdhe-rsa-aes128cbc"),
            "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA cannot be decrypted (AES-GCM and ChaCha20-Poly1305 can)",
        ),
        (
            recorded!("tls13-ccm8"),
            "TLS_AES_128_CCM_8_SHA256 cannot be decrypted (AES-GCM and ChaCha20-Poly1305 can)",
        ),
        (
            recorded!("tls10"),
            "TLS 1.0 cannot be decrypted (TLS 1.2 and 1.3 can)",
        ),
    ] {
        let seen = read_with_keys(&capture);
        let told: Vec<NoKeys> = seen
            .events
            .iter()
            .filter_map(|event| match event {
                TlsEvent::NoKeys(why) => Some(*why),
                _ => None,
            })
            .collect();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].to_string(), why);
        assert!(seen.has(&TlsEvent::HandshakeDone));
        assert!(!seen.info.is_decrypted());
    }
}
