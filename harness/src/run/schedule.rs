//! Which trial runs when. Trials are futures of one task: dropping it ends them all.

use std::{
    collections::{BTreeMap, HashSet},
    time::Instant,
};

use futures::{StreamExt as _, stream::FuturesUnordered};

use super::{Gate, Observer, Plan, RunError, StopEarly};
use crate::{
    record::{Failure, TrialRecord, Verdict},
    report::{Report, Roster, Tally},
    scenario::Scenario,
    step::Actor,
    subject::{ExecRequest, Exit, TreeAccess},
    trial::Trial,
};

const ATTEMPTS_MAX: u32 = 2; // an invalid trial is tried once more, then listed
const BUILD_OUTPUT_BYTES_MAX: usize = 256 * 1024; // of each stream; the end is what gets shown

pub(super) async fn execute(plan: &Plan, actor: Actor<'_>, observer: &dyn Observer) -> Result<Report, RunError> {
    if plan.suite.scenarios.is_empty() || plan.trials == 0 {
        return Err(RunError::Empty { reason: "no scenario is selected, or zero trials are asked for" });
    }
    let started = Instant::now();
    let done = done(plan);
    let mut tally = Tally::new(Roster::of(plan));
    done.iter().for_each(|record| tally.add(record));
    let open = open(plan, &done);
    let broken_build = if open.is_empty() { None } else { build(plan, actor).await? };
    let broken_build = broken_build.as_ref();
    let trial = |(scenario, number)| Trial {
        suite: plan.suite.kind,
        scenario,
        subject: &plan.subject,
        root: &plan.root,
        actor,
        observer,
        seed: plan.seed,
        number,
        attempt: 1,
    };
    let mut open = open.into_iter();
    let mut running = FuturesUnordered::new();
    loop {
        let free = plan.jobs.max(1) - running.len();
        running.extend(open.by_ref().take(free).map(|next| attempted(trial(next), broken_build)));
        let Some(record) = running.next().await else { break };
        tally.add(&record.map_err(RunError::Observer)?);
        if plan.stop_early == StopEarly::WhenHopeless && is_hopeless(plan, &tally) {
            break;
        }
    }
    drop(running);
    Ok(tally.report(started.elapsed()))
}

/// Records of an earlier part of this run that still belong to the plan; each trial counts once.
fn done(plan: &Plan) -> Vec<&TrialRecord> {
    let slugs: HashSet<_> = plan.suite.scenarios.iter().map(|scenario| scenario.slug.as_str()).collect();
    let mut seen = HashSet::new();
    let fits = |record: &&TrialRecord| {
        record.suite == plan.suite.kind
            && slugs.contains(record.scenario.as_str())
            && (1..=plan.trials).contains(&record.trial)
    };
    plan.done.iter().filter(fits).filter(|record| seen.insert(record.id())).collect()
}

/// First trials of all scenarios before second ones: what is broken shows early.
fn open<'a>(plan: &'a Plan, records: &[&TrialRecord]) -> Vec<(&'a Scenario, u32)> {
    let done: HashSet<_> = records.iter().map(|record| (record.scenario.as_str(), record.trial)).collect();
    let all = (1..=plan.trials).flat_map(|n| plan.suite.scenarios.iter().map(move |scenario| (scenario.as_ref(), n)));
    all.filter(|(scenario, n)| !done.contains(&(scenario.slug.as_str(), *n))).collect()
}

async fn attempted(mut trial: Trial<'_>, broken_build: Option<&Failure>) -> Result<TrialRecord, super::ObserverError> {
    trial.observer.trial_started(&trial.id()).await;
    let record = match broken_build {
        Some(failure) => trial.unbuilt(failure.clone()),
        None => loop {
            let record = trial.run().await;
            if record.verdict != Verdict::Infra || trial.attempt == ATTEMPTS_MAX {
                break record;
            }
            trial.attempt += 1;
        },
    };
    trial.observer.trial_finished(&record).await?;
    Ok(record)
}

/// Builds the tree once. A build that fails is the subject's failure in every trial.
async fn build(plan: &Plan, actor: Actor<'_>) -> Result<Option<Failure>, RunError> {
    let Some(build) = &plan.subject.build else { return Ok(None) };
    let folder = tempfile::tempdir().map_err(|error| crate::subject::LaunchError::Machine {
        program: "build".to_owned(),
        reason: error.to_string(),
    })?;
    let request = ExecRequest {
        argv: build.argv.clone(),
        env: BTreeMap::new(),
        env_allow: plan.subject.env_allow.clone(),
        root: plan.root.clone(),
        access: TreeAccess::ReadWrite,
        cwd: std::path::PathBuf::new(),
        data_dir: folder.path().join("data"),
        egress: Vec::new(),
        stdin: Vec::new(),
        timeout: build.timeout,
        output_bytes_max: BUILD_OUTPUT_BYTES_MAX,
    };
    let (observed, words) = match actor.launcher.exec(request).await {
        Ok(output) if output.exit == Exit::Code(0) => return Ok(None),
        Ok(output) => {
            let text =
                [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
            (output.exit.to_string(), end_of(&text).to_owned())
        }
        Err(error) if error.is_infra() => return Err(error.into()),
        Err(error) => (error.to_string(), String::new()),
    };
    let message = format!("the build ended with {observed}\n{words}");
    let expected = Some(Exit::Code(0).to_string());
    Ok(Some(Failure { step: 0, name: "build".to_owned(), message, expected, observed: Some(observed) }))
}

fn end_of(text: &str) -> &str {
    const SHOWN_BYTES_MAX: usize = 4 * 1024; // some fifty lines
    text.trim_end()
        .get(text.ceil_char_boundary(text.trim_end().len().saturating_sub(SHOWN_BYTES_MAX))..)
        .unwrap_or(text)
}

fn is_hopeless(plan: &Plan, tally: &Tally) -> bool {
    let open = tally.cells().map(|(cell, run)| (cell, plan.trials.saturating_sub(run)));
    Gate::is_hopeless(plan.gate, &open.collect::<Vec<_>>())
}
