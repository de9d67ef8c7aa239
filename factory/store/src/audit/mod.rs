//! Whether the log is what was written: every chain recomputed, every head and count compared, and the whole held
//! against an anchor that lies outside the database.
//!
//! What each layer shows: the chain, a changed, reordered, missing or inserted event; the head, a cut tail; the anchor,
//! a stream that was rewritten from its first event on, or taken away, together with its head.

mod anchor;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
};

pub(crate) use anchor::anchor_name;
pub use anchor::{AnchorError, Anchored};
use model::{event::StreamId, hash::Digest};
use serde::{Deserialize, Serialize};
use sqlx::{Connection as _, PgConnection};

use crate::{
    Error, Store,
    error::{signed, unsigned},
    record::{Record, digest, record_columns},
};

const EVENTS_PER_PAGE: i64 = 1_000;

/// What a check of the whole log found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditReport {
    pub streams: u64,
    pub events: u64,
    /// Events that the anchor vouches for; `None` without an anchor.
    pub anchored_events: Option<u64>,
    /// `None`: everything is as it was written.
    pub first_bad: Option<Bad>,
}

/// The first row that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bad {
    pub stream: String,
    pub seq: u64,
    pub finding: Finding,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} event {}: {}", self.stream, self.seq, self.finding.words())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Its bytes, its place or an event before it.
    HashDiffers,
    /// The event with this sequence is not there.
    Missing,
    /// The stream's head says that more events follow.
    TailMissing,
    /// The head is behind the events, or its hash or count is another.
    HeadDiffers,
    /// The stream has events and no head.
    HeadMissing,
    /// The anchor saw another event here.
    AnchorDiffers,
    /// The anchor saw an event here, and the stream ends before it.
    AnchorAhead,
}

impl Finding {
    pub fn words(self) -> &'static str {
        match self {
            Self::HashDiffers => "the event is not the one that was written, or not at its place",
            Self::Missing => "the event is missing, and later ones are there",
            Self::TailMissing => "the end of the stream is missing",
            Self::HeadDiffers => "the stream's head does not fit its events",
            Self::HeadMissing => "the stream has events and no head",
            Self::AnchorDiffers => "the anchor saw another event here: the stream was rewritten",
            Self::AnchorAhead => "the anchor saw this event, and it is gone",
        }
    }
}

/// What of the log is checked.
enum Scope<'a> {
    All,
    Streams(&'a [StreamId]),
}

struct Checked {
    report: AuditReport,
    /// Of what was checked, in the same snapshot.
    heads: BTreeMap<String, StreamHead>,
}

impl Store {
    /// Recomputes every chain from its first event and, where `anchor` names a file, holds all against it. Works on
    /// one snapshot, so that appends go on meanwhile. The result is kept for [`Store::audit_state`].
    pub async fn verify(&self, anchor: Option<&Path>) -> Result<AuditReport, AnchorError> {
        let anchored = anchor.map(|path| self.read_anchor(path)).transpose()?;
        let report = self.check(Scope::All, anchored.as_ref()).await?.report;
        self.keep(&report).await?;
        Ok(report)
    }

    async fn check(&self, scope: Scope<'_>, anchored: Option<&Anchored>) -> Result<Checked, Error> {
        let mut connection = self.pool.acquire().await?;
        let mut snapshot = connection.begin().await?;
        sqlx::query("set transaction isolation level repeatable read, read only").execute(&mut *snapshot).await?;
        let mut heads = heads(&mut snapshot).await?;
        let mut walk = Walk::default();
        match scope {
            Scope::All => walk.all(&mut snapshot, anchored).await?,
            Scope::Streams(streams) => {
                heads.retain(|stream, _| streams.iter().any(|known| known.as_str() == stream));
                for stream in streams {
                    walk.one(&mut snapshot, stream, anchored).await?;
                }
            }
        }
        walk.close(&heads, anchored);
        let report = AuditReport {
            streams: heads.len() as u64,
            events: walk.events,
            anchored_events: anchored.map(|anchored| anchored.events),
            first_bad: walk.first_bad,
        };
        Ok(Checked { report, heads })
    }

    /// One digest over the heads of all streams: every event changes it. `None` where nothing is stored.
    pub async fn head_digest(&self) -> Result<Option<Digest>, Error> {
        let mut connection = self.pool.acquire().await?;
        let heads = heads(&mut connection).await?;
        let digest = heads
            .iter()
            .fold(Digest::ZERO, |digest, (stream, head)| digest.chain(stream.as_bytes()).chain(head.hash.as_bytes()));
        Ok((!heads.is_empty()).then_some(digest))
    }

    async fn keep(&self, report: &AuditReport) -> Result<(), Error> {
        sqlx::query(
            "insert into audit_checks (streams, events, anchored, first_bad) values ($1, $2, $3, $4)
             on conflict (checked_at) do nothing",
        )
        .bind(signed(report.streams))
        .bind(signed(report.events))
        .bind(report.anchored_events.map(signed))
        .bind(report.first_bad.as_ref().map(Bad::to_string))
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// The head of a stream as its row says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StreamHead {
    seq: u64,
    count: u64,
    hash: Digest,
}

async fn heads(connection: &mut PgConnection) -> sqlx::Result<BTreeMap<String, StreamHead>> {
    let rows: Vec<(String, i64, i64, Vec<u8>)> =
        sqlx::query_as("select stream, head_seq, event_count, head_hash from evt_stream_heads")
            .fetch_all(connection)
            .await?;
    let head = |(stream, seq, count, hash): (String, i64, i64, Vec<u8>)| {
        (stream, StreamHead { seq: unsigned(seq), count: unsigned(count), hash: digest(&hash) })
    };
    Ok(rows.into_iter().map(head).collect())
}

async fn page(connection: &mut PgConnection, after: &(String, u64)) -> sqlx::Result<Vec<Record>> {
    sqlx::query_as(concat!(
        "select ",
        record_columns!(),
        " from evt_events where (stream, seq) > ($1 collate \"C\", $2) order by stream, seq limit $3"
    ))
    .bind(&after.0)
    .bind(signed(after.1))
    .bind(EVENTS_PER_PAGE)
    .fetch_all(connection)
    .await
}

async fn stream_page(connection: &mut PgConnection, stream: &StreamId, after: u64) -> sqlx::Result<Vec<Record>> {
    sqlx::query_as(concat!(
        "select ",
        record_columns!(),
        " from evt_events where stream = $1 and seq > $2 order by seq limit $3"
    ))
    .bind(stream.as_str())
    .bind(signed(after))
    .bind(EVENTS_PER_PAGE)
    .fetch_all(connection)
    .await
}

/// The pass over events, in the order of stream and sequence.
#[derive(Default)]
struct Walk {
    events: u64,
    first_bad: Option<Bad>,
    /// Where each stream ended, with the hash recomputed from its first event on.
    ends: BTreeMap<String, (u64, Digest)>,
}

impl Walk {
    async fn all(&mut self, snapshot: &mut PgConnection, anchored: Option<&Anchored>) -> sqlx::Result<()> {
        let mut after = (String::new(), 0);
        loop {
            let page = page(snapshot, &after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = (last.stream.clone(), last.seq);
            page.iter().for_each(|record| self.step(record, anchored));
        }
    }

    async fn one(
        &mut self,
        snapshot: &mut PgConnection,
        stream: &StreamId,
        anchored: Option<&Anchored>,
    ) -> sqlx::Result<()> {
        let mut after = 0;
        loop {
            let page = stream_page(snapshot, stream, after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.seq;
            page.iter().for_each(|record| self.step(record, anchored));
        }
    }

    fn step(&mut self, record: &Record, anchored: Option<&Anchored>) {
        self.events += 1;
        let end = self.ends.entry(record.stream.clone()).or_insert((0, Digest::ZERO));
        let (expected, previous) = (end.0 + 1, end.1);
        let hash = record.hash_after(previous);
        *end = (record.seq, record.hash);
        let anchor = anchored.and_then(|anchored| anchored.streams.get(&record.stream));
        let finding = if record.seq != expected {
            Some((expected, Finding::Missing))
        } else if hash != record.hash {
            Some((record.seq, Finding::HashDiffers))
        } else if anchor.is_some_and(|anchor| anchor.seq == record.seq && anchor.hash != record.hash) {
            Some((record.seq, Finding::AnchorDiffers))
        } else {
            None
        };
        if let Some((seq, finding)) = finding {
            self.found(&record.stream, seq, finding);
        }
    }

    /// Compares where the streams end with their heads and with the anchor.
    fn close(&mut self, heads: &BTreeMap<String, StreamHead>, anchored: Option<&Anchored>) {
        let anchors = anchored.map(|anchored| &anchored.streams);
        let known: BTreeSet<&String> =
            heads.keys().chain(self.ends.keys()).chain(anchors.into_iter().flat_map(BTreeMap::keys)).collect();
        let findings: Vec<_> = known
            .into_iter()
            .filter_map(|stream| {
                let (seq, hash) = self.ends.get(stream).copied().unwrap_or((0, Digest::ZERO));
                let anchor = anchors.and_then(|anchors| anchors.get(stream));
                let finding = end_finding(seq, hash, heads.get(stream), anchor)?;
                Some((stream.clone(), seq + u64::from(finding.is_behind_the_end()), finding))
            })
            .collect();
        for (stream, seq, finding) in findings {
            self.found(&stream, seq, finding);
        }
    }

    fn found(&mut self, stream: &str, seq: u64, finding: Finding) {
        self.first_bad.get_or_insert_with(|| Bad { stream: stream.to_owned(), seq, finding });
    }
}

impl Finding {
    fn is_behind_the_end(self) -> bool {
        matches!(self, Self::TailMissing | Self::AnchorAhead)
    }
}

fn end_finding(seq: u64, hash: Digest, head: Option<&StreamHead>, anchor: Option<&StreamHead>) -> Option<Finding> {
    let Some(head) = head else {
        return Some(if anchor.is_some() { Finding::AnchorAhead } else { Finding::HeadMissing });
    };
    if head.seq > seq {
        return Some(Finding::TailMissing);
    }
    if head.seq != seq || head.hash != hash || head.count != seq {
        return Some(Finding::HeadDiffers);
    }
    anchor.filter(|anchor| anchor.seq > seq).map(|_| Finding::AnchorAhead)
}
