//! What holds for every capture and for every input.

use proptest::collection::vec;
use proptest::prelude::*;

use clw_analyzer::source::Capture;

use crate::writer::{Order, Packet, Pcapng, at, packet, pcap};
use crate::{everything, read, times_and_data};

/// Packets in time order.
fn packets() -> impl Strategy<Value = Vec<Packet>> {
    vec((0_u64..3, vec(any::<u8>(), 1..80)), 1..20).prop_map(|packets| {
        let mut now = at(0);
        packets
            .into_iter()
            .map(|(step, data)| {
                now += step * 1_000_000;
                packet(now, &data)
            })
            .collect()
    })
}

fn pcapng(order: Order, packets: &[Packet]) -> Vec<u8> {
    let mut writer = Pcapng::new(order).interface(1, 0, &[(9, &[9])]);
    for packet in packets {
        writer = writer.enhanced(0, packet.at_ns, &packet.data);
    }
    writer.bytes
}

fn written(packets: &[Packet], form: u8) -> Vec<u8> {
    let order = if form & 1 == 0 { Order::Little } else { Order::Big };
    if form & 2 == 0 {
        pcap(order, form & 4 == 0, packets)
    } else {
        pcapng(order, packets)
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read(packets in packets(), form in 0_u8..8) {
        let seen = read(&written(&packets, form)).unwrap();
        let expected: Vec<_> = packets.into_iter().map(|packet| (packet.at_ns, packet.data)).collect();
        prop_assert_eq!(times_and_data(&seen.frames), expected);
        prop_assert_eq!(seen.summary.warnings, vec![]);
    }

    #[test]
    fn a_capture_cut_anywhere_gives_a_prefix(packets in packets(), form in 0_u8..8, cut in any::<prop::sample::Index>()) {
        let bytes = written(&packets, form);
        let whole = read(&bytes).unwrap();
        if let Ok(seen) = read(&bytes[..cut.index(bytes.len())]) {
            prop_assert!(whole.frames.starts_with(&seen.frames));
            prop_assert!(seen.summary.warnings.len() <= 1);
        }
    }

    #[test]
    fn two_files_of_one_capture_give_what_the_whole_gives(
        packets in packets(), form in 0_u8..8, at in any::<prop::sample::Index>(), swapped: bool,
    ) {
        let whole = read(&written(&packets, form)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = packets.split_at(at.index(packets.len()));
        let mut paths = Vec::new();
        for (part, name) in [(first, "first"), (second, "second")] {
            paths.push(folder.path().join(name));
            std::fs::write(&paths[paths.len() - 1], written(part, form)).unwrap();
        }
        if swapped && first.first().map(|p| p.at_ns) != second.first().map(|p| p.at_ns) {
            paths.swap(0, 1);
        }
        let parts = everything(Capture::open(&paths)).unwrap();
        prop_assert_eq!(times_and_data(&parts.frames), times_and_data(&whole.frames));
        prop_assert!(parts.frames.iter().map(|frame| frame.number).eq(1..=packets.len() as u64));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..2000), start in 0_usize..9) {
        let starts: [&[u8]; 9] = [
            &[], &[0xd4, 0xc3, 0xb2, 0xa1], &[0xa1, 0xb2, 0xc3, 0xd4], &[0x4d, 0x3c, 0xb2, 0xa1],
            &[0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a],
            &[0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28, 0x1a, 0x2b, 0x3c, 0x4d],
            &[0x1f, 0x8b, 8], &[0x28, 0xb5, 0x2f, 0xfd], &[0x34, 0xcd, 0xb2, 0xa1],
        ];
        let _ = read(&[starts[start], &bytes].concat());
    }

    #[test]
    fn bytes_changed_anywhere_never_panic_and_frames_stay_within_the_file(
        packets in packets(), form in 0_u8..8, changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut bytes = written(&packets, form);
        for (index, value) in changes {
            let index = index.index(bytes.len());
            bytes[index] = value;
        }
        if let Ok(seen) = read(&bytes) {
            prop_assert!(seen.summary.bytes <= bytes.len() as u64);
        }
    }
}
