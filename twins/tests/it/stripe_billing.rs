//! What official SDKs cannot see of billing: the twin's own clock, bytes after going back, headers and bodies of
//! errors, and input that no SDK would send.

use serde_json::{Value, json};
use twins::Space;

use crate::support::{Stripe, answer, header, serve_stripe, space};

fn shop() -> (Space, Stripe) {
    let space = space();
    let stripe = serve_stripe(&space);
    (space, stripe)
}

async fn made(stripe: &Stripe, path: &str, form: &[(&str, &str)]) -> Value {
    let (status, value) = answer(stripe.post(path, form)).await;
    assert_eq!(status, 200, "{path}: {value}");
    value
}

fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap()
}

/// A customer with a card, and ten dollars each month.
async fn subscribed(stripe: &Stripe, card: &str) -> Value {
    let customer = made(stripe, "/v1/customers", &[("payment_method", card)]).await;
    let methods = answer(stripe.get(&format!("/v1/customers/{}/payment_methods", id(&customer)))).await.1;
    let price = [
        ("currency", "usd"),
        ("unit_amount", "1000"),
        ("recurring[interval]", "month"),
        ("product_data[name]", "Plan"),
    ];
    let price = made(stripe, "/v1/prices", &price).await;
    let form = [
        ("customer", id(&customer)),
        ("items[0][price]", id(&price)),
        ("default_payment_method", id(&methods["data"][0])),
    ];
    made(stripe, "/v1/subscriptions", &form).await
}

fn later(space: &Space, days: i64) {
    space.advance_to(space.now() + jiff::SignedDuration::from_hours(24 * days)).unwrap();
}

#[tokio::test]
async fn a_subscription_renews_when_the_clock_of_the_space_moves_without_any_request() {
    let (space, stripe) = shop();
    let subscription = subscribed(&stripe, "pm_card_visa").await;
    assert_eq!(subscription["status"], "active");
    later(&space, 70);
    let state = space.state("stripe").unwrap();
    let renewals: Vec<_> =
        state["invoices"].as_array().unwrap().iter().map(|it| (&it["billing_reason"], &it["status"])).collect();
    let cycle = (&json!("subscription_cycle"), &json!("paid"));
    assert_eq!(renewals, [cycle, cycle, (&json!("subscription_create"), &json!("paid"))]);
    assert_eq!(space.calls("stripe", None).len(), 4);
}

#[tokio::test]
async fn a_card_that_keeps_failing_ends_the_subscription_after_its_last_attempt() {
    let (space, stripe) = shop();
    let subscription = subscribed(&stripe, "pm_card_chargeCustomerFail").await;
    assert_eq!(subscription["status"], "incomplete");
    let invoice = subscription["latest_invoice"].as_str().unwrap();
    made(&stripe, &format!("/v1/invoices/{invoice}/pay"), &[("payment_method", "pm_card_visa")]).await;
    later(&space, 32);
    let path = format!("/v1/subscriptions/{}", id(&subscription));
    assert_eq!(answer(stripe.get(&path)).await.1["status"], "past_due");
    later(&space, 20);
    let ended = answer(stripe.get(&path)).await.1;
    assert_eq!(
        (&ended["status"], &ended["cancellation_details"]["reason"]),
        (&json!("canceled"), &json!("payment_failed"))
    );
    let renewal = &answer(stripe.get(&format!("/v1/invoices/{}", ended["latest_invoice"].as_str().unwrap()))).await.1;
    assert_eq!((&renewal["attempt_count"], &renewal["next_payment_attempt"]), (&json!(4), &Value::Null));
}

#[tokio::test]
async fn going_back_to_a_snapshot_renews_with_the_same_bytes() {
    let (space, stripe) = shop();
    subscribed(&stripe, "pm_card_visa").await;
    let before = space.snapshot();
    later(&space, 40);
    let first = (space.state("stripe").unwrap(), space.journal_head());
    space.restore(&before);
    later(&space, 40);
    assert_eq!((space.state("stripe").unwrap(), space.journal_head()), first);
}

#[tokio::test]
async fn an_unfinished_checkout_expires_after_a_day() {
    let (space, stripe) = shop();
    let form = [
        ("mode", "payment"),
        ("success_url", "https://example.com"),
        ("line_items[0][quantity]", "1"),
        ("line_items[0][price_data][currency]", "usd"),
        ("line_items[0][price_data][unit_amount]", "700"),
        ("line_items[0][price_data][product_data][name]", "Tea"),
    ];
    let session = made(&stripe, "/v1/checkout/sessions", &form).await;
    later(&space, 1);
    let gone = answer(stripe.get(&format!("/v1/checkout/sessions/{}", id(&session)))).await.1;
    assert_eq!((&gone["status"], &gone["url"]), (&json!("expired"), &Value::Null));
    let act = space.act("stripe", json!({"complete_checkout": {"session": id(&session)}}));
    assert!(act.unwrap_err().to_string().contains("is expired"));
}

#[tokio::test]
async fn a_declined_checkout_stays_open_and_says_why() {
    let (space, stripe) = shop();
    let form = [
        ("mode", "payment"),
        ("success_url", "https://example.com"),
        ("line_items[0][price_data][currency]", "usd"),
        ("line_items[0][price_data][unit_amount]", "700"),
        ("line_items[0][price_data][product_data][name]", "Tea"),
    ];
    let session = made(&stripe, "/v1/checkout/sessions", &form).await;
    let complete = |card: &str| {
        space.act("stripe", json!({"complete_checkout": {"session": id(&session), "payment_method": card}}))
    };
    assert!(complete("pm_card_chargeDeclined").unwrap_err().to_string().contains("Your card was declined."));
    assert_eq!(complete("pm_card_visa").unwrap()["status"], "complete");
}

#[tokio::test]
async fn what_the_twin_does_not_read_is_named_in_the_journal() {
    let (space, stripe) = shop();
    let form =
        [("amount", "900"), ("currency", "usd"), ("mandate", "m"), ("metadata[a]", "1"), ("expand[]", "customer")];
    made(&stripe, "/v1/payment_intents", &form).await;
    let calls = space.calls("stripe", Some("payment_intents.create"));
    let call = serde_json::to_value(&calls[0]).unwrap();
    assert_eq!(call["unread"], json!(["mandate"]), "{call}");
}

#[tokio::test]
async fn a_body_that_is_no_form_is_refused_as_the_service_refuses_it() {
    let (_space, stripe) = shop();
    let send = |kind: &'static str, body: &'static str| {
        let request =
            stripe.client.post(format!("{}/v1/customers", stripe.base)).bearer_auth(crate::support::STRIPE_KEY);
        answer(request.header("content-type", kind).body(body))
    };
    let (status, error) = send("application/json", "{\"name\": \"Ann\"}").await;
    assert_eq!(status, 400);
    assert!(error["error"]["message"].as_str().unwrap().contains("application/x-www-form-urlencoded"), "{error}");
    assert_eq!(send("application/json", "{").await.0, 400);
    assert_eq!(
        send("application/x-www-form-urlencoded", "metadata=x").await.1["error"]["message"],
        "Metadata must be a hash"
    );
}

#[tokio::test]
async fn answers_carry_the_headers_that_the_service_sends() {
    let (_space, stripe) = shop();
    let request = stripe.get("/v1/customers").header("stripe-account", "acct_1").header("stripe-version", "2024-06-20");
    let response = request.send().await.unwrap();
    assert_eq!(
        (header(&response, "stripe-version"), header(&response, "stripe-account")),
        ("2024-06-20".to_owned(), "acct_1".to_owned())
    );
    assert!(header(&response, "request-id").starts_with("req_"));
    let (status, error) = answer(stripe.get("/v1/customers").header("stripe-version", "latest")).await;
    assert_eq!((status, &error["error"]["message"]), (400, &json!("Invalid Stripe API version: latest")));
}

#[tokio::test]
async fn numbers_that_are_too_large_are_refused_and_never_counted_with() {
    let (_space, stripe) = shop();
    let customer = made(&stripe, "/v1/customers", &[("payment_method", "pm_card_visa")]).await;
    let price = |count: &'static str, unit: &'static str, amount: &'static str| {
        let form = [
            ("currency", "usd"),
            (unit, amount),
            ("recurring[interval]", "month"),
            ("recurring[interval_count]", count),
            ("product_data[name]", "Plan"),
        ];
        answer(stripe.post("/v1/prices", &form))
    };
    assert_eq!(price("37", "unit_amount", "1").await.1["error"]["param"], "recurring[interval_count]");
    assert_eq!(price("1", "unit_amount", "9223372036854775807").await.1["error"]["code"], "parameter_invalid_integer");
    let dear = price("36", "unit_amount_decimal", "999999999999999999999999").await.1;
    let form = [
        ("customer", id(&customer)),
        ("items[0][price]", id(&dear)),
        ("items[0][quantity]", "999999999999"),
        ("payment_behavior", "default_incomplete"),
    ];
    assert_eq!(answer(stripe.post("/v1/subscriptions", &form)).await.0, 200);
    let form = [("customer", id(&customer)), ("items[0][price]", id(&dear)), ("trial_period_days", "731")];
    assert_eq!(answer(stripe.post("/v1/subscriptions", &form)).await.1["error"]["param"], "trial_period_days");
}

#[tokio::test]
async fn a_renewal_that_no_card_pays_is_tried_four_times_and_no_more() {
    let (space, stripe) = shop();
    let subscription = subscribed(&stripe, "pm_card_visa").await;
    let method = subscription["default_payment_method"].as_str().unwrap();
    made(&stripe, &format!("/v1/payment_methods/{method}/detach"), &[]).await;
    let path = format!("/v1/subscriptions/{}", id(&subscription));
    made(&stripe, &path, &[("default_payment_method", "")]).await;
    later(&space, 60);
    let ended = answer(stripe.get(&path)).await.1;
    assert_eq!(ended["status"], "canceled");
    let renewal = answer(stripe.get(&format!("/v1/invoices/{}", ended["latest_invoice"].as_str().unwrap()))).await.1;
    assert_eq!((&renewal["attempt_count"], &renewal["status"]), (&json!(4), &json!("open")));
}

#[tokio::test]
async fn the_source_of_a_balance_transaction_expands_to_whatever_it_is() {
    let (_space, stripe) = shop();
    answer(stripe.pay("pm_card_visa")).await;
    let path = "/v1/balance_transactions?expand[]=data.source.payment_intent";
    let list = answer(stripe.get(path)).await.1;
    assert_eq!(list["data"][0]["source"]["payment_intent"]["status"], "succeeded", "{list}");
}
