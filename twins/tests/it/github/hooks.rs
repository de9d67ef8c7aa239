//! Webhooks as a receiver sees them.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{GitHub, TOKEN, config};

const SECRET: &str = "it is a secret";

type Got = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

async fn receiver() -> (String, Got) {
    let got = Got::default();
    let receive = |State(got): State<Got>, headers: HeaderMap, body: Bytes| async move {
        got.lock().unwrap().push((headers, body));
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = Router::new().route("/hook", post(receive)).with_state(Arc::clone(&got));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, got)
}

fn kinds(got: &Got) -> Vec<String> {
    let kind = |(headers, body): &(HeaderMap, Bytes)| {
        let action = serde_json::from_slice::<Value>(body).unwrap()["action"].as_str().map(str::to_owned);
        let event = headers["x-github-event"].to_str().unwrap().to_owned();
        action.map(|action| format!("{event}.{action}")).unwrap_or(event)
    };
    got.lock().unwrap().iter().map(kind).collect()
}

fn is_genuine((headers, body): &(HeaderMap, Bytes)) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    headers["x-hub-signature-256"] == format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

async fn hooked(github: &GitHub, url: &str, events: Value, form: bool) -> Value {
    let kind = if form { "form" } else { "json" };
    let hook = json!({"name": "web", "events": events,
        "config": {"url": url, "content_type": kind, "secret": SECRET}});
    let (status, hook) = github.post("/repos/acme/shop/hooks", hook).await;
    assert_eq!(status, 201, "{hook}");
    hook
}

#[tokio::test]
async fn a_hook_made_over_rest_is_pinged_and_gets_signed_events_of_its_repository_only() {
    let github = GitHub::open();
    let (url, got) = receiver().await;
    let hook = hooked(&github, &url, json!(["issues", "push"]), false).await;
    assert_eq!(hook["config"]["secret"], "********");
    github.post("/repos/acme/shop/issues", json!({"title": "x", "labels": ["bug"]})).await;
    github.post("/repos/acme/secret/issues", json!({"title": "elsewhere"})).await;
    github.post("/repos/acme/shop/issues/2/comments", json!({"body": "not wanted"})).await;
    github.space.act("github", json!({"push": {"repo": "acme/shop", "path": "a", "text": "1"}})).unwrap();
    github.space.settle().await.unwrap();
    assert_eq!(kinds(&got), ["ping", "issues.opened", "push"]);
    let got = got.lock().unwrap();
    assert!(got.iter().all(is_genuine));
    assert_eq!(got[1].0["x-github-hook-id"], hook["id"].to_string().as_str());
    assert_ne!(got[1].0["x-github-delivery"], got[2].0["x-github-delivery"]);
    let push: Value = serde_json::from_slice(&got[2].1).unwrap();
    assert_eq!((&push["ref"], &push["commits"][0]["added"]), (&json!("refs/heads/main"), &json!(["a"])));
    assert_eq!(push["repository"]["full_name"], "acme/shop");
}

#[tokio::test]
async fn a_form_hook_gets_its_payload_in_a_field_and_an_inactive_one_nothing() {
    let github = GitHub::open();
    let (url, got) = receiver().await;
    let hook = hooked(&github, &url, json!(["issues"]), true).await;
    github.space.settle().await.unwrap();
    let delivery = got.lock().unwrap().pop().unwrap();
    assert_eq!(delivery.0["content-type"], "application/x-www-form-urlencoded");
    assert!(delivery.1.starts_with(b"payload=%7B") && is_genuine(&delivery));
    let path = format!("/repos/acme/shop/hooks/{}", hook["id"]);
    github.send(Method::PATCH, &path, json!({"active": false})).await;
    github.post("/repos/acme/shop/issues", json!({"title": "x"})).await;
    github.space.settle().await.unwrap();
    assert_eq!(got.lock().unwrap().len(), 0);
    let gone = github.request(Method::DELETE, &path).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(gone.status(), 204);
    assert_eq!(github.read(&path).await.0, 404);
}

#[tokio::test]
async fn configured_receivers_hear_of_all_repositories_and_a_merge_tells_its_story() {
    let (url, got) = receiver().await;
    let mut config = config();
    config["webhooks"] = json!([{"to": url, "secret": SECRET}]);
    let github = GitHub::with(config);
    let push = json!({"repo": "acme/shop", "path": "b", "text": "1\n", "branch": "feature"});
    github.space.act("github", json!({"push": push})).unwrap();
    let pull = json!({"title": "b", "head": "feature", "base": "main", "body": "fixes #1"});
    github.post("/repos/acme/shop/pulls", pull).await;
    github.put("/repos/acme/shop/pulls/2/merge", json!({})).await;
    github.post("/repos/acme/secret/issues", json!({"title": "x"})).await;
    github.space.settle().await.unwrap();
    let wanted =
        ["create", "push", "pull_request.opened", "pull_request.closed", "push", "issues.closed", "issues.opened"];
    assert_eq!(kinds(&got), wanted);
    assert!(got.lock().unwrap().iter().all(is_genuine));
    github.space.act("github", json!({"redeliver_webhook": {"type": "push"}})).unwrap();
    github.space.settle().await.unwrap();
    let got = got.lock().unwrap();
    assert_eq!(got[7].1, got[4].1, "the same event once more");
}
