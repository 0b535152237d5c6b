//! `--log`: the gateway's own words on the same connections (OpenClaw protocol page, section 11).

use super::gateway_line::{GatewayEnding, plain};
use super::{Agreement, JoinError};
use crate::judge::Judged;
use clw_core::verdict::{Side, Verdict};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Lines kept of one connection.
const MAX_LINES: usize = 16;
/// A line is kept up to so many characters.
const MAX_LINE_CHARS: usize = 400;
/// Longer lines are no log lines of a gateway.
const MAX_LINE_BYTES: usize = 64 * 1024;
/// The name that the gateway gives a connection begins with so many characters, in short and in full.
const CONN_CHARS: usize = 8;

/// What the gateway said of one connection.
#[derive(Debug, Default)]
struct Said {
    /// The gateway's name for it, as far as all lines have it.
    conn: String,
    /// When its first line was written, nanoseconds since the Unix epoch.
    first_ns: Option<u64>,
    lines: Vec<String>,
    ending: Option<GatewayEnding>,
}

/// A gateway's log, to be joined with connections as they are judged.
#[derive(Debug, Default)]
pub struct GatewayLog {
    /// Connections by addresses: ports are used again.
    by_peer: HashMap<(SocketAddr, SocketAddr), Vec<Said>>,
    agreement: Agreement,
}

impl GatewayLog {
    /// Reads a log; lines that name no connection are passed over.
    pub fn open(path: &Path) -> Result<Self, JoinError> {
        let read = |cause| JoinError::Read {
            path: path.to_owned(),
            cause,
        };
        let mut reader = BufReader::new(File::open(path).map_err(read)?);
        let mut log = Self::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line).map_err(read)? == 0 {
                return Ok(log);
            }
            line.truncate(MAX_LINE_BYTES);
            log.take(plain(&String::from_utf8_lossy(&line)).trim());
        }
    }

    fn take(&mut self, line: &str) {
        let Some(key) = peer(line) else { return };
        let conn: String = word(line, "conn=")
            .unwrap_or_default()
            .chars()
            .take(CONN_CHARS)
            .collect();
        let all = self.by_peer.entry(key).or_default();
        // A line too long for its end names no connection: it is the one that was named last.
        let is_another = |said: &Said| !conn.is_empty() && said.conn != conn;
        if all.last().is_none_or(is_another) {
            all.push(Said {
                conn,
                first_ns: written_ns(line),
                ..Said::default()
            });
        }
        let Some(said) = all.last_mut() else { return };
        if said.lines.len() < MAX_LINES && !is_everyday(line) {
            said.lines.push(line.chars().take(MAX_LINE_CHARS).collect());
        }
        if let Some(ending) = GatewayEnding::parse(line) {
            said.ending = Some(ending);
        }
    }

    /// The words on a connection that began at `start_ns`: of several with the same ports, the nearest in time.
    fn of(&mut self, key: (SocketAddr, SocketAddr), start_ns: u64) -> Option<Said> {
        let all = self.by_peer.get_mut(&key)?;
        let distance = |said: &Said| said.first_ns.map_or(0, |first_ns| first_ns.abs_diff(start_ns));
        let (nearest, _) = all.iter().enumerate().min_by_key(|(_, said)| distance(said))?;
        let said = all.remove(nearest);
        if all.is_empty() {
            self.by_peer.remove(&key);
        }
        Some(said)
    }

    /// Joins a connection: adds the gateway's words to its evidence, and compares what both say.
    pub fn join(&mut self, judged: &mut Judged) {
        let Some(verdict) = judged.verdict else { return };
        let key = (judged.record.client, judged.record.server);
        let Some(said) = self.of(key, judged.record.start_unix_ns) else {
            self.agreement.only_wire += 1;
            return;
        };
        self.agreement.joined += 1;
        for line in &said.lines {
            judged.record.evidence.push(format!("the gateway's log: {line}"));
        }
        match says(&said, judged, verdict) {
            Some(Ok(())) => self.agreement.agree += 1,
            None => self.agreement.undecided += 1,
            Some(Err(_)) if matches!(verdict, Verdict::Incomplete | Verdict::Open) => {
                self.agreement.undecided += 1;
            }
            Some(Err(other)) => self.agreement.disagreement(judged, other, said.lines),
        }
    }

    /// What came of it.
    pub fn finish(mut self) -> Agreement {
        let left = self.by_peer.values().flatten();
        self.agreement.only_other = left.filter(|said| said.ending.is_some()).count() as u64;
        self.agreement
    }
}

/// Whether the gateway says the same, or else what it says; `None` if it does not tell of an end.
fn says(said: &Said, judged: &Judged, verdict: Verdict) -> Option<Result<(), String>> {
    let lines = &said.lines;
    // clw-gateway says the verdict itself.
    let own = lines.iter().rev().find_map(|line| word(line, "verdict="));
    if let Some(own) = own {
        return Some(if own == verdict.name() {
            Ok(())
        } else {
            Err(own.to_owned())
        });
    }
    if let Some(meaning) = lines.iter().rev().find_map(|line| meaning(line)) {
        return Some(if is_same(meaning, verdict) {
            Ok(())
        } else {
            Err(meaning.to_owned())
        });
    }
    let ending = said.ending.as_ref()?;
    let code = ending.code?;
    let close = judged
        .record
        .ending
        .ws_close
        .as_ref()
        .filter(|close| !close.after_end);
    let on_wire = close.map_or(1006, |close| close.code);
    // Of a close frame that its library sends by itself, for a broken frame, the gateway is not told.
    let is_librarys = code == 1006 && verdict == Verdict::ProtocolError;
    // Nor does it learn a code where nobody answered its own close frame.
    let is_unanswered = close.is_some_and(|close| close.by == Side::Server && close.echo.is_none());
    Some(
        if code == on_wire || is_librarys || (code == 1006 && is_unanswered) {
            Ok(())
        } else {
            Err(format!("close code {code}"))
        },
    )
}

/// Lines that every session has.
fn is_everyday(line: &str) -> bool {
    [
        "[ws] \u{2190} ",
        "[ws] \u{21c4} ",
        "[ws] \u{2192} event ",
        "[ws] \u{2192} hello-ok ",
    ]
    .iter()
    .any(|beginning| line.contains(beginning))
}

/// When a line was written: RFC 3339 at its beginning, in UTC or with an offset.
fn written_ns(line: &str) -> Option<u64> {
    let stamp = line.split_whitespace().next()?;
    let (time, offset_s) = match stamp.rfind(['+', '-']).filter(|at| *at > "2026-11-26T".len()) {
        None => (stamp.to_owned(), 0),
        Some(at) => {
            let (hours, minutes) = stamp[at + 1..].split_once(':')?;
            let offset = hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60;
            let sign = if stamp[at..].starts_with('+') { 1 } else { -1 };
            (format!("{}Z", &stamp[..at]), sign * offset)
        }
    };
    let since = humantime::parse_rfc3339(&time)
        .ok()?
        .duration_since(UNIX_EPOCH)
        .ok()?;
    let ns = i64::try_from(since.as_nanos()).ok()?;
    u64::try_from(ns.checked_sub(offset_s.checked_mul(1_000_000_000)?)?).ok()
}

/// The word after `key`.
fn word<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(key)?;
    rest.split_whitespace().next()
}

/// `peer=CLIENT:PORT->SERVER:PORT`, or `endpoint=` with the same.
pub(super) fn peer(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let (_, rest) = line
        .split_once("peer=")
        .or_else(|| line.split_once("endpoint="))?;
    let (client, rest) = rest.split_once("->")?;
    let server = rest.split_whitespace().next()?;
    Some((client.parse().ok()?, server.parse().ok()?))
}

/// What a line says of the end, in the gateway's word.
fn meaning(line: &str) -> Option<&'static str> {
    const WORDS: [&str; 11] = [
        "cause=handshake-timeout",
        "handshake timeout",
        "cause=unauthorized",
        "reason=rate_limited",
        "cause=pairing-required",
        "cause=protocol-mismatch",
        "cause=heartbeat-timeout",
        "cause=outbound-buffer-exceeded",
        "cause=invalid-handshake",
        "cause=device-auth-invalid",
        "closed before connect",
    ];
    WORDS.into_iter().find(|word| line.contains(word))
}

/// Whether the gateway's word means this verdict. `closed before connect` is its word for every end before hello-ok.
fn is_same(said: &str, verdict: Verdict) -> bool {
    match said {
        "cause=handshake-timeout" | "handshake timeout" => verdict == Verdict::HandshakeTimeout,
        "cause=unauthorized" => matches!(verdict, Verdict::AuthFailed | Verdict::RateLimited),
        "reason=rate_limited" => verdict == Verdict::RateLimited,
        "cause=pairing-required" => verdict == Verdict::PairingRequired,
        "cause=protocol-mismatch" => verdict == Verdict::VersionMismatch,
        "cause=heartbeat-timeout" => verdict == Verdict::HeartbeatMiss,
        "cause=outbound-buffer-exceeded" => verdict == Verdict::SlowConsumer,
        "cause=invalid-handshake" => matches!(verdict, Verdict::ProtocolError | Verdict::ClosedBeforeConnect),
        "cause=device-auth-invalid" => verdict == Verdict::AuthFailed,
        _ => !matches!(
            verdict,
            Verdict::Ok | Verdict::Open | Verdict::AuthDisconnected | Verdict::HeartbeatMiss
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_its_connection() {
        let line = "[ws] closed before connect conn=a peer=127.0.0.12:40983->127.0.0.1:18789 remote=127.0.0.12 cause=unauthorized";
        let (client, server) = peer(line).unwrap();
        assert_eq!(
            (client.to_string().as_str(), server.port()),
            ("127.0.0.12:40983", 18789)
        );
        assert!(is_same(meaning(line).unwrap(), Verdict::AuthFailed));
        assert!(!is_same(meaning(line).unwrap(), Verdict::HandshakeTimeout));
        assert_eq!(peer("[ws] nothing here"), None);
        let v6 = "x peer=[::1]:5->[::1]:18789 y";
        assert!(peer(v6).is_some());
        assert!(peer("[ws] \u{2192} close code=1000 endpoint=127.0.0.1:5->127.0.0.1:6 conn=a").is_some());
    }

    #[test]
    fn a_time_is_read_with_its_offset() {
        let utc = written_ns("2026-11-26T07:55:20.893Z x").unwrap();
        assert_eq!(written_ns("2026-11-26T07:55:20.893+00:00 x"), Some(utc));
        assert_eq!(written_ns("2026-11-26T09:25:20.893+01:30 x"), Some(utc));
        assert_eq!(written_ns("2026-11-26T02:55:20.893-05:00 x"), Some(utc));
        assert_eq!(written_ns("[ws] closed"), None);
    }

    #[test]
    fn a_line_without_a_name_belongs_to_the_connection_before_it() {
        let mut log = GatewayLog::default();
        log.take("2026-11-26T14:14:49.695Z [ws] unauthorized conn=71e9be01-4809 peer=127.0.0.1:5->127.0.0.1:6 auth=token");
        log.take("2026-11-26T14:14:49.697Z [ws] \u{2192} close code=1008 cause=unauthorized endpoint=127.0.0.1:5->127.0.0.1:6");
        let key = ("127.0.0.1:5".parse().unwrap(), "127.0.0.1:6".parse().unwrap());
        let said = log.of(key, 0).unwrap();
        assert_eq!((said.lines.len(), said.ending.unwrap().code), (2, Some(1008)));
        assert!(log.of(key, 0).is_none());
    }

    #[test]
    fn of_several_sessions_of_one_port_the_nearest_in_time_is_meant() {
        let mut log = GatewayLog::default();
        for (second, conn, code) in [(10, "aaaaaaaa", 1006), (20, "bbbbbbbb", 1000)] {
            for line in [
                format!(
                    "2026-11-26T07:55:{second}.000Z [ws] \u{2190} open endpoint=127.0.0.1:5->127.0.0.1:6 conn={conn}…1"
                ),
                format!(
                    "2026-11-26T07:55:{second}.500Z [ws] \u{2192} close code={code} handshake=connected endpoint=127.0.0.1:5->127.0.0.1:6 conn={conn}…1"
                ),
            ] {
                log.take(&line);
            }
        }
        let key = ("127.0.0.1:5".parse().unwrap(), "127.0.0.1:6".parse().unwrap());
        let start_ns = written_ns("2026-11-26T07:55:19.900Z").unwrap();
        let said = log.of(key, start_ns).unwrap();
        assert_eq!((said.conn.as_str(), said.lines.len()), ("bbbbbbbb", 1));
        assert_eq!(said.ending.unwrap().code, Some(1000));
        assert_eq!(log.finish().only_other, 1);
    }
}
