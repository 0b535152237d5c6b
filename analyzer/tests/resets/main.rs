//! Whose RST was it? Two kernels' RSTs are never called forged, whatever the network does with the packets; forged ones are.

#![expect(
    clippy::cast_possible_truncation,
    reason = "numbers of a model wrap as the real ones do"
)]

mod host;
mod network;

use clw_analyzer::engine::{Engine, Options};
use clw_analyzer::record::Record;
use clw_analyzer::segment::{self, Flags, Segment};
use host::{Act, Packet};
use network::{CLIENT, Captured, Leg, Network, Random, SERVER};
use proptest::prelude::*;
use std::net::SocketAddr;

const S_US: u64 = 1_000_000;

/// What the analyzer makes of it.
fn analyzed(captured: &[Captured]) -> Vec<Record> {
    let ends = [
        SocketAddr::from(([10, 0, 0, 1], 40_000)),
        SocketAddr::from(([10, 0, 0, 2], 18_789)),
    ];
    let payload = vec![0x82; 3000];
    let mut engine = Engine::new(Options::default());
    let mut records = Vec::new();
    for (number, (at_us, from, packet)) in captured.iter().enumerate() {
        let segment = Segment {
            number: number as u64 + 1,
            at_ns: (1_795_000_000 * S_US + at_us) * 1000,
            interface: 0,
            source: ends[*from],
            destination: ends[1 - from],
            ttl: packet.ttl,
            ip_id: Some(packet.ip_id),
            seq: packet.seq,
            ack: packet.ack,
            flags: Flags(packet.flags),
            window: packet.window,
            options: segment::Options {
                timestamps: packet.timestamp.map(|own| (own, 0)),
                ..segment::Options::default()
            },
            payload: &payload[..packet.len as usize],
            payload_len: packet.len,
        };
        engine.feed(&segment, &mut |judged| records.push(judged.record));
    }
    engine.end(&mut |judged| records.push(judged.record));
    records
}

/// Frames of RSTs that were called forged, with the reason.
fn injected(records: &[Record]) -> Vec<(u64, String)> {
    let resets = records.iter().flat_map(|record| &record.ending.rst);
    resets
        .filter(|rst| rst.class == "injected")
        .map(|rst| (rst.frame, rst.evidence.clone()))
        .collect()
}

/// The capture as a reader would print it.
fn printed(captured: &[Captured]) -> String {
    let line = |(number, (at_us, from, p)): (usize, &Captured)| {
        format!(
            "{:>4} {at_us:>9} {from} flags {:02x} seq {} ack {} len {} id {}\n",
            number + 1,
            p.flags,
            p.seq,
            p.ack,
            p.len,
            p.ip_id
        )
    };
    captured.iter().enumerate().map(line).collect()
}

fn leg() -> impl Strategy<Value = Leg> {
    let jitter = prop_oneof![Just(0), 0..50_000u64, 0..4_000_000u64];
    (0..500_000u64, jitter, 0..15u64, 0..10u64).prop_map(|(delay_us, jitter_us, loss, doubled)| Leg {
        delay_us,
        jitter_us,
        loss,
        doubled,
    })
}

/// Sessions one after another between the same ports, which end in all ways.
fn lives(network: &mut Network) {
    let mut from_us = 0;
    for _ in 0..=network.random.below(3) {
        network.connect_at(from_us);
        let length_us = network.random.below(12 * S_US) + 1;
        for side in [CLIENT, SERVER] {
            for _ in 0..network.random.below(12) {
                let at_us = from_us + network.random.below(length_us + S_US);
                let len = network.random.below(1400) as u32 + 1;
                network.act_at(at_us, side, Act::Send(len));
            }
        }
        for side in [CLIENT, SERVER] {
            let act = match network.random.below(6) {
                0 => Act::Abort,
                1 => Act::Close { has_unread: true },
                2 => continue,
                _ => Act::Close { has_unread: false },
            };
            let spread_us = if network.random.is(50) { 1000 } else { 8 * S_US };
            let at_us = from_us + length_us + network.random.below(spread_us);
            network.act_at(at_us, side, act);
        }
        from_us += length_us + network.random.below(6 * S_US);
        // Whoever left it to the other closes it in the end.
        network.act_at(from_us, CLIENT, Act::Close { has_unread: false });
        from_us += network.random.below(5 * S_US);
    }
}

/// A conversation that goes on for twenty seconds.
fn conversation(network: &mut Network) {
    network.connect_at(0);
    for tenth in 0..200 {
        let side = network.random.below(2) as usize;
        network.act_at(tenth * S_US / 10 + S_US, side, Act::Send(50));
    }
}

/// How a RST is forged in the name of a side that lives on.
#[derive(Clone, Copy, Debug)]
enum Forgery {
    /// From another place on the way.
    OtherTtl,
    /// From the same place, at the right position, with the ACK flag or without.
    Exact { has_ack: bool },
    /// Guesses of where the side will be.
    Steps { has_ack: bool },
    /// With a window, an IP ID of its own and no timestamps.
    OtherHabits,
}

/// Forged RSTs right after the packet `after`, which was captured of the side; how many.
fn forge(captured: &mut Vec<Captured>, after: usize, forgery: Forgery) -> usize {
    let (at_us, from, last) = captured[after];
    let of_side = captured[..=after].iter().filter(|(_, by, _)| *by == from);
    let newest = of_side.clone().next_back();
    let end = newest.map_or(0, |(_, _, p)| p.seq.wrapping_add(p.len));
    let rst = Packet {
        seq: end,
        ack: last.ack,
        flags: Flags::RST | Flags::ACK,
        len: 0,
        window: 0,
        ip_id: 0,
        timestamp: None,
        ..last
    };
    let plain = |has_ack: bool| Packet {
        flags: if has_ack { rst.flags } else { Flags::RST },
        ack: if has_ack { rst.ack } else { 0 },
        ..rst
    };
    let forged = match forgery {
        Forgery::OtherTtl => vec![Packet {
            ttl: last.ttl - 7,
            ..rst
        }],
        Forgery::Exact { has_ack } => vec![plain(has_ack)],
        Forgery::Steps { has_ack } => [0, 1460, 4380]
            .map(|step| Packet {
                seq: end.wrapping_add(step),
                ..plain(has_ack)
            })
            .to_vec(),
        Forgery::OtherHabits => vec![Packet {
            window: 1000,
            ip_id: last.ip_id.wrapping_sub(9000),
            ..rst
        }],
    };
    let count = forged.len();
    captured.splice(
        after + 1..=after,
        forged.into_iter().map(|packet| (at_us, from, packet)),
    );
    count
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_kernels_rst_is_never_called_forged(seed: u64, client in leg(), server in leg()) {
        let mut network = Network::new([client, server], Random(seed));
        lives(&mut network);
        network.run();
        let wrong = injected(&analyzed(&network.captured));
        prop_assert!(wrong.is_empty(), "{:?}\n{}", wrong, printed(&network.captured));
    }

    #[test]
    fn a_forged_rst_is_called_so(
        seed: u64, client in leg(), server in leg(), has_ack: bool, of_percent in 30..60_usize,
        kind in 0..3,
    ) {
        let forgery = match kind {
            0 => Forgery::OtherTtl,
            1 => Forgery::Exact { has_ack },
            _ => Forgery::Steps { has_ack },
        };
        let mut legs = [client, server];
        if matches!(forgery, Forgery::Exact { .. }) {
            // Where packets are late or lost, it could be a kernel's.
            for leg in &mut legs {
                (leg.jitter_us, leg.loss) = (0, 0);
            }
        }
        let mut network = Network::new(legs, Random(seed));
        conversation(&mut network);
        network.run();
        let mut captured = network.captured;
        prop_assume!(captured.len() > 60);
        let after = captured.len() * of_percent / 100;
        let count = forge(&mut captured, after, forgery);
        let found = injected(&analyzed(&captured));
        let frames: Vec<_> = found.iter().map(|(frame, _)| *frame).collect();
        let expected: Vec<_> = (0..count).map(|n| (after + n + 2) as u64).collect();
        prop_assert_eq!(frames, expected, "{:?}\n{}", forgery, printed(&captured));
    }
}

#[test]
fn a_forged_rst_with_other_habits_is_called_so() {
    let calm = Leg {
        delay_us: 5000,
        jitter_us: 0,
        loss: 0,
        doubled: 0,
    };
    let mut network = Network::new([calm, calm], Random(1));
    conversation(&mut network);
    network.run();
    // The last packet: nothing that follows can give it away.
    let mut captured = network.captured;
    let after = captured.len() - 1;
    forge(&mut captured, after, Forgery::OtherHabits);
    let found = injected(&analyzed(&captured));
    assert_eq!(found.len(), 1, "{found:?}");
}
