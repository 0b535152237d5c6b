//! Reading a histogram that somebody else wrote.
//!
//! The bytes may come from a file or a socket, so they are checked before the HDR library sees them: its decoder
//! trusts the length field, the bounds and the sums.

use super::recorded::{DIGITS, HIGHEST_US, Histogram};
use hdrhistogram::serialization::Deserializer;
use thiserror::Error;

/// No histogram of ours is longer than this in base64: 24 000 counts of at most nine bytes.
pub(super) const LONGEST_TEXT: usize = 300_000;

const COOKIE: u32 = 0x1c84_9313;
const HEADER_BYTES: usize = 40;

/// More values than a run can record; keeps sums over many histograms far from overflow.
const MOST_VALUES: u64 = 1 << 48;

/// A text that is no histogram of ours.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HistogramError {
    /// Longer than any histogram can be.
    #[error("a histogram of {length} characters is longer than any that the tools write ({LONGEST_TEXT})")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// Not base64.
    #[error("a histogram is not valid base64; was the file cut or edited?")]
    NotBase64,
    /// Not the V2 encoding, or cut.
    #[error("a histogram is not an HdrHistogram of encoding V2; was the file cut or edited?")]
    NotHdr,
    /// Another range or resolution: adding it up would not be exact.
    #[error("a histogram has other bounds than 1 µs to 1 h with 3 digits, so it cannot be merged exactly")]
    OtherBounds,
    /// Counts that cannot be.
    #[error("a histogram holds counts outside its range or impossibly many values")]
    BadCounts,
}

/// Reads the HdrHistogram V2 encoding.
pub(super) fn from_v2(bytes: &[u8]) -> Result<Histogram, HistogramError> {
    let word = |at: usize| -> Option<u32> {
        let four = bytes.get(at..at + 4)?;
        Some(u32::from_be_bytes(four.try_into().ok()?))
    };
    let long = |at: usize| -> Option<u64> {
        let eight = bytes.get(at..at + 8)?;
        Some(u64::from_be_bytes(eight.try_into().ok()?))
    };
    let payload = bytes.get(HEADER_BYTES..).ok_or(HistogramError::NotHdr)?;
    if word(0) != Some(COOKIE) || word(4).map(u64::from) != Some(payload.len() as u64) {
        return Err(HistogramError::NotHdr);
    }
    let plain = word(8) == Some(0) && long(32) == Some(1.0_f64.to_bits());
    if !plain || word(12) != Some(DIGITS.into()) || long(16) != Some(1) || long(24) != Some(HIGHEST_US) {
        return Err(HistogramError::OtherBounds);
    }
    check_counts(payload, Histogram::new().0.distinct_values() as u64)?;
    Deserializer::new()
        .deserialize(&mut &bytes[..])
        .map(Histogram)
        .map_err(|_| HistogramError::NotHdr)
}

/// Walks the counts (ZigZag LEB128-64b9B; a negative number skips that many zeros) without storing them.
fn check_counts(mut payload: &[u8], slots: u64) -> Result<(), HistogramError> {
    let mut slot = 0_u64;
    let mut values = 0_u64;
    while !payload.is_empty() {
        let (zigzag, used) = varint(payload).ok_or(HistogramError::NotHdr)?;
        payload = &payload[used..];
        let number = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
        if number < 0 {
            slot = slot.saturating_add(number.unsigned_abs());
        } else {
            slot = slot.saturating_add(1);
            values = values.saturating_add(number.cast_unsigned());
        }
        if slot > slots || values > MOST_VALUES {
            return Err(HistogramError::BadCounts);
        }
    }
    Ok(())
}

/// One LEB128-64b9B number: seven bits a byte, all eight of the ninth.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (i, &byte) in bytes.iter().take(9).enumerate() {
        if i == 8 {
            return Some((value | u64::from(byte) << 56, 9));
        }
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, i + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    fn sample() -> Vec<u8> {
        let mut histogram = Histogram::new();
        for us in [1, 5, 900, 70_000, 3_600_000_000] {
            histogram.record_us(us);
        }
        STANDARD.decode(histogram.to_base64()).unwrap()
    }

    fn with(change: impl FnOnce(&mut Vec<u8>)) -> Result<Histogram, HistogramError> {
        let mut bytes = sample();
        change(&mut bytes);
        from_v2(&bytes)
    }

    fn with_payload(payload: &[u8]) -> Result<Histogram, HistogramError> {
        with(|bytes| {
            bytes.truncate(HEADER_BYTES);
            bytes.extend_from_slice(payload);
            bytes[4..8].copy_from_slice(&u32::try_from(payload.len()).unwrap().to_be_bytes());
        })
    }

    #[test]
    fn a_length_field_that_lies_is_refused() {
        let lie = with(|bytes| bytes[4..8].copy_from_slice(&u32::MAX.to_be_bytes()));
        assert_eq!(lie.unwrap_err(), HistogramError::NotHdr);
    }

    #[test]
    fn other_bounds_are_refused() {
        assert_eq!(
            with(|bytes| bytes[15] = 5).unwrap_err(),
            HistogramError::OtherBounds
        );
        let wide = with(|bytes| bytes[24..32].copy_from_slice(&u64::MAX.to_be_bytes()));
        assert_eq!(wide.unwrap_err(), HistogramError::OtherBounds);
    }

    #[test]
    fn impossible_counts_are_refused() {
        // i64::MIN zeros to skip, a count of i64::MAX, and more zeros than there are slots.
        for payload in [
            &[0xff; 9][..],
            &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0xff, 0xff, 0xff, 0x01, 2],
        ] {
            assert_eq!(with_payload(payload).unwrap_err(), HistogramError::BadCounts);
        }
        assert_eq!(with_payload(&[0x80]).unwrap_err(), HistogramError::NotHdr);
    }

    #[test]
    fn texts_that_are_no_histograms_are_refused_with_words() {
        for (text, error) in [
            ("", HistogramError::NotHdr),
            ("!", HistogramError::NotBase64),
            ("HISTFAAAAA==", HistogramError::NotHdr),
        ] {
            assert_eq!(Histogram::from_base64(text).unwrap_err(), error, "{text}");
        }
        let long = "A".repeat(LONGEST_TEXT + 1);
        assert!(matches!(
            Histogram::from_base64(&long),
            Err(HistogramError::TooLong { .. })
        ));
    }

    proptest! {
        #[test]
        fn changed_bytes_are_refused_or_read_but_never_panic(
            at in 0_usize..80, value in any::<u8>(), cut in 0_usize..90,
        ) {
            let mut bytes = sample();
            if let Some(byte) = bytes.get_mut(at) { *byte = value; }
            bytes.truncate(cut.max(1));
            if let Ok(mut histogram) = from_v2(&bytes) {
                let other = histogram.clone();
                histogram.merge(&other);
                prop_assert!(histogram.summary().count >= other.summary().count);
            }
        }

        #[test]
        fn any_payload_is_refused_or_read_but_never_panics(payload in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(histogram) = with_payload(&payload) {
                prop_assert!(histogram.count() <= MOST_VALUES);
                let summary = histogram.summary();
                prop_assert!(summary.p50 <= summary.max);
            }
        }
    }
}
