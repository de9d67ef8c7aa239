//! What is wrong with a graph before it runs: edges to nowhere, dead ends, endless walks, conditions that cannot be read.

use std::collections::BTreeSet;

use located::{Diagnostics, Place, Source};

use super::{Flow, Node, NodeKind, condition};

const RETRIES_MAX: u32 = 10; // with doubling back-off the tenth waits minutes

/// Every finding, at the node it is about.
pub(super) fn findings(flow: &Flow, source: &Source) -> Diagnostics {
    let mut found = Diagnostics::default();
    let mut report = |node: &str, message: String, hint: &str| {
        found.push(source.diagnostic(place_of_node(source, node), message).hint(hint));
    };
    if !flow.nodes.contains_key(&flow.start) {
        report("start", format!("`start` names `{}`, which is no node", flow.start), "name the entry node");
    }
    for (id, node) in &flow.nodes {
        lint_node(flow, id, node, &mut report);
    }
    for id in unreachable(flow) {
        report(&id, format!("node `{id}` is never reached"), "lead an edge to it, or remove it");
    }
    for id in without_way_out(flow) {
        report(&id, format!("from node `{id}` no exit can be reached"), "lead an edge on to an `exit`");
    }
    if flow.nodes.values().any(exits_satisfied) && !flow.nodes.values().any(|node| node.goal) {
        report("nodes", "a flow that may exit satisfied has no goal".to_owned(), "mark the deciding gate `goal: true`");
    }
    found
}

fn exits_satisfied(node: &Node) -> bool {
    node.kind == NodeKind::Exit && node.with["verdict"] == "satisfied"
}

fn lint_node(flow: &Flow, id: &str, node: &Node, report: &mut impl FnMut(&str, String, &str)) {
    let targets = node.next.iter().map(|edge| &edge.to).chain(&node.on_failure);
    for target in targets.filter(|target| !flow.nodes.contains_key(*target)) {
        report(id, format!("node `{id}` leads to `{target}`, which is no node"), "check the spelling");
    }
    match (node.kind, node.next.is_empty()) {
        (NodeKind::Exit, false) => report(id, format!("exit `{id}` leads on"), "remove its `next`"),
        (NodeKind::Exit, true) => {}
        (_, true) => report(id, format!("node `{id}` leads nowhere"), "give it a `next`"),
        (_, false) => {
            let always = node.next.iter().any(|edge| edge.when.is_none());
            if !always && node.kind != NodeKind::Parallel {
                report(id, format!("node `{id}` has only conditional edges"), "end `next` with an edge without `when`");
            }
        }
    }
    if node.kind == NodeKind::Exit
        && serde_json::from_value::<crate::verdict::Verdict>(node.with["verdict"].clone()).is_err()
    {
        report(
            id,
            format!("exit `{id}` has no known verdict"),
            "write `with: { verdict: satisfied }` or another verdict",
        );
    }
    if node.retries > RETRIES_MAX {
        report(id, format!("node `{id}` asks for {} retries", node.retries), "at most 10");
    }
    for condition in node.next.iter().filter_map(|edge| edge.when.as_deref()) {
        if let Err(error) = condition::check(condition) {
            report(id, error.to_string(), "see the guide to flows for the condition language");
        }
    }
}

fn successors(flow: &Flow, id: &str) -> Vec<String> {
    let node = flow.nodes.get(id);
    node.map(|n| n.next.iter().map(|edge| edge.to.clone()).chain(n.on_failure.clone()).collect()).unwrap_or_default()
}

fn unreachable(flow: &Flow) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<String> = std::iter::once(flow.start.clone()).chain(flow.on_budget.clone()).collect();
    while let Some(id) = open.pop() {
        if seen.insert(id.clone()) {
            open.extend(successors(flow, &id));
        }
    }
    flow.nodes.keys().filter(|id| !seen.contains(*id)).cloned().collect()
}

fn without_way_out(flow: &Flow) -> Vec<String> {
    let exits = flow.nodes.iter().filter(|(_, node)| node.kind == NodeKind::Exit).map(|(id, _)| id.clone());
    let mut good: BTreeSet<String> = exits.collect();
    loop {
        let more: Vec<String> = flow
            .nodes
            .keys()
            .filter(|id| !good.contains(*id) && successors(flow, id).iter().any(|to| good.contains(to)))
            .cloned()
            .collect();
        if more.is_empty() {
            break;
        }
        good.extend(more);
    }
    flow.nodes.keys().filter(|id| !good.contains(*id)).cloned().collect()
}

/// The line `  <node>:` of the file; the top where the id is written in a way this does not find.
fn place_of_node(source: &Source, node: &str) -> Place {
    let found = source.text().lines().enumerate().find_map(|(n, line)| {
        let trimmed = line.trim_start();
        let rest = trimmed.strip_prefix(node)?;
        let column = line.chars().count() - trimmed.chars().count() + 1;
        rest.trim_start().starts_with(':').then_some(Place { line: n + 1, column, width: node.chars().count() })
    });
    found.unwrap_or(Place::START)
}

#[cfg(test)]
mod tests {
    use located::Source;

    use crate::flow::Flow;

    fn check(yaml: &str) -> String {
        Flow::parse(&Source::new("flow.yaml", yaml)).map_or_else(|errors| errors.to_string(), |_| "fine".to_owned())
    }

    const HEAD: &str = "flow: f\nversion: 1\nstart: a\nnodes:\n  a: { type: entry, next: [{ to: b }] }\n";

    #[test]
    fn a_sound_graph_is_fine() {
        let exit =
            "  b: { type: gate, goal: true, next: [{ to: c }] }\n  c: { type: exit, with: { verdict: satisfied } }\n";
        assert_eq!(check(&format!("{HEAD}{exit}")), "fine");
    }

    #[test]
    fn an_edge_to_nowhere_is_found_at_its_node() {
        insta::assert_snapshot!(check(HEAD), @r"
        flow.yaml:5:3: node `a` leads to `b`, which is no node
           |
         5 |   a: { type: entry, next: [{ to: b }] }
           |   ^
          hint: check the spelling

        flow.yaml:5:3: from node `a` no exit can be reached
           |
         5 |   a: { type: entry, next: [{ to: b }] }
           |   ^
          hint: lead an edge on to an `exit`
        ");
    }

    #[test]
    fn a_cycle_without_exit_a_dead_end_and_a_missing_goal_are_found() {
        let cycle = check(&format!("{HEAD}  b: {{ type: tool, next: [{{ to: a }}] }}\n"));
        assert!(cycle.contains("from node `b` no exit can be reached"), "{cycle}");
        let dead_end = check(&format!("{HEAD}  b: {{ type: tool }}\n"));
        assert!(dead_end.contains("node `b` leads nowhere"), "{dead_end}");
        let goal = check(&format!("{HEAD}  b: {{ type: exit, with: {{ verdict: satisfied }} }}\n"));
        assert!(goal.contains("has no goal"), "{goal}");
    }

    #[test]
    fn a_condition_that_cannot_be_read_and_one_that_may_not_hold_are_found() {
        let bad = check(&format!(
            "{HEAD}  b: {{ type: tool, next: [{{ to: c, when: 'x ==' }}] }}\n  c: {{ type: exit, with: {{ verdict: cancelled }} }}\n"
        ));
        assert!(bad.contains("condition `x ==`"), "{bad}");
        assert!(bad.contains("only conditional edges"), "{bad}");
    }
}
