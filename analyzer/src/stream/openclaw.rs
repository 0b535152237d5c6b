//! OpenClaw gateway protocol in a capture (protocol page, sections 2 to 7).

use super::beats::{Kind, Signs};
use super::facts::{Facts, shorten};
use super::glance::Glance;
use super::words::Words;
use crate::tcp::Way;
use clw_core::openclaw::{Frame, HelloOk, refusal_of};
use clw_core::{Dialect, Stage};
use serde::Deserialize;

/// Whether a text is a frame of this dialect: `type` without ClawChat's `version`.
pub fn recognises(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Marks<'a> {
        #[serde(borrow, rename = "type")]
        kind: std::borrow::Cow<'a, str>,
        #[serde(default)]
        event: Option<serde::de::IgnoredAny>,
        #[serde(default)]
        method: Option<serde::de::IgnoredAny>,
        #[serde(default)]
        ok: Option<bool>,
        #[serde(default)]
        version: Option<serde::de::IgnoredAny>,
    }
    if glance_at_marks(text) == Some(true) {
        return true;
    }
    serde_json::from_str::<Marks<'_>>(text).is_ok_and(|marks| {
        marks.version.is_none()
            && match marks.kind.as_ref() {
                "event" => marks.event.is_some(),
                "req" => marks.method.is_some(),
                "res" => marks.ok.is_some(),
                _ => false,
            }
    })
}

/// The same for what is written as usual, without reading it as JSON.
fn glance_at_marks(text: &str) -> Option<bool> {
    let mut glance = Glance::at(text)?;
    let mark = match glance.text(r#""type":"#)? {
        "event" => "event",
        "req" => "method",
        _ => return None,
    };
    let mut is_marked = false;
    while !glance.is_over() {
        let (name, value) = glance.field()?;
        if name == "version" {
            return None;
        }
        is_marked |= name == mark && value != "null";
    }
    Some(is_marked)
}

/// Reads a text of `way`.
pub fn read(facts: &mut Facts, way: Way, at_ns: u64, signs: Signs, text: &str, words: &mut Words) {
    if !words.are_wanted() && glance(facts, way, at_ns, signs, text).is_some() {
        return;
    }
    let Ok(frame) = serde_json::from_str::<Frame<'_>>(text) else {
        return;
    };
    let id = frame.id.as_deref().unwrap_or_default();
    match (way, frame.kind.as_ref()) {
        (Way::Down, "event") => {
            let event = frame.event.as_deref().unwrap_or_default();
            match event {
                "connect.challenge" => challenge(facts, at_ns),
                "tick" => facts.beats.beat(Way::Down, Kind::Tick, at_ns, signs),
                "shutdown" => {
                    let restart = frame
                        .payload
                        .is_some_and(|p| p.get().contains("restartExpectedMs"));
                    facts.shutdown_announced = Some(restart);
                }
                _ => {}
            }
            if event != "connect.challenge" && facts.may_have_missed_login() {
                facts.ready(at_ns);
            }
            words.say(|| format!("event {}", shorten(event)));
        }
        (Way::Up, "req") => {
            let method = frame.method.as_deref().unwrap_or_default();
            if method == "connect" {
                facts.reach(Stage::Auth);
                let params = frame.params.map(serde_json::value::RawValue::get);
                connect(facts, params.unwrap_or_default());
            } else {
                facts.asked(id);
            }
            words.say(|| format!("req {}", shorten(method)));
        }
        (Way::Down, "res") => response(facts, at_ns, id, &frame, words),
        _ => {}
    }
}

/// What a session says all the time, and how it begins, without reading all of it as JSON; `None` if it is something else.
fn glance(facts: &mut Facts, way: Way, at_ns: u64, signs: Signs, text: &str) -> Option<()> {
    let mut glance = Glance::at(text)?;
    match (way, glance.text(r#""type":"#)?) {
        (Way::Down, "event") => match glance.text(r#""event":"#)? {
            "connect.challenge" => {
                challenge(facts, at_ns);
                Some(())
            }
            // It may show that a login was missed.
            _ if facts.ready_ns.is_none() => None,
            "shutdown" => None,
            "tick" => {
                facts.beats.beat(Way::Down, Kind::Tick, at_ns, signs);
                Some(())
            }
            _ => Some(()),
        },
        (Way::Up, "req") => {
            let id = glance.text(r#""id":"#)?;
            if glance.text(r#""method":"#)? == "connect" {
                let params = glance.value(r#""params":"#).filter(|_| glance.is_over())?;
                facts.reach(Stage::Auth);
                connect(facts, params);
            } else {
                facts.asked(id);
            }
            Some(())
        }
        (Way::Down, "res") => {
            let id = glance.text(r#""id":"#)?;
            if facts.ready_ns.is_none() {
                hello(facts, at_ns, id, glance)
            } else {
                glance.is(r#""ok":"#).then(|| facts.answered(id))
            }
        }
        _ => None,
    }
}

/// The answer to `connect`, without its lists of methods and its snapshot, which are nearly all of it.
fn hello(facts: &mut Facts, at_ns: u64, id: &str, mut glance: Glance<'_>) -> Option<()> {
    if glance.value(r#""ok":"#)? != "true" {
        return None;
    }
    let mut payload = glance.last(r#""payload":"#)?;
    if payload.text(r#""type":"#)? != "hello-ok" {
        return None;
    }
    let mut hello = HelloOk::default();
    while !payload.is_over() {
        let (name, value) = payload.field()?;
        match name {
            "protocol" => hello.protocol = serde_json::from_str(value).ok()?,
            "server" => hello.server = serde_json::from_str(value).ok()?,
            "auth" => hello.auth = serde_json::from_str(value).ok()?,
            "policy" => hello.policy = serde_json::from_str(value).ok()?,
            _ => {}
        }
    }
    facts.answered(id);
    accepted(facts, at_ns, &hello);
    Some(())
}

fn challenge(facts: &mut Facts, at_ns: u64) {
    facts.reach(Stage::Challenge);
    facts.challenged_ns.get_or_insert(at_ns);
}

fn accepted(facts: &mut Facts, at_ns: u64, hello: &HelloOk) {
    facts.beats.announce(hello.policy.tick_interval_ms);
    let identity = &mut facts.identity;
    identity.server_version = Some(shorten(&hello.server.version)).filter(|v| !v.is_empty());
    identity.protocol = Some(hello.protocol.to_string());
    if !hello.auth.role.is_empty() {
        identity.role = Some(shorten(&hello.auth.role));
    }
    facts.ready(at_ns);
}

/// Reads the beginning of a message whose end was not captured; `None` if it is no message of this dialect.
pub fn read_cut(facts: &mut Facts, way: Way, at_ns: u64, text: &str, words: &mut Words) -> Option<()> {
    let mut glance = Glance::at_cut(text)?;
    let kind = glance.text(r#""type":"#)?;
    match (way, kind) {
        (Way::Down, "event") => {
            let event = glance.text(r#""event":"#)?;
            if event == "connect.challenge" {
                challenge(facts, at_ns);
            } else if facts.may_have_missed_login() {
                facts.ready(at_ns);
            }
            words.say(|| format!("event {} (cut)", shorten(event)));
        }
        (Way::Up, "req") => {
            let id = glance.text(r#""id":"#)?;
            let method = glance.text(r#""method":"#)?;
            if method == "connect" {
                facts.reach(Stage::Auth);
            } else {
                facts.asked(id);
            }
            words.say(|| format!("req {} (cut)", shorten(method)));
        }
        (Way::Down, "res") => {
            facts.answered(glance.text(r#""id":"#)?);
            if glance.is(r#""ok":true,"payload":{"type":"hello-ok""#) {
                facts.ready(at_ns);
            }
            words.say(|| "res (cut)".to_owned());
        }
        _ => return None,
    }
    facts.dialect = Dialect::Openclaw;
    Some(())
}

fn response(facts: &mut Facts, at_ns: u64, id: &str, frame: &Frame<'_>, words: &mut Words) {
    facts.answered(id);
    if facts.ready_ns.is_some() {
        words.say(|| format!("res {}", if frame.ok == Some(true) { "ok" } else { "error" }));
        return;
    }
    let hello = || serde_json::from_str::<HelloOk>(frame.payload?.get()).ok();
    match (&frame.error, hello()) {
        (Some(error), _) => {
            let refusal = refusal_of(error);
            words.say(|| format!("res error {}", shorten(&refusal.code)));
            facts.refusal.get_or_insert_with(|| Box::new(refusal));
        }
        (None, Some(hello)) if hello.kind == "hello-ok" => {
            accepted(facts, at_ns, &hello);
            words.say(|| "res hello-ok".to_owned());
        }
        _ => {
            // An answer to something else than connect, in a capture that begins in the middle.
            if facts.may_have_missed_login() {
                facts.ready(at_ns);
            }
            words.say(|| "res ok".to_owned());
        }
    }
}

/// `connect` parameters, as far as they are told; read leniently, since a refused client may send anything.
fn connect(facts: &mut Facts, params: &str) {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Connect {
        min_protocol: Option<u32>,
        max_protocol: Option<u32>,
        role: Option<String>,
        client: Client,
        auth: Auth,
        device: Option<serde::de::IgnoredAny>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Client {
        id: Option<String>,
        version: Option<String>,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Auth {
        token: Option<serde::de::IgnoredAny>,
        password: Option<serde::de::IgnoredAny>,
        device_token: Option<serde::de::IgnoredAny>,
        bootstrap_token: Option<serde::de::IgnoredAny>,
    }
    let Ok(connect) = serde_json::from_str::<Connect>(params) else {
        return;
    };
    let identity = &mut facts.identity;
    identity.role = connect.role.as_deref().or(Some("operator")).map(shorten);
    identity.client_id = connect.client.id.as_deref().map(shorten);
    identity.client_version = connect.client.version.as_deref().map(shorten);
    identity.protocol = match (connect.min_protocol, connect.max_protocol) {
        (Some(min), Some(max)) if min == max => Some(max.to_string()),
        (Some(min), Some(max)) => Some(format!("{min}-{max}")),
        _ => None,
    };
    identity.auth = [
        (connect.auth.token.is_some(), "token"),
        (connect.auth.password.is_some(), "password"),
        (connect.auth.device_token.is_some(), "device-token"),
        (connect.auth.bootstrap_token.is_some(), "bootstrap-token"),
        (connect.device.is_some(), "device"),
    ]
    .into_iter()
    .filter_map(|(is_there, name)| is_there.then_some(name))
    .collect();
    facts.dialect = Dialect::Openclaw;
}
