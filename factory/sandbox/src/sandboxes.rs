//! Makes sandboxes: finds the helper, leases host uids, places cgroups, and removes what ended sandboxes leave.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::geteuid;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::cgroup::{Cgroup, Cgroups, Tier};
use crate::channel::Channel;
use crate::error::Doing;
use crate::ownership::{self, UidLease};
use crate::record::{ProcessId, Record, RecordFile};
use crate::spec::{Access, Limits, Spec};
use crate::wire::{self, Reply, Request, Setup};
use crate::{Error, HOME, Result, Sandbox, USER, forward};

const HELPER: &str = "factory-sandbox";
/// Set-up takes milliseconds; a machine that needs longer than this is in trouble.
const SETUP_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the watchdog may take to end a sandbox before it is killed itself.
const WATCHDOG_GRACE: Duration = Duration::from_secs(5);
/// What commands see as PID 1: code under test shall not recognise where it runs.
const INIT_NAME: &str = "init";
const PATH_DEFAULT: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// How to make sandboxes.
#[derive(Clone, Debug)]
pub struct Options {
    /// The binary `factory-sandbox`. Default: looked for beside the running program, and one directory above it.
    pub helper: Option<PathBuf>,
    /// Holds a small record per living sandbox. Private to one machine; made if missing.
    pub base_dir: PathBuf,
    /// Host uids for sandboxes when run as root. Default: 10,000 of them from 100,000. They must belong to nobody.
    pub uid_first: u32,
    pub uid_count: u32,
}

impl Options {
    pub fn new(base_dir: impl Into<PathBuf>) -> Self {
        Self { helper: None, base_dir: base_dir.into(), uid_first: 100_000, uid_count: 10_000 }
    }
}

/// What isolation is in force on this machine.
#[derive(Clone, Debug)]
pub struct Probe {
    pub helper: PathBuf,
    /// Why no sandbox can be made; `None` when all namespaces, the root and the network could be set up.
    pub unavailable: Option<String>,
    /// Whether each sandbox has a host uid of its own. Needs root; otherwise all have the caller's.
    pub separate_uids: bool,
    /// What bounds memory and processes.
    pub limits: Tier,
}

/// A maker of sandboxes; cheap to clone.
#[derive(Clone, Debug)]
pub struct Sandboxes {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    helper: PathBuf,
    options: Options,
    cgroups: Cgroups,
    next_uid: AtomicU32,
}

impl Sandboxes {
    pub fn new(options: Options) -> Result<Self> {
        if options.uid_first == 0
            || options.uid_count == 0
            || options.uid_first.checked_add(options.uid_count).is_none()
        {
            return Err(Error::Spec("host uids must be a range without 0".into()));
        }
        let helper = match &options.helper {
            Some(helper) if helper.is_file() => helper.clone(),
            Some(helper) => return Err(Error::HelperMissing { searched: helper.clone() }),
            None => find_helper()?,
        };
        let doing = || format!("make the directory {}", options.base_dir.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&options.base_dir).doing(doing)?;
        let inner = Inner { helper, options, cgroups: Cgroups::detect(), next_uid: AtomicU32::new(0) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Tries what [`Self::create`] does, and tells what is in force. Blocks for some milliseconds.
    pub fn probe(&self) -> Probe {
        Probe {
            helper: self.inner.helper.clone(),
            unavailable: self.try_setup().err().map(|error| error.to_string()),
            separate_uids: geteuid().is_root(),
            limits: self.inner.cgroups.tier.clone(),
        }
    }

    /// Removes what sandboxes of dead owners left; returns how many. Call it once at start.
    pub fn reap(&self) -> Result<usize> {
        let dir = &self.inner.options.base_dir;
        let doing = || format!("list {}", dir.display());
        let mut reaped = 0;
        for entry in fs::read_dir(dir).doing(doing)? {
            let path = entry.doing(doing)?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            match Record::reap(&path) {
                Ok(done) => reaped += usize::from(done),
                Err(error) => tracing::warn!(path = %path.display(), %error, "a sandbox's record cannot be reaped"),
            }
        }
        Ok(reaped)
    }

    /// Makes a sandbox. Under root, trees mounted with [`Access::ReadWrite`] change their owner to the sandbox's uid.
    ///
    /// # Cancel safety
    /// Dropping the future ends what was begun.
    pub async fn create(&self, spec: Spec) -> Result<Sandbox> {
        let mounts = spec.check()?;
        let lease = self.lease_uid()?;
        let uid = lease.as_ref().map(|lease| lease.uid);
        if let Some(uid) = uid {
            let writable = mounts.iter().filter(|mount| mount.access == Access::ReadWrite);
            hand_over(writable.map(|mount| mount.host.clone()).collect(), uid).await?;
        }
        let setup = self.setup(mounts, spec.limits.clone(), uid);
        let ended = CancellationToken::new();
        let channel = self.launch(lease, &spec.limits, ended.clone())?;
        // From here on, dropping the sandbox ends it.
        let sandbox = Sandbox::new(Arc::clone(&channel), environment(&spec), uid, ended);
        tokio::time::timeout(SETUP_TIMEOUT, channel.set_up(setup))
            .await
            .map_err(|_| Error::SetupTimeout { limit: SETUP_TIMEOUT })??;
        for egress in spec.egress {
            forward::allow(&channel, egress).await?;
        }
        Ok(sandbox)
    }

    /// Starts the helper inside its cgroup, and the task that cleans up after it.
    fn launch(&self, lease: Option<UidLease>, limits: &Limits, ended: CancellationToken) -> Result<Arc<Channel>> {
        let (ours, theirs) = control_pair().doing(|| "make a control socket".into())?;
        rustix::io::ioctl_fionbio(&ours, true).doing(|| "set up a control socket".into())?;
        let name = unique_name();
        let cgroup = self.inner.cgroups.create(&name, limits).doing(|| "make a cgroup for a sandbox".into())?;
        let doing = || format!("start {}", self.inner.helper.display());
        let child = Command::from(helper_command(&self.inner.helper, theirs)).spawn().doing(doing)?;
        let watchdog = child.id().and_then(ProcessId::of);
        let channel = Channel::open(ours).doing(|| "watch a control socket".into())?;
        if let Some(pid) = child.id() {
            cgroup.add(pid).doing(|| "put a sandbox into its cgroup".into())?;
        }
        let path = self.inner.options.base_dir.join(name).with_added_extension("json");
        let record = watchdog.map(|watchdog| Record::write(&path, watchdog, cgroup.dirs())).transpose();
        let record = record.doing(|| format!("write {}", path.display()))?;
        tokio::spawn(supervise(child, Arc::clone(&channel), Remains { cgroup, record, lease }, ended));
        Ok(channel)
    }

    fn setup(&self, mounts: Vec<crate::Mount>, limits: Limits, become_uid: Option<u32>) -> Setup {
        let memory_per_process = matches!(self.inner.cgroups.tier, Tier::PerProcess { .. });
        Setup { become_uid, mounts, limits, memory_per_process }
    }

    fn lease_uid(&self) -> Result<Option<UidLease>> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let (first, count) = (self.inner.options.uid_first, self.inner.options.uid_count);
        let start = self.inner.next_uid.fetch_add(1, Ordering::Relaxed);
        let lease = UidLease::take(first, count, start).doing(|| "lease a host uid".into())?;
        lease.map(Some).ok_or(Error::UidsExhausted { first, count })
    }

    /// One sandbox without the async machinery, ended at once.
    fn try_setup(&self) -> Result<()> {
        let doing = || "probe sandboxes".into();
        let lease = self.lease_uid()?;
        let (ours, theirs) = control_pair().doing(doing)?;
        set_socket_timeout(&ours, Timeout::Recv, Some(SETUP_TIMEOUT)).doing(doing)?;
        let mut child = helper_command(&self.inner.helper, theirs).spawn().doing(doing)?;
        let setup = self.setup(Vec::new(), Limits::default(), lease.as_ref().map(|lease| lease.uid));
        let reply = wire::send(ours.as_fd(), &Request::Setup(setup), &[])
            .and_then(|()| wire::receive::<Reply>(ours.as_fd()))
            .doing(doing);
        drop(ours);
        child.wait().doing(doing)?;
        match reply? {
            Some((Reply::Ready, _)) => Ok(()),
            Some((Reply::Failed { stage, error }, _)) => Err(Error::Setup { stage, reason: error }),
            _ => Err(Error::Gone),
        }
    }
}

/// What a sandbox holds on the host; dropping it gives everything back.
struct Remains {
    cgroup: Cgroup,
    record: Option<RecordFile>,
    lease: Option<UidLease>,
}

/// Waits for the watchdog's end, which is the end of everything inside, then cleans up.
async fn supervise(mut child: Child, channel: Arc<Channel>, remains: Remains, ended: CancellationToken) {
    let ended_by_itself = tokio::select! {
        _ = child.wait() => true,
        () = channel.closed() => tokio::time::timeout(WATCHDOG_GRACE, child.wait()).await.is_ok(),
    };
    if !ended_by_itself {
        // Init dies with the watchdog. That it is reaped is then certain, but not when: the record stays for `reap`
        // if the cgroup is still occupied.
        tracing::error!("the watchdog of a sandbox is stuck and was killed");
        child.kill().await.ok();
    }
    channel.close();
    let Remains { cgroup, record, lease } = remains;
    drop((cgroup, record, lease));
    ended.cancel();
}

async fn hand_over(paths: Vec<PathBuf>, uid: u32) -> Result<()> {
    if paths.is_empty() {
        return Ok(());
    }
    let give = move || {
        paths.iter().try_for_each(|path| {
            ownership::give(path, uid).doing(|| format!("give {} to the sandbox's uid {uid}", path.display()))
        })
    };
    tokio::task::spawn_blocking(give).await.map_err(io::Error::other).doing(|| "give files to a sandbox".into())?
}

fn environment(spec: &Spec) -> BTreeMap<String, String> {
    let bin = |tool: &PathBuf| Some(tool.join("bin")).filter(|bin| bin.is_dir()).unwrap_or_else(|| tool.clone());
    let tools = spec.tools.iter().map(|tool| bin(tool).display().to_string());
    let path = tools.chain([PATH_DEFAULT.to_owned()]).collect::<Vec<_>>().join(":");
    let defaults = [("PATH", path.as_str()), ("HOME", HOME), ("USER", USER), ("LANG", "C.UTF-8")];
    let mut env: BTreeMap<String, String> =
        defaults.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    env.extend(spec.env.clone());
    env
}

fn find_helper() -> Result<PathBuf> {
    let program = std::env::current_exe().doing(|| "find the running program".into())?;
    let beside = program.parent().unwrap_or(Path::new("/"));
    // Tests and benches run from `deps`, one directory below the binaries.
    let found =
        [Some(beside), beside.parent()].into_iter().flatten().map(|dir| dir.join(HELPER)).find(|path| path.is_file());
    found.ok_or_else(|| Error::HelperMissing { searched: beside.to_owned() })
}

/// An empty environment: what the helper does not know cannot be read from it.
fn helper_command(helper: &Path, control: OwnedFd) -> std::process::Command {
    use std::os::unix::process::CommandExt;
    let mut command = std::process::Command::new(helper);
    command.env_clear().current_dir("/").stdin(control).stdout(Stdio::null()).stderr(Stdio::null());
    // Of its own group: a Ctrl-C at the factory's terminal is the factory's to handle.
    command.process_group(0).arg0(INIT_NAME);
    command
}

fn control_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Never used twice on this machine, whatever crashes.
fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{HELPER}.{}.{}.{count}", std::process::id(), now.as_nanos())
}
