//! The ready cluster that new ones are copied from: `initdb` takes a second, a copy some 50 ms.
//!
//! The template holds the roles, the empty database and the passwords; a copy shares them. Both are readable by their
//! owner alone, so whoever can read the one can read the other.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::{OpenOptionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    Error,
    binaries::Binaries,
    during,
    identity::{Identity, copy_for},
    own_folder,
};

pub(super) const OWNER: &str = "factory_owner";
pub(super) const APP: &str = "factory_app";
pub(super) const DATABASE: &str = "factory";
const SECRET_BYTES: usize = 32;
const OUTPUT_BYTES_MAX: usize = 4096; // of a failed program: the end of it tells why

pub(super) fn secret_file(role: &str) -> String {
    format!("{role}.secret")
}

/// Makes the cluster in `home/data` from the template in `cache`, making that first where it is missing.
pub(super) fn instantiate(home: &Path, cache: &Path, binaries: &Binaries, identity: &Identity) -> Result<(), Error> {
    own_folder(cache)?;
    let template = ensure(cache, binaries, identity)?;
    let fresh = home.join("data.new");
    remove(&fresh)?;
    for role in [OWNER, APP] {
        let name = secret_file(role);
        fs::copy(template.join(&name), home.join(&name)).map_err(during("copy the passwords"))?;
    }
    copy_for(&template.join("data"), &fresh, identity.owner()).map_err(during("copy the template cluster"))?;
    // The rename must not become durable before what it names.
    sync(&fresh)?;
    fs::rename(&fresh, home.join("data")).map_err(during("put the new cluster in its place"))?;
    sync(home)
}

fn ensure(cache: &Path, binaries: &Binaries, identity: &Identity) -> Result<PathBuf, Error> {
    let lock = File::create(cache.join("template.lock")).map_err(during("create the template's lock"))?;
    lock.lock().map_err(during("lock the template"))?;
    let template = cache.join(format!("postgres-template-{}", binaries.version));
    if !template.join("data/PG_VERSION").exists() {
        let building = cache.join("postgres-template.new");
        remove(&template)?;
        remove(&building)?;
        build(&building, binaries, identity)?;
        fs::rename(&building, &template).map_err(during("put the template in its place"))?;
    }
    Ok(template)
}

fn build(at: &Path, binaries: &Binaries, identity: &Identity) -> Result<(), Error> {
    let data = at.join("data");
    own_folder(at)?;
    own_folder(&data)?;
    let secrets = [OWNER, APP].map(|role| (role, random_secret()));
    for (role, secret) in &secrets {
        write_private(&at.join(secret_file(role)), secret)?;
    }
    if let Some((uid, gid)) = identity.owner() {
        chown(&data, Some(uid), Some(gid)).map_err(during("give the template to the server's user"))?;
    }
    let mut initdb = identity.command_on(&data, binaries, "initdb", &[])?;
    initdb.args([
        "--username",
        OWNER,
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
        "--no-instructions",
    ]);
    run("initdb", initdb, "")?;
    let [(_, owner), (_, app)] = secrets;
    let mut single = identity.command_on(&data, binaries, "postgres", &["--single"])?;
    single.arg("postgres");
    run("postgres --single", single, &first_statements(&owner, &app))?;
    fs::write(data.join("pg_hba.conf"), "local all all scram-sha-256\n").map_err(during("write pg_hba.conf"))
}

/// Single-user mode takes one statement per line and needs no server.
fn first_statements(owner: &str, app: &str) -> String {
    [
        format!("alter role {OWNER} password '{owner}'"),
        format!("create role {APP} login password '{app}'"),
        format!("create database {DATABASE} owner {OWNER}"),
    ]
    .map(|statement| statement + "\n")
    .concat()
}

fn run(program: &'static str, mut command: Command, input: &str) -> Result<(), Error> {
    let starting = || during(format!("run {program}"));
    let mut child = command.stdin(Stdio::piped()).spawn().map_err(starting())?;
    // A program that ends without reading everything says why on its own; a broken pipe is not news.
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).ok();
    }
    let output = child.wait_with_output().map_err(starting())?;
    let printed = String::from_utf8_lossy(&output.stderr);
    // Single-user mode reports a failed statement and still exits with 0.
    let failed = !output.status.success() || printed.contains("ERROR:") || printed.contains("FATAL:");
    if !failed {
        return Ok(());
    }
    if printed.contains("No space left on device") {
        return Err(Error::DiskFull { what: format!("run {program}") });
    }
    Err(Error::Program { program, output: tail(&printed, OUTPUT_BYTES_MAX).to_owned() })
}

/// The last `most` bytes of a text, from a character's start.
pub(super) fn tail(text: &str, most: usize) -> &str {
    let text = text.trim();
    &text[text.ceil_char_boundary(text.len().saturating_sub(most))..]
}

fn random_secret() -> String {
    let mut bytes = [0_u8; SECRET_BYTES];
    rand::fill(&mut bytes);
    hex::encode(bytes)
}

/// Mode 0600 from the first moment.
fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(during(format!("write {}", path.display())))
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(during(format!("remove {}", path.display()))(error))
        }
        _ => Ok(()),
    }
}

/// One call for the thousand files of a cluster, where the system has it.
#[cfg(target_os = "linux")]
fn sync(folder: &Path) -> Result<(), Error> {
    let open = File::open(folder).map_err(during("open the new cluster"))?;
    rustix::fs::syncfs(open).map_err(|errno| during("sync the new cluster")(errno.into()))
}

#[cfg(not(target_os = "linux"))]
fn sync(_: &Path) -> Result<(), Error> {
    rustix::fs::sync();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_program_is_quoted_from_its_end() {
        assert_eq!(tail("  first\nläst\n", 4), "äst".trim_start_matches(char::is_whitespace));
        assert_eq!(tail("short", 100), "short");
    }

    #[test]
    fn passwords_are_fresh_and_long() {
        let (one, other) = (random_secret(), random_secret());
        assert_eq!(one.len(), 2 * SECRET_BYTES);
        assert_ne!(one, other);
    }
}
