//! Wire versions (protocol page, Versions).

/// The two versions of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WireVersion {
    /// 2.1: heartbeats without `token_id`.
    V2_1,
    /// 2.2: heartbeats must carry it.
    #[default]
    V2_2,
}

impl WireVersion {
    /// The subprotocol that a client of this version offers.
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::V2_1 => "clw.auth.v1",
            Self::V2_2 => "clw.auth.v2",
        }
    }

    /// The subprotocols to offer in the upgrade.
    pub const fn offers(self) -> &'static [&'static str] {
        match self {
            Self::V2_1 => &["clw.auth.v1"],
            Self::V2_2 => &["clw.auth.v2"],
        }
    }

    /// A release that speaks this version (2.1.4 is the article's).
    pub const fn release(self) -> &'static str {
        match self {
            Self::V2_1 => "2.1.4",
            Self::V2_2 => "2.2.0",
        }
    }

    /// The version that a release speaks: its first two numbers. Later 2.x speak 2.2; `None` for what is not 2.1 or later
    /// within 2.
    pub fn of_release(release: &str) -> Option<Self> {
        let mut numbers = release.split('.');
        let (Some("2"), Some(minor)) = (numbers.next(), numbers.next()) else {
            return None;
        };
        match minor.parse::<u32>().ok()? {
            0 => None,
            1 => Some(Self::V2_1),
            _ => Some(Self::V2_2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_tells_its_wire_version() {
        for version in [WireVersion::V2_1, WireVersion::V2_2] {
            assert_eq!(WireVersion::of_release(version.release()), Some(version));
            assert_eq!(version.offers(), [version.subprotocol()]);
        }
        assert_eq!(WireVersion::of_release("2.3.0-beta"), Some(WireVersion::V2_2));
        for other in ["", "2", "2.0.9", "1.9.0", "3.0.0", "2.x", "v2.1"] {
            assert_eq!(WireVersion::of_release(other), None, "{other}");
        }
    }
}
