//! Calls that nearly answer a question, and where each differs.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Call, Entry, Sought};
use crate::engine::fault::alike;

/// A call that differs from what was asked for.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct NearMiss {
    /// The call's number.
    pub seq: u64,
    pub twin: String,
    pub operation: Option<&'static str>,
    pub differences: Vec<Difference>,
}

/// One thing that differs.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct Difference {
    /// A field of the question, or one of its JSON paths.
    pub field: String,
    pub expected: Value,
    /// Null: the call has nothing there.
    pub found: Value,
}

/// The calls with the fewest differences, of those the latest first.
pub(crate) fn nearest<'a>(
    sought: &Sought,
    entries: impl Iterator<Item = &'a Entry>,
    space: &str,
    at_most: usize,
) -> Vec<NearMiss> {
    let mut misses: Vec<_> = entries
        .filter(|entry| entry.seq > sought.query.after_seq)
        .map(|entry| miss(sought, &entry.call(space)))
        .filter(|miss| !miss.differences.is_empty())
        .collect();
    misses.sort_by_key(|miss| (miss.differences.len(), std::cmp::Reverse(miss.seq)));
    misses.truncate(at_most);
    misses
}

fn miss(sought: &Sought, call: &Call) -> NearMiss {
    let query = &sought.query;
    let mut differences = Vec::new();
    let mut compare = |field: &str, expected: Option<Value>, found: Value| match expected {
        Some(expected) if expected != found => {
            differences.push(Difference { field: field.to_owned(), expected, found })
        }
        _ => {}
    };
    compare("twin", query.twin.as_ref().map(|twin| json!(twin)), json!(call.twin));
    compare("operation", query.operation.as_ref().map(|operation| json!(operation)), json!(call.operation));
    let status = call.response.as_ref().map(|response| response.status);
    compare("status", query.status.map(|status| json!(status)), json!(status));
    compare("fault", query.fault.map(|fault| json!(fault)), json!(call.fault));
    let shown = serde_json::to_value(call).expect("a call is plain data");
    for ((path, expected), written) in sought.conditions.iter().zip(query.matching.keys()) {
        let found = path.query(&shown);
        if !found.iter().any(|found| alike(found, expected)) {
            let found = found.first().cloned().unwrap_or_default();
            differences.push(Difference { field: written.clone(), expected: expected.clone(), found });
        }
    }
    NearMiss { seq: call.seq, twin: call.twin.clone(), operation: call.operation, differences }
}
