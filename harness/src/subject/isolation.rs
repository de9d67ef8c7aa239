//! What keeps a subject apart from this machine, as `harness.yaml` asks for it.

use schemars::JsonSchema;
use serde::Deserialize;

/// Written as `process`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Isolation {
    /// A process group of its own, and nothing else.
    #[default]
    Process,
}
