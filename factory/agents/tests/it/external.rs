//! An outside agent: the task in, output and exit as events.

use std::{sync::Arc, time::Duration};

use agents::{Control, ExternalAgent, ProcessRunner};
use model::{
    event::{
        Body,
        agent::{CommandExited, OutputStream},
    },
    id::ActionId,
};

use crate::support::{Memory, Workspace};

fn agent(workspace: &Workspace, line: &str, timeout: Duration) -> ExternalAgent {
    ExternalAgent {
        action: ActionId::new("build", 1, 1),
        argv: ["/bin/sh", "-c", line].map(str::to_owned).into(),
        task: "Build a shop.".to_owned(),
        env: std::env::vars().filter(|(name, _)| name == "PATH").collect(),
        timeout,
        environment: workspace.environment.clone(),
        runner: Arc::new(ProcessRunner),
    }
}

async fn run(workspace: &Workspace, line: &str, timeout: Duration) -> (CommandExited, Memory) {
    let journal = Memory::default();
    let exited = agent(workspace, line, timeout).run(&journal, &Control::default()).await.unwrap();
    (exited, journal)
}

fn printed(journal: &Memory, stream: OutputStream) -> String {
    let text = |body| match body {
        Body::CommandPrinted(printed) if printed.stream == stream => Some(printed.text),
        _ => None,
    };
    journal.events().into_iter().filter_map(text).collect()
}

#[tokio::test]
async fn the_task_is_on_standard_input_and_in_a_file() {
    let workspace = Workspace::new();
    let line = "cat; echo; cat \"$FACTORY_TASK_FILE\"; echo made > made.txt; echo oops >&2";
    let (exited, journal) = run(&workspace, line, Duration::from_secs(20)).await;
    assert_eq!((exited.status.as_str(), exited.success), ("exit 0", true));
    assert_eq!(printed(&journal, OutputStream::Stdout), "Build a shop.\nBuild a shop.");
    assert_eq!(printed(&journal, OutputStream::Stderr), "oops\n");
    assert_eq!(workspace.text("made.txt"), "made\n");
    assert!(!workspace.path().join(".factory/task.md").exists(), "the task is no part of the work");
    assert_eq!((journal.kinds()[0], *journal.kinds().last().unwrap()), ("command.started", "command.exited"));
}

#[tokio::test]
async fn a_failing_agent_and_one_that_runs_too_long_are_told_apart() {
    let workspace = Workspace::new();
    let (exited, _) = run(&workspace, "exit 3", Duration::from_secs(20)).await;
    assert_eq!((exited.status.as_str(), exited.success), ("exit 3", false));
    let (exited, _) = run(&workspace, "sleep 600", Duration::from_millis(100)).await;
    assert_eq!((exited.status.as_str(), exited.success), ("timed out", false));
}

#[tokio::test]
async fn a_flood_of_output_is_recorded_up_to_a_bound() {
    let workspace = Workspace::new();
    let (exited, journal) = run(&workspace, "head -c 20000000 /dev/zero | tr '\\0' x", Duration::from_secs(20)).await;
    assert!(exited.success);
    let text = printed(&journal, OutputStream::Stdout);
    assert!(text.len() < 1_100_000 && text.ends_with("more bytes were not kept …]"), "{}", text.len());
}

#[tokio::test]
async fn cancelling_ends_the_command() {
    let workspace = Workspace::new();
    let (journal, control) = (Memory::default(), Control::default());
    let agent = agent(&workspace, "echo up; sleep 600", Duration::from_secs(600));
    let (exited, ()) = tokio::join!(agent.run(&journal, &control), async {
        while printed(&journal, OutputStream::Stdout).is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        control.cancel();
    });
    assert_eq!(exited.unwrap().status, "cancelled");
}

#[tokio::test]
async fn a_command_whose_output_cannot_be_recorded_is_ended() {
    let workspace = Workspace::new();
    let journal = Memory { fail_after: Some(1), ..Memory::default() };
    let agent = agent(&workspace, "echo up; sleep 600", Duration::from_secs(600));
    let ended = tokio::time::timeout(Duration::from_secs(20), agent.run(&journal, &Control::default())).await;
    let error = ended.expect("the command still runs").unwrap_err().to_string();
    assert_eq!(error, "record an event of the session: the lease is lost");
}
