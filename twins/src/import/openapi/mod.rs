//! A definition from an `OpenAPI` document: collections and their items become tables with stateful operations, all else
//! answers with an example of its schema; input is checked, errors look like the document's.
//!
//! The crate `openapi` reads the document; `resources` finds the tables, `operation` writes each operation.

mod operation;
mod resources;

use std::collections::{BTreeMap, BTreeSet};

use located::{Diagnostics, Source};
use openapi::{Document, Operation, Samples, Side, references, required};
use serde_json::{Map, Value as Json, json};

use self::{operation::Writer, resources::Resources};
use super::{
    Imported,
    write::{below, key},
};

/// Makes a definition from an `OpenAPI` 3.0 or 3.1 document.
///
/// # Errors
/// What is no such document, with its place.
pub fn import(source: &Source) -> Result<Imported, Diagnostics> {
    let document = Document::read(source)?;
    let resources = Resources::of(&document);
    let mut writer = Writer::new(&document, &resources);
    let operations = writer.operations();
    let stubs = std::mem::take(&mut writer.stubs);
    let notes = std::mem::take(&mut writer.notes);
    let mut sections: Vec<(&str, Json)> = Vec::new();
    let info = document.get("/info");
    let name = named(info["title"].as_str().unwrap_or_default());
    sections.push(("twin", json!(name)));
    sections.push(("version", json!(info["version"].as_str().unwrap_or_default())));
    sections.extend(auth(&document).map(|auth| ("auth", auth)));
    sections.extend(paging(&document, &resources).map(|paging| ("paging", paging)));
    sections.push(("errors", errors(&document)));
    sections.push(("tables", resources.tables(&document)));
    sections.push(("operations", operations.into()));
    if !stubs.is_empty() {
        sections.push(("stubs", stubs.into()));
    }
    sections.push(("schemas", Json::Object(document.named_schemas(&used(&sections), Side::Request))));
    let mut definition = format!("# Made from {}; yours to change.\n", source.name());
    for note in &notes {
        definition.push_str(&format!("# Not carried over: {note}\n"));
    }
    for (section, value) in sections.iter().filter(|(_, value)| value.as_object().is_none_or(|map| !map.is_empty())) {
        definition.push_str(&format!("{section}:{}\n", section_below(value)));
    }
    Ok(Imported { definition, notes })
}

/// Top sections are blocks even where they are short.
fn section_below(value: &Json) -> String {
    match value {
        Json::Object(map) => {
            let field = |(name, value): (&String, &Json)| format!("\n  {}:{}", key(name), below(value, 2));
            map.iter().map(field).collect()
        }
        other => below(other, 0),
    }
}

/// `OPTIONS` is no twin's business.
fn operations(document: &Document) -> Vec<Operation<'_>> {
    document.operations().into_iter().filter(|operation| operation.method != "options").collect()
}

/// The first good answer: its status, and itself.
fn success<'a>(operation: &Operation<'a>) -> (u16, &'a Json) {
    operation.success().map_or((200, &Json::Null), |(status, response)| (status.parse().unwrap_or(200), response))
}

/// What the twin answers and knows is as its service shows it.
fn samples(document: &Document) -> Samples<'_> {
    Samples::new(document, Side::Answer)
}

/// The named schemas that the written parts refer to.
fn used(sections: &[(&str, Json)]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    sections.iter().for_each(|(_, value)| references(value, &mut names));
    names
}

fn named(title: &str) -> String {
    let letters = title.to_lowercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), " ");
    let words: Vec<&str> =
        letters.split_whitespace().filter(|word| !matches!(*word, "api" | "the" | "openapi")).collect();
    if words.is_empty() { "imported".to_owned() } else { words.join("-") }
}

/// The first way of getting in that a definition can say.
fn auth(document: &Document) -> Option<Json> {
    let schemes = document.get("/components/securitySchemes").as_object()?;
    let keys = json!({ "twin_key": {} });
    schemes.values().map(|scheme| document.resolve(scheme)).find_map(|scheme| {
        let text = |field: &str| scheme[field].as_str().unwrap_or_default().to_lowercase();
        match (text("type").as_str(), text("scheme").as_str(), text("in").as_str()) {
            ("http", "bearer", _) | ("oauth2" | "openidconnect", ..) => Some(json!({"by": "bearer", "keys": keys})),
            ("http", "basic", _) => Some(json!({"by": "basic", "keys": {"twin:key": {}}})),
            ("apikey", _, by @ ("header" | "query")) => Some(json!({"by": by, "name": scheme["name"], "keys": keys})),
            _ => None,
        }
    })
}

/// How most lists of the document come in pages.
fn paging(document: &Document, resources: &Resources) -> Option<Json> {
    let lists = operations(document).into_iter().filter(|operation| resources.is_list(operation));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for parameter in lists.flat_map(|operation| operation.parameters()) {
        if parameter["in"] == "query" {
            *counts.entry(parameter["name"].as_str().unwrap_or_default()).or_default() += 1;
        }
    }
    let most = |names: &[&'static str]| {
        let known = names.iter().filter_map(|name| Some((*name, *counts.get(name)?)));
        known.max_by_key(|(_, count)| *count).map(|(name, _)| name)
    };
    let limit = most(&["limit", "per_page", "page_size", "pageSize", "perPage", "count", "max_results", "maxResults"]);
    let ways: [(&str, &[&'static str]); 4] = [
        ("id", &["starting_after", "after_id"]),
        ("cursor", &["cursor", "page_token", "pageToken", "after", "next_token", "nextToken"]),
        ("page", &["page", "page_number", "pageNumber"]),
        ("offset", &["offset", "skip", "start"]),
    ];
    let way = ways.iter().find_map(|(by, names)| Some((*by, most(names)?)));
    let mut paging = Map::new();
    let (by, param) = way.map_or(("none", None), |(by, param)| (by, Some(param)));
    if way.is_none() && limit.is_none() {
        return None;
    }
    // A limit without a place to go on is a first page only.
    paging.insert("by".to_owned(), json!(if by == "none" { "cursor" } else { by }));
    paging.extend(param.map(|param| ("param".to_owned(), json!(param))));
    paging.extend(limit.map(|limit| ("limit".to_owned(), json!(limit))));
    Some(paging.into())
}

/// Errors with the fields that the document's have.
fn errors(document: &Document) -> Json {
    let mut invalid = 400;
    let mut body = None;
    for operation in operations(document) {
        if operation.responses().any(|(status, _)| status == "422") {
            invalid = 422;
        }
        let failures = operation.responses().filter(|(status, _)| status.starts_with('4') || *status == "default");
        for (_, response) in failures {
            let schema = document.body_schema(response);
            body = body.or_else(|| schema.map(|schema| said(document, schema, 0)).filter(Json::is_object));
        }
    }
    let mut errors = Map::from_iter([("invalid".to_owned(), json!({ "status": invalid }))]);
    if let Some(body) = body.filter(|body| body.as_object().is_some_and(|map| !map.is_empty())) {
        errors.insert("all".to_owned(), json!({ "body": body }));
    }
    errors.into()
}

const ERROR_DEPTH_MAX: usize = 4;

/// An error by its schema: what its fields are called says what they mean.
fn said(document: &Document, schema: &Json, depth: usize) -> Json {
    let flat = document.flat(schema);
    let (required, samples) = (required(&flat), samples(document));
    let Some(properties) = flat["properties"].as_object().filter(|_| depth < ERROR_DEPTH_MAX) else {
        return samples.of_schema(schema);
    };
    let mut body = Map::new();
    for (name, property) in properties {
        let property = document.resolve(property);
        let is_number = matches!(property["type"].as_str(), Some("integer" | "number"));
        let value = match name.to_lowercase().as_str() {
            "message" | "detail" | "error_description" | "description" | "msg" | "title" => json!("{{ message }}"),
            "status" | "statuscode" | "status_code" | "code" if is_number => json!("{{ status }}"),
            "code" | "type" | "error_code" | "reason" | "kind" if property.get("enum").is_none() => json!("{{ kind }}"),
            "error" if property["type"] == "string" => json!("{{ message }}"),
            "param" | "field" | "pointer" => json!("{{ field }}"),
            "error" | "errors" if property.get("items").is_none() => said(document, property, depth + 1),
            "errors" => json!([said(document, &property["items"], depth + 1)]),
            _ if required.contains(&name.as_str()) => samples.of_schema(property),
            _ => continue,
        };
        body.insert(name.clone(), value);
    }
    body.into()
}
