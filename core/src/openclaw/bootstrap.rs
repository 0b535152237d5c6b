//! Setup codes that a gateway has issued: good once, for ten minutes, for one device.

use super::scopes::{Role, Scopes};
use super::wire::ClientInfo;
use crate::secret::Secret;
use crate::time::Instant;
use std::time::Duration;

/// How long a setup code is good.
pub(super) const LIFETIME: Duration = Duration::from_secs(600);
/// Setup codes that may be open at once.
const MAX_OPEN: usize = 10_000;

/// What a setup code is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetupProfile {
    /// A node host.
    Node,
    /// A phone: a node, and an operator with all scopes but pairing.
    #[default]
    Full,
}

impl SetupProfile {
    /// The profile that `device.pair.setupCode` calls so; without a name it is the fullest.
    pub fn from_name(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("full") => Some(Self::Full),
            Some("node") => Some(Self::Node),
            Some(_) => None,
        }
    }

    /// The word for what it gives access to.
    pub const fn access(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Full => "full",
        }
    }

    /// Roles that the device gets, with their scopes.
    pub(super) fn grants(self) -> Vec<(Role, Scopes)> {
        let operator = Scopes::of(&[
            "operator.admin",
            "operator.approvals",
            "operator.questions",
            "operator.read",
            "operator.talk.secrets",
            "operator.write",
        ]);
        match self {
            Self::Node => vec![(Role::Node, Scopes::NONE)],
            Self::Full => vec![(Role::Node, Scopes::NONE), (Role::Operator, operator)],
        }
    }

    /// Whether such a client is let in by the code alone; any other one waits for approval as well.
    pub(super) fn admits(self, client: &ClientInfo, role: Role, scopes: Scopes) -> bool {
        let platform = client.platform.trim().to_ascii_lowercase();
        let family = client.device_family.as_deref().unwrap_or_default();
        let family = family.trim().to_ascii_lowercase();
        let is = |names: [&str; 3]| names.iter().any(|name| platform.starts_with(name));
        let fits = match self {
            Self::Node => client.id == "node-host",
            Self::Full => match client.id.as_str() {
                "openclaw-ios" => {
                    is(["ios", "ipados", "ios"]) && ["iphone", "ipad", "ios"].contains(&&*family)
                }
                "openclaw-android" => platform.starts_with("android") && family == "android",
                _ => false,
            },
        };
        fits && role == Role::Node && scopes == Scopes::NONE && client.mode == "node"
    }
}

#[derive(Debug)]
struct Open {
    token: Secret,
    until: Instant,
    profile: SetupProfile,
    /// The device that showed it first; nobody else may.
    device_id: Option<Box<str>>,
}

/// The codes that are not used up yet.
#[derive(Debug, Default)]
pub(super) struct Bootstraps(Vec<Open>);

impl Bootstraps {
    /// A new code's token is `token`. The oldest makes room where too many are open.
    pub fn issue(&mut self, now: Instant, token: Secret, profile: SetupProfile) {
        self.0.retain(|open| open.until > now);
        if self.0.len() >= MAX_OPEN {
            self.0.remove(0);
        }
        self.0.push(Open {
            token,
            until: now + LIFETIME,
            profile,
            device_id: None,
        });
    }

    /// What the code that a device shows is for; from then on it is this device's. It is not used up by that: a device that
    /// has to wait for approval shows it again.
    pub fn show(&mut self, now: Instant, token: &str, device_id: &str) -> Option<SetupProfile> {
        let open = self
            .0
            .iter_mut()
            .find(|open| open.token.expose() == token && open.until > now)?;
        let owner = open.device_id.get_or_insert_with(|| device_id.into());
        (&**owner == device_id).then_some(open.profile)
    }

    /// The code has let its device in.
    pub fn redeem(&mut self, token: &str) {
        self.0.retain(|open| open.token.expose() != token);
    }
}
