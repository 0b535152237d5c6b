//! Writing frames.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tungstenite::protocol::frame::{FrameHeader, coding::OpCode};

/// A header is at most 14 bytes: 2, then up to 8 of length, then 4 of mask.
const MAX_HEADER_BYTES: usize = 14;

/// The masks of a client's frames (RFC 6455 section 5.3), from a seed.
#[derive(Clone, Debug)]
pub struct Masks(ChaCha8Rng);

impl Masks {
    /// Masks that are the same for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// The next mask.
    pub fn next_mask(&mut self) -> [u8; 4] {
        self.0.random()
    }
}

/// Appends one final frame to `out`. `payload` writes the payload itself, so that JSON needs no buffer of its own.
pub fn write_frame(
    out: &mut Vec<u8>,
    opcode: OpCode,
    mask: Option<[u8; 4]>,
    payload: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    let body = start + MAX_HEADER_BYTES;
    out.resize(body, 0);
    payload(out);
    let length = out.len() - body;
    let header = FrameHeader {
        is_final: true,
        opcode,
        mask,
        ..FrameHeader::default()
    };
    let mut head = std::io::Cursor::new([0u8; MAX_HEADER_BYTES]);
    // Writing 14 bytes at most into an array of 14 cannot fail.
    let _ = header.format(length as u64, &mut head);
    let head_bytes = usize::try_from(head.position()).unwrap_or(MAX_HEADER_BYTES);
    out[start..start + head_bytes].copy_from_slice(&head.get_ref()[..head_bytes]);
    if let Some(mask) = mask {
        apply_mask(&mut out[body..], mask);
    }
    if head_bytes < MAX_HEADER_BYTES {
        out.copy_within(body.., start + head_bytes);
        out.truncate(start + head_bytes + length);
    }
}

/// Masks or unmasks in place (the operation is its own inverse).
pub(crate) fn apply_mask(bytes: &mut [u8], mask: [u8; 4]) {
    let mut chunks = bytes.chunks_exact_mut(4);
    for chunk in &mut chunks {
        for (byte, key) in chunk.iter_mut().zip(mask) {
            *byte ^= key;
        }
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(mask) {
        *byte ^= key;
    }
}
