//! One frame of a capture, blanked where it lies: headers stay, payloads are replaced, checksums made right again.

use super::json::BLANK;
use crate::decode::layout::{self, Layout, Transport};
use crate::source::LinkType;

/// Bytes of an ICMP message that stay: its type, and the header of the packet that it is about.
const ICMP_KEPT_BYTES: usize = 8 + 40 + 8;
/// ARP and its kin end before this.
const OTHER_KEPT_BYTES: usize = 14 + 28;

/// Blanks a frame; `payload` replaces the payload of a TCP segment, `datagram` that of an UDP datagram.
pub(super) fn blank(
    link: LinkType,
    original_len: u32,
    data: &mut [u8],
    payload: impl FnOnce(&mut [u8]),
    datagram: impl FnOnce(&mut [u8]),
) {
    let Some(layout) = layout::of(link, original_len, data) else {
        let kept = OTHER_KEPT_BYTES.min(data.len());
        data[kept..].fill(0);
        return;
    };
    // Padding of short frames.
    data[layout.end..].fill(0);
    let body = layout.payload..layout.end;
    blank_options(data, &layout);
    match layout.transport {
        Transport::Tcp => payload(&mut data[body]),
        Transport::Icmp4 | Transport::Icmp6 => {
            let kept = (layout.transport_at + ICMP_KEPT_BYTES).min(layout.end);
            data[kept..layout.end].fill(0);
        }
        Transport::Udp => datagram(&mut data[body]),
        // Only the first fragment has a transport header, and what follows it may be anything.
        Transport::Fragment | Transport::Other => data[body].fill(BLANK),
    }
    mend(data, &layout);
}

/// A header that claims more length than it has would take payload for its options: only those that are known stay.
fn blank_options(data: &mut [u8], layout: &Layout) {
    if let Some(header) = layout.ipv4_header.clone() {
        let from = (header.start + 20).min(header.end);
        data[from..header.end].fill(0);
    }
    if layout.transport != Transport::Tcp {
        return;
    }
    let mut at = layout.transport_at + 20;
    while at < layout.payload {
        let length = match (data[at], data.get(at + 1)) {
            (0 | 1, _) => 1,
            // MSS, window scale, SACK permitted, SACK, timestamps, Multipath TCP, Fast Open.
            (2, Some(4)) => 4,
            (3, Some(3)) => 3,
            (4, Some(2)) => 2,
            (8, Some(10)) => 10,
            (5, Some(&length @ (10 | 18 | 26 | 34)))
            | (30, Some(&length @ 3..=24))
            | (34, Some(&length @ 2..=18)) => usize::from(length),

            _ => break,
        };
        at += length;
    }
    let from = at.min(layout.payload);
    data[from..layout.payload].fill(0);
}

/// Makes the checksums right; those of packets that were cut cannot be.
fn mend(data: &mut [u8], layout: &Layout) {
    if let Some(header) = layout.ipv4_header.clone() {
        data[header.start + 10..header.start + 12].fill(0);
        let sum = fold(add(0, &data[header.clone()]));
        data[header.start + 10..header.start + 12].copy_from_slice(&sum.to_be_bytes());
    }
    let at = match layout.transport {
        Transport::Tcp => 16,
        Transport::Udp => 6,
        Transport::Icmp4 | Transport::Icmp6 => 2,
        Transport::Fragment | Transport::Other => return,
    } + layout.transport_at;
    if !layout.is_whole || at + 2 > layout.end {
        return;
    }
    let was = [data[at], data[at + 1]];
    // A UDP datagram may do without (RFC 768).
    if matches!(layout.transport, Transport::Udp) && was == [0, 0] {
        return;
    }
    data[at..at + 2].fill(0);
    let body = &data[layout.transport_at..layout.end];
    let pseudo = match layout.transport {
        Transport::Icmp4 => 0,
        _ => layout.pseudo_sum(body.len()),
    };
    let sum = match fold(add(pseudo, body)) {
        0 if matches!(layout.transport, Transport::Udp) => 0xFFFF,
        sum => sum,
    };
    data[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// Adds 16-bit words (RFC 1071).
pub(crate) fn add(sum: u64, bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(2);
    let whole: u64 = words
        .by_ref()
        .map(|word| u64::from(u16::from_be_bytes([word[0], word[1]])))
        .sum();
    let odd = words.remainder().first().map_or(0, |byte| u64::from(*byte) << 8);
    sum + whole + odd
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    // Folded to 16 bits.
    !u16::try_from(sum).unwrap_or(0)
}
