//! HTTP/1.1 on one connection: what everything that speaks it has in common, and how it ends.

use std::{error::Error, pin::pin, time::Duration};

use axum::body::Body as Outgoing;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::Service};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

const HEADER_WITHIN: Duration = Duration::from_secs(10); // a slow-loris client is let go
const GRACE: Duration = Duration::from_millis(500); // for an answer that is under way when everything ends

pub(super) fn http1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_WITHIN);
    builder
}

/// Until the client leaves; behind `closing`, only as long as an answer is under way.
pub(crate) async fn converse<S>(stream: TcpStream, service: S, closing: CancellationToken)
where
    S: Service<Request<Incoming>, Response = Response<Outgoing>> + Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: Send + 'static,
{
    let mut connection = pin!(http1().serve_connection(TokioIo::new(stream), service).with_upgrades());
    tokio::select! {
        // An error is one side's going away.
        _ = connection.as_mut() => return,
        () = closing.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    timeout(GRACE, connection).await.ok();
}

/// The moment in which nothing may be under way any more.
pub(super) async fn overdue(closing: CancellationToken) {
    closing.cancelled().await;
    sleep(GRACE).await;
}
