//! Same seed and same requests give the same bytes, also after going back; and no state is served twice.

use futures::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use twins::Space;

use crate::support::{STRIPE_KEY, Stripe, answer, engine, header, post_json, serve_stripe, space};

/// Everything of an answer that reaches a client.
type Seen = (u16, Vec<(String, String)>, Vec<u8>);

async fn seen(request: reqwest::RequestBuilder) -> Seen {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let headers = response.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    (status, headers, response.bytes().await.unwrap().to_vec())
}

async fn shop(stripe: &Stripe) -> Vec<Seen> {
    let mut all = Vec::new();
    for card in ["pm_card_visa", "pm_card_chargeDeclined", "pm_card_mastercard"] {
        all.push(seen(stripe.pay(card).header("idempotency-key", card)).await);
        all.push(seen(stripe.pay(card).header("idempotency-key", card)).await);
    }
    all.push(seen(stripe.get("/v1/charges?limit=2")).await);
    all.push(seen(stripe.get("/v1/nothing")).await);
    all
}

async fn journey(space: &Space) -> Vec<Seen> {
    let stripe = serve_stripe(space);
    let slack = space.serve("slack", json!({"bot_token": "xoxb-1", "channels": ["orders"]})).unwrap();
    let mut all = shop(&stripe).await;
    let message = json!({"channel": "#orders", "text": "sold"});
    all.push(seen(post_json(&slack, "/api/chat.postMessage", "xoxb-1", &message)).await);
    all
}

#[tokio::test]
async fn same_seed_and_requests_give_the_same_bytes() {
    let (one, two) = (space(), space());
    assert_eq!(journey(&one).await, journey(&two).await);
    assert_eq!(one.journal_head(), two.journal_head());
}

#[tokio::test]
async fn another_seed_or_request_gives_another_history() {
    let one = space();
    let other_trial = engine(7).space("test", 2);
    let other_seed = engine(8).space("test", 1);
    assert_ne!(journey(&one).await, journey(&other_trial).await);
    assert_ne!(one.journal_head(), other_trial.journal_head());
    journey(&other_seed).await;
    assert_ne!(one.journal_head(), other_seed.journal_head());
}

#[tokio::test]
async fn going_back_to_a_snapshot_replays_the_same_bytes() {
    let space = space();
    let stripe = serve_stripe(&space);
    shop(&stripe).await;
    let snapshot = space.snapshot();
    let (first, first_head) = (shop(&stripe).await, space.journal_head());
    assert_ne!(space.now(), jiff::Timestamp::UNIX_EPOCH);
    space.restore(&snapshot);
    let (second, second_head) = (shop(&stripe).await, space.journal_head());
    assert_eq!(first, second);
    assert_eq!(first_head, second_head);
}

#[tokio::test]
async fn reset_starts_the_same_history_again() {
    let space = space();
    let stripe = serve_stripe(&space);
    let (first, head) = (shop(&stripe).await, space.journal_head());
    space.reset();
    assert_eq!(space.calls("stripe", None).len(), 0);
    assert_eq!(shop(&stripe).await, first);
    assert_eq!(space.journal_head(), head);
}

/// A connection that is kept, as a thousand rounds of new ones would measure the machine's ports.
struct Kept(tokio::net::TcpStream);

impl Kept {
    async fn open(stripe: &Stripe) -> Self {
        let stream = tokio::net::TcpStream::connect(stripe.base.trim_start_matches("http://")).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    async fn post(&mut self, path: &str, form: &str) -> (u16, String) {
        let head = format!("POST {path} HTTP/1.1\r\nhost: twin\r\nauthorization: Bearer {STRIPE_KEY}\r\n");
        let kind = format!("content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n", form.len());
        self.0.write_all(format!("{head}{kind}{form}").as_bytes()).await.unwrap();
        let mut received = Vec::new();
        loop {
            self.0.read_buf(&mut received).await.unwrap();
            let text = std::str::from_utf8(&received).unwrap();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                return (head[9..12].parse().unwrap(), body.to_owned());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_24_simultaneous_captures_one_wins_a_thousand_times() {
    let space = space();
    let stripe = serve_stripe(&space);
    let mut kept = join_all((0..24).map(|_| Kept::open(&stripe))).await;
    let hold = "amount=500&currency=usd&confirm=true&payment_method=pm_card_visa&capture_method=manual";
    for round in 0..1_000 {
        let (_, intent) = kept[0].post("/v1/payment_intents", hold).await;
        let intent: serde_json::Value = serde_json::from_str(&intent).unwrap();
        let capture = format!("/v1/payment_intents/{}/capture", intent["id"].as_str().unwrap());
        let answers = join_all(kept.iter_mut().map(|connection| connection.post(&capture, ""))).await;
        assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 1, "round {round}");
        let refused = answers.iter().filter(|(_, body)| body.contains("payment_intent_unexpected_state"));
        assert_eq!(refused.count(), 23, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_key_charges_once_however_often_it_is_sent_at_once() {
    let space = space();
    let stripe = serve_stripe(&space);
    let send = |_| async { stripe.pay("pm_card_visa").header("idempotency-key", "k").send().await.unwrap() };
    let answers = join_all((0..24).map(send)).await;
    assert_eq!(answers.iter().filter(|answer| header(answer, "idempotent-replayed").is_empty()).count(), 1);
    assert_eq!(space.state("stripe").unwrap()["charges"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_clock_moves_with_requests_and_by_hand_only_forward() {
    let space = space();
    let stripe = serve_stripe(&space);
    let start = space.now();
    answer(stripe.get("/v1/charges")).await;
    assert_eq!(space.now().duration_since(start), jiff::SignedDuration::from_millis(1));
    let later = "2027-01-01T00:00:00Z".parse().unwrap();
    space.advance_to(later).unwrap();
    assert!(space.advance_to(start).is_err());
    let response = stripe.pay("pm_card_visa").send().await.unwrap();
    assert_eq!(header(&response, "date"), "Fri, 01 Jan 2027 00:00:00 GMT");
    let intent: serde_json::Value = response.json().await.unwrap();
    assert_eq!(intent["created"], later.as_second());
}
