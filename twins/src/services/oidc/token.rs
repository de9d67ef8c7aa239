//! Where a client changes what it has for tokens.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    Dialect, Oidc,
    config::Client,
    errors::{failed, invalid_grant, invalid_request},
    grants::{Consent, Kind, Token},
};
use crate::{
    http::{Content, Reply, Request},
    twin::{Answer, Context},
};

pub(super) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(super) fn field<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    request.fields().get(name)?.as_str().filter(|text| !text.is_empty())
}

pub(super) fn scopes_of(request: &Request) -> Option<Vec<String>> {
    field(request, "scope").map(|scope| scope.split_ascii_whitespace().map(str::to_owned).collect())
}

pub(super) fn invalid_scope() -> Reply {
    failed(400, "invalid_scope", "One or more scopes are not configured for the client.")
}

impl Oidc {
    pub(in crate::services) fn token(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        if !matches!(request.content, Content::Form(_)) {
            return Err(invalid_request("The token endpoint only accepts application/x-www-form-urlencoded."));
        }
        let client = self.client(context.now, request)?.clone();
        let consent = match field(request, "grant_type") {
            Some("authorization_code") => self.by_code(context, request, &client)?,
            Some("refresh_token") => self.by_refresh(context, request, &client)?,
            Some("client_credentials") => by_itself(context, request, &client)?,
            Some(DEVICE_CODE) => self.by_device(context, request, &client)?,
            Some("password") if client.password_grant => self.by_password(context, request, &client)?,
            Some("password") => {
                return Err(failed(400, "unauthorized_client", "The client may not use the grant type `password`."));
            }
            Some(_) => return Err(failed(400, "unsupported_grant_type", "The grant type is not supported.")),
            None => return Err(invalid_request("`grant_type` is missing.")),
        };
        Ok(Reply::json(200, &self.issue(context, request, consent)).header("pragma", "no-cache"))
    }

    fn by_code(&mut self, context: &Context<'_>, request: &Request, client: &Client) -> Result<Consent, Reply> {
        let code = field(request, "code").ok_or_else(|| invalid_request("`code` is missing."))?;
        let token = self.grants.take(code, Kind::Code, &client.client_id, context.now);
        let token = token.ok_or_else(|| invalid_grant("The authorization code is invalid or has expired."))?;
        if field(request, "redirect_uri") != Some(&token.redirect_uri) {
            return Err(invalid_grant("The `redirect_uri` is not the one of the authorization request."));
        }
        let verifier = field(request, "code_verifier");
        let fits = match (&token.challenge, verifier) {
            (None, None) => true,
            (Some(challenge), Some(verifier)) if challenge.is_hashed => {
                BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == challenge.text
            }
            (Some(challenge), Some(verifier)) => verifier == challenge.text,
            (None, Some(_)) | (Some(_), None) => false,
        };
        if fits { Ok(token.consent) } else { Err(invalid_grant("PKCE verification failed.")) }
    }

    /// The old token is used up; a new one takes its place.
    fn by_refresh(&mut self, context: &Context<'_>, request: &Request, client: &Client) -> Result<Consent, Reply> {
        let text = field(request, "refresh_token").ok_or_else(|| invalid_request("`refresh_token` is missing."))?;
        let known = self.grants.find(text).map(|token| token.consent.scopes.clone()).unwrap_or_default();
        let narrowed = scopes_of(request);
        if narrowed.iter().flatten().any(|scope| !known.contains(scope)) {
            return Err(failed(400, "invalid_scope", "A refresh cannot widen what was granted."));
        }
        let token = self.grants.take(text, Kind::RefreshToken, &client.client_id, context.now);
        let mut consent = token.ok_or_else(|| invalid_grant("The refresh token is invalid or expired."))?.consent;
        consent.scopes = narrowed.unwrap_or(consent.scopes);
        consent.nonce = None;
        Ok(consent)
    }

    fn by_password(&self, context: &mut Context<'_>, request: &Request, client: &Client) -> Result<Consent, Reply> {
        let (login, password) = (field(request, "username"), field(request, "password"));
        let (login, password) =
            login.zip(password).ok_or_else(|| invalid_request("`username` or `password` is missing."))?;
        let sub = self.signed_in(login, password);
        let sub = sub.ok_or_else(|| invalid_grant("The credentials provided were invalid."))?;
        Ok(Consent { sub: Some(sub), ..by_itself(context, request, client)? })
    }

    /// What the access token says.
    fn access_claims(&self, context: &mut Context<'_>, issuer: &str, consent: &Consent) -> Value {
        let subject = consent.sub.as_ref().unwrap_or(&consent.client_id);
        let audience = Some(self.addresses.audience).filter(|audience| !audience.is_empty()).unwrap_or(issuer);
        let now = context.unix();
        let mut claims = json!({"iss": issuer, "aud": audience, "iat": now,
            "exp": now + i64::from(self.ttl.access_token_s)});
        match self.addresses.dialect {
            Dialect::Standard => {
                claims["sub"] = json!(subject);
                claims["client_id"] = json!(consent.client_id);
                claims["scope"] = json!(consent.scopes.join(" "));
                claims["jti"] = json!(context.id("at_", 22));
            }
            Dialect::Okta => {
                let user = consent.sub.as_deref().and_then(|sub| self.subject(sub));
                claims["ver"] = json!(1);
                claims["jti"] = json!(context.id("AT.", 43));
                claims["sub"] = json!(user.map_or(subject, |user| &user.login));
                claims["cid"] = json!(consent.client_id);
                claims["scp"] = json!(consent.scopes);
                if consent.sub.is_some() {
                    claims["uid"] = json!(subject);
                    claims["auth_time"] = json!(consent.signed_in_at.as_second());
                }
            }
        }
        claims
    }

    /// All that the consent gives.
    fn issue(&mut self, context: &mut Context<'_>, request: &Request, consent: Consent) -> Value {
        let has = |scope: &str| consent.scopes.iter().any(|known| known == scope);
        let issuer = self.addresses.issuer(request);
        let now = context.unix();
        let ttl = self.ttl;
        let subject = consent.sub.clone().unwrap_or_else(|| consent.client_id.clone());
        let scope = consent.scopes.join(" ");
        let claims = self.access_claims(context, &issuer, &consent);
        let access_token = self.keys.sign("at+jwt", &claims);
        let mut answer = json!({"token_type": "Bearer", "expires_in": ttl.access_token_s,
            "access_token": access_token, "scope": scope});
        if let Some(user) = consent.sub.as_deref().filter(|_| has("openid")).and_then(|sub| self.subject(sub)) {
            let mut claims = json!({"iss": issuer, "sub": subject, "aud": consent.client_id, "iat": now,
                "exp": now + i64::from(ttl.id_token_s), "auth_time": consent.signed_in_at.as_second(),
                "at_hash": BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(&access_token)[..16])});
            if let Some(nonce) = &consent.nonce {
                claims["nonce"] = json!(nonce);
            }
            user.add_claims(&consent.scopes, &mut claims);
            answer["id_token"] = json!(self.keys.sign("JWT", &claims));
        }
        if consent.sub.is_some() && has("offline_access") {
            let text = context.id("rt_", 40);
            let token = Token::new(Kind::RefreshToken, consent.clone(), context.now, ttl.refresh_token_s);
            self.grants.add(&text, token);
            answer["refresh_token"] = json!(text);
        }
        let token = Token::new(Kind::AccessToken, consent, context.now, ttl.access_token_s);
        self.grants.add(&access_token, token);
        answer
    }
}

/// For the client, not for a person.
fn by_itself(context: &mut Context<'_>, request: &Request, client: &Client) -> Result<Consent, Reply> {
    if client.client_secret.is_none() && client.jwks.is_none() {
        return Err(failed(400, "unauthorized_client", "A public client may not use this grant type."));
    }
    let scopes = scopes_of(request).unwrap_or_default();
    if !client.may(&scopes) {
        return Err(invalid_scope());
    }
    let (family, signed_in_at) = (context.number("family"), context.now);
    Ok(Consent { family, client_id: client.client_id.clone(), sub: None, scopes, nonce: None, signed_in_at })
}
