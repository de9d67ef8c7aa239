//! `/runs/{id}/trials/{suite}/{scenario}/{trial}`: one trajectory in detail.

use std::sync::Arc;

use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use model::{id::RunId, verdict::Suite};
use serde::{Deserialize, Serialize};

use super::agent::action_id;
use crate::{
    Reads,
    reads::{Result, RunPage, Trajectory, TrialKey},
    summary::trial_words,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// The grading action; without it, the latest that has this trial.
    action: Option<String>,
}

#[derive(Serialize)]
struct Page {
    run: RunId,
    title: String,
    words: &'static str,
    trajectory: Trajectory,
    /// Other trials of the same scenario, this one included.
    siblings: Vec<Sibling>,
}

#[derive(Serialize)]
struct Sibling {
    href: String,
    label: String,
    verdict: model::event::grade::TrialVerdict,
    words: &'static str,
    current: bool,
}

pub(crate) async fn page(
    State(reads): State<Arc<dyn Reads>>,
    Path((run, suite, scenario, trial)): Path<(String, Suite, String, u32)>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let Ok(run) = run.parse::<RunId>() else { return super::missing("run") };
    let key = TrialKey { scenario, trial, action: wanted.action.as_deref().and_then(action_id) };
    match view(&*reads, run, suite, &key).await {
        Ok(Some(page)) => super::render("trial.html", &page),
        Ok(None) => super::missing("trial"),
        Err(error) => super::failed(&error),
    }
}

async fn view(reads: &dyn Reads, run: RunId, suite: Suite, key: &TrialKey) -> Result<Option<Page>> {
    let found = match suite {
        Suite::Visible => reads.trajectory(&run, key).await?,
        Suite::Holdout => reads.sealed_trajectory_for_people(&run, key).await?,
    };
    let (Some(trajectory), Some(known)) = (found, reads.run(&run).await?) else { return Ok(None) };
    let known = known.with_sealed_trials_for_people(reads.sealed_trials_for_people(&run).await?);
    let siblings = siblings(&known, &trajectory);
    let words = trial_words(trajectory.trial.verdict);
    Ok(Some(Page { run, title: known.row.title, words, trajectory, siblings }))
}

fn siblings(run: &RunPage, shown: &Trajectory) -> Vec<Sibling> {
    let same = |trial: &&crate::reads::Trial| {
        trial.finished.suite == shown.trial.suite && trial.finished.scenario == shown.trial.scenario
    };
    let mut siblings: Vec<_> = run.trials.iter().filter(same).collect();
    siblings.sort_by_key(|trial| (trial.round, trial.finished.trial));
    let sibling = |trial: &crate::reads::Trial| Sibling {
        href: super::run::trial_href(&run.row.run, &trial.finished),
        label: super::run::trial_label(trial),
        verdict: trial.finished.verdict,
        words: trial_words(trial.finished.verdict),
        current: trial.finished.action == shown.trial.action && trial.finished.trial == shown.trial.trial,
    };
    siblings.into_iter().map(sibling).collect()
}
