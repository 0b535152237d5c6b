//! Fragments: in any order, overlapping, cut, lost, and by the million.

use clw_analyzer::decode::{Decoder, FragmentLimits};
use clw_analyzer::source::{Frame, LinkType};

use crate::frames::{ipv4_with, ipv6, tcp};
use crate::{frame, in_words};

const WAITING: &str = "IP fragments (joined when the last has come)";

/// The pieces of `segment`, each `size` bytes of it (a multiple of eight).
fn pieces(segment: &[u8], size: usize, id: u16) -> Vec<Vec<u8>> {
    let count = segment.len().div_ceil(size);
    let piece = |(n, bytes): (usize, &[u8])| {
        let more = if n + 1 < count { 0x2000 } else { 0 };
        ipv4_with(6, id, more | u16::try_from(n * size / 8).unwrap(), &[], bytes)
    };
    segment.chunks(size).enumerate().map(piece).collect()
}

fn segment() -> Vec<u8> {
    tcp(&(b'a'..=b'z').cycle().take(100).collect::<Vec<u8>>())
}

fn whole() -> String {
    let text: String = ('a'..='z').cycle().take(100).collect();
    format!("10.0.0.1:1000 > 10.0.0.2:80 {text:?} of 100")
}

fn decode_all(decoder: &mut Decoder, packets: &[Vec<u8>]) -> Vec<String> {
    packets
        .iter()
        .map(|packet| in_words(&decoder.decode(&frame(LinkType::RAW, packet))))
        .collect()
}

#[test]
fn in_any_order_and_more_than_once() {
    for size in [8, 16, 48] {
        let mut packets = pieces(&segment(), size, 1);
        for _ in 0..packets.len() {
            packets.rotate_left(1);
            let mut decoder = Decoder::new(FragmentLimits::default());
            // The first piece comes twice.
            assert_eq!(decode_all(&mut decoder, &packets[..1]), [WAITING]);
            let words = decode_all(&mut decoder, &packets);
            let (last, before) = words.split_last().unwrap();
            assert!(before.iter().all(|words| words == WAITING));
            assert_eq!(last, &whole());
            assert_eq!(decoder.fragments_lost(), 0);
        }
    }
}

#[test]
fn ipv6_fragments_are_joined() {
    let segment = segment();
    let (first, second) = segment.split_at(64);
    let packets = [
        ipv6(44, &[&[6, 0, 0, 1, 0, 0, 0, 9][..], first].concat()),
        ipv6(44, &[&[6, 0, 0, 64, 0, 0, 0, 9][..], second].concat()),
    ];
    let words = decode_all(&mut Decoder::new(FragmentLimits::default()), &packets);
    assert_eq!(words[0], WAITING);
    assert!(
        words[1].starts_with("[fe80::1]:1000 > [fe80::2]:80 \"abcdef"),
        "{}",
        words[1]
    );
    assert!(words[1].ends_with("of 100"));
}

#[test]
fn where_fragments_overlap_the_first_to_come_stays() {
    let segment = segment();
    let forged = [b'!'; 40];
    let packets = [
        ipv4_with(6, 1, 0x2000, &[], &segment[..64]),
        ipv4_with(6, 1, 0x2000 | 3, &[], &forged),
        ipv4_with(6, 1, 8, &[], &segment[64..]),
    ];
    assert_eq!(
        decode_all(&mut Decoder::new(FragmentLimits::default()), &packets)[2],
        whole()
    );
}

#[test]
fn a_fragment_cut_by_a_snap_length_leaves_the_payload_short_and_its_length_known() {
    let packets = pieces(&segment(), 64, 1);
    let mut decoder = Decoder::new(FragmentLimits::default());
    let mut cut = frame(LinkType::RAW, &packets[0][..20 + 44]);
    cut.original_len = 84;
    assert_eq!(in_words(&decoder.decode(&cut)), WAITING);
    let words = in_words(&decoder.decode(&frame(LinkType::RAW, &packets[1])));
    assert_eq!(
        words,
        "10.0.0.1:1000 > 10.0.0.2:80 \"abcdefghijklmnopqrstuvwx\" of 100"
    );
}

#[test]
fn packets_do_not_mix() {
    let (one, two) = (pieces(&segment(), 64, 1), pieces(&segment(), 64, 2));
    let packets = [one[0].clone(), two[1].clone(), two[0].clone(), one[1].clone()];
    let words = decode_all(&mut Decoder::new(FragmentLimits::default()), &packets);
    assert_eq!(words, [WAITING, WAITING, &whole(), &whole()]);
}

#[test]
fn a_fragment_that_comes_too_late_is_lost() {
    let packets = pieces(&segment(), 64, 1);
    let mut decoder = Decoder::new(FragmentLimits::default());
    let at = |at_ns, packet| Frame {
        at_ns,
        ..frame(LinkType::RAW, packet)
    };
    assert_eq!(in_words(&decoder.decode(&at(0, &packets[0]))), WAITING);
    assert_eq!(
        in_words(&decoder.decode(&at(30_000_000_001, &packets[1]))),
        WAITING
    );
    assert_eq!(decoder.fragments_lost(), 1);
}

#[test]
fn memory_is_bounded_and_the_oldest_goes_first() {
    let mut decoder = Decoder::new(FragmentLimits {
        memory_bytes: 10_000,
        wait_ns: u64::MAX,
    });
    let first: Vec<_> = (0..1000_u16)
        .map(|id| pieces(&segment(), 64, id).swap_remove(0))
        .collect();
    decode_all(&mut decoder, &first);
    assert!(
        (960..990).contains(&decoder.fragments_lost()),
        "{}",
        decoder.fragments_lost()
    );
    let last = pieces(&segment(), 64, 999).swap_remove(1);
    assert_eq!(decode_all(&mut decoder, &[last]), [whole()]);
    let gone = pieces(&segment(), 64, 0).swap_remove(1);
    assert_eq!(decode_all(&mut decoder, &[gone]), [WAITING]);
}

#[test]
fn a_fragment_beyond_the_longest_packet_is_not_kept() {
    let beyond = ipv4_with(6, 1, 0x2000 | 0x1fff, &[], &[0; 64]);
    let empty = ipv4_with(6, 1, 0x2000, &[], &[]);
    let odd = ipv4_with(6, 1, 0x2000, &[], &[0; 9]);
    let mut decoder = Decoder::new(FragmentLimits {
        memory_bytes: 0,
        wait_ns: u64::MAX,
    });
    assert_eq!(decode_all(&mut decoder, &[beyond, empty, odd]), [WAITING; 3]);
    assert_eq!(decoder.fragments_lost(), 0);
}
