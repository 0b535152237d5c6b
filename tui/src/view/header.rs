//! Two lines that say what is looked at, and how far to trust it.

use crate::app::{App, Mode};
use crate::model::{Freshness, Link};
use crate::theme::Role;
use crate::view::panel::span;
use crate::view::words;
use clw_core::snapshot::Phase;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use std::time::Duration;

/// Draws it.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let first = Rect { height: 1, ..area };
    let second = Rect {
        y: area.y + 1,
        height: 1,
        ..area
    };
    let whole = app.model().whole();
    let mut left = vec![badge(app)];
    let target = if whole.target.url.is_empty() {
        "no data yet".to_owned()
    } else {
        let version = whole.target.server_version.as_deref().unwrap_or("");
        format!("{}  {} {version}", whole.target.url, whole.target.dialect)
    };
    let right = format!("{}  {} ", phase(app), words::clock(whole.elapsed_us / 1_000_000));
    let room = usize::from(area.width).saturating_sub(left[0].width() + right.chars().count() + 3);
    left.push(span(
        app,
        Role::Strong,
        format!("  {}", words::fit(&target, room)),
    ));
    pair(frame, first, left, vec![span(app, Role::Strong, right)]);

    let (text, role) = origin(app);
    let alerts = alerts(app);
    let taken: usize = alerts.iter().map(Span::width).sum();
    let room = usize::from(area.width).saturating_sub(taken + 2);
    pair(
        frame,
        second,
        vec![span(app, role, format!(" {}", words::fit(&text, room)))],
        alerts,
    );
}

fn pair(frame: &mut Frame, area: Rect, left: Vec<Span<'static>>, right: Vec<Span<'static>>) {
    frame.render_widget(Line::from(left), area);
    let right = Line::from(right);
    let width = u16::try_from(right.width()).unwrap_or(u16::MAX).min(area.width);
    let at = Rect {
        x: area.right() - width,
        width,
        ..area
    };
    frame.render_widget(right, at);
}

fn badge(app: &App) -> Span<'static> {
    let (text, role) = match app.mode {
        Mode::Replay {
            speed,
            playing,
            position,
            end,
            ..
        } => {
            let text = match (playing, position >= end) {
                (_, true) => " REPLAY END ".to_owned(),
                (true, false) => format!(" REPLAY ×{speed} "),
                (false, false) => " REPLAY PAUSED ".to_owned(),
            };
            (text, Role::Selected)
        }
        Mode::Live if app.is_paused() => (" PAUSED ".to_owned(), Role::Selected),
        Mode::Live => match app.freshness() {
            Freshness::Stale(_) => (" STALE ".to_owned(), Role::Banner),
            Freshness::None => (" WAITING ".to_owned(), Role::Selected),
            Freshness::Over => (" OVER ".to_owned(), Role::Selected),
            Freshness::Fresh(_) if down(app).next().is_some() => (" LOST ".to_owned(), Role::Banner),
            Freshness::Fresh(_) => (" LIVE ".to_owned(), Role::Selected),
        },
    };
    span(app, role, text)
}

fn phase(app: &App) -> &'static str {
    if app.model().feeds().iter().all(|f| f.last.is_none()) {
        return "";
    }
    match app.model().whole().phase {
        Phase::Running => "running",
        Phase::Draining => "logging out",
        Phase::Done => "done",
    }
}

/// Sources that cannot be read now, with why.
fn down(app: &App) -> impl Iterator<Item = String> {
    app.model().feeds().iter().filter_map(|f| match &f.link {
        Link::Lost(why) if f.phase() != Some(Phase::Done) => {
            Some(format!("{}: {why}; trying again", f.label))
        }
        Link::Unreadable(why) => Some(format!("{}: {why}", f.label)),
        _ => None,
    })
}

/// Where the data comes from and how old it is, in words.
fn origin(app: &App) -> (String, Role) {
    let feeds = app.model().feeds();
    if let Mode::Replay {
        position,
        end,
        incidents,
        ahead,
        ..
    } = app.mode
    {
        let incidents = match incidents {
            0 => "no incidents".to_owned(),
            1 => format!("1 incident, {ahead} ahead"),
            n => format!("{n} incidents, {ahead} ahead"),
        };
        let began = app.model().began_unix_s();
        let of_day = began.map_or_else(String::new, |began| {
            format!(
                " ({} UTC)",
                words::time_of_day(began.saturating_add(position.as_secs()))
            )
        });
        let text = format!(
            "at {} of {}{of_day}, {incidents}",
            words::clock(position.as_secs()),
            words::clock(end.as_secs())
        );
        return (text, Role::Text);
    }
    let down: Vec<String> = down(app).collect();
    let age = |age: Duration| words::clock(age.as_secs());
    let names = match feeds {
        [one] => one.label.clone(),
        many => format!("{} sources", many.len()),
    };
    let fresh = app.freshness();
    let what = if down.len() == feeds.len() || feeds.len() == 1 {
        "what you see is"
    } else {
        "a part of this is"
    };
    match (fresh, down.first()) {
        (Freshness::Stale(old), Some(why)) => (format!("{what} {} old: {why}", age(old)), Role::Bad),
        (Freshness::Stale(old), None) => (
            format!("{what} {} old: no data from {names}", age(old)),
            Role::Bad,
        ),
        (_, Some(why)) => {
            let more = if down.len() > 1 {
                format!(" (and {} more)", down.len() - 1)
            } else {
                String::new()
            };
            (format!("{why}{more}"), Role::Bad)
        }
        (Freshness::None, None) => (format!("waiting for the first data of {names}"), Role::Warn),
        (Freshness::Over, None) if feeds.iter().all(|f| f.link == Link::Ended) => {
            (format!("{names} has ended; q leaves"), Role::Text)
        }
        (Freshness::Over, None) => (
            format!("{names}: the run is over; a new one will be shown"),
            Role::Text,
        ),
        (Freshness::Fresh(old), None) => {
            let held = if app.is_paused() {
                "picture held; live "
            } else {
                ""
            };
            let old = if old < Duration::from_secs(1) {
                "under 1 s".to_owned()
            } else {
                age(old)
            };
            // The age comes first: it is what must not be cut.
            (format!("{held}data {old} old, from {names}"), Role::Dim)
        }
    }
}

/// What is wrong elsewhere than on this page.
fn alerts(app: &App) -> Vec<Span<'static>> {
    let whole = app.model().whole();
    let mut alerts = Vec::new();
    let crossed = whole
        .thresholds
        .iter()
        .filter(|t| !t.passed && t.observed.is_some())
        .count();
    if crossed > 0 {
        alerts.push(span(
            app,
            Role::Bad,
            format!("{crossed} of {} thresholds crossed ", whole.thresholds.len()),
        ));
    } else if !whole.thresholds.is_empty() {
        // Some figures come late: an uptime counts a session when it has ended. No green word beside an incident.
        let role = if app.model().incidents().current().is_some() {
            Role::Dim
        } else {
            Role::Ok
        };
        alerts.push(span(app, role, "thresholds hold so far "));
    }
    if super::generator::is_suspect(app) {
        alerts.push(span(app, Role::Bad, "GENERATOR UNWELL "));
    }
    alerts
}
