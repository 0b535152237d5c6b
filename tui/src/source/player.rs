//! The clock of a replay: which entries are due, at any speed, forwards and backwards.

use std::ops::Range;
use std::time::Duration;

/// Speeds, as factors.
const SPEEDS: [u32; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// A position in a recording.
#[derive(Clone, Debug)]
pub struct Player {
    /// When each entry happened, in microseconds since the run's start, in order.
    times_us: Vec<u64>,
    /// When each incident is raised.
    incidents_us: Vec<u64>,
    next: usize,
    position_us: u64,
    speed: usize,
    /// Whether time runs.
    pub playing: bool,
}

/// What a jump asks of the one that shows the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seek {
    /// Whether everything is to be forgotten first: the jump goes back.
    pub anew: bool,
    /// Entries to take in then.
    pub entries: Range<usize>,
}

impl Player {
    /// At the beginning, playing. Times that go back are held at the greatest before them.
    pub fn new(times_us: impl IntoIterator<Item = u64>, incidents_us: Vec<u64>) -> Self {
        let times_us: Vec<u64> = times_us
            .into_iter()
            .scan(0, |latest, t| {
                *latest = t.max(*latest);
                Some(*latest)
            })
            .collect();
        Self {
            position_us: times_us.first().copied().unwrap_or(0),
            times_us,
            incidents_us,
            next: 0,
            speed: 0,
            playing: true,
        }
    }

    /// Where it is.
    pub fn position(&self) -> Duration {
        Duration::from_micros(self.position_us)
    }

    /// How long the recording is.
    pub fn end(&self) -> Duration {
        Duration::from_micros(self.end_us())
    }

    fn end_us(&self) -> u64 {
        self.times_us.last().copied().unwrap_or(0)
    }

    /// How many entries there are.
    pub fn entries(&self) -> usize {
        self.times_us.len()
    }

    /// Whether there is nothing after the position.
    pub fn at_end(&self) -> bool {
        self.next >= self.times_us.len()
    }

    /// How many times faster than it happened.
    pub fn speed(&self) -> u32 {
        SPEEDS[self.speed]
    }

    /// Twice as fast, or half.
    pub fn change_speed(&mut self, faster: bool) {
        self.speed = if faster {
            (self.speed + 1).min(SPEEDS.len() - 1)
        } else {
            self.speed.saturating_sub(1)
        };
    }

    /// The given factor, or the nearest below it that there is.
    pub fn set_speed(&mut self, factor: u32) {
        self.speed = SPEEDS.iter().rposition(|s| *s <= factor).unwrap_or(0);
    }

    /// Real time has passed; returns the entries that are due.
    pub fn advance(&mut self, passed: Duration) -> Range<usize> {
        if self.playing {
            let passed = u64::try_from(passed.as_micros()).unwrap_or(u64::MAX);
            let to = self
                .position_us
                .saturating_add(passed.saturating_mul(u64::from(self.speed())));
            self.position_us = to.min(self.end_us());
        }
        self.due()
    }

    /// Goes to a time.
    pub fn seek(&mut self, to: Duration) -> Seek {
        let to = u64::try_from(to.as_micros()).unwrap_or(u64::MAX);
        let first = self.times_us.first().copied().unwrap_or(0);
        let to = to.clamp(first, self.end_us().max(first));
        let anew = to < self.position_us;
        self.position_us = to;
        if anew {
            self.next = 0;
        }
        Seek {
            anew,
            entries: self.due(),
        }
    }

    /// Goes to the next incident after the position, or the one before it; `None` if there is none.
    pub fn seek_incident(&mut self, forwards: bool) -> Option<Seek> {
        let at = self.position_us;
        let to = if forwards {
            self.incidents_us.iter().find(|i| **i > at)
        } else {
            self.incidents_us.iter().rev().find(|i| **i < at)
        };
        to.copied().map(|us| self.seek(Duration::from_micros(us)))
    }

    /// How many incidents there are, and how many are ahead.
    pub fn incidents(&self) -> (usize, usize) {
        let ahead = self
            .incidents_us
            .iter()
            .filter(|i| **i > self.position_us)
            .count();
        (self.incidents_us.len(), ahead)
    }

    fn due(&mut self) -> Range<usize> {
        let from = self.next;
        self.next = self
            .times_us
            .partition_point(|t| *t <= self.position_us)
            .max(from);
        from..self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn player() -> Player {
        Player::new((1..=10).map(|s| s * 1_000_000), vec![4_000_000, 8_000_000])
    }

    #[test]
    fn entries_are_due_in_time_at_any_speed() {
        let mut player = player();
        assert_eq!(player.advance(Duration::ZERO), 0..1);
        assert_eq!(player.advance(Duration::from_millis(999)), 1..1);
        assert_eq!(player.advance(Duration::from_millis(1)), 1..2);
        player.set_speed(5);
        assert_eq!(player.speed(), 4);
        assert_eq!(player.advance(Duration::from_millis(500)), 2..4);
        player.playing = false;
        assert_eq!(player.advance(Duration::from_secs(9)), 4..4);
        player.playing = true;
        assert_eq!(player.advance(Duration::from_secs(99)), 4..10);
        assert!(player.at_end());
    }

    #[test]
    fn going_back_begins_anew_and_going_on_does_not() {
        let mut player = player();
        let on = player.seek(Duration::from_secs(5));
        assert_eq!((on.anew, on.entries), (false, 0..5));
        let back = player.seek(Duration::from_secs(2));
        assert_eq!((back.anew, back.entries), (true, 0..2));
        let before = player.seek(Duration::ZERO);
        assert_eq!((before.anew, before.entries), (true, 0..1));
        assert_eq!(player.seek(Duration::MAX).entries, 1..10);
    }

    #[test]
    fn incidents_are_jumped_to_in_both_directions() {
        let mut player = player();
        assert_eq!(player.incidents(), (2, 2));
        assert_eq!(player.seek_incident(true).map(|s| s.entries), Some(0..4));
        assert_eq!(player.seek_incident(true).map(|s| s.entries), Some(4..8));
        assert_eq!(player.seek_incident(true), None);
        assert_eq!(
            player.seek_incident(false),
            Some(Seek {
                anew: true,
                entries: 0..4
            })
        );
    }

    #[test]
    fn an_empty_recording_is_at_its_end() {
        let mut player = Player::new([], Vec::new());
        assert_eq!(player.advance(Duration::from_secs(1)), 0..0);
        assert!(player.at_end());
    }
}
