//! `http`: a request to the subject, and what must come back.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::{
    Method, RequestBuilder, Url,
    header::{CONTENT_TYPE, HeaderMap},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::time::timeout;

use super::{
    Captures, Halt, Kind, Outcome, Stage, Step,
    capture::{CaptureRule, Material, capture},
};
use crate::{
    expect::{Mismatch, Mode, cut, difference},
    record::EVIDENCE_BODY_BYTES_MAX,
    scenario::{Expect, LintCode, Lower},
    subject::root_cause,
    text::{Entries, Node, Period, Placed, Scope, Text},
};

const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
const TIMEOUT_MAX: Duration = Duration::from_mins(5);
/// A longer body ends the step; nothing of it is asserted.
pub(crate) const BODY_BYTES_MAX: usize = 4 * 1024 * 1024; // after decompression; larger than any API's answer

pub(super) const KIND: Kind = Kind {
    name: "http",
    needs: &[],
    takes: &[],
    expects: &["status", "headers", "json", "json_exact", "jsonpath", "body", "max_latency"],
    captures: Captures::Values,
    lower: |parts, lower| Some(self::lower(parts.file.http?, parts.expect, parts.captures, lower)),
};

/// Exactly one method with a path; at most one body.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpFile {
    #[serde(default)]
    get: Option<Text>,
    #[serde(default)]
    post: Option<Text>,
    #[serde(default)]
    put: Option<Text>,
    #[serde(default)]
    patch: Option<Text>,
    #[serde(default)]
    delete: Option<Text>,
    #[serde(default)]
    head: Option<Text>,
    #[serde(default)]
    options: Option<Text>,
    #[serde(default)]
    headers: Entries<Node>,
    #[serde(default)]
    query: Entries<Node>,
    #[serde(default)]
    json: Option<Node>,
    #[serde(default)]
    form: Option<Entries<Node>>,
    #[serde(default)]
    text: Option<Text>,
    #[serde(default)]
    bytes_base64: Option<Text>,
    /// Of the whole exchange. Default 10s, at most 5m.
    #[serde(default)]
    timeout: Option<Placed<Period>>,
}

#[derive(Debug)]
struct Http {
    method: Method,
    path: Text,
    headers: Entries<Node>,
    query: Entries<Node>,
    body: Body,
    timeout: Duration,
    expect: Expect,
    captures: Entries<CaptureRule>,
}

#[derive(Debug)]
enum Body {
    None,
    Json(Node),
    Form(Entries<Node>),
    Text(Text),
    Bytes(Text),
}

/// What came back, whole.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    latency: Duration,
}

pub(crate) fn lower(
    file: Placed<HttpFile>,
    expect: Placed<Expect>,
    captures: Entries<CaptureRule>,
    lower: &mut Lower<'_>,
) -> Box<dyn Step> {
    let place = file.place;
    let file = file.value;
    let timeout = lower.period(file.timeout.as_ref(), TIMEOUT_DEFAULT, TIMEOUT_MAX);
    let mut methods = methods(&file);
    if methods.len() != 1 {
        let hint = "exactly one of get, post, put, patch, delete, head and options, with a path";
        lower.refuse_with(LintCode::StepKind, place, format!("{} methods are given", methods.len()), hint);
    }
    let nothing = || (Method::GET, Text { value: "/".to_owned(), place });
    let (method, path) = methods.pop().unwrap_or_else(nothing);
    if !path.starts_with('/') && !path.starts_with("{{") {
        lower.refuse_with(LintCode::BadPath, path.place, "the path is relative to the subject", "start it with `/`");
    }
    let mut bodies: Vec<Body> = [
        file.json.map(Body::Json),
        file.form.map(Body::Form),
        file.text.map(Body::Text),
        file.bytes_base64.map(Body::Bytes),
    ]
    .into_iter()
    .flatten()
    .collect();
    if bodies.len() > 1 {
        lower.refuse(LintCode::StepKind, place, "a request has one body: json, form, text or bytes_base64");
    }
    let body = bodies.pop().unwrap_or(Body::None);
    let (headers, query) = (file.headers, file.query);
    Box::new(Http { method, path, headers, query, body, timeout, expect: expect.value, captures })
}

fn methods(file: &HttpFile) -> Vec<(Method, Text)> {
    let all = [
        (Method::GET, &file.get),
        (Method::POST, &file.post),
        (Method::PUT, &file.put),
        (Method::PATCH, &file.patch),
        (Method::DELETE, &file.delete),
        (Method::HEAD, &file.head),
        (Method::OPTIONS, &file.options),
    ];
    all.into_iter().filter_map(|(method, path)| path.clone().map(|path| (method, path))).collect()
}

#[async_trait]
impl Step for Http {
    fn kind(&self) -> &'static str {
        "http"
    }

    fn title(&self) -> String {
        format!("{} {}", self.method, self.path.value)
    }

    fn asserts(&self) -> bool {
        !self.expect.is_empty()
    }

    fn needs_subject(&self) -> bool {
        true
    }

    async fn run(&self, stage: &mut Stage<'_>) -> Result<Outcome, Halt> {
        let base = stage.subject.base_url().ok_or_else(|| Halt::Infra("the scenario has no subject".to_owned()))?;
        let url = self.url(base, &stage.scope)?;
        let (request, shown_request) = self.request(&url, stage)?;
        let started = Instant::now();
        let answer = match timeout(self.timeout, read(request, started)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(observed)) => return Ok(no_answer(shown_request, observed)),
            Err(_) => return Ok(no_answer(shown_request, format!("none within {} ms", self.timeout.as_millis()))),
        };
        self.judge(&answer, shown_request, &stage.scope)
    }
}

impl Http {
    /// Only the subject is ever addressed, whatever a captured value says.
    fn url(&self, base: &Url, scope: &Scope) -> Result<Url, Halt> {
        let path = scope.text(&self.path)?;
        let elsewhere = || Mismatch::new("path", "one that is on the subject", format!("`{path}`"));
        let url = base.join(&path).map_err(|_| Halt::Failed(elsewhere()))?;
        if url.origin() == base.origin() { Ok(url) } else { Err(Halt::Failed(elsewhere())) }
    }

    fn request(&self, url: &Url, stage: &Stage<'_>) -> Result<(RequestBuilder, Json), Halt> {
        let scope = &stage.scope;
        let query = pairs(&self.query, scope)?;
        let headers = pairs(&self.headers, scope)?;
        let mut request = stage.actor.http.request(self.method.clone(), url.clone());
        if !query.is_empty() {
            request = request.query(&query);
        }
        let (mut request, body) = self.body.attach(request, scope)?;
        let mut written = serde_json::Map::new();
        for (name, value) in headers {
            request = request.header(&name, &value);
            written.insert(name, value.into());
        }
        let query: serde_json::Map<_, _> = query.into_iter().map(|(name, value)| (name, value.into())).collect();
        let path = url[url::Position::BeforePath..].to_owned();
        let shown =
            json!({ "method": self.method.as_str(), "path": path, "query": query, "headers": written, "body": body });
        Ok((request, shown))
    }

    fn judge(&self, answer: &Answer, request: Json, scope: &Scope) -> Result<Outcome, Halt> {
        let text = String::from_utf8_lossy(&answer.body);
        let body: Result<Json, _> = serde_json::from_slice(&answer.body);
        let mut outcome = Outcome { evidence: answer.evidence(request, &text), ..Outcome::default() };
        let found = &mut outcome.mismatches;
        if let Some(rule) = self.expect.status.as_ref().filter(|rule| !rule.admits(answer.status)) {
            found.push(Mismatch::new("status", rule.words(), format!("{}{}", answer.status, brief(&text))));
        }
        for (name, predicates) in self.expect.headers.iter() {
            let value = answer.header(name);
            found.extend(predicates.check_text(&format!("header {}", name.value), value.as_deref(), scope)?);
        }
        found.extend(check_json(&self.expect, body.as_ref().map_err(ToString::to_string), &text, scope)?);
        if let Some(predicates) = &self.expect.body {
            found.extend(predicates.check_text("body", Some(&text), scope)?);
        }
        found.extend(check_latency(&self.expect, answer.latency));
        let material = Material {
            json: body.as_ref().ok(),
            text: &text,
            status: Some(answer.status.into()),
            header: Some(&|name| answer.header(name)),
        };
        capture(&self.captures, &material, scope, &mut outcome)?;
        Ok(outcome)
    }
}

impl Body {
    /// Adds the body to the request, and gives what to show of it.
    fn attach(&self, request: RequestBuilder, scope: &Scope) -> Result<(RequestBuilder, Json), Halt> {
        Ok(match self {
            Self::None => (request, Json::Null),
            Self::Json(node) => {
                let body = scope.node(node)?;
                (request.json(&body), body)
            }
            Self::Form(fields) => {
                let fields = pairs(fields, scope)?;
                (request.form(&fields), json!(fields))
            }
            Self::Text(text) => {
                let body = scope.text(text)?;
                let shown = cut(body.clone(), EVIDENCE_BODY_BYTES_MAX).into();
                (request.header(CONTENT_TYPE, "text/plain; charset=utf-8").body(body), shown)
            }
            Self::Bytes(text) => {
                let encoded = scope.text(text)?;
                let bytes = BASE64_STANDARD.decode(encoded.trim()).map_err(|error| {
                    let message = format!("`bytes_base64` is no Base64: {error}");
                    Halt::Template(crate::text::RenderError { place: text.place, message })
                })?;
                let shown = cut(encoded, EVIDENCE_BODY_BYTES_MAX).into();
                (request.header(CONTENT_TYPE, "application/octet-stream").body(bytes), shown)
            }
        })
    }
}

impl Answer {
    fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> =
            self.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    fn evidence(&self, request: Json, text: &str) -> Json {
        let names = self.headers.keys();
        let headers: serde_json::Map<_, _> =
            names.map(|name| (name.to_string(), self.header(name.as_str()).into())).collect();
        let body = cut(text.to_owned(), EVIDENCE_BODY_BYTES_MAX);
        let latency_ms = u64::try_from(self.latency.as_millis()).unwrap_or(u64::MAX);
        json!({ "request": request, "response": {
            "status": self.status, "headers": headers, "body": body, "body_bytes": self.body.len(), "latency_ms": latency_ms,
        } })
    }
}

/// `Err` says why there is no answer that could be looked at.
async fn read(request: RequestBuilder, started: Instant) -> Result<Answer, String> {
    let mut response = request.send().await.map_err(|error| root_cause(&error))?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| format!("a broken body: {}", root_cause(&error)))? {
        body.extend_from_slice(&chunk);
        if body.len() > BODY_BYTES_MAX {
            return Err(format!("status {status} with a body of more than {BODY_BYTES_MAX} bytes"));
        }
    }
    Ok(Answer { status, headers, body, latency: started.elapsed() })
}

fn no_answer(request: Json, observed: String) -> Outcome {
    let evidence = json!({ "request": request, "response": null });
    Outcome { mismatches: vec![Mismatch::new("response", "one", observed)], evidence, ..Outcome::default() }
}

/// Checks `json`, `json_exact` and `jsonpath` on a document that may not have parsed.
pub(super) fn check_json(
    expect: &Expect,
    got: Result<&Json, String>,
    text: &str,
    scope: &Scope,
) -> Result<Vec<Mismatch>, Halt> {
    if expect.json.is_none() && expect.json_exact.is_none() && expect.jsonpath.is_empty() {
        return Ok(Vec::new());
    }
    let got = match got {
        Ok(got) => got,
        Err(error) => return Ok(vec![Mismatch::new("body", "JSON", format!("{error}{}", brief(text)))]),
    };
    let mut found = Vec::new();
    for (wanted, mode) in [(&expect.json, Mode::Partial), (&expect.json_exact, Mode::Exact)] {
        if let Some(wanted) = wanted {
            found.extend(difference(&scope.node(wanted)?, got, mode));
        }
    }
    for check in &expect.jsonpath {
        found.extend(check.check(got, scope)?);
    }
    Ok(found)
}

pub(super) fn check_latency(expect: &Expect, latency: Duration) -> Option<Mismatch> {
    let most = expect.max_latency.filter(|most| latency > most.0)?;
    Some(Mismatch::new("latency", format!("at most {most}"), format!("{} ms", latency.as_millis())))
}

/// The start of a body, where it helps to understand a failure.
fn brief(text: &str) -> String {
    const BYTES_MAX: usize = 300; // a line or two of a report
    match text.trim() {
        "" => String::new(),
        text => format!(", body: {}", cut(text.to_owned(), BYTES_MAX)),
    }
}

fn pairs(entries: &Entries<Node>, scope: &Scope) -> Result<Vec<(String, String)>, Halt> {
    entries.iter().map(|(name, node)| Ok((scope.text(name)?, plain(scope.node(node)?)))).collect()
}

/// A value as it is sent in a header, a query or a form: a text without quotes.
pub(super) fn plain(value: Json) -> String {
    match value {
        Json::String(text) => text,
        other => other.to_string(),
    }
}
