//! What the tests share: a maker of sandboxes, and short ways to run something in one.

use std::path::PathBuf;
use std::time::Duration;

use factory_sandbox::{Command, Options, Output, Sandbox, Sandboxes, Spec};

/// How long anything may take that should happen at once: generous, for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// A maker with a base directory of its own, which lives as long as it.
pub(crate) struct Maker {
    pub(crate) sandboxes: Sandboxes,
    dir: tempfile::TempDir,
}

impl Maker {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { helper: Some(helper()), ..Options::new(dir.path().join("base")) };
        Self { sandboxes: Sandboxes::new(options).unwrap(), dir }
    }

    pub(crate) async fn create(&self) -> Sandbox {
        self.create_with(Spec::default()).await
    }

    pub(crate) async fn create_with(&self, spec: Spec) -> Sandbox {
        // Never skipped: a machine that cannot isolate must fail these tests.
        self.sandboxes.create(spec).await.unwrap_or_else(|error| panic!("cannot {error}"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Names of the records of living sandboxes.
    pub(crate) fn records(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path("base")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// The suite is run once more under another uid, from a copy that this uid can reach.
pub(crate) fn helper() -> PathBuf {
    std::env::var_os("SANDBOX_TESTS_HELPER").map_or_else(|| env!("CARGO_BIN_EXE_factory-sandbox").into(), PathBuf::from)
}

pub(crate) async fn sh(sandbox: &Sandbox, script: &str) -> Output {
    sandbox.run(Command::new(["/bin/sh", "-c", script])).await.unwrap_or_else(|error| panic!("cannot {error}"))
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap().trim()
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} for {what}"));
}

/// The host's pid of a `sleep` with this argument.
pub(crate) fn host_pid_of(argument: &str) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.find(|pid| {
        std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line == format!("sleep\0{argument}\0").as_bytes())
    })
}

pub(crate) fn alive(pid: u32) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}

/// The host uid of a process.
pub(crate) fn uid_of(pid: u32) -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(format!("/proc/{pid}")).unwrap().uid()
}
