//! `--log`: the gateway's own words on the same connections (OpenClaw protocol page, section 11).

use super::{Agreement, JoinError};
use crate::judge::Judged;
use clw_core::verdict::Verdict;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;

/// Lines kept of one connection.
const MAX_LINES: usize = 16;
/// A line is kept up to so many characters.
const MAX_LINE_CHARS: usize = 400;
/// Longer lines are no log lines of a gateway.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// A gateway's log, to be joined with connections as they are judged.
#[derive(Debug, Default)]
pub struct GatewayLog {
    by_peer: HashMap<(SocketAddr, SocketAddr), Vec<String>>,
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
            let text = String::from_utf8_lossy(&line);
            if let Some(key) = peer(&text) {
                let lines = log.by_peer.entry(key).or_default();
                if lines.len() < MAX_LINES {
                    lines.push(text.trim_end().chars().take(MAX_LINE_CHARS).collect());
                }
            }
        }
    }

    /// Joins a connection: adds the gateway's words to its evidence, and compares what both say.
    pub fn join(&mut self, judged: &mut Judged) {
        let Some(verdict) = judged.verdict else { return };
        let key = (judged.record.client, judged.record.server);
        let Some(lines) = self.by_peer.remove(&key) else {
            self.agreement.only_wire += 1;
            return;
        };
        self.agreement.joined += 1;
        let said = lines.iter().rev().find_map(|line| meaning(line));
        for line in &lines {
            judged.record.evidence.push(format!("the gateway's log: {line}"));
        }
        // clw-gateway says the verdict itself.
        let own = lines
            .iter()
            .rev()
            .find_map(|line| line.split_once("verdict=")?.1.split_whitespace().next());
        if let Some(own) = own {
            if own == verdict.name() {
                self.agreement.agree += 1;
            } else if verdict == Verdict::Incomplete {
                self.agreement.undecided += 1;
            } else {
                let own = own.to_owned();
                self.agreement.disagreement(judged, own, lines);
            }
            return;
        }
        match said {
            Some(said) if !is_same(said, verdict) => {
                self.agreement.disagreement(judged, said.to_owned(), lines);
            }
            Some(_) => self.agreement.agree += 1,
            None => self.agreement.undecided += 1,
        }
    }

    /// What came of it.
    pub fn finish(mut self) -> Agreement {
        self.agreement.only_other = self.by_peer.len() as u64;
        self.agreement
    }
}

/// `peer=CLIENT:PORT->SERVER:PORT`.
pub(super) fn peer(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let (client, rest) = line.split_once("peer=")?.1.split_once("->")?;
    let server = rest.split_whitespace().next()?;
    Some((client.parse().ok()?, server.parse().ok()?))
}

/// What a line says of the end, in the gateway's word.
fn meaning(line: &str) -> Option<&'static str> {
    const WORDS: [&str; 10] = [
        "cause=handshake-timeout",
        "handshake timeout",
        "cause=unauthorized",
        "reason=rate_limited",
        "cause=pairing-required",
        "cause=protocol-mismatch",
        "cause=heartbeat-timeout",
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
    }
}
