//! HTTP clients: one for each way of connecting, made when it is first needed, and shared by all trials.

use std::{
    collections::HashMap,
    future::Future,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use reqwest::{Certificate, Client, ClientBuilder, Identity, Proxy, dns, redirect};
use serde_json::{Map, Value as Json};
use tower::{Layer, Service};

const CLIENTS_MAX: usize = 64; // far more ways than a suite has; templates in options could make many
const IDLE: Duration = Duration::from_secs(5); // longer than a story pauses, shorter than ports return
/// A subject shall not be able to tell that it is tested.
pub(crate) const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64)";

/// A way of connecting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Connection {
    pub(super) security: Security,
    pub(super) protocol: Protocol,
    pub(super) insecure: bool,
    pub(super) ca: Option<PathBuf>,
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) proxy: Option<String>,
    pub(super) resolve: Vec<(String, SocketAddr)>,
    pub(super) unix_socket: Option<PathBuf>,
    pub(super) timeout: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Security {
    /// Needs no certificates on this machine.
    #[default]
    Plain,
    Tls,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Protocol {
    #[default]
    Any,
    Http1,
    Http2,
}

/// All clients of a run.
pub(crate) struct Clients {
    plain: Client,
    made: Mutex<HashMap<Connection, Client>>,
}

impl Clients {
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        // Nothing is verified over plain http, so nothing is loaded to verify with.
        let plain = settings().tls_certs_only([]).build()?;
        Ok(Self { plain, made: Mutex::default() })
    }

    /// For plain http, without any option.
    pub(crate) fn plain(&self) -> &Client {
        &self.plain
    }

    /// For an address without any option.
    ///
    /// `Err` says why there can be no TLS.
    pub(crate) fn of(&self, url: &reqwest::Url) -> Result<Client, String> {
        let security = if url.scheme() == "https" { Security::Tls } else { Security::Plain };
        self.get(&Connection { security, ..Connection::default() })
    }

    /// `Err` says what of the options cannot be used.
    pub(super) fn get(&self, connection: &Connection) -> Result<Client, String> {
        if *connection == Connection::default() {
            return Ok(self.plain.clone());
        }
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = made.get(connection) {
            return Ok(client.clone());
        }
        if made.len() == CLIENTS_MAX {
            made.clear();
        }
        let client = connection.client()?;
        made.insert(connection.clone(), client.clone());
        Ok(client)
    }
}

fn settings() -> ClientBuilder {
    Client::builder()
        .no_proxy()
        .no_gzip() // bodies are decoded here, within a bound
        .redirect(redirect::Policy::none())
        .tcp_nodelay(true)
        .pool_idle_timeout(IDLE)
        .user_agent(USER_AGENT)
        .dns_resolver(Arc::new(TimedResolver))
        .connector_layer(TimedConnector)
}

impl Connection {
    /// What is not as usual, so that the request can be made again by hand.
    pub(super) fn evidence(&self) -> Map<String, Json> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| Json::from(path.display().to_string()));
        let resolve: Vec<_> =
            self.resolve.iter().map(|(host, address)| format!("{host}:{}:{}", address.port(), address.ip())).collect();
        let all = [
            ("insecure", self.insecure.then_some(Json::Bool(true))),
            ("ca", path(&self.ca)),
            ("cert", path(&self.cert)),
            ("key", path(&self.key)),
            ("proxy", self.proxy.clone().map(Json::from)),
            ("resolve", (!resolve.is_empty()).then(|| resolve.into())),
            ("unix_socket", path(&self.unix_socket)),
        ];
        all.into_iter().filter_map(|(name, value)| value.map(|value| (name.to_owned(), value))).collect()
    }

    fn client(&self) -> Result<Client, String> {
        let mut builder = settings().tls_info(self.security == Security::Tls);
        builder = match (self.security, &self.ca) {
            (Security::Plain, _) => builder.tls_certs_only([]),
            (Security::Tls, None) if self.insecure => builder.tls_certs_only([]),
            (Security::Tls, None) => builder,
            (Security::Tls, Some(ca)) => {
                let bundle = Certificate::from_pem_bundle(&read(ca)?);
                builder.tls_certs_only(bundle.map_err(|error| refused("tls.ca", ca, &error))?)
            }
        };
        builder = builder.tls_danger_accept_invalid_certs(self.insecure);
        if let Some(cert) = &self.cert {
            let mut pem = read(cert)?;
            if let Some(key) = &self.key {
                pem.push(b'\n');
                pem.extend(read(key)?);
            }
            builder = builder.identity(Identity::from_pem(&pem).map_err(|error| refused("tls.cert", cert, &error))?);
        }
        builder = match self.protocol {
            Protocol::Any => builder,
            Protocol::Http1 => builder.http1_only(),
            Protocol::Http2 => builder.http2_prior_knowledge(),
        };
        if let Some(proxy) = &self.proxy {
            let parsed = Proxy::all(proxy).map_err(|error| format!("`{proxy}` is no proxy: {error}"))?;
            builder = builder.proxy(parsed);
        }
        for (host, address) in &self.resolve {
            builder = builder.resolve(host, *address);
        }
        if let Some(path) = &self.unix_socket {
            builder = builder.unix_socket(path.clone());
        }
        if let Some(timeout) = self.timeout {
            builder = builder.connect_timeout(timeout);
        }
        builder.build().map_err(|error| {
            let cause = crate::subject::root_cause(&error);
            let way_out = "install `ca-certificates`, set SSL_CERT_FILE, or give the step `tls: {ca: …}`";
            format!("cannot make a client for https: {cause}; {way_out}")
        })
    }
}

fn read(path: &std::path::Path) -> Result<Vec<u8>, String> {
    crate::named_file::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn refused(option: &str, path: &std::path::Path, error: &reqwest::Error) -> String {
    format!("`{option}`: {} is refused: {}", path.display(), crate::subject::root_cause(error))
}

/// How long the parts of connecting took, in microseconds; 0 where there was no such part.
#[derive(Debug, Default)]
pub(super) struct Watch {
    dns_us: AtomicU64,
    connect_us: AtomicU64,
}

tokio::task_local! {
    // Connecting happens in the task of the request that waits for it, so that is where its time is noted.
    static WATCH: Arc<Watch>;
}

impl Watch {
    pub(super) async fn over<F: Future>(watch: &Arc<Self>, request: F) -> F::Output {
        WATCH.scope(Arc::clone(watch), request).await
    }

    pub(super) fn dns_ms(&self) -> Option<f64> {
        milliseconds(&self.dns_us)
    }

    /// Names, TCP and TLS; `None` where a connection was used again.
    pub(super) fn connect_ms(&self) -> Option<f64> {
        milliseconds(&self.connect_us)
    }

    fn note(part: fn(&Self) -> &AtomicU64, started: Instant) {
        let elapsed = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
        // Outside of a request nobody asks.
        WATCH.try_with(|watch| part(watch).store(elapsed, Ordering::Relaxed)).ok();
    }
}

fn milliseconds(part: &AtomicU64) -> Option<f64> {
    Some(part.load(Ordering::Relaxed)).filter(|us| *us > 0).map(|us| us as f64 / 1_000.0)
}

struct TimedResolver;

impl dns::Resolve for TimedResolver {
    fn resolve(&self, name: dns::Name) -> dns::Resolving {
        Box::pin(async move {
            let started = Instant::now();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Watch::note(|watch| &watch.dns_us, started);
            Ok(Box::new(found.into_iter()) as dns::Addrs)
        })
    }
}

#[derive(Clone)]
struct TimedConnector;

impl<S> Layer<S> for TimedConnector {
    type Service = Timed<S>;

    fn layer(&self, inner: S) -> Timed<S> {
        Timed(inner)
    }
}

#[derive(Clone)]
struct Timed<S>(S);

impl<S, R> Service<R> for Timed<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let connecting = self.0.call(request);
        Box::pin(async move {
            let started = Instant::now();
            let connected = connecting.await;
            Watch::note(|watch| &watch.connect_us, started);
            connected
        })
    }
}
