//! Which trial runs when. Trials are futures of one task: dropping it ends them all. What is held does not grow with
//! their number: at most `jobs` run, and a few more wait until their records are durable.

use std::{any::Any, collections::HashMap, panic::AssertUnwindSafe, time::Instant};

use futures::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};

use super::{
    Earlier, Observer, Plan, RunError, StopEarly,
    build::build,
    queue::{Finished, Order, Queue},
};
use crate::{
    record::{Failure, TrialRecord, Verdict},
    report::{Report, Roster, Tally},
    step::Actor,
    trial::{Logs, Seats, Trial},
};

const ATTEMPTS_MAX: u32 = 2; // an invalid trial is tried once more, then listed
const KEEPING_MAX: usize = 64; // records that become durable while other trials run; they share syncs of the disk

pub(super) async fn execute(
    plan: &Plan,
    done: Earlier,
    actor: Actor<'_>,
    observer: &dyn Observer,
) -> Result<Report, RunError> {
    if plan.suite.scenarios.is_empty() || plan.trials == 0 {
        return Err(RunError::Empty { reason: "no scenario is selected, or zero trials are asked for" });
    }
    let started = Instant::now();
    let mut tally = Tally::new(Roster::of(plan));
    let done = count_earlier(plan, done, &mut tally)?;
    let jobs = if plan.subject.is_one_for_all() { 1 } else { plan.jobs.max(1) };
    let order = if jobs == 1 { Order::AsInSuite } else { Order::LongestFirst };
    let mut open = Queue::new(plan, done, order);
    let broken_build = if open.is_empty() { None } else { build(plan, actor).await? };
    let broken_build = broken_build.as_ref();
    let seats = Seats::default();
    let logs = plan.logs.as_deref().map(Logs::below);
    let trial = |(position, number): (usize, u32)| Trial {
        suite: plan.suite.kind,
        scenario: &plan.suite.scenarios[position],
        subject: &plan.subject,
        root: &plan.root,
        vars: &plan.vars,
        secrets: &plan.secrets,
        logs: logs.as_ref(),
        seats: &seats,
        actor,
        observer,
        seed: plan.seed,
        number,
        attempt: 1,
    };
    let mut running = FuturesUnordered::new();
    let mut keeping = FuturesUnordered::new();
    loop {
        while running.len() < jobs && keeping.len() < KEEPING_MAX {
            let Some(next) = open.pop() else { break };
            running.push(attempted(trial(next), broken_build));
        }
        tokio::select! {
            biased;
            Some(kept) = keeping.next() => {
                let record: TrialRecord = kept?;
                tally.add(&record);
                if plan.stop_early == StopEarly::WhenHopeless && tally.is_hopeless() {
                    break;
                }
            }
            Some(record) = running.next() => {
                open.learn(&record);
                let is_last = plan.stop_early == StopEarly::AtFirstFailure && record.verdict == Verdict::Unsatisfied;
                keeping.push(keep(observer, record));
                // Not when it is durable: by then, another trial would have begun, and would count.
                if is_last {
                    break;
                }
            }
            else => break,
        }
    }
    drop(running);
    // What was handed over is kept, so it counts: a report made from the log later must say the same.
    while let Some(kept) = keeping.next().await {
        tally.add(&kept?);
    }
    drop(keeping);
    seats.close().await;
    Ok(tally.report(started.elapsed()))
}

/// Counts the records of an earlier part of this run that still belong to the plan; each trial counts once.
fn count_earlier(plan: &Plan, done: Earlier, tally: &mut Tally) -> Result<Finished, RunError> {
    let slugs = plan.suite.scenarios.iter().map(|scenario| scenario.slug.as_str());
    let positions: HashMap<_, _> = slugs.zip(0..).collect();
    let mut finished = Finished::new();
    for record in done {
        let record = record.map_err(RunError::Earlier)?;
        let Some(position) = positions.get(record.scenario.as_str()) else { continue };
        let fits = record.suite == plan.suite.kind && (1..=plan.trials).contains(&record.trial);
        if fits && finished.insert((*position, record.trial)) {
            tally.add(&record);
        }
    }
    Ok(finished)
}

async fn attempted(mut trial: Trial<'_>, broken_build: Option<&Failure>) -> TrialRecord {
    trial.observer.trial_started(&trial.id()).await;
    if let Some(failure) = broken_build {
        return trial.unbuilt(failure.clone());
    }
    loop {
        let record = contained(&trial).await;
        if record.verdict != Verdict::Infra || trial.attempt == ATTEMPTS_MAX {
            return record;
        }
        trial.attempt += 1;
    }
}

/// A panic is a mistake of ours, or of a library that reads what a subject sent. It ends its trial and not the run, and
/// is never a verdict on the subject.
async fn contained(trial: &Trial<'_>) -> TrialRecord {
    let caught = AssertUnwindSafe(trial.run()).catch_unwind().await;
    caught.unwrap_or_else(|panic| trial.broken(words(panic.as_ref())))
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it does not say why")
}

async fn keep(observer: &dyn Observer, record: TrialRecord) -> Result<TrialRecord, RunError> {
    observer.trial_finished(&record).await.map_err(RunError::Observer)?;
    Ok(record)
}
