//! Endings, ranked: how many, how fast, where they go, why.

use crate::app::App;
use crate::model::{Ranked, Trend};
use crate::theme::Role;
use crate::view::panel::{framed, lines, span, style};
use crate::view::words;
use clw_core::units::show_count;
use clw_core::verdict::{Verdict, entry};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

/// Columns from which the last minute and the trend's word are shown beside the cause.
const WIDE: usize = 100;

/// Draws it.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let inner = framed(
        frame,
        area,
        app,
        "endings",
        "most in the last minute first; Enter explains",
    );
    let ranking = app.ranking();
    if ranking.is_empty() {
        let text = span(app, Role::Dim, " no connection has ended yet");
        frame.render_widget(Line::from(text), inner);
        return;
    }
    let width = usize::from(inner.width);
    let selected = app.selected(&ranking);
    let count = u16::try_from(ranking.len()).unwrap_or(u16::MAX);
    let mut detail = explanation(app, ranking[selected].verdict, width, true);
    // Whole sentences where there is room for them, a line each where there is not.
    if usize::from(inner.height) <= usize::from(count) + detail.len() {
        detail = explanation(app, ranking[selected].verdict, width, false);
    }
    let detail_rows = if usize::from(inner.height) > usize::from(count) + detail.len() {
        u16::try_from(detail.len()).unwrap_or(0)
    } else {
        0
    };
    let [heading, list, below] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(detail_rows),
    ])
    .areas(inner);
    let rows = ranking
        .iter()
        .enumerate()
        .map(|(i, ranked)| line(app, ranked, width, i == selected))
        .collect();
    frame.render_widget(Line::from(span(app, Role::Dim, headings(width))), heading);
    // The selected line is always in sight.
    let scroll = (selected + 1).saturating_sub(usize::from(list.height));
    lines(frame, list, rows, u16::try_from(scroll).unwrap_or(u16::MAX));
    lines(frame, below, detail, 0);
}

/// What the selected ending is, why it happens and what to do, with a blank before it.
fn explanation(app: &App, verdict: Verdict, width: usize, wrapped: bool) -> Vec<Line<'static>> {
    let known = entry(verdict);
    let room = width.saturating_sub(6);
    let mut rows = vec![Line::default()];
    for (name, text) in [
        ("what", known.title),
        ("why", known.cause_line),
        ("do", known.fix_line),
    ] {
        let texts = if wrapped {
            words::wrap("", text, room)
        } else {
            vec![words::fit(text, room)]
        };
        for (i, text) in texts.into_iter().enumerate() {
            let name = if i == 0 { name } else { "" };
            rows.push(Line::from(vec![
                span(app, Role::Dim, format!(" {name:<5}")),
                span(app, Role::Text, text),
            ]));
        }
    }
    rows
}

fn headings(width: usize) -> String {
    let text = if width >= WIDE {
        format!(
            " {:<25}{:>8}{:>8}{:>8}  {:<10}{}",
            "ending", "run", "1 m", "rate", "trend", "cause"
        )
    } else {
        format!(" {:<25}{:>7}{:>7}   {}", "ending", "run", "rate", "cause")
    };
    text.chars().take(width).collect()
}

fn line(app: &App, ranked: &Ranked, width: usize, selected: bool) -> Line<'static> {
    let error = ranked.verdict.is_error();
    let sign = match (error, ranked.trend) {
        (false, _) => " ",
        (true, Trend::Past | Trend::Stopped) => "·",
        (true, _) => "!",
    };
    let role = match (ranked.verdict, ranked.trend) {
        (Verdict::Ok, _) => Role::Ok,
        (_, Trend::Past) => Role::Dim,
        (_, Trend::Stopped) if error => Role::Warn,
        _ if !error => Role::Dim,
        _ => Role::Bad,
    };
    let rate = words::per_second(ranked.per_second);
    let figures = if width >= WIDE {
        format!(
            "{:>8}{:>8}{rate:>8}  {:<10}",
            show_count(ranked.count),
            show_count(ranked.last_minute),
            format!("{} {}", ranked.trend.sign(), ranked.trend.word()),
        )
    } else {
        format!(
            "{:>7}{rate:>7} {} ",
            show_count(ranked.count),
            ranked.trend.sign()
        )
    };
    let name = format!("{sign}{:<25}", ranked.verdict.name());
    let used = name.chars().count() + figures.chars().count();
    let known = entry(ranked.verdict);
    let room = width.saturating_sub(used);
    // Where the cause would be cut, the title says more.
    let cause = if known.cause_line.chars().count() <= room {
        known.cause_line
    } else {
        known.title
    };
    let cause = words::fit(cause, room);
    if selected {
        let text = format!("{:<width$}", format!("{name}{figures}{cause}"));
        return Line::from(Span::styled(text, style(app, Role::Selected)));
    }
    Line::from(vec![
        span(app, role, name),
        span(app, Role::Text, figures),
        span(app, Role::Dim, cause),
    ])
}
