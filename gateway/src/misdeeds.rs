//! The faults of one connection: what is still to happen to it, and what the server did, so that it can own up to it.

use crate::fault::{Action, FaultSpec, Kind, Moment};
use clw_core::Stage;
use clw_core::time::Instant;
use clw_core::verdict::{EndingKind, HeartbeatLoss, Observation, Side, Violation};
use std::time::Duration;

/// A fault that happens at a moment.
#[derive(Debug)]
struct Due {
    action: Action,
    moment: Moment,
    delay: Duration,
    at: Option<Instant>,
}

/// What goes wrong with one connection. Connections without faults have none of these.
#[derive(Debug, Default)]
pub(crate) struct Misdeeds {
    due: Vec<Due>,
    /// How its login is treated.
    pub(crate) rules: Vec<Kind>,
    /// While the server is silent: when to look next whether the client has gone.
    pub(crate) silent: Option<Instant>,
    /// Nothing is written any more.
    pub(crate) is_mute: bool,
    /// FIN was sent, reading goes on.
    pub(crate) half_closed: bool,
    /// The server stopped its part of the heartbeats.
    heartbeats_stopped: Option<Instant>,
    /// The server broke the protocol before the client could say so with a close code.
    violation: Option<&'static str>,
}

impl Misdeeds {
    /// `None` if there are no faults.
    pub(crate) fn new(faults: Vec<FaultSpec>) -> Option<Box<Self>> {
        if faults.is_empty() {
            return None;
        }
        let mut misdeeds = Box::new(Self::default());
        for fault in faults {
            match fault.kind {
                Kind::At(action) => misdeeds.due.push(Due {
                    action,
                    moment: fault.moment,
                    delay: fault.delay,
                    at: None,
                }),
                kind => misdeeds.rules.push(kind),
            }
        }
        Some(misdeeds)
    }

    /// Whether something happens when the login comes.
    pub(crate) fn is_cut_at_auth(&self) -> bool {
        self.due.iter().any(|due| due.moment == Moment::Auth)
    }

    /// Whether this rule holds.
    pub(crate) fn has(&self, rule: &Kind) -> bool {
        self.rules.contains(rule)
    }

    /// The session entered a stage: what waits for it gets its instant.
    pub(crate) fn entered(&mut self, stage: Stage, now: Instant) {
        let moment = match stage {
            Stage::Tcp => Moment::Accept,
            Stage::Tls => return,
            Stage::Upgrade => Moment::Upgrade,
            Stage::Challenge => Moment::Challenge,
            Stage::Auth => Moment::Auth,
            Stage::Ready => Moment::Ready,
        };
        for due in &mut self.due {
            if due.moment == moment && due.at.is_none() {
                due.at = Some(now + due.delay);
            }
        }
    }

    /// When something happens next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due.iter().filter_map(|due| due.at).chain(self.silent).min()
    }

    /// The earliest thing that has to happen by now.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Action> {
        let (index, _) = self
            .due
            .iter()
            .enumerate()
            .filter(|(_, due)| due.at.is_some_and(|at| at <= now))
            .min_by_key(|(_, due)| due.at)?;
        Some(self.due.remove(index).action)
    }

    /// The server's part of the heartbeats ends now.
    pub(crate) fn stopped_heartbeats(&mut self, now: Instant) {
        self.heartbeats_stopped.get_or_insert(now);
    }

    /// The server breaks the protocol.
    pub(crate) fn violated(&mut self, what: &'static str) {
        self.violation = Some(what);
    }

    /// Owns up: adds to what the server saw of the session what it did to it.
    pub(crate) fn confess(&self, accepted: Instant, seen: &mut Observation) {
        if let Some(what) = self.violation {
            seen.violation = Some(Violation {
                by: Side::Server,
                what: what.to_owned(),
            });
        }
        if self.half_closed && seen.ending != EndingKind::Open {
            (seen.ending, seen.ended_by) = (EndingKind::Fin, Side::Server);
        }
        // A client that leaves without a word after the server fell silent missed its heartbeats.
        let abrupt = seen.close.is_none() && !seen.logged_out && seen.ended_by == Side::Client;
        if let Some(since) = self.heartbeats_stopped
            && abrupt
            && seen.stage == Stage::Ready
            && seen.ending != EndingKind::Open
        {
            let lasted = seen.duration.saturating_sub(since - accepted);
            seen.heartbeat_loss = Some(HeartbeatLoss {
                missing_from: Side::Server,
                silence: lasted,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clw_core::verdict::{Verdict, classify};

    fn faults(text: &str) -> Misdeeds {
        *Misdeeds::new(FaultSpec::parse(text, clw_core::Dialect::Openclaw).unwrap()).unwrap()
    }

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn a_fault_waits_for_its_moment_and_then_for_its_delay() {
        let mut misdeeds = faults("rst@ready+1s");
        misdeeds.entered(Stage::Auth, at(10));
        assert_eq!(misdeeds.deadline(), None);
        misdeeds.entered(Stage::Ready, at(20));
        assert_eq!(misdeeds.deadline(), Some(at(1020)));
        assert_eq!(misdeeds.take_due(at(1019)), None);
        assert_eq!(misdeeds.take_due(at(1020)), Some(Action::Rst));
        assert_eq!(misdeeds.take_due(at(5000)), None);
    }

    #[test]
    fn a_client_that_leaves_a_silent_server_missed_its_heartbeats() {
        let mut misdeeds = faults("silence");
        misdeeds.stopped_heartbeats(at(1000));
        let mut seen = Observation {
            stage: Stage::Ready,
            duration: Duration::from_secs(5),
            ending: EndingKind::Fin,
            ended_by: Side::Client,
            ..Observation::default()
        };
        misdeeds.confess(at(0), &mut seen);
        assert_eq!(classify(&seen).verdict, Verdict::HeartbeatMiss);
        assert_eq!(seen.heartbeat_loss.unwrap().silence, Duration::from_secs(4));
    }

    #[test]
    fn no_faults_are_no_allocation() {
        assert!(Misdeeds::new(Vec::new()).is_none());
    }
}
