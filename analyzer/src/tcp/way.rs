//! Directions.

use clw_core::verdict::Side;

/// A direction: an index into both halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Sent by the client.
    Up = 0,
    /// Sent by the server.
    Down = 1,
}

impl Way {
    /// Who sends in this direction.
    pub const fn sender(self) -> Side {
        match self {
            Self::Up => Side::Client,
            Self::Down => Side::Server,
        }
    }

    /// The other direction.
    #[must_use]
    pub const fn back(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}
