//! What all connections hold back together, within a limit: bytes behind a hole, records and messages whose end has not come, and the
//! text that compressed messages refer to. One connection cannot hold much; very many can.

use super::{Key, Live};
use crate::stream::Session;
use crate::tcp::Connection;
use std::collections::VecDeque;

/// Sound sessions hold text for compressed messages all the time, and none of the rest for long: so many bytes of it count as one.
const CONTEXT_WEIGHT: usize = 8;

/// What is held back, and by whom.
#[derive(Debug, Default)]
pub(super) struct Held {
    bytes: usize,
    /// Connections that hold something, or did; who began first is first. Each is here once at most.
    queue: VecDeque<(Key, u64)>,
}

/// A connection's part in it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    bytes: u32,
    is_queued: bool,
}

impl Share {
    /// Whether there is anything.
    pub(super) const fn is_some(self) -> bool {
        self.bytes > 0
    }
}

impl Held {
    /// All of it.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Notes what `live` holds now.
    pub(super) fn note(&mut self, key: Key, live: &mut Live) {
        let now = held_by(&live.connection, live.session.as_deref());
        self.bytes = self.bytes - live.held.bytes as usize + now as usize;
        live.held.bytes = now;
        if now > 0 && !live.held.is_queued {
            live.held.is_queued = true;
            self.queue.push_back((key, live.id));
        }
    }

    /// A connection is over.
    pub(super) fn forget(&mut self, live: &Live) {
        self.bytes -= live.held.bytes as usize;
    }

    /// Who began to hold something first, if all together hold more than `limit`. It is to let go, and to be noted again.
    pub(super) fn first_over(&mut self, limit: usize) -> Option<(Key, u64)> {
        if self.bytes <= limit {
            return None;
        }
        self.queue.pop_front()
    }

    /// Takes out connections that are over, if there may be many: at most `open` are not.
    pub(super) fn tidy(&mut self, open: usize, is_open: impl Fn(&Key, u64) -> bool) {
        if self.queue.len() > 2 * open + 1024 {
            self.queue.retain(|(key, id)| is_open(key, *id));
        }
    }
}

impl Live {
    /// It is no longer in the queue.
    pub(super) fn leave_queue(&mut self) {
        self.held.is_queued = false;
    }
}

fn held_by(connection: &Connection, session: Option<&Session>) -> u32 {
    let of_session = session.map_or(0, |session| {
        session.waiting_bytes() + session.context_bytes() / CONTEXT_WEIGHT
    });
    let bytes = connection.waiting_bytes() + of_session;
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
