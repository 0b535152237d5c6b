//! One cell: a run of this executable under a condition.

use super::axis::Condition;
use clw_core::report::Report;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A cell that takes so much longer than it was meant to is given up.
const PATIENCE: Duration = Duration::from_secs(120);
/// The gateway's port inside its namespace.
const PORT: &str = "7000";

/// What makes the conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// This script, in namespaces of its own.
    Netem(PathBuf),
    /// The load generator itself.
    Impair,
}

/// What is the same for all cells.
#[derive(Clone, Debug)]
pub struct Runs {
    /// This executable.
    pub executable: PathBuf,
    /// What makes the conditions.
    pub by: By,
    /// For files that come and go.
    pub folder: PathBuf,
    /// Sessions.
    pub sessions: u32,
    /// Length.
    pub cell: Duration,
    /// Seed.
    pub seed: u64,
    /// What all cells are called with, faults of the gateway left out.
    pub flags: Vec<String>,
    /// These faults.
    pub faults: Vec<String>,
    /// What is spoken.
    pub dialect: String,
    /// Shared by client and gateway, where they are two.
    pub token: String,
}

impl Runs {
    /// Runs one cell; the whole result, or why there is none.
    pub fn run(&self, condition: &Condition, client: &[String]) -> Result<Report, String> {
        let result = self.folder.join("cell.json");
        let _ = std::fs::remove_file(&result);
        let mut command = self.command(condition, client, &result)?;
        let errors = self.folder.join("cell.err");
        let file = std::fs::File::create(&errors).map_err(|e| e.to_string())?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .map_err(|e| format!("cannot start {}: {e}", command.get_program().display()))?;
        let status = wait(&mut child, self.cell + PATIENCE).map_err(|e| e.to_string())?;
        // A run that did not come to its end leaves a checkpoint: that is no measurement of the cell.
        let Some(status) = status else {
            return Err(format!(
                "took more than {} s too long and was ended",
                PATIENCE.as_secs()
            ));
        };
        let came_to_its_end = matches!(status.code(), Some(0 | 99));
        match crate::merge::read(&result) {
            Ok(report) if report.interrupted => Err("interrupted".to_owned()),
            Ok(report) if came_to_its_end => Ok(report),
            Ok(_) => {
                Err(last_line(&errors).unwrap_or_else(|| format!("the run ended before its time: {status}")))
            }
            Err(error) => Err(last_line(&errors).unwrap_or_else(|| format!("{status}: {error}"))),
        }
    }

    fn command(&self, condition: &Condition, client: &[String], result: &Path) -> Result<Command, String> {
        let mut bench: Vec<OsString> = self.flags.iter().chain(client).map(OsString::from).collect();
        let mut add = |flag: &str, value: OsString| bench.extend([OsString::from(flag), value]);
        add("-c", self.sessions.to_string().into());
        add("-d", format!("{}ms", self.cell.as_millis()).into());
        add("--seed", self.seed.to_string().into());
        add("--json", result.into());
        bench.push("-q".into());
        match &self.by {
            By::Impair => {
                if let Some(spec) = condition.impair(self.cell.as_secs_f64()) {
                    bench.extend(["--impair".into(), spec.into()]);
                }
                for fault in &self.faults {
                    bench.extend(["--fault".into(), fault.into()]);
                }
                let mut command = Command::new(&self.executable);
                command.args(bench);
                Ok(command)
            }
            By::Netem(script) => {
                let profile = self.folder.join("cell.conf");
                std::fs::write(&profile, condition.profile()).map_err(|e| e.to_string())?;
                let quote = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
                let mut server = format!(
                    "exec {} gateway --listen 0.0.0.0:{PORT} --dialect {} --seed {} --quiet",
                    quote(&self.executable.display().to_string()),
                    self.dialect,
                    self.seed
                );
                for fault in &self.faults {
                    server.push_str(" --fault ");
                    server.push_str(&quote(fault));
                }
                let mut command = Command::new(script);
                command
                    .args(["-q", "run"])
                    .arg(profile)
                    .args(["--port", PORT, "--server", &server, "--wait", PORT, "--"])
                    .args([
                        "sh",
                        "-c",
                        &format!(r#"exec "$0" "$@" "ws://$NETEM_SERVER:{PORT}""#),
                    ])
                    .arg(&self.executable)
                    .args(bench)
                    // On no command line, where everybody could read it.
                    .env("CLW_TOKEN", &self.token);
                Ok(command)
            }
        }
    }
}

/// Waits for a child, up to a limit; `None`: it was killed.
fn wait(child: &mut std::process::Child, limit: Duration) -> io::Result<Option<std::process::ExitStatus>> {
    let deadline = std::time::Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if std::time::Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn last_line(file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .map(str::to_owned)
}
