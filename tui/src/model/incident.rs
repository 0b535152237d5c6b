//! When does it stop being normal?
//!
//! Two signs, both judged once for every second that arrives:
//!
//! * A **storm**: within [`STORM_SECONDS`] a tenth of the exposed connections (ten at least) end in errors, or as many live
//!   sessions as there were (three at least).
//! * A **departure**: errors per connection-second of the last [`RECENT_SECONDS`] are over twice what the
//!   [`BASELINE_SECONDS`] before them had, and over it by more than three standard deviations of counting. Seconds of an
//!   incident are no part of a baseline. A rate that was there from the start is a baseline, not an incident.
//!
//! Where it begins and ends is then told from the errors over what the baseline lets expect, added up: it begins where that
//! sum begins to grow, and its last bad second is where it was greatest. It is over [`QUIET_SECONDS`] after that, if most
//! of the sessions that were ready before it are back.

use super::{History, Point, Window};
use clw_core::verdict::Verdict;

/// Length of a storm's window.
const STORM_SECONDS: u64 = 3;
/// Fewest endings that make a storm.
const STORM_ERRORS: u64 = 10;
/// Fewest live sessions whose loss, if it is that of all, makes a storm too.
const FEWEST_LOST: u64 = 3;
/// Share of the exposed connections that makes a storm, in percent.
const STORM_PCT: f64 = 10.0;
/// What is compared with the baseline.
const RECENT_SECONDS: u64 = 10;
/// What it is compared with.
const BASELINE_SECONDS: u64 = 60;
/// Shortest past that is a baseline.
const LEAST_BASELINE_SECONDS: u64 = 10;
/// Fewest endings that leave a baseline.
const DEPARTURE_ERRORS: u64 = 5;
/// Quiet that ends an incident.
const QUIET_SECONDS: u64 = 10;
/// The first seconds of an incident tell its cause; later endings are often its consequence (a gateway that died, then
/// refused connections).
const CAUSE_SECONDS: u64 = 4;
/// Share of sessions that are not back yet under which the gateway has recovered, in percent.
const RECOVERED_PCT: u64 = 10;
/// Errors over the baseline count from this multiple of it on, so that noise does not add up …
const SLACK: f64 = 1.5;
/// … and from this many a second on, so that single errors over a baseline of none do not.
const STRAY_PER_SECOND: f64 = 0.2;
/// Incidents kept.
const KEPT: usize = 200;

/// What raised it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Many at once.
    Storm,
    /// More than usual.
    Departure,
}

/// A time at which more sessions ended in errors than usual.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// What raised it.
    pub kind: Kind,
    /// The first second with more errors than usual.
    pub since: u64,
    /// The last one; `None` while it goes on.
    pub until: Option<u64>,
    /// The newest second with more errors than usual, so far.
    pub last_bad: u64,
    /// Connections that ended in errors in it.
    pub errors: u64,
    /// Connections that were open when it began.
    pub open_before: u64,
    /// Sessions that were ready when it began.
    pub ready_before: u64,
    /// The most errors in a second.
    pub worst_per_second: u64,
    /// The likely cause: of the endings of its first seconds the most frequent that live sessions met, if there were any.
    pub cause: Option<Verdict>,
    /// How many ended so in these seconds.
    pub cause_count: u64,
    /// The most frequent ending of all of it.
    pub mostly: Option<Verdict>,
    endings: [u64; Verdict::COUNT],
    counted_to: u64,
    /// Errors per connection-second before it.
    usual: f64,
    /// Errors over the usual so far, and the most that this ever was.
    over: f64,
    most_over: f64,
}

impl Incident {
    /// How long it has lasted, in seconds.
    pub fn lasted(&self, now: u64) -> u64 {
        self.until.unwrap_or(now).saturating_sub(self.since) + 1
    }

    /// Whether nearly all live sessions were lost in its first seconds.
    pub fn took_all(&self) -> bool {
        self.open_before >= 5
            && self.cause_count * 10 >= self.open_before * 9
            && self.cause.is_some_and(|v| v >= Verdict::SessionRevoked)
    }

    /// Tells the likely cause from the endings of the first seconds. Where live sessions were lost, that is the cause:
    /// connects that failed beside them are its consequence.
    fn blame(&mut self, first: &[u64; Verdict::COUNT]) {
        let mut lost = *first;
        for verdict in Verdict::ALL.into_iter().filter(|v| *v < Verdict::SessionRevoked) {
            lost[verdict.index()] = 0;
        }
        let many = super::errors_of(&lost) * 10 >= super::errors_of(first);
        self.cause = most(if many { &lost } else { first }).or(self.cause);
        self.cause_count = self.cause.map_or(0, |v| first[v.index()]);
    }

    fn follow(&mut self, history: &History) {
        let now = history.now();
        let mut points: Vec<&Point> = history.between(self.counted_to, now).collect();
        points.reverse();
        for point in points {
            let errors = point.delta.errors();
            self.errors += errors;
            self.worst_per_second = self.worst_per_second.max(errors / point.covers.max(1));
            for (sum, count) in self.endings.iter_mut().zip(&point.delta.endings) {
                *sum += count;
            }
            self.over += over_usual(point, self.usual);
            if self.over > self.most_over {
                self.most_over = self.over;
                self.last_bad = point.second;
            }
            // Sessions that are not back yet are an outage that goes on, however few endings a second it has.
            let g = &point.gauges;
            let away = g.reconnecting + g.connecting;
            if away * 100 > (g.ready + away) * RECOVERED_PCT
                && g.ready * 100 < self.ready_before * (100 - RECOVERED_PCT)
            {
                self.last_bad = point.second;
            }
        }
        self.counted_to = now;
        if now < self.since + CAUSE_SECONDS {
            let first = self.endings;
            self.blame(&first);
        }
        self.mostly = most(&self.endings);
    }
}

fn most(endings: &[u64; Verdict::COUNT]) -> Option<Verdict> {
    Verdict::ALL
        .into_iter()
        .filter(|v| v.is_error() && endings[v.index()] > 0)
        .max_by_key(|v| (endings[v.index()], std::cmp::Reverse(*v)))
}

/// All incidents of a run.
#[derive(Clone, Debug, Default)]
pub struct Incidents {
    all: Vec<Incident>,
}

/// What a second brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// An incident began.
    Began,
    /// It is over.
    Ended,
}

impl Incidents {
    /// All, the oldest first.
    pub fn all(&self) -> &[Incident] {
        &self.all
    }

    /// The one that goes on.
    pub fn current(&self) -> Option<&Incident> {
        self.all.last().filter(|i| i.until.is_none())
    }

    /// The latest, over or not.
    pub fn latest(&self) -> Option<&Incident> {
        self.all.last()
    }

    /// Judges the newest second.
    pub fn judge(&mut self, history: &History) -> Change {
        let now = history.now();
        let Some(current) = self.all.last_mut().filter(|i| i.until.is_none()) else {
            let Some(kind) = self.sign(history, now) else {
                return Change::None;
            };
            self.begin(kind, history);
            return Change::Began;
        };
        current.follow(history);
        if now.saturating_sub(current.last_bad) >= QUIET_SECONDS {
            current.until = Some(current.last_bad);
            return Change::Ended;
        }
        Change::None
    }

    fn begin(&mut self, kind: Kind, history: &History) {
        let now = history.now();
        let span = match kind {
            Kind::Storm => STORM_SECONDS,
            Kind::Departure => RECENT_SECONDS,
        };
        let after = self.all.last().and_then(|i| i.until).unwrap_or(0);
        let usual = self.baseline(history, now).per_second();
        // The second from which the errors over the usual add up to the most.
        let (mut sum, mut highest, mut since) = (0.0, f64::NEG_INFINITY, now);
        for point in history.between(now.saturating_sub(span).max(after), now) {
            sum += over_usual(point, usual);
            if sum > highest && point.delta.errors() > 0 {
                (highest, since) = (sum, point.second);
            }
        }
        let before = history
            .at(since.saturating_sub(1))
            .map(|p| p.gauges)
            .unwrap_or_default();
        let mut incident = Incident {
            kind,
            since,
            until: None,
            last_bad: now,
            errors: 0,
            open_before: before.open,
            ready_before: before.ready,
            worst_per_second: 0,
            cause: None,
            cause_count: 0,
            mostly: None,
            endings: [0; Verdict::COUNT],
            counted_to: since.saturating_sub(1),
            usual,
            over: 0.0,
            most_over: 0.0,
        };
        // The cause is that of the first seconds, even if the sign came later.
        let mut first = [0; Verdict::COUNT];
        for point in history.between(since.saturating_sub(1), since + CAUSE_SECONDS - 1) {
            for (sum, count) in first.iter_mut().zip(&point.delta.endings) {
                *sum += count;
            }
        }
        incident.follow(history);
        incident.blame(&first);
        if self.all.len() >= KEPT {
            self.all.remove(0);
        }
        self.all.push(incident);
    }

    fn sign(&self, history: &History, now: u64) -> Option<Kind> {
        let storm = Window::ending(history, now, STORM_SECONDS);
        if storm.errors >= STORM_ERRORS && storm.rate_pct().is_some_and(|r| r >= STORM_PCT) {
            return Some(Kind::Storm);
        }
        if lost_all(history, now) {
            return Some(Kind::Storm);
        }
        let recent = Hazard::of(history, now.saturating_sub(RECENT_SECONDS), now, |_| false);
        let baseline = self.baseline(history, now);
        if baseline.seconds < LEAST_BASELINE_SECONDS || recent.errors < DEPARTURE_ERRORS {
            return None;
        }
        let expected = baseline.per_second() * recent.exposure as f64;
        let over = recent.errors as f64 - expected;
        let departed = recent.errors as f64 > 2.0 * expected && over > 3.0 * (expected + 1.0).sqrt();
        departed.then_some(Kind::Departure)
    }

    /// The minute before the recent seconds, without the seconds of incidents.
    fn baseline(&self, history: &History, now: u64) -> Hazard {
        let to = now.saturating_sub(RECENT_SECONDS);
        Hazard::of(history, to.saturating_sub(BASELINE_SECONDS), to, |second| {
            self.all
                .iter()
                .rev()
                .any(|i| i.since <= second && i.until.is_none_or(|until| second <= until))
        })
    }
}

/// Whether a gateway with a handful of sessions lost all of them within a storm's window, and nobody left in order: where
/// short sessions come and go, a few losses are not all.
fn lost_all(history: &History, now: u64) -> bool {
    let from = now.saturating_sub(STORM_SECONDS);
    let before = history.at(from).map_or(0, |p| p.gauges.ready);
    if before < FEWEST_LOST || history.last().is_none_or(|p| p.gauges.ready > 0) {
        return false;
    }
    let (mut lost, mut in_order) = (0, 0);
    for point in history.between(from, now) {
        for verdict in Verdict::ALL {
            let count = point.delta.endings[verdict.index()];
            if !verdict.is_error() {
                in_order += count;
            } else if verdict >= Verdict::SessionRevoked {
                lost += count;
            }
        }
    }
    lost >= before && in_order == 0
}

/// Errors of a second over what is usual, less what is let pass.
fn over_usual(point: &Point, usual: f64) -> f64 {
    let covers = point.covers.max(1);
    let exposure = (point.gauges.open * covers + point.delta.begun) as f64;
    point.delta.errors() as f64 - SLACK * usual * exposure - STRAY_PER_SECOND * covers as f64
}

/// Errors per connection-second.
#[derive(Debug, Default)]
struct Hazard {
    seconds: u64,
    errors: u64,
    exposure: u64,
}

impl Hazard {
    fn per_second(&self) -> f64 {
        self.errors as f64 / self.exposure.max(1) as f64
    }

    fn of(history: &History, from: u64, to: u64, leave_out: impl Fn(u64) -> bool) -> Self {
        let mut hazard = Self::default();
        for point in history.between(from, to) {
            if !leave_out(point.second) {
                hazard.seconds += point.covers.max(1);
                hazard.errors += point.delta.errors();
                hazard.exposure += point.gauges.open * point.covers.max(1) + point.delta.begun;
            }
        }
        hazard
    }
}
