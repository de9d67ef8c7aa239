//! `sse`: listens to a stream of server-sent events of the subject.
//!
//! A stream can stay open over several steps: `keep_as: feed` where it is opened, `continue: feed` where it is read on.
//! Nothing is read in between, so the subject's own buffers hold what it sends meanwhile.

mod parser;

use std::{collections::VecDeque, num::NonZeroUsize, time::Duration};

use async_trait::async_trait;
use reqwest::{
    Method, RequestBuilder,
    header::{ACCEPT, HeaderMap, HeaderName, HeaderValue},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::time::{Instant, timeout_at};

use self::parser::Parser;
use super::{
    Captures, Halt, Kind, Outcome, Stage, Step,
    capture::CaptureRule,
    document::{Around, check_document_rules, check_latency},
    http::pairs,
    list::{check_count, check_list},
    session::Connection,
    stream::{
        BYTES_MAX, Heard, MessageRule, Source, TIMEOUT_DEFAULT, TIMEOUT_MAX, Until, UntilParts, admits, check_head,
        check_path, headers, listen, on_subject, shown_head, shown_pairs,
    },
};
use crate::{
    expect::{Mismatch, PathCheck, Predicates, Response, cut},
    scenario::{Expect, LintCode, Lower},
    subject::root_cause,
    text::{Entries, Node, Period, Placed, Scope, Text, given},
};

/// How the kind stands in files.
pub(super) const KIND: Kind = Kind {
    name: "sse",
    needs: &[],
    takes: &[],
    expects: &["status", "headers", "events", "json", "json_exact", "jsonpath", "json_schema", "checks", "max_latency"],
    captures: Captures::Values,
    lower: |parts, lower| self::lower(parts.file.sse?, parts.expect, parts.captures, lower),
};

const ERROR_BODY_BYTES_MAX: usize = 500; // of an answer that is no stream, for its message

/// One of `get`, `post` and `continue`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SseFile {
    #[serde(default)]
    get: Option<Text>,
    /// With a `json` body: how language models stream.
    #[serde(default)]
    post: Option<Text>,
    /// Go on with a stream that an earlier step kept.
    #[serde(default, rename = "continue")]
    resume: Option<Text>,
    #[serde(default)]
    headers: Entries<Node>,
    #[serde(default)]
    query: Entries<Node>,
    #[serde(default, deserialize_with = "given")]
    json: Option<Node>,
    /// Where a client that lost its connection goes on.
    #[serde(default)]
    last_event_id: Option<Text>,
    /// When enough was heard. Default: when the subject ends the stream.
    #[serde(default)]
    until: Option<Placed<UntilFile>>,
    /// Keep the stream open for later steps. Without `until` nothing is read now.
    #[serde(default)]
    keep_as: Option<Text>,
    /// Default 10s, at most 5m.
    #[serde(default)]
    timeout: Option<Placed<Period>>,
}

/// One form: `events`; `event`, `data` and `jsonpath` of one event; `closed`; or `elapsed`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UntilFile {
    /// So many events came, at most 10000.
    #[serde(default)]
    events: Option<NonZeroUsize>,
    /// The type of an event.
    #[serde(default, deserialize_with = "given")]
    event: Option<Predicates>,
    /// The data of an event, as text.
    #[serde(default, deserialize_with = "given")]
    data: Option<Predicates>,
    /// The data of an event, as JSON.
    #[serde(default)]
    jsonpath: Vec<PathCheck>,
    /// The subject ended the stream.
    #[serde(default)]
    closed: Option<bool>,
    /// Listen for so long, at most 60s; the stream must stay open.
    #[serde(default)]
    elapsed: Option<Placed<Period>>,
}

#[derive(Debug)]
struct Sse {
    opening: Opening,
    /// As it is written.
    until: Option<Until>,
    keep_as: Option<Text>,
    timeout: Duration,
    expect: Expect,
    captures: Entries<CaptureRule>,
}

#[derive(Debug)]
enum Opening {
    Request(Request),
    Kept(Text),
}

#[derive(Debug)]
struct Request {
    method: Method,
    path: Text,
    headers: Entries<Node>,
    query: Entries<Node>,
    json: Option<Node>,
    last_event_id: Option<Text>,
}

fn lower(
    file: Placed<SseFile>,
    expect: Placed<Expect>,
    captures: Entries<CaptureRule>,
    lower: &mut Lower<'_>,
) -> Option<Box<dyn Step>> {
    let place = file.place;
    let SseFile { get, post, resume, headers, query, json, last_event_id, until, keep_as, timeout } = file.value;
    let timeout = lower.period(timeout.as_ref(), TIMEOUT_DEFAULT, TIMEOUT_MAX);
    let asks = !headers.is_empty() || !query.is_empty() || json.is_some() || last_event_id.is_some();
    let opening = match (get, post, resume) {
        (None, None, Some(name)) => {
            if asks || expect.status.is_some() || !expect.headers.is_empty() {
                let message = "a stream that goes on is not asked for again: no headers, query, json, status";
                lower.refuse(LintCode::StepKind, place, message);
            }
            Opening::Kept(name)
        }
        (Some(path), None, None) => {
            if json.is_some() {
                lower.refuse(LintCode::StepKind, place, "`json` belongs to a `post`");
            }
            Opening::Request(Request { method: Method::GET, path, headers, query, json, last_event_id })
        }
        (None, Some(path), None) => {
            Opening::Request(Request { method: Method::POST, path, headers, query, json, last_event_id })
        }
        _ => {
            lower.refuse(LintCode::StepKind, place, "an `sse` step has one of get, post and continue");
            return None;
        }
    };
    if let Opening::Request(request) = &opening {
        check_path(&request.path, lower);
    }
    let around = if matches!(opening, Opening::Kept(_)) { Around::Nothing } else { Around::Response };
    check_document_rules(&expect, &captures, around, lower);
    let until = until.map(|until| until.lower(lower));
    Some(Box::new(Sse { opening, until, keep_as, timeout, expect: expect.value, captures }))
}

impl Placed<UntilFile> {
    fn lower(self, lower: &mut Lower<'_>) -> Until {
        let UntilFile { events, event, data, jsonpath, closed, elapsed } = self.value;
        let message = MessageRule { event, data, jsonpath };
        UntilParts { count: events, message, closed, elapsed, place: self.place }.lower(lower)
    }
}

#[async_trait]
impl Step for Sse {
    fn kind(&self) -> &'static str {
        "sse"
    }

    fn title(&self) -> String {
        match &self.opening {
            Opening::Request(request) => format!("sse {} {}", request.method, request.path.value),
            Opening::Kept(name) => format!("sse continue {}", name.value),
        }
    }

    fn asserts(&self) -> bool {
        !self.expect.is_empty() || self.until().is_some()
    }

    fn needs_subject(&self) -> bool {
        true
    }

    async fn run(&self, stage: &mut Stage<'_>) -> Result<Outcome, Halt> {
        let started = Instant::now();
        let deadline = started + self.timeout;
        let (mut stream, request) = match &self.opening {
            Opening::Kept(name) => {
                let name = stage.scope.text(name)?;
                let stream = stage.session.take_events(&name)?;
                (stream, json!({ "continue": name }))
            }
            Opening::Request(request) => match self.open(request, stage, started).await? {
                Ok(opened) => opened,
                Err(outcome) => return Ok(outcome),
            },
        };
        let heard = match self.until() {
            Some(until) => listen(stream.as_mut(), until, deadline, &stage.scope).await?,
            None => Heard::nothing(),
        };
        let mut outcome = self.judge(&heard, &stream.head, started.elapsed(), &stage.scope)?;
        let (head, count) = (shown_head(&stream.head), heard.messages.len());
        outcome.evidence = json!({ "request": request, "response": head, "events": heard.evidence(), "count": count });
        if let Some(name) = &self.keep_as {
            stage.session.keep(&stage.scope.text(name)?, Connection::Events(stream));
        }
        Ok(outcome)
    }
}

impl Sse {
    /// `None` reads nothing.
    fn until(&self) -> Option<&Until> {
        self.until.as_ref().or_else(|| self.keep_as.is_none().then_some(&Until::Closed))
    }

    /// `Err` is the outcome where there is no stream to listen to.
    async fn open(
        &self,
        request: &Request,
        stage: &mut Stage<'_>,
        started: Instant,
    ) -> Result<Result<(Box<EventStream>, Json), Outcome>, Halt> {
        let deadline = started + self.timeout;
        let (builder, shown) = request.build(stage)?;
        stage.session.requests += 1;
        let response = match timeout_at(deadline, builder.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Ok(Err(no_answer(shown, root_cause(&error)))),
            Err(_) => return Ok(Err(no_answer(shown, format!("none within {}", Period(self.timeout))))),
        };
        let head = head(&response);
        let mut found = check_head(&self.expect, &head, &stage.scope)?;
        let is_ok = head.status == 200;
        let is_stream = is_ok && is_event_stream(&head);
        if is_stream && found.is_empty() {
            return Ok(Ok((Box::new(EventStream::new(response, head)), shown)));
        }
        let body = start_of_body(response, deadline).await;
        let wants_stream = admits(&self.expect, 200, &stage.scope)?;
        if !is_stream && (is_ok || wants_stream) {
            let kind = head.header("content-type").next().unwrap_or("no content type");
            let observed = format!("status {}, {kind}, body: {body}", head.status);
            found.push(Mismatch::new("response", "status 200 and text/event-stream", observed));
        } else if let Some(until) = self.until.as_ref().filter(|_| !is_stream) {
            found.push(Mismatch::new("until", until.words("events"), format!("status {}, no stream", head.status)));
        }
        // An expected refusal is all that there is; whatever else was expected is not there.
        let mut outcome = self.judge(&Heard::nothing(), &head, started.elapsed(), &stage.scope)?;
        outcome.mismatches.splice(0..0, found);
        outcome.evidence = json!({ "request": shown, "response": shown_head(&head), "body": body, "events": [] });
        Ok(Err(outcome))
    }

    fn judge(&self, heard: &Heard, head: &Response, latency: Duration, scope: &Scope) -> Result<Outcome, Halt> {
        let mut outcome = Outcome::default();
        if let Some(until) = self.until() {
            outcome.mismatches.extend(heard.mismatch(until, self.timeout, "events"));
        }
        let count = heard.messages.len() as u64;
        outcome.mismatches.extend(check_count("events", self.expect.events.as_ref(), count, scope)?);
        outcome.mismatches.extend(check_latency(&self.expect, latency));
        let response = Response { latency, ..head.clone() };
        let events = Json::Array(heard.messages.clone());
        check_list(&self.expect, &self.captures, &events, Some(&response), scope, &mut outcome)?;
        Ok(outcome)
    }
}

impl Request {
    fn build(&self, stage: &Stage<'_>) -> Result<(RequestBuilder, Json), Halt> {
        let scope = &stage.scope;
        let base = stage.subject.base_url().ok_or_else(|| Halt::Infra("the scenario has no subject".to_owned()))?;
        let url = on_subject(base, &self.path, scope)?;
        let client = stage.actor.clients.of(&url).map_err(Halt::Infra)?;
        let mut sent = headers(&self.headers, &url, stage)?;
        if let Some(id) = &self.last_event_id {
            sent.push(("last-event-id".to_owned(), scope.text(id)?));
        }
        let mut map = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("text/event-stream"))]);
        for (name, value) in &sent {
            let pair = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
            let refused = || Mismatch::new("header", "one that HTTP can carry", format!("{name}: {value}"));
            let (name, value) = pair.ok_or_else(|| Halt::Failed(refused()))?;
            map.append(name, value);
        }
        let query = pairs(&self.query, scope)?;
        let mut builder = client.request(self.method.clone(), url.clone()).query(&query);
        let body = self.json.as_ref().map(|node| scope.node(node)).transpose()?;
        if let Some(body) = &body {
            builder = builder.json(body);
        }
        let path = &url[url::Position::BeforePath..];
        let (query, headers) = (shown_pairs(&query), shown_pairs(&sent));
        let shown =
            json!({ "method": self.method.as_str(), "path": path, "query": query, "headers": headers, "body": body });
        Ok((builder.headers(map), shown))
    }
}

/// An open stream; what has arrived and was not taken yet stays in it.
pub(crate) struct EventStream {
    response: reqwest::Response,
    parser: Parser,
    ready: VecDeque<Json>,
    head: Response,
}

impl EventStream {
    fn new(response: reqwest::Response, head: Response) -> Self {
        Self { response, parser: Parser::default(), ready: VecDeque::new(), head }
    }
}

#[async_trait]
impl Source for EventStream {
    async fn next(&mut self) -> Result<Option<Json>, String> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let chunk = self.response.chunk().await.map_err(|error| root_cause(&error))?;
            let Some(chunk) = chunk else { return Ok(None) };
            let events = self.parser.take(&chunk);
            self.ready.extend(events.map_err(|_| format!("an event of more than {BYTES_MAX} bytes"))?);
        }
    }
}

/// The events of a whole stream; what is too long is left out.
pub(super) fn events_of(bytes: &[u8]) -> Vec<Json> {
    Parser::default().take(bytes).unwrap_or_default()
}

fn is_event_stream(head: &Response) -> bool {
    let kind = head.header("content-type").next().and_then(|kind| kind.split(';').next()).unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("text/event-stream")
}

fn head(response: &reqwest::Response) -> Response {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Response {
        status: response.status().as_u16(),
        headers: response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        url: response.url().to_string(),
        ip: response.remote_addr().map(|address| address.ip().to_string()),
        ..Response::default()
    }
}

async fn start_of_body(mut response: reqwest::Response, deadline: Instant) -> String {
    let mut body = Vec::new();
    while body.len() < ERROR_BODY_BYTES_MAX {
        match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
            _ => break,
        }
    }
    cut(String::from_utf8_lossy(&body).into_owned(), ERROR_BODY_BYTES_MAX)
}

fn no_answer(request: Json, observed: String) -> Outcome {
    let evidence = json!({ "request": request, "response": null });
    Outcome { mismatches: vec![Mismatch::new("response", "a stream", observed)], evidence, ..Outcome::default() }
}
