//! What a sandbox shows, as arguments of `bwrap`. Pure but for a look at how this machine lays out its system folders.
//!
//! The root is built from nothing: what is not named here does not exist inside. So there is no socket of this machine
//! to connect to, and no file of its user to read.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::channel::FOLDER;
use crate::subject::TreeAccess;

/// Programs and libraries. What is a link here (`/bin -> usr/bin`) is one inside.
const SYSTEM: [&str; 7] = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// Of `/etc`, what programs need to run and to check certificates; nothing that tells about the machine or its users.
const CONFIGURATION: [&str; 19] = [
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "fonts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "magic",
    "mime.types",
    "os-release",
    "pki/ca-trust",
    "pki/tls/certs",
    "protocols",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
];
const JAVA: &str = "java"; // a runtime's own configuration: `/etc/java-17-openjdk`

/// Files that every program expects and whose real ones are nobody's business.
const OWN: [(&str, &str); 4] = [
    ("passwd", "subject:x:1000:1000::/home/subject:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n"),
    ("group", "subject:x:1000:\nnogroup:x:65534:\n"),
    ("hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
];

const USER: &str = "1000"; // inside; software behaves differently for 0
pub(super) const HOME: &str = "/home/subject";
const INSIDE: &str = "/run/harness-inside"; // the harness itself

/// What one sandbox shows besides the system.
pub(super) struct View<'a> {
    pub(super) root: &'a Path,
    pub(super) access: TreeAccess,
    pub(super) data_dir: &'a Path,
    /// Shared with the first process inside.
    pub(super) folder: &'a Path,
}

/// What all sandboxes of a launcher have in common.
#[derive(Debug)]
pub(super) struct Bubblewrap {
    /// The binary `harness`: the first process inside.
    harness: PathBuf,
    /// Further paths that may be read.
    read: Vec<PathBuf>,
    /// Holds [`OWN`].
    etc: TempDir,
}

impl Bubblewrap {
    pub(super) fn new(harness: PathBuf, read: Vec<PathBuf>) -> io::Result<Self> {
        let etc = tempfile::tempdir()?;
        OWN.iter().try_for_each(|(name, text)| fs::write(etc.path().join(name), text))?;
        Ok(Self { harness, read, etc })
    }

    pub(super) fn arguments(&self, view: &View<'_>) -> Vec<OsString> {
        let mut arguments = Arguments::default();
        arguments.walls();
        arguments.system();
        arguments.configuration(self.etc.path());
        for path in &self.read {
            arguments.show("--ro-bind", path, path);
        }
        arguments.show("--ro-bind", &self.harness, Path::new(INSIDE));
        let tree = match view.access {
            TreeAccess::ReadOnly => "--ro-bind",
            TreeAccess::ReadWrite => "--bind",
        };
        arguments.show(tree, view.root, view.root);
        arguments.show("--bind", view.data_dir, view.data_dir);
        arguments.show("--bind", view.folder, Path::new(FOLDER));
        // After everything has found its place.
        arguments.add(["--remount-ro", "/"]);
        arguments.add(["--chdir", "/", "--", INSIDE, "inside-sandbox"]);
        arguments.0
    }
}

#[derive(Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
    fn add<const N: usize>(&mut self, words: [&str; N]) {
        self.0.extend(words.into_iter().map(OsString::from));
    }

    fn show(&mut self, how: &str, outside: &Path, inside: &Path) {
        self.0.extend([how.into(), outside.into(), inside.into()]);
    }

    /// Namespaces of its own for everything, no privilege, no way to outlive the harness.
    fn walls(&mut self) {
        self.add(["--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]);
        self.add(["--unshare-cgroup-try", "--uid", USER, "--gid", USER, "--hostname", "sandbox", "--clearenv"]);
        // Without a new session, a program could type into the terminal that the harness was started from.
        self.add(["--cap-drop", "ALL", "--new-session", "--die-with-parent", "--as-pid-1"]);
    }

    fn system(&mut self) {
        for name in SYSTEM {
            let path = Path::new("/").join(name);
            match fs::read_link(&path) {
                Ok(target) => self.show("--symlink", &target, &path),
                Err(_) => self.show("--ro-bind-try", &path, &path),
            }
        }
        // The harness never mounts the machine's own: its `proc` shows all processes, its `dev` all devices.
        self.add(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", HOME]);
    }

    fn configuration(&mut self, own: &Path) {
        let etc = Path::new("/etc");
        for (name, _) in OWN {
            self.show("--ro-bind", &own.join(name), &etc.join(name));
        }
        let java = fs::read_dir(etc).into_iter().flatten().flatten().map(|entry| entry.path());
        let java = java.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(JAVA)));
        for path in CONFIGURATION.iter().map(|name| etc.join(name)).chain(java) {
            self.show("--ro-bind-try", &path, &path);
        }
    }
}
