//! The dashboards' reads over the store: rows fetched here, folded there.

use std::time::Duration;

use async_trait::async_trait;
use dashboards::reads::{
    AgentSession, AuditState, BadRow, Error, Phase, Reads, Result, RunPage, RunRow, SpecRow, Trajectory, TrialKey,
    points,
};
use futures::{StreamExt as _, stream::BoxStream};
use model::{
    event::{Body, Event, StreamId, grade::TrialFinished},
    id::{ActionId, RunId},
    verdict::Suite,
};
use store::{RunHead, Store};

use crate::{
    folds::{Folds, Shared},
    tails::Tails,
};

/// As many as a list of runs shows.
const RUNS_MAX: u32 = 100;

/// The overview is drawn anew at most this often.
const PULSE_EVERY: Duration = Duration::from_secs(1);

/// [`Reads`] over Postgres: lists by the projections, a run by the fold of its events.
pub(crate) struct StoreReads {
    store: Store,
    folds: Folds,
    tails: Tails,
    specs: Shared<Vec<SpecRow>>,
    runs: Shared<Vec<RunRow>>,
}

fn unavailable(error: impl std::error::Error) -> Error {
    Error::Unavailable(error.to_string())
}

impl StoreReads {
    pub(crate) fn new(store: Store) -> Self {
        let (folds, tails) = (Folds::new(store.clone()), Tails::new(store.clone()));
        Self { store, folds, tails, specs: Shared::default(), runs: Shared::default() }
    }

    async fn whole(&self, stream: &StreamId) -> Result<Vec<Event>> {
        self.store.all_events(stream).await.map_err(unavailable)
    }

    async fn trial(&self, stream: &StreamId, suite: Suite, key: &TrialKey) -> Result<Option<Trajectory>> {
        let trials = self.whole(stream).await?.into_iter().filter_map(trial_of);
        let mut fitting: Vec<_> = trials.filter(|trial| trial.suite == suite && key.fits(trial)).collect();
        Ok(fitting.pop().map(Trajectory::from_trial))
    }
}

fn row(head: RunHead) -> RunRow {
    let RunHead { run, builds, visible, holdout, target, parked } = head;
    let phase = match (run.verdict, parked) {
        (Some(verdict), _) => Phase::Finished { verdict, reason: run.reason.unwrap_or_default() },
        (None, Some(parked)) => Phase::Parked(parked),
        (None, None) => Phase::Active,
    };
    RunRow {
        run: run.run,
        spec: run.spec,
        title: run.spec_title,
        phase,
        created_at: run.created_at,
        ended_at: run.finished_at,
        iterations: builds,
        target,
        visible,
        holdout,
        spent: run.spent,
        incidents: run.incidents,
    }
}

fn spec(spec: store::SpecRow) -> SpecRow {
    SpecRow {
        id: spec.spec,
        title: spec.latest.run.spec_title.clone(),
        path: spec.latest.run.spec_path.clone(),
        history: points(spec.gates.iter().map(|gate| &gate.gate)),
        latest: Some(row(spec.latest)),
    }
}

fn trial_of(event: Event) -> Option<TrialFinished> {
    match event.body {
        Body::TrialFinished(trial) => Some(trial),
        _ => None,
    }
}

#[async_trait]
impl Reads for StoreReads {
    async fn specs(&self) -> Result<Vec<SpecRow>> {
        let ask = async || Ok(self.store.specs().await.map_err(unavailable)?.into_iter().map(spec).collect());
        self.specs.get(ask).await
    }

    async fn runs(&self, limit: u32) -> Result<Vec<RunRow>> {
        let limit = limit.min(RUNS_MAX) as usize;
        let ask = async || {
            let heads = self.store.run_heads(u64::from(RUNS_MAX)).await.map_err(unavailable)?;
            Ok(heads.into_iter().map(row).collect())
        };
        let mut runs: Vec<RunRow> = self.runs.get(ask).await?;
        runs.truncate(limit);
        Ok(runs)
    }

    async fn run(&self, run: &RunId) -> Result<Option<RunPage>> {
        self.folds.run(run).await.map_err(unavailable)
    }

    async fn sealed_trials_for_people(&self, run: &RunId) -> Result<Vec<TrialFinished>> {
        self.folds.sealed_trials(run).await.map_err(unavailable)
    }

    async fn trajectory(&self, run: &RunId, key: &TrialKey) -> Result<Option<Trajectory>> {
        self.trial(&StreamId::run(run), Suite::Visible, key).await
    }

    async fn sealed_trajectory_for_people(&self, run: &RunId, key: &TrialKey) -> Result<Option<Trajectory>> {
        self.trial(&StreamId::sealed(run), Suite::Holdout, key).await
    }

    async fn agent_session(&self, run: &RunId, action: &ActionId) -> Result<Option<AgentSession>> {
        Ok(AgentSession::from_events(&self.whole(&StreamId::run(run)).await?, action))
    }

    async fn events(&self, run: &RunId, after_seq: u64, limit: u32) -> Result<Vec<Event>> {
        self.store.events(&StreamId::run(run), after_seq, u64::from(limit)).await.map_err(unavailable)
    }

    fn follow(&self, run: &RunId, after_seq: u64) -> BoxStream<'static, Event> {
        self.tails.follow(run, after_seq).boxed()
    }

    fn pulse(&self) -> BoxStream<'static, ()> {
        self.store.pulse(PULSE_EVERY).boxed()
    }

    async fn audit(&self) -> Result<AuditState> {
        let state = self.store.audit_state().await.map_err(unavailable)?;
        Ok(AuditState {
            streams: state.streams,
            events: state.events,
            verified_at: state.checked_at,
            head: self.store.head_digest().await.map_err(unavailable)?,
            first_bad: state.first_bad.as_deref().map(bad_row),
        })
    }
}

/// The store keeps it as a person reads it: `<stream> event <seq>: <finding>`.
fn bad_row(told: &str) -> BadRow {
    let parts = || {
        let (stream, rest) = told.split_once(" event ")?;
        let (seq, what) = rest.split_once(": ")?;
        Some(BadRow { stream: stream.to_owned(), seq: seq.parse().ok()?, what: what.to_owned() })
    };
    parts().unwrap_or_else(|| BadRow { stream: "an unknown stream".to_owned(), seq: 0, what: told.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::bad_row;

    #[test]
    fn the_first_bad_event_is_read_back_from_what_the_store_keeps() {
        let read = bad_row("run_1 event 15: the event is not there");
        assert_eq!((read.stream.as_str(), read.seq, read.what.as_str()), ("run_1", 15, "the event is not there"));
        assert_eq!(bad_row("something else").what, "something else");
    }
}
