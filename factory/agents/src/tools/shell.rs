//! `shell`: a command line in the workspace.

use std::{fmt::Write, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Effect, Shown, Tool, ToolError, path, shown::Keep};
use crate::environment::{Environment, ShellCommand, ShellOutput, WorkspacePath};

const TIMEOUT_MAX: Duration = Duration::from_secs(600);

pub struct Shell {
    /// Where a call names none: 10 s, of the Anthropic profile 120 s.
    pub timeout_default: Duration,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// A command line for `/bin/sh`.
    command: String,
    /// How long it may run, in milliseconds; at most 600000.
    #[serde(default)]
    timeout_ms: Option<u64>,
    /// The folder to run in, relative to the workspace. Default: the workspace.
    #[serde(default)]
    cwd: Option<String>,
}

impl Tool for Shell {
    const NAME: &'static str = "shell";
    const DESCRIPTION: &'static str = "Run a command line in the workspace and return its exit code and output. Nothing \
        can be typed in. A command that runs too long is killed with all that it started.";
    const EFFECT: Effect = Effect::Mutating;
    const SHOWN: Shown = Shown::new(30_000, Some(256), Keep::HeadTail);
    type Arguments = Arguments;

    async fn call(&self, arguments: Arguments, environment: &dyn Environment) -> Result<String, ToolError> {
        let cwd = match &arguments.cwd {
            Some(given) => path(given, environment)?,
            None => WorkspacePath::root(),
        };
        let timeout = arguments.timeout_ms.map_or(self.timeout_default, Duration::from_millis).min(TIMEOUT_MAX);
        let output = environment.run(ShellCommand { command: arguments.command, timeout, cwd }).await?;
        let told = told(&output, timeout);
        if output.exit.success() { Ok(told) } else { Err(ToolError::Told(told)) }
    }
}

fn told(output: &ShellOutput, timeout: Duration) -> String {
    let mut told = if output.timed_out() {
        format!("timed out after {} ms and was killed; give a longer timeout_ms if it needs one", timeout.as_millis())
    } else {
        format!("{} after {} ms", output.exit, output.duration.as_millis())
    };
    for (name, text) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if !text.is_empty() {
            // Writing to a string cannot fail.
            write!(told, "\n{name}:\n{}", text.trim_end_matches('\n')).ok();
        }
    }
    told
}
