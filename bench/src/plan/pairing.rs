//! Approval of devices, and where their tokens are kept.

use super::error::{PlanError, UsageError};
use super::load::range;
use super::{Mix, TargetPlan};
use crate::args::PairingArgs;
use crate::credentials::{Credential, Credentials, CredentialsError, Source, read_token_file};
use crate::scenario::PairingTable;
use clap::ValueEnum;
use clw_core::openclaw::SetupCode;
use clw_core::pacing::seconds;
use clw_core::secret::Secret;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The real gateway forgets a request after this.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);

/// What a session does that is told to wait for approval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PairingMode {
    /// It ends: `clw-pairing-required`.
    #[default]
    Off,
    /// It asks again until somebody approves it.
    Wait,
    /// It is approved by an admin session of the run.
    Approve,
}

/// Which credential is shown first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prefer {
    /// The shared secret, as the official client does.
    #[default]
    Shared,
    /// The device's token.
    Device,
}

/// Approval and tokens of devices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pairing {
    /// What a session does that is told to wait for approval.
    pub mode: PairingMode,
    /// How long it waits.
    #[serde(rename = "timeout_s", with = "seconds")]
    pub timeout: Duration,
    /// Where device tokens are kept.
    pub store: Option<PathBuf>,
    /// The file of the shared token: looked at again when a gateway says that the token has changed.
    pub token_file: Option<PathBuf>,
    /// What the admin session shows.
    #[serde(skip)]
    pub admin_token: Option<Secret>,
    /// The shared token that the embedded gateway changes to.
    #[serde(skip)]
    pub next_token: Option<Secret>,
}

impl Default for Pairing {
    fn default() -> Self {
        Self {
            mode: PairingMode::Off,
            timeout: DEFAULT_TIMEOUT,
            store: None,
            token_file: None,
            admin_token: None,
            next_token: None,
        }
    }
}

impl Pairing {
    /// Whether another shared token may turn up in mid-run.
    pub fn may_replace_token(&self) -> bool {
        self.next_token.is_some() || self.token_file.is_some()
    }
}

/// Flags over the scenario's table. The admin's token is put in when the mixes are known.
pub(super) fn resolve(args: &PairingArgs, table: Option<&PairingTable>) -> Result<Pairing, PlanError> {
    let written = table.cloned().unwrap_or_default();
    let mode = args.pairing.or(written.mode).unwrap_or_default();
    let typed_timeout = args.pairing_timeout.or(written.timeout.map(|d| d.0));
    if mode == PairingMode::Off && args.pairing_timeout.is_some() {
        return Err(UsageError::Needs {
            flag: "--pairing-timeout",
            needs: "--pairing wait or approve",
        }
        .into());
    }
    let timeout = typed_timeout.unwrap_or(DEFAULT_TIMEOUT);
    if timeout.is_zero() || timeout > Duration::from_secs(86_400) {
        return Err(range(
            "--pairing-timeout",
            format!("{}s", timeout.as_secs_f64()),
            "1ms to 24h",
        )
        .into());
    }
    let admin_token = match &args.admin_token_file {
        Some(_) if mode != PairingMode::Approve => {
            return Err(UsageError::Needs {
                flag: "--admin-token-file",
                needs: "--pairing approve",
            }
            .into());
        }
        Some(path) => Some(read_token_file(path).map_err(|error| PlanError::Credentials {
            flag: "--admin-token-file",
            error,
        })?),
        None => None,
    };
    Ok(Pairing {
        mode,
        timeout,
        store: args.credential_store.clone(),
        admin_token,
        ..Pairing::default()
    })
}

/// The admin session shows the shared secret of the sessions, if it was given none of its own.
pub(super) fn find_admin(pairing: &mut Pairing, mixes: &[Mix], embedded: &Secret) -> Result<(), UsageError> {
    if pairing.mode != PairingMode::Approve || pairing.admin_token.is_some() {
        return Ok(());
    }
    let is_embedded = mixes.iter().any(|mix| mix.target == TargetPlan::Embedded);
    let shared = mixes.iter().find_map(|mix| {
        let first = mix.credentials.get(0);
        first.token.as_ref().or(first.password()).cloned()
    });
    pairing.admin_token = if is_embedded {
        Some(embedded.clone())
    } else {
        shared
    };
    if pairing.admin_token.is_none() {
        return Err(UsageError::Needs {
            flag: "--pairing approve",
            needs: "a shared token for its admin session: --admin-token-file, --token-file or CLW_TOKEN",
        });
    }
    Ok(())
}

/// `--setup-code`: what it holds.
pub(super) fn setup_code(typed: Option<&str>) -> Result<Option<SetupCode>, PlanError> {
    let Some(typed) = typed else { return Ok(None) };
    let text = match typed.strip_prefix('@') {
        Some(path) => read_token_file(Path::new(path))
            .map_err(|error| PlanError::Credentials {
                flag: "--setup-code",
                error,
            })?
            .expose()
            .to_owned(),
        None => typed.to_owned(),
    };
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    SetupCode::decode(&text, Some(now_ms))
        .map(Some)
        .map_err(|error| PlanError::Credentials {
            flag: "--setup-code",
            error: CredentialsError::SetupCode(error),
        })
}

/// The identity of whoever comes with a setup code, beside the shared token if there is one.
pub(super) fn with_setup_code(credentials: &Credentials, code: SetupCode) -> Credentials {
    let first = credentials.get(0).clone();
    Credentials::single(
        Source::Flags,
        first.and_bootstrap_token(Some(code.bootstrap_token)),
    )
}

impl Credential {
    /// Adds the token of a setup code.
    #[must_use]
    pub fn and_bootstrap_token(mut self, token: Option<Secret>) -> Self {
        if token.is_some() {
            self.more_mut().bootstrap_token = token;
        }
        self
    }
}
