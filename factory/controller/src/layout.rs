//! Where a run keeps its files below the factory's home.
//!
//! ```text
//! runs/<run>/spec.md          the spec as it was
//!            seed/            the tree that the builder starts from
//!            scenarios/       visible scenarios, as they were
//!            sealed/          holdouts, as they were; readable by the factory's own user only
//!            work/<action>/   workspaces of builders
//!            trees/<digest>/  what builders left
//!            trials/<random>/ copies of trees while they are graded
//! ```

use std::path::{Path, PathBuf};

use model::{
    hash::Digest,
    id::{ActionId, RunId},
};

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct RunDir(PathBuf);

impl RunDir {
    pub fn new(home: &Path, run: &RunId) -> Self {
        Self(home.join("runs").join(run.as_str()))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn spec(&self) -> PathBuf {
        self.0.join("spec.md")
    }

    pub fn seed(&self) -> PathBuf {
        self.0.join("seed")
    }

    pub fn scenarios(&self) -> PathBuf {
        self.0.join("scenarios")
    }

    pub fn sealed(&self) -> PathBuf {
        self.0.join("sealed")
    }

    /// Where all workspaces are.
    pub fn works(&self) -> PathBuf {
        self.0.join("work")
    }

    pub fn work(&self, action: &ActionId) -> PathBuf {
        self.works().join(action.as_str().replace('/', "-"))
    }

    pub fn trees(&self) -> PathBuf {
        self.0.join("trees")
    }

    pub fn tree(&self, digest: Digest) -> PathBuf {
        self.trees().join(digest.to_string().replace(':', "-"))
    }

    /// Takes no action: what lies here is seen by subjects, and must not say what they are tested for.
    pub fn trials(&self) -> PathBuf {
        self.0.join("trials")
    }
}
