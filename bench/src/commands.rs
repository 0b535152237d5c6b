//! The small subcommands: explain, compare, merge.

use crate::args::{CompareArgs, ExplainArgs, MergeArgs};
use crate::exit::Exit;
use crate::output::file;
use crate::output::html;
use crate::output::text;
use crate::{compare as comparison, dictionary as page, explain as dictionary, merge as joining, run};
use clw_core::text::Paint;
use clw_core::threshold::Threshold;
use clw_core::verdict::{CloseCodeEntry, Side, Verdict, close_codes_of, entry, error_code, reset_entry};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

/// How a subcommand ends: an exit code, or one with a message.
pub(crate) type Ended = Result<Exit, (Exit, String)>;

fn failed(error: impl std::fmt::Display) -> (Exit, String) {
    (Exit::Failed, error.to_string())
}

pub(crate) fn explain(args: &ExplainArgs) -> Ended {
    if args.markdown {
        file::print(&page::markdown()).map_err(failed)?;
        return Ok(Exit::Done);
    }
    let Some(topic) = &args.topic else {
        let mut list = String::new();
        for verdict in Verdict::ALL {
            // Writing to a String cannot fail.
            let _ = writeln!(list, "{:<26} {}", verdict.name(), entry(verdict).title);
        }
        file::print(&list).map_err(failed)?;
        return Ok(Exit::Done);
    };
    let text = dictionary::render(topic, run::terminal_width()).map_err(|e| (Exit::Usage, e.to_string()))?;
    match &args.json {
        Some(to) => {
            let value = as_json(topic, &text);
            file::write_whole(Path::new(to), &format!("{value:#}\n")).map_err(failed)?;
        }
        None => file::print(&text).map_err(failed)?,
    }
    Ok(Exit::Done)
}

/// An entry field by field.
fn as_json(topic: &str, text: &str) -> Value {
    let verdict = Verdict::from_name(topic).or_else(|| Verdict::from_name(&format!("clw-{topic}")));
    let Some(entry) = verdict.map(entry) else {
        return other_as_json(topic, text);
    };
    json!({
        "verdict": entry.verdict.name(),
        "title": entry.title,
        "cause": entry.cause_line,
        "fix": entry.fix_line,
        "dialects": entry.dialects,
        "symptoms": entry.symptoms,
        "causes": entry.causes,
        "evidence": {
            "capture": entry.evidence.capture,
            "client": entry.evidence.client,
            "gateway_log": entry.evidence.gateway_log,
        },
        "fixes": entry.fixes,
        "related": entry.related,
    })
}

/// A close code, an error code or a class of RST.
fn other_as_json(topic: &str, text: &str) -> Value {
    let name = |verdict: Option<Verdict>| verdict.map(Verdict::name);
    if let Some(known) = error_code(topic) {
        return json!({
            "error_code": known.code,
            "dialect": known.dialect,
            "meaning": known.meaning,
            "fix": known.fix,
            "verdict": name(known.verdict),
        });
    }
    if let Some(class) = dictionary::reset_class(&topic.to_ascii_lowercase()) {
        let known = reset_entry(class);
        return json!({
            "reset_class": class.name(),
            "meaning": known.meaning,
            "test": known.test,
            "fix": known.fix,
        });
    }
    let meanings: Vec<_> = topic
        .parse()
        .map_or_else(|_| Vec::new(), |code| close_codes_of(code).collect())
        .into_iter()
        .map(|known: &CloseCodeEntry| {
            json!({
                "dialect": known.dialect,
                "by": known.by.map(Side::name),
                "stage": known.stage.name(),
                "reason": known.reason,
                "meaning": known.meaning,
                "verdict": name(known.verdict),
            })
        })
        .collect();
    json!({ "close_code": topic, "meanings": meanings, "text": text })
}

/// A verdict's cause and fix, a line each.
pub(crate) fn lines(verdict: Verdict) -> (&'static str, &'static str) {
    let entry = entry(verdict);
    (entry.cause_line, entry.fix_line)
}

pub(crate) fn compare(args: &CompareArgs) -> Ended {
    let a = joining::read(&args.before).map_err(failed)?;
    let b = joining::read(&args.after).map_err(failed)?;
    let changes = comparison::compare(&a, &b);
    if let Some(to) = &args.json {
        let text = serde_json::to_string_pretty(&changes).map_err(failed)? + "\n";
        file::write_whole(Path::new(to), &text).map_err(failed)?;
    } else {
        let (a, b) = (
            args.before.display().to_string(),
            args.after.display().to_string(),
        );
        file::print(&comparison::render(&changes, &a, &b)).map_err(failed)?;
    }
    Ok(Exit::Done)
}

pub(crate) fn merge(args: &MergeArgs) -> Ended {
    let is_stdout = |to: &Option<String>| to.as_deref() == Some("-");
    if is_stdout(&args.json) && is_stdout(&args.html) {
        let text = "--json and --html exclude each other on standard output; give one of them a file";
        return Err((Exit::Usage, text.to_owned()));
    }
    let thresholds = args
        .threshold
        .iter()
        .map(|t| Threshold::parse(t))
        .collect::<Result<Vec<_>, _>>();
    let thresholds = thresholds.map_err(|e| (Exit::Usage, format!("--threshold: {e}")))?;
    let reports = args
        .files
        .iter()
        .map(|f| joining::read(f))
        .collect::<Result<Vec<_>, _>>();
    let mut joined = joining::merge(reports.map_err(failed)?).map_err(failed)?;
    joined.thresholds = thresholds.iter().map(|t| t.evaluate(&joined)).collect();
    joined.passed = joined.thresholds.iter().all(|t| t.passed);
    if let Some(to) = &args.json {
        file::write_whole(Path::new(to), &run::to_json(&joined)).map_err(failed)?;
    }
    if let Some(to) = &args.html {
        let page = html::render(&joined, html::Of::Joined(args.files.len()));
        file::write_whole(Path::new(to), &page).map_err(failed)?;
    }
    if !is_stdout(&args.json) && !is_stdout(&args.html) {
        let asked = format!("{} results joined", args.files.len());
        let paint = Paint::new(args.color.is_wanted(&std::io::stdout()));
        let text = text::render(&joined, &asked, &lines, paint, run::terminal_width());
        file::print(&text).map_err(failed)?;
    }
    Ok(if joined.passed {
        Exit::Done
    } else {
        Exit::Threshold
    })
}
