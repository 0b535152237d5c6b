//! IPv4 and IPv6: lengths that lie, options, extension headers.

use clw_analyzer::decode::{Decoded, Decoder, FragmentLimits};
use clw_analyzer::source::LinkType;

use crate::frames::{ethernet, ipv4, ipv4_with, ipv6, tcp};
use crate::{decoded, frame};

fn raw(packet: &[u8]) -> String {
    decoded(&frame(LinkType::RAW, packet))
}

#[test]
fn padding_is_not_payload() {
    let mut bytes = ethernet(0x0800, &ipv4(&tcp(b"")));
    bytes.resize(60, 0);
    assert_eq!(
        decoded(&frame(LinkType::ETHERNET, &bytes)),
        "10.0.0.1:1000 > 10.0.0.2:80 \"\" of 0"
    );
}

#[test]
fn a_length_of_zero_is_segmentation_offload() {
    let mut v4 = ipv4(&tcp(b"sent in one piece"));
    v4[2..4].fill(0);
    assert_eq!(
        raw(&v4),
        "10.0.0.1:1000 > 10.0.0.2:80 \"sent in one piece\" of 17"
    );
    let mut v6 = ipv6(6, &tcp(b"sent in one piece"));
    v6[4..6].fill(0);
    assert_eq!(
        raw(&v6),
        "[fe80::1]:1000 > [fe80::2]:80 \"sent in one piece\" of 17"
    );
    // Cut by a snap length as well: the frame's length on the wire tells the rest.
    let cut = ethernet(0x0800, &v4[..50]);
    let mut frame = frame(LinkType::ETHERNET, &cut);
    frame.original_len = 14 + 57;
    assert_eq!(
        decoded(&frame),
        "10.0.0.1:1000 > 10.0.0.2:80 \"sent in on\" of 17"
    );
}

#[test]
fn a_snap_length_leaves_the_length_known() {
    let packet = ipv4(&tcp(b"more than is captured"));
    for kept in 0..=packet.len() {
        let mut cut = frame(LinkType::RAW, &packet[..kept]);
        cut.original_len = u32::try_from(packet.len()).unwrap();
        let expected = match kept {
            0..20 => "IP header cut".to_owned(),
            20..40 => "TCP header cut".to_owned(),
            _ => format!(
                "10.0.0.1:1000 > 10.0.0.2:80 {:?} of 21",
                &"more than is captured"[..kept - 40]
            ),
        };
        assert_eq!(decoded(&cut), expected, "{kept} bytes kept");
    }
}

#[test]
fn what_the_header_says_reaches_the_segment() {
    let (v4, v6) = (ipv4(&tcp(b"")), ipv6(6, &tcp(b"")));
    let mut decoder = Decoder::new(FragmentLimits::default());
    let Decoded::Tcp(segment) = decoder.decode(&frame(LinkType::RAW, &v4)) else {
        panic!()
    };
    assert_eq!(
        (segment.ttl, segment.ip_id, segment.interface),
        (64, Some(0x1234), 3)
    );
    assert_eq!((segment.number, segment.at_ns), (1, 1_000));
    let Decoded::Tcp(segment) = decoder.decode(&frame(LinkType::RAW, &v6)) else {
        panic!()
    };
    assert_eq!((segment.ttl, segment.ip_id), (55, None));
}

#[test]
fn ipv4_options_are_passed_over_and_broken_headers_named() {
    let packet = ipv4_with(6, 1, 0, &[1; 40], &tcp(b"x"));
    assert_eq!(raw(&packet), "10.0.0.1:1000 > 10.0.0.2:80 \"x\" of 1");
    let mut short = ipv4(&tcp(b""));
    short[0] = 0x44;
    assert_eq!(raw(&short), "broken IPv4 header");
    let mut small = ipv4(&tcp(b""));
    small[2..4].copy_from_slice(&[0, 19]);
    assert_eq!(raw(&small), "broken IPv4 header");
}

#[test]
fn ipv6_extension_headers_are_passed_over() {
    let segment = tcp(b"x");
    let hop = |next: u8| [next, 0, 1, 4, 0, 0, 0, 0];
    let long_destination = |next: u8| [&[next, 1][..], &[0; 14]].concat();
    let authentication = |next: u8| [&[next, 4][..], &[0; 22]].concat();
    let atomic_fragment = |next: u8| [next, 0, 0, 0, 0, 0, 0, 1];
    let chain = [
        &hop(43)[..],
        &hop(60),
        &long_destination(51),
        &authentication(44),
        &atomic_fragment(6),
        &segment,
    ]
    .concat();
    assert_eq!(raw(&ipv6(0, &chain)), "[fe80::1]:1000 > [fe80::2]:80 \"x\" of 1");
    assert_eq!(
        raw(&ipv6(0, &hop(0).repeat(40))),
        "too many IPv6 extension headers"
    );
    assert_eq!(
        raw(&ipv6(0, &[6, 200, 0, 0, 0, 0, 0, 0])),
        "broken IPv6 extension header"
    );
    assert_eq!(raw(&ipv6(0, &hop(59))), "other IP protocol");
}

#[test]
fn other_protocols_are_named() {
    for (protocol, name) in [
        (1, "ICMP"),
        (4, "IP in IP"),
        (41, "IP in IP"),
        (47, "GRE"),
        (50, "ESP"),
        (58, "ICMPv6"),
        (132, "SCTP"),
    ] {
        assert_eq!(raw(&ipv4_with(protocol, 1, 0, &[], &[0; 8])), name);
        assert_eq!(raw(&ipv6(protocol, &[0; 8])), name);
    }
}
