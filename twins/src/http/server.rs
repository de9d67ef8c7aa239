//! One listener of one twin: accepts, decodes, asks the space what to answer, and sends it as planned — whole, late,
//! broken or never.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::body::{Body as Outgoing, Bytes, to_bytes};
use futures::{StreamExt, stream};
use hyper::{
    Response,
    body::{Body as _, Incoming},
    header::HeaderName,
    http::request::Parts,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::{sleep, timeout},
};
use url::Url;

use super::{
    Body, Reply, Request,
    broken::{self, End},
    pace::paced,
    upstream,
};
use crate::{
    TwinError,
    engine::{
        core::{Exchange, Transport},
        rooms::Address,
        shared::Shared,
    },
};

const HEADER_WITHIN: Duration = Duration::from_secs(10); // a slow-loris client is let go
const BODY_WITHIN: Duration = Duration::from_secs(30); // far more than loopback needs for the largest body
const ACCEPT_PAUSE: Duration = Duration::from_millis(10); // out of file descriptors: let connections end

/// The twin behind a listener.
#[derive(Clone)]
pub(crate) struct Face {
    pub(crate) shared: Arc<Shared>,
    pub(crate) twin: Arc<str>,
    pub(crate) body_bytes_max: usize,
    /// The service itself, where it is recorded.
    pub(crate) upstream: Option<Url>,
}

impl Face {
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

/// Runs until the space closes.
pub(crate) async fn listen(listener: TcpListener, face: Face) {
    let closing = face.shared.closing.clone();
    loop {
        tokio::select! {
            () = closing.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if face.shared.refuses_connection(&face.twin) => {
                    // With no linger, closing sends RST instead of FIN.
                    stream.set_zero_linger().ok();
                }
                Ok((stream, _)) => {
                    face.shared.spawn(connection(stream, face.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, twin = %face.twin, "cannot accept");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn connection(stream: TcpStream, face: Face) {
    // Without it each streamed answer waits 44 ms for a delayed acknowledgement.
    stream.set_nodelay(true).ok();
    let closing = face.shared.closing.clone();
    let ending = Arc::new(Ending::default());
    let service = {
        let (ending, rooms) = (Arc::clone(&ending), face.shared.rooms.header());
        service_fn(move |request| {
            Box::pin(respond(face.clone(), rooms.clone(), Arc::clone(&ending), request)) as Responding
        })
    };
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_WITHIN)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // An error is the client's going away, or a body that was cut on purpose.
        _ = &mut connection => {}
        () = closing.cancelled() => {}
        () = ending.asked.notified() => {
            let ending = end(connection.into_parts().io.into_inner(), ending.take());
            tokio::select! { () = closing.cancelled() => {}, () = ending => {} }
        }
    }
}

/// How the connection shall end, once an answer asks for it.
#[derive(Default)]
struct Ending {
    how: Mutex<Option<End>>,
    asked: Notify,
}

impl Ending {
    /// Never comes back: the connection is dropped.
    async fn ask(&self, end: End) -> Result<Response<Outgoing>, Infallible> {
        *self.how.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        self.asked.notify_one();
        std::future::pending().await
    }

    fn take(&self) -> Option<End> {
        self.how.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

async fn end(mut stream: TcpStream, how: Option<End>) {
    match how {
        // With no linger, closing sends RST instead of FIN.
        None | Some(End::Reset) => {
            stream.set_zero_linger().ok();
        }
        Some(End::Bytes(bytes)) => {
            // A client that is gone already needs no end.
            stream.write_all(&bytes).await.ok();
            stream.shutdown().await.ok();
        }
    }
}

type Responding = Pin<Box<dyn Future<Output = Result<Response<Outgoing>, Infallible>> + Send>>;

async fn respond(
    face: Face,
    rooms: Option<HeaderName>,
    ending: Arc<Ending>,
    request: hyper::Request<Incoming>,
) -> Result<Response<Outgoing>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = if body.is_end_stream() {
        Ok(Bytes::new())
    } else {
        let Ok(read) = timeout(BODY_WITHIN, to_bytes(Outgoing::new(body), face.body_bytes_max)).await else {
            return ending.ask(End::Reset).await;
        };
        read
    };
    let (shared, mount_bytes) = match face.space_of(&parts, rooms.as_ref()) {
        Ok(found) => found,
        Err(error) => return Ok(refused(&error)),
    };
    let mut request = Request::new(&parts, mount_bytes, body.ok());
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
        (Transport::Hang, _) | (_, None) => return std::future::pending().await,
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
