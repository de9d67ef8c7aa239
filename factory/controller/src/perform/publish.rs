//! Leaves the result as a commit on `factory/<spec>/<run>`, with what stands behind it in the message.

use std::{fmt::Write as _, sync::Arc};

use model::{
    event::{Body, grade::GateEvaluated, run::BranchWritten},
    verdict::Score,
};
use serde_json::json;

use super::{Done, Failure, Job, done};
use crate::repo::{self, BranchCommit};

pub(super) async fn publish(job: &Job) -> Result<Done, Failure> {
    let state = job.journal.state().await;
    let budget_ended = state.limit_reached().is_some();
    let Ok(tree) = job.built_tree().await else {
        return Ok(done(json!({ "branch": null, "budget_ended": budget_ended })));
    };
    let gate = |body: &Body| match body {
        Body::GateEvaluated(gate) => Some(gate.clone()),
        _ => None,
    };
    let gate = job.journal.last(gate).await;
    let spec = &job.seed.spec;
    let branch = format!("factory/{}/{}", spec.id, job.journal.run());
    let message = message(job, gate.as_ref()).await;
    let replaces: Vec<String> = job.seed.tree.entries.keys().cloned().collect();
    let tree_dir = job.dir().tree(tree);
    let (seed, named) = (Arc::clone(&job.seed), branch.clone());
    let writing = tokio::task::spawn_blocking(move || {
        let wanted = BranchCommit {
            branch: &named,
            base: seed.settings.base.as_deref(),
            subject: &seed.spec.subject,
            replaces: &replaces,
            tree: &tree_dir,
            message: &message,
        };
        repo::write_branch(&seed.settings.repository, &wanted)
    });
    let commit = writing.await.map_err(Failure::transient)?.map_err(|error| describe(&error))?;
    let (visible, holdout) = gate.map_or_else(Default::default, |gate| (gate.visible, gate.holdout));
    job.journal.record(BranchWritten { branch: branch.clone(), commit: commit.clone(), visible, holdout }).await?;
    Ok(done(json!({ "branch": branch, "commit": commit, "budget_ended": budget_ended })))
}

fn describe(error: &repo::Error) -> Failure {
    let cause = std::error::Error::source(error).map_or_else(String::new, |source| format!(": {source}"));
    Failure::transient(format!("{error}{cause}"))
}

/// Tells the same each time it is called, so that publishing twice gives the same commit.
async fn message(job: &Job, gate: Option<&GateEvaluated>) -> String {
    let spec = &job.seed.spec;
    let satisfied = gate.is_some_and(|gate| gate.satisfied);
    let verdict = if satisfied { "satisfied" } else { "not satisfied" };
    let mut text = format!("{}: {}\n\n{verdict}", spec.id, spec.title);
    if let Some(gate) = gate {
        let _ = writeln!(text, ": {}\n", gate.reason);
        for evidence in &gate.requirements {
            let (satisfied, trials) = (evidence.visible_satisfied, evidence.visible_trials);
            let _ =
                writeln!(text, "{:<4} {satisfied}/{trials} visible trials · {}", evidence.requirement, evidence.text);
        }
    }
    let _ = write!(text, "\nFactory-Run: {}\nFactory-Spec: {}\n", job.journal.run(), spec.digest);
    let _ = writeln!(text, "Factory-Seed: {}", job.seed.digest);
    if let Some(gate) = gate {
        let _ = writeln!(
            text,
            "Factory-Satisfaction: visible {}; holdout {}",
            trailer(&gate.visible),
            trailer(&gate.holdout)
        );
    }
    let _ = writeln!(text, "Factory-Audit-Head: {}", job.journal.head_when_scheduled(&job.action.id).await);
    text
}

fn trailer(score: &Score) -> String {
    format!(
        "{:.3} ({}/{}, lower bound {:.3} at {:.0} %)",
        score.satisfaction,
        score.satisfied,
        score.trials,
        score.lower_bound,
        score.confidence * 100.0
    )
}
