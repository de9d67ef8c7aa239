//! A user or a group as a row, and as it reads over the wire: with what the service adds, cut to what was asked for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    RULES, Scim,
    query::Wanted,
    schema::Returned,
    schemas::{TYPES, Type},
};
use crate::http::Request;

#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) kind: Type,
    pub(super) id: String,
    /// What clients may set, by the names of the schema.
    pub(super) body: Map<String, Value>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    /// Counts changes.
    pub(super) version: u64,
}

impl Resource {
    pub(super) fn tag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }

    /// What others call it.
    pub(super) fn display(&self) -> Option<&str> {
        let text = |name: &str| self.body.get(name).and_then(Value::as_str);
        text("displayName").or_else(|| text("userName"))
    }

    /// Ids of a group's members.
    pub(super) fn members(&self) -> impl Iterator<Item = &str> {
        let members = self.body.get("members").and_then(Value::as_array).into_iter().flatten();
        members.filter_map(|member| member["value"].as_str())
    }
}

/// The groups that each id is in.
pub(super) struct Memberships<'s>(BTreeMap<&'s str, Vec<&'s Resource>>);

/// Where clients find the service: they may have it below `/scim/v2`.
pub(super) fn base(request: &Request) -> String {
    let mount = if request.path.starts_with("/scim/v2/") { "/scim/v2" } else { "" };
    format!("{}{mount}", request.origin())
}

impl Scim {
    /// The resource of any kind with that id.
    pub(super) fn any(&self, id: &str) -> Option<&Resource> {
        TYPES.iter().find_map(|kind| self.table(*kind).get(id))
    }

    pub(super) fn memberships(&self) -> Memberships<'_> {
        let mut groups = BTreeMap::<_, Vec<_>>::new();
        for group in self.groups.oldest_first() {
            group.members().for_each(|member| groups.entry(member).or_default().push(group));
        }
        Memberships(groups)
    }

    /// All of it.
    pub(super) fn whole(&self, resource: &Resource, base: &str, memberships: &Memberships<'_>) -> Value {
        let (kind, mut shown) = (resource.kind, Value::Object(resource.body.clone()));
        let mut schemas = vec![kind.core().id];
        schemas.extend(kind.extension().filter(|known| resource.body.contains_key(known.id)).map(|known| known.id));
        shown["schemas"] = json!(schemas);
        shown["id"] = json!(resource.id);
        shown["meta"] = json!({"resourceType": kind.name(), "created": resource.created_at,
            "lastModified": resource.updated_at, "location": format!("{base}{}/{}", kind.endpoint(), resource.id)});
        if self.supported.etag {
            shown["meta"]["version"] = json!(resource.tag());
        }
        match kind {
            Type::User => {
                let groups = memberships.0.get(resource.id.as_str()).into_iter().flatten();
                let groups: Vec<_> = groups.map(|group| linked(group, base, "direct")).collect();
                if !groups.is_empty() {
                    shown["groups"] = json!(groups);
                }
            }
            Type::Group => {
                let members = resource.members().map(|id| match self.any(id) {
                    Some(member) => linked(member, base, member.kind.name()),
                    None => json!({"value": id}),
                });
                let members: Vec<_> = members.collect();
                if !members.is_empty() {
                    shown["members"] = json!(members);
                }
            }
        }
        shown
    }

    pub(super) fn shown(&self, resource: &Resource, base: &str, wanted: &Wanted) -> Value {
        cut(resource.kind, self.whole(resource, base, &self.memberships()), wanted)
    }
}

fn linked(resource: &Resource, base: &str, kind: &str) -> Value {
    let mut shown = json!({"value": resource.id, "type": kind,
        "$ref": format!("{base}{}/{}", resource.kind.endpoint(), resource.id)});
    if let Some(display) = resource.display() {
        shown["display"] = json!(display);
    }
    shown
}

/// Only what was asked for, and what is always shown.
pub(super) fn cut(kind: Type, whole: Value, wanted: &Wanted) -> Value {
    let is_always = |name: &str| {
        name == "schemas" || kind.attribute(name).is_some_and(|attribute| attribute.returned == Returned::Always)
    };
    match wanted {
        Wanted::Everything => whole,
        Wanted::Only(paths) => {
            let Value::Object(map) = &whole else { return whole };
            let kept = map.iter().filter_map(|(name, value)| {
                if is_always(name) {
                    return Some((name.clone(), value.clone()));
                }
                let asked: Vec<_> = paths.iter().filter_map(|path| path.below(name, RULES)).collect();
                if asked.is_empty() {
                    return None;
                }
                let all = asked.iter().any(|names| names.is_empty());
                Some((name.clone(), if all { value.clone() } else { picked(value, &asked) }))
            });
            Value::Object(kept.collect())
        }
        Wanted::Without(paths) => {
            let Value::Object(mut map) = whole else { return whole };
            for path in paths {
                let names: Vec<_> = map.keys().filter(|name| !is_always(name)).cloned().collect();
                for name in names {
                    match path.below(&name, RULES) {
                        Some([]) => drop(map.remove(&name)),
                        Some(names) => drop_inside(&mut map[&name], names),
                        None => {}
                    }
                }
            }
            Value::Object(map)
        }
    }
}

fn picked(value: &Value, asked: &[&[String]]) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(|item| picked(item, asked)).collect()),
        Value::Object(map) => {
            let is_asked = |name: &str| asked.iter().any(|names| names[0].eq_ignore_ascii_case(name));
            Value::Object(map.iter().filter(|(name, _)| is_asked(name)).map(|(n, v)| (n.clone(), v.clone())).collect())
        }
        other => other.clone(),
    }
}

fn drop_inside(value: &mut Value, names: &[String]) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| drop_inside(item, names)),
        Value::Object(map) => map.retain(|name, _| !name.eq_ignore_ascii_case(&names[0])),
        _ => {}
    }
}
