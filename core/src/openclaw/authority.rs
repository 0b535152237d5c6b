//! Who may come in: what all sessions of one gateway share.

use super::bootstrap::{Bootstraps, SetupProfile};
use super::error_code::{
    AUTH_BOOTSTRAP_TOKEN_INVALID, AUTH_DEVICE_TOKEN_MISMATCH, AUTH_PASSWORD_MISMATCH, AUTH_PASSWORD_MISSING,
    AUTH_RATE_LIMITED, AUTH_SCOPE_MISMATCH, AUTH_TOKEN_MISMATCH, AUTH_TOKEN_MISSING,
    DEVICE_IDENTITY_REQUIRED, ErrorCode,
};
use super::live_devices::{LiveDevice, LiveDevices};
use super::login_failures::{CredentialKind, FailurePolicy, LoginFailures};
use super::pairing::{Approval, DeviceClaim, Grant, PairedDevice, Pairing, PendingDevice, TokenCheck};
use super::scopes::{Role, Scopes};
use super::uuid::Uuid;
use super::wire::{Auth, ClientInfo};
use crate::secret::Secret;
use crate::time::Instant;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The close frame for sessions whose shared token was rotated away (protocol page, section 7).
pub const CLOSE_AUTH_CHANGED: (u16, &str) = (4001, "gateway auth changed");

/// The close frame for sessions whose device was removed or whose device token was revoked or rotated.
pub const CLOSE_DEVICE_REMOVED: (u16, &str) = (4001, "device removed");

/// What a gateway was told about credentials.
#[derive(Clone, Debug)]
pub struct AuthorityConfig {
    /// The shared token. With neither token nor password everybody comes in (`auth.method` is `none`).
    pub token: Option<Secret>,
    /// The shared password.
    pub password: Option<Secret>,
    /// New devices on the gateway's own host are approved at once.
    pub auto_approve_local: bool,
    /// What failed logins cost.
    pub failures: FailurePolicy,
    /// Devices kept, approved and pending each.
    pub max_devices: usize,
    /// For tokens, nonces and ids.
    pub seed: u64,
}

impl Default for AuthorityConfig {
    fn default() -> Self {
        Self {
            token: None,
            password: None,
            auto_approve_local: true,
            failures: FailurePolicy::default(),
            max_devices: 100_000,
            seed: 0,
        }
    }
}

/// The handle; clones share one state.
#[derive(Clone)]
pub struct Authority(Arc<Mutex<State>>);

struct State {
    token: Option<Secret>,
    password: Option<Secret>,
    auto_approve_local: bool,
    failures: LoginFailures,
    pairing: Pairing,
    bootstraps: Bootstraps,
    live: LiveDevices,
    generation: u64,
    restart_requested: bool,
    random: ChaCha20Rng,
}

/// Where a login comes from and what it asks for.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// The client's address.
    pub address: IpAddr,
    /// `device.id` of a device whose proof holds.
    pub device_id: Option<&'a str>,
    /// Role asked for.
    pub role: Role,
    /// Scopes asked for.
    pub scopes: Scopes,
}

/// How a login was accepted: `hello-ok` → `auth.method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Shared token.
    Token,
    /// Shared password.
    Password,
    /// The device's own token.
    DeviceToken,
    /// A setup code's token.
    BootstrapToken,
    /// No credential is asked for.
    None,
}

impl Method {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Password => "password",
            Self::DeviceToken => "device-token",
            Self::BootstrapToken => "bootstrap-token",
            Self::None => "none",
        }
    }
}

/// A device that is in.
#[derive(Clone, Debug)]
pub(super) struct Admitted {
    /// Its token for the role that it asked for.
    pub grant: Grant,
    /// Tokens for other roles, which only a setup code hands over.
    pub extra: Vec<(Role, Grant)>,
}

/// A refused login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Why.
    pub code: ErrorCode,
    /// How long the answer is held back.
    pub delay: Duration,
    /// `retryAfterMs`.
    pub retry_after: Option<Duration>,
}

impl From<ErrorCode> for Denied {
    fn from(code: ErrorCode) -> Self {
        Self {
            code,
            delay: Duration::ZERO,
            retry_after: None,
        }
    }
}

impl Authority {
    /// A gateway's state at its start.
    pub fn new(config: AuthorityConfig) -> Self {
        Self(Arc::new(Mutex::new(State {
            token: config.token,
            password: config.password,
            auto_approve_local: config.auto_approve_local,
            failures: LoginFailures::new(config.failures),
            pairing: Pairing::new(config.max_devices),
            bootstraps: Bootstraps::default(),
            live: LiveDevices::default(),
            generation: 0,
            restart_requested: false,
            random: ChaCha20Rng::seed_from_u64(config.seed),
        })))
    }

    /// A random UUID (version 4), as raw bytes.
    pub fn uuid(&self) -> Uuid {
        Uuid::from_random(self.state().random.random())
    }

    /// Checks the credentials of a connect.
    pub fn check(&self, now: Instant, auth: &Auth, login: &Login<'_>) -> Result<Method, Denied> {
        self.state().check(now, auth, login)
    }

    /// Lets a device in whose login was accepted: its token, or the approval that it needs. `local`: it is on the gateway's own
    /// host. `bootstrap`: the setup code's token that it showed, and what kind of client it is.
    pub(super) fn admit_device(
        &self,
        claim: &DeviceClaim<'_>,
        local: bool,
        bootstrap: Option<(&str, &ClientInfo)>,
        (now, now_ms): (Instant, i64),
    ) -> Result<Admitted, Approval> {
        let mut state = self.state();
        let profile = bootstrap.and_then(|(token, _)| state.bootstraps.show(now, token, claim.device_id));
        let by_code = bootstrap
            .zip(profile)
            .is_some_and(|((_, client), profile)| profile.admits(client, claim.role, claim.scopes));
        let grant = match state.pairing.grant(claim) {
            Ok(grant) => grant,
            Err(_) if by_code || local && state.auto_approve_local => {
                let token = state.new_token();
                state.pairing.approve(claim, token, now_ms)
            }
            Err(reason) => {
                let fresh = Uuid::from_random(state.random.random()).to_string();
                return Err(Approval {
                    request_id: state.pairing.wait(claim, fresh, now_ms),
                    reason,
                });
            }
        };
        let mut extra = Vec::new();
        if let (Some(profile), true) = (profile, by_code) {
            for (role, scopes) in profile.grants() {
                if role != claim.role {
                    let token = state.new_token();
                    let claim = DeviceClaim {
                        role,
                        scopes,
                        ..*claim
                    };
                    extra.push((role, state.pairing.approve(&claim, token, now_ms)));
                }
            }
        }
        if let Some((token, _)) = bootstrap {
            state.bootstraps.redeem(token);
        }
        Ok(Admitted { grant, extra })
    }

    /// A device's session has come up; it hears when its authority is withdrawn.
    pub(super) fn enter(&self, device_id: &str, role: Role, sign: u64) -> Arc<LiveDevice> {
        self.state().live.enter(device_id, role, sign)
    }

    /// Approves the device that waits under `request_id`; `None` if none does.
    pub fn approve(&self, request_id: &str, now_ms: i64) -> Option<PairedDevice> {
        let mut state = self.state();
        let token = state.new_token();
        state.pairing.approve_pending(request_id, token, now_ms)
    }

    /// Approves a device beforehand, as if it had been paired long ago; returns its token.
    pub fn pair(&self, claim: &DeviceClaim<'_>, now_ms: i64) -> Secret {
        let mut state = self.state();
        let token = state.new_token();
        state.pairing.approve(claim, token, now_ms).token
    }

    /// Devices that wait and devices that were approved, the newest first, at most `limit` each.
    pub fn devices(&self, limit: usize) -> (Vec<PendingDevice>, Vec<PairedDevice>) {
        let state = self.state();
        (state.pairing.pending(limit), state.pairing.paired(limit))
    }

    /// The device that waits under `request_id`.
    pub fn pending_device(&self, request_id: &str) -> Option<PendingDevice> {
        self.state().pairing.pending_device(request_id)
    }

    /// Turns away the device that waits under `request_id`, and returns its id; `None` if none does.
    pub fn reject(&self, request_id: &str) -> Option<String> {
        self.state().pairing.reject(request_id)
    }

    /// Makes a setup code's token: good once, for ten minutes.
    pub fn issue_bootstrap_token(&self, now: Instant, profile: SetupProfile) -> Secret {
        let mut state = self.state();
        let token = state.new_token();
        state.bootstraps.issue(now, token.clone(), profile);
        token
    }

    /// Replaces the shared token. Sessions of an older [`Authority::generation`] are to be closed with
    /// [`CLOSE_AUTH_CHANGED`].
    pub fn rotate_token(&self, token: Secret) {
        let mut state = self.state();
        state.token = Some(token);
        state.generation += 1;
    }

    /// Forgets a device and its tokens. Returns the signs of its sessions that are up; `None`: it was not known.
    pub fn remove_device(&self, device_id: &str) -> Option<Vec<u64>> {
        let mut state = self.state();
        let known = state.pairing.revoke(device_id);
        known.then(|| state.live.withdraw(device_id, None))
    }

    /// Takes a device's token for one role away; the other role's stays. Returns as [`Authority::remove_device`] does.
    pub fn revoke_token(&self, device_id: &str, role: Role) -> Option<Vec<u64>> {
        let mut state = self.state();
        let known = state.pairing.revoke_token(device_id, role);
        known.then(|| state.live.withdraw(device_id, Some(role)))
    }

    /// Replaces a device's token for one role. Returns the new one, and the signs as [`Authority::remove_device`] does.
    pub fn rotate_device_token(&self, device_id: &str, role: Role, now_ms: i64) -> Option<(Grant, Vec<u64>)> {
        let mut state = self.state();
        let token = state.new_token();
        let grant = state.pairing.rotate_token(device_id, role, token, now_ms)?;
        Some((grant, state.live.withdraw(device_id, Some(role))))
    }

    /// Takes all devices' tokens away, and with `forget` the devices too. Returns as [`Authority::remove_device`] does.
    pub fn revoke_all(&self, forget: bool) -> Vec<u64> {
        let mut state = self.state();
        state.pairing.revoke_all(forget);
        state.live.withdraw_all()
    }

    /// Grows with each rotation of the shared secret.
    pub fn generation(&self) -> u64 {
        self.state().generation
    }

    /// A session called `gateway.restart.request`.
    pub fn request_restart(&self) {
        self.state().restart_requested = true;
    }

    /// Whether a restart was asked for since the last call.
    pub fn take_restart_request(&self) -> bool {
        std::mem::take(&mut self.state().restart_requested)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No call leaves the state half changed, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl State {
    fn new_token(&mut self) -> Secret {
        Secret::new(URL_SAFE_NO_PAD.encode(self.random.random::<[u8; 32]>()))
    }

    fn check(&mut self, now: Instant, auth: &Auth, login: &Login<'_>) -> Result<Method, Denied> {
        let present = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
        let (token, password) = (present(&auth.token), present(&auth.password));
        let (device_token, bootstrap) = (present(&auth.device_token), present(&auth.bootstrap_token));
        if self.token.is_none() && self.password.is_none() {
            return Ok(Method::None);
        }
        if token.is_some() || password.is_some() {
            let given = [token.as_deref(), password.as_deref()];
            // A device token may come in `token` as well, and is asked after where the shared secret is wrong.
            let candidate = device_token.as_ref().or(token.as_ref());
            if let (Some(device_id), Some(candidate)) = (login.device_id, candidate)
                && !self.is_shared(given)
            {
                self.not_locked_out(now, login.address, CredentialKind::Shared)?;
                match self
                    .pairing
                    .check_token(device_id, candidate, login.role, login.scopes)
                {
                    TokenCheck::Valid => return Ok(Method::DeviceToken),
                    TokenCheck::ScopeMismatch => return Err(AUTH_SCOPE_MISMATCH.into()),
                    TokenCheck::Unknown if device_token.is_some() => {
                        self.failures.failed(now, login.address, CredentialKind::Device);
                        return Err(AUTH_DEVICE_TOKEN_MISMATCH.into());
                    }
                    TokenCheck::Unknown => {}
                }
            }
            return self.check_shared(now, given, login);
        }
        if let Some(token) = device_token
            && let Some(device_id) = login.device_id
        {
            self.not_locked_out(now, login.address, CredentialKind::Device)?;
            return match self
                .pairing
                .check_token(device_id, &token, login.role, login.scopes)
            {
                TokenCheck::Valid => Ok(Method::DeviceToken),
                TokenCheck::ScopeMismatch => Err(AUTH_SCOPE_MISMATCH.into()),
                TokenCheck::Unknown => {
                    self.failures.failed(now, login.address, CredentialKind::Device);
                    Err(AUTH_DEVICE_TOKEN_MISMATCH.into())
                }
            };
        }
        if let Some(token) = bootstrap
            && let Some(device_id) = login.device_id
        {
            self.not_locked_out(now, login.address, CredentialKind::Bootstrap)?;
            return if self.bootstraps.show(now, &token, device_id).is_some() {
                Ok(Method::BootstrapToken)
            } else {
                self.failures
                    .failed(now, login.address, CredentialKind::Bootstrap);
                Err(AUTH_BOOTSTRAP_TOKEN_INVALID.into())
            };
        }
        Err(match login.device_id {
            None => DEVICE_IDENTITY_REQUIRED,
            Some(_) if self.token.is_some() => AUTH_TOKEN_MISSING,
            Some(_) => AUTH_PASSWORD_MISSING,
        }
        .into())
    }

    /// The shared secret is accepted in `token` and `password` alike.
    fn is_shared(&self, given: [Option<&str>; 2]) -> bool {
        [&self.token, &self.password]
            .into_iter()
            .flatten()
            .any(|known| given.into_iter().flatten().any(|text| text == known.expose()))
    }

    fn check_shared(
        &mut self,
        now: Instant,
        given: [Option<&str>; 2],
        login: &Login<'_>,
    ) -> Result<Method, Denied> {
        self.not_locked_out(now, login.address, CredentialKind::Shared)?;
        if self.is_shared(given) {
            self.failures.succeeded(login.address, CredentialKind::Shared);
            return Ok(if self.token.is_some() {
                Method::Token
            } else {
                Method::Password
            });
        }
        let delay = self.failures.failed(now, login.address, CredentialKind::Shared);
        let code = if self.token.is_some() {
            AUTH_TOKEN_MISMATCH
        } else {
            AUTH_PASSWORD_MISMATCH
        };
        Err(Denied {
            code,
            delay,
            retry_after: None,
        })
    }

    fn not_locked_out(&self, now: Instant, address: IpAddr, kind: CredentialKind) -> Result<(), Denied> {
        match self.failures.locked_out(now, address, kind) {
            None => Ok(()),
            Some(left) => Err(Denied {
                code: AUTH_RATE_LIMITED,
                delay: Duration::ZERO,
                retry_after: Some(left),
            }),
        }
    }
}
