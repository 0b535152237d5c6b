//! ClawChat protocol v2 in a capture (protocol page, "Recognising it in packets").

use super::beats::{Kind, Signs};
use super::facts::{Facts, shorten};
use super::glance::Glance;
use super::words::Words;
use crate::tcp::Way;
use clw_core::clawchat::{Envelope, refusal_class};
use clw_core::verdict::Refusal;
use clw_core::{Dialect, Stage};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Whether a text is an envelope of this dialect.
pub fn recognises(text: &str) -> bool {
    Envelope::read(text).is_some()
}

/// Reads a text of `way`.
pub fn read(facts: &mut Facts, way: Way, at_ns: u64, signs: Signs, text: &str, words: &mut Words) {
    if facts.ready_ns.is_some() && !words.are_wanted() && glance(facts, way, at_ns, signs, text).is_some() {
        return;
    }
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
            facts.refusal.get_or_insert_with(|| {
                Box::new(Refusal {
                    class: refusal_class(&reason),
                    code: reason.clone(),
                    message: reason,
                })
            });
        }
        (Way::Up, "message.send" | "message.reply") => facts.asked(id),
        (Way::Down, "message.ack" | "message.error") => facts.answered(id),
        (Way::Up, "ping") => ping(facts, at_ns, signs, id),
        (Way::Down, "pong") => pong(facts, at_ns, signs, id),
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

/// What a live session says all the time, without reading it as JSON; `None` if it is something else.
fn glance(facts: &mut Facts, way: Way, at_ns: u64, signs: Signs, text: &str) -> Option<()> {
    let mut glance = Glance::at(text)?;
    if glance.text(r#""version":"#)? != "2" {
        return None;
    }
    let event = glance.text(r#""event":"#)?;
    let id = glance.text(r#""trace_id":"#)?;
    match (way, event) {
        (Way::Up, "message.send" | "message.reply") => facts.asked(id),
        (Way::Down, "message.ack" | "message.error") => facts.answered(id),
        (Way::Up, "ping") => ping(facts, at_ns, signs, id),
        (Way::Down, "pong") => pong(facts, at_ns, signs, id),
        _ => return None,
    }
    Some(())
}

/// Reads the beginning of an envelope whose end was not captured; `None` if it is none.
pub fn read_cut(facts: &mut Facts, way: Way, at_ns: u64, text: &str, words: &mut Words) -> Option<()> {
    let mut glance = Glance::at_cut(text)?;
    if glance.text(r#""version":"#)? != "2" {
        return None;
    }
    let event = glance.text(r#""event":"#)?;
    match (way, event) {
        (Way::Down, "connect.challenge") => {
            facts.reach(Stage::Challenge);
            facts.challenged_ns.get_or_insert(at_ns);
        }
        (Way::Up, "connect") => facts.reach(Stage::Auth),
        (Way::Down, "hello-fail") => {}
        (Way::Down, "hello-ok") => facts.ready(at_ns),
        _ if facts.may_have_missed_login() => facts.ready(at_ns),
        _ => {}
    }
    if let Some(id) = glance.text(r#""trace_id":"#) {
        match (way, event) {
            (Way::Up, "message.send" | "message.reply") => facts.asked(id),
            (Way::Down, "message.ack" | "message.error") => facts.answered(id),
            _ => {}
        }
    }
    words.say(|| format!("{} (cut)", shorten(event)));
    facts.dialect = Dialect::Clawchat;
    Some(())
}

fn ping(facts: &mut Facts, at_ns: u64, signs: Signs, id: &str) {
    facts.beats.beat(Way::Up, Kind::Tick, at_ns, signs);
    facts.beats.asked(Way::Up, Kind::Tick, at_ns);
    facts.asked(id);
}

fn pong(facts: &mut Facts, at_ns: u64, signs: Signs, id: &str) {
    facts.beats.beat(Way::Down, Kind::Tick, at_ns, signs);
    facts.beats.answered(Way::Up, Kind::Tick);
    facts.answered(id);
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
