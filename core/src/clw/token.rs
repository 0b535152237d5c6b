//! Where a client's tokens come from.

use crate::secret::{Secret, hex};
use sha2::{Digest, Sha256};
use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;

/// The first eight hex digits of a token's SHA-256: how a heartbeat tells which token it belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenId([u8; 4]);

impl TokenId {
    /// The id of a token.
    pub fn of(token: &str) -> Self {
        let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(token.as_bytes()));
        Self([a, b, c, d])
    }

    /// Eight lower-case hex digits.
    pub fn to_hex(self) -> String {
        hex(&self.0)
    }

    /// Whether `text` is this id.
    pub fn is(self, text: &str) -> bool {
        self.to_hex() == text
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.to_hex())
    }
}

/// Generation `k` of the tokens that a shared secret gives to one client:
/// `clw1.<client_id>.<k>.<16 hex digits of sha256("secret|client_id|k")>`.
pub fn derived_token(secret: &Secret, client_id: &str, k: u64) -> Secret {
    let mut hash = Sha256::new();
    hash.update(secret.expose().as_bytes());
    hash.update(format!("|{client_id}|{k}").as_bytes());
    let proof = hex(&hash.finalize()[..8]);
    Secret::new(format!("clw1.{client_id}.{k}.{proof}"))
}

/// Gives one token after the other, none twice: after a disconnect a token is never used again (protocol page, Timers and
/// limits), and a refused one is dead.
#[derive(Clone, Debug)]
pub struct TokenSource(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Fixed(Option<Secret>),
    Derived {
        secret: Arc<Secret>,
        client_id: Arc<str>,
        next: u64,
    },
    List(VecDeque<Secret>),
    /// Each is asked for elsewhere.
    Asked {
        next: Option<Secret>,
        given: HashSet<[u8; 32]>,
        refused: bool,
    },
}

impl TokenSource {
    /// This one token, once: no refresh, no reconnect.
    pub fn fixed(token: Secret) -> Self {
        Self(Kind::Fixed(Some(token)))
    }

    /// Generation after generation of [`derived_token`]s, without end.
    pub fn derived(secret: Arc<Secret>, client_id: Arc<str>) -> Self {
        Self(Kind::Derived {
            secret,
            client_id,
            next: 0,
        })
    }

    /// These tokens, each once. One that is in the list twice is given once.
    pub fn list(tokens: impl IntoIterator<Item = Secret>) -> Self {
        let mut known = HashSet::new();
        Self(Kind::List(
            tokens
                .into_iter()
                .filter(|token| known.insert(token.clone()))
                .collect(),
        ))
    }

    /// Tokens that somebody else gets, one each time that one is needed, and puts here with [`TokenSource::put`].
    pub fn asked() -> Self {
        Self(Kind::Asked {
            next: None,
            given: HashSet::new(),
            refused: false,
        })
    }

    /// Whether tokens are got elsewhere.
    pub fn is_asked(&self) -> bool {
        matches!(self.0, Kind::Asked { .. })
    }

    /// The token that was got elsewhere, or `None`: there is none. `false` if it was given before, or is not wanted.
    pub fn put(&mut self, token: Option<Secret>) -> bool {
        let Kind::Asked { next, given, refused } = &mut self.0 else {
            return false;
        };
        let new = token.filter(|token| given.insert(Sha256::digest(token.expose().as_bytes()).into()));
        *refused = new.is_none();
        *next = new;
        next.is_some()
    }

    /// Whether the last attempt to get a token elsewhere failed.
    pub fn is_refused(&self) -> bool {
        matches!(self.0, Kind::Asked { refused: true, .. })
    }

    /// The next token, never one that was given before; `None` when there is no other.
    pub fn next_token(&mut self) -> Option<Secret> {
        match &mut self.0 {
            Kind::Fixed(token) => token.take(),
            Kind::Derived {
                secret,
                client_id,
                next,
            } => {
                let generation = *next;
                *next = next.checked_add(1)?;
                Some(derived_token(secret, client_id, generation))
            }
            Kind::List(tokens) => tokens.pop_front(),
            Kind::Asked { next, .. } => next.take(),
        }
    }

    /// Whether no token is left.
    pub fn is_exhausted(&self) -> bool {
        match &self.0 {
            Kind::Fixed(token) => token.is_none(),
            Kind::Derived { next, .. } => *next == u64::MAX,
            Kind::List(tokens) => tokens.is_empty(),
            // Another can always be asked for.
            Kind::Asked { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::sha256_hex8;
    use proptest::prelude::*;
    #[test]
    fn a_derived_token_is_its_formula() {
        let token = derived_token(&Secret::new("s3cret"), "bench.7", 3);
        let proof = &hex(&Sha256::digest(b"s3cret|bench.7|3"))[..16];
        assert_eq!(token.expose(), format!("clw1.bench.7.3.{proof}"));
        assert_eq!(TokenId::of("abc").to_hex(), sha256_hex8(b"abc"));
        assert!(TokenId::of("abc").is("ba7816bf"));
        assert!(!TokenId::of("abc").is("BA7816BF"));
    }

    #[test]
    fn a_fixed_token_is_given_once() {
        let mut source = TokenSource::fixed(Secret::new("t"));
        assert!(!source.is_exhausted());
        assert_eq!(source.next_token(), Some(Secret::new("t")));
        assert!(source.is_exhausted());
        assert_eq!(source.next_token(), None);
    }

    #[test]
    fn a_token_from_elsewhere_is_given_once_and_not_taken_a_second_time() {
        let mut source = TokenSource::asked();
        assert!(source.is_asked() && !source.is_exhausted() && !source.is_refused());
        assert_eq!(source.next_token(), None);
        assert!(source.put(Some(Secret::new("a"))));
        assert_eq!(source.next_token(), Some(Secret::new("a")));
        assert_eq!(source.next_token(), None);
        assert!(!source.put(Some(Secret::new("a"))) && source.is_refused());
        assert_eq!(source.next_token(), None);
        assert!(source.put(Some(Secret::new("b"))) && !source.is_refused());
        assert!(!source.put(None) && source.is_refused());
        assert!(!TokenSource::fixed(Secret::new("a")).put(Some(Secret::new("b"))));
    }

    proptest! {
        #[test]
        fn no_source_gives_a_token_twice(
            list in prop::collection::vec("[a-c]{0,2}", 0..20), secret in ".{0,8}", id in ".{0,8}",
        ) {
            let sources = [
                TokenSource::list(list.into_iter().map(Secret::new)),
                TokenSource::derived(Arc::new(Secret::new(secret)), id.into()),
            ];
            for mut source in sources {
                let mut given = HashSet::new();
                for _ in 0..50 {
                    let exhausted = source.is_exhausted();
                    let token = source.next_token();
                    prop_assert_eq!(token.is_none(), exhausted);
                    if let Some(token) = token {
                        prop_assert!(given.insert(token));
                    }
                }
            }
        }
    }
}
