//! Sessions that may be gone on with after a disconnect.

use std::collections::{HashMap, VecDeque};

/// Sessions remembered; past that the one remembered longest is forgotten.
const MAX_SESSIONS: usize = 131_072;

/// A session's id, 16 hex digits on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub u64);

impl SessionId {
    /// Reads exactly 16 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        u64::from_str_radix(text, 16).ok().filter(|_| plain).map(Self)
    }
}

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Sessions that ended without AUTH_LOGOUT, each to be resumed once, and only by the client that had it.
#[derive(Clone, Debug, Default)]
pub struct Resumable {
    owners: HashMap<SessionId, Box<str>>,
    /// Oldest first; what was taken meanwhile is skipped when its turn comes.
    order: VecDeque<SessionId>,
}

impl Resumable {
    /// A session of `client_id` was disconnected.
    pub fn keep(&mut self, session: SessionId, client_id: &str) {
        while self.order.len() >= MAX_SESSIONS {
            if let Some(oldest) = self.order.pop_front() {
                self.owners.remove(&oldest);
            }
        }
        self.owners.insert(session, client_id.into());
        self.order.push_back(session);
    }

    /// Hands the session to its client. `false`: there is no such session of this client.
    pub fn take(&mut self, session: SessionId, client_id: &str) -> bool {
        let owns = self
            .owners
            .get(&session)
            .is_some_and(|owner| **owner == *client_id);
        if owns {
            self.owners.remove(&session);
        }
        owns
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.owners.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_and_nothing_else_does() {
        let id = SessionId(0xAB);
        assert_eq!(id.to_string(), "00000000000000ab");
        assert_eq!(SessionId::parse(&id.to_string()), Some(id));
        for text in [
            "",
            "ab",
            "00000000000000AB",
            "+0000000000000ab",
            "00000000000000abc",
        ] {
            assert_eq!(SessionId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_session_is_resumed_once_and_by_its_owner() {
        let mut kept = Resumable::default();
        kept.keep(SessionId(1), "a");
        assert!(!kept.take(SessionId(1), "b"));
        assert!(!kept.take(SessionId(2), "a"));
        assert!(kept.take(SessionId(1), "a"));
        assert!(!kept.take(SessionId(1), "a"));
    }

    #[test]
    fn what_is_kept_is_bounded_even_for_one_session_over_and_over() {
        let mut kept = Resumable::default();
        for n in 0..MAX_SESSIONS as u64 + 10 {
            kept.keep(SessionId(n), "a");
        }
        assert_eq!(kept.len(), MAX_SESSIONS);
        assert!(!kept.take(SessionId(9), "a") && kept.take(SessionId(10), "a"));
        for _ in 0..2 * MAX_SESSIONS {
            kept.keep(SessionId(7), "a");
        }
        assert!(kept.order.len() <= MAX_SESSIONS);
        assert!(!kept.is_empty());
    }
}
