//! The rows: users, groups, applications with their assignments, sessions.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Okta;

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Status {
    Staged,
    Provisioned,
    #[default]
    Active,
    Recovery,
    PasswordExpired,
    LockedOut,
    Suspended,
    Deprovisioned,
}

#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) status: Status,
    pub(super) profile: Map<String, Value>,
    /// None: the user signs in elsewhere, or has not chosen one.
    pub(super) password: Option<String>,
    pub(super) recovery_question: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) activated_at: Option<Timestamp>,
    pub(super) status_changed_at: Option<Timestamp>,
    pub(super) last_login_at: Option<Timestamp>,
    pub(super) updated_at: Timestamp,
    pub(super) password_changed_at: Option<Timestamp>,
    /// Since the last good one.
    pub(super) failed_sign_ins: u32,
}

impl User {
    pub(super) fn new(id: String, profile: Map<String, Value>, status: Status, now: Timestamp) -> Self {
        Self {
            id,
            status,
            profile,
            password: None,
            recovery_question: None,
            created_at: now,
            activated_at: None,
            status_changed_at: None,
            last_login_at: None,
            updated_at: now,
            password_changed_at: None,
            failed_sign_ins: 0,
        }
    }

    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.profile.get(field).and_then(Value::as_str)
    }

    pub(super) fn login(&self) -> &str {
        self.text("login").unwrap_or_default()
    }

    pub(super) fn full_name(&self) -> String {
        let parts = [self.text("firstName"), self.text("lastName")];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// What `/userinfo` says of the name, besides the whole of it.
    pub(super) fn claims(&self) -> BTreeMap<String, Value> {
        let named = [("given_name", "firstName"), ("family_name", "lastName"), ("locale", "locale")];
        let known =
            named.iter().filter_map(|(claim, field)| Some(((*claim).to_owned(), self.profile.get(*field)?.clone())));
        known.collect()
    }

    pub(super) fn move_to(&mut self, status: Status, now: Timestamp) {
        if self.status != status {
            self.status = status;
            self.status_changed_at = Some(now);
        }
        if status == Status::Active && self.activated_at.is_none() {
            self.activated_at = Some(now);
        }
        self.updated_at = now;
    }
}

#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
pub(super) enum GroupKind {
    #[serde(rename = "OKTA_GROUP")]
    Okta,
    /// Everyone: all users, always.
    #[serde(rename = "BUILT_IN")]
    BuiltIn,
}

#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) kind: GroupKind,
    pub(super) profile: Map<String, Value>,
    /// Ids of users.
    pub(super) members: BTreeSet<String>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) members_updated_at: Timestamp,
}

impl Group {
    pub(super) fn new(id: String, kind: GroupKind, profile: Map<String, Value>, now: Timestamp) -> Self {
        let members = BTreeSet::new();
        Self { id, kind, profile, members, created_at: now, updated_at: now, members_updated_at: now }
    }

    pub(super) fn name(&self) -> &str {
        self.profile.get("name").and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn has(&self, user: &str) -> bool {
        self.kind == GroupKind::BuiltIn || self.members.contains(user)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Application {
    pub(super) id: String,
    pub(super) is_active: bool,
    /// All that clients may set, with what the service fills in.
    pub(super) body: Map<String, Value>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    /// By the id of the user or group.
    pub(super) users: BTreeMap<String, Assignment>,
    pub(super) groups: BTreeMap<String, Assignment>,
}

#[derive(Clone, Debug)]
pub(super) struct Assignment {
    /// Of a user: what the application calls them.
    pub(super) user_name: Option<String>,
    pub(super) profile: Map<String, Value>,
    /// Of a group: which comes first where a user is in several.
    pub(super) priority: u64,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) user: String,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

impl Okta {
    /// By id, by login, or by the part of a login before its `@` where only one begins so.
    pub(super) fn user(&self, name: &str) -> Option<&User> {
        if let Some(user) = self.users.get(name) {
            return Some(user);
        }
        let name = name.to_lowercase();
        if let Some(id) = self.logins.get(&name) {
            return self.users.get(id);
        }
        let short = format!("{name}@");
        let mut begun = self.logins.range(short.clone()..).take_while(|(login, _)| login.starts_with(&short));
        let (_, id) = begun.next()?;
        if begun.next().is_some() { None } else { self.users.get(id) }
    }

    pub(super) fn groups_of<'o>(&'o self, user: &'o User) -> impl Iterator<Item = &'o Group> {
        self.groups.oldest_first().filter(|group| group.has(&user.id))
    }

    pub(super) fn members<'o>(&'o self, group: &'o Group) -> impl Iterator<Item = &'o User> {
        self.users.oldest_first().filter(|user| group.has(&user.id))
    }
}
