//! Tokens from a command of the user's: asked for each time a session needs a new one.

use clw_core::secret::Secret;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use thiserror::Error;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

/// A command that takes longer is ended.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest token.
const MAX_TOKEN_BYTES: u64 = 64 * 1024;
/// Commands of a kind of sessions that run at once in this worker; others wait for their turn.
const AT_ONCE: usize = 8;

/// A command line that prints a token.
pub(super) struct TokenCommand {
    /// A secret: it may hold what it asks with.
    line: Secret,
    turns: Semaphore,
}

/// Who needs a token, and what for: told to the command in its environment.
#[derive(Clone, Debug)]
pub(super) struct Need<'a> {
    /// `CLW_CLIENT_ID`.
    pub(super) client_id: &'a str,
    /// `CLW_SESSION`: the session's number.
    pub(super) session: u64,
    /// `CLW_REASON`: `login`, `reconnect` or `refresh`.
    pub(super) reason: &'static str,
}

/// Why there is no token. Counted by its text, so it says nothing that differs from session to session.
#[derive(Debug, Error)]
pub(super) enum TokenError {
    #[error("--token-command cannot be started ({})", .0.kind())]
    Start(io::Error),
    #[error("--token-command ended with {0} (run by hand it says why)")]
    Exit(ExitStatus),
    #[error("--token-command printed nothing within 10 s and was ended")]
    TimedOut,
    #[error("--token-command printed no token (one line on standard output is expected)")]
    Empty,
    #[error("--token-command printed more than 64 KiB (one line with a token is expected)")]
    TooLong,
    #[error("--token-command printed more than one line (one with a token is expected)")]
    SeveralLines,
    #[error("--token-command printed bytes that are no text")]
    NotText,
    #[error("--token-command printed a token that this session has used before (each must be new)")]
    UsedBefore,
}

impl TokenCommand {
    pub(super) fn new(line: Secret) -> Self {
        Self {
            line,
            turns: Semaphore::new(AT_ONCE),
        }
    }

    /// Runs the command, when its turn comes.
    pub(super) async fn ask(&self, need: Need<'_>) -> Result<Secret, TokenError> {
        // Closed by nobody.
        let _turn = self.turns.acquire().await;
        let mut child = Group::start(&self.line, &need).map_err(TokenError::Start)?;
        tokio::time::timeout(TIMEOUT, child.output())
            .await
            .map_err(|_| TokenError::TimedOut)?
    }
}

/// The command with whatever it starts; ended together when it is dropped before its end.
struct Group {
    child: Child,
    leader: Option<Pid>,
}

impl Group {
    fn start(line: &Secret, need: &Need<'_>) -> io::Result<Self> {
        let child = Command::new("/bin/sh")
            .args(["-c", line.expose()])
            .env("CLW_CLIENT_ID", need.client_id)
            .env("CLW_SESSION", need.session.to_string())
            .env("CLW_REASON", need.reason)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // It may say a secret, and a thousand sessions would say it a thousand times.
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let leader = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .map(Pid::from_raw);
        Ok(Self { child, leader })
    }

    async fn output(&mut self) -> Result<Secret, TokenError> {
        let mut bytes = Vec::new();
        if let Some(stdout) = self.child.stdout.take() {
            let read = stdout.take(MAX_TOKEN_BYTES + 1).read_to_end(&mut bytes).await;
            read.map_err(TokenError::Start)?;
        }
        if bytes.len() as u64 > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let status = self.child.wait().await.map_err(TokenError::Start)?;
        self.leader = None;
        if !status.success() {
            return Err(TokenError::Exit(status));
        }
        read_token(bytes)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            let _ = killpg(leader, Signal::SIGKILL);
        }
    }
}

/// One line; its end is left out.
fn read_token(bytes: Vec<u8>) -> Result<Secret, TokenError> {
    let text = String::from_utf8(bytes).map_err(|_| TokenError::NotText)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let token = line.strip_suffix('\r').unwrap_or(line);
    match token {
        _ if token.trim().is_empty() => Err(TokenError::Empty),
        _ if token.contains(['\n', '\r']) => Err(TokenError::SeveralLines),
        _ => Ok(Secret::new(token)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(line: &str) -> Result<Secret, TokenError> {
        let need = Need {
            client_id: "bench-7",
            session: 7,
            reason: "refresh",
        };
        TokenCommand::new(Secret::new(line)).ask(need).await
    }

    #[tokio::test]
    async fn a_line_is_a_token_and_the_command_knows_who_asks() {
        let line = r#"echo "$CLW_CLIENT_ID $CLW_SESSION $CLW_REASON""#;
        assert_eq!(ask(line).await.unwrap(), Secret::new("bench-7 7 refresh"));
        assert_eq!(ask("printf 'abc\\r\\n'").await.unwrap(), Secret::new("abc"));
    }

    #[tokio::test]
    async fn what_is_no_token_is_told_without_what_was_printed() {
        for (line, part) in [
            ("echo hunter2; exit 3", "exit status: 3"),
            ("kill -9 $$", "signal: 9"),
            ("true", "printed no token"),
            ("echo", "printed no token"),
            ("printf 'hunter2\\nhunter2\\n'", "more than one line"),
            ("head -c 70000 /dev/zero", "more than 64 KiB"),
            ("printf 'hunter2\\377'", "no text"),
        ] {
            let error = ask(line).await.unwrap_err().to_string();
            assert!(
                error.contains(part) && !error.contains("hunter2"),
                "{line}: {error}"
            );
        }
    }

    #[tokio::test]
    async fn a_command_that_does_not_end_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let line = format!(
            "sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; wait",
            file.display()
        );
        let command = TokenCommand::new(Secret::new(line));
        let need = Need {
            client_id: "",
            session: 0,
            reason: "login",
        };
        let asking = command.ask(need);
        tokio::pin!(asking);
        let pid = loop {
            tokio::select! {
                biased;
                _ = &mut asking => panic!("it has ended"),
                () = tokio::time::sleep(Duration::from_millis(1)) => {}
            }
            if let Ok(text) = std::fs::read_to_string(&file) {
                break text.trim().to_owned();
            }
        };
        // As if its time were over.
        tokio::time::pause();
        assert!(matches!(asking.await, Err(TokenError::TimedOut)));
        tokio::time::resume();
        let state = format!("/proc/{pid}/stat");
        let is_gone = || std::fs::read_to_string(&state).map_or(true, |stat| stat.contains(") Z "));
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while !is_gone() {
            assert!(std::time::Instant::now() < deadline, "{pid} lives");
            std::thread::yield_now();
        }
    }
}
