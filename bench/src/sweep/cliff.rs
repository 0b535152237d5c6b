//! Where it breaks: bisection over runs.

use serde::Serialize;

/// Looks for the largest value at which something still holds.
#[derive(Clone, Debug)]
pub struct Search {
    low: f64,
    high: f64,
    good: Option<f64>,
    bad: Option<f64>,
    steps_left: u32,
    verified: bool,
    readings: Vec<Reading>,
}

/// One run of a search.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// At this value.
    pub value: f64,
    /// It held.
    pub held: bool,
}

/// What a search has found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cliff {
    /// The largest value at which it held; `None`: at none.
    pub holds_up_to: Option<f64>,
    /// The smallest at which it did not; `None`: at none.
    pub breaks_at: Option<f64>,
    /// Wherever it held, it also held at every smaller value that was tried. If not, the two above mean little.
    pub is_monotone: bool,
    /// Every run, in order.
    pub readings: Vec<Reading>,
}

impl Search {
    /// Between `low` and `high`, with so many halvings.
    pub fn new(low: f64, high: f64, steps: u32) -> Self {
        Self {
            low,
            high,
            good: None,
            bad: None,
            steps_left: steps,
            verified: false,
            readings: Vec::new(),
        }
    }

    /// The value to try next; `None`: the search is over.
    pub fn next(&self) -> Option<f64> {
        let tried = |value: f64| {
            self.readings
                .iter()
                .any(|reading| reading.value.total_cmp(&value).is_eq())
        };
        match (self.good, self.bad) {
            (None, None) => Some(self.low),
            (Some(_), None) if !tried(self.high) => Some(self.high),
            (Some(good), Some(bad)) if self.steps_left > 0 => Some(f64::midpoint(good, bad)),
            // One look back: halving alone never finds that something breaks where it should not.
            (Some(good), Some(_)) if !self.verified && good > self.low => {
                Some(f64::midpoint(self.low, good)).filter(|value| !tried(*value))
            }
            // Found; or it breaks where it is best, or nowhere.
            _ => None,
        }
    }

    /// What came of the value that was to be tried.
    pub fn answer(&mut self, value: f64, held: bool) {
        let halving = self.good.is_some() && self.bad.is_some();
        self.readings.push(Reading { value, held });
        if halving && self.steps_left == 0 {
            self.verified = true;
            return;
        }
        if halving {
            self.steps_left -= 1;
        }
        if held {
            self.good = Some(value);
        } else {
            self.bad = Some(value);
        }
    }

    /// What was found so far.
    pub fn cliff(&self) -> Cliff {
        let failed: Vec<f64> = self
            .readings
            .iter()
            .filter(|r| !r.held)
            .map(|r| r.value)
            .collect();
        let holds_beyond = |value: f64| self.readings.iter().any(|r| r.held && r.value > value);
        Cliff {
            holds_up_to: self.good,
            breaks_at: self.bad,
            is_monotone: !failed.iter().any(|value| holds_beyond(*value)),
            readings: self.readings.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(low: f64, high: f64, steps: u32, holds: impl Fn(f64) -> bool) -> Cliff {
        let mut search = Search::new(low, high, steps);
        while let Some(value) = search.next() {
            search.answer(value, holds(value));
            assert!(search.readings.len() <= steps as usize + 3);
        }
        search.cliff()
    }

    #[test]
    fn it_ends_at_once_where_nothing_breaks_or_everything_does() {
        let never = run(0.0, 1.0, 6, |_| true);
        assert_eq!(
            (never.holds_up_to, never.breaks_at, never.readings.len()),
            (Some(1.0), None, 2)
        );
        let always = run(0.0, 1.0, 6, |_| false);
        assert_eq!(
            (always.holds_up_to, always.breaks_at, always.readings.len()),
            (None, Some(0.0), 1)
        );
    }

    #[test]
    fn a_hole_below_the_cliff_is_told() {
        let cliff = run(0.0, 1.0, 2, |value| value < 0.8 && !(0.3..0.45).contains(&value));
        assert!(!cliff.is_monotone, "{cliff:?}");
    }

    proptest! {
        #[test]
        fn any_cliff_is_found_to_the_resolution(at in 0.001f64..0.999, steps in 1u32..12) {
            let cliff = run(0.0, 1.0, steps, |value| value <= at);
            let (good, bad) = (cliff.holds_up_to.unwrap(), cliff.breaks_at.unwrap());
            prop_assert!(good <= at && at < bad);
            prop_assert!(bad - good <= 1.0 / f64::from(1 << steps) + 1e-9);
            prop_assert!(cliff.is_monotone);
        }

        #[test]
        fn whatever_the_answers_it_ends(answers in prop::collection::vec(any::<bool>(), 20)) {
            let mut search = Search::new(0.0, 1.0, 8);
            let mut answers = answers.into_iter();
            while let Some(value) = search.next() {
                let held = answers.next();
                prop_assert!(held.is_some(), "more than twenty runs");
                search.answer(value, held.unwrap());
            }
        }
    }
}
