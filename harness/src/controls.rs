//! Controls: a scenario proves itself before it counts. It must be red where nothing listens (*nop*) and where
//! everything is answered with 200 and `{}` (*stub*, the minimum viable lie).

use std::{
    net::Ipv4Addr,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{
    Exit, Observer, ObserverError, Plan, RunError, SubjectConfig, Suite, TrialRecord, Verdict,
    run::run_with,
    step::Patience,
    subject::{
        ExecOutput, ExecRequest, LaunchError, LaunchRequest, Launcher, Leaks, Running, Signal, Terminal, TerminalOutput,
    },
};

/// A subject that does nothing right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// Nothing listens; commands print nothing and end with 0.
    Nop,
    /// Every request is answered 200 with `{}`; commands print `ok` and end with 0.
    Stub,
}

/// How one scenario took one control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlResult {
    pub scenario: String,
    pub control: Control,
    pub verdict: Verdict,
    /// Why it was red, or what made the control impossible.
    pub message: String,
}

/// What a control shows of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Soundness {
    /// It was red.
    Sound,
    /// It let a subject pass that does nothing right.
    Unsound,
    /// It could not be run: nothing is shown either way.
    Unproven,
}

impl ControlResult {
    /// An unjudged pass is a pass: no rule was red.
    pub fn soundness(&self) -> Soundness {
        match self.verdict {
            Verdict::Satisfied | Verdict::Unjudged => Soundness::Unsound,
            Verdict::Unsatisfied => Soundness::Sound,
            Verdict::Infra => Soundness::Unproven,
        }
    }
}

/// Runs every scenario once against both controls. The subject's twins are given, its command is not run. What a set-up
/// comes to is passed over, and what it should have captured is stood in for: the story itself must be red.
///
/// # Errors
/// Like [`crate::run`].
pub async fn prove(suite: &Suite, subject: &SubjectConfig, jobs: usize) -> Result<Vec<ControlResult>, RunError> {
    let mut results = Vec::new();
    for control in [Control::Nop, Control::Stub] {
        let subject = subject.without_build_and_ready();
        let plan = Plan { jobs, ..Plan::new(suite.clone(), subject, PathBuf::from(".")) };
        let found = Found { control, results: Mutex::default() };
        run_with(Patience::None, plan, &control, None, &found).await?;
        let mut found = found.results.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.sort_by_key(|result| suite.scenarios.iter().position(|scenario| scenario.slug == result.scenario));
        results.append(&mut found);
    }
    Ok(results)
}

/// Keeps what a control's trials came to.
struct Found {
    control: Control,
    results: Mutex<Vec<ControlResult>>,
}

#[async_trait]
impl Observer for Found {
    async fn trial_finished(&self, record: &TrialRecord) -> Result<(), ObserverError> {
        let result = ControlResult {
            scenario: record.scenario.clone(),
            control: self.control,
            verdict: record.verdict,
            message: record.failure.as_ref().map_or_else(String::new, |failure| failure.message.clone()),
        };
        self.results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
        Ok(())
    }
}

#[async_trait]
impl Launcher for Control {
    async fn launch(&self, request: LaunchRequest) -> Result<Box<dyn Running>, LaunchError> {
        let url = |port: u16| format!("http://{}:{port}", Ipv4Addr::LOCALHOST).parse().expect("a loopback URL");
        match self {
            Self::Nop => Ok(Box::new(Fake { url: url(request.port), answering: None })),
            Self::Stub => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, request.port))
                    .await
                    .map_err(|error| LaunchError::Machine { program: "stub".to_owned(), reason: error.to_string() })?;
                Ok(Box::new(Fake { url: url(request.port), answering: Some(tokio::spawn(answer_all(listener))) }))
            }
        }
    }

    async fn exec(&self, _: ExecRequest) -> Result<ExecOutput, LaunchError> {
        let stdout = match self {
            Self::Nop => Vec::new(),
            Self::Stub => b"ok\n".to_vec(),
        };
        let (exit, duration) = (Exit::Code(0), std::time::Duration::ZERO);
        Ok(ExecOutput { exit, stdout, stderr: Vec::new(), truncated: false, duration, leaks: Leaks::default() })
    }

    async fn exec_on_terminal(&self, request: ExecRequest, terminal: Terminal) -> Result<TerminalOutput, LaunchError> {
        let output = self.exec(request).await?;
        let screen = String::from_utf8_lossy(&output.stdout).into_owned();
        let unanswered = terminal.dialogue.iter().position(|turn| turn.sign.is_some()).map(|turn| turn + 1);
        Ok(TerminalOutput { output, screen, unanswered })
    }
}

struct Fake {
    url: Url,
    answering: Option<JoinHandle<()>>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        if let Some(task) = &self.answering {
            task.abort();
        }
    }
}

#[async_trait]
impl Running for Fake {
    fn base_url(&self) -> Url {
        self.url.clone()
    }

    async fn stop(&mut self, _: Signal) -> Result<(), LaunchError> {
        if let Some(task) = self.answering.take() {
            task.abort();
            // The port must be free again before a restart binds it.
            task.await.ok();
        }
        Ok(())
    }

    fn try_exit(&mut self) -> Option<String> {
        None
    }

    async fn close(mut self: Box<Self>) -> Leaks {
        self.stop(Signal::Kill).await.ok();
        Leaks::default()
    }
}

/// Answers until it is aborted; its connections end with it.
async fn answer_all(listener: TcpListener) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(answer(stream));
    }
}

/// One answer per connection: no client can wait for more.
async fn answer(mut stream: TcpStream) {
    const ANSWER: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    const REQUEST_BYTES_MAX: usize = 64 * 1024; // of a request's head; its body is not waited for
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    while !read.windows(4).any(|window| window == b"\r\n\r\n") && read.len() < REQUEST_BYTES_MAX {
        match stream.read(&mut buffer).await {
            Ok(n @ 1..) => read.extend_from_slice(&buffer[..n]),
            _ => return,
        }
    }
    if stream.write_all(ANSWER).await.is_ok() {
        stream.shutdown().await.ok();
        // Reading on until the client closes: closing with unread bytes would reset the answer away.
        while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
    }
}
