//! HTTP heads in a capture.

use super::facts::{Http, shorten};
use std::mem::MaybeUninit;

/// A head longer than this is not waited for.
pub const MAX_HEAD_BYTES: usize = 32 * 1024;
const MAX_HEADERS: usize = 96;
/// So much of what a refusing server says is kept.
const MAX_WORDS: usize = 160;

/// A client's request.
#[derive(Debug)]
pub struct Request {
    /// What is kept of it.
    pub http: Http,
    /// It asks for a WebSocket.
    pub is_upgrade: bool,
    /// Subprotocols offered.
    pub protocols: String,
    /// Bytes of its head.
    pub head_bytes: usize,
}

/// A server's answer.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Subprotocol chosen.
    pub protocol: String,
    /// permessage-deflate as agreed: whether the client's and the server's side keep their contexts.
    pub deflate: Option<[bool; 2]>,
    /// Bytes of its head.
    pub head_bytes: usize,
}

/// What became of a head.
#[derive(Debug)]
pub enum Head<T> {
    /// It is whole.
    Whole(T),
    /// More bytes are needed.
    Partial,
    /// It is no HTTP.
    Broken,
}

fn text<'a>(headers: &'a [httparse::Header<'_>], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|h| h.name.eq_ignore_ascii_case(name))
        .and_then(|h| std::str::from_utf8(h.value).ok())
}

fn has_token(headers: &[httparse::Header<'_>], name: &str, token: &str) -> bool {
    headers
        .iter()
        .filter(|h| h.name.eq_ignore_ascii_case(name))
        .filter_map(|h| std::str::from_utf8(h.value).ok())
        .flat_map(|v| v.split(','))
        .any(|v| v.trim().eq_ignore_ascii_case(token))
}

/// The status of an answer of which perhaps only the beginning was captured.
pub fn status(bytes: &[u8]) -> Option<u16> {
    let line = bytes.strip_prefix(b"HTTP/1.")?.get(1..)?.strip_prefix(b" ")?;
    std::str::from_utf8(line.get(..3)?).ok()?.parse().ok()
}

/// The beginning of an answer's body, if it is words for people.
pub fn plain_words(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(&body[..body.len().min(MAX_WORDS)])
        .ok()?
        .trim();
    let is_plain = text.chars().all(|c| !c.is_control()) && !text.starts_with(['<', '{', '[']);
    (is_plain && !text.is_empty()).then(|| text.to_owned())
}

/// Reads a request's head.
pub fn request(bytes: &[u8]) -> Head<Request> {
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(bytes, &mut headers) {
        Ok(httparse::Status::Complete(head_bytes)) => {
            let headers = &*parsed.headers;
            let target = parsed.path.unwrap_or("/");
            let forwarded = ["x-forwarded-for", "forwarded", "x-real-ip"];
            Head::Whole(Request {
                http: Http {
                    method: parsed.method.unwrap_or_default().to_owned(),
                    // A query may hold a token.
                    path: shorten(target.split(['?', '#']).next().unwrap_or(target)),
                    user_agent: text(headers, "user-agent").map(shorten),
                    forwarded_for: forwarded.iter().find_map(|name| text(headers, name)).map(shorten),
                    status: None,
                },
                is_upgrade: has_token(headers, "upgrade", "websocket"),
                protocols: shorten(text(headers, "sec-websocket-protocol").unwrap_or_default()),
                head_bytes,
            })
        }
        Ok(httparse::Status::Partial) if bytes.len() <= MAX_HEAD_BYTES => Head::Partial,
        _ => Head::Broken,
    }
}

/// Reads the lines of a request's head whose end was not captured.
pub fn cut_request(bytes: &[u8]) -> Option<Request> {
    let end = bytes.windows(2).rposition(|pair| pair == b"\r\n")? + 2;
    let lines = [&bytes[..end], b"\r\n"].concat();
    match request(&lines) {
        Head::Whole(request) => Some(request),
        Head::Partial | Head::Broken => None,
    }
}

/// Reads an answer's head.
pub fn answer(bytes: &[u8]) -> Head<Answer> {
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut parsed, bytes, &mut headers) {
        Ok(httparse::Status::Complete(head_bytes)) => {
            let headers = &*parsed.headers;
            let extensions = text(headers, "sec-websocket-extensions").unwrap_or_default();
            Head::Whole(Answer {
                status: parsed.code.unwrap_or(0),
                protocol: shorten(text(headers, "sec-websocket-protocol").unwrap_or_default()),
                deflate: extensions.contains("permessage-deflate").then(|| {
                    [
                        !extensions.contains("client_no_context_takeover"),
                        !extensions.contains("server_no_context_takeover"),
                    ]
                }),
                head_bytes,
            })
        }
        Ok(httparse::Status::Partial) if bytes.len() <= MAX_HEAD_BYTES => Head::Partial,
        _ => Head::Broken,
    }
}
