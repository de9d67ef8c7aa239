//! Runs scenarios against the built tree, each start in a sandbox of its own, and writes every trial down as it ends.
//!
//! A holdout's record goes to the sealed stream; the run's own stream gets its alias and its verdict.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    sync::Arc,
};

use async_trait::async_trait;
use harness::{Gate, Observer, ObserverError, Plan, StopEarly, TrialRecord, controls::ControlResult};
use model::{
    budget::Spend,
    event::{
        Body,
        grade::{ControlProved, SuiteScored, TrialFinished, TrialVerdict},
    },
    hash::Digest,
    verdict::Suite,
};
use serde_json::json;

use super::{Done, Failure, Job, done, on_disk};
use crate::{Error, gate, launcher::SandboxLauncher, model_hub};

/// Every scenario must be red on a nop and on a canned 200.
pub(super) async fn prove(job: &Job) -> Result<Done, Failure> {
    let mut unsound = Vec::new();
    for (suite, scenarios) in [(Suite::Visible, &job.seed.visible), (Suite::Holdout, &job.seed.holdout)] {
        let results = harness::controls::prove(scenarios, &job.seed.subject, job.factory.jobs).await;
        for (scenario, finding) in findings(&results.map_err(Failure::transient)?) {
            let scenario = told_name(job, suite, &scenario);
            if finding.is_some() {
                unsound.push(scenario.clone());
            }
            let (action, sound) = (job.action.id.clone(), finding.is_none());
            job.journal.record(ControlProved { action, suite, scenario, sound, finding }).await?;
        }
    }
    Ok(done(json!({ "sound": unsound.is_empty(), "unsound": unsound })))
}

/// By scenario: which controls it let pass.
fn findings(results: &[ControlResult]) -> BTreeMap<String, Option<String>> {
    let mut findings: BTreeMap<String, Option<String>> = BTreeMap::new();
    for result in results {
        let finding = findings.entry(result.scenario.clone()).or_default();
        if result.is_unsound() {
            let control = match result.control {
                harness::controls::Control::Nop => "a subject that does nothing",
                harness::controls::Control::Stub => "a subject that answers everything with 200 and {}",
            };
            *finding = Some(format!("it is satisfied by {control}: assert what the software must have done"));
        }
    }
    findings
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
    let tree = job.built_tree().await?;
    let fresh = job.action.input["fresh"] == true;
    let recorder = Recorder { job, suite, first: if fresh { job.seed.spec.satisfaction.trials } else { 0 } };
    let plan = plan(job, &recorder, tree, fresh).await?;
    let launcher = SandboxLauncher::new(Arc::clone(&job.factory));
    let hub = model_hub::open(job).await?;
    let ran = harness::run(plan, &launcher, hub.as_ref().map(model_hub::ModelHub::ask), &recorder).await;
    let mut spent = Spend::default();
    if let Some(hub) = hub {
        spent = hub.judged();
        hub.close().await;
    }
    ran.map_err(failure)?;
    let mine = super::gate::graded(job).await.into_iter().filter(|trial| trial.suite == suite && trial.fresh == fresh);
    let score = gate::score(&job.seed.spec.satisfaction, &mine.collect::<Vec<_>>(), suite);
    if let Some(reason) = launcher.unable().filter(|_| score.trials == 0) {
        // Another build could not change that, and would cost.
        return Err(Failure { spent, ..Failure::transient(format!("no trial could be run: {reason}")) });
    }
    let output = json!({ "all": score.satisfied == score.trials, "score": score });
    let event = SuiteScored { action: job.action.id.clone(), suite, iteration: job.iteration().await, tree, score };
    job.journal.record(event).await?;
    Ok(Done { output, spent })
}

/// A record that could not be written is the log's failure, not the suite's.
fn failure(error: harness::RunError) -> Failure {
    match error {
        harness::RunError::Observer(cause) => match cause.downcast::<Error>() {
            Ok(error) => (*error).into(),
            Err(cause) => Failure::transient(cause),
        },
        other => Failure::transient(other),
    }
}

async fn plan(job: &Job, recorder: &Recorder<'_>, tree: Digest, fresh: bool) -> Result<Plan, Failure> {
    let satisfaction = job.seed.spec.satisfaction;
    Ok(Plan {
        suite: match recorder.suite {
            Suite::Visible => job.seed.visible.clone(),
            Suite::Holdout => job.seed.holdout.clone(),
        },
        subject: job.seed.subject.clone(),
        root: copy_of(job, tree).await?,
        trials: if fresh { satisfaction.stability_trials } else { satisfaction.trials },
        seed: trial_seed(job, tree, fresh),
        jobs: job.factory.jobs,
        done: recorder.earlier().await?,
        gate: Gate::LowerBound { target: satisfaction.target, confidence: satisfaction.confidence },
        stop_early: StopEarly::Never,
    })
}

/// A copy of its own for each grading: a build writes into it, and the tree must stay as it was.
async fn copy_of(job: &Job, tree: Digest) -> Result<PathBuf, Failure> {
    let (tree, copy) = (job.dir().tree(tree), job.dir().trials(&job.action.id));
    let io = |error: std::io::Error| Failure::transient(format!("{}: {error}", copy.display()));
    if copy.exists() {
        fs::remove_dir_all(&copy).map_err(io)?;
    }
    fs::create_dir_all(copy.parent().expect("it lies in the run's folder")).map_err(io)?;
    let target = copy.clone();
    on_disk(move || sandbox::hydrate(&tree, &target, &sandbox::Exclude::nothing())).await?;
    Ok(copy)
}

/// Other trees and fresh trials see other values: nobody can learn them from the trials before.
fn trial_seed(job: &Job, tree: Digest, fresh: bool) -> u64 {
    let seed = job.seed.settings.seed.to_le_bytes();
    let digest = Digest::ZERO.chain(&seed).chain(tree.as_bytes()).chain(&[u8::from(fresh)]);
    u64::from_le_bytes(*digest.as_bytes().first_chunk().expect("32 bytes hold 8"))
}

/// Writes trials down; a trial that is not in the log does not count.
struct Recorder<'a> {
    job: &'a Job,
    suite: Suite,
    /// Fresh trials are numbered on from here.
    first: u32,
}

impl Recorder<'_> {
    /// Trials of this action that an earlier worker has finished.
    async fn earlier(&self) -> Result<Vec<TrialRecord>, Error> {
        let told = self.mine(self.job.bodies().await);
        let whole = match self.suite {
            Suite::Visible => told,
            Suite::Holdout => self.sealed_and_told(told).await?,
        };
        let records = whole.into_iter().filter_map(|trial| serde_json::from_value(trial.record?).ok());
        Ok(records.collect())
    }

    fn mine(&self, bodies: impl IntoIterator<Item = Body>) -> Vec<TrialFinished> {
        let trial = |body| match body {
            Body::TrialFinished(trial) if trial.action == self.job.action.id => Some(trial),
            _ => None,
        };
        bodies.into_iter().filter_map(trial).collect()
    }

    /// A worker that died between sealing a trial and telling it has left it untold.
    async fn sealed_and_told(&self, told: Vec<TrialFinished>) -> Result<Vec<TrialFinished>, Error> {
        let told: BTreeSet<_> = told.into_iter().map(|trial| (trial.scenario, trial.trial)).collect();
        let sealed = self.job.journal.sealed(&self.job.factory.store).await?;
        let sealed = self.mine(sealed.into_iter().map(|event| event.body));
        for trial in &sealed {
            let alias = told_name(self.job, self.suite, &trial.scenario);
            if !told.contains(&(alias, trial.trial)) {
                self.job.journal.record(self.without_secrets(trial)).await?;
            }
        }
        Ok(sealed)
    }

    async fn record(&self, record: &TrialRecord) -> Result<(), Error> {
        let whole = TrialFinished {
            action: self.job.action.id.clone(),
            suite: self.suite,
            scenario: record.scenario.clone(),
            requirements: record.requirements.clone(),
            trial: self.first + record.trial,
            verdict: verdict(record),
            failure: record.failure.as_ref().map(in_words),
            duration_ms: record.duration_ms,
            record: Some(serde_json::to_value(record).expect("a record is plain data")),
        };
        if self.suite == Suite::Visible {
            return self.job.journal.record(whole).await;
        }
        // Sealed first: a trial that counts has its evidence.
        let key = format!("{}/{}/{}", self.job.action.id, whole.scenario, whole.trial);
        self.job.journal.seal(whole.clone(), key).await?;
        self.job.journal.record(self.without_secrets(&whole)).await
    }

    /// What the run's own stream may say of a holdout.
    fn without_secrets(&self, whole: &TrialFinished) -> TrialFinished {
        let scenario = told_name(self.job, self.suite, &whole.scenario);
        TrialFinished { scenario, failure: None, record: None, ..whole.clone() }
    }
}

fn in_words(failure: &harness::Failure) -> String {
    // The message says what was expected and what came.
    format!("step {} \"{}\": {}", failure.step, failure.name, failure.message)
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
    async fn trial_finished(&self, record: &TrialRecord) -> Result<(), ObserverError> {
        Ok(self.record(record).await?)
    }
}
