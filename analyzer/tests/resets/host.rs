//! One side's TCP, as far as RSTs depend on it, after Linux (net/ipv4/tcp_input.c, tcp_output.c, tcp_ipv4.c).

use clw_analyzer::segment::Flags;

const WINDOW: i32 = 65_535;
/// A sender gives up after so many retransmissions.
const TRIES: u32 = 7;
pub const FIRST_RTO_MS: u64 = 300;

/// A packet without addresses.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub len: u32,
    pub ttl: u8,
    pub ip_id: u16,
    pub timestamp: Option<u32>,
    pub window: u16,
}

impl Packet {
    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Behind its bytes, SYN and FIN.
    fn end(&self) -> u32 {
        let marks = u32::from(self.has(Flags::SYN)) + u32::from(self.has(Flags::FIN));
        self.seq.wrapping_add(self.len).wrapping_add(marks)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Gone,
    SynSent,
    SynReceived,
    Open,
}

/// What a program does with its socket.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Send(u32),
    /// It closes it, or is killed. What it has not read makes a RST of it.
    Close {
        has_unread: bool,
    },
    /// It closes it without lingering.
    Abort,
}

#[derive(Debug)]
pub struct Host {
    pub state: State,
    pub is_server: bool,
    pub una: u32,
    pub next: u32,
    pub received: u32,
    /// Received ahead of order.
    ahead: Vec<(u32, u32, bool)>,
    /// Sent and not acknowledged: where, how long, with which flags.
    flight: Vec<(u32, u32, u8)>,
    pub is_closed: bool,
    peer_closed: bool,
    pub tries: u32,
    ip_id: u16,
    clock: u32,
    ttl: u8,
    pub out: Vec<Packet>,
}

const fn to(from: u32, other: u32) -> i32 {
    other.wrapping_sub(from).cast_signed()
}

impl Host {
    pub fn new(is_server: bool, random: u32) -> Self {
        Self {
            state: State::Gone,
            is_server,
            una: 0,
            next: 0,
            received: 0,
            ahead: Vec::new(),
            flight: Vec::new(),
            is_closed: false,
            peer_closed: false,
            tries: 0,
            ip_id: (random >> 16) as u16,
            clock: random,
            ttl: if is_server { 64 } else { 61 },
            out: Vec::new(),
        }
    }

    /// A new socket, which begins at `isn`.
    fn begin(&mut self, state: State, isn: u32) {
        self.state = state;
        (self.una, self.next) = (isn, isn);
        self.ahead.clear();
        self.flight.clear();
        (self.is_closed, self.peer_closed) = (false, false);
        self.tries = 0;
        self.ip_id = self.ip_id.wrapping_mul(31_421).wrapping_add(6_927);
    }

    pub fn connect(&mut self, isn: u32, now_ms: u64) {
        self.begin(State::SynSent, isn);
        self.transmit(isn, 0, Flags::SYN, now_ms);
        self.sent(0, Flags::SYN);
    }

    pub const fn waits(&self) -> bool {
        !self.flight.is_empty()
    }

    /// What a socket sends bears its habits.
    fn transmit(&mut self, seq: u32, len: u32, flags: u8, now_ms: u64) {
        let is_syn_ack = flags == Flags::SYN | Flags::ACK;
        self.ip_id = self.ip_id.wrapping_add(1);
        self.out.push(Packet {
            seq,
            ack: if flags & Flags::ACK == 0 { 0 } else { self.received },
            flags,
            len,
            ttl: self.ttl,
            ip_id: if is_syn_ack { 0 } else { self.ip_id },
            timestamp: Some(self.clock.wrapping_add(now_ms as u32)),
            window: 502,
        });
    }

    fn sent(&mut self, len: u32, flags: u8) {
        self.flight.push((self.next, len, flags));
        let marks = u32::from(flags & (Flags::SYN | Flags::FIN) != 0);
        self.next = self.next.wrapping_add(len + marks);
    }

    /// What a kernel without the socket answers (tcp_v4_send_reset).
    fn refuse(&mut self, packet: &Packet) {
        if packet.has(Flags::RST) {
            return;
        }
        let (seq, ack, flags) = if packet.has(Flags::ACK) {
            (packet.ack, 0, Flags::RST)
        } else {
            (0, packet.end(), Flags::RST | Flags::ACK)
        };
        self.out.push(Packet {
            seq,
            ack,
            flags,
            len: 0,
            ttl: self.ttl,
            ip_id: 0,
            timestamp: None,
            window: 0,
        });
    }

    /// tcp_send_active_reset.
    fn abort(&mut self, now_ms: u64) {
        if matches!(self.state, State::Open) {
            self.transmit(self.next, 0, Flags::RST | Flags::ACK, now_ms);
        }
        self.state = State::Gone;
        self.flight.clear();
    }

    pub fn act(&mut self, act: Act, now_ms: u64) {
        match act {
            Act::Send(len) if self.state == State::Open && !self.is_closed => {
                self.transmit(self.next, len, Flags::ACK | Flags::PSH, now_ms);
                self.sent(len, Flags::ACK | Flags::PSH);
            }
            Act::Send(_) => {}
            Act::Close { has_unread: false } if self.state == State::Open && !self.is_closed => {
                self.is_closed = true;
                self.transmit(self.next, 0, Flags::FIN | Flags::ACK, now_ms);
                self.sent(0, Flags::FIN | Flags::ACK);
            }
            Act::Close { has_unread: false } if self.state == State::Open => {}
            // Nobody has accepted it yet, and nobody can close it.
            _ if self.state == State::SynReceived => {}
            Act::Close { .. } | Act::Abort => self.abort(now_ms),
        }
    }

    /// Sends the first unacknowledged packet again.
    pub fn retransmit(&mut self, now_ms: u64) {
        self.tries += 1;
        if self.tries > TRIES {
            self.state = State::Gone;
            self.flight.clear();
        } else if let Some((seq, len, flags)) = self.flight.first().copied() {
            self.transmit(seq, len, flags, now_ms);
        }
    }

    pub fn take(&mut self, packet: &Packet, isn: u32, now_ms: u64) {
        match self.state {
            State::Gone if self.is_server && packet.flags == Flags::SYN => {
                self.begin(State::SynReceived, isn);
                self.received = packet.end();
                self.transmit(isn, 0, Flags::SYN | Flags::ACK, now_ms);
                self.sent(0, Flags::SYN | Flags::ACK);
            }
            State::Gone => self.refuse(packet),
            State::SynSent => self.take_answer(packet, now_ms),
            State::SynReceived if packet.has(Flags::SYN) => self.retransmit(now_ms),
            State::SynReceived if packet.has(Flags::RST) => {
                if packet.seq == self.received {
                    self.state = State::Gone;
                    self.flight.clear();
                }
            }
            State::SynReceived if packet.ack != self.next => self.refuse(packet),
            State::SynReceived => {
                self.state = State::Open;
                self.take_open(packet, now_ms);
            }
            State::Open => self.take_open(packet, now_ms),
        }
    }

    fn take_answer(&mut self, packet: &Packet, now_ms: u64) {
        let is_ours = packet.has(Flags::ACK) && packet.ack == self.next;
        if packet.has(Flags::RST) {
            if is_ours {
                self.state = State::Gone;
                self.flight.clear();
            }
        } else if packet.has(Flags::ACK) && !is_ours {
            self.refuse(packet);
        } else if packet.has(Flags::SYN) && is_ours {
            self.state = State::Open;
            self.received = packet.end();
            self.acknowledged(packet.ack);
            self.transmit(self.next, 0, Flags::ACK, now_ms);
        }
    }

    fn acknowledged(&mut self, ack: u32) {
        if to(self.una, ack) > 0 && to(ack, self.next) >= 0 {
            self.una = ack;
            self.tries = 0;
            self.flight.retain(|(seq, len, flags)| {
                let marks = u32::from(flags & (Flags::SYN | Flags::FIN) != 0);
                to(ack, seq.wrapping_add(len + marks)) > 0
            });
        }
    }

    fn take_open(&mut self, packet: &Packet, now_ms: u64) {
        let place = to(self.received, packet.seq);
        if packet.has(Flags::RST) {
            if place == 0 {
                self.state = State::Gone;
                self.flight.clear();
            } else if (1..WINDOW).contains(&place) {
                self.transmit(self.next, 0, Flags::ACK, now_ms);
            }
            return;
        }
        // A challenge (RFC 5961), which an old connection's packets get too.
        if packet.has(Flags::SYN) || !(-WINDOW..WINDOW).contains(&place) {
            self.transmit(self.next, 0, Flags::ACK, now_ms);
            return;
        }
        self.acknowledged(packet.ack);
        let is_new = packet.len > 0 && to(self.received, packet.end()) > 0;
        if self.is_closed && is_new {
            // Nobody will read it (TCPABORTONDATA).
            self.refuse(packet);
            self.state = State::Gone;
            self.flight.clear();
            return;
        }
        if packet.len > 0 || packet.has(Flags::FIN) {
            self.ahead.push((packet.seq, packet.len, packet.has(Flags::FIN)));
            self.take_in_order();
            self.transmit(self.next, 0, Flags::ACK, now_ms);
        }
        if self.is_closed && self.peer_closed && self.una == self.next {
            self.state = State::Gone;
        }
    }

    fn take_in_order(&mut self) {
        let received = &mut self.received;
        let peer_closed = &mut self.peer_closed;
        loop {
            let before = self.ahead.len();
            self.ahead.retain(|(seq, len, fin)| {
                let end = seq.wrapping_add(*len + u32::from(*fin));
                if to(*received, *seq) > 0 {
                    return true;
                }
                if to(*received, end) > 0 {
                    *received = end;
                    *peer_closed |= fin;
                }
                false
            });
            if self.ahead.len() == before {
                return;
            }
        }
    }
}
