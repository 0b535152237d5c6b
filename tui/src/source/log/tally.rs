//! Endings in a gateway's log, counted.

use clw_analyzer::join::gateway_line::GatewayEnding;
use clw_core::journal::{Close, SessionRecord};
use clw_core::snapshot::{SCHEMA, Snapshot, Target, keep_recent};
use clw_core::tally::Counters;
use clw_core::time::micros;
use clw_core::verdict::EndingKind;
use clw_core::{Dialect, Stage};
use std::path::Path;
use std::time::Duration;

/// Close codes kept apart at most; a log may hold anything.
const MAX_CLOSE_CODES: usize = 64;
/// Where a line does not say between whom.
const NOWHERE: ([u8; 4], u16) = ([0, 0, 0, 0], 0);

/// What a log has told so far. It tells of ends only: what is open nobody knows.
#[derive(Debug)]
pub(super) struct LogTally {
    name: String,
    began_unix_us: u64,
    counters: Counters,
    recent: Vec<SessionRecord>,
    seq: u64,
    told: Duration,
}

impl LogTally {
    /// With nothing told yet; `began_unix_us` is when the following began, in microseconds since 1970.
    pub(super) fn new(path: &Path, began_unix_us: u64) -> Self {
        Self {
            name: path.display().to_string(),
            began_unix_us,
            counters: Counters::default(),
            recent: Vec::new(),
            seq: 0,
            told: Duration::ZERO,
        }
    }

    /// A line was written, `at` after the beginning.
    pub(super) fn line(&mut self, line: &str, at: Duration) {
        let Some(ending) = GatewayEnding::parse(line) else {
            return;
        };
        let verdict = ending.verdict;
        let sessions = &mut self.counters.sessions;
        let was_ready = ending.stage == Stage::Ready;
        sessions.started += 1;
        sessions.ended += 1;
        sessions.ready += u64::from(was_ready);
        sessions.completed += u64::from(!verdict.is_error());
        sessions.failed += u64::from(ending.is_error && !was_ready);
        sessions.dropped += u64::from(ending.is_error && was_ready);
        sessions.helpers += u64::from(verdict.is_error() && !ending.is_error);
        self.counters.verdicts[verdict.index()] += 1;
        self.counters.stages[ending.stage as usize] += 1;
        if let Some(code) = ending.code {
            let codes = &mut self.counters.close_codes;
            let known = codes.contains_key(&code) || codes.len() < MAX_CLOSE_CODES;
            *codes.entry(if known { code } else { 0 }).or_default() += 1;
        }
        if ending.is_error {
            let session = sessions.ended;
            keep_recent(&mut self.recent, verdict.name(), || {
                record(session, &ending, line, at)
            });
        }
    }

    /// An interval is over.
    pub(super) fn tell(&mut self, at: Duration) -> Snapshot {
        let snapshot = Snapshot {
            schema: SCHEMA.to_owned(),
            source: self.name.clone(),
            seq: self.seq,
            elapsed_us: micros(at),
            began_unix_us: self.began_unix_us,
            interval_us: micros(at.saturating_sub(self.told)),
            target: Target {
                url: format!("the log {}", self.name),
                dialect: Dialect::Openclaw,
                server_version: None,
            },
            counters: self.counters.clone(),
            recent: std::mem::take(&mut self.recent),
            ..Snapshot::default()
        };
        self.seq += 1;
        self.told = at;
        snapshot
    }
}

fn record(session: u64, ending: &GatewayEnding, line: &str, at: Duration) -> SessionRecord {
    let ended_us = micros(at);
    let started_us = ended_us.saturating_sub(micros(ending.duration));
    let shown: String = line.chars().filter(|c| !c.is_control()).take(400).collect();
    SessionRecord {
        session,
        attempt: 0,
        identity: ending.conn.clone(),
        role: String::new(),
        client: ending.peer.map(|p| p.0),
        server: ending.peer.map_or_else(|| NOWHERE.into(), |p| p.1),
        scheduled_us: started_us,
        stages_us: [(Stage::Tcp, started_us)].into(),
        ended_us,
        stage: ending.stage,
        verdict: ending.verdict.name().to_owned(),
        confidence: ending.confidence,
        by: ending.by,
        ending: EndingKind::Fin,
        close: ending.code.map(|code| Close {
            code: Some(code),
            reason: ending.reason.clone(),
            by: ending.by,
        }),
        evidence: vec![format!("the gateway's log: {shown}")],
        heartbeats_sent: 0,
        heartbeats_missed: 0,
        retry_after_us: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clw_core::verdict::Verdict;

    #[test]
    fn helpers_that_left_are_no_errors() {
        let mut tally = LogTally::new(Path::new("g.log"), 0);
        for agent in ["helper/1", "cli/1"] {
            let line = format!(
                "[ws] closed before connect conn=a ua={agent} code=1005 phase=challenge_sent durationMs=4"
            );
            tally.line(&line, Duration::from_secs(1));
        }
        let told = tally.tell(Duration::from_secs(2));
        let sessions = told.counters.sessions;
        assert_eq!((sessions.ended, sessions.failed, sessions.helpers), (2, 1, 1));
        assert_eq!(told.counters.errors().iter().sum::<u64>(), 1);
        assert_eq!(told.recent.len(), 1);
    }

    #[test]
    fn endings_are_counted_and_other_lines_are_not() {
        let mut tally = LogTally::new(Path::new("g.log"), 0);
        for line in [
            "[ws] unauthorized conn=a",
            "[ws] \u{2192} close code=1012 reason=service restart cause=service-restart durationMs=50 conn=a verdict=clw-server-restart",
            "[ws] \u{2192} close code=1000 reason=n/a cause=close durationMs=50 conn=a verdict=ok",
        ] {
            tally.line(line, Duration::from_secs(1));
        }
        let told = tally.tell(Duration::from_secs(2));
        assert_eq!(told.counters.verdicts[Verdict::ServerRestart.index()], 1);
        assert_eq!(told.counters.close_codes, [(1000, 1), (1012, 1)].into());
        assert_eq!((told.counters.sessions.ended, told.recent.len()), (2, 1));
        assert_eq!((told.seq, told.interval_us), (0, 2_000_000));
    }
}
