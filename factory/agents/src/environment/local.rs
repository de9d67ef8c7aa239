//! A workspace on this host: files by the kernel's confined lookups, commands by a runner.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::{
    Entry, Environment, FileError, Found, GlobQuery, GrepQuery, Hit, SearchError, Searched, ShellCommand, ShellOutput,
    Stat, Tree, WorkspacePath, Written, search,
};
use crate::command::{CHUNKS_MAX, Command, CommandRunner, RunnerError, capture, without_secrets};

const OUTPUT_BYTES_MAX: usize = 1024 * 1024; // of each stream of one command; an event keeps less
const SHELL: &str = "/bin/sh";

/// A tree of this host whose commands run elsewhere: in a sandbox that has the same tree at `home`.
pub struct LocalEnvironment {
    tree: Arc<Tree>,
    home: String,
    env: BTreeMap<String, String>,
    runner: Arc<dyn CommandRunner>,
}

impl LocalEnvironment {
    /// `root` is the tree on this host, `home` where commands see it; variables named like secrets are dropped.
    pub fn new(
        root: &Path,
        home: impl Into<String>,
        env: impl IntoIterator<Item = (String, String)>,
        runner: Arc<dyn CommandRunner>,
    ) -> Result<Self, FileError> {
        let tree = Arc::new(Tree::open(root)?);
        Ok(Self { tree, home: home.into(), env: without_secrets(env), runner })
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Tree) -> T + Send + 'static) -> T {
        let tree = Arc::clone(&self.tree);
        match tokio::task::spawn_blocking(move || work(&tree)).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime shuts down: nobody will ask for the answer.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

#[async_trait]
impl Environment for LocalEnvironment {
    fn home(&self) -> &str {
        &self.home
    }

    async fn read(&self, path: &WorkspacePath, bytes_max: u64) -> Result<Vec<u8>, FileError> {
        let path = path.clone();
        self.blocking(move |tree| tree.read(&path, bytes_max)).await
    }

    async fn write(&self, path: &WorkspacePath, bytes: Vec<u8>) -> Result<Written, FileError> {
        let path = path.clone();
        self.blocking(move |tree| tree.write(&path, &bytes)).await
    }

    async fn remove(&self, path: &WorkspacePath) -> Result<(), FileError> {
        let path = path.clone();
        self.blocking(move |tree| tree.remove(&path)).await
    }

    async fn list(&self, path: &WorkspacePath) -> Result<Vec<Entry>, FileError> {
        let path = path.clone();
        self.blocking(move |tree| tree.list(&path)).await
    }

    async fn stat(&self, path: &WorkspacePath) -> Result<Stat, FileError> {
        let path = path.clone();
        self.blocking(move |tree| tree.stat(&path)).await
    }

    async fn grep(&self, query: GrepQuery) -> Result<Searched<Hit>, SearchError> {
        self.blocking(move |tree| search::grep(tree, &query)).await
    }

    async fn glob(&self, query: GlobQuery) -> Result<Searched<Found>, SearchError> {
        self.blocking(move |tree| search::glob(tree, &query)).await
    }

    async fn run(&self, command: ShellCommand) -> Result<ShellOutput, RunnerError> {
        let cwd = if command.cwd.is_root() {
            PathBuf::from(&self.home)
        } else {
            Path::new(&self.home).join(command.cwd.as_str())
        };
        let command = Command {
            argv: vec![SHELL.to_owned(), "-c".to_owned(), command.command],
            env: self.env.clone(),
            cwd,
            stdin: Vec::new(),
            timeout: command.timeout,
        };
        let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
        let (finished, captured) = tokio::join!(self.runner.run(command, sender), capture(receiver, OUTPUT_BYTES_MAX));
        let finished = finished?;
        Ok(ShellOutput {
            exit: finished.exit,
            stdout: captured.stdout,
            stderr: captured.stderr,
            duration: finished.duration,
        })
    }
}
