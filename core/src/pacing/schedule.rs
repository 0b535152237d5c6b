//! A load as a schedule.

use super::load::{Amount, Arrivals, Load, LoadError, Target};
use super::profile::{RateProfile, SlotLeg};
use super::shard::{Shard, Share};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// A timed start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Its number in the whole plan, from 0, in the order of time.
    pub number: u64,
    /// Closed model: the slot that it opens. Open model: zero.
    pub slot: u32,
    /// Since the run's start.
    pub at: Duration,
    /// Closed model: when the slot is to be given up; `None`: when there is nothing left to start.
    pub until: Option<Duration>,
}

/// A time in which a slot is to be occupied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Since the run's start.
    pub from: Duration,
    /// `None`: until there is nothing left to start.
    pub until: Option<Duration>,
}

/// When the sessions of a plan start.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    kind: Kind,
    total: Option<u64>,
    end: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Slots {
        legs: Vec<SlotLeg>,
    },
    Rate {
        profile: RateProfile,
        arrivals: Arrivals,
        seed: u64,
    },
}

impl Schedule {
    /// The schedule of a load. The seed is used for Poisson arrivals alone.
    pub fn new(load: &Load, seed: u64) -> Result<Self, LoadError> {
        load.validate()?;
        Ok(match load {
            Load::Closed {
                sessions,
                amount,
                ramp,
            } => closed(*sessions, *amount, *ramp),
            Load::Open {
                rate,
                amount,
                ramp,
                arrivals,
            } => open(*rate, *amount, *ramp, *arrivals, seed),
            Load::Staged { stages, arrivals } => {
                let end = stages.iter().map(|s| s.duration).sum();
                let kind = if load.is_closed() {
                    let levels = stages.iter().map(|s| match s.target {
                        Target::Sessions(n) => (s.duration, n),
                        Target::Rate(_) => (s.duration, 0),
                    });
                    Kind::Slots {
                        legs: slot_legs(levels),
                    }
                } else {
                    let levels = stages.iter().map(|s| match s.target {
                        Target::Rate(r) => (s.duration.as_secs_f64(), r),
                        Target::Sessions(_) => (s.duration.as_secs_f64(), 0.0),
                    });
                    Kind::Rate {
                        profile: RateProfile::new(0.0, levels),
                        arrivals: *arrivals,
                        seed,
                    }
                };
                Self {
                    kind,
                    total: None,
                    end: Some(end),
                }
            }
        })
    }

    /// When start `k` is due, since the run's start.
    ///
    /// Open model: the instant at which the integral of the rate reaches `k`. Closed model: the `k`-th time that a slot
    /// is opened; `None` after the last of these, because later sessions start when a slot is free. With Poisson
    /// arrivals this takes time in proportion to `k`: use [`Schedule::starts`] to walk through.
    pub fn start_at(&self, k: u64) -> Option<Duration> {
        if self.total.is_some_and(|total| k >= total) {
            return None;
        }
        match &self.kind {
            Kind::Slots { legs } => nth_rise(legs, k).map(|(_, at, _)| at),
            Kind::Rate {
                profile,
                arrivals: Arrivals::Constant,
                ..
            } => self.before_end(profile.inverse(k as f64)?),
            Kind::Rate { .. } => self.starts().nth(usize::try_from(k).ok()?).map(|s| s.at),
        }
    }

    /// All timed starts, in order.
    pub fn starts(&self) -> Starts<'_> {
        Starts {
            schedule: self,
            next: 0,
            poisson: match &self.kind {
                Kind::Rate {
                    arrivals: Arrivals::Poisson,
                    seed,
                    ..
                } => Some((Box::new(ChaCha8Rng::seed_from_u64(*seed)), 0.0)),
                _ => None,
            },
        }
    }

    /// Closed model: the most slots at once. Open model: zero.
    pub fn slots(&self) -> u32 {
        match &self.kind {
            Kind::Slots { legs } => legs.iter().map(|l| l.from.max(l.to)).max().unwrap_or(0),
            Kind::Rate { .. } => 0,
        }
    }

    /// When slot `slot` is to be occupied.
    pub fn windows(&self, slot: u32) -> Vec<Window> {
        let Kind::Slots { legs } = &self.kind else {
            return Vec::new();
        };
        let mut windows = Vec::new();
        for (i, leg) in legs.iter().enumerate() {
            if let Some(from) = leg.rise_of(slot) {
                windows.push(Window {
                    from,
                    until: fall_after(legs, i, slot).or(self.end),
                });
            }
        }
        windows
    }

    /// How many sessions are meant to start in all. Closed model without a total: not known before (`None`), since a
    /// session that ends makes room for another. Counts through the arrivals where these are random.
    pub fn planned(&self) -> Option<u64> {
        if self.total.is_some() {
            return self.total;
        }
        match &self.kind {
            Kind::Slots { .. } => None,
            Kind::Rate {
                profile,
                arrivals: Arrivals::Constant,
                ..
            } => {
                // The integral gives the number but for rounding; the starts themselves decide.
                let mut n = to_count(profile.whole().ceil());
                while n > 0 && self.start_at(n - 1).is_none() {
                    n -= 1;
                }
                while self.start_at(n).is_some() {
                    n += 1;
                }
                Some(n)
            }
            Kind::Rate { .. } => Some(self.starts().count() as u64),
        }
    }

    /// Starts asked for before `t`, as a real number: the integral of the rate, or the slots opened.
    pub fn asked_before(&self, t: Duration) -> f64 {
        let asked = match &self.kind {
            Kind::Slots { legs } => legs
                .iter()
                .filter(|l| l.begins < t && l.to > l.from)
                .map(|l| l.level_at(t) - f64::from(l.from))
                .sum(),
            Kind::Rate { profile, .. } => profile.integral(t),
        };
        self.total.map_or(asked, |total| asked.min(total as f64))
    }

    /// The level at `t`: sessions at once, or starts a second.
    pub fn level_at(&self, t: Duration) -> f64 {
        if self.end.is_some_and(|end| t >= end) {
            return 0.0;
        }
        match &self.kind {
            Kind::Slots { legs } => {
                let at = legs.partition_point(|l| l.begins <= t);
                at.checked_sub(1)
                    .and_then(|i| legs.get(i))
                    .map_or(0.0, |l| l.level_at(t))
            }
            Kind::Rate { profile, .. } => profile.rate_at(t),
        }
    }

    /// When the load ends by time; `None` if it ends with its total.
    pub fn end(&self) -> Option<Duration> {
        self.end
    }

    /// Whether the number of sessions at once is what is held.
    pub fn is_closed(&self) -> bool {
        matches!(self.kind, Kind::Slots { .. })
    }

    /// One process's share.
    pub fn share(&self, shard: Shard) -> Share<'_> {
        Share::new(self, shard)
    }

    fn before_end(&self, at: Duration) -> Option<Duration> {
        self.end.is_none_or(|end| at < end).then_some(at)
    }
}

/// Iterator over the timed starts of a [`Schedule`].
#[derive(Clone, Debug)]
pub struct Starts<'a> {
    schedule: &'a Schedule,
    next: u64,
    poisson: Option<(Box<ChaCha8Rng>, f64)>,
}

impl Iterator for Starts<'_> {
    type Item = Start;

    fn next(&mut self) -> Option<Start> {
        let number = self.next;
        if self.schedule.total.is_some_and(|total| number >= total) {
            return None;
        }
        let (slot, at, until) = match (&self.schedule.kind, &mut self.poisson) {
            (Kind::Slots { legs }, _) => {
                let (slot, at, leg) = nth_rise(legs, number)?;
                (slot, at, fall_after(legs, leg, slot).or(self.schedule.end))
            }
            (Kind::Rate { profile, .. }, Some((rng, sum))) => {
                *sum -= (1.0 - rng.random::<f64>()).ln();
                (0, self.schedule.before_end(profile.inverse(*sum)?)?, None)
            }
            (Kind::Rate { .. }, None) => (0, self.schedule.start_at(number)?, None),
        };
        self.next += 1;
        Some(Start {
            number,
            slot,
            at,
            until,
        })
    }
}

fn closed(sessions: u32, amount: Amount, ramp: Duration) -> Schedule {
    let (slots, total, end) = match amount {
        Amount::Total(n) => (sessions.min(u32::try_from(n).unwrap_or(u32::MAX)), Some(n), None),
        Amount::For(d) => (sessions, None, Some(ramp + d)),
    };
    // Fewer sessions than slots: the ramp keeps the slope that was asked for.
    let ramp = ramp.mul_f64(f64::from(slots) / f64::from(sessions));
    Schedule {
        kind: Kind::Slots {
            legs: slot_legs([(ramp, slots)]),
        },
        total,
        end,
    }
}

fn open(rate: f64, amount: Amount, ramp: Duration, arrivals: Arrivals, seed: u64) -> Schedule {
    let (total, end, lasts) = match amount {
        Amount::Total(n) => (Some(n), None, f64::INFINITY),
        Amount::For(d) => (None, Some(ramp + d), d.as_secs_f64()),
    };
    Schedule {
        kind: Kind::Rate {
            profile: RateProfile::new(0.0, [(ramp.as_secs_f64(), rate), (0.0, rate), (lasts, rate)]),
            arrivals,
            seed,
        },
        total,
        end,
    }
}

fn slot_legs(levels: impl IntoIterator<Item = (Duration, u32)>) -> Vec<SlotLeg> {
    let (mut begins, mut from) = (Duration::ZERO, 0);
    levels
        .into_iter()
        .map(|(lasts, to)| {
            let leg = SlotLeg {
                begins,
                lasts,
                from,
                to,
            };
            begins += lasts;
            from = to;
            leg
        })
        .collect()
}

/// The `k`-th opening of a slot: slot, instant, leg.
fn nth_rise(legs: &[SlotLeg], k: u64) -> Option<(u32, Duration, usize)> {
    let mut left = k;
    for (i, leg) in legs.iter().enumerate() {
        let rises = u64::from(leg.rises());
        if left < rises {
            let slot = leg.from + u32::try_from(left).ok()?;
            return Some((slot, leg.rise_of(slot)?, i));
        }
        left -= rises;
    }
    None
}

fn fall_after(legs: &[SlotLeg], leg: usize, slot: u32) -> Option<Duration> {
    legs.iter().skip(leg + 1).find_map(|l| l.fall_of(slot))
}

/// A non-negative whole number of starts.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what 53 bits hold"
)]
fn to_count(x: f64) -> u64 {
    x.clamp(0.0, 9e15) as u64
}
