//! One line per event for the raw log.

use model::{
    event::{Body, agent::Block, run::Outcome},
    verdict::Suite,
};

use crate::format;

const LINE_CHARS_MAX: usize = 160; // one line on a wide screen

pub(crate) fn summary(body: &Body) -> String {
    let line = line(body);
    let first = line.lines().next().unwrap_or_default();
    match first.char_indices().nth(LINE_CHARS_MAX) {
        Some((cut, _)) => format!("{}…", &first[..cut]),
        None => first.to_owned(),
    }
}

fn line(body: &Body) -> String {
    match body {
        Body::RunCreated(e) => format!("{} from {}", e.spec.title, e.spec.path),
        Body::RunClaimed(e) => format!("{} took the run over, epoch {}", e.worker, e.epoch),
        Body::RunParked(e) => e.question.clone(),
        Body::RunFinished(e) => format!("{}: {}", e.verdict.words(), e.reason),
        Body::NodeArrived(e) => e.node.clone(),
        Body::ActionScheduled(e) => format!("{} ({})", e.id, e.kind.words()),
        Body::ActionStarted(e) => format!("{} on {}", e.action, e.worker),
        Body::ActionFinished(e) => match &e.outcome {
            Outcome::Succeeded { .. } => format!("{} succeeded", e.action),
            Outcome::Failed { message, .. } => format!("{} failed: {message}", e.action),
        },
        Body::TreeHydrated(e) => format!("{} files, tree {}", e.files, e.tree.short()),
        Body::TreeExported(e) => {
            format!("{} added, {} modified, {} deleted", e.added.len(), e.modified.len(), e.deleted.len())
        }
        Body::BranchWritten(e) => e.branch.clone(),
        Body::IncidentOpened(e) => format!("{}: {}", e.code, e.summary),
        Body::SessionStarted(e) => format!("{} {}", e.provider, e.model),
        Body::SessionTold(e) => e.text.clone(),
        Body::TurnStarted(e) => format!("turn {}", e.turn),
        Body::TurnReplied(e) => format!("turn {}: {}", e.turn, blocks(&e.blocks)),
        Body::TurnFailed(e) => format!("turn {}, attempt {}: {}", e.turn, e.attempt, e.message),
        Body::ToolCalled(e) => format!("{} {}", e.name, e.arguments),
        Body::ToolReturned(e) => format!("{}: {}", if e.ok { "ok" } else { "error" }, e.output),
        Body::SessionEnded(e) => format!("{} turns. {}", e.turns, e.message),
        Body::CommandStarted(e) => e.argv.join(" "),
        Body::CommandPrinted(e) => e.text.clone(),
        Body::CommandExited(e) => format!("{} after {}", e.status, format::duration(e.duration_ms)),
        Body::ControlProved(e) => {
            let finding = e.finding.as_deref().unwrap_or("red on a nop and on a canned 200");
            format!("{}: {finding}", e.scenario)
        }
        Body::TrialFinished(e) => format!("{} #{} {}", e.scenario, e.trial, trial_words(e.verdict)),
        Body::SuiteScored(e) => suite_line(e.suite, e.score.satisfied, e.score.trials),
        Body::GateEvaluated(e) => e.reason.clone(),
        Body::FeedbackComposed(e) => e.text.clone(),
        Body::LeakCaught(e) => format!("holdout text withheld from {}", e.surface),
    }
}

fn suite_line(suite: Suite, satisfied: u32, trials: u32) -> String {
    format!("{}: {satisfied} of {trials} trials satisfied", suite.words())
}

pub(crate) fn trial_words(verdict: model::event::grade::TrialVerdict) -> &'static str {
    use model::event::grade::TrialVerdict;
    match verdict {
        TrialVerdict::Satisfied => "satisfied",
        TrialVerdict::Unsatisfied => "unsatisfied",
        TrialVerdict::Unjudged => "unjudged",
        TrialVerdict::Infra => "spoiled by infrastructure",
    }
}

fn blocks(blocks: &[Block]) -> String {
    let calls = blocks.iter().filter(|block| matches!(block, Block::ToolCall { .. })).count();
    let text = blocks.iter().find_map(|block| match block {
        Block::Text { text } => Some(text.as_str()),
        Block::Thinking { .. } | Block::ToolCall { .. } => None,
    });
    match (text, calls) {
        (Some(text), _) => text.to_owned(),
        (None, 1) => "1 call".to_owned(),
        (None, calls) => format!("{calls} calls"),
    }
}
