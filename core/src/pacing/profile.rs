//! Levels over time, in straight lines: of slots (integers, exact) and of rates (with their integral and its inverse).

use std::time::Duration;

/// One straight leg of a number of slots.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SlotLeg {
    pub(super) begins: Duration,
    pub(super) lasts: Duration,
    pub(super) from: u32,
    pub(super) to: u32,
}

impl SlotLeg {
    /// How many slots start in this leg.
    pub(super) fn rises(self) -> u32 {
        self.to.saturating_sub(self.from)
    }

    /// When slot `slot` starts in this leg, if it does.
    pub(super) fn rise_of(self, slot: u32) -> Option<Duration> {
        (self.from..self.to)
            .contains(&slot)
            .then(|| self.begins + part(self.lasts, slot - self.from, self.rises()))
    }

    /// When slot `slot` stops in this leg, if it does.
    pub(super) fn fall_of(self, slot: u32) -> Option<Duration> {
        (self.to..self.from)
            .contains(&slot)
            .then(|| self.begins + part(self.lasts, self.from - slot, self.from - self.to))
    }

    /// The level at `t`, which lies in this leg.
    pub(super) fn level_at(self, t: Duration) -> f64 {
        line(
            f64::from(self.from),
            f64::from(self.to),
            self.lasts.as_secs_f64(),
            t.saturating_sub(self.begins).as_secs_f64(),
        )
    }
}

/// `whole × numerator / denominator`, in whole nanoseconds.
fn part(whole: Duration, numerator: u32, denominator: u32) -> Duration {
    let nanos = whole.as_nanos() * u128::from(numerator) / u128::from(denominator.max(1));
    // A year of nanoseconds fits 64 bits, and loads are no longer than that.
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn line(from: f64, to: f64, lasts: f64, x: f64) -> f64 {
    if lasts <= 0.0 || x >= lasts {
        to
    } else {
        from + (to - from) * (x / lasts)
    }
}

/// One straight leg of a rate; all in seconds. The last leg of a plan with a total lasts for ever.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RateLeg {
    pub(super) begins: f64,
    pub(super) lasts: f64,
    pub(super) from: f64,
    pub(super) to: f64,
    /// Starts before this leg.
    pub(super) before: f64,
}

impl RateLeg {
    /// Starts within the first `x` seconds of this leg.
    pub(super) fn integral(self, x: f64) -> f64 {
        if self.lasts.is_finite() && self.lasts > 0.0 {
            self.from * x + (self.to - self.from) * x * x / (2.0 * self.lasts)
        } else {
            self.from * x
        }
    }

    /// The time into this leg at which its integral is `q`, without the cancellation of the usual formula.
    pub(super) fn inverse(self, q: f64) -> f64 {
        if q <= 0.0 {
            return 0.0;
        }
        let slope = if self.lasts.is_finite() && self.lasts > 0.0 {
            (self.to - self.from) / self.lasts
        } else {
            0.0
        };
        let root = (self.from * self.from + 2.0 * slope * q).max(0.0).sqrt();
        (2.0 * q / (self.from + root)).min(self.lasts)
    }

    pub(super) fn rate_at(self, x: f64) -> f64 {
        line(self.from, self.to, self.lasts, x)
    }
}

/// A rate over time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RateProfile {
    legs: Vec<RateLeg>,
}

impl RateProfile {
    /// From legs of (seconds, rate at their end); the first starts at `initial`.
    pub(super) fn new(initial: f64, legs: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let (mut begins, mut before, mut from) = (0.0, 0.0, initial);
        let mut built = Vec::new();
        for (lasts, to) in legs {
            if lasts > 0.0 {
                let leg = RateLeg {
                    begins,
                    lasts,
                    from: if lasts.is_finite() { from } else { to },
                    to,
                    before,
                };
                before += leg.integral(lasts);
                begins += lasts;
                built.push(leg);
            }
            from = to;
        }
        Self { legs: built }
    }

    /// Starts in all; infinite for a plan that ends with its total.
    pub(super) fn whole(&self) -> f64 {
        self.legs.last().map_or(0.0, |l| l.before + l.integral(l.lasts))
    }

    /// When the integral reaches `q` (in starts); `None` if it never does.
    pub(super) fn inverse(&self, q: f64) -> Option<Duration> {
        // The last leg that begins with no more than q: legs of rate zero are stepped over.
        let at = self.legs.partition_point(|leg| leg.before <= q);
        let leg = self.legs.get(at.checked_sub(1)?)?;
        let x = leg.inverse(q - leg.before);
        if !x.is_finite() || leg.before + leg.integral(leg.lasts) < q {
            return None;
        }
        Duration::try_from_secs_f64(leg.begins + x).ok()
    }

    /// Starts before `t`, as a real number.
    pub(super) fn integral(&self, t: Duration) -> f64 {
        let t = t.as_secs_f64();
        match self.leg_at(t) {
            Some(leg) => leg.before + leg.integral((t - leg.begins).min(leg.lasts)),
            None => 0.0,
        }
    }

    pub(super) fn rate_at(&self, t: Duration) -> f64 {
        let t = t.as_secs_f64();
        self.leg_at(t).map_or(0.0, |leg| {
            if t - leg.begins > leg.lasts {
                0.0
            } else {
                leg.rate_at(t - leg.begins)
            }
        })
    }

    fn leg_at(&self, t: f64) -> Option<&RateLeg> {
        let at = self.legs.partition_point(|leg| leg.begins <= t);
        self.legs.get(at.checked_sub(1)?)
    }
}
