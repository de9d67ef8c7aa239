//! Resend beyond what its SDKs see, and as they see it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use twins::{Engine, EngineOptions, Served, Space};

use crate::{
    sdk::{Evidence, run},
    support::{answer, client, post_json, space},
};

const KEY: &str = "re_twin";

fn mail() -> Value {
    json!({"from": "Shop <shop@shop.test>", "to": "Ann <ann@example.com>", "subject": "Hello", "text": "Hi"})
}

fn with(mut mail: Value, field: &str, value: Value) -> Value {
    mail[field] = value;
    mail
}

async fn send(served: &Served, mail: &Value) -> (u16, Value) {
    answer(post_json(served, "/emails", KEY, mail)).await
}

fn messages(space: &Space) -> Vec<Value> {
    space.state("resend").unwrap()["messages"].as_array().unwrap().clone()
}

/// What the service signs must not be old by the real clock, on which the SDKs look.
#[tokio::test(flavor = "multi_thread")]
async fn official_sdks_drive_resend() {
    let mut seen = Evidence::default();
    for (script, sdk) in
        [("python/resend_mail.py", "resend (Python) 2.51.0"), ("node/resend_mail.mjs", "resend (Node) 6.38.0")]
    {
        let engine = Engine::new(EngineOptions { seed: 7, start_at: Timestamp::now() });
        let space = Arc::new(engine.space("test", 1));
        let served = space.serve("resend", Value::Null).unwrap();
        run(&space, &served, script, sdk, &mut seen).await;
    }
    seen.check("resend", &[]);
}

#[tokio::test]
async fn a_message_is_kept_flat_whatever_it_was_written_like() {
    let space = space();
    let served = space.serve("resend", Value::Null).unwrap();
    let (status, sent) = send(&served, &with(mail(), "cc", json!(["Bob <bob@example.com>"]))).await;
    assert_eq!(status, 200);
    let kept = messages(&space).remove(0);
    assert_eq!(kept["id"], sent["id"]);
    assert_eq!((&kept["to"], &kept["cc"]), (&json!(["ann@example.com"]), &json!(["bob@example.com"])));
    assert_eq!((&kept["from"], &kept["from_name"]), (&json!("shop@shop.test"), &json!("Shop")));
    assert_eq!(kept["last_event"], "delivered");
}

#[tokio::test]
async fn incomplete_mail_is_refused_and_not_kept() {
    let space = space();
    let served = space.serve("resend", Value::Null).unwrap();
    for (field, value, name, message) in [
        ("from", json!(null), "missing_required_field", "Missing `from` field."),
        ("to", json!([]), "missing_required_field", "Missing `to` field."),
        ("subject", json!(""), "missing_required_field", "Missing `subject` field."),
        ("text", json!(null), "validation_error", "Missing `html` or `text` field."),
        (
            "attachments",
            json!([{"filename": "a"}]),
            "invalid_attachment",
            "Attachment must have either a `content` or `path`.",
        ),
        (
            "scheduled_at",
            json!("2020-01-01T00:00:00Z"),
            "validation_error",
            "The `scheduled_at` field must be in the future.",
        ),
    ] {
        let (status, body) = send(&served, &with(mail(), field, value)).await;
        assert_eq!((status, body), (422, json!({"statusCode": 422, "name": name, "message": message})));
    }
    let text = client().post(format!("{}/emails", served.base_url)).bearer_auth(KEY).body("hello");
    assert_eq!(answer(text).await.0, 422);
    assert_eq!(messages(&space), Vec::<Value>::new());
}

#[tokio::test]
async fn mail_that_waits_leaves_when_the_clock_gets_there() {
    let space = space();
    let served = space.serve("resend", Value::Null).unwrap();
    send(&served, &with(mail(), "scheduled_at", json!("in 10 minutes"))).await;
    assert_eq!(messages(&space)[0]["last_event"], "scheduled");
    space.advance_to(space.now() + SignedDuration::from_mins(11)).unwrap();
    assert_eq!(messages(&space)[0]["last_event"], "delivered");
}

#[tokio::test]
async fn mail_comes_from_verified_domains_only_where_they_are_configured() {
    let space = space();
    let served = space.serve("resend", json!({"domains": ["shop.test"]})).unwrap();
    assert_eq!(send(&served, &mail()).await.0, 200);
    let (status, refused) = send(&served, &with(mail(), "from", json!("me@other.test"))).await;
    assert_eq!(status, 403);
    assert!(refused["message"].as_str().unwrap().starts_with("The other.test domain is not verified."), "{refused}");
}

#[tokio::test]
async fn a_batch_is_taken_whole_or_not_at_all() {
    let space = space();
    let served = space.serve("resend", Value::Null).unwrap();
    let batch = json!([mail(), with(mail(), "to", json!("nobody"))]);
    assert_eq!(answer(post_json(&served, "/emails/batch", KEY, &batch)).await.0, 422);
    assert_eq!(messages(&space).len(), 0);
    let permissive = post_json(&served, "/emails/batch", KEY, &batch).header("x-batch-validation", "permissive");
    let (status, body) = answer(permissive).await;
    assert_eq!((status, &body["errors"][0]["index"], messages(&space).len()), (200, &json!(1), 1));
}

#[tokio::test]
async fn what_becomes_of_a_message_can_be_made_up() {
    let space = space();
    let served = space.serve("resend", Value::Null).unwrap();
    let (_, sent) = send(&served, &mail()).await;
    space.act("resend", json!({"open": {"id": sent["id"]}})).unwrap();
    assert_eq!(messages(&space)[0]["last_event"], "opened");
    assert!(
        space.act("resend", json!({"bounce": {"id": "x"}})).unwrap_err().to_string().contains("there is no email `x`")
    );
}
