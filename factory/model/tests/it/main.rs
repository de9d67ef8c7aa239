//! The pure engine, driven by a worker that answers from a table. Requirements FAC-2, FAC-8, CX-12..20, CX-35.

use factory_model::{
    budget::{Budget, Spend},
    event::{
        Body,
        run::{ActionFinished, ActionStarted, Created, FailureClass, Outcome, SpecRef},
    },
    flow::Flow,
    hash::Digest,
    id::{RunId, WorkspaceId},
    run::{State, Status, settle},
    verdict::Verdict,
};
use jiff::{SignedDuration, Timestamp};
use located::Source;
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

const LOOP: &str = r"
flow: loop
version: 1
start: begin
on_budget: give-up
nodes:
  begin: { type: entry, next: [{ to: build }] }
  build: { type: agent, retries: 2, next: [{ to: grade }] }
  grade: { type: parallel, next: [{ to: visible }, { to: holdout }] }
  visible: { type: harness, next: [{ to: graded }] }
  holdout: { type: harness, next: [{ to: graded }] }
  graded: { type: fan_in, next: [{ to: gate }] }
  gate:
    type: gate
    goal: true
    next:
      - { when: output.satisfied, to: done }
      - { when: visits.build >= budget.iterations, to: failed }
      - { to: build }
  give-up: { type: tool, next: [{ to: exhausted }] }
  done: { type: exit, with: { verdict: satisfied } }
  failed: { type: exit, with: { verdict: not_satisfied } }
  exhausted: { type: exit, with: { verdict: budget_exhausted } }
";

fn created(flow: &str, budget: Budget) -> Created {
    Created {
        run: RunId::from_uuid(Uuid::from_u128(1)),
        workspace: WorkspaceId::from_uuid(Uuid::from_u128(2)),
        spec: SpecRef { id: "s".into(), title: "S".into(), path: "specs/s.md".into(), digest: Digest::ZERO },
        seed: Digest::ZERO,
        flow: Flow::parse(&Source::new("flow.yaml", flow)).expect("the test's flow is sound"),
        budget,
        settings: Value::Null,
        created_at: Timestamp::UNIX_EPOCH,
    }
}

/// Walks a flow with `answer` as the worker; gives the log and the ids of the actions in the order they were performed.
fn walk(created: Created, answer: impl FnMut(&str, u32) -> (Outcome, Spend)) -> (Vec<Body>, Vec<String>, State) {
    let mut state = State::new(created.clone());
    let mut log = settle(&mut state, Body::RunCreated(created));
    let (more, state) = go_on(state, answer);
    let performed = more.iter().filter_map(|event| match event {
        Body::ActionStarted(started) => Some(started.action.to_string()),
        _ => None,
    });
    let performed = performed.collect();
    log.extend(more);
    (log, performed, state)
}

/// The worker, from wherever a run stands.
fn go_on(mut state: State, mut answer: impl FnMut(&str, u32) -> (Outcome, Spend)) -> (Vec<Body>, State) {
    let mut log = Vec::new();
    for second in 1..1_000 {
        let Some(open) = state.open_actions().next().map(|known| known.action.clone()) else { break };
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
        let started = ActionStarted { action: open.id.clone(), worker: "w".into(), at };
        log.extend(settle(&mut state, started.into()));
        let (outcome, spent) = answer(&open.node, open.visit);
        log.extend(settle(&mut state, ActionFinished { action: open.id, outcome, spent, at }.into()));
    }
    (log, state)
}

fn done(output: Value) -> (Outcome, Spend) {
    (Outcome::Succeeded { output }, Spend::default())
}

fn verdict(state: &State) -> Verdict {
    match &state.status {
        Status::Finished(finished) => finished.verdict,
        other => panic!("the run has not finished: {other:?}"),
    }
}

fn iterations(most: u32) -> Budget {
    Budget { iterations: Some(most), ..Budget::default() }
}

#[test]
fn the_loop_repeats_until_the_gate_is_satisfied() {
    let (_, performed, state) =
        walk(created(LOOP, iterations(5)), |node, visit| done(json!({"satisfied": node == "gate" && visit == 2})));
    assert_eq!(verdict(&state), Verdict::Satisfied);
    assert_eq!(
        performed,
        ["build/1/1", "holdout/1/1", "visible/1/1", "gate/1/1", "build/2/1", "holdout/2/1", "visible/2/1", "gate/2/1"]
    );
}

#[test]
fn the_loop_ends_when_the_iterations_are_used_up() {
    let (_, performed, state) = walk(created(LOOP, iterations(2)), |_, _| done(json!({"satisfied": false})));
    assert_eq!(verdict(&state), Verdict::NotSatisfied);
    assert_eq!(performed.iter().filter(|id| id.starts_with("build/")).count(), 2);
}

#[test]
fn a_transient_failure_is_tried_again_as_often_as_the_node_allows() {
    let failing = |node: &str, _| match node {
        "build" => {
            let outcome = Outcome::Failed { class: FailureClass::Transient, message: "no network".into() };
            (outcome, Spend::default())
        }
        _ => done(Value::Null),
    };
    let (log, performed, state) = walk(created(LOOP, iterations(5)), failing);
    assert_eq!(performed, ["build/1/1", "build/1/2", "build/1/3"]);
    assert_eq!(verdict(&state), Verdict::Infrastructure);
    let delays: Vec<u64> = log
        .iter()
        .filter_map(|event| if let Body::ActionScheduled(action) = event { Some(action.delay_ms) } else { None })
        .collect();
    assert_eq!(delays, [0, 200, 400]);
}

#[test]
fn a_reached_budget_stops_dispatch_and_leads_to_its_node_once() {
    let budget = Budget { cost_usd_micros: Some(10), ..iterations(9) };
    let (log, performed, state) = walk(created(LOOP, budget), |node, _| {
        let spent = Spend { cost_usd_micros: if node == "build" { 10 } else { 0 }, ..Spend::default() };
        (Outcome::Succeeded { output: Value::Null }, spent)
    });
    assert_eq!(performed, ["build/1/1", "give-up/1/1"], "nothing that spends is dispatched after the budget ended");
    assert_eq!(verdict(&state), Verdict::BudgetExhausted);
    let scheduled = log.iter().filter(|event| matches!(event, Body::ActionScheduled(_))).count();
    assert_eq!(scheduled, performed.len(), "nothing is scheduled twice");
}

#[test]
fn time_that_nobody_works_is_no_wall_time() {
    let budget = Budget { wall_time_ms: Some(10_000), ..iterations(9) };
    let created = created(LOOP, budget);
    let mut state = State::new(created.clone());
    settle(&mut state, Body::RunCreated(created));
    let at = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(9);
    let claimed = factory_model::event::run::Claimed { worker: "w".into(), epoch: 2, at };
    settle(&mut state, claimed.into());
    assert_eq!((state.elapsed_ms(), state.limit_reached()), (0, None));
}

#[test]
fn wall_time_is_told_by_events_and_ends_the_run() {
    let budget = Budget { wall_time_ms: Some(1_000), ..iterations(9) };
    let (_, _, state) = walk(created(LOOP, budget), |_, _| done(json!({"satisfied": false})));
    assert_eq!(verdict(&state), Verdict::BudgetExhausted);
}

#[test]
fn an_exit_is_not_satisfied_while_a_goal_is_missed() {
    let shortcut = r"
flow: shortcut
version: 1
start: begin
nodes:
  begin: { type: entry, next: [{ when: visits.gate, to: gate }, { to: done }] }
  gate: { type: gate, goal: true, next: [{ to: done }] }
  done: { type: exit, with: { verdict: satisfied } }
";
    let (_, performed, state) = walk(created(shortcut, iterations(5)), |_, _| done(Value::Null));
    assert!(performed.is_empty(), "{performed:?}");
    assert_eq!(verdict(&state), Verdict::NotSatisfied);
}

#[test]
fn a_condition_that_fails_ends_the_run_with_its_reason() {
    let broken = LOOP.replace("output.satisfied,", "output.a.b.c == 1,");
    let (_, _, state) = walk(created(&broken, iterations(5)), |_, _| done(json!({})));
    let Status::Finished(finished) = &state.status else { panic!("finished") };
    assert_eq!(finished.verdict, Verdict::Infrastructure);
    assert!(finished.reason.contains("output.a.b.c"), "{}", finished.reason);
}

proptest! {
    /// A crash at any point loses nothing: the prefix of the log replays to the state that the walk had there.
    #[test]
    fn every_prefix_of_a_log_replays_to_a_state_that_goes_on_to_the_same_end(
        satisfied_at in 1u32..4, cut in 0usize..40, failures in 0u32..2,
    ) {
        let answer = |node: &str, visit: u32| {
            if node == "visible" && visit <= failures {
                return done(json!({"weak": true}));
            }
            done(json!({"satisfied": node == "gate" && visit >= satisfied_at}))
        };
        let (log, _, end) = walk(created(LOOP, iterations(3)), answer);
        // A crash falls between two appends; an append ends where the next action starts or finishes.
        let begins = |event: &&Body| matches!(event, Body::ActionStarted(_) | Body::ActionFinished(_));
        let appends: Vec<usize> = (1..log.len()).filter(|n| begins(&&log[*n])).chain([log.len()]).collect();
        let cut = appends[cut.min(appends.len() - 1)];
        let state = State::replay(&log[..cut]).expect("starts with run.created");
        let (_, state) = go_on(state, answer);
        prop_assert_eq!(verdict(&state), verdict(&end));
        prop_assert_eq!(state.actions.keys().collect::<Vec<_>>(), end.actions.keys().collect::<Vec<_>>());
    }

    #[test]
    fn an_event_survives_json(cost in 0u64..u64::MAX, text in ".*") {
        let outcome = Outcome::Failed { class: FailureClass::Permanent, message: text };
        let spent = Spend { cost_usd_micros: cost, ..Spend::default() };
        let action = factory_model::id::ActionId::new("build", 1, 1);
        let event = Body::from(ActionFinished { action, outcome, spent, at: Timestamp::UNIX_EPOCH });
        let json = serde_json::to_string(&event).expect("serialises");
        prop_assert_eq!(serde_json::from_str::<Body>(&json).expect("parses"), event);
    }
}
