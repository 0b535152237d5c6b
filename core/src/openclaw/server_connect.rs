//! The verdict on a connect: who is in, with what, or why not.

use super::authority::{Admitted, Authority, Login, Method};
use super::error_code::{
    AUTH_RATE_LIMITED, AUTH_TOKEN_MISMATCH, CONTROL_UI_ORIGIN_NOT_ALLOWED, DEVICE_AUTH_DEVICE_ID_MISMATCH,
    DEVICE_AUTH_NONCE_MISMATCH, DEVICE_AUTH_NONCE_REQUIRED, DEVICE_AUTH_SIGNATURE_EXPIRED,
    DEVICE_AUTH_SIGNATURE_INVALID, DEVICE_IDENTITY_REQUIRED, ErrorCode, PAIRING_REQUIRED, PROTOCOL_MISMATCH,
};
use super::gateway::{ForcedRefusal, Gateway, OLDEST_NODE_PROTOCOL};
use super::identity::{SignedFields, device_id_of, signature_text_v2, signature_text_v3, verify};
use super::pairing::{Approval, DeviceClaim, Grant};
use super::scopes::{Role, Scopes};
use super::wire::{Auth, ConnectParams, Device, ErrorDetails, ResponseError};
use crate::secret::Secret;
use crate::time::Instant;
use std::net::IpAddr;
use std::time::Duration;

/// A device's signature may be that much off the gateway's clock.
const SIGNATURE_AGE_MS: u64 = 120_000;
/// Reasons in close frames are cut here, bytes.
const MAX_REASON_BYTES: usize = 120;

/// What a connect is judged by, besides its parameters.
pub(super) struct Circumstances<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) now: Instant,
    pub(super) address: IpAddr,
    pub(super) nonce: &'a str,
    pub(super) host: &'a str,
    pub(super) origin: Option<&'a str>,
    pub(super) refuse: Option<ForcedRefusal>,
}

/// A client that is in.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) protocol: u32,
    pub(super) role: Role,
    pub(super) scopes: Scopes,
    pub(super) method: Method,
    pub(super) grant: Option<Grant>,
    /// Tokens for other roles that a setup code handed over.
    pub(super) extra: Vec<(Role, Grant)>,
}

/// A client that is not: the answer, then the close.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) error: Box<ResponseError>,
    pub(super) close: u16,
    pub(super) reason: String,
    /// For counters: the most specific code of the wire.
    pub(super) code: &'static str,
    /// How long the answer is held back.
    pub(super) delay: Duration,
}

impl Refused {
    /// Without details: the message itself was wrong.
    pub(super) fn invalid(message: String) -> Self {
        Self {
            reason: cut(&message),
            error: Box::new(ResponseError {
                code: "INVALID_REQUEST".to_owned(),
                message,
                ..ResponseError::default()
            }),
            close: 1008,
            code: "INVALID_REQUEST",
            delay: Duration::ZERO,
        }
    }

    fn unavailable(reason: Option<&'static str>, message: &str, retry_after_ms: u64) -> Self {
        let details = reason.map(|reason| ErrorDetails {
            reason: Some(reason.to_owned()),
            ..ErrorDetails::default()
        });
        Self {
            error: Box::new(ResponseError {
                code: "UNAVAILABLE".to_owned(),
                message: message.to_owned(),
                details,
                retryable: Some(true),
                retry_after_ms: Some(retry_after_ms),
            }),
            close: 1013,
            reason: message.to_owned(),
            code: reason.unwrap_or("UNAVAILABLE"),
            delay: Duration::ZERO,
        }
    }
}

impl From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Self {
        Self {
            error: Box::new(code.error()),
            close: code.close,
            reason: cut(code.message),
            code: code.details,
            delay: Duration::ZERO,
        }
    }
}

/// Judges a connect that satisfies the schema, in the real gateway's order.
pub(super) fn judge(params: &ConnectParams, at: &Circumstances<'_>) -> Result<Accepted, Refused> {
    if let Some(refusal) = at.refuse {
        return Err(forced(refusal, params));
    }
    let protocol = agree_on_protocol(params, at.gateway.config.protocol)?;
    let role =
        Role::from_name(params.role.as_deref()).ok_or_else(|| Refused::invalid("invalid role".to_owned()))?;
    check_origin(params, at)?;
    let wall_ms = at.gateway.wall_ms(at.now);
    if let Some(device) = &params.device {
        check_device(device, params, at.nonce, wall_ms)?;
    }
    let asked = Scopes::of(params.scopes.as_deref().unwrap_or_default());
    let scopes = if role == Role::Node { Scopes::NONE } else { asked };
    let authority: &Authority = &at.gateway.authority;
    let none = Auth::default();
    let login = Login {
        address: at.address,
        device_id: params.device.as_ref().map(|device| device.id.as_str()),
        role,
        scopes,
    };
    let method = authority
        .check(at.now, params.auth.as_ref().unwrap_or(&none), &login)
        .map_err(|denied| {
            let mut refused = Refused::from(denied.code);
            refused.delay = denied.delay;
            refused.error.retry_after_ms = denied.retry_after.map(|left| crate::time::micros(left) / 1000);
            refused.error.retryable = denied.retry_after.map(|_| true);
            if denied.code == AUTH_TOKEN_MISMATCH
                && params.device.is_some()
                && let Some(details) = &mut refused.error.details
            {
                details.can_retry_with_device_token = Some(true);
                details.recommended_next_step = Some("retry_with_device_token".to_owned());
            }
            refused
        })?;
    let client = &params.client;
    let is_backend = client.id == "gateway-client" && client.mode == "backend";
    let mut accepted = Accepted {
        protocol,
        role,
        scopes,
        method,
        grant: None,
        extra: Vec::new(),
    };
    let by_shared_secret = matches!(method, Method::Token | Method::Password | Method::None);
    match &params.device {
        None if role == Role::Node => return Err(DEVICE_IDENTITY_REQUIRED.into()),
        None => {
            let keeps_scopes = is_backend || client.id == "cli" && client.mode == "cli";
            if !keeps_scopes || at.origin.is_some() {
                accepted.scopes = Scopes::NONE;
            }
        }
        Some(_) if is_backend && role == Role::Operator && by_shared_secret => {}
        Some(device) => {
            let claim = DeviceClaim {
                device_id: &device.id,
                public_key: &device.public_key,
                client_id: &client.id,
                client_mode: &client.mode,
                platform: &client.platform,
                role,
                scopes,
            };
            let local = at.address.is_loopback() && is_loopback_host(at.host);
            let code = params
                .auth
                .as_ref()
                .and_then(|auth| auth.bootstrap_token.as_deref());
            let bootstrap = code
                .filter(|_| method == Method::BootstrapToken)
                .map(|token| (token, client));
            // A node that shows a setup code is asked to go on connecting until it is approved.
            let waits = bootstrap.is_some() && role == Role::Node;
            let Admitted { grant, extra } = authority
                .admit_device(&claim, local, bootstrap, (at.now, wall_ms))
                .map_err(|approval| pairing_required(&approval, waits))?;
            accepted.grant = Some(grant);
            accepted.extra = extra;
        }
    }
    Ok(accepted)
}

fn forced(refusal: ForcedRefusal, params: &ConnectParams) -> Refused {
    if let Some((reason, message, retry_after_ms)) = refusal.unavailable() {
        return Refused::unavailable(reason, message, retry_after_ms);
    }
    let ForcedRefusal::Code(code) = refusal else {
        return Refused::invalid("refused".to_owned());
    };
    let mut refused = Refused::from(code);
    if code == AUTH_RATE_LIMITED {
        refused.error.retryable = Some(true);
        refused.error.retry_after_ms = Some(300_000);
    }
    if code == PROTOCOL_MISMATCH
        && let Some(details) = &mut refused.error.details
    {
        details.expected_protocol = Some(params.max_protocol.saturating_add(1));
    }
    refused
}

fn agree_on_protocol(params: &ConnectParams, current: u32) -> Result<u32, Refused> {
    let range = params.min_protocol..=params.max_protocol;
    if range.contains(&current) {
        return Ok(current);
    }
    let is_node = params.role.as_deref() == Some("node") && params.client.mode == "node";
    let may_be_older = is_node || params.client.mode == "probe";
    if may_be_older && range.contains(&OLDEST_NODE_PROTOCOL) && OLDEST_NODE_PROTOCOL < current {
        return Ok(OLDEST_NODE_PROTOCOL);
    }
    let mut refused = Refused::from(PROTOCOL_MISMATCH);
    if let Some(details) = &mut refused.error.details {
        details.expected_protocol = Some(current);
    }
    Err(refused)
}

/// A page's origin must be loopback or the gateway's own; browser clients must have one.
fn check_origin(params: &ConnectParams, at: &Circumstances<'_>) -> Result<(), Refused> {
    let is_browser = matches!(
        params.client.id.as_str(),
        "openclaw-control-ui" | "webchat-ui" | "openclaw-browser-copilot"
    );
    match at.origin {
        None if is_browser => Err(CONTROL_UI_ORIGIN_NOT_ALLOWED.into()),
        None => Ok(()),
        Some(origin) => {
            let host = origin.split_once("://").map_or("", |(_, rest)| rest);
            let host = host.split('/').next().unwrap_or_default();
            if is_loopback_host(host) || !host.is_empty() && host.eq_ignore_ascii_case(at.host) {
                Ok(())
            } else {
                Err(CONTROL_UI_ORIGIN_NOT_ALLOWED.into())
            }
        }
    }
}

/// Whether `host` (with or without a port) is this machine.
fn is_loopback_host(host: &str) -> bool {
    let name = if let Some(rest) = host.strip_prefix('[') {
        rest.split(']').next().unwrap_or_default()
    } else if host.matches(':').count() == 1 {
        host.split(':').next().unwrap_or_default()
    } else {
        host
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The device proof: id, age, nonce there, nonce equal, signature of version 3, then of version 2.
fn check_device(device: &Device, params: &ConnectParams, nonce: &str, wall_ms: i64) -> Result<(), ErrorCode> {
    if device_id_of(&device.public_key).as_deref() != Some(device.id.as_str()) {
        return Err(DEVICE_AUTH_DEVICE_ID_MISMATCH);
    }
    if device.signed_at.abs_diff(wall_ms) > SIGNATURE_AGE_MS {
        return Err(DEVICE_AUTH_SIGNATURE_EXPIRED);
    }
    let shown = device.nonce.trim();
    if shown.is_empty() {
        return Err(DEVICE_AUTH_NONCE_REQUIRED);
    }
    if shown != nonce {
        return Err(DEVICE_AUTH_NONCE_MISMATCH);
    }
    let token = params.auth.as_ref().and_then(|auth| {
        [&auth.token, &auth.device_token, &auth.bootstrap_token]
            .into_iter()
            .flatten()
            .next()
            .map(|text| Secret::new(text.as_str()))
    });
    let client = &params.client;
    let fields = SignedFields {
        device_id: &device.id,
        client_id: &client.id,
        client_mode: &client.mode,
        role: params.role.as_deref().unwrap_or(Role::Operator.name()),
        scopes: params.scopes.as_deref().unwrap_or_default(),
        signed_at_ms: device.signed_at,
        token: token.as_ref(),
        nonce: &device.nonce,
        platform: &client.platform,
        device_family: client.device_family.as_deref().unwrap_or_default(),
    };
    let good = |text: String| verify(&device.public_key, &device.signature, &text);
    if good(signature_text_v3(&fields)) || good(signature_text_v2(&fields)) {
        Ok(())
    } else {
        Err(DEVICE_AUTH_SIGNATURE_INVALID)
    }
}

fn pairing_required(approval: &Approval, waits: bool) -> Refused {
    let mut refused = Refused::from(PAIRING_REQUIRED);
    let why = match approval.reason {
        "role-upgrade" => "device is asking for a higher role than currently approved",
        "scope-upgrade" => "device is asking for more scopes than currently approved",
        "metadata-upgrade" => "device identity changed and must be re-approved",
        _ => "device is not approved yet",
    };
    refused.error.message = format!("pairing required: {why}");
    refused.reason = cut(&format!(
        "{} (requestId: {})",
        refused.error.message, approval.request_id
    ));
    if let Some(details) = &mut refused.error.details {
        details.reason = Some(approval.reason.to_owned());
        details.request_id = Some(approval.request_id.clone());
        if waits && approval.reason == "not-paired" {
            details.recommended_next_step = Some("wait_then_retry".to_owned());
            details.pause_reconnect = Some(false);
        }
    }
    refused
}

fn cut(reason: &str) -> String {
    let end = (0..=reason.len().min(MAX_REASON_BYTES))
        .rev()
        .find(|&i| reason.is_char_boundary(i))
        .unwrap_or(0);
    reason[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_hosts_are_known_in_all_spellings() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:18789",
            "localhost:1",
            "[::1]:9",
            "::1",
            "127.9.9.9",
        ] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in [
            "",
            "10.0.0.1:18789",
            "localhost.example:1",
            "[fe80::1]:9",
            "127.0.0.1.example",
        ] {
            assert!(!is_loopback_host(host), "{host}");
        }
    }

    #[test]
    fn reasons_are_cut_between_characters() {
        let long = "ä".repeat(100);
        assert_eq!(cut(&long).len(), 120);
        assert_eq!(cut(&format!("a{long}")).len(), 119);
    }
}
