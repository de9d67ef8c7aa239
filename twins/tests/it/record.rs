//! A service is recorded through a proxy, without secrets, and served again from the file.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use twins::{RecordOptions, Recorded, record, recorded_shapes};

use crate::support::{STRIPE_KEY, answer, client, header, serve_stripe, space, until};

fn options(upstream: &str, out: PathBuf) -> RecordOptions {
    RecordOptions { upstream: upstream.parse().unwrap(), out, redact: Vec::new(), paths: Vec::new(), port: 0 }
}

async fn written(recorded: &Recorded, exchanges: u64) {
    let progress = recorded.progress();
    until("the exchanges are written", || async { (progress.exchanges() == exchanges).then_some(()) }).await;
}

/// The lines of a recording behind the first.
fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A service that answers one request with these pieces, each once it is asked for.
async fn service(head: &'static str) -> (String, oneshot::Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (hand_over, taken) = oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut seen, mut buffer) = (Vec::new(), [0; 1024]);
        while !seen.windows(4).any(|window| window == b"\r\n\r\n") {
            let read = stream.read(&mut buffer).await.unwrap();
            seen.extend_from_slice(&buffer[..read]);
        }
        stream.write_all(head.as_bytes()).await.unwrap();
        hand_over.send(stream).unwrap();
    });
    (base, taken)
}

#[tokio::test]
async fn a_recording_has_no_secrets_and_is_served_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.recording.jsonl");
    let real = space();
    let stripe = serve_stripe(&real);
    let recorded = record(options(&stripe.base, file.clone())).unwrap();
    let create = |base: &str, mail: &'static str| {
        client().post(format!("{base}/v1/customers")).bearer_auth(STRIPE_KEY).form(&[("email", mail), ("name", "Ada")])
    };
    let (status, customer) = answer(create(&recorded.base_url, "ada@example.com")).await;
    assert_eq!((status, &customer["email"]), (200, &json!("ada@example.com")), "the client gets what the service says");
    let path = format!("/v1/customers/{}", customer["id"].as_str().unwrap());
    let read = |base: &str| client().get(format!("{base}{path}")).bearer_auth(STRIPE_KEY);
    let rename = |base: &str| client().post(format!("{base}{path}")).bearer_auth(STRIPE_KEY).form(&[("name", "Eve")]);
    for request in [read(&recorded.base_url), rename(&recorded.base_url), read(&recorded.base_url)] {
        assert_eq!(answer(request).await.0, 200);
    }
    written(&recorded, 4).await;
    recorded.close().await;

    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains(STRIPE_KEY) && !text.contains("ada@example.com"), "{text}");
    let first = &lines(&file)[0];
    assert_eq!(first["request"]["body"]["form"][0], json!(["email", "redacted-email-1@redacted.invalid"]));
    assert_eq!(first["answer"]["body"]["json"]["email"], "redacted-email-1@redacted.invalid");
    let shapes = serde_json::to_value(recorded_shapes(std::slice::from_ref(&file), &[]).unwrap()).unwrap();
    let shape = &shapes["GET /v1/customers/{id}"]["200"]["json"];
    assert_eq!(shape["properties"]["object"]["enum"], json!(["customer"]));
    assert_eq!(shape["properties"]["created"]["type"], json!(["integer"]));

    let again = space();
    let served = again.serve(file.to_str().unwrap(), Value::Null).unwrap();
    assert_eq!(served.name, "shop");
    assert_eq!(answer(create(&served.base_url, "somebody@else.example")).await.1["name"], "Ada");
    assert_eq!(answer(read(&served.base_url)).await.1["name"], "Ada");
    assert_eq!(answer(rename(&served.base_url)).await.1["name"], "Eve");
    for _ in 0..2 {
        assert_eq!(answer(read(&served.base_url)).await.1["name"], "Eve", "the last answer stays");
    }
    let other = client().get(format!("{}/v1/charges", served.base_url)).send().await.unwrap();
    assert_eq!(other.status(), 501, "what was not recorded is not made up");
    assert_eq!(again.calls("shop", Some("stub.GET /v1/customers/{id}")).len(), 3);
}

/// The caller's only thread is busy until the answer is there.
#[tokio::test]
async fn a_recorder_passes_on_while_its_caller_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let real = space();
    let stripe = serve_stripe(&real);
    let recorded = record(options(&stripe.base, folder.path().join("busy.jsonl"))).unwrap();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", recorded.port)).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    let request = b"GET /v1/customers HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    std::io::Write::write_all(&mut stream, request).unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[tokio::test]
async fn a_stream_passes_event_by_event_and_is_played_as_a_stream() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stream.jsonl");
    let (base, taken) =
        service("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\ndata: {\"n\": 1}\n\n")
            .await;
    let recorded = record(options(&base, file.clone())).unwrap();
    let mut response = client().get(format!("{}/events", recorded.base_url)).send().await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "data: {\"n\": 1}\n\n", "before the service goes on");
    let mut stream = taken.await.unwrap();
    stream.write_all(b"data: {\"token\": \"abc\"}\n\n").await.unwrap();
    drop(stream);
    assert_eq!(response.text().await.unwrap(), "data: {\"token\": \"abc\"}\n\n");
    written(&recorded, 1).await;
    let line = &lines(&file)[0];
    assert_eq!(
        line["answer"]["body"]["events"],
        json!(["data: {\"n\": 1}\n\n", "data: {\"token\":\"redacted-secret-1\"}\n\n"])
    );
    assert_eq!(line["shape"]["events"]["message"]["properties"]["n"]["type"], json!(["integer"]));
    let again = space();
    let served = again.serve(file.to_str().unwrap(), Value::Null).unwrap();
    let response = client().get(format!("{}/events", served.base_url)).send().await.unwrap();
    assert_eq!(header(&response, "content-type"), "text/event-stream");
    assert_eq!(response.text().await.unwrap().matches("data: ").count(), 2);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_marked_and_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cut.jsonl");
    let (base, taken) = service("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 10\r\n\r\nhalf").await;
    let recorded = record(options(&base, file.clone())).unwrap();
    let response = client().get(format!("{}/x", recorded.base_url)).send().await.unwrap();
    drop(taken.await.unwrap());
    assert!(response.text().await.is_err(), "the client sees the break, too");
    written(&recorded, 1).await;
    assert_eq!(lines(&file)[0]["answer"]["cut"], true);
    assert_eq!(recorded_shapes(std::slice::from_ref(&file), &[]).unwrap().0.len(), 0);
    let served = space().serve(file.to_str().unwrap(), Value::Null);
    assert!(served.is_ok(), "a recording without whole answers is one all the same");
}

#[tokio::test]
async fn what_is_no_text_is_known_by_its_hash_and_links_lead_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bytes.jsonl");
    let (base, taken) = service("HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 2\r\n").await;
    let recorded = record(options(&base, file.clone())).unwrap();
    let asking = tokio::spawn(client().get(format!("{}/logo/4711", recorded.base_url)).send());
    let rest = format!("link: <{base}/logo/4712>; rel=\"next\"\r\n\r\n");
    let mut stream = taken.await.unwrap();
    stream.write_all(rest.as_bytes()).await.unwrap();
    stream.write_all(b"\xff\xfe").await.unwrap();
    let response = asking.await.unwrap().unwrap();
    assert_eq!(header(&response, "link"), format!("<{}/logo/4712>; rel=\"next\"", recorded.base_url));
    assert_eq!(header(&response, "content-length"), "2");
    response.bytes().await.unwrap();
    written(&recorded, 1).await;
    let line = &lines(&file)[0];
    assert_eq!((&line["operation"], &line["shape"]), (&json!("GET /logo/{id}"), &json!("bytes")));
    assert_eq!(line["answer"]["body"]["bytes"]["size"], 2);
    let again = space();
    let served = again.serve(file.to_str().unwrap(), Value::Null).unwrap();
    let missing = client().get(format!("{}/logo/4711", served.base_url)).send().await.unwrap();
    assert_eq!(missing.status(), 501);
}

#[tokio::test]
async fn what_cannot_be_recorded_is_said_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("there.jsonl");
    std::fs::write(&file, "").unwrap();
    let refused = |options: RecordOptions| record(options).err().unwrap().to_string();
    let there = refused(options("http://127.0.0.1:9", file.clone()));
    assert!(there.contains("choose a file that is not there yet"), "{there}");
    let address = refused(options("mailto:a@b.c", folder.path().join("a.jsonl")));
    assert!(address.contains("write it like https://api.example.com"), "{address}");
    let mut pattern = options("http://127.0.0.1:9", folder.path().join("b.jsonl"));
    pattern.redact = vec!["(".to_owned()];
    assert!(refused(pattern).contains("`(` is no pattern"));
    let silent = record(options("http://127.0.0.1:9", folder.path().join("c.jsonl"))).unwrap();
    let response = client().get(format!("{}/x", silent.base_url)).send().await.unwrap();
    assert_eq!(response.status(), 502);
    assert!(response.text().await.unwrap().contains("cannot ask http://127.0.0.1:9"));
    std::fs::write(&file, "{\"recording\":1}\n").unwrap();
    let broken = space().serve(file.to_str().unwrap(), Value::Null).unwrap_err().to_string();
    assert!(broken.contains("there.jsonl:1:") && broken.contains("missing field `upstream`"), "{broken}");
}

#[tokio::test]
async fn a_kill_leaves_whole_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("killed.jsonl");
    let real = space();
    let stripe = serve_stripe(&real);
    let mut child = Command::new(env!("CARGO_BIN_EXE_twins"))
        .args(["record", "--upstream", &stripe.base, "--out"])
        .arg(&file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    let charges = format!("{}/v1/charges", said["base_url"].as_str().unwrap());
    for _ in 0..3 {
        assert_eq!(answer(client().get(&charges).bearer_auth(STRIPE_KEY)).await.0, 200);
    }
    let count = || async { (lines(&file).len() == 3).then_some(()) };
    until("the lines are there", count).await;
    child.kill().unwrap();
    child.wait().unwrap();
    // What a kill in the middle of a line would leave.
    let mut open = std::fs::File::options().append(true).open(&file).unwrap();
    std::io::Write::write_all(&mut open, b"{\"number\":4,\"operation\":\"GE").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_twins")).arg("shapes").arg(&file).output().unwrap();
    let shapes: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shapes["GET /v1/charges"]["200"]["json"]["properties"]["object"]["enum"], json!(["list"]));
}
