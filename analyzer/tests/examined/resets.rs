//! Resets of the real gateway and of firewalls: one test a fact.

use crate::wire::By::{Client, Server};
use crate::wire::{S, Wire, frame};
use crate::{PORT, TICK};
use clw_analyzer::segment::Flags;

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
