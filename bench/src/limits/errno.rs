//! The generator's own errors, which are never the gateway's.

use nix::errno::Errno;

/// The name of an error number that means that this machine, not the gateway, stopped a session; `None` for all others.
pub fn generator_error_name(errno: i32) -> Option<&'static str> {
    own(errno).map(|(name, _)| name)
}

/// What to change against such an error.
pub fn generator_error_fix(errno: i32) -> Option<&'static str> {
    own(errno).map(|(_, fix)| fix)
}

fn own(errno: i32) -> Option<(&'static str, &'static str)> {
    Some(match Errno::from_raw(errno) {
        Errno::EMFILE => (
            "EMFILE",
            "this process is out of descriptors: raise `ulimit -n`, or give --workers a higher number",
        ),
        Errno::ENFILE => (
            "ENFILE",
            "the system is out of descriptors: raise the sysctl fs.file-max",
        ),
        Errno::EADDRNOTAVAIL => (
            "EADDRNOTAVAIL",
            "no free port on the source address, or the address is not this machine's: give more addresses with \
             --bind A-B, or widen the sysctl net.ipv4.ip_local_port_range",
        ),
        Errno::EADDRINUSE => (
            "EADDRINUSE",
            "no free port on the source address: give more addresses with --bind A-B",
        ),
        Errno::ENOBUFS => (
            "ENOBUFS",
            "the kernel is out of buffers: raise the sysctl net.ipv4.tcp_mem, or run fewer sessions here",
        ),
        Errno::ENOMEM => (
            "ENOMEM",
            "the machine is out of memory: run fewer sessions here, or use --shard",
        ),
        Errno::EACCES => (
            "EACCES",
            "connecting is forbidden here: look at local firewall rules and the address family's permissions",
        ),
        Errno::EPERM => (
            "EPERM",
            "connecting is forbidden here: look at local firewall rules, and at a full conntrack table",
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generators_own_errors_have_names_and_fixes_and_the_gateways_have_none() {
        for errno in [
            Errno::EMFILE,
            Errno::ENFILE,
            Errno::EADDRNOTAVAIL,
            Errno::EADDRINUSE,
            Errno::ENOBUFS,
            Errno::ENOMEM,
            Errno::EACCES,
            Errno::EPERM,
        ] {
            assert_eq!(
                generator_error_name(errno as i32),
                Some(format!("{errno:?}").as_str())
            );
            assert!(generator_error_fix(errno as i32).is_some());
        }
        for errno in [
            Errno::ECONNREFUSED,
            Errno::ECONNRESET,
            Errno::ETIMEDOUT,
            Errno::EHOSTUNREACH,
        ] {
            assert_eq!(generator_error_name(errno as i32), None);
        }
    }
}
