//! The small subcommands: explain, compare, merge.

use crate::args::{CompareArgs, ExplainArgs, MergeArgs};
use crate::exit::Exit;
use crate::output::file;
use crate::output::paint::Paint;
use crate::output::text;
use crate::{compare as comparison, explain as dictionary, merge as joining, run};
use clw_core::threshold::Threshold;
use std::path::Path;

/// How a subcommand ends: an exit code, or one with a message.
pub(crate) type Ended = Result<Exit, (Exit, String)>;

fn failed(error: impl std::fmt::Display) -> (Exit, String) {
    (Exit::Failed, error.to_string())
}

pub(crate) fn explain(args: &ExplainArgs) -> Ended {
    let Some(topic) = &args.topic else {
        file::print(&dictionary::list()).map_err(failed)?;
        return Ok(Exit::Done);
    };
    let usage = |e: dictionary::UnknownTopic| (Exit::Usage, e.to_string());
    if let Some(to) = &args.json {
        let value = dictionary::to_json(topic).map_err(usage)?;
        file::write_whole(Path::new(to), &format!("{value:#}\n")).map_err(failed)?;
    } else {
        let text = dictionary::render(topic, run::terminal_width()).map_err(usage)?;
        file::print(&text).map_err(failed)?;
    }
    Ok(Exit::Done)
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
    if args.json.as_deref() != Some("-") {
        let asked = format!("{} results joined", args.files.len());
        let paint = Paint::for_stdout(args.color.into());
        let text = text::render(&joined, &asked, &dictionary::lines, paint, run::terminal_width());
        file::print(&text).map_err(failed)?;
    }
    Ok(if joined.passed {
        Exit::Done
    } else {
        Exit::Threshold
    })
}
