//! A shared cluster below the target folder, a migrated template database, and drafts to append.

use std::{
    ops::Deref,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use model::{
    budget::{Budget, Spend},
    event::{
        Draft, StreamId,
        agent::TurnStarted,
        grade::{GateEvaluated, SuiteScored, TrialFinished, TrialVerdict},
        run::{
            Action, ActionFinished, ActionStarted, BranchWritten, Claimed, Created, Finished, IncidentOpened,
            NodeArrived, Outcome, Parked, SpecRef,
        },
    },
    flow::{Flow, NodeKind},
    hash::Digest,
    id::{ActionId, IncidentId, RunId, SessionId, WorkspaceId},
    verdict::{Score, Suite, Verdict},
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use store::{Access, Cluster, Options, Provided, Store};
use uuid::Uuid;

const CREATED_TWICE: &str = "42P04"; // duplicate_database

/// A store on a database of its own, dropped with it.
pub(crate) struct Db {
    pub(crate) store: Store,
    pub(crate) access: Access,
    pub(crate) data_home: tempfile::TempDir,
    name: String,
    admin: Access,
    cluster: Arc<Cluster>,
}

impl Deref for Db {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Db {
    pub(crate) async fn new() -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let Provided { access, cluster } = store::provide(&shared_options()).await.unwrap();
        let cluster = cluster.expect("a private cluster");
        let admin = access.database("postgres");
        let template = migrated_template(&admin, &cluster).await;
        let name = format!("t_{}_{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect_with(&admin.owner).await.unwrap();
        run(&mut connection, &format!("drop database if exists {name} with (force)")).await;
        run(&mut connection, &format!("create database {name} template {template}")).await;
        // These tests ask what is stored, not whether it survives a power cut; the disk is the slowest part of them.
        run(&mut connection, &format!("alter database {name} set synchronous_commit = off")).await;
        let access = admin.database(&name);
        let data_home = tempfile::tempdir().unwrap();
        let store = Store::connect(access.clone(), data_home.path().to_owned(), None).await.unwrap();
        Self { store, access, data_home, name, admin, cluster }
    }

    /// As the owner of the tables: what an intruder with the superuser's password can do.
    pub(crate) async fn owner(&self) -> PgConnection {
        PgConnection::connect_with(&self.access.owner).await.unwrap()
    }

    /// As the role that the factory works as.
    pub(crate) async fn app(&self) -> PgConnection {
        PgConnection::connect_with(self.access.app.as_ref().unwrap()).await.unwrap()
    }

    /// A second process' view of the same database.
    pub(crate) async fn another_process(&self) -> Store {
        Store::connect(self.access.clone(), self.data_home.path().to_owned(), None).await.unwrap()
    }

    /// Runs a statement as the owner with every trigger off.
    pub(crate) async fn tamper(&self, statement: &str) -> u64 {
        let mut owner = self.owner().await;
        run(&mut owner, "set session_replication_role = replica").await;
        run(&mut owner, statement).await
    }

    pub(crate) async fn end(self) {
        self.store.close().await;
        let mut connection = PgConnection::connect_with(&self.admin.owner).await.unwrap();
        run(&mut connection, &format!("drop database {} with (force)", self.name)).await;
        drop(connection);
        tokio::task::spawn_blocking(move || drop(self.cluster)).await.unwrap();
    }
}

/// Below the target folder: kept from run to run, so that only the first one waits for `initdb`.
pub(crate) fn target_folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("store")
}

pub(crate) fn shared_options() -> Options {
    options_at(&target_folder().join("shared"))
}

pub(crate) fn options_at(data_home: &Path) -> Options {
    Options {
        cache_home: Some(target_folder().join("cache")),
        search_path: std::env::var_os("PATH"),
        tools_dir: std::env::var_os("FACTORY_TOOLS_DIR").map(PathBuf::from),
        bin_dirs: std::env::var_os("FACTORY_PG_BIN").map(PathBuf::from).into_iter().collect(),
        ..Options::at(data_home)
    }
}

pub(crate) async fn run(connection: &mut PgConnection, statement: &str) -> u64 {
    try_run(connection, statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"))
}

pub(crate) async fn try_run(connection: &mut PgConnection, statement: &str) -> sqlx::Result<u64> {
    Ok(sqlx::query(AssertSqlSafe(statement)).execute(connection).await?.rows_affected())
}

/// Migrating takes longer than copying the outcome. Named after the migrations, so that a change makes a new one.
async fn migrated_template(admin: &Access, cluster: &Arc<Cluster>) -> String {
    let name = format!("template_{}", &migrations_digest().to_string()[3..15]);
    let mut connection = PgConnection::connect_with(&admin.owner).await.unwrap();
    run(&mut connection, "select pg_advisory_lock(7070)").await;
    drop_leftovers(&mut connection).await;
    let building = format!("{name}_new");
    let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(&name)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    if !exists {
        run(&mut connection, &format!("drop database if exists {building} with (force)")).await;
        let created = try_run(&mut connection, &format!("create database {building}")).await;
        assert!(created.is_ok() || created.unwrap_err().as_database_error().unwrap().code().unwrap() == CREATED_TWICE);
        let home = tempfile::tempdir().unwrap();
        let store = Store::connect(admin.database(&building), home.path().to_owned(), Some(Arc::clone(cluster)));
        store.await.unwrap().close().await;
        run(&mut connection, &format!("alter database {building} rename to {name}")).await;
    }
    run(&mut connection, "select pg_advisory_unlock(7070)").await;
    name
}

/// Databases of test processes that died.
async fn drop_leftovers(connection: &mut PgConnection) {
    let names: Vec<String> = sqlx::query_scalar("select datname from pg_database where datname like 't\\_%'")
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    for name in names {
        let alive = name.split('_').nth(1).is_some_and(|pid| Path::new("/proc").join(pid).exists());
        if !alive {
            run(connection, &format!("drop database if exists {name} with (force)")).await;
        }
    }
}

fn migrations_digest() -> Digest {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().fold(Digest::ZERO, |digest, path| digest.chain(&std::fs::read(path).unwrap()))
}

/// Waits until `condition` holds; a bound instead of a sleep.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition().await {
        assert!(Instant::now() < deadline, "still not so after a minute: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn new_run() -> RunId {
    RunId::from_uuid(Uuid::now_v7())
}

pub(crate) fn workspace() -> WorkspaceId {
    WorkspaceId::from_uuid(Uuid::from_u128(1))
}

pub(crate) fn stream() -> StreamId {
    StreamId::run(&new_run())
}

pub(crate) fn note(text: impl Into<String>) -> Draft {
    Draft::service("test", NodeArrived { node: text.into(), from: None })
}

/// An event that moves no projection.
pub(crate) fn turn(number: u32) -> Draft {
    let session = SessionId::from_uuid(Uuid::from_u128(1));
    Draft::service("test", TurnStarted { session, turn: number })
}

pub(crate) fn created(run: &RunId, spec: &str) -> Draft {
    let flow: Flow = serde_json::from_value(serde_json::json!({
        "flow": "hello", "version": 1, "start": "begin",
        "nodes": {"begin": {"type": "entry", "next": [{"to": "end"}]}, "end": {"type": "exit"}}
    }))
    .unwrap();
    Draft::service(
        "test",
        Created {
            run: run.clone(),
            workspace: workspace(),
            spec: SpecRef {
                id: spec.into(),
                title: format!("The {spec}"),
                path: format!("specs/{spec}.md"),
                digest: Digest::of(spec.as_bytes()),
            },
            seed: Digest::of(b"seed"),
            flow,
            budget: Budget { cost_usd_micros: Some(5_000_000), ..Budget::default() },
            settings: serde_json::json!({"ratio": 0.1}),
            created_at: "2026-01-02T03:04:05.678901234Z".parse().unwrap(),
        },
    )
}

/// A whole run with everything that projections show, ready to append after `run.created`.
pub(crate) fn story(run: &RunId) -> Vec<Draft> {
    let at = "2026-01-02T03:05:00Z".parse().unwrap();
    let id = |node| ActionId::new(node, 1, 1);
    let scheduled = |node: &str, kind| Action {
        id: ActionId::new(node, 1, 1),
        node: node.into(),
        visit: 1,
        attempt: 1,
        kind,
        input: serde_json::Value::Null,
        delay_ms: 0,
    };
    let spent = Spend { cost_usd_micros: 7, input_tokens: 11, output_tokens: 13, model_calls: 1 };
    let succeeded = Outcome::Succeeded { output: serde_json::json!({"n": 0.3}) };
    let score = Score {
        scenarios: 3,
        trials: 6,
        satisfied: 2,
        satisfaction: 1.0 / 3.0,
        lower_bound: 0.1 + 0.2,
        ..Score::default()
    };
    let gate = GateEvaluated {
        action: id("gate"),
        iteration: 1,
        target: 0.8,
        visible: score.clone(),
        holdout: score.clone(),
        gap: 1.0 / 7.0,
        gap_low: -0.1,
        gap_high: 0.3,
        satisfied: false,
        reason: "below target".into(),
        requirements: vec![],
    };
    let trial = TrialFinished {
        action: id("grade"),
        suite: Suite::Visible,
        scenario: "pay".into(),
        requirements: vec!["R1".into(), "R2".into()],
        trial: 1,
        verdict: TrialVerdict::Unsatisfied,
        failure: Some("expected 200, got 402".into()),
        duration_ms: 12,
        record: None,
    };
    let finished = |node: &str, outcome| ActionFinished { action: ActionId::new(node, 1, 1), outcome, spent, at };
    let by = |body: model::event::Body| Draft::service("test", body);
    let tree = Digest::of(b"tree");
    let branch = BranchWritten {
        branch: "factory/x".into(),
        commit: "abc".into(),
        visible: score.clone(),
        holdout: score.clone(),
    };
    vec![
        by(Claimed { worker: "w1".into(), epoch: 1, at }.into()),
        by(NodeArrived { node: "begin".into(), from: None }.into()),
        by(scheduled("build", NodeKind::Agent).into()),
        by(ActionStarted { action: id("build"), worker: "w1".into(), at }.into()),
        turn(1),
        by(finished("build", succeeded.clone()).into()),
        by(scheduled("grade", NodeKind::Harness).into()),
        by(trial.into()),
        by(SuiteScored { action: id("grade"), suite: Suite::Visible, iteration: 1, tree, score: score.clone() }.into()),
        by(gate.into()),
        by(IncidentOpened {
            incident: IncidentId::from_uuid(Uuid::now_v7()),
            code: "holdout_leak".into(),
            summary: "s".into(),
        }
        .into()),
        by(scheduled("ask", NodeKind::Human).into()),
        by(Parked { action: id("ask"), question: "go on?".into(), choices: vec!["yes".into()] }.into()),
        by(finished("ask", succeeded).into()),
        by(branch.into()),
        by(Finished { verdict: Verdict::NotSatisfied, reason: format!("{run} ended"), spent, at }.into()),
    ]
}
