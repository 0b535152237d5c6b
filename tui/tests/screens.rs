//! Every panel, as it stands on the screen, at three sizes.

mod common;

use clw_core::verdict::Verdict;
use clw_tui::action::Action;
use clw_tui::app::{App, Mode, Overlay, Page};
use clw_tui::export;
use clw_tui::model::{Link, Model};
use clw_tui::source::netem::Shape;
use clw_tui::theme::Theme;
use common::app_at;
use std::time::Duration;

const SIZES: [(u16, u16); 3] = [(60, 20), (80, 24), (200, 60)];

fn screen(app: &App, (width, height): (u16, u16)) -> String {
    export::text(&export::draw(app, width, height))
}

#[test]
fn every_page_at_three_sizes_during_an_outage() {
    let mut app = app_at(66);
    for page in Page::ALL {
        app.page = page;
        for (width, height) in SIZES {
            let name = format!("{}_{width}x{height}", page.name());
            insta::assert_snapshot!(name, screen(&app, (width, height)));
        }
    }
}

#[test]
fn every_overlay_at_three_sizes() {
    let mut app = app_at(66);
    for (name, overlay) in [
        ("help", Overlay::Help),
        ("entry", Overlay::Entry(Verdict::AuthDisconnected)),
    ] {
        app.overlay = Some(overlay);
        for (width, height) in SIZES {
            insta::assert_snapshot!(format!("{name}_{width}x{height}"), screen(&app, (width, height)));
        }
    }
}

#[test]
fn the_network_that_is_followed_at_three_sizes() {
    let mut app = app_at(20);
    app.follow_network("lab-client/eth0", true);
    app.network(Ok(Shape {
        words: "delay 100ms ±20ms loss 1%".to_owned(),
        dropped: 1234,
        passed: 98_765,
        waiting: 12,
    }));
    for snapshot in common::run().into_iter().skip(20).take(10) {
        app.tick(Duration::from_micros(snapshot.elapsed_us));
        app.absorb(0, snapshot);
    }
    app.settle();
    for (width, height) in SIZES {
        insta::assert_snapshot!(format!("network_{width}x{height}"), screen(&app, (width, height)));
    }
    app.overlay = Some(Overlay::Help);
    insta::assert_snapshot!("network_help_80x40", screen(&app, (80, 40)));
}

#[test]
fn heartbeats_over_udp_and_their_one_way_losses_are_shown_where_there_are_any() {
    let mut app = app_at(20);
    app.page = Page::Heartbeats;
    assert!(!screen(&app, (80, 24)).contains("over UDP"));
    for mut snapshot in common::run().into_iter().skip(20).take(10) {
        let udp = &mut snapshot.counters.heartbeat.udp;
        (udp.sent, udp.answered, udp.lost, udp.one_way) = (1200, 1100, 90, 3);
        app.tick(Duration::from_micros(snapshot.elapsed_us));
        app.absorb(0, snapshot);
    }
    app.settle();
    let panel = screen(&app, (80, 24));
    assert!(panel.contains("1 200 sent, 1 100 answered, 90 lost"), "{panel}");
    assert!(
        panel
            .lines()
            .any(|line| line.contains("one-way losses") && line.contains('3')),
        "{panel}"
    );
    app.page = Page::Events;
    let events = screen(&app, (120, 40));
    assert!(events.contains("first one-way heartbeat loss"), "{events}");
}

#[test]
fn where_the_band_is_short_it_says_what_is_done_and_not_by_which_profile() {
    let mut app = app_at(20);
    for mut snapshot in common::run().into_iter().skip(20).take(20) {
        snapshot.condition = match snapshot.seq {
            ..24 => "netem vpn-flap: delay 25ms".to_owned(),
            24..36 => "netem vpn-flap: loss 100%".to_owned(),
            _ => String::new(),
        };
        app.tick(Duration::from_micros(snapshot.elapsed_us));
        app.absorb(0, snapshot);
    }
    app.page = Page::Errors;
    let text = screen(&app, (80, 24));
    assert!(text.contains("├loss 100%"), "{text}");
}

#[test]
fn calm_and_after_the_outage() {
    insta::assert_snapshot!("calm_80x24", screen(&app_at(30), (80, 24)));
    insta::assert_snapshot!("after_80x24", screen(&app_at(89), (80, 24)));
    insta::assert_snapshot!("after_120x40", screen(&app_at(89), (120, 40)));
}

/// The run at that second, with its start by the clock on the wall: 02:59:00 UTC.
fn app_with_a_clock(second: u64) -> App {
    let mut app = App::new(Model::new(["10.0.0.5:9100".to_owned()]), Mode::Live, Theme::None);
    for mut snapshot in common::run().into_iter().take_while(|s| s.seq < second) {
        snapshot.began_unix_us = 1_795_661_940_000_000;
        app.tick(Duration::from_micros(snapshot.elapsed_us));
        app.absorb(0, snapshot);
    }
    app.settle();
    app
}

#[test]
fn a_source_that_tells_when_it_began_gets_times_of_day() {
    let mut app = app_with_a_clock(66);
    insta::assert_snapshot!("clock_80x24", screen(&app, (80, 24)));
    app.page = Page::Events;
    insta::assert_snapshot!("clock_events_60x20", screen(&app, (60, 20)));
    let over = screen(&app_with_a_clock(89), (80, 24));
    assert!(over.contains("from 03:00:00 UTC"), "{over}");
    let figures: serde_json::Value = serde_json::from_str(&export::figures(&app)).unwrap();
    assert_eq!(figures["began_unix_s"], 1_795_661_940_u64);
}

#[test]
fn a_log_claims_nothing_of_what_is_open() {
    let mut app = app_at(66);
    app.ends_only = true;
    let text = screen(&app, (80, 24));
    assert!(text.contains("open now  not in a log"), "{text}");
    assert!(
        !text.contains("connecting") && !text.contains("│ ready "),
        "{text}"
    );
}

#[test]
fn a_threshold_on_sessions_says_why_it_differs_from_the_chart() {
    let mut app = app_at(66);
    let mut next = common::run().swap_remove(66);
    "error_rate<1%".clone_into(&mut next.thresholds[0].expr);
    app.absorb(0, next);
    app.page = Page::Thresholds;
    let text = screen(&app, (80, 24));
    assert!(text.contains("one that reconnects is no error here"), "{text}");
}

#[test]
fn the_footer_names_what_keys_do_on_this_page() {
    let mut app = app_at(66);
    let footer = |app: &App| screen(app, (80, 24)).lines().last().unwrap().to_owned();
    assert!(
        footer(&app).contains("↑ ↓ select  Enter explain"),
        "{}",
        footer(&app)
    );
    app.page = Page::Events;
    assert!(footer(&app).contains("↑ ↓ scroll"), "{}", footer(&app));
    app.apply(Action::Open);
    assert!(footer(&app).contains("↑ ↓ scroll  Esc close"), "{}", footer(&app));
}

#[test]
fn nothing_yet_stale_lost_and_unreadable_are_said_in_words() {
    let first_lines = |app: &App| {
        let text = screen(app, (100, 30));
        text.lines().take(2).collect::<Vec<_>>().join("\n")
    };
    let new = || App::new(Model::new(["[::1]:9100".to_owned()]), Mode::Live, Theme::None);
    let mut unreadable = new();
    unreadable.link(
        0,
        Link::Unreadable("not telemetry of clw-bench: expected value at line 1 column 1".to_owned()),
    );
    let mut stale = app_at(30);
    stale.tick(Duration::from_secs(42));
    let mut lost = app_at(30);
    lost.link(0, Link::Lost("the stream ended".to_owned()));
    let mut half = App::new(
        Model::new(["a:9100".to_owned(), "b:9100".to_owned()]),
        Mode::Live,
        Theme::None,
    );
    for (source, at) in [(0, 10), (1, 10), (1, 30)] {
        half.tick(Duration::from_secs(at as u64));
        half.absorb(source, common::run().swap_remove(at - 1));
    }
    half.link(0, Link::Lost("the stream ended".to_owned()));
    let mut gone = lost.clone();
    gone.tick(Duration::from_secs(95));
    let mut paused = app_at(30);
    paused.apply(Action::Pause);
    let mut replay = app_at(30);
    replay.mode = Mode::Replay {
        speed: 4,
        playing: true,
        position: Duration::from_secs(30),
        end: Duration::from_secs(90),
        incidents: 1,
        ahead: 1,
    };
    let all = [
        ("nothing yet", new()),
        ("unreadable", unreadable),
        ("stale", stale),
        ("lost", lost),
        ("lost and stale", gone),
        ("one of two is lost", half),
        ("paused", paused),
        ("replay", replay),
    ];
    let text: Vec<String> = all
        .iter()
        .map(|(name, app)| format!("{name}\n{}", first_lines(app)))
        .collect();
    insta::assert_snapshot!("headers", text.join("\n\n"));
}

#[test]
fn any_size_is_drawn_and_a_small_one_says_what_is_needed() {
    let app = app_at(66);
    for width in (1..=300).step_by(13) {
        for height in (1..=100).step_by(9) {
            export::draw(&app, width, height);
        }
    }
    let small = screen(&app, (20, 5));
    assert!(
        small.contains("20x5 now") && small.contains("60x20 needed"),
        "{small}"
    );
}

#[test]
fn every_theme_shows_the_same_text() {
    let plain = screen(&app_at(66), (120, 40));
    for theme in Theme::ALL {
        let mut app = app_at(66);
        app.theme = theme;
        assert_eq!(screen(&app, (120, 40)), plain, "{}", theme.name());
    }
}

#[test]
fn the_picture_holds_the_text_of_the_screen() {
    let app = app_at(66);
    let buffer = export::draw(&app, 80, 24);
    let svg = export::picture(&buffer, Theme::Dark);
    assert!(svg.contains("INCIDENT") && svg.contains("clw-auth-disconnected"));
    assert!(!svg.contains("href"), "self-contained");
}

#[test]
fn the_figures_are_json_and_say_what_the_screen_says() {
    let figures: serde_json::Value = serde_json::from_str(&export::figures(&app_at(66))).unwrap();
    assert_eq!(figures["schema"], "clw.dashboard/1");
    assert_eq!(figures["endings"][0]["verdict"], "clw-conn-refused");
    assert_eq!(figures["incidents"][0]["cause"], "clw-auth-disconnected");
    assert_eq!(figures["error_rate"]["run"]["errors"], 500 + 6 * 90 + 11);
}

#[test]
fn an_entry_shows_the_last_sessions_that_ended_so_with_their_timelines() {
    let mut app = app_at(66);
    let record: clw_core::journal::SessionRecord = serde_json::from_value(serde_json::json!({
        "session": 41, "attempt": 0, "identity": "gateway-client", "role": "operator",
        "client": "10.0.0.5:41234", "server": "10.0.0.7:18789", "scheduled_us": 4_000_000,
        "stages_us": {"tcp": 4_000_100, "upgrade": 4_001_000, "auth": 4_002_000, "ready": 4_003_500},
        "ended_us": 60_000_000, "stage": "ready", "verdict": "clw-auth-disconnected", "confidence": 0.9,
        "by": "server", "ending": "fin", "close": null, "evidence": ["FIN by the server, no close frame"],
        "heartbeats_sent": 2, "heartbeats_missed": 0, "retry_after_us": 500_000
    }))
    .unwrap();
    let mut next = common::run().swap_remove(66);
    next.recent = vec![record];
    app.absorb(0, next);
    app.overlay = Some(Overlay::Entry(Verdict::AuthDisconnected));
    insta::assert_snapshot!("entry_with_sessions_100x50", screen(&app, (100, 50)));
}
