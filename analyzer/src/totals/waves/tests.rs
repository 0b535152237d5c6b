use super::*;
use proptest::prelude::*;

const MS: u64 = 1_000_000;
const S: u64 = 1_000_000_000;
/// Some day.
const DAY: u64 = 1_795_000_000 * S;

#[derive(Clone, Debug, Default, PartialEq)]
struct Seen(u64);

impl Sum for Seen {
    fn add(&mut self, other: Self) {
        self.0 += other.0;
    }
}

fn waves(events: impl IntoIterator<Item = u64>) -> Vec<Wave<Seen>> {
    let mut waves = Waves::default();
    for at_ns in events {
        assert!(waves.add((), at_ns, Seen(1)));
    }
    waves.finish().into_iter().map(|((), wave)| wave).collect()
}

/// `(count, length in ms, is lasting)` of each.
fn shapes(waves: &[Wave<Seen>]) -> Vec<(u64, u64, bool)> {
    let shape = |wave: &Wave<Seen>| (wave.count, wave.length_ns() / MS, wave.is_lasting);
    waves.iter().map(shape).collect()
}

/// `count` events, `apart_ms` from one to the next.
fn steady(from_ms: u64, count: u64, apart_ms: u64) -> impl Iterator<Item = u64> {
    (0..count).map(move |n| DAY + (from_ms + n * apart_ms) * MS)
}

#[test]
fn many_at_once_are_one_wave_and_fewer_are_none() {
    assert_eq!(shapes(&waves(steady(0, 1000, 0))), [(1000, 0, false)]);
    assert_eq!(shapes(&waves(steady(0, 5, 900))), [(5, 3600, false)]);
    assert_eq!(shapes(&waves(steady(0, 4, 1))), []);
    assert_eq!(
        shapes(&waves(steady(0, 8, 1100))),
        [],
        "never two within a second"
    );
    assert_eq!(shapes(&waves([])), []);
}

#[test]
fn a_trickle_of_half_an_hour_is_one_lasting_wave() {
    let told = waves(steady(0, 3600, 500));
    assert_eq!(shapes(&told), [(3600, 1_799_500, true)]);
    assert!((told[0].per_second() - 2.0).abs() < 0.01);
    assert_eq!((told[0].most_per_second, told[0].usual_per_second), (2.0, 0.0));
    assert_eq!(told[0].sum, Seen(3600));
}

#[test]
fn a_burst_in_a_trickle_is_told_by_itself_and_the_trickle_once() {
    let trickle = steady(0, 1200, 500);
    let told = waves(trickle.chain(steady(300_050, 100, 1)));
    let [lasting, burst] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert!(lasting.is_lasting && !burst.is_lasting);
    assert_eq!(lasting.count + burst.count, 1300);
    assert!((100..=102).contains(&burst.count), "{burst:?}");
    assert!((burst.usual_per_second - 2.0).abs() < 0.01);
    assert!(burst.length_ns() < S);
}

#[test]
fn a_few_more_than_usual_are_the_trickles() {
    let told = waves(steady(0, 1200, 500).chain(steady(300_050, 6, 1)));
    assert_eq!(shapes(&told), [(1206, 599_500, true)]);
}

#[test]
fn restarts_in_a_row_are_one_wave_each() {
    let twice = steady(0, 300, 1).chain(steady(6000, 300, 1));
    assert_eq!(shapes(&waves(twice)), [(300, 299, false), (300, 299, false)]);
    let minutes = (0..10).flat_map(|minute| steady(60_000 * minute, 50, 2));
    assert_eq!(waves(minutes).len(), 10);
}

#[test]
fn the_tail_of_a_burst_belongs_to_it() {
    let tail = steady(0, 900, 1).chain(steady(900, 40, 80));
    assert_eq!(shapes(&waves(tail)), [(940, 4020, false)]);
}

#[test]
fn a_wave_that_takes_longer_than_a_single_cause_is_lasting() {
    assert_eq!(shapes(&waves(steady(0, 1000, 30))), [(1000, 29_970, true)]);
}

#[test]
fn keys_are_told_apart() {
    let mut waves = Waves::default();
    for key in ["a", "b"] {
        for at_ns in steady(0, 6, 1) {
            waves.add(key, at_ns, Seen(1));
        }
    }
    let told = waves.finish();
    let keys: Vec<_> = told.iter().map(|(key, wave)| (*key, wave.count)).collect();
    assert_eq!(keys, [("a", 6), ("b", 6)]);
}

#[test]
fn a_restart_after_a_week_of_trickle_is_told_in_little_memory() {
    let mut waves = Waves {
        max_slots: 2000,
        ..Waves::default()
    };
    let week = steady(0, 60 * 60 * 24 * 7, 1000);
    for at_ns in week.chain(steady(400_000_000, 20_000, 0)) {
        assert!(waves.add((), at_ns, Seen(1)));
        assert!(waves.slot_count <= 2000);
    }
    let told: Vec<_> = waves.finish().into_iter().map(|((), wave)| wave).collect();
    let [lasting, burst] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert!(lasting.is_lasting);
    assert!((20_000..21_000).contains(&burst.count), "{burst:?}");
}

#[test]
fn more_keys_than_room_are_refused() {
    let mut waves = Waves {
        max_slots: 10,
        ..Waves::default()
    };
    let taken = (0..20).filter(|key| waves.add(*key, DAY, Seen(1))).count();
    assert_eq!((taken, waves.slot_count), (10, 10));
}

/// As many as a Poisson process has in these seconds: independent, uniform in time.
fn trickle(seed: u64, seconds: u64, rate: u64) -> Vec<u64> {
    let mut state = seed;
    let mut random = || {
        // SplitMix64
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    (0..seconds * rate)
        .map(|_| DAY + random() % (seconds * 1000) * MS)
        .collect()
}

proptest! {
    #[test]
    fn a_steady_rate_is_one_lasting_wave(seed: u64, seconds in 30u64..300, rate in 2u64..100) {
        let told = waves(trickle(seed, seconds, rate));
        prop_assert_eq!(told.len(), 1, "{:?}", told);
        prop_assert!(told[0].is_lasting);
        prop_assert_eq!(told[0].count, seconds * rate);
    }

    #[test]
    fn a_burst_over_it_is_told_whenever_it_comes(
        seed: u64, seconds in 30u64..300, rate in 2u64..50, at_percent in 0u64..100, times in 8u64..100
    ) {
        let (at_ms, many) = (seconds * 10 * at_percent, rate * times + 20);
        let burst = (0..many).map(|n| DAY + (at_ms + n % 50) * MS);
        let told = waves(trickle(seed, seconds, rate).into_iter().chain(burst));
        let bursts: Vec<_> = told.iter().filter(|wave| !wave.is_lasting).collect();
        prop_assert_eq!((told.len(), bursts.len()), (2, 1), "{:?}", told);
        prop_assert!((many..=many + 4 * rate + 10).contains(&bursts[0].count), "{} of {:?}", many, told);
        prop_assert_eq!(told.iter().map(|wave| wave.count).sum::<u64>(), seconds * rate + many);
    }

    #[test]
    fn whatever_comes_is_told_at_most_once_in_whatever_order_and_in_bounded_memory(
        mut times in prop::collection::vec(prop_oneof![0u64..5_000, 0u64..1_000_000, any::<u64>()], 0..400),
        max_slots in 1usize..100,
    ) {
        let told = |times: &[u64]| {
            let mut waves = Waves { max_slots, ..Waves::default() };
            let mut taken = 0;
            for ms in times {
                taken += u64::from(waves.add((), ms.saturating_mul(MS), Seen(1)));
                assert!(waves.slot_count <= max_slots);
            }
            let waves: Vec<_> = waves.finish().into_iter().map(|((), wave)| wave).collect();
            (taken, waves)
        };
        let (taken, waves) = told(&times);
        prop_assert!(waves.iter().map(|wave| wave.count).sum::<u64>() <= taken);
        for wave in &waves {
            prop_assert!(wave.count >= FEWEST && wave.first_ns <= wave.last_ns);
            prop_assert_eq!(wave.sum.0, wave.count);
        }
        times.reverse();
        if taken == times.len() as u64 && told(&times).0 == taken {
            prop_assert_eq!(told(&times).1, waves);
        }
    }
}
