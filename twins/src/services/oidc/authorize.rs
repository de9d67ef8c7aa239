//! Where a person is sent to sign in, and sent back from with a code or with the reason why there is none.

use url::{Url, form_urlencoded};

use super::{
    Oidc,
    config::{Client, SignIn},
    errors::{failed, invalid_request},
    form,
    grants::{Challenge, Consent, Kind, Token},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

/// A request for a code whose way back is known.
pub(super) struct Wish<'r> {
    request: &'r Request,
    client: &'r Client,
    redirect_uri: &'r str,
    issuer: String,
}

/// A field of the query, or of the form that was sent from the page.
fn field<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    request.fields().get(name)?.as_str().filter(|text| !text.is_empty())
}

impl<'r> Wish<'r> {
    /// Nobody is sent back to an address that the client does not own.
    fn of(oidc: &'r Oidc, request: &'r Request) -> Result<Self, Reply> {
        let id = field(request, "client_id").ok_or_else(|| invalid_request("`client_id` is missing."))?;
        let client = oidc.clients.get(id);
        let client = client.ok_or_else(|| failed(400, "unauthorized_client", "There is no such client."))?;
        let redirect_uri =
            field(request, "redirect_uri").ok_or_else(|| invalid_request("`redirect_uri` is missing."))?;
        let is_known =
            client.redirect_uris.is_empty() || client.redirect_uris.iter().any(|known| known == redirect_uri);
        let is_url = Url::parse(redirect_uri).is_ok_and(|url| url.fragment().is_none());
        if !is_known || !is_url || redirect_uri.chars().any(|letter| letter.is_control() || !letter.is_ascii()) {
            return Err(invalid_request("`redirect_uri` is none of the client's."));
        }
        Ok(Self { request, client, redirect_uri, issuer: oidc.addresses.issuer(request) })
    }

    /// Sends the person back.
    fn back(&self, fields: &[(&str, &str)]) -> Reply {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(fields);
        query.extend_pairs(field(self.request, "state").map(|state| ("state", state)));
        query.append_pair("iss", &self.issuer);
        let mark = match field(self.request, "response_mode") {
            Some("fragment") => '#',
            _ if self.redirect_uri.contains('?') => '&',
            _ => '?',
        };
        Reply::empty(302).header("location", format!("{}{mark}{}", self.redirect_uri, query.finish()))
    }

    fn refused(&self, code: &str, description: &str) -> Reply {
        self.back(&[("error", code), ("error_description", description)])
    }

    /// What the client asks for, as far as it may.
    fn check(&self) -> Result<(Vec<String>, Option<Challenge>), Reply> {
        let asked = |name| field(self.request, name);
        if asked("response_type") != Some("code") {
            return Err(self.refused("unsupported_response_type", "The only response type is `code`."));
        }
        if asked("response_mode").is_some_and(|mode| mode != "query" && mode != "fragment") {
            return Err(self.refused("invalid_request", "The response mode is `query` or `fragment`."));
        }
        let scopes: Vec<_> = asked("scope").unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect();
        if !self.client.may(&scopes) {
            return Err(self.refused("invalid_scope", "One or more scopes are not configured for the client."));
        }
        let challenge = match (asked("code_challenge"), asked("code_challenge_method")) {
            (None, _) if self.client.client_secret.is_none() => {
                return Err(
                    self.refused("invalid_request", "PKCE code challenge is required when the client is public.")
                );
            }
            (None, _) => None,
            (Some(text), Some("S256")) => Some(Challenge { text: text.to_owned(), is_hashed: true }),
            (Some(text), None | Some("plain")) => Some(Challenge { text: text.to_owned(), is_hashed: false }),
            (Some(_), Some(_)) => {
                return Err(self.refused("invalid_request", "The code challenge method is `S256` or `plain`."));
            }
        };
        Ok((scopes, challenge))
    }
}

impl Client {
    pub(super) fn may(&self, scopes: &[String]) -> bool {
        self.scopes.is_empty() || scopes.iter().all(|scope| self.scopes.contains(scope))
    }
}

impl Oidc {
    pub(in crate::services) fn authorize(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let wish = Wish::of(self, request)?;
        wish.check()?;
        let prompts = field(request, "prompt").unwrap_or_default();
        let silent = prompts.split_ascii_whitespace().any(|prompt| prompt == "none");
        let hint = field(request, "login_hint");
        let user = hint.map_or_else(|| self.users.first(), |hint| self.user(hint));
        match (self.sign_in, user) {
            (SignIn::Form, _) if silent => {
                Err(wish
                    .refused("login_required", "The client specified not to prompt, but the user is not signed in."))
            }
            (SignIn::Form, _) => Ok(form::page(request, self.addresses.authorize, None)),
            (SignIn::Automatic, None) if silent => Err(wish.refused("login_required", "There is no such user.")),
            (SignIn::Automatic, None) => Err(wish.refused("access_denied", "There is no such user.")),
            (SignIn::Automatic, Some(user)) => {
                let sub = user.sub().to_owned();
                self.give_code(context, request, sub)
            }
        }
    }

    /// The form comes back.
    pub(in crate::services) fn sign_in(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let wish = Wish::of(self, request)?;
        wish.check()?;
        if field(request, "decision") == Some("deny") {
            return Err(wish.refused("access_denied", "The resource owner denied the request."));
        }
        let login = field(request, "username").unwrap_or_default();
        match self.signed_in(login, field(request, "password").unwrap_or_default()) {
            Some(sub) => self.give_code(context, request, sub),
            None => Ok(form::page(request, self.addresses.authorize, Some("Unable to sign in"))),
        }
    }

    /// Whose password it is.
    pub(super) fn signed_in(&self, login: &str, password: &str) -> Option<String> {
        let user = self.user(login)?;
        let is_right = user.password.as_deref().is_none_or(|right| crate::twin::check_secret(password, right).is_ok());
        is_right.then(|| user.sub().to_owned())
    }

    fn give_code(&mut self, context: &mut Context<'_>, request: &Request, sub: String) -> Answer {
        let wish = Wish::of(self, request)?;
        let (scopes, challenge) = wish.check()?;
        let consent = Consent {
            family: context.number("family"),
            client_id: wish.client.client_id.clone(),
            sub: Some(sub),
            scopes,
            nonce: field(request, "nonce").map(str::to_owned),
            signed_in_at: context.now,
        };
        let code = context.id("code_", 32);
        let back = wish.back(&[("code", &code)]);
        let redirect_uri = wish.redirect_uri.to_owned();
        let mut token = Token::new(Kind::Code, consent, context.now, self.ttl.code_s);
        (token.redirect_uri, token.challenge) = (redirect_uri, challenge);
        self.grants.add(&code, token);
        Ok(back)
    }
}
