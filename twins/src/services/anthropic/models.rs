//! The models that exist: a few well-known ones, and the script's.

use serde_json::{Value, json};

use super::{Anthropic, errors};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

/// Id and display name, newest first.
const KNOWN: [(&str, &str); 4] = [
    ("claude-opus-4-8", "Claude Opus 4.8"),
    ("claude-opus-4-7", "Claude Opus 4.7"),
    ("claude-sonnet-4-6", "Claude Sonnet 4.6"),
    ("claude-haiku-4-5", "Claude Haiku 4.5"),
];

impl Anthropic {
    pub(super) fn list_models(&mut self, _: &mut Context<'_>, _: &Request) -> Answer {
        let models = self.models();
        let (first, last) = (models.first().map(|it| &it["id"]), models.last().map(|it| &it["id"]));
        Ok(Reply::json(200, &json!({"data": models, "has_more": false, "first_id": first, "last_id": last})))
    }

    pub(super) fn retrieve_model(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = request.param("id");
        let found = self.models().into_iter().find(|model| model["id"] == id);
        found.map(|model| Reply::json(200, &model)).ok_or_else(|| no_such_model(context, id))
    }

    pub(super) fn has_model(&self, id: &str) -> bool {
        self.scripted_model() == Some(id) || KNOWN.iter().any(|(known, _)| *known == id)
    }

    fn models(&self) -> Vec<Value> {
        let scripted = self.scripted_model().filter(|id| KNOWN.iter().all(|(known, _)| known != id));
        let all = scripted.map(|id| (id, id)).into_iter().chain(KNOWN);
        all.map(|(id, name)| {
            json!({"type": "model", "id": id, "display_name": name, "created_at": "2026-01-01T00:00:00Z",
                "max_input_tokens": 200_000, "max_tokens": 64_000})
        })
        .collect()
    }

    fn scripted_model(&self) -> Option<&str> {
        self.script.as_ref().map(|script| script.model.as_str())
    }
}

pub(super) fn no_such_model(context: &Context<'_>, id: &str) -> Reply {
    errors::error(context, 404, "not_found_error", &format!("model: {id}"))
}
