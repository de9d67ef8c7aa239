//! Holdouts stay hidden: a search for every line and canary of them, and what happens when somebody plants one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use e2e_tests::{
    each,
    factory::{Ended, Workplace},
};
use model::event::Body;
use serde_json::Value;

/// Every canary and every line of every holdout that stands in nothing public.
pub(crate) struct Holdouts {
    /// Folded secret to the holdout it is of.
    pub(crate) secrets: BTreeMap<String, String>,
    pub(crate) names: BTreeSet<String>,
    pub(crate) themes: BTreeSet<String>,
}

/// A secret in a place where it must not be.
#[derive(Debug)]
#[expect(dead_code, reason = "a failing test prints it")]
pub(crate) struct Found {
    pub(crate) holdout: String,
    pub(crate) secret: String,
    pub(crate) place: String,
}

impl Holdouts {
    /// Those of a workplace's only spec.
    pub(crate) fn of(place: &Workplace) -> Self {
        let repository = place.repository();
        let mut public = Corpus::default();
        public.add_folder(&repository.join("specs"));
        public.texts.retain(|(place, _)| place.ends_with(".md"));
        public.add_folder(&repository.join("scenarios"));
        for harness in ["harness.yaml", "examples/checkout/harness.yaml"] {
            if repository.join(harness).exists() {
                public.add_file(&repository.join(harness));
            }
        }
        let mut holdouts = Self { secrets: BTreeMap::new(), names: BTreeSet::new(), themes: BTreeSet::new() };
        let mut files = Corpus::default();
        files.add_folder(&repository.join("holdout"));
        for (path, _) in files.texts {
            holdouts.add(&path, &public);
        }
        assert!(!holdouts.names.is_empty());
        holdouts
    }

    fn add(&mut self, path: &str, public: &Corpus) {
        let name = Path::new(path).file_stem().expect("a file").to_string_lossy().into_owned();
        for line in fs::read_to_string(path).expect("readable").lines() {
            let line = fold(line.trim().trim_start_matches("- "));
            match line.split_once(": ") {
                Some(("theme", theme)) => {
                    self.themes.insert(theme.to_owned());
                }
                Some(("canary", canary)) => self.keep(canary.split(" #").next().unwrap_or(canary), &name, public),
                // Also without its key: a record quotes names and titles.
                Some(("name" | "title" | "scenario", value)) => self.keep(value, &name, public),
                _ => self.keep(&line, &name, public),
            }
        }
        self.names.insert(name);
    }

    fn keep(&mut self, secret: &str, holdout: &str, public: &Corpus) {
        if !secret.is_empty() && !public.texts.iter().any(|(_, text)| text.contains(secret)) {
            self.secrets.insert(secret.to_owned(), holdout.to_owned());
        }
    }

    pub(crate) fn found_in(&self, corpus: &Corpus) -> Vec<Found> {
        let found = |(secret, holdout): (&String, &String)| {
            let (place, _) = corpus.texts.iter().find(|(_, text)| text.contains(secret.as_str()))?;
            Some(Found { holdout: holdout.clone(), secret: secret.clone(), place: place.clone() })
        };
        self.secrets.iter().filter_map(found).collect()
    }
}

/// Texts with the places they come from, folded.
#[derive(Default)]
pub(crate) struct Corpus {
    texts: Vec<(String, String)>,
}

impl Corpus {
    /// Every string of an event as it was before it became JSON.
    pub(crate) fn add_json(&mut self, place: &str, body: &Body) {
        let mut open = vec![serde_json::to_value(body).expect("plain data")];
        while let Some(value) = open.pop() {
            match value {
                Value::String(text) => self.add(place, &text),
                Value::Array(items) => open.extend(items),
                Value::Object(fields) => {
                    for (name, field) in fields {
                        self.add(place, &name);
                        open.push(field);
                    }
                }
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
        }
    }

    pub(crate) fn add_file(&mut self, path: &Path) {
        let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.add(&path.to_string_lossy(), &String::from_utf8_lossy(&bytes));
    }

    /// Everything below a folder, names included.
    pub(crate) fn add_folder(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("readable").path();
            if path.is_dir() { self.add_folder(&path) } else { self.add_file(&path) }
        }
    }

    pub(crate) fn has(&self, place: &str) -> bool {
        self.texts.iter().any(|(known, _)| known.ends_with(place))
    }

    fn add(&mut self, place: &str, text: &str) {
        self.texts.push((place.to_owned(), fold(text)));
    }
}

/// So that a new indent or a wrapped line hides nothing.
fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

const CANARY: &str = "91be04d7-greeting-holdout-5c2277af";
const LINE: &str = "A name of exactly one hundred characters is still greeted";

/// The builder was never started, and a person is told why.
pub(crate) fn assert_refused(ended: &Ended, surface: &str) {
    ended.expect_status(5);
    let leaks = each!(ended, LeakCaught(leak) => leak);
    assert!(leaks.iter().any(|leak| leak.surface == surface), "{leaks:?}");
    let by_alias = |name: &String| name.starts_with("holdout-");
    assert!(leaks.iter().all(|leak| leak.holdouts.iter().all(by_alias)), "{leaks:?}");
    let incidents = each!(ended, IncidentOpened(incident) => incident);
    assert!(incidents.iter().any(|incident| incident.code == "holdout_leak"), "{incidents:?}");
    let sessions = each!(ended, SessionStarted(session) => session);
    assert_eq!(sessions.len(), 0, "no agent was started");
    assert_eq!(ended.said("verdict"), "infrastructure failed");
    let reason = ended.said("reason").as_str().unwrap_or_default();
    assert!(reason.contains(&format!("`{surface}` holds text of a holdout, so no builder was started")), "{reason}");
}

/// FAC-5: what is planted within the builder's reach is found before the builder is started.
#[test]
fn a_planted_leak_is_refused_before_the_agent_starts() {
    let place = Workplace::init();
    place.write("NOTES.md", &format!("# Notes\n\nThink of this:  {}\n", LINE.to_uppercase()));
    place.commit("a line of a holdout in the tree");
    assert_refused(&place.ended(&["run", "specs/greeting.md"]), "NOTES.md");

    place.write("NOTES.md", "# Notes\n");
    place.edit("specs/greeting.md", "All answers are JSON", &format!("See {CANARY}. All answers are JSON"));
    place.commit("a canary in the spec");
    assert_refused(&place.ended(&["run", "specs/greeting.md"]), "task");

    place.assert_nothing_runs();
}

/// The visible scenarios are given to the builder beside its tree, so they are looked at as well.
#[test]
fn a_canary_in_a_visible_scenario_is_refused_before_the_agent_starts() {
    let place = Workplace::shipped();
    let holdouts = Holdouts::of(&place);
    let canary = holdouts.secrets.iter().find(|(secret, _)| uuid::Uuid::parse_str(secret).is_ok()).expect("a canary").0;
    let scenario = "scenarios/checkout/sells-a-basket.yaml";
    place.write(scenario, &format!("# {canary}\n{}", place.read(scenario)));
    place.commit("a canary in a visible scenario");
    assert_refused(&place.ended(&["run", "specs/checkout.md"]), ".factory/scenarios/sells-a-basket.yaml");
    place.assert_nothing_runs();
}
