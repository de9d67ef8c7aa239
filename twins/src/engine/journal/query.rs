//! Questions about calls: which there were, and in which order.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json_path::JsonPath;

use super::{Call, Entry};
use crate::{
    TwinError,
    engine::fault::{FaultKind, alike, conditions},
};

/// Which calls are meant. What is left out fits every call.
///
/// ```json
/// {"twin": "stripe", "operation": "refunds.create", "status": 200, "where": {"$.request.form.amount": 500}}
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct CallQuery {
    pub twin: Option<String>,
    /// An operation of that twin.
    pub operation: Option<String>,
    /// Of the answer.
    pub status: Option<u16>,
    pub fault: Option<FaultKind>,
    /// JSON paths into the call (`$.request.…`, `$.response.…`) and the values they must have; numbers and text
    /// compare alike.
    #[serde(rename = "where")]
    pub matching: BTreeMap<String, Value>,
    /// Calls behind this number only.
    pub after_seq: u64,
}

/// Calls that answer a row of questions one after the other.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Order {
    /// The calls found, by number.
    pub found: Vec<u64>,
    /// Which question, counted from 0, no later call answers; none: the order holds.
    pub missing: Option<usize>,
}

/// A question, ready to be asked.
pub(crate) struct Sought {
    pub(crate) query: CallQuery,
    pub(super) conditions: Vec<(JsonPath, Value)>,
}

impl Sought {
    pub(crate) fn new(query: CallQuery) -> Result<Self, TwinError> {
        let conditions = conditions(&query.matching).map_err(|why| TwinError::Query { why })?;
        Ok(Self { query, conditions })
    }

    pub(crate) fn fits(&self, entry: &Entry, space: &str) -> bool {
        self.fits_outside(entry) && (self.conditions.is_empty() || self.fits_inside(&entry.call(space)))
    }

    /// All but `where`.
    fn fits_outside(&self, entry: &Entry) -> bool {
        let query = &self.query;
        entry.seq > query.after_seq
            && query.twin.as_deref().is_none_or(|twin| *twin == *entry.twin)
            && query.operation.as_deref().is_none_or(|operation| entry.operation == Some(operation))
            && query.status.is_none_or(|status| entry.reply.as_ref().is_some_and(|reply| reply.status == status))
            && query.fault.is_none_or(|fault| entry.fault == Some(fault))
    }

    fn fits_inside(&self, call: &Call) -> bool {
        let shown = serde_json::to_value(call).expect("a call is plain data");
        self.conditions.iter().all(|(path, expected)| path.query(&shown).iter().any(|found| alike(found, expected)))
    }
}

impl Order {
    /// Each question is answered by the first fitting call behind the answer to the one before it.
    pub(crate) fn of<'a>(questions: &[Sought], entries: impl Iterator<Item = &'a Entry>, space: &str) -> Self {
        let mut found = Vec::new();
        for entry in entries {
            match questions.get(found.len()) {
                Some(question) if question.fits(entry, space) => found.push(entry.seq),
                Some(_) => {}
                None => break,
            }
        }
        let missing = (found.len() < questions.len()).then_some(found.len());
        Self { found, missing }
    }
}
