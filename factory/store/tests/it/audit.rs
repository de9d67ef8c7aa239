//! AO-45: whatever is done to the log behind the factory's back is found, and named.

use std::path::PathBuf;

use model::{event::StreamId, id::RunId};
use sqlx::FromRow as _;
use store::{AnchorError, Bad, Expected, Finding};

use crate::support::{Db, new_run, note, stream};

/// Two streams of five events each, and an anchor over them.
struct Scene {
    db: Db,
    victim: StreamId,
    anchor: PathBuf,
}

impl Scene {
    async fn new() -> Self {
        let db = Db::new().await;
        let victim = stream();
        for stream in [&victim, &stream()] {
            let drafts: Vec<_> = (1..=5).map(|n| note(format!("step {n}"))).collect();
            db.append(stream, Expected::default(), &drafts).await.unwrap();
        }
        let anchor = db.anchor_path();
        assert_eq!(db.anchor(&anchor).await.unwrap().events, 10);
        Self { db, victim, anchor }
    }

    /// Runs a statement with `$v` standing for the victim, triggers off.
    async fn tamper(&self, statement: &str) {
        let statement = statement.replace("$v", &format!("'{}'", self.victim));
        assert!(self.db.tamper(&statement).await > 0, "{statement} changed nothing");
    }

    async fn found(&self, seq: u64, finding: Finding) {
        let expected = Some(Bad { stream: self.victim.to_string(), seq, finding });
        assert_eq!(self.db.verify(Some(&self.anchor)).await.unwrap().first_bad, expected);
    }

    async fn found_without_the_anchor(&self) -> Option<Finding> {
        self.db.verify(None).await.unwrap().first_bad.map(|bad| bad.finding)
    }
}

#[tokio::test]
async fn an_untouched_log_is_good_and_the_check_is_kept() {
    let scene = Scene::new().await;
    let report = scene.db.verify(Some(&scene.anchor)).await.unwrap();
    assert_eq!((report.streams, report.events, report.anchored_events, report.first_bad), (2, 10, Some(10), None));
    let state = scene.db.audit_state().await.unwrap();
    assert_eq!((state.streams, state.events, state.checked_events, state.first_bad), (2, 10, 10, None));
    assert!(state.checked_at.is_some());
    scene.db.end().await;
}

#[tokio::test]
async fn every_event_changes_the_digest_of_all_heads() {
    let db = Db::new().await;
    assert_eq!(db.head_digest().await.unwrap(), None);
    let mut seen = std::collections::BTreeSet::new();
    for stream in [stream(), stream()] {
        db.append(&stream, Expected::default(), &[note("one more")]).await.unwrap();
        assert!(seen.insert(db.head_digest().await.unwrap()), "the digest did not change");
    }
    db.end().await;
}

#[tokio::test]
async fn events_after_the_anchor_are_no_finding() {
    let scene = Scene::new().await;
    let more = Expected { head_seq: 5, epoch: 0 };
    scene.db.append(&scene.victim, more, &[note("later")]).await.unwrap();
    let report = scene.db.verify(Some(&scene.anchor)).await.unwrap();
    assert_eq!((report.events, report.anchored_events, report.first_bad), (11, Some(10), None));
    scene.db.end().await;
}

#[tokio::test]
async fn a_changed_byte_is_found() {
    let scene = Scene::new().await;
    scene
        .tamper(
            "update evt_events set data = replace(data::text, 'step 3', 'step 4')::json where stream = $v and seq = 3",
        )
        .await;
    scene.found(3, Finding::HashDiffers).await;
    assert!(scene.db.audit_state().await.unwrap().first_bad.unwrap().contains("event 3"));
    scene.db.end().await;
}

#[tokio::test]
async fn a_changed_envelope_is_found() {
    for change in ["actor_name = 'other'", "recorded_at = recorded_at + interval '1 us'", "epoch = 1", "version = 2"] {
        let scene = Scene::new().await;
        scene.tamper(&format!("update evt_events set {change} where stream = $v and seq = 2")).await;
        scene.found(2, Finding::HashDiffers).await;
        scene.db.end().await;
    }
}

#[tokio::test]
async fn a_white_space_in_the_data_is_found() {
    let scene = Scene::new().await;
    scene.tamper("update evt_events set data = (data::text || ' ')::json where stream = $v and seq = 1").await;
    scene.found(1, Finding::HashDiffers).await;
    scene.db.end().await;
}

#[tokio::test]
async fn a_reordered_pair_is_found() {
    let scene = Scene::new().await;
    for step in [
        "seq = 90 where stream = $v and seq = 2",
        "seq = 2 where stream = $v and seq = 3",
        "seq = 3 where stream = $v and seq = 90",
    ] {
        scene.tamper(&format!("update evt_events set {step}")).await;
    }
    scene.found(2, Finding::HashDiffers).await;
    scene.db.end().await;
}

#[tokio::test]
async fn a_missing_event_is_found() {
    let scene = Scene::new().await;
    scene.tamper("delete from evt_events where stream = $v and seq = 2").await;
    scene.found(2, Finding::Missing).await;
    scene.db.end().await;
}

#[tokio::test]
async fn a_cut_tail_is_found_by_the_head() {
    let scene = Scene::new().await;
    scene.tamper("delete from evt_events where stream = $v and seq > 3").await;
    scene.found(4, Finding::TailMissing).await;
    scene.db.end().await;
}

const CUT_WITH_HEAD: [&str; 2] = [
    "delete from evt_events where stream = $v and seq > 3",
    "update evt_stream_heads set head_seq = 3, event_count = 3, \
     head_hash = (select hash from evt_events where stream = $v and seq = 3) where stream = $v",
];

#[tokio::test]
async fn a_tail_cut_together_with_the_head_is_found_by_the_anchor_alone() {
    let scene = Scene::new().await;
    for statement in CUT_WITH_HEAD {
        scene.tamper(statement).await;
    }
    assert_eq!(scene.found_without_the_anchor().await, None, "the database vouches for itself");
    scene.found(4, Finding::AnchorAhead).await;
    scene.db.end().await;
}

/// A chain that is right in itself, from the first event on, with another content.
#[tokio::test]
async fn a_stream_rewritten_whole_is_found_by_the_anchor_alone() {
    let scene = Scene::new().await;
    let forger = Db::new().await;
    let drafts: Vec<_> = (1..=5).map(|n| note(format!("forged {n}"))).collect();
    forger.append(&scene.victim, Expected::default(), &drafts).await.unwrap();
    scene.tamper("delete from evt_events where stream = $v").await;
    scene.tamper("delete from evt_stream_heads where stream = $v").await;
    for table in ["evt_events", "evt_stream_heads"] {
        copy(&forger, &scene.db, table).await;
    }
    assert_eq!(scene.found_without_the_anchor().await, None, "the database vouches for itself");
    scene.found(5, Finding::AnchorDiffers).await;
    forger.end().await;
    scene.db.end().await;
}

/// All rows of a table, into the same table of another database.
async fn copy(from: &Db, to: &Db, table: &str) {
    let select = format!("select json_agg(t)::text from {table} t");
    let row = sqlx::query(sqlx::AssertSqlSafe(select)).fetch_one(&mut from.owner().await).await.unwrap();
    let (rows,) = <(String,)>::from_row(&row).unwrap();
    let columns = format!("select * from json_populate_recordset(null::{table}, '{}')", rows.replace('\'', "''"));
    let overriding = if table == "evt_events" { "overriding system value" } else { "" };
    to.tamper(&format!("insert into {table} {overriding} {columns}")).await;
}

#[tokio::test]
async fn a_stream_taken_away_whole_is_found_by_the_anchor() {
    let scene = Scene::new().await;
    scene.tamper("delete from evt_events where stream = $v").await;
    scene.tamper("delete from evt_stream_heads where stream = $v").await;
    scene.found(1, Finding::AnchorAhead).await;
    scene.db.end().await;
}

#[tokio::test]
async fn a_head_that_does_not_fit_is_found() {
    let scene = Scene::new().await;
    scene.tamper("update evt_stream_heads set head_hash = decode(repeat('ab', 32), 'hex') where stream = $v").await;
    scene.found(5, Finding::HeadDiffers).await;
    scene.tamper("delete from evt_stream_heads where stream = $v").await;
    assert_eq!(scene.found_without_the_anchor().await, Some(Finding::HeadMissing));
    scene.db.end().await;
}

#[tokio::test]
async fn a_changed_anchor_is_refused() {
    let scene = Scene::new().await;
    let text = std::fs::read_to_string(&scene.anchor).unwrap();
    std::fs::write(&scene.anchor, text.replacen("\"seq\": 5", "\"seq\": 3", 1)).unwrap();
    let error = scene.db.verify(Some(&scene.anchor)).await.unwrap_err();
    assert!(matches!(error, AnchorError::BadSignature { .. }), "{error}");
    scene.db.end().await;
}

#[tokio::test]
async fn an_anchor_of_another_key_is_refused() {
    let scene = Scene::new().await;
    std::fs::write(scene.db.data_home.path().join("audit/key"), "07".repeat(32)).unwrap();
    let error = scene.db.verify(Some(&scene.anchor)).await.unwrap_err();
    assert!(matches!(error, AnchorError::BadSignature { .. }), "{error}");
    scene.db.end().await;
}

#[tokio::test]
async fn an_anchor_that_the_log_contradicts_is_never_replaced() {
    let scene = Scene::new().await;
    let before = std::fs::read(&scene.anchor).unwrap();
    for statement in CUT_WITH_HEAD {
        scene.tamper(statement).await;
    }
    let error = scene.db.anchor(&scene.anchor).await.unwrap_err();
    assert!(matches!(error, AnchorError::Contradicted(_)), "{error}");
    assert_eq!(std::fs::read(&scene.anchor).unwrap(), before);
    scene.db.end().await;
}

#[tokio::test]
async fn the_key_is_private() {
    use std::os::unix::fs::MetadataExt;
    let scene = Scene::new().await;
    let key = scene.db.data_home.path().join("audit/key");
    assert_eq!(key.metadata().unwrap().mode() & 0o777, 0o600);
    scene.db.end().await;
}

/// Three events of a run, and one of its sealed stream.
async fn run_in(db: &Db) -> RunId {
    let run = new_run();
    let drafts: Vec<_> = (1..=3).map(|n| note(format!("step {n}"))).collect();
    db.append(&StreamId::run(&run), Expected::default(), &drafts).await.unwrap();
    db.append(&StreamId::sealed(&run), Expected::default(), &[note("sealed")]).await.unwrap();
    run
}

#[tokio::test]
async fn the_end_of_a_run_is_checked_and_anchored_beside_what_is_anchored_already() {
    let scene = Scene::new().await;
    let run = run_in(&scene.db).await;
    let report = scene.db.anchor_run(&run).await.unwrap();
    assert_eq!((report.streams, report.events, report.first_bad), (2, 4, None));
    let whole = scene.db.verify(Some(&scene.anchor)).await.unwrap();
    assert_eq!((whole.events, whole.anchored_events, whole.first_bad), (14, Some(14), None));
    scene.db.end().await;
}

/// What others did to other streams is no business of a run's end, and stays for [`store::Store::verify`] to find.
#[tokio::test]
async fn the_end_of_a_run_neither_reads_nor_hides_what_is_wrong_elsewhere() {
    let scene = Scene::new().await;
    for statement in CUT_WITH_HEAD {
        scene.tamper(statement).await;
    }
    let run = run_in(&scene.db).await;
    assert_eq!(scene.db.anchor_run(&run).await.unwrap().first_bad, None);
    scene.found(4, Finding::AnchorAhead).await;
    scene.db.end().await;
}

#[tokio::test]
async fn a_run_that_the_anchor_contradicts_is_not_anchored_again() {
    for statement in [
        "update evt_events set actor_name = 'other' where stream = $v and seq = 2",
        "delete from evt_events where stream = $v; delete from evt_stream_heads where stream = $v",
    ] {
        let scene = Scene::new().await;
        let run = run_in(&scene.db).await;
        scene.db.anchor_run(&run).await.unwrap();
        let before = std::fs::read(&scene.anchor).unwrap();
        for part in statement.split("; ") {
            scene.db.tamper(&part.replace("$v", &format!("'{run}'"))).await;
        }
        assert!(scene.db.anchor_run(&run).await.unwrap().first_bad.is_some(), "{statement}");
        assert_eq!(std::fs::read(&scene.anchor).unwrap(), before, "{statement}");
        scene.db.end().await;
    }
}

#[tokio::test]
async fn runs_that_end_at_once_are_all_anchored() {
    let db = Db::new().await;
    let mut runs = Vec::new();
    for _ in 0..8 {
        runs.push(run_in(&db).await);
    }
    let others = [db.another_process().await, db.another_process().await];
    let ends = runs.iter().zip(others.iter().cycle()).map(|(run, store)| store.anchor_run(run));
    for end in futures::future::join_all(ends).await {
        assert_eq!(end.unwrap().first_bad, None);
    }
    assert_eq!(db.verify(Some(&db.anchor_path())).await.unwrap().anchored_events, Some(32));
    for other in others {
        other.close().await;
    }
    db.end().await;
}
