//! pcap in all its forms, and packed.

use std::io::{Read, Write};

use clw_analyzer::source::{Capture, LinkType};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::writer::{Order, Packet, at, packet, pcap, pcap_header, pcap_record};
use crate::{everything, read};

fn packets() -> Vec<Packet> {
    vec![
        packet(at(1_000), b"first"),
        Packet {
            at_ns: at(2_000),
            data: b"cut by a snap length".to_vec(),
            original_len: 1500,
        },
        packet(at(1_500_000_000), b""),
        packet(at(2_000_001_000), &[7; 70_000]),
    ]
}

#[test]
fn both_byte_orders_and_both_clocks() {
    for order in [Order::Little, Order::Big] {
        for nanoseconds in [false, true] {
            let seen = read(&pcap(order, nanoseconds, &packets())).unwrap();
            assert_eq!(seen.frames.len(), 4);
            for ((frame, packet), number) in seen.frames.iter().zip(packets()).zip(1..) {
                assert_eq!(frame.number, number);
                assert_eq!((frame.at_ns, &frame.data), (packet.at_ns, &packet.data));
                assert_eq!(frame.original_len, packet.original_len);
                assert_eq!((frame.interface, frame.link), (0, 1));
            }
            let summary = &seen.summary;
            assert_eq!((summary.packets, summary.truncated_packets), (4, 1));
            assert_eq!(summary.bytes, 5 + 20 + 70_000);
            assert_eq!(
                (summary.first_ns, summary.last_ns),
                (Some(at(1_000)), Some(at(2_000_001_000)))
            );
            assert_eq!(
                summary.interfaces[0].resolution,
                if nanoseconds { "1 ns" } else { "1 µs" }
            );
            assert_eq!(summary.warnings, []);
        }
    }
}

#[test]
fn the_modified_format_has_longer_record_headers() {
    let mut bytes = pcap_header(Order::Little, false, 1);
    bytes[..4].copy_from_slice(&[0x34, 0xcd, 0xb2, 0xa1]);
    for data in [b"one", b"two"] {
        let mut record = pcap_record(Order::Little, false, &packet(at(0), data));
        record.splice(16..16, [9; 8]);
        bytes.extend(record);
    }
    let seen = read(&bytes).unwrap();
    assert_eq!(
        seen.frames
            .iter()
            .map(|frame| frame.data.as_slice())
            .collect::<Vec<_>>(),
        [b"one", b"two"]
    );
}

#[test]
fn flags_beside_the_link_type_are_not_part_of_it() {
    let bytes = pcap_header(Order::Little, false, 0x1400_0114);
    let seen = read(&bytes).unwrap();
    assert_eq!(seen.summary.interfaces[0].link, LinkType::LINUX_SLL2);
    assert!(seen.summary.link_types().is_empty(), "no packet of it was seen");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn gzip_zstd_and_gzip_of_several_members() {
    let plain = pcap(Order::Little, true, &packets());
    let expected = read(&plain).unwrap();
    let mut members = gzip(&plain[..100]);
    members.extend(gzip(&plain[100..]));
    let packed = [
        gzip(&plain),
        members,
        zstd::encode_all(plain.as_slice(), 1).unwrap(),
    ];
    for packed in packed {
        let seen = read(&packed).unwrap();
        assert_eq!(seen.frames, expected.frames);
        assert_eq!(seen.summary.warnings, []);
        assert_eq!(seen.summary.bytes_read, packed.len() as u64);
    }
}

#[test]
fn packets_come_out_while_the_stream_still_grows() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let all = packets();
    writer.write_all(&pcap_header(Order::Little, true, 1)).unwrap();
    let mut capture = Capture::from_reader("pipe", reader).unwrap();
    for packet in all.iter().take(3) {
        // Nothing more is in the pipe than this packet: it must not wait for another.
        writer
            .write_all(&pcap_record(Order::Little, true, packet))
            .unwrap();
        assert!(capture.next().unwrap().is_some());
        assert_eq!(capture.summary().last_ns, Some(packet.at_ns));
    }
    drop(writer);
    assert!(capture.next().unwrap().is_none());
}

/// Gives a byte at a time.
struct Drip(std::io::Cursor<Vec<u8>>);

impl Read for Drip {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(1);
        self.0.read(&mut buffer[..length])
    }
}

#[test]
fn the_size_of_reads_changes_nothing() {
    let plain = pcap(Order::Little, true, &packets());
    let expected = read(&plain).unwrap();
    let dripped = everything(Capture::from_reader("drip", Drip(std::io::Cursor::new(plain)))).unwrap();
    assert_eq!(dripped.frames, expected.frames);
}
