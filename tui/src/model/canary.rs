//! Canary sessions beside other sources: are they well while others are not? Then it is not the gateway.

use super::Feed;

/// What the label of a probe begins with.
pub const LABEL: &str = "probe ";

/// How the canary sessions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// All are ready.
    Well,
    /// Some are not.
    Unwell,
}

/// Trouble so many seconds before an incident belongs to it: heartbeats of others tell of it only after their timeouts.
const BEFORE_S: u64 = 10;

impl Canary {
    /// In an incident since that second. `None` without a probe, with nothing beside it, or while nothing is proved: a
    /// session that has not missed its heartbeat yet is no sign that the gateway is well, an answer since then is.
    pub fn of(feeds: &[Feed], since: u64) -> Option<Self> {
        let probe = feeds.iter().find(|feed| feed.label.starts_with(LABEL))?;
        if feeds.len() < 2 {
            return None;
        }
        let gauges = probe.last.as_ref()?.gauges;
        let all_ready = gauges.active > 0 && gauges.ready == gauges.active;
        let is_troubled = probe.troubled.is_some_and(|at| at + BEFORE_S >= since);
        if !all_ready || is_troubled {
            return Some(Self::Unwell);
        }
        probe.answered.is_some_and(|at| at > since).then_some(Self::Well)
    }

    /// The same where there is little room.
    pub const fn in_short(self) -> &'static str {
        match self {
            Self::Well => "canaries well: the users' network",
            Self::Unwell => "canaries suffer too",
        }
    }

    /// What that means in an incident.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Well => "canary sessions are well: look at the users' network",
            Self::Unwell => "canary sessions suffer too: the gateway, or the network here",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clw_core::snapshot::Snapshot;

    fn feed(label: &str, active: u64, ready: u64) -> Feed {
        let mut last = Snapshot::default();
        (last.gauges.active, last.gauges.ready) = (active, ready);
        let mut feed = Feed::new(label);
        feed.last = Some(last);
        feed
    }

    fn probe(ready: u64, answered: Option<u64>, troubled: Option<u64>) -> Feed {
        let mut probe = feed("probe ws://a", 3, ready);
        (probe.answered, probe.troubled) = (answered, troubled);
        probe
    }

    #[test]
    fn a_probe_tells_whose_fault_it_is_only_beside_others() {
        let others = feed("a:9100", 100, 20);
        let of = |probe| Canary::of(&[others.clone(), probe], 60);
        assert_eq!(of(probe(3, Some(61), None)), Some(Canary::Well));
        assert_eq!(of(probe(2, Some(61), None)), Some(Canary::Unwell));
        assert_eq!(Canary::of(&[probe(3, Some(61), None)], 60), None);
        assert_eq!(of(Feed::new("probe ws://a")), None);
    }

    #[test]
    fn a_canary_that_was_not_answered_since_proves_nothing_and_a_slow_answer_is_no_good_one() {
        let others = feed("a:9100", 100, 20);
        let of = |probe| Canary::of(&[others.clone(), probe], 60);
        assert_eq!(of(probe(3, None, None)), None);
        assert_eq!(of(probe(3, Some(60), None)), None);
        assert_eq!(of(probe(3, Some(61), Some(61))), Some(Canary::Unwell));
        assert_eq!(of(probe(3, Some(61), Some(52))), Some(Canary::Unwell));
        assert_eq!(of(probe(3, Some(61), Some(20))), Some(Canary::Well));
    }
}
