//! The models that exist: a few well-known ones, and the script's.

use serde_json::{Value, json};

use super::{Anthropic, errors, pages};
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
    pub(super) fn list_models(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        Ok(Reply::json(200, &pages::page(context, &request.query, &self.models())?))
    }

    pub(super) fn retrieve_model(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = request.param("id");
        let found = self.models().into_iter().find(|model| model["id"] == id);
        found.map(|model| Reply::json(200, &model)).ok_or_else(|| no_such_model(context, id))
    }

    pub(super) fn has_model(&self, id: &str) -> bool {
        self.own_models().any(|own| own == id) || KNOWN.iter().any(|(known, _)| *known == id)
    }

    fn models(&self) -> Vec<Value> {
        let own = self.own_models().filter(|id| KNOWN.iter().all(|(known, _)| known != id));
        let all = own.map(|id| (id, id)).chain(KNOWN);
        all.map(|(id, name)| {
            json!({"type": "model", "id": id, "display_name": name, "created_at": "2026-01-01T00:00:00Z",
                "max_input_tokens": 200_000, "max_tokens": 64_000, "capabilities": capabilities()})
        })
        .collect()
    }

    fn own_models(&self) -> impl Iterator<Item = &str> {
        self.player.model().into_iter().chain(self.models.iter().map(String::as_str))
    }
}

fn capabilities() -> Value {
    let yes = || json!({"supported": true});
    json!({"batch": yes(), "citations": {"supported": false}, "code_execution": {"supported": false},
        "image_input": yes(), "pdf_input": yes(), "structured_outputs": yes(),
        "context_management": {"supported": false, "clear_thinking_20251015": {"supported": false},
            "clear_tool_uses_20250919": {"supported": false}, "compact_20260112": {"supported": false}},
        "effort": {"supported": true, "high": yes(), "low": yes(), "max": yes(), "medium": yes()},
        "thinking": {"supported": true, "types": {"adaptive": yes(), "enabled": yes()}}})
}

pub(super) fn no_such_model(context: &Context<'_>, id: &str) -> Reply {
    errors::error(context, 404, "not_found_error", &format!("model: {id}"))
}
