//! Drives one connection's state machine with a transport and timers: the hot path.

use super::Worker;
use super::attempt::Attempt;
use super::link::Stream;
use clw_core::session::{ClientConnection, Finish};
use clw_core::time::{Instant, earliest};
use clw_core::verdict::{EndingKind, Side};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::ReadBuf;
use tokio::time::Sleep;

/// What is written by one call at most stays here when the socket is full; a peer that never reads must not make it grow.
const MAX_UNSENT_BYTES: usize = 1 << 20;

/// Runs `connection` over `stream` until it is over.
pub async fn drive(
    worker: &Worker,
    connection: &mut ClientConnection,
    stream: Stream,
    session: &mut Attempt<'_>,
) {
    let mut link = Link {
        stream,
        unsent: Vec::new(),
        sent: 0,
        unflushed: false,
    };
    let sleep = tokio::time::sleep_until(worker.clock.at(worker.clock.now()));
    let stop = worker.stop.notified();
    tokio::pin!(sleep, stop);
    let mut stop_seen = false;
    poll_fn(|cx| {
        if !stop_seen && stop.as_mut().poll(cx).is_ready() {
            stop_seen = true;
        }
        poll_once(worker, connection, &mut link, session, sleep.as_mut(), cx)
    })
    .await;
    if !link.unsent.is_empty() || link.unflushed {
        // A last close frame or close_notify; one try, the peer may be gone.
        poll_fn(|cx| {
            let _ = link.flush(cx);
            Poll::Ready(())
        })
        .await;
    }
    poll_fn(|cx| {
        let _ = link.stream.poll_shutdown(cx);
        Poll::Ready(())
    })
    .await;
}

struct Link {
    stream: Stream,
    unsent: Vec<u8>,
    sent: usize,
    unflushed: bool,
}

fn poll_once(
    worker: &Worker,
    connection: &mut ClientConnection,
    link: &mut Link,
    session: &mut Attempt<'_>,
    mut sleep: Pin<&mut Sleep>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    // The first look starts the upgrade; later ones find bytes or deadlines.
    let mut now = worker.clock.now();
    session.begin(worker, connection, now);
    step(worker, connection, link, session, now, cx);
    while let Some(bytes) = session.next_datagram(cx.waker()) {
        now = worker.clock.now();
        connection.datagram(now, &bytes, &mut worker.outbox.borrow_mut());
        step(worker, connection, link, session, now, cx);
    }
    loop {
        if connection.is_over() {
            return Poll::Ready(());
        }
        let mut scratch = worker.scratch.borrow_mut();
        let mut buf = ReadBuf::new(&mut scratch);
        match link.stream.poll_read(cx, &mut buf) {
            Poll::Ready(Ok(())) => {
                now = worker.clock.now();
                let bytes = buf.filled_mut();
                worker.count_received(bytes.len());
                if bytes.is_empty() {
                    connection.transport_ended(now, EndingKind::Fin, Side::Server);
                } else {
                    connection.receive(now, bytes, &mut worker.outbox.borrow_mut());
                }
                drop(scratch);
                step(worker, connection, link, session, now, cx);
            }
            Poll::Ready(Err(error)) => {
                drop(scratch);
                let (ending, by) = ending_of(&error);
                connection.transport_ended(worker.clock.now(), ending, by);
                step(worker, connection, link, session, now, cx);
            }
            Poll::Pending => {
                drop(scratch);
                if let Some(at) = due(connection, session) {
                    now = worker.clock.now();
                    if at <= now {
                        session.due(worker, connection, now);
                        connection.timer(now, &mut worker.outbox.borrow_mut());
                        step(worker, connection, link, session, now, cx);
                        continue;
                    }
                    let at = worker.clock.at(at);
                    if sleep.deadline() != at {
                        sleep.as_mut().reset(at);
                    }
                    if sleep.as_mut().poll(cx).is_ready() {
                        continue;
                    }
                }
                if (!link.unsent.is_empty() || link.unflushed) && link.flush(cx).is_err() {
                    connection.transport_ended(worker.clock.now(), EndingKind::Rst, Side::Server);
                    step(worker, connection, link, session, now, cx);
                    continue;
                }
                return Poll::Pending;
            }
        }
    }
}

fn due(connection: &ClientConnection, session: &Attempt<'_>) -> Option<Instant> {
    earliest(connection.deadline(), session.deadline(connection))
}

/// Counts what the machine reported, does what the session's plan wants next, and sends what is to be sent.
fn step(
    worker: &Worker,
    connection: &mut ClientConnection,
    link: &mut Link,
    session: &mut Attempt<'_>,
    now: Instant,
    cx: &mut Context<'_>,
) {
    session.settle(worker, connection, now);
    let mut out = worker.outbox.borrow_mut();
    let result = if out.bytes.is_empty() {
        Ok(())
    } else {
        link.send(&out.bytes, cx)
    };
    worker.count_sent(out.bytes.len(), out.frames());
    let finish = out.finish;
    out.clear();
    drop(out);
    if finish == Some(Finish::Rst)
        && let Stream::Plain(stream) = &link.stream
    {
        let _ = stream.set_zero_linger();
    }
    if let Err(error) = result {
        let (ending, by) = ending_of(&error);
        // What the peer said before it went is still in the socket: let reading find the end, unless nothing comes.
        if ending != EndingKind::Fin {
            link.unsent.clear();
        } else if !connection.is_over() {
            connection.transport_ended(now, ending, by);
        }
    }
}

impl Link {
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
            if let Stream::Layered(_) = self.stream {
                self.unflushed = self.stream.poll_flush(cx)?.is_pending();
            }
        }
        if at < bytes.len() {
            if self.unsent.len() + bytes.len() > MAX_UNSENT_BYTES {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.unsent.extend_from_slice(&bytes[at..]);
        }
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
        self.unsent = Vec::new();
        self.sent = 0;
        self.unflushed = self.stream.poll_flush(cx)?.is_pending();
        Ok(())
    }
}

/// How a socket error reads as an ending. TLS says `UnexpectedEof` for a FIN without close_notify.
fn ending_of(error: &io::Error) -> (EndingKind, Side) {
    match error.kind() {
        io::ErrorKind::TimedOut => (EndingKind::Silent, Side::Unknown),
        io::ErrorKind::UnexpectedEof => (EndingKind::Fin, Side::Server),
        // A client's socket cannot tell the gateway's RST from a middlebox's.
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
            (EndingKind::Rst, Side::Server)
        }
        _ => (EndingKind::Fin, Side::Unknown),
    }
}
