//! What is said of a response: expectations and captures.

use located::Source;
use serde::de::DeserializeOwned;

use super::{
    ast::{
        Argument, Assert, Body, BodyKind, Capture, Filter, Json, Piece, Predicate, PredicateValue, Query, Response,
        Template,
    },
    convert::Converter,
};
use crate::{
    expect::Check,
    import::{
        escaped,
        write::{Map, Yaml},
    },
    step::capture::CaptureRule,
};

pub(super) fn response(response: &Response, converter: &mut Converter<'_>, step: &mut Map, comments: &mut Vec<String>) {
    let mut expect = Map::new();
    expect.set_some("http_version", response.version);
    match response.status {
        Some(status) if (100..600).contains(&status) => expect.set("status", Yaml::Number(status.to_string())),
        // No answer has it, and the format refuses it: the check is kept, and fails as it does in Hurl.
        Some(status) => {
            let check = Map::one("status", true).with("equals", Yaml::Number(status.to_string()));
            expect.set("checks", vec![check.into()]);
        }
        None => {}
    }
    let headers = converter.pairs(&response.headers);
    let mut checks = Vec::new();
    if let Some(Yaml::List(first)) = expect.get("checks") {
        checks.clone_from(first);
    }
    converter.headers(headers, &mut expect, &mut checks);
    if let Some(body) = &response.body {
        converter.expected_body(body, &mut expect, &mut checks, comments);
    }
    let mut captures = Map::new();
    for capture in &response.captures {
        converter.capture(capture, &mut captures, comments);
    }
    for assert in &response.asserts {
        let check = converter.check(assert, comments);
        checks.push(check.into());
    }
    if !checks.is_empty() {
        expect.set("checks", Yaml::List(checks).spread());
    }
    if !expect.is_empty() {
        step.set("expect", expect);
    }
    if !captures.is_empty() {
        step.set("capture", captures);
    }
}

impl Converter<'_> {
    /// One of a header's values must be the written one. A name that stands several times needs all of its values.
    fn headers(&mut self, headers: Map, expect: &mut Map, checks: &mut Vec<Yaml>) {
        let mut first = Map::new();
        for (name, value) in headers.0 {
            let Yaml::List(values) = value else {
                first.set(&name, value);
                continue;
            };
            for value in values {
                checks.push(Map::one("header", name.as_str()).with("contains", value).into());
            }
        }
        if !first.is_empty() {
            expect.set("headers", first);
        }
    }

    /// Hurl compares the text, spaces included.
    fn expected_body(&mut self, body: &Body, expect: &mut Map, checks: &mut Vec<Yaml>, comments: &mut Vec<String>) {
        match &body.kind {
            BodyKind::Json(_, text) | BodyKind::Xml(text) | BodyKind::Text(text, _) => {
                expect.set("body", self.names.text(text, &mut self.notes));
            }
            BodyKind::Graphql { query, variables } => {
                let mut members = vec![(Template::text("query"), Json::Text(query.clone()))];
                if let Some((_, written)) = variables {
                    members.push((Template::text("variables"), Json::Text(written.clone())));
                }
                let text = self.json(&Json::Object(members));
                comments.push(self.notes.todo(body.place, "a GraphQL query is no response; the fields are compared"));
                expect.set("json", text);
            }
            BodyKind::Bytes(bytes) => checks.push(Map::one("bytes", true).with("equals", written_bytes(bytes)).into()),
            BodyKind::File(file) => {
                let value = self.file_bytes(file, body.place, comments);
                checks.push(Map::one("bytes", true).with("equals", value).into());
            }
        }
    }

    fn capture(&mut self, capture: &Capture, captures: &mut Map, comments: &mut Vec<String>) {
        let mut rule = self.query(&capture.query, capture.place);
        self.filters(&capture.filters, &mut rule);
        if capture.redact {
            rule.set("redact", true);
        }
        let rule = match refusal::<CaptureRule>(&rule) {
            None => short(rule),
            Some(reason) => {
                comments.push(
                    self.notes.todo(capture.place, format!("this captures nothing until it is written anew: {reason}")),
                );
                Map::one("variable", NOTHING).into()
            }
        };
        let name = match capture.name.literal() {
            Some(name) => name,
            None => {
                comments.push(self.notes.todo(capture.place, "a capture's name takes no variable"));
                "captured".to_owned()
            }
        };
        captures.set(&self.names.capture(&name), rule);
    }

    fn check(&mut self, assert: &Assert, comments: &mut Vec<String>) -> Map {
        let mut check = self.query(&assert.query, assert.place);
        self.filters(&assert.filters, &mut check);
        // Without a group Hurl finds nothing, where the format gives the whole match.
        if is_without_group(&assert.query, &assert.filters) {
            comments.push(
                self.notes
                    .todo(assert.place, "a pattern without a group finds nothing in Hurl; add the group that is meant"),
            );
            check = Map::one("variable", NOTHING);
        }
        let predicates = self.predicate(&assert.predicate, assert.place, comments);
        match (assert.not, &predicates.0[..]) {
            (true, [(name, Yaml::Bool(true))]) if name == "exists" => check.set("exists", false),
            (true, _) => check.set("not", predicates),
            (false, _) => predicates.0.into_iter().for_each(|(name, value)| check.set(&name, value)),
        }
        // `includes` looks at lists only, also where it is turned.
        if assert.predicate.name == "includes" {
            check.set("type", "array");
        }
        match refusal::<Check>(&check) {
            None => check,
            Some(reason) => {
                comments.push(self.notes.todo(assert.place, format!("this fails until it is written anew: {reason}")));
                Map::one("variable", NOTHING).with("exists", true)
            }
        }
    }

    fn query(&mut self, query: &Query, place: located::Place) -> Map {
        let name = match query.name {
            "version" => "http_version",
            "duration" => "duration_ms",
            same => same,
        };
        let value = match &query.argument {
            None => Yaml::Bool(true),
            Some(Argument::Text(template)) if name == "variable" => {
                let variable = template.literal().unwrap_or_default();
                match self.options.variables.contains_key(&variable) {
                    true => self.names.name(&variable, place, &mut self.notes).into(),
                    false => self.names.sought(&variable).into(),
                }
            }
            Some(Argument::Text(template)) if name == "certificate" => {
                let attribute = template.literal().unwrap_or_default().to_lowercase().replace('-', "_");
                attribute.into()
            }
            Some(argument) => self.argument(argument),
        };
        let many = name == "jsonpath" && !matches!(&value, Yaml::Text(path) if finds_one(path));
        let mut query = Map::one(name, value);
        // One value that a path finds among several stands for itself in Hurl.
        if many {
            query.set("coerce", true);
        }
        query
    }

    fn argument(&mut self, argument: &Argument) -> Yaml {
        match argument {
            Argument::Text(template) => self.names.text(template, &mut self.notes).into(),
            Argument::Regex(pattern) => escaped(pattern).into(),
            Argument::Integer(number) => (*number).into(),
            Argument::Placeholder(placeholder) => self.names.typed(placeholder, &mut self.notes),
            Argument::Cookie(name, attribute) => {
                let name = self.names.text(name, &mut self.notes);
                match attribute.as_deref() {
                    None | Some("value") => name.into(),
                    Some(attribute) => format!("{name}[{attribute}]").into(),
                }
            }
        }
    }

    fn filters(&mut self, filters: &[Filter], rule: &mut Map) {
        if filters.is_empty() {
            return;
        }
        let filters = filters.iter().map(|filter| self.filter(filter)).collect::<Vec<_>>();
        rule.set("filters", filters);
    }

    fn filter(&mut self, filter: &Filter) -> Yaml {
        let name = match filter.name {
            "charsetDecode" => "decode".to_owned(),
            "format" => "date_format".to_owned(),
            name => snake_case(name),
        };
        let arguments: Vec<_> = filter.arguments.iter().map(|argument| self.argument(argument)).collect();
        match &arguments[..] {
            [] => name.into(),
            [Yaml::Text(path)] if name == "jsonpath" && !finds_one(path) => {
                Map::one("jsonpath_coerced", path.as_str()).into()
            }
            [one] => Map::one(&name, one.clone()).into(),
            [old, new, ..] => {
                let first = if name == "replace_regex" { "pattern" } else { "old" };
                Map::one(&name, Map::one(first, old.clone()).with("new", new.clone())).into()
            }
        }
    }

    fn predicate(&mut self, predicate: &Predicate, place: located::Place, comments: &mut Vec<String>) -> Map {
        let kind = match predicate.name {
            "exists" => return Map::one("exists", true),
            "isEmpty" => return Map::one("empty", true),
            "isIpv4" => "ipv4",
            "isIpv6" => "ipv6",
            "isIsoDate" => "iso_date",
            question if question.starts_with("is") => return Map::one("type", question[2..].to_lowercase()),
            _ => "",
        };
        if !kind.is_empty() {
            return Map::one("type", kind);
        }
        let name = match predicate.name {
            "==" => "equals",
            "!=" => "not_equals",
            ">" => "gt",
            ">=" => "gte",
            "<" => "lt",
            "<=" => "lte",
            "startsWith" => "starts_with",
            "endsWith" => "ends_with",
            "contains" | "includes" => "contains",
            _ => "matches",
        };
        let value = predicate.value.as_ref().map_or(Yaml::Null, |value| self.predicate_value(value, place, comments));
        Map::one(name, value)
    }

    fn predicate_value(&mut self, value: &PredicateValue, place: located::Place, comments: &mut Vec<String>) -> Yaml {
        match value {
            PredicateValue::Null => Yaml::Null,
            PredicateValue::Bool(value) => (*value).into(),
            PredicateValue::Number(number) => Yaml::Number(number.clone()),
            PredicateValue::Text(text) => self.names.text_value(text, &mut self.notes),
            PredicateValue::Regex(pattern) => escaped(pattern).into(),
            PredicateValue::Bytes(bytes) => written_bytes(bytes).into(),
            PredicateValue::File(file) => self.file_bytes(file, place, comments),
            PredicateValue::Placeholder(placeholder) => self.names.typed(placeholder, &mut self.notes),
        }
    }

    /// What is in a file, written out: a check has no files.
    fn file_bytes(&mut self, file: &Template, place: located::Place, comments: &mut Vec<String>) -> Yaml {
        const BYTES_MAX: u64 = 64 * 1024; // longer ones make no scenario that a person reads
        let path = file.literal().map(|name| self.options.root.join(name));
        let small = path.filter(|path| path.metadata().is_ok_and(|metadata| metadata.len() <= BYTES_MAX));
        match small.map(std::fs::read) {
            Some(Ok(bytes)) => written_bytes(&bytes).into(),
            _ => {
                let name: String = file
                    .0
                    .iter()
                    .map(|piece| match piece {
                        Piece::Text(text) => text.as_str(),
                        Piece::Placeholder(_) => "…",
                    })
                    .collect();
                let message = format!("write the bytes of `{name}` here, or their `sha256` in another check");
                comments.push(self.notes.todo(place, message));
                Map::one("hex", "").into()
            }
        }
    }
}

/// Whether the value comes from a pattern that has no group.
fn is_without_group(query: &Query, filters: &[Filter]) -> bool {
    let last = match filters.last() {
        Some(filter) if filter.name == "regex" => filter.arguments.first(),
        None if query.name == "regex" => query.argument.as_ref(),
        Some(_) | None => None,
    };
    let pattern = match last {
        Some(Argument::Regex(pattern)) => Some(pattern.clone()),
        Some(Argument::Text(template)) => template.literal(),
        _ => None,
    };
    pattern
        .and_then(|pattern| crate::expect::compile_regex(&pattern).ok())
        .is_some_and(|regex| regex.captures_len() == 1)
}

/// A variable that is never there: what looks at it fails, and is seen.
const NOTHING: &str = "TODO";

/// Why the format does not take a rule: a path, a pattern or an expression that is none.
fn refusal<T: DeserializeOwned>(rule: &Map) -> Option<String> {
    let source = Source::new("rule", Yaml::from(rule.clone()).document());
    let refused = located::yaml::<T>(&source).err()?;
    let message = refused.0.into_iter().next().map(|diagnostic| diagnostic.message)?;
    Some(message.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A lone path is written without its name.
fn short(rule: Map) -> Yaml {
    match &rule.0[..] {
        [(name, path @ Yaml::Text(text))] if name == "jsonpath" && finds_one(text) => path.clone(),
        _ => rule.into(),
    }
}

/// Whether a path can find one value only.
fn finds_one(path: &str) -> bool {
    !path.contains("..") && !path.contains(['*', '?', ':', ','])
}

fn written_bytes(bytes: &[u8]) -> Map {
    Map::one("hex", hex::encode(bytes))
}

fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
