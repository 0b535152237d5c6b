//! What a run's snapshots tell beside its counts: when it began, and what is done to its network on purpose.

use clw_core::impair::Spec;
use clw_core::snapshot::Snapshot;
use clw_core::time::micros;
use std::time::{SystemTime, UNIX_EPOCH};

/// What `netem-scripts/netem run` sets for the command that it runs.
const NETEM_PROFILE: &str = "NETEM_PROFILE";
/// Its profile in which nothing is done to the network.
const CLEAN: &str = "clean";
/// A name on a chart is short.
const MAX_NAME: usize = 60;

/// The same for all snapshots of a run.
#[derive(Debug)]
pub(super) struct Surroundings {
    began_unix_us: u64,
    condition: String,
}

impl Surroundings {
    /// Of a run that began then, under that `--impair`, in this process's environment.
    pub(super) fn new(began: SystemTime, impair: &Spec) -> Self {
        let netem = std::env::var(NETEM_PROFILE).unwrap_or_default();
        Self {
            began_unix_us: micros(began.duration_since(UNIX_EPOCH).unwrap_or_default()),
            condition: condition(impair, &netem),
        }
    }

    /// Adds them to a snapshot.
    pub(super) fn tell(&self, snapshot: &mut Snapshot) {
        snapshot.began_unix_us = self.began_unix_us;
        snapshot.condition.clone_from(&self.condition);
    }
}

/// In words: the impairment, and the profile of `netem run`, by its name or the name of its file.
fn condition(impair: &Spec, netem: &str) -> String {
    let file = netem.rsplit('/').next().unwrap_or_default();
    let profile: String = file
        .strip_suffix(".conf")
        .unwrap_or(file)
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_NAME)
        .collect();
    let mut parts = Vec::new();
    if !profile.is_empty() && profile != CLEAN {
        parts.push(format!("netem {profile}"));
    }
    if *impair != Spec::default() {
        parts.push(impair.to_string());
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_network_is_called_by_its_profile_and_its_impairment() {
        let none = Spec::default();
        let slow: Spec = "delay=100ms".parse().unwrap();
        assert_eq!(condition(&none, ""), "");
        assert_eq!(condition(&none, "clean"), "");
        assert_eq!(condition(&none, "vpn-flap"), "netem vpn-flap");
        assert_eq!(condition(&none, "./lab/monday.conf"), "netem monday");
        assert_eq!(condition(&slow, ""), slow.to_string());
        assert_eq!(condition(&slow, "lte"), format!("netem lte, {slow}"));
        assert!(condition(&none, &"x\u{1b}".repeat(999)).len() < 80);
    }

    #[test]
    fn snapshots_say_when_the_run_began() {
        let began = UNIX_EPOCH + Duration::from_micros(1_795_661_940_000_001);
        let mut snapshot = Snapshot::default();
        Surroundings::new(began, &Spec::default()).tell(&mut snapshot);
        assert_eq!(snapshot.began_unix_us, 1_795_661_940_000_001);
    }
}
