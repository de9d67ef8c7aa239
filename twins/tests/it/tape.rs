//! Recording a service and playing the recording back; how long answers take.

use std::path::{Path, PathBuf};

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tempfile::TempDir;
use twins::{Served, Space};

use crate::support::{answer, client, header, space};

const KEY: &str = "sk-live-0123456789abcdef";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/llm.yaml");

fn post(served: &Served, path: &str, body: &Value) -> RequestBuilder {
    let request = client().post(format!("{}{path}", served.base_url)).bearer_auth(KEY).json(body);
    request.header("anthropic-version", "2023-06-01")
}

fn ask(text: &str) -> Value {
    json!({"model": "gpt-4o", "messages": [{"role": "user", "content": text}]})
}

async fn text(request: RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

fn replay(space: &Space, twin: &str, file: &Path) -> Served {
    space.serve(twin, json!({"replay": {"file": file}})).unwrap()
}

/// A recording of three questions to a twin that stands for the real service, which is gone afterwards.
struct Recorded {
    answers: Vec<(u16, String)>,
    file: PathBuf,
    _folder: TempDir,
}

async fn recorded() -> Recorded {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openai.yaml");
    let (real, recording) = (space(), space());
    let upstream = real.serve("openai", json!({"api_key": KEY, "script": SCRIPT})).unwrap();
    let config = json!({"record": {"upstream": upstream.base_url, "file": file, "redact": ["Ann"]}});
    let served = recording.serve("openai", config).unwrap();
    let mut streamed = ask("Count");
    streamed["stream"] = json!(true);
    let secret = ask(&format!("My key is {KEY}, my name is Ann"));
    let mut answers = Vec::new();
    for body in [&ask("Hi"), &streamed, &secret] {
        answers.push(text(post(&served, "/v1/chat/completions", body)).await);
    }
    recording.close().await;
    real.close().await;
    Recorded { answers, file, _folder: folder }
}

#[tokio::test]
async fn what_was_recorded_is_played_without_the_service() {
    let recorded = recorded().await;
    assert!(recorded.answers.iter().all(|(status, _)| *status == 200), "{:?}", recorded.answers);
    let space = space();
    let served = replay(&space, "openai", &recorded.file);
    // Another order of fields, another temperature: the same question.
    let body = r#"{"temperature":0.5,"messages":[{"content":"Hi","role":"user"}],"model":"gpt-4o"}"#;
    let first = client().post(format!("{}/v1/chat/completions", served.base_url)).bearer_auth("other-key-0001");
    let first = text(first.header("content-type", "application/json").body(body)).await;
    assert_eq!(first, recorded.answers[0]);
    let mut streamed = ask("Count");
    streamed["stream"] = json!(true);
    let response = post(&served, "/v1/chat/completions", &streamed).send().await.unwrap();
    assert!(header(&response, "content-type").starts_with("text/event-stream"));
    assert_eq!(response.text().await.unwrap(), recorded.answers[1].1);
}

#[tokio::test]
async fn secrets_never_reach_the_file_and_are_no_part_of_the_question() {
    let recorded = recorded().await;
    let written = std::fs::read_to_string(&recorded.file).unwrap();
    for secret in [KEY, "Ann", "org-twin", "authorization", "uthorization"] {
        assert!(!written.contains(secret), "{secret} was written down");
    }
    let space = space();
    let config = json!({"replay": {"file": recorded.file, "redact": ["Ann"]}});
    let served = space.serve("openai", config).unwrap();
    let secret = ask(&format!("My key is {KEY}, my name is Ann"));
    assert_eq!(text(post(&served, "/v1/chat/completions", &secret)).await.0, 200);
}

#[tokio::test]
async fn a_miss_names_the_nearest_recording_and_each_difference() {
    let recorded = recorded().await;
    let space = space();
    let served = replay(&space, "openai", &recorded.file);
    let mut other = ask("Hello");
    other["tools"] = json!([{"type": "function", "function": {"name": "t"}}]);
    let response = post(&served, "/v1/chat/completions", &other).send().await.unwrap();
    assert_eq!((response.status().as_u16(), header(&response, "x-should-retry").as_str()), (501, "false"));
    let body: Value = response.json().await.unwrap();
    insta::assert_snapshot!(body["error"]["message"].as_str().unwrap(), @r#"no recording fits this POST /v1/chat/completions; the nearest is number 1, where messages[0].content: recorded "Hi", asked "Hello"; tools[0].function.name: recorded nothing, asked "t"; tools[0].type: recorded nothing, asked "function""#);
}

#[tokio::test]
async fn a_question_has_as_many_answers_as_were_recorded() {
    let recorded = recorded().await;
    let space = space();
    let served = replay(&space, "openai", &recorded.file);
    assert_eq!(text(post(&served, "/v1/chat/completions", &ask("Hi"))).await.0, 200);
    let (status, body) = answer(post(&served, "/v1/chat/completions", &ask("Hi"))).await;
    assert_eq!(status, 501);
    assert!(body["error"]["message"].as_str().unwrap().contains("asked 2 times in the same words, and 1 answers"));
}

#[tokio::test]
async fn what_differs_from_run_to_run_can_be_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tape.yaml");
    let exchange = r#"when:
  path: /v1/messages
  method: POST
  body: '{"model": "m", "messages": [{"role": "user", "content": "It is 2026-11-20."}]}'
then:
  status: 200
  header:
  - name: content-type
    value: application/json
  body: '{"said": "yes"}'
"#;
    std::fs::write(&file, format!("{exchange}---\n{}", exchange.replace("yes", "and again"))).unwrap();
    let space = space();
    let config = json!({"replay": {"file": file, "ignore": ["\\d{4}-\\d\\d-\\d\\d"]}});
    let served = space.serve("anthropic", config).unwrap();
    for said in ["yes", "and again"] {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "It is 2031-01-01."}]});
        assert_eq!(answer(post(&served, "/v1/messages", &body)).await, (200, json!({"said": said})));
    }
}

#[tokio::test]
async fn recordings_that_cannot_be_used_are_refused_when_the_twin_is_opened() {
    let recorded = recorded().await;
    let space = space();
    let error = |config| space.serve("openai", config).unwrap_err().to_string();
    let upstream = "http://127.0.0.1:9";
    for (config, why) in [
        (json!({"record": {"upstream": upstream, "file": recorded.file}}), "delete it to record again"),
        (json!({"replay": {"file": "/nowhere.yaml"}}), "cannot read `/nowhere.yaml`"),
        (json!({"replay": {"file": recorded.file, "ignore": ["("]}}), "is no pattern"),
        (
            json!({"record": {"upstream": upstream, "file": "x"}, "replay": {"file": recorded.file}}),
            "exclude each other",
        ),
    ] {
        assert!(error(config).contains(why), "{why}");
    }
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tape.yaml");
    let space = space();
    let config = json!({"record": {"upstream": "http://127.0.0.1:9", "file": file}});
    let served = space.serve("openai", config).unwrap();
    let (status, body) = answer(post(&served, "/v1/chat/completions", &ask("Hi"))).await;
    assert_eq!(status, 501);
    assert!(body["error"]["message"].as_str().unwrap().contains("cannot ask http://127.0.0.1:9"));
    assert!(!file.exists());
}

#[tokio::test]
async fn an_answer_takes_virtual_time_and_no_real_one() {
    let space = space();
    let speed = json!({"first_token_ms": 60_000, "tokens_per_second": 1});
    let config = json!({"api_key": KEY, "script": SCRIPT, "speed": speed});
    let served = space.serve("openai", config).unwrap();
    let before = space.now();
    let response = post(&served, "/v1/chat/completions", &ask("Hi")).send().await.unwrap();
    let processing: i64 = header(&response, "openai-processing-ms").parse().unwrap();
    let tokens = response.json::<Value>().await.unwrap()["usage"]["completion_tokens"].as_i64().unwrap();
    assert_eq!(processing, 60_000 + tokens * 1_000);
    assert_eq!(space.now().duration_since(before).as_millis(), i128::from(processing) + 1);
}

#[tokio::test]
async fn in_real_time_the_first_events_come_before_the_last() {
    let space = space();
    let speed = json!({"tokens_per_second": 8, "real_time": true});
    let served = space.serve("openai", json!({"api_key": KEY, "script": SCRIPT, "speed": speed})).unwrap();
    let mut streamed = ask("Count");
    streamed["stream"] = json!(true);
    let mut response = post(&served, "/v1/chat/completions", &streamed).send().await.unwrap();
    let first = response.chunk().await.unwrap().unwrap();
    // An answer that is not paced comes in one piece or a few; here each event is a piece of its own.
    assert_eq!(String::from_utf8_lossy(&first).matches("data: ").count(), 1);
    let mut pieces = 1;
    while let Some(chunk) = response.chunk().await.unwrap() {
        pieces += usize::from(!chunk.is_empty());
    }
    assert!(pieces > 3);
}
