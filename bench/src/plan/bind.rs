//! Ranges of source addresses.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use thiserror::Error;

const MOST: u128 = 65_536;

/// `A` or `A-B`, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BindRange {
    first: IpAddr,
    count: u32,
}

/// A range that is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not an address or a range such as 127.0.0.1-127.0.0.8 (one family, first to last, at most 65536)"
)]
pub struct BindError(String);

impl BindRange {
    /// `count` addresses from `first` on; `None` if that is none or too many.
    pub fn new(first: IpAddr, count: u32) -> Option<Self> {
        let last = number(first).checked_add(u128::from(count.checked_sub(1)?))?;
        let fits = !first.is_ipv4() || last <= u128::from(u32::MAX);
        (fits && u128::from(count) <= MOST).then_some(Self { first, count })
    }

    /// How many addresses.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Address number `i` of the range, taken round.
    pub fn nth(&self, i: u64) -> IpAddr {
        let at = number(self.first) + u128::from(i % u64::from(self.count));
        match self.first {
            IpAddr::V4(_) => Ipv4Addr::from_bits(u32::try_from(at).unwrap_or(u32::MAX)).into(),
            IpAddr::V6(_) => Ipv6Addr::from_bits(at).into(),
        }
    }

    /// Address number `i` of several ranges, one after the other, taken round; `None` of no ranges.
    pub fn nth_of(ranges: &[Self], i: u64) -> Option<IpAddr> {
        let total: u64 = ranges.iter().map(|r| u64::from(r.count)).sum();
        let mut at = i.checked_rem(total)?;
        for range in ranges {
            if at < u64::from(range.count) {
                return Some(range.nth(at));
            }
            at -= u64::from(range.count);
        }
        None
    }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl FromStr for BindRange {
    type Err = BindError;

    fn from_str(text: &str) -> Result<Self, BindError> {
        let read = |t: &str| t.trim().parse::<IpAddr>().ok();
        let range = || {
            let Some((first, last)) = text.split_once('-') else {
                return Self::new(read(text)?, 1);
            };
            let (first, last) = (read(first)?, read(last)?);
            let count = number(last).checked_sub(number(first))?.checked_add(1)?;
            if first.is_ipv4() != last.is_ipv4() {
                return None;
            }
            Self::new(first, u32::try_from(count).ok()?)
        };
        range().ok_or_else(|| BindError(text.to_owned()))
    }
}

impl fmt::Display for BindRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        if self.count > 1 {
            write!(f, "-{}", self.nth(u64::from(self.count) - 1))?;
        }
        Ok(())
    }
}

impl TryFrom<String> for BindRange {
    type Error = BindError;

    fn try_from(text: String) -> Result<Self, BindError> {
        text.parse()
    }
}

impl From<BindRange> for String {
    fn from(range: BindRange) -> Self {
        range.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_read_and_show_alike_and_are_taken_in_turn() {
        for text in ["127.0.0.1", "127.0.0.250-127.0.1.5", "::1", "fd00::1-fd00::ff"] {
            let range: BindRange = text.parse().unwrap();
            assert_eq!(range.to_string(), text);
        }
        let ranges: Vec<BindRange> = ["127.0.0.2-127.0.0.3", "127.0.1.1"]
            .iter()
            .map(|t| t.parse().unwrap())
            .collect();
        let taken: Vec<String> = (0..4)
            .map(|i| BindRange::nth_of(&ranges, i).unwrap().to_string())
            .collect();
        assert_eq!(taken, ["127.0.0.2", "127.0.0.3", "127.0.1.1", "127.0.0.2"]);
        assert_eq!(BindRange::nth_of(&[], 1), None);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "x",
            "127.0.0.5-127.0.0.1",
            "127.0.0.1-::1",
            "10.0.0.0-10.2.0.0",
            "::-ffff::",
        ] {
            let message = text.parse::<BindRange>().unwrap_err().to_string();
            assert!(
                message.contains("a range such as 127.0.0.1-127.0.0.8"),
                "{message}"
            );
        }
    }
}
