//! What others ask of a token: whose it is, whether it still counts; and its end.

use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::{
    Oidc,
    config::User,
    errors::{insufficient_scope, invalid_request, invalid_token, token_missing},
    grants::Kind,
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

impl User {
    /// What the scopes let a client know.
    pub(super) fn add_claims(&self, scopes: &[String], claims: &mut Value) {
        let has = |scope: &str| scopes.iter().any(|known| known == scope);
        if has("profile") {
            claims["preferred_username"] = json!(self.login);
            if let Some(name) = &self.name {
                claims["name"] = json!(name);
            }
            for (name, value) in &self.claims {
                claims[name] = value.clone();
            }
        }
        if let Some(email) = self.email.as_ref().filter(|_| has("email")) {
            claims["email"] = json!(email);
            claims["email_verified"] = json!(true);
        }
        if has("groups") {
            claims["groups"] = json!(self.groups);
        }
    }
}

fn field<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    request.fields().get(name)?.as_str()
}

impl Oidc {
    pub(in crate::services) fn userinfo(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let text = request.bearer().or_else(|| field(request, "access_token")).ok_or_else(token_missing)?;
        let token = self.grants.find(text).filter(|token| token.kind == Kind::AccessToken);
        let token = token.filter(|token| token.is_live(context.now)).ok_or_else(invalid_token)?;
        let user = token.consent.sub.as_deref().and_then(|sub| self.subject(sub)).ok_or_else(insufficient_scope)?;
        if token.consent.scopes.iter().all(|scope| scope != "openid") {
            return Err(insufficient_scope());
        }
        let mut claims = json!({"sub": user.sub()});
        user.add_claims(&token.consent.scopes, &mut claims);
        Ok(Reply::json(200, &claims))
    }

    pub(in crate::services) fn introspect(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        self.client(context.now, request)?;
        let text = field(request, "token").ok_or_else(|| invalid_request("`token` is missing."))?;
        let found = self.grants.find(text).filter(|token| token.kind != Kind::Code && token.is_live(context.now));
        let Some(token) = found else { return Ok(Reply::json(200, &json!({"active": false}))) };
        let consent = &token.consent;
        let mut answer = json!({"active": true, "iss": self.addresses.issuer(request), "client_id": consent.client_id,
            "sub": consent.sub.as_ref().unwrap_or(&consent.client_id), "scope": consent.scopes.join(" "),
            "iat": token.issued_at.as_second(), "exp": token.expires_at.as_second()});
        if token.kind == Kind::AccessToken {
            answer["token_type"] = json!("Bearer");
        }
        if let Some(user) = consent.sub.as_deref().and_then(|sub| self.subject(sub)) {
            answer["username"] = json!(user.login);
        }
        Ok(Reply::json(200, &answer))
    }

    /// The end of a refresh token is the end of its family. What is not known is no error (RFC 7009).
    pub(in crate::services) fn revoke(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let client_id = self.client(context.now, request)?.client_id.clone();
        let text = field(request, "token").ok_or_else(|| invalid_request("`token` is missing."))?;
        let found = self.grants.find(text).filter(|token| token.consent.client_id == client_id);
        match found.map(|token| (token.kind, token.consent.family)) {
            Some((Kind::RefreshToken, family)) => self.grants.revoke_family(family),
            Some(_) => self.grants.revoke(text),
            None => {}
        }
        Ok(Reply::empty(200))
    }

    /// The tokens of the person whom the hint names end.
    pub(in crate::services) fn logout(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let hint = field(request, "id_token_hint").and_then(|token| self.keys.claims(token));
        if let Some(sub) = hint.as_ref().and_then(|claims| claims["sub"].as_str()) {
            self.grants.revoke_all_of(sub);
        }
        let Some(target) = field(request, "post_logout_redirect_uri") else {
            return Ok(Reply::bytes(
                200,
                "text/html; charset=utf-8",
                "<!doctype html><title>Signed out</title>Signed out",
            ));
        };
        if Url::parse(target).is_err() || target.chars().any(|letter| letter.is_control() || !letter.is_ascii()) {
            return Err(invalid_request("`post_logout_redirect_uri` is no address."));
        }
        let state = field(request, "state").map(|state| {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("state", state).finish();
            format!("{}{query}", if target.contains('?') { '&' } else { '?' })
        });
        Ok(Reply::empty(302).header("location", format!("{target}{}", state.unwrap_or_default())))
    }
}
