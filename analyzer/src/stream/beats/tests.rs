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

#[test]
fn who_waits_for_an_answer_is_not_silent() {
    let mut beats = Beats::new(1.5);
    for second in [2, 4, 6, 8, 10] {
        beats.beat(Way::Up, Kind::Tick, second * S, Signs::default());
        beats.asked(Way::Up, Kind::Tick, second * S);
        if second < 10 {
            beats.beat(Way::Down, Kind::Tick, second * S, Signs::default());
            beats.answered(Way::Up, Kind::Tick);
        }
    }
    beats.finish(14 * S, [Signs::default(); 2], [false; 2]);
    let sides: Vec<_> = beats.gaps().iter().map(|gap| gap.side).collect();
    assert_eq!(sides, [Side::Server]);
}

#[test]
fn a_ping_that_is_read_after_its_answer_does_not_wait() {
    let mut beats = Beats::new(1.5);
    beats.beat(Way::Up, Kind::Pong, 2 * S + 1, Signs::default());
    beats.asked(Way::Down, Kind::Ping, 2 * S);
    assert_eq!(beats.waiting_since_ns(Way::Down, Kind::Ping), None);
}
