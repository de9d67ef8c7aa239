//! How fast the pure engine is: one decision, and folding a whole log back into a state.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use factory_model::{
    budget::{Budget, Spend},
    event::{
        Body,
        run::{ActionFinished, Created, Outcome, SpecRef},
    },
    flow::Flow,
    hash::Digest,
    id::{RunId, WorkspaceId},
    run::{State, settle},
};
use jiff::Timestamp;
use located::Source;
use serde_json::{Value, json};
use uuid::Uuid;

const ITERATIONS: u32 = 100;
const FLOW: &str = "flow: bench\nversion: 1\nstart: begin\nnodes:\n  begin: { type: entry, next: [{ to: build }] }\n  \
    build: { type: agent, next: [{ to: gate }] }\n  gate:\n    type: gate\n    goal: true\n    next:\n      \
    - { when: visits.build >= budget.iterations, to: done }\n      - { to: build }\n  \
    done: { type: exit, with: { verdict: satisfied } }\n";

fn created() -> Created {
    Created {
        run: RunId::from_uuid(Uuid::from_u128(1)),
        workspace: WorkspaceId::from_uuid(Uuid::nil()),
        spec: SpecRef { id: "s".into(), title: "S".into(), path: "specs/s.md".into(), digest: Digest::ZERO },
        seed: Digest::ZERO,
        flow: Flow::parse(&Source::new("flow.yaml", FLOW)).expect("a sound flow"),
        budget: Budget { iterations: Some(ITERATIONS), ..Budget::default() },
        settings: Value::Null,
        created_at: Timestamp::UNIX_EPOCH,
    }
}

fn finish_next(state: &mut State) -> Option<Vec<Body>> {
    let action = state.open_actions().next()?.action.id.clone();
    let outcome = Outcome::Succeeded { output: json!({ "satisfied": true }) };
    let finished = ActionFinished { action, outcome, spent: Spend::default(), at: Timestamp::UNIX_EPOCH };
    Some(settle(state, finished.into()))
}

fn whole_log() -> Vec<Body> {
    let mut state = State::new(created());
    let mut log = settle(&mut state, Body::RunCreated(created()));
    while let Some(more) = finish_next(&mut state) {
        log.extend(more);
    }
    log
}

fn benches(criterion: &mut Criterion) {
    let log = whole_log();
    let mut middle = State::replay(&log[..log.len() / 2]).expect("starts with run.created");
    if middle.open_actions().next().is_none() {
        middle = State::replay(&log[..log.len() / 2 + 1]).expect("starts with run.created");
    }
    criterion.bench_function("decide: settle one finished action", |bencher| {
        bencher.iter_batched_ref(|| middle.clone(), finish_next, BatchSize::SmallInput);
    });
    let mut group = criterion.benchmark_group("fold");
    group.throughput(Throughput::Elements(log.len() as u64));
    group.bench_function("replay a log", |bencher| bencher.iter(|| State::replay(&log)));
    group.finish();
}

criterion_group!(decide, benches);
criterion_main!(decide);
