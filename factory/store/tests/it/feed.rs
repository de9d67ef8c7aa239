//! AO-13: who follows misses nothing, sees nothing twice, and keeps the order.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, TryStreamExt as _};
use model::event::{Event, StreamId};
use sqlx::{Connection as _, PgConnection};
use store::{Cursor, Expected, Store};

use crate::support::{Db, new_run, run, stream, turn};

const PATIENCE: Duration = Duration::from_secs(60);

async fn fill(store: &Store, stream: &StreamId, events: u64) {
    for head_seq in 0..events {
        store.append(stream, Expected { head_seq, epoch: 0 }, &[turn(1)]).await.unwrap();
    }
}

async fn take(events: impl futures::Stream<Item = Result<Event, store::Error>>, count: usize) -> Vec<u64> {
    let taken = events.take(count).map_ok(|event| event.seq).try_collect();
    tokio::time::timeout(PATIENCE, taken).await.expect("all events within a minute").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_sees_what_was_there_and_then_what_comes() {
    let db = Db::new().await;
    let stream = stream();
    fill(&db, &stream, 5).await;
    let follower = tokio::spawn(take(db.follow(stream.clone(), 2), 10));
    for head_seq in 5..12 {
        db.append(&stream, Expected { head_seq, epoch: 0 }, &[turn(1)]).await.unwrap();
    }
    assert_eq!(follower.await.unwrap(), (3..=12).collect::<Vec<_>>());
    db.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_in_another_process_sees_the_same() {
    let db = Db::new().await;
    let stream = stream();
    let other = db.another_process().await;
    let follower = tokio::spawn(take(other.follow(stream.clone(), 0), 50));
    fill(&db, &stream, 50).await;
    assert_eq!(follower.await.unwrap(), (1..=50).collect::<Vec<_>>());
    other.close().await;
    db.end().await;
}

/// A reader that is kept but not polled owns a connection in the middle of its query.
#[tokio::test]
async fn closing_does_not_wait_for_a_follower_that_nobody_polls() {
    let db = Db::new().await;
    let other = db.another_process().await;
    let mut follower = Box::pin(other.follow(stream(), 0));
    assert!(futures::poll!(follower.next()).is_pending(), "its query is under way");
    tokio::time::timeout(PATIENCE, other.close()).await.expect("closes although the query never ends");
    drop(follower);
    db.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_survives_cut_connections() {
    let db = Db::new().await;
    let stream = stream();
    let follower = tokio::spawn(take(db.follow(stream.clone(), 0), 10));
    fill(&db, &stream, 5).await;
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity \
               where datname = current_database() and pid <> pg_backend_pid()";
    run(&mut db.owner().await, cut).await;
    let other = db.another_process().await;
    for head_seq in 5..10 {
        other.append(&stream, Expected { head_seq, epoch: 0 }, &[turn(1)]).await.unwrap();
    }
    assert_eq!(follower.await.unwrap(), (1..=10).collect::<Vec<_>>());
    other.close().await;
    db.end().await;
}

/// The measurement that this design comes from: reading by position alone lost a fifth of the events.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_feed_of_all_streams_loses_nothing_with_eight_interleaving_writers() {
    const WRITERS: usize = 8;
    const EACH: u64 = 60;
    let db = Db::new().await;
    let other = db.another_process().await;
    let streams: Vec<_> = (0..WRITERS).map(|_| stream()).collect();
    let writers: Vec<_> = streams
        .iter()
        .enumerate()
        .map(|(n, stream)| {
            let (store, stream) = (if n % 2 == 0 { db.store.clone() } else { other.clone() }, stream.clone());
            tokio::spawn(async move { fill(&store, &stream, EACH).await })
        })
        .collect();
    let feed = db.follow_all(Cursor::default()).take(WRITERS * usize::try_from(EACH).unwrap());
    let seen: Vec<(Cursor, Event)> =
        tokio::time::timeout(PATIENCE, feed.try_collect()).await.expect("all events within a minute").unwrap();
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(seen.is_sorted_by_key(|(cursor, _)| *cursor));
    let mut by_stream: BTreeMap<StreamId, Vec<u64>> = BTreeMap::new();
    for (_, event) in &seen {
        by_stream.entry(event.stream.clone()).or_default().push(event.seq);
    }
    for stream in &streams {
        assert_eq!(by_stream[stream], (1..=EACH).collect::<Vec<_>>());
    }
    let resumed: Vec<_> = db.follow_all(seen[9].0).take(5).map_ok(|(cursor, _)| cursor).try_collect().await.unwrap();
    assert_eq!(resumed, seen[10..15].iter().map(|(cursor, _)| *cursor).collect::<Vec<_>>());
    other.close().await;
    db.end().await;
}

/// An event of a slow transaction comes late, and the ones behind it wait: nobody's cursor passes it by.
#[tokio::test]
async fn an_event_waits_for_transactions_that_began_before_it() {
    let db = Db::new().await;
    let mut slow: PgConnection = db.owner().await;
    let mut transaction = slow.begin().await.unwrap();
    run(&mut transaction, "select pg_current_xact_id()").await;
    let stream = stream();
    fill(&db, &stream, 1).await;
    let mut feed = Box::pin(db.follow_all(Cursor::default()));
    let reader = tokio::spawn(async move { feed.next().await });
    // A reader looks again only when it found nothing.
    let first = last_look(&db, 0.0).await;
    last_look(&db, first).await;
    assert!(!reader.is_finished());
    transaction.rollback().await.unwrap();
    let (_, event) = tokio::time::timeout(PATIENCE, reader).await.unwrap().unwrap().unwrap().unwrap();
    assert_eq!(event.stream, stream);
    db.end().await;
}

/// When the feed was last asked for, once that is after `than`.
async fn last_look(db: &Db, than: f64) -> f64 {
    let mut owner = db.owner().await;
    let mut look = than;
    let deadline = Instant::now() + PATIENCE;
    while look <= than {
        assert!(Instant::now() < deadline, "nobody has looked again");
        look = sqlx::query_scalar(
            "select coalesce(max(extract(epoch from query_start)), 0)::float8 from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid() and query like '%pg_snapshot_xmin%'",
        )
        .fetch_one(&mut owner)
        .await
        .unwrap();
        tokio::task::yield_now().await;
    }
    look
}

#[tokio::test]
async fn the_feed_of_all_streams_never_shows_a_sealed_one() {
    let db = Db::new().await;
    let id = new_run();
    fill(&db, &StreamId::sealed(&id), 3).await;
    fill(&db, &StreamId::run(&id), 1).await;
    let first: Vec<_> = db.follow_all(Cursor::default()).take(1).try_collect().await.unwrap();
    assert_eq!(first[0].1.stream, StreamId::run(&id));
    db.end().await;
}
