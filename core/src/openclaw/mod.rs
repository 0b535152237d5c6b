//! The OpenClaw gateway protocol: JSON over WebSocket, a challenge, Ed25519 device identities.
//!
//! Checked against the real gateway, release 2026.9.6. Objects are read leniently: unknown fields, events and newer
//! protocol numbers are ignored.

mod account;
#[cfg(test)]
mod account_laws;
mod admission;
mod authority;
#[cfg(test)]
mod authority_tests;
mod bootstrap;
mod client;
mod connect_schema;
pub mod error_code;
mod gateway;
mod identity;
mod live_devices;
mod login_failures;
mod pairing;
mod scopes;
mod server;
mod server_connect;
mod server_pairing;
mod server_rpc;
#[cfg(test)]
mod server_tests;
mod setup_code;
mod uuid;
mod wire;

pub use account::{Account, Advice, Attempt, Holdings, Precedence, Receipt, RoleToken, Shown};
pub use admission::{ADMISSION_CLOSED, PreauthBudget, refusal_of_http};
pub use authority::{
    Authority, AuthorityConfig, CLOSE_AUTH_CHANGED, CLOSE_DEVICE_REMOVED, Denied, Login, Method,
};
pub use bootstrap::SetupProfile;
pub use client::{Client, ClientConfig, Credentials, Flaw};
pub use error_code::{ErrorCode, refusal_of, refusal_of_close};
pub use gateway::{
    ForcedRefusal, Gateway, GatewayConfig, OLDEST_NODE_PROTOCOL, PROTOCOL, SERVER_VERSION, SessionOptions,
    Timing,
};
pub use identity::{Identity, SignedFields, device_id_of, signature_text_v2, signature_text_v3, verify};
pub use login_failures::{CredentialKind, FailurePolicy, LoginFailures};
pub use pairing::{
    Approval, DeviceClaim, Grant, PairedDevice, Pairing, PendingDevice, TokenCheck, TokenSummary,
};
pub use scopes::{Role, Scopes};
pub use server::Server;
pub use setup_code::{SetupCode, SetupCodeError};
pub use uuid::Uuid;
pub use wire::{
    Auth, Challenge, ClientInfo, ConnectParams, Device, DeviceTokenGrant, ErrorDetails, EventFrame, Frame,
    GrantedAuth, HelloOk, Policy, RequestFrame, ResponseError, ResponseFrame, ServerInfo,
};

/// Default port (protocol page, section 1).
pub const DEFAULT_PORT: u16 = 18789;
