//! The authorization servers at Okta's addresses: the `oidc` twin with this organization's people and clients.

use super::{Okta, model::Status};
use crate::{
    http::Request,
    services::oidc::{Addresses, Dialect, Oidc, Person},
    twin::{Answer, Context},
};

pub(super) const PRODUCTS: Addresses = Addresses {
    dialect: Dialect::Okta,
    audience: "api://default",
    issuer: "/oauth2/default",
    authorize: "/oauth2/default/v1/authorize",
    token: "/oauth2/default/v1/token",
    jwks: "/oauth2/default/v1/keys",
    userinfo: "/oauth2/default/v1/userinfo",
    introspect: "/oauth2/default/v1/introspect",
    revoke: "/oauth2/default/v1/revoke",
    logout: "/oauth2/default/v1/logout",
    device_authorization: "/oauth2/default/v1/device/authorize",
    device: "/activate",
};

pub(super) const ORGANIZATION: Addresses = Addresses {
    dialect: Dialect::Okta,
    audience: "",
    issuer: "",
    authorize: "/oauth2/v1/authorize",
    token: "/oauth2/v1/token",
    jwks: "/oauth2/v1/keys",
    userinfo: "/oauth2/v1/userinfo",
    introspect: "/oauth2/v1/introspect",
    revoke: "/oauth2/v1/revoke",
    logout: "/oauth2/v1/logout",
    device_authorization: "/oauth2/v1/device/authorize",
    device: "/activate",
};

impl Okta {
    /// Both servers know who may sign in now.
    pub(super) fn share(&mut self) {
        if self.is_shared {
            return;
        }
        self.is_shared = true;
        let may_sign_in = |status| matches!(status, Status::Active | Status::PasswordExpired);
        let people: Vec<_> = self
            .users
            .oldest_first()
            .filter(|user| may_sign_in(user.status))
            .map(|user| Person {
                login: user.login().to_owned(),
                sub: Some(user.id.clone()),
                name: Some(user.full_name()).filter(|name| !name.is_empty()),
                email: user.text("email").map(str::to_owned),
                password: user.password.clone(),
                groups: self.groups_of(user).map(|group| group.name().to_owned()).collect(),
                claims: user.claims(),
            })
            .collect();
        self.organization.know(people.clone());
        self.products.know(people);
    }

    /// The server that the path names, with the people of this moment.
    fn server(&mut self, context: &mut Context<'_>, request: &Request) -> &mut Oidc {
        self.share();
        let is_products = request.path.starts_with("/oauth2/default/") || request.path == "/activate";
        let server = if is_products { &mut self.products } else { &mut self.organization };
        server.ready(context);
        server
    }
}

/// Each of them is the `oidc` twin's.
macro_rules! delegated {
    ($($name:ident => $to:ident),* $(,)?) => {
        impl Okta {
            $(pub(super) fn $name(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
                self.server(context, request).$to(context, request)
            })*
        }
    };
}

delegated! {
    discovery => discovery,
    keys => jwks,
    authorize => authorize,
    sign_in => sign_in,
    token => token,
    userinfo => userinfo,
    introspect => introspect,
    revoke => revoke,
    logout => logout,
    device_authorization => device_authorization,
    device => device,
    device_sign_in => device_sign_in,
}
