//! permessage-deflate (RFC 7692), one direction.
//!
//! Nothing but the text that later messages may refer to is kept of a direction: a message ends where a block does, so the
//! decoder's state is the same for all.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// What a message's compressed form leaves out at its end (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];
/// How far back a message may refer (RFC 1951 section 2).
const WINDOW: usize = 32 * 1024;
/// Room for so much of it is made at first.
const FIRST: usize = 1024;

/// What decodes the messages of all directions.
#[derive(Default)]
pub struct Decoder(Box<DecompressorOxide>);

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

/// One direction's context.
#[derive(Debug)]
pub struct Inflate {
    /// The last text, round and round; its length is a power of two, and all that there was until it is [`WINDOW`].
    ring: Vec<u8>,
    /// Where the next byte goes.
    at: usize,
    keeps_context: bool,
    is_lost: bool,
}

impl Inflate {
    /// `keeps_context`: a message may refer to those before it.
    pub const fn new(keeps_context: bool) -> Self {
        Self {
            ring: Vec::new(),
            at: 0,
            keeps_context,
            is_lost: false,
        }
    }

    /// A message was not captured whole, or the context is to be let go: messages after it may refer to it.
    pub fn lose(&mut self) {
        self.is_lost = self.keeps_context;
        self.forget();
    }

    /// Bytes of text that are kept.
    pub const fn context_bytes(&self) -> usize {
        self.ring.len()
    }

    fn forget(&mut self) {
        self.ring = Vec::new();
        self.at = 0;
    }

    /// Inflates a whole message into `out`, up to `limit` bytes; `false` if that is not all of it.
    pub fn message(
        &mut self,
        decoder: &mut Decoder,
        compressed: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> bool {
        out.clear();
        if self.is_lost {
            return false;
        }
        decoder.0.init();
        for part in [compressed, &TAIL] {
            if !self.part(&mut decoder.0, part, out, limit) {
                self.lose();
                return false;
            }
        }
        if !self.keeps_context {
            self.forget();
        }
        true
    }

    fn part(
        &mut self,
        decoder: &mut DecompressorOxide,
        mut part: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> bool {
        loop {
            if self.at == self.ring.len() {
                if self.ring.len() < WINDOW {
                    self.ring.resize((self.ring.len() * 2).max(FIRST), 0);
                } else {
                    self.at = 0;
                }
            }
            let (status, used, written) =
                decompress(decoder, part, &mut self.ring, self.at, TINFL_FLAG_HAS_MORE_INPUT);
            part = part.get(used..).unwrap_or_default();
            let text = self.ring.get(self.at..self.at + written).unwrap_or_default();
            if out.len() + text.len() > limit {
                return false;
            }
            out.extend_from_slice(text);
            self.at += written;
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput => return part.is_empty(),
                // A stream that ends is followed by the next one (RFC 7692 section 7.2.3.4).
                TINFLStatus::Done if part.is_empty() => {
                    decoder.init();
                    return true;
                }
                TINFLStatus::Done if used > 0 => decoder.init(),
                _ => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compress, Compression, FlushCompress};
    use proptest::prelude::*;

    /// As servers compress one message after the other.
    fn compressed(compress: &mut Compress, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() * 2 + 64);
        compress
            .compress_vec(text, &mut out, FlushCompress::Sync)
            .unwrap();
        assert_eq!(out.split_off(out.len() - 4), TAIL);
        out
    }

    proptest! {
        #[test]
        fn messages_come_out_as_they_went_in(
            texts in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..300), 1_usize..300), 1..12),
            keeps_context: bool,
        ) {
            let mut compress = Compress::new(Compression::default(), false);
            let mut inflate = Inflate::new(keeps_context);
            let (mut decoder, mut out) = (Decoder::default(), Vec::new());
            for (text, times) in texts {
                let text = text.repeat(times);
                if !keeps_context {
                    compress.reset();
                }
                let message = compressed(&mut compress, &text);
                prop_assert!(inflate.message(&mut decoder, &message, &mut out, 1 << 20));
                prop_assert_eq!(&out, &text);
                prop_assert!(inflate.context_bytes() <= WINDOW);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 1..4)) {
            let mut inflate = Inflate::new(true);
            let (mut decoder, mut out) = (Decoder::default(), Vec::new());
            for message in messages {
                inflate.message(&mut decoder, &message, &mut out, 1000);
                prop_assert!(out.len() <= 1000);
            }
        }
    }

    #[test]
    fn little_text_keeps_little_and_none_without_a_context() {
        let (mut decoder, mut out) = (Decoder::default(), Vec::new());
        for (keeps_context, kept) in [(true, FIRST), (false, 0)] {
            let mut inflate = Inflate::new(keeps_context);
            let message = compressed(&mut Compress::new(Compression::default(), false), b"tick");
            assert!(inflate.message(&mut decoder, &message, &mut out, 100));
            assert_eq!((out.as_slice(), inflate.context_bytes()), (&b"tick"[..], kept));
        }
    }

    #[test]
    fn a_message_of_streams_that_end_is_read_whole() {
        let mut compress = Compress::new(Compression::default(), false);
        let mut message = Vec::with_capacity(100);
        compress
            .compress_vec(b"the end", &mut message, FlushCompress::Finish)
            .unwrap();
        // As the RFC's example: an empty block behind the last one, without the tail.
        message.push(0);
        let (mut decoder, mut out) = (Decoder::default(), Vec::new());
        let mut inflate = Inflate::new(true);
        for _ in 0..2 {
            assert!(inflate.message(&mut decoder, &message, &mut out, 100));
            assert_eq!(out, b"the end");
        }
    }

    #[test]
    fn what_is_too_long_or_broken_loses_what_refers_to_it() {
        let mut compress = Compress::new(Compression::default(), false);
        let (long, short) = (
            compressed(&mut compress, &[7; 5000]),
            compressed(&mut compress, b"x"),
        );
        let (mut decoder, mut out) = (Decoder::default(), Vec::new());
        for keeps_context in [true, false] {
            let mut inflate = Inflate::new(keeps_context);
            assert!(!inflate.message(&mut decoder, &long, &mut out, 4999));
            assert_eq!(
                inflate.message(&mut decoder, &short, &mut out, 4999),
                !keeps_context
            );
            assert_eq!(inflate.context_bytes(), 0);
        }
    }
}
