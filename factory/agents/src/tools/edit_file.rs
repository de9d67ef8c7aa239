//! `edit_file`: one passage of a file replaced by another.

use model::event::agent::FileChange;
use schemars::JsonSchema;
use serde::Deserialize;
use similar::TextDiff;

use super::{
    Effect, Shown, Tool, ToolError, change,
    edit_text::{Edited, edit},
    path,
    shown::Keep,
    utf8,
};
use crate::environment::{Environment, WorkspacePath};

pub(super) const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
const DIFF_CONTEXT_LINES: usize = 3;

pub struct EditFile;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// Relative to the workspace.
    path: String,
    /// The passage as it is in the file, without line numbers. It must be there exactly once.
    old_string: String,
    /// What stands there instead.
    new_string: String,
    /// Replace every occurrence. Default false.
    #[serde(default)]
    replace_all: bool,
}

impl Tool for EditFile {
    const NAME: &'static str = "edit_file";
    const DESCRIPTION: &'static str = "Replace one passage of a file by another. old_string must be unique in the file: \
        give enough lines around the change. Returns the difference.";
    const EFFECT: Effect = Effect::Mutating;
    const SHOWN: Shown = Shown::new(10_000, None, Keep::Tail);
    type Arguments = Arguments;

    async fn change(&self, arguments: &Arguments, environment: &dyn Environment) -> Option<FileChange> {
        let edit = Edit::plan(arguments, environment).await.ok()?;
        Some(change::of(&edit.path, &edit.before, &edit.after.text))
    }

    async fn call(&self, arguments: Arguments, environment: &dyn Environment) -> Result<String, ToolError> {
        let Edit { path, before, after } = Edit::plan(&arguments, environment).await?;
        let difference = difference(&before, &after.text);
        environment.write(&path, after.text.into_bytes()).await?;
        let places = if after.replacements == 1 { "1 place" } else { &format!("{} places", after.replacements) };
        Ok(format!("edited `{path}` in {places}\n{difference}"))
    }
}

/// What is going to be written.
struct Edit {
    path: WorkspacePath,
    before: String,
    after: Edited,
}

impl Edit {
    async fn plan(arguments: &Arguments, environment: &dyn Environment) -> Result<Self, ToolError> {
        let path = path(&arguments.path, environment)?;
        let before = utf8(environment.read(&path, FILE_BYTES_MAX).await?, &path)?;
        let after = edit(&before, &arguments.old_string, &arguments.new_string, arguments.replace_all)
            .map_err(|error| ToolError::Told(format!("`{path}`: {error}")))?;
        Ok(Self { path, before, after })
    }
}

fn difference(old: &str, new: &str) -> String {
    TextDiff::from_lines(old, new).unified_diff().context_radius(DIFF_CONTEXT_LINES).to_string()
}
