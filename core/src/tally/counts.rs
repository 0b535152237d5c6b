//! The parts of the counters, by what they count.

use serde::{Deserialize, Serialize};

/// Counters of sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sessions {
    /// Meant to be run.
    pub planned: u64,
    /// Begun.
    pub started: u64,
    /// Accepted by the server at least once.
    pub ready: u64,
    /// Ended `ok`.
    pub completed: u64,
    /// Ended in an error without ever having been ready.
    pub failed: u64,
    /// Connections that ended in an error after ready.
    pub dropped: u64,
    /// Times a session became ready again after a drop.
    pub reconnected: u64,
    /// Ended, in whatever way.
    pub ended: u64,
    /// Starts left out because the limit of the open model was reached.
    pub skipped_starts: u64,
    /// Helpers that left before connect: their habit, and no error.
    pub helpers: u64,
}

/// Sent, answered, missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Heartbeats {
    /// Pings sent.
    pub sent: u64,
    /// Answers in time.
    pub answered: u64,
    /// Answers that did not come.
    pub missed: u64,
    /// Those that were datagrams (CLW); not in the counts above.
    pub udp: UdpHeartbeats,
}

/// Heartbeats as datagrams, beside the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UdpHeartbeats {
    /// Pings sent.
    pub sent: u64,
    /// Answers in time.
    pub answered: u64,
    /// Answers that did not come in time.
    pub lost: u64,
    /// One-way losses: times that a session's pings went out and none was answered, while its stream lived.
    pub one_way: u64,
}

impl UdpHeartbeats {
    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.lost += other.lost;
        self.one_way += other.one_way;
    }
}

/// Two directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traffic {
    /// By this side.
    pub sent: u64,
    /// From the other.
    pub received: u64,
}

/// Reconnects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reconnects {
    /// Connections begun after another of the same session.
    pub attempts: u64,
    /// Those that became ready.
    pub succeeded: u64,
}

/// Token refreshes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refreshes {
    /// Accepted.
    pub done: u64,
    /// Refused.
    pub refused: u64,
}

/// Devices, their approval and their tokens (OpenClaw).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pairings {
    /// Connections that were told to wait for approval.
    pub asked: u64,
    /// Requests that this run's own admin session approved.
    pub approved: u64,
    /// Device tokens that were issued.
    pub tokens: u64,
    /// Credentials that were found dead while another was left.
    pub fallbacks: u64,
    /// Times that tokens could not be written to the credential store.
    pub unkept: u64,
}

/// Notifications that clients were sent (ClawChat).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notifications {
    /// Told for the first time.
    pub new: u64,
    /// Copies of one that the client had seen.
    pub duplicates: u64,
}

/// Uptime's two sums, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Uptime {
    /// Time that sessions were ready.
    pub ready_us: u64,
    /// Time that they were meant to be.
    pub meant_us: u64,
}

/// Answers of one call that were no success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallErrors {
    /// Error answers.
    pub failed: u64,
    /// No answer in time.
    pub unanswered: u64,
}
