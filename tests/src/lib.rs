//! Helpers for the tests across the crates: the built binaries, results, conditions to wait for.

#![expect(clippy::expect_used, reason = "a helper of a test may panic")]

mod admin;
mod gateway;
mod live;
mod peer;

pub use admin::Admin;
pub use gateway::Gateway;
pub use live::{signal, verdicts, wait_for_ready};
pub use peer::{server, switching};

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The binary `name` beside this test's own executable; cargo builds all members' binaries for a workspace test run.
///
/// # Panics
/// If it is not there, with the command that builds it.
pub fn binary(name: &str) -> PathBuf {
    let mut dir = std::env::current_exe().unwrap_or_default();
    dir.pop();
    if dir.ends_with("deps") {
        dir.pop();
    }
    let path = dir.join(name);
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --workspace --bins` first",
        path.display()
    );
    path
}

/// Runs clw-bench with `args` and returns what it left.
///
/// # Panics
/// If it cannot be started.
pub fn clw_bench(args: &[&str]) -> Output {
    match Command::new(binary("clw-bench"))
        .args(args)
        .env_remove("CLW_TOKEN")
        .output()
    {
        Ok(output) => output,
        Err(error) => panic!("clw-bench: {error}"),
    }
}

/// Runs clw-bench with `args` and `--json -`, and reads its result.
///
/// # Panics
/// If standard output is no JSON; shows what was on standard error.
pub fn result_of(args: &[&str]) -> (Value, i32) {
    let output = clw_bench(&[&["-q", "--json", "-"], args].concat());
    let code = output.status.code().unwrap_or(-1);
    match serde_json::from_slice(&output.stdout) {
        Ok(result) => (result, code),
        Err(error) => panic!(
            "no result ({error}), exit {code}, standard error:\n{}",
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

/// The count at a JSON pointer of a result.
///
/// # Panics
/// If there is none.
pub fn count(result: &Value, pointer: &str) -> u64 {
    match result.pointer(pointer).and_then(Value::as_u64) {
        Some(count) => count,
        None => panic!("no count at {pointer} in {result:#}"),
    }
}

/// The number at a JSON pointer of a result.
///
/// # Panics
/// If there is none.
pub fn number(result: &Value, pointer: &str) -> f64 {
    match result.pointer(pointer).and_then(Value::as_f64) {
        Some(number) => number,
        None => panic!("no number at {pointer} in {result:#}"),
    }
}

/// The repository's top folder.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}
