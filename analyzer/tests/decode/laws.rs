//! What holds for every frame.

use proptest::collection::vec;
use proptest::prelude::*;

use clw_analyzer::decode::{Decoded, Decoder, FragmentLimits};
use clw_analyzer::source::{Frame, LinkType};

use crate::frames::{ethernet, ipv4_with, ipv6, tcp};

const LINKS: [LinkType; 8] = [
    LinkType::NULL,
    LinkType::ETHERNET,
    LinkType::RAW,
    LinkType::LOOP,
    LinkType::LINUX_SLL,
    LinkType::IPV4,
    LinkType::IPV6,
    LinkType::LINUX_SLL2,
];

fn check(decoded: &Decoded<'_>) {
    if let Decoded::Tcp(segment) = decoded {
        assert!(segment.payload.len() <= segment.payload_len as usize);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        frames in vec((vec(any::<u8>(), 0..200), any::<u32>(), any::<u64>()), 1..8), link in 0..LINKS.len(),
    ) {
        let mut decoder = Decoder::new(FragmentLimits::default());
        for (data, original_len, at_ns) in &frames {
            let link = LINKS[link];
            check(&decoder.decode(&Frame {
                number: 1, at_ns: *at_ns, interface: 0, link, data, original_len: *original_len, file: 0,
            }));
        }
    }

    #[test]
    fn headers_changed_anywhere_never_panic(
        changes in vec((0_usize..90, any::<u8>()), 0..6), cut in 0_usize..120, v6: bool, place: u16,
    ) {
        let segment = tcp(&[7; 40]);
        let extension = [&[6, 0, place.to_be_bytes()[0], place.to_be_bytes()[1], 0, 0, 0, 1][..], &segment].concat();
        let mut bytes = if v6 {
            ethernet(0x86dd, &ipv6(44, &extension))
        } else {
            ethernet(0x0800, &ipv4_with(6, 1, place, &[1; 8], &segment))
        };
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(cut);
        let mut decoder = Decoder::new(FragmentLimits { memory_bytes: 1000, wait_ns: 10 });
        for at_ns in [0, 5, 100] {
            let frame = Frame { number: 1, at_ns, interface: 0, link: LinkType::ETHERNET, data: &bytes, original_len: 120, file: 0 };
            check(&decoder.decode(&frame));
        }
    }

    #[test]
    fn any_pieces_in_any_order_give_the_packet(
        cuts in prop::collection::btree_set(1_usize..30, 1..10), seed in vec(any::<u64>(), 12), payload in vec(any::<u8>(), 220..400),
    ) {
        let segment = tcp(&payload);
        let mut ends: Vec<usize> = cuts.into_iter().map(|cut| cut * 8).filter(|end| *end < segment.len()).collect();
        ends.push(segment.len());
        let mut start = 0;
        let mut packets = Vec::new();
        for end in ends {
            let more = if end < segment.len() { 0x2000 } else { 0 };
            packets.push(ipv4_with(6, 1, more | u16::try_from(start / 8).unwrap(), &[], &segment[start..end]));
            start = end;
        }
        let mut order: Vec<usize> = (0..packets.len()).collect();
        order.sort_by_key(|n| seed[*n]);
        let mut decoder = Decoder::new(FragmentLimits::default());
        for (n, index) in order.iter().enumerate() {
            let frame = crate::frame(LinkType::IPV4, &packets[*index]);
            match decoder.decode(&frame) {
                Decoded::Tcp(segment) => {
                    prop_assert_eq!(n + 1, packets.len());
                    prop_assert_eq!(segment.payload, payload.as_slice());
                }
                Decoded::Other(_) => prop_assert!(n + 1 < packets.len()),
                Decoded::Udp(_) => prop_assert!(false, "it is TCP"),
            }
        }
    }
}
