//! One TCP segment as a capture shows it: what the packet layers hand to the connection layer.

use std::net::SocketAddr;

/// A TCP segment, borrowed from the frame that carried it.
#[derive(Clone, Debug)]
pub struct Segment<'a> {
    /// Frame number, from 1, over all files in time order: Wireshark's `frame.number` for a single file.
    pub number: u64,
    /// When it was captured, in nanoseconds since the Unix epoch.
    pub at_ns: u64,
    /// Interface it was captured on, counted over all files. A capture on `any` shows one packet on two of them.
    pub interface: u32,
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// IPv4 TTL or IPv6 hop limit.
    pub ttl: u8,
    /// IPv4 identification; `None` for IPv6.
    pub ip_id: Option<u16>,
    /// Sequence number of the first payload byte (of the SYN, if it carries one).
    pub seq: u32,
    /// Acknowledgement number; meaningful with the ACK flag only.
    pub ack: u32,
    /// Control bits.
    pub flags: Flags,
    /// Window as on the wire, not scaled.
    pub window: u16,
    /// The options that matter to the analysis.
    pub options: Options,
    /// The payload as far as it was captured.
    pub payload: &'a [u8],
    /// The payload's length as the IP header tells it: more than `payload.len()` in a truncated packet.
    pub payload_len: u32,
}

/// The control bits of a segment (RFC 9293 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;

    /// Whether the sender has no more data.
    pub const fn fin(self) -> bool {
        self.0 & Self::FIN != 0
    }

    /// Whether it opens a connection.
    pub const fn syn(self) -> bool {
        self.0 & Self::SYN != 0
    }

    /// Whether it resets the connection.
    pub const fn rst(self) -> bool {
        self.0 & Self::RST != 0
    }

    /// Whether the acknowledgement number counts.
    pub const fn ack(self) -> bool {
        self.0 & Self::ACK != 0
    }
}

/// The TCP options that matter to the analysis (RFC 9293 3.2, RFC 7323, RFC 2018).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Maximum segment size.
    pub mss: Option<u16>,
    /// Window scale shift.
    pub window_scale: Option<u8>,
    /// SACK permitted.
    pub sack_permitted: bool,
    /// Timestamp value and echo reply.
    pub timestamps: Option<(u32, u32)>,
}
