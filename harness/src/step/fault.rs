//! `fault`: makes a twin misbehave, counted.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    Captures, Halt, Kind, Outcome, Stage, Step,
    twin::{called, check_operation},
};
use crate::{
    scenario::{LintCode, Lower},
    text::{Node, Text},
};

pub(super) const KIND: Kind = Kind {
    name: "fault",
    needs: &["rule"],
    takes: &[],
    expects: &[],
    captures: Captures::Nothing,
    lower: |parts, lower| self::lower(parts.file.fault?, parts.file.rule?, lower),
};

/// `{operation: payment_intents.confirm, first: 1, kind: hang}`: the rule of the twin engine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct FaultFile(Node);

#[derive(Debug)]
struct Fault {
    twin: String,
    rule: Node,
}

pub(crate) fn lower(twin: Text, FaultFile(rule): FaultFile, lower: &mut Lower<'_>) -> Option<Box<dyn Step>> {
    let operation = rule.get("operation").and_then(|node| {
        let value = node.as_str()?.to_owned();
        Some(Text { value, place: node.place })
    });
    let operation = operation.filter(|operation| operation.as_str() != "*");
    let known = lower.twin(&twin);
    let of_twin = known.as_deref().filter(|known| check_operation(known, operation.as_ref(), lower));
    let written = rule.written();
    let is_template = written.to_string().contains("{{");
    if let Some(known) = of_twin.filter(|_| !is_template) {
        known.check_fault(&written).unwrap_or_else(|reason| lower.refuse(LintCode::UnknownFault, rule.place, reason));
    }
    Some(Box::new(Fault { twin: called(&twin, known.as_deref()), rule }))
}

#[async_trait]
impl Step for Fault {
    fn kind(&self) -> &'static str {
        "fault"
    }

    fn title(&self) -> String {
        let kind = self.rule.get("kind").and_then(Node::as_str).unwrap_or("fault");
        format!("fault {} {kind}", self.twin)
    }

    fn twin(&self) -> Option<&str> {
        Some(&self.twin)
    }

    async fn run(&self, stage: &mut Stage<'_>) -> Result<Outcome, Halt> {
        let rule = stage.scope.node(&self.rule)?;
        stage.world.fault(&self.twin, rule.clone()).map_err(Halt::Infra)?;
        Ok(Outcome { evidence: json!({ "twin": self.twin, "rule": rule }), ..Outcome::default() })
    }
}
