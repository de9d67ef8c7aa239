//! One exchange: a request, the redirects that it is allowed to follow, and the whole answer within its bounds.

use std::{sync::Arc, time::Instant};

use reqwest::{
    Method, StatusCode, Url, Version,
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue, LOCATION},
    tls::TlsInfo,
};

use super::{
    BODY_BYTES_MAX,
    client::{Clients, Connection, Protocol, Security, Watch},
    decode::decoded,
    file::HttpVersion,
    jar::CookieJar,
    payload::Payload,
    request::Request,
};
use crate::{
    expect::{Certificate, Mismatch, Redirect, Response},
    step::Halt,
    subject::root_cause,
};

const REDIRECT_BODY_BYTES_MAX: usize = 64 * 1024; // read on, so that the connection can be used again; then dropped

/// How far redirects are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Follow {
    pub(super) max: usize,
    /// Credentials go along to another origin.
    pub(super) trusted: bool,
}

/// What an exchange needs beside the request.
pub(super) struct Exchange<'a> {
    pub(super) clients: &'a Clients,
    pub(super) connection: Connection,
    pub(super) version: Option<HttpVersion>,
    pub(super) follow: Option<Follow>,
    pub(super) may_address: &'a (dyn Fn(&Url) -> bool + Sync),
    /// `None` where cookies are neither kept nor sent.
    pub(super) jar: Option<&'a mut CookieJar>,
}

/// What came back, whole.
pub(super) struct Answer {
    pub(super) response: Response,
    /// Decoded.
    pub(super) body: Vec<u8>,
}

/// What is known of an exchange, however it ends.
#[derive(Default)]
pub(super) struct Progress {
    /// The headers of the first request, as they were sent.
    pub(super) sent: HeaderMap,
    pub(super) redirects: Vec<Redirect>,
    pub(super) status: Option<u16>,
    pub(super) body_bytes: usize,
    pub(super) first_byte_ms: Option<f64>,
    pub(super) watch: Arc<Watch>,
}

/// Why there is no answer that could be looked at.
pub(super) enum Ended {
    Refused(Mismatch),
    Halt(Halt),
}

impl Ended {
    fn no_answer(observed: String) -> Self {
        Self::Refused(Mismatch::new("response", "one", observed))
    }
}

impl Exchange<'_> {
    pub(super) async fn run(mut self, mut request: Hop<'_>, progress: &mut Progress) -> Result<Answer, Ended> {
        let started = Instant::now();
        loop {
            let response = self.send(&request, started, progress).await?;
            if let Some(jar) = &mut self.jar {
                let lines = response.headers().get_all("set-cookie").iter().filter_map(|line| line.to_str().ok());
                jar.keep(lines, &request.url);
            }
            match self.follow.and_then(|follow| next(&response, &request).map(|next| (follow, next))) {
                None => return self.answer(response, request.url, started, progress).await,
                Some((follow, (location, method))) => {
                    let url = self.checked(follow, &location, &request, progress)?;
                    progress.redirects.push(Redirect {
                        method: request.method.to_string(),
                        url: request.url.to_string(),
                        status: response.status().as_u16(),
                        location: url.to_string(),
                    });
                    finish(response).await;
                    request.go(url, method, follow);
                }
            }
        }
    }

    async fn send(
        &self,
        request: &Hop<'_>,
        started: Instant,
        progress: &mut Progress,
    ) -> Result<reqwest::Response, Ended> {
        let security = if request.url.scheme() == "https" { Security::Tls } else { Security::Plain };
        let connection = Connection { security, ..self.connection.clone() };
        let client = self.clients.get(&connection).map_err(|reason| Ended::Halt(Halt::Infra(reason)))?;
        let mut headers = request.headers.clone();
        self.add_cookies(request, &mut headers);
        let mut builder = client.request(request.method.clone(), request.url.clone());
        if self.version == Some(HttpVersion::One) {
            builder = builder.version(Version::HTTP_10);
        }
        builder = request.payload.attach(builder, &mut headers).await.map_err(Ended::Halt)?;
        if progress.redirects.is_empty() {
            progress.sent = headers.clone();
        }
        let sent = Watch::over(&progress.watch, builder.headers(headers).send()).await;
        let response = sent.map_err(|error| Ended::no_answer(root_cause(&error)))?;
        progress.status = Some(response.status().as_u16());
        progress.first_byte_ms = Some(started.elapsed().as_secs_f64() * 1_000.0);
        Ok(response)
    }

    /// A cookie that the step gives hides one of the jar with its name.
    fn add_cookies(&self, request: &Hop<'_>, headers: &mut HeaderMap) {
        let kept = self.jar.as_ref().map_or_else(Vec::new, |jar| jar.cookies(&request.url));
        let is_given = |name: &str| request.cookies.iter().any(|(given, _)| given == name);
        let kept = kept.iter().filter(|(name, _)| !is_given(name));
        let mut all: Vec<String> =
            headers.get_all(COOKIE).iter().map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect();
        all.extend(request.cookies.iter().chain(kept).map(|(name, value)| format!("{name}={value}")));
        if let Ok(line) = HeaderValue::try_from(all.join("; "))
            && !line.is_empty()
        {
            headers.insert(COOKIE, line);
        }
    }

    /// Where a redirect leads, if it may be followed.
    fn checked(&self, follow: Follow, location: &str, request: &Hop<'_>, progress: &Progress) -> Result<Url, Ended> {
        if progress.redirects.len() == follow.max {
            let expected = format!("at most {}", follow.max);
            return Err(Ended::Refused(Mismatch::new("redirects", expected, format!("one more, to `{location}`"))));
        }
        let elsewhere = || {
            let expected = "one that stays on the subject and the listed origins";
            Ended::Refused(Mismatch::new("redirect", expected, format!("`{location}`")))
        };
        let url = request.url.join(location).map_err(|_| elsewhere())?;
        if (self.may_address)(&url) { Ok(url) } else { Err(elsewhere()) }
    }

    async fn answer(
        &self,
        mut response: reqwest::Response,
        url: Url,
        started: Instant,
        progress: &mut Progress,
    ) -> Result<Answer, Ended> {
        let status = response.status().as_u16();
        let headers = written(response.headers());
        let encodings = response.headers().get_all(CONTENT_ENCODING).iter().filter_map(|line| line.to_str().ok());
        let encodings = encodings.collect::<Vec<_>>().join(",");
        let info = response.extensions().get::<TlsInfo>();
        let certificate = info.and_then(TlsInfo::peer_certificate).and_then(Certificate::from_der);
        let (version, ip) =
            (version(response.version()), response.remote_addr().map(|address| address.ip().to_string()));
        let encoded = read(&mut response, progress).await.map_err(Ended::no_answer)?;
        let latency = started.elapsed();
        let (encoded, body) = if encodings.is_empty() {
            (None, encoded)
        } else {
            let refused = |reason| Ended::no_answer(format!("status {status} with {reason}"));
            let body = decoded_aside(encoded.clone(), encodings).await.map_err(refused)?;
            (Some(encoded), body)
        };
        let redirects = std::mem::take(&mut progress.redirects);
        let url = url.to_string();
        let response = Response { status, version, headers, url, ip, latency, redirects, certificate, encoded };
        Ok(Answer { response, body })
    }
}

/// A request at one place of its way.
pub(super) struct Hop<'a> {
    method: Method,
    url: Url,
    headers: HeaderMap,
    cookies: Vec<(String, String)>,
    payload: &'a Payload,
}

impl<'a> Hop<'a> {
    pub(super) fn first(request: &'a Request) -> Self {
        Self {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            cookies: request.cookies.clone(),
            payload: &request.body.payload,
        }
    }

    fn go(&mut self, url: Url, method: Method, follow: Follow) {
        // A method that changes loses its body; another origin gets no credentials.
        if method != self.method {
            self.payload = &Payload::None;
            for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING] {
                self.headers.remove(name);
            }
        }
        if url.origin() != self.url.origin() && !follow.trusted {
            self.headers.remove(AUTHORIZATION);
            self.headers.remove(COOKIE);
            self.cookies.clear();
        }
        (self.url, self.method) = (url, method);
    }
}

/// Where a redirect leads and by which method, as browsers and curl do it.
fn next(response: &reqwest::Response, request: &Hop<'_>) -> Option<(String, Method)> {
    let same = request.method.clone();
    let method = match response.status() {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND if same == Method::POST => Method::GET,
        StatusCode::SEE_OTHER if same != Method::HEAD => Method::GET,
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::SEE_OTHER
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => same,
        _ => return None,
    };
    let location = response.headers().get(LOCATION)?;
    Some((String::from_utf8_lossy(location.as_bytes()).into_owned(), method))
}

async fn finish(mut response: reqwest::Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > REDIRECT_BODY_BYTES_MAX {
            return;
        }
    }
}

async fn read(response: &mut reqwest::Response, progress: &mut Progress) -> Result<Vec<u8>, String> {
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| format!("a broken body: {}", root_cause(&error)))? {
        body.extend_from_slice(&chunk);
        progress.body_bytes = body.len();
        if body.len() > BODY_BYTES_MAX {
            return Err(format!("status {status} with a body of more than {BODY_BYTES_MAX} bytes"));
        }
    }
    Ok(body)
}

/// On a thread of its own: it can be work of a second, and on this one all trials and their time-outs would wait for it.
async fn decoded_aside(encoded: Vec<u8>, encodings: String) -> Result<Vec<u8>, String> {
    let decoding = tokio::task::spawn_blocking(move || decoded(encoded, &encodings, BODY_BYTES_MAX));
    // A panic there is one here, where the run contains it.
    decoding.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

fn written(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

impl HttpVersion {
    pub(super) fn protocol(version: Option<Self>) -> Protocol {
        match version {
            None => Protocol::Any,
            Some(Self::One | Self::OneOne) => Protocol::Http1,
            Some(Self::Two) => Protocol::Http2,
        }
    }
}
