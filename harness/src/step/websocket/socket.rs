//! One WebSocket to the subject: the handshake, messages as JSON, pings, and how it was closed.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures::{SinkExt as _, StreamExt as _};
use reqwest::Url;
use serde_json::{Map, Value as Json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Bytes, Error, Message,
        client::IntoClientRequest as _,
        http::{HeaderMap, HeaderName, HeaderValue},
        protocol::{CloseFrame, WebSocketConfig},
    },
};

use super::super::{
    stream::{BYTES_MAX, MESSAGES_MAX, Source, with_json},
    tls,
};
use crate::{expect::Response, subject::root_cause};

const CLOSE_GRACE: Duration = Duration::from_secs(1); // for the other side's farewell
/// As RFC 6455 names the absence of a code, and of a farewell.
const NO_CODE: u16 = 1005;
pub(super) const NO_FAREWELL: (u16, &str) = (1006, "");

trait Pipe: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Pipe for T {}

/// An open connection; what has arrived and was not taken yet stays in it.
pub(crate) struct Socket {
    stream: WebSocketStream<Box<dyn Pipe>>,
    ready: VecDeque<Json>,
    pongs: VecDeque<Bytes>,
    /// How the other side said farewell.
    farewell: Option<(u16, String)>,
    pub(super) head: Response,
    pub(super) subprotocol: Option<String>,
}

/// Why there is no connection.
pub(super) enum Refusal {
    /// The subject answered with something else than 101.
    Answer {
        head: Box<Response>,
        body: String,
    },
    Broken(String),
}

impl Socket {
    pub(super) async fn open(url: &Url, headers: &[(String, String)]) -> Result<Self, Refusal> {
        let broken = |reason: String| Refusal::Broken(reason);
        let request = request(url, headers).map_err(broken)?;
        let pipe = connect(url).await.map_err(broken)?;
        let config = WebSocketConfig::default().max_message_size(Some(BYTES_MAX)).max_frame_size(Some(BYTES_MAX));
        match client_async_with_config(request, pipe, Some(config)).await {
            Ok((stream, answer)) => {
                let head = head(url, answer.status().as_u16(), answer.headers());
                Ok(Self::new(stream, head))
            }
            Err(Error::Http(answer)) => {
                let (parts, body) = answer.into_parts();
                let body = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
                Err(Refusal::Answer { head: Box::new(head(url, parts.status.as_u16(), &parts.headers)), body })
            }
            Err(error) => Err(Refusal::Broken(root_cause(&error))),
        }
    }

    fn new(stream: WebSocketStream<Box<dyn Pipe>>, head: Response) -> Self {
        let subprotocol = head.header("sec-websocket-protocol").next().map(str::to_owned);
        Self { stream, ready: VecDeque::new(), pongs: VecDeque::new(), farewell: None, head, subprotocol }
    }

    pub(super) async fn send(&mut self, message: Message) -> Result<(), String> {
        self.stream.send(message).await.map_err(|error| root_cause(&error))
    }

    /// Waits for the answer to a ping. What else comes meanwhile is kept.
    pub(super) async fn pong(&mut self, payload: &[u8]) -> Result<(), String> {
        let size = |message: &Json| message["data"].as_str().map_or(0, str::len);
        let mut bytes: usize = self.ready.iter().map(size).sum();
        loop {
            if self.pongs.drain(..).any(|pong| pong == payload) {
                return Ok(());
            }
            let message = self.receive().await?.ok_or("the connection was closed")?;
            bytes += message.as_ref().map_or(0, size);
            self.ready.extend(message);
            if self.ready.len() > MESSAGES_MAX || bytes > BYTES_MAX {
                return Err(format!("a flood before it: more than {MESSAGES_MAX} messages or {BYTES_MAX} bytes"));
            }
        }
    }

    /// Says farewell, unless the other side has, and waits a little for its answer.
    pub(super) async fn close(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: code.into(), reason: reason.to_owned().into() };
        let farewell = async {
            if self.farewell.is_none() {
                self.stream.close(Some(frame)).await.ok();
            }
            while let Ok(Some(_)) = self.receive().await {}
        };
        timeout(CLOSE_GRACE, farewell).await.ok();
    }

    /// The other side's code and reason.
    pub(super) fn closed_with(&self) -> (u16, &str) {
        self.farewell.as_ref().map_or(NO_FAREWELL, |(code, reason)| (*code, reason.as_str()))
    }

    /// `Ok(None)` is the end; `Ok(Some(None))` was a frame of the protocol itself.
    async fn receive(&mut self) -> Result<Option<Option<Json>>, String> {
        let message = match self.stream.next().await {
            None | Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) => return Ok(None),
            Some(Err(error)) => return Err(root_cause(&error)),
            Some(Ok(message)) => message,
        };
        Ok(Some(match message {
            Message::Text(text) => Some(with_json(kind("text"), &text)),
            Message::Binary(bytes) => {
                let mut message = kind("binary");
                message.insert("data".to_owned(), BASE64_STANDARD.encode(&bytes).into());
                Some(Json::Object(message))
            }
            Message::Pong(payload) => {
                self.pongs.push_back(payload);
                None
            }
            Message::Close(frame) => {
                let named = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                self.farewell = Some(named.unwrap_or((NO_CODE, String::new())));
                None
            }
            // Pings are answered by the library.
            Message::Ping(_) | Message::Frame(_) => None,
        }))
    }
}

#[async_trait]
impl Source for Socket {
    async fn next(&mut self) -> Result<Option<Json>, String> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(Some(message));
            }
            match self.receive().await? {
                None => return Ok(None),
                Some(message) => self.ready.extend(message),
            }
            if self.pongs.len() > 1 {
                // Nobody waits for them here.
                self.pongs.clear();
            }
        }
    }
}

fn kind(name: &str) -> Map<String, Json> {
    Map::from_iter([("kind".to_owned(), name.into())])
}

fn head(url: &Url, status: u16, headers: &HeaderMap) -> Response {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    Response { status, headers, url: url.to_string(), ..Response::default() }
}

type Request = tokio_tungstenite::tungstenite::handshake::client::Request;

fn request(url: &Url, headers: &[(String, String)]) -> Result<Request, String> {
    let mut request = url.as_str().into_client_request().map_err(|error| root_cause(&error))?;
    for (name, value) in headers {
        let name: HeaderName = name.parse().map_err(|_| format!("`{name}` is no name of a header"))?;
        let value: HeaderValue = value.parse().map_err(|_| format!("`{value}` is no value of a header"))?;
        request.headers_mut().append(name, value);
    }
    Ok(request)
}

async fn connect(url: &Url) -> Result<Box<dyn Pipe>, String> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|error| error.to_string())?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    if url.scheme() != "wss" {
        return Ok(Box::new(stream));
    }
    let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
    let connector = TlsConnector::from(Arc::clone(&tls::client_config()?));
    let stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
    Ok(Box::new(stream))
}
