//! `sse` and `websocket` steps against a subject that streams, and against one that breaks every promise.

use harness::{SubjectConfig, TrialRecord, Verdict};

use crate::kit::{config, python_trial, refused};

fn feed() -> SubjectConfig {
    config(
        "subject: feed\nstart: { argv: [python3, feed.py], env: { PORT: \"{{ port }}\" } }\nready: { http: /health, within: 20s }\n",
    )
}

async fn trial(steps: &str) -> TrialRecord {
    python_trial(feed(), steps).await
}

async fn satisfied(steps: &str) -> TrialRecord {
    let record = trial(steps).await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:#?}", record.failure);
    record
}

/// What the only step of a scenario said.
async fn mismatches(step: &str) -> Vec<String> {
    let mut record = trial(&format!("steps: [{step}]")).await;
    assert_eq!(record.verdict, Verdict::Unsatisfied, "{record:#?}");
    record.steps.remove(0).mismatches
}

#[tokio::test]
async fn events_are_collected_checked_and_captured() {
    let record = satisfied(
        r#"
steps:
  - sse: { get: /three }
    expect:
      headers: { content-type: { starts_with: text/event-stream } }
      events: 3
      json: [{ id: "1" }, { event: tick, data: '{"n": 2}' }, { json: { n: 3 } }]
      jsonpath: [{ path: "$[*].json.n", equals: [1, 2, 3] }]
      checks: [{ jsonpath: "$[*].id", filters: [count], equals: 3 }, { header: content-type, contains: charset }, { status: true, equals: 200 }]
    capture: { last: "$[2].id" }
  - sse: { get: /three, last_event_id: "{{ last | int - 1 }}" }
    expect: { events: 1, jsonpath: [{ path: "$[0].json.n", equals: 3 }] }
  - sse: { post: /chat, json: { question: how are you }, until: { data: "[DONE]" } }
    expect: { events: 4, jsonpath: [{ path: "$[1].json.text", equals: are }] }
  - sse: { get: /denied }
    expect: { status: 401 }
"#,
    )
    .await;
    assert_eq!(record.steps[0].evidence["events"].as_array().unwrap().len(), 3);
    assert_eq!(record.steps[3].evidence["response"]["status"], 401);
}

#[tokio::test]
async fn a_kept_stream_hears_what_a_later_request_causes() {
    satisfied(
        r#"
steps:
  - sse: { get: /items, keep_as: feed }
  - http: { post: /items, json: { name: "{{ uid }}" } }
    expect: { status: 201 }
  - http: { post: /items, json: { name: second } }
  - sse: { continue: feed, until: { jsonpath: [{ path: $.name, equals: "{{ uid }}" }] }, keep_as: feed }
    expect: { events: 1 }
  - sse: { continue: feed, until: { events: 1 }, keep_as: feed }
    expect: { jsonpath: [{ path: "$[0].json.name", equals: second }] }
  - sse: { continue: feed, until: { elapsed: 50ms } }
    expect: { events: 0 }
"#,
    )
    .await;
    let gone = "{ sse: { continue: none, until: { events: 1 } } }";
    assert_eq!(
        mismatches(gone).await,
        ["connection `none`: expected an event stream, got nothing; keep it with `keep_as` where it is opened"]
    );
}

#[tokio::test]
async fn a_stream_that_does_not_keep_its_promise_is_never_a_pass() {
    let until_3 = "until: { events: 3 }, timeout: 500ms";
    for (path, until, observed) in [
        ("/silent", until_3, "0 events, then nothing until the end of 500ms"),
        ("/comments", until_3, "0 events, then nothing until the end of 500ms"),
        (
            "/half",
            until_3,
            "1 events (the last: {\"event\":\"message\",\"id\":null,\"data\":\"first\"}), then the end of the stream",
        ),
        ("/silent", "until: { closed: true }, timeout: 100ms", "0 events, then nothing until the end of 100ms"),
        ("/three", "until: { elapsed: 5s }", "then the end of the stream"),
        ("/three", "until: { event: tock }", "then the end of the stream"),
        ("/flood", "until: { event: tock }", "then more than the 10000 messages or 4194304 bytes that are kept"),
        (
            "/endless_line",
            "until: { closed: true }",
            "0 events, then a broken stream: an event of more than 4194304 bytes",
        ),
    ] {
        let found = mismatches(&format!("{{ sse: {{ get: {path}, {until} }} }}")).await;
        assert!(found.len() == 1 && found[0].starts_with("until: expected"), "{path}: {found:?}");
        assert!(found[0].contains(observed), "{path}: {found:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_stream_is_shown() {
    let found = mismatches("{ sse: { get: /json }, expect: { status: 200 } }").await;
    assert!(
        found[0].contains("expected status 200 and text/event-stream, got status 200, application/json, body: {\"no\""),
        "{found:?}"
    );
    let found = mismatches("{ sse: { get: /denied, until: { events: 1 } }, expect: { events: 1 } }").await;
    assert!(found[0].contains("got status 401") && found[1] == "events: expected 1, got 0", "{found:?}");
    let found = mismatches("{ sse: { get: /three }, expect: { status: 204, events: 9 } }").await;
    assert_eq!(found[0], "status: expected 204, got 200");
}

#[tokio::test]
async fn messages_go_both_ways() {
    let record = satisfied(
        r#"
steps:
  - websocket:
      connect: /echo
      query: { q: 1 }
      subprotocols: [v1, v2]
      send: ["hi {{ uid }}", { json: { n: [1] } }, { bytes_base64: AAH/ }, { ping: hello }, twice]
      until: { messages: 5 }
    expect:
      status: 101
      headers: { upgrade: websocket }
      subprotocol: v2
      messages: 5
      close_code: 1000
      json: [{ kind: text, data: "hi {{ uid }}" }, { json: { got: { n: [1] } } }, { kind: binary, data: AAH/ }, {}, {}]
    capture: { first: "$[0].data" }
  - websocket: { connect: /echo, send: [{ text: "{{ first }}" }, { await: { messages: 1 } }, close], until: { closed: true } }
    expect: { messages: 1, close_code: 1000, close_reason: as you wish }
  - websocket: { connect: /bye, until: { closed: true } }
    expect: { close_code: 4001, close_reason: kicked, messages: 0 }
  - websocket: { connect: /kept, send: [twice], until: { data: twice }, keep_as: chat }
  - websocket: { continue: chat, send: [again], until: { data: again }, close: 3000 }
    expect: { messages: 2, close_code: 3000 }
"#,
    )
    .await;
    assert_eq!(record.steps[0].evidence["count"], 5);
}

#[tokio::test]
async fn a_socket_that_does_not_keep_its_promise_is_never_a_pass() {
    let until = "until: { messages: 1 }, timeout: 500ms";
    for (path, acts, said) in [
        ("/gone", until, "0 messages, then a broken stream: "),
        ("/garbage", until, "0 messages, then a broken stream: "),
        ("/huge", until, "0 messages, then a broken stream: "),
        ("/bye", until, "0 messages, then the end of the stream"),
        ("/echo", until, "0 messages, then nothing until the end of 500ms"),
        ("/flood", "until: { data: y }", "then more than the 10000 messages or 4194304 bytes"),
        (
            "/echo",
            "send: [{ ping: ignore }], timeout: 200ms",
            "send 1: expected the answer to a ping, got nothing within 200ms",
        ),
        (
            "/flood",
            "send: [{ ping: a }], timeout: 60s",
            "send 1: expected the answer to a ping, got a flood before it: more than 10000 messages or 4194304 bytes",
        ),
        ("/wrong_key", until, "response: expected a WebSocket, got "),
    ] {
        let found = mismatches(&format!("{{ websocket: {{ connect: {path}, {acts} }} }}")).await;
        assert!(found.len() == 1 && found[0].contains(said), "{path}: {found:?}");
    }
}

#[tokio::test]
async fn a_refused_handshake_shows_the_answer() {
    use axum::{Router, http::StatusCode, routing::get};
    let app =
        || Router::new().route("/", get(|| async { (StatusCode::UNAUTHORIZED, [("x-why", "token")], "no token") }));
    let step = "steps: [{ websocket: { connect: / }, expect: { status: 401, headers: { x-why: token } } }]";
    let record = crate::kit::trial(app(), step).await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}", record.failure);
    let message = crate::kit::failure(
        app(),
        "steps: [{ websocket: { connect: /, until: { messages: 1 } }, expect: { messages: 1 } }]",
    )
    .await;
    assert_eq!(message, "status: expected 101, got 401, body: no token\nmessages: expected 1, got 0");
}

#[test]
fn what_makes_no_sense_in_a_stream_is_refused() {
    let step = |step: &str| refused(&format!("steps: [{{ {step} }}]"));
    assert!(step("sse: { get: /a, continue: b }").contains("one of get, post and continue"));
    assert!(step("sse: { get: a }").contains("relative to the subject"));
    assert!(step("sse: { get: /a, until: { events: 1, event: x } }").contains("one of several forms"));
    assert!(step("sse: { get: /a, until: {} }").contains("one of several forms"));
    assert!(step("sse: { get: /a, until: { closed: false } }").contains("one of several forms"));
    assert!(step("sse: { get: /a, until: { events: 10001 } }").contains("at most 10000"));
    assert!(step("sse: { get: /a, until: { events: 0 } }").contains("nonzero"));
    assert!(step("sse: { get: /a, json: {} }").contains("belongs to a `post`"));
    assert!(step("sse: { continue: a, query: { b: 1 } }").contains("not asked for again"));
    assert!(step("sse: { get: /a, timeout: 6m }").contains("at most 5m"));
    assert!(step("websocket: { send: [a] }").contains("either `connect` or `continue`"));
    assert!(step("websocket: { connect: /a, close: 1006 }").contains("a client closes with"));
    assert!(step("websocket: { connect: /a, close: 1000, keep_as: b }").contains("not closed"));
    assert!(step("websocket: { connect: /a, send: [{ shout: b }] }").contains("unknown variant `shout`"));
    assert!(step("websocket: { connect: /a, send: ['{{ b }}'] }").contains("nothing defines `b`"));
}
