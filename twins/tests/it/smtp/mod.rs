//! The mail server beyond what mail libraries see, and as they see it.

mod faults;
mod inbox;
mod sdks;
pub(crate) mod talk;

use serde_json::{Value, json};
use twins::{Served, Space};

use self::talk::Talk;
use crate::support::space;

fn served(config: Value) -> (Space, Served) {
    let space = space();
    let served = space.serve("smtp", config).unwrap();
    (space, served)
}

fn messages(space: &Space) -> Vec<Value> {
    space.state("smtp").unwrap()["messages"].as_array().unwrap().clone()
}

/// Each line and how its answer begins.
async fn goes(talk: &mut Talk, steps: &[(&str, &str)]) {
    for (said, expected) in steps {
        let answer = talk.ask(said).await;
        assert!(answer.starts_with(expected), "{said}: {answer}");
    }
}

#[tokio::test]
async fn a_message_is_taken_whole_and_seen_in_state_and_journal() {
    let (space, served) = served(Value::Null);
    let (mut talk, greeting) = Talk::begin(&served).await;
    assert_eq!(greeting, "220 mail.twin.test ESMTP Postfix\r\n");
    let ehlo = talk.ask("EHLO client.test").await;
    assert_eq!(
        ehlo,
        "250-mail.twin.test\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-VRFY\r\n250-AUTH PLAIN LOGIN\r\n\
         250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n"
    );
    assert_eq!(talk.envelope(&["ann@example.com", "eve@example.com"]).await, "354 End data with <CR><LF>.<CR><LF>\r\n");
    talk.send(b"From: Shop <a@shop.test>\r\nTo: ann@example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHi\r\n..dot\r\n.\r\n").await;
    let queued = talk.answer().await;
    let id = queued.trim().strip_prefix("250 2.0.0 Ok: queued as ").expect("is taken").to_owned();
    assert_eq!(talk.ask("QUIT").await, "221 2.0.0 Bye\r\n");
    let all = messages(&space);
    assert_eq!((all.len(), &all[0]["id"], &all[0]["subject"]), (1, &json!(id), &json!("Grüße")));
    assert_eq!((&all[0]["to"], &all[0]["bcc"]), (&json!(["ann@example.com"]), &json!(["eve@example.com"])));
    assert_eq!((&all[0]["text"], &all[0]["from_name"]), (&json!("Hi\r\n.dot\r\n"), &json!("Shop")));
    assert_eq!(all[0]["envelope"]["helo"], "client.test");
    let calls = space.calls("smtp", Some("message"));
    let call = serde_json::to_value(&calls[0]).unwrap();
    assert_eq!((&call["request"]["json"]["subject"], &call["response"]["status"]), (&json!("Grüße"), &json!(250)));
    assert_eq!(call["request"]["headers"]["rcpt-to"], "ann@example.com, eve@example.com");
    let order: Vec<_> = space.calls("smtp", None).iter().filter_map(|call| call.operation).collect();
    assert_eq!(order, ["connect", "ehlo", "mail", "rcpt", "rcpt", "data", "message", "quit"]);
}

#[tokio::test]
async fn commands_out_of_order_and_badly_written_are_refused_by_name() {
    let (_space, served) = served(json!({"recipients_max": 1, "message_bytes_max": 1_000}));
    let (mut talk, _) = Talk::begin(&served).await;
    let steps = [
        ("MAIL FROM:<a@b.test>", "503 5.5.1 Error: send HELO/EHLO first"),
        ("EHLO", "501 Syntax: EHLO hostname"),
        ("HELO client.test", "250 mail.twin.test\r\n"),
        ("RCPT TO:<a@b.test>", "503 5.5.1 Error: need MAIL command"),
        ("DATA", "503 5.5.1 Error: need RCPT command"),
        ("MAIL <a@b.test>", "501 5.5.4 Syntax: MAIL FROM:<address>"),
        ("MAIL FROM:<a b@c.test>", "501 5.1.7 Bad sender address syntax"),
        ("MAIL FROM:<a@b.test> FOO=1", "555 5.5.4 Unsupported option: FOO"),
        ("MAIL FROM:<a@b.test> SIZE=1001", "552 5.3.4 Message size exceeds fixed limit"),
        ("MAIL FROM:<jörg@b.test>", "553 5.6.7 Must declare SMTPUTF8"),
        ("MAIL FROM:<jörg@b.test> SMTPUTF8", "250 2.1.0 Ok"),
        ("MAIL FROM:<a@b.test>", "503 5.5.1 Error: nested MAIL command"),
        ("DATA", "554 5.5.1 Error: no valid recipients"),
        ("RCPT TO:<>", "501 5.1.3 Bad recipient address syntax"),
        ("RCPT TO:<ann@example.com>", "250 2.1.5 Ok"),
        ("RCPT TO:<bob@example.com>", "452 4.5.3 Error: too many recipients"),
        ("RSET now", "501 5.5.4 Syntax: RSET"),
        ("RSET", "250 2.0.0 Ok"),
        ("STARTTLS", "502 5.5.1 Error: command not implemented"),
        ("VRFY ann@example.com", "252 2.0.0 ann@example.com"),
        ("HELP", "502 5.5.2 Error: command not recognized"),
    ];
    goes(&mut talk, &steps).await;
}

#[tokio::test]
async fn who_only_makes_mistakes_is_sent_away() {
    let (_space, served) = served(Value::Null);
    let mut talk = Talk::greeted(&served).await;
    for _ in 0..20 {
        assert!(talk.ask("NONSENSE").await.starts_with("502"));
    }
    assert_eq!(talk.ask("NOOP").await, "421 4.7.0 mail.twin.test Error: too many errors\r\n");
    assert_eq!(talk.answer().await, "");
}

#[tokio::test]
async fn a_browser_is_told_goodbye_at_its_first_line() {
    let (space, served) = served(Value::Null);
    let (mut talk, _) = Talk::begin(&served).await;
    talk.send(b"POST / HTTP/1.1\r\nHost: mail\r\n\r\nEHLO x\r\n").await;
    assert_eq!(talk.answer().await, "221 2.7.0 Error: I can break rules, too. Goodbye.\r\n");
    assert_eq!(talk.answer().await, "");
    assert_eq!(space.calls("smtp", None).len(), 2);
}

#[tokio::test]
async fn lines_that_are_no_text_or_too_long_do_no_harm() {
    let (_space, served) = served(Value::Null);
    let mut talk = Talk::greeted(&served).await;
    talk.send(b"NOOP\0\r\n\xff\xfe\r\n").await;
    assert!(talk.answer().await.starts_with("500 5.5.2") && talk.answer().await.starts_with("500 5.5.2"));
    talk.send(&[b"NOOP ".as_slice(), &[b'x'; 1 << 20], b"\r\nRSET\r\n"].concat()).await;
    assert_eq!((talk.answer().await.as_str(), talk.answer().await.as_str()), ("250 2.0.0 Ok\r\n", "250 2.0.0 Ok\r\n"));
}

#[tokio::test]
async fn a_pipeline_is_answered_in_order_and_one_that_runs_ahead_is_cut_off() {
    let (space, served) = served(Value::Null);
    let mut talk = Talk::greeted(&served).await;
    talk.send(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<ann@example.com>\r\nRCPT TO:<bad address>\r\nDATA\r\n").await;
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(talk.answer().await[..3].to_owned());
    }
    assert_eq!(codes, ["250", "250", "501", "354"]);
    // Behind the message a client may go on at once.
    talk.send(b"Hi\r\n.\r\nRSET\r\nQUIT\r\n").await;
    assert!(talk.answer().await.starts_with("250 2.0.0 Ok: queued as "));
    assert!(talk.answer().await.starts_with("250") && talk.answer().await.starts_with("221"));
    let mut ahead = Talk::greeted(&served).await;
    ahead.send(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<ann@example.com>\r\nDATA\r\nHi\r\n.\r\n").await;
    assert!(ahead.answer().await.starts_with("250") && ahead.answer().await.starts_with("250"));
    assert_eq!(ahead.answer().await, "554 5.5.0 Error: SMTP protocol synchronization\r\n");
    assert_eq!(messages(&space).len(), 1);
}

#[tokio::test]
async fn a_smuggled_message_stays_inside_of_the_one_that_carries_it() {
    let (space, served) = served(Value::Null);
    let mut talk = Talk::greeted(&served).await;
    talk.envelope(&["ann@example.com"]).await;
    talk.send(b"Subject: one\r\n\r\nHi\n.\r\nMAIL FROM:<eve@x.test>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n.\r\n")
        .await;
    assert!(talk.answer().await.starts_with("250"));
    assert_eq!(talk.ask("NOOP").await, "250 2.0.0 Ok\r\n");
    let all = messages(&space);
    assert_eq!(all.len(), 1);
    assert!(all[0]["text"].as_str().unwrap().contains("MAIL FROM:<eve@x.test>"));
}

#[tokio::test]
async fn a_server_that_rejects_bare_newlines_ends_the_conversation() {
    let (space, served) = served(json!({"bare_newline": "reject"}));
    let mut talk = Talk::greeted(&served).await;
    talk.envelope(&["ann@example.com"]).await;
    talk.send(b"Hi\nthere\r\n.\r\n").await;
    assert_eq!(talk.answer().await, "550 5.5.2 mail.twin.test Error: bare <LF> received\r\n");
    assert_eq!((talk.answer().await.as_str(), messages(&space).len()), ("", 0));
}

#[tokio::test]
async fn what_is_larger_than_announced_is_read_and_refused() {
    let (space, served) = served(json!({"message_bytes_max": 100}));
    let mut talk = Talk::greeted(&served).await;
    talk.envelope(&["ann@example.com"]).await;
    talk.send(&[vec![b'x'; 200_000], b"\r\n.\r\n".to_vec()].concat()).await;
    assert_eq!(talk.answer().await, "552 5.3.4 Error: message file too big\r\n");
    talk.envelope(&["ann@example.com"]).await;
    talk.send(b"Hi\r\n.\r\n").await;
    assert!(talk.answer().await.starts_with("250"));
    assert_eq!(messages(&space).len(), 1);
}

#[tokio::test]
async fn chunks_are_put_together() {
    let (space, served) = served(Value::Null);
    let mut talk = Talk::greeted(&served).await;
    goes(&mut talk, &[("MAIL FROM:<a@b.test>", "250"), ("RCPT TO:<ann@example.com>", "250")]).await;
    talk.send(b"BDAT 14\r\nSubject: two\r\nBDAT 8 LAST\r\n\r\n.\r\nHi\n").await;
    assert_eq!(talk.answer().await, "250 2.0.0 Ok: 14 bytes\r\n");
    assert!(talk.answer().await.starts_with("250 2.0.0 Ok: queued as "));
    let all = messages(&space);
    assert_eq!((&all[0]["subject"], &all[0]["text"]), (&json!("two"), &json!(".\r\nHi\n")));
    talk.send(b"BDAT 3 LAST\r\nabc").await;
    assert!(talk.answer().await.starts_with("503"), "nobody is to get it");
    assert_eq!(talk.ask("BDAT three").await, "501 5.5.4 Syntax: BDAT count [LAST]\r\n");
    assert_eq!(talk.answer().await, "", "nobody knows where the next command begins");
}

#[tokio::test]
async fn who_has_to_sign_in_is_no_relay_before() {
    let (space, served) = served(json!({"users": {"ann": "secret"}, "domains": ["example.com"]}));
    let mut talk = Talk::greeted(&served).await;
    let steps = [
        ("MAIL FROM:<a@b.test>", "250"),
        ("RCPT TO:<ann@example.com>", "554 5.7.1 <ann@example.com>: Relay access denied"),
        ("AUTH PLAIN AGFubgBzZWNyZXQ=", "503 5.5.1 Error: MAIL transaction in progress"),
        ("RSET", "250"),
        ("AUTH", "501 5.5.4 Syntax: AUTH mechanism"),
        ("AUTH CRAM-MD5", "535 5.7.8 Error: authentication failed: Invalid authentication mechanism"),
        ("AUTH PLAIN AGFubgB3cm9uZw==", "535 5.7.8"),
        ("AUTH PLAIN %", "535 5.7.8 Error: authentication failed: Invalid base64"),
        ("AUTH LOGIN", "334 VXNlcm5hbWU6"),
        ("*", "501 5.7.0 Authentication aborted"),
        ("AUTH LOGIN", "334 VXNlcm5hbWU6"),
        ("YW5u", "334 UGFzc3dvcmQ6"),
        ("c2VjcmV0", "235 2.7.0 Authentication successful"),
        ("AUTH PLAIN AGFubgBzZWNyZXQ=", "503 5.5.1 Error: already authenticated"),
        ("MAIL FROM:<a@b.test>", "250"),
        ("RCPT TO:<ann@elsewhere.test>", "554 5.7.1 <ann@elsewhere.test>: Relay access denied"),
        ("RCPT TO:<ann@example.com>", "250"),
    ];
    goes(&mut talk, &steps).await;
    let lines = space.export_jsonl(0, 100);
    assert!(!lines.contains("secret") && !lines.contains("c2VjcmV0"), "no password is in the journal: {lines}");
}

#[tokio::test]
async fn unknown_mailboxes_and_new_faces_are_refused() {
    let (space, served) = served(json!({"mailboxes": ["ann@example.com"], "greylist_s": 300}));
    let mut talk = Talk::greeted(&served).await;
    let unknown = "550 5.1.1 <bob@example.com>: Recipient address rejected: User unknown";
    let greylisted = "450 4.2.0 <ann@example.com>: Recipient address rejected: Greylisted, come back in ";
    let steps = [
        ("MAIL FROM:<a@b.test>", "250"),
        ("RCPT TO:<bob@example.com>", unknown),
        ("VRFY bob@example.com", unknown),
        ("RCPT TO:<ann@example.com>", greylisted),
        ("RCPT TO:<Ann@example.com>", "450"),
    ];
    goes(&mut talk, &steps).await;
    space.advance_to(space.now() + jiff::SignedDuration::from_secs(301)).unwrap();
    goes(&mut talk, &[("RCPT TO:<ann@example.com>", "250 2.1.5 Ok")]).await;
}

#[tokio::test]
async fn a_greeting_names_a_space_where_spaces_are_named() {
    let (space, served) = served(Value::Null);
    space.name_spaces("x-twin-space").unwrap();
    let (mut talk, _) = Talk::begin(&served).await;
    goes(&mut talk, &[("EHLO a.twin-space", "250-mail.twin.test")]).await;
    talk.envelope(&["ann@example.com"]).await;
    talk.send(b"Hi\r\n.\r\n").await;
    assert!(talk.answer().await.starts_with("250"));
    assert_eq!((messages(&space).len(), messages(&space.named("a").unwrap()).len()), (0, 1));
    goes(&mut talk, &[("EHLO no space.twin-space", "501")]).await;
}

#[tokio::test]
async fn configurations_that_cannot_be_are_refused() {
    let refused = |config: Value| space().serve("smtp", config).unwrap_err().to_string();
    assert!(
        refused(json!({"tls": "implicit"}))
            .contains("its `tls` needs an authority; serve it with `--tls --ca-dir DIR`")
    );
    assert!(refused(json!({"message_bytes_max": 0})).contains("`message_bytes_max` is 1 to 10240000"));
    assert!(refused(json!({"hostname": "a b"})).contains("`hostname` is no name of a host"));
    assert!(refused(json!({"greylist_s": 100_000})).contains("`greylist_s` is at most 86400"));
}
