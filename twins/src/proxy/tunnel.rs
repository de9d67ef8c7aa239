//! CONNECT: the client thinks that it speaks with the host, and the twin answers in its name.

use std::time::Duration;

use axum::body::Body as Outgoing;
use hyper::{Request, Response, body::Incoming, ext::ReasonPhrase, http::uri::Authority};
use hyper_util::rt::TokioIo;
use tokio::{io::copy_bidirectional, net::TcpStream, time::timeout};
use tokio_util::task::TaskTracker;

use super::hosts::Way;
use crate::http::{
    forward,
    server::{Face, greet},
};

const SPEAKS_WITHIN: Duration = Duration::from_secs(10); // a client that opens a tunnel has something to say
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
const TLS_HANDSHAKE: u8 = 0x16; // the first byte of a ClientHello

/// Agrees, and goes on behind the agreement.
pub(super) async fn open(
    tasks: &TaskTracker,
    way: Way,
    to: &Authority,
    request: Request<Incoming>,
) -> Response<Outgoing> {
    match way {
        Way::Twin(face) => {
            let host = to.host().to_owned();
            let closing = face.shared.closing.clone();
            tasks.spawn(async move {
                tokio::select! {
                    () = with_twin(face, &host, request) => {}
                    () = closing.cancelled() => {}
                }
            });
        }
        Way::Out => {
            let address = format!("{}:{}", to.host(), to.port_u16().unwrap_or(443));
            let reached = timeout(CONNECT_WITHIN, TcpStream::connect(&address)).await;
            let Ok(Ok(mut there)) = reached else {
                return named(forward::refused(502, &format!("cannot reach {address}")), "Cannot Reach Host");
            };
            tasks.spawn(async move {
                if let Some(mut here) = bare(request).await {
                    // Either side's end is the end.
                    copy_bidirectional(&mut here, &mut there).await.ok();
                }
            });
        }
    }
    Response::new(Outgoing::empty())
}

async fn with_twin(face: Face, host: &str, request: Request<Incoming>) {
    let Some(stream) = bare(request).await else { return };
    let Some(stream) = face.let_in(stream) else { return };
    let mut first = [0];
    match timeout(SPEAKS_WITHIN, stream.peek(&mut first)).await {
        Ok(Ok(1)) if first[0] == TLS_HANDSHAKE => greet(stream, host, face).await,
        Ok(Ok(1)) => greet(stream, host, Face { tls: None, ..face }).await,
        _ => {}
    }
}

/// The connection itself. None where the client went away, or did not wait for the answer.
async fn bare(request: Request<Incoming>) -> Option<TcpStream> {
    let upgraded = hyper::upgrade::on(request).await.ok()?;
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    parts.read_buf.is_empty().then(|| parts.io.into_inner())
}

/// Clients show the reason and not the body of a refused tunnel.
pub(super) fn named(mut response: Response<Outgoing>, reason: &str) -> Response<Outgoing> {
    if let Ok(reason) = ReasonPhrase::try_from(reason.as_bytes()) {
        response.extensions_mut().insert(reason);
    }
    response
}
