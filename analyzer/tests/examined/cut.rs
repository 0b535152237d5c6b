//! Packets that a snap length cut: one test a fact.

use crate::PORT;
use crate::wire::By::{Client, Server};
use crate::wire::{S, Wire, frame};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n";

#[test]
fn a_refused_upgrade_is_known_by_what_is_left_of_the_heads() {
    for (status, verdict) in [
        ("503 Service Unavailable", "clw-server-overloaded"),
        ("403 Forbidden", "clw-upgrade-rejected"),
    ] {
        let mut wire = Wire::new(PORT);
        wire.snap = 100;
        wire.open();
        wire.send(Client, REQUEST);
        let answer = format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nDate: Thu\r\n\r\nno"
        );
        wire.send(Server, answer.as_bytes());
        wire.fin(Server);
        wire.fin(Client);
        let judged = wire.only();
        assert_eq!(
            judged.record.verdict,
            Some(verdict),
            "{:#?}",
            judged.record.evidence
        );
        assert_eq!(
            judged.record.http.and_then(|http| http.status),
            status[..3].parse().ok()
        );
    }
}

#[test]
fn a_plain_request_is_no_session_though_its_end_was_cut() {
    let mut wire = Wire::new(PORT);
    wire.snap = 60;
    wire.open();
    wire.send(
        Client,
        b"POST /v1/auth/refresh HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    );
    wire.send(
        Server,
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n{\"code\":0,\"msg\":\"ok\",\"data\":{}}",
    );
    wire.fin(Server);
    let judged = wire.only();
    assert_eq!(
        (judged.record.dialect.name(), judged.record.verdict),
        ("http", None)
    );
}

#[test]
fn framing_that_was_lost_behind_a_cut_is_found_by_the_length_of_the_packet() {
    let mut wire = Wire::new(PORT);
    wire.ready();
    wire.snap = 40;
    // Two events in a packet: where the second one begins was not captured.
    let event =
        |name: &str| format!(r#"{{"type":"event","event":"{name}","payload":{{"what":"ever","it":"is"}}}}"#);
    let both = [
        frame(Server, 0x81, event("health").as_bytes()),
        frame(Server, 0x81, event("presence").as_bytes()),
    ];
    wire.send(Server, &both.concat());
    wire.ack(Client);
    wire.now = S;
    wire.text(Server, &event("health"));
    wire.ack(Client);
    wire.now = 2 * S;
    wire.frame(Server, 0x88, b"\x03\xF4service restart");
    wire.fin(Server);
    let judged = wire.only();
    assert_eq!(judged.record.verdict, Some("clw-server-restart"));
    assert!(
        !judged
            .record
            .evidence
            .iter()
            .any(|line| line.contains("captured whole")),
        "{:#?}",
        judged.record.evidence
    );
}

#[test]
fn a_cut_session_that_ends_without_a_word_did_so() {
    let mut wire = Wire::new(PORT);
    wire.snap = 134;
    wire.open();
    wire.send(Client, REQUEST);
    wire.send(
        Server,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\nDate: Thu\r\n\r\n",
    );
    wire.text(
        Server,
        r#"{"type":"event","event":"connect.challenge","payload":{"nonce":"76033109-b396-4cd0-a9cf-e5038f97bdb0","ts":1795208458446,"capabilities":["model-catalog-snapshot"]}}"#,
    );
    wire.text(
        Client,
        r#"{"type":"req","id":"c1","method":"connect","params":{"minProtocol":4,"maxProtocol":4,"role":"operator","client":{"id":"cli","version":"1.0.0","platform":"linux","mode":"cli"}}}"#,
    );
    wire.text(
        Server,
        r#"{"type":"res","id":"c1","ok":true,"payload":{"type":"hello-ok","protocol":4,"server":{"version":"2026.9.6"},"policy":{"maxPayload":26214400,"tickIntervalMs":30000}}}"#,
    );
    wire.ack(Client);
    wire.now = 5 * S;
    wire.fin(Client);
    let judged = wire.only();
    assert_eq!(judged.record.verdict, Some("clw-auth-disconnected"));
    assert!(judged.record.confidence < 0.7, "{}", judged.record.confidence);
}
