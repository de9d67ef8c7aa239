//! What the app is sent: signed events that come again, interactions, slash commands.

use std::sync::Arc;

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{net::TcpListener, sync::Mutex};

use super::Workspace;
use crate::support::{answer, client, until};

const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

/// An app that keeps what it gets. It refuses the first delivery, and echoes challenges.
#[derive(Clone, Default)]
struct App {
    got: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    is_rude: bool,
}

impl App {
    async fn listen(self) -> String {
        let routes = Router::new().route("/slack", post(Self::receive)).with_state(self);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        format!("http://{address}/slack")
    }

    async fn receive(State(app): State<Self>, headers: HeaderMap, body: Bytes) -> (axum::http::StatusCode, String) {
        let text = String::from_utf8(body.to_vec()).unwrap();
        let challenge =
            serde_json::from_str::<Value>(&text).ok().and_then(|body| body["challenge"].as_str().map(str::to_owned));
        let mut got = app.got.lock().await;
        got.push((headers, text));
        let refuses = app.is_rude && got.len() == 1;
        (if refuses { 500 } else { 200 }.try_into().unwrap(), challenge.unwrap_or_default())
    }

    /// The first `count` deliveries.
    async fn first(&self, count: usize) -> Vec<(HeaderMap, String)> {
        until("the app got its deliveries", || async {
            let got = self.got.lock().await;
            (got.len() >= count).then(|| got.clone())
        })
        .await
    }
}

fn is_signed(headers: &HeaderMap, body: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("v0:{}:{body}", text("x-slack-request-timestamp")).as_bytes());
    text("x-slack-signature") == format!("v0={}", hex::encode(mac.finalize().into_bytes()))
}

/// The JSON in the form field `payload`.
fn payload(body: &str) -> Value {
    let field = url::form_urlencoded::parse(body.as_bytes()).find(|(name, _)| name == "payload").unwrap().1;
    serde_json::from_str(&field).unwrap()
}

async fn workspace(app: &App) -> Workspace {
    let to = app.clone().listen().await;
    let receiver = json!({"to": to, "secret": SECRET});
    Workspace::open(json!({"webhooks": [receiver], "interactions": receiver, "commands": receiver}))
}

#[tokio::test]
async fn events_are_signed_and_come_again_with_the_reason() {
    let app = App { is_rude: true, ..App::default() };
    let work = workspace(&app).await;
    work.act(json!({"post_message": {"user": "ann", "channel": "general", "text": "hello <@U0TWINBOT1>"}}));
    let got = app.first(3).await;
    assert!(got.iter().all(|(headers, body)| is_signed(headers, body)));
    let bodies: Vec<Value> = got.iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect();
    let again = got.iter().position(|(headers, _)| headers.contains_key("x-slack-retry-num")).unwrap();
    assert_eq!(
        (&got[again].0["x-slack-retry-num"], &got[again].0["x-slack-retry-reason"]),
        (&"1".parse().unwrap(), &"http_error".parse().unwrap())
    );
    assert_eq!(bodies[again]["event_id"], bodies[0]["event_id"]);
    let kinds: std::collections::BTreeSet<_> = bodies.iter().map(|body| body["event"]["type"].to_string()).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), [r#""app_mention""#, r#""message""#]);
    assert_eq!(bodies[0]["type"], "event_callback");
    assert_eq!(bodies[0]["event"]["user"], "U0TWIN0001");
}

#[tokio::test]
async fn an_address_for_events_must_echo_the_challenge() {
    let app = App::default();
    let work = workspace(&app).await;
    let challenge = work.act(json!("verify_url"))["challenge"].clone();
    let (headers, body) = app.first(1).await.remove(0);
    assert!(is_signed(&headers, &body));
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["challenge"], challenge);
    work.space.settle().await.unwrap();
    assert_eq!(work.space.state("slack").unwrap()["webhooks"]["attempts"][0]["outcome"], "200");
}

#[tokio::test]
async fn an_answer_without_the_challenge_is_none() {
    let routes = Router::new().route("/slack", post(|| async { "fine" }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = format!("http://{}/slack", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let work = Workspace::open(json!({"webhooks": [{"to": to, "secret": SECRET}]}));
    work.act(json!("verify_url"));
    let outcome = until("an attempt is booked", || async {
        work.space.state("slack").unwrap()["webhooks"]["attempts"].as_array().unwrap().first().cloned()
    });
    assert_eq!(outcome.await["outcome"], "the challenge did not come back");
}

#[tokio::test]
async fn a_command_is_answered_at_its_address() {
    let app = App::default();
    let work = workspace(&app).await;
    work.general().await;
    work.act(json!({"slash_command": {"user": "ann", "channel": "general", "command": "/deploy", "text": "now"}}));
    let (headers, body) = app.first(1).await.remove(0);
    assert!(is_signed(&headers, &body));
    let fields: std::collections::BTreeMap<_, _> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    assert_eq!(
        (fields["command"].as_str(), fields["text"].as_str(), fields["user_name"].as_str()),
        ("/deploy", "now", "ann")
    );
    let reply = client().post(&fields["response_url"]).json(&json!({"response_type": "in_channel", "text": "done"}));
    assert_eq!(reply.send().await.unwrap().text().await.unwrap(), "ok");
    assert_eq!(work.space.state("slack").unwrap()["messages"][0]["text"], "done");
}

#[tokio::test]
async fn a_click_opens_a_view_and_its_submission_is_told() {
    let app = App::default();
    let work = workspace(&app).await;
    let button =
        json!({"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}, "value": "7"});
    let blocks = json!([{"type": "actions", "block_id": "b", "elements": [button]}]);
    let posted = work.call("chat.postMessage", json!({"channel": "general", "text": "?", "blocks": blocks})).await;
    work.act(json!({"click_button": {"user": "ann", "channel": "general", "ts": posted["ts"], "action_id": "go"}}));
    let find = |kind: &'static str| {
        let app = &app;
        async move {
            until(kind, || async {
                let got = app.got.lock().await;
                let payloads =
                    got.iter().filter(|(_, body)| body.starts_with("payload=")).map(|(_, body)| payload(body));
                payloads.into_iter().find(|payload| payload["type"] == kind)
            })
            .await
        }
    };
    let click = find("block_actions").await;
    assert_eq!((&click["actions"][0]["value"], &click["user"]["username"]), (&json!("7"), &json!("ann")));
    let view =
        json!({"type": "modal", "callback_id": "why", "title": {"type": "plain_text", "text": "Why"}, "blocks": []});
    let opened = work.call("views.open", json!({"trigger_id": click["trigger_id"], "view": view})).await;
    assert_eq!(opened["ok"], true, "{opened}");
    work.act(json!({"submit_view": {"user": "ann", "view": "why", "values": {"b": {"a": {"value": "so"}}}}}));
    let submitted = find("view_submission").await;
    assert_eq!(submitted["view"]["state"]["values"]["b"]["a"]["value"], "so");
}

#[tokio::test]
async fn a_trigger_is_good_for_three_seconds() {
    let work = workspace(&App::default()).await;
    let trigger = work.act(json!({"use_shortcut": {"user": "ann", "callback_id": "c"}}))["trigger_id"].clone();
    work.space.advance_to(work.space.now() + jiff::SignedDuration::from_secs(4)).unwrap();
    let view = json!({"type": "modal", "title": {"type": "plain_text", "text": "T"}, "blocks": []});
    let late = work.call("views.open", json!({"trigger_id": trigger, "view": view})).await;
    assert_eq!(late["error"], "expired_trigger_id");
}

#[tokio::test]
async fn an_address_that_nobody_was_given_takes_nothing() {
    let work = Workspace::open(Value::Null);
    let request =
        client().post(format!("{}/actions/C0TWIN0001-made-up", work.served.base_url)).json(&json!({"text": "x"}));
    assert_eq!(request.send().await.unwrap().status(), 404);
    let listen = work.space.act("slack", json!({"use_shortcut": {"user": "ann", "callback_id": "c"}}));
    assert!(listen.unwrap_err().to_string().contains("add `interactions`"));
    assert_eq!(answer(client().get(format!("{}/api/auth.test", work.served.base_url))).await.1["error"], "not_authed");
}
