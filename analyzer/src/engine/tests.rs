//! What the engine keeps.

use super::*;
use crate::stream::frames::Frames;
use std::mem::size_of;

#[test]
fn connections_that_came_and_went_leave_nothing_behind() {
    use crate::segment::{Flags, Options as TcpOptions};
    let mut engine = Engine::new(Options::default());
    let mut over = 0_u64;
    for n in 0..60_000_u32 {
        for flags in [Flags::SYN, Flags::RST | Flags::ACK] {
            let [_, a, b, c] = n.to_be_bytes();
            let (client, server) = (([10, a, b, c], 40_000).into(), ([10, 0, 0, 1], 80).into());
            let is_syn = flags == Flags::SYN;
            let segment = Segment {
                number: u64::from(n) + 1,
                at_ns: u64::from(n) * 1_000_000,
                interface: 0,
                source: if is_syn { client } else { server },
                destination: if is_syn { server } else { client },
                ttl: 64,
                ip_id: None,
                seq: 0,
                ack: 1,
                flags: Flags(flags),
                window: 0,
                options: TcpOptions::default(),
                payload: &[],
                payload_len: 0,
            };
            engine.take(&segment, &mut |_| over += 1);
        }
    }
    assert!(over > 50_000, "{over}");
    assert!(engine.open.len() <= MAX_LINGERING + 1, "{}", engine.open.len());
    assert!(
        engine.arrivals.len() <= 2 * engine.open.len() + 1025,
        "{}",
        engine.arrivals.len()
    );
}

#[test]
fn a_connection_costs_at_most_two_kibibytes_beside_its_texts() {
    let fixed = size_of::<(Key, Box<Live>)>()
        + size_of::<(Key, u64)>()
        + size_of::<Live>()
        + size_of::<Session>()
        + 2 * size_of::<Frames>();
    assert!(fixed <= 2048, "{fixed}");
}
