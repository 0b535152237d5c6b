//! Heartbeats: periods learned, gaps found.

use crate::tcp::Way;
use clw_core::verdict::Side;
use std::num::NonZeroU64;

/// Intervals kept of a kind of beat.
const KEPT: usize = 8;
/// The same, where it counts intervals.
const FULL: u8 = 8;
/// So many intervals make a period.
const LEARNED: usize = 2;
/// Gaps kept of one connection.
const MAX_GAPS: usize = 64;
/// A silence shorter than this is no gap, whatever the period: schedulers and coalescing move beats about.
const LEAST_GAP_NS: u64 = 20_000_000;

/// What beats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// WebSocket ping.
    Ping,
    /// WebSocket pong.
    Pong,
    /// The dialect's own: tick, AUTH_PING, JSON ping and what answers them.
    Tick,
}

/// Why nothing came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The side's kernel went on acknowledging; its program sent nothing.
    StalledApplication,
    /// What the other side sent was not acknowledged either.
    PathCut,
    /// What the silent side was sent did not reach it, or what it sent did not come back, while the other direction went on.
    OneWay,
    /// The other side acknowledged what is not in the capture.
    CaptureLoss,
    /// No packet tells.
    Unknown,
}

impl Cause {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StalledApplication => "stalled application: acknowledgements go on, data does not",
            Self::PathCut => "path cut: retransmissions unanswered",
            Self::OneWay => "one-way: packets of that side come, and do not acknowledge what it was sent",
            Self::CaptureLoss => "capture loss: that side's data was acknowledged and is not in the capture",
            Self::Unknown => "not visible: too little was sent to that side meanwhile",
        }
    }
}

/// A silence where beats were due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last beat before it, in nanoseconds since the Unix epoch.
    pub from_ns: u64,
    /// The next one, or the end.
    pub to_ns: u64,
    /// Whose beats were missing.
    pub side: Side,
    /// Why.
    pub cause: Cause,
    /// No beat ended it.
    pub is_open: bool,
}

/// What the packets said about a silent side, at the end of the silence.
#[derive(Clone, Copy, Debug, Default)]
pub struct Signs {
    /// When the silent side last sent any packet, before the one that ends the silence.
    pub last_packet_ns: u64,
    /// Packets of the other side that went unanswered in a row.
    pub unanswered: u32,
    /// Packets of the other side that were sent again since the silent side last acknowledged something new.
    pub unacknowledged: u32,
    /// Bytes of the silent side that are not in the capture.
    pub missing_bytes: u64,
    /// When the silent side itself sent the same again and again, and nobody answered: from when to when.
    pub stuck_ns: (u64, u64),
}

/// One kind of beat of one side.
#[derive(Clone, Debug, Default)]
struct Beat {
    last_ns: u64,
    count: u32,
    intervals_us: [u32; KEPT],
    known: u8,
    /// Bytes of its side that were missing at its last one, as [`low_bits`].
    missing_bytes: u16,
}

impl Beat {
    fn period_ns(&self) -> Option<u64> {
        let known = usize::from(self.known).min(KEPT);
        if known < LEARNED {
            return None;
        }
        let mut sorted = self.intervals_us;
        let sorted = &mut sorted[..known];
        sorted.sort_unstable();
        let median = sorted[known / 2];
        let usual = median - median / 3..=median.saturating_add(median / 3);
        let regular = sorted.iter().filter(|interval| usual.contains(interval)).count();
        // What comes now and then, as a ping of an idle client does, owes nobody the next one.
        (2 * regular > known).then(|| u64::from(median) * 1000)
    }

    fn learn(&mut self, interval_ns: u64) {
        let slot = usize::from(self.known) % KEPT;
        self.intervals_us[slot] = u32::try_from(interval_ns / 1000).unwrap_or(u32::MAX);
        self.known = if usize::from(self.known) + 1 >= 2 * KEPT {
            // Keeps counting in the upper half, so that the ring is full for ever.
            FULL
        } else {
            self.known + 1
        };
    }
}

/// All beats of a connection.
#[derive(Clone, Debug)]
pub struct Beats {
    kinds: [[Beat; 3]; 2],
    /// Oldest unanswered ping of each side: WebSocket, then the dialect's.
    unanswered: [[Option<NonZeroU64>; 2]; 2],
    /// Which of those each side has ever sent: the other side's beats of that kind are answers.
    asks: [[bool; 2]; 2],
    gaps: Vec<Gap>,
    /// A silence longer than this many periods is a gap.
    factor: f64,
    announced_ns: Option<NonZeroU64>,
}

impl Beats {
    /// `factor`: a gap is a silence longer than so many usual periods.
    pub fn new(factor: f64) -> Self {
        Self {
            kinds: Default::default(),
            unanswered: [[None; 2]; 2],
            asks: [[false; 2]; 2],
            gaps: Vec::new(),
            factor,
            announced_ns: None,
        }
    }

    /// The server told the period of its ticks.
    pub fn announce(&mut self, period_ms: u64) {
        self.announced_ns = NonZeroU64::new(period_ms.saturating_mul(1_000_000));
    }

    /// A beat came.
    pub fn beat(&mut self, way: Way, kind: Kind, at_ns: u64, signs: Signs) {
        let missing_bytes = low_bits(signs.missing_bytes);
        let beat = &mut self.kinds[way as usize][kind as usize];
        let last_ns = std::mem::replace(&mut beat.last_ns, at_ns);
        let missing_before = std::mem::replace(&mut beat.missing_bytes, missing_bytes);
        beat.count = beat.count.saturating_add(1);
        if beat.count == 1 {
            return;
        }
        let interval = at_ns.saturating_sub(last_ns);
        // The period is looked for only where its silence could be one.
        let is_silence = interval >= LEAST_GAP_NS
            && self
                .period_of(way, kind)
                .is_some_and(|period| is_gap(interval, period, self.factor));
        // Silences are learned from too: where every other one is long, there is no period.
        self.kinds[way as usize][kind as usize].learn(interval);
        if is_silence && self.is_due(way, kind, last_ns, at_ns) {
            self.gap(way, (last_ns, at_ns), missing_before, signs, false);
        }
    }

    /// Whether a side that was last heard at `last_ns` owed a beat for a good part of the time: an answer is due only while a
    /// question waits for it, and the next question only once the last one was answered.
    fn is_due(&self, way: Way, kind: Kind, last_ns: u64, now_ns: u64) -> bool {
        let (asked_by, answer) = match kind {
            Kind::Ping | Kind::Pong => (Kind::Ping, Kind::Pong),
            Kind::Tick => (Kind::Tick, Kind::Tick),
        };
        if kind != Kind::Pong && self.asks[way as usize][usize::from(kind == Kind::Tick)] {
            // Clients that wait for an answer hold the next question back: the silence is the other side's.
            let is_waiting = self.waiting_since_ns(way, kind).is_some();
            let answered_ns = self.kinds[way.back() as usize][answer as usize].last_ns;
            let since_ns = last_ns.max(answered_ns);
            let period = self.period_of(way, kind).unwrap_or_default();
            return !is_waiting && is_gap(now_ns.saturating_sub(since_ns), period, self.factor);
        }
        if kind == Kind::Ping {
            return true;
        }
        if !self.asks[way.back() as usize][usize::from(asked_by == Kind::Tick)] {
            return true;
        }
        self.waiting_since_ns(way.back(), asked_by)
            .is_some_and(|asked_ns| now_ns.saturating_sub(asked_ns) >= now_ns.saturating_sub(last_ns) / 4)
    }

    /// A ping that wants an answer went out.
    pub fn asked(&mut self, way: Way, kind: Kind, at_ns: u64) {
        let answer = if kind == Kind::Ping { Kind::Pong } else { kind };
        let kind = usize::from(kind == Kind::Tick);
        self.asks[way as usize][kind] = true;
        // What waited for a packet that was lost is read after its answer.
        if self.kinds[way.back() as usize][answer as usize].last_ns > at_ns {
            return;
        }
        self.unanswered[way as usize][kind].get_or_insert(at(at_ns));
    }

    /// The answer to what `way` asked came.
    pub fn answered(&mut self, way: Way, kind: Kind) {
        self.unanswered[way as usize][usize::from(kind == Kind::Tick)] = None;
    }

    /// Since when a WebSocket ping (or a ping of the dialect) of `way` has waited.
    pub fn waiting_since_ns(&self, way: Way, kind: Kind) -> Option<u64> {
        self.unanswered[way as usize][usize::from(kind == Kind::Tick)].map(NonZeroU64::get)
    }

    /// How many beats of a kind both sides sent.
    pub fn count(&self, kind: Kind) -> u64 {
        self.kinds
            .iter()
            .map(|side| u64::from(side[kind as usize].count))
            .sum()
    }

    /// The period that a reader would name: the dialect's beats before WebSocket pings.
    pub fn period_ns(&self) -> Option<u64> {
        let learned = [Kind::Tick, Kind::Ping, Kind::Pong].into_iter().find_map(|kind| {
            [Way::Down, Way::Up]
                .into_iter()
                .find_map(|way| self.kinds[way as usize][kind as usize].period_ns())
        });
        learned.or(self.announced_ns.map(NonZeroU64::get))
    }

    /// The period of a side's beats: announced, learned, or that of what they answer.
    fn period_of(&self, way: Way, kind: Kind) -> Option<u64> {
        let announced = self
            .announced_ns
            .filter(|_| kind == Kind::Tick && way == Way::Down)
            .map(NonZeroU64::get);
        let learned = || self.kinds[way as usize][kind as usize].period_ns();
        let asked_by = match kind {
            Kind::Ping => None,
            Kind::Pong => Some(Kind::Ping),
            Kind::Tick => Some(Kind::Tick),
        };
        let answered = || self.kinds[way.back() as usize][asked_by? as usize].period_ns();
        announced.or_else(learned).or_else(answered)
    }

    /// The end: what has been silent for too long by then is a gap too. `signs` by way, and whose frames were lost.
    pub fn finish(&mut self, end_ns: u64, signs: [Signs; 2], lost: [bool; 2]) {
        for way in [Way::Up, Way::Down]
            .into_iter()
            .filter(|way| !lost[*way as usize])
        {
            for kind in [Kind::Ping, Kind::Pong, Kind::Tick] {
                let period = self.period_of(way, kind);
                let beat = &self.kinds[way as usize][kind as usize];
                let (last_ns, count, missing_before) = (beat.last_ns, beat.count, beat.missing_bytes);
                let silence = end_ns.saturating_sub(last_ns);
                let is_due = self.is_due(way, kind, last_ns, end_ns);
                if count > 0 && is_due && period.is_some_and(|period| is_gap(silence, period, self.factor)) {
                    self.gap(way, (last_ns, end_ns), missing_before, signs[way as usize], true);
                }
            }
        }
    }

    /// A ping of `way`, or else its data, was given up unanswered: the other side was silent.
    pub fn given_up(&mut self, way: Way, ping: Option<Kind>, asked_ns: u64, end_ns: u64, signs: Signs) {
        let answer = ping.map(|kind| if kind == Kind::Ping { Kind::Pong } else { kind });
        let missing_before = answer.map_or(low_bits(signs.missing_bytes), |answer| {
            self.kinds[way.back() as usize][answer as usize].missing_bytes
        });
        self.gap(way.back(), (asked_ns, end_ns), missing_before, signs, true);
    }

    /// The gaps, in order, at most a few.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Adds a gap; several kinds of beat that stop together make one. `missing_before`: bytes that were missing when it began.
    fn gap(
        &mut self,
        way: Way,
        (from_ns, to_ns): (u64, u64),
        missing_before: u16,
        signs: Signs,
        is_open: bool,
    ) {
        // A side whose packets nobody acknowledges cannot send its beats: it is the other one that is silent.
        let stuck_ns = signs
            .stuck_ns
            .1
            .min(to_ns)
            .saturating_sub(signs.stuck_ns.0.max(from_ns));
        let is_stuck = stuck_ns > (to_ns - from_ns) / 2;
        let side = if is_stuck {
            way.back().sender()
        } else {
            way.sender()
        };
        let cause = if is_stuck {
            Cause::PathCut
        } else if low_bits(signs.missing_bytes) != missing_before {
            Cause::CaptureLoss
        } else if signs.unanswered < 2 && signs.unacknowledged >= 2 {
            Cause::OneWay
        } else if signs.last_packet_ns > from_ns + (to_ns - from_ns) / 4 {
            Cause::StalledApplication
        } else if signs.unanswered >= 2 {
            Cause::PathCut
        } else {
            Cause::Unknown
        };
        let overlaps = |gap: &&mut Gap| gap.side == side && gap.from_ns <= to_ns && from_ns <= gap.to_ns;
        if let Some(gap) = self.gaps.iter_mut().rev().find(overlaps) {
            gap.from_ns = gap.from_ns.min(from_ns);
            gap.to_ns = gap.to_ns.max(to_ns);
            gap.is_open |= is_open;
            if gap.cause == Cause::Unknown {
                gap.cause = cause;
            }
        } else if self.gaps.len() < MAX_GAPS {
            self.gaps.push(Gap {
                from_ns,
                to_ns,
                side,
                cause,
                is_open,
            });
        }
    }
}

/// A time that can be left out without room of its own. The epoch's first nanosecond is no time of a capture.
fn at(at_ns: u64) -> NonZeroU64 {
    NonZeroU64::new(at_ns).unwrap_or(NonZeroU64::MIN)
}

/// Enough to tell that a count went up.
const fn low_bits(count: u64) -> u16 {
    (count & 0xFFFF) as u16
}

fn is_gap(silence_ns: u64, period_ns: u64, factor: f64) -> bool {
    silence_ns as f64 > period_ns as f64 * factor && silence_ns >= period_ns.saturating_add(LEAST_GAP_NS)
}

#[cfg(test)]
mod tests;
