//! `--netem` with a script and a tc that are written for the test: what keys ask for is done, shown, and undone on every way out.

#![allow(clippy::unwrap_used, reason = "tests: a failed step is a failed test")]

mod common;

use assert_cmd::Command;
use common::terminal::Session;
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Keeps what is in force in a file, and every call in another.
const SCRIPT: &str = r#"#!/bin/sh
home=$(dirname "$0")
echo "$@" >>"$home/calls"
case $1 in
  list) printf 'PROFILE LOSS\n3g 0%%\nlte 0.2%%\n' ;;
  apply)
    case $2 in nothing) echo 'netem: no such profile' >&2; exit 2 ;; esac
    echo "$2 $3" >"$home/force" ;;
  clear) rm -f "$home/force" ;;
esac
"#;
const TC: &str = r#"#!/bin/sh
home=$(dirname "$0")
[ -f "$home/force" ] || { echo '[{"kind":"noqueue"}]'; exit 0; }
case $(cat "$home/force") in
  "delay 50ms") echo '[{"kind":"netem","options":{"delay":{"delay":0.05}},"drops":0,"packets":9,"qlen":4}]' ;;
  "loss 1%") echo '[{"kind":"netem","options":{"loss-random":{"loss":0.01}},"drops":7,"packets":9,"qlen":0}]' ;;
  *) echo '[{"kind":"netem","options":{"delay":{"delay":0.3}},"drops":0,"packets":9,"qlen":0}]' ;;
esac
"#;

struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("netem", SCRIPT), ("tc", TC)] {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(folder.path().join("g.log"), "").unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tui(&self, more: &str) -> Session {
        let here = self.folder.path().display();
        let line = format!(
            "PATH={here}:$PATH exec {} --log {here}/g.log --netem lab/eth0 {more}",
            env!("CARGO_BIN_EXE_clw-tui")
        );
        Session::start(Path::new("/bin/sh"), &["-c", &line], (120, 30))
    }

    fn allowed(&self) -> Session {
        self.tui(&format!(
            "--allow-netem --netem-script {}",
            self.path("netem").display()
        ))
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.path("calls")).unwrap_or_default()
    }
}

#[test]
fn keys_change_the_network_and_leaving_undoes_it() {
    let lab = Lab::new();
    let mut session = lab.allowed();
    session.until(&["lab/eth0: no netem", "LIVE"]);
    session.press("]");
    session.until(&[
        "lab/eth0: loss 1%: 7 dropped",
        "network changed on purpose: loss 1%",
    ]);
    session.press("[");
    session.until(&["lab/eth0: no netem", "the network is left alone again"]);
    session.press("}");
    session.until(&["lab/eth0: delay 50ms: 0 dropped, 4 waiting, 9 passed"]);
    session.press("p");
    session.until(&["lab/eth0: delay 300ms"]);
    session.press("?");
    session.until(&["netem: 1 % less or more loss"]);
    session.press("q");
    session.ends_restored(0);
    let calls = lab.calls();
    assert!(
        calls.contains("apply loss 1% --quiet --netns lab --dev eth0\n"),
        "{calls}"
    );
    assert!(calls.contains("apply 3g --quiet"), "{calls}");
    assert!(
        calls.trim_end().ends_with("clear --quiet --netns lab --dev eth0"),
        "{calls}"
    );
    assert!(!lab.path("force").exists());
}

#[test]
fn signals_and_ctrl_c_undo_it_too() {
    for signal in [None, Some(Signal::SIGTERM), Some(Signal::SIGHUP)] {
        let lab = Lab::new();
        let mut session = lab.allowed();
        session.until(&["lab/eth0: no netem"]);
        session.press("]");
        session.until(&["lab/eth0: loss 1%"]);
        match signal {
            None => session.press("\x03"),
            Some(signal) => session.signal(signal),
        }
        session.ends_restored(130);
        assert!(!lab.path("force").exists(), "{signal:?}");
    }
}

#[test]
fn without_the_word_nothing_is_changed() {
    let lab = Lab::new();
    let mut session = lab.tui("");
    session.until(&["lab/eth0: no netem"]);
    session.press("]p}x");
    session.press("?");
    session.until(&["show these keys"]);
    session.press("q");
    session.ends_restored(0);
    assert_eq!(lab.calls(), "");
}

#[test]
fn what_cannot_be_followed_is_said() {
    let fails = |args: &[&str], code| {
        let output = Command::cargo_bin("clw-tui")
            .unwrap()
            .timeout(Duration::from_secs(60))
            .args(args)
            .assert()
            .code(code);
        String::from_utf8_lossy(&output.get_output().stderr).into_owned()
    };
    assert!(fails(&["--once", "--attach", ":1", "--netem", "a/b/c"], 2).contains("NETNS/IF"));
    assert!(fails(&["--attach", ":1", "--allow-netem"], 2).contains("--netem"));
    assert!(fails(&["--attach", ":1", "--netem", "x", "--i-know"], 2).contains("--allow-netem"));
}
