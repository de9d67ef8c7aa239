//! The seam through which a session writes.

use async_trait::async_trait;
use model::event::Body;

use crate::provider::Delta;

/// Where events go. An event is durable when `record` returns, and only then does its effect go on: a call is recorded
/// before its tool runs, its result before the model sees it.
#[async_trait]
pub trait Journal: Send + Sync {
    async fn record(&self, body: Body) -> Result<(), JournalError>;

    /// A piece of a reply while it arrives, for people who watch. Must not block.
    fn live(&self, _delta: Delta<'_>) {}
}

/// The event was not stored: the lease is lost, or the store is away. The session stops without another effect.
#[derive(Debug, thiserror::Error)]
#[error("record an event of the session: {0}")]
pub struct JournalError(pub Box<dyn std::error::Error + Send + Sync>);
