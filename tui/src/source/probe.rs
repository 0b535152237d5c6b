//! `--probe`: a few canary sessions of the dashboard's own, by a `clw-bench` that runs beside it and ends with it.
//!
//! The child tells what it sees through a Unix socket in a folder of its own. Credentials go by its environment or by a file
//! that is named, never through the process list.

use crate::event::Event;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use thiserror::Error;

/// The load generator's name.
const GENERATOR: &str = "clw-bench";
/// Longer than anybody looks.
const DURATION: &str = "24h";
/// How often a canary asks whether the gateway is there: often enough to tell within seconds whose fault an incident is.
const HEARTBEAT: &str = "2s";
/// How long the child may take to log its sessions out.
const GRACE: Duration = Duration::from_secs(2);
/// How often it is looked whether the child still lives.
const LOOK: Duration = Duration::from_millis(200);
/// What the child said is kept up to so many bytes.
const MAX_SAID_BYTES: u64 = 4096;

/// What to probe.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The gateway.
    pub url: String,
    /// Sessions held at once.
    pub sessions: u32,
    /// The file with the token; without it the child reads CLW_TOKEN itself.
    pub token_file: Option<PathBuf>,
    /// The target's owner agreed.
    pub allow_remote: bool,
}

/// Why there is no probe.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// No generator.
    #[error(
        "--probe runs clw-bench, which is neither beside clw-tui nor on the PATH ({0}): install it there"
    )]
    NoGenerator(io::Error),
    /// No place for its socket.
    #[error("--probe: no temporary folder: {0} (TMPDIR names the place)")]
    NoFolder(io::Error),
}

/// A probe that runs until this is dropped.
#[derive(Debug)]
pub struct Probing {
    child: Arc<Mutex<Child>>,
    folder: TempDir,
}

impl Probe {
    /// Starts it. When the child ends by itself, the dashboard is told why.
    pub fn start(&self, events: SyncSender<Event>) -> Result<Probing, ProbeError> {
        let folder = tempfile::Builder::new()
            .prefix("clw-probe-")
            .tempdir()
            .map_err(ProbeError::NoFolder)?;
        let mut child = self
            .command(&generator(), folder.path())
            .spawn()
            .map_err(ProbeError::NoGenerator)?;
        let said = child.stderr.take();
        let child = Arc::new(Mutex::new(child));
        let watched = Arc::clone(&child);
        thread::Builder::new()
            .name("probe".to_owned())
            .spawn(move || {
                let mut words = String::new();
                if let Some(mut said) = said {
                    // Nothing but errors is said; the rest is read so that the child never waits.
                    let _ = said.by_ref().take(MAX_SAID_BYTES).read_to_string(&mut words);
                    let _ = io::copy(&mut said, &mut io::sink());
                }
                loop {
                    match watched.lock().unwrap_or_else(PoisonError::into_inner).try_wait() {
                        Ok(None) => {}
                        Ok(Some(_)) | Err(_) => break,
                    }
                    thread::sleep(LOOK);
                }
                let _ = events.send(Event::Failed(format!("--probe: {}", reason(&words))));
            })
            .map_err(ProbeError::NoFolder)?;
        Ok(Probing { child, folder })
    }

    fn command(&self, generator: &Path, folder: &Path) -> Command {
        let mut command = Command::new(generator);
        command
            .args(["-q", "-c", &self.sessions.to_string(), "-d", DURATION])
            .args(["--reconnect", "on", "--heartbeat", HEARTBEAT, "--telemetry"])
            .arg(socket(folder))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Some(file) = &self.token_file {
            command.arg("--token-file").arg(file);
        }
        if self.allow_remote {
            command.arg("--allow-remote");
        }
        command.arg("--").arg(&self.url);
        // Ctrl-C at the keyboard is the dashboard's, which ends the child itself.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command
    }
}

impl Probing {
    /// Where the child tells what it sees.
    pub fn socket(&self) -> PathBuf {
        socket(self.folder.path())
    }
}

impl Drop for Probing {
    /// The child logs its sessions out; one that does not is killed.
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(Some(_)) = child.try_wait() {
            return;
        }
        if let Ok(pid) = i32::try_from(child.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let began = Instant::now();
        while began.elapsed() < GRACE {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("telemetry.sock")
}

/// What the child said, without where its telemetry is and in one line.
fn reason(words: &str) -> String {
    let lines: Vec<&str> = words.lines().filter(|l| !l.contains("telemetry at")).collect();
    let text: String = lines.join(" ").chars().filter(|c| !c.is_control()).collect();
    if text.trim().is_empty() {
        "clw-bench ended".to_owned()
    } else {
        text
    }
}

/// Beside this executable, or wherever the PATH has it.
fn generator() -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.join(GENERATOR)))
        .filter(|path| path.is_file())
        .unwrap_or_else(|| PathBuf::from(GENERATOR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_and_no_permission_is_in_the_command_unless_it_was_given() {
        let mut probe = Probe {
            url: "-x://odd".to_owned(),
            sessions: 3,
            token_file: None,
            allow_remote: false,
        };
        let words = |probe: &Probe| {
            let command = probe.command(Path::new("clw-bench"), Path::new("/d"));
            command
                .get_args()
                .map(|a| a.to_string_lossy().into_owned())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(
            words(&probe),
            "-q -c 3 -d 24h --reconnect on --heartbeat 2s --telemetry /d/telemetry.sock -- -x://odd"
        );
        probe.token_file = Some("t".into());
        probe.allow_remote = true;
        assert!(words(&probe).contains("--token-file t --allow-remote --"));
    }
}
