//! Classes of RST.

use serde::{Deserialize, Serialize};

/// What a RST was, from header evidence alone. The order is the order of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResetClass {
    /// Belongs to no known connection.
    Stray,
    /// Answers a SYN.
    Refused,
    /// Sent by neither endpoint.
    Injected,
    /// Follows unanswered keepalive probes or retransmissions.
    Keepalive,
    /// Answers data that came after its sender had closed.
    AfterClose,
    /// Stateless: its sender no longer knew the connection.
    HalfOpen,
    /// An endpoint aborted.
    Abort,
}

impl ResetClass {
    /// All classes, in the order of the tests.
    pub const ALL: [Self; 7] = [
        Self::Stray,
        Self::Refused,
        Self::Injected,
        Self::Keepalive,
        Self::AfterClose,
        Self::HalfOpen,
        Self::Abort,
    ];

    /// The name used in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stray => "stray",
            Self::Refused => "refused",
            Self::Injected => "injected",
            Self::Keepalive => "keepalive",
            Self::AfterClose => "after-close",
            Self::HalfOpen => "half-open",
            Self::Abort => "abort",
        }
    }

    /// The class of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}

impl std::fmt::Display for ResetClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
