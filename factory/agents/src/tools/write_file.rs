//! `write_file`: a whole file, new or replaced.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Effect, Shown, Tool, ToolError, path, shown::Keep};
use crate::environment::{Environment, Written};

pub struct WriteFile;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// Relative to the workspace. Missing folders are made.
    path: String,
    /// The whole content of the file.
    content: String,
}

impl Tool for WriteFile {
    const NAME: &'static str = "write_file";
    const DESCRIPTION: &'static str =
        "Write a whole file: make it, or replace all of it. To change a part of a file use the tool that edits.";
    const EFFECT: Effect = Effect::Repeatable;
    const SHOWN: Shown = Shown::new(1_000, None, Keep::Tail);
    type Arguments = Arguments;

    async fn call(&self, arguments: Arguments, environment: &dyn Environment) -> Result<String, ToolError> {
        let path = path(&arguments.path, environment)?;
        let (bytes, lines) = (arguments.content.len(), arguments.content.lines().count());
        let done = match environment.write(&path, arguments.content.into_bytes()).await? {
            Written::Created => "created",
            Written::Replaced => "replaced",
        };
        Ok(format!("{done} `{path}`: {lines} lines, {bytes} bytes"))
    }
}
