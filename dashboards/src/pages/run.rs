//! `/runs/{id}`: one run, live. `/runs/{id}/live` is the part that changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    extract::{Path, State},
    response::Response,
};
use jiff::Timestamp;
use model::{
    event::grade::{GateEvaluated, TrialFinished, TrialVerdict},
    id::RunId,
    verdict::Suite,
};
use serde::Serialize;

use super::verdict::{self, Badge};
use crate::{
    Reads,
    chart::{Chart, Frame, chart},
    format,
    reads::{Result, Round, RunPage, StepStatus, Trial, WalkStep},
    summary::trial_words,
};

#[derive(Serialize)]
struct Page {
    #[serde(flatten)]
    run: RunPage,
    badge: Badge,
    sentence: String,
    need: Option<String>,
    elapsed_ms: u64,
    finished: bool,
    now_doing: Vec<WalkStep>,
    stages: Vec<Stage>,
    meters: Vec<Meter>,
    chart: Option<Chart>,
    gate: Option<GateEvaluated>,
    gap: Option<Gap>,
    rounds: Vec<RoundHead>,
    suites: Vec<SuiteRows>,
}

/// The actions of one iteration; 0 is what comes before the first build.
#[derive(Serialize)]
struct Stage {
    iteration: u32,
    steps: Vec<WalkStep>,
}

/// Spent of a budget.
#[derive(Serialize)]
struct Meter {
    name: &'static str,
    used: String,
    most: Option<String>,
    /// 0 to 100; `None` without a limit.
    percent: Option<u64>,
}

#[derive(Serialize)]
struct Gap {
    tone: &'static str,
    sentence: String,
}

#[derive(Serialize)]
struct RoundHead {
    label: String,
}

#[derive(Serialize)]
struct SuiteRows {
    suite: Suite,
    scenarios: Vec<ScenarioRow>,
}

#[derive(Serialize)]
struct ScenarioRow {
    scenario: String,
    requirements: Vec<String>,
    /// One per round, in the order of the page's `rounds`.
    cells: Vec<Vec<Cell>>,
}

#[derive(Serialize)]
struct Cell {
    href: String,
    verdict: TrialVerdict,
    label: String,
    failure: Option<String>,
}

pub(crate) async fn page(State(reads): State<Arc<dyn Reads>>, Path(run): Path<String>) -> Response {
    show(&*reads, &run, "run.html").await
}

pub(crate) async fn live(State(reads): State<Arc<dyn Reads>>, Path(run): Path<String>) -> Response {
    show(&*reads, &run, "run_live.html").await
}

async fn show(reads: &dyn Reads, run: &str, template: &str) -> Response {
    let Ok(run) = run.parse::<RunId>() else { return super::missing("run") };
    match load(reads, &run).await {
        Ok(Some(run)) => super::render(template, &view(run, Timestamp::now())),
        Ok(None) => super::missing("run"),
        Err(error) => super::failed(&error),
    }
}

async fn load(reads: &dyn Reads, run: &RunId) -> Result<Option<RunPage>> {
    let Some(page) = reads.run(run).await? else { return Ok(None) };
    Ok(Some(page.with_sealed_trials_for_people(reads.sealed_trials_for_people(run).await?)))
}

fn view(run: RunPage, now: Timestamp) -> Page {
    let elapsed = run.row.ended_at.unwrap_or(now).duration_since(run.row.created_at);
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(0);
    let points = run.points();
    let gate = run.gates.last().cloned();
    let now_doing: Vec<_> =
        run.progress.walk.iter().filter(|step| step.status == StepStatus::Running).cloned().collect();
    let rounds: BTreeSet<Round> = run.trials.iter().map(|trial| trial.round).collect();
    Page {
        badge: verdict::of(&run.row.phase),
        sentence: sentence(&run, &now_doing),
        need: verdict::need(&run.row),
        elapsed_ms,
        finished: run.row.phase.is_finished(),
        now_doing,
        stages: stages(&run.progress.walk),
        meters: meters(&run, elapsed_ms),
        chart: (!points.is_empty()).then(|| chart(&points, run.row.target, Frame::FULL)),
        gap: gate.as_ref().map(gap),
        gate,
        suites: [Suite::Visible, Suite::Holdout].map(|suite| suite_rows(&run, suite, &rounds)).into(),
        rounds: rounds.into_iter().map(|round| RoundHead { label: round_label(round) }).collect(),
        run,
    }
}

/// What the run is about just now, or how it ended.
fn sentence(run: &RunPage, now_doing: &[WalkStep]) -> String {
    use crate::reads::Phase;
    let doing = || now_doing.iter().map(|step| step.node.as_str()).collect::<Vec<_>>().join(" and ");
    match &run.row.phase {
        Phase::Finished { reason, .. } => reason.clone(),
        Phase::Parked(parked) => parked.question.clone(),
        Phase::Active if now_doing.is_empty() => "Waiting for a worker.".to_owned(),
        Phase::Active if run.progress.iteration == 0 => format!("Before the first iteration, at {}.", doing()),
        Phase::Active => format!("In iteration {}, at {}.", run.progress.iteration, doing()),
    }
}

fn stages(walk: &[WalkStep]) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    for step in walk {
        match stages.last_mut() {
            Some(stage) if stage.iteration == step.iteration => stage.steps.push(step.clone()),
            _ => stages.push(Stage { iteration: step.iteration, steps: vec![step.clone()] }),
        }
    }
    stages
}

fn meters(run: &RunPage, elapsed_ms: u64) -> Vec<Meter> {
    let budget = run.progress.budget;
    let spent = run.row.spent;
    let meter = |name, used: u64, most: Option<u64>, words: fn(u64) -> String| Meter {
        name,
        used: words(used),
        most: most.map(words),
        percent: most.map(|most| used.saturating_mul(100).checked_div(most).unwrap_or(100).min(100)),
    };
    let iterations = u64::from(run.row.iterations);
    vec![
        meter("Cost", spent.cost_usd_micros, budget.cost_usd_micros, model::budget::usd),
        meter("Tokens", spent.tokens(), budget.tokens, format::count),
        meter("Time", elapsed_ms, budget.wall_time_ms, format::duration),
        meter("Iterations", iterations, budget.iterations.map(u64::from), format::count),
    ]
}

/// What the difference between the suites means. Its interval decides, not the difference itself.
fn gap(gate: &GateEvaluated) -> Gap {
    let numbers = format!(
        "Visible minus holdout is {} points, between {} and {}.",
        format::points(gate.gap),
        format::points(gate.gap_low),
        format::points(gate.gap_high)
    );
    if gate.gap_low > 0.0 {
        let meaning = "The whole interval is above zero: the software does better where the builder could look.";
        return Gap { tone: "bad", sentence: format!("{numbers} {meaning}") };
    }
    let meaning = "The interval holds zero: nothing shows that the software was built to the visible scenarios only.";
    Gap { tone: "good", sentence: format!("{numbers} {meaning}") }
}

fn suite_rows(run: &RunPage, suite: Suite, rounds: &BTreeSet<Round>) -> SuiteRows {
    let mut by_scenario: BTreeMap<&str, Vec<&Trial>> = BTreeMap::new();
    for trial in run.trials.iter().filter(|trial| trial.finished.suite == suite) {
        by_scenario.entry(&trial.finished.scenario).or_default().push(trial);
    }
    let row = |(scenario, trials): (&str, Vec<&Trial>)| ScenarioRow {
        scenario: scenario.to_owned(),
        requirements: trials.last().map(|trial| trial.finished.requirements.clone()).unwrap_or_default(),
        cells: rounds.iter().map(|round| cells(&run.row.run, &trials, *round)).collect(),
    };
    SuiteRows { suite, scenarios: by_scenario.into_iter().map(row).collect() }
}

fn cells(run: &RunId, trials: &[&Trial], round: Round) -> Vec<Cell> {
    let mut trials: Vec<_> = trials.iter().filter(|trial| trial.round == round).collect();
    trials.sort_by_key(|trial| trial.finished.trial);
    let cell = |trial: &&&Trial| Cell {
        href: trial_href(run, &trial.finished),
        verdict: trial.finished.verdict,
        label: format!("{}, {}: {}", trial.finished.scenario, trial_label(trial), trial_words(trial.finished.verdict)),
        failure: trial.finished.failure.clone(),
    };
    trials.iter().map(cell).collect()
}

fn round_label(round: Round) -> String {
    if round.fresh { format!("{}, fresh trials", round.iteration) } else { format!("iteration {}", round.iteration) }
}

pub(super) fn trial_label(trial: &Trial) -> String {
    let fresh = if trial.round.fresh { ", fresh" } else { "" };
    format!("iteration {}{fresh}, trial {}", trial.round.iteration, trial.finished.trial)
}

pub(super) fn trial_href(run: &RunId, trial: &TrialFinished) -> String {
    format!(
        "/runs/{run}/trials/{}/{}/{}?action={}",
        trial.suite.words(),
        format::segment(&trial.scenario),
        trial.trial,
        format::segment(trial.action.as_str())
    )
}
