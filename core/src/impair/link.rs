//! The two directions of one session's path.

use super::Spec;
use crate::time::{Instant, micros};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// Payload of a full TCP segment on Ethernet with timestamps: what one loss takes with it.
pub const SEGMENT_BYTES: usize = 1448;

/// TCP never waits longer than this before it sends a segment again (RFC 6298 allows a cap of 60 s or more; Linux: 120 s).
const LONGEST_TIMEOUT: Duration = Duration::from_secs(120);
/// Linux gives a connection up after 15 retransmissions (`tcp_retries2`).
const MOST_LOSSES: u32 = 15;

/// One direction of a path.
#[derive(Clone, Debug)]
pub struct Impairment {
    spec: Spec,
    rng: ChaCha8Rng,
    /// When the sender's line has sent all that was offered.
    line_free: Instant,
    /// Remainder of the line's time, in nanoseconds, that whole microseconds cannot hold.
    line_debt_ns: f64,
    /// Bytes come out in order: nothing before this.
    last_out: Instant,
}

impl Impairment {
    /// A direction without anything on its way.
    pub fn new(spec: Spec, seed: u64) -> Self {
        Self {
            spec,
            rng: ChaCha8Rng::seed_from_u64(seed),
            line_free: Instant::ORIGIN,
            line_debt_ns: 0.0,
            last_out: Instant::ORIGIN,
        }
    }

    /// `len` bytes are written at `now`: when the last of them comes out. Never before bytes that were offered earlier.
    pub fn offer(&mut self, now: Instant, len: usize) -> Instant {
        let sent = self.send(now, len);
        let mut out = sent + self.delay() + self.retransmissions(len);
        if let Some(stall) = self.spec.stall {
            let period = micros(stall.period);
            let into = out.as_micros() % period;
            if into >= period - micros(stall.length) {
                out += Duration::from_micros(period - into);
            }
        }
        self.last_out = self.last_out.max(out);
        self.last_out
    }

    /// When the line has sent these bytes.
    fn send(&mut self, now: Instant, len: usize) -> Instant {
        let Some(rate) = self.spec.rate_bps else {
            return now;
        };
        if self.line_free < now {
            self.line_free = now;
            self.line_debt_ns = 0.0;
        }
        self.line_debt_ns += len as f64 * 8e9 / rate;
        let whole = Duration::from_nanos(to_nanos(self.line_debt_ns));
        self.line_free += whole;
        self.line_debt_ns -= micros(whole) as f64 * 1e3;
        // Rounded up: bytes never come out faster than the rate.
        self.line_free + Duration::from_micros(u64::from(self.line_debt_ns > 0.0))
    }

    fn delay(&mut self) -> Duration {
        if self.spec.jitter.is_zero() {
            return self.spec.delay;
        }
        let swing = self.rng.random::<f64>() * 2.0 * self.spec.jitter.as_secs_f64();
        (self.spec.delay + Duration::from_secs_f64(swing)).saturating_sub(self.spec.jitter)
    }

    /// The wait for the segment of these bytes that was lost most often, drawn at once for all of them: the chance that
    /// none of `n` segments is lost more than `j` times in a row is `(1 - loss^(j+1))^n`.
    fn retransmissions(&mut self, len: usize) -> Duration {
        if self.spec.loss <= 0.0 {
            return Duration::ZERO;
        }
        let segments = len.div_ceil(SEGMENT_BYTES).max(1) as f64;
        let draw: f64 = self.rng.random();
        let mut lost_again = self.spec.loss;
        let mut timeout = self.spec.retransmission_timeout();
        let mut wait = Duration::ZERO;
        for _ in 0..MOST_LOSSES {
            if (1.0 - lost_again).powf(segments) > draw {
                break;
            }
            wait += timeout;
            timeout = (timeout * 2).min(LONGEST_TIMEOUT);
            lost_again *= self.spec.loss;
        }
        wait
    }
}

/// Both directions of a session's path, and its end.
#[derive(Clone, Debug)]
pub struct Link {
    /// From the client to the server.
    pub up: Impairment,
    /// From the server to the client.
    pub down: Impairment,
    reset_at: Option<Instant>,
}

impl Link {
    /// The path of a connection that was opened at `opened`. The same seed gives the same path.
    pub fn new(spec: Spec, seed: u64, opened: Instant) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (up, down) = (rng.random(), rng.random());
        let draw: f64 = rng.random();
        let reset_at = (spec.resets_per_s > 0.0).then(|| {
            let seconds = -(1.0 - draw).ln() / spec.resets_per_s;
            opened + Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
        });
        Self {
            up: Impairment::new(spec, up),
            down: Impairment::new(spec, down),
            reset_at,
        }
    }

    /// When the path resets the connection, both ways; `None`: never.
    pub fn reset_at(&self) -> Option<Instant> {
        self.reset_at
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of the target"
)]
fn to_nanos(ns: f64) -> u64 {
    ns.clamp(0.0, 9e18) as u64
}
