//! The incident banner: since when, how bad, what it most likely is.

use crate::app::App;
use crate::model::{Canary, Incident, Kind};
use crate::theme::Role;
use crate::view::panel::{span, style};
use crate::view::words;
use clw_core::units::show_count;
use clw_core::verdict::{Verdict, entry};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// How long an incident that is over stays in sight, in seconds.
const SHOWN_AFTER_S: u64 = 60;

/// What a live session that ends without a word means when all of them do at once.
const DIED: &str = "the gateway process died";

/// The incident to be shown, if there is one.
fn shown(app: &App) -> Option<&Incident> {
    let now = app.model().history().now();
    app.model().incidents().latest().filter(|i| {
        i.until
            .is_none_or(|until| now.saturating_sub(until) <= SHOWN_AFTER_S)
    })
}

/// Rows that the banner takes.
pub fn rows(app: &App) -> u16 {
    if shown(app).is_some() { 2 } else { 0 }
}

/// Draws it.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let Some(incident) = shown(app) else { return };
    let now = app.model().history().now();
    let width = usize::from(area.width);
    let (first, role) = match incident.until {
        None => (
            format!(
                " INCIDENT since {} ({} ago): {}",
                words::clock(incident.since),
                words::clock(now.saturating_sub(incident.since)),
                extent(incident)
            ),
            Role::Banner,
        ),
        Some(until) => (
            format!(
                " INCIDENT OVER {} ago: lasted {} from {}: {}",
                words::clock(now.saturating_sub(until)),
                words::clock(incident.lasted(now)),
                words::clock(incident.since),
                extent(incident)
            ),
            Role::Ok,
        ),
    };
    let text = format!("{:<width$}", words::fit(&first, width));
    frame.render_widget(Line::styled(text, style(app, role)), Rect { height: 1, ..area });
    let second = Rect {
        y: area.y + 1,
        height: 1,
        ..area
    };
    let mut likely = format!(" Likely: {}", cause(incident));
    if let Some(canary) = Canary::of(app.model().feeds()).filter(|_| incident.until.is_none()) {
        likely = format!(" {}. Likely: {}", canary.meaning(), cause(incident));
    }
    let likely = words::fit(&likely, width);
    let role = if incident.until.is_none() {
        Role::Bad
    } else {
        Role::Text
    };
    frame.render_widget(Line::from(span(app, role, likely)), second);
}

fn extent(incident: &Incident) -> String {
    let errors = show_count(incident.errors);
    match incident.kind {
        Kind::Storm if incident.took_all() => format!("all sessions ended at once, {errors} bad endings"),
        Kind::Storm => format!(
            "storm, {errors} bad endings, up to {}/s",
            incident.worst_per_second
        ),
        Kind::Departure => format!("rate over its baseline, {errors} bad endings"),
    }
}

/// The likely cause, and what most of the endings are by now if that is something else.
fn cause(incident: &Incident) -> String {
    let Some(cause) = incident.cause else {
        return "not known yet".to_owned();
    };
    let died = cause == Verdict::AuthDisconnected && incident.took_all();
    match incident.mostly.filter(|m| *m != cause) {
        None if died => format!("{DIED} (every session cut at one instant, no goodbye)"),
        None => format!("{cause}, {}", entry(cause).cause_line),
        Some(now) => {
            let first = if died {
                DIED.to_owned()
            } else {
                format!("{cause} ({})", entry(cause).title)
            };
            format!("{first}; then mostly {now} ({})", entry(now).title)
        }
    }
}
