//! What captures of the real gateway and of middleboxes taught: one test a fact.

#![expect(clippy::expect_used, reason = "a helper of a test may panic")]

mod cut;
mod losses;
mod resets;
mod wire;

use clw_analyzer::segment::Flags;
use clw_analyzer::totals::Totals;
use clw_core::Stage;
use clw_core::verdict::{EndingKind, Side};
use wire::By::{Client, Server};
use wire::{S, Wire, frame};

const PORT: u16 = 18_801;
const TICK: &str = r#"{"type":"event","event":"tick","payload":{}}"#;

#[test]
fn a_path_that_is_cut_is_not_called_a_stalled_gateway() {
    let mut wire = Wire::new(PORT);
    wire.ready();
    wire.now = 9 * S;
    wire.text(Server, TICK);
    let sent = frame(Server, 0x81, TICK.as_bytes());
    for second in [10, 11, 13, 17, 25, 41, 73] {
        wire.now = second * S;
        wire.again(Server, &sent);
    }
    // The client's host comes back, and its FIN says that it had the tick.
    wire.now = 110 * S;
    wire.fin(Client);
    wire.text(Server, TICK);
    let judged = wire.only();
    assert_eq!(judged.record.verdict, Some("clw-heartbeat-miss"));
    let gap = &judged.record.heartbeats.gaps[0];
    assert_eq!(gap.side, Side::Client);
    assert!(gap.cause.starts_with("path cut"), "{}", gap.cause);
    assert!(
        !judged
            .record
            .evidence
            .iter()
            .any(|line| line.contains("idle timer"))
    );
}

#[test]
fn packets_that_acknowledge_nothing_new_make_a_silent_end_one_way() {
    let mut wire = Wire::new(PORT);
    wire.ready();
    wire.now = 9 * S;
    let (seq, ack) = wire.at(Client);
    wire.text(Server, TICK);
    let sent = frame(Server, 0x81, TICK.as_bytes());
    for second in [10, 12, 16, 24] {
        wire.now = second * S;
        wire.again(Server, &sent);
        wire.packet(Client, Flags::ACK, (seq, ack), b"", 64, 500);
    }
    let judged = wire.only();
    assert_eq!(
        (judged.record.ending.kind, judged.record.ending.by),
        (EndingKind::Silent, Side::Client)
    );
    assert!(
        judged
            .record
            .evidence
            .iter()
            .any(|line| line.starts_with("one-way"))
    );
}

#[test]
fn a_side_that_acknowledged_nothing_until_the_captures_end_missed_its_heartbeats() {
    let mut wire = Wire::new(PORT);
    wire.ready();
    wire.now = 2 * S;
    wire.text(Server, TICK);
    let sent = frame(Server, 0x81, TICK.as_bytes());
    for second in [3, 5, 9, 17, 33] {
        wire.now = second * S;
        wire.again(Server, &sent);
    }
    // Another session shows that the capture went on.
    wire.of_client(7);
    wire.now = 110 * S;
    wire.ready();
    let all = wire.end();
    let silent = all
        .iter()
        .find(|judged| judged.record.ending.kind == EndingKind::Silent)
        .expect("it");
    assert_eq!(silent.record.verdict, Some("clw-heartbeat-miss"));
    assert!(silent.record.heartbeats.gaps[0].cause.starts_with("path cut"));
}

#[test]
fn what_the_server_said_after_the_client_had_left_made_nobody_ready() {
    let mut wire = Wire::new(PORT);
    wire.open();
    wire.send(
        Client,
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    );
    wire.now = 10 * S;
    wire.fin(Client);
    wire.now = 60 * S;
    wire.send(
        Server,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    );
    wire.fin(Server);
    let judged = wire.only();
    assert_eq!(judged.record.verdict, Some("clw-closed-before-connect"));
    assert_eq!(judged.record.stage, Stage::Upgrade);
}

#[test]
fn clients_that_leave_together_are_no_dead_gateway() {
    let mut wire = Wire::new(PORT);
    for client in 1..=6 {
        wire.of_client(client);
        wire.ready();
        wire.fin(Client);
    }
    let mut totals = Totals::default();
    for judged in wire.end() {
        totals.add(&judged);
    }
    totals.finish();
    assert!(totals.summary.incidents[0].cause.starts_with("the clients left"));
}

#[test]
fn a_stall_that_sessions_lived_through_is_told_once_for_all() {
    let mut wire = Wire::new(PORT);
    let mut states = Vec::new();
    for client in 1..=6 {
        wire.of_client(client);
        wire.ready();
        states.push((wire.client, wire.next));
    }
    for second in [10, 40, 130] {
        wire.now = second * S;
        for state in &mut states {
            (wire.client, wire.next) = *state;
            wire.text(Server, TICK);
            wire.ack(Client);
            state.1 = wire.next;
        }
    }
    let mut totals = Totals::default();
    for judged in wire.end() {
        totals.add(&judged);
    }
    totals.finish();
    let [silence] = totals.summary.silences.as_slice() else {
        panic!("{:?}", totals.summary.silences);
    };
    assert_eq!(
        (silence.sessions, silence.side, silence.length_ms),
        (6, Side::Server, 90_000.0)
    );
}

#[test]
fn a_helper_that_leaves_before_connect_is_no_error() {
    let mut wire = Wire::new(PORT);
    wire.open();
    wire.send(
        Client,
        b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: OpenClawHelper/1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    );
    wire.send(
        Server,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    );
    wire.text(
        Server,
        r#"{"type":"event","event":"connect.challenge","payload":{"nonce":"n","ts":1}}"#,
    );
    wire.frame(Client, 0x88, &[0x03, 0xE8]);
    let judged = wire.only();
    assert_eq!(judged.record.verdict, Some("clw-closed-before-connect"));
    assert!(judged.record.helper && !judged.is_error);
    let mut totals = Totals::default();
    totals.add(&judged);
    totals.finish();
    assert_eq!((totals.errors(), totals.summary.helpers), (0, 1));
}

#[test]
fn a_snap_length_makes_a_login_uncertain_and_never_another_ending() {
    for snap in [30, 60, 62, 134] {
        let mut wire = Wire::new(PORT);
        wire.snap = snap;
        wire.upgrade();
        wire.text(
            Server,
            r#"{"type":"event","event":"connect.challenge","payload":{"nonce":"76033109-b396-4cd0-a9cf-e5038f97bdb0","ts":1795208458446,"capabilities":["model-catalog-snapshot"]}}"#,
        );
        wire.text(
            Client,
            r#"{"type":"req","id":"c1","method":"connect","params":{"minProtocol":4,"maxProtocol":4,"role":"operator","client":{"id":"cli","version":"1.0.0","platform":"linux","mode":"cli"},"auth":{"token":"no"}}}"#,
        );
        wire.text(
            Server,
            r#"{"type":"res","id":"c1","ok":false,"error":{"code":"INVALID_REQUEST","message":"unauthorized: gateway token mismatch (provide gateway auth token)","details":{"code":"AUTH_TOKEN_MISMATCH"}}}"#,
        );
        wire.frame(Server, 0x88, b"\x03\xF0unauthorized: gateway token mismatch");
        wire.fin(Server);
        wire.fin(Client);
        let judged = wire.only();
        let verdict = judged.record.verdict.unwrap_or("none");
        assert!(
            matches!(verdict, "clw-auth-failed" | "incomplete"),
            "{snap}: {verdict} {:#?}",
            judged.record.evidence
        );
    }
}

#[test]
fn a_refusal_of_a_request_that_was_not_captured_is_no_plain_http() {
    let mut wire = Wire::new(PORT);
    wire.unheard = Some(Client);
    wire.open();
    wire.send(Client, b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
    wire.send(
        Server,
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
    );
    wire.fin(Server);
    let judged = wire.only();
    assert_eq!(judged.record.verdict, Some("incomplete"));
    assert!(
        judged
            .record
            .evidence
            .iter()
            .any(|line| line.contains("HTTP 503"))
    );
}

#[test]
fn what_a_refusing_server_says_is_evidence() {
    let mut wire = Wire::new(PORT);
    wire.open();
    wire.send(
        Client,
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    );
    wire.send(
        Server,
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 34\r\n\r\nGateway websocket admission closed",
    );
    wire.fin(Server);
    let judged = wire.only();
    assert!(
        judged
            .record
            .evidence
            .iter()
            .any(|line| line.contains("Gateway websocket admission closed"))
    );
}

#[test]
fn a_request_that_was_never_finished_is_a_client_that_left() {
    let mut wire = Wire::new(PORT);
    wire.open();
    wire.send(Client, b"GET / HTTP/1.1\r\nHost: a\r\nUpg");
    wire.now = 5 * S;
    wire.fin(Client);
    wire.send(Server, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    let judged = wire.only();
    assert_eq!(judged.record.verdict, Some("clw-closed-before-connect"));
}

#[test]
fn an_unanswered_syn_is_a_timeout_only_where_an_answer_could_have_been_seen() {
    let mut wire = Wire::new(PORT);
    wire.packet(Client, Flags::SYN, (1000, 0), b"", 64, 500);
    wire.now = 3 * S;
    wire.packet(Client, Flags::SYN, (1000, 0), b"", 64, 500);
    assert_eq!(wire.only().record.verdict, Some("clw-conn-timeout"));
    // Nothing of this server was captured at all.
    let mut wire = Wire::new(PORT);
    wire.unheard = Some(Server);
    wire.ready();
    wire.of_client(7);
    wire.packet(Client, Flags::SYN, (1000, 0), b"", 64, 500);
    wire.now = 3 * S;
    wire.packet(Client, Flags::SYN, (1000, 0), b"", 64, 500);
    let verdicts: Vec<_> = wire.end().iter().map(|judged| judged.record.verdict).collect();
    assert_eq!(verdicts, [Some("incomplete"), Some("incomplete")]);
}

#[test]
fn a_known_idle_timer_is_named_at_a_bare_end() {
    let mut wire = Wire::new(PORT);
    wire.ready();
    wire.now = 350 * S;
    wire.fin(Server);
    let judged = wire.only();
    let named =
        "no data was sent for 350.0 s before the end: that fits the idle timer of AWS NLB and NAT gateway";
    assert!(
        judged.record.evidence.iter().any(|line| line == named),
        "{:#?}",
        judged.record.evidence
    );
}

#[test]
fn compressed_messages_of_a_session_whose_upgrade_was_not_captured_break_nothing() {
    let mut wire = Wire::new(PORT);
    for second in 0..4 {
        wire.now = second * S;
        wire.frame(Server, 0x89, b"");
        wire.frame(Client, 0x8A, b"");
        wire.frame(Server, 0xC1, &[0xAA, 0x56, 0x2A, 0x01, 0x00]);
    }
    let judged = wire.only();
    assert_eq!(
        judged.record.verdict,
        Some("open"),
        "{:#?}",
        judged.record.evidence
    );
}

#[test]
fn a_session_too_short_to_tell_speaks_what_its_server_speaks() {
    let mut wire = Wire::new(PORT);
    wire.ready();
    wire.of_client(7);
    wire.upgrade();
    wire.fin(Server);
    let all = wire.end();
    let short = all
        .iter()
        .find(|judged| judged.record.client.port() == 40_007)
        .expect("it");
    assert_eq!(short.record.dialect.name(), "openclaw");
    assert_eq!(short.record.verdict, Some("clw-closed-before-connect"));
}

#[test]
fn a_servers_close_frame_alone_may_be_an_answer_where_only_its_side_was_captured() {
    for (code, verdict) in [
        (1000_u16, "incomplete"),
        (1001, "incomplete"),
        (4000, "incomplete"),
        (1012, "clw-server-restart"),
    ] {
        let mut wire = Wire::new(PORT);
        wire.unheard = Some(Client);
        wire.ready();
        wire.now = 60 * S;
        wire.frame(Server, 0x89, b"");
        wire.now = 90 * S;
        wire.frame(Server, 0x88, &code.to_be_bytes());
        wire.fin(Server);
        assert_eq!(wire.only().record.verdict, Some(verdict), "{code}");
    }
}

#[test]
fn a_clock_that_is_set_back_changes_no_ending() {
    let mut wire = Wire::new(PORT);
    wire.now = 10 * S;
    wire.upgrade();
    wire.text(
        Server,
        r#"{"type":"event","event":"connect.challenge","payload":{"nonce":"n","ts":1}}"#,
    );
    wire.text(
        Client,
        r#"{"type":"req","id":"c1","method":"connect","params":{}}"#,
    );
    wire.text(
        Server,
        r#"{"type":"res","id":"c1","ok":false,"error":{"code":"INVALID_REQUEST","message":"unauthorized","details":{"code":"AUTH_TOKEN_MISMATCH"}}}"#,
    );
    wire.frame(Server, 0x88, b"\x03\xF0unauthorized");
    wire.now = 7 * S;
    wire.fin(Client);
    let judged = wire.only();
    assert_eq!(judged.record.verdict, Some("clw-auth-failed"));
    assert_eq!(
        (judged.record.stage, judged.record.ending.by),
        (Stage::Auth, Side::Server)
    );
}

#[test]
fn tls_of_which_one_side_was_captured_has_not_failed() {
    let mut wire = Wire::new(443);
    wire.unheard = Some(Server);
    wire.open();
    wire.send(Client, &[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]);
    wire.send(Server, &[0x16, 3, 3, 0, 4, 2, 0, 0, 0]);
    wire.now = 5 * S;
    wire.send(Client, &[0x17, 3, 3, 0, 2, 9, 9]);
    wire.fin(Client);
    let judged = wire.only();
    assert_eq!(
        judged.record.verdict,
        Some("incomplete"),
        "{:#?}",
        judged.record.evidence
    );
}

#[test]
fn an_answer_that_could_not_be_read_leaves_no_request_open() {
    let mut wire = Wire::new(PORT);
    wire.ready();
    wire.text(
        Client,
        r#"{"type":"req","id":"r1","method":"health","params":{}}"#,
    );
    wire.snap = 20;
    wire.text(Server, r#"{"payload":{},"type":"res","id":"r1","ok":true}"#);
    wire.ack(Client);
    wire.snap = usize::MAX;
    wire.fin(Server);
    let judged = wire.only();
    assert_eq!(judged.record.verdict, Some("clw-auth-disconnected"));
    assert_eq!(judged.record.pending_requests, 0);
}

#[test]
fn a_refusal_whose_syn_ack_was_lost_too_is_not_taken_for_silence() {
    let mut wire = Wire::new(PORT);
    wire.unheard = Some(Server);
    wire.open();
    wire.send(
        Client,
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    );
    wire.send(Server, b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    wire.unheard = None;
    wire.fin(Server);
    assert_eq!(wire.only().record.verdict, Some("incomplete"));
}

#[test]
fn a_capture_of_one_direction_says_so_once_for_all() {
    let mut wire = Wire::new(PORT);
    wire.unheard = Some(Server);
    wire.ready();
    let mut totals = Totals::default();
    for judged in wire.end() {
        totals.add(&judged);
    }
    totals.finish();
    assert_eq!(
        (totals.summary.unheard.client, totals.summary.unheard.server),
        (0, 1)
    );
}

#[test]
fn every_stage_of_the_handshake_has_its_time() {
    let mut wire = Wire::new(PORT);
    wire.ready();
    let mut totals = Totals::default();
    for judged in wire.end() {
        totals.add(&judged);
    }
    totals.finish();
    let names: Vec<_> = totals.summary.stages_us.keys().copied().collect();
    assert_eq!(names, ["auth", "challenge", "ready", "upgrade"]);
}
