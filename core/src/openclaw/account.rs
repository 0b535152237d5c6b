//! What one device keeps over its connections: its credentials, which of them to show, and what an answer does to them.
//!
//! A device holds one token a role, and losing one does not touch the other. Beside them it may hold the shared secret
//! and a setup code's token. Every connection is an [`Attempt`] with a number; what an older one is told changes nothing.

use super::scopes::Role;
use super::wire::{HelloOk, ResponseError};
use crate::secret::Secret;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// So many dead secrets of a kind are remembered; a gateway that gives one of them out again is not believed.
const MAX_DEAD: usize = 16;

/// Which credential is shown first where a session has several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precedence {
    /// The shared secret, then the device token, then the setup code's: as the official client does.
    #[default]
    Shared,
    /// The device token, then the shared secret, then the setup code's: what a client does that should not need the secret.
    Device,
}

/// A token that a gateway issued to a device for one role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleToken {
    /// The token.
    pub token: Secret,
    /// What it covers.
    pub scopes: Vec<String>,
    /// Milliseconds since 1970.
    pub issued_at_ms: Option<i64>,
}

/// What a device begins with.
#[derive(Clone, Debug, Default)]
pub struct Holdings {
    /// Shared token.
    pub token: Option<Secret>,
    /// Shared password.
    pub password: Option<Secret>,
    /// From a setup code.
    pub bootstrap_token: Option<Secret>,
    /// Tokens by role, as [`Role`] numbers them.
    pub role_tokens: [Option<RoleToken>; 2],
    /// Which is shown first.
    pub precedence: Precedence,
}

/// What is shown to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The shared token or password.
    Shared,
    /// A shared token that is to replace the one in use, and has to prove itself first.
    Replacement,
    /// The role's device token.
    DeviceToken,
    /// A setup code's token.
    Bootstrap,
    /// Nothing: there never was anything.
    Nothing,
}

/// One connection's turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Grows with each attempt of the account.
    pub generation: u64,
    /// What the connection is for.
    pub role: Role,
    /// Which credential it shows.
    pub shown: Shown,
    /// `auth.token`.
    pub token: Option<Secret>,
    /// `auth.password`.
    pub password: Option<Secret>,
    /// `auth.deviceToken`.
    pub device_token: Option<Secret>,
    /// `auth.bootstrapToken`.
    pub bootstrap_token: Option<Secret>,
}

/// What to do after a refusal, or after authority was withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// The attempt is not the newest, or has had its answer: nothing was changed, and nothing is to be done.
    Stale,
    /// Another credential is left: connect again with it.
    Again,
    /// Somebody has to approve the device; the same credential will do then.
    AwaitApproval {
        /// What is to be approved.
        request_id: Option<String>,
        /// When the gateway wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// Nothing is wrong with the credentials: try again, not before this.
    Later(Option<Duration>),
    /// Nothing is left that could be shown, or the refusal is about something else.
    Stop,
}

/// Tokens that should be written down; [`Account::kept`] must follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The role and its token; `None`: the token is dead, forget it.
    pub changes: Vec<(Role, Option<RoleToken>)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Slot {
    token: Option<RoleToken>,
    /// What is written down is the same.
    is_durable: bool,
    /// Not dead, but too narrow for what this client asks.
    is_unfit: bool,
    dead: Vec<Secret>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Inner {
    precedence: Precedence,
    token: Option<Secret>,
    password: Option<Secret>,
    replacement: Option<Secret>,
    bootstrap: Option<Secret>,
    dead_shared: Vec<Secret>,
    /// A connection with the setup code's token has succeeded, in this role.
    redeemed: Option<Role>,
    slots: [Slot; 2],
    generation: u64,
    newest: Option<Attempt>,
    /// The newest attempt was accepted or refused: no second answer counts.
    is_answered: bool,
    /// The gateway said that a device token may do where the shared secret did not.
    prefers_device: bool,
    had_something: bool,
    had_shared: bool,
    advice: Option<Advice>,
    issued: u64,
}

/// A device's credentials. One for each client; its connections share it one after the other.
#[derive(Debug, Default)]
pub struct Account(Mutex<Inner>);

impl Account {
    /// A client that has not connected yet. What it holds is written down already.
    pub fn new(holdings: Holdings) -> Self {
        let slots = holdings.role_tokens.map(|token| Slot {
            is_durable: true,
            token,
            ..Slot::default()
        });
        let has_token = slots.iter().any(|slot| slot.token.is_some());
        let shared = holdings.token.is_some() || holdings.password.is_some();
        Self(Mutex::new(Inner {
            had_something: has_token || shared || holdings.bootstrap_token.is_some(),
            had_shared: shared,
            precedence: holdings.precedence,
            token: holdings.token,
            password: holdings.password,
            bootstrap: holdings.bootstrap_token,
            slots,
            ..Inner::default()
        }))
    }

    /// Begins a connection; older ones have nothing to say from now on. `None`: everything it held is dead.
    pub fn begin(&self, role: Role) -> Option<Attempt> {
        let mut inner = self.inner();
        let shown = inner.choose(role)?;
        inner.generation += 1;
        inner.is_answered = false;
        inner.advice = None;
        let mut attempt = Attempt {
            generation: inner.generation,
            role,
            shown,
            token: None,
            password: None,
            device_token: None,
            bootstrap_token: None,
        };
        match shown {
            Shown::Shared => {
                attempt.token.clone_from(&inner.token);
                attempt.password.clone_from(&inner.password);
            }
            Shown::Replacement => attempt.token.clone_from(&inner.replacement),
            Shown::DeviceToken => attempt.device_token = inner.usable(role).map(|held| held.token.clone()),
            Shown::Bootstrap => attempt.bootstrap_token.clone_from(&inner.bootstrap),
            Shown::Nothing => {}
        }
        inner.newest = Some(attempt.clone());
        Some(attempt)
    }

    /// The gateway has accepted the attempt: what it showed is good, and what it got is kept role by role. `false`: the
    /// attempt is not the newest or has had its answer, and nothing was changed.
    pub fn accepted(&self, attempt: &Attempt, hello: &HelloOk) -> bool {
        let mut inner = self.inner();
        if !inner.answers(attempt) {
            return false;
        }
        inner.prefers_device = false;
        if attempt.shown == Shown::Replacement {
            // Only now is the old one of no use any more. Another may have been proposed meanwhile; it has proved nothing yet.
            inner.token.clone_from(&attempt.token);
            inner.password = None;
            inner.replacement = inner
                .replacement
                .take()
                .filter(|next| Some(next) != attempt.token.as_ref());
        }
        let granted = &hello.auth;
        if let Some(token) = &granted.device_token {
            let role = match granted.role.as_str() {
                "" => Some(attempt.role),
                name => Role::from_name(Some(name)),
            };
            if let Some(role) = role {
                let scopes = granted.scopes.clone();
                inner.take(role, token, scopes, granted.issued_at_ms);
            }
        }
        // Only a setup code hands over tokens of other roles.
        if attempt.shown == Shown::Bootstrap {
            inner.redeemed = Some(attempt.role);
            for extra in &granted.device_tokens {
                if let Some(role) = Role::from_name(Some(&extra.role)) {
                    inner.take(
                        role,
                        &extra.device_token,
                        extra.scopes.clone(),
                        extra.issued_at_ms,
                    );
                }
            }
        }
        true
    }

    /// The gateway has refused the attempt.
    pub fn refused(&self, attempt: &Attempt, error: &ResponseError) -> Advice {
        let mut inner = self.inner();
        if !inner.answers(attempt) {
            return Advice::Stale;
        }
        let advice = inner.refused(attempt, error);
        inner.advice = Some(advice.clone());
        advice
    }

    /// The gateway has withdrawn a live session's authority (close 4001 with this reason).
    pub fn withdrawn(&self, attempt: &Attempt, reason: &str) -> Advice {
        let mut inner = self.inner();
        if attempt.generation != inner.generation {
            return Advice::Stale;
        }
        // The connection is over: whatever answer comes late is none.
        inner.is_answered = true;
        if reason.contains("auth changed") && matches!(attempt.shown, Shown::Shared | Shown::Replacement) {
            inner.lose_shared(attempt);
        } else if reason.contains("device") {
            inner.lose_token(attempt.role);
        }
        inner.again_or_stop(attempt.role)
    }

    /// The same of the newest attempt.
    pub fn newest_withdrawn(&self, reason: &str) -> Advice {
        let newest = self.inner().newest.clone();
        newest.map_or(Advice::Stop, |attempt| self.withdrawn(&attempt, reason))
    }

    /// What the last refusal of the newest attempt came to; asked once.
    pub fn take_advice(&self) -> Option<Advice> {
        self.inner().advice.take()
    }

    /// Proposes another shared token. The one in use stays until a connection with the new one has succeeded. `false`: it is
    /// the one in use, or one that was refused.
    pub fn propose(&self, token: &Secret) -> bool {
        let mut inner = self.inner();
        let is_new = inner.token.as_ref() != Some(token) && !inner.dead_shared.contains(token);
        if is_new {
            inner.replacement = Some(token.clone());
        }
        is_new
    }

    /// Whether it had a shared secret that is dead now, and has no other to try.
    pub fn has_lost_the_secret(&self) -> bool {
        let inner = self.inner();
        let holds_one = inner.token.is_some() || inner.password.is_some() || inner.replacement.is_some();
        inner.had_shared && !holds_one
    }

    /// Whether anything could be shown by another connection.
    pub fn has_something(&self, role: Role) -> bool {
        self.inner().choose(role).is_some()
    }

    /// Tokens that were received or lost since the last time, to be written down.
    pub fn to_keep(&self) -> Option<Receipt> {
        let inner = self.inner();
        let changes: Vec<_> = Role::ALL
            .into_iter()
            .filter(|role| !inner.slots[*role as usize].is_durable)
            .map(|role| (role, inner.slots[role as usize].token.clone()))
            .collect();
        (!changes.is_empty()).then_some(Receipt { changes })
    }

    /// They were written down, or not: then everything stays, and [`Account::to_keep`] hands them out again. A setup code's
    /// token goes when the tokens that it brought are all written down.
    pub fn kept(&self, receipt: &Receipt, written: bool) {
        let mut inner = self.inner();
        if !written {
            return;
        }
        for (role, token) in &receipt.changes {
            let slot = &mut inner.slots[*role as usize];
            // What came since is not what was written.
            slot.is_durable |= slot.token == *token;
        }
        let is_whole = |role: Role| inner.slots[role as usize].token.is_some();
        if inner.redeemed.is_some_and(is_whole) && inner.slots.iter().all(|slot| slot.is_durable) {
            inner.bootstrap = None;
        }
    }

    /// The role's token, if it holds one.
    pub fn role_token(&self, role: Role) -> Option<RoleToken> {
        self.inner().slots[role as usize].token.clone()
    }

    /// Device tokens received in all.
    pub fn issued(&self) -> u64 {
        self.inner().issued
    }

    /// A panic elsewhere leaves it whole: every change is a single call.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Whether this is the answer that the newest attempt waits for.
    fn answers(&mut self, attempt: &Attempt) -> bool {
        let waits = attempt.generation == self.generation && !self.is_answered;
        self.is_answered |= waits;
        waits
    }

    fn usable(&self, role: Role) -> Option<&RoleToken> {
        let slot = &self.slots[role as usize];
        slot.token.as_ref().filter(|_| !slot.is_unfit)
    }

    fn choose(&self, role: Role) -> Option<Shown> {
        let shared = (self.token.is_some() || self.password.is_some()).then_some(Shown::Shared);
        let shared = self.replacement.as_ref().map(|_| Shown::Replacement).or(shared);
        let device = self.usable(role).map(|_| Shown::DeviceToken);
        let first = if self.precedence == Precedence::Device || self.prefers_device {
            device.or(shared)
        } else {
            shared.or(device)
        };
        first
            .or_else(|| self.bootstrap.as_ref().map(|_| Shown::Bootstrap))
            .or_else(|| (!self.had_something).then_some(Shown::Nothing))
    }

    /// Whether the role's token is still the one that the attempt showed.
    fn holds(&self, attempt: &Attempt) -> bool {
        let held = self.slots[attempt.role as usize].token.as_ref();
        held.map(|held| &held.token) == attempt.device_token.as_ref()
    }

    /// A token that the gateway issued.
    fn take(&mut self, role: Role, token: &str, scopes: Vec<String>, issued_at_ms: Option<i64>) {
        let token = Secret::new(token);
        let slot = &mut self.slots[role as usize];
        if token.expose().is_empty() || slot.dead.contains(&token) {
            return;
        }
        self.had_something = true;
        if let Some(held) = &mut slot.token
            && held.token == token
        {
            // The same token: a live session with fewer scopes says nothing about what it covers.
            return;
        }
        self.issued += 1;
        slot.token = Some(RoleToken {
            token,
            scopes,
            issued_at_ms,
        });
        slot.is_durable = false;
        slot.is_unfit = false;
    }

    fn lose_token(&mut self, role: Role) {
        let slot = &mut self.slots[role as usize];
        if let Some(lost) = slot.token.take() {
            remember(&mut slot.dead, lost.token);
            slot.is_durable = false;
        }
    }

    /// The shared secret that the attempt showed is dead, whatever has become of it since.
    fn lose_shared(&mut self, attempt: &Attempt) {
        for place in [&mut self.token, &mut self.replacement] {
            if attempt.token.is_some() && *place == attempt.token {
                *place = None;
            }
        }
        if self.password == attempt.password {
            self.password = None;
        }
        if let Some(lost) = attempt.token.clone() {
            remember(&mut self.dead_shared, lost);
        }
    }

    fn again_or_stop(&self, role: Role) -> Advice {
        if self.choose(role).is_some() {
            Advice::Again
        } else {
            Advice::Stop
        }
    }

    fn refused(&mut self, attempt: &Attempt, error: &ResponseError) -> Advice {
        let details = error.details.as_ref();
        let code = details.and_then(|d| d.code.as_deref()).unwrap_or_default();
        let next_step = details
            .and_then(|d| d.recommended_next_step.as_deref())
            .unwrap_or_default();
        let can_retry = details
            .and_then(|d| d.can_retry_with_device_token)
            .unwrap_or(false);
        let hints_at_device = can_retry || next_step == "retry_with_device_token";
        let may_show_device = matches!(attempt.shown, Shown::Shared | Shown::Replacement)
            && !self.prefers_device
            && self.usable(attempt.role).is_some();
        let retry_after = error.retry_after_ms.map(Duration::from_millis);
        match code {
            "PAIRING_REQUIRED" => {
                return Advice::AwaitApproval {
                    request_id: details.and_then(|d| d.request_id.clone()),
                    retry_after,
                };
            }
            "AUTH_RATE_LIMITED" => return Advice::Later(retry_after),
            _ if error.code == "UNAVAILABLE" => return Advice::Later(retry_after),
            "AUTH_SCOPE_MISMATCH" if attempt.shown == Shown::DeviceToken => {
                // Another client of the device may well use it.
                self.slots[attempt.role as usize].is_unfit = true;
            }
            "AUTH_TOKEN_MISMATCH"
            | "AUTH_PASSWORD_MISMATCH"
            | "AUTH_DEVICE_TOKEN_MISMATCH"
            | "AUTH_BOOTSTRAP_TOKEN_INVALID" => match attempt.shown {
                Shown::Shared | Shown::Replacement => self.lose_shared(attempt),
                Shown::DeviceToken if self.holds(attempt) => self.lose_token(attempt.role),
                Shown::DeviceToken => {}
                Shown::Bootstrap => self.bootstrap = None,
                Shown::Nothing => return Advice::Stop,
            },
            _ if next_step == "wait_then_retry" => return Advice::Later(retry_after),
            // A refusal that this client has no name for, with the hint that the device's token would do.
            _ if hints_at_device && may_show_device => self.prefers_device = true,
            // Another kind of mistake: no other credential would mend it.
            _ => return Advice::Stop,
        }
        self.again_or_stop(attempt.role)
    }
}

fn remember(dead: &mut Vec<Secret>, secret: Secret) {
    if dead.len() >= MAX_DEAD {
        dead.remove(0);
    }
    dead.push(secret);
}
