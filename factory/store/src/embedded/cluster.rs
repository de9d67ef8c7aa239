//! A private cluster that several processes of one user share.
//!
//! Three lock files stand beside the data. The kernel drops a lock with the process that holds it, however that dies,
//! so nothing has to be cleaned up after a crash:
//!
//! - `lock`, exclusive: held while somebody starts, joins or leaves, so that two at once are one after the other.
//! - `users`, shared: held by each process as long as it uses the server. Who leaves and can have it exclusively was
//!   the last one, and stops the server.
//! - `alive`, shared: held likewise, and let go after the leaving is done. A watchdog waits for it exclusively: it gets
//!   it early only when the last user was killed before it could stop the server, and stops it then. The watchdog is
//!   two lines of shell around flock(1); without flock(1) the next start finds the server and takes it over.

use std::{
    fs::{self, File, OpenOptions},
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

use std::os::unix::process::CommandExt;

use sqlx::postgres::PgConnectOptions;

use super::{
    Access, Error, Options,
    binaries::Binaries,
    during,
    guard::Guard,
    identity::Identity,
    own_folder,
    postmaster::{self, State},
    template::{self, APP, DATABASE, OWNER, secret_file},
};

const PORT: u16 = 5432; // part of the socket's name; nothing listens on a port
const SOCKET_PATH_BYTES_MAX: usize = 103; // sun_path is 104 bytes on macOS and 108 on Linux, with a closing zero
const SOCKET_NAME: &str = ".s.PGSQL.5432";

/// Exists while a server is being started.
const STARTING: &str = "starting";

/// Stops the server once no process holds `alive` any more, and holds it until that is done. The server is known by
/// its working folder: its number may have gone to a stranger. Who was killed in the middle of a start leaves a server
/// that has no pid file yet.
const WATCHDOG: &str = r#"
exec flock --exclusive "$1/alive" sh -c '
    tries=50
    while [ -e "$1/starting" ] && [ ! -e "$1/data/postmaster.pid" ] && [ $tries -gt 0 ]; do
        sleep 0.1; tries=$((tries - 1))
    done
    pid=$(head -n 1 "$1/data/postmaster.pid") || exit 0
    [ /proc/$pid/cwd -ef "$1/data" ] || exit 0
    kill -INT "$pid"
    tries=300
    while [ $tries -gt 0 ] && [ -d /proc/$pid ]; do sleep 0.1; tries=$((tries - 1)); done
' sh "$1" 2>/dev/null
"#;

/// This process' share of a running cluster.
#[derive(Debug)]
pub struct Cluster {
    home: PathBuf,
    /// Keeps the data folder reachable by descriptor where its path is too long for a socket.
    folder: File,
    owner_secret: String,
    app_secret: String,
    /// `None` once left.
    membership: Mutex<Option<Membership>>,
}

#[derive(Debug)]
struct Membership {
    users: File,
    alive: File,
    guard: Guard,
}

impl Cluster {
    /// Makes, starts, recovers or joins the cluster below `options.data_home`.
    pub(super) fn join(options: &Options) -> Result<Self, Error> {
        own_folder(&options.data_home)?;
        let clusters = options.data_home.join("postgres");
        own_folder(&clusters)?;
        let identity = Identity::of_any(&clusters)?;
        let binaries = Binaries::find(options, &clusters, &identity)?;
        let home = clusters.join(binaries.major.to_string());
        own_folder(&home)?;

        let _transition = exclusive(&home)?;
        let alive = shared(&home.join("alive"))?;
        let users = shared(&home.join("users"))?;
        let data = home.join("data");
        if !data.exists() {
            let cache = options.cache_home.as_ref().unwrap_or(&clusters);
            template::instantiate(&home, cache, &binaries, &identity)?;
        }
        ensure_running(&home, &binaries, &Identity::of(&data)?)?;
        let secret = |role| fs::read_to_string(home.join(secret_file(role))).map_err(during("read the passwords"));
        Ok(Self {
            folder: File::open(&data).map_err(during("open the data folder"))?,
            owner_secret: secret(OWNER)?,
            app_secret: secret(APP)?,
            membership: Mutex::new(Some(Membership { users, alive, guard: Guard::over(home.clone(), binaries) })),
            home,
        })
    }

    /// Both logins, over the socket in the data folder.
    pub(super) fn access(&self) -> Access {
        let base = PgConnectOptions::new_without_pgpass().socket(self.socket_folder()).port(PORT).database(DATABASE);
        Access {
            owner: base.clone().username(OWNER).password(&self.owner_secret),
            app: Some(base.username(APP).password(&self.app_secret)),
        }
    }

    fn socket_folder(&self) -> PathBuf {
        let data = self.home.join("data");
        let fits = data.as_os_str().len() + 1 + SOCKET_NAME.len() <= SOCKET_PATH_BYTES_MAX;
        if fits { data } else { format!("/proc/self/fd/{}", self.folder.as_raw_fd()).into() }
    }

    /// The folder with the cluster's data, locks and log.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Ends this process' share; the last one to leave stops the server and waits for it.
    pub fn leave(&self) {
        let membership = self.membership.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let Some(Membership { users, alive, guard }) = membership else { return };
        drop(guard);
        // Where the lock cannot be had the disk is in trouble; the watchdog stops the server then.
        if let Ok(_transition) = exclusive(&self.home)
            && users.try_lock().is_ok()
        {
            postmaster::stop(&self.home.join("data"));
        }
        drop(users);
        drop(alive);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Under the cluster's lock.
pub(super) fn ensure_running(home: &Path, binaries: &Binaries, identity: &Identity) -> Result<(), Error> {
    let data = home.join("data");
    if matches!(postmaster::settled(&data), State::Ready(_)) {
        return Ok(());
    }
    postmaster::wait_for_orphans(&data);
    let starting = home.join(STARTING);
    File::create(&starting).map_err(during(format!("create {}", starting.display())))?;
    // Before the server, so that there is no moment in which nobody would stop it.
    watch(home);
    let started = postmaster::start(&data, &home.join("server.log"), binaries, identity);
    fs::remove_file(&starting).map_err(during(format!("remove {}", starting.display())))?;
    let pid = started?;
    tracing::debug!(pid = pid.as_raw_nonzero(), data = %data.display(), "private Postgres started");
    Ok(())
}

pub(super) fn exclusive(home: &Path) -> Result<File, Error> {
    let file = open_lock(&home.join("lock"))?;
    file.lock().map_err(during("lock the cluster"))?;
    Ok(file)
}

fn shared(path: &Path) -> Result<File, Error> {
    let file = open_lock(path)?;
    // Waits for a watchdog that is stopping the server for killed users.
    file.lock_shared().map_err(during("join the cluster's users"))?;
    Ok(file)
}

fn open_lock(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(during(format!("open {}", path.display())))
}

/// Best effort: see the module's text for what happens without it.
fn watch(home: &Path) {
    let mut command = Command::new("sh");
    command.args(["-c", WATCHDOG, "factory-postgres-watchdog"]).arg(home);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.current_dir("/").process_group(0).spawn() {
        Ok(child) => postmaster::reap_in_background(child),
        Err(error) => tracing::debug!(%error, "no watchdog for the private Postgres"),
    }
}
