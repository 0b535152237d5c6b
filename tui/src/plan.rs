//! What the command line means: validated, without an option left that stands for a default.

use crate::app::Page;
use crate::args::{Args, ColorArg, ThemeArg};
use crate::source::Endpoint;
use crate::source::capture::Narrow;
use crate::source::netem::{Place, PlaceError};
use crate::source::probe::Probe;
use crate::theme::Theme;
use crate::view::LEAST;
use clw_core::Dialect;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// Sources at once at most.
const MAX_SOURCES: usize = 32;
/// A frame that is larger than any terminal.
const LARGEST: (u16, u16) = (1000, 400);

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the data comes from.
    pub source: Source,
    /// One frame as text instead of a dashboard.
    pub once: Option<Once>,
    /// The interface that is followed.
    pub netem: Option<NetemPlan>,
    /// Colours.
    pub theme: Theme,
    /// Where exports and pictures go.
    pub export_dir: PathBuf,
    /// The mouse's wheel scrolls.
    pub mouse: bool,
    /// More words on standard error.
    pub verbose: bool,
}

/// How an interface is followed.
#[derive(Clone, Debug)]
pub struct NetemPlan {
    /// Which.
    pub place: Place,
    /// Keys change it.
    pub allowed: bool,
    /// The script, if it was named.
    pub script: Option<PathBuf>,
    /// The interface may be any.
    pub i_know: bool,
}

/// Where the data comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Running generators, and one of the dashboard's own.
    Attach(Vec<Endpoint>, Option<Probe>),
    /// A recording.
    Replay {
        /// The file.
        path: PathBuf,
        /// Of a capture only these connections.
        narrow: Narrow,
        /// How many times faster than it happened.
        speed: u32,
        /// Where to begin.
        at: Option<Duration>,
        /// Whether time stands still at first.
        paused: bool,
    },
    /// Packets as they pass.
    Capture {
        /// An interface, `any`, or `-` for standard input.
        from: String,
        /// Only these connections.
        narrow: Narrow,
    },
    /// The gateway's log, as it grows.
    Log(PathBuf),
}

/// How `--once` prints.
#[derive(Clone, Copy, Debug)]
pub struct Once {
    /// Columns and rows; `None` for the terminal's.
    pub size: Option<(u16, u16)>,
    /// Which page.
    pub page: Page,
    /// As a picture.
    pub svg: bool,
    /// The longest wait for data.
    pub wait: Duration,
}

/// What cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UsageError {
    /// No source.
    #[error(
        "nothing to show: give --attach ADDR|PATH (a running clw-bench --telemetry), --replay FILE, --capture IFACE|- (packets), \
         --log FILE (the gateway's log) or --probe URL"
    )]
    NoSource,
    /// No interface.
    #[error("--netem `{0}`: {1}")]
    Place(String, PlaceError),
    /// A port or a dialect without packets.
    #[error("--port and --dialect tell packets apart: they need --capture or --replay of a capture")]
    NoPackets,
    /// An endpoint.
    #[error("--attach `{0}`: write HOST:PORT, :PORT or the path of a Unix socket")]
    Endpoint(String),
    /// Too many.
    #[error("--attach: {0} sources given, {MAX_SOURCES} at most")]
    TooMany(usize),
    /// The same twice would count everything twice.
    #[error("--attach {0} is given twice: its sessions would be counted twice")]
    Twice(String),
    /// A size.
    #[error("--size `{0}`: write columns x rows, from {least} to {largest}, such as 100x40", least = across(LEAST), largest = across(LARGEST))]
    Size(String),
    /// A page.
    #[error("--page `{0}`: there are {all}", all = Page::ALL.map(Page::name).join(", "))]
    Page(String),
}

fn across((width, height): (u16, u16)) -> String {
    format!("{width}x{height}")
}

/// What the environment says of colours.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// `COLORTERM`.
    pub colorterm: Option<String>,
    /// `TERM`.
    pub term: Option<String>,
}

impl Environment {
    /// Of this process.
    pub fn of_process() -> Self {
        let of = |name| std::env::var(name).ok().filter(|v: &String| !v.is_empty());
        Self {
            no_color: of("NO_COLOR").is_some(),
            colorterm: of("COLORTERM"),
            term: of("TERM"),
        }
    }

    /// The colours that it allows, where nothing was asked for.
    pub fn theme(&self) -> Theme {
        Theme::of_terminal(self.no_color, self.colorterm.as_deref(), self.term.as_deref())
    }
}

impl Plan {
    /// Decides what `args` mean.
    pub fn new(args: &Args, environment: &Environment) -> Result<Self, UsageError> {
        let once = args
            .once
            .then(|| {
                Ok(Once {
                    size: args.size.as_deref().map(size).transpose()?,
                    page: args.page.as_deref().map_or(Ok(Page::Overview), page)?,
                    svg: args.svg,
                    wait: args.wait.unwrap_or(Duration::from_secs(5)),
                })
            })
            .transpose()?;
        Ok(Self {
            source: source(args)?,
            netem: netem(args)?,
            once,
            theme: theme(args, environment),
            export_dir: args.export_dir.clone().unwrap_or_else(|| PathBuf::from(".")),
            mouse: !args.no_mouse,
            verbose: args.verbose && !args.quiet,
        })
    }
}

fn source(args: &Args) -> Result<Source, UsageError> {
    let narrow = Narrow {
        port: args.port,
        dialect: args.dialect.map(Dialect::from),
    };
    if let Some(path) = &args.replay {
        return Ok(Source::Replay {
            path: path.clone(),
            narrow,
            speed: args.speed.unwrap_or(1),
            at: args.at,
            paused: args.paused,
        });
    }
    if let Some(path) = &args.log {
        return Ok(Source::Log(path.clone()));
    }
    if let Some(from) = &args.capture {
        return Ok(Source::Capture {
            from: from.clone(),
            narrow,
        });
    }
    if narrow.is_given() {
        return Err(UsageError::NoPackets);
    }
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for text in &args.attach {
        let endpoint = text.parse().map_err(|_| UsageError::Endpoint(text.clone()))?;
        if endpoints.contains(&endpoint) {
            return Err(UsageError::Twice(text.clone()));
        }
        endpoints.push(endpoint);
    }
    let probe = args.probe.as_ref().map(|url| Probe {
        url: url.clone(),
        sessions: args.probe_sessions.unwrap_or(3),
        token_file: args.token_file.clone(),
        allow_remote: args.allow_remote,
    });
    match endpoints.len() {
        0 if probe.is_none() => Err(UsageError::NoSource),
        n if n > MAX_SOURCES => Err(UsageError::TooMany(n)),
        _ => Ok(Source::Attach(endpoints, probe)),
    }
}

fn netem(args: &Args) -> Result<Option<NetemPlan>, UsageError> {
    let plan = |text: &String| {
        Ok(NetemPlan {
            place: text.parse().map_err(|e| UsageError::Place(text.clone(), e))?,
            allowed: args.allow_netem,
            script: args.netem_script.clone(),
            i_know: args.i_know,
        })
    };
    args.netem.as_ref().map(plan).transpose()
}

fn theme(args: &Args, environment: &Environment) -> Theme {
    let asked = args.theme.map(|theme| match theme {
        ThemeArg::Dark => Theme::Dark,
        ThemeArg::Light => Theme::Light,
        ThemeArg::ColourBlind => Theme::ColourBlind,
        ThemeArg::Sixteen => Theme::Sixteen,
        ThemeArg::None => Theme::None,
    });
    let able = Environment {
        no_color: environment.no_color && args.color != ColorArg::Always,
        ..environment.clone()
    }
    .theme();
    match args.color {
        ColorArg::Never => Theme::None,
        // What was asked for by name wins over what the environment says.
        _ => asked.unwrap_or(match (args.color, able) {
            (ColorArg::Always, Theme::None) => Theme::Sixteen,
            _ => able,
        }),
    }
}

fn size(text: &str) -> Result<(u16, u16), UsageError> {
    let fail = || UsageError::Size(text.to_owned());
    let (width, height) = text.split_once(['x', 'X', '×']).ok_or_else(fail)?;
    let read = |t: &str| t.trim().parse::<u16>().map_err(|_| fail());
    let (width, height) = (read(width)?, read(height)?);
    if (LEAST.0..=LARGEST.0).contains(&width) && (LEAST.1..=LARGEST.1).contains(&height) {
        Ok((width, height))
    } else {
        Err(fail())
    }
}

fn page(text: &str) -> Result<Page, UsageError> {
    Page::ALL
        .into_iter()
        .find(|p| p.name() == text)
        .ok_or_else(|| UsageError::Page(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn plan(args: &[&str]) -> Result<Plan, UsageError> {
        let args = Args::try_parse_from(std::iter::once("clw-tui").chain(args.iter().copied())).unwrap();
        Plan::new(&args, &Environment::default())
    }

    #[test]
    fn what_cannot_be_done_is_said_with_what_can() {
        let says = |args: &[&str]| plan(args).unwrap_err().to_string();
        assert!(says(&[]).contains("--attach"));
        assert!(says(&["--attach", ""]).contains(":PORT"));
        assert!(says(&["--attach", ":1", "--attach", "127.0.0.1:1"]).contains("twice"));
        assert!(says(&["--attach", ":1", "--once", "--size", "20x5"]).contains("60x20"));
        assert!(says(&["--attach", ":1", "--once", "--page", "no"]).contains("latency"));
        let many: Vec<String> = (1..=33)
            .flat_map(|p| ["--attach".to_owned(), format!(":{p}")])
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(says(&many).contains("33 sources"));
    }

    #[test]
    fn colours_are_asked_for_or_found_out() {
        let of = |args: &[&str], no_color| {
            let mut all = vec!["clw-tui", "--attach", ":1"];
            all.extend(args);
            let environment = Environment {
                no_color,
                colorterm: Some("truecolor".to_owned()),
                term: None,
            };
            Plan::new(&Args::parse_from(all), &environment).unwrap().theme
        };
        assert_eq!(of(&[], false), Theme::Dark);
        assert_eq!(of(&[], true), Theme::None);
        assert_eq!(of(&["--color", "always"], true), Theme::Dark);
        assert_eq!(of(&["--theme", "light"], true), Theme::Light);
        assert_eq!(of(&["--theme", "light", "--color", "never"], false), Theme::None);
    }
}
