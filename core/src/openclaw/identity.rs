//! Ed25519 device identities (protocol page, section 4).

use crate::secret::{Secret, hex};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _, VerifyingKey};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use sha2::{Digest as _, Sha256};

/// A device: a key pair and the id that follows from it.
#[derive(Clone)]
pub struct Identity {
    key: SigningKey,
    /// Lower-case hex SHA-256 of the raw public key.
    pub device_id: String,
    /// The raw public key in base64url without padding.
    pub public_key: String,
}

impl Identity {
    /// The identity of a 32-byte private seed.
    pub fn from_seed_bytes(seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let public = key.verifying_key().to_bytes();
        Self {
            key,
            device_id: hex(&Sha256::digest(public)),
            public_key: URL_SAFE_NO_PAD.encode(public),
        }
    }

    /// Identity number `index` of a run: the same seed and index give the same key.
    pub fn derive(seed: u64, index: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        rng.set_stream(index);
        Self::from_seed_bytes(&rng.random())
    }

    /// Signs `text`; the signature in base64url without padding.
    pub fn sign(&self, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.key.sign(text.as_bytes()).to_bytes())
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("device_id", &self.device_id)
            .finish_non_exhaustive()
    }
}

/// What a device signs.
#[derive(Clone, Copy, Debug)]
pub struct SignedFields<'a> {
    /// `device.id`.
    pub device_id: &'a str,
    /// `client.id`.
    pub client_id: &'a str,
    /// `client.mode`.
    pub client_mode: &'a str,
    /// Role as sent, `operator` if left out.
    pub role: &'a str,
    /// Scopes as sent, in that order.
    pub scopes: &'a [String],
    /// `device.signedAt`, milliseconds since 1970.
    pub signed_at_ms: i64,
    /// The first present of `auth.token`, `auth.deviceToken`, `auth.bootstrapToken`.
    pub token: Option<&'a Secret>,
    /// The challenge's nonce.
    pub nonce: &'a str,
    /// `client.platform`.
    pub platform: &'a str,
    /// `client.deviceFamily`, empty if absent.
    pub device_family: &'a str,
}

/// The signed text of version 3.
pub fn signature_text_v3(fields: &SignedFields<'_>) -> String {
    format!(
        "v3|{}|{}|{}",
        common(fields),
        fields.platform.trim().to_ascii_lowercase(),
        fields.device_family.trim().to_ascii_lowercase()
    )
}

/// The signed text of version 2, without platform and device family; still accepted.
pub fn signature_text_v2(fields: &SignedFields<'_>) -> String {
    format!("v2|{}", common(fields))
}

fn common(f: &SignedFields<'_>) -> String {
    format!(
        "{}|{}|{}|{}|{}|{}|{}|{}",
        f.device_id,
        f.client_id,
        f.client_mode,
        f.role,
        f.scopes.join(","),
        f.signed_at_ms,
        f.token.map_or("", Secret::expose),
        f.nonce
    )
}

/// Whether `signature` (base64url) over `text` is by `public_key` (base64url).
pub fn verify(public_key: &str, signature: &str, text: &str) -> bool {
    let Some(key) = decode_public_key(public_key).and_then(|raw| VerifyingKey::from_bytes(&raw).ok()) else {
        return false;
    };
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else {
        return false;
    };
    Signature::from_slice(&signature).is_ok_and(|s| key.verify(text.as_bytes(), &s).is_ok())
}

/// The device id that belongs to `public_key` (base64url); `None` if that is no 32-byte key.
pub fn device_id_of(public_key: &str) -> Option<String> {
    decode_public_key(public_key).map(|raw| hex(&Sha256::digest(raw)))
}

fn decode_public_key(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The protocol page's test vector.
    #[test]
    fn signatures_equal_the_real_gateways() {
        let seed: [u8; 32] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        let identity = Identity::from_seed_bytes(&seed);
        assert_eq!(identity.public_key, "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg");
        assert_eq!(
            identity.device_id,
            "56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b2eab107708c"
        );
        let scopes = ["operator.read".to_owned(), "operator.write".to_owned()];
        let token = Secret::new("test-token");
        let fields = SignedFields {
            device_id: &identity.device_id,
            client_id: "cli",
            client_mode: "cli",
            role: "operator",
            scopes: &scopes,
            signed_at_ms: 1_737_264_000_000,
            token: Some(&token),
            nonce: "76033109-b396-4cd0-a9cf-e5038f97bdb0",
            platform: "Linux",
            device_family: "",
        };
        let v3 = signature_text_v3(&fields);
        let v2 = signature_text_v2(&fields);
        assert_eq!(
            identity.sign(&v3),
            "WWXBfExj1lQnwnXiW46xyZDpjz9URHhuHlytUjVx-HFrVYEFvjPKgM-7h_wvgRZsbRsKC2PstOlNvNkkYudADA"
        );
        assert_eq!(
            identity.sign(&v2),
            "CNEAm7MnUIZjpcT9yG3J69TB5-KxaLPSRpNX6hrn0YHJFrGeF5Hhnue__zvq1ZxMQ8ks3v_d2nIOBnBriU7ZAA"
        );
        assert!(verify(&identity.public_key, &identity.sign(&v3), &v3));
        assert!(!verify(&identity.public_key, &identity.sign(&v3), &v2));
        assert_eq!(
            device_id_of(&identity.public_key).as_deref(),
            Some(identity.device_id.as_str())
        );
    }

    #[test]
    fn identities_repeat_and_differ() {
        assert_eq!(Identity::derive(7, 3).device_id, Identity::derive(7, 3).device_id);
        assert_ne!(Identity::derive(7, 3).device_id, Identity::derive(7, 4).device_id);
        assert_ne!(Identity::derive(7, 3).device_id, Identity::derive(8, 3).device_id);
    }

    #[test]
    fn hostile_keys_are_refused() {
        for key in ["", "AAAA", "!!!!", "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="] {
            assert!(!verify(key, "AAAA", "text"));
        }
    }
}
