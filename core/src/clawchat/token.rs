//! Access and refresh tokens (protocol page, Token and refresh): a JWT that clients read and never verify, and 64 hex digits.

use crate::secret::{Secret, hex};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::time::Duration;

/// A token longer than this is not looked into.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// What a client presents, and what it gets the next pair with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Bearer token of `connect`.
    pub access: Secret,
    /// For the refresh endpoint; without one there is no refresh.
    pub refresh: Option<Secret>,
}

/// What a JWT says, as far as anybody here asks. Nothing of it is verified by reading it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The user.
    #[serde(default)]
    pub sub: String,
    /// The device.
    #[serde(default)]
    pub did: String,
    /// Made then, seconds since 1970.
    #[serde(default)]
    pub iat: u64,
    /// Dead from then on, seconds since 1970.
    pub exp: u64,
    /// How often the pair was rotated; this project's own claim.
    #[serde(default, rename = "gen")]
    pub generation: u32,
}

impl Claims {
    /// Reads a token without verifying it; `None` if it is no JWT with an end.
    pub fn read(token: &str) -> Option<Self> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let mut parts = token.split('.');
        let (Some(_), Some(payload), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }

    /// So long before its end the token is renewed: a quarter of its life, at least 30 min and at most 2 h (protocol page);
    /// for tokens that live less than an hour, half of their life, or they would be renewed without end.
    pub fn refresh_lead(&self) -> Duration {
        let life = Duration::from_secs(self.exp.saturating_sub(self.iat));
        let lead = (life / 4).clamp(Duration::from_secs(30 * 60), Duration::from_secs(2 * 3600));
        lead.min(life / 2)
    }

    /// The JWT, signed with `secret`.
    pub(super) fn sign(&self, secret: &Secret) -> Secret {
        // A struct of texts and numbers always serialises.
        let payload = serde_json::to_vec(self).unwrap_or_default();
        let head = URL_SAFE_NO_PAD.encode(HEADER);
        let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(payload));
        let signature = URL_SAFE_NO_PAD.encode(mac(secret, text.as_bytes()).finalize().into_bytes());
        Secret::new(format!("{text}.{signature}"))
    }

    /// Reads a token that `secret` has signed.
    pub(super) fn verify(token: &str, secret: &Secret) -> Option<Self> {
        let claims = Self::read(token)?;
        let (text, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        mac(secret, text.as_bytes())
            .verify_slice(&signature)
            .ok()
            .map(|()| claims)
    }
}

/// What a refresh token of ours says: whose it is and how often it was rotated, with a proof that includes the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RefreshToken {
    pub(super) user: u64,
    pub(super) generation: u32,
}

const PROOF_BYTES: usize = 20;

impl RefreshToken {
    pub(super) fn seal(self, secret: &Secret, device: &str) -> Secret {
        let mut bytes = self.head();
        bytes.extend_from_slice(&self.proof(secret, device).finalize().into_bytes()[..PROOF_BYTES]);
        Secret::new(hex(&bytes))
    }

    /// Reads a token that was sealed with `secret` for `device`.
    pub(super) fn open(token: &str, secret: &Secret, device: &str) -> Option<Self> {
        let bytes = unhex(token)?;
        let (head, proof) = bytes.split_at_checked(12)?;
        let this = Self {
            user: u64::from_be_bytes(head[..8].try_into().ok()?),
            generation: u32::from_be_bytes(head[8..].try_into().ok()?),
        };
        (proof.len() == PROOF_BYTES).then_some(())?;
        this.proof(secret, device)
            .verify_truncated_left(proof)
            .ok()
            .map(|()| this)
    }

    fn head(self) -> Vec<u8> {
        let mut bytes = self.user.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes
    }

    fn proof(self, secret: &Secret, device: &str) -> Hmac<Sha256> {
        let mut text = self.head();
        text.extend_from_slice(device.as_bytes());
        mac(secret, &text)
    }
}

/// The user's name in a token.
pub(super) fn user_name(user: u64) -> String {
    format!("usr_{user:016X}")
}

pub(super) fn user_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("usr_").filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

/// The pair of `user` after so many rotations, made `iat` seconds after 1970 for `life`: what a server hands out, and what a
/// load generator that shares its secret begins with.
pub fn derived_tokens(
    secret: &Secret,
    user: u64,
    device: &str,
    generation: u32,
    iat: u64,
    life: Duration,
) -> Tokens {
    let claims = Claims {
        sub: user_name(user),
        did: device.to_owned(),
        iat,
        exp: iat.saturating_add(life.as_secs()),
        generation,
    };
    Tokens {
        access: claims.sign(secret),
        refresh: Some(RefreshToken { user, generation }.seal(secret, device)),
    }
}

fn mac(secret: &Secret, text: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .unwrap_or_else(|_| Hmac::<Sha256>::new(&hmac::digest::Key::<Hmac<Sha256>>::default()));
    mac.update(text);
    mac
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn secret() -> Secret {
        Secret::new("s3cret")
    }

    #[test]
    fn a_pair_is_read_back_and_a_foreign_secret_or_device_is_not() {
        let tokens = derived_tokens(&secret(), 7, "dev", 3, 1000, DAY);
        let claims = Claims::verify(tokens.access.expose(), &secret()).unwrap();
        assert_eq!((claims.exp, claims.generation), (1000 + 86_400, 3));
        assert_eq!(user_number(&claims.sub), Some(7));
        assert!(Claims::verify(tokens.access.expose(), &Secret::new("other")).is_none());
        let refresh = tokens.refresh.unwrap();
        assert_eq!(refresh.expose().len(), 64);
        let open = |secret: &str, device| RefreshToken::open(refresh.expose(), &Secret::new(secret), device);
        assert_eq!(open("s3cret", "dev").unwrap().generation, 3);
        assert_eq!(open("s3cret", "other"), None);
        assert_eq!(open("other", "dev"), None);
    }

    #[test]
    fn the_lead_is_the_pages_formula_for_lives_of_hours_and_days() {
        let lead = |life| {
            Claims {
                sub: String::new(),
                did: String::new(),
                iat: 0,
                exp: life,
                generation: 0,
            }
            .refresh_lead()
            .as_secs()
        };
        assert_eq!(lead(24 * 3600), 2 * 3600);
        assert_eq!(lead(4 * 3600), 3600);
        assert_eq!(lead(3600), 30 * 60);
        assert_eq!(lead(10), 5);
        assert_eq!(lead(0), 0);
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic_or_verifies(token in "[A-Za-z0-9._=-]{0,80}|\\PC{0,40}") {
            let _ = Claims::read(&token);
            prop_assert!(Claims::verify(&token, &secret()).is_none());
            prop_assert!(RefreshToken::open(&token, &secret(), "dev").is_none());
        }

        #[test]
        fn a_claim_of_any_time_has_a_lead_within_its_life(iat: u64, exp: u64) {
            let claims = Claims { sub: String::new(), did: String::new(), iat, exp, generation: 0 };
            prop_assert!(claims.refresh_lead() <= Duration::from_secs(exp.saturating_sub(iat)));
        }
    }
}
