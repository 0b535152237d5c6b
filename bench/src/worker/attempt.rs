//! What a session's plan wants of one connection: count what happens, hold, call, log out.

use super::account::Account;
use super::datagrams::Endpoint;
use super::session::SessionState;
use super::tokens::Refreshing;
use super::{Worker, renewal, tokens};
use clw_core::clw::DATAGRAM_BYTES;
use clw_core::session::{ClientConnection, ClientEvent};
use clw_core::tally::Metric;
use clw_core::time::{Instant, earliest};
use clw_core::{Dialect, Stage};
use std::net::SocketAddr;
use std::task::Waker;

/// One connection of a session.
pub(super) struct Attempt<'a> {
    session: &'a mut SessionState,
    begun: bool,
    /// Since when this connection has been ready.
    pub ready_at: Option<Instant>,
    /// Heartbeats that this connection sent and missed.
    pub heartbeats: (u64, u64),
    log_out_begun: bool,
    /// This side's address and the gateway's.
    pub ends: (Option<SocketAddr>, SocketAddr),
    /// Heartbeats beside the stream, once they were offered; most sessions pay a word for them.
    datagrams: Option<Box<Endpoint>>,
    /// A token for a refresh is on its way.
    refreshing: Option<Refreshing>,
}

impl<'a> Attempt<'a> {
    /// An attempt of `session` at `remote`, before its transport is there.
    pub fn new(session: &'a mut SessionState, remote: SocketAddr) -> Self {
        Self {
            session,
            begun: false,
            ready_at: None,
            heartbeats: (0, 0),
            log_out_begun: false,
            ends: (None, remote),
            datagrams: None,
            refreshing: None,
        }
    }

    /// Starts the upgrade, once.
    pub fn begin(&mut self, worker: &Worker, connection: &mut ClientConnection, now: Instant) {
        if !self.begun {
            self.begun = true;
            let nonce = worker.next_nonce();
            connection.connected(now, nonce, &mut worker.outbox.borrow_mut());
        }
    }

    /// When the plan wants something of a ready session.
    pub fn deadline(&self, connection: &ClientConnection) -> Option<Instant> {
        if !connection.is_ready() {
            return None;
        }
        earliest(
            self.session.planned_end,
            self.session.calls.iter().map(|call| call.next).min(),
        )
    }

    /// Does what is due: calls. (The end of the hold is seen by [`Attempt::settle`], which follows.)
    pub fn due(&mut self, worker: &Worker, connection: &mut ClientConnection, now: Instant) {
        if !connection.is_ready() {
            return;
        }
        let mut out = worker.outbox.borrow_mut();
        let plans = &worker.mix(self.session.mix).calls;
        self.session.calls.retain_mut(|call| {
            if call.next > now {
                return true;
            }
            let plan = &plans[call.index];
            connection.request(now, plan.label, call.next, &plan.method, &plan.params, &mut out);
            let Some(period) = call.period.filter(|p| !p.is_zero()) else {
                return false;
            };
            // A period that was slept through is not made up for: the lag shows in the response time.
            while call.next <= now {
                call.next += period;
            }
            true
        });
    }

    /// Counts what the machine reported and, at the end of the hold or of the run, logs out.
    pub fn settle(&mut self, worker: &Worker, connection: &mut ClientConnection, now: Instant) {
        self.count(worker, connection, now);
        if connection.is_over() || self.log_out_begun {
            return;
        }
        let ended = self.session.planned_end.is_some_and(|at| now >= at);
        if (ended && connection.is_ready()) || worker.is_stopping() {
            self.log_out_begun = true;
            connection.log_out(now, &mut worker.outbox.borrow_mut());
            self.count(worker, connection, now);
        }
    }

    /// A datagram that came for this session; `waker` is told of the next.
    pub fn next_datagram(&self, waker: &Waker) -> Option<[u8; DATAGRAM_BYTES]> {
        self.datagrams.as_ref()?.next(waker)
    }

    fn count(&mut self, worker: &Worker, connection: &mut ClientConnection, now: Instant) {
        let mut out = worker.outbox.borrow_mut();
        if out.events.is_empty() {
            return;
        }
        let mut tally = worker.tally.borrow_mut();
        let has_challenge = worker.mix(self.session.mix).dialect != Dialect::Clw;
        for event in out.events.drain(..) {
            match event {
                ClientEvent::Reached(stage) => {
                    let since = |earlier: Stage| connection.entered(earlier).map(|at| now.since(at));
                    match stage {
                        Stage::Challenge => {
                            if let Some(took) = since(Stage::Upgrade) {
                                tally.record(Metric::Upgrade, took);
                            }
                        }
                        Stage::Auth => {
                            if let Some(took) = since(Stage::Challenge).filter(|_| has_challenge) {
                                tally.record(Metric::Challenge, took);
                            }
                        }
                        Stage::Ready => {
                            if let Some(took) = since(Stage::Auth) {
                                tally.record(Metric::Auth, took);
                            }
                            self.ready_at = Some(now);
                            self.session.became_ready(worker, &mut tally, connection, now);
                            if let Some(device) = self.session.account.as_ref().and_then(Account::openclaw) {
                                worker.devices.keep(device);
                            }
                        }
                        Stage::Tcp | Stage::Tls | Stage::Upgrade => {}
                    }
                }
                ClientEvent::HeartbeatSent => {
                    self.heartbeats.0 += 1;
                    tally.counters.heartbeat.sent += 1;
                }
                ClientEvent::HeartbeatAnswered { rtt } => {
                    tally.counters.heartbeat.answered += 1;
                    tally.record(Metric::HeartbeatRtt, rtt);
                }
                ClientEvent::HeartbeatMissed => {
                    self.heartbeats.1 += 1;
                    tally.counters.heartbeat.missed += 1;
                }
                ClientEvent::DatagramsOffered { port, session } => {
                    let (local, remote) = self.ends;
                    let any = || match remote {
                        SocketAddr::V4(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
                        SocketAddr::V6(_) => SocketAddr::from(([0; 16], 0)),
                    };
                    let joined = worker
                        .datagrams
                        .join(local.unwrap_or_else(any), remote, port, session);
                    match joined {
                        Ok(endpoint) => self.datagrams = Some(Box::new(endpoint)),
                        Err(name) => {
                            tally.generator_error(name);
                            connection.without_datagrams();
                        }
                    }
                }
                ClientEvent::Datagram(bytes) => {
                    if let Some(endpoint) = &self.datagrams {
                        endpoint.send(&bytes);
                        tally.counters.heartbeat.udp.sent += 1;
                    }
                }
                ClientEvent::DatagramAnswered { rtt } => {
                    tally.counters.heartbeat.udp.answered += 1;
                    tally.record(Metric::UdpRtt, rtt);
                }
                ClientEvent::DatagramsLost(lost) => tally.counters.heartbeat.udp.lost += lost,
                ClientEvent::OneWayLoss => tally.counters.heartbeat.udp.one_way += 1,
                ClientEvent::TokenWanted => {
                    if let Some(Account::Clw(account)) = &self.session.account {
                        let (mix, number) = (self.session.mix, self.session.number);
                        self.refreshing = Some(tokens::refresh(worker, mix, number, account.clone()));
                    }
                }
                ClientEvent::Tick { gap } => {
                    if let Some(gap) = gap {
                        tally.record(Metric::TickGap, gap);
                    }
                }
                ClientEvent::Answered {
                    call,
                    response,
                    service,
                    ok,
                } => {
                    tally.record(Metric::Rpc(call), response);
                    tally.record(Metric::RpcService(call), service);
                    if !ok {
                        tally.rpc_failed(call);
                    }
                }
                ClientEvent::Unanswered { call } => tally.rpc_unanswered(call),
                ClientEvent::Refreshed => tally.counters.refreshes.done += 1,
                ClientEvent::RefreshRefused => tally.counters.refreshes.refused += 1,
                ClientEvent::RefreshDue => {
                    if let Some(account) = self.session.account.as_ref().and_then(Account::clawchat) {
                        renewal::begin(worker, self.session.mix, self.session.number, account.clone());
                    }
                }
                ClientEvent::Notified { is_new } => {
                    let counts = &mut tally.counters.notifications;
                    *(if is_new {
                        &mut counts.new
                    } else {
                        &mut counts.duplicates
                    }) += 1;
                }
                ClientEvent::ServerVersion(version) => worker.saw_server_version(version),
                // The account has taken it; what is new is counted with the connection.
                ClientEvent::DeviceToken { .. } => {}
                ClientEvent::BroadcastsLost(count) => tally.counters.broadcasts_lost += count,
            }
        }
    }
}
