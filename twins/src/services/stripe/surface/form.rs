//! Reads what a client sent the way Stripe does: a form is text throughout, so each parameter becomes what the surface
//! says it is; names it does not know are refused; an empty text unsets.

use serde_json::Value as Given;

use super::{Field, Kind, Presence};
use crate::{
    json::{Map, Text, Value},
    services::stripe::errors::StripeError,
};

/// What was given, typed. A parameter that is there and null was emptied by the client.
pub(in super::super) fn read(fields: &[Field], given: &Given) -> Result<Value, StripeError> {
    let none = serde_json::Map::new();
    let given = given.as_object().unwrap_or(&none);
    object(fields, given, "").map(Value::Object)
}

fn object(fields: &[Field], given: &serde_json::Map<String, Given>, path: &str) -> Result<Map, StripeError> {
    let mut read = Map::new();
    for (name, value) in given {
        let place = below(path, name);
        match Field::find(fields, name) {
            Some(field) => {
                read.insert(Text::Known(field.name), parameter(field, value, &place)?);
            }
            None if path.is_empty() && name == "expand" => {}
            None => return Err(unknown(&place)),
        }
    }
    match fields.iter().find(|field| field.presence == Presence::Required && !read.contains_key(field.name)) {
        Some(missing) => Err(StripeError::missing(&below(path, missing.name))),
        None => Ok(read),
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}[{name}]") }
}

fn unknown(place: &str) -> StripeError {
    StripeError::invalid(format!("Received unknown parameter: {place}")).code("parameter_unknown").param(place)
}

fn parameter(field: &Field, value: &Given, place: &str) -> Result<Value, StripeError> {
    let emptied = value.as_str() == Some("");
    let unsettable = field.nullable || matches!(field.kind, Kind::Text | Kind::Anything | Kind::Metadata);
    match emptied {
        true if unsettable && field.presence != Presence::Required => Ok(Value::Null),
        true => Err(StripeError::invalid(format!(
            "You passed an empty string for '{place}'. We assume empty values are an attempt to unset a parameter; however '{place}' cannot be unset. You should remove '{place}' from your request or supply a non-empty value."
        ))
        .code("parameter_invalid_empty")
        .param(place)),
        false => typed(&field.kind, value, place),
    }
}

fn typed(kind: &Kind, value: &Given, place: &str) -> Result<Value, StripeError> {
    match kind {
        Kind::Anything => Ok(value.into()),
        Kind::Text | Kind::Reference(_) | Kind::Page => text(value, place).map(Value::from),
        Kind::Integer => integer(text(value, place)?, place),
        Kind::Number => number(text(value, place)?, place),
        Kind::Boolean => boolean(text(value, place)?, place),
        Kind::OneOf(words) => one_of(words, text(value, place)?, place),
        Kind::IntegerOr(words) => {
            let text = text(value, place)?;
            if words.contains(&text) { Ok(Value::from(text)) } else { integer(text, place) }
        }
        Kind::Metadata => metadata(value, place),
        Kind::Range => range(value, place),
        Kind::List(kind) => list(kind, value, place),
        Kind::Object(fields) => match value {
            Given::Object(given) => object(fields, given, place).map(Value::Object),
            Given::Null | Given::Bool(_) | Given::Number(_) | Given::String(_) | Given::Array(_) => {
                Err(StripeError::invalid("Invalid object").param(place))
            }
        },
    }
}

fn text<'v>(value: &'v Given, place: &str) -> Result<&'v str, StripeError> {
    value.as_str().ok_or_else(|| StripeError::invalid(format!("Invalid string: {value}")).param(place))
}

const INTEGER_MAX: i64 = 999_999_999_999; // beyond any amount and instant: what is computed from it stays in range

fn integer(text: &str, place: &str) -> Result<Value, StripeError> {
    let integer = text.parse::<i64>().ok().filter(|integer| (-INTEGER_MAX..=INTEGER_MAX).contains(integer));
    let refused =
        || StripeError::invalid(format!("Invalid integer: {text}")).code("parameter_invalid_integer").param(place);
    integer.map(Value::from).ok_or_else(refused)
}

fn number(text: &str, place: &str) -> Result<Value, StripeError> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    let refused = || StripeError::invalid(format!("Invalid decimal: {text}")).param(place);
    number.map(Value::from).ok_or_else(refused)
}

fn boolean(text: &str, place: &str) -> Result<Value, StripeError> {
    match text {
        "true" => Ok(Value::Bool(true)),
        "false" => Ok(Value::Bool(false)),
        _ => Err(StripeError::invalid(format!("Invalid boolean: {text}")).param(place)),
    }
}

fn one_of(words: &[&str], text: &str, place: &str) -> Result<Value, StripeError> {
    if words.contains(&text) {
        return Ok(Value::from(text));
    }
    let known = match words {
        [one] => (*one).to_owned(),
        [one, other] => format!("{one} or {other}"),
        [most @ .., last] => format!("one of {}, or {last}", most.join(", ")),
        [] => String::new(),
    };
    Err(StripeError::invalid(format!("Invalid {place}: must be {known}")).param(place))
}

const KEYS_MAX: usize = 50; // the service's own limits for metadata
const KEY_CHARS_MAX: usize = 40;
const VALUE_CHARS_MAX: usize = 500;

/// A key with an empty value is one to take away: it stays, empty, for whoever merges.
fn metadata(value: &Given, place: &str) -> Result<Value, StripeError> {
    let given = value.as_object().ok_or_else(|| StripeError::invalid("Metadata must be a hash").param(place))?;
    if given.len() > KEYS_MAX {
        return Err(StripeError::invalid(format!("You can only specify {KEYS_MAX} keys of metadata.")).param(place));
    }
    for (key, value) in given {
        let place = below(place, key);
        if key.chars().count() > KEY_CHARS_MAX {
            let text = format!("Metadata keys must be at most {KEY_CHARS_MAX} characters long.");
            return Err(StripeError::invalid(text).param(&place));
        }
        if text(value, &place)?.chars().count() > VALUE_CHARS_MAX {
            let text = format!("Metadata values must be at most {VALUE_CHARS_MAX} characters long.");
            return Err(StripeError::invalid(text).param(&place));
        }
    }
    Ok(value.into())
}

fn range(value: &Given, place: &str) -> Result<Value, StripeError> {
    let Some(bounds) = value.as_object() else { return integer(text(value, place)?, place) };
    let mut read = Map::new();
    for (name, bound) in bounds {
        let place = below(place, name);
        if !matches!(name.as_str(), "gt" | "gte" | "lt" | "lte") {
            return Err(unknown(&place));
        }
        read.insert(name.as_str(), integer(text(bound, &place)?, &place)?);
    }
    Ok(Value::Object(read))
}

fn list(kind: &Kind, value: &Given, place: &str) -> Result<Value, StripeError> {
    let items = match value {
        Given::Array(items) => items,
        Given::Null | Given::Bool(_) | Given::Number(_) | Given::String(_) | Given::Object(_) => {
            return Err(StripeError::invalid("Invalid array").param(place));
        }
    };
    let read = items.iter().enumerate().map(|(index, item)| typed(kind, item, &below(place, &index.to_string())));
    read.collect::<Result<Vec<_>, _>>().map(Value::from)
}

#[cfg(test)]
mod tests {
    use crate::json::json;

    use super::{super::surface, *};

    fn read_of(operation: &str, given: &Value) -> Result<Value, String> {
        read(surface().params(operation), &given.clone().into()).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn text_becomes_what_the_parameter_is() {
        let given = json!({"amount": "2400", "currency": "usd", "confirm": "true", "expand": ["customer"],
            "metadata": {"order": "7"}, "shipping": {"name": "A", "address": {"city": "Bonn"}}});
        let expected = json!({"amount": 2400, "currency": "usd", "confirm": true, "metadata": {"order": "7"},
            "shipping": {"name": "A", "address": {"city": "Bonn"}}});
        assert_eq!(read_of("payment_intents.create", &given), Ok(expected));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (given, message) in [
            (json!({"currency": "usd"}), "Missing required param: amount."),
            (json!({"amount": "1.5", "currency": "usd"}), "Invalid integer: 1.5"),
            (json!({"amount": "1000000000000", "currency": "usd"}), "Invalid integer: 1000000000000"),
            (json!({"amount": "1", "currency": "usd", "confirm": "yes"}), "Invalid boolean: yes"),
            (
                json!({"amount": "1", "currency": "usd", "shipping": {"name": "A", "address": {"town": "B"}}}),
                "Received unknown parameter: shipping[address][town]",
            ),
            (json!({"amount": "1", "currency": "usd", "shipping": "A"}), "Invalid object"),
            (json!({"amount": "1", "currency": "usd", "payment_method_types": "card"}), "Invalid array"),
            (
                json!({"amount": "1", "currency": "usd", "capture_method": "later"}),
                "Invalid capture_method: must be one of automatic, automatic_async, or manual",
            ),
        ] {
            assert_eq!(read_of("payment_intents.create", &given), Err(message.to_owned()));
        }
    }

    #[test]
    fn an_empty_text_unsets_what_can_be_unset() {
        let unset = read_of("customers.update", &json!({"name": "", "shipping": "", "metadata": {"a": ""}}));
        assert_eq!(unset, Ok(json!({"name": null, "shipping": null, "metadata": {"a": ""}})));
        let refused = read_of("prices.update", &json!({"active": ""})).expect_err("a flag cannot be unset");
        assert!(refused.contains("'active' cannot be unset"), "{refused}");
    }

    #[test]
    fn ranges_are_bounds_or_an_instant() {
        let bounds = read_of("events.list", &json!({"created": {"gte": "5"}}));
        assert_eq!(bounds, Ok(json!({"created": {"gte": 5}})));
        assert_eq!(read_of("events.list", &json!({"created": "5"})), Ok(json!({"created": 5})));
        assert!(read_of("events.list", &json!({"created": {"around": "5"}})).is_err());
    }
}
