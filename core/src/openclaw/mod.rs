//! The OpenClaw gateway protocol: JSON over WebSocket, a challenge, Ed25519 device identities.
//!
//! Checked against the real gateway, release 2026.9.6. Objects are read leniently: unknown fields, events and newer
//! protocol numbers are ignored.

pub mod error_code;
mod client;
mod identity;
mod wire;

pub use error_code::{ErrorCode, refusal_of, refusal_of_close};
pub use client::{Client, ClientConfig, Credentials, Flaw};
pub use identity::{Identity, SignedFields, device_id_of, signature_text_v2, signature_text_v3, verify};
pub use wire::{
    Auth, Challenge, ClientInfo, ConnectParams, Device, DeviceTokenGrant, ErrorDetails, EventFrame, Frame,
    GrantedAuth, HelloOk, Policy, RequestFrame, ResponseError, ResponseFrame, ServerInfo,
};
