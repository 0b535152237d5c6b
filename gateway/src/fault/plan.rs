//! Which faults a connection gets: a pure function of the seed and its ordinal.

use super::plan_file::{self, PlanFileError};
use super::spec::FaultSpec;
use clw_core::Dialect;
use std::path::Path;
use std::time::Duration;

/// All faults of a gateway.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    specs: Vec<FaultSpec>,
    seed: u64,
}

impl FaultPlan {
    /// A plan of these faults.
    pub fn new(specs: Vec<FaultSpec>, seed: u64) -> Self {
        Self { specs, seed }
    }

    /// The faults of a TOML file: `[[fault]]` with `name` (as in `--fault`), `share`, `moment`, `delay`, `from`, `until`.
    pub fn read_file(path: &Path, dialect: Dialect) -> Result<Vec<FaultSpec>, PlanFileError> {
        plan_file::read_file(path, dialect)
    }

    /// The faults of connection number `ordinal`, accepted `since_start` after the gateway's start.
    pub fn of(&self, ordinal: u64, since_start: Duration) -> Vec<FaultSpec> {
        let in_time =
            |s: &FaultSpec| since_start >= s.from && s.until.is_none_or(|until| since_start < until);
        self.specs
            .iter()
            .enumerate()
            .filter(|(i, spec)| in_time(spec) && self.draw(*i, ordinal) < spec.share)
            .map(|(_, spec)| spec.clone())
            .collect()
    }

    /// Uniform in 0..1, from seed, fault and ordinal (SplitMix64).
    fn draw(&self, index: usize, ordinal: u64) -> f64 {
        let mut z = self
            .seed
            .wrapping_add((index as u64).wrapping_mul(0xD1B5_4A32_D192_ED03))
            .wrapping_add(ordinal.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Action, Kind};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_share_of_sessions_is_met_and_repeats(seed: u64, share in 0.05f64..0.95) {
            let spec = FaultSpec { share, ..FaultSpec::new(Kind::At(Action::Rst)) };
            let plan = FaultPlan::new(vec![spec], seed);
            let hit = |n: u64| !plan.of(n, Duration::ZERO).is_empty();
            let hits = (0..4000).filter(|n| hit(*n)).count() as f64;
            // Six standard deviations of a binomial of 4000.
            let slack = 6.0 * (4000.0 * share * (1.0 - share)).sqrt();
            prop_assert!((hits - 4000.0 * share).abs() < slack, "{} of 4000 at {}", hits, share);
            let again = plan.clone();
            prop_assert!((0..200).all(|n| hit(n) != again.of(n, Duration::ZERO).is_empty()));
        }

        #[test]
        fn two_faults_of_one_plan_strike_independently(seed: u64) {
            let spec = FaultSpec { share: 0.5, ..FaultSpec::new(Kind::At(Action::Rst)) };
            let plan = FaultPlan::new(vec![spec.clone(), spec], seed);
            let both = (0..4000).filter(|n| plan.of(*n, Duration::ZERO).len() == 2).count();
            prop_assert!((800..1200).contains(&both), "{} of 4000, expected about 1000", both);
        }
    }
}
