//! What was not captured, or captured twice: one test a fact.

use crate::wire::By::{Client, Server};
use crate::wire::{MS, S, Wire};
use crate::{PORT, TICK};
use clw_analyzer::segment::Flags;
use clw_core::Stage;
use clw_core::verdict::{EndingKind, Side};

const HEALTH: &str = r#"{"type":"req","id":"r1","method":"health","params":{}}"#;

/// Something that is sent, and not captured.
fn lose(wire: &mut Wire, from: crate::wire::By, send: impl FnOnce(&mut Wire)) {
    wire.unheard = Some(from);
    send(wire);
    wire.unheard = None;
}

#[test]
fn packets_without_an_ip_id_that_come_twice_at_once_are_counted_once() {
    let mut wire = Wire::new(PORT);
    wire.packet(Client, Flags::SYN, (1000, 0), b"", 64, 500);
    wire.packet(Client, Flags::SYN, (1000, 0), b"", 64, 500);
    wire.packet(Server, Flags::RST | Flags::ACK, (0, 1001), b"", 64, 0);
    wire.packet(Server, Flags::RST | Flags::ACK, (0, 1001), b"", 64, 0);
    let judged = wire.only();
    assert_eq!(judged.record.verdict, Some("clw-conn-refused"));
    assert_eq!((judged.record.ending.rst.len(), judged.record.duplicates), (1, 2));
    assert_eq!(judged.record.retransmissions.client, 0);
}

#[test]
fn resets_that_answer_two_packets_are_two() {
    let mut wire = Wire::new(PORT);
    wire.ready();
    wire.fin(Server);
    let (_, ack) = wire.at(Server);
    wire.text(Client, HEALTH);
    wire.text(Client, HEALTH);
    wire.packet(Server, Flags::RST, (ack, 0), b"", 64, 0);
    wire.packet(Server, Flags::RST, (ack, 0), b"", 64, 0);
    assert_eq!(wire.only().record.ending.rst.len(), 2);
}

#[test]
fn a_fin_that_was_not_captured_is_known_by_its_acknowledgement() {
    let mut wire = Wire::new(PORT);
    wire.ready();
    wire.now = S;
    lose(&mut wire, Server, |wire| wire.fin(Server));
    wire.frame(Client, 0x88, b"\x03\xE8");
    wire.fin(Client);
    let judged = wire.only();
    assert_eq!(judged.record.verdict, Some("clw-auth-disconnected"));
    assert_eq!(
        (judged.record.ending.kind, judged.record.ending.by),
        (EndingKind::Fin, Side::Server)
    );
    let words = judged.record.evidence.join("\n");
    assert!(words.contains("acknowledges a FIN of the server"), "{words}");
}

#[test]
fn what_a_client_had_received_when_it_reset_is_known() {
    let mut wire = Wire::new(PORT);
    wire.upgrade();
    wire.text(
        Client,
        r#"{"type":"req","id":"c1","method":"connect","params":{}}"#,
    );
    lose(&mut wire, Server, |wire| {
        wire.text(
            Server,
            r#"{"type":"res","id":"c1","ok":true,"payload":{"type":"hello-ok"}}"#,
        );
    });
    let at = wire.at(Client);
    wire.packet(Client, Flags::RST | Flags::ACK, at, b"", 64, 0);
    assert_eq!(wire.only().record.verdict, Some("incomplete"));
}

#[test]
fn frames_after_an_upgrade_that_was_not_captured_are_no_broken_answer() {
    let mut wire = Wire::new(PORT);
    wire.send(
        Client,
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    );
    lose(&mut wire, Server, |wire| {
        wire.send(Server, b"HTTP/1.1 101 Switching Protocols\r\n\r\n");
    });
    wire.text(
        Server,
        r#"{"type":"event","event":"connect.challenge","payload":{"nonce":"n","ts":1}}"#,
    );
    wire.fin(Server);
    let judged = wire.only();
    assert_eq!(judged.record.dialect.name(), "openclaw");
    assert_eq!(judged.record.verdict, Some("incomplete"));
}

#[test]
fn a_close_frame_that_only_servers_say_is_an_answer_when_the_client_says_it() {
    for (code, verdict, by) in [
        (1012_u16, "clw-server-restart", Side::Server),
        (1000, "incomplete", Side::Unknown),
        (4000, "clw-heartbeat-miss", Side::Client),
    ] {
        let mut wire = Wire::new(PORT);
        wire.ready();
        wire.now = 40 * S;
        lose(&mut wire, Server, |wire| {
            wire.frame(Server, 0x88, &code.to_be_bytes());
        });
        wire.frame(Client, 0x88, &code.to_be_bytes());
        wire.fin(Client);
        let judged = wire.only();
        assert_eq!(judged.record.verdict, Some(verdict), "{code}");
        let close = judged.record.ending.ws_close.as_ref().expect("a close frame");
        assert_eq!((close.by, judged.record.ending.by), (by, by), "{code}");
    }
}

#[test]
fn an_answer_that_comes_first_in_the_capture_says_nothing_of_who_closed() {
    let mut wire = Wire::new(PORT);
    wire.frame(Server, 0x88, b"\x03\xE8");
    wire.fin(Server);
    wire.ack(Client);
    wire.fin(Client);
    assert_eq!(wire.only().record.verdict, Some("incomplete"));
}

#[test]
fn a_close_frame_without_its_code_is_no_goodbye() {
    let mut wire = Wire::new(PORT);
    wire.ready();
    wire.snap = 7;
    wire.frame(Client, 0x88, b"\x0F\xA0tick timeout");
    wire.snap = usize::MAX;
    wire.fin(Client);
    let judged = wire.only();
    assert_eq!(judged.record.verdict, Some("incomplete"));
    assert!(judged.record.ending.ws_close.is_none());
    assert!(
        judged
            .record
            .evidence
            .iter()
            .any(|line| line.ends_with("the close frame's code"))
    );
}

#[test]
fn a_refused_call_in_mid_session_is_no_refused_login() {
    let refused = r#"{"type":"res","id":"r1","ok":false,"error":{"code":"FORBIDDEN","message":"missing scope","details":{"code":"MISSING_SCOPE"}}}"#;
    for with_request in [true, false] {
        let mut wire = Wire::new(PORT);
        if with_request {
            wire.text(Client, HEALTH);
        }
        wire.text(Server, refused);
        wire.frame(Client, 0x88, b"\x03\xE8");
        wire.frame(Server, 0x88, b"\x03\xE8");
        wire.fin(Server);
        wire.fin(Client);
        let judged = wire.only();
        assert_eq!(judged.record.verdict, Some("ok"));
        assert_eq!(judged.record.stage, Stage::Ready);
    }
}

#[test]
fn a_client_of_which_only_acknowledgements_were_captured_may_have_said_anything() {
    let mut wire = Wire::new(PORT);
    wire.unheard = Some(Client);
    wire.ready();
    wire.frame(Client, 0x88, b"\x03\xE8");
    wire.unheard = None;
    wire.ack(Client);
    wire.frame(Server, 0x88, b"\x03\xE8");
    wire.fin(Server);
    wire.fin(Client);
    assert_eq!(wire.only().record.verdict, Some("incomplete"));
}

#[test]
fn a_late_upgrade_alone_makes_nobody_ready() {
    let mut wire = Wire::new(PORT);
    wire.send(
        Server,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    );
    let (_, ack) = wire.at(Server);
    wire.packet(Client, Flags::RST, (ack, 0), b"", 64, 0);
    assert_eq!(wire.only().record.verdict, Some("incomplete"));
}

#[test]
fn the_reason_of_a_bare_end_may_be_among_what_was_lost() {
    let mut wire = Wire::new(PORT);
    wire.ready();
    lose(&mut wire, Client, |wire| wire.text(Client, HEALTH));
    wire.now = S;
    wire.text(Server, TICK);
    wire.ack(Client);
    wire.frame(Client, 0x8A, b"");
    wire.now = 2 * S;
    wire.fin(Server);
    wire.ack(Client);
    let judged = wire.only();
    assert_eq!(judged.record.verdict, Some("clw-auth-disconnected"));
    assert!(judged.record.confidence < 0.7, "{}", judged.record.confidence);
    assert!(
        judged
            .record
            .evidence
            .iter()
            .any(|line| line.contains("bytes of the client"))
    );
}

#[test]
fn a_syn_just_before_the_captures_end_is_no_timeout_where_others_are_answered() {
    let mut wire = Wire::new(PORT);
    wire.ready();
    wire.now = 10 * S;
    wire.of_client(7);
    wire.packet(Client, Flags::SYN, (1000, 0), b"", 64, 500);
    wire.now += 20 * MS;
    let verdicts: Vec<_> = wire.end().iter().map(|judged| judged.record.verdict).collect();
    assert_eq!(verdicts, [Some("open"), Some("incomplete")]);
}

#[test]
fn a_beat_that_was_lost_between_other_beats_is_the_captures_loss() {
    let mut wire = Wire::new(PORT);
    wire.ready();
    for second in (10..=130).step_by(10) {
        wire.now = second * S;
        if second % 30 != 10 {
            wire.frame(Server, 0x89, b"");
        } else if second == 70 {
            lose(&mut wire, Server, |wire| wire.text(Server, TICK));
        } else {
            wire.text(Server, TICK);
        }
        wire.ack(Client);
        wire.now += S;
        wire.frame(Client, 0x8A, b"");
    }
    let gaps = wire.only().record.heartbeats.gaps;
    assert!(
        gaps.iter().all(|gap| gap.cause.starts_with("capture loss")) && gaps.len() == 1,
        "{gaps:#?}"
    );
}
