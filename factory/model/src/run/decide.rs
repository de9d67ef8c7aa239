use serde_json::json;

use super::{State, Status};
use crate::{
    event::{
        Body,
        run::{Action, ActionFinished, FailureClass, Finished, NodeArrived, Outcome},
    },
    flow::{self, Node, NodeKind},
    id::ActionId,
    verdict::Verdict,
};

const BACKOFF_BASE_MS: u64 = 200; // doubles with each attempt
const BACKOFF_MAX_MS: u64 = 60_000;
const SETTLE_STEPS_MAX: usize = 200; // in a row without work: a longer chain walks in circles; all fit one append

/// What follows `event`, given the state with the event already applied.
///
/// The events it returns are appended in the same transaction as `event`, so a crash never separates a result from
/// what it led to.
pub fn decide(state: &State, event: &Body) -> Vec<Body> {
    if matches!(state.status, Status::Finished(_)) {
        return Vec::new();
    }
    match event {
        Body::RunCreated(_) => enter(state, &state.flow.start, None),
        Body::NodeArrived(arrived) => follow_control(state, arrived),
        Body::ActionFinished(finished) => follow_action(state, finished),
        _ => Vec::new(),
    }
}

/// Applies `event` and everything that follows from it without a worker; returns it with its followers, in order.
pub fn settle(state: &mut State, event: Body) -> Vec<Body> {
    let mut settled = Vec::new();
    let mut open = std::collections::VecDeque::from([event]);
    while let Some(event) = open.pop_front() {
        state.apply(&event);
        if settled.len() < SETTLE_STEPS_MAX {
            open.extend(decide(state, &event));
        } else if !matches!(state.status, Status::Finished(_)) {
            open.clear();
            open.push_back(finish(state, Verdict::Infrastructure, "the flow walks in circles without doing anything"));
        }
        settled.push(event);
    }
    settled
}

fn follow_action(state: &State, finished: &ActionFinished) -> Vec<Body> {
    let Some(known) = state.actions.get(&finished.action) else { return Vec::new() };
    let action = &known.action;
    let Some(node) = state.flow.nodes.get(&action.node) else { return Vec::new() };
    match &finished.outcome {
        Outcome::Succeeded { .. } => follow_edges(state, &action.node, node),
        Outcome::Failed { class: FailureClass::Transient, .. } if action.attempt <= node.retries => {
            vec![schedule(&action.node, node, action.visit, action.attempt + 1)]
        }
        Outcome::Failed { class: FailureClass::Budget, message } => end_of_budget(state, &action.node, message),
        Outcome::Failed { message, .. } => match &node.on_failure {
            Some(target) => enter(state, target, Some(&action.node)),
            None => vec![finish(state, Verdict::Infrastructure, &format!("{}: {message}", action.node))],
        },
    }
}

fn follow_control(state: &State, arrived: &NodeArrived) -> Vec<Body> {
    let Some(node) = state.flow.nodes.get(&arrived.node) else { return Vec::new() };
    match node.kind {
        NodeKind::Exit => vec![exit(state, &arrived.node, node)],
        NodeKind::Parallel => enter_all(state, &arrived.node, node),
        NodeKind::FanIn => {
            let waited_for = state.flow.in_degree(&arrived.node);
            let here = state.arrived.get(&arrived.node).copied().unwrap_or_default();
            if here == waited_for { follow_edges(state, &arrived.node, node) } else { Vec::new() }
        }
        _ => follow_edges(state, &arrived.node, node),
    }
}

/// The first edge whose condition holds; else the first without one.
fn follow_edges(state: &State, id: &str, node: &Node) -> Vec<Body> {
    let facts = state.facts(id);
    for edge in &node.next {
        let Some(condition) = &edge.when else { continue };
        match flow::holds(condition, &facts) {
            Ok(true) => return enter(state, &edge.to, Some(id)),
            Ok(false) => {}
            Err(error) => return vec![finish(state, Verdict::Infrastructure, &format!("{id}: {error}"))],
        }
    }
    match node.next.iter().find(|edge| edge.when.is_none()) {
        Some(edge) => enter(state, &edge.to, Some(id)),
        None => vec![finish(state, Verdict::Infrastructure, &format!("{id}: no edge's condition holds"))],
    }
}

fn enter(state: &State, id: &str, from: Option<&str>) -> Vec<Body> {
    let Some(node) = state.flow.nodes.get(id) else {
        return vec![finish(state, Verdict::Infrastructure, &format!("there is no node `{id}`"))];
    };
    if node.kind.is_control() {
        return vec![NodeArrived { node: id.to_owned(), from: from.map(str::to_owned) }.into()];
    }
    if let Some(limit) = state.limit_reached().filter(|_| node.kind.spends()) {
        return end_of_budget(state, id, limit.words());
    }
    let visit = state.visits.get(id).copied().unwrap_or_default() + 1;
    vec![schedule(id, node, visit, 1)]
}

/// All branches, or none of them where the budget has ended: it is to end once, not once a branch.
fn enter_all(state: &State, id: &str, node: &Node) -> Vec<Body> {
    let spends = |to: &str| state.flow.nodes.get(to).is_some_and(|target| target.kind.spends());
    match state.limit_reached() {
        Some(limit) if node.next.iter().any(|edge| spends(&edge.to)) => end_of_budget(state, id, limit.words()),
        _ => node.next.iter().flat_map(|edge| enter(state, &edge.to, Some(id))).collect(),
    }
}

fn end_of_budget(state: &State, from: &str, reason: &str) -> Vec<Body> {
    match &state.flow.on_budget {
        Some(target) if !state.budget_ended => enter(state, target, Some(from)),
        _ => vec![finish(state, Verdict::BudgetExhausted, reason)],
    }
}

fn schedule(id: &str, node: &Node, visit: u32, attempt: u32) -> Body {
    let doublings = attempt.saturating_sub(2).min(20);
    let delay_ms = if attempt == 1 { 0 } else { (BACKOFF_BASE_MS << doublings).min(BACKOFF_MAX_MS) };
    Body::ActionScheduled(Action {
        id: ActionId::new(id, visit, attempt),
        node: id.to_owned(),
        visit,
        attempt,
        kind: node.kind,
        input: node.with.clone(),
        delay_ms,
    })
}

/// An exit's verdict; `satisfied` only if every goal was reached.
fn exit(state: &State, id: &str, node: &Node) -> Body {
    let verdict = serde_json::from_value(node.with["verdict"].clone()).unwrap_or(Verdict::Infrastructure);
    let reason = node.with["reason"].as_str().unwrap_or_else(|| verdict.words());
    let missed = state.flow.nodes.iter().find(|(goal, node)| node.goal && !state.succeeded.contains(*goal));
    match missed {
        Some((goal, _)) if verdict == Verdict::Satisfied => {
            finish(state, Verdict::NotSatisfied, &format!("exit `{id}` was reached but goal `{goal}` was not"))
        }
        _ => finish(state, verdict, reason),
    }
}

fn finish(state: &State, verdict: Verdict, reason: &str) -> Body {
    Body::RunFinished(Finished { verdict, reason: reason.to_owned(), spent: state.spent, at: state.now })
}

/// The outcome of a human node that a person has answered.
pub fn answered(action: ActionId, answer: &str, at: jiff::Timestamp) -> ActionFinished {
    let output = json!({ "answer": answer });
    ActionFinished { action, outcome: Outcome::Succeeded { output }, spent: crate::budget::Spend::default(), at }
}
