//! AO-20, AO-21: one worker per run, by lease and epoch.

use std::time::Duration;

use model::id::RunId;
use store::{AppendError, LeaseError, QueueState};

use crate::support::{Db, new_run, run, turn, workspace};

const LONG: Duration = Duration::from_secs(600);

async fn enqueued(db: &Db) -> RunId {
    let run = new_run();
    db.enqueue(&run, &workspace()).await.unwrap();
    run
}

/// What a worker that was stopped past its lease looks like to the database's clock.
async fn let_expire(db: &Db) {
    run(&mut db.owner().await, "update run_queue set lease_until = clock_timestamp() - interval '1 ms'").await;
}

#[tokio::test]
async fn a_run_is_claimed_once_and_in_the_order_of_waiting() {
    let db = Db::new().await;
    let (first, second) = (enqueued(&db).await, enqueued(&db).await);
    assert_eq!(db.claim("a", LONG).await.unwrap().unwrap().run, first);
    assert_eq!(db.claim("b", LONG).await.unwrap().unwrap().run, second);
    assert_eq!(db.claim("c", LONG).await.unwrap(), None);
    db.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_workers_at_once_never_share_a_run() {
    let db = Db::new().await;
    let mut runs = Vec::new();
    for _ in 0..40 {
        runs.push(enqueued(&db).await);
    }
    let workers: Vec<_> = (0..16)
        .map(|worker| {
            let store = db.store.clone();
            tokio::spawn(async move {
                let mut claimed = Vec::new();
                while let Some(lease) = store.claim(&format!("w{worker}"), LONG).await.unwrap() {
                    claimed.push(lease.run);
                }
                claimed
            })
        })
        .collect();
    let mut claimed = Vec::new();
    for worker in workers {
        claimed.extend(worker.await.unwrap());
    }
    claimed.sort();
    runs.sort();
    assert_eq!(claimed, runs);
    db.end().await;
}

/// M3: a worker sleeps past its lease, another takes over, the first wakes: every late write is refused.
#[tokio::test]
async fn every_late_write_of_a_worker_that_slept_is_refused() {
    let db = Db::new().await;
    let id = enqueued(&db).await;
    let slept = db.claim("sleeper", LONG).await.unwrap().unwrap();
    let mut own = db.writer(&slept).await.unwrap();
    let mut sealed = db.sealed_writer(&slept).await.unwrap();
    own.append(&[turn(1)]).await.unwrap();
    let_expire(&db).await;
    let heir = db.claim("heir", LONG).await.unwrap().unwrap();
    assert_eq!((&heir.run, heir.epoch, heir.attempts), (&id, slept.epoch + 1, 2));

    for writer in [&mut own, &mut sealed] {
        let error = writer.append(&[turn(2)]).await.unwrap_err();
        assert!(matches!(error, AppendError::Fenced { epoch, .. } if epoch == heir.epoch), "{error}");
    }
    assert!(matches!(db.writer(&slept).await, Err(AppendError::Fenced { .. })));
    assert!(matches!(db.heartbeat(&slept, LONG).await, Err(LeaseError::Lost { .. })));
    assert!(matches!(db.release(&slept).await, Err(LeaseError::Lost { .. })));
    assert!(matches!(db.park(&slept).await, Err(LeaseError::Lost { .. })));
    assert!(matches!(db.finish(&slept).await, Err(LeaseError::Lost { .. })));

    let events = db.writer(&heir).await.unwrap().append(&[turn(2)]).await.unwrap();
    assert_eq!((events[0].seq, events[0].epoch), (2, heir.epoch));
    assert_eq!(db.queue_state(&id).await.unwrap(), Some(QueueState::Claimed));
    db.end().await;
}

#[tokio::test]
async fn an_expired_lease_cannot_be_renewed_even_if_nobody_took_the_run() {
    let db = Db::new().await;
    enqueued(&db).await;
    let lease = db.claim("w", LONG).await.unwrap().unwrap();
    db.heartbeat(&lease, LONG).await.unwrap();
    let_expire(&db).await;
    assert!(matches!(db.heartbeat(&lease, LONG).await, Err(LeaseError::Lost { .. })));
    db.end().await;
}

#[tokio::test]
async fn a_parked_run_waits_until_it_is_woken() {
    let db = Db::new().await;
    let id = enqueued(&db).await;
    let lease = db.claim("w", LONG).await.unwrap().unwrap();
    db.park(&lease).await.unwrap();
    assert_eq!(db.queue_state(&id).await.unwrap(), Some(QueueState::Parked));
    assert_eq!(db.claim("x", LONG).await.unwrap(), None);
    assert!(db.wake(&id).await.unwrap());
    assert!(!db.wake(&id).await.unwrap(), "it is awake");
    assert_eq!(db.claim("x", LONG).await.unwrap().unwrap().epoch, lease.epoch + 1);
    db.end().await;
}

#[tokio::test]
async fn a_finished_run_is_never_claimed_again() {
    let db = Db::new().await;
    let id = enqueued(&db).await;
    let lease = db.claim("w", LONG).await.unwrap().unwrap();
    db.finish(&lease).await.unwrap();
    db.enqueue(&id, &workspace()).await.unwrap();
    assert_eq!(db.claim("x", LONG).await.unwrap(), None);
    assert_eq!(db.claim_run(&id, "x", LONG).await.unwrap(), None);
    assert_eq!(db.queue_state(&id).await.unwrap(), Some(QueueState::Done));
    db.end().await;
}

#[tokio::test]
async fn a_certain_run_can_be_claimed_parked_or_not_but_not_from_a_living_worker() {
    let db = Db::new().await;
    let (first, second) = (enqueued(&db).await, enqueued(&db).await);
    let lease = db.claim_run(&second, "w", LONG).await.unwrap().unwrap();
    assert_eq!(db.claim_run(&second, "x", LONG).await.unwrap(), None);
    db.park(&lease).await.unwrap();
    assert_eq!(db.claim_run(&second, "x", LONG).await.unwrap().unwrap().epoch, 2);
    assert_eq!(db.claim("y", LONG).await.unwrap().unwrap().run, first);
    db.end().await;
}

/// Whoever starts a run performs it: between its place in the queue and its first claim nobody else can come.
#[tokio::test]
async fn a_run_that_is_enqueued_by_its_worker_is_nobody_elses_until_that_one_lets_go() {
    let db = Db::new().await;
    let id = new_run();
    let lease = db.enqueue_claimed(&id, &workspace(), "w", LONG).await.unwrap().unwrap();
    assert_eq!((&lease.run, lease.epoch, lease.attempts, lease.worker.as_str()), (&id, 1, 1, "w"));
    assert_eq!(db.claim("x", LONG).await.unwrap(), None);
    assert_eq!(db.enqueue_claimed(&id, &workspace(), "x", LONG).await.unwrap(), None);
    let mut writer = db.writer(&lease).await.unwrap();
    writer.append(&[turn(1)]).await.unwrap();

    let_expire(&db).await;
    assert_eq!(db.claim("x", LONG).await.unwrap().unwrap().epoch, 2);
    assert!(matches!(writer.append(&[turn(2)]).await, Err(AppendError::Fenced { .. })));
    db.end().await;
}

/// AO-20: who comes after a killed worker need not wait for its lease, and a worker that was alive after all is fenced.
#[tokio::test]
async fn an_evicted_worker_is_fenced_and_only_the_present_holder_is_evicted() {
    let db = Db::new().await;
    let id = enqueued(&db).await;
    assert_eq!(db.holder(&id).await.unwrap(), None);
    assert!(!db.evict(&id, "w").await.unwrap(), "nobody holds it");
    assert_eq!(db.holders().await.unwrap(), []);
    let lease = db.claim("w", LONG).await.unwrap().unwrap();
    let mut writer = db.writer(&lease).await.unwrap();
    assert_eq!(db.holder(&id).await.unwrap().as_deref(), Some("w"));
    assert_eq!(db.holders().await.unwrap(), [(id.clone(), "w".to_owned())]);
    assert!(!db.evict(&id, "v").await.unwrap(), "another name");
    assert_eq!(db.claim_run(&id, "x", LONG).await.unwrap(), None);

    assert!(db.evict(&id, "w").await.unwrap());
    let heir = db.claim_run(&id, "x", LONG).await.unwrap().unwrap();
    assert_eq!(heir.epoch, lease.epoch + 1);
    assert!(!db.evict(&id, "w").await.unwrap(), "the heir holds it");
    assert!(matches!(writer.append(&[turn(1)]).await, Err(AppendError::Fenced { .. })));
    assert!(matches!(db.heartbeat(&lease, LONG).await, Err(LeaseError::Lost { .. })));
    db.end().await;
}
