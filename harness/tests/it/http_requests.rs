//! What an `http` step can send, and where it may send it.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::Path as UrlPath,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
    routing::{any, get},
};
use harness::{Kind, SubjectConfig, Suite, TrialRecord, Verdict};
use located::Source;
use serde_json::json;

use crate::{
    http::mirror,
    kit::{self, InProcess, failure, trial},
};

fn satisfied(record: &TrialRecord) {
    assert_eq!(record.verdict, Verdict::Satisfied, "{:#?}", record.failure);
}

/// One trial of a scenario that stands in a folder, so that it can name files beside it.
async fn trial_in(folder: &Path, app: Router, rest: &str) -> TrialRecord {
    let name = folder.join("a.yaml").display().to_string();
    let source = Source::new(name, format!("scenario: a\ntitle: a\n{rest}"));
    let suite = Suite::from_sources(vec![source], Kind::Visible).unwrap_or_else(|error| panic!("{error}"));
    kit::report(kit::plan(suite, kit::in_process()), &InProcess(app)).await.records.remove(0)
}

#[tokio::test]
async fn names_repeat_and_what_is_written_wins() {
    let rest = r#"
steps:
  - http:
      method: PURGE
      url: /p
      query: { tag: [a, "b c"], n: 1 }
      headers: { x-many: [one, two], content-type: application/vnd.shop+json }
      cookies: { theme: dark, size: 3 }
      json: { a: 1 }
    expect:
      json:
        method: PURGE
        uri: "/p?tag=a&tag=b+c&n=1"
        headers: { content-type: application/vnd.shop+json, cookie: "theme=dark; size=3", x-many: [one, two] }
  - { http: { post: /x, text: hi, headers: { content-type: null } }, expect: { checks: [{ jsonpath: "$.headers['content-type']", exists: false }] } }
  - { http: { get: /b, basic_auth: { user: ann, password: "s3:c" } }, expect: { json: { headers: { authorization: "Basic YW5uOnMzOmM=" } } } }
  - { http: { get: /t, bearer: abc }, expect: { json: { headers: { authorization: "Bearer abc" } } } }
  - { http: { post: /h, bytes_hex: "68 69" }, expect: { json: { body: hi } } }
  - { http: { post: /g, graphql: { query: "{ shop }", variables: { n: 1 } } }, expect: { json: { body: '{"query":"{ shop }","variables":{"n":1}}', headers: { content-type: application/json } } } }
  - { http: { post: /f, form: { a: [1, 2] } }, expect: { json: { body: "a=1&a=2" } } }
"#;
    let record = trial(mirror(), rest).await;
    satisfied(&record);
    let sent = &record.steps[0].evidence["request"];
    assert_eq!(sent["headers"]["x-many"], json!(["one", "two"]));
    assert_eq!((&sent["headers"]["content-length"], &sent["body_kind"]), (&json!("7"), &json!("json")));
    assert!(sent["url"].as_str().unwrap().ends_with("/p?tag=a&tag=b+c&n=1"), "{sent}");
    assert!(sent["headers"]["host"].as_str().unwrap().starts_with("127.0.0.1:"), "{sent}");
}

#[tokio::test]
async fn files_and_multipart_forms_are_streamed_from_beside_the_scenario() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/photo.png"), b"PNG!").unwrap();
    let rest = r#"
steps:
  - http: { put: /f, file: data/photo.png }
    expect: { json: { body: "PNG!", headers: { content-length: "4", content-type: application/octet-stream } } }
  - http:
      post: /m
      multipart:
        note: hello
        tags: [a, b]
        photo: { file: data/photo.png, content_type: image/png, filename: me.png }
        rows: { text: "1,2", content_type: text/csv }
    expect:
      checks:
        - { jsonpath: "$.headers['content-type']", starts_with: multipart/form-data }
        - { jsonpath: $.body, contains: "name=\"tags\"\r\n\r\nb\r\n" }
        - { jsonpath: $.body, contains: "filename=\"me.png\"\r\nContent-Type: image/png\r\n\r\nPNG!" }
        - { jsonpath: $.body, contains: "Content-Type: text/csv\r\n\r\n1,2" }
"#;
    satisfied(&trial_in(folder.path(), mirror(), rest).await);
}

#[tokio::test]
async fn a_file_elsewhere_is_refused_when_the_scenario_is_read() {
    for (file, message) in [("../secret", "beside the scenario"), ("/etc/passwd", "beside"), ("none.bin", "no file")] {
        let error =
            kit::refused(&format!("steps: [{{ http: {{ put: /, file: {file} }}, expect: {{ status: 200 }} }}]"));
        assert!(error.contains(message) && error.contains("[bad-path]"), "{error}");
    }
}

/// `/set` sets a cookie; everything else says which cookies came.
fn baker() -> Router {
    let set = || async { ([(header::SET_COOKIE, "session=s1; Path=/; HttpOnly; SameSite=Lax; Max-Age=60")], "set") };
    let told = |headers: HeaderMap| async move {
        Json(
            json!({ "cookie": headers.get("cookie").map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()) }),
        )
    };
    Router::new().route("/set", get(set)).fallback(any(told))
}

#[tokio::test]
async fn a_trial_has_its_own_cookie_jar() {
    let rest = r#"
steps:
  - { http: { get: /a }, expect: { json: { cookie: null } } }
  - http: { get: /set }
    expect:
      cookies: { session: { value: s1, path: /, max_age: { lte: 60 }, http_only: true, secure: false, same_site: Lax } }
  - { http: { get: /b, cookies: { extra: x } }, expect: { json: { cookie: "extra=x; session=s1" } } }
  - { http: { get: /c, cookies: { session: mine } }, expect: { json: { cookie: "session=mine" } } }
  - { http: { get: /d, cookie_jar: off }, expect: { json: { cookie: null } } }
  - { http: { get: /e }, expect: { json: { cookie: "session=s1" } } }
  - { http: { get: /f, cookie_jar: clear }, expect: { json: { cookie: null } } }
  - { http: { get: /set, cookie_jar: off }, expect: { cookies: { session: s1 } } }
  - { http: { get: /g }, expect: { json: { cookie: null } } }
"#;
    let mut plan = kit::plan(kit::suite(vec![kit::scenario("a", rest)]), kit::in_process());
    plan.trials = 2;
    let records = kit::report(plan, &InProcess(baker())).await.records;
    assert_eq!(records.len(), 2);
    records.iter().for_each(satisfied);
}

/// `/n` leads to `/n-1`, and `/0` is the end. `/to?…` leads where it is told.
fn maze() -> Router {
    async fn onwards(UrlPath(n): UrlPath<u32>, headers: HeaderMap) -> Response {
        match n {
            0 => Json(json!({ "authorization": headers.contains_key("authorization"), "cookie": headers.contains_key("cookie") }))
                .into_response(),
            n => Redirect::to(&format!("/{}", n - 1)).into_response(),
        }
    }
    let posted = |method: axum::http::Method, body: String| async move { format!("{method} {body}") };
    Router::new()
        .route("/{n}", get(onwards))
        .route("/found", any(|| async { (StatusCode::FOUND, [(header::LOCATION, "/end")], "moved") }))
        .route("/same", any(|| async { (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "end")], "moved") }))
        .route("/end", any(posted))
        .route("/loop", get(|| async { Redirect::to("/loop") }))
        .route("/away", get(|| async { Redirect::to("http://127.0.0.1:9/") }))
}

#[tokio::test]
async fn redirects_are_followed_when_asked_for_and_every_hop_is_told() {
    let rest = r#"
steps:
  - http: { get: /3, redirects: follow, bearer: t }
    expect:
      status: 200
      json: { authorization: true }
      checks:
        - { redirects: true, filters: [count], equals: 3 }
        - { redirects: true, filters: [last, location], ends_with: /0 }
        - { redirects: true, filters: [{ nth: 0 }, { jsonpath: $.status }], equals: 303 }
        - { url: true, ends_with: /0 }
  - { http: { post: /found, text: hi, redirects: follow }, expect: { body: "GET " } }
  - { http: { post: /same, text: hi, redirects: { max: 1 } }, expect: { body: "POST hi" } }
  - { http: { get: /3 }, expect: { status: 303, checks: [{ redirects: true, empty: true }] } }
"#;
    let record = trial(maze(), rest).await;
    satisfied(&record);
    assert_eq!(record.steps[0].evidence["redirects"].as_array().unwrap().len(), 3);
    assert_eq!(record.steps[0].evidence["redirects"][0]["status"], 303);
    assert_eq!(record.steps[0].evidence["request"]["options"], json!({ "redirects": 10 }));
}

#[tokio::test]
async fn a_redirect_loop_fails_the_step() {
    let steps = |options: &str| {
        format!("steps: [{{ http: {{ get: /loop, redirects: {options} }}, expect: {{ status: 200 }} }}]")
    };
    assert_eq!(failure(maze(), &steps("follow")).await, "redirects: expected at most 10, got one more, to `/loop`");
    assert_eq!(failure(maze(), &steps("{ max: 2 }")).await, "redirects: expected at most 2, got one more, to `/loop`");
}

#[tokio::test]
async fn a_redirect_elsewhere_fails_the_step_and_is_never_requested() {
    let rest = "steps: [{ http: { get: /away, redirects: follow }, expect: { status: 200 } }]";
    let message = failure(maze(), rest).await;
    assert_eq!(
        message,
        "redirect: expected one that stays on the subject and the listed origins, got `http://127.0.0.1:9/`"
    );
}

/// A server of its own, beside the subject.
async fn other(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    origin
}

#[tokio::test]
async fn a_listed_origin_may_be_addressed_and_gets_no_credentials_by_redirect() {
    let seen: Arc<Mutex<Vec<bool>>> = Arc::default();
    let notes = Arc::clone(&seen);
    let app = Router::new().route(
        "/pay",
        get(move |headers: HeaderMap| async move {
            notes.lock().unwrap().push(headers.contains_key("authorization") || headers.contains_key("cookie"));
            "paid"
        }),
    );
    let origin = other(app).await;
    let target = format!("{origin}/pay");
    let subject = Router::new().route("/buy", get(move || async move { Redirect::to(&target) }));
    let rest = format!(
        r#"
steps:
  - {{ http: {{ get: "{origin}/pay" }}, expect: {{ body: paid }} }}
  - {{ http: {{ get: /buy, bearer: t, cookies: {{ a: b }}, redirects: follow }}, expect: {{ body: paid }} }}
  - {{ http: {{ get: /buy, bearer: t, cookies: {{ a: b }}, redirects: {{ trusted: true }} }}, expect: {{ body: paid }} }}
"#
    );
    let suite = || kit::suite(vec![kit::scenario("a", &rest)]);
    let listed = kit::config(&format!(
        "subject: kit\nstart: {{ argv: [kit] }}\nready: {{ tcp: true }}\norigins: ['{origin}']\n"
    ));
    let record = kit::report(kit::plan(suite(), listed), &InProcess(subject.clone())).await.records.remove(0);
    satisfied(&record);
    assert_eq!(*seen.lock().unwrap(), [false, false, true]);
    let record = kit::report(kit::plan(suite(), kit::in_process()), &InProcess(subject)).await.records.remove(0);
    assert_eq!(record.verdict, Verdict::Unsatisfied);
    assert_eq!(seen.lock().unwrap().len(), 3, "what is not listed is never asked");
}

#[test]
fn an_origin_is_a_scheme_and_a_host() {
    for text in ["shop.example", "ftp://a/", "http://a/path", "http://a/?q", "http://user@a/"] {
        let error = SubjectConfig::already_running("a").allow_origin(text).unwrap_err();
        assert!(error.contains("is no origin"), "{error}");
        let file = Source::new("harness.yaml", format!("subject: a\norigins: ['{text}']\n"));
        assert!(SubjectConfig::read(file).unwrap_err().to_string().contains("harness.yaml:2:11"), "{text}");
    }
}

#[tokio::test]
async fn compressed_answers_are_asked_for_and_always_decoded() {
    const BR: &[u8] = b"\x0b\x02\x80hello\x03";
    const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd\x20\x05\x29\x00\x00hello";
    let asked = |headers: HeaderMap| async move { format!("{:?}", headers.get("accept-encoding")) };
    let encoded = |name: &'static str, body: &'static [u8]| {
        get(move || async move { ([(header::CONTENT_ENCODING, name)], body) })
    };
    let app = Router::new().route("/br", encoded("br", BR)).route("/zstd", encoded("zstd", ZSTD)).fallback(any(asked));
    let rest = r#"
steps:
  - { http: { get: /asked }, expect: { body: None } }
  - { http: { get: /asked, compressed: true }, expect: { body: { contains: "gzip, br, deflate, zstd" } } }
  - http: { get: /br }
    expect:
      body: hello
      body_bytes: 5
      sha256: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
      md5: 5d41402abc4b2a76b9719d911017c592
      checks: [{ rawbytes: true, length: 9 }, { bytes: true, equals: { text: hello } }]
  - { http: { get: /zstd }, expect: { body: hello, body_bytes: { lte: 5 } } }
"#;
    let record = trial(app, rest).await;
    satisfied(&record);
    assert_eq!(record.steps[2].evidence["response"]["encoded_bytes"], 9);
}

#[tokio::test]
async fn a_redacted_value_is_in_no_record() {
    let app = Router::new()
        .route("/login", get(|| async { Json(json!({ "token": "tok/en\"1", "pin": 47_114_711 })) }))
        .fallback(any(|headers: HeaderMap| async move {
            (StatusCode::IM_A_TEAPOT, format!("you sent {:?} tok/en\"1", headers.get("authorization")))
        }));
    let rest = r#"
steps:
  - http: { get: /login }
    expect: { status: 200 }
    capture:
      token: { jsonpath: $.token, redact: true }
      pin: { jsonpath: $.pin, redact: true }
  - http: { post: /use, basic_auth: { user: ann, password: "{{ token }}" }, json: { t: "{{ token }}" }, query: { p: "{{ pin }}", t: "{{ token }}" } }
    expect: { status: 200, body: { not_contains: "{{ token }}" } }
"#;
    let record = trial(app, rest).await;
    assert_eq!(record.verdict, Verdict::Unsatisfied);
    let text = serde_json::to_string(&record).unwrap();
    for form in ["tok/en", "tok%2Fen", "47114711", "YW5uOnRva"] {
        assert!(!text.contains(form), "{form} in {text}");
    }
    assert!(text.matches("[redacted]").count() > 5, "{text}");
}

#[tokio::test]
async fn a_request_has_one_method_one_body_and_one_kind_of_credentials() {
    for (http, message) in [
        ("{ get: /, post: / }", "2 methods are given"),
        ("{ method: PURGE }", "`method` and `url` belong together"),
        ("{ method: 'a b', url: / }", "`a b` is no method"),
        ("{ post: /, json: {}, text: x }", "a request has one body; here are json and text"),
        ("{ post: /, multipart: { a: { text: x, file: y } } }", "a part holds exactly one of"),
        ("{ get: /, bearer: x, basic_auth: { user: a, password: b } }", "one of basic_auth and bearer"),
        ("{ get: /, http_version: '3' }", "unknown variant"),
        ("{ get: /, redirects: sometimes }", "redirects"),
        ("{ get: /, redirects: { max: 101 } }", "at most 100 redirects"),
    ] {
        let error = kit::refused(&format!("steps: [{{ http: {http}, expect: {{ status: 200 }} }}]"));
        assert!(error.contains(message), "{http}: {error}");
    }
}
