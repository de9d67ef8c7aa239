//! An identity provider (OIDC): authorization code with PKCE, device codes, refresh with rotation, client credentials, and the
//! endpoints around them. All that ends, ends on the virtual clock; keys, codes and tokens follow from the seed.
//!
//! `grants` is what has been given to whom; `keys` signs; `device` is the way in without a browser; `authorize` is where a person is sent, `token` where a client
//! asks, `lookup` what others ask of a token; `within` is for services that have a provider inside. Start at the table below.

mod addresses;
mod assertion;
mod authorize;
mod clients;
mod config;
mod device;
mod errors;
mod form;
mod grants;
mod keys;
mod lookup;
mod metadata;
mod signer;
mod token;
mod within;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub(super) use self::{
    addresses::{Addresses, Dialect},
    config::{Client, SignIn, Ttl, User as Person},
    signer::Algorithm,
};
use self::{config::User, device::Devices, grants::Grants, keys::Keys};
use crate::{
    http::{Reply, Request},
    twin::{Context, Manifest, Operation, Refusal, Twin, operations},
};

const BODY_BYTES_MAX: usize = 64 * 1024; // forms of a few fields

#[derive(Clone)]
pub(super) struct Oidc {
    addresses: &'static Addresses,
    /// By login; the first is who signs in where nobody is named.
    users: Vec<User>,
    clients: BTreeMap<String, Client>,
    sign_in: SignIn,
    ttl: Ttl,
    keys: Keys,
    grants: Grants,
    devices: Devices,
}

impl Oidc {
    fn user(&self, login: &str) -> Option<&User> {
        self.users.iter().find(|user| user.login == login || user.email.as_deref() == Some(login))
    }

    fn subject(&self, sub: &str) -> Option<&User> {
        self.users.iter().find(|user| user.sub() == sub)
    }
}

impl Twin for Oidc {
    const MANIFEST: Manifest = Manifest {
        name: "oidc",
        api_version: "OpenID Connect Core 1.0",
        body_bytes_max: BODY_BYTES_MAX,
        actions: &["approve_device", "deny_device", "revoke_user", "rotate_keys"],
    };
    const OPERATIONS: &'static [Operation<Self>] = operations! {
        "discovery" "GET" "/.well-known/openid-configuration" Self::discovery;
        "discovery" "GET" "/.well-known/oauth-authorization-server" Self::discovery;
        "jwks" "GET" "/jwks" Self::jwks;
        "authorize" "GET" "/authorize" Self::authorize;
        "sign_in" "POST" "/authorize" Self::sign_in;
        "token" "POST" "/token" Self::token;
        "userinfo" "GET" "/userinfo" Self::userinfo;
        "userinfo" "POST" "/userinfo" Self::userinfo;
        "introspect" "POST" "/introspect" Self::introspect;
        "revoke" "POST" "/revoke" Self::revoke;
        "logout" "GET" "/logout" Self::logout;
        "logout" "POST" "/logout" Self::logout;
        "device_authorization" "POST" "/device_authorization" Self::device_authorization;
        "device" "GET" "/device" Self::device;
        "device_sign_in" "POST" "/device" Self::device_sign_in;
    };

    /// Each endpoint asks for credentials of its own kind.
    fn authenticate(&self, _: &Request, _: &str) -> Result<(), Refusal> {
        Ok(())
    }

    fn refuse(&self, _context: &Context<'_>, refusal: &Refusal) -> Reply {
        errors::refusal(refusal)
    }

    fn perform(&mut self, context: &mut Context<'_>, request: &Request, operation: &Operation<Self>) -> Reply {
        self.keys.ensure(context);
        (operation.run)(self, context, request).unwrap_or_else(|error| error)
    }

    fn decorate(&self, _: &Context<'_>, request: &Request, reply: &mut Reply) {
        let is_public = request.path == "/jwks" || request.path.starts_with("/.well-known/");
        reply.set_new("cache-control", if is_public { "max-age=300, public" } else { "no-store" });
    }

    fn state(&self) -> Value {
        let users = self.users.iter().map(|user| json!({"sub": user.sub(), "login": user.login, "email": user.email}));
        json!({"users": users.collect::<Vec<_>>(), "clients": self.clients.keys().collect::<Vec<_>>(),
            "tokens": self.grants.shown(), "device_codes": self.devices.shown()})
    }

    fn act(&mut self, context: &mut Context<'_>, action: &str, argument: &Value) -> Result<Value, String> {
        match action {
            "approve_device" => self.act_device(context.now, argument, true),
            "deny_device" => self.act_device(context.now, argument, false),
            "revoke_user" => {
                let login = argument["user"].as_str().ok_or("name the `user`")?;
                let sub = self.user(login).ok_or_else(|| format!("there is no user `{login}`"))?.sub().to_owned();
                Ok(json!({"revoked": self.grants.revoke_all_of(&sub)}))
            }
            "rotate_keys" => Ok(json!({"kid": self.keys.rotate(context)})),
            _ => Err(format!("unknown action `{action}`")),
        }
    }
}
