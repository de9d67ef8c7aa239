//! AO-2, AO-3: gap-free streams, one writer at a time, retries without harm.

use model::{
    event::{Actor, Draft, StreamId, run::BranchWritten},
    verdict::Score,
};
use store::{AppendError, EVENT_BYTES_MAX, EVENTS_PER_APPEND_MAX, Expected};

use crate::support::{Db, note, stream, turn};

fn at(head_seq: u64) -> Expected {
    Expected { head_seq, epoch: 0 }
}

#[tokio::test]
async fn what_was_appended_reads_back_as_it_was() {
    let db = Db::new().await;
    let stream = stream();
    let drafts = [
        note("nul \u{0}, quote \", emoji 🦀").by(Actor::User("ü".into())),
        turn(3).by(Actor::Agent("a".into())).once("k"),
    ];
    let appended = db.append(&stream, at(0), &drafts).await.unwrap();
    let read = db.all_events(&stream).await.unwrap();
    assert_eq!(appended, read);
    assert_eq!(read.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(read[0].body, drafts[0].body);
    assert_eq!(read[1].actor, Actor::Agent("a".into()));
    assert_eq!(read[1].correlation_id, stream.as_str());
    db.end().await;
}

/// M1: concurrent appenders never leave a gap or reorder.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_appenders_leave_no_gap() {
    const STREAMS: usize = 16;
    const APPENDERS_PER_STREAM: u64 = 4;
    const EACH: u32 = 100;
    let db = Db::new().await;
    let streams: Vec<_> = (0..STREAMS).map(|_| stream()).collect();
    let mut appenders = Vec::new();
    for (stream, appender) in streams.iter().flat_map(|stream| (0..APPENDERS_PER_STREAM).map(move |n| (stream, n))) {
        appenders.push(tokio::spawn(append_each(db.store.clone(), stream.clone(), appender, EACH)));
    }
    for appender in appenders {
        appender.await.unwrap();
    }
    for stream in &streams {
        let events = db.all_events(stream).await.unwrap();
        assert_eq!(events.len() as u64, APPENDERS_PER_STREAM * u64::from(EACH));
        assert!(events.iter().zip(1..).all(|(event, seq)| event.seq == seq));
        for appender in 0..APPENDERS_PER_STREAM {
            let own = events.iter().filter(|event| event.actor == Actor::Service(appender.to_string()));
            let order: Vec<_> = own.map(|event| event.body.clone()).collect();
            assert_eq!(order, (0..EACH).map(|number| turn(number).body).collect::<Vec<_>>());
        }
    }
    assert_eq!(db.verify(None).await.unwrap().first_bad, None);
    db.end().await;
}

/// Appends one after the other, deciding again whenever somebody else was faster.
async fn append_each(store: store::Store, stream: StreamId, appender: u64, events: u32) {
    let mut head = 0;
    for number in 0..events {
        let draft = [turn(number).by(Actor::Service(appender.to_string()))];
        head = loop {
            match store.append(&stream, at(head), &draft).await {
                Ok(events) => break events[0].seq,
                Err(AppendError::StaleHead { actual, .. }) => head = actual,
                Err(other) => panic!("{other}"),
            }
        };
    }
}

#[tokio::test]
async fn a_stale_head_is_refused_and_names_the_actual_one() {
    let db = Db::new().await;
    let stream = stream();
    db.append(&stream, at(0), &[turn(1), turn(2)]).await.unwrap();
    let error = db.append(&stream, at(1), &[turn(3)]).await.unwrap_err();
    assert!(matches!(error, AppendError::StaleHead { expected: 1, actual: 2, .. }), "{error}");
    let error = db.append(&crate::support::stream(), at(4), &[turn(3)]).await.unwrap_err();
    assert!(matches!(error, AppendError::StaleHead { expected: 4, actual: 0, .. }), "{error}");
    assert_eq!(db.head_seq(&stream).await.unwrap(), 2);
    db.end().await;
}

#[tokio::test]
async fn a_retry_under_the_same_keys_gives_the_stored_events_and_changes_nothing() {
    let db = Db::new().await;
    let stream = stream();
    let batch = [turn(1).once("a"), turn(2).once("b")];
    let first = db.append(&stream, at(0), &batch).await.unwrap();
    // The retry of someone who never saw the answer, and of someone who did.
    assert_eq!(db.append(&stream, at(0), &batch).await.unwrap(), first);
    assert_eq!(db.append(&stream, at(2), &batch).await.unwrap(), first);
    assert_eq!(db.head_seq(&stream).await.unwrap(), 2);
    db.end().await;
}

#[tokio::test]
async fn a_batch_that_is_stored_in_part_is_refused_whole() {
    let db = Db::new().await;
    let stream = stream();
    db.append(&stream, at(0), &[turn(1).once("a")]).await.unwrap();
    let error = db.append(&stream, at(1), &[turn(2).once("b"), turn(1).once("a")]).await.unwrap_err();
    assert!(matches!(&error, AppendError::Duplicate { keys } if keys == &["a"]), "{error}");
    assert_eq!(db.head_seq(&stream).await.unwrap(), 1);
    db.end().await;
}

#[tokio::test]
async fn the_same_key_on_another_stream_is_another_event() {
    let db = Db::new().await;
    for _ in 0..2 {
        db.append(&stream(), at(0), &[turn(1).once("a")]).await.unwrap();
    }
    db.end().await;
}

#[tokio::test]
async fn an_event_or_a_batch_beyond_its_bound_is_refused_before_anything_is_written() {
    let db = Db::new().await;
    let stream = stream();
    let large: Draft = note("x".repeat(EVENT_BYTES_MAX));
    let error = db.append(&stream, at(0), &[turn(1), large]).await.unwrap_err();
    assert!(matches!(error, AppendError::EventTooLarge { kind: "node.arrived", .. }), "{error}");
    let many = vec![turn(1); EVENTS_PER_APPEND_MAX + 1];
    let error = db.append(&stream, at(0), &many).await.unwrap_err();
    assert!(matches!(error, AppendError::TooManyEvents { .. }), "{error}");
    assert_eq!(db.append(&stream, at(0), &[note("x".repeat(EVENT_BYTES_MAX - 100))]).await.unwrap().len(), 1);
    db.end().await;
}

/// JSON has no such number: it would be written as `null` and nobody could read the stream again.
#[tokio::test]
async fn an_event_that_would_not_read_back_is_refused() {
    let db = Db::new().await;
    let stream = stream();
    let branch = BranchWritten {
        branch: "b".into(),
        commit: "c".into(),
        visible: Score { satisfaction: f64::NAN, ..Score::default() },
        holdout: Score::default(),
    };
    let error = db.append(&stream, at(0), &[turn(1), Draft::service("test", branch)]).await.unwrap_err();
    assert!(matches!(error, AppendError::Store(store::Error::Unreadable { seq: 2, .. })), "{error}");
    assert_eq!(db.head_seq(&stream).await.unwrap(), 0);
    db.end().await;
}

/// The writer's connections are cut between two appends, as by a restart of the server.
#[tokio::test]
async fn a_writer_goes_on_after_its_connections_were_cut() {
    let db = Db::new().await;
    let run = crate::support::new_run();
    db.enqueue(&run, &crate::support::workspace()).await.unwrap();
    let lease = db.claim("w", std::time::Duration::from_secs(60)).await.unwrap().unwrap();
    let mut writer = db.writer(&lease).await.unwrap();
    for number in 1..=5 {
        let mut owner = db.owner().await;
        let cut = "select pg_terminate_backend(pid) from pg_stat_activity \
                   where datname = current_database() and pid <> pg_backend_pid()";
        crate::support::run(&mut owner, cut).await;
        writer.append(&[turn(number)]).await.unwrap();
    }
    let events = db.all_events(writer.stream()).await.unwrap();
    assert_eq!(events.len(), 5, "each exactly once");
    assert_eq!(db.verify(None).await.unwrap().first_bad, None);
    db.end().await;
}
