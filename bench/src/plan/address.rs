//! Which addresses may be loaded without a word of their owner.

use super::error::UsageError;
use std::net::{IpAddr, Ipv6Addr};

/// Whether an address is this machine's or of a private network: loopback, unspecified (which connects to this machine),
/// RFC 1918, fc00::/7, link-local (169.254/16, fe80::/10), also as IPv4-mapped IPv6.
pub fn is_local_or_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => {
            v6 == Ipv6Addr::LOCALHOST
                || v6.is_unspecified()
                || v6.segments()[0] & 0xfe00 == 0xfc00
                || v6.segments()[0] & 0xffc0 == 0xfe80
        }
    }
}

/// Checks an address that is about to be loaded; to be called again for every address that a name resolves to.
pub fn check_address(host: &str, ip: IpAddr, allow_remote: bool) -> Result<(), UsageError> {
    if allow_remote || is_local_or_private(ip) {
        Ok(())
    } else {
        Err(UsageError::Remote {
            host: host.to_owned(),
            ip,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_private_addresses_need_no_permission() {
        for ip in [
            "127.0.0.1",
            "127.200.3.4",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.1.1",
            "::1",
            "::",
            "fd00::1",
            "fc00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(is_local_or_private(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn public_addresses_need_allow_remote() {
        for ip in [
            "8.8.8.8",
            "172.32.0.1",
            "172.15.0.1",
            "100.64.0.1",
            "2001:db8::1",
            "::ffff:8.8.8.8",
            "fec0::1",
        ] {
            let ip: IpAddr = ip.parse().unwrap();
            let message = check_address("gw.example", ip, false).unwrap_err().to_string();
            assert!(message.contains("--allow-remote"), "{message}");
            assert!(check_address("gw.example", ip, true).is_ok());
        }
    }
}
