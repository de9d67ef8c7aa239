//! What an event changes in the tables that pages read: a pure function here, the statements in `apply`.
//!
//! Invariant: a projection follows from the events of one run alone, in their order, so that runs can be rebuilt one
//! after the other. Sealed streams have no projections: what holdouts did is read from the stream itself, by people.

mod apply;
mod rebuild;

pub(crate) use apply::apply;
use jiff::Timestamp;
use model::{
    budget::Spend,
    event::{
        Body, Event,
        grade::{GateEvaluated, SuiteScored},
        run::Created,
    },
    flow::NodeKind,
    id::ActionId,
    verdict::Verdict,
};

/// One statement's worth of change.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) run: String,
    pub(crate) seq: u64,
    pub(crate) at: Timestamp,
    pub(crate) kind: ChangeKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ChangeKind {
    RunCreated(Box<Created>),
    RunClaimed {
        worker: String,
        epoch: u64,
    },
    RunParked {
        action: ActionId,
        question: String,
        choices: Vec<String>,
    },
    RunFinished {
        verdict: Verdict,
        reason: String,
        spent: Spend,
        at: Timestamp,
    },
    RunMoved {
        node: String,
        visit: Option<u32>,
    },
    /// The walk is at a build for the how-manieth time.
    RunBuilds {
        visit: u32,
    },
    /// An action ended: what it cost; and the question that it was, if it was one, is answered.
    RunSpent {
        action: ActionId,
        spent: Spend,
    },
    RunIterated {
        iteration: u32,
    },
    RunBranched {
        branch: String,
        commit: String,
    },
    RunTroubled,
    SuiteScored(SuiteScored),
    GateEvaluated(Box<GateEvaluated>),
}

/// Whether [`project`] has anything to say about it. Most events are an agent's turns, which it has not.
fn concerns(body: &Body) -> bool {
    match body {
        Body::RunCreated(_)
        | Body::RunClaimed(_)
        | Body::RunParked(_)
        | Body::RunFinished(_)
        | Body::NodeArrived(_)
        | Body::ActionScheduled(_)
        | Body::ActionFinished(_)
        | Body::BranchWritten(_)
        | Body::IncidentOpened(_)
        | Body::SuiteScored(_)
        | Body::GateEvaluated(_) => true,
        Body::ActionStarted(_)
        | Body::TreeHydrated(_)
        | Body::TreeExported(_)
        | Body::SessionStarted(_)
        | Body::SessionTold(_)
        | Body::TurnStarted(_)
        | Body::TurnReplied(_)
        | Body::TurnFailed(_)
        | Body::ToolCalled(_)
        | Body::ToolReturned(_)
        | Body::SessionEnded(_)
        | Body::CommandStarted(_)
        | Body::CommandPrinted(_)
        | Body::CommandExited(_)
        | Body::ControlProved(_)
        | Body::TrialFinished(_)
        | Body::FeedbackComposed(_)
        | Body::LeakCaught(_) => false,
    }
}

/// The changes that an event makes, in order.
pub(crate) fn project(event: &Event) -> Vec<Change> {
    if event.stream.is_sealed() || !concerns(&event.body) {
        return Vec::new();
    }
    let (run, seq, at) = (event.stream.as_str(), event.seq, event.recorded_at);
    kinds_of(&event.body).into_iter().map(|kind| Change { run: run.to_owned(), seq, at, kind }).collect()
}

fn kinds_of(body: &Body) -> Vec<ChangeKind> {
    use ChangeKind as To;
    match body.clone() {
        Body::RunCreated(created) => vec![To::RunCreated(Box::new(created))],
        Body::RunClaimed(claimed) => vec![To::RunClaimed { worker: claimed.worker, epoch: claimed.epoch }],
        Body::RunParked(parked) => {
            vec![To::RunParked { action: parked.action, question: parked.question, choices: parked.choices }]
        }
        Body::RunFinished(finished) => vec![To::RunFinished {
            verdict: finished.verdict,
            reason: finished.reason,
            spent: finished.spent,
            at: finished.at,
        }],
        Body::NodeArrived(arrived) => vec![To::RunMoved { node: arrived.node, visit: None }],
        Body::ActionScheduled(action) => {
            let builds = (action.kind == NodeKind::Agent).then_some(To::RunBuilds { visit: action.visit });
            [To::RunMoved { node: action.node, visit: Some(action.visit) }].into_iter().chain(builds).collect()
        }
        Body::ActionFinished(finished) => vec![To::RunSpent { action: finished.action, spent: finished.spent }],
        Body::BranchWritten(written) => vec![To::RunBranched { branch: written.branch, commit: written.commit }],
        Body::IncidentOpened(_) => vec![To::RunTroubled],
        Body::SuiteScored(scored) => {
            vec![To::RunIterated { iteration: scored.iteration }, To::SuiteScored(scored)]
        }
        Body::GateEvaluated(gate) => vec![To::GateEvaluated(Box::new(gate))],
        _ => Vec::new(), // `concerns` names the others one by one
    }
}
