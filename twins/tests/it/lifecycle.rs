//! Spaces: isolated while they live, and gone when they are closed.

use std::{
    io::{Read as _, Write as _},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::support::{answer, client, engine, serve_stripe, space, until, until_called};

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn spaces_do_not_see_each_other() {
    let engine = engine(7);
    let (one, two) = (engine.space("trial", 1), engine.space("trial", 2));
    let (a, b) = (serve_stripe(&one), serve_stripe(&two));
    let (_, first) = answer(a.pay("pm_card_visa")).await;
    let path = format!("/v1/payment_intents/{}", first["id"].as_str().unwrap());
    assert_eq!(answer(b.get(&path)).await.0, 404);
    assert_eq!((one.calls("stripe", None).len(), two.calls("stripe", None).len()), (1, 1));
    assert_ne!(one.journal_head(), two.journal_head());
}

#[tokio::test]
async fn close_leaves_nothing_listening_and_no_connection_open() {
    let space = space();
    let mut ports = Vec::new();
    for twin in ["stripe", "slack", "sendgrid", "anthropic"] {
        ports.push(space.serve(twin, Value::Null).unwrap().port);
    }
    let idle = TcpStream::connect(("127.0.0.1", ports[0])).await.unwrap();
    space.close().await;
    for port in ports {
        // Without a chance for other tasks to run: `close` itself must have waited for them.
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "port {port} still listens");
    }
    idle.readable().await.unwrap();
    // Nothing of it is left: the end of the stream, or a reset.
    assert!(!matches!(idle.try_read(&mut [0; 1]), Ok(1)));
}

#[tokio::test]
async fn an_answer_that_is_under_way_arrives_though_the_space_closes() {
    let space = space();
    let stripe = serve_stripe(&space);
    let rule = json!({"kind": "latency", "delay_ms": 100});
    space.fault("stripe", serde_json::from_value(rule).unwrap()).unwrap();
    let asking = tokio::spawn(answer(stripe.pay("pm_card_visa")));
    until_called(&space, "stripe", 1).await;
    space.close().await;
    assert_eq!(asking.await.unwrap().1["amount"], 2400);
}

#[tokio::test]
async fn whoever_waits_for_nothing_does_not_keep_a_space_open() {
    let space = std::sync::Arc::new(space());
    let stripe = serve_stripe(&space);
    let admin = twins::serve_admin(&space, 0).unwrap();
    space.fault("stripe", serde_json::from_value(json!({"kind": "hang"})).unwrap()).unwrap();
    let hanging = tokio::spawn(stripe.pay("pm_card_visa").send());
    until_called(&space, "stripe", 1).await;
    let never = json!({"query": {"twin": "stripe"}, "times": 9, "within_ms": 600_000});
    let waiting = tokio::spawn(client().post(format!("{admin}/journal/wait")).json(&never).send());
    answer(client().get(format!("{admin}/clock"))).await;
    tokio::time::timeout(PATIENCE, space.close()).await.expect("nothing holds it open");
    assert!(hanging.await.unwrap().is_err() && waiting.await.unwrap().is_err());
}

#[tokio::test]
async fn dropping_a_space_closes_it() {
    let space = space();
    let port = space.serve("stripe", Value::Null).unwrap().port;
    drop(space);
    until("the listener is gone", || async { TcpStream::connect(("127.0.0.1", port)).await.err() }).await;
}

/// A caller that copies a tree or waits for a disk is no reason for a service to be late.
#[tokio::test]
async fn twins_answer_while_their_caller_is_busy() {
    let space = space();
    let port = space.serve("stripe", Value::Null).unwrap().port;
    // Nothing else gets this test's only thread before the answer is there.
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /v1/customers HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[tokio::test]
async fn a_twin_is_served_once_and_must_exist_and_fit_its_configuration() {
    let space = space();
    space.serve("stripe", Value::Null).unwrap();
    let error = |twin, config| space.serve(twin, config).unwrap_err().to_string();
    assert!(error("stripe", Value::Null).contains("served in this space already"));
    assert!(error("stirpe", Value::Null).contains("there are anthropic, "));
    assert!(error("slack", json!({"chanels": []})).contains("unknown field `chanels`"));
    assert!(space.state("slack").unwrap_err().to_string().contains("serve it first"));
}

#[tokio::test]
async fn the_admin_api_is_not_on_the_twins_own_port() {
    let space = std::sync::Arc::new(space());
    let stripe = serve_stripe(&space);
    let admin = twins::serve_admin(&space, 0).unwrap();
    answer(stripe.pay("pm_card_visa")).await;
    let ask = |path: &str| answer(client().get(format!("{admin}{path}")));
    let (_, calls) = ask("/stripe/calls?operation=payment_intents.create").await;
    assert_eq!(calls[0]["request"]["form"]["amount"], "2400");
    assert!(calls[0]["request"]["headers"]["authorization"].as_str().unwrap().starts_with("[redacted]"));
    assert_eq!(ask("/stripe/state").await.1["charges"].as_array().unwrap().len(), 1);
    assert_eq!(ask("/slack/state").await.0, 404);
    let bad = client().post(format!("{admin}/stripe/faults")).json(&json!({"operation": "x", "kind": "hang"}));
    assert_eq!(answer(bad).await.0, 400);
    assert_eq!(answer(stripe.get("/__twin/stripe/state")).await.0, 501);
    client().post(format!("{admin}/reset")).send().await.unwrap();
    assert_eq!(ask("/stripe/calls").await.1, json!([]));
    space.close().await;
}

#[test]
fn the_catalogue_names_operations_and_actions() {
    let all = twins::catalogue();
    let stripe = all.iter().find(|twin| twin.name == "stripe").unwrap();
    assert!(stripe.operations.contains(&"payment_intents.create"));
    assert!(stripe.actions.contains(&"refund") && stripe.actions.contains(&"redeliver_webhook"));
    let mut names: Vec<_> = stripe.operations.clone();
    names.dedup();
    assert_eq!(names.len(), stripe.operations.len());
}
