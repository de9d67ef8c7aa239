//! What a test may set up: people, clients, how signing in goes, and how long things count.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Oidc, addresses::AT_THE_ROOT, device::Devices, grants::Grants, keys::Keys, signer::Algorithm};
use crate::TwinError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::services) struct Config {
    users: Vec<User>,
    clients: Vec<Client>,
    signing: Algorithm,
    sign_in: SignIn,
    ttl: Ttl,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::services) struct User {
    pub(in crate::services) login: String,
    /// The login, where left out.
    pub(in crate::services) sub: Option<String>,
    pub(in crate::services) name: Option<String>,
    pub(in crate::services) email: Option<String>,
    /// What the form and the password grant ask for; none: any.
    pub(in crate::services) password: Option<String>,
    pub(in crate::services) groups: Vec<String>,
    /// More claims, as they are.
    pub(in crate::services) claims: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::services) struct Client {
    pub(in crate::services) client_id: String,
    /// None: a public client, which must use PKCE.
    pub(in crate::services) client_secret: Option<String>,
    /// Public keys (`{"keys": […]}`) of a client that proves itself with a signed token.
    #[serde(default)]
    pub(in crate::services) jwks: Option<KeySet>,
    /// Empty: any.
    #[serde(default)]
    pub(in crate::services) redirect_uris: Vec<String>,
    /// Empty: any.
    #[serde(default)]
    pub(in crate::services) scopes: Vec<String>,
    /// Off, as everywhere by now.
    #[serde(default)]
    pub(in crate::services) password_grant: bool,
}

/// As RFC 7517 writes it.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::services) struct KeySet {
    pub(super) keys: Vec<Value>,
}

/// How a person proves who they are at the authorize endpoint.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(in crate::services) enum SignIn {
    /// At once, as the user of `login_hint` or the first.
    #[default]
    Automatic,
    /// By a form; nobody is signed in beforehand.
    Form,
}

/// Seconds of virtual time.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::services) struct Ttl {
    pub(in crate::services) code_s: u32,
    pub(in crate::services) device_code_s: u32,
    /// How long a device waits between two questions; 0: it may ask at any time.
    pub(in crate::services) device_interval_s: u32,
    pub(in crate::services) access_token_s: u32,
    pub(in crate::services) id_token_s: u32,
    pub(in crate::services) refresh_token_s: u32,
}

impl Default for Ttl {
    fn default() -> Self {
        Self {
            code_s: 60,
            device_code_s: 600,
            device_interval_s: 5,
            access_token_s: 3_600,
            id_token_s: 3_600,
            refresh_token_s: 30 * 24 * 3_600,
        }
    }
}

impl User {
    pub(super) fn sub(&self) -> &str {
        self.sub.as_deref().unwrap_or(&self.login)
    }
}

impl Default for Config {
    fn default() -> Self {
        let user = User {
            login: "ada".to_owned(),
            name: Some("Ada Lovelace".to_owned()),
            email: Some("ada@example.com".to_owned()),
            ..User::default()
        };
        let client = Client {
            client_id: "twin".to_owned(),
            client_secret: Some("twin-secret".to_owned()),
            jwks: None,
            redirect_uris: Vec::new(),
            scopes: Vec::new(),
            password_grant: false,
        };
        Self {
            users: vec![user],
            clients: vec![client],
            signing: Algorithm::default(),
            sign_in: SignIn::default(),
            ttl: Ttl::default(),
        }
    }
}

impl Oidc {
    pub(in crate::services) fn open(config: Config) -> Result<Self, TwinError> {
        let Config { users, clients, signing, sign_in, ttl } = config;
        let nameless = users.iter().any(|user| user.login.is_empty());
        if users.is_empty() || nameless {
            let why = "`users` needs at least one user, and each a `login`".to_owned();
            return Err(TwinError::Config { twin: "oidc".to_owned(), why });
        }
        let clients = clients.into_iter().map(|client| (client.client_id.clone(), client)).collect();
        Ok(Self {
            addresses: &AT_THE_ROOT,
            users,
            clients,
            sign_in,
            ttl,
            keys: Keys::new(signing),
            grants: Grants::default(),
            devices: Devices::default(),
        })
    }
}
