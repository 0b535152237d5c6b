//! TCP headers (RFC 9293 3.1) and the options that matter.

use std::net::SocketAddr;

use super::ip::Packet;
use super::{Decoded, Place};
use crate::segment::{Flags, Options, Segment};

/// IP protocol number.
pub(super) const PROTOCOL: u8 = 6;

/// The segment in `packet`, or what is wrong with it.
#[inline]
pub(super) fn segment<'a>(place: &Place, packet: &Packet<'a>) -> Decoded<'a> {
    let bytes = packet.payload;
    let Some(header) = bytes.first_chunk::<20>() else {
        return Decoded::Other(if packet.payload_len < 20 {
            "broken TCP header"
        } else {
            "TCP header cut"
        });
    };
    let header_len = usize::from(header[12] >> 4) * 4;
    if header_len < 20 || header_len > packet.payload_len {
        return Decoded::Other("broken TCP header");
    }
    // A snap length may end inside the options: those before it are still good.
    let options = bytes.get(20..header_len.min(bytes.len())).unwrap_or_default();
    let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    Decoded::Tcp(Segment {
        number: place.number,
        at_ns: place.at_ns,
        interface: place.interface,
        source: SocketAddr::new(packet.source, u16::from_be_bytes([header[0], header[1]])),
        destination: SocketAddr::new(packet.destination, u16::from_be_bytes([header[2], header[3]])),
        ttl: packet.ttl,
        ip_id: packet.ip_id,
        seq: word(4),
        ack: word(8),
        flags: Flags(header[13]),
        window: u16::from_be_bytes([header[14], header[15]]),
        options: read_options(options),
        payload: bytes.get(header_len..).unwrap_or_default(),
        payload_len: u32::try_from(packet.payload_len - header_len).unwrap_or(u32::MAX),
    })
}

#[inline]
fn read_options(bytes: &[u8]) -> Options {
    match bytes {
        [] => Options::default(),
        // What nearly every segment of an established connection has.
        [1, 1, 8, 10, values @ ..] if values.len() == 8 => Options {
            timestamps: timestamps(values),
            ..Options::default()
        },
        _ => read_any_options(bytes),
    }
}

/// Reads until the end, or until an option that cannot be.
fn read_any_options(mut bytes: &[u8]) -> Options {
    let mut options = Options::default();
    while let Some((kind, rest)) = bytes.split_first() {
        match kind {
            0 => break,
            1 => {
                bytes = rest;
                continue;
            }
            _ => {}
        }
        let Some(len) = rest.first().map(|len| usize::from(*len)).filter(|len| *len >= 2) else {
            break;
        };
        let Some((option, behind)) = bytes.split_at_checked(len) else {
            break;
        };
        match *option {
            [2, 4, a, b] => options.mss = Some(u16::from_be_bytes([a, b])),
            [3, 3, shift] => options.window_scale = Some(shift),
            [4, 2] => options.sack_permitted = true,
            [8, 10, ref values @ ..] => options.timestamps = timestamps(values),
            _ => {}
        }
        bytes = behind;
    }
    options
}

/// Timestamp value and echo reply.
#[inline]
fn timestamps(bytes: &[u8]) -> Option<(u32, u32)> {
    let (value, rest) = bytes.split_first_chunk::<4>()?;
    let echo = rest.first_chunk::<4>()?;
    Some((u32::from_be_bytes(*value), u32::from_be_bytes(*echo)))
}
