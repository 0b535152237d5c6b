//! TCP with its options, and UDP.

use clw_analyzer::decode::{Decoded, Decoder, FragmentLimits};
use clw_analyzer::segment::{Flags, Options};
use clw_analyzer::source::LinkType;

use crate::frames::{ipv4, ipv4_with, ipv6, tcp, tcp_with};
use crate::{decoded, frame};

fn options(bytes: &[u8]) -> Options {
    let packet = ipv4(&tcp_with(bytes, b"payload"));
    let mut decoder = Decoder::new(FragmentLimits::default());
    let Decoded::Tcp(segment) = decoder.decode(&frame(LinkType::RAW, &packet)) else {
        panic!()
    };
    assert_eq!(segment.payload, b"payload");
    segment.options
}

#[test]
fn the_header_is_read() {
    let packet = ipv4(&tcp(b"payload"));
    let mut decoder = Decoder::new(FragmentLimits::default());
    let Decoded::Tcp(segment) = decoder.decode(&frame(LinkType::RAW, &packet)) else {
        panic!()
    };
    assert_eq!((segment.seq, segment.ack, segment.window), (9, 7, 0x2000));
    assert_eq!(segment.flags, Flags(Flags::ACK | Flags::PSH));
    assert_eq!(segment.options, Options::default());
}

#[test]
fn options_of_a_syn_and_of_every_other_segment() {
    let syn = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 1, 2, 0, 0, 0, 0, 1, 3, 3, 7];
    let expected = Options {
        mss: Some(1460),
        window_scale: Some(7),
        sack_permitted: true,
        timestamps: Some((258, 0)),
    };
    assert_eq!(options(&syn), expected);
    let usual = Options {
        timestamps: Some((5, 6)),
        ..Options::default()
    };
    assert_eq!(options(&[1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6]), usual);
    assert_eq!(options(&[8, 10, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0]), usual);
}

#[test]
fn an_option_that_cannot_be_ends_the_options_and_not_the_segment() {
    let mss = Options {
        mss: Some(1460),
        ..Options::default()
    };
    for broken in [
        [2, 4, 5, 180, 3, 0, 1, 1],
        [2, 4, 5, 180, 3, 9, 1, 1],
        [2, 4, 5, 180, 0, 3, 3, 1],
        [2, 4, 5, 180, 1, 1, 1, 3],
    ] {
        assert_eq!(options(&broken), mss);
    }
    assert_eq!(
        options(&[2, 3, 5, 1]),
        Options::default(),
        "an option of the wrong length is not that option"
    );
}

#[test]
fn options_cut_by_a_snap_length_are_read_as_far_as_they_go() {
    let packet = ipv4(&tcp_with(&[2, 4, 5, 180, 1, 3, 3, 7], b"payload"));
    let mut decoder = Decoder::new(FragmentLimits::default());
    let Decoded::Tcp(segment) = decoder.decode(&frame(LinkType::RAW, &packet[..45])) else {
        panic!()
    };
    assert_eq!(
        segment.options,
        Options {
            mss: Some(1460),
            ..Options::default()
        }
    );
    assert_eq!((segment.payload, segment.payload_len), (&b""[..], 7));
}

#[test]
fn a_header_length_that_cannot_be_is_named() {
    for length in [0_u8, 4, 15] {
        let mut segment = tcp(b"payload");
        segment[12] = length << 4;
        assert_eq!(
            decoded(&frame(LinkType::RAW, &ipv4(&segment))),
            "broken TCP header"
        );
    }
    assert_eq!(
        decoded(&frame(LinkType::RAW, &ipv4(&[0; 19]))),
        "broken TCP header"
    );
}

#[test]
fn datagrams_end_where_their_header_says() {
    let datagram = |length: u8| [0x03, 0xe8, 0x00, 0x50, 0, length, 0, 0, b'b', b'e', b'a', b't'];
    let v4 = |length| {
        decoded(&frame(
            LinkType::RAW,
            &ipv4_with(17, 1, 0, &[], &datagram(length)),
        ))
    };
    assert_eq!(v4(12), "udp 10.0.0.1:1000 > 10.0.0.2:80 \"beat\" of 4");
    assert_eq!(v4(10), "udp 10.0.0.1:1000 > 10.0.0.2:80 \"be\" of 2");
    assert_eq!(v4(0), "udp 10.0.0.1:1000 > 10.0.0.2:80 \"beat\" of 4");
    assert_eq!(
        (v4(7), v4(13)),
        ("broken UDP header".to_owned(), "broken UDP header".to_owned())
    );
    let v6 = ipv6(17, &datagram(12));
    assert_eq!(
        decoded(&frame(LinkType::RAW, &v6)),
        "udp [fe80::1]:1000 > [fe80::2]:80 \"beat\" of 4"
    );
}
