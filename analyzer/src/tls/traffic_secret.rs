//! The secrets of TLS 1.3 that a key log holds.

use super::prf::tls13_expand;
use super::suite::SuiteHash;
use std::fmt;

/// Which keys of TLS 1.3 a secret makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Epoch {
    Handshake,
    Application,
}

/// A traffic secret of TLS 1.3: 32 or 48 bytes, by the suite's hash. Debug shows its length only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct TrafficSecret {
    bytes: [u8; 48],
    hash: SuiteHash,
}

impl TrafficSecret {
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let hash = [SuiteHash::Sha256, SuiteHash::Sha384]
            .into_iter()
            .find(|hash| hash.len() == bytes.len())?;
        let mut secret = Self { bytes: [0; 48], hash };
        secret.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(secret)
    }

    /// The secret's bytes, for deriving keys.
    pub(super) fn expose(&self) -> &[u8] {
        self.bytes.get(..self.hash.len()).unwrap_or_default()
    }

    /// The secret after a KeyUpdate (RFC 8446 7.2).
    pub(super) fn updated(&self) -> Self {
        let mut next = Self {
            bytes: [0; 48],
            hash: self.hash,
        };
        if let Some(bytes) = next.bytes.get_mut(..self.hash.len()) {
            tls13_expand(self.hash, self.expose(), b"traffic upd", bytes);
        }
        next
    }

    /// Whether its length is that of the suite's hash.
    pub(super) fn fits(&self, hash: SuiteHash) -> bool {
        self.hash == hash
    }
}

impl fmt::Debug for TrafficSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrafficSecret({} bytes)", self.hash.len())
    }
}
