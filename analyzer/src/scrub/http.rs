//! Blanking HTTP heads, line by line.

use super::json::BLANK;

/// Headers whose values stay: the upgrade, and who speaks.
const KEPT: &[&str] = &[
    "host",
    "upgrade",
    "connection",
    "sec-websocket-version",
    "sec-websocket-key",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-protocol",
    "user-agent",
    "server",
    "content-type",
    "content-length",
    "transfer-encoding",
    "retry-after",
    "date",
    "origin",
    "x-forwarded-for",
    "forwarded",
    "via",
];
/// Some clients hide a token among the subprotocols.
const PROTOCOL_BYTES: usize = 32;

/// No header that matters has a longer name.
const NAME_BYTES: usize = 48;

/// What a line of a head said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The head is over.
    End,
    /// An answer with this status.
    Status(u16),
    /// So many bytes of body follow.
    Length(u64),
    /// Anything else.
    Other,
}

/// Blanks one line, its end included, in place. `is_first`: it is the request line or the status line.
pub(super) fn blank_line(line: &mut [u8], is_first: bool, blanked: &mut u64) -> Line {
    let end = line.len()
        - if line.ends_with(b"\r\n") {
            2
        } else {
            usize::from(line.ends_with(b"\n"))
        };
    let text = &mut line[..end];
    if text.is_empty() {
        return Line::End;
    }
    if is_first {
        return first_line(text, blanked);
    }
    let Some(colon) = text.iter().position(|byte| *byte == b':') else {
        *blanked += 1;
        text.fill(BLANK);
        return Line::Other;
    };
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    if colon > NAME_BYTES || !text[..colon].iter().all(is_name) {
        *blanked += 1;
        text.fill(BLANK);
        return Line::Other;
    }
    let (name, value) = text.split_at_mut(colon);
    let name = String::from_utf8_lossy(name).trim().to_ascii_lowercase();
    let value = &mut value[1..];
    match name.as_str() {
        "content-length" => {
            let digits = std::str::from_utf8(value)
                .ok()
                .and_then(|text| text.trim().parse().ok());
            return digits.map_or(Line::Other, Line::Length);
        }
        "sec-websocket-protocol" => {
            for protocol in value.split_mut(|byte| *byte == b',') {
                if protocol.len() > PROTOCOL_BYTES {
                    *blanked += 1;
                    protocol.fill(BLANK);
                }
            }
        }
        _ if KEPT.contains(&name.as_str()) => {}
        _ => {
            *blanked += 1;
            for byte in value.iter_mut().filter(|byte| **byte != b' ') {
                *byte = BLANK;
            }
        }
    }
    Line::Other
}

/// The path stays, the values of a query do not.
fn first_line(text: &mut [u8], blanked: &mut u64) -> Line {
    let mut words = text.split_mut(|byte| *byte == b' ');
    let first = words.next().unwrap_or_default();
    let second = words.next().unwrap_or_default();
    if first.starts_with(b"HTTP/") {
        let status = std::str::from_utf8(second)
            .ok()
            .and_then(|status| status.parse().ok());
        return status.map_or(Line::Other, Line::Status);
    }
    let mut in_value = false;
    let mut in_query = false;
    for byte in second {
        match *byte {
            b'?' if !in_query => in_query = true,
            b'&' => in_value = false,
            b'=' if in_query && !in_value => {
                in_value = true;
                *blanked += 1;
            }
            _ if in_value => *byte = BLANK,
            _ => {}
        }
    }
    Line::Other
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, is_first: bool) -> (String, Line) {
        let mut bytes = text.as_bytes().to_vec();
        let said = blank_line(&mut bytes, is_first, &mut 0);
        (String::from_utf8(bytes).unwrap(), said)
    }

    #[test]
    fn a_query_loses_its_values_and_a_header_that_is_not_known_its_own() {
        let (text, _) = line("GET /ws?token=abc&v=2 HTTP/1.1\r\n", true);
        assert_eq!(text, "GET /ws?token=xxx&v=x HTTP/1.1\r\n");
        assert_eq!(
            line("Authorization: Bearer abc\r\n", false).0,
            "Authorization: xxxxxx xxx\r\n"
        );
        assert_eq!(line("cookie: a=b\r\n", false).0, "cookie: xxx\r\n");
        assert_eq!(line("Host: a:1\r\n", false).0, "Host: a:1\r\n");
        let hidden = format!("Sec-WebSocket-Protocol: v1, bearer.{}\r\n", "t".repeat(40));
        assert!(!line(&hidden, false).0.contains("ttt"));
    }

    #[test]
    fn status_length_and_end_are_told() {
        assert_eq!(
            line("HTTP/1.1 503 Service Unavailable\r\n", true).1,
            Line::Status(503)
        );
        assert_eq!(line("Content-Length: 12\r\n", false).1, Line::Length(12));
        assert_eq!(line("\r\n", false).1, Line::End);
    }
}
