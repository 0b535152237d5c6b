//! Segments in, judged connections out.
//!
//! Memory grows with the connections that are open, and those are limited: what is over is judged and handed on shortly after
//! its end, and the oldest is given up where there are too many.

mod follow;
mod held;
#[cfg(test)]
mod tests;

use crate::decode;
use crate::judge::{self, Judged};
use crate::segment::Segment;
use crate::stream::{Session, Shared};
use crate::tcp::{Connection, Way};
use clw_core::Dialect;
use clw_core::clw::{self, Opcode, SessionKey};
use clw_core::verdict::Verdict;
use follow::{follow, hand_on, moments};
use held::{Held, Share};
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

/// After its end a connection is kept for so long, if nobody waits: stragglers and their RSTs belong to it.
const LINGER_NS: u64 = 30_000_000_000;
/// Ended connections kept at most.
const MAX_LINGERING: usize = 4096;

/// Servers remembered of which nothing was captured, or whose dialect is known.
const MAX_REMEMBERED: usize = 1024;

/// What to look at, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only connections with this port on either side.
    pub port: Option<u16>,
    /// What WebSockets speak, where they cannot be recognised.
    pub dialect: Option<Dialect>,
    /// A heartbeat gap is a silence longer than so many usual periods.
    pub heartbeat_factor: f64,
    /// Open connections remembered at most.
    pub max_open: usize,
    /// Bytes that wait for missing packets, or for the end of a message, over all connections. Past it, those that have waited
    /// longest are given up as lost.
    pub max_held_bytes: usize,
    /// Which connection's timeline to keep.
    pub timeline: Timeline,
    /// How long a connection that is over is kept before it is judged, for its stragglers, in nanoseconds of the capture.
    pub linger_ns: u64,
}

/// Which connections get a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeline {
    /// None.
    None,
    /// The one with this id.
    Id(u64),
    /// Those with this address on either side.
    Address(SocketAddr),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: None,
            dialect: None,
            heartbeat_factor: 1.5,
            max_open: 200_000,
            max_held_bytes: 32 << 20,
            timeline: Timeline::None,
            linger_ns: LINGER_NS,
        }
    }
}

/// Both ends, the lower first: one key for both directions. In bytes: numbers of 128 bits are aligned, and a quarter of the key
/// would be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    low: [u8; 16],
    high: [u8; 16],
    ports: u32,
}

impl Key {
    fn of(segment: &Segment<'_>) -> Self {
        let bits = |address: &SocketAddr| match address.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let a = (bits(&segment.source), segment.source.port());
        let b = (bits(&segment.destination), segment.destination.port());
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        Self {
            low: low.0.to_ne_bytes(),
            high: high.0.to_ne_bytes(),
            ports: u32::from(low.1) << 16 | u32::from(high.1),
        }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // As numbers again: bytes are hashed more slowly.
        state.write_u128(u128::from_ne_bytes(self.low));
        state.write_u128(u128::from_ne_bytes(self.high));
        state.write_u32(self.ports);
    }
}

/// A connection that is being followed.
#[derive(Debug)]
pub struct Live {
    /// From 1, in the order of first packets.
    pub id: u64,
    /// Its packets.
    pub connection: Connection,
    /// Its bytes, once there are any.
    pub session: Option<Box<Session>>,
    lingers: bool,
    held: Share,
    /// It has sent something since it was last considered for eviction.
    is_active: bool,
    /// Its server's packets are not captured, as other connections show.
    pub is_server_unheard: bool,
    /// What its server speaks on other connections.
    pub server_speaks: Option<Dialect>,
}

impl Live {
    /// Whether it has ended, and is kept for its stragglers only.
    pub const fn is_over(&self) -> bool {
        self.lingers
    }

    /// What its datagrams are known by, if it was offered any: the server's address for them and the session.
    fn datagrams(&self) -> Option<(SocketAddr, SessionKey)> {
        let beside = self.session.as_deref()?.facts.beside.as_deref()?;
        Some((
            SocketAddr::new(self.connection.server.ip(), beside.port),
            beside.session,
        ))
    }

    /// The same, once.
    fn new_datagrams(&mut self) -> Option<(SocketAddr, SessionKey)> {
        let beside = self.session.as_deref_mut()?.facts.beside.as_deref_mut()?;
        std::mem::take(&mut beside.is_new)
            .then(|| self.datagrams())
            .flatten()
    }
}

/// A connection that is over, to be judged.
pub(crate) struct Over {
    live: Box<Live>,
    now_ns: u64,
}

impl Over {
    /// Its verdict, with evidence in words where `wants_evidence` says so of a verdict.
    pub(crate) fn judge(self, wants_evidence: impl FnOnce(Verdict) -> bool) -> Judged {
        judge::judge(self.live, self.now_ns, wants_evidence)
    }

    fn judge_with_evidence(self) -> Judged {
        self.judge(|_| true)
    }
}

/// Follows all connections of a capture.
pub struct Engine {
    options: Options,
    open: HashMap<Key, Box<Live>, foldhash::fast::FixedState>,
    /// Ended connections, with the time at which they are judged.
    lingering: VecDeque<(u64, Key, u64)>,
    /// Connections in the order in which they may be given up.
    arrivals: VecDeque<(Key, u64)>,
    held: Held,
    shared: Shared,
    /// Whose datagrams come from, or go to, which address for which session.
    beside: HashMap<(SocketAddr, SessionKey), (Key, u64)>,
    /// Servers of which no packet was captured, although their clients talked with them; the first few.
    unheard: HashSet<IpAddr>,
    /// What servers speak, as other connections told; the first few.
    spoken: HashMap<SocketAddr, Dialect>,
    next_id: u64,
    now_ns: u64,
    evicted: u64,
}

impl Engine {
    /// An engine without connections.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            open: HashMap::with_hasher(foldhash::fast::FixedState::default()),
            lingering: VecDeque::new(),
            arrivals: VecDeque::new(),
            held: Held::default(),
            shared: Shared::default(),
            beside: HashMap::new(),
            unheard: HashSet::new(),
            spoken: HashMap::new(),
            next_id: 1,
            now_ns: 0,
            evicted: 0,
        }
    }

    /// Connections given up because there were too many.
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// TLS secrets, to be added to.
    pub const fn keys(&mut self) -> &mut crate::tls::KeyLog {
        &mut self.shared.keys
    }

    /// Connections that are being followed.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Bytes that wait for missing packets, or for the end of a message.
    pub const fn held_bytes(&self) -> usize {
        self.held.bytes()
    }

    /// The connections that are being followed, in no order; those that are over stay among them for a while.
    pub fn connections(&self) -> impl Iterator<Item = &Live> {
        self.open.values().map(Box::as_ref)
    }

    /// Time has passed without a segment; `done` gets each connection that has been over for long enough, judged.
    pub fn advance(&mut self, now_ns: u64, done: &mut impl FnMut(Judged)) {
        self.now_ns = self.now_ns.max(now_ns);
        self.let_go(&mut |over| done(over.judge_with_evidence()));
    }

    /// Takes the next segment; `done` gets each connection that is over, judged.
    pub fn feed(&mut self, segment: &Segment<'_>, done: &mut impl FnMut(Judged)) {
        self.take(segment, &mut |over| done(over.judge_with_evidence()));
    }

    /// The capture is over: everything left is judged, in the order of first packets.
    pub fn end(&mut self, done: &mut impl FnMut(Judged)) {
        self.take_end(&mut |over| done(over.judge_with_evidence()));
    }

    /// Takes the next segment; `done` gets each connection that is over.
    pub(crate) fn take(&mut self, segment: &Segment<'_>, done: &mut impl FnMut(Over)) {
        if let Some(port) = self.options.port
            && segment.source.port() != port
            && segment.destination.port() != port
        {
            return;
        }
        self.now_ns = self.now_ns.max(segment.at_ns);
        self.let_go(done);
        let key = Key::of(segment);
        // Most packets belong to a connection that is known: one look must do for them.
        if segment.flags.syn() {
            let known = self.open.get(&key).map(|live| &live.connection);
            if let Some(known) = known.filter(|known| known.is_succeeded_by(segment)) {
                let next = Connection::new(segment).after(Some(known));
                self.finish(key, done);
                self.begin(key, next, segment, done);
                return;
            }
        }
        if let Some(live) = self.open.get_mut(&key) {
            live.is_active = true;
            let id = live.id;
            let is_over = follow(live, segment, &self.options, &mut self.shared);
            if let Some(name) = live.new_datagrams() {
                self.beside.insert(name, (key, id));
            }
            if is_over {
                self.lingering
                    .push_back((self.now_ns.saturating_add(self.options.linger_ns), key, id));
            }
            if segment.payload_len > 0 || live.held.is_some() {
                self.held.note(key, live);
                self.give_up_waiting();
            }
        } else {
            self.begin(key, Connection::new(segment), segment, done);
        }
    }

    /// Whether a datagram may be such a heartbeat as [`Engine::feed_datagram`] takes.
    pub fn may_heed(datagram: &decode::Datagram<'_>) -> bool {
        clw::Datagram::read(datagram.payload).is_some()
    }

    /// Takes a datagram; `false` if it is no heartbeat of a session that is being followed.
    pub fn feed_datagram(&mut self, datagram: &decode::Datagram<'_>) -> bool {
        // Nothing else needs a look, where no session has offered them.
        if self.beside.is_empty() {
            return false;
        }
        let Some(heartbeat) = clw::Datagram::read(datagram.payload) else {
            return false;
        };
        let server = if heartbeat.opcode == Opcode::AuthPing {
            datagram.destination
        } else {
            datagram.source
        };
        let Some((key, id)) = self.beside.get(&(server, heartbeat.session)) else {
            return false;
        };
        let live = self.open.get_mut(key).filter(|live| live.id == *id);
        let Some(live) = live.map(Box::as_mut) else {
            return false;
        };
        let heard_ns = live.connection.half(Way::Down).last_ns;
        let session = live.session.as_deref_mut();
        let Some(beside) = session.and_then(|session| session.facts.beside.as_deref_mut()) else {
            return false;
        };
        beside.see(&heartbeat, datagram.at_ns, heard_ns);
        true
    }

    /// The capture is over, and with it every connection that is left, in the order of first packets.
    pub(crate) fn take_end(&mut self, done: &mut impl FnMut(Over)) {
        let mut keys: Vec<_> = self.open.iter().map(|(key, live)| (live.id, *key)).collect();
        keys.sort_unstable_by_key(|(id, _)| *id);
        for live in self.open.values() {
            note_unheard(&mut self.unheard, &live.connection);
            note_spoken(&mut self.spoken, live);
        }
        for (_, key) in keys {
            self.finish(key, done);
        }
    }

    fn begin(
        &mut self,
        key: Key,
        connection: Connection,
        segment: &Segment<'_>,
        done: &mut impl FnMut(Over),
    ) {
        while self.open.len() >= self.options.max_open.max(1) && !self.arrivals.is_empty() {
            self.evict(done);
        }
        let id = self.next_id;
        self.next_id += 1;
        self.arrivals.push_back((key, id));
        let mut live = Box::new(Live {
            id,
            connection,
            session: None,
            lingers: false,
            held: Share::default(),
            is_active: false,
            is_server_unheard: false,
            server_speaks: None,
        });
        if follow(&mut live, segment, &self.options, &mut self.shared) {
            self.lingering
                .push_back((self.now_ns.saturating_add(self.options.linger_ns), key, id));
        }
        self.held.note(key, &mut live);
        self.open.insert(key, live);
        self.give_up_waiting();
    }

    /// Where too much waits over all connections, those that have waited longest do so in vain.
    fn give_up_waiting(&mut self) {
        while let Some((key, id)) = self.held.first_over(self.options.max_held_bytes) {
            let Some(live) = self.open.get_mut(&key).filter(|live| live.id == id) else {
                continue;
            };
            live.leave_queue();
            let Live {
                connection, session, ..
            } = live.as_mut();
            let mut moments = moments(connection);
            let shared = &mut self.shared;
            connection.give_up_holes(&mut |way, piece| {
                hand_on(session, way, &mut moments[way as usize], piece, shared);
            });
            if let Some(session) = session {
                session.give_up_waiting(moments[0], shared);
            }
            self.held.note(key, live);
        }
    }

    /// Gives up the oldest connection that has been idle since it was last looked at.
    fn evict(&mut self, done: &mut impl FnMut(Over)) {
        let Some((key, id)) = self.arrivals.pop_front() else {
            return;
        };
        match self.open.get_mut(&key) {
            Some(live) if live.id == id && live.is_active && live.session.is_some() => {
                live.is_active = false;
                self.arrivals.push_back((key, id));
            }
            Some(live) if live.id == id => {
                self.evicted += 1;
                self.finish(key, done);
            }
            _ => {}
        }
    }

    /// Hands on what ended long enough ago.
    fn let_go(&mut self, done: &mut impl FnMut(Over)) {
        while let Some(&(at_ns, key, id)) = self.lingering.front() {
            if at_ns > self.now_ns && self.lingering.len() <= MAX_LINGERING {
                break;
            }
            self.lingering.pop_front();
            match self.open.get_mut(&key) {
                Some(live) if live.id != id => {}
                // It lived through the RST that seemed to end it.
                Some(live) if !live.connection.is_over() => live.lingers = false,
                Some(_) => self.finish(key, done),
                None => {}
            }
        }
        // Most connections that came are gone again: their places in the queue go too.
        if self.arrivals.len() > 2 * self.open.len() + 1024 {
            let open = &self.open;
            self.arrivals
                .retain(|(key, id)| open.get(key).is_some_and(|live| live.id == *id));
        }
        let open = &self.open;
        self.held.tidy(open.len(), |key, id| {
            open.get(key).is_some_and(|live| live.id == id)
        });
    }

    fn finish(&mut self, key: Key, done: &mut impl FnMut(Over)) {
        if let Some(mut live) = self.open.remove(&key) {
            self.held.forget(&live);
            if let Some(name) = live.datagrams()
                && self.beside.get(&name).is_some_and(|(_, id)| *id == live.id)
            {
                self.beside.remove(&name);
            }
            let Live {
                connection, session, ..
            } = live.as_mut();
            let mut moments = moments(connection);
            let shared = &mut self.shared;
            connection.finish(&mut |way, piece| {
                hand_on(session, way, &mut moments[way as usize], piece, shared);
            });
            if let Some(session) = session {
                session.finish(moments[0], shared);
            }
            note_unheard(&mut self.unheard, connection);
            live.is_server_unheard = self.unheard.contains(&live.connection.server.ip());
            note_spoken(&mut self.spoken, &live);
            live.server_speaks = self.spoken.get(&live.connection.server).copied();
            let now_ns = self.now_ns;
            done(Over { live, now_ns });
        }
    }
}

/// A server that is talked with, and never seen to say anything, was not captured.
fn note_unheard(unheard: &mut HashSet<IpAddr>, connection: &Connection) {
    let is_unheard = connection.is_established && connection.half(Way::Down).packets == 0;
    if is_unheard && unheard.len() < MAX_REMEMBERED {
        unheard.insert(connection.server.ip());
    }
}

/// A server speaks one dialect: where a connection is too short to tell, others do.
fn note_spoken(spoken: &mut HashMap<SocketAddr, Dialect>, live: &Live) {
    let dialect = live.session.as_ref().map(|session| session.facts.dialect);
    if let Some(dialect @ (Dialect::Openclaw | Dialect::Clw | Dialect::Clawchat)) = dialect
        && spoken.len() < MAX_REMEMBERED
    {
        spoken.entry(live.connection.server).or_insert(dialect);
    }
}
