//! The filter language of SCIM (RFC 7644, 3.4.2.2), which Okta's `search` and `filter` speak too. `parse` reads a text;
//! here a filter is held against a JSON object.
//!
//! Names are compared in any case where the service says so; the path of a filter may lead through arrays, and then
//! one element that fits is enough.

mod parse;

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::Value;

/// A condition on an object.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    Any(Vec<Self>),
    All(Vec<Self>),
    Not(Box<Self>),
    Present(Path),
    Compare(Path, Operator, Value),
    /// `emails[type eq "work"]`: one element for which all of it holds.
    Has(Path, Box<Self>),
}

/// `profile.login`, `urn:…:User:name.givenName`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Path {
    /// The part of a long name before the attribute.
    pub(super) schema: Option<String>,
    pub(super) names: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
}

/// How a service compares.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    /// Whether `username` names `userName`.
    pub(super) names_in_any_case: bool,
    /// Attributes whose text is compared letter by letter; all others in any case.
    pub(super) exact: &'static [&'static str],
}

impl Filter {
    pub(super) fn fits(&self, object: &Value, rules: Rules) -> bool {
        match self {
            Self::Any(filters) => filters.iter().any(|filter| filter.fits(object, rules)),
            Self::All(filters) => filters.iter().all(|filter| filter.fits(object, rules)),
            Self::Not(filter) => !filter.fits(object, rules),
            Self::Present(path) => path.values(object, rules).into_iter().any(is_something),
            Self::Has(path, filter) => {
                path.values(object, rules).into_iter().any(|element| filter.fits(element, rules))
            }
            Self::Compare(path, operator, wanted) => {
                let is_exact = path.names.last().is_some_and(|name| rules.exact.contains(&name.as_str()));
                let values = path.values(object, rules);
                let holds = |value: &&Value| operator.holds(plain(value), wanted, is_exact);
                match operator {
                    Operator::Ne => !values.iter().any(|value| Operator::Eq.holds(plain(value), wanted, is_exact)),
                    Operator::Eq if wanted.is_null() => !values.into_iter().any(is_something),
                    _ => values.iter().any(holds),
                }
            }
        }
    }

    /// Every path that the filter asks for, with its operator; none: whether it is there.
    pub(super) fn paths(&self) -> Vec<(&Path, Option<Operator>)> {
        match self {
            Self::Any(filters) | Self::All(filters) => filters.iter().flat_map(Self::paths).collect(),
            Self::Not(filter) => filter.paths(),
            Self::Present(path) => vec![(path, None)],
            Self::Compare(path, operator, _) => vec![(path, Some(*operator))],
            Self::Has(path, filter) => std::iter::once((path, None)).chain(filter.paths()).collect(),
        }
    }
}

impl Path {
    /// All values that the path leads to; the elements of an array, not the array.
    pub(super) fn values<'v>(&self, object: &'v Value, rules: Rules) -> Vec<&'v Value> {
        let root = match &self.schema {
            Some(schema) => member(object, schema, rules).unwrap_or(object),
            None => object,
        };
        let mut found = vec![root];
        for name in &self.names {
            let inside = found.into_iter().filter_map(|value| member(value, name, rules));
            found = inside.flat_map(elements).collect();
        }
        found
    }

    pub(super) fn dotted(&self) -> String {
        self.names.join(".")
    }
}

/// Text, numbers and instants in their order; what is missing comes last.
pub(super) fn order(one: Option<&Value>, other: Option<&Value>) -> Ordering {
    match (one.map(plain), other.map(plain)) {
        (Some(one), Some(other)) => compared(one, other, false).unwrap_or(Ordering::Equal),
        (one, other) => other.is_some().cmp(&one.is_some()),
    }
}

/// The member of an object, by its name.
pub(super) fn member<'v>(object: &'v Value, name: &str, rules: Rules) -> Option<&'v Value> {
    let map = object.as_object()?;
    let in_any_case = || map.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    map.get(name).or_else(|| if rules.names_in_any_case { in_any_case() } else { None })
}

fn elements(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        one => Box::new(std::iter::once(one)),
    }
}

/// What is compared of an element with several members: its `value`.
fn plain(value: &Value) -> &Value {
    value.as_object().and_then(|map| map.get("value")).unwrap_or(value)
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

impl Operator {
    fn holds(self, value: &Value, wanted: &Value, is_exact: bool) -> bool {
        let part = |f: fn(&str, &str) -> bool| match (value.as_str(), wanted.as_str()) {
            (Some(value), Some(wanted)) if is_exact => f(value, wanted),
            (Some(value), Some(wanted)) => f(&value.to_lowercase(), &wanted.to_lowercase()),
            _ => false,
        };
        let ordered = |is_meant: fn(Ordering) -> bool| compared(value, wanted, is_exact).is_some_and(is_meant);
        match self {
            Self::Eq => ordered(Ordering::is_eq),
            Self::Ne => !ordered(Ordering::is_eq),
            Self::Co => part(|value, wanted| value.contains(wanted)),
            Self::Sw => part(|value, wanted| value.starts_with(wanted)),
            Self::Ew => part(|value, wanted| value.ends_with(wanted)),
            Self::Gt => ordered(Ordering::is_gt),
            Self::Ge => ordered(Ordering::is_ge),
            Self::Lt => ordered(Ordering::is_lt),
            Self::Le => ordered(Ordering::is_le),
        }
    }
}

/// The letters of a text, for comparing it in any case.
pub(super) fn lower(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

fn instant(text: &str) -> Option<Timestamp> {
    text.starts_with(|first: char| first.is_ascii_digit()).then(|| text.parse().ok())?
}

/// None where the two are of different kinds.
fn compared(one: &Value, other: &Value, is_exact: bool) -> Option<Ordering> {
    match (one, other) {
        (Value::String(one), Value::String(other)) => Some(match instant(one).zip(instant(other)) {
            Some((one, other)) => one.cmp(&other),
            None if is_exact => one.cmp(other),
            None => lower(one).cmp(lower(other)),
        }),
        (Value::Number(one), Value::Number(other)) => one.as_f64()?.partial_cmp(&other.as_f64()?),
        (Value::Bool(one), Value::Bool(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RULES: Rules = Rules { names_in_any_case: true, exact: &["id"] };

    fn fits(filter: &str) -> bool {
        let object = json!({"userName": "bjensen", "id": "Ab", "active": true, "age": 7, "name": {"familyName": "O'Malley"},
            "title": "", "meta": {"lastModified": "2026-05-13T04:42:34.000Z"},
            "emails": [{"type": "work", "value": "b@example.com"}, {"type": "home", "value": "b@jensen.org"}],
            "urn:x:2.0:User": {"manager": {"displayName": "Ada"}}});
        Filter::parse(filter).unwrap_or_else(|misfit| panic!("{filter}: {misfit}")).fits(&object, RULES)
    }

    #[test]
    fn the_examples_of_the_standard_fit() {
        for filter in [
            r#"userName eq "BJENSEN""#,
            r#"username Eq "bjensen""#,
            r#"name.familyName co "o'mal""#,
            r#"urn:x:2.0:User:manager.displayName sw "a""#,
            r#"meta.lastModified gt "2026-05-13T04:42:33Z""#,
            r#"meta.lastModified le "2026-05-13T06:42:34+02:00""#,
            r#"emails co "jensen.org" and emails.type eq "work""#,
            r#"emails[type eq "work" and value ew "@example.com"]"#,
            r#"not (emails[type eq "work" and value ew "jensen.org"])"#,
            r#"active eq true and (age ge 7 or age lt 3) and not (title pr)"#,
            r#"nickName eq null and nickName ne "x" and userName pr"#,
            r#"userName eq "x" or userName eq "bjensen" and age eq 7.0"#,
        ] {
            assert!(fits(filter), "{filter}");
        }
    }

    #[test]
    fn what_differs_does_not_fit() {
        for filter in [
            r#"id eq "ab""#,
            r#"userName ne "bjensen""#,
            r#"emails ne "b@jensen.org""#,
            r#"age eq "7""#,
            r#"title pr"#,
            r#"(userName eq "x" or userName eq "bjensen") and age eq 8"#,
            r#"userName eq "\u0062""#,
        ] {
            assert!(!fits(filter), "{filter}");
        }
    }
}
