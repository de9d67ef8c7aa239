//! The proxy: passes each request on and its answer back, chunk by chunk, and writes the exchange down when it is over.

use std::{
    convert::Infallible,
    fs::File,
    io::Write,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::body::Body as Outgoing;
use futures::StreamExt;
use hyper::{
    HeaderMap, Request, Response,
    body::{Body as _, Incoming},
    header,
    service::service_fn,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    RecordError, RecordOptions,
    body::Written,
    line::{Answered, Asked, Exchange, Head},
    redact::Redactor,
    tee::{Kept, Tee},
};
use crate::{
    engine::door::Door,
    http::{connection::converse, forward},
    shape::Folder,
};

/// Passes on and writes down.
pub(super) struct Recorder {
    upstream: String,
    base_url: String,
    redactor: Redactor,
    folder: Folder,
    file: Mutex<File>,
    begun: AtomicU64,
    written: AtomicU64,
}

impl Recorder {
    pub(super) fn new(options: &RecordOptions, base_url: &str) -> Result<Self, RecordError> {
        if options.upstream.cannot_be_a_base() || options.upstream.host().is_none() {
            return Err(RecordError::Upstream { upstream: options.upstream.clone() });
        }
        let pattern = |why| RecordError::Pattern { why };
        let redactor = Redactor::new(&options.redact).map_err(pattern)?;
        let folder = Folder::new(&options.paths).map_err(pattern)?;
        let upstream = options.upstream.as_str().trim_end_matches('/').to_owned();
        let out = |source| RecordError::Out { out: options.out.clone(), source };
        let mut file = File::options().append(true).create_new(true).open(&options.out).map_err(out)?;
        write_line(&mut file, &Head::new(&upstream)).map_err(out)?;
        Ok(Self {
            upstream,
            base_url: base_url.to_owned(),
            redactor,
            folder,
            file: Mutex::new(file),
            begun: AtomicU64::new(0),
            written: AtomicU64::new(0),
        })
    }

    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Whole lines only: one call for each, behind the others.
    fn write(&self, exchange: &Exchange) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        match write_line(&mut file, exchange) {
            Ok(()) => {
                self.written.fetch_add(1, Ordering::Release);
            }
            Err(error) => tracing::error!(%error, number = exchange.number, "cannot write the exchange down"),
        }
    }
}

fn write_line(file: &mut File, line: &impl serde::Serialize) -> std::io::Result<()> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    file.write_all(&bytes)
}

/// Passes on whatever comes, until `closing`.
pub(super) fn open(door: Door, recorder: Arc<Recorder>, tasks: &TaskTracker, closing: CancellationToken) {
    door.open(tasks, closing.clone(), move |stream| {
        let recorder = Arc::clone(&recorder);
        let service = service_fn(move |request| Box::pin(pass(Arc::clone(&recorder), request)));
        Some(converse(stream, service, closing.clone()))
    });
}

async fn pass(recorder: Arc<Recorder>, request: Request<Incoming>) -> Result<Response<Outgoing>, Infallible> {
    let number = recorder.begun.fetch_add(1, Ordering::AcqRel) + 1;
    let (mut parts, body) = request.into_parts();
    // What comes packed cannot be read in the recording, and clients take it plain as well.
    parts.headers.insert(header::ACCEPT_ENCODING, header::HeaderValue::from_static("identity"));
    recorder.redactor.learn(texts(&parts.headers));
    let sent = Kept::default();
    let has_body = !body.is_end_stream();
    let chunks = Tee::new(Outgoing::new(body).into_data_stream(), sent.clone(), ());
    let answered = forward::ask(&recorder.upstream, &parts, has_body.then(|| reqwest::Body::wrap_stream(chunks))).await;
    let answer = match answered {
        Ok(answer) => answer,
        Err(why) => return Ok(forward::refused(502, &format!("cannot ask {}: {why}", recorder.upstream))),
    };
    let (status, headers) = (answer.status(), answer.headers().clone());
    recorder.redactor.learn(texts(&headers).filter(|(name, _)| *name == "set-cookie"));
    let came = Kept::default();
    let pending = Pending {
        recorder: Arc::clone(&recorder),
        number,
        parts,
        sent,
        status: status.as_u16(),
        headers,
        came: came.clone(),
    };
    let mut response = Response::builder().status(status);
    // Clients that count want the length; a service that packs all the same has said it of the packed body.
    if let Some(length) = answer.headers().get(header::CONTENT_LENGTH) {
        response = response.header(header::CONTENT_LENGTH, length);
    }
    for (name, value) in forward::passing(answer.headers()) {
        response = response.header(name, recorder.pointed_here(name, value));
    }
    let chunks = Tee::new(answer.bytes_stream().boxed(), came, pending);
    Ok(response.body(Outgoing::from_stream(chunks)).expect("status and headers are those of an answer"))
}

impl Recorder {
    /// Links in headers lead back through the proxy, or clients that follow them would leave it.
    fn pointed_here(&self, name: &header::HeaderName, value: &header::HeaderValue) -> header::HeaderValue {
        if name != header::LOCATION && name != header::LINK {
            return value.clone();
        }
        let here = value.to_str().ok().map(|text| text.replace(&self.upstream, &self.base_url));
        here.and_then(|text| text.parse().ok()).unwrap_or_else(|| value.clone())
    }
}

/// An exchange that is not over yet. Dropped with the answer's body: at its end, or where somebody went away.
struct Pending {
    recorder: Arc<Recorder>,
    number: u64,
    parts: hyper::http::request::Parts,
    sent: Kept,
    status: u16,
    headers: HeaderMap,
    came: Kept,
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.recorder.write(&self.exchange());
    }
}

impl Pending {
    fn exchange(&self) -> Exchange {
        let redactor = &self.recorder.redactor;
        let (method, path) = (self.parts.method.as_str().to_owned(), redactor.text(self.parts.uri.path()));
        let query = url::form_urlencoded::parse(self.parts.uri.query().unwrap_or_default().as_bytes());
        let query = query.map(|(name, value)| (name.clone().into_owned(), redactor.field(&name, &value))).collect();
        let request_body = self.sent.take(text(&self.parts.headers, header::CONTENT_TYPE), false);
        let has_none = method == "HEAD" || matches!(self.status, 204 | 304);
        let cut = !has_none && !self.came.ended(text(&self.headers, header::CONTENT_LENGTH).parse().ok());
        let is_gzip = text(&self.headers, header::CONTENT_ENCODING) == "gzip";
        let body = self.came.take(text(&self.headers, header::CONTENT_TYPE), is_gzip).written(redactor);
        Exchange {
            number: self.number,
            operation: format!("{method} {}", self.recorder.folder.fold(&path)),
            shape: Written::shape(body.as_ref()),
            request: Asked {
                method,
                path,
                query,
                headers: clean(&self.parts.headers, redactor),
                body: request_body.written(redactor),
            },
            answer: Answered { status: self.status, headers: clean(&self.headers, redactor), body, cut },
        }
    }
}

fn clean(headers: &HeaderMap, redactor: &Redactor) -> Vec<(String, String)> {
    // When, and how packed, is no part of the exchange.
    let said = |name: &header::HeaderName| !matches!(name.as_str(), "accept-encoding" | "content-encoding" | "date");
    let passing = forward::passing(headers)
        .filter(|(name, _)| said(name))
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    passing.map(|(name, value)| (name.to_owned(), redactor.header(name, value))).collect()
}

fn texts(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
