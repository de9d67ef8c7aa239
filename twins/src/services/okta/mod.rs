//! Okta: users with their lifecycle, groups, applications and assignments, and the authorization servers that sign these users in.
//!
//! One twin serves `/api/v1` and `/oauth2`, as one Okta organization does: a user who is suspended cannot refresh a token,
//! an application that is made is a client. The authorization servers are the `oidc` twin's, at Okta's addresses. There is
//! no `/scim/v2` here: Okta is a client of that protocol, so what it provisions to is a twin of its own, `scim`.
//!
//! `model` is the state, `show` how it reads over the wire, `search` finds rows and `pages` cuts them, `gate` says who may do
//! what and how often. Start at `operations`.

mod applications;
mod assignments;
mod check;
mod config;
mod credentials;
mod errors;
mod gate;
mod groups;
mod lifecycle;
mod model;
mod oauth;
mod operations;
mod pages;
mod search;
mod sessions;
mod show;
mod users;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::{
    gate::{ApiToken, Quotas},
    model::{Application, Group, Session, User},
    show::Links,
};
use super::oidc::Oidc;
use crate::{
    engine::table::Table,
    http::{Reply, Request},
    twin::{Context, Manifest, Operation, Refusal, Twin},
};

const BODY_BYTES_MAX: usize = 1024 * 1024; // profiles of a few hundred fields

#[derive(Clone)]
pub(super) struct Okta {
    users: Table<User>,
    /// The id of whom a login names; in lower case.
    logins: BTreeMap<String, String>,
    groups: Table<Group>,
    applications: Table<Application>,
    sessions: Table<Session>,
    tokens: BTreeMap<String, ApiToken>,
    quotas: Quotas,
    /// `/oauth2/default`: for products.
    products: Oidc,
    /// `/oauth2/v1`: for `/api/v1` itself.
    organization: Oidc,
    /// Whether both know who may sign in now.
    is_shared: bool,
}

impl Twin for Okta {
    const MANIFEST: Manifest = Manifest {
        name: "okta",
        api_version: "2026.11.0",
        body_bytes_max: BODY_BYTES_MAX,
        actions: &["approve_device", "deny_device", "lock_user", "revoke_user", "rotate_keys"],
    };
    const OPERATIONS: &'static [Operation<Self>] = operations::OPERATIONS;

    fn authenticate(&self, request: &Request, operation: &str) -> Result<(), Refusal> {
        self.known(request, operation)
    }

    fn refuse(&self, context: &Context<'_>, refusal: &Refusal) -> Reply {
        errors::refusal(context, refusal)
    }

    fn perform(&mut self, context: &mut Context<'_>, request: &Request, operation: &Operation<Self>) -> Reply {
        self.gated(context, request, operation)
    }

    fn decorate(&self, context: &Context<'_>, request: &Request, reply: &mut Reply) {
        self.add_headers(context, request, reply);
    }

    fn state(&self) -> Value {
        let links = Links::below("https://okta.twin");
        let users = self.users.oldest_first().map(|user| links.user(user, false));
        let groups = self.groups.oldest_first().map(|group| {
            let mut shown = links.group(group);
            shown["members"] = json!(self.members(group).map(|user| &user.id).collect::<Vec<_>>());
            shown
        });
        let applications = self.applications.oldest_first().map(|application| {
            let mut shown = links.application(application);
            shown["users"] = json!(application.users.keys().collect::<Vec<_>>());
            shown["groups"] = json!(application.groups.keys().collect::<Vec<_>>());
            shown
        });
        json!({"users": users.collect::<Vec<_>>(), "groups": groups.collect::<Vec<_>>(),
            "apps": applications.collect::<Vec<_>>(), "sessions": self.sessions_shown(),
            "oauth": self.products.state(), "org_oauth": self.organization.state()})
    }

    fn act(&mut self, context: &mut Context<'_>, action: &str, argument: &Value) -> Result<Value, String> {
        match action {
            "lock_user" => {
                self.is_shared = false;
                self.act_lock(context, argument)
            }
            _ => {
                self.share();
                self.products.act(context, action, argument)
            }
        }
    }
}
