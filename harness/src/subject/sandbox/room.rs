//! One sandbox from its making to its end.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::{
    io::AsyncReadExt as _,
    net::UnixListener,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    task::JoinSet,
    time::timeout,
};

use super::{
    Bubblewrap, View,
    channel::{CHANNEL, Ear, Mouth, Order, Wish, Word, channel, outward},
    here,
};
use crate::subject::{
    Exit, LaunchError, TreeAccess,
    process::refused,
    pty::Behind,
    relay::{Door, Target, relay},
};

const MAKER: &str = "bwrap";
const DEAD_WITHIN: Duration = Duration::from_secs(5); // then its outer process is killed, and the kernel does the rest
const LAST_WORDS_BYTES_MAX: u64 = 4 * 1024; // of a sandbox that could not be made

const INSTALL: &str = "install bubblewrap (`apt-get install bubblewrap`), or use another `launcher` in harness.yaml";
const ALLOW: &str = "let this user make user namespaces (`sysctl -w user.max_user_namespaces=15000`; on Debian also \
     `kernel.unprivileged_userns_clone=1`, on Ubuntu `kernel.apparmor_restrict_unprivileged_userns=0`; in a container \
     `--security-opt seccomp=unconfined`), or use another `launcher` in harness.yaml";
const SHOW: &str = "install it below /usr, or name its folder: `launcher: { sandbox: { read: [/opt/tools] } }`";

/// The program that makes sandboxes, and what they show.
#[derive(Debug)]
pub(super) struct Bwrap {
    program: PathBuf,
    shown: Bubblewrap,
}

/// A sandbox in which a command was started.
pub(super) struct Room {
    pub(super) child: Child,
    pub(super) pipes: Pipes,
    pub(super) ear: Ear,
    /// The first process inside ends when this is gone.
    pub(super) mouth: Option<Mouth>,
    /// Holds the sockets.
    pub(super) folder: TempDir,
    pub(super) doors: JoinSet<()>,
}

/// To and from the command, as far as they were asked for.
pub(super) struct Pipes {
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: Option<ChildStdout>,
    pub(super) stderr: Option<ChildStderr>,
}

impl Bwrap {
    pub(super) fn find(path: &str, shown: Bubblewrap) -> Result<Self, LaunchError> {
        let found = std::env::split_paths(path).map(|folder| folder.join(MAKER)).find(|program| program.is_file());
        let missing = || LaunchError::Sandbox { reason: format!("there is no `{MAKER}` on PATH"), instead: INSTALL };
        Ok(Self { program: found.ok_or_else(missing)?, shown })
    }

    /// Returns when the command runs.
    pub(super) async fn open(
        &self,
        root: &Path,
        access: TreeAccess,
        data_dir: &Path,
        order: Order,
        stdio: [Stdio; 3],
    ) -> Result<Room, LaunchError> {
        std::fs::create_dir_all(data_dir).map_err(|error| here(&error))?;
        let folder = tempfile::tempdir().map_err(|error| here(&error))?;
        let doors = doors(&order.outward, folder.path()).map_err(|error| here(&error))?;
        let listener = UnixListener::bind(folder.path().join(CHANNEL)).map_err(|error| here(&error))?;
        let arguments = self.shown.arguments(&View { root, access, data_dir, folder: folder.path() });
        let [stdin, stdout, stderr] = stdio;
        let mut command = Command::new(&self.program);
        command.args(arguments).env_clear().current_dir("/").stdin(stdin).stdout(stdout).stderr(stderr);
        // A group of its own: Ctrl-C at the harness's terminal is the harness's business.
        let mut child = command.process_group(0).kill_on_drop(true).spawn().map_err(|error| here(&error))?;
        // Taken at once: to wait for the child would close its input.
        let mut pipes = Pipes { stdin: child.stdin.take(), stdout: child.stdout.take(), stderr: child.stderr.take() };
        let (ear, mouth) = tokio::select! {
            joined = listener.accept() => channel(joined.map_err(|error| here(&error))?.0),
            status = child.wait() => return Err(unmade(&mut pipes, status).await),
        };
        let mut room = Room { child, pipes, ear, mouth: Some(mouth), folder, doors };
        room.begin(order).await?;
        Ok(room)
    }
}

/// The ways out, each a socket in the folder.
fn doors(ports: &[u16], folder: &Path) -> io::Result<JoinSet<()>> {
    let mut doors = JoinSet::new();
    for port in ports {
        let door = Door::Unix(UnixListener::bind(folder.join(outward(*port)))?);
        doors.spawn(relay(door, Target::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, *port)))));
    }
    Ok(doors)
}

/// What `bwrap` said instead of making a sandbox.
async fn unmade(pipes: &mut Pipes, status: io::Result<ExitStatus>) -> LaunchError {
    let mut words = String::new();
    if let Some(stderr) = pipes.stderr.take() {
        // Text that is not UTF-8 leaves the status, which says enough.
        stderr.take(LAST_WORDS_BYTES_MAX).read_to_string(&mut words).await.ok();
    }
    let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    let reason = match words.trim() {
        "" => format!("`{MAKER}` ended with {status}"),
        words => words.to_owned(),
    };
    let is_refused = ["namespace", "uid map", "Permission denied", "not permitted", "No space left"];
    let instead = if is_refused.iter().any(|sign| reason.contains(sign)) { ALLOW } else { INSTALL };
    LaunchError::Sandbox { reason, instead }
}

impl Room {
    async fn begin(&mut self, order: Order) -> Result<(), LaunchError> {
        let program = order.argv.first().cloned().unwrap_or_default();
        let wish = Wish::Run(order);
        let told = match &mut self.mouth {
            Some(mouth) => mouth.say(&wish).await,
            None => Ok(()),
        };
        told.map_err(|error| here(&error))?;
        match self.ear.hear().await {
            Some(Word::Started) => Ok(()),
            Some(Word::Refused(code)) => Err(not_started(program, code)),
            Some(Word::Listens(_) | Word::Ended(_)) | None => {
                let status = self.child.wait().await;
                Err(unmade(&mut self.pipes, status).await)
            }
        }
    }

    /// How the command ended. Cancel safe.
    pub(super) async fn ended(&mut self) -> Exit {
        loop {
            match self.ear.hear().await {
                Some(Word::Ended(exit)) => return exit,
                Some(Word::Started | Word::Refused(_) | Word::Listens(_)) => {}
                None => return Exit::Signal(rustix::process::Signal::KILL.as_raw()),
            }
        }
    }

    /// Returns when nothing inside lives any more.
    pub(super) async fn close(&mut self) {
        self.mouth = None;
        bury(&mut self.child).await;
        self.doors.shutdown().await;
    }
}

/// The outer process ends after the first one inside, and that one after all others.
pub(super) async fn bury(child: &mut Child) {
    if timeout(DEAD_WITHIN, child.wait()).await.is_err() {
        child.kill().await.ok();
    }
}

/// A bare name is the machine's: it may be there and not be shown.
fn not_started(program: String, code: i32) -> LaunchError {
    let error = io::Error::from_raw_os_error(code);
    if error.kind() == io::ErrorKind::NotFound && !program.contains('/') {
        let reason = format!("`{program}` is not in the sandbox, which shows the system's folders only");
        return LaunchError::Sandbox { reason, instead: SHOW };
    }
    refused(program, &error)
}

#[async_trait]
impl Behind for Room {
    async fn ended(&mut self) -> Exit {
        Self::ended(self).await
    }

    async fn kill(&mut self) {
        self.close().await;
    }
}
