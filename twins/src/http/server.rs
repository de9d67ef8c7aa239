//! What a twin's door greets connections with: decodes, asks the space what to answer, and sends it as planned — whole,
//! late, broken or never.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::body::{Body as Outgoing, Bytes, to_bytes};
use futures::{StreamExt, stream};
use hyper::{
    Response,
    body::{Body as _, Incoming},
    header::{self, HeaderName},
    http::request::Parts,
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    time::timeout,
};
use tokio_rustls::server::TlsStream;
use url::Url;

use super::{
    Body, Reply, Request,
    broken::{self, End},
    connection::{http1, overdue},
    pace::paced,
    request::OverTls,
    upstream,
};
use crate::{
    TwinError,
    admin::wiremock,
    engine::{
        core::{Exchange, Transport},
        door::Door,
        rooms::Address,
        shared::Shared,
    },
    tls::Authority,
};

const BODY_WITHIN: Duration = Duration::from_secs(30); // far more than loopback needs for the largest body
const LOOPBACK: &str = "127.0.0.1"; // whom a client means that names no host

/// The twin behind a listener.
#[derive(Clone)]
pub(crate) struct Face {
    pub(crate) shared: Arc<Shared>,
    pub(crate) twin: Arc<str>,
    pub(crate) body_bytes_max: usize,
    /// The service itself, where it is recorded.
    pub(crate) upstream: Option<Url>,
    pub(crate) tls: Option<Arc<Authority>>,
    /// Requests below `/__admin` are not the service's.
    pub(crate) speaks_wiremock: bool,
}

impl Face {
    /// The connection, unless a rule refuses it.
    pub(crate) fn let_in(&self, stream: TcpStream) -> Option<TcpStream> {
        if self.shared.refuses_connection(&self.twin) {
            // With no linger, closing sends RST instead of FIN.
            stream.set_zero_linger().ok();
            return None;
        }
        Some(stream)
    }

    /// The space that a request means, and how much of its path says so.
    fn space_of(&self, parts: &Parts, rooms: Option<&HeaderName>) -> Result<(Arc<Shared>, usize), TwinError> {
        let address = rooms.map(|header| Address::of(parts, header)).unwrap_or_default();
        let shared = match &address.name {
            None => Arc::clone(&self.shared),
            Some(name) => self.shared.room(name)?,
        };
        Ok((shared, address.mount_bytes))
    }
}

/// A request that names a space which cannot be: no service ever says this, so there is no dialect for it.
fn refused(error: &TwinError) -> Response<Outgoing> {
    whole(&Reply::json(400, &serde_json::json!({"error": error.to_string()})))
}

/// Lets clients in until the space closes.
pub(crate) fn open(door: Door, face: Face) {
    let shared = Arc::clone(&face.shared);
    door.open(&shared.tasks, shared.closing.clone(), move |stream| {
        Some(greet(face.let_in(stream)?, LOOPBACK, face.clone()))
    });
}

/// A conversation with a client that means `host`: over TLS where the face has an authority.
pub(crate) async fn greet(stream: TcpStream, host: &str, face: Face) {
    let Some(tls) = face.tls.clone() else { return converse(stream, face).await };
    let handshake = || face.shared.handshake(&face.twin);
    let Some(stream) = tls.greet(stream, host, handshake).await else { return };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        multiplex(stream, face).await;
    } else {
        converse(stream, face).await;
    }
}

/// What a conversation is carried by.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    const OVER_TLS: bool;
    fn socket(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    const OVER_TLS: bool = false;
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    const OVER_TLS: bool = true;
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// HTTP/1.1: one request after the other.
async fn converse<W: Wire>(stream: W, face: Face) {
    let closing = face.shared.closing.clone();
    let ending = Arc::new(Ending::default());
    let service = {
        let (ending, rooms) = (Arc::clone(&ending), face.shared.rooms.header());
        service_fn(move |request| {
            let request = marked(request, W::OVER_TLS);
            Box::pin(respond(face.clone(), rooms.clone(), Arc::clone(&ending), request)) as Responding
        })
    };
    let mut connection = http1().serve_connection(TokioIo::new(stream), service);
    let mut overdue = pin!(overdue(closing.clone()));
    let mut leaving = false;
    loop {
        tokio::select! {
            // What is ready to leave, leaves.
            biased;
            // An error is the client's going away, or a body that was cut on purpose.
            _ = &mut connection => return,
            () = closing.cancelled(), if !leaving => {
                leaving = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            () = ending.asked.notified() => break,
            () = &mut overdue => return,
        }
    }
    let end = end(connection.into_parts().io.into_inner(), ending.take());
    tokio::select! { () = overdue => {}, () = end => {} }
}

/// HTTP/2: an answer that shall never come whole resets its stream, not the connection.
async fn multiplex(stream: TlsStream<TcpStream>, face: Face) {
    let (closing, rooms) = (face.shared.closing.clone(), face.shared.rooms.header());
    let service = service_fn(move |request| {
        let request = marked(request, true);
        Box::pin(respond(face.clone(), rooms.clone(), Arc::new(Ending::of_stream()), request)) as Responding
    });
    let serving = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    tokio::select! {
        _ = serving.as_mut() => return,
        () = closing.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    tokio::select! { _ = serving => {}, () = overdue(closing) => {} }
}

/// The request with what else the twin must know: how it came, and the host, which HTTP/2 names elsewhere.
fn marked(mut request: hyper::Request<Incoming>, over_tls: bool) -> hyper::Request<Incoming> {
    if over_tls {
        request.extensions_mut().insert(OverTls);
    }
    if !request.headers().contains_key(header::HOST)
        && let Some(host) = request.uri().authority().and_then(|host| host.as_str().parse().ok())
    {
        request.headers_mut().insert(header::HOST, host);
    }
    request
}

/// A request that came through a proxy, in the clear.
pub(crate) async fn answer_one(face: Face, request: hyper::Request<Incoming>) -> Result<Response<Outgoing>, Broken> {
    let rooms = face.shared.rooms.header();
    respond(face, rooms, Arc::new(Ending::of_stream()), request).await
}

/// There is no answer, on purpose.
#[derive(Debug, thiserror::Error)]
#[error("broken on purpose")]
pub(crate) struct Broken;

/// How the connection shall end, once an answer asks for it.
#[derive(Default)]
struct Ending {
    /// One stream ends, and the connection goes on.
    only_stream: bool,
    how: Mutex<Option<End>>,
    asked: Notify,
}

impl Ending {
    fn of_stream() -> Self {
        Self { only_stream: true, ..Self::default() }
    }

    /// Never comes back where the connection is dropped.
    async fn ask(&self, end: End) -> Result<Response<Outgoing>, Broken> {
        if self.only_stream {
            return Err(Broken);
        }
        *self.how.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        self.asked.notify_one();
        std::future::pending().await
    }

    fn take(&self) -> Option<End> {
        self.how.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

async fn end<W: Wire>(mut stream: W, how: Option<End>) {
    match how {
        // With no linger, closing sends RST instead of FIN.
        None | Some(End::Reset) => {
            stream.socket().set_zero_linger().ok();
        }
        Some(End::Bytes(bytes)) => {
            // A client that is gone already needs no end.
            stream.write_all(&bytes).await.ok();
            stream.shutdown().await.ok();
        }
    }
}

type Responding = Pin<Box<dyn Future<Output = Result<Response<Outgoing>, Broken>> + Send>>;

async fn respond(
    face: Face,
    rooms: Option<HeaderName>,
    ending: Arc<Ending>,
    request: hyper::Request<Incoming>,
) -> Result<Response<Outgoing>, Broken> {
    let (parts, body) = request.into_parts();
    let body = if body.is_end_stream() {
        Ok(Bytes::new())
    } else {
        let Ok(read) = timeout(BODY_WITHIN, to_bytes(Outgoing::new(body), face.body_bytes_max)).await else {
            return ending.ask(End::Reset).await;
        };
        // A slice would keep the whole buffer of the connection alive, for as long as the journal has the call.
        read.map(|body| Bytes::copy_from_slice(&body))
    };
    let (shared, mount_bytes) = match face.space_of(&parts, rooms.as_ref()) {
        Ok(found) => found,
        Err(error) => return Ok(refused(&error)),
    };
    let mut request = Request::new(&parts, mount_bytes, body.ok());
    if face.speaks_wiremock
        && let Some(reply) = wiremock::answer(&shared, &face.twin, &request)
    {
        return Ok(whole(&reply));
    }
    if let Some(base) = face.upstream.as_ref().filter(|_| shared.knows(&face.twin, &request)) {
        request.upstream = Some(Arc::new(upstream::ask(base, &request).await));
    }
    let exchange = shared.exchange(&face.twin, request);
    let Exchange { reply, transport, ticket } = exchange;
    let response = match (transport, reply) {
        (Transport::Reset, _) => return ending.ask(End::Reset).await,
        (Transport::Close, _) => return ending.ask(End::CLOSE).await,
        (Transport::Garbage, _) => return ending.ask(End::garbage()).await,
        // Stays until the client gives up or the space closes.
        (Transport::Hang, _) | (_, None) => {
            shared.closing.cancelled().await;
            return ending.ask(End::CLOSE).await;
        }
        (Transport::Duplicate, Some(reply)) => return ending.ask(End::duplicate(&reply)).await,
        (Transport::MalformedChunk, Some(reply)) => return ending.ask(End::malformed_chunk(&reply)).await,
        (Transport::Whole, Some(reply)) => paced(&reply).await,
        (Transport::Late { delay, at_event }, Some(reply)) => broken::late(&reply, delay, at_event).await,
        (Transport::Dribble { bytes, interval }, Some(reply)) => broken::dribble(&reply, bytes, interval),
        (Transport::Garbled, Some(reply)) => broken::garbled(&reply),
        (Transport::Cut(cut), Some(reply)) => broken::cut(&reply, cut),
    };
    drop(ticket); // from here on the idempotency key is free for a replay
    Ok(response)
}

pub(super) fn whole(reply: &Reply) -> Response<Outgoing> {
    let body = match &reply.body {
        Body::Empty => Outgoing::empty(),
        Body::Json(bytes) | Body::Bytes(bytes) => Outgoing::from(bytes.clone()),
        Body::Events(frames) => Outgoing::from_stream(stream::iter(frames.clone()).map(Ok::<_, Infallible>)),
    };
    with_head(reply, body)
}

pub(super) fn with_head(reply: &Reply, body: Outgoing) -> Response<Outgoing> {
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(&**name, value);
    }
    response.body(body).expect("twins write visible ASCII into headers and statuses from 200 to 599")
}
