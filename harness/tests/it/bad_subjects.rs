//! Subjects that answer badly: a verdict each time.

use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    body::Body,
    http::header,
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use futures::stream;
use harness::Verdict;

use crate::kit::{failure, trial};

const JSON_200: &str = "steps: [{ http: { get: /, timeout: 20s }, expect: { status: 200, json: {} } }]";

fn raw(body: Vec<u8>) -> Router {
    Router::new().route("/", get(move || async move { body.clone() }))
}

#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let chunk = axum::body::Bytes::from(vec![b'x'; 64 * 1024]);
    let endless = move || async move { Body::from_stream(stream::repeat(Ok::<_, Infallible>(chunk))) };
    let message = failure(Router::new().route("/", get(endless)), JSON_200).await;
    assert_eq!(message, "response: expected one, got status 200 with a body of more than 16777216 bytes");
}

#[tokio::test]
async fn a_compressed_bomb_is_cut_off() {
    // 300 MiB of zeros compress to some 300 KiB; written by Python, whose zlib is at hand wherever the tests run.
    let script = "import gzip,sys; sys.stdout.buffer.write(gzip.compress(bytes(300<<20), 6))";
    let bomb = std::process::Command::new("python3").args(["-c", script]).output().unwrap().stdout;
    assert!(bomb.len() > 100_000);
    let app = Router::new()
        .route("/", get(move || async move { ([(header::CONTENT_ENCODING, "gzip")], bomb.clone()).into_response() }));
    let message = failure(app, JSON_200).await;
    assert!(message.ends_with("a broken gzip body: it is more than 16777216 bytes when decoded"), "{message}");
}

#[tokio::test]
async fn a_body_that_trickles_for_ever_times_out() {
    let trickle = || async {
        let drops = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Some((Ok::<_, Infallible>("x"), ()))
        });
        Body::from_stream(drops)
    };
    let app = Router::new().route("/", get(trickle));
    let rest = "steps: [{ http: { get: /, timeout: 100ms }, expect: { status: 200 } }]";
    let message = failure(app, rest).await;
    assert!(message.starts_with("response: expected one, got status 200, and "), "{message}");
    assert!(message.ends_with(" bytes of a body that did not end within 100 ms"), "{message}");
}

#[tokio::test]
async fn a_subject_that_never_answers_times_out() {
    let app = Router::new().route("/", get(std::future::pending::<Response>));
    let rest = "steps: [{ http: { get: /, timeout: 50ms }, expect: { status: 200 } }]";
    assert_eq!(failure(app.clone(), rest).await, "response: expected one, got none within 50 ms");
    let rest = "timeout: 50ms\nsteps: [{ http: { get: / }, expect: { status: 200 } }]";
    assert_eq!(failure(app, rest).await, "time: expected the trial to end within 50ms, got it still ran");
}

#[tokio::test]
async fn invalid_utf8_is_no_json_and_is_shown_marked() {
    let message = failure(raw(vec![b'{', 0xff, b'}']), JSON_200).await;
    assert!(message.starts_with("body: expected JSON, got "), "{message}");
    assert!(message.contains('\u{fffd}'), "{message}");
    let rest = "steps: [{ http: { get: / }, expect: { body: { contains: ok } } }]";
    let message = failure(raw(b"ok \xff".to_vec()), rest).await;
    assert!(message.starts_with("body: expected a text in UTF-8, got ok"), "{message}");
}

#[tokio::test]
async fn json_of_any_depth_does_no_harm() {
    let message = failure(raw([vec![b'['; 10_000], vec![b']'; 10_000]].concat()), JSON_200).await;
    assert!(message.contains("recursion limit exceeded"), "{message}");
    let shallow = raw([vec![b'['; 100], vec![b']'; 100]].concat());
    assert!(failure(shallow, JSON_200).await.starts_with("json $: expected {}, got [["));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let app = Router::new().route("/", get(|| async { Redirect::to("/") }));
    assert!(failure(app.clone(), JSON_200).await.starts_with("status: expected 200, got 303"));
    let rest = "steps: [{ http: { get: / }, expect: { status: 303, headers: { location: / } } }]";
    assert_eq!(trial(app, rest).await.verdict, Verdict::Satisfied);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_failure() {
    let broken = || async {
        let parts = stream::unfold(0, |n| async move {
            // The first part must be on its way before the second one fails.
            tokio::time::sleep(Duration::from_millis(20)).await;
            Some((if n == 0 { Ok("half") } else { Err(std::io::Error::other("gone")) }, n + 1))
        });
        Body::from_stream(parts)
    };
    let message = failure(Router::new().route("/", get(broken)), JSON_200).await;
    assert!(message.starts_with("response: expected one, got a broken body: "), "{message}");
}

#[tokio::test]
async fn evidence_stays_small() {
    let app = raw(vec![b'x'; 1_000_000]);
    let record = trial(app, "steps: [{ http: { get: / }, expect: { status: 200 } }]").await;
    assert!(serde_json::to_vec(&record).unwrap().len() < 20 * 1024);
    assert_eq!(record.steps[0].evidence["response"]["body_bytes"], 1_000_000);
}
