//! What a step collected, as one array: checked and captured from like any document.

use serde_json::Value as Json;

use super::{
    Halt, Outcome,
    capture::{CaptureRule, capture},
    document::check_document,
};
use crate::{
    expect::{Bound, Material, Mismatch, Response},
    scenario::Expect,
    text::{Entries, Scope},
};

/// Evaluates what is expected of the array, and captures from it.
pub(super) fn check_list(
    expect: &Expect,
    captures: &Entries<CaptureRule>,
    list: &Json,
    response: Option<&Response>,
    scope: &Scope,
    outcome: &mut Outcome,
) -> Result<(), Halt> {
    let mut material = Material::json(list);
    if let Some(response) = response {
        material = material.of_response(response);
    }
    outcome.mismatches.extend(check_document(expect, &material, scope)?);
    capture(captures, &material, scope, outcome)
}

/// Checks how many there are.
pub(super) fn check_count(
    name: &str,
    bound: Option<&Bound>,
    count: u64,
    scope: &Scope,
) -> Result<Option<Mismatch>, Halt> {
    let Some(bound) = bound else { return Ok(None) };
    let refused = bound.refuses(count as f64, scope)?;
    Ok(refused.map(|words| Mismatch::new(name, words, count.to_string())))
}
