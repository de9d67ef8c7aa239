//! What a twin costs: opening a space, a read, and a charge, over a kept-alive loopback connection; and going back to
//! a snapshot of few rows and of many, which must cost the same.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::Value;
use tokio::runtime::Runtime;
use twins::{Engine, EngineOptions, Space};

fn engine() -> Engine {
    Engine::new(EngineOptions { seed: 7, start_at: jiff::Timestamp::UNIX_EPOCH })
}

fn open_and_close(bench: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let engine = engine();
    let trial = || async {
        let space = engine.space("trial", 1);
        for twin in ["stripe", "sendgrid", "slack"] {
            space.serve(twin, Value::Null).unwrap();
        }
        space.close().await;
    };
    bench.bench_function("space of three twins, opened and closed", |it| it.to_async(&runtime).iter(trial));
}

fn stripe_calls(bench: &mut Criterion) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = Runtime::new().unwrap();
    let (space, base): (Space, String) = runtime.block_on(async {
        let space = engine().space("bench", 1);
        let served = space.serve("stripe", Value::Null).unwrap();
        (space, served.base_url)
    });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let send = |request: reqwest::RequestBuilder| async { request.bearer_auth("sk_test_twin").send().await.unwrap() };
    bench.bench_function("stripe: read events", |it| {
        it.to_async(&runtime).iter(|| send(client.get(format!("{base}/v1/events?type=none"))));
    });
    let form = [("amount", "2400"), ("currency", "usd"), ("confirm", "true"), ("payment_method", "pm_card_visa")];
    bench.bench_function("stripe: charge a card", |it| {
        it.to_async(&runtime).iter(|| send(client.post(format!("{base}/v1/payment_intents")).form(&form)));
    });
    runtime.block_on(space.close());
}

fn snapshots(bench: &mut Criterion) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = Runtime::new().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for rows in [10, 10_000] {
        let space = runtime.block_on(async {
            let space = engine().space("bench", 1);
            let base = space.serve("stripe", Value::Null).unwrap().base_url;
            for _ in 0..rows {
                let form = [("email", "a@example.com"), ("name", "A")];
                let request = client.post(format!("{base}/v1/customers")).bearer_auth("sk_test_twin").form(&form);
                assert!(request.send().await.unwrap().status().is_success());
            }
            space
        });
        bench.bench_function(&format!("{rows} rows: snapshot and restore"), |it| {
            it.iter(|| space.restore(&space.snapshot()));
        });
        runtime.block_on(async {
            bench.bench_function(&format!("{rows} rows: fork and drop"), |it| {
                it.iter(|| {
                    let fork = space.fork(None, "fork").unwrap();
                    space.drop_named(fork.name()).unwrap();
                });
            });
            space.close().await;
        });
    }
}

criterion_group!(benches, open_and_close, stripe_calls, snapshots);
criterion_main!(benches);
