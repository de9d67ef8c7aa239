//! Files that scenarios name go where the scenarios go: those of visible ones to the builder, those of holdouts nowhere.

use e2e_tests::{
    each,
    factory::{Ended, Workplace},
};
use model::event::{StreamId, grade::TrialVerdict};

use crate::leaks::{Corpus, Holdouts, assert_refused};

const SPEC: &str = "specs/greeting.md";
const APP: &str = "specs/greeting/app/app.py";

/// Answers letters; the shipped service answers no POST.
const DO_POST: &str = "    def do_POST(self):
        letter = json.loads(self.rfile.read(int(self.headers[\"Content-Length\"])))
        return self.answer(200, {\"message\": f\"Hello, {letter['name']}!\"})

    def answer(self, status, body):";

/// Used by both suites.
const FRAGMENT: &str = "steps_of: greet
arguments: [name]
steps:
  - http: { get: /hello, query: { name: \"{{ name }}\" } }
    expect: { status: 200, json: { message: \"{{ file('words/greeting.txt') | trim }}, {{ name }}!\" } }
";

fn scenario(head: &str, letter: &str, schema: &str, answer: &str, name: &str) -> String {
    format!(
        "{head}steps:
  - http: {{ post: /hello, file: {letter} }}
    expect: {{ status: 200, json_schema: {schema}, json: {{ message: \"{{{{ file('{answer}') | trim }}}}\" }} }}
  - use: ../../steps/greet.yaml
    with: {{ name: {name} }}
"
    )
}

fn workplace() -> Workplace {
    let place = Workplace::init();
    place.edit(APP, "    def answer(self, status, body):", DO_POST);
    place.write("steps/greet.yaml", FRAGMENT);
    place.write("steps/words/greeting.txt", "Hello\n");
    place.write("schemas/greeting.json", "{ \"type\": \"object\", \"required\": [\"message\"] }\n");
    let head = "scenario: greets-by-letter\ntitle: A letter is answered with a greeting\nrequirements: [R1]\n";
    let visible = scenario(head, "letters/ada.json", "../../schemas/greeting.json", "answer.txt", "Ada");
    place.write("scenarios/greeting/greets-by-letter.yaml", &visible);
    place.write("scenarios/greeting/letters/ada.json", "{ \"name\": \"Ada of the visible letter\" }\n");
    place.write("scenarios/greeting/answer.txt", "Hello, Ada of the visible letter!\n");
    let head = "scenario: unknown-sender\ntitle: A letter from nobody in particular\nrequirements: [R1]\n\
                theme: letters\ncanary: 7c0e5d12-greeting-holdout-4ab19f3c\n";
    let holdout = scenario(head, "letters/grace.json", "reply.schema.json", "reply.txt", "Grace");
    place.write("holdout/greeting/unknown-sender.yaml", &holdout);
    place.write("holdout/greeting/letters/grace.json", "{ \"name\": \"Grace of the hidden letter\" }\n");
    place.write("holdout/greeting/reply.txt", "Hello, Grace of the hidden letter!\n");
    let schema = "{ \"title\": \"a reply that nobody may see\", \"required\": [\"message\"] }\n";
    place.write("holdout/greeting/reply.schema.json", schema);
    place.commit("scenarios that name files");
    place
}

fn verdicts(ended: &Ended, scenario: &str) -> Vec<TrialVerdict> {
    let trials = each!(ended, TrialFinished(trial) => trial).into_iter();
    trials.filter(|trial| trial.scenario == scenario).map(|trial| trial.verdict).collect()
}

/// FAC-5 for files that are named: each trial finds its own, and the builder finds those of visible scenarios only.
#[test]
fn a_run_takes_along_what_its_scenarios_name_and_shows_nothing_of_the_holdouts() {
    let place = workplace();
    let ended = place.ended(&["run", SPEC]);
    ended.expect_status(0);
    let run = ended.run();
    // Five trials in each of two iterations, and two fresh ones; the third holdout by name.
    for scenario in ["greets-by-letter", "holdout-3"] {
        assert_eq!(verdicts(&ended, scenario), [TrialVerdict::Satisfied; 12], "{scenario}");
    }

    let holdouts = Holdouts::of(&place);
    for line in ["hello, grace of the hidden letter!", "{ \"name\": \"grace of the hidden letter\" }"] {
        assert!(holdouts.secrets.contains_key(line), "the search looks for `{line}`: {:?}", holdouts.secrets);
    }
    let folder = place.home().join("runs").join(run.as_str());
    let mut seen = Corpus::default();
    for event in place.events(&StreamId::run(&run)) {
        seen.add_json(&format!("event {} {}", event.seq, event.body.kind()), &event.body);
    }
    ["work", "trees", "seed", "scenarios"].iter().for_each(|name| seen.add_folder(&folder.join(name)));
    for given in ["greeting/letters/ada.json", "greeting/answer.txt", "schemas/greeting.json", "words/greeting.txt"] {
        let given = format!("/tree/.factory/scenarios/{}", at_its_place(given));
        assert!(seen.has(&given), "the builder was given {given}");
    }
    let found = holdouts.found_in(&seen);
    assert!(found.is_empty(), "holdout text within an agent's reach: {found:#?}");
    place.assert_nothing_runs();
}

/// Below the folder that holds all files of the visible suite: the repository.
fn at_its_place(path: &str) -> String {
    let folder = match path.split('/').next() {
        Some("greeting") => "scenarios/",
        Some("words") => "steps/",
        _ => "",
    };
    format!("{folder}{path}")
}

/// A person who merges the branch must not get weaker scenarios with it, wherever their parts lie.
#[test]
fn a_builder_cannot_change_what_scenarios_use_or_name() {
    let place = workplace();
    let agent = "echo '{}' > schemas/greeting.json; rm steps/words/greeting.txt; echo > steps/free.yaml";
    let ended = place.ended(&["run", SPEC, "--iterations", "1", "--trials", "1", "--agent", agent]);
    let trees = each!(ended, TreeExported(tree) => tree);
    assert_eq!(
        (&trees[0].added, trees[0].modified.len(), trees[0].deleted.len()),
        (&vec!["steps/free.yaml".into()], 0, 0)
    );
    let refused: Vec<_> = trees[0].refused.iter().filter_map(|refused| refused.split(": ").next()).collect();
    assert_eq!(refused, ["schemas/greeting.json", "steps/words/greeting.txt"]);
    place.assert_nothing_runs();
}

#[test]
fn a_line_of_a_file_that_only_a_holdout_names_is_a_secret() {
    let place = workplace();
    place.write("NOTES.md", "# Notes\n\nAnswer \"Hello, Grace of the hidden letter!\" to letters.\n");
    place.commit("a line of a holdout's file in the tree");
    assert_refused(&place.ended(&["run", SPEC]), "NOTES.md");
    place.assert_nothing_runs();
}

/// A builder is given what visible scenarios use, so that must not lie among the holdouts.
#[test]
fn a_visible_scenario_that_uses_a_file_of_the_holdouts_is_refused_before_anything_is_spent() {
    let place = workplace();
    place.write("holdout/greeting/steps/hidden.yaml", FRAGMENT);
    place.write("holdout/greeting/steps/words/greeting.txt", "Hello\n");
    place.edit("scenarios/greeting/greets-by-letter.yaml", "../../steps/", "../../holdout/greeting/steps/");
    place.edit("scenarios/greeting/greets-by-letter.yaml", "greet.yaml", "hidden.yaml");
    place.commit("a visible scenario with steps of the holdouts");
    let done = place.factory(["run", SPEC]).output().expect("runs");
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(2), "{told}");
    assert!(
        told.contains("a visible scenario uses `holdout/greeting/steps/hidden.yaml`, a file of the holdouts"),
        "{told}"
    );
    assert!(place.runs().is_empty());
    place.assert_nothing_runs();
}
