//! A packet on its way through its connection.

use super::{Live, Options, Timeline};
use crate::segment::Segment;
use crate::stream::beats::Signs;
use crate::stream::{Moment, Session, Shared};
use crate::tcp::{Connection, Piece, Way};

/// Hands a packet to its connection; returns whether that is over now.
pub(super) fn follow(live: &mut Live, segment: &Segment<'_>, options: &Options, shared: &mut Shared) -> bool {
    let last_ns = live.connection.last_ns;
    let in_order;
    let segment = if segment.at_ns < last_ns {
        // The capturing clock was set back: the order of packets is surer than their times.
        in_order = Segment {
            at_ns: last_ns,
            ..segment.clone()
        };
        &in_order
    } else {
        segment
    };
    let Live {
        id,
        connection,
        session,
        lingers,
        ..
    } = live;
    let way = if segment.source == connection.client {
        Way::Up
    } else {
        Way::Down
    };
    let moment_of = |connection: &Connection, way| Moment {
        at_ns: segment.at_ns,
        frame: segment.number,
        signs: signs(connection, way, segment.at_ns),
    };
    let moment = moment_of(connection, way);
    // A packet may show that what the other side sent before was lost, and what waited behind it is read now.
    let has_hole = connection.half(way.back()).stream.has_hole();
    let mut back = has_hole.then(|| moment_of(connection, way.back()));
    let has_syn = connection.has_syn || segment.flags.syn();
    if session.is_none() && segment.payload_len > 0 && !segment.flags.rst() {
        let wanted = match options.timeline {
            Timeline::None => false,
            Timeline::Id(wanted) => wanted == *id,
            Timeline::Address(address) => address == connection.client || address == connection.server,
        };
        *session = Some(Box::new(Session::new(
            has_syn,
            options.dialect,
            options.heartbeat_factor,
            wanted,
        )));
    }
    let before = connection.half(way).retransmissions;
    let mut forth = moment;
    connection.feed(segment, &mut |of, piece| {
        let moment = back.as_mut().filter(|_| of != way).unwrap_or(&mut forth);
        hand_on(session, of, moment, piece, shared);
    });
    if let Some(session) = session {
        if session.is_reversed {
            session.is_reversed = false;
            connection.swap_sides();
        }
        if session.notes.is_some() {
            transport_notes(session, connection, segment, way, moment, before);
        }
    }
    let is_over = !*lingers && connection.is_over();
    *lingers |= is_over;
    is_over
}

/// The end of a connection, for each side.
pub(super) fn moments(connection: &Connection) -> [Moment; 2] {
    [Way::Up, Way::Down].map(|way| Moment {
        at_ns: connection.last_ns,
        frame: 0,
        signs: signs(connection, way, connection.last_ns),
    })
}

/// What the packets of `way` look like so far.
fn signs(connection: &Connection, way: Way, at_ns: u64) -> Signs {
    let (half, other) = (connection.half(way), connection.half(way.back()));
    Signs {
        last_packet_ns: half.last_ns,
        unanswered: other.unanswered,
        unacknowledged: other.unacknowledged,
        missing_bytes: half.missing_bytes,
        stuck_ns: half.stuck_ns(at_ns),
    }
}

/// What the packets themselves add to a timeline.
fn transport_notes(
    session: &mut Session,
    connection: &Connection,
    segment: &Segment<'_>,
    way: Way,
    moment: Moment,
    retransmissions_before: u32,
) {
    if connection.half(way).retransmissions > retransmissions_before {
        session.note(way, moment, || {
            format!("retransmission, {} bytes", segment.payload_len)
        });
    }
    if segment.flags.fin() {
        session.note(way, moment, || "FIN".to_owned());
    }
    if let Some(reset) = connection
        .resets
        .last()
        .filter(|reset| reset.frame == segment.number)
    {
        session.note(way, moment, || format!("RST ({})", reset.class));
    }
}

/// Hands what a packet brought to the session that reads it.
pub(super) fn hand_on(
    session: &mut Option<Box<Session>>,
    way: Way,
    moment: &mut Moment,
    piece: Piece<'_>,
    shared: &mut Shared,
) {
    if let Some(session) = session {
        match piece {
            Piece::Bytes(bytes) => session.bytes(way, *moment, bytes, shared),
            Piece::Late(bytes, stamp) => {
                let then = Moment {
                    at_ns: stamp.at_ns,
                    frame: stamp.frame,
                    ..*moment
                };
                session.bytes(way, then, bytes, shared);
            }
            Piece::Missing(bytes) => {
                moment.signs.missing_bytes += u64::from(bytes);
                session.missing(way, *moment, bytes, shared);
            }
        }
    }
}
