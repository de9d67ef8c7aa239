//! Puts the trials of the present tree before the gate and writes down its whole reasoning.

use model::{
    event::{Body, Event, grade::TrialFinished},
    hash::Digest,
    id::ActionId,
    verdict::Suite,
};
use serde_json::json;

use super::{Done, Failure, Job, done};
use crate::{
    gate::{self, Finding, Graded, Planned, Visit},
    journal::bodies,
};

pub(super) async fn evaluate(job: &Job) -> Result<Done, Failure> {
    let fresh = job.action.input["fresh"] == true;
    let trials = graded(job).await;
    let visit = Visit { action: job.action.id.clone(), iteration: job.iteration().await, fresh };
    let Finding { gate, failures } = gate::evaluate(&job.seed.spec, &planned(job), &trials, visit);
    let earlier = earlier_failures(job).await;
    let stuck = !gate.satisfied && gate::is_stuck(&earlier, failures);
    let output = json!({
        "satisfied": gate.satisfied,
        "stuck": stuck,
        "reason": gate.reason,
        "failures": earlier.iter().chain([&failures]).collect::<Vec<_>>(),
        "visible": gate.visible,
        "holdout": gate.holdout,
    });
    job.journal.record(gate).await?;
    Ok(done(output))
}

/// Holdouts under their aliases, as their trials stand in the run's own stream.
fn planned(job: &Job) -> Planned {
    Planned {
        visible: job.seed.visible.scenarios.iter().map(|scenario| scenario.slug.clone()).collect(),
        holdout: job.seed.secrets.iter().map(|secret| secret.alias.clone()).collect(),
    }
}

/// What failed at the gates before this one, oldest first.
async fn earlier_failures(job: &Job) -> Vec<Digest> {
    let state = job.journal.state().await;
    let last = state.outputs.get(&job.action.node).map(|output| output["failures"].clone());
    last.and_then(|failures| serde_json::from_value(failures).ok()).unwrap_or_default()
}

/// The trials of the tree that was built last, each once: a repeated trial stands in for the one that was spoiled.
pub(super) async fn graded(job: &Job) -> Vec<Graded> {
    let trials = trials_of_last_build(job).await;
    let weight = |trial: &TrialFinished| {
        let scenario = match trial.suite {
            Suite::Visible => {
                job.seed.visible.scenarios.iter().find(|known| known.slug == trial.scenario).map(AsRef::as_ref)
            }
            Suite::Holdout => job.seed.holdout(&trial.scenario),
        };
        scenario.map_or(1.0, |scenario| scenario.weight)
    };
    let state = job.journal.state().await;
    let fresh = |action: &ActionId| state.actions.get(action).is_some_and(|known| known.action.input["fresh"] == true);
    let graded = |trial: TrialFinished| Graded {
        weight: weight(&trial),
        suite: trial.suite,
        fresh: fresh(&trial.action),
        scenario: trial.scenario,
        requirements: trial.requirements,
        verdict: trial.verdict,
    };
    trials.into_iter().map(graded).collect()
}

/// Since the last exported tree; of trials with the same number the last one.
pub(super) async fn trials_of_last_build(job: &Job) -> Vec<TrialFinished> {
    let last_build = |events: &[Event]| {
        let mut trials: Vec<&TrialFinished> = Vec::new();
        for body in bodies(events) {
            match body {
                Body::TreeExported(_) => trials.clear(),
                Body::TrialFinished(trial) => {
                    trials.retain(|known| number(known) != number(trial));
                    trials.push(trial);
                }
                _ => {}
            }
        }
        // Their records are the largest part of a run, and no gate reads them.
        trials.into_iter().map(|trial| TrialFinished { record: None, ..trial.clone() }).collect()
    };
    job.journal.look(last_build).await
}

fn number(trial: &TrialFinished) -> (Suite, &str, u32) {
    (trial.suite, &trial.scenario, trial.trial)
}
