//! The `OpenAI` twin on the wire: exact bodies, headers and orders, which an SDK does not show.

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use twins::{Served, Space};

use crate::support::{answer, client, header, space};

const KEY: &str = "sk-twin";

fn serve(space: &Space) -> Served {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/llm.yaml");
    space.serve("openai", json!({"script": script})).unwrap()
}

fn post(served: &Served, path: &str, body: &Value) -> RequestBuilder {
    client().post(format!("{}{path}", served.base_url)).bearer_auth(KEY).json(body)
}

fn chat(text: &str) -> Value {
    json!({"model": "gpt-4o", "messages": [{"role": "user", "content": text}]})
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

async fn chunks(served: &Served, body: &Value) -> Vec<Value> {
    let text = post(served, "/v1/chat/completions", body).send().await.unwrap().text().await.unwrap();
    let (events, end) = text.trim_end().rsplit_once("\n\n").unwrap();
    assert_eq!(end, "data: [DONE]");
    events.split("\n\n").map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn several_calls_stream_one_after_the_other_each_with_its_index() {
    let space = space();
    let served = serve(&space);
    let tools = json!([{"type": "function", "function": {"name": "get_weather"}}]);
    let body = with(with(chat("weather in Oslo and Bergen"), "tools", tools), "stream", json!(true));
    let chunks = chunks(&served, &body).await;
    let calls: Vec<&Value> = chunks
        .iter()
        .map(|chunk| &chunk["choices"][0]["delta"]["tool_calls"][0])
        .filter(|call| !call.is_null())
        .collect();
    let indexes: Vec<_> = calls.iter().map(|call| call["index"].as_u64().unwrap()).collect();
    assert!(indexes.is_sorted() && indexes.first() == Some(&0) && indexes.last() == Some(&1));
    let opened: Vec<_> = calls.iter().filter(|call| call["id"].is_string()).collect();
    assert_eq!(opened.len(), 2);
    assert!(opened.iter().all(|call| call["function"]["arguments"] == ""));
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
    assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none() && chunk["obfuscation"].is_string()));
}

#[tokio::test]
async fn usage_and_padding_of_a_stream_are_what_was_asked_for() {
    let space = space();
    let served = serve(&space);
    let options = json!({"include_usage": true, "include_obfuscation": false});
    let body = with(with(chat("Count"), "stream_options", options), "stream", json!(true));
    let chunks = chunks(&served, &body).await;
    let (last, others) = chunks.split_last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert!(last["usage"]["completion_tokens"].as_u64().unwrap() > 0);
    assert!(others.iter().all(|chunk| chunk["usage"].is_null() && chunk.get("obfuscation").is_none()));
}

#[tokio::test]
async fn bad_requests_are_named_as_the_service_names_them() {
    let space = space();
    let served = serve(&space);
    let tool = json!([{"role": "tool", "tool_call_id": "call_1", "content": "x"}]);
    let calling = json!([{"role": "assistant", "tool_calls": [{"id": "call_1"}]}, {"role": "user", "content": "x"}]);
    let output = json!([{"type": "function_call_output", "call_id": "call_1", "output": "x"}]);
    let response = |input| json!({"model": "gpt-4o", "input": input});
    for (path, body, status, code, param) in [
        ("/v1/chat/completions", json!({"messages": []}), 400, Value::Null, Value::Null),
        (
            "/v1/chat/completions",
            json!({"model": "gpt-4o"}),
            400,
            json!("missing_required_parameter"),
            json!("messages"),
        ),
        (
            "/v1/chat/completions",
            with(chat("x"), "messages", json!("x")),
            400,
            json!("invalid_type"),
            json!("messages"),
        ),
        ("/v1/chat/completions", with(chat("x"), "messages", tool), 400, Value::Null, json!("messages.[0].role")),
        ("/v1/chat/completions", with(chat("x"), "messages", calling), 400, Value::Null, json!("messages.[1].role")),
        ("/v1/chat/completions", with(chat("x"), "n", json!(0)), 400, json!("invalid_value"), json!("n")),
        (
            "/v1/chat/completions",
            with(chat("x"), "response_format", json!({"type": "json_object"})),
            400,
            Value::Null,
            json!("messages"),
        ),
        ("/v1/chat/completions", with(chat("x"), "model", json!("gpt-0")), 404, json!("model_not_found"), Value::Null),
        ("/v1/responses", json!({"model": "gpt-4o"}), 400, json!("missing_required_parameter"), json!("input")),
        ("/v1/responses", json!({"model": "gpt-0", "input": "x"}), 400, json!("model_not_found"), json!("model")),
        ("/v1/responses", response(json!([{"role": "tool"}])), 400, json!("invalid_value"), json!("input[0].role")),
        ("/v1/responses", response(output), 400, Value::Null, json!("input")),
        (
            "/v1/embeddings",
            json!({"model": "text-embedding-3-small", "input": "x", "dimensions": 0}),
            400,
            Value::Null,
            json!("dimensions"),
        ),
        ("/v1/files", json!({}), 400, json!("missing_required_parameter"), json!("file")),
    ] {
        let (got, answer) = answer(post(&served, path, &body)).await;
        let error = &answer["error"];
        assert_eq!((got, &error["code"], &error["param"]), (status, &code, &param), "{path} {body}: {answer}");
        assert!(!error["message"].as_str().unwrap().is_empty() && error["type"] == "invalid_request_error");
    }
}

#[tokio::test]
async fn a_wrong_key_is_shown_masked_and_responses_say_the_status_too() {
    let space = space();
    let served = serve(&space);
    let ask = |path: &str| {
        client().post(format!("{}{path}", served.base_url)).bearer_auth("sk-junk-0123456789").json(&json!({}))
    };
    let (_, plain) = answer(ask("/v1/chat/completions")).await;
    assert_eq!(
        plain["error"]["message"],
        "Incorrect API key provided: sk-junk-******6789. You can find your API key at https://platform.openai.com/account/api-keys."
    );
    assert_eq!(plain.get("status"), None);
    let response = ask("/v1/responses").send().await.unwrap();
    assert_eq!(header(&response, "content-type"), "text/plain");
    assert_eq!(response.json::<Value>().await.unwrap()["status"], 401);
}

#[tokio::test]
async fn answers_carry_the_headers_of_the_service() {
    let space = space();
    let served = serve(&space);
    let response = post(&served, "/v1/chat/completions", &chat("Hi")).send().await.unwrap();
    assert!(header(&response, "x-request-id").starts_with("req_"));
    for name in ["openai-processing-ms", "openai-version", "openai-organization", "x-ratelimit-remaining-requests"] {
        assert!(!header(&response, name).is_empty(), "{name}");
    }
    assert_eq!(header(&response, "x-twin-script"), "sdk/anything");
}

#[tokio::test]
async fn one_script_plays_on_both_providers() {
    let space = space();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/llm.yaml");
    let served = serve(&space);
    let other = space.serve("anthropic", json!({"script": script})).unwrap();
    for text in ["Hi", "Count", "an essay"] {
        let (_, one) = answer(post(&served, "/v1/chat/completions", &chat(text))).await;
        let body = json!({"model": "claude-sonnet-4-6", "max_tokens": 64, "messages": chat(text)["messages"]});
        let request = client().post(format!("{}/v1/messages", other.base_url)).bearer_auth("sk-ant-twin").json(&body);
        let (_, two) = answer(request.header("anthropic-version", "2023-06-01")).await;
        assert_eq!(one["choices"][0]["message"]["content"], two["content"][0]["text"]);
    }
    assert_eq!(space.state("openai").unwrap()["played"], space.state("anthropic").unwrap()["played"]);
}

#[tokio::test]
async fn the_same_requests_give_the_same_bytes() {
    let mut histories = Vec::new();
    for _ in 0..2 {
        let space = space();
        let served = serve(&space);
        let first = post(&served, "/v1/responses", &json!({"model": "gpt-5.2", "input": "Think"}));
        let first = first.send().await.unwrap().bytes().await.unwrap();
        let stream = with(chat("Count"), "stream", json!(true));
        let second = post(&served, "/v1/chat/completions", &stream).send().await.unwrap().bytes().await.unwrap();
        histories.push((first, second, space.journal_head()));
    }
    assert_eq!(histories[0], histories[1]);
}

#[tokio::test]
async fn a_response_that_is_not_stored_cannot_be_continued() {
    let space = space();
    let served = serve(&space);
    let (_, response) =
        answer(post(&served, "/v1/responses", &json!({"model": "gpt-4o", "input": "x", "store": false}))).await;
    let next = json!({"model": "gpt-4o", "input": "x", "previous_response_id": response["id"]});
    assert_eq!(answer(post(&served, "/v1/responses", &next)).await.1["error"]["code"], "previous_response_not_found");
}
