//! Tables from paths: `/pets` and `/pets/{petId}` are a collection and its items.

use std::collections::BTreeMap;

use openapi::{Document, Operation, kind, required};
use serde_json::{Map, Value as Json, json};

use super::{operations, samples, success};

/// Every collection, by its path.
pub(super) struct Resources(BTreeMap<String, Resource>);

pub(super) struct Resource {
    /// Collections of the same name (`/pets`, `/users/{id}/pets`) are one table.
    pub(super) table: String,
    /// The field with the id, and its schema.
    pub(super) id: String,
    id_schema: Json,
    from_client: bool,
    /// The schema of a row as answers show it.
    pub(super) row: Json,
    /// The property of an answer that holds the row, where it is not the answer itself.
    pub(super) wrapped: Option<String>,
    /// The parameters of the collection's own path: rows belong to them.
    pub(super) parents: Vec<String>,
}

/// What an operation is to its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Create,
    List,
    Get,
    Update,
    Replace,
    Delete,
}

impl Resources {
    pub(super) fn of(document: &Document) -> Self {
        let operations = operations(document);
        let mut found = BTreeMap::new();
        for operation in &operations {
            let Some((collection, parameter)) = item(&operation.route) else { continue };
            let one_of = |method: &str| operations.iter().find(|it| it.route == operation.route && it.method == method);
            let of_collection =
                |method: &str| operations.iter().find(|it| it.route == collection && it.method == method);
            let shows =
                one_of("get").or_else(|| of_collection("post")).or_else(|| one_of("put")).or_else(|| one_of("patch"));
            let reads = one_of("get").is_some() || of_collection("post").is_some() || of_collection("get").is_some();
            if let (true, Some(shows), false) = (reads, shows, found.contains_key(collection)) {
                let resource = Resource::of(document, collection, parameter, shows, of_collection("post"));
                found.extend(resource.map(|resource| (collection.to_owned(), resource)));
            }
        }
        Self(found)
    }

    /// The resource of an operation, and what the operation is to it.
    pub(super) fn role(&self, document: &Document, operation: &Operation<'_>) -> Option<(&Resource, Role)> {
        if let Some(resource) = self.0.get(&operation.route) {
            let role = match operation.method {
                "get" if list_of(document, operation).is_some() => Role::List,
                "post" => Role::Create,
                _ => return None,
            };
            return Some((resource, role));
        }
        let resource = self.0.get(item(&operation.route)?.0)?;
        let role = match operation.method {
            "get" => Role::Get,
            "put" => Role::Replace,
            "patch" | "post" => Role::Update,
            "delete" => Role::Delete,
            _ => return None,
        };
        Some((resource, role))
    }

    pub(super) fn is_list(&self, operation: &Operation<'_>) -> bool {
        operation.method == "get" && self.0.contains_key(&operation.route)
    }

    /// Each table with its ids and one first row.
    pub(super) fn tables(&self, document: &Document) -> Json {
        let mut tables = Map::new();
        for resource in self.0.values() {
            tables.entry(resource.table.clone()).or_insert_with(|| resource.table(document));
        }
        tables.into()
    }
}

impl Resource {
    fn of(
        document: &Document,
        collection: &str,
        parameter: &str,
        shows: &Operation<'_>,
        creates: Option<&Operation<'_>>,
    ) -> Option<Self> {
        let (_, answered) = success(shows);
        let answer = document.body_schema(answered).or_else(|| document.body_schema(shows.body()))?;
        let whole = document.flat(answer);
        let has_id = |schema: &Json| id_field(schema, parameter).is_some();
        // `{"data": {…}}`: the row is inside.
        let inside = whole["properties"]
            .as_object()
            .filter(|_| !has_id(&whole))
            .and_then(|properties| properties.iter().find(|(_, property)| has_id(&document.flat(property))));
        let (wrapped, row) = inside.map_or((None, answer), |(name, property)| (Some(name.clone()), property));
        let row = document.flat(row).into_owned();
        if kind(&row) != "object" {
            return None;
        }
        let id = id_field(&row, parameter).unwrap_or_else(|| "id".to_owned());
        let id_schema = document.resolve(&row["properties"][&id]).clone();
        let sent = creates.and_then(|creates| document.body_schema(creates.body())).map(|input| document.flat(input));
        let from_client =
            id_schema["readOnly"] != true && sent.is_some_and(|sent| sent["properties"].get(&id).is_some());
        let table = collection.rsplit('/').find(|segment| !segment.is_empty() && !segment.contains('{'))?;
        let table = table.replace(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-', "_");
        let parents =
            collection.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0.to_owned())).collect();
        Some(Self { table, id, id_schema, from_client, row, wrapped, parents })
    }

    fn table(&self, document: &Document) -> Json {
        let mut id = Map::new();
        if self.id != "id" {
            id.insert("field".to_owned(), json!(self.id));
        }
        let by = match (kind(&self.id_schema), self.id_schema["format"].as_str()) {
            ("integer" | "number", _) => Some("sequence"),
            ("string", Some("uuid")) => Some("uuid"),
            _ => None,
        };
        id.extend(by.map(|by| ("by".to_owned(), json!(by))));
        if self.from_client {
            id.insert("from_client".to_owned(), json!(true));
        }
        let mut table = Map::new();
        if !id.is_empty() {
            table.insert("id".to_owned(), id.into());
        }
        if self.parents.is_empty() {
            table.insert("rows".to_owned(), json!([samples(document).of_schema(&self.row)]));
        }
        table.into()
    }

    /// What a row needs and no client has to send.
    pub(super) fn defaults(&self, document: &Document) -> Map<String, Json> {
        let samples = samples(document);
        let needed = required(&self.row).into_iter().filter(|name| *name != self.id);
        needed.map(|name| (name.to_owned(), plain(samples.of_schema(&self.row["properties"][name])))).collect()
    }
}

/// Braces of examples mean themselves.
pub(super) fn plain(value: Json) -> Json {
    match value {
        Json::String(text) if text.contains("{{") || text.contains("{%") || text.contains("{#") => {
            format!("{{% raw %}}{text}{{% endraw %}}").into()
        }
        Json::Array(items) => items.into_iter().map(plain).collect(),
        Json::Object(map) => Json::Object(map.into_iter().map(|(name, value)| (name, plain(value))).collect()),
        other => other,
    }
}

/// The collection of an item's path, and the parameter.
fn item(path: &str) -> Option<(&str, &str)> {
    let (collection, last) = path.rsplit_once('/')?;
    let parameter = last.strip_prefix('{')?.strip_suffix('}')?;
    (!collection.is_empty() && !collection.ends_with('}')).then_some((collection, parameter))
}

/// The property that the parameter of an item's path means.
fn id_field(row: &Json, parameter: &str) -> Option<String> {
    let properties = row["properties"].as_object()?;
    let snake = parameter.replace('-', "_");
    let known = [parameter, snake.as_str(), "id", "uuid", "key", "slug", "name", "code"];
    known.into_iter().find(|name| properties.contains_key(*name)).map(str::to_owned)
}

/// How the answer of an operation holds a list: at a property, or itself.
pub(super) fn list_of(document: &Document, operation: &Operation<'_>) -> Option<Option<String>> {
    let schema = document.flat(document.body_schema(success(operation).1)?);
    if kind(&schema) == "array" {
        return Some(None);
    }
    let is_list = |property: &Json| kind(document.resolve(property)) == "array";
    let lists = schema["properties"].as_object()?.iter().filter(|(_, property)| is_list(property));
    let of_objects = |property: &Json| kind(&document.flat(&document.resolve(property)["items"])) == "object";
    let mut lists: Vec<_> = lists.collect();
    lists.sort_by_key(|(_, property)| !of_objects(property));
    lists.first().map(|(name, _)| Some((*name).clone()))
}
