//! A subject that somebody else started: only its URL is known.

use async_trait::async_trait;
use reqwest::Url;

use super::{
    ExecOutput, ExecRequest, LaunchError, LaunchRequest, Launcher, Leaks, ProcessLauncher, Running, Signal, Terminal,
    TerminalOutput,
};

/// Hands out one URL. Commands run as plain processes of this machine.
#[derive(Debug)]
pub struct UrlLauncher {
    url: Url,
    commands: ProcessLauncher,
}

impl UrlLauncher {
    pub fn new(url: Url, commands: ProcessLauncher) -> Self {
        Self { url, commands }
    }
}

#[async_trait]
impl Launcher for UrlLauncher {
    async fn launch(&self, _: LaunchRequest) -> Result<Box<dyn Running>, LaunchError> {
        Ok(Box::new(Elsewhere(self.url.clone())))
    }

    async fn exec(&self, request: ExecRequest) -> Result<ExecOutput, LaunchError> {
        self.commands.exec(request).await
    }

    async fn exec_on_terminal(&self, request: ExecRequest, terminal: Terminal) -> Result<TerminalOutput, LaunchError> {
        self.commands.exec_on_terminal(request, terminal).await
    }
}

struct Elsewhere(Url);

#[async_trait]
impl Running for Elsewhere {
    fn base_url(&self) -> Url {
        self.0.clone()
    }

    async fn stop(&mut self, _: Signal) -> Result<(), LaunchError> {
        let instead = "it is only a URL: give a tree with a `start` command instead";
        Err(LaunchError::Unsupported { what: "stopping or restarting", instead })
    }

    fn try_exit(&mut self) -> Option<String> {
        None
    }

    async fn close(self: Box<Self>) -> Leaks {
        Leaks::default()
    }
}
