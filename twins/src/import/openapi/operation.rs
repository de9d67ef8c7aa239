//! Each operation of the document as one of the definition's.

use std::collections::BTreeSet;

use openapi::{Document, Operation, Side, references};
use serde_json::{Map, Value as Json, json};

use super::{
    operations,
    resources::{Resource, Resources, Role, list_of, plain},
    samples, success,
};

const NOTES_MAX: usize = 200; // a document that needs more is not carried over at all

pub(super) struct Writer<'a> {
    document: &'a Document,
    resources: &'a Resources,
    names: BTreeSet<String>,
    /// Operations whose paths no route can say.
    pub(super) stubs: Vec<Json>,
    pub(super) notes: Vec<String>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(document: &'a Document, resources: &'a Resources) -> Self {
        Self { document, resources, names: BTreeSet::new(), stubs: Vec::new(), notes: Vec::new() }
    }

    pub(super) fn operations(&mut self) -> Map<String, Json> {
        let mut written = Map::new();
        for operation in operations(self.document) {
            let role = self.resources.role(self.document, &operation);
            let name = self.name(&operation, role.as_ref().map(|(resource, role)| (resource.table.as_str(), *role)));
            let one = self.operation(&operation, role);
            if is_route(&operation.route) {
                written.insert(name, one.into());
            } else {
                self.stub(&name, &operation, &one);
            }
        }
        written
    }

    fn note(&mut self, note: String) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(note);
        }
    }

    /// The document's own name, or one of table and role.
    fn name(&mut self, operation: &Operation<'_>, role: Option<(&str, Role)>) -> String {
        let given =
            operation.id().map(|id| id.replace(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.', "_"));
        let made = || match role {
            Some((table, role)) => format!("{table}.{}", format!("{role:?}").to_lowercase()),
            None => {
                let words = operation.route.split(|letter: char| !letter.is_ascii_alphanumeric());
                let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
                format!("{}.{}", words.join("_"), operation.method)
            }
        };
        let name = given.filter(|id| !id.is_empty()).unwrap_or_else(made);
        let free = (1..).map(|n| if n == 1 { name.clone() } else { format!("{name}_{n}") });
        let name = free.into_iter().find(|name| !self.names.contains(name)).expect("numbers do not end");
        self.names.insert(name.clone());
        name
    }

    fn operation(&mut self, operation: &Operation<'_>, role: Option<(&Resource, Role)>) -> Map<String, Json> {
        let route = format!("{} {}", operation.method.to_uppercase(), operation.route);
        let mut one = Map::from_iter([("route".to_owned(), json!(route))]);
        match role {
            Some((resource, role)) => self.stateful(&mut one, operation, resource, role),
            None => {
                one.insert("answer".to_owned(), self.example(operation));
            }
        }
        if let Some(input) = self.input(operation) {
            one.insert("input".to_owned(), input);
        }
        if operation.spec.get("security").and_then(Json::as_array).is_some_and(Vec::is_empty) || self.is_open(operation)
        {
            one.insert("public".to_owned(), json!(true));
        }
        one
    }

    /// Neither the document nor the operation asks for credentials.
    fn is_open(&self, operation: &Operation<'_>) -> bool {
        let asks = |holder: Option<&Json>| holder.and_then(Json::as_array).is_some_and(|all| !all.is_empty());
        let schemes = self.document.get("/components/securitySchemes");
        schemes.is_object() && !asks(operation.spec.get("security")) && !asks(Some(self.document.get("/security")))
    }

    fn stateful(&self, one: &mut Map<String, Json>, operation: &Operation<'_>, resource: &Resource, role: Role) {
        let (status, answered) = success(operation);
        one.insert(format!("{role:?}").to_lowercase(), json!(resource.table));
        let answers = self.document.body_schema(answered).is_some();
        let mut answer = Map::new();
        let usual = if role == Role::Create { 201 } else { 200 };
        if status != usual && (role != Role::Delete || answers) {
            answer.insert("status".to_owned(), json!(status));
        }
        match role {
            Role::List => {
                let body = self.list(operation);
                answer.extend(body.map(|body| ("body".to_owned(), body)));
                let parameters = operation.parameters().into_iter().filter(|parameter| parameter["in"] == "query");
                let columns = resource.row["properties"].as_object();
                let filters = parameters.filter_map(|parameter| parameter["name"].as_str());
                let filters = filters.filter(|name| columns.is_some_and(|columns| columns.contains_key(*name)));
                let filters: Vec<&str> = filters.chain(resource.parents.iter().map(String::as_str)).collect();
                if !filters.is_empty() {
                    one.insert("filter".to_owned(), json!(filters));
                }
            }
            Role::Delete => {
                if answers {
                    let media = self.document.media(answered).unwrap_or(&Json::Null);
                    answer.insert("body".to_owned(), plain(samples(self.document).of_media(media)));
                } else if !matches!(status, 204) {
                    answer.extend([("status".to_owned(), json!(status)), ("empty".to_owned(), json!(true))]);
                }
            }
            Role::Create | Role::Get | Role::Update | Role::Replace => {
                if !answers {
                    answer.insert("empty".to_owned(), json!(true));
                } else if let Some(wrapped) = &resource.wrapped {
                    answer.insert("body".to_owned(), json!({ wrapped: "{{ row }}" }));
                }
            }
        }
        if role == Role::Create {
            let defaults = resource.defaults(self.document);
            if !defaults.is_empty() {
                one.insert("defaults".to_owned(), defaults.into());
            }
            let parent = |name: &String| (name.clone(), json!(format!("{{{{ params.{name} }}}}")));
            let set: Map<_, _> = resource.parents.iter().filter(|name| is_name(name)).map(parent).collect();
            if !set.is_empty() {
                one.insert("set".to_owned(), set.into());
            }
        }
        if !answer.is_empty() {
            one.insert("answer".to_owned(), answer.into());
        }
    }

    /// The envelope of a list, by what its fields are called.
    fn list(&self, operation: &Operation<'_>) -> Option<Json> {
        let Some(property) = list_of(self.document, operation)? else { return Some(json!("{{ items }}")) };
        let schema = self.document.flat(self.document.body_schema(success(operation).1)?);
        let mut envelope = Map::new();
        for (name, value) in schema["properties"].as_object()? {
            let known = match name.to_lowercase().replace('_', "").as_str() {
                _ if *name == property => "{{ items }}",
                "hasmore" | "hasnext" | "more" => "{{ has_more }}",
                "total" | "totalcount" | "totalitems" | "totalresults" => "{{ total }}",
                "count" | "size" => "{{ items | length }}",
                "limit" | "perpage" | "pagesize" => "{{ limit }}",
                "offset" | "skip" => "{{ offset }}",
                "page" | "pagenumber" | "currentpage" => "{{ page }}",
                "pages" | "totalpages" | "pagecount" => "{{ pages }}",
                "nextcursor" | "nextpagetoken" | "nexttoken" | "cursor" => "{{ next }}",
                "next" | "nextpage" | "nexturl" => "{{ url.next }}",
                "previous" | "prev" => "{{ url.previous }}",
                _ => {
                    envelope.insert(name.clone(), plain(samples(self.document).of_schema(value)));
                    continue;
                }
            };
            envelope.insert(name.clone(), json!(known));
        }
        Some(envelope.into())
    }

    /// What cannot be stateful answers with its example.
    fn example(&self, operation: &Operation<'_>) -> Json {
        let (status, answered) = success(operation);
        match self.document.media(answered) {
            None => json!({"status": status, "empty": true}),
            Some(media) => {
                let body = plain(samples(self.document).of_media(media));
                if status == 200 { json!({ "body": body }) } else { json!({"status": status, "body": body}) }
            }
        }
    }

    /// The check of what comes in; one that cannot be made is left out, and said.
    fn input(&mut self, operation: &Operation<'_>) -> Option<Json> {
        let schema = match operation.method {
            "get" | "delete" | "head" => self.query_schema(operation)?,
            _ => self.document.schema(self.document.body_schema(operation.body())?, Side::Request),
        };
        let mut names = BTreeSet::new();
        references(&schema, &mut names);
        let mut whole = schema.clone();
        if let Json::Object(map) = &mut whole {
            map.insert("$defs".to_owned(), self.document.named_schemas(&names, Side::Request).into());
        }
        match jsonschema::validator_for(&whole) {
            Ok(_) => Some(schema),
            Err(error) => {
                let place = format!("{} {}", operation.method.to_uppercase(), operation.route);
                self.note(format!("the check of what {place} takes: {error}").replace('\n', " "));
                None
            }
        }
    }

    fn query_schema(&self, operation: &Operation<'_>) -> Option<Json> {
        let parameters = operation.parameters().into_iter().filter(|parameter| parameter["in"] == "query");
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for parameter in parameters {
            let name = parameter["name"].as_str().unwrap_or_default();
            // A list in a query has many spellings; only what is one value is checked.
            let schema = self.document.schema(self.document.resolve(&parameter["schema"]), Side::Request);
            if !matches!(schema["type"].as_str(), Some("array" | "object")) && !name.contains('[') {
                properties.insert(name.to_owned(), schema);
                if parameter["required"] == true {
                    required.push(json!(name));
                }
            }
        }
        if properties.is_empty() {
            return None;
        }
        let mut schema = json!({"type": "object", "properties": properties});
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        Some(schema)
    }

    /// A path like `/files/{name}.json` is a stub: it answers, and keeps nothing.
    fn stub(&mut self, name: &str, operation: &Operation<'_>, one: &Map<String, Json>) {
        let mut answer = match one.get("answer") {
            Some(answer) if answer.get("body").is_some() => answer.clone(),
            _ => self.example(operation),
        };
        if let Json::Object(answer) = &mut answer {
            answer.remove("empty");
        }
        let method = operation.method.to_uppercase();
        self.note(format!("state of {method} {}, whose path no route can say: it is a stub", operation.route));
        self.stubs.push(json!({"stub": name, "method": method, "path": operation.route, "answer": answer}));
    }
}

/// Parameters are whole segments.
fn is_route(path: &str) -> bool {
    path.split('/').all(|segment| {
        !segment.contains('{') || segment.starts_with('{') && segment.find('}') == Some(segment.len() - 1)
    })
}

fn is_name(name: &str) -> bool {
    name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}
