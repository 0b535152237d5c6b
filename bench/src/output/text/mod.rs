//! The terminal summary of a run.
//!
//! ```text
//! what was asked, how it went, uptime and error rate
//! endings, ranked, with one line of cause and fix each
//! percentiles by stage
//! heartbeats, reconnects, close codes, traffic
//! the generator's own health
//! thresholds
//! what to do next
//! ```
//!
//! A pure function of the result: the same result prints the same text.

mod advice;
mod counts;
mod endings;
mod head;
mod latency;
mod verdicts;

use super::style::{Paint, Role};
use super::words::{wrap, wrap_pieces};
use clw_core::report::Report;
use clw_core::verdict::Verdict;
use std::io::{self, Write};

/// Cause and fix of a verdict, one line each: the dictionary's words.
pub type Explain<'a> = &'a dyn Fn(Verdict) -> (&'a str, &'a str);

/// How to print.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// Columns of the terminal; below 72 it prints as for 72.
    pub width: usize,
    /// Colours.
    pub paint: Paint,
    /// Cause and fix of each verdict.
    pub explain: Explain<'a>,
}

/// Writes the summary.
pub fn write_summary(out: &mut impl Write, report: &Report, look: Look<'_>) -> io::Result<()> {
    out.write_all(summary(report, look).as_bytes())
}

/// The summary as text, ending with a newline.
pub fn summary(report: &Report, look: Look<'_>) -> String {
    let mut page = Page {
        text: String::new(),
        width: look.width.clamp(72, 160),
        paint: look.paint,
    };
    head::write(&mut page, report);
    endings::write(&mut page, report, look.explain);
    latency::write(&mut page, report);
    counts::write(&mut page, report);
    verdicts::write(&mut page, report);
    advice::write(&mut page, report);
    page.text
}

/// The text so far, and how wide it may be.
struct Page {
    text: String,
    width: usize,
    paint: Paint,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn title(&mut self, text: &str) {
        self.blank();
        let painted = self.paint.role(Role::Title, text);
        self.line(&painted);
    }

    /// A label of `indent` columns, then text beside it, wrapped.
    fn labelled(&mut self, label: &str, indent: usize, role: Role, text: &str) {
        let room = self.width.saturating_sub(indent);
        self.beside(label, indent, role, wrap(text, room));
    }

    /// A label of `indent` columns, then pieces beside it, joined by ` · ` and never broken.
    fn pieces<T: AsRef<str>>(&mut self, label: &str, indent: usize, pieces: impl IntoIterator<Item = T>) {
        let lines = wrap_pieces(pieces, " · ", self.width.saturating_sub(indent));
        self.beside(label, indent, Role::Plain, lines);
    }

    fn beside(&mut self, label: &str, indent: usize, role: Role, lines: Vec<String>) {
        for (i, line) in lines.into_iter().enumerate() {
            let label = if i == 0 { label } else { "" };
            let painted = self.paint.role(role, &line);
            self.line(&format!("{label:<indent$}{painted}"));
        }
    }
}
