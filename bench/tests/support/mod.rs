//! Command lines as they are typed, and what they come to.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use clap::Parser as _;
use clw_bench::args::Args;
use clw_bench::plan::{Environment, Plan, args_to_plan};
use std::time::Duration;

pub fn args(line: &str) -> Args {
    let words = std::iter::once("clw-bench").chain(line.split_whitespace());
    Args::try_parse_from(words).unwrap_or_else(|e| panic!("{line}: {e}"))
}

pub fn plan(line: &str) -> Plan {
    args_to_plan(&args(line), &Environment::default()).unwrap_or_else(|e| panic!("{line}: {e}"))
}

/// The message that a wrong call gets, from the parser or from the plan.
pub fn refusal(line: &str) -> String {
    refusal_in(line, &Environment::default())
}

pub fn refusal_in(line: &str, environment: &Environment) -> String {
    let words = std::iter::once("clw-bench").chain(line.split_whitespace());
    match Args::try_parse_from(words) {
        Err(error) => {
            assert_eq!(error.exit_code(), 2, "{line}");
            error.to_string()
        }
        Ok(args) => {
            let error = args_to_plan(&args, environment).expect_err(line);
            assert_eq!(error.exit_code(), 2);
            error.to_string()
        }
    }
}

pub fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
