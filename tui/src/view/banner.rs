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
    let width = usize::from(area.width);
    let goes_on = incident.until.is_none();
    let first = words::first_that_fits(&headlines(app, incident), width);
    let role = if goes_on { Role::Banner } else { Role::Ok };
    let first_row = Rect { height: 1, ..area };
    frame.render_widget(
        Line::styled(format!("{first:<width$}"), style(app, role)),
        first_row,
    );
    let second_row = Rect {
        y: area.y + 1,
        height: 1,
        ..area
    };
    let canary = Canary::of(app.model().feeds(), incident.since).filter(|_| goes_on);
    let likely = words::first_that_fits(&likely(incident, canary), width);
    let role = if goes_on { Role::Bad } else { Role::Text };
    frame.render_widget(Line::from(span(app, role, likely)), second_row);
}

/// Since when, and how bad: in full, then in fewer words.
fn headlines(app: &App, incident: &Incident) -> Vec<String> {
    let now = app.model().history().now();
    let since = app.model().began_unix_s().map_or_else(
        || words::clock(incident.since),
        |began| format!("{} UTC", words::time_of_day(began.saturating_add(incident.since))),
    );
    let ago = |second: u64| words::clock(now.saturating_sub(second));
    let head = match incident.until {
        None => format!("INCIDENT since {since} ({} ago)", ago(incident.since)),
        Some(until) => format!(
            "INCIDENT OVER {} ago: lasted {} from {since}",
            ago(until),
            words::clock(incident.lasted(now))
        ),
    };
    extents(incident)
        .into_iter()
        .map(|extent| format!(" {head}: {extent}"))
        .collect()
}

fn extents(incident: &Incident) -> Vec<String> {
    let errors = show_count(incident.errors);
    let worst = incident.worst_per_second;
    match incident.kind {
        Kind::Storm if incident.took_all() => vec![
            format!("all sessions ended at once, {errors} bad endings"),
            format!("all ended at once, {errors} badly"),
            "all ended at once".to_owned(),
        ],
        Kind::Storm => vec![
            format!("storm, {errors} bad endings, up to {worst}/s"),
            format!("storm, {errors} bad endings"),
            format!("{errors} bad endings"),
        ],
        Kind::Departure => vec![
            format!("more errors than before, {errors} bad endings"),
            format!("{errors} bad endings"),
        ],
    }
}

/// The likely cause, and what most of the endings are by now if that is something else: in full, then in fewer words.
/// Canary sessions that tell whose fault it is come first.
fn likely(incident: &Incident, canary: Option<Canary>) -> Vec<String> {
    let causes = causes(incident);
    let Some(canary) = canary else {
        return causes.iter().map(|c| format!(" Likely: {c}")).collect();
    };
    [canary.meaning(), canary.in_short()]
        .iter()
        .flat_map(|whose| causes.iter().map(move |c| format!(" {whose}. Likely: {c}")))
        .collect()
}

fn causes(incident: &Incident) -> Vec<String> {
    let Some(cause) = incident.cause else {
        return vec!["not known yet".to_owned()];
    };
    let died = cause == Verdict::AuthDisconnected && incident.took_all();
    match incident.mostly.filter(|m| *m != cause) {
        None if died => vec![
            format!("{DIED} (every session cut at one instant, no goodbye)"),
            DIED.to_owned(),
        ],
        None => vec![
            format!("{cause}, {}", entry(cause).cause_line),
            format!("{cause}: {}", entry(cause).title),
            cause.to_string(),
        ],
        Some(now) => {
            let title = entry(cause).title;
            let (first, short) = if died {
                (DIED.to_owned(), DIED.to_owned())
            } else {
                (format!("{cause} ({title})"), cause.to_string())
            };
            vec![
                format!("{first}; then mostly {now} ({})", entry(now).title),
                format!("{first}; then mostly {now}"),
                format!("{short}; then mostly {now}"),
                format!("{short}, then {now}"),
                short,
            ]
        }
    }
}
