//! Requests about devices: who waits, who is approved, whose token is taken away; and setup codes.

use super::bootstrap::{LIFETIME, SetupProfile};
use super::scopes::{Role, Scopes};
use super::server_rpc::{Caller, answer, invalid, refuse};
use super::setup_code::SetupCode;
use crate::session::{Outbox, ServerEvent};
use crate::time::Instant;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// `device.pair.list` shows at most that many devices of each kind.
const MAX_LISTED: usize = 1000;
/// No address of a gateway is longer.
const MAX_URL_BYTES: usize = 2048;

/// Parameters of all these methods; each reads what is its own.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Params<'a> {
    #[serde(borrow)]
    request_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    device_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    role: Option<Cow<'a, str>>,
    #[serde(borrow)]
    public_url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    bootstrap_profile: Option<Cow<'a, str>>,
}

/// Answers one of these requests, of a caller that may make it.
pub(super) fn serve(
    caller: &Caller<'_>,
    now: Instant,
    id: &str,
    method: &str,
    params: Option<&RawValue>,
    out: &mut Outbox<ServerEvent>,
) {
    let params = params.map_or("{}", RawValue::get);
    let Ok(params) = serde_json::from_str::<Params<'_>>(params) else {
        return refuse(
            out,
            id,
            invalid(format!("invalid {method} params: at root: must be object")),
        );
    };
    let authority = &caller.gateway.authority;
    let wall_ms = caller.gateway.wall_ms(now);
    let is_admin = caller.scopes.allow(Scopes::ADMIN);
    let role = Role::from_name(params.role.as_deref());
    match (method, &params.request_id, &params.device_id, role) {
        ("device.pair.list", ..) => {
            let (mut pending, mut paired) = authority.devices(MAX_LISTED);
            if let (Some(own), false) = (caller.device_id, is_admin) {
                pending.retain(|device| device.device_id == own);
                paired.retain(|device| device.device_id == own);
            }
            answer(out, id, &json!({"pending": pending, "paired": paired}));
        }
        ("device.pair.approve", Some(request), ..) => {
            let pending = authority.pending_device(request);
            // An operator may approve operators; who may become a node is the administrator's to say.
            if !is_admin && pending.is_none_or(|pending| pending.role != Role::Operator.name()) {
                return refuse(out, id, invalid("device pairing approval denied".to_owned()));
            }
            match authority.approve(request, wall_ms) {
                Some(device) => answer(out, id, &json!({"requestId": request, "device": device})),
                None => refuse(out, id, invalid("unknown requestId".to_owned())),
            }
        }
        ("device.pair.reject", Some(request), ..) => match authority.reject(request) {
            Some(device_id) => answer(out, id, &json!({"requestId": request, "deviceId": device_id})),
            None => refuse(out, id, invalid("unknown requestId".to_owned())),
        },
        ("device.pair.remove", _, Some(device), _) => {
            if is_foreign(caller, device, is_admin) {
                return refuse(out, id, invalid("device pairing removal denied".to_owned()));
            }
            match authority.remove_device(device) {
                Some(signs) => {
                    answer(out, id, &json!({"deviceId": device}));
                    call(signs, out);
                }
                None => refuse(out, id, invalid("unknown deviceId".to_owned())),
            }
        }
        ("device.token.revoke", _, Some(device), Some(role)) => {
            let denied = is_foreign(caller, device, is_admin) || role == Role::Node && !is_admin;
            let revoked = if denied {
                None
            } else {
                authority.revoke_token(device, role)
            };
            match revoked {
                Some(signs) => {
                    let revoked = json!({"deviceId": device, "role": role.name(), "revokedAtMs": wall_ms});
                    answer(out, id, &revoked);
                    call(signs, out);
                }
                None => refuse(out, id, invalid("device token revocation denied".to_owned())),
            }
        }
        ("device.token.rotate", _, Some(device), Some(role)) => {
            let denied = is_foreign(caller, device, is_admin) || role == Role::Node && !is_admin;
            let rotated = if denied {
                None
            } else {
                authority.rotate_device_token(device, role, wall_ms)
            };
            match rotated {
                Some((grant, signs)) => {
                    // Only the device itself is told its new token.
                    let own = caller.device_id == Some(device);
                    let mut rotated = json!({"deviceId": device, "role": role.name(), "scopes": grant.scopes,
                        "rotatedAtMs": grant.issued_at_ms,
                        "tokenDelivery": if own { "in-band" } else { "withheld-cross-device" }});
                    if own {
                        rotated["token"] = json!(grant.token.expose());
                    }
                    answer(out, id, &rotated);
                    call(signs, out);
                }
                None => refuse(out, id, invalid("device token rotation denied".to_owned())),
            }
        }
        ("device.pair.setupCode", ..) => setup_code(caller, now, id, &params, out),
        _ => {
            let missing = if method.contains(".pair.") && !method.ends_with("remove") {
                "requestId"
            } else {
                "deviceId"
            };
            let message =
                format!("invalid {method} params: at root: must have required property '{missing}'");
            refuse(out, id, invalid(message));
        }
    }
}

/// A device may manage itself, an administrator everybody.
fn is_foreign(caller: &Caller<'_>, device_id: &str, is_admin: bool) -> bool {
    !is_admin && caller.device_id.is_some_and(|own| own != device_id)
}

/// Wakes the sessions whose authority was withdrawn.
fn call(signs: Vec<u64>, out: &mut Outbox<ServerEvent>) {
    for session in signs {
        out.emit(ServerEvent::TookOver { session });
    }
}

fn setup_code(
    caller: &Caller<'_>,
    now: Instant,
    id: &str,
    params: &Params<'_>,
    out: &mut Outbox<ServerEvent>,
) {
    let Some(profile) = SetupProfile::from_name(params.bootstrap_profile.as_deref()) else {
        let message = "invalid device.pair.setupCode params: at /bootstrapProfile: must be equal to one of the allowed values";
        return refuse(out, id, invalid(message.to_owned()));
    };
    let url = params
        .public_url
        .as_deref()
        .or(caller.gateway.config.public_url.as_deref())
        .filter(|url| url.len() <= MAX_URL_BYTES && (url.starts_with("ws://") || url.starts_with("wss://")));
    let Some(url) = url else {
        let message = "no address for the setup code: give publicUrl, such as ws://127.0.0.1:18789";
        return refuse(out, id, invalid(message.to_owned()));
    };
    let code = caller.gateway.setup_code(now, url, profile);
    answer(
        out,
        id,
        &json!({"setupId": caller.gateway.authority.uuid().to_string(), "expiresAtMs": code.expires_at_ms,
            "setupCode": code.encode().expose(), "gatewayUrl": url, "auth": "token",
            "urlSource": "request.publicUrl", "access": profile.access()}),
    );
}

impl super::Gateway {
    /// A setup code for one device, good for ten minutes.
    pub fn setup_code(&self, now: Instant, url: &str, profile: SetupProfile) -> SetupCode {
        let lifetime_ms = i64::try_from(LIFETIME.as_millis()).unwrap_or(i64::MAX);
        SetupCode {
            url: url.to_owned(),
            urls: Vec::new(),
            bootstrap_token: self.authority.issue_bootstrap_token(now, profile),
            expires_at_ms: Some(self.wall_ms(now).saturating_add(lifetime_ms)),
        }
    }
}
