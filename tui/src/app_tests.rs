//! What keys do to the state.

use crate::action::{Action, Effect};
use crate::app::{App, Mode, Overlay, Page};
use crate::model::Model;
use crate::theme::Theme;
use clw_core::snapshot::Snapshot;
use clw_core::verdict::Verdict;
use std::time::Duration;

fn app() -> App {
    let mut app = App::new(Model::new(["a".to_owned()]), Mode::Live, Theme::None);
    let mut snapshot = Snapshot {
        elapsed_us: 1_000_000,
        interval_us: 1_000_000,
        ..Snapshot::default()
    };
    snapshot.counters.sessions.started = 10;
    snapshot.counters.verdicts[Verdict::AuthFailed.index()] = 3;
    snapshot.counters.verdicts[Verdict::ServerRestart.index()] = 2;
    app.absorb(0, snapshot);
    app
}

#[test]
fn pages_are_turned_in_both_directions() {
    let mut app = app();
    app.apply(Action::PreviousPage);
    assert_eq!(app.page, Page::Events);
    app.apply(Action::NextPage);
    assert_eq!(app.page, Page::Overview);
    app.apply(Action::Page(4));
    assert_eq!(app.page, Page::Latency);
    app.apply(Action::Back);
    assert_eq!(app.page, Page::Overview);
}

#[test]
fn enter_opens_the_selected_ending_and_escape_closes_it() {
    let mut app = app();
    app.apply(Action::Down);
    app.apply(Action::Open);
    assert_eq!(app.overlay, Some(Overlay::Entry(Verdict::ServerRestart)));
    app.apply(Action::Down);
    assert_eq!(app.scroll, 1);
    app.apply(Action::Back);
    assert_eq!((app.overlay, app.scroll), (None, 0));
    app.apply(Action::PageDown);
    app.apply(Action::PageUp);
    app.apply(Action::Open);
    assert_eq!(app.overlay, Some(Overlay::Entry(Verdict::AuthFailed)));
}

#[test]
fn a_paused_picture_stands_while_data_comes_in() {
    let mut app = app();
    app.apply(Action::Pause);
    let mut next = Snapshot {
        seq: 1,
        elapsed_us: 2_000_000,
        interval_us: 1_000_000,
        ..Snapshot::default()
    };
    next.counters.sessions.started = 99;
    app.absorb(0, next);
    assert_eq!(app.model().whole().counters.sessions.started, 10);
    app.apply(Action::Pause);
    assert_eq!(app.model().whole().counters.sessions.started, 99);
}

#[test]
fn replay_keys_do_nothing_live() {
    let mut app = app();
    assert_eq!(app.apply(Action::Faster), None);
    app.mode = Mode::Replay {
        speed: 1,
        playing: true,
        position: Duration::ZERO,
        end: Duration::ZERO,
        incidents: 0,
        ahead: 0,
    };
    assert_eq!(app.apply(Action::Faster), Some(Effect::Replay(Action::Faster)));
    assert_eq!(app.apply(Action::Pause), Some(Effect::Replay(Action::Pause)));
}

#[test]
fn messages_go_away_by_themselves() {
    let mut app = app();
    app.say("done");
    assert_eq!(app.message(), Some("done"));
    app.tick(Duration::from_secs(60));
    assert_eq!(app.message(), None);
}
