//! The general form of an expectation and of a capture: one query, filters, and predicates or a name.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::{Value as Json, json};

use super::{
    Filter, Material, Mismatch, Predicates, Query, Value,
    filter::{Stuck, apply_all},
    query,
};
use crate::text::{Placed, RenderError, Scope};

/// `{jsonpath: "$.items", filters: [count], gt: 3}`
#[derive(Clone, Debug)]
pub(crate) struct Check {
    source: Selection,
    predicates: Predicates,
}

/// A query and what is done to what it finds.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) query: Query,
    filters: Vec<Filter>,
}

/// `{header: X-Token, filters: [{regex: "t=(\\w+)"}], redact: true}`
#[derive(Clone, Debug)]
pub(crate) struct CaptureMap {
    pub(crate) source: Selection,
    pub(crate) redact: bool,
}

impl Selection {
    pub(crate) fn find(&self, material: &Material<'_>, scope: &Scope) -> Result<Option<Value>, Stuck> {
        let found = self.query.find(material, scope)?;
        if self.filters.is_empty() { Ok(found) } else { apply_all(&self.filters, found, scope) }
    }
}

impl Check {
    pub(crate) fn check(&self, material: &Material<'_>, scope: &Scope) -> Result<Vec<Mismatch>, RenderError> {
        let words = self.source.query.words();
        match self.source.find(material, scope) {
            Ok(found) => self.predicates.check_value(&words, found.as_ref(), scope),
            Err(Stuck::Template(error)) => Err(error),
            Err(Stuck::Refused { expected, observed }) => Ok(vec![Mismatch::new(words, expected, observed)]),
        }
    }

    pub(crate) fn query(&self) -> &Query {
        &self.source.query
    }
}

/// What may stand in such a map.
#[derive(Default)]
struct Entry {
    query: Option<Query>,
    filters: Vec<Filter>,
    coerce: bool,
    redact: bool,
    predicates: Predicates,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Check,
    Capture,
}

impl Entry {
    fn read<'de, A: MapAccess<'de>>(mut map: A, form: Form) -> Result<Self, A::Error> {
        let mut entry = Self::default();
        while let Some(name) = map.next_key::<Placed<String>>()? {
            match name.as_str() {
                "filters" => entry.filters = map.next_value()?,
                "coerce" => entry.coerce = map.next_value()?,
                "redact" if form == Form::Capture => entry.redact = map.next_value()?,
                name_of => match (Query::read_entry(name_of, &mut map)?, form) {
                    (Some(_), _) if entry.query.is_some() => {
                        return Err(A::Error::custom(format!("`{name_of}` is a second query; one map holds one")));
                    }
                    (Some(query), _) => entry.query = Some(query),
                    (None, Form::Check) => entry.predicates.read_entry::<A>(&name, &mut map)?,
                    (None, Form::Capture) => {
                        let message = format!("unknown query `{name_of}`, expected one of {}", query::NAMES.join(", "));
                        return Err(A::Error::custom(message));
                    }
                },
            }
        }
        Ok(entry)
    }

    fn selection<E: serde::de::Error>(&mut self) -> Result<Selection, E> {
        let missing = || E::custom(format!("a query is missing: one of {}", query::NAMES.join(", ")));
        let mut query = self.query.take().ok_or_else(missing)?;
        if self.coerce {
            query = query.coerced().map_err(E::custom)?;
        }
        Ok(Selection { query, filters: std::mem::take(&mut self.filters) })
    }
}

impl<'de> Deserialize<'de> for Check {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CheckMap;

        impl<'de> Visitor<'de> for CheckMap {
            type Value = Check;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a map with a query, filters and predicates, like {jsonpath: $.id, filters: [count], gt: 3}",
                )
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Check, A::Error> {
                let mut entry = Entry::read(map, Form::Check)?;
                let source = entry.selection()?;
                if entry.predicates.is_empty() {
                    return Err(A::Error::custom("a query without a predicate checks nothing; add `exists: true`"));
                }
                Ok(Check { source, predicates: entry.predicates })
            }
        }
        deserializer.deserialize_map(CheckMap)
    }
}

impl CaptureMap {
    pub(crate) fn read<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        let mut entry = Entry::read(map, Form::Capture)?;
        let redact = entry.redact;
        Ok(Self { source: entry.selection()?, redact })
    }

    pub(crate) fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut properties: serde_json::Map<_, _> = shared_properties(generator).into_iter().collect();
        properties.insert("redact".to_owned(), json!({ "type": "boolean" }));
        json_schema!({ "type": "object", "additionalProperties": false, "properties": properties, "minProperties": 1 })
    }
}

fn shared_properties(generator: &mut SchemaGenerator) -> Vec<(String, Json)> {
    let filters = generator.subschema_for::<Vec<Filter>>();
    let mut all: Vec<_> =
        Query::schema_properties().into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    all.push(("filters".to_owned(), filters.to_value()));
    all.push(("coerce".to_owned(), json!({ "type": "boolean" })));
    all
}

impl JsonSchema for Check {
    fn schema_name() -> Cow<'static, str> {
        "Check".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let shared = shared_properties(generator);
        let extra: Vec<_> = shared.iter().map(|(name, schema)| (name.as_str(), schema.clone())).collect();
        Predicates::object_schema(generator, &extra, &[])
    }
}

#[cfg(test)]
mod tests {
    use located::Source;

    use super::Check;
    use crate::{
        expect::{Material, Mismatch, Redirect, Response},
        text::Scope,
    };

    fn read(yaml: &str) -> Result<Check, String> {
        located::yaml(&Source::new("a.yaml", yaml)).map_err(|error| error.to_string())
    }

    fn check(yaml: &str, body: &[u8]) -> Vec<String> {
        let headers = [
            ("content-type", "text/html; charset=iso-8859-1"),
            ("x-one", "1"),
            ("x-two", "a"),
            ("x-two", "b"),
            ("set-cookie", "session=abc; Path=/app; Max-Age=60; Secure; HttpOnly; SameSite=Lax; Domain=example.org"),
            ("set-cookie", "old=; Expires=Wed, 21 Oct 2015 07:28:00 GMT"),
        ];
        let response = Response {
            status: 200,
            version: "1.1",
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            url: "http://a/b?c=d".to_owned(),
            ip: Some("127.0.0.1".to_owned()),
            latency: std::time::Duration::from_millis(12),
            redirects: vec![Redirect {
                method: "GET".to_owned(),
                url: "http://a/".to_owned(),
                status: 302,
                location: "http://a/b?c=d".to_owned(),
            }],
            certificate: None,
            encoded: Some(b"zipped".to_vec()),
        };
        let material = Material::bytes(body).of_response(&response);
        let mut scope = Scope::default();
        scope.set("known", 7);
        let found = read(yaml).unwrap().check(&material, &scope).unwrap();
        found.iter().map(Mismatch::message).collect()
    }

    #[test]
    fn every_query_finds_what_it_names() {
        let body = b"<title>caf\xe9</title>";
        for yaml in [
            "{status: true, equals: 200}",
            "{http_version: true, equals: '1.1'}",
            "{url: true, filters: [{url_query_param: c}], equals: d}",
            "{ip: true, type: ipv4}",
            "{duration_ms: true, lt: 13}",
            "{header: X-One, filters: [to_int], equals: 1}",
            "{header: x-two, equals: [a, b]}",
            "{header: none, exists: false}",
            "{cookie: session, equals: abc}",
            "{cookie: 'session[Path]', equals: /app}",
            "{cookie: 'session[Max-Age]', gt: 59}",
            "{cookie: 'session[Secure]', exists: true}",
            "{cookie: 'session[HttpOnly]', exists: true}",
            "{cookie: 'session[SameSite]', equals: Lax}",
            "{cookie: 'session[Domain]', equals: example.org}",
            "{cookie: 'session[Expires]', exists: false}",
            "{cookie: 'old[Expires]', filters: [days_before_now], gt: 1000}",
            "{cookie: 'old[Secure]', exists: false}",
            "{cookie: none, exists: false}",
            "{body: true, contains: café}",
            "{bytes: true, contains: {hex: e9}}",
            "{rawbytes: true, equals: {text: zipped}}",
            "{xpath: 'string(//title)', equals: café}",
            "{xpath: //p, exists: false}",
            "{xpath: //title, filters: [count], equals: 1}",
            "{regex: '<t(.*?)>', equals: itle}",
            "{redirects: true, filters: [{nth: 0}, location], ends_with: d}",
            "{redirects: true, filters: [count], equals: 1}",
            "{variable: known, equals: 7}",
            "{variable: none, exists: false}",
            "{certificate: subject, exists: false}",
            "{certificate: serial_number, exists: false}",
            "{sha256: true, filters: [to_hex], length: 64}",
            "{md5: true, length: 16}",
        ] {
            assert_eq!(check(yaml, body), Vec::<String>::new(), "{yaml}");
        }
        assert!(check("{jsonpath: '$[*]', coerce: true, equals: 7}", b"[7]").is_empty());
        assert!(check("{jsonpath: '$[*]', equals: [7]}", b"[7]").is_empty());
        assert!(check("{md5: true, equals: {hex: 900150983cd24fb0d6963f7d28e17f72}}", b"abc").is_empty());
    }

    #[test]
    fn what_does_not_hold_names_the_query() {
        assert_eq!(check("{status: true, equals: 201}", b""), ["status: expected 201, got 200"]);
        assert_eq!(
            check("{jsonpath: $.a, exists: false}", b"<html>"),
            ["jsonpath $.a: expected JSON, got expected value at line 1 column 1 in <html>"],
            "what cannot be looked at is not absent"
        );
        assert_eq!(
            check("{header: none, filters: [to_int], exists: false}", b""),
            ["header none: expected a value for the filter `to_int`, got nothing there"]
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_not_looked_at_as_one() {
        let material = Material::bytes(b"ok \xff");
        for yaml in ["{body: true, contains: ok}", "{regex: ok, exists: true}", "{xpath: //a, exists: false}"] {
            let found = read(yaml).unwrap().check(&material, &Scope::default()).unwrap();
            assert_eq!(found.len(), 1, "{yaml}");
            assert!(found[0].message().contains("expected a text in UTF-8, got"), "{found:?}");
        }
        assert!(
            read("{bytes: true, contains: {hex: ff}}").unwrap().check(&material, &Scope::default()).unwrap().is_empty()
        );
    }

    #[test]
    fn a_map_has_one_query_and_at_least_one_predicate() {
        for (yaml, message) in [
            ("{jsonpath: $.a}", "checks nothing"),
            ("{exists: true}", "a query is missing"),
            ("{jsonpath: $.a, status: true, exists: true}", "second query"),
            ("{jsonpath: $.a, equal: 1}", "unknown predicate `equal`"),
            ("{status: false, equals: 1}", "write `true`"),
            ("{jsonpath: 'a[', exists: true}", "no JSONPath"),
            ("{xpath: '//[', exists: true}", "no XPath"),
            ("{regex: '[', exists: true}", "no regular expression"),
            ("{status: true, coerce: true, exists: true}", "belongs to a `jsonpath`"),
            ("{cookie: 'a[Size]', exists: true}", "unknown attribute"),
            ("{body: true, filters: [counts], equals: 1}", "did you mean `count`?"),
            ("{body: true, redact: true, equals: 1}", "unknown predicate `redact`"),
        ] {
            let error = read(yaml).unwrap_err();
            assert!(error.contains(message), "{yaml}: {error}");
        }
    }
}
