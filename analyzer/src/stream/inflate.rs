//! permessage-deflate (RFC 7692), one direction.

use flate2::{Decompress, FlushDecompress, Status};

/// What a message's compressed form leaves out at its end (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// One direction's decompressor.
#[derive(Debug)]
pub struct Inflate {
    stream: Decompress,
    keeps_context: bool,
    is_lost: bool,
}

impl Inflate {
    /// `keeps_context`: a message may refer to those before it.
    pub fn new(keeps_context: bool) -> Self {
        Self {
            stream: Decompress::new(false),
            keeps_context,
            is_lost: false,
        }
    }

    /// A message was not captured whole: those after it may refer to it.
    pub fn lose(&mut self) {
        self.is_lost = self.keeps_context;
    }

    /// Inflates a whole message into `out`, up to `limit` bytes; `false` if that is not all of it.
    pub fn message(&mut self, compressed: &[u8], out: &mut Vec<u8>, limit: usize) -> bool {
        out.clear();
        if self.is_lost {
            return false;
        }
        if !self.keeps_context {
            self.stream.reset(false);
        }
        for part in [compressed, &TAIL] {
            if !self.part(part, out, limit) {
                self.lose();
                return false;
            }
        }
        true
    }

    fn part(&mut self, mut part: &[u8], out: &mut Vec<u8>, limit: usize) -> bool {
        loop {
            if out.len() == out.capacity() {
                if out.len() >= limit {
                    return false;
                }
                out.reserve(out.len().clamp(1024, limit));
            }
            let before = self.stream.total_in();
            let status = self.stream.decompress_vec(part, out, FlushDecompress::Sync);
            let used = usize::try_from(self.stream.total_in() - before).unwrap_or(usize::MAX);
            part = part.get(used..).unwrap_or_default();
            match status {
                Ok(Status::Ok | Status::BufError) if out.len() == out.capacity() => {}
                Ok(Status::Ok) if !part.is_empty() && used > 0 => {}
                Ok(_) => return part.is_empty(),
                Err(_) => return false,
            }
        }
    }
}
