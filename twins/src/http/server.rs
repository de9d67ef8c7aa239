//! One listener of one twin: accepts, decodes, asks the space what to answer, and sends it as planned — whole, late,
//! broken or never.

use std::{convert::Infallible, pin::Pin, sync::Arc, time::Duration};

use axum::body::{Body as Outgoing, Bytes, to_bytes};
use futures::{StreamExt, stream};
use hyper::{Response, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::{sleep, timeout},
};

use super::{Body, Reply, Request};
use crate::engine::{
    core::{Exchange, Transport},
    space::Shared,
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
}

/// Runs until the space closes.
pub(crate) async fn listen(listener: TcpListener, face: Face) {
    let closing = face.shared.closing.clone();
    loop {
        tokio::select! {
            () = closing.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    face.shared.tasks.spawn(connection(stream, face.clone()));
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
    let reset = Arc::new(Notify::new());
    let service = {
        let reset = Arc::clone(&reset);
        service_fn(move |request| Box::pin(respond(face.clone(), Arc::clone(&reset), request)) as Responding)
    };
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_WITHIN)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // An error is the client's going away, or a body that was cut on purpose.
        _ = &mut connection => {}
        () = closing.cancelled() => {}
        () = reset.notified() => {
            // With no linger, closing sends RST instead of FIN.
            connection.into_parts().io.into_inner().set_zero_linger().ok();
        }
    }
}

type Responding = Pin<Box<dyn Future<Output = Result<Response<Outgoing>, Infallible>> + Send>>;

async fn respond(
    face: Face,
    reset: Arc<Notify>,
    request: hyper::Request<Incoming>,
) -> Result<Response<Outgoing>, Infallible> {
    let (parts, body) = request.into_parts();
    let Ok(body) = timeout(BODY_WITHIN, to_bytes(Outgoing::new(body), face.body_bytes_max)).await else {
        return never(Some(&reset)).await;
    };
    let exchange = face.shared.exchange(&face.twin, Request::new(&parts, body.ok()));
    let Exchange { reply, transport, ticket } = exchange;
    let response = match (transport, reply) {
        (Transport::Reset, _) => return never(Some(&reset)).await,
        (Transport::Hang, _) | (_, None) => return never(None).await,
        (Transport::Whole, Some(reply)) => whole(reply),
        (Transport::After(delay), Some(reply)) => {
            sleep(delay).await;
            whole(reply)
        }
        (Transport::Garbled, Some(reply)) => garbled(reply),
        (Transport::Cut, Some(reply)) => cut(&reply),
    };
    drop(ticket); // from here on the idempotency key is free for a replay
    Ok(response)
}

/// Stays until the client gives up or the space closes; with `reset`, the connection is torn down at once.
async fn never(reset: Option<&Notify>) -> Result<Response<Outgoing>, Infallible> {
    if let Some(reset) = reset {
        reset.notify_one();
    }
    std::future::pending().await
}

fn whole(reply: Reply) -> Response<Outgoing> {
    let body = match &reply.body {
        Body::Empty => Outgoing::empty(),
        Body::Json(bytes) | Body::Bytes(bytes) => Outgoing::from(bytes.clone()),
        Body::Events(frames) => Outgoing::from_stream(stream::iter(frames.clone()).map(Ok::<_, Infallible>)),
    };
    with_head(&reply, body)
}

/// Half of the JSON under a correct length: it arrives well and does not parse.
fn garbled(mut reply: Reply) -> Response<Outgoing> {
    let bytes = reply.body.bytes();
    reply.body = Body::Json(bytes.slice(..bytes.len() / 2));
    whole(reply)
}

/// Announces the whole body and closes the connection after half of it.
fn cut(reply: &Reply) -> Response<Outgoing> {
    let sent: Vec<Bytes> = match &reply.body {
        Body::Events(frames) => frames[..frames.len() / 2].to_vec(),
        body @ (Body::Empty | Body::Json(_) | Body::Bytes(_)) => {
            let bytes = body.bytes();
            vec![bytes.slice(..bytes.len() / 2)]
        }
    };
    let broken = stream::once(async {
        // The first half must leave before the error closes the connection, or nothing would arrive at all.
        tokio::task::yield_now().await;
        Err::<Bytes, _>(std::io::Error::other("cut on purpose"))
    });
    let mut response = with_head(reply, Outgoing::from_stream(stream::iter(sent).map(Ok).chain(broken)));
    if !matches!(reply.body, Body::Events(_)) {
        response.headers_mut().insert(header::CONTENT_LENGTH, reply.body.bytes().len().into());
    }
    response
}

fn with_head(reply: &Reply, body: Outgoing) -> Response<Outgoing> {
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(&**name, value);
    }
    response.body(body).expect("twins write visible ASCII into headers and statuses from 200 to 599")
}
