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

impl Canary {
    /// `None` without a probe, with nothing beside it, or before it has told anything.
    pub fn of(feeds: &[Feed]) -> Option<Self> {
        let probe = feeds.iter().find(|feed| feed.label.starts_with(LABEL))?;
        if feeds.len() < 2 {
            return None;
        }
        let gauges = probe.last.as_ref()?.gauges;
        let all_ready = gauges.active > 0 && gauges.ready == gauges.active;
        Some(if all_ready { Self::Well } else { Self::Unwell })
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

    #[test]
    fn a_probe_tells_whose_fault_it_is_only_beside_others() {
        let others = feed("a:9100", 100, 20);
        let probe = |ready| feed("probe ws://a", 3, ready);
        assert_eq!(Canary::of(&[others.clone(), probe(3)]), Some(Canary::Well));
        assert_eq!(Canary::of(&[others.clone(), probe(2)]), Some(Canary::Unwell));
        assert_eq!(Canary::of(&[probe(3)]), None);
        assert_eq!(Canary::of(&[others, Feed::new("probe ws://a")]), None);
    }
}
