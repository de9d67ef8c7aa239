//! Passes a request on as it comes and hands back the answer while it still comes. For proxies only: a twin never does.

use std::{sync::LazyLock, time::Duration};

use axum::body::Body as Outgoing;
use hyper::{
    HeaderMap, Response,
    header::{HeaderName, HeaderValue},
    http::request::Parts,
};
use reqwest::{Body, Client};

use super::{
    Reply,
    server::whole,
    upstream::{HOP_BY_HOP, words},
};

const CONNECT_WITHIN: Duration = Duration::from_secs(30);
const SILENT_AT_MOST: Duration = Duration::from_secs(600); // a model may think for minutes

/// Asks what stands at `base` for the path and query of the request.
///
/// # Errors
/// In words: nobody answers.
pub(crate) async fn ask(base: &str, parts: &Parts, body: Option<Body>) -> Result<reqwest::Response, String> {
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut asking = CLIENT.request(parts.method.clone(), format!("{base}{target}"));
    for (name, value) in passing(&parts.headers) {
        asking = asking.header(name, value);
    }
    if let Some(body) = body {
        // A service that wants the length gets the one that the client has said.
        if let Some(length) = parts.headers.get(hyper::header::CONTENT_LENGTH) {
            asking = asking.header(hyper::header::CONTENT_LENGTH, length);
        }
        asking = asking.body(body);
    }
    asking.send().await.map_err(|error| words(&error))
}

/// The headers that are about the exchange, not about one connection.
pub(crate) fn passing(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    headers.iter().filter(|(name, _)| {
        let name = name.as_str();
        // How a body is packed, and when it was made, is the service's to say.
        matches!(name, "accept-encoding" | "content-encoding" | "date")
            || !HOP_BY_HOP.contains(&name) && !name.starts_with("proxy-")
    })
}

/// The proxy's own refusal.
pub(crate) fn refused(status: u16, why: &str) -> Response<Outgoing> {
    whole(&Reply::bytes(status, "text/plain; charset=utf-8", format!("{why}\n")))
}

/// Gives bodies as they come, packed or not.
static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    rustls::crypto::ring::default_provider().install_default().ok();
    let settings = || {
        Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_gzip()
            .connect_timeout(CONNECT_WITHIN)
            .read_timeout(SILENT_AT_MOST)
    };
    let without_authorities = || settings().tls_certs_only([]).build();
    settings().build().or_else(|_| without_authorities()).expect("nothing else in the settings can fail")
});
