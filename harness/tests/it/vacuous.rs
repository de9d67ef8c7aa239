//! An expectation that would hold of anything is refused before a trial, and `null` is a value like any other.

use axum::{Json, Router, body::Bytes, http::StatusCode, routing::get};
use harness::Verdict;

use crate::kit::{failure, refused, trial};

/// Answers a GET with an object, and a POST with what it was sent.
fn app() -> Router {
    Router::new().route("/", get(async || Json(serde_json::json!({ "id": 1 }))).post(async |body: Bytes| body))
}

fn http(expect: &str) -> String {
    format!("steps: [{{ http: {{ get: / }}, expect: {expect} }}]")
}

#[test]
fn an_expectation_that_would_hold_of_anything_is_refused() {
    for name in ["status", "headers", "cookies", "jsonpath", "checks", "body", "body_bytes", "certificate"] {
        for nothing in ["null", "{}", "[]"] {
            let told = refused(&http(
                &format!("{{ status: 200, {name}: {nothing} }}").replace("status: 200, status", "status"),
            ));
            assert!(told.contains("a.yaml:3:"), "{name}: {nothing}: {told}");
        }
    }
    for (step, nothing) in [
        ("http: { get: / }", "headers: {}"),
        ("http: { get: / }", "checks: []"),
        ("http: { get: / }", "max_latency: null"),
        ("http: { get: / }", "json_schema: null"),
        ("exec: { argv: [a] }", "files: {}"),
        ("exec: { argv: [a] }", "exit: null"),
        ("twin: stripe", "order: []"),
        ("twin: stripe", "state: []"),
        ("twin: stripe", "count: null"),
    ] {
        let told = refused(&format!("steps: [{{ {step}, expect: {{ {nothing} }} }}]"));
        let name = nothing.split(':').next().unwrap();
        assert!(told.contains(&format!("`{name}` without a condition checks nothing [bad-expectation]")), "{told}");
    }
    for nothing in ["headers: { etag: {} }", "body: { not: {} }", "cookies: { id: { value: {} } }"] {
        let told = refused(&http(&format!("{{ {nothing} }}")));
        assert!(told.contains("an empty map checks nothing"), "{nothing}: {told}");
    }
    for nothing in ["certificate: { subject: null }", "headers: { etag: null }", "cookies: { id: null }"] {
        let told = refused(&http(&format!("{{ status: 200, {nothing} }}")));
        assert!(told.contains("[bad-format]"), "{nothing}: {told}");
    }
    let files = "steps: [{ exec: { argv: [a] }, expect: { files: { out: {} } } }]";
    assert!(refused(files).contains("a file without a condition checks nothing"));
}

#[test]
fn an_expect_without_an_expectation_is_refused() {
    for nothing in ["{}", "null", ""] {
        let told = refused(&format!(
            "steps:\n  - http: {{ get: / }}\n    expect: {nothing}\n  - {{ http: {{ get: / }}, expect: {{ status: 200 }} }}\n"
        ));
        assert!(told.contains("an `expect` without an expectation checks nothing [bad-expectation]"), "{told}");
    }
}

#[tokio::test]
async fn a_body_can_be_expected_to_be_null() {
    assert_eq!(failure(app(), &http("{ json: null }")).await, "json $: expected null, got {\"id\":1}");
    assert_eq!(failure(app(), &http("{ json_exact: null }")).await, "json $: expected null, got {\"id\":1}");
    let empty = Router::new().route("/", get(async || Json(())));
    for form in ["{ json: null }", "{ json_exact: null }"] {
        assert_eq!(trial(empty.clone(), &http(form)).await.verdict, Verdict::Satisfied, "{form}");
    }
}

#[tokio::test]
async fn null_is_sent_where_it_is_the_body() {
    let echo = "steps: [{ http: { post: /, json: null }, expect: { body: 'null' } }]";
    let record = trial(app(), echo).await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}", record.failure);
    let sent = &record.steps[0].evidence["request"]["headers"]["content-type"];
    assert_eq!(sent, "application/json", "{:#}", record.steps[0].evidence);
    let graphql =
        "steps: [{ http: { post: /, graphql: { query: q, variables: null } }, expect: { json: { variables: null } } }]";
    assert_eq!(trial(app(), graphql).await.verdict, Verdict::Satisfied);
    let stream = Router::new().route(
        "/",
        axum::routing::post(async |body: Bytes| {
            ([("content-type", "text/event-stream")], format!("data: {}\n\n", String::from_utf8_lossy(&body)))
        }),
    );
    let record =
        trial(stream, "steps: [{ sse: { post: /, json: null }, expect: { events: 1, json: [{ data: 'null' }] } }]")
            .await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}", record.failure);
}

/// A refusal that was expected is all that there is: whatever else is asked for must not count as seen.
#[tokio::test]
async fn what_is_asked_of_a_stream_is_not_seen_in_a_refusal() {
    let slow = async || {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        (StatusCode::UNAUTHORIZED, "no token")
    };
    let app = Router::new().route("/denied", get(slow)).route("/empty", get(async || StatusCode::NO_CONTENT));
    let first = async |step: &str| failure(app.clone(), &format!("steps: [{{ {step} }}]")).await;
    let denied = "sse: { get: /denied }, expect: { status: 401";
    assert!(
        first(&format!("{denied}, max_latency: 10ms }}")).await.starts_with("latency: expected at most 10ms, got ")
    );
    let duration = first(&format!("{denied}, checks: [{{ duration_ms: true, lt: 10 }}] }}")).await;
    assert!(duration.starts_with("duration_ms: expected less than 10, got "), "{duration}");
    let until = first("sse: { get: /denied, until: { event: done } }, expect: { status: 401 }").await;
    assert_eq!(until, "until: expected one of the events to fit, got status 401, no stream");
    let empty = first("sse: { get: /empty }, expect: { status: 2xx }").await;
    assert!(empty.starts_with("response: expected status 200 and text/event-stream, got status 204"), "{empty}");
    let plain =
        trial(app.clone(), "steps: [{ sse: { get: /denied }, expect: { status: 401, max_latency: 10s } }]").await;
    assert_eq!(plain.verdict, Verdict::Satisfied, "{:?}", plain.failure);
}

#[tokio::test]
async fn what_is_asked_of_a_socket_is_not_seen_in_a_refusal() {
    let slow = async || {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        (StatusCode::UNAUTHORIZED, "no token")
    };
    let app = Router::new().route("/", get(slow));
    let first = async |acts: &str, expect: &str| {
        failure(app.clone(), &format!("steps: [{{ websocket: {{ connect: / {acts} }}, expect: {{ {expect} }} }}]"))
            .await
    };
    assert!(first("", "status: 401, max_latency: 10ms").await.starts_with("latency: expected at most 10ms, got "));
    assert_eq!(first("", "status: 401, close_code: 1000").await, "close_code: expected 1000, got 1006");
    assert_eq!(first("", "status: 401, close_reason: bye").await, "close_reason: expected \"bye\", got \"\"");
    assert_eq!(first("", "status: 401, subprotocol: v1").await, "subprotocol: expected \"v1\", got nothing there");
    let no_socket = "response: expected a WebSocket, got status 401, body: no token";
    assert_eq!(first("", "status: [101, 401]").await, no_socket);
    assert_eq!(first(", until: { messages: 1 }", "status: 401").await, no_socket);
    assert_eq!(first(", send: [{ ping: a }]", "status: 401").await, no_socket);
    let plain = trial(app, "steps: [{ websocket: { connect: / }, expect: { status: 401, messages: 0 } }]").await;
    assert_eq!(plain.verdict, Verdict::Satisfied, "{:?}", plain.failure);
}
