//! What differs from model to model: the base prompt, the tools it was trained with, the files it expects.

use std::{fmt::Write, time::Duration};

use crate::{
    environment::{Environment, WorkspacePath},
    provider::Provider,
    tools::{EditFile, GlobFiles, Grep, Ls, ReadFile, Shell, Toolbox, WriteFile},
};

const DOCUMENTS_BYTES_MAX: usize = 32 * 1024; // of all together

/// How an agent is set up for one family of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    pub name: &'static str,
    prompt: &'static str,
    /// Files of the project that the agent is told of, in this order.
    documents: &'static [&'static str],
    shell_timeout: Duration,
}

impl Profile {
    pub const ANTHROPIC: Self = Self {
        name: "anthropic",
        prompt: include_str!("prompts/anthropic.md"),
        documents: &["AGENTS.md", "CLAUDE.md"],
        shell_timeout: Duration::from_secs(120),
    };
    pub const OPENAI: Self = Self {
        name: "openai",
        prompt: include_str!("prompts/openai.md"),
        documents: &["AGENTS.md"],
        shell_timeout: Duration::from_secs(10),
    };
    pub const GEMINI: Self = Self {
        name: "gemini",
        prompt: include_str!("prompts/gemini.md"),
        documents: &["AGENTS.md", "GEMINI.md"],
        shell_timeout: Duration::from_secs(10),
    };
    pub const ALL: [Self; 3] = [Self::ANTHROPIC, Self::OPENAI, Self::GEMINI];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name == name)
    }

    /// The one that fits a provider's own models.
    pub fn of(provider: Provider) -> Self {
        match provider {
            Provider::Anthropic => Self::ANTHROPIC,
            Provider::Openai | Provider::OpenaiChat | Provider::Ollama => Self::OPENAI,
            Provider::Gemini => Self::GEMINI,
        }
    }

    pub fn toolbox(&self) -> Toolbox {
        Toolbox::default()
            .with(ReadFile)
            .with(WriteFile)
            .with(EditFile)
            .with(Shell { timeout_default: self.shell_timeout })
            .with(Grep)
            .with(GlobFiles)
            .with(Ls)
    }

    /// Base prompt, workspace, project documents, and what the caller adds.
    pub(crate) async fn system_prompt(&self, environment: &dyn Environment, context: &str) -> String {
        let mut prompt = self.prompt.trim().to_owned();
        // Writing to a string cannot fail.
        write!(prompt, "\n\n# Workspace\n\nYou work in `{}`.", environment.home()).ok();
        let mut left = DOCUMENTS_BYTES_MAX;
        for name in self.documents {
            let Some(text) = document(environment, name, left).await else { continue };
            left -= text.len();
            write!(prompt, "\n\n# {name} of this project\n\n{}", text.trim()).ok();
        }
        if !context.is_empty() {
            write!(prompt, "\n\n{}", context.trim()).ok();
        }
        prompt
    }
}

/// At most `bytes_max` of it; `None` where it cannot be read: most projects lack it.
async fn document(environment: &dyn Environment, name: &str, bytes_max: usize) -> Option<String> {
    const READ_BYTES_MAX: u64 = 1024 * 1024; // longer is no guide for an agent
    let path = WorkspacePath::parse(name, environment.home()).ok()?;
    let bytes = environment.read(&path, READ_BYTES_MAX).await.ok()?;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    let end = (0..=bytes_max.min(text.len())).rev().find(|&at| text.is_char_boundary(at))?;
    text.truncate(end);
    (!text.trim().is_empty()).then_some(text)
}
