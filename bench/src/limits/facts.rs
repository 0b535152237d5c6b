//! What the machine allows, as measured.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io;

/// What the machine allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Descriptors that this process may have now (soft limit).
    pub nofile_soft: u64,
    /// Descriptors that it may allow itself (hard limit).
    pub nofile_hard: u64,
    /// The most that root can allow a process (fs.nr_open).
    pub nr_open: u64,
    /// Local ports for outgoing connections, first and last.
    pub ports: (u16, u16),
    /// Processors that this process may use.
    pub cores: u32,
    /// Longest queue of connections that a listener may have; `None`: unknown.
    pub somaxconn: Option<u64>,
    /// Memory that can be had without swapping, in bytes; `None`: unknown.
    pub memory_available_bytes: Option<u64>,
}

impl Facts {
    /// Asks the system. What cannot be read gets Linux's defaults.
    pub fn measure() -> Self {
        let (nofile_soft, nofile_hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
        let number = |path| read(path).and_then(|t| t.trim().parse().ok());
        Self {
            nofile_soft,
            nofile_hard,
            nr_open: number("/proc/sys/fs/nr_open").unwrap_or(1_048_576),
            ports: read("/proc/sys/net/ipv4/ip_local_port_range")
                .and_then(|t| port_range(&t))
                .unwrap_or((32_768, 60_999)),
            cores: std::thread::available_parallelism()
                .map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX)),
            somaxconn: number("/proc/sys/net/core/somaxconn"),
            memory_available_bytes: read("/proc/meminfo").and_then(|t| available(&t)),
        }
    }

    /// How many local ports there are.
    pub fn port_count(&self) -> u64 {
        u64::from(self.ports.1.saturating_sub(self.ports.0)) + 1
    }
}

/// Raises this process's soft limit of descriptors to the hard one; returns what is in force then.
pub fn raise_soft_limit() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn port_range(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next()?, numbers.next()?) {
        (Ok(first), Ok(last)) if first <= last => Some((first, last)),
        _ => None,
    }
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find(|l| l.starts_with("MemAvailable:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_files_read_as_the_kernel_writes_them() {
        assert_eq!(port_range("32768\t60999\n"), Some((32_768, 60_999)));
        assert_eq!(port_range("5 4"), None);
        assert_eq!(port_range("x"), None);
        let meminfo = "MemTotal:       24000000 kB\nMemFree: 1 kB\nMemAvailable:   20000000 kB\n";
        assert_eq!(available(meminfo), Some(20_480_000_000));
        assert_eq!(available(""), None);
    }

    #[test]
    fn the_soft_limit_rises_to_the_hard_one() {
        let raised = raise_soft_limit().unwrap();
        let facts = Facts::measure();
        assert_eq!((facts.nofile_soft, facts.nofile_hard), (raised, raised));
        assert!(facts.cores >= 1 && facts.port_count() > 1);
    }
}
