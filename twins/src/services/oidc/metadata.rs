//! What clients discover: where everything is, and with which keys it is signed.

use serde_json::json;

use super::{Oidc, token::DEVICE_CODE};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

impl Oidc {
    pub(in crate::services) fn discovery(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let (issuer, addresses) = (self.addresses.issuer(request), self.addresses);
        let at = |path: &str| format!("{}{path}", request.origin());
        Ok(Reply::json(
            200,
            &json!({
                "issuer": issuer,
                "authorization_endpoint": at(addresses.authorize),
                "token_endpoint": at(addresses.token),
                "jwks_uri": at(addresses.jwks),
                "userinfo_endpoint": at(addresses.userinfo),
                "introspection_endpoint": at(addresses.introspect),
                "revocation_endpoint": at(addresses.revoke),
                "end_session_endpoint": at(addresses.logout),
                "device_authorization_endpoint": at(addresses.device_authorization),
                "response_types_supported": ["code"],
                "response_modes_supported": ["query", "fragment"],
                "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials", "password", DEVICE_CODE],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": [self.keys.algorithm()],
                "scopes_supported": ["openid", "profile", "email", "groups", "offline_access"],
                "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "name",
                    "preferred_username", "email", "email_verified", "groups"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
                "token_endpoint_auth_signing_alg_values_supported": ["RS256", "ES256"],
                "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
                "code_challenge_methods_supported": ["S256", "plain"],
                "prompt_values_supported": ["none", "login"],
                "authorization_response_iss_parameter_supported": true,
            }),
        ))
    }

    pub(in crate::services) fn jwks(&mut self, _: &mut Context<'_>, _: &Request) -> Answer {
        Ok(Reply::json(200, &self.keys.json()))
    }
}
