//! An entry of the dictionary, with what this run saw of it.

use crate::app::App;
use crate::theme::Role;
use crate::view::panel::{framed, lines, span};
use crate::view::words;
use clw_core::journal::SessionRecord;
use clw_core::units::show_count;
use clw_core::verdict::{Verdict, entry};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Sessions shown, each with its timeline.
const SESSIONS: usize = 3;

/// Draws it.
pub fn render(frame: &mut Frame, area: Rect, app: &App, verdict: Verdict) {
    let inner = framed(frame, area, app, verdict.name(), "↑ ↓ scroll, Esc closes");
    let mut page = Page {
        app,
        width: usize::from(inner.width).saturating_sub(1),
        rows: Vec::new(),
    };
    let known = entry(verdict);
    let counters = &app.model().whole().counters;
    let count = counters.verdicts[verdict.index()] + counters.drops[verdict.index()];
    page.text(Role::Strong, " ", known.title);
    page.text(Role::Text, " ", known.cause_line);
    page.text(
        Role::Dim,
        " ",
        &format!("{} connections ended so in this run", show_count(count)),
    );
    page.list("First to try", &[known.fix_line]);
    page.list("Fixes", known.fixes);
    page.sessions(verdict);
    page.list("Symptoms", known.symptoms);
    page.list("Causes", known.causes);
    page.list("Evidence in a capture", known.evidence.capture);
    page.list("Evidence at the client", known.evidence.client);
    page.list("Evidence in the gateway's log", known.evidence.gateway_log);
    let related: Vec<&str> = known.related.iter().map(|v| v.name()).collect();
    if !related.is_empty() {
        page.list("Looks alike", &related);
    }
    page.list("To reproduce", &[known.fault]);
    lines(frame, inner, page.rows, app.scroll);
}

struct Page<'a> {
    app: &'a App,
    width: usize,
    rows: Vec<Line<'static>>,
}

impl Page<'_> {
    fn text(&mut self, role: Role, first: &str, text: &str) {
        for line in words::wrap(first, text, self.width) {
            self.rows.push(Line::from(span(self.app, role, line)));
        }
    }

    fn heading(&mut self, title: &str) {
        self.rows.push(Line::default());
        self.rows
            .push(Line::from(span(self.app, Role::Title, format!(" {title}"))));
    }

    fn list(&mut self, title: &str, items: &[&str]) {
        self.heading(title);
        for item in items {
            self.text(Role::Text, "  - ", item);
        }
    }

    /// The last sessions where the source tells of them; else the samples that its counters carry.
    fn sessions(&mut self, verdict: Verdict) {
        let model = self.app.model();
        let records: Vec<SessionRecord> = model.records().of(verdict).take(SESSIONS).cloned().collect();
        if !records.is_empty() {
            self.heading("Last sessions that ended so");
            for record in records {
                self.text(Role::Text, "  - ", &timeline(&record));
                for evidence in &record.evidence {
                    self.text(Role::Dim, "      ", evidence);
                }
            }
        } else if let Some(samples) = model.whole().counters.samples.get(verdict.name()).cloned() {
            self.heading("Sessions of this run that ended so");
            for sample in samples {
                self.text(Role::Text, "  - ", &sample.join("; "));
            }
        }
    }
}

/// A session's life in a line: who, and when each stage was reached.
fn timeline(record: &SessionRecord) -> String {
    let origin = record
        .stages_us
        .values()
        .min()
        .copied()
        .unwrap_or(record.scheduled_us);
    let client = record.client.map_or_else(String::new, |c| format!(", {c}"));
    let mut parts = vec![format!(
        "session {} ({}{client}) from {}:",
        record.session,
        record.role,
        words::clock(origin / 1_000_000)
    )];
    for (stage, at) in &record.stages_us {
        parts.push(format!("{stage} +{}", words::micros(at.saturating_sub(origin))));
    }
    parts.push(format!(
        "ended +{}",
        words::micros(record.ended_us.saturating_sub(origin))
    ));
    if let Some(close) = &record.close {
        let code = close.code.map_or_else(|| "no code".to_owned(), |c| c.to_string());
        parts.push(format!("(close {code} {:?})", close.reason));
    }
    parts.join(" ")
}
