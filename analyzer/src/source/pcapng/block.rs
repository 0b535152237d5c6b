//! What all pcapng blocks have in common, and the obsolete packet block that the parser does not know.

use super::Packet;

/// Type of a section header, the same in both byte orders.
const SECTION: u32 = 0x0a0d_0d0a;

/// Bytes of options that are believed of one packet.
const PACKET_OPTIONS_MAX: u64 = 128 << 10;

/// Byte order of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// From the byte-order mark of a section header.
    pub(super) fn of_section(block: &[u8]) -> Option<Self> {
        match block.get(8..12)? {
            [0x4d, 0x3c, 0x2b, 0x1a] => Some(Self::Little),
            [0x1a, 0x2b, 0x3c, 0x4d] => Some(Self::Big),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn u32_at(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk::<4>()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        })
    }

    pub(super) fn u16_at(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = *bytes.get(at..)?.first_chunk::<2>()?;
        Some(match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        })
    }

    /// The value of an eight-byte option.
    pub(super) fn u64_of(self, bytes: &[u8]) -> Option<u64> {
        let bytes = *bytes.first_chunk::<8>()?;
        Some(match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        })
    }
}

/// Kinds of blocks (pcapng section 11.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Section,
    Interface,
    OldPacket,
    SimplePacket,
    EnhancedPacket,
    Statistics,
    Secrets,
    /// Names, journals, processes and custom blocks: real, but nothing in them is used.
    Unused,
    Unknown,
}

impl Kind {
    #[inline]
    fn of(number: u32) -> Self {
        match number {
            6 => Self::EnhancedPacket,
            SECTION => Self::Section,
            1 => Self::Interface,
            2 => Self::OldPacket,
            3 => Self::SimplePacket,
            5 => Self::Statistics,
            0x0a => Self::Secrets,
            4 | 7..=9 | 0x8000_0001 | 0x0bad | 0x4000_0bad => Self::Unused,
            _ => Self::Unknown,
        }
    }

    pub(super) fn is_known(self) -> bool {
        self != Self::Unknown
    }

    pub(super) fn is_packet(self) -> bool {
        matches!(self, Self::OldPacket | Self::SimplePacket | Self::EnhancedPacket)
    }
}

/// Type and length of a block, and for a section header the byte order that it announces.
pub(super) struct BlockHeader {
    pub(super) kind: Kind,
    pub(super) length: u32,
    pub(super) order: Option<Order>,
}

impl BlockHeader {
    /// `bytes` begin with a block; twelve of them are needed.
    #[inline]
    pub(super) fn read(bytes: &[u8], order: Order) -> Option<Self> {
        if bytes.len() < 12 {
            return None;
        }
        let kind = Kind::of(order.u32_at(bytes, 0)?);
        let announced = if kind == Kind::Section {
            Order::of_section(bytes)
        } else {
            None
        };
        let length = announced.unwrap_or(order).u32_at(bytes, 4)?;
        Some(Self {
            kind,
            length,
            order: announced,
        })
    }

    /// Whether a block of this kind can have this length.
    #[inline]
    pub(super) fn is_possible(&self) -> bool {
        let least = match self.kind {
            Kind::EnhancedPacket | Kind::OldPacket => 32,
            Kind::Section => 28,
            Kind::Statistics => 24,
            Kind::Interface | Kind::Secrets => 20,
            Kind::SimplePacket => 16,
            Kind::Unused | Kind::Unknown => 12,
        };
        self.length >= least
            && self.length.is_multiple_of(4)
            && (self.kind != Kind::Section || self.order.is_some())
    }
}

/// Whether a packet block's length has little to do with its packet's. `bytes` are its first 28.
#[cold]
pub(super) fn has_doubtful_length(bytes: &[u8], order: Order) -> bool {
    let (Some(length), Some(captured)) = (order.u32_at(bytes, 4), order.u32_at(bytes, 20)) else {
        return true;
    };
    let packet = u64::from(captured).next_multiple_of(4) + 32;
    !(packet..=packet + PACKET_OPTIONS_MAX).contains(&u64::from(length))
}

/// Whether the length at the end is the length at the start.
pub(super) fn ends_agree(whole: &[u8]) -> bool {
    whole.len() >= 12 && whole.get(4..8) == whole.get(whole.len() - 4..)
}

/// The packet block of old (type 2), which some tools still write.
pub(super) fn old_packet(whole: &[u8], order: Order) -> Result<Packet, &'static str> {
    let broken = "a broken packet block of the old kind";
    if !ends_agree(whole) {
        return Err(broken);
    }
    let word = |at| order.u32_at(whole, at).ok_or(broken);
    let captured = word(20)? as usize;
    if captured > whole.len().saturating_sub(32) {
        return Err(broken);
    }
    Ok(Packet {
        interface: u32::from(order.u16_at(whole, 8).ok_or(broken)?),
        ticks: Some(u64::from(word(12)?) << 32 | u64::from(word(16)?)),
        original_len: word(24)?,
        data: 28..28 + captured,
    })
}
