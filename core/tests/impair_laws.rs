//! Laws of the bad network inside the process.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use clw_core::impair::{Impairment, Link, Spec};
use clw_core::time::Instant;
use proptest::prelude::*;
use std::time::Duration;

fn spec(text: &str) -> Spec {
    text.parse().unwrap()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn a_specification_reads_as_written() {
    let spec = spec("delay=500ms, jitter=50ms,loss=1%,rate=1mbit,stall=5s/60s,reset=0.1%/min");
    assert_eq!(spec.delay, ms(500));
    assert_eq!(spec.jitter, ms(50));
    assert!((spec.loss - 0.01).abs() < 1e-12);
    assert_eq!(spec.rate_bps, Some(1e6));
    let stall = spec.stall.unwrap();
    assert_eq!((stall.length, stall.period), (ms(5000), ms(60_000)));
    assert!((spec.resets_per_s * 60.0 - 0.001).abs() < 1e-5);
    assert_eq!(
        spec.to_string(),
        "delay=500ms,jitter=50ms,loss=1%,rate=1000kbit,stall=5000ms/60000ms,reset=0.1%/min"
    );
}

#[test]
fn wrong_specifications_name_the_key_and_what_is_accepted() {
    for (text, part) in [
        ("", "KEY=VALUE"),
        ("delay", "`delay` is not KEY=VALUE"),
        ("dely=1s", "there is no `dely`; keys are delay, jitter"),
        ("delay=1s,delay=2s", "`delay` is given twice"),
        ("delay=61s", "`delay=61s`: accepted is a duration from 0 to 60s"),
        ("delay=-1s", "accepted is a duration from 0 to 60s"),
        (
            "delay=1ms,jitter=2ms",
            "accepted is a duration from 0 to the delay",
        ),
        ("loss=51%", "accepted is a share from 0 to 50%"),
        ("loss=x", "`loss=x`: accepted is a share"),
        ("rate=1", "a bandwidth from 1kbit to 100gbit"),
        ("rate=1bit", "a bandwidth from 1kbit to 100gbit"),
        ("rate=1mbyte", "a bandwidth from 1kbit to 100gbit"),
        ("stall=5s", "LENGTH/PERIOD"),
        ("stall=5s/5s", "under its period"),
        ("stall=0/5s", "under its period"),
        ("reset=1%", "per s, min or h"),
        ("reset=100%/min", "0 to 99%"),
    ] {
        let message = text.parse::<Spec>().unwrap_err().to_string();
        assert!(message.contains(part), "{text}: {message}");
    }
}

#[test]
fn a_lost_segment_waits_for_its_retransmission_and_holds_the_next_ones_back() {
    let mut path = Impairment::new(spec("delay=10ms,loss=0.5%"), 5);
    let plain = ms(10);
    let mut held = 0;
    let mut lost = 0;
    for i in 0..2000u64 {
        // 1 ms apart, so that the 200 ms wait of a lost one holds the next ones back.
        let now = Instant::from_millis(i);
        match path.offer(now, 100).since(now) {
            out if out == plain => {}
            out if out >= plain + ms(200) => lost += 1,
            _ => held += 1,
        }
    }
    assert!(lost > 0 && held > lost, "{lost} lost, {held} held");
}

#[test]
fn the_share_of_messages_that_wait_is_the_loss() {
    let mut path = Impairment::new(spec("loss=1%"), 11);
    // A minute apart: nothing is held back by the one before.
    let waits: Vec<_> = (0..100_000u64)
        .map(|i| {
            let now = Instant::from_millis(i * 60_000);
            path.offer(now, 1448).since(now)
        })
        .collect();
    let once = waits.iter().filter(|w| **w == ms(200)).count();
    let twice = waits.iter().filter(|w| **w == ms(600)).count();
    assert!((900..1100).contains(&once), "{once}");
    assert!((2..25).contains(&twice), "lost twice: {twice}");
    assert_eq!(
        waits.iter().filter(|w| w.is_zero()).count() + once + twice,
        100_000
    );
}

#[test]
fn the_retransmission_timeout_follows_the_delay() {
    assert_eq!(spec("delay=500ms").retransmission_timeout(), ms(1000));
    assert_eq!(spec("delay=1ms").retransmission_timeout(), ms(200));
}

#[test]
fn a_stall_lets_nothing_out_until_it_is_over() {
    let mut path = Impairment::new(spec("stall=5s/60s"), 1);
    assert_eq!(
        path.offer(Instant::from_millis(54_999), 1),
        Instant::from_millis(54_999)
    );
    assert_eq!(
        path.offer(Instant::from_millis(55_000), 1),
        Instant::from_millis(60_000)
    );
    assert_eq!(
        path.offer(Instant::from_millis(61_000), 1),
        Instant::from_millis(61_000)
    );
}

#[test]
fn resets_come_at_the_rate_that_was_asked_for() {
    let spec = spec("reset=10%/min");
    let within = (0..10_000)
        .filter(|seed| {
            Link::new(spec, *seed, Instant::ORIGIN).reset_at().unwrap() < Instant::from_millis(60_000)
        })
        .count();
    assert!(
        (900..1100).contains(&within),
        "{within} of 10000 in the first minute"
    );
    assert_eq!(Link::new(Spec::default(), 1, Instant::ORIGIN).reset_at(), None);
}

#[test]
fn a_clean_path_changes_nothing() {
    let mut link = Link::new(Spec::default(), 3, Instant::ORIGIN);
    let now = Instant::from_micros(77);
    assert_eq!(link.up.offer(now, 1_000_000), now);
    assert_eq!(link.down.offer(now, 0), now);
    assert!(Spec::default().is_clean());
}

fn any_spec() -> impl Strategy<Value = Spec> {
    (
        0u64..2000,
        0.0f64..1.0,
        0.0f64..0.5,
        prop::option::of(1e3f64..1e9),
        prop::option::of((1u64..4000, 1u64..4000)),
    )
        .prop_map(|(delay, jitter, loss, rate_bps, stall)| Spec {
            delay: ms(delay),
            jitter: ms(delay).mul_f64(jitter),
            loss,
            rate_bps,
            stall: stall.map(|(length, rest)| clw_core::impair::Stall {
                length: ms(length),
                period: ms(length + rest + 100),
            }),
            resets_per_s: 0.0,
        })
}

proptest! {
    #[test]
    fn bytes_keep_their_order_and_never_come_early(
        spec in any_spec(),
        seed in any::<u64>(),
        writes in prop::collection::vec((0u64..500_000, 0usize..20_000), 1..60),
    ) {
        let mut path = Impairment::new(spec, seed);
        let (mut now, mut before) = (Instant::ORIGIN, Instant::ORIGIN);
        for (gap, len) in writes {
            now += Duration::from_micros(gap);
            let out = path.offer(now, len);
            prop_assert!(out >= before, "order");
            prop_assert!(out >= now + spec.delay.saturating_sub(spec.jitter), "early");
            if let Some(stall) = spec.stall {
                let into = out.as_micros() % u64::try_from(stall.period.as_micros()).unwrap();
                prop_assert!(into < u64::try_from(stall.period.saturating_sub(stall.length).as_micros()).unwrap(), "in a stall");
            }
            before = out;
        }
    }

    #[test]
    fn bytes_come_out_no_faster_than_the_rate_and_not_much_slower(
        rate in 1e4f64..1e8,
        sizes in prop::collection::vec(1usize..5000, 1..200),
    ) {
        let mut path = Impairment::new(Spec { rate_bps: Some(rate), ..Spec::default() }, 1);
        let bits: f64 = sizes.iter().map(|s| *s as f64 * 8.0).sum();
        let last = sizes.iter().map(|s| path.offer(Instant::ORIGIN, *s)).last().unwrap();
        let took = last.as_micros() as f64;
        let due = bits / rate * 1e6;
        prop_assert!(took >= due - 1e-3 && took <= due + 2.0, "{} µs for {} µs of bits", took, due);
    }

    #[test]
    fn the_same_seed_gives_the_same_path(spec in any_spec(), seed in any::<u64>()) {
        let run = || {
            let mut link = Link::new(spec, seed, Instant::ORIGIN);
            (0..40u64)
                .map(|i| (link.up.offer(Instant::from_millis(i), 99), link.down.offer(Instant::from_millis(i), 9999)))
                .collect::<Vec<_>>()
        };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,40}") {
        let _ = text.parse::<Spec>();
    }

    #[test]
    fn what_is_shown_reads_back(delay in 0u64..60_000, loss in 0u32..50, kbit in 1u32..1_000_000) {
        let spec = Spec {
            delay: ms(delay),
            loss: f64::from(loss) / 100.0,
            rate_bps: Some(f64::from(kbit) * 1e3),
            ..Spec::default()
        };
        let again: Spec = spec.to_string().parse().unwrap();
        prop_assert_eq!(again.delay, spec.delay);
        prop_assert!((again.loss - spec.loss).abs() < 1e-9);
        prop_assert!((again.rate_bps.unwrap() - spec.rate_bps.unwrap()).abs() < 1.0);
    }
}
