//! An append beside a raw insert of the same columns into a table with the same indexes: what the head, the hash chain
//! and the projections cost. Compare the two of each group; the numbers alone say more about the disk.

use std::{path::PathBuf, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use factory_store::{Options, Store, Writer, provide};
use model::{
    event::{
        Draft,
        agent::{CommandPrinted, OutputStream},
        run::NodeArrived,
    },
    hash::Digest,
    id::{ActionId, RunId, WorkspaceId},
};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::runtime::Runtime;
use uuid::Uuid;

const BATCHES: [usize; 2] = [1, 100];
const PAYLOAD_BYTES: usize = 512;

/// The store with one leased run, and a pool as the owner for the raw table.
struct Bench {
    store: Store,
    writer: Writer,
    raw: PgPool,
}

impl Bench {
    async fn new() -> Self {
        let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("store-bench");
        let options = Options { search_path: std::env::var_os("PATH"), ..Options::at(home) };
        let provided = provide(&options).await.expect("a private Postgres");
        let raw = PgPoolOptions::new().test_before_acquire(false).connect_with(provided.access.owner).await;
        let raw = raw.expect("the owner's login");
        let store = Store::open(&options).await.expect("the store");
        for statement in [
            "drop table if exists raw_events",
            "create table raw_events (like evt_events including defaults including identity including indexes)",
        ] {
            sqlx::query(statement).execute(&raw).await.expect(statement);
        }
        let run = RunId::from_uuid(Uuid::now_v7());
        store.enqueue(&run, &WorkspaceId::from_uuid(Uuid::nil())).await.expect("enqueue");
        let lease = store.claim_run(&run, "bench", Duration::from_secs(3600)).await.expect("claim").expect("a lease");
        let writer = store.writer(&lease).await.expect("a writer");
        Self { store, writer, raw }
    }
}

/// What a command in a sandbox prints: the commonest event, and one that moves no projection.
fn printed() -> Draft {
    let text = "x".repeat(PAYLOAD_BYTES);
    let action = ActionId::new("build", 1, 1);
    Draft::service("bench", CommandPrinted { action, stream: OutputStream::Stdout, text })
}

/// The same rows, made beforehand, without head, hash or projection.
struct Rows {
    stream: String,
    seq: i64,
    data: Vec<String>,
}

impl Rows {
    fn new(events: usize) -> Self {
        let whole = serde_json::to_value(printed().body).expect("a body is JSON");
        Self { stream: Uuid::now_v7().to_string(), seq: 0, data: vec![whole["data"].to_string(); events] }
    }

    async fn insert(&mut self, pool: &PgPool) {
        let ids: Vec<Uuid> = self.data.iter().map(|_| Uuid::now_v7()).collect();
        sqlx::query(
            "insert into raw_events (stream, seq, id, epoch, kind, version, data, actor_kind, actor_name,
                 correlation_id, recorded_at, hash)
             select $1, $2 + n, id, 1, 'command.printed', 1, data::json, 'service', 'bench', $1, now(), $3
             from unnest($4::uuid[], $5::text[]) with ordinality as t (id, data, n)",
        )
        .bind(&self.stream)
        .bind(self.seq)
        .bind(Digest::ZERO.as_bytes().as_slice())
        .bind(ids)
        .bind(&self.data)
        .execute(pool)
        .await
        .expect("raw insert");
        self.seq += i64::try_from(self.data.len()).expect("few rows");
    }
}

fn append(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut bench = runtime.block_on(Bench::new());
    let mut group = criterion.benchmark_group("append");
    group.sample_size(40);
    for events in BATCHES {
        group.throughput(Throughput::Elements(events as u64));
        let drafts = vec![printed(); events];
        group.bench_function(BenchmarkId::new("store", events), |bencher| {
            bencher.iter(|| runtime.block_on(bench.writer.append(&drafts)).expect("append"));
        });
        let mut rows = Rows::new(events);
        group.bench_function(BenchmarkId::new("raw", events), |bencher| {
            bencher.iter(|| runtime.block_on(rows.insert(&bench.raw)));
        });
    }
    let moving = [Draft::service("bench", NodeArrived { node: "n".into(), from: None })];
    group.throughput(Throughput::Elements(1));
    group.bench_function("store with a projection/1", |bencher| {
        bencher.iter(|| runtime.block_on(bench.writer.append(&moving)).expect("append"));
    });
    group.finish();
    runtime.block_on(async {
        bench.raw.close().await;
        drop(bench.writer);
        bench.store.close().await;
    });
}

criterion_group!(benches, append);
criterion_main!(benches);
