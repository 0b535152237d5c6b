//! The one table of faults: their names, values, usual moments, and the line that `--help` shows.

use super::kind::{Action, Kind};
use super::spec::Moment;
use clw_core::Dialect;
use clw_core::clawchat::RefreshFault;
use clw_core::units::parse_duration;

/// A row of the table.
#[derive(Debug)]
pub struct FaultInfo {
    /// Name in `--fault`.
    pub name: &'static str,
    /// `=VALUE`: what it takes; empty: nothing.
    pub value: &'static str,
    /// One line.
    pub says: &'static str,
    /// The dialects that have it; empty: all have.
    pub only: &'static [Dialect],
    /// Reads the value.
    read: fn(&str) -> Option<Kind>,
}

impl FaultInfo {
    /// The same for these dialects only.
    const fn of(mut self, dialects: &'static [Dialect]) -> Self {
        self.only = dialects;
        self
    }

    /// The fault with this value; `None` if the value will not do.
    pub fn read(&self, value: &str) -> Option<Kind> {
        if self.value.is_empty() != value.is_empty() {
            return None;
        }
        (self.read)(value)
    }

    /// Whether a gateway of this dialect has it.
    pub fn is_of(&self, dialect: Dialect) -> bool {
        self.only.is_empty() || self.only.contains(&dialect)
    }

    /// ` [clw]` and the like, where only some dialects have it.
    pub fn dialects_shown(&self) -> String {
        if self.only.is_empty() {
            return String::new();
        }
        let names: Vec<_> = self.only.iter().map(|dialect| dialect.name()).collect();
        format!(" [{}]", names.join(", "))
    }

    /// The fault of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FAULTS.iter().find(|fault| fault.name == name)
    }
}

/// The moment of faults that are given none: accept for what concerns the door, else ready.
pub(super) fn usual_moment(kind: &Kind) -> Moment {
    if kind.has_moment() {
        Moment::Ready
    } else {
        Moment::Accept
    }
}

const OPENCLAW: &[Dialect] = &[Dialect::Openclaw];
const CLW: &[Dialect] = &[Dialect::Clw];
const CLAWCHAT: &[Dialect] = &[Dialect::Clawchat];
/// Whose server speaks first.
const CHALLENGING: &[Dialect] = &[Dialect::Openclaw, Dialect::Clawchat];
/// Whose tokens are renewed.
const RENEWING: &[Dialect] = &[Dialect::Clw, Dialect::Clawchat];
/// Who have a name for it.
const NAMED: &[Dialect] = &[Dialect::Openclaw, Dialect::Clw];

/// Every fault.
#[rustfmt::skip]
pub const FAULTS: &[FaultInfo] = &[
    row("not-listening", "", "binds the port and does not listen: connects are refused", |_| Some(Kind::NotListening)),
    row("syn-drop", "", "keeps its backlog full: connects time out", |_| Some(Kind::SynDrop)),
    row("tls-close", "", "closes when the client begins its TLS handshake", |_| Some(Kind::TlsClose)),
    row("garbage", "", "answers the upgrade with bytes that are no HTTP", |_| Some(Kind::Garbage)),
    row("upgrade-status", "=CODE", "answers the upgrade with this HTTP status",
        |v| v.parse().ok().filter(|s| (300..600).contains(s)).map(Kind::UpgradeStatus)),
    row("budget", "=N", "allows so many sockets before ready at once, then HTTP 503", |v| v.parse().ok().map(Kind::Budget)),
    row("challenge-delay", "=T", "sends the challenge so late", |v| parse_duration(v).ok().map(Kind::ChallengeDelay)).of(CHALLENGING),
    row("no-challenge", "", "sends no challenge", |_| Some(Kind::NoChallenge)).of(CHALLENGING),
    row("handshake-timeout", "=T", "waits only so long for the login, and neither asks for it nor hears it",
        |v| parse_duration(v).ok().map(Kind::HandshakeTimeout)),
    row("refuse", "", "refuses the credentials", |_| Some(Kind::AuthFailed)),
    row("rate-limit", "", "refuses as locked out after too many failures", |_| Some(Kind::RateLimit)).of(OPENCLAW),
    row("pairing", "", "refuses until the device is approved", |_| Some(Kind::Pairing)).of(OPENCLAW),
    row("version-mismatch", "", "refuses the protocol version", |_| Some(Kind::VersionMismatch)).of(NAMED),
    row("overload", "", "refuses as too busy (clw: auth queue overflow)", |_| Some(Kind::Overload)).of(NAMED),
    row("unavailable", "", "refuses as starting: 1013, try again later", |_| Some(Kind::Unavailable)),
    row("token-expire", "=T", "tokens live so long", |v| parse_duration(v).ok().map(Kind::TokenExpire)).of(RENEWING),
    row("auth-down", "", "refuses because the service that knows the tokens is down", |_| Some(Kind::AuthDown)).of(CLAWCHAT),
    row("refresh", "=CODE|reject|lose", "answers refreshes so; 0 takes any token; two rotate in vain", refresh).of(CLAWCHAT),
    row("refresh-delay", "=T", "the refresh endpoint answers so late", |v| parse_duration(v).ok().map(Kind::RefreshDelay)).of(CLAWCHAT),
    row("refuse-refresh", "", "refuses to refresh tokens", |_| Some(Kind::RefuseRefresh)).of(CLW),
    row("rst", "", "cuts the connection with RST", |_| at(Action::Rst)),
    row("fin", "", "closes the connection without a close frame", |_| at(Action::Fin)),
    row("half-close", "", "sends FIN, writes nothing more and goes on reading", |_| at(Action::HalfClose)),
    row("silence", "", "neither reads nor writes any more", |_| at(Action::Silence)),
    row("close", "=CODE[/REASON]", "sends this close frame", close),
    row("server-error", "", "closes with 1011", |_| at(Action::Close(1011, "internal error".to_owned()))),
    row("restart", "", "announces a restart and closes with 1012 (clw: shutdown, 1001)", |_| at(Action::Restart)),
    row("revoke", "", "withdraws authority: 4001 (clw: token_revoked)", |_| at(Action::Revoke)).of(NAMED),
    row("revoke-device", "", "revokes the device's token for its role: 4001, approval again",
        |_| at(Action::RevokeDevice)).of(OPENCLAW),
    row("approval", "", "new devices wait for an admin's approval, on this host too", |_| Some(Kind::Approval)).of(OPENCLAW),
    row("rotate-token", "=T", "changes the shared token after T: 4001 for whoever showed it",
        |v| parse_duration(v).ok().map(Kind::RotateToken)).of(OPENCLAW),
    row("revoke-tokens", "=T", "revokes all device tokens after T", |v| parse_duration(v).ok().map(Kind::RevokeTokens)).of(OPENCLAW),
    row("forget-devices", "=T", "restarts after T and has forgotten all devices",
        |v| parse_duration(v).ok().map(Kind::ForgetDevices)).of(OPENCLAW),
    row("slow-consumer", "", "treats the client as one that does not read: 1008", |_| at(Action::SlowConsumer)).of(OPENCLAW),
    row("kick", "", "sends a close frame without a code", |_| at(Action::Kick)),
    row("replace", "", "lets another connection of the device take over: 4001", |_| at(Action::Replace)).of(CLAWCHAT),
    row("malformed", "", "sends a frame with a reserved opcode", |_| at(Action::Malformed)),
    row("bad-utf8", "", "sends a text frame that is no UTF-8", |_| at(Action::BadUtf8)),
    row("oversized", "=BYTES", "sends the beginning of a frame of that size", |v| at(Action::Oversized(v.parse().ok()?))),
    row("mute", "", "answers no requests any more", |_| at(Action::Mute)).of(CHALLENGING),
    row("tick-stall", "", "stops the ticks", |_| at(Action::TickStall)).of(OPENCLAW),
    row("pong-loss", "", "answers no heartbeats of the client any more", |_| at(Action::PongLoss)),
    row("udp-ping-loss", "", "loses AUTH_PING datagrams, not the stream", |_| at(Action::UdpPingLoss)).of(CLW),
    row("udp-pong-loss", "", "loses AUTH_PONG datagrams, not the stream", |_| at(Action::UdpPongLoss)).of(CLW),
    row("ping-stop", "", "sends no pings", |_| Some(Kind::PingStop)).of(CHALLENGING),
    row("stall", "=T[/EVERY]", "stops the event loop for T, for everybody, once or each EVERY", stall),
];

fn close(value: &str) -> Option<Kind> {
    let (code, reason) = value.split_once('/').unwrap_or((value, ""));
    let code = code.parse().ok().filter(|c| (1000..5000).contains(c))?;
    at(Action::Close(code, reason.to_owned()))
}

fn refresh(value: &str) -> Option<Kind> {
    let fault = match value {
        "reject" => RefreshFault::RotateThenReject,
        "lose" => RefreshFault::RotateThenLose,
        "0" => RefreshFault::TakeAny,
        _ => match value.parse::<u16>().ok()? {
            status @ 500..600 => RefreshFault::Status(status),
            code => RefreshFault::Code(code.into()),
        },
    };
    Some(Kind::Refresh(fault))
}

fn stall(value: &str) -> Option<Kind> {
    let (length, every) = value.split_once('/').map_or((value, None), |(l, e)| (l, Some(e)));
    let every = match every {
        Some(text) => Some(parse_duration(text).ok().filter(|every| !every.is_zero())?),
        None => None,
    };
    at(Action::Stall(parse_duration(length).ok()?, every))
}

const fn row(
    name: &'static str,
    value: &'static str,
    says: &'static str,
    read: fn(&str) -> Option<Kind>,
) -> FaultInfo {
    FaultInfo {
        name,
        value,
        says,
        only: &[],
        read,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the rows' readers may fail")]
fn at(action: Action) -> Option<Kind> {
    Some(Kind::At(action))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_no_verdicts() {
        let names: HashSet<_> = FAULTS.iter().map(|fault| fault.name).collect();
        assert_eq!(names.len(), FAULTS.len());
        assert!(
            names
                .iter()
                .all(|name| clw_core::verdict::Verdict::from_name(name).is_none())
        );
    }

    #[test]
    fn a_stall_has_a_length_and_perhaps_a_period() {
        use std::time::Duration;
        let read = |v| FaultInfo::named("stall").unwrap().read(v);
        let ms = Duration::from_millis;
        assert_eq!(read("20ms"), Some(Kind::At(Action::Stall(ms(20), None))));
        assert_eq!(
            read("20ms/1s"),
            Some(Kind::At(Action::Stall(ms(20), Some(ms(1000)))))
        );
        assert_eq!(read("20ms/0"), None);
    }
}
