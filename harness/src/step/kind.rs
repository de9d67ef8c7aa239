//! What a kind of step declares of itself, and how a file's step finds its kind.

use located::Place;
use schemars::Schema;
use serde_json::{Value as Json, json};

use super::{KINDS, Step};
use crate::{
    scenario::{Expect, LintCode, Lower, StepFile},
    step::capture::CaptureRule,
    text::{Entries, Node, NodeKind, Placed},
};

/// Fields that every step may have.
const COMMON: [&str; 6] = ["name", "if", "for_each", "retry", "expect", "capture"];

/// One kind of step, declared beside its code and listed in [`KINDS`].
pub(crate) struct Kind {
    /// The field of `StepFile` that makes a step one of this kind.
    pub(crate) name: &'static str,
    /// Further fields of `StepFile` that it must have.
    pub(crate) needs: &'static [&'static str],
    /// Further fields of `StepFile` that it may have.
    pub(crate) takes: &'static [&'static str],
    /// The fields of `Expect` that it evaluates.
    pub(crate) expects: &'static [&'static str],
    pub(crate) captures: Captures,
    /// The checked step; what is wrong is told to `Lower`.
    pub(crate) lower: fn(Parts, &mut Lower<'_>) -> Option<Box<dyn Step>>,
}

/// Whether a kind leaves values for later steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Captures {
    Values,
    Nothing,
}

/// A file's step, taken apart.
pub(crate) struct Parts {
    /// Without its `expect` and `capture`.
    pub(crate) file: StepFile,
    pub(crate) expect: Placed<Expect>,
    pub(crate) captures: Entries<CaptureRule>,
}

/// The checked step of a file's step. `document` is the same step, read as a plain value.
pub(crate) fn lower(mut file: StepFile, document: &Node, place: Place, lower: &mut Lower<'_>) -> Option<Box<dyn Step>> {
    let written = document.entries();
    let found: Vec<_> = KINDS.iter().filter(|kind| written.iter().any(|(name, _)| name == kind.name)).collect();
    let [kind] = found[..] else {
        let names = found.iter().map(|kind| kind.name).collect::<Vec<_>>();
        let found = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let hint = format!("exactly one of {}, or `use`", all_names());
        lower.refuse_with(LintCode::StepKind, place, format!("a step is of one kind; here is {found}"), hint);
        return None;
    };
    kind.check_companions(written, place, lower);
    let expectations = document.get("expect").map_or(&[][..], Node::entries);
    if let Some(nothing) = document.get("expect").filter(|_| expectations.is_empty()) {
        lower.refuse(LintCode::BadExpectation, nothing.place, "an `expect` without an expectation checks nothing");
    }
    kind.check_expectations(expectations, lower);
    if !file.capture.is_empty() && kind.captures == Captures::Nothing {
        lower.refuse(LintCode::BadCapture, place, format!("a `{}` step has nothing to capture", kind.name));
    }
    let mut expect = file.expect.take().unwrap_or_else(|| Placed { value: Expect::default(), place });
    expect.value.is_written = !expectations.is_empty();
    let captures = std::mem::take(&mut file.capture);
    (kind.lower)(Parts { file, expect, captures }, lower)
}

impl Kind {
    fn check_companions(&self, written: &[(String, Node)], place: Place, lower: &mut Lower<'_>) {
        let own = |name: &str| name == self.name || COMMON.contains(&name);
        let fits = |name: &str| own(name) || self.needs.contains(&name) || self.takes.contains(&name);
        for (name, node) in written.iter().filter(|(name, _)| !fits(name)) {
            let owner =
                KINDS.iter().find(|kind| kind.needs.contains(&name.as_str()) || kind.takes.contains(&name.as_str()));
            let owner = owner.map_or("use", |kind| kind.name);
            lower.refuse(LintCode::StepKind, node.place, format!("`{name}` belongs to a `{owner}` step"));
        }
        for name in self.needs.iter().filter(|needed| !written.iter().any(|(name, _)| name == *needed)) {
            lower.refuse(LintCode::StepKind, place, format!("a `{}` step needs `{name}`", self.name));
        }
    }

    fn check_expectations(&self, written: &[(String, Node)], lower: &mut Lower<'_>) {
        for (name, node) in written.iter().filter(|(name, _)| !self.expects.contains(&name.as_str())) {
            let hint = if self.expects.is_empty() {
                "it takes no expectations".to_owned()
            } else {
                format!("it has {}", self.expects.join(", "))
            };
            let message = format!("a `{}` step has no `{name}` to expect", self.name);
            lower.refuse_with(LintCode::BadExpectation, node.place, message, hint);
        }
        for (name, node) in written.iter().filter(|(name, node)| checks_nothing(name, node)) {
            let message = format!("`{name}` without a condition checks nothing");
            lower.refuse_with(LintCode::BadExpectation, node.place, message, "say what must hold, or leave it out");
        }
    }
}

/// Whether an expectation would hold of anything. JSON can be empty and still be asked for.
fn checks_nothing(name: &str, node: &Node) -> bool {
    match &node.kind {
        NodeKind::Null => !["json", "json_exact"].contains(&name),
        NodeKind::List(items) => items.is_empty() && !["json", "json_exact"].contains(&name),
        NodeKind::Map(entries) => entries.is_empty() && !["json", "json_exact", "json_schema"].contains(&name),
        NodeKind::Bool(_) | NodeKind::Number(_) | NodeKind::Text(_) => false,
    }
}

fn all_names() -> String {
    let names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
    let (last, first) = names.split_last().expect("there are kinds");
    format!("{} and {last}", first.join(", "))
}

/// Tells a schema what the types do not say: a step is of one kind, and each kind has its own expectations.
pub(crate) fn narrow_schema(schema: &mut Schema) {
    let Some(step) = schema.pointer_mut("/$defs/StepFile").and_then(Json::as_object_mut) else { return };
    let kinds = KINDS.iter().map(|kind| kind.name).chain(["use"]);
    let one_of: Vec<Json> = kinds.map(|kind| json!({ "required": [kind] })).collect();
    let narrowed = KINDS.iter().map(|kind| {
        let expect = json!({ "properties": { "expect": { "propertyNames": { "enum": kind.expects } } } });
        let none = json!({ "properties": { "expect": false } });
        let then = if kind.expects.is_empty() { none } else { expect };
        json!({ "if": { "required": [kind.name] }, "then": then })
    });
    step.insert("allOf".to_owned(), narrowed.collect());
    step.insert("oneOf".to_owned(), one_of.into());
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{COMMON, KINDS};
    use crate::scenario::{Expect, StepFile};

    fn fields<T: schemars::JsonSchema>() -> BTreeSet<String> {
        let schema = schemars::schema_for!(T);
        schema.get("properties").and_then(|all| all.as_object()).unwrap().keys().cloned().collect()
    }

    #[test]
    fn every_field_of_the_format_is_declared_by_a_kind() {
        let of_kind = |kind: &super::Kind| [&[kind.name], kind.needs, kind.takes].concat();
        let declared: BTreeSet<_> = KINDS
            .iter()
            .flat_map(|kind| of_kind(kind))
            .chain(COMMON)
            .chain(["use", "with"])
            .map(str::to_owned)
            .collect();
        assert_eq!(declared, fields::<StepFile>());
        let expected: BTreeSet<_> = KINDS.iter().flat_map(|kind| kind.expects).map(|name| (*name).to_owned()).collect();
        assert_eq!(expected, fields::<Expect>());
    }

    #[test]
    fn the_reference_has_the_expectations_of_every_kind() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/scenario.md");
        let text = std::fs::read_to_string(path).unwrap();
        for kind in KINDS.iter().filter(|kind| !kind.expects.is_empty()) {
            let row = text.lines().find(|line| line.starts_with(&format!("| [`{}`]", kind.name)));
            let wanted = format!("`{}` |", kind.expects.join(" "));
            assert!(row.is_some_and(|row| row.ends_with(&wanted)), "{}: {row:?} ends with {wanted}", kind.name);
        }
    }
}
