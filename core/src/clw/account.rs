//! What one client keeps over its connections.

use super::TokenSource;
use crate::secret::Secret;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A server's session id longer than this is not kept: it could not be resumed anyway.
const MAX_SESSION_BYTES: usize = 64;

/// A client's name, its tokens and the session it may resume. One for each client, shared by its connections one after
/// the other, so that none presents a token that another has used.
#[derive(Debug)]
pub struct Account {
    client_id: Arc<str>,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    tokens: TokenSource,
    session: Option<Box<str>>,
}

impl Account {
    /// A client that has not connected yet.
    pub fn new(client_id: Arc<str>, tokens: TokenSource) -> Self {
        Self {
            client_id,
            kept: Mutex::new(Kept {
                tokens,
                session: None,
            }),
        }
    }

    /// A client that derives its tokens from a secret shared with the server.
    pub fn derived(client_id: Arc<str>, secret: Arc<Secret>) -> Self {
        Self::new(client_id.clone(), TokenSource::derived(secret, client_id))
    }

    /// The client's name.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// A token that was not presented before.
    pub fn next_token(&self) -> Option<Secret> {
        self.kept().tokens.next_token()
    }

    /// A token that was got elsewhere ([`TokenSource::asked`]), or `None`: there is none. `false` if it was presented before.
    pub fn put_token(&self, token: Option<Secret>) -> bool {
        self.kept().tokens.put(token)
    }

    /// Whether tokens are got elsewhere.
    pub(super) fn is_asked(&self) -> bool {
        self.kept().tokens.is_asked()
    }

    /// Whether the last attempt to get a token elsewhere failed.
    pub(super) fn is_refused(&self) -> bool {
        self.kept().tokens.is_refused()
    }

    /// Whether there is a token to connect (or refresh) with.
    pub fn has_token(&self) -> bool {
        !self.kept().tokens.is_exhausted()
    }

    /// The session that the next login goes on with.
    pub fn session(&self) -> Option<Box<str>> {
        self.kept().session.clone()
    }

    pub(super) fn remember(&self, session: Option<&str>) {
        self.kept().session = session
            .filter(|id| !id.is_empty() && id.len() <= MAX_SESSION_BYTES)
            .map(Into::into);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
