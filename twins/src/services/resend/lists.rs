//! Lists, newest first, by `limit` and the id of a neighbour.

use serde_json::{Value, json};

use super::errors::{error, invalid};
use crate::http::{Reply, Request};

const PAGE_DEFAULT: usize = 20;
const PAGE_MAX: usize = 100;

/// A page of items, each of which shows its `id`.
pub(super) fn page(request: &Request, items: Vec<Value>) -> Result<Reply, Reply> {
    let given = |name: &str| request.query[name].as_str();
    let limit = match given("limit").map(str::parse) {
        None => PAGE_DEFAULT,
        Some(Ok(limit)) if (1..=PAGE_MAX).contains(&limit) => limit,
        Some(_) => return Err(invalid("The `limit` must be a number between 1 and 100.")),
    };
    let place = |id: &str| {
        let place = items.iter().position(|item| item["id"] == id);
        place.ok_or_else(|| error(422, "validation_error", "The pagination cursor is invalid."))
    };
    let (from, to) = match (given("after"), given("before")) {
        (Some(_), Some(_)) => return Err(invalid("The `before` and `after` parameters cannot be used together.")),
        (Some(id), None) => (place(id)? + 1, items.len()),
        (None, Some(id)) => (place(id)?.saturating_sub(limit), place(id)?),
        (None, None) => (0, items.len()),
    };
    let has_more = if given("before").is_some() { from > 0 } else { to - from > limit };
    let data: Vec<_> = items.into_iter().skip(from).take(limit.min(to - from)).collect();
    Ok(Reply::json(200, &json!({"object": "list", "has_more": has_more, "data": data})))
}
