//! OpenClaw gateway protocol in a capture (protocol page, sections 2 to 7).

mod login;

use super::beats::{Kind, Signs};
use super::facts::{Facts, shorten};
use super::glance::Glance;
use super::words::Words;
use crate::tcp::Way;
use clw_core::openclaw::{Frame, refusal_of};
use clw_core::{Dialect, Stage};
use login::{Connect, Hello};
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
                if let Some(connect) = frame.params.and_then(|params| Connect::read(params.get())) {
                    connect.take_in(facts);
                }
            } else {
                asks(facts, at_ns, id);
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
                let connect = Connect::glance(glance.last(r#""params":"#)?)?;
                facts.reach(Stage::Auth);
                connect.take_in(facts);
            } else {
                asks(facts, at_ns, id);
            }
            Some(())
        }
        (Way::Down, "res") => {
            let id = glance.text(r#""id":"#)?;
            if facts.ready_ns.is_some() {
                return glance.is(r#""ok":"#).then(|| facts.answered(id));
            }
            let hello = (glance.value(r#""ok":"#)? == "true")
                .then(|| Hello::glance(glance.last(r#""payload":"#)?))??;
            facts.answered(id);
            hello.accept(facts, at_ns);
            Some(())
        }
        _ => None,
    }
}

/// A request that is no `connect`: whoever makes it is logged in, whether that was captured or not.
fn asks(facts: &mut Facts, at_ns: u64, id: &str) {
    if facts.began_in_the_middle && facts.challenged_ns.is_none() {
        facts.ready(at_ns);
    }
    facts.asked(id);
}

fn challenge(facts: &mut Facts, at_ns: u64) {
    facts.reach(Stage::Challenge);
    facts.challenged_ns.get_or_insert(at_ns);
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
                asks(facts, at_ns, id);
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
    let hello = || Hello::read(frame.payload?.get());
    match (&frame.error, hello()) {
        // Only who is logged in can lack a scope: the login was not captured.
        (Some(error), _) if error.code == "FORBIDDEN" && facts.may_have_missed_login() => {
            facts.ready(at_ns);
            words.say(|| "res error".to_owned());
        }
        (Some(error), _) => {
            let refusal = refusal_of(error);
            words.say(|| format!("res error {}", shorten(&refusal.code)));
            facts.refusal.get_or_insert_with(|| Box::new(refusal));
        }
        (None, Some(hello)) => {
            hello.accept(facts, at_ns);
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
