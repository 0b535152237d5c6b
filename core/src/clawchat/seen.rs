//! Which notifications were seen before (protocol page, Replay: de-duplicated by `event_id`, 512 remembered).

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// So many are remembered, first in, first out.
const REMEMBERED: usize = 512;

/// The notifications that a client has seen, by the hash of their id: a stranger's id may be of any length.
#[derive(Debug, Default)]
pub(super) struct Seen {
    order: VecDeque<u64>,
}

impl Seen {
    /// Takes note of an id; whether it is new.
    pub(super) fn is_new(&mut self, event_id: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        event_id.hash(&mut hasher);
        let hash = hasher.finish();
        if self.order.contains(&hash) {
            return false;
        }
        if self.order.len() == REMEMBERED {
            self.order.pop_front();
        }
        self.order.push_back(hash);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once_and_forgotten_after_512_others() {
        let mut seen = Seen::default();
        assert!(seen.is_new("a"));
        assert!(!seen.is_new("a"));
        for other in 0..511 {
            assert!(seen.is_new(&other.to_string()));
        }
        assert!(!seen.is_new("a"));
        assert!(seen.is_new("one more"));
        assert!(seen.is_new("a"));
    }
}
