//! How sessions ended: verdicts ranked, with cause and fix from the dictionary; close codes; how far connections got.

use super::Written;
use clw_core::Stage;
use clw_core::html::escaped;
use clw_core::report::Report;
use clw_core::units::show_count;
use clw_core::verdict::{Verdict, close_codes_of, entry};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Close codes listed; a hostile server can send many.
const MAX_CODES: usize = 16;
/// Meanings of a code told.
const MAX_MEANINGS: usize = 3;

pub(super) fn section(out: &mut String, r: &Report) -> Written {
    writeln!(out, "<h2>How sessions ended</h2>")?;
    ranked(out, r, &r.verdicts, r.sessions.started, "sessions")?;
    if !r.drops.is_empty() {
        writeln!(out, "<h2>Drops that a reconnect followed</h2>")?;
        ranked(out, r, &r.drops, r.drops.values().sum(), "drops")?;
    }
    stages(out, r)?;
    close_codes(out, r)
}

fn ranked(out: &mut String, r: &Report, counts: &BTreeMap<String, u64>, whole: u64, of: &str) -> Written {
    let mut ranked: Vec<_> = counts.iter().collect();
    ranked.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    if ranked.is_empty() {
        return writeln!(out, "<p>None ended.</p>");
    }
    writeln!(out, "<ol class=\"ranked\">")?;
    for (name, count) in ranked {
        let verdict = Verdict::from_name(name);
        let class = match verdict {
            Some(Verdict::Ok) => "good",
            Some(v) if !v.is_error() => "dim",
            _ => "bad",
        };
        let share = *count as f64 * 100.0 / whole.max(1) as f64;
        writeln!(
            out,
            "<li><div class=\"name\"><b class=\"{class}\">{}</b><span class=\"number\">{} {of}</span><span class=\"number\">{share:.2} %</span></div>\
             <div class=\"bar {class}\"><i style=\"width:{:.2}%\"></i></div>",
            escaped(name),
            show_count(*count),
            share.clamp(0.0, 100.0)
        )?;
        if let Some(verdict) = verdict.filter(|v| v.is_error()) {
            explained(out, r, verdict)?;
        }
        writeln!(out, "</li>")?;
    }
    writeln!(out, "</ol>")
}

fn explained(out: &mut String, r: &Report, verdict: Verdict) -> Written {
    let entry = entry(verdict);
    for (label, text) in [("why", entry.cause_line), ("fix", entry.fix_line)] {
        writeln!(
            out,
            "<p class=\"label\" data-label=\"{label}\">{}</p>",
            escaped(text)
        )?;
    }
    write!(out, "<details><summary>evidence, causes, fixes</summary>")?;
    let samples = r.samples.get(verdict.name()).map(Vec::as_slice);
    for words in samples.unwrap_or_default() {
        let words: Vec<_> = words.iter().map(|line| escaped(line)).collect();
        write!(
            out,
            "<p class=\"label\" data-label=\"seen\">{}</p>",
            words.join("<br>")
        )?;
    }
    for (title, lines) in [
        ("Causes", entry.causes),
        ("At the client", entry.evidence.client),
        ("In the gateway\u{2019}s log", entry.evidence.gateway_log),
        ("In a capture", entry.evidence.capture),
        ("Fixes", entry.fixes),
    ] {
        if lines.is_empty() {
            continue;
        }
        write!(out, "<h3>{title}</h3><ul>")?;
        for line in lines {
            write!(out, "<li>{}</li>", escaped(line))?;
        }
        write!(out, "</ul>")?;
    }
    writeln!(out, "</details>")
}

/// Where it stops says more than that it stops.
fn stages(out: &mut String, r: &Report) -> Written {
    let of = |stage: Stage| r.stages.get(stage.name()).copied().unwrap_or(0);
    let whole: u64 = r.stages.values().sum();
    if whole == of(Stage::Ready) {
        return Ok(());
    }
    writeln!(
        out,
        "<h2>How far connections got</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>furthest stage</th><th class=\"number\">connections</th>\
         <th class=\"number\">share</th></tr></thead>\n<tbody>"
    )?;
    for stage in Stage::ALL.into_iter().filter(|stage| of(*stage) > 0) {
        writeln!(
            out,
            "<tr><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{:.2} %</td></tr>",
            stage.name(),
            show_count(of(stage)),
            of(stage) as f64 * 100.0 / whole.max(1) as f64
        )?;
    }
    writeln!(out, "</tbody>\n</table></div>")
}

fn close_codes(out: &mut String, r: &Report) -> Written {
    if r.close_codes.is_empty() {
        return Ok(());
    }
    let mut codes: Vec<_> = r.close_codes.iter().collect();
    codes.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    writeln!(
        out,
        "<h2>Close codes</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>code</th><th class=\"number\">connections</th><th>can mean</th></tr></thead>\n<tbody>"
    )?;
    for (code, count) in codes.iter().take(MAX_CODES) {
        writeln!(
            out,
            "<tr><td><code>{}</code></td><td class=\"number\">{}</td><td>{}</td></tr>",
            escaped(code),
            show_count(**count),
            meanings(r, code)
        )?;
    }
    writeln!(out, "</tbody>\n</table></div>")?;
    if codes.len() > MAX_CODES {
        writeln!(out, "<p>… and {} further codes.</p>", codes.len() - MAX_CODES)?;
    }
    Ok(())
}

/// What a code of this number can have meant in this run: of all that the dialect uses it for, what fits a verdict that was given.
fn meanings(r: &Report, code: &str) -> String {
    match code {
        "0" => return "further codes: the server sent too many different ones".to_owned(),
        "1005" => return "a close frame without a code".to_owned(),
        "1006" => return "no close frame came".to_owned(),
        _ => {}
    }
    let seen =
        |verdict: Verdict| r.verdicts.contains_key(verdict.name()) || r.drops.contains_key(verdict.name());
    let mut meanings: Vec<&str> = Vec::new();
    let known = code.parse().map(close_codes_of).into_iter().flatten();
    for known in known.filter(|known| known.dialect.is_none_or(|d| d == r.target.dialect)) {
        if known.verdict.is_some_and(seen) && !meanings.contains(&known.meaning) {
            meanings.push(known.meaning);
        }
    }
    let more = if meanings.len() > MAX_MEANINGS {
        format!("; \u{2026} <code>clw-bench explain {}</code>", escaped(code))
    } else {
        String::new()
    };
    meanings.truncate(MAX_MEANINGS);
    escaped(&meanings.join("; ")) + &more
}
