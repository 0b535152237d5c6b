//! How connections were closed: the codes that applications are told, the transports, the furthest stages.

use crate::app::{App, Page};
use crate::theme::Role;
use crate::view::panel::{framed, lines, span};
use crate::view::words;
use clw_core::Stage;
use clw_core::units::show_count;
use clw_core::verdict::{Verdict, close_codes_of};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Draws it.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let inner = framed(frame, area, app, "closes", "what applications were told");
    let counters = &app.model().whole().counters;
    let width = usize::from(inner.width);
    let mut codes: Vec<(u16, u64)> = counters.close_codes.iter().map(|(c, n)| (*c, *n)).collect();
    codes.sort_by_key(|(code, count)| (std::cmp::Reverse(*count), *code));
    let mut rows = Vec::new();
    for (code, count) in codes {
        let role = if matches!(code, 1000 | 1001) {
            Role::Ok
        } else {
            Role::Warn
        };
        let name = if code == 0 {
            "other".to_owned()
        } else {
            code.to_string()
        };
        let head = format!(" {name:<6}{:>9}  ", show_count(count));
        let indent = head.chars().count();
        let room = width.saturating_sub(indent);
        let mut texts = if app.page == Page::Closes {
            words::wrap("", &meaning(app, code), room)
        } else {
            vec![words::fit(&meaning(app, code), room)]
        }
        .into_iter();
        rows.push(Line::from(vec![
            span(app, role, head),
            span(app, Role::Dim, texts.next().unwrap_or_default()),
        ]));
        rows.extend(texts.map(|t| Line::from(span(app, Role::Dim, format!("{:indent$}{t}", "")))));
    }
    if rows.is_empty() {
        rows.push(Line::from(span(app, Role::Dim, " no connection has ended yet")));
    }
    if !counters.ends.is_empty() {
        let ends: Vec<String> = counters
            .ends
            .iter()
            .map(|(end, n)| format!("{} {}", transport(end), show_count(*n)))
            .collect();
        rows.push(Line::from(span(app, Role::Dim, " how their transports ended:")));
        rows.push(Line::from(span(
            app,
            Role::Text,
            format!("   {}", ends.join("  ")),
        )));
    }
    let stages: Vec<String> = Stage::ALL
        .iter()
        .filter(|s| counters.stages[**s as usize] > 0)
        .map(|s| format!("{s} {}", show_count(counters.stages[*s as usize])))
        .collect();
    if !stages.is_empty() {
        rows.push(Line::from(span(
            app,
            Role::Dim,
            " furthest stage of those that ended:",
        )));
        rows.push(Line::from(span(
            app,
            Role::Text,
            format!("   {}", stages.join("  ")),
        )));
    }
    lines(frame, inner, rows, app.scroll);
}

/// An end of a transport as people call it.
fn transport(end: &str) -> &str {
    match end {
        "fin" => "closed (FIN)",
        "rst" => "reset (RST)",
        "silent" => "gone silent",
        other => other,
    }
}

/// The meaning for this dialect, or for any.
fn meaning(app: &App, code: u16) -> String {
    let dialect = app.model().whole().target.dialect;
    let known: Vec<_> = close_codes_of(code)
        .filter(|e| e.dialect.is_none_or(|d| d == dialect))
        .collect();
    let pick = known
        .iter()
        .find(|e| e.dialect.is_some() && e.verdict != Some(Verdict::HandshakeTimeout))
        .or(known.first());
    match (code, known.len(), pick) {
        (1006, ..) => "no close frame: the connection was cut".to_owned(),
        (1005, ..) => "a close frame without a code".to_owned(),
        (1000, ..) => "normal end".to_owned(),
        (_, 0 | 1, Some(entry)) => entry.meaning.to_owned(),
        (_, n, Some(entry)) => format!("{} (or {} more)", entry.meaning, n - 1),
        _ => "not in the dictionary".to_owned(),
    }
}
