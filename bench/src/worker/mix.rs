//! From the plan's kinds of sessions to the machines that speak for them.

use super::account::Account;
use super::link::Target;
use super::session::SessionState;
use super::token_command::TokenCommand;
use crate::plan::{ClwWire, Flaw, Mix, Plan, Plugin, Reading, Role, SessionSettings};
use clw_core::openclaw::{self, ClientInfo, Credentials};
use clw_core::secret::Secret;
use clw_core::session::{ClientConfig, ClientDialect};
use clw_core::{Dialect, clawchat, clw};
use std::sync::Arc;

/// Largest message that a client takes, bytes; the real gateway's hello-ok is 15 kB.
const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// Ids of clients that live in a browser (protocol page, section 1).
const BROWSER_CLIENTS: [&str; 3] = ["openclaw-control-ui", "webchat-ui", "openclaw-browser-copilot"];

/// What the sessions of one kind share.
pub struct Kind {
    /// Where they connect to.
    pub target: Target,
    /// Upgrade and limits.
    pub connection: Arc<ClientConfig>,
    operator: Arc<openclaw::ClientConfig>,
    node: Arc<openclaw::ClientConfig>,
    clw: Arc<clw::ClientConfig>,
    clawchat: Arc<clawchat::ClientConfig>,
    /// The secret that CLW's and ClawChat's tokens are derived from, where all sessions have the same.
    common_secret: Option<Arc<Secret>>,
    /// Where tokens come from, if not from the credentials.
    pub(super) token_command: Option<TokenCommand>,
    /// Credentials of sessions without a device, where all have the same.
    common: Option<Arc<Credentials>>,
}

impl Kind {
    /// Prepares a kind whose sessions connect to `target`; `host` and `path` go into the request.
    pub fn new(mix: &Mix, target: Target, host: String, path: String, flaw: Option<Flaw>) -> Self {
        let flaw = flaw.or(mix.flaw);
        let origin = mix.origin.clone().or_else(|| {
            // The gateway lets a browser's client in from its own page only.
            let needs_one = BROWSER_CLIENTS.contains(&mix.settings(mix.role).client_id.as_str());
            let scheme = if target.has_tls() { "https" } else { "http" };
            needs_one.then(|| format!("{scheme}://{host}"))
        });
        let config = |role: Role| {
            let settings = mix.settings(role);
            Arc::new(openclaw_config(
                mix,
                role,
                &settings.client_id,
                &settings.client_mode,
                &settings.scopes,
                &mix.client_version,
                flaw,
            ))
        };
        Self {
            token_command: mix.token_command.clone().map(TokenCommand::new),
            connection: Arc::new(ClientConfig {
                host,
                target: path,
                user_agent: mix.user_agent.clone(),
                origin,
                timeout: mix.timeout,
                max_message_bytes: MAX_MESSAGE_BYTES,
                handshake_timeout: None,
                answer_pings: flaw != Some(Flaw::NoPong),
            }),
            clw: Arc::new(clw_config(mix, &target, flaw)),
            clawchat: Arc::new(clawchat_config(mix, flaw)),
            common_secret: (mix.credentials.len() <= 1)
                .then(|| mix.credentials.get(0).token.clone())
                .flatten()
                .map(Arc::new),
            operator: config(Role::Operator),
            node: config(Role::Node),
            target,
            common: (mix.credentials.len() <= 1)
                .then(|| Arc::new(credentials(&mix.credentials.get(0).clone()))),
        }
    }

    /// The shared token of a session.
    pub fn token(&self, settings: &SessionSettings<'_>) -> Option<Secret> {
        settings.credential.token.clone()
    }

    /// The token of a session, or the secret that it makes its tokens from.
    pub fn secret(&self, settings: &SessionSettings<'_>) -> Arc<Secret> {
        match (&self.common_secret, &settings.credential.token) {
            (Some(secret), _) => secret.clone(),
            (None, token) => Arc::new(token.clone().unwrap_or_else(|| Secret::new(""))),
        }
    }

    /// The machine of the session that `settings` describe.
    pub(super) fn dialect(
        &self,
        settings: &SessionSettings<'_>,
        state: &SessionState,
        seed: u64,
        flaw: Option<Flaw>,
    ) -> Box<dyn ClientDialect> {
        match &state.account {
            Some(Account::Clw(account)) => {
                return Box::new(clw::Client::new(self.clw.clone(), account.clone()));
            }
            Some(Account::Clawchat(account)) => {
                return Box::new(clawchat::Client::new(
                    self.clawchat.clone(),
                    account.clone(),
                    seed,
                ));
            }
            Some(Account::Openclaw(_)) | None => {}
        }
        let usual = match settings.role {
            Role::Operator => &self.operator,
            Role::Node => &self.node,
        };
        let credential = settings.credential;
        let special = credential.client_id().is_some()
            || credential.scopes().is_some()
            || credential.client_version().is_some();
        let config = if special {
            Arc::new(openclaw_config(
                settings.mix,
                settings.role,
                settings.client_id,
                settings.client_mode,
                settings.scopes,
                settings.client_version,
                flaw,
            ))
        } else {
            usual.clone()
        };
        if let Some(device) = state.account.as_ref().and_then(Account::openclaw) {
            let identity = device.identity.as_deref().cloned();
            let client = openclaw::Client::of_account(config.clone(), device.account.clone(), identity);
            // Recovery does not connect again when nothing is left to be shown.
            return Box::new(
                client.unwrap_or_else(|| openclaw::Client::new(config, Arc::new(Credentials::default()))),
            );
        }
        let proof = match (&self.common, &state.token) {
            (Some(common), None) if !settings.has_device() => common.clone(),
            (_, asked) => {
                let shown = credentials(credential);
                Arc::new(Credentials {
                    identity: settings.identity(),
                    token: asked.clone().or(shown.token),
                    ..shown
                })
            }
        };
        Box::new(openclaw::Client::new(config, proof))
    }
}

/// CLW's settings of a kind.
fn clw_config(mix: &Mix, target: &Target, flaw: Option<Flaw>) -> clw::ClientConfig {
    let wire = match mix.wire {
        ClwWire::V2_1 => clw::WireVersion::V2_1,
        ClwWire::V2_2 => clw::WireVersion::V2_2,
    };
    let defaults = clw::ClientConfig::new(wire);
    clw::ClientConfig {
        wire,
        beats: mix.heartbeat.map_or(clw::Beats::Off, clw::Beats::Every),
        pong_timeout: mix.heartbeat_timeout,
        refresh_lead: defaults.refresh_lead.filter(|_| mix.refresh),
        flaw: match flaw {
            Some(Flaw::NoConnect) => Some(clw::Flaw::NoHello),
            Some(Flaw::NotJson) => Some(clw::Flaw::NotJson),
            Some(Flaw::WrongFirst) => Some(clw::Flaw::WrongFirst),
            Some(Flaw::BadSignature | Flaw::NoPong | Flaw::Leave) | None => None,
        },
        client_version: mix.client_version.clone(),
        resume: mix.resume,
        // The bad network inside the process does not reach them.
        datagrams: mix.udp_heartbeat && target.impair.is_none(),
    }
}

/// ClawChat's settings of a kind.
fn clawchat_config(mix: &Mix, flaw: Option<Flaw>) -> clawchat::ClientConfig {
    clawchat::ClientConfig {
        beats: match mix.plugin {
            Plugin::Openclaw => clawchat::Beats::Json,
            Plugin::Hermes => clawchat::Beats::WebSocket,
        },
        ping_period: mix.heartbeat,
        pong_timeout: mix.heartbeat_timeout,
        reading: reading(mix.reading),
        refresh: mix.refresh,
        flaw: match flaw {
            Some(Flaw::NoConnect) => Some(clawchat::Flaw::NoConnect),
            Some(Flaw::NotJson) => Some(clawchat::Flaw::NotJson),
            Some(Flaw::WrongFirst) => Some(clawchat::Flaw::WrongFirst),
            Some(Flaw::BadSignature | Flaw::NoPong | Flaw::Leave) | None => None,
        },
    }
}

/// How the clients of a kind read a refusal.
pub fn reading(reading: Reading) -> clawchat::Reading {
    match reading {
        Reading::Seed => clawchat::Reading::Seed,
        Reading::Current => clawchat::Reading::Current,
    }
}

fn credentials(credential: &crate::credentials::Credential) -> Credentials {
    Credentials {
        token: credential.token.clone(),
        password: credential.password().cloned(),
        device_token: credential.device_token().cloned(),
        bootstrap_token: credential.bootstrap_token().cloned(),
        identity: None,
    }
}

fn openclaw_config(
    mix: &Mix,
    role: Role,
    client_id: &str,
    client_mode: &str,
    scopes: &[String],
    version: &str,
    flaw: Option<Flaw>,
) -> openclaw::ClientConfig {
    openclaw::ClientConfig {
        client: ClientInfo {
            id: client_id.to_owned(),
            version: version.to_owned(),
            platform: mix.platform.clone(),
            mode: client_mode.to_owned(),
            display_name: None,
            device_family: mix.device_family.clone(),
            model_identifier: None,
            build_id: None,
            time_zone: None,
            instance_id: None,
        },
        role: role.name().to_owned(),
        scopes: scopes.to_vec(),
        protocols: (4, 4),
        user_agent: Some(mix.user_agent.clone()),
        ping_period: mix.heartbeat,
        ping_timeout: mix.heartbeat_timeout,
        leave_code: mix.leave_code,
        watch_ticks: true,
        flaw: match flaw {
            Some(Flaw::BadSignature) => Some(openclaw::Flaw::BadSignature),
            Some(Flaw::NoConnect) => Some(openclaw::Flaw::NoConnect),
            Some(Flaw::NotJson) => Some(openclaw::Flaw::NotJson),
            Some(Flaw::WrongFirst) => Some(openclaw::Flaw::WrongFirst),
            Some(Flaw::Leave) => Some(openclaw::Flaw::Leave),
            Some(Flaw::NoPong) | None => None,
        },
    }
}

/// Who a session is, without what it proves itself with.
pub fn identity_name(settings: &SessionSettings<'_>, plan: &Plan) -> String {
    if settings.has_device() {
        return settings
            .identity()
            .map(|identity| identity.device_id)
            .unwrap_or_default();
    }
    let credential = settings.credential;
    let secret = credential
        .token
        .as_ref()
        .or_else(|| credential.password())
        .or_else(|| credential.device_token());
    match secret {
        Some(secret) => secret.fingerprint(),
        None if settings.mix.token_command.is_some() => settings.client_id.to_owned(),
        None if plan.dialect == Dialect::Openclaw => "anonymous".to_owned(),
        None => settings.client_id.to_owned(),
    }
}
