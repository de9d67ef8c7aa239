//! Where the ids in paths come from: a link that the description declares, or the operation that creates the resource.

use serde_json::Value as Json;

use super::document::{Document, Operation};

/// An operation to call first, and what to keep of its answer.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) creator: Operation<'a>,
    /// A `JSONPath` into its answer.
    pub(super) path: String,
}

impl Document {
    /// Where a value for the path parameter `name` can be had.
    pub(super) fn source_of<'a>(
        &'a self,
        operation: &Operation<'a>,
        name: &str,
        all: &[Operation<'a>],
    ) -> Option<Source<'a>> {
        self.linked(operation, name, all).or_else(|| self.created(operation, name, all))
    }

    /// `links: {get: {operationId: getOrder, parameters: {id: $response.body#/id}}}`
    fn linked<'a>(&'a self, operation: &Operation<'a>, name: &str, all: &[Operation<'a>]) -> Option<Source<'a>> {
        let id = operation.id()?;
        let from = |creator: &Operation<'a>| {
            let (_, response) = creator.success()?;
            let links = self.resolve(response).get("links")?.as_object()?;
            let link = links.values().map(|link| self.resolve(link)).find(|link| link["operationId"] == id)?;
            let pointer = link["parameters"].get(name)?.as_str()?.strip_prefix("$response.body#/")?;
            Some(Source { creator: creator.clone(), path: format!("$.{}", pointer.replace('/', ".")) })
        };
        all.iter().filter(|creator| creator.method == "post").find_map(from)
    }

    /// `POST /orders` makes the `{id}` of `/orders/{id}/…`.
    fn created<'a>(&'a self, operation: &Operation<'a>, name: &str, all: &[Operation<'a>]) -> Option<Source<'a>> {
        let collection = collection_of(operation.path, name)?;
        let creator =
            all.iter().find(|other| other.method == "post" && other.path.trim_end_matches('/') == collection)?;
        let (_, response) = creator.success()?;
        let field = self.id_field(self.response_schema(response)?, name)?;
        Some(Source { creator: creator.clone(), path: format!("$.{field}") })
    }

    pub(super) fn response_schema<'a>(&'a self, response: &'a Json) -> Option<&'a Json> {
        let content = self.resolve(response).get("content")?.as_object()?;
        let is_json = |kind: &str| {
            kind.starts_with("application/json") || kind.split(';').next().is_some_and(|kind| kind.ends_with("+json"))
        };
        content.iter().find_map(|(kind, media)| is_json(kind).then(|| media.get("schema"))?)
    }

    /// The property that holds the id: of the parameter's name, or `id`.
    fn id_field<'a>(&self, schema: &Json, name: &'a str) -> Option<&'a str> {
        [name, "id", "uuid", "name"].into_iter().find(|field| self.has_property(schema, field, 0))
    }

    fn has_property(&self, schema: &Json, name: &str, depth: usize) -> bool {
        const DEPTH_MAX: usize = 8; // `allOf` within `allOf`
        let schema = self.resolve(schema);
        let is_own = schema.get("properties").is_some_and(|properties| properties.get(name).is_some());
        let parts = || schema.get("allOf").and_then(Json::as_array).into_iter().flatten();
        is_own || depth < DEPTH_MAX && parts().any(|part| self.has_property(part, name, depth + 1))
    }
}

/// The path in front of a parameter: `/orders` for the `id` of `/orders/{id}/lines`.
fn collection_of<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    let at = path.find(&format!("{{{name}}}"))?;
    Some(path[..at].trim_end_matches('/'))
}
