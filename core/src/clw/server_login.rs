//! The login: from AUTH_HELLO through the queue to AUTH_OK or a refusal.

use super::authority::{MAX_CLIENT_ID_BYTES, MAX_TOKEN_BYTES};
use super::error_code::{close_code_of, code_of, message_of};
use super::payload::{AuthOk, Hello};
use super::server::{Live, Server, State, say_error, whole_seconds};
use super::wire::encode;
use super::{Opcode, SessionId, WireVersion};
use crate::Stage;
use crate::secret::Secret;
use crate::session::{Outbox, ServerEvent};
use crate::time::{Instant, micros};
use crate::verdict::{Disconnect, Refusal, RefusalClass};
use std::borrow::Cow;

/// A release longer than this is no release.
const MAX_VERSION_BYTES: usize = 64;

/// A login that waits to be checked.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) done: Instant,
    seq: u32,
    token: Secret,
    client_id: Box<str>,
    speaks: Option<WireVersion>,
    resume: Option<SessionId>,
}

impl Server {
    pub(super) fn on_hello(
        &mut self,
        now: Instant,
        seq: u32,
        hello: &Hello<'_>,
        out: &mut Outbox<ServerEvent>,
    ) {
        out.emit(ServerEvent::Reached(Stage::Auth));
        let limits = [
            ("token", hello.token.len(), MAX_TOKEN_BYTES),
            ("client_id", hello.client_id.len(), MAX_CLIENT_ID_BYTES),
            ("client_version", hello.client_version.len(), MAX_VERSION_BYTES),
        ];
        if let Some((field, length, most)) = limits.into_iter().find(|(_, length, most)| length > most) {
            let what = format!("AUTH_HELLO has a {field} of {length} bytes (at most {most})");
            return self.violated(seq, what, out);
        }
        let entered = self.backend.queue().enter(now);
        let Ok(done) = entered else {
            let class = RefusalClass::Overloaded;
            return self.refuse_login(now, seq, class, message_of(class), out);
        };
        let done = done + self.faults.auth_delay;
        self.state = State::Queued(Box::new(Waiting {
            done,
            seq,
            token: Secret::new(&*hello.token),
            client_id: (*hello.client_id).into(),
            speaks: WireVersion::of_release(&hello.client_version),
            resume: hello.resume.as_deref().and_then(SessionId::parse),
        }));
        if done <= now {
            self.check_login(now, out);
        }
    }

    /// The login's turn has come.
    pub(super) fn check_login(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        let State::Queued(waiting) = std::mem::replace(&mut self.state, State::Over) else {
            return;
        };
        self.state = State::Login;
        if let Some(class) = self.faults.login_refused {
            return self.refuse_login(now, waiting.seq, class, message_of(class), out);
        }
        if waiting.speaks.is_none() {
            let class = RefusalClass::VersionMismatch;
            return self.refuse_login(now, waiting.seq, class, message_of(class), out);
        }
        let checked = self
            .backend
            .tokens()
            .check(waiting.token.expose(), &waiting.client_id);
        let grant = match checked {
            Ok(grant) => grant,
            Err(refusal) => {
                let message = refusal.to_string();
                out.emit(ServerEvent::Log(format!(
                    "[clw] unauthorized session={} client={:?} token={} reason={message}",
                    self.session, waiting.client_id, waiting.token
                )));
                return self.refuse_login(now, waiting.seq, RefusalClass::Credentials, &message, out);
            }
        };
        if let Some(wanted) = waiting.resume
            && self.backend.resumable().take(wanted, &waiting.client_id)
        {
            self.session = wanted;
        }
        let config = self.backend.config();
        let ttl = self.faults.ttl.unwrap_or(config.ttl);
        let mut live = Box::new(Live::new(waiting.client_id, grant, now));
        live.live_for(now, ttl, config.refresh_lead);
        out.binary(&[&encode(
            Opcode::AuthOk,
            waiting.seq,
            &AuthOk {
                session: Cow::Owned(self.session.to_string()),
                server_version: Cow::Borrowed(&config.server_version),
                ttl_s: whole_seconds(ttl),
                heartbeat_ms: config.heartbeat.map_or(0, |period| micros(period) / 1000),
                grace_ms: config.grace.map_or(0, |grace| micros(grace) / 1000),
                udp_port: self.udp.as_deref().map(|udp| udp.port),
            },
        )]);
        self.live = Some(live);
        self.became_live();
        out.emit(ServerEvent::Reached(Stage::Ready));
    }

    /// Tells a refusal as the protocol has it: DISCONNECT_AUTH where it has a reason for it, else AUTH_ERROR.
    fn refuse_login(
        &mut self,
        now: Instant,
        seq: u32,
        class: RefusalClass,
        message: &str,
        out: &mut Outbox<ServerEvent>,
    ) {
        let code = code_of(class);
        out.emit(ServerEvent::Refused { code });
        match class {
            RefusalClass::Overloaded => return self.disconnect(now, Disconnect::Overload, out),
            RefusalClass::VersionMismatch => return self.disconnect(now, Disconnect::VersionMismatch, out),
            _ => {}
        }
        say_error(seq, code, message, out);
        out.close(Some(close_code_of(class)), message);
        self.trouble().refusal = Some(Refusal {
            class,
            code: code.to_owned(),
            message: message.to_owned(),
        });
        self.state = State::Over;
    }
}
