//! What one client keeps over its connections.

use super::lifecycle::Held;
use super::seen::Seen;
use super::{Advice, Claims, Class, Lifecycle, Outcome, Reading, RefreshAnswer, Tokens};
use crate::secret::Secret;
use crate::time::Instant;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A device id longer than this is not kept.
const MAX_DEVICE_ID_BYTES: usize = 128;

/// A client's tokens, its device and its [`Lifecycle`]. One for each client, shared by its connections one after the
/// other and by the refresh that may run beside one.
#[derive(Debug)]
pub struct Account {
    /// `X-Device-Id` of the REST calls; the WebSocket's device id may be another.
    rest_device: Arc<str>,
    epoch_ms: u64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    tokens: Option<Tokens>,
    /// Counts the pairs; a token is known by it.
    number: u64,
    /// Redeemed, but not kept yet: writing it failed.
    unkept: Option<Tokens>,
    device: Box<str>,
    lifecycle: Lifecycle,
    /// The connection that ends now does so because of a refresh: come back at once.
    comes_back: bool,
    seen: Seen,
}

/// A refresh that has begun; [`Account::finish_refresh`] must follow.
#[derive(Debug)]
pub struct RefreshCall {
    /// What to ask with.
    pub refresh_token: Secret,
    /// `X-Device-Id`.
    pub device: Arc<str>,
    /// An earlier call's answer that could not be kept: nothing is asked again, for its token is used up.
    pub answered: Option<RefreshAnswer>,
}

impl Account {
    /// A client that has not connected yet. `epoch_ms`: milliseconds from 1970 to the origin of the instants.
    pub fn new(tokens: Tokens, device: &str, rest_device: Arc<str>, epoch_ms: u64) -> Self {
        Self {
            rest_device,
            epoch_ms,
            inner: Mutex::new(Inner {
                tokens: Some(tokens),
                number: 0,
                unkept: None,
                device: device.into(),
                lifecycle: Lifecycle::default(),
                comes_back: false,
                seen: Seen::default(),
            }),
        }
    }

    /// Milliseconds from 1970 to the origin of the instants.
    pub(super) fn epoch_ms(&self) -> u64 {
        self.epoch_ms
    }

    /// The token to present and its number; `None` once logged out.
    pub fn access(&self) -> Option<(Secret, u64)> {
        let inner = self.inner();
        inner
            .tokens
            .as_ref()
            .map(|tokens| (tokens.access.clone(), inner.number))
    }

    /// The number of the pair in use; it grows with each rotation.
    pub fn number(&self) -> u64 {
        self.inner().number
    }

    /// The device id that `connect` tells.
    pub fn device(&self) -> Box<str> {
        self.inner().device.clone()
    }

    /// Both tokens are gone for good.
    pub fn is_logged_out(&self) -> bool {
        self.inner().lifecycle.is_logged_out()
    }

    /// The server has accepted the client, and may have given the device another id.
    pub(super) fn accepted(&self, device: &str) {
        if !device.is_empty() && device.len() <= MAX_DEVICE_ID_BYTES {
            self.inner().device = device.into();
        }
    }

    /// When the token in use should be renewed: so long before its end, ± a twenty-fourth of the lead (5 min of 2 h) by
    /// `jitter` in -1 to 1. `None`: it has no end that could be read, or nothing to renew it with.
    pub(super) fn refresh_at(&self, jitter: f64) -> Option<Instant> {
        let inner = self.inner();
        let tokens = inner.tokens.as_ref().filter(|tokens| tokens.refresh.is_some())?;
        let claims = Claims::read(tokens.access.expose())?;
        let lead = claims.refresh_lead();
        let lead = lead.mul_f64(1.0 + jitter.clamp(-1.0, 1.0) / 24.0);
        Some(self.instant_of(claims.exp, lead))
    }

    fn instant_of(&self, epoch_s: u64, lead: Duration) -> Instant {
        let lead_ms = u64::try_from(lead.as_millis()).unwrap_or(u64::MAX);
        let at_ms = epoch_s.saturating_mul(1000).saturating_sub(lead_ms);
        Instant::from_millis(at_ms.saturating_sub(self.epoch_ms))
    }

    fn is_near_end(&self, tokens: &Tokens, now: Instant) -> bool {
        Claims::read(tokens.access.expose())
            .is_some_and(|claims| now >= self.instant_of(claims.exp, claims.refresh_lead()))
    }

    /// The login was refused with this class; what to do.
    pub fn refused(&self, now: Instant, class: Class, reading: Reading, refreshes: bool) -> Advice {
        let inner = self.inner();
        let Some(tokens) = &inner.tokens else {
            return Advice::Stop;
        };
        let held = Held {
            token: inner.number,
            has_refresh: refreshes && tokens.refresh.is_some(),
            is_near_end: self.is_near_end(tokens, now),
            generic_refreshes: reading == Reading::Seed,
        };
        inner.lifecycle.refused(now, class, held)
    }

    /// Begins a refresh, if one may begin now: one at a time, each token at most once in 30 s.
    pub fn begin_refresh(&self, now: Instant) -> Option<RefreshCall> {
        let mut inner = self.inner();
        let refresh_token = inner.tokens.as_ref()?.refresh.clone()?;
        let number = inner.number;
        let answered = inner.unkept.clone().map(RefreshAnswer::Rotated);
        inner.lifecycle.begin(now, number).then_some(RefreshCall {
            refresh_token,
            device: self.rest_device.clone(),
            answered,
        })
    }

    /// Whether [`Account::begin_refresh`] would begin one.
    pub(super) fn may_refresh(&self, now: Instant) -> bool {
        let inner = self.inner();
        inner.lifecycle.may_refresh(now, inner.number)
    }

    pub(super) fn is_refreshing(&self) -> bool {
        self.inner().lifecycle.is_refreshing()
    }

    /// Takes the answer: a new pair is kept by `keep` first and used only then, so that a write that fails loses nothing.
    pub fn finish_refresh(
        &self,
        answer: RefreshAnswer,
        keep: impl FnOnce(&Tokens) -> Result<(), String>,
    ) -> Outcome {
        let mut inner = self.inner();
        let outcome = match answer {
            RefreshAnswer::Rotated(tokens) => match keep(&tokens) {
                Ok(()) => {
                    inner.tokens = Some(tokens);
                    inner.number += 1;
                    inner.unkept = None;
                    Outcome::Replaced
                }
                Err(what) => {
                    inner.unkept = Some(tokens);
                    Outcome::Later { what }
                }
            },
            RefreshAnswer::Permanent { .. } => {
                inner.tokens = None;
                inner.unkept = None;
                Outcome::LoggedOut
            }
            RefreshAnswer::Transient { what } => Outcome::Later { what },
        };
        inner.lifecycle.finish(&outcome);
        outcome
    }

    /// The connection that ends now is left for another with new tokens.
    pub(super) fn will_come_back(&self) {
        self.inner().comes_back = true;
    }

    /// Whether the connection that ended was left for another with new tokens; asked once.
    pub fn takes_new_tokens(&self) -> bool {
        std::mem::take(&mut self.inner().comes_back)
    }

    /// The client connects again, after a refresh or after a wait that a refusal of its token caused.
    pub fn reenter(&self, now: Instant) {
        self.inner().lifecycle.reenter(now);
    }

    /// Whether a notification is new to this client.
    pub(super) fn is_new_signal(&self, event_id: &str) -> bool {
        self.inner().seen.is_new(event_id)
    }

    /// A panic elsewhere leaves it whole: every change is a single call.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::derived_tokens;
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn account(iat: u64, life: Duration) -> Account {
        let tokens = derived_tokens(&Secret::new("s"), 1, "dev", 0, iat, life);
        Account::new(tokens, "dev", "dev".into(), 1_800_000_000_000)
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    fn rotated() -> RefreshAnswer {
        RefreshAnswer::Rotated(derived_tokens(&Secret::new("s"), 1, "dev", 1, 1_800_000_000, DAY))
    }

    #[test]
    fn a_pair_that_cannot_be_kept_is_not_used_and_not_asked_for_again() {
        let account = account(1_800_000_000, DAY);
        let old = account.access().unwrap();
        let call = account.begin_refresh(at(0)).unwrap();
        assert_eq!(call.answered, None);
        let outcome = account.finish_refresh(rotated(), |_| Err("no space left".to_owned()));
        assert_eq!(
            outcome,
            Outcome::Later {
                what: "no space left".to_owned()
            }
        );
        assert_eq!(account.access().unwrap(), old);
        let again = account.begin_refresh(at(30)).unwrap();
        let answer = again.answered.unwrap();
        assert_eq!(account.finish_refresh(answer, |_| Ok(())), Outcome::Replaced);
        assert_eq!(account.number(), 1);
        assert_ne!(account.access().unwrap().0, old.0);
    }

    #[test]
    fn a_permanent_refusal_blanks_both_tokens_and_a_transient_one_nothing() {
        let account = account(1_800_000_000, DAY);
        account.begin_refresh(at(0)).unwrap();
        account.finish_refresh(RefreshAnswer::transient("HTTP 500"), |_| Ok(()));
        assert!(account.access().is_some() && !account.is_logged_out());
        account.begin_refresh(at(30)).unwrap();
        let outcome = account.finish_refresh(RefreshAnswer::Permanent { code: 10003 }, |_| Ok(()));
        assert_eq!(outcome, Outcome::LoggedOut);
        assert!(account.access().is_none() && account.is_logged_out());
        assert!(account.begin_refresh(at(600)).is_none());
        let advice = account.refused(at(600), Class::TokenRejected, Reading::Seed, true);
        assert_eq!(advice, Advice::Stop);
    }

    #[test]
    fn a_token_is_renewed_two_hours_before_the_end_of_a_day_five_minutes_sooner_or_later() {
        let account = account(1_800_000_000, DAY);
        assert_eq!(account.refresh_at(0.0), Some(at(22 * 3600)));
        assert_eq!(account.refresh_at(1.0), Some(at(22 * 3600 - 300)));
        assert_eq!(account.refresh_at(-1.0), Some(at(22 * 3600 + 300)));
    }

    #[test]
    fn an_end_in_the_past_or_the_far_future_is_an_instant_all_the_same() {
        assert_eq!(account(0, Duration::ZERO).refresh_at(0.0), Some(Instant::ORIGIN));
        assert!(account(u64::MAX - 5, DAY).refresh_at(0.0).is_some());
    }
}
