//! Metamorphic variants: the same story once more with a transformed input, and relations between both results.
//!
//! For software whose right answer nobody can write down, a relation often can be: the same basket in another sequence
//! costs the same. The story as written is the source test case, the variant the follow-up test case. Both run in one
//! trial, each on a fresh subject and fresh twins, with the same random values.

use located::{Place, nearest};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;

use super::{LintCode, Lower, Scene, is_slug};
use crate::{
    expect::{Mismatch, same, shown},
    text::{Entries, Node, Placed, RenderError, Scope, Text},
};

const VARIANTS_MAX: usize = 100; // each doubles the work of a trial
const REPEAT_MAX: u32 = 100;

/// One variant: what is transformed, and how the results must relate.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VariantFile {
    /// Its name; the scenario is then called `slug~variant`.
    variant: Text,
    #[serde(default)]
    tags: Vec<String>,
    /// Other values for variables of the scenario. A template sees the value that the base story has under the name.
    #[serde(default)]
    vars: Entries<Node>,
    /// A step that is done several times in a row.
    #[serde(default)]
    repeat: Option<Repeat>,
    /// The name of a step that is left out.
    #[serde(default)]
    omit: Option<Text>,
    /// What must hold between the values at the end of both stories; at least one.
    relations: Vec<Placed<RelationFile>>,
}

/// `{step: order, times: 2}`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Repeat {
    /// The name of the step.
    pub(crate) step: Text,
    /// How often in all, 2 to 100. Default 2.
    #[serde(default)]
    times: Option<Placed<u32>>,
}

/// One relation; the names are variables or captured values.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RelationFile {
    /// The variant's value equals the base's.
    Same(Values),
    /// It does not.
    Different(Values),
    /// The variant's value is greater than the base's; numbers, or texts such as dates.
    Greater(Values),
    Less(Values),
    AtLeast(Values),
    AtMost(Values),
    /// The variant's list has the base's elements in any sequence.
    Permutation(Values),
    /// Every element of the variant's list is in the base's.
    Subset(Values),
    /// Every element of the base's list is in the variant's.
    Superset(Values),
    /// The lists have no element in common.
    Disjoint(Values),
    /// An expression over `base` and `variant` that gives true: `"{{ variant.total == 2 * base.total }}"`.
    Holds(Node),
}

/// A name, or a list of names.
#[derive(Debug)]
struct Values(Vec<Text>);

/// A variant, checked.
#[derive(Debug)]
pub(crate) struct Variant {
    pub(super) name: String,
    pub(super) tags: Vec<String>,
    pub(crate) vars: Entries<Node>,
    pub(crate) repeat: Option<(String, u32)>,
    pub(crate) omit: Option<String>,
    relations: Vec<Relation>,
}

#[derive(Debug)]
enum Relation {
    Between { value: Text, kind: Between },
    Holds(Node),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    Same,
    Different,
    Greater,
    Less,
    AtLeast,
    AtMost,
    Permutation,
    Subset,
    Superset,
    Disjoint,
}

impl Variant {
    /// How often a step is done in this variant.
    pub(crate) fn times(&self, step: &str) -> u32 {
        match (&self.repeat, &self.omit) {
            (_, Some(omitted)) if omitted == step => 0,
            (Some((repeated, times)), _) if repeated == step => *times,
            _ => 1,
        }
    }

    /// Every relation that does not hold.
    pub(crate) fn judge(&self, base: &Scope, variant: &Scope) -> Result<Vec<Mismatch>, RenderError> {
        let mut found = Vec::new();
        for relation in &self.relations {
            found.extend(relation.refuses(base, variant)?);
        }
        Ok(found)
    }
}

impl Relation {
    fn refuses(&self, base: &Scope, variant: &Scope) -> Result<Option<Mismatch>, RenderError> {
        match self {
            Self::Between { value, kind } => {
                let refused = match (base.get(value), variant.get(value)) {
                    (Some(base), Some(got)) => (!kind.holds(&base, &got)).then(|| (kind.words(&base), shown(&got))),
                    (base, got) => Some(missing(base.is_some(), got.is_some())),
                };
                let subject = format!("`{}` of the variant", value.value);
                Ok(refused.map(|(expected, observed)| Mismatch::new(subject, expected, observed)))
            }
            Self::Holds(expression) => {
                let mut both = Scope::default();
                both.set_json("base", &base.defined());
                both.set_json("variant", &variant.defined());
                let holds = both.node(expression)?;
                let words = || format!("`{}` to hold", expression.as_str().unwrap_or_default());
                Ok((holds != Json::Bool(true)).then(|| Mismatch::new("relation", words(), shown(&holds))))
            }
        }
    }
}

fn missing(in_base: bool, in_variant: bool) -> (String, String) {
    let side = match (in_base, in_variant) {
        (false, false) => "neither story has it",
        (false, true) => "the base story has none",
        (true, _) => "the variant has none",
    };
    ("a value in both stories".to_owned(), side.to_owned())
}

impl Between {
    fn holds(self, base: &Json, got: &Json) -> bool {
        let ordered = |fits: fn(std::cmp::Ordering) -> bool| order(base, got).is_some_and(fits);
        match self {
            Self::Same => same(base, got),
            Self::Different => !same(base, got),
            Self::Greater => ordered(|order| order.is_gt()),
            Self::Less => ordered(|order| order.is_lt()),
            Self::AtLeast => ordered(|order| order.is_ge()),
            Self::AtMost => ordered(|order| order.is_le()),
            Self::Permutation => lists(base, got, is_permutation),
            Self::Subset => lists(base, got, |base, got| got.iter().all(|item| has(base, item))),
            Self::Superset => lists(base, got, |base, got| base.iter().all(|item| has(got, item))),
            Self::Disjoint => lists(base, got, |base, got| !got.iter().any(|item| has(base, item))),
        }
    }

    fn words(self, base: &Json) -> String {
        let base = shown(base);
        match self {
            Self::Same => format!("the same as in the base story, {base}"),
            Self::Different => format!("another value than in the base story, {base}"),
            Self::Greater => format!("more than in the base story, {base}"),
            Self::Less => format!("less than in the base story, {base}"),
            Self::AtLeast => format!("at least that of the base story, {base}"),
            Self::AtMost => format!("at most that of the base story, {base}"),
            Self::Permutation => format!("the elements of the base story in any sequence, {base}"),
            Self::Subset => format!("only elements that the base story has, {base}"),
            Self::Superset => format!("every element that the base story has, {base}"),
            Self::Disjoint => format!("no element that the base story has, {base}"),
        }
    }
}

/// How the variant's value compares with the base's.
fn order(base: &Json, got: &Json) -> Option<std::cmp::Ordering> {
    match (got, base) {
        (Json::Number(got), Json::Number(base)) => got.as_f64()?.partial_cmp(&base.as_f64()?),
        (Json::String(got), Json::String(base)) => Some(got.cmp(base)),
        _ => None,
    }
}

fn lists(base: &Json, got: &Json, holds: fn(&[Json], &[Json]) -> bool) -> bool {
    base.as_array().zip(got.as_array()).is_some_and(|(base, got)| holds(base, got))
}

fn has(list: &[Json], item: &Json) -> bool {
    list.iter().any(|one| same(one, item))
}

fn is_permutation(base: &[Json], got: &[Json]) -> bool {
    let mut left: Vec<&Json> = base.iter().collect();
    let takes_one = |item: &Json| left.iter().position(|one| same(one, item)).map(|at| left.swap_remove(at)).is_some();
    base.len() == got.len() && got.iter().all(takes_one)
}

/// What a variant's fields can refer to.
pub(super) struct Known<'a> {
    /// Variables of the scenario, its folders and its table.
    pub(super) variables: &'a [&'a str],
    /// Everything that is defined at the end of the story.
    pub(super) values: &'a std::collections::BTreeSet<String>,
    pub(super) steps: &'a [Scene],
}

pub(super) fn lower(files: Vec<VariantFile>, known: &Known<'_>, lower: &mut Lower<'_>) -> Vec<Variant> {
    let mut seen = std::collections::BTreeSet::new();
    for (n, file) in files.iter().enumerate() {
        let name = &file.variant;
        let problem = if !is_slug(name) {
            Some("a variant's name has lower-case letters, digits and dashes".to_owned())
        } else if !seen.insert(name.value.clone()) {
            Some(format!("the variant `{}` stands twice", name.value))
        } else {
            (n == VARIANTS_MAX).then(|| format!("at most {VARIANTS_MAX} variants are allowed"))
        };
        problem.into_iter().for_each(|message| lower.refuse(LintCode::BadVariant, name.place, message));
    }
    files.into_iter().map(|file| file.lower(known, lower)).collect()
}

impl VariantFile {
    fn lower(self, known: &Known<'_>, lower: &mut Lower<'_>) -> Variant {
        let place = self.variant.place;
        for (name, _) in self.vars.iter().filter(|(name, _)| !known.variables.contains(&name.as_str())) {
            let near = nearest(name, known.variables.iter().copied());
            let message = format!("the scenario has no variable `{}` to change", name.value);
            refuse_near(lower, name.place, message, near, "a variant changes what `vars:` or `cases:` define");
        }
        let omit = self.omit.and_then(|name| step(&name, known, lower));
        let repeat = self.repeat.and_then(|repeat| {
            let times = repeat.times.as_ref().map_or(2, |times| times.value);
            if !(2..=REPEAT_MAX).contains(&times) {
                let place = repeat.times.as_ref().map_or(place, |times| times.place);
                lower.refuse(LintCode::BadLimit, place, format!("a step is repeated 2 to {REPEAT_MAX} times"));
            }
            Some((step(&repeat.step, known, lower)?, times))
        });
        let relations: Vec<_> = self.relations.into_iter().flat_map(|file| file.value.lower()).collect();
        if relations.is_empty() {
            lower.refuse(LintCode::BadVariant, place, "a variant needs a relation; without one it shows nothing");
        }
        relations.iter().for_each(|relation| relation.check(known, lower));
        let (name, tags) = (self.variant.value, self.tags);
        Variant { name, tags, vars: self.vars, repeat, omit, relations }
    }
}

/// The name of exactly one step of the story.
fn step(name: &Text, known: &Known<'_>, lower: &mut Lower<'_>) -> Option<String> {
    match known.steps.iter().filter(|scene| scene.name == name.value).count() {
        1 => return Some(name.value.clone()),
        0 => {
            let near = nearest(name, known.steps.iter().map(|scene| scene.name.as_str()));
            let message = format!("no step is called `{}`", name.value);
            refuse_near(lower, name.place, message, near, "give the step a `name:` and write it here");
        }
        n => lower.refuse(LintCode::BadVariant, name.place, format!("{n} steps are called `{}`", name.value)),
    }
    None
}

fn refuse_near(lower: &mut Lower<'_>, place: Place, message: String, near: Option<&str>, hint: &str) {
    let hint = near.map_or_else(|| hint.to_owned(), |near| format!("did you mean `{near}`? {hint}"));
    lower.refuse_with(LintCode::BadVariant, place, message, hint);
}

impl RelationFile {
    fn lower(self) -> Vec<Relation> {
        let (kind, values) = match self {
            Self::Holds(expression) => return vec![Relation::Holds(expression)],
            Self::Same(values) => (Between::Same, values),
            Self::Different(values) => (Between::Different, values),
            Self::Greater(values) => (Between::Greater, values),
            Self::Less(values) => (Between::Less, values),
            Self::AtLeast(values) => (Between::AtLeast, values),
            Self::AtMost(values) => (Between::AtMost, values),
            Self::Permutation(values) => (Between::Permutation, values),
            Self::Subset(values) => (Between::Subset, values),
            Self::Superset(values) => (Between::Superset, values),
            Self::Disjoint(values) => (Between::Disjoint, values),
        };
        values.0.into_iter().map(|value| Relation::Between { value, kind }).collect()
    }
}

impl Relation {
    fn check(&self, known: &Known<'_>, lower: &mut Lower<'_>) {
        let Self::Between { value, .. } = self else { return };
        if !known.values.contains(value.as_str()) {
            let near = nearest(value, known.values.iter().map(String::as_str));
            let message = format!("the story has no value `{}`", value.value);
            refuse_near(lower, value.place, message, near, "a relation names variables and captured values");
        }
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = Node::deserialize(deserializer)?;
        let nodes = if node.as_str().is_some() { std::slice::from_ref(&node) } else { node.items() };
        let text = |node: &Node| Some(Text { value: node.as_str()?.to_owned(), place: node.place });
        let names: Option<Vec<_>> = nodes.iter().map(text).collect();
        let names = names.filter(|names| !names.is_empty());
        names.map(Self).ok_or_else(|| serde::de::Error::custom("write the name of a value, or a list of names"))
    }
}

impl JsonSchema for Values {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Values".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }] })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Between;

    /// Every relation: a pair that it admits and a pair that it refuses, base first.
    #[test]
    fn every_relation_admits_and_refuses() {
        for (kind, admitted, refused) in [
            (Between::Same, (json!(1), json!(1.0)), (json!([1, 2]), json!([2, 1]))),
            (Between::Different, (json!("a"), json!("b")), (json!("a"), json!("a"))),
            (Between::Greater, (json!(1), json!(2)), (json!(1), json!(1))),
            (Between::Less, (json!("2026-02-01"), json!("2026-01-01")), (json!(1), json!("0"))),
            (Between::AtLeast, (json!(1), json!(1)), (json!(2), json!(1))),
            (Between::AtMost, (json!(1), json!(1)), (json!(1), json!(2))),
            (Between::Permutation, (json!([1, 2, 2]), json!([2, 1, 2])), (json!([1, 2, 2]), json!([1, 1, 2]))),
            (Between::Subset, (json!([1, 2]), json!([2])), (json!([1, 2]), json!([3]))),
            (Between::Superset, (json!([2]), json!([1, 2])), (json!([1, 2]), json!([2]))),
            (Between::Disjoint, (json!([1]), json!([2])), (json!([1, 2]), json!([2]))),
            (Between::Permutation, (json!([]), json!([])), (json!("ab"), json!("ba"))),
        ] {
            assert!(kind.holds(&admitted.0, &admitted.1), "{kind:?} admits {admitted:?}");
            assert!(!kind.holds(&refused.0, &refused.1), "{kind:?} refuses {refused:?}");
        }
    }
}
