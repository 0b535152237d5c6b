//! Close codes, counted.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// How many different codes are told apart. A peer chooses the code, so it must not choose our memory.
pub const MAX_CLOSE_CODES: usize = 64;

/// How often each close code ended a connection, with the pseudo codes 1005 (close frame without a code) and 1006 (no
/// close frame) as clients report them. Codes beyond the first [`MAX_CLOSE_CODES`] are counted as `other`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloseCodes {
    by_code: BTreeMap<u16, u64>,
    other: u64,
}

impl CloseCodes {
    /// Counts one close.
    pub fn count(&mut self, code: u16) {
        self.add(code, 1);
    }

    /// Counts `times` closes.
    pub fn add(&mut self, code: u16, times: u64) {
        if let Some(count) = self.by_code.get_mut(&code) {
            *count = count.saturating_add(times);
        } else if times > 0 && self.by_code.len() < MAX_CLOSE_CODES {
            self.by_code.insert(code, times);
        } else {
            self.other = self.other.saturating_add(times);
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (code, times) in other.iter() {
            self.add(code, times);
        }
        self.other = self.other.saturating_add(other.other);
    }

    /// How often `code` came.
    pub fn get(&self, code: u16) -> u64 {
        self.by_code.get(&code).copied().unwrap_or(0)
    }

    /// All codes that came, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u64)> {
        self.by_code.iter().map(|(&code, &count)| (code, count))
    }

    /// Closes with codes beyond the limit.
    pub const fn other(&self) -> u64 {
        self.other
    }

    /// Whether none was counted.
    pub fn is_empty(&self) -> bool {
        self.by_code.is_empty() && self.other == 0
    }
}

impl Serialize for CloseCodes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let other = (self.other > 0).then(|| ("other".to_owned(), self.other));
        serializer.collect_map(self.iter().map(|(code, n)| (code.to_string(), n)).chain(other))
    }
}

impl<'de> Deserialize<'de> for CloseCodes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = CloseCodes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("counts by close code")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CloseCodes, A::Error> {
                let mut codes = CloseCodes::default();
                while let Some((code, times)) = map.next_entry::<String, u64>()? {
                    match code.parse() {
                        Ok(code) => codes.add(code, times),
                        Err(_) => codes.other = codes.other.saturating_add(times),
                    }
                }
                Ok(codes)
            }
        }
        deserializer.deserialize_map(Map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_invents_codes_does_not_take_memory() {
        let mut codes = CloseCodes::default();
        (3000..5000).for_each(|code| codes.count(code));
        codes.count(3000);
        assert_eq!(codes.iter().count(), MAX_CLOSE_CODES);
        assert_eq!(codes.get(3000), 2);
        assert_eq!(codes.other(), 2000 - MAX_CLOSE_CODES as u64);
        let json = serde_json::to_string(&codes).unwrap();
        assert_eq!(serde_json::from_str::<CloseCodes>(&json).unwrap(), codes);
    }
}
