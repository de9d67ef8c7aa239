//! Methods: arguments from wherever they come, scopes, rates, the clock.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::Workspace;
use crate::support::{answer, client, header, space};

#[tokio::test]
async fn arguments_come_as_json_form_multipart_or_query() {
    let work = Workspace::open(Value::Null);
    let url = format!("{}/api/chat.postMessage", work.served.base_url);
    let posted = |request: reqwest::RequestBuilder| async {
        let (_, body) = answer(request.bearer_auth("xoxb-twin")).await;
        assert_eq!((&body["ok"], &body["message"]["blocks"][0]["type"]), (&json!(true), &json!("divider")), "{body}");
    };
    let fields = [("channel", "general"), ("text", "x"), ("blocks", r#"[{"type":"divider"}]"#)];
    posted(client().post(&url).form(&fields)).await;
    posted(client().get(&url).query(&fields)).await;
    posted(client().post(&url).query(&fields)).await;
    let part = |(name, value): &(&str, &str)| {
        format!("--cut\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = fields.iter().map(part).collect::<String>() + "--cut--\r\n";
    posted(client().post(&url).header("content-type", "multipart/form-data; boundary=cut").body(body)).await;
    assert_eq!(work.space.state("slack").unwrap()["messages"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_token_without_the_scope_is_told_which_one() {
    let config = json!({"scopes": ["channels:read"], "channels": ["general", {"name": "secret", "private": true}]});
    let work = Workspace::open(config);
    let refused = work.call("chat.postMessage", json!({"channel": "general", "text": "x"})).await;
    assert_eq!(
        refused,
        json!({"ok": false, "error": "missing_scope", "needed": "chat:write", "provided": "channels:read"})
    );
    // Seeing public channels is not seeing private ones.
    assert_eq!(work.call("conversations.list", json!({})).await["channels"].as_array().unwrap().len(), 1);
    let private = work.call("conversations.list", json!({"types": "private_channel"})).await;
    assert_eq!((&private["error"], &private["needed"]), (&json!("missing_scope"), &json!("groups:read")));
    let request = client().get(format!("{}/api/auth.test", work.served.base_url)).bearer_auth("xoxb-twin");
    assert_eq!(header(&request.send().await.unwrap(), "x-oauth-scopes"), "channels:read");
}

#[tokio::test]
async fn a_tier_that_is_used_up_asks_for_patience_until_its_minute_is_over() {
    let work = Workspace::open(json!({"rate_limits": "tiers"}));
    for _ in 0..20 {
        assert_eq!(work.call("users.list", json!({})).await["ok"], true);
    }
    let url = format!("{}/api/users.list", work.served.base_url);
    let refused = client().post(&url).bearer_auth("xoxb-twin").send().await.unwrap();
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after").as_str()), (429, "60"));
    assert_eq!(refused.json::<Value>().await.unwrap(), json!({"ok": false, "error": "ratelimited"}));
    assert_eq!(work.call("auth.test", json!({})).await["ok"], true);
    work.space.advance_to(work.space.now() + SignedDuration::from_secs(60)).unwrap();
    assert_eq!(work.call("users.list", json!({})).await["ok"], true);
}

#[tokio::test]
async fn without_limits_nothing_is_counted() {
    let work = Workspace::open(Value::Null);
    for _ in 0..25 {
        assert_eq!(work.call("users.list", json!({})).await["ok"], true);
    }
}

#[tokio::test]
async fn a_scheduled_message_appears_when_the_clock_gets_there() {
    let work = Workspace::open(Value::Null);
    let general = work.general().await;
    let at = work.space.now().as_second() + 600;
    let waits = work.call("chat.scheduleMessage", json!({"channel": general, "text": "later", "post_at": at})).await;
    assert_eq!(waits["post_at"], at);
    work.call("chat.postMessage", json!({"channel": general, "text": "now"})).await;
    let messages = || work.space.state("slack").unwrap()["messages"].as_array().unwrap().clone();
    assert_eq!(messages().len(), 1);
    work.space.advance_to(work.space.now() + SignedDuration::from_mins(11)).unwrap();
    let late = messages()[1].clone();
    assert_eq!(late["text"], "later");
    assert!(late["ts"].as_str().unwrap().starts_with(&at.to_string()), "{late}");
    let gone = json!({"channel": general, "scheduled_message_id": waits["scheduled_message_id"]});
    assert_eq!(work.error("chat.deleteScheduledMessage", gone).await, "invalid_scheduled_message_id");
}

#[tokio::test]
async fn private_channels_are_seen_by_their_members_only() {
    let config = json!({"channels": ["general", {"name": "board", "private": true, "members": ["ann"]},
        {"name": "open", "members": ["ann"]}], "tokens": {"xoxp-ann": {"user": "ann"}}});
    let work = Workspace::open(config);
    let all = json!({"types": "public_channel,private_channel"});
    let names =
        |body: Value| body["channels"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect::<Value>();
    assert_eq!(names(work.call("conversations.list", all.clone()).await), json!(["general", "open"]));
    assert_eq!(names(work.call_as("xoxp-ann", "conversations.list", all).await.1), json!(["general", "board", "open"]));
    assert_eq!(work.error("chat.postMessage", json!({"channel": "board", "text": "x"})).await, "channel_not_found");
    // With `chat:write.public` the bot may speak where it is not, but not read.
    assert_eq!(work.error("chat.postMessage", json!({"channel": "open", "text": "x"})).await, "none");
    assert_eq!(work.error("conversations.history", json!({"channel": "C0TWIN0003"})).await, "not_in_channel");
}

#[tokio::test]
async fn a_message_with_replies_leaves_a_tombstone() {
    let work = Workspace::open(Value::Null);
    let general = work.general().await;
    let parent = work.call("chat.postMessage", json!({"channel": general, "text": "parent"})).await["ts"].clone();
    let reply = json!({"channel": general, "text": "reply", "thread_ts": parent});
    work.call("chat.postMessage", reply).await;
    work.call("chat.delete", json!({"channel": general, "ts": parent})).await;
    let thread = work.call("conversations.replies", json!({"channel": general, "ts": parent})).await;
    assert_eq!(
        (&thread["messages"][0]["subtype"], &thread["messages"][1]["text"]),
        (&json!("tombstone"), &json!("reply"))
    );
    assert_eq!(work.error("chat.delete", json!({"channel": general, "ts": parent})).await, "cant_delete_message");
}

#[tokio::test]
async fn arguments_that_are_missing_or_no_good_are_named() {
    let work = Workspace::open(Value::Null);
    let missing = work.call("conversations.info", json!({})).await;
    assert_eq!(missing["response_metadata"]["messages"], json!(["[ERROR] missing required field: channel"]));
    for (method, arguments, error) in [
        ("conversations.create", json!({}), "invalid_name_required"),
        ("conversations.create", json!({"name": "x".repeat(81)}), "invalid_name_maxlength"),
        ("conversations.list", json!({"types": "moon"}), "invalid_types"),
        ("conversations.open", json!({}), "users_list_not_supplied"),
        ("conversations.leave", json!({"channel": "C0TWIN0001"}), "cant_leave_general"),
        ("reactions.add", json!({"name": "tada"}), "no_item_specified"),
        ("chat.scheduleMessage", json!({"channel": "general", "text": "x", "post_at": "soon"}), "invalid_time"),
        ("chat.postMessage", json!({"channel": "general", "blocks": {}}), "no_text"),
        ("chat.postMessage", json!({"channel": "general", "text": "x", "blocks": {}}), "invalid_blocks_format"),
        ("chat.postMessage", json!({"channel": "general", "text": "x", "thread_ts": "1.2"}), "thread_not_found"),
        ("files.completeUploadExternal", json!({"files": [{"id": "F404"}]}), "file_not_found"),
        ("views.publish", json!({"user_id": "U0TWIN0001", "view": {"type": "modal"}}), "invalid_arguments"),
    ] {
        assert_eq!(work.error(method, arguments.clone()).await, error, "{method} {arguments}");
    }
}

#[tokio::test]
async fn bytes_that_are_not_as_announced_are_no_upload() {
    let work = Workspace::open(Value::Null);
    let given = work.call("files.getUploadURLExternal", json!({"filename": "a.bin", "length": 3})).await;
    let put = |body: &'static str| client().put(given["upload_url"].as_str().unwrap()).body(body).send();
    assert_eq!(put("four").await.unwrap().status(), 400);
    let complete = json!({"files": [{"id": given["file_id"]}]});
    assert_eq!(work.error("files.completeUploadExternal", complete.clone()).await, "file_upload_not_complete");
    assert_eq!(put("abc").await.unwrap().text().await.unwrap(), "OK - 3");
    assert_eq!(work.error("files.completeUploadExternal", complete).await, "none");
    assert_eq!(put("abc").await.unwrap().status(), 404);
}

#[tokio::test]
async fn an_app_that_is_let_in_gets_its_token() {
    let work = Workspace::open(Value::Null);
    client(); // chooses the cryptography of the clients here
    let browser = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let query = [("client_id", "1000.2000"), ("redirect_uri", "http://app.test/back"), ("state", "s1")];
    let url = format!("{}/oauth/v2/authorize", work.served.base_url);
    let sent_back = browser.get(&url).query(&query).send().await.unwrap();
    let location = url::Url::parse(&header(&sent_back, "location")).unwrap();
    let code = location.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    assert_eq!(location.query_pairs().find(|(name, _)| name == "state").unwrap().1, "s1");
    let exchange = |secret: &'static str, code: String| {
        let request = client().post(format!("{}/api/oauth.v2.access", work.served.base_url));
        answer(request.basic_auth("1000.2000", Some(secret)).form(&[("code", code)]))
    };
    assert_eq!(exchange("wrong", code.clone()).await.1["error"], "bad_client_secret");
    assert_eq!(exchange("twin-client-secret", "made-up".to_owned()).await.1["error"], "invalid_code");
    assert_eq!(exchange("twin-client-secret", code).await.1["access_token"], "xoxb-twin");
}

#[test]
fn names_in_the_configuration_must_mean_somebody() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let config = json!({"channels": [{"name": "board", "members": ["bob"]}]});
    let refused = space().serve("slack", config).unwrap_err().to_string();
    assert!(refused.contains("there is no user `bob`; add it to `users`"), "{refused}");
}
