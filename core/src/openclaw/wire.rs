//! The JSON objects of the protocol (protocol page, sections 2, 3 and 6).
//!
//! One set of types for both sides. Reading is lenient; [`ConnectParams`] is as strict as the real gateway (closed
//! objects), because a server must refuse what the real one refuses.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Any frame, read just far enough to know what to do with it.
#[derive(Debug, Deserialize)]
pub struct Frame<'a> {
    /// `req`, `res` or `event`.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// Request and response: the id that joins them.
    #[serde(borrow, default)]
    pub id: Option<Cow<'a, str>>,
    /// Request: the method.
    #[serde(borrow, default)]
    pub method: Option<Cow<'a, str>>,
    /// Request: its parameters, unread.
    #[serde(borrow, default)]
    pub params: Option<&'a RawValue>,
    /// Event: its name.
    #[serde(borrow, default)]
    pub event: Option<Cow<'a, str>>,
    /// Response: success.
    #[serde(default)]
    pub ok: Option<bool>,
    /// Response and event: what it carries, unread.
    #[serde(borrow, default)]
    pub payload: Option<&'a RawValue>,
    /// Response: the error.
    #[serde(default)]
    pub error: Option<ResponseError>,
    /// Event: broadcast counter of this connection, from 1.
    #[serde(default)]
    pub seq: Option<u64>,
}

/// A request, to be written.
#[derive(Debug, Serialize)]
pub struct RequestFrame<'a, P> {
    /// Always `req`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Unique among the connection's open requests.
    pub id: &'a str,
    /// Method name.
    pub method: &'a str,
    /// Parameters.
    pub params: P,
}

/// A response, to be written.
#[derive(Debug, Serialize)]
pub struct ResponseFrame<'a, P> {
    /// Always `res`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The request's id.
    pub id: &'a str,
    /// Success.
    pub ok: bool,
    /// With success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<P>,
    /// With failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ResponseError>,
}

/// An event, to be written.
#[derive(Debug, Serialize)]
pub struct EventFrame<'a, P> {
    /// Always `event`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Name.
    pub event: &'a str,
    /// What it carries.
    pub payload: P,
    /// Broadcast counter; the challenge has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

/// A failed response's `error`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResponseError {
    /// `INVALID_REQUEST`, `NOT_PAIRED`, `FORBIDDEN`, `UNAVAILABLE` …
    #[serde(default)]
    pub code: String,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// For programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<ErrorDetails>,
    /// Whether trying again can help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
    /// When to try again, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// `error.details`, as far as this project branches on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorDetails {
    /// `AUTH_TOKEN_MISMATCH`, `PAIRING_REQUIRED` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// For `UNAVAILABLE` (`startup-sidecars`, `gateway-restarting`) and `PAIRING_REQUIRED` (`not-paired` …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The pairing request's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What the server advises: `update_auth_credentials`, `wait_then_retry` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommended_next_step: Option<String>,
    /// `token_mismatch` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_reason: Option<String>,
    /// Whether a stored device token may be tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub can_retry_with_device_token: Option<bool>,
    /// With `PAIRING_REQUIRED`: `false` asks the client to go on connecting while it waits for approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_reconnect: Option<bool>,
    /// With `PROTOCOL_MISMATCH`: what the server speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_protocol: Option<u32>,
}

/// Payload of `connect.challenge`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge<'a> {
    /// A UUID, to be signed.
    #[serde(borrow)]
    pub nonce: Cow<'a, str>,
    /// The gateway's clock, milliseconds since 1970.
    #[serde(default)]
    pub ts: i64,
}

/// `connect` parameters. Every object is closed, as in the real gateway.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectParams {
    /// Lowest protocol the client speaks.
    pub min_protocol: u32,
    /// Highest protocol the client speaks.
    pub max_protocol: u32,
    /// Who connects.
    pub client: ClientInfo,
    /// `operator` (default) or `node`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Scopes asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// A node's capabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caps: Option<Vec<String>>,
    /// A node's commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<Vec<String>>,
    /// A node's permissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<serde_json::Map<String, serde_json::Value>>,
    /// A node's PATH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_env: Option<String>,
    /// Credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Proof of a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// E.g. `en-US`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// `connect` → `client`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientInfo {
    /// One of a closed list: `gateway-client`, `cli`, `node-host` …
    pub id: String,
    /// Not empty.
    pub version: String,
    /// Not empty.
    pub platform: String,
    /// One of a closed list: `backend`, `cli`, `node` …
    pub mode: String,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Part of what a device signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_family: Option<String>,
    /// Hardware model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_identifier: Option<String>,
    /// Build of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// IANA name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// One per running client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
}

/// `connect` → `auth`. Holds secrets: no `Debug`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Auth {
    /// Shared token (or a device token).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Shared password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// A token issued to this device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_token: Option<String>,
    /// From a setup code, single use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap_token: Option<String>,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auth { .. }")
    }
}

/// `connect` → `device`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Device {
    /// Lower-case hex SHA-256 of the raw public key.
    pub id: String,
    /// Base64url without padding.
    pub public_key: String,
    /// Base64url without padding.
    pub signature: String,
    /// Milliseconds since 1970.
    pub signed_at: i64,
    /// The challenge's.
    pub nonce: String,
}

/// Payload of the answer to `connect`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HelloOk {
    /// `hello-ok`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Protocol that was agreed on.
    pub protocol: u32,
    /// Who answered.
    pub server: ServerInfo,
    /// What was granted.
    pub auth: GrantedAuth,
    /// Limits and timers.
    pub policy: Policy,
}

/// `hello-ok` → `server`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServerInfo {
    /// Release.
    pub version: String,
    /// Changes at every start.
    pub boot_id: String,
    /// What the gateway's log calls `conn=`.
    pub conn_id: String,
}

/// `hello-ok` → `auth`. Holds secrets: no `Debug`.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GrantedAuth {
    /// `token`, `password`, `device-token` …
    pub method: String,
    /// Role granted.
    pub role: String,
    /// Scopes granted.
    pub scopes: Vec<String>,
    /// Only with a paired device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_token: Option<String>,
    /// With `device_token`, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_at_ms: Option<i64>,
    /// Only after a setup-code hand-over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub device_tokens: Vec<DeviceTokenGrant>,
}

impl std::fmt::Debug for GrantedAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrantedAuth")
            .field("method", &self.method)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// One of `hello-ok` → `auth.deviceTokens[]`. Holds secrets: no `Debug`.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeviceTokenGrant {
    /// The token.
    pub device_token: String,
    /// The role it is for.
    pub role: String,
    /// Its scopes.
    pub scopes: Vec<String>,
    /// Milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_at_ms: Option<i64>,
}

/// `hello-ok` → `policy`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Policy {
    /// Largest message after hello-ok, bytes.
    pub max_payload: u64,
    /// Most that is buffered for one client, bytes.
    pub max_buffered_bytes: u64,
    /// Period of the `tick` event, milliseconds.
    pub tick_interval_ms: u64,
}
