//! Where in a frame its headers and its payload lie, for whoever wants to change them.

use super::{ip, link};
use crate::source::LinkType;
use std::net::IpAddr;
use std::ops::Range;

/// What an IP packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP.
    Icmp4,
    /// ICMP for IPv6.
    Icmp6,
    /// Part of a packet.
    Fragment,
    /// Anything else.
    Other,
}

/// Offsets into a frame.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The IPv4 header, as far as it was captured.
    pub ipv4_header: Option<Range<usize>>,
    /// What is carried.
    pub transport: Transport,
    /// Where its header begins.
    pub transport_at: usize,
    /// Where its payload begins.
    pub payload: usize,
    /// Where the packet ends; padding follows.
    pub end: usize,
    /// Nothing of the packet was cut.
    pub is_whole: bool,
    source: IpAddr,
    destination: IpAddr,
}

impl Layout {
    /// The sum of the pseudo-header's words for a transport of `length` bytes (RFC 9293 3.1, RFC 8200 8.1).
    pub fn pseudo_sum(&self, length: usize) -> u64 {
        let words = |bytes: &[u8]| -> u64 {
            bytes
                .chunks_exact(2)
                .map(|word| u64::from(u16::from_be_bytes([word[0], word[1]])))
                .sum()
        };
        let address = |address: &IpAddr| match address {
            IpAddr::V4(v4) => words(&v4.octets()),
            IpAddr::V6(v6) => words(&v6.octets()),
        };
        let protocol = match self.transport {
            Transport::Tcp => 6,
            Transport::Udp => 17,
            Transport::Icmp6 => 58,
            Transport::Icmp4 | Transport::Fragment | Transport::Other => 1,
        };
        let length = length as u64;
        address(&self.source) + address(&self.destination) + protocol + (length & 0xFFFF) + (length >> 16)
    }
}

/// The layout of an IP packet's frame; `None` if it is none, or cut within its headers.
pub fn of(link: LinkType, original_len: u32, data: &[u8]) -> Option<Layout> {
    let network = link::network(link, data).ok()?;
    let network_at = data.len() - network.bytes.len();
    let wire_len = (original_len as usize).min(super::OFFLOADED_MAX).max(data.len()) - network_at;
    let packet = ip::packet(network.bytes, wire_len).ok()?;
    let transport_at = packet.payload.as_ptr().addr() - data.as_ptr().addr();
    let end = transport_at + packet.payload.len();
    let is_v4 = packet.source.is_ipv4();
    let header_end = network_at + usize::from(network.bytes.first()? & 0x0F) * 4;
    let (transport, header) = match (packet.fragment, packet.protocol) {
        (Some(fragment), 6) if fragment.offset == 0 => (Transport::Fragment, 20),
        (Some(_), _) => (Transport::Fragment, 0),
        (None, 6) => {
            let words = packet.payload.get(12).map_or(5, |byte| usize::from(byte >> 4));
            (Transport::Tcp, words.max(5) * 4)
        }
        (None, 17) => (Transport::Udp, 8),
        (None, 1) if is_v4 => (Transport::Icmp4, 8),
        (None, 58) if !is_v4 => (Transport::Icmp6, 8),
        (None, _) => (Transport::Other, 0),
    };
    Some(Layout {
        ipv4_header: is_v4.then_some(network_at..header_end.min(data.len())),
        transport,
        transport_at,
        payload: (transport_at + header).min(end),
        end,
        is_whole: packet.payload.len() == packet.payload_len,
        source: packet.source,
        destination: packet.destination,
    })
}
