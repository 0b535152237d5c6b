//! `--conn`: one connection's timeline, the client's side left, the server's right.

use crate::judge::Judged;
use crate::stream::session::Note;
use crate::tcp::Way;
use clw_core::text::{Paint, Role};
use std::fmt::Write as _;

/// Lines shown of a long connection, half from each end.
const MAX_LINES: usize = 400;

/// The timeline of a connection.
pub fn render(judged: &Judged, paint: Paint) -> String {
    let record = &judged.record;
    let mut out = String::new();
    let title = format!(
        "#{} {} → {}, {}",
        record.id, record.client, record.server, record.dialect
    );
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{}", paint.paint(Role::Heading, &title));
    let _ = writeln!(
        out,
        "{}  {}",
        record.start,
        record.verdict.unwrap_or("no session")
    );
    for line in &record.evidence {
        let _ = writeln!(out, "  {line}");
    }
    let notes = judged.notes.as_deref().unwrap_or_default();
    let _ = writeln!(out, "\n{:>11} {:>8}  client{:^34}server", "time", "frame", "");
    let skipped = notes.len().saturating_sub(MAX_LINES);
    for (index, note) in notes.iter().enumerate() {
        if skipped > 0 && index == MAX_LINES / 2 {
            let _ = writeln!(out, "{:>11}  … {skipped} lines left out …", "");
        }
        if skipped == 0 || index < MAX_LINES / 2 || index >= MAX_LINES / 2 + skipped {
            let _ = writeln!(out, "{}", row(note, record.start_unix_ns, paint));
        }
    }
    for gap in &record.heartbeats.gaps {
        let text = format!(
            "{:>9.3} s           no heartbeat of the {} for {:.1} s: {}",
            gap.from_ms / 1e3,
            gap.side.name(),
            gap.length_ms / 1e3,
            gap.cause
        );
        let _ = writeln!(out, "{}", paint.paint(Role::Warn, &text));
    }
    out
}

fn row(note: &Note, start_ns: u64, paint: Paint) -> String {
    let seconds = note.at_ns.saturating_sub(start_ns) as f64 / 1e9;
    let arrow = match note.way {
        Way::Up => format!("──── {} ────▶", note.text),
        Way::Down => format!("◀──── {} ────", note.text),
    };
    let line = format!("{seconds:>9.3} s {:>8}  {arrow}", note.frame);
    let text = note.text.as_str();
    if text.starts_with("RST") || text.starts_with("broken") {
        paint.paint(Role::Bad, &line)
    } else if text.starts_with("retransmission") || text.starts_with("close") || text == "FIN" {
        paint.paint(Role::Warn, &line)
    } else {
        line
    }
}
