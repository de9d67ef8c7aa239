//! A model's server on loopback that plays what a test says.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use agents::{Provider, RigService};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::StatusCode,
    response::Response,
};
use futures::{StreamExt, stream};
use serde_json::Value;

use super::wire::Turn;

/// What the server answers to one request.
pub(crate) enum Played {
    /// A whole reply, in the wire's stream format.
    Turn(Turn),
    /// A stream as it is.
    Stream(String),
    /// The first `bytes` of a reply, then the connection breaks.
    Cut(Turn, usize),
    Failure(StatusCode, Vec<(&'static str, String)>, Value),
    /// No answer at all.
    Silence,
}

type Player = dyn Fn(&Value, usize) -> Played + Send + Sync;

pub(crate) struct Server {
    pub(crate) base_url: String,
    /// The bodies of all requests.
    pub(crate) requests: Arc<Mutex<Vec<Value>>>,
}

struct Play {
    player: Box<Player>,
    render: fn(&Turn) -> String,
    requests: Arc<Mutex<Vec<Value>>>,
}

impl Server {
    /// `player` sees the request and how many came before it.
    pub(crate) async fn start(
        render: fn(&Turn) -> String,
        player: impl Fn(&Value, usize) -> Played + Send + Sync + 'static,
    ) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let play = Arc::new(Play { player: Box::new(player), render, requests: requests.clone() });
        let router = Router::new().fallback(answer).with_state(play);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base_url, requests }
    }

    /// Plays one turn after the other, by the number of assistant messages that the request holds.
    pub(crate) async fn script(turns: Vec<Turn>) -> Self {
        Self::start(super::wire::anthropic, move |request, _| {
            let messages = request["messages"].as_array().unwrap();
            let nth = messages.iter().filter(|message| message["role"] == "assistant").count();
            Played::Turn(turns.get(nth).cloned().unwrap_or_else(|| Turn::say("Nothing is left.")))
        })
        .await
    }

    pub(crate) fn anthropic(&self) -> Arc<RigService> {
        super::service(Provider::Anthropic, "claude-sonnet-4-6", &self.base_url)
    }

    pub(crate) fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }
}

async fn answer(State(play): State<Arc<Play>>, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap();
    let nth = {
        let mut requests = play.requests.lock().unwrap();
        requests.push(request.clone());
        requests.len() - 1
    };
    match (play.player)(&request, nth) {
        Played::Turn(turn) => streamed(Body::from((play.render)(&turn))),
        Played::Stream(text) => streamed(Body::from(text)),
        Played::Cut(turn, bytes) => {
            let text = (play.render)(&turn);
            let start = Bytes::from(text[..bytes.min(text.len())].to_owned());
            let cut = async {
                // A body that has nothing more for now is sent so far; without this the break would overtake it.
                tokio::task::yield_now().await;
                Err(std::io::Error::other("cut"))
            };
            streamed(Body::from_stream(stream::once(async { Ok(start) }).chain(stream::once(cut))))
        }
        Played::Failure(status, headers, body) => {
            let mut response = Response::builder().status(status).header("content-type", "application/json");
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body.to_string())).unwrap()
        }
        Played::Silence => streamed(Body::from_stream(stream::pending::<Result<Bytes, Infallible>>())),
    }
}

fn streamed(body: Body) -> Response {
    Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
}
