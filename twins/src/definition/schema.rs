//! JSON Schemas of inputs: with the named ones that they refer to, and what a form's texts mean by them.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value as Json};

const POINTER: &str = "#/$defs/";
const DEPTH_MAX: usize = 32;

/// The schema with every named one that it leads to.
pub(super) fn with_definitions(schema: &Json, named: &BTreeMap<String, Json>) -> Result<Json, String> {
    let mut definitions = Map::new();
    let mut wanted = references(schema);
    while let Some(name) = wanted.pop() {
        if definitions.contains_key(&name) {
            continue;
        }
        let found = named.get(&name).ok_or_else(|| format!("`schemas` has no `{name}`, which `$ref` names"))?;
        wanted.extend(references(found));
        definitions.insert(name, found.clone());
    }
    let mut whole = schema.clone();
    if let (Json::Object(map), false) = (&mut whole, definitions.is_empty()) {
        map.entry("$defs").or_insert_with(|| definitions.into());
    }
    Ok(whole)
}

fn references(schema: &Json) -> Vec<String> {
    match schema {
        Json::Object(map) => {
            let own = map.get("$ref").and_then(Json::as_str).and_then(|it| it.strip_prefix(POINTER));
            own.map(str::to_owned).into_iter().chain(map.values().flat_map(references)).collect()
        }
        Json::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// What a form or a query says, with the numbers and truths that the schema expects.
pub(super) fn coerced(root: &Json, schema: &Json, value: &Json, depth: usize) -> Json {
    let schema = target(root, schema);
    match value {
        _ if depth > DEPTH_MAX => value.clone(),
        Json::String(text) => leaf(schema, text).unwrap_or_else(|| value.clone()),
        Json::Object(map) => {
            let of = |name: &String| &schema["properties"][name];
            map.iter().map(|(name, value)| (name.clone(), coerced(root, of(name), value, depth + 1))).collect()
        }
        Json::Array(items) => items.iter().map(|item| coerced(root, &schema["items"], item, depth + 1)).collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
    }
}

fn target<'a>(root: &'a Json, schema: &'a Json) -> &'a Json {
    let name = schema["$ref"].as_str().and_then(|it| it.strip_prefix(POINTER));
    name.map_or(schema, |name| &root["$defs"][name])
}

fn leaf(schema: &Json, text: &str) -> Option<Json> {
    let kind = match &schema["type"] {
        Json::String(kind) => kind.as_str(),
        Json::Array(kinds) => {
            kinds.iter().filter_map(Json::as_str).find(|kind| *kind != "null" && *kind != "string")?
        }
        _ => return None,
    };
    match kind {
        "integer" => text.parse::<i64>().ok().map(Json::from),
        "number" => text.parse().ok().and_then(Number::from_f64).map(Json::Number),
        "boolean" => text.parse::<bool>().ok().map(Json::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn named_schemas_come_along_with_those_that_they_name() {
        let named = BTreeMap::from([
            ("A".to_owned(), json!({"properties": {"b": {"$ref": "#/$defs/B"}}})),
            ("B".to_owned(), json!({"type": "integer"})),
            ("C".to_owned(), json!({})),
        ]);
        let whole = with_definitions(&json!({"$ref": "#/$defs/A"}), &named).expect("are there");
        assert_eq!(
            whole["$defs"].as_object().map(|map| map.keys().cloned().collect()),
            Some(vec!["A".to_owned(), "B".to_owned()])
        );
        assert!(with_definitions(&json!({"$ref": "#/$defs/Z"}), &named).expect_err("is not there").contains("`Z`"));
    }

    #[test]
    fn texts_of_a_form_become_what_the_schema_expects() {
        let schema = json!({"properties": {"n": {"type": "integer"}, "b": {"type": "boolean"}, "s": {"type": "string"},
            "l": {"items": {"type": "number"}}}});
        let given = json!({"n": "7", "b": "true", "s": "7", "l": ["1.5"], "x": "1"});
        let expected = json!({"n": 7, "b": true, "s": "7", "l": [1.5], "x": "1"});
        assert_eq!(coerced(&schema, &schema, &given, 0), expected);
        assert_eq!(coerced(&schema, &schema, &json!({"n": "seven"}), 0), json!({"n": "seven"}));
    }
}
