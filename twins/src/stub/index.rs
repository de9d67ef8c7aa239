//! Where to look for the stub of a request, so that five hundred on one path cost what one does: by path, and among
//! many of one path by a value that each asks for. It leaves out only stubs that cannot fit; who fits is asked then.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, LazyLock},
};

use regex::{Regex, RegexSet, RegexSetBuilder};
use serde_json::Value as Json;
use serde_json_path::JsonPath;

use super::{Stub, Where, json::is_hole, matcher::Matcher, view::View};

const SET_BYTES_MAX: usize = 64 * 1024 * 1024; // compiled: thousands of patterns
const GROUP_MIN: usize = 8; // fewer are asked one after the other
const FIELDS_MAX: usize = 8; // of one group; each costs every request a look

/// A path that looks for items with a field of one value: `$.items[?@.id == 'a']`.
static FILTER: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"^([^?]*)\[\?\(?\s*@([^=?&|!<>()]*?)\s*==\s*(?:'([^'\\]*)'|"([^"\\]*)")\s*\)?\]$"#;
    Regex::new(pattern).expect("a literal pattern")
});

/// Places of stubs, in the order in which they are asked.
pub(super) struct Index {
    by_path: HashMap<String, Group>,
    path_patterns: RegexSet,
    of_path_pattern: Vec<usize>,
    url_patterns: RegexSet,
    of_url_pattern: Vec<usize>,
    anywhere: Group,
}

/// Stubs of one path, each below one value that it asks for.
#[derive(Default)]
struct Group {
    fields: Vec<Asked>,
    /// They ask for none.
    rest: Vec<usize>,
}

/// What of a request a stub compares with a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Field {
    Method,
    Query(String),
    Header(String),
    Cookie(String),
    Body,
    /// What this JSON path finds there.
    InBody(String),
}

/// A field, and the text that a stub wants there.
struct Key {
    field: Field,
    /// Of a field in the body.
    path: Option<JsonPath>,
    value: String,
}

/// Stubs by what they want in one field.
struct Asked {
    field: Field,
    path: Option<JsonPath>,
    by_value: HashMap<String, Vec<usize>>,
}

impl Index {
    pub(super) fn of(stubs: &[Arc<Stub>]) -> Self {
        let mut by_path: HashMap<String, Vec<usize>> = HashMap::new();
        let (mut paths, mut urls, mut anywhere) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()), Vec::new());
        for (place, stub) in stubs.iter().enumerate() {
            match &stub.at {
                Where::Path(path) => by_path.entry(path.clone()).or_default().push(place),
                Where::Url(url) => {
                    let path = url.split('?').next().unwrap_or_default();
                    by_path.entry(path.to_owned()).or_default().push(place);
                }
                Where::PathPattern(pattern, _) => {
                    paths.0.push(pattern.as_str());
                    paths.1.push(place);
                }
                Where::UrlPattern(pattern) => {
                    urls.0.push(pattern.as_str());
                    urls.1.push(place);
                }
                Where::Anywhere => anywhere.push(place),
            }
        }
        // A set that is too large to compile: then each is asked by itself.
        let set = |(patterns, places): (Vec<&str>, Vec<usize>), anywhere: &mut Vec<usize>| {
            let built = RegexSetBuilder::new(patterns).dot_matches_new_line(true).size_limit(SET_BYTES_MAX).build();
            built.map(|set| (set, places.clone())).unwrap_or_else(|_| {
                anywhere.extend(places);
                (RegexSet::empty(), Vec::new())
            })
        };
        let (path_patterns, of_path_pattern) = set(paths, &mut anywhere);
        let (url_patterns, of_url_pattern) = set(urls, &mut anywhere);
        let by_path = by_path.into_iter().map(|(path, places)| (path, Group::of(places, stubs))).collect();
        let anywhere = Group::of(anywhere, stubs);
        Self { by_path, path_patterns, of_path_pattern, url_patterns, of_url_pattern, anywhere }
    }

    /// Which stubs can fit the request, in the order in which they are asked.
    pub(super) fn candidates(&self, view: &View<'_>) -> Vec<usize> {
        let path = view.request.path.as_str();
        let mut found = Vec::new();
        if let Some(group) = self.by_path.get(path) {
            group.gather(view, &mut found);
        }
        if !self.of_path_pattern.is_empty() {
            found.extend(self.path_patterns.matches(path).iter().map(|place| self.of_path_pattern[place]));
        }
        if !self.of_url_pattern.is_empty() {
            found.extend(self.url_patterns.matches(&view.url()).iter().map(|place| self.of_url_pattern[place]));
        }
        self.anywhere.gather(view, &mut found);
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl Group {
    /// Each stub goes below the field that tells most stubs of the group apart.
    fn of(places: Vec<usize>, stubs: &[Arc<Stub>]) -> Self {
        if places.len() < GROUP_MIN {
            return Self { fields: Vec::new(), rest: places };
        }
        let keys: Vec<_> = places.iter().map(|place| keys(&stubs[*place])).collect();
        let mut values: BTreeMap<&Field, BTreeSet<&str>> = BTreeMap::new();
        for key in keys.iter().flatten() {
            values.entry(&key.field).or_default().insert(&key.value);
        }
        let mut best: Vec<_> = values.iter().map(|(field, values)| (values.len(), *field)).collect();
        best.sort_unstable_by(|one, other| other.cmp(one));
        best.truncate(FIELDS_MAX);
        let asked = |field: &Field| {
            let path = keys.iter().flatten().find(|key| key.field == *field).and_then(|key| key.path.clone());
            Asked { field: field.clone(), path, by_value: HashMap::new() }
        };
        let mut fields: Vec<_> = best.into_iter().map(|(_, field)| asked(field)).collect();
        let mut rest = Vec::new();
        for (place, keys) in places.into_iter().zip(&keys) {
            let below = fields.iter_mut().find_map(|asked| {
                let key = keys.iter().find(|key| key.field == asked.field)?;
                Some(asked.by_value.entry(key.value.clone()).or_default())
            });
            below.unwrap_or(&mut rest).push(place);
        }
        fields.retain(|asked| !asked.by_value.is_empty());
        Self { fields, rest }
    }

    fn gather(&self, view: &View<'_>, found: &mut Vec<usize>) {
        for asked in &self.fields {
            asked.values(view, &mut |value| found.extend(asked.by_value.get(value).into_iter().flatten()));
        }
        found.extend(&self.rest);
    }
}

impl Asked {
    /// Every text that the field has in the request.
    fn values(&self, view: &View<'_>, see: &mut impl FnMut(&str)) {
        match &self.field {
            Field::Method => see(&view.request.method),
            Field::Query(name) => view.query(name).into_iter().for_each(see),
            Field::Header(name) => view.header(name).into_iter().for_each(see),
            Field::Cookie(name) => view.cookie(name).into_iter().for_each(see),
            Field::Body => see(&view.body().text),
            Field::InBody(_) => {
                let (Some(json), Some(path)) = (view.body().json(), &self.path) else { return };
                path.query(json).iter().for_each(|node| match node {
                    Json::String(text) => see(text),
                    other => see(&other.to_string()),
                });
            }
        }
    }
}

impl Key {
    fn new(field: Field, value: &str) -> Self {
        Self { field, path: None, value: value.to_owned() }
    }

    fn in_body(path: JsonPath, value: &str) -> Self {
        Self { field: Field::InBody(path.to_string()), path: Some(path), value: value.to_owned() }
    }
}

/// Each field without whose value the stub does not fit.
fn keys(stub: &Stub) -> Vec<Key> {
    let equal = |conditions: &[(String, Matcher)], field: fn(String) -> Field| -> Vec<Key> {
        let wanted = conditions.iter().filter_map(|(name, matcher)| Some((name, matcher.equals()?)));
        wanted.map(|(name, value)| Key::new(field(name.clone()), value)).collect()
    };
    let mut keys: Vec<_> = stub.method.iter().map(|method| Key::new(Field::Method, method)).collect();
    keys.extend(equal(&stub.query, Field::Query));
    keys.extend(equal(&stub.headers, Field::Header));
    keys.extend(equal(&stub.cookies, Field::Cookie));
    for matcher in &stub.body {
        keys.extend(matcher.equals().map(|value| Key::new(Field::Body, value)));
        of_body(matcher, &mut keys);
    }
    keys
}

fn of_body(matcher: &Matcher, keys: &mut Vec<Key>) {
    match matcher {
        Matcher::All(all) => all.iter().for_each(|matcher| of_body(matcher, keys)),
        Matcher::Json(Json::Object(wanted), _) => {
            for (name, value) in wanted {
                let path = JsonPath::parse(&format!("$[{}]", Json::from(name.as_str())));
                if let (Json::String(text), Ok(path)) = (value, path)
                    && !is_hole(text)
                {
                    keys.push(Key::in_body(path, text));
                }
            }
        }
        Matcher::JsonPath(path, Some(inner)) => {
            keys.extend(inner.equals().map(|value| Key::in_body((**path).clone(), value)));
        }
        Matcher::JsonPath(path, None) => keys.extend(filtered(path)),
        _ => {}
    }
}

/// The field and the value of a path that ends with a filter.
fn filtered(path: &JsonPath) -> Option<Key> {
    let text = path.to_string();
    let found = FILTER.captures(&text)?;
    let value = found.get(3).or_else(|| found.get(4))?.as_str();
    let path = JsonPath::parse(&format!("{}[*]{}", &found[1], &found[2])).ok()?;
    Some(Key::in_body(path, value))
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use serde_json::json;

    use super::*;
    use crate::{http::Request, stub::StubFile};

    const MANY: usize = 100;

    fn stubs(one: impl Fn(usize) -> Json) -> Vec<Arc<Stub>> {
        let compile = |n: usize| {
            let file: StubFile = serde_json::from_value(one(n)).expect("is a stub");
            Arc::new(Stub::compile(&file, n.to_string(), Json::Null).expect("is sound"))
        };
        (0..MANY).map(compile).collect()
    }

    /// The candidates among many stubs; whoever fits must be among them.
    fn asked(one: impl Fn(usize) -> Json, request: &Request) -> Vec<usize> {
        let (stubs, view) = (stubs(one), View::new(request));
        let candidates = Index::of(&stubs).candidates(&view);
        let fitting: Vec<_> = (0..MANY).filter(|place| stubs[*place].fits(&view)).collect();
        assert!(fitting.iter().all(|place| candidates.contains(place)), "{fitting:?} of {candidates:?}");
        assert!(!fitting.is_empty(), "the request is one that a stub takes");
        candidates
    }

    fn post(body: &Json) -> Request {
        let mut request = Request::bare("POST", "/a?page=7&page=9");
        request.body = Bytes::from(body.to_string());
        request
    }

    #[test]
    fn among_many_stubs_of_a_path_only_those_with_the_value_are_asked() {
        let request = post(&json!({"id": "x7", "n": 7, "items": [{"id": "x3"}, {"id": "x7"}]}));
        let path = |rest: Json| {
            move |n: usize| {
                let text = rest.to_string().replace("NUMBER", &n.to_string());
                let mut stub: Json = serde_json::from_str(&text).expect("is JSON");
                stub["path"] = json!("/a");
                stub
            }
        };
        assert_eq!(asked(path(json!({"query": {"page": "NUMBER"}})), &request), [7, 9]);
        assert_eq!(asked(path(json!({"body": [{"json_path": "$.id", "is": "xNUMBER"}]})), &request), [7]);
        assert_eq!(asked(path(json!({"body": [{"json_path": "$.n", "is": "NUMBER"}]})), &request), [7]);
        assert_eq!(asked(path(json!({"body": [{"json_path": "$.items[?@.id == 'xNUMBER']"}]})), &request), [3, 7]);
        let json = json!({"body": [{"json": {"id": "xNUMBER"}, "extra_fields": true}]});
        assert_eq!(asked(path(json), &request), [7]);
        let both = json!({"method": "POST", "body": [{"json_path": "$.n"}, {"json_path": "$.id", "is": "xNUMBER"}]});
        assert_eq!(asked(path(both), &request), [7], "by the field that tells most of them apart");
    }

    #[test]
    fn what_has_no_value_to_look_for_is_asked_as_ever() {
        let request = post(&json!({"id": "x7"}));
        let body = |n: usize| match n % 4 {
            0 => json!({"json_path": "$.id", "is": format!("x{n}")}),
            1 => json!({"json_path": "$.id", "is": {"not": "x8"}}),
            2 => json!({"json": {"id": "${json-unit.any-string}"}}),
            _ => json!({"any_of": [{"contains": "x7"}, "else"]}),
        };
        let candidates = asked(|n| json!({"path": "/a", "body": [body(n)]}), &request);
        assert_eq!(candidates, (0..MANY).filter(|n| n % 4 != 0).collect::<Vec<_>>());
    }

    #[test]
    fn stubs_of_any_path_are_found_by_value_too() {
        let request = post(&json!({"query": "q7"}));
        assert_eq!(asked(|n| json!({"body": [{"json_path": "$.query", "is": format!("q{n}")}]}), &request), [7]);
    }
}
