//! The bad network inside the process: a byte stream that comes and goes as the model in core says.

use clw_core::impair::{Impairment, Link, Spec};
use clw_core::time::Instant;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::clock::Clock;

/// Bytes under way in one direction at most; past it the writer waits, as with a full socket buffer.
const MAX_UNDER_WAY_BYTES: usize = 256 * 1024;
const READ_BYTES: usize = 4096;

/// A TCP stream behind a bad network.
pub struct Impaired {
    stream: TcpStream,
    clock: Clock,
    outward: Lane,
    inward: Lane,
    end: End,
    reset_at: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

/// Whether the socket has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    No,
    Fin,
    Error(io::ErrorKind),
}

/// One direction: chunks with the instant at which each comes out.
struct Lane {
    model: Impairment,
    chunks: VecDeque<(Instant, Vec<u8>)>,
    taken: usize,
    bytes: usize,
}

impl Lane {
    fn new(model: Impairment) -> Self {
        Self {
            model,
            chunks: VecDeque::new(),
            taken: 0,
            bytes: 0,
        }
    }

    fn offer(&mut self, now: Instant, bytes: &[u8]) {
        let at = self.model.offer(now, bytes.len());
        self.bytes += bytes.len();
        self.chunks.push_back((at, bytes.to_vec()));
    }

    /// What has come out by `now` and was not taken yet.
    fn front(&self, now: Instant) -> Option<&[u8]> {
        self.chunks
            .front()
            .filter(|(at, _)| *at <= now)
            .map(|(_, bytes)| &bytes[self.taken..])
    }

    fn take(&mut self, count: usize) {
        self.taken += count;
        self.bytes -= count;
        if self
            .chunks
            .front()
            .is_some_and(|(_, bytes)| self.taken >= bytes.len())
        {
            self.chunks.pop_front();
            self.taken = 0;
        }
    }

    fn next_at(&self) -> Option<Instant> {
        self.chunks.front().map(|(at, _)| *at)
    }
}

impl Impaired {
    /// Puts the bad network between this process and `stream`, which is already connected: the time that the TCP
    /// handshake would have taken is waited for here.
    pub async fn open(stream: TcpStream, spec: Spec, seed: u64, clock: Clock) -> Self {
        let link = Link::new(spec, seed, clock.now());
        let reset_at = link.reset_at();
        let (mut outward, mut inward) = (Lane::new(link.up), Lane::new(link.down));
        let syn_arrives = outward.model.offer(clock.now(), 60);
        let syn_ack_arrives = inward.model.offer(syn_arrives, 60);
        tokio::time::sleep_until(clock.at(syn_ack_arrives)).await;
        let timer = Box::pin(tokio::time::sleep_until(clock.at(syn_ack_arrives)));
        Self {
            stream,
            clock,
            outward,
            inward,
            end: End::No,
            reset_at,
            timer,
        }
    }

    /// Sends what has come out of the outward lane.
    fn pump_out(&mut self, now: Instant, cx: &mut Context<'_>) -> io::Result<()> {
        while let Some(bytes) = self.outward.front(now) {
            match Pin::new(&mut self.stream).poll_write(cx, bytes) {
                Poll::Ready(Ok(n)) => self.outward.take(n),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    /// Puts what the socket has into the inward lane.
    fn pump_in(&mut self, now: Instant, cx: &mut Context<'_>) {
        while self.end == End::No && self.inward.bytes < MAX_UNDER_WAY_BYTES {
            let mut space = [0; READ_BYTES];
            let mut buf = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if buf.filled().is_empty() => self.end = End::Fin,
                Poll::Ready(Ok(())) => self.inward.offer(now, buf.filled()),
                Poll::Ready(Err(error)) => self.end = End::Error(error.kind()),
                Poll::Pending => break,
            }
        }
    }

    fn is_reset(&mut self, now: Instant) -> bool {
        let reset = self.reset_at.is_some_and(|at| now >= at);
        if reset {
            let _ = self.stream.set_zero_linger();
        }
        reset
    }

    fn arm(&mut self, cx: &mut Context<'_>) {
        let next = [self.outward.next_at(), self.inward.next_at(), self.reset_at];
        if let Some(at) = next.into_iter().flatten().min() {
            // A chunk that is due but blocked by the socket must not spin: the socket wakes us.
            let at = at.max(self.clock.now() + Duration::from_millis(1));
            self.timer.as_mut().reset(self.clock.at(at));
            if self.timer.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
    }
}

impl AsyncRead for Impaired {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let now = this.clock.now();
        if this.is_reset(now) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        this.pump_out(now, cx)?;
        this.pump_in(now, cx);
        if let Some(bytes) = this.inward.front(now) {
            let count = bytes.len().min(buf.remaining());
            buf.put_slice(&bytes[..count]);
            this.inward.take(count);
            return Poll::Ready(Ok(()));
        }
        if this.inward.chunks.is_empty() {
            match this.end {
                End::No => {}
                End::Fin => return Poll::Ready(Ok(())),
                End::Error(kind) => return Poll::Ready(Err(kind.into())),
            }
        }
        this.arm(cx);
        Poll::Pending
    }
}

impl AsyncWrite for Impaired {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let now = this.clock.now();
        if this.is_reset(now) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if this.outward.bytes >= MAX_UNDER_WAY_BYTES {
            this.pump_out(now, cx)?;
            this.arm(cx);
            return Poll::Pending;
        }
        this.outward.offer(now, bytes);
        this.pump_out(now, cx)?;
        this.arm(cx);
        Poll::Ready(Ok(bytes.len()))
    }

    /// Ready once everything has come out of the lane: what is under way is not lost when the session ends.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.pump_out(this.clock.now(), cx)?;
        if this.outward.chunks.is_empty() {
            Poll::Ready(Ok(()))
        } else {
            this.arm(cx);
            Poll::Pending
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
