//! Webhooks under rules: late, twice, out of order, badly signed, lost.

use serde_json::{Value, json};

use super::rule;
use crate::webhooks::Shop;

const PAID: &str = "payment_intent.succeeded";

/// What a receiver of one payment's webhooks got under the rule.
async fn paid(fault: Value) -> Shop {
    paid_at(fault, json!([PAID]), &[]).await
}

async fn paid_at(fault: Value, events: Value, answers: &[u16]) -> Shop {
    let shop = Shop::open(events).await;
    shop.receiver.answers.lock().unwrap().extend(answers);
    shop.space.fault("stripe", rule(fault)).unwrap();
    shop.pay().await;
    shop.space.settle().await.unwrap();
    shop
}

fn outcomes(shop: &Shop) -> Value {
    let state = shop.space.state("stripe").unwrap();
    state["webhooks"]["attempts"].as_array().unwrap().iter().map(|attempt| attempt["outcome"].clone()).collect()
}

#[tokio::test]
async fn a_duplicated_webhook_comes_as_the_same_event() {
    let shop = paid(json!({"kind": "webhook_duplicated", "times": 3})).await;
    let got = shop.receiver.got();
    assert_eq!(got.len(), 3);
    assert!(got.iter().all(|it| it.genuine() && it.event()["id"] == got[0].event()["id"]));
}

#[tokio::test]
async fn a_reordered_webhook_is_overtaken_by_later_ones() {
    let fault = json!({"kind": "webhook_reordered", "event": "payment_intent.created"});
    let shop = paid_at(fault, json!(["*"]), &[]).await;
    assert_eq!(shop.receiver.kinds(), ["charge.succeeded", PAID, "payment_intent.created"]);
}

#[tokio::test]
async fn a_badly_signed_webhook_comes_again_signed_well() {
    for kind in ["webhook_wrongly_signed", "webhook_unsigned"] {
        let shop = paid_at(json!({"kind": kind}), json!([PAID]), &[400]).await;
        let genuine: Vec<bool> = shop.receiver.got().iter().map(crate::webhooks::Got::genuine).collect();
        assert_eq!(genuine, [false, true], "{kind}");
    }
}

#[tokio::test]
async fn a_stale_webhook_comes_again_with_a_fresh_signature() {
    let shop = paid_at(json!({"kind": "webhook_stale"}), json!([PAID]), &[400]).await;
    let got = shop.receiver.got();
    assert!(got.iter().all(crate::webhooks::Got::genuine));
    assert!(shop.space.now().as_second() - got[0].signed_at() >= 3_600);
    assert!(shop.space.now().as_second() - got[1].signed_at() < 10);
}

#[tokio::test]
async fn a_dropped_webhook_comes_at_the_second_attempt() {
    let shop = paid(json!({"kind": "webhook_dropped"})).await;
    assert_eq!(shop.receiver.got().len(), 1);
    assert_eq!(outcomes(&shop), json!(["dropped on purpose", "200"]));
}

#[tokio::test]
async fn rules_about_webhooks_count_events_and_look_into_them() {
    let shop = Shop::open(json!([PAID])).await;
    let fault = json!({"kind": "webhook_duplicated", "event": PAID, "every": 2,
        "where": {"$.event.data.object.amount": "2400"}});
    shop.space.fault("stripe", rule(fault)).unwrap();
    for _ in 0..4 {
        shop.pay().await;
    }
    shop.space.settle().await.unwrap();
    assert_eq!(shop.receiver.got().len(), 6);
    let status = &shop.space.faults("stripe").unwrap()[0];
    assert_eq!((status.matched, status.fired), (4, 2));
}

#[tokio::test]
async fn a_delayed_webhook_arrives_after_all() {
    let shop = paid(json!({"kind": "webhook_delayed", "delay_ms": 50})).await;
    assert_eq!(shop.receiver.kinds(), [PAID]);
}
