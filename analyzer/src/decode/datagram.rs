//! UDP datagrams, for the heartbeats that travel beside a session.

use std::net::SocketAddr;

use super::Place;
use super::ip::Packet;

/// IP protocol number.
pub(super) const PROTOCOL: u8 = 17;

/// A UDP datagram, borrowed from the frame that carried it.
#[derive(Clone, Debug)]
pub struct Datagram<'a> {
    /// Frame number, from 1, over all files in time order.
    pub number: u64,
    /// When it was captured, in nanoseconds since the Unix epoch.
    pub at_ns: u64,
    /// Interface it was captured on, as in [`crate::segment::Segment::interface`].
    pub interface: u32,
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// The payload as far as it was captured.
    pub payload: &'a [u8],
    /// The payload's length as the header tells it: more than `payload.len()` in a truncated packet.
    pub payload_len: u32,
}

/// The datagram in `packet`, or what is wrong with it.
pub(super) fn datagram<'a>(place: &Place, packet: &Packet<'a>) -> Result<Datagram<'a>, &'static str> {
    let Some((header, behind)) = packet.payload.split_first_chunk::<8>() else {
        return Err(if packet.payload_len < 8 {
            "broken UDP header"
        } else {
            "UDP header cut"
        });
    };
    let port = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let length = match usize::from(port(4)) {
        // Offload leaves the length to the network card.
        0 => packet.payload_len,
        length => length,
    };
    if length < 8 || length > packet.payload_len {
        return Err("broken UDP header");
    }
    Ok(Datagram {
        number: place.number,
        at_ns: place.at_ns,
        interface: place.interface,
        source: SocketAddr::new(packet.source, port(0)),
        destination: SocketAddr::new(packet.destination, port(2)),
        payload: behind.get(..behind.len().min(length - 8)).unwrap_or_default(),
        payload_len: u32::try_from(length - 8).unwrap_or(u32::MAX),
    })
}
