//! What would stop a run before it starts: descriptors, ports, addresses.

/// temporary
pub fn generator_error_name(errno: i32) -> Option<&'static str> {
    use nix::errno::Errno;
    Some(match Errno::from_raw(errno) {
        Errno::EMFILE => "EMFILE",
        Errno::ENFILE => "ENFILE",
        Errno::EADDRNOTAVAIL => "EADDRNOTAVAIL",
        Errno::EADDRINUSE => "EADDRINUSE",
        Errno::ENOBUFS => "ENOBUFS",
        Errno::ENOMEM => "ENOMEM",
        Errno::EACCES => "EACCES",
        Errno::EPERM => "EPERM",
        _ => return None,
    })
}
