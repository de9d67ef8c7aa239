//! A space with a fixed seed and start, and small clients for each twin.

use std::{future::Future, time::Duration};

use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use twins::{Engine, EngineOptions, Served, Space};

pub(crate) const STRIPE_KEY: &str = "sk_test_shop";
const WAIT_MAX: Duration = Duration::from_secs(20);

pub(crate) fn engine(seed: u64) -> Engine {
    Engine::new(EngineOptions { seed, start_at: "2026-11-20T12:00:00Z".parse().unwrap() })
}

pub(crate) fn space() -> Space {
    engine(7).space("test", 1)
}

pub(crate) fn client() -> Client {
    rustls::crypto::ring::default_provider().install_default().ok();
    Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap()
}

pub(crate) fn serve_stripe(space: &Space) -> Stripe {
    let served = space.serve("stripe", json!({"account": {"secret_key": STRIPE_KEY}})).unwrap();
    Stripe { base: served.base_url, client: client() }
}

#[derive(Clone)]
pub(crate) struct Stripe {
    pub(crate) base: String,
    pub(crate) client: Client,
}

impl Stripe {
    pub(crate) fn post(&self, path: &str, form: &[(&str, &str)]) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.base)).bearer_auth(STRIPE_KEY).form(form)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.base)).bearer_auth(STRIPE_KEY)
    }

    /// A payment of 24 dollars, confirmed at once.
    pub(crate) fn pay(&self, card: &str) -> RequestBuilder {
        self.post(
            "/v1/payment_intents",
            &[("amount", "2400"), ("currency", "usd"), ("confirm", "true"), ("payment_method", card)],
        )
    }
}

pub(crate) fn post_json(served: &Served, path: &str, key: &str, body: &Value) -> RequestBuilder {
    client().post(format!("{}{path}", served.base_url)).bearer_auth(key).json(body)
}

pub(crate) async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

pub(crate) fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// Numbers that are the same in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// Asks until `ask` gives something; fails with `what` after a bound.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let end = Instant::now() + WAIT_MAX;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn until_called(space: &Space, twin: &str, calls: usize) {
    until("the journal has the calls", || async { (space.calls(twin, None).len() >= calls).then_some(()) }).await;
}
