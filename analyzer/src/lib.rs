//! Names how every session in a capture ended, and proves it.
//!
//! Packets come in from files ([`source`]), are cut down to TCP segments ([`segment`], [`decode`]), every connection is
//! followed ([`tcp`], [`tls`], [`stream`], [`engine`]) and judged by the dictionary's rules in `clw_core::verdict` ([`judge`]).
//! Nothing in here opens a socket or reads a clock; files and the terminal are touched by [`source`], [`output`] and [`run`] only.

pub mod args;
pub mod decode;
pub mod engine;
pub mod filter;
mod interrupt;
pub mod join;
pub mod judge;
pub mod output;
pub mod record;
pub mod run;
pub mod scrub;
pub mod segment;
pub mod source;
pub mod stream;
pub mod tcp;
pub mod tls;
pub mod totals;

use args::Args;
use clap::Parser as _;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command line `args` (the first is the program's name).
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let parsed = match Args::try_parse_from(args) {
        Ok(parsed) => parsed,
        Err(error) => {
            // A closed pipe is no error.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { run::USAGE } else { 0 });
        }
    };
    if let Some(args::Command::Scrub(scrub)) = &parsed.command {
        return scrubbed(scrub);
    }
    match run::run(&parsed) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("clw-analyze: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn scrubbed(args: &args::ScrubArgs) -> ExitCode {
    match scrub::scrub(&args.input, &args.output) {
        Ok(summary) => {
            if !args.quiet {
                eprintln!("{summary}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("clw-analyze scrub: {error}");
            ExitCode::FAILURE
        }
    }
}
