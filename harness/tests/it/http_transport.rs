//! How an `http` step connects: versions of the protocol, TLS, proxies, names, sockets, and servers that misbehave.

use std::{path::Path, sync::Arc};

use axum::{
    Router,
    http::{Uri, Version},
    routing::any,
};
use harness::{Kind, SubjectConfig, Suite, TrialRecord, UrlLauncher, Verdict};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use located::Source;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::kit::{self, processes, trial};

/// One trial of a scenario in a folder against what listens at a URL.
async fn trial_at(url: &str, folder: &Path, rest: &str) -> TrialRecord {
    trial_as(SubjectConfig::already_running(url), url, folder, rest).await
}

async fn trial_as(subject: SubjectConfig, url: &str, folder: &Path, rest: &str) -> TrialRecord {
    let name = folder.join("a.yaml").display().to_string();
    let source = Source::new(name, format!("scenario: a\ntitle: a\n{rest}"));
    let suite = Suite::from_sources(vec![source], Kind::Visible).unwrap_or_else(|error| panic!("{error}"));
    let launcher = UrlLauncher::new(url.parse().unwrap(), processes());
    kit::report(kit::plan(suite, subject), &launcher).await.records.remove(0)
}

fn satisfied(record: &TrialRecord) {
    assert_eq!(record.verdict, Verdict::Satisfied, "{:#?}", record.failure);
}

fn message(record: TrialRecord) -> String {
    assert_eq!(record.verdict, Verdict::Unsatisfied, "{record:#?}");
    record.failure.unwrap().message
}

/// Says which version it was asked in.
fn versions() -> Router {
    Router::new().fallback(any(|version: Version, uri: Uri| async move { format!("{version:?} {}", uri.path()) }))
}

#[tokio::test]
async fn a_step_chooses_its_version_of_the_protocol() {
    let rest = r#"
steps:
  - { http: { get: /a }, expect: { body: HTTP/1.1 /a, http_version: HTTP/1.1, checks: [{ http_version: true, equals: "1.1" }] } }
  - { http: { get: /b, http_version: "1.0" }, expect: { body: HTTP/1.0 /b } }
  - { http: { get: /c, http_version: "2" }, expect: { body: HTTP/2.0 /c, http_version: HTTP/2 } }
  - { http: { post: /d, json: { a: 1 }, http_version: "2" }, expect: { status: 200 } }
"#;
    satisfied(&trial(versions(), rest).await);
}

#[tokio::test]
async fn the_server_of_pythons_library_is_a_subject() {
    let rest = r#"
steps:
  - http: { get: /notes.py }
    expect: { status: 200, http_version: HTTP/1.0, headers: { server: { contains: SimpleHTTP } }, body: { contains: import } }
  - { http: { head: /notes.py }, expect: { status: 200, body_bytes: 0, headers: { content-length: { matches: "^[0-9]+$" } } } }
  - { http: { get: /none }, expect: { status: 404, checks: [{ xpath: "string(//h1)", equals: Error response }] } }
"#;
    let subject = kit::config(
        "subject: files\nstart: { argv: [python3, -m, http.server, --bind, 127.0.0.1, \"{{ port }}\"] }\nready: { tcp: true, within: 20s }\n",
    );
    satisfied(&kit::python_trial(subject, rest).await);
}

/// An authority with a server's certificate, and a folder with what clients need.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub(crate) folder: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Test Authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    pub(crate) fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(vec![name.to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::OrganizationName, "Shop");
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(vec![0x0a, 0xbc].into());
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// Writes `client.pem` and `client.key`.
    fn write_client(&self) {
        let (certificate, key) = self.issue("client.test");
        std::fs::write(self.folder.path().join("client.pem"), certificate.pem()).unwrap();
        std::fs::write(self.folder.path().join("client.key"), key.serialize_pem()).unwrap();
    }

    /// Serves the router over TLS; with `asks_client`, only for clients that the authority knows.
    async fn serve(&self, app: Router, asks_client: bool) -> String {
        kit::tls();
        let (certificate, key) = self.issue("shop.test");
        let builder = if asks_client {
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
            ServerConfig::builder().with_client_cert_verifier(verifier)
        } else {
            ServerConfig::builder().with_no_client_auth()
        };
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, app) = (acceptor.clone(), app.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = TowerToHyperService::new(app);
                    auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await.ok();
                });
            }
        });
        url
    }
}

#[tokio::test]
async fn a_certificate_is_verified_by_the_authority_of_the_step_and_can_be_looked_at() {
    let authority = Authority::new();
    let url = authority.serve(versions(), false).await;
    let rest = r#"
steps:
  - http: { get: /, tls: { ca: ca.pem } }
    expect:
      http_version: HTTP/2
      certificate:
        subject: "CN=shop.test, O=Shop"
        issuer: { contains: CN=Test Authority }
        serial: 0abc
        san: ["DNS:shop.test", "IP:127.0.0.1"]
        expires_in: { gt: 30d }
      checks:
        - { certificate: san, contains: "DNS:shop.test" }
        - { certificate: expire_date, filters: [days_after_now], gt: 30 }
        - { certificate: start_date, type: date }
        - { certificate: value, starts_with: "-----BEGIN CERTIFICATE-----" }
  - { http: { get: /, tls: { ca: ca.pem }, http_version: "1.1" }, expect: { http_version: HTTP/1.1, body: HTTP/1.1 / } }
  - { http: { get: /, tls: { insecure: true } }, expect: { status: 200 } }
"#;
    let record = trial_at(&url, authority.folder.path(), rest).await;
    satisfied(&record);
    assert_eq!(record.steps[0].evidence["response"]["certificate"]["serial"], "0abc");
    assert!(record.steps[0].evidence["timings"]["connect_ms"].as_f64().unwrap() > 0.0);
    assert!(record.steps[1].evidence["timings"]["first_byte_ms"].is_number());
}

#[tokio::test]
async fn what_does_not_hold_of_a_certificate_is_said() {
    let authority = Authority::new();
    let url = authority.serve(versions(), false).await;
    let rest = "steps: [{ http: { get: /, tls: { ca: ca.pem } }, expect: { certificate: { subject: x, san: [\"DNS:other\"], expires_in: { lt: 1d } } } }]";
    let record = trial_at(&url, authority.folder.path(), rest).await;
    let subjects: Vec<_> =
        record.steps[0].mismatches.iter().map(|text| text.split(": expected").next().unwrap()).collect();
    assert_eq!(subjects, ["certificate subject", "certificate san", "certificate expires_in"]);
    let rest = "steps: [{ http: { get: / }, expect: { certificate: { subject: x } } }]";
    assert!(message(trial(versions(), rest).await).contains("the answer came without TLS"));
    let error = kit::refused("steps: [{ http: { get: / }, expect: { certificate: { expires_in: { above: 1d } } } }]");
    assert!(error.contains("unknown limit `above`"), "{error}");
}

#[tokio::test]
async fn a_certificate_of_nobody_known_fails_the_step() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let url = authority.serve(versions(), false).await;
    let rest = "steps: [{ http: { get: /, tls: { ca: ca.pem } }, expect: { status: 200 } }]";
    let message = message(trial_at(&url, stranger.folder.path(), rest).await);
    assert!(message.starts_with("response: expected one, got invalid peer certificate"), "{message}");
}

#[tokio::test]
async fn a_client_can_show_a_certificate_too() {
    let authority = Authority::new();
    authority.write_client();
    let url = authority.serve(versions(), true).await;
    let step = |tls: &str| format!("steps: [{{ http: {{ get: /, tls: {tls} }}, expect: {{ status: 200 }} }}]");
    let with = step("{ ca: ca.pem, cert: client.pem, key: client.key }");
    satisfied(&trial_at(&url, authority.folder.path(), &with).await);
    let without = trial_at(&url, authority.folder.path(), &step("{ ca: ca.pem }")).await;
    assert_eq!(without.verdict, Verdict::Unsatisfied, "{without:#?}");
}

#[tokio::test]
async fn a_broken_authority_file_is_the_authors_fault() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let rest = "steps: [{ http: { get: /, tls: { ca: ca.pem } }, expect: { status: 200 } }]";
    let record = trial_at(&url, folder.path(), rest).await;
    assert_eq!(record.verdict, Verdict::Infra, "{record:#?}");
}

/// A server that answers each connection with bytes, whatever it is asked.
async fn blunt(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(say(stream, answer.clone()));
        }
    });
    address.to_string()
}

async fn say(mut stream: TcpStream, answer: Vec<u8>) {
    let mut read = [0; 4096];
    // The readiness check connects and says nothing.
    if matches!(stream.read(&mut read).await, Ok(1..)) && stream.write_all(&answer).await.is_ok() {
        stream.shutdown().await.ok();
        while matches!(stream.read(&mut read).await, Ok(1..)) {}
    }
}

#[tokio::test]
async fn servers_that_misbehave_get_a_verdict() {
    let huge = format!("HTTP/1.1 200 OK\r\nx-huge: {}\r\ncontent-length: 0\r\n\r\n", "x".repeat(1 << 20)).into_bytes();
    for (answer, words) in [
        (Vec::new(), "connection closed before message completed"),
        (b"garbage, not HTTP\r\n\r\n".to_vec(), "invalid HTTP version parsed"),
        (b"HTTP/1.1 200 OK\r\ncontent-le".to_vec(), "connection closed before message completed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec(), "a broken body: "),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec(), "a broken body: "),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nhalf".to_vec(),
            "a broken gzip body: ",
        ),
        (huge, "message head is too large"),
    ] {
        let url = format!("http://{}", blunt(answer).await);
        let rest = "steps: [{ http: { get: /, timeout: 20s }, expect: { status: 200 } }]";
        let message = message(trial_at(&url, Path::new("."), rest).await);
        assert!(message.starts_with("response: expected one, got ") && message.contains(words), "{words}: {message}");
    }
}

#[tokio::test]
async fn tls_to_a_plain_port_and_a_port_that_nobody_has_get_a_verdict() {
    let address = blunt(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    let rest = "steps: [{ http: { get: /, tls: { insecure: true }, timeout: 20s }, expect: { status: 200 } }]";
    let got = message(trial_at(&format!("https://{address}"), Path::new("."), rest).await);
    assert!(got.contains("received corrupt message"), "{got}");
    let mut subject = SubjectConfig::already_running("a");
    subject.allow_origin("http://127.0.0.1:9").unwrap();
    let rest = "steps: [{ http: { get: 'http://127.0.0.1:9/', timeout: 20s }, expect: { status: 200 } }]";
    let got = message(trial_as(subject, &format!("http://{address}"), Path::new("."), rest).await);
    assert!(got.to_lowercase().contains("refused"), "{got}");
}

#[tokio::test]
async fn a_proxy_is_asked_for_the_whole_url() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut read = [0; 4096];
            let length = stream.read(&mut read).await.unwrap_or_default();
            let line = String::from_utf8_lossy(&read[..length]).lines().next().unwrap_or_default().to_owned();
            let answer =
                format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{line}", line.len());
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    let rest = format!(
        "steps: [{{ http: {{ get: /x, connect: {{ proxy: 'http://{proxy}' }} }}, expect: {{ body: {{ matches: '^GET http://127.0.0.1:[0-9]+/x HTTP/1.1$' }} }} }}]"
    );
    satisfied(&trial(versions(), &rest).await);
}

#[tokio::test]
async fn a_name_leads_where_the_step_says() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let told = any(|headers: axum::http::HeaderMap| async move { headers["host"].to_str().unwrap().to_owned() });
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(told)).await });
    let mut subject = SubjectConfig::already_running("a");
    subject.allow_origin(&format!("http://shop.test:{port}")).unwrap();
    let rest = format!(
        "steps: [{{ http: {{ get: 'http://shop.test:{port}/', connect: {{ resolve: ['shop.test:{port}:127.0.0.1'] }} }}, expect: {{ body: 'shop.test:{port}' }} }}]"
    );
    satisfied(&trial_as(subject, &format!("http://127.0.0.1:{port}"), Path::new("."), &rest).await);
}

#[tokio::test]
async fn a_unix_socket_is_reached_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(any(|| async { "by socket" }))).await });
    let rest = format!(
        "steps: [{{ http: {{ get: /x, connect: {{ unix_socket: '{}' }} }}, expect: {{ body: by socket }} }}]",
        path.display()
    );
    satisfied(&trial(versions(), &rest).await);
}
