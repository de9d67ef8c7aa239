//! `ls`: one folder.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Effect, Shown, Tool, ToolError, path_or_root, shown::Keep};
use crate::environment::{Environment, Kind};

pub struct Ls;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// Relative to the workspace. Default: the workspace.
    #[serde(default)]
    path: Option<String>,
}

impl Tool for Ls {
    const NAME: &'static str = "ls";
    const DESCRIPTION: &'static str = "List one folder: folders end with `/`, files come with their size in bytes.";
    const EFFECT: Effect = Effect::ReadOnly;
    const SHOWN: Shown = Shown::new(20_000, Some(500), Keep::Tail);
    type Arguments = Arguments;

    async fn call(&self, arguments: Arguments, environment: &dyn Environment) -> Result<String, ToolError> {
        let path = path_or_root(arguments.path.as_deref(), environment)?;
        let entries = environment.list(&path).await?;
        if entries.is_empty() {
            return Ok("(the folder is empty)".to_owned());
        }
        let mut told = String::new();
        for entry in &entries {
            // Writing to a string cannot fail.
            match entry.kind {
                Kind::Folder => writeln!(told, "{}/", entry.name),
                Kind::Link => writeln!(told, "{} (link)", entry.name),
                Kind::File => writeln!(told, "{} {}", entry.name, entry.size_bytes),
                Kind::Other => writeln!(told, "{} (neither file nor folder)", entry.name),
            }
            .ok();
        }
        Ok(told)
    }
}
