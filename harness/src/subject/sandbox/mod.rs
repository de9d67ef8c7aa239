//! Subjects in namespaces of their own, made by `bwrap`: a root of the system's folders only, the tree read-only at its own
//! path, a private `/tmp` and home, no process and no network of this machine. Ports are led through the wall one by
//! one: the subject's own inward, those of its twins outward.
//!
//! Each subject and each command has a sandbox of its own, whose first process is the harness again (`inside`), since only
//! a process inside can listen and connect there. Both talk over sockets in a folder they share (`channel`).
//! Start at [`SandboxLauncher`], then `bubblewrap` for what is shown inside.

mod bubblewrap;
mod channel;
mod inside;
mod room;
mod running;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
};

use async_trait::async_trait;
use tokio::time::timeout;

pub use self::inside::inside_sandbox;
use self::{
    bubblewrap::{Bubblewrap, HOME, View},
    channel::{Order, Size},
    room::{Bwrap, Room},
    running::Sandboxed,
};
use super::{
    ExecOutput, ExecRequest, Exit, LaunchError, LaunchRequest, Launcher, Leaks, Running, Terminal, TerminalOutput,
    TreeAccess,
    isolation::SandboxOptions,
    log::Log,
    process::{collect, drained, feed, reader},
    pty,
};

const PASSED: [&str; 2] = ["PATH", "LANG"]; // HOME and TMPDIR are the sandbox's own

/// Starts each subject, and each command, in a sandbox of its own.
#[derive(Debug)]
pub(super) struct SandboxLauncher {
    bwrap: Bwrap,
    host_env: BTreeMap<String, String>,
}

impl SandboxLauncher {
    /// `harness` is the binary of that name: it is run inside as well.
    pub(super) fn new(
        options: &SandboxOptions,
        host_env: BTreeMap<String, String>,
        harness: PathBuf,
    ) -> Result<Self, LaunchError> {
        let view = Bubblewrap::new(harness, options.read.clone()).map_err(|error| here(&error))?;
        let bwrap = Bwrap::find(host_env.get("PATH").map_or("", String::as_str), view)?;
        Ok(Self { bwrap, host_env })
    }

    /// The environment of a command.
    fn env(&self, allow: &[String], own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let names = PASSED.into_iter().chain(allow.iter().map(String::as_str));
        let passed = names.filter_map(|name| self.host_env.get_key_value(name));
        let mut env =
            BTreeMap::from([("HOME", HOME), ("TMPDIR", "/tmp")].map(|(name, value)| (name.into(), value.into())));
        env.extend(passed.chain(own).map(|(name, value)| (name.clone(), value.clone())));
        env
    }

    async fn command(&self, request: &ExecRequest, stdio: [Stdio; 3], size: Option<Size>) -> Result<Room, LaunchError> {
        let root = absolute(&request.root)?;
        let order = Order {
            argv: request.argv.clone(),
            env: self.env(&request.env_allow, &request.env),
            cwd: root.join(&request.cwd),
            outward: request.egress.clone(),
            inward: Vec::new(),
            terminal: size,
        };
        self.bwrap.open(&root, request.access, &request.data_dir, order, stdio).await
    }
}

fn absolute(root: &Path) -> Result<PathBuf, LaunchError> {
    std::path::absolute(root).map_err(|error| here(&error))
}

fn here(error: &std::io::Error) -> LaunchError {
    LaunchError::Machine { program: "bwrap".to_owned(), reason: error.to_string() }
}

#[async_trait]
impl Launcher for SandboxLauncher {
    async fn launch(&self, request: LaunchRequest) -> Result<Box<dyn Running>, LaunchError> {
        let root = absolute(&request.root)?;
        let log = Log::append_to(&request.log).map_err(|error| here(&error))?;
        let mut inward = vec![request.port];
        inward.extend(&request.further_ports);
        let order = Order {
            argv: request.argv,
            env: self.env(&request.env_allow, &request.env),
            cwd: root.clone(),
            outward: request.egress,
            inward,
            terminal: None,
        };
        let stdio = [Stdio::null(), Stdio::piped(), Stdio::piped()];
        let room = self.bwrap.open(&root, TreeAccess::ReadOnly, &request.data_dir, order, stdio).await?;
        Ok(Box::new(Sandboxed::serve(room, &log, request.port)))
    }

    async fn exec(&self, request: ExecRequest) -> Result<ExecOutput, LaunchError> {
        let started = Instant::now();
        let stdio = [Stdio::piped(), Stdio::piped(), Stdio::piped()];
        let mut room = self.command(&request, stdio, None).await?;
        let input = feed(room.pipes.stdin.take(), request.stdin);
        let streams = [room.pipes.stdout.take().map(reader), room.pipes.stderr.take().map(reader)];
        let [stdout, stderr] = streams.map(|stream| collect(stream, request.output_bytes_max));
        let exit = timeout(request.timeout, room.ended()).await.unwrap_or(Exit::TimedOut);
        room.close().await;
        input.abort();
        let [(stdout, cut_out), (stderr, cut_err)] = [drained(stdout).await, drained(stderr).await];
        let duration = started.elapsed();
        Ok(ExecOutput { exit, stdout, stderr, truncated: cut_out || cut_err, duration, leaks: Leaks::default() })
    }

    async fn exec_on_terminal(
        &self,
        mut request: ExecRequest,
        terminal: Terminal,
    ) -> Result<TerminalOutput, LaunchError> {
        request.env.entry("TERM".to_owned()).or_insert_with(|| pty::TERM.to_owned());
        let stdio = [Stdio::piped(), Stdio::piped(), Stdio::piped()];
        let size = Size { columns: terminal.columns.get(), rows: terminal.rows.get() };
        let mut room = self.command(&request, stdio, Some(size)).await?;
        let lost = || here(&std::io::ErrorKind::BrokenPipe.into());
        let reader = room.pipes.stdout.take().ok_or_else(lost)?;
        let writer = room.pipes.stdin.take().ok_or_else(lost)?;
        Ok(pty::Session::new(room, reader, writer).run(&request, &terminal).await)
    }
}
