//! What all connections of a gateway's thread share; everything stays on that thread.

use crate::backends::{Backends, server_config};
use crate::config::{Config, Mode};
use crate::datagrams::Datagrams;
use crate::error::StartError;
use crate::log::Log;
use crate::summary::{EndingRecord, Summary};
use crate::turns::Turns;
use clw_core::Dialect;
use clw_core::openclaw::PreauthBudget;
use clw_core::session::{Outbox, Rejection, ServerConfig, ServerEvent, Stop};
use clw_core::time::Instant;
use clw_core::verdict::DatagramBeats;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;
use tokio::sync::Notify;

/// One read takes at most this; bytes wait in a connection only when a frame is cut.
const SCRATCH_BYTES: usize = 64 * 1024;
/// What the outbox may keep between two sessions' turns; a large answer's buffer is given back.
const OUTBOX_KEEPS_BYTES: usize = 1024 * 1024;

pub(crate) struct Shared {
    origin: tokio::time::Instant,
    pub(crate) address: SocketAddr,
    pub(crate) dialect: Dialect,
    pub(crate) server_config: Arc<ServerConfig>,
    /// The same without the server's pings.
    pub(crate) pingless_config: Arc<ServerConfig>,
    pub(crate) backends: Backends,
    pub(crate) datagrams: Datagrams,
    pub(crate) scratch: RefCell<Vec<u8>>,
    pub(crate) outbox: RefCell<Outbox<ServerEvent>>,
    pub(crate) log: Log,
    pub(crate) max_buffered_bytes: usize,
    pub(crate) restart_for: Duration,
    /// Told to all connections: look at `ending`.
    pub(crate) stop: Notify,
    pub(crate) ending: Cell<Ending>,
    summary: RefCell<Summary>,
    keep_endings: bool,
    budget: RefCell<PreauthBudget>,
    before_ready: Cell<u32>,
    turns: RefCell<Turns>,
    stalls: RefCell<HashSet<(Duration, Option<Duration>)>>,
    /// Connections that others may call, by their sign.
    callable: RefCell<HashMap<u64, Waker>>,
}

/// How all connections are to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// In the dialect's words.
    Told(Stop),
    /// Without a word: their time is over.
    Cut,
    /// Only those that came in by the shared token that has been changed.
    SecretChanged,
}

impl Shared {
    pub(crate) fn new(config: &Config, address: SocketAddr) -> Result<Self, StartError> {
        let log = Log::open(config.log.as_deref(), config.verbose).map_err(|cause| StartError::Log {
            path: config.log.clone().unwrap_or_default(),
            cause,
        })?;
        let budget = config.preauth_budget.unwrap_or(match config.mode {
            Mode::Open => 0,
            Mode::Stock | Mode::Strict => PreauthBudget::DEFAULT,
        });
        let server_config = server_config(config);
        let pingless_config = ServerConfig {
            ping_every: None,
            ..server_config.clone()
        };
        Ok(Self {
            origin: tokio::time::Instant::now(),
            address,
            dialect: config.dialect,
            server_config: Arc::new(server_config),
            pingless_config: Arc::new(pingless_config),
            backends: Backends::new(config, address),
            datagrams: Datagrams::new(config, address)?,
            scratch: RefCell::new(vec![0; SCRATCH_BYTES]),
            outbox: RefCell::new(Outbox::server()),
            log,
            max_buffered_bytes: config.max_buffered_bytes,
            restart_for: config.restart_for,
            stop: Notify::new(),
            ending: Cell::new(Ending::Told(Stop::Stop)),
            summary: RefCell::default(),
            keep_endings: config.keep_endings,
            budget: RefCell::new(PreauthBudget::new(budget)),
            before_ready: Cell::new(0),
            turns: RefCell::new(Turns::new(config.tick_spread.unwrap_or(config.tick / 10))),
            stalls: RefCell::default(),
            callable: RefCell::default(),
        })
    }

    /// What a session that a restart ends is told.
    pub(crate) fn restart(&self) -> Stop {
        Stop::Restart {
            expected_ms: u64::try_from(self.restart_for.as_millis()).unwrap_or(u64::MAX),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::ORIGIN + self.origin.elapsed()
    }

    /// The same instant on the runtime's clock.
    pub(crate) fn at(&self, instant: Instant) -> tokio::time::Instant {
        self.origin + Duration::from_micros(instant.as_micros())
    }

    pub(crate) fn enter_budget(&self, peer: SocketAddr) -> Result<(), Rejection> {
        self.budget.borrow_mut().enter(peer.ip())
    }

    pub(crate) fn leave_budget(&self, peer: SocketAddr) {
        self.budget.borrow_mut().leave(peer.ip());
    }

    /// Sockets that are open and not ready, the asking one left out.
    pub(crate) fn others_before_ready(&self) -> u32 {
        self.before_ready.get().saturating_sub(1)
    }

    pub(crate) fn opened(&self) {
        self.before_ready.set(self.before_ready.get() + 1);
        let mut summary = self.summary.borrow_mut();
        summary.accepted += 1;
        summary.open += 1;
        summary.peak_open = summary.peak_open.max(summary.open);
    }

    pub(crate) fn became_ready(&self) {
        self.before_ready.set(self.before_ready.get().saturating_sub(1));
        let mut summary = self.summary.borrow_mut();
        summary.ready += 1;
        summary.ready_now += 1;
    }

    /// A session that was offered datagrams is over: what they came to.
    pub(crate) fn datagrams_ended(&self, beats: DatagramBeats) {
        let udp = &mut self.summary.borrow_mut().udp;
        udp.sessions += 1;
        udp.pings += beats.pings;
        udp.pongs += beats.pongs;
    }

    /// A connection is over; without a record it was no session (a health probe).
    pub(crate) fn closed(&self, was_ready: bool, record: Option<EndingRecord>) {
        let mut summary = self.summary.borrow_mut();
        summary.open = summary.open.saturating_sub(1);
        if was_ready {
            summary.ready_now = summary.ready_now.saturating_sub(1);
        } else {
            self.before_ready.set(self.before_ready.get().saturating_sub(1));
        }
        if let Some(record) = record {
            summary.ended(record, self.keep_endings);
        }
    }

    pub(crate) fn accept_failed(&self) {
        self.summary.borrow_mut().accept_errors += 1;
    }

    pub(crate) fn open(&self) -> u64 {
        self.summary.borrow().open
    }

    pub(crate) fn summary(&self) -> Summary {
        self.summary.borrow().clone()
    }

    /// The connection with this sign may be called: its task looks at its machine again.
    pub(crate) fn can_be_called(&self, sign: u64, waker: &Waker) {
        self.callable.borrow_mut().insert(sign, waker.clone());
    }

    pub(crate) fn cannot_be_called(&self, sign: u64) {
        self.callable.borrow_mut().remove(&sign);
    }

    pub(crate) fn call(&self, sign: u64) {
        if let Some(waker) = self.callable.borrow().get(&sign) {
            waker.wake_by_ref();
        }
    }

    /// Waits until all connections are to end.
    pub(crate) async fn ends(&self) {
        loop {
            self.stop.notified().await;
            if self.ending.get() != Ending::SecretChanged {
                return;
            }
        }
    }

    /// Tells all connections to end.
    pub(crate) fn end_all(&self, ending: Ending) {
        self.ending.set(ending);
        self.stop.notify_waiters();
    }

    /// When a session may send what its timer wants sent: all ticks are due at one instant.
    pub(crate) fn turn(&self, now: Instant) -> Instant {
        let open = self.open();
        self.turns.borrow_mut().take(now, open)
    }

    /// The event loop stands still: each stall of the plan once, and again and again if it has a period.
    pub(crate) fn stall(&self, length: Duration, every: Option<Duration>) {
        if !self.stalls.borrow_mut().insert((length, every)) {
            return;
        }
        self.log.line(format!("[gateway] stalls for {length:?}"));
        // Blocking the thread is the fault itself.
        std::thread::sleep(length);
        if let Some(every) = every {
            tokio::task::spawn_local(async move {
                loop {
                    tokio::time::sleep(every).await;
                    std::thread::sleep(length);
                }
            });
        }
    }
}

/// Empties the outbox for the next session.
pub(crate) fn clear(out: &mut Outbox<ServerEvent>) {
    out.clear();
    out.bytes.shrink_to(OUTBOX_KEEPS_BYTES);
}
