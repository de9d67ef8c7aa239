//! Who plays the model: a provider with a key, or a script on the LLM twin. Both are reached over HTTP, through Rig.

use std::path::PathBuf;

/// A provider's endpoint. Prints without its key.
#[derive(Clone)]
pub struct Provider {
    /// `anthropic`, `openai`, `gemini` or `ollama`.
    pub name: String,
    pub key: Option<String>,
    pub base_url: Option<String>,
    pub model: Option<String>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("name", &self.name).field("model", &self.model).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
pub enum ModelAccess {
    Provider(Provider),
    /// A script file, played by the LLM twin in its provider's own protocol.
    Script(PathBuf),
}
