//! The LLM twin on the wire: whole, streamed, and refusing.

use std::path::Path;

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tempfile::TempDir;
use twins::{Served, Space};

use crate::support::{answer, client, header, space};

const SCRIPT: &str = r#"
script: coder
model: claude-sonnet-4-6
turns:
  - turn: first look
    when: { assistant_turns: 0, has_tool: write_file }
    think: I should look at the tests first.
    say: "Task: {{ request.last_user }}"
    calls:
      - write_file: { path: app.py, content: { file: v1/app.py } }
      - write_file: { path: retry.py, content: "x" }
        when: { user_matches: "R6" }
      - shell: { command: "python3 -m py_compile app.py" }
  - turn: compiled
    when: { tool_result_matches: "^ok$" }
    say: Compiled.
  - turn: failed
    when: { assistant_turns: { gte: 1 } }
    say: It did not compile.
    stop: max_tokens
"#;

struct Twin {
    space: Space,
    served: Served,
    _folder: TempDir,
}

fn twin() -> Twin {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("v1")).unwrap();
    std::fs::write(folder.path().join("v1/app.py"), "print('né')\n").unwrap();
    let script = write(folder.path(), SCRIPT);
    let space = space();
    let served = space.serve("anthropic", json!({"api_key": "sk-ant-1", "script": script})).unwrap();
    Twin { space, served, _folder: folder }
}

fn write(folder: &Path, text: &str) -> std::path::PathBuf {
    let path = folder.join("script.yaml");
    std::fs::write(&path, text).unwrap();
    path
}

impl Twin {
    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        let request = client().post(format!("{}{path}", self.served.base_url)).json(body);
        request.header("anthropic-version", "2023-06-01").header("x-api-key", "sk-ant-1")
    }

    async fn ask(&self, body: &Value) -> (u16, Value) {
        answer(self.post("/v1/messages", body)).await
    }
}

fn request(text: &str) -> Value {
    json!({"model": "claude-sonnet-4-6", "max_tokens": 1024, "system": "You code.",
        "tools": [{"name": "write_file", "input_schema": {}}, {"name": "shell", "input_schema": {}}],
        "messages": [{"role": "user", "content": text}]})
}

/// The request after the first answer, with a result for each of its calls.
fn second(first: &Value, results: &str) -> Value {
    let mut next = request("go");
    let calls = first["content"].as_array().unwrap().iter().filter(|block| block["type"] == "tool_use");
    let answers: Vec<_> =
        calls.map(|call| json!({"type": "tool_result", "tool_use_id": call["id"], "content": results})).collect();
    let messages = next["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": first["content"]}));
    messages.push(json!({"role": "user", "content": answers}));
    next
}

#[tokio::test]
async fn a_turn_is_played_with_its_files_and_conditions() {
    let twin = twin();
    let response = twin.post("/v1/messages", &request("go")).send().await.unwrap();
    assert_eq!(header(&response, "x-twin-script"), "coder/first look");
    assert!(header(&response, "request-id").starts_with("req_"));
    let message: Value = response.json().await.unwrap();
    let kinds: Vec<_> = message["content"].as_array().unwrap().iter().map(|block| block["type"].clone()).collect();
    assert_eq!(kinds, ["thinking", "text", "tool_use", "tool_use"]);
    assert_eq!(message["content"][1]["text"], "Task: go");
    assert_eq!(message["content"][2]["input"], json!({"path": "app.py", "content": "print('né')\n"}));
    assert_eq!(message["stop_reason"], "tool_use");
    assert!(message["usage"]["input_tokens"].as_u64().unwrap() > 20);
    let named = twin.ask(&request("repair R6")).await.1;
    assert_eq!(named["content"][3]["input"]["path"], "retry.py");
    assert_eq!(twin.space.state("anthropic").unwrap()["played"], json!(["coder/first look", "coder/first look"]));
}

#[tokio::test]
async fn tool_results_choose_the_next_turn() {
    let twin = twin();
    let (_, first) = twin.ask(&request("go")).await;
    let (_, good) = twin.ask(&second(&first, "ok")).await;
    assert_eq!((&good["content"][0]["text"], &good["stop_reason"]), (&json!("Compiled."), &json!("end_turn")));
    let (_, bad) = twin.ask(&second(&first, "SyntaxError")).await;
    assert_eq!(bad["stop_reason"], "max_tokens");
}

/// Event names with their data, in order.
fn events(stream: &str) -> Vec<(String, Value)> {
    let frames = stream.split_terminator("\n\n");
    frames
        .map(|frame| {
            let (event, data) = frame.split_once('\n').unwrap();
            let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            (event.strip_prefix("event: ").unwrap().to_owned(), data)
        })
        .collect()
}

#[tokio::test]
async fn a_stream_has_the_order_of_the_service_and_adds_up_to_the_whole_answer() {
    let (streaming, whole) = (twin(), twin());
    let mut body = request("go R6");
    let (_, expected) = whole.ask(&body).await;
    body["stream"] = json!(true);
    let response = streaming.post("/v1/messages", &body).send().await.unwrap();
    assert_eq!(header(&response, "content-type"), "text/event-stream; charset=utf-8");
    let events = events(&response.text().await.unwrap());
    assert!(events.iter().all(|(name, data)| data["type"] == *name));
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..3], ["message_start", "content_block_start", "ping"]);
    assert_eq!(names[names.len() - 3..], ["content_block_stop", "message_delta", "message_stop"]);
    assert_eq!(rebuilt(&events), expected["content"]);
    let (_, delta) = &events[events.len() - 2];
    assert_eq!(
        (&delta["delta"]["stop_reason"], &delta["usage"]["output_tokens"]),
        (&json!("tool_use"), &expected["usage"]["output_tokens"])
    );
}

/// Puts blocks together as a client does, and checks that each is closed before the next one opens.
fn rebuilt(events: &[(String, Value)]) -> Value {
    let (mut blocks, mut open, mut json_text) = (Vec::<Value>::new(), None, String::new());
    for (name, data) in events {
        match name.as_str() {
            "content_block_start" => {
                assert_eq!((open, data["index"].as_u64()), (None, Some(blocks.len() as u64)));
                open = data["index"].as_u64();
                blocks.push(data["content_block"].clone());
                json_text.clear();
            }
            "content_block_delta" => {
                assert_eq!(data["index"].as_u64(), open);
                let (block, delta) = (blocks.last_mut().unwrap(), &data["delta"]);
                for field in ["text", "thinking", "signature"] {
                    if let Some(more) = delta[field].as_str() {
                        block[field] = json!(format!("{}{more}", block[field].as_str().unwrap()));
                    }
                }
                json_text.push_str(delta["partial_json"].as_str().unwrap_or_default());
            }
            "content_block_stop" => {
                open = None;
                if !json_text.is_empty() {
                    blocks.last_mut().unwrap()["input"] = serde_json::from_str(&json_text).unwrap();
                }
            }
            _ => {}
        }
    }
    Value::Array(blocks)
}

#[tokio::test]
async fn a_request_that_no_turn_fits_names_the_nearest_and_why() {
    let twin = twin();
    let mut body = request("go");
    body["tools"] = json!([]);
    let response = twin.post("/v1/messages", &body).send().await.unwrap();
    assert_eq!((response.status().as_u16(), header(&response, "x-should-retry").as_str()), (501, "false"));
    let body: Value = response.json().await.unwrap();
    insta::assert_snapshot!(body["error"]["message"].as_str().unwrap(), @r#"no turn of script coder fits this request; the nearest is "first look", which misses: has_tool: write_file is not offered"#);
}

#[tokio::test]
async fn a_call_of_a_tool_that_is_not_offered_is_an_error() {
    let twin = twin();
    let mut body = request("go");
    body["tools"] = json!([{"name": "write_file"}]);
    let (status, body) = twin.ask(&body).await;
    assert_eq!(status, 501);
    assert!(body["error"]["message"].as_str().unwrap().contains("calls `shell`, but the request offers write_file"));
}

#[tokio::test]
async fn bad_requests_are_named_as_the_service_names_them() {
    let twin = twin();
    let (_, first) = twin.ask(&request("go")).await;
    let mut unanswered = second(&first, "ok");
    unanswered["messages"][2]["content"] = json!("never mind");
    let with = |field: &str, value: Value| {
        let mut body = request("go");
        body[field] = value;
        body
    };
    for (body, status, kind, text) in [
        (with("max_tokens", Value::Null), 400, "invalid_request_error", "max_tokens: Field required"),
        (with("messages", json!([])), 400, "invalid_request_error", "at least one message"),
        (
            with("messages", json!([{"role": "system", "content": "x"}])),
            400,
            "invalid_request_error",
            "Unexpected role",
        ),
        (with("messages", json!([{"role": "user", "content": ""}])), 400, "invalid_request_error", "non-empty content"),
        (with("model", json!("claude-9")), 404, "not_found_error", "model: claude-9"),
        (unanswered, 400, "invalid_request_error", "without `tool_result` blocks"),
    ] {
        let (got, answer) = twin.ask(&body).await;
        assert_eq!((got, answer["error"]["type"].as_str()), (status, Some(kind)), "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(text), "{answer}");
        assert!(answer["request_id"].as_str().unwrap().starts_with("req_"));
    }
}

#[tokio::test]
async fn bearer_and_api_key_both_open_and_the_version_header_is_needed() {
    let twin = twin();
    let url = format!("{}/v1/messages/count_tokens", twin.served.base_url);
    let count = || client().post(&url).bearer_auth("sk-ant-1").json(&request("go"));
    let (status, body) = answer(count().header("anthropic-version", "2023-06-01")).await;
    assert_eq!(status, 200);
    assert_eq!(body["input_tokens"], twin.ask(&request("go")).await.1["usage"]["input_tokens"]);
    assert_eq!(answer(count()).await.1["error"]["message"], "anthropic-version: header is required");
    let models = client().get(format!("{}/v1/models", twin.served.base_url)).header("x-api-key", "sk-ant-1");
    let (_, models) = answer(models).await;
    assert!(models["data"].as_array().unwrap().iter().any(|model| model["id"] == "claude-sonnet-4-6"));
}

#[tokio::test]
async fn a_stream_can_be_cut_in_the_middle() {
    let twin = twin();
    let rule = json!({"operation": "messages.create", "kind": "cut_body"});
    twin.space.fault("anthropic", serde_json::from_value(rule).unwrap()).unwrap();
    let mut body = request("go");
    body["stream"] = json!(true);
    let mut response = twin.post("/v1/messages", &body).send().await.unwrap();
    let mut text = Vec::new();
    let error = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => text.extend(chunk),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    let text = String::from_utf8(text).unwrap();
    assert!(error.is_some() && text.contains("message_start") && !text.contains("message_stop"));
}

/// A judge's prompt is answered by what the evidence says.
#[tokio::test]
async fn a_script_can_judge_by_the_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"
script: judge
model: claude-sonnet-4-6
turns:
  - turn: good
    when: { user_matches: "Hello \\w+" }
    say: '{% raw %}{"pass": true, "reason": "greets", "quote": "Hello"}{% endraw %}'
  - turn: bad
    say: '{"pass": false, "reason": "no greeting", "quote": ""}'
"#;
    let space = space();
    let served = space.serve("anthropic", json!({"script": write(folder.path(), script)})).unwrap();
    let ask = |text: &str| {
        let body =
            json!({"model": "claude-sonnet-4-6", "max_tokens": 64, "messages": [{"role": "user", "content": text}]});
        let request = client().post(format!("{}/v1/messages", served.base_url)).bearer_auth("sk-ant-twin").json(&body);
        answer(request.header("anthropic-version", "2023-06-01"))
    };
    let verdict =
        |answer: &Value| -> Value { serde_json::from_str(answer["content"][0]["text"].as_str().unwrap()).unwrap() };
    assert_eq!(verdict(&ask("Evidence: Hello Ann").await.1)["pass"], true);
    assert_eq!(verdict(&ask("Evidence: Dear Sir").await.1)["pass"], false);
}
