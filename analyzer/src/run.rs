//! One analysis: from files to reports.

mod error;
mod pass;
mod progress;

pub use error::RunError;

use crate::args::{self, Args};
use crate::engine::{Engine, Options, Over, Timeline};
use crate::interrupt::Interrupt;
use crate::join::Joins;
use crate::join::gateway_log::GatewayLog;
use crate::join::journal::Journal;
use crate::join::peer::Peer;
use crate::judge::Judged;
use crate::output::csv::Csv;
use crate::output::html;
use crate::output::json::{self, Json};
use crate::output::parquet::Parquet;
use crate::output::whole::{Whole, WriteError};
use crate::output::{ladder, text};
use crate::source::{Capture, CaptureSummary, Interface};
use crate::tls::KeyLog;
use crate::totals::Totals;
use clw_core::report::ThresholdResult;
use clw_core::text::{Color, Paint};
use pass::Met;
use progress::Progress;
use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::num::NonZero;
use std::path::Path;
use std::thread;

/// Done, and every threshold held.
pub const DONE: u8 = 0;
/// Failed at run time.
pub const FAILED: u8 = 1;
/// Wrong usage.
pub const USAGE: u8 = 2;
/// A threshold was crossed.
pub const THRESHOLD: u8 = 99;

/// Interrupted; what was read is reported.
pub const INTERRUPTED: u8 = 130;

/// A key log is read up to so many bytes.
const MAX_KEY_LOG_BYTES: u64 = 256 << 20;

impl RunError {
    /// The exit code of the contract.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::StdoutTwice(..) => USAGE,
            _ => FAILED,
        }
    }
}

/// How the reading ended.
#[derive(Clone, Copy, Debug)]
struct End {
    /// Connections given up because there were too many.
    evicted: u64,
    /// The user stopped it.
    is_interrupted: bool,
}

/// Outputs that get each connection as it is judged.
struct Sinks {
    json: Option<Json>,
    jsonl: Option<Whole>,
    csv: Option<Csv>,
    parquet: Option<Parquet>,
    html: Option<(Whole, html::Timeline)>,
}

impl Sinks {
    fn open(args: &Args) -> Result<Self, RunError> {
        let outputs = [
            ("--json", &args.json),
            ("--jsonl", &args.jsonl),
            ("--csv", &args.csv),
            ("--html", &args.html),
        ];
        let mut to_stdout = outputs
            .iter()
            .filter(|(_, path)| path.as_deref() == Some(Path::new("-")))
            .map(|(name, _)| *name);
        if let (Some(first), Some(second)) = (to_stdout.next(), to_stdout.next()) {
            return Err(RunError::StdoutTwice(first, second));
        }
        Ok(Self {
            json: args.json.as_deref().map(Json::create).transpose()?,
            jsonl: args.jsonl.as_deref().map(Whole::create).transpose()?,
            csv: args.csv.as_deref().map(Csv::create).transpose()?,
            parquet: args.parquet.as_deref().map(Parquet::create).transpose()?,
            html: match args.html.as_deref() {
                Some(path) => Some((Whole::create(path)?, html::Timeline::default())),
                None => None,
            },
        })
    }

    fn connection(&mut self, judged: &Judged, follow: bool) -> Result<(), WriteError> {
        if let Some(json) = &mut self.json {
            json.connection(&judged.record)?;
        }
        if let Some(jsonl) = &mut self.jsonl {
            let mut line = json::line(&judged.record);
            line.push(b'\n');
            jsonl.write(&line)?;
            if follow {
                jsonl.flush()?;
            }
        }
        if let Some(csv) = &mut self.csv {
            csv.connection(&judged.record)?;
        }
        if let Some(parquet) = &mut self.parquet {
            parquet.connection(&judged.record)?;
        }
        if let Some((_, timeline)) = &mut self.html {
            timeline.add(judged);
        }
        Ok(())
    }

    const fn are_none(&self) -> bool {
        self.json.is_none()
            && self.jsonl.is_none()
            && self.csv.is_none()
            && self.parquet.is_none()
            && self.html.is_none()
    }

    fn finish(
        self,
        capture: &CaptureSummary,
        totals: &Totals,
        thresholds: &[ThresholdResult],
        joins: &Joins,
        end: End,
    ) -> Result<(), WriteError> {
        if let Some(out) = self.json {
            let passed = thresholds.iter().all(|t| t.passed);
            let mut more = vec![
                ("thresholds", serde_json::to_value(thresholds).unwrap_or_default()),
                ("passed", passed.into()),
                ("interrupted", end.is_interrupted.into()),
            ];
            for (name, value) in joins.values() {
                more.push((name, value));
            }
            out.finish(&json::capture(capture, end.evicted), &totals.summary, &more)?;
        }
        if let Some(out) = self.jsonl {
            out.finish()?;
        }
        if let Some(out) = self.csv {
            out.finish()?;
        }
        if let Some(out) = self.parquet {
            out.finish()?;
        }
        if let Some((mut out, timeline)) = self.html {
            let page = html::render(capture, totals, &timeline, thresholds, end.evicted);
            out.write(page.as_bytes())?;
            out.finish()?;
        }
        Ok(())
    }
}

/// What each connection goes through once it is judged.
struct Collected<'a> {
    args: &'a Args,
    sinks: Sinks,
    journal: Option<Journal>,
    log: Option<GatewayLog>,
    peer: Option<Peer>,
    totals: Totals,
    timelines: Vec<Judged>,
    failure: Option<WriteError>,
}

impl Collected<'_> {
    fn take(&mut self, over: Over) {
        // Evidence is a tenth of the work, and the report shows that of a few examples only.
        let shows_all = !self.sinks.are_none()
            || self.args.conn.is_some()
            || self.peer.is_some()
            || self.journal.is_some()
            || self.log.is_some();
        let mut judged = over.judge(|verdict| shows_all || self.totals.wants_example(verdict));
        if let Some(peer) = &mut self.peer {
            peer.join(&mut judged);
        }
        if let Some(journal) = &mut self.journal {
            journal.join(&judged);
        }
        if let Some(log) = &mut self.log {
            log.join(&mut judged);
        }
        let args = self.args;
        let wanted = args
            .filter
            .as_ref()
            .is_none_or(|filter| filter.holds(&judged.record))
            && (args.verdict.is_empty() || judged.verdict.is_some_and(|v| args.verdict.contains(&v)))
            && args.conn.is_none_or(|conn| is_of(conn, &judged));
        if !wanted {
            return;
        }
        self.totals.add(&judged);
        if let Err(error) = self.sinks.connection(&judged, args.files == [Path::new("-")]) {
            self.failure.get_or_insert(error);
        }
        if args.conn.is_some() && self.timelines.len() < 16 {
            self.timelines.push(judged);
        }
    }
}

fn is_of(conn: Timeline, judged: &Judged) -> bool {
    match conn {
        Timeline::None => true,
        Timeline::Id(id) => judged.record.id == id,
        Timeline::Address(address) => judged.record.client == address || judged.record.server == address,
    }
}

/// Runs what was asked; returns the exit code.
pub fn run(args: &Args) -> Result<u8, RunError> {
    if let Some(what) = args.generate {
        return match args::generate(what, &mut std::io::stdout()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(RunError::Print(error)),
            _ => Ok(DONE),
        };
    }
    let mut keys = KeyLog::new();
    if let Some(path) = &args.keylog {
        read_key_log(path, &mut keys)?;
    }
    let mut capture = Capture::open(&args.files)?;
    let mut collected = Collected {
        args,
        journal: args.journal.as_deref().map(Journal::open).transpose()?,
        log: args.log.as_deref().map(GatewayLog::open).transpose()?,
        peer: args.peer.as_deref().map(Peer::open).transpose()?,
        sinks: Sinks::open(args)?,
        totals: Totals::default(),
        timelines: Vec::new(),
        failure: None,
    };
    let mut engine = Engine::new(Options {
        port: args.port,
        dialect: args.dialect.map(Into::into),
        heartbeat_factor: args.heartbeat_factor,
        max_open: args.max_open as usize,
        max_held_bytes: usize::from(args.max_held) << 20,
        timeline: args.conn.unwrap_or(Timeline::None),
        ..Options::default()
    });
    *engine.keys() = keys;
    let mut progress = Progress::new(args.quiet);
    let mut interrupt = Interrupt::listen(args.files == [Path::new("-")]).map_err(RunError::Signals)?;
    let broken_off = read(&mut capture, &mut engine, &mut collected, |summary| {
        progress.packet(summary);
        !interrupt.stops_reading()
    });
    progress.clear();
    let evicted = engine.evicted();
    let Collected {
        sinks,
        journal,
        log,
        peer,
        mut totals,
        timelines,
        failure,
        ..
    } = collected;
    if let Some(error) = failure {
        return Err(error.into());
    }
    let summary = capture.summary();
    let is_readable = |interface: &Interface| interface.link.is_supported();
    if summary.packets > 0 && !summary.interfaces.iter().any(is_readable) {
        let links: BTreeSet<_> = summary.interfaces.iter().map(|i| i.link.to_string()).collect();
        return Err(RunError::Links {
            packets: summary.packets,
            links: links.into_iter().collect::<Vec<_>>().join(", "),
        });
    }
    totals.finish();
    let joins = Joins {
        journal: journal.map(Journal::finish),
        log: log.map(GatewayLog::finish),
        peer: peer.map(Peer::finish),
    };
    let report = totals.as_report();
    let thresholds: Vec<_> = args.threshold.iter().map(|t| t.evaluate(&report)).collect();
    let passed = thresholds.iter().all(|t| t.passed);
    let show_report = sinks.are_none() && !args.quiet;
    if let Some(conn) = args.conn
        && timelines.is_empty()
    {
        return Err(RunError::NoSuchConnection(match conn {
            Timeline::Id(id) => format!("#{id}"),
            Timeline::Address(address) => address.to_string(),
            Timeline::None => String::new(),
        }));
    }
    let end = End {
        evicted,
        is_interrupted: interrupt.is_asked(),
    };
    sinks.finish(summary, &totals, &thresholds, &joins, end)?;
    if show_report {
        let paint = paint(args);
        let shown = if args.conn.is_some() {
            let ladders: Vec<_> = timelines
                .iter()
                .map(|judged| ladder::render(judged, paint))
                .collect();
            ladders.join("\n")
        } else {
            text::render(summary, &totals, &joins, &thresholds, evicted, &look(args))
        };
        print(&shown)?;
    }
    // A capture that breaks off is told after everything that could be read of it.
    broken_off?;
    if interrupt.is_asked() {
        return Ok(INTERRUPTED);
    }
    Ok(if passed { DONE } else { THRESHOLD })
}

/// Takes the whole capture in, as fast as the cores allow.
fn read(
    capture: &mut Capture,
    engine: &mut Engine,
    collected: &mut Collected<'_>,
    goes_on: impl FnMut(&CaptureSummary) -> bool + Send,
) -> Result<(), RunError> {
    let mut on = |met: Met<'_>| match met {
        Met::Segment(segment) => {
            if let Some(peer) = &mut collected.peer {
                peer.see(segment);
            }
        }
        Met::Over(over) => collected.take(over),
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    if cores > 1 {
        let end = pass::on_two_threads(capture, engine, goes_on, &mut on);
        return Ok(end.map_err(RunError::Thread)??);
    }
    Ok(pass::on_one_thread(capture, engine, goes_on, &mut on)?)
}

fn read_key_log(path: &Path, keys: &mut KeyLog) -> Result<(), RunError> {
    use std::io::Read as _;
    let fail = |cause| RunError::KeyLog {
        path: path.to_owned(),
        cause,
    };
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(fail)?;
    file.take(MAX_KEY_LOG_BYTES)
        .read_to_end(&mut text)
        .map_err(fail)?;
    keys.add(&text);
    Ok(())
}

fn paint(args: &Args) -> Paint {
    let color: Color = args.color.into();
    let no_color = std::env::var_os("NO_COLOR");
    Paint::new(color.is_wanted(std::io::stdout().is_terminal(), no_color.as_deref()))
}

fn look(args: &Args) -> text::Look {
    text::Look {
        paint: paint(args),
        width: width(),
        is_verbose: args.verbose,
    }
}

fn width() -> usize {
    terminal_size::terminal_size_of(std::io::stdout()).map_or(100, |(width, _)| usize::from(width.0).max(40))
}

fn print(text: &str) -> Result<(), RunError> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(RunError::Print(error)),
        _ => Ok(()),
    }
}
