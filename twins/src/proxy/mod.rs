//! A forward proxy for clients that have no option for a base URL: told to use it, they reach twins where they mean real
//! services. A host that no twin stands for is refused with the way out; nothing leaves the machine unless it is allowed
//! by name.
//!
//! Start at [`serve_proxy`]; `hosts` decides where a request goes, `tunnel` speaks with clients that want TLS.

mod hosts;
mod tunnel;

use std::sync::{Arc, atomic::Ordering};

use axum::body::Body as Outgoing;
use hyper::{
    Method, Request, Response,
    body::{Body as _, Incoming},
    service::service_fn,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::hosts::{Hosts, Way};
use crate::{
    Authority, Space, TwinError,
    engine::door::Door,
    http::{
        connection::converse,
        forward,
        server::{Broken, Face, answer_one},
    },
};

/// Which hosts the proxy knows.
pub struct ProxyOptions {
    /// A host (`api.stripe.com`, or `*.slack.com` for all below it) and the twin that stands for it.
    pub map: Vec<(String, String)>,
    /// Real hosts that may be reached through the proxy; what goes there is neither seen nor written down.
    pub allow: Vec<String>,
    /// Signs the certificates of mapped hosts.
    pub authority: Arc<Authority>,
    /// 0: any.
    pub port: u16,
}

/// Serves a proxy to the twins of `space`, which must be served already, on a loopback port until the space closes; gives
/// its URL.
///
/// # Errors
/// A twin that is not served, a host that is none, a port that is taken.
pub fn serve_proxy(space: &Space, options: ProxyOptions) -> Result<String, TwinError> {
    let face = |twin: &str| {
        if space.with_cell(twin, |cell| Ok(cell.twin.protocol().is_some()))? {
            let why = "its clients do not speak HTTP and know no proxy".to_owned();
            return Err(TwinError::Mapping { rule: twin.to_owned(), why });
        }
        Ok(Face { tls: Some(Arc::clone(&options.authority)), ..space.face(twin)? })
    };
    let hosts = Hosts::new(&options.map, &options.allow, face)?;
    let door = Door::at(options.port).map_err(TwinError::port_taken("proxy", options.port))?;
    let (port, shared) = (door.port, space.shared());
    shared.reached_over_tls.store(true, Ordering::Release);
    let proxy = Proxy { hosts: Arc::new(hosts), tasks: shared.tasks.clone(), closing: shared.closing.clone() };
    door.open(&shared.tasks, shared.closing.clone(), move |stream| {
        let (proxy, closing) = (proxy.clone(), proxy.closing.clone());
        let service = service_fn(move |request| Box::pin(serve(proxy.clone(), request)));
        Some(converse(stream, service, closing))
    });
    Ok(format!("http://127.0.0.1:{port}"))
}

#[derive(Clone)]
struct Proxy {
    hosts: Arc<Hosts>,
    tasks: TaskTracker,
    closing: CancellationToken,
}

async fn serve(proxy: Proxy, request: Request<Incoming>) -> Result<Response<Outgoing>, Broken> {
    let Some(authority) = request.uri().authority().cloned() else {
        return Ok(forward::refused(400, "this is a proxy: set HTTP_PROXY and HTTPS_PROXY to its address"));
    };
    let way = match proxy.hosts.way(authority.host()) {
        Ok(way) => way.clone(),
        Err(why) => return Ok(tunnel::named(forward::refused(502, &why), &why)),
    };
    if request.method() == Method::CONNECT {
        return Ok(tunnel::open(&proxy.tasks, way, &authority, request).await);
    }
    match way {
        Way::Twin(face) => answer_one(face, request).await,
        Way::Out => Ok(pass(authority.as_str(), request).await),
    }
}

/// To an allowed host, in the clear.
async fn pass(host: &str, request: Request<Incoming>) -> Response<Outgoing> {
    let (parts, body) = request.into_parts();
    let body = (!body.is_end_stream()).then(|| reqwest::Body::wrap_stream(Outgoing::new(body).into_data_stream()));
    match forward::ask(&format!("http://{host}"), &parts, body).await {
        Ok(answer) => {
            let mut response = Response::builder().status(answer.status());
            for (name, value) in forward::passing(answer.headers()) {
                response = response.header(name, value);
            }
            let body = Outgoing::from_stream(answer.bytes_stream());
            response.body(body).expect("status and headers are those of an answer")
        }
        Err(why) => forward::refused(502, &format!("cannot ask {host}: {why}")),
    }
}
