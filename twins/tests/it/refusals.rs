//! Bad requests get the service's own answer, never a silent success.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{answer, client, space};

const TWINS: [(&str, &str, &str); 6] = [
    ("resend", "/emails", "re_twin"),
    ("stripe", "/v1/payment_intents", "sk_test_twin"),
    ("sendgrid", "/v3/mail/send", "SG.twin"),
    ("slack", "/api/chat.postMessage", "xoxb-twin"),
    ("anthropic", "/v1/messages", "sk-ant-twin"),
    ("openai", "/v1/chat/completions", "sk-twin"),
];

/// One request to a twin that is served for it.
async fn ask(
    twin: &str,
    method: Method,
    path: &str,
    prepare: impl FnOnce(RequestBuilder) -> RequestBuilder,
) -> (u16, Value) {
    let space = space();
    let served = space.serve(twin, Value::Null).unwrap();
    let request = client().request(method, format!("{}{path}", served.base_url));
    answer(prepare(request).header("anthropic-version", "2023-06-01")).await
}

#[tokio::test]
async fn an_unknown_operation_is_501_and_names_the_gap() {
    for (twin, _, key) in TWINS {
        let (status, body) = ask(twin, Method::PUT, "/v9/moon", |request| request.bearer_auth(key)).await;
        assert_eq!(status, 501, "{twin}");
        let text = body.to_string();
        assert!(text.contains("PUT /v9/moon") && text.contains(twin), "{twin}: {text}");
    }
}

#[tokio::test]
async fn missing_and_wrong_credentials_are_refused_in_the_dialect() {
    let expected = [
        ("stripe", 401, 401, "/error/type", "invalid_request_error"),
        ("slack", 200, 200, "/ok", "false"),
        ("anthropic", 401, 401, "/error/type", "authentication_error"),
        ("openai", 401, 401, "/error/type", "invalid_request_error"),
        ("sendgrid", 401, 401, "/errors/0/field", "null"),
    ];
    for (twin, missing, wrong, pointer, value) in expected {
        let path = TWINS.iter().find(|(name, ..)| *name == twin).unwrap().1;
        let without = ask(twin, Method::POST, path, |request| request).await;
        let with_wrong = ask(twin, Method::POST, path, |request| request.bearer_auth("junk")).await;
        assert_eq!((without.0, with_wrong.0), (missing, wrong), "{twin}");
        for body in [without.1, with_wrong.1] {
            let found = body.pointer(pointer).unwrap();
            assert_eq!(found.as_str().map_or_else(|| found.to_string(), str::to_owned), value, "{twin}: {body}");
        }
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    for (twin, path, key) in TWINS.iter().filter(|(twin, ..)| matches!(*twin, "stripe" | "slack")) {
        let large = format!("x={}", "y".repeat(1024 * 1024));
        let send = |request: RequestBuilder| {
            request.bearer_auth(key).header("content-type", "application/x-www-form-urlencoded").body(large)
        };
        assert_eq!(ask(twin, Method::POST, path, send).await.0, 413, "{twin}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused_in_the_dialect() {
    let expected = [
        ("sendgrid", 400, "/errors/0/message", "Bad Request"),
        ("resend", 400, "/name", "validation_error"),
        ("slack", 200, "/error", "invalid_json"),
        ("anthropic", 400, "/error/type", "invalid_request_error"),
        ("openai", 400, "/error/type", "invalid_request_error"),
    ];
    for (twin, status, pointer, value) in expected {
        let (_, path, key) = TWINS.iter().find(|(name, ..)| *name == twin).unwrap();
        let send = |request: RequestBuilder| {
            request.bearer_auth(key).header("content-type", "application/json").body("{\"a\":")
        };
        let (got, body) = ask(twin, Method::POST, path, send).await;
        assert_eq!((got, body.pointer(pointer)), (status, Some(&json!(value))), "{twin}");
    }
}

#[tokio::test]
async fn deep_json_and_invalid_utf8_are_answered() {
    let deep = "[".repeat(100_000);
    let send = |body: Vec<u8>| {
        move |request: RequestBuilder| {
            request.bearer_auth("sk-ant-twin").header("content-type", "application/json").body(body)
        }
    };
    assert_eq!(ask("anthropic", Method::POST, "/v1/messages", send(deep.into_bytes())).await.0, 400);
    assert_eq!(ask("anthropic", Method::POST, "/v1/messages", send(vec![b'"', 0xff, b'"'])).await.0, 400);
}
