//! One session from its scheduled start to its final ending, over as many connections as its policy allows.

use super::account::Account;
use super::attempt::Attempt;
use super::drive::drive;
use super::link::{LinkError, Stream};
use super::{Worker, recovery, tokens};
use clw_core::Stage;
use clw_core::journal::{Party, SessionRecord};
use clw_core::reconnect::Backoff;
use clw_core::secret::Secret;
use clw_core::session::ClientConnection;
use clw_core::tally::{Metric, Tally};
use clw_core::time::{Instant, earliest};
use clw_core::verdict::{
    Connect, EndingKind, Judgement, Observation, Side, Verdict, classify, counts_as_error, evidence,
};
use std::net::SocketAddr;
use std::time::Duration;

/// What lives as long as the session, across its connections.
pub(super) struct SessionState {
    /// Number in the whole plan, over all shards.
    pub number: u64,
    /// When the plan wanted it to start.
    pub scheduled: Instant,
    /// Which mix of the scenario it belongs to.
    pub mix: usize,
    /// When it logs out, once that is known.
    pub planned_end: Option<Instant>,
    /// When its slot is given up, whatever its hold.
    pub slot_end: Option<Instant>,
    /// Calls with their next instants.
    pub calls: Vec<NextCall>,
    /// Since when it has waited for approval.
    pub unapproved_since: Option<Instant>,
    /// The token that a command gave for the next connection (openclaw without a device).
    pub token: Option<Secret>,
    /// What it keeps over its connections, where the dialect's tokens change.
    pub account: Option<Account>,
    /// Renewals that were counted, and whether the log-out was.
    renewals: (u64, bool),
    first_ready: Option<Instant>,
    meant_from: Option<Instant>,
    dropped_at: Option<Instant>,
    ready_us: u64,
}

/// A call of the scenario and when it is due next.
pub struct NextCall {
    /// Index in the mix's list.
    pub index: usize,
    /// Due then.
    pub next: Instant,
    /// And again after this, if at all.
    pub period: Option<Duration>,
}

/// How a session ended, for the slot that ran it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With this verdict.
    Ended(Verdict),
    /// This machine could not run it.
    NotRun,
}

impl SessionState {
    /// Session `number`, due at `scheduled`. `planned_end` is known from the start where the run's end decides it.
    pub fn new(worker: &Worker, number: u64, scheduled: Instant, planned_end: Option<Instant>) -> Self {
        let mix = worker.mix_index(number);
        Self {
            number,
            scheduled,
            mix,
            account: worker.account(mix, number),
            planned_end,
            slot_end: None,
            calls: Vec::new(),
            unapproved_since: None,
            token: None,
            renewals: (0, false),
            first_ready: None,
            meant_from: None,
            dropped_at: None,
            ready_us: 0,
        }
    }

    /// The server has accepted a connection of this session.
    pub fn became_ready(
        &mut self,
        worker: &Worker,
        tally: &mut Tally,
        connection: &ClientConnection,
        now: Instant,
    ) {
        tally.gauges.connecting = tally.gauges.connecting.saturating_sub(1);
        tally.gauges.ready += 1;
        self.unapproved_since = None;
        if self.first_ready.is_none() {
            self.first_ready = Some(now);
            self.meant_from.get_or_insert(now);
            tally.counters.sessions.ready += 1;
            tally.record(Metric::Ready, now.since(self.scheduled));
            if let Some(began) = connection.entered(Stage::Tcp) {
                tally.record(Metric::ReadyService, now.since(began));
            }
            if self.planned_end.is_none() {
                self.planned_end = earliest(worker.hold(self.mix).map(|hold| now + hold), self.slot_end);
            }
        }
        if let Some(dropped_at) = self.dropped_at.take() {
            tally.counters.sessions.reconnected += 1;
            tally.counters.reconnect.succeeded += 1;
            tally.record(Metric::TimeToReady, now.since(dropped_at));
        }
        let calls = &worker.mix(self.mix).calls;
        self.calls = calls
            .iter()
            .enumerate()
            .map(|(index, call)| NextCall {
                index,
                next: now + call.first_after,
                period: call.every,
            })
            .collect();
    }
}

/// Runs session `state` to its end and counts it.
pub async fn run_session(worker: &Worker, mut state: SessionState) -> Outcome {
    let began = worker.clock.now();
    {
        let mut tally = worker.tally.borrow_mut();
        tally.record(Metric::ScheduleLag, began.since(state.scheduled));
        tally.counters.sessions.started += 1;
    }
    let mut backoff = Backoff::new(worker.reconnect, worker.seed_of(state.number));
    let mut attempt = 0;
    loop {
        let Some(end) = connect_once(worker, &mut state, attempt).await else {
            let mut tally = worker.tally.borrow_mut();
            tally.counters.sessions.started -= 1;
            return Outcome::NotRun;
        };
        let retry_after = recovery::next(worker, &mut state, &end, &mut backoff).await;
        let tokens = tokens_of(&state);
        count_renewals(worker, &mut state, tokens);
        let now = worker.clock.now();
        // A session that is turned away is meant to be up from then on.
        state.meant_from.get_or_insert(now);
        worker.tell(&state, attempt, &end, retry_after);
        let Some(delay) = retry_after else {
            finish(worker, &state, &end, now);
            return Outcome::Ended(end.judgement.verdict);
        };
        {
            let mut tally = worker.tally.borrow_mut();
            if end.judgement.verdict.is_error() {
                tally.counters.drops[end.judgement.verdict.index()] += 1;
            }
            tally.counters.reconnect.attempts += 1;
            tally.gauges.reconnecting += 1;
        }
        if state.first_ready.is_some() {
            state.dropped_at.get_or_insert(now);
        }
        let stopped = worker.sleep_or_stop(delay).await;
        worker.tally.borrow_mut().gauges.reconnecting -= 1;
        if stopped {
            let mut end = end;
            end.judgement.verdict = Verdict::Open;
            finish(worker, &state, &end, worker.clock.now());
            return Outcome::Ended(Verdict::Open);
        }
        attempt += 1;
    }
}

/// How often a session's tokens were renewed (ClawChat) or issued (OpenClaw), and whether they are gone.
fn tokens_of(state: &SessionState) -> Option<(u64, bool)> {
    match state.account.as_ref()? {
        Account::Clawchat(account) => Some((account.number(), account.is_logged_out())),
        Account::Openclaw(device) => Some((device.account.issued(), false)),
        Account::Clw(_) => None,
    }
}

/// Counts what has become of the tokens since the last connection began.
fn count_renewals(worker: &Worker, state: &mut SessionState, now: Option<(u64, bool)>) {
    let Some((number, is_logged_out)) = now else {
        return;
    };
    let mut tally = worker.tally.borrow_mut();
    if state.account.as_ref().and_then(Account::openclaw).is_some() {
        tally.counters.pairing.tokens += number - state.renewals.0;
    } else {
        tally.counters.refreshes.done += number - state.renewals.0;
    }
    tally.counters.refreshes.refused += u64::from(is_logged_out && !state.renewals.1);
    state.renewals = (number, is_logged_out);
}

/// How one connection ended.
pub struct ConnectionEnd {
    /// The dictionary's word for it.
    pub judgement: Judgement,
    /// What was seen.
    pub observation: Observation,
    /// How long it had been ready.
    pub ready_for: Duration,
    /// Stage instants for the journal.
    pub entered: [Option<Instant>; Stage::ALL.len()],
    /// When it was over.
    pub ended_at: Instant,
    /// Both ends' addresses.
    pub local: Option<SocketAddr>,
    /// The gateway's address.
    pub remote: SocketAddr,
    /// Heartbeats sent and missed.
    pub heartbeats: (u64, u64),
}

/// One connection. `None`: this machine could not make it.
async fn connect_once(worker: &Worker, state: &mut SessionState, attempt: u32) -> Option<ConnectionEnd> {
    // Boxed: a process's state is large, and sessions without one must not carry room for it.
    if worker.kind(state.mix).token_command.is_some()
        && !Box::pin(tokens::provide(worker, state, attempt)).await
    {
        return None;
    }
    let began = worker.clock.now();
    let dialect = worker.dialect(state, attempt);
    let mut connection = ClientConnection::new(worker.kind(state.mix).connection.clone(), dialect, began);
    worker.tally.borrow_mut().opened();
    let remote = worker.kind(state.mix).target.address(state.number);
    let (number, mix) = (state.number, state.mix);
    let mut session = Attempt::new(state, remote);
    match open(worker, &mut connection, (number, mix), attempt, &mut session.ends).await {
        Ok(Some(stream)) => drive(worker, &mut connection, stream, &mut session).await,
        Ok(None) => {}
        Err(name) => {
            let mut tally = worker.tally.borrow_mut();
            tally.closed(false);
            tally.generator_error(name);
            return None;
        }
    }
    let ended_at = worker.clock.now();
    let (ready_at, heartbeats) = (session.ready_at, session.heartbeats);
    let (local, remote) = session.ends;
    let ready_until = state.planned_end.map_or(ended_at, |end| ended_at.min(end));
    let ready_for = ready_at.map_or(Duration::ZERO, |at| ready_until.since(at));
    state.ready_us += clw_core::time::micros(ready_for);
    let observation = connection.observation(ended_at);
    let mut judgement = classify(&observation);
    if worker.is_stopping() && judgement.by == Side::Client && ready_at.is_none() {
        // Cut short by the end of the run, not by anything that happened to it.
        judgement.verdict = Verdict::Open;
    }
    let mut tally = worker.tally.borrow_mut();
    tally.closed(ready_at.is_some());
    tally.counters.frames.received += connection.frames_received();
    tally.counters.stages[observation.stage as usize] += 1;
    if ready_at.is_some() && judgement.verdict.is_error() {
        tally.counters.sessions.dropped += 1;
    }
    count_close_code(&mut tally, &observation);
    tally.transport_end(observation.ending);
    Some(ConnectionEnd {
        judgement,
        ready_for,
        entered: Stage::ALL.map(|stage| connection.entered(stage)),
        ended_at,
        local,
        remote,
        heartbeats,
        observation,
    })
}

/// Brings the transport up, within the session's timeout. `Ok(None)`: the connection is over; `Err`: this machine's fault.
async fn open(
    worker: &Worker,
    connection: &mut ClientConnection,
    (number, mix): (u64, usize),
    attempt: u32,
    ends: &mut (Option<SocketAddr>, SocketAddr),
) -> Result<Option<Stream>, &'static str> {
    let target = &worker.kind(mix).target;
    let began = worker.clock.now();
    let deadline = worker.clock.at(connection.deadline().unwrap_or(began));
    let result = tokio::select! {
        biased;
        result = target.connect(number) => Some(result),
        () = tokio::time::sleep_until(deadline) => None,
        () = worker.stopped() => Some(Err(LinkError::Lost(std::io::ErrorKind::Interrupted.into()))),
    };
    let now = worker.clock.now();
    let tcp = match result {
        Some(Ok(connected)) => connected,
        Some(Err(error)) => return link_failed(worker, connection, error, now).map(|()| None),
        None => {
            connection.connect_failed(now, Connect::TimedOut);
            return Ok(None);
        }
    };
    *ends = (tcp.local, tcp.remote);
    if target.impair.is_none() {
        worker
            .tally
            .borrow_mut()
            .record(Metric::TcpConnect, now.since(began));
    }
    if target.has_tls() {
        connection.tls_started(now);
    }
    let seed = worker.seed_of(number) ^ u64::from(attempt).rotate_left(32);
    if target.is_plain() {
        return Ok(Some(Stream::Plain(tcp.stream)));
    }
    // Boxed: a TLS handshake's state is large, and plain sessions must not carry room for it.
    let layers = Box::pin(target.layer(tcp.stream, seed, worker.clock));
    let layered = tokio::select! {
        biased;
        result = layers => Some(result),
        () = tokio::time::sleep_until(deadline) => None,
        () = worker.stopped() => Some(Err(LinkError::Lost(std::io::ErrorKind::Interrupted.into()))),
    };
    let done = worker.clock.now();
    match layered {
        Some(Ok(stream)) => {
            if target.impair.is_some() {
                worker
                    .tally
                    .borrow_mut()
                    .record(Metric::TcpConnect, done.since(began));
            } else if target.has_tls() {
                worker.tally.borrow_mut().record(Metric::Tls, done.since(now));
            }
            Ok(Some(stream))
        }
        Some(Err(error)) => link_failed(worker, connection, error, done).map(|()| None),
        None if target.has_tls() => {
            connection.tls_failed(done, "the TLS handshake was not done in time".to_owned());
            Ok(None)
        }
        None => {
            connection.connect_failed(done, Connect::TimedOut);
            Ok(None)
        }
    }
}

fn link_failed(
    worker: &Worker,
    connection: &mut ClientConnection,
    error: LinkError,
    now: Instant,
) -> Result<(), &'static str> {
    match error {
        LinkError::Generator(name) => return Err(name),
        LinkError::Connect(how) => connection.connect_failed(now, how),
        LinkError::Tls(what) => connection.tls_failed(now, what),
        LinkError::Lost(_) if worker.is_stopping() => {
            connection.transport_ended(now, EndingKind::Fin, Side::Client);
        }
        LinkError::Lost(_) => connection.transport_ended(now, EndingKind::Rst, Side::Server),
    }
    Ok(())
}

/// Counts the session: its verdict, and the time it was up against the time it was meant to be.
fn finish(worker: &Worker, state: &SessionState, end: &ConnectionEnd, now: Instant) {
    let verdict = end.judgement.verdict;
    let mut tally = worker.tally.borrow_mut();
    let counters = &mut tally.counters;
    counters.verdicts[verdict.index()] += 1;
    counters.sessions.ended += 1;
    if verdict.is_error() && !counts_as_error(&end.observation, &end.judgement) {
        // It never meant to be ready: it has no part in the uptime either.
        counters.sessions.helpers += 1;
        return;
    }
    match verdict {
        Verdict::Ok => counters.sessions.completed += 1,
        v if v.is_error() && state.first_ready.is_none() => counters.sessions.failed += 1,
        _ => {}
    }
    let meant = meant_us(worker, state, now);
    counters.uptime.ready_us += state.ready_us.min(meant);
    counters.uptime.meant_us += meant;
    if verdict.is_error() {
        tally.sample(verdict, || evidence(&end.observation, &end.judgement));
    }
}

/// How long the session was meant to be ready: from its first ready or its first failure, whichever came first, to its
/// planned end; where the run was cut short, to that instant.
fn meant_us(worker: &Worker, state: &SessionState, now: Instant) -> u64 {
    let from = state.meant_from.unwrap_or(now);
    let to = match (state.planned_end, worker.hold(state.mix)) {
        (Some(end), _) => end,
        (None, Some(hold)) => from + hold,
        (None, None) => now,
    };
    let to = worker.cut_short_at().map_or(to, |cut| to.min(cut.max(from)));
    clw_core::time::micros(to.since(from))
}

/// What an application's `onclose` would have reported: the code, 1005 for an empty frame, 1006 for none.
fn count_close_code(tally: &mut Tally, seen: &Observation) {
    let code = match &seen.close {
        Some(close) => close.code.unwrap_or(1005),
        None if seen.http_status == Some(101) && seen.ending != EndingKind::Open => 1006,
        None => return,
    };
    tally.close_code(code);
}

/// A connection's line in the journal.
pub fn record(
    state: &SessionState,
    attempt: u32,
    end: &ConnectionEnd,
    retry_after: Option<Duration>,
    identity: String,
    role: String,
) -> SessionRecord {
    let party = Party {
        session: state.number,
        attempt,
        identity,
        role,
        client: end.local,
        server: end.remote,
    };
    let words = evidence(&end.observation, &end.judgement);
    SessionRecord::new(
        party,
        state.scheduled,
        &end.entered,
        end.ended_at,
        &end.observation,
        &end.judgement,
        words,
    )
    .heartbeats(end.heartbeats.0, end.heartbeats.1)
    .retry(retry_after)
}
