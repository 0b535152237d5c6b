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
    /// Most connections at once.
    pub peak_open: u64,
    /// Endings by verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// Accepts that failed for want of descriptors.
    pub accept_errors: u64,
    /// Workers that died, in words.
    pub lost_workers: Vec<String>,
    /// Endings one by one, if asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endings: Vec<EndingRecord>,
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
}

impl Summary {
    /// Counts an ending.
    pub(crate) fn ended(&mut self, record: EndingRecord, keep: bool) {
        *self.verdicts.entry(record.verdict.name().to_owned()).or_default() += 1;
        if keep && self.endings.len() < MAX_RECORDS {
            self.endings.push(record);
        }
    }

    /// Adds another worker's.
    pub(crate) fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.ready += other.ready;
        self.peak_open += other.peak_open;
        self.accept_errors += other.accept_errors;
        for (verdict, count) in other.verdicts {
            *self.verdicts.entry(verdict).or_default() += count;
        }
        self.lost_workers.extend(other.lost_workers);
        self.endings.extend(other.endings);
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
        if self.accept_errors > 0 {
            writeln!(
                f,
                "{:>9}  accepts failed for want of descriptors (ulimit -n)",
                self.accept_errors
            )?;
        }
        for lost in &self.lost_workers {
            writeln!(f, "a worker was lost: {lost}")?;
        }
        Ok(())
    }
}
