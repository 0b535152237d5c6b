//! Who is let in to the upgrade: the budget of sockets before hello-ok, per client address (protocol page, section 9), and what a
//! refusal says.

use crate::session::Rejection;
use crate::verdict::{Refusal, RefusalClass};
use std::collections::HashMap;
use std::net::IpAddr;

/// Counts the connections that are not authenticated yet. Holds an entry only for addresses that have one.
#[derive(Clone, Debug)]
pub struct PreauthBudget {
    per_address: u32,
    open: HashMap<IpAddr, u32>,
}

impl PreauthBudget {
    /// The gateway's default budget.
    pub const DEFAULT: u32 = 32;

    /// A budget of `per_address` sockets for each client address; 0 is no limit.
    pub fn new(per_address: u32) -> Self {
        Self {
            per_address,
            open: HashMap::new(),
        }
    }

    /// Takes a place for an upgrade from `address`; every success is given back with [`PreauthBudget::leave`].
    pub fn enter(&mut self, address: IpAddr) -> Result<(), Rejection> {
        if self.per_address == 0 {
            return Ok(());
        }
        let open = self.open.entry(address).or_default();
        if *open >= self.per_address {
            return Err(Rejection::over_budget());
        }
        *open += 1;
        Ok(())
    }

    /// The connection is ready, or has ended.
    pub fn leave(&mut self, address: IpAddr) {
        if let Some(open) = self.open.get_mut(&address) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                self.open.remove(&address);
            }
        }
    }
}

/// What a real gateway that is going down answers, with status 503 (seen).
pub const ADMISSION_CLOSED: &str = "Gateway websocket admission closed";

/// What an HTTP answer other than 101 refuses, where its words say more than its status does: [`ADMISSION_CLOSED`] is no overload.
pub fn refusal_of_http(status: u16, body: &[u8]) -> Option<Refusal> {
    let is_closed = status == 503 && body.trim_ascii() == ADMISSION_CLOSED.as_bytes();
    is_closed.then(|| Refusal {
        class: RefusalClass::Unavailable,
        code: format!("HTTP {status}"),
        message: ADMISSION_CLOSED.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn the_thirty_third_socket_of_an_address_is_refused_until_one_leaves() {
        let mut budget = PreauthBudget::new(PreauthBudget::DEFAULT);
        let (a, b) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from([127, 0, 0, 2]));
        for _ in 0..32 {
            budget.enter(a).unwrap();
        }
        let refused = budget.enter(a).unwrap_err();
        assert_eq!(
            (refused.status, refused.body.as_str()),
            (503, "Too many unauthenticated sockets")
        );
        budget.enter(b).unwrap();
        budget.leave(a);
        budget.enter(a).unwrap();
        for _ in 0..40 {
            budget.leave(a);
        }
        budget.leave(b);
        assert!(budget.open.is_empty());
    }

    #[test]
    fn a_gateway_that_closes_its_doors_is_not_overloaded() {
        let refusal = refusal_of_http(503, b"Gateway websocket admission closed\n").unwrap();
        assert_eq!(refusal.class, RefusalClass::Unavailable);
        assert_eq!(refusal.message, ADMISSION_CLOSED);
        for (status, body) in [
            (503, &b"Too many unauthenticated sockets"[..]),
            (403, ADMISSION_CLOSED.as_bytes()),
            (503, b""),
        ] {
            assert_eq!(refusal_of_http(status, body), None);
        }
    }

    #[test]
    fn zero_is_no_limit() {
        let mut budget = PreauthBudget::new(0);
        let address = IpAddr::from(Ipv4Addr::LOCALHOST);
        assert!((0..1000).all(|_| budget.enter(address).is_ok()));
        budget.leave(address);
    }
}
