//! The event log: notable moments in words, each once.

use std::collections::VecDeque;

/// Moments kept; the oldest go first.
const KEPT: usize = 500;

/// How a moment is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Better again.
    Good,
    /// To know.
    Note,
    /// To look at.
    Warn,
    /// Something is broken.
    Bad,
}

impl Level {
    /// In a word, four letters at most.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Bad => "BAD",
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since the run's start.
    pub second: u64,
    /// How it is to be taken.
    pub level: Level,
    /// In words.
    pub text: String,
}

/// Moments in the order in which they were noticed.
#[derive(Clone, Debug, Default)]
pub struct Moments(VecDeque<Moment>);

impl Moments {
    /// Adds one.
    pub fn note(&mut self, second: u64, level: Level, text: impl Into<String>) {
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Moment {
            second,
            level,
            text: text.into(),
        });
    }

    /// All, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Moment> + ExactSizeIterator {
        self.0.iter()
    }
}
