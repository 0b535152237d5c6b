//! Cumulative counters of a run, or of a worker's share of it.

use super::codes::CloseCodes;
use super::sparse;
use crate::Stage;
use crate::verdict::{ResetClass, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Adds each named field of `$from` to the same field of `$to`, saturating.
macro_rules! add_fields {
    ($to:expr, $from:expr, $($field:ident),+) => {
        $($to.$field = $to.$field.saturating_add($from.$field);)+
    };
}

/// What became of the sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionCounts {
    /// How many the plan asks for; 0 where the plan is a duration.
    pub planned: u64,
    /// Whose first connect was begun.
    pub started: u64,
    /// That became ready at least once.
    pub ready: u64,
    /// That ended as they were meant to (`ok`).
    pub completed: u64,
    /// Whose final verdict is an error.
    pub failed: u64,
    /// Ready connections that ended although they were meant to stay, whether a reconnect followed or not.
    pub dropped: u64,
    /// That became ready again after being dropped, counted once per session.
    pub reconnected: u64,
    /// That have a final verdict.
    pub ended: u64,
    /// Starts left out because the generator could not keep its schedule.
    pub skipped_starts: u64,
}

impl SessionCounts {
    /// Sessions without a final verdict.
    pub const fn unfinished(&self) -> u64 {
        self.started.saturating_sub(self.ended)
    }
}

/// Heartbeats of the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeartbeatCounts {
    /// Sent.
    pub sent: u64,
    /// Answered in time.
    pub answered: u64,
    /// Given up.
    pub missed: u64,
}

/// Reconnects after a drop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReconnectCounts {
    /// Connects begun after a drop.
    pub attempts: u64,
    /// Of these, those that became ready.
    pub succeeded: u64,
}

/// Token refreshes in a live session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RefreshCounts {
    /// Accepted by the server.
    pub done: u64,
    /// Refused.
    pub refused: u64,
}

/// One call of the scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RpcCounts {
    /// Answered, with success or error.
    pub answered: u64,
    /// Of these, answered with an error.
    pub errors: u64,
    /// Not answered in time, or not before the session ended.
    pub unanswered: u64,
}

/// Traffic in one unit (bytes of the transport, or WebSocket frames).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bytes {
    /// To the server.
    pub sent: u64,
    /// From the server.
    pub received: u64,
}

/// The two sides of uptime, in session-microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Uptime {
    /// How long sessions were ready, within what was meant.
    pub ready_us: u64,
    /// How long they were meant to be ready.
    pub meant_us: u64,
}

/// Everything that is counted, from the start of the run. Sums of counters are exact in any order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Sessions.
    pub sessions: SessionCounts,
    /// Final verdicts of sessions, by [`Verdict::index`].
    #[serde(with = "sparse::verdicts")]
    pub verdicts: [u64; Verdict::COUNT],
    /// Endings of connections that a reconnect followed, by [`Verdict::index`].
    #[serde(with = "sparse::verdicts")]
    pub drops: [u64; Verdict::COUNT],
    /// Stage reached at each ending of a connection, by position in [`Stage::ALL`].
    #[serde(with = "sparse::stages")]
    pub stages: [u64; Stage::ALL.len()],
    /// The same, of endings whose verdict is an error.
    #[serde(with = "sparse::stages")]
    pub error_stages: [u64; Stage::ALL.len()],
    /// Close codes of connections.
    pub close_codes: CloseCodes,
    /// Resets by class, by position in [`ResetClass::ALL`].
    #[serde(with = "sparse::resets")]
    pub reset_classes: [u64; ResetClass::ALL.len()],
    /// Heartbeats.
    pub heartbeat: HeartbeatCounts,
    /// Reconnects.
    pub reconnect: ReconnectCounts,
    /// Token refreshes.
    pub refreshes: RefreshCounts,
    /// Calls of the scenario, by name.
    pub rpc: BTreeMap<String, RpcCounts>,
    /// Bytes on the transport.
    pub bytes: Bytes,
    /// WebSocket frames.
    pub frames: Bytes,
    /// The generator's own errors by name (`EMFILE`, `EADDRNOTAVAIL` …), never the gateway's.
    pub generator_errors: BTreeMap<String, u64>,
    /// Uptime.
    pub uptime: Uptime,
}

impl Counters {
    /// Counts the ending of a connection: `is_final` if the session ends with it, otherwise a reconnect follows.
    ///
    /// Counts `ended`, `completed` and `failed` of the session too. `dropped` is the caller's to count, who knows whether
    /// the connection was meant to stay.
    pub fn ending(&mut self, verdict: Verdict, stage: Stage, is_final: bool) {
        self.stages[stage as usize] += 1;
        if verdict.is_error() {
            self.error_stages[stage as usize] += 1;
        }
        if is_final {
            self.verdicts[verdict.index()] += 1;
            self.sessions.ended += 1;
            self.sessions.completed += u64::from(verdict == Verdict::Ok);
            self.sessions.failed += u64::from(verdict.is_error());
        } else {
            self.drops[verdict.index()] += 1;
        }
    }

    /// Counts the close code of a connection (1005 and 1006 as clients report them).
    pub fn close_code(&mut self, code: u16) {
        self.close_codes.count(code);
    }

    /// Counts a reset.
    pub fn reset(&mut self, class: ResetClass) {
        self.reset_classes[class as usize] += 1;
    }

    /// Counts an error of the generator itself: `EMFILE`, `EADDRNOTAVAIL` …
    pub fn generator_error(&mut self, name: &'static str) {
        if let Some(count) = self.generator_errors.get_mut(name) {
            *count += 1;
        } else {
            self.generator_errors.insert(name.to_owned(), 1);
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        fn add<const N: usize>(to: &mut [u64; N], from: &[u64; N]) {
            for (to, from) in to.iter_mut().zip(from) {
                *to = to.saturating_add(*from);
            }
        }
        add_fields!(
            self.sessions,
            other.sessions,
            planned,
            started,
            ready,
            completed,
            failed,
            dropped,
            reconnected,
            ended,
            skipped_starts
        );
        add(&mut self.verdicts, &other.verdicts);
        add(&mut self.drops, &other.drops);
        add(&mut self.stages, &other.stages);
        add(&mut self.error_stages, &other.error_stages);
        self.close_codes.merge(&other.close_codes);
        add(&mut self.reset_classes, &other.reset_classes);
        add_fields!(self.heartbeat, other.heartbeat, sent, answered, missed);
        add_fields!(self.reconnect, other.reconnect, attempts, succeeded);
        add_fields!(self.refreshes, other.refreshes, done, refused);
        for (name, counts) in &other.rpc {
            let own = self.rpc.entry(name.clone()).or_default();
            add_fields!(own, counts, answered, errors, unanswered);
        }
        add_fields!(self.bytes, other.bytes, sent, received);
        add_fields!(self.frames, other.frames, sent, received);
        for (name, count) in &other.generator_errors {
            let own = self.generator_errors.entry(name.clone()).or_default();
            *own = own.saturating_add(*count);
        }
        add_fields!(self.uptime, other.uptime, ready_us, meant_us);
    }

    /// Errors of the generator itself, all together.
    pub fn generator_errors_total(&self) -> u64 {
        self.generator_errors
            .values()
            .fold(0, |sum, n| sum.saturating_add(*n))
    }
}

/// What is the case now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gauges {
    /// Sessions on their way to ready for the first time.
    pub connecting: u64,
    /// Ready sessions.
    pub ready: u64,
    /// Sessions that were dropped and wait for, or are in, a reconnect.
    pub reconnecting: u64,
    /// Open connections.
    pub open: u64,
    /// The most connections that were open at once. Over several workers: the sum of theirs, an upper bound that is
    /// met when they peak together.
    pub peak_open: u64,
}

impl Gauges {
    /// Adds `other`'s.
    pub fn merge(&mut self, other: &Self) {
        add_fields!(self, other, connecting, ready, reconnecting, open, peak_open);
    }

    /// A connection was opened.
    pub fn opened(&mut self) {
        self.open += 1;
        self.peak_open = self.peak_open.max(self.open);
    }

    /// A connection ended.
    pub fn closed(&mut self) {
        self.open = self.open.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_final_ending_counts_the_session_and_a_drop_does_not() {
        let mut counters = Counters::default();
        counters.ending(Verdict::HeartbeatMiss, Stage::Ready, false);
        counters.ending(Verdict::Ok, Stage::Ready, true);
        counters.ending(Verdict::AuthFailed, Stage::Auth, true);
        counters.ending(Verdict::Open, Stage::Ready, true);
        assert_eq!(counters.verdicts.iter().sum::<u64>(), 3);
        assert_eq!(counters.drops[Verdict::HeartbeatMiss.index()], 1);
        let sessions = counters.sessions;
        assert_eq!((sessions.ended, sessions.completed, sessions.failed), (3, 1, 1));
        assert_eq!(counters.stages, [0, 0, 0, 0, 1, 3]);
        assert_eq!(counters.error_stages, [0, 0, 0, 0, 1, 1]);
    }

    #[test]
    fn json_names_only_what_is_not_zero() {
        let mut counters = Counters::default();
        counters.ending(Verdict::AuthFailed, Stage::Auth, true);
        counters.close_code(1008);
        counters.reset(ResetClass::AfterClose);
        counters.generator_error("EMFILE");
        let json = serde_json::to_value(&counters).unwrap();
        assert_eq!(json["verdicts"], serde_json::json!({"clw-auth-failed": 1}));
        assert_eq!(json["drops"], serde_json::json!({}));
        assert_eq!(json["stages"], serde_json::json!({"auth": 1}));
        assert_eq!(json["close_codes"], serde_json::json!({"1008": 1}));
        assert_eq!(json["reset_classes"], serde_json::json!({"after-close": 1}));
        assert_eq!(serde_json::from_value::<Counters>(json).unwrap(), counters);
    }

    #[test]
    fn names_of_a_later_release_are_passed_over() {
        let read: Counters =
            serde_json::from_str(r#"{"verdicts":{"clw-not-yet":4,"ok":2},"new":{"a":1}}"#).unwrap();
        assert_eq!(read.verdicts.iter().sum::<u64>(), 2);
    }
}
