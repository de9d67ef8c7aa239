//! `http` steps: requests as written, expectations evaluated to the last, captures, retries.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use axum::{
    Json, Router,
    body::Bytes,
    http::{HeaderMap, Method, Uri},
    routing::{any, get},
};
use harness::Verdict;
use serde_json::{Value, json};

use crate::kit::{failure, trial};

/// Says what it was sent; a header that came several times is a list.
pub(crate) fn mirror() -> Router {
    async fn reflect(
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> ([(&'static str, &'static str); 1], Json<Value>) {
        let text =
            |value: &axum::http::HeaderValue| Value::from(String::from_utf8_lossy(value.as_bytes()).into_owned());
        let all = |name| headers.get_all(name).iter().map(text).collect::<Vec<_>>();
        let one = |name| Some(all(name)).filter(|values| values.len() == 1).and_then(|mut values| values.pop());
        let headers: Value =
            headers.keys().map(|name| (name.to_string(), one(name).unwrap_or_else(|| all(name).into()))).collect();
        let body = String::from_utf8_lossy(&body).into_owned();
        let answer = json!({ "method": method.as_str(), "uri": uri.to_string(), "headers": headers, "body": body });
        ([("etag", "v1")], Json(answer))
    }
    Router::new().fallback(any(reflect))
}

#[tokio::test]
async fn requests_are_sent_as_written() {
    let record = trial(
        mirror(),
        r#"
vars: { n: "{{ random.int(7, 7) }}" }
steps:
  - http: { put: "/a/{{ n }}", query: { q: "x y", n: 3 }, headers: { x-key: "k{{ n }}" }, json: { n: "{{ n }}", s: "n{{ n }}" } }
    expect:
      status: 2xx
      json: { method: PUT, uri: "/a/7?q=x+y&n=3", headers: { x-key: k7, content-type: application/json }, body: '{"n":7,"s":"n7"}' }
  - http: { post: /f, form: { a: "1 2", b: 3 } }
    expect: { json: { body: "a=1+2&b=3", headers: { content-type: application/x-www-form-urlencoded } } }
  - http: { patch: /t, text: "héllo" }
    expect: { json: { body: "héllo" } }
  - http: { delete: /b, bytes_base64: aGk= }
    expect: { json: { body: hi } }
  - http: { head: /h }
    expect: { status: 200, body: "" }
  - http: { options: /o }
    expect: { json: { method: OPTIONS } }
"#,
    )
    .await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:#?}", record.failure);
    assert_eq!(record.steps.len(), 6);
}

#[tokio::test]
async fn nothing_tells_a_subject_that_it_is_tested() {
    let record = trial(mirror(), "steps: [{ http: { get: / }, expect: { json: { body: '' } } }]").await;
    let body = record.steps[0].evidence["response"]["body"].as_str().unwrap().to_lowercase();
    assert!(body.contains("user-agent"));
    assert!(["harness", "test", "factory", "reqwest"].iter().all(|word| !body.contains(word)), "{body}");
}

#[tokio::test]
async fn every_expectation_of_a_step_is_evaluated_and_then_the_trial_ends() {
    let record = trial(
        mirror(),
        r#"
steps:
  - name: all wrong
    http: { get: /x }
    expect: { status: [201, 404], headers: { etag: v2, x-none: { exists: true } }, json: { method: POST }, json_exact: {}, jsonpath: [{ path: $.uri, ends_with: y }], body: { not_contains: GET }, max_latency: 0ms }
  - http: { get: /never }
    expect: { status: 200 }
"#,
    )
    .await;
    assert_eq!((record.verdict, record.steps.len()), (Verdict::Unsatisfied, 1));
    let subjects: Vec<_> =
        record.steps[0].mismatches.iter().map(|text| text.split(": expected").next().unwrap()).collect();
    assert_eq!(
        subjects,
        ["status", "header etag", "header x-none", "json $.method", "json $.method", "json $.uri", "body", "latency"]
    );
    let failure = record.failure.unwrap();
    assert_eq!(
        (failure.step, failure.name.as_str(), failure.expected.as_deref()),
        (1, "all wrong", Some("201 or 404"))
    );
}

#[tokio::test]
async fn captures_feed_later_steps() {
    let record = trial(
        mirror(),
        r#"
steps:
  - http: { get: /first }
    capture: { uri: $.uri, tag: { header: etag }, word: { regex: '"uri":"/(\w+)"' }, code: { status: true } }
  - http: { get: "{{ uri }}", query: { t: "{{ tag }}", w: "{{ word }}", c: "{{ code + 1 }}" } }
    expect: { json: { uri: "/first?t=v1&w=first&c=201" } }
"#,
    )
    .await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:#?}", record.failure);
}

#[tokio::test]
async fn a_missing_capture_fails_where_it_is_missing() {
    let message = failure(
        mirror(),
        "steps: [{ http: { get: / }, capture: { id: $.id } }, { http: { get: '/{{ id }}' }, expect: { status: 200 } }]",
    )
    .await;
    assert!(message.starts_with("capture `id`: expected something at `$.id`, got nothing there in {"), "{message}");
}

#[tokio::test]
async fn a_captured_url_never_leads_away_from_the_subject() {
    let app = Router::new().route("/", get(|| async { Json(json!({ "next": "http://127.0.0.1:9/x" })) }));
    let steps = "steps: [{ http: { get: / }, capture: { next: $.next } }, { http: { get: '{{ next }}' }, expect: { status: 200 } }]";
    assert!(failure(app, steps).await.contains("listed in harness.yaml, got `http://127.0.0.1:9/x`"));
}

#[tokio::test]
async fn a_retry_repeats_until_the_expectations_hold() {
    let count = Arc::new(AtomicU32::new(0));
    let app = Router::new().route(
        "/",
        get(move || {
            let count = Arc::clone(&count);
            async move { Json(count.fetch_add(1, Ordering::SeqCst)) }
        }),
    );
    let rest = "steps: [{ http: { get: / }, expect: { jsonpath: [{ path: $, equals: 3 }] }, retry: { until_pass_within: 20s, every: 1ms } }]";
    let record = trial(app.clone(), rest).await;
    assert_eq!((record.verdict, record.steps[0].attempts), (Verdict::Satisfied, 4));
    let rest =
        "steps: [{ http: { get: / }, expect: { status: 500 }, retry: { until_pass_within: 500ms, every: 1ms } }]";
    assert!(trial(app, rest).await.steps[0].attempts > 1);
}

#[tokio::test]
async fn an_undefined_value_at_run_time_points_into_the_file() {
    let rest = "steps:\n  - { http: { get: / }, capture: { all: $ } }\n  - { http: { get: '/{{ all.none }}' }, expect: { status: 200 } }\n";
    let message = failure(mirror(), rest).await;
    assert!(message.starts_with("a.yaml:5:20: undefined value"), "{message}");
    assert!(message.contains("^^^^"), "{message}");
}
