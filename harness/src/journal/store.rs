//! The folder of all runs: `.harness/runs/<id>/`, `.harness/latest` → the last one.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, symlink},
    path::{Path, PathBuf},
};

use serde_json::Value as Json;

use super::{JournalError, LOG, MANIFEST, Manifest, RunId, RunLog, StoredRun, chain::Chain, manifest};
use crate::Plan;

/// How many runs are kept.
pub const KEEP_DEFAULT: usize = 50; // some weeks of one person's work
const RUNS: &str = "runs";
const LOGS: &str = "logs";
const LATEST: &str = "latest";
const PREVIOUS: &str = "previous";
const PRIVATE: u32 = 0o700; // evidence may hold tokens

/// The runs that are kept in one folder, usually `.harness`.
#[derive(Clone, Debug)]
pub struct RunStore(PathBuf);

impl RunStore {
    /// Nothing is made before a run is stored.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self(dir.into())
    }

    /// Starts the record of a run, and forgets the oldest ones above `keep`.
    ///
    /// `asked` is how the run was asked for, for whoever resumes it.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn begin(&self, plan: &Plan, asked: Json, keep: usize) -> Result<(RunId, RunLog), JournalError> {
        self.prepare()?;
        let manifest = Manifest::new(plan, asked);
        let dir = self.runs().join(manifest.id.as_str());
        let here = |path: &Path, error| JournalError::file(path)(error);
        make_private(&dir).map_err(|error| here(&dir, error))?;
        let log_path = dir.join(LOG);
        let log =
            File::options().create_new(true).append(true).open(&log_path).map_err(|error| here(&log_path, error))?;
        // Told to other processes for as long as this one lives.
        log.try_lock().map_err(|error| here(&log_path, error.into()))?;
        let bytes = serde_json::to_vec_pretty(&manifest).map_err(|error| here(&dir, error.into()))?;
        let manifest_file = write(&dir.join(MANIFEST), &bytes).map_err(|error| here(&dir, error))?;
        let log = RunLog::begin(log, manifest_file, Chain::anchored(&bytes)).map_err(|error| here(&log_path, error))?;
        self.point_latest(&manifest.id).map_err(|error| here(&self.0, error))?;
        self.prune(keep);
        Ok((manifest.id, log))
    }

    /// All runs, the oldest first.
    ///
    /// # Errors
    /// Where the folder cannot be read. That there is none means that there is no run.
    pub fn ids(&self) -> Result<Vec<RunId>, JournalError> {
        let entries = match fs::read_dir(self.runs()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(JournalError::file(&self.runs()))?,
        };
        let mut ids: Vec<_> = entries.flatten().filter_map(|entry| RunId::read(entry.file_name().to_str()?)).collect();
        ids.sort();
        Ok(ids)
    }

    /// Opens a run by its id, the start or the end of it, `latest`, `previous`, or the path of its folder.
    ///
    /// # Errors
    /// Where there is none of that name, or several.
    pub fn open(&self, name: &str) -> Result<StoredRun, JournalError> {
        if name.contains('/') {
            return StoredRun::open(Path::new(name));
        }
        let ids = self.ids()?;
        StoredRun::open(&self.runs().join(self.choose(name, &ids)?.as_str()))
    }

    fn choose<'a>(&self, name: &str, ids: &'a [RunId]) -> Result<&'a RunId, JournalError> {
        let unknown = || JournalError::Unknown { name: name.to_owned() };
        match name {
            LATEST => return ids.last().ok_or_else(|| JournalError::Empty { path: self.0.clone() }),
            PREVIOUS => return ids.len().checked_sub(2).map(|n| &ids[n]).ok_or_else(unknown),
            "" => return Err(unknown()),
            _ => {}
        }
        let fits = |id: &&RunId| id.as_str().starts_with(name) || id.as_str().ends_with(name);
        let found: Vec<_> = ids.iter().filter(fits).collect();
        match found[..] {
            [id] => Ok(id),
            [] => Err(unknown()),
            _ => {
                let ids = found.into_iter().map(RunId::as_str).collect::<Vec<_>>().join(" or ");
                Err(JournalError::Ambiguous { name: name.to_owned(), ids })
            }
        }
    }

    /// Where the whole logs of a run's subjects are kept.
    pub fn logs(&self, id: &RunId) -> PathBuf {
        self.runs().join(id.as_str()).join(LOGS)
    }

    fn runs(&self) -> PathBuf {
        self.0.join(RUNS)
    }

    fn prepare(&self) -> Result<(), JournalError> {
        let runs = self.runs();
        make_private(&runs).map_err(JournalError::file(&runs))?;
        let ignore = self.0.join(".gitignore");
        if !ignore.exists() {
            fs::write(&ignore, "*\n").map_err(JournalError::file(&ignore))?;
        }
        Ok(())
    }

    /// The link is replaced as a whole: a reader never finds none.
    fn point_latest(&self, id: &RunId) -> io::Result<()> {
        let fresh = self.0.join(format!(".{LATEST}-{id}"));
        symlink(Path::new(RUNS).join(id.as_str()), &fresh)?;
        fs::rename(&fresh, self.0.join(LATEST))
    }

    /// What cannot be removed is only in the way; it is tried again next time.
    fn prune(&self, keep: usize) {
        let ids = self.ids().unwrap_or_default();
        let surplus = ids.len().saturating_sub(keep.max(1));
        for id in &ids[..surplus] {
            let dir = self.runs().join(id.as_str());
            let is_running = File::open(dir.join(LOG)).is_ok_and(|log| log.try_lock().is_err());
            if !is_running {
                fs::remove_dir_all(dir).ok();
            }
        }
    }
}

impl StoredRun {
    /// Whether `plan` would run the same scenarios against the same `harness.yaml`.
    pub fn is_same_suite(&self, plan: &Plan) -> bool {
        self.manifest().suite_digest == manifest::suite_digest(plan)
    }
}

fn make_private(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(PRIVATE).create(dir)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    Ok(file)
}
