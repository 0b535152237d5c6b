//! One process's share of a plan.

use super::schedule::{Schedule, Start};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use thiserror::Error;

/// Which share: `index` of `count`, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    index: u32,
    count: u32,
}

/// A share that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShardError {
    /// Not `I/N`.
    #[error("`{0}` is not a share such as 0/4 (the first of four) or 3/4 (the last)")]
    Syntax(String),
    /// `I` is not below `N`.
    #[error("share {index}/{count} does not exist: accepted are 0/N to N-1/N, with N from 1 to 65536")]
    Range {
        /// As given.
        index: u32,
        /// As given.
        count: u32,
    },
}

impl Shard {
    /// The whole plan.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Share `index` of `count`.
    pub fn new(index: u32, count: u32) -> Result<Self, ShardError> {
        if index < count && count <= 65_536 {
            Ok(Self { index, count })
        } else {
            Err(ShardError::Range { index, count })
        }
    }

    /// Which one, from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// Of how many.
    pub fn count(self) -> u32 {
        self.count
    }

    /// Part `part` of `parts` of this share: what a worker process of a sharded run gets. The parts of all shares are
    /// the shares of a plan in `count × parts`.
    pub fn split(self, part: u32, parts: u32) -> Result<Self, ShardError> {
        Self::new(part, parts)?;
        Self::new(
            self.index.saturating_add(part.saturating_mul(self.count)),
            self.count.saturating_mul(parts),
        )
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let fail = || ShardError::Syntax(text.to_owned());
        let (index, count) = text.split_once('/').ok_or_else(fail)?;
        let read = |t: &str| t.trim().parse::<u32>().map_err(|_| fail());
        Self::new(read(index)?, read(count)?)
    }
}

/// What one process does of a [`Schedule`]: every start whose number is its index modulo the stride.
///
/// The stride is the number of shards, but never more than the slots of a closed plan: a share without a slot could not
/// run any session, so it gets none.
#[derive(Clone, Copy, Debug)]
pub struct Share<'a> {
    schedule: &'a Schedule,
    index: u32,
    stride: u32,
}

impl<'a> Share<'a> {
    pub(super) fn new(schedule: &'a Schedule, shard: Shard) -> Self {
        let stride = if schedule.is_closed() {
            shard.count.min(schedule.slots()).max(1)
        } else {
            shard.count
        };
        Self {
            schedule,
            index: shard.index,
            stride,
        }
    }

    /// The timed starts of this share. With random arrivals every share draws them all and takes its own.
    pub fn starts(&self) -> impl Iterator<Item = Start> + use<'a> {
        let share = *self;
        share
            .schedule
            .starts()
            .filter(move |start| share.owns_start(start))
    }

    /// Closed model: the most slots at once of this share. Open model: zero.
    pub fn slots(&self) -> u32 {
        let slots = u64::from(self.schedule.slots());
        u32::try_from(self.owned_below(slots)).unwrap_or(u32::MAX)
    }

    /// Sessions that this share is meant to start in all; `None` as in [`Schedule::planned`].
    pub fn planned(&self) -> Option<u64> {
        self.schedule.planned().map(|planned| self.owned_below(planned))
    }

    /// The number in the whole plan of this share's `j`-th session.
    pub fn session_number(&self, j: u64) -> u64 {
        u64::from(self.index) + j * u64::from(self.stride)
    }

    /// Whether this share has anything to do.
    pub fn is_empty(&self) -> bool {
        self.index >= self.stride || self.starts().next().is_none()
    }

    fn owns_start(&self, start: &Start) -> bool {
        // A slot that is opened again stays with the process that had it.
        let key = if self.schedule.is_closed() {
            u64::from(start.slot)
        } else {
            start.number
        };
        key % u64::from(self.stride) == u64::from(self.index)
    }

    /// How many of the numbers 0..n are this share's.
    fn owned_below(&self, n: u64) -> u64 {
        if self.index >= self.stride {
            return 0;
        }
        (n + u64::from(self.stride - 1 - self.index)) / u64::from(self.stride)
    }
}
