//! Link headers: where the IP packet begins.

use crate::source::LinkType;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const PPPOE_SESSION: u16 = 0x8864;
/// VLAN tags in one frame. Two are in use (QinQ); more only in hostile frames.
const VLAN_TAGS_MAX: usize = 4;

/// What lies behind the link header.
pub(super) struct Network<'a> {
    /// The IP packet, and whatever the link added behind it.
    pub(super) bytes: &'a [u8],
    /// Interface index, if each frame tells it.
    pub(super) interface_index: Option<u32>,
}

/// The network layer of a frame, or why there is none.
#[inline]
pub(super) fn network(link: LinkType, data: &[u8]) -> Result<Network<'_>, &'static str> {
    let bytes = match link {
        LinkType::ETHERNET => ethertype(data, 12)?,
        LinkType::LINUX_SLL => ethertype(data, 14)?,
        LinkType::LINUX_SLL2 => return cooked_v2(data),
        LinkType::NULL | LinkType::LOOP => loopback(data)?,
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD | LinkType::IPV4 | LinkType::IPV6 => data,
        _ => return Err("link type not supported"),
    };
    Ok(Network {
        bytes,
        interface_index: None,
    })
}

/// What follows the Ethernet type at `at`, VLAN tags passed over.
#[inline]
fn ethertype(data: &[u8], mut at: usize) -> Result<&[u8], &'static str> {
    for _ in 0..=VLAN_TAGS_MAX {
        match u16_at(data, at) {
            Some(IPV4 | IPV6) => return Ok(data.get(at + 2..).unwrap_or_default()),
            Some(0x8100 | 0x88a8 | 0x9100 | 0x9200) => at += 4,
            Some(PPPOE_SESSION) => return pppoe(data, at + 2),
            Some(other) => return Err(ethertype_name(other)),
            None => return Err("link header cut"),
        }
    }
    Err("too many VLAN tags")
}

/// PPP over Ethernet: six bytes of session header, then the PPP protocol.
fn pppoe(data: &[u8], at: usize) -> Result<&[u8], &'static str> {
    match u16_at(data, at + 6) {
        Some(0x0021 | 0x0057) => Ok(data.get(at + 8..).unwrap_or_default()),
        Some(_) => Err("PPP control"),
        None => Err("link header cut"),
    }
}

/// Linux cooked v2: type first, interface index at 4, twenty bytes in all.
fn cooked_v2(data: &[u8]) -> Result<Network<'_>, &'static str> {
    let Some(index) = data.get(4..).and_then(|rest| rest.first_chunk::<4>()) else {
        return Err("link header cut");
    };
    let interface_index = Some(u32::from_be_bytes(*index));
    let bytes = match u16_at(data, 0) {
        Some(IPV4 | IPV6) => data.get(20..).ok_or("link header cut")?,
        // The tag follows the header; its type field stands where a payload would begin plus two.
        Some(0x8100 | 0x88a8) => ethertype(data, 22)?,
        Some(other) => return Err(ethertype_name(other)),
        None => return Err("link header cut"),
    };
    Ok(Network {
        bytes,
        interface_index,
    })
}

/// BSD loopback: the family in the byte order of whoever captured. IPv6 has a number of its own on each system.
fn loopback(data: &[u8]) -> Result<&[u8], &'static str> {
    let Some((family, bytes)) = data.split_first_chunk::<4>() else {
        return Err("link header cut");
    };
    let ([0, 0, 0, family] | [family, 0, 0, 0]) = *family else {
        return Err("not IP");
    };
    match family {
        2 | 10 | 24 | 28 | 30 => Ok(bytes),
        _ => Err("not IP"),
    }
}

#[cold]
fn ethertype_name(ethertype: u16) -> &'static str {
    match ethertype {
        0x0806 => "ARP",
        0x8863 => "PPPoE discovery",
        0x8847 | 0x8848 => "MPLS",
        0x888e => "802.1X",
        0x88cc => "LLDP",
        0x88e5 => "MACsec",
        0..=0x05ff => "802.3 (no IP)",
        _ => "not IP",
    }
}

#[inline]
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk::<2>()
        .map(|bytes| u16::from_be_bytes(*bytes))
}
