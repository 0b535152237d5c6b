//! What happened between two snapshots of one source.

use clw_core::tally::Counters;
use clw_core::verdict::Verdict;

/// The growth of the counters that the dashboard follows over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Connections that ended, by verdict: sessions that ended and drops that a reconnect follows.
    pub endings: [u64; Verdict::COUNT],
    /// Of these, helpers that left before connect, which is no error.
    pub helpers: u64,
    /// Connections begun: sessions and reconnects.
    pub begun: u64,
    /// Sessions that became ready, again or for the first time.
    pub ready: u64,
    /// Heartbeats sent.
    pub beats_sent: u64,
    /// Heartbeats missed.
    pub beats_missed: u64,
    /// Errors of the generator's own machine.
    pub generator_errors: u64,
    /// Starts that the generator left out.
    pub skipped_starts: u64,
}

impl Delta {
    /// From `before` to `now`; counters that went backwards count as unchanged.
    pub fn between(before: &Counters, now: &Counters) -> Self {
        let mut delta = Self {
            begun: grown(
                before.sessions.started + before.reconnect.attempts,
                now.sessions.started + now.reconnect.attempts,
            ),
            ready: grown(
                before.sessions.ready + before.sessions.reconnected,
                now.sessions.ready + now.sessions.reconnected,
            ),
            helpers: grown(before.sessions.helpers, now.sessions.helpers),
            beats_sent: grown(before.heartbeat.sent, now.heartbeat.sent),
            beats_missed: grown(before.heartbeat.missed, now.heartbeat.missed),
            generator_errors: grown(
                before.generator_errors.values().sum(),
                now.generator_errors.values().sum(),
            ),
            skipped_starts: grown(before.sessions.skipped_starts, now.sessions.skipped_starts),
            ..Self::default()
        };
        for (i, ending) in delta.endings.iter_mut().enumerate() {
            *ending = grown(
                before.verdicts[i] + before.drops[i],
                now.verdicts[i] + now.drops[i],
            );
        }
        delta
    }

    /// Adds another source's.
    pub fn add(&mut self, other: &Self) {
        for (to, from) in self.endings.iter_mut().zip(&other.endings) {
            *to += from;
        }
        self.helpers += other.helpers;
        self.begun += other.begun;
        self.ready += other.ready;
        self.beats_sent += other.beats_sent;
        self.beats_missed += other.beats_missed;
        self.generator_errors += other.generator_errors;
        self.skipped_starts += other.skipped_starts;
    }

    /// Connections that ended in an error.
    pub fn errors(&self) -> u64 {
        super::window::errors_of(&self.endings).saturating_sub(self.helpers)
    }
}

fn grown(before: u64, now: u64) -> u64 {
    now.saturating_sub(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_and_final_endings_both_count() {
        let before = Counters::default();
        let mut now = Counters::default();
        now.sessions.started = 10;
        now.reconnect.attempts = 4;
        now.verdicts[Verdict::Ok.index()] = 3;
        now.verdicts[Verdict::AuthFailed.index()] = 1;
        now.drops[Verdict::ServerRestart.index()] = 4;
        let delta = Delta::between(&before, &now);
        assert_eq!((delta.begun, delta.errors()), (14, 5));
        assert_eq!(delta.endings[Verdict::Ok.index()], 3);
        assert_eq!(
            Delta::between(&now, &before),
            Delta::default(),
            "backwards is no growth"
        );
    }
}
