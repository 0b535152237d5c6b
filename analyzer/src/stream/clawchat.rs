//! ClawChat protocol v2 in a capture (protocol page, "Recognising it in packets").

use super::beats::{Kind, Signs};
use super::facts::{Facts, shorten};
use super::words::Words;
use crate::tcp::Way;
use clw_core::Stage;
use clw_core::verdict::{Refusal, RefusalClass};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    version: Cow<'a, str>,
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default)]
    trace_id: Cow<'a, str>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

/// Whether a text is an envelope of this dialect.
pub fn recognises(text: &str) -> bool {
    serde_json::from_str::<Envelope<'_>>(text).is_ok_and(|e| e.version == "2" && e.payload.is_some())
}

/// Reads a text of `way`.
pub fn read(facts: &mut Facts, way: Way, at_ns: u64, signs: Signs, text: &str, words: &mut Words) {
    let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(text) else {
        return;
    };
    let id = envelope.trace_id.as_ref();
    words.say(|| shorten(&envelope.event));
    match (way, envelope.event.as_ref()) {
        (Way::Down, "connect.challenge") => {
            facts.reach(Stage::Challenge);
            facts.challenged_ns.get_or_insert(at_ns);
        }
        (Way::Up, "connect") => {
            facts.reach(Stage::Auth);
            connect(facts, envelope.payload);
        }
        (Way::Down, "hello-ok") => facts.ready(at_ns),
        (Way::Down, "hello-fail") => {
            let reason = reason_of(envelope.payload);
            words.say(|| format!("hello-fail {reason:?}"));
            facts.refusal.get_or_insert_with(|| Refusal {
                class: class_of(&reason),
                code: reason.clone(),
                message: reason,
            });
        }
        (Way::Up, "message.send" | "message.reply") => facts.asked(id),
        (Way::Down, "message.ack" | "message.error") => facts.answered(id),
        (Way::Up, "ping") => {
            facts.beats.beat(Way::Up, Kind::Tick, at_ns, signs);
            facts.beats.asked(Way::Up, Kind::Tick, at_ns);
            facts.asked(id);
        }
        (Way::Down, "pong") => {
            facts.beats.beat(Way::Down, Kind::Tick, at_ns, signs);
            facts.beats.answered(Way::Up, Kind::Tick);
            facts.answered(id);
        }
        _ => {}
    }
    let opens = matches!(
        envelope.event.as_ref(),
        "connect.challenge" | "connect" | "hello-fail"
    );
    if facts.may_have_missed_login() && !opens {
        facts.ready(at_ns);
    }
}

fn connect(facts: &mut Facts, payload: Option<&RawValue>) {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Connect {
        token: Option<serde::de::IgnoredAny>,
        device_id: Option<String>,
        client_version: Option<String>,
    }
    let connect = payload.and_then(|raw| serde_json::from_str::<Connect>(raw.get()).ok());
    let connect = connect.unwrap_or_default();
    facts.identity.client_id = connect.device_id.as_deref().map(shorten);
    facts.identity.client_version = connect.client_version.as_deref().map(shorten);
    facts.identity.protocol = Some("2".to_owned());
    if connect.token.is_some() {
        facts.identity.auth = vec!["token"];
    }
}

fn reason_of(payload: Option<&RawValue>) -> String {
    #[derive(Deserialize)]
    struct Fail<'a> {
        #[serde(borrow, default)]
        reason: Cow<'a, str>,
    }
    let fail = payload.and_then(|raw| serde_json::from_str::<Fail<'_>>(raw.get()).ok());
    fail.map(|fail| shorten(&fail.reason)).unwrap_or_default()
}

/// The dictionary's classes, in the order of the page's tests.
fn class_of(reason: &str) -> RefusalClass {
    let reason = reason.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if has(&["auth service unavailable", "temporarily unavailable"]) {
        RefusalClass::AuthUnavailable
    } else if has(&["invalid connect"]) {
        RefusalClass::Protocol
    } else {
        RefusalClass::Credentials
    }
}
