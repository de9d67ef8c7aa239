//! Passes a request on to the service that a twin stands for. Only a twin that records does so.

use std::{sync::LazyLock, time::Duration};

use reqwest::{Client, Method};
use url::Url;

use super::{Body, Reply, Request};

const ANSWER_WITHIN: Duration = Duration::from_secs(600); // a model may think for minutes
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024; // as much as the largest request of a twin

/// About one connection, not about the exchange.
pub(super) const HOP_BY_HOP: [&str; 10] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "date",
    "host",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// The whole answer of the service at `base`, or in words why there is none.
pub(super) async fn ask(base: &Url, request: &Request) -> Result<Reply, String> {
    let query = if request.raw_query.is_empty() { String::new() } else { format!("?{}", request.raw_query) };
    let url = format!("{}{}{query}", base.as_str().trim_end_matches('/'), request.path);
    let method = Method::from_bytes(request.method.as_bytes()).map_err(|error| error.to_string())?;
    let mut asking = CLIENT.request(method, url).body(request.body.clone());
    for (name, value) in request.headers.iter().filter(|(name, _)| !HOP_BY_HOP.contains(name)) {
        asking = asking.header(name, value);
    }
    let mut answer = asking.send().await.map_err(|error| words(&error))?;
    let mut reply = Reply::empty(answer.status().as_u16());
    for (name, value) in answer.headers() {
        if let (false, Ok(value)) = (HOP_BY_HOP.contains(&name.as_str()), value.to_str()) {
            reply.set(name.as_str().to_owned(), value);
        }
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| words(&error))? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(format!("the answer has more than {ANSWER_BYTES_MAX} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    reply.body = Body::Bytes(body.into());
    reply.split_events();
    Ok(reply)
}

/// The error with its causes, which is where the reason stands.
pub(super) fn words(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    rustls::crypto::ring::default_provider().install_default().ok();
    let settings = || Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(ANSWER_WITHIN);
    let without_authorities = || settings().tls_certs_only([]).build();
    settings().build().or_else(|_| without_authorities()).expect("nothing else in the settings can fail")
});
