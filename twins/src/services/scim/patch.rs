//! Changes to a part of a resource (RFC 7644, 3.5.2): all of a request's operations, or none.

use serde_json::{Map, Value};

use super::{
    clean,
    errors::Refused,
    schema::{Attribute, Mutability},
    schemas::Type,
    target::{Place, Target},
};
use crate::services::filter::{Filter, Operator};

const MESSAGE: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const OPERATIONS_MAX: usize = 1_000; // more are a mistake of the client

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Add,
    Replace,
    Remove,
}

/// The body as it is after all operations of the request.
pub(super) fn patched(kind: Type, before: &Map<String, Value>, request: &Value) -> Result<Map<String, Value>, Refused> {
    let listed = request["schemas"].as_array().into_iter().flatten();
    if !listed.filter_map(Value::as_str).any(|schema| schema.eq_ignore_ascii_case(MESSAGE)) {
        return Err(Refused::syntax(format!("`schemas` must contain {MESSAGE}.")));
    }
    let operations = request["Operations"].as_array().or_else(|| request["operations"].as_array());
    let operations = operations.filter(|operations| !operations.is_empty());
    let operations = operations.ok_or_else(|| Refused::syntax("`Operations` must be a list of operations."))?;
    if operations.len() > OPERATIONS_MAX {
        return Err(Refused::status(413, format!("At most {OPERATIONS_MAX} operations are taken at once.")));
    }
    let mut body = before.clone();
    for operation in operations {
        apply(kind, &mut body, operation)?;
    }
    clean::check_required(kind, &body)?;
    Ok(body)
}

fn apply(kind: Type, body: &mut Map<String, Value>, operation: &Value) -> Result<(), Refused> {
    let verb = match operation["op"].as_str().unwrap_or_default().to_ascii_lowercase().as_str() {
        "add" => Verb::Add,
        "replace" => Verb::Replace,
        "remove" => Verb::Remove,
        _ => return Err(Refused::syntax("`op` must be add, replace or remove.")),
    };
    let value = &operation["value"];
    if value.is_null() && verb == Verb::Add {
        return Err(Refused::value("`value` is missing."));
    }
    match operation["path"].as_str().filter(|path| !path.is_empty()) {
        Some(path) => at(kind, body, verb, &Target::parse(kind, path)?, value),
        None if verb == Verb::Remove => Err(Refused::bad("noTarget", "`path` is missing.")),
        None => {
            let values = value.as_object();
            let values = values.ok_or_else(|| Refused::value("`value` must be an object where `path` is missing."))?;
            for (name, value) in values.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("schemas")) {
                at(kind, body, verb, &Target::parse(kind, name)?, value)?;
            }
            Ok(())
        }
    }
}

fn at(kind: Type, body: &mut Map<String, Value>, verb: Verb, target: &Target, value: &Value) -> Result<(), Refused> {
    let holder = match target.extension {
        None => &mut *body,
        Some(extension) => {
            let inside = body.entry(extension.id).or_insert_with(|| Value::Object(Map::new()));
            inside.as_object_mut().expect("an extension is kept as an object")
        }
    };
    match &target.place {
        Some(place) => change(holder, verb, place, value)?,
        None if verb == Verb::Remove => holder.clear(),
        None => {
            let values = value.as_object().ok_or_else(|| Refused::value("An extension is an object."))?;
            for (name, value) in values.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("schemas")) {
                let prefix = target.extension.map_or("", |extension| extension.id);
                let inner = Target::parse(kind, &format!("{prefix}:{name}"))?;
                let place = inner.place.ok_or_else(|| Refused::bad("invalidPath", format!("{name} is unknown.")))?;
                change(holder, verb, &place, value)?;
            }
        }
    }
    if let Some(extension) = target.extension.filter(|extension| body_is_empty(body, extension.id)) {
        body.remove(extension.id);
    }
    Ok(())
}

fn body_is_empty(body: &Map<String, Value>, name: &str) -> bool {
    body.get(name).and_then(Value::as_object).is_some_and(Map::is_empty)
}

fn check_mutable(attribute: &Attribute, verb: Verb) -> Result<(), Refused> {
    if attribute.mutability == Mutability::ReadOnly || (verb == Verb::Remove && attribute.is_required) {
        return Err(Refused::bad("mutability", format!("Attribute {} cannot be changed so.", attribute.name)));
    }
    Ok(())
}

fn change(holder: &mut Map<String, Value>, verb: Verb, place: &Place, value: &Value) -> Result<(), Refused> {
    let attribute = place.attribute;
    check_mutable(attribute, verb)?;
    if let Some(sub) = place.sub {
        check_mutable(sub, verb)?;
    }
    if attribute.mutability == Mutability::WriteOnly {
        return clean::value_of(attribute, value).map(drop); // taken and forgotten
    }
    let old = holder.get(attribute.name).cloned().unwrap_or_default();
    let new = match (attribute.is_many, place.sub) {
        (true, _) => Value::Array(elements(old, verb, place, value)?),
        (false, Some(sub)) => with_member(old, verb, sub, value)?,
        (false, None) if verb == Verb::Remove => Value::Null,
        (false, None) => merged(old, clean::value_of(attribute, value)?),
    };
    clean::set(holder, attribute.name, new);
    Ok(())
}

/// Members of an object are added to those that it has; anything else takes the place of the old.
fn merged(old: Value, new: Value) -> Value {
    match (old, new) {
        (Value::Object(mut old), Value::Object(new)) => {
            old.extend(new);
            Value::Object(old)
        }
        (_, new) => new,
    }
}

fn with_member(old: Value, verb: Verb, sub: &Attribute, value: &Value) -> Result<Value, Refused> {
    let mut inside = if let Value::Object(map) = old { map } else { Map::new() };
    let value = if verb == Verb::Remove { Value::Null } else { clean::value_of(sub, value)? };
    clean::set(&mut inside, sub.name, value);
    Ok(Value::Object(inside))
}

/// The elements of an attribute that has many.
fn elements(old: Value, verb: Verb, place: &Place, value: &Value) -> Result<Vec<Value>, Refused> {
    let mut items = if let Value::Array(items) = old { items } else { Vec::new() };
    if place.filter.is_none() && place.sub.is_none() {
        let given = clean::value_of(place.attribute, value)?;
        let given = if let Value::Array(given) = given { given } else { Vec::new() };
        match verb {
            Verb::Replace => items = given,
            Verb::Add => given.into_iter().for_each(|item| add(&mut items, item)),
            // With a value, as some clients do: these elements only.
            Verb::Remove if given.is_empty() => items.clear(),
            Verb::Remove => items.retain(|item| !given.iter().any(|gone| is_same(item, gone))),
        }
        return Ok(items);
    }
    let mut chosen: Vec<usize> = (0..items.len()).filter(|at| place.is_meant(&items[*at])).collect();
    if chosen.is_empty() && verb == Verb::Add {
        items.push(
            place.filter.as_ref().map_or_else(|| Some(Value::Object(Map::new())), described).ok_or_else(no_target)?,
        );
        chosen.push(items.len() - 1);
    }
    if chosen.is_empty() {
        return Err(no_target());
    }
    for at in &chosen {
        let item = items[*at].take();
        items[*at] = match (place.sub, verb) {
            (Some(sub), _) => with_member(item, verb, sub, value)?,
            (None, Verb::Remove) => Value::Null,
            (None, Verb::Add) => merged(item, clean::one(place.attribute, value)?),
            (None, Verb::Replace) => clean::one(place.attribute, value)?,
        };
    }
    if let Some(first) = chosen.first().filter(|at| items[**at]["primary"] == true) {
        let first = *first;
        demote(&mut items, first);
    }
    items.retain(|item| !item.is_null() && item.as_object().is_none_or(|map| !map.is_empty()));
    Ok(items)
}

fn no_target() -> Refused {
    Refused::bad("noTarget", "The path has no value that could be operated on.")
}

/// What is there already is not added again.
fn add(items: &mut Vec<Value>, item: Value) {
    match items.iter().position(|known| is_same(known, &item)) {
        Some(at) => items[at] = merged(items[at].take(), item),
        None => items.push(item),
    }
    if let Some(at) = items.iter().rposition(|item| item["primary"] == true) {
        demote(items, at);
    }
}

/// Only one is the preferred one.
fn demote(items: &mut [Value], except: usize) {
    for (at, item) in items.iter_mut().enumerate() {
        if at != except && item["primary"] == true {
            item["primary"] = Value::Bool(false);
        }
    }
}

/// Elements are told apart by their value and what it is for.
fn is_same(one: &Value, other: &Value) -> bool {
    if one["value"].is_null() || other["value"].is_null() {
        return one == other;
    }
    let is_fitting = |name: &str| one[name].is_null() || other[name].is_null() || one[name] == other[name];
    one["value"] == other["value"] && is_fitting("type")
}

/// The element that a filter of equations describes.
fn described(filter: &Filter) -> Option<Value> {
    let equations = match filter {
        Filter::All(filters) => filters.as_slice(),
        single => std::slice::from_ref(single),
    };
    let mut element = Map::new();
    for equation in equations {
        let Filter::Compare(path, Operator::Eq, value) = equation else { return None };
        element.insert(path.names.first().filter(|_| path.names.len() == 1)?.clone(), value.clone());
    }
    Some(Value::Object(element))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body() -> Value {
        json!({"userName": "ada", "name": {"givenName": "Ada", "familyName": "King"},
            "emails": [{"type": "work", "value": "a@w", "primary": true}, {"type": "home", "value": "a@h"}],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Analysis"}})
    }

    fn patch(operations: Value) -> Result<Value, Refused> {
        let body = body();
        let message = json!({"schemas": [MESSAGE], "Operations": operations});
        patched(Type::User, body.as_object().expect("is an object"), &message).map(Value::Object)
    }

    /// The member `name` of the body after one operation.
    fn after(name: &str, operation: Value) -> Value {
        let patched = patch(json!([operation])).unwrap_or_else(|refused| panic!("{refused:?}"));
        patched.get(name).cloned().unwrap_or_default()
    }

    #[test]
    fn operations_change_the_part_that_they_name() {
        const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        let department = format!("{ENTERPRISE}:department");
        for (name, operation, wanted) in [
            (
                "name",
                json!({"op": "add", "value": {"NAME": {"familyname": "L"}}}),
                json!({"givenName": "Ada", "familyName": "L"}),
            ),
            (
                "name",
                json!({"op": "Replace", "path": "name.givenName", "value": "A"}),
                json!({"givenName": "A", "familyName": "King"}),
            ),
            (
                "name",
                json!({"op": "replace", "value": {"name.givenName": "A"}}),
                json!({"givenName": "A", "familyName": "King"}),
            ),
            ("name", json!({"op": "remove", "path": "name.givenName"}), json!({"familyName": "King"})),
            ("name", json!({"op": "remove", "path": "name"}), json!(null)),
            ("active", json!({"op": "replace", "path": "active", "value": "False"}), json!(false)),
            (
                "title",
                json!({"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:title", "value": "Countess"}),
                json!("Countess"),
            ),
            (ENTERPRISE, json!({"op": "add", "path": department, "value": "Sums"}), json!({"department": "Sums"})),
            (ENTERPRISE, json!({"op": "remove", "path": department}), json!(null)),
            (
                ENTERPRISE,
                json!({"op": "add", "path": ENTERPRISE, "value": {"division": "D"}}),
                json!({"department": "Analysis", "division": "D"}),
            ),
            (ENTERPRISE, json!({"op": "remove", "path": ENTERPRISE}), json!(null)),
            ("password", json!({"op": "replace", "path": "password", "value": "secret"}), json!(null)),
        ] {
            assert_eq!(after(name, operation.clone()), wanted, "{operation}");
        }
    }

    #[test]
    fn elements_are_chosen_by_a_filter() {
        let (work, home) = (json!({"type": "work", "value": "a@w"}), json!({"type": "home", "value": "a@h"}));
        let first = json!({"type": "work", "value": "a@w", "primary": true});
        let second = json!({"type": "work", "value": "a@w", "primary": false});
        for (operation, wanted) in [
            (
                json!({"op": "replace", "path": "emails[type eq \"home\"].value", "value": "x@h"}),
                json!([first, {"type": "home", "value": "x@h"}]),
            ),
            (json!({"op": "remove", "path": "emails[type eq \"work\"]"}), json!([home])),
            (json!({"op": "remove", "path": "emails[value ew \"]\" or type eq \"HOME\"]"}), json!([first])),
            (json!({"op": "remove", "path": "emails", "value": [{"value": "a@w"}]}), json!([home])),
            (json!({"op": "remove", "path": "emails[type eq \"work\"].primary"}), json!([work, home])),
            (json!({"op": "replace", "path": "emails", "value": [{"value": "n@n"}]}), json!([{"value": "n@n"}])),
            (json!({"op": "add", "path": "emails", "value": {"value": "a@h"}}), json!([first, home])),
            (
                json!({"op": "add", "path": "emails", "value": [{"value": "n@n", "primary": true}]}),
                json!([second, home, {"value": "n@n", "primary": true}]),
            ),
            (
                json!({"op": "replace", "path": "emails[type eq \"home\"].primary", "value": true}),
                json!([second, {"type": "home", "value": "a@h", "primary": true}]),
            ),
            (
                json!({"op": "add", "path": "emails[type eq \"other\"].value", "value": "o@o"}),
                json!([first, home, {"type": "other", "value": "o@o"}]),
            ),
        ] {
            assert_eq!(after("emails", operation.clone()), wanted, "{operation}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_its_kind() {
        for (operation, kind) in [
            (json!({"op": "move", "path": "title"}), "invalidSyntax"),
            (json!({"op": "remove"}), "noTarget"),
            (json!({"op": "remove", "path": "userName"}), "mutability"),
            (json!({"op": "replace", "path": "id", "value": "x"}), "mutability"),
            (json!({"op": "add", "path": "groups", "value": [{"value": "x"}]}), "mutability"),
            (json!({"op": "replace", "path": "emails[type eq \"fax\"].value", "value": "x"}), "noTarget"),
            (json!({"op": "replace", "path": "emails[type is \"fax\"].value", "value": "x"}), "invalidFilter"),
            (json!({"op": "replace", "path": "colour", "value": "x"}), "invalidPath"),
            (json!({"op": "replace", "path": "name.colour", "value": "x"}), "invalidPath"),
            (json!({"op": "replace", "path": "name[a pr]", "value": "x"}), "invalidPath"),
            (json!({"op": "replace", "path": "emails[type pr", "value": "x"}), "invalidPath"),
            (json!({"op": "replace", "path": "title", "value": 7}), "invalidValue"),
            (json!({"op": "add", "path": "title"}), "invalidValue"),
            (json!({"op": "add", "value": "x"}), "invalidValue"),
            (json!({"op": "replace", "path": "userName", "value": " "}), "invalidValue"),
        ] {
            let refused = patch(json!([{"op": "replace", "path": "title", "value": "T"}, operation]));
            let reply: crate::http::Reply = refused.expect_err("is refused").into();
            let said: Value = serde_json::from_slice(&reply.body.bytes()).expect("is JSON");
            assert_eq!(said["scimType"], kind, "{operation}: {said}");
        }
    }
}
