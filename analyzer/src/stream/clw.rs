//! CLW auth protocol in a capture.

use super::beats::{Kind, Signs};
use super::beside::Beside;
use super::facts::{Facts, shorten};
use super::words::Words;
use crate::tcp::Way;
use clw_core::Stage;
use clw_core::clw::{
    AuthError, AuthOk, DisconnectAuth, Frame, Hello, Opcode, REFUSED_REFRESH_SEQ, RefreshOk, refusal_class,
};
use clw_core::verdict::Refusal;

/// Whether a binary message is of this dialect: a known opcode of its sender, and a JSON object or nothing.
pub fn recognises(way: Way, message: &[u8]) -> bool {
    Frame::read(message)
        .ok()
        .and_then(|frame| Some((frame.known_opcode().ok()?, frame.no_payload().is_ok())))
        .is_some_and(|(opcode, is_object)| opcode.sender() == way.sender() && is_object)
}

/// Reads a message of `way`.
pub fn read(facts: &mut Facts, way: Way, at_ns: u64, signs: Signs, message: &[u8], words: &mut Words) {
    let frame = match Frame::read(message) {
        Ok(frame) => frame,
        Err(error) => {
            facts.broken(way.sender(), &error.to_string());
            return;
        }
    };
    let Ok(opcode) = frame.known_opcode() else {
        if facts.ready_ns.is_none() {
            facts.broken(
                way.sender(),
                &format!("unknown opcode 0x{:X} before AUTH_OK", frame.opcode),
            );
        }
        words.say(|| format!("opcode 0x{:X}", frame.opcode));
        return;
    };
    if way == Way::Up && facts.ready_ns.is_none() && frame.no_payload().is_err() {
        facts.broken(
            way.sender(),
            &format!("the payload of {opcode} is no JSON object"),
        );
    }
    words.say(|| opcode.name().to_owned());
    match opcode {
        Opcode::AuthHello => {
            facts.reach(Stage::Auth);
            if let Ok(hello) = frame.payload::<Hello<'_>>() {
                facts.identity.client_id = Some(shorten(&hello.client_id));
                facts.identity.client_version = Some(shorten(&hello.client_version));
                facts.identity.auth = vec![if hello.resume.is_some() {
                    "token+resume"
                } else {
                    "token"
                }];
            }
        }
        Opcode::AuthOk => {
            facts.ready(at_ns);
            if let Ok(ok) = frame.payload::<AuthOk<'_>>() {
                facts.identity.server_version = Some(shorten(&ok.server_version)).filter(|v| !v.is_empty());
                expires(facts, at_ns, ok.ttl_s);
                let session = ok.session.as_bytes().try_into().ok();
                if let (Some(port), Some(session)) = (ok.udp_port, session) {
                    facts
                        .beside
                        .get_or_insert_with(|| Box::new(Beside::new(port, session)));
                }
            }
        }
        Opcode::AuthLogout => facts.logged_out = true,
        Opcode::DisconnectAuth => {
            if let Ok(disconnect) = frame.payload::<DisconnectAuth>() {
                facts.disconnect.get_or_insert(disconnect.reason);
            }
        }
        Opcode::AuthPing => {
            facts.beats.beat(Way::Up, Kind::Tick, at_ns, signs);
            facts.beats.asked(Way::Up, Kind::Tick, at_ns);
        }
        Opcode::AuthPong => {
            facts.beats.beat(Way::Down, Kind::Tick, at_ns, signs);
            facts.beats.answered(Way::Up, Kind::Tick);
        }
        Opcode::RefreshOk => {
            if let Ok(ok) = frame.payload::<RefreshOk>() {
                expires(facts, at_ns, ok.ttl_s);
            }
        }
        Opcode::AuthError => {
            if let Ok(error) = frame.payload::<AuthError<'_>>() {
                words.say(|| format!("AUTH_ERROR {}", shorten(&error.code)));
                if facts.ready_ns.is_none() {
                    facts.refusal.get_or_insert_with(|| {
                        Box::new(Refusal {
                            class: refusal_class(&error.code),
                            code: shorten(&error.code),
                            message: shorten(&error.message),
                        })
                    });
                } else if frame.seq == REFUSED_REFRESH_SEQ {
                    facts.token_expires_ns = Some(at_ns);
                }
            }
        }
        Opcode::RefreshNeeded | Opcode::AuthRefresh => {}
    }
    if facts.may_have_missed_login() && !matches!(opcode, Opcode::AuthHello | Opcode::AuthError) {
        facts.ready(at_ns);
    }
}

fn expires(facts: &mut Facts, at_ns: u64, ttl_s: u64) {
    facts.token_expires_ns = Some(at_ns.saturating_add(ttl_s.saturating_mul(1_000_000_000)));
}
