//! What a connect must look like, and the words for what is wrong with it.

use super::wire::ConnectParams;
use serde_json::Value;
use serde_json::value::RawValue;

/// `client.id`: the closed list.
const CLIENT_IDS: [&str; 17] = [
    "cli",
    "gateway-client",
    "webchat",
    "webchat-ui",
    "openclaw-control-ui",
    "openclaw-browser-copilot",
    "openclaw-tui",
    "openclaw-macos",
    "openclaw-linux",
    "openclaw-ios",
    "openclaw-watchos",
    "openclaw-android",
    "node-host",
    "openclaw-worker",
    "fingerprint",
    "test",
    "openclaw-probe",
];

/// `client.mode`: the closed list.
const CLIENT_MODES: [&str; 8] = [
    "webchat", "cli", "ui", "backend", "node", "worker", "probe", "test",
];

/// Reads `params` of a connect; the error is what comes after "invalid connect params: ".
pub(super) fn read(params: Option<&RawValue>) -> Result<ConnectParams, String> {
    let text = params.map_or("null", RawValue::get);
    if let Ok(params) = serde_json::from_str::<ConnectParams>(text)
        && is_allowed(&params)
    {
        return Ok(params);
    }
    let value: Value = serde_json::from_str(text).map_err(|_| "at root: must be object".to_owned())?;
    Err(fault(&value).unwrap_or_else(|| "at root: must match the schema".to_owned()))
}

/// The rules that the types do not carry.
fn is_allowed(params: &ConnectParams) -> bool {
    let client = &params.client;
    params.min_protocol >= 1
        && params.max_protocol >= 1
        && !client.version.is_empty()
        && !client.platform.is_empty()
        && CLIENT_IDS.contains(&client.id.as_str())
        && CLIENT_MODES.contains(&client.mode.as_str())
        && params.role.as_ref().is_none_or(|role| !role.is_empty())
        && params.device.as_ref().is_none_or(|device| {
            !device.id.is_empty()
                && !device.public_key.is_empty()
                && !device.signature.is_empty()
                && device.signed_at >= 0
        })
}

/// What a field may hold.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    NonEmpty,
    OneOf(&'static [&'static str]),
    Positive,
    Millis,
    Texts,
    Flags,
    Object(&'static [Field]),
}

type Field = (&'static str, bool, Kind);

const CLIENT: &[Field] = &[
    ("id", true, Kind::OneOf(&CLIENT_IDS)),
    ("version", true, Kind::NonEmpty),
    ("platform", true, Kind::NonEmpty),
    ("mode", true, Kind::OneOf(&CLIENT_MODES)),
    ("displayName", false, Kind::Text),
    ("deviceFamily", false, Kind::Text),
    ("modelIdentifier", false, Kind::Text),
    ("buildId", false, Kind::Text),
    ("timeZone", false, Kind::Text),
    ("instanceId", false, Kind::Text),
];

const AUTH: &[Field] = &[
    ("token", false, Kind::Text),
    ("password", false, Kind::Text),
    ("deviceToken", false, Kind::Text),
    ("bootstrapToken", false, Kind::Text),
];

const DEVICE: &[Field] = &[
    ("id", true, Kind::NonEmpty),
    ("publicKey", true, Kind::NonEmpty),
    ("signature", true, Kind::NonEmpty),
    ("signedAt", true, Kind::Millis),
    ("nonce", true, Kind::Text),
];

const CONNECT: &[Field] = &[
    ("minProtocol", true, Kind::Positive),
    ("maxProtocol", true, Kind::Positive),
    ("client", true, Kind::Object(CLIENT)),
    ("role", false, Kind::NonEmpty),
    ("scopes", false, Kind::Texts),
    ("caps", false, Kind::Texts),
    ("commands", false, Kind::Texts),
    ("permissions", false, Kind::Flags),
    ("pathEnv", false, Kind::Text),
    ("auth", false, Kind::Object(AUTH)),
    ("device", false, Kind::Object(DEVICE)),
    ("locale", false, Kind::Text),
    ("userAgent", false, Kind::Text),
];

/// The first thing that is wrong, as the real gateway words it.
fn fault(params: &Value) -> Option<String> {
    object_fault("", CONNECT, params)
}

fn object_fault(path: &str, fields: &[Field], value: &Value) -> Option<String> {
    let at = if path.is_empty() { "root" } else { path };
    let Some(object) = value.as_object() else {
        return Some(format!("at {at}: must be object"));
    };
    let missing = fields
        .iter()
        .find(|(name, required, _)| *required && !object.contains_key(*name))
        .map(|(name, ..)| format!("at {at}: must have required property '{name}'"));
    let unexpected = || {
        object
            .keys()
            .find(|key| !fields.iter().any(|(name, ..)| name == key))
            .map(|key| format!("at {at}: unexpected property '{key}'"))
    };
    missing.or_else(unexpected).or_else(|| {
        fields.iter().find_map(|(name, _, kind)| {
            let path = format!("{path}/{name}");
            value_fault(&path, *kind, object.get(*name)?)
        })
    })
}

fn value_fault(path: &str, kind: Kind, value: &Value) -> Option<String> {
    let wrong = |what: &str| Some(format!("at {path}: {what}"));
    match kind {
        Kind::Object(fields) => object_fault(path, fields, value),
        Kind::Positive | Kind::Millis => {
            let least = i64::from(matches!(kind, Kind::Positive));
            match value.as_i64() {
                None => wrong("must be integer"),
                Some(number) if number < least => wrong(&format!("must be >= {least}")),
                Some(number) if least == 1 && u32::try_from(number).is_err() => {
                    wrong(&format!("must be <= {}", u32::MAX))
                }
                Some(_) => None,
            }
        }
        Kind::Texts => match value.as_array() {
            None => wrong("must be array"),
            Some(list) => list
                .iter()
                .position(|item| item.as_str().is_none_or(str::is_empty))
                .map(|i| format!("at {path}/{i}: must be string")),
        },
        Kind::Flags => (!value.is_object()).then(|| format!("at {path}: must be object")),
        Kind::Text | Kind::NonEmpty | Kind::OneOf(_) => match (value.as_str(), kind) {
            (None, _) => wrong("must be string"),
            (Some(text), Kind::OneOf(list)) if !list.contains(&text) => {
                wrong("must be equal to one of the allowed values")
            }
            (Some(""), Kind::NonEmpty) => wrong("must NOT have fewer than 1 characters"),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn connect(change: impl FnOnce(&mut Value)) -> Result<ConnectParams, String> {
        let mut params = json!({"minProtocol": 4, "maxProtocol": 4,
            "client": {"id": "cli", "version": "1.0.0", "platform": "linux", "mode": "cli"}});
        change(&mut params);
        read(Some(&serde_json::value::to_raw_value(&params).unwrap()))
    }

    #[test]
    fn a_small_connect_is_enough() {
        assert_eq!(connect(|_| {}).unwrap().client.id, "cli");
    }

    #[test]
    fn faults_are_worded_as_captured() {
        let said = |change: fn(&mut Value)| connect(change).unwrap_err();
        assert_eq!(
            said(|p| p["unknownField"] = json!(1)),
            "at root: unexpected property 'unknownField'"
        );
        assert_eq!(
            said(|p| p["client"]["id"] = json!("my-load-tool")),
            "at /client/id: must be equal to one of the allowed values"
        );
        assert_eq!(
            said(|p| p["client"]["mode"] = json!("operator")),
            "at /client/mode: must be equal to one of the allowed values"
        );
    }

    #[test]
    fn every_object_is_closed_and_typed() {
        for (fault, change) in [
            (
                "at /client: unexpected property 'foo'",
                (|p| p["client"]["foo"] = json!(1)) as fn(&mut Value),
            ),
            ("at /auth: unexpected property 'foo'", |p| {
                p["auth"] = json!({"foo": 1});
            }),
            ("at /device: must have required property 'nonce'", |p| {
                p["device"] = json!({"id": "a", "publicKey": "a", "signature": "a", "signedAt": 1});
            }),
            ("at /minProtocol: must be >= 1", |p| p["minProtocol"] = json!(0)),
            ("at /maxProtocol: must be integer", |p| {
                p["maxProtocol"] = json!(4.5);
            }),
            ("at /client/version: must NOT have fewer than 1 characters", |p| {
                p["client"]["version"] = json!("");
            }),
            ("at /scopes: must be array", |p| {
                p["scopes"] = json!("operator.read");
            }),
            ("at /scopes/1: must be string", |p| {
                p["scopes"] = json!(["operator.read", 7]);
            }),
            ("at /auth/token: must be string", |p| {
                p["auth"] = json!({"token": 1});
            }),
            ("at root: must be object", |p| *p = json!([])),
        ] {
            assert_eq!(connect(change).unwrap_err(), fault);
        }
        assert_eq!(read(None).unwrap_err(), "at root: must be object");
    }
}
