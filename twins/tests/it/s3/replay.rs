//! The same requests give the same bytes; what tests may set up and bring about.

use reqwest::Method;
use serde_json::json;

use super::{S3, config};

/// Each answer whole, without the port.
async fn story(s3: &S3) -> Vec<String> {
    let mut seen = Vec::new();
    let versioned = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    for (method, target, body) in [
        (Method::PUT, "/films", &b""[..]),
        (Method::PUT, "/films?versioning=", versioned),
        (Method::PUT, "/films/a", b"one"),
        (Method::PUT, "/films/a", b"two"),
        (Method::POST, "/films/b?uploads=", b""),
        (Method::DELETE, "/films/a", b""),
        (Method::GET, "/films?versions=", b""),
        (Method::GET, "/films/a", b""),
        (Method::GET, "/", b""),
    ] {
        let response = s3.send(method, target, s3.signer(&[]), body).await;
        let head = format!("{} {:?}", response.status(), response.headers());
        seen.push(format!("{head}\n{}", response.text().await.unwrap()).replace(&s3.host(), "twin"));
    }
    seen
}

#[tokio::test]
async fn the_same_requests_give_the_same_bytes_also_after_going_back() {
    let (one, other) = (S3::open(), S3::open());
    let before = one.space.snapshot();
    let first = story(&one).await;
    assert_eq!(story(&other).await, first);
    assert!(first[6].contains("<DeleteMarker>") && first[7].contains("NoSuchKey"), "{first:#?}");
    one.space.restore(&before);
    assert_eq!(one.space.state("s3").unwrap()["buckets"].as_array().map(Vec::len), Some(2));
    assert_eq!(story(&one).await, first);
}

#[tokio::test]
async fn objects_come_and_go_without_a_request() {
    let s3 = S3::open();
    let put = json!({"put_object": {"bucket": "photos", "key": "b", "text": "x", "content_type": "text/plain"}});
    assert_eq!(s3.space.act("s3", put).unwrap()["etag"], "\"9dd4e461268c8034f5c8564e155c67a6\"");
    assert_eq!(s3.get("/photos/b").await.text().await.unwrap(), "x");
    let state = s3.space.state("s3").unwrap();
    let object = &state["buckets"][0]["objects"][1];
    assert_eq!((&object["key"], &object["text"], &object["size_bytes"]), (&json!("b"), &json!("x"), &json!(1)));
    let delete = json!({"delete_object": {"bucket": "photos", "key": "b"}});
    s3.space.act("s3", delete.clone()).unwrap();
    assert!(s3.space.act("s3", delete).unwrap_err().to_string().contains("there is no object `b`"));
}

#[tokio::test]
async fn configurations_that_do_not_fit_are_refused() {
    for (field, value, wanted) in [
        ("buckets", json!([{"name": "X"}]), "no name for a bucket"),
        ("buckets", json!([{"name": "abc", "acl": "open"}]), "unknown variant"),
        ("surprise", json!(1), "unknown field"),
    ] {
        let mut config = config();
        config[field] = value;
        let refused = crate::support::space().serve("s3", config).unwrap_err().to_string();
        assert!(refused.contains(wanted), "{refused}");
    }
}
