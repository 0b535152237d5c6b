//! `clw-bench sweep`: which network do sessions survive? A grid of conditions and clients, each cell a whole run, and a search
//! for the value at which something stops to hold.

mod axis;
mod cell;
mod cliff;
mod result;
mod table;

pub use axis::{Axis, AxisError, Condition, Dimension, Range};
pub use cliff::{Cliff, Reading, Search};

use crate::args::{Args, SweepArgs};
use crate::commands::Ended;
use crate::exit::Exit;
use crate::output::file;
use cell::{By, Runs};
use clap::Parser as _;
use clw_core::Dialect;
use clw_core::threshold::Threshold;
use result::{Cell, Figures, Flags, Found, SCHEMA, Sweep};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

pub(crate) fn sweep(args: &SweepArgs) -> Ended {
    let usage = |message: String| (Exit::Usage, message);
    let failed = |message: String| (Exit::Failed, message);
    let clients = clients(&args.client).map_err(usage)?;
    let (flags, faults) = without_faults(&args.flags);
    let dialect = check_flags(&flags, &clients, args).map_err(usage)?;
    let holds = Threshold::parse(&args.holds).map_err(|e| usage(format!("--holds: {e}")))?;
    if args.x.is_none() && args.find.is_none() {
        return Err(usage(
            "give a grid (--x loss=0%,2%,5%) or a search (--find loss=0%..30%)".to_owned(),
        ));
    }
    if let (Some(x), Some(y)) = (&args.x, &args.y)
        && x.dimension == y.dimension
    {
        return Err(usage(format!("--x and --y both vary {}", x.dimension.name())));
    }
    if let Some(why) = too_short(args) {
        return Err(usage(why));
    }
    let (by, note) = by(args).map_err(failed)?;
    let folder = tempfile::tempdir().map_err(|e| failed(e.to_string()))?;
    let runs = Runs {
        executable: std::env::current_exe().map_err(|e| failed(e.to_string()))?,
        folder: folder.path().to_owned(),
        sessions: args.sessions,
        cell: args.duration,
        seed: args.seed,
        flags: flags.clone(),
        faults,
        dialect: dialect.name().to_owned(),
        token: format!("sweep-{}", args.seed),
        by: by.clone(),
    };
    let mut sweep = Sweep {
        schema: SCHEMA,
        tool_version: env!("CARGO_PKG_VERSION"),
        started_at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        interrupted: false,
        by: if by == By::Impair { "impair" } else { "netem" },
        note,
        flags: Flags(args.flags.clone()),
        clients: clients
            .into_iter()
            .map(|(name, flags)| (name, Flags(flags)))
            .collect(),
        seed: args.seed,
        sessions: args.sessions,
        cell_s: args.duration.as_secs_f64(),
        x: args.x.clone(),
        y: args.y.clone(),
        cells: Vec::new(),
        cliffs: Vec::new(),
    };
    let plan = plan(args, &sweep);
    if args.dry_run {
        return dry_run(args, &sweep, &plan);
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, interrupted.clone())
        .map_err(|e| failed(e.to_string()))?;
    let mut progress = Progress::new(args, plan.len());
    for (condition, client) in plan {
        if interrupted.load(Ordering::Relaxed) {
            break;
        }
        progress.tell(&condition, &client);
        let outcome = runs.run(&condition, &sweep.clients[&client].0);
        let (figures, error) = match outcome {
            Ok(report) => (Some(Figures::of(&report)), None),
            Err(error) => (None, Some(error)),
        };
        sweep.cells.push(Cell {
            condition,
            network: condition.words(),
            client,
            figures,
            error,
        });
    }
    if let Some(range) = args.find {
        for (condition, client) in bases(args, &sweep) {
            let found = search(
                args,
                range,
                condition,
                &client,
                &holds,
                &runs,
                &sweep,
                &interrupted,
                &mut progress,
            );
            sweep.cliffs.push(found);
        }
    }
    sweep.interrupted = interrupted.load(Ordering::Relaxed);
    write(args, &sweep)?;
    let all_failed = sweep.cells.iter().all(|cell| cell.figures.is_none())
        && sweep.cliffs.iter().all(|found| found.cliff.readings.is_empty());
    Ok(if sweep.interrupted {
        Exit::Interrupted
    } else if all_failed {
        Exit::Failed
    } else {
        Exit::Done
    })
}

/// The cells of the grid, in the order in which they run.
fn plan(args: &SweepArgs, sweep: &Sweep) -> Vec<(Condition, String)> {
    let Some(x) = &args.x else {
        return Vec::new();
    };
    let mut plan = Vec::new();
    for client in sweep.clients.keys() {
        for base in rows(args) {
            for value in &x.values {
                plan.push((base.with(x.dimension, *value), client.clone()));
            }
        }
    }
    plan
}

fn rows(args: &SweepArgs) -> Vec<Condition> {
    match &args.y {
        Some(y) => y
            .values
            .iter()
            .map(|value| Condition::default().with(y.dimension, *value))
            .collect(),
        None => vec![Condition::default()],
    }
}

/// Why cells are too short for what is to happen in them.
fn too_short(args: &SweepArgs) -> Option<String> {
    let grid = [&args.x, &args.y]
        .into_iter()
        .flatten()
        .filter(|axis| axis.dimension == Dimension::Outage)
        .flat_map(|axis| axis.values.iter().copied());
    let searched = args.find.filter(|range| range.dimension == Dimension::Outage);
    let longest = grid.chain(searched.map(|range| range.high)).fold(0.0, f64::max);
    Condition::default()
        .with(Dimension::Outage, longest)
        .does_not_fit(args.duration.as_secs_f64())
}

/// What a search is made for: each client, on each row.
fn bases(args: &SweepArgs, sweep: &Sweep) -> Vec<(Condition, String)> {
    sweep
        .clients
        .keys()
        .flat_map(|client| rows(args).into_iter().map(|row| (row, client.clone())))
        .collect()
}

#[expect(clippy::too_many_arguments, reason = "all of it belongs to one search")]
fn search(
    args: &SweepArgs,
    range: Range,
    base: Condition,
    client: &str,
    holds: &Threshold,
    runs: &Runs,
    sweep: &Sweep,
    interrupted: &AtomicBool,
    progress: &mut Progress,
) -> Found {
    let mut error = None;
    let mut search = Search::new(range.low, range.high, args.steps);
    while let Some(value) = search.next() {
        if interrupted.load(Ordering::Relaxed) {
            break;
        }
        let condition = base.with(range.dimension, value);
        progress.tell(&condition, client);
        // A run that gave no result is no reading: neither held nor broken.
        match runs.run(&condition, &sweep.clients[client].0) {
            Ok(report) => search.answer(value, holds.evaluate(&report).passed),
            Err(why) => {
                error = Some(format!("{}: {why}", condition.words()));
                break;
            }
        }
    }
    Found {
        range,
        condition: base,
        client: client.to_owned(),
        holds: args.holds.clone(),
        cliff: search.cliff(),
        error,
    }
}

/// `NAME=FLAGS` each; one without a name to it where none is given.
fn clients(given: &[String]) -> Result<BTreeMap<String, Vec<String>>, String> {
    if given.is_empty() {
        return Ok(BTreeMap::from([("plain".to_owned(), Vec::new())]));
    }
    given
        .iter()
        .map(|text| {
            let (name, flags) = text
                .split_once('=')
                .filter(|(name, _)| !name.is_empty() && !name.contains(char::is_whitespace))
                .ok_or_else(|| {
                    format!("--client `{text}`: write NAME=FLAGS, such as 'hardened=--reconnect on'")
                })?;
            Ok((
                name.to_owned(),
                flags.split_whitespace().map(str::to_owned).collect(),
            ))
        })
        .collect()
}

/// Flags for the load generator, and the faults, which are the gateway's.
fn without_faults(flags: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut rest, mut faults) = (Vec::new(), Vec::new());
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        match flag.strip_prefix("--fault") {
            Some("") => faults.extend(flags.next().cloned()),
            Some(value) if value.starts_with('=') => faults.push(value[1..].to_owned()),
            _ => rest.push(flag.clone()),
        }
    }
    (rest, faults)
}

/// Whether every client's call parses and says nothing that the sweep decides; the dialect.
fn check_flags(
    flags: &[String],
    clients: &BTreeMap<String, Vec<String>>,
    args: &SweepArgs,
) -> Result<Dialect, String> {
    let mut dialect = Dialect::default();
    for (name, more) in clients {
        let line = ["clw-bench".to_owned()]
            .into_iter()
            .chain(flags.iter().chain(more).cloned());
        let parsed = Args::try_parse_from(line).map_err(|e| {
            let text = e.to_string();
            let first = text.lines().next().unwrap_or_default();
            format!("--client {name}: {}", first.trim_start_matches("error: "))
        })?;
        for (flag, given) in [
            ("-c", parsed.load.sessions.is_some()),
            ("-n", parsed.load.total.is_some()),
            ("-d", parsed.load.duration.is_some()),
            ("--impair", parsed.network.impair.is_some()),
        ] {
            if given {
                return Err(format!("{flag} is the sweep's own: give it before the `--`"));
            }
        }
        if parsed.target.url.is_some() && args.by == crate::args::SweepBy::Netem {
            return Err("netem shapes a path of its own between two namespaces: leave the URL out, or use --by impair".to_owned());
        }
        dialect = parsed.target.dialect.map_or(dialect, Dialect::from);
    }
    Ok(dialect)
}

/// What makes the conditions, and why not netem.
fn by(args: &SweepArgs) -> Result<(By, String), String> {
    use crate::args::SweepBy;
    if args.by == SweepBy::Impair {
        return Ok((By::Impair, "as asked".to_owned()));
    }
    let why_not = match script(args.netem_script.as_deref()) {
        None => {
            "netem-scripts/netem was not found beside this executable or here; name it with --netem-script"
                .to_owned()
        }
        Some(script) => match works(&script) {
            Ok(()) => return Ok((By::Netem(script), String::new())),
            Err(why) => why,
        },
    };
    if args.by == SweepBy::Netem {
        return Err(why_not);
    }
    Ok((By::Impair, why_not))
}

/// The script as named, or in a folder `netem-scripts` here or beside the executable or above it.
fn script(named: Option<&Path>) -> Option<PathBuf> {
    if let Some(named) = named {
        return Some(named.to_owned());
    }
    let executable = std::env::current_exe().ok();
    let here = std::env::current_dir().ok();
    [here, executable]
        .into_iter()
        .flatten()
        .flat_map(|path| path.ancestors().map(Path::to_owned).collect::<Vec<_>>())
        .map(|folder| folder.join("netem-scripts/netem"))
        .find(|script| script.is_file())
}

/// Whether a run in namespaces is possible: tried, not guessed.
fn works(script: &Path) -> Result<(), String> {
    let profile = tempfile::NamedTempFile::new().map_err(|e| e.to_string())?;
    let shaped = Condition::default().with(Dimension::Loss, 0.01);
    std::fs::write(profile.path(), shaped.profile()).map_err(|e| e.to_string())?;
    let output = Command::new(script)
        .args(["-q", "run"])
        .arg(profile.path())
        .args(["--", "true"])
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("{}: {e}", script.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = said.lines().find(|line| !line.trim().is_empty());
    Err(line.map_or_else(|| format!("netem run: {}", output.status), str::to_owned))
}

fn dry_run(args: &SweepArgs, sweep: &Sweep, plan: &[(Condition, String)]) -> Ended {
    use std::fmt::Write as _;
    let mut text = String::new();
    for (condition, client) in plan {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{client}: {}", condition.words());
    }
    let searches = if args.find.is_some() {
        bases(args, sweep).len()
    } else {
        0
    };
    let runs = plan.len() + searches * (args.steps as usize + 3);
    let minutes = runs as f64 * args.duration.as_secs_f64() / 60.0;
    let _ = writeln!(
        text,
        "{} cells and {searches} searches of at most {} runs, by {}: about {minutes:.0} min",
        plan.len(),
        args.steps + 3,
        sweep.by
    );
    file::print(&text).map_err(|e| (Exit::Failed, e.to_string()))?;
    Ok(Exit::Done)
}

fn write(args: &SweepArgs, sweep: &Sweep) -> Result<(), (Exit, String)> {
    let failed = |message: String| (Exit::Failed, message);
    if let Some(to) = &args.json {
        let json = serde_json::to_string_pretty(sweep).map_err(|e| failed(e.to_string()))?;
        file::write_whole(Path::new(to), &(json + "\n")).map_err(|e| failed(e.to_string()))?;
    }
    if let Some(to) = &args.html {
        file::write_whole(Path::new(to), &table::html(sweep)).map_err(|e| failed(e.to_string()))?;
    }
    let is_taken = [&args.json, &args.html]
        .into_iter()
        .any(|to| to.as_deref() == Some("-"));
    if !args.quiet && !is_taken {
        file::print(&table::text(sweep)).map_err(|e| failed(e.to_string()))?;
    }
    Ok(())
}

/// A line for each run that begins.
struct Progress {
    quiet: bool,
    begun: usize,
    planned: usize,
    cell: Duration,
}

impl Progress {
    fn new(args: &SweepArgs, planned: usize) -> Self {
        Self {
            quiet: args.quiet,
            begun: 0,
            planned,
            cell: args.duration,
        }
    }

    fn tell(&mut self, condition: &Condition, client: &str) {
        self.begun += 1;
        if self.quiet {
            return;
        }
        let place = if self.begun <= self.planned {
            let left = self.cell.mul_f64((self.planned - self.begun + 1) as f64);
            format!("{} of {}, {} s left", self.begun, self.planned, left.as_secs())
        } else {
            "search".to_owned()
        };
        eprintln!("[{place}] {client}: {}", condition.words());
    }
}
