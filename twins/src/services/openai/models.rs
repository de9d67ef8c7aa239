//! The models that exist: a few well-known ones, and those that the script and the configuration name.

use serde_json::{Value, json};

use super::{Openai, errors};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

/// Name, what it stands for, and since when.
const KNOWN: [(&str, &str, i64); 15] = [
    ("gpt-5.6-sol", "gpt-5.6-sol", 1_790_000_000),
    ("gpt-5.2", "gpt-5.2-2025-12-11", 1_765_300_000),
    ("gpt-5", "gpt-5-2025-08-07", 1_754_500_000),
    ("gpt-5-mini", "gpt-5-mini-2025-08-07", 1_754_500_000),
    ("gpt-5-nano", "gpt-5-nano-2025-08-07", 1_754_500_000),
    ("gpt-4.1", "gpt-4.1-2025-04-14", 1_744_300_000),
    ("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", 1_744_300_000),
    ("gpt-4.1-nano", "gpt-4.1-nano-2025-04-14", 1_744_300_000),
    ("o4-mini", "o4-mini-2025-04-16", 1_744_200_000),
    ("o3", "o3-2025-04-16", 1_744_200_000),
    ("gpt-4o", "gpt-4o-2024-08-06", 1_715_300_000),
    ("gpt-4o-mini", "gpt-4o-mini-2024-07-18", 1_721_100_000),
    ("text-embedding-3-small", "text-embedding-3-small", 1_705_900_000),
    ("text-embedding-3-large", "text-embedding-3-large", 1_705_900_000),
    ("text-embedding-ada-002", "text-embedding-ada-002", 1_671_200_000),
];

impl Openai {
    pub(super) fn list_models(&mut self, _: &mut Context<'_>, _: &Request) -> Answer {
        Ok(Reply::json(200, &json!({"object": "list", "data": self.models()})))
    }

    pub(super) fn retrieve_model(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let id = request.param("model");
        let found = self.models().into_iter().find(|model| model["id"] == id);
        let gone = || {
            let message = format!("The model '{id}' does not exist");
            errors::error(404, "invalid_request_error", &message, Some("model"), Some("model_not_found"))
        };
        found.map(|model| Reply::json(200, &model)).ok_or_else(gone)
    }

    /// The name that answers carry for the name that was asked, if the model exists.
    pub(super) fn resolve(&self, asked: &str) -> Option<String> {
        let known = KNOWN.iter().find(|(name, snapshot, _)| asked == *name || asked == *snapshot);
        let named = || self.own_models().find(|own| *own == asked).map(str::to_owned);
        known.map(|(_, snapshot, _)| (*snapshot).to_owned()).or_else(named)
    }

    fn models(&self) -> Vec<Value> {
        let known = KNOWN.into_iter().flat_map(|(name, snapshot, created)| {
            let second = (snapshot != name).then_some((snapshot, created));
            std::iter::once((name, created)).chain(second)
        });
        let model = |(id, created): (&str, i64), owner| json!({"id": id, "object": "model", "created": created, "owned_by": owner});
        let own =
            self.own_models().filter(|own| KNOWN.iter().all(|(name, snapshot, _)| own != name && own != snapshot));
        let own = own.map(|id| model((id, 1_767_200_000), "twin"));
        own.chain(known.map(|known| model(known, "system"))).collect()
    }

    fn own_models(&self) -> impl Iterator<Item = &str> {
        self.player.model().into_iter().chain(self.models.iter().map(String::as_str))
    }
}

/// Models that think before they answer, and say so in what they report.
pub(super) fn reasons(model: &str) -> bool {
    model.starts_with("gpt-5") || model.starts_with("o3") || model.starts_with("o4")
}
