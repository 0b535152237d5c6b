//! What is measured.

/// How many calls of a scenario have histograms of their own; further ones are counted without.
pub const MAX_CALLS: usize = 100;

/// A duration that a worker records. Stage times run from the stage before; the others say where they start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// From the connect call to the connection.
    TcpConnect,
    /// The TLS handshake.
    Tls,
    /// From the upgrade request to the 101.
    Upgrade,
    /// From the 101 to the server's challenge.
    Challenge,
    /// From the first message of the client to the server's acceptance.
    Auth,
    /// Response time: from the instant the session was *scheduled* to start until it was ready.
    Ready,
    /// Service time: from the connect call until the session was ready.
    ReadyService,
    /// From a heartbeat to its answer.
    HeartbeatRtt,
    /// Between two heartbeats (ticks) of the server.
    TickGap,
    /// From the loss of a ready connection until the session was ready again.
    TimeToReady,
    /// From the instant a session was scheduled to start until the generator started it.
    ScheduleLag,
    /// Call number n of the scenario: from its scheduled instant to its answer.
    Rpc(u16),
    /// Call number n of the scenario: from the instant it was sent to its answer.
    RpcService(u16),
}

impl Metric {
    /// The metrics that every run has, in the order of [`Metric::fixed_index`].
    pub const FIXED: [Self; 11] = [
        Self::TcpConnect,
        Self::Tls,
        Self::Upgrade,
        Self::Challenge,
        Self::Auth,
        Self::Ready,
        Self::ReadyService,
        Self::HeartbeatRtt,
        Self::TickGap,
        Self::TimeToReady,
        Self::ScheduleLag,
    ];

    /// Position in [`Metric::FIXED`]; `None` for calls.
    pub const fn fixed_index(self) -> Option<usize> {
        Some(match self {
            Self::TcpConnect => 0,
            Self::Tls => 1,
            Self::Upgrade => 2,
            Self::Challenge => 3,
            Self::Auth => 4,
            Self::Ready => 5,
            Self::ReadyService => 6,
            Self::HeartbeatRtt => 7,
            Self::TickGap => 8,
            Self::TimeToReady => 9,
            Self::ScheduleLag => 10,
            Self::Rpc(_) | Self::RpcService(_) => return None,
        })
    }

    /// The name used in snapshots and results. Calls add theirs: `rpc.health`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TcpConnect => "tcp_connect",
            Self::Tls => "tls",
            Self::Upgrade => "upgrade",
            Self::Challenge => "challenge",
            Self::Auth => "auth",
            Self::Ready => "ready",
            Self::ReadyService => "ready_service",
            Self::HeartbeatRtt => "heartbeat_rtt",
            Self::TickGap => "tick_gap",
            Self::TimeToReady => "time_to_ready",
            Self::ScheduleLag => "schedule_lag",
            Self::Rpc(_) => "rpc",
            Self::RpcService(_) => "rpc_service",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_metrics_know_their_place() {
        for (i, metric) in Metric::FIXED.into_iter().enumerate() {
            assert_eq!(metric.fixed_index(), Some(i), "{metric:?}");
        }
        assert_eq!(Metric::Rpc(3).fixed_index(), None);
    }
}
