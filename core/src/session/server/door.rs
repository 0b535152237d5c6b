//! Before the 101: the HTTP head, the decision on it, and its answer.

use super::super::server_http::{write_answer, write_rejection, write_switching};
use super::{Door, Mark, Phase, ServerConnection};
use crate::Stage;
use crate::session::{Admission, Admit, Finish, HttpAnswer, Outbox, ServerDialect, ServerEvent};
use crate::time::Instant;
use crate::ws::{HttpRequest, UpgradeError, parse_http_request};

/// A body that is longer is not waited for: what came of it is what the answer is about.
const MAX_BODY_BYTES: usize = 64 * 1024;

impl<D: ServerDialect> ServerConnection<D> {
    pub(super) fn head(&mut self, now: Instant, bytes: &mut [u8], out: &mut Outbox<ServerEvent>) {
        let Some(mut door) = self.door.take() else {
            return;
        };
        if !bytes.is_empty() {
            self.reach(Stage::Upgrade, out);
        }
        door.bytes.extend_from_slice(bytes);
        match parse_http_request(&door.bytes) {
            Ok(None) => self.door = Some(door),
            Ok(Some(request)) if awaits_body(&request, &door) => self.door = Some(door),
            Ok(Some(request)) => {
                let rest = door.bytes.split_off(request.head_bytes);
                self.answer_request(now, &request, door.admit, rest, out);
            }
            Err(UpgradeError::TooLong) => self.refuse(431, "the request's head is too long", out),
            Err(_) => self.refuse(400, "this is no HTTP/1.1 request", out),
        }
    }

    /// The head is whole: upgrade, health or error. `rest` are bytes that came with it.
    fn answer_request(
        &mut self,
        now: Instant,
        request: &HttpRequest,
        admit: Box<dyn Admit<D>>,
        mut rest: Vec<u8>,
        out: &mut Outbox<ServerEvent>,
    ) {
        let path = request.target.split(['?', '#']).next().unwrap_or("/");
        let upgrade = match &request.upgrade {
            Ok(upgrade) => upgrade.clone(),
            Err(why) => {
                self.http_only = true;
                match (request.method.as_str(), path) {
                    (method, path) if admit.takes(method, path) => {
                        rest.truncate(request.content_length.unwrap_or(0));
                        let answer = admit.answer(now, request, &rest);
                        self.answer_later(now, answer, out);
                    }
                    ("GET", "/healthz") => {
                        self.answer_json(200, r#"{"ok":true,"status":"live"}"#, out);
                    }
                    ("GET", "/readyz") if admit.is_ready() => {
                        self.answer_json(200, r#"{"ready":true}"#, out);
                    }
                    ("GET", "/readyz") => self.answer_json(503, r#"{"ready":false}"#, out),
                    _ if self.is_elsewhere(path) => self.refuse(404, "nothing is here", out),
                    _ => self.upgrade_required(why, out),
                }
                return;
            }
        };
        let forwarded = upgrade.forwarded.is_some();
        let request = &**self.request.insert(Box::new(upgrade));
        if self.config.path.is_some_and(|only| only != path) {
            self.refuse(404, "no WebSocket is here", out);
            return;
        }
        if self.config.refuse_forwarded && forwarded {
            self.answer_json(
                403,
                r#"{"error":{"type":"proxy_attribution_required","message":"the request came through a proxy that is not trusted"}}"#,
                out,
            );
            return;
        }
        match admit.admit(now, request) {
            Admission::Reject(rejection) => {
                self.http_status = Some(rejection.status);
                write_rejection(&mut out.bytes, &rejection);
                out.finish(Finish::Fin);
            }
            Admission::Accept(mut dialect) => {
                let protocol = self.config.protocols.choose(&request.protocols);
                write_switching(&mut out.bytes, &request.key, protocol);
                self.http_status = Some(101);
                self.upgraded = Some(now);
                self.phase = Phase::Open;
                self.reach(Stage::Challenge, out);
                let start = Mark::of(out);
                dialect.upgraded(now, out);
                self.dialect = Some(dialect);
                self.settle_dialect(now, start, out);
                if self.phase == Phase::Open && !rest.is_empty() {
                    self.frames(now, &mut rest, out);
                }
            }
        }
    }

    fn is_elsewhere(&self, path: &str) -> bool {
        self.config.path.is_some_and(|only| only != path)
    }

    fn upgrade_required(&mut self, why: &str, out: &mut Outbox<ServerEvent>) {
        self.http_status = Some(426);
        write_answer(
            &mut out.bytes,
            426,
            "text/plain; charset=utf-8",
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            &format!("this is a WebSocket endpoint: {why}\n"),
        );
        out.finish(Finish::Fin);
    }

    /// An answer that may have to wait for its time.
    fn answer_later(&mut self, now: Instant, answer: HttpAnswer, out: &mut Outbox<ServerEvent>) {
        if answer.delay.is_zero() {
            return self.give_answer(&answer, out);
        }
        self.phase = Phase::Answering {
            at: now + answer.delay,
        };
        self.facts().late_answer = Some(answer);
    }

    pub(super) fn give_answer(&mut self, answer: &HttpAnswer, out: &mut Outbox<ServerEvent>) {
        if answer.is_lost {
            out.finish(Finish::Rst);
        } else {
            self.answer_json(answer.status, &answer.json, out);
        }
    }

    fn answer_json(&mut self, status: u16, body: &str, out: &mut Outbox<ServerEvent>) {
        self.http_status = Some(status);
        write_answer(&mut out.bytes, status, "application/json", "", body);
        out.finish(Finish::Fin);
    }

    fn refuse(&mut self, status: u16, body: &str, out: &mut Outbox<ServerEvent>) {
        self.http_status = Some(status);
        write_answer(&mut out.bytes, status, "text/plain; charset=utf-8", "", body);
        out.finish(Finish::Fin);
    }
}

/// A request with a body that somebody wants, and that is not whole yet.
fn awaits_body<D: ServerDialect>(request: &HttpRequest, door: &Door<D>) -> bool {
    let wanted = request.content_length.unwrap_or(0);
    let path = request.target.split(['?', '#']).next().unwrap_or("/");
    request.upgrade.is_err()
        && wanted <= MAX_BODY_BYTES
        && door.bytes.len() - request.head_bytes < wanted
        && door.admit.takes(&request.method, path)
}
