//! What a direction said, taken into the facts.

use super::beats::{Kind, Signs};
use super::facts::{Close, shorten};
use super::frames::Event;
use super::session::Moment;
use super::words::Words;
use super::{Facts, clawchat, clw, openclaw};
use crate::tcp::Way;
use clw_core::{Dialect, Stage};

/// Takes in what a direction said; `words` gets it in short.
pub(super) fn said(
    facts: &mut Facts,
    forced: Option<Dialect>,
    way: Way,
    moment: Moment,
    event: &Event<'_>,
    words: &mut Words,
) {
    let Moment { at_ns, frame, signs } = moment;
    match event {
        Event::Ping => {
            facts.beats.beat(way, Kind::Ping, at_ns, signs);
            facts.beats.asked(way, Kind::Ping, at_ns);
            words.say(|| "ws ping".to_owned());
        }
        Event::Pong => {
            facts.beats.beat(way, Kind::Pong, at_ns, signs);
            facts.beats.answered(way.back(), Kind::Ping);
            words.say(|| "ws pong".to_owned());
        }
        Event::Close {
            code,
            reason,
            is_whole,
        } => {
            match &mut facts.close {
                // What was said first may be read last, where packets before it were lost.
                Some(first) if first.by != way.sender() && at_ns < first.at_ns => {
                    first.echo = Some(first.code);
                    first.code = *code;
                    first.is_cut = code.is_none() && !is_whole;
                    first.by = way.sender();
                    first.reason = shorten(reason);
                    first.frame = frame;
                    first.at_ns = at_ns;
                }
                None => {
                    facts.close = Some(Box::new(Close {
                        by: way.sender(),
                        is_echo: false,
                        is_cut: code.is_none() && !is_whole,
                        code: *code,
                        reason: shorten(reason),
                        frame,
                        at_ns,
                        echo: None,
                    }));
                }
                Some(first) if first.by != way.sender() => first.echo = Some(*code),
                Some(_) => {}
            }
            words.say(|| {
                let code = match code {
                    Some(code) => code.to_string(),
                    None if *is_whole => "without a code".to_owned(),
                    None => "(its code was not captured)".to_owned(),
                };
                format!("close {code} {}", shorten(reason)).trim_end().to_owned()
            });
        }
        Event::Violation(what) => {
            facts.broken(way.sender(), what);
            words.say(|| format!("broken: {what}"));
        }
        Event::Forgivable(what) => {
            facts.forgiven.get_or_insert(what);
            words.say(|| format!("against the rules: {what}"));
        }
        Event::Message {
            is_text,
            payload,
            is_whole,
        } => {
            if way == Way::Up {
                facts.first_message_ns.get_or_insert(at_ns);
                // Whatever it is, the client has begun to speak.
                if facts.stage < Stage::Ready {
                    facts.reach(Stage::Auth);
                }
            }
            words.say(|| {
                let kind = if *is_text { "text" } else { "binary" };
                format!("{kind}, {} bytes", payload.len())
            });
            message(
                facts,
                forced,
                way,
                at_ns,
                signs,
                (*is_text, payload, *is_whole),
                words,
            );
        }
    }
}

fn message(
    facts: &mut Facts,
    forced: Option<Dialect>,
    way: Way,
    at_ns: u64,
    signs: Signs,
    (is_text, payload, is_whole): (bool, &[u8], bool),
    words: &mut Words,
) {
    let text = if is_text {
        std::str::from_utf8(payload)
    } else {
        Ok("")
    };
    if !is_whole {
        if is_text {
            cut(facts, way, at_ns, payload, words);
        }
        return;
    }
    let Ok(text) = text else {
        facts.broken(way.sender(), "a text message is no UTF-8");
        return;
    };
    if facts.dialect == Dialect::Unknown {
        facts.dialect = match forced {
            Some(dialect) => dialect,
            None if is_text && openclaw::recognises(text) => Dialect::Openclaw,
            None if is_text && clawchat::recognises(text) => Dialect::Clawchat,
            None if !is_text && clw::recognises(way, payload) => Dialect::Clw,
            None => Dialect::Unknown,
        };
        // Servers of the dialects say nothing else than their dialect.
        facts.is_foreign |= facts.dialect == Dialect::Unknown && way == Way::Down;
    }
    match facts.dialect {
        Dialect::Openclaw if is_text => openclaw::read(facts, way, at_ns, signs, text, words),
        Dialect::Clawchat if is_text => clawchat::read(facts, way, at_ns, signs, text, words),
        Dialect::Clw if !is_text => clw::read(facts, way, at_ns, signs, payload, words),
        _ => {}
    }
}

/// A text of which only the beginning was captured.
fn cut(facts: &mut Facts, way: Way, at_ns: u64, payload: &[u8], words: &mut Words) {
    facts.has_holes |= facts.ready_ns.is_none();
    let text = match std::str::from_utf8(payload) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&payload[..error.valid_up_to()]).unwrap_or_default(),
    };
    let read = match facts.dialect {
        Dialect::Openclaw => openclaw::read_cut(facts, way, at_ns, text, words),
        Dialect::Clawchat => clawchat::read_cut(facts, way, at_ns, text, words),
        Dialect::Unknown => openclaw::read_cut(facts, way, at_ns, text, words)
            .or_else(|| clawchat::read_cut(facts, way, at_ns, text, words)),
        _ => None,
    };
    if read.is_none() && way == Way::Down {
        facts.may_be_answered();
    }
}
