//! Arrays of counters as JSON maps that name what is not zero.

use crate::Stage;
use crate::verdict::{ResetClass, Verdict};
use serde::de::{MapAccess, Visitor};
use serde::{Deserializer, Serializer};
use std::fmt;
use std::marker::PhantomData;

/// Something that an array of counters is indexed by.
pub(crate) trait Key: Sized {
    /// Its name in JSON.
    fn name(index: usize) -> &'static str;
    /// The index of a name; `None` for names of a later release.
    fn index(name: &str) -> Option<usize>;
}

macro_rules! key {
    ($type:ty) => {
        impl Key for $type {
            fn name(index: usize) -> &'static str {
                <$type>::ALL.get(index).map_or("?", |key| key.name())
            }

            fn index(name: &str) -> Option<usize> {
                <$type>::ALL.iter().position(|key| key.name() == name)
            }
        }
    };
}
key!(Verdict);
key!(Stage);
key!(ResetClass);

fn write<K: Key, S: Serializer>(counts: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
    let named = counts.iter().enumerate().filter(|&(_, &count)| count > 0);
    serializer.collect_map(named.map(|(i, count)| (K::name(i), count)))
}

fn read<'de, K: Key, const N: usize, D: Deserializer<'de>>(deserializer: D) -> Result<[u64; N], D::Error> {
    struct Map<K, const N: usize>(PhantomData<K>);
    impl<'de, K: Key, const N: usize> Visitor<'de> for Map<K, N> {
        type Value = [u64; N];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("counts by name")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<[u64; N], A::Error> {
            let mut counts = [0_u64; N];
            while let Some((name, count)) = map.next_entry::<String, u64>()? {
                if let Some(own) = K::index(&name).and_then(|i| counts.get_mut(i)) {
                    *own = own.saturating_add(count);
                }
            }
            Ok(counts)
        }
    }
    deserializer.deserialize_map(Map::<K, N>(PhantomData))
}

macro_rules! module {
    ($module:ident, $key:ty, $text:literal) => {
        #[doc = $text]
        pub(crate) mod $module {
            use super::{Deserializer, Serializer};
            pub(crate) fn serialize<S: Serializer>(counts: &[u64], s: S) -> Result<S::Ok, S::Error> {
                super::write::<$key, S>(counts, s)
            }
            pub(crate) fn deserialize<'de, const N: usize, D: Deserializer<'de>>(
                d: D,
            ) -> Result<[u64; N], D::Error> {
                super::read::<$key, N, D>(d)
            }
        }
    };
}
module!(verdicts, super::Verdict, "Counts by [`Verdict`].");
module!(stages, super::Stage, "Counts by [`Stage`].");
module!(resets, super::ResetClass, "Counts by [`ResetClass`].");
