//! Worker processes that share a port, seen from the process that starts them.

use crate::config::{Config, ConfigOnPipe};
use crate::error::StartError;
use crate::socket::Bound;
use crate::summary::Summary;
use crate::worker::{REPORT, RESTART, Report};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A worker that does not say in this time that it serves has failed.
const START_WITHIN: Duration = Duration::from_secs(10);
/// A worker's answer to a question for its counts.
const REPORT_WITHIN: Duration = Duration::from_secs(1);
/// A worker's own grace is 2.5 s; after this it is killed.
const STOP_WITHIN: Duration = Duration::from_secs(6);

/// The workers of one gateway.
pub(crate) struct Crew {
    address: SocketAddr,
    workers: Vec<Worker>,
    board: Arc<Board>,
    /// Keeps the port while workers come and go.
    _reserved: Bound,
}

struct Worker {
    child: Child,
    stdin: Mutex<Option<ChildStdin>>,
}

/// What the workers told.
struct Board {
    states: Mutex<Vec<State>>,
    changed: Condvar,
}

#[derive(Clone, Default)]
struct State {
    started: bool,
    failed: Option<String>,
    summary: Summary,
    asked: u64,
    ended: bool,
    /// Its output has ended: the process is gone or going.
    gone: bool,
}

impl Crew {
    pub(crate) fn start(config: &Config, workers: u32, command: &[&str]) -> Result<Self, StartError> {
        let reserved = Bound::reserve(config.listen)?;
        let address = reserved.address;
        let mut crew = Self {
            address,
            workers: Vec::new(),
            board: Arc::new(Board {
                states: Mutex::new(vec![State::default(); workers as usize]),
                changed: Condvar::new(),
            }),
            _reserved: reserved,
        };
        for number in 0..workers {
            let config = Config {
                listen: address,
                share_port: true,
                worker: (number, workers),
                ..config.clone()
            };
            let worker = spawn(config, command, number, &crew.board).map_err(|cause| StartError::Worker {
                number,
                cause: cause.to_string(),
            })?;
            crew.workers.push(worker);
        }
        crew.wait_for_start()?;
        Ok(crew)
    }

    fn wait_for_start(&self) -> Result<(), StartError> {
        let states = self.board.wait(START_WITHIN, |states| {
            states
                .iter()
                .all(|state| state.started || state.failed.is_some() || state.gone)
        });
        for (number, state) in (0..).zip(&*states) {
            let cause = match (&state.failed, state.started, state.gone) {
                (Some(cause), ..) => cause.clone(),
                (None, true, false) => continue,
                (None, _, true) => "it ended at once".to_owned(),
                (None, false, false) => format!("it said nothing for {START_WITHIN:?}"),
            };
            return Err(StartError::Worker { number, cause });
        }
        Ok(())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn restart(&self) {
        self.tell(RESTART);
    }

    /// The sum of what all workers counted, asked for now.
    pub(crate) fn summary(&self) -> Summary {
        let before: Vec<u64> = self.board.lock().iter().map(|state| state.asked).collect();
        self.tell(REPORT);
        let states = self.board.wait(REPORT_WITHIN, |states| {
            states
                .iter()
                .zip(&before)
                .all(|(state, before)| state.asked > *before || state.gone)
        });
        let mut total = Summary::default();
        for (number, state) in states.iter().enumerate() {
            total.add(state.summary.clone());
            if state.gone {
                total.lost_workers.push(lost(number, ""));
            }
        }
        total
    }

    /// Ends all workers and adds up what they saw.
    pub(crate) fn stop(mut self) -> Summary {
        self.end()
    }

    fn end(&mut self) -> Summary {
        let died: Vec<bool> = self.board.lock().iter().map(|state| state.gone).collect();
        for worker in &self.workers {
            drop(worker.stdin().take());
        }
        drop(
            self.board
                .wait(STOP_WITHIN, |states| states.iter().all(|state| state.gone)),
        );
        let mut total = Summary::default();
        let states = self.board.lock().clone();
        for (number, (worker, state)) in self.workers.iter_mut().zip(states).enumerate() {
            if !state.gone {
                let _ = worker.child.kill();
            }
            let status = worker.child.wait();
            total.add(state.summary);
            if !state.ended || died.get(number).copied().unwrap_or(false) {
                let how = status.map_or_else(|e| e.to_string(), |status| status.to_string());
                total.lost_workers.push(lost(number, &format!(" ({how})")));
            }
        }
        self.workers.clear();
        total
    }

    fn tell(&self, order: u8) {
        for worker in &self.workers {
            if let Some(stdin) = &mut *worker.stdin() {
                // A worker that has gone is noticed by the end of its output.
                let _ = stdin.write_all(&[order]).and_then(|()| stdin.flush());
            }
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        if !self.workers.is_empty() {
            self.end();
        }
    }
}

fn lost(number: usize, how: &str) -> String {
    format!(
        "worker {number} ended by itself{how}; its counts are those of its last report, at most 1 s before"
    )
}

impl Worker {
    fn stdin(&self) -> MutexGuard<'_, Option<ChildStdin>> {
        self.stdin.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn spawn(config: Config, command: &[&str], number: u32, board: &Arc<Board>) -> std::io::Result<Worker> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(std::io::Error::other("it has no pipes"));
    };
    let line = serde_json::to_string(&ConfigOnPipe::new(config))? + "\n";
    stdin.write_all(line.as_bytes())?;
    stdin.flush()?;
    let board = board.clone();
    std::thread::Builder::new()
        .name(format!("worker {number}"))
        .spawn(move || board.listen(number as usize, stdout))?;
    Ok(Worker {
        child,
        stdin: Mutex::new(Some(stdin)),
    })
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Vec<State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `done`, or until the time is over.
    fn wait(&self, within: Duration, done: impl Fn(&[State]) -> bool) -> MutexGuard<'_, Vec<State>> {
        let deadline = Instant::now() + within;
        let mut states = self.lock();
        while !done(&states) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            states = self
                .changed
                .wait_timeout(states, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        states
    }

    /// Takes down what one worker tells, until it ends.
    fn listen(&self, number: usize, output: ChildStdout) {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let Ok(report) = serde_json::from_str::<Report>(&line) else {
                continue;
            };
            self.change(number, |state| match report {
                Report::Started => state.started = true,
                Report::Failed(why) => state.failed = Some(why),
                Report::Counts { asked, summary } => {
                    state.asked = asked;
                    state.summary = summary;
                }
                Report::Ended(summary) => {
                    state.ended = true;
                    state.summary = summary;
                }
            });
        }
        self.change(number, |state| {
            state.gone = true;
            if state.started && !state.ended {
                eprintln!("clw-gateway: {}", lost(number, ""));
            }
        });
    }

    fn change(&self, number: usize, change: impl FnOnce(&mut State)) {
        if let Some(state) = self.lock().get_mut(number) {
            change(state);
        }
        self.changed.notify_all();
    }
}
