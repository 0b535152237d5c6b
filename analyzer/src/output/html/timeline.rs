//! Endings over time: a chart that has the same size for a second and for a week.

use crate::judge::Judged;
use crate::totals::is_error;
use clw_core::units::show_duration;
use std::fmt::Write as _;
use std::time::Duration;

/// Slots of the chart.
pub const SLOTS: usize = 240;
/// The first slots are this long, and double when the capture outgrows them.
const FIRST_SLOT_NS: u64 = 1_000_000;
const WIDTH: u32 = 960;
const HEIGHT: u32 = 160;

/// Endings counted over time.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// Where slot 0 begins: a multiple of its length before the first ending.
    origin_ns: Option<u64>,
    slot_ns: u64,
    slots: Vec<(u64, u64)>,
}

impl Timeline {
    /// Counts an ending.
    pub fn add(&mut self, judged: &Judged) {
        let Some(verdict) = judged.verdict else { return };
        self.count(judged.ended_ns, is_error(verdict));
    }

    fn count(&mut self, at_ns: u64, is_bad: bool) {
        let origin = *self.origin_ns.get_or_insert_with(|| {
            self.slot_ns = FIRST_SLOT_NS;
            at_ns
        });
        if at_ns < origin {
            self.widen_down(at_ns);
        }
        let mut at = self.slot_of(at_ns);
        while at >= SLOTS {
            self.double();
            at = self.slot_of(at_ns);
        }
        if self.slots.len() <= at {
            self.slots.resize(at + 1, (0, 0));
        }
        let slot = &mut self.slots[at];
        slot.0 += u64::from(!is_bad);
        slot.1 += u64::from(is_bad);
    }

    fn slot_of(&self, at_ns: u64) -> usize {
        let since = at_ns.saturating_sub(self.origin_ns.unwrap_or(at_ns));
        usize::try_from(since / self.slot_ns.max(1)).unwrap_or(usize::MAX)
    }

    /// Two slots become one.
    fn double(&mut self) {
        self.slot_ns = self.slot_ns.saturating_mul(2);
        self.slots = self
            .slots
            .chunks(2)
            .map(|pair| {
                pair.iter()
                    .fold((0, 0), |sum, slot| (sum.0 + slot.0, sum.1 + slot.1))
            })
            .collect();
    }

    /// An ending before all others: connections are judged a while after their end, not in its order.
    fn widen_down(&mut self, at_ns: u64) {
        loop {
            let origin = self.origin_ns.unwrap_or(at_ns);
            let more = origin.saturating_sub(at_ns).div_ceil(self.slot_ns.max(1));
            match usize::try_from(more) {
                Ok(more) if more + self.slots.len() <= SLOTS => {
                    self.slots.splice(0..0, std::iter::repeat_n((0, 0), more));
                    self.origin_ns = Some(origin.saturating_sub((more as u64).saturating_mul(self.slot_ns)));
                    return;
                }
                _ if self.slot_ns > u64::MAX / 4 => return,
                _ => self.double(),
            }
        }
    }

    /// The chart; empty where nothing ended.
    pub fn svg(&self) -> String {
        let most = self.slots.iter().map(|slot| slot.0 + slot.1).max().unwrap_or(0);
        let (Some(origin), true) = (self.origin_ns, most > 0) else {
            return String::new();
        };
        let bar = f64::from(WIDTH) / self.slots.len().max(1) as f64;
        let height = |count: u64| f64::from(HEIGHT) * count as f64 / most as f64;
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "<h2>Endings over time</h2>\n<figure>\n<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"sessions that ended, over \
             time\">\n<defs><pattern id=\"bad\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
             patternTransform=\"rotate(45)\"><rect class=\"bad\" width=\"6\" height=\"6\"/><rect class=\"stripe\" width=\"2\" \
             height=\"6\"/></pattern></defs>\n",
            HEIGHT + 20
        );
        for (index, (good, bad)) in self.slots.iter().enumerate() {
            if good + bad == 0 {
                continue;
            }
            let x = index as f64 * bar;
            let (up, down) = (height(*good), height(*bad));
            let when =
                crate::judge::rfc3339(origin.saturating_add((index as u64).saturating_mul(self.slot_ns)));
            let top = f64::from(HEIGHT) - up - down;
            let _ = writeln!(
                out,
                "<g><title>{when}: {bad} bad, {good} good</title><rect class=\"good\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{bar:.1}\" \
                 height=\"{up:.1}\"/><rect fill=\"url(#bad)\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{bar:.1}\" height=\"{down:.1}\"/></g>",
                f64::from(HEIGHT) - up
            );
        }
        let end = origin.saturating_add((self.slots.len() as u64).saturating_mul(self.slot_ns));
        let _ = write!(
            out,
            "<line x1=\"0\" y1=\"{HEIGHT}\" x2=\"{WIDTH}\" y2=\"{HEIGHT}\" class=\"axis\"/>\n<text x=\"0\" y=\"{y}\">{}</text>\n\
             <text x=\"{WIDTH}\" y=\"{y}\" text-anchor=\"end\">{}</text>\n</svg>\n<figcaption>{most} at the most in {}; striped: ended in an \
             error, plain: ended well.</figcaption>\n</figure>\n",
            crate::judge::rfc3339(origin),
            crate::judge::rfc3339(end),
            show_duration(Duration::from_nanos(self.slot_ns)),
            y = HEIGHT + 16
        );
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_ending_is_in_the_chart_whatever_the_order(times in prop::collection::vec((0u64..1_000_000_000_000_000, any::<bool>()), 1..200)) {
            let mut timeline = Timeline::default();
            for (at_ns, is_bad) in &times {
                timeline.count(*at_ns, *is_bad);
            }
            prop_assert!(timeline.slots.len() <= SLOTS);
            let sum = timeline.slots.iter().fold((0, 0), |sum, slot| (sum.0 + slot.0, sum.1 + slot.1));
            let bad = times.iter().filter(|(_, is_bad)| *is_bad).count() as u64;
            prop_assert_eq!(sum, (times.len() as u64 - bad, bad));
            prop_assert!(timeline.svg().contains("</svg>"));
        }
    }

    #[test]
    fn times_at_the_end_of_time_are_survived() {
        let mut timeline = Timeline::default();
        for at_ns in [u64::MAX, 0, u64::MAX / 2, 1] {
            timeline.count(at_ns, true);
        }
        assert!(timeline.slots.len() <= SLOTS);
        assert!(!timeline.svg().is_empty());
    }

    #[test]
    fn without_endings_there_is_no_chart() {
        assert_eq!(Timeline::default().svg(), "");
    }
}
