//! API keys: for everything, or for sending only.

use serde_json::{Value, json};

use super::{
    Resend, answer,
    errors::{invalid, missing, not_found},
    lists::page,
    object, uuid, written,
};
use crate::{
    http::Request,
    twin::{Answer, Context},
};

const NAME_CHARS_MAX: usize = 50;

#[derive(Clone)]
pub(super) struct Key {
    id: String,
    name: String,
    access: Access,
    created_at: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Full,
    Sending,
}

impl Key {
    pub(super) fn may(&self, operation: &str) -> bool {
        self.access == Access::Full || matches!(operation, "emails.send" | "emails.batch")
    }

    pub(super) fn shown(&self) -> Value {
        json!({"id": self.id, "name": self.name, "created_at": self.created_at})
    }
}

impl Resend {
    /// The token is told once, in this answer.
    pub(super) fn create_key(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let fields = object(request)?;
        let name = fields.get("name").as_str().filter(|name| !name.is_empty()).ok_or_else(|| missing("name"))?;
        if name.chars().count() > NAME_CHARS_MAX {
            return Err(invalid("The `name` must be at most 50 characters."));
        }
        let access = match fields.get("permission").as_str() {
            None | Some("full_access") => Access::Full,
            Some("sending_access") => Access::Sending,
            Some(_) => return Err(invalid("The `permission` must be `full_access` or `sending_access`.")),
        };
        let id = uuid(context, "api key");
        let token = format!("re_{}_{}", context.id("key head", 8), context.id("key tail", 24));
        let key = Key { id: id.clone(), name: name.to_owned(), access, created_at: written(context.now) };
        self.keys.insert(&id, key);
        self.tokens.insert(token.clone(), id.clone());
        answer(&json!({"id": id, "token": token}))
    }

    pub(super) fn list_keys(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        page(request, self.keys.newest_first().map(Key::shown).collect())
    }

    pub(super) fn delete_key(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let id = request.param("id");
        self.keys.remove(id).ok_or_else(|| not_found("API key"))?;
        self.tokens.retain(|_, known| known != id);
        answer(&json!({"object": "api_key", "id": id, "deleted": true}))
    }
}
