//! `cases:` is a table: the story is told once per row, each as a scenario of its own.

use std::collections::BTreeSet;

use located::Place;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::{LintCode, Lower, is_slug};
use crate::text::{Node, Placed, Text};

const ROWS_MAX: usize = 1_000; // more are data for a property test, not cases that people read

/// Keys of a row that are no variables.
const OWN: [&str; 3] = ["case", "skip", "tags"];

/// One row: its name, and a value for each variable of the table.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) name: Text,
    pub(super) tags: Vec<String>,
    pub(super) skip: Option<String>,
    pub(super) variables: Vec<(Text, Node)>,
}

#[derive(Debug)]
pub(super) struct CaseFile(Node);

impl<'de> Deserialize<'de> for CaseFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Node::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for CaseFile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Case".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object", "required": ["case"],
            "description": "A row: its name, and a value for each variable. All rows have the same variables.",
            "properties": {
                "case": { "type": "string", "description": "Names the row: the scenario is then called slug[case]." },
                "tags": { "type": "array", "items": { "type": "string" }, "description": "Added to the scenario's." },
                "skip": { "type": "string", "description": "Why this row is not run." },
            },
        })
    }
}

/// The rows of a table, checked. No row is an empty table; `None` stands for no table at all.
pub(super) fn lower(table: Option<Vec<CaseFile>>, place: Place, lower: &mut Lower<'_>) -> Option<Vec<Case>> {
    let table = table?;
    if table.is_empty() || table.len() > ROWS_MAX {
        lower.refuse(LintCode::BadCase, place, format!("a table has 1 to {ROWS_MAX} rows, not {}", table.len()));
    }
    let rows: Vec<Case> = table.into_iter().filter_map(|CaseFile(row)| row_of(&row, lower)).collect();
    let mut seen = BTreeSet::new();
    for row in &rows {
        if !seen.insert(row.name.as_str()) {
            let message = format!("the case `{}` stands twice", row.name.value);
            lower.refuse(LintCode::BadCase, row.name.place, message);
        }
        check_columns(&rows[0], row, lower);
    }
    Some(rows)
}

fn row_of(row: &Node, lower: &mut Lower<'_>) -> Option<Case> {
    let name = row.get("case").and_then(|node| Some(Text { value: node.as_str()?.to_owned(), place: node.place }));
    let Some(name) = name.filter(|name| is_slug(name)) else {
        let place = row.get("case").map_or(row.place, |node| node.place);
        let hint = "write `case:` with lower-case letters, digits and dashes";
        lower.refuse_with(LintCode::BadCase, place, "a case needs a name", hint);
        return None;
    };
    let skip = row.get("skip").map(|node| node.as_str().unwrap_or_default().to_owned());
    if skip.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
        lower.refuse(LintCode::BadCase, name.place, "`skip` says why, in a text");
    }
    let tags =
        row.get("tags").map_or(&[][..], Node::items).iter().filter_map(Node::as_str).map(str::to_owned).collect();
    let variables = row.entries().iter().filter(|(key, _)| !OWN.contains(&key.as_str()));
    let variables = variables.map(|(key, node)| (Placed { value: key.clone(), place: node.place }, node.clone()));
    Some(Case { name, tags, skip, variables: variables.collect() })
}

fn check_columns(first: &Case, row: &Case, lower: &mut Lower<'_>) {
    let columns = |case: &Case| case.variables.iter().map(|(name, _)| name.value.clone()).collect::<BTreeSet<_>>();
    let (wanted, got) = (columns(first), columns(row));
    if let Some(name) = wanted.symmetric_difference(&got).next() {
        let (has, lacks) = if got.contains(name) { (row, first) } else { (first, row) };
        let message = format!("`{}` gives `{name}`, and `{}` does not", has.name.value, lacks.name.value);
        lower.refuse_with(LintCode::BadCase, row.name.place, message, "all rows have the same variables");
    }
}
