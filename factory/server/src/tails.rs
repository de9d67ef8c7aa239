//! One reader of the log per watched run, however many pages watch it.
//!
//! Each page reads what is stored by itself and hears from the shared reader what comes; what both tell is told once. The
//! reader ends with the last page.

use std::{collections::HashMap, sync::Arc};

use futures::{Stream, StreamExt as _, stream};
use model::{
    event::{Event, StreamId},
    id::RunId,
};
use store::{Error, Store};
use tokio::sync::{Mutex, broadcast};

const HEARD_MAX: usize = 256; // a page that falls behind further reads from the log again
const EVENTS_PER_PAGE: u64 = 200;

/// The readers that are at work. Clones share them.
#[derive(Clone)]
pub(crate) struct Tails {
    store: Store,
    readers: Arc<Mutex<HashMap<RunId, broadcast::WeakSender<Arc<Event>>>>>,
}

impl Tails {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, readers: Arc::default() }
    }

    /// The events of a run after `after_seq`, and then each as it is committed. Ends where the log fails.
    pub(crate) fn follow(&self, run: &RunId, after_seq: u64) -> impl Stream<Item = Event> + Send + use<> {
        let page = Page { tails: self.clone(), run: run.clone(), heard: None, last_seq: after_seq, stored: Vec::new() };
        stream::unfold(page, |mut page| async move {
            let event = page.next().await?;
            Some((event, page))
        })
    }

    /// Hears every event that is committed from now on.
    async fn hear(&self, run: &RunId) -> Result<broadcast::Receiver<Arc<Event>>, Error> {
        let mut readers = self.readers.lock().await;
        if let Some(reader) = readers.get(run).and_then(broadcast::WeakSender::upgrade) {
            return Ok(reader.subscribe());
        }
        let stream = StreamId::run(run);
        // Before anybody listens, so that no event falls between what a page reads and what it hears.
        let head = self.store.head_seq(&stream).await?;
        let (sender, receiver) = broadcast::channel(HEARD_MAX);
        readers.retain(|_, known| known.strong_count() > 0);
        readers.insert(run.clone(), sender.downgrade());
        tokio::spawn(read_on(self.store.follow(stream, head), sender));
        Ok(receiver)
    }
}

async fn read_on(events: impl Stream<Item = Result<Event, Error>>, pages: broadcast::Sender<Arc<Event>>) {
    let mut events = Box::pin(events);
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => drop(pages.send(Arc::new(event))),
                // The pages' browsers ask again from where they were.
                Some(Err(_)) | None => return,
            },
            () = pages.closed() => {
                // A page may have come while the last one left.
                if pages.receiver_count() == 0 {
                    return;
                }
            }
        }
    }
}

/// One page's way through a run.
struct Page {
    tails: Tails,
    run: RunId,
    heard: Option<broadcast::Receiver<Arc<Event>>>,
    last_seq: u64,
    /// Read and not given yet, the next one last.
    stored: Vec<Event>,
}

impl Page {
    async fn next(&mut self) -> Option<Event> {
        if self.heard.is_none() {
            self.heard = Some(self.tails.hear(&self.run).await.ok()?);
            self.read().await?;
        }
        loop {
            if let Some(event) = self.stored.pop() {
                self.last_seq = event.seq;
                if self.stored.is_empty() {
                    self.read().await?;
                }
                return Some(event);
            }
            match self.heard.as_mut()?.recv().await {
                Ok(event) if event.seq == self.last_seq + 1 => {
                    self.last_seq = event.seq;
                    return Some(Arc::unwrap_or_clone(event));
                }
                Ok(event) if event.seq <= self.last_seq => {}
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => self.read().await?,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    async fn read(&mut self) -> Option<()> {
        self.stored = self.tails.store.events(&StreamId::run(&self.run), self.last_seq, EVENTS_PER_PAGE).await.ok()?;
        self.stored.reverse();
        Some(())
    }
}
