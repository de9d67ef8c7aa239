//! What a list is asked for: which rows, in which order, which page, which attributes. In a query, or in the body of a
//! search.

use serde_json::{Value, json};

use super::{RULES, Scim, errors::Refused, resource::cut, schemas::Type};
use crate::{
    http::{Content, Request},
    services::filter::{Filter, Path, Rules, order},
};

const MESSAGE: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// Which attributes an answer shows.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wanted {
    Everything,
    Only(Vec<Path>),
    Without(Vec<Path>),
}

impl Wanted {
    pub(super) fn of(asked: &Value) -> Result<Self, Refused> {
        let only = paths(&asked["attributes"])?;
        if !only.is_empty() {
            return Ok(Self::Only(only));
        }
        let without = paths(&asked["excludedAttributes"])?;
        Ok(if without.is_empty() { Self::Everything } else { Self::Without(without) })
    }
}

/// With commas in a query, a list in a search.
fn paths(asked: &Value) -> Result<Vec<Path>, Refused> {
    let parts: Vec<&str> = match asked {
        Value::String(text) => text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let parse = |name: &str| {
        Path::parse(name).ok_or_else(|| Refused::bad("invalidPath", format!("{name} is not the name of an attribute.")))
    };
    parts.into_iter().map(parse).collect()
}

impl Path {
    /// What of the member `name` of a resource this is about: all of it where no names are left.
    pub(super) fn below(&self, name: &str, rules: Rules) -> Option<&[String]> {
        let is_same = |known: &str| known == name || (rules.names_in_any_case && known.eq_ignore_ascii_case(name));
        match &self.schema {
            Some(schema) if is_same(schema) => Some(&self.names),
            // `urn:…:enterprise:2.0:User` reads like an attribute of a schema that ends before the last colon.
            Some(schema) if is_same(&format!("{schema}:{}", self.dotted())) => Some(&[]),
            Some(schema) if !schema.contains(":core:") => None,
            _ => self.names.first().filter(|first| is_same(first)).map(|_| &self.names[1..]),
        }
    }
}

/// The message of a search, once it is one.
pub(super) fn search_message(request: &Request) -> Result<&Value, Refused> {
    let Content::Json(message) = &request.content else { return Err(Refused::syntax("Request is unparsable.")) };
    let listed = message["schemas"].as_array().into_iter().flatten();
    let is_search = listed.filter_map(Value::as_str).any(|schema| schema.eq_ignore_ascii_case(MESSAGE));
    if is_search { Ok(message) } else { Err(Refused::syntax(format!("`schemas` must contain {MESSAGE}."))) }
}

fn number(asked: &Value, name: &str) -> Result<Option<i64>, Refused> {
    match &asked[name] {
        Value::Null => Ok(None),
        Value::Number(number) if number.is_i64() => Ok(number.as_i64()),
        Value::String(text) if text.parse::<i64>().is_ok() => Ok(text.parse().ok()),
        _ => Err(Refused::value(format!("{name} must be a whole number."))),
    }
}

impl Scim {
    /// A page of all resources of these kinds that fit.
    pub(super) fn listed(&self, kinds: &[Type], asked: &Value, base: &str) -> Result<Value, Refused> {
        let wanted = Wanted::of(asked)?;
        let filter = asked["filter"].as_str().map(|text| {
            if !self.supported.filter {
                return Err(Refused::status(501, "This service does not filter."));
            }
            Filter::parse(text).map_err(|misfit| Refused::bad("invalidFilter", misfit.to_string()))
        });
        let filter = filter.transpose()?;
        let resources = kinds.iter().flat_map(|kind| self.table(*kind).oldest_first());
        let memberships = self.memberships();
        let whole = |resource| (resource, self.whole(resource, base, &memberships));
        let mut rows: Vec<_> = resources.map(whole).collect();
        rows.retain(|(_, whole)| filter.as_ref().is_none_or(|filter| filter.fits(whole, RULES)));
        self.sort(&mut rows, asked)?;
        let count = number(asked, "count")?.map_or(self.results_max, |count| usize::try_from(count).unwrap_or(0));
        let begin = number(asked, "startIndex")?.map_or(1, |begin| usize::try_from(begin).unwrap_or(1).max(1));
        let total = rows.len();
        let page = rows.into_iter().skip(begin - 1).take(count.min(self.results_max));
        let page: Vec<_> = page.map(|(resource, whole)| cut(resource.kind, whole, &wanted)).collect();
        Ok(list(&page, total, begin))
    }

    fn sort<T>(&self, rows: &mut [(T, Value)], asked: &Value) -> Result<(), Refused> {
        let Some(by) = asked["sortBy"].as_str().filter(|_| self.supported.sort) else { return Ok(()) };
        let path = Path::parse(by)
            .ok_or_else(|| Refused::bad("invalidPath", format!("{by} is not the name of an attribute.")))?;
        // Of several values the preferred one counts, or the first.
        let key = |whole: &Value| {
            let values = path.values(whole, RULES);
            let primary = values.iter().find(|value| value["primary"] == true);
            primary.or_else(|| values.first()).map(|value| (*value).clone())
        };
        rows.sort_by_cached_key(|(_, whole)| Sorted(key(whole)));
        if asked["sortOrder"].as_str().is_some_and(|order| order.eq_ignore_ascii_case("descending")) {
            rows.reverse();
        }
        Ok(())
    }
}

#[derive(PartialEq)]
struct Sorted(Option<Value>);

impl Eq for Sorted {}

impl Ord for Sorted {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        order(self.0.as_ref(), other.0.as_ref())
    }
}

impl PartialOrd for Sorted {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

pub(super) fn list(page: &[Value], total: usize, begin: usize) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": total,
        "startIndex": begin, "itemsPerPage": page.len(), "Resources": page})
}
