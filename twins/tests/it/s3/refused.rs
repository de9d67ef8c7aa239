//! How requests are refused: signatures, times, hosts, names, and what is not there.

use jiff::ToSpan;
use reqwest::Method;
use serde_json::json;

use super::{S3, Signer, config, failure};
use crate::support::{client, header};

#[tokio::test]
async fn an_error_is_the_services_own_document() {
    let s3 = S3::open();
    let response = s3.get("/photos/none%20such").await;
    assert_eq!((response.status().as_u16(), header(&response, "content-type").as_str()), (404, "application/xml"));
    let id = header(&response, "x-amz-request-id");
    let host_id = header(&response, "x-amz-id-2");
    assert_eq!(header(&response, "server"), "AmazonS3");
    assert_eq!(
        response.text().await.unwrap(),
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does \
             not exist.</Message><Key>none such</Key><Resource>/photos/none%20such</Resource>\
             <RequestId>{id}</RequestId><HostId>{host_id}</HostId></Error>"
        )
    );
}

#[tokio::test]
async fn a_wrong_signature_is_shown_what_it_should_have_signed() {
    let s3 = S3::open();
    let signer = Signer { secret: "other", ..s3.signer(&[]) };
    let text = s3.send(Method::GET, "/photos/a.txt", signer, b"").await.text().await.unwrap();
    assert!(text.contains("<Code>SignatureDoesNotMatch</Code>"), "{text}");
    assert!(text.contains("<CanonicalRequest>GET\n/photos/a.txt\n\nhost:127.0.0.1:"), "{text}");
    let signer = Signer { access_key_id: "AKIAOTHER", ..s3.signer(&[]) };
    let refused = s3.send(Method::GET, "/photos/a.txt", signer, b"").await;
    assert_eq!(failure(refused).await, (403, "InvalidAccessKeyId".to_owned()));
}

#[tokio::test]
async fn a_request_that_is_not_let_in_uses_up_no_fault() {
    let s3 = S3::open();
    let rule = json!({"operation": "GetObject", "kind": "status", "status": 503, "first": 1});
    s3.space.fault("s3", serde_json::from_value(rule).unwrap()).unwrap();
    let signer = Signer { secret: "other", ..s3.signer(&[]) };
    let refused = s3.send(Method::GET, "/photos/a.txt", signer, b"").await;
    assert_eq!(failure(refused).await, (403, "SignatureDoesNotMatch".to_owned()));
    assert_eq!(s3.get("/photos/a.txt").await.status(), 503);
    assert_eq!(s3.get("/photos/a.txt").await.status(), 200);
}

#[tokio::test]
async fn temporary_credentials_end_on_the_virtual_clock_and_need_their_token() {
    let s3 = S3::open();
    let signer = Signer { access_key_id: "ASIAOLD", ..s3.signer(&[("x-amz-security-token", "t")]) };
    let refused = s3.send(Method::GET, "/photos", signer, b"").await;
    assert_eq!(failure(refused).await, (400, "ExpiredToken".to_owned()));
    let signer = Signer { access_key_id: "ASIAOLD", ..s3.signer(&[]) };
    let refused = s3.send(Method::GET, "/photos", signer, b"").await;
    assert_eq!(failure(refused).await, (400, "InvalidToken".to_owned()));
}

#[tokio::test]
async fn a_clock_that_differs_is_refused_only_where_the_configuration_says_so() {
    let mut strict = config();
    strict["max_clock_skew_s"] = json!(900);
    for (config, late, wanted) in [(config(), 20, 200), (strict.clone(), 14, 200), (strict, 16, 403)] {
        let s3 = S3::with(config);
        let signer = Signer { at: s3.space.now() - late.minutes(), ..s3.signer(&[]) };
        let response = s3.send(Method::GET, "/photos/a.txt", signer, b"").await;
        assert_eq!(response.status().as_u16(), wanted, "{late} minutes");
        if wanted == 403 {
            assert_eq!(failure(response).await.1, "RequestTimeTooSkewed");
        }
    }
}

#[tokio::test]
async fn a_signed_url_ends_on_the_virtual_clock() {
    let s3 = S3::open();
    let signer = s3.signer(&[]);
    let credential = format!("AKIATWIN/{}", signer.scope()).replace('/', "%2F");
    let (stamp, names) = (signer.stamp(), signer.names());
    let query = format!(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={stamp}&X-Amz-Expires=60&\
         X-Amz-SignedHeaders={names}"
    );
    let signature = signer.request("GET", "/photos/a.txt", &query, "UNSIGNED-PAYLOAD");
    let url = format!("{}/photos/a.txt?{query}&X-Amz-Signature={signature}", s3.served.base_url);
    assert_eq!(client().get(&url).send().await.unwrap().text().await.unwrap(), "hello");
    s3.space.advance_to(s3.space.now() + 61.seconds()).unwrap();
    let text = client().get(&url).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("<Message>Request has expired</Message><X-Amz-Expires>60</X-Amz-Expires>"), "{text}");
    let week = url.replace("X-Amz-Expires=60", "X-Amz-Expires=604801");
    let refused = client().get(&week).send().await.unwrap();
    assert_eq!(failure(refused).await, (400, "AuthorizationQueryParametersError".to_owned()));
}

#[tokio::test]
async fn strangers_see_what_is_public_and_nothing_else() {
    let s3 = S3::open();
    let get = |path: &str| client().get(format!("{}{path}", s3.served.base_url)).send();
    assert_eq!(get("/site/index.html").await.unwrap().text().await.unwrap(), "<p>".to_owned());
    assert_eq!(get("/site?list-type=2").await.unwrap().status(), 200);
    for path in ["/", "/photos", "/photos/a.txt", "/site?acl", "/nowhere"] {
        assert_eq!(failure(get(path).await.unwrap()).await, (403, "AccessDenied".to_owned()), "{path}");
    }
    let put = client().put(format!("{}/site/new", s3.served.base_url)).body("x").send().await.unwrap();
    assert_eq!(failure(put).await, (403, "AccessDenied".to_owned()));
    let old = client().get(format!("{}/photos", s3.served.base_url)).header("authorization", "AWS AKIATWIN:x");
    assert_eq!(failure(old.send().await.unwrap()).await, (400, "InvalidRequest".to_owned()));
}

#[tokio::test]
async fn a_bucket_is_found_in_the_host_too() {
    let s3 = S3::open();
    for host in ["photos.s3.amazonaws.com", "photos.s3.localhost:4000"] {
        let mut signer = s3.signer(&[]);
        signer.headers.insert("host", host.to_owned());
        let response = s3.send(Method::GET, "/a.txt", signer, b"").await;
        assert_eq!(response.text().await.unwrap(), "hello", "{host}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_501_and_no_list() {
    let s3 = S3::open();
    for target in ["/photos?policy=", "/photos?lifecycle=", "/photos/a.txt?attributes="] {
        assert_eq!(failure(s3.get(target).await).await, (501, "NotImplemented".to_owned()), "{target}");
    }
}

#[tokio::test]
async fn faults_speak_the_dialect() {
    let s3 = S3::open();
    for (rule, wanted) in [
        (json!({"operation": "*", "kind": "status", "status": 503, "first": 1}), (503, "SlowDown")),
        (json!({"operation": "*", "kind": "rate_limit", "first": 1}), (503, "SlowDown")),
        (json!({"operation": "*", "kind": "status", "status": 500, "first": 1}), (500, "InternalError")),
        (json!({"operation": "*", "kind": "auth_expired", "first": 1}), (400, "ExpiredToken")),
    ] {
        s3.space.fault("s3", serde_json::from_value(rule).unwrap()).unwrap();
        let (status, code) = failure(s3.get("/photos/a.txt").await).await;
        assert_eq!((status, code.as_str()), wanted);
    }
    assert_eq!(s3.get("/photos/a.txt").await.status(), 200);
}
