//! The one who writes a stream under a lease: keeps the head in memory, so that an append is one round trip.

use model::event::{Draft, Event, StreamId};

use crate::{
    Error, Lease, Store,
    append::{AppendError, Batch, Head, Outcome},
};

/// A connection that broke is asked about this often, with growing pauses: a restarted server is back in a second.
const CONFIRM_ATTEMPTS: u32 = 7;
const CONFIRM_PAUSE_MS: u64 = 50; // doubled each time: about 3 s in all

/// Appends to one stream. Two writers on one stream are safe: the slower one is told so.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    stream: StreamId,
    head: Head,
}

impl Store {
    /// The writer of the leased run's own stream.
    pub async fn writer(&self, lease: &Lease) -> Result<Writer, AppendError> {
        Writer::open(self, StreamId::run(&lease.run), lease).await
    }

    /// The writer of the leased run's sealed stream, which no agent role may read.
    pub async fn sealed_writer(&self, lease: &Lease) -> Result<Writer, AppendError> {
        Writer::open(self, StreamId::sealed(&lease.run), lease).await
    }
}

impl Writer {
    async fn open(store: &Store, stream: StreamId, lease: &Lease) -> Result<Self, AppendError> {
        let head = store.head(&stream).await?.unwrap_or(Head::NEW);
        if head.epoch != lease.epoch {
            return Err(AppendError::Fenced { stream, epoch: head.epoch });
        }
        Ok(Self { store: store.clone(), stream, head })
    }

    pub fn stream(&self) -> &StreamId {
        &self.stream
    }

    /// The sequence of the last event.
    pub fn head_seq(&self) -> u64 {
        self.head.seq
    }

    /// Appends after the last event that this writer knows. All or none.
    ///
    /// # Cancel safety
    /// Dropped in the middle, the batch may or may not be written. The writer notices at its next append, which is
    /// then refused as stale; take a new writer and read what is there.
    pub async fn append(&mut self, drafts: &[Draft]) -> Result<Vec<Event>, AppendError> {
        let batch = Batch::seal(&self.stream, self.head, drafts)?;
        let after = batch.after;
        let outcome = match self.store.write(&batch).await {
            Err(AppendError::Store(error)) if error.is_connection() => self.confirm(&batch, error).await?,
            other => other?,
        };
        match outcome {
            Outcome::Written => {
                self.head = after;
                Ok(batch.events)
            }
            Outcome::Replayed(events) => {
                self.head = self.store.head(&self.stream).await?.unwrap_or(self.head);
                Ok(events)
            }
        }
    }

    /// The connection broke, and the batch may be written all the same: the head's hash tells. Where it is not, it is
    /// written now.
    async fn confirm(&self, batch: &Batch, broke: Error) -> Result<Outcome, AppendError> {
        let mut last = broke;
        for attempt in 0..CONFIRM_ATTEMPTS {
            tokio::time::sleep(std::time::Duration::from_millis(CONFIRM_PAUSE_MS << attempt)).await;
            let outcome = match self.store.head(&self.stream).await {
                Ok(Some(head)) if head == batch.after => return Ok(Outcome::Written),
                Ok(_) => self.store.write(batch).await,
                Err(error) => Err(error.into()),
            };
            match outcome {
                Err(AppendError::Store(error)) if error.is_connection() => last = error,
                other => return other,
            }
        }
        Err(last.into())
    }
}
