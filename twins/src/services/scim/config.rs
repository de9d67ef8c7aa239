//! What a test may set up: who may call, who is there, and what the service can do.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Scim, clean, resource::Resource, schemas::Type};
use crate::{
    TwinError,
    engine::{seed::hex_id, table::Table},
    http::{Body, Reply},
};

/// When everything of the configuration was made.
const BORN: Timestamp = Timestamp::constant(1_767_225_600, 0); // 2026-01-01

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct Config {
    /// Tokens of callers, with the instant from which on they no longer count.
    tokens: BTreeMap<String, Option<Timestamp>>,
    /// As clients send them; `id` may be given.
    users: Vec<Map<String, Value>>,
    groups: Vec<GroupConfig>,
    /// Rows of a page, at most.
    results_max: usize,
    supported: Supported,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
struct GroupConfig {
    id: Option<String>,
    display_name: String,
    /// User names, and names of groups that come before.
    #[serde(default)]
    members: Vec<String>,
}

/// What `/ServiceProviderConfig` says, and holds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Supported {
    pub(super) patch: bool,
    pub(super) filter: bool,
    pub(super) sort: bool,
    pub(super) etag: bool,
}

impl Default for Supported {
    fn default() -> Self {
        Self { patch: true, filter: true, sort: true, etag: true }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tokens: BTreeMap::from([("scim-twin".to_owned(), None)]),
            users: Vec::new(),
            groups: Vec::new(),
            results_max: 200,
            supported: Supported::default(),
        }
    }
}

fn misfit(why: String) -> TwinError {
    TwinError::Config { twin: "scim".to_owned(), why }
}

/// What an answer of the service would say.
fn said(reply: &Reply) -> String {
    let Body::Json(bytes) = &reply.body else { return String::new() };
    let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
    body["detail"].as_str().unwrap_or_default().to_owned()
}

impl Scim {
    pub(in super::super) fn open(config: Config) -> Result<Self, TwinError> {
        let Config { tokens, users, groups, results_max, supported } = config;
        let (no_users, no_groups) = (Table::default(), Table::default());
        let mut scim = Self { users: no_users, groups: no_groups, tokens, results_max, supported };
        for (number, mut user) in users.into_iter().enumerate() {
            user.entry("schemas").or_insert_with(|| json!([Type::User.core().id]));
            scim.add(Type::User, &user).map_err(|why| misfit(format!("`users[{number}]`: {why}")))?;
        }
        for group in groups {
            let members = group.members.iter().map(|name| {
                let id =
                    scim.called(name).ok_or_else(|| misfit(format!("`groups`: there is nobody called `{name}`")))?;
                Ok(json!({"value": id}))
            });
            let members = members.collect::<Result<Vec<_>, TwinError>>()?;
            let mut body = json!({"schemas": [Type::Group.core().id], "displayName": group.display_name,
                "members": members});
            if let Some(id) = group.id {
                body["id"] = json!(id);
            }
            let body = body.as_object().expect("written as an object");
            scim.add(Type::Group, body).map_err(|why| misfit(format!("`groups`: {why}")))?;
        }
        Ok(scim)
    }

    /// The id of whom a name means.
    fn called(&self, name: &str) -> Option<String> {
        let mut all = self.users.oldest_first().chain(self.groups.oldest_first());
        let names = ["userName", "displayName"];
        let is_it = |resource: &&Resource| names.iter().any(|field| resource.body.get(*field) == Some(&json!(name)));
        all.find(is_it).map(|resource| resource.id.clone())
    }

    fn add(&mut self, kind: Type, given: &Map<String, Value>) -> Result<(), String> {
        let body = clean::resource(kind, given).and_then(|body| self.check_body(kind, &body, None).map(|()| body));
        let body = body.map_err(|refused| said(&refused.into()))?;
        let name = kind.core().attributes[0].name; // the required one
        let name = body.get(name).and_then(Value::as_str).unwrap_or_default();
        let made = || hex_id(&format!("{} {name}", kind.name()));
        let id = given.get("id").and_then(Value::as_str).map_or_else(made, str::to_owned);
        if self.any(&id).is_some() {
            return Err(format!("there are two with the id `{id}`"));
        }
        let (created_at, updated_at) = (BORN, BORN);
        self.table_mut(kind).insert(&id, Resource { kind, id: id.clone(), body, created_at, updated_at, version: 1 });
        Ok(())
    }
}
