//! A gateway process.

use crate::binary;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// A gateway of its own; killed when dropped.
pub struct Gateway {
    /// The process.
    pub child: Child,
    /// Where it listens.
    pub url: String,
}

impl Gateway {
    /// Starts one on a port of its choice, with `test-token`.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn start(args: &[&str]) -> Self {
        Self::listening("127.0.0.1:0", args)
    }

    /// The same at another address.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn listening(address: &str, args: &[&str]) -> Self {
        let mut child = Command::new(binary("clw-bench"))
            .arg("gateway")
            .args(["--listen", address, "--quiet", "--token", "test-token"])
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a gateway");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("a line");
        let url = line
            .trim()
            .strip_prefix("listening ")
            .expect("listening")
            .to_owned();
        Self { child, url }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
