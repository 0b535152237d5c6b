//! One worker: a thread with a runtime of its own that runs a share of the plan's sessions.
//!
//! Everything a session touches is owned by this thread, so nothing on the hot path is locked or sent; once an interval the
//! worker hands out an immutable snapshot.

mod account;
mod approval;
mod approver;
mod attempt;
mod clock;
mod datagrams;
mod devices;
mod drive;
mod impaired;
mod link;
mod mix;
mod recovery;
mod renewal;
mod session;
mod slots;
mod token_command;
mod tokens;

pub use clock::Clock;
pub use link::{Family, Target};
pub use mix::Kind;
pub use slots::run;

use crate::plan::{Hold, Mix, Plan};
use account::Account;
use clw_core::journal::SessionRecord;
use clw_core::pacing::Schedule;
use clw_core::reconnect::Policy;
use clw_core::session::{ClientDialect, ClientEvent, Outbox};
use clw_core::snapshot::{Snapshot, keep_recent};
use clw_core::tally::Tally;
use clw_core::time::Instant;
use datagrams::Datagrams;
use devices::Devices;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use session::{ConnectionEnd, SessionState};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// Bytes read at once, for all sessions of a worker together.
const SCRATCH_BYTES: usize = 64 * 1024;

/// What a worker tells: the same whether it is a thread or a process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// What happened since the last one.
    Snapshot(Box<Snapshot>),
    /// A journal line.
    Session(Box<clw_core::journal::SessionRecord>),
    /// All its sessions have ended; nothing follows.
    Done,
}

/// What a worker is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Start no more sessions, log out of those that are up.
    Drain,
    /// Leave at once.
    Leave,
}

/// A share of the plan, with everything resolved.
pub struct Job {
    /// Name in snapshots, e.g. `0/1.2`.
    pub source: String,
    /// The plan, cut to this worker's share.
    pub plan: Plan,
    /// What each of the plan's mixes needs.
    pub kinds: Vec<Kind>,
    /// As shown in snapshots.
    pub shown_target: clw_core::snapshot::Target,
    /// When sessions start.
    pub schedule: Arc<Schedule>,
    /// The run's origin.
    pub clock: Clock,
    /// Whether journal lines are wanted.
    pub journal: bool,
    /// Time between snapshots.
    pub interval: Duration,
}

/// The state that all sessions of a worker share.
struct Worker {
    clock: Clock,
    plan: Plan,
    kinds: Vec<Rc<Kind>>,
    reconnect: Policy,
    /// Connections of the interval that the next snapshot tells of.
    recent: RefCell<Vec<SessionRecord>>,
    journal: bool,
    /// Tasks beside the sessions' own count too.
    tally: Rc<RefCell<Tally>>,
    outbox: RefCell<Outbox<ClientEvent>>,
    scratch: RefCell<Vec<u8>>,
    nonces: RefCell<ChaCha8Rng>,
    datagrams: Datagrams,
    server_version: RefCell<Option<String>>,
    stop: Notify,
    idle: Notify,
    cut_short_at: Cell<Option<Instant>>,
    devices: Rc<Devices>,
    /// Where sessions ask for approval, if the run approves; gone when no session is left.
    approver: RefCell<Option<mpsc::UnboundedSender<approver::Request>>>,
    messages: mpsc::UnboundedSender<Message>,
}

impl Worker {
    fn new(
        plan: Plan,
        kinds: Vec<Kind>,
        clock: Clock,
        journal: bool,
        messages: mpsc::UnboundedSender<Message>,
    ) -> Self {
        let reconnect = if plan.reconnect.enabled {
            Policy {
                attempts: plan.reconnect.retries,
                backoff: plan.reconnect.backoff,
                backoff_max: plan.reconnect.backoff_max,
            }
        } else {
            Policy::OFF
        };
        Self {
            clock,
            kinds: kinds.into_iter().map(Rc::new).collect(),
            reconnect,
            recent: RefCell::default(),
            journal,
            tally: Rc::new(RefCell::new(Tally::new(&plan.call_names))),
            outbox: RefCell::new(Outbox::client(plan.seed)),
            scratch: RefCell::new(vec![0; SCRATCH_BYTES]),
            // Keys and masks of two workers must not be the same.
            nonces: RefCell::new(ChaCha8Rng::seed_from_u64(
                plan.seed ^ u64::from(plan.shard.index()) << 32,
            )),
            datagrams: Datagrams::default(),
            server_version: RefCell::new(None),
            stop: Notify::new(),
            idle: Notify::new(),
            cut_short_at: Cell::new(None),
            devices: Rc::new(Devices::new(&plan)),
            approver: RefCell::new(None),
            messages,
            plan,
        }
    }

    fn mix_index(&self, number: u64) -> usize {
        let mix = self.plan.mix_of(number);
        self.plan
            .mixes
            .iter()
            .position(|m| std::ptr::eq(m, mix))
            .unwrap_or(0)
    }

    fn mix(&self, index: usize) -> &Mix {
        &self.plan.mixes[index.min(self.plan.mixes.len() - 1)]
    }

    fn kind(&self, index: usize) -> &Kind {
        &self.kinds[index.min(self.kinds.len() - 1)]
    }

    fn hold(&self, index: usize) -> Option<Duration> {
        match self.mix(index).hold {
            Hold::For(hold) => Some(hold),
            Hold::UntilEnd => None,
        }
    }

    fn account(&self, mix: usize, number: u64) -> Option<Account> {
        let epoch_ms = self.clock.epoch_ms();
        // A second run against the same gateway must not begin with tokens that the first has rotated away.
        let user = self.seed_of(number) ^ epoch_ms;
        let made_at_s = (epoch_ms + self.clock.now().as_micros() / 1000) / 1000;
        let settings = self.plan.session(number);
        let devices = (&self.plan, &*self.devices);
        Account::of(self.kind(mix), &settings, user, (epoch_ms, made_at_s), devices)
    }

    fn dialect(&self, state: &SessionState, attempt: u32) -> Box<dyn ClientDialect> {
        let settings = self.plan.session(state.number);
        let seed = self.seed_of(state.number) ^ u64::from(attempt).rotate_left(48);
        self.kind(state.mix)
            .dialect(&settings, state, seed, self.plan.flaw.or(settings.mix.flaw))
    }

    fn next_nonce(&self) -> [u8; 16] {
        self.nonces.borrow_mut().random()
    }

    /// A seed of its own for session `number`.
    fn seed_of(&self, number: u64) -> u64 {
        // SplitMix64's finaliser: neighbouring numbers give unrelated seeds.
        let mut z = self.plan.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn count_received(&self, bytes: usize) {
        self.tally.borrow_mut().counters.bytes.received += bytes as u64;
    }

    fn count_sent(&self, bytes: usize, frames: u64) {
        let counters = &mut self.tally.borrow_mut().counters;
        counters.bytes.sent += bytes as u64;
        counters.frames.sent += frames;
    }

    fn saw_server_version(&self, version: String) {
        let mut known = self.server_version.borrow_mut();
        if known.as_deref() != Some(&version) {
            *known = Some(version);
        }
    }

    /// Ends everything gracefully from now on. `cut_short`: the plan had meant to go on.
    fn stop(&self, cut_short: bool) {
        if self.cut_short_at.get().is_none() {
            self.cut_short_at.set(Some(if cut_short {
                self.clock.now()
            } else {
                Instant::from_micros(u64::MAX)
            }));
            self.stop.notify_waiters();
        }
    }

    fn is_stopping(&self) -> bool {
        self.cut_short_at.get().is_some()
    }

    /// When the run was cut short, if it was.
    fn cut_short_at(&self) -> Option<Instant> {
        self.cut_short_at
            .get()
            .filter(|at| *at != Instant::from_micros(u64::MAX))
    }

    async fn stopped(&self) {
        if !self.is_stopping() {
            self.stop.notified().await;
        }
    }

    /// Waits for `delay`; `true` if the run was stopped meanwhile.
    async fn sleep_or_stop(&self, delay: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.stopped() => true,
            () = tokio::time::sleep(delay) => false,
        }
    }

    /// Tells of a connection that is over: in the journal, and for a few that ended in errors in the next snapshot.
    fn tell(&self, state: &SessionState, attempt: u32, end: &ConnectionEnd, retry: Option<Duration>) {
        let record = || {
            let settings = self.plan.session(state.number);
            let identity = mix::identity_name(&settings, &self.plan);
            let role = settings.role.name().to_owned();
            session::record(state, attempt, end, retry, identity, role)
        };
        let verdict = end.judgement.verdict;
        if verdict.is_error() {
            keep_recent(&mut self.recent.borrow_mut(), verdict.name(), record);
        }
        if self.journal {
            let _ = self.messages.send(Message::Session(Box::new(record())));
        }
    }
}
