//! Reading and writing the fields of an object or of typed parameters, which the surface has checked before.

use super::surface::{Field, Kind, empty, object};
use crate::json::{Map, Value};

pub(super) trait Row {
    /// The text of a field, or nothing where there is none.
    fn text(&self, name: &str) -> &str;
    fn maybe(&self, name: &str) -> Option<&str>;
    fn int(&self, name: &str) -> i64;
    fn flag(&self, name: &str) -> bool;
    fn list(&self, name: &str) -> &[Value];
    fn set(&mut self, name: &str, value: impl Into<Value>);
}

impl Row for Value {
    fn text(&self, name: &str) -> &str {
        self.maybe(name).unwrap_or_default()
    }

    fn maybe(&self, name: &str) -> Option<&str> {
        self[name].as_str()
    }

    fn int(&self, name: &str) -> i64 {
        self[name].as_i64().unwrap_or_default()
    }

    fn flag(&self, name: &str) -> bool {
        self[name].as_bool().unwrap_or_default()
    }

    fn list(&self, name: &str) -> &[Value] {
        self[name].as_array().map_or(&[], Vec::as_slice)
    }

    fn set(&mut self, name: &str, value: impl Into<Self>) {
        self[name] = value.into();
    }
}

/// Writes what was given into an object that has fields of the same name and kind: what is absent stays, what was
/// emptied begins anew, metadata and objects are merged.
pub(super) fn fill(row: &mut Value, fields: &[Field], given: &Value) {
    for (name, value) in given.as_object().into_iter().flatten() {
        let Some(field) = Field::find(fields, name) else { continue };
        match (&field.kind, value) {
            (_, Value::Null) => row.set(name, empty(field)),
            (Kind::Metadata, Value::Object(given)) => merge(&mut row[name.as_str()], given),
            (Kind::Object(inner), Value::Object(_)) => {
                if !row[name.as_str()].is_object() {
                    row.set(name, object(inner));
                }
                fill(&mut row[name.as_str()], inner, value);
            }
            (kind, value) if fits(kind, value) => row.set(name, value.clone()),
            _ => {}
        }
    }
}

/// An empty value takes its key away.
fn merge(metadata: &mut Value, given: &Map) {
    let mut merged = metadata.as_object().cloned().unwrap_or_default();
    for (key, value) in given {
        match value.as_str() {
            Some("") => drop(merged.remove(key)),
            _ => merged.insert(key.clone(), value.clone()),
        }
    }
    *metadata = Value::Object(merged);
}

/// A parameter may have the name of a field and mean something else: then it is for the operation to read.
fn fits(kind: &Kind, value: &Value) -> bool {
    match kind {
        Kind::Text | Kind::OneOf(_) | Kind::Reference(_) => value.is_string(),
        Kind::Integer | Kind::Number | Kind::Range => value.is_number(),
        Kind::IntegerOr(_) => value.is_number() || value.is_string(),
        Kind::Boolean => value.is_boolean(),
        Kind::List(kind) => value.as_array().is_some_and(|items| items.iter().all(|item| fits(kind, item))),
        Kind::Object(_) => value.is_object(),
        Kind::Anything => true,
        Kind::Metadata | Kind::Page => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::json::json;

    use super::{super::surface::surface, *};

    fn filled(mut row: Value, given: &Value) -> Value {
        fill(&mut row, surface().object("customer"), given);
        row
    }

    #[test]
    fn metadata_is_merged_key_by_key_and_emptied_as_a_whole() {
        let row = json!({"metadata": {"a": "1", "b": "2"}});
        let merged = filled(row.clone(), &json!({"metadata": {"a": "", "c": "3"}}));
        assert_eq!(merged, json!({"metadata": {"b": "2", "c": "3"}}));
        assert_eq!(filled(row, &json!({"metadata": null})), json!({"metadata": {}}));
    }

    #[test]
    fn objects_are_merged_and_unknown_names_left_alone() {
        let given = json!({"address": {"city": "Bonn"}, "payment_method": "pm_1", "name": null});
        let row = filled(json!({"address": {"city": "Ulm", "line1": "Way 1"}, "name": "A"}), &given);
        assert_eq!(row, json!({"address": {"city": "Bonn", "line1": "Way 1"}, "name": null}));
    }
}
