//! What clients send, held against the schema: names in the case that the schema writes, values of the right type,
//! what they may not set left out.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    errors::Refused,
    schema::{Attribute, Kind, Mutability, named},
    schemas::Type,
};

/// The body of a create or a replace. Attributes that no schema has are left out.
pub(super) fn resource(kind: Type, given: &Map<String, Value>) -> Result<Map<String, Value>, Refused> {
    check_schemas(kind, given)?;
    let mut body = Map::new();
    for (name, value) in given {
        let extension = kind.extension().filter(|extension| extension.id.eq_ignore_ascii_case(name));
        if let Some(extension) = extension {
            let inside = members(extension.attributes, value, extension.id)?;
            set(&mut body, extension.id, inside);
        } else if let Some(attribute) = kind.attribute(name).filter(|attribute| may_set(attribute)) {
            set(&mut body, attribute.name, value_of(attribute, value)?);
        }
    }
    check_required(kind, &body)?;
    Ok(body)
}

fn check_schemas(kind: Type, given: &Map<String, Value>) -> Result<(), Refused> {
    let listed = given.get("schemas").and_then(Value::as_array).into_iter().flatten();
    let has_core = listed.filter_map(Value::as_str).any(|schema| schema.eq_ignore_ascii_case(kind.core().id));
    if has_core { Ok(()) } else { Err(Refused::syntax(format!("`schemas` must contain {}.", kind.core().id))) }
}

pub(super) fn check_required(kind: Type, body: &Map<String, Value>) -> Result<(), Refused> {
    let missing = kind.core().attributes.iter().find(|attribute| {
        let is_there = body.get(attribute.name).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
        attribute.is_required && !is_there
    });
    missing.map_or(Ok(()), |attribute| Err(Refused::value(format!("Attribute {} is required.", attribute.name))))
}

/// Secrets are taken and forgotten: nothing reads them.
fn may_set(attribute: &Attribute) -> bool {
    matches!(attribute.mutability, Mutability::ReadWrite | Mutability::Immutable)
}

/// Nothing is kept of what is unassigned.
pub(super) fn set(body: &mut Map<String, Value>, name: &str, value: Value) {
    let is_nothing = match &value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    if is_nothing {
        body.remove(name);
    } else {
        body.insert(name.to_owned(), value);
    }
}

/// The value of an attribute, all elements of it.
pub(super) fn value_of(attribute: &Attribute, value: &Value) -> Result<Value, Refused> {
    match value {
        Value::Null => Ok(Value::Null),
        Value::Array(items) if attribute.is_many => {
            let items = items.iter().map(|item| one(attribute, item)).collect::<Result<Vec<_>, _>>()?;
            let primaries = items.iter().filter(|item| item["primary"] == true).count();
            if primaries > 1 {
                return Err(Refused::value(format!("Only one of {} can be primary.", attribute.name)));
            }
            Ok(Value::Array(items))
        }
        single if attribute.is_many => Ok(Value::Array(vec![one(attribute, single)?])),
        single => one(attribute, single),
    }
}

/// One element. Text for a boolean is read as one, as some clients write it so.
pub(super) fn one(attribute: &Attribute, value: &Value) -> Result<Value, Refused> {
    let is_right = match (attribute.kind, value) {
        (Kind::Complex, Value::Object(_)) => return members(attribute.children, value, attribute.name),
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("true") => return Ok(Value::Bool(true)),
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("false") => return Ok(Value::Bool(false)),
        (Kind::Text | Kind::Binary | Kind::Reference, Value::String(_)) | (Kind::Boolean, Value::Bool(_)) => true,
        (Kind::Instant, Value::String(text)) => text.parse::<Timestamp>().is_ok(),
        _ => false,
    };
    if is_right {
        return Ok(value.clone());
    }
    Err(Refused::value(format!("Attribute {} has a value of the wrong type.", attribute.name)))
}

fn members(attributes: &'static [Attribute], value: &Value, name: &str) -> Result<Value, Refused> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let given = value.as_object();
    let given = given.ok_or_else(|| Refused::value(format!("Attribute {name} has a value of the wrong type.")))?;
    let mut inside = Map::new();
    for (name, value) in given {
        if let Some(attribute) = named(attributes, name).filter(|attribute| may_set(attribute)) {
            set(&mut inside, attribute.name, value_of(attribute, value)?);
        }
    }
    Ok(Value::Object(inside))
}
