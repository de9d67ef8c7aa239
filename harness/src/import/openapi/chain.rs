//! Where the ids in paths come from: a link that the description declares, or the operation that creates the resource.

use openapi::{Document, Operation};
use serde_json::Value as Json;

/// An operation to call first, and what to keep of its answer.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) creator: Operation<'a>,
    /// A `JSONPath` into its answer.
    pub(super) path: String,
}

/// Where a value for the path parameter `name` can be had.
pub(super) fn source_of<'a>(
    document: &'a Document,
    operation: &Operation<'a>,
    name: &str,
    all: &[Operation<'a>],
) -> Option<Source<'a>> {
    linked(document, operation, name, all).or_else(|| created(document, operation, name, all))
}

/// `links: {get: {operationId: getOrder, parameters: {id: $response.body#/id}}}`
fn linked<'a>(
    document: &'a Document,
    operation: &Operation<'a>,
    name: &str,
    all: &[Operation<'a>],
) -> Option<Source<'a>> {
    let id = operation.id()?;
    let from = |creator: &Operation<'a>| {
        let (_, response) = creator.success()?;
        let links = response.get("links")?.as_object()?;
        let link = links.values().map(|link| document.resolve(link)).find(|link| link["operationId"] == id)?;
        let pointer = link["parameters"].get(name)?.as_str()?.strip_prefix("$response.body#/")?;
        Some(Source { creator: creator.clone(), path: format!("$.{}", pointer.replace('/', ".")) })
    };
    all.iter().filter(|creator| creator.method == "post").find_map(from)
}

/// `POST /orders` makes the `{id}` of `/orders/{id}/…`.
fn created<'a>(
    document: &'a Document,
    operation: &Operation<'a>,
    name: &str,
    all: &[Operation<'a>],
) -> Option<Source<'a>> {
    let collection = collection_of(operation.path, name)?;
    let creator = all.iter().find(|other| other.method == "post" && other.path.trim_end_matches('/') == collection)?;
    let (_, response) = creator.success()?;
    let field = id_field(document, response_schema(response)?, name)?;
    Some(Source { creator: creator.clone(), path: format!("$.{field}") })
}

/// The schema of an answer, references followed, in JSON.
pub(super) fn response_schema(response: &Json) -> Option<&Json> {
    let content = response.get("content")?.as_object()?;
    let is_json = |kind: &str| {
        kind.starts_with("application/json") || kind.split(';').next().is_some_and(|kind| kind.ends_with("+json"))
    };
    content.iter().find_map(|(kind, media)| is_json(kind).then(|| media.get("schema"))?)
}

/// The property that holds the id: of the parameter's name, or `id`.
fn id_field<'a>(document: &Document, schema: &Json, name: &'a str) -> Option<&'a str> {
    [name, "id", "uuid", "name"].into_iter().find(|field| has_property(document, schema, field, 0))
}

fn has_property(document: &Document, schema: &Json, name: &str, depth: usize) -> bool {
    const DEPTH_MAX: usize = 8; // `allOf` within `allOf`
    let schema = document.resolve(schema);
    let is_own = schema.get("properties").is_some_and(|properties| properties.get(name).is_some());
    let parts = || schema.get("allOf").and_then(Json::as_array).into_iter().flatten();
    is_own || depth < DEPTH_MAX && parts().any(|part| has_property(document, part, name, depth + 1))
}

/// The path in front of a parameter: `/orders` for the `id` of `/orders/{id}/lines`.
fn collection_of<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    let at = path.find(&format!("{{{name}}}"))?;
    Some(path[..at].trim_end_matches('/'))
}
