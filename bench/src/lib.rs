//! clw-bench: a load generator for authenticated WebSocket sessions.
//!
//! [`main`] is the whole program; the binary only hands it the arguments. What is asked becomes a [`plan`], [`run`] carries
//! it out with [`worker`]s, and [`output`] shows what came of it.

pub mod args;
mod captured;
mod commands;
pub mod compare;
pub mod credentials;
mod dictionary;
pub mod exit;
pub mod explain;
pub mod limits;
pub mod merge;
pub mod metrics;
pub mod output;
pub mod plan;
pub mod reproduce;
pub mod run;
pub mod scenario;
pub mod sweep;
pub mod telemetry;
pub mod tls;
pub mod worker;

use args::{Args, Subcommand};
use clap::Parser as _;
use exit::Exit;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command line `args` (the first is the program's name).
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    // The embedded gateway is this executable again.
    if args.get(1).is_some_and(|first| first == "gateway") {
        return clw_gateway::args::run(args.into_iter().skip(1), &["gateway"]);
    }
    let parsed = match Args::try_parse_from(&args) {
        Ok(parsed) => parsed,
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
    if let Some(what) = parsed.general.generate {
        let _ = args::generate(what, &mut std::io::stdout());
        return Exit::Done.into();
    }
    let result = match &parsed.command {
        None => run::run(&parsed, args::shown(&args)).map_err(|e| (e.exit(), e.to_string())),
        Some(Subcommand::Worker(_)) => Ok(run::work()),
        Some(Subcommand::Explain(args)) => commands::explain(args),
        Some(Subcommand::Compare(args)) => commands::compare(args),
        Some(Subcommand::Merge(args)) => commands::merge(args),
        Some(Subcommand::Sweep(args)) => sweep::sweep(args),
        Some(Subcommand::Reproduce(args)) => reproduce::reproduce(args),
    };
    match result {
        Ok(exit) => exit.into(),
        Err((exit, message)) => {
            eprintln!("clw-bench: {message}");
            exit.into()
        }
    }
}
