//! `harness run --watch`: what a change touches is run again. A changed or a new scenario runs alone; whatever else
//! changes, the subject's tree or a file that scenarios share, runs all.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use harness::Suite;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use notify::{Event, EventKind, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::Failed;

const QUIET_FOR: Duration = Duration::from_millis(80); // editors write a file in several steps
const EVENTS_MAX: usize = 4_096; // what is dropped above is told by the first ones

/// Never a reason to run again: what tools write beside the sources.
pub(super) const NOISE: [&str; 7] =
    [".git/", ".harness/", ".factory/", "target/", "node_modules/", "__pycache__/", ".pytest_cache/"];

/// Which scenarios a change asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Touched {
    All,
    /// Names of scenario files, as the suite has them.
    Files(BTreeSet<String>),
}

impl Touched {
    pub(super) fn keep(&self, suite: &mut Suite) {
        if let Self::Files(files) = self {
            suite.scenarios.retain(|scenario| files.contains(scenario.source().name()));
        }
    }
}

/// The files that were scenarios whenever all could be read: what tells a scenario from the rest of the tree.
#[derive(Default)]
pub(super) struct Known {
    names: BTreeMap<PathBuf, String>,
}

impl Known {
    pub(super) fn learn(&mut self, suite: &Suite) {
        let names = suite.scenarios.iter().map(|scenario| scenario.source().name());
        self.names.extend(names.map(|name| (absolute(Path::new(name)), name.to_owned())));
    }

    /// What a change of these files asks for. To be asked after the files were read again: one of them may be new.
    pub(super) fn touched(&self, changed: &BTreeSet<PathBuf>) -> Touched {
        changed
            .iter()
            .map(|path| self.names.get(path).cloned())
            .collect::<Option<_>>()
            .map_or(Touched::All, Touched::Files)
    }
}

/// Tells of changes below some folders.
pub(super) struct Changes {
    // Dropping it ends the watch.
    _watcher: notify::RecommendedWatcher,
    paths: mpsc::Receiver<PathBuf>,
    ignored: Gitignore,
}

impl Changes {
    /// # Errors
    /// Where the system refuses to watch: it has a limit on the number of folders.
    pub(super) fn below(root: &Path, paths: &[PathBuf]) -> Result<Self, Failed> {
        let (sender, receiver) = mpsc::channel(EVENTS_MAX);
        let refused = |error: notify::Error| {
            Failed::Use(format!(
                "cannot watch for changes: {error}; raise fs.inotify.max_user_watches, or run without --watch"
            ))
        };
        let tell = move |event: notify::Result<Event>| {
            let Ok(event) = event else { return };
            if matches!(event.kind, EventKind::Access(_)) {
                return;
            }
            // A full queue holds enough reasons to run.
            event.paths.into_iter().for_each(|path| drop(sender.try_send(path)));
        };
        let mut watcher = notify::recommended_watcher(tell).map_err(refused)?;
        let root = absolute(root);
        watcher.watch(&root, RecursiveMode::Recursive).map_err(refused)?;
        for path in paths.iter().map(|path| absolute(path)).filter(|path| !path.starts_with(&root)) {
            watcher.watch(&path, RecursiveMode::Recursive).map_err(refused)?;
        }
        Ok(Self { _watcher: watcher, paths: receiver, ignored: ignored(&root) })
    }

    /// Waits for a change and for the quiet after it.
    pub(super) async fn next(&mut self) -> BTreeSet<PathBuf> {
        loop {
            let Some(first) = self.paths.recv().await else { return std::future::pending().await };
            let mut changed = BTreeSet::from([first]);
            while let Ok(Some(path)) = tokio::time::timeout(QUIET_FOR, self.paths.recv()).await {
                changed.insert(path);
            }
            changed.retain(|path| self.is_of_interest(path));
            if !changed.is_empty() {
                return changed;
            }
        }
    }

    fn is_of_interest(&self, path: &Path) -> bool {
        !path.is_dir() && !self.ignored.matched_path_or_any_parents(path, false).is_ignore()
    }
}

fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn ignored(root: &Path) -> Gitignore {
    let mut builder = GitignoreBuilder::new(root);
    // Without the file, or with an unreadable one, only the noise is ignored.
    drop(builder.add(root.join(".gitignore")));
    for pattern in NOISE.iter().chain(&["*.swp", "*~", ".#*", "4913"]) {
        builder.add_line(None, pattern).expect("a literal pattern");
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

/// On a terminal, each run has the screen to itself.
pub(super) fn clear() -> io::Result<()> {
    let mut stderr = io::stderr();
    if stderr.is_terminal() {
        write!(stderr, "\u{1b}[2J\u{1b}[H")?;
    }
    Ok(())
}

/// A line before each run but the first.
pub(super) fn say(touched: &Touched) -> io::Result<()> {
    let mut stderr = io::stderr();
    match touched {
        Touched::All => writeln!(stderr, "changed; all scenarios are run"),
        Touched::Files(files) => {
            writeln!(stderr, "changed: {}", files.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
        }
    }
}
