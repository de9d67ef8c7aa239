//! Runs scenarios against the built tree, each trial in a sandbox of its own, and writes every trial down as it ends.
//!
//! A holdout's record goes to the sealed stream; the run's own stream gets its alias and its verdict.

use std::{collections::BTreeSet, fs, sync::Arc};

use async_trait::async_trait;
use harness::{Observer, Plan, TrialRecord};
use model::{
    event::{
        Body,
        grade::{ControlProved, SuiteScored, TrialFinished, TrialVerdict},
    },
    hash::Digest,
    verdict::Suite,
};
use serde_json::json;
use tokio::sync::Mutex;

use super::{Done, Failure, Job, done};
use crate::{Error, gate, launcher::SandboxLauncher, model_hub};

/// Every scenario must be red on a nop and on a canned 200.
pub(super) async fn prove(job: &Job) -> Result<Done, Failure> {
    let mut unsound = Vec::new();
    for (suite, scenarios) in [(Suite::Visible, &job.seed.visible), (Suite::Holdout, &job.seed.holdout)] {
        let options = harness::controls::Options { jobs: job.factory.jobs, seed: job.seed.settings.seed };
        let results = harness::controls::prove(scenarios, &job.seed.subject, &options).await.map_err(Failure::transient)?;
        for result in results {
            let scenario = told_name(job, suite, &result.scenario);
            if !result.sound {
                unsound.push(scenario.clone());
            }
            let finding = result.finding.filter(|_| !result.sound);
            let event = ControlProved { action: job.action.id.clone(), suite, scenario, sound: result.sound, finding };
            job.journal.record(event).await?;
        }
    }
    Ok(done(json!({ "sound": unsound.is_empty(), "unsound": unsound })))
}

/// What a scenario is called in the run's own stream.
fn told_name(job: &Job, suite: Suite, scenario: &str) -> String {
    match suite {
        Suite::Visible => scenario.to_owned(),
        Suite::Holdout => job.seed.alias(scenario).unwrap_or("holdout").to_owned(),
    }
}

pub(super) async fn grade(job: &Job) -> Result<Done, Failure> {
    let suite: Suite = serde_json::from_value(job.action.input["suite"].clone())
        .map_err(|_| Failure::permanent("a harness node needs `with: { suite: visible | holdout | controls }`"))?;
    let fresh = job.action.input["fresh"] == true;
    let tree = job.built_tree().await?;
    let satisfaction = job.seed.spec.satisfaction;
    let (first, trials) = if fresh { (satisfaction.trials, satisfaction.stability_trials) } else { (0, satisfaction.trials) };
    let recorder = Recorder { job, suite, error: Mutex::new(None) };
    let launcher = SandboxLauncher::new(Arc::clone(&job.factory));
    let hub = model_hub::open(job).await?;
    let trials_dir = job.dir().trials(&job.action.id);
    fs::create_dir_all(&trials_dir).map_err(|error| Failure::transient(format!("{}: {error}", trials_dir.display())))?;
    let plan = Plan {
        suite: match suite {
            Suite::Visible => job.seed.visible.clone(),
            Suite::Holdout => job.seed.holdout.clone(),
        },
        subject: job.seed.subject.clone(),
        root: job.dir().tree(tree),
        work_dir: trials_dir,
        first_trial: first,
        trials,
        seed: trial_seed(job, tree),
        jobs: job.factory.jobs,
        done: earlier_trials(job).await,
        stop_early: false,
        confidence: satisfaction.confidence,
    };
    let ran = harness::run(plan, &launcher, Some(hub.ask()), &recorder).await;
    if let Some(error) = recorder.error.into_inner().await {
        return Err(error.into());
    }
    ran.map_err(Failure::transient)?;
    let trials: Vec<_> = super::gate::graded(job).await.into_iter().filter(|trial| trial.suite == suite && trial.fresh == fresh).collect();
    let score = gate::score(&satisfaction, &trials, suite);
    let output = json!({ "satisfied": score.satisfied == score.trials, "score": score });
    let event = SuiteScored { action: job.action.id.clone(), suite, iteration: job.iteration().await, tree, score };
    job.journal.record(event).await?;
    Ok(Done { output, spent: hub.spent() })
}

/// Other trees see other values: a builder cannot learn them from the trials of the tree before.
fn trial_seed(job: &Job, tree: Digest) -> u64 {
    let digest = Digest::ZERO.chain(&job.seed.settings.seed.to_le_bytes()).chain(tree.as_bytes());
    u64::from_le_bytes(*digest.as_bytes().first_chunk().expect("32 bytes hold 8"))
}

/// Trials of this action that an earlier worker has finished.
async fn earlier_trials(job: &Job) -> Vec<TrialRecord> {
    let sealed = job.journal.sealed().await;
    let own = job.journal.events().await;
    let events = own.iter().map(|event| &event.body).chain(sealed.iter().map(|event| &event.body));
    let mine = events.filter_map(|event| match event {
        Body::TrialFinished(trial) if trial.action == job.action.id => trial.record.clone(),
        _ => None,
    });
    mine.filter_map(|record| serde_json::from_value(record).ok()).collect()
}

/// Writes trials down. The first failed write ends the grading: a trial that is not in the log does not count.
struct Recorder<'a> {
    job: &'a Job,
    suite: Suite,
    error: Mutex<Option<Error>>,
}

impl Recorder<'_> {
    async fn record(&self, record: &TrialRecord) -> Result<(), Error> {
        let whole = TrialFinished {
            action: self.job.action.id.clone(),
            suite: self.suite,
            scenario: record.scenario.clone(),
            requirements: record.requirements.clone(),
            trial: record.trial,
            verdict: verdict(record),
            failure: record.failure.as_ref().map(ToString::to_string),
            duration_ms: record.duration_ms,
            record: Some(serde_json::to_value(record).expect("a record is plain data")),
        };
        if self.suite == Suite::Visible {
            return self.job.journal.record(whole).await;
        }
        let scenario = told_name(self.job, self.suite, &record.scenario);
        let told = TrialFinished { scenario, failure: None, record: None, ..whole.clone() };
        let key = format!("{}/{}/{}", self.job.action.id, record.scenario, record.trial);
        // Sealed first: a trial that counts has its evidence.
        self.job.journal.seal(whole, key).await?;
        self.job.journal.record(told).await
    }
}

fn verdict(record: &TrialRecord) -> TrialVerdict {
    match record.verdict {
        harness::Verdict::Satisfied => TrialVerdict::Satisfied,
        harness::Verdict::Unsatisfied => TrialVerdict::Unsatisfied,
        harness::Verdict::Unjudged => TrialVerdict::Unjudged,
        harness::Verdict::Infra => TrialVerdict::Infra,
    }
}

#[async_trait]
impl Observer for Recorder<'_> {
    async fn trial_finished(&self, record: &TrialRecord) {
        let mut error = self.error.lock().await;
        if error.is_none() {
            *error = self.record(record).await.err();
        }
    }
}
