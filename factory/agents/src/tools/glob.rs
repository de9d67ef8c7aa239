//! `glob`: files by name, newest first.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Effect, Shown, Tool, ToolError, path_or_root, shown::Keep};
use crate::environment::{Environment, GlobQuery};

const FOUND_MAX: usize = 500;

pub struct GlobFiles;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// Such as `**/*.rs`, or `*.rs` for any depth.
    pattern: String,
    /// The folder to look in, relative to the workspace. Default: all of it.
    #[serde(default)]
    path: Option<String>,
}

impl Tool for GlobFiles {
    const NAME: &'static str = "glob";
    const DESCRIPTION: &'static str = "Find files by a glob pattern, newest first. Ignored files are left out.";
    const EFFECT: Effect = Effect::ReadOnly;
    const SHOWN: Shown = Shown::new(20_000, Some(500), Keep::Tail);
    type Arguments = Arguments;

    async fn call(&self, arguments: Arguments, environment: &dyn Environment) -> Result<String, ToolError> {
        let path = path_or_root(arguments.path.as_deref(), environment)?;
        let query = GlobQuery { pattern: arguments.pattern, path, found_max: FOUND_MAX };
        let searched = environment.glob(query).await?;
        if searched.found.is_empty() {
            return Ok("no file fits".to_owned());
        }
        let mut told = String::new();
        for found in &searched.found {
            // Writing to a string cannot fail.
            writeln!(told, "{}", found.path).ok();
        }
        if searched.more {
            write!(told, "(there are more than {FOUND_MAX} files; narrow the pattern)").ok();
        }
        Ok(told)
    }
}
