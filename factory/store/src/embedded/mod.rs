//! A Postgres to keep the audit trail in: the one that `DATABASE_URL` names, or a private cluster.
//!
//! Owns: finding binaries, the cluster's files, starting, sharing and stopping the server. Never does: SQL, schema.
//! Never reads the environment itself: [`Options::from_env`] is given a look-up by the binary.
//! Start at [`provide`], then [`cluster`].
//!
//! ```text
//! <data_home>/postgres/<major>/data          the cluster, mode 0700; the server's unix socket is in it
//! <data_home>/postgres/<major>/*.secret      passwords of the two roles, mode 0600
//! <data_home>/postgres/<major>/{lock,users,alive}   see `cluster`
//! <data_home>/postgres/<major>/server.log
//! <cache_home>/postgres-template-<version>   what a new cluster is copied from
//! ```

mod binaries;
mod cluster;
mod guard;
mod identity;
mod postmaster;
mod template;

use std::{
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
};

pub use cluster::Cluster;
use sqlx::postgres::PgConnectOptions;

/// Where the database comes from.
#[derive(Clone, Debug)]
pub struct Options {
    /// Everything that outlives a process: the cluster, packs of blobs, the audit key and anchor.
    pub data_home: PathBuf,
    /// May be deleted at any time. Default: `data_home`.
    pub cache_home: Option<PathBuf>,
    /// An existing database; then no server is started.
    pub database_url: Option<DatabaseUrl>,
    /// Folders with `postgres` and `initdb`, looked at before all others.
    pub bin_dirs: Vec<PathBuf>,
    /// A root that holds `usr/lib/postgresql/<major>/bin`.
    pub tools_dir: Option<PathBuf>,
    /// The value of `PATH`.
    pub search_path: Option<OsString>,
}

impl Options {
    /// Everything by default, below `data_home`.
    pub fn at(data_home: impl Into<PathBuf>) -> Self {
        Self {
            data_home: data_home.into(),
            cache_home: None,
            database_url: None,
            bin_dirs: Vec::new(),
            tools_dir: None,
            search_path: None,
        }
    }

    /// From `FACTORY_DATA_HOME`, `XDG_DATA_HOME`, `XDG_CACHE_HOME`, `HOME`, `DATABASE_URL`, `FACTORY_PG_BIN`,
    /// `FACTORY_TOOLS_DIR` and `PATH`, as `var` looks them up.
    pub fn from_env(var: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let set = |name: &str| var(name).filter(|value| !value.is_empty());
        let below = |xdg: &str, home: &str| {
            set(xdg)
                .map(PathBuf::from)
                .or_else(|| set("HOME").map(|at| PathBuf::from(at).join(home)))
                .map(|root| root.join("factory"))
        };
        let data_home = set("FACTORY_DATA_HOME").map(PathBuf::from).or_else(|| below("XDG_DATA_HOME", ".local/share"));
        Ok(Self {
            cache_home: below("XDG_CACHE_HOME", ".cache"),
            database_url: set("DATABASE_URL").map(|url| DatabaseUrl(url.to_string_lossy().into_owned())),
            bin_dirs: set("FACTORY_PG_BIN").map(PathBuf::from).into_iter().collect(),
            tools_dir: set("FACTORY_TOOLS_DIR").map(PathBuf::from),
            search_path: var("PATH"),
            ..Self::at(data_home.ok_or(Error::NoDataHome)?)
        })
    }
}

/// A connection string; prints as `[redacted]`, because it may hold a password.
#[derive(Clone)]
pub struct DatabaseUrl(pub String);

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A database that answers, with the two ways in.
#[derive(Clone, Debug)]
pub struct Provided {
    pub access: Access,
    /// Set where this process shares a private cluster. Dropping the last clone leaves it.
    pub cluster: Option<std::sync::Arc<Cluster>>,
}

/// How to log in.
#[derive(Clone, Debug)]
pub struct Access {
    /// Owns the tables; migrates, and nothing else.
    pub owner: PgConnectOptions,
    /// May append and read. `None`: the external database has one login for both.
    pub app: Option<PgConnectOptions>,
}

impl Access {
    /// The same logins on another database of the same server.
    #[must_use]
    pub fn database(&self, name: &str) -> Self {
        Self { owner: self.owner.clone().database(name), app: self.app.as_ref().map(|app| app.clone().database(name)) }
    }
}

/// The external database, or this data home's private cluster: started, recovered or joined.
pub async fn provide(options: &Options) -> Result<Provided, Error> {
    if let Some(DatabaseUrl(url)) = &options.database_url {
        let owner = PgConnectOptions::from_str(url).map_err(|source| Error::DatabaseUrl { source })?;
        return Ok(Provided { access: Access { owner, app: None }, cluster: None });
    }
    let options = options.clone();
    let cluster = tokio::task::spawn_blocking(move || Cluster::join(&options))
        .await
        .map_err(|panic| Error::Io { what: "start the private database".into(), source: io::Error::other(panic) })??;
    Ok(Provided { access: cluster.access(), cluster: Some(std::sync::Arc::new(cluster)) })
}

/// Why there is no database; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no home directory is known; set FACTORY_DATA_HOME to a folder of your own")]
    NoDataHome,
    #[error("DATABASE_URL is not a Postgres connection string; expected postgres://user:password@host/database")]
    DatabaseUrl {
        #[source]
        source: sqlx::Error,
    },
    #[error(
        "no Postgres {} or newer was found{looked}; install it (Debian: apt-get install postgresql), name its bin folder in FACTORY_PG_BIN, or set DATABASE_URL",
        binaries::MAJOR_MIN
    )]
    NoBinaries { looked: String },
    #[error(
        "{folder} holds a database of Postgres {existing}, but the Postgres found here is {found}; install Postgres {existing}, or move the folder away to begin anew"
    )]
    OtherMajor { folder: PathBuf, existing: u32, found: String },
    #[error(
        "{path} belongs to user id {owner}, and this process runs as {me}; run as that user, or set FACTORY_DATA_HOME to a folder of your own"
    )]
    WrongOwner { path: PathBuf, owner: u32, me: u32 },
    #[error(
        "running as root, but no way was found to run Postgres as another user: {why}; run as an ordinary user, or set DATABASE_URL"
    )]
    NoIdentity { why: String },
    #[error(
        "the folder {path} is too long for a unix socket ({bytes} bytes, at most {most}); set FACTORY_DATA_HOME to a shorter one"
    )]
    PathTooLong { path: PathBuf, bytes: usize, most: usize },
    #[error("the disk is full: could not {what}; free some space and try again")]
    DiskFull { what: String },
    #[error("could not {what}: permission denied; make it writable, or set FACTORY_DATA_HOME to a folder that is")]
    NotWritable { what: String },
    #[error("could not {what}")]
    Io {
        what: String,
        #[source]
        source: io::Error,
    },
    #[error("{program} failed: {output}")]
    Program { program: &'static str, output: String },
    #[error("Postgres did not start: {why}\n{log}\nsee {log_path}")]
    NotStarted { why: String, log: String, log_path: PathBuf },
}

/// Names what was tried, and tells the two causes that a person can cure from the others.
fn during(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    move |source| {
        let what = what.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::DiskFull { what },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Error::NotWritable { what },
            _ => Error::Io { what, source },
        }
    }
}

/// Creates `path` with mode 0700 where it is missing, and refuses it where another user owns it.
fn own_folder(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(during(format!("create {}", path.display())))?;
    let owner = path.metadata().map_err(during(format!("look at {}", path.display())))?.uid();
    let me = rustix::process::geteuid().as_raw();
    if owner == me { Ok(()) } else { Err(Error::WrongOwner { path: path.to_owned(), owner, me }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into())
    }

    #[test]
    fn data_home_follows_the_xdg_folders_and_the_factorys_own_variable() {
        let of = |pairs: &[(&str, &str)]| Options::from_env(env(pairs)).map(|options| options.data_home);
        assert_eq!(of(&[("HOME", "/h")]).unwrap(), Path::new("/h/.local/share/factory"));
        assert_eq!(of(&[("HOME", "/h"), ("XDG_DATA_HOME", "/x")]).unwrap(), Path::new("/x/factory"));
        assert_eq!(of(&[("HOME", "/h"), ("FACTORY_DATA_HOME", "/f")]).unwrap(), Path::new("/f"));
        assert!(matches!(of(&[]), Err(Error::NoDataHome)));
    }

    #[test]
    fn a_connection_string_is_never_printed() {
        let options = Options::from_env(env(&[("HOME", "/h"), ("DATABASE_URL", "postgres://me:hush@db/x")])).unwrap();
        assert!(!format!("{options:?}").contains("hush"));
    }

    #[test]
    fn a_full_disk_and_a_read_only_one_are_told_apart() {
        let of = |kind| during("write x")(io::Error::from(kind)).to_string();
        assert!(of(io::ErrorKind::StorageFull).contains("free some space"));
        assert!(of(io::ErrorKind::ReadOnlyFilesystem).contains("make it writable"));
    }
}
