//! Runs scenarios against the built tree, each start in a sandbox of its own, and writes every trial down as it ends.
//!
//! A holdout's record goes to the sealed stream; the run's own stream gets its alias and its verdict.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use harness::{
    Gate, Observer, ObserverError, Plan, Scratch, TrialRecord,
    controls::{Control, ControlResult, Soundness},
};
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

/// Of all steps of one trial, as JSON: with everything else of a record it fits an event.
const EVIDENCE_BYTES_MAX: usize = 512 * 1024;

/// Every scenario must be red on a nop and on a canned 200. That takes half a second for twenty scenarios, so a worker that
/// takes over runs them all again; what is told already is not told twice.
pub(super) async fn prove(job: &Job) -> Result<Done, Failure> {
    let told: BTreeSet<_> = told_controls(job).await.into_iter().collect();
    let mut unsound = Vec::new();
    for (suite, scenarios) in [(Suite::Visible, &job.seed.visible), (Suite::Holdout, &job.seed.holdout)] {
        let results = harness::controls::prove(scenarios, &job.seed.subject, job.factory.jobs).await;
        for (scenario, finding) in findings(&results.map_err(Failure::transient)?)? {
            let scenario = told_name(job, suite, &scenario);
            if finding.is_some() {
                unsound.push(scenario.clone());
            }
            if told.contains(&(suite, scenario.clone())) {
                continue;
            }
            let (action, sound) = (job.action.id.clone(), finding.is_none());
            job.journal.record(ControlProved { action, suite, scenario, sound, finding }).await?;
        }
    }
    Ok(done(json!({ "sound": unsound.is_empty(), "unsound": unsound })))
}

/// What an earlier worker has written of this action.
async fn told_controls(job: &Job) -> Vec<(Suite, String)> {
    let told = |body: &Body| match body {
        Body::ControlProved(proved) if proved.action == job.action.id => Some((proved.suite, proved.scenario.clone())),
        _ => None,
    };
    job.journal.all(told).await
}

/// By scenario: which controls it let pass.
///
/// # Errors
/// Where the machine kept a control from running: that proves nothing either way.
fn findings(results: &[ControlResult]) -> Result<BTreeMap<String, Option<String>>, Failure> {
    let mut findings: BTreeMap<String, Option<String>> = BTreeMap::new();
    for result in results {
        let finding = findings.entry(result.scenario.clone()).or_default();
        match result.soundness() {
            Soundness::Sound => {}
            Soundness::Unproven => {
                return Err(Failure::transient(format!("the controls could not run: {}", result.message)));
            }
            Soundness::Unsound => {
                let control = match result.control {
                    Control::Nop => "a subject that does nothing",
                    Control::Stub => "a subject that answers everything with 200 and {}",
                };
                *finding = Some(format!("it is satisfied by {control}: assert what the software must have done"));
            }
        }
    }
    Ok(findings)
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
    let _alone = job.seed.grading.lock().await;
    let tree = job.built_tree().await?;
    let fresh = job.action.input["fresh"] == true;
    let recorder = Recorder { job, suite, first: if fresh { job.seed.spec.satisfaction.trials } else { 0 } };
    let copy = copy_of(job, tree).await?;
    let plan = plan(job, &recorder, tree, root_of(&copy), fresh).await?;
    let launcher = SandboxLauncher::new(Arc::clone(&job.factory));
    let hub = model_hub::open(job).await?;
    let ran = harness::run(plan, &launcher, hub.as_ref().map(model_hub::ModelHub::ask), &recorder).await;
    drop(copy);
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

async fn plan(job: &Job, recorder: &Recorder<'_>, tree: Digest, root: PathBuf, fresh: bool) -> Result<Plan, Failure> {
    let satisfaction = job.seed.spec.satisfaction;
    let suite = match recorder.suite {
        Suite::Visible => job.seed.visible.clone(),
        Suite::Holdout => job.seed.holdout.clone(),
    };
    Ok(Plan {
        trials: if fresh { satisfaction.stability_trials } else { satisfaction.trials },
        seed: trial_seed(job, tree, fresh),
        jobs: job.factory.jobs,
        expected: expected(job, recorder.suite).await,
        done: recorder.earlier().await?.into(),
        gate: Gate::LowerBound { target: satisfaction.target, confidence: satisfaction.confidence },
        ..Plan::new(suite, job.seed.subject.clone(), root)
    })
}

/// How long the trials of the gradings before took.
async fn expected(job: &Job, suite: Suite) -> BTreeMap<String, Duration> {
    let told = |body: &Body| match body {
        Body::TrialFinished(trial) if trial.suite == suite => Some((trial.scenario.clone(), trial.duration_ms)),
        _ => None,
    };
    let slug = |name: String| match suite {
        Suite::Visible => Some(name),
        Suite::Holdout => job.seed.holdout(&name).map(|scenario| scenario.slug.clone()),
    };
    let told = job.journal.all(told).await.into_iter();
    told.filter_map(|(name, took_ms)| Some((slug(name)?, Duration::from_millis(took_ms)))).collect()
}

/// A copy of its own for each grading: a build writes into it, and the tree must stay as it was. Its name is random,
/// since a subject reads the host's path in its `/proc/self/mountinfo`: it must not tell which suite is running.
async fn copy_of(job: &Job, tree: Digest) -> Result<Scratch, Failure> {
    let trials = job.dir().trials();
    let io = |error: std::io::Error| Failure::transient(format!("{}: {error}", trials.display()));
    fs::create_dir_all(&trials).map_err(io)?;
    let folder = Scratch::new_in(&trials).map_err(io)?;
    let (tree, root) = (job.dir().tree(tree), root_of(&folder));
    on_disk(move || {
        Scratch::sweep(&trials);
        sandbox::hydrate(&tree, &root, &sandbox::Exclude::nothing())
    })
    .await?;
    Ok(folder)
}

/// One level down: the sandbox's user must be able to enter it, and nobody may enter the folder around it.
fn root_of(copy: &Scratch) -> PathBuf {
    copy.path().join("tree")
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
        let told = self.job.journal.all(|body| self.mine(body)).await;
        let whole = match self.suite {
            Suite::Visible => told,
            Suite::Holdout => self.sealed_and_told(told).await?,
        };
        let read = |trial: TrialFinished| {
            let (scenario, number) = (trial.scenario, trial.trial);
            serde_json::from_value(trial.record.unwrap_or_default())
                .map_err(|_| Error::Unreadable { scenario, trial: number })
        };
        whole.into_iter().map(read).collect()
    }

    fn mine(&self, body: &Body) -> Option<TrialFinished> {
        match body {
            Body::TrialFinished(trial) if trial.action == self.job.action.id => Some(trial.clone()),
            _ => None,
        }
    }

    /// A worker that died between sealing a trial and telling it has left it untold.
    async fn sealed_and_told(&self, told: Vec<TrialFinished>) -> Result<Vec<TrialFinished>, Error> {
        let told: BTreeSet<_> = told.into_iter().map(|trial| (trial.scenario, trial.trial)).collect();
        let sealed = self.job.journal.sealed(&self.job.factory.store).await?;
        let sealed: Vec<_> = sealed.iter().filter_map(|event| self.mine(&event.body)).collect();
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
            record: Some(serde_json::to_value(bounded(record)).expect("a record is plain data")),
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

/// The record with its largest evidence left out, one step after the other, until an event can hold it.
fn bounded(record: &TrialRecord) -> TrialRecord {
    let size = |value: &serde_json::Value| value.to_string().len();
    let mut record = record.clone();
    let mut sizes: Vec<usize> = record.steps.iter().map(|step| size(&step.evidence)).collect();
    while sizes.iter().sum::<usize>() > EVIDENCE_BYTES_MAX {
        let largest = (0..sizes.len()).max_by_key(|step| sizes[*step]).expect("a sum above 0 has parts");
        record.steps[largest].evidence = json!({ "left_out": format!("{} bytes of evidence", sizes[largest]) });
        sizes[largest] = size(&record.steps[largest].evidence);
    }
    record
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
