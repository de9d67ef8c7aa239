//! Paths as models write them, made relative to the workspace.

use std::fmt;

/// A path inside the workspace, relative to it, without `.` and `..`; empty is the workspace itself.
///
/// Invariant: it cannot name anything outside by its text; symlinks are the [`Tree`](super::Tree)'s to refuse.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkspacePath(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PathError {
    #[error("the path is empty; give a path relative to the workspace, or `.` for the workspace itself")]
    Empty,
    #[error("`{given}` is outside the workspace `{home}`; give a path relative to the workspace")]
    Outside { given: String, home: String },
    #[error("the path holds a NUL character")]
    Nul,
}

impl WorkspacePath {
    /// The workspace itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// Relative paths, and absolute ones below `home`, the workspace as commands see it.
    pub fn parse(given: &str, home: &str) -> Result<Self, PathError> {
        if given.is_empty() {
            return Err(PathError::Empty);
        }
        if given.contains('\0') {
            return Err(PathError::Nul);
        }
        let outside = || PathError::Outside { given: given.to_owned(), home: home.to_owned() };
        let relative = if given.starts_with('/') { below(given, home).ok_or_else(outside)? } else { given };
        let mut parts: Vec<&str> = Vec::new();
        for part in relative.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop().ok_or_else(outside)?;
                }
                name => parts.push(name),
            }
        }
        Ok(Self(parts.join("/")))
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Without a leading `/`; `.` for the workspace itself.
    pub fn as_str(&self) -> &str {
        if self.0.is_empty() { "." } else { &self.0 }
    }

    /// The folder and the name in it; `None` for the workspace itself.
    pub(crate) fn split(&self) -> Option<(Self, &str)> {
        if self.0.is_empty() {
            return None;
        }
        match self.0.rsplit_once('/') {
            Some((folder, name)) => Some((Self(folder.to_owned()), name)),
            None => Some((Self::root(), &self.0)),
        }
    }
}

/// The rest of `given` after the folder `home`, where it is below it.
fn below<'a>(given: &'a str, home: &str) -> Option<&'a str> {
    let rest = given.strip_prefix(home.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

impl fmt::Display for WorkspacePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(given: &str) -> Result<String, PathError> {
        WorkspacePath::parse(given, "/workspace").map(|path| path.as_str().to_owned())
    }

    #[test]
    fn relative_and_absolute_paths_below_home_are_the_same() {
        for given in ["src/a.rs", "./src//a.rs", "src/x/../a.rs", "/workspace/src/a.rs", "/workspace//src/a.rs"] {
            assert_eq!(parse(given).unwrap(), "src/a.rs", "{given}");
        }
        for given in [".", "/workspace", "/workspace/", "src/.."] {
            assert_eq!(parse(given).unwrap(), ".", "{given}");
        }
    }

    #[test]
    fn paths_that_leave_the_workspace_are_refused() {
        for given in ["..", "../x", "a/../../x", "/etc/passwd", "/workspace/../etc", "/workspaces/x", "/"] {
            assert!(matches!(parse(given), Err(PathError::Outside { .. })), "{given}");
        }
        assert_eq!(parse(""), Err(PathError::Empty));
        assert_eq!(parse("a\0b"), Err(PathError::Nul));
    }
}
