//! Streams that begin well.

use serde_json::{Value, json};
use twins::Space;

use super::rule;
use crate::support::{header, post_json, space};

const SCRIPT: &str = "script: s\nmodel: claude-sonnet-4-6\nturns:\n  - turn: one\n    say: Hello there.\n";

struct Chat {
    space: Space,
    served: twins::Served,
    _folder: tempfile::TempDir,
}

fn chat() -> Chat {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script.yaml");
    std::fs::write(&script, SCRIPT).unwrap();
    let space = space();
    let served = space.serve("anthropic", json!({"script": script})).unwrap();
    Chat { space, served, _folder: folder }
}

impl Chat {
    fn request(&self, stream: bool) -> reqwest::RequestBuilder {
        let body = json!({"model": "claude-sonnet-4-6", "max_tokens": 64, "stream": stream,
            "messages": [{"role": "user", "content": "hi"}]});
        post_json(&self.served, "/v1/messages", "sk-ant-twin", &body).header("anthropic-version", "2023-06-01")
    }

    /// The frames of a streamed answer under the rule.
    async fn frames(&self, fault: Value) -> Vec<String> {
        self.space.clear_faults("anthropic").unwrap();
        self.space.fault("anthropic", rule(fault)).unwrap();
        let response = self.request(true).send().await.unwrap();
        assert_eq!((response.status().as_u16(), header(&response, "content-type").len()), (200, 32));
        response.text().await.unwrap().split_terminator("\n\n").map(str::to_owned).collect()
    }
}

fn data(frame: &str) -> Option<Value> {
    serde_json::from_str(frame.split_once("data: ")?.1).ok()
}

#[tokio::test]
async fn a_stream_without_its_end_ends_in_order() {
    let chat = chat();
    let frames = chat.frames(json!({"kind": "missing_end"})).await;
    assert!(frames.last().unwrap().starts_with("event: message_delta"));
}

#[tokio::test]
async fn an_error_event_of_the_dialect_ends_a_stream_that_began_with_200() {
    let chat = chat();
    let frames = chat.frames(json!({"kind": "error_event", "at_event": 3, "status": 529})).await;
    assert_eq!(frames.len(), 4);
    assert!(frames[3].starts_with("event: error\n"));
    assert_eq!(data(&frames[3]).unwrap()["error"]["type"], "overloaded_error");
}

#[tokio::test]
async fn a_malformed_event_is_followed_by_the_rest() {
    let chat = chat();
    let frames = chat.frames(json!({"kind": "malformed_event", "at_event": 1})).await;
    let readable: Vec<bool> = frames.iter().map(|frame| data(frame).is_some()).collect();
    assert_eq!(readable.iter().filter(|readable| !**readable).count(), 1);
    assert!(!readable[1]);
    assert!(frames.last().unwrap().starts_with("event: message_stop"));
}

#[tokio::test]
async fn a_pausing_stream_arrives_whole() {
    let chat = chat();
    let frames = chat.frames(json!({"kind": "latency", "at_event": 2, "delay_ms": 1})).await;
    assert!(frames.last().unwrap().starts_with("event: message_stop"));
}

#[tokio::test]
async fn a_stream_is_cut_before_the_event_that_the_rule_names() {
    let chat = chat();
    chat.space.fault("anthropic", rule(json!({"kind": "cut_body", "at_event": 2}))).unwrap();
    let mut response = chat.request(true).send().await.unwrap();
    let mut received = Vec::new();
    let broken = loop {
        match response.chunk().await {
            Ok(Some(piece)) => received.extend(piece),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broken, "the end is none");
    assert_eq!(String::from_utf8(received).unwrap().matches("\n\n").count(), 2);
}

#[tokio::test]
async fn an_answer_that_is_no_stream_is_neither_broken_nor_counted() {
    let chat = chat();
    chat.space.fault("anthropic", rule(json!({"kind": "missing_end", "first": 1}))).unwrap();
    assert_eq!(chat.request(false).send().await.unwrap().status(), 200);
    let status = &chat.space.faults("anthropic").unwrap()[0];
    assert_eq!((status.matched, status.fired), (0, 0));
    assert_eq!(chat.space.calls("anthropic", None)[0].fault, None);
    let text = chat.request(true).send().await.unwrap().text().await.unwrap();
    assert!(!text.contains("message_stop"));
}
