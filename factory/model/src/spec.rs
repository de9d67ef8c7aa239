//! The spec: what a person commits. Markdown with a YAML front matter; everything is checked before anything is spent.

use std::collections::{BTreeMap, BTreeSet};

use located::{Diagnostics, Place, Source, Spanned};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{budget::Budget, hash::Digest};

const ITERATIONS_DEFAULT: u32 = 5;
const WALL_TIME_DEFAULT_MS: u64 = 30 * 60 * 1000;
const TRIALS_MAX: u32 = 1_000;

/// A checked spec.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    pub id: String,
    pub title: String,
    /// In the order of their numbers: R2 stands before R10.
    pub requirements: Vec<Requirement>,
    pub twins: Vec<String>,
    /// The tree that the agent works in, relative to the repository.
    pub subject: String,
    /// Folders of scenarios, relative to the repository.
    pub scenarios: String,
    pub holdout: String,
    pub satisfaction: Satisfaction,
    pub budget: Budget,
    pub agent: AgentChoice,
    pub body: String,
    /// Of the whole file.
    pub digest: Digest,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    pub id: String,
    pub text: String,
}

/// When a run is satisfied.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Satisfaction {
    /// The one-sided lower bound of each suite's satisfaction must reach it. 0 to 1, default 0.8.
    pub target: f64,
    /// Of the bound. 0.5 to 0.999, default 0.95.
    pub confidence: f64,
    /// Trials of each scenario in an iteration. Default 2.
    pub trials: u32,
    /// Fresh trials of each scenario after the gate has passed, with new seeds. Default 1.
    pub stability_trials: u32,
}

impl Default for Satisfaction {
    fn default() -> Self {
        Self { target: 0.8, confidence: 0.95, trials: 2, stability_trials: 1 }
    }
}

/// Who builds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentChoice {
    /// `anthropic` (default), `openai` or `gemini`: the tool set that the model was trained on.
    #[serde(default)]
    pub profile: Option<String>,
    #[serde(default)]
    pub model: Option<String>,
    /// Played by the LLM twin where no key is set; relative to the repository.
    #[serde(default)]
    pub script: Option<String>,
    /// An outside command instead of the built-in agent.
    #[serde(default)]
    pub command: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    id: Spanned<String>,
    title: String,
    requirements: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    twins: Vec<String>,
    #[serde(default = "here")]
    subject: Spanned<String>,
    scenarios: Option<Spanned<String>>,
    holdout: Option<Spanned<String>>,
    #[serde(default)]
    satisfaction: Option<Spanned<Satisfaction>>,
    #[serde(default)]
    budget: BudgetHead,
    #[serde(default)]
    agent: AgentChoice,
}

fn here() -> Spanned<String> {
    Spanned::new(".".to_owned(), located::Location::UNKNOWN, located::Location::UNKNOWN)
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BudgetHead {
    usd: Option<Spanned<f64>>,
    tokens: Option<u64>,
    #[serde(deserialize_with = "friendly_ms")]
    wall_time: Option<u64>,
    iterations: Option<u32>,
}

fn friendly_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let duration: jiff::SignedDuration =
        text.parse().map_err(|_| D::Error::custom(format!("`{text}` is not a duration such as `90s` or `10m`")))?;
    u64::try_from(duration.as_millis()).map(Some).map_err(|_| D::Error::custom("a duration cannot be negative"))
}

impl Spec {
    /// Reads and checks a spec.
    ///
    /// # Errors
    /// Everything that is wrong, each with `file:line:col`, the line, a caret and a hint.
    pub fn parse(source: &Source) -> Result<Self, Diagnostics> {
        let parsed = located::front_matter::<Head>(source)?;
        let head = parsed.head;
        let mut wrong = Diagnostics::default();
        check_id(source, &head.id, &mut wrong);
        let requirements = requirements(source, &head.requirements, &mut wrong);
        let satisfaction = satisfaction(source, head.satisfaction.as_ref(), &mut wrong);
        for path in [Some(&head.subject), head.scenarios.as_ref(), head.holdout.as_ref()].into_iter().flatten() {
            check_inside(source, path, &mut wrong);
        }
        if let Some(usd) = head.budget.usd.as_ref().filter(|usd| !usd.value.is_finite() || usd.value < 0.0) {
            wrong.push(source.at(usd, "a budget in US dollars is a number from 0 up").hint("for example `usd: 2.50`"));
        }
        if parsed.body.trim().is_empty() {
            let place = Place { line: parsed.body_line, column: 1, width: 1 };
            wrong.push(
                source.diagnostic(place, "the spec says nothing").hint("describe the behaviour below the front matter"),
            );
        }
        let id = head.id.value;
        let default_path = |folder: &str, given: Option<Spanned<String>>| {
            given.map_or_else(|| format!("{folder}/{id}"), |path| path.value)
        };
        wrong.or(Self {
            title: head.title,
            requirements,
            twins: head.twins,
            subject: head.subject.value,
            scenarios: default_path("scenarios", head.scenarios),
            holdout: default_path("holdout", head.holdout),
            satisfaction,
            budget: budget(&head.budget),
            agent: head.agent,
            body: parsed.body,
            digest: Digest::of(source.text().as_bytes()),
            id,
        })
    }

    pub fn requirement_ids(&self) -> BTreeSet<String> {
        self.requirements.iter().map(|requirement| requirement.id.clone()).collect()
    }
}

fn budget(head: &BudgetHead) -> Budget {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be finite and not negative"
    )]
    let micros = |usd: f64| (usd * 1e6).round() as u64;
    Budget {
        cost_usd_micros: head.usd.as_ref().map(|usd| micros(usd.value)),
        tokens: head.tokens,
        wall_time_ms: Some(head.wall_time.unwrap_or(WALL_TIME_DEFAULT_MS)),
        iterations: Some(head.iterations.unwrap_or(ITERATIONS_DEFAULT)),
    }
}

fn check_id(source: &Source, id: &Spanned<String>, wrong: &mut Diagnostics) {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if id.value.is_empty() || !id.value.chars().all(fits) || id.value.starts_with('-') {
        let error = source.at(id, format!("`{}` cannot be a spec's id", id.value));
        wrong.push(error.hint("use lower-case letters, digits and hyphens: it becomes part of a branch name"));
    }
}

/// The ids are `R` and a number, in the order of the numbers.
fn requirements(
    source: &Source,
    head: &BTreeMap<String, Spanned<String>>,
    wrong: &mut Diagnostics,
) -> Vec<Requirement> {
    let mut numbered = BTreeMap::new();
    for (id, text) in head {
        match id.strip_prefix('R').and_then(|number| number.parse::<u32>().ok()) {
            Some(number) => {
                let requirement = Requirement { id: id.clone(), text: text.value.clone() };
                numbered.insert(number, requirement);
            }
            None => wrong.push(source.at(text, format!("`{id}` cannot name a requirement")).hint("use R1, R2, R3 …")),
        }
    }
    if head.is_empty() {
        let error = source.diagnostic(Place::START, "the spec has no requirements");
        wrong.push(error.hint("add `requirements: { R1: \"…\" }`, one sentence each"));
    }
    numbered.into_values().collect()
}

fn satisfaction(source: &Source, given: Option<&Spanned<Satisfaction>>, wrong: &mut Diagnostics) -> Satisfaction {
    let Some(given) = given else { return Satisfaction::default() };
    let value = given.value;
    let mut refuse = |fits: bool, message: &str| {
        if !fits {
            wrong.push(source.at(given, message));
        }
    };
    refuse((0.0..1.0).contains(&value.target), "`target` is at least 0 and below 1: no number of trials can show 1");
    refuse((0.5..=0.999).contains(&value.confidence), "`confidence` is from 0.5 to 0.999");
    refuse((1..=TRIALS_MAX).contains(&value.trials), "`trials` is from 1 to 1000");
    refuse((1..=TRIALS_MAX).contains(&value.stability_trials), "`stability_trials` is from 1 to 1000");
    value
}

fn check_inside(source: &Source, path: &Spanned<String>, wrong: &mut Diagnostics) {
    let outside = path.value.starts_with('/') || path.value.split('/').any(|part| part == "..");
    if outside {
        wrong
            .push(source.at(path, "the path leaves the repository").hint("write it relative to the repository's root"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "---\nid: shop\ntitle: A shop\nrequirements:\n  R10: ten\n  R2: two\n\
                        budget: { usd: 2.5, wall_time: 10m }\n---\nIt sells.\n";

    fn parse(text: &str) -> Result<Spec, Diagnostics> {
        Spec::parse(&Source::new("specs/shop.md", text))
    }

    #[test]
    fn a_spec_has_defaults_and_its_requirements_in_order() {
        let spec = parse(GOOD).expect("sound");
        assert_eq!(spec.requirements.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["R2", "R10"]);
        assert_eq!(spec.holdout, "holdout/shop");
        assert_eq!(spec.budget.cost_usd_micros, Some(2_500_000));
        assert_eq!(spec.budget.wall_time_ms, Some(600_000));
        assert_eq!(spec.budget.iterations, Some(ITERATIONS_DEFAULT));
    }

    #[test]
    fn every_fault_is_told_at_its_place() {
        let text = "---\nid: Shop!\ntitle: A shop\nrequirements:\n  one: first\nsubject: ../elsewhere\n\
                    satisfaction: { target: 1.0 }\n---\n\n";
        let errors = parse(text).expect_err("wrong in many ways").to_string();
        for expected in [
            "specs/shop.md:2:5: `Shop!` cannot be a spec's id",
            "specs/shop.md:5:8: `one` cannot name a requirement",
            "specs/shop.md:6:10: the path leaves the repository",
            "`target` is at least 0 and below 1",
            "the spec says nothing",
        ] {
            assert!(errors.contains(expected), "{expected}\n---\n{errors}");
        }
    }

    #[test]
    fn a_duration_that_is_none_is_told_at_its_place() {
        let error = parse(&GOOD.replace("10m", "soon")).expect_err("not a duration").to_string();
        assert!(error.contains("`soon` is not a duration"), "{error}");
    }
}
