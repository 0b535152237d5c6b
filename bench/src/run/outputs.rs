//! Everything that a run writes.

use super::RunError;
use crate::metrics::{self, Exposition, Push, Resource};
use crate::output::file::{self, WholeFile, WriteError};
use crate::output::hdr::HdrLog;
use crate::output::html::{self, Course, Of};
use crate::output::journal::Journal;
use crate::output::{csv, text};
use crate::plan::{Destination, Outputs, Plan};
use crate::telemetry::{Endpoint, Telemetry};
use clw_core::histogram::Histogram;
use clw_core::journal::{Header, SCHEMA, SessionRecord};
use clw_core::report::Report;
use clw_core::snapshot::Snapshot;
use clw_core::text::Paint;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// A file or standard output.
type Out = BufWriter<Box<dyn Write>>;

/// Open outputs. One that fails in mid-run is given up and named; the run and the other outputs go on.
pub(super) struct Sinks {
    json: Option<WholeFile>,
    html: Option<WholeFile>,
    course: Course,
    csv: Option<(Out, PathBuf)>,
    hdr: Option<(HdrLog<Out>, PathBuf)>,
    journal: Option<Journal>,
    telemetry: Option<Telemetry>,
    exposition: Option<Exposition>,
    push: Option<Push>,
    failures: Vec<String>,
    /// How many of them were asked for.
    told: usize,
}

fn path_of(destination: &Destination) -> PathBuf {
    match destination {
        Destination::Stdout => PathBuf::from("-"),
        Destination::File(path) => path.clone(),
    }
}

/// Whether all files can be written: better to know before the run.
pub(super) fn check(outputs: &Outputs) -> Result<(), WriteError> {
    for destination in [
        &outputs.json,
        &outputs.html,
        &outputs.csv,
        &outputs.hdr,
        &outputs.journal,
    ]
    .into_iter()
    .flatten()
    {
        file::check_writable(&path_of(destination))?;
    }
    Ok(())
}

fn open(path: &Path) -> Result<Out, WriteError> {
    let out: Box<dyn Write> = if path == Path::new("-") {
        Box::new(io::stdout())
    } else {
        Box::new(File::create(path).map_err(|e| WriteError::new(path, e))?)
    };
    Ok(BufWriter::new(out))
}

/// A reader that has left is no error.
fn tolerate(result: io::Result<()>, path: &Path) -> Result<(), WriteError> {
    match result {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(WriteError::new(path, e)),
        _ => Ok(()),
    }
}

impl Sinks {
    pub(super) async fn open(plan: &Plan, asked: &Plan, started: SystemTime) -> Result<Self, RunError> {
        let outputs = &plan.outputs;
        let csv = match outputs.csv.as_ref().map(path_of) {
            Some(path) => {
                let mut out = open(&path)?;
                tolerate(writeln!(out, "{}", csv::HEADER), &path)?;
                Some((out, path))
            }
            None => None,
        };
        let hdr = match outputs.hdr.as_ref().map(path_of) {
            Some(path) => Some((HdrLog::new(open(&path)?, started), path)),
            None => None,
        };
        let journal = match outputs.journal.as_ref().map(path_of) {
            Some(path) => {
                let since = started.duration_since(UNIX_EPOCH).unwrap_or_default();
                let header = Header {
                    schema: SCHEMA.to_owned(),
                    tool_version: env!("CARGO_PKG_VERSION").to_owned(),
                    started_at: super::rfc3339(started),
                    started_unix_us: clw_core::time::micros(since),
                    plan: serde_json::to_value(asked).unwrap_or_default(),
                };
                Some(Journal::create(&path, header)?)
            }
            None => None,
        };
        let telemetry = match &outputs.telemetry {
            Some(to) => {
                let endpoint = Endpoint::parse(&to.to_string());
                let serve = Telemetry::serve(&endpoint).await;
                let telemetry = serve.map_err(RunError::system("cannot serve --telemetry"))?;
                eprintln!("clw-bench: telemetry at {}", telemetry.address);
                Some(telemetry)
            }
            None => None,
        };
        let exposition = match outputs.prometheus {
            Some(address) => {
                let first = Arc::new(metrics::collect(&Snapshot::default(), &BTreeMap::new()));
                let serve = Exposition::serve(address, first).await;
                let exposition = serve.map_err(|cause| RunError::Prometheus { address, cause })?;
                eprintln!("clw-bench: metrics at http://{}/metrics", exposition.address);
                Some(exposition)
            }
            None => None,
        };
        let push = match outputs.otlp.clone() {
            Some(to) => Some(Push::start(to, resource(plan, started))?),
            None => None,
        };
        let whole =
            |to: &Option<Destination>| to.as_ref().map(|to| WholeFile::open(&path_of(to))).transpose();
        Ok(Self {
            json: whole(&outputs.json)?,
            html: whole(&outputs.html)?,
            course: Course::default(),
            csv,
            hdr,
            journal,
            telemetry,
            exposition,
            push,
            failures: Vec::new(),
            told: 0,
        })
    }

    pub(super) fn wants_journal(&self) -> bool {
        self.journal.is_some()
    }

    /// What could not be written, and why, as far as it was not asked for before.
    pub(super) fn new_failures(&mut self) -> Vec<String> {
        let new = self.failures[self.told..].to_vec();
        self.told = self.failures.len();
        new
    }

    /// What could not be written, and why.
    pub(super) fn failures(&self) -> &[String] {
        &self.failures
    }

    pub(super) fn session(&mut self, record: Box<SessionRecord>) {
        if let Some(journal) = &mut self.journal {
            let written = journal.session(record);
            keep(&mut self.journal, written, &mut self.failures);
        }
    }

    /// An interval is over; `totals` are the histograms since the start.
    pub(super) fn interval(&mut self, snapshot: &Snapshot, totals: &BTreeMap<String, Histogram>) {
        if let Some((out, path)) = &mut self.csv {
            let written = tolerate(csv::write_row(out, snapshot).and_then(|()| out.flush()), path);
            keep(&mut self.csv, written, &mut self.failures);
        }
        if let Some((log, path)) = &mut self.hdr {
            let written = tolerate(log.write(snapshot), path);
            keep(&mut self.hdr, written, &mut self.failures);
        }
        if let Some(journal) = &mut self.journal {
            let written = journal.snapshot(snapshot);
            keep(&mut self.journal, written, &mut self.failures);
        }
        if let Some(telemetry) = &self.telemetry {
            telemetry.publish(snapshot.to_line());
        }
        if self.html.is_some() {
            self.course.add(snapshot);
        }
        if self.exposition.is_some() || self.push.is_some() {
            let families = Arc::new(metrics::collect(snapshot, totals));
            if let Some(exposition) = &self.exposition {
                exposition.publish(families.clone());
            }
            if let Some(push) = &self.push {
                push.publish(families);
            }
        }
    }

    /// Lets the last figures reach the collector; a warning if some did not.
    pub(super) async fn end_push(&mut self) -> Option<String> {
        match self.push.take() {
            Some(push) => push.finish().await,
            None => None,
        }
    }

    /// The result so far, in case the end never comes. Not to standard output, which cannot be taken back.
    pub(super) fn checkpoint(&mut self, report: &Report) {
        if let Some(json) = self.json.as_mut().filter(|json| json.is_replaceable())
            && let Err(error) = json.write(&to_json(report))
        {
            // Tried again at the end: a full disk may have been cleared by then.
            self.complain(&error);
        }
        if let Some(html) = self.html.as_mut().filter(|html| html.is_replaceable())
            && let Err(error) = html.write(&html::render(report, Of::SoFar(&self.course)))
        {
            self.complain(&error);
        }
    }

    /// Ends the journal; what fails here can still be told in the result.
    pub(super) fn end_journal(&mut self, interrupted: bool) {
        if let Some(Err(error)) = self.journal.take().map(|journal| journal.finish(interrupted)) {
            self.complain(&error);
        }
    }

    /// Writes the result.
    pub(super) fn finish(&mut self, report: &Report) {
        if let Some(Err(error)) = self.json.as_mut().map(|json| json.write(&to_json(report))) {
            self.complain(&error);
        }
        if let Some(html) = &mut self.html
            && let Err(error) = html.write(&html::render(report, Of::Run(&self.course)))
        {
            self.complain(&error);
        }
    }

    fn complain(&mut self, error: &WriteError) {
        complain(&mut self.failures, error);
    }
}

/// Who pushes: the attributes of every figure.
fn resource(plan: &Plan, started: SystemTime) -> Resource {
    let since = started.duration_since(UNIX_EPOCH).unwrap_or_default();
    let host = nix::unistd::gethostname().unwrap_or_default();
    let host = host.to_string_lossy().into_owned();
    let (process, start) = (std::process::id(), clw_core::time::micros(since));
    Resource {
        attributes: vec![
            ("service.name", "clw-bench".to_owned()),
            ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
            ("service.instance.id", format!("{host}-{process}-{start}")),
            ("host.name", host),
            ("clw.shard", plan.shard.to_string()),
            ("clw.seed", plan.seed.to_string()),
        ],
        started,
    }
}

/// Gives up an output that could not be written.
fn keep<T>(sink: &mut Option<T>, written: Result<(), WriteError>, failures: &mut Vec<String>) {
    if let Err(error) = written {
        *sink = None;
        complain(failures, &error);
    }
}

/// Once for each file and reason.
fn complain(failures: &mut Vec<String>, error: &WriteError) {
    let text = error.to_string();
    if !failures.contains(&text) {
        failures.push(text);
    }
}

/// A result as it stands in a file.
pub(crate) fn to_json(report: &Report) -> String {
    serde_json::to_string_pretty(report).unwrap_or_default() + "\n"
}

/// The summary for the terminal.
pub(super) fn summary(report: &Report, asked: &Plan, paint: Paint) -> String {
    text::render(
        report,
        &crate::plan::headline(asked),
        &crate::commands::lines,
        paint,
        super::terminal_width(),
    )
}
