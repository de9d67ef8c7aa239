//! A mail server that is broken on purpose, in the words of one that really is.

use serde_json::{Value, json};
use twins::{Served, Space};

use super::{goes, messages, served, talk::Talk};

fn armed(rule: Value) -> (Space, Served) {
    let (space, served) = served(Value::Null);
    space.fault("smtp", serde_json::from_value(rule).unwrap()).unwrap();
    (space, served)
}

#[tokio::test]
async fn a_recipient_is_refused_for_now_and_taken_the_next_time() {
    let rule = json!({"operation": "rcpt", "where": {"$.request.json.to": "bob@example.com"}, "kind": "status", "status": 450, "first": 1});
    let (space, served) = armed(rule);
    let mut talk = Talk::greeted(&served).await;
    let steps = [
        ("MAIL FROM:<a@b.test>", "250"),
        ("RCPT TO:<ann@example.com>", "250"),
        ("RCPT TO:<bob@example.com>", "450 4.2.0 Recipient address rejected: Greylisted"),
        ("RCPT TO:<bob@example.com>", "250"),
    ];
    goes(&mut talk, &steps).await;
    assert_eq!(space.calls("smtp", Some("rcpt"))[1].fault.unwrap(), twins::FaultKind::Status);
}

#[tokio::test]
async fn every_failure_of_a_message_is_said_with_its_code() {
    for (status, text) in [(452, "4.3.1"), (451, "4.3.0"), (550, "5.1.1"), (552, "5.2.2"), (554, "5.7.1")] {
        let (space, served) = armed(json!({"operation": "message", "kind": "status", "status": status}));
        let mut talk = Talk::greeted(&served).await;
        talk.envelope(&["ann@example.com"]).await;
        talk.send(b"Hi\r\n.\r\n").await;
        assert!(talk.answer().await.starts_with(&format!("{status} {text} ")));
        assert_eq!((talk.ask("NOOP").await.as_str(), messages(&space).len()), ("250 2.0.0 Ok\r\n", 0));
    }
}

#[tokio::test]
async fn a_server_that_is_not_available_says_so_and_goes() {
    let (_space, served) = armed(json!({"operation": "connect", "kind": "status", "status": 421, "first": 1}));
    let (mut talk, greeting) = Talk::begin(&served).await;
    assert!(greeting.starts_with("421 4.3.2 mail.twin.test"), "{greeting}");
    assert_eq!(talk.answer().await, "");
    assert!(Talk::begin(&served).await.1.starts_with("220"));
}

#[tokio::test]
async fn a_connection_breaks_in_the_middle_of_a_message() {
    let (space, served) = armed(json!({"operation": "data", "kind": "cut_body", "after_bytes": 10, "first": 1}));
    let mut talk = Talk::greeted(&served).await;
    assert!(talk.envelope(&["ann@example.com"]).await.starts_with("354"));
    talk.send(b"Subject: Hello\r\n").await;
    assert_eq!(talk.answer().await, "");
    assert_eq!(messages(&space).len(), 0);
}

#[tokio::test]
async fn a_message_that_was_taken_may_be_answered_by_nobody() {
    for kind in ["refuse_after_commit", "timeout_after_commit"] {
        let (space, served) = armed(json!({"operation": "message", "kind": kind}));
        let mut talk = Talk::greeted(&served).await;
        talk.envelope(&["ann@example.com"]).await;
        talk.send(b"Hi\r\n.\r\n").await;
        crate::support::until("the message is there", || async { (messages(&space).len() == 1).then_some(()) }).await;
        space.close().await;
        assert_eq!(talk.answer().await, "", "{kind}");
    }
}

#[tokio::test]
async fn answers_break_on_their_way() {
    for (rule, expected) in [
        (json!({"operation": "noop", "kind": "dribble", "bytes": 3, "interval_ms": 1}), "250 2.0.0 Ok\r\n"),
        (json!({"operation": "noop", "kind": "latency", "delay_ms": 1}), "250 2.0.0 Ok\r\n"),
        (json!({"operation": "noop", "kind": "cut_body", "after_bytes": 4}), "250 "),
        (json!({"operation": "noop", "kind": "close"}), ""),
        (json!({"operation": "noop", "kind": "reset"}), ""),
    ] {
        let (_space, served) = armed(rule.clone());
        let mut talk = Talk::greeted(&served).await;
        assert_eq!(talk.ask("NOOP").await, expected, "{rule}");
    }
    let (_space, served) = armed(json!({"kind": "refuse", "first": 1}));
    assert_eq!(Talk::begin(&served).await.1, "");
    assert!(Talk::begin(&served).await.1.starts_with("220"));
}

#[tokio::test]
async fn rules_about_http_are_refused() {
    let (space, _served) = served(Value::Null);
    for kind in ["malformed_json", "malformed_chunk", "missing_end"] {
        let refused =
            space.fault("smtp", serde_json::from_value(json!({"kind": kind})).unwrap()).unwrap_err().to_string();
        assert!(refused.contains(&format!("`{kind}` breaks HTTP, which its clients do not speak")), "{refused}");
    }
}
