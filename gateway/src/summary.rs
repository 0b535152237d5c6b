//! What a gateway saw, by verdict.

use clw_core::Stage;
use clw_core::verdict::{Side, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Endings kept one by one at most.
const MAX_RECORDS: usize = 100_000;

/// Counts from the server's side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// Connections accepted.
    pub accepted: u64,
    /// Clients accepted (hello-ok).
    pub ready: u64,
    /// Connections open now.
    pub open: u64,
    /// Sessions ready now.
    pub ready_now: u64,
    /// Most connections at once (of several workers: the sum of each one's most).
    pub peak_open: u64,
    /// Endings by verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// Heartbeats as datagrams.
    pub udp: UdpCounts,
    /// Accepts that failed for want of descriptors.
    pub accept_errors: u64,
    /// Workers that died, in words.
    pub lost_workers: Vec<String>,
    /// Endings one by one, if asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endings: Vec<EndingRecord>,
}

/// Heartbeats as datagrams, of sessions that are over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UdpCounts {
    /// Sessions that were offered them.
    pub sessions: u64,
    /// AUTH_PINGs that came.
    pub pings: u64,
    /// AUTH_PONGs that were sent.
    pub pongs: u64,
}

/// One connection's end as the gateway saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndingRecord {
    /// The client's address.
    pub peer: String,
    /// Verdict.
    pub verdict: Verdict,
    /// Who ended it.
    pub by: Side,
    /// Furthest stage.
    pub stage: Stage,
    /// From accept to the end.
    pub duration_ms: u64,
    /// Close code of the first close frame, whoever sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_code: Option<u16>,
}

impl Summary {
    /// How many sessions ended with this verdict.
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.verdicts.get(verdict.name()).copied().unwrap_or(0)
    }

    /// Counts an ending.
    pub(crate) fn ended(&mut self, record: EndingRecord, keep: bool) {
        // Looked up first: names need an allocation only the first time.
        match self.verdicts.get_mut(record.verdict.name()) {
            Some(count) => *count += 1,
            None => drop(self.verdicts.insert(record.verdict.name().to_owned(), 1)),
        }
        if keep && self.endings.len() < MAX_RECORDS {
            self.endings.push(record);
        }
    }

    /// Adds another worker's.
    pub(crate) fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.ready += other.ready;
        self.open += other.open;
        self.ready_now += other.ready_now;
        self.peak_open += other.peak_open;
        self.accept_errors += other.accept_errors;
        self.udp.sessions += other.udp.sessions;
        self.udp.pings += other.udp.pings;
        self.udp.pongs += other.udp.pongs;
        for (verdict, count) in other.verdicts {
            *self.verdicts.entry(verdict).or_default() += count;
        }
        self.lost_workers.extend(other.lost_workers);
        let room = MAX_RECORDS.saturating_sub(self.endings.len());
        self.endings.extend(other.endings.into_iter().take(room));
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{} connections, {} accepted as sessions, at most {} at once",
            self.accepted, self.ready, self.peak_open
        )?;
        let mut ranked: Vec<_> = self.verdicts.iter().collect();
        ranked.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        for (verdict, count) in ranked {
            writeln!(f, "{count:>9}  {verdict}")?;
        }
        if self.udp.sessions > 0 {
            let UdpCounts {
                sessions,
                pings,
                pongs,
            } = self.udp;
            writeln!(
                f,
                "heartbeats over UDP: offered to {sessions} sessions, {pings} AUTH_PING came, {pongs} AUTH_PONG sent"
            )?;
        }
        if self.accept_errors > 0 {
            writeln!(
                f,
                "{:>9}  accepts failed for want of descriptors (ulimit -n)",
                self.accept_errors
            )?;
        }
        if self.open > 0 {
            writeln!(f, "{:>9}  still open", self.open)?;
        }
        for lost in &self.lost_workers {
            writeln!(f, "lost: {lost}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(verdict: Verdict) -> EndingRecord {
        EndingRecord {
            peer: "127.0.0.1:1".parse().unwrap(),
            verdict,
            by: Side::Client,
            stage: Stage::Ready,
            duration_ms: 5,
            close_code: None,
        }
    }

    #[test]
    fn workers_add_up() {
        let mut a = Summary::default();
        a.ended(record(Verdict::Ok), true);
        a.ended(record(Verdict::Ok), false);
        let mut b = Summary {
            accepted: 3,
            lost_workers: vec!["worker 1".to_owned()],
            ..Summary::default()
        };
        b.ended(record(Verdict::ServerRestart), true);
        a.add(b);
        assert_eq!((a.count(Verdict::Ok), a.count(Verdict::ServerRestart)), (2, 1));
        assert_eq!((a.endings.len(), a.accepted), (2, 3));
        let shown = a.to_string();
        assert!(
            shown.contains("2  ok") && shown.contains("lost: worker 1"),
            "{shown}"
        );
    }

    #[test]
    fn a_summary_survives_the_pipe_between_processes() {
        let mut summary = Summary::default();
        summary.ended(record(Verdict::SlowConsumer), true);
        let line = serde_json::to_string(&summary).unwrap();
        assert_eq!(serde_json::from_str::<Summary>(&line).unwrap(), summary);
    }
}
