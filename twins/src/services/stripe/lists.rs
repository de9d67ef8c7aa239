//! Cursor lists: `limit`, `starting_after`, `ending_before`, and a `has_more` that is computed, never assumed.

use serde_json::{Value, json};

use super::errors::StripeError;
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

const LIMIT_DEFAULT: usize = 10;
const LIMIT_MAX: usize = 100;

/// One page of `rows`, which are newest first.
pub(super) fn page(context: &Context<'_>, request: &Request, rows: Vec<Value>) -> Answer {
    let cut = window(&request.query, &rows).map_err(|error| error.reply(context))?;
    let (start, end, has_more) = cut;
    let list = json!({"object": "list", "data": rows[start..end], "has_more": has_more, "url": request.path});
    Ok(Reply::json(200, &list))
}

fn window(query: &Value, rows: &[Value]) -> Result<(usize, usize, bool), StripeError> {
    let limit = limit(query)?;
    if let Some(id) = query["ending_before"].as_str() {
        let end = position(rows, id, "ending_before")?;
        let start = end.saturating_sub(limit);
        return Ok((start, end, start > 0));
    }
    let start = match query["starting_after"].as_str() {
        Some(id) => position(rows, id, "starting_after")? + 1,
        None => 0,
    };
    let end = rows.len().min(start + limit);
    Ok((start, end, end < rows.len()))
}

fn limit(query: &Value) -> Result<usize, StripeError> {
    let Some(text) = query["limit"].as_str() else { return Ok(LIMIT_DEFAULT) };
    let limit: usize = text.parse().map_err(|_| {
        StripeError::invalid(format!("Invalid integer: {text}")).code("parameter_invalid_integer").param("limit")
    })?;
    if (1..=LIMIT_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(StripeError::invalid(format!("This value must be between 1 and {LIMIT_MAX} (inclusive).")).param("limit"))
}

fn position(rows: &[Value], id: &str, param: &str) -> Result<usize, StripeError> {
    let found = rows.iter().position(|row| row["id"] == id);
    found.ok_or_else(|| StripeError::no_such(400, "object", id, param))
}
