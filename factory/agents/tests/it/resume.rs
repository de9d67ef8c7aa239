//! A session that was killed goes on from its events alone.

use std::sync::Arc;

use agents::{Control, Session, SessionError};
use model::event::{
    Body,
    agent::{EndReason, SessionEnded},
};
use serde_json::json;

use crate::support::{Memory, Workspace, config, server::Server, session_id, wire::Turn};

/// Two rounds with reads, a write that must happen once, and an end.
fn turns() -> Vec<Turn> {
    let append = json!({"command": "echo line >> log.txt"});
    vec![
        Turn::call("a", [("ls", json!({})), ("shell", append), ("read_file", json!({"path": "log.txt"}))])
            .thinking("Hm."),
        Turn::call("b", [("write_file", json!({"path": "out.txt", "content": "ok"}))]),
        Turn::say("All done."),
    ]
}

async fn go_on(
    server: &Server,
    workspace: &Workspace,
    before: &[Body],
    journal: &Memory,
) -> Result<SessionEnded, SessionError> {
    let environment = workspace.environment.clone();
    let session = Session::resume(config(), server.anthropic(), environment, "Build it.", before);
    session.run(journal, &Control::default()).await
}

/// Killed at each of its events, the session reaches the same end, and no call that finished is made again.
#[tokio::test]
async fn a_session_killed_at_any_event_reaches_the_same_end() {
    let server = Server::script(turns()).await;
    let whole = {
        let (workspace, journal) = (Workspace::new(), Memory::default());
        go_on(&server, &workspace, &[], &journal).await.unwrap();
        journal.events()
    };
    for killed_at in 0..=whole.len() {
        let workspace = Workspace::new();
        // The journal refuses from here on: nothing after it has an effect.
        let first = Memory { fail_after: Some(killed_at), ..Memory::default() };
        let died = go_on(&server, &workspace, &[], &first).await;
        assert_eq!(died.is_err(), killed_at < whole.len(), "{killed_at}");
        let before = first.events();
        let asked = server.requests().len();

        let second = Memory::default();
        let ended = go_on(&server, &workspace, &before, &second).await.unwrap();

        assert_eq!(
            (ended.reason, ended.message.as_str(), ended.turns),
            (EndReason::Completed, "All done.", 3),
            "{killed_at}"
        );
        assert_eq!(workspace.text("out.txt"), "ok", "{killed_at}");
        let all: Vec<Body> = before.iter().chain(&second.events()).cloned().collect();
        for call in ["toolu_a_1", "toolu_a_2", "toolu_a_3", "toolu_b_1"] {
            let answers =
                all.iter().filter(|body| matches!(body, Body::ToolReturned(returned) if returned.call == call));
            assert_eq!(answers.count(), 1, "{call}, killed at {killed_at}");
        }
        assert_eq!(workspace.text("log.txt"), "line\n", "made twice, killed at {killed_at}");
        let answered = before.iter().filter(|body| matches!(body, Body::TurnReplied(_))).count();
        assert_eq!(server.requests().len() - asked, 3 - answered, "asked again, killed at {killed_at}");
    }
}

/// A call that may have taken effect is not made again; the model is told, and decides.
#[tokio::test]
async fn an_interrupted_call_that_changes_something_is_not_repeated() {
    let server = Server::script(turns()).await;
    let workspace = Workspace::new();
    let whole = {
        let journal = Memory::default();
        go_on(&server, &workspace, &[], &journal).await.unwrap();
        journal.events()
    };
    let is_call = |body: &Body| matches!(body, Body::ToolCalled(called) if called.name == "shell");
    let called = whole.iter().position(is_call).unwrap();
    let journal = Memory::default();
    go_on(&server, &workspace, &whole[..=called], &journal).await.unwrap();
    let shell = journal.returned().into_iter().find(|returned| returned.call == "toolu_a_2").unwrap();
    assert!(!shell.ok);
    assert_eq!(shell.output, "interrupted: its effect is unknown, check before repeating");
    assert_eq!(workspace.text("log.txt"), "line\n");
}

/// Writing a whole file twice is writing it once: whoever died over it left nothing half done.
#[tokio::test]
async fn an_interrupted_write_of_a_whole_file_is_made_again() {
    let server = Server::script(turns()).await;
    let whole = {
        let (workspace, journal) = (Workspace::new(), Memory::default());
        go_on(&server, &workspace, &[], &journal).await.unwrap();
        journal.events()
    };
    let is_call = |body: &Body| matches!(body, Body::ToolCalled(called) if called.name == "write_file");
    let called = whole.iter().position(is_call).unwrap();
    let (workspace, journal) = (Workspace::new(), Memory::default());
    go_on(&server, &workspace, &whole[..=called], &journal).await.unwrap();
    let write = journal.returned().into_iter().find(|returned| returned.call == "toolu_b_1").unwrap();
    assert!(write.ok, "{}", write.output);
    assert_eq!(workspace.text("out.txt"), "ok");
}

/// Inserts a line, so that the passage it looks for is there before and after.
fn insertion() -> Vec<Turn> {
    let insert = json!({"path": "app.py", "old_string": "first\n", "new_string": "first\nsecond\n"});
    vec![Turn::call("a", [("edit_file", insert)]), Turn::say("All done.")]
}

/// The outcome of an edit whose session died between its call and its result, and what the file is then.
async fn edit_interrupted_with(file: &str) -> (bool, String, String) {
    let server = Server::script(insertion()).await;
    let (workspace, first) = (Workspace::new(), Memory { fail_after: Some(5), ..Memory::default() });
    workspace.put("app.py", "first\nlast\n");
    go_on(&server, &workspace, &[], &first).await.unwrap_err();
    assert!(matches!(first.events().last(), Some(Body::ToolCalled(_))), "{:?}", first.kinds());
    workspace.put("app.py", file);
    let second = Memory::default();
    go_on(&server, &workspace, &first.events(), &second).await.unwrap();
    let returned = second.returned().remove(0);
    (returned.ok, returned.output, workspace.text("app.py"))
}

/// Issue 2, 10: nothing is lost and nothing done twice, whether the worker died before the write or after it.
#[tokio::test]
async fn an_interrupted_edit_is_made_exactly_once() {
    let edited = "first\nsecond\nlast\n";
    let (ok, output, file) = edit_interrupted_with("first\nlast\n").await;
    assert!(ok && output.starts_with("edited `app.py` in 1 place"), "{output}");
    assert_eq!(file, edited);
    let (ok, output, file) = edit_interrupted_with(edited).await;
    assert!(ok, "{output}");
    assert_eq!(output, "changed `app.py`, then the session was interrupted");
    assert_eq!(file, edited);
}

#[tokio::test]
async fn an_interrupted_edit_of_a_file_that_is_neither_old_nor_new_is_left_to_the_model() {
    let (ok, output, file) = edit_interrupted_with("first\nother\n").await;
    assert!(!ok);
    assert_eq!(output, "interrupted: its effect is unknown, check before repeating");
    assert_eq!(file, "first\nother\n");
}

/// The provider gets back what it signed, also after a restart.
#[tokio::test]
async fn signed_thinking_survives_a_restart() {
    let server = Server::script(turns()).await;
    let workspace = Workspace::new();
    let first = Memory { fail_after: Some(6), ..Memory::default() };
    go_on(&server, &workspace, &[], &first).await.unwrap_err();
    let stored: Vec<Body> = serde_json::from_str(&serde_json::to_string(&first.events()).unwrap()).unwrap();
    go_on(&server, &workspace, &stored, &Memory::default()).await.unwrap();
    let second_turn = &server.requests()[1];
    let thinking = &second_turn["messages"][1]["content"][0];
    assert_eq!(thinking["type"], "thinking", "{second_turn}");
    assert_eq!((thinking["thinking"].as_str(), thinking["signature"].as_str()), (Some("Hm."), Some("c2lnbmVk")));
}

#[tokio::test]
async fn a_session_that_ended_is_not_asked_anything_again() {
    let server = Server::script(turns()).await;
    let (workspace, journal) = (Workspace::new(), Memory::default());
    let ended = go_on(&server, &workspace, &[], &journal).await.unwrap();
    let asked = server.requests().len();
    let again = Memory::default();
    assert_eq!(go_on(&server, &workspace, &journal.events(), &again).await.unwrap(), ended);
    assert!(again.events().is_empty());
    assert_eq!(server.requests().len(), asked);
}

#[tokio::test]
async fn an_actions_session_is_found_among_the_runs_events() {
    let server = Server::script(turns()).await;
    let (workspace, journal) = (Workspace::new(), Memory::default());
    go_on(&server, &workspace, &[], &journal).await.unwrap();
    let events = journal.events();
    assert_eq!(Session::begun_by(&config().action, &events), Some(session_id()));
    assert_eq!(Session::begun_by(&model::id::ActionId::new("build", 2, 1), &events), None);
}

/// Events of another session change nothing.
#[tokio::test]
async fn foreign_events_are_passed_over() {
    let server = Server::script(turns()).await;
    let (workspace, journal) = (Workspace::new(), Memory::default());
    go_on(&server, &workspace, &[], &journal).await.unwrap();
    let mut mine = config();
    mine.session = model::id::SessionId::from_uuid(uuid::Uuid::from_u128(2));
    let fresh = Workspace::new();
    let environment: Arc<_> = fresh.environment.clone();
    let session = Session::resume(mine, server.anthropic(), environment, "Build it.", &journal.events());
    session.run(&Memory::default(), &Control::default()).await.unwrap();
    assert_eq!(fresh.text("log.txt"), "line\n");
}
