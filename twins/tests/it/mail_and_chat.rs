//! `SendGrid` and Slack, as a shop uses them.

use serde_json::{Value, json};

use crate::support::{answer, client, header, post_json, space};

#[tokio::test]
async fn mail_is_accepted_with_an_id_and_kept() {
    let space = space();
    let served = space.serve("sendgrid", json!({"api_key": "SG.shop"})).unwrap();
    let mail = json!({"personalizations": [{"to": [{"email": "ann@example.com"}]}],
        "from": {"email": "shop@example.com"}, "subject": "Receipt",
        "content": [{"type": "text/plain", "value": "Hello Ann"}]});
    let response = post_json(&served, "/v3/mail/send", "SG.shop", &mail).send().await.unwrap();
    assert_eq!(response.status(), 202);
    let id = header(&response, "x-message-id");
    assert_eq!(response.bytes().await.unwrap().len(), 0);
    let message = &space.state("sendgrid").unwrap()["messages"][0];
    assert_eq!((&message["id"], &message["to"][0]), (&json!(id), &json!("ann@example.com")));
    assert_eq!((&message["subject"], &message["text"]), (&json!("Receipt"), &json!("Hello Ann")));
}

#[tokio::test]
async fn incomplete_mail_is_refused_by_field_and_not_kept() {
    let space = space();
    let served = space.serve("sendgrid", Value::Null).unwrap();
    let fields = |mail: Value| {
        let request = post_json(&served, "/v3/mail/send", "SG.twin", &mail);
        async move {
            let (status, body) = answer(request).await;
            assert_eq!(status, 400);
            let errors = body["errors"].as_array().unwrap().clone();
            errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        }
    };
    assert_eq!(fields(json!({})).await, ["personalizations", "from.email", "subject", "content"]);
    let bad = json!({"personalizations": [{"to": [{"email": "nobody"}]}], "from": {"email": "a@example.com"},
        "subject": "s", "content": [{"type": "text/plain", "value": ""}]});
    assert_eq!(fields(bad).await, ["personalizations.0.to.0.email", "content.0.value"]);
    assert_eq!(space.state("sendgrid").unwrap()["messages"], json!([]));
}

#[tokio::test]
async fn a_message_is_posted_as_json_or_form() {
    let space = space();
    let served = space.serve("slack", json!({"bot_token": "xoxb-shop", "channels": ["orders"]})).unwrap();
    let message = json!({"channel": "#orders", "text": "sold"});
    let (status, first) = answer(post_json(&served, "/api/chat.postMessage", "xoxb-shop", &message)).await;
    assert_eq!((status, &first["ok"], &first["message"]["text"]), (200, &json!(true), &json!("sold")));
    let form = [("channel", "orders"), ("text", "again"), ("token", "xoxb-shop"), ("blocks", "[]")];
    let request = client().post(format!("{}/api/chat.postMessage", served.base_url)).form(&form);
    let (_, second) = answer(request).await;
    assert_ne!(first["ts"], second["ts"]);
    let (seconds, number) = second["ts"].as_str().unwrap().split_once('.').unwrap();
    assert_eq!((seconds.len(), number.len()), (10, 6));
    let messages = space.state("slack").unwrap()["messages"].clone();
    assert_eq!((&messages[0]["text"], &messages[1]["text"]), (&json!("sold"), &json!("again")));
    assert_eq!(space.calls("slack", Some("chat.postMessage")).len(), 2);
}

#[tokio::test]
async fn slack_says_no_with_status_200() {
    let space = space();
    let served = space.serve("slack", Value::Null).unwrap();
    let post = |body: Value| answer(post_json(&served, "/api/chat.postMessage", "xoxb-twin", &body));
    for (body, error) in [
        (json!({"channel": "nowhere", "text": "x"}), "channel_not_found"),
        (json!({"channel": "general"}), "no_text"),
        (json!({"channel": "general", "text": "x".repeat(40_001)}), "msg_too_long"),
        (json!({"channel": "general", "blocks": "["}), "invalid_blocks_format"),
    ] {
        assert_eq!(post(body).await, (200, json!({"ok": false, "error": error})));
    }
}

#[tokio::test]
async fn conversations_page_by_cursor() {
    let space = space();
    let served = space.serve("slack", json!({"channels": ["a", "b", "c"]})).unwrap();
    let list = |cursor: Value| {
        answer(post_json(&served, "/api/conversations.list", "xoxb-twin", &json!({"limit": 2, "cursor": cursor})))
    };
    let (_, first) = list(json!("")).await;
    assert_eq!(first["channels"].as_array().unwrap().len(), 2);
    let (_, rest) = list(first["response_metadata"]["next_cursor"].clone()).await;
    assert_eq!((&rest["channels"][0]["name"], &rest["response_metadata"]["next_cursor"]), (&json!("c"), &json!("")));
    assert_eq!(list(json!("bogus")).await.1["error"], "invalid_cursor");
    let users = client().get(format!("{}/api/users.list", served.base_url)).bearer_auth("xoxb-twin");
    assert_eq!(answer(users).await.1["members"][0]["is_bot"], true);
}
