//! `act`: something that the outside service does by itself, such as repeating a webhook.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{Captures, Halt, Kind, Outcome, Stage, Step, twin::called};
use crate::{
    scenario::{LintCode, Lower},
    text::{Node, NodeKind, Text},
};

pub(super) const KIND: Kind = Kind {
    name: "act",
    needs: &["do"],
    takes: &[],
    expects: &[],
    captures: Captures::Nothing,
    lower: |parts, lower| self::lower(parts.file.act?, parts.file.action?, lower),
};

/// `{redeliver_webhook: {type: payment_intent.succeeded, times: 2}}`: one action with its arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct ActFile(Node);

#[derive(Debug)]
struct Act {
    twin: String,
    action: Node,
}

pub(crate) fn lower(twin: Text, ActFile(action): ActFile, lower: &mut Lower<'_>) -> Option<Box<dyn Step>> {
    let known = lower.twin(&twin);
    let name = match &action.kind {
        NodeKind::Map(entries) if entries.len() == 1 => Some(entries[0].0.clone()),
        NodeKind::Text(name) => Some(name.clone()),
        _ => None,
    };
    match (name, &known) {
        (None, _) => lower.refuse(LintCode::StepKind, action.place, "`do` holds one action, like {hold_webhooks: {}}"),
        (Some(name), Some(known)) if !known.has_action(&name) => {
            let message = format!("the twin `{}` has no action `{name}`", known.name());
            let hint = known.actions();
            lower.refuse_with(LintCode::UnknownOperation, action.place, message, hint);
        }
        (Some(_), _) => {}
    }
    Some(Box::new(Act { twin: called(&twin, known.as_deref()), action }))
}

#[async_trait]
impl Step for Act {
    fn kind(&self) -> &'static str {
        "act"
    }

    fn title(&self) -> String {
        let name = match &self.action.kind {
            NodeKind::Map(entries) => entries.first().map_or("", |(name, _)| name.as_str()),
            _ => self.action.as_str().unwrap_or(""),
        };
        format!("act {} {name}", self.twin)
    }

    fn twin(&self) -> Option<&str> {
        Some(&self.twin)
    }

    async fn run(&self, stage: &mut Stage<'_>) -> Result<Outcome, Halt> {
        let action = stage.scope.node(&self.action)?;
        let answer = stage.world.act(&self.twin, action.clone()).map_err(Halt::Infra)?;
        let evidence = json!({ "twin": self.twin, "do": action, "answer": answer });
        Ok(Outcome { evidence, ..Outcome::default() })
    }
}
