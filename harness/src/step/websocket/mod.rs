//! `websocket`: a conversation with the subject, message by message.
//!
//! A connection can stay open over several steps: `keep_as: chat` where it is opened, `continue: chat` where it goes
//! on. Nothing is read in between.

mod file;
mod socket;

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value as Json, json};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::Message;

pub(crate) use self::file::WebsocketFile;
pub(super) use self::socket::Socket;
use self::{
    file::{SendFile, SendMap},
    socket::{NO_FAREWELL, Refusal},
};
use super::{
    Captures, Halt, Kind, Outcome, Stage, Step,
    capture::CaptureRule,
    document::{Around, check_document_rules, check_latency},
    http::{USER_AGENT, pairs},
    list::{check_count, check_list},
    session::Connection,
    stream::{
        Heard, TIMEOUT_DEFAULT, TIMEOUT_MAX, Until, admits, check_head, check_path, headers, listen, on_subject,
        shown_head, shown_pairs,
    },
};
use crate::{
    expect::{Mismatch, Response, cut},
    scenario::{Expect, LintCode, Lower},
    text::{Entries, Node, Period, Placed, RenderError, Scope, Text},
};

/// How the kind stands in files.
pub(super) const KIND: Kind = Kind {
    name: "websocket",
    needs: &[],
    takes: &[],
    expects: &[
        "status",
        "headers",
        "subprotocol",
        "messages",
        "close_code",
        "close_reason",
        "json",
        "json_exact",
        "jsonpath",
        "json_schema",
        "checks",
        "max_latency",
    ],
    captures: Captures::Values,
    lower: |parts, lower| self::lower(parts.file.websocket?, parts.expect, parts.captures, lower),
};

const NORMAL_CLOSURE: u16 = 1000;
const CODES_OF_CLIENTS: [std::ops::RangeInclusive<u16>; 2] = [1000..=1003, 3000..=4999]; // RFC 6455, 7.4
const SWITCHING_PROTOCOLS: u16 = 101;

#[derive(Debug)]
struct Websocket {
    opening: Opening,
    acts: Vec<Act>,
    keep_as: Option<Text>,
    close_code: u16,
    timeout: Duration,
    expect: Expect,
    captures: Entries<CaptureRule>,
}

#[derive(Debug)]
enum Opening {
    Connect { path: Text, headers: Entries<Node>, query: Entries<Node>, subprotocols: Vec<Text> },
    Kept(Text),
}

/// What is done on an open connection.
#[derive(Debug)]
enum Act {
    Text(Text),
    Json(Node),
    Bytes(Text),
    Ping(Text),
    Listen(Until),
}

fn lower(
    file: Placed<WebsocketFile>,
    expect: Placed<Expect>,
    captures: Entries<CaptureRule>,
    lower: &mut Lower<'_>,
) -> Option<Box<dyn Step>> {
    let place = file.place;
    let WebsocketFile { connect, resume, headers, query, subprotocols, send, until, close, keep_as, timeout } =
        file.value;
    let timeout = lower.period(timeout.as_ref(), TIMEOUT_DEFAULT, TIMEOUT_MAX);
    let asks = !headers.is_empty() || !query.is_empty() || !subprotocols.is_empty();
    let opening = match (connect, resume) {
        (Some(path), None) => {
            check_path(&path, lower);
            Opening::Connect { path, headers, query, subprotocols }
        }
        (None, Some(name)) => {
            if asks || expect.status.is_some() || !expect.headers.is_empty() {
                let message = "a connection that goes on has no handshake: no headers, query, subprotocols, status";
                lower.refuse(LintCode::StepKind, place, message);
            }
            Opening::Kept(name)
        }
        _ => {
            lower.refuse(LintCode::StepKind, place, "a `websocket` step has either `connect` or `continue`");
            return None;
        }
    };
    if let Some(close) = &close {
        if !CODES_OF_CLIENTS.iter().any(|codes| codes.contains(close)) {
            lower.refuse(LintCode::BadLimit, close.place, "a client closes with 1000 to 1003, or 3000 to 4999");
        }
        if keep_as.is_some() {
            lower.refuse(LintCode::StepKind, close.place, "what is kept open is not closed");
        }
    }
    let around = if matches!(opening, Opening::Kept(_)) { Around::Nothing } else { Around::Response };
    check_document_rules(&expect, &captures, around, lower);
    let mut acts: Vec<_> = send.into_iter().map(|send| send.lower(lower)).collect();
    acts.extend(until.map(|until| Act::Listen(until.lower(lower))));
    let close_code = close.map_or(NORMAL_CLOSURE, |close| close.value);
    Some(Box::new(Websocket { opening, acts, keep_as, close_code, timeout, expect: expect.value, captures }))
}

impl Placed<SendFile> {
    fn lower(self, lower: &mut Lower<'_>) -> Act {
        match self.value {
            SendFile::Text(text) => Act::Text(Text { place: self.place, ..text }),
            SendFile::Map(SendMap::Text(text)) => Act::Text(text),
            SendFile::Map(SendMap::Json(node)) => Act::Json(node),
            SendFile::Map(SendMap::BytesBase64(text)) => Act::Bytes(text),
            SendFile::Map(SendMap::Ping(text)) => Act::Ping(text),
            SendFile::Map(SendMap::Await(until)) => Act::Listen(until.lower(lower)),
        }
    }
}

#[async_trait]
impl Step for Websocket {
    fn kind(&self) -> &'static str {
        "websocket"
    }

    fn title(&self) -> String {
        match &self.opening {
            Opening::Connect { path, .. } => format!("websocket {}", path.value),
            Opening::Kept(name) => format!("websocket continue {}", name.value),
        }
    }

    fn asserts(&self) -> bool {
        // Connecting alone can fail for what the subject did.
        matches!(self.opening, Opening::Connect { .. }) || !self.acts.is_empty() || !self.expect.is_empty()
    }

    fn needs_subject(&self) -> bool {
        true
    }

    async fn run(&self, stage: &mut Stage<'_>) -> Result<Outcome, Halt> {
        let started = Instant::now();
        let deadline = started + self.timeout;
        let (mut socket, request) = match &self.opening {
            Opening::Kept(name) => {
                let name = stage.scope.text(name)?;
                (stage.session.take_websocket(&name)?, json!({ "continue": name }))
            }
            Opening::Connect { .. } => match self.open(stage, started).await? {
                Ok(opened) => opened,
                Err(outcome) => return Ok(outcome),
            },
        };
        let (heard, stuck) = self.converse(&mut socket, deadline, &stage.scope).await?;
        let latency = started.elapsed();
        if self.keep_as.is_none() {
            socket.close(self.close_code, "").await;
        }
        let (code, reason) = socket.closed_with();
        let mut outcome = Outcome { mismatches: stuck.into_iter().collect(), ..Outcome::default() };
        let ending = Ending {
            head: Some(&socket.head),
            subprotocol: socket.subprotocol.as_deref(),
            farewell: socket.closed_with(),
            latency,
        };
        self.judge(&heard, &ending, &stage.scope, &mut outcome)?;
        outcome.evidence = json!({
            "request": request, "response": shown_head(&socket.head), "messages": heard.evidence(), "count": heard.messages.len(),
            "close_code": code, "close_reason": reason,
        });
        if let Some(name) = &self.keep_as {
            stage.session.keep(&stage.scope.text(name)?, Connection::Websocket(socket));
        }
        Ok(outcome)
    }
}

type Opened = (Box<Socket>, Json);

/// What is judged of a connection besides its messages.
struct Ending<'a> {
    /// The answer to the handshake, if there was one.
    head: Option<&'a Response>,
    subprotocol: Option<&'a str>,
    farewell: (u16, &'a str),
    latency: Duration,
}

impl Websocket {
    /// `Err` is the outcome where there is no connection.
    async fn open(&self, stage: &mut Stage<'_>, started: Instant) -> Result<Result<Opened, Outcome>, Halt> {
        let scope = &stage.scope;
        let Opening::Connect { path, headers: given, query, subprotocols } = &self.opening else {
            return Err(Halt::Infra("nothing is to be opened".to_owned()));
        };
        let base = stage.subject.base_url().ok_or_else(|| Halt::Infra("the scenario has no subject".to_owned()))?;
        let mut url = on_subject(base, path, scope)?;
        let mut sent = headers(given, &url, stage)?;
        if !sent.iter().any(|(name, _)| name.eq_ignore_ascii_case("user-agent")) {
            sent.push(("user-agent".to_owned(), USER_AGENT.to_owned()));
        }
        for (name, value) in pairs(query, scope)? {
            url.query_pairs_mut().append_pair(&name, &value);
        }
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        url.set_scheme(scheme).map_err(|()| Halt::Infra(format!("{url} is no address of a WebSocket")))?;
        let offered = subprotocols.iter().map(|name| scope.text(name)).collect::<Result<Vec<_>, _>>()?;
        if !offered.is_empty() {
            sent.push(("sec-websocket-protocol".to_owned(), offered.join(", ")));
        }
        let path = &url[url::Position::BeforePath..];
        let request = json!({ "method": "GET", "path": path, "headers": shown_pairs(&sent) });
        stage.session.requests += 1;
        let refusal = match timeout_at(started + self.timeout, Socket::open(&url, &sent)).await {
            Ok(Ok(socket)) => return Ok(Ok((Box::new(socket), request))),
            Ok(Err(refusal)) => refusal,
            Err(_) => Refusal::Broken(format!("no answer within {}", Period(self.timeout))),
        };
        self.refused(refusal, &request, started.elapsed(), &stage.scope).map(Err)
    }

    fn refused(&self, refusal: Refusal, request: &Json, latency: Duration, scope: &Scope) -> Result<Outcome, Halt> {
        let mut outcome = Outcome::default();
        let found = &mut outcome.mismatches;
        let mut answer = None;
        match refusal {
            Refusal::Broken(reason) => {
                found.push(Mismatch::new("response", "a WebSocket", reason));
                outcome.evidence = json!({ "request": request, "response": null });
            }
            Refusal::Answer { head, body } => {
                let body = cut(body, 500);
                if self.expect.status.is_none() {
                    let observed = format!("{}, body: {body}", head.status);
                    found.push(Mismatch::new("status", SWITCHING_PROTOCOLS.to_string(), observed));
                } else if !self.acts.is_empty() || admits(&self.expect, SWITCHING_PROTOCOLS, scope)? {
                    let observed = format!("status {}, body: {body}", head.status);
                    found.push(Mismatch::new("response", "a WebSocket", observed));
                }
                outcome.evidence = json!({ "request": request, "response": shown_head(&head), "body": body });
                answer = Some(head);
            }
        }
        // An expected refusal is all that there is; whatever else was expected is not there.
        let ending = Ending { head: answer.as_deref(), subprotocol: None, farewell: NO_FAREWELL, latency };
        self.judge(&Heard::nothing(), &ending, scope, &mut outcome)?;
        Ok(outcome)
    }

    /// Everything that was heard, and what went wrong on the way.
    async fn converse(
        &self,
        socket: &mut Socket,
        deadline: Instant,
        scope: &Scope,
    ) -> Result<(Heard, Option<Mismatch>), Halt> {
        let mut all = Heard::nothing();
        for (n, act) in self.acts.iter().enumerate() {
            if let Act::Listen(until) = act {
                let heard = listen(socket, until, deadline, scope).await?;
                let stuck = heard.mismatch(until, self.timeout, "messages");
                all.messages.extend(heard.messages);
                if stuck.is_some() {
                    return Ok((all, stuck));
                }
                continue;
            }
            let sending = send(socket, act, scope);
            let failed = match timeout_at(deadline, sending).await {
                Ok(sent) => sent?.err(),
                Err(_) => Some(format!("nothing within {}", Period(self.timeout))),
            };
            if let Some(reason) = failed {
                let what = if matches!(act, Act::Ping(_)) { "the answer to a ping" } else { "to be taken" };
                return Ok((all, Some(Mismatch::new(format!("send {}", n + 1), what, reason))));
            }
        }
        Ok((all, None))
    }

    fn judge(&self, heard: &Heard, ending: &Ending<'_>, scope: &Scope, outcome: &mut Outcome) -> Result<(), Halt> {
        let expect = &self.expect;
        let found = &mut outcome.mismatches;
        if let Some(head) = ending.head {
            found.extend(check_head(expect, head, scope)?);
        }
        if let Some(predicates) = &expect.subprotocol {
            found.extend(predicates.check_text("subprotocol", ending.subprotocol, scope)?);
        }
        found.extend(check_count("messages", expect.messages.as_ref(), heard.messages.len() as u64, scope)?);
        let (code, reason) = ending.farewell;
        found.extend(check_count("close_code", expect.close_code.as_ref(), code.into(), scope)?);
        if let Some(predicates) = &expect.close_reason {
            found.extend(predicates.check_text("close_reason", Some(reason), scope)?);
        }
        found.extend(check_latency(expect, ending.latency));
        let response = ending.head.map(|head| Response { latency: ending.latency, ..head.clone() });
        let messages = Json::Array(heard.messages.clone());
        check_list(expect, &self.captures, &messages, response.as_ref(), scope, outcome)
    }
}

/// The inner error says why the subject did not take it.
async fn send(socket: &mut Socket, act: &Act, scope: &Scope) -> Result<Result<(), String>, Halt> {
    let message = match act {
        Act::Text(text) => Message::text(scope.text(text)?),
        Act::Json(node) => Message::text(scope.node(node)?.to_string()),
        Act::Bytes(encoded) => {
            let bytes = BASE64_STANDARD.decode(scope.text(encoded)?.trim()).map_err(|error| {
                let message = format!("`bytes_base64` is no Base64: {error}");
                RenderError { place: encoded.place, message }
            })?;
            Message::binary(bytes)
        }
        Act::Ping(payload) => {
            let payload = scope.text(payload)?.into_bytes();
            if let Err(reason) = socket.send(Message::Ping(payload.clone().into())).await {
                return Ok(Err(reason));
            }
            return Ok(socket.pong(&payload).await);
        }
        Act::Listen(_) => return Ok(Ok(())),
    };
    Ok(socket.send(message).await)
}
