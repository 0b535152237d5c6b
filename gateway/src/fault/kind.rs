//! What can go wrong.

use clw_core::clawchat::RefreshFault;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A fault with its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Kind {
    /// The challenge comes so late.
    ChallengeDelay(Duration),
    /// No challenge.
    NoChallenge,
    /// The login is neither asked for nor heard, and the handshake timeout is this.
    HandshakeTimeout(Duration),
    /// HTTP answer other than 101.
    UpgradeStatus(u16),
    /// Bytes that are no HTTP instead of the 101.
    Garbage,
    /// At most so many sockets that are not ready, counting the one that asks.
    Budget(u32),
    /// The login is refused as overloaded.
    Overload,
    /// Refused as locked out.
    RateLimit,
    /// Refused until approved.
    Pairing,
    /// Refused credentials.
    AuthFailed,
    /// Refused versions.
    VersionMismatch,
    /// Refused as starting.
    Unavailable,
    /// Refused as restarting: what a client meets while the gateway restarts.
    Restarting,
    /// Token lifetime.
    TokenExpire(Duration),
    /// Refreshes are refused.
    RefuseRefresh,
    /// The service that knows the tokens is down (ClawChat).
    AuthDown,
    /// What the refresh endpoint does (ClawChat).
    Refresh(RefreshFault),
    /// The refresh endpoint answers so late (ClawChat).
    RefreshDelay(Duration),
    /// The server sends no ws pings.
    PingStop,
    /// TLS is closed before its handshake is done.
    TlsClose,
    /// Devices wait for approval, on the gateway's own host too.
    Approval,
    /// The shared token changes when the gateway has run for so long.
    RotateToken(Duration),
    /// All device tokens are revoked then.
    RevokeTokens(Duration),
    /// The gateway restarts then, and has forgotten all devices.
    ForgetDevices(Duration),
    /// Nothing listens.
    NotListening,
    /// SYNs are not answered.
    SynDrop,
    /// Something that happens at a moment.
    At(Action),
}

impl Kind {
    /// Whether `@MOMENT` says when it happens.
    pub const fn has_moment(&self) -> bool {
        matches!(self, Self::At(_))
    }

    /// Whether it concerns the port, and so all sessions.
    pub const fn is_global(&self) -> bool {
        matches!(self, Self::NotListening | Self::SynDrop) || self.is_of_the_gateway()
    }

    /// Whether it is something that the gateway as a whole does, and no connection by itself.
    pub const fn is_of_the_gateway(&self) -> bool {
        matches!(
            self,
            Self::Approval | Self::RotateToken(_) | Self::RevokeTokens(_) | Self::ForgetDevices(_)
        )
    }
}

/// What happens to a connection at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// RST.
    Rst,
    /// FIN without a close frame.
    Fin,
    /// FIN of the sending side only; goes on reading.
    HalfClose,
    /// Reads and writes no more.
    Silence,
    /// A close frame.
    Close(u16, String),
    /// A close frame without a code.
    Kick,
    /// Another connection of the device takes over (ClawChat).
    Replace,
    /// A frame with a reserved opcode.
    Malformed,
    /// A text that is no UTF-8.
    BadUtf8,
    /// The head of a frame of so many bytes, and its first 64 KiB.
    Oversized(u64),
    /// No more ticks.
    TickStall,
    /// Client pings are not answered any more.
    PongLoss,
    /// The client's AUTH_PING datagrams are lost on their way (CLW).
    UdpPingLoss,
    /// The AUTH_PONG datagrams are lost on their way (CLW).
    UdpPongLoss,
    /// The event loop stands still for the first duration, for everybody; with a second one, again after each of these.
    Stall(Duration, Option<Duration>),
    /// The gateway says that it restarts.
    Restart,
    /// Authority is withdrawn.
    Revoke,
    /// The device's token for the session's role is revoked.
    RevokeDevice,
    /// The client counts as too slow a reader.
    SlowConsumer,
    /// Requests are not answered any more.
    Mute,
}

impl Action {
    /// Whether it is said in frames, and so needs a WebSocket.
    pub const fn needs_websocket(&self) -> bool {
        !matches!(
            self,
            Self::Rst | Self::Fin | Self::HalfClose | Self::Silence | Self::Stall(..)
        )
    }
}
