//! `SendGrid` beyond what its SDKs see, and as they see it.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};
use twins::{Served, Space};

use crate::{
    sdk::{Evidence, run},
    support::{answer, client, post_json, space},
};

const KEY: &str = "SG.twin";

fn mail(more: &Value) -> Value {
    let mut mail = json!({"personalizations": [{"to": [{"email": "ann@example.com"}]}], "from": {"email": "a@shop.test"},
        "subject": "Hello", "content": [{"type": "text/plain", "value": "Hi"}]});
    mail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    mail
}

async fn send(served: &Served, mail: &Value) -> u16 {
    post_json(served, "/v3/mail/send", KEY, mail).send().await.unwrap().status().as_u16()
}

/// The subjects of one table.
fn subjects(space: &Space, table: &str) -> Vec<Value> {
    let state = space.state("sendgrid").unwrap();
    state[table].as_array().unwrap().iter().map(|message| message["subject"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn official_sdks_drive_sendgrid() {
    let mut seen = Evidence::default();
    for (script, sdk) in [
        ("python/sendgrid_mail.py", "sendgrid 6.12.5"),
        ("python/sendgrid_events.py", "sendgrid 6.12.5"),
        ("node/sendgrid_mail.mjs", "@sendgrid/mail 8.1.6"),
        ("node/sendgrid_events.mjs", "@sendgrid/client 8.1.6"),
    ] {
        let space = Arc::new(space());
        let served = space.serve("sendgrid", Value::Null).unwrap();
        run(&space, &served, script, sdk, &mut seen).await;
    }
    seen.check("sendgrid", &[]);
}

#[tokio::test]
async fn mail_waits_for_its_time_unless_its_batch_is_held() {
    let space = space();
    let served = space.serve("sendgrid", Value::Null).unwrap();
    let batch = || async { answer(post_json(&served, "/v3/mail/batch", KEY, &json!({}))).await.1["batch_id"].clone() };
    let (paused, canceled) = (batch().await, batch().await);
    let at = space.now().as_second() + 600;
    for (subject, more) in [
        ("second", json!({"send_at": at + 1})),
        ("first", json!({"send_at": at})),
        ("paused", json!({"send_at": at, "batch_id": paused})),
        ("canceled", json!({"send_at": at, "batch_id": canceled})),
    ] {
        let mut mail = mail(&more);
        mail["subject"] = subject.into();
        assert_eq!(send(&served, &mail).await, 202);
    }
    for (batch, status) in [(&paused, "pause"), (&canceled, "cancel")] {
        let hold = json!({"batch_id": batch, "status": status});
        assert_eq!(answer(post_json(&served, "/v3/user/scheduled_sends", KEY, &hold)).await.0, 201);
    }
    assert_eq!(subjects(&space, "messages"), Vec::<Value>::new());
    space.advance_to(space.now() + SignedDuration::from_mins(11)).unwrap();
    assert_eq!(subjects(&space, "messages"), ["first", "second"]);
    assert_eq!(subjects(&space, "scheduled"), ["paused"]);
}

#[tokio::test]
async fn who_bounced_gets_nothing_more() {
    let space = space();
    let served = space.serve("sendgrid", Value::Null).unwrap();
    space.act("sendgrid", json!({"bounce": {"email": "Ann@example.com"}})).unwrap();
    assert_eq!(send(&served, &mail(&json!({}))).await, 202);
    let both = json!({"personalizations": [{"to": [{"email": "ann@example.com"}, {"email": "bob@example.com"}]}]});
    assert_eq!(send(&served, &mail(&both)).await, 202);
    assert_eq!(subjects(&space, "dropped").len(), 1);
    let message = space.state("sendgrid").unwrap()["messages"][0].clone();
    assert_eq!((&message["to"], &message["suppressed"]), (&json!(["bob@example.com"]), &json!(["ann@example.com"])));
}

#[tokio::test]
async fn a_sandbox_checks_and_keeps_nothing() {
    let space = space();
    let served = space.serve("sendgrid", Value::Null).unwrap();
    let sandbox = json!({"mail_settings": {"sandbox_mode": {"enable": true}}});
    assert_eq!(send(&served, &mail(&sandbox)).await, 200);
    let mut wrong = mail(&sandbox);
    wrong["subject"] = Value::Null;
    assert_eq!(send(&served, &wrong).await, 400);
    assert_eq!(subjects(&space, "messages"), Vec::<Value>::new());
}

#[tokio::test]
async fn limits_are_refused_by_field() {
    let space = space();
    let served = space.serve("sendgrid", Value::Null).unwrap();
    let categories: Vec<_> = (0..11).map(|n| n.to_string()).collect();
    for (more, field) in [
        (json!({ "categories": categories }), "categories"),
        (json!({"attachments": [{"content": "%", "filename": "a"}]}), "attachments.0.content"),
        (json!({"attachments": [{"content": "YQ=="}]}), "attachments.0.filename"),
        (json!({"send_at": space.now().as_second() + 4 * 86_400}), "send_at"),
        (json!({"batch_id": "made-up"}), "batch_id"),
    ] {
        let (status, body) = answer(post_json(&served, "/v3/mail/send", KEY, &mail(&more))).await;
        assert_eq!((status, &body["errors"][0]["field"]), (400, &json!(field)), "{body}");
    }
}

#[tokio::test]
async fn a_configured_receiver_has_a_key_that_is_known_before() {
    let space = space();
    let webhooks = json!([{"to": "/events", "secret": "shop", "events": ["bounce"]}]);
    let served = space.serve("sendgrid", json!({"webhooks": webhooks})).unwrap();
    let key = client().get(format!("{}/v3/user/webhooks/event/settings/signed", served.base_url)).bearer_auth(KEY);
    let known = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";
    assert!(answer(key).await.1["public_key"].as_str().unwrap().starts_with(known));
    assert_eq!(send(&served, &mail(&json!({}))).await, 202);
    space.act("sendgrid", json!({"block": {"email": "ann@example.com"}})).unwrap();
    let webhooks = space.state("sendgrid").unwrap()["webhooks"].to_string();
    assert!(webhooks.contains("bounce") && !webhooks.contains("delivered"), "{webhooks}");
}

#[tokio::test]
async fn what_nobody_can_do_is_refused_with_the_reason() {
    let space = space();
    space.serve("sendgrid", Value::Null).unwrap();
    let refused = |action: Value| space.act("sendgrid", action).unwrap_err().to_string();
    assert!(refused(json!({"open": {"email": "eve@example.com"}})).contains("no message went to eve@example.com"));
    assert!(
        refused(json!({"click": {"email": "eve@example.com"}})).contains("`click` needs the `url` that is clicked")
    );
    assert!(refused(json!({"open": {"email": "a@b.c", "url": "x"}})).contains("`url` belongs to `click`"));
}
