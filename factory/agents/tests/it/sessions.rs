//! The loop: rounds of tools, endings, limits, and what happens when the provider misbehaves.

use std::time::Duration;

use agents::{Control, Journal, Provider, Session};
use axum::http::StatusCode;
use model::{
    budget::Budget,
    event::{
        Body,
        agent::{EndReason, Origin},
    },
};
use serde_json::{Value, json};

use crate::support::{
    Memory, Workspace, config, run,
    server::{Played, Server},
    service,
    wire::{self, Turn},
};

fn write(path: &str, content: &str) -> (&'static str, Value) {
    ("write_file", json!({"path": path, "content": content}))
}

fn read(path: &str) -> (&'static str, Value) {
    ("read_file", json!({"path": path}))
}

/// The results that the last message of a request holds, as (call, is it an error, text).
fn results(request: &Value) -> Vec<(String, bool, String)> {
    let messages = request["messages"].as_array().unwrap();
    let blocks = messages.iter().rev().find_map(|message| message["content"].as_array()).unwrap();
    let result = |block: &Value| {
        let text = block["content"].as_str().or_else(|| block["content"][0]["text"].as_str()).unwrap_or_default();
        let failed = block["is_error"].as_bool().unwrap_or_default();
        (block["tool_use_id"].as_str().unwrap_or_default().to_owned(), failed, text.to_owned())
    };
    blocks.iter().filter(|block| block["type"] == "tool_result").map(result).collect()
}

fn told(journal: &Memory, origin: Origin) -> Vec<String> {
    let told = |body| match body {
        Body::SessionTold(told) if told.origin == origin => Some(told.text),
        _ => None,
    };
    journal.events().into_iter().filter_map(told).collect()
}

/// AOS-4, AOS-7: parallel calls, results in call order, an end by itself; everything is an event.
#[tokio::test]
async fn a_session_works_through_tools_to_a_text_reply() {
    let workspace = Workspace::new();
    let server = Server::script(vec![
        Turn::call(
            "a",
            [
                write("src/x.txt", "one\n"),
                read("src/x.txt"),
                ("ls", json!({})),
                ("shell", json!({"command": "cat src/x.txt"})),
            ],
        ),
        Turn::say("Done."),
    ])
    .await;
    let (ended, journal) = run(&server, &workspace, config()).await;

    assert_eq!((ended.reason, ended.message.as_str(), ended.turns), (EndReason::Completed, "Done.", 2));
    assert_eq!(workspace.text("src/x.txt"), "one\n");
    let request = &server.requests()[1];
    let results = results(request);
    let ids: Vec<&str> = results.iter().map(|result| result.0.as_str()).collect();
    assert_eq!(ids, ["toolu_a_1", "toolu_a_2", "toolu_a_3", "toolu_a_4"]);
    assert!(results.iter().all(|result| !result.1), "{results:?}");
    assert_eq!(results[1].2, "     1\tone\n");
    assert!(results[3].2.ends_with("stdout:\none"), "{}", results[3].2);
    assert_eq!(journal.kinds()[..4], ["session.started", "session.told", "turn.started", "turn.replied"]);
    assert_eq!(journal.kinds().last(), Some(&"session.ended"));
    assert!(journal.live.lock().unwrap().contains("Text(\"Done.\")"));
    // Listed: 3 and 15 dollars for a million tokens; twice 100 in and 50 out.
    assert_eq!((ended.spent.input_tokens, ended.spent.output_tokens, ended.spent.model_calls), (200, 100, 2));
    assert_eq!(ended.spent.cost_usd_micros, 2 * (300 + 750));
}

/// AOS-4: calls that only read run at the same time, calls that change something after each other.
#[tokio::test]
async fn reads_see_the_writes_before_them() {
    let workspace = Workspace::new();
    let calls = [write("a", "1\n"), read("a"), write("a", "2\n"), read("a")];
    let server = Server::script(vec![Turn::call("a", calls), Turn::say("Done.")]).await;
    run(&server, &workspace, config()).await;
    let results = results(&server.requests()[1]);
    assert_eq!((results[1].2.as_str(), results[3].2.as_str()), ("     1\t1\n", "     1\t2\n"));
}

/// AOS-3: what the model gets wrong is told to the model.
#[tokio::test]
async fn an_unknown_tool_and_bad_arguments_are_results_for_the_model() {
    let workspace = Workspace::new();
    let calls = [
        ("fly", json!({})),
        ("read_file", json!({"file": "x"})),
        ("read_file", json!({"path": 7})),
        ("read_file", json!("{\"path\": \"x")),
        ("read_file", json!({"path": "missing.txt"})),
    ];
    let server = Server::script(vec![Turn::call("a", calls), Turn::say("Done.")]).await;
    let (ended, _) = run(&server, &workspace, config()).await;
    assert_eq!(ended.reason, EndReason::Completed);
    let results = results(&server.requests()[1]);
    let wanted = [
        "there is no tool `fly`; the tools are: read_file, write_file",
        "the arguments do not fit `read_file`: unknown field `file`",
        "the arguments do not fit `read_file`: invalid type: integer `7`",
        "the arguments do not fit `read_file`: they are no whole JSON object: {\"path\": \"x",
        "`missing.txt` does not exist",
    ];
    for (result, wanted) in results.iter().zip(wanted) {
        assert!(result.1 && result.2.starts_with(wanted), "{result:?} instead of {wanted}");
    }
    assert_eq!(results.len(), wanted.len());
}

#[tokio::test]
async fn a_rate_limit_is_waited_out_as_the_provider_asks() {
    let workspace = Workspace::new();
    let server = Server::start(wire::anthropic, |_, nth| match nth {
        0 => Played::Failure(
            StatusCode::TOO_MANY_REQUESTS,
            vec![("retry-after", "0".to_owned())],
            json!({"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}),
        ),
        _ => Played::Turn(Turn::say("Done.")),
    })
    .await;
    let (ended, journal) = run(&server, &workspace, config()).await;
    assert_eq!((ended.reason, server.requests().len()), (EndReason::Completed, 2));
    let failed = journal.events().into_iter().find_map(|body| match body {
        Body::TurnFailed(failed) => Some(failed),
        _ => None,
    });
    let failed = failed.unwrap();
    assert_eq!((failed.turn, failed.attempt, failed.retryable), (1, 1, true));
    assert_eq!(failed.message, "the model's server answered 429: slow down");
}

#[tokio::test]
async fn a_wish_to_wait_longer_than_the_cap_ends_the_session() {
    let workspace = Workspace::new();
    let server = Server::start(wire::anthropic, |_, _| {
        let headers = vec![("retry-after", "3600".to_owned())];
        Played::Failure(StatusCode::TOO_MANY_REQUESTS, headers, json!({"error": {"message": "tomorrow"}}))
    })
    .await;
    let (ended, _) = run(&server, &workspace, config()).await;
    assert_eq!((ended.reason, server.requests().len()), (EndReason::ProviderFailed, 1));
    assert_eq!(ended.message, "the model's server answered 429: tomorrow");
}

#[tokio::test]
async fn an_overloaded_provider_is_asked_three_times_in_all() {
    let workspace = Workspace::new();
    let overloaded = || json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let server = Server::start(wire::anthropic, move |_, _| {
        Played::Failure(StatusCode::from_u16(529).unwrap(), vec![], overloaded())
    })
    .await;
    let (ended, _) = run(&server, &workspace, config()).await;
    assert_eq!((ended.reason, server.requests().len()), (EndReason::ProviderFailed, 3));
}

#[tokio::test]
async fn a_wrong_key_is_not_tried_again() {
    let workspace = Workspace::new();
    for status in [400, 401, 403, 404, 413, 422] {
        let server = Server::start(wire::anthropic, move |_, _| {
            let body = json!({"type": "error", "error": {"type": "x", "message": "no"}});
            Played::Failure(StatusCode::from_u16(status).unwrap(), vec![], body)
        })
        .await;
        let (ended, _) = run(&server, &workspace, config()).await;
        assert_eq!((ended.reason, server.requests().len()), (EndReason::ProviderFailed, 1), "{status}");
        assert_eq!(ended.message, format!("the model's server answered {status}: no"));
    }
}

/// Gemini's key is in the address, and some servers echo what they were sent.
#[tokio::test]
async fn no_event_holds_the_key() {
    let workspace = Workspace::new();
    let server = Server::start(wire::anthropic, |_, _| {
        Played::Failure(StatusCode::UNAUTHORIZED, vec![], json!({"error": {"message": "bad key test-key"}}))
    })
    .await;
    let (ended, journal) = run(&server, &workspace, config()).await;
    assert_eq!(ended.message, "the model's server answered 401: bad key [redacted]");
    assert!(!format!("{:?}", journal.events()).contains("test-key"));
    let gone = service(Provider::Gemini, "gemini-3.1-pro-preview", "http://127.0.0.1:1");
    let failure = gone.complete("Hello.", "").await.unwrap_err();
    assert!(!format!("{failure:?}").contains("test-key"), "{failure:?}");
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_stream_is_asked_again() {
    let workspace = Workspace::new();
    let server = Server::start(wire::anthropic, |_, nth| match nth {
        0 => {
            let overloaded = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
            let whole = wire::anthropic(&Turn::say("I beg"));
            let start = whole.split("event: message_delta").next().unwrap();
            Played::Stream(format!("{start}{}", wire::event("error", &overloaded)))
        }
        _ => Played::Turn(Turn::say("Done.")),
    })
    .await;
    let (ended, journal) = run(&server, &workspace, config()).await;
    assert_eq!((ended.reason, ended.message.as_str()), (EndReason::Completed, "Done."));
    assert!(journal.live.lock().unwrap().contains("Voided"));
}

#[tokio::test]
async fn an_answer_in_no_known_protocol_ends_the_session() {
    let workspace = Workspace::new();
    for nonsense in
        ["<html>It works!</html>", "event: message_start\ndata: {\"type\": \"message_start\"\n\n", "data: 7\n\n", ""]
    {
        let server = Server::start(wire::anthropic, move |_, _| Played::Stream(nonsense.to_owned())).await;
        let (ended, _) = run(&server, &workspace, config()).await;
        assert_eq!(ended.reason, EndReason::ProviderFailed, "{nonsense}");
        assert!(ended.message.starts_with("the model's server gave no whole reply"), "{}", ended.message);
    }
}

/// Part of a reply was seen already: it is void, and the turn starts again.
#[tokio::test]
async fn a_cut_stream_voids_the_turn_and_asks_again() {
    let workspace = Workspace::new();
    let turn = || Turn { text: Some("I write.".to_owned()), ..Turn::call("a", [write("x", "1")]) };
    let text = wire::anthropic(&turn());
    let inside_the_call = text.find("input_json_delta").unwrap() + 40;
    let server = Server::start(wire::anthropic, move |_, nth| match nth {
        0 => Played::Cut(turn(), inside_the_call),
        1 => Played::Turn(turn()),
        _ => Played::Turn(Turn::say("Done.")),
    })
    .await;
    let (ended, journal) = run(&server, &workspace, config()).await;
    assert_eq!((ended.reason, ended.turns, workspace.text("x")), (EndReason::Completed, 2, "1".to_owned()));
    assert_eq!(
        journal.kinds()[2..6],
        ["turn.started", "turn.failed", "turn.replied", "tool.called"],
        "the half call was not made"
    );
    let live = journal.live.lock().unwrap().clone();
    assert!(live.contains("Voided"), "{live} {:?}", journal.events());
}

#[tokio::test]
async fn a_silent_provider_is_given_up_after_the_read_time_out() {
    let workspace = Workspace::new();
    let server = Server::start(wire::anthropic, |_, _| Played::Silence).await;
    let mut provider = server.anthropic().config().clone();
    provider.read_timeout_ms = 50;
    provider.retries_max = 1;
    let service = std::sync::Arc::new(agents::RigService::new(provider).unwrap());
    let journal = Memory::default();
    let session = Session::start(config(), service, workspace.environment.clone(), "Build it.");
    let ended = session.run(&journal, &Control::default()).await.unwrap();
    assert_eq!((ended.reason, server.requests().len()), (EndReason::ProviderFailed, 2));
}

#[tokio::test]
async fn a_refusal_ends_the_session_and_its_calls_are_not_made() {
    let workspace = Workspace::new();
    let refusal = Turn { text: Some("I will not.".to_owned()), ..Turn::call("a", [write("x", "1")]) };
    let server = Server::script(vec![refusal.stopping("refusal")]).await;
    let (ended, _) = run(&server, &workspace, config()).await;
    assert_eq!((ended.reason, ended.message.as_str()), (EndReason::Refused, "I will not."));
    assert!(!workspace.path().join("x").exists());
}

#[tokio::test]
async fn a_reply_cut_at_the_output_limit_goes_on() {
    let workspace = Workspace::new();
    let server = Server::script(vec![Turn::say("I beg").stopping("max_tokens"), Turn::say("in and end.")]).await;
    let (ended, journal) = run(&server, &workspace, config()).await;
    assert_eq!((ended.reason, ended.message.as_str()), (EndReason::Completed, "in and end."));
    assert!(told(&journal, Origin::Warning)[0].contains("cut at the output limit"));
}

#[tokio::test]
async fn an_empty_reply_is_asked_about_once() {
    let workspace = Workspace::new();
    let server = Server::start(wire::anthropic, |_, _| Played::Turn(Turn::default())).await;
    let (ended, journal) = run(&server, &workspace, config()).await;
    assert_eq!((ended.reason, ended.turns), (EndReason::Completed, 2));
    assert_eq!(told(&journal, Origin::Warning).len(), 1);
}

#[tokio::test]
async fn going_in_circles_is_warned_about() {
    let workspace = Workspace::new();
    let mut turns: Vec<Turn> = (0..10).map(|n| Turn::call(&n.to_string(), [read("missing")])).collect();
    turns.push(Turn::say("I stop."));
    let server = Server::script(turns).await;
    let (_, journal) = run(&server, &workspace, config()).await;
    let warnings = told(&journal, Origin::Warning);
    assert_eq!(warnings.len(), 1);
    assert!(server.requests()[10].to_string().contains(&warnings[0][..40]), "the model reads the warning");
}

#[tokio::test]
async fn the_turn_limit_ends_a_session() {
    let workspace = Workspace::new();
    let server = Server::start(wire::anthropic, |_, nth| {
        Played::Turn(Turn::call(&nth.to_string(), [("ls", json!({"path": "."}))]))
    })
    .await;
    let (ended, _) = run(&server, &workspace, agents::SessionConfig { turns_max: 3, ..config() }).await;
    assert_eq!((ended.reason, ended.turns, server.requests().len()), (EndReason::TurnLimit, 3, 3));
}

/// A spend cap stops dispatch: the request that would go beyond is not sent.
#[tokio::test]
async fn each_budget_is_checked_before_a_request() {
    let workspace = Workspace::new();
    let budgets = [
        Budget { cost_usd_micros: Some(1_051), ..Budget::default() },
        Budget { tokens: Some(151), ..Budget::default() },
    ];
    for budget in budgets {
        let server = Server::start(wire::anthropic, |_, nth| {
            Played::Turn(Turn::call(&nth.to_string(), [("ls", json!({"path": "."}))]))
        })
        .await;
        let (ended, _) = run(&server, &workspace, agents::SessionConfig { budget, ..config() }).await;
        assert_eq!((ended.reason, server.requests().len()), (EndReason::Budget, 2), "{budget:?}");
    }
}

#[tokio::test]
async fn the_wall_time_stops_a_tool_that_runs() {
    let workspace = Workspace::new();
    let server = Server::script(vec![Turn::call("a", [("shell", json!({"command": "sleep 600"}))])]).await;
    let budget = Budget { wall_time_ms: Some(300), ..Budget::default() };
    let (ended, journal) = run(&server, &workspace, agents::SessionConfig { budget, ..config() }).await;
    assert_eq!(ended.reason, EndReason::Budget);
    assert!(journal.returned()[0].output.starts_with("stopped"));
}

#[tokio::test]
async fn cancelling_closes_a_running_request() {
    let workspace = Workspace::new();
    let server = Server::start(wire::anthropic, |_, _| Played::Silence).await;
    let (journal, control) = (Memory::default(), Control::default());
    let session = Session::start(config(), server.anthropic(), workspace.environment.clone(), "Build it.");
    let (ended, ()) = tokio::join!(session.run(&journal, &control), async {
        while server.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        control.cancel();
    });
    assert_eq!(ended.unwrap().reason, EndReason::Cancelled);
}

#[tokio::test]
async fn a_steer_lands_after_the_round_and_a_follow_up_after_the_answer() {
    let workspace = Workspace::new();
    let server = Server::script(vec![
        Turn::call("a", [("ls", json!({}))]),
        Turn::say("First answer."),
        Turn::say("Second answer."),
    ])
    .await;
    let (journal, control) = (Memory::default(), Control::default());
    control.follow_up("And now?").unwrap();
    let steering = Steering { journal: &journal, control: &control };
    let session = Session::start(config(), server.anthropic(), workspace.environment.clone(), "Build it.");
    let ended = session.run(&steering, &control).await.unwrap();
    assert_eq!(ended.message, "Second answer.");
    let requests = server.requests();
    assert!(!requests[0].to_string().contains("Be quick."));
    assert!(requests[1].to_string().contains("Be quick."));
    assert!(!requests[1].to_string().contains("And now?"));
    assert!(requests[2].to_string().contains("And now?"));
}

/// Steers when the first tool is called.
struct Steering<'a> {
    journal: &'a Memory,
    control: &'a Control,
}

#[async_trait::async_trait]
impl Journal for Steering<'_> {
    async fn record(&self, body: Body) -> Result<(), agents::JournalError> {
        if matches!(body, Body::ToolCalled(_)) {
            self.control.steer("Be quick.").unwrap();
        }
        self.journal.record(body).await
    }
}

/// RIG-6: base prompt, project documents up to 32 KB, and what the caller adds, in the system prompt.
#[tokio::test]
async fn the_system_prompt_holds_the_projects_documents() {
    let workspace = Workspace::new();
    workspace.put("AGENTS.md", format!("Use tabs.\n{}", "x".repeat(40_000)));
    workspace.put("CLAUDE.md", "never read: no room is left");
    let server = Server::script(vec![Turn::say("Done.")]).await;
    let context = "You are the builder of `checkout`.".to_owned();
    let (_, journal) = run(&server, &workspace, agents::SessionConfig { context, ..config() }).await;
    let Body::SessionStarted(started) = &journal.events()[0] else { panic!("not started") };
    assert!(started.system.contains("Use tabs.") && started.system.ends_with("You are the builder of `checkout`."));
    assert!(started.system.len() < 36_000 && !started.system.contains("no room"));
    assert!(server.requests()[0]["system"].to_string().contains("Use tabs."));
}

/// What judges ask with.
#[tokio::test]
async fn a_completion_without_tools_retries_and_tells_its_cost() {
    let server = Server::start(wire::anthropic, |_, nth| match nth {
        0 => Played::Failure(StatusCode::BAD_GATEWAY, vec![], json!("bad gateway")),
        _ => Played::Turn(Turn::say("{\"grade\": 1}")),
    })
    .await;
    let answer = server.anthropic().complete("Judge this.", "You are a judge.").await.unwrap();
    assert_eq!((answer.text.as_str(), answer.spent.cost_usd_micros), ("{\"grade\": 1}", 1_050));
    assert!(server.requests()[1].get("tools").is_none());
}
