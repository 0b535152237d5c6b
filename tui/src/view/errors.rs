//! The error rate: now, lately, in the run, and over time.

use crate::app::App;
use crate::model::Window;
use crate::theme::Role;
use crate::view::columns::{self, Column};
use crate::view::panel::{framed, span, style};
use crate::view::words;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Draws it.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let note = if area.width >= 70 {
        "bad endings ÷ connections exposed"
    } else {
        ""
    };
    let inner = framed(frame, area, app, "error rate", note);
    let model = app.model();
    let mut spans = Vec::new();
    for (name, window) in [
        ("now", model.window(1)),
        ("10 s", model.window(10)),
        ("1 m", model.window(60)),
        ("run", model.run()),
    ] {
        let rate = window.rate_pct();
        let role = match rate {
            Some(r) if r >= 5.0 => Role::Bad,
            Some(r) if r > 0.0 => Role::Warn,
            Some(_) => Role::Ok,
            None => Role::Dim,
        };
        spans.push(span(app, Role::Dim, format!(" {name} ")));
        spans.push(span(app, role, format!("{:<7}", words::percent(rate))));
        if inner.width >= 75 {
            spans.push(span(
                app,
                Role::Dim,
                format!("{:<8}", words::per_second(window.per_second())),
            ));
        }
    }
    if inner.height == 0 {
        return;
    }
    frame.render_widget(Line::from(spans), Rect { height: 1, ..inner });
    let chart = Rect {
        y: inner.y + 1,
        height: inner.height - 1,
        ..inner
    };
    let columns = of_time(app, columns::room(chart.width));
    columns::render(frame.buffer_mut(), chart, app, &columns, app.span_s());
    band(frame, chart, app, &columns);
}

/// What was done to the network, under the columns of the time in which it was: a sign at each change, then its name.
fn band(frame: &mut Frame, chart: Rect, app: &App, columns: &[Column]) {
    if chart.height < 3 {
        return;
    }
    let history = app.model().history();
    let (now, span, count) = (history.now(), app.span_s(), columns.len() as u64);
    let y = chart.bottom() - 2;
    let plot = chart.right() - columns::room(chart.width);
    let condition_of = |i: usize| {
        let second = (now + (i as u64 + 1) * span / count.max(1)).saturating_sub(span);
        history.covering(second).map(|p| &p.condition)
    };
    let mut at = 0;
    while at < columns.len() {
        let condition = condition_of(at);
        let length = (at..columns.len())
            .take_while(|i| condition_of(*i) == condition)
            .count()
            .max(1);
        if let Some(name) = condition.filter(|c| !c.is_empty()) {
            // What is done now says more than the name of the profile that does it.
            let now = name.split_once(": ").map_or(&**name, |(_, now)| now);
            let texts = [format!("├{name} "), format!("├{now} ")];
            let text = words::first_that_fits(&texts, length);
            let text = format!("{text:─<length$}");
            for (x, c) in (plot + u16::try_from(at).unwrap_or(u16::MAX)..chart.right()).zip(text.chars()) {
                // The mark of an incident stays.
                if let Some(cell) = frame.buffer_mut().cell_mut((x, y)).filter(|c| c.symbol() == " ") {
                    cell.set_char(c).set_style(style(app, Role::Dim));
                }
            }
        }
        at += length;
    }
}

/// One column for each part of the span, the newest at the right. Each shows its worst second, so that a short outage is
/// not averaged away on a long chart.
fn of_time(app: &App, count: u16) -> Vec<Column> {
    let (model, span) = (app.model(), app.span_s());
    let now = model.history().now();
    let edge = |i: u64| (now + i * span / u64::from(count.max(1))).saturating_sub(span);
    (0..u64::from(count))
        .map(|i| {
            let (from, to) = (edge(i), edge(i + 1));
            let incidents = model.incidents().all();
            let begins = incidents.iter().any(|x| from < x.since && x.since <= to);
            // Where there are more columns than seconds, a second takes several of them.
            let from = from.min(to.saturating_sub(1));
            let during = incidents
                .iter()
                .any(|x| x.since <= to && x.until.is_none_or(|u| u > from));
            let before_all = now + (i + 1) * span / u64::from(count.max(1)) < span;
            Column {
                value: if before_all {
                    None
                } else {
                    Window::worst_second(model.history(), from, to)
                },
                role: if during { Role::Bad } else { Role::Warn },
                mark: begins.then_some("▲"),
            }
        })
        .collect()
}
