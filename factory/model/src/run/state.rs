use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    budget::{Budget, Limit, Spend},
    event::{
        Body,
        run::{Action, ActionFinished, Created, Finished, NodeArrived, Outcome, Parked},
    },
    flow::Flow,
    id::{ActionId, RunId},
};

/// A run as its events tell it.
#[derive(Clone, Debug)]
pub struct State {
    pub run: RunId,
    pub created: Arc<Created>,
    pub flow: Arc<Flow>,
    pub budget: Budget,
    pub status: Status,
    pub spent: Spend,
    /// Last output of each node that has succeeded.
    pub outputs: BTreeMap<String, Value>,
    /// How often the walk has been at each node.
    pub visits: BTreeMap<String, u32>,
    pub actions: BTreeMap<ActionId, ActionState>,
    /// Nodes whose last visit succeeded and did not say `satisfied: false`: what goals look at.
    pub succeeded: BTreeSet<String>,
    /// For each `fan_in`, how many branches have arrived in the present round.
    pub arrived: BTreeMap<String, usize>,
    /// The latest instant that an event has told.
    pub now: Timestamp,
    /// How long a worker had the run: neither waiting for one nor waiting for a person counts.
    pub active_ms: u64,
    /// Set when the walk was sent to the flow's `on_budget`, so that it is sent there once.
    pub budget_ended: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    Active,
    Parked(Parked),
    Finished(Finished),
}

#[derive(Clone, Debug, PartialEq)]
pub struct ActionState {
    pub action: Action,
    pub progress: Progress,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    Scheduled,
    Started,
    Finished(Outcome),
}

impl State {
    /// The state right after `run.created`.
    pub fn new(created: Created) -> Self {
        Self {
            run: created.run.clone(),
            flow: Arc::new(created.flow.clone()),
            budget: created.budget,
            now: created.created_at,
            created: Arc::new(created),
            status: Status::Active,
            spent: Spend::default(),
            outputs: BTreeMap::new(),
            visits: BTreeMap::new(),
            actions: BTreeMap::new(),
            succeeded: BTreeSet::new(),
            arrived: BTreeMap::new(),
            budget_ended: false,
            active_ms: 0,
        }
    }

    /// Folds a whole stream. `None` where it does not start with `run.created`.
    pub fn replay<'a>(events: impl IntoIterator<Item = &'a Body>) -> Option<Self> {
        let mut events = events.into_iter();
        let Some(Body::RunCreated(created)) = events.next() else { return None };
        let mut state = Self::new(created.clone());
        events.for_each(|event| state.apply(event));
        Some(state)
    }

    /// Folds one event. Events that tell nothing about the walk (turns, trials …) change nothing.
    pub fn apply(&mut self, event: &Body) {
        match event {
            // Nobody worked since the last event.
            Body::RunClaimed(claimed) => self.now = claimed.at,
            Body::RunParked(parked) => self.status = Status::Parked(parked.clone()),
            Body::RunFinished(finished) => self.status = Status::Finished(finished.clone()),
            Body::NodeArrived(arrived) => self.apply_arrival(arrived),
            Body::ActionScheduled(action) => self.apply_scheduled(action),
            Body::ActionStarted(started) => {
                self.worked_until(started.at);
                if let Some(known) = self.actions.get_mut(&started.action) {
                    known.progress = Progress::Started;
                }
            }
            Body::ActionFinished(finished) => self.apply_finished(finished),
            Body::RunCreated(_)
            | Body::TreeHydrated(_)
            | Body::TreeExported(_)
            | Body::BranchWritten(_)
            | Body::IncidentOpened(_)
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
            | Body::SuiteScored(_)
            | Body::GateEvaluated(_)
            | Body::FeedbackComposed(_)
            | Body::LeakCaught(_) => {}
        }
    }

    fn apply_arrival(&mut self, arrived: &NodeArrived) {
        *self.visits.entry(arrived.node.clone()).or_default() += 1;
        let waiting = self.arrived.entry(arrived.node.clone()).or_default();
        *waiting += 1;
        if *waiting > self.flow.in_degree(&arrived.node) {
            *waiting = 1;
        }
        if self.flow.on_budget.as_ref() == Some(&arrived.node) {
            self.budget_ended = true;
        }
    }

    fn apply_scheduled(&mut self, action: &Action) {
        self.visits.insert(action.node.clone(), action.visit);
        if self.flow.on_budget.as_ref() == Some(&action.node) {
            self.budget_ended = true;
        }
        let state = ActionState { action: action.clone(), progress: Progress::Scheduled };
        self.actions.insert(action.id.clone(), state);
    }

    fn apply_finished(&mut self, finished: &ActionFinished) {
        self.spent += finished.spent;
        if matches!(&self.status, Status::Parked(parked) if parked.action == finished.action) {
            // The time that a person took to answer is nobody's work.
            self.now = finished.at;
            self.status = Status::Active;
        } else {
            self.worked_until(finished.at);
        }
        let Some(known) = self.actions.get_mut(&finished.action) else { return };
        known.progress = Progress::Finished(finished.outcome.clone());
        let node = known.action.node.clone();
        match &finished.outcome {
            Outcome::Succeeded { output } => {
                if output.get("satisfied") == Some(&Value::Bool(false)) {
                    self.succeeded.remove(&node);
                } else {
                    self.succeeded.insert(node.clone());
                }
                self.outputs.insert(node, output.clone());
            }
            Outcome::Failed { .. } => {
                self.succeeded.remove(&node);
            }
        }
    }

    /// Actions that a worker has to perform or finish, in the order of their ids.
    pub fn open_actions(&self) -> impl Iterator<Item = &ActionState> {
        self.actions.values().filter(|known| !matches!(known.progress, Progress::Finished(_)))
    }

    fn worked_until(&mut self, at: Timestamp) {
        let worked = at.duration_since(self.now).as_millis();
        self.active_ms = self.active_ms.saturating_add(u64::try_from(worked).unwrap_or(0));
        self.now = self.now.max(at);
    }

    /// Wall time that counts against the budget.
    pub fn elapsed_ms(&self) -> u64 {
        self.active_ms
    }

    pub fn limit_reached(&self) -> Option<Limit> {
        self.budget.reached(&self.spent, self.elapsed_ms())
    }

    /// What conditions can read.
    ///
    /// `output` (of the node whose edges are looked at), `nodes.<id>` (last outputs), `visits.<id>`, `spent`,
    /// `budget`, `elapsed_ms`.
    pub fn facts(&self, node: &str) -> Value {
        json!({
            "output": self.outputs.get(node).cloned().unwrap_or(Value::Null),
            "nodes": self.outputs,
            "visits": self.visits,
            "spent": self.spent,
            "budget": self.budget,
            "elapsed_ms": self.elapsed_ms(),
        })
    }
}
