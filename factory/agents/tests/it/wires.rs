//! The same session over each provider's wire (RIG-4, AOS-1).

use agents::{Control, Provider, Session, SessionConfig};
use model::event::agent::EndReason;
use serde_json::{Value, json};

use crate::support::{
    Memory, Workspace, config,
    server::{Played, Server},
    service,
    wire::{self, Turn},
};

async fn session(provider: Provider, model: &str, path: &str, render: fn(&Turn) -> String) -> (Vec<Value>, Workspace) {
    let server = Server::start(render, |_, nth| {
        Played::Turn(match nth {
            0 => Turn::call(
                "a",
                [("write_file", json!({"path": "x", "content": "1"})), ("read_file", json!({"path": "x"}))],
            )
            .thinking("Hm."),
            1 => Turn::call("b", [("ls", json!({}))]),
            _ => Turn::say("Done."),
        })
    })
    .await;
    let (workspace, journal) = (Workspace::new(), Memory::default());
    let profile = agents::Profile::of(provider);
    let config = SessionConfig { profile, toolbox: profile.toolbox(), ..config() };
    let service = service(provider, model, &format!("{}{path}", server.base_url));
    let session = Session::start(config, service, workspace.environment.clone(), "Build it.");
    let ended = session.run(&journal, &Control::default()).await.unwrap();
    assert_eq!((ended.reason, ended.message.as_str()), (EndReason::Completed, "Done."), "{:?}", journal.events());
    assert_eq!((ended.spent.input_tokens, ended.spent.output_tokens), (300, 150));
    let free = provider == Provider::Ollama;
    assert_eq!(ended.spent.cost_usd_micros == 0, free, "list price of {model}");
    (server.requests(), workspace)
}

#[tokio::test]
async fn openai_chat_completions() {
    let (requests, workspace) = session(Provider::OpenaiChat, "gpt-5.2", "/v1", wire::openai_chat).await;
    assert_eq!(workspace.text("x"), "1");
    let messages = requests[1]["messages"].as_array().unwrap();
    let roles: Vec<&str> = messages.iter().filter_map(|message| message["role"].as_str()).collect();
    assert_eq!(roles[1..], ["user", "assistant", "tool", "tool"], "{messages:?}");
    assert_eq!(messages[2]["tool_calls"][1]["id"], "toolu_a_2");
    assert_eq!(
        (&messages[3]["tool_call_id"], &messages[4]["tool_call_id"]),
        (&json!("toolu_a_1"), &json!("toolu_a_2"))
    );
}

#[tokio::test]
async fn openai_responses_get_their_encrypted_reasoning_back() {
    let (requests, workspace) = session(Provider::Openai, "gpt-5.2", "/v1", wire::openai_responses).await;
    assert_eq!(workspace.text("x"), "1");
    assert_eq!(requests[0]["store"], json!(false));
    let input = requests[1]["input"].as_array().unwrap();
    let reasoning =
        input.iter().find(|item| item["type"] == "reasoning").unwrap_or_else(|| panic!("no reasoning in {input:?}"));
    assert_eq!(reasoning["encrypted_content"], "ZW5j");
    let outputs: Vec<&Value> = input.iter().filter(|item| item["type"] == "function_call_output").collect();
    assert_eq!((outputs.len(), &outputs[1]["call_id"]), (2, &json!("toolu_a_2")));
}

#[tokio::test]
async fn gemini_gets_its_signature_back() {
    let (requests, workspace) = session(Provider::Gemini, "gemini-3.1-pro-preview", "", wire::gemini).await;
    assert_eq!(workspace.text("x"), "1");
    let contents = requests[1]["contents"].as_array().unwrap();
    let parts = contents[1]["parts"].as_array().unwrap();
    assert_eq!(parts[0]["thoughtSignature"], "c2lnbmVk", "{contents:?}");
    let answers = contents[2]["parts"].as_array().unwrap();
    assert_eq!(answers.len(), 2, "{contents:?}");
    for (answer, (name, output)) in answers.iter().zip([("write_file", "created `x`"), ("read_file", "     1\\t1")]) {
        let answer = &answer["functionResponse"];
        assert_eq!(answer["name"], name);
        assert!(answer["response"].to_string().contains(output), "{answer}");
    }
    let ids = |parts: &[Value], kind| parts.iter().map(|part| part[kind]["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(parts, "functionCall"), ids(answers, "functionResponse"));
}

#[tokio::test]
async fn ollama_sends_no_ids_and_gets_its_answers_in_order() {
    let (requests, workspace) = session(Provider::Ollama, "qwen3:8b", "", wire::ollama).await;
    assert_eq!(workspace.text("x"), "1");
    let messages = requests[1]["messages"].as_array().unwrap();
    let roles: Vec<&str> = messages.iter().filter_map(|message| message["role"].as_str()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "tool"]);
    assert!(messages[3]["content"].to_string().contains("created `x`"), "{messages:?}");
}
