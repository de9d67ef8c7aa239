//! Bodies: what is signed of them, their framing, documents that are none, sizes, heads.

use reqwest::Method;

use super::{S3, failure, hash};
use crate::support::header;

const STREAMING: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";

/// `data` in two signed chunks, and the end.
async fn stream(s3: &S3, data: [&[u8]; 2], length: &str, forge: impl FnOnce(&mut String)) -> reqwest::Response {
    let mut signer = s3.signer(&[
        ("x-amz-content-sha256", STREAMING),
        ("x-amz-decoded-content-length", length),
        ("content-encoding", "aws-chunked"),
    ]);
    signer.headers.insert("x-amz-date", signer.stamp());
    let mut previous = signer.request("PUT", "/photos/streamed", "", STREAMING);
    let mut body = String::new();
    for chunk in [data[0], data[1], b""] {
        previous = signer.sign("AWS4-HMAC-SHA256-PAYLOAD", &format!("{previous}\n{}\n{}", hash(b""), hash(chunk)));
        body.push_str(&format!("{:x};chunk-signature={previous}\r\n", chunk.len()));
        body.push_str(&format!("{}\r\n", String::from_utf8_lossy(chunk)));
    }
    forge(&mut body);
    s3.send(Method::PUT, "/photos/streamed", signer, body.as_bytes()).await
}

#[tokio::test]
async fn chunks_are_checked_one_by_one() {
    let s3 = S3::open();
    assert_eq!(stream(&s3, [b"hello ", b"world"], "11", |_| {}).await.status(), 200);
    let got = s3.get("/photos/streamed").await;
    assert_eq!(
        (header(&got, "content-encoding"), got.text().await.unwrap()),
        (String::new(), "hello world".to_owned())
    );
    let forged = stream(&s3, [b"hello ", b"world"], "11", |body| *body = body.replace("world", "mars!")).await;
    assert_eq!(failure(forged).await, (403, "SignatureDoesNotMatch".to_owned()));
    let short = stream(&s3, [b"hello ", b"world"], "12", |_| {}).await;
    assert_eq!(failure(short).await, (400, "IncompleteBody".to_owned()));
    let broken = stream(&s3, [b"hello ", b"world"], "11", |body| body.truncate(40)).await;
    assert_eq!(failure(broken).await, (400, "IncompleteBody".to_owned()));
    assert_eq!(s3.get("/photos/streamed").await.text().await.unwrap(), "hello world");
}

#[tokio::test]
async fn a_body_that_is_not_the_signed_one_is_refused() {
    let s3 = S3::open();
    let signer = s3.signer(&[("x-amz-content-sha256", &hash(b"one"))]);
    let refused = s3.send(Method::PUT, "/photos/k", signer, b"two").await;
    assert_eq!(failure(refused).await, (400, "XAmzContentSHA256Mismatch".to_owned()));
    let signer = s3.signer(&[("x-amz-content-sha256", "UNSIGNED-PAYLOAD")]);
    assert_eq!(s3.send(Method::PUT, "/photos/k", signer, b"two").await.status(), 200);
}

#[tokio::test]
async fn bytes_are_kept_whatever_they_say_they_are() {
    let s3 = S3::open();
    for kind in ["application/json", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"] {
        let signer = s3.signer(&[("content-type", kind)]);
        assert_eq!(s3.send(Method::PUT, "/photos/odd", signer, b"\xff{--x").await.status(), 200, "{kind}");
        let got = s3.get("/photos/odd").await;
        assert_eq!((header(&got, "content-type").as_str(), &*got.bytes().await.unwrap()), (kind, &b"\xff{--x"[..]));
    }
}

#[tokio::test]
async fn documents_that_are_none_are_malformed() {
    let s3 = S3::open();
    for body in ["", "{}", "<Delete>", "<Delete></Delete>", "<Other/>", "<!DOCTYPE a><Delete/>"] {
        let refused = s3.send(Method::POST, "/photos?delete=", s3.signer(&[]), body.as_bytes()).await;
        assert_eq!(failure(refused).await, (400, "MalformedXML".to_owned()), "{body}");
    }
    let refused = s3.put("/photos?tagging=", b"<Tagging/>").await;
    assert_eq!(failure(refused).await, (400, "MalformedXML".to_owned()));
}

#[tokio::test]
async fn a_body_over_the_limit_is_too_large() {
    let s3 = S3::open();
    let body = vec![0; 64 * 1024 * 1024 + 1];
    // The twin may answer and close before all is sent; then there is no answer to read.
    let signer = s3.signer(&[("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), ("expect", "100-continue")]);
    let refused = s3.send(Method::PUT, "/photos/big", signer, &body).await;
    assert_eq!(failure(refused).await, (400, "EntityTooLarge".to_owned()));
}

#[tokio::test]
async fn a_head_has_the_length_and_no_body() {
    let s3 = S3::open();
    let head = s3.send(Method::HEAD, "/photos/a.txt", s3.signer(&[]), b"").await;
    assert_eq!((head.status().as_u16(), header(&head, "content-length").as_str()), (200, "5"));
    assert_eq!(header(&head, "etag"), "\"5d41402abc4b2a76b9719d911017c592\"");
    assert_eq!(header(&head, "last-modified"), "Thu, 01 Jan 2026 00:00:00 GMT");
    assert_eq!(head.bytes().await.unwrap().len(), 0);
    let missing = s3.send(Method::HEAD, "/photos/none", s3.signer(&[]), b"").await;
    assert_eq!((missing.status().as_u16(), missing.bytes().await.unwrap().len()), (404, 0));
}

#[tokio::test]
async fn headers_of_an_answer_stay_on_one_line() {
    let s3 = S3::open();
    let refused = s3.get("/photos/a.txt?response-content-type=text%0Aevil").await;
    assert_eq!(failure(refused).await, (400, "InvalidArgument".to_owned()));
}
