//! `harness run --watch`: what a change touches is run again. A changed scenario runs alone; whatever else changes, the
//! subject's tree or a file that scenarios share, runs all.

use std::{
    collections::BTreeSet,
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
const NOISE: [&str; 7] =
    [".git/", ".harness/", ".factory/", "target/", "node_modules/", "__pycache__/", ".pytest_cache/"];

/// Which scenarios a change asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Touched {
    All,
    /// Names of scenario files, as the suite has them.
    Files(BTreeSet<String>),
}

impl Touched {
    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Files(mut files), Self::Files(more)) => {
                files.extend(more);
                Self::Files(files)
            }
            _ => Self::All,
        }
    }

    pub(super) fn keep(&self, suite: &mut Suite) {
        if let Self::Files(files) = self {
            suite.scenarios.retain(|scenario| files.contains(scenario.source().name()));
        }
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
    pub(super) async fn next(&mut self, suite: Option<&Suite>) -> Touched {
        loop {
            let Some(first) = self.paths.recv().await else { return std::future::pending().await };
            let mut touched = self.touched(&first, suite);
            while let Ok(Some(path)) = tokio::time::timeout(QUIET_FOR, self.paths.recv()).await {
                touched = match (touched, self.touched(&path, suite)) {
                    (Some(one), Some(other)) => Some(one.and(other)),
                    (one, other) => one.or(other),
                };
            }
            if let Some(touched) = touched {
                return touched;
            }
        }
    }

    /// `None` for what is of no interest.
    fn touched(&self, path: &Path, suite: Option<&Suite>) -> Option<Touched> {
        if self.ignored.matched_path_or_any_parents(path, path.is_dir()).is_ignore() || path.is_dir() {
            return None;
        }
        let names = suite.into_iter().flat_map(|suite| &suite.scenarios).map(|scenario| scenario.source().name());
        let file: BTreeSet<_> = names.filter(|name| absolute(Path::new(name)) == path).map(str::to_owned).collect();
        Some(if file.is_empty() { Touched::All } else { Touched::Files(file) })
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

/// A line between two runs; on a terminal the one before is cleared away.
pub(super) fn say_again(touched: &Touched) -> io::Result<()> {
    let mut stderr = io::stderr();
    if stderr.is_terminal() {
        write!(stderr, "\u{1b}[2J\u{1b}[H")?;
    }
    match touched {
        Touched::All => writeln!(stderr, "changed; all scenarios are run"),
        Touched::Files(files) => {
            writeln!(stderr, "changed: {}", files.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
        }
    }
}
