//! `--netem`: what is done to an interface on purpose, shown, and with `--allow-netem` changed by keys.

mod script;
mod shape;

pub use script::{Script, ScriptError};
pub use shape::Shape;

use crate::event::Event;
use std::fmt;
use std::io;
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use thiserror::Error;

/// How often tc is asked.
const LOOK: Duration = Duration::from_secs(1);
/// By how much a key changes the loss, in percent.
const LOSS_STEP_PCT: u16 = 1;
/// By how much a key changes the delay, in milliseconds.
const DELAY_STEP_MS: u16 = 50;
/// Most of each that keys reach.
const MOST: (u16, u16) = (100, 10_000);

/// An interface, here or in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The namespace; `None` for the one that this runs in.
    pub netns: Option<String>,
    /// The interface.
    pub dev: String,
}

/// A text that names no interface.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("write NETNS/IF, or IF for an interface of this namespace")]
pub struct PlaceError;

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let (netns, dev) = match text.split_once('/') {
            Some((netns, dev)) => (Some(netns), dev),
            None => (None, text),
        };
        let is_name = |name: &str, most: usize| {
            (1..=most).contains(&name.len())
                && !name.starts_with(['-', '.'])
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        if is_name(dev, 15) && netns.is_none_or(|n| is_name(n, 64)) {
            Ok(Self {
                netns: netns.map(str::to_owned),
                dev: dev.to_owned(),
            })
        } else {
            Err(PlaceError)
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.netns {
            Some(netns) => write!(f, "{netns}/{}", self.dev),
            None => f.write_str(&self.dev),
        }
    }
}

/// What a key asks of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The next profile of the list.
    NextProfile,
    /// Nothing on purpose any more.
    Clear,
    /// More loss, or less.
    Loss(bool),
    /// More delay, or less.
    Delay(bool),
}

/// Follows an interface until it is dropped; what was changed is undone then.
#[derive(Debug)]
pub struct Netem {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Netem {
    /// Begins to look, and with a script to obey.
    pub fn start(place: Place, script: Option<Script>, events: SyncSender<Event>) -> io::Result<Self> {
        let (orders, received) = channel();
        let thread = thread::Builder::new()
            .name("netem".to_owned())
            .spawn(move || work(&place, script, &received, &events))?;
        Ok(Self {
            orders: Some(orders),
            thread: Some(thread),
        })
    }

    /// Hands an order on; what comes of it is told as an event.
    pub fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(order);
        }
    }
}

impl Drop for Netem {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(place: &Place, script: Option<Script>, orders: &Receiver<Order>, events: &SyncSender<Event>) {
    let mut control = script.map(Control::new);
    let mut looked: Option<Instant> = None;
    loop {
        if looked.is_none_or(|at| at.elapsed() >= LOOK) {
            looked = Some(Instant::now());
            let shape = look(place);
            // A screen that is full of events shows the next look.
            let _ = events.try_send(Event::Network(shape));
        }
        let wait = LOOK.saturating_sub(looked.map_or(Duration::ZERO, |at| at.elapsed()));
        match orders.recv_timeout(wait) {
            Ok(order) => {
                if let Some(control) = &mut control {
                    let said = control.obey(order);
                    let _ = events.try_send(Event::Say(said));
                    looked = None;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            // The dashboard is left: the script undoes what it did when it is dropped.
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn look(place: &Place) -> Result<Shape, String> {
    let mut command = Command::new("tc");
    if let Some(netns) = &place.netns {
        command.args(["-n", netns]);
    }
    let output = command
        .args(["-j", "-s", "qdisc", "show", "dev", &place.dev])
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("tc cannot be run: {e} (package iproute2)"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let line = text.lines().next().unwrap_or("tc failed");
        return Err(line.chars().filter(|c| !c.is_control()).take(120).collect());
    }
    Shape::parse(&String::from_utf8_lossy(&output.stdout))
}

/// What keys have asked for so far.
struct Control {
    script: Script,
    profiles: Option<Vec<String>>,
    next: usize,
    loss_pct: u16,
    delay_ms: u16,
}

impl Control {
    const fn new(script: Script) -> Self {
        Self {
            script,
            profiles: None,
            next: 0,
            loss_pct: 0,
            delay_ms: 0,
        }
    }

    fn obey(&mut self, order: Order) -> String {
        let stepped = |value: u16, more: bool, step: u16, most: u16| {
            if more {
                (value + step).min(most)
            } else {
                value.saturating_sub(step)
            }
        };
        match order {
            Order::Clear => self.clear(),
            Order::NextProfile => self.next_profile(),
            Order::Loss(more) => {
                self.loss_pct = stepped(self.loss_pct, more, LOSS_STEP_PCT, MOST.0);
                self.step()
            }
            Order::Delay(more) => {
                self.delay_ms = stepped(self.delay_ms, more, DELAY_STEP_MS, MOST.1);
                self.step()
            }
        }
    }

    fn clear(&mut self) -> String {
        (self.loss_pct, self.delay_ms) = (0, 0);
        match self.script.clear() {
            Ok(()) => "netem: the network is left alone".to_owned(),
            Err(error) => format!("netem: {error}"),
        }
    }

    fn step(&mut self) -> String {
        let mut words = Vec::new();
        if self.delay_ms > 0 {
            words.extend(["delay".to_owned(), format!("{}ms", self.delay_ms)]);
        }
        if self.loss_pct > 0 {
            words.extend(["loss".to_owned(), format!("{}%", self.loss_pct)]);
        }
        if words.is_empty() {
            return self.clear();
        }
        self.apply(&words)
    }

    fn next_profile(&mut self) -> String {
        if self.profiles.is_none() {
            match self.script.profiles() {
                Ok(profiles) => self.profiles = Some(profiles),
                Err(error) => return format!("netem: {error}"),
            }
        }
        let profiles = self.profiles.as_deref().unwrap_or_default();
        let Some(name) = profiles.get(self.next % profiles.len().max(1)).cloned() else {
            return "netem: no profiles".to_owned();
        };
        self.next += 1;
        (self.loss_pct, self.delay_ms) = (0, 0);
        self.apply(&[name])
    }

    fn apply(&mut self, words: &[String]) -> String {
        match self.script.apply(words) {
            Ok(()) => format!("netem: {} in force", words.join(" ")),
            Err(error) => format!("netem: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_nothing_that_could_be_an_option() {
        let place: Place = "lab-client/eth0".parse().unwrap();
        assert_eq!(
            (place.netns.as_deref(), place.dev.as_str()),
            (Some("lab-client"), "eth0")
        );
        assert_eq!("eth0".parse::<Place>().unwrap().netns, None);
        for bad in [
            "",
            "/",
            "a/",
            "-x",
            "a/-x",
            "../x",
            "a/b/c",
            "eth0;rm",
            "averyverylongname0",
        ] {
            assert_eq!(bad.parse::<Place>(), Err(PlaceError), "{bad}");
        }
    }
}
