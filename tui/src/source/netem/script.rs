//! Changes, always through `netem-scripts/netem`, which knows what is its own and undoes it.

use super::Place;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use thiserror::Error;

/// A profile that changes over time holds in the foreground: what still runs after this is one.
const HOLDS_AFTER: Duration = Duration::from_secs(4);
/// How long a profile that holds may take to undo itself.
const UNDO: Duration = Duration::from_secs(5);
/// Between two looks at a child.
const LOOK: Duration = Duration::from_millis(20);

/// Why nothing was changed.
#[derive(Debug, Error)]
pub enum ScriptError {
    /// No script.
    #[error(
        "--allow-netem: netem-scripts/netem is nowhere above clw-tui nor on the PATH: --netem-script F names it"
    )]
    NotFound,
    /// It cannot be run.
    #[error("{path}: {cause}")]
    Run {
        /// The script.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It refused.
    #[error("{0}")]
    Said(String),
}

/// The script, and where it is to work.
#[derive(Debug)]
pub struct Script {
    path: PathBuf,
    place: Place,
    i_know: bool,
    /// A profile that changes over time.
    held: Option<Child>,
    /// Something of ours is in force.
    changed: bool,
}

impl Script {
    /// The one that was named, or the one that is found.
    pub fn find(named: Option<&Path>, place: Place, i_know: bool) -> Result<Self, ScriptError> {
        let path = match named {
            Some(path) => path.to_owned(),
            None => found().ok_or(ScriptError::NotFound)?,
        };
        Ok(Self {
            path,
            place,
            i_know,
            held: None,
            changed: false,
        })
    }

    /// The profiles that there are.
    pub fn profiles(&self) -> Result<Vec<String>, ScriptError> {
        let text = self.output(&["list"])?;
        Ok(text
            .lines()
            .skip(1)
            .filter_map(|l| l.split_whitespace().next())
            .map(|name| name.chars().take(40).collect())
            .take(1000)
            .collect())
    }

    /// Puts a profile, or tc's own words, in force in place of what was there.
    pub fn apply(&mut self, words: &[String]) -> Result<(), ScriptError> {
        self.let_go();
        let mut child = self.start("apply", words)?;
        self.changed = true;
        let began = Instant::now();
        while began.elapsed() < HOLDS_AFTER {
            if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
                return said(child, &self.path);
            }
            thread::sleep(LOOK);
        }
        self.held = Some(child);
        Ok(())
    }

    /// Takes away what was put in force.
    pub fn clear(&mut self) -> Result<(), ScriptError> {
        self.let_go();
        let child = self.start("clear", &[])?;
        said(child, &self.path)?;
        self.changed = false;
        Ok(())
    }

    fn let_go(&mut self) {
        let Some(mut child) = self.held.take() else { return };
        if let Ok(pid) = i32::try_from(child.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let began = Instant::now();
        while began.elapsed() < UNDO && matches!(child.try_wait(), Ok(None)) {
            thread::sleep(LOOK);
        }
        let _ = child.kill();
        let _ = child.wait();
    }

    fn start(&self, what: &str, words: &[String]) -> Result<Child, ScriptError> {
        let mut command = Command::new(&self.path);
        command.arg(what).args(words).arg("--quiet");
        if let Some(netns) = &self.place.netns {
            command.args(["--netns", netns]);
        }
        command.args(["--dev", &self.place.dev]);
        if self.i_know {
            command.arg("--i-know");
        }
        // Ctrl-C is the dashboard's.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|cause| self.cannot(cause))
    }

    fn output(&self, words: &[&str]) -> Result<String, ScriptError> {
        let output = Command::new(&self.path)
            .args(words)
            .stdin(Stdio::null())
            .output()
            .map_err(|cause| self.cannot(cause))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(ScriptError::Said(last_words(&output.stderr)))
        }
    }

    fn cannot(&self, cause: io::Error) -> ScriptError {
        ScriptError::Run {
            path: self.path.clone(),
            cause,
        }
    }
}

impl Drop for Script {
    /// Whatever was put in force is undone, on every way out.
    fn drop(&mut self) {
        if self.changed {
            let _ = self.clear();
        }
    }
}

fn said(child: Child, path: &Path) -> Result<(), ScriptError> {
    let output = child.wait_with_output().map_err(|cause| ScriptError::Run {
        path: path.to_owned(),
        cause,
    })?;
    if output.status.success() {
        Ok(())
    } else {
        Err(ScriptError::Said(last_words(&output.stderr)))
    }
}

/// The script's first line says what is wrong.
fn last_words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text
        .lines()
        .find(|l| !l.trim().is_empty())
        .unwrap_or("netem failed and did not say why");
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Above this executable, or on the PATH.
fn found() -> Option<PathBuf> {
    let exe = std::env::current_exe().ok()?;
    let above = exe
        .ancestors()
        .skip(1)
        .flat_map(|folder| [folder.join("netem-scripts/netem"), folder.join("netem")])
        .find(|path| path.is_file());
    above.or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .map(|folder| folder.join("netem"))
            .find(|path| path.is_file())
    })
}
