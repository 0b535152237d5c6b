//! Histograms by name, as snapshots and results carry them.

use super::Histogram;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// How many histograms a snapshot or a result may carry. A text of some fifty bytes becomes 190 KB in memory, so
/// somebody else's file must not choose the number.
pub const MAX_HISTOGRAMS: usize = 256;

/// Histograms by metric name. Empty ones are left out, so equal recordings compare equal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Named(BTreeMap<Box<str>, Histogram>);

impl Named {
    /// None yet.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds all values of `histogram` to the one called `name`. A name too many is left out.
    pub fn merge_one(&mut self, name: &str, histogram: &Histogram) {
        if histogram.is_empty() {
            return;
        }
        if let Some(own) = self.0.get_mut(name) {
            own.merge(histogram);
        } else if self.0.len() < MAX_HISTOGRAMS {
            self.0.insert(name.into(), histogram.clone());
        }
    }

    /// Moves a histogram in, without a copy where the name is new.
    pub fn insert(&mut self, name: &str, histogram: Histogram) {
        if self.0.contains_key(name) {
            self.merge_one(name, &histogram);
        } else if !histogram.is_empty() && self.0.len() < MAX_HISTOGRAMS {
            self.0.insert(name.into(), histogram);
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (name, histogram) in &other.0 {
            self.merge_one(name, histogram);
        }
    }

    /// The histogram called `name`, if it has values.
    pub fn get(&self, name: &str) -> Option<&Histogram> {
        self.0.get(name)
    }

    /// The summary of the histogram called `name`; zeros if it has no values.
    pub fn summary(&self, name: &str) -> super::Summary {
        self.get(name).map(Histogram::summary).unwrap_or_default()
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Histogram)> {
        self.0.iter().map(|(name, histogram)| (&**name, histogram))
    }

    /// Whether no histogram has values.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Named;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("histograms by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named, A::Error> {
                let mut named = Named::new();
                let mut read = 0_usize;
                while let Some((name, histogram)) = map.next_entry::<Box<str>, Histogram>()? {
                    read += 1;
                    if read > MAX_HISTOGRAMS {
                        return Err(A::Error::custom(format_args!(
                            "more than {MAX_HISTOGRAMS} histograms"
                        )));
                    }
                    named.insert(&name, histogram);
                }
                Ok(named)
            }
        }
        deserializer.deserialize_map(Map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_histograms_than_a_run_has_are_refused() {
        let mut one = Histogram::new();
        one.record_us(5);
        let text = one.to_base64();
        let line = |count: usize| {
            let map: BTreeMap<String, &str> = (0..count).map(|i| (format!("h{i}"), &*text)).collect();
            serde_json::to_string(&map).unwrap()
        };
        assert!(serde_json::from_str::<Named>(&line(MAX_HISTOGRAMS)).is_ok());
        let error = serde_json::from_str::<Named>(&line(MAX_HISTOGRAMS + 1)).unwrap_err();
        assert!(error.to_string().contains("more than 256 histograms"), "{error}");
    }

    #[test]
    fn empty_histograms_leave_no_trace() {
        let mut named = Named::new();
        named.insert("a", Histogram::new());
        named.merge_one("b", &Histogram::new());
        assert!(named.is_empty());
        assert_eq!(named.summary("a"), crate::histogram::Summary::default());
    }
}
