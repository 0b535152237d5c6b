//! The generator's own health: whether its figures can be believed.

use crate::app::App;
use crate::theme::Role;
use crate::view::panel::{framed, lines, row};
use crate::view::words;
use clw_core::report::FELL_BEHIND_US;
use clw_core::units::{show_bytes, show_count};
use ratatui::Frame;
use ratatui::layout::Rect;

/// Whether something makes its figures doubtful.
pub fn is_suspect(app: &App) -> bool {
    let whole = app.model().whole();
    lag_p99(app) > FELL_BEHIND_US || !whole.counters.generator_errors.is_empty()
}

fn lag_p99(app: &App) -> u64 {
    app.model()
        .whole()
        .totals
        .get("schedule_lag")
        .map_or(0, |s| s.p99)
}

/// Draws it.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let inner = framed(frame, area, app, "generator", "");
    let model = app.model();
    let whole = model.whole();
    let counters = &whole.counters;
    let one = |name: &str, value: String, role| row(app, name, &value, role, inner.width);
    let lag = lag_p99(app);
    let cpu = if whole.elapsed_us > 0 {
        whole.usage.cpu_us as f64 * 100.0 / whole.elapsed_us as f64
    } else {
        0.0
    };
    let verdict = if is_suspect(app) {
        one("its figures", "NOT TO BE TRUSTED".to_owned(), Role::Bad)
    } else {
        one("its figures", "can be trusted".to_owned(), Role::Ok)
    };
    let mut rows = vec![
        verdict,
        one(
            "behind schedule (p99)",
            words::micros(lag),
            if lag > FELL_BEHIND_US {
                Role::Bad
            } else {
                Role::Text
            },
        ),
        one(
            "starts left out",
            show_count(counters.sessions.skipped_starts),
            if counters.sessions.skipped_starts > 0 {
                Role::Warn
            } else {
                Role::Text
            },
        ),
        one("CPU, mean", format!("{cpu:.0} % of a core"), Role::Text),
        one("memory, most", show_bytes(whole.usage.rss_peak_bytes), Role::Text),
        one("bytes sent", show_bytes(counters.bytes.sent), Role::Text),
        one("bytes received", show_bytes(counters.bytes.received), Role::Text),
    ];
    for (name, count) in &counters.generator_errors {
        rows.push(one(&format!("error {name}"), show_count(*count), Role::Bad));
    }
    for feed in model.feeds().iter().filter(|f| f.last.is_some()) {
        if feed.missed > 0 {
            let text = format!("{} snapshots", show_count(feed.missed));
            rows.push(one(&format!("missed of {}", feed.label), text, Role::Warn));
        }
        if !feed.from_start {
            rows.push(one(
                &words::fit(&feed.label, 20),
                "joined in mid-run".to_owned(),
                Role::Dim,
            ));
        }
    }
    lines(frame, inner, rows, app.scroll);
}
