//! SCIM 2.0: a service that users and groups are provisioned to (RFC 7643 and 7644).
//!
//! It stands for whatever a product synchronizes people with. A directory that provisions, as Okta does, is a client of
//! it, so it is a twin of its own and shares nothing with `okta`.
//!
//! `schemas` says of what resources are made, and everything follows from there: `clean` checks what comes in, `resource`
//! shows what goes out, `target` and `patch` change parts, `discovery` publishes the schemas themselves. Start at the
//! table below.

mod clean;
mod config;
mod discovery;
mod errors;
mod handlers;
mod patch;
mod query;
mod resource;
mod schema;
mod schemas;
mod target;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use self::{config::Supported, resource::Resource, schemas::Type};
use super::filter::{Filter, Rules};
use crate::{
    engine::table::Table,
    http::{Body, Reply, Request},
    twin::{Context, Manifest, Operation, Refusal, Twin, operations},
};

const BODY_BYTES_MAX: usize = 4 * 1024 * 1024; // a group with all its members

/// What clients write in a language of SCIM's own, held against nothing: for the fuzzer.
pub(crate) fn read(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(filter) = Filter::parse(&text) {
        filter.fits(&Value::Null, RULES);
    }
    target::Target::parse(Type::User, &text).ok();
    if let Ok(message) = serde_json::from_slice(bytes) {
        patch::patched(Type::User, &Map::new(), &message).ok();
        query::Wanted::of(&message).ok();
    }
}

/// Names are told apart in no case, and texts in none but these.
const RULES: Rules = Rules {
    names_in_any_case: true,
    exact: &["id", "externalId", "location", "version", "resourceType", "$ref", "profileUrl"],
};

#[derive(Clone)]
pub(super) struct Scim {
    users: Table<Resource>,
    groups: Table<Resource>,
    /// With the instant from which on they no longer count.
    tokens: BTreeMap<String, Option<Timestamp>>,
    results_max: usize,
    supported: Supported,
}

impl Scim {
    fn table(&self, kind: Type) -> &Table<Resource> {
        match kind {
            Type::User => &self.users,
            Type::Group => &self.groups,
        }
    }

    fn table_mut(&mut self, kind: Type) -> &mut Table<Resource> {
        match kind {
            Type::User => &mut self.users,
            Type::Group => &mut self.groups,
        }
    }
}

impl Twin for Scim {
    const MANIFEST: Manifest =
        Manifest { name: "scim", api_version: "2.0", body_bytes_max: BODY_BYTES_MAX, actions: &[] };
    const OPERATIONS: &'static [Operation<Self>] = operations! {
        "service_provider_config" "GET" "/ServiceProviderConfig" Self::service_provider_config;
        "resource_types.list" "GET" "/ResourceTypes" Self::resource_types;
        "resource_types.get" "GET" "/ResourceTypes/{id}" Self::get_resource_type;
        "schemas.list" "GET" "/Schemas" Self::schemas;
        "schemas.get" "GET" "/Schemas/{id}" Self::get_schema;
        "users.list" "GET" "/Users" Self::list;
        "users.search" "POST" "/Users/.search" Self::search;
        "users.create" "POST" "/Users" Self::create;
        "users.get" "GET" "/Users/{id}" Self::get;
        "users.replace" "PUT" "/Users/{id}" Self::replace;
        "users.patch" "PATCH" "/Users/{id}" Self::patch;
        "users.delete" "DELETE" "/Users/{id}" Self::delete;
        "groups.list" "GET" "/Groups" Self::list;
        "groups.search" "POST" "/Groups/.search" Self::search;
        "groups.create" "POST" "/Groups" Self::create;
        "groups.get" "GET" "/Groups/{id}" Self::get;
        "groups.replace" "PUT" "/Groups/{id}" Self::replace;
        "groups.patch" "PATCH" "/Groups/{id}" Self::patch;
        "groups.delete" "DELETE" "/Groups/{id}" Self::delete;
        "search" "POST" "/.search" Self::search_all;
        "bulk" "POST" "/Bulk" Self::bulk;
        "me" "*" "/Me" Self::me;
        "not_allowed" "*" "/ServiceProviderConfig" Self::not_allowed;
        "not_allowed" "*" "/ResourceTypes" Self::not_allowed;
        "not_allowed" "*" "/ResourceTypes/{id}" Self::not_allowed;
        "not_allowed" "*" "/Schemas" Self::not_allowed;
        "not_allowed" "*" "/Schemas/{id}" Self::not_allowed;
        "not_allowed" "*" "/Users" Self::not_allowed;
        "not_allowed" "*" "/Users/{id}" Self::not_allowed;
        "not_allowed" "*" "/Groups" Self::not_allowed;
        "not_allowed" "*" "/Groups/{id}" Self::not_allowed;
    };
    const MOUNT: Option<&'static str> = Some("/scim/v2");

    /// What the service can do, everyone may know.
    fn authenticate(&self, request: &Request, operation: &str) -> Result<(), Refusal> {
        match request.bearer() {
            _ if operation == "service_provider_config" => Ok(()),
            Some(token) if self.tokens.contains_key(token) => Ok(()),
            None if request.header("authorization").is_none() => Err(Refusal::CredentialsMissing),
            _ => Err(Refusal::CredentialsWrong),
        }
    }

    fn refuse(&self, _context: &Context<'_>, refusal: &Refusal) -> Reply {
        errors::refusal(refusal)
    }

    fn perform(&mut self, context: &mut Context<'_>, request: &Request, operation: &Operation<Self>) -> Reply {
        let expires_at = request.bearer().and_then(|token| self.tokens.get(token).copied()).flatten();
        if expires_at.is_some_and(|end| end <= context.now) {
            return errors::refusal(&Refusal::CredentialsExpired);
        }
        (operation.run)(self, context, request).unwrap_or_else(|error| error)
    }

    fn decorate(&self, _: &Context<'_>, _: &Request, reply: &mut Reply) {
        if matches!(reply.body, Body::Json(_)) {
            reply.set("content-type", "application/scim+json");
        }
    }

    fn state(&self) -> Value {
        let memberships = self.memberships();
        let all = |table: &Table<Resource>| -> Vec<Value> {
            table.oldest_first().map(|resource| self.whole(resource, "https://scim.twin", &memberships)).collect()
        };
        json!({"users": all(&self.users), "groups": all(&self.groups)})
    }

    fn act(&mut self, _context: &mut Context<'_>, action: &str, _argument: &Value) -> Result<Value, String> {
        Err(format!("unknown action `{action}`"))
    }
}
