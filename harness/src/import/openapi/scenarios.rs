//! Which scenarios a description gives, and their texts.

use std::collections::BTreeMap;

use located::{Place, Source};
use openapi::{Document, Operation, required};
use serde_json::Value as Json;

use super::request::{Draft, Twist, status_rule};
use crate::import::{
    Imported, ImportedFile, Notes,
    slug::{Unique, slug},
    write::{Map, Yaml},
};

const FIELDS_MAX: usize = 5; // required fields left out, per operation; more show the same
const REFUSALS: [&str; 3] = ["400", "422", "4XX"];

/// Everything that is written.
struct Writer<'a> {
    source: &'a Source,
    document: &'a Document,
    all: &'a [Operation<'a>],
    names: Unique,
    files: Vec<ImportedFile>,
    schemas: BTreeMap<String, String>,
    notes: Notes,
}

pub(super) fn all(source: &Source, document: &Document) -> Imported {
    let operations = document.operations();
    let mut writer = Writer {
        source,
        document,
        all: &operations,
        names: Unique::default(),
        files: Vec::new(),
        schemas: BTreeMap::new(),
        notes: Notes::new(source),
    };
    if operations.is_empty() {
        writer.notes.todo(Place::START, "the description has no operation");
    }
    for operation in &operations {
        writer.happy(operation);
        writer.without_fields(operation);
        writer.unknown_id(operation);
        writer.without_credentials(operation);
        writer.life(operation);
    }
    let schemas = writer.schemas.into_iter();
    let schemas = schemas.map(|(name, text)| ImportedFile { name, text, copies: Vec::new() });
    Imported { files: writer.files.into_iter().chain(schemas).collect(), notes: writer.notes.finish() }
}

impl<'a> Writer<'a> {
    fn happy(&mut self, operation: &'a Operation<'a>) {
        let mut draft = Draft::new(self.document, self.all);
        let mut step = draft.call(operation, Twist::None);
        step.set("expect", draft.expect_success(operation));
        self.add(operation, name_of(operation), summary(operation, "works"), draft, step);
    }

    fn without_fields(&mut self, operation: &'a Operation<'a>) {
        let Some(refusal) = refusal(operation) else { return };
        let schema = operation.body().pointer("/content/application~1json/schema");
        let schema = schema.map_or(&Json::Null, |schema| self.document.resolve(schema));
        for field in required(schema).into_iter().take(FIELDS_MAX) {
            let mut draft = Draft::new(self.document, self.all);
            let mut step = draft.call(operation, Twist::WithoutField(field));
            step.set("expect", Map::one("status", refusal.clone()));
            let name = format!("{} without {field}", name_of(operation));
            self.add(operation, name, summary(operation, &format!("refuses a request without `{field}`")), draft, step);
        }
    }

    fn unknown_id(&mut self, operation: &'a Operation<'a>) {
        if !operation.path.contains('{') || !declares(operation, "404") {
            return;
        }
        let mut draft = Draft::new(self.document, self.all);
        let mut step = draft.call(operation, Twist::UnknownId);
        step.set("expect", Map::one("status", status_rule("404")));
        let name = format!("{} of nothing", name_of(operation));
        self.add(operation, name, summary(operation, "tells when there is no such thing"), draft, step);
    }

    fn without_credentials(&mut self, operation: &'a Operation<'a>) {
        if !declares(operation, "401") {
            return;
        }
        let mut draft = Draft::new(self.document, self.all);
        let mut step = draft.call(operation, Twist::WithoutCredentials);
        step.set("expect", Map::one("status", status_rule("401")));
        let name = format!("{} without credentials", name_of(operation));
        self.add(operation, name, summary(operation, "refuses who does not say who they are"), draft, step);
    }

    /// Deletes a thing and finds it gone.
    fn life(&mut self, delete: &'a Operation<'a>) {
        let get = self.all.iter().find(|other| other.method == "get" && other.path == delete.path);
        let Some(get) = get.filter(|get| delete.method == "delete" && declares(get, "404")) else { return };
        let mut draft = Draft::new(self.document, self.all);
        let mut read = draft.call(get, Twist::None);
        read.set("expect", draft.expect_success(get));
        draft.steps.push(Yaml::from(read).spread());
        let mut step = draft.call(delete, Twist::None);
        step.set(
            "expect",
            Map::one("status", delete.success().map_or_else(|| "2xx".into(), |(status, _)| status_rule(status))),
        );
        draft.steps.push(Yaml::from(step).spread());
        let mut gone = draft.call(get, Twist::None);
        gone.set("expect", Map::one("status", status_rule("404")));
        let title = format!("{}: what is deleted is gone", delete.path);
        self.add(delete, format!("{} is gone", name_of(delete)), title, draft, gone);
    }

    fn add(&mut self, operation: &'a Operation<'a>, name: String, title: String, mut draft: Draft<'a>, last: Map) {
        let name = self.names.name(&slug(&name), "-");
        let place = operation.place();
        for todo in std::mem::take(&mut draft.todos) {
            self.notes.todo(place, todo);
        }
        draft.steps.push(Yaml::from(last).spread());
        let mut scenario = Map::one("scenario", name.as_str()).with("title", title);
        let tags = operation.spec.get("tags").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
        let tags: Vec<Yaml> = tags.map(Yaml::from).collect();
        if !tags.is_empty() {
            scenario.set("tags", tags);
        }
        if !draft.vars.is_empty() {
            scenario.set("vars", Yaml::from(draft.vars).spread());
        }
        scenario.set("steps", Yaml::List(draft.steps).spread());
        let file = self.source.name().rsplit('/').next().unwrap_or_default();
        let origin = format!("from {file}:{}, {} {}", place.line, operation.method.to_uppercase(), operation.path);
        let text = Yaml::from(scenario).commented(vec![origin]).document();
        self.files.push(ImportedFile { name: format!("{name}.yaml"), text, copies: Vec::new() });
        self.schemas.extend(draft.schemas);
    }
}

pub(super) fn name_of(operation: &Operation<'_>) -> String {
    operation.id().map_or_else(|| format!("{} {}", operation.method, operation.path), str::to_owned)
}

fn declares(operation: &Operation<'_>, status: &str) -> bool {
    operation.responses().any(|(declared, _)| declared.eq_ignore_ascii_case(status))
}

/// The declared statuses for a request that is wrong.
fn refusal(operation: &Operation<'_>) -> Option<Yaml> {
    let declared = REFUSALS.into_iter().filter(|status| declares(operation, status)).map(status_rule);
    let mut declared: Vec<_> = declared.collect();
    match declared.len() {
        0 => None,
        1 => declared.pop(),
        _ => Some(declared.into()),
    }
}

fn summary(operation: &Operation<'_>, what: &str) -> String {
    format!("{} {} {what}", operation.method.to_uppercase(), operation.path)
}
