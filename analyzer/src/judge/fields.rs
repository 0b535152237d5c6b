//! Parts of a connection's record.

use crate::record::{Ending, Gap, Heartbeats, OneWayLoss, Rst, Sides, StagesMs, UdpHeartbeats, WsClose, ms};
use crate::stream::Facts;
use crate::stream::beats::Kind;
use crate::tcp::{Connection, End, Way};
use clw_core::histogram::Summary;
use clw_core::verdict::{DatagramBeats, ResetClass, Side};

pub(super) fn both<T>(connection: &Connection, of: impl Fn(&crate::tcp::Half) -> T) -> Sides<T> {
    Sides {
        client: of(connection.half(Way::Up)),
        server: of(connection.half(Way::Down)),
    }
}

/// Seen from one end, the far side's round trips are the path's.
pub(super) fn far_side(rtt: &Sides<Summary>) -> Summary {
    if rtt.client.mean > rtt.server.mean {
        rtt.client
    } else {
        rtt.server
    }
}

pub(super) fn ending(connection: &Connection, facts: &Facts, end: &End) -> Ending {
    let close = facts.close.as_deref();
    let side = |by: usize| if by == 0 { Side::Client } else { Side::Server };
    let since = |at_ns: u64| ms(at_ns.saturating_sub(connection.first_ns));
    Ending {
        kind: end.kind,
        // Who sends the first FIN after a close handshake is a race; the close frame came first.
        by: close
            .filter(|close| close.at_ns <= end.at_ns)
            .map_or(end.by, |close| close.by),
        // A code that was not captured is none.
        ws_close: close.filter(|close| !close.is_cut).map(|close| WsClose {
            code: close.code.unwrap_or(1005),
            reason: close.reason.clone(),
            by: close.by,
            frame: close.frame,
            echo: close.echo.map(|code| code.unwrap_or(1005)),
            after_end: close.at_ns > end.at_ns,
        }),
        rst: connection
            .resets
            .iter()
            .map(|reset| Rst {
                by: if reset.class == ResetClass::Injected {
                    Side::Middlebox
                } else {
                    side(reset.by)
                },
                class: reset.class.name(),
                confidence: (f64::from(reset.confidence) * 100.0).round() / 100.0,
                evidence: reset.evidence.clone(),
                frame: reset.frame,
                at_ms: since(reset.at_ns),
                reason: reset.reason.clone(),
                survived: reset.survived,
            })
            .collect(),
        at_ms: since(end.at_ns),
    }
}

pub(super) fn heartbeats(
    connection: &Connection,
    facts: &Facts,
    datagrams: Option<DatagramBeats>,
) -> Heartbeats {
    Heartbeats {
        udp: datagrams.map(|beats| UdpHeartbeats {
            pings: beats.pings,
            pongs: beats.pongs,
            one_way: beats.one_way.map(|one_way| OneWayLoss {
                pings: one_way.lost,
                length_ms: one_way.lasted.as_secs_f64() * 1000.0,
            }),
        }),
        ws_ping: facts.beats.count(Kind::Ping),
        ws_pong: facts.beats.count(Kind::Pong),
        ticks: facts.beats.count(Kind::Tick),
        period_ms: facts.beats.period_ns().map(ms),
        gaps: facts
            .beats
            .gaps()
            .iter()
            .map(|gap| Gap {
                from_ms: ms(gap.from_ns.saturating_sub(connection.first_ns)),
                length_ms: ms(gap.to_ns.saturating_sub(gap.from_ns)),
                side: gap.side,
                cause: gap.cause.name(),
            })
            .collect(),
    }
}

pub(super) fn stages(connection: &Connection, facts: &Facts) -> StagesMs {
    let between = |from: Option<u64>, to: Option<u64>| Some(ms(to?.saturating_sub(from?)));
    StagesMs {
        upgrade: between(facts.requested_ns, facts.upgraded_ns),
        challenge: between(facts.upgraded_ns, facts.challenged_ns),
        auth: between(
            facts.first_message_ns,
            facts.ready_ns.filter(|_| !facts.began_in_the_middle),
        ),
        ready: between(
            Some(connection.first_ns),
            facts.ready_ns.filter(|_| connection.has_syn),
        ),
    }
}
