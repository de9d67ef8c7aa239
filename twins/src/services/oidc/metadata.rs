//! What clients discover: where everything is, and with which keys it is signed.

use serde_json::json;

use super::Oidc;
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

impl Oidc {
    pub(super) fn discovery(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let issuer = request.origin();
        let at = |path: &str| format!("{issuer}{path}");
        Ok(Reply::json(
            200,
            &json!({
                "issuer": issuer,
                "authorization_endpoint": at("/authorize"),
                "token_endpoint": at("/token"),
                "jwks_uri": at("/jwks"),
                "userinfo_endpoint": at("/userinfo"),
                "introspection_endpoint": at("/introspect"),
                "revocation_endpoint": at("/revoke"),
                "end_session_endpoint": at("/logout"),
                "response_types_supported": ["code"],
                "response_modes_supported": ["query", "fragment"],
                "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials", "password"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "scopes_supported": ["openid", "profile", "email", "groups", "offline_access"],
                "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "name",
                    "preferred_username", "email", "email_verified", "groups"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
                "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
                "code_challenge_methods_supported": ["S256", "plain"],
                "prompt_values_supported": ["none", "login"],
                "authorization_response_iss_parameter_supported": true,
            }),
        ))
    }

    pub(super) fn jwks(&mut self, _: &mut Context<'_>, _: &Request) -> Answer {
        Ok(Reply::json(200, &self.keys.json()))
    }
}
