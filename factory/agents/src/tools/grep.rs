//! `grep`: lines that match a regular expression.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Effect, Shown, Tool, ToolError, path_or_root, shown::Keep};
use crate::environment::{Environment, GrepQuery};

const HITS_MAX: usize = 100;
const CONTEXT_LINES_MAX: usize = 20;

pub struct Grep;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// A regular expression, in ripgrep's syntax.
    pattern: String,
    /// File or folder to search, relative to the workspace. Default: all of it.
    #[serde(default)]
    path: Option<String>,
    /// Only files that fit, such as `*.rs`.
    #[serde(default)]
    glob: Option<String>,
    #[serde(default)]
    ignore_case: bool,
    /// Lines to show around each match. Default 0.
    #[serde(default)]
    context: usize,
}

impl Tool for Grep {
    const NAME: &'static str = "grep";
    const DESCRIPTION: &'static str = "Search file contents with a regular expression. Ignored and binary files are left \
        out. At most 100 matches.";
    const EFFECT: Effect = Effect::ReadOnly;
    const SHOWN: Shown = Shown::new(20_000, Some(200), Keep::Tail);
    type Arguments = Arguments;

    async fn call(&self, arguments: Arguments, environment: &dyn Environment) -> Result<String, ToolError> {
        let path = path_or_root(arguments.path.as_deref(), environment)?;
        let query = GrepQuery {
            pattern: arguments.pattern,
            path,
            glob: arguments.glob,
            ignore_case: arguments.ignore_case,
            context: arguments.context.min(CONTEXT_LINES_MAX),
            hits_max: HITS_MAX,
        };
        let searched = environment.grep(query).await?;
        if searched.found.is_empty() {
            return Ok("no match".to_owned());
        }
        let mut told = String::new();
        for hit in &searched.found {
            let sign = if hit.is_match { ':' } else { '-' };
            // Writing to a string cannot fail.
            writeln!(told, "{}{sign}{}{sign}{}", hit.path, hit.line, hit.text).ok();
        }
        if searched.more {
            write!(told, "(there are more than {HITS_MAX} matches; narrow the pattern, the path or the glob)").ok();
        }
        Ok(told)
    }
}
