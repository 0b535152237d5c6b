//! Who may come in: what all sessions of one gateway share.

use super::error_code::{
    AUTH_BOOTSTRAP_TOKEN_INVALID, AUTH_DEVICE_TOKEN_MISMATCH, AUTH_PASSWORD_MISMATCH, AUTH_PASSWORD_MISSING,
    AUTH_RATE_LIMITED, AUTH_SCOPE_MISMATCH, AUTH_TOKEN_MISMATCH, AUTH_TOKEN_MISSING,
    DEVICE_IDENTITY_REQUIRED, ErrorCode,
};
use super::login_failures::{CredentialKind, FailurePolicy, LoginFailures};
use super::pairing::{Approval, DeviceClaim, Grant, PairedDevice, Pairing, PendingDevice, TokenCheck};
use super::scopes::{Role, Scopes};
use super::uuid::Uuid;
use super::wire::Auth;
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

/// How long a setup code is good.
const BOOTSTRAP_LIFETIME: Duration = Duration::from_secs(600);
/// Setup codes that may be open at once.
const MAX_BOOTSTRAP_TOKENS: usize = 10_000;

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
    bootstrap: Vec<(Secret, Instant)>,
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
            bootstrap: Vec::new(),
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

    /// Lets a device in whose login was accepted: its token, or the approval that it needs.
    pub fn admit_device(
        &self,
        claim: &DeviceClaim<'_>,
        local: bool,
        method: Method,
        now_ms: i64,
    ) -> Result<Grant, Approval> {
        let mut state = self.state();
        let reason = match state.pairing.grant(claim) {
            Ok(grant) => return Ok(grant),
            Err(reason) => reason,
        };
        if local && state.auto_approve_local || method == Method::BootstrapToken {
            let token = state.new_token();
            return Ok(state.pairing.approve(claim, token, now_ms));
        }
        let fresh = Uuid::from_random(state.random.random()).to_string();
        Err(Approval {
            request_id: state.pairing.wait(claim, fresh, now_ms),
            reason,
        })
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

    /// Makes a setup code's token: good once, for ten minutes.
    pub fn issue_bootstrap_token(&self, now: Instant) -> Secret {
        let mut state = self.state();
        let token = state.new_token();
        state.bootstrap.retain(|(_, until)| *until > now);
        if state.bootstrap.len() >= MAX_BOOTSTRAP_TOKENS {
            state.bootstrap.remove(0);
        }
        state.bootstrap.push((token.clone(), now + BOOTSTRAP_LIFETIME));
        token
    }

    /// Replaces the shared token. Sessions of an older [`Authority::generation`] are to be closed with
    /// [`CLOSE_AUTH_CHANGED`].
    pub fn rotate_token(&self, token: Secret) {
        let mut state = self.state();
        state.token = Some(token);
        state.generation += 1;
    }

    /// Forgets a device and its tokens; returns whether it was known.
    pub fn revoke_device(&self, device_id: &str) -> bool {
        self.state().pairing.revoke(device_id)
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
            if let Some(device_id) = login.device_id
                && let Some(token) = &token
                && !self.is_shared(given)
            {
                // A device token may come in `token` as well.
                match self
                    .pairing
                    .check_token(device_id, token, login.role, login.scopes)
                {
                    TokenCheck::Valid => return Ok(Method::DeviceToken),
                    TokenCheck::ScopeMismatch => return Err(AUTH_SCOPE_MISMATCH.into()),
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
            && login.device_id.is_some()
        {
            self.not_locked_out(now, login.address, CredentialKind::Bootstrap)?;
            let open = self
                .bootstrap
                .iter()
                .position(|(known, until)| known.expose() == token && *until > now);
            return if let Some(at) = open {
                self.bootstrap.remove(at);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const LOGIN: Login<'_> = Login {
        address: HERE,
        device_id: None,
        role: Role::Operator,
        scopes: Scopes::READ,
    };

    fn authority(failures: FailurePolicy) -> Authority {
        Authority::new(AuthorityConfig {
            token: Some(Secret::new("test-token")),
            failures,
            ..AuthorityConfig::default()
        })
    }

    fn auth(set: impl FnOnce(&mut Auth)) -> Auth {
        let mut auth = Auth::default();
        set(&mut auth);
        auth
    }

    fn code(result: Result<Method, Denied>) -> &'static str {
        result.map_or_else(|denied| denied.code.details, Method::name)
    }

    #[test]
    fn the_shared_token_is_accepted_in_token_and_password() {
        let authority = authority(FailurePolicy::Open);
        let check = |auth: &Auth| code(authority.check(Instant::ORIGIN, auth, &LOGIN));
        assert_eq!(check(&auth(|a| a.token = Some("test-token".into()))), "token");
        assert_eq!(check(&auth(|a| a.password = Some("test-token".into()))), "token");
        assert_eq!(
            check(&auth(|a| a.password = Some("x".into()))),
            "AUTH_TOKEN_MISMATCH"
        );
        assert_eq!(check(&Auth::default()), "DEVICE_IDENTITY_REQUIRED");
        assert_eq!(
            check(&auth(|a| a.token = Some(String::new()))),
            "DEVICE_IDENTITY_REQUIRED"
        );
    }

    #[test]
    fn without_a_secret_everybody_comes_in() {
        let open = Authority::new(AuthorityConfig::default());
        assert_eq!(
            code(open.check(Instant::ORIGIN, &Auth::default(), &LOGIN)),
            "none"
        );
    }

    #[test]
    fn a_lock_out_refuses_the_right_token_too() {
        let authority = authority(FailurePolicy::LockOut);
        let wrong = auth(|a| a.token = Some("x".into()));
        for _ in 0..10 {
            assert_eq!(
                code(authority.check(Instant::ORIGIN, &wrong, &LOGIN)),
                "AUTH_TOKEN_MISMATCH"
            );
        }
        let right = auth(|a| a.token = Some("test-token".into()));
        let denied = authority.check(Instant::ORIGIN, &right, &LOGIN).unwrap_err();
        assert_eq!(denied.code, AUTH_RATE_LIMITED);
        assert_eq!(denied.retry_after, Some(Duration::from_secs(300)));
        let later = Instant::ORIGIN + Duration::from_secs(300);
        assert_eq!(code(authority.check(later, &right, &LOGIN)), "token");
    }

    #[test]
    fn a_setup_code_is_good_once_and_for_ten_minutes() {
        let authority = authority(FailurePolicy::Open);
        let login = Login {
            device_id: Some("d"),
            ..LOGIN
        };
        let token = authority.issue_bootstrap_token(Instant::ORIGIN);
        let shown = auth(|a| a.bootstrap_token = Some(token.expose().to_owned()));
        let check = |now, auth: &Auth| code(authority.check(now, auth, &login));
        assert_eq!(check(Instant::ORIGIN, &shown), "bootstrap-token");
        assert_eq!(check(Instant::ORIGIN, &shown), "AUTH_BOOTSTRAP_TOKEN_INVALID");
        let token = authority.issue_bootstrap_token(Instant::ORIGIN);
        let shown = auth(|a| a.bootstrap_token = Some(token.expose().to_owned()));
        let late = Instant::ORIGIN + BOOTSTRAP_LIFETIME;
        assert_eq!(check(late, &shown), "AUTH_BOOTSTRAP_TOKEN_INVALID");
    }

    #[test]
    fn device_tokens_are_told_apart_from_shared_ones() {
        let authority = authority(FailurePolicy::Open);
        let claim = DeviceClaim {
            device_id: "d",
            public_key: "key",
            client_id: "cli",
            client_mode: "cli",
            platform: "linux",
            role: Role::Operator,
            scopes: Scopes::READ,
        };
        let token = authority.pair(&claim, 1);
        let login = Login {
            device_id: Some("d"),
            ..LOGIN
        };
        let wide = Login {
            scopes: Scopes::ADMIN,
            ..login
        };
        let in_token = auth(|a| a.token = Some(token.expose().to_owned()));
        let in_device_token = auth(|a| a.device_token = Some(token.expose().to_owned()));
        let unknown = auth(|a| a.device_token = Some("x".into()));
        let check = |auth: &Auth, login: &Login<'_>| code(authority.check(Instant::ORIGIN, auth, login));
        assert_eq!(check(&in_token, &login), "device-token");
        assert_eq!(check(&in_device_token, &login), "device-token");
        assert_eq!(check(&in_device_token, &wide), "AUTH_SCOPE_MISMATCH");
        assert_eq!(check(&unknown, &login), "AUTH_DEVICE_TOKEN_MISMATCH");
        assert_eq!(check(&Auth::default(), &login), "AUTH_TOKEN_MISSING");
        assert!(authority.revoke_device("d"));
        assert_eq!(check(&in_device_token, &login), "AUTH_DEVICE_TOKEN_MISMATCH");
    }

    #[test]
    fn rotation_invalidates_the_old_token() {
        let authority = authority(FailurePolicy::Open);
        let before = authority.generation();
        authority.rotate_token(Secret::new("new"));
        assert!(authority.generation() > before);
        let old = auth(|a| a.token = Some("test-token".into()));
        let new = auth(|a| a.token = Some("new".into()));
        assert_eq!(
            code(authority.check(Instant::ORIGIN, &old, &LOGIN)),
            "AUTH_TOKEN_MISMATCH"
        );
        assert_eq!(code(authority.check(Instant::ORIGIN, &new, &LOGIN)), "token");
    }

    #[test]
    fn ids_are_uuids_and_repeat_with_the_seed() {
        let (a, b) = (authority(FailurePolicy::Open), authority(FailurePolicy::Open));
        let id = a.uuid().to_string();
        assert_eq!(id, b.uuid().to_string());
        assert_ne!(id, a.uuid().to_string());
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "4");
    }
}
