//! Appending to a stream: one transaction whose first write is the compare-and-swap on the stream's head.
//!
//! Who loses the swap has written nothing, so sequences have no gaps; who holds an old epoch loses it too. An appender
//! knows the head before its transaction begins, so commit order and the order of transaction ids agree within a
//! stream, which the global feed relies on. Everything that an event moves elsewhere is in the same transaction.

use std::collections::HashMap;

use jiff_sqlx::ToSqlx as _;
use model::{
    event::{Body, Draft, Event, StreamId},
    hash::Digest,
    id::WorkspaceId,
};
use sqlx::{Connection as _, PgExecutor};

use crate::{
    Error, Store,
    error::{broken_constraint, signed, unsigned},
    projection::{self, Change},
    record::{Place, Record, correlation_id, digest, now, record_columns},
};

pub const EVENTS_PER_APPEND_MAX: usize = 1_000; // beyond it a batch is no faster, and one lock is held for long
pub const EVENT_BYTES_MAX: usize = 1024 * 1024; // larger parts are blobs, and the event holds their digest

/// What an appender believes about the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The last sequence; 0 for a stream that does not exist.
    pub head_seq: u64,
    /// The lease's epoch; 0 before the first claim.
    pub epoch: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    #[error("{stream} is at event {actual}, not {expected}; read the events between and decide again")]
    StaleHead { stream: StreamId, expected: u64, actual: u64 },
    #[error("{stream} was taken over under epoch {epoch}; stop working on it")]
    Fenced { stream: StreamId, epoch: u64 },
    #[error("some events of this batch are stored already, under {keys:?}; append the others alone")]
    Duplicate { keys: Vec<String> },
    #[error(
        "an event of {kind} has {size_bytes} bytes, and {EVENT_BYTES_MAX} are allowed; put its large part into a blob"
    )]
    EventTooLarge { kind: &'static str, size_bytes: usize },
    #[error("{events} events in one append, and {EVENTS_PER_APPEND_MAX} are allowed; split the batch")]
    TooManyEvents { events: usize },
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<sqlx::Error> for AppendError {
    fn from(source: sqlx::Error) -> Self {
        Self::Store(source.into())
    }
}

/// A stream's head, as the one who writes knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: u64,
    pub(crate) hash: Digest,
    pub(crate) epoch: u64,
}

impl Head {
    pub(crate) const NEW: Self = Self { seq: 0, hash: Digest::ZERO, epoch: 0 };
}

/// Sealed and checked drafts, ready to be written.
pub(crate) struct Batch {
    pub(crate) stream: StreamId,
    pub(crate) before: Head,
    pub(crate) after: Head,
    records: Vec<Record>,
    /// The records as they will read back. Also the proof that they will.
    pub(crate) events: Vec<Event>,
    changes: Vec<Change>,
    workspace: Option<WorkspaceId>,
}

impl Batch {
    pub(crate) fn seal(stream: &StreamId, before: Head, drafts: &[Draft]) -> Result<Self, AppendError> {
        if drafts.len() > EVENTS_PER_APPEND_MAX {
            return Err(AppendError::TooManyEvents { events: drafts.len() });
        }
        let mut after = before;
        let mut records = Vec::with_capacity(drafts.len());
        let mut events = Vec::with_capacity(drafts.len());
        let recorded_at = now();
        for draft in drafts {
            after.seq += 1;
            let place = Place { stream, seq: after.seq, epoch: before.epoch, previous: after.hash, recorded_at };
            let record = Record::seal(draft, place);
            if record.data.len() > EVENT_BYTES_MAX {
                return Err(AppendError::EventTooLarge { kind: draft.body.kind(), size_bytes: record.data.len() });
            }
            after.hash = record.hash;
            events.push(record.clone().into_event()?);
            records.push(record);
        }
        Ok(Self {
            stream: stream.clone(),
            before,
            after,
            changes: events.iter().flat_map(projection::project).collect(),
            workspace: drafts.iter().find_map(workspace_of),
            records,
            events,
        })
    }

    fn keys(&self) -> Vec<&str> {
        self.records.iter().filter_map(|record| record.idempotency_key.as_deref()).collect()
    }
}

fn workspace_of(draft: &Draft) -> Option<WorkspaceId> {
    match &draft.body {
        Body::RunCreated(created) => Some(created.workspace.clone()),
        _ => None,
    }
}

/// How an append that was allowed ended.
pub(crate) enum Outcome {
    Written,
    /// Every keyed event of the batch was stored before; nothing was written now.
    Replayed(Vec<Event>),
}

impl Store {
    /// Appends to a stream, creating it where `expected` is the default. For one event after the other take a
    /// [`crate::Writer`], which saves reading the head.
    ///
    /// A retry of a batch whose drafts all carry idempotency keys that are stored gives the stored events.
    pub async fn append(
        &self,
        stream: &StreamId,
        expected: Expected,
        drafts: &[Draft],
    ) -> Result<Vec<Event>, AppendError> {
        let actual = self.head(stream).await?.unwrap_or(Head::NEW);
        let believed = Head { seq: expected.head_seq, epoch: expected.epoch, hash: actual.hash };
        if believed != actual {
            return self.refused(stream, believed, &keys_of(drafts)).await;
        }
        let batch = Batch::seal(stream, believed, drafts)?;
        match self.write(&batch).await? {
            Outcome::Written => Ok(batch.events),
            Outcome::Replayed(events) => Ok(events),
        }
    }

    pub(crate) async fn head(&self, stream: &StreamId) -> Result<Option<Head>, Error> {
        let row: Option<(i64, Vec<u8>, i64)> =
            sqlx::query_as("select head_seq, head_hash, epoch from evt_stream_heads where stream = $1")
                .bind(stream.as_str())
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(seq, hash, epoch)| Head { seq: unsigned(seq), hash: digest(&hash), epoch: unsigned(epoch) }))
    }

    pub(crate) async fn write(&self, batch: &Batch) -> Result<Outcome, AppendError> {
        if batch.records.is_empty() {
            return Ok(Outcome::Written);
        }
        let written = match self.try_write(batch).await {
            Err(error) if broken_constraint(&error) == Some("evt_events_idempotency") => false,
            tried => tried?,
        };
        if written {
            self.feed.committed(&batch.stream);
            return Ok(Outcome::Written);
        }
        self.refused(&batch.stream, batch.before, &batch.keys()).await.map(Outcome::Replayed)
    }

    /// False where the head was another.
    async fn try_write(&self, batch: &Batch) -> sqlx::Result<bool> {
        if batch.changes.is_empty() {
            // One statement is one transaction, and one round trip.
            return insert(&self.pool, batch).await;
        }
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        if !insert(&mut *transaction, batch).await? {
            return Ok(false);
        }
        projection::apply(&mut transaction, &batch.changes).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Finds out why the swap failed. A batch that is stored already is no failure: its events.
    async fn refused(&self, stream: &StreamId, believed: Head, keys: &[&str]) -> Result<Vec<Event>, AppendError> {
        let actual = self.head(stream).await?.unwrap_or(Head::NEW);
        if actual.epoch != believed.epoch {
            return Err(AppendError::Fenced { stream: stream.clone(), epoch: actual.epoch });
        }
        let stored = self.stored_under(stream, keys).await?;
        if !keys.is_empty() && stored.len() == keys.len() {
            let events = stored.into_values().map(Record::into_event).collect::<Result<Vec<_>, _>>()?;
            return Ok(in_order(events));
        }
        if !stored.is_empty() {
            return Err(AppendError::Duplicate { keys: stored.into_keys().collect() });
        }
        Err(AppendError::StaleHead { stream: stream.clone(), expected: believed.seq, actual: actual.seq })
    }

    async fn stored_under(&self, stream: &StreamId, keys: &[&str]) -> Result<HashMap<String, Record>, Error> {
        let records: Vec<Record> = sqlx::query_as(concat!(
            "select ",
            record_columns!(),
            " from evt_events where stream = $1 and idempotency_key = any($2)"
        ))
        .bind(stream.as_str())
        .bind(keys)
        .fetch_all(&self.pool)
        .await?;
        Ok(records.into_iter().filter_map(|record| Some((record.idempotency_key.clone()?, record))).collect())
    }
}

fn keys_of(drafts: &[Draft]) -> Vec<&str> {
    drafts.iter().filter_map(|draft| draft.idempotency_key.as_deref()).collect()
}

fn in_order(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_key(|event| event.seq);
    events
}

/// Inserts behind the head that the statement before it has moved, or nothing where it has moved none.
macro_rules! insert_behind_head {
    ($head:literal) => {
        concat!(
            "with head as (", $head, " returning 1)
            insert into evt_events (stream, seq, epoch, correlation_id, recorded_at, id, kind, version, data,
                actor_kind, actor_name, causation_id, idempotency_key, hash)
            select $1, $2 + n, $3, $6, $7, id, kind, version, data::json, actor_kind, actor_name, causation, key, hash
            from head, unnest($8::uuid[], $9::text[], $10::smallint[], $11::text[], $12::text[], $13::text[],
                $14::uuid[], $15::text[], $16::bytea[])
                with ordinality as t (id, kind, version, data, actor_kind, actor_name, causation, key, hash, n)"
        )
    };
}

const INSERT: &str = insert_behind_head!(
    "update evt_stream_heads set head_seq = head_seq + $4, event_count = event_count + $4, head_hash = $5
     where stream = $1 and head_seq = $2 and epoch = $3 and $17::text is null"
);

/// The first append of a stream that nobody has claimed brings it into being. Only under epoch 0: whoever was fenced
/// must not.
const INSERT_FIRST: &str = insert_behind_head!(
    "insert into evt_stream_heads as h (stream, workspace, head_seq, event_count, head_hash)
     select $1, $17, $4, $4, $5 where $2 = 0::bigint and $3 = 0::bigint
     on conflict (stream) do update set head_seq = excluded.head_seq, event_count = excluded.event_count,
         head_hash = excluded.head_hash, workspace = coalesce(h.workspace, excluded.workspace)
     where h.head_seq = 0 and h.epoch = 0"
);

/// False where the head was another, and nothing was written.
async fn insert(executor: impl PgExecutor<'_>, batch: &Batch) -> sqlx::Result<bool> {
    let first = batch.before == Head::NEW;
    let workspace = batch.workspace.as_ref().filter(|_| first).map(WorkspaceId::as_str);
    let records = &batch.records;
    let recorded_at = records.first().map_or_else(now, |record| record.recorded_at);
    let done = sqlx::query(if first { INSERT_FIRST } else { INSERT })
        .bind(batch.stream.as_str())
        .bind(signed(batch.before.seq))
        .bind(signed(batch.before.epoch))
        .bind(signed(batch.after.seq - batch.before.seq))
        .bind(batch.after.hash.as_bytes().as_slice())
        .bind(correlation_id(&batch.stream))
        .bind(recorded_at.to_sqlx())
        .bind(column(records, |record| record.id))
        .bind(column(records, |record| record.kind.as_str()))
        .bind(column(records, |record| i16::try_from(record.version).unwrap_or(i16::MAX)))
        .bind(column(records, |record| record.data.as_str()))
        .bind(column(records, |record| record.actor_kind.as_str()))
        .bind(column(records, |record| record.actor_name.as_str()))
        .bind(column(records, |record| record.causation_id))
        .bind(column(records, |record| record.idempotency_key.as_deref()))
        .bind(column(records, |record| record.hash.as_bytes().as_slice()))
        .bind(workspace)
        .execute(executor)
        .await?;
    Ok(done.rows_affected() > 0)
}

fn column<'a, T>(records: &'a [Record], of: impl Fn(&'a Record) -> T) -> Vec<T> {
    records.iter().map(of).collect()
}
