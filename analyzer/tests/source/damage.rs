//! Damage is told with file and offset, and everything readable behind it still comes.

use clw_analyzer::source::WarningKind;

use crate::writer::{Order, Packet, Pcapng, at, packet, pcap, pcap_header, pcap_record};
use crate::{read, times_and_data};

const FILE_HEADER: usize = 24;
const RECORD: usize = 16 + 100;

fn packets(count: u8) -> Vec<Packet> {
    (0..count)
        .map(|n| packet(at(u64::from(n) * 1_000_000), &[n; 100]))
        .collect()
}

fn first_bytes(seen: &crate::Everything) -> Vec<u8> {
    seen.frames.iter().map(|frame| frame.data[0]).collect()
}

#[test]
fn a_file_cut_inside_a_packet_gives_those_before() {
    let whole = pcap(Order::Little, false, &packets(3));
    for (cut, kept) in [
        (whole.len() - 1, 2),
        (FILE_HEADER + RECORD + 7, 1),
        (FILE_HEADER + 16, 0),
    ] {
        let seen = read(&whole[..cut]).unwrap();
        assert_eq!(seen.frames.len(), kept);
        assert_eq!(seen.summary.warnings.len(), 1);
        let warning = &seen.summary.warnings[0];
        assert_eq!(
            (warning.kind, warning.offset),
            (WarningKind::CutOff, (FILE_HEADER + kept * RECORD) as u64)
        );
    }
    assert_eq!(read(&whole[..FILE_HEADER + RECORD]).unwrap().summary.warnings, []);
}

#[test]
fn an_absurd_length_costs_its_own_packet_only() {
    for order in [Order::Little, Order::Big] {
        let mut bytes = pcap(order, false, &packets(5));
        let at = FILE_HEADER + 2 * RECORD;
        bytes[at + 8..at + 12].fill(0xff);
        let seen = read(&bytes).unwrap();
        assert_eq!(first_bytes(&seen), [0, 1, 3, 4]);
        let [warning] = seen.summary.warnings.as_slice() else {
            panic!("one warning")
        };
        assert_eq!((warning.kind, warning.offset), (WarningKind::Corrupt, at as u64));
        assert_eq!(
            seen.summary.describe(warning),
            format!(
                "test: at byte {at}: not a record (it would be 4294967295 bytes long); \
                 the next record was found after {RECORD} bytes"
            )
        );
    }
}

#[test]
fn bytes_lost_in_the_middle_cost_two_packets_at_most() {
    let whole = pcap(Order::Little, false, &packets(8));
    for lost in [1, 17, 50, 100, 115] {
        let mut bytes = whole.clone();
        bytes.drain(FILE_HEADER + 3 * RECORD + 20..FILE_HEADER + 3 * RECORD + 20 + lost);
        let seen = read(&bytes).unwrap();
        let rest: Vec<u8> = first_bytes(&seen).into_iter().filter(|n| *n > 4).collect();
        assert_eq!(rest, [5, 6, 7], "{lost} bytes lost");
        assert_eq!(seen.summary.warning_counts[&WarningKind::Corrupt], 1);
    }
}

#[test]
fn zeros_at_the_end_are_no_packets() {
    let mut bytes = pcap(Order::Little, false, &packets(2));
    bytes.extend([0; 4096]);
    let seen = read(&bytes).unwrap();
    assert_eq!(seen.frames.len(), 2);
    assert_eq!(
        seen.summary.warnings[0].what,
        "not a record (it would be 0 bytes long); no further record in the last 4096 bytes"
    );
}

#[test]
fn a_captured_length_beyond_the_original_is_taken_if_the_next_record_agrees() {
    let mut bytes = pcap_header(Order::Little, false, 1);
    for (n, packet) in packets(3).into_iter().enumerate() {
        let original_len = if n == 1 { 60 } else { 100 };
        bytes.extend(pcap_record(
            Order::Little,
            false,
            &Packet {
                original_len,
                ..packet
            },
        ));
    }
    let seen = read(&bytes).unwrap();
    assert_eq!(first_bytes(&seen), [0, 1, 2]);
    assert_eq!(
        (seen.summary.warnings.len(), seen.summary.truncated_packets),
        (0, 0)
    );
}

#[test]
fn time_going_back_is_told_once_and_the_packet_kept_in_its_place() {
    let mut packets = packets(4);
    packets[2].at_ns -= 60_000_000_000;
    packets[3].at_ns -= 60_000_000_000;
    let seen = read(&pcap(Order::Little, false, &packets)).unwrap();
    assert_eq!(first_bytes(&seen), [0, 1, 2, 3]);
    let [warning] = seen.summary.warnings.as_slice() else {
        panic!("one warning")
    };
    assert_eq!(warning.kind, WarningKind::TimeBack);
    assert_eq!(warning.offset, (FILE_HEADER + 2 * RECORD) as u64);
    assert_eq!(
        warning.what,
        "time goes back by 59999000 µs; the packet is kept in its place"
    );
    assert_eq!(seen.summary.first_ns, Some(packets[2].at_ns));
}

#[test]
fn only_so_many_warnings_are_kept_and_all_are_counted() {
    let packets: Vec<Packet> = (0..100).rev().map(|n| packet(at(n * 1000), b"x")).collect();
    let seen = read(&pcap(Order::Little, false, &packets)).unwrap();
    assert_eq!(seen.summary.warnings.len(), 20);
    assert_eq!(seen.summary.warning_counts[&WarningKind::TimeBack], 99);
    assert_eq!(seen.summary.warnings_not_kept(), 79);
}

fn blocks(order: Order) -> Pcapng {
    let mut writer = Pcapng::new(order).interface(1, 0, &[]);
    for n in 0..6_u8 {
        writer = writer.enhanced(0, u64::from(n), &[n; 100]);
    }
    writer
}

/// Offset of each packet block, and the block's size.
fn block_places(bytes: &[u8]) -> (Vec<usize>, usize) {
    let size = 32 + 100 + 12;
    let first = bytes.len() - 6 * size;
    ((0..6).map(|n| first + n * size).collect(), size)
}

#[test]
fn a_damaged_block_costs_itself_only() {
    for order in [Order::Little, Order::Big] {
        let whole = blocks(order).bytes;
        let (places, size) = block_places(&whole);
        // Its type, its length, its captured length, its length at the end.
        for field in [4, 20, size - 4] {
            let mut bytes = whole.clone();
            bytes[places[2] + field..places[2] + field + 4].fill(0xfe);
            let seen = read(&bytes).unwrap();
            assert_eq!(first_bytes(&seen), [0, 1, 3, 4, 5], "field at {field}");
            let [warning] = seen.summary.warnings.as_slice() else {
                panic!("one warning")
            };
            assert_eq!(
                (warning.kind, warning.offset),
                (WarningKind::Corrupt, places[2] as u64)
            );
        }
    }
}

#[test]
fn lost_bytes_in_pcapng_cost_the_block_they_were_in() {
    let whole = blocks(Order::Little).bytes;
    let (places, size) = block_places(&whole);
    for lost in [1, 3, 40, size - 1] {
        let mut bytes = whole.clone();
        bytes.drain(places[3] + 1..places[3] + 1 + lost);
        let seen = read(&bytes).unwrap();
        assert_eq!(first_bytes(&seen), [0, 1, 2, 4, 5], "{lost} bytes lost");
    }
}

#[test]
fn a_length_just_below_the_limit_does_not_swallow_the_rest() {
    let mut bytes = blocks(Order::Little).bytes;
    let (places, _) = block_places(&bytes);
    bytes[places[2] + 4..places[2] + 8].copy_from_slice(&(1_u32 << 20).to_le_bytes());
    let seen = read(&bytes).unwrap();
    assert_eq!(first_bytes(&seen), [0, 1, 3, 4, 5]);
}

#[test]
fn a_truncated_gzip_gives_what_can_be_unpacked() {
    use std::io::Write;
    let plain = pcap(Order::Little, false, &packets(200));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(&plain).unwrap();
    let packed = encoder.finish().unwrap();
    let seen = read(&packed[..packed.len() / 2]).unwrap();
    assert!((90..110).contains(&seen.frames.len()), "{}", seen.frames.len());
    let whole = read(&plain).unwrap();
    assert_eq!(
        times_and_data(&seen.frames),
        times_and_data(&whole.frames[..seen.frames.len()])
    );
    assert!(
        seen.summary
            .warnings
            .iter()
            .any(|warning| warning.what.starts_with("unpacking stopped: "))
    );
}
