//! What has been given to whom: codes, access tokens, refresh tokens. Those of one sign-in are a family: where one is
//! used twice that may be used once, all of them end.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::engine::table::Table;

const TOKENS_MAX: usize = 10_000; // the oldest is forgotten first

/// What a person, or a client for itself, allowed.
#[derive(Clone, Debug)]
pub(super) struct Consent {
    pub(super) family: u64,
    pub(super) client_id: String,
    /// None: the client itself.
    pub(super) sub: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) nonce: Option<String>,
    pub(super) signed_in_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Code,
    AccessToken,
    RefreshToken,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    text: String,
    pub(super) kind: Kind,
    pub(super) consent: Consent,
    pub(super) issued_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) status: Status,
    /// Of a code: what the second half must fit.
    pub(super) redirect_uri: String,
    pub(super) challenge: Option<Challenge>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Live,
    /// Changed for others.
    Used,
    Revoked,
}

/// What PKCE was begun with.
#[derive(Clone, Debug)]
pub(super) struct Challenge {
    pub(super) text: String,
    pub(super) is_hashed: bool,
}

#[derive(Clone, Default)]
pub(super) struct Grants {
    /// By the token itself.
    tokens: Table<Token>,
}

impl Token {
    pub(super) fn new(kind: Kind, consent: Consent, now: Timestamp, ttl_s: u32) -> Self {
        let expires_at = now.saturating_add(SignedDuration::from_secs(ttl_s.into()));
        Self {
            text: String::new(),
            kind,
            consent,
            issued_at: now,
            expires_at: expires_at.expect("a signed duration saturates"),
            status: Status::Live,
            redirect_uri: String::new(),
            challenge: None,
        }
    }

    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        self.status == Status::Live && now < self.expires_at
    }
}

impl Grants {
    pub(super) fn add(&mut self, text: &str, token: Token) {
        if self.tokens.len() == TOKENS_MAX {
            self.tokens.remove_oldest();
        }
        self.tokens.insert(text, Token { text: text.to_owned(), ..token });
    }

    pub(super) fn find(&self, text: &str) -> Option<&Token> {
        self.tokens.get(text)
    }

    /// Takes what may be used once. The second use ends the whole family.
    pub(super) fn take(&mut self, text: &str, kind: Kind, client_id: &str, now: Timestamp) -> Option<Token> {
        let token = self.tokens.get(text).filter(|token| token.kind == kind)?.clone();
        if token.consent.client_id != client_id {
            return None;
        }
        if token.status == Status::Used {
            self.revoke_family(token.consent.family);
        }
        token.is_live(now).then_some(())?;
        self.tokens.get_mut(text)?.status = Status::Used;
        Some(token)
    }

    pub(super) fn revoke_family(&mut self, family: u64) {
        self.revoke_where(|token| token.consent.family == family);
    }

    /// How many there were.
    pub(super) fn revoke_all_of(&mut self, sub: &str) -> usize {
        self.revoke_where(|token| token.consent.sub.as_deref() == Some(sub))
    }

    pub(super) fn revoke(&mut self, text: &str) {
        if let Some(token) = self.tokens.get_mut(text) {
            token.status = Status::Revoked;
        }
    }

    fn revoke_where(&mut self, is_meant: impl Fn(&Token) -> bool) -> usize {
        let live = self.tokens.oldest_first().filter(|token| token.status == Status::Live && is_meant(token));
        let texts: Vec<_> = live.map(|token| token.text.clone()).collect();
        texts.iter().for_each(|text| self.revoke(text));
        texts.len()
    }

    pub(super) fn shown(&self) -> Vec<Value> {
        let row = |token: &Token| {
            json!({"kind": token.kind, "client_id": token.consent.client_id, "sub": token.consent.sub,
                "scope": token.consent.scopes.join(" "), "status": token.status, "issued_at": token.issued_at,
                "expires_at": token.expires_at})
        };
        self.tokens.oldest_first().map(row).collect()
    }
}
