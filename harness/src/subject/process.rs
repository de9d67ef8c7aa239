//! Subjects as plain processes of this machine, each in a process group of its own.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use reqwest::Url;
use rustix::process::{Pid, Signal as UnixSignal};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, ChildStdin, Command},
    task::JoinHandle,
    time::timeout,
};

use super::{
    ExecOutput, ExecRequest, Exit, LaunchError, LaunchRequest, Launcher, Leaks, Running, Signal, Terminal,
    TerminalOutput,
    leaks::{Leader, Nursery},
    log::Log,
    pty,
};

const PASSED: [&str; 3] = ["PATH", "HOME", "LANG"]; // TMPDIR is passed too, but is the trial's own
pub(super) const TERM_GRACE: Duration = Duration::from_secs(5); // then the process group is killed
pub(super) const DRAIN: Duration = Duration::from_millis(500); // for the last output of a dead process

/// Starts processes with an environment that holds only what was asked for, and PATH, HOME, LANG and TMPDIR.
///
/// It isolates nothing: a command writes where its user may, [`ExecRequest::access`] or not. Grading software that is not
/// trusted needs a launcher that does.
#[derive(Debug)]
pub struct ProcessLauncher {
    host_env: BTreeMap<String, String>,
    nursery: Nursery,
}

impl ProcessLauncher {
    /// `host_env` is where PATH, HOME, LANG and what `env_allow` names are taken from.
    pub fn new(host_env: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { host_env: host_env.into_iter().collect(), nursery: Nursery::default() }
    }

    /// Kills orphans too, whatever they did to hide: from now on this process adopts them, and takes every child that was
    /// not started here for one. For a program whose children are all subjects.
    #[must_use]
    pub fn adopting(self) -> Self {
        Self { nursery: Nursery::adopting(), ..self }
    }

    /// The environment that it was given.
    pub(super) fn into_env(self) -> BTreeMap<String, String> {
        self.host_env
    }

    fn command(
        &self,
        argv: &[String],
        cwd: &Path,
        allow: &[String],
        env: &BTreeMap<String, String>,
    ) -> Option<Command> {
        let (program, arguments) = argv.split_first()?;
        let mut command = Command::new(program_path(program, cwd));
        command
            .args(arguments)
            .current_dir(cwd)
            .env_clear()
            .envs(self.passed(allow))
            .envs(env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        Some(command)
    }

    /// The part of this machine's environment that a subject sees.
    fn passed<'a>(&'a self, allow: &'a [String]) -> impl Iterator<Item = (&'a String, &'a String)> {
        let names = PASSED.into_iter().chain(allow.iter().map(String::as_str));
        names.filter_map(|name| self.host_env.get_key_value(name))
    }

    /// Like an `exec` command, for a terminal; `None` where there is no program.
    fn terminal_command(&self, request: &ExecRequest) -> Option<pty_process::Command> {
        let (program, arguments) = request.argv.split_first()?;
        let cwd = request.root.join(&request.cwd);
        let command = pty_process::Command::new(program_path(program, &cwd)).args(arguments).current_dir(&cwd);
        let command = pty::dress(command.env_clear().envs(self.passed(&request.env_allow)));
        Some(command.env("TMPDIR", tmp_dir(request)).envs(&request.env).kill_on_drop(true))
    }
}

/// The trial's own folder, which marks all processes of its commands.
fn tmp_dir(request: &ExecRequest) -> &Path {
    request.data_dir.parent().unwrap_or(&request.data_dir)
}

/// A program with a slash is the subject's own and stands in its tree; a bare name is the machine's.
pub(super) fn program_path(program: &str, cwd: &Path) -> PathBuf {
    if program.contains('/') { cwd.join(program) } else { PathBuf::from(program) }
}

fn spawn(command: Option<Command>, argv: &[String], tmp_dir: &Path, nursery: &Nursery) -> Result<Group, LaunchError> {
    let program = argv.first().cloned().unwrap_or_default();
    let mut command = command.ok_or_else(empty)?;
    let child = command.spawn().map_err(|error| refused(program, &error))?;
    Ok(Group::of(child, tmp_dir, nursery))
}

fn empty() -> LaunchError {
    LaunchError::Subject { program: String::new(), reason: "the command is empty".to_owned() }
}

pub(super) fn refused(program: String, error: &io::Error) -> LaunchError {
    let reason = error.to_string();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied if program.contains('/') => {
            LaunchError::Subject { program, reason }
        }
        _ => LaunchError::Machine { program, reason },
    }
}

#[async_trait]
impl Launcher for ProcessLauncher {
    async fn launch(&self, request: LaunchRequest) -> Result<Box<dyn Running>, LaunchError> {
        let here = |reason: io::Error| LaunchError::Machine { program: "subject".into(), reason: reason.to_string() };
        let tmp_dir = request.log.with_file_name("tmp");
        std::fs::create_dir_all(&tmp_dir).map_err(here)?;
        let log = Log::append_to(&request.log).map_err(here)?;
        let mut command = self.command(&request.argv, &request.root, &request.env_allow, &request.env);
        if let Some(command) = &mut command {
            command.env("TMPDIR", &tmp_dir).stdin(Stdio::null());
        }
        let mut group = spawn(command, &request.argv, &tmp_dir, &self.nursery)?;
        let pumps = [
            group.child.stdout.take().map(|stream| log.pump(stream)),
            group.child.stderr.take().map(|stream| log.pump(stream)),
        ];
        let base_url = format!("http://127.0.0.1:{}", request.port).parse().expect("a loopback URL");
        Ok(Box::new(Process { group, pumps: pumps.into_iter().flatten().collect(), base_url }))
    }

    async fn exec(&self, request: ExecRequest) -> Result<ExecOutput, LaunchError> {
        let cwd = request.root.join(&request.cwd);
        let mut command = self.command(&request.argv, &cwd, &request.env_allow, &request.env);
        let tmp_dir = tmp_dir(&request).to_owned();
        if let Some(command) = &mut command {
            command.env("TMPDIR", &tmp_dir);
        }
        let started = Instant::now();
        let mut group = spawn(command, &request.argv, &tmp_dir, &self.nursery)?;
        let input = feed(group.child.stdin.take(), request.stdin);
        let streams = [group.child.stdout.take().map(reader), group.child.stderr.take().map(reader)];
        let [stdout, stderr] = streams.map(|stream| collect(stream, request.output_bytes_max));
        let exit = match timeout(request.timeout, group.child.wait()).await {
            Ok(status) => status.map_or(Exit::Signal(0), exit_of),
            Err(_) => Exit::TimedOut,
        };
        // Children that were left in the group hold the pipes open; they have no business after the command's end.
        let leaks = group.leader.end();
        input.abort();
        let [(stdout, cut_out), (stderr, cut_err)] = [drained(stdout).await, drained(stderr).await];
        Ok(ExecOutput { exit, stdout, stderr, truncated: cut_out || cut_err, duration: started.elapsed(), leaks })
    }

    async fn exec_on_terminal(&self, request: ExecRequest, terminal: Terminal) -> Result<TerminalOutput, LaunchError> {
        let command = self.terminal_command(&request).ok_or_else(empty)?;
        let tmp_dir = tmp_dir(&request);
        let (group, reader, writer) = pty::open(command, &terminal, &request.argv, tmp_dir, &self.nursery)?;
        let leader = Arc::clone(&group.leader);
        let mut left = pty::Session::new(group, reader, writer).run(&request, &terminal).await;
        left.output.leaks = leader.end();
        Ok(left)
    }
}

pub(super) type Stream = Box<dyn AsyncRead + Unpin + Send>;
pub(super) type Collected = (Vec<u8>, bool);

pub(super) fn reader(stream: impl AsyncRead + Unpin + Send + 'static) -> Stream {
    Box::new(stream)
}

/// Writes to a command's input and closes it.
pub(super) fn feed(stdin: Option<ChildStdin>, bytes: Vec<u8>) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Some(mut stdin) = stdin {
            // A command that does not read its input closes the pipe; that is its right.
            stdin.write_all(&bytes).await.ok();
        }
    })
}

/// Reads to the end and keeps the first `bytes_max`.
pub(super) fn collect(stream: Option<Stream>, bytes_max: usize) -> JoinHandle<Collected> {
    tokio::spawn(async move {
        let (mut kept, mut is_cut) = (Vec::new(), false);
        let Some(mut stream) = stream else { return (kept, is_cut) };
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            let fits = read.min(bytes_max - kept.len());
            kept.extend_from_slice(&buffer[..fits]);
            is_cut |= fits < read;
        }
        (kept, is_cut)
    })
}

pub(super) async fn drained(task: JoinHandle<Collected>) -> Collected {
    match timeout(DRAIN, task).await {
        Ok(Ok(collected)) => collected,
        // An escaped child still holds the pipe: what was read is lost with the task, and said to be cut.
        _ => (Vec::new(), true),
    }
}

pub(super) fn exit_of(status: ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt as _;
    status.code().map_or_else(|| Exit::Signal(status.signal().unwrap_or_default()), Exit::Code)
}

/// A child that leads a process group. Dropping it kills the group, and what had left it.
pub(super) struct Group {
    leader: Arc<Leader>,
    child: Child,
}

impl Group {
    pub(super) fn of(child: Child, tmp_dir: &Path, nursery: &Nursery) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let id = id.expect("a child that was not waited for has a pid");
        Self { leader: Arc::new(Leader::new(id, tmp_dir, nursery)), child }
    }
}

#[async_trait]
impl pty::Behind for Group {
    async fn ended(&mut self) -> Exit {
        self.child.wait().await.map_or(Exit::Signal(0), exit_of)
    }

    async fn kill(&mut self) {
        self.leader.signal(UnixSignal::KILL);
    }
}

struct Process {
    group: Group,
    pumps: Vec<JoinHandle<()>>,
    base_url: Url,
}

#[async_trait]
impl Running for Process {
    fn base_url(&self) -> Url {
        self.base_url.clone()
    }

    async fn stop(&mut self, how: Signal) -> Result<(), LaunchError> {
        if how == Signal::Term {
            self.group.leader.signal(UnixSignal::TERM);
            timeout(TERM_GRACE, self.group.child.wait()).await.ok();
        }
        self.group.leader.signal(UnixSignal::KILL);
        self.group.child.wait().await.ok();
        Ok(())
    }

    fn try_exit(&mut self) -> Option<String> {
        self.group.child.try_wait().ok().flatten().map(|status| exit_of(status).to_string())
    }

    async fn close(mut self: Box<Self>) -> Leaks {
        let leaks = self.group.leader.end();
        self.group.child.wait().await.ok();
        for pump in self.pumps.drain(..) {
            let stop = pump.abort_handle();
            timeout(DRAIN, pump).await.ok();
            stop.abort();
        }
        leaks
    }
}
