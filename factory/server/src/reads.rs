//! The dashboards' reads over the store: rows fetched here, folded there.

use async_trait::async_trait;
use dashboards::reads::{
    AgentSession, AuditState, BadRow, Error, Reads, Result, RunPage, RunRow, SpecRow, Trajectory, TrialKey,
};
use futures::{StreamExt as _, stream::BoxStream};
use model::{
    event::{Body, Event, StreamId, grade::TrialFinished},
    id::{ActionId, RunId},
    verdict::Suite,
};
use store::Store;

/// How soon the overview notices that any run has moved.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// [`Reads`] over Postgres.
pub(crate) struct StoreReads(pub(crate) Store);

fn unavailable(error: impl std::error::Error) -> Error {
    Error::Unavailable(error.to_string())
}

impl StoreReads {
    async fn whole(&self, stream: &StreamId) -> Result<Vec<Event>> {
        self.0.all_events(stream).await.map_err(unavailable)
    }

    async fn trial(&self, stream: &StreamId, suite: Suite, key: &TrialKey) -> Result<Option<Trajectory>> {
        let trials = self.whole(stream).await?.into_iter().filter_map(trial_of);
        let mut fitting: Vec<_> = trials.filter(|trial| trial.suite == suite && key.fits(trial)).collect();
        Ok(fitting.pop().map(Trajectory::from_trial))
    }
}

/// Waits until the log holds more events than `last`; ends where the log does not answer.
async fn next_change(store: &Store, last: Option<u64>) -> Option<((), Option<u64>)> {
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        let events = store.audit_state().await.ok()?.events;
        if last.is_none_or(|last| last != events) {
            return Some(((), Some(events)));
        }
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
        let rows = self.0.specs().await.map_err(unavailable)?;
        let mut specs = Vec::new();
        for row in rows {
            let page = self.run(&row.latest.run).await?;
            specs.push(SpecRow {
                id: row.spec,
                title: row.latest.spec_title,
                path: row.latest.spec_path,
                history: page.as_ref().map(RunPage::points).unwrap_or_default(),
                latest: page.map(|page| page.row),
            });
        }
        Ok(specs)
    }

    async fn runs(&self, limit: u32) -> Result<Vec<RunRow>> {
        let rows = self.0.runs(u64::from(limit), None).await.map_err(unavailable)?;
        let mut runs = Vec::new();
        for row in rows {
            // The fold is the one truth about a run; the projection says which runs there are.
            runs.extend(self.run(&row.run).await?.map(|page| page.row));
        }
        Ok(runs)
    }

    async fn run(&self, run: &RunId) -> Result<Option<RunPage>> {
        Ok(RunPage::from_events(&self.whole(&StreamId::run(run)).await?))
    }

    async fn sealed_trials_for_people(&self, run: &RunId) -> Result<Vec<TrialFinished>> {
        Ok(self.whole(&StreamId::sealed(run)).await?.into_iter().filter_map(trial_of).collect())
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
        self.0.events(&StreamId::run(run), after_seq, u64::from(limit)).await.map_err(unavailable)
    }

    fn follow(&self, run: &RunId, after_seq: u64) -> BoxStream<'static, Event> {
        // A browser whose stream ends asks again from where it was, so an error is an end.
        let events = self.0.follow(StreamId::run(run), after_seq);
        events.take_while(|event| std::future::ready(event.is_ok())).filter_map(async |event| event.ok()).boxed()
    }

    fn pulse(&self) -> BoxStream<'static, ()> {
        let store = self.0.clone();
        let counted = futures::stream::unfold(None, move |last| {
            let store = store.clone();
            async move { next_change(&store, last).await }
        });
        counted.boxed()
    }

    async fn audit(&self) -> Result<AuditState> {
        let state = self.0.audit_state().await.map_err(unavailable)?;
        Ok(AuditState {
            streams: state.streams,
            events: state.events,
            verified_at: state.checked_at,
            head: self.0.head_digest().await.map_err(unavailable)?,
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
