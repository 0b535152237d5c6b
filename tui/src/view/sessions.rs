//! Sessions by state.

use crate::app::App;
use crate::theme::Role;
use crate::view::panel::{framed, lines, row};
use crate::view::words;
use clw_core::units::show_count;
use clw_core::uptime::uptime_pct;
use ratatui::Frame;
use ratatui::layout::Rect;

/// Draws it.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let inner = framed(frame, area, app, "sessions", "");
    let whole = app.model().whole();
    let (gauges, counters) = (&whole.gauges, &whole.counters);
    let errors = app.model().run().errors;
    let warn = |bad: bool, role| if bad { role } else { Role::Text };
    let up = app.model().up_pct(60);
    // The generator adds a session's uptime up when it ends: until then there is nothing to show.
    let uptime = (counters.uptime.meant_us > 0).then(|| uptime_pct(counters.uptime, counters.sessions));
    let one = |name: &str, value: &str, role| row(app, name, value, role, inner.width);
    if app.ends_only {
        let rows = vec![
            one("open now", "not in a log", Role::Dim),
            one("ended", &show_count(counters.sessions.ended), Role::Strong),
            one("bad endings", &show_count(errors), warn(errors > 0, Role::Bad)),
            one("were ready", &show_count(counters.sessions.ready), Role::Text),
            one("failed before", &show_count(counters.sessions.failed), Role::Text),
        ];
        lines(frame, inner, rows, 0);
        return;
    }
    let rows = vec![
        one("ready", &show_count(gauges.ready), Role::Strong),
        one("connecting", &show_count(gauges.connecting), Role::Text),
        one(
            "reconnecting",
            &show_count(gauges.reconnecting),
            warn(gauges.reconnecting > 0, Role::Warn),
        ),
        one("ended", &show_count(counters.sessions.ended), Role::Text),
        one("bad endings", &show_count(errors), warn(errors > 0, Role::Bad)),
        one(
            "up, last 60 s",
            &words::percent(up),
            warn(up.is_some_and(|u| u < 99.0), Role::Warn),
        ),
        one("started", &show_count(counters.sessions.started), Role::Text),
        one("uptime of ended", &words::percent(uptime), Role::Text),
        one("most open", &show_count(gauges.peak_open), Role::Text),
        one("dropped", &show_count(counters.sessions.dropped), Role::Text),
        one(
            "reconnected",
            &show_count(counters.sessions.reconnected),
            Role::Text,
        ),
    ];
    lines(frame, inner, rows, 0);
}
