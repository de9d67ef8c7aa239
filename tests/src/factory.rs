//! The binary `factory` as a user runs it: in a git repository of its own, with a home and a private database of its own.
//!
//! Never builds and never skips: a missing binary fails the test. Start at [`Workplace`].

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

pub use rustix::process::Signal;

use model::{
    event::{Body, Event, StreamId},
    id::RunId,
};
use serde_json::Value;
use tempfile::TempDir;

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// How long a database and its watchdog may take to go after their last user.
const GONE_WITHIN: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);
/// A folder of tools that `bin/test` unpacked for a user without root rights is part of the machine, as `PATH` is.
const INHERITED: &[&str] = &["PATH", "HOME", "FACTORY_TOOLS_DIR"];
/// What happens on this machine must not need certificate authorities: no test has any.
const NO_AUTHORITIES: (&str, &str) = ("SSL_CERT_FILE", "/nowhere");
/// What of the shipped example a run needs.
const EXAMPLE: &[&str] = &["specs", "scenarios", "holdout", "examples"];
/// Uids of sandboxes and of the database must be able to walk through; nobody may list.
const TRAVERSE_ONLY: u32 = 0o711;

/// A binary of this workspace, beside the running test.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let target = test.parent().and_then(Path::parent).expect("tests stand in target/<profile>/deps");
    let path = target.join(name);
    assert!(path.exists(), "{} is missing: build the workspace first: cargo build --workspace", path.display());
    path
}

/// A git repository with one commit, and a factory's home beside it.
pub struct Workplace {
    dir: TempDir,
}

impl Workplace {
    /// With the shipped example as it stands in this work tree.
    pub fn shipped() -> Self {
        let place = Self::empty();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace");
        for folder in EXAMPLE {
            copy(&root.join(folder), &place.repository().join(folder));
        }
        place.commit("the shipped example");
        place
    }

    /// With what `factory init` writes.
    pub fn init() -> Self {
        let place = Self::empty();
        let done = place.factory(["init"]).output().expect("runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        place.commit("first spec");
        place
    }

    /// With a repository that has no commit.
    pub fn empty() -> Self {
        // A short path: the database's socket is below it.
        let dir = tempfile::Builder::new().prefix("fe2e").tempdir_in("/tmp").expect("a folder below /tmp");
        let place = Self { dir };
        for folder in [place.repository(), place.home()] {
            fs::create_dir(&folder).expect("a folder");
        }
        for folder in [place.dir.path().to_owned(), place.home()] {
            fs::set_permissions(folder, fs::Permissions::from_mode(TRAVERSE_ONLY)).expect("ours");
        }
        place.git(["init", "--quiet", "--initial-branch", "main"]);
        place
    }

    pub fn repository(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    /// `FACTORY_HOME`.
    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.repository().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    pub fn write(&self, file: &str, text: &str) {
        let path = self.repository().join(file);
        fs::create_dir_all(path.parent().expect("below the repository")).expect("a folder");
        fs::write(path, text).expect("writable");
    }

    /// Replaces what stands exactly once in a file.
    pub fn edit(&self, file: &str, old: &str, new: &str) {
        let text = self.read(file);
        assert_eq!(text.matches(old).count(), 1, "`{old}` in {file}");
        self.write(file, &text.replace(old, new));
    }

    pub fn commit(&self, message: &str) {
        self.git(["add", "--all"]);
        self.git(["-c", "user.name=tester", "-c", "user.email=tester@localhost", "commit", "--quiet", "-m", message]);
    }

    /// What git prints, without the last line's end.
    pub fn git<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> String {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(self.repository());
        let done = self.bare(command).output().expect("git runs");
        assert!(done.status.success(), "git: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("UTF-8").trim_end().to_owned()
    }

    /// `factory` in the repository, with nothing of the caller's environment but where the tools are.
    pub fn factory<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(binary("factory"));
        command.args(arguments).current_dir(self.repository());
        let mut command = self.bare(command);
        command.env("FACTORY_HOME", self.home()).stdin(Stdio::null());
        command
    }

    fn bare(&self, mut command: Command) -> Command {
        let inherited = INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        command.env_clear().envs(inherited).env(NO_AUTHORITIES.0, NO_AUTHORITIES.1);
        command
    }

    /// `factory …` with `--json`, to its end.
    pub fn ended(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).end()
    }

    /// `factory …` with `--json`, in the background.
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::new(self.factory(arguments.iter().chain(&["--json"])))
    }

    /// What `factory audit verify` says; panics where it finds the trail broken.
    pub fn verified(&self) -> Value {
        let done = self.factory(["audit", "verify", "--json"]).output().expect("runs");
        let report = serde_json::from_slice(&done.stdout).unwrap_or_default();
        assert!(done.status.success(), "{report} {}", String::from_utf8_lossy(&done.stderr));
        report
    }

    /// Every event of a stream, read past the factory.
    pub fn events(&self, stream: &StreamId) -> Vec<Event> {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let options = store::Options { search_path: std::env::var_os("PATH"), ..store::Options::at(self.home()) };
            let store = store::Store::open(&options).await.expect("the database opens");
            let events = store.all_events(stream).await.expect("a stream");
            store.close().await;
            events
        })
    }

    /// The database server's process; `None` where none runs.
    pub fn postmaster(&self) -> Option<i32> {
        let clusters = fs::read_dir(self.home().join("postgres")).ok()?;
        let pid_file =
            clusters.flatten().map(|entry| entry.path().join("data/postmaster.pid")).find(|it| it.exists())?;
        fs::read_to_string(pid_file).ok()?.lines().next()?.trim().parse().ok()
    }

    /// Runs SQL as the private cluster's owner, while a factory keeps the cluster up: what an intruder can do.
    pub fn superuser(&self, sql: &str) {
        let up = self.up(&["--no-worker"]);
        let clusters = fs::read_dir(self.home().join("postgres")).expect("a private cluster").flatten();
        let cluster =
            clusters.map(|entry| entry.path()).find(|path| path.join("data/postmaster.pid").exists()).expect("it runs");
        let secret = fs::read_to_string(cluster.join("factory_owner.secret")).expect("the owner's password");
        let mut psql = Command::new("psql");
        psql.args(["--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--command", sql, "--dbname", "factory"]);
        psql.arg("--username").arg("factory_owner").arg("--host").arg(cluster.join("data"));
        let done = psql.env("PGPASSWORD", secret.trim()).output().expect("psql comes with Postgres");
        up.signal(Signal::TERM);
        up.end().expect_status(0);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// `factory up` at a free port, when it listens.
    pub fn up(&self, arguments: &[&str]) -> Running {
        let mut running = self.start(&[&["up", "--listen", "127.0.0.1:0"], arguments].concat());
        running.said_something();
        running
    }

    /// What `factory runs` lists.
    pub fn runs(&self) -> Vec<Value> {
        let done = self.factory(["runs", "--json"]).output().expect("runs");
        let text = String::from_utf8(done.stdout).expect("UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Panics where a process or a socket of this home is left after some time.
    pub fn assert_nothing_runs(&self) {
        let deadline = Instant::now() + GONE_WITHIN;
        loop {
            let left = self.left();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "left running: {left:#?}");
            thread::sleep(POLL);
        }
    }

    /// Processes that know of this home by argument, environment, folder or mount, and its sockets.
    fn left(&self) -> Vec<String> {
        let mark = self.home();
        let mark = mark.to_str().expect("UTF-8");
        let knows = |process: &Path| {
            let of = |file: &str| fs::read(process.join(file)).unwrap_or_default();
            let told = ["cmdline", "environ", "mountinfo"]
                .into_iter()
                .any(|file| String::from_utf8_lossy(&of(file)).contains(mark));
            told || fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(mark))
        };
        let processes = fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path());
        let processes =
            processes.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().parse::<u32>().is_ok()));
        let described = |path: PathBuf| {
            let arguments = fs::read(path.join("cmdline")).unwrap_or_default();
            format!("{}: {}", path.display(), String::from_utf8_lossy(&arguments).replace('\0', " "))
        };
        let sockets = fs::read_to_string("/proc/net/unix").unwrap_or_default();
        let sockets = sockets.lines().filter(|line| line.contains(mark)).map(str::to_owned).collect::<Vec<_>>();
        processes.filter(|path| knows(path)).map(described).chain(sockets).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("readable");
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target);
        } else {
            fs::copy(&source, &target).expect("copied");
        }
    }
}

/// A factory that prints events. Killed when dropped.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    errors: Option<thread::JoinHandle<String>>,
    events: Vec<Event>,
    summary: Option<Value>,
}

/// A factory that has ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    /// The run's own stream, as far as it was printed.
    pub events: Vec<Event>,
    /// The last line.
    pub summary: Option<Value>,
    pub stderr: String,
}

impl Running {
    fn new(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary can be started");
        let (send, lines) = channel();
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        thread::spawn(move || {
            let mut line = String::new();
            // What a killed process was about to write is no line.
            while stdout.read_line(&mut line).is_ok() && line.ends_with('\n') {
                if send.send(line.trim_end().to_owned()).is_err() {
                    break;
                }
                line.clear();
            }
        });
        let mut stderr = child.stderr.take().expect("piped");
        let errors = Some(thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).ok();
            text
        }));
        Self { child, lines, errors, events: Vec::new(), summary: None }
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("pids are small")
    }

    /// Reads on until `wanted` holds for an event. `None` where the output ends first.
    pub fn until(&mut self, mut wanted: impl FnMut(&Event) -> bool) -> Option<Event> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("no such event within {PATIENCE:?}; {}", self.last()),
            };
            match serde_json::from_str::<Event>(&line) {
                Ok(event) => {
                    self.events.push(event.clone());
                    if wanted(&event) {
                        return Some(event);
                    }
                }
                Err(_) => self.summary = Some(serde_json::from_str(&line).expect("a line of JSON")),
            }
        }
    }

    /// Waits for its first line.
    fn said_something(&mut self) {
        let line = self.lines.recv_timeout(PATIENCE).expect("a line");
        self.summary = Some(serde_json::from_str(&line).expect("a line of JSON"));
    }

    fn last(&self) -> String {
        self.events
            .last()
            .map_or_else(|| "there was none".to_owned(), |event| format!("the last was {}", event.body.kind()))
    }

    pub fn signal(&self, signal: Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid()).expect("a child has a pid");
        rustix::process::kill_process(pid, signal).expect("it is our child");
    }

    /// Waits for its own end.
    pub fn end(mut self) -> Ended {
        self.until(|_| false);
        self.reaped()
    }

    /// `kill -9`, now.
    pub fn kill(mut self) -> Ended {
        self.child.kill().expect("it is our child");
        self.until(|_| false);
        self.reaped()
    }

    fn reaped(mut self) -> Ended {
        let status = self.child.wait().expect("it is our child");
        let errors = self.errors.take().expect("reaped once");
        Ended {
            status,
            events: std::mem::take(&mut self.events),
            summary: self.summary.take(),
            stderr: errors.join().expect("reads to the end"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already unless a test failed.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Ended {
    /// Panics with what was printed where the exit status is another.
    #[track_caller]
    pub fn expect_status(&self, status: i32) -> &Self {
        let kinds: Vec<&str> = self.events.iter().map(|event| event.body.kind()).collect();
        let last = kinds.iter().rev().take(5).collect::<Vec<_>>();
        assert_eq!(self.status.code(), Some(status), "{:?}\n{last:?}\n{}", self.summary, self.stderr);
        self
    }

    #[track_caller]
    pub fn run(&self) -> RunId {
        let first = self.events.first().map(|event| &event.body);
        let Some(Body::RunCreated(created)) = first else { panic!("no run: {}", self.stderr) };
        created.run.clone()
    }

    /// A field of the summary.
    #[track_caller]
    pub fn said(&self, field: &str) -> &Value {
        &self.summary.as_ref().expect("the last line is a summary")[field]
    }

    /// What `pick` takes of the events, in order.
    pub fn all<'a, T>(&'a self, pick: impl FnMut(&'a Body) -> Option<T>) -> Vec<T> {
        self.events.iter().map(|event| &event.body).filter_map(pick).collect()
    }
}

/// An expression for each event of one kind, in order: `each!(ended, TurnReplied(reply) => reply.turn)`.
#[macro_export]
macro_rules! each {
    ($ended:expr, $kind:ident($body:ident) => $value:expr) => {
        $ended.all(|body| if let model::event::Body::$kind($body) = body { Some($value) } else { None })
    };
}
