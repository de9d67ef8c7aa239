//! Webhooks: signed, retried, and mishandled on request. The signature is checked by code of its own.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use twins::{FaultRule, Space};

use crate::support::{STRIPE_KEY, Stripe, answer, client, space, until};

const SECRET: &str = "whsec_shop";

/// A delivery as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) signature: Option<String>,
    body: Vec<u8>,
}

/// A receiver that answers with the given statuses, then with 200.
#[derive(Clone, Default)]
pub(crate) struct Receiver {
    got: Arc<Mutex<Vec<Got>>>,
    pub(crate) answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Receiver {
    async fn listen(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/hooks", post(receive)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        base
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    pub(crate) fn kinds(&self) -> Vec<String> {
        self.got().iter().map(|got| got.event()["type"].as_str().unwrap().to_owned()).collect()
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> axum::http::StatusCode {
    let signature = headers.get("stripe-signature").map(|value| value.to_str().unwrap().to_owned());
    receiver.got.lock().unwrap().push(Got { signature, body: body.to_vec() });
    let status = receiver.answers.lock().unwrap().pop_front().unwrap_or(200);
    axum::http::StatusCode::from_u16(status).unwrap()
}

impl Got {
    pub(crate) fn event(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn signed_at(&self) -> i64 {
        let signature = self.signature.as_ref().unwrap();
        signature.strip_prefix("t=").unwrap().split(',').next().unwrap().parse().unwrap()
    }

    pub(crate) fn genuine(&self) -> bool {
        let Some(signature) = &self.signature else { return false };
        let given = signature.split_once(",v1=").unwrap().1;
        let mut message = format!("{}.", self.signed_at()).into_bytes();
        message.extend(&self.body);
        given == hex::encode(hmac_sha256(SECRET.as_bytes(), &message))
    }
}

/// RFC 2104, written out.
fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().to_vec()
}

pub(crate) struct Shop {
    pub(crate) space: Space,
    pub(crate) stripe: Stripe,
    pub(crate) receiver: Receiver,
}

impl Shop {
    pub(crate) async fn open(events: Value) -> Self {
        let space = space();
        let receiver = Receiver::default();
        let config = json!({"account": {"secret_key": STRIPE_KEY},
            "webhooks": [{"to": "/hooks", "secret": SECRET, "events": events}]});
        let served = space.serve("stripe", config).unwrap();
        space.set_webhook_base("stripe", &receiver.listen().await).unwrap();
        Self { space, stripe: Stripe { base: served.base_url, client: client() }, receiver }
    }

    pub(crate) async fn pay(&self) -> Value {
        answer(self.stripe.pay("pm_card_visa")).await.1
    }

    fn act(&self, action: Value) -> Result<Value, String> {
        self.space.act("stripe", action).map_err(|error| error.to_string())
    }
}

#[tokio::test]
async fn a_payment_announces_itself_in_order_and_signed() {
    let shop = Shop::open(json!(["*"])).await;
    let intent = shop.pay().await;
    shop.space.settle().await.unwrap();
    assert_eq!(shop.receiver.kinds(), ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]);
    let last = shop.receiver.got().pop().unwrap();
    assert!(last.genuine());
    assert_eq!(last.signed_at(), shop.space.now().as_second());
    assert_eq!(last.event()["data"]["object"]["id"], intent["id"]);
    assert_eq!(shop.space.state("stripe").unwrap()["webhooks"]["attempts"][0]["outcome"], "200");
}

#[tokio::test]
async fn only_wanted_events_are_sent() {
    let shop = Shop::open(json!(["payment_intent.payment_failed", "charge.refunded"])).await;
    answer(shop.stripe.pay("pm_card_chargeDeclined")).await;
    let intent = shop.pay().await;
    answer(shop.stripe.post("/v1/refunds", &[("payment_intent", intent["id"].as_str().unwrap())])).await;
    shop.space.settle().await.unwrap();
    assert_eq!(shop.receiver.kinds(), ["payment_intent.payment_failed", "charge.refunded"]);
    assert_eq!(shop.receiver.got()[1].event()["data"]["object"]["refunded"], true);
}

#[tokio::test]
async fn a_refused_webhook_comes_again_as_the_same_event_with_a_fresh_signature() {
    let shop = Shop::open(json!(["payment_intent.succeeded"])).await;
    shop.receiver.answers.lock().unwrap().extend([500, 302]);
    shop.pay().await;
    shop.space.settle().await.unwrap();
    let got = shop.receiver.got();
    assert_eq!(got.len(), 3);
    assert!(got.iter().all(|it| it.genuine() && it.body == got[0].body));
    assert!(got[0].signed_at() < got[1].signed_at() && got[1].signed_at() < got[2].signed_at());
}

#[tokio::test]
async fn held_webhooks_leave_when_they_are_released() {
    let shop = Shop::open(json!(["*"])).await;
    shop.act(json!("hold_webhooks")).unwrap();
    shop.pay().await;
    shop.space.settle().await.unwrap();
    assert_eq!(shop.receiver.kinds().len(), 0);
    assert_eq!(shop.space.state("stripe").unwrap()["webhooks"]["pending"].as_array().unwrap().len(), 3);
    shop.act(json!({"release_webhooks": {}})).unwrap();
    shop.space.settle().await.unwrap();
    assert_eq!(shop.receiver.kinds().len(), 3);
}

#[tokio::test]
async fn reordered_webhooks_come_newest_first() {
    let shop = Shop::open(json!(["*"])).await;
    shop.act(json!("hold_webhooks")).unwrap();
    shop.act(json!("reorder_webhooks")).unwrap();
    shop.pay().await;
    shop.act(json!("release_webhooks")).unwrap();
    shop.space.settle().await.unwrap();
    assert_eq!(shop.receiver.kinds(), ["payment_intent.succeeded", "charge.succeeded", "payment_intent.created"]);
}

#[tokio::test]
async fn delayed_webhooks_arrive_after_all_and_settle_waits_for_them() {
    let shop = Shop::open(json!(["payment_intent.succeeded"])).await;
    shop.act(json!({"delay_webhooks": {"for_ms": 150}})).unwrap();
    shop.pay().await;
    assert_eq!(shop.space.state("stripe").unwrap()["webhooks"]["pending"].as_array().unwrap().len(), 1);
    shop.space.settle().await.unwrap();
    assert_eq!(shop.receiver.kinds(), ["payment_intent.succeeded"]);
    assert!(shop.act(json!({"delay_webhooks": {}})).unwrap_err().contains("for_ms"));
}

#[tokio::test]
async fn a_redelivery_is_the_same_event_so_often() {
    let shop = Shop::open(json!(["payment_intent.succeeded"])).await;
    let redeliver = json!({"redeliver_webhook": {"type": "payment_intent.succeeded", "times": 2}});
    assert!(shop.act(redeliver.clone()).unwrap_err().contains("no event of type"));
    shop.pay().await;
    shop.act(redeliver).unwrap();
    shop.space.settle().await.unwrap();
    let ids: Vec<_> = shop.receiver.got().iter().map(|got| got.event()["id"].clone()).collect();
    assert_eq!(ids, vec![ids[0].clone(); 3]);
}

#[tokio::test]
async fn forged_webhooks_do_not_verify_and_are_sent_once() {
    let shop = Shop::open(json!(["payment_intent.succeeded"])).await;
    shop.pay().await;
    shop.space.settle().await.unwrap();
    let forgeries = ["send_unsigned_webhook", "send_webhook_with_wrong_signature", "send_stale_webhook"];
    for action in forgeries {
        shop.act(json!({action: {"type": "payment_intent.succeeded"}})).unwrap();
    }
    shop.space.settle().await.unwrap();
    let got = shop.receiver.got();
    assert_eq!(got.len(), 4);
    assert!(got[0].genuine() && got[1].signature.is_none());
    assert!(got[2].signature.is_some() && !got[2].genuine());
    assert!(got[3].genuine() && got[3].signed_at() <= got[0].signed_at() - 3_000);
}

#[tokio::test]
async fn a_refused_forgery_is_not_repeated() {
    let shop = Shop::open(json!(["charge.refunded"])).await;
    shop.receiver.answers.lock().unwrap().extend([400, 400]);
    let object = json!({"id": "ch_made_up", "object": "charge", "refunded": true});
    for action in ["send_unsigned_webhook", "send_webhook_with_wrong_signature"] {
        shop.act(json!({action: {"type": "charge.refunded", "object": object}})).unwrap();
    }
    shop.space.settle().await.unwrap();
    let got = shop.receiver.got();
    assert_eq!(got.len(), 2);
    assert_eq!(got[0].event()["data"]["object"]["id"], "ch_made_up");
    assert_eq!(shop.space.state("stripe").unwrap()["refunds"], json!([]));
}

#[tokio::test]
async fn a_refused_stale_webhook_comes_again_with_a_fresh_signature() {
    let shop = Shop::open(json!(["payment_intent.succeeded"])).await;
    shop.pay().await;
    shop.space.settle().await.unwrap();
    shop.receiver.answers.lock().unwrap().push_back(400);
    shop.act(json!({"send_stale_webhook": {"type": "payment_intent.succeeded"}})).unwrap();
    shop.space.settle().await.unwrap();
    let ages: Vec<_> = shop.receiver.got().iter().map(|got| shop.space.now().as_second() - got.signed_at()).collect();
    assert_eq!(ages, [0, 3_600, 0]);
}

#[tokio::test]
async fn a_refund_on_the_dashboard_is_announced_and_no_call() {
    let shop = Shop::open(json!(["charge.refunded"])).await;
    let intent = shop.pay().await;
    let made = shop.act(json!({"refund": {"payment_intent": intent["id"], "amount": 500}})).unwrap();
    assert_eq!(made["amount"], 500);
    shop.space.settle().await.unwrap();
    assert_eq!(shop.receiver.got()[0].event()["data"]["object"]["amount_refunded"], 500);
    assert_eq!(shop.space.calls("stripe", Some("refunds.create")).len(), 0);
    assert!(shop.act(json!({"refund": {"payment_intent": "pi_none"}})).is_err());
}

#[tokio::test]
async fn webhooks_wait_for_a_base_and_survive_a_receiver_that_is_down() {
    let space = space();
    let config = json!({"account": {"secret_key": STRIPE_KEY}, "webhooks": [{"to": "/hooks", "secret": SECRET,
        "events": ["payment_intent.succeeded"]}]});
    let served = space.serve("stripe", config).unwrap();
    let stripe = Stripe { base: served.base_url, client: client() };
    answer(stripe.pay("pm_card_visa")).await;
    space.settle().await.unwrap();
    space.set_webhook_base("stripe", "http://127.0.0.1:9").unwrap();
    until("an attempt at a closed port", || async {
        let outcome = space.state("stripe").unwrap()["webhooks"]["attempts"][0]["outcome"].clone();
        (outcome == "connection refused").then_some(())
    })
    .await;
    let receiver = Receiver::default();
    space.set_webhook_base("stripe", &receiver.listen().await).unwrap();
    space.settle().await.unwrap();
    assert_eq!(receiver.kinds(), ["payment_intent.succeeded"]);
}

#[tokio::test]
async fn close_drops_what_is_still_to_be_delivered() {
    let shop = Shop::open(json!(["*"])).await;
    shop.act(json!({"delay_webhooks": {"for_ms": 60_000}})).unwrap();
    shop.pay().await;
    shop.space.close().await;
    assert_eq!(shop.receiver.kinds().len(), 0);
}

#[tokio::test]
async fn unknown_actions_and_twins_without_webhooks_are_refused() {
    let shop = Shop::open(json!(["*"])).await;
    assert!(
        shop.act(json!("explode"))
            .unwrap_err()
            .contains("it has refund, authenticate_payment, complete_checkout, redeliver_webhook")
    );
    assert!(shop.act(json!({"a": 1, "b": 2})).unwrap_err().contains("one name"));
    shop.space.serve("slack", Value::Null).unwrap();
    assert!(shop.space.act("slack", json!("hold_webhooks")).unwrap_err().to_string().contains("no webhooks"));
    let rule: FaultRule = serde_json::from_value(json!({"operation": "auth.test", "kind": "hang"})).unwrap();
    assert!(shop.space.fault("stripe", rule).is_err());
}
