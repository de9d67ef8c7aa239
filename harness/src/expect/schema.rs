//! `json_schema`: a JSON Schema that a document must fit, written in place or in a file beside the scenario.

use std::{
    borrow::Cow,
    path::Path,
    sync::{Arc, OnceLock},
};

use jsonschema::Validator;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;

use super::{Mismatch, shown};
use crate::text::{Node, NodeKind, RenderError, Scope};

const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024; // far above any schema that people keep
const ERRORS_MAX: usize = 20; // in a report; more say no more

/// Compiled once where it holds no template.
#[derive(Clone, Debug)]
pub(crate) struct SchemaRule {
    node: Node,
    compiled: Arc<OnceLock<Validator>>,
}

impl SchemaRule {
    /// Reads and compiles what can be before a trial; `folder` is where files are looked for.
    pub(crate) fn prepare(&self, folder: &Path) -> Result<(), String> {
        let written = self.node.written();
        if written.to_string().contains("{{") {
            return Ok(());
        }
        let schema = match self.file() {
            Some(file) => read(&folder.join(file))?,
            None => written,
        };
        let validator = compile(&schema)?;
        self.compiled.get_or_init(|| validator);
        Ok(())
    }

    /// The file that holds the schema. A template stands for the schema itself.
    pub(crate) fn file(&self) -> Option<&str> {
        match &self.node.kind {
            NodeKind::Text(file) if !file.contains("{{") => Some(file),
            _ => None,
        }
    }

    pub(crate) fn place(&self) -> located::Place {
        self.node.place
    }

    /// What in the document does not fit, each with its place in the document.
    pub(crate) fn check(&self, got: &Json, scope: &Scope) -> Result<Vec<Mismatch>, RenderError> {
        let refused = |message| RenderError { place: self.node.place, message };
        let rendered;
        let validator = match self.compiled.get() {
            Some(validator) => validator,
            None => {
                rendered = compile(&scope.node(&self.node)?).map_err(refused)?;
                &rendered
            }
        };
        Ok(validator
            .iter_errors(got)
            .take(ERRORS_MAX)
            .map(|error| {
                let pointer = error.instance_path().to_string();
                let place = if pointer.is_empty() { "/".to_owned() } else { pointer };
                let observed = got.pointer(place.trim_end_matches('/')).map_or_else(String::new, shown);
                // The error by itself holds the whole document.
                let reason = error.masked_with("it");
                Mismatch::new(format!("json_schema {place}"), "a document that fits", format!("{observed}: {reason}"))
            })
            .collect())
    }
}

fn read(path: &Path) -> Result<Json, String> {
    let refused = |reason: String| format!("cannot read the schema {}: {reason}", path.display());
    let length = crate::named_file::length(path).map_err(|error| refused(error.to_string()))?;
    if length > FILE_BYTES_MAX {
        return Err(refused(format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| refused(error.to_string()))
}

/// References to other documents are refused: nothing is ever fetched.
fn compile(schema: &Json) -> Result<Validator, String> {
    jsonschema::validator_for(schema).map_err(|error| format!("this is no JSON Schema: {error}"))
}

impl<'de> Deserialize<'de> for SchemaRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { node: Node::deserialize(deserializer)?, compiled: Arc::default() })
    }
}

impl JsonSchema for SchemaRule {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "JsonSchemaRule".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["object", "string", "boolean"] })
    }
}

#[cfg(test)]
mod tests {
    use located::Source;
    use serde_json::json;

    use super::{Mismatch, SchemaRule};
    use crate::text::Scope;

    #[test]
    fn every_part_that_does_not_fit_is_named() {
        let yaml = "{type: object, required: [id], properties: {id: {type: integer}, tags: {items: {type: string}}}}";
        let rule: SchemaRule = located::yaml(&Source::new("a.yaml", yaml)).unwrap();
        rule.prepare(std::path::Path::new(".")).unwrap();
        let check =
            |got| rule.check(&got, &Scope::default()).unwrap().iter().map(Mismatch::message).collect::<Vec<_>>();
        assert!(check(json!({ "id": 7, "tags": ["a"] })).is_empty());
        let found = check(json!({ "id": "x", "tags": [1] }));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("json_schema /id: expected a document that fits, got \"x\""), "{found:?}");
    }

    #[test]
    fn a_large_document_that_does_not_fit_is_not_told_whole() {
        let rule: SchemaRule = located::yaml(&Source::new("a.yaml", "{type: string}")).unwrap();
        rule.prepare(std::path::Path::new(".")).unwrap();
        let found = rule.check(&json!(vec!["x"; 1_000_000]), &Scope::default()).unwrap();
        let message = found[0].message();
        assert!(message.len() < 3_000 && message.ends_with("it is not of type \"string\""), "{}", message.len());
    }

    #[test]
    fn what_is_no_schema_or_leads_elsewhere_is_refused() {
        for yaml in ["{type: 7}", "{$ref: 'http://127.0.0.1:1/x.json'}", "none.json"] {
            let rule: SchemaRule = located::yaml(&Source::new("a.yaml", yaml)).unwrap();
            assert!(rule.prepare(std::path::Path::new(".")).is_err(), "{yaml}");
        }
    }
}
