//! What a person sees while a run goes on: a pure fold from events to lines and one status text.
//!
//! Printing is somebody else's ([`crate::terminal`]); so the whole output of a run is tested without a terminal.

use std::collections::BTreeSet;

use model::{
    budget::usd,
    event::{
        Body, Event,
        agent::{EndReason, SessionEnded},
        grade::{FeedbackComposed, GateEvaluated, SuiteScored, TrialFinished, TrialVerdict},
        run::{ActionFinished, BranchWritten, Created, FailureClass, Outcome},
    },
    id::ActionId,
    verdict::{Score, Suite},
};

/// How a line is to be read; the terminal gives it a sign and a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Good,
    Bad,
    Note,
    Heading,
    /// Continues the line above.
    Detail,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub mark: Mark,
    pub text: String,
}

fn line(mark: Mark, text: impl Into<String>) -> Line {
    Line { mark, text: text.into() }
}

/// The fold.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    iteration: u32,
    step: String,
    done: u32,
    cost_usd_micros: u64,
    proved: u32,
    tool_calls: u32,
    /// Gradings with fresh values, after a gate that had passed.
    fresh: BTreeSet<ActionId>,
    /// Scenarios whose failure was shown, by grading.
    told: BTreeSet<(ActionId, String)>,
}

impl Progress {
    /// Lines that `event` adds.
    pub(crate) fn on(&mut self, event: &Event) -> Vec<Line> {
        match &event.body {
            Body::RunCreated(created) => opening(created),
            Body::ActionScheduled(action) => {
                if action.input["fresh"] == true {
                    self.fresh.insert(action.id.clone());
                }
                action.node.clone_into(&mut self.step);
                self.done = 0;
                if action.node == "build" && action.attempt == 1 {
                    self.iteration = action.visit;
                    self.tool_calls = 0;
                    return vec![line(Mark::Heading, format!("iteration {}", action.visit))];
                }
                Vec::new()
            }
            Body::SessionStarted(session) if session.script.is_some() => {
                let script = session.script.as_deref().unwrap_or_default();
                vec![line(Mark::Note, format!("build    a script plays the model: {script}"))]
            }
            Body::TurnReplied(turn) => {
                self.cost_usd_micros += turn.spent.cost_usd_micros;
                Vec::new()
            }
            Body::ToolReturned(_) => {
                self.tool_calls += 1;
                Vec::new()
            }
            Body::SessionEnded(ended) => vec![self.session_ended(ended)],
            Body::CommandExited(exited) => {
                let mark = if exited.success { Mark::Good } else { Mark::Bad };
                let seconds = exited.duration_ms as f64 / 1000.0;
                vec![line(mark, format!("build    the agent's command ended: {} after {seconds:.1} s", exited.status))]
            }
            Body::TreeExported(tree) => {
                let counts = (tree.added.len(), tree.modified.len(), tree.deleted.len());
                let mut lines = vec![line(
                    Mark::Detail,
                    format!("{} files added, {} modified, {} deleted", counts.0, counts.1, counts.2),
                )];
                lines.extend(tree.refused.iter().map(|refused| line(Mark::Bad, format!("refused {refused}"))));
                lines
            }
            Body::ControlProved(control) => {
                self.proved += 1;
                let finding = control.finding.as_deref().unwrap_or_default();
                let unsound =
                    (!control.sound).then(|| line(Mark::Bad, format!("prove    {}: {finding}", control.scenario)));
                unsound.into_iter().collect()
            }
            Body::TrialFinished(trial) => self.trial_finished(trial),
            Body::SuiteScored(scored) => vec![suite_scored(scored, self.fresh.contains(&scored.action))],
            Body::GateEvaluated(gate) => gate_evaluated(gate),
            Body::FeedbackComposed(feedback) => feedback_lines(feedback),
            Body::LeakCaught(leak) => {
                vec![line(
                    Mark::Bad,
                    format!("leak     withheld: the {} held text of {}", leak.surface, leak.holdouts.join(", ")),
                )]
            }
            Body::IncidentOpened(incident) => {
                vec![line(Mark::Bad, format!("incident {}: {}", incident.code, incident.summary))]
            }
            Body::BranchWritten(branch) => vec![branch_written(branch)],
            Body::ActionFinished(finished) => self.action_finished(finished),
            Body::RunParked(parked) => {
                let choices = parked.choices.join(" | ");
                vec![
                    line(Mark::Bad, format!("waits for a person: {}", parked.question)),
                    line(Mark::Detail, format!("answer: {choices}")),
                ]
            }
            _ => Vec::new(),
        }
    }

    /// One line that changes: where the run is.
    pub(crate) fn status(&self) -> String {
        let done = if self.done > 0 { format!(" {}", self.done) } else { String::new() };
        format!("iteration {} · {}{done} · {}", self.iteration, self.step, usd(self.cost_usd_micros))
    }

    /// Of a visible scenario that fails the first trial is told, of a hidden one that infrastructure or a judge failed.
    fn trial_finished(&mut self, trial: &TrialFinished) -> Vec<Line> {
        self.done += 1;
        let word = match (trial.suite, trial.verdict) {
            (_, TrialVerdict::Satisfied) | (Suite::Holdout, TrialVerdict::Unsatisfied) => return Vec::new(),
            (Suite::Visible, TrialVerdict::Unsatisfied) => "",
            (_, TrialVerdict::Infra) => "spoiled by infrastructure: ",
            (_, TrialVerdict::Unjudged) => "unjudged: ",
        };
        if !self.told.insert((trial.action.clone(), trial.scenario.clone())) {
            return Vec::new();
        }
        let failure = trial.failure.as_deref().unwrap_or("see its record on the dashboards");
        vec![line(Mark::Bad, format!("{} #{}: {word}{failure}", trial.scenario, trial.trial))]
    }

    fn session_ended(&self, ended: &SessionEnded) -> Line {
        let mark = if ended.reason == EndReason::Completed { Mark::Good } else { Mark::Bad };
        let reason = match ended.reason {
            EndReason::Completed => "",
            EndReason::TurnLimit => ", ended by the turn limit",
            EndReason::Budget => ", ended by the budget",
            EndReason::Refused => ", the model refused",
            EndReason::ProviderFailed => ", the provider failed",
            EndReason::Cancelled => ", cancelled",
        };
        let (turns, calls, tokens) = (ended.turns, self.tool_calls, ended.spent.tokens());
        let cost = usd(ended.spent.cost_usd_micros);
        line(mark, format!("build    {turns} turns, {calls} tool calls, {tokens} tokens, {cost}{reason}"))
    }

    fn action_finished(&self, finished: &ActionFinished) -> Vec<Line> {
        match &finished.outcome {
            Outcome::Succeeded { .. } if self.step == "prove" && self.iteration == 0 => {
                vec![line(
                    Mark::Good,
                    format!("prove    {} scenarios are red on a nop and on a canned 200", self.proved),
                )]
            }
            Outcome::Succeeded { .. } => Vec::new(),
            Outcome::Failed { class, message } => {
                let again = if *class == FailureClass::Transient { " (may be tried again)" } else { "" };
                vec![line(Mark::Bad, format!("{}: {message}{again}", finished.action))]
            }
        }
    }
}

fn opening(created: &Created) -> Vec<Line> {
    vec![
        line(Mark::Heading, format!("{} · {}", created.spec.id, created.spec.title)),
        line(Mark::Detail, format!("run {}   seed b3:{}", created.run, created.seed.short())),
    ]
}

fn fraction(score: &Score) -> String {
    format!(
        "{:>3}/{:<3} satisfaction {:.3}, lower bound {:.3}",
        score.satisfied, score.trials, score.satisfaction, score.lower_bound
    )
}

fn suite_scored(scored: &SuiteScored, fresh: bool) -> Line {
    let all = scored.score.satisfied == scored.score.trials && scored.score.trials > 0;
    let infra = if scored.score.infra > 0 {
        format!(", {} spoiled by infrastructure", scored.score.infra)
    } else {
        String::new()
    };
    let mark = if all { Mark::Good } else { Mark::Bad };
    let fresh = if fresh { ", fresh values" } else { "" };
    line(mark, format!("{:<8} {}{fresh}{infra}", scored.suite.words(), fraction(&scored.score)))
}

fn gate_evaluated(gate: &GateEvaluated) -> Vec<Line> {
    let mark = if gate.satisfied { Mark::Good } else { Mark::Bad };
    vec![
        line(mark, format!("gate     {}", gate.reason)),
        line(
            Mark::Detail,
            format!("gap visible − holdout {:+.3} [{:+.3}, {:+.3}]", gate.gap, gate.gap_low, gate.gap_high),
        ),
    ]
}

fn feedback_lines(feedback: &FeedbackComposed) -> Vec<Line> {
    let mut lines = vec![line(Mark::Note, "feedback goes back to the builder; of the hidden checks it says only:")];
    let told = |d: &model::event::grade::Disclosure| {
        line(Mark::Detail, format!("{} · {}: {} fail", d.requirement, d.theme, d.share))
    };
    lines.extend(feedback.disclosures.iter().map(told));
    lines
}

fn branch_written(branch: &BranchWritten) -> Line {
    let commit = branch.commit.get(..12).unwrap_or(&branch.commit);
    line(Mark::Good, format!("branch   {} at {commit}", branch.branch))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use model::{
        event::{Actor, StreamId, grade::Disclosure, run::Action},
        flow::NodeKind,
        hash::Digest,
        id::{RunId, SessionId},
    };
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    fn event(seq: u64, body: Body) -> Event {
        Event {
            id: Uuid::nil(),
            stream: StreamId::run(&RunId::from_uuid(Uuid::nil())),
            seq,
            epoch: 1,
            version: body.version(),
            body,
            actor: Actor::Service("test".to_owned()),
            correlation_id: String::new(),
            causation_id: None,
            recorded_at: Timestamp::UNIX_EPOCH,
            hash: Digest::ZERO,
        }
    }

    fn shown(bodies: Vec<Body>) -> String {
        let mut progress = Progress::default();
        let lines = (1..).zip(bodies).flat_map(|(seq, body)| progress.on(&event(seq, body)));
        let text: String = lines.map(|line| format!("{:?} {}\n", line.mark, line.text)).collect();
        format!("{text}[{}]", progress.status())
    }

    fn scheduled(node: &str, kind: NodeKind, input: Value) -> Body {
        let (id, node) = (ActionId::new(node, 1, 1), node.to_owned());
        Action { id, node, visit: 1, attempt: 1, kind, input, delay_ms: 0 }.into()
    }

    fn score(satisfied: u32, trials: u32) -> Score {
        let satisfaction = f64::from(satisfied) / f64::from(trials);
        Score { scenarios: 4, trials, satisfied, satisfaction, lower_bound: 0.5, confidence: 0.95, infra: 0 }
    }

    fn scored(node: &str, suite: Suite, score: Score) -> Body {
        SuiteScored { action: ActionId::new(node, 1, 1), suite, iteration: 1, tree: Digest::ZERO, score }.into()
    }

    fn trial(suite: Suite, verdict: TrialVerdict) -> Body {
        let failure = Some("step 2 \"pay\": expected 201, got 500".to_owned());
        TrialFinished {
            action: ActionId::new("visible", 1, 1),
            suite,
            scenario: "pays".to_owned(),
            requirements: vec!["R1".to_owned()],
            trial: 1,
            verdict,
            failure,
            duration_ms: 1,
            record: None,
        }
        .into()
    }

    #[test]
    fn an_iteration_reads_from_top_to_bottom() {
        let session = SessionId::from_uuid(Uuid::nil());
        let spent =
            model::budget::Spend { cost_usd_micros: 12_300, input_tokens: 900, output_tokens: 100, model_calls: 3 };
        let ended = SessionEnded { session, reason: EndReason::Completed, turns: 3, spent, message: String::new() };
        let disclosure =
            Disclosure { requirement: "R6".to_owned(), theme: "retries".to_owned(), share: "about half".to_owned() };
        let feedback = FeedbackComposed {
            action: ActionId::new("feedback", 1, 1),
            iteration: 1,
            text: String::new(),
            disclosures: vec![disclosure],
        };
        insta::assert_snapshot!(shown(vec![
            scheduled("build", NodeKind::Agent, Value::Null),
            ended.into(),
            scheduled("visible", NodeKind::Harness, json!({ "suite": "visible" })),
            trial(Suite::Visible, TrialVerdict::Unsatisfied),
            trial(Suite::Visible, TrialVerdict::Unsatisfied),
            trial(Suite::Holdout, TrialVerdict::Unsatisfied),
            scored("visible", Suite::Visible, score(3, 4)),
            feedback.into(),
            scheduled("stay-visible", NodeKind::Harness, json!({ "suite": "visible", "fresh": true })),
            scored("stay-visible", Suite::Visible, score(4, 4)),
        ]), @r#"
        Heading iteration 1
        Good build    3 turns, 0 tool calls, 1000 tokens, $0.01
        Bad pays #1: step 2 "pay": expected 201, got 500
        Bad visible    3/4   satisfaction 0.750, lower bound 0.500
        Note feedback goes back to the builder; of the hidden checks it says only:
        Detail R6 · retries: about half fail
        Good visible    4/4   satisfaction 1.000, lower bound 0.500, fresh values
        [iteration 1 · stay-visible · $0.00]
        "#);
    }

    #[test]
    fn a_spoiled_trial_is_told_even_where_it_is_hidden() {
        let text = shown(vec![trial(Suite::Holdout, TrialVerdict::Infra)]);
        assert!(text.contains("spoiled by infrastructure"), "{text}");
    }
}
