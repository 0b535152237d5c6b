//! The HTTP answers of a server: 101, health, errors.

use super::Rejection;
use crate::ws::accept_key;
use std::fmt::Write as _;

/// Appends the 101 for a client's `key`.
pub(super) fn write_switching(out: &mut Vec<u8>, key: &str, protocol: Option<&str>) {
    let mut head = String::with_capacity(160);
    // Writing to a String cannot fail.
    let _ = write!(
        head,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n",
        accept_key(key)
    );
    if let Some(protocol) = protocol {
        let _ = write!(head, "Sec-WebSocket-Protocol: {protocol}\r\n");
    }
    head.push_str("\r\n");
    out.extend_from_slice(head.as_bytes());
}

/// Appends a whole answer after which the connection ends. `extra` are further header lines, each with its CRLF.
pub(super) fn write_answer(out: &mut Vec<u8>, status: u16, content_type: &str, extra: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{extra}Connection: close\r\n\r\n",
        reason_phrase(status),
        body.len()
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(body.as_bytes());
}

/// Appends an error in plain text.
pub(super) fn write_rejection(out: &mut Vec<u8>, rejection: &Rejection) {
    let extra = rejection
        .retry_after
        .map(|after| {
            format!(
                "Retry-After: {}\r\n",
                after.as_secs() + u64::from(after.subsec_nanos() > 0)
            )
        })
        .unwrap_or_default();
    write_answer(
        out,
        rejection.status,
        "text/plain; charset=utf-8",
        &extra,
        &rejection.body,
    );
}

fn reason_phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Error",
    }
}
