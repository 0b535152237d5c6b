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
            Self::Unknown => "cause not visible",
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
    /// What was missing of each side at its last beat.
    missing_bytes: [u32; 2],
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
            missing_bytes: [0; 2],
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
        let beat = &mut self.kinds[way as usize][kind as usize];
        let last_ns = std::mem::replace(&mut beat.last_ns, at_ns);
        beat.count = beat.count.saturating_add(1);
        if beat.count == 1 {
            self.missing_bytes[way as usize] = low_bits(signs.missing_bytes);
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
            self.gap(way, last_ns, at_ns, signs, false);
        }
        self.missing_bytes[way as usize] = low_bits(signs.missing_bytes);
    }

    /// Whether a side that was last heard at `last_ns` owed a beat for a good part of the time: an answer is due only while a
    /// question waits for it.
    fn is_due(&self, way: Way, kind: Kind, last_ns: u64, now_ns: u64) -> bool {
        let asked_by = match kind {
            Kind::Ping => return true,
            Kind::Pong => Kind::Ping,
            Kind::Tick => Kind::Tick,
        };
        if !self.asks[way.back() as usize][usize::from(asked_by == Kind::Tick)] {
            return true;
        }
        self.waiting_since_ns(way.back(), asked_by)
            .is_some_and(|asked_ns| now_ns.saturating_sub(asked_ns) >= now_ns.saturating_sub(last_ns) / 4)
    }

    /// A ping that wants an answer went out.
    pub fn asked(&mut self, way: Way, kind: Kind, at_ns: u64) {
        let kind = usize::from(kind == Kind::Tick);
        self.asks[way as usize][kind] = true;
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
                let (last_ns, count) = (beat.last_ns, beat.count);
                let silence = end_ns.saturating_sub(last_ns);
                let is_due = self.is_due(way, kind, last_ns, end_ns);
                if count > 0 && is_due && period.is_some_and(|period| is_gap(silence, period, self.factor)) {
                    self.gap(way, last_ns, end_ns, signs[way as usize], true);
                }
            }
        }
    }

    /// A ping of `way` was given up unanswered: the other side was silent.
    pub fn given_up(&mut self, way: Way, asked_ns: u64, end_ns: u64, signs: Signs) {
        self.gap(way.back(), asked_ns, end_ns, signs, true);
    }

    /// The gaps, in order, at most a few.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Adds a gap; several kinds of beat that stop together make one.
    fn gap(&mut self, way: Way, from_ns: u64, to_ns: u64, signs: Signs, is_open: bool) {
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
        } else if low_bits(signs.missing_bytes) != self.missing_bytes[way as usize] {
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
const fn low_bits(count: u64) -> u32 {
    (count & 0xFFFF_FFFF) as u32
}

fn is_gap(silence_ns: u64, period_ns: u64, factor: f64) -> bool {
    silence_ns as f64 > period_ns as f64 * factor && silence_ns >= period_ns.saturating_add(LEAST_GAP_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn beats_at(seconds: &[u64]) -> Beats {
        let mut beats = Beats::new(1.5);
        for second in seconds {
            beats.beat(Way::Down, Kind::Tick, second * S, Signs::default());
        }
        beats
    }

    #[test]
    fn the_period_is_learned_and_a_silence_over_one_and_a_half_is_a_gap() {
        let mut beats = beats_at(&[10, 40, 70, 100, 190, 220]);
        beats.finish(230 * S, [Signs::default(); 2], [false; 2]);
        assert_eq!(beats.period_ns(), Some(30 * S));
        let gaps: Vec<_> = beats
            .gaps()
            .iter()
            .map(|g| (g.from_ns / S, g.to_ns / S, g.side))
            .collect();
        assert_eq!(gaps, [(100, 190, Side::Server)]);
    }

    #[test]
    fn what_comes_now_and_then_has_no_period() {
        // A client that pings when it has been idle: at first it may seem to have one.
        let mut beats = beats_at(&[0, 10, 20, 50, 90, 91, 140, 141, 200]);
        let gaps = beats.gaps().len();
        assert!(gaps <= 2, "{gaps}");
        assert_eq!(beats.period_ns(), None);
        for second in [201, 280, 281, 350] {
            beats.beat(Way::Down, Kind::Tick, second * S, Signs::default());
        }
        beats.finish(1000 * S, [Signs::default(); 2], [false; 2]);
        assert_eq!(beats.gaps().len(), gaps);
        // One stall among many beats is a gap, and the period stays.
        let beats = beats_at(&[0, 10, 20, 70, 80, 90, 150, 160]);
        assert_eq!((beats.gaps().len(), beats.period_ns()), (2, Some(10 * S)));
    }

    #[test]
    fn the_end_can_be_a_gap_too() {
        let mut beats = beats_at(&[10, 12, 14, 16]);
        beats.finish(20 * S, [Signs::default(); 2], [false; 2]);
        assert_eq!(beats.gaps().len(), 1);
        let mut beats = beats_at(&[10, 12, 14, 16]);
        beats.finish(18 * S, [Signs::default(); 2], [false; 2]);
        assert_eq!(beats.gaps().len(), 0);
    }

    #[test]
    fn too_few_beats_have_no_period_unless_it_was_announced() {
        let mut beats = beats_at(&[10, 100]);
        beats.finish(300 * S, [Signs::default(); 2], [false; 2]);
        assert_eq!(beats.gaps(), []);
        let mut beats = Beats::new(1.5);
        beats.announce(30_000);
        for second in [10, 100] {
            beats.beat(Way::Down, Kind::Tick, second * S, Signs::default());
        }
        assert_eq!(beats.gaps().len(), 1);
    }

    #[test]
    fn beats_that_stop_together_make_one_gap() {
        let mut beats = beats_at(&[10, 12, 14]);
        for second in [11, 13, 15] {
            beats.beat(Way::Down, Kind::Ping, second * S, Signs::default());
        }
        beats.finish(30 * S, [Signs::default(); 2], [false; 2]);
        assert_eq!(beats.gaps().len(), 1);
        assert_eq!(beats.gaps()[0].from_ns, 14 * S);
    }

    #[test]
    fn acknowledgements_during_the_silence_show_a_stalled_application() {
        let mut beats = beats_at(&[10, 12, 14]);
        let signs = Signs {
            last_packet_ns: 29 * S,
            ..Signs::default()
        };
        beats.beat(Way::Down, Kind::Tick, 30 * S, signs);
        assert_eq!(beats.gaps()[0].cause, Cause::StalledApplication);
    }

    #[test]
    fn beats_that_were_acknowledged_and_not_captured_are_the_captures_loss() {
        let mut beats = beats_at(&[10, 12, 14]);
        let signs = Signs {
            last_packet_ns: 29 * S,
            missing_bytes: 12,
            ..Signs::default()
        };
        beats.beat(Way::Down, Kind::Tick, 30 * S, signs);
        assert_eq!(beats.gaps()[0].cause, Cause::CaptureLoss);
    }

    #[test]
    fn a_side_that_nobody_acknowledges_is_not_the_silent_one() {
        let mut beats = beats_at(&[10, 12, 14]);
        let signs = Signs {
            last_packet_ns: 29 * S,
            stuck_ns: (15 * S, 30 * S),
            ..Signs::default()
        };
        beats.beat(Way::Down, Kind::Tick, 30 * S, signs);
        let gap = beats.gaps()[0];
        assert_eq!((gap.side, gap.cause), (Side::Client, Cause::PathCut));
    }

    #[test]
    fn packets_that_acknowledge_nothing_show_that_one_direction_is_cut() {
        let mut beats = beats_at(&[10, 12, 14]);
        let signs = Signs {
            last_packet_ns: 29 * S,
            unacknowledged: 3,
            ..Signs::default()
        };
        beats.beat(Way::Down, Kind::Tick, 30 * S, signs);
        assert_eq!(beats.gaps()[0].cause, Cause::OneWay);
    }

    #[test]
    fn nobody_answers_what_nobody_asked() {
        let mut beats = Beats::new(1.5);
        let mut exchange = |second: u64| {
            beats.beat(Way::Up, Kind::Tick, second * S, Signs::default());
            beats.asked(Way::Up, Kind::Tick, second * S);
            beats.beat(Way::Down, Kind::Tick, second * S, Signs::default());
            beats.answered(Way::Up, Kind::Tick);
        };
        [2, 4, 6, 8, 30, 32].into_iter().for_each(&mut exchange);
        beats.finish(50 * S, [Signs::default(); 2], [false; 2]);
        let sides: Vec<_> = beats.gaps().iter().map(|gap| gap.side).collect();
        assert_eq!(sides, [Side::Client, Side::Client]);
    }
}
