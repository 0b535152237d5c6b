//! The last sessions that ended in each way, where the source tells of single sessions (a journal).

use clw_core::journal::SessionRecord;
use clw_core::verdict::Verdict;
use std::collections::{BTreeMap, VecDeque};

/// Sessions kept for each ending.
const KEPT: usize = 20;

/// By verdict, the newest last.
#[derive(Clone, Debug, Default)]
pub struct Records(BTreeMap<Verdict, VecDeque<SessionRecord>>);

impl Records {
    /// Adds one; names that the dictionary does not have are left out.
    pub fn add(&mut self, record: SessionRecord) {
        let Some(verdict) = Verdict::from_name(&record.verdict) else {
            return;
        };
        let kept = self.0.entry(verdict).or_default();
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(record);
    }

    /// Of one ending, the newest first.
    pub fn of(&self, verdict: Verdict) -> impl Iterator<Item = &SessionRecord> {
        self.0.get(&verdict).into_iter().flatten().rev()
    }
}
