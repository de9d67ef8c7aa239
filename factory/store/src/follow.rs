//! One cursor reader for everybody who watches: subscribe first, then query, then wait for a hint and query again.
//!
//! Hints come from three places, and only the query is the truth: from this process right after a commit; from other
//! processes by NOTIFY, sent on a connection of its own and at most every 20 ms, because a NOTIFY inside an append
//! would hold a lock over every commit of the server; and from a slow clock, for what got lost.

use std::{collections::VecDeque, fmt, str::FromStr, sync::Arc, time::Duration};

use futures::{Stream, TryStreamExt as _, stream};
use model::event::{Event, StreamId};
use serde::{Deserialize, Serialize};
use sqlx::{
    FromRow as _, Row as _,
    postgres::{PgListener, PgPool, PgRow},
};
use tokio::{
    sync::{Notify, broadcast},
    task::JoinHandle,
};

use crate::{
    Error, Store,
    error::{signed, unsigned},
    record::{Record, record_columns},
};

const CHANNEL: &str = "factory_events";
const NOTIFY_EVERY: Duration = Duration::from_millis(20);
const POLL_EVERY: Duration = Duration::from_millis(500); // the safety net behind hints that got lost
const FAILURES_MAX: u32 = 240; // two minutes of polls
const RECONNECT_AFTER: Duration = Duration::from_millis(500);
const HINTS_MAX: usize = 1_024; // a reader that falls behind further just looks
const EVENTS_PER_PAGE: u64 = 200;

/// Something was committed: to this stream, or in another process, which does not say where.
#[derive(Clone, Debug)]
enum Hint {
    Stream(StreamId),
    Anywhere,
}

/// What the tasks and the readers share.
#[derive(Debug)]
struct Signals {
    hints: broadcast::Sender<Hint>,
    /// There is something to tell other processes.
    dirty: Notify,
    /// Tells this process' own notifications from others'.
    name: String,
}

/// Tells readers when to look. Its tasks end with it.
#[derive(Debug)]
pub(crate) struct Feed {
    signals: Arc<Signals>,
    tasks: [JoinHandle<()>; 2],
}

impl Feed {
    pub(crate) fn start(pool: &PgPool) -> Self {
        let name = uuid::Uuid::now_v7().to_string();
        let signals = Arc::new(Signals { hints: broadcast::Sender::new(HINTS_MAX), dirty: Notify::new(), name });
        let tasks = [
            tokio::spawn(keep(pool.clone(), Arc::clone(&signals), tell)),
            tokio::spawn(keep(pool.clone(), Arc::clone(&signals), listen)),
        ];
        Self { signals, tasks }
    }

    /// After the commit of an append.
    pub(crate) fn committed(&self, stream: &StreamId) {
        // No receiver is no failure: nobody watches.
        self.signals.hints.send(Hint::Stream(stream.clone())).ok();
        self.signals.dirty.notify_one();
    }

    pub(crate) fn stop(&self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs a task again whenever its connection breaks.
async fn keep<F>(pool: PgPool, signals: Arc<Signals>, task: impl Fn(PgPool, Arc<Signals>) -> F)
where
    F: Future<Output = sqlx::Result<()>>,
{
    while !pool.is_closed() {
        if let Err(error) = task(pool.clone(), Arc::clone(&signals)).await {
            tracing::debug!(%error, "the event feed reconnects; readers poll meanwhile");
        }
        tokio::time::sleep(RECONNECT_AFTER).await;
    }
}

/// One notification for however many commits fell into its interval.
async fn tell(pool: PgPool, signals: Arc<Signals>) -> sqlx::Result<()> {
    let mut connection = pool.acquire().await?.detach();
    // A notification is a hint; waiting for the disk would take turns with appends.
    sqlx::query("set synchronous_commit = off").execute(&mut connection).await?;
    loop {
        signals.dirty.notified().await;
        sqlx::query("select pg_notify($1, $2)").bind(CHANNEL).bind(&signals.name).execute(&mut connection).await?;
        tokio::time::sleep(NOTIFY_EVERY).await;
    }
}

async fn listen(pool: PgPool, signals: Arc<Signals>) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(CHANNEL).await?;
    // What was sent before is lost, so everybody looks.
    signals.hints.send(Hint::Anywhere).ok();
    loop {
        // `None` is a connection that broke and came back: what was sent between is lost, so everybody looks.
        let notification = listener.try_recv().await?;
        if notification.is_none_or(|notification| notification.payload() != signals.name) {
            signals.hints.send(Hint::Anywhere).ok();
        }
    }
}

/// A place in the feed of all streams. As text, `<xid>.<pos>`: what `id:` of a server-sent event carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cursor {
    xid: u64,
    pos: u64,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a cursor; expected two numbers and a dot, as in `981.42`")]
pub struct ParseCursorError(String);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.xid, self.pos)
    }
}

impl FromStr for Cursor {
    type Err = ParseCursorError;

    fn from_str(given: &str) -> Result<Self, ParseCursorError> {
        let parse = || {
            let (xid, pos) = given.split_once('.')?;
            Some(Self { xid: xid.parse().ok()?, pos: pos.parse().ok()? })
        };
        parse().ok_or_else(|| ParseCursorError(given.to_owned()))
    }
}

impl TryFrom<String> for Cursor {
    type Error = ParseCursorError;

    fn try_from(given: String) -> Result<Self, ParseCursorError> {
        given.parse()
    }
}

impl From<Cursor> for String {
    fn from(cursor: Cursor) -> Self {
        cursor.to_string()
    }
}

impl Store {
    /// The events of a stream after `after_seq`, and then each as it is committed, without end. Survives a restart of
    /// the database; after two minutes without one it gives the error and ends.
    pub fn follow(&self, stream: StreamId, after_seq: u64) -> impl Stream<Item = Result<Event, Error>> + Send + use<> {
        let store = self.clone();
        let watched = Some(stream.clone());
        read_on(self, watched, after_seq, move |after| {
            let (store, stream) = (store.clone(), stream.clone());
            async move {
                let events = store.events(&stream, after, EVENTS_PER_PAGE).await?;
                Ok(events.into_iter().map(|event| (event.seq, event)).collect())
            }
        })
        .map_ok(|(_, event)| event)
    }

    /// Says that something was committed to any stream, at most once in `every`. Asks the database nothing, however many
    /// listen.
    pub fn pulse(&self, every: Duration) -> impl Stream<Item = ()> + Send + use<> {
        let hints = self.feed.signals.hints.subscribe();
        stream::unfold((hints, tokio::time::Instant::now()), move |(mut hints, not_before)| async move {
            if let Err(broadcast::error::RecvError::Closed) = hints.recv().await {
                return None;
            }
            tokio::time::sleep_until(not_before).await;
            // Whoever hears this looks after it, and sees what is hinted at until now.
            let hints = hints.resubscribe();
            Some(((), (hints, tokio::time::Instant::now() + every)))
        })
    }

    /// The events of all streams but the sealed ones, in one order that is the same for every reader. An event comes
    /// once every transaction that began before its own has ended.
    pub fn follow_all(&self, after: Cursor) -> impl Stream<Item = Result<(Cursor, Event), Error>> + Send + use<> {
        let pool = self.pool.clone();
        read_on(self, None, after, move |after| feed_page(pool.clone(), after))
    }
}

async fn feed_page(pool: PgPool, after: Cursor) -> Result<Vec<(Cursor, Event)>, Error> {
    let rows = sqlx::query(concat!(
        "select xid::text as xid, pos, ",
        record_columns!(),
        " from evt_events
         where (xid, pos) > ($1::text::xid8, $2) and xid < pg_snapshot_xmin(pg_current_snapshot())
             and stream not like 'sealed:%'
         order by xid, pos limit $3"
    ))
    .bind(after.xid.to_string())
    .bind(signed(after.pos))
    .bind(signed(EVENTS_PER_PAGE))
    .fetch_all(&pool)
    .await?;
    let read = |row: PgRow| {
        let xid: &str = row.try_get("xid")?;
        let cursor = Cursor { xid: xid.parse().unwrap_or(0), pos: unsigned(row.try_get("pos")?) };
        Ok((cursor, Record::from_row(&row)?.into_event()?))
    };
    rows.into_iter().map(read).collect()
}

/// A reader: where it is, what it has read and not given yet, and who tells it to look.
struct Reader<C, Q> {
    hints: broadcast::Receiver<Hint>,
    watched: Option<StreamId>,
    at: C,
    page: VecDeque<(C, Event)>,
    query: Q,
    failures: u32,
    ended: bool,
}

fn read_on<C, Q, F>(
    store: &Store,
    watched: Option<StreamId>,
    at: C,
    query: Q,
) -> impl Stream<Item = Result<(C, Event), Error>> + Send + use<C, Q, F>
where
    C: Copy + Send,
    Q: Fn(C) -> F + Send,
    F: Future<Output = Result<Vec<(C, Event)>, Error>> + Send,
{
    // Subscribed before the first query, so that a commit between the two is not lost.
    let hints = store.feed.signals.hints.subscribe();
    let reader = Reader { hints, watched, at, page: VecDeque::new(), query, failures: 0, ended: false };
    stream::unfold(reader, |mut reader| async move {
        let next = reader.next().await?;
        Some((next, reader))
    })
}

impl<C, Q, F> Reader<C, Q>
where
    C: Copy,
    Q: Fn(C) -> F,
    F: Future<Output = Result<Vec<(C, Event)>, Error>>,
{
    async fn next(&mut self) -> Option<Result<(C, Event), Error>> {
        while !self.ended {
            if let Some((at, event)) = self.page.pop_front() {
                self.at = at;
                return Some(Ok((at, event)));
            }
            match (self.query)(self.at).await {
                Ok(page) if page.is_empty() => {
                    self.failures = 0;
                    self.hinted().await;
                }
                Ok(page) => self.page = page.into(),
                Err(error) if error.is_connection() && self.failures < FAILURES_MAX => {
                    self.failures += 1;
                    tokio::time::sleep(POLL_EVERY).await;
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }

    /// Returns when there may be something new.
    async fn hinted(&mut self) {
        let concerned = async {
            loop {
                match (self.hints.recv().await, &self.watched) {
                    (Ok(Hint::Stream(stream)), Some(watched)) if stream != *watched => {}
                    (Ok(_) | Err(broadcast::error::RecvError::Lagged(_)), _) => return,
                    // The store is closed; the slow clock finds out what that means.
                    (Err(broadcast::error::RecvError::Closed), _) => std::future::pending().await,
                }
            }
        };
        // Past the time the query is due anyway.
        tokio::time::timeout(POLL_EVERY, concerned).await.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_a_broken_one_is_refused() {
        let cursor = Cursor { xid: 981, pos: 42 };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for broken in ["", "981", "981.", "a.1", "1.2.3", "-1.2"] {
            assert!(broken.parse::<Cursor>().is_err(), "{broken}");
        }
    }
}
