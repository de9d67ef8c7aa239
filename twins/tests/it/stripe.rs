//! Payments as a shop makes them.

use serde_json::{Value, json};
use twins::Space;

use crate::support::{Stripe, answer, header, serve_stripe, space};

fn shop() -> (Space, Stripe) {
    let space = space();
    let stripe = serve_stripe(&space);
    (space, stripe)
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap()
}

#[tokio::test]
async fn a_good_card_is_charged() {
    let (space, stripe) = shop();
    let order = [("metadata[order]", "o1"), ("expand[]", "latest_charge")];
    let form = [("amount", "2400"), ("currency", "USD"), ("confirm", "true"), ("payment_method", "pm_card_visa")];
    let form: Vec<_> = form.into_iter().chain(order).collect();
    let (status, intent) = answer(stripe.post("/v1/payment_intents", &form)).await;
    assert_eq!((status, text(&intent, "status"), intent["amount_received"].as_i64()), (200, "succeeded", Some(2400)));
    assert!(text(&intent, "id").starts_with("pi_"));
    assert_eq!(intent["currency"], "usd");
    assert_eq!(intent["metadata"], json!({"order": "o1"}));
    assert_eq!(intent["latest_charge"]["payment_intent"], intent["id"]);
    assert_eq!(intent["latest_charge"]["payment_method_details"]["card"]["last4"], "4242");
    assert_eq!(space.calls("stripe", Some("payment_intents.create")).len(), 1);
}

#[tokio::test]
async fn a_declined_card_is_402_with_the_reason_and_the_intent_can_be_paid_otherwise() {
    let (_space, stripe) = shop();
    let (status, body) = answer(stripe.pay("pm_card_chargeDeclinedInsufficientFunds")).await;
    let error = &body["error"];
    assert_eq!((status, text(error, "type"), text(error, "code")), (402, "card_error", "card_declined"));
    assert_eq!(text(error, "decline_code"), "insufficient_funds");
    let intent = &error["payment_intent"];
    assert_eq!(text(intent, "status"), "requires_payment_method");
    assert_eq!(intent["last_payment_error"]["decline_code"], "insufficient_funds");
    let confirm = format!("/v1/payment_intents/{}/confirm", text(intent, "id"));
    let (_, paid) = answer(stripe.post(&confirm, &[("payment_method", "pm_card_visa")])).await;
    assert_eq!(text(&paid, "status"), "succeeded");
    assert!(paid["last_payment_error"].is_null());
    let (status, again) = answer(stripe.post(&confirm, &[])).await;
    assert_eq!((status, text(&again["error"], "code")), (400, "payment_intent_unexpected_state"));
}

#[tokio::test]
async fn payment_method_data_takes_tokens_and_numbers() {
    let (_space, stripe) = shop();
    let pay = |field: &'static str, value: &'static str| {
        let data = [("amount", "100"), ("currency", "usd"), ("confirm", "true"), ("payment_method_data[type]", "card")];
        let form: Vec<_> = data.into_iter().chain([(field, value)]).collect();
        answer(stripe.post("/v1/payment_intents", &form))
    };
    assert_eq!(pay("payment_method_data[card][token]", "tok_visa").await.0, 200);
    assert_eq!(pay("payment_method_data[card][number]", "4000 0000 0000 0002").await.0, 402);
    assert_eq!(pay("payment_method_data[card][token]", "tok_unheard").await.1["error"]["code"], "resource_missing");
    assert_eq!(
        pay("payment_method_data[card][number]", "4242424242424241").await.1["error"]["code"],
        "incorrect_number"
    );
}

#[tokio::test]
async fn a_held_payment_is_captured_or_cancelled_once() {
    let (_space, stripe) = shop();
    let hold = || {
        let form = [
            ("amount", "900"),
            ("currency", "usd"),
            ("confirm", "true"),
            ("payment_method", "pm_card_visa"),
            ("capture_method", "manual"),
        ];
        answer(stripe.post("/v1/payment_intents", &form))
    };
    let (_, intent) = hold().await;
    assert_eq!((text(&intent, "status"), intent["amount_capturable"].as_i64()), ("requires_capture", Some(900)));
    let path = format!("/v1/payment_intents/{}", text(&intent, "id"));
    let (_, captured) = answer(stripe.post(&format!("{path}/capture"), &[("amount_to_capture", "700")])).await;
    assert_eq!((text(&captured, "status"), captured["amount_received"].as_i64()), ("succeeded", Some(700)));
    assert_eq!(answer(stripe.post(&format!("{path}/cancel"), &[])).await.0, 400);
    let (_, other) = hold().await;
    let path = format!("/v1/payment_intents/{}", text(&other, "id"));
    assert_eq!(text(&answer(stripe.post(&format!("{path}/cancel"), &[])).await.1, "status"), "canceled");
    assert_eq!(answer(stripe.post(&format!("{path}/capture"), &[])).await.0, 400);
}

#[tokio::test]
async fn refunds_go_up_to_what_was_paid() {
    let (_space, stripe) = shop();
    let (_, intent) = answer(stripe.pay("pm_card_visa")).await;
    let id = text(&intent, "id").to_owned();
    let refund = |amount: &'static str| {
        let id = id.clone();
        let stripe = stripe.clone();
        async move { answer(stripe.post("/v1/refunds", &[("payment_intent", &id), ("amount", amount)])).await }
    };
    let (status, first) = refund("1000").await;
    assert_eq!((status, text(&first, "status"), first["amount"].as_i64()), (200, "succeeded", Some(1000)));
    let (status, error) = refund("2000").await;
    assert_eq!((status, text(&error["error"], "param")), (400, "amount"));
    assert_eq!(refund("1400").await.0, 200);
    assert_eq!(refund("1").await.1["error"]["code"], "charge_already_refunded");
    let charge = text(&intent, "latest_charge");
    let (_, charge) = answer(stripe.get(&format!("/v1/charges/{charge}"))).await;
    assert_eq!((charge["refunded"].as_bool(), charge["amount_refunded"].as_i64()), (Some(true), Some(2400)));
    let (_, list) = answer(stripe.get(&format!("/v1/refunds?payment_intent={id}"))).await;
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
    assert_eq!(answer(stripe.get(&format!("/v1/refunds/{}", text(&first, "id")))).await.1["id"], first["id"]);
}

#[tokio::test]
async fn a_key_replays_its_first_answer_and_refuses_other_parameters() {
    let (space, stripe) = shop();
    let keyed = |card: &str| stripe.pay(card).header("idempotency-key", "k1");
    let (_, first) = answer(keyed("pm_card_visa")).await;
    let replay = keyed("pm_card_visa").send().await.unwrap();
    assert_eq!(header(&replay, "idempotent-replayed"), "true");
    assert_eq!(replay.json::<Value>().await.unwrap(), first);
    let (status, body) = answer(keyed("pm_card_amex")).await;
    assert_eq!((status, text(&body["error"], "type")), (400, "idempotency_error"));
    let elsewhere =
        stripe.post("/v1/refunds", &[("payment_intent", text(&first, "id"))]).header("idempotency-key", "k1");
    assert!(text(&answer(elsewhere).await.1["error"], "message").contains("same endpoint"));
    assert_eq!(space.state("stripe").unwrap()["charges"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_decline_is_replayed_but_a_validation_error_is_not_kept() {
    let (_space, stripe) = shop();
    let declined = || stripe.pay("pm_card_chargeDeclined").header("idempotency-key", "d").send();
    declined().await.unwrap();
    assert_eq!(header(&declined().await.unwrap(), "idempotent-replayed"), "true");
    let create = |form: &[(&str, &str)]| stripe.post("/v1/payment_intents", form).header("idempotency-key", "v");
    assert_eq!(answer(create(&[("amount", "1")])).await.0, 400);
    assert_eq!(answer(create(&[("amount", "900"), ("currency", "usd")])).await.0, 200);
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let (space, stripe) = shop();
    let keyed = || stripe.pay("pm_card_visa").header("idempotency-key", "k");
    let (_, first) = answer(keyed()).await;
    space.advance_to(space.now() + jiff::SignedDuration::from_hours(24)).unwrap();
    assert_ne!(answer(keyed()).await.1["id"], first["id"]);
    let (status, body) = answer(stripe.pay("pm_card_visa").header("idempotency-key", "k".repeat(256))).await;
    assert_eq!((status, text(&body["error"], "type")), (400, "idempotency_error"));
}

#[tokio::test]
async fn lists_page_by_cursor_and_know_whether_there_is_more() {
    let (_space, stripe) = shop();
    for amount in ["101", "102", "103"] {
        answer(stripe.post("/v1/payment_intents", &[("amount", amount), ("currency", "usd")])).await;
    }
    let amounts = |list: &Value| -> Vec<i64> {
        list["data"].as_array().unwrap().iter().map(|intent| intent["amount"].as_i64().unwrap()).collect()
    };
    let (_, first) = answer(stripe.get("/v1/payment_intents?limit=2")).await;
    assert_eq!((amounts(&first), first["has_more"].as_bool()), (vec![103, 102], Some(true)));
    let after = text(&first["data"][1], "id");
    let (_, rest) = answer(stripe.get(&format!("/v1/payment_intents?limit=2&starting_after={after}"))).await;
    assert_eq!((amounts(&rest), rest["has_more"].as_bool()), (vec![101], Some(false)));
    let before = text(&rest["data"][0], "id");
    let (_, back) = answer(stripe.get(&format!("/v1/payment_intents?limit=2&ending_before={before}"))).await;
    assert_eq!((amounts(&back), back["has_more"].as_bool()), (vec![103, 102], Some(false)));
    assert_eq!(answer(stripe.get("/v1/payment_intents?limit=101")).await.0, 400);
    assert_eq!(answer(stripe.get("/v1/payment_intents?starting_after=pi_none")).await.0, 400);
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let (_space, stripe) = shop();
    let create = |form: &'static [(&'static str, &'static str)]| answer(stripe.post("/v1/payment_intents", form));
    for (form, code, param) in [
        (&[("currency", "usd")][..], "parameter_missing", "amount"),
        (&[("amount", "x"), ("currency", "usd")], "parameter_invalid_integer", "amount"),
        (&[("amount", "49"), ("currency", "usd")], "amount_too_small", "amount"),
        (&[("amount", "99"), ("currency", "usd"), ("colour", "red")], "parameter_unknown", "colour"),
        (&[("amount", "99"), ("currency", "usd"), ("payment_method", "pm_x")], "resource_missing", "payment_method"),
        (&[("amount", "99"), ("currency", "usd"), ("customer", "cus_x")], "resource_missing", "customer"),
    ] {
        let (status, body) = create(form).await;
        assert_eq!((status, text(&body["error"], "code"), text(&body["error"], "param")), (400, code, param));
    }
    let (status, body) = answer(stripe.get("/v1/payment_intents/pi_none")).await;
    assert_eq!((status, text(&body["error"], "code")), (404, "resource_missing"));
}

#[tokio::test]
async fn customers_and_events_can_be_read_back() {
    let (_space, stripe) = shop();
    let (_, customer) = answer(stripe.post("/v1/customers", &[("email", "a@example.com"), ("name", "A")])).await;
    let id = text(&customer, "id");
    assert_eq!(answer(stripe.get(&format!("/v1/customers/{id}"))).await.1["email"], "a@example.com");
    let form = [("amount", "100"), ("currency", "usd"), ("customer", id), ("expand[]", "customer")];
    assert_eq!(answer(stripe.post("/v1/payment_intents", &form)).await.1["customer"]["name"], "A");
    let (_, events) = answer(stripe.get("/v1/events?type=customer.created")).await;
    let event = &events["data"][0];
    assert_eq!(event["data"]["object"]["id"], id);
    assert_eq!(answer(stripe.get(&format!("/v1/events/{}", text(event, "id")))).await.1, *event);
}
