//! Finds Postgres programs that are new enough and that the server's user can run.

use std::path::{Path, PathBuf};

use super::{Error, Options, identity::Identity};

pub(super) const MAJOR_MIN: u32 = 15; // the oldest release that the schema is tested with

/// Folders that hold one `<name>/bin` per installed release.
const RELEASE_ROOTS: &[&str] = &[
    "/usr/lib/postgresql", // Debian, Ubuntu
    "/opt/homebrew/opt",   // Homebrew on Apple silicon
    "/usr/local/opt",      // Homebrew on Intel
    "/Applications/Postgres.app/Contents/Versions",
    "/usr", // one release in /usr/pgsql-<major>/bin: Fedora and kin
];

/// One usable installation.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    pub(super) dir: PathBuf,
    pub(super) major: u32,
    /// As the program prints it: `15.18`.
    pub(super) version: String,
    /// For programs that live outside the system's folders together with their libraries.
    pub(super) library_path: Option<PathBuf>,
}

impl Binaries {
    /// The release whose cluster exists already in `clusters`, else the newest one found.
    pub(super) fn find(options: &Options, clusters: &Path, identity: &Identity) -> Result<Self, Error> {
        let mut rejected = Vec::new();
        let mut found = Vec::new();
        for dir in candidates(options) {
            match Self::probe(&dir, options, identity) {
                Ok(binaries) if binaries.major >= MAJOR_MIN => found.push(binaries),
                Ok(binaries) => rejected.push(format!("{} is {}", dir.display(), binaries.version)),
                Err(why) => rejected.push(format!("{}: {why}", dir.display())),
            }
        }
        Self::choose(found, &existing_majors(clusters), clusters, &rejected)
    }

    fn choose(found: Vec<Self>, existing: &[u32], clusters: &Path, rejected: &[String]) -> Result<Self, Error> {
        let newest = found.iter().max_by_key(|binaries| binaries.major);
        let Some(newest) = newest else {
            let looked = if rejected.is_empty() { String::new() } else { format!(" ({})", rejected.join("; ")) };
            return Err(Error::NoBinaries { looked });
        };
        let Some(&latest) = existing.iter().max() else { return Ok(newest.clone()) };
        // Beginning an empty cluster beside a full one would look like a lost history.
        found.iter().find(|binaries| binaries.major == latest).cloned().ok_or_else(|| Error::OtherMajor {
            folder: clusters.join(latest.to_string()),
            existing: latest,
            found: newest.version.clone(),
        })
    }

    fn probe(dir: &Path, options: &Options, identity: &Identity) -> Result<Self, String> {
        let library_path = libraries_beside(dir, options.tools_dir.as_deref());
        let mut this = Self { dir: dir.to_owned(), major: 0, version: String::new(), library_path };
        let output = identity.command(&this, "postgres").arg("--version").output().map_err(|e| e.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        let printed = String::from_utf8_lossy(&output.stdout);
        let version = printed.split_whitespace().nth(2).ok_or_else(|| format!("unexpected version `{printed}`"))?;
        let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
        this.major = digits.parse().map_err(|_| format!("unexpected version `{version}`"))?;
        version.clone_into(&mut this.version);
        Ok(this)
    }
}

/// Existing folders that hold both programs, in order of preference, each once.
fn candidates(options: &Options) -> Vec<PathBuf> {
    let mut dirs = options.bin_dirs.clone();
    if let Some(path) = &options.search_path {
        dirs.extend(std::env::split_paths(path));
    }
    if let Some(tools) = &options.tools_dir {
        dirs.extend(releases_below(&tools.join("usr/lib/postgresql")));
    }
    dirs.extend(RELEASE_ROOTS.iter().flat_map(|root| releases_below(Path::new(root))));
    let mut seen = std::collections::HashSet::new();
    dirs.into_iter()
        .filter(|dir| dir.join("postgres").is_file() && dir.join("initdb").is_file())
        .filter(|dir| seen.insert(dir.canonicalize().unwrap_or_else(|_| dir.clone())))
        .collect()
}

fn releases_below(root: &Path) -> Vec<PathBuf> {
    let Ok(entries) = root.read_dir() else { return Vec::new() };
    let mut dirs: Vec<_> = entries.flatten().map(|entry| entry.path().join("bin")).collect();
    dirs.sort();
    dirs
}

/// Programs unpacked below a tools root find their libraries there, not in the system.
fn libraries_beside(dir: &Path, tools: Option<&Path>) -> Option<PathBuf> {
    let root = tools.filter(|tools| dir.starts_with(tools))?.join("usr/lib");
    let multiarch = root.read_dir().ok()?.flatten().map(|entry| entry.path());
    multiarch.into_iter().find(|path| path.join("libpq.so.5").exists()).or(Some(root))
}

/// Majors that have a cluster below `clusters`.
fn existing_majors(clusters: &Path) -> Vec<u32> {
    let Ok(entries) = clusters.read_dir() else { return Vec::new() };
    let with_data = entries.flatten().filter(|entry| entry.path().join("data/PG_VERSION").exists());
    with_data.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(major: u32) -> Binaries {
        Binaries { dir: format!("/pg/{major}").into(), major, version: format!("{major}.1"), library_path: None }
    }

    fn choose(found: &[u32], existing: &[u32]) -> Result<u32, Error> {
        let found = found.iter().copied().map(release).collect();
        Binaries::choose(found, existing, Path::new("/d"), &["/old is 13.2".to_owned()]).map(|b| b.major)
    }

    #[test]
    fn the_release_of_the_existing_cluster_is_preferred_to_the_newest() {
        assert_eq!(choose(&[15, 17], &[]).unwrap(), 17);
        assert_eq!(choose(&[15, 17], &[15]).unwrap(), 15);
    }

    #[test]
    fn a_cluster_of_another_release_is_never_passed_over_in_silence() {
        let error = choose(&[17], &[15]).unwrap_err().to_string();
        assert!(error.contains("/d/15") && error.contains("install Postgres 15"), "{error}");
    }

    #[test]
    fn what_was_rejected_is_named() {
        assert!(choose(&[], &[]).unwrap_err().to_string().contains("/old is 13.2"));
    }
}
