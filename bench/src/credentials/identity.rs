//! One identity, kept small: there may be a million.

use crate::plan::Role;
use clw_core::openclaw::Identity;
use clw_core::secret::Secret;
use std::fmt;

/// What a session shows to be let in, and as whom. Whatever is not given here comes from the flags or the scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    /// Shared token (openclaw), session token (clw), access token (clawchat).
    pub token: Option<Secret>,
    /// The rarer parts; most identities have none and pay one word for them.
    more: Option<Box<More>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct More {
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) password: Option<Secret>,
    pub(crate) device_token: Option<Secret>,
    pub(crate) bootstrap_token: Option<Secret>,
    pub(crate) device: Option<DeviceKey>,
    pub(crate) client_id: Option<Box<str>>,
    pub(crate) role: Option<Role>,
    pub(crate) scopes: Option<Box<[String]>>,
    pub(crate) client_version: Option<Box<str>>,
}

/// Where a device's key comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum DeviceKey {
    /// Derived from this seed.
    Seed(u64),
    /// The 32 bytes of an Ed25519 private key.
    Private([u8; 32]),
}

impl DeviceKey {
    /// The key pair.
    pub fn identity(&self) -> Identity {
        match self {
            Self::Seed(seed) => Identity::derive(*seed, 0),
            Self::Private(bytes) => Identity::from_seed_bytes(bytes),
        }
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceKey(hidden)")
    }
}

impl Credential {
    /// An identity with a token and nothing else.
    pub fn with_token(token: Secret) -> Self {
        Self {
            token: Some(token),
            more: None,
        }
    }

    /// No identity at all.
    pub const fn anonymous() -> Self {
        Self {
            token: None,
            more: None,
        }
    }

    /// Adds a password.
    #[must_use]
    pub fn and_password(mut self, password: Option<Secret>) -> Self {
        if password.is_some() {
            self.more_mut().password = password;
        }
        self
    }

    /// Adds a device token.
    #[must_use]
    pub fn and_device_token(mut self, token: Option<Secret>) -> Self {
        if token.is_some() {
            self.more_mut().device_token = token;
        }
        self
    }

    /// Whether nothing here could let a session in.
    pub fn is_anonymous(&self) -> bool {
        self.token.is_none()
            && self.password().is_none()
            && self.device_token().is_none()
            && self.bootstrap_token().is_none()
    }

    /// What renews the access token (clawchat).
    pub fn refresh_token(&self) -> Option<&Secret> {
        self.more()?.refresh_token.as_ref()
    }

    /// Shared password (openclaw).
    pub fn password(&self) -> Option<&Secret> {
        self.more()?.password.as_ref()
    }

    /// Token of a paired device (openclaw).
    pub fn device_token(&self) -> Option<&Secret> {
        self.more()?.device_token.as_ref()
    }

    /// Token of a setup code (openclaw).
    pub fn bootstrap_token(&self) -> Option<&Secret> {
        self.more()?.bootstrap_token.as_ref()
    }

    /// The device's key.
    pub fn device(&self) -> Option<DeviceKey> {
        self.more()?.device
    }

    /// `client.id` (openclaw), `client_id` (clw).
    pub fn client_id(&self) -> Option<&str> {
        self.more()?.client_id.as_deref()
    }

    /// Role (openclaw).
    pub fn role(&self) -> Option<Role> {
        self.more()?.role
    }

    /// Scopes (openclaw).
    pub fn scopes(&self) -> Option<&[String]> {
        self.more()?.scopes.as_deref()
    }

    /// The version that the client says it has.
    pub fn client_version(&self) -> Option<&str> {
        self.more()?.client_version.as_deref()
    }

    pub(crate) fn more_mut(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    fn more(&self) -> Option<&More> {
        self.more.as_deref()
    }
}
