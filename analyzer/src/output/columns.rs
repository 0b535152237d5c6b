//! A connection as a row: what `--csv` and `--parquet` have in common.

use crate::record::Record;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers.
    Whole,
    /// Numbers with a fraction.
    Real,
    /// Text.
    Text,
    /// Microseconds since the Unix epoch, UTC.
    Time,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A whole number, or a time in microseconds.
    Whole(i64),
    /// A number.
    Real(f64),
    /// Text.
    Text(String),
    /// None.
    Null,
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// A connection's value.
    pub of: fn(&Record) -> Cell,
}

const fn column(name: &'static str, kind: Kind, of: fn(&Record) -> Cell) -> Column {
    Column { name, kind, of }
}

fn whole(number: impl TryInto<i64>) -> Cell {
    Cell::Whole(number.try_into().unwrap_or(i64::MAX))
}

fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

fn or_null<T>(value: Option<T>, cell: impl FnOnce(T) -> Cell) -> Cell {
    value.map_or(Cell::Null, cell)
}

/// All columns, in order. Names stay; more may be added at the end.
pub const COLUMNS: [Column; 31] = [
    column("id", Kind::Whole, |r| whole(r.id)),
    column("client", Kind::Text, |r| text(r.client.to_string())),
    column("server", Kind::Text, |r| text(r.server.to_string())),
    column("start", Kind::Time, |r| whole(r.start_unix_ns / 1000)),
    column("duration_ms", Kind::Real, |r| Cell::Real(r.duration_ms)),
    column("dialect", Kind::Text, |r| text(r.dialect.name())),
    column("stage", Kind::Text, |r| text(r.stage.name())),
    column("verdict", Kind::Text, |r| or_null(r.verdict, text)),
    column("confidence", Kind::Real, |r| Cell::Real(r.confidence)),
    column("kind", Kind::Text, |r| {
        text(format!("{:?}", r.ending.kind).to_lowercase())
    }),
    column("by", Kind::Text, |r| text(r.ending.by.name())),
    column("at_ms", Kind::Real, |r| Cell::Real(r.ending.at_ms)),
    column("close_code", Kind::Whole, |r| {
        or_null(r.ending.ws_close.as_ref(), |c| whole(c.code))
    }),
    column("close_by", Kind::Text, |r| {
        or_null(r.ending.ws_close.as_ref(), |c| text(c.by.name()))
    }),
    column("close_reason", Kind::Text, |r| {
        or_null(r.ending.ws_close.as_ref(), |c| text(c.reason.clone()))
    }),
    column("rst_class", Kind::Text, |r| {
        or_null(r.ending.rst.first(), |rst| text(rst.class))
    }),
    column("packets_client", Kind::Whole, |r| whole(r.packets.client)),
    column("packets_server", Kind::Whole, |r| whole(r.packets.server)),
    column("bytes_client", Kind::Whole, |r| whole(r.bytes.client)),
    column("bytes_server", Kind::Whole, |r| whole(r.bytes.server)),
    column("retransmissions_client", Kind::Whole, |r| {
        whole(r.retransmissions.client)
    }),
    column("retransmissions_server", Kind::Whole, |r| {
        whole(r.retransmissions.server)
    }),
    column("rtt_p50_us", Kind::Whole, |r| {
        if r.rtt_us.count == 0 {
            Cell::Null
        } else {
            whole(r.rtt_us.p50)
        }
    }),
    column("ready_ms", Kind::Real, |r| or_null(r.stages_ms.ready, Cell::Real)),
    column("heartbeat_period_ms", Kind::Real, |r| {
        or_null(r.heartbeats.period_ms, Cell::Real)
    }),
    column("heartbeat_gaps", Kind::Whole, |r| whole(r.heartbeats.gaps.len())),
    column("role", Kind::Text, |r| or_null(r.identity.role.clone(), text)),
    column("client_id", Kind::Text, |r| {
        or_null(r.identity.client_id.clone(), text)
    }),
    column("user_agent", Kind::Text, |r| {
        or_null(r.http.as_ref().and_then(|h| h.user_agent.clone()), text)
    }),
    column("pending_requests", Kind::Whole, |r| whole(r.pending_requests)),
    column("evidence", Kind::Text, |r| text(r.evidence.join(" | "))),
];
