//! Pages by cursor. A cursor is the index of the next item; clients must not read it, so it is written unreadably.

use serde_json::{Value, json};

use super::{call::Call, errors::Failure};

const PAGE_MAX: usize = 1_000;

/// A page of items, and the cursor of the next one, empty at the end.
pub(super) fn page<T>(items: Vec<T>, call: &Call<'_, '_, '_>, default: usize) -> Result<(Vec<T>, String), Failure> {
    let limit = call.number("limit").filter(|limit| *limit != 0);
    let limit = limit.map_or(default, |limit| usize::try_from(limit).unwrap_or(1)).clamp(1, PAGE_MAX);
    let start = match call.text("cursor") {
        None => 0,
        Some(cursor) => read(cursor).filter(|start| *start <= items.len()).ok_or("invalid_cursor")?,
    };
    let next = if start + limit < items.len() { hex::encode(format!("next:{}", start + limit)) } else { String::new() };
    Ok((items.into_iter().skip(start).take(limit).collect(), next))
}

pub(super) fn metadata(next: &str) -> Value {
    json!({ "next_cursor": next })
}

fn read(cursor: &str) -> Option<usize> {
    let bytes = hex::decode(cursor).ok()?;
    std::str::from_utf8(&bytes).ok()?.strip_prefix("next:")?.parse().ok()
}
