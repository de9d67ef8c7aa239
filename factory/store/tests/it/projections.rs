//! AO-5, AO-6: pages show what the log says, and the log alone is enough to show it again.

use model::{
    budget::Spend,
    event::{Draft, StreamId},
    id::RunId,
    verdict::Verdict,
};
use sqlx::AssertSqlSafe;
use store::{Expected, RunStatus};

use crate::support::{Db, created, new_run, note, story};

const TABLES: [&str; 3] = ["proj_runs", "proj_scores", "proj_gates"];

async fn tell(db: &Db, run: &RunId, spec: &str, drafts: &[Draft]) {
    let stream = StreamId::run(run);
    db.append(&stream, Expected::default(), &[created(run, spec)]).await.unwrap();
    // One by one and in twos, as a worker would.
    let mut head_seq = 1;
    for pair in drafts.chunks(2) {
        head_seq = db.append(&stream, Expected { head_seq, epoch: 0 }, pair).await.unwrap().last().unwrap().seq;
    }
}

async fn dump(db: &Db) -> Vec<String> {
    let mut owner = db.owner().await;
    let mut rows = Vec::new();
    for table in TABLES {
        let select = format!("select '{table} ' || t::text from {table} t order by 1");
        let some: Vec<String> = sqlx::query_scalar(AssertSqlSafe(select)).fetch_all(&mut owner).await.unwrap();
        assert!(!some.is_empty(), "{table} shows nothing");
        rows.extend(some);
    }
    rows
}

#[tokio::test]
async fn projections_rebuilt_from_the_log_are_equal_byte_for_byte() {
    let db = Db::new().await;
    for spec in ["checkout", "search"] {
        let run = new_run();
        tell(&db, &run, spec, &story(&run)).await;
    }
    let before = dump(&db).await;
    db.tamper("update proj_runs set reason = 'edited', cost_usd_micros = 0").await;
    db.tamper("delete from proj_scores").await;
    db.rebuild_projections().await.unwrap();
    assert_eq!(dump(&db).await, before);
    db.end().await;
}

#[tokio::test]
async fn a_run_shows_its_whole_story() {
    let db = Db::new().await;
    let run = new_run();
    tell(&db, &run, "checkout", &story(&run)).await;
    let row = db.run(&run).await.unwrap().unwrap();
    assert_eq!((row.status, row.verdict), (RunStatus::Finished, Some(Verdict::NotSatisfied)));
    assert_eq!((row.spec.as_str(), row.iteration, row.incidents), ("checkout", Some(1), 1));
    assert_eq!(row.spent, Spend { cost_usd_micros: 7, input_tokens: 11, output_tokens: 13, model_calls: 1 });
    assert_eq!((row.question.as_deref(), row.branch.as_deref()), (None, Some("factory/x")));
    assert_eq!(row.budget.cost_usd_micros, Some(5_000_000));

    assert_eq!(db.run_gates(&run).await.unwrap()[0].gate.reason, "below target");
    let head = db.run_heads(1).await.unwrap().remove(0);
    assert_eq!((&head.run, head.builds, head.parked), (&row, 1, None));
    assert_eq!((head.target, head.visible.unwrap().trials), (Some(0.8), 6));
    db.end().await;
}

#[tokio::test]
async fn a_parked_run_shows_its_question_until_it_is_answered() {
    let db = Db::new().await;
    let run = new_run();
    let story = story(&run);
    tell(&db, &run, "checkout", &story[..13]).await;
    let row = db.run(&run).await.unwrap().unwrap();
    assert_eq!((row.status, row.question.as_deref()), (RunStatus::Parked, Some("go on?")));
    assert_eq!(row.choices, ["yes"]);
    let parked = db.run_heads(1).await.unwrap().remove(0).parked.unwrap();
    assert_eq!((parked.action.as_str(), parked.question.as_str()), ("ask/1/1", "go on?"));
    let answered = Expected { head_seq: 14, epoch: 0 };
    db.append(&StreamId::run(&run), answered, &story[13..14]).await.unwrap();
    let row = db.run(&run).await.unwrap().unwrap();
    assert_eq!((row.status, row.question), (RunStatus::Running, None));
    db.end().await;
}

#[tokio::test]
async fn specs_show_the_latest_of_their_runs() {
    let db = Db::new().await;
    let (old, new, other) = (new_run(), new_run(), new_run());
    for (run, spec) in [(&old, "checkout"), (&new, "checkout"), (&other, "search")] {
        tell(&db, run, spec, &story(run)[..10]).await;
    }
    let specs = db.specs().await.unwrap();
    let seen: Vec<_> = specs.iter().map(|spec| (spec.spec.as_str(), spec.runs, &spec.latest.run.run)).collect();
    assert_eq!(seen, [("checkout", 2, &new), ("search", 1, &other)]);
    assert_eq!(specs[0].gates.len(), 1);
    let runs = db.runs(2, None).await.unwrap();
    assert_eq!(runs.iter().map(|row| &row.run).collect::<Vec<_>>(), [&other, &new]);
    let older = db.runs(2, Some(&new)).await.unwrap();
    assert_eq!(older.iter().map(|row| &row.run).collect::<Vec<_>>(), [&old]);
    db.end().await;
}

/// An agent may print anything; Postgres keeps no zero in text.
#[tokio::test]
async fn a_zero_character_reaches_the_log_as_it_was_and_pages_as_a_mark() {
    let db = Db::new().await;
    let run = new_run();
    tell(&db, &run, "checkout", &[note("a\0b")]).await;
    assert_eq!(db.run(&run).await.unwrap().unwrap().node.as_deref(), Some("a\u{fffd}b"));
    assert_eq!(db.all_events(&StreamId::run(&run)).await.unwrap()[1].body, note("a\0b").body);
    db.end().await;
}

#[tokio::test]
async fn sealed_streams_never_reach_a_projection() {
    let db = Db::new().await;
    let run = new_run();
    let stream = StreamId::sealed(&run);
    let mut drafts = vec![created(&run, "checkout")];
    drafts.extend(story(&run));
    db.append(&stream, Expected::default(), &drafts).await.unwrap();
    assert_eq!(db.run(&run).await.unwrap(), None);
    db.rebuild_projections().await.unwrap();
    assert_eq!(db.run(&run).await.unwrap(), None);
    db.end().await;
}
