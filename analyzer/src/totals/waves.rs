//! Events over time, put together: what comes all at once, and what keeps coming one after another.
//!
//! * An **episode** is over when nothing comes for [`QUIET_NS`].
//! * In it, a second **stands out** when it holds at least [`OVER`] events more than [`TIMES`] the average of the others. Seconds
//!   that stand out, one after another, are a wave of their own.
//! * The rest of the episode is **lasting**, and one wave however long it is, if it goes on for more than [`QUIET_NS`]. If it does
//!   not, nothing was usual that could be stood out from: what is less than a second apart belongs together.
//! * A wave without [`FEWEST`] events less than a second apart is not told.

use std::collections::BTreeMap;

/// Events that are closer together than this belong together.
const NEAR_NS: u64 = 1_000_000_000;
/// So many of them are worth telling.
pub(super) const FEWEST: u64 = 5;
/// A second with so many times the usual, and so many more, is not the usual any more: chance makes one of those in years.
const TIMES: u64 = 3;
const OVER: u64 = 10;
/// Nothing for so long ends an episode; what goes on for longer is lasting. The dashboard's incidents end likewise.
const QUIET_NS: u64 = 10_000_000_000;
/// Events are put in slots of so many nanoseconds at first.
const FIRST_SLOT_NS: u64 = 100_000_000;
/// Slots kept; when there are more, they are made twice as long.
const MAX_SLOTS: usize = 200_000;
/// They are made no longer than this: past it, what is new is not counted.
const LONGEST_SLOT_NS: u64 = 4_000_000_000_000;

/// What is known of some events, and can be added up.
pub(super) trait Sum: Default {
    /// Adds what is known of others.
    fn add(&mut self, other: Self);
}

/// Events of some time.
#[derive(Clone, Debug, Default)]
struct Slot<T> {
    count: u64,
    first_ns: u64,
    last_ns: u64,
    sum: T,
}

/// Events that belong together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wave<T> {
    /// How many.
    pub(super) count: u64,
    /// When the first one was.
    pub(super) first_ns: u64,
    /// When the last one was.
    pub(super) last_ns: u64,
    /// They came one after another, for longer than a cause that meets all at once needs.
    pub(super) is_lasting: bool,
    /// The most within a second; where slots are longer, the average of the fullest.
    pub(super) most_per_second: f64,
    /// What came in a second all the time while these came at once.
    pub(super) usual_per_second: f64,
    /// What is known of them.
    pub(super) sum: T,
}

impl<T> Wave<T> {
    /// From the first one to the last.
    pub(super) const fn length_ns(&self) -> u64 {
        self.last_ns - self.first_ns
    }

    /// How many a second; those of less than a second are taken for one second's.
    pub(super) fn per_second(&self) -> f64 {
        self.count as f64 * 1e9 / self.length_ns().max(NEAR_NS) as f64
    }
}

/// Events by key and time, in bounded memory.
#[derive(Debug)]
pub(super) struct Waves<K, T> {
    slots: BTreeMap<K, BTreeMap<u64, Slot<T>>>,
    slot_count: usize,
    slot_ns: u64,
    max_slots: usize,
}

impl<K: Ord, T> Default for Waves<K, T> {
    fn default() -> Self {
        Self {
            slots: BTreeMap::new(),
            slot_count: 0,
            slot_ns: FIRST_SLOT_NS,
            max_slots: MAX_SLOTS,
        }
    }
}

impl<K: Ord + Clone, T: Sum> Waves<K, T> {
    /// Counts an event, if there is room for it.
    pub(super) fn add(&mut self, key: K, at_ns: u64, known: T) -> bool {
        while self.is_full(&key, at_ns) {
            if self.slot_ns >= LONGEST_SLOT_NS {
                return false;
            }
            self.double();
        }
        let slots = self.slots.entry(key).or_default();
        let before = slots.len();
        slots
            .entry(at_ns / self.slot_ns)
            .or_default()
            .join(Slot::of(at_ns, known));
        self.slot_count += slots.len() - before;
        true
    }

    fn is_full(&self, key: &K, at_ns: u64) -> bool {
        let is_known = || {
            let slots = self.slots.get(key);
            slots.is_some_and(|slots| slots.contains_key(&(at_ns / self.slot_ns)))
        };
        self.slot_count >= self.max_slots && !is_known()
    }

    /// Two slots become one.
    fn double(&mut self) {
        self.slot_ns *= 2;
        self.slot_count = 0;
        for slots in self.slots.values_mut() {
            let mut wider: BTreeMap<u64, Slot<T>> = BTreeMap::new();
            for (at, slot) in std::mem::take(slots) {
                wider.entry(at / 2).or_default().join(slot);
            }
            self.slot_count += wider.len();
            *slots = wider;
        }
    }

    /// What belongs together, by key, and in the order of time.
    pub(super) fn finish(self) -> Vec<(K, Wave<T>)> {
        let grid = Grid {
            width: NEAR_NS.div_ceil(self.slot_ns),
            slot_ns: self.slot_ns,
        };
        let mut waves = Vec::new();
        for (key, slots) in self.slots {
            let mut episode: Vec<(u64, Slot<T>)> = Vec::new();
            let mut told = Vec::new();
            for (at, slot) in slots {
                let quiet_ns = episode
                    .last()
                    .map_or(0, |(_, last)| slot.first_ns.saturating_sub(last.last_ns));
                if quiet_ns > QUIET_NS {
                    told.extend(waves_of(std::mem::take(&mut episode), grid));
                }
                episode.push((at, slot));
            }
            told.extend(waves_of(episode, grid));
            waves.extend(told.into_iter().map(|wave| (key.clone(), wave)));
        }
        waves
    }
}

impl<T> Slot<T> {
    /// Whether `next`, which comes later, belongs together with this one.
    const fn is_near(&self, next: &Self) -> bool {
        next.first_ns.saturating_sub(self.last_ns) <= NEAR_NS
    }
}

impl<T: Sum> Slot<T> {
    fn of(at_ns: u64, sum: T) -> Self {
        Self {
            count: 1,
            first_ns: at_ns,
            last_ns: at_ns,
            sum,
        }
    }

    fn join(&mut self, other: Self) {
        if self.count == 0 {
            *self = other;
            return;
        }
        self.count += other.count;
        self.first_ns = self.first_ns.min(other.first_ns);
        self.last_ns = self.last_ns.max(other.last_ns);
        self.sum.add(other.sum);
    }
}

/// How time is divided.
#[derive(Clone, Copy, Debug)]
struct Grid {
    /// So many slots are a second, or longer.
    width: u64,
    slot_ns: u64,
}

/// The waves of an episode.
fn waves_of<T: Sum>(slots: Vec<(u64, Slot<T>)>, grid: Grid) -> Vec<Wave<T>> {
    let counts: Vec<(u64, u64)> = slots.iter().map(|(at, slot)| (*at, slot.count)).collect();
    let stands_out = outstanding(&counts, grid.width);
    let usual = slots
        .iter()
        .zip(&stands_out)
        .filter(|(_, stands_out)| !**stands_out);
    let mut usual = usual.map(|((_, slot), _)| slot);
    let from_ns = usual.next().map(|slot| slot.first_ns);
    let until_ns = usual.next_back().map(|slot| slot.last_ns);
    let usual_ns = until_ns.zip(from_ns).map_or(0, |(until, from)| until - from);
    if usual_ns <= QUIET_NS {
        let together = chains(slots).into_iter();
        return together.filter_map(|chain| wave(chain, grid)).collect();
    }
    let (mut bursts, mut usual) = (Vec::new(), Vec::new());
    for (slot, stands_out) in slots.into_iter().zip(stands_out) {
        if stands_out { &mut bursts } else { &mut usual }.push(slot);
    }
    let usual = wave(usual, grid);
    let usual_per_second = usual.as_ref().map_or(0.0, Wave::per_second);
    let bursts = chains(bursts).into_iter().filter_map(|chain| wave(chain, grid));
    let mut waves: Vec<_> = bursts
        .map(|wave| Wave {
            usual_per_second,
            ..wave
        })
        .chain(usual)
        .collect();
    waves.sort_by_key(|wave| wave.first_ns);
    waves
}

/// Which slots belong to a second that stands out, of slots and what they hold. The fullest second is looked at first: one that
/// stands out is not what the others are compared with.
fn outstanding(counts: &[(u64, u64)], width: u64) -> Vec<bool> {
    let mut stands_out = vec![false; counts.len()];
    let (Some((first, _)), Some((last, _))) = (counts.first(), counts.last()) else {
        return stands_out;
    };
    let seconds = u128::from((last - first) / width + 1);
    let mut left: u64 = counts.iter().map(|(_, count)| count).sum();
    let mut fullest = seconds_from_each(counts, width);
    fullest.sort_by_key(|(from, _, count)| (std::cmp::Reverse(*count), *from));
    for (from, to, _) in fullest {
        let mut free = 0;
        for at in from..to {
            free += if stands_out[at] { 0 } else { counts[at].1 };
        }
        let others = u128::from(left - free);
        if u128::from(free) * seconds >= u128::from(OVER) * seconds + u128::from(TIMES) * others {
            stands_out[from..to].fill(true);
            left -= free;
        }
    }
    stands_out
}

/// The second that begins with each slot: from which slot, to before which, and how much it holds.
fn seconds_from_each(counts: &[(u64, u64)], width: u64) -> Vec<(usize, usize, u64)> {
    let (mut to, mut sum) = (0, 0);
    let mut seconds = Vec::with_capacity(counts.len());
    for (from, (at, count)) in counts.iter().enumerate() {
        while let Some((next, count)) = counts.get(to).filter(|(next, _)| next - at < width) {
            debug_assert!(next >= at, "slots are in order");
            sum += count;
            to += 1;
        }
        seconds.push((from, to, sum));
        sum -= count;
    }
    seconds
}

/// Slots that follow one another within a second, together.
fn chains<T>(slots: Vec<(u64, Slot<T>)>) -> Vec<Vec<(u64, Slot<T>)>> {
    let mut chains: Vec<Vec<(u64, Slot<T>)>> = Vec::new();
    for slot in slots {
        match chains.last_mut() {
            Some(chain) if chain.last().is_some_and(|(_, last)| last.is_near(&slot.1)) => chain.push(slot),
            _ => chains.push(vec![slot]),
        }
    }
    chains
}

/// One wave of all these slots, if enough of it is close together.
fn wave<T: Sum>(slots: Vec<(u64, Slot<T>)>, grid: Grid) -> Option<Wave<T>> {
    let counts: Vec<(u64, u64)> = slots.iter().map(|(at, slot)| (*at, slot.count)).collect();
    let most = seconds_from_each(&counts, grid.width)
        .into_iter()
        .map(|(_, _, count)| count)
        .max()?;
    let mut whole: Slot<T> = Slot::default();
    let (mut together, mut is_told) = (0, false);
    for (_, slot) in slots {
        together = if whole.is_near(&slot) {
            together + slot.count
        } else {
            slot.count
        };
        is_told |= together >= FEWEST;
        whole.join(slot);
    }
    is_told.then(|| Wave {
        count: whole.count,
        first_ns: whole.first_ns,
        last_ns: whole.last_ns,
        is_lasting: whole.last_ns - whole.first_ns > QUIET_NS,
        most_per_second: most as f64 * 1e9 / (grid.width * grid.slot_ns) as f64,
        usual_per_second: 0.0,
        sum: whole.sum,
    })
}

#[cfg(test)]
mod tests;
