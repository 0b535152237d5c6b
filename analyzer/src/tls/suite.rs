//! Cipher suites: their names, and which of them can be decrypted.

use super::aead::Bulk;
use ring::hkdf::{self, HKDF_SHA256, HKDF_SHA384};
use ring::hmac::{self, HMAC_SHA256, HMAC_SHA384};
use std::fmt;

/// A cipher suite by its number in the IANA registry.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CipherSuite(pub u16);

/// The hash of a suite: of the PRF in TLS 1.2, of HKDF in TLS 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SuiteHash {
    Sha256,
    Sha384,
}

impl SuiteHash {
    pub(super) fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => HMAC_SHA256,
            Self::Sha384 => HMAC_SHA384,
        }
    }

    pub(super) fn hkdf(self) -> hkdf::Algorithm {
        match self {
            Self::Sha256 => HKDF_SHA256,
            Self::Sha384 => HKDF_SHA384,
        }
    }

    /// Length of its output, and so of a TLS 1.3 traffic secret, in bytes.
    pub(super) const fn len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

impl CipherSuite {
    /// The name in the IANA registry "TLS Cipher Suites", without `TLS_`; `None` for a suite that nobody should meet.
    pub fn name(self) -> Option<&'static str> {
        let at = SUITES.binary_search_by_key(&self.0, |(number, _)| *number).ok()?;
        SUITES.get(at).map(|(_, name)| *name)
    }

    /// Whether it belongs to TLS 1.3, where a suite says nothing of the key exchange.
    pub const fn is_tls13(self) -> bool {
        self.0 >> 8 == 0x13
    }

    /// Cipher and hash, if its records can be decrypted here: AES-GCM and ChaCha20-Poly1305, not CBC, CCM or RC4.
    pub(super) fn protection(self) -> Option<(Bulk, SuiteHash)> {
        let name = self.name()?;
        if name.ends_with("AES_128_GCM_SHA256") {
            Some((Bulk::Aes128Gcm, SuiteHash::Sha256))
        } else if name.ends_with("AES_256_GCM_SHA384") {
            Some((Bulk::Aes256Gcm, SuiteHash::Sha384))
        } else if name.ends_with("CHACHA20_POLY1305_SHA256") {
            Some((Bulk::ChaCha20Poly1305, SuiteHash::Sha256))
        } else {
            None
        }
    }
}

impl fmt::Display for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "TLS_{name}"),
            None => write!(f, "cipher suite {:#06x}", self.0),
        }
    }
}

impl fmt::Debug for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// In the order of their numbers.
const SUITES: &[(u16, &str)] = &[
    (0x0004, "RSA_WITH_RC4_128_MD5"),
    (0x0005, "RSA_WITH_RC4_128_SHA"),
    (0x000A, "RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x0016, "DHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x002F, "RSA_WITH_AES_128_CBC_SHA"),
    (0x0033, "DHE_RSA_WITH_AES_128_CBC_SHA"),
    (0x0035, "RSA_WITH_AES_256_CBC_SHA"),
    (0x0039, "DHE_RSA_WITH_AES_256_CBC_SHA"),
    (0x003C, "RSA_WITH_AES_128_CBC_SHA256"),
    (0x003D, "RSA_WITH_AES_256_CBC_SHA256"),
    (0x0067, "DHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0x006B, "DHE_RSA_WITH_AES_256_CBC_SHA256"),
    (0x008C, "PSK_WITH_AES_128_CBC_SHA"),
    (0x008D, "PSK_WITH_AES_256_CBC_SHA"),
    (0x009C, "RSA_WITH_AES_128_GCM_SHA256"),
    (0x009D, "RSA_WITH_AES_256_GCM_SHA384"),
    (0x009E, "DHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0x009F, "DHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0x00A8, "PSK_WITH_AES_128_GCM_SHA256"),
    (0x00A9, "PSK_WITH_AES_256_GCM_SHA384"),
    (0x00AA, "DHE_PSK_WITH_AES_128_GCM_SHA256"),
    (0x00AB, "DHE_PSK_WITH_AES_256_GCM_SHA384"),
    (0x1301, "AES_128_GCM_SHA256"),
    (0x1302, "AES_256_GCM_SHA384"),
    (0x1303, "CHACHA20_POLY1305_SHA256"),
    (0x1304, "AES_128_CCM_SHA256"),
    (0x1305, "AES_128_CCM_8_SHA256"),
    (0xC007, "ECDHE_ECDSA_WITH_RC4_128_SHA"),
    (0xC009, "ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
    (0xC00A, "ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
    (0xC011, "ECDHE_RSA_WITH_RC4_128_SHA"),
    (0xC012, "ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0xC013, "ECDHE_RSA_WITH_AES_128_CBC_SHA"),
    (0xC014, "ECDHE_RSA_WITH_AES_256_CBC_SHA"),
    (0xC023, "ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"),
    (0xC024, "ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"),
    (0xC027, "ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0xC028, "ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
    (0xC02B, "ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    (0xC02C, "ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    (0xC02D, "ECDH_ECDSA_WITH_AES_128_GCM_SHA256"),
    (0xC02E, "ECDH_ECDSA_WITH_AES_256_GCM_SHA384"),
    (0xC02F, "ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0xC030, "ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0xC031, "ECDH_RSA_WITH_AES_128_GCM_SHA256"),
    (0xC032, "ECDH_RSA_WITH_AES_256_GCM_SHA384"),
    (0xC09C, "RSA_WITH_AES_128_CCM"),
    (0xC09D, "RSA_WITH_AES_256_CCM"),
    (0xC0AC, "ECDHE_ECDSA_WITH_AES_128_CCM"),
    (0xC0AD, "ECDHE_ECDSA_WITH_AES_256_CCM"),
    (0xC0AE, "ECDHE_ECDSA_WITH_AES_128_CCM_8"),
    (0xC0AF, "ECDHE_ECDSA_WITH_AES_256_CCM_8"),
    (0xCCA8, "ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0xCCA9, "ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0xCCAA, "DHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0xCCAB, "PSK_WITH_CHACHA20_POLY1305_SHA256"),
    (0xCCAC, "ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256"),
    (0xCCAD, "DHE_PSK_WITH_CHACHA20_POLY1305_SHA256"),
    (0xD001, "ECDHE_PSK_WITH_AES_128_GCM_SHA256"),
    (0xD002, "ECDHE_PSK_WITH_AES_256_GCM_SHA384"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_agrees_with_rustls() {
        assert!(SUITES.is_sorted_by(|(a, _), (b, _)| a < b));
        for (number, name) in SUITES {
            let theirs = format!("{:?}", rustls::CipherSuite::from(*number));
            if theirs.contains("(0x") {
                continue;
            }
            let theirs = theirs
                .strip_prefix("TLS13_")
                .or_else(|| theirs.strip_prefix("TLS_"));
            assert_eq!(theirs, Some(*name), "{number:#06x}");
        }
    }

    #[test]
    fn aead_suites_can_be_decrypted_and_cbc_and_ccm_cannot() {
        let protection = |number| CipherSuite(number).protection();
        assert_eq!(protection(0xC02F), Some((Bulk::Aes128Gcm, SuiteHash::Sha256)));
        assert_eq!(protection(0x1302), Some((Bulk::Aes256Gcm, SuiteHash::Sha384)));
        assert_eq!(
            protection(0xCCA9),
            Some((Bulk::ChaCha20Poly1305, SuiteHash::Sha256))
        );
        assert_eq!(protection(0xC027), None);
        assert_eq!(protection(0x1304), None);
        assert_eq!(protection(0x5A5A), None);
    }
}
