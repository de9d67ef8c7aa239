//! A reverse proxy that listens to traffic and writes it down as a scenario.
//!
//! Bodies stream through as they come; a bounded part of each is kept. `scenario` turns what was heard into steps:
//! values that change from run to run become types, those that are used again become captures, secrets of requests
//! become variables and those of answers types. What is a secret says `sensitive`. Start at [`Recorder`].

mod answer;
mod heard_secrets;
mod request;
mod scenario;
mod values;

use std::{
    future::Future,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{Stream, StreamExt as _};
use reqwest::{Client, Url, redirect};
use tokio::net::TcpListener;

pub use scenario::written;

const EXCHANGES_MAX: usize = 500; // a longer session is several stories
const BODY_BYTES_MAX: usize = 256 * 1024; // kept of a body; all of it passes through

/// Headers between two neighbours, which the proxy is one of.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    header::HOST,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What was heard, in the order of the requests.
#[derive(Clone, Debug)]
pub struct Recorder {
    target: Url,
    client: Client,
    exchanges: Arc<Mutex<Vec<Arc<Mutex<Exchange>>>>>,
}

/// A request and its answer.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    method: String,
    path_and_query: String,
    headers: HeaderMap,
    body: Tape,
    /// `None` where the target gave none.
    status: Option<u16>,
    answer_headers: HeaderMap,
    answer: Tape,
}

/// The beginning of a body.
#[derive(Clone, Debug, Default)]
struct Tape {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Tape {
    fn keep(&mut self, chunk: &[u8]) {
        let room = BODY_BYTES_MAX - self.bytes.len();
        self.is_cut |= chunk.len() > room;
        self.bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }

    /// All of the body, if all of it was kept.
    fn whole(&self) -> Option<&[u8]> {
        (!self.is_cut).then_some(&self.bytes)
    }
}

impl Recorder {
    /// # Errors
    /// Where no HTTP client can be made.
    pub fn new(target: Url) -> Result<Self, reqwest::Error> {
        let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().build()?;
        Ok(Self { target, client, exchanges: Arc::default() })
    }

    /// Passes traffic on until `stop`.
    ///
    /// # Errors
    /// Where the listener fails.
    pub async fn serve(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let app = Router::new().fallback(pass).with_state(self.clone());
        let serving = axum::serve(listener, app);
        // Connections that are kept open must not hold the end up.
        tokio::select! {
            result = serving => result,
            () = stop => Ok(()),
        }
    }

    pub fn exchanges(&self) -> Vec<Exchange> {
        let exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        exchanges.iter().map(|exchange| exchange.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect()
    }

    fn begin(&self, request: &Request) -> Arc<Mutex<Exchange>> {
        let exchange = Exchange {
            method: request.method().to_string(),
            path_and_query: request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            headers: request.headers().clone(),
            ..Exchange::default()
        };
        let exchange = Arc::new(Mutex::new(exchange));
        let mut all = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < EXCHANGES_MAX {
            all.push(Arc::clone(&exchange));
        }
        exchange
    }
}

async fn pass(State(recorder): State<Recorder>, request: Request) -> Response {
    let exchange = recorder.begin(&request);
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let Ok(url) = recorder.target.join(path) else {
        return (StatusCode::BAD_GATEWAY, "harness record: the path fits no URL").into_response();
    };
    let mut headers = passed_on(&parts.headers);
    // What is recorded must be readable.
    headers.insert(header::ACCEPT_ENCODING, header::HeaderValue::from_static("identity"));
    let mut outgoing = recorder.client.request(parts.method, url).headers(headers);
    let has_body =
        parts.headers.contains_key(header::CONTENT_LENGTH) || parts.headers.contains_key(header::TRANSFER_ENCODING);
    if has_body {
        let heard = heard(body.into_data_stream(), Arc::clone(&exchange), |exchange| &mut exchange.body);
        outgoing = outgoing.body(reqwest::Body::wrap_stream(heard));
    }
    match outgoing.send().await {
        Ok(answer) => answered(answer, &exchange),
        Err(error) => {
            let message = format!("harness record: the target does not answer: {error}");
            (StatusCode::BAD_GATEWAY, message).into_response()
        }
    }
}

fn answered(answer: reqwest::Response, exchange: &Arc<Mutex<Exchange>>) -> Response {
    {
        let mut exchange = exchange.lock().unwrap_or_else(PoisonError::into_inner);
        exchange.status = Some(answer.status().as_u16());
        exchange.answer_headers = answer.headers().clone();
    }
    let (status, headers) = (answer.status(), passed_on(answer.headers()));
    let body = Body::from_stream(heard(answer.bytes_stream(), Arc::clone(exchange), |exchange| &mut exchange.answer));
    (status, headers, body).into_response()
}

/// The same stream, while its beginning is kept.
fn heard<B: AsRef<[u8]>, E>(
    stream: impl Stream<Item = Result<B, E>>,
    exchange: Arc<Mutex<Exchange>>,
    tape: fn(&mut Exchange) -> &mut Tape,
) -> impl Stream<Item = Result<B, E>> {
    stream.inspect(move |chunk| {
        if let Ok(chunk) = chunk {
            tape(&mut exchange.lock().unwrap_or_else(PoisonError::into_inner)).keep(chunk.as_ref());
        }
    })
}

fn passed_on(headers: &HeaderMap) -> HeaderMap {
    headers
        .iter()
        .filter(|(name, _)| !HOP_BY_HOP.contains(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
