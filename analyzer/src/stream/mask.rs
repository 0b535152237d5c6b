//! Masks of what clients send (RFC 6455 section 5.3).

/// Which byte of a mask is next after so many.
pub(super) fn mask_at(at: u8, bytes: usize) -> u8 {
    at.wrapping_add((bytes % 4).to_le_bytes()[0]) % 4
}

/// Takes the mask off bytes that begin at its byte `at`.
pub(super) fn unmask(bytes: &mut [u8], mut mask: [u8; 4], at: u8) {
    mask.rotate_left(usize::from(at % 4));
    // Four times over.
    let wide = u128::from(u32::from_ne_bytes(mask)) * 0x0000_0001_0000_0001_0000_0001_0000_0001;
    let (chunks, rest) = bytes.as_chunks_mut::<16>();
    for chunk in chunks {
        *chunk = (u128::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_goes_on_where_it_was() {
        let mask = [1, 2, 4, 8];
        for at in 0..4 {
            for length in 0..50 {
                let mut bytes = vec![0x50; length];
                unmask(&mut bytes, mask, at);
                let expected: Vec<u8> = (0..length)
                    .map(|i| 0x50 ^ mask[(i + usize::from(at)) % 4])
                    .collect();
                assert_eq!(bytes, expected, "{at} {length}");
            }
            assert_eq!(mask_at(at, 1_000_003), (at + 3) % 4);
        }
    }
}
