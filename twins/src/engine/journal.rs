//! What was asked and answered in a space, in one order over all its twins, with a hash chain over everything that
//! decides it. Bounded: the oldest calls leave first, the chain goes on.

use std::{borrow::Cow, collections::VecDeque, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::fault::FaultKind;
use crate::http::{Body, Content, Part, Reply, Request};

const CALLS_MAX: usize = 10_000; // a trial makes tens; a soak test may make more
const BYTES_MAX: usize = 64 * 1024 * 1024; // bodies kept per space

/// One request and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// Counts from 1, over all twins of the space.
    pub seq: u64,
    pub twin: String,
    /// None: the twin has no such operation.
    pub operation: Option<&'static str>,
    pub request: CallRequest,
    /// None: nothing was answered (a fault).
    pub response: Option<CallResponse>,
    pub fault: Option<FaultKind>,
    /// The number of the fault rule that hit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<u32>,
    /// Fields of the request that the twin did not look at; none where the operation keeps no record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<Vec<String>>,
    pub virtual_at: Timestamp,
    pub space: String,
}

/// Exactly one of `form`, `json` and `text` is there, or none for an empty body.
#[derive(Clone, Debug, Serialize)]
pub struct CallRequest {
    pub method: String,
    pub path: String,
    pub query: Value,
    /// Credentials are shortened to their last four characters.
    pub headers: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// `json` or `text` (a stream's text), or none for an empty body.
#[derive(Clone, Debug, Serialize)]
pub struct CallResponse {
    pub status: u16,
    pub headers: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Journal {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    next_seq: u64,
    head: blake3::Hash,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) twin: Arc<str>,
    pub(crate) operation: Option<&'static str>,
    pub(crate) request: Request,
    pub(crate) reply: Option<Reply>,
    pub(crate) fault: Option<FaultKind>,
    pub(crate) rule: Option<u32>,
    pub(crate) virtual_at: Timestamp,
    pub(crate) seq: u64,
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self { entries: VecDeque::new(), bytes: 0, next_seq: 1, head: blake3::hash(b"twins journal 1") }
    }

    /// Appends; `seq` of the entry is given here.
    pub(crate) fn record(&mut self, mut entry: Entry) {
        entry.seq = self.next_seq;
        self.next_seq += 1;
        self.head = chained(self.head, &entry);
        self.bytes += entry.size();
        self.entries.push_back(Arc::new(entry));
        while self.entries.len() > CALLS_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.size();
        }
    }

    /// The end of the hash chain: equal heads mean equal histories.
    pub(crate) fn head(&self) -> String {
        self.head.to_hex().to_string()
    }

    pub(crate) fn of_twin<'a>(&'a self, twin: &'a str) -> impl Iterator<Item = &'a Arc<Entry>> {
        self.entries.iter().filter(move |entry| &*entry.twin == twin)
    }
}

impl Entry {
    fn size(&self) -> usize {
        self.request.body.len() + self.reply.as_ref().map_or(0, |reply| reply.body.bytes().len())
    }

    pub(crate) fn call(&self, space: &str) -> Call {
        Call {
            seq: self.seq,
            twin: self.twin.to_string(),
            operation: self.operation,
            request: CallRequest::of(&self.request),
            response: self.reply.as_ref().map(CallResponse::of),
            fault: self.fault,
            rule: self.rule,
            // Of a request that was not performed nothing could be read.
            unread: self.request.unread(),
            virtual_at: self.virtual_at,
            space: space.to_owned(),
        }
    }
}

impl CallRequest {
    pub(crate) fn of(request: &Request) -> Self {
        let shown = |(name, value): &(String, String)| (name.clone(), Value::String(redacted(name, value)));
        let (mut form, mut json, mut text) = (None, None, None);
        match &request.content {
            Content::Form(value) => form = Some(value.clone()),
            Content::Json(value) => json = Some(value.clone()),
            Content::Text(value) => text = Some(value.clone()),
            Content::Malformed(_) | Content::Bytes => {
                text = Some(String::from_utf8_lossy(&request.body).into_owned());
            }
            Content::Multipart(parts) => form = Some(shown_parts(parts)),
            Content::Empty | Content::TooLarge => {}
        }
        Self {
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            headers: request.headers.iter().map(shown).collect(),
            form,
            json,
            text,
        }
    }
}

impl CallResponse {
    fn of(reply: &Reply) -> Self {
        let (mut json, mut text) = (None, None);
        match &reply.body {
            Body::Empty => {}
            Body::Json(bytes) => json = serde_json::from_slice(bytes).ok(),
            body @ (Body::Bytes(_) | Body::Events(_)) => {
                text = Some(String::from_utf8_lossy(&body.bytes()).into_owned())
            }
        }
        let shown = |(name, value): &(Cow<'static, str>, String)| (name.to_string(), Value::String(value.clone()));
        Self { status: reply.status, headers: reply.headers.iter().map(shown).collect(), json, text }
    }
}

/// Files by name and size: their bytes are in the request, not in the journal's view of it.
fn shown_parts(parts: &[Part]) -> Value {
    let shown = |part: &Part| match &part.file_name {
        Some(file) => json!({"file_name": file, "content_type": part.content_type, "bytes": part.bytes.len()}),
        None => Value::String(String::from_utf8_lossy(&part.bytes).into_owned()),
    };
    parts.iter().map(|part| (part.name.clone(), shown(part))).collect::<Map<_, _>>().into()
}

fn redacted(name: &str, value: &str) -> String {
    if !matches!(name, "authorization" | "x-api-key" | "cookie" | "proxy-authorization") {
        return value.to_owned();
    }
    let tail: Vec<char> = value.chars().rev().take(4).collect();
    format!("[redacted]{}", tail.into_iter().rev().collect::<String>())
}

/// Every field is preceded by its length, so that two histories never feed the same bytes. `host` is left out: the
/// port differs from run to run and decides nothing.
fn chained(previous: blake3::Hash, entry: &Entry) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    let mut feed = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    feed(previous.as_bytes());
    feed(&entry.virtual_at.as_millisecond().to_le_bytes());
    feed(entry.twin.as_bytes());
    feed(entry.operation.unwrap_or_default().as_bytes());
    feed(entry.fault.map_or("", FaultKind::name).as_bytes());
    feed(entry.request.method.as_bytes());
    feed(entry.request.path.as_bytes());
    feed(entry.request.raw_query.as_bytes());
    for (name, value) in entry.request.headers.iter().filter(|(name, _)| name != "host") {
        feed(name.as_bytes());
        feed(value.as_bytes());
    }
    feed(&entry.request.body);
    if let Some(reply) = &entry.reply {
        feed(&reply.status.to_le_bytes());
        for (name, value) in &reply.headers {
            feed(name.as_bytes());
            feed(value.as_bytes());
        }
        feed(&reply.body.bytes());
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;

    use super::*;

    fn entry(body: usize) -> Entry {
        let mut request = Request::bare("GET", "/");
        request.body = Bytes::from(vec![b'x'; body]);
        let virtual_at = Timestamp::UNIX_EPOCH;
        Entry { twin: "t".into(), operation: None, request, reply: None, fault: None, rule: None, virtual_at, seq: 0 }
    }

    #[test]
    fn the_oldest_calls_leave_first_and_the_chain_goes_on() {
        let mut journal = Journal::new();
        (0..=CALLS_MAX).for_each(|_| journal.record(entry(0)));
        let head = journal.head();
        assert_eq!(journal.entries.len(), CALLS_MAX);
        assert_eq!(journal.of_twin("t").next().map(|entry| entry.seq), Some(2));
        journal.record(entry(0));
        assert_ne!(journal.head(), head);
    }

    #[test]
    fn large_bodies_push_older_ones_out() {
        let mut journal = Journal::new();
        (0..3).for_each(|_| journal.record(entry(BYTES_MAX / 2)));
        assert_eq!((journal.entries.len(), journal.bytes), (2, BYTES_MAX));
    }

    #[test]
    fn credentials_are_shortened() {
        assert_eq!(redacted("authorization", "Bearer sk_test_1234"), "[redacted]1234");
        assert_eq!(redacted("accept", "text/html"), "text/html");
    }
}
