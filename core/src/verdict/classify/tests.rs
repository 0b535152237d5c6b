//! One test a rule and one a careful point, as tables.

mod before_ready;
mod live;

use super::{classify, counts_as_error};
use crate::verdict::{
    CloseFrame, Connect, Disconnect, EndingKind, HeartbeatLoss, Observation, Refusal, RefusalClass,
    ResetClass, Side, Verdict, Viewpoint, Violation,
};
use crate::{Dialect, Stage};
use std::time::Duration;

use Dialect::{Clawchat, Clw, Openclaw};
use Side::{Client, Server};
use Stage::{Auth, Challenge, Ready, Upgrade};

fn at(dialect: Dialect, stage: Stage) -> Observation {
    Observation {
        dialect,
        stage,
        duration: Duration::from_millis(400),
        ..Observation::default()
    }
}

fn closed(
    dialect: Dialect,
    stage: Stage,
    by: Side,
    code: impl Into<Option<u16>>,
    reason: &str,
) -> Observation {
    Observation {
        close: Some(CloseFrame {
            by,
            code: code.into(),
            reason: reason.to_owned(),
        }),
        ending: EndingKind::Fin,
        ended_by: by,
        ..at(dialect, stage)
    }
}

fn cut(dialect: Dialect, stage: Stage, ending: EndingKind, by: Side) -> Observation {
    Observation {
        ending,
        ended_by: by,
        ..at(dialect, stage)
    }
}

fn disconnected(stage: Stage, reason: Disconnect) -> Observation {
    Observation {
        disconnect: Some(reason),
        ..cut(Clw, stage, EndingKind::Fin, Server)
    }
}

fn refused(class: RefusalClass) -> Observation {
    Observation {
        refusal: Some(Refusal {
            class,
            code: "CODE".to_owned(),
            message: String::new(),
        }),
        ..cut(Openclaw, Auth, EndingKind::Fin, Server)
    }
}

#[track_caller]
fn gives(seen: &Observation, verdict: Verdict) {
    let judgement = classify(seen);
    assert_eq!(judgement.verdict, verdict, "{seen:#?}");
    assert!((0.0..=1.0).contains(&judgement.confidence), "{judgement:?}");
}
