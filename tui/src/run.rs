//! The whole program: arguments in, exit code out.

use crate::app::{App, Mode};
use crate::args::{self, Args};
use crate::dashboard::{Dashboard, DashboardError, Left, OnInterrupt};
use crate::event::Event;
use crate::exit::Exit;
use crate::input;
use crate::model::Model;
use crate::once::{self, NoData};
use crate::plan::{Environment, Plan, Source, UsageError};
use crate::replay::Replay;
use crate::source::capture::{Interface, InterfaceError, watch_interface, watch_stream};
use crate::source::log::{Follow, FollowError, follow_log};
use crate::source::netem::{Netem, Script, ScriptError};
use crate::source::probe::{ProbeError, Probing};
use crate::source::{Endpoint, Recording, RecordingError, attach};
use crate::term::Screen;
use clap::Parser as _;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use thiserror::Error;

/// Events that may wait: a source that is faster than the screen waits, and nothing grows.
const QUEUE: usize = 256;

#[derive(Debug, Error)]
enum RunError {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Recording(#[from] RecordingError),
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    #[error(transparent)]
    Log(#[from] FollowError),
    #[error(transparent)]
    Netem(#[from] ScriptError),
    #[error(transparent)]
    Probe(#[from] ProbeError),
    #[error(
        "--capture -: standard input is a terminal: pipe a capture into it, such as sudo tcpdump -U -w - | clw-tui --capture -"
    )]
    NoCapture,
    #[error(transparent)]
    NoData(#[from] NoData),
    #[error(transparent)]
    Dashboard(#[from] DashboardError),
    #[error("standard output is no terminal: use --once for a frame as text")]
    NoTerminal,
    #[error("{what}: {cause}")]
    System { what: &'static str, cause: io::Error },
}

impl RunError {
    fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::NoCapture => Exit::Usage,
            _ => Exit::Failed,
        }
    }

    fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::System { what, cause }
    }
}

/// Runs the command line `args` (the first is the program's name).
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            // A closed pipe is no error.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::Done.into()
            };
        }
    };
    if let Some(what) = args.generate {
        let _ = args::generate(what, &mut io::stdout());
        return Exit::Done.into();
    }
    match run(&args) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("clw-tui: {error}");
            error.exit().into()
        }
    }
}

fn run(args: &Args) -> Result<Exit, RunError> {
    let plan = Plan::new(args, &Environment::of_process())?;
    if plan.once.is_none() && !io::stdout().is_terminal() {
        return Err(RunError::NoTerminal);
    }
    let (sender, events) = sync_channel(QUEUE);
    input::catch_signals(sender.clone()).map_err(RunError::system("cannot listen for signals"))?;
    // Dropped on every way out, and the probe ends with it.
    let Opened {
        mut app,
        replay,
        probing: _probing,
    } = open(&plan, &sender)?;
    let netem = follow_network(&plan, &mut app, &sender)?;
    if plan.once.is_some() {
        return print_frame(&plan, app, replay, &events);
    }
    let mut dashboard = Dashboard {
        app,
        replay,
        netem,
        export_dir: plan.export_dir,
        on_interrupt: OnInterrupt::Leave,
    };
    let mut screen = Screen::take().map_err(RunError::system("cannot take the terminal over"))?;
    if plan.mouse {
        screen
            .take_mouse()
            .map_err(RunError::system("cannot take the mouse over"))?;
    }
    let keys = input::read_keys(sender).map_err(RunError::system("cannot read keys"))?;
    let left = dashboard.run(&mut screen, &events);
    drop(keys);
    drop(screen);
    Ok(match left? {
        Left::Quit | Left::NoMoreEvents => Exit::Done,
        Left::Interrupted => Exit::Interrupted,
    })
}

fn follow_network(plan: &Plan, app: &mut App, sender: &SyncSender<Event>) -> Result<Option<Netem>, RunError> {
    let Some(netem) = &plan.netem else { return Ok(None) };
    let place = netem.place.clone();
    let script = netem
        .allowed
        .then(|| Script::find(netem.script.as_deref(), place.clone(), netem.i_know))
        .transpose()?;
    app.follow_network(place.to_string(), netem.allowed);
    Netem::start(place, script, sender.clone())
        .map(Some)
        .map_err(RunError::system("cannot start a thread"))
}

/// What was opened.
struct Opened {
    app: App,
    replay: Option<Replay>,
    /// Ends when it is dropped.
    probing: Option<Probing>,
}

impl Opened {
    fn live(label: String, plan: &Plan) -> Self {
        Self {
            app: App::new(Model::new([label]), Mode::Live, plan.theme),
            replay: None,
            probing: None,
        }
    }
}

/// A URL may carry a token behind its `?` or before its `@`.
fn without_secrets(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    match bare.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = host.rsplit('@').next().unwrap_or_default();
            let slash = if path.is_empty() { "" } else { "/" };
            format!("{scheme}://{host}{slash}{path}")
        }
        None => bare.to_owned(),
    }
}

fn open(plan: &Plan, sender: &SyncSender<Event>) -> Result<Opened, RunError> {
    match &plan.source {
        Source::Attach(endpoints, probe) => {
            let mut labels: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
            let mut endpoints = endpoints.clone();
            let probing = match probe {
                Some(probe) => {
                    labels.push(format!(
                        "{}{}",
                        crate::model::PROBE_LABEL,
                        without_secrets(&probe.url)
                    ));
                    let probing = probe.start(sender.clone())?;
                    endpoints.push(Endpoint::Unix(probing.socket()));
                    Some(probing)
                }
                None => None,
            };
            let app = App::new(Model::new(labels), Mode::Live, plan.theme);
            for (source, endpoint) in endpoints.into_iter().enumerate() {
                attach(source, endpoint, sender.clone())
                    .map_err(RunError::system("cannot start a thread"))?;
            }
            Ok(Opened {
                app,
                replay: None,
                probing,
            })
        }
        Source::Replay {
            path,
            narrow,
            speed,
            at,
            paused,
        } => {
            let mut replay = Replay::new(Recording::open(path, *narrow)?);
            let player = replay.player();
            player.set_speed(*speed);
            player.playing = !paused;
            let mut app = App::new(
                Model::new(replay.labels().iter().cloned()),
                replay.mode(),
                plan.theme,
            );
            replay.begin(*at, &mut app)?;
            Ok(Opened {
                app,
                replay: Some(replay),
                probing: None,
            })
        }
        Source::Capture { from, narrow } => {
            let thread = RunError::system("cannot start a thread");
            let sender = sender.clone();
            let label = if from == "-" {
                if io::stdin().is_terminal() {
                    return Err(RunError::NoCapture);
                }
                watch_stream(0, *narrow, sender).map_err(thread)?;
                "a capture on standard input".to_owned()
            } else {
                watch_interface(0, Interface::open(from)?, from, *narrow, sender).map_err(thread)?;
                format!("the packets of {from}")
            };
            let label = narrow
                .port
                .map_or(label.clone(), |port| format!("{label}, port {port}"));
            Ok(Opened::live(label, plan))
        }
        Source::Log(path) => {
            follow_log(0, Follow::open(path)?, sender.clone())
                .map_err(RunError::system("cannot start a thread"))?;
            let mut opened = Opened::live(format!("the log {}", path.display()), plan);
            opened.app.ends_only = true;
            Ok(opened)
        }
    }
}

fn print_frame(
    plan: &Plan,
    mut app: App,
    replay: Option<Replay>,
    events: &Receiver<Event>,
) -> Result<Exit, RunError> {
    let Some(once) = &plan.once else {
        return Ok(Exit::Done);
    };
    match (replay, &plan.source) {
        (Some(mut replay), Source::Replay { at: None, .. }) => {
            replay.apply(crate::action::Action::End, &mut app)?;
        }
        (Some(_), _) => {}
        (None, _) => once::collect(&mut app, once, plan.verbose, events)?,
    }
    let text = once::frame(&mut app, once);
    match io::stdout().write_all(text.as_bytes()) {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => Err(RunError::System {
            what: "cannot write to standard output",
            cause,
        }),
        _ => Ok(Exit::Done),
    }
}
