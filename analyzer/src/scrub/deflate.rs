//! Blanking a compressed message (RFC 7692) without changing its length: the text is inflated, blanked, deflated again, and
//! filled up with empty blocks (RFC 1951, 3.2.3).

use super::json::Json;
use crate::stream::inflate::{Decoder, Inflate};
use flate2::{Compress, Compression, FlushCompress};

/// A message that inflates to more is blanked whole.
const MAX_TEXT_BYTES: usize = 16 << 20;
/// What a message's compressed form leaves out at its end (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];
/// Empty blocks that end as [`TAIL`] does, by their length: none, one, two or three empty fixed blocks before a stored one.
const FILLERS: [&[u8]; 4] = [
    &[0x00, 0x00, 0x00, 0xFF, 0xFF],
    &[0x02, 0x00, 0x00, 0x00, 0xFF, 0xFF],
    &[0x02, 0x08, 0x00, 0x00, 0x00, 0xFF, 0xFF],
    &[0x02, 0x08, 0x20, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF],
];

/// The compressed form of the same length that inflates to the blanked text; `false`: it inflates to nothing, or (in four
/// bytes, where no secret has room) is as it was. `inflate` is the direction's own and follows all its messages.
pub(super) fn blank(compressed: &[u8], inflate: &mut Inflate, texts: &mut u64) -> (Vec<u8>, bool) {
    let mut text = Vec::new();
    if inflate.message(&mut Decoder::default(), compressed, &mut text, MAX_TEXT_BYTES) {
        let mut json = Json::default();
        for byte in &mut text {
            *byte = json.step(*byte);
        }
        // The levels differ by a few bytes: one of them leaves room that can be filled.
        for level in (0..=9).rev() {
            if let Some(fitting) = fit(deflated(&text, level), compressed.len()) {
                *texts += json.blanked;
                return (fitting, true);
            }
        }
    }
    let empty = filled(TAIL.to_vec(), compressed.len());
    (empty.unwrap_or_else(|| compressed.to_vec()), false)
}

/// `bytes` in one go, without its end.
fn deflated(text: &[u8], level: u32) -> Vec<u8> {
    let mut compress = Compress::new(Compression::new(level), false);
    // Stored blocks cost 5 bytes in 64 KiB; anything else is smaller.
    let mut out = Vec::with_capacity(text.len() + text.len() / 1000 + 64);
    let ended = compress.compress_vec(text, &mut out, FlushCompress::Sync);
    if ended.is_err() || !out.ends_with(&TAIL) {
        return Vec::new();
    }
    out
}

/// Fills a stream that ends in [`TAIL`] up to `length` bytes without it.
fn fit(stream: Vec<u8>, length: usize) -> Option<Vec<u8>> {
    if stream.len() > length + TAIL.len() || !stream.ends_with(&TAIL) {
        return None;
    }
    filled(stream, length)
}

fn filled(mut stream: Vec<u8>, length: usize) -> Option<Vec<u8>> {
    // A bare tail is the end of nothing: the first filler brings its own.
    if stream == TAIL {
        stream.clear();
    }
    let mut missing = (length + TAIL.len()).checked_sub(stream.len())?;
    while missing > 0 {
        let filler = match missing {
            0..=4 | 8 => return None,
            5 | 10 | 15.. => FILLERS[0],
            6 | 11 => FILLERS[1],
            7 | 12..=14 => FILLERS[2],
            9 => FILLERS[3],
        };
        stream.extend_from_slice(filler);
        missing -= filler.len();
    }
    stream.truncate(length);
    Some(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compressed(compress: &mut Compress, text: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() + 64);
        compress
            .compress_vec(text.as_bytes(), &mut out, FlushCompress::Sync)
            .unwrap();
        out.truncate(out.len() - 4);
        out
    }

    #[test]
    fn every_length_but_four_can_be_filled() {
        for length in (1..200).filter(|length| *length != 4) {
            let stream = filled(TAIL.to_vec(), length).unwrap();
            assert_eq!(stream.len(), length);
            let mut text = Vec::new();
            assert!(
                Inflate::new(true).message(&mut Decoder::default(), &stream, &mut text, 1 << 20)
                    && text.is_empty(),
                "{length}"
            );
        }
        assert_eq!(filled(TAIL.to_vec(), 4), None);
    }

    proptest! {
        #[test]
        fn a_message_keeps_its_length_and_its_structure_and_loses_its_texts(
            secrets in prop::collection::vec("[A-Z]{4,40}", 1..6), noise in "[a-z0-9]{0,200}",
        ) {
            // One context for all messages, as servers keep it.
            let mut compress = Compress::new(Compression::default(), false);
            let mut theirs = Inflate::new(true);
            let mut ours = Inflate::new(true);
            for secret in secrets {
                let text = serde_json::json!({"type": "event", "payload": {"token": secret, "text": noise}}).to_string();
                let before = compressed(&mut compress, &text);
                let (after, is_blanked) = blank(&before, &mut theirs, &mut 0);
                prop_assert_eq!(after.len(), before.len());
                let mut read = Vec::new();
                prop_assert!(ours.message(&mut Decoder::default(), &after, &mut read, 1 << 20));
                let read = String::from_utf8(read).unwrap();
                prop_assert!(!read.contains(&secret));
                if is_blanked {
                    prop_assert_eq!(read.len(), text.len());
                    let keeps_its_words = read.contains(r#""type":"event""#);
                    prop_assert!(keeps_its_words);
                }
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let (after, _) = blank(&bytes, &mut Inflate::new(true), &mut 0);
            prop_assert_eq!(after.len(), bytes.len());
        }
    }
}
