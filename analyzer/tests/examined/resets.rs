//! Resets of the real gateway and of firewalls: one test a fact.

use crate::wire::By::{Client, Server};
use crate::wire::{MS, S, Wire, frame};
use crate::{PORT, TICK};
use clw_analyzer::segment::Flags;
use clw_analyzer::totals::Totals;

fn forged(wire: &mut Wire) {
    let (seq, _) = wire.at(Server);
    wire.packet(Server, Flags::RST, (seq, 0), b"", 50, 0);
}

#[test]
fn a_forged_reset_that_killed_one_side_ended_the_session_although_the_other_went_on() {
    let mut wire = Wire::new(PORT);
    wire.ready();
    wire.now = 2 * S;
    forged(&mut wire);
    // The server knows nothing of it, and its next ping meets a client that has forgotten the connection.
    wire.now = 27 * S;
    let (_, ack) = wire.at(Server);
    wire.frame(Server, 0x89, b"");
    wire.packet(Client, Flags::RST, (ack, 0), b"", 64, 0);
    let judged = wire.only();
    assert_eq!(judged.record.verdict, Some("clw-injected-reset"));
    let classes: Vec<_> = judged
        .record
        .ending
        .rst
        .iter()
        .map(|rst| (rst.class, rst.survived))
        .collect();
    assert_eq!(classes, [("injected", false), ("half-open", false)]);
}

#[test]
fn a_forged_reset_that_both_sides_lived_through_splits_no_session() {
    let mut wire = Wire::new(PORT);
    wire.ready();
    wire.now = 2 * S;
    let (seq, _) = wire.at(Server);
    wire.packet(Server, Flags::RST, (seq.wrapping_add(200_000), 0), b"", 64, 0);
    for second in [20, 50, 80] {
        wire.now = second * S;
        wire.text(Server, TICK);
        wire.ack(Client);
    }
    wire.frame(Client, 0x88, &[0x03, 0xE8]);
    let judged = wire.only();
    assert_eq!(judged.record.verdict, Some("ok"));
    assert!(judged.record.ending.rst[0].survived);
}

#[test]
fn a_close_frame_said_into_a_dead_connection_hides_no_death_of_the_gateway() {
    let mut wire = Wire::new(PORT);
    for client in 1..=6 {
        wire.of_client(client);
        wire.ready();
        // One of them waits for an answer: that is chance.
        if client == 1 {
            wire.text(
                Client,
                r#"{"type":"req","id":"r1","method":"health","params":{}}"#,
            );
        }
        wire.fin(Server);
        wire.now += MS;
        wire.frame(Client, 0x88, &[0x03, 0xE8]);
    }
    let mut totals = Totals::default();
    for judged in wire.end() {
        totals.add(&judged);
    }
    totals.finish();
    assert_eq!(
        totals.summary.by_close_code.iter().collect::<Vec<_>>(),
        [(&1006, &6)]
    );
    let [incident] = totals.summary.incidents.as_slice() else {
        panic!("{:?}", totals.summary.incidents);
    };
    assert_eq!(incident.sessions, 6);
    assert_eq!(incident.verdicts.get("clw-prompt-disconnected"), Some(&1));
    assert!(
        incident.cause.starts_with("the gateway process died"),
        "{}",
        incident.cause
    );
}

#[test]
fn a_server_that_drops_a_client_whose_window_is_closed_drops_a_slow_consumer() {
    let mut wire = Wire::new(PORT);
    wire.ready();
    wire.now = 5 * S;
    wire.full(Client);
    wire.now = 50 * S;
    wire.fin(Server);
    let judged = wire.only();
    assert_eq!(judged.record.verdict, Some("clw-slow-consumer"));
    assert!(
        judged
            .record
            .evidence
            .iter()
            .any(|line| line.contains("receive window was closed for the last 45.0 s"))
    );
}

#[test]
fn a_reset_without_an_ack_drops_a_slow_consumer_too() {
    // The real gateway, past 50 MiB: its kernel has forgotten the connection when the client's next request comes.
    let mut wire = Wire::new(PORT);
    wire.ready();
    wire.now = 5 * S;
    wire.full(Client);
    wire.now = 8 * S;
    let (seq, ack) = wire.at(Client);
    let request = frame(
        Client,
        0x81,
        br#"{"type":"req","id":"r1","method":"health","params":{}}"#,
    );
    wire.packet(Client, Flags::ACK, (seq, ack), &request, 64, 0);
    wire.packet(Server, Flags::RST, (ack, 0), b"", 64, 0);
    let judged = wire.only();
    assert_eq!(judged.record.verdict, Some("clw-slow-consumer"));
    assert_eq!(judged.record.ending.rst[0].class, "half-open");
}

#[test]
fn a_side_that_closes_after_its_reset_never_sent_that() {
    // A firewall on the client's host rejects what the gateway sends; the client notices nothing, and leaves later.
    let mut wire = Wire::new(PORT);
    wire.ready();
    wire.now = 5 * S;
    let (seq, received) = wire.at(Client);
    wire.text(Server, TICK);
    wire.packet(Client, Flags::RST, (seq, 0), b"", 64, 0);
    wire.now = 20 * S;
    wire.packet(Client, Flags::FIN | Flags::ACK, (seq, received), b"", 64, 500);
    let judged = wire.only();
    assert_eq!(judged.record.verdict, Some("clw-injected-reset"));
    assert_eq!(judged.record.ending.rst[0].class, "injected");
}

#[test]
fn a_syn_that_meets_what_is_left_of_an_older_connection_is_sent_again() {
    // The gateway's kernel acknowledges the old connection, the client's resets that, and nothing listens any more.
    let mut wire = Wire::new(PORT);
    wire.packet(Client, Flags::SYN, (3_000_000_000, 0), b"", 64, 500);
    wire.packet(Server, Flags::ACK, (700_000, 1_500_000_000), b"", 64, 500);
    wire.packet(Client, Flags::RST, (1_500_000_000, 0), b"", 64, 0);
    wire.now += 10 * MS;
    wire.packet(Client, Flags::SYN, (3_000_000_000, 0), b"", 64, 500);
    wire.packet(Server, Flags::RST | Flags::ACK, (0, 3_000_000_001), b"", 64, 0);
    let judged = wire.only();
    assert_eq!(judged.record.verdict, Some("clw-conn-refused"));
    let classes: Vec<_> = judged.record.ending.rst.iter().map(|rst| rst.class).collect();
    assert_eq!(classes, ["stray", "refused"]);
}
