//! A provider that is a part of a larger service, which knows the people, and asks what a token allows.

use jiff::Timestamp;

use super::{
    Addresses, Oidc,
    config::{Client, SignIn, Ttl, User},
    device::Devices,
    grants::{Grants, Kind, Token},
    keys::Keys,
    signer::Algorithm,
};
use crate::twin::Context;

/// What an access token allows.
pub(in crate::services) struct Access<'o>(&'o Token);

impl<'o> Access<'o> {
    pub(in crate::services) fn is_live(&self, now: Timestamp) -> bool {
        self.0.is_live(now)
    }

    pub(in crate::services) fn scopes(&self) -> &[String] {
        &self.0.consent.scopes
    }

    /// None: the client itself.
    pub(in crate::services) fn sub(self) -> Option<&'o str> {
        self.0.consent.sub.as_deref()
    }
}

impl Oidc {
    pub(in crate::services) fn within(
        addresses: &'static Addresses,
        clients: Vec<Client>,
        signing: Algorithm,
        sign_in: SignIn,
        ttl: Ttl,
    ) -> Self {
        Self {
            addresses,
            users: Vec::new(),
            clients: clients.into_iter().map(|client| (client.client_id.clone(), client)).collect(),
            sign_in,
            ttl,
            keys: Keys::new(signing),
            grants: Grants::default(),
            devices: Devices::default(),
        }
    }

    /// Who may sign in from now on.
    pub(in crate::services) fn know(&mut self, people: Vec<User>) {
        self.users = people;
    }

    pub(in crate::services) fn add_client(&mut self, client: Client) {
        self.clients.insert(client.client_id.clone(), client);
    }

    pub(in crate::services) fn forget_client(&mut self, client_id: &str) {
        self.clients.remove(client_id);
    }

    /// Before each operation.
    pub(in crate::services) fn ready(&mut self, context: &mut Context<'_>) {
        self.keys.ensure(context);
    }

    /// None: no access token of this provider.
    pub(in crate::services) fn access(&self, text: &str) -> Option<Access<'_>> {
        self.grants.find(text).filter(|token| token.kind == Kind::AccessToken).map(Access)
    }

    pub(in crate::services) fn end_tokens_of(&mut self, sub: &str) {
        self.grants.revoke_all_of(sub);
    }
}
