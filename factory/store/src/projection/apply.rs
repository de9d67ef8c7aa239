//! The statements that carry changes out. One function per statement, named after what it records.

use std::borrow::Cow;

use jiff_sqlx::ToSqlx as _;
use model::{
    budget::Spend,
    event::{
        grade::{GateEvaluated, SuiteScored},
        run::Created,
    },
};
use serde::Serialize;
use sqlx::{
    PgConnection, Postgres,
    postgres::{PgArguments, PgQueryResult},
    query::Query,
};

use super::{Change, ChangeKind};
use crate::error::signed;

type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// Carries out changes in the caller's transaction.
pub(crate) async fn apply(connection: &mut PgConnection, changes: &[Change]) -> sqlx::Result<()> {
    for change in changes {
        let _: PgQueryResult = statement(change).execute(&mut *connection).await?;
    }
    Ok(())
}

fn statement(change: &Change) -> Statement<'_> {
    let run = change.run.as_str();
    match &change.kind {
        ChangeKind::RunCreated(created) => create_run(run, created),
        ChangeKind::RunClaimed { worker, epoch } => sqlx::query(
            "update proj_runs set worker = $2, epoch = $3, state = case state when 'ready' then 'running' else state end
             where run = $1",
        )
        .bind(run)
        .bind(text(worker))
        .bind(signed(*epoch)),
        ChangeKind::RunParked { action, question, choices } => sqlx::query(
            "update proj_runs set state = 'parked', parked_action = $2, question = $3, choices = $4::text::json
             where run = $1",
        )
        .bind(run)
        .bind(text(action.as_str()))
        .bind(text(question))
        .bind(json(choices)),
        ChangeKind::RunFinished { verdict, reason, spent, at } => with_spend(
            sqlx::query(
                "update proj_runs set state = 'finished', parked_action = null, question = null, choices = null,
                     cost_usd_micros = $2, input_tokens = $3, output_tokens = $4, model_calls = $5,
                     verdict = $6, reason = $7, finished_at = $8
                 where run = $1",
            )
            .bind(run),
            spent,
        )
        .bind(word(verdict))
        .bind(text(reason))
        .bind(at.to_sqlx()),
        ChangeKind::RunMoved { node, visit } => {
            sqlx::query("update proj_runs set node = $2, visit = $3 where run = $1")
                .bind(run)
                .bind(text(node))
                .bind(visit.map(count))
        }
        ChangeKind::RunBuilds { visit } => {
            sqlx::query("update proj_runs set builds = greatest(builds, $2) where run = $1").bind(run).bind(count(*visit))
        }
        ChangeKind::RunSpent { action, spent } => with_spend(
            sqlx::query(
                "update proj_runs set cost_usd_micros = cost_usd_micros + $2, input_tokens = input_tokens + $3,
                     output_tokens = output_tokens + $4, model_calls = model_calls + $5,
                     state = case when parked_action = $6 then 'running' else state end,
                     question = case when parked_action = $6 then null else question end,
                     choices = case when parked_action = $6 then null else choices end,
                     parked_action = nullif(parked_action, $6)
                 where run = $1",
            )
            .bind(run),
            spent,
        )
        .bind(text(action.as_str())),
        ChangeKind::RunIterated { iteration } => {
            sqlx::query("update proj_runs set iteration = $2 where run = $1").bind(run).bind(count(*iteration))
        }
        ChangeKind::RunBranched { branch, commit } => {
            sqlx::query("update proj_runs set branch = $2, commit = $3 where run = $1")
                .bind(run)
                .bind(text(branch))
                .bind(text(commit))
        }
        ChangeKind::RunTroubled => {
            sqlx::query("update proj_runs set incidents = incidents + 1 where run = $1").bind(run)
        }
        ChangeKind::SuiteScored(scored) => score_suite(change, scored),
        ChangeKind::GateEvaluated(gate) => evaluate_gate(change, gate),
    }
}

fn create_run<'q>(run: &'q str, created: &'q Created) -> Statement<'q> {
    sqlx::query(
        "insert into proj_runs (run, workspace, spec, spec_title, spec_path, spec_digest, seed, state, epoch, budget,
             created_at)
         values ($1, $2, $3, $4, $5, $6, $7, 'ready', 0, $8::text::json, $9)",
    )
    .bind(run)
    .bind(created.workspace.as_str())
    .bind(text(&created.spec.id))
    .bind(text(&created.spec.title))
    .bind(text(&created.spec.path))
    .bind(created.spec.digest.to_string())
    .bind(created.seed.to_string())
    .bind(json(&created.budget))
    .bind(created.created_at.to_sqlx())
}

fn score_suite<'q>(change: &'q Change, scored: &'q SuiteScored) -> Statement<'q> {
    sqlx::query(
        "insert into proj_scores (run, seq, action, suite, iteration, tree, score, scored_at)
         values ($1, $2, $3, $4, $5, $6, $7::text::json, $8)",
    )
    .bind(&change.run)
    .bind(signed(change.seq))
    .bind(text(scored.action.as_str()))
    .bind(word(&scored.suite))
    .bind(count(scored.iteration))
    .bind(scored.tree.to_string())
    .bind(json(&scored.score))
    .bind(change.at.to_sqlx())
}

fn evaluate_gate<'q>(change: &'q Change, gate: &'q GateEvaluated) -> Statement<'q> {
    sqlx::query(
        "insert into proj_gates (run, seq, action, iteration, satisfied, gate, evaluated_at)
         values ($1, $2, $3, $4, $5, $6::text::json, $7)",
    )
    .bind(&change.run)
    .bind(signed(change.seq))
    .bind(text(gate.action.as_str()))
    .bind(count(gate.iteration))
    .bind(gate.satisfied)
    .bind(json(gate))
    .bind(change.at.to_sqlx())
}

/// Binds the four numbers of a [`Spend`], `$2` to `$5` of each statement that has them.
fn with_spend<'q>(statement: Statement<'q>, spent: &Spend) -> Statement<'q> {
    statement
        .bind(signed(spent.cost_usd_micros))
        .bind(signed(spent.input_tokens))
        .bind(signed(spent.output_tokens))
        .bind(signed(spent.model_calls))
}

/// Postgres keeps no zero characters in text; an agent's output may hold some. The event itself has them escaped.
fn text(given: &str) -> Cow<'_, str> {
    if given.contains('\0') { Cow::Owned(given.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(given) }
}

fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("events hold only strings as keys")
}

/// The one word that a unit variant serialises to.
fn word(value: &impl Serialize) -> String {
    json(value).trim_matches('"').to_owned()
}
