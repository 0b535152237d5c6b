//! The workers of a run: one thread here, or as many processes as the plan needs.
//!
//! A process may hold only so many descriptors, so a large plan is cut into shares. Each worker process is this same
//! executable; it gets its share as one JSON line on standard input (secrets are never on a command line), then commands,
//! and answers with messages on standard output, a JSON line each. When its input ends, its parent is gone and it leaves.

use crate::worker::{Command, Message};
use std::io;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command as Process};
use tokio::sync::mpsc;

/// What the crew reports, by worker.
pub(super) enum Told {
    /// A worker says this.
    Message(Message),
    /// Worker number `.0` is gone; `Some` says how, if that was not its end.
    Gone(usize, Option<String>),
}

/// Workers at work.
pub(super) struct Crew {
    members: Vec<Member>,
    reports: mpsc::Receiver<Told>,
}

enum Member {
    Thread(mpsc::UnboundedSender<Command>),
    /// The child is killed when this is dropped.
    Process(
        ChildStdin,
        #[expect(dead_code, reason = "held for kill_on_drop")] ProcessGuard,
    ),
}

struct ProcessGuard(
    #[expect(dead_code, reason = "held so that dropping it ends the reader")] mpsc::Sender<()>,
);

impl Crew {
    /// One worker in a thread of this process. `start` runs it and returns when it is done.
    pub fn thread(
        start: impl FnOnce(mpsc::UnboundedReceiver<Command>, mpsc::UnboundedSender<Message>) + Send + 'static,
    ) -> io::Result<Self> {
        let (reports_in, reports) = mpsc::channel(64);
        let (commands, commands_out) = mpsc::unbounded_channel();
        let (messages, mut messages_out) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new()
            .name("worker".to_owned())
            .spawn(move || start(commands_out, messages))?;
        tokio::spawn(async move {
            let mut done = false;
            while let Some(message) = messages_out.recv().await {
                done |= matches!(message, Message::Done);
                if reports_in.send(Told::Message(message)).await.is_err() {
                    return;
                }
            }
            // The sender is dropped at the thread's end, by return or by panic.
            let how = thread.join().err().map(|_| "it panicked".to_owned());
            let how = how.or_else(|| (!done).then(|| "it stopped in the middle".to_owned()));
            let _ = reports_in.send(Told::Gone(0, how)).await;
        });
        Ok(Self {
            members: vec![Member::Thread(commands)],
            reports,
        })
    }

    /// One worker process for each of `shares` (a JSON line each).
    pub async fn processes(shares: Vec<String>) -> io::Result<Self> {
        let executable = std::env::current_exe()?;
        let (reports_in, reports) = mpsc::channel(64);
        let mut members = Vec::with_capacity(shares.len());
        for (number, share) in shares.into_iter().enumerate() {
            let mut child = Process::new(&executable)
                .arg("worker")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                // Ctrl-C goes to the whole foreground group; a worker hears of it from its parent, once.
                .process_group(0)
                .spawn()?;
            let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
                return Err(io::Error::other("a worker process without pipes"));
            };
            stdin.write_all(share.as_bytes()).await?;
            stdin.write_all(b"\n").await?;
            let (guard, guarded) = mpsc::channel(1);
            tokio::spawn(listen(number, child, stdout, guarded, reports_in.clone()));
            members.push(Member::Process(stdin, ProcessGuard(guard)));
        }
        Ok(Self { members, reports })
    }

    /// Tells all workers; one that is gone does not hear it.
    pub async fn tell(&mut self, command: Command) {
        let line = serde_json::to_string(&command).unwrap_or_default() + "\n";
        for member in &mut self.members {
            match member {
                Member::Thread(commands) => drop(commands.send(command)),
                Member::Process(stdin, _) => drop(stdin.write_all(line.as_bytes()).await),
            }
        }
    }

    /// The next report; `None` when every worker is gone.
    pub async fn next(&mut self) -> Option<Told> {
        self.reports.recv().await
    }
}

/// Reads one process's messages to its end.
async fn listen(
    number: usize,
    mut child: Child,
    stdout: tokio::process::ChildStdout,
    mut guarded: mpsc::Receiver<()>,
    reports: mpsc::Sender<Told>,
) {
    let mut lines = BufReader::new(stdout).lines();
    let mut done = false;
    let mut unreadable = None;
    loop {
        tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) => match serde_json::from_str::<Message>(&line) {
                    Ok(message) => {
                        done |= matches!(message, Message::Done);
                        if reports.send(Told::Message(message)).await.is_err() {
                            return;
                        }
                    }
                    Err(error) => unreadable = Some(format!("it sent a line that cannot be read: {error}")),
                },
                Ok(None) | Err(_) => break,
            },
            // The crew was let go: dropping the child kills it.
            _ = guarded.recv() => return,
        }
    }
    let how = match child.wait().await {
        Ok(status) if done && status.success() => unreadable,
        Ok(status) => Some(format!("it ended with {status}")),
        Err(error) => Some(error.to_string()),
    };
    let _ = reports.send(Told::Gone(number, how)).await;
}
