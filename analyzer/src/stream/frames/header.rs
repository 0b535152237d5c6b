//! Frame headers, and where frames seem to begin.

/// Longest frame that is believed when framing starts in the middle of a stream.
const MAX_GUESSED_BYTES: u64 = 1 << 24;

/// A frame that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) opcode: u8,
    pub(super) is_final: bool,
    pub(super) is_compressed: bool,
    pub(super) mask: Option<[u8; 4]>,
    /// Which byte of the mask is next.
    pub(super) mask_at: u8,
    pub(super) left: u64,
}

/// A frame's header.
pub(super) struct Header {
    pub(super) open: Open,
    /// A bit is set that nobody has given a meaning.
    pub(super) is_reserved: bool,
    pub(super) bytes: usize,
}

/// Reads a header; `None` while it is incomplete.
pub(super) fn parse(head: &[u8]) -> Option<Header> {
    let (&first, &second) = (head.first()?, head.get(1)?);
    let (left, mut bytes) = match second & 0x7F {
        126 => (u64::from(u16::from_be_bytes(head.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(head.get(2..10)?.try_into().ok()?), 10),
        short => (u64::from(short), 2),
    };
    let mask = if second & 0x80 == 0 {
        None
    } else {
        bytes += 4;
        Some(head.get(bytes - 4..bytes)?.try_into().ok()?)
    };
    Some(Header {
        open: Open {
            opcode: first & 0x0F,
            is_final: first & 0x80 != 0,
            is_compressed: first & 0x40 != 0,
            mask,
            mask_at: 0,
            left,
        },
        is_reserved: first & 0x30 != 0,
        bytes,
    })
}

/// Whether `bytes` begin with the header of a message that begins, or of a control frame.
pub(super) fn begins_with_a_header(bytes: &[u8], is_client: bool) -> bool {
    parse(bytes).is_some_and(|header| {
        let open = header.open;
        bytes[0] & 0x30 == 0
            && matches!(open.opcode, 1 | 2 | 8..=10)
            && open.mask.is_some() == is_client
            && (open.opcode < 8 || (open.is_final && open.left <= 125))
            && open.left <= MAX_GUESSED_BYTES
    })
}

/// Whether `bytes` look like whole frames from the first byte on, as a packet in the middle of a WebSocket does.
pub fn begins_with_frames(bytes: &[u8], is_client: bool) -> bool {
    walk(bytes, is_client).is_some_and(|(whole, _)| whole > 0)
}

/// How much the last frame lacks, if `bytes` look like frames from the first byte on and end inside one.
pub(super) fn lacks(bytes: &[u8], is_client: bool) -> Option<u64> {
    walk(bytes, is_client).and_then(|(_, lacks)| lacks)
}

/// Frames from the first byte on: how many are whole, and how much the last one lacks, if that is known.
fn walk(bytes: &[u8], is_client: bool) -> Option<(usize, Option<u64>)> {
    let mut rest = bytes;
    let mut whole = 0;
    while !rest.is_empty() {
        let Some(header) = parse(rest) else {
            return Some((whole, None));
        };
        let open = header.open;
        let is_sound = !header.is_reserved
            && matches!(open.opcode, 0..=2 | 8..=10)
            && open.mask.is_some() == is_client
            && (open.opcode < 8 || (open.is_final && open.left <= 125))
            && open.left <= MAX_GUESSED_BYTES;
        if !is_sound {
            return None;
        }
        let length = header.bytes + usize::try_from(open.left).ok()?;
        if length > rest.len() {
            return Some((whole, Some((length - rest.len()) as u64)));
        }
        rest = &rest[length..];
        whole += 1;
    }
    Some((whole, None))
}
