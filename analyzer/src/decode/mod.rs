//! From a frame to the TCP segment in it.
//!
//! Decoding trusts the IP length over the captured length (Ethernet pads short frames), takes the captured length where
//! the IP length is zero (segmentation offload), and verifies no checksums (offload leaves them blank). Whatever cannot
//! be decoded is named, never dropped in silence: [`Decoded::Other`] carries the reason for the table of skipped packets.

mod datagram;
mod fragments;
mod ip;
pub mod layout;
mod link;
mod tcp;

pub use datagram::Datagram;
pub use fragments::FragmentLimits;

use crate::segment::Segment;
use crate::source::Frame;
use fragments::Fragments;
use ip::Packet;

/// Longest frame that segmentation offload hands over (Linux: 512 KiB), with room to spare. Beyond it a frame's length on
/// the wire is not believed.
const OFFLOADED_MAX: usize = 1 << 20;

/// What a frame holds.
#[derive(Clone, Debug)]
pub enum Decoded<'a> {
    /// A TCP segment.
    Tcp(Segment<'a>),
    /// A UDP datagram.
    Udp(Datagram<'a>),
    /// Something else, or something broken: what.
    Other(&'static str),
}

/// Decodes frames; remembers only IP fragments that wait for the rest.
#[derive(Debug, Default)]
pub struct Decoder {
    fragments: Fragments,
}

/// What the layers above IP need of the frame.
#[derive(Clone, Copy)]
struct Place {
    number: u64,
    at_ns: u64,
    interface: u32,
}

impl Decoder {
    /// A decoder that keeps at most `limits` of unfinished IP packets.
    pub fn new(limits: FragmentLimits) -> Self {
        Self {
            fragments: Fragments::new(limits),
        }
    }

    /// Decodes one frame. The payload lies in the frame, or in the decoder if it was put together from fragments.
    ///
    /// The interface of a `tcpdump -i any` capture with cooked v2 headers is told apart by the interface index in
    /// each header: the segment's interface is that index plus 65 536 times the frame's.
    #[inline]
    pub fn decode<'s>(&'s mut self, frame: &Frame<'s>) -> Decoded<'s> {
        // By reference, here and below: a header that was just written is slow to be read again in larger pieces.
        let network = link::network(frame.link, frame.data);
        let network = match &network {
            Ok(network) => network,
            Err(reason) => return Decoded::Other(reason),
        };
        let header_len = frame.data.len() - network.bytes.len();
        let wire_len = (frame.original_len as usize)
            .min(OFFLOADED_MAX)
            .max(frame.data.len())
            - header_len;
        let packet = ip::packet(network.bytes, wire_len);
        let packet = match &packet {
            Ok(packet) => packet,
            Err(reason) => return Decoded::Other(reason),
        };
        let interface = match network.interface_index {
            None => frame.interface,
            Some(index) => frame.interface.wrapping_shl(16) | (index & 0xffff),
        };
        let place = Place {
            number: frame.number,
            at_ns: frame.at_ns,
            interface,
        };
        if packet.fragment.is_none() {
            return transport(&place, packet);
        }
        match self.fragments.add(&place, packet) {
            Some(whole) => transport(&place, &whole),
            None => Decoded::Other("IP fragments (joined when the last has come)"),
        }
    }

    /// IP packets of which a fragment never came, or came too late.
    pub fn fragments_lost(&self) -> u64 {
        self.fragments.lost()
    }
}

#[inline]
fn transport<'a>(place: &Place, packet: &Packet<'a>) -> Decoded<'a> {
    match packet.protocol {
        tcp::PROTOCOL => tcp::segment(place, packet),
        datagram::PROTOCOL => match datagram::datagram(place, packet) {
            Ok(datagram) => Decoded::Udp(datagram),
            Err(reason) => Decoded::Other(reason),
        },
        other => Decoded::Other(ip::protocol_name(other)),
    }
}
