//! The answer to a connect that is accepted.

use super::super::scopes::Scopes;
use super::super::wire::{DeviceTokenGrant, Policy, ServerInfo};
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
pub(super) struct Hello<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) protocol: u32,
    pub(super) server: ServerInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) features: Option<&'a RawValue>,
    pub(super) snapshot: serde_json::Value,
    pub(super) auth: HelloAuth<'a>,
    pub(super) policy: Policy,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HelloAuth<'a> {
    pub(super) method: &'static str,
    pub(super) role: &'static str,
    pub(super) scopes: Scopes,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) device_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) issued_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) device_tokens: Vec<DeviceTokenGrant>,
}
