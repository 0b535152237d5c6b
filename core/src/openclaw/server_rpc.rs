//! Requests of an accepted client.

use super::gateway::Gateway;
use super::scopes::{Role, Scopes};
use super::server_pairing;
use super::wire::{ErrorDetails, Frame, ResponseError, ResponseFrame};
use crate::session::{Outbox, ServerEvent};
use crate::time::Instant;
use serde_json::json;

/// Who asks.
pub(super) struct Caller<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) role: Role,
    pub(super) scopes: Scopes,
    /// The device that it came in as, by a token of its own.
    pub(super) device_id: Option<&'a str>,
}

/// How a request ended, for the session that keeps count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Served {
    /// Answered, well or not.
    Answered,
    /// The method is not for this role.
    WrongRole,
}

/// What a method needs.
fn needed(method: &str) -> Option<Scopes> {
    Some(match method {
        "health" | "ping" => Scopes::NONE,
        "status" | "system-presence" | "node.list" => Scopes::READ,
        "device.pair.list"
        | "device.pair.approve"
        | "device.pair.reject"
        | "device.pair.remove"
        | "device.pair.setupCode"
        | "device.token.rotate"
        | "device.token.revoke" => Scopes::PAIRING,
        "gateway.restart.request" => Scopes::ADMIN,
        _ => return None,
    })
}

/// Methods that only nodes may call.
fn is_node_method(method: &str) -> bool {
    matches!(
        method,
        "node.event" | "node.invoke.result" | "node.pending.pull" | "node.pending.ack" | "skills.bins"
    )
}

/// Answers one request.
pub(super) fn serve(
    caller: &Caller<'_>,
    now: Instant,
    id: &str,
    method: &str,
    frame: &Frame<'_>,
    out: &mut Outbox<ServerEvent>,
) -> Served {
    let is_for_all = matches!(method, "health" | "ping");
    let known = needed(method);
    let for_node = is_node_method(method);
    if !is_for_all && (known.is_some() || for_node) && for_node != (caller.role == Role::Node) {
        refuse(
            out,
            id,
            invalid(format!("unauthorized role: {}", caller.role.name())),
        );
        return Served::WrongRole;
    }
    let Some(needed) = known else {
        if for_node {
            answer(out, id, &json!({"ok": true}));
        } else {
            refuse(out, id, invalid(format!("unknown method: {method}")));
        }
        return Served::Answered;
    };
    if let Some(missing) = needed.names().next()
        && !caller.scopes.allow(needed)
    {
        refuse(out, id, missing_scope(missing));
        return Served::Answered;
    }
    let wall_ms = caller.gateway.wall_ms(now);
    match method {
        "health" => answer(out, id, &health(wall_ms)),
        "status" => answer(
            out,
            id,
            &json!({"runtimeVersion": caller.gateway.config.version, "queuedSystemEvents": [],
                    "tasks": {"total": 0, "active": 0}, "sessions": {"count": 0, "recent": []}}),
        ),
        "system-presence" => answer(out, id, &json!([])),
        "node.list" => answer(out, id, &json!({"ts": wall_ms, "nodes": []})),
        _ if method.starts_with("device.") => {
            server_pairing::serve(caller, now, id, method, frame.params, out);
        }
        "gateway.restart.request" => {
            caller.gateway.authority.request_restart();
            answer(out, id, &json!({"ok": true, "status": "scheduled"}));
        }
        _ => answer(out, id, &frame.params),
    }
    Served::Answered
}

/// Payload of `health`, the method and the event.
pub(super) fn health(wall_ms: i64) -> serde_json::Value {
    json!({"ok": true, "ts": wall_ms, "durationMs": 0, "channels": {}, "agents": []})
}

/// Answers with success.
pub(super) fn answer(out: &mut Outbox<ServerEvent>, id: &str, payload: &impl serde::Serialize) {
    out.json(&ResponseFrame {
        kind: "res",
        id,
        ok: true,
        payload: Some(payload),
        error: None,
    });
    out.emit(ServerEvent::Served);
}

/// Answers with an error; the session stays.
pub(super) fn refuse(out: &mut Outbox<ServerEvent>, id: &str, error: ResponseError) {
    out.json(&ResponseFrame::<()> {
        kind: "res",
        id,
        ok: false,
        payload: None,
        error: Some(error),
    });
    out.emit(ServerEvent::Served);
}

/// `INVALID_REQUEST` without details.
pub(super) fn invalid(message: String) -> ResponseError {
    ResponseError {
        code: "INVALID_REQUEST".to_owned(),
        message,
        ..ResponseError::default()
    }
}

fn missing_scope(scope: &str) -> ResponseError {
    ResponseError {
        code: "FORBIDDEN".to_owned(),
        message: format!("missing scope: {scope}"),
        details: Some(ErrorDetails {
            code: Some("MISSING_SCOPE".to_owned()),
            ..ErrorDetails::default()
        }),
        ..ResponseError::default()
    }
}
