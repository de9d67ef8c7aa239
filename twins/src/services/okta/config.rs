//! What a test may set up: an organization with people, groups, applications that are clients, and tokens.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Okta,
    gate::{ApiToken, Quotas},
    model::{Group, GroupKind, Status, User},
    oauth::{ORGANIZATION, PRODUCTS},
};
use crate::{
    TwinError,
    engine::{seed::Seed, table::Table},
    services::oidc::{Algorithm, Client, Oidc, SignIn, Ttl},
};

/// When everything of the configuration was made.
const BORN: Timestamp = Timestamp::constant(1_767_225_600, 0); // 2026-01-01
const CALLS_PER_MINUTE: u64 = 600;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct Config {
    api_tokens: Vec<TokenConfig>,
    users: Vec<UserConfig>,
    groups: Vec<GroupConfig>,
    clients: Vec<Client>,
    signing: Algorithm,
    sign_in: SignIn,
    ttl: Ttl,
    /// Calls per minute of virtual time and resource.
    rate_limit: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenConfig {
    token: String,
    /// Login of who made it; the first user where left out.
    user: Option<String>,
    expires_at: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserConfig {
    /// Made from the login where left out.
    id: Option<String>,
    login: String,
    /// The login, where left out.
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    password: Option<String>,
    #[serde(default)]
    status: Status,
    /// More of the profile, as it is.
    #[serde(default)]
    profile: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupConfig {
    /// Made from the name where left out.
    id: Option<String>,
    name: String,
    description: Option<String>,
    /// Logins.
    #[serde(default)]
    members: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        let ada =
            json!({"login": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace", "password": "Passw0rd!"});
        Self {
            api_tokens: vec![TokenConfig { token: "00twin".to_owned(), user: None, expires_at: None }],
            users: vec![serde_json::from_value(ada).expect("is a user")],
            groups: Vec::new(),
            clients: Vec::new(),
            signing: Algorithm::Rs256,
            sign_in: SignIn::default(),
            ttl: Ttl::default(),
            rate_limit: CALLS_PER_MINUTE,
        }
    }
}

/// An id that is known beforehand.
fn id(prefix: &str, name: &str) -> String {
    format!("{prefix}{}", Seed::root(0).child(prefix).child(name).token(0, 17))
}

fn misfit(why: String) -> TwinError {
    TwinError::Config { twin: "okta".to_owned(), why }
}

impl UserConfig {
    fn made(self) -> User {
        let mut profile = self.profile;
        let email = self.email.unwrap_or_else(|| self.login.clone());
        let given = [("firstName", self.first_name), ("lastName", self.last_name)];
        let given = given.into_iter().chain([("login", Some(self.login.clone())), ("email", Some(email))]);
        profile.extend(given.filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))));
        let id = self.id.unwrap_or_else(|| id("00u", &self.login));
        let mut user = User::new(id, profile, Status::Staged, BORN);
        user.move_to(self.status, BORN);
        user.password_changed_at = self.password.is_some().then_some(BORN);
        user.password = self.password;
        user
    }
}

impl Okta {
    pub(in super::super) fn open(config: Config) -> Result<Self, TwinError> {
        let server =
            |addresses| Oidc::within(addresses, config.clients.clone(), config.signing, config.sign_in, config.ttl);
        let mut okta = Self {
            users: Table::default(),
            logins: BTreeMap::new(),
            groups: Table::default(),
            applications: Table::default(),
            sessions: Table::default(),
            tokens: BTreeMap::new(),
            quotas: Quotas::new(config.rate_limit),
            products: server(&PRODUCTS),
            organization: server(&ORGANIZATION),
            is_shared: false,
        };
        for user in config.users {
            okta.add_user(user.made())?;
        }
        let everyone = json!({"name": "Everyone", "description": "All users in your organization"});
        okta.add_group(GroupKind::BuiltIn, id("00g", "Everyone"), everyone, Vec::new())?;
        for group in config.groups {
            let profile = json!({"name": group.name, "description": group.description});
            let id = group.id.unwrap_or_else(|| id("00g", &group.name));
            okta.add_group(GroupKind::Okta, id, profile, group.members)?;
        }
        for token in config.api_tokens {
            okta.add_token(token)?;
        }
        Ok(okta)
    }

    fn add_user(&mut self, user: User) -> Result<(), TwinError> {
        let login = user.login().to_lowercase();
        if login.is_empty() || self.logins.contains_key(&login) || self.users.contains(&user.id) {
            return Err(misfit(format!("`users`: each needs a login of its own, and `{login}` is none")));
        }
        let id = user.id.clone();
        self.logins.insert(login, id.clone());
        self.users.insert(&id, user);
        Ok(())
    }

    fn add_group(
        &mut self,
        kind: GroupKind,
        id: String,
        profile: Value,
        members: Vec<String>,
    ) -> Result<(), TwinError> {
        let Value::Object(profile) = profile else { unreachable!("callers write objects") };
        let mut group = Group::new(id.clone(), kind, profile, BORN);
        for login in members {
            let user = self.user(&login);
            let user =
                user.ok_or_else(|| misfit(format!("`groups`: there is no user `{login}` for `{}`", group.name())))?;
            group.members.insert(user.id.clone());
        }
        if self.groups.contains(&id) {
            return Err(misfit(format!("`groups`: `{}` is there twice", group.name())));
        }
        self.groups.insert(&id, group);
        Ok(())
    }

    fn add_token(&mut self, token: TokenConfig) -> Result<(), TwinError> {
        let user = match &token.user {
            None => self.users.oldest_first().next().map(|user| user.id.clone()),
            Some(login) => {
                let user = self.user(login);
                Some(user.ok_or_else(|| misfit(format!("`api_tokens`: there is no user `{login}`")))?.id.clone())
            }
        };
        self.tokens.insert(token.token, ApiToken { user, expires_at: token.expires_at });
        Ok(())
    }
}
