//! IPv4 and IPv6 headers: who, to whom, and where the transport begins.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::link::u16_at;

/// Extension headers in one packet. Eight kinds exist and most may come once.
const EXTENSIONS_MAX: usize = 16;

/// An IP packet without its headers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// TTL or hop limit.
    pub(super) ttl: u8,
    /// IPv4 identification.
    pub(super) ip_id: Option<u16>,
    /// Transport protocol number.
    pub(super) protocol: u8,
    /// The transport as far as it was captured.
    pub(super) payload: &'a [u8],
    /// Its length as the IP header tells it.
    pub(super) payload_len: usize,
    /// If this is only a part.
    pub(super) fragment: Option<Fragment>,
}

/// Place of a fragment in its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    pub(super) id: u32,
    /// In bytes.
    pub(super) offset: usize,
    pub(super) is_last: bool,
}

/// Reads the packet at the start of `bytes`, which was `wire_len` long before a snap length cut it.
#[inline]
pub(super) fn packet(bytes: &[u8], wire_len: usize) -> Result<Packet<'_>, &'static str> {
    match bytes.first() {
        Some(first) if first >> 4 == 4 => ipv4(bytes, wire_len),
        Some(first) if first >> 4 == 6 => ipv6(bytes, wire_len),
        Some(_) => Err("not IP"),
        None => Err("IP header cut"),
    }
}

#[inline]
fn ipv4(bytes: &[u8], wire_len: usize) -> Result<Packet<'_>, &'static str> {
    let Some(header) = bytes.first_chunk::<20>() else {
        return Err("IP header cut");
    };
    let header_len = usize::from(header[0] & 0x0f) * 4;
    let total_len = match usize::from(u16::from_be_bytes([header[2], header[3]])) {
        // Segmentation offload: the length was to be filled in by the network card.
        0 => wire_len,
        total_len => total_len,
    };
    if header_len < 20 || total_len < header_len {
        return Err("broken IPv4 header");
    }
    let end = total_len.min(bytes.len());
    // Of a header that was cut there is none, and it lies at the end of the frame all the same.
    let payload = bytes.get(header_len.min(end)..end).unwrap_or_default();
    let id = u16::from_be_bytes([header[4], header[5]]);
    let fragmentation = u16::from_be_bytes([header[6], header[7]]);
    let offset = usize::from(fragmentation & 0x1fff) * 8;
    let more = fragmentation & 0x2000 != 0;
    let fragment = (more || offset > 0).then_some(Fragment {
        id: u32::from(id),
        offset,
        is_last: !more,
    });
    Ok(Packet {
        source: IpAddr::V4(Ipv4Addr::new(header[12], header[13], header[14], header[15])),
        destination: IpAddr::V4(Ipv4Addr::new(header[16], header[17], header[18], header[19])),
        ttl: header[8],
        ip_id: Some(id),
        protocol: header[9],
        payload,
        payload_len: total_len - header_len,
        fragment,
    })
}

fn ipv6(bytes: &[u8], wire_len: usize) -> Result<Packet<'_>, &'static str> {
    let Some((header, behind)) = bytes.split_first_chunk::<40>() else {
        return Err("IP header cut");
    };
    let (_, addresses) = header.split_at(8);
    let (source, destination) = addresses.split_at(16);
    let address = |bytes: &[u8]| {
        bytes
            .first_chunk::<16>()
            .map_or(Ipv6Addr::UNSPECIFIED, |b| Ipv6Addr::from(*b))
    };
    let payload_len = match usize::from(u16::from_be_bytes([header[4], header[5]])) {
        // Segmentation offload or a jumbogram.
        0 => wire_len.saturating_sub(40),
        payload_len => payload_len,
    };
    let mut packet = Packet {
        source: IpAddr::V6(address(source)),
        destination: IpAddr::V6(address(destination)),
        ttl: header[7],
        ip_id: None,
        protocol: header[6],
        payload: behind.get(..payload_len.min(behind.len())).unwrap_or_default(),
        payload_len,
        fragment: None,
    };
    pass_extensions(&mut packet)?;
    Ok(packet)
}

/// Goes from extension header to extension header (RFC 8200 4) until the transport, or a fragment's middle, begins.
fn pass_extensions(packet: &mut Packet<'_>) -> Result<(), &'static str> {
    for _ in 0..EXTENSIONS_MAX {
        let len = match packet.protocol {
            HOP_BY_HOP | ROUTING | DESTINATION | MOBILITY | HIP | SHIM6 => {
                packet.payload.get(1).map(|len| (usize::from(*len) + 1) * 8)
            }
            AUTHENTICATION => packet.payload.get(1).map(|len| (usize::from(*len) + 2) * 4),
            FRAGMENT => Some(8),
            _ => return Ok(()),
        };
        let Some((len, next)) = len.zip(packet.payload.first().copied()) else {
            return Err("IPv6 extension header cut");
        };
        if len > packet.payload_len {
            return Err("broken IPv6 extension header");
        }
        let Some((extension, payload)) = packet.payload.split_at_checked(len) else {
            return Err("IPv6 extension header cut");
        };
        let is_fragment = packet.protocol == FRAGMENT;
        packet.protocol = next;
        packet.payload = payload;
        packet.payload_len -= len;
        if is_fragment {
            packet.fragment = ipv6_fragment(extension);
            // What follows belongs to the packet as a whole; the headers in it are read when it is complete.
            if packet.fragment.is_some() {
                return Ok(());
            }
        }
    }
    Err("too many IPv6 extension headers")
}

/// Reads the extension headers that came inside fragments, now that the packet is whole.
pub(super) fn pass_joined_extensions(packet: &mut Packet<'_>) -> Result<(), &'static str> {
    if packet.source.is_ipv6() {
        pass_extensions(packet)
    } else {
        Ok(())
    }
}

/// `None` for an atomic fragment, which is the whole packet (RFC 6946).
fn ipv6_fragment(extension: &[u8]) -> Option<Fragment> {
    let place = u16_at(extension, 2)?;
    let id = u32::from_be_bytes(*extension.get(4..)?.first_chunk::<4>()?);
    let (offset, more) = (usize::from(place & 0xfff8), place & 1 != 0);
    (more || offset > 0).then_some(Fragment {
        id,
        offset,
        is_last: !more,
    })
}

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

/// A transport that is not analysed, by name.
#[cold]
pub(super) fn protocol_name(protocol: u8) -> &'static str {
    match protocol {
        1 => "ICMP",
        2 => "IGMP",
        4 | 41 => "IP in IP",
        47 => "GRE",
        50 => "ESP",
        58 => "ICMPv6",
        132 => "SCTP",
        _ => "other IP protocol",
    }
}
