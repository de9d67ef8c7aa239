//! An HTTP status: `201`, `"2xx"`, a template that gives one, or a list of such.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value as Json;

use crate::text::{Node, NodeKind, RenderError, Scope};

/// Which statuses are fine.
#[derive(Clone, Debug)]
pub(crate) struct StatusRule(Vec<Status>);

#[derive(Clone, Debug)]
enum Status {
    Exactly(u16),
    /// The hundreds digit: 2 for `2xx`.
    Class(u16),
    Template(Node),
}

impl StatusRule {
    /// The rule with its templates filled in.
    pub(crate) fn resolved(&self, scope: &Scope) -> Result<Self, RenderError> {
        let resolved = |one: &Status| match one {
            Status::Template(node) => {
                status(&scope.node(node)?).map_err(|message| RenderError { place: node.place, message })
            }
            known => Ok(known.clone()),
        };
        self.0.iter().map(resolved).collect::<Result<_, _>>().map(Self)
    }

    /// Of a resolved rule.
    pub(crate) fn admits(&self, got: u16) -> bool {
        self.0.iter().any(|status| match status {
            Status::Exactly(code) => *code == got,
            Status::Class(hundreds) => got / 100 == *hundreds,
            Status::Template(_) => false,
        })
    }

    pub(crate) fn words(&self) -> String {
        let word = |status: &Status| match status {
            Status::Exactly(code) => code.to_string(),
            Status::Class(hundreds) => format!("{hundreds}xx"),
            Status::Template(node) => node.as_str().unwrap_or_default().to_owned(),
        };
        self.0.iter().map(word).collect::<Vec<_>>().join(" or ")
    }
}

impl<'de> Deserialize<'de> for StatusRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = Node::deserialize(deserializer)?;
        let read = |node: &Node| match node.as_str().filter(|text| text.contains("{{")) {
            Some(_) => Ok(Status::Template(node.clone())),
            None => status(&node.written()).map_err(D::Error::custom),
        };
        match &node.kind {
            NodeKind::List(items) if !items.is_empty() => items.iter().map(read).collect::<Result<_, _>>().map(Self),
            _ => read(&node).map(|status| Self(vec![status])),
        }
    }
}

fn status(written: &Json) -> Result<Status, String> {
    let class = |text: &str| text.strip_suffix("xx").and_then(|digit| digit.parse().ok());
    let read = match written {
        Json::Number(code) => code.as_u64().and_then(|code| u16::try_from(code).ok()).map(Status::Exactly),
        Json::String(text) => class(text).map(Status::Class).or_else(|| text.parse().ok().map(Status::Exactly)),
        _ => None,
    };
    let is_status = |status: &Status| match status {
        Status::Exactly(code) => (100..600).contains(code),
        Status::Class(hundreds) => (1..6).contains(hundreds),
        Status::Template(_) => false,
    };
    read.filter(is_status).ok_or_else(|| format!("{written} is no status; write 201, \"2xx\", or a list of them"))
}

impl JsonSchema for StatusRule {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Status".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = || {
            serde_json::json!({ "anyOf": [
            { "type": "integer", "minimum": 100, "maximum": 599 }, { "type": "string", "pattern": "^[1-5](xx|[0-9]{2})$|[{][{]" },
        ] })
        };
        json_schema!({ "anyOf": [one(), { "type": "array", "minItems": 1, "items": one() }] })
    }
}

#[cfg(test)]
mod tests {
    use located::Source;

    use super::StatusRule;
    use crate::text::Scope;

    fn read(yaml: &str) -> Result<StatusRule, located::Diagnostics> {
        located::yaml(&Source::new("a.yaml", yaml))
    }

    #[test]
    fn numbers_classes_and_lists_are_rules() {
        let admits = |yaml, got| read(yaml).unwrap().admits(got);
        assert!(admits("201", 201) && !admits("201", 200));
        assert!(admits("2xx", 299) && !admits("2xx", 302));
        assert!(admits("[404, 2xx]", 404) && admits("[404, 2xx]", 200) && !admits("[404, 2xx]", 500));
        assert_eq!(read("[404, 2xx]").unwrap().words(), "404 or 2xx");
    }

    #[test]
    fn a_template_gives_a_status_of_any_form() {
        let mut scope = Scope::default();
        scope.set("code", 201);
        scope.set("class", "4xx");
        let rule = read("['{{ code }}', '{{ class }}']").unwrap().resolved(&scope).unwrap();
        assert!(rule.admits(201) && rule.admits(404) && !rule.admits(200));
        assert_eq!(rule.words(), "201 or 4xx");
        scope.set("code", "fine");
        assert!(read("'{{ code }}'").unwrap().resolved(&scope).unwrap_err().message.contains("is no status"));
    }

    #[test]
    fn what_is_no_status_is_refused() {
        for yaml in ["99", "600", "9xx", "ok", "[]", "{a: 1}", "null", "[200, ok]"] {
            assert!(read(yaml).is_err(), "{yaml}");
        }
    }
}
