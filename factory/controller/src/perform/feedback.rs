//! Composes what goes back to the builder, and withholds what the leak scanner finds.

use std::collections::BTreeMap;

use model::{
    event::grade::{FeedbackComposed, TrialFinished, TrialVerdict},
    verdict::Suite,
};
use serde_json::json;

use super::{Done, Failure, Job, done, gate::trials_of_last_build};
use crate::{
    feedback::{self, HoldoutOutcome, VisibleFailure},
    leak::LeakScanner,
};

const WITHHELD: &str = "the details were withheld by the leak scanner; see the scenario's file";

pub(super) async fn compose(job: &Job) -> Result<Done, Failure> {
    let trials = trials_of_last_build(job).await;
    let iteration = job.iteration().await;
    let mut visible = visible_failures(&trials);
    let scanner = job.scanner();
    withhold_leaks(job, &scanner, &mut visible).await?;
    let (text, disclosures) = feedback::compose(iteration, &visible, &holdout_outcomes(job, &trials));
    let held = scanner.scan(&text);
    if !held.is_empty() {
        // Only themes are left in the text: a person has put a holdout's words into its theme.
        job.caught("feedback", held.into_iter().collect()).await?;
        return Err(Failure::permanent(
            "the feedback holds text of a holdout: reword the theme of the holdouts named in the incident",
        ));
    }
    let event = FeedbackComposed { action: job.action.id.clone(), iteration, text, disclosures };
    job.journal.record(event).await?;
    Ok(done(json!({ "iteration": iteration })))
}

/// The first failure of each visible scenario.
fn visible_failures(trials: &[TrialFinished]) -> Vec<VisibleFailure> {
    let mut failures = BTreeMap::new();
    for trial in
        trials.iter().filter(|trial| trial.suite == Suite::Visible && trial.verdict == TrialVerdict::Unsatisfied)
    {
        failures.entry(&trial.scenario).or_insert_with(|| VisibleFailure {
            scenario: trial.scenario.clone(),
            requirements: trial.requirements.clone(),
            failure: trial.failure.clone().unwrap_or_default(),
        });
    }
    failures.into_values().collect()
}

/// The tested software prints what it likes, and a failure quotes it: so each is scanned before it goes back.
async fn withhold_leaks(job: &Job, scanner: &LeakScanner, failures: &mut [VisibleFailure]) -> Result<(), Failure> {
    for failed in failures {
        let held = scanner.scan(&failed.failure);
        if !held.is_empty() {
            WITHHELD.clone_into(&mut failed.failure);
            job.caught("feedback", held.into_iter().collect()).await?;
        }
    }
    Ok(())
}

fn holdout_outcomes(job: &Job, trials: &[TrialFinished]) -> Vec<HoldoutOutcome> {
    let mut outcomes: BTreeMap<&str, HoldoutOutcome> = BTreeMap::new();
    for trial in trials.iter().filter(|trial| trial.suite == Suite::Holdout) {
        let satisfied = match trial.verdict {
            TrialVerdict::Satisfied => 1,
            TrialVerdict::Unsatisfied => 0,
            TrialVerdict::Unjudged | TrialVerdict::Infra => continue,
        };
        let theme = job.seed.holdout(&trial.scenario).and_then(|scenario| scenario.theme.as_deref()).unwrap_or("other");
        let outcome = outcomes.entry(&trial.scenario).or_insert_with(|| HoldoutOutcome {
            theme: theme.to_owned(),
            requirements: trial.requirements.clone(),
            trials: 0,
            satisfied: 0,
        });
        outcome.trials += 1;
        outcome.satisfied += satisfied;
    }
    outcomes.into_values().collect()
}
