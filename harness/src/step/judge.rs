//! `judge`: a panel decides what no rule decides.

use async_trait::async_trait;
use judges::{Criterion, Evidence, Panel, Verdict};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{Captures, Halt, Kind, Outcome, Stage, Step, http::plain};
use crate::{
    expect::{Mismatch, cut},
    record::EVIDENCE_BODY_BYTES_MAX,
    scenario::{LintCode, Lower},
    text::{Entries, Node, Placed, Text},
};

pub(super) const KIND: Kind = Kind {
    name: "judge",
    needs: &[],
    takes: &[],
    expects: &[],
    captures: Captures::Nothing,
    lower: |parts, lower| Some(self::lower(parts.file.judge?, lower)),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JudgeFile {
    /// One statement that is true or false of the evidence.
    criterion: Text,
    /// When the answer is yes, where the statement alone leaves room.
    #[serde(default)]
    pass_when: Option<Text>,
    /// Name → what the judge looks at.
    evidence: Entries<Node>,
    /// An odd number up to 15. Default 3.
    #[serde(default)]
    votes: Option<Placed<u8>>,
}

#[derive(Debug)]
struct Judge {
    criterion: Text,
    pass_when: Option<Text>,
    evidence: Entries<Node>,
    panel: Panel,
}

pub(crate) fn lower(file: Placed<JudgeFile>, lower: &mut Lower<'_>) -> Box<dyn Step> {
    if file.evidence.is_empty() {
        lower.refuse(LintCode::BadExpectation, file.place, "a judge needs evidence to look at");
    }
    let mut panel = Panel::default();
    if let Some(votes) = &file.votes {
        match Panel::new(votes.value) {
            Some(asked) => panel = asked,
            None => {
                let message = format!("a panel has an odd number of votes, at most {}", Panel::VOTES_MAX);
                lower.refuse(LintCode::BadLimit, votes.place, message);
            }
        }
    }
    let JudgeFile { criterion, pass_when, evidence, .. } = file.value;
    Box::new(Judge { criterion, pass_when, evidence, panel })
}

#[async_trait]
impl Step for Judge {
    fn kind(&self) -> &'static str {
        "judge"
    }

    fn title(&self) -> String {
        format!("judge: {}", cut(self.criterion.value.clone(), 60))
    }

    fn asserts(&self) -> bool {
        true
    }

    async fn run(&self, stage: &mut Stage<'_>) -> Result<Outcome, Halt> {
        let mut criterion = Criterion {
            id: stage.scenario.to_owned(),
            question: stage.scope.text(&self.criterion)?,
            pass_when: self.pass_when.as_ref().map(|text| stage.scope.text(text)).transpose()?,
        };
        stage.learn_made();
        // What judges are asked leaves the machine.
        [Some(&mut criterion.question), criterion.pass_when.as_mut()]
            .into_iter()
            .flatten()
            .for_each(|text| stage.secrets.hide_text(text));
        let mut evidence = Evidence::new();
        let mut shown = serde_json::Map::new();
        for (name, node) in self.evidence.iter() {
            let mut text = plain(stage.scope.node(node)?);
            stage.learn_made();
            stage.secrets.hide_text(&mut text);
            evidence.add(name, &text);
            shown.insert(name.value.clone(), cut(text, EVIDENCE_BODY_BYTES_MAX).into());
        }
        let mut outcome =
            Outcome { evidence: json!({ "criterion": criterion, "evidence": shown }), ..Outcome::default() };
        let Some(ask) = stage.actor.ask else {
            outcome.unjudged = Some("no judge is configured".to_owned());
            return Ok(outcome);
        };
        match judges::judge(&criterion, &evidence, self.panel, ask).await {
            Ok(verdict) => {
                outcome.mismatches.extend((!verdict.pass).then(|| refusal(&criterion, &verdict)));
                outcome.judgement = Some(verdict);
            }
            Err(unanswered) => outcome.unjudged = Some(unanswered.to_string()),
        }
        Ok(outcome)
    }
}

fn refusal(criterion: &Criterion, verdict: &Verdict) -> Mismatch {
    let reasons = verdict.votes.iter().filter(|vote| !vote.pass).map(|vote| vote.reason.as_str());
    let reasons = reasons.collect::<Vec<_>>().join("; ");
    let against = verdict.votes.iter().filter(|vote| !vote.pass).count();
    let observed = format!("{against} of {} votes against it: {}", verdict.votes.len(), cut(reasons, 1_000));
    Mismatch::new("judge", criterion.question.clone(), observed)
}
