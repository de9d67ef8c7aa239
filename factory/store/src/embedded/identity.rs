//! Who the server runs as. Postgres refuses to run as root, so root gives it an identity of its own.
//!
//! As root on Linux the server gets a user id that nobody else has, inside a user namespace with one entry that maps
//! it to `nobody`: Postgres looks its user up by name, and no account needs to be made. Where namespaces are not
//! allowed (some containers), an existing account without rights is taken instead.
//!
//! Such a user cannot walk through root's own folders (`/root` is 0700), so the data folder is handed over as an open
//! directory: it arrives as standard output, a shell makes it descriptor 9, which even the children of `initdb`
//! inherit, and every program finds it at `/proc/self/fd/9`. What they print goes to standard error.

use std::{
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{Error, binaries::Binaries, during};

const OWN_UID_FIRST: u32 = 700_001; // above every range that useradd and subuid hand out by default
const OWN_UID_LAST: u32 = 700_099;
const NOBODY: u32 = 65_534;
const ACCOUNTS: &[&str] = &["postgres", "nobody"]; // in order of preference
/// What Postgres' programs would take from the environment.
const SERVER_VARIABLES: &[&str] =
    &["PGDATA", "PGPORT", "PGOPTIONS", "PGTZ", "PGDATESTYLE", "PGCLIENTENCODING", "PGUSER", "PGDATABASE"];
const DATA_BY_DESCRIPTOR: &str = "/proc/self/fd/9";
const TAKE_DATA_AS_DESCRIPTOR: &str = r#"exec 9<&1 1>&2; exec "$@""#;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// Whoever runs this process.
    Caller,
    /// An unused user id, in a user namespace of its own.
    Namespaced { uid: u32 },
    /// An account of this machine.
    Account { uid: u32, gid: u32 },
}

impl Identity {
    /// For the cluster in `data`: who owns it already, else the best this machine allows.
    pub(super) fn of(data: &Path) -> Result<Self, Error> {
        let me = rustix::process::geteuid().as_raw();
        let owner = data.metadata().ok().map(|metadata| metadata.uid());
        match owner {
            Some(owner) if me != 0 && owner != me => Err(Error::WrongOwner { path: data.to_owned(), owner, me }),
            Some(0) if me == 0 => Err(Error::WrongOwner { path: data.to_owned(), owner: 0, me: NOBODY }),
            _ if me != 0 => Ok(Self::Caller),
            Some(uid) => Self::of_owner(uid),
            None => Self::fresh(),
        }
    }

    /// For the programs that any of the clusters needs: all of them belong to one identity.
    pub(super) fn of_any(clusters: &Path) -> Result<Self, Error> {
        let entries = clusters.read_dir().map_err(during(format!("read {}", clusters.display())))?;
        let existing = entries.flatten().map(|entry| entry.path().join("data")).find(|data| data.exists());
        Self::of(&existing.unwrap_or_else(|| clusters.join("none")))
    }

    fn of_owner(uid: u32) -> Result<Self, Error> {
        let account = accounts().into_iter().find(|account| account.uid == uid);
        Ok(account.map_or(Self::Namespaced { uid }, |Account { uid, gid, .. }| Self::Account { uid, gid }))
    }

    fn fresh() -> Result<Self, Error> {
        let accounts = accounts();
        let unused = (OWN_UID_FIRST..=OWN_UID_LAST).find(|uid| accounts.iter().all(|account| account.uid != *uid));
        let namespaced = unused.map(|uid| Self::Namespaced { uid });
        let named = ACCOUNTS.iter().filter_map(|name| accounts.iter().find(|account| account.name == *name));
        let mut why = String::from("setpriv and unshare of util-linux are needed");
        for identity in
            namespaced.into_iter().chain(named.map(|Account { uid, gid, .. }| Self::Account { uid: *uid, gid: *gid }))
        {
            match identity.wrapped("true".as_ref()).output() {
                Ok(output) if output.status.success() => return Ok(identity),
                Ok(output) => String::from_utf8_lossy(&output.stderr).trim().clone_into(&mut why),
                Err(error) => why = error.to_string(),
            }
        }
        Err(Error::NoIdentity { why })
    }

    /// Owner and group of the cluster's files, where they are not the caller's.
    pub(super) fn owner(&self) -> Option<(u32, u32)> {
        match *self {
            Self::Caller => None,
            Self::Namespaced { uid } => Some((uid, uid)),
            Self::Account { uid, gid } => Some((uid, gid)),
        }
    }

    /// A program of Postgres that needs no data folder.
    pub(super) fn command(&self, binaries: &Binaries, program: &str) -> Command {
        let mut command = self.wrapped(&binaries.dir.join(program));
        Self::settle(&mut command, binaries);
        command
    }

    /// A program of Postgres on the cluster in `data`: `<program> <first> -D <data>`. Prints to standard error only.
    pub(super) fn command_on(
        &self,
        data: &Path,
        binaries: &Binaries,
        program: &str,
        first: &[&str],
    ) -> Result<Command, Error> {
        let inner = self.wrapped(&binaries.dir.join(program));
        let mut command = if *self == Self::Caller {
            let mut command = inner;
            command.args(first).arg("-D").arg(data).stdout(Stdio::null());
            command
        } else {
            let mut command = Command::new("sh");
            command.args(["-c", TAKE_DATA_AS_DESCRIPTOR, "sh"]).arg(inner.get_program()).args(inner.get_args());
            command.args(first).args(["-D", DATA_BY_DESCRIPTOR]).stdout(open_folder(data)?);
            command
        };
        Self::settle(&mut command, binaries);
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        Ok(command)
    }

    fn wrapped(&self, program: &Path) -> Command {
        let (uid, gid) = match *self {
            Self::Caller => return Command::new(program),
            Self::Namespaced { uid } => (uid, uid),
            Self::Account { uid, gid } => (uid, gid),
        };
        let mut command = Command::new("setpriv");
        command.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}")).arg("--clear-groups");
        if matches!(self, Self::Namespaced { .. }) {
            command.args(["unshare", "--user"]);
            command.arg(format!("--map-user={NOBODY}")).arg(format!("--map-group={NOBODY}"));
        }
        command.arg(program);
        command
    }

    /// The same surroundings for every program: nothing of the caller's language, folder or server settings.
    fn settle(command: &mut Command, binaries: &Binaries) {
        for name in SERVER_VARIABLES {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C").current_dir("/");
        if let Some(path) = &binaries.library_path {
            command.env("LD_LIBRARY_PATH", path);
        }
    }
}

fn open_folder(path: &Path) -> Result<Stdio, Error> {
    File::open(path).map(Stdio::from).map_err(during(format!("open {}", path.display())))
}

struct Account {
    name: String,
    uid: u32,
    gid: u32,
}

fn accounts() -> Vec<Account> {
    std::fs::read_to_string("/etc/passwd").map(|text| parse_accounts(&text)).unwrap_or_default()
}

fn parse_accounts(passwd: &str) -> Vec<Account> {
    let parse = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Account { name, uid, gid })
    };
    passwd.lines().filter_map(parse).collect()
}

/// Copies a folder with everything below it, giving it to `owner`. Regular files, folders and links only.
pub(super) fn copy_for(from: &Path, to: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, lchown, symlink};
    let mut pending = vec![(from.to_owned(), to.to_owned())];
    while let Some((source, target)) = pending.pop() {
        let kind = source.symlink_metadata()?.file_type();
        if kind.is_dir() {
            std::fs::DirBuilder::new().mode(0o700).create(&target)?;
            for entry in source.read_dir()? {
                let name: PathBuf = entry?.file_name().into();
                pending.push((source.join(&name), target.join(&name)));
            }
        } else if kind.is_symlink() {
            symlink(source.read_link()?, &target)?;
        } else {
            std::fs::copy(&source, &target)?;
        }
        if let Some((uid, gid)) = owner {
            lchown(&target, Some(uid), Some(gid))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_and_broken_lines_passed_over() {
        let accounts = parse_accounts("root:x:0:0:root:/root:/bin/sh\nbroken\npostgres:x:101:104::/var:/bin/sh\n");
        let seen: Vec<_> = accounts.iter().map(|account| (account.name.as_str(), account.uid, account.gid)).collect();
        assert_eq!(seen, [("root", 0, 0), ("postgres", 101, 104)]);
    }

    #[test]
    fn a_namespaced_command_drops_root_before_anything_else() {
        let command = Identity::Namespaced { uid: 700_001 }.wrapped("/pg/postgres".as_ref());
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        assert_eq!(command.get_program(), "setpriv");
        assert_eq!(words[..4], ["--reuid=700001", "--regid=700001", "--clear-groups", "unshare"]);
    }
}
