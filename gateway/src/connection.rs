//! One accepted connection: the socket around its state machine.

use crate::door::Door;
use crate::ending;
use crate::fault::{FaultSpec, Kind};
use crate::misdeeds::Misdeeds;
use crate::shared::{Ending, Shared, clear};
use crate::spoken::Spoken;
use crate::stream::Stream;
use clw_core::Stage;
use clw_core::session::{Finish, ServerConnection, ServerEvent};
use clw_core::time::{Instant, earliest};
use clw_core::verdict::{EndingKind, Side};
use std::future::{Future as _, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::time::Sleep;

/// What is queued when a connection ends may take so long to go.
const DRAIN: Duration = Duration::from_secs(1);
/// Reads of what nobody wants any more, before the socket is closed: unread bytes would turn FIN into RST.
const DISCARDED_READS: usize = 16;
/// A TLS record that holds a handshake begins so, whatever the version.
const TLS_HANDSHAKE: u8 = 0x16;

pub(crate) struct Connection {
    pub(crate) machine: ServerConnection<Spoken>,
    pub(crate) stream: Stream,
    pub(crate) misdeeds: Option<Box<Misdeeds>>,
    peer: SocketAddr,
    accepted: Instant,
    unsent: Vec<u8>,
    sent: usize,
    /// No byte has come yet.
    is_fresh: bool,
    in_budget: bool,
    is_ready: bool,
    finish: Option<Finish>,
    drain_until: Option<Instant>,
    /// The machine's timer is due, and waits for its turn.
    turn: Option<Instant>,
}

/// A turn that near is taken at once.
const NEAR: Duration = Duration::from_millis(1);

/// Serves one accepted connection until it is over.
pub(crate) async fn serve(shared: Rc<Shared>, stream: Stream, peer: SocketAddr, faults: Vec<FaultSpec>) {
    let mut connection = Connection::new(&shared, stream, peer, Misdeeds::new(faults));
    let mut sleep = pin!(tokio::time::sleep_until(shared.at(connection.accepted)));
    let mut stopped = pin!(shared.stop.notified());
    poll_fn(|cx| {
        if stopped.as_mut().poll(cx).is_ready() {
            stopped.set(shared.stop.notified());
            // Registers for the next word: a cut after a stop.
            let _ = stopped.as_mut().poll(cx);
            connection.end(&shared, cx);
        }
        connection.poll(&shared, cx, sleep.as_mut())
    })
    .await;
    connection.finish(&shared);
}

impl Connection {
    fn new(
        shared: &Rc<Shared>,
        stream: Stream,
        peer: SocketAddr,
        mut misdeeds: Option<Box<Misdeeds>>,
    ) -> Self {
        let now = shared.now();
        let rules = misdeeds.as_ref().map(|m| m.rules.clone()).unwrap_or_default();
        let is_cut_at_auth = misdeeds.as_ref().is_some_and(|m| m.is_cut_at_auth());
        let config = if rules.contains(&Kind::PingStop) {
            shared.pingless_config.clone()
        } else {
            shared.server_config.clone()
        };
        let handshake = rules.iter().find_map(|rule| match rule {
            Kind::HandshakeTimeout(timeout) => Some(*timeout),
            _ => None,
        });
        let door = Door {
            shared: shared.clone(),
            rules,
            peer,
            local: Some(&stream)
                .filter(|_| shared.datagrams.are_taken())
                .and_then(Stream::local_ip),
            is_cut_at_auth,
        };
        let mut machine = ServerConnection::accept(now, config, Box::new(door));
        if handshake.is_some() {
            machine.set_handshake_timeout(handshake);
        }
        if let Some(misdeeds) = &mut misdeeds {
            misdeeds.entered(Stage::Tcp, now);
        }
        if matches!(stream, Stream::Tls(_)) {
            // Its handshake is done; the stage tells how far a connection came.
            machine.tls_started(&mut shared.outbox.borrow_mut());
            shared.outbox.borrow_mut().clear();
        }
        Self {
            machine,
            stream,
            misdeeds,
            peer,
            accepted: now,
            unsent: Vec::new(),
            sent: 0,
            is_fresh: true,
            in_budget: false,
            is_ready: false,
            finish: None,
            drain_until: None,
            turn: None,
        }
    }

    /// Does what is due and possible now; ready when the connection is over.
    fn poll(&mut self, shared: &Shared, cx: &mut Context<'_>, mut sleep: Pin<&mut Sleep>) -> Poll<()> {
        loop {
            let now = shared.now();
            let deadline = self.deadline();
            if deadline.is_some_and(|at| at <= now) {
                self.timer(shared, now, cx);
            }
            if self.transfer(shared, cx).is_ready() {
                return Poll::Ready(());
            }
            let Some(at) = self.deadline() else {
                return Poll::Pending;
            };
            if at <= shared.now() {
                // The runtime's timer would take up to a millisecond for it.
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

    fn deadline(&self) -> Option<Instant> {
        if self.drain_until.is_some() {
            return self.drain_until;
        }
        let due = self.misdeeds.as_ref().and_then(|misdeeds| misdeeds.deadline());
        earliest(self.turn.or(self.machine.deadline()), due)
    }

    fn timer(&mut self, shared: &Shared, now: Instant, cx: &mut Context<'_>) {
        if self.drain_until.is_some() {
            return;
        }
        self.misbehave(shared, now, cx);
        if self.machine.deadline().is_none_or(|at| at > now) {
            self.turn = None;
            return;
        }
        if self.is_ready {
            let turn = *self.turn.get_or_insert_with(|| shared.turn(now));
            if turn > now + NEAR {
                return;
            }
            self.turn = None;
        }
        self.machine.timer(now, &mut shared.outbox.borrow_mut());
        self.settle(shared, now, cx);
    }

    /// Reads and writes what the socket allows.
    fn transfer(&mut self, shared: &Shared, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.machine.is_ended() {
                return self.drain(shared, cx);
            }
            if self.misdeeds.as_ref().is_some_and(|m| m.silent.is_some()) {
                return Poll::Pending;
            }
            if self.flush(cx).is_err() {
                self.ended(shared, EndingKind::Rst);
                continue;
            }
            let mut scratch = shared.scratch.borrow_mut();
            let mut buf = ReadBuf::new(&mut scratch);
            match self.stream.poll_read(cx, &mut buf) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if buf.filled().is_empty() => self.ended(shared, EndingKind::Fin),
                Poll::Ready(Ok(())) => self.received(shared, buf.filled_mut(), cx),
                Poll::Ready(Err(error)) => self.ended(
                    shared,
                    match error.kind() {
                        io::ErrorKind::TimedOut => EndingKind::Silent,
                        // TLS without a close_notify is a FIN all the same.
                        io::ErrorKind::UnexpectedEof => EndingKind::Fin,
                        _ => EndingKind::Rst,
                    },
                ),
            }
        }
    }

    fn received(&mut self, shared: &Shared, mut bytes: &mut [u8], cx: &mut Context<'_>) {
        let now = shared.now();
        if std::mem::take(&mut self.is_fresh) {
            if bytes.first() == Some(&TLS_HANDSHAKE) && matches!(self.stream, Stream::Plain(_)) {
                self.tls_on_plain_port(shared, now, cx);
                return;
            }
            if let Some(misdeeds) = &self.misdeeds {
                let garbage = misdeeds.has(&Kind::Garbage);
                // The first byte alone: the request has come and is not answered yet.
                let (first, rest) = bytes.split_at_mut(1);
                self.machine.receive(now, first, &mut shared.outbox.borrow_mut());
                self.settle(shared, now, cx);
                if garbage {
                    self.answer_garbage(shared, now, cx);
                }
                self.misbehave(shared, now, cx);
                bytes = rest;
            }
        }
        // A client that is told nothing any more does not become ready by what it says; how a ready one ends is heard.
        let is_deaf = self.misdeeds.as_ref().is_some_and(|m| m.is_mute) && !self.is_ready;
        if self.machine.is_ended() || is_deaf {
            return;
        }
        self.machine.receive(now, bytes, &mut shared.outbox.borrow_mut());
        self.settle(shared, now, cx);
    }

    /// A client that speaks TLS to a port that does not: HTTP is all it can be told.
    fn tls_on_plain_port(&mut self, shared: &Shared, now: Instant, cx: &mut Context<'_>) {
        let mut out = shared.outbox.borrow_mut();
        self.machine.tls_started(&mut out);
        let tells = !self.misdeeds.as_ref().is_some_and(|m| m.has(&Kind::TlsClose));
        if tells {
            let answer = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            self.machine.send_raw(answer, &mut out);
        }
        drop(out);
        self.settle(shared, now, cx);
        let what = if tells {
            "a TLS client hello on a port without TLS"
        } else {
            "closed when the TLS handshake began (fault plan)"
        };
        self.machine.tls_failed(now, what.to_owned());
    }

    /// Takes over what the machine wants done.
    pub(crate) fn settle(&mut self, shared: &Shared, now: Instant, cx: &mut Context<'_>) {
        let mut out = shared.outbox.borrow_mut();
        for event in out.events.drain(..) {
            match event {
                ServerEvent::Reached(stage) => {
                    self.entered(shared, stage, now);
                    if stage == Stage::Ready
                        && let Some(sign) = self.call_sign()
                    {
                        shared.can_be_called(sign, cx.waker());
                    }
                }
                ServerEvent::TookOver { session } => shared.call(session),
                ServerEvent::Log(line) => self.log(shared, &line),
                ServerEvent::Refused { .. }
                | ServerEvent::Served
                | ServerEvent::Heartbeat
                | ServerEvent::Refreshed => {}
            }
        }
        self.finish = self.finish.or(out.finish);
        let failed = !out.bytes.is_empty() && self.send(&out.bytes, cx).is_err();
        clear(&mut out);
        if failed && !self.machine.is_ended() {
            self.machine.end_of_stream(now, EndingKind::Rst, Side::Client);
        }
        if self.unsent.len() - self.sent > shared.max_buffered_bytes && !self.machine.is_ended() {
            self.machine.slow_consumer(now, &mut out);
            // The close frame has to wait behind what the client does not read.
            self.unsent.extend_from_slice(&out.bytes);
            clear(&mut out);
        }
    }

    fn entered(&mut self, shared: &Shared, stage: Stage, now: Instant) {
        match stage {
            Stage::Challenge => self.in_budget = true,
            Stage::Ready => {
                self.is_ready = true;
                if std::mem::take(&mut self.in_budget) {
                    shared.leave_budget(self.peer);
                }
                shared.became_ready();
            }
            Stage::Tcp | Stage::Tls | Stage::Upgrade | Stage::Auth => {}
        }
        if let Some(misdeeds) = &mut self.misdeeds {
            misdeeds.entered(stage, now);
        }
    }

    /// The dialect's line for the log, with the addresses that only the socket's owner knows.
    fn log(&self, shared: &Shared, line: &str) {
        if !shared.log.is_on() {
            return;
        }
        let at = format!("peer={}->{} remote={}", self.peer, shared.address, self.peer.ip());
        shared.log.line(match line.split_once(" client=") {
            Some((head, tail)) => format!("[ws] {head} {at} client={tail}"),
            None => format!("[ws] {line} {at}"),
        });
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

    /// The peer ended the transport.
    fn ended(&mut self, shared: &Shared, kind: EndingKind) {
        self.machine.end_of_stream(shared.now(), kind, Side::Client);
    }

    /// The gateway ends.
    fn end(&mut self, shared: &Shared, cx: &mut Context<'_>) {
        let now = shared.now();
        let mut out = shared.outbox.borrow_mut();
        match shared.ending.get() {
            // What cannot be said was not said.
            Ending::Told(_) if self.misdeeds.as_ref().is_some_and(|m| m.is_mute) => {}
            Ending::Told(stop) => self.machine.stop(now, stop, &mut out),
            Ending::Cut => {
                self.machine.close_transport(now, Finish::Fin, &mut out);
                self.drain_until = Some(now);
            }
            Ending::SecretChanged => {
                self.machine
                    .with_dialect(now, &mut out, Spoken::look_at_the_secret);
            }
        }
        drop(out);
        self.settle(shared, now, cx);
    }

    /// The machine is done; what it wrote last still has to go.
    fn drain(&mut self, shared: &Shared, cx: &mut Context<'_>) -> Poll<()> {
        if self.finish == Some(Finish::Rst) {
            self.stream.close_with_rst();
            return Poll::Ready(());
        }
        let now = shared.now();
        let until = *self.drain_until.get_or_insert(now + DRAIN);
        let sent = self.flush(cx);
        if sent.is_ok() && !self.unsent.is_empty() && now < until {
            return Poll::Pending;
        }
        let mut scratch = shared.scratch.borrow_mut();
        for _ in 0..DISCARDED_READS {
            let mut buf = ReadBuf::new(&mut scratch);
            match self.stream.poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {}
                _ => break,
            }
        }
        self.stream.shut_writing();
        Poll::Ready(())
    }

    /// Counts and logs the end; the socket is closed with it.
    /// By which other connections call this one.
    fn call_sign(&self) -> Option<u64> {
        self.machine.dialect().and_then(Spoken::call_sign)
    }

    fn finish(self, shared: &Shared) {
        if let Some(sign) = self.call_sign() {
            shared.cannot_be_called(sign);
        }
        if self.in_budget {
            shared.leave_budget(self.peer);
        }
        if self.machine.is_http_only() {
            shared.closed(self.is_ready, None);
            return;
        }
        let mut seen = self.machine.observation(shared.now());
        if let Some(beats) = seen.datagrams {
            shared.datagrams_ended(beats);
        }
        if let Some(misdeeds) = &self.misdeeds {
            misdeeds.confess(self.accepted, &mut seen);
        }
        let conn_id = self.machine.dialect().map(Spoken::conn_id);
        let record = ending::record(shared, &seen, self.peer, conn_id, self.machine.request());
        shared.closed(self.is_ready, Some(record));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the kernel's socket and tokio's registration a session stays far below 3 KiB.
    #[test]
    fn an_idle_connection_is_small() {
        assert!(
            size_of::<Connection>() <= 1024,
            "{} bytes",
            size_of::<Connection>()
        );
    }
}
