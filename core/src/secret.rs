//! Text that must never be shown.

use sha2::{Digest, Sha256};
use std::fmt;

/// A token, password, private key or setup code.
///
/// `Debug` and `Display` print `sha256:` and eight hex digits, and there is no `Serialize`: the only way to the text is
/// [`Secret::expose`], to be called where the text goes onto the wire and nowhere else.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the wire.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `sha256:` and the first eight hex digits of the text's SHA-256: enough to tell two secrets apart.
    pub fn fingerprint(&self) -> String {
        format!("sha256:{}", sha256_hex8(self.0.as_bytes()))
    }
}

/// The first eight hex digits of the SHA-256 of `bytes` (also CLW's `token_id`).
pub fn sha256_hex8(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..4])
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| {
            [
                DIGITS[usize::from(b >> 4)] as char,
                DIGITS[usize::from(b & 15)] as char,
            ]
        })
        .collect()
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fingerprint())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        let secret = Secret::new("test-token");
        let shown = format!("{secret} {secret:?}");
        assert!(!shown.contains("test-token"));
        assert!(shown.starts_with("sha256:"));
        assert_eq!(secret.fingerprint().len(), "sha256:".len() + 8);
    }
}
