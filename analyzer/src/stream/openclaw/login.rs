//! `connect` and its answer: who logs in, and what was agreed on (protocol page, sections 4 and 5).
//!
//! Each is read at a glance where it is written as usual, since most of a capture of short sessions are logins, and as JSON where it is
//! not; a law below holds both to the same answer.

use crate::stream::facts::{Facts, Identity, shorten};
use crate::stream::glance::{Glance, plain_text};
use clw_core::Dialect;
use clw_core::openclaw::HelloOk;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// What is told of a login that went well.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hello<'a> {
    protocol: u32,
    server_version: Cow<'a, str>,
    role: Cow<'a, str>,
    tick_interval_ms: u64,
}

impl<'a> Hello<'a> {
    /// The payload of an answer, if it is one to `connect`.
    pub(super) fn read(payload: &str) -> Option<Self> {
        let hello = serde_json::from_str::<HelloOk>(payload).ok()?;
        (hello.kind == "hello-ok").then(|| Self {
            protocol: hello.protocol,
            server_version: hello.server.version.into(),
            role: hello.auth.role.into(),
            tick_interval_ms: hello.policy.tick_interval_ms,
        })
    }

    /// The same, passing over the lists of methods and the snapshot, which are nearly all of it.
    pub(super) fn glance(mut payload: Glance<'a>) -> Option<Self> {
        if payload.text(r#""type":"#)? != "hello-ok" {
            return None;
        }
        let mut hello = Self::default();
        while !payload.is_over() {
            let (name, value) = payload.field()?;
            match name {
                "type" => return None,
                "protocol" => hello.protocol = value.parse().ok()?,
                "server" => hello.server_version = plain_text(value_in(value, "version", r#""""#)?)?.into(),
                "auth" => hello.role = plain_text(value_in(value, "role", r#""""#)?)?.into(),
                "policy" => hello.tick_interval_ms = value_in(value, "tickIntervalMs", "0")?.parse().ok()?,
                _ => {}
            }
        }
        Some(hello)
    }

    /// The session is ready.
    pub(super) fn accept(self, facts: &mut Facts, at_ns: u64) {
        facts.beats.announce(self.tick_interval_ms);
        let identity = &mut facts.identity;
        identity.server_version = Some(shorten(&self.server_version)).filter(|version| !version.is_empty());
        identity.protocol = Some(self.protocol.to_string());
        if !self.role.is_empty() {
            identity.role = Some(shorten(&self.role));
        }
        facts.ready(at_ns);
    }
}

/// A field of an object as it stands, or what stands for one that is not there.
fn value_in<'a>(object: &'a str, wanted: &str, missing: &'a str) -> Option<&'a str> {
    let mut fields = Glance::at(object)?;
    let mut found = missing;
    while !fields.is_over() {
        let (name, value) = fields.field()?;
        if name == wanted {
            found = value;
        }
    }
    Some(found)
}

/// What is told of `connect`. The rest may be anything: a client may be refused for it.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Connect<'a> {
    min_protocol: Option<u32>,
    max_protocol: Option<u32>,
    #[serde(borrow)]
    role: Option<Cow<'a, str>>,
    #[serde(borrow)]
    client: Client<'a>,
    auth: Auth,
    device: Option<IgnoredAny>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Client<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    version: Option<Cow<'a, str>>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Auth {
    token: Option<IgnoredAny>,
    password: Option<IgnoredAny>,
    device_token: Option<IgnoredAny>,
    bootstrap_token: Option<IgnoredAny>,
}

impl<'a> Connect<'a> {
    /// The parameters, as far as they can be read.
    pub(super) fn read(params: &'a str) -> Option<Self> {
        serde_json::from_str(params).ok()
    }

    /// The same of what is written as usual.
    pub(super) fn glance(mut fields: Glance<'a>) -> Option<Self> {
        let mut connect = Self::default();
        while !fields.is_over() {
            let (name, value) = fields.field()?;
            match name {
                "minProtocol" => connect.min_protocol = optional(value, number).ok()?,
                "maxProtocol" => connect.max_protocol = optional(value, number).ok()?,
                "role" => connect.role = optional(value, text).ok()?,
                "client" => connect.client = Client::glance(value)?,
                "auth" => connect.auth = Auth::glance(value)?,
                "device" => connect.device = presence(value),
                _ => {}
            }
        }
        Some(connect)
    }

    /// Somebody logs in.
    pub(super) fn take_in(self, facts: &mut Facts) {
        facts.identity = Identity {
            role: Some(shorten(self.role.as_deref().unwrap_or("operator"))),
            client_id: self.client.id.as_deref().map(shorten),
            client_version: self.client.version.as_deref().map(shorten),
            protocol: match (self.min_protocol, self.max_protocol) {
                (Some(min), Some(max)) if min == max => Some(max.to_string()),
                (Some(min), Some(max)) => Some(format!("{min}-{max}")),
                _ => None,
            },
            auth: [
                (self.auth.token.is_some(), "token"),
                (self.auth.password.is_some(), "password"),
                (self.auth.device_token.is_some(), "device-token"),
                (self.auth.bootstrap_token.is_some(), "bootstrap-token"),
                (self.device.is_some(), "device"),
            ]
            .into_iter()
            .filter_map(|(is_there, name)| is_there.then_some(name))
            .collect(),
            server_version: facts.identity.server_version.take(),
        };
        facts.dialect = Dialect::Openclaw;
    }
}

impl<'a> Client<'a> {
    fn glance(object: &'a str) -> Option<Self> {
        let mut client = Self::default();
        let mut fields = Glance::at(object)?;
        while !fields.is_over() {
            match fields.field()? {
                ("id", value) => client.id = optional(value, text).ok()?,
                ("version", value) => client.version = optional(value, text).ok()?,
                _ => {}
            }
        }
        Some(client)
    }
}

impl Auth {
    fn glance(object: &str) -> Option<Self> {
        let mut auth = Self::default();
        let mut fields = Glance::at(object)?;
        while !fields.is_over() {
            match fields.field()? {
                ("token", value) => auth.token = presence(value),
                ("password", value) => auth.password = presence(value),
                ("deviceToken", value) => auth.device_token = presence(value),
                ("bootstrapToken", value) => auth.bootstrap_token = presence(value),
                _ => {}
            }
        }
        Some(auth)
    }
}

/// Has to be read as JSON.
struct Unusual;

/// `null` is nothing.
fn optional<'a, T>(value: &'a str, read: impl FnOnce(&'a str) -> Option<T>) -> Result<Option<T>, Unusual> {
    if value == "null" {
        return Ok(None);
    }
    read(value).map(Some).ok_or(Unusual)
}

fn number(value: &str) -> Option<u32> {
    value.parse().ok()
}

fn text(value: &str) -> Option<Cow<'_, str>> {
    plain_text(value).map(Cow::Borrowed)
}

fn presence(value: &str) -> Option<IgnoredAny> {
    (value != "null").then_some(IgnoredAny)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn some_text() -> impl Strategy<Value = Value> {
        prop_oneof!["[a-z.0-9]{0,12}", r#"[a-z"\\{},\[\]:é\n]{0,8}"#].prop_map(Value::from)
    }

    fn anything() -> impl Strategy<Value = Value> {
        prop_oneof![
            4 => some_text(),
            2 => (0_u64..100_000).prop_map(Value::from),
            1 => Just(Value::Null),
            1 => Just(json!(-1.5)),
            1 => Just(json!({"version": "}", "role": ["\"", 7, {}]})),
            1 => proptest::collection::vec(some_text(), 0..4).prop_map(Value::from),
        ]
    }

    /// An object of some of these fields, in any order, with others between.
    fn object(
        fields: Vec<(&'static str, BoxedStrategy<Value>)>,
    ) -> impl Strategy<Value = Vec<(String, Value)>> {
        let other = ("[a-z]{1,6}", anything());
        let wanted: Vec<_> = fields
            .into_iter()
            .map(|(name, value)| proptest::option::weighted(0.8, (Just(name.to_owned()), value)))
            .collect();
        (wanted, proptest::collection::vec(other, 0..3))
            .prop_map(|(wanted, others)| {
                let mut fields: Vec<_> = wanted.into_iter().flatten().collect();
                // JSON objects have each name once; serde would refuse another one.
                for (name, value) in others {
                    if fields.iter().all(|(known, _)| *known != name) {
                        fields.push((name, value));
                    }
                }
                fields
            })
            .prop_shuffle()
    }

    fn written(fields: &[(String, Value)]) -> String {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())))
            .collect();
        format!("{{{}}}", fields.join(","))
    }

    fn nested(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
        prop_oneof![
            9 => object(fields).prop_map(|fields| serde_json::from_str(&written(&fields)).unwrap()),
            1 => anything(),
        ]
        .boxed()
    }

    fn some(strategy: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
        prop_oneof![9 => strategy, 1 => anything()].boxed()
    }

    proptest! {
        #[test]
        fn connect_is_read_alike_at_a_glance_and_as_json(fields in object(vec![
            ("minProtocol", some((0_u64..9).prop_map(Value::from))),
            ("maxProtocol", some((0_u64..9).prop_map(Value::from))),
            ("role", some(some_text())),
            ("client", nested(vec![("id", some(some_text())), ("version", some(some_text()))])),
            ("auth", nested(vec![("token", some(some_text())), ("password", some(some_text())), ("deviceToken", some(some_text()))])),
            ("device", nested(vec![("id", some(some_text()))])),
        ])) {
            let text = written(&fields);
            if let Some(glanced) = Glance::at(&text).and_then(Connect::glance) {
                prop_assert_eq!(Some(glanced), Connect::read(&text), "{}", text);
            }
        }

        #[test]
        fn hello_is_read_alike_at_a_glance_and_as_json(fields in object(vec![
            ("protocol", some((0_u64..9).prop_map(Value::from))),
            ("server", nested(vec![("version", some(some_text()))])),
            ("auth", nested(vec![("role", some(some_text()))])),
            ("policy", nested(vec![("tickIntervalMs", some((0_u64..60_000).prop_map(Value::from)))])),
            ("features", nested(vec![("methods", some(some_text()))])),
        ])) {
            let text = format!(r#"{{"type":"hello-ok",{}"#, &written(&fields)[1..]);
            let glanced = Glance::at(&text).and_then(Hello::glance);
            // A field that nobody needs may be anything at a glance.
            if let (Some(glanced), Some(read)) = (glanced, Hello::read(&text)) {
                prop_assert_eq!(glanced, read, "{}", text);
            }
        }
    }

    #[test]
    fn a_usual_login_needs_no_more_than_a_glance() {
        let connect = r#"{"minProtocol":3,"maxProtocol":4,"client":{"id":"cli","version":"1.0","platform":"linux"},"role":"node","auth":{"token":"t","password":null},"device":{"id":"d"}}"#;
        let glanced = Connect::glance(Glance::at(connect).unwrap()).unwrap();
        assert_eq!(Some(&glanced), Connect::read(connect).as_ref());
        assert_eq!(glanced.client.id.as_deref(), Some("cli"));
        assert!(glanced.auth.token.is_some() && glanced.auth.password.is_none());
        let hello = r#"{"type":"hello-ok","protocol":4,"server":{"version":"2026.9.6","connId":"c"},"features":{"methods":["a","b"]},"auth":{"role":"node","scopes":[]},"policy":{"maxPayload":1,"tickIntervalMs":30000}}"#;
        let glanced = Hello::glance(Glance::at(hello).unwrap()).unwrap();
        assert_eq!(Some(&glanced), Hello::read(hello).as_ref());
        assert_eq!((glanced.protocol, glanced.tick_interval_ms), (4, 30_000));
        assert_eq!((&*glanced.server_version, &*glanced.role), ("2026.9.6", "node"));
    }
}
