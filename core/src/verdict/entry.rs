//! What the dictionary says of each ending, for a person at an incident.

use super::Verdict;
use crate::Dialect;

/// One entry.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The ending.
    pub verdict: Verdict,
    /// What happened, in a few words.
    pub title: &'static str,
    /// The likeliest cause, one line.
    pub cause: &'static str,
    /// What mends it, one line.
    pub fix: &'static str,
    /// What users see.
    pub symptoms: &'static [&'static str],
    /// What can be behind it.
    pub causes: &'static [&'static str],
    /// Where to look: capture, client, gateway's log.
    pub evidence: &'static [&'static str],
    /// What to do, with the exact settings.
    pub fixes: &'static [&'static str],
    /// Easily mistaken for it, or its neighbours.
    pub related: &'static [Verdict],
}

impl Entry {
    /// The entry of `verdict`.
    pub fn of(verdict: Verdict) -> &'static Self {
        &super::entries::ENTRIES[verdict.index()]
    }

    /// Which dialects can end so.
    pub fn dialects(&self) -> &'static [Dialect] {
        use Dialect::{Clawchat, Clw, Openclaw};
        match self.verdict {
            Verdict::AuthUnavailable | Verdict::SessionReplaced => &[Clawchat],
            Verdict::PairingRequired | Verdict::RateLimited | Verdict::SlowConsumer => &[Openclaw],
            Verdict::SessionExpired => &[Clw],
            Verdict::SessionRevoked | Verdict::VersionMismatch => &[Openclaw, Clw],
            _ => &[Openclaw, Clw, Clawchat],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_has_its_entry_and_one_line_stays_one_line() {
        for verdict in Verdict::ALL {
            let entry = Entry::of(verdict);
            assert_eq!(entry.verdict, verdict);
            for line in [entry.title, entry.cause, entry.fix] {
                assert!(
                    !line.is_empty() && line.chars().count() <= 100,
                    "{verdict}: {line}"
                );
            }
            for list in [entry.symptoms, entry.causes, entry.evidence, entry.fixes] {
                assert!(
                    !list.is_empty() && list.iter().all(|l| !l.is_empty()),
                    "{verdict}"
                );
            }
        }
    }
}
