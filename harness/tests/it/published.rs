//! What is published fits the code: schemas, lint codes, the shipped scenarios.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use harness::{Kind, LintCode, LintContext, Suite};
use located::Source;
use serde_json::Value;

use crate::kit::{config, refusal, scenario, suite};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[test]
fn published_schemas_are_those_of_this_version() {
    let schemas = harness::schemas();
    for (name, schema) in schemas.as_object().unwrap() {
        let path = repository().join(format!("docs/reference/{name}.schema.json"));
        let published: Value =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_default()).unwrap_or_default();
        assert!(
            published == *schema,
            "docs/reference/{name}.schema.json is not that of this version; run: cargo run -p harness -- schema {name} > docs/reference/{name}.schema.json"
        );
    }
}

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            yaml_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
}

#[test]
fn shipped_scenarios_fit_the_schema() {
    let schema = harness::schemas();
    let validator = jsonschema::validator_for(&schema["scenario"]).unwrap();
    let mut files = Vec::new();
    ["scenarios", "holdout"].iter().for_each(|folder| yaml_files(&repository().join(folder), &mut files));
    assert!(files.len() >= 20, "{files:?}");
    for path in files {
        let document: Value = located::yaml(&Source::read(&path).unwrap()).unwrap();
        let errors: Vec<_> =
            validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
    }
}

#[test]
fn the_schema_tells_kinds_and_their_expectations_apart() {
    let schema = harness::schemas();
    let validator = jsonschema::validator_for(&schema["scenario"]).unwrap();
    let fits = |step: &str| {
        let text = format!("scenario: a\ntitle: a\nsteps: [{step}]");
        validator.is_valid(&located::yaml::<Value>(&Source::new("a.yaml", text)).unwrap())
    };
    for step in [
        "{ http: { get: / }, expect: { status: 200 } }",
        "{ use: a.yaml, with: { b: 1 }, capture: { c: $.c } }",
        "{ if: '{{ a }}', for_each: { a: [1] }, wait: { for: 1s } }",
        "{ http: { get: / }, retry: { times: 3, if: '{{ status == 503 }}' } }",
    ] {
        assert!(fits(step), "{step}");
    }
    for step in [
        "{ http: { get: / }, wait: { for: 1s } }",
        "{ http: { get: / }, expect: { exit: 0 } }",
        "{ restart: {}, expect: { status: 200 } }",
        "{ name: nothing }",
    ] {
        assert!(!fits(step), "{step}");
    }
}

/// Every code, and files that provoke it.
fn provoked() -> Vec<(LintCode, String)> {
    use LintCode as Code;
    let rest = |rest: &str| refusal(vec![scenario("a", rest)]).to_string();
    let green = "steps: [{ http: { get: / }, expect: { status: 200 } }]";
    let with = |fragment: &str, step: &str| {
        let user = format!("{green}\nsetup: [{step}]");
        refusal(vec![scenario("a", &user), Source::new("f.yaml", fragment)]).to_string()
    };
    let holdout = |texts: &[String]| {
        let sources = texts.iter().enumerate().map(|(n, text)| scenario(&format!("h{n}"), text)).collect();
        Suite::from_sources(sources, Kind::Holdout).unwrap_err().to_string()
    };
    let fitting = |text: &str, subject: &str| {
        let (suite, subject) = (suite(vec![scenario("a", text)]), config(subject));
        let requirements = BTreeSet::from(["R1".to_owned()]);
        suite.lint(LintContext { requirements: Some(&requirements), subject: Some(&subject) }).unwrap_err().to_string()
    };
    let fragment = "steps_of: f\narguments: [user]\nsteps: [{ http: { get: / } }]";
    let secret = format!("theme: t\ncanary: 4f8de1c7-4f0f-4c7c-9f6e-0d3a3d0a6f11\n{green}");
    let locked = || {
        let dir = tempfile::tempdir().unwrap();
        (0..20).fold(dir.path().to_owned(), |path, _| {
            std::fs::create_dir(path.join("d")).unwrap();
            path.join("d")
        });
        Suite::load(&[dir.path().to_owned()], Kind::Visible).unwrap_err().to_string()
    };
    vec![
        (Code::BadCapture, rest("steps: [{ wait: { for: 1s }, capture: { a: $.a } }]")),
        (Code::BadCase, rest(&format!("cases: [{{ case: a, x: 1 }}, {{ case: b }}]\n{green}"))),
        (Code::BadExpectation, rest("steps: [{ http: { get: / }, expect: { exit: 0 } }]")),
        (Code::BadFormat, rest("stpes: []")),
        (Code::BadFragment, with("steps_of: f\nsteps: []", "{ use: f.yaml }")),
        (Code::BadLimit, rest("timeout: 11m\nsteps: []")),
        (Code::BadPath, rest("steps: [{ exec: { argv: [ls], cwd: ../.. } }]")),
        (Code::BadSlug, refusal(vec![scenario("A b", green)]).to_string()),
        (Code::BadVariant, rest(&format!("{green}\nvariants: [{{ variant: v, relations: [] }}]"))),
        (Code::DuplicateCanary, holdout(&[secret.clone(), secret])),
        (
            Code::DuplicateScenario,
            refusal(vec![scenario("a", green), Source::new("z.yaml", scenario("a", green).text())]).to_string(),
        ),
        (Code::EmptySuite, rest(&format!("skip: no\n{green}"))),
        (Code::MissingArgument, with(fragment, "{ use: f.yaml }")),
        (Code::MissingCanary, holdout(&[format!("theme: t\n{green}")])),
        (Code::MissingTheme, holdout(&[format!("canary: 4f8de1c7-4f0f-4c7c-9f6e-0d3a3d0a6f11\n{green}")])),
        (Code::NoAssertion, rest("steps: [{ http: { get: / } }]")),
        (Code::NoSubject, fitting(green, "subject: a\n")),
        (Code::RecursiveUse, with("steps_of: f\nsteps: [{ use: f.yaml }]", "{ use: f.yaml }")),
        (Code::ReservedName, rest("vars: { random: 1 }\nsteps: []")),
        (Code::StepKind, rest("steps: [{ http: { get: / }, wait: { for: 1s } }]")),
        (Code::UndeclaredTwin, fitting("steps: [{ twin: stripe, expect: { count: 0 } }]", "subject: a\n")),
        (Code::UnknownArgument, with(fragment, "{ use: f.yaml, with: { user: a, usr: b } }")),
        (Code::UnknownFault, rest("steps: [{ fault: stripe, rule: { operation: charges.list, kind: explode } }]")),
        (Code::UnknownOperation, rest("steps: [{ twin: stripe, calls: { operation: charges.lisst } }]")),
        (
            Code::UnknownRequirement,
            fitting(&format!("requirements: [R9]\n{green}"), "subject: a\nstart: { argv: [a] }\n"),
        ),
        (Code::UnknownTwin, rest("steps: [{ twin: strip, expect: { count: 1 } }]")),
        (Code::UnknownVariable, rest("steps: [{ http: { get: '/{{ id }}' }, expect: { status: 200 } }]")),
        (Code::UnreadableFile, locked()),
    ]
}

#[test]
fn every_lint_code_can_be_provoked() {
    let provoked = provoked();
    for (code, text) in &provoked {
        assert!(text.contains(&format!("[{}]", code.as_str())), "{code:?}\n{text}");
    }
    let seen: Vec<_> = provoked.iter().map(|(code, _)| *code).collect();
    let missing: Vec<_> = LintCode::ALL.iter().filter(|code| !seen.contains(code)).collect();
    assert!(missing.is_empty(), "nothing provokes {missing:?}");
}

#[test]
fn the_lint_codes_are_documented() {
    let text = std::fs::read_to_string(repository().join("docs/reference/lints.md")).unwrap();
    let rows: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let codes: Vec<_> = LintCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(rows, codes, "docs/reference/lints.md has a row for each code, in their order");
}
