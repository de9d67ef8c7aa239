//! Runs a subject for the harness: a sandbox for each start, doors to its twins only.
//!
//! Paths inside are neutral: software that wants to know whether it is being graded, and by what, learns nothing from
//! where it stands.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use futures::FutureExt as _;
use harness::{ExecOutput, ExecRequest, LaunchError, LaunchRequest, Launcher, Leaks, Running, Signal, TreeAccess};
use sandbox::{Access, Egress, Mount, Process, Sandbox, Spec};
use tokio::{
    fs::OpenOptions,
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::unix::pipe::Receiver,
};

use url::Url;

use crate::Factory;

const WORKSPACE: &str = "/workspace";
const DATA: &str = "/data";
const LOG_BYTES_MAX: usize = 4 * 1024 * 1024; // of one start; what comes after is read and dropped
const TERMINATE_WITHIN: Duration = Duration::from_secs(5);

/// [`Launcher`] over the factory's sandboxes.
pub(crate) struct SandboxLauncher {
    factory: Arc<Factory>,
    /// Why this machine could not start the subject, the first time. Never about a scenario's own commands: it is told.
    unable: OnceLock<String>,
}

impl SandboxLauncher {
    pub(crate) fn new(factory: Arc<Factory>) -> Self {
        Self { factory, unable: OnceLock::new() }
    }

    pub(crate) fn unable(&self) -> Option<&str> {
        self.unable.get().map(String::as_str)
    }

    async fn sandbox(
        &self,
        root: (&Path, Access),
        data: &Path,
        egress: &[u16],
        program: &str,
    ) -> Result<Sandbox, LaunchError> {
        let mount = |host: &Path, guest: &str, access| Mount { host: host.to_owned(), guest: guest.into(), access };
        let door = |port: &u16| Egress { inner_port: *port, target: SocketAddr::from(([127, 0, 0, 1], *port)) };
        let spec = Spec {
            mounts: vec![mount(root.0, WORKSPACE, root.1), mount(data, DATA, Access::ReadWrite)],
            env: BTreeMap::from([("PATH".to_owned(), self.factory.path.clone())]),
            egress: egress.iter().map(door).collect(),
            tools: self.factory.tools.clone(),
            ..Spec::default()
        };
        self.factory.sandboxes.create(spec).await.map_err(|error| machine(program, &error))
    }

    async fn start(&self, request: LaunchRequest) -> Result<Box<dyn Running>, LaunchError> {
        let program = program_of(&request.argv);
        let root = (request.root.as_path(), Access::ReadOnly);
        let sandbox = self.sandbox(root, &request.data_dir, &request.egress, &program).await?;
        let (root, data) = (request.root.to_string_lossy(), request.data_dir.to_string_lossy());
        let inside = Inside { root: &root, data: &data };
        let command = inside.command(&request.argv, &request.env);
        let mut process = sandbox.spawn(&command).await.map_err(|error| refused(&program, &error))?;
        let address = sandbox.expose(request.port).await.map_err(|error| machine(&program, &error))?;
        process.stdin = None;
        for output in [process.stdout.take(), process.stderr.take()].into_iter().flatten() {
            tokio::spawn(append_to_log(output, request.log.clone()));
        }
        let base_url = Url::parse(&format!("http://{address}/")).expect("an address makes a URL");
        Ok(Box::new(InSandbox { sandbox: Some(sandbox), process, base_url }))
    }
}

fn program_of(argv: &[String]) -> String {
    argv.first().cloned().unwrap_or_default()
}

fn machine(program: &str, error: &sandbox::Error) -> LaunchError {
    LaunchError::Machine { program: program.to_owned(), reason: error.to_string() }
}

/// A start that the sandbox refused is the subject's fault only if the program is its own file.
fn refused(program: &str, error: &sandbox::Error) -> LaunchError {
    let (program, reason) = (program.to_owned(), error.to_string());
    if program.starts_with('.') || program.starts_with(WORKSPACE) {
        LaunchError::Subject { program, reason }
    } else {
        LaunchError::Machine { program, reason }
    }
}

/// What the harness wrote with host paths, as it is inside.
struct Inside<'a> {
    root: &'a str,
    data: &'a str,
}

impl Inside<'_> {
    fn text(&self, text: &str) -> String {
        text.replace(self.data, DATA).replace(self.root, WORKSPACE)
    }

    fn command(&self, argv: &[String], env: &BTreeMap<String, String>) -> sandbox::Command {
        let mut command = sandbox::Command::new(argv.iter().map(|argument| self.text(argument))).cwd(WORKSPACE);
        command.env = env.iter().map(|(name, value)| (name.clone(), self.text(value))).collect();
        command
    }
}

#[async_trait]
impl Launcher for SandboxLauncher {
    async fn launch(&self, request: LaunchRequest) -> Result<Box<dyn Running>, LaunchError> {
        let launched = self.start(request).await;
        if let Err(error @ LaunchError::Machine { .. }) = &launched {
            self.unable.get_or_init(|| error.to_string());
        }
        launched
    }

    async fn exec(&self, request: ExecRequest) -> Result<ExecOutput, LaunchError> {
        let program = program_of(&request.argv);
        let access = match request.access {
            TreeAccess::ReadOnly => Access::ReadOnly,
            TreeAccess::ReadWrite => Access::ReadWrite,
        };
        let root = (request.root.as_path(), access);
        let sandbox = self.sandbox(root, &request.data_dir, &request.egress, &program).await?;
        let (root, data) = (request.root.to_string_lossy(), request.data_dir.to_string_lossy());
        let inside = Inside { root: &root, data: &data };
        let mut command = inside.command(&request.argv, &request.env);
        command.cwd = Path::new(WORKSPACE).join(&request.cwd);
        command.stdin = request.stdin;
        command.timeout = request.timeout;
        command.output_bytes_max = request.output_bytes_max;
        let output = sandbox.run(command).await.map_err(|error| refused(&program, &error))?;
        sandbox.kill().await.map_err(|error| machine(&program, &error))?;
        Ok(ExecOutput {
            exit: match output.status {
                sandbox::Exit::Code(code) => harness::Exit::Code(code),
                sandbox::Exit::Signal(signal) => harness::Exit::Signal(signal),
                sandbox::Exit::TimedOut => harness::Exit::TimedOut,
            },
            stdout: output.stdout,
            stderr: output.stderr,
            truncated: output.truncated,
            duration: Duration::from_millis(output.duration_ms),
            // Whatever the command left running died with its sandbox.
            leaks: Leaks::default(),
        })
    }
}

/// Best effort: a log that cannot be written must not stop the subject.
async fn append_to_log(mut output: Receiver, log: std::path::PathBuf) {
    let Ok(mut file) = OpenOptions::new().create(true).append(true).open(&log).await else { return };
    let mut left = LOG_BYTES_MAX;
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = output.read(&mut buffer).await {
        let kept = read.min(left);
        left -= kept;
        if file.write_all(&buffer[..kept]).await.is_err() || file.flush().await.is_err() {
            return;
        }
    }
}

struct InSandbox {
    /// `None` once it was stopped.
    sandbox: Option<Sandbox>,
    process: Process,
    base_url: Url,
}

impl InSandbox {
    async fn kill(&mut self) -> Result<(), LaunchError> {
        match self.sandbox.take() {
            Some(sandbox) => sandbox.kill().await.map_err(|error| machine("the subject", &error)),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Running for InSandbox {
    fn base_url(&self) -> Url {
        self.base_url.clone()
    }

    async fn stop(&mut self, how: Signal) -> Result<(), LaunchError> {
        if how == Signal::Term && self.process.signal(sandbox::Signal::Terminate).await.is_ok() {
            tokio::time::timeout(TERMINATE_WITHIN, self.process.wait()).await.ok();
        }
        self.kill().await
    }

    fn try_exit(&mut self) -> Option<String> {
        match self.process.wait().now_or_never()? {
            Ok(sandbox::Exit::Code(code)) => Some(format!("exit code {code}")),
            Ok(sandbox::Exit::Signal(signal)) => Some(format!("death by signal {signal}")),
            Ok(sandbox::Exit::TimedOut) => Some("a time-out".to_owned()),
            Err(error) => Some(error.to_string()),
        }
    }

    async fn close(mut self: Box<Self>) -> Leaks {
        // Whatever the subject left running dies with its sandbox.
        self.kill().await.ok();
        Leaks::default()
    }
}
