//! Named spaces behind one port: by header and by path, isolated, forked, dropped.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use twins::{FaultRule, Space};

use crate::{
    support::{Stripe, answer, client, engine, serve_stripe, space},
    webhooks::Shop,
};

fn open() -> (Space, Stripe) {
    let space = space();
    let stripe = serve_stripe(&space);
    space.name_spaces("x-twin-space").unwrap();
    (space, stripe)
}

fn pay_in(stripe: &Stripe, name: &str) -> RequestBuilder {
    stripe.pay("pm_card_visa").header("x-twin-space", name)
}

fn charges(space: &Space) -> usize {
    space.state("stripe").unwrap()["charges"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_header_or_a_path_chooses_an_isolated_space() {
    let (space, stripe) = open();
    answer(pay_in(&stripe, "a")).await;
    let below = Stripe { base: format!("{}/__space/b", stripe.base), client: client() };
    answer(below.pay("pm_card_visa")).await;
    answer(below.pay("pm_card_visa")).await;
    answer(stripe.pay("pm_card_visa")).await;
    let (a, b) = (space.find_named("a").unwrap(), space.find_named("b").unwrap());
    assert_eq!((charges(&a), charges(&b), charges(&space)), (1, 2, 1));
    assert_eq!(space.names(), ["a", "b"]);
    let (_, list) = answer(below.get("/v1/charges")).await;
    assert_eq!((list["data"].as_array().unwrap().len(), list["url"].as_str()), (2, Some("/v1/charges")));
    let calls = b.calls("stripe", None);
    assert_eq!(
        (calls[0].seq, calls[0].space.as_str(), calls[0].request.path.as_str()),
        (1, "b", "/v1/payment_intents")
    );
}

#[tokio::test]
async fn a_named_space_depends_on_its_name_and_requests_only() {
    let ((one, first), (two, second)) = (open(), open());
    for name in ["noise", "more"] {
        answer(pay_in(&second, name)).await;
    }
    let ids = (answer(pay_in(&first, "a")).await.1["id"].clone(), answer(pay_in(&second, "a")).await.1["id"].clone());
    assert_eq!(ids.0, ids.1);
    let heads = [&one, &two].map(|space| space.find_named("a").unwrap().now());
    assert_eq!(heads[0], heads[1]);
    assert_ne!(answer(pay_in(&first, "b")).await.1["id"], ids.0);
}

#[tokio::test]
async fn names_mean_nothing_until_they_are_asked_for() {
    let space = space();
    let stripe = serve_stripe(&space);
    answer(pay_in(&stripe, "a")).await;
    assert_eq!((charges(&space), space.names().len()), (1, 0));
    assert_eq!(answer(stripe.get("/__space/a/v1/charges")).await.0, 501);
    assert!(space.name_spaces("no header").is_err());
}

#[tokio::test]
async fn a_bad_name_is_answered_with_the_way_out() {
    let (space, stripe) = open();
    let (status, body) = answer(pay_in(&stripe, "a b")).await;
    assert_eq!((status, body["error"].as_str().unwrap().contains("1 to 64 letters")), (400, true));
    assert_eq!(space.calls("stripe", None).len(), 0);
}

#[tokio::test]
async fn a_fork_goes_on_like_its_original() {
    let (space, stripe) = open();
    answer(stripe.pay("pm_card_visa")).await;
    space.fork(None, "copy").unwrap();
    assert!(space.fork(None, "copy").is_err() && space.fork(Some("nowhere"), "other").is_err());
    let original = answer(stripe.pay("pm_card_visa")).await.1;
    // The header is part of the request, so the path names the fork.
    let below = Stripe { base: format!("{}/__space/copy", stripe.base), client: client() };
    assert_eq!(answer(below.pay("pm_card_visa")).await.1, original);
    let copy = space.find_named("copy").unwrap();
    assert_eq!(copy.journal_head(), space.journal_head());
    assert_eq!(copy.state("stripe").unwrap(), space.state("stripe").unwrap());
}

#[tokio::test]
async fn a_twin_that_is_served_later_is_in_every_named_space() {
    let (space, stripe) = open();
    answer(pay_in(&stripe, "a")).await;
    let slack = space.serve("slack", Value::Null).unwrap();
    let ask = client().post(format!("{}/api/auth.test", slack.base_url)).bearer_auth("xoxb-twin");
    assert_eq!(answer(ask.header("x-twin-space", "a")).await.1["ok"], true);
    assert_eq!(space.find_named("a").unwrap().calls("slack", None).len(), 1);
}

#[tokio::test]
async fn a_named_space_delivers_its_own_webhooks() {
    let shop = Shop::open(json!(["payment_intent.succeeded"])).await;
    shop.space.name_spaces("x-twin-space").unwrap();
    answer(pay_in(&shop.stripe, "a")).await;
    let named = shop.space.find_named("a").unwrap();
    named.settle().await.unwrap();
    assert_eq!(shop.receiver.kinds(), ["payment_intent.succeeded"]);
    assert_eq!(shop.space.state("stripe").unwrap()["webhooks"]["attempts"], json!([]));
    shop.space.close().await;
}

#[tokio::test]
async fn connections_belong_to_no_named_space() {
    let (space, _) = open();
    let rule: FaultRule = serde_json::from_value(json!({"kind": "refuse"})).unwrap();
    let refused = space.named("a").unwrap().fault("stripe", rule).unwrap_err();
    assert!(refused.to_string().contains("space of the port"), "{refused}");
}

#[tokio::test]
async fn the_admin_api_lists_forks_resets_restores_and_drops() {
    let (space, stripe) = open();
    let admin = twins::serve_admin(&space, 0).unwrap();
    let send = |method: Method, path: &str, body: Value| {
        let request = client().request(method, format!("{admin}{path}")).json(&body);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let get = |path: &str| answer(client().get(format!("{admin}{path}")));
    answer(stripe.pay("pm_card_visa")).await;
    assert_eq!(send(Method::POST, "/spaces", json!({"name": "saved", "from": null})).await, 201);
    assert_eq!(send(Method::POST, "/spaces", json!({"name": "fresh"})).await, 201);
    assert_eq!(send(Method::POST, "/spaces", json!({"name": "fresh"})).await, 409);
    assert_eq!(send(Method::POST, "/spaces", json!({"name": "../x"})).await, 400);
    let (_, spaces) = get("/spaces").await;
    assert_eq!((spaces[0]["name"].as_str(), spaces[1]["name"].as_str()), (Some("fresh"), Some("saved")));
    assert_eq!(get("/spaces/saved/stripe/calls").await.1.as_array().unwrap().len(), 1);
    assert_eq!(get("/spaces/fresh/stripe/calls").await.1, json!([]));
    answer(stripe.pay("pm_card_visa")).await;
    assert_eq!(send(Method::POST, "/restore", json!({"from": "saved"})).await, 200);
    assert_eq!(charges(&space), 1);
    assert_eq!(send(Method::POST, "/spaces/saved/reset", Value::Null).await, 204);
    assert_eq!(charges(&space.find_named("saved").unwrap()), 0);
    assert_eq!(send(Method::DELETE, "/spaces/saved", Value::Null).await, 204);
    assert_eq!(send(Method::DELETE, "/spaces/saved", Value::Null).await, 404);
    assert_eq!(get("/spaces/saved/clock").await.0, 404);
}

#[tokio::test]
async fn the_journal_says_which_fields_nobody_read() {
    let space = engine(7).space("test", 1);
    let slack = space.serve("slack", Value::Null).unwrap();
    let message = json!({"channel": "general", "text": "x", "unfurl_links": true});
    let post = client().post(format!("{}/api/chat.postMessage", slack.base_url)).bearer_auth("xoxb-twin");
    answer(post.json(&message)).await;
    assert_eq!(space.calls("slack", None)[0].unread.as_deref(), Some(["unfurl_links".to_owned()].as_slice()));
}
