//! Starting sessions by the plan's schedule, and ending the worker.

use super::session::{Outcome, SessionState, run_session};
use super::{Clock, Command, Job, Message, Worker};
use clw_core::snapshot::Phase;
use clw_core::time::Instant;
use clw_core::verdict::Verdict;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

/// After a session that failed, its slot waits this long before the next one where the plan fixes a duration: a gateway
/// that refuses must not be met by a busy loop.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// When sessions start. Numbers are this worker's; `number_of` gives the whole plan's.
pub enum Load {
    /// So many at once, each followed by the next.
    Closed {
        /// Slots of this worker.
        slots: u64,
        /// When slot `i` starts its first session, from the run's start.
        slot_start: Box<dyn Fn(u64) -> Duration>,
        /// How many sessions this worker runs in all; `None`: until `end`.
        total: Option<u64>,
        /// When the run ends.
        end: Option<Duration>,
        /// The whole plan's number of this worker's session `i`.
        number_of: Box<dyn Fn(u64) -> u64>,
    },
    /// By arrival, finished or not.
    Open {
        /// When session `i` starts; `None`: there is none.
        start_at: Box<dyn Fn(u64) -> Option<Duration>>,
        /// When the run ends.
        end: Option<Duration>,
        /// A session that would be one too many is skipped, and counted.
        max_open: Option<u64>,
        /// The whole plan's number of this worker's session `i`.
        number_of: Box<dyn Fn(u64) -> u64>,
    },
}

/// Runs a worker in the current thread until its share is done. Messages leave through `messages`, the last one is
/// [`Message::Done`].
pub async fn run(
    mut job: Job,
    mut commands: mpsc::UnboundedReceiver<Command>,
    messages: mpsc::UnboundedSender<Message>,
) {
    let clock = Clock::started(job.started_ago);
    let source = std::mem::take(&mut job.source);
    let (drain, interval) = (job.drain, job.interval);
    let load = std::mem::replace(
        &mut job.load,
        Load::Closed {
            slots: 0,
            slot_start: Box::new(|_| Duration::ZERO),
            total: None,
            end: None,
            number_of: Box::new(|i| i),
        },
    );
    let worker = Rc::new(Worker::new(job, clock, messages));
    let tasks = LocalSet::new();
    let starter = tasks.spawn_local(start(worker.clone(), load));
    let mut reporter = Reporter { source, seq: 0, last: clock.now() };
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
    count_unfinished(&worker);
    reporter.report(&worker, Phase::Done);
    let _ = worker.messages.send(Message::Done);
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
    seq: u64,
    last: Instant,
}

impl Reporter {
    fn report(&mut self, worker: &Worker, phase: Phase) {
        let now = worker.clock.now();
        let snapshot = worker.tally.borrow_mut().snapshot(
            &self.source,
            self.seq,
            now,
            now.since(self.last),
            if worker.is_stopping() && phase == Phase::Running { Phase::Draining } else { phase },
            worker.server_version.borrow().as_deref(),
        );
        self.seq += 1;
        self.last = now;
        let _ = worker.messages.send(Message::Snapshot(Box::new(snapshot)));
    }
}

/// Starts what the schedule says, when it says.
async fn start(worker: Rc<Worker>, load: Load) {
    match load {
        Load::Closed { slots, slot_start, total, end, number_of } => {
            let end = end.map(|end| Instant::ORIGIN + end);
            let tickets = Rc::new(Tickets { next: std::cell::Cell::new(0), total, number_of });
            for slot in 0..slots {
                let at = Instant::ORIGIN + slot_start(slot);
                if !wait_until(&worker, at).await {
                    return;
                }
                spawn(&worker, run_slot(worker.clone(), tickets.clone(), at, end));
            }
        }
        Load::Open { start_at, end, max_open, number_of } => {
            let end = end.map(|end| Instant::ORIGIN + end);
            let mut i = 0;
            while let Some(at) = start_at(i) {
                let at = Instant::ORIGIN + at;
                if !wait_until(&worker, at).await {
                    return;
                }
                let open = worker.tally.borrow().gauges.active;
                if max_open.is_some_and(|max| open >= max) {
                    worker.tally.borrow_mut().counters.sessions.skipped_starts += 1;
                } else {
                    let number = number_of(i);
                    spawn(&worker, {
                        let worker = worker.clone();
                        async move {
                            // Without a hold a session of the open model lasts until the run's end.
                            let hold = worker.mix(worker.mix_of(number)).hold;
                            let planned_end = if hold.is_none() { end } else { None };
                            run_session(&worker, SessionState::new(&worker, number, at, planned_end)).await;
                        }
                    });
                }
                i += 1;
            }
        }
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
    next: std::cell::Cell<u64>,
    total: Option<u64>,
    number_of: Box<dyn Fn(u64) -> u64>,
}

impl Tickets {
    fn take(&self) -> Option<u64> {
        let i = self.next.get();
        if self.total.is_some_and(|total| i >= total) {
            return None;
        }
        self.next.set(i + 1);
        Some((self.number_of)(i))
    }
}

/// One slot of the closed model: a session, then the next.
async fn run_slot(worker: Rc<Worker>, tickets: Rc<Tickets>, first: Instant, end: Option<Instant>) {
    let mut scheduled = first;
    while !worker.is_stopping() && end.is_none_or(|end| scheduled < end) {
        let Some(number) = tickets.take() else { return };
        let hold = worker.mix(worker.mix_of(number)).hold;
        let planned_end = if hold.is_none() { end } else { None };
        let outcome = run_session(&worker, SessionState::new(&worker, number, scheduled, planned_end)).await;
        let failed = outcome != Outcome::Ended(Verdict::Ok);
        if (failed && end.is_some()) || outcome == Outcome::NotRun {
            worker.sleep_or_stop(PAUSE_AFTER_FAILURE).await;
        }
        scheduled = worker.clock.now();
    }
}

/// `false` if the run was stopped before `at`.
async fn wait_until(worker: &Worker, at: Instant) -> bool {
    if worker.is_stopping() {
        return false;
    }
    if worker.clock.now() >= at {
        // Behind schedule or right at the start: let the sessions run before the next one is started.
        tokio::task::yield_now().await;
        return true;
    }
    tokio::select! {
        biased;
        () = worker.stopped() => false,
        () = tokio::time::sleep_until(worker.clock.at(at)) => true,
    }
}
