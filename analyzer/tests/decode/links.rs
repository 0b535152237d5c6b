//! Every link type leads to the same segment.

use clw_analyzer::decode::{Decoded, Decoder, FragmentLimits};
use clw_analyzer::source::LinkType;

use crate::frames::{ethernet, ipv4, ipv6, tcp};
use crate::{decoded, frame};

const V4: &str = "10.0.0.1:1000 > 10.0.0.2:80 \"hello\" of 5";
const V6: &str = "[fe80::1]:1000 > [fe80::2]:80 \"hello\" of 5";

fn with(header: &[u8], packet: &[u8]) -> Vec<u8> {
    [header, packet].concat()
}

#[test]
fn ethernet_with_and_without_tags() {
    let (v4, v6) = (ipv4(&tcp(b"hello")), ipv6(6, &tcp(b"hello")));
    for (frame_bytes, expected) in [
        (ethernet(0x0800, &v4), V4),
        (ethernet(0x86dd, &v6), V6),
        (ethernet(0x8100, &with(&[0, 5, 8, 0], &v4)), V4),
        (
            ethernet(0x88a8, &with(&[0, 5, 0x81, 0, 0, 6, 0x86, 0xdd], &v6)),
            V6,
        ),
        (ethernet(0x8864, &with(&[0x11, 0, 0, 1, 0, 9, 0, 0x21], &v4)), V4),
        (ethernet(0x0806, &[0; 28]), "ARP"),
        (ethernet(0x0026, &[0x42; 38]), "802.3 (no IP)"),
        (ethernet(0x8100, &[0, 5]), "link header cut"),
        (ethernet(0x8100, &[0x81, 0].repeat(20)), "too many VLAN tags"),
        (vec![1; 13], "link header cut"),
    ] {
        assert_eq!(decoded(&frame(LinkType::ETHERNET, &frame_bytes)), expected);
    }
}

#[test]
fn cooked_loopback_and_raw() {
    let (v4, v6) = (ipv4(&tcp(b"hello")), ipv6(6, &tcp(b"hello")));
    let cooked = |kind: [u8; 2]| with(&[0, 4, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0], &kind);
    let cooked2 = |kind: [u8; 2]| with(&kind, &[0, 0, 0, 0, 0, 7, 0, 1, 4, 6, 2, 2, 2, 2, 2, 2, 0, 0]);
    for (link, header, packet, expected) in [
        (LinkType::LINUX_SLL, cooked([8, 0]), &v4, V4),
        (LinkType::LINUX_SLL, cooked([0x86, 0xdd]), &v6, V6),
        (
            LinkType::LINUX_SLL,
            with(&cooked([0x81, 0]), &[0, 5, 8, 0]),
            &v4,
            V4,
        ),
        (LinkType::LINUX_SLL2, cooked2([8, 0]), &v4, V4),
        (LinkType::LINUX_SLL2, cooked2([0x86, 0xdd]), &v6, V6),
        (
            LinkType::LINUX_SLL2,
            with(&cooked2([0x81, 0]), &[0, 5, 8, 0]),
            &v4,
            V4,
        ),
        (LinkType::LINUX_SLL2, cooked2([8, 6]), &v4, "ARP"),
        (LinkType::NULL, vec![2, 0, 0, 0], &v4, V4),
        (LinkType::NULL, vec![0, 0, 0, 2], &v4, V4),
        (LinkType::NULL, vec![30, 0, 0, 0], &v6, V6),
        (LinkType::LOOP, vec![0, 0, 0, 24], &v6, V6),
        (LinkType::LOOP, vec![0, 0, 1, 24], &v6, "not IP"),
        (LinkType::RAW, vec![], &v4, V4),
        (LinkType::RAW, vec![], &v6, V6),
        (LinkType::RAW_BSD, vec![], &v4, V4),
        (LinkType::IPV4, vec![], &v4, V4),
        (LinkType::IPV6, vec![], &v6, V6),
        (LinkType::RAW, vec![0x50], &v4, "not IP"),
        (LinkType(147), vec![], &v4, "link type not supported"),
    ] {
        assert_eq!(
            decoded(&frame(link, &with(&header, packet))),
            expected,
            "{link} {header:x?}"
        );
    }
}

#[test]
fn a_capture_on_any_tells_its_interfaces_apart() {
    let packet = ipv4(&tcp(b"hello"));
    let mut decoder = Decoder::new(FragmentLimits::default());
    for index in [1, 7] {
        let cooked = with(
            &[8, 0, 0, 0, 0, 0, 0, index, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0],
            &packet,
        );
        let Decoded::Tcp(segment) = decoder.decode(&frame(LinkType::LINUX_SLL2, &cooked)) else {
            panic!()
        };
        assert_eq!(segment.interface, 3 * 65_536 + u32::from(index));
    }
}

#[test]
fn what_is_said_to_be_supported_is() {
    for number in 0..400 {
        let link = LinkType(number);
        assert_eq!(
            link.is_supported(),
            decoded(&frame(link, &[0; 64])) != "link type not supported",
            "{link}"
        );
    }
}
