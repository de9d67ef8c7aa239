//! The inbox of the admin API.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use super::{served, talk::Talk};
use crate::support::{answer, client, post_json};

const MIXED: &[u8] = b"From: Shop <a@shop.test>\r\nTo: ann@example.com\r\nSubject: Invoice 7\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<b>Pay</b>\r\n--b\r\n\
    Content-Type: text/csv; name=a.csv\r\nContent-Disposition: attachment; filename=a.csv\r\n\
    Content-Transfer-Encoding: base64\r\n\r\nYSxi\r\n--b--\r\n.\r\n";

async fn ask(admin: &str, method: Method, path: &str) -> (u16, Value) {
    let response = client().request(method, format!("{admin}{path}")).send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or_default())
}

#[tokio::test]
async fn mail_is_read_searched_waited_for_and_deleted() {
    let (space, served) = served(Value::Null);
    let space = Arc::new(space);
    let admin = twins::serve_admin(&space, 0).unwrap() + "/smtp/inbox";
    let waiting = tokio::spawn({
        let wait = client().post(format!("{admin}/wait")).json(&json!({"subject": "INVOICE", "within_ms": 60_000}));
        answer(wait)
    });
    let mut talk = Talk::greeted(&served).await;
    for message in [b"Subject: Welcome\r\n\r\nHi\r\n.\r\n".as_slice(), MIXED] {
        talk.envelope(&["ann@example.com"]).await;
        talk.send(message).await;
        assert!(talk.answer().await.starts_with("250"));
    }
    let (status, found) = waiting.await.unwrap();
    assert_eq!((status, &found["messages"][0]["html"]), (200, &json!("<b>Pay</b>")));
    let (_, all) = ask(&admin, Method::GET, "?to=ANN@example.com").await;
    assert_eq!((&all["total"], &all["messages"][0]["subject"]), (&json!(2), &json!("Invoice 7")));
    let (_, page) = ask(&admin, Method::GET, "?limit=1&offset=1").await;
    assert_eq!((&page["total"], &page["messages"][0]["subject"]), (&json!(2), &json!("Welcome")));
    assert_eq!(ask(&admin, Method::GET, "?query=nobody").await.1["total"], 0);
    assert_eq!(ask(&admin, Method::GET, "/latest").await.1["attachments"][0]["filename"], "a.csv");
    let text = |path: &str| client().get(format!("{admin}{path}")).send();
    assert_eq!(text("/latest/attachments/0").await.unwrap().text().await.unwrap(), "a,b");
    let raw = text("/latest/raw").await.unwrap();
    assert_eq!(raw.headers()["content-type"], "message/rfc822");
    assert_eq!(raw.bytes().await.unwrap(), MIXED[..MIXED.len() - 3]);
    assert_eq!(ask(&admin, Method::GET, "/latest/attachments/1").await.0, 404);
    assert_eq!(ask(&admin, Method::GET, "/nothing").await.0, 404);
    assert_eq!(ask(&admin, Method::DELETE, "/latest").await.0, 204);
    assert_eq!(ask(&admin, Method::DELETE, "?subject=invoice").await.1, json!({"deleted": 0}));
    assert_eq!(ask(&admin, Method::DELETE, "").await.1, json!({"deleted": 1}));
    assert_eq!(space.state("smtp").unwrap()["messages"], json!([]));
    let vain = client().post(format!("{admin}/wait")).json(&json!({"within_ms": 1}));
    let (status, told) = answer(vain).await;
    assert_eq!((status, told["error"].as_str().unwrap().contains("no such mail came in time")), (408, true));
}

#[tokio::test]
async fn every_twin_that_takes_mail_has_one() {
    let (space, _) = served(Value::Null);
    let space = Arc::new(space);
    let admin = twins::serve_admin(&space, 0).unwrap();
    let sendgrid = space.serve("sendgrid", Value::Null).unwrap();
    space.serve("stripe", Value::Null).unwrap();
    let mail = json!({"personalizations": [{"to": [{"email": "ann@example.com"}]}], "from": {"email": "a@shop.test"},
        "subject": "Hello", "content": [{"type": "text/plain", "value": "Hi"}]});
    post_json(&sendgrid, "/v3/mail/send", "SG.twin", &mail).send().await.unwrap();
    assert_eq!(ask(&admin, Method::GET, "/sendgrid/inbox/latest").await.1["subject"], "Hello");
    assert_eq!(ask(&admin, Method::GET, "/sendgrid/inbox/latest/raw").await.0, 404);
    assert_eq!(ask(&admin, Method::DELETE, "/sendgrid/inbox").await.0, 400);
    assert_eq!(ask(&admin, Method::GET, "/stripe/inbox").await.0, 404);
}
