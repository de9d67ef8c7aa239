//! Which client asks: by Basic, by fields of the form, by a signed token, or, without a secret, by its name alone.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;

use jiff::Timestamp;

use super::{
    Oidc, assertion,
    config::Client,
    errors::{failed, invalid_client},
};
use crate::{
    http::{Reply, Request},
    twin::check_secret,
};

impl Oidc {
    pub(super) fn client(&self, now: Timestamp, request: &Request) -> Result<&Client, Reply> {
        let field = |name| request.fields().get(name).and_then(|value| value.as_str()).map(str::to_owned);
        if let Some(given) = field("client_assertion") {
            return self.asserted(now, request, &given);
        }
        let (id, secret) = match basic(request) {
            Some((id, secret)) => (id, Some(secret)),
            None => (field("client_id").unwrap_or_default(), field("client_secret")),
        };
        let client = self.clients.get(&id).ok_or_else(invalid_client)?;
        match (&client.client_secret, secret.filter(|secret| !secret.is_empty())) {
            (Some(right), Some(given)) if check_secret(&given, right).is_ok() => Ok(client),
            (None, None) if client.jwks.is_none() => Ok(client),
            _ => Err(invalid_client()),
        }
    }

    fn asserted(&self, now: Timestamp, request: &Request, given: &str) -> Result<&Client, Reply> {
        let refuse = |why: &str| failed(401, "invalid_client", why);
        let found = assertion::client_of(given).and_then(|id| self.clients.get(&id));
        let client = found.ok_or_else(|| refuse("The client_assertion names no client."))?;
        let keys = client.jwks.as_ref().ok_or_else(|| refuse("The client has no keys for a client_assertion."))?;
        let audiences = [format!("{}{}", request.origin(), request.path), self.addresses.issuer(request)];
        assertion::check(given, &client.client_id, &keys.keys, &audiences, now).map_err(refuse)?;
        Ok(client)
    }
}

/// Both halves are form-encoded before they are joined (RFC 6749, 2.3.1).
fn basic(request: &Request) -> Option<(String, String)> {
    let (scheme, rest) = request.header("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then_some(())?;
    let decoded = String::from_utf8(BASE64_STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let plain = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    Some((plain(id), plain(secret)))
}
