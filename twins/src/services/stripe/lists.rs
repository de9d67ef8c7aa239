//! Lists: filters, and pages by cursor (`limit`, `starting_after`, `ending_before`) with a `has_more` that is computed,
//! never assumed.

use super::{errors::StripeError, row::Row};
use crate::json::Value;

const LIMIT_DEFAULT: usize = 10;
const LIMIT_MAX: i64 = 100;
/// A filter for events that would need to know what receivers answered.
pub(super) const UNREAD: &str = "delivery_success";
/// What of a list's parameters is no filter.
const NO_FILTERS: [&str; 4] = ["limit", "starting_after", "ending_before", UNREAD];

pub(super) struct Page<'r> {
    pub(super) rows: &'r [&'r Value],
    pub(super) has_more: bool,
}

/// Whether a row is what the parameters of a list ask for.
pub(super) fn fits(row: &Value, given: &Value) -> bool {
    let filters = given.as_object().into_iter().flatten().filter(|(name, _)| !NO_FILTERS.contains(&name.as_str()));
    filters.filter(|(_, wanted)| !wanted.is_null()).all(|(name, wanted)| match wanted {
        // `ids`, `types`, `lookup_keys`: any of these.
        Value::Array(wanted) => wanted.contains(&row[name.trim_end_matches('s')]),
        Value::Object(_) if row[name].is_number() => within(row.int(name), wanted),
        Value::Object(_) => fits(&row[name], wanted),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => alike(&row[name], wanted),
    })
}

/// `*` at the end stands for anything, as in a filter for `customer.*` events.
fn alike(value: &Value, wanted: &Value) -> bool {
    let starred = wanted.as_str().and_then(|wanted| wanted.strip_suffix('*'));
    value == wanted || starred.is_some_and(|start| value.as_str().is_some_and(|value| value.starts_with(start)))
}

fn within(value: i64, range: &Value) -> bool {
    let bound =
        |name: &str, holds: fn(&i64, &i64) -> bool| range[name].as_i64().is_none_or(|bound| holds(&value, &bound));
    bound("gt", i64::gt) && bound("gte", i64::ge) && bound("lt", i64::lt) && bound("lte", i64::le)
}

pub(super) fn cut<'r>(given: &Value, rows: &'r [&'r Value]) -> Result<Page<'r>, StripeError> {
    let limit = limit(given)?;
    if let Some(id) = given.maybe("ending_before") {
        let end = position(rows, id, "ending_before")?;
        let start = end.saturating_sub(limit);
        return Ok(Page { rows: &rows[start..end], has_more: start > 0 });
    }
    let start = match given.maybe("starting_after") {
        Some(id) => position(rows, id, "starting_after")? + 1,
        None => 0,
    };
    let end = rows.len().min(start + limit);
    Ok(Page { rows: &rows[start..end], has_more: end < rows.len() })
}

pub(super) fn limit(given: &Value) -> Result<usize, StripeError> {
    match given["limit"].as_i64() {
        None => Ok(LIMIT_DEFAULT),
        Some(limit @ 1..=LIMIT_MAX) => Ok(usize::try_from(limit).expect("is at most a hundred")),
        Some(_) => {
            let text = format!("This value must be between 1 and {LIMIT_MAX} (inclusive).");
            Err(StripeError::invalid(text).code("parameter_invalid_integer").param("limit"))
        }
    }
}

fn position(rows: &[&Value], id: &str, param: &str) -> Result<usize, StripeError> {
    let found = rows.iter().position(|row| row["id"] == id);
    found.ok_or_else(|| StripeError::no_such(400, "object", id, param))
}

#[cfg(test)]
mod tests {
    use crate::json::json;

    use super::*;

    #[test]
    fn filters_are_equal_fields_ranges_nested_fields_and_lists_of_choices() {
        let row = json!({"type": "customer.created", "created": 100, "lookup_key": "a",
            "recurring": {"interval": "month", "interval_count": 1}});
        for (given, fitting) in [
            (json!({"type": "customer.created", "limit": 3}), true),
            (json!({"type": "customer.*"}), true),
            (json!({"type": "customer.updated"}), false),
            (json!({"types": ["x", "customer.created"]}), true),
            (json!({"lookup_keys": ["b"]}), false),
            (json!({"created": {"gt": 99, "lte": 100}}), true),
            (json!({"created": {"gt": 100}}), false),
            (json!({"created": 100}), true),
            (json!({"recurring": {"interval": "month"}}), true),
            (json!({"recurring": {"interval": "year"}}), false),
        ] {
            assert_eq!(fits(&row, &given), fitting, "{given}");
        }
    }
}
