//! A stub as written: which requests, and what they get.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::matcher::Wish;

/// One stub. Of those that fit a request the one with the lowest `priority` answers, and of these the last one written.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StubFile {
    /// Its name in the journal, and for fault rules: `stub.<name>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stub: Option<String>,
    /// Any, where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    /// `/parcels/7`, or with parameters that templates see as `params`: `/parcels/{id}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// A regular expression over the whole path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path_matches: Option<String>,
    /// Path and query, as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// A regular expression over the whole path with its query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url_matches: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) query: BTreeMap<String, Wish>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, Wish>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) cookies: BTreeMap<String, Wish>,
    /// Fields of a form, by their whole names (`card[number]`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) form: BTreeMap<String, Wish>,
    /// All of them hold for the body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) body: Vec<Wish>,
    /// Default 5; 1 is asked first.
    #[serde(default = "usual_priority", skip_serializing_if = "is_usual_priority")]
    pub(crate) priority: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scenario: Option<ScenarioFile>,
    #[serde(default)]
    pub(crate) answer: AnswerFile,
}

pub(crate) const USUAL_PRIORITY: u32 = 5;

fn usual_priority() -> u32 {
    USUAL_PRIORITY
}

fn is_usual_priority(priority: &u32) -> bool {
    *priority == USUAL_PRIORITY
}

/// A state machine that stubs share by its name. It starts in `Started`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScenarioFile {
    pub(crate) name: String,
    /// The stub answers in this state only; in any, where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<String>,
    /// The state after the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// What a stub answers. Texts are templates unless `literal`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerFile {
    /// Default 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, String>,
    /// JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base64: Option<String>,
    /// Braces in texts mean themselves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) literal: bool,
    /// Real time before the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delay: Option<DelayFile>,
    /// The body comes in pieces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dribble: Option<DribbleFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<BrokenWire>,
}

/// Drawn from the seed where it varies.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum DelayFile {
    Ms(u64),
    LogNormal { median_ms: f64, sigma: f64 },
    Uniform { lower_ms: u64, upper_ms: u64 },
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DribbleFile {
    pub(crate) pieces: u64,
    pub(crate) over_ms: u64,
}

/// How the connection ends instead of a whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BrokenWire {
    Reset,
    Empty,
    Garbage,
    MalformedChunk,
}
