//! Endings, ranked: how many, how fast, where they go, why.

use crate::app::App;
use crate::model::{Ranked, Trend};
use crate::theme::Role;
use crate::view::panel::{framed, lines, span, style};
use crate::view::words;
use clw_core::units::show_count;
use clw_core::verdict::{Verdict, entry};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

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
        frame.render_widget(
            Line::from(span(app, Role::Dim, " no connection has ended yet")),
            inner,
        );
        return;
    }
    let width = usize::from(inner.width);
    let selected = app.selected(&ranking);
    let mut rows = vec![Line::from(span(app, Role::Dim, heading(width)))];
    for (i, ranked) in ranking.iter().enumerate() {
        rows.push(line(app, ranked, width, i == selected));
    }
    // The selected line is always in sight, and the heading with it.
    let heading = rows.remove(0);
    frame.render_widget(heading, Rect { height: 1, ..inner });
    let list = Rect {
        y: inner.y + 1,
        height: inner.height.saturating_sub(1),
        ..inner
    };
    let scroll = (selected + 1).saturating_sub(usize::from(list.height));
    lines(frame, list, rows, u16::try_from(scroll).unwrap_or(u16::MAX));
}

fn heading(width: usize) -> String {
    let text = format!(
        " {:<26}{:>8}{:>8}{:>8}  {:<9}{}",
        "ending", "run", "1 m", "rate", "trend", "cause"
    );
    text.chars().take(width).collect()
}

fn line(app: &App, ranked: &Ranked, width: usize, selected: bool) -> Line<'static> {
    let error = ranked.verdict.is_error();
    let sign = match (error, ranked.trend) {
        (false, _) => " ",
        (true, Trend::Past) => "·",
        (true, _) => "!",
    };
    let role = match (ranked.verdict, ranked.trend) {
        (Verdict::Ok, _) => Role::Ok,
        (_, Trend::Past) => Role::Dim,
        _ if !error => Role::Dim,
        _ => Role::Bad,
    };
    let figures = format!(
        "{:>8}{:>8}{:>8}  {:<9}",
        show_count(ranked.count),
        show_count(ranked.last_minute),
        words::per_second(ranked.per_second),
        format!("{} {}", ranked.trend.sign(), ranked.trend.word()),
    );
    let name = format!("{sign}{:<26}", ranked.verdict.name());
    let used = name.chars().count() + figures.chars().count();
    let cause = words::fit(entry(ranked.verdict).cause_line, width.saturating_sub(used));
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
