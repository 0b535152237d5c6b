//! A whole run: plan, checks, workers, results.

mod crew;
mod embedded;
mod outputs;
mod share;
mod signals;
mod surroundings;
mod watch;

pub(crate) use outputs::to_json;
pub use share::work;

use crate::args::Args;
use crate::exit::Exit;
use crate::limits::{self, Facts, Needs};
use crate::output::file::WriteError;
use crate::plan::{Environment, Plan, PlanError, UsageError, Workers, args_to_plan, check_address, describe};
use crate::worker::{Command, Message};
use clw_core::Stage;
use clw_core::report::{Report, RunFacts};
use clw_core::snapshot::Aggregate;
use clw_core::text::Paint;
use clw_core::threshold::{Threshold, ThresholdError};
use crew::{Crew, Told};
use embedded::Embedded;
use outputs::Sinks;
use share::Share;
use signals::{Signals, stopped};
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use surroundings::Surroundings;
use thiserror::Error;
use watch::Watch;

/// Time between snapshots.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often the result so far is written, in case the end never comes.
const CHECKPOINT_EVERY: u32 = 5;

/// Why a run could not be made.
#[derive(Debug, Error)]
pub enum RunError {
    /// What was asked.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// What was asked.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// A threshold.
    #[error("--threshold: {0}")]
    Threshold(#[from] ThresholdError),
    /// A fault for the embedded gateway.
    #[error("--fault: {0}")]
    Fault(#[from] clw_gateway::fault::SpecError),
    /// The target's name.
    #[error("cannot find {host}: {cause}; check the name in the URL")]
    Resolve {
        /// As given.
        host: String,
        /// Why not.
        cause: String,
    },
    /// This machine's limits.
    #[error("this machine cannot run it: {0}")]
    Limits(String),
    /// A result file.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Outputs that failed in mid-run, each with its file; everything else is written.
    #[error("{0}")]
    Unwritten(String),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] crate::tls::TlsError),
    /// The dashboard without a terminal.
    #[error("--tui needs a terminal on standard output; --telemetry lets clw-tui attach from another one")]
    NoTerminal,
    /// Where Prometheus was to scrape.
    #[error(
        "cannot serve --prometheus at {address}: {cause}; choose another address, or port 0 for one that is free"
    )]
    Prometheus {
        /// As given.
        address: SocketAddr,
        /// Why not.
        cause: std::io::Error,
    },
    /// The embedded gateway, a worker, a signal handler, the telemetry socket.
    #[error("{what}: {cause}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        cause: std::io::Error,
    },
}

impl RunError {
    /// Usage errors are 2, the others 1.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Plan(_) | Self::Usage(_) | Self::Threshold(_) | Self::Fault(_) => Exit::Usage,
            _ => Exit::Failed,
        }
    }

    fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::System { what, cause }
    }
}

/// Runs what `args` ask for, to the exit code; `typed` is the command line as it can be shown.
pub fn run(args: &Args, typed: String) -> Result<Exit, RunError> {
    let mut plan = args_to_plan(args, &Environment::of_process())?;
    plan.command = typed;
    let thresholds = plan
        .thresholds
        .iter()
        .map(|t| Threshold::parse(t))
        .collect::<Result<Vec<_>, _>>()?;
    for fault in &plan.faults {
        clw_gateway::fault::FaultSpec::parse(fault, plan.dialect)?;
    }
    if args.general.dry_run {
        let text = describe(&plan).map_err(|e| RunError::Limits(e.to_string()))?;
        crate::output::file::print(&text)?;
        return Ok(Exit::Done);
    }
    let view = View {
        quiet: args.general.quiet,
        verbose: args.general.verbose > 0,
        color: args.general.color.is_wanted(&std::io::stderr()),
    };
    outputs::check(&plan.outputs)?;
    if plan.outputs.tui && !std::io::stdout().is_terminal() {
        return Err(RunError::NoTerminal);
    }
    // More descriptors than the soft limit cost nothing until they are used.
    let _ = limits::raise_soft_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunError::system("cannot start a runtime"))?;
    let outcome = runtime.block_on(execute(plan, &thresholds, &view, Twist::None))?;
    Ok(exit_of(&outcome.report))
}

/// Runs a plan that is already made and hands its result back: for `reproduce`.
pub(crate) fn run_plan(plan: Plan, twist: Twist) -> Result<Outcome, RunError> {
    let view = View {
        quiet: true,
        verbose: false,
        color: false,
    };
    let _ = limits::raise_soft_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunError::system("cannot start a runtime"))?;
    runtime.block_on(execute(plan, &[], &view, twist))
}

/// What came of a run.
pub(crate) struct Outcome {
    /// What the clients saw.
    pub(crate) report: Report,
    /// What the embedded gateway saw.
    pub(crate) gateway: Option<clw_gateway::Summary>,
}

/// What `reproduce` does to a run that no flag does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twist {
    /// Nothing.
    None,
    /// TLS to a gateway that speaks none.
    Tls,
    /// Leaves while sessions are up.
    Leave,
}

/// What the eye sees of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    pub(crate) color: bool,
}

fn exit_of(report: &Report) -> Exit {
    let unreachable = report.sessions.started > 0 && never_spoke(report);
    let generator = !report.generator.errors.is_empty() || !report.generator.lost_workers.is_empty();
    if report.interrupted {
        Exit::Interrupted
    } else if !report.passed {
        Exit::Threshold
    } else if unreachable || generator {
        Exit::Failed
    } else {
        Exit::Done
    }
}

/// No connection ever became a WebSocket: the target is not there, or is something else.
fn never_spoke(report: &Report) -> bool {
    let reached = |stage: &Stage| report.stages.get(stage.name()).copied().unwrap_or(0) > 0;
    ![Stage::Challenge, Stage::Auth, Stage::Ready].iter().any(reached) && Stage::ALL.iter().any(reached)
}

async fn execute(
    mut plan: Plan,
    thresholds: &[Threshold],
    view: &View,
    twist: Twist,
) -> Result<Outcome, RunError> {
    let paint = Paint::new(view.color);
    let asked = plan.clone();
    let mut signals = Signals::new()?;
    let addresses = resolve(&plan).await?;
    let ips: Vec<_> = addresses.iter().flatten().map(SocketAddr::ip).collect();
    let needs = Needs::of(&plan, &ips).map_err(|e| RunError::Limits(e.to_string()))?;
    let assessment = limits::assess(&needs, &Facts::measure());
    let mut warnings = plan.notes.clone();
    for finding in &assessment.findings {
        if finding.level == limits::Level::Stop {
            return Err(RunError::Limits(finding.to_string()));
        }
        warnings.push(finding.to_string());
        if !view.quiet {
            eprintln!("clw-bench: {finding}");
        }
    }
    plan.binds.clone_from(&assessment.sources);
    plan.workers = Workers::Exactly(assessment.workers);
    let embedded = if plan.wants_embedded() {
        // Its log goes to this terminal, which the dashboard may have.
        let verbose = view.verbose && !plan.outputs.tui;
        Some(Embedded::start(&mut plan, assessment.gateway_workers, verbose).await?)
    } else {
        None
    };
    if twist == Twist::Tls {
        for mix in &mut plan.mixes {
            if let crate::plan::TargetPlan::At(target) = &mut mix.target {
                target.tls = true;
            }
        }
    }

    let workers = assessment.workers;
    let ahead = if workers > 1 {
        Duration::from_millis(200) * workers
    } else {
        Duration::ZERO
    };
    let started = SystemTime::now() + ahead;
    let mut sinks = Sinks::open(&plan, &asked, started).await?;
    let mut crew = if workers == 1 {
        let share = Share::new(plan.clone(), 0, started, sinks.wants_journal());
        Crew::thread(move |commands, messages| share.run(commands, messages))
            .map_err(RunError::system("cannot start a worker thread"))?
    } else {
        let mut shares = Vec::new();
        for index in 0..workers {
            let part = plan
                .for_worker(index, workers)
                .map_err(|e| RunError::Limits(e.to_string()))?;
            shares.push(Share::new(part, index, started, sinks.wants_journal()).to_line());
        }
        Crew::processes(shares)
            .await
            .map_err(RunError::system("cannot start worker processes"))?
    };

    let mut run = Run {
        aggregate: Aggregate::default(),
        lost: Vec::new(),
        lost_sessions: 0,
        stops: 0,
    };
    let planned = plan.schedule().ok().and_then(|s| s.share(plan.shard).planned());
    let facts = |run: &Run, interrupted: bool| RunFacts {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: rfc3339(started),
        interrupted,
        plan: serde_json::to_value(&asked).unwrap_or_default(),
        planned,
        workers: u64::from(workers),
        lost_workers: run.lost.clone(),
        lost_sessions: run.lost_sessions,
        warnings: warnings.clone(),
    };
    let surroundings = Surroundings::new(started, &asked.impair);
    let mut watch = Watch::open(asked.outputs.tui, paint)?;
    let mut progress = Progress::new(view.quiet);
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut count = 0u32;
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut signals, &mut watch) => {
                run.stops += 1;
                if run.stops == 1 {
                    let text = "logging out of all sessions; once more to leave at once";
                    if !watch.say(text) {
                        progress.clear();
                        eprintln!("clw-bench: {text}");
                    }
                    crew.tell(Command::Drain).await;
                } else {
                    crew.tell(Command::Leave).await;
                }
            }
            told = crew.next() => match told {
                Some(Told::Message(Message::Snapshot(snapshot))) => run.aggregate.absorb(*snapshot),
                Some(Told::Message(Message::Session(record))) => sinks.session(record),
                Some(Told::Message(Message::Done)) => {}
                Some(Told::Gone(number, how)) => run.gone(number, how),
                None => break,
            },
            _ = ticks.tick() => {
                let mut snapshot = run.aggregate.snapshot("run");
                surroundings.tell(&mut snapshot);
                if !thresholds.is_empty() {
                    let so_far = Report::new(facts(&run, true), &run.aggregate);
                    snapshot.thresholds = thresholds.iter().map(|t| t.evaluate(&so_far)).collect();
                }
                if !watch.show(&snapshot) {
                    progress.show(&snapshot, planned);
                }
                if twist == Twist::Leave && snapshot.gauges.ready > 0 {
                    crew.tell(Command::Leave).await;
                }
                sinks.interval(&snapshot, run.aggregate.totals());
                count += 1;
                if count.is_multiple_of(CHECKPOINT_EVERY) {
                    sinks.checkpoint(&Report::new(facts(&run, true), &run.aggregate));
                }
                tell_failures(&mut sinks, &watch);
            }
        }
    }
    watch.close();
    progress.clear();
    let mut last = run.aggregate.snapshot("run");
    let interrupted = run.stops > 0;
    let mut report = Report::new(facts(&run, interrupted), &run.aggregate);
    report.thresholds = thresholds.iter().map(|t| t.evaluate(&report)).collect();
    last.thresholds.clone_from(&report.thresholds);
    surroundings.tell(&mut last);
    sinks.interval(&last, run.aggregate.totals());
    report.passed = report.thresholds.iter().all(|t| t.passed);
    if report.sessions.started > 0 && never_spoke(&report) {
        report.warnings.push(format!(
            "not one connection became a WebSocket: is {} the gateway's address?",
            report.target.url
        ));
    }
    let mut gateway = None;
    if let Some(embedded) = embedded {
        match embedded.stop().await {
            Ok(summary) => gateway = Some(summary),
            Err(lost) => report.warnings.push(lost),
        }
    }
    report.warnings.extend(sinks.end_push().await);
    sinks.end_journal(interrupted);
    report.warnings.extend_from_slice(sinks.failures());
    sinks.finish(&report);
    tell_failures(&mut sinks, &watch);
    if !view.quiet {
        let text = outputs::summary(&report, &asked, paint);
        eprint!("{text}");
    }
    match sinks.failures() {
        [] => Ok(Outcome { report, gateway }),
        failures => Err(RunError::Unwritten(failures.join("; "))),
    }
}

/// Says which outputs could not be written, where the dashboard does not hide it.
fn tell_failures(sinks: &mut Sinks, watch: &Watch) {
    for failure in sinks.new_failures() {
        let text = format!("{failure}; the run goes on without it");
        if !watch.say(&text) {
            eprintln!("\nclw-bench: {text}");
        }
    }
}

/// What a run has come to so far.
struct Run {
    aggregate: Aggregate,
    lost: Vec<String>,
    lost_sessions: u64,
    stops: u32,
}

impl Run {
    fn gone(&mut self, number: usize, how: Option<String>) {
        if let Some(how) = how {
            self.lost_sessions += self.aggregate.lose(&share::source_name(number));
            self.lost.push(format!(
                "worker {number}: {how}; what it had counted until its last second is kept"
            ));
        }
    }
}

/// The live line on standard error, if that is a terminal.
struct Progress {
    on: bool,
    before: Option<clw_core::snapshot::Snapshot>,
}

impl Progress {
    fn new(quiet: bool) -> Self {
        Self {
            on: !quiet && std::io::stderr().is_terminal(),
            before: None,
        }
    }

    fn show(&mut self, snapshot: &clw_core::snapshot::Snapshot, planned: Option<u64>) {
        if self.on {
            let line =
                crate::output::progress::line(snapshot, self.before.as_ref(), planned, terminal_width() - 1);
            eprint!("\r\x1b[K{line}");
            self.before = Some(clw_core::snapshot::Snapshot {
                interval: std::collections::BTreeMap::new(),
                ..snapshot.clone()
            });
        }
    }

    fn clear(&self) {
        if self.on {
            eprint!("\r\x1b[K");
        }
    }
}

/// Columns of the terminal on standard error; 80 where there is none.
pub(crate) fn terminal_width() -> usize {
    terminal_size::terminal_size_of(std::io::stderr()).map_or(80, |(width, _)| usize::from(width.0).max(20))
}

/// The addresses that each mix's sessions go to first; the word of the owner is asked for again where a name resolves to a
/// public one.
async fn resolve(plan: &Plan) -> Result<Vec<Vec<SocketAddr>>, RunError> {
    let mut all = Vec::new();
    for mix in &plan.mixes {
        let crate::plan::TargetPlan::At(target) = &mix.target else {
            all.push(Vec::new());
            continue;
        };
        let found = share::lookup(target, mix.prefer_ipv4).await?;
        for address in found.preferred.iter().chain(&found.others) {
            check_address(&target.host, address.ip(), plan.allow_remote)?;
        }
        all.push(found.preferred);
    }
    Ok(all)
}

/// RFC 3339 in UTC, to the millisecond.
fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let stamp = humantime::format_rfc3339_millis(UNIX_EPOCH + since);
    stamp.to_string()
}
