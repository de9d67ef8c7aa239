//! A model provider that a key is set for.

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
