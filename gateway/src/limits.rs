//! How many descriptors a process may hold, and how many processes a number of sessions needs.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors that are not sessions: listener, runtime, log, pipes, libraries.
const OWN_DESCRIPTORS: u64 = 64;
/// The kernel spreads connections over the sockets of a shared port by chance: some get more than their share.
const FILL: f64 = 0.9;

/// Raises this process's soft limit of descriptors to the hard one; returns the limit that holds now.
pub fn raise_descriptor_limit() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return 1024;
    };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

/// Worker processes that `sessions` at once need with `descriptors` each; 1 means that no worker is needed.
pub fn workers_for(sessions: u64, descriptors: u64) -> u32 {
    let each = descriptors.saturating_sub(OWN_DESCRIPTORS).max(1);
    if sessions <= each {
        return 1;
    }
    let needed = (sessions as f64 / (each as f64 * FILL)).ceil();
    // Saturates; nobody has that many processes.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive and cut"
    )]
    let needed = needed.min(f64::from(u16::MAX)) as u32;
    needed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_thousand_sessions_need_six_processes_of_twenty_thousand_descriptors() {
        assert_eq!(workers_for(100_000, 20_000), 6);
        assert_eq!(workers_for(10_000, 20_000), 1);
        assert_eq!(workers_for(19_937, 20_000), 2);
        assert!(workers_for(u64::MAX, 0) > 1000);
    }

    #[test]
    fn the_limit_that_is_told_is_the_limit_that_holds() {
        let told = raise_descriptor_limit();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap().0, told);
    }
}
