//! Two hosts and a network that delays, reorders, loses and doubles packets on both sides of the place where they are captured.

use crate::host::{Act, FIRST_RTO_MS, Host, Packet, State};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub const CLIENT: usize = 0;
pub const SERVER: usize = 1;

/// SplitMix64.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub fn is(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A way between a host and the place of the capture.
#[derive(Clone, Copy, Debug)]
pub struct Leg {
    pub delay_us: u64,
    pub jitter_us: u64,
    pub loss: u64,
    pub doubled: u64,
}

impl Leg {
    /// When what begins now arrives; not at all, or once, or twice.
    fn arrivals(&self, now_us: u64, random: &mut Random) -> Vec<u64> {
        let count = u64::from(!random.is(self.loss)) + u64::from(random.is(self.doubled));
        (0..count)
            .map(|_| now_us + self.delay_us + random.below(self.jitter_us + 1))
            .collect()
    }
}

#[derive(Debug)]
enum Event {
    Passes(usize, Packet),
    Arrives(usize, Packet),
    Timer(usize, u64),
    Acts(usize, Act),
    Connects,
}

/// What was captured: when, who sent it, the packet.
pub type Captured = (u64, usize, Packet);

pub struct Network {
    pub hosts: [Host; 2],
    legs: [Leg; 2],
    pub random: Random,
    events: BinaryHeap<Reverse<(u64, u64)>>,
    what: Vec<Option<Event>>,
    timers: [u64; 2],
    pub captured: Vec<Captured>,
}

impl Network {
    pub fn new(legs: [Leg; 2], mut random: Random) -> Self {
        let seeds = [random.next() as u32, random.next() as u32];
        Self {
            hosts: [Host::new(false, seeds[0]), Host::new(true, seeds[1])],
            legs,
            random,
            events: BinaryHeap::new(),
            what: Vec::new(),
            timers: [0; 2],
            captured: Vec::new(),
        }
    }

    pub fn connect_at(&mut self, at_us: u64) {
        self.at(at_us, Event::Connects);
    }

    pub fn act_at(&mut self, at_us: u64, side: usize, act: Act) {
        self.at(at_us, Event::Acts(side, act));
    }

    fn at(&mut self, at_us: u64, event: Event) {
        self.events.push(Reverse((at_us, self.what.len() as u64)));
        self.what.push(Some(event));
    }

    /// Runs until nothing happens any more.
    pub fn run(&mut self) {
        while let Some(Reverse((now_us, number))) = self.events.pop() {
            let now_ms = now_us / 1000;
            // Linux counts initial sequence numbers up by one in 64 ns, from a secret on.
            let isn = ((now_us * 1000 / 64) as u32).wrapping_add(77_777);
            let side = match self.what[number as usize].take() {
                Some(Event::Connects) => {
                    // Ports are used again when the socket is gone.
                    if self.hosts[CLIENT].state == State::Gone {
                        self.hosts[CLIENT].connect(isn, now_ms);
                    }
                    CLIENT
                }
                Some(Event::Acts(side, act)) => {
                    self.hosts[side].act(act, now_ms);
                    side
                }
                Some(Event::Timer(side, timer)) if self.timers[side] == timer => {
                    self.hosts[side].retransmit(now_ms);
                    side
                }
                Some(Event::Passes(from, packet)) => {
                    self.captured.push((now_us, from, packet));
                    for at_us in self.legs[1 - from].arrivals(now_us, &mut self.random) {
                        self.at(at_us, Event::Arrives(1 - from, packet));
                    }
                    continue;
                }
                Some(Event::Arrives(side, packet)) => {
                    self.hosts[side].take(&packet, isn.wrapping_mul(3), now_ms);
                    side
                }
                Some(Event::Timer(..)) | None => continue,
            };
            self.sent(side, now_us);
        }
    }

    fn sent(&mut self, side: usize, now_us: u64) {
        for packet in std::mem::take(&mut self.hosts[side].out) {
            for at_us in self.legs[side].arrivals(now_us, &mut self.random) {
                self.at(at_us, Event::Passes(side, packet));
            }
        }
        self.timers[side] += 1;
        if self.hosts[side].waits() {
            let rto_us = (FIRST_RTO_MS << self.hosts[side].tries) * 1000;
            self.at(now_us + rto_us, Event::Timer(side, self.timers[side]));
        }
    }
}
