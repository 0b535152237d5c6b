//! A program on a terminal of its own.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "tests: a failed step is a failed test")]

use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{self, LocalFlags};
use nix::unistd::Pid;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read as _, Write};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// No wait takes so long unless something is broken.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub const fn size(cols: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols,
        pixel_width: 0,
        pixel_height: 0,
    }
}

/// What the terminal has been sent.
pub struct Seen {
    pub parser: vt100::Parser,
    pub bytes: Vec<u8>,
    /// Nobody has the terminal open any more: nothing else comes.
    is_over: bool,
}

/// A program on a terminal.
pub struct Session {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    pub seen: Arc<(Mutex<Seen>, Condvar)>,
}

impl Session {
    pub fn start(program: &Path, args: &[&str], (cols, rows): (u16, u16)) -> Self {
        let pair = native_pty_system().openpty(size(cols, rows)).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env("TERM", "xterm-256color");
        command.cwd(std::env::temp_dir());
        let child = pair.slave.spawn_command(command).unwrap();
        let seen = Arc::new((
            Mutex::new(Seen {
                parser: vt100::Parser::new(rows, cols, 0),
                bytes: Vec::new(),
                is_over: false,
            }),
            Condvar::new(),
        ));
        let mut from = pair.master.try_clone_reader().unwrap();
        let to = Arc::clone(&seen);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = from.read(&mut buffer) {
                let mut seen = to.0.lock().unwrap();
                seen.parser.process(&buffer[..n]);
                seen.bytes.extend(&buffer[..n]);
                to.1.notify_all();
            }
            to.0.lock().unwrap().is_over = true;
            to.1.notify_all();
        });
        Self {
            keys: pair.master.take_writer().unwrap(),
            master: pair.master,
            child,
            seen,
        }
    }

    /// Waits until the screen holds all `texts`.
    pub fn until(&self, texts: &[&str]) {
        let (seen, changed) = &*self.seen;
        let holds = |seen: &mut Seen| {
            let screen = seen.parser.screen().contents();
            !texts.iter().all(|t| screen.contains(t))
        };
        let (seen, timeout) = changed
            .wait_timeout_while(seen.lock().unwrap(), PATIENCE, holds)
            .unwrap();
        assert!(
            !timeout.timed_out(),
            "no {texts:?} on:\n{}",
            seen.parser.screen().contents()
        );
    }

    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    pub fn resize(&self, (cols, rows): (u16, u16)) {
        self.seen
            .0
            .lock()
            .unwrap()
            .parser
            .screen_mut()
            .set_size(rows, cols);
        self.master.resize(size(cols, rows)).unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.process_id().unwrap()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Waits for the end, and checks that the terminal is as it was before.
    pub fn ends_restored(mut self, code: u32) -> String {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end");
            thread::yield_now();
        };
        assert_eq!(status.exit_code(), code);
        let (seen, changed) = &*self.seen;
        let (seen, timeout) = changed
            .wait_timeout_while(seen.lock().unwrap(), PATIENCE, |seen| !seen.is_over)
            .unwrap();
        assert!(!timeout.timed_out(), "somebody still has the terminal");
        let screen = seen.parser.screen();
        assert!(
            !screen.alternate_screen() && !screen.hide_cursor(),
            "alternate screen left, cursor shown"
        );
        assert!(seen.bytes.windows(8).any(|w| w == b"\x1b[?1049h"), "it was taken");
        let flags = local_flags(&*self.master);
        assert!(flags.contains(LocalFlags::ICANON | LocalFlags::ECHO), "{flags:?}");
        String::from_utf8_lossy(&seen.bytes).into_owned()
    }
}

fn local_flags(master: &dyn MasterPty) -> LocalFlags {
    // The master lives as long as the session.
    let path = master.tty_name().unwrap();
    let tty = std::fs::File::open(path).unwrap();
    let fd: BorrowedFd = std::os::fd::AsFd::as_fd(&tty);
    termios::tcgetattr(fd).unwrap().local_flags
}
