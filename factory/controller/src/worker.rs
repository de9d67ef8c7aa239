//! Drives a run: performs its open actions until it finishes, parks, or the lease is lost.
//!
//! The worker decides nothing. What is to be done stands in the log (`action.scheduled` without `action.finished`), and
//! [`model::run::settle`] has put it there; so starting, resuming after a crash and taking over from a dead worker are
//! the same code.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use model::{
    event::{
        StreamId,
        run::{Action, ActionFinished, ActionStarted, Claimed, Finished, Outcome, Parked},
    },
    flow::NodeKind,
    id::{ActionId, RunId},
    run::{Progress, State, Status},
    verdict::Verdict,
};
use store::{Lease, LeaseError, QueueState};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, info_span, warn};

use crate::{
    Error, Factory, identity,
    journal::{Journal, now},
    perform::{self, Job},
    seed::Seed,
};

const HEARTBEAT: Duration = Duration::from_millis(2_500);
const CLAIM_AGAIN: Duration = Duration::from_millis(200);
/// Four missed heartbeats lose a run.
pub const LEASE_TTL: Duration = Duration::from_secs(10);

/// Why a worker let go of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    Finished(Finished),
    Parked(Parked),
    /// The worker was told to stop; the run goes on wherever it is claimed next.
    Released,
}

/// Performs `lease`'s run.
///
/// # Errors
/// Where the store refuses a write (the lease was lost: another worker has the run) or the seed cannot be opened.
pub async fn drive(factory: &Arc<Factory>, lease: Lease, stop: CancellationToken) -> Result<End, Error> {
    let span = info_span!("run", run.id = %lease.run, epoch = lease.epoch);
    let mut end = walk(factory, &lease, &stop).await;
    if let Err(error) = &end
        && !error.may_pass()
    {
        // Whoever claimed the run next would meet the same error, and pay for the way there.
        end = give_up(factory, &lease, error).await;
    }
    match &end {
        Ok(End::Finished(_)) => factory.store.finish(&lease).await?,
        Ok(End::Parked(_)) => factory.store.park(&lease).await?,
        Ok(End::Released) => factory.store.release(&lease).await?,
        // Whoever claims it next goes on; a lost lease is not ours to release.
        Err(error) => warn!(parent: &span, %error, "the run was let go"),
    }
    end
}

/// Ends a run that no worker can go on with, and says why in its log.
async fn give_up(factory: &Arc<Factory>, lease: &Lease, error: &Error) -> Result<End, Error> {
    let journal = Journal::open(&factory.store, lease).await?;
    let state = journal.state().await;
    if let Status::Finished(finished) = state.status {
        return Ok(End::Finished(finished));
    }
    let reason = error.to_string();
    let finished = Finished { verdict: Verdict::Infrastructure, reason, spent: state.spent, at: now() };
    journal.record(finished.clone()).await?;
    Ok(End::Finished(finished))
}

/// What came of waiting for a run.
#[derive(Debug)]
pub enum Turn {
    /// It is ours now, to be driven.
    Ours(Lease),
    /// Another worker has finished it, or nobody waits any more.
    Over(End),
}

/// Takes over a run, wherever it stands. Where another worker performs it, waits for the end of that: it may be the run's.
/// A dead worker's lease is ended at once where its death can be seen from here, and is waited for elsewhere.
///
/// # Errors
/// Where the log knows no such run, or the store does not answer.
pub async fn take_turn(factory: &Factory, run: &RunId, stop: &CancellationToken) -> Result<Turn, Error> {
    let known = factory.store.run(run).await?.ok_or_else(|| Error::NotARun(run.clone()))?;
    // A process that died between `run.created` and its place in the queue has left this to us.
    factory.store.enqueue(run, &known.workspace).await?;
    loop {
        if let Some(finished) = finished(factory, run).await? {
            return Ok(Turn::Over(End::Finished(finished)));
        }
        if let Some(lease) = factory.store.claim_run(run, &factory.worker, LEASE_TTL).await? {
            return Ok(Turn::Ours(lease));
        }
        if evict_dead(factory, run).await? {
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(CLAIM_AGAIN) => {}
            () = stop.cancelled() => return Ok(Turn::Over(End::Released)),
        }
    }
}

/// Takes over a run that nobody works on.
///
/// # Errors
/// Where it is finished, or a living worker has it.
async fn claim(factory: &Factory, run: &RunId) -> Result<Lease, Error> {
    let not_now = || Error::NotClaimable(run.clone());
    let stop = CancellationToken::new();
    let waiting = tokio::time::timeout(LEASE_TTL + HEARTBEAT, take_turn(factory, run, &stop));
    match waiting.await.map_err(|_| not_now())?? {
        Turn::Ours(lease) => Ok(lease),
        Turn::Over(_) => Err(not_now()),
    }
}

/// Takes over the run that has waited longest. One whose worker is seen to be dead waits no more for its lease to end;
/// workers of other machines are given that time.
///
/// # Errors
/// Where the store does not answer.
pub async fn claim_next(factory: &Factory) -> Result<Option<Lease>, Error> {
    for (run, holder) in factory.store.holders().await? {
        if identity::is_dead(&holder) {
            factory.store.evict(&run, &holder).await?;
        }
    }
    Ok(factory.store.claim(&factory.worker, LEASE_TTL).await?)
}

/// How a run ended, if it has. The queue is asked first, since an end in the log alone is somebody's to tidy up.
async fn finished(factory: &Factory, run: &RunId) -> Result<Option<Finished>, Error> {
    if factory.store.queue_state(run).await? != Some(QueueState::Done) {
        return Ok(None);
    }
    let events = factory.store.all_events(&StreamId::run(run)).await?;
    let state = State::replay(events.iter().map(|event| &event.body)).ok_or_else(|| Error::NotARun(run.clone()))?;
    Ok(if let Status::Finished(finished) = state.status { Some(finished) } else { None })
}

/// True where the run's holder is dead, and the run is free now.
async fn evict_dead(factory: &Factory, run: &RunId) -> Result<bool, Error> {
    let holder = factory.store.holder(run).await?.filter(|holder| identity::is_dead(holder));
    match holder {
        Some(dead) => Ok(factory.store.evict(run, &dead).await?),
        None => Ok(false),
    }
}

/// Answers the question that a run waits with.
///
/// # Errors
/// Where it asks none, or not this.
pub async fn answer(factory: &Factory, run: &RunId, answer: &str) -> Result<(), Error> {
    let lease = claim(factory, run).await?;
    let journal = Journal::open(&factory.store, &lease).await?;
    let Status::Parked(parked) = journal.state().await.status else {
        factory.store.release(&lease).await?;
        return Err(Error::NoQuestion { run: run.clone() });
    };
    if !parked.choices.is_empty() && !parked.choices.iter().any(|choice| choice == answer) {
        factory.store.park(&lease).await?;
        return Err(Error::NoSuchChoice { run: run.clone(), answer: answer.to_owned(), choices: parked.choices });
    }
    journal.record(model::run::answered(parked.action, answer, now())).await?;
    Ok(factory.store.release(&lease).await?)
}

/// Holds the lease; returns why that is over. A database that is away is asked again for as long as the lease may hold.
async fn heartbeat(factory: &Factory, lease: &Lease) -> LeaseError {
    let mut held_until = Instant::now() + LEASE_TTL;
    let mut pause = HEARTBEAT;
    loop {
        tokio::time::sleep(pause).await;
        let beaten = Instant::now();
        match factory.store.heartbeat(lease, LEASE_TTL).await {
            Ok(()) => (held_until, pause) = (beaten + LEASE_TTL, HEARTBEAT),
            Err(LeaseError::Store(error)) if Instant::now() < held_until => {
                warn!(run.id = %lease.run, %error, "the heartbeat failed");
                pause = CLAIM_AGAIN;
            }
            Err(lost) => return lost,
        }
    }
}

async fn walk(factory: &Arc<Factory>, lease: &Lease, stop: &CancellationToken) -> Result<End, Error> {
    let mut running = JoinSet::new();
    let end = tokio::select! {
        end = perform_all(factory, lease, stop, &mut running) => end,
        lost = heartbeat(factory, lease) => Err(lost.into()),
    };
    // Whoever claims the run next must not meet an action of ours that is still alive.
    running.shutdown().await;
    end
}

async fn perform_all(
    factory: &Arc<Factory>,
    lease: &Lease,
    stop: &CancellationToken,
    running: &mut JoinSet<(ActionId, Result<(), Error>)>,
) -> Result<End, Error> {
    let journal = Journal::open(&factory.store, lease).await?;
    if let Status::Finished(finished) = journal.state().await.status {
        // A worker died between writing the end and leaving the queue.
        return Ok(End::Finished(finished));
    }
    let claimed = Claimed { worker: factory.worker.clone(), epoch: lease.epoch, at: now() };
    journal.record(claimed).await?;
    let seed = Arc::new(Seed::open(&factory.home, &journal.state().await.created)?);
    let mut busy = BTreeSet::new();
    loop {
        let state = journal.state().await;
        match &state.status {
            Status::Finished(finished) if running.is_empty() => return Ok(End::Finished(finished.clone())),
            Status::Parked(parked) if running.is_empty() => return Ok(End::Parked(parked.clone())),
            Status::Finished(_) | Status::Parked(_) => {}
            Status::Active => {
                for open in state.open_actions() {
                    if !busy.insert(open.action.id.clone()) {
                        continue;
                    }
                    let job = Job::new(factory, &journal, &seed, open.action.clone());
                    let started = open.progress != Progress::Scheduled;
                    let id = open.action.id.clone();
                    let span = info_span!("action", action.id = %id);
                    running.spawn(async move { (id, act(job, started).await) }.instrument(span));
                }
            }
        }
        tokio::select! {
            done = running.join_next() => match done {
                Some(Ok((id, result))) => {
                    busy.remove(&id);
                    result?;
                }
                Some(Err(panic)) => return Err(Error::Performer(panic.to_string())),
                None => return Err(Error::NothingToDo(lease.run.clone())),
            },
            () = stop.cancelled() => {
                // Nothing may still be at work, or write, once the run is somebody else's.
                running.shutdown().await;
                return Ok(End::Released);
            }
        }
    }
}

/// One action: started once in the log, performed, finished once in the log.
async fn act(job: Job, started: bool) -> Result<(), Error> {
    if job.action.kind == NodeKind::Human {
        return park(&job).await;
    }
    if !started {
        tokio::time::sleep(Duration::from_millis(job.action.delay_ms)).await;
        let worker = job.factory.worker.clone();
        job.journal.record(ActionStarted { action: job.action.id.clone(), worker, at: now() }).await?;
    }
    let (outcome, spent) = match perform::perform(&job).await {
        Ok(done) => (Outcome::Succeeded { output: done.output }, done.spent),
        // The write was refused or the store is gone: there is nothing to record it in.
        Err(perform::Failure { error: Some(error), .. }) => return Err(*error),
        Err(failure) => {
            let outcome = Outcome::Failed { class: failure.class, message: failure.message };
            let mut spent = perform::spent_by_models(&job).await;
            spent += failure.spent;
            (outcome, spent)
        }
    };
    job.journal.record(ActionFinished { action: job.action.id.clone(), outcome, spent, at: now() }).await
}

async fn park(job: &Job) -> Result<(), Error> {
    let Action { id, input, .. } = &job.action;
    let question = input["question"].as_str().unwrap_or("How shall it go on?").to_owned();
    let choices = input["choices"]
        .as_array()
        .map(|choices| choices.iter().filter_map(|choice| choice.as_str().map(str::to_owned)).collect());
    job.journal.record(Parked { action: id.clone(), question, choices: choices.unwrap_or_default() }).await
}
