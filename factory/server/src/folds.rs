//! Runs as pages show them, kept in memory: each event is read once, however many pages ask for it.
//!
//! Every question is answered from the log as it was when the question came, or later. Questions that come while the log
//! is being asked share the next answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use dashboards::reads::{RunFold, RunPage};
use model::{
    event::{Body, Event, StreamId, grade::TrialFinished},
    id::RunId,
};
use store::{Error, Store};
use tokio::sync::Mutex as AsyncMutex;

const RUNS_KEPT_MAX: usize = 64; // more than anybody watches at a time; a run takes some hundred kilobytes
const EVENTS_PER_PAGE: u64 = 1_000;

/// The runs that were asked for last.
pub(crate) struct Folds {
    store: Store,
    kept: Mutex<HashMap<RunId, (Instant, Arc<Kept>)>>,
}

#[derive(Default)]
struct Kept {
    own: AsyncMutex<Grown<Option<RunFold>>>,
    sealed: AsyncMutex<Grown<Vec<TrialFinished>>>,
}

impl Folds {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, kept: Mutex::default() }
    }

    pub(crate) async fn run(&self, run: &RunId) -> Result<Option<RunPage>, Error> {
        let asked_at = Instant::now();
        let kept = self.kept(run);
        let mut own = kept.own.lock().await;
        let grow = |fold: &mut Option<RunFold>, event: Event| match fold {
            Some(fold) => fold.apply(&event),
            None => *fold = RunFold::begin(&event),
        };
        own.catch_up(&self.store, &StreamId::run(run), asked_at, grow).await?;
        Ok(own.value.as_ref().map(RunFold::page))
    }

    /// Without their records, which only a trial's own page shows.
    pub(crate) async fn sealed_trials(&self, run: &RunId) -> Result<Vec<TrialFinished>, Error> {
        let asked_at = Instant::now();
        let kept = self.kept(run);
        let mut sealed = kept.sealed.lock().await;
        let grow = |trials: &mut Vec<TrialFinished>, event: Event| {
            if let Body::TrialFinished(trial) = event.body {
                trials.push(TrialFinished { record: None, ..trial });
            }
        };
        sealed.catch_up(&self.store, &StreamId::sealed(run), asked_at, grow).await?;
        Ok(sealed.value.clone())
    }

    fn kept(&self, run: &RunId) -> Arc<Kept> {
        // A map of handles is whole whatever happened to who held it.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.contains_key(run) && kept.len() >= RUNS_KEPT_MAX {
            let oldest = kept.iter().min_by_key(|(_, (used_at, _))| *used_at).map(|(run, _)| run.clone());
            oldest.and_then(|oldest| kept.remove(&oldest));
        }
        let (used_at, entry) = kept.entry(run.clone()).or_insert_with(|| (Instant::now(), Arc::default()));
        *used_at = Instant::now();
        Arc::clone(entry)
    }
}

/// What has grown out of a stream so far.
#[derive(Default)]
struct Grown<T> {
    value: T,
    last_seq: u64,
    /// When the log was asked last.
    looked_at: Option<Instant>,
}

impl<T> Grown<T> {
    async fn catch_up(
        &mut self,
        store: &Store,
        stream: &StreamId,
        asked_at: Instant,
        grow: impl Fn(&mut T, Event),
    ) -> Result<(), Error> {
        if self.looked_at.is_some_and(|looked_at| looked_at >= asked_at) {
            return Ok(());
        }
        let mut looked_at = Instant::now();
        loop {
            let events = store.events(stream, self.last_seq, EVENTS_PER_PAGE).await?;
            let is_last = (events.len() as u64) < EVENTS_PER_PAGE;
            for event in events {
                self.last_seq = event.seq;
                grow(&mut self.value, event);
            }
            if is_last {
                self.looked_at = Some(looked_at);
                return Ok(());
            }
            looked_at = Instant::now();
        }
    }
}

/// An answer that whoever asked in the meantime shares.
#[derive(Default)]
pub(crate) struct Shared<T>(AsyncMutex<Option<(Instant, T)>>);

impl<T: Clone> Shared<T> {
    /// The answer of `ask`, or one to a question that was put after this one came.
    pub(crate) async fn get<E>(&self, ask: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, E> {
        let asked_at = Instant::now();
        let mut last = self.0.lock().await;
        if let Some((looked_at, answer)) = &*last
            && *looked_at >= asked_at
        {
            return Ok(answer.clone());
        }
        let looked_at = Instant::now();
        let answer = ask().await?;
        *last = Some((looked_at, answer.clone()));
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn questions_that_come_together_are_asked_at_most_twice_and_later_ones_anew() {
        let (shared, asked) = (Shared::<usize>::default(), AtomicUsize::new(0));
        let ask = async || {
            tokio::task::yield_now().await;
            Ok::<_, ()>(asked.fetch_add(1, Ordering::Relaxed))
        };
        futures::future::join_all((0..50).map(|_| shared.get(&ask))).await;
        assert!(asked.load(Ordering::Relaxed) <= 2, "{asked:?}");
        let before = asked.load(Ordering::Relaxed);
        assert_eq!(shared.get(&ask).await, Ok(before), "an old answer was given");
    }
}
