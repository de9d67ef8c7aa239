//! `read_file`: lines of a text file with their numbers.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Effect, Shown, Tool, ToolError, path, shown::Keep};
use crate::environment::Environment;

const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024; // more is data, not source
const BINARY_PROBE_BYTES: usize = 8 * 1024;
const LINES_DEFAULT: usize = 2_000;

pub struct ReadFile;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// Relative to the workspace.
    path: String,
    /// First line to read, from 1. Default 1.
    #[serde(default)]
    offset: Option<usize>,
    /// How many lines. Default 2000.
    #[serde(default)]
    limit: Option<usize>,
}

impl Tool for ReadFile {
    const NAME: &'static str = "read_file";
    const DESCRIPTION: &'static str = "Read a text file. Lines come with their numbers, which are not part of the file. \
        Read a file before you change it.";
    const EFFECT: Effect = Effect::ReadOnly;
    const SHOWN: Shown = Shown::new(50_000, None, Keep::HeadTail);
    type Arguments = Arguments;

    async fn call(&self, arguments: Arguments, environment: &dyn Environment) -> Result<String, ToolError> {
        let path = path(&arguments.path, environment)?;
        let bytes = environment.read(&path, FILE_BYTES_MAX).await?;
        if bytes[..bytes.len().min(BINARY_PROBE_BYTES)].contains(&0) {
            let told = format!("`{path}` is a binary file of {} bytes; look at it with `shell`", bytes.len());
            return Err(ToolError::Told(told));
        }
        let text = String::from_utf8_lossy(&bytes);
        let first = arguments.offset.unwrap_or(1).max(1);
        numbered(&text, first, arguments.limit.unwrap_or(LINES_DEFAULT)).map_err(ToolError::Told)
    }
}

fn numbered(text: &str, first: usize, limit: usize) -> Result<String, String> {
    let total = text.lines().count();
    if total == 0 {
        return Ok("(the file is empty)".to_owned());
    }
    if first > total {
        return Err(format!("the file has {total} lines; there is no line {first}"));
    }
    let mut shown = String::new();
    for (number, line) in (1..).zip(text.lines()).skip(first - 1).take(limit) {
        // Writing to a string cannot fail.
        writeln!(shown, "{number:>6}\t{line}").ok();
    }
    let last = first.saturating_add(limit).saturating_sub(1);
    if last < total {
        write!(shown, "(the file has {total} lines; go on with offset {})", last + 1).ok();
    }
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_from_one_and_the_rest_is_announced() {
        assert_eq!(
            numbered("a\r\nb\nc", 1, 2).unwrap(),
            "     1\ta\n     2\tb\n(the file has 3 lines; go on with offset 3)"
        );
        assert_eq!(numbered("a\nb\nc\n", 3, 9).unwrap(), "     3\tc\n");
    }

    #[test]
    fn an_offset_behind_the_end_names_the_length() {
        assert_eq!(numbered("a\n", 2, 1).unwrap_err(), "the file has 1 lines; there is no line 2");
        assert_eq!(numbered("", 1, 1).unwrap(), "(the file is empty)");
    }
}
