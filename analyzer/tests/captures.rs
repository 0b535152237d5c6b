//! The real captures: every packet is read, and every one of them holds a TCP segment.

use std::path::{Path, PathBuf};

use clw_analyzer::decode::{Decoded, Decoder, FragmentLimits};
use clw_analyzer::source::{Capture, Item, LinkType};

/// Packets as capinfos and tcpdump count them.
const PACKETS: [(&str, u64); 26] = [
    ("openclaw/bad-first-frame.pcap", 101),
    ("openclaw/bad-signature.pcap", 85),
    ("openclaw/budget-503.pcap", 546),
    ("openclaw/client-rst.pcap", 67),
    ("openclaw/gateway-restart.pcap", 129),
    ("openclaw/handshake-timeout.pcap", 30),
    ("openclaw/healthy-ticks.pcap", 120),
    ("openclaw/no-pong.pcap", 68),
    ("openclaw/pairing.pcap", 128),
    ("openclaw/rpc.pcap", 52),
    ("openclaw/token-ok.pcap", 51),
    ("openclaw/wrong-token.pcap", 74),
    ("clawchat/auth-unavailable.pcap", 68),
    ("clawchat/handshake-timeout-server.pcap", 34),
    ("clawchat/healthy-chatsdk.pcap", 40),
    ("clawchat/healthy-hermes.pcap", 53),
    ("clawchat/heartbeat-loss-client.pcap", 45),
    ("clawchat/json-heartbeat-4000.pcap", 50),
    ("clawchat/kick-nostatus.pcap", 42),
    ("clawchat/proactive-refresh.pcap", 60),
    ("clawchat/prompt-rst.pcap", 37),
    ("clawchat/refresh-permanent.pcap", 28),
    ("clawchat/reliable-v2-own-client.pcap", 56),
    ("clawchat/takeover-4001.pcap", 146),
    ("clawchat/token-expired-refresh.pcap", 57),
    ("clawchat/transport-drop-rst.pcap", 40),
];

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

#[test]
fn every_packet_of_the_real_captures_is_a_segment() {
    for (name, packets) in PACKETS {
        let mut capture = Capture::open(&[data(name)]).unwrap();
        let mut decoder = Decoder::new(FragmentLimits::default());
        let mut segments = 0;
        while let Some(item) = capture.next().unwrap() {
            let Item::Frame(frame) = item else {
                panic!("{name} has no secrets")
            };
            let Decoded::Tcp(segment) = decoder.decode(&frame) else {
                panic!("{name}: frame {}", frame.number)
            };
            assert_eq!(
                segment.payload.len(),
                segment.payload_len as usize,
                "{name}: frame {}",
                frame.number
            );
            segments += 1;
            assert_eq!(segment.number, segments, "{name}");
        }
        let summary = capture.summary();
        assert_eq!((summary.packets, segments), (packets, packets), "{name}");
        assert_eq!(summary.warnings, [], "{name}");
        assert!(
            summary.link_types().into_iter().eq([LinkType::ETHERNET]),
            "{name}"
        );
        assert_eq!(Some(summary.bytes_read), summary.bytes_total, "{name}");
    }
}

#[test]
fn a_folder_is_one_capture_in_time_order() {
    for folder in ["openclaw", "clawchat"] {
        let mut capture = Capture::open(&[data(folder)]).unwrap();
        let mut last_ns = 0;
        while let Some(item) = capture.next().unwrap() {
            let Item::Frame(frame) = item else { continue };
            assert!(frame.at_ns >= last_ns, "{folder}: frame {}", frame.number);
            last_ns = frame.at_ns;
        }
        let expected: u64 = PACKETS
            .iter()
            .filter(|(name, _)| name.starts_with(folder))
            .map(|(_, packets)| packets)
            .sum();
        assert_eq!(capture.summary().packets, expected, "{folder}");
    }
}
