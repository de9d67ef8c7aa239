//! What breaks below HTTP.

use std::io::ErrorKind;

use serde_json::json;
use tokio::io::AsyncReadExt;

use super::{CREATE, arm, payments, raw, rule, shop};
use crate::support::{answer, until};

#[tokio::test]
async fn a_refused_connection_is_reset_before_a_byte_is_read_and_counts_connections() {
    let (space, stripe) = shop();
    space.fault("stripe", rule(json!({"kind": "refuse", "first": 2}))).unwrap();
    let address = stripe.base.trim_start_matches("http://");
    for _ in 0..2 {
        // Nothing is sent: the reset comes anyway, perhaps before the caller hears that it is connected.
        let end = match tokio::net::TcpStream::connect(address).await {
            Ok(mut socket) => socket.read(&mut [0]).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(end.kind(), ErrorKind::ConnectionReset);
    }
    assert_eq!(answer(stripe.pay("pm_card_visa")).await.0, 200);
    let status = &space.faults("stripe").unwrap()[0];
    assert_eq!((status.matched, status.fired), (3, 2));
    assert_eq!(space.calls("stripe", None).len(), 1);
}

#[tokio::test]
async fn close_ends_without_a_byte_and_does_nothing() {
    let (space, stripe) = shop();
    arm(&space, "close");
    assert_eq!(raw(&stripe).await, (Vec::new(), None));
    assert_eq!(payments(&space), 0);
}

#[tokio::test]
async fn garbage_is_no_http_and_does_nothing() {
    let (space, stripe) = shop();
    arm(&space, "garbage");
    let (received, error) = raw(&stripe).await;
    assert!(!received.is_empty() && !received.starts_with(b"HTTP") && error.is_none());
    assert_eq!(payments(&space), 0);
    arm(&space, "garbage");
    assert!(stripe.pay("pm_card_visa").send().await.is_err());
}

#[tokio::test]
async fn a_duplicate_answer_comes_twice_for_one_payment() {
    let (space, stripe) = shop();
    arm(&space, "duplicate");
    let (received, _) = raw(&stripe).await;
    let (one, other) = received.split_at(received.len() / 2);
    assert_eq!(one, other);
    assert!(one.starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert_eq!(payments(&space), 1);
}

#[tokio::test]
async fn a_malformed_chunk_breaks_the_answer_in_its_middle() {
    let (space, stripe) = shop();
    arm(&space, "malformed_chunk");
    let (received, _) = raw(&stripe).await;
    assert!(received.ends_with(b"\r\nzz\r\n"));
    arm(&space, "malformed_chunk");
    let response = stripe.pay("pm_card_visa").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
    assert_eq!(payments(&space), 2);
}

#[tokio::test]
async fn cut_body_can_say_after_how_many_bytes() {
    let (space, stripe) = shop();
    let cut = json!({"operation": CREATE, "kind": "cut_body", "after_bytes": 7});
    space.fault("stripe", rule(cut)).unwrap();
    let (received, _) = raw(&stripe).await;
    let text = String::from_utf8(received).unwrap();
    assert_eq!(text.split_once("\r\n\r\n").unwrap().1.len(), 7);
}

#[tokio::test]
async fn a_dribbled_answer_comes_in_pieces_and_whole() {
    let (space, stripe) = shop();
    let dribble = json!({"operation": CREATE, "kind": "dribble", "bytes": 400, "interval_ms": 1});
    space.fault("stripe", rule(dribble)).unwrap();
    let mut response = stripe.pay("pm_card_visa").send().await.unwrap();
    let length = response.content_length().unwrap();
    let mut pieces = Vec::new();
    while let Some(piece) = response.chunk().await.unwrap() {
        pieces.push(piece.len());
    }
    assert_eq!(pieces.iter().sum::<usize>() as u64, length);
    assert!(pieces.len() > 1, "{pieces:?}");
}

#[tokio::test]
async fn a_client_that_leaves_a_dribbled_answer_does_not_keep_the_space_open() {
    let (space, stripe) = shop();
    let dribble = json!({"operation": CREATE, "kind": "dribble", "bytes": 1, "interval_ms": 60_000});
    space.fault("stripe", rule(dribble)).unwrap();
    let waiting = tokio::spawn(async move { stripe.pay("pm_card_visa").send().await.unwrap().bytes().await });
    until("the payment has happened", || async { (payments(&space) == 1).then_some(()) }).await;
    space.close().await;
    assert!(waiting.await.unwrap().is_err());
}
