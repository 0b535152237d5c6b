//! Which tokens a server takes.

use super::token::{TokenId, derived_token};
use crate::secret::Secret;
use std::collections::{HashMap, HashSet, VecDeque};
use thiserror::Error;

/// Clients whose used tokens are remembered; past that the one remembered longest is forgotten.
const MAX_CLIENTS: usize = 131_072;
/// What a client's name or token may take, bytes.
pub(super) const MAX_CLIENT_ID_BYTES: usize = 256;
pub(super) const MAX_TOKEN_BYTES: usize = 4096;

/// A token that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its id in heartbeats.
    pub token_id: TokenId,
    /// Its generation, if it is a derived one.
    pub generation: Option<u64>,
}

/// Why a token was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TokenRefusal {
    /// Not made from the secret.
    #[error("unknown token")]
    Unknown,
    /// Made for another client.
    #[error("the token belongs to another client")]
    WrongClient,
    /// Withdrawn.
    #[error("the token was revoked")]
    Revoked,
    /// Used by a session that was disconnected, or older than one that was.
    #[error("the token was used before: a new one is needed after a disconnect")]
    Spent,
}

/// The server's knowledge of tokens: the shared secrets, what was revoked, and (if asked) what was used.
#[derive(Clone, Debug)]
pub struct TokenAuthority {
    secrets: Vec<Secret>,
    refuse_reuse: bool,
    /// Only the operator adds to these, never a peer.
    revoked_tokens: HashSet<Secret>,
    revoked_clients: HashSet<String>,
    /// By client, the newest generation that ended in a disconnect.
    spent: HashMap<Box<str>, u64>,
    spent_order: VecDeque<Box<str>>,
}

impl TokenAuthority {
    /// Takes `secret` itself and every token derived from it.
    pub fn new(secret: Secret) -> Self {
        Self::with_secrets(vec![secret])
    }

    /// The same with several secrets.
    pub fn with_secrets(secrets: Vec<Secret>) -> Self {
        Self {
            secrets,
            refuse_reuse: false,
            revoked_tokens: HashSet::new(),
            revoked_clients: HashSet::new(),
            spent: HashMap::new(),
            spent_order: VecDeque::new(),
        }
    }

    /// Whether a derived token is refused once a session with it (or with a newer one of that client) was disconnected.
    /// Of 131 072 clients the newest are remembered.
    #[must_use]
    pub fn refusing_reuse(mut self, refuse: bool) -> Self {
        self.refuse_reuse = refuse;
        self
    }

    /// Judges a token that `client_id` presents.
    pub fn check(&self, token: &str, client_id: &str) -> Result<Grant, TokenRefusal> {
        let generation = self.recognise(token, client_id)?;
        if self.revoked_clients.contains(client_id) || self.is_revoked(token) {
            return Err(TokenRefusal::Revoked);
        }
        if let Some(generation) = generation
            && self.refuse_reuse
            && self
                .spent
                .get(client_id)
                .is_some_and(|newest| generation <= *newest)
        {
            return Err(TokenRefusal::Spent);
        }
        Ok(Grant {
            token_id: TokenId::of(token),
            generation,
        })
    }

    /// A session of `client_id` with that token ended without AUTH_LOGOUT.
    pub fn disconnected(&mut self, client_id: &str, grant: Grant) {
        let Some(generation) = grant.generation.filter(|_| self.refuse_reuse) else {
            return;
        };
        if let Some(newest) = self.spent.get_mut(client_id) {
            *newest = generation.max(*newest);
            return;
        }
        if self.spent.len() >= MAX_CLIENTS
            && let Some(oldest) = self.spent_order.pop_front()
        {
            self.spent.remove(&oldest);
        }
        self.spent.insert(client_id.into(), generation);
        self.spent_order.push_back(client_id.into());
    }

    /// Withdraws one token (a shared secret is one too; tokens derived from it stay good).
    pub fn revoke_token(&mut self, token: Secret) {
        self.revoked_tokens.insert(token);
    }

    /// Withdraws all tokens of a client.
    pub fn revoke_client(&mut self, client_id: &str) {
        self.revoked_clients.insert(client_id.to_owned());
    }

    fn is_revoked(&self, token: &str) -> bool {
        !self.revoked_tokens.is_empty() && self.revoked_tokens.contains(&Secret::new(token))
    }

    /// Whether the token is a shared secret (no generation) or derived from one for this client.
    fn recognise(&self, token: &str, client_id: &str) -> Result<Option<u64>, TokenRefusal> {
        if self.secrets.iter().any(|secret| same(secret.expose(), token)) {
            return Ok(None);
        }
        let (owner, generation) = parts(token).ok_or(TokenRefusal::Unknown)?;
        let genuine = self
            .secrets
            .iter()
            .any(|secret| same(derived_token(secret, owner, generation).expose(), token));
        match (genuine, owner == client_id) {
            (false, _) => Err(TokenRefusal::Unknown),
            (true, false) => Err(TokenRefusal::WrongClient),
            (true, true) => Ok(Some(generation)),
        }
    }
}

/// Client and generation of a token that looks derived. A name may have dots in it, so it is read from the right.
fn parts(token: &str) -> Option<(&str, u64)> {
    if token.len() > MAX_TOKEN_BYTES {
        return None;
    }
    let mut fields = token.strip_prefix("clw1.")?.rsplitn(3, '.');
    let (_proof, generation, owner) = (fields.next()?, fields.next()?, fields.next()?);
    Some((owner, generation.parse().ok()?))
}

/// Compares without telling by its time how much was right.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len()
        && a.bytes()
            .zip(b.bytes())
            .fold(0, |differs, (a, b)| differs | (a ^ b))
            == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn authority() -> TokenAuthority {
        TokenAuthority::new(Secret::new("s3cret"))
    }

    fn token(client_id: &str, generation: u64) -> String {
        derived_token(&Secret::new("s3cret"), client_id, generation)
            .expose()
            .to_owned()
    }

    #[test]
    fn the_secret_and_its_derived_tokens_are_accepted() {
        let grant = authority().check("s3cret", "anybody").unwrap();
        assert_eq!((grant.token_id, grant.generation), (TokenId::of("s3cret"), None));
        for client in ["bench-1", "with.dots.4.5", ""] {
            let grant = authority().check(&token(client, 17), client).unwrap();
            assert_eq!(grant.generation, Some(17));
        }
    }

    #[test]
    fn others_are_refused_with_the_reason() {
        let refused = |token: &str, client| authority().check(token, client).unwrap_err();
        assert_eq!(refused("wrong", "a"), TokenRefusal::Unknown);
        assert_eq!(refused("", "a"), TokenRefusal::Unknown);
        assert_eq!(refused(&token("b", 0), "a"), TokenRefusal::WrongClient);
        assert_eq!(
            refused(&token("a", 0).replace("a.0", "a.00"), "a"),
            TokenRefusal::Unknown
        );
        assert_eq!(refused(&token("a", 0).to_uppercase(), "a"), TokenRefusal::Unknown);
    }

    #[test]
    fn a_revoked_token_or_client_is_out() {
        let mut authority = authority();
        authority.revoke_token(Secret::new(token("a", 1)));
        authority.revoke_client("b");
        assert_eq!(authority.check(&token("a", 1), "a"), Err(TokenRefusal::Revoked));
        assert!(authority.check(&token("a", 2), "a").is_ok());
        assert_eq!(authority.check(&token("b", 5), "b"), Err(TokenRefusal::Revoked));
    }

    #[test]
    fn after_a_disconnect_only_newer_tokens_are_good_if_reuse_is_refused() {
        let mut strict = authority().refusing_reuse(true);
        let grant = strict.check(&token("a", 3), "a").unwrap();
        strict.disconnected("a", grant);
        assert_eq!(strict.check(&token("a", 3), "a"), Err(TokenRefusal::Spent));
        assert_eq!(strict.check(&token("a", 2), "a"), Err(TokenRefusal::Spent));
        assert!(strict.check(&token("a", 4), "a").is_ok());
        assert!(strict.check(&token("b", 0), "b").is_ok());
        let mut lenient = authority();
        lenient.disconnected("a", grant);
        assert!(lenient.check(&token("a", 3), "a").is_ok());
    }

    #[test]
    fn what_is_remembered_of_used_tokens_is_bounded() {
        let mut strict = authority().refusing_reuse(true);
        let grant = strict.check(&token("a", 0), "a").unwrap();
        for n in 0..MAX_CLIENTS + 10 {
            strict.disconnected(&n.to_string(), grant);
            strict.disconnected(&n.to_string(), grant);
        }
        assert_eq!(strict.spent.len(), MAX_CLIENTS);
        assert_eq!(strict.spent_order.len(), MAX_CLIENTS);
        assert!(strict.check(&token("9", 0), "9").is_ok());
        assert_eq!(strict.check(&token("10", 0), "10"), Err(TokenRefusal::Spent));
    }

    proptest! {
        #[test]
        fn nothing_but_the_right_proof_is_accepted(noise in ".{0,60}", client in "[a-z.]{0,6}", k: u64, flip in 0usize..8) {
            prop_assume!(noise != "s3cret");
            prop_assert_eq!(authority().check(&noise, &client), Err(TokenRefusal::Unknown));
            prop_assert!(authority().check(&token(&client, k), &client).is_ok());
            let mut forged = token(&client, k).into_bytes();
            let at = forged.len() - 1 - flip;
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).unwrap();
            prop_assert_eq!(authority().check(&forged, &client), Err(TokenRefusal::Unknown));
        }
    }
}
