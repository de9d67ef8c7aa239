//! `edit_file`: one passage of a file replaced by another.

use schemars::JsonSchema;
use serde::Deserialize;
use similar::TextDiff;

use super::{Effect, Shown, Tool, ToolError, edit_text::edit, path, shown::Keep, utf8};
use crate::environment::Environment;

const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
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

    async fn call(&self, arguments: Arguments, environment: &dyn Environment) -> Result<String, ToolError> {
        let path = path(&arguments.path, environment)?;
        let text = utf8(environment.read(&path, FILE_BYTES_MAX).await?, &path)?;
        let edited = edit(&text, &arguments.old_string, &arguments.new_string, arguments.replace_all)
            .map_err(|error| ToolError::Told(format!("`{path}`: {error}")))?;
        let difference = difference(&text, &edited.text);
        environment.write(&path, edited.text.into_bytes()).await?;
        let places = if edited.replacements == 1 { "1 place" } else { &format!("{} places", edited.replacements) };
        Ok(format!("edited `{path}` in {places}\n{difference}"))
    }
}

fn difference(old: &str, new: &str) -> String {
    TextDiff::from_lines(old, new).unified_diff().context_radius(DIFF_CONTEXT_LINES).to_string()
}
