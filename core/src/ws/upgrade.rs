//! The HTTP upgrade (RFC 6455 section 4), both sides.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;
use thiserror::Error;

/// An HTTP head longer than this is refused.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradeRequest {
    /// Request target: path and query.
    pub target: String,
    /// `Host` header.
    pub host: String,
    /// `Sec-WebSocket-Key`.
    pub key: String,
    /// `Sec-WebSocket-Protocol`, in the order offered.
    pub protocols: Vec<String>,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// `Origin`.
    pub origin: Option<String>,
    /// `X-Forwarded-For` (or another forwarding header) is present.
    pub forwarded: Option<String>,
}

/// What the server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradeAnswer {
    /// HTTP status; 101 with a right accept key is a WebSocket.
    pub status: u16,
    /// Reason phrase.
    pub reason: String,
    /// The subprotocol chosen.
    pub protocol: Option<String>,
    /// `Server` header.
    pub server: Option<String>,
    /// Bytes of the head; what follows belongs to the WebSocket (or is the error's body).
    pub head_bytes: usize,
}

/// Why an HTTP head is not an upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UpgradeError {
    /// Not HTTP/1.1.
    #[error("not HTTP: {0}")]
    NotHttp(String),
    /// The head does not end.
    #[error("HTTP head longer than {MAX_HEAD_BYTES} bytes")]
    TooLong,
    /// A 101 that does not prove that the peer speaks WebSocket, or a request that asks for something else.
    #[error("not a WebSocket upgrade: {0}")]
    NotWebSocket(&'static str),
}

/// The proof that goes back for `key` (RFC 6455 section 4.2.2).
pub fn accept_key(key: &str) -> String {
    tungstenite::handshake::derive_accept_key(key.as_bytes())
}

/// Appends an upgrade request to `out`; `nonce` makes the key, so that a seeded run repeats itself. Returns the key.
pub fn write_request(
    out: &mut Vec<u8>,
    host: &str,
    target: &str,
    protocols: &[&str],
    user_agent: &str,
    origin: Option<&str>,
    nonce: [u8; 16],
) -> String {
    let key = STANDARD.encode(nonce);
    let mut head = String::with_capacity(256);
    // Writing to a String cannot fail.
    let _ = write!(
        head,
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {user_agent}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
    );
    if let Some(origin) = origin {
        let _ = write!(head, "Origin: {origin}\r\n");
    }
    if !protocols.is_empty() {
        let _ = write!(head, "Sec-WebSocket-Protocol: {}\r\n", protocols.join(", "));
    }
    head.push_str("\r\n");
    out.extend_from_slice(head.as_bytes());
    key
}

/// Reads the server's answer; `Ok(None)` while the head is incomplete. With a status other than 101 only the status is
/// checked.
pub fn parse_answer(bytes: &[u8], key: &str) -> Result<Option<UpgradeAnswer>, UpgradeError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let head_bytes = match response.parse(bytes) {
        Ok(httparse::Status::Complete(n)) => n,
        Ok(httparse::Status::Partial) if bytes.len() > MAX_HEAD_BYTES => return Err(UpgradeError::TooLong),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(e) => return Err(UpgradeError::NotHttp(e.to_string())),
    };
    let status = response.code.unwrap_or(0);
    let value = |name| header(response.headers, name);
    let answer = UpgradeAnswer {
        status,
        reason: response.reason.unwrap_or_default().to_owned(),
        protocol: value("sec-websocket-protocol"),
        server: value("server"),
        head_bytes,
    };
    if status == 101 && value("sec-websocket-accept").as_deref() != Some(accept_key(key).as_str()) {
        return Err(UpgradeError::NotWebSocket("wrong Sec-WebSocket-Accept"));
    }
    Ok(Some(answer))
}

/// Any HTTP request, with the upgrade that it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// Method, e.g. `GET`.
    pub method: String,
    /// Request target: path and query.
    pub target: String,
    /// `Content-Length`, if it is a number.
    pub content_length: Option<usize>,
    /// `X-Device-Id` (ClawChat's REST calls).
    pub device_id: Option<String>,
    /// The upgrade, or why there is none.
    pub upgrade: Result<UpgradeRequest, &'static str>,
    /// Bytes of the head.
    pub head_bytes: usize,
}

/// Reads a client's request; `Ok(None)` while the head is incomplete, else the request and the bytes of its head.
pub fn parse_request(bytes: &[u8]) -> Result<Option<(UpgradeRequest, usize)>, UpgradeError> {
    match parse_http_request(bytes)? {
        None => Ok(None),
        Some(HttpRequest {
            upgrade: Ok(upgrade),
            head_bytes,
            ..
        }) => Ok(Some((upgrade, head_bytes))),
        Some(HttpRequest {
            upgrade: Err(why), ..
        }) => Err(UpgradeError::NotWebSocket(why)),
    }
}

/// Reads any HTTP request, as a server must that answers others than upgrades too; `Ok(None)` while its head is incomplete.
pub fn parse_http_request(bytes: &[u8]) -> Result<Option<HttpRequest>, UpgradeError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let head_bytes = match request.parse(bytes) {
        Ok(httparse::Status::Complete(n)) if n > MAX_HEAD_BYTES => return Err(UpgradeError::TooLong),
        Ok(httparse::Status::Complete(n)) => n,
        Ok(httparse::Status::Partial) if bytes.len() > MAX_HEAD_BYTES => return Err(UpgradeError::TooLong),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(e) => return Err(UpgradeError::NotHttp(e.to_string())),
    };
    Ok(Some(HttpRequest {
        method: request.method.unwrap_or_default().to_owned(),
        target: request.path.unwrap_or("/").to_owned(),
        content_length: header(request.headers, "content-length").and_then(|n| n.trim().parse().ok()),
        device_id: header(request.headers, "x-device-id"),
        upgrade: upgrade_of(&request),
        head_bytes,
    }))
}

/// The checks of RFC 6455 section 4.2.1.
fn upgrade_of(request: &httparse::Request<'_, '_>) -> Result<UpgradeRequest, &'static str> {
    let value = |name| header(request.headers, name);
    if request.method != Some("GET") {
        return Err("method is not GET");
    }
    if request.version != Some(1) {
        return Err("not HTTP/1.1");
    }
    if !tokens(request.headers, "upgrade").any(|v| v.eq_ignore_ascii_case("websocket")) {
        return Err("no Upgrade: websocket");
    }
    if !tokens(request.headers, "connection").any(|v| v.eq_ignore_ascii_case("upgrade")) {
        return Err("no Connection: Upgrade");
    }
    if value("sec-websocket-version").as_deref() != Some("13") {
        return Err("Sec-WebSocket-Version is not 13");
    }
    let Some(key) = value("sec-websocket-key") else {
        return Err("no Sec-WebSocket-Key");
    };
    if STANDARD.decode(&key).map_or(0, |raw| raw.len()) != 16 {
        return Err("Sec-WebSocket-Key is not 16 bytes in base64");
    }
    Ok(UpgradeRequest {
        target: request.path.unwrap_or("/").to_owned(),
        host: value("host").unwrap_or_default(),
        key,
        protocols: tokens(request.headers, "sec-websocket-protocol").collect(),
        user_agent: value("user-agent"),
        origin: value("origin"),
        forwarded: value("x-forwarded-for").or_else(|| value("forwarded")),
    })
}

/// The elements of a header that is a comma-separated list, over all its lines.
fn tokens<'a>(headers: &'a [httparse::Header<'_>], name: &'a str) -> impl Iterator<Item = String> + 'a {
    headers
        .iter()
        .filter(move |h| h.name.eq_ignore_ascii_case(name))
        .flat_map(|h| {
            String::from_utf8_lossy(h.value)
                .split(',')
                .map(|token| token.trim().to_owned())
                .filter(|token| !token.is_empty())
                .collect::<Vec<_>>()
        })
}

fn header(headers: &[httparse::Header<'_>], name: &str) -> Option<String> {
    headers
        .iter()
        .find(|h| h.name.eq_ignore_ascii_case(name))
        .map(|h| String::from_utf8_lossy(h.value).into_owned())
}
