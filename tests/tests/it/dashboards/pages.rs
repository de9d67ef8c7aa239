//! What the router answers, without a browser.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
    response::Response,
};
use dashboards::reads::BadRow;
use e2e_tests::fixtures::factory::Factory;
use futures::StreamExt;
use jiff::Timestamp;
use model::{event::run::Claimed, id::RunId};
use tower::ServiceExt;

const HEARD_WITHIN: Duration = Duration::from_secs(10); // below the keep-alive, so that one is never taken for a message
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

async fn ask(factory: &Factory, request: Request<Body>) -> Response {
    dashboards::router(Arc::new(factory.clone())).oneshot(request).await.expect("the router never fails")
}

async fn get(factory: &Factory, path: &str) -> Response {
    ask(factory, Request::get(path).body(Body::empty()).expect("a path")).await
}

async fn text(response: Response) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), BODY_BYTES_MAX).await.expect("a bounded body");
    String::from_utf8(bytes.to_vec()).expect("text")
}

async fn page(factory: &Factory, path: &str) -> String {
    let response = get(factory, path).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    text(response).await
}

/// Each kind of page of the demo, trials found by their links.
async fn every_page(factory: &Factory) -> Vec<String> {
    let mut paths = vec!["/".to_owned(), "/runs".to_owned(), "/audit".to_owned()];
    for spec in ["checkout", "reminders", "stock", "export"] {
        let run = factory.run_of(spec);
        paths.extend(["", "/live", "/events"].map(|rest| format!("/runs/{run}{rest}")));
    }
    let run = factory.run_of("stock");
    paths.push(format!("/runs/{run}/agent/build/1/1"));
    let matrix = page(factory, &format!("/runs/{run}")).await;
    for suite in ["visible", "holdout"] {
        paths.push(hrefs(&matrix, &format!("/trials/{suite}/")).remove(0));
    }
    paths
}

fn hrefs(html: &str, part: &str) -> Vec<String> {
    let quoted = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    quoted.map(|href| href.replace("&#x2f;", "/").replace("&amp;", "&")).filter(|href| href.contains(part)).collect()
}

#[tokio::test]
async fn no_text_of_a_user_an_agent_or_a_provider_becomes_markup() {
    let factory = Factory::hostile("<script>alert(1)</script>\"'><img src=x onerror=alert(1)>");
    for path in every_page(&factory).await {
        let html = page(&factory, &path).await;
        assert!(!html.contains("<script>alert") && !html.contains("<img"), "{path}");
        // The audit page holds no text but the store's own.
        assert!(path == "/audit" || html.contains("&lt;script&gt;alert"), "{path} does not show the text at all");
    }
}

#[tokio::test]
async fn every_answer_carries_the_guards_and_pages_have_nothing_inline() {
    let factory = Factory::demo();
    let mut paths = every_page(&factory).await;
    paths.extend(["/healthz", "/nowhere", "/static/main.js", "/static/nothing.js"].map(str::to_owned));
    for path in paths {
        let response = get(&factory, &path).await;
        let headers = response.headers().clone();
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY", "{path}");
        let html = text(response).await;
        assert!(!html.contains(" style=") && !html.contains("<style") && !html.contains(" onclick="), "{path}");
    }
}

#[tokio::test]
async fn the_overview_says_first_what_needs_a_person_and_why() {
    let html = page(&Factory::demo(), "/").await;
    let (needs, specs) = (html.find("Needs you").expect("a section"), html.find("class=\"cards\"").expect("a list"));
    assert!(needs < specs);
    let section = &html[needs..specs];
    assert!(section.contains("Two scenarios pass without any software"), "{section}");
    assert!(section.contains("holdouts for R2, R3, R4 and R5 still fail"), "{section}");
    assert!(!section.contains("Checkout with Stripe"), "a satisfied spec needs nobody");
    assert!(html.contains("factory run specs&#x2f;invoices.md"), "a spec without a run says how to start one");
}

#[tokio::test]
async fn an_empty_factory_says_what_to_do_next() {
    let factory = Factory::empty();
    assert!(page(&factory, "/").await.contains("factory init"));
    assert!(page(&factory, "/runs").await.contains("factory run"));
    assert!(page(&factory, "/audit").await.contains("factory audit verify"));
}

#[tokio::test]
async fn a_run_shows_gate_gap_evidence_feedback_and_branch() {
    let factory = Factory::demo();
    let run = factory.run_of("checkout");
    let html = page(&factory, &format!("/runs/{run}")).await;
    for expected in [
        "Both lower bounds reach the target.",
        "The interval holds zero",
        "An order is charged exactly once",
        "theme “provider retries”: most",
        "What went back to the builder",
        &format!("factory&#x2f;checkout&#x2f;{run}"),
        "fresh trials",
        "played by the script",
    ] {
        assert!(html.contains(expected), "{expected} is missing");
    }
    let failed = page(&factory, &format!("/runs/{}", factory.run_of("stock"))).await;
    assert!(failed.contains("The whole interval is above zero") && failed.contains("escape_attempt"));
}

#[tokio::test]
async fn people_see_holdouts_by_name_and_no_alias() {
    let factory = Factory::demo();
    let html = page(&factory, &format!("/runs/{}", factory.run_of("checkout"))).await;
    assert!(html.contains("restart-between-charge-and-receipt"));
    assert!(!html.contains("holdout-3"), "an alias stands beside its name");
}

#[tokio::test]
async fn the_stream_and_the_log_never_hold_a_holdout_name() {
    let factory = Factory::demo();
    let run = factory.run_of("checkout");
    let log = page(&factory, &format!("/runs/{run}/events?after=0")).await;
    assert!(log.contains("trial.finished"));
    assert!(!log.contains("restart-between-charge-and-receipt"));
    let streamed = first_messages(&factory, &format!("/runs/{run}/stream"), None, 90).await;
    assert!(streamed.contains("holdout-1") && !streamed.contains("retried-timeout-charges-once"));
}

#[tokio::test]
async fn a_trial_of_an_earlier_round_stays_reachable() {
    let factory = Factory::demo();
    let run = factory.run_of("checkout");
    let base = format!("/runs/{run}/trials/holdout/retried-timeout-charges-once/1");
    let early = page(&factory, &format!("{base}?action=holdout%2F1%2F1")).await;
    assert!(early.contains("expected count 1, got 2") && early.contains("payment_intents.create"));
    let latest = page(&factory, &base).await;
    assert!(!latest.contains("expected count 1, got 2"));
    assert!(latest.contains("keep it away from whoever builds"));
}

#[tokio::test]
async fn what_is_not_there_is_404_and_a_dead_log_is_503_with_advice() {
    let factory = Factory::demo();
    let known = factory.run_of("checkout");
    let unknown = RunId::from_uuid(uuid::Uuid::from_u128(77));
    for path in [
        "/nowhere".to_owned(),
        format!("/runs/{unknown}"),
        format!("/runs/{unknown}/stream"),
        format!("/runs/{unknown}/events"),
        "/runs/run_1".to_owned(),
        format!("/runs/{known}/trials/visible/none/1"),
        // A holdout is not to be had through the visible door.
        format!("/runs/{known}/trials/visible/retried-timeout-charges-once/1"),
        format!("/runs/{known}/agent/none/1/1"),
        "/static/../Cargo.toml".to_owned(),
    ] {
        assert_eq!(get(&factory, &path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/", "/runs", "/audit", &format!("/runs/{known}"), &format!("/runs/{known}/stream")] {
        let response = get(&Factory::broken(), path).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(text(response).await.contains("factory doctor"), "{path}");
    }
}

#[tokio::test]
async fn a_changed_event_is_named_by_the_audit() {
    let bad = BadRow { stream: "run_X".to_owned(), seq: 41, what: "its hash does not fit".to_owned() };
    let html = page(&Factory::tampered(bad), "/audit").await;
    assert!(html.contains("number 41 of") && html.contains("its hash does not fit"));
}

#[tokio::test]
async fn a_static_file_is_sent_once_and_revalidated_by_its_hash() {
    let factory = Factory::empty();
    let first = get(&factory, "/static/factory.css").await;
    assert_eq!(first.headers()[header::CONTENT_TYPE], "text/css");
    let etag = first.headers()[header::ETAG].clone();
    let again = Request::get("/static/factory.css").header(header::IF_NONE_MATCH, etag).body(Body::empty());
    let again = ask(&factory, again.expect("a request")).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert!(text(again).await.is_empty());
}

/// Reads a stream until `messages` were heard.
async fn first_messages(factory: &Factory, path: &str, last_event_id: Option<&str>, messages: usize) -> String {
    listen(factory, path, last_event_id, |heard| heard.matches("\ndata: ").count() >= messages).await
}

/// Reads a stream until it has said `enough`.
async fn listen(factory: &Factory, path: &str, last_event_id: Option<&str>, enough: impl Fn(&str) -> bool) -> String {
    let mut request = Request::get(path);
    if let Some(id) = last_event_id {
        request = request.header("last-event-id", id);
    }
    let response = ask(factory, request.body(Body::empty()).expect("a request")).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut body = response.into_body().into_data_stream();
    let mut heard = String::new();
    while !enough(&heard) {
        let next = tokio::time::timeout(HEARD_WITHIN, body.next()).await;
        let chunk = next.unwrap_or_else(|_| panic!("no further message after:\n{heard}"));
        heard.push_str(std::str::from_utf8(&chunk.expect("the stream goes on").expect("a chunk")).expect("text"));
    }
    heard
}

fn ids(heard: &str) -> Vec<u64> {
    heard.lines().filter_map(|line| line.strip_prefix("id: ")).map(|id| id.parse().expect("a sequence")).collect()
}

#[tokio::test]
async fn a_stream_starts_where_the_client_was_and_goes_on_with_what_comes() {
    let factory = Factory::demo();
    let run = factory.run_of("reminders");
    let path = format!("/runs/{run}/stream");
    assert_eq!(ids(&first_messages(&factory, &path, None, 3).await), [1, 2, 3]);
    assert_eq!(ids(&first_messages(&factory, &format!("{path}?from_seq=3"), None, 2).await), [3, 4]);
    assert_eq!(ids(&first_messages(&factory, &format!("{path}?from_seq=3"), Some("6"), 2).await), [7, 8]);

    let whole = page(&factory, &format!("/runs/{run}/events")).await.matches("data-key=").count() as u64;
    let follower = factory.clone();
    let later =
        tokio::spawn(async move { first_messages(&follower, &format!("{path}?from_seq={whole}"), None, 2).await });
    let claimed = Claimed { worker: "worker-2".to_owned(), epoch: 2, at: Timestamp::now() };
    factory.emit(&run, Timestamp::now(), claimed);
    let heard = later.await.expect("the follower ends");
    assert_eq!(ids(&heard), [whole, whole + 1]);
    assert!(heard.contains("worker-2"));
}

#[tokio::test]
async fn the_wire_format_has_the_promised_names_and_the_same_sequences() {
    let factory = Factory::demo();
    let run = factory.run_of("checkout");
    let heard =
        listen(&factory, &format!("/runs/{run}/stream?format=wire"), None, |heard| heard.contains("event: done")).await;
    for name in ["session_init", "thought", "call", "observation", "plan_step", "done"] {
        assert!(heard.contains(&format!("event: {name}\n")), "{name} is missing");
    }
    let ids = ids(&heard);
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
}
