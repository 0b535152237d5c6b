//! Heartbeats: sent, answered, missed, how long they took, how regular the server's ticks are.

use crate::app::App;
use crate::model::Bin;
use crate::theme::Role;
use crate::view::panel::{framed, lines, row, span};
use crate::view::words;
use clw_core::units::show_count;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Draws it.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let inner = framed(frame, area, app, "heartbeats", "");
    let model = app.model();
    let beats = model.whole().counters.heartbeat;
    let now = model.history().now();
    let lately: u64 = model
        .history()
        .between(now.saturating_sub(60), now)
        .map(|p| p.delta.beats_missed)
        .sum();
    let share = (beats.sent > 0).then(|| beats.missed as f64 * 100.0 / beats.sent as f64);
    let bad = |n: u64| if n > 0 { Role::Bad } else { Role::Ok };
    let one = |name: &str, value: String, role| row(app, name, &value, role, inner.width);
    let mut rows = vec![
        one("sent", show_count(beats.sent), Role::Text),
        one("answered", show_count(beats.answered), Role::Text),
        one(
            "missed",
            format!("{} ({})", show_count(beats.missed), words::percent(share)),
            bad(beats.missed),
        ),
        one("missed, last minute", show_count(lately), bad(lately)),
    ];
    let udp = beats.udp;
    if udp.sent > 0 {
        let figures = format!(
            "{} sent, {} answered, {} lost",
            show_count(udp.sent),
            show_count(udp.answered),
            show_count(udp.lost)
        );
        rows.push(one("over UDP", figures, Role::Text));
        rows.push(one("one-way losses", show_count(udp.one_way), bad(udp.one_way)));
    }
    for (title, metric) in [("round trip", "heartbeat_rtt"), ("gap between ticks", "tick_gap")] {
        let Some(total) = model.whole().totals.get(metric) else {
            rows.push(one(title, "none yet".to_owned(), Role::Dim));
            continue;
        };
        rows.push(Line::from(span(
            app,
            Role::Dim,
            format!(" {title}: p50, p90, p99, max"),
        )));
        let figures = [total.p50, total.p90, total.p99, total.max].map(words::micros);
        rows.push(Line::from(span(
            app,
            Role::Text,
            format!("   {}", figures.join("  ")),
        )));
        if metric == "tick_gap" {
            // The middle gap is the period; what the slowest take longer is lateness.
            let late = total.p99.saturating_sub(total.p50);
            let role = if late * 2 > total.p50 {
                Role::Bad
            } else {
                Role::Text
            };
            rows.push(one("ticks late by (p99)", words::micros(late), role));
        }
    }
    // The middle of the distribution is in the lines above; its shape is for who has the room.
    let bins = &model.whole().tick_gaps;
    if usize::from(inner.height) > rows.len() + bins.len() && !bins.is_empty() {
        rows.push(Line::from(span(app, Role::Dim, " ticks by the gap before them")));
        rows.extend(bins.iter().map(|bin| bar(app, bin, bins, inner.width)));
    }
    lines(frame, inner, rows, app.scroll);
}

/// A bin: its upper end, how many, and a bar as long as its share of the fullest.
fn bar(app: &App, bin: &Bin, bins: &[Bin], width: u16) -> Line<'static> {
    let most = bins.iter().map(|b| b.count).max().unwrap_or(0).max(1);
    let room = u64::from(width.saturating_sub(26).min(60));
    let length = (bin.count * room).div_ceil(most);
    let head = format!(
        " to {:>8}{:>10}  ",
        words::micros(bin.up_to_us),
        show_count(bin.count)
    );
    Line::from(vec![
        span(app, Role::Dim, head),
        span(
            app,
            Role::Series(1),
            "█".repeat(usize::try_from(length).unwrap_or(0)),
        ),
    ])
}
