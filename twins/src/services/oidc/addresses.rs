//! Where a provider has its endpoints: a server of its own at the root, or a part of a larger service.

use crate::http::Request;

/// What access tokens say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::services) enum Dialect {
    /// RFC 9068.
    Standard,
    /// `cid`, `uid` and a list `scp`; the subject is the login.
    Okta,
}

pub(in crate::services) struct Addresses {
    pub(in crate::services) dialect: Dialect,
    /// Whom access tokens are for; nothing: the issuer.
    pub(in crate::services) audience: &'static str,
    /// What the issuer has behind the origin.
    pub(in crate::services) issuer: &'static str,
    pub(in crate::services) authorize: &'static str,
    pub(in crate::services) token: &'static str,
    pub(in crate::services) jwks: &'static str,
    pub(in crate::services) userinfo: &'static str,
    pub(in crate::services) introspect: &'static str,
    pub(in crate::services) revoke: &'static str,
    pub(in crate::services) logout: &'static str,
    pub(in crate::services) device_authorization: &'static str,
    /// Where a person types the code that a device shows.
    pub(in crate::services) device: &'static str,
}

pub(super) const AT_THE_ROOT: Addresses = Addresses {
    dialect: Dialect::Standard,
    audience: "",
    issuer: "",
    authorize: "/authorize",
    token: "/token",
    jwks: "/jwks",
    userinfo: "/userinfo",
    introspect: "/introspect",
    revoke: "/revoke",
    logout: "/logout",
    device_authorization: "/device_authorization",
    device: "/device",
};

impl Addresses {
    pub(super) fn issuer(&self, request: &Request) -> String {
        format!("{}{}", request.origin(), self.issuer)
    }
}
