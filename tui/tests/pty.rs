//! The binary on a real terminal: start, resize, keys, a lost source, and every way out.

#![allow(clippy::unwrap_used, reason = "tests: a failed step is a failed test")]

mod common;

use clw_tui::term::Screen;
use common::terminal::{PATIENCE, Session, size};
use nix::sys::signal::Signal;
use portable_pty::{CommandBuilder, native_pty_system};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

fn tui(args: &[&str], at: (u16, u16)) -> Session {
    Session::start(Path::new(env!("CARGO_BIN_EXE_clw-tui")), args, at)
}

/// A generator that can be stopped and started again at the same address.
struct Generator {
    address: String,
    orders: Sender<bool>,
}

impl Generator {
    /// Offers the fixed run's seconds 28 to 30 whenever it is on.
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (orders, order) = channel();
        let at = address.clone();
        thread::spawn(move || serve(listener, &at, &order));
        Self { address, orders }
    }
}

fn serve(first: TcpListener, address: &str, orders: &Receiver<bool>) {
    let lines: String = common::run()[28..31].iter().map(|s| s.to_line() + "\n").collect();
    let mut listener = first;
    loop {
        if let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.write_all(lines.as_bytes());
            // Holds the stream until it is told to stop.
            let _ = orders.recv();
        }
        drop(listener);
        if orders.recv() != Ok(true) {
            return;
        }
        listener = TcpListener::bind(address).unwrap();
    }
}

#[test]
fn it_starts_follows_sizes_answers_keys_and_leaves() {
    let generator = Generator::start();
    let mut session = tui(&["--attach", &generator.address], (80, 24));
    session.until(&[
        "LIVE",
        "ws://10.0.0.7:18789/",
        "running",
        "ready              500",
    ]);
    session.resize((200, 60));
    session.until(&["latency", "┌ closes", "┌ generator", "┌ thresholds"]);
    session.resize((20, 5));
    session.until(&["Too small", "60x20 needed"]);
    session.resize((80, 24));
    session.until(&["sessions", "error rate"]);
    session.press("?");
    session.until(&["leave", "show these keys"]);
    // An escape and a key together would be another key.
    session.press("\x1b");
    session.until(&["┌ sessions"]);
    session.press("3");
    session.until(&["what Credentials refused"]);
    session.press("\r");
    session.until(&["clw-auth-failed", "First to try"]);
    session.press("\x1b");
    session.until(&["what Credentials refused"]);
    session.press("1 ");
    session.until(&["PAUSED", "go on"]);
    session.press(" t");
    session.until(&["colours: none"]);
    session.press("q");
    session.ends_restored(0);
}

#[test]
fn a_lost_source_is_said_and_found_again() {
    let generator = Generator::start();
    let mut session = tui(&["--attach", &generator.address], (100, 30));
    session.until(&["LIVE", "joined"]);
    generator.orders.send(false).unwrap();
    session.until(&["LOST", "trying again", "the stream ended"]);
    session.until(&["nobody listens"]);
    generator.orders.send(true).unwrap();
    session.until(&["LIVE", "was restarted"]);
    session.press("q");
    session.ends_restored(0);
}

#[test]
fn ctrl_c_and_signals_give_the_terminal_back() {
    let generator = Generator::start();
    let args = ["--attach", generator.address.as_str()];
    let mut by_key = tui(&args, (80, 24));
    by_key.until(&["LIVE"]);
    by_key.press("\x03");
    by_key.ends_restored(130);
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let session = tui(&["--attach", "127.0.0.1:1"], (80, 24));
        session.until(&["nobody listens"]);
        session.signal(signal);
        session.ends_restored(130);
    }
}

#[test]
fn a_replay_is_moved_by_keys() {
    let journal = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/outage.journal");
    let mut session = tui(&["--replay", journal.to_str().unwrap(), "--paused"], (100, 34));
    session.until(&["REPLAY PAUSED", "1 incident, 1 ahead"]);
    session.press("n");
    session.until(&["INCIDENT since", "0 ahead"]);
    session.press("n");
    session.until(&["no incident after this"]);
    session.press("\x1b[H");
    session.until(&["1 ahead", "no connection has ended yet"]);
    session.press("\x1b[C");
    session.until(&["at 5s of"]);
    session.press(">> ");
    session.until(&["REPLAY ×4"]);
    session.press(">>>>>");
    session.until(&["REPLAY END", "the run is over"]);
    session.press("q");
    session.ends_restored(0);
}

#[test]
fn a_panic_gives_the_terminal_back_before_its_message() {
    let this = std::env::current_exe().unwrap();
    let session = Session::start(
        &this,
        &[
            "--ignored",
            "--exact",
            "--nocapture",
            "takes_the_screen_and_panics",
        ],
        (80, 24),
    );
    let left = session.ends_restored(101);
    let given_back = left.find("\x1b[?1049l").unwrap();
    let told = left.find("what happened on purpose").unwrap();
    assert!(given_back < told, "{left:?}");
}

#[test]
#[ignore = "run by another test, on a terminal"]
fn takes_the_screen_and_panics() {
    let _screen = Screen::take().unwrap();
    panic!("what happened on purpose");
}

#[test]
fn the_wheel_scrolls_and_the_mouse_is_given_back() {
    let generator = Generator::start();
    let mut session = tui(&["--attach", &generator.address], (80, 24));
    session.until(&["LIVE"]);
    session.press("3");
    session.until(&["what Credentials refused"]);
    session.press("\x1b[<65;10;10M");
    session.until(&["what Ended gracefully"]);
    session.press("\x1b[<64;10;10M");
    session.until(&["what Credentials refused"]);
    session.press("q");
    let left = session.ends_restored(0);
    assert!(left.rfind("\x1b[?1000l") > left.rfind("\x1b[?1000h"), "{left:?}");
    let mut without = tui(&["--no-mouse", "--attach", &generator.address], (80, 24));
    without.until(&["WAITING"]);
    without.press("q");
    assert!(!without.ends_restored(0).contains("\x1b[?1000h"));
}

#[test]
fn a_closed_terminal_ends_it() {
    let generator = Generator::start();
    let pair = native_pty_system().openpty(size(80, 24)).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_clw-tui"));
    command.args(["--attach", &generator.address]);
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let mut seen: Vec<u8> = Vec::new();
    let mut buffer = [0; 4096];
    while !seen.windows(4).any(|w| w == b"LIVE") {
        let n = reader.read(&mut buffer).unwrap();
        seen.extend(&buffer[..n]);
    }
    drop(reader);
    drop(pair.master);
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < PATIENCE, "it does not end");
        thread::yield_now();
    }
}

#[test]
fn what_keys_write_is_the_screen() {
    let folder = tempfile::tempdir().unwrap();
    let generator = Generator::start();
    let into = folder.path().to_str().unwrap();
    let mut session = tui(&["--attach", &generator.address, "--export-dir", into], (80, 24));
    session.until(&["LIVE", "ready              500"]);
    session.press("e");
    session.until(&["written: "]);
    session.press("s");
    session.until(&[".svg"]);
    session.press("q");
    session.ends_restored(0);
    let text = std::fs::File::open(folder.path().join("clw-tui-1.txt")).unwrap();
    let first = BufReader::new(text).lines().next().unwrap().unwrap();
    assert!(first.contains("LIVE"), "{first}");
    let json = std::fs::read_to_string(folder.path().join("clw-tui-1.json")).unwrap();
    assert!(json.contains("\"clw.dashboard/1\""));
    let svg = std::fs::read_to_string(folder.path().join("clw-tui-1.svg")).unwrap();
    assert!(svg.contains("LIVE"));
}
