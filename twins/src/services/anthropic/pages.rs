//! Lists by cursor: `after_id` or `before_id`, `limit`.

use serde_json::{Value, json};

use super::errors;
use crate::{http::Reply, twin::Context};

const PAGE_DEFAULT: usize = 20;
const PAGE_MAX: usize = 1_000; // the service's own limit

pub(super) fn page(context: &Context<'_>, query: &Value, all: &[Value]) -> Result<Value, Reply> {
    let limit = limit(query).map_err(|why| errors::invalid(context, &why))?;
    let place = |cursor: &str| {
        let at = query[cursor].as_str().map(|id| all.iter().position(|item| item["id"] == id).ok_or(id));
        let unknown = |id| errors::invalid(context, &format!("{cursor}: `{id}` is not an item of this list"));
        at.transpose().map_err(unknown)
    };
    let (after, before) = (place("after_id")?, place("before_id")?);
    let (page, has_more) = match before {
        Some(before) => {
            let start = before.saturating_sub(limit);
            (&all[start..before], start > 0)
        }
        None => {
            let start = after.map_or(0, |at| at + 1);
            let end = all.len().min(start + limit);
            (&all[start..end], end < all.len())
        }
    };
    let (first, last) = (page.first().map(|item| &item["id"]), page.last().map(|item| &item["id"]));
    Ok(json!({"data": page, "has_more": has_more, "first_id": first, "last_id": last}))
}

fn limit(query: &Value) -> Result<usize, String> {
    let Some(given) = query["limit"].as_str() else { return Ok(PAGE_DEFAULT) };
    match given.parse() {
        Err(_) => Err("limit: Input should be a valid integer, unable to parse string as an integer".to_owned()),
        Ok(0) => Err("limit: Input should be greater than or equal to 1".to_owned()),
        Ok(limit) if limit > PAGE_MAX => Err(format!("limit: Input should be less than or equal to {PAGE_MAX}")),
        Ok(limit) => Ok(limit),
    }
}
