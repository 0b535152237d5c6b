//! Exit codes, with their meaning.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, and every threshold held.
    Done,
    /// Failed at run time.
    Failed,
    /// Wrong usage.
    Usage,
    /// A threshold was crossed.
    Threshold,
    /// Interrupted; the result so far is written.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Threshold => 99,
            Exit::Interrupted => 130,
        })
    }
}
