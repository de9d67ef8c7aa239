//! The one way a run is written: under its lease, with everything that follows from an event in the same transaction.

use std::sync::Arc;

use jiff::Timestamp;
use model::{
    event::{Body, Draft, Event, StreamId},
    hash::Digest,
    id::{ActionId, RunId},
    run::{State, settle},
};
use store::{Lease, Store, Writer};
use tokio::sync::Mutex;

use crate::Error;

const SERVICE: &str = "controller";

/// A run that this process owns. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Journal {
    run: RunId,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    own: Writer,
    sealed: Writer,
    state: State,
    /// The run's own stream so far: what performers resume from.
    events: Vec<Event>,
}

impl Journal {
    /// Reads the run and takes over its streams under `lease`.
    pub(crate) async fn open(store: &Store, lease: &Lease) -> Result<Self, Error> {
        let run = lease.run.clone();
        let events = store.all_events(&StreamId::run(&run)).await?;
        let state = State::replay(events.iter().map(|event| &event.body)).ok_or_else(|| Error::NotARun(run.clone()))?;
        let own = store.writer(lease).await?;
        let sealed = store.sealed_writer(lease).await?;
        Ok(Self { run, inner: Arc::new(Mutex::new(Inner { own, sealed, state, events })) })
    }

    pub(crate) fn run(&self) -> &RunId {
        &self.run
    }

    /// Appends `body` and what follows from it, in one transaction.
    pub(crate) async fn record(&self, body: impl Into<Body>) -> Result<(), Error> {
        self.record_drafts(body.into(), |body| Draft::service(SERVICE, body)).await
    }

    /// As [`Self::record`], in the name of an agent.
    pub(crate) async fn record_by_agent(&self, agent: &str, body: Body) -> Result<(), Error> {
        let actor = model::event::Actor::Agent(agent.to_owned());
        self.record_drafts(body, |body| Draft::service(SERVICE, body).by(actor.clone())).await
    }

    async fn record_drafts(&self, body: Body, draft: impl Fn(Body) -> Draft) -> Result<(), Error> {
        let mut inner = self.inner.lock().await;
        // The state moves only once the store has taken the events: a refused write must not be believed here.
        let mut next = inner.state.clone();
        let settled = settle(&mut next, body);
        let drafts: Vec<Draft> = settled.iter().cloned().map(draft).collect();
        let stored = inner.own.append(&drafts).await?;
        inner.state = next;
        inner.events.extend(stored);
        Ok(())
    }

    /// Appends to the stream that no agent role reads. A second call with the same key changes nothing.
    pub(crate) async fn seal(&self, body: impl Into<Body>, key: String) -> Result<(), Error> {
        let draft = Draft::service(SERVICE, body).once(key);
        self.inner.lock().await.sealed.append(&[draft]).await?;
        Ok(())
    }

    pub(crate) async fn state(&self) -> State {
        self.inner.lock().await.state.clone()
    }

    /// What `look` finds in the run's own stream so far, in place: a stream holds megabytes. Nothing is appended
    /// meanwhile, so it must be short.
    pub(crate) async fn look<T>(&self, look: impl FnOnce(&[Event]) -> T) -> T {
        look(&self.inner.lock().await.events)
    }

    /// The last thing that `pick` takes.
    pub(crate) async fn last<T>(&self, pick: impl FnMut(&Body) -> Option<T>) -> Option<T> {
        self.look(|events| bodies(events).rev().find_map(pick)).await
    }

    /// All that `pick` takes, in order.
    pub(crate) async fn all<T>(&self, pick: impl FnMut(&Body) -> Option<T>) -> Vec<T> {
        self.look(|events| bodies(events).filter_map(pick).collect()).await
    }

    /// The sealed stream so far.
    pub(crate) async fn sealed(&self, store: &Store) -> Result<Vec<Event>, Error> {
        Ok(store.all_events(&StreamId::sealed(&self.run)).await?)
    }

    /// Hash of the event that scheduled `action`: the same however often the action is performed.
    pub(crate) async fn head_when_scheduled(&self, action: &ActionId) -> Digest {
        let scheduled = |event: &&Event| matches!(&event.body, Body::ActionScheduled(known) if known.id == *action);
        self.look(|events| events.iter().find(scheduled).map_or(Digest::ZERO, |event| event.hash)).await
    }
}

pub(crate) fn bodies(events: &[Event]) -> impl DoubleEndedIterator<Item = &Body> {
    events.iter().map(|event| &event.body)
}

pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
