//! Events in the order of their stream.

use model::event::{Event, StreamId};
use sqlx::PgExecutor;

use crate::{
    Error, Store,
    error::signed,
    record::{Record, record_columns},
};

/// One page; whoever wants more asks again after its last sequence.
const EVENTS_PER_READ_MAX: u64 = 1_000;

impl Store {
    /// The events after `after_seq` in order, at most `limit` and at most 1,000 of them.
    pub async fn events(&self, stream: &StreamId, after_seq: u64, limit: u64) -> Result<Vec<Event>, Error> {
        events_page(&self.pool, stream.as_str(), after_seq, limit).await
    }

    /// Every event of a stream, page by page: what a run's state is folded from.
    pub async fn all_events(&self, stream: &StreamId) -> Result<Vec<Event>, Error> {
        let mut events: Vec<Event> = Vec::new();
        loop {
            let after = events.last().map_or(0, |event| event.seq);
            let page = self.events(stream, after, EVENTS_PER_READ_MAX).await?;
            if page.is_empty() {
                return Ok(events);
            }
            events.extend(page);
        }
    }

    /// The sequence of a stream's last event; 0 where there is none.
    pub async fn head_seq(&self, stream: &StreamId) -> Result<u64, Error> {
        Ok(self.head(stream).await?.map_or(0, |head| head.seq))
    }
}

pub(crate) async fn events_page(
    executor: impl PgExecutor<'_>,
    stream: &str,
    after_seq: u64,
    limit: u64,
) -> Result<Vec<Event>, Error> {
    let records: Vec<Record> = sqlx::query_as(concat!(
        "select ",
        record_columns!(),
        " from evt_events where stream = $1 and seq > $2 order by seq limit $3"
    ))
    .bind(stream)
    .bind(signed(after_seq))
    .bind(signed(limit.min(EVENTS_PER_READ_MAX)))
    .fetch_all(executor)
    .await?;
    records.into_iter().map(Record::into_event).collect()
}
