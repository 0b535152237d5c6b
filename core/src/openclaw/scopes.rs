//! Roles and operator scopes as small values.

use serde::{Serialize, Serializer};

/// What a session may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A person or program that uses the gateway.
    Operator,
    /// A device that the gateway uses.
    Node,
}

impl Role {
    /// Both roles.
    pub const ALL: [Self; 2] = [Self::Operator, Self::Node];

    /// The role of that name, `operator` if none is given.
    pub fn from_name(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("operator") => Some(Self::Operator),
            Some("node") => Some(Self::Node),
            Some(_) => None,
        }
    }

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Node => "node",
        }
    }
}

const NAMES: [&str; 8] = [
    "operator.read",
    "operator.write",
    "operator.admin",
    "operator.approvals",
    "operator.questions",
    "operator.pairing",
    "operator.talk",
    "operator.talk.secrets",
];

/// A set of operator scopes. Names that are not known are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// No scope.
    pub const NONE: Self = Self(0);
    /// `operator.read`.
    pub const READ: Self = Self(1);
    /// `operator.write`.
    pub const WRITE: Self = Self(2);
    /// `operator.admin`.
    pub const ADMIN: Self = Self(4);
    /// `operator.pairing`.
    pub const PAIRING: Self = Self(32);

    /// The set of those names.
    pub fn of<S: AsRef<str>>(names: &[S]) -> Self {
        let bits = NAMES
            .iter()
            .enumerate()
            .filter(|(_, known)| names.iter().any(|name| name.as_ref() == **known))
            .fold(0, |bits, (i, _)| bits | 1 << i);
        Self(bits)
    }

    /// Whether every scope of `asked` is in this set.
    pub const fn covers(self, asked: Self) -> bool {
        asked.0 & !self.0 == 0
    }

    /// Whether a session with these scopes may do what needs `needed`: admin may do everything, write implies read.
    pub const fn allow(self, needed: Self) -> bool {
        let implied = if self.0 & Self::WRITE.0 != 0 {
            Self::READ.0
        } else {
            0
        };
        self.0 & Self::ADMIN.0 != 0 || Self(self.0 | implied).covers(needed)
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The names in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES
            .into_iter()
            .enumerate()
            .filter(move |(i, _)| self.0 >> i & 1 == 1)
            .map(|(_, name)| name)
    }

    /// How many there are.
    pub const fn count(self) -> u32 {
        self.0.count_ones()
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_keep_their_names_and_imply_what_they_should() {
        let scopes = Scopes::of(&["operator.write", "operator.pairing", "operator.unheard-of"]);
        assert_eq!(
            scopes.names().collect::<Vec<_>>(),
            ["operator.write", "operator.pairing"]
        );
        assert!(scopes.allow(Scopes::READ) && scopes.allow(Scopes::PAIRING));
        assert!(!scopes.allow(Scopes::ADMIN) && !scopes.covers(Scopes::READ));
        assert!(Scopes::ADMIN.allow(Scopes::PAIRING.with(Scopes::WRITE)));
        assert_eq!(Scopes::READ, Scopes::of(&["operator.read"]));
        assert_eq!(Scopes::PAIRING, Scopes::of(&["operator.pairing"]));
    }
}
