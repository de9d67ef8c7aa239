//! Each kind of fault over real HTTP, in each service's dialect, counted as written.

mod counted;
mod streams;
mod webhooks;
mod wire;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use twins::{FaultKind, FaultRule, Served, Space};

use crate::support::{Stripe, answer, client, header, post_json, serve_stripe, space, until, until_called};

const CREATE: &str = "payment_intents.create";

pub(crate) fn rule(value: Value) -> FaultRule {
    serde_json::from_value(value).unwrap()
}

fn arm(space: &Space, kind: &str) {
    space.fault("stripe", rule(json!({"operation": CREATE, "first": 1, "kind": kind}))).unwrap();
}

fn payments(space: &Space) -> usize {
    space.state("stripe").unwrap()["payment_intents"].as_array().unwrap().len()
}

fn shop() -> (Space, Stripe) {
    let space = space();
    let stripe = serve_stripe(&space);
    (space, stripe)
}

/// What arrives on a bare socket, up to the end or the error.
async fn raw(stripe: &Stripe) -> (Vec<u8>, Option<std::io::ErrorKind>) {
    let mut socket = TcpStream::connect(stripe.base.trim_start_matches("http://")).await.unwrap();
    let body = "amount=2400&currency=usd";
    let head = "POST /v1/payment_intents HTTP/1.1\r\nhost: twin\r\nauthorization: Bearer sk_test_shop\r\n\
                content-type: application/x-www-form-urlencoded\r\n";
    socket.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
    let mut received = Vec::new();
    let error = socket.read_to_end(&mut received).await.err().map(|error| error.kind());
    (received, error)
}

/// The request stays open for as long as the space does.
async fn never_answered(space: &Space, stripe: &Stripe) {
    let waiting = tokio::spawn(stripe.pay("pm_card_visa").send());
    until_called(space, "stripe", 1).await;
    assert!(space.calls("stripe", None)[0].response.is_none());
    assert!(!waiting.is_finished());
    space.close().await;
    assert!(waiting.await.unwrap().is_err());
}

#[tokio::test]
async fn hang_answers_nothing_and_does_nothing() {
    let (space, stripe) = shop();
    arm(&space, "hang");
    never_answered(&space, &stripe).await;
    assert_eq!(payments(&space), 0);
}

#[tokio::test]
async fn timeout_after_commit_answers_nothing_but_happened_and_is_replayed() {
    let (space, stripe) = shop();
    arm(&space, "timeout_after_commit");
    let first = tokio::spawn(stripe.pay("pm_card_visa").header("idempotency-key", "k").send());
    until_called(&space, "stripe", 1).await;
    assert_eq!(payments(&space), 1);
    let retry = stripe.pay("pm_card_visa").header("idempotency-key", "k").send().await.unwrap();
    assert_eq!(header(&retry, "idempotent-replayed"), "true");
    let (_, other_key) = answer(stripe.pay("pm_card_visa").header("idempotency-key", "other")).await;
    assert_ne!(retry.json::<Value>().await.unwrap()["id"], other_key["id"]);
    assert_eq!(payments(&space), 2);
    first.abort();
}

#[tokio::test]
async fn timeout_after_commit_never_answers() {
    let (space, stripe) = shop();
    arm(&space, "timeout_after_commit");
    never_answered(&space, &stripe).await;
    assert_eq!(payments(&space), 1);
}

#[tokio::test]
async fn reset_sends_rst_and_does_nothing() {
    let (space, stripe) = shop();
    arm(&space, "reset");
    assert_eq!(raw(&stripe).await, (Vec::new(), Some(std::io::ErrorKind::ConnectionReset)));
    assert_eq!(payments(&space), 0);
}

#[tokio::test]
async fn refuse_after_commit_sends_rst_but_happened() {
    let (space, stripe) = shop();
    arm(&space, "refuse_after_commit");
    assert_eq!(raw(&stripe).await, (Vec::new(), Some(std::io::ErrorKind::ConnectionReset)));
    assert_eq!(payments(&space), 1);
}

#[tokio::test]
async fn cut_body_ends_before_the_announced_length() {
    let (space, stripe) = shop();
    arm(&space, "cut_body");
    let (received, _) = raw(&stripe).await;
    let text = String::from_utf8(received).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert_eq!(body.len(), length.parse::<usize>().unwrap() / 2);
    assert_eq!(payments(&space), 1);
}

#[tokio::test]
async fn malformed_json_arrives_whole_and_does_not_parse() {
    let (space, stripe) = shop();
    arm(&space, "malformed_json");
    let response = stripe.pay("pm_card_visa").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(serde_json::from_slice::<Value>(&response.bytes().await.unwrap()).is_err());
    assert_eq!(payments(&space), 1);
}

#[tokio::test]
async fn a_key_is_in_use_while_its_answer_is_late_and_replays_when_the_client_is_gone() {
    let (space, stripe) = shop();
    let late = rule(json!({"operation": CREATE, "first": 1, "kind": "latency", "delay_ms": 60_000}));
    space.fault("stripe", late).unwrap();
    let pay = || stripe.pay("pm_card_visa").header("idempotency-key", "k");
    let first = tokio::spawn(pay().send());
    until_called(&space, "stripe", 1).await;
    let (status, body) = answer(pay()).await;
    assert_eq!((status, body["error"]["code"].as_str()), (409, Some("idempotency_key_in_use")));
    first.abort();
    let replayed = until("the key is free again", || async {
        let response = pay().send().await.unwrap();
        (response.status() == 200).then(|| header(&response, "idempotent-replayed"))
    });
    assert_eq!(replayed.await, "true");
    assert_eq!(payments(&space), 1);
}

#[tokio::test]
async fn latency_delivers_the_real_answer() {
    let (space, stripe) = shop();
    space.fault("stripe", rule(json!({"operation": CREATE, "kind": "latency", "delay_ms": 1}))).unwrap();
    assert_eq!(answer(stripe.pay("pm_card_visa")).await.1["status"], "succeeded");
    assert_eq!(space.calls("stripe", None)[0].fault, Some(FaultKind::Latency));
}

/// A call of each twin that would succeed.
fn good_call(twin: &str, served: &Served) -> reqwest::RequestBuilder {
    let mail = json!({"personalizations": [{"to": [{"email": "a@example.com"}]}], "from": {"email": "b@example.com"},
        "subject": "s", "content": [{"type": "text/plain", "value": "v"}]});
    match twin {
        "stripe" => client().get(format!("{}/v1/charges", served.base_url)).bearer_auth("sk_test_twin"),
        "sendgrid" => post_json(served, "/v3/mail/send", "SG.twin", &mail),
        "slack" => post_json(served, "/api/auth.test", "xoxb-twin", &json!({})),
        _ => client().get(format!("{}/v1/models", served.base_url)).bearer_auth("sk-ant-twin"),
    }
}

/// Twin, fault, status, JSON pointer, value.
const DIALECTS: [(&str, &str, u16, &str, &str); 14] = [
    ("stripe", r#"{"kind":"status","status":503}"#, 503, "/error/type", "api_error"),
    ("stripe", r#"{"kind":"status","status":402}"#, 402, "/error/code", "card_declined"),
    ("stripe", r#"{"kind":"rate_limit","retry_after_s":7}"#, 429, "/error/code", "rate_limit"),
    ("stripe", r#"{"kind":"auth_expired"}"#, 401, "/error/code", "api_key_expired"),
    ("sendgrid", r#"{"kind":"status"}"#, 500, "/errors/0/message", "An unexpected error has occurred"),
    ("sendgrid", r#"{"kind":"rate_limit","retry_after_s":7}"#, 429, "/errors/0/message", "too many requests"),
    (
        "sendgrid",
        r#"{"kind":"auth_expired"}"#,
        401,
        "/errors/0/message",
        "The provided authorization grant is invalid, expired, or revoked",
    ),
    ("slack", r#"{"kind":"status","status":503}"#, 503, "/error", "service_unavailable"),
    ("slack", r#"{"kind":"rate_limit","retry_after_s":7}"#, 429, "/error", "ratelimited"),
    ("slack", r#"{"kind":"auth_expired"}"#, 200, "/error", "token_expired"),
    ("anthropic", r#"{"kind":"status","status":529}"#, 529, "/error/type", "overloaded_error"),
    ("anthropic", r#"{"kind":"status","status":504}"#, 504, "/error/type", "timeout_error"),
    ("anthropic", r#"{"kind":"rate_limit","retry_after_s":7}"#, 429, "/error/type", "rate_limit_error"),
    ("anthropic", r#"{"kind":"auth_expired"}"#, 401, "/error/type", "authentication_error"),
];

#[tokio::test]
async fn an_http_fault_speaks_the_dialect_of_its_service() {
    for (twin, fault, status, pointer, expected) in DIALECTS {
        let space = space();
        let served = space.serve(twin, Value::Null).unwrap();
        let mut fault: Value = serde_json::from_str(fault).unwrap();
        fault["operation"] = json!("*");
        fault["first"] = json!(1);
        space.fault(twin, rule(fault.clone())).unwrap();
        let response = good_call(twin, &served).send().await.unwrap();
        assert_eq!(response.status(), status, "{twin} {fault}");
        if fault["kind"] == "rate_limit" {
            assert_eq!(header(&response, "retry-after"), "7", "{twin} {fault}");
        }
        let body: Value = response.json().await.unwrap();
        assert_eq!(body.pointer(pointer).and_then(Value::as_str), Some(expected), "{twin} {fault}: {body}");
        assert!(good_call(twin, &served).send().await.unwrap().status().is_success(), "{twin} recovers");
    }
}

#[tokio::test]
async fn rules_count_as_written() {
    let statuses = |rules: Vec<Value>| async move {
        let (space, stripe) = shop();
        rules.into_iter().for_each(|it| space.fault("stripe", rule(it)).unwrap());
        let mut statuses = Vec::new();
        for _ in 0..6 {
            statuses.push(stripe.pay("pm_card_visa").send().await.unwrap().status().as_u16());
        }
        statuses
    };
    let base = json!({"operation": CREATE, "kind": "status"});
    let with = |more: Value| {
        let mut it = base.clone();
        it.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        it
    };
    assert_eq!(statuses(vec![with(json!({"first": 2}))]).await, [500, 500, 200, 200, 200, 200]);
    assert_eq!(statuses(vec![with(json!({"first": 1, "after": 3}))]).await, [200, 200, 200, 500, 200, 200]);
    assert_eq!(statuses(vec![with(json!({"every": 3}))]).await, [200, 200, 500, 200, 200, 500]);
    assert_eq!(statuses(vec![with(json!({}))]).await, [500; 6]);
    let limited = json!({"operation": CREATE, "kind": "rate_limit", "first": 1});
    assert_eq!(statuses(vec![limited, with(json!({"first": 1}))]).await, [429, 500, 200, 200, 200, 200]);
}

#[tokio::test]
async fn where_picks_requests_by_their_fields() {
    let (space, stripe) = shop();
    let only = json!({"operation": CREATE, "where": {"$.request.form.payment_method": "pm_card_amex",
        "$.request.form.amount": 2400}, "kind": "status"});
    space.fault("stripe", rule(only)).unwrap();
    assert_eq!(answer(stripe.pay("pm_card_visa")).await.0, 200);
    assert_eq!(answer(stripe.pay("pm_card_amex")).await.0, 500);
    let status = &space.faults("stripe").unwrap()[0];
    assert_eq!((status.matched, status.fired), (1, 1));
}

#[tokio::test]
async fn a_wrong_rule_is_refused_when_it_is_written() {
    let (space, _) = shop();
    let refusal = |it: Value| space.fault("stripe", rule(it)).unwrap_err().to_string();
    let unknown = refusal(json!({"operation": "payment_intents.creat", "kind": "hang"}));
    let lint = twins::check_fault("stripe", rule(json!({"operation": "nope", "kind": "hang"})));
    assert!(lint.unwrap_err().to_string().contains("unknown operation `nope`"));
    assert!(unknown.contains("unknown operation `payment_intents.creat`") && unknown.contains(CREATE), "{unknown}");
    for (bad, why) in [
        (json!({"operation": CREATE, "kind": "hang", "first": 1, "every": 2}), "exclude each other"),
        (json!({"operation": CREATE, "kind": "hang", "first": 0}), "count from 1"),
        (json!({"operation": CREATE, "kind": "hang", "status": 500}), "belongs to kind `status`"),
        (json!({"operation": CREATE, "kind": "status", "status": 200}), "400 to 599"),
        (json!({"operation": CREATE, "kind": "latency", "delay_ms": 60_001}), "at most 60000"),
        (json!({"operation": CREATE, "kind": "hang", "where": {"nope": 1}}), "no JSON path"),
        (json!({"kind": "hang", "from_ms": 5, "until_ms": 5}), "must come before"),
        (json!({"operation": CREATE, "kind": "refuse"}), "leave `operation` out"),
        (json!({"kind": "refuse", "where": {"$.request": 1}}), "a refused connection has none"),
        (json!({"kind": "hang", "event": "charge.succeeded"}), "belongs to webhooks"),
        (json!({"kind": "quota"}), "needs `limit`"),
        (json!({"kind": "quota", "limit": 1, "first": 1}), "counts by itself"),
        (json!({"kind": "quota", "limit": 1, "window_ms": 0}), "count from 1"),
        (json!({"kind": "stale_read"}), "one of `lag_calls` and `lag_ms`"),
        (json!({"kind": "stale_read", "lag_calls": 1_001}), "is 1 to 1000"),
        (json!({"kind": "cut_body", "after_bytes": 1, "at_event": 1}), "exclude each other"),
        (json!({"kind": "dribble", "interval_ms": 60_001}), "at most 60000"),
        (json!({"kind": "webhook_duplicated", "times": 1}), "2 to 100"),
        (json!({"kind": "webhook_delayed", "times": 2}), "belongs to kind `webhook_duplicated`"),
        (json!({"kind": "error_event", "lag_ms": 2}), "belongs to kind `stale_read`"),
    ] {
        let refused = refusal(bad);
        assert!(refused.contains(why), "{refused}");
    }
    assert!(serde_json::from_value::<FaultRule>(json!({"operation": CREATE, "kind": "explode"})).is_err());
    assert!(serde_json::from_value::<FaultRule>(json!({"operation": CREATE, "kind": "hang", "frist": 1})).is_err());
    assert!(space.faults("stripe").unwrap().is_empty());
    (0..256).for_each(|_| space.fault("stripe", rule(json!({"operation": "*", "kind": "hang"}))).unwrap());
    assert!(refusal(json!({"operation": "*", "kind": "hang"})).contains("256 rules are armed"));
    space.clear_faults("stripe").unwrap();
    assert!(space.faults("stripe").unwrap().is_empty());
}
