//! One accepted connection: socket, state machine, faults.

use crate::fault::{Action, FaultSpec, Kind, Moment};
use crate::serve::Shared;
use crate::summary::EndingRecord;
use clw_core::Stage;
use clw_core::openclaw::{CLOSE_AUTH_CHANGED, ForcedRefusal, Server, SessionOptions, Timing, error_code};
use clw_core::session::{Admission, Finish, Rejection, ServerConnection, ServerEvent, Stop};
use clw_core::time::{Instant, earliest};
use clw_core::verdict::{EndingKind, Observation, Side, classify};
use clw_core::ws::UpgradeRequest;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Kept for a client that does not read; past it the client is too slow (the real gateway's `maxBufferedBytes`).
const MAX_UNSENT_BYTES: usize = 50 * 1024 * 1024;

/// A connection's transport.
pub(crate) enum Stream {
    /// TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

impl Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

/// A fault of this connection that happens at a moment.
struct Due {
    action: Action,
    moment: Moment,
    delay: Duration,
    at: Option<Instant>,
}

struct Connection {
    machine: ServerConnection<Server>,
    stream: Stream,
    unsent: Vec<u8>,
    sent: usize,
    due: Vec<Due>,
    /// Whether the peer's bytes are still wanted.
    reads: bool,
    /// The server told the client to go, for this reason: its own observation must say so.
    in_budget: bool,
    logged_in: bool,
    stop_seen: bool,
}

/// Serves one accepted socket until it is over.
pub(crate) async fn serve(shared: Rc<Shared>, stream: Stream, peer: SocketAddr, faults: Vec<FaultSpec>) {
    let accepted = shared.now();
    let mut connection = Connection::new(&shared, stream, peer, accepted, faults);
    let sleep = tokio::time::sleep_until(shared.at(accepted));
    let stopped = shared.stop.notified();
    tokio::pin!(sleep, stopped);
    connection.reach(Moment::Accept, accepted);
    poll_fn(|cx| {
        if !connection.stop_seen && stopped.as_mut().poll(cx).is_ready() {
            connection.stop_seen = true;
            connection.stop(&shared, cx);
        }
        loop {
            match connection.poll(&shared, cx) {
                Poll::Ready(()) => return Poll::Ready(()),
                Poll::Pending => {
                    let Some(at) = connection.deadline() else {
                        return Poll::Pending;
                    };
                    let now = shared.now();
                    if at <= now {
                        connection.timer(&shared, now, cx);
                        continue;
                    }
                    let at = shared.at(at);
                    if sleep.deadline() != at {
                        sleep.as_mut().reset(at);
                    }
                    if sleep.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    })
    .await;
    connection.finish(&shared, peer);
}

impl Connection {
    fn new(
        shared: &Rc<Shared>,
        stream: Stream,
        peer: SocketAddr,
        now: Instant,
        faults: Vec<FaultSpec>,
    ) -> Self {
        let mut due = Vec::new();
        let mut rules = Vec::new();
        for fault in faults {
            match fault.kind {
                Kind::At(action) => {
                    due.push(Due {
                        action,
                        moment: fault.moment,
                        delay: fault.delay,
                        at: None,
                    });
                }
                Kind::Garbage => {
                    let (action, moment) = (Action::NotHttp, Moment::Accept);
                    due.push(Due {
                        action,
                        moment,
                        delay: fault.delay,
                        at: None,
                    });
                }
                kind => rules.push(kind),
            }
        }
        let cut_at_auth = due.iter().any(|d| d.moment == Moment::Auth);
        let handshake = rules.iter().find_map(|k| match k {
            Kind::HandshakeTimeout(t) => Some(*t),
            _ => None,
        });
        let admit = {
            let shared = shared.clone();
            let rules = rules.clone();
            move |_now: Instant, request: &UpgradeRequest| decide(&shared, &rules, request, peer, cut_at_auth)
        };
        let mut machine = ServerConnection::accept(now, shared.server_config.clone(), Box::new(admit));
        if let Some(timeout) = handshake {
            machine.set_handshake_timeout(Some(timeout));
        }
        Self {
            machine,
            stream,
            unsent: Vec::new(),
            sent: 0,
            due,
            reads: true,
            in_budget: false,
            logged_in: false,
            stop_seen: false,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        earliest(
            self.machine.deadline(),
            self.due.iter().filter_map(|d| d.at).min(),
        )
    }

    /// A moment has come: faults that wait for it get their instants.
    fn reach(&mut self, moment: Moment, now: Instant) {
        for due in self
            .due
            .iter_mut()
            .filter(|d| d.moment == moment && d.at.is_none())
        {
            due.at = Some(now + due.delay);
        }
    }

    /// Reads and writes what the socket allows.
    fn poll(&mut self, shared: &Shared, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.machine.is_ended() {
                return Poll::Ready(());
            }
            if self.flush(cx).is_err() {
                self.machine
                    .end_of_stream(shared.now(), EndingKind::Rst, Side::Client);
                return Poll::Ready(());
            }
            if !self.reads {
                return Poll::Pending;
            }
            let mut scratch = shared.scratch.borrow_mut();
            let mut buf = ReadBuf::new(&mut scratch);
            match self.stream.poll_read(cx, &mut buf) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if buf.filled().is_empty() => {
                    self.machine
                        .end_of_stream(shared.now(), EndingKind::Fin, Side::Client);
                    return Poll::Ready(());
                }
                Poll::Ready(Ok(())) => {
                    let now = shared.now();
                    self.machine
                        .receive(now, buf.filled_mut(), &mut shared.outbox.borrow_mut());
                    drop(scratch);
                    self.settle(shared, now, cx);
                }
                Poll::Ready(Err(error)) => {
                    let ending = match error.kind() {
                        io::ErrorKind::TimedOut => EndingKind::Silent,
                        io::ErrorKind::UnexpectedEof => EndingKind::Fin,
                        _ => EndingKind::Rst,
                    };
                    self.machine.end_of_stream(shared.now(), ending, Side::Client);
                    return Poll::Ready(());
                }
            }
        }
    }

    fn timer(&mut self, shared: &Shared, now: Instant, cx: &mut Context<'_>) {
        while let Some(at) = self.due.iter().position(|d| d.at.is_some_and(|at| at <= now)) {
            let due = self.due.remove(at);
            self.act(shared, &due.action, now);
            self.settle(shared, now, cx);
            if self.machine.is_ended() {
                return;
            }
        }
        self.machine.timer(now, &mut shared.outbox.borrow_mut());
        self.settle(shared, now, cx);
    }

    fn stop(&mut self, shared: &Shared, cx: &mut Context<'_>) {
        let now = shared.now();
        self.machine
            .stop(now, shared.stop_kind.get(), &mut shared.outbox.borrow_mut());
        self.settle(shared, now, cx);
    }

    /// Does a fault.
    fn act(&mut self, shared: &Shared, action: &Action, now: Instant) {
        let mut out = shared.outbox.borrow_mut();
        let machine = &mut self.machine;
        match action {
            Action::Rst => machine.close_transport(now, Finish::Rst, &mut out),
            Action::Fin => machine.close_transport(now, Finish::Fin, &mut out),
            Action::HalfClose => {
                let _ = nix::sys::socket::shutdown(
                    std::os::fd::AsRawFd::as_raw_fd(self.stream.tcp()),
                    nix::sys::socket::Shutdown::Write,
                );
                machine.set_mute(true);
            }
            Action::Silence => {
                machine.set_mute(true);
                self.reads = false;
            }
            Action::Close(code, reason) => machine.send_close(now, Some(*code), reason, &mut out),
            Action::NotHttp => {
                machine.send_raw(b"SSH-2.0-OpenSSH_9.2\r\n", &mut out);
                machine.close_transport(now, Finish::Fin, &mut out);
            }
            Action::Malformed => machine.send_raw(&[0x8B, 0x00], &mut out),
            Action::BadUtf8 => machine.send_raw(&[0x81, 0x02, 0xC3, 0x28], &mut out),
            Action::Oversized(bytes) => {
                let mut frame = vec![0x82, 127];
                frame.extend_from_slice(&bytes.to_be_bytes());
                machine.send_raw(&frame, &mut out);
            }
            Action::TickStall => {
                machine.with_dialect(now, &mut out, |server, _| server.set_ticks(now, false));
            }
            Action::PongLoss => machine.set_pong(false),
            // What a busy loop does to everybody.
            Action::Stall(length) => std::thread::sleep(*length),
            Action::Restart => machine.stop(now, Stop::Restart { expected_ms: 1500 }, &mut out),
            Action::Revoke => {
                let (code, reason) = CLOSE_AUTH_CHANGED;
                machine.send_close(now, Some(code), reason, &mut out);
            }
            Action::SlowConsumer => machine.slow_consumer(now, &mut out),
            Action::Mute => {
                machine.with_dialect(now, &mut out, |server, _| server.set_answers_requests(false));
            }
        }
    }

    /// Takes over what the machine wants done.
    fn settle(&mut self, shared: &Shared, now: Instant, cx: &mut Context<'_>) {
        let mut out = shared.outbox.borrow_mut();
        let mut moments = Vec::new();
        for event in out.events.drain(..) {
            match event {
                ServerEvent::Reached(stage) => match stage {
                    Stage::Upgrade => moments.push(Moment::Upgrade),
                    Stage::Challenge => {
                        self.in_budget = true;
                        moments.push(Moment::Challenge);
                    }
                    Stage::Auth => moments.push(Moment::Auth),
                    Stage::Ready => {
                        self.logged_in = true;
                        shared.became_ready();
                        moments.push(Moment::Ready);
                    }
                    Stage::Tcp | Stage::Tls => {}
                },
                ServerEvent::Log(line) => shared.log.line(&format!("[ws] {line}")),
                ServerEvent::Refused { .. }
                | ServerEvent::Served
                | ServerEvent::Heartbeat
                | ServerEvent::Refreshed => {}
            }
        }
        let failed = !out.bytes.is_empty() && self.send(&out.bytes, cx).is_err();
        let finish = out.finish;
        out.clear();
        drop(out);
        for moment in moments {
            self.reach(moment, now);
        }
        if finish == Some(Finish::Rst) {
            let _ = self.stream.tcp().set_zero_linger();
        } else if self.unsent.len() - self.sent > MAX_UNSENT_BYTES {
            self.machine.slow_consumer(now, &mut shared.outbox.borrow_mut());
            shared.outbox.borrow_mut().clear();
        }
        if failed && !self.machine.is_ended() {
            self.machine.end_of_stream(now, EndingKind::Rst, Side::Client);
        }
    }

    fn send(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> io::Result<()> {
        let mut at = 0;
        if self.unsent.is_empty() {
            while at < bytes.len() {
                match self.stream.poll_write(cx, &bytes[at..]) {
                    Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                    Poll::Ready(Ok(n)) => at += n,
                    Poll::Ready(Err(error)) => return Err(error),
                    Poll::Pending => break,
                }
            }
        }
        self.unsent.extend_from_slice(&bytes[at..]);
        Ok(())
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while self.sent < self.unsent.len() {
            match self.stream.poll_write(cx, &self.unsent[self.sent..]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(n)) => self.sent += n,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(()),
            }
        }
        if self.sent > 0 {
            self.unsent = Vec::new();
            self.sent = 0;
        }
        Ok(())
    }

    /// Counts and logs the end.
    fn finish(mut self, shared: &Shared, peer: SocketAddr) {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let _ = self.flush(&mut cx);
        let _ = self.stream.poll_shutdown(&mut cx);
        let now = shared.now();
        if self.in_budget && !self.logged_in {
            shared.left_before_ready(peer);
        }
        shared.closed(self.logged_in);
        if self.machine.is_http_only() {
            return;
        }
        let seen = self.machine.observation(now);
        let judgement = classify(&seen);
        log_end(shared, &self.machine, &seen, peer);
        let record = EndingRecord {
            peer: peer.to_string(),
            verdict: judgement.verdict,
            by: judgement.by,
            stage: seen.stage,
            duration_ms: u64::try_from(seen.duration.as_millis()).unwrap_or(u64::MAX),
        };
        shared.summary.borrow_mut().ended(record, shared.keep_endings);
    }
}

/// Decides on an upgrade by the connection's faults and the budget.
fn decide(
    shared: &Shared,
    rules: &[Kind],
    request: &UpgradeRequest,
    peer: SocketAddr,
    cut_at_auth: bool,
) -> Admission<Server> {
    let mut options = SessionOptions {
        address: peer.ip(),
        ..SessionOptions::default()
    };
    for rule in rules {
        match rule {
            Kind::UpgradeStatus(status) => {
                return Admission::Reject(Rejection {
                    status: *status,
                    body: "refused by the fault plan".to_owned(),
                    retry_after: None,
                });
            }
            Kind::Budget(limit) => {
                if shared.before_ready(peer) >= *limit {
                    return Admission::Reject(Rejection::over_budget());
                }
            }
            Kind::ChallengeDelay(delay) => options.challenge = Timing::Delayed(*delay),
            Kind::NoChallenge => options.challenge = Timing::Never,
            Kind::HandshakeTimeout(_) => options.answer = Timing::Never,
            Kind::Overload => options.refuse = Some(ForcedRefusal::Busy),
            Kind::Unavailable => options.refuse = Some(ForcedRefusal::Starting),
            Kind::RateLimit => options.refuse = Some(ForcedRefusal::Code(error_code::AUTH_RATE_LIMITED)),
            Kind::Pairing => options.refuse = Some(ForcedRefusal::Code(error_code::PAIRING_REQUIRED)),
            Kind::AuthFailed => options.refuse = Some(ForcedRefusal::Code(error_code::AUTH_TOKEN_MISMATCH)),
            Kind::VersionMismatch => {
                options.refuse = Some(ForcedRefusal::Code(error_code::PROTOCOL_MISMATCH));
            }
            Kind::Garbage
            | Kind::TokenExpire(_)
            | Kind::RefuseRefresh
            | Kind::TlsClose
            | Kind::NotListening
            | Kind::SynDrop
            | Kind::At(_) => {}
        }
    }
    if cut_at_auth {
        options.answer = Timing::Never;
    }
    if let Err(rejection) = shared.enter(peer) {
        return Admission::Reject(rejection);
    }
    Admission::Accept(Server::new(shared.openclaw.clone(), request, options))
}

/// The end's line, as the real gateway writes it.
fn log_end(shared: &Shared, machine: &ServerConnection<Server>, seen: &Observation, peer: SocketAddr) {
    if !shared.log.is_on() {
        return;
    }
    let local = shared.address;
    let duration = seen.duration.as_millis();
    let conn = machine
        .dialect()
        .map_or_else(|| "none".to_owned(), |server| server.conn_id().to_string());
    let agent = machine
        .request()
        .and_then(|r| r.user_agent.clone())
        .unwrap_or_else(|| "n/a".to_owned());
    let code = seen
        .close
        .as_ref()
        .and_then(|c| c.code)
        .map_or("1006".to_owned(), |c| c.to_string());
    let reason = seen
        .close
        .as_ref()
        .map_or("", |c| c.reason.as_str())
        .escape_debug()
        .to_string();
    let cause = classify(seen).verdict;
    if seen.handshake_timed_out {
        shared.log.line(&format!(
            "[ws] handshake timeout conn={conn} peer={peer}->{local} remote={} phase={}",
            peer.ip(),
            seen.stage
        ));
    }
    if seen.stage == Stage::Ready {
        shared.log.line(&format!(
            "[ws] \u{2192} close code={code} reason={reason} cause={cause} durationMs={duration} conn={conn} \
             peer={peer}->{local}"
        ));
    } else {
        shared.log.line(&format!(
            "[ws] closed before connect conn={conn} peer={peer}->{local} remote={} fwd=n/a origin=n/a host={local} \
             ua={agent} code={code} reason={reason} phase={} cause={cause} durationMs={duration} handshake=failed",
            peer.ip(),
            seen.stage
        ));
    }
}

/// Counts a connection whose TLS handshake failed.
pub(crate) fn tls_failed(shared: &Shared, peer: SocketAddr, error: &io::Error) {
    let seen = Observation {
        viewpoint: clw_core::verdict::Viewpoint::Server,
        dialect: clw_core::Dialect::Openclaw,
        stage: Stage::Tls,
        tls_failure: Some(error.to_string()),
        ending: EndingKind::Fin,
        ended_by: Side::Client,
        ..Observation::default()
    };
    let judgement = classify(&seen);
    shared.closed(false);
    shared
        .log
        .line(&format!("[gateway] tls handshake failed peer={peer}: {error}"));
    let record = EndingRecord {
        peer: peer.to_string(),
        verdict: judgement.verdict,
        by: judgement.by,
        stage: seen.stage,
        duration_ms: 0,
    };
    shared.summary.borrow_mut().ended(record, shared.keep_endings);
}
