//! Two of a kind: one for the client's direction, one for the server's.

use clw_core::verdict::Side;

/// A value for each side that can send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PerSide<T> {
    client: T,
    server: T,
}

impl<T> PerSide<T> {
    pub(super) const fn new(client: T, server: T) -> Self {
        Self { client, server }
    }

    /// The client's for the client, the server's for everybody else. The session lets nobody else in.
    pub(super) const fn of(&self, side: Side) -> &T {
        match side {
            Side::Client => &self.client,
            _ => &self.server,
        }
    }

    /// As [`Self::of`].
    pub(super) const fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Client => &mut self.client,
            _ => &mut self.server,
        }
    }
}

/// Whom `side` talks to.
pub(super) const fn other(side: Side) -> Side {
    match side {
        Side::Client => Side::Server,
        _ => Side::Client,
    }
}
