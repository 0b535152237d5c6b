//! Starting sessions by the plan's schedule, and ending the worker.

use super::session::{Outcome, SessionState, run_session};
use super::{Command, Job, Message, Worker, approver};
use crate::plan::PairingMode;
use clw_core::pacing::{Schedule, Shard};
use clw_core::snapshot::{Phase, SCHEMA, Snapshot, Target, Usage};
use clw_core::time::Instant;
use clw_core::verdict::Verdict;
use nix::sys::resource::{UsageWho, getrusage};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

/// After a session that failed, its slot waits this long before the next one where the plan fixes a duration: a gateway
/// that refuses must not be met by a busy loop.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// The last device tokens have so long to get to the disk.
const LAST_WRITE: Duration = Duration::from_secs(10);
/// An admin session has so long to close at the end.
const GOODBYE: Duration = Duration::from_secs(1);
/// Due starts that are made before the sessions get their turn.
const START_BATCH: u32 = 64;

/// Runs a worker in the current thread until its share is done. Messages leave through `messages`, the last one is
/// [`Message::Done`].
pub async fn run(
    job: Job,
    mut commands: mpsc::UnboundedReceiver<Command>,
    messages: mpsc::UnboundedSender<Message>,
) {
    let Job {
        source,
        plan,
        kinds,
        shown_target,
        schedule,
        clock,
        journal,
        interval,
    } = job;
    let (drain, shard) = (plan.drain, plan.shard);
    let worker = Rc::new(Worker::new(plan, kinds, clock, journal, messages));
    let tasks = LocalSet::new();
    let approver = approver(&worker, &tasks);
    let writer = tasks.spawn_local(worker.devices.clone().write_down(worker.clone()));
    let starter = tasks.spawn_local(start(worker.clone(), schedule, shard));
    let mut reporter = Reporter {
        source,
        target: shown_target,
        seq: 0,
        last: clock.now(),
    };
    let mut leave_at = None;
    tasks
        .run_until(async {
            let mut ticks = tokio::time::interval(interval);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            tokio::pin!(starter);
            let mut started = false;
            loop {
                if started && worker.tally.borrow().gauges.active == 0 {
                    return;
                }
                let leave = async {
                    match leave_at {
                        Some(at) => tokio::time::sleep_until(at).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    _ = ticks.tick() => reporter.report(&worker, Phase::Running),
                    _ = &mut starter, if !started => started = true,
                    () = worker.idle.notified(), if started => {}
                    command = commands.recv() => match command {
                        Some(Command::Drain) => {
                            worker.stop(true);
                            leave_at.get_or_insert(tokio::time::Instant::now() + drain);
                        }
                        // Without a parent there is nobody to work for.
                        Some(Command::Leave) | None => return,
                    },
                    () = leave => return,
                }
            }
        })
        .await;
    tasks
        .run_until(async {
            // Nobody asks for approval any more: the admin session says goodbye.
            worker.approver.take();
            if let Some(approver) = approver {
                let _ = tokio::time::timeout(GOODBYE, approver).await;
            }
            worker.devices.close();
            let _ = tokio::time::timeout(LAST_WRITE, writer).await;
        })
        .await;
    count_unfinished(&worker);
    reporter.report(&worker, Phase::Done);
    let _ = worker.messages.send(Message::Done);
}

/// The task of the admin session, if the run approves what its sessions ask for.
fn approver(worker: &Rc<Worker>, tasks: &LocalSet) -> Option<tokio::task::JoinHandle<()>> {
    let pairing = &worker.plan.pairing;
    let token = pairing
        .admin_token
        .clone()
        .filter(|_| pairing.mode == PairingMode::Approve)?;
    let (sender, requests) = mpsc::unbounded_channel();
    worker.approver.replace(Some(sender));
    Some(tasks.spawn_local(approver::run(worker.clone(), token, requests)))
}

/// Sessions that had not ended when the worker left: healthy or not, nobody will know.
fn count_unfinished(worker: &Worker) {
    let mut tally = worker.tally.borrow_mut();
    let counters = &mut tally.counters;
    let left = counters.sessions.started.saturating_sub(counters.sessions.ended);
    counters.verdicts[Verdict::Open.index()] += left;
    counters.sessions.ended += left;
}

struct Reporter {
    source: String,
    target: Target,
    seq: u64,
    last: Instant,
}

impl Reporter {
    fn report(&mut self, worker: &Worker, phase: Phase) {
        let now = worker.clock.now();
        let mut tally = worker.tally.borrow_mut();
        let interval = tally.take_histograms();
        let phase = if worker.is_stopping() && phase == Phase::Running {
            Phase::Draining
        } else {
            phase
        };
        let snapshot = Snapshot {
            schema: SCHEMA.to_owned(),
            source: self.source.clone(),
            seq: self.seq,
            elapsed_us: now.as_micros(),
            began_unix_us: 0,
            interval_us: clw_core::time::micros(now.since(self.last)),
            phase,
            target: Target {
                server_version: worker.server_version.borrow().clone(),
                ..self.target.clone()
            },
            gauges: tally.gauges,
            counters: tally.counters.clone(),
            interval,
            usage: usage(),
            condition: String::new(),
            thresholds: Vec::new(),
            recent: worker.recent.take(),
        };
        drop(tally);
        self.seq += 1;
        self.last = now;
        let _ = worker.messages.send(Message::Snapshot(Box::new(snapshot)));
    }
}

/// Starts what the schedule says, when it says.
async fn start(worker: Rc<Worker>, schedule: Arc<Schedule>, shard: Shard) {
    let share = schedule.share(shard);
    let run_end = schedule.end().map(|end| Instant::ORIGIN + end);
    if let Some(planned) = share.planned() {
        worker.tally.borrow_mut().counters.sessions.planned = planned;
    }
    let tickets = Rc::new(Tickets {
        schedule: schedule.clone(),
        shard,
        total: share.planned(),
        next: Cell::new(0),
    });
    let mut behind = 0;
    for start in share.starts() {
        let at = Instant::ORIGIN + start.at;
        if !wait_until(&worker, at, &mut behind).await {
            return;
        }
        if schedule.is_closed() {
            let until = start.until.map(|until| Instant::ORIGIN + until);
            spawn(&worker, run_slot(worker.clone(), tickets.clone(), at, until));
        } else {
            let session = worker.clone();
            spawn(&worker, async move {
                let state = SessionState::new(
                    &session,
                    start.number,
                    at,
                    planned_end(&session, start.number, run_end),
                );
                run_session(&session, state).await;
            });
        }
    }
}

/// Without a hold a session lasts until the end of its slot or of the run.
fn planned_end(worker: &Worker, number: u64, end: Option<Instant>) -> Option<Instant> {
    if worker.hold(worker.mix_index(number)).is_none() {
        end
    } else {
        None
    }
}

/// Runs a task that keeps the worker alive while it lasts.
fn spawn(worker: &Rc<Worker>, task: impl Future<Output = ()> + 'static) {
    worker.tally.borrow_mut().gauges.active += 1;
    let worker = worker.clone();
    tokio::task::spawn_local(async move {
        task.await;
        let mut tally = worker.tally.borrow_mut();
        tally.gauges.active -= 1;
        if tally.gauges.active == 0 {
            worker.idle.notify_one();
        }
    });
}

/// Hands out session numbers.
struct Tickets {
    schedule: Arc<Schedule>,
    shard: Shard,
    total: Option<u64>,
    next: Cell<u64>,
}

impl Tickets {
    fn take(&self) -> Option<u64> {
        let taken = self.next.get();
        if self.total.is_some_and(|total| taken >= total) {
            return None;
        }
        self.next.set(taken + 1);
        Some(self.schedule.share(self.shard).session_number(taken))
    }
}

/// One slot of the closed model: a session, then the next.
async fn run_slot(worker: Rc<Worker>, tickets: Rc<Tickets>, first: Instant, until: Option<Instant>) {
    let mut scheduled = first;
    while !worker.is_stopping() && until.is_none_or(|until| scheduled < until) {
        let Some(number) = tickets.take() else { return };
        let mut state = SessionState::new(&worker, number, scheduled, planned_end(&worker, number, until));
        state.slot_end = until;
        let outcome = run_session(&worker, state).await;
        let failed = outcome != Outcome::Ended(Verdict::Ok);
        if (failed && until.is_some()) || outcome == Outcome::NotRun {
            worker.sleep_or_stop(PAUSE_AFTER_FAILURE).await;
        }
        scheduled = worker.clock.now();
    }
}

/// What this process has used so far.
fn usage() -> Usage {
    let Ok(used) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Usage::default();
    };
    let micros =
        |t: nix::sys::time::TimeVal| u64::try_from(t.tv_sec() * 1_000_000 + t.tv_usec()).unwrap_or(0);
    Usage {
        cpu_us: micros(used.user_time()) + micros(used.system_time()),
        // Linux counts it in KiB.
        rss_peak_bytes: u64::try_from(used.max_rss()).unwrap_or(0) * 1024,
    }
}

/// `false` if the run was stopped before `at`. Starts that are due are made in batches, with the sessions' turn between
/// them: one by one each start would wait for all sessions, all at once the sessions would wait for the starts.
async fn wait_until(worker: &Worker, at: Instant, behind: &mut u32) -> bool {
    if worker.is_stopping() {
        return false;
    }
    if worker.clock.has_come(at) {
        *behind += 1;
        if behind.is_multiple_of(START_BATCH) {
            tokio::task::yield_now().await;
        }
        return !worker.is_stopping();
    }
    tokio::select! {
        biased;
        () = worker.stopped() => false,
        () = tokio::time::sleep_until(worker.clock.at(at)) => true,
    }
}
