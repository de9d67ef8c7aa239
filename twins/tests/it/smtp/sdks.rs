//! Mail libraries as clients, and TLS as they ask for it.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use twins::{Authority, Served, Space};

use super::{goes, messages, talk::Talk};
use crate::{
    sdk::{Evidence, run_with},
    support::{client, space},
};

const LIBRARIES: [(&str, &str); 3] = [
    ("python/smtp_mail.py", "smtplib of Python"),
    ("python/smtp_async.py", "aiosmtplib 5.1.3"),
    ("node/smtp_mail.mjs", "nodemailer 10.6.0"),
];
const UNDRIVEN: [(&str, &str); 2] =
    [("bdat", "none of these libraries sends chunks"), ("malformed", "libraries send text")];

/// A server with an authority, and the folder of that.
fn secure(config: Value) -> (Arc<Space>, Served, Arc<Authority>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (space, authority) = (Arc::new(space()), Authority::open(folder.path()).unwrap());
    space.secure(Arc::clone(&authority));
    let served = space.serve("smtp", config).unwrap();
    (space, served, authority, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_libraries_drive_smtp() {
    let mut seen = Evidence::default();
    for (script, library) in LIBRARIES {
        let (space, served, authority, _folder) = secure(json!({"users": {"ann": "secret"}}));
        let known = [("TWIN_CA_FILE", authority.certificate_file())];
        run_with(&space, &served, script, library, &known, &mut seen).await;
    }
    seen.check("smtp", &UNDRIVEN);
}

async fn handshake(authority: &Authority, stream: TcpStream) -> TlsStream<TcpStream> {
    client(); // chooses the cryptography of the clients here
    let pem = std::fs::read(authority.certificate_file()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let host = ServerName::try_from("mail.twin.test").unwrap();
    TlsConnector::from(Arc::new(config)).connect(host, stream).await.unwrap()
}

async fn ask(stream: &mut TlsStream<TcpStream>, said: &str) -> String {
    stream.write_all(said.as_bytes()).await.unwrap();
    let mut answer = [0; 1_024];
    let read = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test]
async fn nothing_goes_before_tls_where_tls_is_required() {
    let (_space, served, ..) = secure(json!({"tls": "required"}));
    let (mut talk, _) = Talk::begin(&served).await;
    let ehlo = talk.ask("EHLO client.test").await;
    assert!(ehlo.contains("250-STARTTLS\r\n") && !ehlo.contains("AUTH"), "{ehlo}");
    let steps = [
        ("MAIL FROM:<a@b.test>", "530 5.7.0 Must issue a STARTTLS command first"),
        ("AUTH PLAIN AGFubgBzZWNyZXQ=", "530"),
        ("NOOP", "250"),
        ("STARTTLS now", "501 5.5.4 Syntax error (no parameters allowed)"),
        ("STARTTLS", "220 2.0.0 Ready to start TLS"),
    ];
    goes(&mut talk, &steps).await;
}

/// What somebody in between adds to the client's words in the clear must not be taken as said over TLS.
#[tokio::test]
async fn what_was_said_in_the_clear_behind_starttls_is_forgotten() {
    let (space, served, authority, _folder) = secure(Value::Null);
    let mut stream = TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
    stream.write_all(b"EHLO client.test\r\n").await.unwrap();
    let (mut seen, mut buffer) = (String::new(), [0; 1_024]);
    while !seen.contains("250 CHUNKING\r\n") {
        let read = stream.read(&mut buffer).await.unwrap();
        seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    stream.write_all(b"STARTTLS\r\nMAIL FROM:<eve@x.test>\r\n").await.unwrap();
    let read = stream.read(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..read], b"220 2.0.0 Ready to start TLS\r\n");
    let mut stream = handshake(&authority, stream).await;
    assert_eq!(ask(&mut stream, "RCPT TO:<ann@example.com>\r\n").await, "503 5.5.1 Error: send HELO/EHLO first\r\n");
    assert!(!ask(&mut stream, "EHLO client.test\r\n").await.contains("STARTTLS"));
    assert_eq!(ask(&mut stream, "STARTTLS\r\n").await, "554 5.5.1 Error: TLS already active\r\n");
    assert_eq!(space.calls("smtp", Some("mail")).len(), 0);
}

#[tokio::test]
async fn with_implicit_tls_the_greeting_is_encrypted() {
    let (space, served, authority, _folder) = secure(json!({"tls": "implicit"}));
    assert_eq!(served.base_url, format!("smtps://127.0.0.1:{}", served.port));
    let stream = TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
    let mut stream = handshake(&authority, stream).await;
    assert_eq!(ask(&mut stream, "").await, "220 mail.twin.test ESMTP Postfix\r\n");
    for said in
        ["HELO client.test\r\n", "MAIL FROM:<a@b.test>\r\n", "RCPT TO:<ann@example.com>\r\n", "DATA\r\n", "Hi\r\n.\r\n"]
    {
        ask(&mut stream, said).await;
    }
    assert_eq!(messages(&space)[0]["envelope"]["tls"], "TLSv1.3");
}
