//! One run as its events tell it: the fold behind `/runs/{id}`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::{
    budget::Budget,
    event::{
        Body, Event,
        grade::{FeedbackComposed, GateEvaluated, LeakCaught, SuiteScored, TrialFinished},
        run::{Action, BranchWritten, Created, Outcome},
    },
    flow::NodeKind,
    hash::Digest,
    id::{ActionId, IncidentId},
    run::State,
    verdict::{Score, Suite},
};
use serde::Serialize;

use super::{Phase, Point, RunRow};

#[derive(Clone, Debug, Serialize)]
pub struct RunPage {
    pub row: RunRow,
    pub path: String,
    pub seed: Digest,
    pub progress: Progress,
    pub gates: Vec<GateEvaluated>,
    pub scored: Vec<SuiteScored>,
    /// Of the run's own stream: holdouts stand under their aliases.
    pub trials: Vec<Trial>,
    pub sent_back: Vec<FeedbackComposed>,
    pub leaks: Vec<LeakCaught>,
    pub incidents: Vec<Incident>,
    pub agents: Vec<AgentHead>,
    pub branch: Option<BranchWritten>,
    /// Where the live stream goes on.
    pub last_seq: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Progress {
    pub iteration: u32,
    pub budget: Budget,
    /// Actions in the order in which they were scheduled.
    pub walk: Vec<WalkStep>,
}

#[derive(Clone, Debug, Serialize)]
pub struct WalkStep {
    pub action: ActionId,
    pub node: String,
    pub kind: NodeKind,
    /// 0 stands for what comes before the first build.
    pub iteration: u32,
    pub status: StepStatus,
    pub started_at: Option<Timestamp>,
    pub duration_ms: Option<u64>,
    /// Why it failed.
    pub message: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    Waiting,
    Running,
    Succeeded,
    /// Done, and its answer was no: a gate that did not open.
    Refused,
    Failed,
}

/// Which grading a trial belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Round {
    pub iteration: u32,
    pub fresh: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct Trial {
    pub round: Round,
    #[serde(flatten)]
    pub finished: TrialFinished,
}

#[derive(Clone, Debug, Serialize)]
pub struct Incident {
    pub incident: IncidentId,
    pub code: String,
    pub summary: String,
    pub at: Timestamp,
}

#[derive(Clone, Debug, Serialize)]
pub struct AgentHead {
    pub action: ActionId,
    /// The model, or the outside command.
    pub who: String,
    /// Set where a script plays the model.
    pub script: Option<String>,
}

impl RunPage {
    /// Folds a run's own stream. `None` where it does not start with `run.created`.
    pub fn from_events(events: &[Event]) -> Option<Self> {
        let (first, rest) = events.split_first()?;
        let mut fold = RunFold::begin(first)?;
        rest.iter().for_each(|event| fold.apply(event));
        Some(fold.page())
    }

    fn empty(created: &Created, seq: u64) -> Self {
        let row = RunRow {
            run: created.run.clone(),
            spec: created.spec.id.clone(),
            title: created.spec.title.clone(),
            phase: Phase::Active,
            created_at: created.created_at,
            ended_at: None,
            iterations: 0,
            target: None,
            visible: None,
            holdout: None,
            spent: model::budget::Spend::default(),
            incidents: 0,
        };
        Self {
            row,
            path: created.spec.path.clone(),
            seed: created.seed,
            progress: Progress { iteration: 0, budget: created.budget, walk: Vec::new() },
            gates: Vec::new(),
            scored: Vec::new(),
            trials: Vec::new(),
            sent_back: Vec::new(),
            leaks: Vec::new(),
            incidents: Vec::new(),
            agents: Vec::new(),
            branch: None,
            last_seq: seq,
        }
    }

    /// Puts the sealed trials in place of those that stand under an alias, round by round.
    #[must_use]
    pub fn with_sealed_trials_for_people(mut self, sealed: Vec<TrialFinished>) -> Self {
        let rounds: BTreeMap<_, _> =
            self.trials.iter().map(|trial| (trial.finished.action.clone(), trial.round)).collect();
        let named: std::collections::BTreeSet<_> = sealed.iter().map(|trial| trial.action.clone()).collect();
        self.trials.retain(|trial| trial.finished.suite == Suite::Visible || !named.contains(&trial.finished.action));
        let known = |finished: TrialFinished| Some(Trial { round: *rounds.get(&finished.action)?, finished });
        self.trials.extend(sealed.into_iter().filter_map(known));
        self
    }

    /// What each gate saw, oldest first.
    pub fn points(&self) -> Vec<Point> {
        points(&self.gates)
    }
}

/// What each of these gates of one run saw; they come oldest first.
pub fn points<'a>(gates: impl IntoIterator<Item = &'a GateEvaluated>) -> Vec<Point> {
    let mut seen = 0;
    let point = |gate: &GateEvaluated| {
        let fresh = std::mem::replace(&mut seen, gate.iteration) == gate.iteration;
        Point { iteration: gate.iteration, fresh, visible: gate.visible.clone(), holdout: gate.holdout.clone() }
    };
    gates.into_iter().map(point).collect()
}

/// A run's page as it grows: whoever keeps it reads each event once.
#[derive(Clone, Debug)]
pub struct RunFold {
    state: State,
    page: RunPage,
}

impl RunFold {
    /// From the first event of a run's own stream. `None` where that is not `run.created`.
    pub fn begin(first: &Event) -> Option<Self> {
        let Body::RunCreated(created) = &first.body else { return None };
        Some(Self { state: State::new(created.clone()), page: RunPage::empty(created, first.seq) })
    }

    /// Where to read on.
    pub fn last_seq(&self) -> u64 {
        self.page.last_seq
    }

    /// The events must come in order, each once.
    pub fn apply(&mut self, event: &Event) {
        self.state.apply(&event.body);
        self.page.last_seq = event.seq;
        match &event.body {
            Body::RunFinished(finished) => self.page.row.ended_at = Some(finished.at),
            Body::ActionScheduled(action) => self.schedule(action),
            Body::ActionStarted(started) => {
                if let Some(step) = self.step(&started.action) {
                    step.status = StepStatus::Running;
                    step.started_at = Some(started.at);
                }
            }
            Body::ActionFinished(finished) => {
                if let Some(step) = self.step(&finished.action) {
                    step.end(finished.at, &finished.outcome);
                }
            }
            Body::BranchWritten(branch) => self.page.branch = Some(branch.clone()),
            Body::IncidentOpened(opened) => self.page.incidents.push(Incident {
                incident: opened.incident.clone(),
                code: opened.code.clone(),
                summary: opened.summary.clone(),
                at: event.recorded_at,
            }),
            Body::SessionStarted(started) => self.page.agents.push(AgentHead {
                action: started.action.clone(),
                who: format!("{} {}", started.provider, started.model),
                script: started.script.clone(),
            }),
            Body::CommandStarted(command) => self.page.agents.push(AgentHead {
                action: command.action.clone(),
                who: command.argv.join(" "),
                script: None,
            }),
            Body::TrialFinished(trial) => self.trial(trial),
            Body::SuiteScored(scored) => self.scored(scored),
            Body::GateEvaluated(gate) => self.gate(gate),
            Body::FeedbackComposed(feedback) => self.page.sent_back.push(feedback.clone()),
            Body::LeakCaught(leak) => self.page.leaks.push(leak.clone()),
            Body::RunCreated(_)
            | Body::RunClaimed(_)
            | Body::RunParked(_)
            | Body::NodeArrived(_)
            | Body::TreeHydrated(_)
            | Body::TreeExported(_)
            | Body::SessionTold(_)
            | Body::TurnStarted(_)
            | Body::TurnReplied(_)
            | Body::TurnFailed(_)
            | Body::ToolCalled(_)
            | Body::ToolReturned(_)
            | Body::SessionEnded(_)
            | Body::CommandPrinted(_)
            | Body::CommandExited(_)
            | Body::ControlProved(_) => {}
        }
    }

    fn schedule(&mut self, action: &Action) {
        if action.kind == NodeKind::Agent {
            self.page.progress.iteration = self.page.progress.iteration.max(action.visit);
        }
        self.page.progress.walk.push(WalkStep {
            action: action.id.clone(),
            node: action.node.clone(),
            kind: action.kind,
            iteration: self.page.progress.iteration,
            status: StepStatus::Waiting,
            started_at: None,
            duration_ms: None,
            message: None,
        });
    }

    fn step(&mut self, action: &ActionId) -> Option<&mut WalkStep> {
        self.page.progress.walk.iter_mut().rev().find(|step| step.action == *action)
    }

    fn trial(&mut self, finished: &TrialFinished) {
        let iteration = self.page.progress.iteration;
        let graded_before = |scored: &SuiteScored| {
            scored.suite == finished.suite && scored.iteration == iteration && scored.action != finished.action
        };
        let fresh = self.page.scored.iter().any(graded_before);
        let round = Round { iteration, fresh };
        let same = |known: &Trial| {
            known.round == round
                && known.finished.suite == finished.suite
                && known.finished.scenario == finished.scenario
                && known.finished.trial == finished.trial
        };
        // A second attempt of a grading action, or of a trial that infrastructure spoiled, counts instead of the first.
        self.page.trials.retain(|known| !same(known));
        // A record is for the trial's own page, and large.
        self.page.trials.push(Trial { round, finished: TrialFinished { record: None, ..finished.clone() } });
    }

    fn scored(&mut self, scored: &SuiteScored) {
        self.page.scored.push(scored.clone());
        self.latest(scored.suite, &scored.score);
    }

    fn gate(&mut self, gate: &GateEvaluated) {
        self.page.row.target = Some(gate.target);
        self.latest(Suite::Visible, &gate.visible);
        self.latest(Suite::Holdout, &gate.holdout);
        if !gate.satisfied
            && let Some(step) = self.step(&gate.action)
        {
            step.status = StepStatus::Refused;
        }
        self.page.gates.push(gate.clone());
    }

    fn latest(&mut self, suite: Suite, score: &Score) {
        match suite {
            Suite::Visible => self.page.row.visible = Some(score.clone()),
            Suite::Holdout => self.page.row.holdout = Some(score.clone()),
        }
    }

    /// The page as it is now.
    pub fn page(&self) -> RunPage {
        let mut page = self.page.clone();
        let row = &mut page.row;
        row.spent = self.state.spent;
        row.iterations = page.progress.iteration;
        row.incidents = u32::try_from(page.incidents.len()).unwrap_or(u32::MAX);
        row.phase = match self.state.status.clone() {
            model::run::Status::Active => Phase::Active,
            model::run::Status::Parked(parked) => Phase::Parked(parked),
            model::run::Status::Finished(finished) => {
                row.spent = finished.spent;
                Phase::Finished { verdict: finished.verdict, reason: finished.reason }
            }
        };
        page
    }
}

impl WalkStep {
    fn end(&mut self, at: Timestamp, outcome: &Outcome) {
        let since = self.started_at.unwrap_or(at);
        self.duration_ms = u64::try_from(at.duration_since(since).as_millis()).ok();
        match outcome {
            Outcome::Succeeded { .. } if self.status == StepStatus::Refused => {}
            Outcome::Succeeded { .. } => self.status = StepStatus::Succeeded,
            Outcome::Failed { message, .. } => {
                self.status = StepStatus::Failed;
                self.message = Some(message.clone());
            }
        }
    }
}
