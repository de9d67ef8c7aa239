//! Objects as the service shows them before anything is known: every field that is always there has a value.

use super::{Field, Kind, Presence, surface};
use crate::json::{Map, Text, Value, json};

/// The object `name` with nothing in it: null where it may be null, else the emptiest value of its kind.
pub(in super::super) fn blank(name: &str) -> Value {
    object(surface().object(name))
}

pub(in super::super) fn object(fields: &[Field]) -> Value {
    let shown = fields.iter().filter(|field| field.presence == Presence::Usual || field.nullable);
    shown.map(|field| (Text::Known(field.name), empty(field))).collect::<Map>().into()
}

/// What a field holds when nobody has set it.
pub(in super::super) fn empty(field: &Field) -> Value {
    match &field.kind {
        Kind::Metadata => json!({}),
        _ if field.nullable => Value::Null,
        Kind::Text => json!(""),
        Kind::Integer | Kind::Number | Kind::IntegerOr(_) => json!(0),
        Kind::Boolean => json!(false),
        Kind::Range | Kind::Anything | Kind::Reference(_) => Value::Null,
        Kind::OneOf(words) => json!(words[0]),
        Kind::List(_) => json!([]),
        Kind::Object(fields) => object(fields),
        Kind::Page => json!({"object": "list", "data": [], "has_more": false, "url": ""}),
    }
}
