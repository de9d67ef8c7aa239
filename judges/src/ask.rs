//! The seam to whatever answers: one prompt in, one text out.

use async_trait::async_trait;

/// What is put to a judge. Two draws of one question differ in `draw` only, so that a caching or seeded asker can tell
/// them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    pub system: String,
    pub user: String,
    /// Which vote of the panel this is, from 0.
    pub draw: u8,
}

/// Answers a prompt with one completion. Retries, budgets and keys are the implementor's business.
#[async_trait]
pub trait Ask: Send + Sync {
    async fn ask(&self, prompt: Prompt) -> Result<String, AskError>;
}

/// Nobody answered. That is no verdict: it counts neither for nor against the subject.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the judge gave no answer: {reason}; check the judge's model and key, then run again")]
pub struct AskError {
    pub reason: String,
}

impl AskError {
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}
