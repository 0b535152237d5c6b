//! What the bytes of a connection told: filled in by the dialects, judged later.

use super::beats::Beats;
use super::beside::Beside;
use clw_core::verdict::{Disconnect, Refusal, Side, Violation};
use clw_core::{Dialect, Stage};

/// Open requests remembered; past it the oldest is forgotten.
const MAX_PENDING: usize = 256;
/// Answers remembered whose requests were not read.
const MAX_EARLY: usize = 16;
/// Texts of a peer are kept up to so many characters.
const MAX_TEXT_CHARS: usize = 200;

/// The first close frame, and what the other side answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// Who sent the first one; `Unknown` where the other side's may have come before and was not captured.
    pub by: Side,
    /// It answers, or may answer, a close frame that was not captured.
    pub is_echo: bool,
    /// Its code was not captured.
    pub is_cut: bool,
    /// Its code; `None` for an empty body.
    pub code: Option<u16>,
    /// Its reason.
    pub reason: String,
    /// In which frame of the capture.
    pub frame: u64,
    /// When.
    pub at_ns: u64,
    /// The other side's close frame: its code.
    pub echo: Option<Option<u16>>,
}

/// Who a session is, without its secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// `operator`, `node` …
    pub role: Option<String>,
    /// The client's own name for itself.
    pub client_id: Option<String>,
    /// The client's release.
    pub client_version: Option<String>,
    /// The server's release.
    pub server_version: Option<String>,
    /// The protocol agreed on, or offered.
    pub protocol: Option<String>,
    /// Kinds of credential sent: `token`, `password`, `device` …
    pub auth: Vec<&'static str>,
}

/// The upgrade.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Http {
    /// Request method.
    pub method: String,
    /// Request target, without its query: that may hold a token.
    pub path: String,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// `X-Forwarded-For` and the like.
    pub forwarded_for: Option<String>,
    /// Status of the answer.
    pub status: Option<u16>,
}

/// What TLS told of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFacts {
    /// What failed, in words.
    pub failure: Option<String>,
    /// Its handshake was done.
    pub is_done: bool,
    /// The first close_notify: when, in which frame, whose.
    pub close_notify: Option<(u64, u64, Side)>,
    /// Why nothing is decrypted.
    pub no_keys: Option<String>,
}

/// Everything that was said. What few sessions have, and each of them at its end only, is boxed.
#[derive(Debug)]
pub struct Facts {
    /// What is spoken; `Unknown` until something tells.
    pub dialect: Dialect,
    /// The furthest stage.
    pub stage: Stage,
    /// The upgrade.
    pub http: Option<Http>,
    /// When the 101 came.
    pub upgraded_ns: Option<u64>,
    /// When the challenge came.
    pub challenged_ns: Option<u64>,
    /// When the client's first message came.
    pub first_message_ns: Option<u64>,
    /// When the server accepted the client.
    pub ready_ns: Option<u64>,
    /// When the request for the upgrade came.
    pub requested_ns: Option<u64>,
    /// Who the client is.
    pub identity: Identity,
    /// The refusal told before ready.
    pub refusal: Option<Box<Refusal>>,
    /// The first close frame.
    pub close: Option<Box<Close>>,
    /// CLW DISCONNECT_AUTH.
    pub disconnect: Option<Disconnect>,
    /// CLW AUTH_LOGOUT.
    pub logged_out: bool,
    /// An announced shutdown: whether a restart follows.
    pub shutdown_announced: Option<bool>,
    /// The last refresh of the token was refused, or it ran out at this time.
    pub token_expires_ns: Option<u64>,
    /// Protocol broken.
    pub violation: Option<Box<Violation>>,
    /// Protocol broken in a way that the peer may have forgiven.
    pub forgiven: Option<&'static str>,
    /// The user agent is a helper's.
    pub helper: bool,
    /// Heartbeats.
    pub beats: Beats,
    /// CLW: heartbeats as datagrams, once they were offered.
    pub beside: Option<Box<Beside>>,
    /// TLS, where it told anything.
    pub tls: Option<Box<TlsFacts>>,
    /// The capture begins after the upgrade.
    pub began_in_the_middle: bool,
    /// Bytes that were missing where they mattered.
    pub lost_framing: bool,
    /// Frames were lost at some time, and perhaps found again.
    pub has_holes: bool,
    /// A whole message was of no dialect that is known.
    pub is_foreign: bool,
    /// What a server that refused the upgrade said.
    pub http_says: Option<Box<str>>,
    pending: Vec<u64>,
    /// Answers whose requests were not read yet: a packet before those was lost.
    early: Option<Box<Early>>,
}

#[derive(Debug, Default)]
struct Early(Vec<u64>);

impl Facts {
    /// Nothing said yet.
    pub fn new(heartbeat_factor: f64) -> Self {
        Self {
            dialect: Dialect::Unknown,
            stage: Stage::Tcp,
            http: None,
            upgraded_ns: None,
            challenged_ns: None,
            first_message_ns: None,
            ready_ns: None,
            requested_ns: None,
            identity: Identity::default(),
            refusal: None,
            close: None,
            disconnect: None,
            logged_out: false,
            shutdown_announced: None,
            token_expires_ns: None,
            violation: None,
            forgiven: None,
            helper: false,
            beats: Beats::new(heartbeat_factor),
            beside: None,
            tls: None,
            began_in_the_middle: false,
            lost_framing: false,
            has_holes: false,
            is_foreign: false,
            http_says: None,
            pending: Vec::new(),
            early: None,
        }
    }

    /// The session got this far.
    pub fn reach(&mut self, stage: Stage) {
        self.stage = self.stage.max(stage);
    }

    /// Whether the server may have accepted the client without the capture showing it: traffic then tells.
    pub const fn may_have_missed_login(&self) -> bool {
        self.ready_ns.is_none() && (self.began_in_the_middle || self.has_holes)
    }

    /// The server accepted the client.
    pub fn ready(&mut self, at_ns: u64) {
        self.reach(Stage::Ready);
        self.ready_ns.get_or_insert(at_ns);
    }

    /// The client had left at `end_ns`: what the server said later changed nothing.
    pub fn forget_after(&mut self, end_ns: u64) {
        let is_late = |at_ns: &Option<u64>| at_ns.is_some_and(|at_ns| at_ns > end_ns);
        for (at_ns, stage) in [
            (&mut self.ready_ns, Stage::Auth),
            (&mut self.challenged_ns, Stage::Challenge),
            (&mut self.upgraded_ns, Stage::Upgrade),
        ] {
            if is_late(at_ns) {
                *at_ns = None;
                self.stage = self.stage.min(stage);
            }
        }
    }

    /// A request went out; `id` joins it with its answer.
    pub fn asked(&mut self, id: &str) {
        let id = fingerprint(id);
        if let Some(Early(early)) = self.early.as_deref_mut()
            && let Some(at) = early.iter().position(|early| *early == id)
        {
            early.swap_remove(at);
            return;
        }
        if self.pending.len() == MAX_PENDING {
            self.pending.remove(0);
        }
        self.pending.push(id);
    }

    /// Its answer came.
    pub fn answered(&mut self, id: &str) {
        let wanted = fingerprint(id);
        if let Some(at) = self.pending.iter().position(|pending| *pending == wanted) {
            self.pending.swap_remove(at);
            return;
        }
        let Early(early) = self.early.get_or_insert_default().as_mut();
        if early.len() < MAX_EARLY {
            early.push(wanted);
        }
    }

    /// Something of the server's could not be read: it may have been the answer to any request so far.
    pub fn may_be_answered(&mut self) {
        self.pending.clear();
    }

    /// Requests without an answer.
    pub fn pending_requests(&self) -> u32 {
        u32::try_from(self.pending.len()).unwrap_or(u32::MAX)
    }

    /// Somebody broke the protocol; the first time counts.
    pub fn broken(&mut self, by: Side, what: &str) {
        self.violation.get_or_insert_with(|| {
            Box::new(Violation {
                by,
                what: shorten(what),
            })
        });
    }
}

/// A text of a peer, cut to what is kept.
pub fn shorten(text: &str) -> String {
    // So many bytes are no more characters.
    if text.len() <= MAX_TEXT_CHARS {
        return text.to_owned();
    }
    text.chars().take(MAX_TEXT_CHARS).collect()
}

/// FNV-1a: ids need to be told apart within a connection only.
fn fingerprint(id: &str) -> u64 {
    id.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}
